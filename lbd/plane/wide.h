/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose is a port at an address, where VIPs are prefixes and have ranges of ports? ("Wide" VIPs, bpf/abi.h.)
 * Pure. */
#ifndef LB_WIDE_TABLE_H
#define LB_WIDE_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../api/addr.h"

struct wide_table;

struct wide_table *wide_table_new(void); /* NULL without memory */
void wide_table_free(struct wide_table *table);

/* Adds a wide endpoint, or gives it another VIP number. 0; -ENOMEM; -ENOSPC, with LB_WIDE_MAX of them twice
 * over, since a change adds before it removes. */
int wide_table_set(struct wide_table *table, const struct lb_endpoint *endpoint, uint32_t number);
void wide_table_del(struct wide_table *table, const struct lb_endpoint *endpoint);

/* What a packet to each prefix within the endpoint's own needs to know, the widest prefix first. `prefix`:
 * without ports. No parts: nobody has just that prefix any more. Ends with the first answer that is not 0,
 * which it returns. */
int wide_table_each(const struct wide_table *table, const struct lb_endpoint *endpoint,
		    int (*each)(void *user, const struct lb_endpoint *prefix,
				const struct lb_parts *parts),
		    void *user);
/* The same of all prefixes that there are. */
int wide_table_all(const struct wide_table *table,
		   int (*each)(void *user, const struct lb_endpoint *prefix,
			       const struct lb_parts *parts),
		   void *user);

#endif
