// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How does a health check reach a backend by the way that traffic takes?
 *
 * lbd connects the check's socket to the backend's own address, so that the kernel chooses the
 * source address and the interface as for the backend, whatever route it has to the VIP. The mark
 * of the socket names a member.
 *
 * TC egress (clsact), `tunnel`: in a packet with the mark the backend's address becomes the VIP's.
 * Then it is wrapped and sent on as bpf/encap.h does it for a client's packet to that member, with
 * GUE and the VLAN tag of the way out where it has them. So the check fails, as traffic would, at a
 * backend that does not take the outer header off or does not have the VIP.
 *
 *   before             | Ethernet to anyone      | IP from us, to the backend … |
 *   after   | Ethernet to next hop | outer IP | IP from us, to the VIP …        |
 *
 * TC ingress, `answer`: the backend answers this node's own address from the VIP's. In such an
 * answer the VIP's address becomes the backend's again, also in what an ICMP error quotes. That is
 * before routing, so neither rp_filter nor a VIP on this node's own lo is in the way.
 *
 * Where VIP and backend differ in family the socket is connected to the VIP, and no address
 * changes.
 *
 * A packet without the mark goes on untouched, to other filters too. One that has it never leaves
 * as it is: by the plain way it would be answered without the tunnel.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stddef.h>
#include "abi.h"
#include "encap.h"
#include "tunnel.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by lbd: as many as `members` */
	__type(key, __u32);
	__type(value, struct lb_tunnel_vip);
} checked_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024); /* set by lbd */
	__type(key, struct lb_tunnel_flow);
	__type(value, struct lb_tunnel_peer);
} checks SEC(".maps");

/* --- changing an address --- */

#define UDP_CHECK 6
#define TCP_CHECK 16
#define ICMP6_CHECK 2

static __always_inline int is_same(const __be32 *a, const __be32 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* `at`: of the address. `flags`: of bpf_l4_csum_replace. ICMP over IPv4 has no pseudo-header. */
static __always_inline int change4(struct __sk_buff *skb, __u32 at, __u8 protocol, __be32 from,
				   __be32 to)
{
	const __u32 l4 = ETH_HLEN + sizeof(struct iphdr);
	const __u64 flags = BPF_F_PSEUDO_HDR | sizeof(to);

	if (protocol == IPPROTO_TCP && bpf_l4_csum_replace(skb, l4 + TCP_CHECK, from, to, flags))
		return 0;
	if (protocol == IPPROTO_UDP &&
	    bpf_l4_csum_replace(skb, l4 + UDP_CHECK, from, to, flags | BPF_F_MARK_MANGLED_0))
		return 0;
	return !bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), from, to,
				    sizeof(to)) &&
	       !bpf_skb_store_bytes(skb, at, &to, sizeof(to), 0);
}

/* `flags`: BPF_F_PSEUDO_HDR on the way out, where the checksum may be unfinished; 0 on the way in,
 * where the flag would spoil the sum that the card has made (CHECKSUM_COMPLETE). */
static __always_inline int change6(struct __sk_buff *skb, __u32 at, __u8 protocol, __be32 *from,
				   __be32 *to, __u64 flags)
{
	const __u32 l4 = ETH_HLEN + sizeof(struct ipv6hdr);
	const __s64 difference = bpf_csum_diff(from, 16, to, 16, 0);
	__u32 check = l4 + TCP_CHECK;

	if (difference < 0)
		return 0;
	if (protocol == IPPROTO_UDP) {
		check = l4 + UDP_CHECK;
		flags |= BPF_F_MARK_MANGLED_0;
	} else if (protocol == IPPROTO_ICMPV6) {
		check = l4 + ICMP6_CHECK;
	}
	return !bpf_l4_csum_replace(skb, check, 0, difference, flags) &&
	       !bpf_skb_store_bytes(skb, at, to, 16, 0);
}

/* --- out: from the backend's address to the VIP's --- */

/* An IP header and the ports behind it, as they are in a check and in what an error quotes. */
struct header4 {
	struct iphdr ip;
	__be16 source, destination;
};

struct header6 {
	struct ipv6hdr ip;
	__be16 source, destination;
};

static __always_inline int to_vip4(struct __sk_buff *skb, const struct lb_tunnel_vip *vip)
{
	struct lb_tunnel_flow flow = {.family = 4};
	struct lb_tunnel_peer peer = {};
	struct header4 header;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)) || header.ip.ihl != 5)
		return 0;
	if (header.ip.daddr == vip->address[0])
		return 1;
	flow.protocol = header.ip.protocol;
	flow.own[0] = header.ip.saddr;
	flow.vip[0] = vip->address[0];
	flow.own_port = header.source;
	flow.vip_port = header.destination;
	peer.address[0] = header.ip.daddr;
	return !bpf_map_update_elem(&checks, &flow, &peer, BPF_ANY) &&
	       change4(skb, ETH_HLEN + offsetof(struct iphdr, daddr), header.ip.protocol,
		       header.ip.daddr, vip->address[0]);
}

