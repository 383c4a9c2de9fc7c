/* SPDX-License-Identifier: BSD-2-Clause */
/* Do health checks read and write as they should, does the state follow the results, and is every
 * HTTP response judged rightly however it is cut? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../lbd/api/health.h"
#include "../../lbd/health/probe_reader.h"
#include "../../lbd/health/state.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static json_t *parse_json(const char *text)
{
	json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);

	if (!json)
		fail_msg("the test's own JSON is wrong: %s", text);
	return json;
}

static struct lb_health parse_health(const char *text)
{
	json_t *json = parse_json(text);
	struct lb_health health;
	struct lb_err err;

	if (schema_read(&lb_health_schema, json, &health, &err))
		fail_msg("%s: %s: %s", text, err.path, err.message);
	json_decref(json);
	return health;
}

/* --- checks as JSON --- */

/* What is written, and every field in force. */
static const struct {
	const char *written, *in_force;
} right[] = {
	{"{'type':'tcp'}",
	 "{'type':'tcp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10}"},
	{"{'type':'tcp','source':'tunnel','port':65535,'interval_ms':100,'timeout_ms':10,'rise':1,"
	 "'fall':100,'jitter_percent':0}",
	 "{'type':'tcp','source':'tunnel','port':65535,'interval_ms':100,'timeout_ms':10,'rise':1,"
	 "'fall':100,'jitter_percent':0}"},
	{"{'type':'tcp','interval_ms':250}",
	 "{'type':'tcp','source':'direct','interval_ms':250,'timeout_ms':250,'rise':2,'fall':3,"
	 "'jitter_percent':10}"},
	{"{'type':'udp','payload':'x','full_mtu':true}",
	 "{'type':'udp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'full_mtu':true,'payload':'x'}"},
	{"{'type':'udp','payload':'x','full_mtu':false}",
	 "{'type':'udp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'payload':'x'}"},
	{"{'type':'http'}",
	 "{'type':'http','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'method':'GET','path':'/','status':'200-399'}"},
	{"{'type':'http','method':'HEAD','path':'/"
	 "a?b=%20','host':'www.example.com','status':'204'}",
	 "{'type':'http','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'method':'HEAD','path':'/a?b=%20','host':'www.example.com',"
	 "'status':'204'}"},
	{"{'type':'http','body':'all is well','status':'200-200'}",
	 "{'type':'http','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'method':'GET','path':'/','status':'200','body':'all is well'}"},
	{"{'type':'udp','payload':'PING\\\\r\\\\n','expect':'\\\\x50ONG\\\\\\\\'}",
	 "{'type':'udp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'payload':'PING\\\\r\\\\n','expect':'PONG\\\\\\\\'}"},
	{"{'type':'udp','payload':'hex:00fF','expect':'\\\\x68\\\\x65x:'}",
	 "{'type':'udp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'payload':'hex:00ff','expect':'hex:6865783a'}"},
	{"{'type':'udp','expect':'a\\\\x00'}",
	 "{'type':'udp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'expect':'hex:6100'}"},
	{"{'type':'udp','expect':'b'}",
	 "{'type':'udp','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'expect':'b'}"},
	{"{'type':'exec','command':['/bin/true','','x']}",
	 "{'type':'exec','source':'direct','interval_ms':1000,'timeout_ms':1000,'rise':2,'fall':3,"
	 "'jitter_percent':10,'command':['/bin/true','','x']}"},
};

/* Single quotes read better in a table of JSON. */
static const char *quoted(const char *text)
{
	static char out[4096];
	size_t i;

	for (i = 0; text[i] && i + 1 < sizeof(out); i++)
		out[i] = text[i] == '\'' ? '"' : text[i];
	out[i] = '\0';
	return out;
}

static void a_check_comes_back_with_every_field_in_force(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		struct lb_health health = parse_health(quoted(right[i].written)), again;
		json_t *shown = schema_write(&lb_health_schema, &health);
		char *text = json_dumps(shown, JSON_COMPACT);

		assert_string_equal(text, quoted(right[i].in_force));
		again = parse_health(text);
		assert_true(schema_equal(&lb_health_schema, &health, &again));
		schema_clear(&lb_health_schema, &again);
		schema_clear(&lb_health_schema, &health);
		free(text);
		json_decref(shown);
	}
}

