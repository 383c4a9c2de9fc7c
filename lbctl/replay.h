/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of the packets of a capture file, all together? */
#ifndef LBCTL_REPLAY_H
#define LBCTL_REPLAY_H

#include "output.h"

enum exit_code replay_run(const struct invocation *invocation, struct output *output);

#endif
