/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the programs get onto a backend's interfaces, and away again? */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../api/guard_secret.h"
#include "bpf/decap.skel.h"
#include "bpf/reqsk.skel.h"
#include "bpf/second.skel.h"
#include "command.h"
#include "host.h"
#include "programs.h"

/* Which of the filters of an interface are ours, by handle and priority. */
#define FILTER_SECOND 0x1bd
#define FILTER_REQSK 0x1be

struct programs {
	struct decap_bpf *decap;
	struct second_bpf *second;
	struct reqsk_bpf *reqsk; /* NULL: no connections are made from cookies */
};

static int stay_silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* --- loading --- */

/* The key of all maps of prefixes: struct second_prefix of bpf/second.h. */
struct prefix_key {
	uint32_t length, family;
	uint8_t address[16];
};

static int allow(const struct bpf_map *map, const struct prefixes *prefixes)
{
	const uint32_t value = 0;

	for (size_t i = 0; i < prefixes->count; i++) {
		const struct lb_prefix *prefix = &prefixes->prefix[i];
		struct prefix_key key = {.length = 32 + prefix->length,
					 .family = htonl(prefix->address.family)};

		memcpy(key.address, prefix->address.bytes, sizeof(key.address));
		if (bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int share(struct bpf_map *map, const struct bpf_map *of)
{
	return bpf_map__reuse_fd(map, bpf_map__fd(of));
}

/* Both programs count in the maps of one. */
static int load(struct programs *programs)
{
	int status;

	programs->second = second_bpf__open_and_load();
	if (!programs->second)
		return -errno;
	programs->decap = decap_bpf__open();
	if (!programs->decap)
		return -errno;
	programs->decap->rodata->decap_sources_are_prefixes = true;
	status = share(programs->decap->maps.second_stats, programs->second->maps.second_stats);
	if (!status)
		status = share(programs->decap->maps.second_sources,
			       programs->second->maps.second_sources);
	if (!status)
		status = share(programs->decap->maps.second_watch,
			       programs->second->maps.second_watch);
	return status ? status : decap_bpf__load(programs->decap);
}

/* Lists come from balancers and backends, all other tunnel packets from balancers only. */
static int fill(const struct programs *programs, const struct backend_config *config)
{
	int status = allow(programs->decap->maps.decap_prefixes, &config->balancers);

	if (!status)
		status = allow(programs->second->maps.second_sources, &config->balancers);
	if (!status)
		status = allow(programs->second->maps.second_sources, &config->backends);
	return status ? status : allow(programs->second->maps.second_hops, &config->backends);
}

/* --- connections from cookies --- */

static int secret_write(int map, const struct guard_secret *secret, struct lb_err *err)
{
	struct reqsk_secret value = {.count = secret->count};
	const uint32_t zero = 0;
	int status;

	for (uint32_t i = 0; i < secret->count; i++)
		for (int j = 0; j < 2; j++)
			value.key[i][j] = secret->key[i][j];
	status = bpf_map_update_elem(map, &zero, &value, BPF_ANY);
	explicit_bzero(&value, sizeof(value));
	return status ? lb_err_set(err, LB_ERR_SYSTEM, "", "the program does not take the secret")
		      : 0;
}

/* What the kernel lacks is the function that makes a request from a cookie. */
static int reqsk_refused(int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "guard_secret",
		   "the kernel does not take the program that makes connections from cookies: %s",
		   strerror(error));
	return lb_err_hint(err,
			   "it needs Linux 6.9 or later, with bpf_sk_assign_tcp_reqsk; without "
			   "guard_secret this host is a backend for VIPs that have no SYN "
			   "guard");
}

static int load_reqsk(struct programs *programs, const struct backend_config *config,
		      struct lb_err *err)
{
	struct guard_secret secret;
	int status;

	if (!*config->guard_secret)
		return 0;
	if (guard_secret_read(config->guard_secret, &secret, err))
		return -EINVAL;
	programs->reqsk = reqsk_bpf__open();
	if (!programs->reqsk)
		return reqsk_refused(errno, err);
	programs->reqsk->rodata->reqsk_ends_time_wait = host_setting("ipv4/tcp_rfc1337") != 1;
	status = reqsk_bpf__load(programs->reqsk);
	if (status)
		return reqsk_refused(-status, err);
	status = secret_write(bpf_map__fd(programs->reqsk->maps.reqsk_secret), &secret, err);
	explicit_bzero(&secret, sizeof(secret));
	return status;
}

static void unload(struct programs *programs)
{
	reqsk_bpf__destroy(programs->reqsk);
	decap_bpf__destroy(programs->decap);
	second_bpf__destroy(programs->second);
}

/* --- attaching --- */

static int attach_error(const char *interface, const char *hook, int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "the program cannot be attached to %s of %s: %s", hook,
		   interface, strerror(error));
	if (error != EEXIST && error != EBUSY)
		return -EINVAL;
	return lb_err_hint(err, "another program is there: \"ip link show dev %s\" names it",
			   interface);
}

/* In the driver if that can, else behind it. */
static int attach_xdp(const struct programs *programs, const char *interface, struct undo *undo,
		      struct lb_err *err)
{
	const int index = (int)if_nametoindex(interface);
	const int fd = bpf_program__fd(programs->decap->progs.decap);
	int status;

	if (undo_note(undo, err, "xdp %s", interface))
		return -EINVAL;
	status = bpf_xdp_attach(index, fd, XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_DRV_MODE, NULL);
	if (status && status != -EEXIST && status != -EBUSY)
		status = bpf_xdp_attach(index, fd, XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_SKB_MODE,
					NULL);
	return status ? attach_error(interface, "XDP", -status, err) : 0;
}

static struct bpf_tc_hook ingress_of(const char *interface)
{
	return (struct bpf_tc_hook){.sz = sizeof(struct bpf_tc_hook),
				    .ifindex = (int)if_nametoindex(interface),
				    .attach_point = BPF_TC_INGRESS};
}

static int attach_tc(const struct bpf_program *program, unsigned int number, const char *interface,
		     struct undo *undo, struct lb_err *err)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = number, .priority = number,
		    .prog_fd = bpf_program__fd(program));
	struct bpf_tc_hook hook = ingress_of(interface);
	int status;

	status = bpf_tc_hook_create(&hook);
	if (undo_note(undo, err, "%s %s", status == -EEXIST ? "tc" : "clsact", interface))
		return -EINVAL;
	if (!status || status == -EEXIST)
		status = bpf_tc_attach(&hook, &options);
	return status ? attach_error(interface, "TC ingress", -status, err) : 0;
}

