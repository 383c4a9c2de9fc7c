/* SPDX-License-Identifier: BSD-2-Clause */
/* What do probes of every kind have in common: sockets, and results in plain words? */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../api/clock.h"

/* How every error begins that is this balancer's. */
#define NOT_CHECKED "not checked: "

/* --- results --- */

static void report(struct health_probe *probe, enum health_outcome outcome, const char *error)
{
	const struct health_event event = {.outcome = outcome, .error = error};

	probe->done(probe, &event);
}

static void report_text(struct health_probe *probe, enum health_outcome outcome, const char *prefix,
			const char *format, va_list arguments)
{
	char raw[HEALTH_ERROR_TEXT * 2], text[HEALTH_ERROR_TEXT];
	size_t length = (size_t)snprintf(raw, sizeof(raw), "%s", prefix);

	vsnprintf(raw + length, sizeof(raw) - length, format, arguments);
	health_printable(raw, strlen(raw), text, sizeof(text));
	report(probe, outcome, text);
}

void health_probe_succeed(struct health_probe *probe)
{
	report(probe, HEALTH_SUCCESS, NULL);
}

void health_probe_fail(struct health_probe *probe, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_text(probe, HEALTH_FAILURE, "", format, arguments);
	va_end(arguments);
}

void health_probe_not_made(struct health_probe *probe, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_text(probe, HEALTH_NOT_MADE, NOT_CHECKED, format, arguments);
	va_end(arguments);
}

/* Lacks of ours: of descriptors, memory, processes, local ports or rights. */
static bool is_local(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EAGAIN:
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case EPERM:
	case ENOSPC:
	case ENOSYS:
		return true;
	}
	return false;
}

static const char *words_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "connection refused";
	case ECONNRESET:
		return "connection reset";
	case EHOSTUNREACH:
		return "no route to host";
	case ENETUNREACH:
		return "network is unreachable";
	case ETIMEDOUT:
		return "connection timed out";
	case EADDRNOTAVAIL:
	case EADDRINUSE:
		return "no free local port";
	case ENOPROTOOPT:
		return "protocol unreachable";
	}
	return strerror(error);
}

void health_probe_fail_errno(struct health_probe *probe, const char *what, int error)
{
	if (is_local(error))
		health_probe_not_made(probe, "%s%s", what, words_of(error));
	else
		health_probe_fail(probe, "%s%s", what, words_of(error));
}

/* --- what is seen of it --- */

/* Only the first piece of an answer is kept. */
void health_probe_answered(const struct health_probe *probe, const void *bytes, size_t length)
{
	struct health_seen *seen = probe->seen;

	if (seen && !*seen->answer)
		health_printable(bytes, length, seen->answer, sizeof(seen->answer));
}

static void see_connection(const struct health_probe *probe)
{
	struct health_seen *seen = probe->seen;

	if (seen && seen->connect_us < 0)
		seen->connect_us = lb_clock_ns(CLOCK_MONOTONIC) / 1000 - seen->began_us;
}

static void see_icmp(struct health_seen *seen, const struct sock_extended_err *error)
{
	const struct sockaddr *from = SO_EE_OFFENDER(error);
	struct health_icmp *icmp = &seen->icmp[seen->icmp_count];

	if ((error->ee_origin != SO_EE_ORIGIN_ICMP && error->ee_origin != SO_EE_ORIGIN_ICMP6) ||
	    seen->icmp_count == HEALTH_ICMP_SHOWN)
		return;
	*icmp = (struct health_icmp){.type = error->ee_type, .code = error->ee_code};
	lb_addr_from_socket(from, &icmp->from, NULL);
	seen->icmp_count++;
}

/* What the kernel has queued of errors about this socket's packets (IP_RECVERR). */
static void see_errors(const struct health_probe *probe)
{
	union {
		struct cmsghdr header;
		char bytes[512];
	} control;
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *at;

	while (probe->seen && probe->fd >= 0 &&
	       recvmsg(probe->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		for (at = CMSG_FIRSTHDR(&message); at;
		     at = CMSG_NXTHDR(&message, (struct cmsghdr *)at))
			if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR) ||
			    (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR))
				see_icmp(probe->seen, (const void *)CMSG_DATA(at));
		message.msg_controllen = sizeof(control);
	}
}

