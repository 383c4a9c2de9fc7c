/* SPDX-License-Identifier: BSD-2-Clause */
/* What do datapath.c, pin.c, vip.c, vip_wide.c, vip_counts.c, explain.c, trace.c, guard.c, replace.c, quic_program.c
 * and attach.c share? Private to them. */
#ifndef LB_DATAPATH_PRIVATE_H
#define LB_DATAPATH_PRIVATE_H

#include "../api/paths.h"
#include "datapath.h"
#include "vip_index.h"

#include "bpf/lb.skel.h"

struct mapping {
	void *start;
	size_t bytes;
};

/* An interface that the program is attached to. */
struct attachment {
	uint32_t ifindex;
	int link_fd;
	struct attachment *next;
};

#define COUNTERS_AT_ONCE 64 /* members that one system call reads */

struct datapath {
	struct lb_bpf *skeleton;
	struct mapping slots, pasts, vip_pools, members, nexthops, flows, tuning, index4, index6,
		wide, vip_counters, vip_waiting, quic_vips, quic_ids, quic_vip_keys, quic_keys,
		quic_aes;
	struct vip_index *index;
	struct wide_table *wide_table;
	struct attachment *attachments;
	char *pin_dir; /* NULL: nothing is pinned */
	int lock_fd;   /* of pin_dir, locked; -1: none */
	bool adopted;  /* the maps are those of an earlier lbd */
	int cpus;
	void *percpu; /* room for COUNTERS_AT_ONCE values of a per-CPU map, of every CPU */
	struct explain *explain; /* NULL: nothing was explained yet */
	struct trace *trace;     /* NULL: nobody traces; else its program, and what it is told: */
	int trace_fd;
	volatile __u64 *trace_other_vips;
	struct lb_bpf *with_quic; /* the program with QUIC; NULL: no VIP has it */
	struct guard *guard; /* NULL: no rule needs it; else its program, which has QUIC, too: */
	struct lb_bpf *guarded;
	struct guard *guard_next; /* loaded, and not yet in place */
	uint32_t guard_users;     /* bits by enum guard_user */
	uint32_t changes;         /* how often another program came into place */
	int program_fd; /* what stands at interfaces: the balancer, that with the guard, or what traces */
};

/* percpu.c: the sum over all CPUs, of an element of a per-CPU array of __u64. 0 or -errno; *out is 0 then. */
int percpu_sum(const struct datapath *datapath, const struct bpf_map *map, uint32_t key,
	       uint64_t *out);

/* sizes.c: between opening the skeleton and loading it. */
void sizes_set(struct lb_bpf *skeleton, const struct datapath_options *options);

/* --- pin.c --- */

#define PIN_PATH_MAX 512
#define PIN_LINK LB_PIN_LINK

/* Between opening the skeleton and loading it: locks pin_dir, and has the skeleton use the maps
 * pinned there. */
int pin_adopt(struct datapath *datapath, const struct datapath_options *options,
	      struct lb_err *err);
/* After loading: pins what is not pinned yet, the stamp last. */
int pin_make(struct datapath *datapath, const uint64_t seed[2], struct lb_err *err);
/* Path of the pin of an interface's link. */
void pin_link_path(const char *pin_dir, uint32_t ifindex, char out[PIN_PATH_MAX]);

/* --- vip.c --- */

/* Fills the index from the VIP maps, which may hold an earlier lbd's. 0 or -errno. */
int vip_adopt(struct datapath *datapath);

/* --- vip_wide.c: of VIPs that are prefixes, or have a range of ports; 0 or -errno --- */

int vip_wide_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		 const struct lb_vip_value *value);
int vip_wide_del(struct datapath *datapath, const struct lb_endpoint *endpoint);
void vip_wide_each(const struct datapath *datapath,
		   void (*each)(void *, const struct lb_endpoint *, const struct lb_vip_value *),
		   void *user);
int vip_wide_adopt(struct datapath *datapath);

/* --- quic_program.c --- */

void quic_program_close(struct datapath *datapath);

/* --- quic_counts.c --- */

/* Where in "counters" stands what a server id has led to a member. */
uint32_t quic_counter_of(const struct datapath *datapath, uint32_t member);
/* Before another backend gets the number. 0 or -errno. */
int quic_counts_reset(struct datapath *datapath, uint32_t member);

/* --- instance.c --- */

/* What is done in between is done beside the loop, and what libbpf says then is not for the log. */
void instance_load_begin(void);
void instance_load_end(void);
bool instance_is_loading(void); /* in this thread */
/* Maps of `to`, before it is loaded, become those of `from` of the same name: those that are wanted,
 * or with NULL all. */
int instance_share_maps(struct bpf_object *to, const struct bpf_object *from,
			bool (*is_wanted)(const char *name));

/* The guard's maps of `to` become those of `from`, if there is one: all, or those that are wanted; the
 * others are of the same size. */
int instance_share_guard(struct bpf_object *to, const struct lb_bpf *from,
			 bool (*is_wanted)(const char *name));
/* Of a skeleton that is opened, the least program with these stages (LB_HAS_*) will be loaded, and no other. */
void instance_choose(struct bpf_object *to, struct lb_program_config *config, uint32_t has);
/* Of that program, once it is loaded. */
int instance_program_fd(const struct bpf_object *object);
/* What is due at interfaces, but for what traces; and its stages. */
uint32_t instance_has(const struct datapath *datapath);
const struct lb_bpf *instance_due(const struct datapath *datapath);
/* "other_vips" has changed. */
void instance_follow(struct datapath *datapath);
/* The program that is due stands at interfaces that are there, and those that come. 0 or -errno. */
int instance_put_in_place(struct datapath *datapath);

/* --- replace.c --- */

/* Programs that are loaded beside the balancer; NULL: there is none. */
struct instances {
	struct guard *guard;
	struct lb_bpf *guarded; /* its program */
	struct lb_bpf *with_quic;
};

struct instances replace_now(const struct datapath *datapath);
/* These come into place, with what traces; what explains is loaded again when it is asked for. 0 or -errno;
 * replace_now() says whether they are in place all the same. */
int replace_programs(struct datapath *datapath, const struct instances *next);

/* --- mapping.c --- */

int mapping_begin(const struct bpf_map *map, struct mapping *out, struct lb_err *err);
void mapping_end(struct mapping *mapping); /* of nothing: fine */
/* Of a skeleton that is not loaded yet: the guard's maps are not made. */
void mapping_without_guard(struct lb_bpf *skeleton);
bool mapping_is_guards(const struct bpf_map *map); /* made, shared and sized with the guard alone */

/* --- trace.c --- */

/* Loads the program that traces once more, since the guard has come or gone. 0, or -errno: then nobody traces. */
int trace_again(struct datapath *datapath);

/* --- guard.c --- */

uint64_t guard_memory(const struct datapath *datapath, uint64_t (*of)(int fd));
void guard_close(struct datapath *datapath);

/* --- attach.c --- */

/* Every interface gets program_fd, each in one step. 0, or -errno of the first that failed. */
int attach_update(struct datapath *datapath);
/* Pinned links stay attached, others are detached. */
void attach_close(struct datapath *datapath);

/* --- explain.c --- */

void explain_close(struct explain *explain); /* NULL is fine */
/* Whether the second instance has this map in common with the balancer: one that the program reads
 * and does not write to. Every other one is its own. A test asks the verifier. */
bool explain_shares(const char *map);

#endif
