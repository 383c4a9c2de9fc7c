// SPDX-License-Identifier: BSD-2-Clause
/* Whose instructions are counted? Those of programs as lbd has loaded them. */
#include "../../lbd/plane/datapath_private.h"
#include "steps.h"

struct steps *steps_of_balancer(const struct datapath *datapath)
{
	return steps_new(datapath->skeleton->obj, datapath->skeleton->progs.lb);
}

struct steps *steps_with_quic(const struct datapath *datapath)
{
	const struct lb_bpf *program = datapath->with_quic;

	return program ? steps_new(program->obj, program->progs.lb_quic) : NULL;
}
