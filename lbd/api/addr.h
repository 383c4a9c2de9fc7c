/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text and as bytes: one spelling in, one canonical spelling out (RFC 5952 for IPv6). */
#ifndef LB_ADDR_H
#define LB_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "err.h"

struct lb_addr {
	uint8_t family;    /* 4 or 6; 0: unset */
	uint8_t bytes[16]; /* wire order; IPv4 in the first four, the rest zero */
};

/* Where a VIP listens: at one address or all of a prefix, at one port, a range of them, or every one.
 * Without padding, since VIPs are compared as bytes. */
struct lb_endpoint {
	struct lb_addr address; /* of a prefix: the first */
	uint8_t protocol;       /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
	uint8_t host_bits;      /* how many of the last bits may be anything; 0: one address */
	uint8_t pad;
	uint16_t port;      /* host order; the first of a range; 0: every port */
	uint16_t last_port; /* of a range; else 0 */
};

/* An address with the number of leading bits that are fixed, host bits zero. */
struct lb_prefix {
	struct lb_addr address;
	uint8_t length;
};

#define LB_ADDR_TEXT 46     /* longest IPv6 text and the final 0 */
#define LB_ENDPOINT_TEXT 72 /* address "/127:10000-65535/sctp" and the final 0 */
#define LB_PREFIX_TEXT 50

/* Parsing. Each returns 0, or -EINVAL with *err saying what is wrong (path left ""; callers prefix
 * it). Not taken: host names, IPv4 with leading zeros or fewer than four parts, scope ids, white
 * space. */
int lb_addr_parse(const char *text, struct lb_addr *out, struct lb_err *err);
int lb_endpoint_parse(const char *text, struct lb_endpoint *out, struct lb_err *err);
/* The same, without prefixes and ranges of ports. */
int lb_endpoint_parse_one(const char *text, struct lb_endpoint *out, struct lb_err *err);
/* "10.0.0.0/8"; an address alone is a full-length prefix; host bits set is an error, and *out then
 * what the hint proposes. */
int lb_prefix_parse(const char *text, struct lb_prefix *out, struct lb_err *err);

/* An IPv4 address that is written as IPv6 (::ffff:192.0.2.1), which no packet comes from: an error, where packets
 * are meant. */
int lb_addr_mapped(const struct lb_addr *address, struct lb_err *err);

/* Formatting; `out` has room for LB_*_TEXT. Returns out. 192.0.2.1:443/tcp, [2001:db8::1]:443/tcp,
 * 192.0.2.0/24:443/tcp, 2001:db8::/48:10000-20000/udp */
char *lb_addr_format(const struct lb_addr *address, char *out);
char *lb_endpoint_format(const struct lb_endpoint *endpoint, char *out);
char *lb_prefix_format(const struct lb_prefix *prefix, char *out);

/* As sockets have them, with a port in host order. To: the length of what was written. From: false, and the
 * address unset, for another family or none; `port` may be NULL. */
socklen_t lb_addr_to_socket(const struct lb_addr *address, uint16_t port,
			    struct sockaddr_storage *out);
bool lb_addr_from_socket(const struct sockaddr *from, struct lb_addr *out, uint16_t *port);

bool lb_addr_equal(const struct lb_addr *a, const struct lb_addr *b);
int lb_addr_compare(const struct lb_addr *a,
		    const struct lb_addr *b); /* total order: family, bytes */
int lb_endpoint_compare(const struct lb_endpoint *a, const struct lb_endpoint *b);
/* Whether it is a prefix or has a range of ports: what packets are not looked up by themselves. */
bool lb_endpoint_is_wide(const struct lb_endpoint *endpoint);
/* The addresses of an endpoint. */
struct lb_prefix lb_endpoint_prefix(const struct lb_endpoint *endpoint);
/* The ports of an endpoint, the first and the last. */
void lb_endpoint_ports(const struct lb_endpoint *endpoint, uint16_t *first, uint16_t *last);
/* The same addresses with every port. */
struct lb_endpoint lb_endpoint_every_port(const struct lb_endpoint *endpoint);
/* Whether the packets of `inner` are packets of `outer`, too. */
bool lb_endpoint_covers(const struct lb_endpoint *outer, const struct lb_endpoint *inner);
/* Which of two that have a packet gets it: the longer prefix, then fewer ports. */
bool lb_endpoint_is_narrower(const struct lb_endpoint *a, const struct lb_endpoint *b);
/* One of its addresses that a host can have: of a prefix the second, since the first may mean the
 * network, or any of its routers. */
struct lb_addr lb_endpoint_host(const struct lb_endpoint *endpoint);
/* The same at that address alone. */
struct lb_endpoint lb_endpoint_checked(const struct lb_endpoint *endpoint);
/* Clears the bits after the first `length`. */
void lb_addr_mask(struct lb_addr *address, unsigned int length);
int lb_prefix_compare(const struct lb_prefix *a,
		      const struct lb_prefix *b); /* total order: address, length */
/* Whether all addresses of `inner` are addresses of `outer`. */
bool lb_prefix_covers(const struct lb_prefix *outer, const struct lb_prefix *inner);

/* Why an address cannot be a VIP or a backend ("is a multicast address", "is the unspecified
 * address", "is a loopback address", "is a broadcast address", "is a link-local address", "is an
 * IPv4-mapped IPv6 address"), or NULL when it can. */
const char *lb_addr_unusable(const struct lb_addr *address);
/* Why a prefix cannot be a VIP ("is shorter than /8", or as above), or NULL when it can. */
#define LB_VIP_HOST_BITS4_MAX 24
#define LB_VIP_HOST_BITS6_MAX 112
const char *lb_prefix_unusable(const struct lb_prefix *prefix);

const char *lb_protocol_name(uint8_t protocol); /* "tcp", "udp", "sctp"; NULL: others */

#endif
