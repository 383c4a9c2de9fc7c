/* SPDX-License-Identifier: BSD-2-Clause */
/* To which links is the program attached, and what if they come and go? */
#include "interfaces.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/events.h"
#include "interfaces_plan.h"
#include "../route/links.h"

struct interfaces {
	const struct config *config;
	struct datapath *datapath;
	struct events *events;
	struct links_table *links;
	struct links_subscriber on_links;
	struct event *timer;
	struct datapath_attachment at[LB_INTERFACES_MAX];
	uint32_t refused[LB_INTERFACES_MAX]; /* the link that could not be attached to; 0: none */
	bool down[LB_INTERFACES_MAX];        /* as was told last */
};

/* --- one interface --- */

__attribute__((format(printf, 2, 3))) static void is_detached(struct datapath_attachment *at,
							      const char *format, ...)
{
	va_list arguments;

	*at = (struct datapath_attachment){0};
	va_start(arguments, format);
	vsnprintf(at->reason, sizeof(at->reason), format, arguments);
	va_end(arguments);
}

static void tell(const struct interfaces *interfaces, size_t i)
{
	const struct datapath_attachment *at = &interfaces->at[i];
	const char *name = interfaces->config->interfaces[i];

	if (at->ifindex)
		events_interface(interfaces->events, name, "attached",
				 at->mode == XDP_MODE_NATIVE ? "native" : "generic", at->reason);
	else
		events_interface(interfaces->events, name, "detached", NULL, at->reason);
}

/* A bond that has the program before its first port takes only ports with native XDP, and tells
 * nobody why it has none. An earlier lbd's program there is replaced nevertheless. */
static bool waits_for_ports(const struct interfaces *interfaces, const char *name)
{
	uint32_t ifindex = if_nametoindex(name);
	struct links links;
	bool empty;

	if (datapath_pinned_program(interfaces->config->pin_dir, ifindex) || links_read(&links))
		return false;
	empty = links_is_empty_bond(&links, ifindex);
	links_clear(&links);
	return empty;
}

static int attach_link(struct interfaces *interfaces, size_t i, struct lb_err *err)
{
	const char *name = interfaces->config->interfaces[i];

	if (waits_for_ports(interfaces, name)) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "%s is a bond without ports", name);
		return -EAGAIN;
	}
	return datapath_attach(interfaces->datapath, name, interfaces->config->xdp_mode,
			       &interfaces->at[i], err);
}

/* On failure `at` says why, and err too. */
static int attach(struct interfaces *interfaces, size_t i, struct lb_err *err)
{
	struct datapath_attachment *at = &interfaces->at[i];
	const char *name = interfaces->config->interfaces[i];
	int error = attach_link(interfaces, i, err);

	interfaces->refused[i] = error ? if_nametoindex(name) : 0;
	if (error)
		is_detached(at, "%.150s; lbd tries again each second", err->message);
	else
		tell(interfaces, i);
	return error;
}

/* Each second, and at once when the name leads to another link. */
static void attach_again(struct interfaces *interfaces, size_t i)
{
	const struct datapath_attachment before = interfaces->at[i];
	struct lb_err err = {0};

	if (attach(interfaces, i, &err) && strcmp(before.reason, interfaces->at[i].reason))
		tell(interfaces, i);
}

static void lose(struct interfaces *interfaces, size_t i)
{
	struct datapath_attachment *at = &interfaces->at[i];
	const char *name = interfaces->config->interfaces[i];
	char new_name[IF_NAMESIZE];

	if (if_indextoname(at->ifindex, new_name))
		is_detached(at, "it was renamed to %s; lbd attaches again when %s is back",
			    new_name, name);
	else
		is_detached(at, "the interface is gone; lbd attaches again when it is back");
	tell(interfaces, i);
}

static void look_at_link(struct interfaces *interfaces, size_t i)
{
	const char *name = interfaces->config->interfaces[i];
	const struct link *link = links_find(interfaces->links, interfaces->at[i].ifindex);
	const bool down = link && !link->is.up;

	if (down == interfaces->down[i])
		return;
	interfaces->down[i] = down;
	if (interfaces->at[i].ifindex) /* else it was told as detached */
		events_interface(interfaces->events, name, down ? "link_down" : "link_up", NULL,
				 NULL);
}

/* --- all of them --- */

static void find(const struct interfaces *interfaces, uint32_t *held, uint32_t *found)
{
	for (size_t i = 0; i < interfaces->config->interface_count; i++) {
		held[i] = interfaces->at[i].ifindex;
		found[i] = if_nametoindex(interfaces->config->interfaces[i]);
	}
}

