/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the service document accept what is right, name every fault with its path, and come back as
 * it went? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "../../lbd/api/model.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define NAME63 "n23456789012345678901234567890123456789012345678901234567890123"

static json_t *parse_json(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!json)
		fail_msg("the test's own JSON is wrong: %s", text);
	return json;
}

static struct lb_service *parse_service(const char *text)
{
	json_auto_t *document = parse_json(text);
	struct lb_service *service;
	struct lb_err err;

	if (lb_service_from_json(document, &service, &err))
		fail_msg("%s: %s", err.path, err.message);
	return service;
}

static void assert_services_equal(const struct lb_service *a, const struct lb_service *b)
{
	assert_int_equal(a->vip_count, b->vip_count);
	for (size_t i = 0; i < a->vip_count; i++) {
		const struct lb_vip *left = &a->vips[i], *right = &b->vips[i];

		assert_string_equal(left->name, right->name);
		assert_int_equal(lb_endpoint_compare(&left->endpoint, &right->endpoint), 0);
		assert_int_equal(left->pool->table, right->pool->table);
		assert_int_equal(left->pool->table_size, right->pool->table_size);
		assert_int_equal(left->pool->transition_s, right->pool->transition_s);
		assert_int_equal(left->pool->flow_idle_s, right->pool->flow_idle_s);
		assert_int_equal(left->pool->encap, right->pool->encap);
		assert_int_equal(left->hash, right->hash);
		assert_int_equal(left->fragments, right->fragments);
		assert_int_equal(left->pool->backend_count, right->pool->backend_count);
		for (size_t j = 0; j < left->pool->backend_count; j++) {
			assert_true(lb_addr_equal(&left->pool->backends[j].address,
						  &right->pool->backends[j].address));
			assert_int_equal(left->pool->backends[j].weight,
					 right->pool->backends[j].weight);
		}
	}
}

/* --- documents that are right --- */

static void what_is_left_out_gets_its_default(void **state)
{
	struct lb_service *service = parse_service(
		"{\"vips\":[{\"address\":\"[2001:DB8::1]:0/udp\","
		"\"backends\":[{\"address\":\"10.0.0.2\"}]},{\"address\":\"192.0.2.1:1/tcp\"}]}");

	(void)state;
	assert_int_equal(service->vip_count, 2);
	assert_string_equal(service->vips[0].name, "192.0.2.1:1/tcp");
	assert_int_equal(service->vips[0].pool->backend_count, 0);
	assert_string_equal(service->vips[1].name, "[2001:db8::1]:0/udp");
	assert_int_equal(service->vips[1].pool->table, LB_TABLE_RENDEZVOUS);
	assert_int_equal(service->vips[1].pool->table_size, 65537);
	assert_int_equal(service->vips[1].pool->encap, LB_ENCAP_IPIP);
	assert_int_equal(service->vips[1].hash, LB_HASH_5TUPLE);
	assert_int_equal(service->vips[1].fragments, LB_FRAGMENTS_TRACK);
	assert_int_equal(service->vips[1].pool->backends[0].weight, 1);
	lb_service_free(service);
}

static void documents_that_are_right_are_accepted(void **state)
{
	static const char *const rows[] = {
		"{\"vips\":[]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"backends\":[]}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"name\":\"" NAME63 "\"}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"name\":\"A.b_c-9\"}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"name\":\"fe80\"}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:3868/sctp\",\"encap\":\"gue\","
		"\"hash\":\"source\",\"fragments\":\"3-tuple\"}]}",
		/* its own address as a name, in any spelling: as good as none */
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"name\":\"192.0.2.1:1/tcp\"}]}",
		"{\"vips\":[{\"address\":\"[2001:db8::1]:1/tcp\",\"name\":\"[2001:DB8:0::1]:1/"
		"tcp\"}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"table_size\":251}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/"
		"tcp\",\"table_size\":1048573,\"table\":\"maglev\"}]}",
		"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"backends\":["
		"{\"address\":\"10.0.0.1\",\"weight\":0},{\"address\":\"10.0.0.2\",\"weight\":"
		"10000},"
		"{\"address\":\"2001:db8::2\"}]}]}",
		/* a VIP on every port and one on a port of the same address */
		"{\"vips\":[{\"address\":\"192.0.2.1:0/tcp\"},{\"address\":\"192.0.2.1:80/tcp\"},"
		"{\"address\":\"192.0.2.1:80/udp\"}]}",
		/* one backend in two VIPs */
		"{\"vips\":[{\"address\":\"192.0.2.1:1/"
		"tcp\",\"backends\":[{\"address\":\"10.0.0.1\"}]},"
		"{\"address\":\"192.0.2.2:1/tcp\",\"backends\":[{\"address\":\"10.0.0.1\"}]}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		lb_service_free(parse_service(rows[i]));
}

static void a_document_is_written_sorted_and_in_full(void **state)
{
	struct lb_service *service = parse_service(
		"{\"vips\":[{\"address\":\"192.0.2.2:1/udp\",\"name\":\"b\",\"table\":\"maglev\","
		"\"encap\":\"gue\",\"hash\":\"source-port\",\"fragments\":\"drop\","
		"\"announce\":false,\"announce_healthy\":2,\"announce_share_percent\":50,"
		"\"flow_idle_s\":120,\"table_size\":251},{\"address\":\"192.0.2.1:1/"
		"tcp\",\"backends\":["
		"{\"address\":\"2001:db8::1\"},{\"address\":\"10.0.0.2\",\"weight\":0,\"drain\":"
		"true},"
		"{\"address\":\"9.0.0.2\",\"weight\":7}]}]}");
	json_auto_t *document = lb_service_to_json(service);
	char *text = json_dumps(document, JSON_COMPACT);

	(void)state;
	assert_string_equal(text,
			    "{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\",\"table\":\"rendezvous\","
			    "\"table_size\":65537,\"transition_s\":900,\"flow_idle_s\":900,"
			    "\"encap\":\"ipip\",\"hash\":\"5-tuple\",\"fragments\":\"track\","
			    "\"backends\":[{\"address\":\"9.0.0.2\",\"weight\":7,\"drain\":false},"
			    "{\"address\":\"10.0.0.2\",\"weight\":0,\"drain\":true},"
			    "{\"address\":\"2001:db8::1\",\"weight\":1,\"drain\":false}]},"
			    "{\"name\":\"b\",\"address\":\"192.0.2.2:1/udp\",\"table\":\"maglev\","
			    "\"table_size\":251,\"transition_s\":60,\"flow_idle_s\":120,"
			    "\"encap\":\"gue\",\"hash\":\"source-port\",\"fragments\":\"drop\","
			    "\"announce\":false,\"announce_healthy\":2,"
			    "\"announce_share_percent\":50,\"backends\":[]}]}");
	free(text);
	lb_service_free(service);
}

static void assert_quic(const char *json, const char *path, const char *message)
{
	struct lb_service *service = parse_service(json);
	struct lb_err err = {0};

	assert_int_equal(lb_service_check_quic(service, &err), *path ? -EINVAL : 0);
	assert_string_equal(err.path, path);
	assert_string_equal(err.message, message);
	assert_int_equal(err.hint[0] != 0, *path != 0);
	lb_service_free(service);
}

#define QUIC_VIP(more) "{\"address\":\"192.0.2.1:443/udp\"," more "}"
#define QUIC_BACKEND(last, id) "{\"address\":\"10.0.0." last "\",\"quic_server_id\":\"" id "\"}"

static void quic_server_ids_fit_together(void **state)
{
	(void)state;
	assert_quic(
		"{\"vips\":[" QUIC_VIP("\"quic\":[{}],\"backends\":[" QUIC_BACKEND(
			"1",
			"0000000000000001") "," QUIC_BACKEND("2",
							     "0000000000000002") ",{\"address\":"
										 "\"10.0.0.3\"},{"
										 "\"address\":\"10."
										 "0.0.4\"}]") "]}",
		"", "");
	assert_quic(
		"{\"vips\":[" QUIC_VIP("\"backends\":[" QUIC_BACKEND("1", "0001") "," QUIC_BACKEND(
			"2", "0002") "," QUIC_BACKEND("3", "0001") "]") "]}",
		"vips[0].backends[2].quic_server_id",
		"backend 10.0.0.1 has server id 0001 already");
	assert_quic("{\"pools\":[{\"name\":\"p\",\"backends\":[" QUIC_BACKEND(
			    "1", "AABB") "," QUIC_BACKEND("2", "aabb") "]}],\"vips\":[]}",
		    "pools[0].backends[1].quic_server_id",
		    "backend 10.0.0.1 has server id aabb already");
	assert_quic("{\"vips\":[" QUIC_VIP(
			    "\"quic\":[{\"sid_length\":2},{\"cr\":3}],\"backends\":[" QUIC_BACKEND(
				    "1", "0001") "]") "]}",
		    "vips[0].quic[1].sid_length",
		    "sid_length of VIP 192.0.2.1:443/udp is 8, and the server id of backend "
		    "10.0.0.1 has 2 bytes");
}

/* All nodes make the same one, and none twice. */
static void a_quic_server_id_is_made_of_the_address(void **state)
{
	struct lb_service *service =
		parse_service("{\"vips\":[" QUIC_VIP("\"quic\":[{\"sid_length\":2}]") "]}");
	struct lb_pool *pool = service->vips[0].pool;
	struct lb_backend backend = {.address.family = 4, .weight = 1};
	struct lb_quic_server_id first, again;
	struct lb_err err;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		backend.address.bytes[2] = (uint8_t)(i >> 8);
		backend.address.bytes[3] = (uint8_t)i;
		backend.quic_server_id = lb_service_quic_id(service, pool, &backend.address);
		assert_int_equal(backend.quic_server_id.length, 2);
		assert_int_equal(lb_pool_add_backend(pool, &backend, &err), 0);
	}
	assert_int_equal(lb_service_check_quic(service, &err), 0);
	first = pool->backends[0].quic_server_id;
	again = lb_service_quic_id(service, pool, &pool->backends[0].address);
	assert_memory_equal(&first, &again, sizeof(first));
	lb_service_free(service);
}

