/* SPDX-License-Identifier: BSD-2-Clause */
/* Does lbd/api survive every single allocation failing, without a crash, a leak or half a change?
 *
 * The code under test is included below, so that its allocations can be made to fail; jansson's are
 * by its own hook. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static long allocations_left; /* before the next one fails, once */

static bool fails_now(void)
{
	return allocations_left-- == 0;
}

static void *failing_malloc(size_t size)
{
	return fails_now() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : realloc(old, size);
}

static char *failing_strdup(const char *text)
{
	return fails_now() ? NULL : strdup(text);
}

#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc
#define strdup failing_strdup
#include "../../lbd/api/schema.c"
#include "../../lbd/api/health.c"
#include "../../lbd/api/model.c"
#include "../../lbd/api/model_fields.c"
#include "../../lbd/api/rpc.c"
#undef malloc
#undef calloc
#undef realloc
#undef strdup

#define DOCUMENT                                                                                   \
	"{\"vips\":[{\"address\":\"192.0.2.10:443/tcp\",\"name\":\"web\",\"backends\":["           \
	"{\"address\":\"10.0.0.3\"},{\"address\":\"10.0.0.1\"}],\"on_unhealthy\":\"reset\","       \
	"\"health\":{\"type\":\"http\",\"path\":\"/up\",\"host\":\"a\",\"body\":\"ok\"}},"         \
	"{\"address\":\"192.0.2.10:53/udp\",\"health\":{\"type\":\"udp\",\"payload\":\"a\","       \
	"\"expect\":\"hex:0102\"}},{\"address\":\"192.0.2.10:54/udp\",\"health\":{\"type\":"       \
	"\"exec\",\"command\":[\"/bin/true\",\"x\"]}},"                                            \
	"{\"address\":\"[2001:db8::1]:53/udp\"},{\"address\":\"[2001:db8::1]:443/tcp\","           \
	"\"pool\":\"p\"}],\"pools\":[{\"name\":\"p\",\"health\":{\"type\":\"http\"},"              \
	"\"backends\":[{\"address\":\"10.0.0.7\"}]}]}"

#define VIPS 5

static json_t *document;

/* Each scenario does one thing, checks that a failure changed nothing, and tells whether it
 * succeeded. */
static bool reads_a_document(void)
{
	struct lb_service *service;
	struct lb_err err;

	if (lb_service_from_json(document, &service, &err)) {
		assert_int_equal(err.code, LB_ERR_SYSTEM);
		assert_string_equal(err.message, "out of memory");
		assert_null(service);
		return false;
	}
	assert_int_equal(service->vip_count, VIPS);
	lb_service_free(service);
	return true;
}

/* Made without failures, whatever is to come. */
static struct lb_service *safe_service(void)
{
	long kept = allocations_left;
	struct lb_service *service;

	allocations_left = -1;
	assert_int_equal(lb_service_from_json(document, &service, NULL), 0);
	allocations_left = kept;
	return service;
}

static bool copies_and_writes_a_document(void)
{
	struct lb_service *service = safe_service();
	struct lb_service *copy = lb_service_copy(service);
	json_t *written = lb_service_to_json(service);
	bool done = copy && written;

	if (copy)
		assert_int_equal(copy->vip_count, VIPS);
	lb_service_free(copy);
	lb_service_free(service);
	json_decref(written);
	return done;
}

static bool edits_a_document(void)
{
	struct lb_service *service = safe_service();
	struct lb_backend backend = {.address = {.family = 4, .bytes = {10, 0, 0, 2}}, .weight = 1};
	json_t *added_vip = json_pack("{s:s}", "address", "192.0.2.11:0/tcp");
	struct lb_vip *web = lb_service_find(service, "web"), vip = {0}, *none;
	bool added = lb_pool_add_backend(web->pool, &backend, NULL) == 0;
	size_t vips = VIPS;

	assert_int_equal(web->pool->backend_count, added ? 3 : 2);
	if (!added_vip || schema_read(&lb_vip_schema, added_vip, &vip, NULL) ||
	    lb_service_add_vip(service, &vip, NULL))
		added = false;
	else
		vips++;
	assert_int_equal(service->vip_count, vips);
	json_decref(added_vip);
	assert_int_equal(lb_service_get(service, "wbe", &none, NULL), -EINVAL);
	schema_clear(&lb_vip_schema, &vip);
	lb_service_free(service);
	return added;
}

