/* SPDX-License-Identifier: BSD-2-Clause */
/* Can a network card hand its packets to all processors, and in a shape that XDP likes? */
#include "nic.h"

#include <dirent.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CPUS_MAX 4096
#define STRINGS_MAX 512
#define LINEAR_MTU_MAX 3498 /* what mlx5 puts into one buffer of a page, beside XDP's headroom */

/* --- sysfs and procfs --- */

/* The first number in a file, or -1. */
static int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int number = -1;

	if (file && fscanf(file, "%d", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number;
}

/* Calls `each` for every entry of a folder whose name begins so. */
static uint32_t count_entries(const char *path, const char *prefix,
			      void (*each)(void *user, const char *name), void *user)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	uint32_t count = 0;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count++;
		if (each)
			each(user, entry->d_name);
	}
	if (folder)
		closedir(folder);
	return count;
}

struct affinity {
	const char *root;
	struct nic *nic;
	bool seen[CPUS_MAX];
};

/* An interrupt that may go to several processors goes to the first of them, mostly. */
static void look_at_interrupt(void *user, const char *number)
{
	struct affinity *affinity = user;
	char path[512];
	int cpu;

	snprintf(path, sizeof(path), "%s/proc/irq/%.32s/effective_affinity_list", affinity->root,
		 number);
	cpu = read_number(path);
	if (cpu < 0 || cpu >= CPUS_MAX)
		return;
	affinity->nic->interrupts++;
	affinity->nic->irq_cpus += !affinity->seen[cpu];
	affinity->seen[cpu] = true;
}

static void look_at_queues(const char *root, const char *name, struct nic *out)
{
	struct affinity affinity = {.root = root, .nic = out};
	char path[512];

	snprintf(path, sizeof(path), "%s/sys/class/net/%s/queues", root, name);
	out->rx_queues = count_entries(path, "rx-", NULL, NULL);
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/msi_irqs", root, name);
	count_entries(path, "", look_at_interrupt, &affinity);
}

/* The kernel takes the stricter of the two. */
static int rp_filter(const char *root, const char *name)
{
	char path[512];
	int all, own;

	snprintf(path, sizeof(path), "%s/proc/sys/net/ipv4/conf/all/rp_filter", root);
	all = read_number(path);
	snprintf(path, sizeof(path), "%s/proc/sys/net/ipv4/conf/%s/rp_filter", root, name);
	own = read_number(path);
	return all > own ? all : own;
}

/* --- what the driver says --- */

static bool ask(int fd, const char *name, void *data)
{
	struct ifreq request = {.ifr_data = data};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return !ioctl(fd, SIOCETHTOOL, &request);
}

static uint32_t count_strings(int fd, const char *name, uint32_t set)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} request = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << set}};

	if (!ask(fd, name, &request) || !request.info.sset_mask || request.count > STRINGS_MAX)
		return 0;
	return request.count;
}

/* The place of a string among those that the driver has, or -1. */
static int find_string(int fd, const char *name, uint32_t set, const char *wanted)
{
	const uint32_t count = count_strings(fd, name, set);
	struct ethtool_gstrings *strings =
		calloc(1, sizeof(*strings) + (size_t)count * ETH_GSTRING_LEN);
	int place = -1;

	if (!strings)
		return -1;
	*strings =
		(struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS, .string_set = set, .len = count};
	if (count && ask(fd, name, strings))
		for (uint32_t i = 0; i < count && place < 0; i++)
			if (!strncmp((char *)strings->data + (size_t)i * ETH_GSTRING_LEN, wanted,
				     ETH_GSTRING_LEN))
				place = (int)i;
	free(strings);
	return place;
}

static bool has_private_flag(int fd, const char *name, const char *flag)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GPFLAGS};
	const int place = find_string(fd, name, ETH_SS_PRIV_FLAGS, flag);

	return place >= 0 && place < 32 && ask(fd, name, &value) && value.data >> place & 1;
}

