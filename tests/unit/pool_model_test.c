/* SPDX-License-Identifier: BSD-2-Clause */
/* Do VIPs of a document share the pools that they name, and does nobody lose one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/api/model.h"

#define POOL(name) "{'name':'" name "','backends':[{'address':'10.0.0.2'}]}"
#define WEB "{'name':'web','address':'192.0.2.10:443/tcp','pool':'p'}"
#define DNS "{'name':'dns','address':'192.0.2.10:53/udp','pool':'p'}"
#define OWN "{'name':'own','address':'192.0.2.11:80/tcp','backends':[{'address':'10.0.0.9'}]}"
#define DOCUMENT "{'vips':[" OWN "," WEB "," DNS "],'pools':[" POOL("q") "," POOL("p") "]}"

/* With ' for ". */
static json_t *parse(const char *text)
{
	char json[4096];
	size_t i;

	assert_true(strlen(text) < sizeof(json));
	for (i = 0; text[i]; i++)
		json[i] = text[i] == '\'' ? '"' : text[i];
	json[i] = '\0';
	return json_loads(json, JSON_REJECT_DUPLICATES, NULL);
}

static struct lb_service *service_of(const char *text)
{
	json_auto_t *document = parse(text);
	struct lb_service *service;
	struct lb_err err = {0};

	assert_non_null(document);
	if (lb_service_from_json(document, &service, &err))
		fail_msg("%s: %s", err.path, err.message);
	return service;
}

static void vips_share_the_pool_that_they_name(void **state)
{
	struct lb_service *service = service_of(DOCUMENT);
	struct lb_vip *web = lb_service_find(service, "web"),
		      *dns = lb_service_find(service, "dns");
	struct lb_vip *own = lb_service_find(service, "own");

	(void)state;
	assert_ptr_equal(web->pool, lb_service_find_pool(service, "p"));
	assert_ptr_equal(web->pool, dns->pool);
	assert_false(own->pool->named);
	assert_string_equal(own->pool->name, "own");
	assert_int_equal(lb_vip_transition_s(web), LB_TRANSITION_TCP_S);
	assert_int_equal(lb_vip_transition_s(dns), LB_TRANSITION_UDP_S);
	assert_int_equal(lb_vip_learn_s(dns), LB_TRANSITION_UDP_S / 2);
	lb_service_free(service);
}

static void a_copy_has_pools_of_its_own(void **state)
{
	struct lb_service *service = service_of(DOCUMENT), *copy = lb_service_copy(service);
	struct lb_vip *web = lb_service_find(copy, "web");

	(void)state;
	assert_ptr_equal(web->pool, lb_service_find_pool(copy, "p"));
	assert_ptr_not_equal(web->pool, lb_service_find_pool(service, "p"));
	lb_service_free(service);
	assert_int_equal(web->pool->backend_count, 1);
	lb_service_free(copy);
}

static void what_is_written_reads_as_the_same(void **state)
{
	struct lb_service *service = service_of(DOCUMENT), *again;
	json_auto_t *document = lb_service_to_json(service), *second;
	json_t *vip;
	size_t i;

	(void)state;
	json_array_foreach (json_object_get(document, "vips"), i, vip)
		assert_int_equal(json_object_get(vip, "pool") != NULL,
				 json_object_get(vip, "backends") == NULL);
	assert_int_equal(lb_service_from_json(document, &again, NULL), 0);
	second = lb_service_to_json(again);
	assert_true(json_equal(document, second));
	lb_service_free(again);
	lb_service_free(service);
}

static void a_document_without_pools_is_written_as_before(void **state)
{
	struct lb_service *service = service_of("{'vips':[" OWN "]}");
	json_auto_t *document = lb_service_to_json(service);

	(void)state;
	assert_null(json_object_get(document, "pools"));
	lb_service_free(service);
}

