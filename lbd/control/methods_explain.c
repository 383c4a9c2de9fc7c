// SPDX-License-Identifier: BSD-2-Clause
/* What would become of a packet, by which way, and why? */
#include "methods_explain.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/flow_word.h"
#include "../plane/explain.h"
#include "../plane/explain_packet.h"
#include "../plane/members.h"
#include "../route/links.h"
#include "../service/lists.h"
#include "packet_json.h"
#include "verdict_text.h"

#define SOURCE_PORT 49152 /* unless given: the first that a system gives by itself */
#define SHOWN_BYTES 128   /* of the frame that leaves: all headers, and some of the packet */
#define SECONDS_PER_UNIT 4.294967296

/* --- what is to be explained --- */

struct question {
	uint8_t *frame;
	size_t length;
	uint32_t ifindex; /* 0: no interface has the program */
};

static int at_param(int ret, struct lb_err *err, const char *param)
{
	if (ret)
		lb_err_prefix(err, "%s", param);
	return ret;
}

/* "10.0.0.1", "10.0.0.1:80", "[2001:db8::1]:80". */
static int parse_source(const char *text, struct explain_packet *to, struct lb_err *err)
{
	char endpoint[LB_ENDPOINT_TEXT + 8];
	struct lb_endpoint parsed;

	to->source_port = SOURCE_PORT;
	if (!lb_addr_parse(text, &to->source, err))
		return 0;
	snprintf(endpoint, sizeof(endpoint), "%s/tcp", text);
	if (lb_endpoint_parse_one(endpoint, &parsed, NULL))
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "\"%s\" is neither an address nor an address with a port", text);
	to->source = parsed.address;
	to->source_port = parsed.port;
	return 0;
}

/* An endpoint, an address (an echo request to it), or a VIP of the document. */
static int parse_destination(const struct lb_service *document, const char *text,
			     struct explain_packet *to, struct lb_err *err)
{
	struct lb_endpoint endpoint = {0};
	struct lb_vip *vip;
	int ret = 0;

	if (lb_endpoint_parse(text, &endpoint, NULL) &&
	    lb_addr_parse(text, &endpoint.address, NULL)) {
		ret = lb_service_get(document, text, &vip, err);
		if (!ret)
			endpoint = vip->endpoint;
	}
	if (!ret && endpoint.protocol && (!endpoint.port || lb_endpoint_is_wide(&endpoint))) {
		lb_err_set(err, LB_ERR_PARAMS, "", "\"%s\" has %s", text,
			   endpoint.host_bits ? "many addresses"
			   : endpoint.port    ? "many ports"
					      : "every port");
		ret = lb_err_hint(err, endpoint.host_bits
					       ? "name address and port: ADDRESS:PORT/PROTO"
					       : "name the port: ADDRESS:PORT/PROTO");
	}
	to->destination = endpoint.address;
	to->destination_port = endpoint.port;
	to->protocol = endpoint.protocol;
	return ret;
}

static int take_length(const json_t *value, struct explain_packet *packet, struct lb_err *err)
{
	const uint32_t least = explain_packet_least(packet);
	int64_t length = least;
	int ret = value ? lb_json_integer(value, "length", least, 65535, &length, err) : 0;

	packet->length = length;
	return ret;
}

static int build_packet(const struct lb_service *document, const json_t *source,
			const json_t *destination, const json_t *opens, const json_t *length,
			struct question *out, struct lb_err *err)
{
	struct explain_packet packet = {.opens = !opens || json_is_true(opens)};
	int ret = at_param(parse_source(json_string_value(source), &packet, err), err, "source");

