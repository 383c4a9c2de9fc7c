/* SPDX-License-Identifier: BSD-2-Clause */
/* Which listening sockets lose packets to a VIP? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* A TCP socket of this process, bound to the loopback address; gives its port. */
static int open_socket(int family, bool listens, uint16_t *port)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in at4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *address = family == AF_INET ? (void *)&at4 : (void *)&at;
	socklen_t length = family == AF_INET ? sizeof(at4) : sizeof(at);
	int fd = socket(family, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, address, length), 0);
	assert_int_equal(getsockname(fd, address, &length), 0);
	if (listens)
		assert_int_equal(listen(fd, 1), 0);
	*port = ntohs(family == AF_INET ? at4.sin_port : at.sin6_port);
	return fd;
}

static bool warns_of(const char *address, uint16_t port)
{
	struct shadow *shadow = shadow_look();
	struct lb_vip vip = {.name = "own"};
	char text[LB_ENDPOINT_TEXT];
	json_t *warning;

	snprintf(text, sizeof(text), "%s:%u/tcp", address, port);
	assert_non_null(shadow);
	assert_int_equal(lb_endpoint_parse(text, &vip.endpoint, NULL), 0);
	warning = shadow_warning(shadow, &vip);
	shadow_free(shadow);
	json_decref(warning);
	return warning != NULL;
}

static void sockets_of_this_machine_are_found_that_listen(void **state)
{
	uint16_t port4, port6, silent;
	const int fds[] = {open_socket(AF_INET, true, &port4), open_socket(AF_INET6, true, &port6),
			   open_socket(AF_INET, false, &silent)};

	(void)state;
	assert_true(warns_of("127.0.0.1", port4));
	assert_true(warns_of("[::1]", port6));
	assert_false(warns_of("127.0.0.1", silent));
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	assert_false(warns_of("127.0.0.1", port4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_kernel_are_read),
		cmocka_unit_test(only_sockets_of_the_vips_port_and_address_count),
		cmocka_unit_test(sockets_of_every_address_count_for_real_interfaces),
		cmocka_unit_test(sockets_of_this_machine_are_found_that_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
