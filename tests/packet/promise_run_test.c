// SPDX-License-Identifier: BSD-2-Clause
/* Does the loaded program, with its tables driven as lbd drives them, keep every flow with its
 * backend through hundreds of changes?
 *
 * A plain model remembers the backend of each flow. Time is the test's own: it goes to slots_expire
 * as seconds, and ages the flow table's words by rewriting them. Each packet is also followed
 * through the flow table: what its bucket was and became says what the program must have counted.
 * The last VIPs go to and fro between pools, which they share at times.
 *
 * Excused from the promise are flows whose backend is removed, and those for which the flow table
 * had no room: their record was refused or evicted, and no later packet has been recorded. Seeded
 * by the argument, or by the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "../../bpf/flow_word.h"
#include "../../lbd/plane/slots.h"
#include "../../lbd/plane/sweep.h"
#include "../../lbd/table/table.h"
#include "flow_rig.h"
#include "frame.h"

#define VIPS 8
#define ROVERS 3               /* VIPs that go to other pools: the last ones */
#define FIRST (VIPS - ROVERS)  /* of these, and of the pools that they go to */
#define PLACES (VIPS + ROVERS) /* of slots: of each pool, then one for each VIP on its way */
#define POOLED 1021            /* slots of such a pool */
#define BACKENDS 12            /* of one pool, at most */
#define MEMBERS 192            /* numbers; few, so that they are soon used again */
#define CHANGES 300            /* at least 200 */
#define PACKETS_MIN 100000
#define STEP_S 10 /* time goes on by so much at a time, at most */
#define SLICES 4  /* steps that a pass of the sweep takes */
#define EVENTS 10 /* of a flow, remembered for who reads of a failure */

/* Of a VIP, and of the pool that it begins in. */
static const struct plan {
	struct rig_vip vip;
	enum lb_table_kind kind;
	uint32_t transition_s, idle_s;
	uint32_t flows; /* at a time */
} plans[VIPS] = {
	{{"192.0.2.10:443/tcp", "192.0.2.10", 1021, .tcp = true},
	 LB_TABLE_RENDEZVOUS,
	 900,
	 900,
	 1500},
	{{"192.0.2.10:53/udp", "192.0.2.10", 509, .tcp = false}, LB_TABLE_RENDEZVOUS, 60, 90, 150},
	{{"[2001:db8::10]:443/tcp", "2001:db8::10", 2039, .tcp = true},
	 LB_TABLE_MAGLEV,
	 300,
	 600,
	 900},
	{{"[2001:db8::10]:53/udp", "2001:db8::10", 251, .tcp = false},
	 LB_TABLE_MAGLEV,
	 120,
	 120,
	 150},
	{{"192.0.2.11:0/tcp", "192.0.2.11", 251, .tcp = true, .flags = LB_VIP_HASH_SOURCE},
	 LB_TABLE_RENDEZVOUS,
	 120,
	 300,
	 300},
	{{"192.0.2.20:443/tcp", "192.0.2.20", POOLED, .tcp = true},
	 LB_TABLE_RENDEZVOUS,
	 60,
	 90,
	 200},
	{{"192.0.2.20:8443/tcp", "192.0.2.20", POOLED, .tcp = true},
	 LB_TABLE_RENDEZVOUS,
	 60,
	 90,
	 200},
	{{"[2001:db8::20]:443/tcp", "2001:db8::20", POOLED, .tcp = true},
	 LB_TABLE_MAGLEV,
	 60,
	 90,
	 200},
};
#define SESSIONS 3600 /* all of them */
#define SOURCES 8     /* clients of a VIP by source */
#define IDLE_LONGEST_S 900

struct backend {
	uint32_t id; /* what packets show; its address in tables */
	uint16_t number;
	uint32_t weight;
	bool drain;
};

struct pool {
	struct slots slots;
	struct sweep_tables *swept;
	struct table *table;
	struct backend backends[BACKENDS];
	size_t count;
};

struct vip {
	uint32_t pool, left[2]; /* the same where it has left none */
	struct slots slots;     /* of its own, until it has those of its pool */
	bool moving;            /* it has */
};

struct event {
	uint32_t at_s, slot, backend;
	uint8_t flags;
};

/* One flow, from its first packet to its last. */
struct session {
	struct client client;
	uint64_t hash, own; /* of the slot, of the 5-tuple */
	uint32_t backend;   /* that must get its packets; RIG_DROPPED before the first */
	uint32_t due_s;     /* when it sends again: within a transition */
	uint32_t left;      /* packets until it ends */
	bool established;   /* its backend has got a packet other than a SYN */
	bool unrecorded;    /* the flow table had no room */
	struct event events[EVENTS];
	uint32_t event_count;
};

