/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pools does a document have, and which VIPs lead to each? */
#include "pools.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

#define UNUSED SIZE_MAX

/* What pools_of works with. Places are those in refs. */
struct making {
	const struct lb_service *document;
	const struct pools *before;
	const struct pool_left *left;
	size_t left_count;
	struct pools *out;
	size_t *named;  /* by pool of the document: its place */
	size_t *own;    /* by VIP of the document: the place of its own */
	size_t *gone;   /* by place before: where it is in out->gone */
	size_t *places; /* by place in out->gone: its place */
};

const struct lb_pool *pools_find(const struct lb_service *document, const struct pool_ref *before)
{
	const struct lb_vip *vip;

	if (!before->own)
		return lb_service_find_pool(document, before->pool->name);
	vip = lb_service_find_endpoint(document, &before->of);
	return vip && !vip->pool->named ? vip->pool : NULL;
}

int pools_compare(const struct pool_ref *a, const struct pool_ref *b)
{
	if (a->own != b->own)
		return a->own - b->own;
	return a->own ? lb_endpoint_compare(&a->of, &b->of) : strcmp(a->pool->name, b->pool->name);
}

/* --- pools that are gone --- */

/* One that was found in the maps has no times (adopt.c). */
static void take_times(struct lb_pool *pool, const struct lb_pool *next)
{
	if (pool->transition_s)
		return;
	pool->transition_s = next->transition_s;
	pool->flow_idle_s = next->flow_idle_s;
	pool->datagram_transition_s =
		next->named ? next->datagram_transition_s : next->transition_s;
	pool->datagram_flow_idle_s = next->named ? next->datagram_flow_idle_s : next->flow_idle_s;
}

static int copy_gone(struct making *making, const struct pool_left *left)
{
	const struct pool_ref *ref = &making->before->refs[left->before];
	struct pools *out = making->out;
	struct lb_pool *copy = &out->gone[out->gone_count];

	if (schema_copy(&lb_pool_schema, ref->pool, copy))
		return -ENOMEM;
	take_times(copy, making->document->vips[left->vip].pool);
	if (ref->own) /* its name may be another's by now */
		lb_endpoint_format(&ref->of, copy->name);
	out->refs[out->count++] =
		(struct pool_ref){.pool = copy, .own = ref->own, .of = ref->of, .gone = true};
	making->gone[left->before] = out->gone_count++;
	return 0;
}

/* Each once. */
static int copy_all_gone(struct making *making)
{
	for (size_t i = 0; i < making->left_count; i++) {
		const struct pool_left *left = &making->left[i];

		if (!left->pool && making->gone[left->before] == UNUSED &&
		    !pools_find(making->document, &making->before->refs[left->before]) &&
		    copy_gone(making, left))
			return -ENOMEM;
	}
	return 0;
}

/* --- pools of the document --- */

static const struct lb_pool *pool_of(const struct making *making, const struct pool_left *left)
{
	return left->pool ? left->pool
			  : pools_find(making->document, &making->before->refs[left->before]);
}

static void add_named(struct making *making)
{
	const struct lb_service *document = making->document;
	const struct lb_pool *pool;

	for (size_t i = 0; i < document->vip_count; i++)
		if (document->vips[i].pool->named)
			making->named[document->vips[i].pool - document->pools] = 0;
	for (size_t i = 0; i < making->left_count; i++) {
		pool = pool_of(making, &making->left[i]);
		if (pool && pool->named)
			making->named[pool - document->pools] = 0;
	}
	for (size_t i = 0; i < document->pool_count; i++)
		if (making->named[i] != UNUSED)
			making->out->refs[making->out->count++].pool = &document->pools[i];
}

static void add_own(struct making *making)
{
	struct pools *out = making->out;

	for (size_t i = 0; i < making->document->vip_count; i++) {
		const struct lb_vip *vip = &making->document->vips[i];

		if (!vip->pool->named)
			out->refs[out->count++] = (struct pool_ref){
				.pool = vip->pool, .own = true, .of = vip->endpoint};
	}
}

