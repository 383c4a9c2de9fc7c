/* SPDX-License-Identifier: BSD-2-Clause */
/* Are requests and replies read strictly, refused in plain words, and written as one line each? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../lbd/api/rpc.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static void a_request_is_read(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"vip.show\","
				   "\"params\":{\"vip\":\"web\"}}";
	struct lb_request request;

	(void)state;
	assert_int_equal(lb_request_parse(line, strlen(line), &request, NULL), 0);
	assert_int_equal(json_integer_value(request.id), 7);
	assert_string_equal(request.method, "vip.show");
	assert_string_equal(json_string_value(json_object_get(request.params, "vip")), "web");
	lb_request_clear(&request);
	assert_null(request.root);
	lb_request_clear(&request);
}

/* The daemon's buffer goes on behind the line. */
static void nothing_is_read_beyond_the_length(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}garbage";
	char *exact = malloc(strlen(line) - 7);
	struct lb_request request;

	(void)state;
	assert_non_null(exact);
	memcpy(exact, line,
	       strlen(line) - 7); /* no final 0: the sanitizer would see a step beyond */
	assert_int_equal(lb_request_parse(exact, strlen(line) - 7, &request, NULL), 0);
	lb_request_clear(&request);
	free(exact);
}

static void params_left_out_are_an_empty_object(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}";
	struct lb_request request;

	(void)state;
	assert_int_equal(lb_request_parse(line, strlen(line), &request, NULL), 0);
	assert_true(json_is_object(request.params));
	assert_int_equal(json_object_size(request.params), 0);
	lb_request_clear(&request);
}

static void any_legal_id_is_kept_and_none_makes_a_notification(void **state)
{
	static const char *const ids[] = {"1", "-1", "\"a\"", "\"\"", "null", "1.5", NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct lb_request request;
		char line[100];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"m\"%s%s}",
			 ids[i] ? ",\"id\":" : "", ids[i] ? ids[i] : "");
		assert_int_equal(lb_request_parse(line, strlen(line), &request, NULL), 0);
		json_auto_t *id = ids[i] ? json_loads(ids[i], JSON_DECODE_ANY, NULL) : NULL;
		assert_true(ids[i] ? json_equal(request.id, id) : request.id == NULL);
		lb_request_clear(&request);
	}
}

static const struct {
	const char *line;
	enum lb_err_code code;
	int id; /* 0: none could be read */
	const char *message, *hint;
} bad_requests[] = {
	/* not JSON */
	{"", LB_ERR_PARSE, 0, "JSON is cut off", ""},
	{" ", LB_ERR_PARSE, 0, "JSON is cut off", ""},
	{"vip list", LB_ERR_PARSE, 0, "not JSON", ""},
	{"{\"id\":1", LB_ERR_PARSE, 0, "JSON is cut off", ""},
	{"{\"id\":1,\"method\":\"a", LB_ERR_PARSE, 0, "JSON is cut off", ""},
	{"{'id':1}", LB_ERR_PARSE, 0, "not JSON", ""},
	{"{\"id\":1,}", LB_ERR_PARSE, 0, "not JSON", ""},
	{"{} {}", LB_ERR_PARSE, 0, "text after the end of the JSON", ""},
	{"{}x", LB_ERR_PARSE, 0, "text after the end of the JSON", ""},
	{"{\"id\":1,\"id\":1}", LB_ERR_PARSE, 0, "a field is given twice", ""},
	{"{\"params\":{\"a\":1,\"a\":2}}", LB_ERR_PARSE, 0, "a field is given twice", ""},
	{"{\"id\":\"\\u0000\"}", LB_ERR_PARSE, 0, "the character NUL is not allowed", ""},
	{"{\"a\\u0000\":1}", LB_ERR_PARSE, 0, "the character NUL is not allowed", ""},
	{"{\"id\":\"\xff\"}", LB_ERR_PARSE, 0, "not UTF-8", ""},
	{"{\"id\":\"\xc0\xaf\"}", LB_ERR_PARSE, 0, "not UTF-8", ""},
	{"{\"id\":99999999999999999999}", LB_ERR_PARSE, 0, "a number is out of range", ""},
	{"{\"id\":1e999}", LB_ERR_PARSE, 0, "a number is out of range", ""},
	{"{\"id\":01}", LB_ERR_PARSE, 0, "not JSON", ""},
	{"{\"id\":NaN}", LB_ERR_PARSE, 0, "not JSON", ""},
	{"{\"id\":\"\x1b[31m\"}", LB_ERR_PARSE, 0, "not JSON", ""},
	/* JSON, but not a request */
	{"[]", LB_ERR_REQUEST, 0, "batches are not supported", "send one request a line"},
	{"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}]", LB_ERR_REQUEST, 0,
	 "batches are not supported", "send one request a line"},
	{"7", LB_ERR_REQUEST, 0, "must be an object, not an integer", ""},
	{"null", LB_ERR_REQUEST, 0, "must be an object, not null", ""},
	{"{}", LB_ERR_REQUEST, 0, "method is missing", ""},
	{"{\"id\":1,\"method\":\"m\"}", LB_ERR_REQUEST, 1, "jsonrpc is missing",
	 "write \"jsonrpc\":\"2.0\""},
	{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}", LB_ERR_REQUEST, 1,
	 "jsonrpc must be \"2.0\", not \"1.0\"", "write \"jsonrpc\":\"2.0\""},
	{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}", LB_ERR_REQUEST, 1,
	 "jsonrpc must be a string, not a real number", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1}", LB_ERR_REQUEST, 1, "method is missing", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", LB_ERR_REQUEST, 1,
	 "method must be a string, not null", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"metod\":\"m\"}", LB_ERR_REQUEST, 1,
	 "unknown field \"metod\"", "did you mean \"method\"?"},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"auth\":1}", LB_ERR_REQUEST, 1,
	 "unknown field \"auth\"", "the fields are: jsonrpc, id, method, params"},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[1]}", LB_ERR_REQUEST, 1,
	 "params must be an object, not an array", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":null}", LB_ERR_REQUEST, 1,
	 "params must be an object, not null", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"m\"}", LB_ERR_REQUEST, 0,
	 "id must be a string, a number or null", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"m\"}", LB_ERR_REQUEST, 0,
	 "id must be a string, a number or null", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"m\"}", LB_ERR_REQUEST, 0,
	 "id must be a string, a number or null", ""},
};

