/* SPDX-License-Identifier: BSD-2-Clause */
/* What is the kernel asked, and what does it answer? Private to those who speak netlink.
 *
 * Requests are answered at once: the kernel handles a netlink request, and queues its answer,
 * before send() returns. So each is one round trip of some microseconds that never waits; callers
 * bound how many they make in a row. */
#ifndef LB_NETLINK_REQUEST_H
#define LB_NETLINK_REQUEST_H

#include "netlink_message.h"

struct netlink_requests {
	struct mnl_socket *socket;
	uint32_t sequence;
	char reason[96]; /* what the kernel said about the last failure; "": no words */
	char answer[NETLINK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Without waiting, and closed on exec. 0 or -errno, with *out to be closed unless it is NULL. */
int netlink_socket_open(struct mnl_socket **out);

/* 0 or -errno; to be closed in both cases. */
int netlink_requests_open(struct netlink_requests *requests);
void netlink_requests_close(struct netlink_requests *requests);

/* Sends a request and hands each message of its answer to `each`, which must make none. 0, or the
 * kernel's -errno; -EINTR: a dump changed while it was made. */
int netlink_request(struct netlink_requests *requests, struct nlmsghdr *request,
		    void (*each)(const struct nlmsghdr *message, void *data), void *data);

#endif
