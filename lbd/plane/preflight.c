/* SPDX-License-Identifier: BSD-2-Clause */
/* Can lbd run on this machine, and which problems does it have? Judges the facts; gathering them
 * is preflight_facts.c's. */
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "preflight.h"

#define KERNEL_MAJOR_MIN 6u
#define KERNEL_MINOR_MIN 1u
#define CLIENT_PACKET_MAX 1500u /* what clients on the Internet send */
#define HEADERS_BYTES 60u       /* IPv6 and TCP, inside */
#define OUTER4_BYTES 20u
#define OUTER6_BYTES 40u

__attribute__((format(printf, 2, 3))) static void warn(json_t *warnings, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(warnings, json_string(text));
}

/* --- one interface --- */

static void warn_if_down(const struct preflight_link *link, json_t *warnings)
{
	if (!link->is.enabled)
		warn(warnings, "%s is down and receives nothing: ip link set dev %s up",
		     link->is.name, link->is.name);
	else if (!link->is.up)
		warn(warnings, "%s has no carrier: look at its cable or at its other end",
		     link->is.name);
}

static void warn_if_no_ethernet(const struct preflight_link *link, json_t *warnings)
{
	if (!link->is.ethernet)
		warn(warnings, "%s does not carry Ethernet frames: its packets go to the stack",
		     link->is.name);
}

/* A bond says that it has LRO whatever its ports do, and its ports run the program. */
static void warn_of_lro(const struct preflight_link *link, json_t *warnings)
{
	if (link->lro && !link->is.is_bond)
		warn(warnings,
		     "%s merges packets in hardware (LRO), which keeps XDP from its native mode: "
		     "ethtool -K %s lro off",
		     link->is.name, link->is.name);
}

static void warn_of_mtu(const struct preflight_link *link, json_t *warnings)
{
	if (link->is.mtu >= CLIENT_PACKET_MAX + OUTER6_BYTES)
		return;
	warn(warnings,
	     "%s has an MTU of %u: a client's packet of %u bytes does not fit once encapsulated "
	     "(%u bytes more towards an IPv4 backend, %u towards an IPv6 one; GUE: 8 more): its "
	     "sender is told so, or it is dropped as drop_too_big; raise the MTU to %u along the "
	     "way to the backends (GUE: 8 more), or lower the MSS that the backends announce (ip "
	     "route change … advmss %u)",
	     link->is.name, link->is.mtu, CLIENT_PACKET_MAX, OUTER4_BYTES, OUTER6_BYTES,
	     CLIENT_PACKET_MAX + OUTER6_BYTES, link->is.mtu - OUTER6_BYTES - HEADERS_BYTES);
}

static void (*const link_warnings[])(const struct preflight_link *, json_t *) = {
	warn_if_down,
	warn_if_no_ethernet,
	warn_of_lro,
	warn_of_mtu,
};

/* It may come later, or never, when it is not the one that was meant. */
static void warn_of_missing(const struct preflight_facts *facts, const char *name, json_t *warnings)
{
	const char **names = calloc(facts->link_count + 1, sizeof(*names));
	const char *meant;

	for (size_t i = 0; names && i < facts->link_count; i++)
		names[i] = facts->links[i].is.name;
	meant = names ? lb_nearest(name, names) : NULL;
	if (meant)
		warn(warnings,
		     "no interface \"%s\": lbd attaches as soon as it appears; did you mean "
		     "\"%s\"?",
		     name, meant);
	else
		warn(warnings,
		     "no interface \"%s\": lbd attaches as soon as it appears; \"ip link\" lists "
		     "those of lbd's network namespace",
		     name);
	free(names);
}

static int other_program(const struct preflight_link *link, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "%s already has an XDP program, number %u, that is "
		   "not this lbd's",
		   link->is.name, link->is.xdp_program);
	lb_err_hint(
		err,
		"is another lbd running? \"bpftool prog show id %u\" shows the program; it leaves "
		"with the process that holds it, by \"lbd --detach\" with the lbd.json of an lbd "
		"that has pinned it, or else by \"ip link set dev %s xdp off\"",
		link->is.xdp_program, link->is.name);
	return -EBUSY;
}

static const struct preflight_link *find_link(const struct preflight_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->link_count; i++)
		if (!strcmp(facts->links[i].is.name, name))
			return &facts->links[i];
	return NULL;
}

