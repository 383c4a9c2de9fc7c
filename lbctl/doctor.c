/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong, and what fixes it? Looks through what lbd says of itself, of the machine, of the ways
 * to backends and of their checks, and at which packets are dropped meanwhile. */
#include "doctor.h"
#include <errno.h>
#include <string.h>
#include "advice.h"
#include "../lbd/api/rpc.h"
#include "args.h"
#include "client.h"
#include "params.h"
#include "sampler.h"
#include "units.h"
#include "view.h"

#define PROBES_MAX 4 /* each takes as long as a check that fails */

struct exam {
	const struct invocation *invocation;
	json_t *findings;
	bool simulated;
	int probes;        /* made so far, of backends and of VIPs */
	json_t *idle;      /* VIPs, as stats says: what has come to them meanwhile */
	long long refused; /* what the flow table had refused at the beginning */
	json_t *other;     /* what status says on another node; NULL: nobody has asked for it */
};

/* A finding; `fix` is a command, NULL where the problem's own words have it. Both are taken over. */
static void add(json_t *findings, const char *area, json_t *problem, json_t *fix)
{
	json_array_append_new(findings, json_pack("{s:s, s:o, s:o*}", "area", area, "problem",
						  problem, "fix", fix));
}

static bool is(const json_t *object, const char *field, const char *value)
{
	return strcmp(view_text(object, field), value) == 0;
}

/* --- interfaces --- */

static void look_at_interface(const json_t *interface, struct exam *exam)
{
	const char *name = view_text(interface, "name");
	const char *reason = json_string_value(json_object_get(interface, "reason"));

	if (is(interface, "link", "missing"))
		add(exam->findings, "interface",
		    json_sprintf("interface %s of lbd.json is missing", name),
		    json_sprintf(
			    "make %s, or name another in lbd.json: ip link shows those there are",
			    name));
	else if (is(interface, "link", "down"))
		add(exam->findings, "interface", json_sprintf("the link of %s is down", name),
		    json_sprintf("ip link set %s up", name));
	if (!is(interface, "link", "missing") && is(interface, "xdp_mode", "detached"))
		add(exam->findings, "interface",
		    json_sprintf("nothing that comes in by %s is balanced%s%s", name,
				 reason ? ": " : "", reason ? reason : ""),
		    json_string("systemctl restart lbd"));
	if (is(interface, "xdp_mode", "generic"))
		add(exam->findings, "interface",
		    json_sprintf(
			    "%s runs XDP in generic mode, which costs several times as much%s%s",
			    name, reason ? ": " : "", reason ? reason : ""),
		    json_string("\"xdp_mode\": \"native\" in lbd.json and \"systemctl restart "
				"lbd\" say why native mode is refused"));
}

static void look_at_interfaces(const json_t *result, struct exam *exam)
{
	const json_t *interface;
	size_t i;

	json_array_foreach (json_object_get(result, "interfaces"), i, interface)
		look_at_interface(interface, exam);
}

/* --- ways to backends --- */

static void look_at_next_hop(const json_t *hop, struct exam *exam)
{
	const char *interface = view_text(hop, "interface"), *gateway = view_text(hop, "gateway");
	char backends[UNITS_TEXT];

	if (is(hop, "state", "resolved"))
		return;
	add(exam->findings, "next hop",
	    json_sprintf("packets for %s are dropped: next hop %s by %s is not resolved (%s)",
			 units_count(view_integer(hop, "backends"), "backend", backends), gateway,
			 interface, view_text(hop, "reason")),
	    json_sprintf("ip neigh show %s dev %s; ping -c 3 -I %s %s", gateway, interface,
			 interface, gateway));
}

static void look_at_ways(const json_t *status, struct exam *exam)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(status, "next_hops"), i, entry)
		look_at_next_hop(entry, exam);
	json_array_foreach (json_object_get(status, "unroutable"), i, entry)
		add(exam->findings, "route",
		    json_sprintf("there is no way to backend %s: %s", view_text(entry, "address"),
				 view_text(entry, "reason")),
		    json_sprintf("give this machine a route: ip route get %s must show one",
				 view_text(entry, "address")));
}

/* --- backends --- */

