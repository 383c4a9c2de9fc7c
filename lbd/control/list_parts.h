/* SPDX-License-Identifier: BSD-2-Clause */
/* What has a client given so far of a list that it loads in parts?
 *
 * One client at a time. What it has given goes with its connection; after 30 seconds without a part another client may
 * begin. Nothing of it is on a list before the load itself. */
#ifndef LB_LIST_PARTS_H
#define LB_LIST_PARTS_H

#include <stdint.h>
#include "../service/lists.h"
#include "peer.h"

#define LIST_PARTS_PREFIXES 2000000u /* a feed may name one twice */

struct list_parts;

int list_parts_new(struct list_parts **out, struct lb_err *err);
void list_parts_free(struct list_parts *parts); /* NULL: fine */

/* Part `number`, from 0 on: the prefixes of this edit. 0, or an error, and what the client has given is gone. */
int list_parts_add(struct list_parts *parts, const struct peer *peer, const struct list_edit *edit,
		   int64_t number, struct lb_err *err);
/* The edit gets the prefixes of so many parts before its own. They are gone in any case. */
int list_parts_take(struct list_parts *parts, const struct peer *peer, struct list_edit *edit,
		    int64_t count, struct lb_err *err);
/* What this client has given is gone. */
void list_parts_forget(struct list_parts *parts, const struct peer *peer);

#endif
