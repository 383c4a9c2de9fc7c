/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a packet to a VIP's address that is for no VIP loop between the router and this machine? */
#include "loops.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "../route/links.h"
#include "../route/nexthop_netlink.h"

/* --- where is forwarding on? --- */

static bool setting_is_on(const char *family, const char *link, const char *setting)
{
	char path[128];
	FILE *file;
	int value = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, link, setting);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value != 0;
}

/* Packets come in by the interfaces of lbd.json, and by VLAN devices on them. */
static bool takes_packets(const struct config *config, const struct links *links,
			  const struct link_info *link)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		if (!strcmp(config->interfaces[i], link->name))
			return true;
		for (size_t j = 0; link->is_vlan && j < links->count; j++)
			if (links->link[j].ifindex == link->lower &&
			    !strcmp(config->interfaces[i], links->link[j].name))
				return true;
	}
	return false;
}

/* IPv6 has one switch for all links; since Linux 6.17 one for each link as well. */
static void look_at_link(const char *name, struct loops_facts *out)
{
	if (setting_is_on("ipv4", name, "forwarding"))
		snprintf(out->ipv4.forwards, IF_NAMESIZE, "%s", name);
	if (setting_is_on("ipv6", "all", "forwarding") ||
	    setting_is_on("ipv6", name, "force_forwarding"))
		snprintf(out->ipv6.forwards, IF_NAMESIZE, "%s", name);
}

static void look_at_links(const struct config *config, struct loops_facts *out)
{
	struct links links;

	if (links_read(&links))
		return;
	for (size_t i = 0; i < links.count; i++)
		if (takes_packets(config, &links, &links.link[i]))
			look_at_link(links.link[i].name, out);
	links_clear(&links);
}

/* --- where do the addresses lead? --- */

bool loops_by_route(int status, uint8_t type)
{
	return !status && type == RTN_UNICAST;
}

/* One address of a prefix speaks for all. */
static void look_at_address(struct netlink *netlink, const struct lb_endpoint *endpoint,
			    struct loops_family *out)
{
	const struct lb_addr address = lb_endpoint_host(endpoint);
	struct netlink_route route;
	int status = netlink_route_get(netlink, &address, 0, &route);

	if (loops_by_route(status, route.type) && !out->count++)
		out->first = lb_endpoint_prefix(endpoint);
}

static bool same_addresses(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	return a->host_bits == b->host_bits && lb_addr_equal(&a->address, &b->address);
}

/* VIPs are sorted by address, so that those of one address follow each other. */
static void look_at_addresses(struct netlink *netlink, const struct lb_service *service,
			      struct loops_facts *out)
{
	const struct lb_endpoint *before = NULL;
	size_t asked = 0;

	for (size_t i = 0; i < service->vip_count && asked < LOOPS_ASKED_MAX; i++) {
		const struct lb_endpoint *endpoint = &service->vips[i].endpoint;
		struct loops_family *family =
			endpoint->address.family == 4 ? &out->ipv4 : &out->ipv6;

		if (!family->forwards[0] || (before && same_addresses(before, endpoint)))
			continue;
		look_at_address(netlink, endpoint, family);
		before = endpoint;
		asked++;
	}
}

void loops_look(const struct config *config, const struct lb_service *service,
		struct loops_facts *out)
{
	struct netlink *netlink;
	struct lb_err err;

	*out = (struct loops_facts){0};
	if (!service->vip_count)
		return;
	look_at_links(config, out);
	if ((!out->ipv4.forwards[0] && !out->ipv6.forwards[0]) ||
	    netlink_open(NULL, NULL, &netlink, &err))
		return;
	look_at_addresses(netlink, service, out);
	netlink_close(netlink);
}

/* --- in words --- */

static json_t *describe(const struct loops_family *family, const char *name, const char *ip,
			const char *off)
{
	char address[LB_ADDR_TEXT], more[48] = "", route[LB_PREFIX_TEXT];

	lb_addr_format(&family->first.address, address);
	lb_prefix_format(&family->first, route);
	if (family->count > 1)
		snprintf(more, sizeof(more), " (and %zu more VIP addresses)", family->count - 1);
	return json_sprintf(
		"%s forwarding is on at %s, and the VIP address %s%s is neither local nor "
		"blackholed: a packet to it on a port without a VIP goes back to the router and "
		"loops until its TTL ends; run \"%s route add blackhole %s\", or \"%s address "
		"add %s dev lo\", or switch forwarding off: \"sysctl -w %s=0\"",
		name, family->forwards, address, more, ip, route, ip, route, off);
}

void loops_judge(const struct loops_facts *facts, json_t *warnings)
{
	if (facts->ipv4.count)
		json_array_append_new(warnings,
				      describe(&facts->ipv4, "IPv4", "ip", "net.ipv4.ip_forward"));
	if (facts->ipv6.count)
		json_array_append_new(warnings, describe(&facts->ipv6, "IPv6", "ip -6",
							 "net.ipv6.conf.all.forwarding"));
}
