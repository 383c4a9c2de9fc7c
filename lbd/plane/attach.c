/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the program get onto interfaces, stay there without lbd, and get replaced by a newer
 * one? */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath_private.h"

int datapath_program_fd(const struct datapath *datapath)
{
	return datapath->program_fd;
}

int attach_update(struct datapath *datapath)
{
	int failed = 0;

	for (const struct attachment *at = datapath->attachments; at; at = at->next) {
		const int error = bpf_link_update(at->link_fd, datapath->program_fd, NULL);

		if (error && error != -ENOLINK && !failed) /* ENOLINK: the interface is gone */
			failed = error;
	}
	return failed;
}

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
		lb_err_hint(err,
			    "\"bpftool net show dev %s\" shows it; it leaves with the "
			    "process that holds it, by \"lbd --detach\" with the lbd.json "
			    "of an lbd that has pinned it, or else by \"ip link set dev %s "
			    "xdp off\"",
			    interface, interface);
		return -error;
	}
	lb_err_set(err, LB_ERR_SYSTEM, "", "cannot attach to %s: %s", interface,
		   native_refusal(error));
	lb_err_hint(err, "\"xdp_mode\": \"auto\" falls back to generic mode, "
			 "which works everywhere and is slower");
	return -error;
}

static int keep_link(struct datapath *datapath, uint32_t ifindex, int link_fd, struct lb_err *err)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment) {
		close(link_fd);
		return lb_err_no_memory(err);
	}
	*attachment = (struct attachment){
		.ifindex = ifindex,
		.link_fd = link_fd,
		.next = datapath->attachments,
	};
	datapath->attachments = attachment;
	return 0;
}

void datapath_release(struct datapath *datapath, uint32_t ifindex)
{
	struct attachment **at = &datapath->attachments, *attachment;
	char path[PIN_PATH_MAX];

	while (*at && (*at)->ifindex != ifindex)
		at = &(*at)->next;
	attachment = *at;
	if (!attachment)
		return;
	if (datapath->pin_dir) {
		pin_link_path(datapath->pin_dir, ifindex, path);
		unlink(path);
	}
	*at = attachment->next;
	close(attachment->link_fd);
	free(attachment);
}

void attach_close(struct datapath *datapath)
{
	while (datapath->attachments) {
		struct attachment *attachment = datapath->attachments;

		datapath->attachments = attachment->next;
		close(attachment->link_fd);
		free(attachment);
	}
}

/* --- links of an earlier lbd --- */

