// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include "../bpf/abi.h"
#include "pmtu.h"

#define MESSAGES 64      /* read in a row; the rest waits for the other events */
#define MESSAGE_MAX 2048 /* what is read of one; RFC 1812 and RFC 4443 limit them to less */

struct pmtu_socket {
	struct event *event;
	bool (*read)(const void *message, size_t length, struct pmtu_news *out);
	struct pmtu *pmtu;
};

struct pmtu {
	pmtu_heard heard;
	void *user;
	struct pmtu_socket sockets[2];
};

/* --- reading --- */

/* `rest` is what the quote has after its IP header. */
static bool is_ours(uint8_t protocol, const void *rest, size_t length)
{
	struct udphdr udp;

	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return true;
	if (protocol != IPPROTO_UDP || length < sizeof(udp))
		return false;
	memcpy(&udp, rest, sizeof(udp));
	return ntohs(udp.dest) == LB_GUE_PORT;
}

/* A router from before RFC 1191 says 0: the next of the usual sizes below the packet's (section 7.1
 * there, the values up to date). */
static uint32_t plateau_below(uint32_t length)
{
	static const uint32_t plateaus[] = {9000, 8166, 4352, 2002, 1492, 1400, 1280, 1006, 576};
	size_t i;

	for (i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < length)
			return plateaus[i];
	return PMTU_MIN_IPV4;
}

/* "Port unreachable", of whichever family. */
static enum pmtu_refusal refused_port(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? PMTU_NO_PORT : PMTU_NO_DEVICE;
}

static bool read_kind_ipv4(const struct icmphdr *icmp, uint8_t protocol, struct pmtu_news *out)
{
	if (icmp->type != ICMP_DEST_UNREACH)
		return false;
	out->refusal = PMTU_NOT_REFUSED;
	if (icmp->code == ICMP_PROT_UNREACH)
		out->refusal = PMTU_NO_PROTOCOL;
	else if (icmp->code == ICMP_PORT_UNREACH)
		out->refusal = refused_port(protocol);
	return out->refusal || icmp->code == ICMP_FRAG_NEEDED;
}

static bool read_kind_ipv6(const struct icmp6_hdr *icmp, uint8_t protocol, struct pmtu_news *out)
{
	out->refusal = PMTU_NOT_REFUSED;
	if (icmp->icmp6_type == ICMP6_PARAM_PROB && icmp->icmp6_code == ICMP6_PARAMPROB_NEXTHEADER)
		out->refusal = PMTU_NO_PROTOCOL;
	else if (icmp->icmp6_type == ICMP6_DST_UNREACH &&
		 icmp->icmp6_code == ICMP6_DST_UNREACH_NOPORT)
		out->refusal = refused_port(protocol);
	return out->refusal || icmp->icmp6_type == ICMP6_PACKET_TOO_BIG;
}

bool pmtu_read_ipv4(const void *packet, size_t length, struct pmtu_news *out)
{
	struct iphdr outer, quoted;
	struct icmphdr icmp;
	const uint8_t *at = packet;
	size_t header;

	if (length < sizeof(outer))
		return false;
	memcpy(&outer, at, sizeof(outer));
	header = outer.ihl * 4u;
	if (header < sizeof(outer) || length < header + sizeof(icmp) + sizeof(quoted))
		return false;
	memcpy(&icmp, at + header, sizeof(icmp));
	memcpy(&quoted, at + header + sizeof(icmp), sizeof(quoted));
	at += header + sizeof(icmp);
	length -= header + sizeof(icmp);
	header = quoted.ihl * 4u;
	*out = (struct pmtu_news){.destination = {.family = 4}};
	if (!read_kind_ipv4(&icmp, quoted.protocol, out) || header < sizeof(quoted) ||
	    length < header || quoted.saddr != outer.daddr ||
	    !is_ours(quoted.protocol, at + header, length - header))
		return false;
	memcpy(out->destination.bytes, &quoted.daddr, sizeof(quoted.daddr));
	if (out->refusal)
		return true;
	out->mtu = ntohs(icmp.un.frag.mtu);
	if (!out->mtu)
		out->mtu = plateau_below(ntohs(quoted.tot_len));
	if (out->mtu < PMTU_MIN_IPV4)
		out->mtu = PMTU_MIN_IPV4;
	return true;
}