/* "" for none, else the path of the fault. */
static void assert_fragments(const char *vips, const char *path)
{
	char text[1024];
	struct lb_service *service;
	struct lb_err err = {0};

	snprintf(text, sizeof(text), "{\"vips\":[%s]}", vips);
	service = parse_service(text);
	assert_int_equal(lb_service_check_fragments(service, &err), *path ? -EINVAL : 0);
	assert_string_equal(err.path, path);
	assert_int_equal(err.hint[0] != 0, *path != 0);
	lb_service_free(service);
}

#define FRAGMENTS(address, how) "{\"address\":\"" address "\",\"fragments\":\"" how "\"}"

static void fragments_without_ports_can_be_for_one_vip_only(void **state)
{
	(void)state;
	assert_fragments(FRAGMENTS("192.0.2.1:1/udp", "3-tuple"), "");
	assert_fragments(FRAGMENTS("192.0.2.1:0/udp", "3-tuple"), "");
	assert_fragments(
		FRAGMENTS("192.0.2.1:1/udp", "3-tuple") "," FRAGMENTS("192.0.2.1:2/udp", "track"),
		"");
	assert_fragments(
		FRAGMENTS("192.0.2.1:1/udp", "3-tuple") "," FRAGMENTS("192.0.2.1:1/tcp", "3-tuple"),
		"");
	assert_fragments(
		FRAGMENTS("192.0.2.1:1/udp", "3-tuple") "," FRAGMENTS("192.0.2.2:2/udp", "3-tuple"),
		"");
	assert_fragments(
		FRAGMENTS("192.0.2.1:1/udp", "3-tuple") "," FRAGMENTS("192.0.2.1:2/udp", "3-tuple"),
		"vips[1].fragments");
	assert_fragments(
		FRAGMENTS("192.0.2.1:0/udp", "drop") "," FRAGMENTS("192.0.2.1:2/udp", "3-tuple"),
		"vips[1].fragments");
	assert_fragments(
		FRAGMENTS("192.0.2.1:0/udp", "3-tuple") "," FRAGMENTS("192.0.2.1:2/udp", "track"),
		"");
}

static void fragments_without_ports_belong_to_the_vip_for_every_port_or_by_3_tuple(void **state)
{
	struct lb_service *service =
		parse_service("{\"vips\":[" FRAGMENTS("192.0.2.1:1/udp", "track") "," FRAGMENTS(
			"192.0.2.1:2/udp", "3-tuple") "," FRAGMENTS("192.0.2.2:0/tcp",
								    "drop") "]}");
	struct lb_endpoint endpoint = service->vips[0].endpoint;

	(void)state;
	assert_ptr_equal(lb_service_fragments_owner(service, &endpoint), &service->vips[1]);
	endpoint.protocol = 6;
	assert_null(lb_service_fragments_owner(service, &endpoint));
	endpoint = service->vips[2].endpoint;
	endpoint.port = 80;
	assert_ptr_equal(lb_service_fragments_owner(service, &endpoint), &service->vips[2]);
	endpoint.address.bytes[3] = 3;
	assert_null(lb_service_fragments_owner(service, &endpoint));
	lb_service_free(service);
}

static void a_vip_alone_shows_its_name_and_can_be_read_back(void **state)
{
	struct lb_service *service =
		parse_service("{\"vips\":[{\"address\":\"192.0.2.2:1/tcp\"}]}");
	json_auto_t *object = schema_write(&lb_vip_schema, &service->vips[0]);
	struct lb_vip vip;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(object, "name")), "192.0.2.2:1/tcp");
	assert_int_equal(schema_read(&lb_vip_schema, object, &vip, NULL), 0);
	assert_string_equal(vip.name, "192.0.2.2:1/tcp");
	schema_clear(&lb_vip_schema, &vip);
	lb_service_free(service);
}

#define VIP(fields) "{\"vips\":[{\"address\":\"192.0.2.1:443/tcp\"," fields "}]}"

