/* SPDX-License-Identifier: BSD-2-Clause */
/* Are metrics written as OTLP has them, and a collector's answers taken as it says? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../../lbd/monitor/answer.h"
#include "../../lbd/monitor/otlp.h"

/* --- messages --- */

#define MESSAGES_MAX 16

struct seen {
	char *texts[MESSAGES_MAX];
	uint64_t points[MESSAGES_MAX];
	size_t count;
};

static void keep(void *user, struct otlp_message message)
{
	struct seen *seen = user;
	z_stream stream = {
		.next_in = (unsigned char *)message.data,
		.avail_in = (unsigned int)message.length,
	};
	const size_t room = 1 << 20;
	char *text = calloc(1, room);

	assert_true(seen->count < MESSAGES_MAX);
	stream.next_out = (unsigned char *)text;
	stream.avail_out = room - 1;
	assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	inflateEnd(&stream);
	free(message.data);
	seen->points[seen->count] = message.points;
	seen->texts[seen->count++] = text;
}

static void clear(struct seen *seen)
{
	for (size_t i = 0; i < seen->count; i++)
		free(seen->texts[i]);
}

static struct otlp *begin(struct seen *seen, size_t message_bytes)
{
	static const struct metric_label resource[] = {{"service.name", "lbd"},
						       {"host.name", "n\"1"}};
	const struct otlp_options options = {
		.resource = resource,
		.resource_count = 2,
		.version = "1",
		.time_ns = 1700000000123456789,
		.start_ns = 1600000000000000000,
		.plane_start_ns = 1500000000000000000,
		.message_bytes = message_bytes,
		.sink = keep,
		.user = seen,
	};
	struct otlp *otlp = otlp_new(&options);

	assert_non_null(otlp);
	return otlp;
}

static void write_some(const struct metric_writer *to)
{
	static const uint32_t bounds[] = {1000, 2500000};
	static const uint64_t counts[] = {2, 3, 4};
	static const struct metric_histogram took = {bounds, counts, 2, 1500000};
	const struct metric_label vip[] = {{"vip", "a\"b\\c\nd\xff\xc3\xa4"}};
	const struct metric_label tx[] = {{"verdict", "tx"}, {"action", "forward"}};

	to->labels(to->user, NULL, 0);
	to->value(to->user, METRIC_CPU, NULL, 0, 0.25);
	to->value(to->user, METRIC_VERDICTS, tx, 2, 9007199254740991);
	to->labels(to->user, vip, 1);
	to->value(to->user, METRIC_POOL_BACKENDS, NULL, 0, 3);
	to->value(to->user, METRIC_POOL_CHANGES, tx, 1, 1);
	to->histogram(to->user, METRIC_POOL_CHECK_TIME, &took);
}

#define ATTRIBUTE(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define VIP ATTRIBUTE("vip", "a\\\"b\\\\c\\u000ad?\xc3\xa4")
#define TIME "\"timeUnixNano\":\"1700000000123456789\""
#define START "\"startTimeUnixNano\":\"1600000000000000000\"," TIME
#define SUM "\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":["
#define HEAD                                                                                       \
	"{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" ATTRIBUTE(                         \
		"service.name", "lbd") "," ATTRIBUTE("host.name",                                  \
						     "n\\\"1") "]},\"scopeMetrics\":[{\"scope\":{" \
							       "\"name\":\"lbd\","                 \
							       "\"version\":\"1\"},\"metrics\":["
#define TAIL "]}]}]}"

/* Without the help texts. */
static void drop_descriptions(char *text)
{
	static const char name[] = ",\"description\":\"";
	char *from, *end;

	while ((from = strstr(text, name))) {
		end = strchr(from + sizeof(name) - 1, '"') + 1;
		memmove(from, end, strlen(end) + 1);
	}
}

