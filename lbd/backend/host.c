/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a host become a backend, as far as the kernel's own means go?
 *
 * Settings first: they keep it from claiming a VIP on its segment. Where `all` has rp_filter, an
 * interface's own value does not matter; so that becomes 0, and the interfaces that are none of ours
 * get what held for them.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "../../bpf/abi.h"
#include "command.h"
#include "host.h"

#define VIP_WAIT_MS 5000
#define CONF "/proc/sys/net/ipv4/conf/"

/* --- settings --- */

static int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

int host_setting(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	return read_number(path);
}

static int write_number(const char *path, int value, struct undo *undo, struct lb_err *err)
{
	const int before = read_number(path);
	FILE *file;
	int status;

	if (before == value)
		return 0;
	if (undo_note(undo, err, "set %s %d", path, before))
		return -EINVAL;
	file = fopen(path, "we");
	status = file ? fprintf(file, "%d\n", value) : -1;
	if (file && fclose(file))
		status = -1;
	if (status >= 0)
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be set to %d: %s", path, value,
			  strerror(errno));
}

static int conf_set(const char *interface, const char *name, int value, struct undo *undo,
		    struct lb_err *err)
{
	char path[256];

	snprintf(path, sizeof(path), CONF "%s/%s", interface, name);
	return write_number(path, value, undo, err);
}

static bool is_ours(const struct names *interfaces, const char *name)
{
	for (size_t i = 0; i < interfaces->count; i++)
		if (!strcmp(interfaces->name[i], name))
			return true;
	return !strncmp(name, HOST_DEVICE, strlen(HOST_DEVICE));
}

/* What held for an interface is the larger of its value and that of `all`. */
static int keep_filter(const char *name, int all, struct undo *undo, struct lb_err *err)
{
	char path[512];

	snprintf(path, sizeof(path), CONF "%s/rp_filter", name);
	return read_number(path) < all ? write_number(path, all, undo, err) : 0;
}

static int keep_filters(const struct names *interfaces, int all, struct undo *undo,
			struct lb_err *err)
{
	DIR *folder = opendir(CONF);
	struct dirent *entry;
	int status = 0;

	if (!folder)
		return lb_err_set(err, LB_ERR_SYSTEM, "", CONF " cannot be read: %s",
				  strerror(errno));
	while (!status && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") &&
		    !is_ours(interfaces, entry->d_name))
			status = keep_filter(entry->d_name, all, undo, err);
	closedir(folder);
	return status;
}

static int set_filters(const struct backend_config *config, struct undo *undo, struct lb_err *err)
{
	const int all = read_number(CONF "all/rp_filter");

	if (all > 0 && keep_filters(&config->interfaces, all, undo, err))
		return -EINVAL;
	for (size_t i = 0; i < config->interfaces.count; i++)
		if (conf_set(config->interfaces.name[i], "rp_filter", 0, undo, err))
			return -EINVAL;
	return conf_set("all", "rp_filter", 0, undo, err);
}

static int set_settings(const struct backend_config *config, struct undo *undo, struct lb_err *err)
{
	if (conf_set("all", "arp_ignore", 1, undo, err) ||
	    conf_set("all", "arp_announce", 2, undo, err))
		return -EINVAL;
	return set_filters(config, undo, err);
}

/* --- commands --- */

/* The command that takes it back is noted first; it does no harm where nothing was done. */
static int run_noted(const char *command, const char *back, struct undo *undo, struct lb_err *err)
{
	char output[COMMAND_OUTPUT];
	int status;

	if (undo_note(undo, err, "run %s", back))
		return -EINVAL;
	status = command_run(command, output);
	if (!status)
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "%s: %s", command,
			  status < 0 ? strerror(-status) : output);
}

/* --- VIPs --- */

static bool is_whole(const struct lb_prefix *prefix)
{
	return prefix->length == (prefix->address.family == 4 ? 32 : 128);
}

bool host_has(const struct lb_prefix *vip)
{
	char text[LB_PREFIX_TEXT], command[256], output[COMMAND_OUTPUT];

	snprintf(command, sizeof(command), "ip -%d route show table local type local exact %s",
		 vip->address.family, lb_prefix_format(vip, text));
	return !command_run(command, output) && *output;
}

/* The kernel makes the local route of an IPv6 address a little later. */
static int wait_for_vip(const struct lb_prefix *vip, struct lb_err *err)
{
	char text[LB_PREFIX_TEXT];

	for (int i = 0; i < VIP_WAIT_MS / 10; i++) {
		if (host_has(vip))
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
	}
	return lb_err_set(err, LB_ERR_SYSTEM, "", "%s does not become local to this host",
			  lb_prefix_format(vip, text));
}

static int add_vip(const struct lb_prefix *vip, struct undo *undo, struct lb_err *err)
{
	const char *what = is_whole(vip) ? "address" : "route",
		   *local = is_whole(vip) ? "" : "local ";
	char text[LB_PREFIX_TEXT], add[256], del[256];

	if (host_has(vip))
		return 0;
	lb_prefix_format(vip, text);
	snprintf(add, sizeof(add), "ip -%d %s add %s%s dev lo", vip->address.family, what, local,
		 text);
	snprintf(del, sizeof(del), "ip -%d %s del %s%s dev lo", vip->address.family, what, local,
		 text);
	return run_noted(add, del, undo, err) ? -EINVAL : wait_for_vip(vip, err);
}

static bool address_of(const struct ifaddrs *at, struct lb_prefix *out)
{
	if (!lb_addr_from_socket(at->ifa_addr, &out->address, NULL))
		return false;
	out->length = out->address.family == 4 ? 32 : 128;
	return true;
}