static void rates_are_written_as_they_are_told(void **state)
{
	static const struct {
		const char *given, *written; /* NULL: the same */
	} rows[] = {
		{"none", NULL},
		{"source=1000pps", NULL},
		{"source=1kpps", "source=1000pps"},
		{"source=10000pps", "source=10kpps"},
		{"source/24=12500sps,monitor vip=2Mpps  source/32=100GBps",
		 "source/24=12500sps,monitor "
		 "vip=2Mpps source/32=100GBps"},
		{"vip=1pps vip=1sps vip=100kBps vip=1pps,monitor", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		struct lb_service *service;
		json_t *object;

		snprintf(text, sizeof(text), VIP("\"rate\":\"%s\""), rows[i].given);
		service = parse_service(text);
		object = schema_write(&lb_vip_schema, &service->vips[0]);
		if (!strcmp(rows[i].given, "none"))
			assert_null(json_object_get(object, "rate"));
		else
			assert_string_equal(json_string_value(json_object_get(object, "rate")),
					    rows[i].written ? rows[i].written : rows[i].given);
		json_decref(object);
		lb_service_free(service);
	}
}

/* --- documents that are wrong --- */

#define RATE_RULE                                                                                  \
	"a rule is source, source/24, source/48 or vip, \"=\", a number, and pps (packets), sps "  \
	"(SYNs) or Bps (bytes a second), as in source=1000pps; \",monitor\" behind it only counts"

struct bad_row {
	const char *json;
	enum lb_err_code code;
	const char *path, *message, *hint;
};

#define SERVER_ID "it must be 2 to 15 bytes in hex, two digits for each"
#define BACKEND(fields) VIP("\"backends\":[{\"address\":\"10.0.0.1\"},{" fields "}]")
#define ADDRESS(text) "{\"vips\":[{\"address\":\"" text "\"}]}"
#define EMPTY "an empty document is {\"vips\": []}"
#define SIZE_RANGE(not ) "table_size must be 251 to 1048573, not " not
#define VIP_UNICAST "the address of a VIP must be a routable unicast address"
#define BACKEND_UNICAST "the address of a backend must be a routable unicast address"
#define EVERY_PORT ", for example; port 0 stands for every port"
#define NAME_CHARACTERS "name may hold only letters, digits, '.', '_' and '-': "
#define PARAMS LB_ERR_PARAMS
#define EXISTS LB_ERR_EXISTS

static const struct bad_row bad_documents[] = {
	/* shape */
	{"null", PARAMS, "", "must be an object, not null", EMPTY},
	{"[]", PARAMS, "", "must be an object, not an array", EMPTY},
	{"true", PARAMS, "", "must be an object, not true", EMPTY},
	{"\"vips\"", PARAMS, "", "must be an object, not a string", EMPTY},
	{"{}", PARAMS, "vips", "vips is missing", EMPTY},
	{"{\"vips\":null}", PARAMS, "vips", "vips must be an array, not null", EMPTY},
	{"{\"vips\":{}}", PARAMS, "vips", "vips must be an array, not an object", EMPTY},
	{"{\"vips\":[],\"digest\":7}", PARAMS, "digest", "digest must be a string, not an integer",
	 EMPTY},
	{"{\"vip\":[]}", PARAMS, "vip", "unknown field \"vip\"", "did you mean \"vips\"?"},
	{"{\"vips\":[],\"version\":1}", PARAMS, "version", "unknown field \"version\"",
	 "the fields are: pools, vips, digest, revision, edited"},
	{"{\"vips\":[],\"a\\u001bb\":1}", PARAMS, "a?b", "unknown field \"a?b\"",
	 "the fields are: pools, vips, digest, revision, edited"},
	/* VIPs */
	{"{\"vips\":[7]}", PARAMS, "vips[0]", "must be an object, not an integer", ""},
	{"{\"vips\":[null]}", PARAMS, "vips[0]", "must be an object, not null", ""},
	{"{\"vips\":[{}]}", PARAMS, "vips[0].address", "address is missing", ""},
	{VIP("\"nmae\":\"web\""), PARAMS, "vips[0].nmae", "unknown field \"nmae\"",
	 "did you mean \"name\"?"},
	{VIP("\"protocol\":\"tcp\""), PARAMS, "vips[0].protocol", "unknown field \"protocol\"",
	 "the fields are: name, address, pool, table, table_size, transition_s, flow_idle_s, "
	 "remember_s, encap, "
	 "hash, fragments, announce, announce_healthy, announce_share_percent, quic, syn_guard, "
	 "rate, backends, "
	 "health, "
	 "on_unhealthy, when_all_unhealthy, spill_percent, "
	 "spill_hold_s"},
	{VIP("\"syn_guard\":\"on\""), PARAMS, "vips[0].syn_guard",
	 "syn_guard must be off, always or auto:N, not \"on\"",
	 "N is SYNs a second, 1 to 100000000"},
	{VIP("\"syn_guard\":\"auto:0\""), PARAMS, "vips[0].syn_guard",
	 "syn_guard must be off, always or auto:N, not \"auto:0\"",
	 "N is SYNs a second, 1 to 100000000"},
	{VIP("\"syn_guard\":\"auto:100000001\""), PARAMS, "vips[0].syn_guard",
	 "syn_guard must be off, always or auto:N, not \"auto:100000001\"",
	 "N is SYNs a second, 1 to 100000000"},
	{VIP("\"syn_guard\":\"auto:4294967297\""), PARAMS, "vips[0].syn_guard",
	 "syn_guard must be off, always or auto:N, not \"auto:4294967297\"",
	 "N is SYNs a second, 1 to 100000000"},
	{VIP("\"syn_guard\":\"auto:5k\""), PARAMS, "vips[0].syn_guard",
	 "syn_guard must be off, always or auto:N, not \"auto:5k\"",
	 "N is SYNs a second, 1 to 100000000"},
	{VIP("\"rate\":\"1000pps\""), PARAMS, "vips[0].rate", "rate has no rule \"1000pps\"",
	 RATE_RULE},
	{VIP("\"rate\":\"\""), PARAMS, "vips[0].rate", "rate has no rule \"\"", RATE_RULE},
	{VIP("\"rate\":\"source=,monitor\""), PARAMS, "vips[0].rate",
	 "rate has no rule \"source=,monitor\"", RATE_RULE},
	{VIP("\"rate\":\"soruce=1pps\""), PARAMS, "vips[0].rate",
	 "rate has an unknown source \"soruce\"", "did you mean \"source\"?"},
	{VIP("\"rate\":\"backend=1pps\""), PARAMS, "vips[0].rate",
	 "rate has an unknown source \"backend\"",
	 "rates are of source, source/24, source/48, source/128, or vip"},
	{VIP("\"rate\":\"vip=1pp\""), PARAMS, "vips[0].rate", "rate has an unknown unit \"pp\"",
	 "units are pps (packets), sps (SYNs) and Bps (bytes a second)"},
	{VIP("\"rate\":\"vip=1\""), PARAMS, "vips[0].rate", "rate lacks a unit: \"1\"",
	 "units are pps (packets), sps (SYNs) and Bps (bytes a second)"},
	{VIP("\"rate\":\"vip=1mpps\""), PARAMS, "vips[0].rate", "rate has an unknown unit \"mpps\"",
	 "did you mean \"1Mpps\"?"},
	{VIP("\"rate\":\"vip=1Mbps\""), PARAMS, "vips[0].rate", "rate has an unknown unit \"bps\"",
	 "rates are in bytes a second: 8M bits are 1MBps"},
	{VIP("\"rate\":\"vip=1pps,montior\""), PARAMS, "vips[0].rate",
	 "rate has an unknown mode \"montior\"", "did you mean \"monitor\"?"},
	{VIP("\"rate\":\"vip=0pps\""), PARAMS, "vips[0].rate", "rate is out of range: \"0pps\"",
	 "packets and SYNs a second are 1 to 100M"},
	{VIP("\"rate\":\"vip=100000001sps\""), PARAMS, "vips[0].rate",
	 "rate is out of range: \"100000001sps\"", "packets and SYNs a second are 1 to 100M"},
	{VIP("\"rate\":\"vip=99999999999999999999Gpps\""), PARAMS, "vips[0].rate",
	 "rate is out of range: \"99999999999999999999Gpps\"",
	 "packets and SYNs a second are 1 to 100M"},
	{VIP("\"rate\":\"vip=99kBps\""), PARAMS, "vips[0].rate", "rate is out of range: \"99kBps\"",
	 "bytes a second are 100kBps to 100GBps"},
	{VIP("\"rate\":\"vip=1pps vip=2pps vip=3pps vip=4pps vip=5pps\""), PARAMS, "vips[0].rate",
	 "a VIP has at most 4 rates", ""},
	{VIP("\"rate\":\"vip=1pps vip=1pps\""), PARAMS, "vips[0].rate", "rate has a rule twice",
	 ""},
	{VIP("\"rate\":\"source/48=1pps\""), PARAMS, "vips[0].rate",
	 "an IPv4 VIP has no sources by /48", "give source (a /32) or source/24"},
	{"{\"vips\":[{\"address\":\"[2001:db8::1]:443/tcp\",\"rate\":\"source/24=1pps\"}]}", PARAMS,
	 "vips[0].rate", "an IPv6 VIP has no sources by /24",
	 "give source (a /64), source/48 or source/128"},
	{"{\"vips\":[{\"address\":\"192.0.2.1:53/udp\",\"rate\":\"vip=1sps\"}]}", PARAMS,
	 "vips[0].rate", "a VIP with a rate of SYNs must be TCP: vip=1sps",
	 "packets a second are pps"},
	{"{\"vips\":[{\"adress\":\"192.0.2.1:443/tcp\"}]}", PARAMS, "vips[0].adress",
	 "unknown field \"adress\"", "did you mean \"address\"?"},
	/* addresses of VIPs */
	{"{\"vips\":[{\"address\":7}]}", PARAMS, "vips[0].address",
	 "address must be a string, not an integer", ""},
	{"{\"vips\":[{\"address\":null}]}", PARAMS, "vips[0].address",
	 "address must be a string, not null", ""},
	{"{\"vips\":[{\"address\":\"192.0.2.1:1/tcp\\u0000\"}]}", PARAMS, "vips[0].address",
	 "address must not hold the character NUL", ""},
	{ADDRESS(""), PARAMS, "vips[0].address", "not an IPv4 or IPv6 address: \"\"",
	 "write an address, for example 192.0.2.10 or 2001:db8::10"},
	{ADDRESS("192.0.2.1"), PARAMS, "vips[0].address", "port is missing in \"192.0.2.1\"",
	 "write it as 192.0.2.1:443/tcp" EVERY_PORT},
	{ADDRESS("192.0.2.1:80"), PARAMS, "vips[0].address",
	 "protocol is missing in \"192.0.2.1:80\"", "write it as 192.0.2.1:80/tcp" EVERY_PORT},
	{ADDRESS("192.0.2.1:80/dccp"), PARAMS, "vips[0].address",
	 "protocol must be tcp, udp or sctp, not \"dccp\"", ""},
	{ADDRESS("192.0.2.1:70000/tcp"), PARAMS, "vips[0].address",
	 "port must be 0 to 65535, not 70000", ""},
	{ADDRESS("0.0.0.0:1/tcp"), PARAMS, "vips[0].address", "0.0.0.0 is the unspecified address",
	 VIP_UNICAST},
	{ADDRESS("224.0.0.1:1/udp"), PARAMS, "vips[0].address", "224.0.0.1 is a multicast address",
	 VIP_UNICAST},
	{ADDRESS("[::FFFF:192.0.2.1]:1/udp"), PARAMS, "vips[0].address",
	 "::ffff:192.0.2.1 is an IPv4-mapped IPv6 address", VIP_UNICAST},
	/* names */
	{VIP("\"name\":7"), PARAMS, "vips[0].name", "name must be a string, not an integer", ""},
	{VIP("\"name\":null"), PARAMS, "vips[0].name", "name must be a string, not null", ""},
	{VIP("\"name\":\"\""), PARAMS, "vips[0].name", "name must have 1 to 63 characters, not 0",
	 ""},
	{VIP("\"name\":\"" NAME63 "x\""), PARAMS, "vips[0].name",
	 "name must have 1 to 63 characters, not 64", ""},
	{VIP("\"name\":\"9web\""), PARAMS, "vips[0].name",
	 "name must start with a letter: \"9web\"", ""},
	{VIP("\"name\":\"-web\""), PARAMS, "vips[0].name",
	 "name must start with a letter: \"-web\"", ""},
	{VIP("\"name\":\"we b\""), PARAMS, "vips[0].name", NAME_CHARACTERS "\"we b\"", ""},
	{VIP("\"name\":\"wéb\""), PARAMS, "vips[0].name", NAME_CHARACTERS "\"wéb\"", ""},
	{VIP("\"name\":\"web\\n\""), PARAMS, "vips[0].name", NAME_CHARACTERS "\"web?\"", ""},
	{VIP("\"name\":\"web\\u0000x\""), PARAMS, "vips[0].name",
	 "name must not hold the character NUL", ""},
	{VIP("\"name\":\"10.0.0.1\""), PARAMS, "vips[0].name",
	 "name must not be an address: \"10.0.0.1\"", "a VIP without a name goes by its address"},
	{VIP("\"name\":\"dead::beef\""), PARAMS, "vips[0].name",
	 "name must not be an address: \"dead::beef\"", "a VIP without a name goes by its address"},
	{VIP("\"name\":\"192.0.2.1:80/tcp\""), PARAMS, "vips[0].name",
	 "name must not be an address: \"192.0.2.1:80/tcp\"",
	 "a VIP without a name goes by its address"},
	/* tables */
	{VIP("\"table\":1"), PARAMS, "vips[0].table", "table must be a string, not an integer", ""},
	{VIP("\"table\":\"Maglev\""), PARAMS, "vips[0].table",
	 "table must be rendezvous or maglev, not \"Maglev\"", "did you mean \"maglev\"?"},
	{VIP("\"table\":\"\""), PARAMS, "vips[0].table",
	 "table must be rendezvous or maglev, not \"\"", ""},
	/* how packets travel */
	{VIP("\"encap\":1"), PARAMS, "vips[0].encap", "encap must be a string, not an integer", ""},
	{VIP("\"encap\":\"geu\""), PARAMS, "vips[0].encap",
	 "encap must be ipip or gue, not \"geu\"", "did you mean \"gue\"?"},
	{VIP("\"hash\":\"\""), PARAMS, "vips[0].hash",
	 "hash must be 5-tuple, source or source-port, not \"\"", ""},
	{VIP("\"hash\":\"source_port\""), PARAMS, "vips[0].hash",
	 "hash must be 5-tuple, source or source-port, not \"source_port\"",
	 "did you mean \"source-port\"?"},
	{VIP("\"fragments\":\"keep\""), PARAMS, "vips[0].fragments",
	 "fragments must be track, 3-tuple or drop, not \"keep\"", ""},
	{VIP("\"transition_s\":\"15m\""), PARAMS, "vips[0].transition_s",
	 "transition_s must be an integer, not a string", ""},
	{VIP("\"transition_s\":0"), PARAMS, "vips[0].transition_s",
	 "transition_s must be 1 to 86400, not 0", ""},
	{VIP("\"transition_s\":86401"), PARAMS, "vips[0].transition_s",
	 "transition_s must be 1 to 86400, not 86401", ""},
	{VIP("\"flow_idle_s\":86401"), PARAMS, "vips[0].flow_idle_s",
	 "flow_idle_s must be 1 to 86400, not 86401", ""},
	{VIP("\"transition_s\":60,\"flow_idle_s\":59"), PARAMS, "vips[0].flow_idle_s",
	 "flow_idle_s must be at least transition_s, 60",
	 "a flow that sends once per transition must stay on record"},
	{VIP("\"flow_idle_s\":899"), PARAMS, "vips[0].flow_idle_s",
	 "flow_idle_s must be at least transition_s, 900",
	 "a flow that sends once per transition must stay on record"},
	{VIP("\"backends\":[{\"address\":\"10.0.0.1\",\"drain\":1}]"), PARAMS,
	 "vips[0].backends[0].drain", "drain must be true or false, not an integer", ""},
	{VIP("\"table_size\":\"251\""), PARAMS, "vips[0].table_size",
	 "table_size must be an integer, not a string", ""},
	{VIP("\"table_size\":251.0"), PARAMS, "vips[0].table_size",
	 "table_size must be an integer, not a real number", ""},
	{VIP("\"table_size\":250"), PARAMS, "vips[0].table_size", SIZE_RANGE("250"),
	 "the nearest prime is 251"},
	{VIP("\"table_size\":-65537"), PARAMS, "vips[0].table_size", SIZE_RANGE("-65537"),
	 "the nearest prime is 251"},
	{VIP("\"table_size\":1048574"), PARAMS, "vips[0].table_size", SIZE_RANGE("1048574"),
	 "the nearest prime is 1048573"},
	{VIP("\"table_size\":9223372036854775807"), PARAMS, "vips[0].table_size",
	 SIZE_RANGE("9223372036854775807"), "the nearest prime is 1048573"},
	{VIP("\"table_size\":252"), PARAMS, "vips[0].table_size",
	 "table_size must be a prime, not 252", "the nearest primes are 251 and 257"},
	{VIP("\"table_size\":65536"), PARAMS, "vips[0].table_size",
	 "table_size must be a prime, not 65536", "the nearest primes are 65521 and 65537"},
	{VIP("\"table_size\":1018081"), PARAMS, "vips[0].table_size", /* 1009 squared */
	 "table_size must be a prime, not 1018081", "the nearest primes are 1018057 and 1018091"},
	{VIP("\"table_size\":1048572"), PARAMS, "vips[0].table_size",
	 "table_size must be a prime, not 1048572", "the nearest primes are 1048571 and 1048573"},
	/* backends */
	{VIP("\"backends\":{}"), PARAMS, "vips[0].backends",
	 "backends must be an array, not an object", ""},
	{VIP("\"backends\":null"), PARAMS, "vips[0].backends",
	 "backends must be an array, not null", ""},
	{VIP("\"backends\":[[]]"), PARAMS, "vips[0].backends[0]", "must be an object, not an array",
	 ""},
	{VIP("\"backends\":[\"10.0.0.1\"]"), PARAMS, "vips[0].backends[0]",
	 "must be an object, not a string", ""},
	{BACKEND(""), PARAMS, "vips[0].backends[1].address", "address is missing", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"wieght\":1"), PARAMS, "vips[0].backends[1].wieght",
	 "unknown field \"wieght\"", "did you mean \"weight\"?"},
	{BACKEND("\"address\":\"10.0.0.2\",\"port\":1"), PARAMS, "vips[0].backends[1].port",
	 "unknown field \"port\"",
	 "the fields are: address, weight, priority, quic_server_id, second_chance, drain"},
	{BACKEND("\"address\":\"10.0.0.2\",\"quic_server_id\":\"0g\""), PARAMS,
	 "vips[0].backends[1].quic_server_id", "\"0g\" is no QUIC server id", SERVER_ID},
	{BACKEND("\"address\":\"10.0.0.2\",\"quic_server_id\":\"01\""), PARAMS,
	 "vips[0].backends[1].quic_server_id", "\"01\" is no QUIC server id", SERVER_ID},
	{BACKEND("\"address\":\"10.0.0.2\",\"quic_server_id\":\"01020\""), PARAMS,
	 "vips[0].backends[1].quic_server_id", "\"01020\" is no QUIC server id", SERVER_ID},
	{BACKEND("\"address\":\"10.0.0.2\",\"quic_server_id\":"
		 "\"0102030405060708090a0b0c0d0e0f10\""),
	 PARAMS, "vips[0].backends[1].quic_server_id",
	 "\"0102030405060708090a0b0c0d0e0f10\" is no QUIC server id", SERVER_ID},
	{BACKEND("\"address\":\"10.0.0.2\",\"quic_server_id\":\"auto\""), PARAMS,
	 "vips[0].backends[1].quic_server_id", "a document has the server id itself, not auto",
	 "lbctl backend set VIP ADDRESS --quic-id auto makes one"},
	{VIP("\"quic\":[{}]"), PARAMS, "vips[0].quic", "a VIP with quic must be UDP",
	 "add a VIP of this address and port for UDP, which may use the same pool"},
	{VIP("\"quic\":[{\"cr\":7}]"), PARAMS, "vips[0].quic[0].cr", "cr must be 0 to 6, not 7",
	 ""},
	{VIP("\"quic\":[{\"sid_length\":16}]"), PARAMS, "vips[0].quic[0].sid_length",
	 "sid_length must be 2 to 15, not 16", ""},
	{VIP("\"quic\":[{},{\"cr\":0}]"), EXISTS, "vips[0].quic[1].cr", "same cr as quic[0]", ""},
	{BACKEND("\"address\":\"10.0.0.2:80\""), PARAMS, "vips[0].backends[1].address",
	 "not an IPv4 or IPv6 address: \"10.0.0.2:80\"", "write the address alone, without a port"},
	{BACKEND("\"address\":\"127.0.0.1\""), PARAMS, "vips[0].backends[1].address",
	 "127.0.0.1 is a loopback address", BACKEND_UNICAST},
	{BACKEND("\"address\":\"fe80::1\""), PARAMS, "vips[0].backends[1].address",
	 "fe80::1 is a link-local address", BACKEND_UNICAST},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":70000"), PARAMS, "vips[0].backends[1].weight",
	 "weight must be 0 to 10000, not 70000", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":10001"), PARAMS, "vips[0].backends[1].weight",
	 "weight must be 0 to 10000, not 10001", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":-1"), PARAMS, "vips[0].backends[1].weight",
	 "weight must be 0 to 10000, not -1", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":4294967297"), PARAMS,
	 "vips[0].backends[1].weight", "weight must be 0 to 10000, not 4294967297", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":1.0"), PARAMS, "vips[0].backends[1].weight",
	 "weight must be an integer, not a real number", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":\"1\""), PARAMS, "vips[0].backends[1].weight",
	 "weight must be an integer, not a string", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":true"), PARAMS, "vips[0].backends[1].weight",
	 "weight must be an integer, not true", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"weight\":null"), PARAMS, "vips[0].backends[1].weight",
	 "weight must be an integer, not null", ""},
	{BACKEND("\"address\":\"10.0.0.2\",\"priority\":16"), PARAMS,
	 "vips[0].backends[1].priority", "priority must be 0 to 15, not 16", ""},
	{VIP("\"spill_percent\":0"), PARAMS, "vips[0].spill_percent",
	 "spill_percent must be 1 to 100, not 0", ""},
	{VIP("\"spill_hold_s\":3601"), PARAMS, "vips[0].spill_hold_s",
	 "spill_hold_s must be 0 to 3600, not 3601", ""},
	/* duplicates */
	{BACKEND("\"address\":\"10.0.0.1\",\"weight\":5"), EXISTS, "vips[0].backends[1].address",
	 "same address as backends[0]", ""},
	{VIP("\"backends\":[{\"address\":\"2001:db8::2\"},{\"address\":\"10.0.0.1\"},"
	     "{\"address\":\"10.0.0.9\"},{\"address\":\"10.0.0.1\"},{\"address\":\"2001:DB8::2\"},"
	     "{\"address\":\"10.0.0.1\"}]"),
	 EXISTS, "vips[0].backends[3].address", "same address as backends[1]", ""},
	{"{\"vips\":[{\"address\":\"[2001:db8::1]:1/tcp\"},{\"address\":\"192.0.2.1:1/tcp\"},"
	 "{\"address\":\"[2001:DB8:0::1]:1/tcp\"}]}",
	 EXISTS, "vips[2].address", "same address as vips[0]", ""},
	{"{\"vips\":[{\"address\":\"192.0.2.3:1/tcp\",\"name\":\"b\"},"
	 "{\"address\":\"192.0.2.2:1/tcp\",\"name\":\"web\"},"
	 "{\"address\":\"192.0.2.1:1/tcp\",\"name\":\"web\"},"
	 "{\"address\":\"192.0.2.0:1/tcp\",\"name\":\"web\"}]}",
	 EXISTS, "vips[2].name", "same name as vips[1]", ""},
};

