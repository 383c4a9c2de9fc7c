// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How does a health check reach a backend by the way that traffic takes?
 *
 * TC egress (clsact). lbd sends the check to the VIP's address from a socket whose mark names a
 * member. Here such a packet is wrapped and sent on as bpf/encap.h does it for a client's packet to
 * that member, with GUE and the VLAN tag of the way out where it has them; the backend answers this
 * node's own address directly. So the check fails, as traffic would, at a backend that does not
 * take the outer header off or does not have the VIP.
 *
 *   before             | Ethernet to anyone      | IP from us, to the VIP … |
 *   after   | Ethernet to next hop | outer IP | IP from us, to the VIP … |
 *
 * A packet without the mark goes on untouched, to other filters too. One that has it never leaves
 * as it is: by the plain way it would come back as anyone's traffic, and any backend would answer.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "encap.h"
#include "tunnel.h"

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
 * since a check fits a packet. Whatever has them all the same is not wrapped. */
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
	if (!encap_write(data, end, packet, choice, &untagged))
		return 0;
	return change_tag(skb, &macs, choice->nexthop);
}

static __always_inline int tunnel_check(struct __sk_buff *skb)
{
	struct choice choice = {.number = skb->mark & ~LB_TUNNEL_MARK_MASK};
	struct packet packet = {};

	if (choose_nexthop(&choice) != LB_NEXT || !parse_own(skb, &packet))
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
