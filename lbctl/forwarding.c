/* SPDX-License-Identifier: BSD-2-Clause */
/* Does forwarding go on while lbd does not answer? The links of its interfaces are pinned, and
 * packets go through them as long as they are there. */
#include "forwarding.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include "../lbd/api/paths.h"
#include "../lbd/api/rpc.h"

static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* Whether `socket` is that of the lbd which `config` describes; NULL: nobody may read it. */
static bool is_its_socket(const json_t *config, const char *socket)
{
	const json_t *control = json_object_get(config, "control");
	const json_t *path = json_object_get(control, "path");

	return is_text(json_object_get(control, "read_only_path"), socket) ||
	       (path ? is_text(path, socket) : strcmp(socket, LB_SOCKET_DEFAULT) == 0);
}

static int unknown(struct forwarding *out, const char *folder, const char *why)
{
	out->state = FORWARDING_UNKNOWN;
	snprintf(out->sentence, sizeof(out->sentence),
		 "whether it still forwards packets cannot be told: %.100s: %.60s", folder, why);
	return -1;
}

/* A folder is missing because nothing is pinned, or because this is not where pins are seen. */
static void look_above(const char *folder, struct forwarding *out)
{
	char above[PATH_MAX];
	struct statfs file_system;
	char *slash;

	snprintf(above, sizeof(above), "%s", folder);
	slash = strrchr(above, '/');
	if (slash)
		slash[slash == above] = '\0';
	if (statfs(above, &file_system) || file_system.f_type != BPF_FS_MAGIC) {
		unknown(out, above, "no BPF file system is mounted there");
		return;
	}
	out->state = FORWARDING_NONE;
	snprintf(out->sentence, sizeof(out->sentence),
		 "nothing is pinned in %.100s: packets are not balanced", folder);
}

/* Links of interfaces that are gone are passed over: nothing comes in by them. */
static void read_links(DIR *folder, json_t *interfaces)
{
	const struct dirent *entry;
	char name[IF_NAMESIZE];
	unsigned int ifindex;

	while ((entry = readdir(folder)))
		if (sscanf(entry->d_name, LB_PIN_LINK "%u", &ifindex) == 1 &&
		    if_indextoname(ifindex, name))
			json_array_append_new(interfaces, json_string(name));
}

static void tell(struct forwarding *out)
{
	size_t count = json_array_size(out->interfaces), i, length;

	out->state = count ? FORWARDING_ATTACHED : FORWARDING_NONE;
	if (!count) {
		snprintf(out->sentence, sizeof(out->sentence),
			 "the data plane is attached to no interface: packets are not balanced");
		return;
	}
	length = snprintf(out->sentence, sizeof(out->sentence),
			  "the data plane is still attached to ");
	for (i = 0; i < count && i < 4; i++)
		length += snprintf(out->sentence + length, sizeof(out->sentence) - length, "%s%s",
				   i ? ", " : "",
				   json_string_value(json_array_get(out->interfaces, i)));
	snprintf(out->sentence + length, sizeof(out->sentence) - length,
		 "%s and goes on forwarding", count > 4 ? ", …" : "");
}

bool forwarding_look(const char *socket, struct forwarding *out)
{
	json_auto_t *config = json_load_file(LB_CONFIG_DEFAULT, 0, NULL);
	const char *folder = json_string_value(json_object_get(config, "pin_dir"));
	DIR *pins;

	*out = (struct forwarding){.interfaces = json_array()};
	if (!is_its_socket(config, socket))
		return false;
	folder = folder ? folder : LB_PIN_DIR_DEFAULT;
	pins = opendir(folder);
	if (pins) {
		read_links(pins, out->interfaces);
		closedir(pins);
		tell(out);
	} else if (errno == ENOENT) {
		look_above(folder, out);
	} else {
		unknown(out, folder, strerror(errno));
	}
	return true;
}

json_t *forwarding_to_json(const struct forwarding *forwarding)
{
	static const char *const states[] = {"attached", "none", "unknown"};

	return json_pack("{s:s, s:O}", "state", states[forwarding->state], "interfaces",
			 forwarding->interfaces);
}
