/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the backend answer a datagram, and with what it should? */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "health_probe.h"

#define REPLY_MAX 16384

static void judge(struct health_probe *probe, const char *reply, size_t length)
{
	const struct lb_health_bytes *expect = &probe->check->expect;
	char shown[64];

	health_socket_close(probe);
	if (!expect->length || memmem(reply, length, expect->data, expect->length)) {
		health_probe_succeed(probe);
		return;
	}
	health_printable(reply, length, shown, sizeof(shown));
	health_probe_fail(probe, "reply of %zu bytes does not contain what is expected: \"%s\"",
			  length, shown);
}

/* A datagram is refused by ICMP alone. */
static void fail(struct health_probe *probe, int error)
{
	health_socket_close(probe);
	if (error == ECONNREFUSED)
		health_probe_fail(probe, "port unreachable: nothing listens on UDP port %u",
				  lb_health_port(probe->check, &probe->vip));
	else
		health_probe_fail_errno(probe, "", error);
}

/* The socket is connected, so an ICMP error is what recv fails with. */
static void on_readable(evutil_socket_t fd, short events, void *user)
{
	struct health_probe *probe = user;
	char reply[REPLY_MAX];
	ssize_t length = recv(fd, reply, sizeof(reply), 0);
	int error = errno;

	(void)events;
	if (length >= 0) {
		judge(probe, reply, (size_t)length);
	} else if (error != EAGAIN && error != EINTR) {
		fail(probe, error);
	}
}

static void start(struct health_probe *probe)
{
	const struct lb_health_bytes *payload = &probe->check->payload;

	if (health_socket_open(probe, SOCK_DGRAM))
		return;
	if (send(probe->fd, payload->data, payload->length, MSG_NOSIGNAL) < 0) {
		fail(probe, errno);
		return;
	}
	health_socket_await(probe, EV_READ | EV_PERSIST, on_readable);
}

const struct health_probe_kind health_probe_udp = {
	.start = start,
	.cancel = health_socket_close,
};
