/* SPDX-License-Identifier: BSD-2-Clause */
/* What does this machine look like: capabilities, kernel, links, folders? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <net/if_arp.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
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

static void kernel_version(struct preflight_facts *out)
{
	struct utsname name;

	if (uname(&name) ||
	    sscanf(name.release, "%u.%u", &out->kernel_major, &out->kernel_minor) != 2)
		out->kernel_major = out->kernel_minor = 0;
}

/* --- links --- */

static uint32_t xdp_program(const struct nlattr *nest)
{
	const struct nlattr *attribute;
	uint32_t id = 0;

	mnl_attr_for_each_nested(attribute, nest)
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_XDP_PROG_ID:
		case IFLA_XDP_DRV_PROG_ID:
		case IFLA_XDP_SKB_PROG_ID:
		case IFLA_XDP_HW_PROG_ID:
			if (!mnl_attr_validate(attribute, MNL_TYPE_U32))
				id = mnl_attr_get_u32(attribute);
		}
	}
	return id;
}

static void read_attribute(const struct nlattr *attribute, struct preflight_link *link)
{
	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		if (!mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING))
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attribute));
		break;
	case IFLA_MTU:
		if (!mnl_attr_validate(attribute, MNL_TYPE_U32))
			link->mtu = mnl_attr_get_u32(attribute);
		break;
	case IFLA_XDP:
		link->xdp_program = xdp_program(attribute);
		break;
	}
}

static int on_link(const struct nlmsghdr *message, void *user)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct preflight_facts *facts = user;
	const struct nlattr *attribute;
	struct preflight_link *links, *link;

	if (message->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	links = reallocarray(facts->links, facts->link_count + 1, sizeof(*links));
	if (!links)
		return MNL_CB_ERROR;
	facts->links = links;
	link = &links[facts->link_count++];
	*link = (struct preflight_link){
		.up = info->ifi_flags & IFF_UP,
		.carrier = info->ifi_flags & IFF_RUNNING,
		.ethernet = info->ifi_type == ARPHRD_ETHER,
	};
	mnl_attr_for_each(attribute, message, sizeof(*info)) read_attribute(attribute, link);
	return MNL_CB_OK;
}

static int ask_for_links(struct mnl_socket *netlink, void *buffer)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	return mnl_socket_sendto(netlink, message, message->nlmsg_len) < 0 ? -errno : 0;
}

static int list_links(struct preflight_facts *out)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buffer[32768];
	int ret;

	if (!netlink)
		return -errno;
	ret = mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!ret)
		ret = ask_for_links(netlink, buffer);
	while (!ret) {
		ssize_t length = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));
		int state = length < 0 ? MNL_CB_ERROR
				       : mnl_cb_run(buffer, (size_t)length, 1,
						    mnl_socket_get_portid(netlink), on_link, out);

		if (state == MNL_CB_ERROR)
			ret = errno == EINTR ? 0 : -errno;
		if (state == MNL_CB_STOP)
			break;
	}
	mnl_socket_close(netlink);
	return ret;
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

static void look_at_offloads(const struct config *config, struct preflight_facts *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	for (size_t i = 0; i < out->link_count; i++)
		if (is_configured(config, out->links[i].name))
			out->links[i].lro = lro_is_on(fd, out->links[i].name);
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

/* The program of an earlier lbd is no stranger: the next one takes its place. */
static void know_our_own(const struct config *config, struct preflight_facts *facts)
{
	for (size_t i = 0; i < facts->link_count; i++) {
		struct preflight_link *link = &facts->links[i];

		if (link->xdp_program &&
		    link->xdp_program ==
			    datapath_pinned_program(config->pin_dir, if_nametoindex(link->name)))
			link->xdp_program = 0;
	}
}

static int look(const struct config *config, bool make, struct preflight_facts *out,
		struct lb_err *err)
{
	int ret;

	*out = (struct preflight_facts){
		.capabilities = effective_capabilities(),
		.root = !geteuid(),
		.jit = jit_setting(),
		.btf = !access("/sys/kernel/btf/vmlinux", R_OK),
		.pin_dir_fault = look_at_pin_dir(config->pin_dir, make),
		.state_dir_fault = look_at_state_dir(config->state_dir, make),
	};
	kernel_version(out);
	ret = list_links(out);
	if (ret) {
		preflight_facts_clear(out);
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot list the network interfaces: %s",
			   strerror(-ret));
		return ret;
	}
	look_at_offloads(config, out);
	know_our_own(config, out);
	return 0;
}

int preflight_look(const struct config *config, struct preflight_facts *out, struct lb_err *err)
{
	return look(config, true, out, err);
}

int preflight_look_only(const struct config *config, struct preflight_facts *out,
			struct lb_err *err)
{
	return look(config, false, out, err);
}

void preflight_facts_clear(struct preflight_facts *facts)
{
	free(facts->links);
	*facts = (struct preflight_facts){0};
}
