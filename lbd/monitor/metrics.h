/* SPDX-License-Identifier: BSD-2-Clause */
/* Which figures does lbd tell of itself, and what are they now? One list of families; who writes them
 * (exposition.h) is given each value with its labels.
 *
 * Values of a family do not come in a row, since each VIP, pool and backend is looked at once, for all families.
 */
#ifndef LB_MONITOR_METRICS_H
#define LB_MONITOR_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include "http.h"

struct methods_context;
struct push_counts;

/* A plane counter is kept by the data plane, or the kernel: lbd's start does not set it to 0. */
enum metric_type {
	METRIC_COUNTER,
	METRIC_PLANE_COUNTER,
	METRIC_GAUGE,
	METRIC_INFO,
	METRIC_HISTOGRAM
};

/* Names are as Prometheus has them, without "lbd_"; a counter's ends with _total, an info's with _info. */
#define METRIC_LIST(X)                                                                             \
	X(BUILD, INFO, "build_info", "", "Version of lbd, ABI of its data plane, and the kernel.") \
	X(STARTED, GAUGE, "start_time_seconds", "s", "When lbd was started, since 1970.")          \
	X(CPU, COUNTER, "cpu_seconds_total", "s", "Processor time that lbd has used.")             \
	X(RESIDENT, GAUGE, "resident_memory_bytes", "By", "Memory that lbd uses.")                 \
	X(PLANE_BYTES, GAUGE, "data_plane_memory_bytes", "By",                                     \
	  "Memory of the maps of the data plane.")                                                 \
	X(DOCUMENT, INFO, "document_info", "", "Digest of the service document in force.")         \
	X(UNCONFIRMED, GAUGE, "document_unconfirmed", "",                                          \
	  "1 while a change waits to be confirmed.")                                               \
	X(SAVE_FAILED, GAUGE, "save_failed", "",                                                   \
	  "1 while the document in force could not be saved.")                                     \
	X(REVERT_FAILED, GAUGE, "revert_failed", "",                                               \
	  "1 while a change that was not confirmed could not be taken back.")                      \
	X(AGREED_NODES, GAUGE, "health_agreement_nodes", "{node}",                                 \
	  "Other nodes of the tier that health is agreed with; 0: this one goes by itself.")       \
	X(AGREED_CHANGES, COUNTER, "health_agreement_changes_total", "{change}",                   \
	  "Changes of a backend's health by what others see, against this node's own view.")       \
	X(DISSENTS, GAUGE, "health_dissents", "{backend}",                                         \
	  "Backends that this node has seen otherwise than most of the tier for 30 s.")            \
	X(EVENTS, COUNTER, "events_total", "{event}", "What lbctl watch shows, by kind.")          \
	X(LIMIT_USED, GAUGE, "limit_used", "", "How much of a limit of lbd.json is in use.")       \
	X(LIMIT, GAUGE, "limit", "", "The limits of lbd.json.")                                    \
	X(TURN, HISTOGRAM, "loop_turn_cpu_seconds", "s",                                           \
	  "Processor time of each turn of lbd's event loop.")                                      \
	X(LONGEST_TURN, GAUGE, "loop_longest_turn_cpu_seconds", "s",                               \
	  "Processor time of the longest turn since lbd was started.")                             \
	X(VERDICTS, PLANE_COUNTER, "packets_total", "{packet}",                                    \
	  "Packets by their verdict, and the action that this is: pass, forward, answer or drop.") \
	X(FLOW_EVENTS, PLANE_COUNTER, "flow_table_operations_total", "{operation}",                \
	  "What the flow table did.")                                                              \
	X(QUIC, PLANE_COUNTER, "quic_packets_total", "{packet}",                                   \
	  "Packets to VIPs with quic, by what their connection id was: routed, unroutable, "       \
	  "unknown_server; quoted: ICMP errors.")                                                  \
	X(QUIC_KEYS_BEHIND, GAUGE, "quic_keys_behind", "",                                         \
	  "1 while a file of a QUIC key could not be read; lbctl status says which, and why.")     \
	X(FLOWS, GAUGE, "flow_table_flows", "{flow}", "Flows on record, as last counted.")         \
	X(FLOW_ROOM, GAUGE, "flow_table_capacity_flows", "{flow}",                                 \
	  "Flows that the flow table has room for.")                                               \
	X(IF_ATTACHED, GAUGE, "interface_attached", "",                                            \
	  "1 while an interface of lbd.json has the program, by mode (native, generic, "           \
	  "detached).")                                                                            \
	X(IF_UP, GAUGE, "interface_up", "", "1 while the link of an interface of lbd.json is up.") \
	X(IF_MTU, GAUGE, "interface_mtu_bytes", "By", "MTU of an interface.")                      \
	X(IF_PACKETS, PLANE_COUNTER, "interface_packets_total", "{packet}",                        \
	  "Packets of an interface that they come in or go out by, as its driver counts them.")    \
	X(IF_BYTES, PLANE_COUNTER, "interface_bytes_total", "By", "Bytes of these packets.")       \
	X(IF_ERRORS, PLANE_COUNTER, "interface_errors_total", "{error}",                           \
	  "Errors of an interface, as its driver counts them.")                                    \
	X(IF_DROPPED, PLANE_COUNTER, "interface_dropped_total", "{packet}",                        \
	  "Packets that an interface has dropped, as its driver counts them.")                     \
	X(HOP_RESOLVED, GAUGE, "next_hop_resolved", "",                                            \
	  "1 while frames can be sent to a next hop.")                                             \
	X(HOP_BACKENDS, GAUGE, "next_hop_backends", "{backend}",                                   \
	  "Members whose packets go by a next hop.")                                               \
	X(NODE_ANNOUNCED, GAUGE, "node_announced", "{route}",                                      \
	  "Routes of VIPs that the network learns from this node, where lbd.json has announce.")   \
	X(NODE_WITHDRAWN, GAUGE, "node_withdrawn", "{route}",                                      \
	  "Routes of VIPs that are not announced at present.")                                     \
	X(NODE_DRAINED, GAUGE, "node_drained", "", "1 while this node is drained.")                \
	X(LIST_PREFIXES, GAUGE, "list_prefixes", "{prefix}",                                       \
	  "Prefixes on a list, by its kind (block, allow) and mode (enforce, monitor).")           \
	X(LIST_LEAVING, GAUGE, "list_leaving_prefixes", "{prefix}",                                \
	  "Prefixes that leave a list by themselves when their time ends.")                        \
	X(LIST_PACKETS, COUNTER, "list_packets_total", "{packet}",                                 \
	  "Packets that a list has dropped or allowed, or in mode monitor would have.")            \
	X(LIST_BYTES, COUNTER, "list_bytes_total", "By", "Bytes of these packets.")                \
	X(LISTS_BEHIND, GAUGE, "lists_behind", "",                                                 \
	  "1 while packets do not meet what is listed; lbctl status says why.")                    \
	X(UNROUTABLE, GAUGE, "unroutable_backends", "{backend}",                                   \
	  "Backends to which there is no route.")                                                  \
	X(VIP, INFO, "vip_info", "", "Address and protocol of a VIP, and its pool.")               \
	X(VIP_PACKETS, PLANE_COUNTER, "vip_packets_total", "{packet}",                             \
	  "Clients' packets to a VIP, unless lbd.json has vip_counters false.")                    \
	X(VIP_BYTES, PLANE_COUNTER, "vip_bytes_total", "By",                                       \
	  "Bytes of these packets, without Ethernet and outer headers.")                           \
	X(VIP_SYN_GUARD, GAUGE, "vip_syn_guard_answers", "",                                       \
	  "1 while SYNs to a VIP with syn_guard are answered with cookies.")                       \
	X(VIP_SYNS, PLANE_COUNTER, "vip_syns_total", "{packet}", "SYNs to a VIP with syn_guard.")  \
	X(VIP_SYNS_ANSWERED, PLANE_COUNTER, "vip_syns_answered_total", "{packet}",                 \
	  "SYNs to a VIP that were answered with a cookie.")                                       \
	X(VIP_COOKIE_FLOWS, PLANE_COUNTER, "vip_cookie_flows_total", "{flow}",                     \
	  "Flows that ACKs with a cookie have opened in slots that are not settled; where they "   \
	  "are, the backend counts.")                                                              \
	X(VIP_RATE_EXCEEDED, PLANE_COUNTER, "vip_rate_exceeded_total", "{packet}",                 \
	  "Packets beyond a rate of a VIP: dropped, or in mode monitor forwarded all the same.")   \
	X(POOL, INFO, "pool_info", "",                                                             \
	  "How flows of a pool are balanced; a VIP's own pool has the name of the VIP.")           \
	X(POOL_TABLE, INFO, "pool_table_info", "",                                                 \
	  "Digest of a pool's table: equal on two nodes exactly when their tables are.")           \
	X(POOL_BACKENDS, GAUGE, "pool_backends", "{backend}", "Backends of a pool.")               \
	X(POOL_SERVING, GAUGE, "pool_serving_backends", "{backend}",                               \
	  "Backends of a pool that take new flows.")                                               \
	X(POOL_PRIORITY, GAUGE, "pool_priority", "",                                               \
	  "The last priority of which backends are used; above 0 while a pool spills.")            \
	X(POOL_SLOTS, GAUGE, "pool_slots", "{slot}",                                               \
	  "Slots of a pool by state: settled, moving, tracked.")                                   \
	X(POOL_FORGOTTEN, COUNTER, "pool_forgotten_owners_total", "{owner}",                       \
	  "Owners that slots had, and of which lists of backends know no more: too many changes.") \
	X(POOL_CHECKS, COUNTER, "pool_health_checks_total", "{check}",                             \
	  "Health checks by result: success, failure, or not_made for a fault of the balancer.")   \
	X(POOL_CHANGES, COUNTER, "pool_health_transitions_total", "{transition}",                  \
	  "How often a backend of the pool has become healthy or unhealthy.")                      \
	X(POOL_CHECK_TIME, HISTOGRAM, "pool_health_check_duration_seconds", "s",                   \
	  "How long health checks took, successes and failures.")                                  \
	X(PACKETS, PLANE_COUNTER, "backend_packets_total", "{packet}",                             \
	  "Clients' packets to a backend, since it was added.")                                    \
	X(BYTES, PLANE_COUNTER, "backend_bytes_total", "By",                                       \
	  "Bytes of these packets, without Ethernet and outer headers.")                           \
	X(QUIC_PACKETS, PLANE_COUNTER, "backend_quic_packets_total", "{packet}",                   \
	  "Packets that have followed the QUIC server id of a backend.")                           \
	X(LOST, COUNTER, "backend_lost_packets_total", "{packet}",                                 \
	  "Packets of connections that neither a backend with second_chance has, nor another "     \
	  "that "                                                                                  \
	  "it could pass them on to, as it says.")                                                 \
	X(WEIGHT, GAUGE, "backend_weight", "", "Weight of a backend in the service document.")     \
	X(SHARE, GAUGE, "backend_serving_weight", "",                                              \
	  "Weight that counts for new flows now; 0 while a backend drains, waits, is in reserve "  \
	  "or unhealthy.")                                                                         \
	X(SLOTS, GAUGE, "backend_slots", "{slot}", "Slots that a backend owns.")                   \
	X(RECORDED, GAUGE, "backend_recorded_flows", "{flow}", "Flows on record as a backend's.")  \
	X(HEALTHY, GAUGE, "backend_healthy", "",                                                   \
	  "1 healthy, 0 unhealthy; not there without a check, and before its first result.")       \
	X(DRAINING, GAUGE, "backend_draining", "", "1 while a backend drains, or has drained.")    \
	X(WAITING, GAUGE, "backend_waiting", "",                                                   \
	  "1 while a backend waits for its next hop or its first check before it takes new "       \
	  "flows.")                                                                                \
	X(RESERVE, GAUGE, "backend_reserve", "",                                                   \
	  "1 while the priorities before a backend's suffice, so that it takes no new flows.")     \
	X(REACHABLE, GAUGE, "backend_reachable", "",                                               \
	  "1 while the next hop of a backend is resolved.")                                        \
	X(REQUESTS, COUNTER, "http_requests_total", "{request}",                                   \
	  "Requests over HTTP: answered or refused.")                                              \
	X(DROPPED, COUNTER, "http_dropped_connections_total", "{connection}",                      \
	  "HTTP connections that were ended before their answer was read.")                        \
	X(CLIENTS, GAUGE, "http_connections", "{connection}", "HTTP connections.")                 \
	X(PUSHED, COUNTER, "otlp_messages_total", "{message}",                                     \
	  "Messages to the collector: taken, refused, or dropped for want of room.")               \
	X(PUSH_FAILURES, COUNTER, "otlp_failures_total", "{attempt}",                              \
	  "Attempts to push a message that were followed by another.")                             \
	X(PUSH_REJECTED, COUNTER, "otlp_rejected_points_total", "{point}",                         \
	  "Values that the collector did not take, of messages that it took.")                     \
	X(PUSH_WAITING, GAUGE, "otlp_queue_bytes", "By",                                           \
	  "Messages that wait for the collector, compressed.")                                     \
	X(SCRAPE_TIME, GAUGE, "collect_seconds", "s", "How long these figures took to collect.")

