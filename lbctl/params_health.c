/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the options of a VIP's health check become the fields of docs/protocol.md? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "params.h"
#include "units.h"

typedef int (*make_value)(const struct invocation *invocation, const char *option, json_t **out,
			  struct lb_err *err);

/* Each of these: a new reference, or NULL where the option was not given. */

static int text_value(const struct invocation *invocation, const char *option, json_t **out,
		      struct lb_err *err)
{
	const char *text = invocation_option(invocation, option);

	*out = text ? json_string(text) : NULL;
	if (!text || *out)
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "", "--%s is not valid UTF-8", option);
}

static int duration_value(const struct invocation *invocation, const char *option, json_t **out,
			  struct lb_err *err)
{
	const char *text = invocation_option(invocation, option);
	long long milliseconds = 0;

	*out = NULL;
	if (text && units_parse_milliseconds(text, &milliseconds))
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "--%s must be a duration such as 500ms, 2s or 1m, not \"%s\"",
				  option, text);
	if (text)
		*out = json_integer(milliseconds);
	return 0;
}

static int boolean_value(const struct invocation *invocation, const char *option, json_t **out,
			 struct lb_err *err)
{
	const char *text = invocation_option(invocation, option);

	*out = NULL;
	if (text && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return lb_err_set(err, LB_ERR_USAGE, "", "--%s must be yes or no, not \"%s\"",
				  option, text);
	if (text)
		*out = json_boolean(strcmp(text, "yes") == 0);
	return 0;
}

static int percent_value(const struct invocation *invocation, const char *option, json_t **out,
			 struct lb_err *err)
{
	const char *text = invocation_option(invocation, option);
	double percent = 0;

	*out = NULL;
	if (text && (units_parse_percent(text, &percent) || percent > 100 ||
		     percent != (double)(long)percent))
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "--%s must be a whole percentage such as 10%%, not \"%s\"",
				  option, text);
	if (text)
		*out = json_integer((json_int_t)percent);
	return 0;
}

static int words_value(const struct invocation *invocation, const char *option, json_t **out,
		       struct lb_err *err)
{
	static const char blanks[] = " \t\n";
	const char *text = invocation_option(invocation, option);

	*out = text ? json_array() : NULL;
	for (; text && *(text += strspn(text, blanks)); text += strcspn(text, blanks))
		if (json_array_append_new(*out, json_stringn(text, strcspn(text, blanks)))) {
			json_decref(*out);
			return lb_err_set(err, LB_ERR_USAGE, "", "--%s is not valid UTF-8", option);
		}
	return 0;
}

static const struct {
	const char *option, *field;
	make_value make;
} values[] = {
	{"health-source", "source", text_value},
	{"health-port", "port", params_integer},
	{"health-interval", "interval_ms", duration_value},
	{"health-timeout", "timeout_ms", duration_value},
	{"health-rise", "rise", params_integer},
	{"health-fall", "fall", params_integer},
	{"health-jitter", "jitter_percent", percent_value},
	{"health-full-mtu", "full_mtu", boolean_value},
	{"health-method", "method", text_value},
	{"health-path", "path", text_value},
	{"health-host", "host", text_value},
	{"health-status", "status", text_value},
	{"health-body", "body", text_value},
	{"health-payload", "payload", text_value},
	{"health-expect", "expect", text_value},
	{"health-command", "command", words_value},
};

/* The fields of the check that were given, and the first option that said one, or NULL. */
static int make_check(const struct invocation *invocation, json_t *check, const char **first,
		      struct lb_err *err)
{
	*first = NULL;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *value;

		if (values[i].make(invocation, values[i].option, &value, err))
			return -EINVAL;
		if (!value)
			continue;
		json_object_set_new(check, values[i].field, value);
		if (!*first)
			*first = values[i].option;
	}
	return 0;
}

static int add_check(const struct invocation *invocation, json_t *object, struct lb_err *err)
{
	const char *kind = invocation_option(invocation, "health"), *first;
	const bool is_new = strcmp(invocation->command->verb, "add") == 0;
	json_auto_t *check = json_object();

	if (make_check(invocation, check, &first, err))
		return -EINVAL;
	if (kind && strcmp(kind, "none") == 0) {
		if (first)
			return lb_err_set(err, LB_ERR_USAGE, "",
					  "--%s makes no sense with --health none", first);
		/* A VIP that is new has none anyway. */
		return is_new ? 0 : json_object_set_new(object, "health", json_null());
	}
	if (!kind && first && is_new) {
		lb_err_set(err, LB_ERR_USAGE, "", "--%s without --health", first);
		return lb_err_hint(err, "say what kind of check: --health tcp, http, udp or exec");
	}
	if (kind && json_object_set_new(check, "type", json_string(kind)))
		return lb_err_set(err, LB_ERR_USAGE, "", "--health is not valid UTF-8");
	return kind || first ? json_object_set(object, "health", check) : 0;
}

int params_add_health(const struct invocation *invocation, json_t *object, struct lb_err *err)
{
	json_t *on, *when_all;

	if (add_check(invocation, object, err) || text_value(invocation, "on-unhealthy", &on, err))
		return -EINVAL;
	if (on)
		json_object_set_new(object, "on_unhealthy", on);
	if (text_value(invocation, "when-all-unhealthy", &when_all, err))
		return -EINVAL;
	if (when_all)
		json_object_set_new(object, "when_all_unhealthy", when_all);
	return 0;
}
