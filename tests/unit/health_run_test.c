/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the engine of health checks leave the loop its time when very many checks are due at once, and
 * is each of them made and judged all the same? By real sockets on the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../lbd/health/health.h"
#include "../../lbd/host/worker.h"

#define MANY 3000     /* the engine begins with 2,000 a second */
#define SILENT 300    /* that wait for an answer at the same time */
#define STALL_MS 1500 /* longer than the interval, so that all are due */
#define INTERVAL_MS 1000
#define ANSWER_MS 900 /* how long the server of SILENT may take */
#define LATE_MS 20    /* less than a stall */
#define TURN_US 20000
#define GUARD_S 60
#define LISTED 60000 /* checks, as many as there are members */
#define MESSAGES 64  /* by ICMP, that are read in one turn */

struct rig {
	struct event_base *base;
	struct turns *turns;
	struct health *health;
	struct event *guard, *server;
	struct health_watch *watches[MANY];
	uint32_t results[MANY], failures;
	uint32_t round, rounds; /* so many results each watch has, and is to have */
	size_t count, have;     /* watches, and those that have one more */
	int server_fd;
	size_t asked;
	struct sockaddr_in askers[SILENT];
};

static void sleep_ms(int64_t ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void on_guard(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	(void)user;
	fail_msg("not all had their results within %d s", GUARD_S);
}

static void on_changed(void *user, void *owner, const struct health_view *view)
{
	(void)user;
	(void)owner;
	(void)view;
}

/* Each has had a result more. */
static void next_round(struct rig *rig)
{
	rig->round++;
	rig->have = 0;
	for (size_t i = 0; i < rig->count; i++)
		rig->have += rig->results[i] > rig->round;
	if (rig->round == rig->rounds)
		event_base_loopbreak(rig->base);
	else
		sleep_ms(STALL_MS);
}

static void on_ended(void *user, void *owner, enum health_outcome outcome, int64_t duration_us)
{
	struct rig *rig = user;
	uint32_t *results = owner;

	(void)duration_us;
	rig->failures += outcome == HEALTH_FAILURE;
	if (++*results == rig->round + 1 && ++rig->have == rig->count)
		next_round(rig);
}

static void setup(struct rig *rig)
{
	const struct health_options options = {
		.changed = on_changed, .ended = on_ended, .user = rig};
	const struct timeval guard = {.tv_sec = GUARD_S};
	struct rlimit files;
	struct lb_err err;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	rig->base = event_base_new();
	assert_int_equal(turns_new(rig->base, &rig->turns, &err), 0);
	rig->health = health_new(rig->base, &options);
	rig->guard = evtimer_new(rig->base, on_guard, NULL);
	event_add(rig->guard, &guard);
}

static void teardown(struct rig *rig)
{
	health_free(rig->health);
	turns_free(rig->turns);
	event_free(rig->guard);
	event_base_free(rig->base);
	free(rig);
}

static void watch(struct rig *rig, size_t count, uint16_t port, const struct lb_health *check)
{
	const struct health_target target = {
		.vip = {.address = {.family = 4, .bytes = {192, 0, 2, 1}}, .port = port},
		.backend = {.family = 4, .bytes = {127, 0, 0, 1}},
		.check = check,
	};

	for (rig->count = 0; rig->count < count; rig->count++) {
		rig->watches[rig->count] =
			health_add(rig->health, &target, &rig->results[rig->count]);
		assert_non_null(rig->watches[rig->count]);
	}
}

/* A socket on a port of its own; nothing listens there but, for datagrams, who reads it. */
static int port_take(int type, uint16_t *port)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(own);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	*port = ntohs(own.sin_port);
	return fd;
}

