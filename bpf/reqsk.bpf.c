// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How does a backend make the connection of a SYN that a balancer has answered?
 *
 * TC ingress, where packets have no outer header any more. An ACK that brings a cookie of a
 * balancer's (syn_cookie.h) is given to the kernel as the end of a handshake, with what the cookie
 * says of the client. Every other packet passes untouched. What becomes of such an ACK depends on
 * the socket that there is for it:
 *
 *	LISTEN                       a request is made for it, and the kernel makes the connection
 *	TIME_WAIT, NEW_SYN_RECV      that one first gets a RST, then the ACK comes again (replace)
 *	any other, or none           it passes
 *
 * An old connection in TIME_WAIT gives way as it would to a SYN: to a later sequence number or
 * timestamp. The kfunc asks for 6.9.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "reqsk_counters.h"
#include "syn_options.h"

#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */

/* --- of the kernel --- */

struct bpf_tcp_req_attrs {
	__u32 rcv_tsval;
	__u32 rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale;
	__u8 snd_wscale;
	__u8 ecn_ok;
	__u8 wscale_ok;
	__u8 sack_ok;
	__u8 tstamp_ok;
	__u8 usec_ts_ok;
	__u8 reserved[3];
};

struct sock_common {
	__u32 skc_tw_rcv_nxt;
} __attribute__((preserve_access_index));

/* libbpf compares what the function takes with the kernel's, and a struct that is only declared is none
 * to it. */
struct sock {
	struct sock_common __sk_common;
} __attribute__((preserve_access_index));

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk,
				   struct bpf_tcp_req_attrs *attrs, int attrs__sz) __ksym;

struct inet_timewait_sock {
	struct sock_common __tw_common;
	unsigned char tw_substate;
} __attribute__((preserve_access_index));

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
	__u32 tw_ts_recent;
} __attribute__((preserve_access_index));

struct tcp_request_sock {
	__u32 rcv_nxt;
} __attribute__((preserve_access_index));

/* --- what it is told --- */

/* Where the IP header begins: behind Ethernet's, or of a tunnel device at once. Set before loading. */
const volatile __u32 reqsk_link = ETH_HLEN;
/* A RST does not end what is in TIME_WAIT where net.ipv4.tcp_rfc1337 is set. */
const volatile bool reqsk_ends_time_wait = true;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reqsk_secret);
} reqsk_secret SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reqsk_stats);
} reqsk_stats SEC(".maps");

/* Cookies whose old socket got a RST, by their own bits: each does so once, whatever comes of it. */
#define REPLACED_SIZE 4096
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REPLACED_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} reqsk_replaced SEC(".maps");

#define COUNT(name)                                                                                \
	do {                                                                                       \
		__u32 zero_ = 0;                                                                   \
		struct reqsk_stats *stats_ = bpf_map_lookup_elem(&reqsk_stats, &zero_);            \
                                                                                                   \
		if (stats_)                                                                        \
			stats_->name++;                                                            \
	} while (0)

/* --- the segment --- */

struct segment {
	struct syn_flow flow;
	struct syn_options options;
	__u32 sequence;  /* the cookie */
	__u32 ip_header; /* bytes */
	bool read;
};

static __always_inline struct bpf_sock_tuple tuple_of(const struct syn_flow *flow)
{
	struct bpf_sock_tuple tuple = {};

	if (flow->family == 4) {
		tuple.ipv4.saddr = flow->source[0];
		tuple.ipv4.daddr = flow->destination[0];
		tuple.ipv4.sport = flow->ports;
		tuple.ipv4.dport = flow->ports >> 16;
		return tuple;
	}
	__builtin_memcpy(tuple.ipv6.saddr, flow->source, 16);
	__builtin_memcpy(tuple.ipv6.daddr, flow->destination, 16);
	tuple.ipv6.sport = flow->ports;
	tuple.ipv6.dport = flow->ports >> 16;
	return tuple;
}

static __always_inline void read_options(struct __sk_buff *skb, __u32 at, __u32 length,
					 struct segment *segment)
{
	struct syn_option_bytes bytes = {};

	length = bounds_number(length, SYN_OPTIONS_MASK);
	if (length < 1 || length > SYN_OPTIONS_MAX ||
	    bpf_skb_load_bytes(skb, at, bytes.byte, length))
		length = 0;
	syn_options_parse(&bytes, length, &segment->options);
}

/* Of an ACK without SYN and RST. `length`: of all that is behind the IP header. */
static __always_inline void read_tcp(struct __sk_buff *skb, struct tcphdr *tcp, __u32 length,
				     struct segment *segment)
{
	const __u32 header = tcp->doff * 4;

	if (!tcp->ack || tcp->syn || tcp->rst || header < sizeof(*tcp) || header > length)
		return;
	segment->flow.ports = (__u32)tcp->dest << 16 | tcp->source;
	segment->flow.isn = bpf_ntohl(tcp->seq) - 1;
	segment->sequence = bpf_ntohl(tcp->ack_seq) - 1;
	segment->read = true;
	read_options(skb, reqsk_link + segment->ip_header + sizeof(*tcp), header - sizeof(*tcp),
		     segment);
	segment->flow.timestamps = segment->options.timestamps;
}

