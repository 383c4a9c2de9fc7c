/* SPDX-License-Identifier: BSD-2-Clause */
/* Do the server ids of backends fit together, and what VIPs say of them? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/abi.h"
#include "model.h"

/* --- two with one id --- */

static int compare_ids(const void *a, const void *b)
{
	const struct lb_backend *x = *(const struct lb_backend *const *)a;
	const struct lb_backend *y = *(const struct lb_backend *const *)b;
	int order = memcmp(&x->quic_server_id, &y->quic_server_id, sizeof(x->quic_server_id));

	return order ? order : (x > y) - (x < y);
}

static int same_id(const struct lb_pool *pool, const struct lb_backend *first,
		   const struct lb_backend *later, struct lb_err *err)
{
	char address[LB_ADDR_TEXT], id[LB_QUIC_ID_TEXT];

	lb_err_set(err, LB_ERR_EXISTS, "quic_server_id", "backend %s has server id %s already",
		   lb_addr_format(&first->address, address),
		   lb_quic_id_format(&first->quic_server_id, id));
	lb_err_prefix(err, "backends[%zu]", (size_t)(later - pool->backends));
	return lb_err_hint(err, "give each backend of a pool an id of its own; \"lbctl backend set "
				"VIP ADDRESS --quic-id auto\" makes one");
}

static int check_unique(const struct lb_pool *pool, struct lb_err *err)
{
	const struct lb_backend **with =
		calloc(pool->backend_count + 1, sizeof(struct lb_backend *));
	size_t count = 0;
	int error = with ? 0 : lb_err_no_memory(err);

	for (size_t i = 0; with && i < pool->backend_count; i++)
		if (pool->backends[i].quic_server_id.length)
			with[count++] = &pool->backends[i];
	if (count)
		qsort(with, count, sizeof(struct lb_backend *), compare_ids);
	for (size_t i = 1; !error && i < count; i++)
		if (!memcmp(&with[i - 1]->quic_server_id, &with[i]->quic_server_id,
			    sizeof(with[i]->quic_server_id)))
			error = same_id(pool, with[i - 1], with[i], err);
	free(with);
	return error;
}

/* --- ids of another length than a VIP's --- */

static int other_length(const struct lb_vip *vip, const struct lb_quic_config *config,
			const struct lb_backend *backend, struct lb_err *err)
{
	char address[LB_ADDR_TEXT];

	lb_err_set(err, LB_ERR_PARAMS, "sid_length",
		   "sid_length of VIP %s is %u, and the server id of backend %s has %u bytes",
		   vip->name, config->sid_length, lb_addr_format(&backend->address, address),
		   backend->quic_server_id.length);
	lb_err_prefix(err, "quic[%zu]", (size_t)(config - vip->quic));
	return lb_err_hint(err,
			   "all server ids of a pool, and the sid_length of every VIP that uses "
			   "it, must have one length");
}

static int check_lengths(const struct lb_vip *vip, struct lb_err *err)
{
	for (size_t i = 0; i < vip->pool->backend_count && vip->quic_count; i++) {
		const struct lb_backend *backend = &vip->pool->backends[i];

		for (size_t n = 0; n < vip->quic_count; n++)
			if (backend->quic_server_id.length &&
			    backend->quic_server_id.length != vip->quic[n].sid_length)
				return other_length(vip, &vip->quic[n], backend, err);
	}
	return 0;
}

int lb_service_check_quic(const struct lb_service *service, struct lb_err *err)
{
	for (size_t i = 0; i < service->pool_count; i++)
		if (check_unique(&service->pools[i], err)) {
			lb_err_prefix(err, "pools[%zu]", i);
			return -EINVAL;
		}
	for (size_t i = 0; i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i];

		if ((vip->pool->named || !check_unique(vip->pool, err)) && !check_lengths(vip, err))
			continue;
		lb_err_prefix(err, "vips[%zu]", i);
		return -EINVAL;
	}
	return 0;
}

/* --- making one --- */

static uint32_t length_for(const struct lb_service *service, const struct lb_pool *pool)
{
	for (size_t i = 0; i < service->vip_count; i++)
		if (service->vips[i].pool == pool && service->vips[i].quic_count)
			return service->vips[i].quic[0].sid_length;
	for (size_t i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].quic_server_id.length)
			return pool->backends[i].quic_server_id.length;
	return LB_QUIC_LENGTH_DEFAULT;
}

/* SplitMix64 (S. Vigna, public domain): every bit of what went in reaches every bit. */
static uint64_t mix(uint64_t state)
{
	state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9ull;
	state = (state ^ state >> 27) * 0x94d049bb133111ebull;
	return state ^ state >> 31;
}

/* Of the address alone, so that all nodes make the same one; whoever knows it knows the id. */
static struct lb_quic_server_id make_id(const struct lb_addr *address, uint32_t length,
					uint64_t attempt)
{
	struct lb_quic_server_id id = {.length = (uint8_t)length};
	uint64_t state = attempt ^ address->family;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		state = mix(state + address->bytes[i] + 0x9e3779b97f4a7c15ull);
	for (size_t i = 0; i < length; i++) {
		state = mix(state + 0x9e3779b97f4a7c15ull);
		id.bytes[i] = (uint8_t)state;
	}
	return id;
}

static bool is_taken(const struct lb_pool *pool, const struct lb_addr *address,
		     const struct lb_quic_server_id *id)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		if (!memcmp(&pool->backends[i].quic_server_id, id, sizeof(*id)) &&
		    !lb_addr_equal(&pool->backends[i].address, address))
			return true;
	return false;
}

struct lb_quic_server_id lb_service_quic_id(const struct lb_service *service,
					    const struct lb_pool *pool,
					    const struct lb_addr *address)
{
	const uint32_t length = length_for(service, pool);
	struct lb_quic_server_id id;
	uint64_t attempt = 0;

	/* More attempts than a pool can have backends: the check of the document says what is wrong. */
	do {
		id = make_id(address, length, attempt++ << 32);
	} while (attempt <= LB_MEMBERS_MAX && is_taken(pool, address, &id));
	return id;
}
