/* SPDX-License-Identifier: BSD-2-Clause */
/* Where do results and errors go? */
#include "output.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "args.h"
#include "forwarding.h"

struct output_format {
	void (*result)(FILE *out, const struct invocation *invocation, const json_t *result);
	/* `forwarding` may be NULL. */
	void (*error)(FILE *out, const struct invocation *invocation, const struct lb_err *err,
		      const struct forwarding *forwarding);
};

static void text_result(FILE *out, const struct invocation *invocation, const json_t *result)
{
	invocation->command->view(out, invocation, result);
}

static void text_error(FILE *out, const struct invocation *invocation, const struct lb_err *err,
		       const struct forwarding *forwarding)
{
	char usage[USAGE_TEXT];

	(void)out;
	fprintf(stderr, "lbctl: %s", err->message);
	if (err->path[0])
		fprintf(stderr, " (at %s)", err->path);
	fprintf(stderr, "%s%s\n", forwarding ? "; " : "", forwarding ? forwarding->sentence : "");
	if (err->hint[0])
		fprintf(stderr, "  hint: %s\n", err->hint);
	if (err->code == LB_ERR_USAGE && invocation->command)
		fprintf(stderr, "  usage: lbctl %s\n",
			command_usage(invocation->command, usage, sizeof(usage)));
}

/* 15 digits give back any decimal number of up to 15 digits as it was received; jansson's 17
 * turn 33.33 into 33.329999999999998. */
static void print_json(FILE *out, const json_t *value)
{
	json_dumpf(value, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
	fputc('\n', out);
}

/* On standard error, so that what is printed can still be read by programs. */
static void tell_simulation(const json_t *result)
{
	if (json_is_true(json_object_get(result, "simulated")))
		fprintf(stderr, "lbctl: this lbd simulates: no packet is balanced\n");
}

static void json_result(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	print_json(out, result);
}

static void json_error(FILE *out, const struct invocation *invocation, const struct lb_err *err,
		       const struct forwarding *forwarding)
{
	struct lb_err shown = *err;
	char usage[USAGE_TEXT];
	json_auto_t *object = NULL;

	if (err->code == LB_ERR_USAGE && invocation->command && !err->hint[0])
		lb_err_hint(&shown, "usage: lbctl %s",
			    command_usage(invocation->command, usage, sizeof(usage)));
	object = json_pack("{s:o*, s:o*}", "error", lb_err_to_json(&shown), "forwarding",
			   forwarding ? forwarding_to_json(forwarding) : NULL);
	print_json(out, object);
}

static const struct output_format text_format = {text_result, text_error};
static const struct output_format json_format = {json_result, json_error};

int output_open(struct output *output, bool json)
{
	output->format = json ? &json_format : &text_format;
	output->out = open_memstream(&output->text, &output->size);
	if (output->out)
		return 0;
	fprintf(stderr, "lbctl: out of memory\n");
	return -ENOMEM;
}

void output_result(struct output *output, const struct invocation *invocation, const json_t *result)
{
	output->format->result(output->out, invocation, result);
	tell_simulation(result);
}

enum exit_code output_error(struct output *output, const struct invocation *invocation,
			    const struct lb_err *err)
{
	struct forwarding forwarding = {0};
	bool known =
		err->code == LB_ERR_UNREACHABLE && forwarding_look(invocation->socket, &forwarding);

	output->format->error(output->out, invocation, err, known ? &forwarding : NULL);
	json_decref(forwarding.interfaces);
	if (err->code == LB_ERR_USAGE)
		return EXIT_USAGE;
	return err->code == LB_ERR_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_REFUSED;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

void output_flush(struct output *output)
{
	int status = fflush(output->out) ? -errno : 0;

	if (status == 0)
		status = write_all(STDOUT_FILENO, output->text, output->size);
	rewind(output->out); /* what was written is let go of */
	if (output->error == 0)
		output->error = status;
}

enum exit_code output_close(struct output *output, enum exit_code code)
{
	if (!output->out)
		return code;
	output_flush(output);
	fclose(output->out);
	free(output->text);
	if (output->error == 0 || output->error == -EPIPE)
		return code;
	fprintf(stderr, "lbctl: cannot write to standard output: %s\n", strerror(-output->error));
	return EXIT_REFUSED;
}
