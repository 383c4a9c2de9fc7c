/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a packet? */
#include "explain.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "args.h"
#include "client.h"
#include "pcap.h"

#define FRAMES 10 /* of a capture file, unless told otherwise */

static int usage(struct lb_err *err, const char *text)
{
	return lb_err_set(err, LB_ERR_USAGE, "", "%s", text);
}

static int read_number(const struct invocation *invocation, const char *name, long least,
		       long *number, struct lb_err *err)
{
	const char *text = invocation_option(invocation, name);
	char *end;

	if (!text)
		return 0;
	errno = 0;
	*number = strtol(text, &end, 10);
	if (*text && !*end && !errno && *number >= least)
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "", "--%s must be a number from %ld on, not \"%s\"",
			  name, least, text);
}

/* --- one packet --- */

/* What goes with a described packet as with a captured one. */
static void add_interface(const struct invocation *invocation, json_t *params)
{
	const char *interface = invocation_option(invocation, "iface");

	if (interface)
		json_object_set_new(params, "interface", json_string(interface));
}

static json_t *describe(const struct invocation *invocation, struct lb_err *err)
{
	json_t *params = json_pack("{s:s, s:s}", "source", invocation->arguments[0], "destination",
				   invocation->arguments[1]);
	long length = 0;

	if (!params)
		usage(err, "an argument is not valid UTF-8");
	if (!params || read_number(invocation, "len", 1, &length, err)) {
		json_decref(params);
		return NULL;
	}
	if (length)
		json_object_set_new(params, "length", json_integer(length));
	if (invocation_option(invocation, "ack"))
		json_object_set_new(params, "opens", json_false());
	return params;
}

static int ask(const struct invocation *invocation, json_t *params, json_t **result,
	       struct lb_err *err)
{
	if (!params)
		return -EINVAL;
	add_interface(invocation, params);
	return client_call(invocation->socket, CLIENT_TIMEOUT_S, invocation->command->method,
			   params, result, err);
}

static int explain_one(const struct invocation *invocation, json_t **result, struct lb_err *err)
{
	const char *hex = invocation_option(invocation, "hex");
	json_auto_t *params = hex ? json_pack("{s:s}", "frame", hex) : describe(invocation, err);

	return ask(invocation, params, result, err);
}

/* --- a capture file --- */

static json_t *frame_params(const struct pcap *pcap)
{
	char *hex = malloc(2 * (size_t)pcap->length + 1);
	json_t *params = NULL;

	if (hex) {
		hex[0] = '\0';
		for (uint32_t i = 0; i < pcap->length; i++)
			snprintf(hex + 2 * i, 3, "%02x", pcap->frame[i]);
		params = json_pack("{s:s}", "frame", hex);
	}
	free(hex);
	return params;
}

/* Whether lbd answers, and to other frames may answer otherwise. */
static bool is_about_frame(const struct lb_err *err)
{
	return err->code == LB_ERR_PARAMS || err->code == LB_ERR_SYSTEM;
}

/* What becomes of a frame, or why that is not said. */
static int explain_frame(const struct invocation *invocation, const struct pcap *pcap,
			 json_t **result, struct lb_err *err)
{
	json_auto_t *params = NULL;
	struct lb_err refused = {0};
	const char *why = pcap->fault;

	if (!why) {
		params = frame_params(pcap);
		if (!ask(invocation, params, result, &refused))
			return 0;
		why = refused.message;
	}
	if (refused.code && !is_about_frame(&refused)) {
		*err = refused;
		return -EINVAL;
	}
	*result = json_pack("{s:s}", "error", why);
	return *result ? 0 : lb_err_no_memory(err);
}

static void add_frame(json_t *all, const struct pcap *pcap, json_t *frame)
{
	json_object_set_new(frame, "number", json_integer(pcap->number));
	if (pcap->kept < pcap->length)
		json_object_set_new(frame, "cut_off",
				    json_pack("{s:I, s:I}", "kept", (json_int_t)pcap->kept, "of",
					      (json_int_t)pcap->length));
	if (json_object_get(frame, "simulated"))
		json_object_set_new(all, "simulated", json_true());
	json_object_del(frame, "simulated");
	json_array_append_new(json_object_get(all, "frames"), frame);
}

/* What there is before the file is damaged is explained. */
static int explain_frames(const struct invocation *invocation, struct pcap *pcap, long count,
			  json_t *all, struct lb_err *err)
{
	struct lb_err damage = {0};
	int status = 1;

	for (long i = 0; i < count && status > 0; i++) {
		json_t *result;

		status = pcap_next(pcap, &damage);
		if (status > 0 && explain_frame(invocation, pcap, &result, err))
			return -EINVAL;
		if (status > 0)
			add_frame(all, pcap, result);
	}
	if (status < 0)
		json_object_set_new(all, "damaged", json_string(damage.message));
	return 0;
}

static int explain_file(const struct invocation *invocation, json_t **result, struct lb_err *err)
{
	struct pcap *pcap = malloc(sizeof(*pcap));
	long count = FRAMES;
	int status = -EINVAL;

	if (!pcap)
		return lb_err_no_memory(err);
	*result = json_pack("{s:[]}", "frames");
	pcap->file = NULL;
	if (!read_number(invocation, "count", 1, &count, err) &&
	    !pcap_open(pcap, invocation_option(invocation, "pcap"), err))
		status = explain_frames(invocation, pcap, count, *result, err);
	pcap_close(pcap);
	free(pcap);
	return status;
}

/* --- */

/* One of three: SRC and DST, a frame, a file. */
static int check_words(const struct invocation *invocation, struct lb_err *err)
{
	const bool described = invocation->arguments[0] != NULL;
	const bool hex = invocation_option(invocation, "hex") != NULL;
	const bool file = invocation_option(invocation, "pcap") != NULL;
	const bool details = invocation_option(invocation, "syn") ||
			     invocation_option(invocation, "ack") ||
			     invocation_option(invocation, "len");

	if (described + hex + file != 1)
		return usage(err, "explain needs SRC and DST, or --hex, or --pcap");
	if (described && !invocation->arguments[1])
		return usage(err, "explain needs DST beside SRC");
	if (!described && details)
		return usage(err, "--syn, --ack and --len are for SRC and DST");
	if (!file && invocation_option(invocation, "count"))
		return usage(err, "--count is for --pcap");
	if (invocation_option(invocation, "syn") && invocation_option(invocation, "ack"))
		return usage(err, "either --syn or --ack");
	return 0;
}

/* Something that was asked for is not explained. */
static bool lacks(const json_t *result)
{
	const json_t *frame;
	size_t i;

	json_array_foreach (json_object_get(result, "frames"), i, frame)
		if (json_object_get(frame, "error"))
			return true;
	return json_object_get(result, "damaged") != NULL;
}

enum exit_code explain_run(const struct invocation *invocation, struct output *output)
{
	json_auto_t *result = NULL;
	struct lb_err err = {0};
	int status = check_words(invocation, &err);

	if (!status)
		status = invocation_option(invocation, "pcap")
				 ? explain_file(invocation, &result, &err)
				 : explain_one(invocation, &result, &err);
	if (status)
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return lacks(result) ? EXIT_REFUSED : EXIT_DONE;
}