/* IP options and extension headers: no SYN that has them is answered. */
static __always_inline void read4(struct __sk_buff *skb, struct segment *segment)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} headers;

	if (bpf_skb_load_bytes(skb, reqsk_link, &headers, sizeof(headers)) ||
	    *(__u8 *)&headers.ip != 0x45 || headers.ip.protocol != IPPROTO_TCP ||
	    headers.ip.frag_off & bpf_htons(IP_FRAGMENT) ||
	    bpf_ntohs(headers.ip.tot_len) < sizeof(headers))
		return;
	segment->flow.family = 4;
	segment->flow.source[0] = headers.ip.saddr;
	segment->flow.destination[0] = headers.ip.daddr;
	segment->ip_header = sizeof(headers.ip);
	read_tcp(skb, &headers.tcp, bpf_ntohs(headers.ip.tot_len) - sizeof(headers.ip), segment);
}

static __always_inline void read6(struct __sk_buff *skb, struct segment *segment)
{
	struct {
		struct ipv6hdr ip;
		struct tcphdr tcp;
	} headers;

	if (bpf_skb_load_bytes(skb, reqsk_link, &headers, sizeof(headers)) ||
	    headers.ip.version != 6 || headers.ip.nexthdr != IPPROTO_TCP)
		return;
	segment->flow.family = 6;
	__builtin_memcpy(segment->flow.source, &headers.ip.saddr, 16);
	__builtin_memcpy(segment->flow.destination, &headers.ip.daddr, 16);
	segment->ip_header = sizeof(headers.ip);
	read_tcp(skb, &headers.tcp, bpf_ntohs(headers.ip.payload_len), segment);
}

/* --- the cookie --- */

/* Time in half epochs, asked for once a tick:  tick:32 | half epochs:32. The clock is a call, and the
 * tick is not. */
volatile __u64 reqsk_clock = 0;

static __always_inline __u32 half_now(void)
{
	const __u32 tick = bpf_jiffies64();
	__u64 known = reqsk_clock;

	if (known >> 32 != tick) {
		known = (__u64)tick << 32 | (__u32)(bpf_ktime_get_tai_ns() >> SYN_HALF_SHIFT);
		reqsk_clock = known;
	}
	return known;
}

static __always_inline bool is_ours(struct segment *segment)
{
	const struct syn_cookie cookie = {segment->sequence, segment->options.tsecr};
	const __u32 half = half_now();
	__u32 zero = 0;
	struct reqsk_secret *secret = bpf_map_lookup_elem(&reqsk_secret, &zero);

	if (!secret || !secret->count)
		return false;
	if (syn_cookie_is_by(secret->key[0], &segment->flow, half, cookie))
		return true;
	return secret->count > 1 && syn_cookie_is_by(secret->key[1], &segment->flow, half, cookie);
}

/* --- the socket --- */

enum fate { FATE_PASS, FATE_TIME_WAIT, FATE_SYN_RECV };

static __always_inline void assign(struct __sk_buff *skb, struct bpf_sock *socket,
				   const struct segment *segment)
{
	struct sock *listener = (void *)bpf_skc_to_tcp_sock(socket);
	struct syn_options options = segment->options;
	struct bpf_tcp_req_attrs attrs = {};

	syn_cookie_read(segment->flow.family, segment->sequence, &options);
	attrs.mss = options.mss;
	attrs.sack_ok = options.sack;
	attrs.wscale_ok = options.wscale != SYN_WSCALE_NONE;
	if (attrs.wscale_ok) {
		attrs.snd_wscale = options.wscale;
		attrs.rcv_wscale = SYN_WSCALE;
	}
	attrs.tstamp_ok = options.timestamps;
	attrs.rcv_tsval = options.tsval;
	attrs.rcv_tsecr = options.tsecr;
	if (listener && !bpf_sk_assign_tcp_reqsk(skb, listener, &attrs, sizeof(attrs)))
		COUNT(made);
	else
		COUNT(refused);
}

/* The kernel's rule for a SYN. In FIN_WAIT2, which it keeps in such a socket too, it takes none. */
static __always_inline bool gives_way(struct bpf_sock *socket, const struct segment *segment,
				      __u32 *next)
{
	struct tcp_timewait_sock *old = bpf_skc_to_tcp_timewait_sock(socket);

	if (!old || !reqsk_ends_time_wait || old->tw_sk.tw_substate != BPF_TCP_TIME_WAIT)
		return false;
	*next = old->tw_sk.__tw_common.skc_tw_rcv_nxt;
	if ((__s32)(*next - segment->flow.isn) < 0)
		return true;
	return segment->options.timestamps &&
	       (__s32)(old->tw_ts_recent - segment->options.tsval) < 0;
}

