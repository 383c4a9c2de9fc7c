/* SPDX-License-Identifier: BSD-2-Clause */
/* What does this machine look like: capabilities, kernel, links, folders? */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "preflight.h"
#include "datapath.h"

#define BPFFS_DIR "/sys/fs/bpf"

/* --- capabilities and kernel --- */

static uint64_t effective_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	uint64_t capabilities = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
			break;
	if (file)
		fclose(file);
	return capabilities;
}

static int jit_setting(void)
{
	FILE *file = fopen("/proc/sys/net/core/bpf_jit_enable", "re");
	int setting = -1;

	if (file && fscanf(file, "%d", &setting) != 1)
		setting = -1;
	if (file)
		fclose(file);
	return setting;
}

static int try_bpf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lbd_try", sizeof(__u32), sizeof(__u32), 1,
				NULL);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

static void kernel_version(struct preflight_facts *out)
{
	struct utsname name;

	if (uname(&name) ||
	    sscanf(name.release, "%u.%u", &out->kernel_major, &out->kernel_minor) != 2)
		out->kernel_major = out->kernel_minor = 0;
}

/* --- links --- */

/* The program of an earlier lbd is no stranger: the next one takes its place. */
static bool has_other_program(const struct config *config, const struct link_info *link)
{
	return link->xdp_program &&
	       link->xdp_program != datapath_pinned_program(config->pin_dir, link->ifindex);
}

static int look_at_links(const struct config *config, struct preflight_facts *out)
{
	struct links links;
	int error = links_read(&links);

	if (error)
		return -error;
	out->links = calloc(links.count + 1, sizeof(*out->links));
	for (size_t i = 0; out->links && i < links.count; i++)
		out->links[out->link_count++] = (struct preflight_link){
			.is = links.link[i],
			.other_program = has_other_program(config, &links.link[i]),
		};
	links_clear(&links);
	return out->links ? 0 : ENOMEM;
}

static bool lro_is_on(int fd, const char *interface)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {.ifr_data = (void *)&value};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return !ioctl(fd, SIOCETHTOOL, &request) && value.data & ETH_FLAG_LRO;
}

static bool is_configured(const struct config *config, const char *interface)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (!strcmp(config->interfaces[i], interface))
			return true;
	return false;
}

/* The bond or bridge that a link is a port of, or the link itself. */
static const struct link_info *master_of(const struct preflight_facts *facts,
					 const struct link_info *link)
{
	for (size_t i = 0; link->master && i < facts->link_count; i++)
		if (facts->links[i].is.ifindex == link->master)
			return &facts->links[i].is;
	return link;
}

static void look_at_offloads(const struct config *config, struct preflight_facts *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	for (size_t i = 0; i < out->link_count; i++) {
		const struct link_info *link = &out->links[i].is;

		if (!is_configured(config, link->name) &&
		    !is_configured(config, master_of(out, link)->name))
			continue;
		out->links[i].lro = lro_is_on(fd, link->name);
		nic_look("", link->name, &out->links[i].nic);
	}
	close(fd);
}

/* --- folders --- */

/* The file system type of a path, or of its nearest ancestor that exists; 0: unknown. */
static long file_system(const char *path)
{
	char ancestor[256];
	struct statfs status;

	snprintf(ancestor, sizeof(ancestor), "%s", path);
	while (statfs(ancestor, &status)) {
		char *slash = strrchr(ancestor, '/');

		if (errno != ENOENT || !slash || slash == ancestor)
			return 0;
		*slash = 0;
	}
	return status.f_type;
}

static bool is_under(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int look_at_pin_dir(const char *path, bool make)
{
	if (file_system(path) == BPF_FS_MAGIC)
		return 0;
	if (!make || !is_under(path, BPFFS_DIR) || file_system(BPFFS_DIR) == BPF_FS_MAGIC)
		return ENOTSUP;
	if (mount("bpf", BPFFS_DIR, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return errno;
	return 0;
}

static int look_at_state_dir(const char *path, bool make)
{
	if (make && mkdir(path, 0700) && errno != EEXIST)
		return errno;
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) ? errno : 0;
}

/* --- all of it --- */

static void look(const struct config *config, bool make, struct preflight_facts *out)
{
	*out = (struct preflight_facts){
		.capabilities = effective_capabilities(),
		.root = !geteuid(),
		.bpf_fault = try_bpf(),
		.jit = jit_setting(),
		.cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
		.btf = !access("/sys/kernel/btf/vmlinux", R_OK),
		.pin_dir_fault = look_at_pin_dir(config->pin_dir, make),
		.state_dir_fault = look_at_state_dir(config->state_dir, make),
	};
	kernel_version(out);
	out->links_fault = look_at_links(config, out);
	look_at_offloads(config, out);
}

void preflight_look(const struct config *config, struct preflight_facts *out)
{
	look(config, true, out);
}

void preflight_look_only(const struct config *config, struct preflight_facts *out)
{
	look(config, false, out);
}

void preflight_facts_clear(struct preflight_facts *facts)
{
	free(facts->links);
	*facts = (struct preflight_facts){0};
}
