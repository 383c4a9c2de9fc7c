/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a backend's address become an entry that the program can send by? */
#include "members.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../host/events.h"
#include "../host/worker.h"
#include "numbers.h"
#include "../route/outer_source.h"

/* What is known of a member beside its entry in the data plane. */
struct place {
	struct destination *destination; /* NULL: the number is free */
	LIST_ENTRY(place) entry;         /* among those of the destination */
	uint8_t family;                  /* of its VIPs: 4 or 6; 0: both, or not known yet */
	uint32_t arrived; /* bytes of an outer packet that has got through; see members_arrived */
	int64_t arrived_until_ms;
	struct lb_quic_server_id quic_id; /* in the data plane; length 0: none */
};

struct members {
	const struct config *config;
	struct lb_member *entries; /* mmapped */
	const struct plane *plane;
	struct numbers *numbers;
	struct place *places;
	struct quic_ids quic_ids;
	struct nexthops *nexthops;
	struct events *events;
	void (*reached)(void *user);
	void *reached_user;
};

uint32_t members_capacity(const struct config *config)
{
	return config->members > LB_MEMBERS_MAX / 2 ? LB_MEMBERS_MAX : config->members * 2;
}

static uint16_t number_of(const struct members *members, const struct place *place)
{
	return (uint16_t)(place - members->places);
}

/* --- entries --- */

/* The constant part of the outer header's checksum; see struct lb_member. */
static uint32_t partial_checksum(const struct lb_addr *destination)
{
	uint16_t words[2];

	memcpy(words, destination->bytes, sizeof(words));
	return htons(0x4500) + htons(0x4000) + htons(64 << 8) + words[0] + words[1];
}

static const struct lb_prefix *configured_source(const struct members *members, uint8_t family)
{
	return family == 4 ? &members->config->source4 : &members->config->source6;
}

/* Packets may be using the entry. An IPv6 address takes two stores: see bpf/abi.h. */
static void store_source(struct lb_member *entry, const uint8_t bytes[16])
{
	uint64_t halves[2];
	int i;

	memcpy(halves, bytes, sizeof(halves));
	for (i = 0; i < 2; i++)
		__atomic_store_n((uint64_t *)entry->saddr + i, halves[i], __ATOMIC_RELAXED);
}

static void entry_set_source(struct members *members, struct lb_member *entry,
			     const struct lb_addr *backend)
{
	const struct lb_prefix source =
		outer_source(configured_source(members, backend->family), backend);
	unsigned int host_bits = (backend->family == 4 ? 32 : 128) - source.length;
	uint32_t mask = 0;

	if (source.address.family) {
		store_source(entry, source.address.bytes);
		mask = htonl((uint32_t)((1ull << host_bits) - 1));
	}
	__atomic_store_n(&entry->saddr_mask, mask, __ATOMIC_RELAXED);
}

static void entry_fill(struct members *members, struct lb_member *entry,
		       const struct lb_addr *address, uint32_t pool, uint32_t flags)
{
	*entry = (struct lb_member){.pool = pool};
	memcpy(entry->daddr, address->bytes, sizeof(entry->daddr));
	if (address->family == 4)
		entry->csum = partial_checksum(address);
	entry_set_source(members, entry, address);
	__atomic_store_n(&entry->flags,
			 LB_MEMBER_VALID | flags | (address->family == 6 ? LB_MEMBER_OUTER6 : 0),
			 __ATOMIC_RELEASE);
}

/* Follows the route: the automatic source first, then the way. Packets may be using the entry. */
static void entry_set_route(struct members *members, uint32_t number,
			    const struct destination *destination)
{
	struct lb_member *entry = &members->entries[number];
	const struct lb_addr *source = &destination->route.source;
	int i;

	if (!configured_source(members, destination->address.family)->address.family &&
	    source->family == destination->address.family)
		store_source(entry, source->bytes);
	for (i = 0; i < (int)LB_MEMBER_PATHS; i++)
		__atomic_store_n(&entry->path[i], destination->route.path[i], __ATOMIC_RELEASE);
}