static struct {
	struct pool pools[VIPS];
	struct vip vips[VIPS];
	struct session sessions[SESSIONS];
	struct sweep *sweep;
	struct lb_flow_bucket *buckets;
	uint32_t bucket_count;
	bool taken[MEMBERS];
	uint32_t next_id, next_source;
	bool hit;  /* the last packet's tuple was on record */
	bool held; /* the last packet's tuple, by the record of an earlier flow */
	uint32_t now_s;
	uint32_t time; /* the program's, at the last step */
	/* What came of it. */
	uint64_t expected[LB_FLOW_COUNT_COUNT]; /* what the program must have counted */
	uint64_t packets, established, unmade, no_room, removed;
	uint32_t changes[10], moves, joins;
} run;

static uint64_t first_seed, random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 32) * limit >> 32;
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

/* --- backends, as service.c has them --- */

static uint32_t share(const struct backend *backend)
{
	return backend->drain ? 0 : backend->weight;
}

static struct backend *find_backend(uint32_t pool, uint32_t id)
{
	struct pool *live = &run.pools[pool];
	size_t i;

	for (i = 0; i < live->count; i++)
		if (live->backends[i].id == id)
			return &live->backends[i];
	return NULL;
}

static bool may_have(const struct vip *vip, uint32_t pool)
{
	return vip->pool == pool || vip->left[0] == pool || vip->left[1] == pool;
}

/* Of a pool that the VIP has, or has left. */
static struct backend *find_backend_of(const struct vip *vip, uint32_t id)
{
	struct backend *found = find_backend(vip->pool, id);

	if (!found)
		found = find_backend(vip->left[0], id);
	return found ? found : find_backend(vip->left[1], id);
}

static bool any_takes_new(uint32_t pool)
{
	size_t i;

	for (i = 0; i < run.pools[pool].count; i++)
		if (share(&run.pools[pool].backends[i]))
			return true;
	return false;
}

static struct lb_addr address_of(uint32_t id)
{
	return (struct lb_addr){.family = 4, .bytes = {11, id >> 16, id >> 8, id}};
}

static void set_members(uint32_t pool, struct table_member *members)
{
	const struct pool *live = &run.pools[pool];
	size_t i;

	for (i = 0; i < live->count; i++) {
		const struct backend *backend = &live->backends[i];

		members[i] = (struct table_member){address_of(backend->id), share(backend),
						   backend->number};
		rig_member_flags(backend->number,
				 LB_MEMBER_OLD | (share(backend) ? LB_MEMBER_NEW : 0));
		sweep_member_set(run.sweep, backend->number, live->swept, plans[pool].transition_s,
				 plans[pool].idle_s);
	}
}

static void lead_slots(struct slots *slots, uint32_t pool, const uint64_t *gone)
{
	slots_change(slots, table_owners(run.pools[pool].table), gone, run.now_s,
		     plans[pool].transition_s);
}

/* Those of the pool, and of VIPs on their way to it or from it. */
static void lead_all_slots(uint32_t pool, const uint64_t *gone)
{
	int i;

	lead_slots(&run.pools[pool].slots, pool, gone);
	for (i = FIRST; i < VIPS; i++)
		if (run.vips[i].moving && may_have(&run.vips[i], pool))
			lead_slots(&run.vips[i].slots, run.vips[i].pool, gone);
}

/* Puts a pool's backends in force; `gone` has just been taken from them, or is NULL. */
static void apply(uint32_t pool, const struct backend *gone)
{
	struct pool *live = &run.pools[pool];
	struct table_member members[BACKENDS];
	uint64_t gone_bits[MEMBERS / 64] = {0};

	set_members(pool, members);
	assert_int_equal(table_update(live->table, members, live->count), 0);
	if (gone)
		gone_bits[gone->number / 64] |= 1ull << gone->number % 64;
	lead_all_slots(pool, gone_bits);
	if (!gone)
		return;
	rig_member_set(gone->number, pool, gone->id, 0);
	sweep_member_gone(run.sweep, gone->number);
}

static void insert_backend(uint32_t pool, uint32_t id, uint32_t weight)
{
	struct pool *live = &run.pools[pool];
	uint16_t number = 0;

	while (number < MEMBERS && run.taken[number])
		number++;
	assert_true(number < MEMBERS);
	run.taken[number] = true;
	live->backends[live->count++] = (struct backend){id, number, weight, false};
	rig_member_set(number, pool, id, LB_MEMBER_OLD);
}

/* --- VIPs that go to another pool, as move.c has them --- */

/* Who has records that count for the slots of a VIP on its way. */
static void list_swept(void)
{
	int pool, vip;

	for (pool = FIRST; pool < VIPS; pool++) {
		struct sweep_tables *swept = run.pools[pool].swept;

		swept->count = 1;
		for (vip = FIRST; vip < VIPS; vip++)
			if (run.vips[vip].moving && may_have(&run.vips[vip], pool))
				swept->at[swept->count++] = &run.vips[vip].slots;
	}
}

