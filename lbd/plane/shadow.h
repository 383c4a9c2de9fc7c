/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs take packets away from a program on this machine?
 *
 * A VIP may be an address of the balancer itself. What comes for its port goes to the backends,
 * also where something on this machine listens on that port: an sshd, say, that cannot be reached
 * from outside any more.
 *
 * A socket that is bound to every address counts for the addresses of real interfaces only: a VIP
 * stands on lo so that packets for other ports are not forwarded (loops.h), and nobody expects the
 * machine's own services there. SCTP is not looked at. */
#ifndef LB_SHADOW_H
#define LB_SHADOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "../api/addr.h"
#include "../api/model.h"

struct shadow;

/* The addresses and the listening sockets of the network namespace, as they are now. NULL without
 * memory; what the kernel does not tell is not there. */
struct shadow *shadow_look(void);
void shadow_free(struct shadow *shadow); /* NULL is fine */
/* A sentence when packets for the VIP are taken from a program here, a new reference; else NULL.
 * `shadow` may be NULL. */
json_t *shadow_warning(const struct shadow *shadow, const struct lb_vip *vip);
/* Sentences for all VIPs. */
void shadow_warnings(const struct shadow *shadow, const struct lb_service *service,
		     json_t *warnings);

/* --- pure --- */

struct shadow_socket {
	struct lb_endpoint bound; /* to the unspecified address: to all of them */
};

/* A line of /proc/net/{tcp,udp} (family 4) or /proc/net/{tcp6,udp6} (6). False: not of a socket
 * that waits for whoever comes. */
bool shadow_parse(const char *line, uint8_t family, uint8_t protocol, struct shadow_socket *out);
/* Whether packets for the VIP would be the socket's, if the VIP's address is one of this machine;
 * `on_lo`: of lo alone. */
bool shadow_takes(const struct lb_endpoint *vip, bool on_lo, const struct shadow_socket *socket);

#endif