static __always_inline int to_vip6(struct __sk_buff *skb, const struct lb_tunnel_vip *vip)
{
	struct lb_tunnel_flow flow = {.family = 6};
	struct lb_tunnel_peer peer;
	struct header6 header;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)))
		return 0;
	__builtin_memcpy(flow.own, &header.ip.saddr, sizeof(flow.own));
	__builtin_memcpy(flow.vip, vip->address, sizeof(flow.vip));
	__builtin_memcpy(peer.address, &header.ip.daddr, sizeof(peer.address));
	if (is_same(peer.address, flow.vip))
		return 1;
	flow.protocol = header.ip.nexthdr;
	flow.own_port = header.source;
	flow.vip_port = header.destination;
	return !bpf_map_update_elem(&checks, &flow, &peer, BPF_ANY) &&
	       change6(skb, ETH_HLEN + offsetof(struct ipv6hdr, daddr), header.ip.nexthdr,
		       peer.address, flow.vip, BPF_F_PSEUDO_HDR);
}

static __always_inline int to_vip(struct __sk_buff *skb, __u32 number)
{
	const struct lb_tunnel_vip *vip = bpf_map_lookup_elem(&checked_vips, &number);

	if (vip && vip->family == 4 && skb->protocol == bpf_htons(ETH_P_IP))
		return to_vip4(skb, vip);
	if (vip && vip->family == 6 && skb->protocol == bpf_htons(ETH_P_IPV6))
		return to_vip6(skb, vip);
	return 0;
}

/* --- in: from the VIP's address to the backend's --- */

static __always_inline void from_vip4(struct __sk_buff *skb)
{
	struct lb_tunnel_flow flow = {.family = 4};
	const struct lb_tunnel_peer *peer;
	struct header4 header, quoted;
	const __u32 quote = ETH_HLEN + sizeof(struct iphdr) + 8;
	__u8 error;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)) || header.ip.ihl != 5)
		return;
	error = header.ip.protocol == IPPROTO_ICMP;
	flow.protocol = header.ip.protocol;
	flow.own[0] = header.ip.daddr;
	flow.vip[0] = header.ip.saddr;
	flow.own_port = header.destination;
	flow.vip_port = header.source;
	if (error) {
		if (bpf_skb_load_bytes(skb, quote, &quoted, sizeof(quoted)) || quoted.ip.ihl != 5)
			return;
		flow.protocol = quoted.ip.protocol;
		flow.own[0] = quoted.ip.saddr;
		flow.vip[0] = quoted.ip.daddr;
		flow.own_port = quoted.source;
		flow.vip_port = quoted.destination;
	}
	peer = bpf_map_lookup_elem(&checks, &flow);
	if (!peer)
		return;
	/* The ICMP checksum stays right: the quoted header's own makes up for its address. */
	if (error) {
		bpf_l3_csum_replace(skb, quote + offsetof(struct iphdr, check), flow.vip[0],
				    peer->address[0], 4);
		bpf_skb_store_bytes(skb, quote + offsetof(struct iphdr, daddr), peer->address, 4,
				    0);
	}
	if (header.ip.saddr == flow.vip[0])
		change4(skb, ETH_HLEN + offsetof(struct iphdr, saddr), header.ip.protocol,
			flow.vip[0], peer->address[0]);
}

static __always_inline void from_vip6(struct __sk_buff *skb)
{
	struct lb_tunnel_flow flow = {.family = 6};
	const struct lb_tunnel_peer *found;
	struct lb_tunnel_peer peer;
	struct header6 header, quoted;
	const __u32 quote = ETH_HLEN + sizeof(struct ipv6hdr) + 8;
	__u8 error;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)))
		return;
	error = header.ip.nexthdr == IPPROTO_ICMPV6;
	flow.protocol = header.ip.nexthdr;
	__builtin_memcpy(flow.own, &header.ip.daddr, sizeof(flow.own));
	__builtin_memcpy(flow.vip, &header.ip.saddr, sizeof(flow.vip));
	flow.own_port = header.destination;
	flow.vip_port = header.source;
	if (error) {
		if (bpf_skb_load_bytes(skb, quote, &quoted, sizeof(quoted)))
			return;
		flow.protocol = quoted.ip.nexthdr;
		__builtin_memcpy(flow.own, &quoted.ip.saddr, sizeof(flow.own));
		__builtin_memcpy(flow.vip, &quoted.ip.daddr, sizeof(flow.vip));
		flow.own_port = quoted.source;
		flow.vip_port = quoted.destination;
	}
	found = bpf_map_lookup_elem(&checks, &flow);
	if (!found)
		return;
	peer = *found;
	if (error)
		change6(skb, quote + offsetof(struct ipv6hdr, daddr), IPPROTO_ICMPV6, flow.vip,
			peer.address, 0);
	if (is_same((__be32 *)&header.ip.saddr, flow.vip))
		change6(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), header.ip.nexthdr,
			flow.vip, peer.address, 0);
}

