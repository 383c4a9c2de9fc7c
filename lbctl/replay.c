/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of the packets of a capture file, all together? lbd says it of each, in batches;
 * here they are added up. */
#include "replay.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "args.h"
#include "client.h"
#include "params.h"
#include "pcap.h"

#define BATCH_FRAMES 4096
#define BATCH_BYTES (1u << 20)
#define FRAME_MIN 14
#define FLOWS_MAX 1000000 /* that are told apart */

struct replay {
	const struct invocation *invocation;
	struct pcap pcap;
	json_t *params;                  /* of the next batch; its frames are `frames` */
	json_t *frames, *lengths;        /* of the batch */
	json_t *vips, *verdicts, *moves; /* by name, by name, by both ends: what there is of them */
	json_t *flows;                   /* those that were seen, by their text */
	uint64_t bytes_of_batch;
	long long frame_count, byte_count, short_count, cut_count, left_out;
	bool simulated;
	struct lb_err damage; /* no message: the file is whole */
};

/* --- adding up --- */

static json_t *entry(json_t *all, const char *key)
{
	json_t *found = json_object_get(all, key);

	if (!found) {
		found = json_object();
		json_object_set_new(all, key, found);
	}
	return found;
}

static void add(json_t *object, const char *field, long long count)
{
	json_object_set_new(
		object, field,
		json_integer(json_integer_value(json_object_get(object, field)) + count));
}

static void count(json_t *object, long long length, bool new_flow)
{
	add(object, "packets", 1);
	add(object, "bytes", length);
	add(object, "flows", new_flow);
}

static const char *text_of(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

/* Whether this is its first packet; beyond FLOWS_MAX flows that is not known. What has no ports, as ICMP messages,
 * is of no flow. */
static bool is_new_flow(struct replay *replay, const json_t *packet)
{
	char key[160];

	if (!json_object_get(packet, "source_port") || json_object_size(replay->flows) >= FLOWS_MAX)
		return false;
	snprintf(key, sizeof(key), "%s %lld %s %lld %s", text_of(packet, "source"),
		 number_of(packet, "source_port"), text_of(packet, "destination"),
		 number_of(packet, "destination_port"), text_of(packet, "protocol"));
	if (json_object_get(replay->flows, key))
		return false;
	json_object_set_new(replay->flows, key, json_true());
	return true;
}

static void count_move(struct replay *replay, const json_t *frame, long long length, bool new_flow)
{
	const json_t *before = json_object_get(frame, "before");
	const json_t *after = json_object_get(frame, "after");
	char key[256];
	json_t *move;

	if (!before || json_equal(before, after))
		return;
	snprintf(key, sizeof(key), "%s %s %s %s", text_of(before, "vip"),
		 text_of(before, "backend"), text_of(after, "vip"), text_of(after, "backend"));
	move = entry(replay->moves, key);
	json_object_set(move, "from", (json_t *)before);
	json_object_set(move, "to", (json_t *)after);
	count(move, length, new_flow);
}

static void count_frame(struct replay *replay, const json_t *frame, long long length)
{
	const json_t *verdict = json_object_get(frame, "verdict");
	const bool new_flow = is_new_flow(replay, json_object_get(frame, "packet"));
	json_t *of_verdict = entry(replay->verdicts, text_of(verdict, "name"));

	json_object_update_missing(of_verdict, (json_t *)verdict);
	count(of_verdict, length, new_flow);
	count_move(replay, frame, length, new_flow);
	if (json_object_get(frame, "vip")) {
		json_t *vip = entry(replay->vips, text_of(frame, "vip"));

		count(vip, length, new_flow);
		if (json_object_get(frame, "backend"))
			count(entry(entry(vip, "backends"), text_of(frame, "backend")), length,
			      new_flow);
	}
}

/* --- batches --- */

static int send_batch(struct replay *replay, struct lb_err *err)
{
	const struct invocation *invocation = replay->invocation;
	json_auto_t *result = NULL;
	const json_t *frame;
	size_t i;

	if (!json_array_size(replay->frames))
		return 0;
	if (client_call(invocation->socket, CLIENT_TIMEOUT_S, invocation->command->method,
			replay->params, &result, err))
		return -EINVAL;
	replay->simulated = json_is_true(json_object_get(result, "simulated"));
	json_array_foreach (json_object_get(result, "frames"), i, frame)
		count_frame(replay, frame, json_integer_value(json_array_get(replay->lengths, i)));
	json_array_clear(replay->frames);
	json_array_clear(replay->lengths);
	replay->bytes_of_batch = 0;
	return 0;
}

static json_t *frame_hex(const struct pcap *pcap)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * (size_t)pcap->length + 1);
	json_t *text = NULL;

	if (!hex)
		return NULL;
	for (uint32_t i = 0; i < pcap->length; i++) {
		hex[2 * i] = digits[pcap->frame[i] >> 4];
		hex[2 * i + 1] = digits[pcap->frame[i] & 15];
	}
	text = json_stringn(hex, 2 * (size_t)pcap->length);
	free(hex);
	return text;
}

