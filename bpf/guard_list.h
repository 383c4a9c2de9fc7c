/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Is the source on a list, and what does that mean for this VIP?
 *
 * Nearly all sources are on none, and the filter says so: one load, one comparison. Only then is looked further,
 * out of line. */
#ifndef LB_GUARD_LIST_H
#define LB_GUARD_LIST_H

#include <bpf/bpf_endian.h>
#include "guard_maps.h"
#include "guard_word.h"
#include "packet.h"

/* --- the filters --- */

static __always_inline int list_filter(void *filter, __u64 key, __u64 secret, __u64 region)
{
	const struct guard_bits bits = guard_bits(key, secret, region);
	const __u32 word = bits.word;
	volatile __u64 *at = bpf_map_lookup_elem(filter, &word);

	return at && (*at & bits.mask) == bits.mask;
}

/* --- exact words: the combination, or 0 --- */

static __always_inline __u32 list_in_line(volatile struct lb_guard_line *line, __u64 wanted)
{
	__u32 combo = 0;
	int i;

	if (!line)
		return 0;
#pragma unroll
	for (i = 0; i < 8; i++) {
		const __u64 word = line->word[i];

		if ((word & ~GUARD_COMBO_MASK) == wanted)
			combo = word & GUARD_COMBO_MASK;
	}
	return combo;
}

static __always_inline __u32 list_exact(void *map, const struct guard_exact *exact)
{
	const __u32 first = exact->line[0], second = exact->line[1];
	__u32 combo = list_in_line(bpf_map_lookup_elem(map, &first), exact->word);

	return combo ? combo : list_in_line(bpf_map_lookup_elem(map, &second), exact->word);
}

/* Global functions, which the verifier looks at by themselves. */
__noinline __u32 list_exact4(__u32 address, __u32 length)
{
	const __u32 zero = 0;
	struct lb_guard_tuning *tuned = bpf_map_lookup_elem(&guard_tuning, &zero);
	struct guard_exact exact;

	if (!tuned)
		return 0;
	exact = guard_word4(address, length, tuned->secret, tuned->lines4);
	return list_exact(&guard_exact4, &exact);
}

__noinline __u32 list_exact6(__u64 high, __u64 low, __u32 length)
{
	const __u32 zero = 0;
	struct lb_guard_tuning *tuned = bpf_map_lookup_elem(&guard_tuning, &zero);
	struct guard_exact exact;

	if (!tuned)
		return 0;
	exact = guard_word6(high, low, length, tuned->secret, tuned->lines6);
	return list_exact(&guard_exact6, &exact);
}

/* --- one address --- */

__noinline __u32 list_finer4(__u32 address)
{
	const __u32 zero = 0;
	struct lb_guard_tuning *tuned = bpf_map_lookup_elem(&guard_tuning, &zero);
	__u32 copy, combo, length, i;

	if (!tuned)
		return 0;
	copy = *(volatile __u32 *)&tuned->lengths & 1;
	for (i = 0; i < LB_GUARD_LENGTHS4; i++) {
		length = *(volatile __u8 *)&tuned->lengths4[copy][i];
		if (!length)
			break;
		combo = list_exact4(address, length);
		if (combo)
			return combo;
	}
	return 0;
}

__noinline __u32 list_find4(__u32 address)
{
	const __u32 line_number = address >> 16;
	volatile struct lb_guard_line *line = bpf_map_lookup_elem(&guard_24, &line_number);
	const __u32 cell = address >> 8 & 255;
	__u32 code;

	if (!line)
		return 0;
	code = line->word[cell / 32] >> cell % 32 * 2 & 3;
	return code < 3 ? code : list_finer4(address);
}

/* `least`, `most`: of the lengths. */
__noinline __u32 list_find6(__u64 high, __u64 low, __u32 least, __u32 most)
{
	const __u32 zero = 0;
	struct lb_guard_tuning *tuned = bpf_map_lookup_elem(&guard_tuning, &zero);
	__u32 copy, combo, length, i;

	if (!tuned)
		return 0;
	copy = *(volatile __u32 *)&tuned->lengths & 1;
	for (i = 0; i < LB_GUARD_LENGTHS6; i++) {
		length = *(volatile __u8 *)&tuned->lengths6[copy][i];
		if (!length || length < least)
			break;
		if (length > most)
			continue;
		combo = list_exact6(high, low, length);
		if (combo)
			return combo;
	}
	return 0;
}