static bool has_feature(int fd, const char *name, const char *feature)
{
	const int place = find_string(fd, name, ETH_SS_FEATURES, feature);
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block blocks[STRINGS_MAX / 32];
	} request = {.head = {.cmd = ETHTOOL_GFEATURES, .size = STRINGS_MAX / 32}};

	return place >= 0 && ask(fd, name, &request) &&
	       request.blocks[place / 32].active >> (place % 32) & 1;
}

static void ask_driver(const char *name, struct nic *out)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	out->striding = has_private_flag(fd, name, "rx_striding_rq");
	out->gro_hw = has_feature(fd, name, "rx-gro-hw");
	close(fd);
}

void nic_look(const char *root, const char *name, struct nic *out)
{
	char path[512];

	*out = (struct nic){.rp_filter = rp_filter(root, name)};
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device", root, name);
	out->physical = !access(path, F_OK);
	if (!out->physical)
		return;
	look_at_queues(root, name, out);
	if (!*root)
		ask_driver(name, out);
}

/* --- judging --- */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void warn_of_queues(const struct nic *nic, const char *name, uint32_t cpus, json_t *warnings)
{
	if (nic->rx_queues && nic->rx_queues * 2 <= cpus)
		json_array_append_new(
			warnings,
			json_sprintf("%s has %u receive queue%s for %u processors, so that the "
				     "others do nothing for it: ethtool -L %s combined %u",
				     name, nic->rx_queues, nic->rx_queues == 1 ? "" : "s", cpus,
				     name, cpus));
}

static void warn_of_interrupts(const struct nic *nic, const char *name, uint32_t cpus,
			       json_t *warnings)
{
	const uint32_t could = least(least(nic->interrupts, nic->rx_queues), cpus);

	if (could > 1 && nic->irq_cpus * 2 <= could)
		json_array_append_new(
			warnings,
			json_sprintf("the interrupts of %s, which has %u receive queues, go to %u "
				     "of %u processors: spread them, by irqbalance or by echo CPU "
				     "> /proc/irq/N/smp_affinity_list for each N in "
				     "/sys/class/net/%s/device/msi_irqs",
				     name, nic->rx_queues, nic->irq_cpus, cpus, name));
}

static void warn_of_shape(const struct nic *nic, const char *name, uint32_t mtu, json_t *warnings)
{
	if (nic->striding && mtu > LINEAR_MTU_MAX)
		json_array_append_new(
			warnings,
			json_sprintf("%s has striding receive queues and an MTU of %u: each frame "
				     "comes in several buffers and takes the long way through the "
				     "program: ethtool --set-priv-flags %s rx_striding_rq off",
				     name, mtu, name));
	if (nic->gro_hw)
		json_array_append_new(
			warnings,
			json_sprintf("%s merges packets in hardware (GRO), and what it merges is "
				     "too big to be sent on: ethtool -K %s rx-gro-hw off",
				     name, name));
}

/* Of packets that the program takes nothing is asked, so this is about what lbd itself hears. */
static void warn_of_rp_filter(const struct nic *nic, const char *name, json_t *warnings)
{
	if (nic->rp_filter == 1)
		json_array_append_new(
			warnings,
			json_sprintf("rp_filter is strict at %s: answers to direct checks and ICMP "
				     "errors that come in there, while the route back leads "
				     "elsewhere, are lost: sysctl -w net.ipv4.conf.%s.rp_filter=2",
				     name, name));
}

void nic_warnings(const struct nic *nic, const char *name, uint32_t mtu, uint32_t cpus,
		  bool several, json_t *warnings)
{
	if (several)
		warn_of_rp_filter(nic, name, warnings);
	if (!nic->physical)
		return;
	warn_of_queues(nic, name, cpus, warnings);
	warn_of_interrupts(nic, name, cpus, warnings);
	warn_of_shape(nic, name, mtu, warnings);
}
