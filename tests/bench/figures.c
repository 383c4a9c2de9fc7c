// SPDX-License-Identifier: BSD-2-Clause
/* What does a change of backends cost: slots that move, flows that have to be remembered, and flows
 * that break on another node?
 *
 *   figures [--json]      the same numbers at each run, as a table in Markdown or as JSON
 *
 * Each case is one VIP of the default size whose backends have weight 10, and flows that were there
 * before the event and go on, with a packet in each transition, at a random time of it. They are
 * not packets but their hashes, and go through lbd's slots and sweep and the program's flow table,
 * compiled into this program. Then another node takes over, which has the same document and no
 * records.
 *
 *   remove     one backend is drained; its flows go on
 *   add        one more backend
 *   reweight   one backend gets twice its weight
 *   flap       one backend takes no new flows for half a transition
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/abi.h"
#include "../../bpf/hash.h"
#include "../../lbd/service/plan.h"
#include "../../lbd/plane/slots.h"
#include "../../lbd/plane/sweep.h"
#include "../../lbd/table/table.h"
#include "../lib/splitmix.h"

#define FLOWS 200000
#define BUCKETS (1048576 / LB_FLOW_WAYS) /* of lbd's default flow table */
#define SIZE LB_TABLE_SIZE_DEFAULT
#define WEIGHT 10
#define BACKENDS_MAX 1001
#define TRANSITION_S LB_TRANSITION_TCP_S

/* --- what flow.h asks for: members that are all there, and no budget --- */

struct flow;
static uint64_t counted[LB_FLOW_COUNT_COUNT];
static struct lb_backend backends[BACKENDS_MAX]; /* a member's number is its place here */

static uint32_t flow_member_flags(const struct flow *flow, uint32_t member)
{
	(void)flow;
	return LB_MEMBER_VALID | LB_MEMBER_OLD |
	       (lb_backend_share(&backends[member]) ? LB_MEMBER_NEW : 0);
}

static void flow_count(enum lb_flow_count what)
{
	counted[what]++;
}

static int flow_may_evict(const struct flow *flow)
{
	(void)flow;
	return 1;
}

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* clang's, for the program */
#include "../../bpf/flow.h"

enum event { REMOVE, ADD, REWEIGHT, FLAP, EVENTS };
static const char *const event_names[] = {"remove", "add", "reweight", "flap"};

struct figures {
	enum event event;
	enum lb_table_kind kind;
	uint32_t backends;
	uint32_t moved, ideal; /* slots, in both changes of a flap together */
	/* Flows: recorded at the end of the transition; broken on this node; on the next one; and
	 * on this one if it had only its table. */
	uint32_t tracked, broken, failover, stateless;
};

struct node {
	struct table *table;
	struct slots slots;
	struct sweep_tables *swept;
	uint32_t words[SIZE];
	struct sweep *sweep;
	size_t count; /* of backends */
};

struct sender {
	uint64_t hash;
	uint32_t offset_s; /* when it sends, in each transition */
	uint16_t backend;
	bool broken, rehashed;
};

static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};
static struct lb_flow_bucket *buckets;
static struct sender *senders;
static struct node node;
static uint64_t random_state;

static uint64_t random64(void)
{
	return splitmix64(&random_state);
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "figures: %s\n", what);
	exit(1);
}

/* --- the node --- */

static size_t list_members(struct table_member *members)
{
	size_t i;

	for (i = 0; i < node.count; i++)
		members[i] = (struct table_member){backends[i].address,
						   lb_backend_share(&backends[i]), i};
	return node.count;
}

static void update_table(void)
{
	static struct table_member members[BACKENDS_MAX];

	list_members(members);
	check(!table_update(node.table, members, node.count), "out of memory");
}

static void open_node(enum lb_table_kind kind, size_t count)
{
	size_t i;

	node.count = count;
	node.table = table_new(kind, SIZE, seed);
	node.sweep = sweep_new(buckets, BUCKETS, BACKENDS_MAX);
	memset(node.words, 0xff, sizeof(node.words));
	memset(buckets, 0, BUCKETS * sizeof(*buckets));
	memset(counted, 0, sizeof(counted));
	check(node.table && node.sweep && !slots_init(&node.slots, node.words, SIZE),
	      "out of memory");
	node.swept = sweep_tables_new(1);
	check(node.swept, "out of memory");
	node.swept->at[node.swept->count++] = &node.slots;
	for (i = 0; i < BACKENDS_MAX; i++) {
		backends[i] = (struct lb_backend){
			.address = {.family = 4, .bytes = {10, 0, i >> 8, i}}, .weight = WEIGHT};
		sweep_member_set(node.sweep, i, node.swept, TRANSITION_S, TRANSITION_S);
	}
	update_table();
	slots_settle(&node.slots, table_owners(node.table));
}

