/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose packets does a VIP take, and whose are they when it goes? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../lbd/service/beside.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char *const vips[] = {
	"192.0.2.1:0/tcp",         "192.0.2.1:80/tcp",         "192.0.2.1:80/udp",
	"192.0.2.1:100-200/tcp",   "192.0.2.1:120-130/tcp",    "192.0.2.2:80/tcp",
	"192.0.2.0/24:0/tcp",      "192.0.2.0/24:443/tcp",     "192.0.2.0/24:400-500/tcp",
	"192.0.0.0/16:0/tcp",      "192.0.0.0/16:0/udp",       "192.0.2.0/25:443/tcp",
	"2001:db8::/48:80-90/tcp", "2001:db8::/32:70-100/tcp", "2001:db8::/32:85/tcp",
};

static struct lb_service *service_of_all(void)
{
	json_t *document = json_pack("{s:[]}", "vips");
	struct lb_service *service;
	struct lb_err err;

	for (size_t i = 0; i < ARRAY_SIZE(vips); i++)
		json_array_append_new(json_object_get(document, "vips"),
				      json_pack("{s:s}", "address", vips[i]));
	if (lb_service_from_json(document, &service, &err))
		fail_msg("%s: %s", err.path, err.message);
	json_decref(document);
	return service;
}

/* "A B": the VIPs, by their first ports; with " -" where some packets are nobody's. */
static void check(const struct lb_service *service, const char *text, const char *expected)
{
	const struct lb_wide_kinds kinds = lb_service_wide_kinds(service);
	struct lb_endpoint endpoint;
	struct beside beside;
	char found[1024] = "";

	assert_int_equal(lb_endpoint_parse(text, &endpoint, NULL), 0);
	beside_find(service, &kinds, &endpoint, &beside);
	for (size_t i = 0; i < beside.count; i++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i ? " " : "",
			 beside.vips[i]->name);
	if (!beside.whole)
		strcat(found, " -");
	assert_string_equal(found, expected);
}

static void less_specific_vips_have_the_packets(void **state)
{
	static const char *const rows[][2] = {
		/* one address: its range, every port, prefixes by length */
		{"192.0.2.1:80/tcp", "192.0.2.1:0/tcp"},
		{"192.0.2.1:150/tcp", "192.0.2.1:100-200/tcp"},
		{"192.0.2.1:125/tcp", "192.0.2.1:120-130/tcp"},
		{"192.0.2.1:120-130/tcp", "192.0.2.1:100-200/tcp"},
		{"192.0.2.1:0/tcp", "192.0.2.0/24:0/tcp 192.0.2.0/24:400-500/tcp "
				    "192.0.2.0/25:443/tcp"},
		{"192.0.2.1:80/udp", "192.0.0.0/16:0/udp"},
		{"192.0.2.2:80/tcp", "192.0.2.0/24:0/tcp"},
		{"192.0.2.2:443/tcp", "192.0.2.0/25:443/tcp"},
		{"192.0.2.200:443/tcp", "192.0.2.0/24:443/tcp"},
		{"192.0.3.1:1/tcp", "192.0.0.0/16:0/tcp"},
		{"193.0.0.1:1/tcp", " -"},
		/* prefixes */
		{"192.0.2.0/25:443/tcp", "192.0.2.0/24:443/tcp"},
		{"192.0.2.0/24:443/tcp", "192.0.2.0/24:400-500/tcp"},
		{"192.0.2.0/24:0/tcp", "192.0.0.0/16:0/tcp"},
		{"192.0.0.0/16:0/tcp", " -"},
		/* a port of a shorter prefix is taken from it, and some ports from nobody */
		{"2001:db8::/48:80-90/tcp", "2001:db8::/32:70-100/tcp 2001:db8::/32:85/tcp"},
		{"2001:db8::/32:85/tcp", "2001:db8::/32:70-100/tcp"},
		{"2001:db8::/64:60-75/tcp", "2001:db8::/32:70-100/tcp -"},
		{"[2001:db8::1]:0/tcp", "2001:db8::/32:70-100/tcp 2001:db8::/48:80-90/tcp -"},
		{"[2001:db8::1]:80/sctp", " -"},
	};
	struct lb_service *service = service_of_all();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(service, rows[i][0], rows[i][1]);
	lb_service_free(service);
}

/* A backend may not have an address that packets come back with. */
static void holder_of_an_address_is_found(void **state)
{
	static const struct {
		const char *address, *vip;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1:0/tcp"},
		{"192.0.2.3", "192.0.2.0/25:443/tcp"},
		{"192.0.2.0", "192.0.2.0/25:443/tcp"},
		{"192.0.2.255", "192.0.2.0/24:0/tcp"},
		{"192.0.255.255", "192.0.0.0/16:0/tcp"},
		{"192.1.0.0", NULL},
		{"2001:db8:0:ffff::", "2001:db8::/48:80-90/tcp"},
		{"2001:db9::", NULL},
	};
	struct lb_service *service = service_of_all();
	const struct lb_wide_kinds kinds = lb_service_wide_kinds(service);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_addr address;
		const struct lb_vip *vip;

		assert_int_equal(lb_addr_parse(rows[i].address, &address, NULL), 0);
		vip = lb_service_holder(service, &kinds, &address);
		assert_string_equal(vip ? vip->name : "none", rows[i].vip ? rows[i].vip : "none");
	}
	lb_service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(less_specific_vips_have_the_packets),
		cmocka_unit_test(holder_of_an_address_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
