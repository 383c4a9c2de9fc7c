/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the service manager told what sd_notify(3) promises it, and nobody else? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lbd/host/notify.h"

static struct event_base *base;
static struct notify *notify;
static int manager = -1; /* the service manager's end */
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

/* Listens at `name`, where a leading @ stands for an abstract one, and puts it in the environment. */
static void listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 5};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	if (manager >= 0)
		close(manager);
	unlink(name);
	memcpy(address.sun_path, name, strlen(name));
	if (*name == '@')
		address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
			 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static int set_up(void **state)
{
	(void)state;
	base = event_base_new();
	snprintf(path, sizeof(path), "/tmp/lbd-notify-%d.sock", getpid());
	return base ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	notify_close(notify);
	notify = NULL;
	event_base_free(base);
	if (manager >= 0)
		close(manager);
	manager = -1;
	unlink(path);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

static void open_it(void)
{
	struct lb_err err = {0};

	if (notify_open(base, &notify, &err))
		fail_msg("%s", err.message);
}

static void assert_told(const char *expected)
{
	char text[1024];
	ssize_t length = recv(manager, text, sizeof(text) - 1, 0);

	assert_true(length >= 0);
	text[length] = '\0';
	assert_string_equal(text, expected);
}

static void assert_silence(void)
{
	char text[16];

	assert_int_equal(recv(manager, text, sizeof(text), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void without_a_manager_everything_is_fine(void **state)
{
	(void)state;
	setenv("WATCHDOG_USEC", "20000", 1);
	open_it();
	assert_null(notify);
	assert_int_equal(notify_ready(notify), 0);
	assert_int_equal(notify_status(notify, "3 VIPs"), 0);
	assert_int_equal(notify_stopping(notify), 0);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
}

static void assert_conversation(void)
{
	assert_int_equal(notify_status(notify, "3 VIPs"), 0);
	assert_told("STATUS=3 VIPs");
	assert_int_equal(notify_ready(notify), 0);
	assert_told("READY=1");
	assert_int_equal(notify_stopping(notify), 0);
	assert_told("STOPPING=1");
	assert_silence();
}

static void a_socket_with_a_path_hears_each_message(void **state)
{
	(void)state;
	listen_at(path);
	open_it();
	assert_conversation();
}

static void an_abstract_socket_hears_each_message(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@lbd-notify-%d", getpid());
	listen_at(name);
	open_it();
	assert_conversation();
}

static void a_status_is_one_line_cut_to_size(void **state)
{
	char longer[2048], expected[512] = "STATUS=";

	(void)state;
	listen_at(path);
	open_it();
	notify_status(notify, "fine\nREADY=1\n");
	assert_told("STATUS=fine READY=1 ");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memset(expected + 7, 'x', sizeof(expected) - 8);
	notify_status(notify, longer);
	assert_told(expected);
}

static void programs_that_lbd_runs_do_not_learn_of_the_manager(void **state)
{
	(void)state;
	listen_at(path);
	setenv("WATCHDOG_USEC", "1000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	open_it();
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
}

static void a_manager_that_came_back_is_heard_of_again(void **state)
{
	(void)state;
	listen_at(path);
	open_it();
	close(manager);
	manager = -1;
	assert_int_equal(notify_ready(notify), -ECONNREFUSED);
	listen_at(path);
	assert_int_equal(notify_ready(notify), 0);
	assert_told("READY=1");
}

static void a_manager_that_does_not_read_does_not_stop_lbd(void **state)
{
	int ret = 0;

	(void)state;
	listen_at(path);
	open_it();
	for (int i = 0; i < 100000 && !ret; i++)
		ret = notify_status(notify, "fine");
	assert_int_equal(ret, -EAGAIN);
}

static int note_due(const struct event_base *of, const struct event *event, void *due)
{
	(void)of;
	event_pending(event, EV_TIMEOUT, due);
	return 0;
}

static int64_t ms(const struct timeval *from, const struct timeval *to)
{
	return (to->tv_sec - from->tv_sec) * 1000LL + (to->tv_usec - from->tv_usec) / 1000;
}

/* By when it is due: on a busy machine it comes later. */
static void the_watchdog_hears_at_half_its_time(void **state)
{
	char pid[16];
	struct timeval before, after, due = {0};

	(void)state;
	listen_at(path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_USEC", "1000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	evutil_gettimeofday(&before, NULL);
	open_it();
	evutil_gettimeofday(&after, NULL);
	event_base_foreach_event(base, note_due, &due);
	assert_true(ms(&before, &due) >= 490 && ms(&after, &due) <= 510);
	assert_silence();
	event_base_loop(base, EVLOOP_ONCE);
	assert_told("WATCHDOG=1");
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 1);
}

static void the_watchdog_of_another_process_hears_nothing(void **state)
{
	(void)state;
	listen_at(path);
	setenv("WATCHDOG_USEC", "2000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	open_it();
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
}

/* A fault is named, and nothing is left open. */
static void assert_refused(const char *variable, const char *value)
{
	struct lb_err err = {0};

	setenv("NOTIFY_SOCKET", "/tmp/lbd-nobody", 1);
	setenv("WATCHDOG_USEC", "1000000", 1);
	setenv(variable, value, 1);
	assert_int_not_equal(notify_open(base, &notify, &err), 0);
	assert_null(notify);
	if (!strstr(err.message, variable) || !strstr(err.message, value))
		fail_msg("\"%s\" names not %s, %s", err.message, variable, value);
	unsetenv("WATCHDOG_PID");
}

static void an_environment_that_cannot_be_right_is_refused(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_refused("NOTIFY_SOCKET", "");
	assert_refused("NOTIFY_SOCKET", "@");
	assert_refused("NOTIFY_SOCKET", "vsock:2:1234");
	assert_refused("NOTIFY_SOCKET", longest);
	assert_refused("WATCHDOG_USEC", "");
	assert_refused("WATCHDOG_USEC", "0");
	assert_refused("WATCHDOG_USEC", "-5");
	assert_refused("WATCHDOG_USEC", "5s");
	assert_refused("WATCHDOG_USEC", "99999999999999999999");
	assert_refused("WATCHDOG_PID", "self");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(without_a_manager_everything_is_fine),
		TEST(a_socket_with_a_path_hears_each_message),
		TEST(an_abstract_socket_hears_each_message),
		TEST(a_status_is_one_line_cut_to_size),
		TEST(programs_that_lbd_runs_do_not_learn_of_the_manager),
		TEST(a_manager_that_came_back_is_heard_of_again),
		TEST(a_manager_that_does_not_read_does_not_stop_lbd),
		TEST(the_watchdog_hears_at_half_its_time),
		TEST(the_watchdog_of_another_process_hears_nothing),
		TEST(an_environment_that_cannot_be_right_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
