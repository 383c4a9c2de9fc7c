/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs of a backend: bpf/decap.bpf.c in XDP, bpf/second.bpf.c and bpf/reqsk.bpf.c in TC. They
 * stay attached when this process has ended. */
#ifndef BACKEND_PROGRAMS_H
#define BACKEND_PROGRAMS_H

#include <stdbool.h>
#include "../../bpf/decap_counters.h"
#include "../../bpf/reqsk_counters.h"
#include "../../bpf/second_counters.h"
#include "config.h"
#include "undo.h"

int programs_attach(const struct backend_config *config, struct undo *undo, struct lb_err *err);
/* As undo_all wants it. Programs that are not ours stay. */
void programs_detach(const char *hook, const char *interface);

/* The secrets of config->guard_secret into the programs that are attached. */
int programs_take_secret(const struct backend_config *config, struct lb_err *err);

/* What is attached at an interface. */
struct programs_at {
	bool decap, second, reqsk;
	bool generic; /* XDP is not in the driver */
};
struct programs_at programs_at(const char *interface);

/* Counted since the programs were attached, over all interfaces and CPUs; false: there are none. */
struct programs_counters {
	struct decap_stats decap;
	struct second_stats second;
	struct reqsk_stats reqsk;
};
bool programs_count(const struct names *interfaces, struct programs_counters *out);

#endif
