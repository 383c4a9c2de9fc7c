/* SPDX-License-Identifier: BSD-2-Clause */
/* What do probes of every kind have in common: sockets, and results in plain words? */
#include "health_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- results --- */

static void report(struct health_probe *probe, enum health_outcome outcome, const char *error)
{
	const struct health_event event = {.outcome = outcome, .error = error};

	probe->done(probe, &event);
}

void health_probe_succeed(struct health_probe *probe)
{
	report(probe, HEALTH_SUCCESS, NULL);
}

void health_probe_fail(struct health_probe *probe, const char *format, ...)
{
	char raw[HEALTH_ERROR_TEXT * 2], text[HEALTH_ERROR_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	health_printable(raw, strlen(raw), text, sizeof(text));
	report(probe, HEALTH_FAILURE, text);
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
	case EPERM:
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
		return "no free local port";
	}
	return strerror(error);
}

void health_probe_fail_errno(struct health_probe *probe, const char *what, int error)
{
	char text[HEALTH_ERROR_TEXT];

	snprintf(text, sizeof(text), "%s%s%s", is_local(error) ? "not checked: " : "", what,
		 words_of(error));
	report(probe, is_local(error) ? HEALTH_NOT_MADE : HEALTH_FAILURE, text);
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

static struct socket_address peer_address(const struct health_probe *probe)
{
	const struct lb_addr *peer = health_socket_peer(probe);
	const in_port_t port = htons(lb_health_port(probe->check, &probe->vip));
	struct socket_address address = {0};
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address.storage;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address.storage;

	if (peer->family == 6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		memcpy(&v6->sin6_addr, peer->bytes, sizeof(v6->sin6_addr));
		address.length = sizeof(*v6);
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		memcpy(&v4->sin_addr, peer->bytes, sizeof(v4->sin_addr));
		address.length = sizeof(*v4);
	}
	return address;
}

/* The kernel sends to an address of its own from that very address. */
static bool talks_to_itself(const struct health_probe *probe)
{
	struct socket_address own = {.length = sizeof(own.storage)};
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&own.storage;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&own.storage;

	if (getsockname(probe->fd, (struct sockaddr *)&own.storage, &own.length))
		return false;
	if (probe->vip.address.family == 6)
		return !memcmp(&v6->sin6_addr, probe->vip.address.bytes, sizeof(v6->sin6_addr));
	return !memcmp(&v4->sin_addr, probe->vip.address.bytes, sizeof(v4->sin_addr));
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
	return 0;
}

static int open_failed(struct health_probe *probe, const char *what, int error)
{
	health_socket_close(probe);
	health_probe_fail_errno(probe, what, error);
	return -1;
}

int health_socket_open(struct health_probe *probe, int type)
{
	const struct socket_address address = peer_address(probe);
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
	if (connect(probe->fd, (const struct sockaddr *)&address.storage, address.length) &&
	    errno != EINPROGRESS)
		return open_failed(probe, "", errno);
	if (probe->check->source == LB_HEALTH_TUNNEL && talks_to_itself(probe)) {
		health_socket_close(probe);
		health_probe_fail(probe, "the VIP's address is this node's own, so a tunnel check "
					 "cannot leave it");
		return -1;
	}
	return 0;
}

void health_socket_await(struct health_probe *probe, short events, event_callback_fn ready)
{
	if (event_initialized(&probe->event))
		event_del(&probe->event);
	event_assign(&probe->event, probe->base, probe->fd, events, ready, probe);
	event_add(&probe->event, NULL);
}

bool health_socket_connected(struct health_probe *probe)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error)
		return true;
	health_socket_close(probe);
	health_probe_fail_errno(probe, "", error);
	return false;
}

void health_socket_close(struct health_probe *probe)
{
	if (event_initialized(&probe->event))
		event_del(&probe->event);
	memset(&probe->event, 0, sizeof(probe->event));
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}