static void no_check_is_copied_as_none(void **state)
{
	struct lb_health none = {0}, copy;

	(void)state;
	assert_int_equal(schema_copy(&lb_health_schema, &none, &copy), 0);
	assert_true(schema_equal(&lb_health_schema, &none, &copy));
	schema_clear(&lb_health_schema, &copy);
}

static const struct {
	const char *written, *path, *says;
} wrong[] = {
	{"[]", "", "object"},
	{"{}", "type", "missing"},
	{"{'type':5}", "type", "must be a string"},
	{"{'type':'htp'}", "type", "did you mean \"http\""},
	{"{'type':'icmp6'}", "type", "tcp, http, udp or exec"},
	{"{'type':'tcp','intervall_ms':1}", "intervall_ms", "did you mean \"interval_ms\""},
	{"{'type':'tcp','source':'tunel'}", "source", "did you mean \"tunnel\""},
	{"{'type':'tcp','port':0}", "port", "1 to 65535"},
	{"{'type':'tcp','port':65536}", "port", "1 to 65535"},
	{"{'type':'tcp','port':null}", "port", "must be an integer"},
	{"{'type':'tcp','interval_ms':99}", "interval_ms", "100 to 3600000"},
	{"{'type':'tcp','interval_ms':3600001}", "interval_ms", "100 to 3600000"},
	{"{'type':'tcp','interval_ms':1e3}", "interval_ms", "must be an integer"},
	{"{'type':'tcp','timeout_ms':9}", "timeout_ms", "10 to"},
	{"{'type':'tcp','timeout_ms':1001}", "timeout_ms", "at most interval_ms, 1000"},
	{"{'type':'tcp','rise':0}", "rise", "1 to 100"},
	{"{'type':'tcp','rise':101}", "rise", "1 to 100"},
	{"{'type':'tcp','fall':0}", "fall", "1 to 100"},
	{"{'type':'tcp','fall':101}", "fall", "1 to 100"},
	{"{'type':'tcp','jitter_percent':-1}", "jitter_percent", "0 to 50"},
	{"{'type':'tcp','jitter_percent':51}", "jitter_percent", "0 to 50"},
	{"{'type':'tcp','path':'/'}", "path", "field of http checks, not of tcp"},
	{"{'type':'udp','body':'x'}", "body", "field of http checks, not of udp"},
	{"{'type':'http','payload':'x'}", "payload", "field of udp checks, not of http"},
	{"{'type':'http','command':['/x']}", "command", "field of exec checks, not of http"},
	{"{'type':'http','method':'POST'}", "method", "GET or HEAD"},
	{"{'type':'http','method':'GTE'}", "method", "did you mean \"GET\""},
	{"{'type':'http','path':'x'}", "path", "must begin with"},
	{"{'type':'http','path':''}", "path", "empty"},
	{"{'type':'http','path':'/ x'}", "path", "%20"},
	{"{'type':'http','path':'/\\r\\nX: y'}", "path", "printable"},
	{"{'type':'http','path':'/\\u0000'}", "path", "NUL"},
	{"{'type':'http','host':'a b'}", "host", "printable"},
	{"{'type':'http','host':''}", "host", "empty"},
	{"{'type':'http','status':200}", "status", "must be a string"},
	{"{'type':'http','status':'20'}", "status", "not an HTTP status"},
	{"{'type':'http','status':'600'}", "status", "not an HTTP status"},
	{"{'type':'http','status':'200-'}", "status", "not an HTTP status"},
	{"{'type':'http','status':'300-200'}", "status", "not an HTTP status"},
	{"{'type':'http','status':'200-299x'}", "status", "not an HTTP status"},
	{"{'type':'http','status':'200,204'}", "status", "200-399"},
	{"{'type':'http','body':''}", "body", "empty"},
	{"{'type':'http','method':'HEAD','body':'x'}", "body", "HEAD"},
	{"{'type':'udp'}", "payload", "payload, expect or both"},
	{"{'type':'udp','payload':''}", "payload", "empty"},
	{"{'type':'udp','payload':'hex:'}", "payload", "empty"},
	{"{'type':'udp','payload':'hex:0'}", "payload", "pairs"},
	{"{'type':'udp','payload':'hex:0g'}", "payload", "pairs"},
	{"{'type':'udp','expect':'\\\\x0'}", "expect", "escapes are"},
	{"{'type':'udp','expect':'\\\\q'}", "expect", "escapes are"},
	{"{'type':'udp','expect':'\\\\'}", "expect", "escapes are"},
	{"{'type':'exec'}", "command", "missing"},
	{"{'type':'exec','command':'/bin/true'}", "command", "must be an array"},
	{"{'type':'exec','command':[]}", "command", "1 to 64"},
	{"{'type':'tcp','full_mtu':true}", "full_mtu", "http and udp"},
	{"{'type':'udp','payload':'x','full_mtu':1}", "full_mtu", "true or false"},
	{"{'type':'exec','command':['bin/true']}", "command[0]", "absolute"},
	{"{'type':'exec','command':['']}", "command[0]", "absolute"},
	{"{'type':'exec','command':['/x',1]}", "command[1]", "must be a string"},
	{"{'type':'exec','command':['/x','\\u0000']}", "command[1]", "NUL"},
	{"{'type':'exec','command':['/x'],'source':'tunnel'}", "source", "cannot be tunnel"},
};