static void every_fault_is_named_with_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_documents); i++) {
		const struct bad_row *row = &bad_documents[i];
		json_auto_t *document = parse_json(row->json);
		struct lb_service *service = (struct lb_service *)row;
		struct lb_err err;

		if (lb_service_from_json(document, &service, &err) != -EINVAL)
			fail_msg("accepted: %s", row->json);
		assert_null(service);
		assert_string_equal(err.message, row->message);
		assert_string_equal(err.path, row->path);
		assert_string_equal(err.hint, row->hint);
		assert_int_equal(err.code, row->code);
		/* nobody has to be told */
		assert_int_equal(lb_service_from_json(document, &service, NULL), -EINVAL);
	}
}

static void no_document_at_all_is_an_error(void **state)
{
	struct lb_service *service;
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_service_from_json(NULL, &service, &err), -EINVAL);
	assert_string_equal(err.message, "must be an object, not nothing");
}

/* --- reading objects --- */

static void fields_that_are_absent_are_null_and_of_any_kind_when_asked(void **state)
{
	const json_t *any, *flag, *object, *absent = (const json_t *)1;
	const struct lb_json_field fields[] = {
		{"any", LB_JSON_ANY, true, &any},
		{"flag", LB_JSON_BOOLEAN, true, &flag},
		{"object", LB_JSON_OBJECT, false, &object},
		{"absent", LB_JSON_STRING, false, &absent},
		{0},
	};
	json_auto_t *good = parse_json("{\"any\":null,\"flag\":false,\"object\":{}}");
	json_auto_t *bad = parse_json("{\"any\":1,\"flag\":0}");
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_json_fields(good, fields, &err), 0);
	assert_true(json_is_null(any) && json_is_false(flag) && json_is_object(object));
	assert_null(absent);
	assert_int_equal(lb_json_fields(bad, fields, &err), -EINVAL);
	assert_string_equal(err.message, "flag must be true or false, not an integer");
}

