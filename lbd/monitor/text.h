/* SPDX-License-Identifier: BSD-2-Clause */
/* A text that grows: many short pieces, quickly. Once memory is short it stays as it is, and `failed`. */
#ifndef LB_MONITOR_TEXT_H
#define LB_MONITOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* owned; NULL while it is empty. No final 0 */
	size_t length, room;
	bool failed;
};

void text_clear(struct text *text); /* frees */
void text_add(struct text *text, const char *bytes, size_t length);
void text_string(struct text *text, const char *string);
void text_integer(struct text *text, uint64_t number);
void text_number(struct text *text, double number); /* finite; shortest form of up to 15 digits */
/* Within the quotes of a JSON text; what is no UTF-8 becomes "?". */
void text_json(struct text *text, const char *value);
/* A label's value: backslash, double quote and newline escaped, as Prometheus has it; what is no UTF-8 becomes "?". */
void text_label(struct text *text, const char *value);

#endif
