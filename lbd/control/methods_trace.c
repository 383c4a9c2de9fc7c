// SPDX-License-Identifier: BSD-2-Clause
/* Which packets does a client want to see? */
#include "methods_trace.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "../plane/members.h"
#include "tracer.h"
#include "verdict_text.h"

#define EVERY_MAX 1000000000
#define SNAP_MIN 14 /* an Ethernet header */
#define SNAP 128
#define RATE 1000
#define SECONDS 60

static int at_param(int ret, struct lb_err *err, const char *param)
{
	if (ret)
		lb_err_prefix(err, "%s", param);
	return ret;
}

/* --- one wish each; `value` is there --- */

/* Of a name that a pool and a VIP have, the pool is meant. */
static int want_vip(const struct methods_context *context, const char *reference,
		    struct lb_trace_filter *filter, struct lb_err *err)
{
	const struct lb_service *document = service_document(context->service);
	const struct lb_pool *pool = lb_service_find_pool(document, reference);
	struct lb_vip *vip;
	int ret;

	if (pool) {
		filter->pool = service_pool_number(context->service, pool);
		return 0;
	}
	ret = lb_service_get(document, reference, &vip, err);
	if (!ret)
		filter->vip = service_vip_number(context->service, vip);
	return ret;
}

/* A backend that was removed still gets packets for a while, and is a member. */
static bool is_backend(const struct methods_context *context, const struct lb_addr *address)
{
	const struct lb_member *members = datapath_members(context->datapath);
	const bool six = address->family == 6;

	for (uint32_t i = 0; i < members_capacity(context->config); i++)
		if (members[i].flags & LB_MEMBER_VALID &&
		    !(members[i].flags & LB_MEMBER_OUTER6) != six &&
		    !memcmp(members[i].daddr, address->bytes, sizeof(address->bytes)))
			return true;
	return false;
}

static int want_backend(const struct methods_context *context, const char *text,
			struct lb_trace_filter *filter, struct lb_err *err)
{
	struct lb_addr address;
	int ret = lb_addr_parse(text, &address, err);

	if (!ret && !is_backend(context, &address)) {
		lb_err_set(err, LB_ERR_NOT_FOUND, "", "no backend has the address %s", text);
		ret = lb_err_hint(err, "see those there are: lbctl backend list");
	}
	if (ret)
		return ret;
	memcpy(filter->backend, address.bytes, sizeof(address.bytes));
	filter->has_backend = 1;
	return 0;
}

static int want_family(struct lb_trace_filter *filter, uint8_t family, struct lb_err *err)
{
	if (filter->family && filter->family != family)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "source and destination are of different address families");
	filter->family = family;
	return 0;
}

static int want_prefix(const char *text, struct lb_trace_filter *filter, __u64 address[2],
		       __u64 mask[2], struct lb_err *err)
{
	uint8_t bits[16] = {0};
	struct lb_prefix prefix;
	int ret = lb_prefix_parse(text, &prefix, err);

	if (!ret)
		ret = want_family(filter, prefix.address.family, err);
	if (ret)
		return ret;
	for (int i = 0; i < prefix.length; i++)
		bits[i / 8] |= 0x80 >> i % 8;
	memcpy(address, prefix.address.bytes, sizeof(prefix.address.bytes));
	memcpy(mask, bits, sizeof(bits));
	return 0;
}

static int want_protocol(const char *name, struct lb_trace_filter *filter, struct lb_err *err)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = {
		{"tcp", IPPROTO_TCP},   {"udp", IPPROTO_UDP},       {"sctp", IPPROTO_SCTP},
		{"icmp", IPPROTO_ICMP}, {"icmpv6", IPPROTO_ICMPV6},
	};

	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (!strcmp(name, protocols[i].name))
			filter->protocol = protocols[i].number;
	if (filter->protocol)
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "",
			  "\"%s\" is not one of tcp, udp, sctp, icmp, icmpv6", name);
}

static int want_verdict(const char *name, struct lb_trace_filter *filter, struct lb_err *err)
{
	filter->verdicts = verdict_mask(name);
	if (filter->verdicts)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "no verdict \"%s\"", name);
	return lb_err_hint(err, "one of pass, forward, answer and drop, or a name of \"lbctl stats "
				"--all\"");
}

static int want_interface(const char *name, struct lb_trace_filter *filter, struct lb_err *err)
{
	filter->ifindex = if_nametoindex(name);
	return filter->ifindex ? 0
			       : lb_err_set(err, LB_ERR_NOT_FOUND, "", "no interface \"%s\"", name);
}

