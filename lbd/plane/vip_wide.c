// SPDX-License-Identifier: BSD-2-Clause
/* How do wide VIPs (bpf/abi.h) get into the maps, while packets are looked up there?
 *
 * A VIP that comes is known first, then has a place, and stands in the parts of prefixes last; one that
 * goes leaves in the opposite order. Parts are replaced prefix by prefix, each in one step: a packet finds
 * what was before or what is after. */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include "../host/worker.h"
#include "datapath_private.h"
#include "wide.h"

#define TRIES 3 /* the kernel gives memory for a prefix's parts, or has none for a moment */

/* --- the map of all wide VIPs --- */

static struct lb_wide_key key_of(const struct lb_endpoint *endpoint)
{
	struct lb_wide_key key = {
		.first_port = endpoint->port,
		.last_port = endpoint->last_port,
		.protocol = endpoint->protocol,
		.family = endpoint->address.family,
		.host_bits = endpoint->host_bits,
	};

	memcpy(key.address, endpoint->address.bytes, sizeof(key.address));
	return key;
}

static struct lb_endpoint endpoint_of(const struct lb_wide_key *key)
{
	struct lb_endpoint endpoint = {
		.address.family = key->family,
		.protocol = key->protocol,
		.host_bits = key->host_bits,
		.port = key->first_port,
		.last_port = key->last_port,
	};

	memcpy(endpoint.address.bytes, key->address, sizeof(key->address));
	return endpoint;
}

void vip_wide_each(const struct datapath *datapath,
		   void (*each)(void *, const struct lb_endpoint *, const struct lb_vip_value *),
		   void *user)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.wide_vips);
	struct lb_wide_key key, *previous = NULL;
	struct lb_vip_value value;

	for (; !bpf_map_get_next_key(fd, previous, &key); previous = &key) {
		const struct lb_endpoint endpoint = endpoint_of(&key);

		if (!bpf_map_lookup_elem(fd, &key, &value))
			each(user, &endpoint, &value);
	}
}

/* --- places --- */

/* An address-only entry has none. The flags first, as they come with a place. */
static void put(const struct datapath *datapath, const struct lb_endpoint *endpoint,
		const struct lb_vip_value *value)
{
	struct lb_wide *at = (struct lb_wide *)datapath->wide.start + value->number;

	if (!endpoint->protocol)
		return;
	__atomic_store_n(&at->flags, value->flags & LB_VIP_INDEXED, __ATOMIC_RELAXED);
	__atomic_store_n(&at->place, lb_place(value->number, value->slots_start, value->slots_size),
			 __ATOMIC_RELEASE);
}

/* Where parts may go on to name it. Else it stays: a packet may have read its number just now. */
static void clear(const struct datapath *datapath, const struct lb_endpoint *endpoint,
		  uint32_t number)
{
	struct lb_wide *at = (struct lb_wide *)datapath->wide.start + number;

	if (endpoint->protocol)
		__atomic_store_n(&at->place, 0, __ATOMIC_RELEASE);
}

/* --- parts --- */

/* The map and the key of a prefix's parts. */
struct parts_entry {
	int fd;
	union {
		struct lb_parts4_key v4;
		struct lb_parts6_key v6;
	} key;
};

static struct parts_entry parts_entry(const struct datapath *datapath,
				      const struct lb_endpoint *prefix)
{
	const uint32_t length = LB_PARTS_SERVICE_BITS + lb_endpoint_prefix(prefix).length;
	struct parts_entry entry = {0};

	if (prefix->address.family == 4) {
		entry.fd = bpf_map__fd(datapath->skeleton->maps.parts4);
		entry.key.v4.length = length;
		entry.key.v4.protocol = prefix->protocol;
		memcpy(&entry.key.v4.address, prefix->address.bytes, 4);
	} else {
		entry.fd = bpf_map__fd(datapath->skeleton->maps.parts6);
		entry.key.v6.length = length;
		entry.key.v6.protocol = prefix->protocol;
		memcpy(entry.key.v6.address, prefix->address.bytes, 16);
	}
	return entry;
}

static int write_parts(void *user, const struct lb_endpoint *prefix, const struct lb_parts *parts)
{
	const struct parts_entry entry = parts_entry(user, prefix);
	int error = -ENOMEM;

	if (!parts) {
		error = bpf_map_delete_elem(entry.fd, &entry.key);
		return error == -ENOENT ? 0 : error;
	}
	for (int i = 0; i < TRIES && error == -ENOMEM; i++)
		error = bpf_map_update_elem(entry.fd, &entry.key, parts, BPF_ANY);
	worker_yield();
	return error;
}

/* --- one VIP --- */

static void count(struct datapath *datapath, const struct lb_endpoint *endpoint, bool more)
{
	const uint64_t one = endpoint->host_bits ? LB_OTHER_PREFIX : LB_OTHER_RANGE;

	datapath->skeleton->bss->other_vips += more ? one : -one;
	instance_follow(datapath);
}

int vip_wide_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		 const struct lb_vip_value *value)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.wide_vips);
	const struct lb_wide_key key = key_of(endpoint);
	struct lb_vip_value before;
	const bool known = !bpf_map_lookup_elem(fd, &key, &before);
	int error = bpf_map_update_elem(fd, &key, value, BPF_ANY);

	if (error)
		return error;
	put(datapath, endpoint, value);
	if (known && before.number == value->number)
		return 0;
	error = wide_table_set(datapath->wide_table, endpoint, value->number);
	if (!error)
		error = wide_table_each(datapath->wide_table, endpoint, write_parts, datapath);
	if (!known)
		count(datapath, endpoint, true);
	return error;
}

int vip_wide_del(struct datapath *datapath, const struct lb_endpoint *endpoint)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.wide_vips);
	const struct lb_wide_key key = key_of(endpoint);
	struct lb_vip_value before;
	int error;

	if (bpf_map_lookup_elem(fd, &key, &before))
		return 0;
	wide_table_del(datapath->wide_table, endpoint);
	error = wide_table_each(datapath->wide_table, endpoint, write_parts, datapath);
	if (error)
		clear(datapath, endpoint, before.number);
	count(datapath, endpoint, false);
	return error ? error : bpf_map_delete_elem(fd, &key);
}

/* --- those of an earlier lbd --- */

static void adopt(void *user, const struct lb_endpoint *endpoint, const struct lb_vip_value *value)
{
	struct datapath *datapath = user;

	if (wide_table_set(datapath->wide_table, endpoint, value->number))
		return;
	put(datapath, endpoint, value);
	count(datapath, endpoint, true);
}

/* An lbd that ended while it wrote parts has not written all of them. */
int vip_wide_adopt(struct datapath *datapath)
{
	vip_wide_each(datapath, adopt, datapath);
	return wide_table_all(datapath->wide_table, write_parts, datapath);
}
