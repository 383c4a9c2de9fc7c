/* SPDX-License-Identifier: BSD-2-Clause */
/* Does forwarding go on while lbd does not answer? */
#ifndef LBCTL_FORWARDING_H
#define LBCTL_FORWARDING_H

#include <jansson.h>
#include <stdbool.h>

struct forwarding {
	enum {
		FORWARDING_ATTACHED,
		FORWARDING_NONE,   /* nothing is pinned */
		FORWARDING_UNKNOWN /* it cannot be seen from here */
	} state;
	json_t *interfaces; /* their names; to be released */
	char sentence[256]; /* for the operator: follows "…;" */
};

/* Looks at the pins of the lbd whose socket that is. False: it is not known where they are, since
 * lbd.json names another socket. */
bool forwarding_look(const char *socket, struct forwarding *out);
json_t *forwarding_to_json(const struct forwarding *forwarding);

#endif
