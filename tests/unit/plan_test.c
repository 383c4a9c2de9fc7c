/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a plan see what differs, and count what it must cost? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/abi.h"
#include "../../lbd/service/plan.h"

static struct lb_service *service(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);
	struct lb_service *out = NULL;
	struct lb_err err = {0};

	assert_non_null(document);
	if (lb_service_from_json(document, &out, &err))
		fail_msg("%s at %s", err.message, err.path);
	json_decref(document);
	return out;
}

/* The steps as letters: = unchanged, ~ changed, + added, - removed. */
static void assert_diff(const char *before, const char *after, const char *expected)
{
	static const char letters[] = {'=', '~', '+', '-'};
	struct lb_service *a = service(before), *b = service(after);
	struct plan_step *steps;
	char seen[32] = "";
	size_t count;

	assert_int_equal(plan_diff(a, b, &steps, &count), 0);
	assert_true(count < sizeof(seen));
	for (size_t i = 0; i < count; i++)
		seen[i] = letters[steps[i].what];
	assert_string_equal(seen, expected);
	free(steps);
	lb_service_free(a);
	lb_service_free(b);
}

#define VIP(n, rest) "{\"address\":\"192.0.2." #n ":80/tcp\"" rest "}"
#define BACKENDS(list) ",\"backends\":[" list "]"
#define BACKEND(n, weight) "{\"address\":\"10.0.0." #n "\",\"weight\":" #weight "}"
#define DOCUMENT(list) "{\"vips\":[" list "]}"

static void how_packets_travel_is_a_difference(void **state)
{
	(void)state;
	assert_diff(DOCUMENT(VIP(1, "")), DOCUMENT(VIP(1, ",\"encap\":\"ipip\"")), "=");
	assert_diff(DOCUMENT(VIP(1, "")), DOCUMENT(VIP(1, ",\"encap\":\"gue\"")), "~");
	assert_diff(DOCUMENT(VIP(1, "")), DOCUMENT(VIP(1, ",\"hash\":\"source\"")), "~");
	assert_diff(DOCUMENT(VIP(1, "")), DOCUMENT(VIP(1, ",\"fragments\":\"drop\"")), "~");
}

static void steps_follow_the_documents(void **state)
{
	(void)state;
	assert_diff(DOCUMENT(""), DOCUMENT(""), "");
	assert_diff(DOCUMENT(""), DOCUMENT(VIP(1, "")), "+");
	assert_diff(DOCUMENT(VIP(1, "")), DOCUMENT(""), "-");
	assert_diff(DOCUMENT(VIP(1, "") "," VIP(3, "")), DOCUMENT(VIP(2, "") "," VIP(3, "")),
		    "-+=");
	assert_diff(DOCUMENT(VIP(1, "") "," VIP(2, "")), DOCUMENT(VIP(2, "") "," VIP(1, "")), "==");
}

static void any_difference_is_a_change(void **state)
{
	const char *plain = DOCUMENT(VIP(1, BACKENDS(BACKEND(1, 1))));

	(void)state;
	assert_diff(plain, plain, "=");
	assert_diff(plain, DOCUMENT(VIP(1, BACKENDS(BACKEND(1, 2)))), "~");
	assert_diff(plain, DOCUMENT(VIP(1, BACKENDS(BACKEND(2, 1)))), "~");
	assert_diff(plain, DOCUMENT(VIP(1, "")), "~");
	assert_diff(plain, DOCUMENT(VIP(1, ",\"name\":\"web\"" BACKENDS(BACKEND(1, 1)))), "~");
	assert_diff(plain, DOCUMENT(VIP(1, ",\"table\":\"maglev\"" BACKENDS(BACKEND(1, 1)))), "~");
	assert_diff(plain, DOCUMENT(VIP(1, ",\"table_size\":251" BACKENDS(BACKEND(1, 1)))), "~");
}

#define MEMBERS_MAX 8

static size_t members_of(const struct lb_vip *vip, struct table_member *out)
{
	assert_true(vip->pool->backend_count <= MEMBERS_MAX);
	for (size_t i = 0; i < vip->pool->backend_count; i++)
		out[i] = (struct table_member){.address = vip->pool->backends[i].address,
					       .weight = lb_backend_share(&vip->pool->backends[i])};
	return vip->pool->backend_count;
}

