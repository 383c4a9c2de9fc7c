// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>
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