static void an_object_without_fields_says_so(void **state)
{
	const struct lb_json_field fields[] = {{0}};
	json_auto_t *object = parse_json("{\"x\":1}");
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_json_fields(object, fields, &err), -EINVAL);
	assert_string_equal(err.hint, "there are no fields here: write {}");
}

static void integers_are_checked_against_both_ends(void **state)
{
	static const struct {
		const char *json, *message;
	} rows[] = {
		{"-5", NULL},
		{"5", NULL},
		{"-6", "n must be -5 to 5, not -6"},
		{"6", "n must be -5 to 5, not 6"},
		{"-9223372036854775808", "n must be -5 to 5, not -9223372036854775808"},
		{"1e0", "n must be an integer, -5 to 5, not a real number"},
		{"\"1\"", "n must be an integer, -5 to 5, not a string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_auto_t *value = parse_json(rows[i].json);
		int64_t number = 77;
		struct lb_err err;
		int status = lb_json_integer(value, "n", -5, 5, &number, &err);

		assert_int_equal(status, rows[i].message ? -EINVAL : 0);
		assert_int_equal(number, rows[i].message ? 77 : json_integer_value(value));
		if (rows[i].message)
			assert_string_equal(err.message, rows[i].message);
	}
}

/* --- look-up --- */

#define TWO_VIPS                                                                                   \
	"{\"vips\":[{\"address\":\"192.0.2.10:443/tcp\",\"name\":\"web\",\"backends\":["           \
	"{\"address\":\"10.0.0.3\"},{\"address\":\"10.0.0.1\"}]},"                                 \
	"{\"address\":\"[2001:db8::1]:53/udp\"}]}"

static void a_vip_is_found_by_name_or_address_in_any_spelling(void **state)
{
	static const struct {
		const char *reference, *name;
	} rows[] = {
		{"web", "web"},
		{"192.0.2.10:443/tcp", "web"},
		{"[2001:db8::1]:53/udp", "[2001:db8::1]:53/udp"},
		{"[2001:DB8:0:0::0001]:53/udp", "[2001:db8::1]:53/udp"},
	};
	struct lb_service *service = parse_service(TWO_VIPS);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_vip *vip = lb_service_find(service, rows[i].reference);

		assert_non_null(vip);
		assert_string_equal(vip->name, rows[i].name);
	}
	lb_service_free(service);
}

