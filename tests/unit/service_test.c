/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a change of the live service happen whole or not at all, whatever fails, and whenever lbd
 * ends? The real service runs over a plane, a disk and a time in memory (fake.h). */
#include "fake.h"
#include "../../bpf/rate_cell.h"
#include "../../lbd/plane/quic_aes.h"

#include <errno.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../bpf/flow_word.h"

#define SECOND FAKE_SECOND
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static const struct apply_options by_force = {.force = true, .max_moved_percent = 100};

#define WEB "'address': '192.0.2.1:80/tcp', 'table_size': 251"
#define EVERY "'address': '192.0.2.1:0/tcp', 'table_size': 251"
#define DNS "'address': '192.0.2.1:53/udp', 'table_size': 509, 'transition_s': 4"
#define SIX "'address': '[2001:db8::1]:443/tcp', 'table_size': 251"
#define A "{'address': '10.0.0.1', 'weight': 10}"
#define B "{'address': '10.0.0.2', 'weight': 10}"
#define C "{'address': '10.0.0.3', 'weight': 30}"
/* With QUIC server ids, which documents give to one or the other. */
#define ID(address, id)                                                                            \
	"{'address': '" address "', 'weight': 10, 'quic_server_id': '00000000000000" id "'}"
#define SPARE "{'address': '10.0.0.3', 'weight': 10, 'priority': 1}"
#define A_DRAINS "{'address': '10.0.0.1', 'weight': 10, 'drain': true}"
#define CHECK "'health': {'type': 'tcp'}"
#define TUNNEL "'health': {'type': 'tcp', 'source': 'tunnel'}"

/* Each follows each. */
static const char *const documents[] = {
	"{'vips': []}",
	"{'vips': [{" WEB ", 'backends': [" A "," B "]}]}",
	"{'vips': [{" WEB
	", 'fragments': '3-tuple', 'transition_s': 3, 'flow_idle_s': 5, 'backends': [" B "," C
	"]}, {" SIX ", 'encap': 'gue', 'backends': [{'address': '2001:db8::a'}]}]}",
	"{'vips': [{" WEB ", 'table': 'maglev', 'encap': 'gue', 'backends': [" A "," C "]}, {" EVERY
	", 'backends': [" A "]}, {" DNS ", 'fragments': '3-tuple', " CHECK
	", 'spill_percent': 60, 'quic': [{}], 'backends': [" ID("10.0.0.1", "01") "," ID(
		"10.0.0.2", "02") "," SPARE "]}]}",
	"{'vips': [{" WEB ", " TUNNEL ", 'backends': [" A ",{'address': '10.0.0.2', 'weight': 10, "
	"'drain': true}]}, {" DNS ", 'backends': []}]}",
	"{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" ID("10.0.0.1", "02") "," ID(
		"10.0.0.3", "01") "]}, {'name': 'spare', "
				  "'backends': [" A
				  "]}], 'vips': [{'address': '192.0.2.1:80/tcp', 'pool': 'p'}, "
				  "{'address': '[2001:db8::1]:443/tcp', 'pool': 'p'}, {'address': "
				  "'192.0.2.1:53/udp', "
				  "'pool': "
				  "'p', 'quic': [{'cr': 1}, {'cr': 3}]}]}",
	"{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" ID("10.0.0.2", "02") "," ID(
		"10.0.0.3", "03") "]}, {'name': 'q', "
				  "'table_size': 251, 'encap': 'gue', 'health': {'type': 'tcp', "
				  "'port': 80}, 'backends': [" A "," C "]}], 'vips': ["
				  "{'address': '192.0.2.1:80/tcp', 'pool': 'q', 'fragments': "
				  "'3-tuple'}, {'address': "
				  "'[2001:db8::1]:443/tcp', 'pool': 'p'}, {'address': "
				  "'192.0.2.1:53/udp', 'pool': 'q'}]}",
	"{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" B "," C "]}, {'name': 'r', "
	"'table_size': 509, 'backends': [" A "," B "]}], 'vips': [{'address': '192.0.2.1:80/tcp', "
	"'pool': 'r'}, {'address': '[2001:db8::1]:443/tcp', 'pool': 'r'}, {'address': "
	"'192.0.2.1:53/udp', 'pool': 'r'}]}",
};

#define EACH_PAIR(a, b)                                                                            \
	for (size_t a = 0; a < COUNT_OF(documents); a++)                                           \
		for (size_t b = 0; b < COUNT_OF(documents); b++)

static void start(void)
{
	struct lb_err err;

	fake_open(4, 32, 4096, 16);
	assert_int_equal(fake_start(&err), 0);
}

static void apply(const char *text)
{
	struct lb_err err = {0};

	if (fake_apply(text, &by_force, &err))
		fail_msg("%s: %s", err.path, err.message);
}

/* Makes calls fail from now on: the one after `n`, or that and all others. */
static void fail_call(long n, bool goes_on)
{
	fake.failing = fake.calls + n;
	fake.goes_on = goes_on;
}

/* Whether as many calls have been made as would have failed. */
static bool has_failed(void)
{
	const bool failed = fake.calls > fake.failing;

	fake.failing = -1;
	return failed;
}

static void assert_in_force(const char *text)
{
	struct lb_service *expected = fake_document(text);
	json_t *json = lb_service_to_json(expected);
	char *one = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS), *other = fake_text();

	assert_string_equal(one, other);
	json_decref(json);
	lb_service_free(expected);
	free(one);
	free(other);
}

static void changes_come_whole(void **state)
{
	(void)state;
	EACH_PAIR(a, b)
	{
		start();
		apply(documents[a]);
		fake_check(true);
		apply(documents[b]);
		assert_in_force(documents[b]);
		fake_check(true);
		fake_pass(3 * SECOND);
		fake_check(true);
		apply(documents[0]);
		fake_pass(SECOND);
		fake_check_empty();
		fake_close();
	}
}

static void restart(void);

#define POOL(backends) "{'name': 'p', 'table_size': 251, 'backends': [" backends "]}"
#define USERS                                                                                      \
	"'vips': [{'name': 'web', 'address': '192.0.2.1:80/tcp', 'pool': 'p'}, {'name': 'six', "   \
	"'address': '[2001:db8::1]:443/tcp', 'pool': 'p'}]"

static json_t *change_to(const char *text)
{
	struct apply_options options = {.max_moved_percent = 100};
	struct lb_err err = {0};
	json_t *reply = NULL;

	if (service_apply(fake.service, fake_document(text), &options, &reply, &err))
		fail_msg("%s: %s", err.path, err.message);
	return reply;
}

static void a_change_of_a_pool_is_one_and_none_of_its_vips(void **state)
{
	const json_t *pool;
	json_t *reply;

	(void)state;
	start();
	apply("{'pools': [" POOL(A) "], " USERS "}");
	reply = change_to("{'pools': [" POOL(A "," B) "], " USERS "}");
	assert_int_equal(json_array_size(json_object_get(reply, "vips")), 0);
	assert_int_equal(json_array_size(json_object_get(reply, "pools")), 1);
	pool = json_array_get(json_object_get(reply, "pools"), 0);
	assert_string_equal(json_string_value(json_object_get(pool, "name")), "p");
	assert_string_equal(json_string_value(json_object_get(pool, "what")), "changed");
	assert_true(json_integer_value(
			    json_object_get(json_object_get(pool, "moved"), "ideal_slots")) > 0);
	json_decref(reply);
	fake_check(true);
	fake_close();
}

#define PORTED "'health': {'type': 'tcp', 'port': 80}"
#define SHARED(backends, more)                                                                     \
	"{'pools': [{'name': 'p', 'table_size': 251, 'transition_s': 8, 'flow_idle_s': 8, "        \
	"'datagram_transition_s': 4, 'datagram_flow_idle_s': 4, " PORTED                           \
	", 'backends': [" backends "]}], 'vips': [{'address': '192.0.2.1:80/tcp', 'pool': 'p'}, "  \
	"{'address': '192.0.2.2:80/tcp', 'pool': 'p'}, {'address': '192.0.2.2:53/udp', 'pool': "   \
	"'p'}" more "]}"

/* The tables of the VIPs by their number, in the order of these. */
static void assert_tables(const char *expected)
{
	const struct live_vip *live = fake.service->live;
	char seen[8] = "";

	for (size_t i = 0; i < fake.service->document->vip_count; i++) {
		size_t j = 0;

		while (live[j].table != live[i].table)
			j++;
		seen[i] = (char)('0' + j);
	}
	assert_string_equal(seen, expected);
	fake_check(true);
}

static void vips_of_one_pool_share_members_checks_and_a_table_for_each_class(void **state)
{
	struct live_table *const *tables;

	(void)state;
	start();
	apply(SHARED(A "," B, ""));
	assert_int_equal(fake.service->pools.count, 1);
	assert_int_equal(fake_watches(), 2);
	assert_int_equal(ranges_used(fake.service->slot_ranges), 2 * 251);
	assert_tables("010"); /* by address, then port: 80, 53, 80 */
	restart();
	assert_tables("010");
	apply(SHARED(A "," B "," C, ", {'address': '192.0.2.3:80/tcp', 'pool': 'p'}"));
	assert_tables("0100");
	fake_health(NULL, HEALTH_HEALTHY);
	fake_pass(SECOND / 10);
	tables = fake.service->live_pools[0].tables;
	assert_true(tables[POOL_STREAMS]->slots.moving && tables[POOL_DATAGRAMS]->slots.moving);
	fake_pass(6 * SECOND);
	assert_true(tables[POOL_STREAMS]->slots.moving);
	assert_int_equal(tables[POOL_DATAGRAMS]->slots.moving, 0);
	restart();
	assert_tables("0100");
	apply(SHARED(A "," B "," C, ""));
	fake_check(true);
	fake_close();
}

#define PAIR(of, web)                                                                              \
	"{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" A "," B "]}, {'name': 'q', "   \
	"'table_size': 251, 'backends': [" of "]}], 'vips': [{'address': '192.0.2.1:80/tcp', "     \
	"'pool': '" web "'}, {'address': '192.0.2.2:80/tcp', 'pool': 'p'}, {'address': "           \
	"'192.0.2.3:80/tcp', 'pool': 'q'}]}"

/* Of the one backend: where the check goes by, as the VIP's last byte and port. */
static void assert_asks(uint8_t address, uint16_t port)
{
	const struct lb_endpoint *vip =
		fake_watched_vip(&(struct lb_addr){.family = 4, .bytes = {10, 0, 0, 1}});

	assert_non_null(vip);
	assert_int_equal(vip->address.bytes[3], address);
	assert_int_equal(vip->port, port);
}

#define ASKED(health, vips)                                                                        \
	"{'pools': [{'name': 'p', 'table_size': 251, 'health': {'type': 'tcp'" health              \
	"}, 'backends': [" A "]}], 'vips': [" vips "]}"
#define AT(endpoint) "{'address': '192.0.2." endpoint "/tcp', 'pool': 'p'}"

static void checks_of_a_pool_go_by_its_lowest_vip_whatever_comes_and_goes(void **state)
{
	(void)state;
	start();
	apply(ASKED(", 'source': 'tunnel'", AT("3:80")));
	assert_asks(3, 80);
	apply(ASKED(", 'source': 'tunnel'", AT("3:80") "," AT("2:80") "," AT("4:80")));
	assert_asks(2, 80);
	apply(ASKED(", 'source': 'tunnel'", AT("3:80") "," AT("4:80")));
	assert_asks(3, 80);
	apply(ASKED("", AT("3:80") "," AT("4:80")));
	apply(ASKED("", AT("4:80")));
	assert_asks(3, 80); /* the same port of the backend: the check goes on */
	apply(ASKED("", AT("4:81")));
	assert_asks(4, 81);
	fake_close();
}

static void all_had_packets(void)
{
	for (uint32_t i = 0; i < members_capacity(&fake.config); i++)
		fake.counters[i].packets = 1;
}

static uint32_t looks; /* at packets of a member */

static int count_looks(struct datapath *datapath, uint32_t first, uint32_t count,
		       struct lb_counter *out)
{
	(void)datapath;
	(void)first;
	assert_int_equal(count, 1);
	looks++;
	*out = (struct lb_counter){.packets = 1};
	return 0;
}

static void vips_of_one_table_that_go_together_are_assessed_once(void **state)
{
	const struct apply_options options = {.dry_run = true, .max_moved_percent = 100};
	struct lb_service *next;
	json_t *reply = NULL, *vip;
	struct lb_err err = {0};
	size_t i;

	(void)state;
	start();
	apply(SHARED(A "," B, ", {'address': '192.0.2.3:80/tcp', 'pool': 'p'}"));
	next = fake_document("{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" A "," B
			     "]}], 'vips': [{'address': '192.0.2.1:80/tcp', 'pool': 'p'}]}");
	fake.service->plane.counters = count_looks;
	looks = 0;
	assert_int_equal(service_apply(fake.service, next, &options, &reply, &err), 0);
	assert_int_equal(looks, 2 * 2); /* two backends of two tables, for three VIPs */
	assert_int_equal(json_array_size(json_object_get(reply, "vips")), 3);
	json_array_foreach (json_object_get(reply, "vips"), i, vip) {
		assert_int_equal(json_array_size(json_object_get(vip, "at_risk")), 2);
		assert_int_equal(
			json_integer_value(json_object_get(json_object_get(vip, "moved"), "slots")),
			251);
	}
	json_decref(reply);
	fake_close();
}

/* While a VIP has flows in the pool that it has left, it has slots of its own. */
static void a_vip_takes_its_flows_along_to_another_pool(void **state)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};

	(void)state;
	for (int moving = 0; moving < 2; moving++) {
		start();
		if (moving)
			apply(PAIR(A "," B "," C, "p"));
		apply(PAIR(A "," C, "p"));
		all_had_packets();
		assert_tables("002");
		assert_int_equal(fake_apply(PAIR(A "," C, "q"), &unasked, &err), 0);
		assert_tables("012");
		assert_int_not_equal(fake.service->live[0].table->slots.moving, 0);
		restart();
		assert_tables("012");
		assert_int_equal(fake.moves_settled, 0);
		fake_pass(1000 * SECOND);
		assert_tables("010");
		assert_int_equal(fake.moves_begun, 1);
		assert_int_equal(fake.moves_settled, 1);
		fake_close();
	}
}

#define SIZES(of, size, hash, web)                                                                 \
	"{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" A "," B "]}, {'name': 'q', "   \
	"'table_size': " size ", 'backends': [" of                                                 \
	"]}], 'vips': [{'address': '192.0.2.1:80/tcp', 'hash': '" hash "', 'pool': '" web          \
	"'}, {'address': '192.0.2.2:80/tcp', 'hash': '" hash "', 'pool': 'p'}]}"

static const struct live_pool *live_of_q(void)
{
	return &fake.service->live_pools[fake.service->live[0].pool];
}

static uint32_t table_size(size_t vip)
{
	return fake.service->live[vip].table->slots.size;
}

/* `s` seconds at most, until its flows are nowhere but in the pool that it went to. */
static void pass_until_left(uint32_t s)
{
	while (live_has_left(fake.service->live[0].table)) {
		assert_int_not_equal(s--, 0);
		fake_pass(SECOND);
	}
}

static void assert_moves(uint32_t begun, uint32_t settled)
{
	assert_int_equal(fake.moves_begun, begun);
	assert_int_equal(fake.moves_settled, settled);
}

/* No VIP has had the other pool, whose own slots are made with the move. They wait for the VIP until
 * its flows are on record. */
