/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the file of a list say what was acknowledged, wherever writing to it was broken off? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lbd/host/list_file.h"

static char dir[64], path[128];

static int start(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/list_file_XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/a.list", dir);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	rmdir(dir);
	return 0;
}

static struct list_change on(const char *text, uint32_t until_s)
{
	struct list_change change = {.until_s = until_s};

	assert_int_equal(lb_prefix_parse(text, &change.prefix, NULL), 0);
	return change;
}

static char told[4096];

static int tell(void *user, const struct list_change *change)
{
	char text[LB_PREFIX_TEXT];

	(void)user;
	lb_prefix_format(&change->prefix, text);
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s/%u ",
		 change->gone ? "-" : "+", text, change->until_s);
	return 0;
}

/* What the file says; NULL: it is no file of a list. */
static const char *read_it(struct list_end *at, enum list_tail *tail)
{
	struct list_head head;
	struct lb_err err;

	*told = '\0';
	return list_file_read(path, &head, tell, NULL, at, tail, &err) ? NULL : told;
}

static void write_three(struct list_end *at, size_t lengths[3])
{
	struct list_head head = {.allow = true, .monitor = true, .vip_count = 2};
	const struct list_change first[] = {on("192.0.2.0/24", 0), on("2001:db8::/48", 7)};
	struct list_change second[] = {on("198.51.100.7", 0), on("192.0.2.0/24", 0)};
	const struct list_change third = on("203.0.113.0/25", 9);

	second[1].gone = true;
	lb_endpoint_parse("192.0.2.1:443/tcp", &head.vips[0], NULL);
	lb_endpoint_parse("[2001:db8::]/64:80-90/udp", &head.vips[1], NULL);
	assert_int_equal(list_file_replace(dir, "a.list", &head, first, 2, at, NULL), 0);
	lengths[0] = at->length;
	assert_int_equal(list_file_append(path, second, 2, at, NULL), 0);
	lengths[1] = at->length;
	assert_int_equal(list_file_append(path, &third, 1, at, NULL), 0);
	lengths[2] = at->length;
}

#define FIRST "+192.0.2.0/24/0 +2001:db8::/48/7 "
#define SECOND "+198.51.100.7/32/0 -192.0.2.0/24/0 "
#define THIRD "+203.0.113.0/25/9 "

static void test_says_what_was_written(void **state)
{
	struct list_end at, found;
	struct list_head head;
	size_t lengths[3];
	enum list_tail tail;

	(void)state;
	write_three(&at, lengths);
	assert_string_equal(read_it(&found, &tail), FIRST SECOND THIRD);
	assert_int_equal(tail, LIST_WHOLE);
	assert_int_equal(found.length, at.length);
	assert_int_equal(found.crc, at.crc);
	assert_int_equal(found.changes, at.changes);
	assert_int_equal(list_file_read(path, &head, tell, NULL, &found, &tail, NULL), 0);
	assert_true(head.allow && head.monitor);
	assert_int_equal(head.vip_count, 2);
	assert_int_equal(head.vips[0].port, 443);
	assert_int_equal(head.vips[1].last_port, 90);
}

/* Broken off after each byte: what was acknowledged by then is there, no more; and the next change goes behind it. */
static void test_broken_off_anywhere(void **state)
{
	static const char *const said[] = {FIRST, FIRST SECOND, FIRST SECOND THIRD};
	const struct list_change more = on("10.0.0.0/8", 0);
	struct list_end at, found;
	size_t lengths[3];
	char expected[512];
	enum list_tail tail;

	(void)state;
	write_three(&at, lengths);
	for (size_t length = lengths[2]; length >= lengths[0]; length--) {
		const int whole = length < lengths[1] ? 0 : length < lengths[2] ? 1 : 2;

		write_three(&at, lengths);
		assert_int_equal(truncate(path, (off_t)length), 0);
		assert_string_equal(read_it(&found, &tail), said[whole]);
		assert_int_equal(tail, length != lengths[whole] ? LIST_BROKEN_OFF : LIST_WHOLE);
		assert_int_equal(list_file_append(path, &more, 1, &found, NULL), 0);
		snprintf(expected, sizeof(expected), "%s+10.0.0.0/8/0 ", said[whole]);
		assert_string_equal(read_it(&found, &tail), expected);
		assert_int_equal(tail, LIST_WHOLE);
	}
}

/* At `at`, another digit of an address, and no other checksum. */
static void damage(size_t at)
{
	FILE *file = fopen(path, "r+e");

	assert_non_null(file);
	fseek(file, (long)at, SEEK_SET);
	fputc('2', file);
	fclose(file);
}

/* Only the last change may have been broken off, and not what was written with the head. */
static void test_damage_is_seen(void **state)
{
	struct list_end at, found;
	size_t lengths[3];
	enum list_tail tail;

	(void)state;
	write_three(&at, lengths);
	damage(lengths[1] + 3);
	assert_string_equal(read_it(&found, &tail), FIRST SECOND);
	assert_int_equal(tail, LIST_BROKEN_OFF);
	write_three(&at, lengths);
	damage(lengths[0] + 3);
	assert_string_equal(read_it(&found, &tail), FIRST);
	assert_int_equal(tail, LIST_DAMAGED);
	assert_int_equal(found.length, lengths[0]);
	write_three(&at, lengths);
	damage(lengths[0] - 3); /* of the first checksum */
	assert_null(read_it(&found, &tail));
}

static void test_no_list(void **state)
{
	struct list_end found;
	FILE *file = fopen(path, "we");
	enum list_tail tail;

	(void)state;
	assert_non_null(file);
	fputs("192.0.2.0/24\n", file);
	fclose(file);
	assert_null(read_it(&found, &tail));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_says_what_was_written, start, end),
		cmocka_unit_test_setup_teardown(test_broken_off_anywhere, start, end),
		cmocka_unit_test_setup_teardown(test_damage_is_seen, start, end),
		cmocka_unit_test_setup_teardown(test_no_list, start, end),
	};

	return cmocka_run_group_tests_name("list_file", tests, NULL, NULL);
}
