/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend is told in its one file, lbd-backend.json. */
#ifndef BACKEND_CONFIG_H
#define BACKEND_CONFIG_H

#include <net/if.h>
#include "../api/addr.h"

#define BACKEND_CONFIG_DEFAULT "/etc/lbd-backend/backend.json"
#define BACKEND_INTERFACES_MAX 16
#define BACKEND_PREFIXES_MAX 256
#define BACKEND_PATH 256

enum decapsulation { DECAPSULATION_PROGRAM, DECAPSULATION_KERNEL };

struct prefixes {
	size_t count;
	struct lb_prefix prefix[BACKEND_PREFIXES_MAX];
};

struct names {
	size_t count;
	char name[BACKEND_INTERFACES_MAX][IF_NAMESIZE];
};

struct backend_config {
	struct names interfaces;
	struct prefixes vips;
	struct prefixes balancers;
	struct prefixes backends;
	uint32_t decapsulation;          /* enum decapsulation */
	char guard_secret[BACKEND_PATH]; /* "": no connections are made from cookies */
};

int backend_config_load(const char *path, struct backend_config *out, struct lb_err *err);

#endif