/* Where a check through the tunnel gets no answer at all, and no ICMP message. */
static bool is_silent(const json_t *vip, const char *error)
{
	return is(json_object_get(vip, "health"), "source", "tunnel") &&
	       strncmp(error, "no ", 3) == 0 && !strstr(error, "does not take off");
}

/* What a probe says; NULL: none was made, since it is refused here or there were enough. */
static json_t *probe(struct exam *exam, const json_t *vip, const char *address)
{
	json_auto_t *params =
		json_pack("{s:s, s:s}", "vip", view_text(vip, "name"), "address", address);
	json_t *result = NULL;
	struct lb_err err = {0};

	if (exam->probes == PROBES_MAX)
		return NULL;
	exam->probes++;
	client_call(exam->invocation->socket, CLIENT_TIMEOUT_S, "backend.probe", params, &result,
		    &err);
	return result;
}

static json_t *fix_of_silence(struct exam *exam, const json_t *vip, const json_t *backend)
{
	json_auto_t *probed = probe(exam, vip, view_text(backend, "address"));
	json_t *advice = probed ? advice_probe(probed) : NULL;

	return advice ? advice : advice_silence(view_text(vip, "address"));
}

static void look_at_backend(const json_t *vip, const json_t *backend, struct exam *exam)
{
	const json_t *health = json_object_get(backend, "health");
	const char *error = json_string_value(json_object_get(health, "error"));
	const bool not_checked = json_is_true(json_object_get(health, "not_checked"));

	if (!health || (!is(health, "state", "unhealthy") && !not_checked))
		return;
	if (!error)
		error = "no reason known";
	add(exam->findings, "backend",
	    json_sprintf("backend %s of VIP %s %s: %s", view_text(backend, "address"),
			 view_text(vip, "name"), not_checked ? "cannot be checked" : "is unhealthy",
			 error),
	    not_checked ? json_string("lbctl status")
	    : is_silent(vip, error)
		    ? fix_of_silence(exam, vip, backend)
		    : json_sprintf("lbctl backend list %s", view_text(vip, "name")));
}

static void look_at_backends(const json_t *result, struct exam *exam)
{
	const json_t *vip, *backend;
	size_t i, j;

	json_array_foreach (json_object_get(result, "vips"), i, vip)
		json_array_foreach (json_object_get(vip, "backends"), j, backend)
			look_at_backend(vip, backend, exam);
}

/* --- VIPs --- */

/* Whether a client that reaches the VIP would be answered. */
static bool serves(const json_t *vip)
{
	const json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(vip, "backends"), i, backend) {
		const json_t *health = json_object_get(backend, "health");

		if (is(backend, "state", "active") && (!health || is(health, "state", "healthy")))
			return true;
	}
	return false;
}

/* What has no packets is asked as a client would, from here: the routers around send that to whoever
 * has the VIP. A refusal has come from a backend. */
static void look_at_way(const json_t *vip, struct exam *exam)
{
	json_auto_t *address = advice_bare_address(view_text(vip, "address"));
	json_auto_t *probed = probe(exam, vip, json_string_value(address));
	const json_t *attempt = json_array_get(json_object_get(probed, "attempts"), 0);

	if (!attempt || !is(attempt, "outcome", "failure") ||
	    strstr(view_text(attempt, "error"), "refused"))
		return;
	add(exam->findings, "vip",
	    json_sprintf("no packet comes to VIP %s, and a connection to %s from this balancer "
			 "fails: %s",
			 view_text(vip, "name"), view_text(vip, "address"),
			 view_text(attempt, "error")),
	    json_sprintf("route the VIP to this balancer: on its routers \"ip route get %s\", and "
			 "here \"birdc show protocols\" where BIRD announces it",
			 json_string_value(address)));
}

static bool is_idle(const struct exam *exam, const json_t *vip)
{
	const json_t *counted;
	size_t i;

	json_array_foreach (exam->idle, i, counted)
		if (is(counted, "name", view_text(vip, "name")))
			return view_number(counted, "packets_per_s") == 0;
	return false;
}

static void look_at_vips(const json_t *result, struct exam *exam)
{
	const json_t *vip;
	size_t i;

	look_at_backends(result, exam);
	json_array_foreach (json_object_get(result, "vips"), i, vip)
		if (is_idle(exam, vip) && serves(vip) &&
		    strstr(view_text(vip, "address"), "/tcp") &&
		    !strstr(view_text(vip, "address"), ":0/"))
			look_at_way(vip, exam);
}