/* That there is a route is only told after there was none. */
static void tell_route(const struct members *members, struct destination *destination)
{
	const bool unroutable = destination->route.number == LB_NEXTHOP_UNRESOLVED;
	char address[LB_ADDR_TEXT];

	if (unroutable == destination->unroutable)
		return;
	destination->unroutable = unroutable;
	events_emit(members->events, json_pack("{s:s, s:s, s:s, s:s*}", "event", "route", "backend",
					       lb_addr_format(&destination->address, address),
					       "state", unroutable ? "unroutable" : "routable",
					       "reason", unroutable ? destination->reason : NULL));
}

static void tell_reached(const struct members *members)
{
	if (members->reached)
		members->reached(members->reached_user);
}

static void route_changed(void *user, struct destination *destination)
{
	struct members *members = user;
	const struct place *place;

	tell_route(members, destination);
	LIST_FOREACH (place, &destination->places, entry)
		entry_set_route(members, number_of(members, place), destination);
	tell_reached(members);
}

static void egress_changed(void *user, uint32_t ifindex, bool in_use)
{
	const struct members *members = user;

	/* Only an interface that is gone can fail here; drop_no_egress counts what that costs. */
	members->plane->egress_set(members->plane->datapath, ifindex, in_use);
}

static void state_changed(void *user, const struct nexthop_info *info)
{
	const struct members *members = user;
	char gateway[LB_ADDR_TEXT];

	events_emit(members->events,
		    json_pack("{s:s, s:s, s:s, s:s, s:s*}", "event", "next_hop", "interface",
			      info->interface, "gateway", lb_addr_format(&info->gateway, gateway),
			      "state", info->resolved ? "resolved" : "unresolved", "reason",
			      info->resolved ? NULL : info->reason));
	if (info->resolved)
		tell_reached(members);
}

/* --- life --- */

/* The numbers of entries that an earlier lbd has left are taken. */
static struct numbers *numbers_free_of(const struct lb_member *entries, uint32_t capacity)
{
	struct numbers *numbers = numbers_new(capacity);
	uint32_t left, taken;

	/* Each is taken in turn, and given back when nobody has it: that keeps them in order. */
	for (left = capacity; numbers && left; left--)
		if (numbers_take(numbers, &taken) && !(entries[taken].flags & LB_MEMBER_VALID))
			numbers_give_back(numbers, taken);
	return numbers;
}

int members_open(const struct config *config, const struct plane *plane, struct event_base *base,
		 struct links_table *links, struct events *events, struct members **out,
		 struct lb_err *err)
{
	struct members *members = calloc(1, sizeof(*members));
	const struct nexthops_options options = {
		.links = links,
		.array = plane->nexthops,
		.array_size = LB_NEXTHOPS_MAX,
		.changed = route_changed,
		.egress = egress_changed,
		.state = state_changed,
		.user = members,
	};

	if (!members)
		return lb_err_no_memory(err);
	members->config = config;
	members->plane = plane;
	members->events = events;
	members->entries = plane->members;
	members->quic_ids = (struct quic_ids){plane->quic_ids, plane->quic_lines};
	members->numbers = numbers_free_of(members->entries, members_capacity(config));
	members->places = calloc(members_capacity(config), sizeof(*members->places));
	if (!members->numbers || !members->places) {
		members_close(members);
		return lb_err_no_memory(err);
	}
	members->nexthops = nexthops_new(base, &options, err);
	if (!members->nexthops) {
		members_close(members);
		return -EINVAL;
	}
	*out = members;
	return 0;
}

void members_close(struct members *members)
{
	if (!members)
		return;
	nexthops_free(members->nexthops);
	numbers_free(members->numbers);
	free(members->places);
	free(members);
}

/* Has the member follow the way to `address`. */
static int follow(struct members *members, uint16_t number, const struct lb_addr *address,
		  struct lb_err *err)
{
	struct place *place = &members->places[number];
	struct destination *destination;
	int error = nexthops_watch(members->nexthops, address, &destination, err);

