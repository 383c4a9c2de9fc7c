/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd ask the kernel about routes and neighbours, and hear of their changes?
 *
 * Two sockets, so that a burst of notifications cannot crowd out an answer: one for requests, one
 * for multicast.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "netlink_message.h"
#include "netlink_request.h"
#include "nexthop_netlink.h"

#define EVENTS_RCVBUF (4 << 20)
#define RECEIVES_A_TURN 64 /* then other events get their turn */

/* Marks the neighbour entries that we made managed ("ip neigh" shows it as "proto 76"), so that
 * those of other programs are never touched. Free in the kernel's list of RTPROT_*. */
#define OUR_PROTOCOL 76

struct netlink {
	struct netlink_requests requests;
	struct mnl_socket *notices;
	struct event *readable;
	struct netlink_events events;
	bool lost; /* messages were lost, and this is still to be told */
	char notice[NETLINK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* --- attributes --- */

static void address_set(struct lb_addr *address, int family, const void *bytes, size_t length)
{
	static const struct lb_addr unset;

	*address = unset;
	if (!(family == AF_INET && length == 4) && !(family == AF_INET6 && length == 16))
		return;
	address->family = family == AF_INET ? 4 : 6;
	memcpy(address->bytes, bytes, length);
}

static void attribute_address(const struct nlattr *attr, int family, struct lb_addr *address)
{
	if (attr)
		address_set(address, family, mnl_attr_get_payload(attr),
			    mnl_attr_get_payload_len(attr));
	else
		address_set(address, family, NULL, 0);
}

static int address_family(const struct lb_addr *address)
{
	return address->family == 4 ? AF_INET : AF_INET6;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct lb_addr *address)
{
	mnl_attr_put(message, type, address->family == 4 ? 4 : 16, address->bytes);
}

/* --- messages --- */

/* The MTU of the route. One that expires was learned from an ICMP message: nobody would tell us
 * when it ends, or that it began, so it is not followed. */
static uint32_t route_mtu(const struct nlattr *const *table)
{
	const struct nlattr *metrics[RTAX_MAX + 1] = {NULL};
	const struct nlattr *cache = table[RTA_CACHEINFO];
	struct rta_cacheinfo info;

	if (!table[RTA_METRICS])
		return 0;
	if (cache && mnl_attr_get_payload_len(cache) >= sizeof(info)) {
		memcpy(&info, mnl_attr_get_payload(cache), sizeof(info));
		if (info.rta_expires)
			return 0;
	}
	attributes_parse_nested(table[RTA_METRICS], metrics, RTAX_MAX);
	return attribute_u32(metrics[RTAX_MTU]);
}

/* An IPv4 route may have an IPv6 gateway; that stands in RTA_VIA (RFC 5549). */
static void route_gateway(const struct nlattr *const *table, int family, struct lb_addr *gateway)
{
	const struct nlattr *via = table[RTA_VIA];
	const struct rtvia *hop;
	size_t length;

	attribute_address(table[RTA_GATEWAY], family, gateway);
	if (!via || mnl_attr_get_payload_len(via) < sizeof(*hop))
		return;
	hop = mnl_attr_get_payload(via);
	length = mnl_attr_get_payload_len(via) - sizeof(*hop);
	address_set(gateway, hop->rtvia_family, hop->rtvia_addr, length);
}

static void route_parse(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[RTA_MAX + 1] = {NULL};
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct netlink_route *out = data;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	attributes_parse(message, sizeof(*header), table, RTA_MAX);
	out->type = header->rtm_type;
	out->encap = table[RTA_ENCAP_TYPE] != NULL;
	out->ifindex = attribute_u32(table[RTA_OIF]);
	out->mtu = route_mtu(table);
	route_gateway(table, header->rtm_family, &out->gateway);
	attribute_address(table[RTA_PREFSRC], header->rtm_family, &out->source);
}

/* One way of a route of several; its attributes are those of a route. */
static void path_parse(const struct rtnexthop *way, int family, struct netlink_paths *out)
{
	const struct nlattr *table[RTA_MAX + 1] = {NULL};
	struct netlink_path path = {
		.ifindex = (uint32_t)way->rtnh_ifindex,
		.weight = way->rtnh_hops + 1u,
	};

	attributes_parse_payload(RTNH_DATA(way), way->rtnh_len - sizeof(*way), table, RTA_MAX);
	route_gateway(table, family, &path.gateway);
	if (!(way->rtnh_flags & RTNH_F_DEAD) && !table[RTA_ENCAP_TYPE] &&
	    out->count < NETLINK_PATHS_MAX)
		out->path[out->count++] = path;
}

static void paths_parse(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[RTA_MAX + 1] = {NULL};
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	const struct rtnexthop *way;
	int left;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	attributes_parse(message, sizeof(*header), table, RTA_MAX);
	if (!table[RTA_MULTIPATH])
		return;
	way = mnl_attr_get_payload(table[RTA_MULTIPATH]);
	left = mnl_attr_get_payload_len(table[RTA_MULTIPATH]);
	for (; left >= (int)sizeof(*way) && RTNH_OK(way, left);
	     left -= RTNH_ALIGN(way->rtnh_len), way = RTNH_NEXT(way))
		path_parse(way, header->rtm_family, data);
}

static bool neighbour_parse(const struct nlmsghdr *message, struct netlink_neighbour *out)
{
	const struct nlattr *table[NDA_MAX + 1] = {NULL};
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || (header->ndm_flags & NTF_PROXY))
		return false;
	attributes_parse(message, sizeof(*header), table, NDA_MAX);
	memset(out, 0, sizeof(*out));
	out->ifindex = (uint32_t)header->ndm_ifindex;
	attribute_address(table[NDA_DST], header->ndm_family, &out->address);
	out->state = header->ndm_state;
	out->has_mac = attribute_mac(table[NDA_LLADDR], out->mac);
	out->managed = attribute_u32(table[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED;
	out->ours = table[NDA_PROTOCOL] && mnl_attr_get_payload_len(table[NDA_PROTOCOL]) == 1 &&
		    mnl_attr_get_u8(table[NDA_PROTOCOL]) == OUR_PROTOCOL;
	return out->address.family != 0;
}

/* --- requests --- */

static struct nlmsghdr *route_request(char *buffer, const struct lb_addr *destination,
				      uint32_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header;

	request->nlmsg_type = RTM_GETROUTE;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->rtm_family = (unsigned char)address_family(destination);
	header->rtm_dst_len = destination->family == 4 ? 32 : 128;
	header->rtm_flags = flags;
	put_address(request, RTA_DST, destination);
	return request;
}

int netlink_route_get(struct netlink *netlink, const struct lb_addr *destination, uint32_t ifindex,
		      struct netlink_route *out)
{
	char buffer[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = route_request(buffer, destination, 0);

	if (ifindex)
		mnl_attr_put_u32(request, RTA_OIF, ifindex);
	memset(out, 0, sizeof(*out));
	return netlink_request(&netlink->requests, request, route_parse, out);
}

/* The route as it stands in the table, not what one packet would make of it. */
int netlink_route_paths(struct netlink *netlink, const struct lb_addr *destination,
			struct netlink_paths *out)
{
	char buffer[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = route_request(buffer, destination, RTM_F_FIB_MATCH);

	out->count = 0;
	return netlink_request(&netlink->requests, request, paths_parse, out);
}

struct neighbour_list {
	void (*each)(void *user, const struct netlink_neighbour *neighbour);
	void *user;
};

static void neighbour_listed(const struct nlmsghdr *message, void *data)
{
	const struct neighbour_list *list = data;
	struct netlink_neighbour neighbour;

	if (message->nlmsg_type == RTM_NEWNEIGH && neighbour_parse(message, &neighbour))
		list->each(list->user, &neighbour);
}

int netlink_neighbours(struct netlink *netlink,
		       void (*each)(void *user, const struct netlink_neighbour *neighbour),
		       void *user)
{
	char buffer[64] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct neighbour_list list = {each, user};

	request->nlmsg_type = RTM_GETNEIGH;
	request->nlmsg_flags = NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ndmsg));
	return netlink_request(&netlink->requests, request, neighbour_listed, &list);
}

static struct nlmsghdr *neighbour_request(char *buffer, uint16_t type, uint32_t ifindex,
					  const struct lb_addr *address, struct ndmsg **header)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = type;
	*header = mnl_nlmsg_put_extra_header(request, sizeof(**header));
	(*header)->ndm_family = (unsigned char)address_family(address);
	(*header)->ndm_ifindex = (int)ifindex;
	put_address(request, NDA_DST, address);
	return request;
}

static void neighbour_answer(const struct nlmsghdr *message, void *data)
{
	struct netlink_neighbour *out = data;

	if (message->nlmsg_type == RTM_NEWNEIGH)
		neighbour_parse(message, out);
}

int netlink_neighbour_get(struct netlink *netlink, uint32_t ifindex, const struct lb_addr *address,
			  struct netlink_neighbour *out)
{
	char buffer[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct ndmsg *header;
	struct nlmsghdr *request =
		neighbour_request(buffer, RTM_GETNEIGH, ifindex, address, &header);

	memset(out, 0, sizeof(*out));
	return netlink_request(&netlink->requests, request, neighbour_answer, out);
}

int netlink_neighbour_ask(struct netlink *netlink, uint32_t ifindex, const struct lb_addr *address,
			  bool managed, bool fresh)
{
	char buffer[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct ndmsg *header;
	struct nlmsghdr *request =
		neighbour_request(buffer, RTM_NEWNEIGH, ifindex, address, &header);

	request->nlmsg_flags = NLM_F_CREATE | (fresh ? NLM_F_EXCL : 0);
	/* Managing implies the use; a kernel that does not know of managing must not take this for
	 * a reset. */
	header->ndm_flags = NTF_USE;
	if (managed) {
		mnl_attr_put_u8(request, NDA_PROTOCOL, OUR_PROTOCOL);
		mnl_attr_put_u32(request, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	}
	return netlink_request(&netlink->requests, request, NULL, NULL);
}

int netlink_neighbour_release(struct netlink *netlink, const struct netlink_neighbour *neighbour)
{
	char buffer[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct ndmsg *header;
	struct nlmsghdr *request;
	uint16_t type = neighbour->has_mac ? RTM_NEWNEIGH : RTM_DELNEIGH;

	request = neighbour_request(buffer, type, neighbour->ifindex, &neighbour->address, &header);
	if (neighbour->has_mac) {
		/* An update that does not name the flag takes it off. The mark goes too: left
		 * behind, it would claim the entry if another program came to manage it. */
		mnl_attr_put_u8(request, NDA_PROTOCOL, RTPROT_KERNEL);
		request->nlmsg_flags = NLM_F_REPLACE;
		header->ndm_state = NUD_STALE;
		mnl_attr_put(request, NDA_LLADDR, sizeof(neighbour->mac), neighbour->mac);
	}
	return netlink_request(&netlink->requests, request, NULL, NULL);
}

const char *netlink_reason(const struct netlink *netlink)
{
	return netlink->requests.reason;
}

/* --- notifications --- */

static void notice_neighbour(const struct netlink_events *events, const struct nlmsghdr *message)
{
	struct netlink_neighbour neighbour;

	if (neighbour_parse(message, &neighbour))
		events->neighbour(events->user, &neighbour, message->nlmsg_type == RTM_DELNEIGH);
}

static void notice(const struct netlink_events *events, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		notice_neighbour(events, message);
		break;
	default:
		events->routes(events->user);
	}
}

/* False when there is nothing left to read. */
static bool notices_receive(struct netlink *netlink)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)netlink->notice;
	int length = (int)netlink_receive(netlink->notices, netlink->notice);

	if (length == -EAGAIN)
		return false;
	if (length < 0)
		netlink->lost = true;
	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
		notice(&netlink->events, message);
	return true;
}

/* A loss is told when all that was queued before it has been read: what is asked for on it must not
 * be overwritten by older messages. */
static void notices_read(evutil_socket_t fd, short what, void *arg)
{
	struct netlink *netlink = arg;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < RECEIVES_A_TURN; i++) {
		if (notices_receive(netlink))
			continue;
		if (netlink->lost)
			netlink->events.lost(netlink->events.user);
		netlink->lost = false;
		return;
	}
	if (netlink->lost) /* the queue may be empty just now, and then nothing would call */
		event_active(netlink->readable, EV_READ, 0);
}

/* --- opening --- */

static int notices_open(struct netlink *netlink)
{
	static const int groups[] = {
		RTNLGRP_NEIGH,       RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,  RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP,
	};
	int group, size = EVENTS_RCVBUF, status = netlink_socket_open(&netlink->notices);
	size_t i;

	if (status)
		return status;
	/* More room than the usual limit needs the privilege; with less, lost messages only cost a
	 * re-read. */
	if (setsockopt(mnl_socket_get_fd(netlink->notices), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)) < 0)
		setsockopt(mnl_socket_get_fd(netlink->notices), SOL_SOCKET, SO_RCVBUF, &size,
			   sizeof(size));
	for (i = 0; !status && i < sizeof(groups) / sizeof(groups[0]); i++) {
		group = groups[i];
		if (mnl_socket_setsockopt(netlink->notices, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			status = -errno;
	}
	return status;
}

static int readable_add(struct netlink *netlink, struct event_base *base)
{
	int fd = mnl_socket_get_fd(netlink->notices);

	netlink->readable = event_new(base, fd, EV_READ | EV_PERSIST, notices_read, netlink);
	if (!netlink->readable || event_add(netlink->readable, NULL))
		return -ENOMEM;
	return 0;
}

int netlink_open(struct event_base *base, const struct netlink_events *events, struct netlink **out,
		 struct lb_err *err)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	int status = netlink ? 0 : -ENOMEM;

	if (netlink)
		status = netlink_requests_open(&netlink->requests);
	if (!status && base) {
		netlink->events = *events;
		status = notices_open(netlink);
		if (!status)
			status = readable_add(netlink, base);
	}
	if (status) {
		netlink_close(netlink);
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot open netlink: %s", strerror(-status));
		return status;
	}
	*out = netlink;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->readable)
		event_free(netlink->readable);
	if (netlink->notices)
		mnl_socket_close(netlink->notices);
	netlink_requests_close(&netlink->requests);
	free(netlink);
}
