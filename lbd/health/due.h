/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of many moments comes first? A binary heap of what its users embed in their own structs. */
#ifndef LB_HEALTH_DUE_H
#define LB_HEALTH_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
	int64_t at_us;
	size_t place; /* in the heap, from 1 on; 0: it is not set */
};

struct due_heap {
	struct due **list;
	size_t count, room;
};

/* Room for so many, so that none of them can fail to be set. 0 or -ENOMEM. */
int due_reserve(struct due_heap *heap, size_t count);
void due_free(struct due_heap *heap);

void due_set(struct due_heap *heap, struct due *due, int64_t at_us); /* again: it moves */
void due_unset(struct due_heap *heap, struct due *due);              /* also when it is not set */
struct due *due_first(const struct due_heap *heap);                  /* NULL: none is set */

#endif
