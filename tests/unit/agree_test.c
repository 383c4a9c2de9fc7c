/* SPDX-License-Identifier: BSD-2-Clause */
/* Does what other nodes see count as promised, and only for as long? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/service/live.h"
#include "fake.h"

#define SECOND FAKE_SECOND
#define VALID_MS 10000

#define VIP(name, last, check, backends)                                                           \
	"{'name': '" name "', 'address': '192.0.2." last ":80/tcp', 'table_size': 251, "           \
	"'health': {" check "}, 'backends': [" backends "]}"
#define TCP "'type': 'tcp'"
#define A "{'address': '10.0.0.1'}"
#define B "{'address': '10.0.0.2'}"
#define C "{'address': '10.0.0.3'}"
#define WEB "{'vips': [" VIP("web", "1", TCP, A ", " B) "]}"

static const struct lb_addr a = {.family = 4, .bytes = {10, 0, 0, 1}};
static const struct lb_addr b = {.family = 4, .bytes = {10, 0, 0, 2}};
static const struct apply_options plain = {.max_moved_percent = 100};

static void start(const char *document)
{
	struct lb_err err;

	fake_open(4, 16, 4096, 64);
	assert_int_equal(fake_start(&err), 0);
	assert_int_equal(fake_apply(document, &plain, &err), 0);
	fake_resolve();
	fake_health(NULL, HEALTH_HEALTHY);
	fake_pass(SECOND);
}

static void apply(const char *document)
{
	struct lb_err err;

	assert_int_equal(fake_apply(document, &plain, &err), 0);
}

static json_t *view(int64_t known)
{
	json_t *view = NULL;
	struct lb_err err;

	assert_int_equal(service_health_view(fake.service, known, &view, &err), 0);
	return view;
}

static const char *keys(const json_t *view, const char *field)
{
	return json_string_value(json_object_get(view, field));
}

/* The key of the backend, by what this node sees of it; others are put back to healthy. */
static char *key_of(const struct lb_addr *backend)
{
	json_t *seen;
	char *key;

	fake_health(backend, HEALTH_UNHEALTHY);
	seen = view(0);
	key = strdup(keys(seen, "unhealthy"));
	json_decref(seen);
	fake_health(backend, HEALTH_HEALTHY);
	fake_pass(SECOND);
	assert_int_equal(strlen(key), 16);
	return key;
}

/* Nodes of which this many see the backend healthy, and this many unhealthy, say so. */
static void others(const char *key, int healthy, int unhealthy)
{
	json_t *views = json_array();
	struct lb_err err;

	for (int i = 0; i < healthy + unhealthy; i++)
		json_array_append_new(views, json_pack("{s:o, s:s, s:s}", "node",
						       json_sprintf("lb%d", i + 2), "healthy",
						       i < healthy ? key : "", "unhealthy",
						       i < healthy ? "" : key));
	assert_int_equal(service_health_agree(fake.service, views, VALID_MS, &err), 0);
	json_decref(views);
	fake_pass(SECOND / 10);
}

static void assert_counts(size_t place, enum health_status expected)
{
	const struct live_pool *live = &fake.service->live_pools[0];
	const struct health_check *check = &fake.service->checks[live->backends[place].number];

	assert_int_equal(agree_state(fake.service, check), expected);
	assert_int_equal(live->standings[place].is,
			 expected == HEALTH_HEALTHY ? STANDING_FIT : STANDING_ILL);
	assert_int_equal(live->backends[place].weight != 0, expected == HEALTH_HEALTHY);
}

static void a_node_that_is_cut_off_keeps_its_table(void **state)
{
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 2, 0);
	fake_health(&a, HEALTH_UNHEALTHY);
	fake_pass(SECOND / 10);
	assert_counts(0, HEALTH_HEALTHY);
	others(key, 1, 1); /* two of three */
	assert_counts(0, HEALTH_UNHEALTHY);
	others(key, 2, 0);
	assert_counts(0, HEALTH_HEALTHY);
	free(key);
	fake_close();
}

static void most_take_a_backend_out_that_this_node_still_reaches(void **state)
{
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 0, 2);
	assert_counts(0, HEALTH_UNHEALTHY);
	assert_counts(1, HEALTH_HEALTHY); /* which the others have no view of */
	others(key, 0, 1);                /* one of two: a tie */
	assert_counts(0, HEALTH_HEALTHY);
	free(key);
	fake_close();
}

static void what_was_agreed_lapses(void **state)
{
	struct lb_err err;
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 0, 2);
	fake_pass(8 * SECOND);
	assert_int_equal(service_health_agree(fake.service, NULL, VALID_MS, &err), 0);
	fake_pass(9 * SECOND);
	assert_counts(0, HEALTH_UNHEALTHY);
	assert_int_equal(service_health_nodes(fake.service), 2);
	fake_pass(2 * SECOND);
	assert_counts(0, HEALTH_HEALTHY);
	assert_int_equal(service_health_nodes(fake.service), 0);
	assert_int_equal(service_health_agree(fake.service, NULL, VALID_MS, &err), 0);
	assert_int_equal(service_health_nodes(fake.service), 0); /* they must be brought again */
	free(key);
	fake_close();
}

static void without_others_it_goes_by_itself(void **state)
{
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 0, 0);
	fake_health(&a, HEALTH_UNHEALTHY);
	fake_pass(SECOND / 10);
	assert_counts(0, HEALTH_UNHEALTHY);
	free(key);
	fake_close();
}

