/* SPDX-License-Identifier: BSD-2-Clause */
/* Does an established connection keep its backend when packets go from one node of a tier to another?
 *
 * Three nodes have the same tables, a little later one than the other, but each has its own records: its
 * own flow table, slots and pasts, and its own numbers of members. Between is the real code: slots, pasts, the
 * sweep, tables, and of the program what chooses a member (flow.h) and a list of backends (chance.h).
 * A backend has what it has accepted, and passes on what it has not, as second.h says. Weights change,
 * backends are removed and come back, one dies; connections go from node to node at random.
 *
 * The promise ends for a connection when its backend is removed or dies; where its node has forgotten
 * that its backend had the slot, which a node may when more than three backends had it since it was settled;
 * and where its node has settled the slot, `remember_s` after the last change. Everything follows from one
 * seed: NODES_SEED in the environment is another one, NODES_STEPS the steps of each run.
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
#include <cmocka.h>
#include "../../lbd/simulate/xdp_shim.h"
#include "../../lbd/plane/slots.h"
#include "../../lbd/plane/sweep.h"
#include "../../lbd/table/table.h"
#include "../lib/splitmix.h"

#define LB_RODATA static
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "../../bpf/backend.h"
#include "../../bpf/chance.h"
#pragma GCC diagnostic pop

#define NODES 3
#define BACKENDS 12
#define NUMBERS 13 /* of members; a prime */
#define SIZE 251u
#define LINES (SIZE / LB_SLOT_LINE + 1)
#define BUCKETS 1024u
#define TRANSITION_S 20
#define IDLE_S 20
#define REMEMBER_S 60
#define LAG_S 3 /* at most, until all nodes have a change */
#define FLOWS 600
#define STEPS 60000
#define RUNS 4
#define SECOND 1000000000ull

enum { ABSENT, PRESENT, DEAD };
enum { KNOWN, FORGOTTEN, TOO_LATE }; /* a backend to a slot */

struct connection {
	uint64_t hash, sent_ns, epoch;
	int backend; /* -1: not in use */
	uint32_t slot, node;
};

static struct node {
	struct lb_slot_line words[LINES], pasts[LINES];
	struct slots slots;
	struct sweep *sweep;
	struct sweep_tables *tables;
	struct lb_flow_bucket flows[BUCKETS];
	struct lb_member members[NUMBERS];
	uint64_t due_ns; /* of the change under way; 0: it has been made */
	uint8_t forgot[SIZE][BACKENDS];
	uint64_t changed_ns[SIZE]; /* when the slot had another owner last */
} nodes[NODES], *at;

static struct {
	uint64_t random, seed;
	int is[BACKENDS];
	uint32_t weight[BACKENDS];
	uint16_t owners[SIZE]; /* backends */
	struct table *table;
	struct connection connections[FLOWS];
	uint64_t epoch;           /* of the way that packets go */
	uint32_t freed[BACKENDS]; /* nodes that have no word of it any more, bit by bit */
	uint64_t packets, listed, passed_on, changes, handed_over, forgotten, late, opened, ended;
	struct lb_scratch scratch;
	struct lb_tuning tuning;
	uint64_t pools, counted[LB_FLOW_COUNT_COUNT];
	uint64_t next_change_ns, next_second_ns;
} run;

/* --- the program's maps --- */

static void *shim_look_up(const void *map, const void *key)
{
	const uint32_t index = *(const uint32_t *)key;

	if (map == &slots)
		return index < LINES ? &at->words[index] : NULL;
	if (map == &pasts)
		return index < LINES ? &at->pasts[index] : NULL;
	if (map == &members)
		return index < NUMBERS ? &at->members[index] : NULL;
	if (map == &flows)
		return &at->flows[index];
	if (map == &scratch)
		return &run.scratch;
	if (map == &tuning)
		return &run.tuning;
	if (map == &vip_pools)
		return &run.pools;
	if (map == &flow_counts)
		return &run.counted[index];
	return NULL;
}

static long shim_update(const void *map, const void *key, const void *value)
{
	(void)map;
	(void)key;
	(void)value;
	return 0;
}

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

/* --- backends, and their numbers, which are others on each node --- */

