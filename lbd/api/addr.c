/* SPDX-License-Identifier: BSD-2-Clause */
/* How do addresses, endpoints and prefixes become bytes, and bytes text again? */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "addr.h"

static const uint8_t zeros[16];

/* --- addresses --- */

/* What to do about text that is not an address: guesses what was meant. */
static void address_hint(const char *text, struct lb_err *err)
{
	size_t ipv4_like = strspn(text, "0123456789.");

	if (text[0] == '\0')
		lb_err_hint(err, "write an address, for example 192.0.2.10 or 2001:db8::10");
	else if (text[strcspn(text, " \t\r\n")])
		lb_err_hint(err, "remove the white space");
	else if (strchr(text, '%'))
		lb_err_hint(err, "an address with a scope (%%interface) cannot be used");
	else if (strchr(text, '/'))
		lb_err_hint(err, "write one address, without \"/\"");
	else if (text[0] == '[')
		lb_err_hint(err, "write the address without brackets");
	else if (text[ipv4_like] == ':' && !strchr(text + ipv4_like + 1, ':'))
		lb_err_hint(err, "write the address alone, without a port");
	else if (text[ipv4_like] == '\0')
		lb_err_hint(err, "an IPv4 address has four numbers, 0 to 255, without leading "
				 "zeros");
	else if (!strchr(text, ':'))
		lb_err_hint(err, "host names are not looked up: write the address itself");
}

int lb_addr_parse(const char *text, struct lb_addr *out, struct lb_err *err)
{
	struct lb_addr address = {0};

	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.family = 4;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1)
		address.family = 6;
	if (!address.family) {
		lb_err_set(err, LB_ERR_PARAMS, "", "not an IPv4 or IPv6 address: \"%s\"", text);
		address_hint(text, err);
		return -EINVAL;
	}
	*out = address;
	return 0;
}

char *lb_addr_format(const struct lb_addr *address, char *out)
{
	if (address->family == 4)
		inet_ntop(AF_INET, address->bytes, out, LB_ADDR_TEXT);
	else if (address->family == 6)
		inet_ntop(AF_INET6, address->bytes, out, LB_ADDR_TEXT);
	else
		strcpy(out, "none");
	return out;
}

int lb_addr_compare(const struct lb_addr *a, const struct lb_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool lb_addr_equal(const struct lb_addr *a, const struct lb_addr *b)
{
	return lb_addr_compare(a, b) == 0;
}

static const char *unusable4(const uint8_t *bytes)
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};

	if (!memcmp(bytes, zeros, 4))
		return "is the unspecified address";
	if (!memcmp(bytes, broadcast, 4))
		return "is a broadcast address";
	if (bytes[0] == 127)
		return "is a loopback address";
	if (bytes[0] == 169 && bytes[1] == 254)
		return "is a link-local address";
	if (bytes[0] >= 224 && bytes[0] < 240)
		return "is a multicast address";
	return NULL;
}

static const char *unusable6(const uint8_t *bytes)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(bytes, zeros, 16))
		return "is the unspecified address";
	if (!memcmp(bytes, zeros, 15) && bytes[15] == 1)
		return "is a loopback address";
	if (bytes[0] == 0xff)
		return "is a multicast address";
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return "is a link-local address";
	if (!memcmp(bytes, mapped, sizeof(mapped)))
		return "is an IPv4-mapped IPv6 address";
	return NULL;
}

const char *lb_addr_unusable(const struct lb_addr *address)
{
	if (address->family == 4)
		return unusable4(address->bytes);
	if (address->family == 6)
		return unusable6(address->bytes);
	return "is not set";
}

/* --- endpoints: ADDRESS:PORT/PROTOCOL --- */

/* The pieces of an endpoint's text; port and protocol are NULL where it ends before them. */
struct endpoint_text {
	char host[LB_ENDPOINT_TEXT];
	char length[LB_ENDPOINT_TEXT]; /* of the prefix; "": one address */
	char port[LB_ENDPOINT_TEXT], last_port[LB_ENDPOINT_TEXT];
	const char *protocol;
	bool bracketed, has_length, has_port, has_range;
};

