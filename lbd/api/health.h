/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a VIP's health check consist of, and how is it written as JSON?
 *
 *   {"type": "http", "path": "/healthz", "status": "200",
 *    "interval_ms": 1000, "rise": 2, "fall": 3}
 *
 * Of every check:
 *   type            "tcp": a connection is accepted. "http": a response with the right status, and
 *                   body. "udp": a datagram is answered. "exec": a command ends with status 0.
 *   source          "direct" (default): to the backend's own address. "tunnel": to the VIP's
 *                   address, through the encapsulation that traffic takes; not for exec.
 *   port            1 … 65535. Left out: the VIP's own, so a VIP for every port needs one, and so
 *                   does a pool whose VIPs have several.
 *   interval_ms     100 … 3600000, from the start of a check to the start of the next; 1000
 *   timeout_ms      10 … interval_ms; 1000, or the interval where that is less
 *   rise, fall      1 … 100 results in a row that turn the state; 2 and 3
 *   jitter_percent  0 … 50: each interval is shortened by a random part of so much; 10. Never
 *                   lengthened, so that `fall` failures take no longer than fall x interval_ms.
 *   full_mtu        true: what an http or udp check sends fills a packet of the size that clients'
 *                   packets may have on the way to the backend; false
 * http:
 *   method          "GET" (default) or "HEAD"
 *   path            with its query, from "/"; "/" unless given
 *   host            of the Host field; the address and port asked unless given
 *   status          "200", or a range "200-399" (default)
 *   body            text that must occur in the first 16 KiB of the body; not with HEAD
 * udp, at least one of:
 *   payload         what is sent; empty unless given
 *   expect          what must occur in the reply; unless given, any reply will do
 *   Both are text with the escapes \xNN, \r, \n, \t and \\ (in JSON each backslash is written
 *   twice), or "hex:" and pairs of hexadecimal digits.
 * exec:
 *   command         a file in the folder that lbd.json names (exec_checks), by its name or its
 *                   absolute path, and its arguments. Status 0 means healthy. It runs in /, its
 *                   input is empty. When the time is over, it and what it started are killed. The
 *                   first line it writes is part of the error. Its environment:
 *                     PATH=/usr/sbin:/usr/bin:/sbin:/bin
 *                     LBD_VIP=192.0.2.10:443/tcp    of a pool, the lowest
 *                     LBD_BACKEND=10.0.0.2
 *                     LBD_PORT=443
 *                     LBD_TIMEOUT_MS=1000
 *
 * What becomes of an unhealthy backend (on_unhealthy, when_all_unhealthy) is the VIP's, not the
 * check's. Pure: no I/O.
 */
#ifndef LB_HEALTH_H
#define LB_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "addr.h"
#include "err.h"
#include "schema.h"

#define LB_HEALTH_INTERVAL_MIN_MS 100u
#define LB_HEALTH_INTERVAL_MAX_MS 3600000u
#define LB_HEALTH_INTERVAL_MS 1000u
#define LB_HEALTH_TIMEOUT_MIN_MS 10u
#define LB_HEALTH_TIMEOUT_MS 1000u
#define LB_HEALTH_STREAK_MAX 100u
#define LB_HEALTH_RISE 2u
#define LB_HEALTH_FALL 3u
#define LB_HEALTH_JITTER_MAX_PERCENT 50u
#define LB_HEALTH_JITTER_PERCENT 10u
#define LB_HEALTH_PATH_MAX 1024u   /* with host, a request stays below one packet */
#define LB_HEALTH_HOST_MAX 255u    /* RFC 1035 */
#define LB_HEALTH_BODY_MAX 255u    /* bytes of the text looked for */
#define LB_HEALTH_BYTES_MAX 1024u  /* of a UDP payload or expected reply */
#define LB_HEALTH_COMMAND_MAX 64u  /* arguments, the program included */
#define LB_HEALTH_BODY_SEEN 16384u /* how much of a body is looked at */

enum lb_health_kind {
	LB_HEALTH_NONE, /* no check: what an empty struct says */
	LB_HEALTH_TCP,
	LB_HEALTH_HTTP,
	LB_HEALTH_UDP,
	LB_HEALTH_EXEC,
};

enum lb_health_source { LB_HEALTH_DIRECT, LB_HEALTH_TUNNEL };
enum lb_health_method { LB_HEALTH_GET, LB_HEALTH_HEAD };

struct lb_health_bytes {
	uint8_t *data; /* owned; NULL: none given */
	size_t length;
};

struct lb_health_status {
	uint16_t min, max;
};

struct lb_health {
	enum lb_health_kind kind;
	enum lb_health_source source;
	uint32_t port; /* 0: the VIP's own */
	uint32_t interval_ms, timeout_ms;
	uint32_t rise, fall;
	uint32_t jitter_percent;
	bool full_mtu;                          /* HTTP, UDP */
	enum lb_health_method method;           /* HTTP */
	struct lb_health_status status;         /* HTTP */
	char *path, *host, *body;               /* HTTP, owned; host and body may be NULL */
	struct lb_health_bytes payload, expect; /* UDP */
	char **command;                         /* exec, owned, in one block; ends with NULL */
};

/* Its fields. Paths of errors are as in "interval_ms" and "command[2]". */
extern const struct schema lb_health_schema;

/* Does the check fit this VIP? A VIP for every port gives a check no port. Path "port". */
int lb_health_fits(const struct lb_health *health, const struct lb_endpoint *vip,
		   struct lb_err *err);
/* The port that is asked: its own, or else the VIP's. */
uint16_t lb_health_port(const struct lb_health *health, const struct lb_endpoint *vip);

#endif