	if (!ret)
		ret = at_param(
			parse_destination(document, json_string_value(destination), &packet, err),
			err, "destination");
	if (!ret && packet.source.family != packet.destination.family)
		ret = lb_err_set(err, LB_ERR_PARAMS, "source",
				 "source and destination are of different address families");
	if (!ret)
		ret = take_length(length, &packet, err);
	if (ret)
		return ret;
	out->frame = malloc(ETH_HLEN + packet.length);
	if (!out->frame)
		return lb_err_no_memory(err);
	out->length = explain_packet_frame(&packet, out->frame);
	return 0;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* White space between bytes is nothing. */
static int parse_frame(const char *hex, struct question *out, struct lb_err *err)
{
	out->frame = malloc(strlen(hex) / 2 + 1);
	if (!out->frame)
		return lb_err_no_memory(err);
	for (; *hex; hex++) {
		if (*hex == ' ' || *hex == '\n' || *hex == '\t' || *hex == '\r' || *hex == ':')
			continue;
		if (digit(hex[0]) < 0 || digit(hex[1]) < 0)
			return lb_err_set(err, LB_ERR_PARAMS, "",
					  "a frame is pairs of hex digits; byte %zu is none",
					  out->length + 1);
		out->frame[out->length++] = digit(hex[0]) << 4 | digit(hex[1]);
		hex++;
	}
	if (out->length >= EXPLAIN_FRAME_MIN && out->length <= EXPLAIN_FRAME_MAX)
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "",
			  "a frame has %d to %d bytes, with its Ethernet header; this one has %zu",
			  EXPLAIN_FRAME_MIN, EXPLAIN_FRAME_MAX, out->length);
}

/* The interface that is named, or the first one that has the program. */
static int take_interface(const struct methods_context *context, const json_t *name,
			  struct question *out, struct lb_err *err)
{
	for (size_t i = 0; i < context->config->interface_count; i++) {
		if (name && strcmp(json_string_value(name), context->config->interfaces[i]) != 0)
			continue;
		out->ifindex = context->attachments[i].ifindex;
		if (out->ifindex)
			return 0;
	}
	if (!name)
		return 0;
	return lb_err_set(err, LB_ERR_NOT_FOUND, "interface",
			  "lbd balances nothing that comes in by \"%s\"", json_string_value(name));
}

static int read_question(const struct methods_context *context, const json_t *params,
			 struct question *out, struct lb_err *err)
{
	const json_t *source, *destination, *opens, *length, *frame, *interface;
	const struct lb_json_field fields[] = {
		{"source", LB_JSON_STRING, false, &source},
		{"destination", LB_JSON_STRING, false, &destination},
		{"opens", LB_JSON_BOOLEAN, false, &opens},
		{"length", LB_JSON_INTEGER, false, &length},
		{"frame", LB_JSON_STRING, false, &frame},
		{"interface", LB_JSON_STRING, false, &interface},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = take_interface(context, interface, out, err);
	if (ret)
		return ret;
	if (frame && !source && !destination && !opens && !length)
		return at_param(parse_frame(json_string_value(frame), out, err), err, "frame");
	if (frame || !source || !destination)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "either source and destination are needed, or a frame alone");
	return build_packet(service_document(context->service), source, destination, opens, length,
			    out, err);
}

/* --- what is said of it --- */

struct answer {
	const struct methods_context *context;
	const struct explained *explained;
};

/* null for none. */
static json_t *member_numbered(const struct answer *answer, uint32_t number)
{
	const struct lb_member *members = datapath_members(answer->context->datapath);
	struct lb_member member;

	if (number == LB_NONE || number >= members_capacity(answer->context->config))
		return json_null();
	member = members[number];
	return member.flags & LB_MEMBER_VALID ? member_json(&member) : json_null();
}

static json_t *interface_json(const struct answer *answer, uint32_t ifindex)
{
	const struct link *link = links_find(answer->context->links, ifindex);

	return link ? json_string(link->is.name) : json_sprintf("interface %u", ifindex);
}

static json_t *vip_json(const struct answer *answer)
{
	const struct lb_explained *way = &answer->explained->way;
	const struct lb_vip *vip;
	char address[LB_ENDPOINT_TEXT];

	if (way->stage < LB_EXPLAINED_VIP)
		return NULL;
	vip = service_vip_numbered(answer->context->service, way->vip);
	if (!vip)
		return NULL;
	return json_pack("{s:s, s:s}", "name", vip->name, "address",
			 lb_endpoint_format(&vip->endpoint, address));
}

