/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from short descriptions, and what the balancer owes for each of them.
 *
 * Written from the RFCs and docs/design.md alone: nothing here may include or call what the XDP
 * program is made of, or both could be wrong in the same way. Buffers are byte arrays in wire
 * order; integers are in host order.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 10240
#define ETH 14 /* where the IP header begins: for pokes */

struct frame {
	size_t length;
	uint8_t bytes[FRAME_MAX];
};

/* An extension header before the transport header of an IPv6 packet; its number may be 0. */
#define EXTENSION(number) (0x100 | (number))

/* One byte of the finished frame changed, checksums left as they were. */
#define POKE_FIRST 0xffff

struct poke {
	uint16_t at; /* 0: none; the first byte of all is POKE_FIRST */
	uint8_t value;
};

/* A VLAN tag: the type of the frame that has it, and its tag control information. */
struct tag {
	uint16_t type, control;
};

#define CHAIN_MAX 7
#define POKES_MAX 6

/* A packet. What is left out is 0, but for the TTL, which is 61 then. */
struct spec {
	struct tag tag[3];
	uint8_t family;   /* 4 or 6 */
	uint8_t protocol; /* IPPROTO_* of what follows the IP header and its extensions */
	const char *source, *destination;
	uint16_t sport, dport;
	uint8_t tos;        /* DSCP and ECN */
	uint8_t ttl;        /* or hop limit */
	uint32_t label;     /* IPv6: flow label */
	uint16_t fragment;  /* the 16 bits of flags and offset: IPv4 header or fragment header */
	uint8_t options;    /* IPv4: bytes of options, a multiple of 4 */
	uint32_t id;        /* identification; 0: 0x1234, IPv6 0xcafe */
	uint16_t extension; /* IPv6: EXTENSION(number) of a header of eight bytes */
	uint16_t chain[CHAIN_MAX]; /* further ones, up to the first 0 */
	uint8_t extension_length;  /* the length byte of each of them; fragment headers have none */
	uint8_t segments_left;     /* in routing headers */
	uint8_t tcp_options;       /* bytes, a multiple of 4 */
	uint8_t tcp_flags;         /* 0: ACK */
	uint8_t chunk;             /* SCTP: type of the first chunk, before the payload; 0: DATA */
	uint8_t icmp_type;         /* 0: echo request */
	uint8_t icmp_code;
	const struct spec *quote; /* what an ICMP error is about */
	uint16_t quote_length;    /* bytes of it; 0: all */
	uint16_t payload;         /* bytes after the transport header */
	uint16_t l4_length;       /* the IP packet ends so many bytes into the transport header */
	uint16_t padding;         /* bytes after the IP packet */
	struct poke poke[POKES_MAX];
};

void frame_build(const struct spec *spec, struct frame *frame);

/* A frame of any Ethernet type with `length` bytes after its header. */
void frame_raw(uint16_t type, const void *bytes, size_t length, struct frame *frame);

/* "4500 001c …" into frame->bytes from `at` on; the frame ends there. */
void frame_hex(struct frame *frame, size_t at, const char *hex);

void frame_append(struct frame *frame, const void *bytes, size_t length);

/* Says on stderr where they differ. */
bool frame_equal(const struct frame *expected, const struct frame *actual);
void frame_dump(const char *title, const struct frame *frame, size_t from);

/* RFC 1071: the complement of the one's complement sum. */
uint16_t frame_checksum(const uint8_t *bytes, size_t length);

enum fragment { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };

/* What tells one flow from another, with the addresses' bytes as in the packet; and what else was
 * seen of the packet. */
struct flow {
	uint8_t family, protocol;
	uint8_t source[16], destination[16];
	uint16_t sport, dport;
	size_t ip_length; /* of the packet it was read from */
	size_t l3, l4;    /* where its IP and its transport header begin */
	enum fragment fragment;
	uint32_t id;     /* of a fragment */
	uint32_t offset; /* of a later fragment, in units of 8 bytes */
	bool quoted;     /* read from the quote of an ICMP error, and turned around */
	/* On its way to another address (segments are left, a source route is not used up), or to a
	 * group of stations. */
	bool elsewhere;
};

/* True for a sound packet that has the ports of its flow in it: TCP, UDP or SCTP, whole or a first
 * fragment, and an ICMP error about one. What the balancer may forward, and later fragments, for
 * which it gives false and flow->fragment, and nothing else. Up to two VLAN tags, up to six IPv6
 * extension headers. */
bool frame_flow(const struct frame *frame, struct flow *flow);

/* Is this the number of an IPv6 extension header that is walked? */
bool frame_is_extension(uint8_t number);

/* Where the IP header begins, after Ethernet and at most two VLAN tags; *type: what follows. 0 when
 * the frame ends before it. */
size_t frame_l3(const struct frame *frame, unsigned int *type);

/* What the destination would be, in flow->family and flow->destination, whatever else is wrong with
 * the packet. False where no whole IP header can be there. */
bool frame_destination(const struct frame *frame, struct flow *flow);

enum policy { BY_TUPLE, BY_SOURCE, BY_SOURCE_PORT };

/* The keyed hash of docs/design.md, computed from bytes. */
uint64_t flow_hash_by(enum policy policy, const struct flow *flow, const uint64_t seed[2]);
uint64_t flow_hash(const struct flow *flow, const uint64_t seed[2]); /* BY_TUPLE */
uint32_t flow_slot(uint64_t hash, uint32_t size);

/* What goes around a packet on its way to a backend. */
struct wrap {
	uint8_t family;
	const char *source, *destination;
	uint32_t source_mask; /* low bits of the source's last 32 that the hash fills in */
	uint8_t dst_mac[6], src_mac[6];
	bool gue;                    /* a UDP header between the two IP headers */
	uint16_t vlan_protocol, tci; /* the tag; vlan_protocol 0: none */
};

/* The frame that the backend's next hop must get. */
void frame_wrap(const struct frame *in, const struct wrap *wrap, uint64_t hash, struct frame *out);

#endif
