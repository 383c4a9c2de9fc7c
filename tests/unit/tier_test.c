/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a node make of what etcd says? Messages, tier.json, releases, digests of tables. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../lbctl/tier/config.h"
#include "../../lbctl/tier/message.h"
#include "../../lbctl/tier/node.h"
#include "../../lbctl/tier/release.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!json)
		fail_msg("the test's own JSON is wrong: %s", text);
	return json;
}

/* --- messages --- */

/* RFC 4648 section 10, and bytes that text does not have. */
static const struct {
	const char *bytes;
	size_t length;
	const char *text;
} vectors[] = {
	{"", 0, ""},
	{"f", 1, "Zg=="},
	{"fo", 2, "Zm8="},
	{"foo", 3, "Zm9v"},
	{"foob", 4, "Zm9vYg=="},
	{"fooba", 5, "Zm9vYmE="},
	{"foobar", 6, "Zm9vYmFy"},
	{"\0\377\0", 3, "AP8A"},
	{"\373\377", 2, "+/8="},
};

static void base64_is_that_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		char *text = message_encode(vectors[i].bytes, vectors[i].length), *bytes;
		size_t length;

		assert_string_equal(text, vectors[i].text);
		bytes = message_decode(text, &length);
		assert_non_null(bytes);
		assert_int_equal(length, vectors[i].length);
		assert_memory_equal(bytes, vectors[i].bytes, length);
		free(bytes);
		free(text);
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const texts[] = {"Z",    "Zg",        "Zg=",   "Z===",
					    "====", "Zg==Zg==",  "Zm9v!", "Zm-v",
					    "=Zm9", "Zm9vYmE\n", "Zm=v"};
	size_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (message_decode(texts[i], &length))
			fail_msg("%s was taken", texts[i]);
}

static void a_range_gives_keys_values_and_revisions(void **state)
{
	json_auto_t *reply =
		parse("{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"L2xiZC9h\","
		      "\"mod_revision\":\"9007199254740993\",\"value\":\"eyJhIjoxfQ==\"},"
		      "{\"key\":\"Yg==\",\"value\":\"bm90IEpTT04=\"}],\"count\":\"2\"}");
	json_auto_t *expected = parse("[{\"key\":\"/lbd/a\",\"value\":{\"a\":1},"
				      "\"mod_revision\":9007199254740993},"
				      "{\"key\":\"b\",\"value\":null,\"mod_revision\":0}]");
	json_t *items;

	(void)state;
	assert_int_equal(message_items(reply, &items, NULL), 0);
	assert_true(json_equal(items, expected));
	json_decref(items);
}

static void no_key_is_an_empty_list(void **state)
{
	json_auto_t *reply = parse("{\"header\":{}}");
	json_t *items;

	(void)state;
	assert_int_equal(message_items(reply, &items, NULL), 0);
	assert_int_equal(json_array_size(items), 0);
	json_decref(items);
}

static void a_reply_of_another_protocol_is_an_error(void **state)
{
	static const char *const replies[] = {
		"[]",
		"{\"kvs\":{}}",
		"{\"kvs\":[1]}",
		"{\"kvs\":[{\"key\":1}]}",
		"{\"kvs\":[{\"key\":\"Z\"}]}",
		"{\"kvs\":[{\"key\":\"Zg==\",\"mod_revision\":\"x\"}]}",
		"{\"kvs\":[{\"key\":\"Zg==\",\"mod_revision\":\"99999999999999999999\"}]}"};
	struct lb_err err = {0};
	json_t *items;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		json_auto_t *reply = parse(replies[i]);

		if (!message_items(reply, &items, &err))
			fail_msg("%s was taken", replies[i]);
		assert_null(items);
	}
}

static void errors_are_read_in_both_forms(void **state)
{
	json_auto_t *plain = parse("{\"error\":\"etcdserver: invalid auth token\",\"code\":16,"
				   "\"message\":\"etcdserver: invalid auth token\"}");
	json_auto_t *stream = parse("{\"error\":{\"grpc_code\":5,\"http_code\":404,"
				    "\"message\":\"lease\\nnot found\"}}");
	char text[64];
	int code;

	(void)state;
	assert_int_not_equal(message_error(plain, &code, text, sizeof(text)), 0);
	assert_int_equal(code, MESSAGE_UNAUTHENTICATED);
	assert_string_equal(text, "etcdserver: invalid auth token");
	assert_int_not_equal(message_error(stream, &code, text, sizeof(text)), 0);
	assert_int_equal(code, MESSAGE_NOT_FOUND);
	assert_string_equal(text, "lease?not found");
}

