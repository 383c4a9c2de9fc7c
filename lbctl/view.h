/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show a result? One function a shape of docs/protocol.md. What a result lacks is
 * shown as "?" or 0. */
#ifndef LBCTL_VIEW_H
#define LBCTL_VIEW_H

#include "args.h"

void view_status(FILE *out, const struct invocation *invocation, const json_t *result);
enum exit_code view_status_judge(
	const json_t *result); /* EXIT_DIFFERS: a backend cannot be reached, or is unhealthy */
void view_version(FILE *out, const struct invocation *invocation, const json_t *result);
void view_top(FILE *out, const struct invocation *invocation, const json_t *result);
void view_stats(FILE *out, const struct invocation *invocation, const json_t *result);
void view_vip(FILE *out, const struct invocation *invocation, const json_t *result);
/* SYN guard and rates of a VIP; `counts`: also since when, and how many SYNs. */
void view_vip_guard(FILE *out, const json_t *vip, bool counts);
void view_guard(FILE *out, const struct invocation *invocation, const json_t *result);
void view_vips(FILE *out, const struct invocation *invocation, const json_t *result);
void view_pool(FILE *out, const struct invocation *invocation, const json_t *result);
void view_pools(FILE *out, const struct invocation *invocation, const json_t *result);
void view_backends(FILE *out, const struct invocation *invocation, const json_t *result);
void view_probe(FILE *out, const struct invocation *invocation, const json_t *result);
enum exit_code view_probe_judge(const json_t *result); /* EXIT_DIFFERS: the check fails */
void view_change(FILE *out, const struct invocation *invocation, const json_t *result);
void view_plan(FILE *out, const struct invocation *invocation, const json_t *result);
/* What keeps a backend (BACKEND-STATE) from being drained: "2 flows on record, 7 slots still in
 * transition"; nothing when nothing does. */
void view_remaining(FILE *out, const json_t *backend);
/* The health of a backend where it is out of the ordinary or checked at all, "; healthy since …";
 * of a VIP's check two lines; and how many backends of a VIP are unhealthy, ", 1 unhealthy". */
void view_backend_health(FILE *out, const json_t *backend);
void view_vip_health(FILE *out, const json_t *vip);
void view_unhealthy(FILE *out, const json_t *vip);
void view_diff(FILE *out, const struct invocation *invocation, const json_t *result);
enum exit_code view_diff_judge(const json_t *result); /* EXIT_DIFFERS: it does */
void view_ifaces(FILE *out, const struct invocation *invocation, const json_t *result);
enum exit_code
view_ifaces_judge(const json_t *result); /* EXIT_DIFFERS: one is not in working order */
void view_node(FILE *out, const struct invocation *invocation, const json_t *result);
/* How many routes of a NODE, or status.node, are there: one line. */
void view_node_line(FILE *out, const json_t *node);
void view_confirmed(FILE *out, const struct invocation *invocation, const json_t *result);
/* "198.51.100.7:40001 to 192.0.2.10:443, tcp SYN, 60 bytes" */
void view_packet(FILE *out, const json_t *packet);
/* One line of `trace`; packet: the params of the notification. */
void view_traced(FILE *out, const json_t *packet);
/* What its last line says, in words. */
void view_trace_end(FILE *out, const json_t *end);
void view_simulate(FILE *out, const struct invocation *invocation, const json_t *result);
void view_replay(FILE *out, const struct invocation *invocation, const json_t *result);
/* One line of `watch`; event: the params of the notification. */
void view_event(FILE *out, const json_t *event);
/* What a change did to a VIP, an entry of CHANGE: one line, and one a backend that loses flows;
 * `would` says that nothing has been done yet. */
void view_vip_change(FILE *out, const json_t *vip, bool would);
/* A tier, and EXIT_DIFFERS where not all nodes are alike at the revision published last; what was published. */
void view_tier(FILE *out, const struct invocation *invocation, const json_t *result);
enum exit_code view_tier_judge(const json_t *result);
void view_tier_published(FILE *out, const struct invocation *invocation, const json_t *result);
void view_document(FILE *out, const struct invocation *invocation, const json_t *result);

/* Fields of objects, whatever they hold. */
const char *view_text(const json_t *object, const char *field); /* "?" when there is none */
/* A time of the protocol without its fraction: "2026-01-31T12:00:00Z". */
void view_time(FILE *out, const char *time);
long long view_integer(const json_t *object, const char *field); /* 0 when there is none */
double view_number(const json_t *object, const char *field);

#endif
