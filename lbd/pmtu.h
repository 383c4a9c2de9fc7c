/* SPDX-License-Identifier: BSD-2-Clause */
/* What do routers on the way to the backends say of its MTU, and backends of the outer header?
 *
 * The outer packets forbid fragmentation, so a router whose next link is too narrow for one drops
 * it and tells its sender (RFC 1191, RFC 8201). That is the outer source address: where it is an
 * address of this machine, the messages come to its stack, which has no use for them, and are read
 * here from a raw socket. Who hears of it lowers the MTU of that way, and from then on the program
 * itself tells clients.
 *
 * A backend that does not take off the outer header says so in the same manner.
 *
 * An outer source out of a configured prefix (lbd.json, `source`) is heard only if the machine
 * takes in packets to it: `ip route add local PREFIX dev lo`.
 */
#ifndef LB_PMTU_H
#define LB_PMTU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "api/addr.h"
#include "api/err.h"

struct event_base;
struct pmtu;

/* The least that is believed: a lower one would be no use to TCP, or be forged. RFC 8200 section 5
 * for IPv6; for IPv4 what Linux takes (net.ipv4.route.min_pmtu). */
#define PMTU_MIN_IPV4 552u
#define PMTU_MIN_IPV6 1280u

/* How the backend has refused the outer packet. */
enum pmtu_refusal {
	PMTU_NOT_REFUSED,
	PMTU_NO_PROTOCOL, /* it knows no IP-in-IP */
	PMTU_NO_DEVICE,   /* it does, but no device there takes it: "port unreachable" */
	PMTU_NO_PORT,     /* nothing takes UDP to the port of GUE */
};

struct pmtu_news {
	struct lb_addr destination; /* of the outer packet: a backend, if it is one of ours */
	uint32_t mtu;               /* of the outer packet, at least PMTU_MIN_*; 0: refused */
	enum pmtu_refusal refusal;
};

typedef void (*pmtu_heard)(void *user, const struct pmtu_news *news);

/* Opens raw sockets (CAP_NET_RAW) for "fragmentation needed", "packet too big" and refusals.
 * Without IPv6 in the kernel it hears only IPv4. */
int pmtu_open(struct event_base *base, pmtu_heard heard, void *user, struct pmtu **out,
	      struct lb_err *err);
void pmtu_close(struct pmtu *pmtu);

/* The readers, pure. True when the message is about a packet that could be one of ours: IP-in-IP,
 * or UDP to the port of GUE. */
bool pmtu_read_ipv4(const void *packet, size_t length,
		    struct pmtu_news *out); /* from its IP header */
bool pmtu_read_ipv6(const void *message, size_t length, struct pmtu_news *out); /* from its ICMPv6
										   header */

#endif
