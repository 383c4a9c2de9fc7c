/* SPDX-License-Identifier: BSD-2-Clause */
/* How much may come to a VIP in a second: what is said of it, and how it is written. */
#ifndef LB_API_RATE_H
#define LB_API_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include "addr.h"
#include "err.h"
#include "schema.h"

#define LB_RATES_MAX 4u /* of a VIP; LB_RATES of bpf/abi.h */
#define LB_RATE_MAX 100000000u
#define LB_RATE_BYTES_MIN 100000u /* the longest packet fits into a second of it */
#define LB_RATE_BYTES_MAX 100000000000ull

/* Whose packets share one. */
enum lb_rate_of {
	LB_RATE_NONE,   /* there is no such rule */
	LB_RATE_SOURCE, /* those of a source: IPv4 /32, IPv6 /64 */
	LB_RATE_PREFIX, /* those of sources with one prefix of `length` */
	LB_RATE_VIP,    /* all */
};

enum lb_rate_kind { LB_RATE_IN_PACKETS, LB_RATE_IN_SYNS, LB_RATE_IN_BYTES };

struct lb_vip_rate {
	uint64_t per_second;
	uint8_t of, length, kind, monitor; /* no hole: compared by bytes */
	uint32_t pad;
};

/* In the order in which they are asked; those behind the last are all 0. */
struct lb_vip_rates {
	struct lb_vip_rate rule[LB_RATES_MAX];
};

extern const struct schema_kind lb_rates_kind;
#define LB_RATES_PATTERN                                                                           \
	"^(none|(source(/(24|32|48|64|128))?|vip)=[1-9][0-9]*[kMG]?(pps|sps|Bps)(,monitor)?"       \
	"( (source(/(24|32|48|64|128))?|vip)=[1-9][0-9]*[kMG]?(pps|sps|Bps)(,monitor)?){0,3})$"

/* "source/24=10kpps,monitor"; returns `out`. */
#define LB_RATE_TEXT 48
const char *lb_rate_format(const struct lb_vip_rate *rate, char out[LB_RATE_TEXT]);
/* How many of the first bits of a source count; 0: it is of the VIP as a whole. */
uint32_t lb_rate_length(const struct lb_vip_rate *rate, int family);
/* Whether the VIP may have them. 0, or -EINVAL. */
int lb_rates_fit(const struct lb_vip_rates *rates, const struct lb_endpoint *vip,
		 struct lb_err *err);

#endif