static void a_vip_goes_to_a_table_of_another_size_once_its_flows_are_on_record(void **state)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};
	uint32_t start_of_own;

	(void)state;
	start();
	apply(SIZES(A "," C, "509", "5-tuple", "p"));
	all_had_packets();
	assert_int_equal(fake_apply(SIZES(A "," C, "509", "5-tuple", "q"), &unasked, &err), 0);
	assert_tables("01");
	assert_int_not_equal(fake.service->live[0].table->slots.moving, 0);
	start_of_own = live_of_q()->tables[POOL_STREAMS]->start;
	pass_until_left(LB_TRANSITION_TCP_S + 5);
	assert_int_equal(table_size(0), 251);
	assert_int_not_equal(fake.service->live[0].table->slots.moving, 0);
	assert_int_equal(live_of_q()->tables[POOL_STREAMS]->start, start_of_own);
	restart();
	assert_int_not_equal(fake.service->live[0].table->slots.moving, 0);
	fake_pass((LB_TRANSITION_TCP_S - 10) * SECOND);
	assert_int_equal(table_size(0), 251);
	assert_moves(1, 0);
	fake_pass(15 * SECOND);
	assert_moves(1, 1);
	assert_int_equal(table_size(0), 509);
	assert_tables("01");
	apply(documents[0]);
	fake_pass(SECOND);
	fake_check_empty();
	fake_close();
}

static void a_vip_goes_to_a_table_of_another_size_at_once_where_it_has_one_backend(void **state)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};

	(void)state;
	start();
	apply(SIZES(C, "1021", "5-tuple", "p"));
	all_had_packets();
	assert_int_equal(fake_apply(SIZES(C, "1021", "5-tuple", "q"), &unasked, &err), 0);
	pass_until_left(LB_TRANSITION_TCP_S + 5);
	fake_pass(SECOND);
	assert_int_equal(table_size(0), 1021);
	assert_int_equal(fake.service->live[0].table->slots.moving, 0);
	fake_check(true);
	fake_close();
}

static void a_vip_that_goes_on_before_it_has_the_slots_of_another_size_settles(void **state)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};

	(void)state;
	start();
	apply(SIZES(A "," B "," C, "509", "5-tuple", "p"));
	all_had_packets();
	apply(SIZES(A "," B "," C, "509", "5-tuple", "q"));
	pass_until_left(LB_TRANSITION_TCP_S + 5);
	apply(SIZES(B "," C, "509", "5-tuple", "q")); /* all flows of some slots have ended */
	assert_int_equal(fake_apply(SIZES(B "," C, "509", "5-tuple", "p"), &unasked, &err), 0);
	pass_until_left(LB_TRANSITION_TCP_S + 5);
	assert_tables("00");
	fake_close();
}

#define OWN(of, size, pool)                                                                        \
	"{'pools': [{'name': 'q', 'table_size': " size ", 'backends': [" of                        \
	"]}], 'vips': [{'address': '192.0.2.1:80/tcp', " pool                                      \
	"}, {'address': '192.0.2.2:80/tcp', 'pool': 'q'}]}"
#define ITS_OWN "'table_size': 251, 'backends': [" A "," B "]"

static int refused(const char *text, struct lb_err *err)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};

	*err = (struct lb_err){0};
	return fake_apply(text, &unasked, err);
}

/* Slots that are MOVING from a member with this address, of whichever pool. */
static uint32_t moving_from(const struct live_table *table, uint8_t last_byte)
{
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < table->slots.size; slot++) {
		const uint32_t word = table->slots.words[slot];
		const uint16_t previous = lb_slot_previous(word);

		count += !lb_slot_is_settled(word) && previous != LB_NONE &&
			 ntohl(fake.left.members[previous].daddr[0]) % 256 == last_byte;
	}
	return count;
}

/* Its slots go along, and what they lead to has other numbers from now on. What only its own pool has
 * stays until its flows have ended. */
static void a_vip_with_backends_of_its_own_goes_to_a_pool_and_back_unasked(void **state)
{
	struct lb_err err;

	(void)state;
	for (int way = 0; way < 8; way++) {
		const bool other_size = way & 1, restarts = way & 2, has_them = way & 4;

#define WAY(vip)                                                                                     \
	(has_them     ? other_size ? OWN(A "," B "," C, "509", vip) : OWN(A "," B "," C, "251", vip) \
	     : other_size ? OWN(B "," C, "509", vip)                                                 \
		      : OWN(B "," C, "251", vip))
		start();
		apply(WAY(ITS_OWN));
		all_had_packets();
		assert_int_equal(refused(WAY("'pool': 'q'"), &err), 0);
		assert_int_not_equal(moving_from(fake.service->live[0].table, 2), 0);
		if (restarts)
			restart();
		assert_int_not_equal(moving_from(fake.service->live[0].table, 2), 0);
		assert_int_equal(refused(WAY(ITS_OWN), &err), 0);
		assert_int_equal(refused(WAY("'pool': 'q'"), &err), 0);
		fake_pass((2 * LB_TRANSITION_TCP_S + 20) * SECOND);
		assert_tables("00");
		assert_int_equal(fake.service->pools.count, 1);
		fake_close();
	}
}

/* Until its flows have ended there, what it had before is at risk; its old backends keep them. */
static void a_vip_that_comes_back_to_fewer_backends_of_its_own_is_asked_about(void **state)
{
	static const char left[] = OWN(B "," C, "251", "'pool': 'q'");
	static const char fewer[] = OWN(B "," C, "251", "'table_size': 251, 'backends': [" B "]");
	struct lb_err err;

	(void)state;
	start();
	apply(OWN(B "," C, "251", ITS_OWN));
	all_had_packets();
	assert_int_equal(refused(left, &err), 0);
	assert_int_not_equal(refused(fewer, &err), 0);
	assert_string_equal(err.message, "this breaks connections through backend 10.0.0.1 of VIP "
					 "192.0.2.1:80/tcp (flows on record: 0): it is removed "
					 "while its flows are still being recorded");
	assert_string_equal(err.hint, "wait until an earlier move is over (lbctl vip show "
				      "192.0.2.1:80/tcp says what it moves from), or use --force");
	assert_int_equal(refused(OWN(B "," C, "251", ITS_OWN), &err), 0);
	assert_int_equal(refused(left, &err), 0);
	fake_pass((2 * LB_TRANSITION_TCP_S + 20) * SECOND);
	assert_int_equal(refused(fewer, &err), 0);
	fake_close();
}

#define GONE(name, of)                                                                             \
	"{'pools': [{'name': '" name "', 'table_size': 251, 'backends': [" of                      \
	"]}], 'vips': [{'address': '192.0.2.1:80/tcp', 'pool': '" name "'}]}"

/* As when it gets another name. */
static void a_pool_that_goes_with_a_move_stays_until_that_is_over(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(GONE("p", A "," B));
	all_had_packets();
	assert_int_equal(refused(GONE("q", B "," C), &err), 0);
	assert_int_not_equal(moving_from(fake.service->live[0].table, 2), 0);
	restart();
	assert_int_not_equal(moving_from(fake.service->live[0].table, 2), 0);
	fake_pass((LB_TRANSITION_TCP_S + 10) * SECOND);
	assert_int_equal(fake.service->pools.count, 1);
	assert_tables("0");
	fake_close();
}

/* It is not drained: what it had is at risk, as with any pool. */
static void a_pool_that_was_gone_and_comes_back_without_a_backend_is_asked_about(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(GONE("p", A "," B));
	all_had_packets();
	assert_int_equal(refused(GONE("q", B "," C), &err), 0);
	assert_int_not_equal(refused(GONE("p", B), &err), 0);
	assert_non_null(strstr(err.message, "of pool p (flows on record: 0): it is removed"));
	assert_int_equal(refused(GONE("p", A "," B), &err), 0);
	fake_close();
}

#define GOES(backends, vips)                                                                       \
	"{'pools': [{'name': 'a', 'table_size': 251}, {'name': 'p', 'table_size': 251, "           \
	"'backends': [" backends "]}], 'vips': [" vips "]}"
#define NAMED(n, name, pool)                                                                       \
	"{'address': '192.0.2." n ":80/tcp', 'name': '" name "', 'pool': '" pool "'}"

/* Nobody shall drain the backends of the others. */
static void a_vip_that_goes_from_a_pool_of_others_is_moved_away_first(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(GOES(A "," B, NAMED("1", "a", "p") "," NAMED("2", "b", "p")));
	all_had_packets();
	assert_int_not_equal(refused(GOES(A "," B, NAMED("2", "b", "p")), &err), 0);
	assert_string_equal(err.hint,
			    "other VIPs use its pool: move it to one without backends (lbctl pool "
			    "add P --table-size 251; lbctl vip set a --pool P), wait until the "
			    "move is over (lbctl vip show), or use --force");
	assert_int_equal(
		refused(GOES(A "," B, NAMED("1", "a", "a") "," NAMED("2", "b", "p")), &err), 0);
	assert_int_not_equal(refused(GOES(A "," B, NAMED("2", "b", "p")), &err), 0);
	assert_string_equal(err.hint, "wait until its move from another pool is over (lbctl vip "
				      "show a), or use --force");
	fake_pass((LB_TRANSITION_TCP_S + 60) * SECOND);
	assert_int_equal(refused(GOES(A "," B, NAMED("2", "b", "p")), &err), 0);
	fake_close();
}

static void the_pool_that_is_to_be_drained_is_named(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(GOES(A "," B, NAMED("1", "a", "p")));
	all_had_packets();
	assert_int_not_equal(refused(GOES(A "," B, ""), &err), 0);
	assert_string_equal(err.hint, "drain it first (lbctl backend drain p 10.0.0.1 --wait 1h), "
				      "or use --force");
	assert_int_not_equal(refused(GOES(A, NAMED("1", "a", "p")), &err), 0);
	assert_string_equal(err.hint, "drain it first (lbctl backend drain p 10.0.0.2 --wait 1h), "
				      "or use --force");
	fake_close();
}

static void a_refusal_says_that_flows_on_record_are_those_of_the_pool(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(GOES(A "," B, NAMED("1", "a", "p") "," NAMED("2", "b", "p")));
	all_had_packets();
	assert_int_not_equal(refused(GOES(A "," B, NAMED("2", "b", "p")), &err), 0);
	assert_non_null(
		strstr(err.message, "of VIP a (flows on record of all VIPs of its pool: 0)"));
	assert_int_not_equal(refused(GOES(A "," B, ""), &err), 0);
	assert_non_null(strstr(err.message, "of VIP a (flows on record: 0)"));
	fake_close();
}

#define EVERY_PORT(pool) "{'address': '192.0.2.1:0/tcp', 'name': 'all', 'pool': '" pool "'}"
#define BY_SOURCE "{'address': '192.0.2.1:80/tcp', 'name': 'a', 'pool': 'p', 'hash': 'source'}"

/* Its packets follow the same slots and records as before, whatever state those are in. */
static void a_more_specific_vip_of_the_same_pool_is_not_asked_about(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(GOES(A "," B, EVERY_PORT("p")));
	all_had_packets();
	assert_int_equal(refused(GOES(A "," B "," C, EVERY_PORT("p")), &err), 0);
	assert_int_not_equal(fake.service->live[0].table->slots.moving, 0);
	assert_int_not_equal(refused(GOES(A "," B "," C, EVERY_PORT("p") "," BY_SOURCE), &err), 0);
	assert_int_equal(
		refused(GOES(A "," B "," C, EVERY_PORT("p") "," NAMED("1", "a", "p")), &err), 0);
	assert_int_equal(refused(GOES(A "," B "," C, EVERY_PORT("p")), &err), 0);
	fake_close();
}

#define BESIDE(vips)                                                                               \
	"{'pools': [{'name': 'q', 'table_size': 251, 'backends': [" B                              \
	"]}, {'name': 'p', 'table_size': 251, 'backends': [" A "]}], 'vips': [" vips "]}"

/* Its slots are MOVING from the backends of the pool that it leaves. */
static void a_vip_is_asked_about_whose_packets_go_to_one_that_moves(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(BESIDE(EVERY_PORT("q") "," NAMED("1", "b", "p")));
	all_had_packets();
	assert_int_not_equal(refused(BESIDE(EVERY_PORT("p")), &err), 0);
	assert_int_equal(refused(BESIDE(EVERY_PORT("p") "," NAMED("1", "b", "p")), &err), 0);
	assert_int_not_equal(refused(BESIDE(EVERY_PORT("p")), &err), 0);
	fake_pass((LB_TRANSITION_TCP_S + 60) * SECOND);
	assert_int_equal(refused(BESIDE(EVERY_PORT("p")), &err), 0);
	fake_close();
}

#define RESIZED(more, size, pool)                                                                  \
	"{'pools': [{'name': 'p', 'table_size': " size ", 'backends': [" A "," B "]}" more         \
	"], 'vips': [" NAMED("1", "a", pool) "]}"
#define LARGER ", {'name': 'q', 'table_size': 509, 'backends': [" A "," B "]}"

static void a_used_pool_of_another_size_is_another_pool(void **state)
{
	struct lb_err err;

	(void)state;
	start();
	apply(RESIZED("", "251", "p"));
	all_had_packets();
	assert_int_not_equal(refused(RESIZED("", "509", "p"), &err), 0);
	assert_string_equal(err.hint,
			    "add another pool with 509 slots and the same backends, and move its "
			    "VIPs there (lbctl vip set VIP --pool POOL): with hash 5-tuple they "
			    "lose no flow");
	assert_int_equal(refused(RESIZED(LARGER, "251", "p"), &err), 0);
	assert_int_equal(refused(RESIZED(LARGER, "251", "q"), &err), 0);
	fake_close();
}

static void a_third_move_says_to_wait_for_an_earlier_one(void **state)
{
	static const char *const pools[] = {"p", "q", "r", "s"};
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};
	char text[1024];

	(void)state;
	start();
	for (size_t i = 0; i < COUNT_OF(pools); i++) {
		snprintf(text, sizeof(text),
			 "{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" A
			 "]}, {'name': 'q', 'table_size': 251, 'backends': [" B
			 "]}, {'name': 'r', 'table_size': 251, 'backends': [" C
			 "]}, {'name': 's', 'table_size': 251, 'backends': [" A
			 "]}], 'vips': [{'address': '192.0.2.1:80/tcp', 'pool': '%s'}]}",
			 pools[i]);
		all_had_packets();
		assert_int_equal(fake_apply(text, &unasked, &err) != 0, i == 3);
	}
	assert_non_null(strstr(err.hint, "wait until an earlier move is over"));
	fake_close();
}

/* Tags of records depend on the table's size where a hash is not of the flow alone. */
static void flows_by_source_end_where_a_table_has_another_size(void **state)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};

	(void)state;
	start();
	apply(SIZES(A "," B, "509", "source", "p"));
	all_had_packets();
	assert_int_not_equal(fake_apply(SIZES(A "," B, "509", "source", "q"), &unasked, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_non_null(strstr(err.hint, "choose a pool with 251 slots"));
	apply(SIZES(A "," B, "509", "source", "q"));
	assert_int_equal(table_size(0), 509);
	fake_check(true);
	fake_close();
}

static void a_vip_has_the_slots_of_its_new_pool_at_once_where_they_are_the_same(void **state)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};

	(void)state;
	start();
	apply(PAIR(A "," B, "p"));
	all_had_packets();
	assert_int_equal(fake_apply(PAIR(A "," B, "q"), &unasked, &err), 0);
	assert_int_equal(fake.service->live[0].table->slots.moving, 0);
	fake_pass(SECOND);
	assert_tables("010");
	fake_close();
}