static int take_number(const json_t *value, const char *name, int64_t least, int64_t most,
		       uint32_t *out, struct lb_err *err)
{
	int64_t number = *out;
	int ret = value ? lb_json_integer(value, name, least, most, &number, err) : 0;

	*out = number;
	return ret;
}

/* --- all of them --- */

struct wishes {
	const json_t *vip, *backend, *source, *destination, *port, *protocol, *verdict, *interface,
		*sample, *snap, *rate, *seconds, *count;
};

static int read_wishes(const json_t *params, struct wishes *out, struct lb_err *err)
{
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, false, &out->vip},
		{"backend", LB_JSON_STRING, false, &out->backend},
		{"source", LB_JSON_STRING, false, &out->source},
		{"destination", LB_JSON_STRING, false, &out->destination},
		{"port", LB_JSON_INTEGER, false, &out->port},
		{"protocol", LB_JSON_STRING, false, &out->protocol},
		{"verdict", LB_JSON_STRING, false, &out->verdict},
		{"interface", LB_JSON_STRING, false, &out->interface},
		{"sample", LB_JSON_INTEGER, false, &out->sample},
		{"snap", LB_JSON_INTEGER, false, &out->snap},
		{"rate", LB_JSON_INTEGER, false, &out->rate},
		{"seconds", LB_JSON_INTEGER, false, &out->seconds},
		{"count", LB_JSON_INTEGER, false, &out->count},
		{0},
	};

	return lb_json_fields(params, fields, err);
}

static int take_packet(const struct wishes *wishes, struct lb_trace_filter *filter,
		       struct lb_err *err)
{
	uint32_t port = 0;
	int ret = take_number(wishes->port, "port", 1, 65535, &port, err);

	filter->port = htons(port);
	if (!ret && wishes->source)
		ret = at_param(want_prefix(json_string_value(wishes->source), filter,
					   filter->source, filter->source_mask, err),
			       err, "source");
	if (!ret && wishes->destination)
		ret = at_param(want_prefix(json_string_value(wishes->destination), filter,
					   filter->destination, filter->destination_mask, err),
			       err, "destination");
	if (!ret && wishes->protocol)
		ret = at_param(want_protocol(json_string_value(wishes->protocol), filter, err), err,
			       "protocol");
	return ret;
}

static int take_outcome(const struct methods_context *context, const struct wishes *wishes,
			struct lb_trace_filter *filter, struct lb_err *err)
{
	int ret = 0;

	filter->vip = filter->pool = LB_TRACE_NONE;
	if (wishes->vip)
		ret = at_param(want_vip(context, json_string_value(wishes->vip), filter, err), err,
			       "vip");
	if (!ret && wishes->backend)
		ret = at_param(
			want_backend(context, json_string_value(wishes->backend), filter, err), err,
			"backend");
	if (!ret && wishes->verdict)
		ret = at_param(want_verdict(json_string_value(wishes->verdict), filter, err), err,
			       "verdict");
	if (!ret && wishes->interface)
		ret = at_param(want_interface(json_string_value(wishes->interface), filter, err),
			       err, "interface");
	return ret;
}

static int take_bounds(const struct wishes *wishes, struct tracer_wish *wish, struct lb_err *err)
{
	struct lb_trace_filter *filter = &wish->filter;
	int ret;

	filter->every = 1;
	filter->snap = SNAP;
	wish->rate = RATE;
	wish->seconds = SECONDS;
	ret = take_number(wishes->sample, "sample", 1, EVERY_MAX, &filter->every, err);
	if (!ret)
		ret = take_number(wishes->snap, "snap", SNAP_MIN, LB_TRACE_SNAP_MAX, &filter->snap,
				  err);
	if (!ret)
		ret = take_number(wishes->rate, "rate", 1, TRACE_RATE_MAX, &wish->rate, err);
	if (!ret)
		ret = take_number(wishes->seconds, "seconds", 1, TRACE_SECONDS_MAX, &wish->seconds,
				  err);
	return ret ? ret : take_number(wishes->count, "count", 1, UINT32_MAX, &wish->count, err);
}

int methods_trace(struct methods_context *context, const json_t *params, json_t **result,
		  struct lb_err *err)
{
	struct tracer_wish wish = {0};
	struct wishes wishes;
	int ret = read_wishes(params, &wishes, err);

	if (!ret)
		ret = take_packet(&wishes, &wish.filter, err);
	if (!ret)
		ret = take_outcome(context, &wishes, &wish.filter, err);
	if (!ret)
		ret = take_bounds(&wishes, &wish, err);
	if (!ret)
		ret = tracer_start(context, &wish, err);
	if (!ret)
		*result = json_pack("{s:b, s:I}", "tracing", true, "seconds",
				    (json_int_t)wish.seconds);
	return ret;
}
