/* SPDX-License-Identifier: BSD-2-Clause */
/* Do errors keep what they were told, whatever it was, and survive the trip through JSON? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>
#include "../../lbd/api/err.h"

static void set_fills_everything_and_clears_an_older_hint(void **state)
{
	struct lb_err err;

	(void)state;
	lb_err_set(&err, LB_ERR_PARSE, "old", "old");
	lb_err_hint(&err, "old");
	assert_int_equal(lb_err_set(&err, LB_ERR_PARAMS, "a.b", "%s is %d", "x", 7), -EINVAL);
	assert_int_equal(err.code, LB_ERR_PARAMS);
	assert_string_equal(err.path, "a.b");
	assert_string_equal(err.message, "x is 7");
	assert_string_equal(err.hint, "");
	assert_int_equal(lb_err_hint(&err, "do %s", "y"), -EINVAL);
	assert_string_equal(err.hint, "do y");
}

static void an_error_nobody_wants_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(lb_err_set(NULL, LB_ERR_PARAMS, "a", "b"), -EINVAL);
	assert_int_equal(lb_err_hint(NULL, "b"), -EINVAL);
	assert_int_equal(lb_err_no_memory(NULL), -EINVAL);
	lb_err_prefix(NULL, "b");
}

static void an_error_may_be_built_from_itself(void **state)
{
	struct lb_err err;

	(void)state;
	lb_err_set(&err, LB_ERR_PARAMS, "path", "message");
	lb_err_hint(&err, "hint");
	lb_err_set(&err, LB_ERR_SYSTEM, err.path, "%s, %s", err.message, err.hint);
	lb_err_hint(&err, "%s!", err.message);
	lb_err_prefix(&err, "%s", err.path);
	assert_string_equal(err.path, "path.path");
	assert_string_equal(err.message, "message, hint");
	assert_string_equal(err.hint, "message, hint!");
}

static void prefix_joins_with_a_dot_unless_an_index_follows(void **state)
{
	static const struct {
		const char *prefix, *path, *joined;
	} rows[] = {
		{"vips[2]", "address", "vips[2].address"},
		{"vips", "[3].x", "vips[3].x"},
		{"vips", "", "vips"},
		{"", "x", "x"},
		{"", "", ""},
		{"v", "backends[1].weight", "v.backends[1].weight"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_err err;

		lb_err_set(&err, LB_ERR_PARAMS, rows[i].path, "m");
		lb_err_prefix(&err, "%s", rows[i].prefix);
		assert_string_equal(err.path, rows[i].joined);
	}
}

static void long_texts_are_cut_and_say_so(void **state)
{
	char text[1000];
	struct lb_err err;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	lb_err_set(&err, LB_ERR_PARAMS, text, "%s", text);
	lb_err_hint(&err, "%s", text);
	assert_int_equal(strlen(err.path), sizeof(err.path) - 1);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	assert_string_equal(err.message + sizeof(err.message) - 6, "xx...");
	lb_err_prefix(&err, "vips[%d]", 3);
	assert_int_equal(strncmp(err.path, "vips[3].xxx", 11), 0);
	assert_int_equal(strlen(err.path), sizeof(err.path) - 1);
}

static void a_text_of_exactly_the_room_is_not_cut(void **state)
{
	struct lb_err err;
	char text[sizeof(err.message)];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	lb_err_set(&err, LB_ERR_PARAMS, "", "%s", text);
	assert_string_equal(err.message, text);
}

/* Wherever the cut falls, it falls between characters: JSON must be able to carry the text. */
static void a_cut_never_splits_a_character(void **state)
{
	(void)state;
	for (int shift = 0; shift < 8; shift++) {
		char text[600] = "aaaaaaaa";
		struct lb_err err;

		text[shift] = '\0';
		while (strlen(text) < 500)
			strcat(text, "ä€😀");
		lb_err_set(&err, LB_ERR_PARAMS, text, "%s", text);
		assert_null(strchr(err.message, '?'));
		assert_null(strchr(err.path, '?'));
		assert_string_equal(err.message + strlen(err.message) - 3, "...");
		json_auto_t *object = lb_err_to_json(&err);
		assert_non_null(object);
	}
}