	if (error)
		return error;
	*place = (struct place){.destination = destination};
	LIST_INSERT_HEAD(&destination->places, place, entry);
	return 0;
}

int members_take(struct members *members, uint16_t *number, struct lb_err *err)
{
	uint32_t taken;

	if (!numbers_take(members->numbers, &taken)) {
		lb_err_set(err, LB_ERR_LIMIT, "", "every member number is still in use");
		return lb_err_hint(err,
				   "numbers of removed backends are reused once the flow table was "
				   "searched for them, within seconds: try again");
	}
	*number = taken;
	return 0;
}

static int add(struct members *members, uint16_t number, const struct lb_addr *address,
	       uint32_t pool, uint32_t flags, struct lb_err *err)
{
	int error = follow(members, number, address, err);

	if (error)
		return error;
	if (members->plane->counters_reset(members->plane->datapath, number))
		return lb_err_set(err, LB_ERR_SYSTEM, "",
				  "the kernel refuses to set a backend's counters to 0");
	entry_fill(members, &members->entries[number], address, pool, flags);
	entry_set_route(members, number, members->places[number].destination);
	return 0;
}

int members_add(struct members *members, uint16_t number, const struct lb_addr *address,
		uint32_t pool, struct lb_err *err)
{
	return add(members, number, address, pool, LB_MEMBER_OLD, err);
}

int members_add_own(struct members *members, uint16_t number, const struct lb_addr *address,
		    struct lb_err *err)
{
	return add(members, number, address, LB_POOL_NUMBERS_MAX - 1, LB_MEMBER_GONE, err);
}

/* --- what an earlier lbd has left --- */

static struct lb_addr entry_address(const struct lb_member *entry)
{
	struct lb_addr address = {.family = entry->flags & LB_MEMBER_OUTER6 ? 6 : 4};

	memcpy(address.bytes, entry->daddr, address.family == 6 ? 16 : 4);
	return address;
}

void members_each_left(struct members *members,
		       void (*each)(void *user, uint16_t number, uint32_t pool,
				    const struct lb_addr *address),
		       void *user)
{
	uint32_t number, capacity = members_capacity(members->config);

	for (number = 0; number < capacity; number++) {
		const struct lb_member *entry = &members->entries[number];
		const struct lb_addr address = entry_address(entry);

		if (entry->flags & LB_MEMBER_GONE)
			members_drop_left(members, number);
		else if (entry->flags & LB_MEMBER_VALID)
			each(user, number, entry->pool, &address);
	}
}

int members_adopt(struct members *members, uint16_t number, struct lb_err *err)
{
	struct lb_member *entry = &members->entries[number];
	const struct lb_addr address = entry_address(entry);
	int error = follow(members, number, &address, err);

	if (error)
		return error;
	entry_set_source(members, entry, &address);
	entry_set_route(members, number, members->places[number].destination);
	return 0;
}

void members_drop_left(struct members *members, uint16_t number)
{
	__atomic_store_n(&members->entries[number].flags, 0, __ATOMIC_RELEASE);
	numbers_give_back(members->numbers, number);
}

void members_adopted(struct members *members)
{
	nexthops_forget_left(members->nexthops);
}

/* An id of a member that is none any more, or of another pool by now, is nobody's. */
static bool adopt_quic_id(void *user, uint32_t pool, const struct lb_quic_server_id *id,
			  uint16_t number)
{
	struct members *members = user;

	if (!id->length || number >= members_capacity(members->config) ||
	    !members->places[number].destination || members->entries[number].pool != pool)
		return false;
	members->places[number].quic_id = *id;
	return true;
}

void members_adopt_quic_ids(struct members *members)
{
	quic_ids_adopt(&members->quic_ids, adopt_quic_id, members);
}

/* --- QUIC server ids --- */

