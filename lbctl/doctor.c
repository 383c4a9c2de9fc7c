/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong, and what fixes it? Looks through what lbd says of itself, of the machine, of the ways
 * to backends and of their checks, and at which packets are dropped meanwhile. */
#include "doctor.h"
#include <errno.h>
#include <string.h>
#include "advice.h"
#include "args.h"
#include "client.h"
#include "sampler.h"
#include "units.h"
#include "view.h"

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

static void look_at_interface(const json_t *interface, json_t *findings)
{
	const char *name = view_text(interface, "name");
	const char *reason = json_string_value(json_object_get(interface, "reason"));

	if (is(interface, "link", "missing"))
		add(findings, "interface",
		    json_sprintf("interface %s of lbd.json is missing", name),
		    json_string("ip link"));
	else if (is(interface, "link", "down"))
		add(findings, "interface", json_sprintf("the link of %s is down", name),
		    json_sprintf("ip link set %s up", name));
	if (!is(interface, "link", "missing") && is(interface, "xdp_mode", "detached"))
		add(findings, "interface",
		    json_sprintf("nothing that comes in by %s is balanced%s%s", name,
				 reason ? ": " : "", reason ? reason : ""),
		    json_string("systemctl restart lbd"));
	if (is(interface, "xdp_mode", "generic"))
		add(findings, "interface",
		    json_sprintf(
			    "%s runs XDP in generic mode, which costs several times as much%s%s",
			    name, reason ? ": " : "", reason ? reason : ""),
		    json_string("\"xdp_mode\": \"native\" in lbd.json and \"systemctl restart "
				"lbd\" say why native mode is refused"));
}

static void look_at_interfaces(const json_t *result, json_t *findings)
{
	const json_t *interface;
	size_t i;

	json_array_foreach (json_object_get(result, "interfaces"), i, interface)
		look_at_interface(interface, findings);
}

/* --- ways to backends --- */

static void look_at_next_hop(const json_t *hop, json_t *findings)
{
	const char *interface = view_text(hop, "interface"), *gateway = view_text(hop, "gateway");
	char backends[UNITS_TEXT];

	if (is(hop, "state", "resolved"))
		return;
	add(findings, "next hop",
	    json_sprintf("packets for %s are dropped: next hop %s by %s is not resolved (%s)",
			 units_count(view_integer(hop, "backends"), "backend", backends), gateway,
			 interface, view_text(hop, "reason")),
	    json_sprintf("ip neigh show %s dev %s; ping -c 3 -I %s %s", gateway, interface,
			 interface, gateway));
}

static void look_at_ways(const json_t *status, json_t *findings)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(status, "next_hops"), i, entry)
		look_at_next_hop(entry, findings);
	json_array_foreach (json_object_get(status, "unroutable"), i, entry)
		add(findings, "route",
		    json_sprintf("there is no way to backend %s: %s", view_text(entry, "address"),
				 view_text(entry, "reason")),
		    json_sprintf("ip route get %s", view_text(entry, "address")));
}

/* --- backends --- */

/* Where a check through the tunnel gets no answer at all, and no ICMP message. */
static bool is_silent(const json_t *vip, const char *error)
{
	return is(json_object_get(vip, "health"), "source", "tunnel") &&
	       strncmp(error, "no ", 3) == 0 && !strstr(error, "does not take off");
}

static void look_at_backend(const json_t *vip, const json_t *backend, json_t *findings)
{
	const json_t *health = json_object_get(backend, "health");
	const char *error = json_string_value(json_object_get(health, "error"));
	const bool not_checked = json_is_true(json_object_get(health, "not_checked"));

	if (!health || (!is(health, "state", "unhealthy") && !not_checked))
		return;
	if (!error)
		error = "no reason known";
	add(findings, "backend",
	    json_sprintf("backend %s of VIP %s %s: %s", view_text(backend, "address"),
			 view_text(vip, "name"), not_checked ? "cannot be checked" : "is unhealthy",
			 error),
	    not_checked ? json_string("lbctl status")
	    : is_silent(vip, error)
		    ? advice_silence(view_text(vip, "address"))
		    : json_sprintf("lbctl backend list %s", view_text(vip, "name")));
}

static void look_at_vips(const json_t *result, json_t *findings)
{
	const json_t *vip, *backend;
	size_t i, j;

	json_array_foreach (json_object_get(result, "vips"), i, vip)
		json_array_foreach (json_object_get(vip, "backends"), j, backend)
			look_at_backend(vip, backend, findings);
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

static void look_at_verdict(const json_t *verdict, json_t *findings)
{
	double rate = view_number(verdict, "packets_per_s");

	for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++)
		if (rate > 0 && is(verdict, "name", drops[i].verdict))
			add(findings, "traffic",
			    json_sprintf("%.0f packets a second are %s: %s", rate, drops[i].verdict,
					 view_text(verdict, "meaning")),
			    json_string(drops[i].fix));
}

static int look_at_traffic(struct sampler *sampler, json_t *findings, struct lb_err *err)
{
	const json_t *stats, *verdict;
	int status = sampler_next(sampler, &stats, err);
	size_t i;

	if (status > 0)
		json_array_foreach (json_object_get(stats, "verdicts"), i, verdict)
			look_at_verdict(verdict, findings);
	return status < 0 ? status : 0;
}

/* --- all of it --- */

static int ask(const struct invocation *invocation, const char *method,
	       void (*look)(const json_t *result, json_t *findings), json_t *findings,
	       struct lb_err *err)
{
	json_auto_t *result = NULL;

	if (client_call(invocation->socket, CLIENT_TIMEOUT_S, method, NULL, &result, err))
		return -EINVAL;
	look(result, findings);
	return 0;
}

/* --- metrics --- */

/* Where the collector answers, what it says tells what to do. */
static void look_at_otlp(const json_t *otlp, json_t *findings)
{
	const char *error = json_string_value(json_object_get(otlp, "error"));
	const char *url = view_text(otlp, "url");

	if (!otlp || !error)
		return;
	add(findings, "otlp",
	    json_sprintf("metrics do not get to %s, or not all of them: %s", url, error),
	    strstr(error, "status 401") || strstr(error, "status 403")
		    ? json_string("otlp.headers_file in lbd.json, and systemctl restart lbd")
		    : json_sprintf("curl -v -H 'Content-Type: application/json' -d '{}' %s", url));
}

/* Problems that lbd has words for, with what to do. */
static void look_at_status(const json_t *status, json_t *findings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (json_object_get(status, "warnings"), i, warning)
		add(findings, "warning", json_incref((json_t *)warning), NULL);
	look_at_ways(status, findings);
	look_at_otlp(json_object_get(status, "otlp"), findings);
}

static int look(const struct invocation *invocation, json_t *findings, struct lb_err *err)
{
	struct sampler sampler;
	int status = sampler_open(&sampler, invocation, NULL, err);

	if (!status)
		status = ask(invocation, "iface.list", look_at_interfaces, findings, err);
	if (!status)
		status = ask(invocation, "status", look_at_status, findings, err);
	if (!status)
		status = ask(invocation, "vip.list", look_at_vips, findings, err);
	if (!status)
		status = look_at_traffic(&sampler, findings, err);
	sampler_close(&sampler);
	return status;
}

enum exit_code doctor_run(const struct invocation *invocation, struct output *output)
{
	json_auto_t *result = json_pack("{s:[]}", "findings");
	const json_t *findings = json_object_get(result, "findings");
	struct lb_err err = {0};

	if (look(invocation, (json_t *)findings, &err))
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return json_array_size(findings) ? EXIT_DIFFERS : EXIT_DONE;
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
