/* SPDX-License-Identifier: BSD-2-Clause */
/* Which secrets may the cookies of the SYN guard be made with? They stand in a file that balancers and
 * their backends have in common: 32 hex digits a line, the current one first, then perhaps another
 * whose cookies are taken, too. Nothing shows them. */
#ifndef LB_GUARD_SECRET_H
#define LB_GUARD_SECRET_H

#include <stdint.h>
#include "err.h"

#define GUARD_SECRETS 2

struct guard_secret {
	uint64_t key[GUARD_SECRETS][2];
	uint32_t count; /* 0: none */
};

/* 0, or -EINVAL with *err. A file that others may read is refused. */
int guard_secret_read(const char *path, struct guard_secret *out, struct lb_err *err);

#endif
