/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a frame? By the program's own headers for the hash and the slot words, without
 * the program: of plain TCP, UDP and SCTP packets, none of which has a record here. */
#include "../plane/explain.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "../../bpf/hash.h"
#include "simulate.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define GUE_BYTES 8

/* --- the packet --- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool read_ip(const uint8_t *ip, size_t length, struct packet *out)
{
	if (length >= IPV4_BYTES && ip[0] == 0x45 && !(get16(ip + 6) & 0x3fff)) {
		out->family = 4;
		out->protocol = ip[9];
		out->length = get16(ip + 2);
		out->l4 = ETH_HLEN + IPV4_BYTES;
		memcpy(out->source, ip + 12, 4);
		memcpy(out->destination, ip + 16, 4);
		return true;
	}
	if (length < IPV6_BYTES || ip[0] >> 4 != 6)
		return false;
	out->family = 6;
	out->protocol = ip[6];
	out->length = get16(ip + 4) + IPV6_BYTES;
	out->l4 = ETH_HLEN + IPV6_BYTES;
	memcpy(out->source, ip + 8, 16);
	memcpy(out->destination, ip + 24, 16);
	return true;
}

static bool read_packet(const uint8_t *frame, size_t length, struct packet *out)
{
	const uint16_t type = get16(frame + 12);
	const uint8_t *l4;

	*out = (struct packet){.l3 = ETH_HLEN, .fault = LB_NEXT};
	if ((type != ETH_P_IP && type != ETH_P_IPV6) ||
	    !read_ip(frame + ETH_HLEN, length - ETH_HLEN, out))
		return false;
	l4 = frame + out->l4;
	if ((out->protocol != IPPROTO_TCP && out->protocol != IPPROTO_UDP &&
	     out->protocol != IPPROTO_SCTP) ||
	    length < out->l4 + (out->protocol == IPPROTO_UDP ? 8u : 14u))
		return false;
	out->has_ports = 1;
	memcpy(&out->ports, l4, sizeof(out->ports));
	if (out->protocol == IPPROTO_TCP)
		out->tcp_flags = l4[13];
	else if (out->protocol == IPPROTO_SCTP && l4[12] == 1)
		out->tcp_flags = TCP_SYN;
	return true;
}

static const struct lb_vip_value *find_vip(const struct datapath *datapath,
					   const struct packet *packet)
{
	struct lb_endpoint endpoint = {.address.family = packet->family,
				       .protocol = packet->protocol,
				       .port = ntohs(packet_dport(packet))};
	const struct simulated_entry *entry;

	memcpy(endpoint.address.bytes, packet->destination, packet->family == 4 ? 4 : 16);
	entry = simulated_find(datapath, &endpoint);
	return entry ? &entry->value : NULL;
}

/* --- its way --- */

static uint64_t hash_of(const struct packet *packet, uint32_t flags)
{
	const struct lb_hash_flow flow = {
		.source = {packet->source[0], packet->source[1]},
		.destination = {packet->destination[0], packet->destination[1]},
		.ports = packet->ports,
		.protocol = packet->protocol,
		.family = packet->family,
	};
	const uint64_t *seed = simulated_config()->seed;
	const volatile __u64 key[2] = {seed[0], seed[1]};

	return lb_hash_flow(key, &flow, flags);
}

static void choose_slot(const struct plane *plane, const struct lb_vip_value *vip,
			struct lb_explained *way)
{
	way->vip = vip->number;
	way->slots_start = vip->slots_start;
	way->slots_size = vip->slots_size;
	way->vip_flags = vip->flags;
	way->hash = hash_of(&way->packet, vip->flags);
	way->slot = lb_hash_slot(way->hash, vip->slots_size);
	way->slot_word = plane->slots[vip->slots_start + way->slot];
	way->stage = LB_EXPLAINED_SLOT;
}

/* Without a record: who opens a flow goes to the new owner, others to the one before. */
static uint16_t choose_member(const struct lb_explained *way)
{
	const uint16_t previous = lb_slot_previous(way->slot_word);
	const bool opens = (way->packet.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (previous == LB_NONE || opens)
		return lb_slot_current(way->slot_word);
	return previous;
}

/* --- what leaves --- */

static uint32_t outer_bytes(uint32_t flags)
{
	return (flags & LB_MEMBER_OUTER6 ? IPV6_BYTES : IPV4_BYTES) +
	       (flags & LB_MEMBER_GUE ? GUE_BYTES : 0);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Ethernet and IP as the program writes them, but for checksums, ports and what the hash fills in. */
static void wrap(const uint8_t *frame, size_t length, struct explained *out)
{
	const struct lb_member *member = &out->member;
	const uint32_t outer = outer_bytes(member->flags);
	uint8_t *ip = out->frame + ETH_HLEN;
	const uint8_t inner = out->way.packet.family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	const uint8_t protocol = member->flags & LB_MEMBER_GUE ? IPPROTO_UDP : inner;

	memset(out->frame, 0, ETH_HLEN + outer);
	memcpy(out->frame, out->nexthop.dst_mac, 6);
	memcpy(out->frame + 6, out->nexthop.src_mac, 6);
	memcpy(ip + outer, frame + ETH_HLEN, length - ETH_HLEN);
	if (member->flags & LB_MEMBER_OUTER6) {
		put16(out->frame + 12, ETH_P_IPV6);
		ip[0] = 0x60;
		put16(ip + 4, out->way.packet.length + outer - IPV6_BYTES);
		ip[6] = protocol;
		ip[7] = 64;
		memcpy(ip + 8, member->saddr, 16);
		memcpy(ip + 24, member->daddr, 16);
	} else {
		put16(out->frame + 12, ETH_P_IP);
		ip[0] = 0x45;
		put16(ip + 2, out->way.packet.length + outer);
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = protocol;
		memcpy(ip + 12, member->saddr, 4);
		memcpy(ip + 16, member->daddr, 4);
	}
	out->length = length + outer;
}

static uint32_t go_on(const struct plane *plane, const uint8_t *frame, size_t length,
		      struct explained *out)
{
	const uint16_t number = choose_member(&out->way);

	if (number == LB_NONE)
		return LB_DROP_NO_BACKEND;
	out->way.member = number;
	out->member = plane->members[number];
	out->way.nexthop = out->member.path[0];
	out->nexthop = plane->nexthops[out->way.nexthop];
	out->way.stage = LB_EXPLAINED_NEXTHOP;
	if (out->way.packet.length + outer_bytes(out->member.flags) > out->nexthop.mtu)
		return LB_TX_TOO_BIG;
	wrap(frame, length, out);
	return LB_TX;
}

int datapath_explain(struct datapath *datapath, const void *frame, size_t length, uint32_t ifindex,
		     struct explained *out, struct lb_err *err)
{
	const struct plane plane = datapath_plane(datapath);
	const struct lb_vip_value *vip;

	(void)ifindex;
	memset(out, 0, sizeof(*out) - sizeof(out->frame));
	if (!read_packet(frame, length, &out->way.packet))
		return lb_err_set(err, LB_ERR_REFUSED, "",
				  "in a simulation only TCP, UDP and SCTP packets are explained, "
				  "without options, fragments and VLAN tags");
	out->way.stage = LB_EXPLAINED_READ;
	out->length = length;
	memcpy(out->frame, frame, length);
	vip = find_vip(datapath, &out->way.packet);
	if (!vip) {
		out->verdict = LB_PASS_NOT_VIP;
		return 0;
	}
	choose_slot(&plane, vip, &out->way);
	out->verdict = go_on(&plane, frame, length, out);
	return 0;
}
