/* SPDX-License-Identifier: BSD-2-Clause */
/* How do tunnel checks get their encapsulation? */
#include "tunnel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/abi.h"
#include "../../bpf/tunnel.h"
#include "bpf/tunnel.skel.h"

/* Our place among the filters of an interface ("LB"): whoever stands there is us. */
#define PRIORITY 0x4c42
#define HANDLE 0x4c42

/* Records of checks under way, for each member: one has a check at a time, the others are of past
 * ones, since the map gives up what it thinks is oldest in batches. */
#define CHECKS_PER_MEMBER 4
#define CHECKS_MIN 1024

struct tunnel {
	struct tunnel_bpf *skeleton;
};

/* --- loading --- */

static int resize(struct tunnel_bpf *skeleton, uint32_t members)
{
	const uint32_t checks = members * CHECKS_PER_MEMBER;
	int error = bpf_map__set_max_entries(skeleton->maps.checked_vips, members);

	if (error)
		return error;
	return bpf_map__set_max_entries(skeleton->maps.checks,
					checks > CHECKS_MIN ? checks : CHECKS_MIN);
}

/* The headers that this program shares with the balancer declare all the maps of it, of which it
 * uses two: those come from the balancer, the others are not made. 0 or -errno. */
static int share_maps(struct tunnel_bpf *skeleton, const struct tunnel_options *options)
{
	struct bpf_map *map;
	int error;

	bpf_object__for_each_map (map, skeleton->obj) {
		if (map == skeleton->maps.members)
			error = bpf_map__reuse_fd(map, options->members_fd);
		else if (map == skeleton->maps.nexthops)
			error = bpf_map__reuse_fd(map, options->nexthops_fd);
		else if (bpf_map__is_internal(map) || map == skeleton->maps.checked_vips ||
			 map == skeleton->maps.checks)
			error = 0;
		else
			error = bpf_map__set_autocreate(map, false);
		if (error)
			return error;
	}
	return 0;
}

/* How many members the balancer has; 0 when the kernel does not say. */
static uint32_t members_of(const struct tunnel_options *options)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(options->members_fd, &info, &length) ? 0 : info.max_entries;
}

static int load(struct tunnel_bpf *skeleton, const struct tunnel_options *options)
{
	int error = share_maps(skeleton, options);

	if (!error)
		error = resize(skeleton, members_of(options));
	if (error)
		return error;
	memcpy((void *)skeleton->rodata->config.seed, options->seed, sizeof(options->seed));
	return tunnel_bpf__load(skeleton);
}

int tunnel_open(const struct tunnel_options *options, struct tunnel **out, struct lb_err *err)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	int error;

	if (!tunnel)
		return lb_err_no_memory(err);
	tunnel->skeleton = tunnel_bpf__open();
	error = tunnel->skeleton ? load(tunnel->skeleton, options) : -errno;
	if (!error) {
		*out = tunnel;
		return 0;
	}
	tunnel_close(tunnel);
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program of tunnel checks: %s",
		   strerror(-error));
	return lb_err_hint(err, "it needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; without tunnel "
				"checks it is not loaded");
}

void tunnel_close(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	tunnel_bpf__destroy(tunnel->skeleton);
	free(tunnel);
}

/* --- attaching --- */

static int attach_error(const char *interface, const char *what, int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "cannot %s %s for tunnel checks: %s", what, interface,
		   strerror(-error));
	return lb_err_hint(err,
			   "\"tc filter show dev %s egress\" shows the filters there; priority "
			   "%d is lbd's",
			   interface, PRIORITY);
}

/* libbpf warns of a qdisc that is there already, and of a filter that is not: neither is news. */
static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* The filter at one of the two hooks of an interface. */
static int attach_at(struct bpf_tc_hook *hook, const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_tc_opts, place, .handle = HANDLE, .priority = PRIORITY,
		    .prog_fd = bpf_program__fd(program), .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(hook, &place);
}

static int detach_at(struct bpf_tc_hook *hook)
{
	LIBBPF_OPTS(bpf_tc_opts, place, .handle = HANDLE, .priority = PRIORITY);
	libbpf_print_fn_t print = libbpf_set_print(quiet);
	int error = bpf_tc_detach(hook, &place);

	libbpf_set_print(print);
	/* No such filter, or no clsact to have one. */
	return error == -ENOENT || error == -EINVAL ? 0 : error;
}

static bool stands_at(struct bpf_tc_hook *hook)
{
	LIBBPF_OPTS(bpf_tc_opts, place, .handle = HANDLE, .priority = PRIORITY);

	return !bpf_tc_query(hook, &place);
}

bool tunnel_stands(const char *interface)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(interface),
		    .attach_point = BPF_TC_INGRESS);
	libbpf_print_fn_t print = libbpf_set_print(quiet);
	bool stands = hook.ifindex && stands_at(&hook);

	hook.attach_point = BPF_TC_EGRESS;
	stands = stands && stands_at(&hook);
	libbpf_set_print(print);
	return stands;
}

int tunnel_attach(struct tunnel *tunnel, const char *interface, struct lb_err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(interface),
		    .attach_point = BPF_TC_INGRESS);
	libbpf_print_fn_t print;
	int error;

	if (!hook.ifindex)
		return lb_err_set(err, LB_ERR_NOT_FOUND, "", "no interface \"%s\"", interface);
	print = libbpf_set_print(quiet);
	error = bpf_tc_hook_create(&hook);
	libbpf_set_print(print);
	if (error && error != -EEXIST)
		return attach_error(interface, "add a clsact qdisc to", error, err);
	/* Answers first, so that no check goes out whose answer is not understood. */
	error = attach_at(&hook, tunnel->skeleton->progs.answer);
	hook.attach_point = BPF_TC_EGRESS;
	if (!error)
		error = attach_at(&hook, tunnel->skeleton->progs.tunnel);
	if (!error)
		return 0;
	hook.attach_point = BPF_TC_INGRESS;
	detach_at(&hook); /* nobody takes it away later from an interface that has no check */
	return attach_error(interface, "attach to", error, err);
}

int tunnel_detach(const char *interface, struct lb_err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(interface),
		    .attach_point = BPF_TC_EGRESS);
	int error, other;

	if (!hook.ifindex)
		return 0;
	error = detach_at(&hook);
	hook.attach_point = BPF_TC_INGRESS;
	other = detach_at(&hook);
	if (!error)
		error = other;
	return error ? attach_error(interface, "detach from", error, err) : 0;
}

/* --- what checks are to reach --- */

int tunnel_check(struct tunnel *tunnel, uint32_t number, const struct lb_addr *vip)
{
	struct lb_tunnel_vip value = {.family = vip->family};

	memcpy(value.address, vip->bytes, vip->family == 6 ? 16 : 4);
	return bpf_map_update_elem(bpf_map__fd(tunnel->skeleton->maps.checked_vips), &number,
				   &value, BPF_ANY)
		       ? -errno
		       : 0;
}
