// SPDX-License-Identifier: BSD-2-Clause
/* How is a packet told in JSON? */
#include "packet_json.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../api/addr.h"

json_t *address_json(const void *bytes, uint8_t family)
{
	struct lb_addr address = {.family = family};
	char text[LB_ADDR_TEXT];

	memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
	return json_string(lb_addr_format(&address, text));
}

json_t *member_json(const struct lb_member *member)
{
	return address_json(member->daddr, member->flags & LB_MEMBER_OUTER6 ? 6 : 4);
}

static void set_protocol(json_t *object, uint8_t number)
{
	const char *name = lb_protocol_name(number);

	if (number == IPPROTO_ICMP || number == IPPROTO_ICMPV6)
		name = number == IPPROTO_ICMP ? "icmp" : "icmpv6";
	json_object_set_new(object, "protocol",
			    name ? json_string(name) : json_sprintf("protocol %u", number));
}

static bool is_icmp(const struct packet *packet)
{
	return packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
}

static void set_icmp(json_t *object, const struct packet *packet)
{
	uint8_t bytes[4];

	memcpy(bytes, &packet->ports, sizeof(bytes));
	json_object_set_new(object, "icmp_type", json_integer(bytes[0]));
	json_object_set_new(object, "icmp_code", json_integer(bytes[1]));
}

/* What the transport header begins with. */
static void set_ports(json_t *object, const struct packet *packet)
{
	uint16_t port[2];

	if (packet->has_ports && is_icmp(packet))
		set_icmp(object, packet);
	if (!packet->has_ports || !lb_protocol_name(packet->protocol))
		return;
	memcpy(port, &packet->ports, sizeof(port));
	json_object_set_new(object, "source_port", json_integer(ntohs(port[0])));
	json_object_set_new(object, "destination_port", json_integer(ntohs(port[1])));
}

json_t *packet_json(const struct packet *packet)
{
	json_t *object;

	if (packet->family != 4 && packet->family != 6)
		return NULL;
	object =
		json_pack("{s:o, s:o, s:I}", "source", address_json(packet->source, packet->family),
			  "destination", address_json(packet->destination, packet->family),
			  "length", (json_int_t)packet->length);
	if (!object)
		return NULL;
	set_protocol(object, packet->protocol);
	set_ports(object, packet);
	if (packet->fragment)
		json_object_set_new(
			object, "fragment",
			json_string(packet->fragment == FRAGMENT_FIRST ? "first" : "later"));
	if (packet->quoted)
		json_object_set_new(object, "quoted_by_icmp", json_true());
	json_object_set_new(object, "opens",
			    json_boolean(!packet->quoted && packet->fragment != FRAGMENT_LATER &&
					 (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN));
	return object;
}

json_t *hex_json(const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * count + 1);
	json_t *text;

	if (!hex)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	text = json_stringn_nocheck(hex, 2 * count);
	free(hex);
	return text;
}
