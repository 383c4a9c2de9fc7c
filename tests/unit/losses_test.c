/* SPDX-License-Identifier: BSD-2-Clause */
/* Does lbd believe just the answers that it has asked for, and add up what backends have lost? Backends are sockets
 * of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <endian.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../bpf/abi.h"
#include "../../bpf/second_question.h"
#include "../../lbd/api/clock.h"
#include "../../lbd/health/losses.h"

#define MEMBERS 300
#define NUMBER 257

static struct event_base *base;
static struct losses *losses;

/* The address is this process's alone: others may run this test at the same time. */
static struct lb_addr backend = {.family = 4, .bytes = {127}};
static int here = -1, other = -1; /* the backend, and another socket of its host */

static struct sockaddr_in at_port(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	memcpy(&at.sin_addr, backend.bytes, sizeof(at.sin_addr));
	return at;
}

static int bound(uint16_t port)
{
	const struct sockaddr_in at = at_port(port);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (const void *)&at, sizeof(at)), 0);
	return fd;
}

static int start(void **state)
{
	(void)state;
	backend.bytes[1] = 1 + (getpid() >> 14 & 63);
	backend.bytes[2] = getpid() >> 7 & 127;
	backend.bytes[3] = 1 + (getpid() & 127);
	here = bound(LB_GUE_PORT);
	other = bound(LB_GUE_PORT + 1);
	base = event_base_new();
	losses = losses_new(base, MEMBERS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	losses_free(losses);
	event_base_free(base);
	close(here);
	close(other);
	return 0;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* The next question; false: there is none within this time. */
static bool asked(struct second_question *question, struct sockaddr_in *from, int wait_ms)
{
	const int64_t until_ms = lb_now_ms() + wait_ms;
	socklen_t size = sizeof(*from);

	do {
		struct pollfd readable = {.fd = here, .events = POLLIN};

		turn();
		poll(&readable, 1, 10);
		if (recvfrom(here, question, sizeof(*question), 0, (void *)from, &size) ==
		    sizeof(*question))
			return true;
	} while (lb_now_ms() < until_ms);
	return false;
}

static void send_answer(int fd, const struct second_question *question,
			const struct sockaddr_in *to, size_t length)
{
	assert_int_equal(sendto(fd, question, length, 0, (const void *)to, sizeof(*to)), length);
	turn();
}

static void answer(uint64_t lost, uint64_t stray)
{
	struct second_question question;
	struct sockaddr_in from;

	assert_true(asked(&question, &from, 2 * LOSSES_ASK_MS));
	question.type = SECOND_ANSWERS;
	question.lost = htobe64(lost);
	question.stray = htobe64(stray);
	send_answer(here, &question, &from, sizeof(question));
}

static struct losses_view view(void)
{
	struct losses_view seen;

	assert_true(losses_get(losses, NUMBER, &seen));
	return seen;
}

/* At once, with what its program wants to see. */
static void a_backend_is_asked(void **state)
{
	struct second_question question;
	struct sockaddr_in from;
	struct losses_view none;

	(void)state;
	assert_false(losses_get(losses, NUMBER, &none));
	losses_ask(losses, NUMBER, &backend);
	assert_true(asked(&question, &from, 1000));
	assert_int_equal(question.control, SECOND_CONTROL);
	assert_int_equal(question.type, SECOND_ASKS);
	assert_int_equal(question.magic, htonl(SECOND_MAGIC));
	assert_int_equal(question.watch_s, 0);
	assert_int_equal(view().since_ms, 0);
	losses_watch(losses, NUMBER, lb_now_ms() + 7500);
	assert_true(asked(&question, &from, 1000));
	assert_int_equal(ntohl(question.watch_s), 8);
	losses_watch(losses, NUMBER, lb_now_ms() + 3600000);
	assert_true(asked(&question, &from, 1000));
	assert_int_equal(ntohl(question.watch_s), SECOND_WATCH_MAX_S);
	losses_ask(losses, NUMBER, NULL);
	assert_false(losses_get(losses, NUMBER, &none));
}

/* What it had lost before is not counted, and a program that counts from 0 again takes nothing back. */
static void what_it_loses_is_added_up(void **state)
{
	(void)state;
	losses_ask(losses, NUMBER, &backend);
	answer(10, 5);
	assert_true(view().since_ms > 0);
	assert_int_equal(view().lost, 0);
	losses_watch(losses, NUMBER, lb_now_ms() + 1000);
	answer(12, 6);
	assert_int_equal(view().lost, 3);
	losses_watch(losses, NUMBER, lb_now_ms() + 2000);
	answer(0, 0);
	assert_int_equal(view().lost, 3);
	answer(0, 4); /* its turn has come */
	assert_int_equal(view().lost, 7);
	assert_false(view().silent);
}

/* A counter that wraps, or lies, makes no sum small, and none that an int64_t cannot hold for all backends together. */
static void counters_at_their_end_do_not_wrap(void **state)
{
	const uint64_t most = (uint64_t)INT64_MAX / (UINT16_MAX + 1);
	uint64_t before;

	(void)state;
	losses_ask(losses, NUMBER, &backend);
	answer(UINT64_MAX - 1, 0);
	losses_watch(losses, NUMBER, lb_now_ms() + 1000);
	answer(3, 0);
	assert_int_equal(view().lost, 3);
	losses_watch(losses, NUMBER, lb_now_ms() + 2000);
	answer(UINT64_MAX - 1, 7);
	before = view().lost;
	assert_in_range(before, most / 2, most + 1);
	losses_watch(losses, NUMBER, lb_now_ms() + 3000);
	answer(5, UINT64_MAX);
	assert_in_range(view().lost, before, most + 1);
	losses_watch(losses, NUMBER, lb_now_ms() + 4000);
	answer(100, 0);
	assert_in_range(view().lost, before, most + 1);
}

/* Each differs from an answer in one thing, and the last one does not. */
static void what_was_not_asked_for_is_not_believed(void **state)
{
	struct second_question question, forged;
	struct sockaddr_in from;

	(void)state;
	losses_ask(losses, NUMBER, &backend);
	assert_true(asked(&question, &from, 1000));
	question.type = SECOND_ANSWERS;
	forged = question;
	forged.nonce ^= htobe64(1ull << 40);
	send_answer(here, &forged, &from, sizeof(forged));
	forged.nonce = 0;
	send_answer(here, &forged, &from, sizeof(forged));
	forged.nonce = htobe64(0xffff); /* no such member */
	send_answer(here, &forged, &from, sizeof(forged));
	forged = question;
	forged.type = SECOND_ASKS;
	send_answer(here, &forged, &from, sizeof(forged));
	forged = question;
	forged.magic++;
	send_answer(here, &forged, &from, sizeof(forged));
	send_answer(here, &question, &from, sizeof(question) - 1);
	send_answer(other, &question, &from, sizeof(question));
	assert_int_equal(view().since_ms, 0);
	send_answer(here, &question, &from, sizeof(question));
	assert_true(view().since_ms > 0);
	question.lost = htobe64(1000);
	send_answer(here, &question, &from, sizeof(question)); /* again */
	assert_int_equal(view().lost, 0);
}

static void one_that_does_not_answer_is_silent(void **state)
{
	struct second_question question;
	struct sockaddr_in from;

	(void)state;
	losses_ask(losses, NUMBER, &backend);
	answer(0, 0);
	for (int i = 1; i <= 3; i++) {
		assert_false(view().silent);
		losses_watch(losses, NUMBER, lb_now_ms() + i * 1000);
		assert_true(asked(&question, &from, 1000));
	}
	assert_true(view().silent);
	assert_true(view().since_ms > 0);
	losses_watch(losses, NUMBER, lb_now_ms() + 10000);
	answer(1, 0);
	assert_false(view().silent);
	assert_int_equal(view().lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_backend_is_asked, start, end),
		cmocka_unit_test_setup_teardown(what_it_loses_is_added_up, start, end),
		cmocka_unit_test_setup_teardown(counters_at_their_end_do_not_wrap, start, end),
		cmocka_unit_test_setup_teardown(what_was_not_asked_for_is_not_believed, start, end),
		cmocka_unit_test_setup_teardown(one_that_does_not_answer_is_silent, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