static void every_fault_is_named_with_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *json = parse_json(quoted(wrong[i].written));
		struct lb_err err = {0};
		struct lb_health health;

		if (schema_read(&lb_health_schema, json, &health, &err) != -EINVAL)
			fail_msg("taken: %s", wrong[i].written);
		if (strcmp(err.path, wrong[i].path) ||
		    (!strstr(err.message, wrong[i].says) && !strstr(err.hint, wrong[i].says)))
			fail_msg("%s: path \"%s\", \"%s\", hint \"%s\"", wrong[i].written, err.path,
				 err.message, err.hint);
		assert_int_equal(health.kind, LB_HEALTH_NONE);
		assert_int_equal(schema_read(&lb_health_schema, json, &health, NULL), -EINVAL);
		json_decref(json);
	}
}

/* {"type":"http","FIELD":"/aaa…"} and the like, of so many bytes. */
static int parse_long(const char *type, const char *field, char first, size_t length)
{
	char text[4096];
	struct lb_health health;
	json_t *json;
	int error;

	assert_true(length < sizeof(text));
	memset(text, 'a', length);
	text[0] = first;
	text[length] = '\0';
	json = json_pack("{s:s s:s}", "type", type, field, text);
	error = schema_read(&lb_health_schema, json, &health, NULL);
	schema_clear(&lb_health_schema, &health);
	json_decref(json);
	return error;
}

static void texts_have_their_limits(void **state)
{
	(void)state;
	assert_int_equal(parse_long("http", "path", '/', LB_HEALTH_PATH_MAX), 0);
	assert_int_equal(parse_long("http", "path", '/', LB_HEALTH_PATH_MAX + 1), -EINVAL);
	assert_int_equal(parse_long("http", "host", 'a', LB_HEALTH_HOST_MAX), 0);
	assert_int_equal(parse_long("http", "host", 'a', LB_HEALTH_HOST_MAX + 1), -EINVAL);
	assert_int_equal(parse_long("http", "body", 'a', LB_HEALTH_BODY_MAX), 0);
	assert_int_equal(parse_long("http", "body", 'a', LB_HEALTH_BODY_MAX + 1), -EINVAL);
	assert_int_equal(parse_long("udp", "payload", 'a', LB_HEALTH_BYTES_MAX), 0);
	assert_int_equal(parse_long("udp", "payload", 'a', LB_HEALTH_BYTES_MAX + 1), -EINVAL);
}