static void faults_are_refused_with_their_path(void **state)
{
	static const struct {
		const char *document, *path, *message;
	} rows[] = {
		{"{'vips':[" OWN "," WEB "]}", "vips[1].pool", "no pool \"p\""},
		{"{'pools':[" POOL("own") "],'vips':[" OWN "]}", "vips[0].name",
		 "name \"own\" is taken by a pool"},
		{"{'pools':[" POOL("p") "," POOL("p") "],'vips':[]}", "pools[1].name",
		 "same name as pools[0]"},
		{"{'pools':[" POOL("10.0.0.1") "],'vips':[]}", "pools[0].name",
		 "name must not be an address: \"10.0.0.1\""},
		{"{'pools':[{}],'vips':[]}", "pools[0].name", "name is missing"},
		{"{'pools':[" POOL("p") "],'vips':[{'address':'192.0.2.1:1/tcp','pool':'p',"
					"'backends':[]}]}",
		 "vips[0].backends", "a VIP has either pool or backends, not both"},
		{"{'pools':[" POOL("p") "],'vips':[{'address':'192.0.2.1:1/tcp','pool':'p',"
					"'transition_s':5}]}",
		 "vips[0].transition_s", "a VIP has either pool or transition_s, not both"},
		{"{'pools':[{'name':'p','datagram_transition_s':9,'datagram_flow_idle_s':8}],"
		 "'vips':[]}",
		 "pools[0].datagram_flow_idle_s",
		 "datagram_flow_idle_s must be at least datagram_transition_s, 9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_auto_t *document = parse(rows[i].document);
		struct lb_service *service;
		struct lb_err err = {0};

		assert_int_not_equal(lb_service_from_json(document, &service, &err), 0);
		assert_string_equal(err.path, rows[i].path);
		assert_string_equal(err.message, rows[i].message);
	}
}

static void a_check_without_a_port_does_not_fit_a_vip_for_every_port(void **state)
{
	struct lb_service *service =
		service_of("{'pools':[{'name':'p','health':{'type':'tcp'}}],'vips':["
			   "{'address':'192.0.2.1:0/tcp','name':'all','pool':'p'}]}");
	struct lb_err err = {0};

	(void)state;
	assert_int_not_equal(lb_service_check_health(service, &err), 0);
	assert_string_equal(err.path, "vips[0].pool");
	service->pools[0].health.port = 80;
	assert_int_equal(lb_service_check_health(service, &err), 0);
	lb_service_free(service);
}

static void a_check_without_a_port_needs_vips_of_one(void **state)
{
	struct lb_service *service =
		service_of("{'pools':[{'name':'p','health':{'type':'tcp'}}],'vips':["
			   "{'address':'192.0.2.1:80/tcp','pool':'p'},"
			   "{'address':'192.0.2.2:80/udp','pool':'p'},"
			   "{'address':'192.0.2.3:443/tcp','name':'tls','pool':'p'}]}");
	struct lb_err err = {0};

	(void)state;
	assert_int_not_equal(lb_service_check_health(service, &err), 0);
	assert_string_equal(err.path, "vips[2].pool");
	assert_string_equal(err.message, "the check of pool \"p\" has no port, and its VIPs have "
					 "several: 80 (\"192.0.2.1:80/tcp\") and 443 (\"tls\")");
	service->pools[0].health.port = 8080;
	assert_int_equal(lb_service_check_health(service, &err), 0);
	service->pools[0].health.port = 0;
	assert_int_equal(lb_service_del_vip(service, "tls", NULL), 0);
	assert_int_equal(lb_service_check_health(service, &err), 0);
	lb_service_free(service);
}

static void a_backend_of_a_pool_cannot_be_a_vip(void **state)
{
	struct lb_service *service =
		service_of("{'pools':[" POOL("p") "],'vips':[{'address':'10.0.0.2:1/tcp'}]}");
	struct lb_err err = {0};

	(void)state;
	assert_int_not_equal(lb_service_check_backends(service, &err), 0);
	assert_string_equal(err.path, "pools[0].backends[0]");
	lb_service_free(service);
}

static int set(struct lb_service *service, const char *vip, const char *change, struct lb_err *err)
{
	json_auto_t *json = parse(change);

	return lb_service_set_vip(service, lb_service_find(service, vip), json, err);
}

static void a_vip_moves_between_pools(void **state)
{
	struct lb_service *service = service_of(DOCUMENT);
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(set(service, "web", "{'pool':'q'}", &err), 0);
	assert_string_equal(lb_service_find(service, "web")->pool->name, "q");
	assert_int_equal(set(service, "own", "{'pool':'q'}", &err), 0); /* gives its own up */
	assert_string_equal(lb_service_find(service, "own")->pool->name, "q");
	assert_int_not_equal(set(service, "web", "{'pool':'qq'}", &err), 0);
	assert_string_equal(err.message, "no pool \"qq\"");
	assert_string_equal(err.path, "pool");
	assert_int_not_equal(set(service, "web", "{'table':'maglev'}", &err), 0);
	assert_string_equal(err.path, "table");
	assert_string_equal(err.message, "table is a field of pool \"q\", which the VIP uses");
	assert_int_not_equal(set(service, "web", "{'pool':'p','transition_s':5}", &err), 0);
	assert_string_equal(err.message,
			    "transition_s is a field of pool \"p\", which the VIP uses");
	assert_int_not_equal(set(service, "web", "{'pool':'p','health':{'type':'tcp'}}", &err), 0);
	assert_string_equal(err.message, "health is a field of pool \"p\", which the VIP uses");
	assert_string_equal(lb_service_find(service, "web")->pool->name, "q");
	assert_int_equal(set(service, "web", "{'fragments':'drop'}", &err), 0);
	assert_string_equal(lb_service_find(service, "web")->pool->name, "q");
	lb_service_free(service);
}

static void names_of_pools_and_of_vips_with_their_own_differ(void **state)
{
	struct lb_service *service = service_of(DOCUMENT);
	struct lb_err err = {0};
	struct lb_pool pool = {.name = "own", .named = true};

	(void)state;
	assert_int_not_equal(set(service, "own", "{'name':'p'}", &err), 0);
	assert_string_equal(err.message, "name \"p\" is taken by a pool");
	assert_int_equal(set(service, "web", "{'name':'p'}", &err), 0);
	assert_int_not_equal(lb_service_add_pool(service, &pool, &err), 0);
	assert_string_equal(err.message, "name \"own\" is taken by VIP 192.0.2.11:80/tcp, which "
					 "has a pool of its own");
	lb_service_free(service);
}

static void vips_follow_their_pools_when_these_move(void **state)
{
	struct lb_service *service = service_of(DOCUMENT);
	struct lb_err err = {0};

	(void)state;
	for (char name = 'a'; name < 'o'; name++) {
		struct lb_pool pool = {.name = {name}, .named = true};

		assert_int_equal(lb_service_add_pool(service, &pool, &err), 0);
		assert_string_equal(lb_service_find(service, "web")->pool->name, "p");
	}
	assert_int_equal(service->pool_count, 16);
	assert_int_not_equal(lb_service_del_pool(service, "p", &err), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_string_equal(err.message, "pool \"p\" is used by 2 VIPs: dns, web");
	for (char name[2] = "a"; *name < 'o'; (*name)++)
		assert_int_equal(lb_service_del_pool(service, name, &err), 0);
	assert_int_equal(lb_service_del_pool(service, "q", &err), 0);
	assert_ptr_equal(lb_service_find(service, "dns")->pool, &service->pools[0]);
	lb_service_free(service);
}

static void a_vip_that_is_added_finds_its_pool(void **state)
{
	struct lb_service *service = service_of(DOCUMENT);
	json_auto_t *good = parse("{'address':'192.0.2.12:80/tcp','pool':'q'}");
	json_auto_t *bad = parse("{'address':'192.0.2.13:80/tcp','pool':'r'}");
	struct lb_vip vip;
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(schema_read(&lb_vip_schema, good, &vip, &err), 0);
	assert_int_equal(lb_service_add_vip(service, &vip, &err), 0);
	assert_string_equal(lb_service_find(service, "192.0.2.12:80/tcp")->pool->name, "q");
	assert_int_equal(schema_read(&lb_vip_schema, bad, &vip, &err), 0);
	assert_int_not_equal(lb_service_add_vip(service, &vip, &err), 0);
	assert_string_equal(err.path, "pool");
	schema_clear(&lb_vip_schema, &vip);
	lb_service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vips_share_the_pool_that_they_name),
		cmocka_unit_test(a_copy_has_pools_of_its_own),
		cmocka_unit_test(what_is_written_reads_as_the_same),
		cmocka_unit_test(a_document_without_pools_is_written_as_before),
		cmocka_unit_test(faults_are_refused_with_their_path),
		cmocka_unit_test(a_check_without_a_port_does_not_fit_a_vip_for_every_port),
		cmocka_unit_test(a_check_without_a_port_needs_vips_of_one),
		cmocka_unit_test(a_backend_of_a_pool_cannot_be_a_vip),
		cmocka_unit_test(a_vip_moves_between_pools),
		cmocka_unit_test(names_of_pools_and_of_vips_with_their_own_differ),
		cmocka_unit_test(vips_follow_their_pools_when_these_move),
		cmocka_unit_test(a_vip_that_is_added_finds_its_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
