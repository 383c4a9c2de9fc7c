/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a document says of a VIP's health read, kept, changed, compared and written back, whole? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/api/model.h"
#include "../../lbd/service/plan.h"

/* With ' for ". */
static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, JSON_DECODE_ANY, NULL);
	if (!value)
		fail_msg("the test's own JSON is wrong: %s", copy);
	free(copy);
	return value;
}

static struct lb_service *service_of(const char *text)
{
	json_t *document = parse(text);
	struct lb_service *service;
	struct lb_err err = {0};

	if (lb_service_from_json(document, &service, &err))
		fail_msg("%s at %s", err.message, err.path);
	json_decref(document);
	return service;
}

#define VIP(fields) "{'vips':[{'address':'192.0.2.1:80/tcp'," fields "'backends':[]}]}"
#define HTTP "'health':{'type':'http','path':'/up','host':'a.example','body':'ok'},"

static void assert_written(const struct lb_service *service, const char *field,
			   const char *expected)
{
	json_t *document = lb_service_to_json(service);
	json_t *value =
		json_object_get(json_array_get(json_object_get(document, "vips"), 0), field);
	json_t *wanted = expected ? parse(expected) : NULL;
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (wanted ? !json_equal(value, wanted) : !!value)
		fail_msg("%s: %s, not %s", field, text, expected);
	free(text);
	json_decref(wanted);
	json_decref(document);
}

static void what_is_left_out_is_no_check(void **state)
{
	struct lb_service *service = service_of(VIP(""));

	(void)state;
	assert_int_equal(service->vips[0].pool->health.kind, LB_HEALTH_NONE);
	assert_int_equal(service->vips[0].pool->on_unhealthy, LB_ON_UNHEALTHY_KEEP);
	assert_int_equal(service->vips[0].pool->when_all_unhealthy, LB_ALL_UNHEALTHY_USE_ALL);
	assert_written(service, "health", NULL);
	assert_written(service, "on_unhealthy", NULL);
	assert_written(service, "when_all_unhealthy", NULL);
	lb_service_free(service);
}

static void a_check_is_written_in_full_with_what_follows_from_it(void **state)
{
	struct lb_service *service = service_of(VIP("'health':{'type':'tcp'},"));

	(void)state;
	assert_written(service, "health",
		       "{'type':'tcp','source':'direct','interval_ms':1000,'timeout_ms':1000,"
		       "'rise':2,'fall':3,'jitter_percent':10}");
	assert_written(service, "on_unhealthy", "'keep'");
	assert_written(service, "when_all_unhealthy", "'use_all'");
	lb_service_free(service);
	service = service_of(VIP("'on_unhealthy':'reset','when_all_unhealthy':'drop',"));
	assert_written(service, "on_unhealthy", "'reset'");
	assert_written(service, "when_all_unhealthy", "'drop'");
	lb_service_free(service);
}

