/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a backend answer a check now? */
#include "methods_probe.h"

#include "../api/model.h"

static int at_param(int ret, struct lb_err *err, const char *param)
{
	if (ret)
		lb_err_prefix(err, "%s", param);
	return ret;
}

/* The VIP itself, or of a pool the first that uses it. */
static int find_vip(const struct lb_service *service, const char *reference,
		    const struct lb_vip **out, struct lb_err *err)
{
	struct lb_pool *pool;
	int ret;

	*out = lb_service_find(service, reference);
	if (*out && !lb_service_find_pool(service, reference))
		return 0;
	ret = lb_service_get_users_pool(service, reference, &pool, err);
	if (ret)
		return at_param(ret, err, "vip");
	for (size_t i = 0; i < service->vip_count; i++) {
		*out = &service->vips[i];
		if ((*out)->pool == pool)
			return 0;
	}
	lb_err_set(err, LB_ERR_REFUSED, "vip", "no VIP uses pool %s, and a check asks for one",
		   pool->name);
	return lb_err_hint(err, "name a VIP, or: lbctl vip add ADDRESS:PORT/PROTO --pool %s",
			   pool->name);
}

/* A backend with the address of a VIP would send to itself. The VIP's own stands for the VIP. */
static int check_address(const struct lb_service *service, const struct lb_vip *vip,
			 const struct lb_addr *address, struct lb_err *err)
{
	const struct lb_wide_kinds kinds = lb_service_wide_kinds(service);
	char text[LB_ADDR_TEXT];

	if (lb_addr_equal(&vip->endpoint.address, address) ||
	    !lb_service_holder(service, &kinds, address))
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "address", "%s is the address of a VIP",
			  lb_addr_format(address, text));
}

int methods_probe(struct methods_context *context, const json_t *params, json_t **result,
		  struct lb_err *err)
{
	const struct lb_service *service = service_document(context->service);
	const json_t *reference, *text;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"address", LB_JSON_STRING, true, &text},
		{0},
	};
	const struct lb_vip *vip = NULL;
	struct lb_addr address;
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = find_vip(service, json_string_value(reference), &vip, err);
	if (!ret)
		ret = at_param(lb_addr_parse(json_string_value(text), &address, err), err,
			       "address");
	if (!ret)
		ret = check_address(service, vip, &address, err);
	return ret ? ret : service_probe(context->service, vip, &address, result, err);
}
