/* SPDX-License-Identifier: BSD-2-Clause */
/* How do tunnel checks get their encapsulation? The loaded TC program (bpf/tunnel.bpf.c), and the
 * interfaces at whose egress it stands. Beside datapath.c the only module that touches libbpf.
 *
 *	tunnel_open(&options, &tunnel, &err);
 *	tunnel_attach(tunnel, "eth0", &err);      every interface by which VIPs may be reached
 *	tunnel_detach("eth0") …                   tunnel_close does not: see there
 *
 * What tunnel checks need of the node:
 * - A route to the VIP's address, by an interface where the program stands and by a gateway that
 *   answers ARP or neighbour discovery: the packet is made by the kernel before the program
 *   sees it. The default route does. Without one the check fails: "network is unreachable".
 * - The program at every interface that such a route may lead out of. A marked packet that leaves
 *   by another one goes the plain way, and comes back as anyone's traffic. So attach to all of the
 *   node's interfaces but lo; a packet without the mark costs a comparison.
 * - The VIP's address must not be this node's own (the check says so).
 * - rp_filter other than 1 (strict), unless the route to the VIP leads out of the interface that
 *   the backend's answers arrive by, since these come from the VIP's address.
 * - CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON.
 * Some virtual links (veth) carry unfinished checksums; where a backend behind one decapsulates by
 * XDP, switch transmit checksums off on the balancer's end (ethtool -K DEV tx off).
 */
#ifndef LB_DATAPATH_TUNNEL_H
#define LB_DATAPATH_TUNNEL_H

#include <stdint.h>
#include "api/err.h"

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

/* Puts the program at the interface's egress, in the place of one that an earlier run has left.
 * Makes the clsact qdisc if there is none; other filters are left alone. */
int tunnel_attach(struct tunnel *tunnel, const char *interface, struct lb_err *err);
/* Takes ours away and nothing else; the clsact qdisc, which costs nothing, stays, since others may
 * be about to use it. 0 where there is none. Needs no struct tunnel, for clean-up after a crash. */
int tunnel_detach(const char *interface, struct lb_err *err);

#endif