/* Which lists drop it, and for which prefix. */
static json_t *blocked_by_json(const struct answer *answer)
{
	const struct packet *packet = &answer->explained->way.packet;
	const struct lb_vip *vip =
		service_vip_numbered(answer->context->service, answer->explained->way.vip);
	struct lb_addr source = {.family = packet->family};

	if (answer->explained->verdict != LB_DROP_BLOCKED)
		return NULL;
	memcpy(source.bytes, packet->source, packet->family == 4 ? 4 : 16);
	return lists_blocking(answer->context->lists, &source, vip ? &vip->endpoint : NULL);
}

/* Rates of its VIP that it exceeds, also those that only count. */
static json_t *exceeds_json(const struct answer *answer)
{
	const struct explained *explained = answer->explained;
	const struct lb_vip *vip =
		service_vip_numbered(answer->context->service, explained->way.vip);
	json_t *rates = NULL;
	char text[LB_RATE_TEXT];

	for (unsigned int i = 0; vip && i < LB_RATES && vip->rates.rule[i].of; i++) {
		if (!explained->over.packets[i])
			continue;
		rates = rates ? rates : json_array();
		json_array_append_new(rates,
				      json_string(lb_rate_format(&vip->rates.rule[i], text)));
	}
	return rates;
}

static const char *slot_state(uint32_t word)
{
	if (lb_slot_is_settled(word))
		return lb_slot_current(word) == LB_NONE ? "ownerless" : "settled";
	return lb_slot_previous(word) == LB_NONE ? "tracked" : "moving";
}

static bool is_routed(const struct lb_explained *way)
{
	return way->quic_looked && way->quic_count == LB_QUIC_ROUTED;
}

/* What its connection id says. */
static json_t *quic_json(const struct answer *answer)
{
	static const struct {
		const char *name, *meaning;
	} counts[] = {
#define QUIC_COUNT_TEXT(id, name, meaning) {name, meaning},
		LB_QUIC_COUNT_LIST(QUIC_COUNT_TEXT)
#undef QUIC_COUNT_TEXT
	};
	const struct lb_explained *way = &answer->explained->way;
	struct lb_quic_server_id id = {.length = way->quic_word[1] >> 56};
	char text[LB_QUIC_ID_TEXT];
	json_t *object;

	if (!way->quic_looked)
		return NULL;
	object = json_pack("{s:s, s:s}", "id", counts[way->quic_count].name, "meaning",
			   counts[way->quic_count].meaning);
	if (object && way->quic_rotation < LB_QUIC_ROTATIONS)
		json_object_set_new(object, "cr", json_integer(way->quic_rotation));
	if (object && way->quic_encrypted)
		json_object_set_new(object, "encrypted", json_true());
	if (!object || !id.length || id.length > sizeof(id.bytes))
		return object;
	memcpy(id.bytes, way->quic_word, id.length);
	json_object_set_new(object, "server_id", json_string(lb_quic_id_format(&id, text)));
	return object;
}

static json_t *slot_json(const struct answer *answer)
{
	const struct lb_explained *way = &answer->explained->way;
	const char *state = slot_state(way->slot_word);
	json_t *object;

	if (way->stage < LB_EXPLAINED_SLOT || is_routed(way))
		return NULL;
	object = json_pack("{s:o, s:I, s:I, s:s, s:o}", "hash",
			   json_sprintf("%016" PRIx64, (uint64_t)way->hash), "number",
			   (json_int_t)way->slot, "of", (json_int_t)way->slots_size, "state", state,
			   "owner", member_numbered(answer, lb_slot_current(way->slot_word)));
	if (object && !strcmp(state, "moving"))
		json_object_set_new(object, "previous",
				    member_numbered(answer, lb_slot_previous(way->slot_word)));
	return object;
}

static const char *grade_text(uint32_t grade)
{
	switch (grade) {
	case LB_FLOW_FOUND:
		return "found";
	case LB_FLOW_NEW:
		return "new";
	case LB_FLOW_CLOSED:
		return "closed";
	}
	return grade >= LB_FLOW_PROVEN ? "proven" : "seen";
}