static uint16_t number_of(const struct node *node, int backend)
{
	return backend < 0 ? LB_NONE : (backend * 5 + 1 + (node - nodes) * 4) % NUMBERS;
}

static int backend_of(const struct node *node, uint32_t number)
{
	for (int i = 0; i < BACKENDS; i++)
		if (number_of(node, i) == number)
			return i;
	return -1;
}

static uint32_t now_s(void)
{
	return shim_now_ns / SECOND;
}

static uint32_t word_of(const struct node *node, uint32_t slot)
{
	return node->slots.words[slot];
}

/* --- an owner that a node knows of --- */

static void know(const struct node *node, uint32_t slot, bool known[BACKENDS])
{
	const uint32_t word = word_of(node, slot), past = node->slots.pasts[slot];
	const uint16_t numbers[] = {lb_slot_current(word), lb_slot_previous(word),
				    lb_past_at(past, 0), lb_past_at(past, 1)};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		const int backend = backend_of(node, numbers[i]);

		if (backend >= 0)
			known[backend] = true;
	}
}

/* Three are known of always. */
static void check_past(struct node *node, uint32_t slot, const bool before[BACKENDS])
{
	bool now[BACKENDS] = {0};
	int count = 0, lost = 0;

	if (lb_slot_is_settled(word_of(node, slot)))
		return;
	know(node, slot, now);
	for (int i = 0; i < BACKENDS; i++) {
		const bool had = before[i] && run.is[i] != ABSENT;

		count += had || (now[i] && run.is[i] != ABSENT);
		lost += had && !now[i];
		if (had && !now[i] && node->forgot[slot][i] == KNOWN)
			node->forgot[slot][i] = FORGOTTEN;
	}
	if (lost && count <= 3)
		fail_msg("seed %" PRIu64 ": node %d forgot an owner of slot %u, which had %d",
			 run.seed, (int)(node - nodes), slot, count);
}

/* --- changes --- */

static void set_member(struct node *node, int backend)
{
	struct lb_member *member = &node->members[number_of(node, backend)];
	const bool is_there = run.is[backend] != ABSENT;

	if (is_there)
		sweep_member_set(node->sweep, number_of(node, backend), node->tables, TRANSITION_S,
				 IDLE_S);
	else if (member->flags && !(member->flags & LB_MEMBER_GONE))
		sweep_member_gone(node->sweep, number_of(node, backend));
	if (is_there)
		member->flags = LB_MEMBER_VALID | LB_MEMBER_OLD | LB_MEMBER_CHAIN |
				(run.weight[backend] ? LB_MEMBER_NEW : 0) |
				(run.is[backend] == DEAD ? LB_MEMBER_SICK : 0);
	else if (member->flags)
		member->flags = LB_MEMBER_GONE;
}

/* The node makes the change that is under way. */
static void follow(struct node *node)
{
	static bool before[SIZE][BACKENDS];
	uint64_t gone[1024] = {0};
	uint16_t owners[SIZE];

	at = node;
	node->due_ns = 0;
	memset(before, 0, sizeof(before));
	for (uint32_t i = 0; i < SIZE; i++) {
		owners[i] = number_of(node, run.owners[i] == LB_NONE ? -1 : run.owners[i]);
		know(node, i, before[i]);
		if (owners[i] != lb_slot_current(word_of(node, i)))
			node->changed_ns[i] = shim_now_ns;
		if (run.owners[i] != LB_NONE)
			node->forgot[i][run.owners[i]] = KNOWN;
	}
	for (int i = 0; i < BACKENDS; i++) {
		const uint16_t number = number_of(node, i);

		set_member(node, i);
		if (run.is[i] == ABSENT)
			gone[number / 64] |= 1ull << number % 64;
	}
	slots_change(&node->slots, owners, gone, now_s(), TRANSITION_S);
	for (uint32_t i = 0; i < SIZE; i++)
		check_past(node, i, before[i]);
}

static bool is_under_way(void)
{
	for (int i = 0; i < NODES; i++)
		if (nodes[i].due_ns)
			return true;
	return false;
}

