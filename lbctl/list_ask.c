/* SPDX-License-Identifier: BSD-2-Clause */
/* How do many prefixes get to lbd, where one request cannot have all? */
#include <errno.h>
#include <unistd.h>

#include "client.h"
#include "list.h"

#define CHANGES_MAX 1000 /* prefixes of a change */
#define PART_MAX 100000  /* prefixes of a part of a load: at most 5 MB */
#define PARTS_TIMEOUT_S 300

/* Some of the prefixes, from `first` on. */
static json_t *slice(const json_t *prefixes, size_t first, size_t most)
{
	json_t *some = json_array();

	for (size_t i = first; i < json_array_size(prefixes) && i - first < most; i++)
		json_array_append(some, json_array_get(prefixes, i));
	return some;
}

static int ask(const struct invocation *invocation, int fd, const json_t *params, json_t **result,
	       struct lb_err *err)
{
	json_decref(*result);
	*result = NULL;
	return client_ask(fd, invocation->socket, CLIENT_TIMEOUT_S, invocation->command->method,
			  params, result, err);
}

static int change(const struct invocation *invocation, int fd, json_t *params, json_t **result,
		  struct lb_err *err)
{
	json_auto_t *prefixes = json_incref(json_object_get(params, "prefixes"));
	size_t done = 0;
	bool changed = false;
	int ret;

	do {
		if (prefixes)
			json_object_set_new(params, "prefixes", slice(prefixes, done, CHANGES_MAX));
		ret = ask(invocation, fd, params, result, err);
		changed = changed || json_is_true(json_object_get(*result, "changed"));
		if (ret && done)
			lb_err_hint(err, "the first %zu prefixes are changed, the rest is not",
				    done);
		done += CHANGES_MAX;
	} while (!ret && done < json_array_size(prefixes));
	if (!ret && changed)
		json_object_set_new(*result, "changed", json_true());
	return ret;
}

int list_change_ask(const struct invocation *invocation, json_t *params, json_t **result,
		    struct lb_err *err)
{
	const int fd = client_open(invocation->socket, CLIENT_TIMEOUT_S, err);
	int ret;

	if (fd < 0)
		return -EINVAL;
	ret = change(invocation, fd, params, result, err);
	close(fd);
	return ret;
}

/* All but the last ones, which the load itself has. */
static int send_parts(const struct invocation *invocation, int fd, json_t *params, json_t **result,
		      struct lb_err *err)
{
	json_auto_t *prefixes = json_incref(json_object_get(params, "prefixes"));
	size_t done = 0, parts = 0;
	int ret = 0;

	while (!ret && json_array_size(prefixes) - done > PART_MAX) {
		json_auto_t *part = json_pack(
			"{s:O, s:o, s:I}", "name", json_object_get(params, "name"), "prefixes",
			slice(prefixes, done, PART_MAX), "part", (json_int_t)parts++);

		ret = ask(invocation, fd, part, result, err);
		done += PART_MAX;
	}
	if (!parts)
		return ret;
	json_object_set_new(params, "prefixes", slice(prefixes, done, PART_MAX));
	json_object_set_new(params, "parts", json_integer((json_int_t)parts));
	return ret;
}

int list_load_ask(const struct invocation *invocation, json_t *params, json_t **result,
		  struct lb_err *err)
{
	const bool is_large = json_array_size(json_object_get(params, "prefixes")) > PART_MAX;
	const int fd =
		client_open(invocation->socket, is_large ? PARTS_TIMEOUT_S : CLIENT_TIMEOUT_S, err);
	int ret;

	if (fd < 0)
		return -EINVAL;
	ret = send_parts(invocation, fd, params, result, err);
	if (!ret)
		ret = ask(invocation, fd, params, result, err);
	close(fd);
	return ret;
}