/* Nothing that packets use follows from it, but it is kept. */
static void a_pool_without_vips_is_kept_and_not_in_the_plane(void **state)
{
	static const char unused[] = "{'pools': [" POOL(A) "], 'vips': []}";
	json_t *reply;

	(void)state;
	start();
	reply = change_to(unused);
	assert_true(json_is_true(json_object_get(reply, "changed")));
	assert_int_equal(json_array_size(json_object_get(reply, "vips")), 0);
	json_decref(reply);
	assert_in_force(unused);
	fake_check_empty();
	reply = change_to(unused);
	assert_false(json_is_true(json_object_get(reply, "changed")));
	json_decref(reply);
	fake_close();
}

static void a_trial_changes_nothing(void **state)
{
	const struct apply_options trial = {.dry_run = true, .max_moved_percent = 100};
	struct lb_err err;

	(void)state;
	EACH_PAIR(a, b)
	{
		start();
		apply(documents[a]);
		assert_int_equal(fake_apply(documents[b], &trial, &err), 0);
		assert_in_force(documents[a]);
		fake_check(true);
		fake_close();
	}
}

/* --- what fails --- */

static const struct apply_options on_trial = {
	.force = true, .max_moved_percent = 100, .confirm_s = 60};

/* What fails, and how. */
struct failing {
	const struct apply_options *options;
	bool goes_on, allocations;
	bool unresolved; /* next hops of what is added become known later */
};

/* From document a to b, with a call that fails; false: as many were not made. */
static bool change_fails(size_t a, size_t b, long n, const struct failing *how)
{
	struct lb_err err = {0};
	bool failed;
	int error;

	start();
	apply(documents[a]);
	fake.allocations_fail = how->allocations;
	fake.unresolved = how->unresolved;
	fail_call(n, how->goes_on);
	error = fake_apply(documents[b], how->options, &err);
	failed = has_failed();
	fake.allocations_fail = false;
	if (error)
		assert_true(failed && err.message[0]);
	assert_in_force(documents[error ? a : b]);
	fake_pass(SECOND); /* what can be done later is */
	fake_check(true);
	fake_resolve();
	fake_pass(4 * SECOND); /* the first results of checks are waited for */
	fake_check(true);
	assert_int_equal(fake.service->revert.document != NULL,
			 how->options == &on_trial && !error && a != b);
	if (fake.service->revert.document)
		fake_pass(60 * SECOND);
	apply(documents[b]);
	fake_check(true);
	apply(documents[0]);
	fake_pass(SECOND);
	fake_check_empty();
	fake_close();
	return failed;
}

static void each_call_fails(const struct failing *how)
{
	long calls = 0;

	EACH_PAIR(a, b)
	for (long n = 0; change_fails(a, b, n, how); n++)
		calls++;
	print_message("%ld changes with a call that fails\n", calls);
	assert_true(calls > 100);
}

static void each_call_of_a_change_fails(void **state)
{
	(void)state;
	each_call_fails(&(struct failing){.options = &by_force});
}

static void each_call_of_a_change_fails_and_all_that_follow(void **state)
{
	(void)state;
	each_call_fails(&(struct failing){.options = &by_force, .goes_on = true});
}

static void each_call_fails_of_a_change_to_where_no_next_hop_is_known(void **state)
{
	(void)state;
	each_call_fails(&(struct failing){.options = &by_force, .unresolved = true});
}

static void each_allocation_of_a_change_on_trial_fails(void **state)
{
	(void)state;
	each_call_fails(
		&(struct failing){.options = &on_trial, .allocations = true, .unresolved = true});
}

