/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two service documents, and what must it cost? */
#include "plan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/abi.h"

static bool same_backends(const struct lb_vip *a, const struct lb_vip *b)
{
	size_t i;

	if (a->backend_count != b->backend_count)
		return false;
	for (i = 0; i < a->backend_count; i++)
		if (!lb_addr_equal(&a->backends[i].address, &b->backends[i].address) ||
		    a->backends[i].weight != b->backends[i].weight ||
		    a->backends[i].drain != b->backends[i].drain)
			return false;
	return true;
}

static bool same_vip(const struct lb_vip *a, const struct lb_vip *b)
{
	return !strcmp(a->name, b->name) && a->table == b->table &&
	       a->table_size == b->table_size && a->transition_s == b->transition_s &&
	       a->flow_idle_s == b->flow_idle_s && lb_vip_forwarding_equal(a, b) &&
	       same_backends(a, b);
}

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
		step.what = same_vip(old, new) ? PLAN_UNCHANGED : PLAN_CHANGED;
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

uint32_t plan_moved(const uint32_t *words, const uint16_t *owners, uint32_t size)
{
	uint32_t moved = 0, i;

	for (i = 0; i < size; i++) {
		uint16_t before = lb_slot_current(words[i]);

		moved += before != owners[i] && before != LB_NONE;
	}
	return moved;
}

static uint64_t total_weight(const struct lb_vip *vip)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < vip->backend_count; i++)
		sum += lb_backend_share(&vip->backends[i]);
	return sum;
}

uint32_t plan_ideal(const struct lb_vip *before, const struct lb_vip *after)
{
	uint64_t total_before = total_weight(before), total_after = total_weight(after);
	double lost = 0;
	size_t i;

	for (i = 0; total_before && i < before->backend_count; i++) {
		const struct lb_backend *old = &before->backends[i];
		const struct lb_backend *new = lb_vip_find_backend(after, &old->address);
		double share = (double)lb_backend_share(old) / total_before;

		if (new &&total_after)
			share -= (double)lb_backend_share(new) / total_after;
		if (share > 0)
			lost += share;
	}
	return lost * before->table_size + 0.5;
}