static void a_prefix_ends_before_the_next_key(void **state)
{
	json_auto_t *range = message_range_below("/lbd/edge/nodes/");
	size_t length;
	char *end = message_decode(json_string_value(json_object_get(range, "range_end")), &length);

	(void)state;
	assert_string_equal(end, "/lbd/edge/nodes0");
	free(end);
}

static void what_others_wrote_is_cleaned(void **state)
{
	json_auto_t *raw = parse("[{\"a\\nb\":\"\\u001b[31m\\u009b\\n~\"},7,null,[\"\\u007f\"]]");
	json_auto_t *expected = parse("[{\"a?b\":\"?[31m???~\"},7,null,[\"?\"]]");
	json_auto_t *clean = message_clean(raw), *cut = NULL;
	char text[2 * MESSAGE_TEXT];
	json_auto_t *none = message_clean(NULL), *long_text = NULL;

	(void)state;
	assert_true(json_equal(clean, expected));
	memset(text, 'x', sizeof(text));
	long_text = json_stringn(text, sizeof(text));
	cut = message_clean(long_text);
	assert_int_equal(json_string_length(cut), MESSAGE_TEXT - 1);
	assert_null(none);
}

/* --- tier.json --- */

#define LEAST "\"tier\":\"edge\",\"endpoints\":[\"https://e1:2379/\"]"

static void tier_json_has_defaults(void **state)
{
	json_auto_t *document = parse("{" LEAST ",\"node\":\"lb1\"}");
	struct tier_config config;

	(void)state;
	assert_int_equal(tier_config_read(document, &config, NULL), 0);
	assert_string_equal(config.endpoints[0], "https://e1:2379");
	assert_string_equal(config.socket, "/run/lbd/lbd.sock");
	assert_int_equal(config.interval_s, 1);
	assert_int_equal(config.lease_s, 30);
	assert_int_equal(config.max_moved_percent, 100);
	assert_false(config.canary);
}