static void a_vip_that_is_not_there_is_not_found(void **state)
{
	static const struct {
		const char *reference, *message, *hint;
	} rows[] = {
		{"wbe", "no VIP \"wbe\"", "did you mean \"web\"?"},
		{"", "no VIP \"\"", "see: lbctl vip list"},
		{"mail", "no VIP \"mail\"", "see: lbctl vip list"},
		{"192.0.2.10", "no VIP \"192.0.2.10\"",
		 "a VIP's address has a port and a protocol: 192.0.2.10:443/tcp"},
		{"192.0.2.10:80/tcp", "no VIP \"192.0.2.10:80/tcp\"", "see: lbctl vip list"},
		{"[2001:db8::1]:53/tcp", "no VIP \"[2001:db8::1]:53/tcp\"",
		 "did you mean \"[2001:db8::1]:53/udp\"?"},
		{"w\x1b]b", "no VIP \"w?]b\"", "see: lbctl vip list"},
	};
	struct lb_service *service = parse_service(TWO_VIPS);
	struct lb_service *empty = lb_service_new();
	struct lb_vip *vip = (struct lb_vip *)1;
	struct lb_err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(lb_service_get(service, rows[i].reference, &vip, &err), -EINVAL);
		assert_null(vip);
		assert_int_equal(err.code, LB_ERR_NOT_FOUND);
		assert_string_equal(err.path, "");
		assert_string_equal(err.message, rows[i].message);
		assert_string_equal(err.hint, rows[i].hint);
	}
	assert_int_equal(lb_service_get(empty, "web", &vip, &err), -EINVAL);
	assert_string_equal(err.hint, "there is no VIP yet");
	lb_service_free(empty);
	lb_service_free(service);
}

/* --- edits --- */

static struct lb_vip make_vip(const char *json)
{
	json_auto_t *object = parse_json(json);
	struct lb_vip vip;
	struct lb_err err;

	if (schema_read(&lb_vip_schema, object, &vip, &err))
		fail_msg("%s: %s", err.path, err.message);
	return vip;
}

static struct lb_backend make_backend(const char *address, uint32_t weight)
{
	struct lb_backend backend = {.weight = weight};

	assert_int_equal(lb_addr_parse(address, &backend.address, NULL), 0);
	return backend;
}

static void a_taken_name_or_address_is_refused_and_nothing_changes(void **state)
{
	static const struct {
		const char *json, *path, *message;
	} rows[] = {
		{"{\"address\":\"192.0.2.11:443/tcp\",\"name\":\"web\"}", "name",
		 "name \"web\" is taken by VIP 192.0.2.10:443/tcp"},
		{"{\"address\":\"192.0.2.10:443/tcp\",\"name\":\"new\"}", "address",
		 "address 192.0.2.10:443/tcp is taken by VIP \"web\""},
		{"{\"address\":\"[2001:db8::1]:53/udp\",\"backends\":[{\"address\":\"10.0.0.1\"}]}",
		 "address",
		 "address [2001:db8::1]:53/udp is taken by VIP \"[2001:db8::1]:53/udp\""},
	};
	struct lb_service *service = parse_service(TWO_VIPS);
	struct lb_service *before = lb_service_copy(service);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_vip vip = make_vip(rows[i].json);
		struct lb_err err;

		assert_int_equal(lb_service_add_vip(service, &vip, &err), -EINVAL);
		assert_int_equal(err.code, LB_ERR_EXISTS);
		assert_string_equal(err.path, rows[i].path);
		assert_string_equal(err.message, rows[i].message);
		assert_services_equal(service, before);
		schema_clear(&lb_vip_schema, &vip); /* still the caller's */
	}
	lb_service_free(before);
	lb_service_free(service);
}

