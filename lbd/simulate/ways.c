/* SPDX-License-Identifier: BSD-2-Clause */
/* Which ways lead to backends? One, by the first interface of lbd.json: next hop number 1, resolved.
 * And what comes: synthetic traffic, by a timer. */
#include "simulate.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../route/nexthop.h"
#include "../table/hash.h"

#define STEP_MS 100
#define FLOWS 1024 /* of each VIP */
#define NUMBER 1

struct nexthops {
	struct nexthops_options options;
	LIST_HEAD(, destination) destinations;
	uint32_t count;
	struct event *traffic;
	uint64_t random;
};

/* --- traffic --- */

static uint64_t next_random(struct nexthops *nexthops)
{
	return hash_mix(nexthops->random += UINT64_C(0x9e3779b97f4a7c15));
}

static void one_packet(struct nexthops *nexthops, const struct simulated_entry **vips, size_t count)
{
	const uint64_t random = next_random(nexthops);
	const struct simulated_entry *vip = vips[(random & 0xffff) % count];
	const uint64_t flow = (random >> 16) % FLOWS;

	simulated_count(simulated_datapath(), &vip->value,
			hash_mix(flow ^ hash_mix(vip->value.number)),
			40 + (uint32_t)(random >> 40) % 1461);
}

static void on_step(evutil_socket_t fd, short what, void *user)
{
	struct nexthops *nexthops = user;
	const uint32_t packets = simulated_options()->rate / (1000 / STEP_MS);
	size_t count;
	const struct simulated_entry **vips = simulated_vips(simulated_datapath(), &count);

	(void)fd;
	(void)what;
	for (uint32_t i = 0; count && i < packets; i++)
		one_packet(nexthops, vips, count);
	free(vips);
}

/* --- ways --- */

struct nexthops *nexthops_new(struct event_base *base, const struct nexthops_options *options,
			      struct lb_err *err)
{
	const struct timeval step = {.tv_usec = STEP_MS * 1000};
	struct nexthops *nexthops = calloc(1, sizeof(*nexthops));

	if (!nexthops) {
		lb_err_no_memory(err);
		return NULL;
	}
	nexthops->options = *options;
	nexthops->random = simulated_config()->seed[0];
	LIST_INIT(&nexthops->destinations);
	options->array[NUMBER] = (struct lb_nexthop){.dst_mac = {2, 0, 0, 0, 0, 2},
						     .src_mac = {2, 0, 0, 0, 0, 1},
						     .valid = 1,
						     .ifindex = 1,
						     .mtu = SIMULATED_MTU};
	nexthops->traffic = event_new(base, -1, EV_PERSIST, on_step, nexthops);
	if (nexthops->traffic && !event_add(nexthops->traffic, &step))
		return nexthops;
	nexthops_free(nexthops);
	lb_err_no_memory(err);
	return NULL;
}

void nexthops_free(struct nexthops *nexthops)
{
	struct destination *destination;

	if (!nexthops)
		return;
	while ((destination = LIST_FIRST(&nexthops->destinations))) {
		LIST_REMOVE(destination, entry);
		free(destination);
	}
	if (nexthops->traffic)
		event_free(nexthops->traffic);
	free(nexthops);
}

void nexthops_forget_left(struct nexthops *nexthops)
{
	(void)nexthops;
}

int nexthops_detach(struct lb_err *err)
{
	(void)err;
	return 0;
}

struct destination *nexthops_find(const struct nexthops *nexthops, const struct lb_addr *address)
{
	struct destination *destination;

	LIST_FOREACH (destination, &nexthops->destinations, entry)
		if (lb_addr_equal(&destination->address, address))
			return destination;
	return NULL;
}

static void set_route(struct destination *destination)
{
	struct nexthop_route *route = &destination->route;

	*route = (struct nexthop_route){.number = NUMBER, .ways = 1, .way = {NUMBER}};
	for (size_t i = 0; i < LB_MEMBER_PATHS; i++)
		route->path[i] = NUMBER;
	route->source.family = destination->address.family;
	memcpy(route->source.bytes,
	       route->source.family == 4 ? "\xc6\x33\x64\x01" /* 198.51.100.1 */
					 : "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1",
	       route->source.family == 4 ? 4 : 16);
}

int nexthops_watch(struct nexthops *nexthops, const struct lb_addr *address,
		   struct destination **out, struct lb_err *err)
{
	*out = nexthops_find(nexthops, address);
	if (*out) {
		(*out)->watchers++;
		return 0;
	}
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return lb_err_no_memory(err);
	(*out)->address = *address;
	(*out)->watchers = 1;
	LIST_INIT(&(*out)->places);
	LIST_INSERT_HEAD(&nexthops->destinations, *out, entry);
	nexthops->count++;
	set_route(*out);
	nexthops->options.changed(nexthops->options.user, *out);
	return 0;
}

void nexthops_unwatch(struct nexthops *nexthops, struct destination *destination)
{
	if (--destination->watchers)
		return;
	nexthops->count--;
	LIST_REMOVE(destination, entry);
	free(destination);
}

void nexthops_path_mtu(struct nexthops *nexthops, struct destination *destination, uint32_t mtu)
{
	(void)nexthops;
	(void)destination;
	(void)mtu;
}

bool nexthops_get(const struct nexthops *nexthops, uint32_t number, struct nexthop_info *out)
{
	const struct lb_nexthop *hop = &nexthops->options.array[NUMBER];

	*out = (struct nexthop_info){.number = number,
				     .ifindex = 1,
				     .egress_ifindex = 1,
				     .gateway = {.family = 4, .bytes = {198, 51, 100, 254}},
				     .mtu = hop->mtu,
				     .resolved = true,
				     .destinations = nexthops->count};
	memcpy(out->interface, simulated_config()->interfaces[0], IF_NAMESIZE);
	memcpy(out->egress, out->interface, IF_NAMESIZE);
	memcpy(out->dst_mac, hop->dst_mac, sizeof(out->dst_mac));
	memcpy(out->src_mac, hop->src_mac, sizeof(out->src_mac));
	return number == NUMBER;
}

void nexthops_each(const struct nexthops *nexthops,
		   void (*each)(void *user, const struct nexthop_info *info), void *user)
{
	struct nexthop_info info;

	if (nexthops->count && nexthops_get(nexthops, NUMBER, &info))
		each(user, &info);
}

void nexthops_each_unroutable(const struct nexthops *nexthops,
			      void (*each)(void *user, const struct destination *destination),
			      void *user)
{
	(void)nexthops;
	(void)each;
	(void)user;
}
