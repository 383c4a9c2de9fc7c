/* SPDX-License-Identifier: BSD-2-Clause */
/* Are requests read as they are meant, and metrics written so that every value can be read back? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/monitor/event_log.h"
#include "../../lbd/monitor/exposition.h"
#include "../../lbd/monitor/http_request.h"

/* --- requests --- */

static const struct {
	const char *head, *path;
	int status;
	bool is_head, openmetrics;
} requests[] = {
	{"GET / HTTP/1.1\r\n\r\n", "/", 0, false, false},
	{"HEAD /metrics HTTP/1.0\r\nHost: a\r\n\r\n", "/metrics", 0, true, false},
	{"\r\n\nGET /metrics?a=b?c HTTP/1.1\nHost:a\n\n", "/metrics", 0, false, false},
	{"GET HTTP://a:1/x/y HTTP/1.1\r\n\r\n", "/x/y", 0, false, false},
	{"GET http://a HTTP/1.1\r\n\r\n", "/", 0, false, false},
	{"GET / HTTP/1.1\r\naCCept: a, Application/OpenMetrics-text;version=1.0.0\r\n\r\n", "/", 0,
	 false, true},
	{"GET / HTTP/1.1\r\nX-Accept: application/openmetrics-text\r\n\r\n", "/", 0, false, false},
	{"POST / HTTP/1.1\r\n\r\n", "", 405, false, false},
	{"POST / HTTP/1.1\r\nbad\r\n\r\n", "", 400, false, false},
	{"GET / HTTP/2.0\r\n\r\n", "", 505, false, false},
	{"GET / HTTP/1.10\r\n\r\n", "", 400, false, false},
	{"GET / http/1.1\r\n\r\n", "", 400, false, false},
	{"GET\t/ HTTP/1.1\r\n\r\n", "", 400, false, false},
	{"G@T / HTTP/1.1\r\n\r\n", "", 400, false, false},
	{"GET * HTTP/1.1\r\n\r\n", "", 400, false, false},
	{"GET / HTTP/1.1\r\n folded\r\n\r\n", "/", 400, false, false},
	{"GET / HTTP/1.1\r\na b: c\r\n\r\n", "/", 400, false, false},
	{"GET / HTTP/1.1\r\na: \x7f\r\n\r\n", "/", 400, false, false},
	{"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "/", 400, false, false},
	{"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "/", 400, false, false},
	{"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "/", 400, false, false},
	{"\r\n\r\n", "", 400, false, false},
	{"\n\n", "", 400, false, false},
};

static void requests_are_read_as_they_are_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		const size_t length = strlen(requests[i].head);
		struct http_request request;
		const int status = http_request_parse(requests[i].head, length, &request);

		if (status != requests[i].status)
			fail_msg("%s: %d", requests[i].head, status);
		assert_string_equal(request.path, requests[i].path);
		if (status)
			continue;
		assert_int_equal(request.head, requests[i].is_head);
		assert_int_equal(request.openmetrics, requests[i].openmetrics);
	}
}

static const struct {
	const char *head, *host;
	bool ours;
} hosts[] = {
	{"GET / HTTP/1.0\r\n\r\n", "", true},
	{"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", true},
	{"GET / HTTP/1.1\r\nHost: 10.0.0.1:9110\r\n\r\n", "10.0.0.1", true},
	{"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:9110\r\n\r\n", "[2001:db8::1]", true},
	{"GET / HTTP/1.1\r\nhOST:\tLOCALHOST.:80 \r\n\r\n", "localhost", true},
	{"GET / HTTP/1.1\r\nHost: LB1.example\r\n\r\n", "lb1.example", true},
	{"GET http://Evil.example:1/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "evil.example", false},
	{"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "evil.example", false},
	{"GET / HTTP/1.1\r\nHost: 10.0.0.1.evil.example\r\n\r\n", "10.0.0.1.evil.example", false},
	{"GET / HTTP/1.1\r\nHost: lb1.example.evil.example\r\n\r\n", "lb1.example.evil.example",
	 false},
	{"GET / HTTP/1.1\r\nHost: [evil]\r\n\r\n", "[evil]", false},
	{"GET / HTTP/1.1\r\nHost: [\r\n\r\n", "[", false},
	{"GET / HTTP/1.1\r\nHost: alocalhost\r\n\r\n", "alocalhost", false},
};

static void only_our_names_and_addresses_are_ours(void **state)
{
	static const char *const names[] = {"Lb1.Example", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		struct http_request request;

		assert_int_equal(http_request_parse(hosts[i].head, strlen(hosts[i].head), &request),
				 0);
		assert_string_equal(request.host, hosts[i].host);
		assert_int_equal(http_host_is_ours(request.host, names), hosts[i].ours);
	}
}

static void a_head_ends_with_an_empty_line(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore";
	const size_t whole = sizeof(head) - 1 - strlen("more");

	(void)state;
	for (size_t length = 0; length < sizeof(head); length++)
		assert_int_equal(http_head_length(head, length), length < whole ? 0 : whole);
	assert_int_equal(http_head_length("a\n\nb", 4), 3);
	assert_int_equal(http_head_length("a\n\rb\n", 5), 0);
}

/* Each in memory of its own size, so that a sanitizer sees what is read beyond. */
static void no_bytes_are_read_beyond_a_request(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		const char *from = requests[round % (sizeof(requests) / sizeof(*requests))].head;
		const size_t length = strlen(from);
		char *copy = malloc(length);
		struct http_request request;
		size_t head;

		memcpy(copy, from, length);
		for (int i = 0; i < 3; i++) {
			random = random * 1664525 + 1013904223;
			copy[(random >> 8) % length] = (char)(random & 1 ? random >> 24 : '\n');
		}
		head = http_head_length(copy, length);
		assert_in_range(head, 0, length);
		copy = realloc(copy, head ? head : 1);
		if (head) {
			const int status = http_request_parse(copy, head, &request);

			assert_true(!status || status == 400 || status == 405 || status == 505);
			assert_true(memchr(request.path, 0, sizeof(request.path)));
		}
		free(copy);
	}
}

/* --- metrics --- */

static void write_some(const struct metric_writer *to)
{
	static const uint32_t bounds[] = {1000, 1000000};
	static const uint64_t counts[] = {2, 3, 4};
	static const struct metric_histogram took = {bounds, counts, 2, 1500000};
	const struct metric_label vip[] = {{"vip", "a\"b\\c\nd\xff\xc3\xa4"}};
	const struct metric_label to_healthy[] = {{"to", "healthy"}};

	to->labels(to->user, NULL, 0);
	to->value(to->user, METRIC_SAVE_FAILED, NULL, 0, 0);
	to->value(to->user, METRIC_POOL_CHANGES, to_healthy, 1, 1);
	to->labels(to->user, vip, 1);
	to->value(to->user, METRIC_POOL_CHANGES, to_healthy, 1, 4503599627370497);
	to->value(to->user, METRIC_VIP, NULL, 0, 1);
	to->histogram(to->user, METRIC_POOL_CHECK_TIME, &took);
	to->labels(to->user, NULL, 0);
	to->value(to->user, METRIC_CPU, NULL, 0, 0.25);
}

#define LABEL "vip=\"a\\\"b\\\\c\\nd?\xc3\xa4\""
#define TIME "lbd_pool_health_check_duration_seconds"

static void assert_written(bool openmetrics, const char *expected)
{
	struct exposition exposition = {0};
	const struct metric_writer writer = exposition_writer(&exposition);
	struct text text = {0}, lines = {0};

	write_some(&writer);
	exposition_finish(&exposition, openmetrics, &text);
	assert_false(text.failed);
	text_add(&text, "", 1);
	for (char *save, *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "# HELP", 6))
			continue;
		text_string(&lines, line);
		text_add(&lines, "\n", 1);
	}
	text_add(&lines, "", 1);
	assert_string_equal(lines.data, expected);
	text_clear(&text);
	text_clear(&lines);
}

