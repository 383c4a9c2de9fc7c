/* SPDX-License-Identifier: BSD-2-Clause */
/* Where does the program of tunnel checks stand? */
#include "tunnels.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../plane/tunnel.h"
#include "../route/links.h"

#define LOOK_S 2

struct tunnels {
	struct event_base *base;
	struct event *look; /* without the filters a check would pass by the plain way */
	struct datapath *datapath;
	uint64_t seed[2];
	struct tunnel *tunnel; /* NULL: not wanted */
	struct links_watch *watch;
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

static bool stands_at(const struct tunnels *tunnels, uint32_t ifindex)
{
	for (size_t i = 0; i < tunnels->count; i++)
		if (tunnels->at[i] == ifindex)
			return true;
	return false;
}

static bool attach(struct tunnels *tunnels, const struct link_info *link)
{
	struct lb_err err = {0};

	if (link->loopback)
		return false;
	if (!(stands_at(tunnels, link->ifindex) && tunnel_stands(link->name)) &&
	    tunnel_attach(tunnels->tunnel, link->name, &err)) {
		snprintf(tunnels->fault, sizeof(tunnels->fault), "%.250s", err.message);
		return false;
	}
	return true;
}

/* Brings tunnels->at up to date: new interfaces are attached to, those that are gone are forgotten.
 * An index is not used twice, so that what has it is what had it. */
static int attach_all(struct tunnels *tunnels)
{
	struct links links;
	uint32_t *at;
	size_t n = 0;
	int error = links_read(&links);

	if (error)
		return error;
	at = calloc(links.count + 1, sizeof(*at));
	tunnels->fault[0] = '\0';
	for (size_t i = 0; at && i < links.count; i++)
		if (attach(tunnels, &links.link[i]))
			at[n++] = links.link[i].ifindex;
	links_clear(&links);
	if (!at)
		return -ENOMEM;
	free(tunnels->at);
	tunnels->at = at;
	tunnels->count = n;
	return 0;
}

static int no_list(int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "cannot list the network interfaces: %s",
		   strerror(-error));
	return error;
}

int tunnels_detach_all(struct lb_err *err)
{
	struct links links;
	int error = links_read(&links);

	if (error)
		return no_list(error, err);
	for (size_t i = 0; i < links.count; i++) {
		struct lb_err other = {0};

		if (!links.link[i].loopback)
			error = tunnel_detach(links.link[i].name, error ? &other : err) | error;
	}
	links_clear(&links);
	return error;
}

/* --- links that come and go --- */

static void on_change(void *user)
{
	struct tunnels *tunnels = user;
	int error = attach_all(tunnels);

	if (error)
		snprintf(tunnels->fault, sizeof(tunnels->fault),
			 "cannot list the network interfaces: %s", strerror(-error));
}

static void on_look(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	on_change(user);
}

static int look_begin(struct tunnels *tunnels)
{
	const struct timeval interval = {.tv_sec = LOOK_S};

	tunnels->look = event_new(tunnels->base, -1, EV_PERSIST, on_look, tunnels);
	return tunnels->look && !event_add(tunnels->look, &interval) ? 0 : -ENOMEM;
}

/* --- wanted, and not any more --- */

static void let_go(struct tunnels *tunnels)
{
	if (tunnels->look)
		event_free(tunnels->look);
	tunnels->look = NULL;
	links_watch_close(tunnels->watch);
	tunnel_close(tunnels->tunnel);
	free(tunnels->at);
	tunnels->watch = NULL;
	tunnels->tunnel = NULL;
	tunnels->at = NULL;
	tunnels->count = 0;
	tunnels->fault[0] = '\0';
}

int tunnels_start(struct tunnels *tunnels, struct lb_err *err)
{
	struct tunnel_options options = {.seed = {tunnels->seed[0], tunnels->seed[1]}};
	const struct links_watch_options watch = {.changed = on_change, .user = tunnels};
	int error;

	if (tunnels->tunnel)
		return 0;
	datapath_tunnels_note(tunnels->datapath, true);
	datapath_tunnel_maps(tunnels->datapath, &options.members_fd, &options.nexthops_fd);
	error = tunnel_open(&options, &tunnels->tunnel, err);
	if (error)
		return error;
	/* first, so that no link is missed */
	error = links_watch_open(tunnels->base, &watch, &tunnels->watch);
	if (!error)
		error = attach_all(tunnels);
	if (!error)
		error = look_begin(tunnels);
	if (!error)
		return 0;
	let_go(tunnels);
	return no_list(error, err);
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