static void what_cannot_be_counted_is_not_removed_unasked(void **state)
{
	const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err;

	(void)state;
	start();
	apply(documents[1]);
	fail_call(0, true);
	assert_int_not_equal(fake_apply(documents[0], &unasked, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	fake.failing = -1;
	assert_in_force(documents[1]);
	assert_int_equal(fake_apply(documents[0], &unasked, &err), 0);
	fake_close();
}

static void a_dry_run_is_refused_for_what_moves_and_says_what_needs_force(void **state)
{
	struct apply_options options = {.dry_run = true, .max_moved_percent = 100};
	struct lb_err err = {0};
	json_t *change = NULL;

	(void)state;
	start();
	apply(documents[1]);
	fake.counters[fake.service->live_pools[0].backends[0].number].packets = 1;
	assert_int_equal(
		service_apply(fake.service, fake_document(documents[0]), &options, &change, &err),
		0);
	assert_true(json_is_true(json_object_get(change, "needs_force")));
	json_decref(change);
	options.max_moved_percent = 1;
	assert_int_not_equal(fake_apply(documents[2], &options, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_in_force(documents[1]);
	fake_close();
}

/* --- an lbd that ends, and the next one --- */

static void restart(void)
{
	struct lb_err err;

	fake_stop();
	assert_int_equal(fake_start(&err), 0);
}

static void assert_removable(const char *without, bool expected)
{
	static const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err = {0};

	assert_int_equal(!fake_apply(without, &unasked, &err), expected);
	if (!expected)
		assert_int_equal(err.code, LB_ERR_REFUSED);
}

#define TWO(drain)                                                                                 \
	"{'vips': [{" WEB ", 'transition_s': 4, 'flow_idle_s': 4, 'backends': [" A                 \
	",{'address': '10.0.0.2'" drain "}]}]}"

static void a_backend_older_than_the_data_plane_is_not_removed_unasked(void **state)
{
	static const char without[] =
		"{'vips': [{" WEB ", 'transition_s': 4, 'flow_idle_s': 4, 'backends': [" A "]}]}";

	(void)state;
	start();
	apply(TWO(""));
	assert_removable(without, true); /* no packet was there */
	apply(TWO(""));
	fake_stop();
	fake_reset();
	restart();
	assert_removable(without, false);
	restart(); /* which takes the new data plane over */
	assert_removable(without, false);
	apply(TWO(", 'drain': true"));
	fake_pass(10 * SECOND);
	assert_removable(without, true);
	apply(TWO("")); /* another one */
	assert_removable(without, true);
	fake_close();
}

static void the_next_lbd_goes_on(void **state)
{
	(void)state;
	EACH_PAIR(a, b)
	{
		start();
		apply(documents[a]);
		apply(documents[b]);
		restart();
		assert_in_force(documents[b]);
		fake_check(true);
		restart();
		fake_check(true);
		apply(documents[0]);
		fake_pass(SECOND);
		fake_check_empty();
		fake_close();
	}
}

/* lbd ends before call n of a change; false: as many were not made. */
static bool ends_amid(size_t a, size_t b, long n)
{
	bool ended;

	start();
	apply(documents[1]); /* so that slots are MOVING where it can be */
	apply(documents[a]);
	fake.snapshot_at = fake.calls + n;
	apply(documents[b]);
	ended = fake.snapshot.slots;
	fake_stop();
	if (ended) {
		fake_restore();
		assert_int_equal(fake_start(NULL), 0);
		fake_check(true);
		apply(documents[3]);
		fake_check(true);
	}
	fake_close();
	return ended;
}

static void it_may_end_before_any_call(void **state)
{
	(void)state;
	EACH_PAIR(a, b)
	for (long n = 0; ends_amid(a, b, n); n++)
		;
}

static void a_start_that_fails_loses_nothing(void **state)
{
	struct lb_err err = {0};

	(void)state;
	for (int allocations = 0; allocations < 2; allocations++)
		for (size_t a = 0; a < COUNT_OF(documents); a++)
			for (long n = 0, failed = true; failed; n++) {
				start();
				apply(documents[a]);
				fake_stop();
				fake.allocations_fail = allocations;
				fail_call(n, false);
				failed = fake_start(&err) || !fake.service;
				failed |= has_failed();
				fake.allocations_fail = false;
				if (fake.service)
					fake_pass(2 * SECOND);
				else
					assert_int_equal(fake_start(&err), 0);
				assert_in_force(documents[a]);
				fake_check(true);
				fake_close();
			}
}

/* --- changes that wait to be confirmed --- */

static void begin_trial(void)
{
	struct lb_err err;

	start();
	apply(documents[1]);
	assert_int_equal(fake_apply(documents[3], &on_trial, &err), 0);
	fake_check(true);
}

static void a_change_that_nobody_confirms_goes_back(void **state)
{
	struct lb_err err;

	(void)state;
	begin_trial();
	fake_pass(59 * SECOND);
	assert_in_force(documents[3]);
	assert_int_not_equal(fake_apply(documents[2], &by_force, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	fake_pass(1 * SECOND);
	assert_in_force(documents[1]);
	fake_check(true);
	fake_close();
}

static void a_change_that_is_confirmed_stays(void **state)
{
	struct lb_err err;

	(void)state;
	begin_trial();
	assert_int_equal(service_confirm(fake.service, &err), 0);
	fake_check(true);
	fake_pass(1000 * SECOND);
	assert_in_force(documents[3]);
	assert_int_not_equal(service_confirm(fake.service, &err), 0);
	fake_close();
}

static void going_back_is_tried_until_it_succeeds(void **state)
{
	struct lb_err err;

	(void)state;
	begin_trial();
	fail_call(0, true);
	fake_pass(100 * SECOND);
	assert_in_force(documents[3]);
	assert_int_not_equal(service_confirm(fake.service, &err), 0);
	assert_string_not_equal(service_revert_fault(fake.service), "");
	fake_check(true);
	fake.failing = -1;
	fake_pass(2 * SECOND);
	assert_in_force(documents[1]);
	assert_string_equal(service_revert_fault(fake.service), "");
	fake_check(true);
	fake_close();
}

static void another_lbd_goes_back_in_time(void **state)
{
	(void)state;
	begin_trial();
	fake_pass(20 * SECOND);
	fake.wall_ns += 3600 * SECOND; /* somebody has set the clock */
	restart();
	fake_check(true);
	fake_pass(39 * SECOND);
	assert_in_force(documents[3]);
	fake_pass(SECOND);
	assert_in_force(documents[1]);
	fake_check(true);
	fake_close();
	begin_trial();
	fake_stop();
	strcpy(fake.left.revert.boot, "another");
	fake.wall_ns += 61 * SECOND;
	assert_int_equal(fake_start(NULL), 0);
	assert_in_force(documents[1]);
	fake_check(true);
	fake_close();
}

static void after_a_reboot_nobody_waits_longer_than_was_asked_for(void **state)
{
	(void)state;
	begin_trial();
	fake_stop();
	strcpy(fake.left.revert.boot, "another");
	fake.wall_ns -= 100000 * SECOND; /* the clock is not set yet */
	assert_int_equal(fake_start(NULL), 0);
	fake_pass(59 * SECOND);
	assert_in_force(documents[3]);
	fake_pass(SECOND);
	assert_in_force(documents[1]);
	fake_close();
}

static void what_is_wrong_with_a_document_is_said_while_a_change_waits(void **state)
{
	struct lb_err err = {0};

	(void)state;
	begin_trial();
	assert_int_not_equal(fake_apply(documents[1], &by_force, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_int_not_equal(fake_apply("{'vips': [{'address': '192.0.2.1:80/tcp', "
					"'table_size': 4099, 'backends': []}]}",
					&by_force, &err),
			     0);
	assert_int_equal(err.code, LB_ERR_LIMIT);
	fake_close();
}

/* --- health --- */

static const struct lb_addr a_address = {.family = 4, .bytes = {10, 0, 0, 1}};
static const struct lb_addr b_address = {.family = 4, .bytes = {10, 0, 0, 2}};
static const struct lb_addr c_address = {.family = 4, .bytes = {10, 0, 0, 3}};

#define CHECKED(more) "{'vips': [{" WEB ", " CHECK more ", 'backends': [" A "," B "]}]}"

/* For each backend + when it takes new flows, and o when it keeps its old ones. */
static void assert_serve(const char *expected)
{
	const struct live_pool *live = &fake.service->live_pools[0];
	char seen[32] = "";

	for (size_t i = 0; i < live->backend_count; i++) {
		const uint32_t flags = fake.left.members[live->backends[i].number].flags;

		strcat(seen, flags & LB_MEMBER_NEW ? "+" : "-");
		strcat(seen, flags & LB_MEMBER_OLD ? "o" : ".");
	}
	assert_string_equal(seen, expected);
	fake_check(true);
}

static void result(const struct lb_addr *backend, enum health_status status)
{
	fake_health(backend, status);
	fake_pass(SECOND / 10);
}

static void slots_leave_who_is_unhealthy_and_come_back(void **state)
{
	(void)state;
	start();
	apply(CHECKED(""));
	assert_serve("+o+o");
	result(NULL, HEALTH_HEALTHY);
	assert_serve("+o+o");
	result(&a_address, HEALTH_UNHEALTHY);
	assert_serve("-o+o");
	result(&b_address, HEALTH_UNHEALTHY); /* nobody is left: all are used */
	assert_serve("+o+o");
	result(&a_address, HEALTH_HEALTHY);
	assert_serve("+o-o");
	fake_close();
}

static void health_decides_about_old_flows_as_the_vip_says(void **state)
{
	(void)state;
	start();
	apply(CHECKED(", 'on_unhealthy': 'reset', 'when_all_unhealthy': 'drop'"));
	assert_serve("-o-o");
	result(&a_address, HEALTH_HEALTHY);
	fake_pass(3 * SECOND); /* others of the first round are waited for */
	assert_serve("+o-o");
	result(&b_address, HEALTH_UNHEALTHY);
	assert_serve("+o-.");
	result(&a_address, HEALTH_UNHEALTHY);
	assert_serve("-.-.");
	apply(CHECKED(", 'on_unhealthy': 'keep'"));
	assert_serve("+o+o");
	fake_close();
}

static void who_was_added_waits_for_its_next_hop(void **state)
{
	(void)state;
	start();
	apply(documents[1]);
	assert_serve("+o+o");
	fake.unresolved = true;
	apply("{'vips': [{" WEB ", 'backends': [" A "," B "," C "]}]}");
	assert_serve("+o+o-o");
	fake_pass(10 * SECOND);
	assert_serve("+o+o-o");
	fake.unresolved = true;
	restart();
	assert_serve("+o+o-o");
	assert_true(fake.service->live_pools[0].standings[2].held); /* it is told of later */
	fake_resolve();
	fake_pass(SECOND / 10);
	assert_serve("+o+o+o");
	assert_false(fake.service->live_pools[0].standings[2].held);
	fake_close();
}

static int unreadable(struct datapath *datapath, uint32_t first, uint32_t count,
		      struct lb_counter *out)
{
	(void)datapath;
	(void)first;
	assert_int_equal(count, 1);
	*out = (struct lb_counter){0};
	return -EIO;
}

/* An lbd before has kept new flows from it, perhaps for its health, not for its next hop. */
static void what_may_have_had_packets_does_not_wait_for_its_next_hop_again(void **state)
{
	(void)state;
	for (int older = 0; older < 2; older++) {
		uint16_t number;

		start();
		apply(documents[1]);
		fake.unresolved = true;
		apply("{'vips': [{" WEB ", 'backends': [" A "," B "," C "]}]}");
		assert_serve("+o+o-o");
		number = fake.service->live_pools[0].backends[2].number;
		if (older)
			fake.left.members[number].flags |= LB_MEMBER_OLDER;
		else
			fake.plane.counters = unreadable;
		fake.unresolved = true;
		restart();
		assert_false(fake.service->live_pools[0].standings[2].held);
		assert_serve("+o+o+o");
		fake_close();
	}
}

#define OTHER "{'address': '192.0.2.2:80/tcp', 'table_size': 251, 'backends': [" A "]}"

/* The next hop of A is known when WEB comes into force, by another VIP; that of B is not. */
static void begin_with_one_unresolved(void)
{
	start();
	apply("{'vips': [" OTHER "]}");
	fake.unresolved = true;
	apply("{'vips': [{" WEB ", 'backends': [" A "," B "]}, " OTHER "]}");
}

/* Else flows that are older than the VIP here would be led to A. */
static void a_new_vip_waits_for_its_next_hops_before_it_moves_slots(void **state)
{
	const struct slots *slots;

	(void)state;
	begin_with_one_unresolved();
	slots = &fake.service->live[0].table->slots;
	assert_serve("+o+o");
	fake_pass(SECOND / 20);
	assert_int_equal(slots->moving, 0);
	fake_resolve();
	for (int i = 0; i < 20; i++) {
		fake_pass(SECOND / 10);
		assert_serve("+o+o");
		assert_int_equal(slots->moving, 0);
	}
	fake_close();
	begin_with_one_unresolved();
	fake_pass(SECOND - SECOND / 100);
	assert_serve("+o+o");
	fake_pass(SECOND / 10);
	assert_serve("+o-o");
	assert_true((&fake.service->live[0].table->slots)->moving);
	fake_resolve();
	fake_pass(SECOND / 10);
	assert_serve("+o+o");
	fake_close();
}

/* As a new VIP does: another node may have flows for it already. */
static void a_vip_without_backends_begins_with_all_that_it_gets_at_once(void **state)
{
	(void)state;
	start();
	apply("{'vips': [{" WEB ", 'backends': []}, " OTHER "]}");
	fake.unresolved = true;
	apply("{'vips': [{" WEB ", 'backends': [" A "," B "]}, " OTHER "]}");
	assert_serve("+o+o");
	fake_pass(SECOND - SECOND / 100);
	assert_serve("+o+o");
	fake_pass(SECOND / 10);
	assert_serve("+o-o");
	fake_resolve();
	fake_pass(SECOND / 10);
	assert_serve("+o+o");
	fake_close();
}

/* What comes after the first next hop is given a second before it loses its share. */
static void resolved_one_by_one(const struct lb_addr *first, const char *then)
{
	fake_resolve_one(first);
	fake_pass(SECOND / 2);
	assert_serve("+o+o");
	fake_pass(SECOND);
	assert_serve(then);
}

static void a_vip_waits_for_its_next_hops_each_time_that_none_is_known(void **state)
{
	(void)state;
	start();
	fake.unresolved = true;
	apply("{'vips': [{" WEB ", 'backends': [" A "," B "]}]}");
	resolved_one_by_one(&a_address, "+o-o");
	fake_resolve();
	fake_pass(SECOND / 10);
	assert_serve("+o+o");
	fake.unresolved = true; /* of the next ones */
	apply("{'vips': [{" WEB ", 'backends': [" C ",{'address': '10.0.0.4', 'weight': 10}]}]}");
	resolved_one_by_one(&c_address, "+o-o");
	fake_close();
}

#define WITH(check, backends) "{'vips': [{" WEB check ", 'backends': [" backends "]}]}"

/* B has come to A, and its next hop is not known. */
static void begin_with_one_that_waits(const char *a, const char *both)
{
	start();
	apply(a);
	result(NULL, HEALTH_HEALTHY);
	fake.unresolved = true;
	apply(both);
	result(NULL, HEALTH_HEALTHY);
	assert_serve("+o-o");
}

static void arrives_and_is_told_of(void)
{
	assert_serve("-o+o");
	assert_int_equal(fake.serve_events, 0); /* nothing can be sent to it */
	fake_resolve();
	fake_pass(SECOND / 10);
	assert_serve("-o+o");
	assert_int_equal(fake.serve_events, 1);
	fake_pass(SECOND);
	assert_int_equal(fake.serve_events, 1);
	fake_close();
}

static void it_is_told_once_that_a_backend_serves_which_waited(void **state)
{
	(void)state;
	begin_with_one_that_waits(WITH("", A), WITH("", A "," B));
	apply(WITH("", A_DRAINS "," B));
	arrives_and_is_told_of();
	begin_with_one_that_waits(WITH(", " CHECK, A), WITH(", " CHECK, A "," B));
	result(&a_address, HEALTH_UNHEALTHY);
	arrives_and_is_told_of();
	begin_with_one_that_waits(WITH("", A), WITH("", A "," B));
	fake_resolve(); /* and the change comes before the table is brought up to date */
	apply(WITH("", A_DRAINS "," B));
	fake_pass(SECOND / 10);
	assert_int_equal(fake.serve_events, 1);
	fake_close();
}

/* --- groups --- */

#define GROUPED(more) WITH(", " CHECK more, A "," B "," SPARE)

static void begin_grouped(const char *document)
{
	start();
	apply(document);
	result(NULL, HEALTH_HEALTHY);
	assert_serve("+o+o-o");
}

/* Half of the weight is enough. */
static void a_group_joins_at_once_and_leaves_when_it_was_not_needed_for_the_hold_time(void **state)
{
	(void)state;
	begin_grouped(GROUPED(", 'spill_percent': 51, 'spill_hold_s': 10"));
	result(&a_address, HEALTH_UNHEALTHY);
	assert_serve("-o+o+o");
	assert_int_equal(fake.spill_events, 1);
	result(&a_address, HEALTH_HEALTHY);
	assert_serve("+o+o+o");
	fake_pass(9 * SECOND);
	assert_serve("+o+o+o");
	fake_pass(SECOND);
	assert_serve("+o+o-o");
	assert_int_equal(fake.spill_events, 2);
	fake_close();
}

static void a_share_that_hovers_moves_the_later_group_once(void **state)
{
	(void)state;
	begin_grouped(GROUPED(", 'spill_percent': 51, 'spill_hold_s': 10"));
	for (int i = 0; i < 5; i++) {
		result(&a_address, HEALTH_UNHEALTHY);
		assert_serve("-o+o+o");
		fake_pass(7 * SECOND);
		result(&a_address, HEALTH_HEALTHY);
		fake_pass(7 * SECOND);
		assert_serve("+o+o+o");
	}
	assert_int_equal(fake.spill_events, 1);
	fake_pass(3 * SECOND);
	assert_serve("+o+o-o");
	assert_int_equal(fake.spill_events, 2);
	fake_close();
}

static void a_drain_and_a_document_make_groups_join_and_leave_at_once(void **state)
{
	(void)state;
	begin_grouped(GROUPED(", 'spill_percent': 51"));
	apply(WITH(", " CHECK ", 'spill_percent': 51", A_DRAINS "," B "," SPARE));
	assert_serve("-o+o+o");
	apply(GROUPED(", 'spill_percent': 51"));
	assert_serve("+o+o-o");
	result(&a_address, HEALTH_UNHEALTHY);
	assert_serve("-o+o+o");
	apply(GROUPED(""));
	assert_serve("-o+o-o");
	apply(WITH(", " CHECK, A "," B "," C));
	assert_serve("-o+o+o");
	fake_close();
}

static void an_lbd_that_starts_goes_on_with_the_groups_that_are_needed(void **state)
{
	(void)state;
	begin_grouped(GROUPED(", 'spill_percent': 51"));
	result(&a_address, HEALTH_UNHEALTHY);
	restart();
	assert_serve("-o+o+o");
	assert_int_equal(fake.service->live_pools[0].tables[POOL_STREAMS]->slots.tracked, 0);
	result(NULL, HEALTH_HEALTHY);
	fake_pass(31 * SECOND);
	assert_serve("+o+o-o");
	restart();
	assert_serve("+o+o-o");
	fake_close();
}

static void who_joins_a_group_in_reserve_waits_for_nothing(void **state)
{
	json_t *states;

	(void)state;
	start();
	apply(WITH("", A "," B));
	fake.unresolved = true;
	apply(WITH("", A "," B "," SPARE));
	states = service_backend_states(fake.service, &service_document(fake.service)->vips[0]);
	assert_string_equal(json_string_value(json_object_get(json_array_get(states, 2), "state")),
			    "reserve");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(states, 2), "reserve_until")),
		"less than 50 % of the weight up to priority 0 is in service (100 % now)");
	json_decref(states);
	fake_resolve();
	fake_pass(SECOND);
	assert_int_equal(fake.serve_events, 0);
	fake_close();
}

/* --- warnings --- */

static void assert_warned(const char *words)
{
	json_t *warnings = json_array();

	arrive_warnings(fake.service, warnings);
	assert_int_equal(json_array_size(warnings), 1);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), words));
	json_decref(warnings);
}

static void assert_waits_until(const char *expected)
{
	const struct service *service = fake.service;
	json_t *until =
		arrive_until(service, service->pools.refs[0].pool, &service->live_pools[0], 1);

	assert_string_equal(json_string_value(until), expected);
	json_decref(until);
}

static void it_is_told_why_a_backend_waits_where_that_is_known(void **state)
{
	(void)state;
	begin_with_one_that_waits(WITH("", A), WITH("", A "," B));
	assert_waits_until("its next hop is resolved (no route)");
	fake_resolve(); /* and it has not got its share yet */
	assert_waits_until("its next hop is resolved");
	fake_close();
}

static void it_is_warned_of_backends_that_cannot_be_reached(void **state)
{
	(void)state;
	begin_with_one_that_waits(WITH("", A), WITH("", A "," B));
	assert_warned("1 of 2 backends of VIP 192.0.2.1:80/tcp get no new flows until their next "
		      "hop is resolved, 10.0.0.2 first");
	apply(WITH("", A_DRAINS "," B));
	assert_warned("1 of 2 backends of VIP 192.0.2.1:80/tcp take new flows although their next "
		      "hop is not resolved, 10.0.0.2 first");
	fake_close();
}

static void a_check_that_cannot_be_made_keeps_no_slots_where_they_are(void **state)
{
	(void)state;
	start();
	apply("{'vips': [" OTHER "]}");
	fake.unresolved = fake.no_tunnel = true;
	apply("{'vips': [{" WEB ", " TUNNEL ", 'backends': [" A "," B "]}, " OTHER "]}");
	fake_pass(10 * SECOND);
	assert_int_equal(fake.service->live_pools[0].backends[0].weight, 10);
	assert_int_equal(fake.service->live_pools[0].backends[1].weight, 0);
	fake_close();
}

/* Where a backend is in its VIP is noted each time that the VIP's checks are gone over. */
static void only_vips_with_a_check_that_could_not_be_set_up_are_gone_over_again(void **state)
{
	static const char two[] = "{'vips': [{" WEB ", " TUNNEL ", 'backends': [" A
				  "]}, {'address': '192.0.2.2:80/tcp', 'table_size': 251, " CHECK
				  ", 'backends': [" B "]}]}";
	struct health_check *missing, *made;

	(void)state;
	start();
	fake.no_tunnel = true;
	apply(two);
	missing = &fake.service->checks[fake.service->live_pools[0].backends[0].number];
	made = &fake.service->checks[fake.service->live_pools[1].backends[0].number];
	assert_null(missing->watch);
	assert_non_null(made->watch);
	missing->place = made->place = 3;
	fake_pass(2 * SECOND);
	assert_int_equal(missing->place, 0);
	assert_int_equal(made->place, 3);
	fake.no_tunnel = false;
	fake_pass(2 * SECOND);
	assert_non_null(missing->watch);
	assert_int_equal(fake_due_ns(), INT64_MAX); /* and that was the last time */
	fake_close();
}

static void a_dies(void)
{
	fake_health(&a_address, HEALTH_UNHEALTHY);
}

static void a_dies_and_is_followed(void)
{
	result(&a_address, HEALTH_UNHEALTHY);
}

#define THREE "{'vips': [{" WEB ", " CHECK ", 'backends': [" A "," B "," C "]}]}"

static void results_that_come_amid_a_change_are_not_lost(void **state)
{
	static void (*const amid[])(void) = {a_dies, a_dies_and_is_followed};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(amid); i++) {
		start();
		apply(CHECKED(""));
		result(NULL, HEALTH_HEALTHY);
		fake.amid = amid[i];
		apply(THREE);
		fake_pass(SECOND / 10);
		assert_serve("-o+o-o"); /* nothing is known of the third */
		result(NULL, HEALTH_HEALTHY);
		assert_serve("+o+o+o");
		fake_close();
	}
}

/* What fails is done a little later, and no result is forgotten. */
static void results_are_followed_although_calls_fail(void **state)
{
	(void)state;
	for (int allocations = 0; allocations < 2; allocations++)
		for (long n = 0, failed = true; failed; n++) {
			start();
			fail_call(n, false);
			fake.allocations_fail = allocations;
			if (fake_apply(CHECKED(""), &by_force, NULL))
				apply(CHECKED(""));
			fake_health(NULL, HEALTH_HEALTHY);
			fake_pass(SECOND);
			fake_health(NULL, HEALTH_HEALTHY); /* of what was tried again */
			result(&a_address, HEALTH_UNHEALTHY);
			fake_pass(2 * SECOND);
			failed = has_failed();
			fake.allocations_fail = false;
			assert_serve("-o+o");
			fake_close();
		}
}

/* --- time --- */

#define SHORT(backends)                                                                            \
	"{'vips': [{" WEB ", 'transition_s': 4, 'flow_idle_s': 4, 'backends': [" backends "]}]}"

static const struct slots *slots(void)
{
	return &fake.service->live[0].table->slots;
}

static void a_transition_ends_and_slots_settle(void **state)
{
	(void)state;
	start();
	apply(SHORT(A "," B));
	assert_int_equal(slots()->moving, 0);
	assert_false(fake.service->flows_possible);
	apply(SHORT(A "," B "," C));
	assert_true(slots()->moving);
	fake_pass(3 * SECOND);
	assert_true(slots()->moving);
	fake_pass(3 * SECOND);
	assert_int_equal(slots()->moving, 0);
	assert_int_equal(slots()->tracked, 0);
	assert_false(fake.service->flows_possible);
	assert_true(fake_due_ns() == INT64_MAX); /* nothing is left to be done */
	fake_check(true);
	fake_close();
}

static void the_number_of_a_member_comes_free_when_no_word_names_it(void **state)
{
	uint16_t number;

	(void)state;
	start();
	apply(SHORT(A "," B));
	number = fake.service->live_pools[0].backends[1].number;
	apply(SHORT(A "," B "," C));
	apply(SHORT(A "," C));
	assert_int_equal(fake.left.members[number].flags, LB_MEMBER_VALID | LB_MEMBER_GONE);
	fake_check(true);
	fake_pass(6 * SECOND);
	assert_int_equal(fake.left.members[number].flags, 0);
	fake_check(true);
	fake_close();
}

/* Records of flows that live, in so many buckets. */
static void record_in(uint32_t buckets)
{
	const uint16_t number = fake.service->live_pools[0].backends[0].number;

	for (uint32_t i = 0; i < buckets; i++)
		for (uint32_t way = 0; way < LB_FLOW_WAYS; way++)
			fake.plane.flows[i].word[way] =
				flow_word(1 + i * LB_FLOW_WAYS + way, number, LB_FLOW_PROVEN,
					  clock_now_units(fake.service));
}

static size_t warnings_of(const char *text)
{
	json_t *reply = change_to(text);
	const size_t count = json_array_size(json_object_get(reply, "warnings"));

	json_decref(reply);
	return count;
}

/* Of 16 buckets. */
static void what_moves_slots_warns_while_the_flow_table_is_more_than_half_full(void **state)
{
	(void)state;
	start();
	apply(SHORT(A "," B));
	apply(SHORT(A "," B "," C));
	record_in(8);
	fake_pass(SECOND);
	assert_int_equal(warnings_of(SHORT(A "," B)), 0);
	record_in(9);
	fake_pass(SECOND);
	assert_int_equal(sweep_total(fake.service->sweep), 9 * LB_FLOW_WAYS);
	assert_int_equal(warnings_of(SHORT(A "," B)), 0); /* as it was */
	assert_int_equal(warnings_of(SHORT(A "," B "," C)), 1);
	fake_close();
}

static uint32_t members_gone(void)
{
	uint32_t gone = 0;

	for (uint32_t i = 0; i < members_capacity(&fake.config); i++)
		gone += (fake.left.members[i].flags & LB_MEMBER_GONE) != 0;
	return gone;
}

/* Packets were led to it, even though its document could not be saved. The last of the calls that
 * can fail is the save. */
static void the_number_of_a_member_whose_vip_was_taken_back_comes_free_late(void **state)
{
	static const char both[] =
		"{'vips': [{" WEB ", 'transition_s': 4, 'flow_idle_s': 4, "
		"'backends': [" A "," B "," C "]}, {" SIX ", 'backends': [" A "]}]}";
	struct lb_err err = {0};
	uint32_t gone = 0;

	(void)state;
	for (long n = 0;; n++) {
		int error;

		start();
		apply(SHORT(A "," B));
		apply(SHORT(A "," B "," C));
		fail_call(n, false);
		error = fake_apply(both, &by_force, &err);
		has_failed();
		if (error)
			gone = members_gone();
		fake_pass(6 * SECOND);
		assert_int_equal(members_gone(), 0);
		fake_check(true);
		fake_close();
		if (!error)
			break;
	}
	assert_int_equal(gone, 1);
}

static void a_backend_goes_unasked_once_it_is_drained(void **state)
{
	const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err;

	(void)state;
	start();
	apply(SHORT(A "," B));
	fake.counters[fake.service->live_pools[0].backends[1].number].packets = 1;
	assert_int_not_equal(fake_apply(SHORT(A), &unasked, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	apply(SHORT(A ",{'address': '10.0.0.2', 'weight': 10, 'drain': true}"));
	assert_int_not_equal(fake_apply(SHORT(A), &unasked, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	fake_pass(6 * SECOND);
	assert_int_equal(fake_apply(SHORT(A), &unasked, &err), 0);
	fake_check(true);
	fake_close();
}

#define CHANCE(address) "{'address': '" address "', 'weight': 10, 'second_chance': true}"
#define CHANCES CHANCE("10.0.0.1") "," CHANCE("10.0.0.2") "," CHANCE("10.0.0.3")

static struct lb_addr address_of(const char *text)
{
	struct lb_addr address;
	struct lb_err err;

	assert_int_equal(lb_addr_parse(text, &address, &err), 0);
	return address;
}

static void all_lost(uint64_t packets)
{
	for (char last = '1'; last <= '3'; last++) {
		const char text[] = {'1', '0', '.', '0', '.', '0', '.', last, '\0'};
		const struct lb_addr address = address_of(text);

		fake_lost(&address, packets);
	}
}

/* Its transition is 4 s; backends are asked once more after that. */
static void a_change_ends_with_what_was_predicted_and_measured(void **state)
{
	const struct lb_addr first = address_of("10.0.0.1"), second = address_of("10.0.0.2");

	(void)state;
	start();
	apply(SHORT(CHANCES));
	all_lost(5); /* before */
	fake_pass(60 * SECOND);
	apply(SHORT("{'address': '10.0.0.1', 'weight': 10, 'second_chance': true, 'drain': true}"
		    "," CHANCE("10.0.0.2") "," CHANCE("10.0.0.3")));
	assert_true(fake_watched_until_ms(&first) >= clock_now_ms(fake.service) + 4000);
	fake_pass(9 * SECOND);
	assert_string_equal(fake.receipt, "");
	fake_lost(&second, 7);
	fake_pass(3 * SECOND);
	assert_string_equal(fake.receipt,
			    "vip 192.0.2.1:80/tcp has changed: predicted 0 broken, measured 2 lost "
			    "packets in 10 s (backends that answer: 3)");
	fake.receipt[0] = '\0';
	fake_pass(60 * SECOND);
	assert_string_equal(fake.receipt, "");
	fake_close();
}

static void a_receipt_is_of_all_changes_until_the_last_is_over(void **state)
{
	const struct lb_addr third = address_of("10.0.0.3");
	uint16_t number;

	(void)state;
	start();
	apply(SHORT(CHANCES));
	all_lost(0);
	fake_pass(60 * SECOND);
	number = fake.service->live_pools[0].backends[1].number;
	fake.counters[number].packets = 1;
	apply(SHORT(CHANCE("10.0.0.1") "," CHANCE("10.0.0.3"))); /* fake_apply forces */
	assert_int_equal(fake_watched_until_ms(&third), clock_now_ms(fake.service) + 10000);
	fake_pass(5 * SECOND);
	fake_lost(&third, 3);
	apply(SHORT(CHANCES));
	fake_pass(8 * SECOND);
	assert_string_equal(fake.receipt, "");
	fake_pass(4 * SECOND); /* the new one has not answered */
	assert_string_equal(
		fake.receipt,
		"vip 192.0.2.1:80/tcp has changed: predicted broken flows of backends: 1 "
		"(flows on record: 0), measured 3 lost packets in 15 s "
		"(backends that answer: 2, that do not: 1)");
	fake_close();
}

static void a_receipt_tells_of_backends_that_nobody_asks(void **state)
{
	(void)state;
	start();
	apply(SHORT(CHANCES));
	all_lost(0);
	fake_pass(60 * SECOND);
	apply(SHORT("{'address': '10.0.0.1', 'weight': 10, 'drain': true}"
		    "," CHANCE("10.0.0.2") "," CHANCE("10.0.0.3")));
	fake_pass(12 * SECOND);
	assert_string_equal(fake.receipt,
			    "vip 192.0.2.1:80/tcp has changed: predicted 0 broken, measured 0 lost "
			    "packets in 10 s (backends that answer: 2, not asked: 1)");
	fake_close();
}

static void what_nobody_can_measure_has_no_receipt(void **state)
{
	const struct lb_addr first = address_of("10.0.0.1");

	(void)state;
	start();
	apply(SHORT(A "," B));
	assert_int_equal(fake_watched_until_ms(&first), -1);
	fake_pass(60 * SECOND);
	apply(SHORT(A));
	fake_pass(60 * SECOND);
	assert_string_equal(fake.receipt, "");
	apply(SHORT(CHANCES));
	fake_pass(60 * SECOND);
	fake.receipt[0] = '\0';
	apply(SHORT(CHANCES)); /* nothing moves */
	apply("{'vips': []}");
	fake_pass(60 * SECOND);
	assert_string_equal(fake.receipt, "");
	assert_int_equal(fake_watched_until_ms(&first), -1);
	fake_close();
}

#define QUIC(backends)                                                                             \
	"{'vips': [{" DNS ", 'flow_idle_s': 8, 'quic': [{}], 'backends': [" backends "]}]}"
#define QUIC_B ID("10.0.0.2", "02")
#define QUIC_B_DRAINS                                                                              \
	"{'address': '10.0.0.2', 'weight': 10, 'drain': true, 'quic_server_id': "                  \
	"'0000000000000002'}"

/* Packets that follow a server id are on no record: the backend has connections until none has come for
 * the flow idle time. */
static void a_backend_is_drained_when_no_packet_follows_its_quic_id(void **state)
{
	const struct apply_options unasked = {.max_moved_percent = 100};
	struct lb_err err;
	uint16_t number;

	(void)state;
	start();
	apply(QUIC(ID("10.0.0.1", "01") "," QUIC_B));
	number = fake.service->live_pools[0].backends[1].number;
	fake.counters[number].packets = fake.quic_counters[number] = 5;
	apply(QUIC(ID("10.0.0.1", "01") "," QUIC_B_DRAINS));
	for (int i = 0; i < 5; i++) {
		fake_pass(6 * SECOND);
		fake.quic_counters[number]++;
		assert_int_not_equal(fake_apply(QUIC(ID("10.0.0.1", "01")), &unasked, &err), 0);
		assert_int_equal(err.code, LB_ERR_REFUSED);
	}
	fake_pass(12 * SECOND);
	assert_int_equal(fake_apply(QUIC(ID("10.0.0.1", "01")), &unasked, &err), 0);
	fake_check(true);
	fake_pass(12 * SECOND);
	assert_false(fake.service->flows_possible);
	fake_close();
}

/* Also when ids change hands, and when another lbd takes over. */
static void each_quic_id_leads_to_its_backend(void **state)
{
	(void)state;
	start();
	apply(QUIC(ID("10.0.0.1", "01") "," QUIC_B));
	fake_check(true);
	apply(QUIC(ID("10.0.0.1", "02") "," ID("10.0.0.2", "01")));
	fake_check(true);
	apply(QUIC(ID("10.0.0.2", "02") "," ID("10.0.0.3", "01")));
	fake_check(true);
	restart();
	fake_check(true);
	assert_int_equal(lb_quic_config_of(fake.left.quic_vips[fake.service->live[0].number], 0),
			 8);
	apply("{'vips': [{" DNS ", 'quic': [{'cr': 2, 'sid_length': 4}], 'backends': [" A "]}]}");
	fake_check(true);
	assert_int_equal(lb_quic_config_of(fake.left.quic_vips[fake.service->live[0].number], 2),
			 4);
	fake_close();
}

#define QUIC_A ID("10.0.0.1", "01")
#define SWAPPED ID("10.0.0.1", "02") "," ID("10.0.0.2", "01")
#define QUIC_POOLS(p, q, web)                                                                      \
	"{'pools': [{'name': 'p', 'table_size': 251, 'backends': [" p "]}, {'name': 'q', "         \
	"'table_size': 251, 'backends': [" q "]}], 'vips': [{'address': '192.0.2.1:53/udp', " web  \
	"}, {'address': '192.0.2.1:80/tcp', 'pool': 'q'}]}"
#define IN_P "'quic': [{}], 'pool': 'p'"
#define IN_Q "'quic': [{}], 'pool': 'q'"
#define OF_QUIC(quic, backends) "{'vips': [{" DNS ", " quic "'backends': [" backends "]}]}"

/* Connections follow the id of 10.0.0.1. A dry run says as much. */
static void quic_connections_end_by_force_only(void **state)
{
	static const struct {
		const char *from, *to;
		bool ends;
	} rows[] = {
#define P QUIC_A "," QUIC_B
		/* the VIP goes to another pool */
		{QUIC_POOLS(P, A "," B, IN_P), QUIC_POOLS(P, A "," B, IN_Q), true},
		{QUIC_POOLS(P, SWAPPED, IN_P), QUIC_POOLS(P, SWAPPED, IN_Q), true},
		{QUIC_POOLS(P, QUIC_B, IN_P), QUIC_POOLS(P, QUIC_B, IN_Q), true},
		{QUIC_POOLS(P, QUIC_A "," B, IN_P), QUIC_POOLS(P, QUIC_A "," B, IN_Q), false},
		{QUIC_POOLS(P, P, IN_P), QUIC_POOLS(P, P, "'pool': 'q'"), true},
		{QUIC_POOLS(P, P, "'pool': 'p'"), QUIC_POOLS(P, A, "'pool': 'q'"), false},
		/* the ids of the pool change */
		{QUIC_POOLS(P, A, IN_P), QUIC_POOLS(A "," QUIC_B, A, IN_P), true},
		{QUIC_POOLS(P, A, IN_P), QUIC_POOLS(SWAPPED, A, IN_P), true},
		{QUIC_POOLS(P, A, IN_P), QUIC_POOLS(QUIC_A "," B, A, IN_P), false},
		{OF_QUIC("'quic': [{}], ", P), OF_QUIC("'quic': [{}], ", A "," QUIC_B), true},
		{OF_QUIC("'quic': [{}], ", P), OF_QUIC("'quic': [{}, {'cr': 1}], ", SWAPPED), true},
		{OF_QUIC("'quic': [{}], ", QUIC_A), OF_QUIC("'quic': [{}], ", P), false},
		/* what the VIP reads changes */
		{OF_QUIC("'quic': [{}], ", P), OF_QUIC("", P), true},
		{OF_QUIC("'quic': [{}], ", P), OF_QUIC("'quic': [{'cr': 1}], ", P), true},
		{OF_QUIC("'quic': [{}], ", P), OF_QUIC("'quic': [{}, {'cr': 1}], ", P), false},
		{QUIC_POOLS(P, A, IN_P), QUIC_POOLS(P, A, "'pool': 'p'"), true},
#undef P
	};
	static const struct apply_options unasked = {.max_moved_percent = 100};
	static const struct apply_options dry = {.dry_run = true, .max_moved_percent = 100};
	struct lb_err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		json_t *reply = NULL;
		uint16_t number;

		start();
		apply(rows[i].from);
		assert_int_equal(fake_apply(rows[i].to, &unasked, &err), 0);
		apply(rows[i].from);
		fake_pass(20 * SECOND);
		number = live_pool_of(fake.service, &service_document(fake.service)->vips[0])
				 ->backends[0]
				 .number;
		fake.counters[number].packets = fake.quic_counters[number] = 5;
		assert_int_equal(
			service_apply(fake.service, fake_document(rows[i].to), &dry, &reply, &err),
			0);
		if (json_is_true(json_object_get(reply, "needs_force")) != rows[i].ends)
			fail_msg("row %zu: %s", i, json_dumps(reply, 0));
		json_decref(reply);
		err = (struct lb_err){0};
		if (!fake_apply(rows[i].to, &unasked, &err) == rows[i].ends)
			fail_msg("row %zu: %s", i, err.message);
		if (rows[i].ends)
			assert_non_null(strstr(err.message, "while QUIC connections follow it"));
		fake_close();
	}
}

static json_t *vip_stats(void)
{
	return service_vip_stats(fake.service, &service_document(fake.service)->vips[0]);
}

static void a_vip_has_counters_of_its_own_or_the_sums_of_its_members(void **state)
{
	json_t *stats;

	(void)state;
	start();
	apply(SHORT(A));
	fake.counters[fake.service->live_pools[0].backends[0].number].packets = 5;
	fake.vip_counters[fake.service->live[0].number].packets = 7;
	stats = vip_stats();
	assert_int_equal(json_integer_value(json_object_get(stats, "packets")), 7);
	json_decref(stats);
	fake.service->plane.vip_counters = NULL;
	stats = vip_stats();
	assert_int_equal(json_integer_value(json_object_get(stats, "packets")), 5);
	json_decref(stats);
	fake_close();
}

static void a_vip_that_is_set_up_bit_by_bit_needs_no_transition(void **state)
{
	(void)state;
	for (int packets = 0; packets < 2; packets++) {
		start();
		apply(SHORT(""));
		apply(SHORT(A));
		fake.counters[fake.service->live_pools[0].backends[0].number].packets = packets;
		apply(SHORT(A "," B));
		assert_true(slots()->moving);
		fake_pass(SECOND / 50);
		assert_int_equal(!slots()->moving, !packets);
		fake_check(true);
		fake_close();
	}
}

static bool led_amid;

static int counters_amid(struct datapath *datapath, uint32_t first, uint32_t count,
			 struct lb_counter *out)
{
	(void)datapath;
	(void)first;
	assert_int_equal(count, 1);
	*out = (struct lb_counter){0};
	led_amid = fake.service->live_pools[0].led;
	return 0;
}

/* The slots that the change leads elsewhere then are not those that were looked at. */
static void the_end_of_setting_up_and_a_change_wait_for_each_other(void **state)
{
	(void)state;
	start();
	apply(SHORT(""));
	apply(SHORT(A));
	apply(SHORT(A "," B));
	fake.service->live_pools[0].led = true; /* a change has begun */
	fake_pass(SECOND / 20);
	assert_true(slots()->moving);
	fake.service->live_pools[0].led = false;
	fake.service->plane.counters = counters_amid;
	fake_pass(SECOND / 20);
	assert_int_equal(slots()->moving, 0);
	assert_true(led_amid);
	assert_false(fake.service->live_pools[0].led);
	fake_close();
}

#define NAMES(backends)                                                                            \
	"{'vips': [{" DNS ", 'when_all_unhealthy': 'drop', " CHECK ", 'backends': [" backends "]}" \
	"]}"

static void datagrams_leave_who_takes_no_new_flows_before_the_transition_ends(void **state)
{
	(void)state;
	start();
	apply(NAMES(A "," B));
	result(NULL, HEALTH_HEALTHY);
	fake_pass(6 * SECOND);
	assert_int_equal(slots()->moving, 0);
	result(&a_address, HEALTH_UNHEALTHY);
	assert_int_equal(slots()->moving, 0); /* at once */
	result(&a_address, HEALTH_HEALTHY);
	assert_true(slots()->moving);
	fake_pass(6 * SECOND);
	apply(NAMES("{'address': '10.0.0.1', 'weight': 10, 'drain': true}," B));
	fake_pass(2 * SECOND);
	assert_true(slots()->moving);
	fake_pass(2 * SECOND); /* half of it, and what rounding adds */
	assert_int_equal(slots()->moving, 0);
	fake_check(true);
	fake_close();
}

/* When none is healthy and all are used, a backend that drains keeps its time. */
static void datagrams_of_a_draining_backend_stay_when_all_are_unhealthy(void **state)
{
	static const char all_used[] =
		"{'vips': [{" DNS ", " CHECK ", 'backends': [{'address': '10.0.0.1', 'weight': "
		"10, 'drain': true}," B "]}]}";

	(void)state;
	start();
	apply("{'vips': [{" DNS ", " CHECK ", 'backends': [" A "," B "]}]}");
	result(NULL, HEALTH_HEALTHY);
	fake_pass(6 * SECOND);
	apply(all_used);
	result(NULL, HEALTH_UNHEALTHY);
	assert_serve("-o+o");
	assert_true(slots()->moving);
	result(&b_address, HEALTH_HEALTHY); /* there is a better one again */
	assert_int_equal(slots()->moving, 0);
	fake_close();
}

/* --- facts --- */

static struct pool_facts facts_of(size_t place)
{
	struct pool_facts facts;

	assert_int_equal(service_pool_facts(fake.service, place, &facts), 0);
	return facts;
}

static void facts_say_what_checks_have_found(void **state)
{
	struct pool_facts facts;

	(void)state;
	start();
	apply(CHECKED(""));
	result(NULL, HEALTH_HEALTHY);
	result(&a_address, HEALTH_UNHEALTHY);
	facts = facts_of(0);
	assert_int_equal(facts.checks.successes, 2);
	assert_int_equal(facts.checks.failures, 1);
	assert_int_equal(facts.checks.healthy, 2);
	assert_int_equal(facts.checks.unhealthy, 1);
	assert_int_equal(facts.checks.took[0], 3); /* 1 ms each */
	assert_int_equal(facts.checks.took_us, 3000);
	assert_int_equal(facts.backends[0].health, HEALTH_UNHEALTHY);
	assert_int_equal(facts.backends[0].share, 0);
	assert_int_equal(facts.backends[0].slots, 0);
	assert_int_equal(facts.backends[1].health, HEALTH_HEALTHY);
	assert_int_equal(facts.backends[1].share, 10);
	assert_int_equal(facts.backends[1].slots, 251);
	assert_int_equal(facts.settled + facts.moving + facts.tracked, 251);
	assert_true(facts.moving);
	pool_facts_clear(&facts);
	fake_close();
}

/* Its number is that of one that is gone, after a while. */
static void counts_of_checks_begin_anew_with_each_vip(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 20; i++) {
		struct pool_facts facts;

		apply(CHECKED(""));
		facts = facts_of(0);
		assert_int_equal(facts.checks.successes, 0);
		pool_facts_clear(&facts);
		result(NULL, HEALTH_HEALTHY);
		apply(documents[0]);
	}
	fake_close();
}

/* Those between have gone, or belong to another pool. */
static void facts_have_the_packets_of_each_backend_whatever_its_number(void **state)
{
	struct pool_facts facts;

	(void)state;
	start();
	apply("{'vips': [{" WEB ", 'backends': [" A "," B "," C "]}]}");
	apply("{'vips': [{" WEB ", 'backends': [" A "," C "]}]}");
	apply("{'vips': [{" WEB ", 'backends': [" A ",{'address': '10.0.0.4'}," C "]}]}");
	for (size_t i = 0; i < 3; i++)
		fake.counters[fake.service->live_pools[0].backends[i].number].packets = 100 + i;
	facts = facts_of(0);
	assert_int_equal(facts.backend_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(facts.backends[i].traffic.packets, 100 + i);
	pool_facts_clear(&facts);
	fake_close();
}

/* --- the guard --- */

static struct lb_guard_vip guard_rules[4];

static struct lb_guard_vip *guard_vips(struct datapath *datapath)
{
	(void)datapath;
	return guard_rules;
}

/* Every VIP, and the entry for fragments of one, has the flag; `rules` is what their numbers have. */
static void assert_guarded(bool flag, uint32_t rules)
{
	for (size_t i = 0; i < fake.left.entry_count; i++) {
		const struct lb_vip_value *value = &fake.left.entries[i].value;

		if (value->flags & LB_VIP_ADDRESS_ONLY)
			continue;
		assert_int_equal(!!(value->flags & LB_VIP_GUARDED), flag);
		assert_int_equal(guard_rules[value->number].rules, rules);
	}
}

static void each_vip_has_the_lists_and_keeps_other_rules(void **state)
{
	const struct lb_guard_vip lists = {.rules = LB_GUARD_LISTS, .lists = 5, .monitored = 2};
	struct lb_err err;

	(void)state;
	fake_open(4, 32, 4096, 16);
	fake.plane.guard_vips = guard_vips;
	assert_int_equal(fake_start(&err), 0);
	for (size_t i = 0; i < COUNT_OF(guard_rules); i++)
		guard_rules[i] = (struct lb_guard_vip){.rules = LB_GUARD_SYN_OPENS};
	apply(documents[1]);
	assert_guarded(false, LB_GUARD_SYN_OPENS);
	fake.guard = lists;
	service_guard(fake.service);
	assert_guarded(true, LB_GUARD_SYN_OPENS | LB_GUARD_LISTS);
	apply(documents[2]); /* with fragments by 3-tuple, and another VIP */
	assert_guarded(true, LB_GUARD_SYN_OPENS | LB_GUARD_LISTS);
	assert_int_equal(guard_rules[fake.left.entries[0].value.number].lists, 5);
	assert_int_equal(guard_rules[fake.left.entries[0].value.number].monitored, 2);
	fake.guard = (struct lb_guard_vip){0};
	service_guard(fake.service);
	assert_guarded(false, LB_GUARD_SYN_OPENS);
	fake_stop();
	fake_close();
}

/* Those of the port have the rule and the flag, others neither; so has what was added since. */
static void assert_guarded_port(uint16_t port)
{
	size_t found = 0;

	for (size_t i = 0; i < fake.left.entry_count; i++) {
		const struct fake_entry *entry = &fake.left.entries[i];
		const bool wanted = entry->endpoint.port == port;

		if (!entry->endpoint.port)
			continue;
		assert_int_equal(!!(entry->value.flags & LB_VIP_GUARDED), wanted);
		assert_int_equal(guard_rules[entry->value.number].lists, wanted ? 1 : 0);
		assert_int_equal(guard_rules[entry->value.number].rules,
				 wanted ? LB_GUARD_LISTS : 0);
		found += wanted;
	}
	assert_int_equal(found, 1);
}

static void a_list_for_some_vips_is_no_rule_of_others(void **state)
{
	struct lb_err err;

	(void)state;
	fake_open(4, 32, 4096, 16);
	fake.plane.guard_vips = guard_vips;
	memset(guard_rules, 0, sizeof(guard_rules));
	assert_int_equal(fake_start(&err), 0);
	fake.guard = (struct lb_guard_vip){.rules = LB_GUARD_LISTS, .lists = 1};
	fake.guard_port = 80;
	apply(documents[1]);
	assert_guarded_port(80);
	apply(documents[4]);
	assert_guarded_port(80);
	fake.guard_port = 53;
	service_guard(fake.service);
	assert_guarded_port(53);
	fake_stop();
	assert_int_equal(fake_start(&err), 0);
	assert_guarded_port(53);
	fake_stop();
	fake.guard = (struct lb_guard_vip){0};
	fake.guard_port = 0;
	fake_close();
}

/* An earlier lbd ended before it could flag entries, or with another opinion of who is guarded. */
static void entries_that_are_taken_over_get_the_flag_that_is_right_now(void **state)
{
	const struct lb_guard_vip lists = {.rules = LB_GUARD_LISTS, .lists = 1};
	struct lb_err err;

	(void)state;
	fake_open(4, 32, 4096, 16);
	fake.plane.guard_vips = guard_vips;
	memset(guard_rules, 0, sizeof(guard_rules));
	assert_int_equal(fake_start(&err), 0);
	apply(documents[1]);
	fake_stop();
	fake.guard = lists;
	assert_int_equal(fake_start(&err), 0);
	assert_guarded(true, LB_GUARD_LISTS);
	for (size_t i = 0; i < fake.service->document->vip_count; i++)
		assert_int_equal(fake.service->document->vips[i].syn_guard, LB_SYN_GUARD_OFF);
	fake_stop();
	fake.guard = (struct lb_guard_vip){0};
	assert_int_equal(fake_start(&err), 0);
	assert_guarded(false, 0);
	fake_stop();
	fake_close();
}

/* --- rates --- */

static struct lb_rates guard_rates[16]; /* by number; of limits.vips there are more */
static int rates_users, rates_refused, rates_resets;

static int rates_use(struct datapath *datapath, struct lb_err *err)
{
	(void)datapath;
	if (rates_refused)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "no memory for the guard");
	rates_users = 1;
	return 0;
}

static void rates_drop(struct datapath *datapath)
{
	(void)datapath;
	rates_users = 0;
}

static struct lb_rates *rates_of(struct datapath *datapath)
{
	(void)datapath;
	return rates_users ? guard_rates : NULL;
}

static int rates_over(struct datapath *datapath, uint32_t number, struct lb_rates_over *out)
{
	(void)datapath;
	*out = (struct lb_rates_over){{number, 7, 0, 0}};
	return 0;
}

static int rates_over_reset(struct datapath *datapath, uint32_t number)
{
	(void)datapath;
	(void)number;
	rates_resets++;
	return 0;
}

static void open_rated(void)
{
	fake_open(4, 32, 4096, 16);
	memset(guard_rules, 0, sizeof(guard_rules));
	memset(guard_rates, 0, sizeof(guard_rates));
	rates_users = rates_refused = rates_resets = 0;
	fake.plane.guard_vips = guard_vips;
	fake.plane.rates_use = rates_use;
	fake.plane.rates_drop = rates_drop;
	fake.plane.rates = rates_of;
	fake.plane.rates_over = rates_over;
	fake.plane.rates_over_reset = rates_over_reset;
}

static const struct lb_rates *rates_found(void)
{
	return &guard_rates[fake.left.entries[0].value.number];
}

static void assert_rule(const struct lb_rate *rule, uint32_t what, const char *mask, uint64_t rate)
{
	uint8_t bytes[16] = {0};

	memcpy(bytes, mask, strlen(mask));
	assert_int_equal(rule->what, what);
	assert_memory_equal(rule->mask, bytes, sizeof(bytes));
	assert_int_equal(rule->price, rate_price(rate));
}

#define RATED(rates) "{'vips': [{" WEB ", 'rate': '" rates "', 'backends': [" A "," B "]}]}"
#define RATED6 "{'vips': [{" SIX ", 'rate': 'source=5pps source/48=6pps source/128=7pps'}]}"

static void packets_meet_the_rates_of_the_document(void **state)
{
	struct lb_err err;

	(void)state;
	open_rated();
	assert_int_equal(fake_start(&err), 0);
	apply(RATED("source=1kpps source/24=50sps,monitor vip=1MBps"));
	assert_guarded(true, LB_GUARD_RATES);
	assert_rule(&rates_found()->rule[0], LB_RATE_PACKETS, "\xff\xff\xff\xff", 1000);
	assert_rule(&rates_found()->rule[1], LB_RATE_SYNS | LB_RATE_MONITOR, "\xff\xff\xff", 50);
	assert_rule(&rates_found()->rule[2], LB_RATE_BYTES | LB_RATE_WHOLE, "", 1000000);
	assert_int_equal(rates_found()->rule[3].what, 0);
	assert_int_equal(rates_resets, 1);

	/* Whatever else changes, counters go on; with another rate they begin anew. */
	apply("{'vips': [{" WEB ", 'name': 'web', 'rate': 'source=1kpps source/24=50sps,monitor "
	      "vip=1MBps', 'backends': [" A "]}]}");
	assert_int_equal(rates_resets, 1);
	apply(RATED("source/24=1kpps"));
	assert_rule(&rates_found()->rule[0], LB_RATE_PACKETS, "\xff\xff\xff", 1000);
	assert_int_equal(rates_found()->rule[1].what, 0);
	assert_int_equal(rates_resets, 2);

	fake_stop(); /* and again */
	memset(guard_rates, 0, sizeof(guard_rates));
	memset(guard_rules, 0, sizeof(guard_rules));
	assert_int_equal(fake_start(&err), 0);
	assert_guarded(true, LB_GUARD_RATES);
	assert_rule(&rates_found()->rule[0], LB_RATE_PACKETS, "\xff\xff\xff", 1000);

	apply(RATED("none"));
	assert_guarded(false, 0);
	assert_int_equal(rates_users, 0);
	fake_stop();
	fake_close();
}

static void rates_of_ipv6_are_by_its_prefixes(void **state)
{
	static const char *const ones =
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
	struct lb_err err;

	(void)state;
	open_rated();
	assert_int_equal(fake_start(&err), 0);
	apply(RATED6);
	assert_rule(&rates_found()->rule[0], LB_RATE_PACKETS, ones + 8, 5);
	assert_rule(&rates_found()->rule[1], LB_RATE_PACKETS, ones + 10, 6);
	assert_rule(&rates_found()->rule[2], LB_RATE_PACKETS, ones, 7);
	apply("{'vips': []}");
	assert_int_equal(guard_rates[0].rule[0].what | guard_rates[1].rule[0].what |
				 guard_rates[2].rule[0].what | guard_rates[3].rule[0].what,
			 0);
	fake_stop();
	fake_close();
}

#define RATED_TWICE(other)                                                                         \
	"{'vips': [{" WEB ", 'rate': 'vip=5pps', 'backends': [" A "]}, {" DNS other                \
	", 'backends': [" A "]}]}"

static void a_guard_that_does_not_load_refuses_rates_and_stops_no_start(void **state)
{
	json_auto_t *warnings = json_array();
	struct lb_err err;

	(void)state;
	open_rated();
	rates_refused = 1;
	assert_int_equal(fake_start(&err), 0);
	assert_int_not_equal(fake_apply(RATED("vip=5pps"), &by_force, &err), 0);
	assert_string_equal(err.message, "no memory for the guard");
	rates_refused = 0;
	apply(RATED("vip=5pps"));
	fake_stop();
	rates_users = 0;
	rates_refused = 1;
	assert_int_equal(fake_start(&err), 0);
	service_health_warnings(fake.service, warnings);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)),
			       "rates are not in force: no memory for the guard"));

	/* Nor a change of anything else. */
	apply(RATED_TWICE(""));
	assert_int_not_equal(fake_apply(RATED_TWICE(", 'rate': 'vip=5pps'"), &by_force, &err), 0);
	assert_string_equal(err.message, "no memory for the guard");
	fake_stop();
	fake_close();
}

