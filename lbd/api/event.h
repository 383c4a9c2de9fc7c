/* SPDX-License-Identifier: BSD-2-Clause */
/* An event of docs/protocol.md in words: the same in the log of lbd and in `lbctl watch`. Pure. */
#ifndef LB_EVENT_H
#define LB_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The event's name, a constant: "health". "event": it is none that is known. */
const char *lb_event_kind(const json_t *event);
/* One line without the time and without the event's name; what does not fit is cut off. Control
 * characters stay as they are. False: it is no event that is known, and the text is its JSON. */
bool lb_event_text(const json_t *event, char *out, size_t size);

/* Of a change, and of one that was taken back: only what was asked for, and by whom. */
void lb_event_cause(const json_t *event, char *out, size_t size);

#endif
