/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs take packets away from a program on this machine? */
#include "shadow.h"

#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS_MAX 4096 /* looked at */
#define TCP_LISTEN 0x0a  /* states in /proc/net */
#define UDP_OPEN 0x07    /* not connected */

struct local {
	struct lb_addr address;
	bool on_lo;
};

struct shadow {
	struct local *locals; /* sorted by address */
	size_t local_count;
	struct shadow_socket sockets[SOCKETS_MAX];
	size_t socket_count;
};

/* --- addresses --- */

static int compare_locals(const void *a, const void *b)
{
	return lb_addr_compare(&((const struct local *)a)->address,
			       &((const struct local *)b)->address);
}

static int look_at_addresses(struct shadow *shadow)
{
	struct ifaddrs *all, *one;
	size_t count = 0;

	if (getifaddrs(&all))
		return 0;
	for (one = all; one; one = one->ifa_next)
		count++;
	shadow->locals = calloc(count + 1, sizeof(*shadow->locals));
	for (one = all; shadow->locals && one; one = one->ifa_next) {
		struct local *local = &shadow->locals[shadow->local_count];

		if (!lb_addr_from_socket(one->ifa_addr, &local->address, NULL))
			continue;
		local->on_lo = one->ifa_flags & IFF_LOOPBACK;
		shadow->local_count++;
	}
	freeifaddrs(all);
	if (!shadow->locals)
		return -1;
	qsort(shadow->locals, shadow->local_count, sizeof(*shadow->locals), compare_locals);
	return 0;
}

/* --- sockets --- */

/* The kernel prints each 32 bits of an address as a number of this machine's byte order. */
static bool parse_address(const char *hex, uint8_t family, struct lb_addr *out)
{
	const int words = family == 4 ? 1 : 4;

	*out = (struct lb_addr){.family = family};
	for (int i = 0; i < words; i++) {
		unsigned int word;

		if (sscanf(hex + 8 * (size_t)i, "%8x", &word) != 1)
			return false;
		memcpy(out->bytes + 4 * i, &word, sizeof(word));
	}
	return true;
}

bool shadow_parse(const char *line, uint8_t family, uint8_t protocol, struct shadow_socket *out)
{
	unsigned int port, state;
	char address[33];

	if (sscanf(line, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*x %2x", address, &port, &state) != 3 ||
	    strlen(address) != (family == 4 ? 8 : 32) ||
	    state != (protocol == IPPROTO_TCP ? TCP_LISTEN : UDP_OPEN))
		return false;
	out->bound = (struct lb_endpoint){.port = (uint16_t)port, .protocol = protocol};
	return parse_address(address, family, &out->bound.address);
}

static int add_listener(const struct nlmsghdr *message, void *user)
{
	const struct inet_diag_msg *from = mnl_nlmsg_get_payload(message);
	struct shadow *shadow = user;
	struct lb_endpoint *bound = &shadow->sockets[shadow->socket_count].bound;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*from) ||
	    shadow->socket_count == SOCKETS_MAX)
		return MNL_CB_OK;
	*bound = (struct lb_endpoint){.port = ntohs(from->id.idiag_sport), .protocol = IPPROTO_TCP};
	bound->address.family = from->idiag_family == AF_INET ? 4 : 6;
	memcpy(bound->address.bytes, from->id.idiag_src, from->idiag_family == AF_INET ? 4 : 16);
	shadow->socket_count++;
	return MNL_CB_OK;
}

static int ask_for_listeners(struct mnl_socket *kernel, uint8_t family, struct shadow *shadow)
{
	char buffer[32768]; /* the kernel fills no larger one */
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *wanted;
	ssize_t bytes;
	int more = MNL_CB_OK;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	wanted = mnl_nlmsg_put_extra_header(request, sizeof(*wanted));
	wanted->sdiag_family = family == 4 ? AF_INET : AF_INET6;
	wanted->sdiag_protocol = IPPROTO_TCP;
	wanted->idiag_states = 1u << TCP_LISTEN;
	if (mnl_socket_sendto(kernel, request, request->nlmsg_len) < 0)
		return -1;
	while (more == MNL_CB_OK) {
		bytes = mnl_socket_recvfrom(kernel, buffer, sizeof(buffer));
		if (bytes <= 0)
			return -1;
		more = mnl_cb_run(buffer, bytes, 0, 0, add_listener, shadow);
	}
	return more == MNL_CB_STOP ? 0 : -1;
}

/* 0, or -1 where the kernel has no such netlink (a module). */
static int look_at_listeners(struct shadow *shadow, uint8_t family)
{
	struct mnl_socket *kernel = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	const size_t before = shadow->socket_count;
	int error;

	if (!kernel)
		return -1;
	error = ask_for_listeners(kernel, family, shadow);
	mnl_socket_close(kernel);
	if (error)
		shadow->socket_count = before;
	return error;
}

