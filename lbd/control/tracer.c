// SPDX-License-Identifier: BSD-2-Clause
/* Who traces packets, for how long, and what is he sent?
 *
 * A timer reads what the program has told, and allows it the packets of the next moment. When the
 * time or the count is over, or the client is gone, the balancer is put back at once. */
#include "tracer.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../host/worker.h"
#include "../route/links.h"
#include "control.h"
#include "packet_json.h"
#include "verdict_text.h"

#define TICK_MS 50
#define TICKS_A_SECOND (1000 / TICK_MS)
#define READ_NS 5000000 /* of a turn; what is left waits for the next one */

struct tracer {
	struct event *tick;
	struct control_stream stream;
	struct methods_context context; /* of the call that has begun it */
	struct tracer_wish wish;
	bool taken;
	int64_t ends_ms;
	uint64_t read_until_ns;
	int64_t real_ns; /* add to CLOCK_MONOTONIC for CLOCK_REALTIME */
	uint64_t sent, unsent, limited_ms;
};

/* --- lines --- */

/* To be freed; NULL without memory. Takes over `params`. */
static char *line_of(json_t *params, size_t *length)
{
	json_auto_t *root =
		json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "trace", "params", params);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	if (!text)
		return NULL;
	*length = strlen(text) + 1;
	text[*length - 1] = '\n'; /* in the place of the final 0 */
	return text;
}

static bool send_packet(struct tracer *tracer, json_t *packet)
{
	size_t length;
	char *line = line_of(packet, &length);
	const bool taken = line && control_stream_send(&tracer->stream, line, length);

	free(line);
	return taken;
}

static json_t *time_json(const struct tracer *tracer, uint64_t monotonic_ns)
{
	const uint64_t ns = monotonic_ns + tracer->real_ns;
	const time_t seconds = ns / 1000000000;
	struct tm parts;
	char text[32];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	return json_sprintf("%s.%09" PRIu64 "Z", text, ns % 1000000000);
}

static json_t *interface_json(const struct tracer *tracer, uint32_t ifindex)
{
	const struct link *link = links_find(tracer->context.links, ifindex);

	return link ? json_string(link->is.name) : json_sprintf("interface %u", ifindex);
}

static json_t *vip_json(const struct tracer *tracer, uint32_t number)
{
	const struct lb_vip *vip = number == LB_TRACE_NONE
					   ? NULL
					   : service_vip_numbered(tracer->context.service, number);

	return vip ? json_string(vip->name) : NULL;
}

static json_t *backend_json(const struct tracer *tracer, uint32_t number)
{
	struct lb_member member;

	if (number == LB_TRACE_NONE)
		return NULL;
	member = datapath_members(tracer->context.datapath)[number];
	return member.flags & LB_MEMBER_VALID ? member_json(&member) : NULL;
}

static json_t *out_json(const struct tracer *tracer, const struct lb_traced *packet)
{
	const uint32_t ifindex = packet->egress ? packet->egress : packet->ifindex;

	if (!packet->out_length)
		return NULL;
	return json_pack("{s:o, s:I, s:o}", "interface", interface_json(tracer, ifindex), "length",
			 (json_int_t)packet->out_length, "bytes",
			 hex_json(packet->bytes + packet->kept, packet->out_kept));
}

/* How many others are asked for the connection; those that the frame has. */
static json_t *hops_json(const struct lb_traced *packet)
{
	return packet->hops ? json_integer(packet->hops) : NULL;
}

static json_t *traced_json(const struct tracer *tracer, const struct lb_traced *packet)
{
	const struct verdict_text *verdict = verdict_text(packet->verdict);

	return json_pack("{s:o, s:o, s:s, s:s, s:o*, s:o*, s:o*, s:o*, s:{s:I, s:o}, s:o*}", "time",
			 time_json(tracer, packet->time_ns), "interface",
			 interface_json(tracer, packet->ifindex), "verdict", verdict->name,
			 "action", verdict->action, "vip", vip_json(tracer, packet->vip), "backend",
			 backend_json(tracer, packet->member), "hops", hops_json(packet), "packet",
			 packet_json(&packet->packet), "frame", "length",
			 (json_int_t)packet->length, "bytes", hex_json(packet->bytes, packet->kept),
			 "out", out_json(tracer, packet));
}

/* --- its time --- */

