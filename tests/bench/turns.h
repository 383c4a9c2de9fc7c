/* SPDX-License-Identifier: BSD-2-Clause */
/* How do programs take turns, so that each has the same machine?
 *
 *	lap 1: A B C  C B A    lap 2: A B C  C B A    …
 *
 * A shared machine is faster and slower by a half from one moment to the next. So a run is cut into
 * bursts of a fraction of a millisecond, within the kernel (next.bpf.c), and who comes first in one
 * half of a lap comes last in the other. What counts is the faster half of each contender's bursts:
 * in the others the kernel or the machine's owner did something else.
 */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include "cases.h"
#include "next.h"

struct next_bpf;

struct contender {
	/* Given: */
	const struct bench_case *of;
	int fd; /* of its program */
	/* Of the last run: */
	double ns; /* a packet, in the faster half of its bursts */
	uint32_t packets;
	uint64_t bytes;       /* of its frames, with what it has put around them */
	uint32_t first, last; /* indices of flows: before the first packet, of the last one */
	struct frame frame;
};

struct turns {
	struct next_bpf *next;
	struct contender *contenders;
	size_t count;
	uint32_t action; /* of the last packet of all */
};

/* 0 or -errno; to be closed in any case. The contenders are to stay where they are. */
int turns_open(struct turns *turns, struct contender *contenders, size_t count);
void turns_close(struct turns *turns);

/* Each contender has bursts of so many packets, a half of which goes before and is not timed: it
 * brings back into the caches what others have pushed out. One more packet ends the run; it is the
 * first contender's. 0 or -errno. */
int turns_run(struct turns *turns, uint32_t burst, uint32_t laps);

/* Sends each flow of a case so many times through a program, one after the other. 0 or -errno. */
int turns_send_all(const struct bench_case *of, int fd, uint32_t times);

/* The index of the flow after that one. */
uint32_t turns_index_after(uint32_t index);

#endif
