/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the data plane outlive lbd, and how does the next lbd take it over?
 *
 * Every map and every link is pinned in pin_dir. The map "abi" says what the others are; it is
 * pinned last and unpinned first, so that a folder with it is complete and one without it is not
 * worth keeping.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../bpf/hash.h"
#include "../host/config.h"
#include "../route/announce_routes.h"
#include "datapath_private.h"

#define PIN_STAMP "abi"

static void pin_path(const char *pin_dir, const char *name, char out[PIN_PATH_MAX])
{
	snprintf(out, PIN_PATH_MAX, "%s/%s", pin_dir, name); /* the length is checked on opening */
}

void pin_link_path(const char *pin_dir, uint32_t ifindex, char out[PIN_PATH_MAX])
{
	snprintf(out, PIN_PATH_MAX, "%s/" PIN_LINK "%u", pin_dir, ifindex);
}

static struct lb_stamp stamp_of(const uint64_t seed[2])
{
	return (struct lb_stamp){
		.abi = LB_ABI_VERSION,
		.size = sizeof(struct lb_stamp),
		.seed = lb_hash_ipv4((const __u64 *)seed, 0, 0, 0),
	};
}

/* --- one lbd to a folder --- */

/* --detach removes the folder and what lbd has put there, so it must be one for pins, and not the
 * one that every other program pins in. */
static int check_place(const char *pin_dir, int fd, struct lb_err *err)
{
	struct statfs system;
	struct stat folder, above;

	if (fstatfs(fd, &system) || fstat(fd, &folder) || fstatat(fd, "..", &above, 0))
		return lb_err_set(err, LB_ERR_REFUSED, "pin_dir", "cannot look at %s: %s", pin_dir,
				  strerror(errno));
	if (system.f_type != BPF_FS_MAGIC)
		lb_err_set(err, LB_ERR_REFUSED, "pin_dir", "%s is not on a BPF file system",
			   pin_dir);
	else if (folder.st_dev != above.st_dev)
		lb_err_set(err, LB_ERR_REFUSED, "pin_dir",
			   "%s is the root of a BPF file system, where other programs pin too",
			   pin_dir);
	else
		return 0;
	return lb_err_hint(err, "name a folder of lbd's own, such as " LB_PIN_DIR_DEFAULT);
}

/* Whoever owns the folder could put maps of his own in the place of lbd's. */
static int check_owner(const char *pin_dir, int fd, struct lb_err *err)
{
	struct stat folder;

	if (fstat(fd, &folder))
		return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot look at %s: %s", pin_dir,
				  strerror(errno));
	if ((!folder.st_uid || folder.st_uid == geteuid()) && !(folder.st_mode & 022))
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "pin_dir", "user %u owns %s, or others may write to it",
		   folder.st_uid, pin_dir);
	return lb_err_hint(err, "look at what is in it, then: chown root %s && chmod 700 %s",
			   pin_dir, pin_dir);
}

static int lock_dir(const char *pin_dir, int *fd, struct lb_err *err)
{
	if (strlen(pin_dir) + 32 > PIN_PATH_MAX)
		return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "the path is too long");
	if (mkdir(pin_dir, 0700) && errno != EEXIST)
		return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot make %s: %s", pin_dir,
				  strerror(errno));
	*fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot open %s: %s", pin_dir,
				  strerror(errno));
	if (check_place(pin_dir, *fd, err) || check_owner(pin_dir, *fd, err))
		return -EPERM;
	if (!flock(*fd, LOCK_EX | LOCK_NB))
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "pin_dir", "another lbd has its data plane at %s", pin_dir);
	return lb_err_hint(err, "stop it first, or give this one a pin_dir of its own");
}

/* --- taking over --- */

static int refuse_version(struct lb_err *err, const char *what, const char *pin_dir)
{
	lb_err_set(err, LB_ERR_REFUSED, "", "the data plane pinned at %s has %s", pin_dir, what);
	return lb_err_hint(err,
			   "go back to the lbd that made it, or start this one once with "
			   "--reset-flows (\"systemctl start lbd-reset-flows\"): recorded flows "
			   "are lost, so connections in changed slots may move");
}

