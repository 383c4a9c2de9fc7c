/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two service documents, and what must it cost? */
#include "plan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/abi.h"

/* The step for the lower of the two next VIPs; moves on whichever it took. */
static struct plan_step next_step(const struct lb_service *before, size_t *b,
				  const struct lb_service *after, size_t *a)
{
	const struct lb_vip *old = *b < before->vip_count ? &before->vips[*b] : NULL;
	const struct lb_vip *new = *a < after->vip_count ? &after->vips[*a] : NULL;
	int order = !old ? 1 : !new ? -1 : lb_endpoint_compare(&old->endpoint, &new->endpoint);
	struct plan_step step = {.before_index = *b};

	if (order <= 0) {
		step.before = old;
		++*b;
	}
	if (order >= 0) {
		step.after = new;
		++*a;
	}
	if (!step.before)
		step.what = PLAN_ADDED;
	else if (!step.after)
		step.what = PLAN_REMOVED;
	else
		step.what = lb_vip_equal(old, new) ? PLAN_UNCHANGED : PLAN_CHANGED;
	return step;
}

int plan_diff(const struct lb_service *before, const struct lb_service *after,
	      struct plan_step **steps, size_t *count)
{
	size_t b = 0, a = 0, n = 0;
	struct plan_step *out = calloc(before->vip_count + after->vip_count + 1, sizeof(*out));

	if (!out)
		return -ENOMEM;
	while (b < before->vip_count || a < after->vip_count)
		out[n++] = next_step(before, &b, after, &a);
	*steps = out;
	*count = n;
	return 0;
}

bool plan_same_named(const struct lb_service *before, const struct lb_service *after)
{
	if (before->pool_count != after->pool_count)
		return false;
	for (size_t i = 0; i < after->pool_count; i++)
		if (!schema_equal(&lb_pool_schema, &before->pools[i], &after->pools[i]))
			return false;
	return true;
}

static bool same_pool(const struct pool_ref *a, const struct pool_ref *b)
{
	if (a->gone != b->gone)
		return false;
	return a->own && !a->gone ? schema_equal(&lb_vip_schema, a->vip, b->vip)
				  : schema_equal(&lb_pool_schema, a->pool, b->pool);
}

static bool same_users(const struct pool_ref *a, const struct pool_ref *b)
{
	for (int class = 0; class < POOL_CLASSES; class ++)
		if (!a->vips[class] != !b->vips[class] || !a->left[class] != !b->left[class])
			return false;
	return a->family == b->family && !lb_endpoint_compare(&a->vip->endpoint, &b->vip->endpoint);
}

static enum plan_what pool_what(const struct pool_ref *before, const struct pool_ref *after)
{
	if (!before)
		return PLAN_ADDED;
	return same_users(before, after) && same_pool(before, after) ? PLAN_UNCHANGED
								     : PLAN_CHANGED;
}

int plan_pools(const struct pools *before, const struct pools *after, struct plan_pool **steps,
	       size_t *count)
{
	struct plan_pool *out = calloc(before->count + after->count + 1, sizeof(*out));
	size_t b = 0, a, n = after->count;

	if (!out)
		return -ENOMEM;
	for (a = 0; a < after->count; a++) {
		const struct pool_ref *ref = &after->refs[a], *same = NULL;

		for (; b < before->count && pools_compare(&before->refs[b], ref) < 0; b++)
			out[n++] = (struct plan_pool){PLAN_REMOVED, &before->refs[b], NULL, b};
		if (b < before->count && !pools_compare(&before->refs[b], ref))
			same = &before->refs[b++];
		out[a] = (struct plan_pool){pool_what(same, ref), same, ref,
					    same ? (size_t)(same - before->refs) : 0};
	}
	for (; b < before->count; b++)
		out[n++] = (struct plan_pool){PLAN_REMOVED, &before->refs[b], NULL, b};
	*steps = out;
	*count = n;
	return 0;
}

uint32_t plan_moved(const uint32_t *words, struct slots_owners owners, uint32_t size)
{
	uint32_t moved = 0, i;

	for (i = 0; i < size; i++) {
		uint16_t before = lb_slot_current(words[i]);

		moved += before != LB_NONE && before != slots_owner(i, size, owners);
	}
	return moved;
}

uint32_t plan_moved_to(const uint32_t *words, const uint16_t *same, struct slots_owners owners,
		       uint32_t size)
{
	uint32_t moved = 0, i;

	for (i = 0; i < size; i++) {
		const uint16_t before = lb_slot_current(words[i]);

		moved += before != LB_NONE && same[before] != slots_owner(i, size, owners);
	}
	return moved;
}

static uint64_t total_weight(const struct table_member *members, size_t count)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < count; i++)
		sum += members[i].weight;
	return sum;
}

/* The weight of the member at `address`, 0 when there is none. *from moves on through the list. */
static uint32_t weight_of(const struct table_member *members, size_t count, size_t *from,
			  const struct lb_addr *address)
{
	while (*from < count && lb_addr_compare(&members[*from].address, address) < 0)
		++*from;
	return *from < count && lb_addr_equal(&members[*from].address, address)
		       ? members[*from].weight
		       : 0;
}

void plan_pair(const struct table_member *from, size_t from_count, const struct table_member *to,
	       size_t to_count, uint16_t *same)
{
	size_t i, at = 0;

	memset(same, 0xff, (LB_NONE + 1) * sizeof(*same));
	for (i = 0; i < to_count; i++) {
		while (at < from_count && lb_addr_compare(&from[at].address, &to[i].address) < 0)
			at++;
		if (at < from_count && lb_addr_equal(&from[at].address, &to[i].address))
			same[to[i].number] = from[at].number;
	}
}

/* What is on no record goes to the owner: not while a slot is MOVING, nor once it begins to. */
static bool leads_to_owner(const uint32_t *words, uint32_t slot, uint16_t owner)
{
	return !words || words[slot] == lb_slot_settled(owner) ||
	       words[slot] == lb_slot_word(owner, LB_NONE);
}

void plan_keep(const uint32_t *words, const struct table_member *from, size_t from_count,
	       const uint16_t *owners, const uint32_t *to_words, const struct table_member *to,
	       size_t to_count, uint32_t size, uint32_t *owned)
{
	uint16_t same[LB_NONE + 1];
	uint32_t i;

	plan_pair(from, from_count, to, to_count, same);
	for (i = 0; i < size; i++) {
		uint16_t owner = same[owners[i]];

		if (owner != LB_NONE && words[i] == lb_slot_settled(owner) &&
		    leads_to_owner(to_words, i, owners[i]))
			owned[owner]--;
	}
}

uint32_t plan_ideal(const struct table_member *before, size_t before_count,
		    const struct table_member *after, size_t after_count, uint32_t size)
{
	uint64_t total_before = total_weight(before, before_count);
	uint64_t total_after = total_weight(after, after_count);
	size_t i, from = 0;
	double lost = 0;

	for (i = 0; total_before && i < before_count; i++) {
		uint32_t weight = weight_of(after, after_count, &from, &before[i].address);
		double share = (double)before[i].weight / total_before;

		if (total_after)
			share -= (double)weight / total_after;
		if (share > 0)
			lost += share;
	}
	return lost * size + 0.5;
}
