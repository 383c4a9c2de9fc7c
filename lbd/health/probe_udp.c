/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the backend answer a datagram, and with what it should? */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "probe.h"

#define REPLY_MAX 16384
#define DATAGRAM_MAX 16384

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
static void on_readable(struct health_probe *probe)
{
	char reply[REPLY_MAX];
	ssize_t length = recv(probe->fd, reply, sizeof(reply), 0);
	int error = errno;

	if (length >= 0) {
		health_probe_answered(probe, reply, (size_t)length);
		judge(probe, reply, (size_t)length);
	} else if (error != EAGAIN && error != EINTR) {
		fail(probe, error);
	}
}

static uint32_t headers_of(const struct health_probe *probe)
{
	return (health_socket_peer(probe)->family == 6 ? 40 : 20) + 8;
}

/* How long the datagram is, zero bytes after the payload, whose packet is as large as may be. */
static size_t fill(struct health_probe *probe, size_t payload)
{
	const uint32_t mtu = health_socket_mtu(probe);
	const uint32_t headers = headers_of(probe);
	const uint32_t room = mtu > headers ? mtu - headers : 0;

	probe->awaited = "answer to a datagram of full size";
	if (room <= payload)
		return payload;
	return room < DATAGRAM_MAX ? room : DATAGRAM_MAX;
}

static void start(struct health_probe *probe)
{
	uint8_t datagram[DATAGRAM_MAX] = {0};
	size_t length = probe->check->payload.length;

	if (health_socket_open(probe, SOCK_DGRAM))
		return;
	if (length)
		memcpy(datagram, probe->check->payload.data, length);
	if (probe->check->full_mtu)
		length = fill(probe, length);
	if (send(probe->fd, datagram, length, MSG_NOSIGNAL) < 0) {
		fail(probe, errno);
		return;
	}
	if (probe->check->full_mtu) /* it is not fragmented */
		probe->full = (uint32_t)length + headers_of(probe);
	health_socket_await(probe, EPOLLIN, on_readable);
}

const struct health_probe_kind health_probe_udp = {
	.start = start,
	.cancel = health_socket_close,
};
