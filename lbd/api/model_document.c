/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a whole service document read, written, copied and freed? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"

/* By the order in the document, for the sake of the errors' paths. */
static int find_pools(struct lb_service *service, const json_t *document, struct lb_err *err)
{
	const json_t *vip;
	size_t i;

	json_array_foreach (json_object_get(document, "vips"), i, vip)
		if (lb_service_check_pool(service, json_string_value(json_object_get(vip, "name")),
					  json_string_value(json_object_get(vip, "pool")), err)) {
			lb_err_prefix(err, "vips[%zu]", i);
			return -EINVAL;
		}
	lb_service_link(service);
	return 0;
}

int lb_service_from_json(const json_t *document, struct lb_service **out, struct lb_err *err)
{
	struct lb_service *service = lb_service_new();

	*out = NULL;
	if (!service)
		return lb_err_no_memory(err);
	if (!schema_read(&lb_service_schema, document, service, err) &&
	    !find_pools(service, document, err)) {
		*out = service;
		return 0;
	}
	lb_service_free(service);
	if (err && err->code == LB_ERR_PARAMS && !err->hint[0] && !strchr(err->path, '['))
		lb_err_hint(err, "an empty document is {\"vips\": []}");
	return -EINVAL;
}

json_t *lb_service_to_json(const struct lb_service *service)
{
	json_t *document = schema_write(&lb_service_schema, service), *vip;
	char address[LB_ENDPOINT_TEXT];
	size_t i;

	json_array_foreach (json_object_get(document, "vips"), i, vip)
		if (!strcmp(service->vips[i].name,
			    lb_endpoint_format(&service->vips[i].endpoint, address)))
			json_object_del(vip, "name");
	return document;
}

struct lb_service *lb_service_copy(const struct lb_service *service)
{
	struct lb_service *copy = lb_service_new();

	if (copy && !schema_copy(&lb_service_schema, service, copy)) {
		lb_service_link(copy);
		return copy;
	}
	free(copy);
	return NULL;
}

/* A VIP that looks at a pool which was freed before it would be read. */
void lb_service_free(struct lb_service *service)
{
	if (service) {
		for (size_t i = 0; i < service->vip_count; i++)
			if (service->vips[i].pool && service->vips[i].pool->named)
				service->vips[i].pool = NULL;
		schema_clear(&lb_service_schema, service);
	}
	free(service);
}

const char *lb_pool_word(const struct lb_pool *pool)
{
	return pool->named ? "pool" : "VIP";
}

const char *lb_pool_field(const struct lb_pool *pool)
{
	return pool->named ? "pool" : "vip";
}

int lb_service_check(const struct lb_service *service, struct lb_err *err)
{
	static int (*const checks[])(const struct lb_service *, struct lb_err *) = {
		lb_service_check_backends, lb_service_check_health, lb_service_check_wide,
		lb_service_check_quic, lb_service_check_fragments};

	if (service->pool_count > LB_POOLS_MAX)
		return lb_err_set(err, LB_ERR_LIMIT, "pools",
				  "this would make %zu pools, the limit is %u", service->pool_count,
				  LB_POOLS_MAX);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		const int error = checks[i](service, err);

		if (error)
			return error;
	}
	return 0;
}

json_t *lb_vip_settings(const struct lb_vip *vip)
{
	struct lb_vip alone = *vip;
	struct lb_pool pool = *vip->pool;
	json_t *object;

	alone.pool = &pool;
	pool.named = false;
	pool.transition_s = lb_vip_transition_s(vip);
	pool.flow_idle_s = lb_vip_flow_idle_s(vip);
	pool.backend_count = 0;
	object = schema_write(&lb_vip_schema, &alone);
	json_object_del(object, "backends");
	return object;
}