/* --- the program with QUIC --- */

static int quic_uses, quic_drops, quic_refused, quic_flags_at_use;

static int quic_use(struct datapath *datapath, struct lb_err *err)
{
	(void)datapath;
	if (quic_refused)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "no memory for QUIC");
	quic_uses++;
	for (size_t i = 0; i < fake.left.entry_count; i++)
		quic_flags_at_use += (fake.left.entries[i].value.flags & LB_VIP_QUIC) != 0;
	return 0;
}

static void quic_drop(struct datapath *datapath)
{
	(void)datapath;
	for (size_t i = 0; i < fake.left.entry_count; i++)
		assert_false(fake.left.entries[i].value.flags & LB_VIP_QUIC);
	quic_drops++;
}

static void open_with_quic(void)
{
	fake_open(4, 32, 4096, 16);
	quic_uses = quic_drops = quic_refused = quic_flags_at_use = 0;
	fake.plane.quic_use = quic_use;
	fake.plane.quic_drop = quic_drop;
}

static void assert_quic_program(int uses, int drops)
{
	assert_int_equal(!!quic_uses, uses);
	assert_int_equal(quic_drops, drops);
	quic_uses = quic_drops = 0;
}

static void the_program_with_quic_comes_before_a_vip_needs_it_and_goes_after(void **state)
{
	static const struct apply_options dry = {.dry_run = true, .max_moved_percent = 100};
	json_t *change = NULL;
	struct lb_err err;

	(void)state;
	open_with_quic();
	assert_int_equal(fake_start(&err), 0);
	apply(OF_QUIC("", A));
	assert_quic_program(0, 0);
	assert_int_equal(service_apply(fake.service, fake_document(OF_QUIC("'quic': [{}], ", A)),
				       &dry, &change, &err),
			 0);
	json_decref(change);
	assert_quic_program(0, 0);
	apply(OF_QUIC("'quic': [{}], ", A));
	assert_int_equal(quic_flags_at_use, 0);
	assert_quic_program(1, 0);
	apply(OF_QUIC("'quic': [{}], ", A "," B));
	assert_quic_program(1, 0);
	fake_stop();
	assert_int_equal(fake_start(&err), 0); /* before interfaces get a program */
	assert_quic_program(1, 0);
	apply(OF_QUIC("", A "," B));
	assert_quic_program(0, 1);
	fake_stop();
	assert_int_equal(fake_start(&err), 0);
	assert_quic_program(0, 0);
	fake_stop();
	fake_close();
}

