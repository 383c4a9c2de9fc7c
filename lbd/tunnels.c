/* SPDX-License-Identifier: BSD-2-Clause */
/* Where does the program of tunnel checks stand? */
#include "tunnels.h"

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "datapath_tunnel.h"

struct tunnels {
	struct event_base *base;
	struct datapath *datapath;
	uint64_t seed[2];
	struct tunnel *tunnel;      /* NULL: not wanted */
	struct mnl_socket *notices; /* of links that come and go */
	struct event *event;
	uint32_t *at; /* indexes of the interfaces where it stands */
	size_t count;
	char fault[256];
};

struct tunnels *tunnels_new(struct event_base *base, struct datapath *datapath,
			    const uint64_t seed[2])
{
	struct tunnels *tunnels = calloc(1, sizeof(*tunnels));

	if (!tunnels)
		return NULL;
	tunnels->base = base;
	tunnels->datapath = datapath;
	memcpy(tunnels->seed, seed, sizeof(tunnels->seed));
	return tunnels;
}

/* --- interfaces --- */

/* Also one that has gone meanwhile. */
static bool is_loopback(const char *name)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool loopback;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	loopback = ioctl(fd, SIOCGIFFLAGS, &request) || request.ifr_flags & IFF_LOOPBACK;
	close(fd);
	return loopback;
}

static bool stands_at(const struct tunnels *tunnels, uint32_t ifindex)
{
	for (size_t i = 0; i < tunnels->count; i++)
		if (tunnels->at[i] == ifindex)
			return true;
	return false;
}

static int attach(struct tunnels *tunnels, const struct if_nameindex *interface)
{
	struct lb_err err = {0};

	if (is_loopback(interface->if_name))
		return 0;
	if (!stands_at(tunnels, interface->if_index) &&
	    tunnel_attach(tunnels->tunnel, interface->if_name, &err)) {
		snprintf(tunnels->fault, sizeof(tunnels->fault), "%.250s", err.message);
		return 0;
	}
	return 1;
}

/* Brings tunnels->at up to date: new interfaces are attached to, those that are gone are forgotten.
 * An index is not used twice, so that what has it is what had it. */
static int attach_all(struct tunnels *tunnels)
{
	struct if_nameindex *interfaces = if_nameindex();
	uint32_t *at;
	size_t count = 0, n = 0;

	if (!interfaces)
		return -errno;
	while (interfaces[count].if_index)
		count++;
	at = calloc(count + 1, sizeof(*at));
	tunnels->fault[0] = '\0';
	for (size_t i = 0; at && i < count; i++)
		if (attach(tunnels, &interfaces[i]))
			at[n++] = interfaces[i].if_index;
	if_freenameindex(interfaces);
	if (!at)
		return -ENOMEM;
	free(tunnels->at);
	tunnels->at = at;
	tunnels->count = n;
	return 0;
}

int tunnels_detach_all(struct lb_err *err)
{
	struct if_nameindex *interfaces = if_nameindex();
	int error = 0;

	for (size_t i = 0; interfaces && interfaces[i].if_index; i++) {
		struct lb_err other = {0};

		if (!is_loopback(interfaces[i].if_name))
			error = tunnel_detach(interfaces[i].if_name, error ? &other : err) | error;
	}
	if_freenameindex(interfaces);
	return error;
}

/* --- links that come and go --- */

static void on_notice(evutil_socket_t fd, short events, void *user)
{
	struct tunnels *tunnels = user;
	char buffer[8192];

	(void)events;
	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		; /* that something has changed is enough to know */
	attach_all(tunnels);
}

static int listen_to_links(struct tunnels *tunnels)
{
	int fd;

	tunnels->notices = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!tunnels->notices ||
	    mnl_socket_bind(tunnels->notices, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(tunnels->notices);
	tunnels->event = event_new(tunnels->base, fd, EV_READ | EV_PERSIST, on_notice, tunnels);
	if (!tunnels->event || event_add(tunnels->event, NULL))
		return -ENOMEM;
	return 0;
}

/* --- wanted, and not any more --- */

static void let_go(struct tunnels *tunnels)
{
	if (tunnels->event)
		event_free(tunnels->event);
	if (tunnels->notices)
		mnl_socket_close(tunnels->notices);
	tunnel_close(tunnels->tunnel);
	free(tunnels->at);
	tunnels->event = NULL;
	tunnels->notices = NULL;
	tunnels->tunnel = NULL;
	tunnels->at = NULL;
	tunnels->count = 0;
	tunnels->fault[0] = '\0';
}

int tunnels_start(struct tunnels *tunnels, struct lb_err *err)
{
	struct tunnel_options options = {.seed = {tunnels->seed[0], tunnels->seed[1]}};
	int error;

	if (tunnels->tunnel)
		return 0;
	datapath_tunnels_note(tunnels->datapath, true);
	datapath_tunnel_maps(tunnels->datapath, &options.members_fd, &options.nexthops_fd);
	error = tunnel_open(&options, &tunnels->tunnel, err);
	if (error)
		return error;
	error = listen_to_links(tunnels); /* first, so that no link is missed */
	if (!error)
		error = attach_all(tunnels);
	if (!error)
		return 0;
	let_go(tunnels);
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot follow the interfaces: %s",
			  strerror(-error));
}

void tunnels_stop(struct tunnels *tunnels)
{
	char name[IF_NAMESIZE];

	for (size_t i = 0; i < tunnels->count; i++)
		if (if_indextoname(tunnels->at[i], name))
			tunnel_detach(name, NULL);
	if (!tunnels->tunnel && datapath_tunnels_noted(tunnels->datapath))
		tunnels_detach_all(NULL);
	datapath_tunnels_note(tunnels->datapath, false);
	let_go(tunnels);
}

void tunnels_free(struct tunnels *tunnels)
{
	if (!tunnels)
		return;
	let_go(tunnels);
	free(tunnels);
}

int tunnels_check(struct tunnels *tunnels, uint32_t member, const struct lb_addr *vip)
{
	return tunnels->tunnel ? tunnel_check(tunnels->tunnel, member, vip) : -ENOENT;
}

const char *tunnels_fault(const struct tunnels *tunnels)
{
	return tunnels->fault;
}