/* Listening TCP sockets stand before all connections, of which there may be very many. */
static void look_at_sockets(struct shadow *shadow, const char *path, uint8_t family,
			    uint8_t protocol)
{
	FILE *file = fopen(path, "re");
	char line[256];
	bool heading = true;

	if (!file)
		return;
	while (shadow->socket_count < SOCKETS_MAX && fgets(line, sizeof(line), file)) {
		if (shadow_parse(line, family, protocol, &shadow->sockets[shadow->socket_count]))
			shadow->socket_count++;
		else if (!heading && protocol == IPPROTO_TCP)
			break;
		heading = false;
	}
	fclose(file);
}

struct shadow *shadow_look(void)
{
	struct shadow *shadow = calloc(1, sizeof(*shadow));

	if (!shadow || look_at_addresses(shadow)) {
		free(shadow);
		return NULL;
	}
	/* /proc goes over the whole table of connections, which takes 5 ms even where it is empty. */
	if (look_at_listeners(shadow, 4))
		look_at_sockets(shadow, "/proc/self/net/tcp", 4, IPPROTO_TCP);
	if (look_at_listeners(shadow, 6))
		look_at_sockets(shadow, "/proc/self/net/tcp6", 6, IPPROTO_TCP);
	look_at_sockets(shadow, "/proc/self/net/udp", 4, IPPROTO_UDP);
	look_at_sockets(shadow, "/proc/self/net/udp6", 6, IPPROTO_UDP);
	return shadow;
}

void shadow_free(struct shadow *shadow)
{
	if (shadow)
		free(shadow->locals);
	free(shadow);
}

/* --- judging --- */

/* A socket of IPv6 that is bound to every address takes IPv4 too, unless it was told not to. */
bool shadow_takes(const struct lb_endpoint *vip, bool on_lo, const struct shadow_socket *socket)
{
	static const uint8_t unspecified[16];
	const struct lb_addr *bound = &socket->bound.address;
	uint16_t first, last;

	lb_endpoint_ports(vip, &first, &last);
	if (socket->bound.protocol != vip->protocol || socket->bound.port < first ||
	    socket->bound.port > last)
		return false;
	if (memcmp(bound->bytes, unspecified, sizeof(unspecified)) != 0)
		return lb_addr_equal(bound, &vip->address);
	return !on_lo && (bound->family == 6 || vip->address.family == 4);
}

/* An address may stand on several interfaces. */
static bool is_local(const struct shadow *shadow, const struct lb_addr *address, bool *on_lo)
{
	const struct local wanted = {.address = *address};
	const struct local *end = shadow->locals + shadow->local_count;
	const struct local *found = bsearch(&wanted, shadow->locals, shadow->local_count,
					    sizeof(wanted), compare_locals);

	if (!found)
		return false;
	while (found > shadow->locals && !compare_locals(found - 1, &wanted))
		found--;
	for (*on_lo = true; found < end && !compare_locals(found, &wanted); found++)
		*on_lo &= found->on_lo;
	return true;
}

/* Of one address of the VIP. */
static json_t *warning_at(const struct shadow *shadow, const struct lb_vip *vip,
			  const struct lb_addr *at)
{
	const char *protocol = vip->endpoint.protocol == IPPROTO_TCP ? "TCP" : "UDP";
	struct lb_endpoint one = vip->endpoint;
	char address[LB_ADDR_TEXT];
	bool on_lo;

	one.address = *at;
	one.host_bits = 0;
	if (!is_local(shadow, at, &on_lo))
		return NULL;
	for (size_t i = 0; i < shadow->socket_count; i++)
		if (shadow_takes(&one, on_lo, &shadow->sockets[i]))
			return json_sprintf(
				"VIP %s has an address of this machine, %s, and a program here "
				"listens on its %s port %u: what arrives for that goes to the "
				"backends, not to the program",
				vip->name, lb_addr_format(at, address), protocol,
				shadow->sockets[i].bound.port);
	return NULL;
}

json_t *shadow_warning(const struct shadow *shadow, const struct lb_vip *vip)
{
	const struct lb_prefix prefix = lb_endpoint_prefix(&vip->endpoint);
	json_t *warning = NULL;

	if (!shadow)
		return NULL;
	if (!vip->endpoint.host_bits)
		return warning_at(shadow, vip, &vip->endpoint.address);
	for (size_t i = 0; !warning && i < shadow->local_count; i++) {
		const struct lb_prefix local = {
			.address = shadow->locals[i].address,
			.length = shadow->locals[i].address.family == 4 ? 32 : 128};

		if (lb_prefix_covers(&prefix, &local))
			warning = warning_at(shadow, vip, &local.address);
	}
	return warning;
}

void shadow_warnings(const struct shadow *shadow, const struct lb_service *service,
		     json_t *warnings)
{
	json_t *warning;

	for (size_t i = 0; i < service->vip_count; i++) {
		warning = shadow_warning(shadow, &service->vips[i]);
		if (warning)
			json_array_append_new(warnings, warning);
	}
}
