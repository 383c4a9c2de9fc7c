/* SPDX-License-Identifier: BSD-2-Clause */
/* What is a service document in memory, and how is it looked up and edited? (Its fields: model_fields.c) */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"

uint32_t lb_backend_share(const struct lb_backend *backend)
{
	return backend->drain ? 0 : backend->weight;
}

uint32_t lb_vip_learn_s(const struct lb_vip *vip)
{
	return vip->endpoint.protocol == IPPROTO_UDP ? (lb_vip_transition_s(vip) + 1) / 2 : 0;
}

uint32_t lb_vip_transition_s(const struct lb_vip *vip)
{
	return vip->pool->transition_s;
}

uint32_t lb_vip_flow_idle_s(const struct lb_vip *vip)
{
	return vip->pool->flow_idle_s;
}

/* --- look-up --- */

/* Where the endpoint stands, or would stand, among the VIPs. */
static size_t vip_position(const struct lb_service *service, const struct lb_endpoint *endpoint,
			   bool *found)
{
	size_t low = 0, high = service->vip_count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = lb_endpoint_compare(&service->vips[middle].endpoint, endpoint);

		*found |= order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t backend_position(const struct lb_pool *pool, const struct lb_addr *address,
			       bool *found)
{
	size_t low = 0, high = pool->backend_count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = lb_addr_compare(&pool->backends[middle].address, address);

		*found |= order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct lb_vip *lb_service_find_endpoint(const struct lb_service *service,
					const struct lb_endpoint *endpoint)
{
	bool found;
	size_t position = vip_position(service, endpoint, &found);

	return found ? &service->vips[position] : NULL;
}

static struct lb_vip *find_by_name(const struct lb_service *service, const char *name)
{
	for (size_t i = 0; i < service->vip_count; i++)
		if (!strcmp(service->vips[i].name, name))
			return &service->vips[i];
	return NULL;
}

struct lb_vip *lb_service_find(const struct lb_service *service, const char *reference)
{
	struct lb_endpoint endpoint;

	if (lb_endpoint_parse(reference, &endpoint, NULL) == 0)
		return lb_service_find_endpoint(service, &endpoint);
	return find_by_name(service, reference);
}

static const char *nearest_name(const struct lb_service *service, const char *reference)
{
	const char **names = calloc(service->vip_count + 1, sizeof(*names));
	const char *nearest;

	if (!names)
		return NULL;
	for (size_t i = 0; i < service->vip_count; i++)
		names[i] = service->vips[i].name;
	nearest = lb_nearest(reference, names);
	free(names);
	return nearest;
}

int lb_service_get(const struct lb_service *service, const char *reference, struct lb_vip **out,
		   struct lb_err *err)
{
	struct lb_addr address;
	const char *nearest;

	*out = lb_service_find(service, reference);
	if (*out)
		return 0;
	lb_err_set(err, LB_ERR_NOT_FOUND, "", "no VIP \"%s\"", reference);
	nearest = nearest_name(service, reference);
	if (nearest)
		lb_err_hint(err, "did you mean \"%s\"?", nearest);
	else if (!service->vip_count)
		lb_err_hint(err, "there is no VIP yet");
	else if (lb_addr_parse(reference, &address, NULL) == 0)
		lb_err_hint(err, "a VIP's address has a port and a protocol: 192.0.2.10:443/tcp");
	else
		lb_err_hint(err, "see: lbctl vip list");
	return -EINVAL;
}

static bool is_vip_address(const struct lb_service *service, const struct lb_addr *address)
{
	size_t at = lb_service_first(service, address);

	return at < service->vip_count &&
	       lb_addr_equal(&service->vips[at].endpoint.address, address);
}

int lb_service_check_backends(const struct lb_service *service, struct lb_err *err)
{
	char text[LB_ADDR_TEXT];
	size_t i, j;

	for (i = 0; i < service->vip_count; i++)
		for (j = 0; j < service->vips[i].pool->backend_count; j++) {
			const struct lb_addr *address = &service->vips[i].pool->backends[j].address;

			if (!is_vip_address(service, address))
				continue;
			lb_err_set(err, LB_ERR_PARAMS, "", "backend %s has the address of a VIP",
				   lb_addr_format(address, text));
			lb_err_prefix(err, "vips[%zu].backends[%zu]", i, j);
			return lb_err_hint(err, "packets for it would come back to the balancer");
		}
	return 0;
}

struct lb_backend *lb_pool_find_backend(const struct lb_pool *pool, const struct lb_addr *address)
{
	bool found;
	size_t position = backend_position(pool, address, &found);

	return found ? &pool->backends[position] : NULL;
}

/* --- edits --- */

/* Why the VIP cannot be added, if so. */
static int check_vip_is_new(const struct lb_service *service, const struct lb_vip *vip,
			    struct lb_err *err)
{
	char text[LB_ENDPOINT_TEXT];
	const struct lb_vip *other = lb_service_find_endpoint(service, &vip->endpoint);

	if (other)
		return lb_err_set(err, LB_ERR_EXISTS, "address",
				  "address %s is taken by VIP \"%s\"",
				  lb_endpoint_format(&vip->endpoint, text), other->name);
	other = find_by_name(service, vip->name);
	if (other)
		return lb_err_set(err, LB_ERR_EXISTS, "name", "name \"%s\" is taken by VIP %s",
				  vip->name, lb_endpoint_format(&other->endpoint, text));
	return 0;
}

int lb_service_add_vip(struct lb_service *service, struct lb_vip *vip, struct lb_err *err)
{
	struct lb_vip *vips;
	size_t position;
	bool found;

	if (!vip->name[0])
		strcpy(vip->pool->name, lb_endpoint_format(&vip->endpoint, vip->name));
	if (check_vip_is_new(service, vip, err))
		return -EINVAL;
	vips = realloc(service->vips, (service->vip_count + 1) * sizeof(*vips));
	if (!vips)
		return lb_err_no_memory(err);
	service->vips = vips;
	position = vip_position(service, &vip->endpoint, &found);
	memmove(vips + position + 1, vips + position,
		(service->vip_count - position) * sizeof(*vips));
	vips[position] = *vip;
	service->vip_count++;
	memset(vip, 0, sizeof(*vip));
	return 0;
}

int lb_service_del_vip(struct lb_service *service, const char *reference, struct lb_err *err)
{
	struct lb_vip *vip;
	size_t after;

	if (lb_service_get(service, reference, &vip, err))
		return -EINVAL;
	schema_clear(&lb_vip_schema, vip);
	after = (size_t)(service->vips + service->vip_count - (vip + 1));
	memmove(vip, vip + 1, after * sizeof(*vip));
	service->vip_count--;
	return 0;
}

int lb_pool_add_backend(struct lb_pool *pool, const struct lb_backend *backend, struct lb_err *err)
{
	struct lb_backend *backends;
	char text[LB_ADDR_TEXT];
	bool found;
	size_t position = backend_position(pool, &backend->address, &found);

	if (found) {
		lb_err_set(err, LB_ERR_EXISTS, "address", "VIP \"%s\" has backend %s already",
			   pool->name, lb_addr_format(&backend->address, text));
		return lb_err_hint(err, "set its weight instead");
	}
	backends = realloc(pool->backends, (pool->backend_count + 1) * sizeof(*backends));
	if (!backends)
		return lb_err_no_memory(err);
	pool->backends = backends;
	memmove(backends + position + 1, backends + position,
		(pool->backend_count - position) * sizeof(*backends));
	backends[position] = *backend;
	pool->backend_count++;
	return 0;
}

int lb_pool_del_backend(struct lb_pool *pool, const struct lb_addr *address, struct lb_err *err)
{
	char text[LB_ADDR_TEXT];
	bool found;
	size_t position = backend_position(pool, address, &found);

	if (!found)
		return lb_err_set(err, LB_ERR_NOT_FOUND, "address", "VIP \"%s\" has no backend %s",
				  pool->name, lb_addr_format(address, text));
	pool->backend_count--;
	memmove(pool->backends + position, pool->backends + position + 1,
		(pool->backend_count - position) * sizeof(*pool->backends));
	return 0;
}
