/* SPDX-License-Identifier: BSD-2-Clause */
/* What is a service document in memory, and how is it looked up and edited? (Its fields: model_fields.c) */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
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

/* A pool of its own has just the times of its VIP. */
static bool has_datagram_times(const struct lb_vip *vip)
{
	return vip->pool->named && vip->endpoint.protocol == IPPROTO_UDP;
}

uint32_t lb_vip_transition_s(const struct lb_vip *vip)
{
	return has_datagram_times(vip) ? vip->pool->datagram_transition_s : vip->pool->transition_s;
}

uint32_t lb_vip_flow_idle_s(const struct lb_vip *vip)
{
	return has_datagram_times(vip) ? vip->pool->datagram_flow_idle_s : vip->pool->flow_idle_s;
}

bool lb_vip_equal(const struct lb_vip *a, const struct lb_vip *b)
{
	struct lb_vip alike = *a;

	if (a->pool->named && b->pool->named)
		alike.pool = b->pool;
	return schema_equal(&lb_vip_schema, &alike, b);
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

bool lb_service_wants(const struct lb_service *service, lb_vip_wants wants)
{
	for (size_t i = 0; i < service->vip_count; i++)
		if (wants(&service->vips[i]))
			return true;
	return false;
}

bool lb_service_brings(const struct lb_service *service, const struct lb_service *before,
		       lb_vip_wants wants)
{
	for (size_t i = 0; i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i], *same;

		if (!wants(vip))
			continue;
		same = lb_service_find_endpoint(before, &vip->endpoint);
		if (!same || !wants(same))
			return true;
	}
	return false;
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

static int check_backends(const struct lb_service *service, const struct lb_wide_kinds *kinds,
			  const struct lb_pool *pool, struct lb_err *err)
{
	char text[LB_ADDR_TEXT];

	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct lb_addr *address = &pool->backends[i].address;
		const struct lb_vip *vip = lb_service_holder(service, kinds, address);

		if (!vip)
			continue;
		if (vip->endpoint.host_bits)
			lb_err_set(err, LB_ERR_PARAMS, "", "backend %s has an address of VIP %s",
				   lb_addr_format(address, text), vip->name);
		else
			lb_err_set(err, LB_ERR_PARAMS, "", "backend %s has the address of a VIP",
				   lb_addr_format(address, text));
		lb_err_prefix(err, "backends[%zu]", i);
		return lb_err_hint(err, "packets for it would come back to the balancer");
	}
	return 0;
}

int lb_service_check_backends(const struct lb_service *service, struct lb_err *err)
{
	const struct lb_wide_kinds kinds = lb_service_wide_kinds(service);

	for (size_t i = 0; i < service->pool_count; i++)
		if (check_backends(service, &kinds, &service->pools[i], err)) {
			lb_err_prefix(err, "pools[%zu]", i);
			return -EINVAL;
		}
	for (size_t i = 0; i < service->vip_count; i++)
		if (!service->vips[i].pool->named &&
		    check_backends(service, &kinds, service->vips[i].pool, err)) {
			lb_err_prefix(err, "vips[%zu]", i);
			return -EINVAL;
		}
	return 0;
}

struct lb_backend *lb_pool_find_backend(const struct lb_pool *pool, const struct lb_addr *address)
{
	bool found;
	size_t position = backend_position(pool, address, &found);

	return found ? &pool->backends[position] : NULL;
}

/* --- pools that VIPs share --- */

