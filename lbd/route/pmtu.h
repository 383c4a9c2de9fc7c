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
#include "../api/addr.h"
#include "../api/err.h"
#include "pmtu_judge.h"

struct event_base;
struct pmtu;

typedef void (*pmtu_heard)(void *user, const struct pmtu_news *news);

/* Opens raw sockets (CAP_NET_RAW) for "fragmentation needed", "packet too big" and refusals.
 * Without IPv6 in the kernel it hears only IPv4. */
int pmtu_open(struct event_base *base, pmtu_heard heard, void *user, struct pmtu **out,
	      struct lb_err *err);
void pmtu_close(struct pmtu *pmtu);

#endif