bool pmtu_read_ipv6(const void *message, size_t length, struct pmtu_news *out)
{
	struct icmp6_hdr icmp;
	struct ip6_hdr quoted;
	const uint8_t *at = message;

	if (length < sizeof(icmp) + sizeof(quoted))
		return false;
	memcpy(&icmp, at, sizeof(icmp));
	memcpy(&quoted, at + sizeof(icmp), sizeof(quoted));
	*out = (struct pmtu_news){.destination = {.family = 6}};
	if (!read_kind_ipv6(&icmp, quoted.ip6_nxt, out) ||
	    !is_ours(quoted.ip6_nxt, at + sizeof(icmp) + sizeof(quoted),
		     length - sizeof(icmp) - sizeof(quoted)))
		return false;
	memcpy(out->destination.bytes, &quoted.ip6_dst, sizeof(quoted.ip6_dst));
	if (out->refusal)
		return true;
	out->mtu = ntohl(icmp.icmp6_mtu);
	if (out->mtu < PMTU_MIN_IPV6)
		out->mtu = PMTU_MIN_IPV6;
	return true;
}

/* --- the sockets --- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct pmtu_socket *from = arg;
	uint8_t message[MESSAGE_MAX];
	struct pmtu_news news;
	ssize_t length;
	int i;

	(void)what;
	for (i = 0; i < MESSAGES; i++) {
		length = recv(fd, message, sizeof(message), MSG_DONTWAIT);
		if (length < 0)
			return;
		if (from->read(message, length, &news))
			from->pmtu->heard(from->pmtu->user, &news);
	}
}

/* Only what is waited for: a machine may hear many other messages. */
static int filter_ipv4(int fd)
{
	const struct icmp_filter filter = {.data = ~(1u << ICMP_DEST_UNREACH)};

	return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
}

static int filter_ipv6(int fd)
{
	struct icmp6_filter filter;

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_PARAM_PROB, &filter);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
}

static int listen_on(struct pmtu_socket *on, struct event_base *base, int fd, int filtered)
{
	if (fd < 0 || filtered)
		return -errno;
	on->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, on);
	return on->event && !event_add(on->event, NULL) ? 0 : -ENOMEM;
}

static int open_socket(struct pmtu_socket *on, struct event_base *base, int family, int protocol,
		       int (*filter)(int fd))
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int status = listen_on(on, base, fd, fd < 0 ? -1 : filter(fd));

	if (status && !on->event && fd >= 0)
		close(fd);
	return status;
}

int pmtu_open(struct event_base *base, pmtu_heard heard, void *user, struct pmtu **out,
	      struct lb_err *err)
{
	struct pmtu *pmtu = calloc(1, sizeof(*pmtu));
	int status;

	if (!pmtu)
		return lb_err_no_memory(err);
	pmtu->heard = heard;
	pmtu->user = user;
	pmtu->sockets[0] = (struct pmtu_socket){.read = pmtu_read_ipv4, .pmtu = pmtu};
	pmtu->sockets[1] = (struct pmtu_socket){.read = pmtu_read_ipv6, .pmtu = pmtu};
	status = open_socket(&pmtu->sockets[0], base, AF_INET, IPPROTO_ICMP, filter_ipv4);
	if (!status)
		status =
			open_socket(&pmtu->sockets[1], base, AF_INET6, IPPROTO_ICMPV6, filter_ipv6);
	if (status == -EAFNOSUPPORT)
		status = 0;
	if (status) {
		pmtu_close(pmtu);
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot listen for ICMP: %s", strerror(-status));
		return lb_err_hint(err, "lbd needs CAP_NET_RAW at its start");
	}
	*out = pmtu;
	return 0;
}

void pmtu_close(struct pmtu *pmtu)
{
	int i;

	if (!pmtu)
		return;
	for (i = 0; i < 2; i++) {
		if (!pmtu->sockets[i].event)
			continue;
		close(event_get_fd(pmtu->sockets[i].event));
		event_free(pmtu->sockets[i].event);
	}
	free(pmtu);
}