/* Where the pool stands, or would stand. */
static size_t pool_position(const struct lb_service *service, const char *name, bool *found)
{
	size_t low = 0, high = service->pool_count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(service->pools[middle].name, name);

		*found |= order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct lb_pool *lb_service_find_pool(const struct lb_service *service, const char *name)
{
	bool found;
	size_t position = pool_position(service, name, &found);

	return found ? &service->pools[position] : NULL;
}

static const char *nearest_pool(const struct lb_service *service, const char *name)
{
	const char **names = calloc(service->pool_count + 1, sizeof(*names));
	const char *nearest;

	if (!names)
		return NULL;
	for (size_t i = 0; i < service->pool_count; i++)
		names[i] = service->pools[i].name;
	nearest = lb_nearest(name, names);
	free(names);
	return nearest;
}

int lb_service_get_pool(const struct lb_service *service, const char *name, struct lb_pool **out,
			struct lb_err *err)
{
	const char *nearest;

	*out = lb_service_find_pool(service, name);
	if (*out)
		return 0;
	lb_err_set(err, LB_ERR_NOT_FOUND, "", "no pool \"%s\"", name);
	nearest = nearest_pool(service, name);
	if (nearest)
		return lb_err_hint(err, "did you mean \"%s\"?", nearest);
	if (!service->pool_count)
		return lb_err_hint(err, "there is no pool yet");
	return lb_err_hint(err, "see: lbctl pool list");
}

int lb_service_get_users_pool(const struct lb_service *service, const char *reference,
			      struct lb_pool **out, struct lb_err *err)
{
	const char *nearest;
	struct lb_vip *vip;

	*out = lb_service_find_pool(service, reference);
	if (*out)
		return 0;
	if (!lb_service_get(service, reference, &vip, err)) {
		*out = vip->pool;
		return 0;
	}
	if (!service->pool_count)
		return -EINVAL;
	nearest = nearest_pool(service, reference);
	lb_err_set(err, LB_ERR_NOT_FOUND, "", "no pool or VIP \"%s\"", reference);
	if (!nearest)
		nearest = nearest_name(service, reference);
	if (nearest)
		return lb_err_hint(err, "did you mean \"%s\"?", nearest);
	return lb_err_hint(err, "see: lbctl pool list, and lbctl vip list");
}

int lb_service_check_pool(const struct lb_service *service, const char *name, const char *pool,
			  struct lb_err *err)
{
	struct lb_pool *found;

	if (pool && lb_service_get_pool(service, pool, &found, err)) {
		lb_err_prefix(err, "pool");
		return -EINVAL;
	}
	if (pool || !name || !lb_service_find_pool(service, name))
		return 0;
	lb_err_set(err, LB_ERR_EXISTS, "name", "name \"%s\" is taken by a pool", name);
	return lb_err_hint(err, "only a VIP that uses a pool may have the name of one");
}

static void vip_link(const struct lb_service *service, struct lb_vip *vip)
{
	struct lb_pool *pool =
		vip->pool_name[0] ? lb_service_find_pool(service, vip->pool_name) : vip->pool;

	if (pool == vip->pool)
		return;
	schema_part_clear(&lb_vip_schema, vip);
	vip->pool = pool;
}

void lb_service_link(struct lb_service *service)
{
	for (size_t i = 0; i < service->vip_count; i++)
		vip_link(service, &service->vips[i]);
}

/* Before pools move. */
static void unlink_all(struct lb_service *service)
{
	for (size_t i = 0; i < service->vip_count; i++)
		if (service->vips[i].pool->named)
			service->vips[i].pool = NULL;
}

/* Its VIPs give a check without a port theirs; `first` is the first of these. */
static int check_port(const struct lb_vip *vip, const struct lb_vip *first, struct lb_err *err)
{
	const struct lb_health *health = &vip->pool->health;

	if (lb_health_fits(health, &vip->endpoint, NULL))
		lb_err_set(
			err, LB_ERR_PARAMS, "pool",
			"the check of pool \"%s\" has no port, and VIP \"%s\" is for more than one",
			vip->pool->name, vip->name);
	else if (health->kind != LB_HEALTH_NONE && health->kind != LB_HEALTH_EXEC &&
		 lb_health_port(health, &vip->endpoint) != lb_health_port(health, &first->endpoint))
		lb_err_set(err, LB_ERR_PARAMS, "pool",
			   "the check of pool \"%s\" has no port, and its VIPs have several: %u "
			   "(\"%s\") and %u (\"%s\")",
			   vip->pool->name, first->endpoint.port, first->name, vip->endpoint.port,
			   vip->name);
	else
		return 0;
	return lb_err_hint(
		err,
		"say which is to be checked: with --health-port N beside --health if the "
		"check is new, else by lbctl pool set %s --health-port N first",
		vip->pool->name);
}

int lb_service_check_health(const struct lb_service *service, struct lb_err *err)
{
	const struct lb_vip **first = calloc(service->pool_count + 1, sizeof(*first));
	int error = first ? 0 : lb_err_no_memory(err);

	for (size_t i = 0; !error && i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i];
		const size_t at = vip->pool->named ? (size_t)(vip->pool - service->pools)
						   : service->pool_count;

		if (!first[at] || !vip->pool->named)
			first[at] = vip;
		error = check_port(vip, first[at], err);
		if (error)
			lb_err_prefix(err, "vips[%zu]", i);
	}
	free(first);
	return error;
}

