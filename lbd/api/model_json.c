/* SPDX-License-Identifier: BSD-2-Clause */
/* How does JSON become a service document, strictly, and how is one written as JSON? */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/abi.h"
#include "model.h"

/* --- duplicates, found by sorting so that big documents take no longer than reading them --- */

typedef int (*compare_fn)(const void *, const void *);

struct duplicate {
	size_t first, later; /* positions in the document; later 0: there is none */
};

/* Equal elements by their place in the document. */
static int compare_pointers(const void *a, const void *b, void *compare)
{
	const char *left = *(const char *const *)a, *right = *(const char *const *)b;
	int order = (*(compare_fn *)compare)(left, right);

	return order ? order : (left > right) - (left < right);
}

/* Finds the first element of `base` that equals an earlier one, and the first that it equals.
 * 0 or -ENOMEM. */
static int duplicate_find(const void *base, size_t count, size_t size, compare_fn compare,
			  struct duplicate *out)
{
	const char **sorted = calloc(count + 1, sizeof(*sorted));
	size_t run = 0; /* where the run of equals began */

	if (!sorted)
		return -ENOMEM;
	*out = (struct duplicate){0};
	for (size_t i = 0; i < count; i++)
		sorted[i] = (const char *)base + i * size;
	qsort_r(sorted, count, sizeof(*sorted), compare_pointers, &compare);
	for (size_t i = 1; i < count; i++) {
		size_t later = (size_t)(sorted[i] - (const char *)base) / size;

		if (compare(sorted[run], sorted[i]) != 0)
			run = i;
		else if (!out->later || later < out->later)
			*out = (struct duplicate){
				.first = (size_t)(sorted[run] - (const char *)base) / size,
				.later = later};
	}
	free(sorted);
	return 0;
}

static int compare_backends(const void *a, const void *b)
{
	return lb_addr_compare(&((const struct lb_backend *)a)->address,
			       &((const struct lb_backend *)b)->address);
}

static int compare_vip_endpoints(const void *a, const void *b)
{
	return lb_endpoint_compare(&((const struct lb_vip *)a)->endpoint,
				   &((const struct lb_vip *)b)->endpoint);
}

static int compare_vip_names(const void *a, const void *b)
{
	return strcmp(((const struct lb_vip *)a)->name, ((const struct lb_vip *)b)->name);
}

/* --- backends --- */

static int usable(const struct lb_addr *address, const char *what, struct lb_err *err)
{
	const char *reason = lb_addr_unusable(address);
	char text[LB_ADDR_TEXT];

	if (!reason)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s %s", lb_addr_format(address, text), reason);
	return lb_err_hint(err, "the address of a %s must be a routable unicast address", what);
}

static int backend_address(const json_t *value, struct lb_addr *out, struct lb_err *err)
{
	if (lb_addr_parse(json_string_value(value), out, err) == 0 &&
	    usable(out, "backend", err) == 0)
		return 0;
	lb_err_prefix(err, "address");
	return -EINVAL;
}

int lb_backend_from_json(const json_t *object, struct lb_backend *out, struct lb_err *err)
{
	const json_t *address, *weight, *drain;
	const struct lb_json_field fields[] = {
		{"address", LB_JSON_STRING, true, &address},
		{"weight", LB_JSON_INTEGER, false, &weight},
		{"drain", LB_JSON_BOOLEAN, false, &drain},
		{0},
	};
	struct lb_backend backend = {0};
	int64_t number = LB_WEIGHT_DEFAULT;

	if (lb_json_fields(object, fields, err))
		return -EINVAL;
	if (backend_address(address, &backend.address, err))
		return -EINVAL;
	if (weight && lb_json_integer(weight, "weight", 0, LB_WEIGHT_MAX, &number, err))
		return -EINVAL;
	backend.weight = (uint32_t)number;
	backend.drain = json_is_true(drain);
	*out = backend;
	return 0;
}

