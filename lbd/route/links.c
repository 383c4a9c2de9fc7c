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
#define AGAIN_MS 200      /* between two attempts to list them */

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

/* --- the table --- */

struct links_table {
	struct link *first;
	LIST_HEAD(, links_subscriber) subscribers;
	struct mnl_socket *socket;
	struct event *readable, *again;
	bool lost; /* notices were: the list is to be read again */
	char buffer[NETLINK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

struct link *links_first(const struct links_table *table)
{
	return table->first;
}

struct link *links_find(const struct links_table *table, uint32_t ifindex)
{
	struct link *link = table->first;

	while (link && link->is.ifindex != ifindex)
		link = link->next;
	return link;
}

static struct link *link_make(struct links_table *table, uint32_t ifindex)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->is.ifindex = ifindex;
	link->next = table->first;
	table->first = link;
	return link;
}

void links_free_unused(struct links_table *table, struct link *link)
{
	struct link **at = &table->first;

	if (link->present || link->hops || link->exits)
		return;
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	free(link);
}

static bool link_same(const struct link_info *a, const struct link_info *b)
{
	return a->up == b->up && a->is_vlan == b->is_vlan && a->lower == b->lower &&
	       a->lower_elsewhere == b->lower_elsewhere && a->vlan == b->vlan &&
	       a->vlan_protocol == b->vlan_protocol && a->mtu == b->mtu &&
	       a->ethernet == b->ethernet && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

int links_note(struct links_table *table, const struct link_info *is, bool gone)
{
	struct link *link = links_find(table, is->ifindex);
	const struct link before = link ? *link : (struct link){0};
	struct links_subscriber *subscriber;

	if (!link && gone)
		return 0;
	if (!link && !(link = link_make(table, is->ifindex)))
		return -ENOMEM;
	link->is = *is;
	link->present = !gone;
	link->listed = true;
	if (before.present == !gone && link_same(&before.is, is))
		return 0;
	LIST_FOREACH (subscriber, &table->subscribers, entry)
		if (subscriber->changed)
			subscriber->changed(subscriber->user, link, &before);
	links_free_unused(table, link);
	return 0;
}

/* What cannot be read now is read again in a moment: until then what was known holds. */
static void list(struct links_table *table)
{
	const struct timeval delay = {.tv_usec = AGAIN_MS * 1000};
	struct link *link, *next;
	struct links links;

	if (links_read(&links)) {
		evtimer_add(table->again, &delay);
		return;
	}
	for (link = table->first; link; link = link->next)
		link->listed = false;
	for (size_t i = 0; i < links.count; i++)
		links_note(table, &links.link[i], false);
	links_clear(&links);
	for (link = table->first; link; link = next) {
		const struct link_info is = link->is;

		next = link->next;
		if (!link->listed)
			links_note(table, &is, true);
	}
}

static void settle(const struct links_table *table)
{
	struct links_subscriber *subscriber, *next;

	for (subscriber = LIST_FIRST(&table->subscribers); subscriber; subscriber = next) {
		next = LIST_NEXT(subscriber, entry);
		if (subscriber->settled)
			subscriber->settled(subscriber->user);
	}
}

static void on_again(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	list(user);
	settle(user);
}

static void hear(struct links_table *table, int length)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)table->buffer;
	struct link_info link;

	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
		const bool gone = message->nlmsg_type == RTM_DELLINK;

		if ((gone || message->nlmsg_type == RTM_NEWLINK) && link_parse(message, &link))
			links_note(table, &link, gone);
	}
}

/* After a loss the list is read when all that was queued before it has been: it must not be
 * overwritten by older notices. */
static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct links_table *table = user;
	int length = 0;

	(void)fd;
	(void)what;
	for (int i = 0; i < NOTICES_A_TURN && length != -EAGAIN; i++) {
		length = (int)netlink_receive(table->socket, table->buffer);
		if (length > 0)
			hear(table, length);
		else if (length < 0 && length != -EAGAIN)
			table->lost = true;
	}
	if (table->lost && length == -EAGAIN) {
		table->lost = false;
		list(table);
	} else if (table->lost) { /* the queue may be empty just now, and then nothing would call */
		event_active(table->readable, EV_READ, 0);
	}
	settle(table);
}

static int follow(struct links_table *table, struct event_base *base)
{
	int fd;

	table->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!table->socket || mnl_socket_bind(table->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(table->socket);
	table->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, table);
	table->again = evtimer_new(base, on_again, table);
	if (!table->readable || !table->again || event_add(table->readable, NULL))
		return -ENOMEM;
	list(table);
	return 0;
}

int links_open(struct event_base *base, struct links_table **out, struct lb_err *err)
{
	struct links_table *table = calloc(1, sizeof(*table));
	int error = table ? 0 : -ENOMEM;

	if (!error && base)
		error = follow(table, base);
	*out = table;
	if (!error)
		return 0;
	links_close(table);
	*out = NULL;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot follow the network interfaces: %s",
			  strerror(-error));
}

void links_close(struct links_table *table)
{
	struct link *link;

	if (!table)
		return;
	while ((link = table->first)) {
		table->first = link->next;
		free(link);
	}
	if (table->again)
		event_free(table->again);
	if (table->readable)
		event_free(table->readable);
	if (table->socket)
		mnl_socket_close(table->socket);
	free(table);
}

void links_subscribe(struct links_table *table, struct links_subscriber *subscriber)
{
	LIST_INSERT_HEAD(&table->subscribers, subscriber, entry);
}

void links_unsubscribe(struct links_subscriber *subscriber)
{
	LIST_REMOVE(subscriber, entry);
}