static void stop(struct tracer *tracer)
{
	event_del(tracer->tick);
	datapath_trace_stop(tracer->context.datapath);
	tracer->taken = false;
}

static void on_gone(void *user)
{
	stop(user);
}

static json_t *sum_json(const struct tracer *tracer, const char *why)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "ended", why, "packets",
			 (json_int_t)tracer->sent, "unread", (json_int_t)tracer->unsent, "lost",
			 (json_int_t)datapath_trace_lost(tracer->context.datapath), "limited_ms",
			 (json_int_t)tracer->limited_ms);
}

static void end(struct tracer *tracer, const char *why)
{
	size_t length;
	char *line = line_of(sum_json(tracer, why), &length);

	control_stream_close(&tracer->stream, line, length);
	free(line);
	stop(tracer);
}

static bool is_enough(const struct tracer *tracer)
{
	return tracer->wish.count && tracer->sent >= tracer->wish.count;
}

static bool on_packet(void *user, const struct lb_traced *packet)
{
	struct tracer *tracer = user;

	if (is_enough(tracer))
		return false;
	if (send_packet(tracer, traced_json(tracer, packet)))
		tracer->sent++;
	else
		tracer->unsent++;
	return (uint64_t)lb_clock_ns(CLOCK_MONOTONIC) < tracer->read_until_ns;
}

static void allow(struct tracer *tracer)
{
	const uint32_t each = (tracer->wish.rate + TICKS_A_SECOND - 1) / TICKS_A_SECOND;

	if (!datapath_trace_allow(tracer->context.datapath, each))
		tracer->limited_ms += TICK_MS;
}

static void on_tick(evutil_socket_t fd, short events, void *user)
{
	struct tracer *tracer = user;
	const int64_t now = lb_clock_ns(CLOCK_MONOTONIC);

	(void)fd;
	(void)events;
	turns_note(tracer->context.turns, "trace");
	tracer->read_until_ns = now + READ_NS;
	tracer->real_ns = lb_clock_ns(CLOCK_REALTIME) - now;
	datapath_trace_read(tracer->context.datapath, on_packet, tracer);
	if (is_enough(tracer))
		end(tracer, "count");
	else if (now / 1000000 >= tracer->ends_ms)
		end(tracer, "time");
	else
		allow(tracer);
}

static void begin(struct tracer *tracer)
{
	const struct timeval tick = {.tv_usec = TICK_MS * 1000};

	tracer->sent = tracer->unsent = tracer->limited_ms = 0;
	tracer->ends_ms = lb_now_ms() + tracer->wish.seconds * 1000ll;
	event_add(tracer->tick, &tick);
	datapath_trace_allow(tracer->context.datapath,
			     (tracer->wish.rate + TICKS_A_SECOND - 1) / TICKS_A_SECOND);
}

int tracer_start(const struct methods_context *context, const struct tracer_wish *wish,
		 struct lb_err *err)
{
	struct tracer *tracer = context->tracer;
	int error;

	if (tracer->taken) {
		lb_err_set(err, LB_ERR_LIMIT, "", "another client traces");
		return lb_err_hint(err, "try again when it has ended; one can trace at a time");
	}
	if (control_stream_open(&tracer->stream, context->peer))
		return lb_err_set(err, LB_ERR_REQUEST, "", "this connection is followed already");
	tracer->taken = true;
	tracer->context = *context;
	tracer->wish = *wish;
	error = datapath_trace_start(context->datapath, &wish->filter, err);
	if (error) {
		control_stream_close(&tracer->stream, NULL, 0);
		tracer->taken = false;
	} else {
		begin(tracer);
	}
	return error;
}

/* --- the whole --- */

int tracer_new(struct event_base *base, struct tracer **out, struct lb_err *err)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));

	if (tracer)
		tracer->tick = event_new(base, -1, EV_PERSIST, on_tick, tracer);
	if (!tracer || !tracer->tick) {
		free(tracer);
		return lb_err_no_memory(err);
	}
	tracer->stream = (struct control_stream){.gone = on_gone, .user = tracer};
	*out = tracer;
	return 0;
}

void tracer_free(struct tracer *tracer)
{
	if (!tracer)
		return;
	if (tracer->taken)
		end(tracer, "lbd");
	event_free(tracer->tick);
	free(tracer);
}
