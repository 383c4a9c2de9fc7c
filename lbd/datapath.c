/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd load the program, attach it, and reach its maps? */
#include "datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/lb.skel.h"

struct mapping {
	void *start;
	size_t bytes;
};

struct attachment {
	int link_fd;
	struct attachment *next;
};

struct datapath {
	struct lb_bpf *skeleton;
	struct mapping slots, members, nexthops, flows, tuning;
	struct attachment *attachments;
	char *pin_dir; /* NULL: nothing is pinned */
	int cpus;
	void *percpu; /* room for one value of a per-CPU map, of every CPU */
};

/* --- loading --- */

static int print_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static uint32_t round_up_power_of_two(uint32_t value)
{
	uint32_t power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

/* Of the words, how many a CPU may take away in a time unit for packets that are not SYNs. */
#define FLOW_BUDGET_SHARE 16

static void set_sizes(struct lb_bpf *skeleton, const struct datapath_options *options)
{
	const uint32_t buckets = round_up_power_of_two(options->flows / LB_FLOW_WAYS);

	/* Each VIP may have an address of its own, hence an address-only entry beside it; and a
	 * change adds before it removes. */
	bpf_map__set_max_entries(skeleton->maps.vips4, options->vips * 4);
	bpf_map__set_max_entries(skeleton->maps.vips6, options->vips * 4);
	bpf_map__set_max_entries(skeleton->maps.slots,
				 (options->slots + LB_SLOT_LINE - 1) / LB_SLOT_LINE);
	bpf_map__set_max_entries(skeleton->maps.members, options->members);
	bpf_map__set_max_entries(skeleton->maps.counters, options->members);
	bpf_map__set_max_entries(skeleton->maps.flows, buckets);
	skeleton->rodata->config.seed[0] = options->seed[0];
	skeleton->rodata->config.seed[1] = options->seed[1];
	skeleton->rodata->config.flow_buckets = buckets;
	skeleton->rodata->config.flow_budget = buckets * LB_FLOW_WAYS / FLOW_BUDGET_SHARE;
}

static int load(struct datapath *datapath, const struct datapath_options *options,
		struct lb_err *err)
{
	const uint32_t zero = 0, version = LB_ABI_VERSION;
	int error;

	libbpf_set_print(print_warnings);
	datapath->skeleton = lb_bpf__open();
	if (!datapath->skeleton)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot open the program: %s",
				  strerror(errno));
	set_sizes(datapath->skeleton, options);
	error = lb_bpf__load(datapath->skeleton);
	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.abi), &zero,
					    &version, BPF_ANY);
	if (!error)
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program: %s", strerror(-error));
	return error == -EPERM
		       ? lb_err_hint(err, "lbd needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
		       : lb_err_hint(err, "lines that begin with \"libbpf:\" above say why");
}

static size_t mapped_bytes(const struct bpf_map *map)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	size_t value = (bpf_map__value_size(map) + 7) & ~(size_t)7;

	return (value * bpf_map__max_entries(map) + page - 1) & ~(page - 1);
}

static int map_array(const struct bpf_map *map, struct mapping *out, struct lb_err *err)
{
	size_t bytes = mapped_bytes(map);
	void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (start == MAP_FAILED)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot map \"%s\": %s",
				  bpf_map__name(map), strerror(errno));
	*out = (struct mapping){.start = start, .bytes = bytes};
	return 0;
}

static int map_arrays(struct datapath *datapath, struct lb_err *err)
{
	struct lb_bpf *skeleton = datapath->skeleton;

	if (map_array(skeleton->maps.slots, &datapath->slots, err) ||
	    map_array(skeleton->maps.members, &datapath->members, err) ||
	    map_array(skeleton->maps.nexthops, &datapath->nexthops, err) ||
	    map_array(skeleton->maps.flows, &datapath->flows, err) ||
	    map_array(skeleton->maps.tuning, &datapath->tuning, err))
		return -EINVAL;
	memset(datapath->slots.start, 0xff, datapath->slots.bytes); /* LB_NONE everywhere */
	return 0;
}

/* --- pins: for bpftool --- */

static bool pin_path(const struct datapath *datapath, const struct bpf_map *map, char *out,
		     size_t size)
{
	return snprintf(out, size, "%s/%s", datapath->pin_dir, bpf_map__name(map)) < (int)size;
}

/* The maps worth looking at: not libbpf's own (".rodata"). */
#define for_each_pin(map, datapath)                                                                \
	bpf_object__for_each_map(map, (datapath)->skeleton->obj) if (!bpf_map__is_internal(map))