static json_t *word_json(const struct answer *answer, uint64_t word)
{
	const uint32_t age = flow_word_age(word, answer->explained->time);

	if (!word)
		return json_null();
	return json_pack("{s:o, s:s, s:I}", "backend",
			 member_numbered(answer, flow_word_member(word)), "grade",
			 grade_text(flow_word_grade(word)), "age_s",
			 (json_int_t)(age * SECONDS_PER_UNIT));
}

/* Of a slot where the flow table is asked; `did` names what it counted. */
static json_t *record_json(const struct answer *answer)
{
	static const char *const names[] = {
#define COUNT_NAME(id, name, meaning) name,
		LB_FLOW_COUNT_LIST(COUNT_NAME)
#undef COUNT_NAME
	};
	const struct explained *explained = answer->explained;
	json_t *did;

	if (explained->way.stage < LB_EXPLAINED_SLOT || is_routed(&explained->way) ||
	    !strcmp(slot_state(explained->way.slot_word), "settled"))
		return NULL;
	did = json_array();
	for (size_t i = 0; i < LB_FLOW_COUNT_COUNT; i++)
		if (explained->flow_counts[i])
			json_array_append_new(did, json_string(names[i]));
	return json_pack("{s:o, s:o, s:o}", "before", word_json(answer, explained->record), "after",
			 word_json(answer, explained->record_after), "did", did);
}

static json_t *backend_json(const struct answer *answer)
{
	const struct lb_member *member = &answer->explained->member;
	bool reserve;

	if (answer->explained->way.stage < LB_EXPLAINED_MEMBER)
		return NULL;
	reserve = service_in_reserve(answer->context->service, answer->explained->way.member);
	return json_pack("{s:o, s:b, s:b, s:o*}", "address", member_json(member), "takes_new_flows",
			 !!(member->flags & LB_MEMBER_NEW), "keeps_old_flows",
			 !!(member->flags & LB_MEMBER_OLD), "reserve",
			 reserve ? json_true() : NULL);
}

/* Who else is asked for the packet's connection, and for how many more there is no room. */
static json_t *second_chance_json(const struct answer *answer)
{
	const struct lb_explained *way = &answer->explained->way;
	json_t *backends, *object;

	if (way->stage < LB_EXPLAINED_MEMBER || !way->hops_listed)
		return NULL;
	backends = json_array();
	for (uint32_t i = 0; i < way->hops && i < LB_HOPS_MAX; i++)
		json_array_append_new(backends, member_json(&answer->explained->hop[i]));
	object = json_pack("{s:o}", "backends", backends);
	if (object && way->hops < way->hops_listed)
		json_object_set_new(object, "left_out", json_integer(way->hops_listed - way->hops));
	return object;
}

static json_t *mac_json(const uint8_t mac[6])
{
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			    mac[5]);
}

static json_t *next_hop_json(const struct answer *answer)
{
	const struct lb_nexthop *hop = &answer->explained->nexthop;
	json_t *object;

	if (answer->explained->way.stage < LB_EXPLAINED_NEXTHOP)
		return NULL;
	if (answer->explained->way.nexthop == LB_NEXTHOP_UNRESOLVED || !hop->valid)
		return json_pack("{s:s}", "state", "unresolved");
	object = json_pack("{s:s, s:o, s:o, s:o, s:I}", "state", "resolved", "interface",
			   interface_json(answer, hop->ifindex), "source_mac",
			   mac_json(hop->src_mac), "destination_mac", mac_json(hop->dst_mac), "mtu",
			   (json_int_t)hop->mtu);
	if (object && hop->vlan)
		json_object_set_new(object, "vlan", json_integer(hop->vlan & 0xfff));
	return object;
}