static void leave(struct vip *vip, uint32_t to)
{
	const uint32_t from = vip->pool;

	vip->left[1] = vip->left[0] == from || vip->left[0] == to ? vip->left[1] : vip->left[0];
	if (vip->left[1] == to)
		vip->left[1] = from;
	vip->left[0] = from;
	vip->pool = to;
}

static void move_vip(uint32_t number, uint32_t to)
{
	static const uint64_t nobody[MEMBERS / 64];
	struct vip *vip = &run.vips[number];
	uint16_t same[MEMBERS];

	memset(same, 0xff, sizeof(same)); /* no backend is in two pools */
	slots_take_over(&vip->slots, vip->moving ? &vip->slots : &run.pools[vip->pool].slots, same,
			true);
	vip->moving = true;
	leave(vip, to);
	run.moves++;
	rig_pools_set(number, vip->pool, vip->left[0], vip->left[1]);
	rig_lead(number, VIPS + number - FIRST);
	lead_slots(&vip->slots, to, nobody);
	list_swept();
}

/* Has nothing of the pools that it left, and its slots are what those of its pool are? */
static void join(uint32_t number)
{
	struct vip *vip = &run.vips[number];
	struct slots *shared = &run.pools[vip->pool].slots;

	if (!vip->moving || vip->slots.foreign)
		return;
	vip->left[0] = vip->left[1] = vip->pool;
	rig_pools_set(number, vip->pool, vip->pool, vip->pool);
	if (slots_may_join(&vip->slots, shared)) {
		rig_lead(number, vip->pool);
		slots_reset(&vip->slots);
		vip->moving = false;
		run.joins++;
	}
	list_swept();
}

/* --- flows --- */

/* The clients of a VIP by source are few, and have many ports each. */
static struct client next_client(uint32_t vip)
{
	const uint32_t next = run.next_source++;

	if (plans[vip].vip.flags & LB_VIP_HASH_SOURCE)
		return (struct client){vip, random_below(SOURCES), 1024 + next % 60000};
	return (struct client){vip, SOURCES + next, 1024 + random_below(60000)};
}

static void begin(struct session *session, bool same_client)
{
	const uint32_t vip = session->client.vip;
	const uint32_t longest = vip < FIRST ? 300 : 20; /* or a move would never be over */

	if (!same_client)
		session->client = next_client(vip);
	*session = (struct session){
		.client = session->client,
		.hash = rig_hash(&session->client),
		.own = rig_flow_hash(&session->client),
		.backend = RIG_DROPPED,
		.due_s = run.now_s + random_below(plans[vip].transition_s),
		.left = 2 + random_below(one_in(2) ? 10 : longest),
	};
}

static void print_history(const struct session *session)
{
	const uint32_t count = session->event_count;
	uint32_t i;

	print_error("now %u s; flow of VIP %u, source %u port %u, slot %u\n", run.now_s,
		    session->client.vip, session->client.source, session->client.port,
		    flow_slot(session->hash, plans[session->client.vip].vip.size));
	for (i = count > EVENTS ? count - EVENTS : 0; i < count; i++) {
		const struct event *event = &session->events[i % EVENTS];

		print_error("%6u s: flags %02x, slot %04x|%04x -> backend %u\n", event->at_s,
			    event->flags, lb_slot_current(event->slot),
			    lb_slot_previous(event->slot), event->backend);
	}
}

static void remember(struct session *session, uint8_t flags, uint32_t slot, uint32_t backend)
{
	session->events[session->event_count++ % EVENTS] =
		(struct event){run.now_s, slot, backend, flags};
}

/* --- what a packet did to the flow table --- */

static uint32_t idle_units(void)
{
	return sweep_units(IDLE_LONGEST_S);
}

static bool is_protected(uint64_t word, uint32_t slack)
{
	return flow_word_grade(word) == LB_FLOW_PROVEN &&
	       flow_word_age(word, rig_time()) + slack <= idle_units();
}

/* Whose record was it? A flood's, most of the time. */
static void excuse_evicted(uint64_t word, const struct lb_flow_bucket *bucket)
{
	int i;

	assert_false(is_protected(word, 1));
	for (i = 0; i < SESSIONS; i++) {
		struct session *session = &run.sessions[i];

		if (rig_bucket(session->own) == bucket &&
		    rig_tag(&session->client) == flow_word_tag(word))
			session->unrecorded = true;
	}
}

/* Why was a packet that must be recorded not? */
static enum lb_flow_count refusal(const struct lb_flow_bucket *bucket)
{
	int way;

