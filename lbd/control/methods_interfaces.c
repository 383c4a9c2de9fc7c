/* SPDX-License-Identifier: BSD-2-Clause */
/* By which interfaces do packets come and go, and how are they? */
#include "methods_interfaces.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../host/simulation.h"
#include "../route/links.h"

/* The driver's name, "" where it tells none. */
static void read_driver(const char *interface, char *out, size_t size)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (char *)&info};
	int fd = simulation_is_on() ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	out[0] = '\0';
	if (fd < 0)
		return;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (!ioctl(fd, SIOCETHTOOL, &request))
		snprintf(out, size, "%.*s", (int)sizeof(info.driver), info.driver);
	close(fd);
}

/* What the kernel says of the link, beside what lbd does there. */
static void add_link(json_t *object, const struct methods_context *context, const struct link *link)
{
	const struct link *master = links_find(context->links, link->is.master);
	char driver[sizeof(((struct ethtool_drvinfo *)0)->driver) + 1];

	read_driver(link->is.name, driver, sizeof(driver));
	json_object_set_new(object, "link", json_string(link->is.up ? "up" : "down"));
	json_object_set_new(object, "mtu", json_integer(link->is.mtu));
	if (*driver)
		json_object_set_new(object, "driver", json_string(driver));
	if (master)
		json_object_set_new(object, "master", json_string(master->is.name));
	json_object_set_new(object, "next_hops", json_integer(link->exits));
}

static void add_mode(json_t *object, const struct methods_context *context,
		     const struct datapath_attachment *at)
{
	const char *mode = at->mode == XDP_MODE_NATIVE ? "native" : "generic";
	const char *reason = at->reason;

	if (!at->ifindex) {
		mode = "detached";
	} else if (!datapath_holds(context->datapath, at->ifindex)) {
		mode = "detached";
		reason = "another program has detached it: restart lbd, which attaches it again";
	}
	json_object_set_new(object, "xdp_mode", json_string(mode));
	if (*reason)
		json_object_set_new(object, "reason", json_string(reason));
}

static json_t *describe_configured(const struct methods_context *context, size_t i)
{
	const struct datapath_attachment *at = &context->attachments[i];
	const char *name = context->config->interfaces[i];
	uint32_t ifindex = at->ifindex ? at->ifindex : if_nametoindex(name);
	json_t *object = json_pack("{s:s, s:I}", "name", name, "ifindex", (json_int_t)ifindex);
	const struct link *link = links_find(context->links, ifindex);

	if (!object)
		return NULL;
	add_mode(object, context, at);
	json_object_set_new(object, "ingress", json_true());
	if (link && link->present)
		add_link(object, context, link);
	else
		json_object_set_new(object, "link", json_string("missing"));
	return object;
}

static bool is_configured(const struct methods_context *context, uint32_t ifindex)
{
	for (size_t i = 0; i < context->config->interface_count; i++)
		if (context->attachments[i].ifindex == ifindex)
			return true;
	return false;
}

static void append_egress(const struct methods_context *context, const struct link *link,
			  json_t *interfaces)
{
	json_t *object;

	if (!link->present || !link->exits || is_configured(context, link->is.ifindex))
		return;
	object = json_pack("{s:s, s:I, s:s, s:b}", "name", link->is.name, "ifindex",
			   (json_int_t)link->is.ifindex, "xdp_mode", "none", "ingress", 0);
	if (!object)
		return;
	add_link(object, context, link);
	json_array_append_new(interfaces, object);
}

json_t *interfaces_describe(const struct methods_context *context, bool all)
{
	const struct link *link = all ? links_first(context->links) : NULL;
	json_t *interfaces = json_array();

	for (size_t i = 0; i < context->config->interface_count; i++)
		json_array_append_new(interfaces, describe_configured(context, i));
	for (; link; link = link->next)
		append_egress(context, link, interfaces);
	return interfaces;
}

/* --- what the drivers have counted --- */

/* A line of /proc/net/dev: the name, eight counts of what came in, eight of what went out. */
static json_t *parse_counters(const char *line)
{
	unsigned long long rx_bytes, rx_packets, rx_errors, rx_drops, tx_bytes, tx_packets,
		tx_errors, tx_drops;
	char name[IF_NAMESIZE];

	if (sscanf(line, " %15[^:]: %llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu", name,
		   &rx_bytes, &rx_packets, &rx_errors, &rx_drops, &tx_bytes, &tx_packets,
		   &tx_errors, &tx_drops) != 9)
		return NULL;
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", name,
			 "rx_packets", (json_int_t)rx_packets, "rx_bytes", (json_int_t)rx_bytes,
			 "rx_errors", (json_int_t)rx_errors, "rx_dropped", (json_int_t)rx_drops,
			 "tx_packets", (json_int_t)tx_packets, "tx_bytes", (json_int_t)tx_bytes,
			 "tx_errors", (json_int_t)tx_errors, "tx_dropped", (json_int_t)tx_drops);
}

/* Packets come in or go out by it. */
static bool is_used(const struct methods_context *context, const char *name)
{
	const struct link *link = links_find(context->links, if_nametoindex(name));

	for (size_t i = 0; i < context->config->interface_count; i++)
		if (!strcmp(context->config->interfaces[i], name))
			return true;
	return link && link->exits;
}

json_t *interfaces_counters(const struct methods_context *context)
{
	FILE *file = simulation_is_on() ? NULL : fopen("/proc/thread-self/net/dev", "re");
	json_t *array = json_array();
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		json_t *object = parse_counters(line);

		if (object && is_used(context, json_string_value(json_object_get(object, "name"))))
			json_array_append(array, object);
		json_decref(object);
	}
	if (file)
		fclose(file);
	return array;
}