/* Whether packets may come in by another interface than one. */
static bool has_several(const struct preflight_facts *facts)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->link_count; i++)
		count += facts->links[i].is.ethernet && facts->links[i].is.up;
	return count > 1;
}

static void warn_of_nic(const struct preflight_facts *facts, const struct preflight_link *link,
			json_t *warnings)
{
	nic_warnings(&link->nic, link->is.name, link->is.mtu, facts->cpus, has_several(facts),
		     warnings);
}

static void warn_of_link(const struct preflight_facts *facts, const struct preflight_link *link,
			 json_t *warnings)
{
	for (size_t i = 0; i < sizeof(link_warnings) / sizeof(*link_warnings); i++)
		link_warnings[i](link, warnings);
	warn_of_nic(facts, link, warnings);
	for (size_t i = 0; link->is.is_bond && i < facts->link_count; i++) {
		if (facts->links[i].is.master != link->is.ifindex)
			continue;
		warn_of_lro(&facts->links[i], warnings);
		warn_of_nic(facts, &facts->links[i], warnings);
	}
}

static int judge_interface(const struct preflight_facts *facts, const char *name, json_t *warnings,
			   struct lb_err *err)
{
	const struct preflight_link *link = find_link(facts, name);

	if (!link) {
		warn_of_missing(facts, name, warnings);
		return 0;
	}
	if (link->other_program)
		return other_program(link, err);
	warn_of_link(facts, link, warnings);
	return 0;
}

/* --- the machine --- */

static int judge_capabilities(const struct config *config, const struct preflight_facts *facts,
			      json_t *warnings, struct lb_err *err)
{
	static const struct {
		const char *name;
		int number;
		bool in_sys_admin;
	} needed[] = {
		{"CAP_BPF", CAP_BPF, true},
		{"CAP_NET_ADMIN", CAP_NET_ADMIN, false},
		{"CAP_PERFMON", CAP_PERFMON, true},
	};
	bool sys_admin = facts->capabilities >> CAP_SYS_ADMIN & 1;
	char missing[64] = "";

	(void)config;
	(void)warnings;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		size_t used = strlen(missing);

		if (!(facts->capabilities >> needed[i].number & 1) &&
		    !(sys_admin && needed[i].in_sys_admin))
			snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? ", " : "",
				 needed[i].name);
	}
	if (!*missing)
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "lbd lacks %s", missing);
	lb_err_hint(err,
		    facts->root
			    ? "root lacks it here, as in most containers: start the container "
			      "with --cap-add for each"
			    : "run lbd as root, or give its service AmbientCapabilities=CAP_BPF "
			      "CAP_NET_ADMIN CAP_PERFMON");
	return -EPERM;
}

/* What refuses it although lbd has the capabilities; other faults show where they matter. */
static int judge_bpf(const struct config *config, const struct preflight_facts *facts,
		     json_t *warnings, struct lb_err *err)
{
	(void)config;
	(void)warnings;
	if (facts->bpf_fault != EPERM && facts->bpf_fault != ENOSYS)
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "the bpf system call is refused: %s",
		   strerror(facts->bpf_fault));
	lb_err_hint(err,
		    "lbd has the capabilities, so something else forbids it: in a container most "
		    "likely its seccomp profile (--security-opt seccomp=unconfined), else "
		    "kernel.lockdown or a security module");
	return -facts->bpf_fault;
}

static int judge_kernel(const struct config *config, const struct preflight_facts *facts,
			json_t *warnings, struct lb_err *err)
{
	(void)config;
	(void)err;
	if (facts->kernel_major < KERNEL_MAJOR_MIN ||
	    (facts->kernel_major == KERNEL_MAJOR_MIN && facts->kernel_minor < KERNEL_MINOR_MIN))
		warn(warnings, "this is Linux %u.%u: lbd is tested on %u.%u and later",
		     facts->kernel_major, facts->kernel_minor, KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN);
	if (!facts->jit)
		warn(warnings,
		     "the kernel's BPF compiler is off, so that every packet costs several "
		     "times as much: sysctl -w net.core.bpf_jit_enable=1");
	if (!facts->btf)
		warn(warnings, "the kernel has no BTF (/sys/kernel/btf/vmlinux): lbd does without, "
			       "tools such as bpftool show less");
	return 0;
}