	for (way = 0; way < LB_FLOW_WAYS; way++)
		if (!is_protected(bucket->word[way], 0))
			return LB_FLOW_OVER_BUDGET;
	return LB_FLOW_REFUSED;
}

struct look {
	struct lb_flow_bucket *bucket, before;
	uint32_t slot;
	int way, changed; /* or -1 */
};

static void look_after(struct look *look)
{
	int way;

	look->changed = -1;
	for (way = 0; way < LB_FLOW_WAYS; way++) {
		if (look->bucket->word[way] == look->before.word[way])
			continue;
		assert_int_equal(look->changed, -1);
		look->changed = way;
	}
}

static void count_hit(const struct look *look)
{
	const uint64_t word = look->bucket->word[look->way], before = look->before.word[look->way];

	if (look->changed >= 0)
		assert_int_equal(look->changed, look->way);
	if (!word || flow_word_member(word) != flow_word_member(before)) {
		assert_true(flow_word_grade(word) < LB_FLOW_SEEN);
		run.expected[LB_FLOW_REPLACED]++;
		return;
	}
	run.expected[LB_FLOW_HIT]++;
	run.expected[LB_FLOW_CONFIRMED] += look->changed >= 0;
}

/* True when the packet is not on record for want of room. */
static bool count_miss(const struct look *look, bool syn)
{
	run.expected[LB_FLOW_MISSED]++;
	if (look->changed >= 0 && !look->before.word[look->changed]) {
		run.expected[LB_FLOW_INSERTED]++;
	} else if (look->changed >= 0) {
		run.expected[LB_FLOW_EVICTED]++;
		excuse_evicted(look->before.word[look->changed], look->bucket);
	} else if (lb_slot_previous(look->slot) != LB_NONE &&
		   !(syn && lb_slot_current(look->slot) == LB_NONE)) {
		run.expected[refusal(&look->before)]++;
		return true;
	}
	return false;
}

static bool is_settled(uint32_t slot)
{
	return lb_slot_is_settled(slot) && lb_slot_current(slot) != LB_NONE;
}

/* Whether an earlier flow of the tuple may live still, for all that is known. */
static bool is_held(const struct look *look)
{
	const uint64_t word = look->way < 0 ? 0 : look->before.word[look->way];
	const uint32_t age = flow_word_age(word, rig_time()), grade = flow_word_grade(word);

	return word && age <= idle_units() && grade != LB_FLOW_NEW &&
	       (grade != LB_FLOW_CLOSED || age <= 1);
}

/* Sends, and follows the packet through the flow table. *unrecorded changes when the packet says
 * something about it. */
static uint32_t send_and_look(const struct client *client, uint64_t hash, uint8_t flags,
			      bool *unrecorded, uint32_t *slot)
{
	struct look look = {.bucket = rig_bucket(rig_flow_hash(client)),
			    .slot = *rig_slot(hash, client->vip)};
	uint32_t backend;

	*slot = look.slot;
	look.before = *look.bucket;
	look.way = rig_way(&look.before, rig_tag(client));
	backend = rig_send(client, flags);
	run.packets++;
	run.hit = look.way >= 0;
	run.held = is_held(&look);
	look_after(&look);
	if (is_settled(look.slot)) {
		assert_int_equal(look.changed, -1);
		*unrecorded = false;
	} else if (look.way >= 0) {
		count_hit(&look);
		*unrecorded = false;
	} else if (count_miss(&look, plans[client->vip].vip.tcp && flags == RIG_SYN)) {
		*unrecorded = true;
	} else if (look.changed >= 0) {
		*unrecorded = false;
	}
	return backend;
}

/* --- what the model expects of a flow's packet --- */

static void establish(struct session *session)
{
	run.established += !session->established;
	session->established = true;
}

static void check_first(struct session *session, uint8_t flags, uint32_t backend)
{
	const struct vip *vip = &run.vips[session->client.vip];
	const struct backend *taker = find_backend_of(vip, backend);

	if (backend == RIG_DROPPED) {
		assert_false(any_takes_new(vip->pool));
		begin(session, false);
		return;
	}
	assert_non_null(taker);
	if (flags == RIG_SYN && !share(taker) && !run.held) {
		print_history(session);
		fail_msg("seed %llu: a SYN went to backend %u, which takes no new flows",
			 (unsigned long long)first_seed, backend);
	}
	if (flags == RIG_SYN && !find_backend(vip->pool, backend) && !run.hit &&
	    !session->unrecorded) {
		print_history(session);
		fail_msg("seed %llu: a new connection went to a pool that its VIP has left",
			 (unsigned long long)first_seed);
	}
	session->backend = backend;
	if (flags != RIG_SYN)
		establish(session);
}