static void very_many_checks_that_are_due_leave_the_loop_its_time(void **state)
{
	const struct lb_health check = {.kind = LB_HEALTH_TCP,
					.interval_ms = INTERVAL_MS,
					.timeout_ms = INTERVAL_MS,
					.rise = 1,
					.fall = 1};
	struct rig *rig = calloc(1, sizeof(*rig));
	struct turns_longest longest;
	uint16_t port;
	int fd = port_take(SOCK_STREAM, &port);

	(void)state;
	setup(rig);
	watch(rig, MANY, port, &check);
	rig->rounds = 3;
	turns_dispatch(rig->turns);
	turns_longest(rig->turns, &longest);
	print_message("longest turn: %u us\n", (unsigned int)longest.cpu_us);
	assert_in_range(longest.cpu_us, 0, TURN_US);
	for (size_t i = 0; i < MANY; i++) {
		struct health_view view;

		health_get(rig->watches[i], &view);
		assert_int_equal(view.status, HEALTH_UNHEALTHY);
		assert_string_equal(view.error, "connection refused");
	}
	teardown(rig);
	close(fd);
}

/* All are answered at once, when their time is just over. */
static void on_asked(evutil_socket_t fd, short events, void *user)
{
	struct rig *rig = user;
	socklen_t length = sizeof(rig->askers[0]);
	char byte;

	(void)events;
	while (rig->asked < SILENT &&
	       recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&rig->askers[rig->asked], &length) >= 0)
		rig->asked++;
	if (rig->asked < SILENT)
		return;
	sleep_ms(ANSWER_MS + LATE_MS);
	for (size_t i = 0; i < SILENT; i++)
		sendto(fd, "y", 1, 0, (struct sockaddr *)&rig->askers[i], length);
	event_del(rig->server);
}

static void an_answer_that_is_there_counts_although_its_time_is_over(void **state)
{
	uint8_t question = '?';
	const struct lb_health check = {
		.kind = LB_HEALTH_UDP,
		.interval_ms = ANSWER_MS,
		.timeout_ms = ANSWER_MS,
		.rise = 1,
		.fall = 1,
		.payload = {.data = &question, .length = 1},
	};
	struct rig *rig = calloc(1, sizeof(*rig));
	uint16_t port;

	(void)state;
	setup(rig);
	rig->server_fd = port_take(SOCK_DGRAM, &port);
	rig->server = event_new(rig->base, rig->server_fd, EV_READ | EV_PERSIST, on_asked, rig);
	event_add(rig->server, NULL);
	watch(rig, SILENT, port, &check);
	rig->rounds = 1;
	turns_dispatch(rig->turns);
	assert_int_equal(rig->failures, 0);
	event_free(rig->server);
	close(rig->server_fd);
	teardown(rig);
}

static int64_t processor_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static void a_storm_of_refusals_leaves_the_loop_its_time(void **state)
{
	const struct lb_health check = {.kind = LB_HEALTH_TCP,
					.source = LB_HEALTH_TUNNEL,
					.interval_ms = INTERVAL_MS,
					.timeout_ms = ANSWER_MS,
					.rise = 1,
					.fall = 1};
	struct health_target target = {.check = &check, .backend.family = 4};
	struct rig *rig = calloc(1, sizeof(*rig));
	int64_t began_us;

	(void)state;
	setup(rig);
	for (uint32_t i = 0; i < LISTED; i++) {
		const uint32_t address = htonl(0x0a000000 + i);

		memcpy(target.backend.bytes, &address, sizeof(address));
		assert_non_null(health_add(rig->health, &target, rig->results));
	}
	began_us = processor_us();
	for (int i = 0; i < MESSAGES; i++)
		health_refused(rig->health, &target.backend, PMTU_NO_PROTOCOL);
	assert_in_range(processor_us() - began_us, 0, TURN_US);
	teardown(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(very_many_checks_that_are_due_leave_the_loop_its_time),
		cmocka_unit_test(an_answer_that_is_there_counts_although_its_time_is_over),
		cmocka_unit_test(a_storm_of_refusals_leaves_the_loop_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