static int attach_to(const struct programs *programs, const struct backend_config *config,
		     const char *interface, struct undo *undo, struct lb_err *err)
{
	if (!if_nametoindex(interface))
		return lb_err_set(err, LB_ERR_SYSTEM, "interfaces", "there is no interface %s",
				  interface);
	if (config->decapsulation == DECAPSULATION_PROGRAM &&
	    attach_xdp(programs, interface, undo, err))
		return -EINVAL;
	if (config->backends.count &&
	    attach_tc(programs->second->progs.second, FILTER_SECOND, interface, undo, err))
		return -EINVAL;
	return programs->reqsk
		       ? attach_tc(programs->reqsk->progs.reqsk, FILTER_REQSK, interface, undo, err)
		       : 0;
}

int programs_attach(const struct backend_config *config, struct undo *undo, struct lb_err *err)
{
	struct programs programs = {0};
	int status;

	libbpf_set_print(stay_silent);
	status = load(&programs);
	if (!status)
		status = fill(&programs, config);
	if (status)
		lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel does not take the programs: %s",
			   strerror(-status));
	else
		status = load_reqsk(&programs, config, err);
	for (size_t i = 0; !status && i < config->interfaces.count; i++)
		status = attach_to(&programs, config, config->interfaces.name[i], undo, err);
	unload(&programs);
	return status ? -EINVAL : 0;
}

/* --- what is attached --- */

/* A descriptor of the program with this number, if it has this name; or -1. */
static int program_named(uint32_t id, const char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	const int fd = id ? bpf_prog_get_fd_by_id(id) : -1;

	if (fd < 0 || (!bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, name)))
		return fd;
	close(fd);
	return -1;
}

static int xdp_program(const char *interface, bool *generic)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)if_nametoindex(interface), 0, &query))
		return -1;
	*generic = query.attach_mode == XDP_ATTACHED_SKB;
	return program_named(query.prog_id, "decap");
}

static int tc_program(const char *interface, unsigned int number)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = number, .priority = number);
	struct bpf_tc_hook hook = ingress_of(interface);

	return bpf_tc_query(&hook, &options)
		       ? -1
		       : program_named(options.prog_id,
				       number == FILTER_REQSK ? "reqsk" : "second");
}

struct programs_at programs_at(const char *interface)
{
	struct programs_at at = {0};
	int fd;

	libbpf_set_print(stay_silent);
	fd = xdp_program(interface, &at.generic);
	at.decap = fd >= 0;
	if (fd >= 0)
		close(fd);
	fd = tc_program(interface, FILTER_SECOND);
	at.second = fd >= 0;
	if (fd >= 0)
		close(fd);
	fd = tc_program(interface, FILTER_REQSK);
	at.reqsk = fd >= 0;
	if (fd >= 0)
		close(fd);
	return at;
}