#define SAMPLES_OF_TIME                                                                            \
	TIME "_bucket{" LABEL ",le=\"0.001\"} 2\n" TIME "_bucket{" LABEL ",le=\"1.0\"} 5\n" TIME   \
	     "_bucket{" LABEL ",le=\"+Inf\"} 9\n" TIME "_sum{" LABEL "} 1.5\n" TIME                \
	     "_count{" LABEL "} 9\n"
#define SAMPLES_OF_CHANGES                                                                         \
	"lbd_pool_health_transitions_total{to=\"healthy\"} 1\n"                                    \
	"lbd_pool_health_transitions_total{" LABEL ",to=\"healthy\"} 4503599627370497\n"

static void metrics_are_written_as_prometheus_reads_them(void **state)
{
	(void)state;
	assert_written(false,
		       "# TYPE lbd_cpu_seconds_total counter\nlbd_cpu_seconds_total 0.25\n"
		       "# TYPE lbd_save_failed gauge\nlbd_save_failed 0\n"
		       "# TYPE lbd_vip_info gauge\nlbd_vip_info{" LABEL "} 1\n"
		       "# TYPE lbd_pool_health_transitions_total counter\n" SAMPLES_OF_CHANGES
		       "# TYPE " TIME " histogram\n" SAMPLES_OF_TIME);
	assert_written(true, "# TYPE lbd_cpu_seconds counter\nlbd_cpu_seconds_total 0.25\n"
			     "# TYPE lbd_save_failed gauge\nlbd_save_failed 0\n"
			     "# TYPE lbd_vip info\nlbd_vip_info{" LABEL "} 1\n"
			     "# TYPE lbd_pool_health_transitions counter\n" SAMPLES_OF_CHANGES
			     "# TYPE " TIME " histogram\n" SAMPLES_OF_TIME "# EOF\n");
}

/* --- events --- */

static void the_last_events_are_kept_new_ones_first(void **state)
{
	static struct event_counts log;
	char line[64];
	json_t *recent, *event = json_pack("{s:s}", "event", "drain");

	(void)state;
	event_log_init(&log);
	for (int i = 0; i < 2 * EVENT_LOG_MAX + 3; i++) {
		event_log_count(&log, event);
		event_log_keep(&log, line,
			       (size_t)sprintf(line, "{\"params\":{\"number\":%d}}\n", i));
	}
	recent = event_log_recent(&log);
	assert_int_equal(json_array_size(recent), EVENT_LOG_MAX);
	for (size_t i = 0; i < EVENT_LOG_MAX; i++)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(recent, i), "number")),
			2 * EVENT_LOG_MAX + 2 - i);
	json_decref(recent);
	json_decref(event);
	for (size_t i = 0; i < log.kind_count; i++)
		assert_int_equal(log.kinds[i].count,
				 strcmp(log.kinds[i].name, "drain") ? 0 : 2 * EVENT_LOG_MAX + 3);
	event_log_clear(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_read_as_they_are_meant),
		cmocka_unit_test(only_our_names_and_addresses_are_ours),
		cmocka_unit_test(a_head_ends_with_an_empty_line),
		cmocka_unit_test(no_bytes_are_read_beyond_a_request),
		cmocka_unit_test(metrics_are_written_as_prometheus_reads_them),
		cmocka_unit_test(the_last_events_are_kept_new_ones_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