static void an_added_vip_belongs_to_the_service(void **state)
{
	struct lb_service *service = lb_service_new();
	struct lb_vip vip = make_vip(
		"{\"address\":\"192.0.2.1:1/tcp\",\"backends\":[{\"address\":\"10.0.0.1\"}]}");

	(void)state;
	vip.name[0] = '\0'; /* built by hand: gets its address as a name */
	assert_int_equal(lb_service_add_vip(service, &vip, NULL), 0);
	assert_null(vip.pool);
	assert_string_equal(service->vips[0].name, "192.0.2.1:1/tcp");
	assert_int_equal(service->vips[0].pool->backend_count, 1);
	schema_clear(&lb_vip_schema, &vip);
	lb_service_free(service);
}

static void vips_are_deleted_by_reference(void **state)
{
	struct lb_service *service = parse_service(TWO_VIPS);
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_service_del_vip(service, "wbe", &err), -EINVAL);
	assert_string_equal(err.hint, "did you mean \"web\"?");
	assert_int_equal(service->vip_count, 2);
	assert_int_equal(lb_service_del_vip(service, "web", &err), 0);
	assert_int_equal(service->vip_count, 1);
	assert_null(lb_service_find(service, "web"));
	assert_int_equal(lb_service_del_vip(service, "[2001:DB8::1]:53/udp", &err), 0);
	assert_int_equal(service->vip_count, 0);
	lb_service_free(service);
}

static void backends_are_added_sorted_and_once(void **state)
{
	struct lb_service *service = parse_service(TWO_VIPS);
	struct lb_vip *web = lb_service_find(service, "web");
	struct lb_backend two = make_backend("10.0.0.2", 5), three = make_backend("10.0.0.3", 5);
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_pool_add_backend(web->pool, &two, &err), 0);
	assert_int_equal(web->pool->backend_count, 3);
	assert_true(lb_addr_equal(&web->pool->backends[1].address, &two.address));
	assert_int_equal(web->pool->backends[1].weight, 5);
	assert_int_equal(lb_pool_add_backend(web->pool, &three, &err), -EINVAL);
	assert_int_equal(err.code, LB_ERR_EXISTS);
	assert_string_equal(err.path, "address");
	assert_string_equal(err.message, "VIP \"web\" has backend 10.0.0.3 already");
	assert_string_equal(err.hint, "set its weight instead");
	assert_int_equal(lb_pool_find_backend(web->pool, &three.address)->weight, 1);
	lb_service_free(service);
}

static void backends_are_deleted_by_address(void **state)
{
	struct lb_service *service = parse_service(TWO_VIPS);
	struct lb_vip *web = lb_service_find(service, "web");
	struct lb_backend one = make_backend("10.0.0.1", 1), two = make_backend("10.0.0.2", 1);
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_pool_del_backend(web->pool, &two.address, &err), -EINVAL);
	assert_int_equal(err.code, LB_ERR_NOT_FOUND);
	assert_string_equal(err.path, "address");
	assert_string_equal(err.message, "VIP \"web\" has no backend 10.0.0.2");
	assert_int_equal(lb_pool_del_backend(web->pool, &one.address, &err), 0);
	assert_int_equal(web->pool->backend_count, 1);
	assert_null(lb_pool_find_backend(web->pool, &one.address));
	lb_service_free(service);
}

static void nothing_can_be_freed_twice_over(void **state)
{
	struct lb_vip vip = {0};

	(void)state;
	lb_service_free(NULL);
	schema_clear(&lb_vip_schema, &vip);
	schema_clear(&lb_vip_schema, &vip);
}

/* --- random documents --- */

static json_t *random_backends(void)
{
	json_t *backends = json_array();
	char text[64];

	for (int i = 0, count = rand() % 12; i < count; i++) {
		json_t *backend = json_object();

		/* i keeps addresses apart; the random part stands in front, so their order is mixed */
		snprintf(text, sizeof(text), rand() % 2 ? "10.%d.0.%d" : "2001:DB8:%x::%x",
			 rand() % 256, i);
		json_object_set_new(backend, "address", json_string(text));
		if (rand() % 2)
			json_object_set_new(backend, "weight", json_integer(rand() % 10001));
		json_array_append_new(backends, backend);
	}
	return backends;
}

static json_t *random_vip(int i)
{
	static const int sizes[] = {251, 257, 65537, 1048573};
	json_t *vip = json_object();
	char text[64];

	snprintf(text, sizeof(text), rand() % 2 ? "10.%d.0.%d:%d/%s" : "[2001:db8:%x:0::%x]:%d/%s",
		 rand() % 256, i, rand() % 65536, rand() % 2 ? "tcp" : "udp");
	json_object_set_new(vip, "address", json_string(text));
	snprintf(text, sizeof(text), "%c%d-name", 'a' + rand() % 26, i);
	if (rand() % 2)
		json_object_set_new(vip, "name", json_string(text));
	if (rand() % 2)
		json_object_set_new(vip, "table",
				    json_string(rand() % 2 ? "maglev" : "rendezvous"));
	if (rand() % 2)
		json_object_set_new(vip, "table_size", json_integer(sizes[rand() % 4]));
	if (rand() % 4)
		json_object_set_new(vip, "backends", random_backends());
	return vip;
}

static json_t *random_document(void)
{
	json_t *vips = json_array();

	for (int i = 0, count = rand() % 12; i < count; i++)
		json_array_append_new(vips, random_vip(i));
	return json_pack("{s:o}", "vips", vips);
}

static void random_documents_survive_a_round_trip(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 2000; round++) {
		json_auto_t *document = random_document();
		struct lb_service *service, *again, *copy;

		assert_int_equal(lb_service_from_json(document, &service, NULL), 0);
		copy = lb_service_copy(service);
		assert_non_null(copy);
		assert_services_equal(service, copy);
		json_auto_t *written = lb_service_to_json(service);
		assert_int_equal(lb_service_from_json(written, &again, NULL), 0);
		assert_services_equal(service, again);
		json_auto_t *written_again = lb_service_to_json(copy);
		assert_true(json_equal(written, written_again));
		lb_service_free(service);
		lb_service_free(again);
		lb_service_free(copy);
	}
}

static void shuffle(json_t *array)
{
	for (size_t i = json_array_size(array); i > 1; i--) {
		json_t *moved = json_incref(json_array_get(array, (size_t)rand() % i));
		json_t *last = json_incref(json_array_get(array, i - 1));

		for (size_t j = 0; j < i; j++) {
			if (json_array_get(array, j) == moved) {
				json_array_set_new(array, j, last);
				break;
			}
		}
		json_array_set_new(array, i - 1, moved);
	}
}

