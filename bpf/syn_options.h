/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which TCP options does a segment have?
 *
 * A global function of the program, which the verifier looks at by itself: walked once for each way
 * that leads to it, the loop would take the verifier's million steps. Also compiled into tests.
 */
#ifndef LB_SYN_OPTIONS_H
#define LB_SYN_OPTIONS_H

#include "bounds.h"
#include "syn_cookie.h"

#ifdef __bpf__
#define SYN_GLOBAL __attribute__((noinline))
#else
#define SYN_GLOBAL static inline
#endif

#define SYN_OPTIONS_MAX 40
#define SYN_OPTIONS_MASK 63
#define SYN_OPTIONS_ROOM 80 /* the furthest read is behind the mask */

enum { SYN_END, SYN_NOP, SYN_MSS, SYN_WINDOW, SYN_SACK, SYN_TIMESTAMPS = 8 };

/* Apart from the frame, of which any buffer may hold them. What is behind them may be anything. */
struct syn_option_bytes {
	__u8 byte[SYN_OPTIONS_ROOM];
} __attribute__((aligned(8)));

/* As it lies in memory. */
#define SYN_WORD(a, b, c, d)                                                                       \
	__builtin_bswap32((__u32)(a) << 24 | (__u32)(b) << 16 | (__u32)(c) << 8 | (d))

SYN_INLINE __u32 syn_number(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

SYN_INLINE void syn_option(const __u8 *at, __u32 kind, __u32 length, struct syn_options *out)
{
	if (kind == SYN_MSS && length == 4) {
		out->mss = at[2] << 8 | at[3];
	} else if (kind == SYN_WINDOW && length == 3) {
		out->wscale = at[2] > SYN_WSCALE_MAX ? SYN_WSCALE_MAX : at[2];
	} else if (kind == SYN_SACK && length == 2) {
		out->sack = 1;
	} else if (kind == SYN_TIMESTAMPS && length == 10) {
		out->timestamps = 1;
		out->tsval = syn_number(at + 2);
		out->tsecr = syn_number(at + 6);
	}
}

typedef __u32 __attribute__((may_alias)) syn_word;

/* Those that Linux, Android and others like them send, by words: the loop takes 16 ns for them.
 *
 *   | MSS 4 ·· | SACK 2, timestamps 10 | TSval | TSecr | NOP, window scale 3 · | */
SYN_INLINE int syn_options_usual(const struct syn_option_bytes *bytes, __u32 length,
				 struct syn_options *out)
{
	const syn_word *word = (const void *)bytes;
	const __u8 *byte = bytes->byte;

	if (length != 20 || ((word[0] ^ SYN_WORD(SYN_MSS, 4, 0, 0)) & SYN_WORD(255, 255, 0, 0)) ||
	    word[1] != SYN_WORD(SYN_SACK, 2, SYN_TIMESTAMPS, 10) ||
	    (word[4] ^ SYN_WORD(SYN_NOP, SYN_WINDOW, 3, 0)) & SYN_WORD(255, 255, 255, 0))
		return 0;
	*out = (struct syn_options){.tsval = syn_number(byte + 8),
				    .tsecr = syn_number(byte + 12),
				    .mss = byte[2] << 8 | byte[3],
				    .wscale = byte[19] > SYN_WSCALE_MAX ? SYN_WSCALE_MAX : byte[19],
				    .sack = 1,
				    .timestamps = 1};
	return 1;
}

/* What comes before one that is malformed counts, as it does to the kernel. Where an option begins is
 * kept in memory that the verifier does not follow: it would walk the loop once for each sum of sizes. */
SYN_GLOBAL int syn_options_parse(const struct syn_option_bytes *bytes, __u32 length,
				 struct syn_options *out)
{
	volatile __u32 *place;
	__u32 at, kind, size;
	int i;

	if (!bytes || !out || syn_options_usual(bytes, length, out))
		return 0;
	*out = (struct syn_options){.wscale = SYN_WSCALE_NONE};
	place = &out->place;
	for (i = 0; i < SYN_OPTIONS_MAX; i++) {
		const __u8 *option;

		at = *place;
		if (at >= length || at >= SYN_OPTIONS_MAX)
			break;
		option = bytes->byte + bounds_number(at, SYN_OPTIONS_MASK);
		kind = option[0];
		if (kind == SYN_END)
			break;
		size = kind == SYN_NOP ? 1 : option[1];
		if (!size || (size == 1 && kind != SYN_NOP) || at + size > length)
			break;
		syn_option(option, kind, size, out);
		*place = at + size;
	}
	return 0;
}

#endif
