/* SPDX-License-Identifier: BSD-2-Clause */
/* Are messages single clean lines, with priorities for the journal alone, and bounded in rate? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lbd/host/log.h"
#include "../../lbd/host/log_limit.h"

/* --- lines --- */

static void line_is(const char *expected, enum log_level level, bool journal, const char *text)
{
	char line[LOG_LINE_MAX];

	assert_int_equal(log_format(line, level, journal, text), strlen(expected));
	assert_string_equal(line, expected);
}

static void journal_gets_priorities_and_terminal_gets_words(void **state)
{
	(void)state;
	line_is("<3>no room\n", LOG_LEVEL_ERROR, true, "no room");
	line_is("<4>e0 is gone\n", LOG_LEVEL_WARNING, true, "e0 is gone");
	line_is("<6>e0 is back\n", LOG_LEVEL_INFO, true, "e0 is back");
	line_is("lbd: error: no room\n", LOG_LEVEL_ERROR, false, "no room");
	line_is("lbd: warning: e0 is gone\n", LOG_LEVEL_WARNING, false, "e0 is gone");
	line_is("lbd: e0 is back\n", LOG_LEVEL_INFO, false, "e0 is back");
}

static void hostile_text_stays_one_line_without_control_characters(void **state)
{
	(void)state;
	line_is("<6>a <3>forged\n", LOG_LEVEL_INFO, true, "a\n<3>forged");
	line_is("<6>red ?[31m a b?\n", LOG_LEVEL_INFO, true, "red \x1b[31m\ta\nb\r");
	line_is("<6>del ? c1 ?? raw ? cut ?\n", LOG_LEVEL_INFO, true,
		"del \x7f c1 \xc2\x9b raw \x9b cut \xe2");
	line_is("<6>over ?? and ???\n", LOG_LEVEL_INFO, true, "over \xc0\x8a and \xf5\x80\x80");
	line_is("<6>gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82\n", LOG_LEVEL_INFO, true,
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82");
}

static void over_long_text_is_cut_off_and_says_so(void **state)
{
	char text[2 * LOG_LINE_MAX], line[LOG_LINE_MAX];
	size_t length;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	length = log_format(line, LOG_LEVEL_INFO, true, text);
	assert_int_equal(length, LOG_LINE_MAX - 1);
	assert_int_equal(strlen(line), length);
	assert_string_equal(line + length - 5, "x...\n");
}

static void stream_of_the_journal_is_known_by_device_and_inode(void **state)
{
	const struct stat stream = {.st_dev = 9, .st_ino = 35811};

	(void)state;
	assert_true(log_is_journal("9:35811", &stream));
	assert_false(log_is_journal("9:35812", &stream));
	assert_false(log_is_journal("8:35811", &stream));
	assert_false(log_is_journal("9:35811:1", &stream));
	assert_false(log_is_journal("9", &stream));
	assert_false(log_is_journal("", &stream));
	assert_false(log_is_journal(NULL, &stream));
}

/* --- the rate --- */

static unsigned int taken(struct log_limit *limit, unsigned int tries, int64_t now_ms)
{
	unsigned int taken = 0;

	while (tries--)
		taken += log_limit_take(limit, LOG_LEVEL_INFO, now_ms);
	return taken;
}

static void burst_passes_and_then_so_many_a_second(void **state)
{
	struct log_limit limit = {0};

	(void)state;
	assert_int_equal(taken(&limit, LOG_BURST + 7, 1000), LOG_BURST);
	assert_int_equal(limit.suppressed, 7);
	assert_int_equal(taken(&limit, 10, 1000 + 1000 / LOG_PER_SECOND - 1), 0);
	assert_int_equal(taken(&limit, 10, 1000 + 1000 / LOG_PER_SECOND), 1);
	assert_int_equal(taken(&limit, 1000, 11000), LOG_PER_SECOND * 10 - 1);
}

static void message_every_now_and_then_is_never_suppressed(void **state)
{
	struct log_limit limit = {0};

	(void)state;
	for (int64_t now = 0; now < 86400000; now += 1000 / LOG_PER_SECOND)
		assert_true(log_limit_take(&limit, LOG_LEVEL_INFO, now));
}

static void bucket_is_full_again_after_a_rest_and_no_fuller(void **state)
{
	struct log_limit limit = {0};

	(void)state;
	taken(&limit, LOG_BURST, 0);
	assert_int_equal(taken(&limit, 2 * LOG_BURST, 86400000), LOG_BURST);
}

static void worst_of_what_was_suppressed_is_remembered(void **state)
{
	struct log_limit limit = {0};

	(void)state;
	taken(&limit, LOG_BURST, 0);
	log_limit_take(&limit, LOG_LEVEL_INFO, 0);
	assert_int_equal(limit.worst, LOG_LEVEL_INFO);
	log_limit_take(&limit, LOG_LEVEL_WARNING, 0);
	log_limit_take(&limit, LOG_LEVEL_INFO, 0);
	assert_int_equal(limit.worst, LOG_LEVEL_WARNING);
	assert_int_equal(limit.suppressed, 3);
}

/* --- standard error --- */

static int saved_stderr = -1;

static void stderr_to(int fd)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
}