/* A connection that is not made yet is promised nothing, but run_with() wants few of them to fail. */
static void check_later(struct session *session, uint32_t backend, bool had_room)
{
	if (backend == session->backend) {
		establish(session);
		return;
	}
	if (!had_room || !session->established) {
		run.no_room += !had_room;
		run.unmade += had_room;
		begin(session, false);
		return;
	}
	print_history(session);
	fail_msg("seed %llu: a flow moved from backend %u to %u", (unsigned long long)first_seed,
		 session->backend, backend);
}

/* Established flows are silent for up to a transition, but the ACK follows soon on the SYN. */
static void set_due(struct session *session, uint8_t flags)
{
	const uint32_t longest =
		flags == RIG_SYN ? 15 : plans[session->client.vip].transition_s - 1;

	session->due_s = run.now_s + (one_in(2) ? longest : 1 + random_below(longest));
}

static uint8_t next_flags(const struct session *session)
{
	if (session->backend == RIG_DROPPED || (!session->established && one_in(8)))
		return RIG_SYN;
	return session->left == 1 ? RIG_FIN_ACK : RIG_ACK;
}

/* The next packet of a flow. A SYN, first or sent again, begins it anew. */
static void session_send(struct session *session)
{
	const bool tcp = plans[session->client.vip].vip.tcp;
	const uint8_t flags = tcp ? next_flags(session) : 0;
	const bool had_room = !session->unrecorded;
	uint32_t slot, backend;

	set_due(session, flags);
	session->left--;
	backend =
		send_and_look(&session->client, session->hash, flags, &session->unrecorded, &slot);
	remember(session, flags, slot, backend);
	if (session->backend == RIG_DROPPED || flags == RIG_SYN)
		check_first(session, flags, backend);
	else
		check_later(session, backend, had_room);
	if (session->left == 0)
		begin(session, one_in(5));
}

static void flood(uint32_t count)
{
	const uint8_t flags = one_in(2) ? RIG_SYN : RIG_ACK;
	const uint32_t vip = random_below(VIPS);
	bool unrecorded;
	uint32_t slot;

	while (count--) {
		struct client client = {vip, SOURCES + run.next_source++, random_below(65536)};

		send_and_look(&client, rig_hash(&client), flags, &unrecorded, &slot);
	}
}

/* --- draining --- */

/* As lbctl shows it. */
static bool is_drained(uint32_t pool, const struct backend *backend)
{
	static struct slots_census census;
	const struct sweep_tables *swept = run.pools[pool].swept;
	uint32_t leaving = 0;
	size_t i;

	for (i = 0; i < swept->count; i++) {
		slots_count(swept->at[i], &census);
		leaving += census.leaving[backend->number] + swept->at[i]->unswept;
		slots_uncount(swept->at[i], &census);
	}
	return backend->drain && !leaving && !sweep_flows(run.sweep, backend->number);
}

static void fail_not_drained(const struct session *session)
{
	print_history(session);
	fail_msg("seed %llu: lbd said that no flow was left on backend %u",
		 (unsigned long long)first_seed, session->backend);
}

/* Where lbd says that no flow is left, there is none but those that were not recorded. */
static void check_drained(void)
{
	int i, pool;

	for (i = 0; i < SESSIONS; i++) {
		const struct session *session = &run.sessions[i];

		for (pool = 0; session->backend != RIG_DROPPED && pool < VIPS; pool++) {
			const struct backend *backend = find_backend(pool, session->backend);

			if (backend && backend->drain && !session->unrecorded &&
			    is_drained(pool, backend))
				fail_not_drained(session);
		}
	}
}

/* --- time --- */

static uint32_t units(uint32_t seconds)
{
	return ((uint64_t)seconds * 1000000000) >> LB_FLOW_TIME_SHIFT;
}

/* Makes every word as old as the test's time has it, whatever time the program's clock tells: older
 * by so much, or younger. Where the test had to wait for a processor for longer than the step is, no
 * word may come to be of the future. */
static void age_words(int32_t by)
{
	uint32_t i, way;

	for (i = 0; i < run.bucket_count; i++) {
		for (way = 0; way < LB_FLOW_WAYS; way++) {
			uint64_t word = run.buckets[i].word[way];
			const int32_t age = (int32_t)flow_word_age(word, run.time) + by;

			if (word)
				run.buckets[i].word[way] = flow_word(
					flow_word_tag(word), flow_word_member(word),
					flow_word_grade(word), run.time - (age < 0 ? 0 : age));
		}
	}
}

static uint32_t place_size(uint32_t place)
{
	return place < VIPS ? plans[place].vip.size : POOLED;
}

