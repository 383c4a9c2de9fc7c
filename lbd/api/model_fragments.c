/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIP of an address and a protocol gets IP fragments without ports? */
#include "model.h"

static int compare_addresses(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	int order = lb_addr_compare(&a->address, &b->address);

	return order ? order : (int)a->host_bits - (int)b->host_bits;
}

size_t lb_service_first(const struct lb_service *service, const struct lb_endpoint *endpoint)
{
	size_t low = 0, high = service->vip_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_addresses(&service->vips[middle].endpoint, endpoint) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A VIP for every port sorts before the others of its address. */
const struct lb_vip *lb_service_fragments_owner(const struct lb_service *service,
						const struct lb_endpoint *endpoint)
{
	size_t i;

	for (i = lb_service_first(service, endpoint); i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i];

		if (compare_addresses(&vip->endpoint, endpoint))
			return NULL;
		if (vip->endpoint.protocol == endpoint->protocol &&
		    (!vip->endpoint.port || vip->fragments == LB_FRAGMENTS_3TUPLE))
			return vip;
	}
	return NULL;
}

int lb_service_check_fragments(const struct lb_service *service, struct lb_err *err)
{
	size_t i;

	for (i = 0; i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i], *owner;

		if (vip->fragments != LB_FRAGMENTS_3TUPLE || vip->endpoint.host_bits)
			continue;
		owner = lb_service_fragments_owner(service, &vip->endpoint);
		if (owner == vip)
			continue;
		lb_err_set(err, LB_ERR_EXISTS, "fragments",
			   "VIP %s cannot have fragments by 3-tuple beside VIP %s: without ports "
			   "they could be for either",
			   vip->name, owner->name);
		lb_err_prefix(err, "vips[%zu]", i);
		return lb_err_hint(err, "only one VIP of an address and protocol can, and none "
					"beside one for every port: use \"track\"");
	}
	return 0;
}