/* --- what is dropped --- */

/* Reasons that are no fault of the packet. */
static const struct {
	const char *verdict, *fix;
} drops[] = {
	{"drop_no_backend", "lbctl backend list"},
	{"drop_unresolved", "lbctl status"},
	{"drop_too_big", "raise the MTU on the way to the backends by 48 bytes, or lower the MSS "
			 "that they announce: ip route change … advmss N"},
	{"drop_no_headroom", "another driver, or \"xdp_mode\": \"generic\" in lbd.json"},
	{"drop_no_egress", "lbctl iface list; systemctl restart lbd"},
	{"drop_internal", "report it, with the output of \"lbctl --json status\""},
	{"drop_limited", "raise answer_rate in lbd.json, if these are no attack"},
};

static void look_at_verdict(const json_t *verdict, struct exam *exam)
{
	double rate = view_number(verdict, "packets_per_s");

	for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++)
		if (rate > 0 && is(verdict, "name", drops[i].verdict))
			add(exam->findings, "traffic",
			    json_sprintf("%.0f packets a second are %s: %s", rate, drops[i].verdict,
					 view_text(verdict, "meaning")),
			    json_string(drops[i].fix));
}

static int look_at_traffic(struct sampler *sampler, struct exam *exam, struct lb_err *err)
{
	const json_t *stats, *verdict;
	int status = sampler_next(sampler, &stats, err);
	size_t i;

	if (status > 0)
		json_array_foreach (json_object_get(stats, "verdicts"), i, verdict)
			look_at_verdict(verdict, exam);
	if (status > 0)
		exam->idle = json_incref(json_object_get(stats, "vips"));
	return status < 0 ? status : 0;
}

/* --- the flow table --- */

static long long refused_records(const json_t *status)
{
	const json_t *table = json_object_get(status, "flow_table"), *count;
	size_t i;

	json_array_foreach (json_object_get(table, "counts"), i, count)
		if (is(count, "name", "refused"))
			return view_integer(count, "count");
	return 0;
}

static void look_at_records(const json_t *status, struct exam *exam)
{
	const long long refused = refused_records(status) - exam->refused;
	char flows[UNITS_TEXT];

	if (refused > 0)
		add(exam->findings, "flow table",
		    json_sprintf(
			    "%s could not be recorded meanwhile, since the flow table is full: "
			    "these may go to another backend when a transition ends",
			    units_count(refused, "flow", flows)),
		    json_string("raise limits.flows in lbd.json and start lbd once with "
				"--reset-flows"));
}

static void note_records(const json_t *status, struct exam *exam)
{
	exam->refused = refused_records(status);
}

/* --- another node --- */

/* What must be the same for all nodes to send each flow to the same backend. */
static const struct {
	const char *object, *field, *what, *fix;
} agreed[] = {
	{"hash_seed", "digest", "hash seed",
	 "the same hash_seed in lbd.json of all nodes, and a start with --reset-flows"},
	{NULL, "document_digest", "service document",
	 "lbctl config export on one node, lbctl config diff and config apply on the other"},
	{NULL, "abi", "version of the data plane", "the same release of lbd on all nodes"},
};

static void look_at_other(const json_t *status, struct exam *exam)
{
	for (size_t i = 0; i < sizeof(agreed) / sizeof(*agreed); i++) {
		const char *object = agreed[i].object;
		const json_t *here = object ? json_object_get(status, object) : status;
		const json_t *there = object ? json_object_get(exam->other, object) : exam->other;
		const json_t *mine = json_object_get(here, agreed[i].field);

		if (mine && !json_equal(mine, json_object_get(there, agreed[i].field)))
			add(exam->findings, "nodes",
			    json_sprintf("the other node has another %s", agreed[i].what),
			    json_string(agreed[i].fix));
	}
}

static int read_other(struct exam *exam, struct lb_err *err)
{
	const char *file = invocation_option(exam->invocation, "compare");

	if (!file)
		return 0;
	if (params_read_file(file, &exam->other, err))
		return -EINVAL;
	if (json_object_get(exam->other, "document_digest"))
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "", "%s is not the output of \"lbctl --json status\"",
			  file);
}