static void assert_unnamed(uint16_t number)
{
	uint32_t place, i;
	int way;

	for (i = 0; i < run.bucket_count; i++)
		for (way = 0; way < LB_FLOW_WAYS; way++)
			assert_false(run.buckets[i].word[way] &&
				     flow_word_member(run.buckets[i].word[way]) == number);
	for (place = 0; place < PLACES; place++) {
		for (i = 0; i < place_size(place); i++) {
			assert_int_not_equal(lb_slot_current(rig_slots(place)[i]), number);
			assert_int_not_equal(lb_slot_previous(rig_slots(place)[i]), number);
		}
	}
}

/* Numbers of removed backends are used again only when nothing names them. */
static void end_pass(void)
{
	uint16_t number;
	int i;

	for (i = 0; i < VIPS; i++)
		slots_sweep_end(&run.pools[i].slots);
	for (i = FIRST; i < VIPS; i++)
		slots_sweep_end(&run.vips[i].slots);
	for (i = FIRST; i < VIPS; i++)
		join(i);
	while (sweep_take_free(run.sweep, &number)) {
		assert_true(run.taken[number]);
		assert_unnamed(number);
		run.taken[number] = false;
	}
}

static void step(uint32_t seconds)
{
	const uint32_t before = units(run.now_s), time = rig_time(), passed = time - run.time;
	int i;

	run.now_s += seconds;
	run.time = time;
	age_words(units(run.now_s) - before - (passed & LB_FLOW_TIME_MASK));
	for (i = 0; i < VIPS; i++)
		slots_expire(&run.pools[i].slots, run.now_s);
	for (i = FIRST; i < VIPS; i++)
		slots_expire(&run.vips[i].slots, run.now_s);
	if (sweep_step(run.sweep, run.bucket_count / SLICES, time))
		end_pass();
}

/* Flows whose packet is due by the end of a step send it at its beginning: none is silent for a
 * whole transition. */
static void pass_time(uint32_t seconds)
{
	while (seconds) {
		uint32_t now = seconds < STEP_S ? seconds : STEP_S;
		int i;

		for (i = 0; i < SESSIONS; i++)
			while (run.sessions[i].due_s <= run.now_s + now)
				session_send(&run.sessions[i]);
		step(now);
		check_drained();
		seconds -= now;
	}
}

/* --- changes --- */

enum change {
	ADD,
	DRAIN,
	UNDRAIN,
	DELETE_DRAINED,
	DELETE_FORCED,
	REWEIGHT,
	FLAP_HEALTH,
	FLAP,
	OUTAGE,
	MOVE
};
static const char *const change_names[] = {"added",
					   "drained",
					   "undrained",
					   "deleted after drain",
					   "deleted by force",
					   "reweighted",
					   "flapped (health)",
					   "flapped (removed, added back)",
					   "all flapped together"};

/* Its flows are excused; but where lbd says that there is none left, there must be none. */
static void remove_backend(uint32_t pool, struct backend *backend, bool by_force)
{
	struct pool *live = &run.pools[pool];
	const struct backend gone = *backend;
	int i;

	*backend = live->backends[--live->count];
	apply(pool, &gone);
	for (i = 0; i < SESSIONS; i++) {
		struct session *session = &run.sessions[i];

		if (session->backend != gone.id)
			continue;
		if (!by_force && !session->unrecorded)
			fail_not_drained(session);
		run.removed++;
		begin(session, one_in(2));
	}
}

/* Most connections of a backend that drains come to their end. */
static void drain_backend(uint32_t pool, struct backend *backend)
{
	int i;

	backend->drain = true;
	apply(pool, NULL);
	for (i = 0; i < SESSIONS; i++)
		if (run.sessions[i].backend == backend->id && run.sessions[i].left > 2)
			run.sessions[i].left = 1 + random_below(2);
}

static void flap(uint32_t pool, struct backend *backend, bool by_removal)
{
	const struct backend was = *backend;

	if (by_removal) {
		remove_backend(pool, backend, true);
		pass_time(random_below(2 * plans[pool].transition_s));
		insert_backend(pool, was.id, was.weight);
	} else {
		backend->drain = true;
		apply(pool, NULL);
		pass_time(random_below(2 * plans[pool].transition_s));
		backend->drain = false;
	}
	apply(pool, NULL);
}

/* All backends of a pool take no new flows for a while, then come back one after the other. */
static void suffer_outage(uint32_t pool)
{
	struct pool *live = &run.pools[pool];
	size_t i;

	for (i = 0; i < live->count; i++)
		live->backends[i].drain = true;
	apply(pool, NULL);
	pass_time(random_below(2 * plans[pool].transition_s));
	for (i = 0; i < live->count; i++) {
		live->backends[i].drain = false;
		apply(pool, NULL);
		pass_time(random_below(20));
	}
}

/* VIPs come to the pool. Most of the times all of their connections are about to end, so that they
 * may have the pool's slots. */