static void unpin(struct datapath *datapath)
{
	struct bpf_map *map;
	char path[512];

	for_each_pin(map, datapath) if (pin_path(datapath, map, path, sizeof(path))) unlink(path);
	rmdir(datapath->pin_dir);
}

static int pin(struct datapath *datapath, struct lb_err *err)
{
	struct bpf_map *map;
	char path[512];

	if (mkdir(datapath->pin_dir, 0700) && errno != EEXIST)
		return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot make %s: %s",
				  datapath->pin_dir, strerror(errno));
	for_each_pin(map, datapath)
	{
		int error = -ENAMETOOLONG;

		if (pin_path(datapath, map, path, sizeof(path))) {
			unlink(path); /* of a run that was killed */
			error = bpf_obj_pin(bpf_map__fd(map), path);
		}
		if (error)
			return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot pin %s/%s: %s",
					  datapath->pin_dir, bpf_map__name(map), strerror(-error));
	}
	return 0;
}

int datapath_open(const struct datapath_options *options, struct datapath **out, struct lb_err *err)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	int error;

	if (!datapath)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "out of memory");
	datapath->cpus = libbpf_num_possible_cpus();
	if (datapath->cpus < 1)
		datapath->cpus = 1;
	datapath->percpu = calloc(datapath->cpus, sizeof(struct lb_counter));
	if (options->pin_dir)
		datapath->pin_dir = strdup(options->pin_dir);
	if (!datapath->percpu || (options->pin_dir && !datapath->pin_dir))
		error = lb_err_set(err, LB_ERR_SYSTEM, "", "out of memory");
	else
		error = load(datapath, options, err);
	if (!error)
		error = map_arrays(datapath, err);
	if (!error && datapath->pin_dir)
		error = pin(datapath, err);
	if (error) {
		datapath_close(datapath);
		return error;
	}
	*out = datapath;
	return 0;
}

static void unmap(struct mapping *mapping)
{
	if (mapping->start)
		munmap(mapping->start, mapping->bytes);
}

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	while (datapath->attachments) {
		struct attachment *attachment = datapath->attachments;

		datapath->attachments = attachment->next;
		close(attachment->link_fd); /* the link is not pinned: this detaches */
		free(attachment);
	}
	if (datapath->pin_dir && datapath->skeleton)
		unpin(datapath);
	unmap(&datapath->slots);
	unmap(&datapath->members);
	unmap(&datapath->nexthops);
	unmap(&datapath->flows);
	unmap(&datapath->tuning);
	lb_bpf__destroy(datapath->skeleton);
	free(datapath->pin_dir);
	free(datapath->percpu);
	free(datapath);
}

/* --- attaching --- */

static int attach_in_mode(struct datapath *datapath, uint32_t ifindex, enum xdp_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = mode == XDP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);

	return bpf_link_create(datapath_program_fd(datapath), ifindex, BPF_XDP, &options);
}

/* Why a driver refuses native mode, as far as the error number tells. */
static const char *native_refusal(int error)
{
	switch (error) {
	case EOPNOTSUPP:
		return "its driver has no native XDP, or not with the offloads that are on (LRO)";
	case ERANGE:
	case EINVAL:
		return "its driver refuses native XDP with this MTU or queue setting";
	case ENOMEM:
	case ENOSPC:
		return "its driver has no queues left for XDP";
	}
	return strerror(error);
}

static int attach_error(const char *interface, int error, struct lb_err *err)
{
	if (error == EBUSY || error == EEXIST) {
		lb_err_set(err, LB_ERR_REFUSED, "", "another XDP program is attached to %s",
			   interface);
		return lb_err_hint(err,
				   "\"bpftool net show dev %s\" shows it; it leaves with the "
				   "process that holds it, or if none does, by \"ip link set dev "
				   "%s xdp off\"",
				   interface, interface);
	}
	lb_err_set(err, LB_ERR_SYSTEM, "", "cannot attach to %s: %s", interface,
		   native_refusal(error));
	return lb_err_hint(err, "\"xdp_mode\": \"auto\" falls back to generic mode, "
				"which works everywhere and is slower");
}

static int keep_link(struct datapath *datapath, int link_fd, struct lb_err *err)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment) {
		close(link_fd);
		return lb_err_set(err, LB_ERR_SYSTEM, "", "out of memory");
	}
	*attachment = (struct attachment){.link_fd = link_fd, .next = datapath->attachments};
	datapath->attachments = attachment;
	return 0;
}

int datapath_attach(struct datapath *datapath, const char *interface, enum xdp_mode mode,
		    struct datapath_attachment *out, struct lb_err *err)
{
	uint32_t ifindex = if_nametoindex(interface);
	int link_fd;

