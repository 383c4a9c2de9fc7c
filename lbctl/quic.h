/* SPDX-License-Identifier: BSD-2-Clause */
/* What must a QUIC server put into its connection ids? */
#ifndef LBCTL_QUIC_H
#define LBCTL_QUIC_H

#include "output.h"

enum exit_code quic_run(const struct invocation *invocation, struct output *output);
void view_quic(FILE *out, const struct invocation *invocation, const json_t *result);

#endif