static void the_order_in_which_a_document_is_written_does_not_matter(void **state)
{
	(void)state;
	srand(3);
	for (int round = 0; round < 500; round++) {
		json_auto_t *document = random_document();
		json_t *vips = json_object_get(document, "vips"), *vip;
		struct lb_service *service, *shuffled;
		size_t i;

		assert_int_equal(lb_service_from_json(document, &service, NULL), 0);
		shuffle(vips);
		json_array_foreach (vips, i, vip)
			shuffle(json_object_get(vip, "backends"));
		assert_int_equal(lb_service_from_json(document, &shuffled, NULL), 0);
		assert_services_equal(service, shuffled);
		lb_service_free(service);
		lb_service_free(shuffled);
	}
}

/* Adds one by one what `whole` has, in random order, then takes it all away again. */
static void rebuild_by_edits(const struct lb_service *whole, struct lb_service *built)
{
	struct lb_service *left = lb_service_copy(whole);

	while (left->vip_count) {
		struct lb_vip *from = &left->vips[(size_t)rand() % left->vip_count];
		struct lb_vip vip;

		assert_int_equal(schema_copy(&lb_vip_schema, from, &vip), 0);
		vip.pool->backend_count = 0;
		while (from->pool->backend_count) {
			struct lb_backend backend =
				from->pool->backends[(size_t)rand() % from->pool->backend_count];

			assert_int_equal(lb_pool_add_backend(vip.pool, &backend, NULL), 0);
			assert_int_equal(lb_pool_del_backend(from->pool, &backend.address, NULL),
					 0);
		}
		assert_int_equal(lb_service_add_vip(built, &vip, NULL), 0);
		assert_int_equal(lb_service_del_vip(left, from->name, NULL), 0);
	}
	lb_service_free(left);
}

static void edits_in_any_order_give_the_same_as_the_whole_document(void **state)
{
	(void)state;
	srand(4);
	for (int round = 0; round < 500; round++) {
		json_auto_t *document = random_document();
		struct lb_service *whole, *built = lb_service_new();

		assert_int_equal(lb_service_from_json(document, &whole, NULL), 0);
		rebuild_by_edits(whole, built);
		assert_services_equal(whole, built);
		lb_service_free(whole);
		lb_service_free(built);
	}
}

/* Any value in any place: refused or accepted, never a crash; and an error always has a text. */
static void random_damage_is_refused_or_accepted(void **state)
{
	static const char *const values[] = {"null",       "true", "-1", "1.5",  "\"\"",
					     "\"x\"",      "[]",   "{}", "[[]]", "{\"address\":{}}",
					     "99999999999"};
	int refused = 0;

	(void)state;
	srand(5);
	for (int round = 0; round < 3000; round++) {
		json_auto_t *document = random_document();
		char *text = json_dumps(document, JSON_COMPACT);
		size_t length = strlen(text), start = (size_t)rand() % length;
		char *damaged = malloc(length + 32);
		struct lb_service *service;
		struct lb_err err = {0};

		assert_non_null(damaged);
		start = strcspn(text + start, ":[{") + start; /* replace one value */
		start += start < length;
		snprintf(damaged, length + 32, "%.*s%s%s", (int)start, text,
			 values[(size_t)rand() % ARRAY_SIZE(values)],
			 text + start + strcspn(text + start, ",]}"));
		json_auto_t *json = json_loads(damaged, JSON_DECODE_ANY, NULL);
		if (json && lb_service_from_json(json, &service, &err)) {
			assert_string_not_equal(err.message, "");
			refused++;
		} else if (json) {
			lb_service_free(service);
		}
		free(damaged);
		free(text);
	}
	assert_true(refused > 500);
}

/* --- time --- */

static json_t *big_document(int vips, int backends)
{
	json_t *list = json_array();
	char text[64];

	for (int i = 0; i < vips; i++) {
		json_t *members = json_array();

		for (int j = 0; j < backends; j++) {
			snprintf(text, sizeof(text), "10.%d.%d.%d", j % 250, j / 250 % 250,
				 j / 62500);
			json_array_append_new(members, json_pack("{s:s s:i}", "address", text,
								 "weight", j % 100));
		}
		snprintf(text, sizeof(text), "11.%d.%d.1:443/tcp", i % 250, i / 250);
		json_array_append_new(list,
				      json_pack("{s:s s:o}", "address", text, "backends", members));
	}
	return json_pack("{s:o}", "vips", list);
}

static double cpu_ms(void)
{
	return (double)clock() * 1000 / CLOCKS_PER_SEC;
}

/* Milliseconds of CPU that it takes to read the document as JSON, and then as a service. */
static void time_reading(int vips, int backends, double *json_ms, double *service_ms)
{
	json_auto_t *document = big_document(vips, backends);
	char *text = json_dumps(document, JSON_COMPACT);
	struct lb_service *service;
	double start = cpu_ms();
	json_auto_t *read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	*json_ms = cpu_ms() - start;
	start = cpu_ms();
	assert_int_equal(lb_service_from_json(read, &service, NULL), 0);
	*service_ms = cpu_ms() - start;
	print_message("%d VIPs of %d backends: %.1f ms as JSON, %.1f ms as a service\n", vips,
		      backends, *json_ms, *service_ms);
	lb_service_free(service);
	free(text);
}

/* Against the time that jansson takes for the same text, so that neither a slow machine nor a
 * sanitizer matters; comparing each backend or VIP with every other would take a hundred times as
 * long. */
static void reading_time_grows_with_the_size_of_the_document_not_its_square(void **state)
{
	double json_ms, service_ms;

	(void)state;
	time_reading(1000, 20, &json_ms, &service_ms);
	assert_true(service_ms < 10 * json_ms + 1);
	time_reading(1, 50000, &json_ms, &service_ms);
	assert_true(service_ms < 10 * json_ms + 1);
	time_reading(50000, 0, &json_ms, &service_ms);
	assert_true(service_ms < 10 * json_ms + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_gets_its_default),
		cmocka_unit_test(documents_that_are_right_are_accepted),
		cmocka_unit_test(a_document_is_written_sorted_and_in_full),
		cmocka_unit_test(fragments_without_ports_can_be_for_one_vip_only),
		cmocka_unit_test(
			fragments_without_ports_belong_to_the_vip_for_every_port_or_by_3_tuple),
		cmocka_unit_test(a_vip_alone_shows_its_name_and_can_be_read_back),
		cmocka_unit_test(rates_are_written_as_they_are_told),
		cmocka_unit_test(every_fault_is_named_with_its_path),
		cmocka_unit_test(quic_server_ids_fit_together),
		cmocka_unit_test(a_quic_server_id_is_made_of_the_address),
		cmocka_unit_test(no_document_at_all_is_an_error),
		cmocka_unit_test(fields_that_are_absent_are_null_and_of_any_kind_when_asked),
		cmocka_unit_test(an_object_without_fields_says_so),
		cmocka_unit_test(integers_are_checked_against_both_ends),
		cmocka_unit_test(a_vip_is_found_by_name_or_address_in_any_spelling),
		cmocka_unit_test(a_vip_that_is_not_there_is_not_found),
		cmocka_unit_test(a_taken_name_or_address_is_refused_and_nothing_changes),
		cmocka_unit_test(an_added_vip_belongs_to_the_service),
		cmocka_unit_test(vips_are_deleted_by_reference),
		cmocka_unit_test(backends_are_added_sorted_and_once),
		cmocka_unit_test(backends_are_deleted_by_address),
		cmocka_unit_test(nothing_can_be_freed_twice_over),
		cmocka_unit_test(random_documents_survive_a_round_trip),
		cmocka_unit_test(the_order_in_which_a_document_is_written_does_not_matter),
		cmocka_unit_test(edits_in_any_order_give_the_same_as_the_whole_document),
		cmocka_unit_test(random_damage_is_refused_or_accepted),
		cmocka_unit_test(reading_time_grows_with_the_size_of_the_document_not_its_square),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
