/* SPDX-License-Identifier: BSD-2-Clause */
/* Which figures does lbd tell of itself, and what are they now? */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../api/clock.h"
#include "../api/version.h"
#include "../control/methods.h"
#include "../control/methods_interfaces.h"
#include "../control/node.h"
#include "../host/simulation.h"
#include "../host/worker.h"
#include "../service/facts.h"
#include "../service/lists.h"
#include "event_log.h"
#include "push.h"

const struct metric_family metric_families[METRIC_COUNT] = {
#define METRIC_FAMILY(id, type, name, unit, help) {METRIC_##type, "lbd_" name, unit, help},
	METRIC_LIST(METRIC_FAMILY)
#undef METRIC_FAMILY
};

static void labels(const struct metric_writer *to, const struct metric_label *labels, size_t count)
{
	to->labels(to->user, labels, count);
}

static void value(const struct metric_writer *to, enum metric metric, double number)
{
	to->value(to->user, metric, NULL, 0, number);
}

static void labelled(const struct metric_writer *to, enum metric metric, const char *name,
		     const char *word, double number)
{
	const struct metric_label label = {name, word};

	to->value(to->user, metric, &label, 1, number);
}

/* --- lbd itself --- */

static double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long size, resident = 0;

	if (file && fscanf(file, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void tell_process(const struct metrics_source *from, const struct metric_writer *to)
{
	struct utsname system;
	char abi[12];
	const struct metric_label build[] = {
		{"version", LB_VERSION},
		{"abi", abi},
		{"kernel", uname(&system) ? "" : system.release},
		{"simulated", "true"},
	};

	snprintf(abi, sizeof(abi), "%d", LB_ABI_VERSION);
	labels(to, NULL, 0);
	to->value(to->user, METRIC_BUILD, build, simulation_is_on() ? 4 : 3, 1);
	value(to, METRIC_STARTED, (double)from->started_s);
	value(to, METRIC_CPU, (double)lb_clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
	value(to, METRIC_RESIDENT, resident_bytes());
	for (size_t i = 0; i < from->events->kind_count; i++)
		labelled(to, METRIC_EVENTS, "event", from->events->kinds[i].name,
			 (double)from->events->kinds[i].count);
}

static void tell_loop(const struct metrics_source *from, const struct metric_writer *to)
{
	struct turns_longest longest;
	struct turns_counts counts;
	const struct metric_histogram turns = {
		turns_bounds_us, counts.took, TURNS_BOUNDS,
		(turns_counts(from->methods->turns, &counts), counts.cpu_us)};

	turns_longest(from->methods->turns, &longest);
	to->histogram(to->user, METRIC_TURN, &turns);
	value(to, METRIC_LONGEST_TURN, (double)longest.cpu_us / 1e6);
}

static void tell_http(const struct metrics_source *from, const struct metric_writer *to)
{
	struct http_counts counts;

	if (!from->http)
		return;
	http_counts(from->http, &counts);
	labelled(to, METRIC_REQUESTS, "result", "answered", (double)counts.answered);
	labelled(to, METRIC_REQUESTS, "result", "refused", (double)counts.refused);
	value(to, METRIC_DROPPED, (double)counts.dropped);
	value(to, METRIC_CLIENTS, counts.clients);
}

static void tell_push(const struct metrics_source *from, const struct metric_writer *to)
{
	const struct push_counts *counts = from->push;

	if (!counts)
		return;
	labelled(to, METRIC_PUSHED, "result", "taken", (double)counts->taken);
	labelled(to, METRIC_PUSHED, "result", "refused", (double)counts->refused);
	labelled(to, METRIC_PUSHED, "result", "dropped", (double)counts->dropped);
	value(to, METRIC_PUSH_FAILURES, (double)counts->failures);
	value(to, METRIC_PUSH_REJECTED, (double)counts->rejected);
	value(to, METRIC_PUSH_WAITING, (double)counts->waiting_bytes);
}

/* --- the data plane --- */

static void tell_verdicts(const struct metrics_source *from, const struct metric_writer *to)
{
#define ACTION_PASS "pass"
#define ACTION_FORWARD "forward"
#define ACTION_ANSWER "answer"
#define ACTION_DROP "drop"
#define VERDICT_LABELS(id, name, action, meaning) {{"verdict", name}, {"action", ACTION_##action}},
	static const struct metric_label verdicts[][2] = {LB_VERDICT_LIST(VERDICT_LABELS)};
#undef VERDICT_LABELS
	uint64_t counts[LB_VERDICT_COUNT];

	if (datapath_verdicts(from->methods->datapath, counts))
		return;
	for (int i = 0; i < LB_VERDICT_COUNT; i++)
		to->value(to->user, METRIC_VERDICTS, verdicts[i], 2, (double)counts[i]);
}

static void tell_flow_table(const struct service_facts *facts, const struct metric_writer *to)
{
#define FLOW_COUNT_NAME(id, name, meaning) name,
	static const char *const names[] = {LB_FLOW_COUNT_LIST(FLOW_COUNT_NAME)};
#undef FLOW_COUNT_NAME

	for (int i = 0; i < LB_FLOW_COUNT_COUNT; i++)
		labelled(to, METRIC_FLOW_EVENTS, "operation", names[i],
			 (double)facts->flow_counts[i]);
	value(to, METRIC_FLOWS, (double)facts->recorded);
	value(to, METRIC_FLOW_ROOM, (double)facts->room);
}

static void tell_quic(const struct service_facts *facts, const struct metric_writer *to)
{
#define QUIC_COUNT_NAME(id, name, meaning) name,
	static const char *const names[] = {LB_QUIC_COUNT_LIST(QUIC_COUNT_NAME)};
#undef QUIC_COUNT_NAME

	for (int i = 0; i < LB_QUIC_COUNT_COUNT; i++)
		labelled(to, METRIC_QUIC, "id", names[i], (double)facts->quic_counts[i]);
	value(to, METRIC_QUIC_KEYS_BEHIND, facts->quic_keys_behind);
}

static void tell_limits(const struct config *config, const struct service_facts *facts,
			const struct metric_writer *to)
{
	const struct {
		const char *name;
		uint64_t used, most;
	} limits[] = {
		{"vips", facts->vips, config->vips},
		{"members", facts->members, config->members},
		{"slots", facts->slots, config->slots},
		{"flows", facts->recorded, config->flows},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		labelled(to, METRIC_LIMIT_USED, "limit", limits[i].name, (double)limits[i].used);
		labelled(to, METRIC_LIMIT, "limit", limits[i].name, (double)limits[i].most);
	}
}

static void tell_service(const struct metrics_source *from, const struct metric_writer *to)
{
	struct service_facts facts;
	char digest[17];

	service_facts(from->methods->service, &facts);
	snprintf(digest, sizeof(digest), "%016" PRIx64, facts.digest);
	labelled(to, METRIC_DOCUMENT, "digest", digest, 1);
	value(to, METRIC_UNCONFIRMED, facts.unconfirmed);
	value(to, METRIC_SAVE_FAILED, facts.save_failed);
	value(to, METRIC_AGREED_NODES, (double)facts.agreed_nodes);
	value(to, METRIC_AGREED_CHANGES, (double)facts.agreed_changes);
	value(to, METRIC_DISSENTS, (double)facts.dissents);
	value(to, METRIC_REVERT_FAILED, facts.revert_failed);
	value(to, METRIC_PLANE_BYTES, (double)datapath_memory_bytes(from->methods->datapath));
	tell_limits(from->methods->config, &facts, to);
	tell_flow_table(&facts, to);
	tell_quic(&facts, to);
}

static void tell_node(const struct metrics_source *from, const struct metric_writer *to)
{
	struct node_counts counts;

	if (!node_counts(from->methods->node, &counts))
		return;
	value(to, METRIC_NODE_ANNOUNCED, (double)counts.announced);
	value(to, METRIC_NODE_WITHDRAWN, (double)counts.withdrawn);
	value(to, METRIC_NODE_DRAINED, counts.drained);
}

/* --- lists --- */

static void tell_list(const struct list_facts *facts, const struct metric_writer *to)
{
	const struct metric_label list[] = {
		{"list", facts->name},
		{"kind", facts->allow ? "allow" : "block"},
		{"mode", facts->monitor ? "monitor" : "enforce"},
	};

	labels(to, list, 3);
	value(to, METRIC_LIST_PREFIXES, facts->prefixes);
	value(to, METRIC_LIST_LEAVING, facts->leaving);
	value(to, METRIC_LIST_PACKETS, (double)facts->hits.packets);
	value(to, METRIC_LIST_BYTES, (double)facts->hits.bytes);
}

static void tell_lists(const struct lists *lists, const struct metric_writer *to)
{
	struct list_facts facts;

	value(to, METRIC_LISTS_BEHIND, *lists_fault(lists) != '\0');
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		if (lists_facts(lists, i, &facts))
			tell_list(&facts, to);
	labels(to, NULL, 0);
}

/* --- the way out --- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void tell_interfaces(const struct metrics_source *from, const struct metric_writer *to)
{
	json_t *interfaces = interfaces_describe(from->methods, false);
	const json_t *at, *mtu;
	size_t i;

	json_array_foreach (interfaces, i, at) {
		const char *mode = text_of(at, "xdp_mode");
		const struct metric_label name = {"interface", text_of(at, "name")};

		labels(to, &name, 1);
		labelled(to, METRIC_IF_ATTACHED, "mode", mode, strcmp(mode, "detached") != 0);
		value(to, METRIC_IF_UP, !strcmp(text_of(at, "link"), "up"));
		mtu = json_object_get(at, "mtu");
		if (mtu)
			value(to, METRIC_IF_MTU, (double)json_integer_value(mtu));
	}
	json_decref(interfaces);
}

static void tell_counter(const json_t *interface, enum metric metric, const char *way,
			 const char *field, const struct metric_writer *to)
{
	labelled(to, metric, "direction", way,
		 (double)json_integer_value(json_object_get(interface, field)));
}

/* Beside those of lbd.json these are the ones that backends are reached by. */
static void tell_interface_counters(const struct metrics_source *from,
				    const struct metric_writer *to)
{
	static const struct {
		enum metric metric;
		const char *received, *sent;
	} fields[] = {
		{METRIC_IF_PACKETS, "rx_packets", "tx_packets"},
		{METRIC_IF_BYTES, "rx_bytes", "tx_bytes"},
		{METRIC_IF_ERRORS, "rx_errors", "tx_errors"},
		{METRIC_IF_DROPPED, "rx_dropped", "tx_dropped"},
	};
	json_t *interfaces = interfaces_counters(from->methods);
	const json_t *at;
	size_t i;

	json_array_foreach (interfaces, i, at) {
		const struct metric_label name = {"interface", text_of(at, "name")};

		labels(to, &name, 1);
		for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++) {
			tell_counter(at, fields[j].metric, "receive", fields[j].received, to);
			tell_counter(at, fields[j].metric, "transmit", fields[j].sent, to);
		}
	}
	json_decref(interfaces);
}

static void tell_next_hops(const struct metrics_source *from, const struct metric_writer *to)
{
	json_t *hops = service_next_hops(from->methods->service);
	json_t *unroutable = service_unroutable(from->methods->service);
	const json_t *at;
	size_t i;

	json_array_foreach (hops, i, at) {
		const struct metric_label hop[] = {{"interface", text_of(at, "interface")},
						   {"gateway", text_of(at, "gateway")}};

		labels(to, hop, 2);
		value(to, METRIC_HOP_RESOLVED, !strcmp(text_of(at, "state"), "resolved"));
		value(to, METRIC_HOP_BACKENDS,
		      (double)json_integer_value(json_object_get(at, "backends")));
	}
	labels(to, NULL, 0);
	value(to, METRIC_UNROUTABLE, (double)json_array_size(unroutable));
	json_decref(hops);
	json_decref(unroutable);
}

/* --- VIPs and pools --- */

static void tell_rates(struct service *service, const struct lb_vip *vip,
		       const struct metric_writer *to)
{
	struct lb_rates_over over;
	char text[LB_RATE_TEXT];

	if (!service_vip_rates(service, vip, &over))
		return;
	for (unsigned int i = 0; i < LB_RATES && vip->rates.rule[i].of; i++) {
		const struct lb_vip_rate *rate = &vip->rates.rule[i];
		const struct metric_label rule[] = {
			{"vip", vip->name},
			{"rate", lb_rate_format(rate, text)},
			{"mode", rate->monitor ? "monitor" : "enforce"},
		};

		labels(to, rule, 3);
		value(to, METRIC_VIP_RATE_EXCEEDED, (double)over.packets[i]);
	}
}

static void tell_vip(struct service *service, const struct lb_vip *vip,
		     const struct metric_writer *to)
{
	char address[LB_ENDPOINT_TEXT];
	const struct metric_label name = {"vip", vip->name};
	const struct metric_label info[] = {
		{"address", lb_endpoint_format(&vip->endpoint, address)},
		{"protocol", lb_protocol_name(vip->endpoint.protocol)},
		{"pool", vip->pool->name},
		{"hash", lb_hash_name(vip->hash)},
	};
	struct lb_counter traffic;
	struct lb_guard_syns syns;
	bool answers;

	labels(to, &name, 1);
	to->value(to->user, METRIC_VIP, info, sizeof(info) / sizeof(*info), 1);
	if (service_vip_syns(service, vip, &syns, &answers)) {
		value(to, METRIC_VIP_SYN_GUARD, answers);
		value(to, METRIC_VIP_SYNS, (double)syns.seen);
		value(to, METRIC_VIP_SYNS_ANSWERED, (double)syns.answered);
		value(to, METRIC_VIP_COOKIE_FLOWS, (double)syns.opened);
	}
	if (service_vip_traffic(service, vip, &traffic)) {
		value(to, METRIC_VIP_PACKETS, (double)traffic.packets);
		value(to, METRIC_VIP_BYTES, (double)traffic.bytes);
	}
	tell_rates(service, vip, to);
}

static void tell_vips(struct service *service, const struct metric_writer *to)
{
	const struct lb_service *document = service_document(service);

	for (size_t i = 0; i < document->vip_count; i++) {
		tell_vip(service, &document->vips[i], to);
		worker_yield();
	}
}

static void tell_checks(const struct lb_pool *pool, const struct check_counts *checks,
			const struct metric_writer *to)
{
	const struct metric_histogram took = {check_times_us, checks->took, CHECK_TIME_COUNT,
					      checks->took_us};

	if (pool->health.kind == LB_HEALTH_NONE)
		return;
	labelled(to, METRIC_POOL_CHECKS, "result", "success", (double)checks->successes);
	labelled(to, METRIC_POOL_CHECKS, "result", "failure", (double)checks->failures);
	labelled(to, METRIC_POOL_CHECKS, "result", "not_made", (double)checks->not_made);
	labelled(to, METRIC_POOL_CHANGES, "to", "healthy", (double)checks->healthy);
	labelled(to, METRIC_POOL_CHANGES, "to", "unhealthy", (double)checks->unhealthy);
	to->histogram(to->user, METRIC_POOL_CHECK_TIME, &took);
}

static void tell_pool(const struct lb_pool *pool, const struct pool_facts *facts,
		      const struct metric_writer *to)
{
	const struct metric_label name = {"pool", pool->name};
	const struct metric_label info[] = {
		{"table", lb_table_kind_name(pool->table)},
		{"encap", pool->encap == LB_ENCAP_GUE ? "gue" : "ipip"},
	};
	size_t serving = 0;
	char digest[17];

	for (size_t i = 0; i < facts->backend_count; i++)
		serving += facts->backends[i].share > 0;
	snprintf(digest, sizeof(digest), "%016" PRIx64, facts->digest);
	labels(to, &name, 1);
	to->value(to->user, METRIC_POOL, info, sizeof(info) / sizeof(*info), 1);
	labelled(to, METRIC_POOL_TABLE, "digest", digest, 1);
	value(to, METRIC_POOL_BACKENDS, (double)facts->backend_count);
	value(to, METRIC_POOL_SERVING, (double)serving);
	value(to, METRIC_POOL_PRIORITY, facts->last);
	labelled(to, METRIC_POOL_SLOTS, "state", "settled", facts->settled);
	labelled(to, METRIC_POOL_SLOTS, "state", "moving", facts->moving);
	labelled(to, METRIC_POOL_SLOTS, "state", "tracked", facts->tracked);
	value(to, METRIC_POOL_FORGOTTEN, (double)facts->forgotten);
	tell_checks(pool, &facts->checks, to);
}

static void tell_backend(const struct lb_pool *pool, const struct backend_facts *facts,
			 const struct metric_writer *to)
{
	char address[LB_ADDR_TEXT];
	const struct metric_label names[] = {{"pool", pool->name},
					     {"backend", lb_addr_format(facts->address, address)}};

	labels(to, names, 2);
	value(to, METRIC_PACKETS, (double)facts->traffic.packets);
	value(to, METRIC_BYTES, (double)facts->traffic.bytes);
	if (facts->quic)
		value(to, METRIC_QUIC_PACKETS, (double)facts->quic_packets);
	if (facts->losses)
		value(to, METRIC_LOST, (double)facts->lost);
	value(to, METRIC_WEIGHT, facts->weight);
	value(to, METRIC_SHARE, facts->share);
	value(to, METRIC_SLOTS, facts->slots);
	value(to, METRIC_RECORDED, facts->recorded_flows);
	if (facts->health != HEALTH_UNKNOWN)
		value(to, METRIC_HEALTHY, facts->health == HEALTH_HEALTHY);
	value(to, METRIC_DRAINING, facts->drain);
	value(to, METRIC_WAITING, facts->waiting);
	value(to, METRIC_RESERVE, facts->reserve);
	value(to, METRIC_REACHABLE, facts->reachable);
}

static void tell_pools(struct service *service, const struct metric_writer *to)
{
	for (size_t i = 0; i < service_pool_count(service); i++) {
		const struct lb_pool *pool = service_pool_at(service, i);
		struct pool_facts facts;

		if (service_pool_facts(service, i, &facts))
			continue;
		tell_pool(pool, &facts, to);
		for (size_t j = 0; j < facts.backend_count; j++) {
			tell_backend(pool, &facts.backends[j], to);
			worker_yield();
		}
		pool_facts_clear(&facts);
	}
}

void metrics_collect(const struct metrics_source *source, const struct metric_writer *writer)
{
	struct service *service = source->methods->service;
	const int64_t began = lb_clock_ns(CLOCK_MONOTONIC);

	service_hold(service);
	tell_process(source, writer);
	tell_loop(source, writer);
	tell_http(source, writer);
	tell_push(source, writer);
	tell_verdicts(source, writer);
	tell_service(source, writer);
	tell_node(source, writer);
	tell_lists(source->methods->lists, writer);
	tell_interfaces(source, writer);
	tell_interface_counters(source, writer);
	tell_next_hops(source, writer);
	tell_vips(service, writer);
	tell_pools(service, writer);
	service_let_go(service);
	labels(writer, NULL, 0);
	value(writer, METRIC_SCRAPE_TIME, (double)(lb_clock_ns(CLOCK_MONOTONIC) - began) / 1e9);
}
