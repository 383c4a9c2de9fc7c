/* SPDX-License-Identifier: BSD-2-Clause */
/* Out of which addresses may the outer source of packets to a backend come? Pure. */
#ifndef LB_OUTER_SOURCE_H
#define LB_OUTER_SOURCE_H

#include "../api/addr.h"

/* The configured prefix; or, where the backend is in it, the part that has neither the backend nor
 * the first and last address: a host drops packets from its own address, and from the network and
 * broadcast address of its network (RFC 1812 section 5.3.7). The part is one of the two middle
 * quarters, so that it leaves out all of a smaller network that the backend is in. Of two addresses
 * it is the other one; a prefix that is a single address stays as it is. */
struct lb_prefix outer_source(const struct lb_prefix *configured, const struct lb_addr *backend);

#endif
