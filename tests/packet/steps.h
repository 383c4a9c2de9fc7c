/* SPDX-License-Identifier: BSD-2-Clause */
/* How many BPF instructions does a packet take?
 *
 * Runs a program as the compiler has made it, instruction by instruction, over the maps of the kernel. What a helper
 * does is not counted. Only what plain packets need is here: a program that needs more ends the test.
 */
#ifndef STEPS_H
#define STEPS_H

#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "frame.h"

struct steps;
struct datapath;

/* Of a program that is loaded. Maps that are arrays are its own, each CPU's counters are others. */
struct steps *steps_new(const struct bpf_object *object, const struct bpf_program *program);
void steps_free(struct steps *steps); /* NULL is fine */

/* steps_programs.c: of the balancer, and of the program with QUIC (datapath_quic_use); NULL: that is not there. */
struct steps *steps_of_balancer(const struct datapath *datapath);
struct steps *steps_with_quic(const struct datapath *datapath);

/* Gives the XDP action; how many instructions in *count. */
int steps_run(struct steps *steps, const struct frame *in, struct frame *out, size_t *count);

#endif