static void control_characters_and_bad_utf8_become_question_marks(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain", "plain"},
		{"ä€😀", "ä€😀"},
		{"\x1b[31mred", "?[31mred"},
		{"a\nb\tc\rd", "a?b?c?d"},
		{"\x7f", "?"},
		{"\xc2\x9b"
		 "31m",
		 "?31m"}, /* C1 control: CSI in one character */
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xff\xfe", "??"},
		{"a\xc3", "a?"},         /* cut off */
		{"\xc0\xaf", "??"},      /* overlong */
		{"\xe0\x80\xaf", "???"}, /* overlong */
		{"\xf0\x80\x80\xaf", "????"},
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
		{"\xe2\x82", "??"},
		{"\x80", "?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_err err;

		lb_err_set(&err, LB_ERR_PARAMS, rows[i].in, "%s", rows[i].in);
		lb_err_hint(&err, "%s", rows[i].in);
		assert_string_equal(err.message, rows[i].out);
		assert_string_equal(err.path, rows[i].out);
		assert_string_equal(err.hint, rows[i].out);
	}
}

static void json_leaves_empty_texts_out(void **state)
{
	static const struct {
		const char *path, *hint, *json;
	} rows[] = {
		{"", "", "{\"code\":-32602,\"message\":\"m\"}"},
		{"p", "", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"path\":\"p\"}}"},
		{"", "h", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"hint\":\"h\"}}"},
		{"p", "h",
		 "{\"code\":-32602,\"message\":\"m\",\"data\":{\"path\":\"p\",\"hint\":\"h\"}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_err err, back;

		lb_err_set(&err, LB_ERR_PARAMS, rows[i].path, "m");
		lb_err_hint(&err, "%s", rows[i].hint);
		json_auto_t *object = lb_err_to_json(&err);
		json_auto_t *expected = json_loads(rows[i].json, 0, NULL);
		assert_non_null(object);
		assert_true(json_equal(object, expected));
		lb_err_from_json(object, &back);
		assert_int_equal(back.code, err.code);
		assert_string_equal(back.path, err.path);
		assert_string_equal(back.message, err.message);
		assert_string_equal(back.hint, err.hint);
	}
}

static void every_code_survives_the_trip_through_json(void **state)
{
	static const enum lb_err_code codes[] = {
		LB_ERR_PARSE,    LB_ERR_REQUEST,   LB_ERR_METHOD,      LB_ERR_PARAMS,
		LB_ERR_INTERNAL, LB_ERR_NOT_FOUND, LB_ERR_EXISTS,      LB_ERR_LIMIT,
		LB_ERR_REFUSED,  LB_ERR_SYSTEM,    LB_ERR_UNREACHABLE, LB_ERR_USAGE,
		LB_ERR_CONFLICT,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct lb_err err, back;

		lb_err_set(&err, codes[i], "", "m");
		json_auto_t *object = lb_err_to_json(&err);
		lb_err_from_json(object, &back);
		assert_int_equal(back.code, codes[i]);
	}
}

static void an_unreadable_error_object_is_an_internal_error_with_a_message(void **state)
{
	static const char *const rows[] = {
		"null",
		"[]",
		"7",
		"\"text\"",
		"{}",
		"{\"code\":0}",
		"{\"code\":\"1\",\"message\":7}",
		"{\"code\":1.5,\"message\":[],\"data\":[]}",
		"{\"code\":99999999999,\"message\":null,\"data\":{\"path\":7,\"hint\":{}}}",
		"{\"code\":4294967297}", /* 1, were it cut to 32 bits */
		"{\"code\":-1,\"data\":\"x\"}",
	};
	struct lb_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_auto_t *object = json_loads(rows[i], JSON_DECODE_ANY, NULL);

		assert_non_null(object);
		lb_err_from_json(object, &err);
		assert_int_equal(err.code, LB_ERR_INTERNAL);
		assert_string_not_equal(err.message, "");
		assert_string_equal(err.path, "");
		assert_string_equal(err.hint, "");
	}
	lb_err_from_json(NULL, &err);
	assert_int_equal(err.code, LB_ERR_INTERNAL);
}