static void a_vip_for_every_port_gives_no_port(void **state)
{
	struct lb_endpoint every, web;
	struct lb_health tcp = parse_health("{\"type\":\"tcp\"}");
	struct lb_health own = parse_health("{\"type\":\"tcp\",\"port\":80}");
	struct lb_health command = parse_health("{\"type\":\"exec\",\"command\":[\"/bin/true\"]}");
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(lb_endpoint_parse("192.0.2.10:0/tcp", &every, NULL), 0);
	assert_int_equal(lb_endpoint_parse("192.0.2.10:443/tcp", &web, NULL), 0);
	assert_int_equal(lb_health_fits(&tcp, &every, &err), -EINVAL);
	assert_string_equal(err.path, "port");
	assert_int_equal(lb_health_fits(&tcp, &web, NULL), 0);
	assert_int_equal(lb_health_fits(&own, &every, NULL), 0);
	assert_int_equal(lb_health_fits(&command, &every, NULL), 0);
	assert_int_equal(lb_health_port(&tcp, &web), 443);
	assert_int_equal(lb_health_port(&own, &web), 80);
	schema_clear(&lb_health_schema, &tcp);
	schema_clear(&lb_health_schema, &own);
	schema_clear(&lb_health_schema, &command);
}

static void checks_are_equal_if_and_only_if_nothing_differs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		struct lb_health a = parse_health(quoted(right[i].written)), copy;

		assert_int_equal(schema_copy(&lb_health_schema, &a, &copy), 0);
		assert_true(schema_equal(&lb_health_schema, &a, &copy));
		for (size_t j = 0; j < ARRAY_SIZE(right); j++) {
			struct lb_health b = parse_health(quoted(right[j].written));

			assert_int_equal(schema_equal(&lb_health_schema, &a, &b), i == j);
			schema_clear(&lb_health_schema, &b);
		}
		schema_clear(&lb_health_schema, &a);
		schema_clear(&lb_health_schema, &copy);
	}
}

/* --- the state --- */

/* Results: '+', '-' and '?' for one that could not be made. Each is followed by what the state is
 * then: u, h or x for unhealthy. */
static const struct {
	const char *name;
	enum health_status start;
	uint32_t rise, fall;
	const char *results, *states;
} walks[] = {
	{"the first success is enough", HEALTH_UNKNOWN, 5, 5, "+", "h"},
	{"the first failure is enough", HEALTH_UNKNOWN, 5, 5, "-", "x"},
	{"three failures in a row", HEALTH_HEALTHY, 2, 3, "---", "hhx"},
	{"two successes in a row", HEALTH_UNHEALTHY, 2, 3, "++", "xh"},
	{"a success between begins again", HEALTH_HEALTHY, 2, 3, "--+--+---", "hhhhhhhhx"},
	{"a failure between begins again", HEALTH_UNHEALTHY, 3, 1, "++-++-+++", "xxxxxxxxh"},
	{"flapping keeps a healthy one", HEALTH_HEALTHY, 2, 2, "-+-+-+-+", "hhhhhhhh"},
	{"flapping keeps an unhealthy one", HEALTH_UNHEALTHY, 2, 2, "+-+-+-+-", "xxxxxxxx"},
	{"rise and fall of 1 follow at once", HEALTH_HEALTHY, 1, 1, "-+-+", "xhxh"},
	{"not made does not count", HEALTH_UNKNOWN, 1, 1, "???+???", "uuuhhhh"},
	{"not made does not begin again", HEALTH_HEALTHY, 2, 3, "-?-?-", "hhhhx"},
	{"after a turn the count begins again", HEALTH_HEALTHY, 2, 2, "--+-++--", "hxxxxhhx"},
};

