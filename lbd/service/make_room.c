/* SPDX-License-Identifier: BSD-2-Clause */
/* How do tables in force move, so that the slots that are free come to be in one piece?
 *
 * A table is copied to its new place, and its VIPs are led there, in one turn: nobody edits slots in
 * between, so both places say the same. The old place stays as it is until no packet can be on its way
 * by it. A lbd that is killed meanwhile has two tables of one pool, one of which the next one gives up
 * (adopt.c, APPLY_SETTLE).
 */
#include "change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "room.h"

#define VIPS_A_TURN                                                                                \
	1000 /* a table that more VIPs have stays: leading them takes longer than a turn */

struct making {
	struct service *service;
	struct room_piece *pieces;
	size_t count;
};

/* --- what is where --- */

static size_t count_tables(const struct change *change)
{
	const struct service *service = change->service;
	size_t count = 0;

	for (size_t i = 0; i < service->pools.count; i++)
		count += live_tables(&service->live_pools[i]);
	for (size_t i = 0; i < change->pool_step_count; i++)
		count += live_tables(&change->pool_steps[i].next);
	return count;
}

/* Those in force, or those that the change has made so far: nobody is led to these. */
static void add_tables(struct making *making, const struct live_pool *live, bool fresh)
{
	for (size_t n = 0; n < live_tables(live); n++) {
		struct live_table *table = live_table(live, n);

		if (table && table->fresh == fresh)
			making->pieces[making->count++] = (struct room_piece){
				.start = table->start, .size = table->slots.size, .of = table};
	}
}

static int compare_starts(const void *a, const void *b)
{
	const struct room_piece *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static struct room_piece *piece_of(const struct making *making, const struct live_table *table)
{
	const struct room_piece key = {.start = table->start};

	return bsearch(&key, making->pieces, making->count, sizeof(key), compare_starts);
}

/* Tables of many VIPs stay. */
static int fix_large(struct making *making)
{
	const struct service *service = making->service;
	uint32_t *vips = calloc(making->count + 1, sizeof(*vips));

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < service->document->vip_count; i++) {
		struct room_piece *piece = piece_of(making, service->live[i].table);

		if (piece && ++vips[piece - making->pieces] > VIPS_A_TURN)
			piece->fixed = true;
	}
	free(vips);
	return 0;
}

static int list_pieces(struct making *making, struct change *change)
{
	const struct service *service = making->service;

	making->pieces = calloc(count_tables(change) + 1, sizeof(*making->pieces));
	if (!making->pieces)
		return -ENOMEM;
	for (size_t i = 0; i < service->pools.count; i++)
		add_tables(making, &service->live_pools[i], false);
	for (size_t i = 0; i < change->pool_step_count; i++)
		add_tables(making, &change->pool_steps[i].next, true);
	qsort(making->pieces, making->count, sizeof(*making->pieces), compare_starts);
	return fix_large(making);
}

/* --- a table moves --- */

static void be_at(struct service *service, struct live_table *table, uint32_t start)
{
	table->start = start;
	table->slots.words = service->plane.slots + start;
	table->slots.pasts = service->plane.pasts + start;
}

static void copy_slots(struct service *service, const struct live_table *table, uint32_t to)
{
	const size_t bytes = table->slots.size * sizeof(*table->slots.words);

	memcpy(service->plane.slots + to, table->slots.words, bytes);
	memcpy(service->plane.pasts + to, table->slots.pasts, bytes);
}

/* Leads its VIPs to where the table is. 0; or -errno, and *led are those that may have been. */
static int lead_vips(struct service *service, const struct live_table *table, size_t *led)
{
	const struct lb_service *document = service->document;
	int error = 0;

	for (*led = 0; !error && *led < document->vip_count; (*led)++)
		if (service->live[*led].table == table)
			error = entry_lead(service, &document->vips[*led], &service->live[*led],
					   NULL);
	return error;
}

/* Where that fails, too, the slots that packets may go by stay taken until entries are right again
 * (entry_repair). */
static void lead_back(struct service *service, const struct room_piece *piece, size_t led)
{
	const struct lb_service *document = service->document;
	int error = 0;

	be_at(service, piece->of, piece->start);
	for (size_t i = 0; i < led; i++)
		if (service->live[i].table == piece->of)
			error |= entry_lead(service, &document->vips[i], &service->live[i], NULL);
	if (error) {
		service->entries_wrong = true;
		service->stale_slots = (struct stale_slots){piece->to, piece->size};
	} else {
		live_free_slots(service, piece->to, piece->size);
	}
}

/* In one turn. */
static int move_table(struct service *service, const struct room_piece *piece)
{
	size_t led;
	int error;

	if (!ranges_claim(service->slot_ranges, piece->to, piece->size))
		return -ENOSPC;
	copy_slots(service, piece->of, piece->to);
	be_at(service, piece->of, piece->to);
	error = lead_vips(service, piece->of, &led);
	if (error)
		lead_back(service, piece, led);
	return error;
}

/* Once no packet is on its way by the old places. */
static void leave_places(struct service *service, const struct making *making, size_t moved)
{
	if (service->plane.await_packets) {
		worker_leave();
		service->plane.await_packets(service->plane.datapath);
		worker_enter();
	}
	for (size_t i = 0; i < moved; i++) {
		const struct room_piece *piece = &making->pieces[i];

		if (piece->to != piece->start)
			live_free_slots(service, piece->start, piece->size);
	}
}

static int move_tables_away(struct service *service, const struct making *making)
{
	size_t i;
	int error = 0;

	for (i = 0; !error && i < making->count; i++) {
		if (making->pieces[i].to != making->pieces[i].start)
			error = move_table(service, &making->pieces[i]);
		worker_yield();
	}
	leave_places(service, making, error ? i - 1 : i);
	return error;
}

int make_room(struct change *change, uint32_t size, uint32_t *start)
{
	struct service *service = change->service;
	const uint32_t area = service->config->slots;
	struct making making = {.service = service};
	int error = -ENOSPC;

	if (area - ranges_used(service->slot_ranges) < size)
		return error;
	error = list_pieces(&making, change);
	worker_leave();
	if (!error)
		error = room_plan(making.pieces, making.count, area, size, start);
	worker_enter();
	if (!error)
		error = move_tables_away(service, &making);
	if (!error && !ranges_claim(service->slot_ranges, *start, size))
		error = -ENOSPC;
	free(making.pieces);
	return error;
}
