/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong, and what fixes it? */
#ifndef LBCTL_DOCTOR_H
#define LBCTL_DOCTOR_H

#include "output.h"

enum exit_code doctor_run(const struct invocation *invocation, struct output *output);
void view_doctor(FILE *out, const struct invocation *invocation, const json_t *result);

#endif
