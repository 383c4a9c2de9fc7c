/* SPDX-License-Identifier: BSD-2-Clause */
/* Does an established connection keep its backend, whatever happens to the backends?
 *
 * A model that remembers every flow, and the backend it is on, runs beside the live service over a
 * plane in memory (fake.h) and the program's flow table, through random packets, floods, changes,
 * results of health checks, calls that fail, restarts of lbd, and time. Everything follows from one
 * seed: PROMISE_SEED in the environment is another one, PROMISE_STEPS the steps of each run.
 *
 * The promise ends for a flow when its backend is removed, and for a UDP flow that is on no record
 * when its backend is unhealthy and others are not. A UDP flow sends once in half a transition. Where the flow table
 * had no room for it (its last packet's word was refused, or pushed out before it was confirmed) it
 * may move when what is not on record begins to go elsewhere, and not before.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <cmocka.h>
#include "../../bpf/abi.h"
#include "../../bpf/hash.h"
#include "../lib/splitmix.h"
#include "fake.h"

/* What flow.h asks for. */
struct flow;
static __u32 flow_member_flags(const struct flow *flow, __u32 number);
static int flow_may_evict(const struct flow *flow);
static void flow_count(enum lb_flow_count what);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* "unroll" is clang's */
#include "../../bpf/flow.h"
#pragma GCC diagnostic pop

#if defined(__SANITIZE_ADDRESS__)
#define STEPS 100000
#else
#define STEPS 500000
#endif
#define RUNS 4 /* each calm and under floods: 4,000,000 steps in all */

#define VIPS 8
#define SOURCES 16  /* clients of a VIP by source; a power of two */
#define BACKENDS 9  /* at most, in a VIP */
#define NUMBERS 162 /* of members: few, so that they are soon used again */
#define ROOM 16384u /* buckets: a pass of the sweep takes 16 ticks */
#define BUCKETS 2048u
#define FEW_BUCKETS 128u /* for fewer words than there are flows */
#define TICK_NS 100000000ull
#define GATHER_NS 5000000ull /* until results of checks are followed */
#define SECOND 1000000000ull
#define FLOWS 1500 /* kept up, about */
#define FLOWS_MAX 4000
#define ENDED 256
#define EVENTS 262144

/* The first of the VIPs that go to and fro between pools. Of these pools the backends stand with this
 * VIP, and with the next ones. */
#define POOLED 5
#define POOLS 3
#define HOSTS (VIPS + VIPS - POOLED) /* the last of them are backends of these VIPs' own */
#define POOL                                                                                       \
	"{'name': '%s', 'spill_hold_s': 0, 'table_size': %u, 'transition_s': 25, "                 \
	"'flow_idle_s': 40, "                                                                      \
	"'datagram_transition_s': 12, 'datagram_flow_idle_s': 20, 'health': {'type': 'tcp', "      \
	"'port': 80}, "                                                                            \
	"'backends': [%s]}"

struct backend {
	uint32_t identity; /* 0: not configured */
	uint32_t weight, priority;
	uint16_t number;
	bool drain, unhealthy;
	enum standing is; /* to lbd, by the results so far */
	uint64_t left_ns; /* when it stopped taking new flows; 0: it takes them */
};

struct vip {
	/* for good */
	const char *text; /* this VIP; of its backends, if they are its own, %s */
	struct lb_endpoint endpoint;
	bool use_all; /* when_all_unhealthy */
	uint32_t spill_percent, spill_hold_s;
	uint32_t size, transition_s;
	uint8_t protocol;
	const char *own_text; /* with backends of its own, of one that goes to and fro */
	bool by_source;       /* its slots are chosen by the client's address */
	/* while it is there */
	bool there;
	struct vip *host;  /* whose backends it has: its own, or those of a pool */
	uint64_t moved_ns; /* when it went to another pool */
	const struct live_vip *live;
	const struct live_pool *pool;
	uint32_t *words;
	struct backend backends[BACKENDS]; /* the place stands for the address; of a host */
	uint32_t kept; /* groups up to this one were used when last looked at; of a host */
	TAILQ_HEAD(due, model_flow) due; /* who has been silent for longest comes first */
};

/* The reference: what a balancer that remembers every flow would know. */
struct model_flow {
	TAILQ_ENTRY(model_flow) due;
	LIST_ENTRY(model_flow) near; /* of the same bucket */
	struct vip *vip;
	uint64_t hash;
	uint64_t sent_ns; /* the last packet, or the first SYN */
	uint32_t backend; /* identity */
	uint32_t place;   /* in live[] */
	/* Bit n: for reason n of enum lb_flow_count it is not on record. No excuse while what is
	 * not on record goes to `unless`, an identity; 0: none. */
	uint32_t failed, unless;
	bool established;
	bool recorded;  /* by its last packet */
	bool confirmed; /* its record is proven */
	uint32_t shown; /* by its packets: as the grade of its record */
	uint32_t shown_units;
	bool lazy;   /* sends only when it must */
	bool held;   /* its SYN went to the backend of an earlier flow, which takes none */
	bool let_go; /* of UDP, on no record, and its backend is unhealthy: it may move */
};

/* A tuple whose flow has ended, to be used again. */
struct ended {
	struct vip *vip;
	uint64_t hash;
};

struct event {
	uint64_t ns, hash;
	const char *what;
	const struct vip *vip;
	uint32_t word, counted;
	uint16_t member;
};

static struct {
	uint64_t seed[2], random, start_seed;
	bool floods, fails; /* calls do, every now and then */
	/* the program */
	uint32_t identities[NUMBERS]; /* by number: whose it is */
	bool used[NUMBERS];
	uint32_t budget_time, budget_used;
	bool closing;     /* the packet under way is a FIN */
	uint32_t number;  /* of the member that got the last packet */
	uint32_t counted; /* by the packet under way, bit n: counter n */
	uint64_t counts[LB_FLOW_COUNT_COUNT];
	/* what is configured */
	struct vip vips[HOSTS];
	uint32_t next_identity;
	const struct live_vip *seen; /* where VIPs were in the plane when last looked at */
	/* the model */
	struct model_flow pool[FLOWS_MAX], *live[FLOWS_MAX];
	uint32_t live_count;
	LIST_HEAD(near, model_flow) near[ROOM];
	struct ended ended[ENDED];
	/* the story */
	struct event events[EVENTS];
	uint64_t event_count, step, packets, unsettled, changes, ends[2], handshakes;
	uint64_t refused, restarts, spills;
	uint64_t moves, own_moves, left_two, resized, forged, alike, let_go, established,
		exempt[LB_FLOW_COUNT_COUNT], exempt_count;
} run;

#define FAILURES (1u << LB_FLOW_REFUSED | 1u << LB_FLOW_OVER_BUDGET | 1u << LB_FLOW_RACED)

#define RECORDINGS                                                                                 \
	(1u << LB_FLOW_HIT | 1u << LB_FLOW_INSERTED | 1u << LB_FLOW_EVICTED |                      \
	 1u << LB_FLOW_REPLACED)

static void end_flow(struct model_flow *flow);
static void send_due(struct model_flow *flow);
static void look(void);

/* --- chance --- */

static uint64_t random_next(void)
{
	return splitmix64(&run.random);
}

