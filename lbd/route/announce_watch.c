/* SPDX-License-Identifier: BSD-2-Clause */
/* Has somebody else changed the table that a routing daemon imports, or the rules that lead to it? */
#include "announce_watch.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "netlink_request.h"

#define RECEIVES_A_TURN                                                                            \
	16 /* with full tables of the Internet beside, routes come by the thousand */

struct announce_watch {
	struct mnl_socket *socket;
	struct event *readable;
	uint32_t table, own_port;
	void (*changed)(void *user);
	void *user;
	char buffer[NETLINK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Routes and rules have headers of one size, and their table in an attribute of one number. */
_Static_assert(sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr), "one way to read both");
_Static_assert((int)RTA_TABLE == (int)FRA_TABLE, "one way to read both");

static bool is_of_table(const struct announce_watch *watch, const struct nlmsghdr *message)
{
	const struct nlattr *table[RTA_TABLE + 1] = {NULL};

	if (message->nlmsg_pid == watch->own_port ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
		return false;
	attributes_parse(message, sizeof(struct rtmsg), table, RTA_TABLE);
	return attribute_u32(table[RTA_TABLE]) == watch->table;
}

/* False when there is nothing left to read. */
static bool receive(struct announce_watch *watch, bool *changed)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)watch->buffer;
	int length = (int)netlink_receive(watch->socket, watch->buffer);

	if (length == -EAGAIN)
		return false;
	*changed |= length < 0;
	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
		*changed |= is_of_table(watch, message);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct announce_watch *watch = arg;
	bool changed = false;

	(void)fd;
	(void)what;
	for (int i = 0; i < RECEIVES_A_TURN && receive(watch, &changed); i++)
		;
	if (changed)
		watch->changed(watch->user);
}

static int subscribe(struct announce_watch *watch)
{
	static const int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
				     RTNLGRP_IPV6_RULE};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(watch->socket, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

static int open_socket(struct announce_watch *watch, struct event_base *base)
{
	int status = netlink_socket_open(&watch->socket);

	if (!status)
		status = subscribe(watch);
	if (status)
		return status;
	watch->readable = event_new(base, mnl_socket_get_fd(watch->socket), EV_READ | EV_PERSIST,
				    on_readable, watch);
	return watch->readable && !event_add(watch->readable, NULL) ? 0 : -ENOMEM;
}

int announce_watch_open(struct event_base *base, uint32_t table, uint32_t own_port,
			void (*changed)(void *user), void *user, struct announce_watch **out)
{
	struct announce_watch *watch = *out = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->table = table;
	watch->own_port = own_port;
	watch->changed = changed;
	watch->user = user;
	return open_socket(watch, base);
}

void announce_watch_close(struct announce_watch *watch)
{
	if (!watch)
		return;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->socket)
		mnl_socket_close(watch->socket);
	free(watch);
}
