/* SPDX-License-Identifier: BSD-2-Clause */
/* What do spoofed floods do to the records of real connections, and to new ones?
 *
 * Every slot is MOVING away from a backend that drains, so that a connection breaks when it has no
 * record. A flood of 520,000 packets in 10 s meets a table of 262,144 words, by the program's own
 * flow.h, beside 600 connections that exchange something every 5 to 8 s, and 2,000 that begin
 * meanwhile. Prints what broke.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../bpf/abi.h"
#include "../lib/splitmix.h"

struct flow;
static __u32 flow_member_flags(const struct flow *flow, __u32 number);
static int flow_may_evict(const struct flow *flow);
static void flow_count(enum lb_flow_count what);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* "unroll" is clang's */
#include "../../bpf/flow.h"
#pragma GCC diagnostic pop

#define BUCKETS 32768u
#define IDLE 211 /* units of 900 s */
#define ESTABLISHED 600
#define BEGINNING 2000
#define FLOOD_PACKETS 520000
#define FLOOD_MS 10000
#define UNIT_MS 4295

enum { OWNER, DRAINING };

static struct lb_flow_bucket *buckets;
static uint64_t counts[LB_FLOW_COUNT_COUNT], random_state;
static uint32_t now_ms, budget_time, budget_used;

static __u32 flow_member_flags(const struct flow *flow, __u32 number)
{
	(void)flow;
	return LB_MEMBER_VALID | LB_MEMBER_OLD | (number == OWNER ? LB_MEMBER_NEW : 0);
}

static int flow_may_evict(const struct flow *flow)
{
	if (budget_time != flow->time)
		budget_used = 0;
	budget_time = flow->time;
	return budget_used++ < BUCKETS * LB_FLOW_WAYS / 16;
}

static void flow_count(enum lb_flow_count what)
{
	counts[what]++;
}

static uint64_t random_next(void)
{
	return splitmix64(&random_state);
}

static uint32_t packet(uint64_t hash, bool syn)
{
	const struct flow flow = {
		.bucket = &buckets[hash & (BUCKETS - 1)],
		.tag = hash >> 34,
		.time = 100 + now_ms / UNIT_MS,
		.idle = IDLE,
		.syn = syn,
	};

	return flow_route(&flow, lb_slot_word(OWNER, DRAINING));
}

/* --- real connections, all of which began after the drain --- */

struct connection {
	uint64_t hash;
	uint32_t begins_ms, next_ms, every_ms;
	bool broken;
};

static struct connection connections[ESTABLISHED + BEGINNING];

/* A handshake and a request, or a request: all packets of an exchange are close together. */
static void exchange(struct connection *connection)
{
	int i;

	if (connection->next_ms == connection->begins_ms)
		packet(connection->hash, true);
	for (i = 0; i < 3 && !connection->broken; i++)
		connection->broken = packet(connection->hash, false) != OWNER;
	connection->next_ms += connection->every_ms;
}

static void run_connections(int first, int count)
{
	int i;

	for (i = first; i < first + count; i++)
		if (connections[i].next_ms == now_ms && !connections[i].broken)
			exchange(&connections[i]);
}

static void set_up_connections(uint32_t flood_begins_ms)
{
	uint32_t i;

	for (i = 0; i < ESTABLISHED + BEGINNING; i++) {
		struct connection *connection = &connections[i];

		connection->hash = random_next();
		connection->begins_ms =
			i < ESTABLISHED
				? random_next() % flood_begins_ms
				: flood_begins_ms + (i - ESTABLISHED) * FLOOD_MS / BEGINNING;
		connection->next_ms = connection->begins_ms;
		connection->every_ms = 5000 + random_next() % 3000;
		connection->broken = false;
	}
}

static uint32_t count_broken(int first, int count)
{
	uint32_t broken = 0;
	int i;

	for (i = first; i < first + count; i++)
		broken += connections[i].broken;
	return broken;
}

/* --- floods: `packets` for each flow, `apart_ms` between them --- */

