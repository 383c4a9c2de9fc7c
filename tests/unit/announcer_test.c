/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the announcer keep the table as it should be when netlink fails, and when others change it?
 * Over a table in memory, whose functions stand here in the place of announce_routes.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/control/announcer.h"

#define MAX 8

static struct lb_prefix table[MAX];
static size_t table_count, reads, told_count;
static int find_fails, add_fails, remove_fails;

struct announce_routes *announce_routes_open(uint32_t number, uint8_t protocol)
{
	(void)number;
	(void)protocol;
	return NULL;
}

void announce_routes_close(struct announce_routes *routes)
{
	(void)routes;
}

static int compare(const void *a, const void *b)
{
	return lb_prefix_compare(a, b);
}

int announce_routes_find(struct announce_routes *routes, struct announce_found *out)
{
	(void)routes;
	*out = (struct announce_found){0};
	reads++;
	if (find_fails)
		return find_fails;
	out->ours = malloc(sizeof(table));
	memcpy(out->ours, table, sizeof(table));
	out->count = out->room = table_count;
	qsort(out->ours, out->count, sizeof(*out->ours), compare);
	return 0;
}

void announce_found_clear(struct announce_found *found)
{
	free(found->ours);
	*found = (struct announce_found){0};
}

int announce_routes_add(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	(void)routes;
	if (add_fails)
		return add_fails;
	assert_in_range(table_count, 0, MAX - 1);
	table[table_count++] = *prefix;
	return 0;
}

int announce_routes_remove(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	(void)routes;
	if (remove_fails)
		return remove_fails;
	for (size_t i = 0; i < table_count; i++)
		if (!lb_prefix_compare(&table[i], prefix))
			table[i--] = table[--table_count];
	return 0;
}

static int begin(void **state)
{
	(void)state;
	table_count = reads = told_count = 0;
	find_fails = add_fails = remove_fails = 0;
	return 0;
}

static void count_told(void *user, const struct announcer_route *route,
		       const struct lb_prefix *prefix, bool added)
{
	(void)user;
	(void)added;
	if (route)
		assert_int_equal(lb_prefix_compare(&route->want.prefix, prefix), 0);
	told_count++;
}

/* 192.0.2.1 and up, each with a wish. */
static void follow(struct announcer *announcer, const enum announce_wish *wishes, size_t count,
		   bool read)
{
	struct announce_want *wants = calloc(count + 1, sizeof(*wants));

	for (size_t i = 0; i < count; i++)
		wants[i] = (struct announce_want){
			.prefix = {.address = {4, {192, 0, 2, (uint8_t)(i + 1)}}, .length = 32},
			.wish = wishes[i]};
	told_count = 0;
	announcer_follow(announcer, wants, announce_merge(wants, count), read, count_told, NULL);
}

static const enum announce_wish yes[] = {ANNOUNCE_YES, ANNOUNCE_YES},
				no[] = {ANNOUNCE_NO, ANNOUNCE_NO},
				keep[] = {ANNOUNCE_KEEP, ANNOUNCE_KEEP};

static void routes_follow_what_is_wanted(void **state)
{
	struct announcer announcer = {0};

	(void)state;
	follow(&announcer, keep, 2, false);
	assert_int_equal(table_count, 0);
	follow(&announcer, yes, 2, false);
	assert_int_equal(table_count, 2);
	assert_int_equal(told_count, 2);
	assert_int_equal(announcer_there(&announcer), 2);
	follow(&announcer, keep, 2, false);
	assert_int_equal(announcer_there(&announcer), 2);
	assert_int_equal(told_count, 0);
	follow(&announcer, no, 2, false);
	assert_int_equal(table_count, 0);
	assert_int_equal(announcer_there(&announcer), 0);
	announcer_clear(&announcer);
}

static void routes_of_no_vip_are_removed(void **state)
{
	struct announcer announcer = {0};

	(void)state;
	follow(&announcer, yes, 2, false);
	follow(&announcer, yes, 1, false);
	assert_int_equal(table_count, 1);
	announcer_clear(&announcer);
}

static void what_others_remove_is_added_again_once_read(void **state)
{
	struct announcer announcer = {0};

	(void)state;
	follow(&announcer, yes, 2, false);
	table_count = 0;
	follow(&announcer, yes, 2, true);
	assert_int_equal(table_count, 2);
	announcer_clear(&announcer);
}

static void table_is_not_read_while_nothing_changes(void **state)
{
	struct announcer announcer = {0};
	size_t before;

	(void)state;
	follow(&announcer, yes, 2, false);
	before = reads;
	follow(&announcer, yes, 2, false);
	assert_int_equal(reads, before);
	announcer_clear(&announcer);
}

/* What is not known is not touched, and no longer said to be there once it is known. */
static void table_that_cannot_be_read_is_left_alone(void **state)
{
	struct announcer announcer = {0};

	(void)state;
	find_fails = -ENOBUFS;
	follow(&announcer, yes, 2, false);
	assert_int_equal(announcer.fault, -ENOBUFS);
	assert_int_equal(table_count, 0);
	find_fails = 0;
	follow(&announcer, yes, 2, false);
	assert_int_equal(announcer.fault, 0);
	assert_int_equal(table_count, 2);
	find_fails = -ENOBUFS;
	follow(&announcer, no, 2, true);
	assert_int_equal(table_count, 2);
	find_fails = 0;
	follow(&announcer, no, 2, false);
	assert_int_equal(table_count, 0);
	announcer_clear(&announcer);
}

static void step_that_fails_is_told_and_tried_again(void **state)
{
	struct announcer announcer = {0};

	(void)state;
	add_fails = -EPERM;
	follow(&announcer, yes, 2, false);
	assert_int_equal(announcer.failed, -EPERM);
	assert_true(announcer.failed_step.add);
	assert_int_equal(announcer.routes[0].error, -EPERM);
	assert_int_equal(announcer_there(&announcer), 0);
	assert_int_equal(told_count, 0);
	add_fails = 0;
	follow(&announcer, yes, 2, false);
	assert_int_equal(announcer.failed, 0);
	assert_int_equal(announcer_there(&announcer), 2);
	remove_fails = -EPERM;
	follow(&announcer, no, 2, false);
	assert_int_equal(announcer.failed, -EPERM);
	assert_int_equal(announcer_there(&announcer), 2);
	remove_fails = 0;
	follow(&announcer, no, 2, false);
	assert_int_equal(announcer_there(&announcer), 0);
	announcer_clear(&announcer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(routes_follow_what_is_wanted, begin),
		cmocka_unit_test_setup(routes_of_no_vip_are_removed, begin),
		cmocka_unit_test_setup(what_others_remove_is_added_again_once_read, begin),
		cmocka_unit_test_setup(table_is_not_read_while_nothing_changes, begin),
		cmocka_unit_test_setup(table_that_cannot_be_read_is_left_alone, begin),
		cmocka_unit_test_setup(step_that_fails_is_told_and_tried_again, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
