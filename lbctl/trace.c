/* SPDX-License-Identifier: BSD-2-Clause */
/* How are packets followed? lbd sends them as they come; each is printed, or written to a file. */
#include "trace.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "args.h"
#include "client.h"
#include "params.h"
#include "pcapng.h"
#include "view.h"

#define FRAME_MAX 4096 /* bytes; lbd sends 2,048 at most */

struct trace {
	const struct invocation *invocation;
	struct output *output;
	struct pcapng *pcapng; /* NULL: packets are printed */
};

/* --- what is asked for --- */

static int add_number(const struct invocation *invocation, const char *option, const char *field,
		      json_t *params, struct lb_err *err)
{
	const char *text = invocation_option(invocation, option);
	long long number;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (!*text || *end || errno)
		return lb_err_set(err, LB_ERR_USAGE, "", "--%s must be a number, not \"%s\"",
				  option, text);
	return json_object_set_new(params, field, json_integer(number));
}

static int add_text(const struct invocation *invocation, const char *option, const char *field,
		    json_t *params, struct lb_err *err)
{
	const char *text = invocation_option(invocation, option);

	if (text && json_object_set_new(params, field, json_string(text)))
		return lb_err_set(err, LB_ERR_USAGE, "", "--%s is not valid UTF-8", option);
	return 0;
}

static int add_seconds(const struct invocation *invocation, json_t *params, struct lb_err *err)
{
	long long seconds = 0;
	int ret = params_duration(invocation, "for", &seconds, err);

	if (!ret && invocation_option(invocation, "for"))
		json_object_set_new(params, "seconds", json_integer(seconds));
	return ret;
}

int trace_params(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	static const struct {
		const char *option, *field;
		int (*add)(const struct invocation *invocation, const char *option,
			   const char *field, json_t *params, struct lb_err *err);
	} options[] = {
		{"vip", "vip", add_text},         {"backend", "backend", add_text},
		{"src", "source", add_text},      {"dst", "destination", add_text},
		{"proto", "protocol", add_text},  {"verdict", "verdict", add_text},
		{"iface", "interface", add_text}, {"port", "port", add_number},
		{"sample", "sample", add_number}, {"snap", "snap", add_number},
		{"rate", "rate", add_number},     {"count", "count", add_number},
	};
	int ret = 0;

	*params = json_object();
	for (size_t i = 0; !ret && i < sizeof(options) / sizeof(*options); i++)
		ret = options[i].add(invocation, options[i].option, options[i].field, *params, err);
	return ret ? ret : add_seconds(invocation, *params, err);
}

/* --- what comes --- */

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : 0;
}

static uint32_t read_hex(const char *hex, uint8_t *out)
{
	uint32_t count = 0;

	for (; hex[0] && hex[1] && count < FRAME_MAX; hex += 2)
		out[count++] = digit(hex[0]) << 4 | digit(hex[1]);
	return count;
}

/* "2026-01-31T12:00:00.123456789Z". */
static uint64_t read_time(const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);

	return (uint64_t)timegm(&parts) * 1000000000 +
	       (rest && *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0);
}

static void comment(const json_t *packet, char out[PCAPNG_COMMENT])
{
	const char *vip = json_string_value(json_object_get(packet, "vip"));
	const char *backend = json_string_value(json_object_get(packet, "backend"));
	char list[32] = "";

	if (json_object_get(packet, "hops"))
		snprintf(list, sizeof(list), " and a list of %lld more",
			 view_integer(packet, "hops"));
	snprintf(out, PCAPNG_COMMENT, "verdict %s (%s)%s%s%s%s%s", view_text(packet, "verdict"),
		 view_text(packet, "action"), vip ? ", VIP " : "", vip ? vip : "",
		 backend ? ", backend " : "", backend ? backend : "", list);
}

static void write_frame(const struct trace *trace, const json_t *packet, const json_t *frame,
			const char *interface, bool outbound)
{
	uint8_t bytes[FRAME_MAX];
	struct pcapng_frame written = {
		.interface = interface,
		.outbound = outbound,
		.time_ns = read_time(view_text(packet, "time")),
		.bytes = bytes,
		.kept = read_hex(view_text(frame, "bytes"), bytes),
		.length = (uint32_t)view_integer(frame, "length"),
	};

	comment(packet, written.comment);
	pcapng_write(trace->pcapng, &written);
}

/* As it came in, and as it goes out. */
static bool write_packet(const struct trace *trace, const json_t *packet)
{
	const json_t *sent = json_object_get(packet, "out");

	write_frame(trace, packet, json_object_get(packet, "frame"), view_text(packet, "interface"),
		    false);
	if (sent)
		write_frame(trace, packet, sent, view_text(sent, "interface"), true);
	return !fflush(trace->pcapng->file);
}

static bool print_line(const struct trace *trace, const json_t *line)
{
	FILE *out = trace->output->out;

	if (trace->invocation->json) {
		json_dumpf(line, out, JSON_COMPACT);
		fputc('\n', out);
	} else {
		view_traced(out, line);
	}
	output_flush(trace->output);
	return trace->output->error == 0;
}

/* The last line is for who waits for it: where packets go it would not be one of them. */
static void print_end(const struct trace *trace, const json_t *end)
{
	if (trace->invocation->json && !trace->pcapng)
		print_line(trace, end);
	else
		view_trace_end(stderr, end);
}

static bool take_line(void *user, const json_t *line)
{
	const struct trace *trace = user;

	if (!line) /* no notification */
		return true;
	if (json_object_get(line, "ended")) {
		print_end(trace, line);
		return false;
	}
	return trace->pcapng ? write_packet(trace, line) : print_line(trace, line);
}

/* --- where it goes --- */

static int follow(struct trace *trace, struct lb_err *err)
{
	const struct invocation *invocation = trace->invocation;
	json_auto_t *params = NULL;

	if (trace_params(invocation, &params, err))
		return -EINVAL;
	return client_stream(invocation->socket, CLIENT_TIMEOUT_S, invocation->command->method,
			     params, take_line, trace, err);
}

static int cannot_write(const char *name, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot write %s: %s", name, strerror(errno));
}

static int follow_to_file(struct trace *trace, const char *name, struct lb_err *err)
{
	FILE *file = strcmp(name, "-") ? fopen(name, "we") : stdout;
	int ret;

	if (!file)
		return cannot_write(name, err);
	pcapng_begin(trace->pcapng, file);
	ret = fflush(file) ? cannot_write(name, err) : follow(trace, err);
	if (!ret && ferror(file))
		ret = cannot_write(name, err);
	if (file != stdout)
		fclose(file);
	return ret;
}

enum exit_code trace_run(const struct invocation *invocation, struct output *output)
{
	const char *name = invocation_option(invocation, "write");
	struct trace trace = {.invocation = invocation, .output = output};
	static struct pcapng pcapng;
	struct lb_err err = {0};
	int ret;

	if (name)
		trace.pcapng = &pcapng;
	ret = name ? follow_to_file(&trace, name, &err) : follow(&trace, &err);
	return ret ? output_error(output, invocation, &err) : EXIT_DONE;
}