static void close_node(void)
{
	table_free(node.table);
	sweep_free(node.sweep);
	free(node.swept);
	slots_clear(&node.slots);
}

/* --- flows --- */

static uint32_t units(uint32_t seconds)
{
	return ((uint64_t)seconds * 1000000000) >> LB_FLOW_TIME_SHIFT;
}

static void begin_flows(void)
{
	uint32_t i;

	for (i = 0; i < FLOWS; i++) {
		struct sender *sender = &senders[i];

		*sender = (struct sender){.hash = random64(),
					  .offset_s = (random64() >> 32) * TRANSITION_S >> 32};
		sender->backend = lb_slot_current(node.words[lb_hash_slot(sender->hash, SIZE)]);
	}
}

/* As backend.h has it. */
static uint16_t route(const struct sender *sender, uint32_t now_s)
{
	const uint32_t word = node.words[lb_hash_slot(sender->hash, SIZE)];
	const struct flow flow = {
		.bucket = &buckets[sender->hash & (BUCKETS - 1)],
		.tag = lb_hash_tag(sender->hash),
		.time = units(now_s) & LB_FLOW_TIME_MASK,
		.idle = sweep_units(TRANSITION_S),
	};

	return lb_slot_is_settled(word) ? lb_slot_current(word) : flow_route(&flow, word);
}

/* The packets of the flows that send within [from, to) of a transition. */
static void send_packets(uint32_t start_s, uint32_t from_s, uint32_t to_s)
{
	uint32_t i;

	for (i = 0; i < FLOWS; i++) {
		struct sender *sender = &senders[i];

		if (sender->offset_s < from_s || sender->offset_s >= to_s)
			continue;
		sender->broken |= route(sender, start_s + sender->offset_s) != sender->backend;
	}
}

/* Which flows does the table alone send elsewhere? */
static void look_at_owners(void)
{
	const uint16_t *owners = table_owners(node.table);
	uint32_t i;

	for (i = 0; i < FLOWS; i++)
		senders[i].rehashed |=
			owners[lb_hash_slot(senders[i].hash, SIZE)] != senders[i].backend;
}

/* --- changes --- */

/* The backends have just been edited; `before` is how they were. */
static void change(struct figures *figures, const struct table_member *before, size_t before_count,
		   uint32_t now_s)
{
	static const uint64_t none_gone[(LB_NONE + 1) / 64];
	static struct table_member after[BACKENDS_MAX];
	const size_t count = list_members(after);

	update_table();
	figures->moved +=
		plan_moved(node.words, (struct slots_owners){table_owners(node.table), SIZE}, SIZE);
	figures->ideal += plan_ideal(before, before_count, after, count, SIZE);
	slots_change(&node.slots, table_owners(node.table), none_gone, now_s, TRANSITION_S);
	look_at_owners();
}

static void first_change(struct figures *figures)
{
	static struct table_member before[BACKENDS_MAX];
	const size_t count = list_members(before);

	switch (figures->event) {
	case REMOVE:
	case FLAP:
		backends[node.count / 2].drain = true;
		break;
	case ADD:
		node.count++;
		break;
	case REWEIGHT:
		backends[node.count / 2].weight = 2 * WEIGHT;
		break;
	default:
		break;
	}
	change(figures, before, count, 0);
}

static void end_flap(struct figures *figures)
{
	static struct table_member before[BACKENDS_MAX];
	const size_t count = list_members(before);

	backends[node.count / 2].drain = false;
	change(figures, before, count, TRANSITION_S / 2);
}

static void sweep_all(uint32_t now_s)
{
	check(sweep_step(node.sweep, BUCKETS, units(now_s)), "a pass of the sweep has not ended");
	slots_sweep_end(&node.slots);
}

