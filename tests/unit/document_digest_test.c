/* SPDX-License-Identifier: BSD-2-Clause */
/* Do documents have the same digest exactly when they say the same? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../lbd/service/document_digest.h"
#include "../../lbd/service/siphash.h"

/* The first of the vectors in the authors' reference implementation: bytes 0, 1, 2, … by the key 0,
 * 1, …, 15. */
static void siphash_gives_the_published_values(void **state)
{
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	static const uint64_t expected[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd,
					    0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d};
	unsigned char bytes[16];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (size_t length = 0; length < 4; length++)
		assert_int_equal(siphash(key, bytes, length), expected[length]);
	assert_int_equal(siphash(key, bytes, 8), 0x93f5f5799a932462);
	assert_int_equal(siphash(key, bytes, 15), 0xa129ca6149be45e5);
}

static uint64_t digest_of(const json_t *document)
{
	struct lb_service *service;
	struct lb_err err = {0};
	uint64_t digest;

	if (lb_service_from_json(document, &service, &err))
		fail_msg("%s at %s", err.message, err.path);
	assert_int_equal(document_digest(service, &digest), 0);
	lb_service_free(service);
	return digest;
}

static uint64_t digest_of_text(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);
	uint64_t digest;

	assert_non_null(document);
	digest = digest_of(document);
	json_decref(document);
	return digest;
}

#define WEB "{\"name\": \"web\", \"address\": \"192.0.2.10:443/tcp\", \"backends\": "
#define DNS "{\"address\": \"192.0.2.10:53/udp\"}"

static void same_document_in_other_words_has_the_same_digest(void **state)
{
	uint64_t digest = digest_of_text(
		"{\"vips\": [" WEB
		"[{\"address\": \"10.0.0.2\"}, {\"address\": \"10.0.0.3\"}]}, " DNS "]}");

	(void)state;
	assert_int_equal(digest,
			 digest_of_text("{\"digest\": \"of another one\", \"vips\": [" DNS ", " WEB
					"[{\"weight\": 1, \"address\": \"10.0.0.3\"}, "
					"{\"drain\": false, \"address\": \"10.0.0.2\"}], "
					"\"table\": \"rendezvous\", \"transition_s\": 900}]}"));
}

/* Every value that a document of one VIP can have, each with another one. */
static const struct {
	const char *field; /* of the VIP, or of its backend, or of its health check */
	const char *part;  /* NULL, "backends", "health" */
	const char *value; /* JSON */
} changes[] = {
	{"name", NULL, "\"shop\""},
	{"address", NULL, "\"192.0.2.10:444/tcp\""},
	{"address", NULL, "\"192.0.2.10:443/sctp\""},
	{"table", NULL, "\"maglev\""},
	{"table_size", NULL, "251"},
	{"transition_s", NULL, "7"},
	{"flow_idle_s", NULL, "1000"},
	{"encap", NULL, "\"gue\""},
	{"hash", NULL, "\"source\""},
	{"fragments", NULL, "\"drop\""},
	{"on_unhealthy", NULL, "\"reset\""},
	{"when_all_unhealthy", NULL, "\"drop\""},
	{"backends", NULL, "[]"},
	{"health", NULL, "{\"type\": \"tcp\"}"},
	{"address", "backends", "\"10.0.0.9\""},
	{"weight", "backends", "2"},
	{"drain", "backends", "true"},
	{"port", "health", "8080"},
	{"interval_ms", "health", "2000"},
	{"timeout_ms", "health", "100"},
	{"rise", "health", "7"},
	{"fall", "health", "7"},
	{"path", "health", "\"/up\""},
	{"body", "health", "\"ok\""},
	{"source", "health", "\"tunnel\""},
};

static void change(json_t *document, size_t i)
{
	json_t *vip = json_array_get(json_object_get(document, "vips"), 0), *object = vip;
	json_t *value = json_loads(changes[i].value, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	if (changes[i].part)
		object = json_object_get(vip, changes[i].part);
	if (json_is_array(object))
		object = json_array_get(object, 0);
	assert_int_equal(json_object_set_new(object, changes[i].field, value), 0);
}

static void every_field_counts(void **state)
{
	static const char text[] = "{\"vips\": [" WEB "[{\"address\": \"10.0.0.2\"}], "
				   "\"health\": {\"type\": \"http\"}}]}";
	const size_t count = sizeof(changes) / sizeof(*changes);
	uint64_t seen[sizeof(changes) / sizeof(*changes) + 1];

	(void)state;
	seen[count] = digest_of_text(text);
	for (size_t i = 0; i < count; i++) {
		json_t *document = json_loads(text, 0, NULL);

		change(document, i);
		seen[i] = digest_of(document);
		json_decref(document);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
		assert_int_not_equal(seen[i], seen[count]);
	}
}

static void pools_count(void **state)
{
	static const char *const texts[] = {
		"{\"pools\": [{\"name\": \"p\"}], \"vips\": []}",
		"{\"pools\": [{\"name\": \"q\"}], \"vips\": []}",
		"{\"pools\": [{\"name\": \"p\", \"backends\": [{\"address\": \"10.0.0.2\"}]}], "
		"\"vips\": []}",
		"{\"pools\": [{\"name\": \"p\"}], \"vips\": [{\"address\": "
		"\"192.0.2.1:80/tcp\", \"pool\": \"p\"}]}",
		"{\"pools\": [{\"name\": \"p\"}], \"vips\": [{\"address\": "
		"\"192.0.2.1:80/tcp\"}]}",
		"{\"vips\": []}",
	};
	uint64_t seen[sizeof(texts) / sizeof(*texts)];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		seen[i] = digest_of_text(texts[i]);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
	}
}

static void document_may_be_put_together_from_its_vips(void **state)
{
	struct lb_service *service;
	json_t *document = json_loads("{\"vips\": [" WEB "[]}, " DNS "]}", 0, NULL);
	uint64_t vips[2], whole;
	char text[DIGEST_TEXT];

	(void)state;
	assert_int_equal(lb_service_from_json(document, &service, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(vip_digest(&service->vips[i], &vips[i]), 0);
	assert_int_equal(document_digest(service, &whole), 0);
	assert_int_equal(digest_of_digests(vips, 2), whole);
	assert_int_not_equal(digest_of_digests(vips, 1), whole);
	assert_int_equal(strlen(digest_text(1, text)), 16);
	assert_string_equal(text, "0000000000000001");
	lb_service_free(service);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_published_values),
		cmocka_unit_test(same_document_in_other_words_has_the_same_digest),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(pools_count),
		cmocka_unit_test(document_may_be_put_together_from_its_vips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
