// SPDX-License-Identifier: BSD-2-Clause
/* How does the program with QUIC (bpf/quic.h) come into the balancer's place?
 *
 * It has no maps of its own: those of QUIC are the balancer's, pinned with all others. So it comes before a VIP
 * needs it, and goes when none does, and between a packet meets the same whichever stands.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "datapath_private.h"

static int load(const struct datapath *datapath, struct lb_bpf **out)
{
	const struct lb_bpf *balancer = datapath->skeleton;
	struct lb_bpf *program = *out = lb_bpf__open();
	struct lb_program_config *config;
	int error;

	if (!program)
		return -errno;
	config = (struct lb_program_config *)&program->rodata->config;
	*config = balancer->rodata->config;
	instance_choose(program->obj, config, LB_HAS_QUIC);
	mapping_without_guard(program);
	error = instance_share_maps(program->obj, balancer->obj, NULL);
	return error ? error : lb_bpf__load(program);
}

static int load_error(int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program with QUIC: %s",
		   strerror(-error));
	return lb_err_hint(err, "nothing has changed; it needs CAP_BPF, CAP_NET_ADMIN and "
				"CAP_PERFMON, and memory");
}

/* At interfaces, unless one with the guard stands there, which has QUIC, too: then it waits for that to go. */
static int change_to(struct datapath *datapath, struct lb_bpf *program)
{
	struct instances next = replace_now(datapath);

	next.with_quic = program;
	return replace_programs(datapath, &next);
}

int datapath_quic_use(struct datapath *datapath, struct lb_err *err)
{
	struct lb_bpf *program = NULL;
	int error;

	if (datapath->with_quic)
		return 0;
	instance_load_begin();
	error = load(datapath, &program);
	instance_load_end();
	if (!error)
		error = change_to(datapath, program);
	if (datapath->with_quic == program && program)
		return 0;
	lb_bpf__destroy(program);
	return load_error(error, err);
}

void datapath_quic_drop(struct datapath *datapath)
{
	struct lb_bpf *program = datapath->with_quic;

	if (!program)
		return;
	change_to(datapath, NULL);
	if (!datapath->with_quic)
		lb_bpf__destroy(program);
}

void quic_program_close(struct datapath *datapath)
{
	lb_bpf__destroy(datapath->with_quic);
	datapath->with_quic = NULL;
}