static void the_state_follows_rise_and_fall(void **state)
{
	static const char letters[] = "uhx";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(walks); i++) {
		struct health_time now = {.monotonic_ms = 1000, .wall_ms = 1000000};
		struct health_state health;

		health_state_init(&health, walks[i].rise, walks[i].fall, walks[i].start, 0, &now);
		for (size_t j = 0; walks[i].results[j]; j++) {
			const char result = walks[i].results[j];
			const struct health_event event = {
				.outcome = result == '+'   ? HEALTH_SUCCESS
					   : result == '-' ? HEALTH_FAILURE
							   : HEALTH_NOT_MADE,
				.error = "why",
			};
			const enum health_status before = health.status;
			bool changed;

			now.monotonic_ms++;
			changed = health_step(&health, &event, &now);
			if (letters[health.status] != walks[i].states[j])
				fail_msg("%s: result %zu", walks[i].name, j);
			assert_int_equal(changed, before != health.status);
			assert_int_equal(health.not_made, result == '?');
			if (changed)
				assert_int_equal(health.since.monotonic_ms, now.monotonic_ms);
		}
	}
}

static void the_last_error_stays_with_its_time(void **state)
{
	const struct health_event failure = {HEALTH_FAILURE, "connection refused"};
	const struct health_event success = {HEALTH_SUCCESS, NULL};
	struct health_time now = {.monotonic_ms = 1, .wall_ms = 11};
	struct health_state health;

	(void)state;
	health_state_init(&health, 1, 1, HEALTH_UNKNOWN, 0, &now);
	assert_string_equal(health.error, "");
	health_step(&health, &failure, &now);
	now = (struct health_time){2, 12};
	assert_true(health_step(&health, &success, &now));
	assert_string_equal(health.error, "connection refused");
	assert_int_equal(health.error_since.wall_ms, 11);
	assert_int_equal(health.since.wall_ms, 12);
}

static void a_start_state_keeps_its_age(void **state)
{
	const struct health_time now = {.monotonic_ms = 5000, .wall_ms = 1000000};
	struct health_state health;

	(void)state;
	health_state_init(&health, 2, 3, HEALTH_UNHEALTHY, 990000, &now);
	assert_int_equal(health.status, HEALTH_UNHEALTHY);
	assert_int_equal(health.since.wall_ms, 990000);
	assert_int_equal(health.since.monotonic_ms, -5000);
	health_state_init(&health, 2, 3, HEALTH_HEALTHY, 1000001,
			  &now); /* the clock was set back */
	assert_int_equal(health.since.wall_ms, 1000000);
	assert_int_equal(health.since.monotonic_ms, 5000);
}

static void errors_are_printable_whatever_was_sent(void **state)
{
	char out[8];

	(void)state;
	health_printable("a\x00\x1b\xc3z~", 6, out, sizeof(out));
	assert_string_equal(out, "a???z~");
	health_printable("0123456789", 10, out, sizeof(out));
	assert_string_equal(out, "0123456");
}

/* --- HTTP responses --- */

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