enum metric {
#define METRIC_ID(id, type, name, unit, help) METRIC_##id,
	METRIC_LIST(METRIC_ID)
#undef METRIC_ID
		METRIC_COUNT
};

struct metric_family {
	enum metric_type type;
	const char *name, *unit, *help; /* unit as UCUM has it, for OTLP; "": none */
};
extern const struct metric_family metric_families[METRIC_COUNT];

struct metric_label {
	const char *name, *value;
};

#define METRIC_LABELS_MAX 8

struct metric_histogram {
	const uint32_t *bounds_us;
	const uint64_t *counts; /* of each bucket alone; one more than bounds */
	size_t bounds;
	uint64_t sum_us;
};

/* What is told. Labels hold for all values until others are set; those of `more` come after them. */
struct metric_writer {
	void (*labels)(void *user, const struct metric_label *labels, size_t count);
	void (*value)(void *user, enum metric metric, const struct metric_label *more, size_t count,
		      double value);
	void (*histogram)(void *user, enum metric metric, const struct metric_histogram *values);
	void *user;
};

struct metrics_source {
	struct methods_context *methods;
	const struct http *http;        /* NULL: none */
	const struct push_counts *push; /* the same */
	struct event_counts *events;
	int64_t started_s; /* since 1970 */
};

/* By a worker, or in tests. Yields. */
void metrics_collect(const struct metrics_source *source, const struct metric_writer *writer);

#endif