static int refuse_seed(const struct datapath_options *options, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "the data plane pinned at %s has another hash_seed than the one in %s",
		   options->pin_dir, options->seed_from);
	return lb_err_hint(err,
			   "restore the seed there, or start lbd once with --reset-flows "
			   "(\"systemctl start lbd-reset-flows\"): with another seed the flow hash "
			   "changes, so nearly all established connections break");
}

static int refuse(struct lb_err *err, const char *what, const char *remedy, const char *pin_dir)
{
	lb_err_set(err, LB_ERR_REFUSED, "", "the data plane pinned at %s has %s", pin_dir, what);
	return lb_err_hint(err,
			   "%sstart lbd once with --reset-flows (\"systemctl start "
			   "lbd-reset-flows\"): recorded flows are lost, so connections in changed "
			   "slots may move",
			   remedy);
}

static const char restore[] = "restore that setting in lbd.json, or ";

/* The setting that says how large a map is. */
static const char *limit_of(const struct bpf_map *map)
{
	static const char *const limits[][2] = {{"slots", "slots"},      {"pasts", "slots"},
						{"members", "members"},  {"counters", "members"},
						{"quic_ids", "members"}, {"flows", "flows"}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (!strcmp(bpf_map__name(map), limits[i][0]))
			return limits[i][1];
	return "vips";
}

static bool read_stamp(int fd, struct lb_stamp *out)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), zero = 0;

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.value_size == sizeof(*out) &&
	       !bpf_map_lookup_elem(fd, &zero, out) && out->size == sizeof(*out);
}

/* Does the stamp let its maps be used? */
static int check_stamp(int fd, const struct datapath_options *options, struct lb_err *err)
{
	const struct lb_stamp wanted = stamp_of(options->seed);
	struct lb_stamp stamp;
	char abi[64];

	if (!read_stamp(fd, &stamp))
		return refuse_version(err, "another ABI than this lbd", options->pin_dir);
	snprintf(abi, sizeof(abi), "ABI %u, this lbd has %u", stamp.abi, wanted.abi);
	if (stamp.abi != wanted.abi)
		return refuse_version(err, abi, options->pin_dir);
	if (stamp.seed != wanted.seed)
		return refuse_seed(options, err);
	return 0;
}

/* What a change of lbd.json makes again, since no packet's way depends on what is in it. */
static bool is_made_again(const struct datapath *datapath, const struct bpf_map *map, uint32_t size)
{
	return (map == datapath->skeleton->maps.vip_counters ||
		map == datapath->skeleton->maps.vip_waiting) &&
	       size != bpf_map__max_entries(map);
}

/* Has the skeleton use a pinned map, when it is just what the skeleton would make. */
static int adopt_map(struct datapath *datapath, struct bpf_map *map, struct lb_err *err)
{
	const char *pin_dir = datapath->pin_dir;
	char path[PIN_PATH_MAX], what[96];
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd, error;

	pin_path(pin_dir, bpf_map__name(map), path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return is_made_again(datapath, map, 0) ? 0
						       : refuse(err, "a map missing", "", pin_dir);
	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != bpf_map__type(map) ||
	    info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map)) {
		snprintf(what, sizeof(what), "another kind of map \"%s\"", bpf_map__name(map));
		error = refuse(err, what, "start the lbd that made it, or ", pin_dir);
	} else if (is_made_again(datapath, map, info.max_entries)) {
		error = 0;
	} else if (info.max_entries != bpf_map__max_entries(map)) {
		snprintf(what, sizeof(what), "another limits.%s than lbd.json", limit_of(map));
		error = refuse(err, what, restore, pin_dir);
	} else {
		error = bpf_map__reuse_fd(map, fd);
	}
	close(fd);
	return error;
}

/* The maps worth keeping: not libbpf's own (".rodata"), nor the guard's. */
#define for_each_pin(map, datapath)                                                                \
	bpf_object__for_each_map (map, (datapath)->skeleton->obj)                                  \
		if (!bpf_map__is_internal(map) && !mapping_is_guards(map))