static struct {
	uint32_t packets, apart_ms, per_ms;
	uint64_t seed;
} attack;

/* The flows are numbered by the moment of their SYN, so that none has to be remembered. */
static uint64_t flood_hash(uint32_t ms, uint32_t i)
{
	const uint64_t before = random_state;
	uint64_t hash;

	random_state = attack.seed ^ ((uint64_t)ms << 16 | i);
	hash = random_next();
	random_state = before;
	return hash;
}

static void flood(uint32_t ms)
{
	uint32_t i, n;

	for (n = 0; n < attack.packets; n++)
		for (i = 0; i < attack.per_ms && ms >= n * attack.apart_ms; i++)
			packet(flood_hash(ms - n * attack.apart_ms, i), n == 0);
}

struct damage {
	uint32_t established, beginning;
};

static struct damage suffer(uint32_t packets, uint32_t apart_ms, uint32_t flood_packets)
{
	const uint32_t begins_ms = 20000, ends_ms = 60000;
	struct damage damage;

	memset(buckets, 0, BUCKETS * sizeof(*buckets));
	memset(counts, 0, sizeof(counts));
	random_state = 1;
	attack.packets = packets;
	attack.apart_ms = apart_ms;
	attack.per_ms = flood_packets / FLOOD_MS / packets;
	attack.seed = 0x5eed;
	set_up_connections(begins_ms);
	for (now_ms = 0; now_ms < ends_ms; now_ms++) {
		run_connections(0, ESTABLISHED + BEGINNING);
		if (now_ms >= begins_ms && now_ms < begins_ms + FLOOD_MS + packets * apart_ms)
			flood(now_ms - begins_ms);
	}
	damage =
		(struct damage){count_broken(0, ESTABLISHED), count_broken(ESTABLISHED, BEGINNING)};
	printf("%u packets, %u a flow, %u ms apart: broken %u of %u established, %u of %u new; "
	       "refused %llu, evicted %llu\n",
	       attack.per_ms * FLOOD_MS * packets, packets, apart_ms, damage.established,
	       ESTABLISHED, damage.beginning, BEGINNING,
	       (unsigned long long)counts[LB_FLOW_REFUSED],
	       (unsigned long long)counts[LB_FLOW_EVICTED]);
	return damage;
}

static void a_flood_of_syns_breaks_nothing(void **state)
{
	const struct damage damage = suffer(1, 0, FLOOD_PACKETS);

	(void)state;
	assert_int_equal(damage.established, 0);
	assert_int_equal(damage.beginning, 0);
}

static void a_flood_of_syns_and_acks_breaks_nothing(void **state)
{
	const struct damage damage = suffer(2, 0, FLOOD_PACKETS);

	(void)state;
	assert_int_equal(damage.established, 0);
	assert_int_equal(damage.beginning, 0);
}

static void acks_that_come_a_second_later_break_nothing(void **state)
{
	const struct damage damage = suffer(2, 1000, FLOOD_PACKETS);

	(void)state;
	assert_int_equal(damage.established, 0);
	assert_int_equal(damage.beginning, 0);
}

/* What remains. Bursts of four packets a flow show as much as a new connection, and who comes back
 * to each flow of his in a later time unit holds its words as any real client does. */
static void a_patient_flood_harms(void **state)
{
	(void)state;
	suffer(4, 0, FLOOD_PACKETS);
	suffer(4, 0, 4 * FLOOD_PACKETS);
	suffer(3, 5000, FLOOD_PACKETS);
	suffer(3, 5000, 4 * FLOOD_PACKETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_syns_breaks_nothing),
		cmocka_unit_test(a_flood_of_syns_and_acks_breaks_nothing),
		cmocka_unit_test(acks_that_come_a_second_later_break_nothing),
		cmocka_unit_test(a_patient_flood_harms),
	};
	int failed;

	buckets = aligned_alloc(64, BUCKETS * sizeof(*buckets));
	if (!buckets)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(buckets);
	return failed;
}