static void metrics_are_written_as_otlp_has_them(void **state)
{
	struct seen seen = {0};
	struct otlp *otlp = begin(&seen, 0);
	const struct metric_writer writer = otlp_writer(otlp);

	(void)state;
	write_some(&writer);
	assert_int_equal(seen.count, 0);
	assert_int_equal(otlp_finish(otlp), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.points[0], 5);
	drop_descriptions(seen.texts[0]);
	assert_string_equal(
		seen.texts[0], HEAD
		"{\"name\":\"lbd_cpu_seconds_total\",\"unit\":\"s\"," SUM
		"{\"attributes\":[]," START ",\"asDouble\":0.25}]}},"
		"{\"name\":\"lbd_packets_total\",\"unit\":\"{packet}\"," SUM
		"{\"attributes\":[" ATTRIBUTE("verdict", "tx") "," ATTRIBUTE(
			"action",
			"forward") "],\"startTimeUnixNano\":\"1500000000000000000\"," TIME
				   ",\"asInt\":\"9007199254740991\"}]}},"
				   "{\"name\":\"lbd_pool_backends\",\"unit\":\"{backend}\","
				   "\"gauge\":{"
				   "\"dataPoints\":[{\"attributes\":[" VIP "]," TIME
				   ",\"asInt\":\"3\"}]}},"
				   "{\"name\":\"lbd_pool_health_transitions_total\",\"unit\":\"{"
				   "transition}\"," SUM "{\"attributes\":[" VIP "," ATTRIBUTE(
					   "verdict",
					   "tx") "]," START ",\"asInt\":\"1\"}]}},"
						 "{\"name\":\"lbd_pool_health_check_duration_"
						 "seconds\",\"unit\":\"s\","
						 "\"histogram\":{\"aggregationTemporality\":2,"
						 "\"dataPoints\":[{\"attributes\":[" VIP "]," START
						 ",\"bucketCounts\":[\"2\",\"3\",\"4\"],"
						 "\"explicitBounds\":["
						 "0.001,2.5],\"count\":\"9\",\"sum\":1.5}]}}" TAIL);
	otlp_free(otlp);
	clear(&seen);
}