/* Another node: the same backends, in another order, and its table made from scratch. */
static uint32_t fail_over(enum lb_table_kind kind)
{
	static struct table_member members[BACKENDS_MAX];
	static uint16_t owners[SIZE];
	uint32_t broken = 0, i;
	size_t from;

	list_members(members);
	for (from = node.count; from > 1; from--) {
		const size_t to = random64() % from;
		const struct table_member swapped = members[from - 1];

		members[from - 1] = members[to];
		members[to] = swapped;
	}
	check(!table_build(kind, members, node.count, SIZE, seed, owners), "out of memory");
	check(table_digest(owners, SIZE, members, node.count, seed) ==
		      table_digest(table_owners(node.table), SIZE, members, node.count, seed),
	      "two nodes with the same backends differ in their tables");
	for (i = 0; i < FLOWS; i++)
		broken += owners[lb_hash_slot(senders[i].hash, SIZE)] != senders[i].backend;
	return broken;
}

/* --- a case --- */

/* Two transitions: the first one, and one more in which nothing may have been forgotten. */
static void pass_transitions(struct figures *figures)
{
	send_packets(0, 0, TRANSITION_S / 2);
	if (figures->event == FLAP)
		end_flap(figures);
	send_packets(0, TRANSITION_S / 2, TRANSITION_S);
	slots_expire(&node.slots, TRANSITION_S);
	sweep_all(TRANSITION_S);
	figures->tracked = sweep_total(node.sweep);
	sweep_all(TRANSITION_S);
	send_packets(TRANSITION_S, 0, TRANSITION_S);
}

static struct figures measure(enum event event, enum lb_table_kind kind, uint32_t count)
{
	struct figures figures = {.event = event, .kind = kind, .backends = count};
	uint32_t i;

	random_state = seed[0];
	open_node(kind, count);
	begin_flows();
	first_change(&figures);
	pass_transitions(&figures);
	figures.failover = fail_over(kind);
	for (i = 0; i < FLOWS; i++) {
		figures.broken += senders[i].broken;
		figures.stateless += senders[i].rehashed;
	}
	check(!counted[LB_FLOW_REFUSED] && !counted[LB_FLOW_EVICTED], "the flow table had no room");
	close_node();
	return figures;
}

/* --- printing --- */

static void print_row(const struct figures *figures)
{
	printf("| %s | %u | %s | %u | %u | %d | %u | %u | %u | %u |\n", event_names[figures->event],
	       figures->backends, lb_table_kind_name(figures->kind), figures->moved, figures->ideal,
	       (int)(figures->moved - figures->ideal), figures->tracked, figures->broken,
	       figures->failover, figures->stateless);
}

static void print_head(void)
{
	printf("%u slots, %u flows.\n\n", SIZE, FLOWS);
	puts("| event | backends | table | slots moved | ideal | excess | flows tracked | broken "
	     "here | broken after failover | broken at once without records |");
	puts("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|");
}

static json_t *as_json(const struct figures *figures)
{
	return json_pack("{s:s,s:i,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "event",
			 event_names[figures->event], "backends", figures->backends, "table",
			 lb_table_kind_name(figures->kind), "slots_moved", figures->moved,
			 "slots_ideal", figures->ideal, "slots_excess",
			 (int)(figures->moved - figures->ideal), "flows_tracked", figures->tracked,
			 "flows_broken", figures->broken, "flows_broken_after_failover",
			 figures->failover, "flows_broken_without_records", figures->stateless);
}

static json_t *measure_all(bool print)
{
	static const enum lb_table_kind kinds[] = {LB_TABLE_RENDEZVOUS, LB_TABLE_MAGLEV};
	static const uint32_t counts[] = {10, 100, 1000};
	json_t *rows = json_array();
	int event, count, kind;

	for (event = 0; event < EVENTS; event++) {
		for (count = 0; count < 3; count++) {
			for (kind = 0; kind < 2; kind++) {
				const struct figures figures =
					measure(event, kinds[kind], counts[count]);

				if (print)
					print_row(&figures);
				json_array_append_new(rows, as_json(&figures));
			}
		}
	}
	return json_pack("{s:i,s:i,s:o}", "slots", SIZE, "flows", FLOWS, "events", rows);
}

int main(int argc, char **argv)
{
	const bool json = argc == 2 && !strcmp(argv[1], "--json");
	json_t *all;

	if (argc > 1 && !json) {
		fprintf(stderr, "usage: figures [--json]\n");
		return 2;
	}
	buckets = aligned_alloc(64, BUCKETS * sizeof(*buckets));
	senders = calloc(FLOWS, sizeof(*senders));
	check(buckets && senders, "out of memory");
	if (!json)
		print_head();
	all = measure_all(!json);
	if (json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	free(senders);
	free(buckets);
	return 0;
}
