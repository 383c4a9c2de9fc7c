/* SPDX-License-Identifier: BSD-2-Clause */
/* How does an event become a line of the log? */
#include "log_event.h"

#include <stdbool.h>
#include <string.h>

#include "../api/event.h"
#include "log.h"

static bool is(const json_t *event, const char *field, const char *value)
{
	const char *text = json_string_value(json_object_get(event, field));

	return text && !strcmp(text, value);
}

/* --- each kind of event, and whether it is worse than information --- */

static enum log_level of_change(const json_t *event)
{
	return json_is_true(json_object_get(event, "ends_flows")) ? LOG_LEVEL_WARNING
								  : LOG_LEVEL_INFO;
}

static enum log_level of_health(const json_t *event)
{
	return is(event, "state", "unhealthy") ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

static enum log_level of_vip_health(const json_t *event)
{
	return is(event, "state", "all_unhealthy") ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
}

static enum log_level of_spill(const json_t *event)
{
	return is(event, "state", "spilled") ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

/* Generic mode has a reason, too, and is slower. */
static enum log_level of_interface(const json_t *event)
{
	return json_object_get(event, "reason") || is(event, "state", "link_down")
		       ? LOG_LEVEL_WARNING
		       : LOG_LEVEL_INFO;
}

static enum log_level of_route(const json_t *event)
{
	return is(event, "state", "unroutable") ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

static enum log_level of_next_hop(const json_t *event)
{
	return is(event, "state", "unresolved") ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

/* What nobody has measured is no reason to be calm. */
static enum log_level of_receipt(const json_t *event)
{
	const json_t *measured = json_object_get(event, "measured");

	return json_integer_value(json_object_get(measured, "packets")) ||
			       json_integer_value(json_object_get(measured, "silent"))
		       ? LOG_LEVEL_WARNING
		       : LOG_LEVEL_INFO;
}

static enum log_level warning(const json_t *event)
{
	(void)event;
	return LOG_LEVEL_WARNING;
}

/* That a VIP was removed is no reason to worry, but who reads cannot tell. */
static enum log_level of_announce(const json_t *event)
{
	if (is(event, "state", "failed"))
		return LOG_LEVEL_ERROR;
	return is(event, "state", "withdrawn") ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

static enum log_level of_syn_guard(const json_t *event)
{
	return is(event, "state", "on") ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

static enum log_level error(const json_t *event)
{
	(void)event;
	return LOG_LEVEL_ERROR;
}

/* Those that may be more than information. */
static const struct {
	const char *name;
	enum log_level (*level)(const json_t *event);
} kinds[] = {
	{"change", of_change},         {"revert", warning},
	{"health", of_health},         {"next_hop", of_next_hop},
	{"vip_health", of_vip_health}, {"interface", of_interface},
	{"route", of_route},           {"fault", error},
	{"spill", of_spill},           {"receipt", of_receipt},
	{"announce", of_announce},     {"node", warning},
	{"syn_guard", of_syn_guard},   {"dissent", warning},
};

enum log_level log_event_level(const json_t *event)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (is(event, "event", kinds[i].name))
			return kinds[i].level(event);
	return LOG_LEVEL_INFO;
}

void log_event(void *unused, const json_t *event)
{
	char text[LOG_LINE_MAX];

	(void)unused;
	lb_event_text(event, text, sizeof(text));
	log_kind(log_event_level(event), lb_event_kind(event), "%s", text);
}