/* Such a prefix would make the router, and its neighbours, addresses of the host's own. */
static int check_prefix(const struct lb_prefix *vip, const struct ifaddrs *addresses,
			struct lb_err *err)
{
	char text[LB_PREFIX_TEXT], own[LB_ADDR_TEXT];

	for (const struct ifaddrs *at = addresses; at; at = at->ifa_next) {
		struct lb_prefix address;

		if (!strcmp(at->ifa_name, "lo") || !address_of(at, &address) ||
		    !lb_prefix_covers(vip, &address))
			continue;
		lb_err_set(err, LB_ERR_REFUSED, "",
			   "%s has %s, which is this host's address at %s: it would lose its "
			   "network",
			   lb_prefix_format(vip, text), lb_addr_format(&address.address, own),
			   at->ifa_name);
		return lb_err_hint(err, "name the addresses that VIPs have, or a longer prefix of "
					"them");
	}
	return 0;
}

int host_may_be(const struct backend_config *config, struct lb_err *err)
{
	struct ifaddrs *addresses;
	int status = 0;

	for (size_t i = 0; i < config->interfaces.count; i++)
		if (!if_nametoindex(config->interfaces.name[i]))
			return lb_err_set(err, LB_ERR_SYSTEM, "interfaces",
					  "there is no interface %s", config->interfaces.name[i]);
	if (getifaddrs(&addresses))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "addresses cannot be read: %s",
				  strerror(errno));
	for (size_t i = 0; !status && i < config->vips.count; i++)
		if (!is_whole(&config->vips.prefix[i]) &&
		    check_prefix(&config->vips.prefix[i], addresses, err)) {
			lb_err_prefix(err, "vips[%zu]", i);
			status = -EINVAL;
		}
	freeifaddrs(addresses);
	return status;
}

/* --- tunnel devices --- */

struct device {
	const char *suffix, *type;
};

static const struct device devices4[] = {{"a", "ipip"}, {"b", "sit mode ip6ip"}, {0}};
static const struct device devices6[] = {{"c", "ip6tnl mode any"}, {0}};

static int add_device(const struct device *device, size_t number, const char *address,
		      struct undo *undo, struct lb_err *err)
{
	char name[IF_NAMESIZE], add[256], del[64], up[64];

	snprintf(name, sizeof(name), HOST_DEVICE "%zu%s", number, device->suffix);
	snprintf(add, sizeof(add), "ip link add %s type %s local %s", name, device->type, address);
	snprintf(del, sizeof(del), "ip link del %s", name);
	snprintf(up, sizeof(up), "ip link set %s up", name);
	if (run_noted(add, del, undo, err))
		return lb_err_hint(err, "the kernel needs the modules ipip, sit and ip6_tunnel for "
					"that, or let decapsulation be program");
	if (conf_set(name, "rp_filter", 0, undo, err))
		return -EINVAL;
	return run_noted(up, del, undo, err);
}

static int add_devices(const struct ifaddrs *at, size_t number, struct undo *undo,
		       struct lb_err *err)
{
	const int family = at->ifa_addr->sa_family;
	const struct device *device = family == AF_INET ? devices4 : devices6;
	char address[INET6_ADDRSTRLEN];

	inet_ntop(family,
		  family == AF_INET ? (void *)&((struct sockaddr_in *)at->ifa_addr)->sin_addr
				    : (void *)&((struct sockaddr_in6 *)at->ifa_addr)->sin6_addr,
		  address, sizeof(address));
	for (; device->type; device++)
		if (add_device(device, number, address, undo, err))
			return -EINVAL;
	return 0;
}

static bool is_wanted(const struct ifaddrs *at, const struct names *interfaces)
{
	if (!at->ifa_addr || !is_ours(interfaces, at->ifa_name))
		return false;
	if (at->ifa_addr->sa_family == AF_INET)
		return true;
	return at->ifa_addr->sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)at->ifa_addr)->sin6_addr);
}

static int add_all_devices(const struct names *interfaces, struct undo *undo, struct lb_err *err)
{
	struct ifaddrs *addresses;
	size_t number = 0;
	int status = 0;

	if (getifaddrs(&addresses))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "addresses cannot be read: %s",
				  strerror(errno));
	for (const struct ifaddrs *at = addresses; at && !status; at = at->ifa_next)
		if (is_wanted(at, interfaces))
			status = add_devices(at, number++, undo, err);
	freeifaddrs(addresses);
	if (!status && !number)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "the interfaces have no address");
	return status;
}

/* A kernel without GUE still has IP-in-IP; `check` says so. */
static int add_tunnels(const struct backend_config *config, struct undo *undo, struct lb_err *err)
{
	char add[64], del[64];

	command_run("modprobe -qa ipip sit ip6_tunnel fou fou6", NULL);
	if (add_all_devices(&config->interfaces, undo, err))
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		const char *family = i ? "ip -6" : "ip";

		snprintf(add, sizeof(add), "%s fou add port %d gue", family, LB_GUE_PORT);
		snprintf(del, sizeof(del), "run %s fou del port %d", family, LB_GUE_PORT);
		if (!command_run(add, NULL) && undo_note(undo, err, "%s", del))
			return -EINVAL;
	}
	return 0;
}

int host_set_up(const struct backend_config *config, struct undo *undo, struct lb_err *err)
{
	if (set_settings(config, undo, err))
		return -EINVAL;
	if (config->decapsulation == DECAPSULATION_KERNEL && add_tunnels(config, undo, err))
		return -EINVAL;
	for (size_t i = 0; i < config->vips.count; i++)
		if (add_vip(&config->vips.prefix[i], undo, err))
			return -EINVAL;
	return 0;
}
