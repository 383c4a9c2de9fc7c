/* SPDX-License-Identifier: BSD-2-Clause */
/* The loaded XDP program, its maps, its pins and its attachments. Beside tunnel.c the only module
 * that touches libbpf; knows nothing of services. */
#ifndef LB_DATAPATH_H
#define LB_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../api/addr.h"
#include "../api/err.h"
#include "../host/xdp_mode.h"
#include "plane.h"

struct datapath;

struct datapath_options {
	uint32_t vips, members, slots, flows; /* sizes; flows is rounded up to a power of two */
	uint32_t answer_rate; /* echo replies, and "too big" messages, a second and CPU */
	bool vip_counters;    /* packets are counted by VIP, too */
	uint64_t seed[2];
	const char *seed_from; /* for messages; needed with a pin_dir */
	const char *pin_dir;   /* a folder on a bpffs, made if missing; NULL: nothing is pinned */
	bool reset;            /* replace pinned maps that do not fit instead of refusing them */
};

struct datapath_attachment {
	uint32_t ifindex;
	enum xdp_mode mode; /* NATIVE or GENERIC: what is in force */
	char reason[160]; /* why generic when auto was asked for; of a detached one, why; else "" */
};

/* Loads the program. Maps that an earlier lbd has pinned are taken over, with all that is in them;
 * datapath_adopted tells. Where they cannot be (another ABI, other sizes, another seed) that is
 * LB_ERR_REFUSED, unless reset. The pin_dir is locked until datapath_close: there is one lbd to a
 * data plane. */
int datapath_open(const struct datapath_options *options, struct datapath **out,
		  struct lb_err *err);
bool datapath_adopted(const struct datapath *datapath);
/* When its maps were made, in seconds since 1970, by this lbd or an earlier one; 0: not known. */
int64_t datapath_since(const struct datapath *datapath);
/* Frees. What is pinned stays, and packets go on being forwarded. */
void datapath_close(struct datapath *datapath);

/* Attaches to an interface, or replaces the program there in one step when an earlier lbd has
 * attached it. -EBUSY or -EEXIST when another XDP program is there, -ENODEV when the interface is
 * not. */
int datapath_attach(struct datapath *datapath, const char *interface, enum xdp_mode mode,
		    struct datapath_attachment *out, struct lb_err *err);
/* Whether the program is still attached to an interface where datapath_attach put it: whoever has
 * the rights can take it off. */
bool datapath_holds(const struct datapath *datapath, uint32_t ifindex);
/* Detaches from a link, which may be gone by now, and removes its pin. */
void datapath_release(struct datapath *datapath, uint32_t ifindex);
/* Detaches from every interface that an earlier lbd was attached to and this one is not. */
void datapath_detach_others(struct datapath *datapath);

/* Without a datapath. Whether something is pinned at pin_dir, and whether datapath_open would take
 * it over; says nothing of an lbd that has it now. */
bool datapath_is_pinned(const char *pin_dir);
int datapath_check_pinned(const struct datapath_options *options, struct lb_err *err);
/* Without a datapath. The seed that what is pinned at pin_dir hashes by; false: not known. */
bool datapath_pinned_seed(const char *pin_dir, uint64_t seed[2]);
/* Without a datapath. Takes everything that lbd has pinned at pin_dir away: packets go to the stack
 * from then on. 0 too when there is nothing. LB_ERR_REFUSED: nothing was touched, since an lbd runs
 * or the folder is not one that lbd pins in. */
int datapath_detach(const char *pin_dir, struct lb_err *err);
/* The id of the program that a pinned link of ours holds on an interface; 0: none. */
uint32_t datapath_pinned_program(const char *pin_dir, uint32_t ifindex);

/* What is edited while packets flow. Valid until datapath_close. */
struct plane datapath_plane(struct datapath *datapath);

/* The mmapped arrays: edited in place, each field by one atomic store. */
uint32_t *datapath_slots(struct datapath *datapath);
uint64_t *datapath_vip_pools(struct datapath *datapath); /* by VIP number */
struct lb_member *datapath_members(struct datapath *datapath);
struct lb_nexthop *datapath_nexthops(struct datapath *datapath);
struct lb_tuning *datapath_tuning(struct datapath *datapath);

