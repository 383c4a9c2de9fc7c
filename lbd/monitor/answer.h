/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a collector's answer to a message mean, and when is the next attempt? Pure. By the OTLP specification, OTLP/HTTP:
 * 429, 502, 503 and 504 and a connection that fails are tried again, everything else is not. */
#ifndef LB_MONITOR_ANSWER_H
#define LB_MONITOR_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_TEXT 256
#define ANSWER_WAIT_MAX_MS 300000 /* that a collector may ask for: longer it may not silence lbd */
#define ANSWER_BACKOFF_MIN_MS 1000
#define ANSWER_BACKOFF_MAX_MS 60000

/* What is known of an attempt. */
struct answer {
	int status;              /* of HTTP; 0: there was none */
	char retry_after[64];    /* the field's value; "": none */
	char error[ANSWER_TEXT]; /* why there was no status */
	const char *body;
	size_t body_length;
};

enum answer_outcome { ANSWER_TAKEN, ANSWER_REFUSED, ANSWER_AGAIN };

struct answer_judgement {
	enum answer_outcome outcome;
	int64_t wait_ms;         /* that the collector asks for; -1: it does not */
	uint64_t rejected;       /* data points, of a message that was taken */
	char error[ANSWER_TEXT]; /* ""; why it was not taken, or not all of it; printable */
};

void answer_judge(const struct answer *answer, int64_t now_s, struct answer_judgement *out);

/* How long to wait after so many failures in a row, 1 or more: doubled each time, and half of it by chance, so that nodes do not
 * come all at once. `chance` is any number. */
int64_t answer_backoff_ms(unsigned int failures, uint32_t chance);

#endif
