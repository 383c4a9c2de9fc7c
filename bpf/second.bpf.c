/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How does a backend pass a packet on that another backend has the connection of?
 *
 * TC ingress, `second`: a packet with a list (outer.h) that is not for this backend (second.h) goes
 * to the next of the list, with this host's address as its outer source:
 *
 *	[IP balancer -> here][UDP][GUE][next 0 of 2: A, B][inner …]
 *	[IP here     -> A   ][UDP][GUE][next 1 of 2: A, B][inner …]
 *
 * What is accepted goes to the stack as it came, where a kernel's GUE receiver takes the headers
 * off; it knows nothing of the list. Where decap.bpf.c does that, XDP comes first, and only what is
 * to be passed on arrives here.
 *
 * Passing on is done here and not in XDP, since bpf_redirect_neigh finds route and neighbour on
 * hosts that forward nothing, and waits for a neighbour that is not known yet.
 *
 * It answers balancers, too, that ask what was lost here (second_answer.h).
 *
 * Two lists of prefixes say what is done, and without them nothing is: second_sources, who may send
 * a list, and second_hops, where packets may be passed on to.
 */
#define SECOND_CONTEXT struct __sk_buff
#define SECOND_LOAD bpf_skb_load_bytes

#include <stddef.h>
#include <linux/pkt_cls.h>
#include "second.h"
#include "second_answer.h"

#define PACKET_HOST 0
#define HEADERS_MAX                                                                                \
	(ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct udphdr) + sizeof(struct gue_list))

/* The other backends. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SECOND_PREFIXES_MAX);
	__type(key, struct second_prefix);
	__type(value, __u32); /* the interface to them; 0: the one that the packet came by */
} second_hops SEC(".maps");

static __always_inline enum outcome parse(struct __sk_buff *skb, struct outer *outer)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + HEADERS_MAX > end && skb->len >= HEADERS_MAX) {
		bpf_skb_pull_data(skb, HEADERS_MAX);
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	return parse_outer(data + ETH_HLEN, end, skb->protocol, skb->len - ETH_HLEN, outer);
}

static __always_inline int load_hop(struct __sk_buff *skb, const struct outer *outer, __be32 hop[4])
{
	const __u32 at = ETH_HLEN + outer->list + 4; /* type, next and count come first */

	if (outer->family == 4)
		return bpf_skb_load_bytes(skb, at + outer->next * 4, &hop[3], 4);
	return bpf_skb_load_bytes(skb, at + outer->next * 16, hop, 16);
}

static __always_inline int write_next(struct __sk_buff *skb, const struct outer *outer)
{
	const __u8 numbers[2] = {outer->next + 1, outer->count};

	return bpf_skb_store_bytes(skb, ETH_HLEN + outer->list + 2, numbers, sizeof(numbers),
				   BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int write_outer4(struct __sk_buff *skb, __be32 hop)
{
	struct iphdr ip;
	__s64 sum;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return -1;
	ip.saddr = ip.daddr;
	ip.daddr = hop;
	ip.ttl--;
	ip.check = 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	ip.check = ~sum;
	return bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int write_outer6(struct __sk_buff *skb, const __be32 hop[4])
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return -1;
	ip.saddr = ip.daddr;
	__builtin_memcpy(&ip.daddr, hop, sizeof(ip.daddr));
	ip.hop_limit--;
	return bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline bool ttl_is_left(struct __sk_buff *skb, const struct outer *outer)
{
	const __u32 at = ETH_HLEN + (outer->family == 4 ? offsetof(struct iphdr, ttl)
							: offsetof(struct ipv6hdr, hop_limit));
	__u8 ttl = 0;

	return !bpf_skb_load_bytes(skb, at, &ttl, sizeof(ttl)) && ttl > 1;
}

static __always_inline bool is_here(const struct outer *outer, const __be32 hop[4])
{
	__be32 differ = 0;

	for (int i = 0; i < 4; i++)
		differ |= hop[i] ^ outer->destination[i];
	return !differ;
}

/* A packet that is half changed when a helper fails must not go on to the stack. */
static __always_inline int pass_on(struct __sk_buff *skb, const struct outer *outer)
{
	struct second_prefix key;
	__be32 hop[4] = {};
	__u32 *interface;

	if (load_hop(skb, outer, hop))
		return TC_ACT_SHOT;
	key = second_key(outer->family, hop);
	interface = bpf_map_lookup_elem(&second_hops, &key);
	if (!interface || is_here(outer, hop)) {
		second_count(SECOND_REFUSED_HOP);
		return TC_ACT_SHOT;
	}
	if (!ttl_is_left(skb, outer)) {
		second_count(SECOND_TTL);
		return TC_ACT_SHOT;
	}
	if (write_next(skb, outer) ||
	    (outer->family == 4 ? write_outer4(skb, hop[3]) : write_outer6(skb, hop)))
		return TC_ACT_SHOT;
	second_count(SECOND_PASSED_ON);
	return bpf_redirect_neigh(*interface ? *interface : skb->ifindex, NULL, 0, 0);
}

static __always_inline int look(struct __sk_buff *skb, const struct outer *outer)
{
	enum second result;

	if (!second_is_believed(outer))
		result = SECOND_OTHER_SOURCE;
	else if (is_forwarded(skb, skb->ifindex, outer))
		result = SECOND_OTHER_DESTINATION;
	else
		result = second_choose(skb, outer);
	if (!outer->list) {
		second_count_plain(result);
		return TC_ACT_UNSPEC;
	}
	if (result == SECOND_PASSED_ON)
		return pass_on(skb, outer);
	second_count(result);
	return TC_ACT_UNSPEC;
}

/* A frame with a tag is the VLAN device's. */
SEC("tc")
int second(struct __sk_buff *skb)
{
	struct outer outer = {};
	enum outcome outcome;

	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	outcome = parse(skb, &outer);
	if (outcome == MALFORMED && outer.list) {
		second_count(SECOND_MALFORMED);
		return TC_ACT_UNSPEC;
	}
	if (outcome == NOT_A_TUNNEL && answer(skb))
		return bpf_redirect(skb->ifindex, 0);
	if (outcome != SOUND || (!outer.list && !second_is_watched()))
		return TC_ACT_UNSPEC;
	return look(skb, &outer);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
