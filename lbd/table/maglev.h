/* SPDX-License-Identifier: BSD-2-Clause */
/* How does Maglev fill a table? NSDI 2016, section 3.4, with weights. */
#ifndef LB_TABLE_MAGLEV_H
#define LB_TABLE_MAGLEV_H

#include "roster.h"

/* Writes roster indices (LB_NONE when the roster is empty) into owners[size]; size is a prime. 0,
 * or -ENOMEM with owners unchanged. */
int maglev_build(const struct roster *roster, uint32_t size, const uint64_t seed[2],
		 uint16_t *owners);

#endif