/* What a server sends before it closes; `error` is NULL where the response is good. */
static const struct {
	const char *check, *sent, *error;
} responses[] = {
	{"{'type':'http'}", OK_HEAD "\r\n", NULL},
	{"{'type':'http'}", "HTTP/1.0 200\r\n\r\n", NULL},
	{"{'type':'http'}", "HTTP/1.1 302 Found\nLocation: /\n\n", NULL},
	{"{'type':'http'}", "HTTP/1.1 103 Early\r\nA: b\r\n\r\n" OK_HEAD "\r\n", NULL},
	{"{'type':'http'}", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" OK_HEAD "\r\n",
	 NULL},
	{"{'type':'http','status':'200'}", "HTTP/1.1 503 Busy\r\n\r\n",
	 "HTTP status 503, expected 200"},
	{"{'type':'http'}", "HTTP/1.1 404 Gone\r\n\r\n", "HTTP status 404, expected 200-399"},
	{"{'type':'http','status':'200-299'}", "HTTP/1.1 300 X\r\n\r\n",
	 "HTTP status 300, expected 200-299"},
	{"{'type':'http'}", "", "connection closed without a response"},
	{"{'type':'http'}", "HTTP/1.1 2", "connection closed in the middle of the header"},
	{"{'type':'http'}", OK_HEAD "A: b\r\n", "connection closed in the middle of the header"},
	{"{'type':'http'}", "SSH-2.0-OpenSSH\r\n", "not an HTTP/1 response: \"SSH-2.0-OpenSSH\""},
	{"{'type':'http'}", "\x15\x03\x01", "not an HTTP/1 response: \"???\""},
	{"{'type':'http'}", "HTTP/1.1 abc\r\n", "not an HTTP/1 response: \"HTTP/1.1 abc\""},
	{"{'type':'http'}", "HTTP/1.1 2000 X\r\n", "not an HTTP/1 response: \"HTTP/1.1 2000 X\""},
	{"{'type':'http'}", "HTTP/2 200\r\n", "not an HTTP/1 response: \"HTTP/2 200\""},
	{"{'type':'http'}", "\r\n", "not an HTTP/1 response: \"\""},
	{"{'type':'http'}", OK_HEAD "Content-Length: -1\r\n", "bad Content-Length: \"-1\""},
	{"{'type':'http'}", OK_HEAD "Content-Length: 5x\r\n", "bad Content-Length: \"5x\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "\r\nit is ok", NULL},
	{"{'type':'http','body':'ok'}", OK_HEAD "\r\nit is not", "body does not contain \"ok\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "\r\n", "body does not contain \"ok\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "X: ok\r\nContent-Length: 0\r\n\r\n",
	 "body does not contain \"ok\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "content-length:2 \r\n\r\nok", NULL},
	{"{'type':'http','body':'ok'}", OK_HEAD "Content-Length: 3\r\n\r\nnok", NULL},
	{"{'type':'http','body':'ok'}", OK_HEAD "Content-Length: 2\r\n\r\nnook",
	 "body does not contain \"ok\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "Content-Length: 9\r\n\r\nno",
	 "connection closed in the middle of the body"},
	{"{'type':'http','body':'ok'}", "HTTP/1.1 204 Nothing\r\n\r\nok",
	 "body does not contain \"ok\""},
	{"{'type':'http','body':'abcabd'}", OK_HEAD "\r\nabcabcabd", NULL},
	{"{'type':'http','body':'aabaaaX'}", OK_HEAD "\r\naabaaabaaaX", NULL},
	{"{'type':'http','body':'aab'}", OK_HEAD "\r\naaaaab", NULL},
	{"{'type':'http','body':'it is ok'}",
	 OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nit \r\nA;x=y\r\nis ok, now\r\n0\r\n\r\n",
	 NULL},
	{"{'type':'http','body':'ok'}",
	 OK_HEAD "Transfer-Encoding: Chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
	 "body does not contain \"ok\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	 "bad chunk size: \"zz\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
	 "bad chunk size: \"-1\""},
	{"{'type':'http','body':'ok'}", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nnn\r\n",
	 "chunk is longer than its size"},
	{"{'type':'http','body':'ok'}", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nno",
	 "connection closed in the middle of the body"},
};

/* Fed in pieces of so many bytes, then the end of the connection. */
static enum http_verdict read_in_pieces(struct http_reader *reader, const char *bytes,
					size_t length, size_t piece)
{
	enum http_verdict verdict = HTTP_MORE;

	for (size_t at = 0; at < length && verdict == HTTP_MORE; at += piece) {
		/* A copy of the very size, so that the sanitizer sees a read beyond it. */
		size_t size = length - at < piece ? length - at : piece;
		char *copy = malloc(size);

		memcpy(copy, bytes + at, size);
		verdict = http_reader_feed(reader, copy, size);
		free(copy);
	}
	return verdict == HTTP_MORE ? http_reader_feed(reader, NULL, 0) : verdict;
}

static void a_response_is_judged_the_same_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(responses); i++) {
		struct lb_health check = parse_health(quoted(responses[i].check));
		const size_t length = strlen(responses[i].sent);

		for (size_t piece = length + 1; piece >= 1; piece--) {
			const char *error = responses[i].error;
			struct http_reader reader;
			enum http_verdict verdict;

			http_reader_init(&reader, &check);
			verdict = read_in_pieces(&reader, responses[i].sent, length, piece);
			/* A foreign first line is shown as far as it has come. */
			if (error && !strncmp(error, "not an HTTP", 11) && piece < length)
				error = "not an HTTP/1 response: \"";
			if (verdict != (error ? HTTP_FAULTY : HTTP_GOOD) ||
			    strncmp(reader.error, error ? error : "", error ? strlen(error) : 1))
				fail_msg("response %zu in pieces of %zu: \"%s\"", i, piece,
					 reader.error);
		}
		schema_clear(&lb_health_schema, &check);
	}
}

