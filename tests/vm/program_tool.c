// SPDX-License-Identifier: BSD-2-Clause
/* What does this kernel make of our programs? A line for each: its name, the instructions that the
 * verifier went through, and the size in bytes as translated and as compiled by the JIT.
 *
 *   program_tool FILE.bpf.o…
 *
 * The balancer comes first, and what traces in its place, then both with QUIC, and with the guard, loaded by the
 * daemon's own code with default settings, since settings decide how much of them the verifier keeps; then the
 * programs of the files.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lbd/host/config.h"
#include "../../lbd/plane/datapath.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/trace.h"

static int print_program(const char *name, int fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size)) {
		fprintf(stderr, "%s: the kernel gives no information: %s\n", name, strerror(errno));
		return -errno;
	}
	printf("%s %u %u %u\n", name, info.verified_insns, info.xlated_prog_len,
	       info.jited_prog_len);
	return 0;
}

/* With a filter that keeps all of it. */
static int print_trace(struct datapath *datapath)
{
	const struct lb_trace_filter filter = {
		.verdicts = 1,
		.every = 1000,
		.snap = 128,
		.ifindex = 1,
		.has_backend = 1,
		.family = 4,
		.protocol = 6,
		.port = 1,
	};
	struct lb_err err = {};
	int status = datapath_trace_start(datapath, &filter, &err);

	if (status)
		fprintf(stderr, "trace: %s %s\n", err.message, err.hint);
	else
		status = print_program("trace", datapath_program_fd(datapath));
	datapath_trace_stop(datapath);
	return status;
}

static int print_with_quic(struct datapath *datapath)
{
	struct lb_err err = {};
	int status = datapath_quic_use(datapath, &err);

	if (status)
		fprintf(stderr, "lb_quic: %s %s\n", err.message, err.hint);
	else
		status = print_program("lb_quic", datapath_program_fd(datapath));
	if (!status)
		status = print_trace(datapath);
	return status;
}

static int print_guarded(struct datapath *datapath)
{
	struct lb_err err = {};
	int status = datapath_guard_use(datapath, GUARD_LISTS, &err);

	if (status)
		fprintf(stderr, "lb_guarded: %s %s\n", err.message, err.hint);
	else
		status = print_program("lb_guarded", datapath_program_fd(datapath));
	if (!status)
		status = print_trace(datapath);
	return status;
}

static int print_balancer(void)
{
	json_auto_t *document = json_pack("{s:[s]}", "interfaces", "lo");
	struct datapath_options options = {};
	struct datapath *datapath = NULL;
	struct config config;
	struct lb_err err = {};
	int status;

	status = schema_read(&config_schema, document, &config, &err);
	if (!status) {
		options.vips = config.vips;
		options.members = config.members;
		options.slots = config.slots;
		options.flows = config.flows;
		options.answer_rate = config.answer_rate;
		options.vip_counters = config.vip_counters;
		options.seed[0] = options.seed[1] = 1;
		status = datapath_open(&options, &datapath, &err);
	}
	if (status) {
		fprintf(stderr, "lb: %s %s\n", err.message, err.hint);
		return status;
	}
	status = print_program("lb", datapath_program_fd(datapath));
	if (!status)
		status = print_trace(datapath);
	if (!status)
		status = print_with_quic(datapath);
	if (!status)
		status = print_guarded(datapath);
	datapath_close(datapath);
	return status;
}

static int complain(const char *path, const char *what, int status)
{
	char text[128];

	libbpf_strerror(status, text, sizeof(text));
	fprintf(stderr, "%s %s: %s\n", path, what, text);
	return status;
}

static int print_file(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program = NULL;
	int status;

	if (!object)
		return complain(path, "cannot be read", -errno);
	status = bpf_object__load(object);
	if (status)
		complain(path, "does not load", status);
	while (!status && (program = bpf_object__next_program(object, program)))
		if (bpf_program__autoload(program))
			status =
				print_program(bpf_program__name(program), bpf_program__fd(program));
	bpf_object__close(object);
	return status;
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	failed |= print_balancer() != 0;
	for (i = 1; i < argc; i++)
		failed |= print_file(argv[i]) != 0;
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
