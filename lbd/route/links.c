/* SPDX-License-Identifier: BSD-2-Clause */
/* Which links does this network namespace have, and when does that change?
 *
 * A dump takes several reads. When the kernel says that its list changed between them
 * (NLM_F_DUMP_INTR), links may be missing or double, and the dump is requested again.
 */
#include "links.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_message.h"

#define NOTICES_A_TURN 64 /* then other events get their turn */

/* --- one link --- */

static void parse_vlan(const struct nlattr *const *table, const struct nlattr *nest,
		       struct link_info *out)
{
	const struct nlattr *data[IFLA_VLAN_MAX + 1] = {NULL};

	if (!nest)
		return;
	attributes_parse_nested(nest, data, IFLA_VLAN_MAX);
	out->is_vlan = true;
	out->lower_elsewhere = table[IFLA_LINK_NETNSID] != NULL;
	out->lower = attribute_u32(table[IFLA_LINK]);
	out->vlan = attribute_u16(data[IFLA_VLAN_ID]);
	out->vlan_protocol = attribute_u16(data[IFLA_VLAN_PROTOCOL]);
}

static void parse_kind(const struct nlattr *const *table, struct link_info *out)
{
	const struct nlattr *info[IFLA_INFO_MAX + 1] = {NULL};

	if (!table[IFLA_LINKINFO])
		return;
	attributes_parse_nested(table[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	out->is_bond = attribute_says(info[IFLA_INFO_KIND], "bond");
	if (attribute_says(info[IFLA_INFO_KIND], "vlan"))
		parse_vlan(table, info[IFLA_INFO_DATA], out);
}

static uint32_t parse_xdp_program(const struct nlattr *nest)
{
	static const uint16_t types[] = {IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID,
					 IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID};
	const struct nlattr *table[IFLA_XDP_MAX + 1] = {NULL};
	uint32_t id = 0;

	if (nest)
		attributes_parse_nested(nest, table, IFLA_XDP_MAX);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && !id; i++)
		id = attribute_u32(table[types[i]]);
	return id;
}

bool link_parse(const struct nlmsghdr *message, struct link_info *out)
{
	const struct nlattr *table[IFLA_MAX + 1] = {NULL};
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->ifi_family != AF_UNSPEC)
		return false;
	attributes_parse(message, sizeof(*header), table, IFLA_MAX);
	memset(out, 0, sizeof(*out));
	out->ifindex = (uint32_t)header->ifi_index;
	if (table[IFLA_IFNAME])
		strncpy(out->name, mnl_attr_get_str(table[IFLA_IFNAME]), sizeof(out->name) - 1);
	out->master = attribute_u32(table[IFLA_MASTER]);
	parse_kind(table, out);
	out->mtu = attribute_u32(table[IFLA_MTU]);
	out->xdp_program = parse_xdp_program(table[IFLA_XDP]);
	out->ethernet =
		attribute_mac(table[IFLA_ADDRESS], out->mac) && header->ifi_type == ARPHRD_ETHER;
	out->enabled = header->ifi_flags & IFF_UP;
	out->up = out->enabled && (header->ifi_flags & IFF_RUNNING);
	out->loopback = header->ifi_flags & IFF_LOOPBACK;
	return true;
}

/* --- the list --- */

struct reading {
	struct links *links;
	size_t room;
	uint32_t sequence;
	bool done;
	int status;
};

static int append(struct reading *reading, const struct link_info *link)
{
	struct links *links = reading->links;

	if (links->count == reading->room) {
		size_t room = reading->room ? 2 * reading->room : 16;
		struct link_info *more = reallocarray(links->link, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		links->link = more;
		reading->room = room;
	}
	links->link[links->count++] = *link;
	return 0;
}

/* NLMSG_ERROR and NLMSG_DONE both begin with an errno, of the request and of the dump. */
static int ending_status(const struct nlmsghdr *message)
{
	int error;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(error))
		return -EBADMSG;
	memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return error;
}

