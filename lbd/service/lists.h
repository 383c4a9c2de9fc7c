/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of prefixes that block or allow sources of packets to VIPs: what is on them, on disk and in the data plane.
 *
 * A list has a name, and a file of its own in state_dir/lists (list_file.h). A change is on disk before it is in
 * the data plane, where packets meet it before it is acknowledged. Where that fails it is tried again. Many changes
 * may go to disk together. The guard's program stands while there is a list.
 * All functions but lists_open and lists_close are called by the worker for changes. */
#ifndef LB_SERVICE_LISTS_H
#define LB_SERVICE_LISTS_H

#include <jansson.h>
#include "../host/list_file.h"
#include "../plane/datapath.h"
#include "service.h"

struct lists;

struct lists_options {
	const char *state_dir;
	struct datapath *datapath;
	struct timers timers;
	struct events *events; /* may be NULL */
};

/* Reads all lists and has them looked at, before packets find VIPs that want it. */
int lists_open(const struct lists_options *options, struct lists **out, struct lb_err *err);
void lists_close(struct lists *lists); /* NULL: fine */
/* What a VIP has, for service_options.guard; `lists` is a struct lists. */
struct lb_guard_vip lists_guard(const void *lists, const struct lb_endpoint *vip);
/* From now on each change of that is told to it. */
void lists_serve(struct lists *lists, struct service *service);
/* What time brings is done by this worker, from now on. */
void lists_work(struct lists *lists, struct worker *changes);

/* What a request says of a list's head. Of what it does not say a list keeps what it has, and a new one blocks. */
struct list_wish {
	bool kind, monitor, vips; /* whether it says that */
	struct list_head head;
};

struct list_edit {
	const char *name;
	struct list_wish wish;
	struct list_change *changes; /* a load sorts them, and takes out what is there twice */
	size_t count;
	bool if_present; /* prefixes that go need not be there */
	bool dry_run;    /* of a load: nothing is changed */
};

/* What a load makes of what a list has. */
struct list_difference {
	size_t prefixes, added, removed;
};

/* Onto a list, and off it. The list is made where there is none; else the wish must agree with it. *changed: whether
 * something does, when it is settled. */
int lists_change(struct lists *lists, const struct list_edit *edit, bool *changed,
		 struct lb_err *err);
/* All changes since then are on disk, with one fsync for each list, and packets meet them. An error of the disk: none
 * is there any more. Before anything else is done with lists. */
int lists_settle(struct lists *lists, struct lb_err *err);
/* The list has these, and no others. They are sorted, each once. */
int lists_load(struct lists *lists, struct list_edit *edit, struct list_difference *out,
	       struct lb_err *err);
/* The list keeps its prefixes, and becomes what is wished. *changed: whether it is something else. */
int lists_set(struct lists *lists, const struct list_edit *edit, bool *changed, struct lb_err *err);
int lists_remove(struct lists *lists, const char *name, struct lb_err *err);

/* Whether there is such a list: 0, or LB_ERR_NOT_FOUND. */
int lists_check(const struct lists *lists, const char *name, struct lb_err *err);
/* Why packets do not meet what is listed; "": they do. */
const char *lists_fault(const struct lists *lists);
/* What is wrong with files that could not be read, or not whole, until their lists are written or removed. */
void lists_warnings(const struct lists *lists, json_t *warnings);
/* For metrics: of the list of this number, below LB_GUARD_LISTS_MAX. False: there is none. */
struct list_facts {
	const char *name;
	bool allow, monitor;
	uint32_t prefixes, leaving; /* and of these, that do so by time */
	struct lb_guard_hits hits;
};
bool lists_facts(const struct lists *lists, unsigned int number, struct list_facts *out);
/* LIST of docs/protocol.md; new references. `most`: of the prefixes; 0: without them. NULL without memory. */
json_t *lists_show(struct lists *lists);
int lists_show_one(struct lists *lists, const char *name, size_t most, json_t **out,
		   struct lb_err *err);
/* Which lists have the address, and what becomes of its packets to a VIP; NULL: to one that no list names. */
json_t *lists_explain(const struct lists *lists, const struct lb_addr *address,
		      const struct lb_endpoint *vip);
/* Where they block the address: LIST and PREFIX of each list that does, of the prefix that decides. NULL: they do not. */
json_t *lists_blocking(const struct lists *lists, const struct lb_addr *address,
		       const struct lb_endpoint *vip);

#endif