const char *lb_protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	}
	return NULL;
}

/* Copies the text before any character of `stop`; an over-long piece is cut, and invalid as such.
 * Returns where it stopped. */
static const char *take_until(const char *text, const char *stop, char *out, size_t size)
{
	size_t length = strcspn(text, stop);

	snprintf(out, size, "%.*s", (int)(length < size ? length : size), text);
	return text + length;
}

/* A length begins with a digit, a protocol does not. */
static const char *take_length(const char *text, const char *stop, struct endpoint_text *out)
{
	if (text[0] != '/' || !text[1] || !strchr("0123456789", text[1]))
		return text;
	out->has_length = true;
	return take_until(text + 1, stop, out->length, sizeof(out->length));
}

static const char *take_host(const char *text, struct endpoint_text *out)
{
	const char *end = strchr(text, '/'), *colon = strchr(text, ':');
	char *slash;

	out->bracketed = text[0] == '[';
	if (out->bracketed) {
		text = take_until(text + 1, "]", out->host, sizeof(out->host));
		slash = strchr(out->host, '/');
		if (*text && slash && *take_length(slash, "", out) == '\0' && out->has_length)
			*slash = '\0';
		text += *text == ']';
	} else if (colon && strchr(colon + 1, ':') && (!end || strchr(colon + 1, ':') < end)) {
		text = take_until(text, "/", out->host,
				  sizeof(out->host)); /* a bare IPv6 address */
	} else {
		text = take_until(text, ":/", out->host, sizeof(out->host));
	}
	return out->has_length ? text : take_length(text, ":/", out);
}

static void endpoint_split(const char *text, struct endpoint_text *out)
{
	char *dash;

	memset(out, 0, sizeof(*out));
	text = take_host(text, out);
	if (*text == ':') {
		out->has_port = true;
		text = take_until(text + 1, "/", out->port, sizeof(out->port));
	}
	dash = out->port[0] ? strchr(out->port + 1, '-') : NULL;
	if (dash) {
		out->has_range = true;
		strcpy(out->last_port, dash + 1);
		*dash = '\0';
	}
	if (*text == '/')
		out->protocol = text + 1;
}

static int port_parse(const char *text, uint16_t *out, struct lb_err *err)
{
	unsigned int port = 0;

	if (text[0] == '0' && text[1] && !text[strspn(text, "0123456789")])
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "port must have no leading zeros, not \"%s\"", text);
	if (!text[0] || text[strspn(text, "0123456789")])
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "port must be a number, 0 to 65535, not \"%s\"", text);
	for (const char *digit = text; *digit && port <= 65535; digit++)
		port = port * 10 + (unsigned int)(*digit - '0');
	if (port > 65535)
		return lb_err_set(err, LB_ERR_PARAMS, "", "port must be 0 to 65535, not %s", text);
	*out = (uint16_t)port;
	return 0;
}

static int protocol_parse(const char *text, uint8_t *out, struct lb_err *err)
{
	if (!strcmp(text, "tcp"))
		*out = IPPROTO_TCP;
	else if (!strcmp(text, "udp"))
		*out = IPPROTO_UDP;
	else if (!strcmp(text, "sctp"))
		*out = IPPROTO_SCTP;
	else
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "protocol must be tcp, udp or sctp, not \"%s\"", text);
	return 0;
}

/* The address is right and something after it is missing: show the text completed. */
static int endpoint_incomplete(const char *text, const struct lb_endpoint *known, const char *what,
			       struct lb_err *err)
{
	struct lb_endpoint example = *known;
	char shown[LB_ENDPOINT_TEXT];

	example.protocol = IPPROTO_TCP;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s is missing in \"%s\"", what, text);
	return lb_err_hint(err, "write it as %s, for example; port 0 stands for every port",
			   lb_endpoint_format(&example, shown));
}

static int endpoint_prefix(const struct endpoint_text *parts, struct lb_endpoint *out,
			   struct lb_err *err)
{
	char text[2 * LB_ENDPOINT_TEXT + 2];
	struct lb_prefix prefix = {0};

