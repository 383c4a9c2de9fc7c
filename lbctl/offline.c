/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a service document right, as far as can be said without lbd? By the model that lbd reads it
 * with, so that errors and their paths are the same. */
#include "offline.h"
#include <errno.h>
#include "../lbd/api/model.h"
#include "args.h"
#include "call.h"
#include "output.h"
#include "params.h"
#include "view.h"

static json_t *describe(const struct lb_service *service)
{
	size_t backends = 0, i;

	for (i = 0; i < service->vip_count; i++)
		backends += service->vips[i].pool->backend_count;
	return json_pack("{s:b, s:I, s:I}", "offline", true, "vips", (json_int_t)service->vip_count,
			 "backends", (json_int_t)backends);
}

static int check(const struct invocation *invocation, json_t **result, struct lb_err *err)
{
	json_auto_t *params = NULL;
	struct lb_service *service;
	int status = params_document(invocation, &params, err);

	if (!status)
		status = lb_service_from_json(json_object_get(params, "document"), &service, err);
	if (status)
		return status;
	status = lb_service_check(service, err);
	if (!status)
		*result = describe(service);
	lb_service_free(service);
	return status;
}

static enum exit_code check_offline(const struct invocation *invocation, struct output *output)
{
	json_auto_t *result = NULL;
	struct lb_err err = {0};

	if (check(invocation, &result, &err))
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return EXIT_DONE;
}

enum exit_code config_check_run(const struct invocation *invocation, struct output *output)
{
	json_auto_t *result = NULL;
	struct lb_err err = {0};

	if (invocation_option(invocation, "offline"))
		return check_offline(invocation, output);
	if (call_ask(invocation, &result, &err)) {
		if (err.code == LB_ERR_UNREACHABLE)
			lb_err_hint(&err, "--offline checks the document alone");
		return output_error(output, invocation, &err);
	}
	output_result(output, invocation, result);
	return EXIT_DONE;
}

void view_check(FILE *out, const struct invocation *invocation, const json_t *result)
{
	if (!json_object_get(result, "offline")) {
		view_plan(out, invocation, result);
		return;
	}
	fprintf(out, "no error found: %lld VIPs, %lld backends\n", view_integer(result, "vips"),
		view_integer(result, "backends"));
	fprintf(out, "only the document was checked: not the limits of lbd.json, and not what "
		     "applying it would change\n");
}