void members_set_quic_id(struct members *members, uint16_t number,
			 const struct lb_quic_server_id *id)
{
	const uint32_t pool = members->entries[number].pool;
	struct place *place = &members->places[number];

	if (!memcmp(id, &place->quic_id, sizeof(*id)) &&
	    (!id->length || quic_ids_is(&members->quic_ids, pool, id, number)))
		return;
	if (place->quic_id.length)
		quic_ids_del(&members->quic_ids, pool, &place->quic_id, number);
	place->quic_id = *id;
	if (id->length)
		quic_ids_set(&members->quic_ids, pool, id, number);
}

/* --- path MTUs --- */

static uint32_t outer_length(const struct lb_member *entry)
{
	return (entry->flags & LB_MEMBER_OUTER6 ? 40 : 20) + (entry->flags & LB_MEMBER_GUE ? 8 : 0);
}

void members_arrived(struct members *members, uint16_t number, uint32_t bytes, bool tunnel,
		     uint32_t for_ms)
{
	struct place *place = &members->places[number];

	if (bytes && tunnel)
		bytes += outer_length(&members->entries[number]);
	place->arrived = bytes;
	place->arrived_until_ms = lb_now_ms() + for_ms;
}

/* Of any member: all of a backend share its way. */
static uint32_t arrived_at(const struct destination *destination)
{
	const int64_t now = lb_now_ms();
	const struct place *place;
	uint32_t most = 0;

	LIST_FOREACH (place, &destination->places, entry)
		if (place->arrived > most && now < place->arrived_until_ms)
			most = place->arrived;
	return most;
}

static struct pmtu_way way_of(const struct members *members, uint32_t number)
{
	const struct lb_member *entry = &members->entries[number];
	const struct lb_nexthop *nexthops = members->plane->nexthops;
	struct pmtu_way way = {
		.source = {.family = entry->flags & LB_MEMBER_OUTER6 ? 6 : 4},
		.source_mask = entry->saddr_mask,
		.inner = members->places[number].family,
		.gue = entry->flags & LB_MEMBER_GUE,
	};
	unsigned int i;

	memcpy(way.source.bytes, entry->saddr, way.source.family == 6 ? 16 : 4);
	for (i = 0; i < LB_MEMBER_PATHS; i++)
		if (nexthops[entry->path[i]].mtu > way.mtu)
			way.mtu = nexthops[entry->path[i]].mtu;
	return way;
}

/* A way for each member; all of a backend share one MTU. */
static bool is_quoted(const struct members *members, const struct destination *destination,
		      const struct pmtu_news *news, uint32_t *floor)
{
	const uint32_t arrived = arrived_at(destination);
	const struct place *place;
	bool quoted = false;

	*floor = 0;
	LIST_FOREACH (place, &destination->places, entry) {
		struct pmtu_way way = way_of(members, number_of(members, place));

		way.arrived = arrived;
		quoted = quoted || pmtu_is_quoted(news, &way);
		if (pmtu_floor(&way) > *floor)
			*floor = pmtu_floor(&way);
	}
	return quoted;
}

static uint64_t packets_to(const struct members *members, const struct destination *destination)
{
	struct lb_counter counter;
	const struct place *place;
	uint64_t packets = 0;

	LIST_FOREACH (place, &destination->places, entry)
		if (!members->plane->counters(members->plane->datapath, number_of(members, place),
					      1, &counter))
			packets += counter.packets;
	return packets;
}

void members_path_mtu(struct members *members, const struct pmtu_news *news)
{
	struct destination *destination = nexthops_find(members->nexthops, &news->destination);
	const int64_t now = lb_now_ms();
	uint32_t floor;

	if (!destination || !pmtu_is_due(&destination->trust, now) ||
	    !is_quoted(members, destination, news, &floor) ||
	    !pmtu_is_recent(&destination->trust, packets_to(members, destination), now))
		return;
	nexthops_path_mtu(members->nexthops, destination, news->mtu > floor ? news->mtu : floor);
}