static void stderr_back(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

/* A stream to a journal, whose end is the other one. */
static void open_journal(int ends[2])
{
	struct stat stream;
	char variable[64];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(fstat(ends[0], &stream), 0);
	snprintf(variable, sizeof(variable), "%ju:%ju", (uintmax_t)stream.st_dev,
		 (uintmax_t)stream.st_ino);
	setenv("JOURNAL_STREAM", variable, 1);
	stderr_to(ends[0]);
	log_open();
}

/* Closes the journal's stream, and returns what came through it, to be freed. */
static char *close_journal(int ends[2])
{
	char *text = calloc(1, 1 << 20);
	size_t length = 0;
	ssize_t got;

	stderr_back();
	close(ends[0]);
	unsetenv("JOURNAL_STREAM");
	log_open();
	assert_non_null(text);
	while ((got = read(ends[1], text + length, (1 << 20) - 1 - length)) > 0)
		length += (size_t)got;
	close(ends[1]);
	return text;
}

static void error_is_one_line_of_the_journal_with_place_and_hint(void **state)
{
	struct lb_err err = {.path = "interfaces[0]", .message = "no interface \"e9\""};
	int ends[2];
	char *text;

	(void)state;
	open_journal(ends);
	log_error(&err);
	lb_err_hint(&err, "see: ip link");
	log_error(&err);
	log_line(LOG_LEVEL_INFO, "%d VIPs in place", 3);
	text = close_journal(ends);
	assert_string_equal(text, "<3>no interface \"e9\" (at interfaces[0])\n"
				  "<3>no interface \"e9\" (at interfaces[0]); see: ip link\n"
				  "<6>3 VIPs in place\n");
	free(text);
}

static void flood_of_one_kind_is_bounded_and_told_of_once_and_hides_no_other(void **state)
{
	struct event_base *base = event_base_new();
	struct lb_err err;
	char *text, *at;
	unsigned int lines = 0;
	int ends[2];

	(void)state;
	open_journal(ends);
	assert_int_equal(log_follow(base, &err), 0);
	for (unsigned int i = 0; i < LOG_BURST + 200; i++)
		log_kind(i == LOG_BURST + 150 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "health",
			 "message %u", i);
	log_kind(LOG_LEVEL_INFO, "drain", "vip web");
	log_close();
	event_base_free(base);
	text = close_journal(ends);
	for (at = text; (at = strstr(at, "health: message ")); at++)
		lines++;
	assert_in_range(lines, LOG_BURST, LOG_BURST + 20); /* some time passes */
	assert_non_null(strstr(text, "<6>drain: vip web\n"));
	at = strstr(text, "<4>health: ");
	assert_non_null(at);
	assert_int_equal(atoi(at + strlen("<4>health: ")), LOG_BURST + 200 - lines);
	assert_non_null(strstr(at, " messages suppressed\n"));
	assert_null(strstr(at + 1, "suppressed\n<"));
	free(text);
}

static void journal_that_does_not_read_keeps_nobody_waiting(void **state)
{
	struct event_base *base = event_base_new();
	const int size = 4096;
	struct lb_err err;
	int ends[2];
	char *text;

	(void)state;
	open_journal(ends);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(log_follow(base, &err), 0);
	for (int i = 0; i < 400; i++)
		log_kind(LOG_LEVEL_INFO, "health", "%0500d", i);
	/* Reached at all: nothing waited. What is said at the end finds no room either. */
	log_close();
	event_base_free(base);
	text = close_journal(ends);
	assert_non_null(strstr(text, "<6>health: 000"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journal_gets_priorities_and_terminal_gets_words),
		cmocka_unit_test(hostile_text_stays_one_line_without_control_characters),
		cmocka_unit_test(over_long_text_is_cut_off_and_says_so),
		cmocka_unit_test(stream_of_the_journal_is_known_by_device_and_inode),
		cmocka_unit_test(burst_passes_and_then_so_many_a_second),
		cmocka_unit_test(message_every_now_and_then_is_never_suppressed),
		cmocka_unit_test(bucket_is_full_again_after_a_rest_and_no_fuller),
		cmocka_unit_test(worst_of_what_was_suppressed_is_remembered),
		cmocka_unit_test(error_is_one_line_of_the_journal_with_place_and_hint),
		cmocka_unit_test(flood_of_one_kind_is_bounded_and_told_of_once_and_hides_no_other),
		cmocka_unit_test(journal_that_does_not_read_keeps_nobody_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
