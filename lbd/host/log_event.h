/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as lines of the log. */
#ifndef LB_LOG_EVENT_H
#define LB_LOG_EVENT_H

#include <jansson.h>

#include "log_text.h"

/* An events_listener: each event is one line, with its name for the kind. `unused` is NULL. */
void log_event(void *unused, const json_t *event);

/* How bad is it? Pure. */
enum log_level log_event_level(const json_t *event);

#endif