static void bad_requests_are_refused_with_their_id_where_it_can_be_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
		const char *line = bad_requests[i].line, *message = bad_requests[i].message;
		struct lb_request request;
		struct lb_err err;

		if (lb_request_parse(line, strlen(line), &request, &err) != -EINVAL)
			fail_msg("accepted: %s", line);
		if (bad_requests[i].code == LB_ERR_PARSE &&
		    !strncmp(err.message, message, strlen(message)))
			message = err.message; /* the parser's own words follow */
		assert_string_equal(err.message, message);
		assert_int_equal(err.code, bad_requests[i].code);
		assert_string_equal(err.path, "");
		assert_string_equal(err.hint, bad_requests[i].hint);
		assert_int_equal(json_integer_value(request.id), bad_requests[i].id);
		lb_request_clear(&request);
		assert_int_equal(lb_request_parse(line, strlen(line), &request, NULL), -EINVAL);
		lb_request_clear(&request);
	}
}

static void a_parse_error_names_the_column(void **state)
{
	struct lb_request request;
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_request_parse("{\"id\":1,}", 9, &request, &err), -EINVAL);
	assert_string_equal(err.message, "not JSON (column 9): string or '}' expected near '}'");
}

static void a_nul_byte_in_the_line_is_refused(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}\0";
	struct lb_request request;

	(void)state;
	assert_int_equal(lb_request_parse(line, sizeof(line), &request, NULL), -EINVAL);
	lb_request_clear(&request);
}

static void nesting_too_deep_is_refused(void **state)
{
	static const char *const units[] = {"[", "{\"a\":", "{\"params\":["};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t unit = strlen(units[i]), depth = 100000;
		char *line = malloc(unit * depth + 1);
		struct lb_request request;
		struct lb_err err;

		assert_non_null(line);
		for (size_t j = 0; j < depth; j++)
			memcpy(line + j * unit, units[i], unit + 1);
		assert_int_equal(lb_request_parse(line, unit * depth, &request, &err), -EINVAL);
		assert_int_equal(strncmp(err.message, "JSON is nested too deep", 23), 0);
		assert_int_equal(err.code, LB_ERR_PARSE);
		lb_request_clear(&request);
		free(line);
	}
}

/* What the parser takes can also be written and freed again. */
static void the_deepest_nesting_that_is_read_can_be_written(void **state)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":";
	char line[5000];
	struct lb_request request;
	size_t depth = 2000;
	char *written;

	(void)state;
	strcpy(line, start);
	memset(line + strlen(start), '[', depth);
	memset(line + strlen(start) + depth, ']', depth);
	strcpy(line + strlen(start) + 2 * depth, "}}");
	assert_int_equal(lb_request_parse(line, strlen(line), &request, NULL), 0);
	written = lb_request_line(1, "m", request.params);
	assert_non_null(written);
	free(written);
	lb_request_clear(&request);
}