	if (!ifindex)
		return lb_err_set(err, LB_ERR_NOT_FOUND, "", "no interface \"%s\"", interface);
	*out = (struct datapath_attachment){
		.ifindex = ifindex,
		.mode = mode == XDP_MODE_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE,
	};
	link_fd = attach_in_mode(datapath, ifindex, out->mode);
	if (link_fd < 0 && mode == XDP_MODE_AUTO && link_fd != -EBUSY && link_fd != -EEXIST) {
		snprintf(out->reason, sizeof(out->reason), "%s", native_refusal(-link_fd));
		out->mode = XDP_MODE_GENERIC;
		link_fd = attach_in_mode(datapath, ifindex, out->mode);
	}
	if (link_fd < 0)
		return attach_error(interface, -link_fd, err);
	return keep_link(datapath, link_fd, err);
}

/* --- maps --- */

uint32_t *datapath_slots(struct datapath *datapath)
{
	return datapath->slots.start;
}

struct lb_member *datapath_members(struct datapath *datapath)
{
	return datapath->members.start;
}

struct lb_nexthop *datapath_nexthops(struct datapath *datapath)
{
	return datapath->nexthops.start;
}

struct lb_tuning *datapath_tuning(struct datapath *datapath)
{
	return datapath->tuning.start;
}

struct lb_flow_bucket *datapath_flows(struct datapath *datapath, uint32_t *bucket_count)
{
	*bucket_count = bpf_map__max_entries(datapath->skeleton->maps.flows);
	return datapath->flows.start;
}

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

int datapath_vip_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value, struct lb_err *err)
{
	struct vip_entry entry = vip_entry(datapath, endpoint);
	int error = bpf_map_update_elem(entry.fd, &entry.key, value, BPF_ANY);

	return error ? vip_error("set", error, err) : 0;
}

int datapath_vip_del(struct datapath *datapath, const struct lb_endpoint *endpoint,
		     struct lb_err *err)
{
	struct vip_entry entry = vip_entry(datapath, endpoint);
	int error = bpf_map_delete_elem(entry.fd, &entry.key);

	return error ? vip_error("delete", error, err) : 0;
}

int datapath_egress_set(struct datapath *datapath, uint32_t ifindex, bool in_use)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.egress);
	const struct bpf_devmap_val value = {.ifindex = ifindex};

	if (in_use)
		return bpf_map_update_elem(fd, &ifindex, &value, BPF_ANY);
	return bpf_map_delete_elem(fd, &ifindex);
}

int datapath_counters(struct datapath *datapath, uint32_t member, struct lb_counter *out)
{
	const struct lb_counter *counters = datapath->percpu;
	int error = bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.counters), &member,
					datapath->percpu);
	int i;

	*out = (struct lb_counter){0};
	if (error)
		return error;
	for (i = 0; i < datapath->cpus; i++) {
		out->packets += counters[i].packets;
		out->bytes += counters[i].bytes;
	}
	return 0;
}

int datapath_counters_reset(struct datapath *datapath, uint32_t member)
{
	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_counter));
	return bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.counters), &member,
				   datapath->percpu, BPF_ANY);
}

/* Sums of a per-CPU array of __u64. */
static int read_sums(struct datapath *datapath, const struct bpf_map *map, uint32_t count,
		     uint64_t *out)
{
	const uint64_t *values = datapath->percpu;
	uint32_t key;
	int i;

	for (key = 0; key < count; key++) {
		int error = bpf_map_lookup_elem(bpf_map__fd(map), &key, datapath->percpu);

		if (error)
			return error;
		out[key] = 0;
		for (i = 0; i < datapath->cpus; i++)
			out[key] += values[i];
	}
	return 0;
}

int datapath_verdicts(struct datapath *datapath, uint64_t out[LB_VERDICT_COUNT])
{
	return read_sums(datapath, datapath->skeleton->maps.verdicts, LB_VERDICT_COUNT, out);
}

int datapath_flow_counts(struct datapath *datapath, uint64_t out[LB_FLOW_COUNT_COUNT])
{
	return read_sums(datapath, datapath->skeleton->maps.flow_counts, LB_FLOW_COUNT_COUNT, out);
}

/* As the kernel accounts for them, in /proc/self/fdinfo. */
static uint64_t map_memory(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return 0;
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(info);
	return bytes;
}

uint64_t datapath_memory_bytes(const struct datapath *datapath)
{
	const struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, datapath->skeleton->obj) sum += map_memory(bpf_map__fd(map));
	return sum;
}

int datapath_program_fd(const struct datapath *datapath)
{
	return bpf_program__fd(datapath->skeleton->progs.lb);
}