static void detach_xdp(const char *interface)
{
	bool generic = false;
	const int fd = xdp_program(interface, &generic);
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = fd);

	if (fd < 0)
		return;
	bpf_xdp_detach((int)if_nametoindex(interface),
		       (generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE) | XDP_FLAGS_REPLACE,
		       &options);
	close(fd);
}

static bool has_filters(const char *interface, const char *direction)
{
	char command[128], output[COMMAND_OUTPUT];

	snprintf(command, sizeof(command), "tc filter show dev %s %s", interface, direction);
	return command_run(command, output) || *output;
}

static void detach_filter(const char *interface, unsigned int number)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = number, .priority = number);
	struct bpf_tc_hook hook = ingress_of(interface);
	const int fd = tc_program(interface, number);

	if (fd < 0)
		return;
	bpf_tc_detach(&hook, &options);
	close(fd);
}

/* `made`: clsact was not there before. It goes, unless somebody else uses it by now. */
static void detach_tc(const char *interface, bool made)
{
	struct bpf_tc_hook hook = ingress_of(interface);

	detach_filter(interface, FILTER_REQSK);
	detach_filter(interface, FILTER_SECOND);
	if (!made || has_filters(interface, "ingress") || has_filters(interface, "egress"))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

void programs_detach(const char *hook, const char *interface)
{
	libbpf_set_print(stay_silent);
	if (!if_nametoindex(interface))
		return;
	if (!strcmp(hook, "xdp"))
		detach_xdp(interface);
	else
		detach_tc(interface, !strcmp(hook, "clsact"));
}

/* --- counters --- */

#define MAPS_MAX 16

/* The map of a program that has this name, or -1. */
static int map_named(int program, const char *name)
{
	uint32_t ids[MAPS_MAX], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};

	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return -1;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info map = {0};
		const int fd = bpf_map_get_fd_by_id(ids[i]);

		size = sizeof(map);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &size) && !strcmp(map.name, name))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* `size`: of an array of 64-bit counters. */
static bool sum(int program, const char *name, void *out, size_t size)
{
	const int cpus = libbpf_num_possible_cpus(), map = map_named(program, name);
	const uint32_t zero = 0;
	uint64_t *values = cpus > 0 ? calloc((size_t)cpus, size) : NULL, *total = out;
	const bool known = map >= 0 && values && !bpf_map_lookup_elem(map, &zero, values);

	for (size_t i = 0; known && i < (size_t)cpus * size / 8; i++)
		total[i % (size / 8)] += values[i];
	free(values);
	if (map >= 0)
		close(map);
	return known;
}

/* They are the same for all interfaces: one will do. */
bool programs_count(const struct names *interfaces, struct programs_counters *out)
{
	bool known = false, generic;

	memset(out, 0, sizeof(*out));
	libbpf_set_print(stay_silent);
	for (size_t i = 0; i < interfaces->count && !known; i++) {
		const int xdp = xdp_program(interfaces->name[i], &generic);
		const int tc = tc_program(interfaces->name[i], FILTER_SECOND);
		const int reqsk = tc_program(interfaces->name[i], FILTER_REQSK);

		known = sum(xdp, "decap_stats", &out->decap, sizeof(out->decap));
		known |=
			sum(xdp >= 0 ? xdp : tc, "second_stats", &out->second, sizeof(out->second));
		known |= sum(reqsk, "reqsk_stats", &out->reqsk, sizeof(out->reqsk));
		if (reqsk >= 0)
			close(reqsk);
		if (xdp >= 0)
			close(xdp);
		if (tc >= 0)
			close(tc);
	}
	return known;
}

/* --- the secret --- */

static int take_secret(const char *interface, const struct guard_secret *secret, struct lb_err *err)
{
	const int program = tc_program(interface, FILTER_REQSK);
	const int map = program < 0 ? -1 : map_named(program, "reqsk_secret");
	int status;

	if (map < 0) {
		lb_err_set(err, LB_ERR_REFUSED, "guard_secret",
			   "%s has no program that makes connections from cookies", interface);
		status = lb_err_hint(err, "systemctl restart lbd-backend");
	} else {
		status = secret_write(map, secret, err);
		close(map);
	}
	if (program >= 0)
		close(program);
	return status;
}

int programs_take_secret(const struct backend_config *config, struct lb_err *err)
{
	struct guard_secret secret;
	int status = 0;

	if (!*config->guard_secret)
		return lb_err_set(err, LB_ERR_REFUSED, "guard_secret",
				  "this backend is not told of any file of secrets");
	libbpf_set_print(stay_silent);
	if (guard_secret_read(config->guard_secret, &secret, err))
		return -EINVAL;
	for (size_t i = 0; !status && i < config->interfaces.count; i++)
		status = take_secret(config->interfaces.name[i], &secret, err);
	explicit_bzero(&secret, sizeof(secret));
	return status;
}