static void the_mark_changes_with_what_is_seen(void **state)
{
	json_t *first, *second, *third;
	int64_t mark;

	(void)state;
	start(WEB);
	first = view(0);
	mark = json_integer_value(json_object_get(first, "mark"));
	second = view(mark);
	assert_int_equal(json_object_size(second), 1);
	fake_health(&b, HEALTH_UNHEALTHY);
	third = view(mark);
	assert_int_equal(strlen(keys(first, "healthy")), 32);
	assert_string_equal(keys(first, "unhealthy"), "");
	assert_int_equal(strlen(keys(third, "healthy")), 16);
	assert_int_equal(strlen(keys(third, "unhealthy")), 16);
	assert_true(json_integer_value(json_object_get(third, "mark")) > mark);
	json_decref(first);
	json_decref(second);
	json_decref(third);
	fake_close();
}

/* Nodes agree on what both have, amid a roll-out. */
static void a_key_is_of_the_pool_the_check_and_the_backend(void **state)
{
	static const struct {
		const char *document;
		bool same;
	} rows[] = {
		{"{'vips': [" VIP("web", "1", TCP, A ", " B ", " C) "]}", true},
		{"{'vips': [" VIP("web", "9", TCP, A) "]}", true},
		{"{'vips': [" VIP("web", "1", TCP ", 'interval_ms': 900", A ", " B) "]}", false},
		{"{'vips': [" VIP("other", "1", TCP, A ", " B) "]}", false},
	};
	char *key, *again;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		start(WEB);
		key = key_of(&a);
		fake_close();
		start(rows[i].document);
		again = key_of(&a);
		assert_int_equal(!strcmp(key, again), rows[i].same);
		free(key);
		free(again);
		fake_close();
	}
}

/* With the numbers of members, which may be other backends' then. */
static void what_others_see_goes_with_a_backend_that_is_removed(void **state)
{
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 0, 2);
	apply("{'vips': [" VIP("web", "1", TCP, B) "]}");
	apply(WEB);
	fake_resolve();
	fake_health(NULL, HEALTH_HEALTHY);
	fake_pass(SECOND);
	assert_counts(0, HEALTH_HEALTHY);
	free(key);
	fake_close();
}

static void only_a_long_dissent_is_one(void **state)
{
	json_t *warnings = json_array();
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 2, 0);
	fake_health(&a, HEALTH_UNHEALTHY);
	for (int s = 0; s < 40; s += 4) {
		json_array_clear(warnings);
		agree_warnings(fake.service, warnings);
		assert_int_equal(json_array_size(warnings), s > AGREE_DISSENT_MS / 1000);
		others(key, 2, 0);
		fake_pass(4 * SECOND - SECOND / 10);
	}
	fake_health(&a, HEALTH_HEALTHY);
	fake_pass(2 * SECOND);
	json_array_clear(warnings);
	agree_warnings(fake.service, warnings);
	assert_int_equal(json_array_size(warnings), 0);
	json_decref(warnings);
	free(key);
	fake_close();
}

static void what_is_no_view_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"[1]",
		"[{\"node\": \"lb2\", \"healthy\": \"\"}]",
		"[{\"node\": \"../a\", \"healthy\": \"\", \"unhealthy\": \"\"}]",
		"[{\"node\": \"lb2\", \"healthy\": \"0123\", \"unhealthy\": \"\"}]",
		"[{\"node\": \"lb2\", \"healthy\": \"\", \"unhealthy\": \"0123456789abcdeX\"}]",
		"[{\"node\": \"lb2\", \"healthy\": \"\", \"unhealthy\": \"\", \"more\": 1}]",
	};
	json_t *many = json_array();
	struct lb_err err;
	char *key;

	(void)state;
	start(WEB);
	key = key_of(&a);
	others(key, 0, 2);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *views = json_loads(texts[i], 0, NULL);

		assert_int_not_equal(service_health_agree(fake.service, views, VALID_MS, &err), 0);
		assert_int_equal(strncmp(err.path, "views[0]", 8), 0);
		json_decref(views);
	}
	{
		json_t *twice =
			json_loads("[{\"node\": \"lb2\", \"healthy\": \"\", \"unhealthy\": \"\"},"
				   "{\"node\": \"lb2\", \"healthy\": \"\", \"unhealthy\": \"\"}]",
				   0, NULL);

		assert_int_not_equal(service_health_agree(fake.service, twice, VALID_MS, &err), 0);
		assert_string_equal(err.message, "node lb2 is there twice");
		json_decref(twice);
	}
	for (int i = 0; i <= QUORUM_OTHERS_MAX; i++)
		json_array_append_new(many,
				      json_pack("{s:o, s:s, s:s}", "node", json_sprintf("n%d", i),
						"healthy", "", "unhealthy", ""));
	assert_int_not_equal(service_health_agree(fake.service, many, VALID_MS, &err), 0);
	json_array_remove(many, 0);
	assert_counts(0, HEALTH_UNHEALTHY);
	assert_int_equal(service_health_agree(fake.service, many, VALID_MS, &err), 0);
	fake_pass(SECOND / 10);
	assert_counts(0, HEALTH_HEALTHY);
	json_decref(many);
	free(key);
	fake_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_is_cut_off_keeps_its_table),
		cmocka_unit_test(most_take_a_backend_out_that_this_node_still_reaches),
		cmocka_unit_test(what_was_agreed_lapses),
		cmocka_unit_test(without_others_it_goes_by_itself),
		cmocka_unit_test(the_mark_changes_with_what_is_seen),
		cmocka_unit_test(a_key_is_of_the_pool_the_check_and_the_backend),
		cmocka_unit_test(what_others_see_goes_with_a_backend_that_is_removed),
		cmocka_unit_test(only_a_long_dissent_is_one),
		cmocka_unit_test(what_is_no_view_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