/* Whether the packet fits once it is wrapped. */
static json_t *mtu_json(const struct answer *answer)
{
	const struct explained *explained = answer->explained;
	const uint32_t outer = explained_outer_bytes(explained);
	const uint32_t wrapped = explained->way.packet.length + outer;

	if (explained->way.stage < LB_EXPLAINED_NEXTHOP ||
	    explained->way.nexthop == LB_NEXTHOP_UNRESOLVED)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:b}", "outer_bytes", (json_int_t)outer, "wrapped_length",
			 (json_int_t)wrapped, "mtu", (json_int_t)explained->nexthop.mtu, "fits",
			 wrapped <= explained->nexthop.mtu);
}

static bool is_forwarded(uint32_t verdict)
{
	return verdict == LB_TX || verdict == LB_REDIRECT;
}

/* As it stands in the frame that the program has made. */
static json_t *outer_json(const struct answer *answer)
{
	const struct explained *explained = answer->explained;
	const bool tagged = explained->nexthop.vlan;
	const uint8_t *ip = explained->frame + ETH_HLEN + (tagged ? 4 : 0);
	const bool gue = explained->way.hops || explained->member.flags & LB_MEMBER_GUE;
	uint8_t family;

	if (!is_forwarded(explained->verdict))
		return NULL;
	family = ip[0] >> 4;
	return json_pack("{s:s, s:o, s:o}", "encap", gue ? "gue" : "ipip", "source",
			 address_json(ip + (family == 4 ? 12 : 8), family), "destination",
			 address_json(ip + (family == 4 ? 16 : 24), family));
}

/* The beginning of what leaves, in hex. */
static json_t *frame_json(const struct answer *answer)
{
	const struct explained *explained = answer->explained;
	const size_t shown = explained->length < SHOWN_BYTES ? explained->length : SHOWN_BYTES;

	return json_pack("{s:I, s:o}", "length", (json_int_t)explained->length, "begins",
			 hex_json(explained->frame, shown));
}

static bool leaves(uint32_t verdict)
{
	return is_forwarded(verdict) || verdict == LB_TX_ECHO || verdict == LB_TX_TOO_BIG ||
	       verdict == LB_TX_SYN;
}

static json_t *answer_json(const struct answer *answer, uint32_t ifindex)
{
	const uint32_t verdict = answer->explained->verdict;

	return json_pack("{s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, "
			 "s:o*, s:o, s:o*}",
			 "interface", ifindex ? interface_json(answer, ifindex) : NULL, "packet",
			 packet_json(&answer->explained->way.packet), "vip", vip_json(answer),
			 "blocked_by", blocked_by_json(answer), "exceeds", exceeds_json(answer),
			 "quic", quic_json(answer), "slot", slot_json(answer), "record",
			 record_json(answer), "backend", backend_json(answer), "second_chance",
			 second_chance_json(answer), "next_hop", next_hop_json(answer), "mtu",
			 mtu_json(answer), "outer", outer_json(answer), "verdict",
			 verdict_json(verdict), "frame",
			 leaves(verdict) ? frame_json(answer) : NULL);
}

int methods_explain(struct methods_context *context, const json_t *params, json_t **result,
		    struct lb_err *err)
{
	struct explained *explained = malloc(sizeof(*explained));
	const struct answer answer = {context, explained};
	struct question question = {0};
	int ret = read_question(context, params, &question, err);

	if (!ret && !explained)
		ret = lb_err_no_memory(err);
	if (!ret)
		ret = datapath_explain(context->datapath, question.frame, question.length,
				       question.ifindex, explained, err);
	if (!ret)
		*result = answer_json(&answer, question.ifindex);
	free(question.frame);
	free(explained);
	return ret;
}

int methods_explain_interface(const struct methods_context *context, const json_t *name,
			      uint32_t *ifindex, struct lb_err *err)
{
	struct question question = {0};
	int ret = take_interface(context, name, &question, err);

	*ifindex = question.ifindex;
	return ret;
}

int methods_explain_frame(const struct methods_context *context, const char *hex, uint32_t ifindex,
			  struct explained *out, struct lb_err *err)
{
	struct question question = {.ifindex = ifindex};
	int ret = parse_frame(hex, &question, err);

	if (!ret)
		ret = datapath_explain(context->datapath, question.frame, question.length,
				       question.ifindex, out, err);
	free(question.frame);
	return ret;
}