/* --- all of it --- */

static int ask(const struct invocation *invocation, const char *method,
	       void (*look)(const json_t *result, struct exam *exam), struct exam *exam,
	       struct lb_err *err)
{
	json_auto_t *result = NULL;

	if (client_call(invocation->socket, CLIENT_TIMEOUT_S, method, NULL, &result, err))
		return -EINVAL;
	look(result, exam);
	return 0;
}

/* --- metrics --- */

/* Where the collector answers, what it says tells what to do. */
static void look_at_otlp(const json_t *otlp, struct exam *exam)
{
	const char *error = json_string_value(json_object_get(otlp, "error"));
	const char *url = view_text(otlp, "url");

	if (!otlp || !error)
		return;
	add(exam->findings, "otlp",
	    json_sprintf("metrics do not get to %s, or not all of them: %s", url, error),
	    strstr(error, "status 401") || strstr(error, "status 403")
		    ? json_string("otlp.headers_file in lbd.json, and systemctl restart lbd")
		    : json_sprintf("curl -v -H 'Content-Type: application/json' -d '{}' %s", url));
}

/* --- the node in the network --- */

static void look_at_node(const json_t *node, struct exam *exam)
{
	const json_t *others = json_object_get(node, "others");

	if (others)
		add(exam->findings, "node",
		    json_sprintf("table %lld has routes that are not lbd's, the first to %s with "
				 "protocol %lld: what announces the table's routes may announce "
				 "them, too",
				 view_integer(node, "table"), view_text(others, "route"),
				 view_integer(others, "protocol")),
		    json_sprintf("ip route show table %lld; ip -6 route show table %lld",
				 view_integer(node, "table"), view_integer(node, "table")));
}

/* Problems that lbd has words for, with what to do. */
static void look_at_status(const json_t *status, struct exam *exam)
{
	const json_t *warning;
	size_t i;

	exam->simulated = json_is_true(json_object_get(status, "simulated"));
	json_array_foreach (json_object_get(status, "warnings"), i, warning)
		if (strcmp(json_string_value(warning), LB_SIMULATED_WARNING) != 0)
			add(exam->findings, "warning", json_incref((json_t *)warning), NULL);
	look_at_ways(status, exam);
	look_at_otlp(json_object_get(status, "otlp"), exam);
	look_at_node(json_object_get(status, "node"), exam);
	look_at_records(status, exam);
	if (exam->other)
		look_at_other(status, exam);
}

static int look(struct exam *exam, struct lb_err *err)
{
	const struct invocation *invocation = exam->invocation;
	struct sampler sampler;
	int status = sampler_open(&sampler, invocation, NULL, err);

	if (!status)
		status = ask(invocation, "status", note_records, exam, err);
	if (!status)
		status = ask(invocation, "iface.list", look_at_interfaces, exam, err);
	if (!status)
		status = look_at_traffic(&sampler, exam, err);
	if (!status)
		status = ask(invocation, "status", look_at_status, exam, err);
	if (!status)
		status = ask(invocation, "vip.list", look_at_vips, exam, err);
	sampler_close(&sampler);
	return status;
}

enum exit_code doctor_run(const struct invocation *invocation, struct output *output)
{
	json_auto_t *result = json_pack("{s:[]}", "findings");
	struct exam exam = {.invocation = invocation,
			    .findings = json_object_get(result, "findings")};
	struct lb_err err = {0};
	int status = read_other(&exam, &err);

	if (!status)
		status = look(&exam, &err);
	json_decref(exam.idle);
	json_decref(exam.other);
	if (exam.simulated)
		json_object_set_new(result, "simulated", json_true());
	if (status)
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return json_array_size(exam.findings) ? EXIT_DIFFERS : EXIT_DONE;
}

void view_doctor(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *findings = json_object_get(result, "findings"), *finding;
	size_t i;

	(void)invocation;
	json_array_foreach (findings, i, finding) {
		fprintf(out, "%s: %s\n", view_text(finding, "area"), view_text(finding, "problem"));
		if (json_object_get(finding, "fix"))
			fprintf(out, "  fix: %s\n", view_text(finding, "fix"));
	}
	if (!json_array_size(findings))
		fprintf(out, "nothing found\n");
}
