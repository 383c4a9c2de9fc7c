/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs are prefixes or have a range of ports, and do they go together? */
#include <errno.h>
#include "../../bpf/abi.h"
#include "model.h"

struct lb_wide_kinds lb_service_wide_kinds(const struct lb_service *service)
{
	struct lb_wide_kinds kinds = {0};

	for (size_t i = 0; i < service->vip_count; i++) {
		const struct lb_endpoint *endpoint = &service->vips[i].endpoint;

		if (!lb_endpoint_is_wide(endpoint))
			continue;
		kinds.count++;
		kinds.host_bits[endpoint->address.family == 6][endpoint->host_bits] = true;
	}
	return kinds;
}

/* The next of the prefixes that some wide VIP has and the endpoint belongs to, from the longest to the
 * shortest; first `at` is the endpoint itself without ports, and *host_bits its own. */
static bool next_prefix(const struct lb_wide_kinds *kinds, const struct lb_endpoint *endpoint,
			unsigned int *host_bits, struct lb_endpoint *at)
{
	const unsigned int bits = endpoint->address.family == 4 ? 32 : 128;

	for (; *host_bits <= bits; ++*host_bits) {
		if (!kinds->host_bits[endpoint->address.family == 6][*host_bits])
			continue;
		*at = *endpoint;
		at->host_bits = (uint8_t)*host_bits;
		lb_addr_mask(&at->address, bits - *host_bits);
		++*host_bits;
		return true;
	}
	return false;
}

static bool same_addresses(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	return a->host_bits == b->host_bits && lb_addr_equal(&a->address, &b->address);
}

static bool ports_meet(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	uint16_t first_a, last_a, first_b, last_b;

	lb_endpoint_ports(a, &first_a, &last_a);
	lb_endpoint_ports(b, &first_b, &last_b);
	return first_a <= last_b && first_b <= last_a;
}

void lb_service_each_wide(const struct lb_service *service, const struct lb_wide_kinds *kinds,
			  const struct lb_endpoint *endpoint,
			  void (*each)(void *user, const struct lb_vip *vip), void *user)
{
	unsigned int host_bits = endpoint->host_bits;
	struct lb_endpoint at;

	while (kinds->count && next_prefix(kinds, endpoint, &host_bits, &at))
		for (size_t i = lb_service_first(service, &at); i < service->vip_count; i++) {
			const struct lb_vip *vip = &service->vips[i];

			if (!same_addresses(&vip->endpoint, &at))
				break;
			if (lb_endpoint_is_wide(&vip->endpoint) &&
			    vip->endpoint.protocol == endpoint->protocol &&
			    ports_meet(&vip->endpoint, endpoint))
				each(user, vip);
		}
}

const struct lb_vip *lb_service_holder(const struct lb_service *service,
				       const struct lb_wide_kinds *kinds,
				       const struct lb_addr *address)
{
	struct lb_endpoint alone = {.address = *address}, at = alone;
	unsigned int host_bits = 1;

	do {
		const size_t i = lb_service_first(service, &at);

		if (i < service->vip_count && same_addresses(&service->vips[i].endpoint, &at))
			return &service->vips[i];
	} while (next_prefix(kinds, &alone, &host_bits, &at));
	return NULL;
}

/* --- which are refused --- */

static int refuse_vip(const struct lb_service *service, const struct lb_vip *vip,
		      struct lb_err *err)
{
	lb_err_prefix(err, "vips[%zu]", (size_t)(vip - service->vips));
	return -EINVAL;
}

/* Each has ports that the other one has not. */
static bool overlaps(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	uint16_t first_a, last_a, first_b, last_b;

	lb_endpoint_ports(a, &first_a, &last_a);
	lb_endpoint_ports(b, &first_b, &last_b);
	return a->protocol == b->protocol && first_a < first_b && first_b <= last_a &&
	       last_a < last_b;
}

static int check_ranges(const struct lb_service *service, const struct lb_vip *vip,
			struct lb_err *err)
{
	const struct lb_vip *end = service->vips + service->vip_count;

	for (const struct lb_vip *other = vip + 1; other < end; other++) {
		if (!same_addresses(&other->endpoint, &vip->endpoint) ||
		    (vip->endpoint.last_port && other->endpoint.port > vip->endpoint.last_port))
			return 0;
		if (!overlaps(&vip->endpoint, &other->endpoint))
			continue;
		lb_err_set(err, LB_ERR_EXISTS, "address",
			   "the ports of VIP %s and of VIP %s overlap, and neither range is within "
			   "the other",
			   other->name, vip->name);
		lb_err_hint(err, "divide one of them into two VIPs with the same pool");
		return refuse_vip(service, other, err);
	}
	return 0;
}

static void count_one(void *user, const struct lb_vip *vip)
{
	(void)vip;
	++*(size_t *)user;
}

/* Of the wide VIPs that an address belongs to the longest prefix sees all. */
static int check_depth(const struct lb_service *service, const struct lb_wide_kinds *kinds,
		       const struct lb_vip *vip, struct lb_err *err)
{
	const struct lb_endpoint every = lb_endpoint_every_port(&vip->endpoint);
	size_t count = 0;

	lb_service_each_wide(service, kinds, &every, count_one, &count);
	if (count <= LB_WIDE_DEPTH)
		return 0;
	lb_err_set(
		err, LB_ERR_LIMIT, "address",
		"the addresses of VIP %s belong to %zu VIPs of one protocol that are prefixes or "
		"have a range of ports, the limit is %d",
		vip->name, count, LB_WIDE_DEPTH);
	return refuse_vip(service, vip, err);
}

static int check_prefix_fragments(const struct lb_service *service, const struct lb_vip *vip,
				  struct lb_err *err)
{
	if (!vip->endpoint.host_bits || !vip->endpoint.port ||
	    vip->fragments != LB_FRAGMENTS_3TUPLE)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "fragments",
		   "VIP %s cannot have fragments by 3-tuple: a prefix can only with every port",
		   vip->name);
	lb_err_hint(err, "use \"track\", or port 0");
	return refuse_vip(service, vip, err);
}

int lb_service_check_wide(const struct lb_service *service, struct lb_err *err)
{
	const struct lb_wide_kinds kinds = lb_service_wide_kinds(service);

	if (kinds.count > LB_WIDE_MAX)
		return lb_err_set(err, LB_ERR_LIMIT, "vips",
				  "this would make %zu VIPs that are prefixes or have a range of "
				  "ports, the limit is %d",
				  kinds.count, LB_WIDE_MAX);
	for (size_t i = 0; kinds.count && i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i];

		if (lb_endpoint_is_wide(&vip->endpoint) &&
		    (check_prefix_fragments(service, vip, err) || check_ranges(service, vip, err) ||
		     check_depth(service, &kinds, vip, err)))
			return -EINVAL;
	}
	return 0;
}
