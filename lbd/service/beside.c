/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs have the packets of an endpoint while there is no VIP of just that? */
#include "beside.h"

/* Those that the endpoint's packets fit and that are less specific, the most specific first. */
struct candidates {
	const struct lb_endpoint *of;
	const struct lb_vip *vips[BESIDE_MAX];
	size_t count;
};

static void add(void *user, const struct lb_vip *vip)
{
	struct candidates *candidates = user;
	size_t at = candidates->count;

	if (!lb_endpoint_is_narrower(candidates->of, &vip->endpoint) || at == BESIDE_MAX)
		return;
	for (; at && lb_endpoint_is_narrower(&vip->endpoint, &candidates->vips[at - 1]->endpoint);
	     at--)
		candidates->vips[at] = candidates->vips[at - 1];
	candidates->vips[at] = vip;
	candidates->count++;
}

static const struct lb_vip *every_port(const struct lb_service *service,
				       const struct lb_endpoint *endpoint)
{
	const struct lb_endpoint every = lb_endpoint_every_port(endpoint);

	return lb_service_find_endpoint(service, &every);
}

/* NULL: nobody has the port. *next: the first after it that may be another's. */
static const struct lb_vip *owner_of(const struct candidates *candidates, uint32_t port,
				     uint32_t *next)
{
	for (size_t i = 0; i < candidates->count; i++) {
		uint16_t first, last;

		lb_endpoint_ports(&candidates->vips[i]->endpoint, &first, &last);
		if (first > port && first < *next)
			*next = first;
		if (first > port || last < port)
			continue;
		if (last + 1u < *next)
			*next = last + 1u;
		return candidates->vips[i];
	}
	return NULL;
}

static void note(struct beside *out, const struct lb_vip *vip)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->vips[i] == vip)
			return;
	out->vips[out->count++] = vip;
}

void beside_find(const struct lb_service *service, const struct lb_wide_kinds *kinds,
		 const struct lb_endpoint *endpoint, struct beside *out)
{
	struct candidates candidates = {.of = endpoint};
	const struct lb_vip *every = NULL;
	uint16_t first, last;

	*out = (struct beside){.whole = true};
	if (!endpoint->host_bits && endpoint->port)
		every = every_port(service, endpoint);
	if (every)
		add(&candidates, every);
	lb_service_each_wide(service, kinds, endpoint, add, &candidates);
	lb_endpoint_ports(endpoint, &first, &last);
	for (uint32_t port = first, next; port <= last; port = next) {
		const struct lb_vip *owner;

		next = last + 1u;
		owner = owner_of(&candidates, port, &next);
		if (owner)
			note(out, owner);
		else
			out->whole = false;
	}
}
