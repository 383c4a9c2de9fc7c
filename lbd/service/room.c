/* SPDX-License-Identifier: BSD-2-Clause */
/* Which windows are there, and do the tables in one of them fit elsewhere? */
#include "room.h"

#include <errno.h>
#include <stdlib.h>

#define TRIES 64 /* windows, from the cheapest on: each takes a look at all that is free */

/* Slots that might become free: they begin or end where something free does. */
struct window {
	uint32_t start;
	uint32_t first, end; /* the pieces in it, by place */
	uint64_t cost;       /* slots that have to move */
};

struct hole {
	uint32_t start, size;
};

struct search {
	struct room_piece *pieces;
	size_t count;
	uint32_t area, size;
	struct window *windows;
	size_t window_count;
	struct room_piece **order; /* those of one window, the largest first */
	struct hole *holes;
	size_t hole_count;
};

static uint32_t end_of(const struct room_piece *piece)
{
	return piece->start + piece->size;
}

/* The first piece that ends after `at`. */
static size_t first_after(const struct search *search, uint32_t at)
{
	size_t low = 0, high = search->count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (end_of(&search->pieces[middle]) > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void add_window(struct search *search, uint32_t start)
{
	struct window window = {.start = start};
	size_t i;

	if (start > search->area || search->size > search->area - start)
		return;
	window.first = i = first_after(search, start);
	for (; i < search->count && search->pieces[i].start < start + search->size; i++) {
		if (search->pieces[i].fixed)
			return;
		window.cost += search->pieces[i].size;
	}
	window.end = i;
	search->windows[search->window_count++] = window;
}

static int compare_costs(const void *a, const void *b)
{
	const struct window *x = a, *y = b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

static int compare_sizes(const void *a, const void *b)
{
	const struct room_piece *x = *(struct room_piece *const *)a;
	const struct room_piece *y = *(struct room_piece *const *)b;

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

static void add_hole(struct search *search, uint32_t start, uint32_t end)
{
	if (start < end)
		search->holes[search->hole_count++] = (struct hole){start, end - start};
}

/* What is free between two pieces, but for what the window has of it. */
static void add_holes(struct search *search, uint32_t start, uint32_t end,
		      const struct window *window)
{
	const uint32_t window_end = window->start + search->size;

	add_hole(search, start, end < window->start ? end : window->start);
	add_hole(search, start > window_end ? start : window_end, end);
}

static void list_holes(struct search *search, const struct window *window)
{
	uint32_t at = 0;

	search->hole_count = 0;
	for (size_t i = 0; i < search->count; i++) {
		add_holes(search, at, search->pieces[i].start, window);
		at = end_of(&search->pieces[i]);
	}
	add_holes(search, at, search->area, window);
}

/* Best fit. */
static bool find_place(struct search *search, struct room_piece *piece)
{
	struct hole *best = NULL;

	for (size_t i = 0; i < search->hole_count; i++) {
		struct hole *hole = &search->holes[i];

		if (hole->size >= piece->size && (!best || hole->size < best->size))
			best = hole;
	}
	if (!best)
		return false;
	piece->to = best->start;
	best->start += piece->size;
	best->size -= piece->size;
	return true;
}

static bool try_window(struct search *search, const struct window *window)
{
	const size_t count = window->end - window->first;
	size_t i;

	list_holes(search, window);
	for (i = 0; i < count; i++)
		search->order[i] = &search->pieces[window->first + i];
	qsort(search->order, count, sizeof(*search->order), compare_sizes);
	for (i = 0; i < count; i++)
		if (!find_place(search, search->order[i]))
			break;
	if (i == count)
		return true;
	while (i--)
		search->order[i]->to = search->order[i]->start;
	return false;
}

static int find_window(struct search *search, uint32_t *start)
{
	size_t i;

	add_window(search, 0);
	for (i = 0; i < search->count; i++) {
		add_window(search, end_of(&search->pieces[i]));
		if (search->pieces[i].start >= search->size)
			add_window(search, search->pieces[i].start - search->size);
	}
	if (search->area >= search->size)
		add_window(search, search->area - search->size);
	qsort(search->windows, search->window_count, sizeof(*search->windows), compare_costs);
	for (i = 0; i < search->window_count && i < TRIES; i++) {
		if (!try_window(search, &search->windows[i]))
			continue;
		*start = search->windows[i].start;
		return 0;
	}
	return -ENOSPC;
}

int room_plan(struct room_piece *pieces, size_t count, uint32_t area, uint32_t size,
	      uint32_t *start)
{
	struct search search = {.pieces = pieces, .count = count, .area = area, .size = size};
	int error = -ENOMEM;

	for (size_t i = 0; i < count; i++)
		pieces[i].to = pieces[i].start;
	search.windows = calloc(2 * count + 2, sizeof(*search.windows));
	search.order = calloc(count + 1, sizeof(*search.order));
	search.holes = calloc(count + 2, sizeof(*search.holes));
	if (search.windows && search.order && search.holes)
		error = find_window(&search, start);
	free(search.windows);
	free(search.order);
	free(search.holes);
	return error;
}
