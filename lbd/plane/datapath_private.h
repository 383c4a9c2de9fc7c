/* SPDX-License-Identifier: BSD-2-Clause */
/* What do datapath.c, pin.c, vip.c, vip_wide.c, vip_counts.c, explain.c, trace.c and attach.c share?
 * Private to them. */
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
	struct mapping slots, vip_pools, members, nexthops, flows, tuning, index4, index6, wide,
		vip_counters, vip_waiting, quic_vips, quic_ids;
	struct vip_index *index;
	struct wide_table *wide_table;
	struct attachment *attachments;
	char *pin_dir; /* NULL: nothing is pinned */
	int lock_fd;   /* of pin_dir, locked; -1: none */
	bool adopted;  /* the maps are those of an earlier lbd */
	int cpus;
	void *percpu; /* room for COUNTERS_AT_ONCE values of a per-CPU map, of every CPU */
	struct explain *explain; /* NULL: nothing was explained yet */
	struct trace *trace;     /* NULL: nobody traces */
	int program_fd;          /* what stands at interfaces: the balancer, or what traces */
};

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

/* --- instance.c --- */

/* What is done in between is done beside the loop, and what libbpf says then is not for the log. */
void instance_load_begin(void);
void instance_load_end(void);
bool instance_is_loading(void); /* in this thread */
/* Maps of `to`, before it is loaded, become those of `from` of the same name: those that are wanted,
 * or with NULL all. */
int instance_share_maps(struct bpf_object *to, const struct bpf_object *from,
			bool (*is_wanted)(const char *name));

/* --- trace.c --- */

/* "other_vips" has changed. */
void trace_follow(struct datapath *datapath);

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
