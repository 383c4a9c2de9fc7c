/* SPDX-License-Identifier: BSD-2-Clause */
/* How often has which event happened, and what were the last ones? */
#include "event_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 2048 /* what changes of many VIPs say is longer */

void event_log_init(struct event_counts *log)
{
	static const char *const names[] = {"change",     "confirm",  "revert", "drain",
					    "serve",      "next_hop", "route",  "interface",
					    "vip_health", "fault",    "health", "spill",
					    "announce",   "node",     "move",   "dissent"};

	*log = (struct event_counts){0};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		snprintf(log->kinds[log->kind_count++].name, sizeof(log->kinds[0].name), "%s",
			 names[i]);
}

void event_log_clear(struct event_counts *log)
{
	for (size_t i = 0; i < EVENT_LOG_MAX; i++) {
		free(log->recent[i]);
		log->recent[i] = NULL;
	}
}

void event_log_count(void *user, const json_t *event)
{
	struct event_counts *log = user;
	const char *name = json_string_value(json_object_get(event, "event"));
	size_t i;

	for (i = 0; name && i < log->kind_count; i++)
		if (!strcmp(log->kinds[i].name, name))
			log->kinds[i].count++;
}

void event_log_keep(void *user, const char *line, size_t length)
{
	struct event_counts *log = user;
	char *kept = length <= LINE_MAX_BYTES ? strndup(line, length) : NULL;

	if (!kept)
		return;
	free(log->recent[log->next]);
	log->recent[log->next] = kept;
	log->next = (log->next + 1) % EVENT_LOG_MAX;
}

json_t *event_log_recent(const struct event_counts *log)
{
	json_t *array = json_array();

	for (size_t i = 1; i <= EVENT_LOG_MAX; i++) {
		const char *line = log->recent[(log->next + EVENT_LOG_MAX - i) % EVENT_LOG_MAX];
		json_t *message = line ? json_loads(line, 0, NULL) : NULL;

		json_array_append(array, json_object_get(message, "params"));
		json_decref(message);
	}
	return array;
}
