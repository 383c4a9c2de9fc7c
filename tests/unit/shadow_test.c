/* SPDX-License-Identifier: BSD-2-Clause */
/* Which listening sockets lose packets to a VIP? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "../../lbd/plane/shadow.h"

#define REST "00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000"

static void assert_socket(const char *line, uint8_t family, uint8_t protocol, const char *expected)
{
	struct shadow_socket socket;
	char text[LB_ENDPOINT_TEXT];

	if (!expected) {
		assert_false(shadow_parse(line, family, protocol, &socket));
		return;
	}
	assert_true(shadow_parse(line, family, protocol, &socket));
	assert_string_equal(lb_endpoint_format(&socket.bound, text), expected);
}

/* Lines of a little-endian machine, as all are that lbd runs on. */
static void lines_of_the_kernel_are_read(void **state)
{
	(void)state;
	assert_socket("   0: 0200000A:2328 00000000:0000 0A " REST, 4, IPPROTO_TCP,
		      "10.0.0.2:9000/tcp");
	assert_socket("   0: 0200000A:2328 0100000A:1F90 01 " REST, 4, IPPROTO_TCP, NULL);
	assert_socket(" 117: 00000000:0035 00000000:0000 07 " REST, 4, IPPROTO_UDP,
		      "0.0.0.0:53/udp");
	assert_socket(" 117: 00000000:0035 0100000A:0035 01 " REST, 4, IPPROTO_UDP, NULL);
	assert_socket("   1: B80D0120000000000000000001000000:01BB "
		      "00000000000000000000000000000000:0000 0A " REST,
		      6, IPPROTO_TCP, "[2001:db8::1]:443/tcp");
	assert_socket("  sl  local_address rem_address   st tx_queue rx_queue tr", 4, IPPROTO_TCP,
		      NULL);
	assert_socket("", 4, IPPROTO_TCP, NULL);
}

static bool takes(const char *vip, bool on_lo, const char *bound)
{
	struct lb_endpoint endpoint;
	struct shadow_socket socket;

	assert_int_equal(lb_endpoint_parse(vip, &endpoint, NULL), 0);
	assert_int_equal(lb_endpoint_parse(bound, &socket.bound, NULL), 0);
	return shadow_takes(&endpoint, on_lo, &socket);
}

static void only_sockets_of_the_vips_port_and_address_count(void **state)
{
	(void)state;
	assert_true(takes("10.0.0.2:22/tcp", false, "10.0.0.2:22/tcp"));
	assert_true(takes("10.0.0.2:0/tcp", false, "10.0.0.2:22/tcp"));
	assert_false(takes("10.0.0.2:23/tcp", false, "10.0.0.2:22/tcp"));
	assert_false(takes("10.0.0.2:22/udp", false, "10.0.0.2:22/tcp"));
	assert_false(takes("10.0.0.2:22/tcp", false, "10.0.0.3:22/tcp"));
}

static void sockets_of_every_address_count_for_real_interfaces(void **state)
{
	(void)state;
	assert_true(takes("10.0.0.2:22/tcp", false, "0.0.0.0:22/tcp"));
	assert_true(takes("10.0.0.2:22/tcp", false, "[::]:22/tcp"));
	assert_true(takes("[2001:db8::1]:22/tcp", false, "[::]:22/tcp"));
	assert_false(takes("[2001:db8::1]:22/tcp", false, "0.0.0.0:22/tcp"));
	assert_false(takes("10.0.0.2:22/tcp", true, "0.0.0.0:22/tcp"));
	assert_true(takes("10.0.0.2:22/tcp", true, "10.0.0.2:22/tcp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_kernel_are_read),
		cmocka_unit_test(only_sockets_of_the_vips_port_and_address_count),
		cmocka_unit_test(sockets_of_every_address_count_for_real_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
