/* SPDX-License-Identifier: BSD-2-Clause */
/* What lbd may still do after its start, and what the programs that it runs may. */
#ifndef LB_PRIVILEGES_H
#define LB_PRIVILEGES_H

#include <stdbool.h>
#include "../api/err.h"

struct privileges_wanted {
	bool other_user; /* to run programs as another user, and to end them */
};

/* Keeps, of what the process has, CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and for programs of
 * another user CAP_SETUID, CAP_SETGID and CAP_KILL, in the permitted and the effective set, and
 * gives everything else up, and cannot get it back. CAP_SYS_ADMIN stays only where it has to stand in for a
 * CAP_BPF or CAP_PERFMON that is not there.
 *
 * Programs that lbd runs inherit nothing, even as root: the inheritable and ambient sets are empty,
 * user 0 is nothing special any more (SECBIT_NOROOT), and no_new_privs is set. The bounding set
 * shrinks to what is kept.
 *
 * A process that has less already keeps what it has; one without CAP_SETPCAP keeps its bounding set
 * and securebits, which no_new_privs makes harmless. 0, or -EINVAL and err; half-done never counts
 * as done: an error should end the process. */
int privileges_drop(const struct privileges_wanted *wanted, struct lb_err *err);

#endif
