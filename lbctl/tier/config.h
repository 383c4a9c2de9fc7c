/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a node belong to a tier? tier.json, read at start and by each lbctl tier:
 *
 *   {"tier": "edge", "endpoints": ["https://etcd1.example:2379"],
 *    "node": "lb1", "canary": false, "agree_health": true,
 *    "ca_file": "/etc/lbd/etcd-ca.pem", "cert_file": "…", "key_file": "…",
 *    "user": "lbd", "password_file": "/etc/lbd/etcd-password",
 *    "socket": "/run/lbd/lbd.sock", "interval_s": 1, "lease_s": 30, "max_moved_percent": 100}
 *
 * tier.json(5) explains each key. */
#ifndef LBCTL_TIER_CONFIG_H
#define LBCTL_TIER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>
#include "../../lbd/api/err.h"
#include "../../lbd/api/schema.h"

#define TIER_CONFIG_DEFAULT "/etc/lbd/tier.json"
#define TIER_ENDPOINTS_MAX 9
#define TIER_NAME_SIZE 64
#define TIER_PASSWORD_SIZE 256

struct tier_config {
	char tier[TIER_NAME_SIZE];
	char endpoints[TIER_ENDPOINTS_MAX][256]; /* without a / at the end */
	size_t endpoint_count;
	char node[TIER_NAME_SIZE];
	bool canary, agree_health;
	char ca_file[256], cert_file[256], key_file[256]; /* "": none */
	char user[128], password_file[256];
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uint32_t interval_s, lease_s, max_moved_percent;
};

extern const struct schema tier_config_schema;
/* Also whether the password can be read, where there is one. */
int tier_config_load(const char *path, struct tier_config *out, struct lb_err *err);
/* The first line of password_file. */
int tier_config_password(const struct tier_config *config, char out[TIER_PASSWORD_SIZE],
			 struct lb_err *err);
/* What can only be known of a file's content: pure. */
int tier_config_read(const json_t *document, struct tier_config *out, struct lb_err *err);

#endif
