/* SPDX-License-Identifier: BSD-2-Clause */
/* How do tunnel checks get their encapsulation? The loaded TC programs (bpf/tunnel.bpf.c), and the
 * interfaces where they stand. Beside datapath.h the only module that touches libbpf.
 *
 *	tunnel_open(&options, &tunnel, &err);
 *	tunnel_attach(tunnel, "eth0", &err);      every interface by which backends may be reached
 *	tunnel_check(tunnel, member, &vip);       before the first check of a member
 *	tunnel_detach("eth0") …                   tunnel_close does not: see there
 *
 * What tunnel checks need of the node:
 * - A route to the backend's address, as for a direct check; the route to the VIP's is not asked.
 *   Only where VIP and backend differ in family the check needs a route to the VIP by an interface
 *   and a gateway that answers ARP or neighbour discovery, and that address must not be this
 *   node's own.
 * - The programs at every interface that such a route may lead out of, or answers come in by. A
 *   marked packet that leaves by another one goes the plain way. So attach to all of the node's
 *   interfaces but lo. A packet without the mark costs a comparison on its way out, and one that
 *   the node itself receives the look-up of a hash map.
 * - CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON.
 * Some virtual links (veth) carry unfinished checksums; where a backend behind one decapsulates by
 * XDP, switch transmit checksums off on the balancer's end (ethtool -K DEV tx off).
 */
#ifndef LB_DATAPATH_TUNNEL_H
#define LB_DATAPATH_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>
#include "../api/addr.h"
#include "../api/err.h"

struct tunnel;

struct tunnel_options {
	int members_fd, nexthops_fd; /* maps of the balancer's program; duplicated */
	uint64_t seed[2];            /* of its flow hash */
};

/* Loads the program over the maps given. */
int tunnel_open(const struct tunnel_options *options, struct tunnel **out, struct lb_err *err);
/* Frees. Filters stay where they are, and go on working with the maps they have, until they are
 * detached or replaced: so a restart does not interrupt checks that another process makes. */
void tunnel_close(struct tunnel *tunnel);

/* Puts the programs at the interface, in the place of those that an earlier run has left.
 * Makes the clsact qdisc if there is none; other filters are left alone. */
int tunnel_attach(struct tunnel *tunnel, const char *interface, struct lb_err *err);
/* Whether both are there still: whoever deletes the clsact qdisc takes them along. */
bool tunnel_stands(const char *interface);
/* Takes ours away and nothing else; the clsact qdisc, which costs nothing, stays, since others may
 * be about to use it. 0 where there is none. Needs no struct tunnel, for clean-up after a crash. */
int tunnel_detach(const char *interface, struct lb_err *err);

/* The VIP's address that checks of this member are for. 0 or -errno. */
int tunnel_check(struct tunnel *tunnel, uint32_t member, const struct lb_addr *vip);

#endif
