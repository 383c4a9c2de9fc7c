/* SPDX-License-Identifier: BSD-2-Clause */
/* Which numbers and ranges of the shared arrays are free? */
#include "numbers.h"

#include <stdlib.h>

#include "../../bpf/abi.h"

#define TAKEN UINT32_MAX

/* A ring of free numbers: taken at the head, given back at the tail. */
struct numbers {
	uint32_t size, free_count, head;
	uint32_t *places; /* of each number in the ring, or TAKEN */
	uint32_t ring[];
};

struct numbers *numbers_new(uint32_t size)
{
	struct numbers *numbers =
		malloc(sizeof(*numbers) + 2 * (size_t)size * sizeof(numbers->ring[0]));
	uint32_t i;

	if (!numbers)
		return NULL;
	numbers->size = numbers->free_count = size;
	numbers->head = 0;
	numbers->places = numbers->ring + size;
	for (i = 0; i < size; i++)
		numbers->ring[i] = numbers->places[i] = i;
	return numbers;
}

void numbers_free(struct numbers *numbers)
{
	free(numbers);
}

static void put_at(struct numbers *numbers, uint32_t place, uint32_t number)
{
	numbers->ring[place] = number;
	numbers->places[number] = place;
}

bool numbers_take(struct numbers *numbers, uint32_t *out)
{
	if (!numbers->free_count)
		return false;
	*out = numbers->ring[numbers->head];
	numbers->places[*out] = TAKEN;
	numbers->head = (numbers->head + 1) % numbers->size;
	numbers->free_count--;
	return true;
}

bool numbers_claim(struct numbers *numbers, uint32_t number)
{
	uint32_t first;

	if (number >= numbers->size || numbers->places[number] == TAKEN)
		return false;
	put_at(numbers, numbers->places[number], numbers->ring[numbers->head]);
	put_at(numbers, numbers->head, number);
	return numbers_take(numbers, &first);
}

void numbers_give_back(struct numbers *numbers, uint32_t number)
{
	put_at(numbers, (numbers->head + numbers->free_count++) % numbers->size, number);
}

uint32_t numbers_used(const struct numbers *numbers)
{
	return numbers->size - numbers->free_count;
}

uint32_t numbers_for_vips(uint32_t vips)
{
	return vips > LB_VIP_NUMBERS_MAX / 2 ? LB_VIP_NUMBERS_MAX : vips * 2;
}

/* Free holes in order of start, none empty, no two adjacent. */
struct hole {
	uint32_t start, length;
	struct hole *next;
};

struct ranges {
	uint32_t used;
	struct hole *holes;
	struct hole *spare; /* holes to reuse, so that giving back cannot run out of memory */
};

static struct hole *hole_new(struct ranges *ranges)
{
	struct hole *hole = ranges->spare;

	if (!hole)
		return calloc(1, sizeof(*hole));
	ranges->spare = hole->next;
	return hole;
}

static void hole_retire(struct ranges *ranges, struct hole *hole)
{
	hole->next = ranges->spare;
	ranges->spare = hole;
}

struct ranges *ranges_new(uint32_t size)
{
	struct ranges *ranges = calloc(1, sizeof(*ranges));

	if (!ranges)
		return NULL;
	ranges->holes = hole_new(ranges);
	if (!ranges->holes) {
		free(ranges);
		return NULL;
	}
	*ranges->holes = (struct hole){.length = size};
	return ranges;
}

static void holes_free(struct hole *hole)
{
	while (hole) {
		struct hole *next = hole->next;

		free(hole);
		hole = next;
	}
}

void ranges_free(struct ranges *ranges)
{
	if (!ranges)
		return;
	holes_free(ranges->holes);
	holes_free(ranges->spare);
	free(ranges);
}

/* Each range taken brings the hole that its return may need. */
static bool bring_spare(struct ranges *ranges)
{
	struct hole *spare = calloc(1, sizeof(*spare));

	if (spare)
		hole_retire(ranges, spare);
	return spare;
}

/* Cuts the range out of the hole at *link, which contains it. */
static bool cut(struct ranges *ranges, struct hole **link, uint32_t start, uint32_t length)
{
	struct hole *hole = *link, *rest;
	uint32_t end = hole->start + hole->length;

	if (start > hole->start && start + length < end) { /* the rest is a hole more */
		rest = hole_new(ranges);
		if (!rest)
			return false;
		*rest = (struct hole){.start = start + length,
				      .length = end - start - length,
				      .next = hole->next};
		hole->next = rest;
		hole->length = start - hole->start;
	} else if (start > hole->start) {
		hole->length -= length;
	} else {
		hole->start += length;
		hole->length -= length;
	}
	if (!hole->length) {
		*link = hole->next;
		hole_retire(ranges, hole);
	}
	ranges->used += length;
	return true;
}

bool ranges_take(struct ranges *ranges, uint32_t length, uint32_t *start)
{
	struct hole **link, **best = NULL;

	for (link = &ranges->holes; *link; link = &(*link)->next)
		if ((*link)->length >= length && (!best || (*link)->length < (*best)->length))
			best = link;
	if (!best || !bring_spare(ranges))
		return false;
	*start = (*best)->start;
	return cut(ranges, best, *start, length);
}

bool ranges_claim(struct ranges *ranges, uint32_t start, uint32_t length)
{
	struct hole **link;

	/* One spare for the hole that the range may leave behind it, one for its return. */
	if (!length || !bring_spare(ranges) || !bring_spare(ranges))
		return false;
	for (link = &ranges->holes; *link; link = &(*link)->next) {
		const struct hole *hole = *link;

		if (start < hole->start)
			return false;
		if (length <= hole->length && start - hole->start <= hole->length - length)
			return cut(ranges, link, start, length);
	}
	return false;
}

static void merge_with_next(struct ranges *ranges, struct hole *hole)
{
	struct hole *next = hole->next;

	if (!next || hole->start + hole->length != next->start)
		return;
	hole->length += next->length;
	hole->next = next->next;
	hole_retire(ranges, next);
}

void ranges_give_back(struct ranges *ranges, uint32_t start, uint32_t length)
{
	struct hole **link = &ranges->holes, *before = NULL, *hole = hole_new(ranges);

	if (!hole)
		return; /* cannot be: see ranges_take */
	while (*link && (*link)->start < start) {
		before = *link;
		link = &before->next;
	}
	*hole = (struct hole){.start = start, .length = length, .next = *link};
	*link = hole;
	ranges->used -= length;
	merge_with_next(ranges, hole);
	if (before)
		merge_with_next(ranges, before);
}

uint32_t ranges_used(const struct ranges *ranges)
{
	return ranges->used;
}

uint32_t ranges_largest(const struct ranges *ranges)
{
	const struct hole *hole;
	uint32_t largest = 0;

	for (hole = ranges->holes; hole; hole = hole->next)
		if (hole->length > largest)
			largest = hole->length;
	return largest;
}