static int adopt_maps(struct datapath *datapath, struct lb_err *err)
{
	struct bpf_map *map;

	for_each_pin(map, datapath)
	{
		int error = adopt_map(datapath, map, err);

		if (error)
			return error;
	}
	return 0;
}

/* Starting over with a skeleton that uses no pinned map. */
static int forget_maps(struct datapath *datapath, const struct datapath_options *options,
		       struct lb_err *err)
{
	lb_bpf__destroy(datapath->skeleton);
	datapath->skeleton = lb_bpf__open();
	if (!datapath->skeleton)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot open the program: %s",
				  strerror(errno));
	sizes_set(datapath->skeleton, options);
	return 0;
}

/* The stamp, or -1: nothing is pinned, or what a start that was cut off has left. */
static int open_stamp(const char *pin_dir)
{
	char path[PIN_PATH_MAX];

	pin_path(pin_dir, PIN_STAMP, path);
	return bpf_obj_get(path);
}

/* 0 and datapath->adopted unset where there is nothing. */
static int adopt_pinned(struct datapath *datapath, const struct datapath_options *options,
			struct lb_err *err)
{
	int fd = open_stamp(datapath->pin_dir), error;

	if (fd < 0)
		return 0;
	error = check_stamp(fd, options, err);
	close(fd);
	if (!error)
		error = adopt_maps(datapath, err);
	datapath->adopted = !error;
	return error;
}

int pin_adopt(struct datapath *datapath, const struct datapath_options *options, struct lb_err *err)
{
	int error;

	if (!datapath->pin_dir)
		return 0;
	error = lock_dir(datapath->pin_dir, &datapath->lock_fd, err);
	if (error)
		return error;
	error = adopt_pinned(datapath, options, err);
	return error && options->reset ? forget_maps(datapath, options, err) : error;
}

int64_t datapath_since(const struct datapath *datapath)
{
	struct stat status;
	char path[PIN_PATH_MAX];

	if (!datapath->pin_dir)
		return 0;
	pin_path(datapath->pin_dir, PIN_STAMP, path);
	return stat(path, &status) ? 0 : status.st_mtime;
}

bool datapath_is_pinned(const char *pin_dir)
{
	int fd = open_stamp(pin_dir);

	if (fd >= 0)
		close(fd);
	return fd != -ENOENT; /* one that may not be opened is there */
}

int datapath_check_pinned(const struct datapath_options *options, struct lb_err *err)
{
	struct datapath datapath = {.pin_dir = (char *)options->pin_dir};
	int fd = open_stamp(options->pin_dir), error;

	if (fd < 0)
		return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot open the pins at %s: %s",
				  options->pin_dir, strerror(-fd));
	close(fd);
	error = forget_maps(&datapath, options, err);
	if (!error)
		error = adopt_pinned(&datapath, options, err);
	lb_bpf__destroy(datapath.skeleton);
	return error;
}

/* --- notes: symbolic links, since bpffs has no plain files --- */

#define PIN_TUNNELS "tunnels"
#define PIN_SEED "hash_seed"
#define PIN_ANNOUNCE "announce" /* "76 76": table and protocol of routes (announce_routes.h) */

void datapath_tunnels_note(const struct datapath *datapath, bool stand)
{
	char path[PIN_PATH_MAX];

	if (!datapath->pin_dir)
		return;
	pin_path(datapath->pin_dir, PIN_TUNNELS, path);
	/* Where that fails, filters that a crash leaves stay until --detach. */
	if (stand ? symlink("tc", path) : unlink(path))
		return;
}

bool datapath_tunnels_noted(const struct datapath *datapath)
{
	char path[PIN_PATH_MAX], target[4];

	if (!datapath->pin_dir)
		return false;
	pin_path(datapath->pin_dir, PIN_TUNNELS, path);
	return readlink(path, target, sizeof(target)) >= 0;
}

