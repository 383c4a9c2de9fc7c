/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to be done at a backend that gets no packets through the tunnel? */
#include "advice.h"
#include <string.h>
#include "view.h"

/* "192.0.2.10" of "192.0.2.10:80/tcp", "2001:db8::1" of "[2001:db8::1]:80/tcp". */
json_t *advice_bare_address(const char *vip)
{
	if (*vip == '[')
		return json_stringn(vip + 1, strcspn(vip + 1, "]"));
	return json_stringn(vip, strcspn(vip, ":"));
}

static json_t *add_address(const char *vip)
{
	json_auto_t *address = advice_bare_address(vip);
	const char *text = json_string_value(address);

	return json_sprintf("ip address add %s/%d dev lo", text, strchr(text, ':') ? 128 : 32);
}

json_t *advice_silence(const char *vip)
{
	json_auto_t *command = add_address(vip);

	return json_sprintf("at the backend: \"%s\" if it lacks the "
			    "address; \"sysctl -w net.ipv4.conf.DEV.rp_filter=0\" where inner "
			    "packets appear; and the service must listen there",
			    json_string_value(command));
}

/* --- by a probe --- */

static bool is_true(const json_t *object, const char *field)
{
	return json_is_true(json_object_get(object, field));
}

/* The attempt of the kind, or NULL. */
static const json_t *attempt_of(const json_t *probe, const char *source, bool own, bool full)
{
	const json_t *attempt;
	size_t i;

	json_array_foreach (json_object_get(probe, "attempts"), i, attempt)
		if (!strcmp(view_text(attempt, "source"), source) &&
		    is_true(attempt, "own_address") == own && is_true(attempt, "full_mtu") == full)
			return attempt;
	return NULL;
}

static bool succeeded(const json_t *attempt)
{
	return attempt && !strcmp(view_text(attempt, "outcome"), "success");
}

/* A refusal is an answer, too: the packet has come to the backend's stack. */
static bool was_answered(const json_t *attempt)
{
	return succeeded(attempt) || (attempt && (strstr(view_text(attempt, "error"), "refused") ||
						  json_object_get(attempt, "answer")));
}

static json_t *of_silence(const json_t *probe)
{
	const char *vip = view_text(probe, "vip");

	if (was_answered(attempt_of(probe, "tunnel", true, false))) {
		json_auto_t *command = add_address(vip);

		return json_sprintf("the backend takes off the outer header and answers to its own "
				    "address, so it lacks the VIP: at the backend \"%s\"",
				    json_string_value(command));
	}
	if (was_answered(attempt_of(probe, "direct", false, false)))
		return json_string(
			"the backend answers directly but nothing that comes through the tunnel: "
			"at the backend \"sysctl -w net.ipv4.conf.DEV.rp_filter=0\", DEV and "
			"\"all\" "
			"being where inner packets appear, or a firewall there drops the outer "
			"packets");
	return json_string("the backend answers neither through the tunnel nor directly: is it up, "
			   "and does a firewall let this balancer through?");
}

json_t *advice_probe(const json_t *probe)
{
	const char *source = view_text(json_object_get(probe, "check"), "source");
	const json_t *small = attempt_of(probe, source, false, false);
	const json_t *full = attempt_of(probe, source, false, true);
	const bool tunnel = !strcmp(source, "tunnel");

	if (succeeded(small) && full && !succeeded(full))
		return json_string(
			"small packets arrive and those of full size do not: look at the "
			"MTU of every link on the way, \"ip link\" and \"ip route get\"");
	if (!tunnel || !small || was_answered(small) || json_object_get(probe, "refused") ||
	    strcmp(view_text(json_object_get(probe, "next_hop"), "state"), "resolved") != 0)
		return NULL;
	return of_silence(probe);
}