static int take_frame(struct replay *replay, struct lb_err *err)
{
	const struct pcap *pcap = &replay->pcap;

	replay->frame_count++;
	replay->left_out += pcap->fault != NULL;
	if (pcap->fault)
		return 0;
	replay->byte_count += pcap->length;
	replay->cut_count += pcap->kept < pcap->length;
	if (pcap->length < FRAME_MIN) {
		replay->short_count++;
		return 0;
	}
	if (json_array_append_new(replay->frames, frame_hex(pcap)) ||
	    json_array_append_new(replay->lengths, json_integer(pcap->length)))
		return lb_err_no_memory(err);
	replay->bytes_of_batch += pcap->length;
	if (json_array_size(replay->frames) < BATCH_FRAMES && replay->bytes_of_batch < BATCH_BYTES)
		return 0;
	return send_batch(replay, err);
}

static int take_file(struct replay *replay, struct lb_err *err)
{
	int status = pcap_open(&replay->pcap, replay->invocation->arguments[0], err);

	if (status)
		return status;
	while (pcap_next(&replay->pcap, &replay->damage) > 0)
		if (take_frame(replay, err))
			return -EINVAL;
	return send_batch(replay, err);
}

/* --- the whole --- */

static json_t *list(const json_t *by_name, const char *field)
{
	json_t *array = json_array(), *value;
	const char *name;

	json_object_foreach ((json_t *)by_name, name, value) {
		json_t *backends = json_object_get(value, "backends");

		if (field)
			json_object_set_new(value, field, json_string(name));
		if (backends)
			json_object_set_new(value, "backends", list(backends, "address"));
		json_array_append(array, value);
	}
	return array;
}

static json_t *sum(const struct replay *replay)
{
	return json_pack(
		"{s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:s*, s:o*, s:o, s:o, s:o*}", "packets",
		(json_int_t)replay->frame_count, "bytes", (json_int_t)replay->byte_count, "flows",
		(json_int_t)json_object_size(replay->flows), "more_flows",
		json_object_size(replay->flows) >= FLOWS_MAX, "cut_off",
		(json_int_t)replay->cut_count, "too_short", (json_int_t)replay->short_count,
		"left_out", (json_int_t)replay->left_out, "sent", (json_int_t)replay->pcap.sent,
		"damaged", *replay->damage.message ? replay->damage.message : NULL, "simulated",
		replay->simulated ? json_true() : NULL, "vips", list(replay->vips, "name"),
		"verdicts", list(replay->verdicts, "name"), "moves",
		json_object_get(replay->params, "document") ? list(replay->moves, NULL) : NULL);
}

static int make_params(struct replay *replay, struct lb_err *err)
{
	const char *file = invocation_option(replay->invocation, "document");
	const char *interface = invocation_option(replay->invocation, "iface");
	json_t *document;

	replay->params = json_pack("{s:O, s:s*}", "frames", replay->frames, "interface", interface);
	if (!replay->params)
		return lb_err_no_memory(err);
	if (!file)
		return 0;
	if (params_read_file(file, &document, err))
		return -EINVAL;
	return json_object_set_new(replay->params, "document", document);
}

static struct replay *replay_new(const struct invocation *invocation)
{
	struct replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return NULL;
	replay->invocation = invocation;
	replay->frames = json_array();
	replay->lengths = json_array();
	replay->vips = json_object();
	replay->verdicts = json_object();
	replay->moves = json_object();
	replay->flows = json_object();
	return replay;
}

static void replay_free(struct replay *replay)
{
	pcap_close(&replay->pcap);
	json_decref(replay->params);
	json_decref(replay->frames);
	json_decref(replay->lengths);
	json_decref(replay->vips);
	json_decref(replay->verdicts);
	json_decref(replay->moves);
	json_decref(replay->flows);
	free(replay);
}

enum exit_code replay_run(const struct invocation *invocation, struct output *output)
{
	struct replay *replay = replay_new(invocation);
	json_auto_t *result = NULL;
	struct lb_err err = {0};
	int status = replay ? make_params(replay, &err) : lb_err_no_memory(&err);

	if (!status)
		status = take_file(replay, &err);
	if (!status)
		result = sum(replay);
	if (replay)
		replay_free(replay);
	if (status)
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return json_object_get(result, "damaged") ? EXIT_REFUSED : EXIT_DONE;
}