static void set_flags(struct members *members, uint16_t number, uint32_t flags, uint32_t of)
{
	__atomic_store_n(&members->entries[number].flags,
			 (members->entries[number].flags & ~of) | flags, __ATOMIC_RELEASE);
}

void members_set_takes(struct members *members, uint16_t number, bool takes_new, bool keeps_old)
{
	set_flags(members, number,
		  (takes_new ? LB_MEMBER_NEW : 0) | (keeps_old ? LB_MEMBER_OLD : 0),
		  LB_MEMBER_NEW | LB_MEMBER_OLD);
}

void members_set_chance(struct members *members, uint16_t number, bool chain, bool sick)
{
	set_flags(members, number, (chain ? LB_MEMBER_CHAIN : 0) | (sick ? LB_MEMBER_SICK : 0),
		  LB_MEMBER_CHAIN | LB_MEMBER_SICK);
}

void members_set_older(struct members *members, uint16_t number)
{
	set_flags(members, number, LB_MEMBER_OLDER, LB_MEMBER_OLDER);
}

void members_set_encap(struct members *members, uint16_t number, bool gue, uint8_t family)
{
	members->places[number].family = family;
	set_flags(members, number, gue ? LB_MEMBER_GUE : 0, LB_MEMBER_GUE);
}

uint32_t members_flags(const struct members *members, uint16_t number)
{
	return members->entries[number].flags;
}

uint32_t members_pool(const struct members *members, uint16_t number)
{
	return members->entries[number].pool;
}

bool members_reachable(const struct members *members, uint16_t number)
{
	return members->plane->nexthops[members->entries[number].path[0]].valid;
}

void members_on_reached(struct members *members, void (*reached)(void *user), void *user)
{
	members->reached = reached;
	members->reached_user = user;
}

const char *members_problem(const struct members *members, uint16_t number,
			    char out[MEMBERS_PROBLEM_TEXT])
{
	const struct destination *destination = members->places[number].destination;
	const uint32_t path = members->entries[number].path[0];
	struct nexthop_info info;

	if (nexthops_get(members->nexthops, path, &info))
		snprintf(out, MEMBERS_PROBLEM_TEXT, "%s", info.reason);
	else
		snprintf(out, MEMBERS_PROBLEM_TEXT, "%s", destination->reason);
	return out;
}

uint32_t members_inner_mtu(const struct members *members, uint16_t number)
{
	const struct lb_member *entry = &members->entries[number];
	const uint32_t mtu = members->plane->nexthops[entry->path[0]].mtu;
	const uint32_t outer = outer_length(entry);

	return members_reachable(members, number) && mtu > outer ? mtu - outer : 0;
}

void members_free_number(struct members *members, uint16_t number)
{
	__atomic_store_n(&members->entries[number].flags, 0, __ATOMIC_RELEASE);
	numbers_give_back(members->numbers, number);
}

void members_retire(struct members *members, uint16_t number)
{
	struct destination *destination = members->places[number].destination;
	uint32_t flags;

	if (!destination) /* was only taken */
		return;
	members_set_quic_id(members, number, &(struct lb_quic_server_id){0});
	LIST_REMOVE(&members->places[number], entry);
	members->places[number] = (struct place){0};
	/* The rest of the entry stays right for packets that have come as far as it. */
	flags = members->entries[number].flags & ~(LB_MEMBER_NEW | LB_MEMBER_OLD);
	__atomic_store_n(&members->entries[number].flags, flags | LB_MEMBER_GONE, __ATOMIC_RELEASE);
	nexthops_unwatch(members->nexthops, destination);
}

/* --- reports --- */

static json_t *address_json(const struct lb_addr *address)
{
	char text[LB_ADDR_TEXT];

	return json_string(lb_addr_format(address, text));
}

static json_t *mac_json(const uint8_t mac[6])
{
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			    mac[5]);
}

static void set_state(json_t *object, bool resolved, const char *reason)
{
	json_object_set_new(object, "state", json_string(resolved ? "resolved" : "unresolved"));
	if (!resolved && reason[0])
		json_object_set_new(object, "reason", json_string(reason));
}

