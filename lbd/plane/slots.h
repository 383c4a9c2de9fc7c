/* SPDX-License-Identifier: BSD-2-Clause */
/* The slots of one VIP: which states do they have, and what turns one into another? Pure: words and
 * time go in, words come out.
 *
 *   SETTLED(a)      every flow of the slot is on a, none is recorded
 *   MOVING(b, a)    since the first change of owner: flows born since then are recorded, what is
 *                   not recorded is on a
 *   TRACKED(b)      the transition is over: recorded flows may be elsewhere, what is not recorded
 *                   is on b
 *
 * From each state, when the owner becomes o:
 *
 *   SETTLED(a)      -> MOVING(o, a), with a new deadline
 *   TRACKED(a)      -> MOVING(o, a), with a new deadline
 *   MOVING(b, a)    -> MOVING(o, a), same deadline
 *                   -> TRACKED(a), when o is a again
 *
 * When a backend is removed from the configuration, its flows are lost and there is nothing to
 * record:
 *
 *   SETTLED(gone)   -> SETTLED(o)
 *   TRACKED(gone)   -> TRACKED(o)
 *   MOVING(b, gone) -> TRACKED(o), o may be b
 *
 * A slot without owner is LB_NONE in both halves; the program looks for records there as in a
 * TRACKED one.
 *
 * The owners that a slot had before are its past (abi.h), kept until it is SETTLED: of these, and of
 * the owner, another node may have made a record (second chance). A slot that has one stays TRACKED
 * for `remember_s` after its transition, even where no record of this node's is elsewhere.
 *
 * The words are the ones packets go by; this module is their only writer, so each
 * change is one plain store.
 *
 * In a worker, passes over many slots yield (host/worker.h). Each slot is right by itself, so others may go
 * over the same slots in between, but for slots_change: two of these would mix two tables.
 */
#ifndef LB_SLOTS_H
#define LB_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include "../../bpf/abi.h"

#define SLOTS_NEVER UINT32_MAX

/* This pass of the sweep must leave the slot as it is. */
#define SLOT_BUSY 1
/* A member of another pool, which its VIPs have left, may be in the slot or have flows of it on
 * record. Ends with a whole pass that finds it SETTLED, and nothing on record elsewhere. */
#define SLOT_FOREIGN 2
/* Of a table that is given up for one of another size (slots.resizes): every flow of the slot is on
 * record, as far as it has to keep its backend. */
#define SLOT_RECORDED 4

struct slots {
	uint32_t *words; /* `size` of them, mmapped; not owned */
	uint32_t *pasts; /* the same; NULL: none are kept. Set after slots_init, all LB_PAST_NONE */
	uint32_t size;
	uint32_t remember_s; /* 0: TRACKED slots do not wait */
	uint32_t now_s;      /* as slots_expire was last told */
	uint64_t
		forgotten; /* owners for which a past had no place, and that were to be remembered */
	/* Seconds: of MOVING slots when their transition ends, of TRACKED ones since when they were seen to
	 * be (0: not yet). */
	uint32_t *deadlines;
	uint8_t *marks;           /* by slot: SLOT_BUSY, SLOT_FOREIGN, SLOT_RECORDED */
	uint32_t next_deadline;   /* not later than the earliest; SLOTS_NEVER: no slot is MOVING */
	uint32_t moving, tracked; /* how many are */
	uint32_t foreign;         /* how many are SLOT_FOREIGN */
	bool changed;             /* see slots_take_changed */
	bool resizes;             /* its VIPs go to a table of another size (slots_resize.c) */
	bool due;    /* of these: flows of a slot are all on record since slots_follow */
	bool joined; /* VIPs come from a table of another size just now: no slot settles */
	/* Passes of the sweep to wait for until every flow recorded in a transition that has ended
	 * is counted. */
	uint8_t unswept;
};

/* 0 or -ENOMEM. The words must say "no owner" (all bits set), or be adopted next. */
int slots_init(struct slots *slots, uint32_t *words, uint32_t size);
void slots_clear(struct slots *slots); /* frees; leaves the words alone */

/* For words that an earlier lbd has left: as they are. Transitions that were under way get a whole
 * new one, nothing is known of when they began. */
void slots_adopt(struct slots *slots, uint32_t now, uint32_t transition);

/* For a VIP that no packet has found yet: every slot SETTLED. */
void slots_settle(struct slots *slots, const uint16_t *owners);