static uint32_t random_below(uint32_t limit)
{
	return (random_next() >> 32) * limit >> 32;
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

/* --- the story, told when a test fails --- */

static void tell(const char *what, const struct vip *vip, uint64_t hash, uint32_t word,
		 uint16_t member)
{
	run.events[run.event_count++ % EVENTS] = (struct event){
		.ns = fake.now_ns,
		.hash = hash,
		.what = what,
		.vip = vip,
		.word = word,
		.counted = run.counted,
		.member = member,
	};
}

static void print_event(const struct event *event)
{
	static const char *const names[] = {
#define COUNT_NAME(id, name, meaning) name,
		LB_FLOW_COUNT_LIST(COUNT_NAME)
#undef COUNT_NAME
	};
	uint32_t i;

	printf("%12.3f s  %-22s slot %04x|%04x  member %04x", event->ns / 1e9, event->what,
	       lb_slot_current(event->word), lb_slot_previous(event->word), event->member);
	for (i = 0; i < LB_FLOW_COUNT_COUNT; i++)
		if (event->counted >> i & 1)
			printf("  %s", names[i]);
	printf("\n");
}

/* Everything kept about this flow's tuple, and the changes of its VIP meanwhile. */
static void print_history(const struct vip *vip, uint64_t hash)
{
	uint64_t i = run.event_count > EVENTS ? run.event_count - EVENTS : 0;
	bool begun = false;

	printf("seed %" PRIu64 ", step %" PRIu64 ", VIP %d, hash %016" PRIx64 "\n", run.start_seed,
	       run.step, (int)(vip - run.vips), hash);
	for (; i < run.event_count; i++) {
		const struct event *event = &run.events[i % EVENTS];

		begun |= event->hash == hash;
		if (begun && event->vip == vip && (!event->hash || event->hash == hash))
			print_event(event);
	}
	fflush(stdout);
}

static void break_promise(const struct model_flow *flow, const char *what, uint32_t now_on)
{
	print_history(flow->vip, flow->hash);
	fail_msg("%s: was on backend %u, now on %u", what, flow->backend, now_on);
}

/* --- the program around flow.h (bpf/backend.h) --- */

static __u32 flow_member_flags(const struct flow *flow, __u32 number)
{
	assert_true(number < NUMBERS);
	return lb_pools_have(flow->pools, fake.left.members[number].pool)
		       ? fake.left.members[number].flags
		       : 0;
}

static void flow_count(enum lb_flow_count what)
{
	run.counts[what]++;
	run.counted |= 1u << what;
}

static int flow_may_evict(const struct flow *flow)
{
	if (run.budget_time != flow->time) {
		run.budget_time = flow->time;
		run.budget_used = 0;
	}
	return run.budget_used++ < fake.plane.bucket_count * LB_FLOW_WAYS / 16;
}

static uint32_t time_units(void)
{
	return fake.now_ns >> LB_FLOW_TIME_SHIFT & LB_FLOW_TIME_MASK;
}

/* A flow is known by the hash of its 5-tuple. Some bits of it, which nobody else looks at, are its
 * client's address. */
static uint32_t slot_number(const struct vip *vip, uint64_t hash)
{
	if (vip->by_source)
		hash = lb_hash_word(run.seed[0], hash >> 24 & (SOURCES - 1));
	return lb_hash_slot(hash, vip->size);
}

static uint32_t *slot_of(const struct vip *vip, uint64_t hash)
{
	return &vip->words[slot_number(vip, hash)];
}

static uint32_t tag_of(const struct vip *vip, uint64_t hash)
{
	return vip->by_source ? lb_hash_tag_within(slot_number(vip, hash), vip->size, hash)
			      : lb_hash_tag(hash);
}

static uint32_t bucket_of(uint64_t hash)
{
	return hash & (fake.plane.bucket_count - 1);
}

static struct model_flow *find_flow(uint32_t bucket, uint32_t tag)
{
	struct model_flow *flow;

	LIST_FOREACH (flow, &run.near[bucket], near)
		if (tag_of(flow->vip, flow->hash) == tag)
			return flow;
	return NULL;
}

static uint32_t identity_of(uint32_t number)
{
	return number == LB_NONE ? 0 : run.identities[number];
}

/* The member that gets what is not on record. */
static uint32_t home_of(const struct vip *vip, uint64_t hash)
{
	uint32_t slot = *slot_of(vip, hash);

	return lb_slot_previous(slot) == LB_NONE ? lb_slot_current(slot) : lb_slot_previous(slot);
}

/* Nothing goes while a word is empty or dead; who goes has shown least, and is the oldest of those;
 * and no live word that is proven. */
static void check_victim(const struct lb_flow_bucket *bucket, uint64_t victim)
{
	uint32_t age = flow_word_age(victim, time_units()), grade = flow_word_grade(victim);
	int way;

	for (way = 0; way < LB_FLOW_WAYS; way++) {
		uint64_t word = bucket->word[way];
		uint32_t other = flow_word_age(word, time_units());

		assert_int_not_equal(word, 0);
		if (age > fake.plane.tuning->flow_idle)
			continue;
		assert_true(other <= fake.plane.tuning->flow_idle);
		assert_true(flow_word_grade(word) >= grade);
		assert_true(flow_word_grade(word) > grade || other <= age);
	}
	assert_true(grade != LB_FLOW_PROVEN || age > fake.plane.tuning->flow_idle);
}

/* The flow whose word was pushed out has an excuse, unless that word must have been confirmed. */
static void note_eviction(uint32_t bucket, uint64_t word)
{
	struct model_flow *flow = find_flow(bucket, flow_word_tag(word));

	if (!flow)
		return;
	tell("evicted", flow->vip, flow->hash, *slot_of(flow->vip, flow->hash),
	     flow_word_member(word));
	if (flow->confirmed || identity_of(flow_word_member(word)) != flow->backend)
		return;
	flow->failed |= 1u << LB_FLOW_EVICTED;
	flow->unless = flow->backend;
}

/* What one packet did to its bucket: pushed out another word, or changed the one it has found. */
static void check_bucket(const struct flow *flow, const struct lb_flow_bucket *before)
{
	int way;

	for (way = 0; way < LB_FLOW_WAYS; way++) {
		uint64_t old = before->word[way], word = flow->bucket->word[way];

		if (old == word)
			continue;
		if (old && flow_word_tag(old) != flow->tag) {
			check_victim(before, old);
			note_eviction(flow->bucket - fake.plane.flows, old);
		} else if (flow->syn) {
			assert_true(flow_word_grade(word) <= flow_word_grade(old) ||
				    flow_word_grade(word) == LB_FLOW_NEW);
		}
	}
}

/* What became of the packet under way, of this flow. A refused SYN belongs with what is not on
 * record, where that takes new flows. */
static void note_outcome(struct model_flow *flow, bool syn)
{
	uint32_t home = home_of(flow->vip, flow->hash);

	if (!(run.counted & 1u << LB_FLOW_HIT))
		flow->shown = LB_FLOW_FOUND;
	else if (!syn)
		flow->shown = (flow->shown < LB_FLOW_SEEN ? LB_FLOW_SEEN - 1 : flow->shown) +
			      (time_units() != flow->shown_units ? 2 : 1);
	flow->shown_units = time_units();
	flow->confirmed = flow->shown >= LB_FLOW_PROVEN;
	flow->recorded = run.counted & RECORDINGS;
	flow->failed = run.counted & FAILURES;
	flow->unless = 0;
	if (home != LB_NONE &&
	    fake.left.members[home].flags & (syn ? LB_MEMBER_NEW : LB_MEMBER_OLD))
		flow->unless = identity_of(home);
}

static bool is_excused(const struct model_flow *flow)
{
	return flow->failed &&
	       (!flow->unless || identity_of(home_of(flow->vip, flow->hash)) != flow->unless);
}

static uint32_t route_unsettled(const struct vip *vip, uint64_t hash, uint32_t slot, bool syn)
{
	uint32_t bucket = bucket_of(hash), member;
	const struct lb_flow_bucket before = fake.plane.flows[bucket];
	const struct flow flow = {
		.bucket = &fake.plane.flows[bucket],
		.tag = tag_of(vip, hash),
		.time = time_units(),
		.idle = fake.plane.tuning->flow_idle,
		.pools = fake.left.vip_pools[vip->live->number],
		.syn = syn,
		.closes = run.closing,
	};

	run.unsettled++;
	member = flow_route(&flow, slot);
	check_bucket(&flow, &before);
	if (lb_slot_previous(slot) == LB_NONE)
		assert_false(run.counted & (1u << LB_FLOW_INSERTED | 1u << LB_FLOW_EVICTED));
	return member;
}

/* The identity of the backend that gets the packet; 0: nobody. */
static uint32_t packet(const struct vip *vip, uint64_t hash, bool syn)
{
	uint32_t slot = *slot_of(vip, hash), number = lb_slot_current(slot);

	run.packets++;
	run.counted = 0;
	if (!lb_slot_is_settled(slot) || number == LB_NONE)
		number = route_unsettled(vip, hash, slot, syn);
	tell(syn ? "SYN" : "packet", vip, hash, slot, number);
	run.counted &= ~(1u << LB_FLOW_MISSED);
	if (number != LB_NONE && (fake.left.members[number].flags &
				  (LB_MEMBER_VALID | LB_MEMBER_GONE)) != LB_MEMBER_VALID) {
		print_history(vip, hash);
		fail_msg("a packet was sent to a backend that is gone");
	}
	run.number = number;
	if (number != LB_NONE)
		fake.counters[number].packets++;
	return identity_of(number);
}

/* --- what lbd does as time passes --- */

/* Numbers that come back: nothing may name them any more. */
static void check_freed(void)
{
	uint32_t number, i;
	int way;

	for (number = 0; number < NUMBERS; number++) {
		const bool was_used = run.used[number];

		run.used[number] = fake.left.members[number].flags;
		if (!was_used || run.used[number])
			continue;
		run.identities[number] = 0;
		for (i = 0; i < fake.config.slots; i++)
			if (lb_slot_current(fake.left.slots[i]) == number ||
			    lb_slot_previous(fake.left.slots[i]) == number)
				fail_msg("a slot names a member whose number is free");
		for (i = 0; i < fake.plane.bucket_count; i++)
			for (way = 0; way < LB_FLOW_WAYS; way++)
				if (fake.plane.flows[i].word[way] &&
				    flow_word_member(fake.plane.flows[i].word[way]) == number)
					fail_msg("a word names a member whose number is free");
	}
}

static bool is_udp(const struct vip *vip)
{
	return vip->protocol == 17;
}

/* How long a flow may be silent. */
static uint64_t silence_ns(const struct vip *vip)
{
	return (is_udp(vip) ? vip->transition_s / 2 : vip->transition_s) * SECOND;
}

/* The flow that must send first, so that it has sent as often as the promise asks for. */
static struct model_flow *next_due(uint64_t *due_ns)
{
	struct model_flow *next = NULL, *flow;
	int i;

	for (i = 0; i < VIPS; i++) {
		uint64_t due;

		flow = TAILQ_FIRST(&run.vips[i].due);
		due = flow ? flow->sent_ns + silence_ns(&run.vips[i]) : UINT64_MAX;
		if (due < *due_ns) {
			*due_ns = due;
			next = flow;
		}
	}
	return next;
}

static void note_groups(void);

/* Flows that must send do so at the last moment, after what lbd does at that very moment. */
static void pass_time(uint64_t ns)
{
	uint64_t end_ns = fake.now_ns + ns;

	for (;;) {
		uint64_t due_ns = end_ns;
		struct model_flow *flow = next_due(&due_ns);

		if (fake_due_ns() <= (int64_t)due_ns) {
			fake.now_ns = fake_due_ns();
			fake_run();
			if (fake.service->live == run.seen)
				check_freed();
			else /* VIPs that went to another pool have its slots now */
				look();
			note_groups();
		} else if (flow) {
			fake.now_ns = due_ns;
			send_due(flow);
		} else {
			fake.now_ns = end_ns;
			return;
		}
	}
}

/* --- changes --- */

static bool is_fit(const struct backend *backend)
{
	return backend->identity && !backend->drain && backend->weight &&
	       backend->is == STANDING_FIT;
}

static bool uses_all(const struct vip *vip)
{
	bool all = vip->use_all;

	for (int i = 0; all && i < BACKENDS; i++)
		all = !is_fit(&vip->host->backends[i]);
	return all;
}

/* What lbd keeps in use although it is not needed: at most for the hold time. */
static uint32_t kept_group(const struct vip *vip)
{
	int64_t left_ms;

	if (!vip->there || !vip->pool->kept_until_ms)
		return 0;
	left_ms = vip->pool->kept_until_ms - (int64_t)(fake.now_ns / 1000000);
	assert_true(left_ms <= vip->spill_hold_s * 1000ll);
	assert_true(left_ms >= -(int64_t)(2 * GATHER_NS / 1000000));
	return vip->pool->use.last;
}

/* Weights that count: of those that are fit; of all when none is and the VIP says so. Then of the
 * groups that are needed: until so much of the weight so far is in service. */
static uint32_t share_of(const struct vip *vip, const struct backend *backend)
{
	const bool all = uses_all(vip);
	uint32_t in_service = 0, whole = 0;

	if (!backend->identity || backend->drain || (!all && backend->is != STANDING_FIT))
		return 0;
	if (!backend->priority || backend->priority <= kept_group(vip))
		return backend->weight;
	for (uint32_t group = 0; group < backend->priority; group++) {
		for (int i = 0; i < BACKENDS; i++) {
			const struct backend *other = &vip->host->backends[i];

			if (!other->identity || other->priority != group)
				continue;
			whole += other->weight;
			if (!other->drain && (all || other->is == STANDING_FIT))
				in_service += other->weight;
		}
		if (in_service && in_service * 100 >= whole * vip->spill_percent)
			return 0;
	}
	return backend->weight;
}

static bool any_takes_new(const struct vip *vip)
{
	int i;

	for (i = 0; i < BACKENDS; i++)
		if (share_of(vip, &vip->host->backends[i]))
			return true;
	return false;
}

/* While others take new flows, an unhealthy backend is left at once. */
static bool is_left(const struct vip *vip, const struct backend *backend)
{
	return backend->is == STANDING_ILL && any_takes_new(vip) && !uses_all(vip);
}

static void let_flows_go(uint32_t identity)
{
	uint32_t i;

	for (i = 0; i < run.live_count; i++)
		if (is_udp(run.live[i]->vip) && run.live[i]->backend == identity)
			run.live[i]->let_go |= !run.live[i]->recorded;
}

/* When backends of a UDP VIP stopped taking new flows, and whose flows may move for that. */
static void note_leaving(struct vip *vip)
{
	int i;

	for (i = 0; i < BACKENDS; i++) {
		struct backend *backend = &vip->host->backends[i];

		if (!backend->identity || share_of(vip, backend)) {
			backend->left_ns = 0;
			continue;
		}
		if (!backend->left_ns)
			backend->left_ns = fake.now_ns;
		if (is_left(vip, backend))
			let_flows_go(backend->identity);
	}
}

/* Groups leave as time passes. */
static void note_groups(void)
{
	for (int v = 0; v < VIPS; v++) {
		struct vip *vip = &run.vips[v];

		if (!vip->there || vip->host->kept == vip->pool->use.last)
			continue;
		run.spills++;
		vip->host->kept = vip->pool->use.last;
		note_leaving(vip);
	}
}

static struct lb_addr address_of(const struct vip *host, const struct backend *backend)
{
	return (struct lb_addr){.family = 4,
				.bytes = {10, 0, host - run.vips, backend - host->backends + 1}};
}

#define TEXT 16384

static const char *backends_text(const struct vip *host, char out[TEXT])
{
	size_t used = 0;

	out[0] = '\0';
	for (int i = 0; i < BACKENDS; i++) {
		const struct backend *backend = &host->backends[i];
		const struct lb_addr address = address_of(host, backend);
		char text[LB_ADDR_TEXT];

		if (backend->identity)
			used += snprintf(out + used, TEXT - used,
					 "%s{'address': '%s', 'weight': %u, 'priority': %u, "
					 "'drain': %s}",
					 used ? "," : "", lb_addr_format(&address, text),
					 backend->weight, backend->priority,
					 backend->drain ? "true" : "false");
	}
	return out;
}

static const char *const pool_names[POOLS] = {"one", "other", "same"};
static const uint32_t pool_sizes[POOLS] = {509, 1021, 509};

static bool is_pooled(const struct vip *vip)
{
	return vip >= &run.vips[POOLED];
}

/* Of a VIP that goes to and fro. */
static struct vip *own_of(const struct vip *vip)
{
	return &run.vips[VIPS + (vip - &run.vips[POOLED])];
}

static bool is_own(const struct vip *host)
{
	return host >= &run.vips[VIPS];
}

/* Any VIP that has its backends. */
static struct vip *user_of(const struct vip *host)
{
	for (int v = 0; v < VIPS; v++)
		if (run.vips[v].there && run.vips[v].host == host)
			return &run.vips[v];
	return NULL;
}

/* What is configured. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static struct lb_service *document_now(void)
{
	static char text[4 * TEXT], backends[TEXT];
	size_t used = snprintf(text, sizeof(text), "{'pools': [");

	for (int i = 0; i < POOLS; i++)
		used += snprintf(text + used, sizeof(text) - used, i ? "," POOL : POOL,
				 pool_names[i], pool_sizes[i],
				 backends_text(&run.vips[POOLED + i], backends));
	used += snprintf(text + used, sizeof(text) - used, "], 'vips': [");
	for (int v = 0; v < VIPS; v++) {
		const struct vip *vip = &run.vips[v];

		if (!vip->there)
			continue;
		used += snprintf(text + used, sizeof(text) - used,
				 text[used - 1] == '[' ? "" : ",");
		used += snprintf(text + used, sizeof(text) - used,
				 is_own(vip->host) ? vip->own_text : vip->text,
				 is_pooled(vip) && !is_own(vip->host)
					 ? pool_names[vip->host - &run.vips[POOLED]]
					 : backends_text(vip->host, backends));
	}
	snprintf(text + used, sizeof(text) - used, "]}");
	return fake_document(text);
}
#pragma GCC diagnostic pop

/* Where VIPs and members are in the plane. */
static void look(void)
{
	const struct lb_service *document = service_document(fake.service);

	run.seen = fake.service->live;
	for (int v = 0; v < VIPS; v++) {
		struct vip *vip = &run.vips[v];
		const struct lb_vip *found = lb_service_find_endpoint(document, &vip->endpoint);
		size_t at = 0;

		assert_int_equal(vip->there, found != NULL);
		if (!found)
			continue;
		vip->live = &fake.service->live[found - document->vips];
		vip->pool = live_pool_of(fake.service, found);
		vip->words = fake.left.slots + vip->live->table->start;
		run.resized += is_pooled(vip) && vip->size != vip->live->table->slots.size &&
			       !live_has_left(vip->live->table);
		vip->size = vip->live->table->slots.size;
		for (int i = 0; i < BACKENDS; i++)
			if (vip->host->backends[i].identity) {
				const uint16_t number = vip->pool->backends[at++].number;

				vip->host->backends[i].number = number;
				run.identities[number] = vip->host->backends[i].identity;
			}
		assert_int_equal(at, vip->pool->backend_count);
	}
	check_freed();
}

#define LEFT_TWO "has left two other pools since" /* vip_pools has room for no more */

/* Makes what is configured the document in force. False: it was refused, and nothing has changed. */
static bool apply(struct vip *vip, const char *what, bool force)
{
	const struct apply_options options = {.force = force, .max_moved_percent = 100};
	struct lb_service *document = document_now();
	json_t *change = NULL;
	struct lb_err err = {0};
	bool failed, left_two;
	int error;

	run.changes++;
	tell(what, vip, 0, 0, LB_NONE);
	fake.failing = run.fails && one_in(8) ? fake.calls + random_below(12) : -1;
	error = service_apply(fake.service, document, &options, &change, &err);
	failed = fake.failing >= 0 && fake.calls > fake.failing;
	fake.failing = -1;
	json_decref(change);
	run.refused += error != 0;
	left_two = error && strstr(err.message, LEFT_TWO);
	run.left_two += left_two;
	if (error && !failed && !left_two && err.code != LB_ERR_LIMIT)
		fail_msg("%s is refused: %s", what, err.message);
	if (error)
		return false;
	look();
	note_leaving(vip);
	if (failed) /* what can be done later is, within a second */
		pass_time(SECOND + 2 * TICK_NS);
	return true;
}

static void some_check(void)
{
	if (one_in(4))
		fake_check(true);
}

/* Every backend of the VIP is checked. */
static void check_health(struct vip *vip)
{
	int i;

	for (i = 0; i < BACKENDS; i++) {
		const struct lb_addr address = address_of(vip->host, &vip->host->backends[i]);

		if (vip->host->backends[i].identity)
			fake_health(&address, vip->host->backends[i].unhealthy ? HEALTH_UNHEALTHY
									       : HEALTH_HEALTHY);
	}
	pass_time(GATHER_NS);
	for (i = 0; i < BACKENDS; i++)
		vip->host->backends[i].is =
			vip->host->backends[i].unhealthy ? STANDING_ILL : STANDING_FIT;
	note_leaving(vip);
	some_check();
}

/* `joins`: the VIP has backends of which something is known. */
static void configure(const struct vip *vip, struct backend *backend, bool joins)
{

	*backend = (struct backend){
		.identity = ++run.next_identity,
		.weight = one_in(8) ? 0 : 1 + random_below(10),
		.priority = one_in(3) ? random_below(3) : 0,
		.is = joins || !vip->use_all ? STANDING_WAITING : STANDING_FIT,
	};
}

/* Whether lbd has the backends, for VIPs that lead to them or have left them. */
static bool is_live(const struct vip *host)
{
	if (!is_pooled(host))
		return user_of(host);
	for (size_t i = 0; i < fake.service->pools.count; i++) {
		const struct pool_ref *ref = &fake.service->pools.refs[i];

		if (is_own(host) ? ref->own && !lb_endpoint_compare(&ref->of, &host->endpoint)
				 : !strcmp(ref->pool->name, pool_names[host - &run.vips[POOLED]]))
			return true;
	}
	return false;
}

/* Some are set up bit by bit. */
static void add_vip(struct vip *vip)
{
	int i, count = one_in(4) ? 0 : 2 + random_below(5);

	if (!user_of(vip->host) && !is_live(vip->host)) {
		memset(vip->host->backends, 0, sizeof(vip->host->backends));
		for (i = 0; i < count; i++)
			configure(vip, &vip->host->backends[i], false);
	}
	vip->there = true;
	if (apply(vip, "VIP added", false))
		check_health(vip);
	else
		vip->there = false;
}

/* Flows of this backend, or of any (0), lose the promise. Their clients come back soon. */
static void break_flows(const struct vip *vip, uint32_t identity)
{
	uint32_t i = 0;

	while (i < run.live_count) {
		if (identity ? run.live[i]->backend == identity : run.live[i]->vip == vip)
			end_flow(run.live[i]);
		else
			i++;
	}
}

/* Records of a VIP that is removed live on. A client that uses its port again once the VIP is there
 * anew, in another pool, would be at their mercy when it goes to the pool that they are of. */
static void forget_tuples(const struct vip *vip)
{
	for (int i = 0; is_pooled(vip) && i < ENDED; i++)
		if (run.ended[i].vip == vip)
			run.ended[i].vip = NULL;
}

static void remove_vip(struct vip *vip)
{
	run.ends[1]++;
	break_flows(vip, 0);
	forget_tuples(vip);
	vip->there = false;
	if (!apply(vip, "VIP removed", true))
		vip->there = true;
	some_check();
}

/* As "lbctl backend drain --wait" asks. */
static bool is_drained(const struct vip *vip, const struct backend *backend)
{
	const struct lb_vip *found =
		lb_service_find_endpoint(service_document(fake.service), &vip->endpoint);
	json_t *states = service_backend_states(fake.service, found);
	size_t at = 0;
	bool drained;

	while (vip->pool->backends[at].number != backend->number)
		at++;
	drained = !strcmp(json_string_value(json_object_get(json_array_get(states, at), "state")),
			  "drained");
	json_decref(states);
	return drained;
}

static void remove_backend(struct vip *vip, struct backend *backend, const char *what, bool force)
{
	const struct backend before = *backend;

	break_flows(vip, backend->identity);
	*backend = (struct backend){0};
	if (!apply(vip, what, force))
		*backend = before;
	some_check();
}

/* Of the tuple, or 0. */
static uint64_t find_word(const struct vip *vip, uint64_t hash)
{
	const struct lb_flow_bucket *bucket = &fake.plane.flows[bucket_of(hash)];
	int way;

	for (way = 0; way < LB_FLOW_WAYS; way++)
		if (bucket->word[way] && flow_word_tag(bucket->word[way]) == tag_of(vip, hash))
			return bucket->word[way];
	return 0;
}

/* A backend has two numbers when its VIP comes back to it after a restart, which has forgotten whose the
 * first one was. Whether it is this one that a flow of it is on record for, or else gets by its slot. */
static bool is_on(const struct model_flow *flow, uint32_t number)
{
	const uint64_t word = find_word(flow->vip, flow->hash);
	const uint32_t member = word ? flow_word_member(word) : home_of(flow->vip, flow->hash);

	return identity_of(member) != flow->backend || member == number;
}

/* Nobody has to be forced. */
static void remove_drained(struct vip *vip, struct backend *backend)
{
	uint32_t i;

	for (i = 0; i < run.live_count; i++)
		if (run.live[i]->backend == backend->identity && !run.live[i]->failed &&
		    run.live[i]->established && !run.live[i]->let_go &&
		    is_on(run.live[i], backend->number))
			break_promise(run.live[i], "its backend is said to have no flow", 0);
	run.ends[0]++;
	remove_backend(vip, backend, "removed, drained", false);
}

/* Every so often lbctl asks how far the drain is. */
static void remove_what_is_drained(void)
{
	int v, i;

	for (v = 0; v < VIPS; v++)
		for (i = 0; run.vips[v].there && i < BACKENDS; i++) {
			struct backend *backend = &run.vips[v].host->backends[i];

			if (backend->identity && backend->drain && one_in(8) &&
			    is_drained(&run.vips[v], backend))
				remove_drained(&run.vips[v], backend);
		}
}

static void change_health(struct vip *vip, struct backend *backend)
{
	backend->unhealthy = !backend->unhealthy;
	tell(backend->unhealthy ? "unhealthy" : "healthy", vip, 0, 0, backend->number);
	run.changes++;
	check_health(vip);
}

static void add_backend(struct vip *vip, struct backend *backend)
{
	configure(vip, backend, vip->pool->backend_count);
	if (apply(vip, "added", false))
		check_health(vip);
	else
		*backend = (struct backend){0};
}

static void change_backend(struct vip *vip, struct backend *backend)
{
	const struct backend before = *backend;
	const uint32_t what = random_below(13);

	if (!backend->identity) {
		add_backend(vip, backend);
	} else if (!what) {
		run.ends[1]++;
		remove_backend(vip, backend, "removed by force", true);
	} else if (what < 4) {
		backend->weight = one_in(4) ? 0 : 1 + random_below(10);
		if (!apply(vip, "weight", false))
			*backend = before;
	} else if (what == 12) {
		backend->priority = random_below(3);
		if (!apply(vip, "priority", false))
			*backend = before;
	} else if (what < 7) {
		backend->drain = !backend->drain;
		if (!apply(vip, backend->drain ? "drain" : "undrain", false))
			*backend = before;
	} else {
		change_health(vip, backend);
	}
}

/* Transitions begin anew. */
static void begin_anew(struct backend *backend)
{
	const uint32_t flags = fake.left.members[backend->number].flags;

	backend->left_ns = 0;
	backend->is = flags & LB_MEMBER_NEW ? STANDING_FIT : STANDING_WAITING;
}

/* lbd ends and starts again: what it knew of health is in the plane. */
static void restart(void)
{
	run.restarts++;
	fake_stop();
	assert_int_equal(fake_start(NULL), 0);
	look();
	for (int v = 0; v < VIPS; v++) {
		struct vip *vip = &run.vips[v];

		tell("restart", vip, 0, 0, LB_NONE);
		vip->moved_ns = fake.now_ns;
		for (int i = 0; i < BACKENDS; i++) {
			begin_anew(&(is_pooled(vip) ? vip : vip->host)->backends[i]);
			if (is_pooled(vip))
				begin_anew(&own_of(vip)->backends[i]);
		}
		note_leaving(vip);
	}
	fake_check(true);
	for (int v = 0; v < VIPS; v++)
		check_health(&run.vips[v]);
}

/* To another pool, or to backends of its own, and nobody has to be forced. */
static void move(struct vip *vip)
{
	struct vip *from = vip->host;
	struct vip *to = one_in(3) ? own_of(vip) : &run.vips[POOLED + random_below(POOLS)];
	const uint64_t moved_ns = vip->moved_ns;
	struct backend before[BACKENDS];

	if (to == from)
		return;
	memcpy(before, to->backends, sizeof(before));
	for (int i = 0; i < 3 && is_own(to) && !is_live(to); i++)
		if (!to->backends[i].identity)
			configure(vip, &to->backends[i], false);
	for (int i = 0; i < BACKENDS && !is_live(to); i++)
		if (to->backends[i].identity) { /* which are checked for the first time */
			to->backends[i].is = vip->use_all ? STANDING_FIT : STANDING_WAITING;
			to->backends[i].unhealthy = false;
		}
	vip->host = to;
	vip->moved_ns = fake.now_ns;
	run.moves++;
	run.own_moves += is_own(from) || is_own(to);
	if (apply(vip, "moved", false)) {
		for (int i = 0; i < BACKENDS; i++)
			if (from->backends[i].is == STANDING_ILL)
				let_flows_go(from->backends[i].identity);
		check_health(vip);
		return;
	}
	vip->host = from;
	vip->moved_ns = moved_ns;
	memcpy(to->backends, before, sizeof(before));
}

static void change_vip(struct vip *vip)
{
	struct backend *backend = &vip->host->backends[random_below(BACKENDS)];

	if (one_in(50)) {
		restart();
	} else if (!vip->there) {
		if (one_in(4))
			add_vip(vip);
	} else if (is_pooled(vip) && one_in(4)) {
		move(vip);
	} else if (one_in(60)) {
		remove_vip(vip);
		if (!vip->there && one_in(2))
			add_vip(vip);
	} else {
		change_backend(vip, backend);
	}
}

/* --- flows --- */

static void sent(struct model_flow *flow)
{
	flow->sent_ns = fake.now_ns;
	TAILQ_REMOVE(&flow->vip->due, flow, due);
	TAILQ_INSERT_TAIL(&flow->vip->due, flow, due);
}

/* Another live flow with the same tag in the same bucket would share its record: the design takes
 * that chance, one in 2^30 divided by the slots of a VIP by source; here it is avoided. */
static struct model_flow *new_flow(struct vip *vip, uint64_t hash)
{
	struct model_flow *flow = find_flow(bucket_of(hash), tag_of(vip, hash));

	run.alike += flow && flow->hash != hash;
	if (run.live_count == FLOWS_MAX || flow)
		return NULL;
	flow = run.live[run.live_count];
	flow->vip = vip;
	flow->hash = hash;
	flow->sent_ns = fake.now_ns;
	flow->place = run.live_count++;
	flow->established = flow->confirmed = flow->let_go = flow->held = false;
	flow->shown = LB_FLOW_FOUND;
	flow->shown_units = time_units(); /* a record of its tuple may be as young */
	flow->lazy = one_in(3);
	TAILQ_INSERT_TAIL(&vip->due, flow, due);
	LIST_INSERT_HEAD(&run.near[bucket_of(hash)], flow, near);
	return flow;
}

static void end_flow(struct model_flow *flow)
{
	struct model_flow *last = run.live[--run.live_count];

	run.ended[random_below(ENDED)] = (struct ended){.vip = flow->vip, .hash = flow->hash};
	tell("ends", flow->vip, flow->hash, 0, LB_NONE);
	TAILQ_REMOVE(&flow->vip->due, flow, due);
	LIST_REMOVE(flow, near);
	run.live[flow->place] = last;
	last->place = flow->place;
	run.live[run.live_count] = flow;
}

static void exempt(struct model_flow *flow)
{
	int i;

	run.exempt_count++;
	for (i = 0; i < LB_FLOW_COUNT_COUNT; i++)
		run.exempt[i] += flow->failed >> i & 1;
	end_flow(flow);
}

static void moved(struct model_flow *flow, uint32_t to)
{
	if (flow->let_go || (flow->held && !flow->established)) {
		run.let_go++;
		end_flow(flow);
	} else if (is_excused(flow))
		exempt(flow);
	else
		break_promise(flow,
			      flow->established ? "an established flow has moved"
						: "the first packet after the SYN went elsewhere",
			      to);
}

/* Every packet but the first: it must go where the flow is. */
static void send_packet(struct model_flow *flow)
{
	uint32_t backend = packet(flow->vip, flow->hash, false);

	if (backend != flow->backend) {
		moved(flow, backend);
		return;
	}
	run.established += !flow->established;
	flow->established = true;
	flow->let_go = false;
	note_outcome(flow, false);
	sent(flow);
}

static void send_due(struct model_flow *flow)
{
	send_packet(flow);
}

static const struct backend *find_in(const struct vip *host, uint32_t identity)
{
	for (int i = 0; i < BACKENDS; i++)
		if (host->backends[i].identity == identity)
			return &host->backends[i];
	return NULL;
}

/* It may be one of the pool that the VIP has left. */
static const struct backend *find_backend(const struct vip *vip, uint32_t identity,
					  const struct vip **host)
{
	const struct backend *found = find_in(vip->host, identity);

	*host = vip->host;
	for (int i = 0; !found && is_pooled(vip) && i < POOLS; i++) {
		*host = &run.vips[POOLED + i];
		found = find_in(*host, identity);
	}
	if (!found && is_pooled(vip)) {
		*host = own_of(vip);
		found = find_in(*host, identity);
	}
	return found;
}

/* Who got the last packet. Of a pool that VIPs have only left, lbd is believed. */
static bool takes_new(const struct vip *vip, uint32_t identity)
{
	const struct vip *host, *user;
	const struct backend *backend = find_backend(vip, identity, &host);

	if (!backend || run.number == LB_NONE)
		return false;
	user = host == vip->host ? vip : user_of(host);
	return user && backend->number == run.number
		       ? share_of(user, backend) > 0
		       : fake.left.members[run.number].flags & LB_MEMBER_NEW;
}

/* New flows reach the pool that a VIP has left only as flows of it are being recorded. */
static bool is_left_behind(const struct vip *vip, const struct vip *host)
{
	return host != vip->host &&
	       (uint64_t)fake.now_ns >
		       vip->moved_ns + (vip->transition_s + 1) * SECOND + 2 * TICK_NS;
}

/* A new UDP flow reaches a backend that takes none only while the flows of that are being recorded,
 * and no unhealthy one when there are others. */
static void check_first_datagram(const struct model_flow *flow)
{
	const struct vip *vip = flow->vip;
	const struct vip *host;
	const struct backend *backend = find_backend(vip, flow->backend, &host);
	int64_t learnt_ns;

	if (!flow->backend || run.counted & 1u << LB_FLOW_HIT)
		return;
	if (is_left_behind(vip, host))
		break_promise(flow, "a new UDP flow went to a pool that its VIP has left", 0);
	if (host != vip->host || share_of(vip, backend))
		return;
	if (is_left(vip, backend))
		break_promise(flow, "a new UDP flow went to an unhealthy backend", 0);
	learnt_ns = backend->left_ns + ((vip->transition_s + 1) / 2 + 1) * SECOND + 2 * TICK_NS;
	if (fake.now_ns > learnt_ns)
		break_promise(flow, "a new UDP flow went to a backend that takes none", 0);
}

/* Whether an earlier flow of the tuple may live still, for all that is known. */
static bool is_held(uint64_t word)
{
	const uint32_t age = flow_word_age(word, time_units()), grade = flow_word_grade(word);

	return word && age <= fake.plane.tuning->flow_idle && grade != LB_FLOW_NEW &&
	       (grade != LB_FLOW_CLOSED || age <= 1);
}

/* The first SYN and those sent again: the flow is where the last one went. */
static void send_syn(struct model_flow *flow)
{
	const bool held = is_held(find_word(flow->vip, flow->hash));

	flow->backend = packet(flow->vip, flow->hash, true);
	flow->held = held && !takes_new(flow->vip, flow->backend);
	if (flow->backend && !takes_new(flow->vip, flow->backend) && !held)
		break_promise(flow, "a new connection went to a backend that takes none", 0);
	if (flow->backend && !find_in(flow->vip->host, flow->backend) &&
	    !(run.counted & (FAILURES | 1u << LB_FLOW_HIT)))
		break_promise(flow, "a new connection went to a pool that its VIP has left", 0);
	note_outcome(flow, true);
	run.handshakes++;
	if (!flow->backend)
		end_flow(flow);
}

static uint64_t random_hash(const struct vip *vip)
{
	const __u64 seed[2] = {run.seed[0], run.seed[1]}, client = random_next();

	return lb_hash_ipv4(seed, client >> 32, 1 + (vip - run.vips),
			    lb_hash_l4(client, vip->protocol));
}

static void begin_flow(struct vip *vip, uint64_t hash)
{
	struct model_flow *flow = vip->there ? new_flow(vip, hash) : NULL;

	if (!flow)
		return;
	if (vip->protocol == 6) {
		send_syn(flow);
		return;
	}
	flow->backend = packet(vip, flow->hash, false);
	check_first_datagram(flow);
	note_outcome(flow, false);
	flow->established = true;
	run.established++;
	if (!flow->backend)
		end_flow(flow);
}

static void some_flow_begins(void)
{
	const struct ended *ended = &run.ended[random_below(ENDED)];
	struct vip *vip = &run.vips[random_below(VIPS)];

	if (ended->vip && one_in(3))
		begin_flow(ended->vip, ended->hash);
	else
		begin_flow(vip, random_hash(vip));
}

/* Clients whose connections were cut come back at once, some as who they were. */
static void clients_come_back(void)
{
	int i;

	for (i = 0; i < ENDED; i++)
		if (run.ended[i].vip)
			begin_flow(run.ended[i].vip, run.ended[i].hash);
}

static void some_flow_sends(void)
{
	struct model_flow *flow = run.live_count ? run.live[random_below(run.live_count)] : NULL;

	if (!flow)
		return;
	if (!flow->established && one_in(4))
		send_syn(flow);
	else if (!flow->lazy || one_in(16))
		send_packet(flow);
}

/* Nearly all connections are closed by a FIN, whose last ACK follows. */
static void some_flow_ends(void)
{
	struct model_flow *flow = run.live_count ? run.live[random_below(run.live_count)] : NULL;

	if (!flow)
		return;
	if (!is_udp(flow->vip) && !one_in(8)) {
		run.closing = true;
		packet(flow->vip, flow->hash, false);
		run.closing = false;
		packet(flow->vip, flow->hash, false);
	}
	end_flow(flow);
}

/* A pool is left when nothing is on record elsewhere in it, of whichever VIP. */
static void pooled_flows_end_that_are_elsewhere(void)
{
	for (uint32_t i = run.live_count; i--;) {
		const struct model_flow *flow = i < run.live_count ? run.live[i] : NULL;

		if (flow && is_pooled(flow->vip) && one_in(50) &&
		    identity_of(lb_slot_current(*slot_of(flow->vip, flow->hash))) != flow->backend)
			end_flow(run.live[i]);
	}
}

/* Somebody forges a SYN of an established connection, or a late copy of its own arrives. Where an
 * old flow of a MOVING slot is on no record yet, that makes it a new one. */
static void some_syn_is_forged(void)
{
	struct model_flow *flow = run.live_count ? run.live[random_below(run.live_count)] : NULL;
	uint32_t slot, forged;

	if (!flow || is_udp(flow->vip) || !flow->established || flow->failed)
		return;
	slot = *slot_of(flow->vip, flow->hash);
	if (lb_slot_previous(slot) != LB_NONE && !lb_slot_is_settled(slot) && !flow->recorded)
		return;
	forged = packet(flow->vip, flow->hash, true);
	if (forged != flow->backend)
		break_promise(flow, "a forged SYN of it went elsewhere", forged);
	if (run.counted & 1u << LB_FLOW_HIT) /* the record has the time of this one */
		flow->shown_units = time_units();
	run.forged++;
}

/* Packets of nobody's: SYNs, or others, of which some come twice. */
static void flood(uint32_t count, bool syn)
{
	struct vip *vip = &run.vips[random_below(VIPS)];

	for (; vip->there && count; count--) {
		uint64_t hash = random_hash(vip);

		if (find_flow(bucket_of(hash), tag_of(vip, hash)))
			continue;
		packet(vip, hash, syn && vip->protocol == 6);
		if (one_in(50))
			packet(vip, hash, syn && vip->protocol == 6 && one_in(2));
	}
}

/* --- a run --- */

#define VIP(address, more)                                                                         \
	"{'address': '" address "', 'health': {'type': 'tcp'}, 'backends': [%s], " more "}"
#define USER(address) "{'address': '" address "', 'pool': '%s'}"
#define OWNER(address, size, times)                                                                \
	"{'address': '" address "', 'spill_hold_s': 0, 'table_size': " size ", " times             \
	", 'health': {'type': 'tcp', 'port': 80}, 'backends': [%s]}"

/* The VIP is the only one there. */
static void take_settings(struct vip *vip, const struct lb_service *document)
{
	const struct lb_vip *from = &document->vips[0];

	vip->size = from->pool->table_size;
	vip->transition_s = lb_vip_transition_s(from);
	vip->protocol = from->endpoint.protocol;
	vip->by_source = from->hash == LB_HASH_SOURCE;
	vip->endpoint = from->endpoint;
	vip->spill_percent = from->pool->spill_percent;
	vip->spill_hold_s = from->pool->spill_hold_s;
	vip->use_all = from->pool->when_all_unhealthy == LB_ALL_UNHEALTHY_USE_ALL;
}

static void set_up(uint64_t seed, bool floods, uint32_t bucket_count)
{
	static const char *const vips[VIPS] = {
		VIP("192.0.2.1:80/tcp", "'table_size': 251, 'transition_s': 20, 'flow_idle_s': 20, "
					"'spill_percent': 100, 'spill_hold_s': 3"),
		VIP("192.0.2.2:80/tcp", "'table_size': 509, 'transition_s': 30, 'flow_idle_s': 90, "
					"'hash': 'source', 'when_all_unhealthy': 'drop'"),
		VIP("192.0.2.3:53/udp", "'table_size': 251, 'transition_s': 10, 'flow_idle_s': 15"),
		VIP("192.0.2.3:54/udp",
		    "'table_size': 251, 'transition_s': 10, 'flow_idle_s': 15, "
		    "'when_all_unhealthy': 'drop', 'spill_percent': 1, 'spill_hold_s': 0"),
		VIP("192.0.2.4:80/tcp",
		    "'table_size': 1021, 'transition_s': 45, 'flow_idle_s': 60, "
		    "'table': 'maglev', 'when_all_unhealthy': 'drop'"),
		USER("192.0.2.5:80/tcp"),
		USER("192.0.2.5:53/udp"),
		USER("192.0.2.6:80/tcp"),
	};
	static const char *const owners[VIPS - POOLED] = {
		OWNER("192.0.2.5:80/tcp", "509", "'transition_s': 25, 'flow_idle_s': 40"),
		OWNER("192.0.2.5:53/udp", "509", "'transition_s': 12, 'flow_idle_s': 20"),
		OWNER("192.0.2.6:80/tcp", "1021", "'transition_s': 25, 'flow_idle_s': 40"),
	};
	uint32_t i;

	memset(&run, 0, sizeof(run));
	run.start_seed = run.random = seed;
	run.floods = floods;
	run.seed[0] = random_next();
	run.seed[1] = random_next();
	fake_open(VIPS, NUMBERS / 2, 10000, bucket_count);
	/* The time of flow words wraps after some 300 s. */
	fake.now_ns = ((1ull << 15) << LB_FLOW_TIME_SHIFT) - 300 * SECOND + random_below(SECOND);
	memcpy(fake.config.seed, run.seed, sizeof(run.seed));
	assert_int_equal(fake_start(NULL), 0);
	for (i = 0; i < FLOWS_MAX; i++)
		run.live[i] = &run.pool[i];
	for (i = 0; i < VIPS; i++)
		run.vips[i].host = &run.vips[i < POOLED ? i : POOLED + i % POOLS];
	for (i = 0; i < VIPS; i++) {
		struct vip *vip = &run.vips[i];

		struct lb_service *document;

		TAILQ_INIT(&vip->due);
		vip->text = vips[i];
		vip->there = true;
		document = document_now();
		vip->there = false;
		take_settings(vip, document);
		lb_service_free(document);
		if (!is_pooled(vip))
			continue;
		vip->own_text = owners[i - POOLED];
		*own_of(vip) = *vip;
	}
	for (i = 0; i < VIPS; i++)
		add_vip(&run.vips[i]);
	run.fails = true;
}

static void tear_down(void)
{
	fake_close();
}

static void some_time_passes(void)
{
	uint64_t most = one_in(400) ? 8 * SECOND : one_in(10) ? SECOND / 4 : SECOND / 50;

	pass_time(random_below(most));
}

static void some_changes(void)
{
	struct vip *vip;

	do {
		uint64_t cut = run.ends[1];

		vip = &run.vips[random_below(VIPS)];
		change_vip(vip);
		if (run.ends[1] == cut)
			continue;
		clients_come_back();
		pass_time(random_below(3 * SECOND));
		if (one_in(2))
			change_vip(vip);
	} while (one_in(3));
}

/* All is quiet until shortly before the time of flow words wraps once more. */
static void long_silence(void)
{
	const uint64_t wrap = 1ull << 15 << LB_FLOW_TIME_SHIFT;

	while (run.live_count)
		end_flow(run.live[0]);
	pass_time(200 * SECOND);
	assert_false(fake.service->flows_possible);
	fake.now_ns += wrap - fake.now_ns % wrap - 60 * SECOND;
}

/* A VIP moves, and little else happens until it has the slots of its new pool. */
static void a_move_comes_to_its_end(void)
{
	struct vip *vip = &run.vips[POOLED + random_below(VIPS - POOLED)];
	const int64_t end_ns = fake.now_ns + 300 * SECOND;

	if (vip->there)
		move(vip);
	while (vip->there && fake.now_ns < end_ns &&
	       (live_has_left(vip->live->table) || vip->live->table->slots.resizes)) {
		some_flow_begins();
		some_flow_sends();
		if (live_has_left(vip->live->table))
			pooled_flows_end_that_are_elsewhere();
		if (one_in(4) && run.live_count > random_below(2 * FLOWS))
			some_flow_ends();
		if (one_in(3))
			pass_time(random_below(2 * SECOND));
		if (one_in(vip->live->table->slots.resizes ? 60 : 200))
			change_backend(vip, &vip->host->backends[random_below(BACKENDS)]);
		if (vip->there && vip->live->table->slots.resizes && one_in(1000))
			move(vip);
		if (one_in(1000))
			restart();
	}
}

/* Two thirds of the time changes come thick and fast, the rest is calm enough for slots to settle. */
static void one_step(void)
{
	bool restless = run.step / 8192 % 3 < 2, flooded = run.step / 2048 % 2;
	uint32_t what = random_below(100);

	if (run.floods && flooded && one_in(4))
		flood(16, run.step / 4096 % 2);
	if (one_in(restless ? 300 : 20000))
		some_changes();
	if (one_in(100))
		remove_what_is_drained();
	if (one_in(200000))
		long_silence();
	if (one_in(8000))
		a_move_comes_to_its_end();
	if (one_in(50))
		some_syn_is_forged();
	if (what < 55)
		some_flow_sends();
	else if (what < 70)
		some_flow_begins();
	else if (what < 85)
		some_time_passes();
	else if (run.live_count > random_below(2 * FLOWS))
		some_flow_ends();
}

/* --- what must hold when nothing has changed for long --- */

/* So that every slot has an owner. */
static void add_missing(void)
{
	int v, i;

	run.fails = false;
	pass_time(47 * SECOND); /* numbers come free */
	for (v = 0; v < VIPS; v++) {
		struct vip *vip = &run.vips[v];

		if (!vip->there)
			add_vip(vip);
		if (!vip->host->backends[0].identity)
			add_backend(vip, &vip->host->backends[0]);
		for (i = 0; i < BACKENDS; i++)
			vip->host->backends[i].unhealthy = false;
		vip->host->backends[0].drain = false;
		vip->host->backends[0].weight = 3;
		assert_true(apply(vip, "the last change", false));
		check_health(vip);
	}
	fake_check(true);
}

static void whole_pass(void)
{
	while (!sweep_step(fake.service->sweep, fake.plane.bucket_count, time_units()))
		;
}

static bool have_common_members(const struct vip *a, const struct vip *b)
{
	return a->host == b->host || (is_pooled(a) && is_pooled(b));
}

/* What a live flow's place on record must be: TRACKED is every slot with a flow that is elsewhere,
 * and no other. */
static void check_slots(void)
{
	/* 1: of a VIP with the same backends, 2: of the same slots. */
	static uint8_t elsewhere[LB_TABLE_SIZE_MAX];
	uint32_t v, i;

	for (v = 0; v < VIPS; v++) {
		struct vip *vip = &run.vips[v];

		memset(elsewhere, 0, vip->size);
		for (i = 0; i < run.live_count; i++) {
			struct model_flow *flow = run.live[i];
			uint32_t word = *slot_of(flow->vip, flow->hash);

			if (!have_common_members(flow->vip, vip))
				continue;
			if (is_pooled(vip)) /* a word is looked at in the slots of both pools */
				word = vip->words[slot_number(vip, flow->hash)];
			if (identity_of(lb_slot_current(word)) != flow->backend ||
			    !is_on(flow, lb_slot_current(word)))
				elsewhere[slot_number(vip, flow->hash)] |=
					(flow->vip->words == vip->words ? 3 : 1) *
					(!flow->failed && !flow->let_go);
		}
		assert_int_equal(vip->live->table->slots.moving, 0);
		for (i = 0; i < vip->size; i++)
			assert_true(lb_slot_is_settled(vip->words[i]) ? !(elsewhere[i] & 2)
								      : elsewhere[i] & 1);
	}
}

/* The sweep's counts are those of the words, and every flow away from its slot's owner is counted;
 * no count is larger than the flows of TRACKED slots. */
static void check_counts(void)
{
	uint32_t words[NUMBERS] = {0}, least[NUMBERS] = {0}, most[NUMBERS] = {0}, i, n;
	uint64_t total = 0;
	int way;

	whole_pass();
	whole_pass();
	for (i = 0; i < fake.plane.bucket_count; i++)
		for (way = 0; way < LB_FLOW_WAYS; way++)
			if (fake.plane.flows[i].word[way])
				words[flow_word_member(fake.plane.flows[i].word[way])]++;
	for (n = 0; n < NUMBERS; n++)
		for (i = 0; i < run.live_count; i++) {
			struct model_flow *flow = run.live[i];
			uint32_t slot = *slot_of(flow->vip, flow->hash);
			bool mine = run.identities[n] == flow->backend;

			least[n] += mine && lb_slot_current(slot) != n && !flow->failed &&
				    identity_of(lb_slot_current(slot)) != flow->backend &&
				    is_on(flow, n);
			most[n] += mine && !lb_slot_is_settled(slot);
		}
	for (n = 0; n < NUMBERS; n++) {
		assert_int_equal(sweep_flows(fake.service->sweep, n), words[n]);
		assert_in_range(words[n], least[n], most[n]);
		total += words[n];
	}
	assert_int_equal(sweep_total(fake.service->sweep), total);
}

static void packets_to_settled_slots_write_nothing(void)
{
	uint64_t counts[LB_FLOW_COUNT_COUNT], i;
	int way;

	memcpy(counts, run.counts, sizeof(counts));
	flood(20000, true);
	flood(20000, false);
	for (i = 0; i < 2000; i++) {
		some_flow_begins();
		some_flow_sends();
	}
	assert_memory_equal(counts, run.counts, sizeof(counts));
	for (i = 0; i < fake.plane.bucket_count; i++)
		for (way = 0; way < LB_FLOW_WAYS; way++)
			assert_int_equal(fake.plane.flows[i].word[way], 0);
}

static void check_steady_state(void)
{
	int v;

	add_missing();
	pass_time(47 * SECOND); /* the longest transition */
	pass_time(200 *
		  SECOND); /* ended flows die, their slots settle, what is on record there dies */
	check_slots();
	check_counts();
	while (run.live_count)
		end_flow(run.live[0]);
	pass_time(110 * SECOND);
	assert_false(fake.service->flows_possible);
	packets_to_settled_slots_write_nothing();
	for (v = 0; v < VIPS; v++) {
		assert_int_equal(run.vips[v].live->table->slots.tracked, 0);
		remove_vip(&run.vips[v]);
	}
	fake_check_empty();
}

static void print_run(void)
{
	printf("seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " packets (%" PRIu64
	       " unsettled), %" PRIu64 " changes (%" PRIu64 " removals drained, %" PRIu64
	       " forced, %" PRIu64 " refused), %" PRIu64 " moves (%" PRIu64
	       " to another size, %" PRIu64 " from or to backends of its own, %" PRIu64
	       " a pool too many), %" PRIu64 " spills, %" PRIu64 " restarts, %" PRIu64
	       " established; exempt %" PRIu64 " (refused %" PRIu64 ", over budget %" PRIu64
	       ", evicted %" PRIu64 "), let go %" PRIu64 ", SYNs forged %" PRIu64 "\n",
	       run.start_seed, run.step, run.packets, run.unsettled, run.changes, run.ends[0],
	       run.ends[1], run.refused, run.moves, run.resized, run.own_moves, run.left_two,
	       run.spills, run.restarts, run.established, run.exempt_count,
	       run.exempt[LB_FLOW_REFUSED], run.exempt[LB_FLOW_OVER_BUDGET],
	       run.exempt[LB_FLOW_EVICTED], run.let_go, run.forged);
	fflush(stdout);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* At most one in `exempt_of` established flows may be exempt; 0: any number. */
static void run_all(bool floods, uint32_t bucket_count, uint32_t exempt_of)
{
	uint64_t seed = from_environment("PROMISE_SEED", 1), i;
	uint64_t steps = from_environment("PROMISE_STEPS", STEPS);

	for (i = 0; i < RUNS; i++) {
		set_up(seed + i, floods, bucket_count);
		for (; run.step < steps; run.step++)
			one_step();
		print_run();
		assert_true(run.exempt_count * exempt_of <= run.established);
		assert_in_range(run.alike, 0, 2);
		check_steady_state();
		tear_down();
	}
}

static void established_flows_keep_their_backend(void **state)
{
	(void)state;
	run_all(false, ROOM, 1000);
}

static void established_flows_keep_their_backend_under_spoofed_floods(void **state)
{
	(void)state;
	run_all(true, BUCKETS, 50);
}

static void without_room_only_flows_move_that_the_table_refused_or_gave_up(void **state)
{
	(void)state;
	run_all(true, FEW_BUCKETS, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(established_flows_keep_their_backend),
		cmocka_unit_test(established_flows_keep_their_backend_under_spoofed_floods),
		cmocka_unit_test(without_room_only_flows_move_that_the_table_refused_or_gave_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