static void take(struct reading *reading, const struct nlmsghdr *message)
{
	struct link_info link;
	int status = 0;

	if (message->nlmsg_seq != reading->sequence)
		return;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		reading->status = -EINTR;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		reading->done = true;
		status = ending_status(message);
	} else if (message->nlmsg_type == RTM_NEWLINK && link_parse(message, &link)) {
		status = append(reading, &link);
	}
	if (status)
		reading->status = status;
}

/* Reads to the end of the dump even when it is of no use: the kernel makes one at a time. */
static int read_once(const struct links_source *source, struct reading *reading)
{
	char buffer[NETLINK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	int status = source->request(source->user, reading->sequence);

	while (!status && !reading->done) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		int length = (int)source->receive(source->user, buffer);

		if (length < 0)
			return length;
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
			take(reading, message);
	}
	return status ? status : reading->status;
}

int links_read_from(const struct links_source *source, struct links *out)
{
	int status = -EINTR;

	*out = (struct links){0};
	for (uint32_t tries = 1; tries <= LINKS_TRIES && status == -EINTR; tries++) {
		struct reading reading = {.links = out, .sequence = tries};

		links_clear(out);
		status = read_once(source, &reading);
	}
	if (status)
		links_clear(out);
	return status;
}

void links_clear(struct links *links)
{
	free(links->link);
	*links = (struct links){0};
}

bool links_is_empty_bond(const struct links *links, uint32_t ifindex)
{
	bool is_bond = false, has_port = false;

	for (size_t i = 0; i < links->count; i++) {
		is_bond = is_bond || (links->link[i].ifindex == ifindex && links->link[i].is_bond);
		has_port = has_port || links->link[i].master == ifindex;
	}
	return is_bond && !has_port;
}

/* --- the list, from the kernel --- */

/* Without statistics, which are most of a message: so the dump is shorter, and seldom interrupted. */
static int request_dump(void *user, uint32_t sequence)
{
	char buffer[64] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = sequence;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return mnl_socket_sendto(user, request, request->nlmsg_len) < 0 ? -errno : 0;
}

/* The kernel has queued the next part by the time that it is asked for. */
static ssize_t receive_dump(void *user, char *buffer)
{
	return netlink_receive(user, buffer);
}

int links_read(struct links *out)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const struct links_source source = {request_dump, receive_dump, socket};
	int status;

	*out = (struct links){0};
	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		status = -errno;
	else
		status = links_read_from(&source, out);
	mnl_socket_close(socket);
	return status;
}

/* --- changes --- */

struct links_watch {
	struct links_watch_options options;
	struct mnl_socket *socket;
	struct event *readable;
	char buffer[NETLINK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static void hear(const struct links_watch *watch, int length)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)watch->buffer;
	struct link_info link;

	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
		if (message->nlmsg_type == RTM_DELLINK && link_parse(message, &link))
			watch->options.gone(watch->options.user, link.ifindex);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct links_watch *watch = user;

	(void)fd;
	(void)what;
	for (int i = 0; i < NOTICES_A_TURN; i++) {
		int length = (int)netlink_receive(watch->socket, watch->buffer);

		if (length == -EAGAIN)
			break;
		if (length > 0 && watch->options.gone)
			hear(watch, length);
	}
	watch->options.changed(watch->options.user);
}

static int watch_open(struct links_watch *watch, struct event_base *base)
{
	int fd;

	watch->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!watch->socket || mnl_socket_bind(watch->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(watch->socket);
	watch->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, watch);
	return watch->readable && !event_add(watch->readable, NULL) ? 0 : -ENOMEM;
}

int links_watch_open(struct event_base *base, const struct links_watch_options *options,
		     struct links_watch **out)
{
	struct links_watch *watch = calloc(1, sizeof(*watch));
	int status;

	*out = NULL;
	if (!watch)
		return -ENOMEM;
	watch->options = *options;
	status = watch_open(watch, base);
	if (status)
		links_watch_close(watch);
	else
		*out = watch;
	return status;
}

void links_watch_close(struct links_watch *watch)
{
	if (!watch)
		return;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->socket)
		mnl_socket_close(watch->socket);
	free(watch);
}