static void expect_line(char *line, const char *expected)
{
	assert_non_null(line);
	assert_string_equal(line, expected);
	free(line);
}

static void lines_are_written_as_one_object_and_a_newline(void **state)
{
	json_auto_t *params = json_pack("{s:s}", "vip", "a\nb");
	json_auto_t *result = json_pack("{s:f s:i}", "percent", 33.33, "slots", 21845);
	json_auto_t *id = json_string("x");
	struct lb_err err;

	(void)state;
	lb_err_set(&err, LB_ERR_EXISTS, "vip.name", "taken");
	expect_line(lb_request_line(1, "status", NULL),
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
	expect_line(lb_request_line(2, "vip.show", params),
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"vip.show\",\"params\":{\"vip\":"
		    "\"a\\nb\"}}\n");
	expect_line(lb_result_line(id, result), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{"
						"\"percent\":33.33,\"slots\":21845}}\n");
	expect_line(lb_result_line(NULL, NULL),
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":null}\n");
	expect_line(lb_error_line(NULL, &err),
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":2,\"message\":\"taken\","
		    "\"data\":{\"path\":\"vip.name\"}}}\n");
	expect_line(lb_error_line(id, &err),
		    "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":2,\"message\":\"taken\","
		    "\"data\":{\"path\":\"vip.name\"}}}\n");
}

static void writing_a_line_leaves_its_parts_to_their_owner(void **state)
{
	json_t *value = json_pack("{s:i}", "a", 1);

	(void)state;
	free(lb_request_line(1, "m", value));
	free(lb_result_line(value, value));
	assert_int_equal(value->refcount, 1);
	json_decref(value);
}

static void a_method_that_is_not_utf8_gives_no_line(void **state)
{
	(void)state;
	assert_null(lb_request_line(1, "\xff", NULL));
}

static void long_lines_are_written_whole(void **state)
{
	size_t length = 3u << 20;
	char *text = malloc(length + 1), *line;
	json_t *read = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', length);
	text[length] = '\0';
	json_auto_t *result = json_string(text);
	json_auto_t *id = json_integer(5);
	line = lb_result_line(id, result);
	assert_non_null(line);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_int_equal(lb_reply_parse(line, strlen(line), 5, &read, NULL), 0);
	assert_true(json_equal(read, result));
	json_decref(read);
	free(line);
	free(text);
}

static void what_one_side_writes_the_other_reads(void **state)
{
	json_auto_t *params = json_pack("{s:s}", "vip", "web");
	char *line = lb_request_line(9, "vip.show", params), *reply;
	struct lb_request request;
	struct lb_err err, back;
	json_t *result;

	(void)state;
	assert_int_equal(lb_request_parse(line, strlen(line) - 1, &request, NULL), 0);
	assert_string_equal(request.method, "vip.show");
	reply = lb_result_line(request.id, request.params);
	assert_int_equal(lb_reply_parse(reply, strlen(reply) - 1, 9, &result, NULL), 0);
	assert_true(json_equal(result, params));
	json_decref(result);
	free(reply);
	lb_err_set(&err, LB_ERR_NOT_FOUND, "vip", "no VIP \"wbe\"");
	lb_err_hint(&err, "did you mean \"web\"?");
	reply = lb_error_line(request.id, &err);
	assert_int_equal(lb_reply_parse(reply, strlen(reply), 9, &result, &back), -EINVAL);
	assert_int_equal(back.code, err.code);
	assert_string_equal(back.path, err.path);
	assert_string_equal(back.message, err.message);
	assert_string_equal(back.hint, err.hint);
	free(reply);
	lb_request_clear(&request);
	free(line);
}

static void any_result_is_handed_over_even_null(void **state)
{
	static const char *const results[] = {"null", "true", "7", "\"x\"", "[]", "{}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		char line[100];
		json_t *result;

		snprintf(line, sizeof(line), "{\"id\":3,\"result\":%s,\"error\":null}", results[i]);
		assert_int_equal(lb_reply_parse(line, strlen(line), 3, &result, NULL), 0);
		json_auto_t *expected = json_loads(results[i], JSON_DECODE_ANY, NULL);
		assert_true(json_equal(result, expected));
		json_decref(result);
	}
}

static void a_broken_reply_is_an_error_that_says_so(void **state)
{
	static const struct {
		const char *line, *message;
	} rows[] = {
		{"", "the reply is not JSON"},
		{"HTTP/1.1 400 Bad Request", "the reply is not JSON"},
		{"{\"id\":3,\"result\":", "the reply is not JSON"},
		{"{\"id\":3,\"result\":\"\xff\"}", "the reply is not JSON"},
		{"7", "the reply is not an object"},
		{"null", "the reply is not an object"},
		{"[{\"id\":3,\"result\":1}]", "the reply is not an object"},
		{"{}", "the reply belongs to another request"},
		{"{\"id\":4,\"result\":1}", "the reply belongs to another request"},
		{"{\"id\":\"3\",\"result\":1}", "the reply belongs to another request"},
		{"{\"id\":3.0,\"result\":1}", "the reply belongs to another request"},
		{"{\"id\":4294967299,\"result\":1}", "the reply belongs to another request"},
		{"{\"id\":null,\"result\":1}", "the reply belongs to another request"},
		{"{\"id\":4,\"error\":{\"code\":1,\"message\":\"m\"}}",
		 "the reply belongs to another request"},
		{"{\"id\":3}", "the reply has neither result nor error"},
		{"{\"id\":3,\"error\":null}", "the reply has neither result nor error"},
		{"{\"id\":3,\"error\":7}", "an error without a message"},
		{"{\"id\":3,\"error\":{\"message\":\"\\u0000m\"}}", "an error without a message"},
		{"{\"id\":3,\"error\":[],\"result\":1}", "an error without a message"},
		{"{\"id\":3,\"error\":{\"code\":0,\"message\":\"a\\u001b[31m\"}}", "a?[31m"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *result = (json_t *)1;
		struct lb_err err;

		assert_int_equal(
			lb_reply_parse(rows[i].line, strlen(rows[i].line), 3, &result, &err),
			-EINVAL);
		assert_null(result);
		assert_string_equal(err.message, rows[i].message);
		assert_int_equal(err.code, LB_ERR_INTERNAL);
		assert_int_equal(
			lb_reply_parse(rows[i].line, strlen(rows[i].line), 3, &result, NULL),
			-EINVAL);
	}
}

static void an_error_with_a_null_id_is_ours(void **state)
{
	static const char line[] =
		"{\"id\":null,\"error\":{\"code\":-32700,\"message\":\"not JSON\"}}";
	struct lb_err err;
	json_t *result;

	(void)state;
	assert_int_equal(lb_reply_parse(line, strlen(line), 3, &result, &err), -EINVAL);
	assert_int_equal(err.code, LB_ERR_PARSE);
	assert_string_equal(err.message, "not JSON");
}

/* Bytes of a request changed at random: read or refused, and never one step beyond the line. */
static void random_damage_is_refused_or_read(void **state)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vip.add\",\"params\":"
		"{\"vip\":{\"address\":\"192.0.2.1:80/tcp\",\"weight\":-1.5e3}}}";

	(void)state;
	srand(6);
	for (int round = 0; round < 20000; round++) {
		size_t length = strlen(line) - (size_t)(rand() % 3 ? 0 : rand() % 60);
		char *damaged = malloc(length);
		struct lb_request request;
		struct lb_err err = {0};
		json_t *result;

		assert_non_null(damaged);
		memcpy(damaged, line, length);
		for (int i = rand() % 3; i >= 0; i--)
			damaged[(size_t)rand() % length] =
				rand() % 2 ? (char)rand() : line[(size_t)rand() % length];
		if (lb_request_parse(damaged, length, &request, &err))
			assert_string_not_equal(err.message, "");
		else
			assert_non_null(request.method);
		lb_request_clear(&request);
		if (lb_reply_parse(damaged, length, 1, &result, &err) == 0)
			json_decref(result);
		free(damaged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read),
		cmocka_unit_test(nothing_is_read_beyond_the_length),
		cmocka_unit_test(params_left_out_are_an_empty_object),
		cmocka_unit_test(any_legal_id_is_kept_and_none_makes_a_notification),
		cmocka_unit_test(bad_requests_are_refused_with_their_id_where_it_can_be_read),
		cmocka_unit_test(a_parse_error_names_the_column),
		cmocka_unit_test(a_nul_byte_in_the_line_is_refused),
		cmocka_unit_test(nesting_too_deep_is_refused),
		cmocka_unit_test(the_deepest_nesting_that_is_read_can_be_written),
		cmocka_unit_test(lines_are_written_as_one_object_and_a_newline),
		cmocka_unit_test(writing_a_line_leaves_its_parts_to_their_owner),
		cmocka_unit_test(a_method_that_is_not_utf8_gives_no_line),
		cmocka_unit_test(long_lines_are_written_whole),
		cmocka_unit_test(what_one_side_writes_the_other_reads),
		cmocka_unit_test(any_result_is_handed_over_even_null),
		cmocka_unit_test(a_broken_reply_is_an_error_that_says_so),
		cmocka_unit_test(an_error_with_a_null_id_is_ours),
		cmocka_unit_test(random_damage_is_refused_or_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
