// SPDX-License-Identifier: BSD-2-Clause
/* VIP entries: in the hash maps, which hold them all, and in the index, where the program looks
 * first for those that packets with ports are for. The maps are changed first when something is
 * added, the index when it is taken away: so the index never says more than the maps. Prefixes and ranges of
 * ports: vip_wide.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include "datapath_private.h"

/* The map and the key of an endpoint. */
struct vip_entry {
	int fd;
	union {
		struct lb_vip4_key v4;
		struct lb_vip6_key v6;
	} key;
};

static struct vip_entry vip_entry(const struct datapath *datapath,
				  const struct lb_endpoint *endpoint)
{
	struct vip_entry entry = {.fd = -1};

	if (endpoint->address.family == 4) {
		entry.fd = bpf_map__fd(datapath->skeleton->maps.vips4);
		memcpy(&entry.key.v4.address, endpoint->address.bytes, 4);
		entry.key.v4.port = htons(endpoint->port);
		entry.key.v4.protocol = endpoint->protocol;
	} else {
		entry.fd = bpf_map__fd(datapath->skeleton->maps.vips6);
		memcpy(entry.key.v6.address, endpoint->address.bytes, 16);
		entry.key.v6.port = htons(endpoint->port);
		entry.key.v6.protocol = endpoint->protocol;
	}
	return entry;
}

static int vip_error(const char *action, int error, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot %s a VIP in the data plane: %s", action,
			  strerror(-error));
}

/* What packets with ports are for; the other entries are asked for seldom. */
static bool is_indexed(const struct lb_endpoint *endpoint, const struct lb_vip_value *value)
{
	return endpoint->protocol &&
	       !(value->flags & (LB_VIP_ADDRESS_ONLY | LB_VIP_FRAGMENTS_ONLY));
}

/* The program looks a packet up a second time only while some VIP takes every port. */
static void count_any_port(struct datapath *datapath, const struct lb_endpoint *endpoint,
			   int change)
{
	if (endpoint->port)
		return;
	datapath->skeleton->bss->other_vips += change * (int64_t)LB_OTHER_PORT0;
	instance_follow(datapath);
}

static void index_add(struct datapath *datapath, const struct lb_endpoint *endpoint,
		      const struct lb_vip_value *value)
{
	vip_index_add(datapath->index, endpoint, value);
	count_any_port(datapath, endpoint, 1);
}

static void index_del(struct datapath *datapath, const struct lb_endpoint *endpoint)
{
	vip_index_del(datapath->index, endpoint);
	count_any_port(datapath, endpoint, -1);
}

static int set(struct datapath *datapath, const struct lb_endpoint *endpoint,
	       const struct lb_vip_value *value)
{
	const struct vip_entry entry = vip_entry(datapath, endpoint);
	const bool indexed = is_indexed(endpoint, value);
	struct lb_vip_value before;
	bool was_indexed = !bpf_map_lookup_elem(entry.fd, &entry.key, &before) &&
			   is_indexed(endpoint, &before);
	int error;

	if (was_indexed && !indexed)
		index_del(datapath, endpoint);
	error = bpf_map_update_elem(entry.fd, &entry.key, value, BPF_ANY);
	if (error)
		return error;
	if (indexed && was_indexed) {
		vip_index_place(datapath->index, endpoint, value);
		vip_index_flags(datapath->index, endpoint, value->flags);
	} else if (indexed)
		index_add(datapath, endpoint, value);
	return 0;
}

int datapath_vip_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value, struct lb_err *err)
{
	int error = lb_endpoint_is_wide(endpoint) ? vip_wide_set(datapath, endpoint, value)
						  : set(datapath, endpoint, value);

	return error ? vip_error("set", error, err) : 0;
}

static int del(struct datapath *datapath, const struct lb_endpoint *endpoint)
{
	const struct vip_entry entry = vip_entry(datapath, endpoint);
	struct lb_vip_value before;
	int error;

	if (!bpf_map_lookup_elem(entry.fd, &entry.key, &before) && is_indexed(endpoint, &before))
		index_del(datapath, endpoint);
	error = bpf_map_delete_elem(entry.fd, &entry.key);
	return error == -ENOENT ? 0 : error;
}

int datapath_vip_del(struct datapath *datapath, const struct lb_endpoint *endpoint,
		     struct lb_err *err)
{
	int error = lb_endpoint_is_wide(endpoint) ? vip_wide_del(datapath, endpoint)
						  : del(datapath, endpoint);

	return error ? vip_error("delete", error, err) : 0;
}

static void each_vip4(const struct datapath *datapath,
		      void (*each)(void *, const struct lb_endpoint *, const struct lb_vip_value *),
		      void *user)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.vips4);
	struct lb_vip4_key key, *previous = NULL;
	struct lb_vip_value value;

	for (; !bpf_map_get_next_key(fd, previous, &key); previous = &key) {
		struct lb_endpoint endpoint = {
			.address.family = 4, .port = ntohs(key.port), .protocol = key.protocol};

		memcpy(endpoint.address.bytes, &key.address, 4);
		if (!bpf_map_lookup_elem(fd, &key, &value))
			each(user, &endpoint, &value);
	}
}

static void each_vip6(const struct datapath *datapath,
		      void (*each)(void *, const struct lb_endpoint *, const struct lb_vip_value *),
		      void *user)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.vips6);
	struct lb_vip6_key key, *previous = NULL;
	struct lb_vip_value value;

	for (; !bpf_map_get_next_key(fd, previous, &key); previous = &key) {
		struct lb_endpoint endpoint = {
			.address.family = 6, .port = ntohs(key.port), .protocol = key.protocol};

		memcpy(endpoint.address.bytes, key.address, 16);
		if (!bpf_map_lookup_elem(fd, &key, &value))
			each(user, &endpoint, &value);
	}
}

static void adopt(void *user, const struct lb_endpoint *endpoint, const struct lb_vip_value *value)
{
	struct datapath *datapath = user;

	if (!is_indexed(endpoint, value))
		return;
	vip_index_adopt(datapath->index, endpoint, value);
	count_any_port(datapath, endpoint, 1);
}

void datapath_each_vip(struct datapath *datapath,
		       void (*each)(void *, const struct lb_endpoint *,
				    const struct lb_vip_value *),
		       void *user)
{
	each_vip4(datapath, each, user);
	each_vip6(datapath, each, user);
	vip_wide_each(datapath, each, user);
}

int vip_adopt(struct datapath *datapath)
{
	each_vip4(datapath, adopt, datapath);
	each_vip6(datapath, adopt, datapath);
	vip_index_adopted(datapath->index);
	return vip_wide_adopt(datapath);
}
