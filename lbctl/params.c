/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent to lbd for a command? */
#include "params.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lbd/api/rpc.h"
#include "units.h"

/* json_pack refuses nothing of ours but text that is not UTF-8. */
static int give(json_t *made, json_t **params, struct lb_err *err)
{
	*params = made;
	return made ? 0 : lb_err_set(err, LB_ERR_USAGE, "", "an argument is not valid UTF-8");
}

int params_integer(const struct invocation *invocation, const char *name, json_t **out,
		   struct lb_err *err)
{
	const char *text = invocation_option(invocation, name);
	long long value;
	char *end;

	*out = NULL;
	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (text[strspn(text, "-0123456789")] != '\0' || end == text || *end != '\0' || errno)
		return lb_err_set(err, LB_ERR_USAGE, "", "--%s must be a whole number, not \"%s\"",
				  name, text);
	*out = json_integer(value);
	return 0;
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

/* *out stays NULL where the option was not given. */
static int duration_option(const struct invocation *invocation, const char *name, json_t **out,
			   struct lb_err *err)
{
	long long seconds = 0;

	*out = NULL;
	if (params_duration(invocation, name, &seconds, err))
		return -EINVAL;
	if (invocation_option(invocation, name))
		*out = json_integer(seconds);
	return 0;
}

/* --encap, --hash and --fragments into `object`. */
static void add_forwarding(const struct invocation *invocation, json_t *object)
{
	static const char *const names[] = {"encap", "hash", "fragments"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *word = invocation_option(invocation, names[i]);

		if (word)
			json_object_set_new(object, names[i], json_string(word));
	}
}

/* --transition, --flow-idle and the health check into `object`. */
static int add_times_and_health(const struct invocation *invocation, json_t *object,
				struct lb_err *err)
{
	json_t *transition, *idle;

	if (duration_option(invocation, "transition", &transition, err))
		return -EINVAL;
	if (transition)
		json_object_set_new(object, "transition_s", transition);
	if (duration_option(invocation, "flow-idle", &idle, err))
		return -EINVAL;
	if (idle)
		json_object_set_new(object, "flow_idle_s", idle);
	return params_add_health(invocation, object, err);
}

int params_add_manner(const struct invocation *invocation, json_t *params, struct lb_err *err)
{
	const char *max_moved = invocation_option(invocation, "max-moved");
	const char *if_digest = invocation_option(invocation, "if-digest");
	double percent;

	if (invocation_option(invocation, "dry-run"))
		json_object_set_new(params, "dry_run", json_true());
	if (invocation_option(invocation, "force"))
		json_object_set_new(params, "force", json_true());
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

int params_vip_reference(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	return give(json_pack("{s:s*}", "vip", invocation->arguments[0]), params, err);
}

int params_vip_add(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	json_t *size;

	if (params_integer(invocation, "table-size", &size, err))
		return -EINVAL;
	if (give(json_pack("{s:{s:s, s:s*, s:s*, s:o*}}", "vip", "address",
			   invocation->arguments[0], "name", invocation_option(invocation, "name"),
			   "table", invocation_option(invocation, "table"), "table_size", size),
		 params, err))
		return -EINVAL;
	add_forwarding(invocation, json_object_get(*params, "vip"));
	return add_times_and_health(invocation, json_object_get(*params, "vip"), err);
}

int params_vip_set(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	if (give(json_pack("{s:s, s:{s:s*, s:s*}}", "vip", invocation->arguments[0], "set", "name",
			   invocation_option(invocation, "name"), "table",
			   invocation_option(invocation, "table")),
		 params, err))
		return -EINVAL;
	add_forwarding(invocation, json_object_get(*params, "set"));
	return add_times_and_health(invocation, json_object_get(*params, "set"), err);
}

int params_backend_add(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	json_t *weight;

	if (params_integer(invocation, "weight", &weight, err))
		return -EINVAL;
	return give(json_pack("{s:s, s:{s:s, s:o*}}", "vip", invocation->arguments[0], "backend",
			      "address", invocation->arguments[1], "weight", weight),
		    params, err);
}

int params_backend_set(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	json_t *weight;

	if (params_integer(invocation, "weight", &weight, err))
		return -EINVAL;
	return give(json_pack("{s:s, s:s, s:{s:o*}}", "vip", invocation->arguments[0], "address",
			      invocation->arguments[1], "set", "weight", weight),
		    params, err);
}

int params_backend_reference(const struct invocation *invocation, json_t **params,
			     struct lb_err *err)
{
	return give(json_pack("{s:s, s:s}", "vip", invocation->arguments[0], "address",
			      invocation->arguments[1]),
		    params, err);
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

static int read_document(const char *file, json_t **document, struct lb_err *err)
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

	if (read_document(invocation->arguments[0], &document, err))
		return -EINVAL;
	return give(json_pack("{s:o}", "document", document), params, err);
}

int params_apply(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	json_t *seconds;

	if (duration_option(invocation, "confirm", &seconds, err))
		return -EINVAL;
	if (params_document(invocation, params, err)) {
		json_decref(seconds);
		return -EINVAL;
	}
	if (seconds)
		json_object_set_new(*params, "confirm_s", seconds);
	if (invocation_option(invocation, "ignore-digest"))
		json_object_del(json_object_get(*params, "document"), "digest");
	return 0;
}
