/* SPDX-License-Identifier: BSD-2-Clause */
/* What is compared, side by side: two programs, or one program at two cases. */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include "stage.h"

struct side {
	const char *name; /* of a case */
	enum variant variant;
};

struct pair {
	const char *name;
	struct side sides[2];
};

extern const struct pair pairs[];
extern const size_t pair_count;

#endif