static int ask_for_errors(const struct health_probe *probe, uint8_t family)
{
	const int yes = 1;

	if (!probe->seen)
		return 0;
	return setsockopt(probe->fd, family == 6 ? IPPROTO_IPV6 : IPPROTO_IP,
			  family == 6 ? IPV6_RECVERR : IP_RECVERR, &yes, sizeof(yes));
}

/* --- sockets --- */

struct socket_address {
	struct sockaddr_storage storage;
	socklen_t length;
};

const struct lb_addr *health_socket_peer(const struct health_probe *probe)
{
	return probe->check->source == LB_HEALTH_TUNNEL ? &probe->vip.address : &probe->backend;
}

/* The address that the socket is connected to. bpf/tunnel.bpf.c puts the VIP's address in the place
 * of the backend's where both are of one family. */
static const struct lb_addr *route_to(const struct health_probe *probe)
{
	return probe->vip.address.family == probe->backend.family ? &probe->backend
								  : health_socket_peer(probe);
}

static struct socket_address socket_address(const struct lb_addr *of, uint16_t port)
{
	struct socket_address address;

	address.length = lb_addr_to_socket(of, port, &address.storage);
	return address;
}

/* The kernel sends to an address of its own from that very address. */
static bool talks_to_itself(const struct health_probe *probe)
{
	struct socket_address own = {.length = sizeof(own.storage)};
	struct lb_addr address;

	return !getsockname(probe->fd, (struct sockaddr *)&own.storage, &own.length) &&
	       lb_addr_from_socket((struct sockaddr *)&own.storage, &address, NULL) &&
	       lb_addr_equal(&address, route_to(probe));
}

/* A port that no other socket has: answers to checks of several backends come from the same
 * address and port, the VIP's, and are told apart by it. 0 or -errno. */
static int take_port(const struct health_probe *probe)
{
	const struct lb_addr *peer = route_to(probe);
	const struct socket_address any =
		socket_address(&(struct lb_addr){.family = peer->family}, 0);
	const int only = 1;

	if (peer->family == 6 &&
	    setsockopt(probe->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)))
		return -errno;
	return bind(probe->fd, (const struct sockaddr *)&any.storage, any.length) ? -errno : 0;
}