static __always_inline __u32 list_combo4(const struct lb_guard_tuning *tuned, __be32 source)
{
	const __u32 address = bpf_ntohl(source);

	if (!list_filter(&guard_filter4, address >> 8, tuned->secret[0],
			 *(volatile __u64 *)&tuned->filter[LB_GUARD_FILTER4]))
		return 0;
	return list_find4(address);
}

static __always_inline __u32 list_combo6(const struct lb_guard_tuning *tuned, __u64 source,
					 __u64 source_low)
{
	const __u64 high = bpf_be64_to_cpu(source);
	__u32 combo = 0;

	if (list_filter(&guard_filter6, high >> GUARD_KEY6_SHIFT, tuned->secret[0],
			*(volatile __u64 *)&tuned->filter[LB_GUARD_FILTER6]))
		combo = list_find6(high, bpf_be64_to_cpu(source_low), GUARD_LONG6, 128);
	if (!combo &&
	    list_filter(&guard_filter6_short, high >> GUARD_KEY6_SHORT_SHIFT, tuned->secret[0],
			*(volatile __u64 *)&tuned->filter[LB_GUARD_FILTER6_SHORT]))
		combo = list_find6(high, bpf_be64_to_cpu(source_low), 1, GUARD_LONG6 - 1);
	return combo;
}

/* --- what it means --- */

/* The first of the combination's places that has one of these lists: these, and with LIST_BLOCKS where they
 * block. */
#define LIST_BLOCKS (1u << 16)

static __always_inline __u32 list_decide(const volatile struct lb_guard_combo *combo, __u32 lists)
{
	int i;

	for (i = 0; i < (int)LB_GUARD_PLACES; i++) {
		const __u32 these = combo->lists[i] & lists;

		if (these)
			return i & 1 ? LIST_BLOCKS | these : these;
	}
	return 0;
}

/* The number of the lowest bit. There is no instruction for it. */
static __always_inline __u32 list_lowest(__u32 lists)
{
	__u32 below = (lists & -lists) - 1;

	below = (below & 0x5555) + (below >> 1 & 0x5555);
	below = (below & 0x3333) + (below >> 2 & 0x3333);
	below = (below & 0x0f0f) + (below >> 4 & 0x0f0f);
	return (below + (below >> 8)) & 31;
}

static __always_inline void list_count(__u32 lists, __u32 bytes)
{
	const __u32 number = list_lowest(lists & 0xffff);
	struct lb_guard_hits *hits = bpf_map_lookup_elem(&guard_hits, &number);

	if (hits) {
		hits->packets++;
		hits->bytes += bytes;
	}
}

__noinline int list_verdict(__u32 number, __u32 combo_number, __u32 bytes)
{
	volatile struct lb_guard_combo *combo = bpf_map_lookup_elem(&guard_combos, &combo_number);
	volatile struct lb_guard_vip *rules = bpf_map_lookup_elem(&guard_vips, &number);
	__u32 decided, tried;

	if (!combo || !rules)
		return LB_NEXT;
	decided = list_decide(combo, rules->lists);
	if (decided)
		list_count(decided, bytes);
	if (decided & LIST_BLOCKS)
		return LB_DROP_BLOCKED;
	if (!rules->monitored)
		return LB_NEXT;
	tried = list_decide(combo, rules->lists | rules->monitored);
	tried &= rules->monitored | LIST_BLOCKS;
	if (tried & 0xffff)
		list_count(tried, bytes);
	return LB_NEXT;
}

/* LB_NEXT or LB_DROP_BLOCKED. */
static __always_inline int guard_list(const struct packet *packet, __u32 number)
{
	const __u32 zero = 0;
	const struct lb_guard_tuning *tuned = bpf_map_lookup_elem(&guard_tuning, &zero);
	__u32 combo;

	if (!tuned)
		return LB_NEXT;
	combo = packet->family == 4 ? list_combo4(tuned, packet->source[0])
				    : list_combo6(tuned, packet->source[0], packet->source[1]);
	return unlikely(combo) ? list_verdict(number, combo, packet->length) : LB_NEXT;
}

#endif
