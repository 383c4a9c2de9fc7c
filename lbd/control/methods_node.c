/* SPDX-License-Identifier: BSD-2-Clause */
/* How is this node taken out of the network, and is it? */
#include "methods_node.h"

#include <string.h>

#include "../api/clock.h"
#include "node.h"

static int no_params(const json_t *params, struct lb_err *err)
{
	const struct lb_json_field fields[] = {{0}};

	return lb_json_fields(params, fields, err);
}

/* Whether packets still come is seen by how many have been forwarded. */
static int describe(struct methods_context *context, json_t **result, struct lb_err *err)
{
	uint64_t counts[LB_VERDICT_COUNT];
	const int ret = datapath_verdicts(context->datapath, counts);

	if (ret)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read the verdict counters: %s",
				  strerror(-ret));
	*result = node_describe(context->node);
	if (!*result)
		return 0;
	json_object_set_new(*result, "forwarded",
			    json_integer((json_int_t)(counts[LB_TX] + counts[LB_REDIRECT])));
	json_object_set_new(*result, "at_ms", json_integer((json_int_t)lb_now_ms()));
	return 0;
}

int methods_node_show(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err)
{
	const int ret = no_params(params, err);

	return ret ? ret : describe(context, result, err);
}

static int set_drained(struct methods_context *context, const json_t *params, bool drain,
		       json_t **result, struct lb_err *err)
{
	int ret = no_params(params, err);

	if (!ret)
		ret = node_drain(context->node, drain, context->peer, err);
	return ret ? ret : describe(context, result, err);
}

int methods_node_drain(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err)
{
	return set_drained(context, params, true, result, err);
}

int methods_node_undrain(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	return set_drained(context, params, false, result, err);
}