/* The same where flows may be on record that are elsewhere: every slot TRACKED. */
void slots_track(struct slots *slots, const uint16_t *owners);

/* Brings every slot to its owner (LB_NONE: none). `gone` tells the members that are no longer
 * configured: bit n of word n / 64. Deadlines are `now + transition`, in whole seconds, and one
 * second more for the part of one that `now` leaves out. */
void slots_change(struct slots *slots, const uint16_t *owners, const uint64_t *gone, uint32_t now,
		  uint32_t transition);

/* Who has which slot, by a table that may have another size: then a slot has the owner that flows in
 * the middle of it have there. */
struct slots_owners {
	const uint16_t *at;
	uint32_t size;
};
void slots_follow(struct slots *slots, struct slots_owners owners, const uint64_t *gone,
		  uint32_t now, uint32_t transition);
/* Those of a slot. */
uint16_t slots_owner(uint32_t slot, uint32_t size, struct slots_owners owners);

/* `to` becomes what `from` is, which may be itself: for VIPs that go to another pool. Members are
 * those of same[], by number; LB_NONE: the pool has none at this address, so it stays. `recorded`:
 * flows may be on record. The slots have the owners that they had; slots_change has to follow. */
void slots_take_over(struct slots *to, const struct slots *from, const uint16_t *same,
		     bool recorded);
/* Every slot of slots_take_over, as an earlier lbd has left it. */
void slots_all_foreign(struct slots *slots);
/* Whether packets may go by `to` from now on, which has the same owners: each slot leads what is on
 * no record to the same member, and follows the records that `from` does. Where `to` has another size
 * slots_join has to come first. */
bool slots_may_join(const struct slots *from, const struct slots *to);
/* The owners that slots of `from` had become past ones of those of `to`, which has the same size. */
void slots_join_pasts(struct slots *to, const struct slots *from);
/* `to` follows what is on record in slots of `from`, and none of its slots settles before slots_joined. */
void slots_join(struct slots *to, const struct slots *from);
void slots_joined(struct slots *to);

/* Has an owner changed since the last call? */
bool slots_take_changed(struct slots *slots);
/* Of these members (as `gone`), no unrecorded flow has to be kept: the MOVING slots that they had
 * before are TRACKED at once, or when `until` has come, if not before. */
void slots_release(struct slots *slots, const uint64_t *members);
void slots_hasten(struct slots *slots, const uint64_t *members, uint32_t until);

/* When the last of the transitions under way ends; 0: none is. */
uint32_t slots_last_deadline(const struct slots *slots);

/* Ends the transitions whose deadline has come: MOVING -> TRACKED. To be called before slots_sweep_end, whose
 * time it is. */
void slots_expire(struct slots *slots, uint32_t now);

/* No flow is on record: TRACKED slots are SETTLED at once, but those that wait. */
void slots_settle_tracked(struct slots *slots);

/* Of slots that were adopted: those that `known` has no bit for are in no past. */
void slots_keep_known(struct slots *slots, const uint64_t *known);

/* Takes every owner away and forgets the past (the VIP is removed). */
void slots_reset(struct slots *slots);

/* The sweep: slots_seen for each live flow word, slots_sweep_end when the whole flow table was
 * seen: TRACKED slots without a live flow that disagrees with their owner become SETTLED, if they
 * were TRACKED all the while, and have waited long enough. */
void slots_seen(struct slots *slots, uint32_t tag, uint16_t member);
void slots_sweep_end(struct slots *slots);

/* Slots by member number: how many it owns, and how many MOVING ones have it as their previous
 * owner, so that a miss leads to it. One pass over the words counts for all members. */
struct slots_census {
	uint32_t owned[LB_NONE + 1], leaving[LB_NONE + 1];
};

/* Adds the words of `slots`; slots_uncount sets what they have touched back to 0, so that one
 * census serves one VIP after the other. */
void slots_count(const struct slots *slots, struct slots_census *census);
void slots_uncount(const struct slots *slots, struct slots_census *census);

/* What one word becomes; slots_change does this for each. Exposed for the tests and for plans. */
uint32_t slot_next_word(uint32_t word, uint16_t owner, bool current_gone, bool previous_gone);

/* What becomes of a past when the word becomes `next`. Members of `gone` (as in slots_change; NULL: nobody)
 * are taken out. *forgotten grows by the owners for which there is no place. */
uint32_t slot_next_past(uint32_t past, uint32_t word, uint32_t next, const uint64_t *gone,
			uint64_t *forgotten);

#endif