static enum http_verdict feed_forever(struct http_reader *reader, const char *unit, size_t most,
				      size_t *fed)
{
	enum http_verdict verdict = HTTP_MORE;

	for (*fed = 0; *fed < most && verdict == HTTP_MORE; *fed += strlen(unit))
		verdict = http_reader_feed(reader, unit, strlen(unit));
	return verdict;
}

static void what_never_ends_is_given_up(void **state)
{
	struct lb_health plain = parse_health("{\"type\":\"http\"}");
	struct lb_health body = parse_health("{\"type\":\"http\",\"body\":\"ok\"}");
	struct http_reader reader;
	size_t fed;

	(void)state;
	http_reader_init(&reader, &plain);
	http_reader_feed(&reader, OK_HEAD, strlen(OK_HEAD));
	assert_int_equal(feed_forever(&reader, "A: b\r\n", 1 << 20, &fed), HTTP_FAULTY);
	assert_string_equal(reader.error, "HTTP header is longer than 16 KiB");
	http_reader_init(&reader, &plain);
	assert_int_equal(feed_forever(&reader, "HTTP/1.1 100 X\r\n\r\n", 1 << 20, &fed),
			 HTTP_FAULTY);
	http_reader_init(&reader, &body);
	http_reader_feed(&reader, OK_HEAD "\r\n", strlen(OK_HEAD) + 2);
	assert_int_equal(feed_forever(&reader, "x", 1 << 20, &fed), HTTP_FAULTY);
	assert_int_equal(fed, LB_HEALTH_BODY_SEEN);
	assert_string_equal(reader.error, "body does not contain \"ok\" in its first 16 KiB");
	http_reader_init(&reader, &body);
	http_reader_feed(&reader, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n",
			 strlen(OK_HEAD) + 30);
	assert_int_equal(feed_forever(&reader, "1\r\nx\r\n", 1 << 20, &fed), HTTP_FAULTY);
	assert_int_equal(fed, LB_HEALTH_BODY_SEEN * 6);
	schema_clear(&lb_health_schema, &plain);
	schema_clear(&lb_health_schema, &body);
}

/* Any bytes at all: nothing but a verdict may come of them. */
static void garbage_is_survived(void **state)
{
	static const char letters[] = "HTP/1. 20\r\n:;chunked-Transfer-Encoding\xff";
	struct lb_health check = parse_health("{\"type\":\"http\",\"body\":\"ok\"}");

	(void)state;
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		char bytes[128] = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n";
		struct http_reader reader;
		size_t at = (size_t)random() % 64;

		for (; at < sizeof(bytes); at++)
			bytes[at] = letters[(size_t)random() % (sizeof(letters) - 1)];
		http_reader_init(&reader, &check);
		read_in_pieces(&reader, bytes, sizeof(bytes), 1 + (size_t)random() % 40);
	}
	schema_clear(&lb_health_schema, &check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_comes_back_with_every_field_in_force),
		cmocka_unit_test(no_check_is_copied_as_none),
		cmocka_unit_test(every_fault_is_named_with_its_path),
		cmocka_unit_test(texts_have_their_limits),
		cmocka_unit_test(a_vip_for_every_port_gives_no_port),
		cmocka_unit_test(checks_are_equal_if_and_only_if_nothing_differs),
		cmocka_unit_test(the_state_follows_rise_and_fall),
		cmocka_unit_test(the_last_error_stays_with_its_time),
		cmocka_unit_test(a_start_state_keeps_its_age),
		cmocka_unit_test(errors_are_printable_whatever_was_sent),
		cmocka_unit_test(a_response_is_judged_the_same_however_it_is_cut),
		cmocka_unit_test(what_never_ends_is_given_up),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