	snprintf(text, sizeof(text), "%s/%s", parts->host, parts->length);
	if (lb_prefix_parse(text, &prefix, err))
		return prefix.address.family && lb_prefix_unusable(&prefix)
			       ? lb_err_hint(err, "%s", "")
			       : -EINVAL;
	out->address = prefix.address;
	out->host_bits = (prefix.address.family == 4 ? 32 : 128) - prefix.length;
	return 0;
}

static int endpoint_address(const char *text, const struct endpoint_text *parts,
			    struct lb_endpoint *out, struct lb_err *err)
{
	if (!parts->bracketed && !parts->has_length && strchr(parts->host, ':')) {
		lb_err_set(err, LB_ERR_PARAMS, "",
			   "an IPv6 address stands in brackets before its port: \"%s\"", text);
		return lb_err_hint(err, "write it as [2001:db8::10]:443/tcp, for example");
	}
	if (parts->has_length ? endpoint_prefix(parts, out, err)
			      : lb_addr_parse(parts->host, &out->address, err))
		return -EINVAL;
	if (parts->bracketed && out->address.family == 4)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "brackets are for IPv6 addresses only: \"%s\"", text);
	return 0;
}

/* A range of one port is that port. */
static int endpoint_port(const struct endpoint_text *parts, struct lb_endpoint *out,
			 struct lb_err *err)
{
	if (port_parse(parts->port, &out->port, err) ||
	    (parts->has_range && port_parse(parts->last_port, &out->last_port, err)))
		return -EINVAL;
	if (parts->has_range && !out->port) {
		lb_err_set(err, LB_ERR_PARAMS, "", "a range of ports cannot begin with 0");
		return lb_err_hint(err, "port 0 alone stands for every port");
	}
	if (parts->has_range && out->last_port < out->port) {
		lb_err_set(err, LB_ERR_PARAMS, "", "the range of ports %s-%s ends before it begins",
			   parts->port, parts->last_port);
		return lb_err_hint(err, "did you mean %s-%s?", parts->last_port, parts->port);
	}
	if (out->last_port == out->port)
		out->last_port = 0;
	return 0;
}

int lb_endpoint_parse(const char *text, struct lb_endpoint *out, struct lb_err *err)
{
	struct lb_endpoint endpoint = {.port = 443};
	struct endpoint_text parts;

	endpoint_split(text, &parts);
	if (endpoint_address(text, &parts, &endpoint, err))
		return -EINVAL;
	if (!parts.has_port)
		return endpoint_incomplete(text, &endpoint, "port", err);
	if (endpoint_port(&parts, &endpoint, err))
		return -EINVAL;
	if (!parts.protocol)
		return endpoint_incomplete(text, &endpoint, "protocol", err);
	if (protocol_parse(parts.protocol, &endpoint.protocol, err))
		return -EINVAL;
	*out = endpoint;
	return 0;
}

int lb_endpoint_parse_one(const char *text, struct lb_endpoint *out, struct lb_err *err)
{
	struct lb_endpoint endpoint;

	if (lb_endpoint_parse(text, &endpoint, err))
		return -EINVAL;
	if (lb_endpoint_is_wide(&endpoint))
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "one address and one port are wanted, not \"%s\"", text);
	*out = endpoint;
	return 0;
}

static char *ports_format(const struct lb_endpoint *endpoint, char *out, size_t size)
{
	if (endpoint->last_port)
		snprintf(out, size, "%u-%u", endpoint->port, endpoint->last_port);
	else
		snprintf(out, size, "%u", endpoint->port);
	return out;
}

char *lb_endpoint_format(const struct lb_endpoint *endpoint, char *out)
{
	const char *protocol = lb_protocol_name(endpoint->protocol);
	const bool bracketed = endpoint->address.family == 6 && !endpoint->host_bits;
	const struct lb_prefix prefix = lb_endpoint_prefix(endpoint);
	char address[LB_PREFIX_TEXT], ports[12], number[4];

	snprintf(number, sizeof(number), "%u", endpoint->protocol);
	snprintf(out, LB_ENDPOINT_TEXT, "%s%s%s:%s/%s", bracketed ? "[" : "",
		 endpoint->host_bits ? lb_prefix_format(&prefix, address)
				     : lb_addr_format(&endpoint->address, address),
		 bracketed ? "]" : "", ports_format(endpoint, ports, sizeof(ports)),
		 protocol ? protocol : number);
	return out;
}