/* The stamp tells seeds apart, this one says which it is. */
static void note_seed(const struct datapath *datapath, const uint64_t seed[2])
{
	char path[PIN_PATH_MAX], text[40];

	pin_path(datapath->pin_dir, PIN_SEED, path);
	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, seed[0], seed[1]);
	/* Where that fails, a seed that is lost in state_dir cannot be written again. */
	if (symlink(text, path))
		return;
}

static bool read_seed_note(const char *pin_dir, uint64_t seed[2])
{
	char path[PIN_PATH_MAX], text[40] = "";

	pin_path(pin_dir, PIN_SEED, path);
	return readlink(path, text, sizeof(text) - 1) > 0 && !config_parse_seed(text, seed);
}

bool datapath_pinned_seed(const char *pin_dir, uint64_t seed[2])
{
	const int folder = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int fd = open_stamp(pin_dir);
	struct lb_stamp stamp;
	struct lb_err err;
	bool known;

	known = folder >= 0 && fd >= 0 && !check_owner(pin_dir, folder, &err) &&
		read_seed_note(pin_dir, seed) && read_stamp(fd, &stamp) &&
		stamp.seed == stamp_of(seed).seed;
	if (folder >= 0)
		close(folder);
	if (fd >= 0)
		close(fd);
	return known;
}

/* --- routes by which VIPs are announced --- */

/* What stands by the note goes, and so does the note. */
static int withdraw_noted(const char *pin_dir)
{
	char path[PIN_PATH_MAX], text[32] = "";
	unsigned int table, protocol;
	int error;

	pin_path(pin_dir, PIN_ANNOUNCE, path);
	if (readlink(path, text, sizeof(text) - 1) < 0 ||
	    sscanf(text, "%u %u", &table, &protocol) != 2)
		return 0;
	error = announce_routes_withdraw(table, (uint8_t)protocol);
	if (!error)
		unlink(path);
	return error;
}

int datapath_announce(const struct datapath *datapath, uint32_t table, uint8_t protocol)
{
	char path[PIN_PATH_MAX], text[32], before[32] = "";
	int error;

	if (!datapath->pin_dir)
		return 0;
	pin_path(datapath->pin_dir, PIN_ANNOUNCE, path);
	snprintf(text, sizeof(text), "%u %u", table, protocol);
	if (readlink(path, before, sizeof(before) - 1) >= 0 && !strcmp(before, text))
		return 0;
	error = withdraw_noted(datapath->pin_dir);
	if (!error && table && symlink(text, path))
		error = -errno;
	return error;
}

/* With the lock, so that those of an lbd that runs stay. */
int datapath_withdraw(const char *pin_dir)
{
	int lock_fd = -1, error;
	struct lb_err err;

	if (access(pin_dir, F_OK))
		return 0;
	error = lock_dir(pin_dir, &lock_fd, &err) ? 0 : withdraw_noted(pin_dir);
	if (lock_fd >= 0)
		close(lock_fd);
	return error;
}

/* --- pinning --- */

static int pin_map(struct bpf_map *map, const char *pin_dir, struct lb_err *err)
{
	char path[PIN_PATH_MAX];
	int error;

	pin_path(pin_dir, bpf_map__name(map), path);
	error = bpf_obj_pin(bpf_map__fd(map), path);
	if (!error)
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot pin %s: %s", path,
			  strerror(-error));
}

static void unpin_maps(struct datapath *datapath)
{
	struct bpf_map *map;
	char path[PIN_PATH_MAX];

	pin_path(datapath->pin_dir, PIN_STAMP, path);
	unlink(path);
	pin_path(datapath->pin_dir, PIN_SEED, path);
	unlink(path);
	for_each_pin(map, datapath)
	{
		pin_path(datapath->pin_dir, bpf_map__name(map), path);
		unlink(path);
	}
}

static int write_stamp(struct datapath *datapath, const uint64_t seed[2], struct lb_err *err)
{
	const struct lb_stamp stamp = stamp_of(seed);
	const __u32 zero = 0;
	int error = bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.abi), &zero, &stamp,
					BPF_ANY);

	return error ? lb_err_set(err, LB_ERR_SYSTEM, "", "cannot write to map \"abi\": %s",
				  strerror(-error))
		     : 0;
}