json_t *lb_backend_to_json(const struct lb_backend *backend)
{
	char text[LB_ADDR_TEXT];

	return json_pack("{s:s s:I s:b}", "address", lb_addr_format(&backend->address, text),
			 "weight", (json_int_t)backend->weight, "drain", backend->drain);
}

static int backends_unique(const struct lb_vip *vip, struct lb_err *err)
{
	struct duplicate same;

	if (duplicate_find(vip->backends, vip->backend_count, sizeof(*vip->backends),
			   compare_backends, &same))
		return lb_err_no_memory(err);
	if (!same.later)
		return 0;
	lb_err_set(err, LB_ERR_EXISTS, "address", "same address as backends[%zu]", same.first);
	lb_err_prefix(err, "backends[%zu]", same.later);
	return -EINVAL;
}

static int backends_from_json(const json_t *array, struct lb_vip *vip, struct lb_err *err)
{
	size_t count = json_array_size(array);

	if (count == 0)
		return 0;
	vip->backends = calloc(count, sizeof(*vip->backends));
	if (!vip->backends)
		return lb_err_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		if (lb_backend_from_json(json_array_get(array, i), &vip->backends[i], err)) {
			lb_err_prefix(err, "backends[%zu]", i);
			return -EINVAL;
		}
	}
	vip->backend_count = count;
	if (backends_unique(vip, err))
		return -EINVAL;
	qsort(vip->backends, count, sizeof(*vip->backends), compare_backends);
	return 0;
}

/* --- VIPs --- */

static bool is_prime(int64_t number)
{
	if (number < 4)
		return number > 1;
	if (number % 2 == 0)
		return false;
	for (int64_t divisor = 3; divisor * divisor <= number; divisor += 2)
		if (number % divisor == 0)
			return false;
	return true;
}

static int table_size_from_json(const json_t *value, uint32_t *out, struct lb_err *err)
{
	int64_t size, below, above;

	if (lb_json_integer(value, "table_size", LB_TABLE_SIZE_MIN, LB_TABLE_SIZE_MAX, &size, err))
		return lb_err_hint(err, "the nearest prime is %u",
				   json_integer_value(value) > LB_TABLE_SIZE_MAX
					   ? LB_TABLE_SIZE_MAX
					   : LB_TABLE_SIZE_MIN);
	if (is_prime(size)) {
		*out = (uint32_t)size;
		return 0;
	}
	/* The limits are primes themselves, so neither search leaves the range. */
	for (below = size; !is_prime(below);)
		below--;
	for (above = size; !is_prime(above);)
		above++;
	lb_err_set(err, LB_ERR_PARAMS, "table_size", "table_size must be a prime, not %d",
		   (int)size);
	return lb_err_hint(err, "the nearest primes are %d and %d", (int)below, (int)above);
}

static int vip_address(const json_t *value, struct lb_endpoint *out, struct lb_err *err)
{
	if (lb_endpoint_parse(json_string_value(value), out, err) == 0 &&
	    usable(&out->address, "VIP", err) == 0)
		return 0;
	lb_err_prefix(err, "address");
	return -EINVAL;
}

/* A VIP's own address as its name is how lb_vip_to_json shows that it has none. */
static int vip_name(const json_t *value, struct lb_vip *vip, struct lb_err *err)
{
	const char *name = json_string_value(value);
	struct lb_endpoint endpoint;

	if (!name || (lb_endpoint_parse(name, &endpoint, NULL) == 0 &&
		      lb_endpoint_compare(&endpoint, &vip->endpoint) == 0)) {
		lb_endpoint_format(&vip->endpoint, vip->name);
		return 0;
	}
	if (lb_name_check(name, err)) {
		lb_err_prefix(err, "name");
		return -EINVAL;
	}
	strcpy(vip->name, name); /* at most LB_NAME_MAX long, or refused above */
	return 0;
}

