/* SPDX-License-Identifier: BSD-2-Clause */
/* Is every difference between two service documents found, and nothing else? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/api/model.h"
#include "../../lbd/service/document_diff.h"

/* With ' for ". */
static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	free(copy);
	return value;
}

/* As lbd compares them: read, and written out again. */
static json_t *canonical(const char *text)
{
	json_t *document = parse(text), *written;
	struct lb_service *service;
	struct lb_err err = {0};

	assert_int_equal(lb_service_from_json(document, &service, &err), 0);
	written = lb_service_to_json(service);
	lb_service_free(service);
	json_decref(document);
	return written;
}

static void assert_json(json_t *actual, const char *expected)
{
	json_t *wanted = parse(expected);
	char *text = json_dumps(actual, JSON_COMPACT);

	if (!json_equal(actual, wanted))
		fail_msg("%s, not %s", text, expected);
	free(text);
	json_decref(wanted);
	json_decref(actual);
}

static void assert_diff(const char *before, const char *after, const char *vips)
{
	json_t *from = canonical(before), *to = canonical(after);
	json_t *result = document_diff(from, to);
	json_t *list = json_object_get(result, "vips");

	assert_non_null(result);
	assert_int_equal(json_is_true(json_object_get(result, "differs")),
			 json_array_size(list) > 0);
	assert_json(json_incref(list), vips);
	json_decref(result);
	json_decref(from);
	json_decref(to);
}

#define VIP(fields) "{'vips': [{'address': '192.0.2.1:80/tcp', 'name': 'web'" fields "}]}"
#define CHANGED(differences)                                                                       \
	"[{'name': 'web', 'address': '192.0.2.1:80/tcp', 'what': 'changed', 'differences': "       \
	"[" differences "]}]"
#define BACKENDS(list) VIP(", 'backends': [" list "]")
#define TWO "{'address': '10.0.0.2'}"
#define THREE "{'address': '10.0.0.3', 'weight': 3}"

static void same_documents_do_not_differ(void **state)
{
	(void)state;
	assert_diff("{'vips': []}", "{'vips': []}", "[]");
	assert_diff(VIP(""), VIP(", 'table': 'rendezvous'"), "[]");
	assert_diff(BACKENDS(TWO "," THREE), BACKENDS(THREE "," TWO), "[]");
}

static void fields_of_a_vip_are_named_with_both_values(void **state)
{
	(void)state;
	assert_diff(VIP(""), VIP(", 'table': 'maglev'"),
		    CHANGED("{'field': 'table', 'from': 'rendezvous', 'to': 'maglev'}"));
	assert_diff(VIP(", 'transition_s': 5, 'flow_idle_s': 9"),
		    VIP(", 'transition_s': 6, 'flow_idle_s': 9"),
		    CHANGED("{'field': 'transition_s', 'from': 5, 'to': 6}"));
}

static void backends_are_compared_by_their_address(void **state)
{
	(void)state;
	assert_diff(BACKENDS(TWO), BACKENDS("{'address': '10.0.0.2', 'weight': 4}"),
		    CHANGED("{'field': 'backends[10.0.0.2].weight', 'from': 1, 'to': 4}"));
	assert_diff(BACKENDS(TWO), BACKENDS("{'address': '10.0.0.2', 'drain': true}"),
		    CHANGED("{'field': 'backends[10.0.0.2].drain', 'from': false, 'to': true}"));
	assert_diff(BACKENDS(TWO), BACKENDS(TWO "," THREE),
		    CHANGED("{'field': 'backends[10.0.0.3]', 'to': {'address': '10.0.0.3', "
			    "'weight': 3, 'drain': false}}"));
	assert_diff(BACKENDS(TWO "," THREE), BACKENDS(TWO),
		    CHANGED("{'field': 'backends[10.0.0.3]', 'from': {'address': '10.0.0.3', "
			    "'weight': 3, 'drain': false}}"));
	assert_diff(BACKENDS(THREE), BACKENDS(""),
		    CHANGED("{'field': 'backends[10.0.0.3]', 'from': {'address': '10.0.0.3', "
			    "'weight': 3, 'drain': false}}"));
}

static void name_that_comes_or_goes_is_a_difference(void **state)
{
	(void)state;
	assert_diff("{'vips': [{'address': '192.0.2.1:80/tcp'}]}", VIP(""),
		    CHANGED("{'field': 'name', 'to': 'web'}"));
}

/* Each with its fields, on the one side where they are. */
static void vips_that_come_and_go_are_told_apart(void **state)
{
	json_t *from = canonical(BACKENDS(TWO)), *to = canonical("{'vips': []}");
	json_t *gone = document_diff(from, to), *come = document_diff(to, from), *field;
	const json_t *vip = json_array_get(json_object_get(gone, "vips"), 0);
	size_t i;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(vip, "what")), "removed");
	json_array_foreach (json_object_get(vip, "differences"), i, field)
		assert_true(json_object_get(field, "from") && !json_object_get(field, "to"));
	assert_true(i > 4);
	vip = json_array_get(json_object_get(come, "vips"), 0);
	assert_string_equal(json_string_value(json_object_get(vip, "what")), "added");
	json_array_foreach (json_object_get(vip, "differences"), i, field)
		assert_true(!json_object_get(field, "from") && json_object_get(field, "to"));
	assert_true(i > 4);
	json_decref(from);
	json_decref(to);
	json_decref(gone);
	json_decref(come);
}

/* A field that the model may have one day. */
static void objects_within_are_compared_field_by_field(void **state)
{
	json_t *from = parse("{'vips': [{'address': 'a', 'health': {'rise': 1, 'http': {'path': "
			     "'/'}, 'codes': [1]}}]}");
	json_t *to = parse("{'vips': [{'address': 'a', 'health': {'rise': 2, 'http': {'path': "
			   "'/x'}, 'codes': [1, 2]}}]}");

	(void)state;
	assert_json(document_diff(from, to),
		    "{'differs': true, 'vips': [{'name': 'a', 'address': 'a', 'what': 'changed', "
		    "'differences': [{'field': 'health.rise', 'from': 1, 'to': 2}, {'field': "
		    "'health.http.path', 'from': '/', 'to': '/x'}, {'field': 'health.codes', "
		    "'from': [1], 'to': [1, 2]}]}]}");
	json_decref(from);
	json_decref(to);
}

static void health_of_a_vip_is_compared(void **state)
{
	(void)state;
	assert_diff(
		"{'vips': [{'address': '192.0.2.1:80/tcp', 'health': {'type': 'http'}}]}",
		"{'vips': [{'address': '192.0.2.1:80/tcp', 'health': {'type': 'http', 'fall': 5}, "
		"'on_unhealthy': 'reset'}]}",
		"[{'name': '192.0.2.1:80/tcp', 'address': '192.0.2.1:80/tcp', 'what': "
		"'changed', 'differences': [{'field': 'health.fall', 'from': 3, 'to': 5}, "
		"{'field': 'on_unhealthy', 'from': 'keep', 'to': 'reset'}]}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_documents_do_not_differ),
		cmocka_unit_test(fields_of_a_vip_are_named_with_both_values),
		cmocka_unit_test(backends_are_compared_by_their_address),
		cmocka_unit_test(name_that_comes_or_goes_is_a_difference),
		cmocka_unit_test(vips_that_come_and_go_are_told_apart),
		cmocka_unit_test(objects_within_are_compared_field_by_field),
		cmocka_unit_test(health_of_a_vip_is_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
