/* SPDX-License-Identifier: BSD-2-Clause */
/* How lbd runs: lbd.json, read once at start. What it balances is the service document
 * (api/model.h). Pure except for config_load.
 *
 *   {"interfaces": ["eth0"],
 *    "xdp_mode": "auto",
 *    "control": {"path": "/run/lbd/lbd.sock", "read_only_path": "/run/lbd/lbd-ro.sock",
 *                "group": "lbd"},
 *    "state_dir": "/var/lib/lbd",
 *    "pin_dir": "/sys/fs/bpf/lbd",
 *    "encap": {"source4": "auto", "source6": "auto"},
 *    "limits": {"vips": 1024, "members": 4096, "slots": 2097152, "flows": 1048576},
 *    "answer_rate": 1000,
 *    "vip_counters": true,
 *    "exec_checks": {"folder": "/etc/lbd/checks", "user": "nobody"},
 *    "http": {"listen": "127.0.0.1:9110", "names": ["lb1.example"]},
 *    "otlp": {"endpoint": "https://collector:4318", "headers_file": "/etc/lbd/otlp.headers"},
 *    "announce": {"table": 76},
 *    "services": "/etc/lbd/services.json",
 *    "hash_seed": "0123456789abcdef0123456789abcdef"}
 *
 * lbd.json(5) explains each key.
 */
#ifndef LB_CONFIG_H
#define LB_CONFIG_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>
#include "../api/addr.h"
#include "../api/err.h"
#include "../api/schema.h"
#include "exec_rights.h"
#include "xdp_mode.h"

#define LB_INTERFACES_MAX 64
#define LB_HTTP_NAMES_MAX 8
#define LB_HTTP_NAME_MAX 253

/* Where lbd listens over TCP; address.family 0: nowhere. */
struct config_listen {
	struct lb_addr address;
	uint16_t port; /* host order */
};

/* Where metrics are pushed to; endpoint "": nowhere. */
struct config_otlp {
	char endpoint[512], instance[128];
	char headers_file[256], ca_file[256]; /* "": none */
	char user[EXEC_USER_MAX];
	uint32_t interval_s, timeout_s, queue_bytes;
};

/* The routes that a routing daemon announces VIPs by; table 0: none. */
struct config_announce {
	uint32_t table, protocol;
};

struct config {
	char interfaces[LB_INTERFACES_MAX][IF_NAMESIZE];
	size_t interface_count;
	enum xdp_mode xdp_mode;
	char control_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	/* Where anybody may look and nobody may change; "": nowhere. */
	char control_read_only_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char control_group[64];        /* "": leave the group as it is */
	bool control_group_configured; /* a missing group is an error when it was asked for by name */
	char state_dir[256];
	char services
		[256]; /* a service document that is applied at start and by config.reload; "": none */
	char pin_dir[256];
	char guard_secret[256]; /* the file of the SYN guard's secrets; "": none */
	char quic_keys[256];    /* the folder with the keys of QUIC connection ids */
	/* address.family 0: automatic. A prefix shorter than full length: the flow hash picks the
	 * host bits. */
	struct exec_rights exec; /* without the numbers of the user */
	struct lb_prefix source4, source6;
	uint32_t vips, members, slots, flows;
	uint32_t answer_rate; /* what the program answers by itself, a second and CPU; 0: nothing */
	bool vip_counters;    /* packets are counted by VIP, too */
	struct config_listen http;                                /* metrics and the status page */
	char http_names[LB_HTTP_NAMES_MAX][LB_HTTP_NAME_MAX + 1]; /* "": no more of them */
	struct config_otlp otlp;
	struct config_announce announce;
	bool seed_configured;
	uint64_t seed[2];
};

/* Its keys. */
extern const struct schema config_schema;
/* Reads and parses a file; a syntax error names line and column. */
int config_load(const char *path, struct config *out, struct lb_err *err);

/* What is valid and still a mistake, as a sentence; NULL: nothing. */
const char *config_doubt(const struct config *config);

/* 32 hex digits, not all zero; else -EINVAL. */
int config_parse_seed(const char *text, uint64_t seed[2]);

#endif