SEC("tc")
int answer(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		from_vip4(skb);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		from_vip6(skb);
	return TC_ACT_UNSPEC;
}

/* --- the tunnel --- */

#define PORTS_OFFSET_MAX (ETH_HLEN + sizeof(struct ipv6hdr))

static __always_inline int parse_own4(void *at, void *end, struct packet *packet)
{
	struct iphdr *ip = at;

	if ((void *)(ip + 1) + 4 > end || ip->ihl != 5)
		return 0;
	packet->family = 4;
	packet->protocol = ip->protocol;
	packet->tos = ip->tos;
	packet->length = bpf_ntohs(ip->tot_len);
	packet->source[0] = ip->saddr;
	packet->destination[0] = ip->daddr;
	packet->ports = *(__be32 *)(ip + 1);
	return 1;
}

static __always_inline int parse_own6(void *at, void *end, struct packet *packet)
{
	struct ipv6hdr *ip = at;
	__u64 *words = at;

	if ((void *)(ip + 1) + 4 > end)
		return 0;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	packet->tos = bpf_ntohs(*(__be16 *)at) >> 4;
	packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	packet->source[0] = words[1];
	packet->source[1] = words[2];
	packet->destination[0] = words[3];
	packet->destination[1] = words[4];
	packet->ports = *(__be32 *)(ip + 1);
	return 1;
}

/* What our own kernel has made needs no suspicion: no options, no extension headers, no fragments,
 * since a check fits a packet. Whatever has them nevertheless is not wrapped. */
static __always_inline int parse_own(struct __sk_buff *skb, struct packet *packet)
{
	void *data, *end;

	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_pull_data(skb, PORTS_OFFSET_MAX + 4))
			return 0;
	} else if (bpf_skb_pull_data(skb, ETH_HLEN + sizeof(struct iphdr) + 4)) {
		return 0;
	}
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return parse_own6(data + ETH_HLEN, end, packet);
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return parse_own4(data + ETH_HLEN, end, packet);
	return 0;
}

static __always_inline int make_room(struct __sk_buff *skb, const struct choice *choice)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	if (choice->flags & LB_MEMBER_GUE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (choice->flags & LB_MEMBER_OUTER6)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	else
		flags |= BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	return bpf_skb_adjust_room(skb, encap_bytes(choice->flags), BPF_ADJ_ROOM_MAC, flags);
}

/* The kernel keeps a tag beside the frame until it leaves, and so do we. The one that the packet
 * has already, where its own route goes by a VLAN device, gives way to that of the next hop. */
static __always_inline int change_tag(struct __sk_buff *skb, const struct macs *macs,
				      const struct lb_nexthop *nexthop)
{
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return 0;
	if (!encap_tag_bytes(macs))
		return 1;
	return !bpf_skb_vlan_push(skb, *(volatile __be16 *)&nexthop->vlan_protocol,
				  macs->src >> 48);
}

/* encap() of encap.h, for an skb. */
static __always_inline int wrap(struct __sk_buff *skb, const struct packet *packet,
				const struct choice *choice)
{
	struct macs macs, untagged;
	void *data, *end;

	if (encap_macs(choice->nexthop, &macs) != LB_NEXT)
		return 0;
	if (packet->length + encap_bytes(choice->flags) > choice->nexthop->mtu ||
	    make_room(skb, choice))
		return 0;
	untagged = (struct macs){macs.dst, macs.src << 16 >> 16};
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (!encap_write(data, end, packet, choice, &untagged,
			 packet->length + encap_bytes(choice->flags)))
		return 0;
	return change_tag(skb, &macs, choice->nexthop);
}

static __always_inline int tunnel_check(struct __sk_buff *skb)
{
	struct choice choice = {.number = skb->mark & ~LB_TUNNEL_MARK_MASK};
	struct packet packet = {};

	if (choose_nexthop(&choice, LB_DROP_INTERNAL) != LB_NEXT || !to_vip(skb, choice.number) ||
	    !parse_own(skb, &packet))
		return TC_ACT_SHOT;
	choice.hash = flow_hash(&packet, 0);
	if (!wrap(skb, &packet, &choice))
		return TC_ACT_SHOT;
	skb->mark = 0; /* wrapped: this program may see it again on its way out */
	return bpf_redirect(choice.nexthop->ifindex, 0);
}

SEC("tc")
int tunnel(struct __sk_buff *skb)
{
	if ((skb->mark & LB_TUNNEL_MARK_MASK) != LB_TUNNEL_MARK)
		return TC_ACT_UNSPEC;
	return tunnel_check(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
