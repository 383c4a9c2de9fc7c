/* SPDX-License-Identifier: BSD-2-Clause */
/* Where does the program of tunnel checks stand? */
#include "tunnels.h"

#include <errno.h>
#include <event2/event.h>
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
	struct links_table *links;
	struct links_subscriber on_links;
	char fault[256];
};

struct tunnels *tunnels_new(struct event_base *base, struct links_table *links,
			    struct datapath *datapath, const uint64_t seed[2])
{
	struct tunnels *tunnels = calloc(1, sizeof(*tunnels));

	if (!tunnels)
		return NULL;
	tunnels->base = base;
	tunnels->links = links;
	tunnels->datapath = datapath;
	memcpy(tunnels->seed, seed, sizeof(tunnels->seed));
	return tunnels;
}

/* --- interfaces --- */

static void attach(struct tunnels *tunnels, struct link *link)
{
	struct lb_err err = {0};

	if (link->tunnel_checks && tunnel_stands(link->is.name))
		return;
	link->tunnel_checks = !tunnel_attach(tunnels->tunnel, link->is.name, &err);
	if (!link->tunnel_checks)
		snprintf(tunnels->fault, sizeof(tunnels->fault), "%.250s", err.message);
}

/* New interfaces, and those where somebody has taken the program away. */
static void attach_all(void *user)
{
	struct tunnels *tunnels = user;

	tunnels->fault[0] = '\0';
	for (struct link *link = links_first(tunnels->links); link; link = link->next)
		if (link->present && !link->is.loopback)
			attach(tunnels, link);
		else
			link->tunnel_checks = false;
}

int tunnels_detach_all(struct lb_err *err)
{
	struct links links;
	int error = links_read(&links);

	if (error)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot list the network interfaces: %s",
				  strerror(-error));
	for (size_t i = 0; i < links.count; i++) {
		struct lb_err other = {0};

		if (!links.link[i].loopback)
			error = tunnel_detach(links.link[i].name, error ? &other : err) | error;
	}
	links_clear(&links);
	return error;
}

/* --- links that come and go --- */

static void on_look(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	attach_all(user);
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
	if (tunnels->tunnel)
		links_unsubscribe(&tunnels->on_links);
	tunnel_close(tunnels->tunnel);
	tunnels->tunnel = NULL;
	for (struct link *link = links_first(tunnels->links); link; link = link->next)
		link->tunnel_checks = false;
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
	tunnels->on_links = (struct links_subscriber){.settled = attach_all, .user = tunnels};
	links_subscribe(tunnels->links, &tunnels->on_links);
	attach_all(tunnels);
	if (!look_begin(tunnels))
		return 0;
	let_go(tunnels);
	return lb_err_no_memory(err);
}

void tunnels_stop(struct tunnels *tunnels)
{
	const struct link *link = links_first(tunnels->links);

	for (; link; link = link->next)
		if (link->tunnel_checks)
			tunnel_detach(link->is.name, NULL);
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