static void warn_of_no_list(const struct preflight_facts *facts, json_t *warnings)
{
	if (facts->links_fault == EINTR)
		warn(warnings,
		     "cannot list the network interfaces: the list changed while it was "
		     "read, %d times; they are not checked",
		     LINKS_TRIES);
	else if (facts->links_fault)
		warn(warnings, "cannot list the network interfaces: %s; they are not checked",
		     strerror(facts->links_fault));
}

static int judge_interfaces(const struct config *config, const struct preflight_facts *facts,
			    json_t *warnings, struct lb_err *err)
{
	size_t missing = 0;

	warn_of_no_list(facts, warnings);
	if (facts->links_fault)
		return 0;
	for (size_t i = 0; i < config->interface_count; i++) {
		int ret = judge_interface(facts, config->interfaces[i], warnings, err);

		if (ret) {
			lb_err_prefix(err, "interfaces[%zu]", i);
			return ret;
		}
		missing += !find_link(facts, config->interfaces[i]);
	}
	if (missing == config->interface_count)
		warn(warnings, "none of the interfaces in lbd.json is there: nothing is balanced "
			       "until one comes");
	return 0;
}

static int judge_pin_dir(const struct config *config, const struct preflight_facts *facts,
			 json_t *warnings, struct lb_err *err)
{
	(void)warnings;
	if (!facts->pin_dir_fault)
		return 0;
	if (facts->pin_dir_fault == ENOTSUP) {
		lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "%s is not on a BPF file system",
			   config->pin_dir);
		lb_err_hint(err, "configure a folder under /sys/fs/bpf, or mount one: mount -t bpf "
				 "bpf FOLDER");
	} else {
		lb_err_set(err, LB_ERR_SYSTEM, "pin_dir",
			   "cannot mount the BPF file system at /sys/fs/bpf: %s",
			   strerror(facts->pin_dir_fault));
		lb_err_hint(err, "mount it before lbd starts: mount -t bpf bpf /sys/fs/bpf");
	}
	return -facts->pin_dir_fault;
}

static int judge_state_dir(const struct config *config, const struct preflight_facts *facts,
			   json_t *warnings, struct lb_err *err)
{
	(void)warnings;
	if (!facts->state_dir_fault)
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "state_dir", "cannot write in %s: %s", config->state_dir,
		   strerror(facts->state_dir_fault));
	lb_err_hint(err, "lbd keeps its VIPs there: make the folder and let lbd write in it");
	return -facts->state_dir_fault;
}

static int judge_doubt(const struct config *config, const struct preflight_facts *facts,
		       json_t *warnings, struct lb_err *err)
{
	const char *doubt = config_doubt(config);

	(void)facts;
	(void)err;
	if (doubt)
		warn(warnings, "%s", doubt);
	return 0;
}

/* What stops lbd in the order in which an operator would look for it. */
static int (*const judgements[])(const struct config *, const struct preflight_facts *, json_t *,
				 struct lb_err *) = {
	judge_capabilities, judge_bpf,       judge_kernel, judge_interfaces,
	judge_pin_dir,      judge_state_dir, judge_doubt,
};

int preflight_judge(const struct config *config, const struct preflight_facts *facts,
		    json_t *warnings, struct lb_err *err)
{
	for (size_t i = 0; i < sizeof(judgements) / sizeof(*judgements); i++) {
		int ret = judgements[i](config, facts, warnings, err);

		if (ret)
			return ret;
	}
	return 0;
}

void preflight_judge_running(const struct config *config, const struct preflight_facts *facts,
			     json_t *warnings)
{
	for (size_t i = 0; i < sizeof(judgements) / sizeof(*judgements); i++) {
		struct lb_err err = {0};

		if (judgements[i] != judge_interfaces &&
		    judgements[i](config, facts, warnings, &err))
			warn(warnings, "%s: %s", err.message, err.hint);
	}
	warn_of_no_list(facts, warnings);
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct preflight_link *link = find_link(facts, config->interfaces[i]);

		if (link)
			warn_of_link(facts, link, warnings);
	}
}

int preflight_check(const struct config *config, json_t *warnings, struct lb_err *err)
{
	struct preflight_facts facts;
	int ret;

	preflight_look(config, &facts);
	ret = preflight_judge(config, &facts, warnings, err);
	preflight_facts_clear(&facts);
	return ret;
}
