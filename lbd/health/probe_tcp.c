/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the backend accept a TCP connection? Nothing is sent over it. */
#include <sys/socket.h>
#include "probe.h"

static void on_connected(evutil_socket_t fd, short events, void *user)
{
	struct health_probe *probe = user;

	(void)fd;
	(void)events;
	if (!health_socket_connected(probe))
		return;
	health_socket_close(probe);
	health_probe_succeed(probe);
}

static void start(struct health_probe *probe)
{
	if (health_socket_open(probe, SOCK_STREAM))
		return;
	health_socket_await(probe, EV_WRITE, on_connected);
}

const struct health_probe_kind health_probe_tcp = {
	.start = start,
	.cancel = health_socket_close,
};