static int vip_table(const json_t *kind, const json_t *size, struct lb_vip *vip, struct lb_err *err)
{
	vip->table = LB_TABLE_RENDEZVOUS;
	vip->table_size = LB_TABLE_SIZE_DEFAULT;
	if (kind && lb_table_kind_parse(json_string_value(kind), &vip->table, err)) {
		lb_err_prefix(err, "table");
		return -EINVAL;
	}
	return size ? table_size_from_json(size, &vip->table_size, err) : 0;
}

int lb_vip_times_from_json(const json_t *transition, const json_t *flow_idle, struct lb_vip *vip,
			   struct lb_err *err)
{
	int64_t moving = vip->transition_s, idle = vip->flow_idle_s;

	if (transition &&
	    lb_json_integer(transition, "transition_s", 1, LB_FLOW_IDLE_MAX_S, &moving, err))
		return -EINVAL;
	if (!flow_idle && idle < moving)
		idle = moving;
	if (flow_idle &&
	    lb_json_integer(flow_idle, "flow_idle_s", 1, LB_FLOW_IDLE_MAX_S, &idle, err))
		return -EINVAL;
	if (idle < moving) {
		lb_err_set(err, LB_ERR_PARAMS, "flow_idle_s",
			   "flow_idle_s must be at least transition_s, %d", (int)moving);
		return lb_err_hint(err,
				   "a flow that sends once per transition must stay on record");
	}
	vip->transition_s = (uint32_t)moving;
	vip->flow_idle_s = (uint32_t)idle;
	return 0;
}

static int vip_times(const json_t *transition, const json_t *flow_idle, struct lb_vip *vip,
		     struct lb_err *err)
{
	vip->transition_s =
		vip->endpoint.protocol == IPPROTO_UDP ? LB_TRANSITION_UDP_S : LB_TRANSITION_TCP_S;
	return lb_vip_times_from_json(transition, flow_idle, vip, err);
}

int lb_vip_from_json(const json_t *object, struct lb_vip *out, struct lb_err *err)
{
	const json_t *name, *address, *table, *table_size, *transition, *flow_idle, *backends;
	const json_t *encap, *hash, *fragments;
	const json_t *health, *on_unhealthy, *when_all_unhealthy;
	const struct lb_json_field fields[] = {
		{"name", LB_JSON_STRING, false, &name},
		{"address", LB_JSON_STRING, true, &address},
		{"table", LB_JSON_STRING, false, &table},
		{"table_size", LB_JSON_INTEGER, false, &table_size},
		{"transition_s", LB_JSON_INTEGER, false, &transition},
		{"flow_idle_s", LB_JSON_INTEGER, false, &flow_idle},
		{"encap", LB_JSON_STRING, false, &encap},
		{"hash", LB_JSON_STRING, false, &hash},
		{"fragments", LB_JSON_STRING, false, &fragments},
		{"backends", LB_JSON_ARRAY, false, &backends},
		{"health", LB_JSON_OBJECT, false, &health},
		{"on_unhealthy", LB_JSON_STRING, false, &on_unhealthy},
		{"when_all_unhealthy", LB_JSON_STRING, false, &when_all_unhealthy},
		{0},
	};

	memset(out, 0, sizeof(*out));
	if (lb_json_fields(object, fields, err))
		return -EINVAL;
	if (vip_address(address, &out->endpoint, err) || vip_name(name, out, err) ||
	    vip_table(table, table_size, out, err) || vip_times(transition, flow_idle, out, err) ||
	    lb_vip_forwarding_from_json(encap, hash, fragments, out, err) ||
	    lb_vip_health_from_json(health, on_unhealthy, when_all_unhealthy, out, err) ||
	    backends_from_json(backends, out, err)) {
		lb_vip_clear(out);
		return -EINVAL;
	}
	return 0;
}

static json_t *backends_to_json(const struct lb_vip *vip)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < vip->backend_count; i++)
		if (json_array_append_new(array, lb_backend_to_json(&vip->backends[i])))
			return NULL;
	return json_incref(array);
}

