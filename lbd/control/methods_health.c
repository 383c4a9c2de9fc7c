/* SPDX-License-Identifier: BSD-2-Clause */
/* What do this node and others see of the backends? */
#include "methods_health.h"

#include "../service/agree.h"

int methods_health_view(struct methods_context *context, const json_t *params, json_t **result,
			struct lb_err *err)
{
	const json_t *mark;
	const struct lb_json_field fields[] = {{"mark", LB_JSON_INTEGER, false, &mark}, {0}};
	const int ret = lb_json_fields(params, fields, err);

	return ret ? ret
		   : service_health_view(context->service, json_integer_value(mark), result, err);
}

int methods_health_agree(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	const json_t *views, *valid;
	const struct lb_json_field fields[] = {
		{"views", LB_JSON_ARRAY, false, &views},
		{"valid_ms", LB_JSON_INTEGER, true, &valid},
		{0},
	};
	int64_t valid_ms;
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = lb_json_integer(valid, "valid_ms", 1, AGREE_VALID_MAX_MS, &valid_ms, err);
	if (!ret)
		ret = service_health_agree(context->service, views, valid_ms, err);
	if (!ret)
		*result = json_pack("{s:I}", "nodes",
				    (json_int_t)service_health_nodes(context->service));
	return ret;
}