static void move_to(uint32_t pool)
{
	const bool soon = !one_in(3);
	int vip, i;

	for (vip = FIRST; vip < VIPS; vip++) {
		if (run.vips[vip].pool == pool || one_in(3))
			continue;
		move_vip(vip, pool);
		for (i = 0; soon && i < SESSIONS; i++)
			if (run.sessions[i].client.vip == (uint32_t)vip && run.sessions[i].left > 2)
				run.sessions[i].left = 1 + random_below(2);
	}
}

static bool can(enum change change, uint32_t pool, const struct backend *backend)
{
	switch (change) {
	case ADD:
		return run.pools[pool].count < BACKENDS;
	case DRAIN:
	case FLAP_HEALTH:
		return backend && !backend->drain;
	case UNDRAIN:
		return backend && backend->drain;
	case DELETE_DRAINED:
		return backend && is_drained(pool, backend);
	case DELETE_FORCED:
	case FLAP:
		return backend && run.pools[pool].count > 3;
	case REWEIGHT:
	case OUTAGE:
		return backend;
	case MOVE:
		return pool >= FIRST;
	}
	return false;
}

static void carry_out(enum change change, uint32_t pool, struct backend *backend)
{
	switch (change) {
	case ADD:
		insert_backend(pool, run.next_id++, 1 + random_below(20));
		break;
	case DRAIN:
		drain_backend(pool, backend);
		return;
	case UNDRAIN:
		backend->drain = false;
		break;
	case DELETE_DRAINED:
	case DELETE_FORCED:
		remove_backend(pool, backend, change == DELETE_FORCED);
		return;
	case REWEIGHT:
		backend->weight = random_below(20);
		break;
	case FLAP_HEALTH:
	case FLAP:
		flap(pool, backend, change == FLAP);
		return;
	case OUTAGE:
		suffer_outage(pool);
		return;
	case MOVE:
		move_to(pool);
		return;
	}
	apply(pool, NULL);
}

/* A change of a random pool, of those that can be made there. */
static void change_something(void)
{
	static const enum change often[] = {ADD,
					    ADD,
					    ADD,
					    ADD,
					    DRAIN,
					    DRAIN,
					    DRAIN,
					    DRAIN,
					    UNDRAIN,
					    UNDRAIN,
					    DELETE_DRAINED,
					    DELETE_DRAINED,
					    DELETE_DRAINED,
					    DELETE_DRAINED,
					    DELETE_DRAINED,
					    DELETE_FORCED,
					    REWEIGHT,
					    REWEIGHT,
					    FLAP,
					    FLAP_HEALTH,
					    OUTAGE,
					    MOVE,
					    MOVE,
					    MOVE};

	for (;;) {
		const uint32_t pool = random_below(VIPS);
		struct pool *live = &run.pools[pool];
		struct backend *backend =
			live->count ? &live->backends[random_below(live->count)] : NULL;
		enum change change = often[random_below(sizeof(often) / sizeof(often[0]))];

		if (!can(change, pool, backend))
			continue;
		carry_out(change, pool, backend);
		run.changes[change]++;
		return;
	}
}

/* --- a run --- */

static void open_pool(uint32_t pool)
{
	struct pool *live = &run.pools[pool];
	uint64_t table_seed[2] = {first_seed, 1};
	struct table_member members[BACKENDS];
	int i;

	assert_int_equal(slots_init(&live->slots, rig_slots(pool), plans[pool].vip.size), 0);
	live->swept = sweep_tables_new(1 + ROVERS);
	assert_non_null(live->swept);
	live->swept->at[live->swept->count++] = &live->slots;
	live->table = table_new(plans[pool].kind, plans[pool].vip.size, table_seed);
	assert_non_null(live->table);
	for (i = 0; i < 5; i++)
		insert_backend(pool, run.next_id++, 1 + random_below(20));
	set_members(pool, members);
	assert_int_equal(table_update(live->table, members, live->count), 0);
	slots_settle(&live->slots, table_owners(live->table));
}

static void open_vip(uint32_t number)
{
	struct vip *vip = &run.vips[number];

	vip->pool = vip->left[0] = vip->left[1] = number < FIRST ? number : FIRST;
	if (number < FIRST)
		return;
	rig_pools_set(number, FIRST, FIRST, FIRST);
	rig_lead(number, FIRST);
	assert_int_equal(slots_init(&vip->slots, rig_slots(VIPS + number - FIRST), POOLED), 0);
	slots_reset(&vip->slots);
}