/* Each whole for itself, and no value twice or not at all. */
static void a_long_message_is_several(void **state)
{
	struct seen seen = {0};
	struct otlp *otlp = begin(&seen, 1000);
	const struct metric_writer writer = otlp_writer(otlp);
	uint64_t points = 0;
	bool told[100] = {false};

	(void)state;
	for (int i = 0; i < 50; i++) {
		writer.value(writer.user, METRIC_FLOWS, NULL, 0, i);
		writer.value(writer.user, METRIC_LIMIT, NULL, 0, 50 + i);
	}
	assert_int_equal(otlp_finish(otlp), 0);
	assert_in_range(seen.count, 5, MESSAGES_MAX);
	for (size_t i = 0; i < seen.count; i++) {
		json_t *object = json_loads(seen.texts[i], JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(object);
		json_decref(object);
		points += seen.points[i];
		for (char *at = seen.texts[i]; (at = strstr(at, "\"asInt\":\"")); at++)
			told[atoi(at + strlen("\"asInt\":\""))] = true;
	}
	assert_int_equal(points, 100);
	for (int i = 0; i < 100; i++)
		assert_true(told[i]);
	otlp_free(otlp);
	clear(&seen);
}

static void nothing_to_tell_is_no_message(void **state)
{
	struct seen seen = {0};
	struct otlp *otlp = begin(&seen, 0);

	(void)state;
	assert_int_equal(otlp_finish(otlp), 0);
	assert_int_equal(seen.count, 0);
	otlp_free(otlp);
}

/* --- answers --- */

#define NOW 1700000000 /* Tue, 14 Nov 2023 22:13:20 GMT */

static const struct {
	int status;
	const char *retry_after, *body;
	enum answer_outcome outcome;
	int64_t wait_ms;
	uint64_t rejected;
	const char *error;
} answers[] = {
	{200, "", "{}", ANSWER_TAKEN, -1, 0, ""},
	{200, "", "", ANSWER_TAKEN, -1, 0, ""},
	{204, "", "<garbage \x01", ANSWER_TAKEN, -1, 0, ""},
	{200, "", "{\"partialSuccess\":{}}", ANSWER_TAKEN, -1, 0, ""},
	{200, "5", "{\"partialSuccess\":{\"rejectedDataPoints\":\"7\",\"errorMessage\":\"old\"}}",
	 ANSWER_TAKEN, -1, 7, "old"},
	{200, "", "{\"partialSuccess\":{\"rejectedDataPoints\":7}}", ANSWER_TAKEN, -1, 7,
	 "no reason is given"},
	{200, "", "{\"partialSuccess\":{\"rejectedDataPoints\":\"-7\"}}", ANSWER_TAKEN, -1, 0, ""},
	{200, "", "{\"partialSuccess\":{\"errorMessage\":\"a\\u0001b\"}}", ANSWER_TAKEN, -1, 0,
	 "a?b"},
	{400, "5", "{\"code\":3,\"message\":\"bad\"}", ANSWER_REFUSED, -1, 0, "status 400: bad"},
	{301, "", "", ANSWER_REFUSED, -1, 0, "status 301"},
	{401, "", "no key\nhere", ANSWER_REFUSED, -1, 0, "status 401: no key"},
	{413, "", "\xff", ANSWER_REFUSED, -1, 0, "status 413"},
	{500, "", "", ANSWER_REFUSED, -1, 0, "status 500"},
	{429, "", "", ANSWER_AGAIN, -1, 0, "status 429"},
	{429, "0", "", ANSWER_AGAIN, 0, 0, "status 429"},
	{429, "17", "", ANSWER_AGAIN, 17000, 0, "status 429"},
	{503, "99999999999999999999", "", ANSWER_AGAIN, ANSWER_WAIT_MAX_MS, 0, "status 503"},
	{503, "-1", "", ANSWER_AGAIN, -1, 0, "status 503"},
	{503, "soon", "", ANSWER_AGAIN, -1, 0, "status 503"},
	{502, "Tue, 14 Nov 2023 22:13:50 GMT", "", ANSWER_AGAIN, 30000, 0, "status 502"},
	{504, "Tue, 14 Nov 2023 22:13:00 GMT", "", ANSWER_AGAIN, 0, 0, "status 504"},
	{504, "Tue, 14 Nov 2023 22:13:50 GMT!", "", ANSWER_AGAIN, -1, 0, "status 504"},
	{0, "", "", ANSWER_AGAIN, -1, 0, "curl: (7) x"},
};

static void answers_are_taken_as_otlp_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct answer answer = {
			.status = answers[i].status,
			.error = "curl: (7) x",
			.body = answers[i].body,
			.body_length = strlen(answers[i].body),
		};
		struct answer_judgement got;

		strcpy(answer.retry_after, answers[i].retry_after);
		answer_judge(&answer, NOW, &got);
		if (got.outcome != answers[i].outcome || got.wait_ms != answers[i].wait_ms ||
		    got.rejected != answers[i].rejected || strcmp(got.error, answers[i].error))
			fail_msg("row %zu: outcome %d, wait %lld, rejected %llu, \"%s\"", i,
				 got.outcome, (long long)got.wait_ms,
				 (unsigned long long)got.rejected, got.error);
	}
}

static void attempts_become_rarer_up_to_a_bound_and_differ(void **state)
{
	(void)state;
	for (unsigned int failures = 1; failures < 200; failures++) {
		const int64_t most = failures < 7 ? ANSWER_BACKOFF_MIN_MS << (failures - 1)
						  : ANSWER_BACKOFF_MAX_MS;
		const int64_t bound = most < ANSWER_BACKOFF_MAX_MS ? most : ANSWER_BACKOFF_MAX_MS;

		assert_int_equal(answer_backoff_ms(failures, 0), bound / 2);
		for (uint32_t chance = 1; chance < 1u << 31; chance *= 7)
			assert_in_range(answer_backoff_ms(failures, chance), bound / 2, bound);
		assert_int_equal(answer_backoff_ms(failures, (uint32_t)(bound / 2)), bound);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_are_written_as_otlp_has_them),
		cmocka_unit_test(a_long_message_is_several),
		cmocka_unit_test(nothing_to_tell_is_no_message),
		cmocka_unit_test(answers_are_taken_as_otlp_says),
		cmocka_unit_test(attempts_become_rarer_up_to_a_bound_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