/* One address comes before the prefixes that begin with it, every port before all others. */
int lb_endpoint_compare(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	int order = lb_addr_compare(&a->address, &b->address);

	if (order)
		return order;
	if (a->host_bits != b->host_bits)
		return a->host_bits < b->host_bits ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->last_port != b->last_port)
		return a->last_port < b->last_port ? -1 : 1;
	return (int)a->protocol - (int)b->protocol;
}

bool lb_endpoint_is_wide(const struct lb_endpoint *endpoint)
{
	return endpoint->host_bits || endpoint->last_port;
}

struct lb_prefix lb_endpoint_prefix(const struct lb_endpoint *endpoint)
{
	const unsigned int bits = endpoint->address.family == 4 ? 32 : 128;

	return (struct lb_prefix){.address = endpoint->address,
				  .length = (uint8_t)(bits - endpoint->host_bits)};
}

void lb_endpoint_ports(const struct lb_endpoint *endpoint, uint16_t *first, uint16_t *last)
{
	*first = endpoint->port;
	*last = endpoint->last_port ? endpoint->last_port
				    : (endpoint->port ? endpoint->port : UINT16_MAX);
}

struct lb_endpoint lb_endpoint_every_port(const struct lb_endpoint *endpoint)
{
	struct lb_endpoint every = *endpoint;

	every.port = every.last_port = 0;
	return every;
}

bool lb_endpoint_covers(const struct lb_endpoint *outer, const struct lb_endpoint *inner)
{
	const struct lb_prefix around = lb_endpoint_prefix(outer),
			       within = lb_endpoint_prefix(inner);
	uint16_t first_outer, last_outer, first, last;

	lb_endpoint_ports(outer, &first_outer, &last_outer);
	lb_endpoint_ports(inner, &first, &last);
	return outer->protocol == inner->protocol && first_outer <= first && last <= last_outer &&
	       lb_prefix_covers(&around, &within);
}

static unsigned int width(const struct lb_endpoint *endpoint)
{
	uint16_t first, last;

	lb_endpoint_ports(endpoint, &first, &last);
	return last - first;
}

bool lb_endpoint_is_narrower(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	return a->host_bits != b->host_bits ? a->host_bits < b->host_bits : width(a) < width(b);
}

struct lb_endpoint lb_endpoint_checked(const struct lb_endpoint *endpoint)
{
	struct lb_endpoint one = *endpoint;

	one.address = lb_endpoint_host(endpoint);
	one.host_bits = 0;
	return one;
}

struct lb_addr lb_endpoint_host(const struct lb_endpoint *endpoint)
{
	struct lb_addr host = endpoint->address;

	if (endpoint->host_bits)
		host.bytes[host.family == 4 ? 3 : 15] |= 1;
	return host;
}

/* --- prefixes: ADDRESS/LENGTH --- */

static int length_parse(const char *text, unsigned int most, uint8_t *out, struct lb_err *err)
{
	unsigned int length = 0;

	if (text[0] && !text[strspn(text, "0123456789")] && strlen(text) <= 3 &&
	    !(text[0] == '0' && text[1])) {
		sscanf(text, "%u", &length);
		if (length <= most) {
			*out = (uint8_t)length;
			return 0;
		}
	}
	return lb_err_set(err, LB_ERR_PARAMS, "",
			  "length of the prefix must be 0 to %u, not \"%s\"", most, text);
}

void lb_addr_mask(struct lb_addr *address, unsigned int length)
{
	for (unsigned int i = 0; i < sizeof(address->bytes); i++) {
		unsigned int fixed = length > i * 8 ? length - i * 8 : 0;

		if (fixed < 8)
			address->bytes[i] &= (uint8_t)(0xff00u >> fixed);
	}
}

int lb_prefix_compare(const struct lb_prefix *a, const struct lb_prefix *b)
{
	const int order = lb_addr_compare(&a->address, &b->address);

	return order ? order : a->length - b->length;
}