json_t *lb_vip_to_json(const struct lb_vip *vip)
{
	char address[LB_ENDPOINT_TEXT];
	json_auto_t *object =
		json_pack("{s:s s:s s:s s:I s:I s:I s:s s:s s:s s:o}", "name", vip->name, "address",
			  lb_endpoint_format(&vip->endpoint, address), "table",
			  lb_table_kind_name(vip->table), "table_size", (json_int_t)vip->table_size,
			  "transition_s", (json_int_t)vip->transition_s, "flow_idle_s",
			  (json_int_t)vip->flow_idle_s, "encap", lb_encap_name(vip->encap), "hash",
			  lb_hash_name(vip->hash), "fragments", lb_fragments_name(vip->fragments),
			  "backends", backends_to_json(vip));

	if (!object || lb_vip_health_to_json(vip, object))
		return NULL;
	return json_incref(object);
}

/* --- whole documents --- */

/* The VIP at `same->later` repeats the `what` of the one at `same->first`. */
static int vip_duplicate(const struct duplicate *same, const char *what, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_EXISTS, what, "same %s as vips[%zu]", what, same->first);
	lb_err_prefix(err, "vips[%zu]", same->later);
	return -EINVAL;
}

static int vips_unique(const struct lb_service *service, struct lb_err *err)
{
	struct duplicate same;

	if (duplicate_find(service->vips, service->vip_count, sizeof(*service->vips),
			   compare_vip_endpoints, &same))
		return lb_err_no_memory(err);
	if (same.later)
		return vip_duplicate(&same, "address", err);
	if (duplicate_find(service->vips, service->vip_count, sizeof(*service->vips),
			   compare_vip_names, &same))
		return lb_err_no_memory(err);
	return same.later ? vip_duplicate(&same, "name", err) : 0;
}

static int vips_from_json(const json_t *array, struct lb_service *service, struct lb_err *err)
{
	size_t count = json_array_size(array);

	if (count == 0)
		return 0;
	service->vips = calloc(count, sizeof(*service->vips));
	if (!service->vips)
		return lb_err_no_memory(err);
	for (; service->vip_count < count; service->vip_count++) {
		size_t i = service->vip_count;

		if (lb_vip_from_json(json_array_get(array, i), &service->vips[i], err)) {
			lb_err_prefix(err, "vips[%zu]", i);
			return -EINVAL;
		}
	}
	if (vips_unique(service, err))
		return -EINVAL;
	qsort(service->vips, count, sizeof(*service->vips), compare_vip_endpoints);
	return 0;
}

int lb_service_from_json(const json_t *document, struct lb_service **out, struct lb_err *err)
{
	const json_t *vips, *digest; /* that is for whoever applies it */
	const struct lb_json_field fields[] = {{"vips", LB_JSON_ARRAY, true, &vips},
					       {"digest", LB_JSON_STRING, false, &digest},
					       {0}};
	struct lb_service *service;

	*out = NULL;
	if (lb_json_fields(document, fields, err)) {
		if (err && !err->hint[0])
			lb_err_hint(err, "an empty document is {\"vips\": []}");
		return -EINVAL;
	}
	service = lb_service_new();
	if (!service)
		return lb_err_no_memory(err);
	if (vips_from_json(vips, service, err)) {
		lb_service_free(service);
		return -EINVAL;
	}
	*out = service;
	return 0;
}

static json_t *vip_to_document(const struct lb_vip *vip)
{
	json_t *object = lb_vip_to_json(vip);
	char address[LB_ENDPOINT_TEXT];

	if (object && !strcmp(vip->name, lb_endpoint_format(&vip->endpoint, address)))
		json_object_del(object, "name");
	return object;
}

json_t *lb_service_to_json(const struct lb_service *service)
{
	json_auto_t *vips = json_array();

	for (size_t i = 0; i < service->vip_count; i++)
		if (json_array_append_new(vips, vip_to_document(&service->vips[i])))
			return NULL;
	return json_pack("{s:O}", "vips", vips);
}