static void append_next_hop(void *user, const struct nexthop_info *info)
{
	json_t *object = json_object();

	json_object_set_new(object, "interface", json_string(info->interface));
	json_object_set_new(object, "gateway", address_json(&info->gateway));
	set_state(object, info->resolved, info->reason);
	json_object_set_new(object, "source_mac", mac_json(info->src_mac));
	json_object_set_new(object, "destination_mac",
			    info->resolved ? mac_json(info->dst_mac) : json_null());
	json_object_set_new(object, "mtu", json_integer(info->mtu));
	if (info->vlan) {
		json_object_set_new(object, "egress", json_string(info->egress));
		json_object_set_new(object, "vlan", json_integer(info->vlan));
	}
	json_object_set_new(object, "backends", json_integer(info->destinations));
	json_array_append_new(user, object);
	worker_yield(); /* the next one is found by its number, whatever has become of this one */
}

json_t *members_next_hops(const struct members *members)
{
	json_t *array = json_array();

	nexthops_each(members->nexthops, append_next_hop, array);
	return array;
}

struct unroutable_backend {
	struct lb_addr address;
	char reason[NEXTHOP_REASON];
};

struct unroutable {
	struct unroutable_backend *list;
	size_t count, room;
};

static void note_unroutable(void *user, const struct destination *destination)
{
	struct unroutable *unroutable = user;

	if (unroutable->count == unroutable->room) {
		size_t room = unroutable->room * 2 + 64;
		void *more = reallocarray(unroutable->list, room, sizeof(*unroutable->list));

		if (!more)
			return;
		unroutable->list = more;
		unroutable->room = room;
	}
	unroutable->list[unroutable->count].address = destination->address;
	snprintf(unroutable->list[unroutable->count++].reason, NEXTHOP_REASON, "%s",
		 destination->reason);
}

/* Listed first, since there may be many, and none may come or go while they are gone over. */
json_t *members_unroutable(const struct members *members)
{
	struct unroutable unroutable = {0};
	json_t *array = json_array();

	nexthops_each_unroutable(members->nexthops, note_unroutable, &unroutable);
	for (size_t i = 0; i < unroutable.count; i++) {
		json_array_append_new(array, json_pack("{s:o,s:s}", "address",
						       address_json(&unroutable.list[i].address),
						       "reason", unroutable.list[i].reason));
		worker_yield();
	}
	free(unroutable.list);
	return array;
}

/* Interface, gateway and state of a next hop; false when there is none of that number. */
static bool describe_way(const struct members *members, uint32_t number, json_t *object)
{
	struct nexthop_info info;

	if (!nexthops_get(members->nexthops, number, &info))
		return false;
	set_state(object, info.resolved, info.reason);
	json_object_set_new(object, "interface", json_string(info.interface));
	json_object_set_new(object, "gateway", address_json(&info.gateway));
	return true;
}

/* Each of several equal ways, with how many of the paths it has. */
static json_t *ways_json(const struct members *members, const struct nexthop_route *route)
{
	json_t *ways = json_array();
	uint32_t i, j;

	for (i = 0; i < route->ways; i++) {
		json_t *way = json_object();
		uint32_t paths = 0;

		for (j = 0; j < LB_MEMBER_PATHS; j++)
			paths += route->path[j] == route->way[i];
		describe_way(members, route->way[i], way);
		json_object_set_new(way, "paths", json_integer(paths));
		json_array_append_new(ways, way);
	}
	return ways;
}

json_t *members_next_hop(const struct members *members, uint16_t number)
{
	const struct destination *destination = members->places[number].destination;
	const struct nexthop_route *route = &destination->route;
	json_t *object = json_object();

	if (!describe_way(members, route->path[0], object))
		set_state(object, false, destination->reason);
	if (route->ways > 1)
		json_object_set_new(object, "ways", ways_json(members, route));
	if (route->left_out)
		json_object_set_new(object, "ways_left_out", json_integer(route->left_out));
	return object;
}
