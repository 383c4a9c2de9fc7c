/* SPDX-License-Identifier: BSD-2-Clause */
/* How large are the maps, and what is the program told before it is loaded? */
#include "datapath_private.h"

#include <bpf/libbpf.h>

#include "numbers.h"

static uint32_t round_up_power_of_two(uint32_t value)
{
	uint32_t power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

/* Of the words, how many a CPU may take away in a time unit for packets that are not SYNs. */
#define FLOW_BUDGET_SHARE 16

/* Lines that are full to four fifths with the VIPs of one family: 15 % of these are not in their own
 * line, and more lines would be more cache misses. */
static uint32_t index_lines(const struct datapath_options *options)
{
	const uint32_t lines = (options->vips * 5 + LB_INDEX_WAYS * 4 - 1) / (LB_INDEX_WAYS * 4);

	return lines > LB_INDEX_REACH ? lines : LB_INDEX_REACH;
}

/* Each may have a prefix of its own, hence an address-only entry beside it; and a change adds before it
 * removes. */
static uint32_t wide_entries(const struct datapath_options *options)
{
	return 4 * (options->vips < LB_WIDE_MAX ? options->vips : LB_WIDE_MAX);
}

/* So many VIP numbers' counters are in a core's own cache, or nearly: 512 KiB. There it takes longer to
 * let packets wait than to count them. */
#define VIP_ROW_NEAR 32768

static void size_vip_counters(struct lb_bpf *skeleton, const struct datapath_options *options)
{
	const uint32_t row = options->vip_counters ? numbers_for_vips(options->vips) : 0;
	const uint32_t cpus = libbpf_num_possible_cpus() > 1 ? libbpf_num_possible_cpus() : 1;
	const bool waiting = row > VIP_ROW_NEAR;

	bpf_map__set_max_entries(skeleton->maps.vip_counters, row ? row * cpus : 1);
	/* Never as many as where none wait, or pin.c would keep what waited for other counters. */
	bpf_map__set_max_entries(skeleton->maps.vip_waiting, waiting ? cpus + 1 : 1);
	skeleton->rodata->config.vip_row = row;
	skeleton->rodata->config.vip_waiting = waiting;
}

/* Half of the places are taken at most: each member has one id. */
static uint32_t quic_lines(const struct datapath_options *options)
{
	return options->members > LB_QUIC_REACH ? options->members : LB_QUIC_REACH;
}

void sizes_set(struct lb_bpf *skeleton, const struct datapath_options *options)
{
	const uint32_t buckets = round_up_power_of_two(options->flows / LB_FLOW_WAYS);

	/* Each VIP may have an address of its own, hence an address-only entry beside it, and one
	 * for its fragments; and a change adds before it removes. */
	bpf_map__set_max_entries(skeleton->maps.vips4, options->vips * 6);
	bpf_map__set_max_entries(skeleton->maps.vips6, options->vips * 6);
	bpf_map__set_max_entries(skeleton->maps.wide_vips, wide_entries(options));
	bpf_map__set_max_entries(skeleton->maps.wide, numbers_for_vips(options->vips));
	/* Kernels before 6.13 replace nothing in a trie that is full. */
	bpf_map__set_max_entries(skeleton->maps.parts4, wide_entries(options) + 1);
	bpf_map__set_max_entries(skeleton->maps.parts6, wide_entries(options) + 1);
	bpf_map__set_max_entries(skeleton->maps.slots,
				 (options->slots + LB_SLOT_LINE - 1) / LB_SLOT_LINE);
	bpf_map__set_max_entries(skeleton->maps.pasts,
				 (options->slots + LB_SLOT_LINE - 1) / LB_SLOT_LINE);
	bpf_map__set_max_entries(skeleton->maps.vip_pools, numbers_for_vips(options->vips));
	bpf_map__set_max_entries(skeleton->maps.members, options->members);
	bpf_map__set_max_entries(skeleton->maps.counters, 2 * options->members);
	size_vip_counters(skeleton, options);
	bpf_map__set_max_entries(skeleton->maps.quic_vips, numbers_for_vips(options->vips));
	bpf_map__set_max_entries(skeleton->maps.quic_vip_keys, numbers_for_vips(options->vips));
	bpf_map__set_max_entries(skeleton->maps.quic_ids, quic_lines(options));
	bpf_map__set_max_entries(skeleton->maps.flows, buckets);
	bpf_map__set_max_entries(skeleton->maps.index4, index_lines(options));
	bpf_map__set_max_entries(skeleton->maps.index6, index_lines(options));
	skeleton->rodata->config.index_lines = index_lines(options);
	skeleton->rodata->config.quic_lines = quic_lines(options);
	skeleton->rodata->config.members = options->members;
	skeleton->rodata->config.seed[0] = options->seed[0];
	skeleton->rodata->config.seed[1] = options->seed[1];
	skeleton->rodata->config.flow_buckets = buckets;
	skeleton->rodata->config.flow_budget = buckets * LB_FLOW_WAYS / FLOW_BUDGET_SHARE;
	skeleton->rodata->config.answer_rate = options->answer_rate;
	mapping_without_guard(skeleton);
}