static void faults_of_tier_json_are_named(void **state)
{
	static const struct {
		const char *text, *path;
	} faults[] = {
		{"{\"tier\":\"edge\"}", "endpoints"},
		{"{\"tier\":\"a/b\",\"endpoints\":[\"http://e1\"]}", "tier"},
		{"{\"tier\":\"edge\",\"endpoints\":[]}", "endpoints"},
		{"{\"tier\":\"edge\",\"endpoints\":[\"e1:2379\"]}", "endpoints[0]"},
		{"{\"tier\":\"edge\",\"endpoints\":[\"http://u:p@e1\"]}", "endpoints[0]"},
		{"{\"tier\":\"edge\",\"endpoints\":[\"http://e1/path\"]}", "endpoints[0]"},
		{"{\"tier\":\"edge\",\"endpoints\":[\"http://e1\"],\"ca_file\":\"/a\"}",
		 "endpoints"},
		{"{" LEAST ",\"cert_file\":\"/a\"}", "cert_file"},
		{"{" LEAST ",\"user\":\"a\"}", "user"},
		{"{" LEAST ",\"ca_file\":\"a\"}", "ca_file"},
		{"{" LEAST ",\"node\":\"a b\"}", "node"},
		{"{" LEAST ",\"nodes\":\"a\"}", "nodes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		json_auto_t *document = parse(faults[i].text);
		struct tier_config config;
		struct lb_err err = {0};

		if (!tier_config_read(document, &config, &err))
			fail_msg("%s was taken", faults[i].text);
		assert_string_equal(err.path, faults[i].path);
		assert_null(strstr(err.message, "u:p"));
		assert_null(strstr(err.hint, "u:p"));
	}
}

/* --- releases --- */

static struct release release_of(const char *text)
{
	json_auto_t *items = json_pack("[{s:s, s:o}]", "key", "k", "value", parse(text));
	struct release release;
	struct lb_err err = {0};

	if (release_read(items, &release, &err))
		fail_msg("%s: %s", err.path, err.message);
	return release;
}

/* As etcd_get_below has them. */
static json_t *nodes_of(const char *text)
{
	json_auto_t *nodes = parse(text);
	json_t *items = json_array(), *node;
	size_t i;

	json_array_foreach (nodes, i, node)
		json_array_append_new(items, json_pack("{s:O}", "value", node));
	return items;
}

static void nothing_published_asks_for_nothing(void **state)
{
	json_auto_t *none = json_array();
	struct release release;
	char why[RELEASE_WHY];

	(void)state;
	assert_int_equal(release_read(none, &release, NULL), 0);
	assert_int_equal(release_target(&release, false, none, why), 0);
	assert_int_equal(release_next(&release, none, 0), 1);
}

static void a_release_that_is_none_is_an_error(void **state)
{
	static const char *const texts[] = {"null",
					    "[]",
					    "{}",
					    "{\"revision\":0}",
					    "{\"revision\":\"7\"}",
					    "{\"revision\":7,\"x\":1}",
					    "{\"revision\":4294967296}",
					    "{\"revision\":7,\"hold_s\":-1}",
					    "{\"revision\":7,\"canaries\":[\"a/b\"]}",
					    "{\"revision\":7,\"canaries\":[1]}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_auto_t *items =
			json_pack("[{s:s, s:o}]", "key", "k", "value", parse(texts[i]));
		struct release release;
		struct lb_err err = {0};

		if (!release_read(items, &release, &err))
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(release.revision, 0);
	}
}

/* What a node that is no canary takes of revision 7, staged after 6, hold 60 s. */
static const struct {
	const char *nodes;
	uint32_t target;
	const char *why;
} stages[] = {
	{"[]", 6, "no canary is there"},
	{"[{\"node\":\"a\",\"revision\":7,\"applied_s\":99}]", 6, "no canary is there"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":6,\"applied_s\":99}]", 6,
	 "canary a does not have it yet"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":59}]", 6,
	 "canary a must have it for 1 s more"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60}]", 7, ""},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60,\"alarm\":\"x\"}]", 6,
	 "canary a has an alarm: x"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":6,\"refused\":{\"revision\":7,\"error\":"
	 "\"x\"}}]",
	 6, "canary a has refused it: x"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60,"
	 "\"refused\":{\"revision\":6,\"error\":\"x\"}}]",
	 7, ""},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60},"
	 "{\"node\":\"b\",\"canary\":true,\"lbd\":\"does not answer\"}]",
	 6, "canary b does not have it yet"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60},"
	 "{\"node\":\"b\",\"canary\":true,\"revision\":7,\"applied_s\":61},{\"node\":\"c\"},null,"
	 "4]",
	 7, ""},
};

/* The same, published when a and b were canaries. */
static const struct {
	const char *nodes;
	uint32_t target;
	const char *why;
} gone[] = {
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60}]", 6,
	 "canary b is gone since; publish again to go on without it"},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60},{\"node\":\"b\"}]", 7,
	 ""},
	{"[{\"node\":\"a\",\"canary\":true,\"revision\":7,\"applied_s\":60},"
	 "{\"node\":\"c\",\"revision\":7}]",
	 7, ""},
};

static void a_canary_is_not_forgotten_with_its_lease(void **state)
{
	struct release release = release_of(
		"{\"revision\":7,\"stable\":6,\"hold_s\":60,\"canaries\":[\"a\",\"b\"]}");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		json_auto_t *nodes = nodes_of(gone[i].nodes);
		char why[RELEASE_WHY];

		assert_int_equal(release_target(&release, false, nodes, why), gone[i].target);
		assert_string_equal(why, gone[i].why);
	}
}

static void others_wait_for_every_canary(void **state)
{
	struct release release = release_of("{\"revision\":7,\"stable\":6,\"hold_s\":60}");
	char why[RELEASE_WHY];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		json_auto_t *nodes = nodes_of(stages[i].nodes);

		assert_int_equal(release_target(&release, true, nodes, why), 7);
		assert_string_equal(why, "");
		if (release_target(&release, false, nodes, why) != stages[i].target)
			fail_msg("%s: not %u", stages[i].nodes, stages[i].target);
		assert_string_equal(why, stages[i].why);
	}
}

