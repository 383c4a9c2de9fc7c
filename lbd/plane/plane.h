/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the service and its members need of the data plane? The real one is datapath_plane's;
 * unit tests have one in memory. */
#ifndef LB_PLANE_H
#define LB_PLANE_H

#include <stdbool.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../api/addr.h"
#include "../api/err.h"

struct plane {
	/* The functions are called with it. Only who has made the plane knows what it points to. */
	struct datapath *datapath;
	bool adopted; /* the maps hold what an earlier lbd has left */

	/* Memory that packets use: edited in place, each field by one atomic store. */
	uint32_t *slots;
	uint32_t *pasts;     /* by slot */
	uint64_t *vip_pools; /* by VIP number: lb_pools */
	struct lb_member *members;
	struct lb_nexthop *nexthops;
	struct lb_tuning *tuning;
	struct lb_flow_bucket *flows; /* words change by compare-and-swap (bpf/flow_word.h) */
	uint32_t bucket_count;
	uint64_t *quic_vips;           /* by VIP number */
	struct lb_quic_line *quic_ids; /* quic_ids.h */
	uint32_t quic_lines;
	uint64_t *quic_vip_keys; /* by VIP number */
	struct lb_quic_key *quic_keys;
	struct lb_quic_aes *quic_aes;

	/* VIP entries. protocol 0 and port 0 is the address-only entry. */
	int (*vip_set)(struct datapath *datapath, const struct lb_endpoint *endpoint,
		       const struct lb_vip_value *value, struct lb_err *err);
	/* 0 where there is none, too. */
	int (*vip_del)(struct datapath *datapath, const struct lb_endpoint *endpoint,
		       struct lb_err *err);
	/* Returns when every packet that was in the program has left it. Without a turn. NULL: there is none. */
	void (*await_packets)(struct datapath *datapath);
	/* Every entry; entries may not be changed meanwhile. */
	void (*each_vip)(struct datapath *datapath,
			 void (*each)(void *user, const struct lb_endpoint *endpoint,
				      const struct lb_vip_value *value),
			 void *user);
	/* Interfaces that packets may be redirected to. */
	int (*egress_set)(struct datapath *datapath, uint32_t ifindex, bool in_use);
	/* Sums over all CPUs, of members with adjacent numbers; all 0 when it fails. */
	int (*counters)(struct datapath *datapath, uint32_t first, uint32_t count,
			struct lb_counter *out);
	int (*counters_reset)(struct datapath *datapath, uint32_t member);
	/* The same by VIP number. NULL: packets are counted by member alone. */
	int (*vip_counters)(struct datapath *datapath, uint32_t number, struct lb_counter *out);
	int (*vip_counters_reset)(struct datapath *datapath, uint32_t number);
	/* Has a program in place that looks at QUIC ids, before a VIP has LB_VIP_QUIC; and needs it no more. 0 or
	 * LB_ERR_SYSTEM. NULL: each looks at them. */
	int (*quic_use)(struct datapath *datapath, struct lb_err *err);
	void (*quic_drop)(struct datapath *datapath);
	/* Packets that its QUIC server id has led to a member; counters_reset is for these, too. */
	int (*quic_counter)(struct datapath *datapath, uint32_t member, uint64_t *out);
	int (*quic_counts)(struct datapath *datapath, uint64_t out[LB_QUIC_COUNT_COUNT]);
	/* --- the SYN guard; NULL where there is none --- */
	/* Has the program with the guard in place; and needs it no more. What the others give is there in
	 * between, and may be elsewhere after any call. */
	int (*syn_use)(struct datapath *datapath, struct lb_err *err);
	void (*syn_drop)(struct datapath *datapath);
	struct lb_guard_secret *(*guard_secret)(struct datapath *datapath);
	int (*syn_counts)(struct datapath *datapath, uint32_t number, struct lb_guard_syns *out);
	int (*syn_counts_reset)(struct datapath *datapath, uint32_t number);
	/* --- rates; NULL where there are none; otherwise as the SYN guard --- */
	int (*rates_use)(struct datapath *datapath, struct lb_err *err);
	void (*rates_drop)(struct datapath *datapath);
	struct lb_rates *(*rates)(struct datapath *datapath); /* by VIP number */
	int (*rates_over)(struct datapath *datapath, uint32_t number, struct lb_rates_over *out);
	int (*rates_over_reset)(struct datapath *datapath, uint32_t number);
	int (*flow_counts)(struct datapath *datapath, uint64_t out[LB_FLOW_COUNT_COUNT]);
	/* Rules of the guard by VIP number, memory that packets use; NULL while it does not stand. May be NULL
	 * itself. */
	struct lb_guard_vip *(*guard_vips)(struct datapath *datapath);
};

#endif