static void a_change_that_fails_leaves_no_program_with_quic(void **state)
{
	struct lb_err err;
	int error, undone = 0;

	(void)state;
	open_with_quic();
	assert_int_equal(fake_start(&err), 0);
	apply(OF_QUIC("", A));
	for (long call = 0;; call++) {
		fake.failing = fake.calls + call;
		error = fake_apply(OF_QUIC("'quic': [{}], ", A), &by_force, &err);
		fake.failing = -1;
		assert_int_equal(quic_drops, error ? quic_uses : 0);
		undone += quic_drops;
		quic_uses = quic_drops = 0;
		if (!error)
			break;
	}
	assert_true(undone > 0);
	fake_stop();
	fake_close();
}

#define QUIC_TWICE(other)                                                                          \
	"{'vips': [{" DNS ", 'quic': [{}], 'backends': [" A "]}, {'address': '192.0.2.2:53/udp', " \
	"'table_size': 251" other ", 'backends': [" A "]}]}"

static void a_program_that_does_not_load_refuses_quic_and_stops_no_start(void **state)
{
	json_auto_t *warnings = json_array();
	struct lb_err err;

	(void)state;
	open_with_quic();
	quic_refused = 1;
	assert_int_equal(fake_start(&err), 0);
	apply(OF_QUIC("", A));
	assert_int_not_equal(fake_apply(OF_QUIC("'quic': [{}], ", A), &by_force, &err), 0);
	assert_string_equal(err.message, "no memory for QUIC");
	quic_refused = 0;
	apply(OF_QUIC("'quic': [{}], ", A));
	fake_stop();
	quic_refused = 1;
	assert_int_equal(fake_start(&err), 0);
	service_health_warnings(fake.service, warnings);
	assert_string_equal(json_string_value(json_array_get(warnings, 0)),
			    "all QUIC packets go by their addresses: no memory for QUIC");

	/* Nor a change of anything else. */
	apply(QUIC_TWICE(""));
	assert_int_not_equal(fake_apply(QUIC_TWICE(", 'quic': [{}]"), &by_force, &err), 0);
	assert_string_equal(err.message, "no memory for QUIC");
	fake_stop();
	fake_close();
}