/* The flow table, mmapped too; words change by compare-and-swap (bpf/flow_word.h). */
struct lb_flow_bucket *datapath_flows(struct datapath *datapath, uint32_t *bucket_count);

/* VIP entries. protocol 0 and port 0 is the address-only entry. */
int datapath_vip_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value, struct lb_err *err);
/* 0 where there is none, too. */
int datapath_vip_del(struct datapath *datapath, const struct lb_endpoint *endpoint,
		     struct lb_err *err);
/* Every entry; entries may not be changed meanwhile. */
void datapath_each_vip(struct datapath *datapath,
		       void (*each)(void *user, const struct lb_endpoint *endpoint,
				    const struct lb_vip_value *value),
		       void *user);

/* The device map: interfaces that packets may be redirected to. */
int datapath_egress_set(struct datapath *datapath, uint32_t ifindex, bool in_use);

/* Sums over all CPUs, of members with adjacent numbers; all 0 when it fails. */
int datapath_counters(struct datapath *datapath, uint32_t first, uint32_t count,
		      struct lb_counter *out);
int datapath_counters_reset(struct datapath *datapath, uint32_t member);
/* By VIP number; with options.vip_counters. */
int datapath_vip_counters(struct datapath *datapath, uint32_t number, struct lb_counter *out);
int datapath_vip_counters_reset(struct datapath *datapath, uint32_t number);
int datapath_verdicts(struct datapath *datapath, uint64_t out[LB_VERDICT_COUNT]);
/* quic_program.c: as struct plane says. Takes as long as at lbd's start, beside the loop. */
int datapath_quic_use(struct datapath *datapath, struct lb_err *err);
void datapath_quic_drop(struct datapath *datapath);
int datapath_quic_counter(struct datapath *datapath, uint32_t member, uint64_t *out);
int datapath_quic_counts(struct datapath *datapath, uint64_t out[LB_QUIC_COUNT_COUNT]);
int datapath_syn_use(struct datapath *datapath, struct lb_err *err);
void datapath_syn_drop(struct datapath *datapath);
struct lb_guard_secret *datapath_guard_secret(struct datapath *datapath);
/* By VIP number; sums over all CPUs. 0 or -errno, with all 0. */
int datapath_syn_counts(struct datapath *datapath, uint32_t number, struct lb_guard_syns *out);
int datapath_syn_counts_reset(struct datapath *datapath, uint32_t number);
/* Rates of VIPs; by VIP number. */
int datapath_rates_use(struct datapath *datapath, struct lb_err *err);
void datapath_rates_drop(struct datapath *datapath);
struct lb_rates *datapath_rates(struct datapath *datapath);
int datapath_rates_over(struct datapath *datapath, uint32_t number, struct lb_rates_over *out);
int datapath_rates_over_reset(struct datapath *datapath, uint32_t number);
int datapath_flow_counts(struct datapath *datapath, uint64_t out[LB_FLOW_COUNT_COUNT]);

uint64_t datapath_memory_bytes(const struct datapath *datapath); /* of all maps */
/* What the program of tunnel checks shares (tunnel.h); the descriptors stay the
 * datapath's. */
void datapath_tunnel_maps(const struct datapath *datapath, int *members_fd, int *nexthops_fd);
/* A note beside the pins, for the next lbd: filters of tunnel checks stand at interfaces. */
void datapath_tunnels_note(const struct datapath *datapath, bool stand);
bool datapath_tunnels_noted(const struct datapath *datapath);
/* A note beside the pins: routes that announce VIPs stand in this table of the kernel (0: in none).
 * Those in another one, that the note has named until now, are removed. 0 or -errno. */
int datapath_announce(const struct datapath *datapath, uint32_t table, uint8_t protocol);
/* Without a datapath: removes the routes that the note at pin_dir names, unless an lbd runs. 0 or
 * -errno. (datapath_detach does so, too.) */
int datapath_withdraw(const char *pin_dir);
/* What stands at interfaces now; for BPF_PROG_TEST_RUN. */
int datapath_program_fd(const struct datapath *datapath);

#endif