/* Where a start is cut off in between, the next one makes it. */
static int pin_again(struct datapath *datapath, struct bpf_map *map, struct lb_err *err)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char path[PIN_PATH_MAX];
	int fd;

	pin_path(datapath->pin_dir, bpf_map__name(map), path);
	fd = bpf_obj_get(path);
	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &size))
			info.max_entries = 0;
		close(fd);
		if (!is_made_again(datapath, map, info.max_entries))
			return 0;
	}
	unlink(path);
	return pin_map(map, datapath->pin_dir, err);
}

int pin_make(struct datapath *datapath, const uint64_t seed[2], struct lb_err *err)
{
	struct bpf_map *map;
	int error = write_stamp(datapath, seed, err);

	if (error || !datapath->pin_dir)
		return error;
	if (!datapath->adopted)
		unpin_maps(datapath);
	note_seed(datapath, seed);
	if (datapath->adopted) {
		error = pin_again(datapath, datapath->skeleton->maps.vip_counters, err);
		return error ? error
			     : pin_again(datapath, datapath->skeleton->maps.vip_waiting, err);
	}
	for_each_pin(map, datapath)
	{
		if (map != datapath->skeleton->maps.abi)
			error = pin_map(map, datapath->pin_dir, err);
		if (error)
			return error;
	}
	return pin_map(datapath->skeleton->maps.abi, datapath->pin_dir, err);
}

/* --- taking everything away --- */

static bool is_pin(const struct lb_bpf *skeleton, const char *name)
{
	unsigned int ifindex;
	char end;

	return !strcmp(name, PIN_TUNNELS) || !strcmp(name, PIN_SEED) ||
	       !strcmp(name, PIN_ANNOUNCE) || sscanf(name, PIN_LINK "%u%c", &ifindex, &end) == 1 ||
	       bpf_object__find_map_by_name(skeleton->obj, name);
}

/* At once: after its last pin is gone the kernel ends a link when it has time to, and until then
 * the next start would find another's program at the interface. */
static void end_link(const char *pin_dir, const char *name)
{
	char path[PIN_PATH_MAX];
	unsigned int ifindex;
	int fd;

	if (sscanf(name, PIN_LINK "%u", &ifindex) != 1)
		return;
	pin_path(pin_dir, name, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	bpf_link_detach(fd); /* of an interface that is gone it fails, and has nothing to do */
	close(fd);
}

static int unlink_pins(const char *pin_dir, DIR *dir, struct lb_err *err)
{
	struct lb_bpf *skeleton = lb_bpf__open();
	struct dirent *entry;

	if (!skeleton)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot open the program: %s",
				  strerror(errno));
	unlinkat(dirfd(dir), PIN_STAMP, 0);
	while ((entry = readdir(dir))) {
		if (!is_pin(skeleton, entry->d_name))
			continue;
		end_link(pin_dir, entry->d_name);
		unlinkat(dirfd(dir), entry->d_name, 0);
	}
	lb_bpf__destroy(skeleton);
	return 0;
}

int datapath_detach(const char *pin_dir, struct lb_err *err)
{
	DIR *dir = opendir(pin_dir);
	int lock_fd = -1, error, left = 0;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return lb_err_set(err, LB_ERR_REFUSED, "pin_dir", "cannot open %s: %s", pin_dir,
				  strerror(errno));
	error = lock_dir(pin_dir, &lock_fd, err);
	if (!error)
		left = withdraw_noted(pin_dir); /* first, so that no more packets are sent here */
	if (!error)
		error = unlink_pins(pin_dir, dir, err);
	if (!error && rmdir(pin_dir))
		error = lb_err_set(err, LB_ERR_SYSTEM, "pin_dir", "cannot remove %s: %s", pin_dir,
				   strerror(errno));
	if (!error && left)
		error = lb_err_set(err, LB_ERR_SYSTEM, "",
				   "cannot withdraw the routes that announce VIPs: %s",
				   strerror(-left));
	if (lock_fd >= 0)
		close(lock_fd);
	closedir(dir);
	return error;
}