static void nearest_finds_what_was_meant_and_nothing_else(void **state)
{
	static const char *const words[] = {"web",      "weight", "address",    "table_size",
					    "backends", "ab",     "rendezvous", NULL};
	static const struct {
		const char *word, *nearest;
	} rows[] = {
		{"web", "web"},
		{"wbe", "web"},
		{"wxe", NULL},
		{"wb", NULL},
		{"a", NULL},
		{"", NULL},
		{"webb", "web"},
		{"weihgt", "weight"},
		{"wieghts", "weight"},
		{"wxyght", "weight"},
		{"wxyzht", NULL},
		{"wght", NULL},
		{"adress", "address"},
		{"adres", NULL},
		{"addresses", "address"},
		{"addreßes", NULL},
		{"backnd", "backends"},
		{"tablesize", "table_size"},
		{"Weight", "weight"},
		{"randezvuos", "rendezvous"},
		{"randezvuo", NULL},
	};
	char long_word[500];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *nearest = lb_nearest(rows[i].word, words);

		if (!rows[i].nearest && nearest)
			fail_msg("\"%s\" is not near \"%s\"", rows[i].word, nearest);
		if (rows[i].nearest && !nearest)
			fail_msg("nothing is near \"%s\"", rows[i].word);
		if (nearest)
			assert_string_equal(nearest, rows[i].nearest);
	}
	memset(long_word, 'w', sizeof(long_word));
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(lb_nearest(long_word, words));
	assert_null(lb_nearest("web", (const char *const[]){long_word, NULL}));
	assert_null(lb_nearest("web", (const char *const[]){NULL}));
}

/* 63 characters is the longest name; the distance is right at both ends of so long a word. */
static void nearest_works_for_the_longest_names(void **state)
{
	char name[64], typed[64];
	const char *const words[] = {name, NULL};

	(void)state;
	memset(name, 'n', 63);
	name[63] = '\0';
	strcpy(typed, name);
	typed[0] = 'x';
	typed[62] = 'x';
	assert_ptr_equal(lb_nearest(typed, words), name);
	typed[30] = 'x';
	assert_null(lb_nearest(typed, words));
}

static void the_nearest_of_several_wins_then_the_first(void **state)
{
	(void)state;
	assert_string_equal(lb_nearest("backend", (const char *const[]){"backends2", "backends",
									"backendx", NULL}),
			    "backends");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_everything_and_clears_an_older_hint),
		cmocka_unit_test(an_error_nobody_wants_is_dropped),
		cmocka_unit_test(an_error_may_be_built_from_itself),
		cmocka_unit_test(prefix_joins_with_a_dot_unless_an_index_follows),
		cmocka_unit_test(long_texts_are_cut_and_say_so),
		cmocka_unit_test(a_text_of_exactly_the_room_is_not_cut),
		cmocka_unit_test(a_cut_never_splits_a_character),
		cmocka_unit_test(control_characters_and_bad_utf8_become_question_marks),
		cmocka_unit_test(json_leaves_empty_texts_out),
		cmocka_unit_test(every_code_survives_the_trip_through_json),
		cmocka_unit_test(an_unreadable_error_object_is_an_internal_error_with_a_message),
		cmocka_unit_test(nearest_finds_what_was_meant_and_nothing_else),
		cmocka_unit_test(nearest_works_for_the_longest_names),
		cmocka_unit_test(the_nearest_of_several_wins_then_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
