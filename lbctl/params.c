/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent to lbd for a command? */
#include "params.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lbd/api/rpc.h"
#include "fields.h"
#include "units.h"

/* json_pack refuses nothing of ours but text that is not UTF-8. */
static int give(json_t *made, json_t **params, struct lb_err *err)
{
	*params = made;
	return made ? 0 : lb_err_set(err, LB_ERR_USAGE, "", "an argument is not valid UTF-8");
}

int params_duration(const struct invocation *invocation, const char *name, long long *seconds,
		    struct lb_err *err)
{
	const char *text = invocation_option(invocation, name);

	if (!text || units_parse_period(text, seconds) == 0)
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "",
			  "--%s must be a duration such as 90s, 15m or 2h, not \"%s\"", name, text);
}

int params_add_manner(const struct invocation *invocation, json_t *params, struct lb_err *err)
{
	const char *max_moved = invocation_option(invocation, "max-moved");
	const char *if_digest = invocation_option(invocation, "if-digest");
	double percent;

	if (invocation_option(invocation, "if-missing"))
		json_object_set_new(params, "if_missing", json_true());
	if (invocation_option(invocation, "if-present"))
		json_object_set_new(params, "if_present", json_true());
	if (invocation_option(invocation, "dry-run"))
		json_object_set_new(params, "dry_run", json_true());
	if (invocation_option(invocation, "force"))
		json_object_set_new(params, "force", json_true());
	if (invocation_option(invocation, "local"))
		json_object_set_new(params, "local", json_true());
	if (if_digest)
		json_object_set_new(params, "if_digest", json_string(if_digest));
	if (!max_moved)
		return 0;
	if (units_parse_percent(max_moved, &percent))
		return lb_err_set(
			err, LB_ERR_USAGE, "",
			"--max-moved must be a percentage such as 2%% or 0.5%%, not \"%s\"",
			max_moved);
	json_object_set_new(params, "max_moved_percent", json_real(percent));
	return 0;
}

int params_manner_only(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	(void)invocation;
	return give(json_object(), params, err);
}

int params_vip_reference(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give(json_pack("{s:s*}", "vip", invocation->arguments[0]), params, err);
}

/* And the fields that were given into the object `within` it. */
static int give_fields(const struct invocation *invocation, json_t *made, const char *within,
		       json_t **params, struct lb_err *err)
{
	if (give(made, params, err))
		return -EINVAL;
	return fields_add(invocation, json_object_get(*params, within), err);
}

int params_vip_add(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give_fields(invocation,
			   json_pack("{s:{s:s}}", "vip", "address", invocation->arguments[0]),
			   "vip", params, err);
}

int params_vip_set(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give_fields(invocation,
			   json_pack("{s:s, s:{}}", "vip", invocation->arguments[0], "set"), "set",
			   params, err);
}

int params_pool_reference(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give(json_pack("{s:s}", "pool", invocation->arguments[0]), params, err);
}

int params_pool_add(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give_fields(invocation,
			   json_pack("{s:{s:s}}", "pool", "name", invocation->arguments[0]), "pool",
			   params, err);
}

int params_pool_set(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give_fields(invocation,
			   json_pack("{s:s, s:{}}", "pool", invocation->arguments[0], "set"), "set",
			   params, err);
}

int params_backend_add(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give_fields(invocation,
			   json_pack("{s:s, s:{s:s}}", "vip", invocation->arguments[0], "backend",
				     "address", invocation->arguments[1]),
			   "backend", params, err);
}

int params_backend_set(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give_fields(invocation,
			   json_pack("{s:s, s:s, s:{}}", "vip", invocation->arguments[0], "address",
				     invocation->arguments[1], "set"),
			   "set", params, err);
}

int params_backend_reference(const struct invocation *invocation, json_t **params,
			     struct lb_err *err)
{
	return give(json_pack("{s:s, s:s}", "vip", invocation->arguments[0], "address",
			      invocation->arguments[1]),
		    params, err);
}

int params_address(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give(json_pack("{s:s}", "address", invocation->arguments[0]), params, err);
}

/* Reads to the end, but no more than a request can carry. The number of bytes, or -errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t got = read(fd, bytes + length, size - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return (ssize_t)length;
		length += (size_t)got;
	}
	return -EFBIG;
}

static int parse_document(const char *name, const char *bytes, size_t length, json_t **document,
			  struct lb_err *err)
{
	json_error_t fault;

	*document = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &fault);
	if (*document)
		return 0;
	return lb_err_set(err, LB_ERR_PARSE, "", "%s:%d:%d: not JSON: %s", name, fault.line,
			  fault.column, fault.text);
}

int params_read_file(const char *file, json_t **document, struct lb_err *err)
{
	bool standard_input = strcmp(file, "-") == 0;
	const char *name = standard_input ? "standard input" : file;
	int fd = standard_input ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
	char *bytes = malloc(LB_REQUEST_MAX);
	ssize_t length = fd < 0 ? -errno : bytes ? read_all(fd, bytes, LB_REQUEST_MAX) : -ENOMEM;
	int status;

	if (length < 0)
		status = lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", name,
				    strerror((int)-length));
	else
		status = parse_document(name, bytes, (size_t)length, document, err);
	free(bytes);
	if (fd >= 0)
		close(fd);
	return status;
}

int params_document(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	json_t *document = NULL;

	if (params_read_file(invocation->arguments[0], &document, err))
		return -EINVAL;
	return give(json_pack("{s:o}", "document", document), params, err);
}

static int confirm_param(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	long long seconds = 0;

	if (params_duration(invocation, "confirm", &seconds, err))
		return -EINVAL;
	if (invocation_option(invocation, "confirm"))
		json_object_set_new(*params, "confirm_s", json_integer(seconds));
	return 0;
}

int params_reload(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	int ret = params_manner_only(invocation, params, err);

	return ret ? ret : confirm_param(invocation, params, err);
}

int params_apply(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	if (params_document(invocation, params, err) || confirm_param(invocation, params, err))
		return -EINVAL;
	if (invocation_option(invocation, "ignore-digest"))
		json_object_del(json_object_get(*params, "document"), "digest");
	return 0;
}
