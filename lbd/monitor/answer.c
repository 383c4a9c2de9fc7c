/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a collector's answer to a message mean, and when is the next attempt? */
#include "answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Digits alone, or -1. Too many of them are a large number. */
static int64_t seconds_of(const char *text)
{
	if (!*text || strspn(text, "0123456789") != strlen(text))
		return -1;
	return strlen(text) > 9 ? INT64_C(1000000000) : strtoll(text, NULL, 10);
}

/* RFC 9110 section 10.2.3: seconds, or a date of the one form that is still made. */
static int64_t wait_ms_of(const char *text, int64_t now_s)
{
	struct tm date = {0};
	int64_t seconds = seconds_of(text);
	const char *end;

	if (seconds < 0) {
		end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &date);
		if (!end || *end)
			return -1;
		seconds = (int64_t)timegm(&date) - now_s;
	}
	if (seconds < 0)
		return 0;
	return seconds > ANSWER_WAIT_MAX_MS / 1000 ? ANSWER_WAIT_MAX_MS : seconds * 1000;
}

static void say(struct answer_judgement *out, const char *text)
{
	snprintf(out->error, sizeof(out->error), "%s", text);
	for (char *at = out->error; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

/* An integer of 64 bits is a text in JSON of protobuf; a number is taken, too. */
static uint64_t number_of(const json_t *value)
{
	const long long number = json_is_string(value) ? strtoll(json_string_value(value), NULL, 10)
						       : json_integer_value(value);

	return number > 0 ? (uint64_t)number : 0;
}

/* {"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "…"}}; anything else says that all were taken. */
static void read_partial(const struct answer *answer, struct answer_judgement *out)
{
	json_t *object = json_loadb(answer->body ? answer->body : "", answer->body_length, 0, NULL);
	const json_t *partial = json_object_get(object, "partialSuccess");
	const char *why = json_string_value(json_object_get(partial, "errorMessage"));

	out->rejected = number_of(json_object_get(partial, "rejectedDataPoints"));
	if (why)
		say(out, why);
	else if (out->rejected)
		say(out, "no reason is given");
	json_decref(object);
}

/* With the reason that is in the body: {"message": "…"}, or a line of text. */
static void say_status(const struct answer *answer, struct answer_judgement *out)
{
	json_t *object = json_loadb(answer->body ? answer->body : "", answer->body_length, 0, NULL);
	const char *why = json_string_value(json_object_get(object, "message"));
	char text[ANSWER_TEXT];
	int length = 0;

	while (!object && (size_t)length < answer->body_length && length < 120 &&
	       answer->body[length] >= ' ' && answer->body[length] <= '~')
		length++;
	if (why)
		snprintf(text, sizeof(text), "status %d: %.120s", answer->status, why);
	else
		snprintf(text, sizeof(text), "status %d%s%.*s", answer->status, length ? ": " : "",
			 length, length ? answer->body : "");
	say(out, text);
	json_decref(object);
}

static enum answer_outcome outcome_of(int status)
{
	if (status >= 200 && status < 300)
		return ANSWER_TAKEN;
	return !status || status == 429 || (status >= 502 && status <= 504) ? ANSWER_AGAIN
									    : ANSWER_REFUSED;
}

void answer_judge(const struct answer *answer, int64_t now_s, struct answer_judgement *out)
{
	*out = (struct answer_judgement){.outcome = outcome_of(answer->status), .wait_ms = -1};
	if (out->outcome == ANSWER_TAKEN) {
		read_partial(answer, out);
		return;
	}
	if (answer->status)
		say_status(answer, out);
	else
		say(out, answer->error);
	if (out->outcome == ANSWER_AGAIN)
		out->wait_ms = wait_ms_of(answer->retry_after, now_s);
}

int64_t answer_backoff_ms(unsigned int failures, uint32_t chance)
{
	int64_t most = ANSWER_BACKOFF_MIN_MS;

	while (--failures && most < ANSWER_BACKOFF_MAX_MS)
		most *= 2;
	if (most > ANSWER_BACKOFF_MAX_MS)
		most = ANSWER_BACKOFF_MAX_MS;
	return most / 2 + (int64_t)(chance % (uint32_t)(most / 2 + 1));
}
