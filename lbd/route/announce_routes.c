/* SPDX-License-Identifier: BSD-2-Clause */
/* Which routes stand in the table that a routing daemon imports? */
#include "announce_routes.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "announce_watch.h"
#include "netlink_request.h"

#define DUMP_TRIES 8

struct announce_routes {
	struct netlink_requests requests;
	uint32_t table;
	uint8_t protocol;
	struct announce_watch *watch; /* NULL: nobody wants to know */
};

/* --- life --- */

struct announce_routes *announce_routes_open(uint32_t table, uint8_t protocol)
{
	struct announce_routes *routes = calloc(1, sizeof(*routes));
	int status;

	if (!routes)
		return NULL;
	routes->table = table;
	routes->protocol = protocol;
	status = netlink_requests_open(&routes->requests);
	if (!status)
		return routes;
	announce_routes_close(routes);
	errno = -status;
	return NULL;
}

void announce_routes_close(struct announce_routes *routes)
{
	if (!routes)
		return;
	announce_watch_close(routes->watch);
	netlink_requests_close(&routes->requests);
	free(routes);
}

int announce_routes_watch(struct announce_routes *routes, struct event_base *base,
			  void (*changed)(void *user), void *user)
{
	return announce_watch_open(base, routes->table,
				   mnl_socket_get_portid(routes->requests.socket), changed, user,
				   &routes->watch);
}

/* --- what is there --- */

struct finding {
	const struct announce_routes *routes;
	struct announce_found *found;
	bool no_memory;
};

void announce_found_clear(struct announce_found *found)
{
	free(found->ours);
	*found = (struct announce_found){0};
}

static bool has_room(struct announce_found *found)
{
	const size_t room = found->room ? found->room * 2 : 64;
	struct lb_prefix *more;

	if (found->count < found->room)
		return true;
	more = reallocarray(found->ours, room, sizeof(*more));
	if (!more)
		return false;
	found->ours = more;
	found->room = room;
	return true;
}

static bool prefix_of(const struct rtmsg *header, const struct nlattr *destination,
		      struct lb_prefix *out)
{
	const size_t bytes = header->rtm_family == AF_INET ? 4 : 16;

	*out = (struct lb_prefix){.address = {.family = header->rtm_family == AF_INET ? 4 : 6},
				  .length = header->rtm_dst_len};
	if (!destination)
		return !header->rtm_dst_len;
	if (mnl_attr_get_payload_len(destination) != bytes)
		return false;
	memcpy(out->address.bytes, mnl_attr_get_payload(destination), bytes);
	return true;
}

static void note_other(struct announce_found *found, const struct lb_prefix *prefix,
		       uint8_t protocol)
{
	if (found->others++)
		return;
	found->other = *prefix;
	found->other_protocol = protocol;
}

static void look_at_route(const struct nlmsghdr *message, void *data)
{
	struct finding *finding = data;
	const struct nlattr *table[RTA_MAX + 1] = {NULL};
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct lb_prefix prefix;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	attributes_parse(message, sizeof(*header), table, RTA_MAX);
	if (attribute_u32(table[RTA_TABLE]) != finding->routes->table ||
	    !prefix_of(header, table[RTA_DST], &prefix))
		return;
	if (header->rtm_protocol != finding->routes->protocol)
		note_other(finding->found, &prefix, header->rtm_protocol);
	else if (has_room(finding->found))
		finding->found->ours[finding->found->count++] = prefix;
	else
		finding->no_memory = true;
}

/* Every family's rules lead to its own table of that number. */
static void look_at_rule(const struct nlmsghdr *message, void *data)
{
	struct finding *finding = data;
	const struct nlattr *table[FRA_MAX + 1] = {NULL};

	if (message->nlmsg_type != RTM_NEWRULE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct fib_rule_hdr))
		return;
	attributes_parse(message, sizeof(struct fib_rule_hdr), table, FRA_MAX);
	if (attribute_u32(table[FRA_TABLE]) == finding->routes->table)
		finding->found->ruled = true;
}