static void open_run(uint32_t flows)
{
	const uint64_t seed[2] = {first_seed, ~first_seed};
	struct rig_vip places[PLACES];
	uint32_t vip, i, next = 0;

	memset(&run, 0, sizeof(run));
	run.now_s = 1000;
	run.next_id = 1;
	for (vip = 0; vip < VIPS; vip++)
		places[vip] = plans[vip].vip;
	for (; vip < PLACES; vip++)
		places[vip] = (struct rig_vip){.size = POOLED};
	assert_int_equal(rig_open(places, PLACES, MEMBERS, flows, seed), 0);
	rig_idle(idle_units());
	run.time = rig_time();
	run.buckets = rig_buckets(&run.bucket_count);
	run.sweep = sweep_new(run.buckets, run.bucket_count, MEMBERS);
	assert_non_null(run.sweep);
	for (vip = 0; vip < VIPS; vip++) {
		open_pool(vip);
		open_vip(vip);
		for (i = 0; i < plans[vip].flows; i++, next++) {
			run.sessions[next].client.vip = vip;
			begin(&run.sessions[next], false);
		}
	}
	assert_int_equal(next, SESSIONS);
}

static void close_run(void)
{
	int i;

	for (i = 0; i < VIPS; i++) {
		slots_clear(&run.pools[i].slots);
		slots_clear(&run.vips[i].slots);
		free(run.pools[i].swept);
		table_free(run.pools[i].table);
	}
	sweep_free(run.sweep);
	rig_close();
}

static void compare_counts(void)
{
	uint64_t counted[LB_FLOW_COUNT_COUNT];
	int i, wrong = 0;

	rig_counts(counted);
	for (i = 0; i < LB_FLOW_COUNT_COUNT; i++) {
		print_message("%10llu %s\n", (unsigned long long)counted[i], rig_count_name(i));
		if (counted[i] == run.expected[i])
			continue;
		print_error("%s: expected %llu\n", rig_count_name(i),
			    (unsigned long long)run.expected[i]);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void print_run(void)
{
	size_t i;

	print_message("seed %llu: %llu packets, %llu flows established, in %u s of the test's "
		      "time\n",
		      (unsigned long long)first_seed, (unsigned long long)run.packets,
		      (unsigned long long)run.established, run.now_s);
	for (i = 0; i < sizeof(change_names) / sizeof(change_names[0]); i++)
		print_message("%10u backends %s\n", run.changes[i], change_names[i]);
	print_message("%10u VIPs went to another pool, %u of them have its slots\n", run.moves,
		      run.joins);
	print_message("%10llu flows of removed backends\n%10llu without room in the flow table\n"
		      "%10llu not established\n",
		      (unsigned long long)run.removed, (unsigned long long)run.no_room,
		      (unsigned long long)run.unmade);
}

static void make_changes(void)
{
	int i;

	pass_time(2000);
	for (i = 0; i < CHANGES; i++) {
		change_something();
		if (one_in(4))
			flood(300);
		pass_time(one_in(3) ? random_below(5) : random_below(300));
	}
}

/* Every flow has ended. */
static void all_settles_in_the_end(void)
{
	uint32_t left = 2 * IDLE_LONGEST_S, taken = 0, i, way;

	for (; left; left -= STEP_S)
		step(STEP_S);
	for (i = 0; i < VIPS; i++) {
		assert_int_equal(run.pools[i].slots.moving, 0);
		assert_int_equal(run.pools[i].slots.tracked, 0);
		assert_false(run.vips[i].moving);
		taken += run.pools[i].count;
	}
	for (i = 0; i < run.bucket_count; i++)
		for (way = 0; way < LB_FLOW_WAYS; way++)
			assert_true(run.buckets[i].word[way] == 0);
	assert_int_equal(sweep_gone(run.sweep), 0);
	for (i = 0; i < MEMBERS; i++)
		taken -= run.taken[i];
	assert_int_equal(taken, 0);
}

static void run_with(uint32_t flows)
{
	random_state = first_seed;
	open_run(flows);
	make_changes();
	print_run();
	compare_counts();
	assert_true(run.packets >= PACKETS_MIN);
	assert_true(run.unmade * 1000 <= run.established);
	assert_true(run.moves >= 10 && run.joins >= 2);
	all_settles_in_the_end();
}

static void no_flow_moves_while_the_flow_table_has_room(void **state)
{
	(void)state;
	run_with(65536);
	assert_true(run.no_room * 1000 <= run.established);
	close_run();
}

static void no_recorded_flow_moves_when_the_flow_table_is_full(void **state)
{
	(void)state;
	run_with(512);
	assert_true(run.expected[LB_FLOW_REFUSED] > 100);
	assert_true(run.expected[LB_FLOW_EVICTED] > 100);
	close_run();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_flow_moves_while_the_flow_table_has_room),
		cmocka_unit_test(no_recorded_flow_moves_when_the_flow_table_is_full),
	};

	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	return cmocka_run_group_tests_name("the promise, through the program", tests, NULL, NULL);
}