static void make_table(void)
{
	struct table_member present[BACKENDS];
	size_t count = 0;

	for (int i = 0; i < BACKENDS; i++)
		if (run.is[i] == PRESENT)
			present[count++] = (struct table_member){
				.address = {.family = 4, .bytes = {10, 0, 0, i + 1}},
				.weight = run.weight[i],
				.number = i};
	assert_int_equal(table_update(run.table, present, count), 0);
	memcpy(run.owners, table_owners(run.table), sizeof(run.owners));
}

static void end(struct connection *connection)
{
	connection->backend = -1;
	run.ended++;
}

static void end_all_of(int backend)
{
	for (int i = 0; i < FLOWS; i++)
		if (run.connections[i].backend == backend)
			end(&run.connections[i]);
}

static int count_of(int is)
{
	int count = 0;

	for (int i = 0; i < BACKENDS; i++)
		count += run.is[i] == is;
	return count;
}

static void change_one(int backend)
{
	if (run.is[backend] == ABSENT) {
		if (run.freed[backend] != (1u << NODES) - 1)
			return;
		run.is[backend] = PRESENT;
		run.freed[backend] = 0;
	} else if (run.is[backend] == DEAD) {
		run.is[backend] = PRESENT;
	} else if (one_in(8) && count_of(PRESENT) > 6) {
		run.is[backend] = ABSENT;
		end_all_of(backend);
	} else if (one_in(6) && !count_of(DEAD) && count_of(PRESENT) > 6) {
		run.is[backend] = DEAD;
		end_all_of(backend);
	} else {
		run.weight[backend] = run.weight[backend] && one_in(3) ? 0 : 1 + random_below(10);
	}
}

static void some_change(void)
{
	change_one(random_below(BACKENDS));
	make_table();
	run.changes++;
	for (int i = 0; i < NODES; i++)
		nodes[i].due_ns = shim_now_ns + 1 + random_below(LAG_S * 1000) * 1000000ull;
}

/* --- packets --- */

static bool accepts(const struct connection *connection, int backend)
{
	return backend == connection->backend;
}

static const char *reaches(const struct connection *connection, uint32_t first)
{
	for (uint32_t i = 0; i <= run.scratch.hops.count; i++) {
		const int backend = backend_of(at, i ? run.scratch.hops.number[i - 1] : first);

		run.passed_on += i > 0;
		if (backend < 0)
			return "went to nobody";
		if (run.is[backend] == DEAD && at->due_ns)
			return NULL; /* it will be sent again, once this node knows */
		if (run.is[backend] == DEAD)
			return "went to a backend that is dead";
		if (accepts(connection, backend))
			return NULL;
	}
	return "went to backends that do not have it";
}

/* To where it goes, with a list in the scratch. */
static uint32_t choose_member(const struct connection *connection, int role)
{
	const uint32_t word = word_of(at, connection->slot);
	uint32_t number = lb_slot_current(word), first;

	run.packets++;
	run.scratch.hops.count = 0;
	if (lb_slot_is_settled(word) && number != LB_NONE)
		return number;
	number = unsettled_member(lb_hash_tag(connection->hash), (__u32)connection->hash, word, 0,
				  role);
	if (role == OPENS_FLOW || !slot_is_chain(word))
		return number;
	first = chance_list(connection->slot, word, number);
	if (!first)
		run.scratch.hops.count = 0;
	run.listed += first != 0;
	return first ? first - 1 : number;
}

static bool may_break(const struct connection *connection)
{
	const uint8_t forgot = at->forgot[connection->slot][connection->backend];

	run.forgotten += forgot == FORGOTTEN;
	run.late += forgot == TOO_LATE;
	return forgot != KNOWN;
}

static void print_story(const struct connection *connection)
{
	for (int i = 0; i < NODES; i++) {
		const uint32_t word = word_of(&nodes[i], connection->slot);
		const uint32_t past = nodes[i].slots.pasts[connection->slot];

		printf("node %d: slot %d|%d, past %d %d\n", i,
		       backend_of(&nodes[i], lb_slot_current(word)),
		       backend_of(&nodes[i], lb_slot_previous(word)),
		       backend_of(&nodes[i], lb_past_at(past, 0)),
		       backend_of(&nodes[i], lb_past_at(past, 1)));
	}
	printf("changed %.1f s ago, now %.1f s\n",
	       ((double)shim_now_ns - (double)at->changed_ns[connection->slot]) / 1e9,
	       shim_now_ns / 1e9);
}