/* Opens the pinned link of an interface, if it still holds a program there. */
static int open_link(const char *pin_dir, uint32_t ifindex, struct bpf_link_info *info)
{
	char path[PIN_PATH_MAX];
	__u32 size = sizeof(*info);
	int fd;

	pin_link_path(pin_dir, ifindex, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -1;
	memset(info, 0, sizeof(*info));
	if (!bpf_obj_get_info_by_fd(fd, info, &size) && info->type == BPF_LINK_TYPE_XDP &&
	    info->xdp.ifindex == ifindex)
		return fd;
	close(fd); /* of an interface that is gone; its number was given to another */
	unlink(path);
	return -1;
}

uint32_t datapath_pinned_program(const char *pin_dir, uint32_t ifindex)
{
	struct bpf_link_info info;
	int fd = open_link(pin_dir, ifindex, &info);

	if (fd < 0)
		return 0;
	close(fd);
	return info.prog_id;
}

static enum xdp_mode mode_in_force(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (!bpf_xdp_query(ifindex, 0, &query) && query.attach_mode == XDP_ATTACHED_SKB)
		return XDP_MODE_GENERIC;
	return XDP_MODE_NATIVE;
}

/* True when the earlier link now runs this program. One in another mode than asked for is given up. */
static bool replace_program(struct datapath *datapath, enum xdp_mode mode,
			    struct datapath_attachment *out, int *link_fd)
{
	struct bpf_link_info info;
	char path[PIN_PATH_MAX];

	if (!datapath->pin_dir)
		return false;
	*link_fd = open_link(datapath->pin_dir, out->ifindex, &info);
	if (*link_fd < 0)
		return false;
	out->mode = mode_in_force(out->ifindex);
	if ((mode == XDP_MODE_AUTO || mode == out->mode) &&
	    !bpf_link_update(*link_fd, datapath_program_fd(datapath), NULL)) {
		if (mode == XDP_MODE_AUTO && out->mode == XDP_MODE_GENERIC)
			snprintf(out->reason, sizeof(out->reason),
				 "chosen by an earlier start; \"lbd --detach\" lets the next one "
				 "try native mode again");
		return true;
	}
	pin_link_path(datapath->pin_dir, out->ifindex, path);
	unlink(path);
	close(*link_fd);
	return false;
}

/* --- attaching --- */

static int attach_anew(struct datapath *datapath, const char *interface, enum xdp_mode mode,
		       struct datapath_attachment *out, struct lb_err *err)
{
	int link_fd;

	out->mode = mode == XDP_MODE_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE;
	link_fd = attach_in_mode(datapath, out->ifindex, out->mode);
	if (link_fd < 0 && mode == XDP_MODE_AUTO && link_fd != -EBUSY && link_fd != -EEXIST) {
		snprintf(out->reason, sizeof(out->reason), "%s", native_refusal(-link_fd));
		out->mode = XDP_MODE_GENERIC;
		link_fd = attach_in_mode(datapath, out->ifindex, out->mode);
	}
	return link_fd < 0 ? attach_error(interface, -link_fd, err) : link_fd;
}

static int pin_link(struct datapath *datapath, uint32_t ifindex, int link_fd, struct lb_err *err)
{
	char path[PIN_PATH_MAX];
	int error;

	if (!datapath->pin_dir)
		return 0;
	pin_link_path(datapath->pin_dir, ifindex, path);
	error = bpf_obj_pin(link_fd, path);
	return error ? lb_err_set(err, LB_ERR_SYSTEM, "", "cannot pin %s: %s", path,
				  strerror(-error))
		     : 0;
}

int datapath_attach(struct datapath *datapath, const char *interface, enum xdp_mode mode,
		    struct datapath_attachment *out, struct lb_err *err)
{
	uint32_t ifindex = if_nametoindex(interface);
	int link_fd, error;

	if (!ifindex) {
		lb_err_set(err, LB_ERR_NOT_FOUND, "", "no interface \"%s\"", interface);
		return -ENODEV;
	}
	*out = (struct datapath_attachment){.ifindex = ifindex};
	if (replace_program(datapath, mode, out, &link_fd))
		return keep_link(datapath, ifindex, link_fd, err);
	link_fd = attach_anew(datapath, interface, mode, out, err);
	if (link_fd < 0)
		return link_fd;
	error = pin_link(datapath, ifindex, link_fd, err);
	if (error) {
		close(link_fd);
		return error;
	}
	return keep_link(datapath, ifindex, link_fd, err);
}

static bool is_attached(const struct datapath *datapath, uint32_t ifindex)
{
	const struct attachment *attachment;

	for (attachment = datapath->attachments; attachment; attachment = attachment->next)
		if (attachment->ifindex == ifindex)
			return true;
	return false;
}

bool datapath_holds(const struct datapath *datapath, uint32_t ifindex)
{
	const struct attachment *attachment = datapath->attachments;
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);

	while (attachment && attachment->ifindex != ifindex)
		attachment = attachment->next;
	return attachment && !bpf_obj_get_info_by_fd(attachment->link_fd, &info, &size) &&
	       info.xdp.ifindex == ifindex;
}

void datapath_detach_others(struct datapath *datapath)
{
	DIR *dir = datapath->pin_dir ? opendir(datapath->pin_dir) : NULL;
	struct dirent *entry;
	char path[PIN_PATH_MAX];
	unsigned int ifindex;

	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, PIN_LINK "%u", &ifindex) != 1 ||
		    is_attached(datapath, ifindex))
			continue;
		pin_link_path(datapath->pin_dir, ifindex, path);
		unlink(path);
	}
	if (dir)
		closedir(dir);
}
