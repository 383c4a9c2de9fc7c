/* SPDX-License-Identifier: BSD-2-Clause */
/* How is one check carried out, from its start to its one result? One file for each kind; the
 * engine (health.c) decides when, and ends those that take too long.
 *
 * The engine fills in the first part and calls start. The kind calls probe->done once, from within
 * start or later, having let go of everything; or the engine calls cancel, and nothing is reported.
 */
#ifndef LB_HEALTH_PROBE_H
#define LB_HEALTH_PROBE_H

#include <stdbool.h>
#include <sys/epoll.h>
#include "../api/addr.h"
#include "../api/health.h"
#include "state.h"

struct event_base;
struct exec_rights;
struct health_exec;
struct guard_secret;

/* An ICMP error about what a check has sent. */
struct health_icmp {
	struct lb_addr from;
	uint8_t type, code;
};

#define HEALTH_ANSWER_SHOWN 160 /* bytes of an answer */
#define HEALTH_ICMP_SHOWN 4

/* What came back in one check, for who asks. All 0 before it but connect_us. */
struct health_seen {
	int64_t began_us;                 /* by CLOCK_MONOTONIC */
	int64_t connect_us;               /* how long the connection took; -1: there was none */
	int status;                       /* of an HTTP response; 0: none */
	char answer[HEALTH_ANSWER_SHOWN]; /* how it begins, printable; "" if none came */
	size_t icmp_count;
	struct health_icmp icmp[HEALTH_ICMP_SHOWN];
};

struct health_probe {
	int epoll;                /* where sockets are waited for */
	struct health_exec *exec; /* what exec probes share */
	const struct lb_health *check;
	struct lb_endpoint vip;
	struct lb_addr backend;
	uint32_t mark;
	uint32_t tunnel_mtu;               /* of this check, where it is to fill a packet */
	struct health_seen *seen;          /* NULL: nobody asks */
	const struct guard_secret *secret; /* that cookies are made with; NULL: none are */
	void (*done)(struct health_probe *probe, const struct health_event *event);

	/* From here on the kind's own, while it is under way. */
	const char *awaited; /* what has not come when the time is over: "answer" */
	int fd;
	/* Called when the socket is ready. NULL: it is not waited for, or there is none. */
	void (*ready)(struct health_probe *probe);
	uint32_t events; /* EPOLLIN or EPOLLOUT */
	void *extra;
	/* Before the socket is connected: 0, or an error number. NULL: there is nothing to do. */
	int (*prepare)(struct health_probe *probe);
	uint32_t full; /* bytes of the largest IP packet that has certainly got through whole */
};

struct health_probe_kind {
	void (*start)(struct health_probe *probe);
	void (*cancel)(struct health_probe *probe);
};

extern const struct health_probe_kind health_probe_tcp, health_probe_http, health_probe_udp,
	health_probe_exec, health_probe_cookie;

/* --- reporting: each of these calls done, after which the probe may be gone --- */
void health_probe_succeed(struct health_probe *probe);
void health_probe_fail(struct health_probe *probe, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* An error number of the kernel's, in plain words; one that tells of a lack here is NOT_MADE. */
void health_probe_fail_errno(struct health_probe *probe, const char *what, int error);
/* The check could not be made, through no fault of the backend's. */
void health_probe_not_made(struct health_probe *probe, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The beginning of what the backend has answered, for who asks. */
void health_probe_answered(const struct health_probe *probe, const void *bytes, size_t length);

/* --- sockets --- */

/* Opens a non-blocking socket (SOCK_STREAM or SOCK_DGRAM), and connects it to where the check goes.
 * 0 and probe->fd; or it has failed, was reported, and the answer is -1. */
int health_socket_open(struct health_probe *probe, int type);
/* The address and port that its packets come from. Once the socket has a port. 0 or an error number. */
int health_socket_own(const struct health_probe *probe, struct lb_endpoint *own);
/* With full_mtu: how large an IP packet of this check may be; 0: not known. The socket is open. */
uint32_t health_socket_mtu(const struct health_probe *probe);
/* Has `ready` called as often as the socket is ready for `events` (EPOLLIN or EPOLLOUT), or has an
 * error, until it is closed. The last thing of a start: what fails is reported. */
void health_socket_await(struct health_probe *probe, uint32_t events,
			 void (*ready)(struct health_probe *probe));
/* Whether it is ready already, although nobody has looked. */
bool health_socket_is_ready(const struct health_probe *probe);
/* Whether a connection has been made, reporting that it has not. */
bool health_socket_connected(struct health_probe *probe);
void health_socket_close(struct health_probe *probe);
/* Who is asked: the VIP's address through the tunnel, else the backend's. */
const struct lb_addr *health_socket_peer(const struct health_probe *probe);

/* --- commands: what they share --- */
struct health_exec *health_exec_new(struct event_base *base, uint32_t max,
				    const struct exec_rights *rights, void (*freed)(void *user),
				    void *user);
void health_exec_free(struct health_exec *exec); /* kills what runs */
/* Whether no further command may start now; `freed` is called when that ends. */
bool health_exec_full(const struct health_exec *exec);

#endif
