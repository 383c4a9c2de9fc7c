/* SPDX-License-Identifier: BSD-2-Clause */
/* Does this lbd balance, or simulate it? The program lbd-simulate is lbd with the modules of
 * lbd/simulate/ in the place of those that touch the kernel; "lbd --simulate" becomes it. */
#ifndef LB_HOST_SIMULATION_H
#define LB_HOST_SIMULATION_H

#include <stdbool.h>
#include <stdint.h>
#include "../api/addr.h"
#include "../api/err.h"
#include "config.h"

#define SIMULATION_RATE 1000u /* packets a second */
#define SIMULATION_RATE_MAX 1000000u

struct simulation_options {
	const char *services; /* a file with the service document; NULL: it is empty */
	const char *socket;   /* NULL: lbd-simulate.sock in the present folder */
	uint32_t rate;        /* of synthetic traffic, packets a second */
};

bool simulation_is_on(void);
/* Where it is not on: becomes the program that simulates, with these arguments; it returns only if
 * that fails. Where it is: makes the configuration one that needs no rights. */
int simulation_begin(char **argv, const struct simulation_options *options, struct config *config,
		     struct lb_err *err);
/* Checks of a backend fail from now on, or succeed again. Refused where it is not on. */
int simulation_fail(const struct lb_addr *backend, bool fails, struct lb_err *err);

#endif
