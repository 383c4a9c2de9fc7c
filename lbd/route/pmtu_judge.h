/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a router's message say about the MTU of the way to a backend, and is it to be believed?
 * Pure.
 *
 * Anybody may forge one whom the network lets send to the outer source. So what it quotes must be
 * what this node sends to the backend; traffic must be under way to it; messages count once an
 * interval; and what is believed always leaves so much to a client's packet that senders can go on.
 */
#ifndef LB_PMTU_JUDGE_H
#define LB_PMTU_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"

/* The least that is left to a client's packet: what Linux takes for IPv4 (net.ipv4.route.min_pmtu;
 * told less, it sends packets of this size without DF, which would be dropped), and what no sender
 * of IPv6 goes below (RFC 8200 section 5). */
#define PMTU_INNER_MIN_IPV4 552u
#define PMTU_INNER_MIN_IPV6 1280u

/* How the backend has refused the outer packet. */
enum pmtu_refusal {
	PMTU_NOT_REFUSED,
	PMTU_NO_PROTOCOL, /* it knows no IP-in-IP */
	PMTU_NO_DEVICE,   /* it does, but no device there takes it: "port unreachable" */
	PMTU_NO_PORT,     /* nothing takes UDP to the port of GUE */
};

struct pmtu_news {
	struct lb_addr destination; /* of the outer packet: a backend, if it is one of ours */
	struct lb_addr source;      /* of the outer packet */
	uint32_t mtu;               /* that the way has, by the message */
	uint32_t length;            /* of the outer packet that was too big */
	uint8_t protocol;           /* IPPROTO_IPIP, IPPROTO_IPV6, or IPPROTO_UDP for GUE */
	uint16_t source_port;       /* GUE */
	enum pmtu_refusal refusal;  /* if it is one: nothing else but `destination` is known */
};

/* True when the message is about a packet that could be one of ours: IP-in-IP, or UDP to the port
 * of GUE, with the header that the program writes (bpf/encap.h). `packet` begins with its IPv4
 * header, `message` with its ICMPv6 header. */
bool pmtu_read_ipv4(const void *packet, size_t length, struct pmtu_news *out);
bool pmtu_read_ipv6(const void *message, size_t length, struct pmtu_news *out);

/* How this node sends to a backend for the VIPs of one pool. */
struct pmtu_way {
	struct lb_addr source;
	uint32_t source_mask; /* bits of its last four bytes that vary, as they lie in memory */
	uint32_t mtu;         /* the most that an outer packet may have so far */
	/* Bytes of the largest outer packet that is known to arrive, from checks of full size; 0:
	 * there are none. */
	uint32_t arrived;
	uint8_t inner; /* 4 or 6: family of its VIPs; 0: both */
	bool gue;
};

/* Has this way sent what the message quotes, and do checks not say otherwise? */
bool pmtu_is_quoted(const struct pmtu_news *news, const struct pmtu_way *way);

/* The least MTU that is believed of it. */
uint32_t pmtu_floor(const struct pmtu_way *way);

#define PMTU_INTERVAL_MS 1000 /* between two messages about a backend that are looked at */
#define PMTU_RECENT_MS 10000  /* so long a count of packets is good for a comparison */

/* What earlier messages about a backend have left; all 0 at first. */
struct pmtu_trust {
	uint64_t packets; /* that had gone to it when the last message was looked at */
	int64_t looked_ms;
	bool looked;
};

/* May a message be looked at now? */
bool pmtu_is_due(const struct pmtu_trust *trust, int64_t now_ms);
/* A message that quotes rightly came, `packets` have gone to the backend. True: some of them since
 * an earlier message, not long ago, so that traffic is under way. */
bool pmtu_is_recent(struct pmtu_trust *trust, uint64_t packets, int64_t now_ms);

#endif