static void what_was_exported_changes_nothing(void **state)
{
	static const char *const texts[] = {
		VIP(""),
		VIP(HTTP "'on_unhealthy':'reset',"),
		VIP(HTTP "'when_all_unhealthy':'drop',"),
		VIP("'health':{'type':'exec','command':['/bin/true','a b']},"),
		VIP("'health':{'type':'udp','payload':'a\\\\x00','expect':'hex:00ff'},"),
		VIP("'health':{'type':'tcp','source':'tunnel','port':81,'interval_ms':500},"),
		VIP("'when_all_unhealthy':'drop',"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct lb_service *service = service_of(texts[i]), *again, *copy;
		json_t *document = lb_service_to_json(service);
		struct plan_step *steps;
		size_t count;

		assert_int_equal(lb_service_from_json(document, &again, NULL), 0);
		copy = lb_service_copy(again);
		lb_service_free(again); /* the copy stands on its own */
		assert_int_equal(plan_diff(service, copy, &steps, &count), 0);
		assert_int_equal(count, 1);
		assert_int_equal(steps[0].what, PLAN_UNCHANGED);
		free(steps);
		json_decref(document);
		lb_service_free(copy);
		lb_service_free(service);
	}
}

static void any_difference_in_health_is_a_change(void **state)
{
	static const char *const texts[] = {
		VIP(""),
		VIP(HTTP),
		VIP(HTTP "'on_unhealthy':'reset',"),
		VIP(HTTP "'when_all_unhealthy':'drop',"),
		VIP("'health':{'type':'http','path':'/up','host':'a.example','body':'ko'},"),
	};
	const size_t n = sizeof(texts) / sizeof(*texts);

	(void)state;
	for (size_t i = 0; i < n * n; i++) {
		struct lb_service *a = service_of(texts[i / n]), *b = service_of(texts[i % n]);
		struct plan_step *steps;
		size_t count;

		assert_int_equal(plan_diff(a, b, &steps, &count), 0);
		assert_int_equal(steps[0].what, i / n == i % n ? PLAN_UNCHANGED : PLAN_CHANGED);
		free(steps);
		lb_service_free(a);
		lb_service_free(b);
	}
}

static void assert_refused(const char *text, const char *path, const char *message)
{
	json_t *document = parse(text);
	struct lb_service *service;
	struct lb_err err = {0};

	assert_int_not_equal(lb_service_from_json(document, &service, &err), 0);
	assert_string_equal(err.path, path);
	assert_string_equal(err.message, message);
	json_decref(document);
}

static void faults_are_named_with_their_path(void **state)
{
	(void)state;
	assert_refused(VIP("'health':{'type':'ping'},"), "vips[0].health.type",
		       "type must be tcp, http, udp or exec, not \"ping\"");
	assert_refused(VIP("'health':{'type':'tcp','interval_ms':99},"),
		       "vips[0].health.interval_ms", "interval_ms must be 100 to 3600000, not 99");
	assert_refused(VIP("'health':{'interval_ms':200},"), "vips[0].health.type",
		       "there is no health check that could be changed");
	assert_refused(VIP("'health':null,"), "vips[0].health",
		       "health must be an object, not null");
	assert_refused(VIP("'on_unhealthy':'rest',"), "vips[0].on_unhealthy",
		       "on_unhealthy must be keep or reset, not \"rest\"");
	assert_refused(VIP("'when_all_unhealthy':'all',"), "vips[0].when_all_unhealthy",
		       "when_all_unhealthy must be use_all or drop, not \"all\"");
	assert_refused("{'vips':[{'address':'192.0.2.1:0/tcp','health':{'type':'tcp'}}]}",
		       "vips[0].health.port", "port is missing");
}

/* --- changing what is there --- */

static int edit(struct lb_service *service, const char *health, struct lb_err *err)
{
	json_t *value = json_pack("{s:o}", "health", parse(health));
	int error = schema_edit(&lb_vip_schema, value, &service->vips[0], err);

	json_decref(value);
	return error;
}

static void a_check_with_a_type_is_a_new_one(void **state)
{
	struct lb_service *service = service_of(VIP("'health':{'type':'http','rise':7},"));

	(void)state;
	assert_int_equal(edit(service, "{'type':'http','path':'/x'}", NULL), 0);
	assert_string_equal(service->vips[0].pool->health.path, "/x");
	assert_int_equal(service->vips[0].pool->health.rise, LB_HEALTH_RISE);
	assert_int_equal(edit(service, "{'type':'tcp'}", NULL), 0);
	assert_int_equal(service->vips[0].pool->health.kind, LB_HEALTH_TCP);
	assert_null(service->vips[0].pool->health.path);
	assert_int_equal(edit(service, "null", NULL), 0);
	assert_int_equal(service->vips[0].pool->health.kind, LB_HEALTH_NONE);
	lb_service_free(service);
}

static void a_check_without_a_type_changes_what_it_names(void **state)
{
	struct lb_service *service = service_of(VIP(HTTP));
	const struct lb_vip *vip = &service->vips[0];

	(void)state;
	assert_int_equal(edit(service, "{'interval_ms':2000,'fall':5,'body':null}", NULL), 0);
	assert_int_equal(vip->pool->health.interval_ms, 2000);
	assert_int_equal(vip->pool->health.timeout_ms, 1000);
	assert_int_equal(vip->pool->health.fall, 5);
	assert_null(vip->pool->health.body);
	assert_string_equal(vip->pool->health.path, "/up");
	assert_string_equal(vip->pool->health.host, "a.example");
	lb_service_free(service);
}

static void a_short_interval_shortens_the_timeout_unless_that_is_given(void **state)
{
	struct lb_service *service = service_of(VIP(HTTP));
	const struct lb_vip *vip = &service->vips[0];
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(edit(service, "{'interval_ms':200}", NULL), 0);
	assert_int_equal(vip->pool->health.timeout_ms, 200);
	assert_int_not_equal(edit(service, "{'interval_ms':200,'timeout_ms':300}", &err), 0);
	assert_string_equal(err.path, "health.timeout_ms");
	lb_service_free(service);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct lb_service *service = service_of(VIP(HTTP));
	struct lb_vip *vip = &service->vips[0];
	struct lb_err err = {0};
	json_t *wrong = parse("{'health':{'type':'tcp'},'when_all_unhealthy':'drop','on_unhealthy':"
			      "'wrong'}");
	json_t *drop = parse("{'when_all_unhealthy':'drop'}");

	(void)state;
	assert_int_not_equal(edit(service, "{'rise':0}", &err), 0);
	assert_string_equal(err.path, "health.rise");
	assert_int_not_equal(edit(service, "[]", &err), 0);
	assert_int_not_equal(schema_edit(&lb_vip_schema, wrong, vip, &err), 0);
	assert_int_equal(vip->pool->health.kind, LB_HEALTH_HTTP);
	assert_int_equal(vip->pool->when_all_unhealthy, LB_ALL_UNHEALTHY_USE_ALL);
	assert_int_equal(schema_edit(&lb_vip_schema, drop, vip, &err), 0);
	assert_int_equal(vip->pool->when_all_unhealthy, LB_ALL_UNHEALTHY_DROP);
	assert_int_equal(vip->pool->health.kind, LB_HEALTH_HTTP);
	json_decref(wrong);
	json_decref(drop);
	lb_service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_is_no_check),
		cmocka_unit_test(a_check_is_written_in_full_with_what_follows_from_it),
		cmocka_unit_test(what_was_exported_changes_nothing),
		cmocka_unit_test(any_difference_in_health_is_a_change),
		cmocka_unit_test(faults_are_named_with_their_path),
		cmocka_unit_test(a_check_with_a_type_is_a_new_one),
		cmocka_unit_test(a_check_without_a_type_changes_what_it_names),
		cmocka_unit_test(a_short_interval_shortens_the_timeout_unless_that_is_given),
		cmocka_unit_test(what_is_refused_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
