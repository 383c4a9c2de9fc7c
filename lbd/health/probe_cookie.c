/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the backend make a connection from a cookie?
 *
 * The socket becomes that of a connection whose SYN was answered here: nothing is sent for that (TCP_REPAIR).
 * Then it says that no more comes. So the first packet that the backend gets of it is an ACK with the cookie, and
 * a FIN: it is acknowledged where a connection was made of it, and answered by a RST where not. The program of
 * the VIP sees a client that hangs up at once.
 *
 * Of the SYN-ACK that a client gets this one has no timestamps: a socket cannot be told which to echo.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include "../../bpf/syn_options.h"
#include "../api/guard_secret.h"
#include "probe.h"

#define CLIENT_WSCALE 7
#define CLIENT_MSS 1400
#define WINDOW 32768

static uint32_t half_epochs(void)
{
	struct timespec now;

	clock_gettime(CLOCK_TAI, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >> SYN_HALF_SHIFT;
}

static uint32_t cookie_of(const struct health_probe *probe, const struct lb_endpoint *own,
			  uint32_t isn)
{
	const struct syn_options options = {.mss = CLIENT_MSS, .sack = 1, .wscale = CLIENT_WSCALE};
	const struct lb_endpoint *vip = &probe->vip;
	const __u64 key[2] = {probe->secret->key[0][0], probe->secret->key[0][1]};
	struct syn_flow flow = {.isn = isn, .family = vip->address.family};

	memcpy(flow.source, own->address.bytes, flow.family == 6 ? 16 : 4);
	memcpy(flow.destination, vip->address.bytes, flow.family == 6 ? 16 : 4);
	flow.ports = (uint32_t)htons(lb_health_port(probe->check, vip)) << 16 | htons(own->port);
	return syn_cookie_make(key, &flow, half_epochs(), syn_option_bits(flow.family, &options))
		.sequence;
}

static int set(const struct health_probe *probe, int option, int value)
{
	return setsockopt(probe->fd, IPPROTO_TCP, option, &value, sizeof(value)) ? errno : 0;
}

static int set_sequence(const struct health_probe *probe, int queue, uint32_t next)
{
	int error = set(probe, TCP_REPAIR_QUEUE, queue);

	return error ? error : set(probe, TCP_QUEUE_SEQ, (int)next);
}

static int prepare(struct health_probe *probe)
{
	struct lb_endpoint own;
	uint32_t isn;
	int error = health_socket_own(probe, &own);

	if (!error && getrandom(&isn, sizeof(isn), GRND_NONBLOCK) != sizeof(isn))
		error = EAGAIN;
	if (!error)
		error = set(probe, TCP_REPAIR, TCP_REPAIR_ON);
	if (!error)
		error = set_sequence(probe, TCP_SEND_QUEUE, isn + 1);
	if (!error)
		error = set_sequence(probe, TCP_RECV_QUEUE, cookie_of(probe, &own, isn) + 1);
	return error;
}

/* What both sides would have agreed on. */
static int agree(const struct health_probe *probe)
{
	const struct tcp_repair_opt options[] = {
		{SYN_MSS, CLIENT_MSS},
		{SYN_WINDOW, CLIENT_WSCALE << 16 | SYN_WSCALE},
		{SYN_SACK, 0},
	};
	struct tcp_repair_window window;
	socklen_t length = sizeof(window);

	if (setsockopt(probe->fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, sizeof(options)) ||
	    getsockopt(probe->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &length))
		return errno;
	window.snd_wl1 = window.rcv_wup;
	window.snd_wnd = window.max_window = WINDOW;
	if (setsockopt(probe->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)))
		return errno;
	return set(probe, TCP_REPAIR,
		   TCP_REPAIR_OFF_NO_WP); /* a window probe would come before the ACK */
}

static void on_ready(struct health_probe *probe)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info), size = sizeof(int);
	int error = 0;

	if (getsockopt(probe->fd, IPPROTO_TCP, TCP_INFO, &info, &length) ||
	    info.tcpi_state == TCP_FIN_WAIT1)
		return;
	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	health_socket_close(probe);
	if (error == ECONNRESET || error == ECONNREFUSED || error == EPIPE)
		health_probe_fail(probe, "it makes no connection from a cookie");
	else if (error)
		health_probe_fail_errno(probe, "", error);
	else
		health_probe_succeed(probe);
}

static void start(struct health_probe *probe)
{
	int error;

	if (!probe->secret->count) {
		health_probe_not_made(probe, "there is no secret");
		return;
	}
	probe->prepare = prepare;
	if (health_socket_open(probe, SOCK_STREAM))
		return;
	error = agree(probe);
	if (!error && shutdown(probe->fd, SHUT_WR))
		error = errno;
	if (error) {
		health_socket_close(probe);
		health_probe_not_made(probe, "socket: %s", strerror(error));
		return;
	}
	health_socket_await(probe, EPOLLOUT | EPOLLET,
			    on_ready); /* each time that its state changes */
}

const struct health_probe_kind health_probe_cookie = {
	.start = start,
	.cancel = health_socket_close,
};