/* Why the pool cannot be added, if so. */
static int check_pool_is_new(const struct lb_service *service, const char *name, struct lb_err *err)
{
	const struct lb_vip *vip = find_by_name(service, name);
	char text[LB_ENDPOINT_TEXT];

	if (lb_service_find_pool(service, name))
		return lb_err_set(err, LB_ERR_EXISTS, "name", "name \"%s\" is taken by a pool",
				  name);
	if (!vip || vip->pool_name[0])
		return 0;
	lb_err_set(err, LB_ERR_EXISTS, "name",
		   "name \"%s\" is taken by VIP %s, which has a pool of its own", name,
		   lb_endpoint_format(&vip->endpoint, text));
	return lb_err_hint(err,
			   "choose another name, or give the VIP one: lbctl vip set %s --name NAME",
			   name);
}

int lb_service_add_pool(struct lb_service *service, struct lb_pool *pool, struct lb_err *err)
{
	struct lb_pool *pools;
	size_t position;
	bool found;

	if (check_pool_is_new(service, pool->name, err))
		return -EINVAL;
	position = pool_position(service, pool->name, &found);
	pools = malloc((service->pool_count + 1) * sizeof(*pools));
	if (!pools)
		return lb_err_no_memory(err);
	unlink_all(service);
	if (service->pool_count) {
		memcpy(pools, service->pools, position * sizeof(*pools));
		memcpy(pools + position + 1, service->pools + position,
		       (service->pool_count - position) * sizeof(*pools));
	}
	pools[position] = *pool;
	free(service->pools);
	service->pools = pools;
	service->pool_count++;
	lb_service_link(service);
	memset(pool, 0, sizeof(*pool));
	return 0;
}

#define USERS_SHOWN 3

static int check_pool_is_unused(const struct lb_service *service, const struct lb_pool *pool,
				struct lb_err *err)
{
	char list[(LB_NAME_TEXT + 4) * USERS_SHOWN] = "";
	size_t users = 0, used = 0;

	for (size_t i = 0; i < service->vip_count; i++)
		if (service->vips[i].pool == pool && users++ < USERS_SHOWN)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 used ? ", " : "", service->vips[i].name);
	if (!users)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "", "pool \"%s\" is used by %zu VIP%s: %s%s", pool->name,
		   users, users == 1 ? "" : "s", list, users > USERS_SHOWN ? ", …" : "");
	return lb_err_hint(err, "give them another pool (lbctl vip set VIP --pool POOL), or remove "
				"them, first");
}

int lb_service_del_pool(struct lb_service *service, const char *name, struct lb_err *err)
{
	struct lb_pool *pool;

	if (lb_service_get_pool(service, name, &pool, err) ||
	    check_pool_is_unused(service, pool, err))
		return -EINVAL;
	unlink_all(service);
	schema_clear(&lb_pool_schema, pool);
	memmove(pool, pool + 1,
		(size_t)(service->pools + service->pool_count - (pool + 1)) * sizeof(*pool));
	service->pool_count--;
	lb_service_link(service);
	return 0;
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

	if (!vip->name[0]) {
		lb_endpoint_format(&vip->endpoint, vip->name);
		strcpy(vip->pool->name, vip->name);
	}
	if (check_vip_is_new(service, vip, err) ||
	    lb_service_check_pool(service, vip->name, vip->pool_name[0] ? vip->pool_name : NULL,
				  err))
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
	vip_link(service, &vips[position]);
	memset(vip, 0, sizeof(*vip));
	return 0;
}

int lb_service_set_vip(struct lb_service *service, struct lb_vip *vip, const json_t *set,
		       struct lb_err *err)
{
	const char *name = json_string_value(json_object_get(set, "name"));
	const char *pool = json_string_value(json_object_get(set, "pool"));
	const struct lb_vip *other = name ? lb_service_find(service, name) : NULL;
	char text[LB_ENDPOINT_TEXT];

	if (other && other != vip)
		return lb_err_set(err, LB_ERR_EXISTS, "name", "name \"%s\" is taken by VIP %s",
				  name, lb_endpoint_format(&other->endpoint, text));
	if (!pool && vip->pool_name[0])
		pool = vip->pool_name;
	if (lb_service_check_pool(service, name, pool, err) ||
	    schema_edit(&lb_vip_schema, set, vip, err))
		return -EINVAL;
	vip_link(service, vip);
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
		lb_err_set(err, LB_ERR_EXISTS, "address", "%s \"%s\" has backend %s already",
			   pool->named ? "pool" : "VIP", pool->name,
			   lb_addr_format(&backend->address, text));
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
		return lb_err_set(err, LB_ERR_NOT_FOUND, "address", "%s \"%s\" has no backend %s",
				  pool->named ? "pool" : "VIP", pool->name,
				  lb_addr_format(address, text));
	pool->backend_count--;
	memmove(pool->backends + position, pool->backends + position + 1,
		(pool->backend_count - position) * sizeof(*pool->backends));
	return 0;
}
