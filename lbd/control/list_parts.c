/* SPDX-License-Identifier: BSD-2-Clause */
/* What has a client given so far of a list that it loads in parts? */
#include "list_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "control.h"

#define SILENCE_NS 30000000000ull

struct list_parts {
	struct control_stream stream; /* to the client; closed: there is none */
	char name[LB_NAME_TEXT];
	int64_t parts;
	struct list_change *changes;
	size_t count, room;
	uint64_t given_ns; /* the last part */
};

static bool is_of(const struct list_parts *parts, const struct peer *peer)
{
	return parts->stream.client && parts->stream.client == peer->client;
}

static void forget(struct list_parts *parts)
{
	control_stream_close(&parts->stream, NULL, 0);
	free(parts->changes);
	*parts = (struct list_parts){.stream = parts->stream};
}

static void on_gone(void *user)
{
	forget(user);
}

void list_parts_forget(struct list_parts *parts, const struct peer *peer)
{
	if (is_of(parts, peer))
		forget(parts);
}

static int begin(struct list_parts *parts, const struct peer *peer, const char *name,
		 struct lb_err *err)
{
	const uint64_t silent_ns = lb_clock_ns(CLOCK_MONOTONIC) - parts->given_ns;

	if (parts->stream.client && !is_of(parts, peer) && silent_ns < SILENCE_NS) {
		lb_err_set(err, LB_ERR_LIMIT, "part", "another client loads a list in parts");
		return lb_err_hint(err, "try again when it has ended, or has sent nothing for 30 "
					"seconds");
	}
	forget(parts);
	if (control_stream_open(&parts->stream, peer))
		return lb_err_set(err, LB_ERR_REQUEST, "", "this connection is followed already");
	snprintf(parts->name, sizeof(parts->name), "%s", name);
	return 0;
}

/* Whether these are all parts so far. */
static int check(const struct list_parts *parts, const struct peer *peer, const char *name,
		 int64_t number, const char *path, struct lb_err *err)
{
	const bool same = is_of(parts, peer) && !strcmp(parts->name, name);

	if (same && parts->parts == number)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, path, "list \"%s\" has had %lld parts, not %lld", name,
		   same ? (long long)parts->parts : 0ll, (long long)number);
	return lb_err_hint(err, "begin again with part 0");
}

static int append(struct list_parts *parts, const struct list_edit *edit, struct lb_err *err)
{
	size_t room = parts->count + edit->count;
	struct list_change *changes;

	if (room > LIST_PARTS_PREFIXES)
		return lb_err_set(err, LB_ERR_LIMIT, "prefixes",
				  "a load has at most %u prefixes, the same ones included",
				  LIST_PARTS_PREFIXES);
	if (room > parts->room) {
		room *= 2;
		changes = reallocarray(parts->changes, room + 1, sizeof(*changes));
		if (!changes)
			return lb_err_no_memory(err);
		parts->changes = changes;
		parts->room = room;
	}
	if (edit->count)
		memcpy(parts->changes + parts->count, edit->changes,
		       edit->count * sizeof(*edit->changes));
	parts->count += edit->count;
	return 0;
}

int list_parts_add(struct list_parts *parts, const struct peer *peer, const struct list_edit *edit,
		   int64_t number, struct lb_err *err)
{
	int error = number ? check(parts, peer, edit->name, number, "part", err)
			   : begin(parts, peer, edit->name, err);

	if (!error)
		error = append(parts, edit, err);
	if (error) {
		list_parts_forget(parts, peer);
		return error;
	}
	parts->parts++;
	parts->given_ns = lb_clock_ns(CLOCK_MONOTONIC);
	return 0;
}

int list_parts_take(struct list_parts *parts, const struct peer *peer, struct list_edit *edit,
		    int64_t count, struct lb_err *err)
{
	int error = check(parts, peer, edit->name, count, "parts", err);

	if (!error)
		error = append(parts, edit, err);
	if (!error) {
		free(edit->changes);
		edit->changes = parts->changes;
		edit->count = parts->count;
		parts->changes = NULL;
	}
	list_parts_forget(parts, peer);
	return error;
}

int list_parts_new(struct list_parts **out, struct lb_err *err)
{
	struct list_parts *parts = calloc(1, sizeof(*parts));

	if (!parts)
		return lb_err_no_memory(err);
	parts->stream = (struct control_stream){.gone = on_gone, .user = parts};
	*out = parts;
	return 0;
}

void list_parts_free(struct list_parts *parts)
{
	if (!parts)
		return;
	forget(parts);
	free(parts);
}