/* No fragments; and segments of a connection no larger than what fits the tunnel. */
static int fill_packets(const struct health_probe *probe, int type)
{
	const bool ipv6 = route_to(probe)->family == 6;
	const int discover = ipv6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE;
	const int segment = (int)probe->tunnel_mtu - (ipv6 ? 60 : 40);

	if (type == SOCK_DGRAM)
		return setsockopt(probe->fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
				  ipv6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &discover,
				  sizeof(discover));
	if (probe->check->source != LB_HEALTH_TUNNEL || !probe->tunnel_mtu)
		return 0;
	return setsockopt(probe->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

/* A reset instead of FIN: nothing stays behind in TIME_WAIT. The mark is what
 * bpf/tunnel.bpf.c goes by. 0 or -errno. */
static int set_options(const struct health_probe *probe, int type)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (type == SOCK_STREAM &&
	    setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		return -errno;
	if (probe->check->source == LB_HEALTH_TUNNEL &&
	    setsockopt(probe->fd, SOL_SOCKET, SO_MARK, &probe->mark, sizeof(probe->mark)))
		return -errno;
	if (probe->check->full_mtu && fill_packets(probe, type))
		return -errno;
	if (ask_for_errors(probe, route_to(probe)->family))
		return -errno;
	return probe->check->source == LB_HEALTH_TUNNEL ? take_port(probe) : 0;
}

static int open_failed(struct health_probe *probe, const char *what, int error)
{
	health_socket_close(probe);
	health_probe_fail_errno(probe, what, error);
	return -1;
}

/* What connect() itself refuses is this node's routing, whatever the backend does. */
static int no_route(struct health_probe *probe, int error)
{
	char text[LB_ADDR_TEXT];
	const char *kind = "";

	health_socket_close(probe);
	if (error == EINVAL)
		kind = " (a blackhole route)";
	else if (error == EACCES)
		kind = " (a prohibit route)";
	else if (error != ENETUNREACH && error != EHOSTUNREACH) {
		health_probe_fail_errno(probe, "", error);
		return -1;
	}
	health_probe_not_made(probe, "this balancer has no route to %s: %s%s",
			      lb_addr_format(route_to(probe), text), words_of(error), kind);
	return -1;
}

static int own_address(struct health_probe *probe)
{
	char text[LB_ADDR_TEXT];

	health_socket_close(probe);
	health_probe_not_made(
		probe, "%s is an address of this balancer, so a tunnel check cannot leave it",
		lb_addr_format(route_to(probe), text));
	return -1;
}

int health_socket_open(struct health_probe *probe, int type)
{
	const struct lb_addr *peer = route_to(probe);
	const struct socket_address address =
		socket_address(peer, lb_health_port(probe->check, &probe->vip));
	int error;

	probe->awaited = "answer";
	probe->fd = socket(address.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0) {
		health_probe_fail_errno(probe, "socket: ", errno);
		return -1;
	}
	error = set_options(probe, type);
	if (error)
		return open_failed(probe, "socket: ", -error);
	error = probe->prepare ? probe->prepare(probe) : 0;
	if (error)
		return open_failed(probe, "socket: ", error);
	if (connect(probe->fd, (const struct sockaddr *)&address.storage, address.length) &&
	    errno != EINPROGRESS)
		return no_route(probe, errno);
	if (probe->check->source == LB_HEALTH_TUNNEL && talks_to_itself(probe))
		return own_address(probe);
	return 0;
}

static void take_name(int fd, struct lb_endpoint *own)
{
	struct socket_address name = {.length = sizeof(name.storage)};

	*own = (struct lb_endpoint){.protocol = IPPROTO_TCP};
	if (!getsockname(fd, (struct sockaddr *)&name.storage, &name.length))
		lb_addr_from_socket((struct sockaddr *)&name.storage, &own->address, &own->port);
}

int health_socket_own(const struct health_probe *probe, struct lb_endpoint *own)
{
	const struct lb_addr *peer = route_to(probe);
	const struct socket_address address = socket_address(peer, 1);
	struct lb_endpoint bound;
	int error = 0, fd;

	take_name(probe->fd, &bound);
	fd = socket(address.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &probe->mark, sizeof(probe->mark)) ||
	    connect(fd, (const struct sockaddr *)&address.storage, address.length))
		error = errno;
	take_name(fd, own);
	own->port = bound.port;
	close(fd);
	return error;
}

uint32_t health_socket_mtu(const struct health_probe *probe)
{
	const bool ipv6 = route_to(probe)->family == 6;
	socklen_t length = sizeof(int);
	int mtu = 0;

	if (probe->check->source == LB_HEALTH_TUNNEL)
		return probe->tunnel_mtu;
	return getsockopt(probe->fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_MTU : IP_MTU,
			  &mtu, &length)
		       ? 0
		       : (uint32_t)mtu;
}

void health_socket_await(struct health_probe *probe, uint32_t events,
			 void (*ready)(struct health_probe *probe))
{
	struct epoll_event event = {.events = events, .data.ptr = probe};

	if (!probe->ready && epoll_ctl(probe->epoll, EPOLL_CTL_ADD, probe->fd, &event)) {
		open_failed(probe, "epoll: ", errno);
		return;
	}
	if (probe->ready && probe->events != events) /* of a socket that is there: cannot fail */
		epoll_ctl(probe->epoll, EPOLL_CTL_MOD, probe->fd, &event);
	probe->events = events;
	probe->ready = ready;
}

bool health_socket_is_ready(const struct health_probe *probe)
{
	struct pollfd poller = {.fd = probe->fd};

	poller.events = probe->events == EPOLLIN ? POLLIN : POLLOUT;
	return probe->ready && poll(&poller, 1, 0) == 1;
}

bool health_socket_connected(struct health_probe *probe)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error) {
		see_connection(probe);
		return true;
	}
	health_socket_close(probe);
	health_probe_fail_errno(probe, "", error);
	return false;
}

void health_socket_close(struct health_probe *probe)
{
	see_errors(probe);
	if (probe->fd >= 0)
		close(probe->fd); /* nobody else has it, so epoll forgets it */
	probe->fd = -1;
	probe->ready = NULL;
}
