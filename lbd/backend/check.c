/* SPDX-License-Identifier: BSD-2-Clause */
/* Is all there that a backend needs, and what do the counters say of those around it? */
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "../../bpf/abi.h"
#include "../api/guard_secret.h"
#include "check.h"
#include "command.h"
#include "host.h"
#include "programs.h"

struct problems {
	unsigned int count;
};

static void problem(struct problems *problems, const char *hint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void problem(struct problems *problems, const char *hint, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n  %s\n", hint);
	problems->count++;
}

static const char restart[] = "systemctl restart lbd-backend";

static void check_interface(const struct backend_config *config, const char *name,
			    struct problems *problems)
{
	const struct programs_at at = programs_at(name);

	if (!if_nametoindex(name)) {
		problem(problems, "Name the interfaces that packets come in by.",
			"there is no interface %s", name);
		return;
	}
	if (config->decapsulation == DECAPSULATION_PROGRAM && !at.decap)
		problem(problems, restart, "%s has no program that takes outer headers off", name);
	if (config->backends.count && !at.second)
		problem(problems, restart, "%s has no program that passes packets on", name);
	if (*config->guard_secret && !at.reqsk)
		problem(problems, restart, "%s has no program that makes connections from cookies",
			name);
}

static void check_setting(const char *name, int wanted, struct problems *problems)
{
	char hint[256];
	const int value = host_setting(name);

	if (value == wanted)
		return;
	snprintf(hint, sizeof(hint), "Set it: echo %d >/proc/sys/net/%s", wanted, name);
	problem(problems, hint, "%s is %d, not %d", name, value, wanted);
}

/* Each refuses what a client was told by the balancer in this host's name. */
static void check_cookies(const struct backend_config *config, struct problems *problems)
{
	static const char *const needed[] = {"ipv4/tcp_syncookies", "ipv4/tcp_timestamps",
					     "ipv4/tcp_window_scaling", "ipv4/tcp_sack"};
	struct guard_secret secret;
	struct lb_err err = {0};
	char hint[256];

	if (!*config->guard_secret)
		return;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		if (host_setting(needed[i]))
			continue;
		snprintf(hint, sizeof(hint), "Set it: echo 1 >/proc/sys/net/%s", needed[i]);
		problem(problems, hint, "%s is 0, and connections made from cookies need it",
			needed[i]);
	}
	if (guard_secret_read(config->guard_secret, &secret, &err))
		problem(problems, *err.hint ? err.hint : restart, "%s", err.message);
	explicit_bzero(&secret, sizeof(secret));
}

static void check_settings(const struct backend_config *config, struct problems *problems)
{
	char name[128];

	check_setting("ipv4/conf/all/arp_ignore", 1, problems);
	check_setting("ipv4/conf/all/arp_announce", 2, problems);
	check_setting("ipv4/conf/all/rp_filter", 0, problems);
	for (size_t i = 0; i < config->interfaces.count; i++) {
		if (!if_nametoindex(config->interfaces.name[i]))
			continue;
		snprintf(name, sizeof(name), "ipv4/conf/%s/rp_filter", config->interfaces.name[i]);
		check_setting(name, 0, problems);
	}
}

/* Where packets that have lost their outer header appear, they are forwarded wherever they want. */
static void check_forwarding(const struct backend_config *config, struct problems *problems)
{
	char name[128];

	for (size_t i = 0; i < config->interfaces.count; i++) {
		snprintf(name, sizeof(name), "ipv4/conf/%s/forwarding", config->interfaces.name[i]);
		if (host_setting(name) == 1)
			problem(problems,
				"Let only balancers reach it, or drop the rest in the forward "
				"chain.",
				"%s forwards packets: also inner ones, to any address",
				config->interfaces.name[i]);
	}
}

static void check_vips(const struct backend_config *config, struct problems *problems)
{
	char text[LB_PREFIX_TEXT];

	for (size_t i = 0; i < config->vips.count; i++)
		if (!host_has(&config->vips.prefix[i]))
			problem(problems, restart, "%s is not local to this host",
				lb_prefix_format(&config->vips.prefix[i], text));
}

static void check_tunnels(const struct backend_config *config, struct problems *problems)
{
	char output[COMMAND_OUTPUT], port[32];

	if (config->decapsulation != DECAPSULATION_KERNEL)
		return;
	snprintf(port, sizeof(port), "port %d gue", LB_GUE_PORT);
	if (command_run("ip link show " HOST_DEVICE "0a", NULL) &&
	    command_run("ip link show " HOST_DEVICE "0c", NULL))
		problem(problems, restart, "there is no tunnel device");
	if (command_run("ip fou show", output) || !strstr(output, port))
		problem(problems,
			"It needs the module fou, for packets in GUE and those with a list.",
			"the kernel takes no GUE at port %d", LB_GUE_PORT);
}

static void check_counters(const struct backend_config *config, struct problems *problems)
{
	struct programs_counters counters;

	if (!programs_count(&config->interfaces, &counters))
		return;
	if (counters.second.refused_hop)
		problem(problems, "Add the prefix of the other backends to backends.",
			"%llu packets were dropped: the next backend of their list is in none of "
			"the prefixes",
			counters.second.refused_hop);
	if (counters.second.other_source + counters.decap.other_source)
		problem(problems,
			"Add the prefix of the outer source addresses to balancers, or find out "
			"who sends them.",
			"%llu packets came from a sender that is not believed",
			counters.second.other_source + counters.decap.other_source);
	if (counters.second.malformed + counters.decap.malformed)
		problem(problems, "Look at them: tcpdump -ni any 'ip proto 4 or udp port 6080'",
			"%llu tunnel packets are malformed",
			counters.second.malformed + counters.decap.malformed);
	if (counters.second.lost)
		problem(problems,
			"Connections were reset. Does each other backend run lbd-backend, and is "
			"it "
			"in backends?",
			"%llu packets were of connections that no backend of their list has",
			counters.second.lost);
	if (counters.reqsk.refused)
		problem(problems,
			"A listener of MPTCP is none for them; and see what else is said here.",
			"%llu cookies of balancers became no connection", counters.reqsk.refused);
	if (counters.second.ttl)
		problem(problems, "Look for a loop between backends: traceroute to each of them.",
			"%llu packets were dropped: their outer TTL was used up",
			counters.second.ttl);
}

unsigned int check_all(const struct backend_config *config)
{
	struct problems problems = {0};

	for (size_t i = 0; i < config->interfaces.count; i++)
		check_interface(config, config->interfaces.name[i], &problems);
	check_vips(config, &problems);
	check_settings(config, &problems);
	check_cookies(config, &problems);
	check_forwarding(config, &problems);
	check_tunnels(config, &problems);
	check_counters(config, &problems);
	return problems.count;
}