bool lb_prefix_covers(const struct lb_prefix *outer, const struct lb_prefix *inner)
{
	struct lb_addr masked = inner->address;

	if (outer->length > inner->length)
		return false;
	lb_addr_mask(&masked, outer->length);
	return lb_addr_equal(&outer->address, &masked);
}

/* Of the prefixes that are no longer than this, those of one kind begin, or end, with it; but for
 * IPv4's link-local one. */
const char *lb_prefix_unusable(const struct lb_prefix *prefix)
{
	const unsigned int bits = prefix->address.family == 4 ? 32 : 128;
	const struct lb_prefix link_local = {{4, {169, 254}}, 16};
	struct lb_addr last = prefix->address;
	const char *reason = lb_addr_unusable(&prefix->address);

	if (reason || prefix->length == bits)
		return reason;
	if (bits == 32 && prefix->length < bits - LB_VIP_HOST_BITS4_MAX)
		return "is shorter than /8";
	if (bits == 128 && prefix->length < bits - LB_VIP_HOST_BITS6_MAX)
		return "is shorter than /16";
	if (lb_prefix_covers(prefix, &link_local))
		return "holds link-local addresses";
	for (unsigned int i = prefix->length; i < bits; i++)
		last.bytes[i / 8] |= 0x80u >> i % 8;
	return lb_addr_unusable(&last) ? "holds addresses that no host can have" : NULL;
}

int lb_prefix_parse(const char *text, struct lb_prefix *out, struct lb_err *err)
{
	struct lb_prefix prefix, masked;
	char host[LB_ENDPOINT_TEXT], shown[LB_PREFIX_TEXT];
	const char *slash = take_until(text, "/", host, sizeof(host));
	unsigned int most;

	if (lb_addr_parse(host, &prefix.address, err))
		return -EINVAL;
	most = prefix.address.family == 4 ? 32 : 128;
	prefix.length = (uint8_t)most;
	if (*slash && length_parse(slash + 1, most, &prefix.length, err))
		return -EINVAL;
	masked = prefix;
	lb_addr_mask(&masked.address, masked.length);
	*out = masked;
	if (!lb_addr_equal(&masked.address, &prefix.address)) {
		lb_err_set(err, LB_ERR_PARAMS, "", "bits beyond the length are set in \"%s\"",
			   text);
		return lb_err_hint(err, "did you mean %s?", lb_prefix_format(&masked, shown));
	}
	return 0;
}

int lb_addr_mapped(const struct lb_addr *address, struct lb_err *err)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct lb_addr inner = {.family = 4};
	char text[LB_ADDR_TEXT], shown[LB_ADDR_TEXT];

	if (address->family != 6 || memcmp(address->bytes, mapped, sizeof(mapped)) != 0)
		return 0;
	memcpy(inner.bytes, address->bytes + sizeof(mapped), 4);
	lb_err_set(err, LB_ERR_PARAMS, "", "%s is an IPv4 address written as IPv6",
		   lb_addr_format(address, text));
	return lb_err_hint(err, "write it as %s", lb_addr_format(&inner, shown));
}

char *lb_prefix_format(const struct lb_prefix *prefix, char *out)
{
	char address[LB_ADDR_TEXT];

	snprintf(out, LB_PREFIX_TEXT, "%s/%u", lb_addr_format(&prefix->address, address),
		 prefix->length);
	return out;
}

socklen_t lb_addr_to_socket(const struct lb_addr *address, uint16_t port,
			    struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (address->family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address->bytes, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, address->bytes, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

bool lb_addr_from_socket(const struct sockaddr *from, struct lb_addr *out, uint16_t *port)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;

	*out = (struct lb_addr){0};
	if (!from || (from->sa_family != AF_INET && from->sa_family != AF_INET6))
		return false;
	out->family = from->sa_family == AF_INET ? 4 : 6;
	if (out->family == 4)
		memcpy(out->bytes, &v4->sin_addr, sizeof(v4->sin_addr));
	else
		memcpy(out->bytes, &v6->sin6_addr, sizeof(v6->sin6_addr));
	if (port)
		*port = ntohs(out->family == 4 ? v4->sin_port : v6->sin6_port);
	return true;
}
