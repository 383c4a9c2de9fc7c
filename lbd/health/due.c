/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of many moments comes first? */
#include "due.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_LEAST 64

int due_reserve(struct due_heap *heap, size_t count)
{
	size_t room = heap->room ? heap->room : ROOM_LEAST;
	struct due **list;

	while (room < count)
		room *= 2;
	if (room == heap->room)
		return 0;
	list = reallocarray(heap->list, room, sizeof(struct due *));
	if (!list)
		return -ENOMEM;
	heap->list = list;
	heap->room = room;
	return 0;
}

void due_free(struct due_heap *heap)
{
	free(heap->list);
	*heap = (struct due_heap){0};
}

static void put(struct due_heap *heap, size_t place, struct due *due)
{
	heap->list[place - 1] = due;
	due->place = place;
}

static struct due *at(const struct due_heap *heap, size_t place)
{
	return heap->list[place - 1];
}

static void rise(struct due_heap *heap, struct due *due)
{
	size_t place = due->place;

	while (place > 1 && at(heap, place / 2)->at_us > due->at_us) {
		put(heap, place, at(heap, place / 2));
		place /= 2;
	}
	put(heap, place, due);
}

static void sink(struct due_heap *heap, struct due *due)
{
	size_t place = due->place, child;

	while ((child = 2 * place) <= heap->count) {
		if (child < heap->count && at(heap, child + 1)->at_us < at(heap, child)->at_us)
			child++;
		if (at(heap, child)->at_us >= due->at_us)
			break;
		put(heap, place, at(heap, child));
		place = child;
	}
	put(heap, place, due);
}

void due_set(struct due_heap *heap, struct due *due, int64_t at_us)
{
	due->at_us = at_us;
	if (!due->place)
		put(heap, ++heap->count, due);
	rise(heap, due);
	sink(heap, due);
}

void due_unset(struct due_heap *heap, struct due *due)
{
	struct due *last;

	if (!due->place)
		return;
	last = at(heap, heap->count--);
	if (last != due) {
		put(heap, due->place, last);
		rise(heap, last);
		sink(heap, last);
	}
	due->place = 0;
}

struct due *due_first(const struct due_heap *heap)
{
	return heap->count ? at(heap, 1) : NULL;
}