/* Gives each interface the attachment that is its own now; which of them must be attached is what
 * remains. */
static void rearrange(struct interfaces *interfaces, const struct interfaces_plan *plan)
{
	struct datapath_attachment before[LB_INTERFACES_MAX];

	for (size_t i = 0; i < plan->release_count; i++)
		datapath_release(interfaces->datapath, plan->release[i]);
	memcpy(before, interfaces->at, sizeof(before));
	for (size_t i = 0; i < interfaces->config->interface_count; i++) {
		if (plan->from[i] != INTERFACE_NONE)
			interfaces->at[i] = before[plan->from[i]];
		else if (interfaces->at[i].ifindex)
			lose(interfaces, i);
	}
}

/* With `again` also those are tried that have refused. */
static void look(struct interfaces *interfaces, bool again)
{
	uint32_t held[LB_INTERFACES_MAX], found[LB_INTERFACES_MAX];
	struct interfaces_plan plan;

	find(interfaces, held, found);
	interfaces_plan(held, found, interfaces->config->interface_count, &plan);
	rearrange(interfaces, &plan);
	for (size_t i = 0; i < interfaces->config->interface_count; i++)
		if (plan.from[i] == INTERFACE_NONE && found[i] &&
		    (again || found[i] != interfaces->refused[i]))
			attach_again(interfaces, i);
	for (size_t i = 0; i < interfaces->config->interface_count; i++)
		look_at_link(interfaces, i);
}

/* --- when --- */

/* A link that is deleted may be followed by another with the same index. */
static void on_link(void *user, struct link *link, const struct link *before)
{
	struct interfaces *interfaces = user;

	(void)before;
	for (size_t i = 0; !link->present && i < interfaces->config->interface_count; i++)
		if (interfaces->at[i].ifindex == link->is.ifindex) {
			datapath_release(interfaces->datapath, link->is.ifindex);
			lose(interfaces, i);
		}
}

static void on_settled(void *user)
{
	look(user, false);
}

static void on_timer(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	look(user, true);
}

static int follow(struct interfaces *interfaces, struct event_base *base, struct lb_err *err)
{
	const struct timeval second = {.tv_sec = 1};

	interfaces->on_links = (struct links_subscriber){on_link, on_settled, interfaces, {0}};
	links_subscribe(interfaces->links, &interfaces->on_links);
	interfaces->timer = event_new(base, -1, EV_PERSIST, on_timer, interfaces);
	if (!interfaces->timer || event_add(interfaces->timer, &second))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot make a timer");
	return 0;
}

/* --- start --- */

/* What may end by itself: the link goes, or is not ready; memory or queues are short. */
static bool may_end(int error)
{
	return error == -ENODEV || error == -ENXIO || error == -ENETDOWN || error == -ENOMEM ||
	       error == -EAGAIN;
}

static int attach_first(struct interfaces *interfaces, size_t i, struct lb_err *err)
{
	const char *name = interfaces->config->interfaces[i];
	int error;

	if (!if_nametoindex(name)) {
		is_detached(&interfaces->at[i],
			    "the interface does not exist; lbd attaches as soon as it appears");
		return 0;
	}
	error = attach(interfaces, i, err);
	if (!error)
		return 0;
	if (!may_end(error)) {
		lb_err_prefix(err, "interfaces[%zu]", i);
		return error;
	}
	tell(interfaces, i);
	return 0;
}

int interfaces_open(const struct config *config, struct datapath *datapath, struct event_base *base,
		    struct links_table *links, struct events *events, struct interfaces **out,
		    struct lb_err *err)
{
	struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
	int error;

	if (!interfaces)
		return lb_err_no_memory(err);
	interfaces->config = config;
	interfaces->datapath = datapath;
	interfaces->links = links;
	interfaces->events = events;
	error = follow(interfaces, base, err); /* first, so that no change is missed */
	for (size_t i = 0; !error && i < config->interface_count; i++)
		error = attach_first(interfaces, i, err);
	if (error)
		interfaces_close(interfaces);
	else
		*out = interfaces;
	return error;
}

void interfaces_close(struct interfaces *interfaces)
{
	if (!interfaces)
		return;
	links_unsubscribe(&interfaces->on_links);
	if (interfaces->timer)
		event_free(interfaces->timer);
	free(interfaces);
}

const struct datapath_attachment *interfaces_attachments(const struct interfaces *interfaces)
{
	return interfaces->at;
}