/* Where the network takes it now. While a change is under way it stays where it is. */
static void find_way(struct connection *connection)
{
	const uint32_t node = (connection->hash ^ run.epoch * 0x9e3779b97f4a7c15ull) % 997 % NODES;

	if (connection->epoch == run.epoch)
		return;
	connection->epoch = run.epoch;
	run.handed_over += node != connection->node;
	connection->node = node;
}

static void send_packet(struct connection *connection)
{
	const char *wrong;

	find_way(connection);
	at = &nodes[connection->node];
	/* About the connection, or of it. */
	wrong = reaches(connection,
			choose_member(connection, one_in(10) ? ONLY_FOLLOWS : NO_OPENING));
	if (!wrong)
		wrong = reaches(connection, choose_member(connection, NO_OPENING));
	connection->sent_ns = shim_now_ns;
	if (!wrong)
		return;
	if (may_break(connection)) {
		end(connection);
		return;
	}
	print_story(connection);
	fail_msg("seed %" PRIu64 ", node %u, slot %u, backend %d: a packet %s (%u of a list)",
		 run.seed, connection->node, connection->slot, connection->backend, wrong,
		 run.scratch.hops.count);
}

static void open_connection(struct connection *connection)
{
	uint32_t number;

	*connection = (struct connection){
		.hash = random_next(), .sent_ns = shim_now_ns, .backend = -1, .epoch = ~0ull};
	connection->slot = lb_hash_slot(connection->hash, SIZE);
	find_way(connection);
	at = &nodes[connection->node];
	number = choose_member(connection, OPENS_FLOW);
	connection->backend = backend_of(at, number);
	if (connection->backend < 0 || run.is[connection->backend] != PRESENT) {
		connection->backend = -1;
		return;
	}
	run.opened++;
	send_packet(connection);
}

/* --- time --- */

/* From now on a record of another node's may lead where this one does not. */
static void note_settled(struct node *node, uint32_t slot)
{
	const uint32_t word = word_of(node, slot);

	if (!lb_slot_is_settled(word) || shim_now_ns < node->changed_ns[slot] + REMEMBER_S * SECOND)
		return;
	for (int i = 0; i < BACKENDS; i++)
		if (number_of(node, i) != lb_slot_current(word) && node->forgot[slot][i] == KNOWN)
			node->forgot[slot][i] = TOO_LATE;
}

static void second_passes(struct node *node)
{
	uint16_t member;

	at = node;
	slots_expire(&node->slots, now_s());
	if (!sweep_step(node->sweep, BUCKETS,
			shim_now_ns >> LB_FLOW_TIME_SHIFT & LB_FLOW_TIME_MASK))
		return;
	slots_sweep_end(&node->slots);
	while (sweep_take_free(node->sweep, &member)) {
		run.freed[backend_of(node, member)] |= 1u << (node - nodes);
		node->members[member].flags = 0;
	}
	for (uint32_t i = 0; i < SIZE; i++)
		note_settled(node, i);
}

/* Each sends at least once in a transition. */
static void time_passes(uint64_t ns)
{
	const uint64_t end_ns = shim_now_ns + ns;

	while (shim_now_ns < end_ns) {
		shim_now_ns += SECOND / 4;
		flow_clock = 0;
		for (int i = 0; i < NODES; i++)
			if (nodes[i].due_ns && nodes[i].due_ns <= shim_now_ns)
				follow(&nodes[i]);
		for (int i = 0; i < NODES && shim_now_ns >= run.next_second_ns; i++)
			second_passes(&nodes[i]);
		if (shim_now_ns >= run.next_second_ns)
			run.next_second_ns += SECOND;
		for (int i = 0; i < FLOWS; i++)
			if (run.connections[i].backend >= 0 &&
			    shim_now_ns - run.connections[i].sent_ns > (TRANSITION_S - 1) * SECOND)
				send_packet(&run.connections[i]);
	}
}

/* --- a run --- */

