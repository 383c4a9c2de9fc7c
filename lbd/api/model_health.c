/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to be done about the health of a VIP's backends: how is it read, changed, and written as
 * JSON? The check itself: health.c. */
#include <errno.h>
#include <string.h>
#include "model.h"

static const char *const on_unhealthy_names[] = {
	[LB_ON_UNHEALTHY_KEEP] = "keep",
	[LB_ON_UNHEALTHY_RESET] = "reset",
	NULL,
};

static const char *const when_all_unhealthy_names[] = {
	[LB_ALL_UNHEALTHY_USE_ALL] = "use_all",
	[LB_ALL_UNHEALTHY_DROP] = "drop",
	NULL,
};

/* --- reading --- */

/* The place of a word among two; *out stays as it is where there is no value. */
static int choice_from_json(const json_t *value, const char *field, const char *const *names,
			    int *out, struct lb_err *err)
{
	const char *text = json_string_value(value), *nearest;

	if (!value)
		return 0;
	for (int i = 0; names[i]; i++) {
		if (!strcmp(text, names[i])) {
			*out = i;
			return 0;
		}
	}
	lb_err_set(err, LB_ERR_PARAMS, field, "%s must be %s or %s, not \"%s\"", field, names[0],
		   names[1], text);
	nearest = lb_nearest(text, names);
	if (nearest)
		lb_err_hint(err, "did you mean \"%s\"?", nearest);
	return -EINVAL;
}

static json_int_t integer_of(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

/* The check that is there with these fields changed, as JSON; NULL without memory. */
static json_t *edited(const struct lb_health *check, const json_t *edit)
{
	json_auto_t *whole = lb_health_to_json(check);
	const char *field;
	json_t *value;

	if (!whole)
		return NULL;
	json_object_foreach ((json_t *)edit, field, value)
		if (json_is_null(value))
			json_object_del(whole, field);
		else if (json_object_set(whole, field, value))
			return NULL;
	if (!json_object_get(edit, "timeout_ms") &&
	    integer_of(whole, "timeout_ms") > integer_of(whole, "interval_ms"))
		json_object_del(whole, "timeout_ms");
	return json_incref(whole);
}

static int no_check_to_edit(struct lb_err *err)
{
	lb_err_set(err, LB_ERR_PARAMS, "type", "there is no health check that could be changed");
	return lb_err_hint(err, "a new one has a type: tcp, http, udp or exec");
}

/* The check that `value` asks for instead of `now`, into *out. */
static int check_from_json(const json_t *value, const struct lb_health *now, struct lb_health *out,
			   struct lb_err *err)
{
	json_auto_t *whole = NULL;

	*out = (struct lb_health){0};
	if (json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "health must be an object, or null for no check");
	if (json_object_get(value, "type"))
		return lb_health_from_json(value, out, err);
	if (now->kind == LB_HEALTH_NONE)
		return no_check_to_edit(err);
	whole = edited(now, value);
	return whole ? lb_health_from_json(whole, out, err) : lb_err_no_memory(err);
}

static int replace_check(const json_t *value, struct lb_vip *vip, struct lb_err *err)
{
	struct lb_health next;

	if (!value)
		return 0;
	if (check_from_json(value, &vip->health, &next, err) ||
	    lb_health_fits(&next, &vip->endpoint, err)) {
		lb_health_clear(&next);
		lb_err_prefix(err, "health");
		return -EINVAL;
	}
	lb_health_clear(&vip->health);
	vip->health = next;
	return 0;
}

int lb_vip_health_from_json(const json_t *health, const json_t *on_unhealthy,
			    const json_t *when_all_unhealthy, struct lb_vip *vip,
			    struct lb_err *err)
{
	int on = vip->on_unhealthy, when_all = vip->when_all_unhealthy;

	if (choice_from_json(on_unhealthy, "on_unhealthy", on_unhealthy_names, &on, err) ||
	    choice_from_json(when_all_unhealthy, "when_all_unhealthy", when_all_unhealthy_names,
			     &when_all, err) ||
	    replace_check(health, vip, err))
		return -EINVAL;
	vip->on_unhealthy = on;
	vip->when_all_unhealthy = when_all;
	return 0;
}

/* --- writing and comparing --- */

int lb_vip_health_to_json(const struct lb_vip *vip, json_t *object)
{
	const bool checked = vip->health.kind != LB_HEALTH_NONE;
	int error = 0;

	if (checked)
		error |= json_object_set_new(object, "health", lb_health_to_json(&vip->health));
	if (checked || vip->on_unhealthy != LB_ON_UNHEALTHY_KEEP)
		error |= json_object_set_new(object, "on_unhealthy",
					     json_string(on_unhealthy_names[vip->on_unhealthy]));
	if (checked || vip->when_all_unhealthy != LB_ALL_UNHEALTHY_USE_ALL)
		error |= json_object_set_new(
			object, "when_all_unhealthy",
			json_string(when_all_unhealthy_names[vip->when_all_unhealthy]));
	return error ? -ENOMEM : 0;
}

bool lb_vip_health_equal(const struct lb_vip *a, const struct lb_vip *b)
{
	return a->on_unhealthy == b->on_unhealthy &&
	       a->when_all_unhealthy == b->when_all_unhealthy &&
	       lb_health_equal(&a->health, &b->health);
}