static struct lb_guard_secret guard_secret;
static int guard_users;

static int syn_use(struct datapath *datapath, struct lb_err *err)
{
	(void)datapath;
	(void)err;
	guard_users = 1;
	return 0;
}

static void syn_drop(struct datapath *datapath)
{
	(void)datapath;
	guard_users = 0;
}

static struct lb_guard_secret *secret_of(struct datapath *datapath)
{
	(void)datapath;
	return &guard_secret;
}

static struct lb_guard_syns guard_syns;

static int syn_counts(struct datapath *datapath, uint32_t number, struct lb_guard_syns *out)
{
	(void)datapath;
	(void)number;
	*out = guard_syns;
	return 0;
}

static int syn_counts_reset(struct datapath *datapath, uint32_t number)
{
	(void)datapath;
	(void)number;
	guard_syns = (struct lb_guard_syns){0};
	return 0;
}

static void write_secret(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_return_code(fchmod(fileno(file), 0600), errno);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

#define SECRET_A "00112233445566778899aabbccddeeff\n"
#define SECRET_B "ffeeddccbbaa99887766554433221100\n"
#define AUTOMATIC "{'vips': [{" WEB ", 'syn_guard': 'auto:500', 'backends': [" A "," B "]}]}"
#define GUARDED "{'vips': [{" WEB ", 'syn_guard': 'always', 'backends': [" A "," B "]}]}"

static void open_guarded(char *path)
{
	struct lb_err err = {0};
	const int fd = mkstemp(path);

	assert_return_code(fd, errno);
	close(fd);
	memset(guard_rules, 0, sizeof(guard_rules));
	guard_secret = (struct lb_guard_secret){0};
	guard_syns = (struct lb_guard_syns){0};
	fake_open(4, 32, 4096, 16);
	fake.plane.guard_vips = guard_vips;
	fake.plane.syn_use = syn_use;
	fake.plane.syn_drop = syn_drop;
	fake.plane.guard_secret = secret_of;
	fake.plane.syn_counts = syn_counts;
	fake.plane.syn_counts_reset = syn_counts_reset;
	strcpy(fake.config.guard_secret, path);
	write_secret(path, SECRET_A);
	fake.cookies = HEALTH_HEALTHY;
	assert_int_equal(fake_start(&err), 0);
}

static void a_vip_has_its_syns_answered_and_cookies_taken_for_as_long_as_one_lives(void **state)
{
	char path[] = "/tmp/service_test.XXXXXX";
	struct lb_err err = {0};

	(void)state;
	open_guarded(path);
	*fake.config.guard_secret = '\0';
	assert_int_not_equal(fake_apply(GUARDED, &by_force, &err), 0);
	assert_string_equal(err.message, "lbd.json has no guard_secret");
	strcpy(fake.config.guard_secret, path);

	apply(GUARDED);
	fake_resolve();
	fake_pass(2 * SECOND);
	assert_int_equal(guard_users, 1);
	assert_guarded(true, LB_GUARD_SYN_OPENS | LB_GUARD_SYN_COUNT | LB_GUARD_SYN_ANSWER);
	assert_int_equal(guard_rules[fake.left.entries[0].value.number].syn_mss,
			 1500 - 20 - 20 - 20); /* outer, IP and TCP header */
	assert_int_equal(lb_guard_keys(guard_secret.now), 1);

	/* Keys in use are not written to. */
	const uint32_t before = lb_guard_key(guard_secret.now, 0);
	const uint64_t key = guard_secret.key[before][0];

	write_secret(path, SECRET_B SECRET_A);
	service_guard_secret(fake.service);
	fake_pass(SECOND);
	assert_int_equal(lb_guard_keys(guard_secret.now), 2);
	assert_int_not_equal(lb_guard_key(guard_secret.now, 0), before);
	assert_int_not_equal(lb_guard_key(guard_secret.now, 1), before);
	assert_int_equal(guard_secret.key[before][0], key);
	assert_int_equal(guard_secret.key[lb_guard_key(guard_secret.now, 1)][0], key);

	apply(documents[1]);
	assert_guarded(true, LB_GUARD_SYN_OPENS);
	fake_pass(204 * SECOND);
	assert_guarded(true, LB_GUARD_SYN_OPENS);
	assert_int_equal(guard_users, 1);
	fake_pass(4 * SECOND);
	assert_guarded(false, 0);
	assert_int_equal(guard_users, 0);

	apply(GUARDED);
	fake_pass(2 * SECOND);
	apply(documents[0]);
	assert_int_equal(guard_users, 0);
	for (size_t i = 0; i < COUNT_OF(guard_rules); i++)
		assert_int_equal(guard_rules[i].rules, 0);
	fake_stop();
	fake_close();
	unlink(path);
}

/* GUARD-VIP.syn of the only VIP, a new reference. */
static json_t *guard_syn(void)
{
	json_auto_t *vip = service_vip_guard(fake.service, service_document(fake.service)->vips);

	return json_incref(json_object_get(vip, "syn"));
}

/* Whether it is the time from before, 2 ms later. */
static bool same_since(bool answers, json_t **before)
{
	json_t *now = guard_syn();
	const bool same =
		json_equal(json_object_get(*before, "since"), json_object_get(now, "since"));

	assert_int_equal(json_is_true(json_object_get(now, "answers")), answers);
	assert_non_null(json_object_get(now, "since"));
	json_decref(*before);
	*before = now;
	usleep(2000);
	return same;
}

static void it_is_told_since_when_syns_are_answered_or_not(void **state)
{
	json_t *before = NULL, *secret;
	char path[] = "/tmp/service_test.XXXXXX";

	(void)state;
	open_guarded(path);
	secret = service_guard_secret_state(fake.service);
	assert_int_equal(json_integer_value(json_object_get(secret, "keys")), 0);
	json_decref(secret);
	apply(GUARDED);
	fake_resolve();
	fake_pass(2 * SECOND);
	same_since(true, &before);
	fake_pass(2 * SECOND);
	assert_true(same_since(true, &before));
	secret = service_guard_secret_state(fake.service);
	assert_int_equal(json_integer_value(json_object_get(secret, "keys")), 1);
	json_decref(secret);
	apply(documents[1]);
	assert_false(same_since(false, &before));
	fake_pass(2 * SECOND);
	assert_true(same_since(false, &before));
	json_decref(before);
	fake_stop();
	fake_close();
	unlink(path);
}

static void assert_answers(bool answers)
{
	const uint32_t rests = LB_GUARD_SYN_OPENS | LB_GUARD_SYN_COUNT;

	fake_pass(2 * SECOND);
	assert_guarded(true, rests | (answers ? LB_GUARD_SYN_ANSWER : 0));
}

static void syns_are_answered_while_backends_make_connections_from_cookies(void **state)
{
	char path[] = "/tmp/service_test.XXXXXX";
	struct lb_addr a, b;

	(void)state;
	assert_int_equal(lb_addr_parse("10.0.0.1", &a, NULL), 0);
	assert_int_equal(lb_addr_parse("10.0.0.2", &b, NULL), 0);
	open_guarded(path);
	fake.cookies = HEALTH_UNKNOWN;
	apply(GUARDED);
	fake_resolve();
	assert_answers(false);
	fake_cookies(&a, HEALTH_HEALTHY, "");
	assert_answers(false);
	fake_cookies(&b, HEALTH_HEALTHY, "");
	assert_answers(true);
	fake_cookies(&a, HEALTH_UNHEALTHY, "no answer within 2000 ms");
	assert_answers(true);
	fake_cookies(&a, HEALTH_UNHEALTHY, "it makes no connection from a cookie");
	assert_answers(false);

	/* One that takes no new flows need not. One that comes is waited for where there is no answer yet. */
	apply("{'vips': [{" WEB ", 'syn_guard': 'always', 'backends': ["
	      "{'address': '10.0.0.1', 'drain': true}," B "]}]}");
	assert_answers(true);
	apply(GUARDED);
	assert_answers(true);
	fake_cookies(&a, HEALTH_UNHEALTHY, "it makes no connection from a cookie");
	assert_answers(false);
	apply(documents[0]);
	fake_pass(2 * SECOND);
	fake_stop();
	fake_close();
	unlink(path);
}

#define GUARDED_TWICE(other)                                                                       \
	"{'vips': [{" WEB ", 'syn_guard': 'always', 'backends': [" A "]}, "                        \
	"{'address': '192.0.2.1:81/tcp', 'table_size': 251" other ", 'backends': [" A "]}]}"

static void a_secret_that_is_missing_stops_no_change_of_anything_else(void **state)
{
	char path[] = "/tmp/service_test.XXXXXX";
	struct lb_err err = {0};

	(void)state;
	open_guarded(path);
	apply(GUARDED);
	fake_stop();
	unlink(path);
	assert_int_equal(fake_start(&err), 0);
	apply(GUARDED_TWICE(""));
	assert_int_not_equal(fake_apply(GUARDED_TWICE(", 'syn_guard': 'always'"), &by_force, &err),
			     0);
	assert_non_null(strstr(err.message, path));
	fake_stop();
	fake_close();
}

static void flood(uint64_t rate, int quarters)
{
	while (quarters--) {
		guard_syns.seen += rate / 4;
		fake_pass(SECOND / 4);
	}
}

static void a_vip_with_auto_has_its_syns_answered_while_too_many_come(void **state)
{
	const uint32_t rests = LB_GUARD_SYN_OPENS | LB_GUARD_SYN_COUNT;
	char path[] = "/tmp/service_test.XXXXXX";

	(void)state;
	open_guarded(path);
	apply(AUTOMATIC);
	fake_resolve();
	fake_pass(2 * SECOND);
	assert_guarded(true, rests);
	flood(400, 8);
	assert_guarded(true, rests);
	assert_int_equal(fake.syn_events, 0);
	flood(4000, 2);
	assert_guarded(true, rests | LB_GUARD_SYN_ANSWER);
	assert_int_equal(fake.syn_events, 1);
	flood(300, 80);
	assert_guarded(true, rests | LB_GUARD_SYN_ANSWER);
	flood(100, 18);
	assert_guarded(true, rests | LB_GUARD_SYN_ANSWER);
	flood(100, 4);
	assert_guarded(true, rests);
	assert_int_equal(fake.syn_events, 2);

	/* From one kind to the other, and off while it answers. */
	apply(GUARDED);
	assert_guarded(true, rests | LB_GUARD_SYN_ANSWER);
	apply(AUTOMATIC);
	fake_pass(SECOND);
	assert_guarded(true, rests);
	flood(4000, 2);
	assert_guarded(true, rests | LB_GUARD_SYN_ANSWER);
	apply(documents[1]);
	assert_guarded(true, LB_GUARD_SYN_OPENS);
	fake_pass(204 * SECOND);
	assert_guarded(true, LB_GUARD_SYN_OPENS);
	fake_pass(4 * SECOND);
	assert_guarded(false, 0);
	assert_int_equal(guard_users, 0);
	fake_stop();
	fake_close();
	unlink(path);
}

#define KEYED(quic) "{'vips': [{" DNS ", 'quic': [" quic "], 'backends': [" A "]}]}"
#define KEY_1 "{'cr': 1, 'key': 'one'}"
#define KEY_2 "{'cr': 2, 'key': 'two'}"

static uint32_t key_number(uint32_t rotation)
{
	return lb_quic_key_at(fake.plane.quic_vip_keys[fake.service->live[0].number], rotation);
}

static uint32_t quic_config(uint32_t rotation)
{
	return lb_quic_config_of(fake.plane.quic_vips[fake.service->live[0].number], rotation);
}

static bool has_key(uint32_t number, const char *hex)
{
	struct lb_quic_key wanted;
	uint8_t bytes[16];

	for (int i = 0; i < 16; i++)
		sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
	quic_aes_key(bytes, &wanted);
	return !memcmp(&fake.plane.quic_keys[number], &wanted, sizeof(wanted));
}

static size_t keys_in_plane(void)
{
	static const struct lb_quic_key none;
	size_t count = 0;

	for (uint32_t i = 0; i < LB_QUIC_KEYS; i++)
		count += memcmp(&fake.plane.quic_keys[i], &none, sizeof(none)) != 0;
	return count;
}

static void read_keys_again(void)
{
	service_quic_keys(fake.service);
	fake_pass(SECOND);
}

/* Metrics say that something is wrong, and status what. */
static bool warns(const char *wanted)
{
	json_auto_t *warnings = json_array();
	struct service_facts facts;
	const json_t *warning;
	bool found = false;
	size_t i;

	service_health_warnings(fake.service, warnings);
	json_array_foreach (warnings, i, warning)
		found |= strstr(json_string_value(warning), wanted) != NULL;
	service_facts(fake.service, &facts);
	assert_int_equal(facts.quic_keys_behind, found);
	return found;
}

static void keys_of_quic_ids_come_from_files_and_go(void **state)
{
	char folder[] = "/tmp/service_test.XXXXXX", one[64], two[64];
	struct lb_err err = {0};
	uint32_t before;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(one, sizeof(one), "%s/one", folder);
	snprintf(two, sizeof(two), "%s/two", folder);
	start();
	strcpy(fake.config.quic_keys, folder);
	assert_int_not_equal(fake_apply(KEYED("{}," KEY_1), &by_force, &err), 0);
	assert_string_equal(err.path, "vips[0].quic[1].key");
	assert_int_equal(keys_in_plane(), 0);

	write_secret(one, SECRET_A);
	apply(KEYED("{}," KEY_1));
	assert_int_equal(quic_config(0), 8);
	assert_int_equal(quic_config(1), 8 | LB_QUIC_ENCRYPTED);
	assert_true(has_key(key_number(1), SECRET_A));

	/* Who may not be read is refused, and what is in force stays. */
	write_secret(two, SECRET_B);
	assert_return_code(chmod(two, 0640), errno);
	assert_int_not_equal(fake_apply(KEYED(KEY_1 "," KEY_2), &by_force, &err), 0);
	assert_return_code(chmod(two, 0600), errno);
	assert_int_equal(keys_in_plane(), 1);
	apply(KEYED(KEY_1 "," KEY_2));
	assert_true(has_key(key_number(1), SECRET_A) && has_key(key_number(2), SECRET_B));

	/* Another key gets another number; a file that is gone changes nothing. */
	before = key_number(1);
	write_secret(one, SECRET_B);
	unlink(two);
	read_keys_again();
	assert_int_not_equal(key_number(1), before);
	assert_true(has_key(key_number(1), SECRET_B) && has_key(key_number(2), SECRET_B));
	assert_int_equal(keys_in_plane(), 2);
	assert_true(warns("QUIC key two is still the one that lbd had"));
	apply(KEYED("{}," KEY_1));
	assert_false(warns("QUIC key"));
	write_secret(two, SECRET_B);
	apply(KEYED(KEY_1 "," KEY_2));
	write_secret(one, "no key");
	read_keys_again();
	assert_true(warns("QUIC key one is still the one that lbd had"));
	apply(KEYED(KEY_1 "," KEY_2));
	assert_true(warns("QUIC key one is still the one that lbd had"));
	write_secret(one, SECRET_B);
	read_keys_again();
	assert_false(warns("QUIC key"));
	unlink(two);

	/* The next lbd has no key for what it cannot read, and says so. */
	restart();
	assert_int_equal(quic_config(1), 8 | LB_QUIC_ENCRYPTED);
	assert_true(has_key(key_number(1), SECRET_B));
	assert_int_equal(quic_config(2), 0);
	assert_true(warns("a key that lbd does not have: "));

	/* That stops no other change, but one that brings the key to another VIP. */
	apply("{'vips': [{" DNS ", 'quic': [" KEY_1 "," KEY_2 "], 'backends': [" A "," B "]}]}");
	assert_int_equal(quic_config(2), 0);
	assert_true(warns("a key that lbd does not have: "));
	assert_int_not_equal(
		fake_apply("{'vips': [{" DNS ", 'quic': [" KEY_1 "," KEY_2 "], 'backends': [" A
			   "," B "]}, "
			   "{'address': '192.0.2.99:443/udp', 'table_size': 251, 'quic': [" KEY_2
			   "], 'backends': [" A "]}]}",
			   &by_force, &err),
		0);
	assert_string_equal(err.path, "vips[1].quic[0].key");
	write_secret(two, SECRET_B);
	apply(KEYED(KEY_1 "," KEY_2));
	assert_true(has_key(key_number(2), SECRET_B));
	assert_false(warns("QUIC"));
	unlink(two);

	apply(KEYED("{}"));
	assert_int_equal(keys_in_plane(), 0);
	assert_int_equal(key_number(1), 0);
	fake_stop();
	fake_close();
	unlink(one);
	rmdir(folder);
}

static void keys_in_force_are_read_again_where_what_came_with_it_is_refused(void **state)
{
	char folder[] = "/tmp/service_test.XXXXXX", one[64];
	const struct apply_options unmoved = {.force = true, .max_moved_percent = 1};
	struct lb_err err = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(one, sizeof(one), "%s/one", folder);
	write_secret(one, SECRET_A);
	start();
	strcpy(fake.config.quic_keys, folder);
	apply(KEYED(KEY_1));
	write_secret(one, SECRET_B);
	service_quic_keys(fake.service);
	/* Another document, that has no need of the key, and moves too many slots. */
	assert_int_not_equal(
		fake_apply("{'vips': [{" DNS ", 'backends': [" B "]}]}", &unmoved, &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	fake_pass(SECOND);
	assert_true(has_key(key_number(1), SECRET_B));
	assert_int_equal(keys_in_plane(), 1);
	unlink(one);
	apply(KEYED(KEY_1));
	assert_false(warns("QUIC key")); /* it is not read at every change */
	fake_stop();
	fake_close();
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vip_has_counters_of_its_own_or_the_sums_of_its_members),
		cmocka_unit_test(changes_come_whole),
		cmocka_unit_test(a_change_of_a_pool_is_one_and_none_of_its_vips),
		cmocka_unit_test(vips_of_one_pool_share_members_checks_and_a_table_for_each_class),
		cmocka_unit_test(checks_of_a_pool_go_by_its_lowest_vip_whatever_comes_and_goes),
		cmocka_unit_test(vips_of_one_table_that_go_together_are_assessed_once),
		cmocka_unit_test(a_vip_takes_its_flows_along_to_another_pool),
		cmocka_unit_test(
			a_vip_has_the_slots_of_its_new_pool_at_once_where_they_are_the_same),
		cmocka_unit_test(
			a_vip_goes_to_a_table_of_another_size_once_its_flows_are_on_record),
		cmocka_unit_test(
			a_vip_goes_to_a_table_of_another_size_at_once_where_it_has_one_backend),
		cmocka_unit_test(
			a_vip_that_goes_on_before_it_has_the_slots_of_another_size_settles),
		cmocka_unit_test(a_vip_with_backends_of_its_own_goes_to_a_pool_and_back_unasked),
		cmocka_unit_test(a_vip_that_comes_back_to_fewer_backends_of_its_own_is_asked_about),
		cmocka_unit_test(a_pool_that_goes_with_a_move_stays_until_that_is_over),
		cmocka_unit_test(
			a_pool_that_was_gone_and_comes_back_without_a_backend_is_asked_about),
		cmocka_unit_test(a_vip_that_goes_from_a_pool_of_others_is_moved_away_first),
		cmocka_unit_test(the_pool_that_is_to_be_drained_is_named),
		cmocka_unit_test(a_used_pool_of_another_size_is_another_pool),
		cmocka_unit_test(a_refusal_says_that_flows_on_record_are_those_of_the_pool),
		cmocka_unit_test(a_more_specific_vip_of_the_same_pool_is_not_asked_about),
		cmocka_unit_test(a_vip_is_asked_about_whose_packets_go_to_one_that_moves),
		cmocka_unit_test(a_third_move_says_to_wait_for_an_earlier_one),
		cmocka_unit_test(flows_by_source_end_where_a_table_has_another_size),
		cmocka_unit_test(a_pool_without_vips_is_kept_and_not_in_the_plane),
		cmocka_unit_test(a_trial_changes_nothing),
		cmocka_unit_test(each_call_of_a_change_fails),
		cmocka_unit_test(each_call_of_a_change_fails_and_all_that_follow),
		cmocka_unit_test(each_call_fails_of_a_change_to_where_no_next_hop_is_known),
		cmocka_unit_test(each_allocation_of_a_change_on_trial_fails),
		cmocka_unit_test(what_cannot_be_counted_is_not_removed_unasked),
		cmocka_unit_test(a_dry_run_is_refused_for_what_moves_and_says_what_needs_force),
		cmocka_unit_test(a_backend_older_than_the_data_plane_is_not_removed_unasked),
		cmocka_unit_test(the_next_lbd_goes_on),
		cmocka_unit_test(it_may_end_before_any_call),
		cmocka_unit_test(a_start_that_fails_loses_nothing),
		cmocka_unit_test(a_change_that_nobody_confirms_goes_back),
		cmocka_unit_test(a_change_that_is_confirmed_stays),
		cmocka_unit_test(going_back_is_tried_until_it_succeeds),
		cmocka_unit_test(another_lbd_goes_back_in_time),
		cmocka_unit_test(after_a_reboot_nobody_waits_longer_than_was_asked_for),
		cmocka_unit_test(what_is_wrong_with_a_document_is_said_while_a_change_waits),
		cmocka_unit_test(slots_leave_who_is_unhealthy_and_come_back),
		cmocka_unit_test(health_decides_about_old_flows_as_the_vip_says),
		cmocka_unit_test(who_was_added_waits_for_its_next_hop),
		cmocka_unit_test(what_may_have_had_packets_does_not_wait_for_its_next_hop_again),
		cmocka_unit_test(a_new_vip_waits_for_its_next_hops_before_it_moves_slots),
		cmocka_unit_test(a_vip_without_backends_begins_with_all_that_it_gets_at_once),
		cmocka_unit_test(a_vip_waits_for_its_next_hops_each_time_that_none_is_known),
		cmocka_unit_test(
			a_group_joins_at_once_and_leaves_when_it_was_not_needed_for_the_hold_time),
		cmocka_unit_test(a_share_that_hovers_moves_the_later_group_once),
		cmocka_unit_test(a_drain_and_a_document_make_groups_join_and_leave_at_once),
		cmocka_unit_test(an_lbd_that_starts_goes_on_with_the_groups_that_are_needed),
		cmocka_unit_test(who_joins_a_group_in_reserve_waits_for_nothing),
		cmocka_unit_test(it_is_told_once_that_a_backend_serves_which_waited),
		cmocka_unit_test(it_is_told_why_a_backend_waits_where_that_is_known),
		cmocka_unit_test(it_is_warned_of_backends_that_cannot_be_reached),
		cmocka_unit_test(a_check_that_cannot_be_made_keeps_no_slots_where_they_are),
		cmocka_unit_test(
			only_vips_with_a_check_that_could_not_be_set_up_are_gone_over_again),
		cmocka_unit_test(results_that_come_amid_a_change_are_not_lost),
		cmocka_unit_test(results_are_followed_although_calls_fail),
		cmocka_unit_test(a_transition_ends_and_slots_settle),
		cmocka_unit_test(the_number_of_a_member_comes_free_when_no_word_names_it),
		cmocka_unit_test(
			what_moves_slots_warns_while_the_flow_table_is_more_than_half_full),
		cmocka_unit_test(the_number_of_a_member_whose_vip_was_taken_back_comes_free_late),
		cmocka_unit_test(a_backend_goes_unasked_once_it_is_drained),
		cmocka_unit_test(a_backend_is_drained_when_no_packet_follows_its_quic_id),
		cmocka_unit_test(a_change_ends_with_what_was_predicted_and_measured),
		cmocka_unit_test(a_receipt_is_of_all_changes_until_the_last_is_over),
		cmocka_unit_test(a_receipt_tells_of_backends_that_nobody_asks),
		cmocka_unit_test(what_nobody_can_measure_has_no_receipt),
		cmocka_unit_test(each_quic_id_leads_to_its_backend),
		cmocka_unit_test(quic_connections_end_by_force_only),
		cmocka_unit_test(a_vip_that_is_set_up_bit_by_bit_needs_no_transition),
		cmocka_unit_test(the_end_of_setting_up_and_a_change_wait_for_each_other),
		cmocka_unit_test(datagrams_leave_who_takes_no_new_flows_before_the_transition_ends),
		cmocka_unit_test(datagrams_of_a_draining_backend_stay_when_all_are_unhealthy),
		cmocka_unit_test(facts_say_what_checks_have_found),
		cmocka_unit_test(counts_of_checks_begin_anew_with_each_vip),
		cmocka_unit_test(facts_have_the_packets_of_each_backend_whatever_its_number),
		cmocka_unit_test(each_vip_has_the_lists_and_keeps_other_rules),
		cmocka_unit_test(a_list_for_some_vips_is_no_rule_of_others),
		cmocka_unit_test(entries_that_are_taken_over_get_the_flag_that_is_right_now),
		cmocka_unit_test(packets_meet_the_rates_of_the_document),
		cmocka_unit_test(rates_of_ipv6_are_by_its_prefixes),
		cmocka_unit_test(a_guard_that_does_not_load_refuses_rates_and_stops_no_start),
		cmocka_unit_test(the_program_with_quic_comes_before_a_vip_needs_it_and_goes_after),
		cmocka_unit_test(a_change_that_fails_leaves_no_program_with_quic),
		cmocka_unit_test(a_program_that_does_not_load_refuses_quic_and_stops_no_start),
		cmocka_unit_test(
			a_vip_has_its_syns_answered_and_cookies_taken_for_as_long_as_one_lives),
		cmocka_unit_test(it_is_told_since_when_syns_are_answered_or_not),
		cmocka_unit_test(syns_are_answered_while_backends_make_connections_from_cookies),
		cmocka_unit_test(a_secret_that_is_missing_stops_no_change_of_anything_else),
		cmocka_unit_test(a_vip_with_auto_has_its_syns_answered_while_too_many_come),
		cmocka_unit_test(keys_of_quic_ids_come_from_files_and_go),
		cmocka_unit_test(keys_in_force_are_read_again_where_what_came_with_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
