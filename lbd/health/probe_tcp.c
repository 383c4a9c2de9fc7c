/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the backend accept a TCP connection? Nothing is sent over it. */
#include <sys/socket.h>
#include "probe.h"

static void on_connected(struct health_probe *probe)
{
	if (!health_socket_connected(probe))
		return;
	health_socket_close(probe);
	health_probe_succeed(probe);
}

static void start(struct health_probe *probe)
{
	if (health_socket_open(probe, SOCK_STREAM))
		return;
	health_socket_await(probe, EPOLLOUT, on_connected);
}

const struct health_probe_kind health_probe_tcp = {
	.start = start,
	.cancel = health_socket_close,
};
