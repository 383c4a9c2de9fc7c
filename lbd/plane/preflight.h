/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with this machine, in plain words, before anything is loaded. */
#ifndef LB_PREFLIGHT_H
#define LB_PREFLIGHT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "../host/config.h"
#include "../route/links.h"
#include "nic.h"

/* Appends a sentence to `warnings` for every problem that does not stop lbd (JIT off, no BTF,
 * LRO on, interface missing or down, an MTU that leaves no room for the outer header, …). Fails,
 * with what to do in err->hint, where lbd cannot run: a capability is missing, another XDP program
 * is attached, no bpffs at pin_dir and it cannot be mounted. */
int preflight_check(const struct config *config, json_t *warnings, struct lb_err *err);

/* --- its two halves: looking (preflight_facts.c) and judging (preflight.c, pure) --- */

struct preflight_link {
	struct link_info is;
	bool other_program; /* has an XDP program, and it is not an earlier lbd's */
	bool lro;           /* known only for configured interfaces and their ports */
	struct nic nic;     /* the same */
};

struct preflight_facts {
	uint64_t capabilities; /* effective, 1 << CAP_* */
	bool root;             /* user 0, which need not mean much in a container */
	int bpf_fault;         /* 0: a map could be made; else errno */
	int jit;               /* bpf_jit_enable; -1: unknown */
	bool btf;
	unsigned int kernel_major, kernel_minor;
	struct preflight_link *links; /* all of this network namespace; owned */
	size_t link_count;
	uint32_t cpus;   /* that are online */
	int links_fault; /* errno: they could not be listed, and none is known */
	/* 0: it is, or can be made, on a bpffs; ENOTSUP: on something else; other errno: of the
	 * mount. */
	int pin_dir_fault;
	int state_dir_fault; /* 0: lbd can write there; else errno */
};

/* Looks, and on the way makes what lbd needs and can make: state_dir, a bpffs at /sys/fs/bpf. */
void preflight_look(const struct config *config, struct preflight_facts *out);
/* The same for an lbd that runs: makes nothing. */
void preflight_look_only(const struct config *config, struct preflight_facts *out);
void preflight_facts_clear(struct preflight_facts *facts);
int preflight_judge(const struct config *config, const struct preflight_facts *facts,
		    json_t *warnings, struct lb_err *err);
/* Of an lbd that runs: what would stop a start is a warning, too. Interfaces that are gone, and
 * what else is attached to one, are passed over. */
void preflight_judge_running(const struct config *config, const struct preflight_facts *facts,
			     json_t *warnings);

#endif
