/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a node taken out of the network, and waited for until no packet comes to it? */
#ifndef LBCTL_NODE_H
#define LBCTL_NODE_H

#include "args.h"
#include "output.h"

/* `node drain`. EXIT_DIFFERS: packets still come after --wait. */
enum exit_code node_drain_run(const struct invocation *invocation, struct output *output);

#endif