/* A table that has never had a route does not exist; nor does IPv6 where it is left out. */
static int none_is_fine(int status)
{
	return status == -ENOENT || status == -EOPNOTSUPP || status == -EAFNOSUPPORT ? 0 : status;
}

static int dump_routes(struct announce_routes *routes, unsigned char family,
		       struct finding *finding)
{
	char buffer[64] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header;

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_DUMP;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->rtm_family = family;
	mnl_attr_put_u32(request, RTA_TABLE, routes->table);
	return none_is_fine(netlink_request(&routes->requests, request, look_at_route, finding));
}

static int dump_rules(struct announce_routes *routes, unsigned char family, struct finding *finding)
{
	char buffer[64] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct fib_rule_hdr *header;

	request->nlmsg_type = RTM_GETRULE;
	request->nlmsg_flags = NLM_F_DUMP;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->family = family;
	return none_is_fine(netlink_request(&routes->requests, request, look_at_rule, finding));
}

static int find_once(struct announce_routes *routes, struct announce_found *out)
{
	static const unsigned char families[] = {AF_INET, AF_INET6};
	struct finding finding = {.routes = routes, .found = out};
	int status = 0;

	for (size_t i = 0; !status && i < sizeof(families); i++) {
		status = dump_routes(routes, families[i], &finding);
		if (!status)
			status = dump_rules(routes, families[i], &finding);
	}
	return status || !finding.no_memory ? status : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	return lb_prefix_compare(a, b);
}

/* The same prefix may stand there with several metrics. */
static void sort(struct announce_found *found)
{
	size_t n = 0;

	if (found->count)
		qsort(found->ours, found->count, sizeof(*found->ours), compare);
	for (size_t i = 0; i < found->count; i++)
		if (!n || compare(&found->ours[n - 1], &found->ours[i]))
			found->ours[n++] = found->ours[i];
	found->count = n;
}

int announce_routes_find(struct announce_routes *routes, struct announce_found *out)
{
	int status = -EINTR;

	*out = (struct announce_found){0};
	for (int tries = 0; tries < DUMP_TRIES && status == -EINTR; tries++) {
		announce_found_clear(out);
		status = find_once(routes, out);
	}
	if (status)
		announce_found_clear(out);
	else
		sort(out);
	return status;
}

/* --- changes --- */

static int change(struct announce_routes *routes, uint16_t type, uint16_t flags,
		  const struct lb_prefix *prefix)
{
	char buffer[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header;

	request->nlmsg_type = type;
	request->nlmsg_flags = flags;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->rtm_family = prefix->address.family == 4 ? AF_INET : AF_INET6;
	header->rtm_dst_len = prefix->length;
	header->rtm_protocol = routes->protocol;
	header->rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
	header->rtm_type = type == RTM_DELROUTE ? RTN_UNSPEC : RTN_BLACKHOLE; /* any; ours */
	mnl_attr_put(request, RTA_DST, prefix->address.family == 4 ? 4 : 16, prefix->address.bytes);
	mnl_attr_put_u32(request, RTA_TABLE, routes->table);
	return netlink_request(&routes->requests, request, NULL, NULL);
}

int announce_routes_add(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	return change(routes, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, prefix);
}

int announce_routes_remove(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	const int status = change(routes, RTM_DELROUTE, 0, prefix);

	return status == -ESRCH || status == -ENOENT ? 0 : status;
}

/* What cannot be removed keeps no other route. */
static int remove_all(struct announce_routes *routes)
{
	struct announce_found found;
	int status = announce_routes_find(routes, &found);

	for (size_t i = 0; i < found.count; i++) {
		const int error = announce_routes_remove(routes, &found.ours[i]);

		if (error)
			status = error;
	}
	announce_found_clear(&found);
	return status;
}

int announce_routes_withdraw(uint32_t table, uint8_t protocol)
{
	struct announce_routes *routes = announce_routes_open(table, protocol);
	const int status = routes ? remove_all(routes) : -errno;

	announce_routes_close(routes);
	return status;
}