static void set_up(uint64_t seed)
{
	static const uint64_t table_seed[2] = {1, 2};

	memset(&run, 0, sizeof(run));
	memset(nodes, 0, sizeof(nodes));
	run.seed = run.random = seed;
	run.tuning.flow_idle = sweep_units(IDLE_S);
	run.pools = lb_pools(0, 0, 0);
	config = (struct lb_program_config){.flow_buckets = BUCKETS};
	shim_now_ns = 1000 * SECOND;
	run.next_second_ns = shim_now_ns;
	run.table = table_new(LB_TABLE_RENDEZVOUS, SIZE, table_seed);
	for (int i = 0; i < BACKENDS; i++) {
		run.is[i] = i < 9 ? PRESENT : ABSENT;
		run.weight[i] = 1 + random_below(10);
		run.freed[i] = (1u << NODES) - 1;
	}
	make_table();
	for (int n = 0; n < NODES; n++) {
		struct node *node = &nodes[n];
		uint16_t owners[SIZE];

		memset(node->words, 0xff, sizeof(node->words));
		memset(node->pasts, 0xff, sizeof(node->pasts));
		assert_int_equal(slots_init(&node->slots, node->words[0].word, SIZE), 0);
		node->slots.pasts = node->pasts[0].word;
		node->slots.remember_s = REMEMBER_S;
		node->sweep = sweep_new(node->flows, BUCKETS, NUMBERS);
		node->tables = sweep_tables_new(1);
		assert_non_null(node->sweep);
		assert_non_null(node->tables);
		node->tables->count = 1;
		node->tables->at[0] = &node->slots;
		for (int i = 0; i < BACKENDS; i++)
			set_member(node, i);
		for (uint32_t i = 0; i < SIZE; i++)
			owners[i] = number_of(node, run.owners[i]);
		slots_settle(&node->slots, owners);
	}
	for (int i = 0; i < FLOWS; i++)
		run.connections[i].backend = -1;
}

static void tear_down(void)
{
	for (int i = 0; i < NODES; i++) {
		slots_clear(&nodes[i].slots);
		sweep_free(nodes[i].sweep);
		free(nodes[i].tables);
	}
	table_free(run.table);
}

static void one_step(uint32_t every_s)
{
	struct connection *connection = &run.connections[random_below(FLOWS)];

	if (connection->backend < 0)
		open_connection(connection);
	else if (one_in(6))
		end(connection);
	else
		send_packet(connection);
	if (!is_under_way() && one_in(500))
		run.epoch++;
	if (!is_under_way() && shim_now_ns >= run.next_change_ns) {
		some_change();
		run.next_change_ns = shim_now_ns + random_below(2 * every_s * 1000) * 1000000ull;
	}
	if (one_in(20))
		time_passes(random_below(2000) * 1000000ull);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* A change comes every so many seconds. At most one in `of` connections may be lost to what slots have forgotten. */
static void run_all(uint32_t every_s, uint32_t of)
{
	const uint64_t seed = from_environment("NODES_SEED", 1);
	const uint64_t steps = from_environment("NODES_STEPS", STEPS);

	for (uint64_t i = 0; i < RUNS; i++) {
		set_up(seed + i);
		for (uint64_t step = 0; step < steps; step++)
			one_step(every_s);
		printf("seed %" PRIu64 ": %" PRIu64 " packets (%" PRIu64
		       " with a list, passed on %" PRIu64 " times), %" PRIu64 " changes, %" PRIu64
		       " connections, handed over %" PRIu64 " times; lost: %" PRIu64
		       " forgotten, %" PRIu64 " after the time to remember\n",
		       run.seed, run.packets, run.listed, run.passed_on, run.changes, run.opened,
		       run.handed_over, run.forgotten, run.late);
		fflush(stdout);
		assert_true(run.listed && run.passed_on);
		assert_true(run.forgotten * of <= run.opened);
		tear_down();
	}
}

static void connections_keep_their_backend_from_node_to_node(void **state)
{
	(void)state;
	run_all(40, 50);
}

static void what_is_lost_when_changes_come_thick_and_fast_is_what_slots_have_forgotten(void **state)
{
	(void)state;
	run_all(6, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_keep_their_backend_from_node_to_node),
		cmocka_unit_test(
			what_is_lost_when_changes_come_thick_and_fast_is_what_slots_have_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
