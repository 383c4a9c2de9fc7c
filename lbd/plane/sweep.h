/* SPDX-License-Identifier: BSD-2-Clause */
/* The sweep: goes over the mmapped flow table a slice at a time, deletes what is dead, and counts
 * what lives.
 *
 * A pass is once over the whole table. What a pass has counted holds when it ends: live flows of
 * each member, and for each table which slots still have flows elsewhere (slots_seen). Pure except for
 * the words it deletes, by compare-and-swap, under the program's feet.
 *
 * A word lives for the VIP's flow idle time, that of a single packet or of SYNs for a transition:
 * the time within which an established flow has sent something.
 */
#ifndef LB_SWEEP_H
#define LB_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "slots.h"

struct sweep;

/* `buckets` stays the caller's. NULL without memory. */
struct sweep *sweep_new(struct lb_flow_bucket *buckets, uint32_t bucket_count, uint32_t members);
void sweep_free(struct sweep *sweep);

/* The tables that VIPs with the same members have. Which of these a word is of it does not say: it
 * is looked at in each. */
struct sweep_tables {
	size_t count;
	struct slots *at[];
};

/* Room for so many, of none; NULL without memory. To be freed. */
struct sweep_tables *sweep_tables_new(size_t room);

/* A member is there: its words count, for the slots of its VIPs. Times in seconds. Also to change
 * them. `tables` stays the caller's, who may edit what it says. */
void sweep_member_set(struct sweep *sweep, uint16_t member, const struct sweep_tables *tables,
		      uint32_t transition_s, uint32_t flow_idle_s);
/* A member is gone: the next whole pass deletes its words. */
void sweep_member_gone(struct sweep *sweep, uint16_t member);
/* A member is gone, and no word can name it. */
void sweep_member_clear(struct sweep *sweep, uint16_t member);

/* Looks at the next `buckets` buckets; `time` as in flow words (bpf/flow.h). True when that ended a
 * pass: then every member that was gone when the pass began is named by no word, and
 * sweep_take_free returns its number, once. */
bool sweep_step(struct sweep *sweep, uint32_t buckets, uint32_t time);
bool sweep_take_free(struct sweep *sweep, uint16_t *member);

/* Of the last whole pass. */
uint32_t sweep_flows(const struct sweep *sweep, uint16_t member);
uint64_t sweep_total(const struct sweep *sweep);

/* How many members are gone and not yet free. */
uint32_t sweep_gone(const struct sweep *sweep);

/* Seconds -> units of a flow word's time, rounded up so that nothing dies early. */
uint32_t sweep_units(uint32_t seconds);

#endif