/* `next`: the number of the byte that an old socket waits for. */
static __always_inline enum fate meet(struct __sk_buff *skb, const struct segment *segment,
				      __u32 *next)
{
	struct bpf_sock_tuple tuple = tuple_of(&segment->flow);
	const __u32 size = segment->flow.family == 4 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6);
	struct bpf_sock *socket = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	struct tcp_request_sock *request;
	enum fate fate = FATE_PASS;

	if (!socket) {
		COUNT(no_listener);
		return fate;
	}
	switch (socket->state) {
	case BPF_TCP_LISTEN:
		assign(skb, socket, segment);
		break;
	case BPF_TCP_TIME_WAIT:
		if (gives_way(socket, segment, next))
			fate = FATE_TIME_WAIT;
		break;
	case BPF_TCP_NEW_SYN_RECV:
		request = bpf_skc_to_tcp_request_sock(socket);
		if (request) {
			*next = request->rcv_nxt;
			fate = FATE_SYN_RECV;
		}
		break;
	default:
		COUNT(repeated);
	}
	bpf_sk_release(socket);
	return fate;
}

/* --- in the place of an old one --- */

static __always_inline bool is_first(__u32 cookie)
{
	__u32 index = cookie >> 9 & (REPLACED_SIZE - 1);
	__u32 *known = bpf_map_lookup_elem(&reqsk_replaced, &index);

	if (!known || *known == cookie)
		return false;
	*known = cookie;
	return true;
}

static __always_inline __u16 fold(__s64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Without options, or the old socket would ask whether its timestamp is too old. */
static __always_inline int write_tcp(struct __sk_buff *skb, const struct segment *segment,
				     __s64 sum, __u32 next)
{
	struct tcphdr tcp = {
		.source = segment->flow.ports,
		.dest = segment->flow.ports >> 16,
		.seq = bpf_htonl(next),
		.doff = sizeof(tcp) / 4,
		.rst = 1,
	};

	sum = bpf_csum_diff(NULL, 0, (__be32 *)&tcp, sizeof(tcp), sum);
	tcp.check = fold(sum);
	return bpf_skb_store_bytes(skb, reqsk_link + segment->ip_header, &tcp, sizeof(tcp),
				   BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int write_rst4(struct __sk_buff *skb, const struct segment *segment,
				      __u32 next)
{
	__be32 pseudo[3] = {segment->flow.source[0], segment->flow.destination[0],
			    bpf_htonl(IPPROTO_TCP << 16 | sizeof(struct tcphdr))};
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, reqsk_link, &ip, sizeof(ip)))
		return -1;
	ip.tot_len = bpf_htons(sizeof(ip) + sizeof(struct tcphdr));
	ip.check = 0;
	ip.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
	if (bpf_skb_store_bytes(skb, reqsk_link, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM))
		return -1;
	return write_tcp(skb, segment, bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), 0), next);
}

static __always_inline int write_rst6(struct __sk_buff *skb, const struct segment *segment,
				      __u32 next)
{
	const __be16 length = bpf_htons(sizeof(struct tcphdr));
	__be32 pseudo[10] = {};

	__builtin_memcpy(pseudo, segment->flow.source, 16);
	__builtin_memcpy(pseudo + 4, segment->flow.destination, 16);
	pseudo[8] = bpf_htonl(sizeof(struct tcphdr));
	pseudo[9] = bpf_htonl(IPPROTO_TCP);
	if (bpf_skb_store_bytes(skb, reqsk_link + offsetof(struct ipv6hdr, payload_len), &length,
				sizeof(length), BPF_F_RECOMPUTE_CSUM))
		return -1;
	return write_tcp(skb, segment, bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), 0), next);
}

/* The copy waits for its turn until the stack is done with this packet, and so finds the listener. */
static __always_inline int replace(struct __sk_buff *skb, const struct segment *segment,
				   enum fate fate, __u32 next)
{
	if (!is_first(segment->sequence) || bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
		return TC_ACT_UNSPEC;
	if (bpf_skb_change_tail(skb, reqsk_link + segment->ip_header + sizeof(struct tcphdr), 0))
		return TC_ACT_SHOT;
	if (segment->flow.family == 4 ? write_rst4(skb, segment, next)
				      : write_rst6(skb, segment, next))
		return TC_ACT_SHOT;
	if (fate == FATE_TIME_WAIT)
		COUNT(replaced_time_wait);
	else
		COUNT(replaced_syn_recv);
	return TC_ACT_UNSPEC;
}

/* A frame with a tag is the VLAN device's. */
SEC("tc")
int reqsk(struct __sk_buff *skb)
{
	struct segment segment = {};
	enum fate fate;
	__u32 next = 0;

	if (skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		read4(skb, &segment);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		read6(skb, &segment);
	if (!segment.read || !is_ours(&segment))
		return TC_ACT_UNSPEC;
	fate = meet(skb, &segment, &next);
	return fate == FATE_PASS ? TC_ACT_UNSPEC : replace(skb, &segment, fate, next);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