static bool edits_a_check(void)
{
	struct lb_service *service = safe_service();
	struct lb_vip *web = lb_service_find(service, "web");
	json_t *edit = json_loads("{\"health\":{\"interval_ms\":200}}", 0, NULL);
	bool done = edit && !schema_edit(&lb_vip_schema, edit, web, NULL);

	assert_int_equal(web->pool->health.interval_ms, done ? 200 : 1000);
	assert_int_equal(web->pool->backend_count, 2);
	assert_string_equal(web->pool->health.path, "/up");
	json_decref(edit);
	lb_service_free(service);
	return done;
}

static bool reads_a_request(void)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}";
	struct lb_request request;
	struct lb_err err;
	bool done = lb_request_parse(line, strlen(line), &request, &err) == 0;

	/* In the middle of the text jansson takes a lack of memory for a fault of the text. */
	if (!done)
		assert_true(err.code == LB_ERR_SYSTEM || err.code == LB_ERR_PARSE);
	lb_request_clear(&request);
	return done;
}

static bool writes_lines(void)
{
	struct lb_err err;
	char *lines[3];
	bool done = true;

	lb_err_set(&err, LB_ERR_PARAMS, "path", "message");
	lb_err_hint(&err, "hint");
	lines[0] = lb_request_line(1, "m", document);
	lines[1] = lb_result_line(document, document);
	lines[2] = lb_error_line(document, &err);
	for (size_t i = 0; i < 3; i++) {
		if (!lines[i])
			done = false;
		else
			assert_int_equal(lines[i][strlen(lines[i]) - 1], '\n');
		free(lines[i]);
	}
	return done;
}

static bool reads_a_reply(void)
{
	static const char line[] = "{\"id\":1,\"result\":{\"a\":[1,2,\"x\"]}}";
	json_t *result;
	bool done = lb_reply_parse(line, strlen(line), 1, &result, NULL) == 0;

	json_decref(result);
	return done;
}

static void expect_survival(bool (*scenario)(void))
{
	bool failed = false;

	for (long n = 0;; n++) {
		bool done;

		allocations_left = n;
		done = scenario();
		failed |= !done;
		if (allocations_left >= 0) { /* it never got to the failure: all have been tried */
			assert_true(done);
			break;
		}
		assert_true(n < 10000);
	}
	allocations_left = -1;
	assert_true(failed);
}

#define SURVIVAL_TEST(scenario)                                                                    \
	static void scenario##_or_fails_whole(void **state)                                        \
	{                                                                                          \
		(void)state;                                                                       \
		expect_survival(scenario);                                                         \
	}

SURVIVAL_TEST(reads_a_document)
SURVIVAL_TEST(copies_and_writes_a_document)
SURVIVAL_TEST(edits_a_document)
SURVIVAL_TEST(edits_a_check)
SURVIVAL_TEST(reads_a_request)
SURVIVAL_TEST(writes_lines)
SURVIVAL_TEST(reads_a_reply)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_document_or_fails_whole),
		cmocka_unit_test(copies_and_writes_a_document_or_fails_whole),
		cmocka_unit_test(edits_a_document_or_fails_whole),
		cmocka_unit_test(edits_a_check_or_fails_whole),
		cmocka_unit_test(reads_a_request_or_fails_whole),
		cmocka_unit_test(writes_lines_or_fails_whole),
		cmocka_unit_test(reads_a_reply_or_fails_whole),
	};
	int failures;

	allocations_left = -1;
	json_set_alloc_funcs(failing_malloc, free);
	document = json_loads(DOCUMENT, 0, NULL);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(document);
	return failures;
}