static int compare(const void *a, const void *b)
{
	return pools_compare(a, b);
}

/* Pools of VIPs alone stand in the order of these. */
static void place_all(struct making *making)
{
	const struct lb_service *document = making->document;
	struct pools *out = making->out;
	size_t vip = 0;

	if (out->gone_count)
		qsort(out->refs, out->count, sizeof(*out->refs), compare);
	for (size_t i = 0; i < out->count; i++) {
		const struct pool_ref *ref = &out->refs[i];

		if (ref->gone) {
			making->places[ref->pool - out->gone] = i;
		} else if (!ref->own) {
			making->named[ref->pool - document->pools] = i;
		} else {
			while (document->vips[vip].pool != ref->pool)
				vip++;
			making->own[vip] = i;
		}
	}
}

/* --- who leads to them, and who has left them --- */

static size_t place_of(const struct making *making, size_t vip)
{
	const struct lb_pool *pool = making->document->vips[vip].pool;

	return pool->named ? making->named[pool - making->document->pools] : making->own[vip];
}

static void add_vip(struct making *making, size_t i)
{
	const struct lb_vip *vip = &making->document->vips[i];
	const size_t at = place_of(making, i);
	struct pool_ref *ref = &making->out->refs[at];

	making->out->of_vip[i] = at;
	add_family(ref, vip);
	ref->vips[pools_class(vip)]++;
}

static size_t place_left(const struct making *making, const struct pool_left *left)
{
	const struct lb_service *document = making->document;
	const struct lb_pool *pool = pool_of(making, left);

	if (!pool)
		return making->places[making->gone[left->before]];
	if (pool->named)
		return making->named[pool - document->pools];
	return making
		->own[lb_service_find_endpoint(document, &making->before->refs[left->before].of) -
		      document->vips];
}

static void add_left(struct making *making, const struct pool_left *left)
{
	const struct lb_vip *vip = &making->document->vips[left->vip];
	struct pool_ref *ref = &making->out->refs[place_left(making, left)];

	add_family(ref, vip);
	ref->left[pools_class(vip)]++;
}

/* --- all --- */

static size_t *unused(size_t count)
{
	size_t *places = malloc((count + 1) * sizeof(*places));

	for (size_t i = 0; places && i <= count; i++)
		places[i] = UNUSED;
	return places;
}

static int make(struct making *making)
{
	struct pools *out = making->out;

	if (!out->refs || !out->of_vip || !out->gone || !making->named || !making->own ||
	    !making->gone || !making->places)
		return -ENOMEM;
	add_named(making);
	add_own(making);
	if (copy_all_gone(making))
		return -ENOMEM;
	place_all(making);
	for (size_t i = 0; i < making->document->vip_count; i++)
		add_vip(making, i);
	for (size_t i = 0; i < making->left_count; i++)
		add_left(making, &making->left[i]);
	return 0;
}

int pools_of(const struct lb_service *document, const struct pools *before,
	     const struct pool_left *left, size_t left_count, struct pools *out)
{
	struct making making = {
		.document = document,
		.before = before,
		.left = left,
		.left_count = left_count,
		.out = out,
		.named = unused(document->pool_count),
		.own = unused(document->vip_count),
		.gone = unused(before ? before->count : 0),
		.places = unused(left_count),
	};
	int error;

	*out = (struct pools){
		.refs = calloc(document->vip_count + left_count + 1, sizeof(*out->refs)),
		.of_vip = calloc(document->vip_count + 1, sizeof(*out->of_vip)),
		.gone = calloc(left_count + 1, sizeof(*out->gone)),
	};
	error = make(&making);
	if (error)
		pools_clear(out);
	free(making.named);
	free(making.gone);
	free(making.own);
	free(making.places);
	return error;
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
	for (size_t i = 0; i < pools->gone_count; i++)
		schema_clear(&lb_pool_schema, &pools->gone[i]);
	free(pools->gone);
	free(pools->refs);
	free(pools->of_vip);
	*pools = (struct pools){0};
}