static void one_that_is_not_staged_is_for_all(void **state)
{
	struct release release = release_of("{\"revision\":7,\"stable\":6}");
	json_auto_t *nodes = nodes_of("[{\"canary\":true,\"revision\":6}]");
	char why[RELEASE_WHY];

	(void)state;
	assert_int_equal(release_target(&release, false, nodes, why), 7);
}

static void the_next_number_is_above_what_any_node_has(void **state)
{
	struct release release = release_of("{\"revision\":7}");
	json_auto_t *nodes = nodes_of("[{\"revision\":6},{\"revision\":12},{\"revision\":\"99\"}]");

	(void)state;
	assert_int_equal(release_next(&release, nodes, 0), 13);
	assert_int_equal(release_next(&release, nodes, 11), 13);
	assert_int_equal(release_next(&release, nodes, 12), 13);
	assert_int_equal(release_next(&release, nodes, 20), 21);
}

static void no_number_follows_the_highest(void **state)
{
	struct release last = release_of("{\"revision\":4294967295}");
	struct release before = release_of("{\"revision\":4294967294}");
	json_auto_t *none = json_array(), *highest = nodes_of("[{\"revision\":4294967295}]");
	json_auto_t *beyond = nodes_of("[{\"revision\":4294967296}]");

	(void)state;
	assert_int_equal(release_next(&last, none, 0), 0);
	assert_int_equal(release_next(&before, none, 0), UINT32_MAX);
	assert_int_equal(release_next(&before, none, UINT32_MAX), 0);
	assert_int_equal(release_next(&before, highest, 0), 0);
	assert_int_equal(release_next(&before, beyond, 0), UINT32_MAX);
}

static void what_stayed_at_canaries_is_never_fallen_back_to(void **state)
{
	struct release staged = release_of("{\"revision\":7,\"stable\":5,\"hold_s\":60}");
	struct release whole = release_of("{\"revision\":7,\"stable\":5}");
	json_auto_t *only = nodes_of("[{\"canary\":true,\"revision\":7},{\"revision\":5}]");
	json_auto_t *beyond = nodes_of("[{\"canary\":true,\"revision\":7},{\"revision\":7}]");

	(void)state;
	assert_int_equal(release_stable(&staged, only), 5);
	assert_int_equal(release_stable(&staged, beyond), 7);
	assert_int_equal(release_stable(&whole, only), 7);
}

static void other_tables_have_another_digest(void **state)
{
	json_auto_t *one = parse(
		"[{\"address\":\"a\",\"digest\":\"1\"},{\"address\":\"b\",\"digest\":\"2\"}]");
	json_auto_t *other = parse(
		"[{\"address\":\"a\",\"digest\":\"2\"},{\"address\":\"b\",\"digest\":\"1\"}]");
	json_auto_t *less = parse("[{\"address\":\"a\",\"digest\":\"1\"}]");

	(void)state;
	assert_true(node_tables(one) == node_tables(one));
	assert_true(node_tables(one) != node_tables(other));
	assert_true(node_tables(one) != node_tables(less));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_that_of_the_rfc),
		cmocka_unit_test(what_is_no_base64_is_refused),
		cmocka_unit_test(a_range_gives_keys_values_and_revisions),
		cmocka_unit_test(no_key_is_an_empty_list),
		cmocka_unit_test(a_reply_of_another_protocol_is_an_error),
		cmocka_unit_test(errors_are_read_in_both_forms),
		cmocka_unit_test(a_prefix_ends_before_the_next_key),
		cmocka_unit_test(what_others_wrote_is_cleaned),
		cmocka_unit_test(tier_json_has_defaults),
		cmocka_unit_test(faults_of_tier_json_are_named),
		cmocka_unit_test(nothing_published_asks_for_nothing),
		cmocka_unit_test(a_release_that_is_none_is_an_error),
		cmocka_unit_test(others_wait_for_every_canary),
		cmocka_unit_test(a_canary_is_not_forgotten_with_its_lease),
		cmocka_unit_test(one_that_is_not_staged_is_for_all),
		cmocka_unit_test(the_next_number_is_above_what_any_node_has),
		cmocka_unit_test(no_number_follows_the_highest),
		cmocka_unit_test(what_stayed_at_canaries_is_never_fallen_back_to),
		cmocka_unit_test(other_tables_have_another_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
