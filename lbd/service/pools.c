/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pools does a document have, and which VIPs lead to each? */
#include "pools.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>

enum pool_class pools_class(const struct lb_vip *vip)
{
	return vip->endpoint.protocol == IPPROTO_UDP ? POOL_DATAGRAMS : POOL_STREAMS;
}

/* A VIP's own pool has just the times of its VIP. */
static bool has_datagram_times(const struct lb_pool *pool, enum pool_class class)
{
	return pool->named && class == POOL_DATAGRAMS;
}

uint32_t pools_transition_s(const struct lb_pool *pool, enum pool_class class)
{
	return has_datagram_times(pool, class) ? pool->datagram_transition_s : pool->transition_s;
}

uint32_t pools_flow_idle_s(const struct lb_pool *pool, enum pool_class class)
{
	return has_datagram_times(pool, class) ? pool->datagram_flow_idle_s : pool->flow_idle_s;
}

uint32_t pools_learn_s(const struct lb_pool *pool, enum pool_class class)
{
	return class == POOL_DATAGRAMS ? (pools_transition_s(pool, class) + 1) / 2 : 0;
}

static void add_family(struct pool_ref *ref, const struct lb_vip *vip)
{
	if (!ref->vip)
		ref->family = vip->endpoint.address.family;
	else if (ref->family != vip->endpoint.address.family)
		ref->family = 0;
	if (!ref->vip)
		ref->vip = vip;
}

static void add_vip(struct pools *pools, size_t vip_index, size_t at, const struct lb_vip *vip)
{
	struct pool_ref *ref = &pools->refs[at];

	pools->of_vip[vip_index] = at;
	add_family(ref, vip);
	ref->vips[pools_class(vip)]++;
}

#define UNUSED SIZE_MAX

/* Where each named pool stands that a VIP leads to, or has left. NULL without memory. */
static size_t *place_named(const struct lb_service *document, const struct pool_left *left,
			   size_t left_count, struct pools *out)
{
	size_t *places = malloc((document->pool_count + 1) * sizeof(*places)), i;

	for (i = 0; places && i < document->pool_count; i++)
		places[i] = UNUSED;
	for (i = 0; places && i < document->vip_count; i++)
		if (document->vips[i].pool->named)
			places[document->vips[i].pool - document->pools] = 0;
	for (i = 0; places && i < left_count; i++)
		places[left[i].pool - document->pools] = 0;
	for (i = 0; places && i < document->pool_count; i++) {
		if (places[i] == UNUSED)
			continue;
		out->refs[out->count].pool = &document->pools[i];
		places[i] = out->count++;
	}
	return places;
}

static void add_left(struct pools *pools, const struct lb_vip *vip, size_t at)
{
	struct pool_ref *ref = &pools->refs[at];

	add_family(ref, vip);
	ref->left[pools_class(vip)]++;
}

int pools_of(const struct lb_service *document, const struct pool_left *left, size_t left_count,
	     struct pools *out)
{
	size_t *named, i;

	*out = (struct pools){
		.refs = calloc(document->vip_count + left_count + 1, sizeof(*out->refs)),
		.of_vip = calloc(document->vip_count + 1, sizeof(*out->of_vip)),
	};
	named = out->refs && out->of_vip ? place_named(document, left, left_count, out) : NULL;
	if (!named) {
		pools_clear(out);
		return -ENOMEM;
	}
	for (i = 0; i < document->vip_count; i++) {
		const struct lb_vip *vip = &document->vips[i];

		if (vip->pool->named) {
			add_vip(out, i, named[vip->pool - document->pools], vip);
			continue;
		}
		out->refs[out->count] = (struct pool_ref){.pool = vip->pool, .own = true};
		add_vip(out, i, out->count++, vip);
	}
	for (i = 0; i < left_count; i++)
		add_left(out, &document->vips[left[i].vip], named[left[i].pool - document->pools]);
	free(named);
	return 0;
}

uint32_t pools_backends(const struct pools *pools)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < pools->count; i++)
		sum += pools->refs[i].pool->backend_count;
	return sum;
}

bool pools_has(const struct pool_ref *ref, enum pool_class class)
{
	return ref->vips[class] || ref->left[class];
}

void pools_clear(struct pools *pools)
{
	free(pools->refs);
	free(pools->of_vip);
	*pools = (struct pools){0};
}