static uint32_t ideal(const char *before, const char *after)
{
	struct lb_service *a = service(before), *b = service(after);
	struct table_member old[MEMBERS_MAX], new[MEMBERS_MAX];
	size_t old_count = members_of(&a->vips[0], old), new_count = members_of(&b->vips[0], new);
	uint32_t slots = plan_ideal(old, old_count, new, new_count, a->vips[0].pool->table_size);

	lb_service_free(a);
	lb_service_free(b);
	return slots;
}

#define SIZED(list) DOCUMENT(VIP(1, ",\"table_size\":1009" BACKENDS(list)))

static void ideal_is_what_shares_shrink_by(void **state)
{
	const char *two = SIZED(BACKEND(1, 1) "," BACKEND(2, 1));

	(void)state;
	assert_int_equal(ideal(two, two), 0);
	assert_int_equal(ideal(two, SIZED(BACKEND(1, 1))), 505);
	assert_int_equal(ideal(SIZED(BACKEND(1, 1)), two), 505);
	assert_int_equal(ideal(two, SIZED(BACKEND(1, 1) "," BACKEND(2, 1) "," BACKEND(3, 2))), 505);
	assert_int_equal(ideal(two, SIZED(BACKEND(1, 3) "," BACKEND(2, 1))), 252);
	assert_int_equal(ideal(two, SIZED(BACKEND(3, 1))), 1009);
	assert_int_equal(ideal(two, SIZED(BACKEND(1, 0) "," BACKEND(2, 0))), 1009);
	assert_int_equal(ideal(SIZED(""), two), 0);
	/* Weights that mean the same shares cost nothing. */
	assert_int_equal(ideal(two, SIZED(BACKEND(1, 7) "," BACKEND(2, 7))), 0);
}

static void slots_without_an_owner_do_not_move(void **state)
{
	const uint32_t words[] = {lb_slot_settled(1), lb_slot_settled(2), lb_slot_settled(LB_NONE),
				  lb_slot_word(3, 1)};
	const uint16_t owners[] = {1, 1, 1, 1}, none[] = {LB_NONE, LB_NONE, LB_NONE, LB_NONE};

	(void)state;
	assert_int_equal(plan_moved(words, (struct slots_owners){owners, 4}, 4), 2);
	assert_int_equal(plan_moved(words, (struct slots_owners){none, 4}, 4), 3);
}

/* Members of the addresses 10.0.0.ADDRESS, by number. */
#define MEMBER(address_, number_)                                                                  \
	{                                                                                          \
		.address = {.family = 4, .bytes = {10, 0, 0, address_}}, .number = number_         \
	}

static void a_slot_keeps_its_flows_where_both_tables_lead_to_one_address(void **state)
{
	const struct table_member from[] = {MEMBER(1, 5), MEMBER(2, 6), MEMBER(4, 7)};
	const struct table_member to[] = {MEMBER(1, 9), MEMBER(3, 8), MEMBER(4, 10)};
	const uint32_t words[] = {lb_slot_settled(5),      lb_slot_settled(5),
				  lb_slot_settled(6),      lb_slot_settled(7),
				  lb_slot_word(7, 5),      lb_slot_word(7, LB_NONE),
				  lb_slot_settled(LB_NONE)};
	const uint16_t owners[] = {9, 8, 8, 10, 10, 10, LB_NONE};
	uint32_t owned[LB_NONE + 1] = {[5] = 2, [6] = 1, [7] = 3};

	(void)state;
	plan_keep(words, from, 3, owners, NULL, to, 3, 7, owned);
	assert_int_equal(owned[5], 1);
	assert_int_equal(owned[6], 1);
	assert_int_equal(owned[7], 2); /* the one that moves and the one that is tracked */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_follow_the_documents),
		cmocka_unit_test(how_packets_travel_is_a_difference),
		cmocka_unit_test(any_difference_is_a_change),
		cmocka_unit_test(ideal_is_what_shares_shrink_by),
		cmocka_unit_test(slots_without_an_owner_do_not_move),
		cmocka_unit_test(a_slot_keeps_its_flows_where_both_tables_lead_to_one_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
