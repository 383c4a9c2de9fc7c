/* SPDX-License-Identifier: BSD-2-Clause */
/* What lbd.json says: strict reading, defaults, and errors with the JSON path of the fault. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "../../bpf/abi.h"
#include "../api/model.h"
#include "../api/paths.h"
#include "../api/rpc.h"
#include "config.h"

#define STATE_DIR_DEFAULT "/var/lib/lbd"
#define GROUP_DEFAULT "lbd"
#define VIPS_DEFAULT 1024
#define MEMBERS_DEFAULT 4096
#define SLOTS_DEFAULT 2097152
#define FLOWS_DEFAULT 1048576
#define ANSWER_RATE_DEFAULT 1000
#define ANSWER_RATE_MAX 1000000
#define FLOWS_MIN 8 /* one bucket */

/* The program fills host bits from 32 bits of the flow hash, and writes one 32-bit word of an
 * address. */
#define SOURCE4_LENGTH_MIN 8
#define SOURCE6_LENGTH_MIN 96

static int bad(struct lb_err *err, const char *path, const char *message)
{
	return lb_err_set(err, LB_ERR_PARAMS, path, "%s", message);
}

/* --- interfaces --- */

static const char *interface_name_fault(const char *name)
{
	if (!*name)
		return "is no interface name, it is empty";
	if (strlen(name) >= IF_NAMESIZE)
		return "is no interface name, it has more than 15 characters";
	/* What the kernel's dev_valid_name refuses. */
	if (!strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/: \t\n\v\f\r"))
		return "is no interface name";
	return NULL;
}

/* Its errors have paths within the array's entry. */
static int read_interface(const json_t *value, struct config *out, struct lb_err *err)
{
	const char *name = json_string_value(value), *fault;

	if (!name)
		return bad(err, "", "an interface must be a string, its name");
	if (strlen(name) != json_string_length(value))
		return bad(err, "", "an interface name must not hold the character NUL");
	fault = interface_name_fault(name);
	if (fault)
		return lb_err_set(err, LB_ERR_PARAMS, "", "\"%s\" %s", name, fault);
	for (size_t i = 0; i < out->interface_count; i++)
		if (!strcmp(out->interfaces[i], name))
			return lb_err_set(err, LB_ERR_PARAMS, "",
					  "\"%s\" is already interfaces[%zu]", name, i);
	strcpy(out->interfaces[out->interface_count++], name);
	return 0;
}

static int read_interfaces(const json_t *array, struct config *out, struct lb_err *err)
{
	size_t count = json_array_size(array);

	if (!count) {
		bad(err, "interfaces", "interfaces is empty");
		return lb_err_hint(err, "name the interfaces that receive the clients' packets, "
					"such as [\"eth0\"]");
	}
	if (count > LB_INTERFACES_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "interfaces",
				  "at most %d interfaces, not %zu", LB_INTERFACES_MAX, count);
	for (size_t i = 0; i < count; i++) {
		int ret = read_interface(json_array_get(array, i), out, err);

		if (ret) {
			lb_err_prefix(err, "interfaces[%zu]", i);
			return ret;
		}
	}
	return 0;
}

/* --- words and paths --- */

static int read_xdp_mode(const json_t *value, struct config *out, struct lb_err *err)
{
	/* In the order of enum xdp_mode. */
	static const char *const modes[] = {"auto", "native", "generic", NULL};
	const char *text = json_string_value(value), *meant;

	for (int i = 0; text && modes[i]; i++) {
		if (strcmp(text, modes[i]))
			continue;
		out->xdp_mode = (enum xdp_mode)i;
		return 0;
	}
	lb_err_set(err, LB_ERR_PARAMS, "xdp_mode",
		   "xdp_mode must be auto, native or generic, not \"%s\"", text);
	meant = lb_nearest(text, modes);
	return meant ? lb_err_hint(err, "did you mean \"%s\"?", meant) : -EINVAL;
}

static int read_path(const json_t *value, const char *name, char *out, size_t size,
		     struct lb_err *err)
{
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (*text != '/') {
		lb_err_set(err, LB_ERR_PARAMS, name, "%s must be an absolute path, not \"%s\"",
			   name, text);
		return lb_err_hint(err, "begin it with a /");
	}
	if (strlen(text) >= size)
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s has %zu bytes, %zu at most", name,
				  strlen(text), size - 1);
	strcpy(out, text);
	return 0;
}

static int read_control(const json_t *object, struct config *out, struct lb_err *err)
{
	const json_t *path, *read_only_path, *group;
	const struct lb_json_field fields[] = {
		{"path", LB_JSON_STRING, false, &path},
		{"read_only_path", LB_JSON_STRING, false, &read_only_path},
		{"group", LB_JSON_STRING, false, &group},
		{0},
	};
	int ret = lb_json_fields(object, fields, err);

	if (ret)
		return ret;
	ret = read_path(path, "path", out->control_path, sizeof(out->control_path), err);
	if (!ret)
		ret = read_path(read_only_path, "read_only_path", out->control_read_only_path,
				sizeof(out->control_read_only_path), err);
	if (!ret && !strcmp(out->control_path, out->control_read_only_path))
		ret = bad(err, "read_only_path", "read_only_path must not be path");
	if (ret || !group)
		return ret;
	if (json_string_length(group) >= sizeof(out->control_group))
		return lb_err_set(err, LB_ERR_PARAMS, "group", "a group name has at most %zu bytes",
				  sizeof(out->control_group) - 1);
	strcpy(out->control_group, json_string_value(group));
	out->control_group_configured = *out->control_group != 0;
	return 0;
}

/* --- sources of the outer header --- */

static int check_source(const struct lb_prefix *prefix, int family, struct lb_err *err)
{
	int least = family == 4 ? SOURCE4_LENGTH_MIN : SOURCE6_LENGTH_MIN;
	const char *fault = lb_addr_unusable(&prefix->address);
	char text[LB_PREFIX_TEXT];

	if (prefix->address.family != family)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "source%d must be an IPv%d address or prefix, not %s", family,
				  family, lb_addr_format(&prefix->address, text));
	if (prefix->length < least) {
		lb_err_set(err, LB_ERR_PARAMS, "", "%s is too short a prefix",
			   lb_prefix_format(prefix, text));
		return lb_err_hint(err,
				   "the flow hash fills at most %d host bits: use /%d or longer",
				   family == 4 ? 24 : 32, least);
	}
	if (fault)
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s %s",
				  lb_addr_format(&prefix->address, text), fault);
	return 0;
}

static int read_source(const json_t *value, int family, struct lb_prefix *out, struct lb_err *err)
{
	const char *text = json_string_value(value);
	struct lb_prefix prefix;
	int ret;

	if (!value || !strcmp(text, "auto"))
		return 0;
	ret = lb_prefix_parse(text, &prefix, err);
	if (!ret)
		ret = check_source(&prefix, family, err);
	if (!ret)
		*out = prefix;
	else
		lb_err_prefix(err, "source%d", family);
	return ret;
}

static int read_encap(const json_t *object, struct config *out, struct lb_err *err)
{
	const json_t *source4, *source6;
	const struct lb_json_field fields[] = {
		{"source4", LB_JSON_STRING, false, &source4},
		{"source6", LB_JSON_STRING, false, &source6},
		{0},
	};
	int ret = lb_json_fields(object, fields, err);

	if (!ret)
		ret = read_source(source4, 4, &out->source4, err);
	if (!ret)
		ret = read_source(source6, 6, &out->source6, err);
	return ret;
}

/* --- exec checks --- */

static int read_user(const json_t *value, struct config *out, struct lb_err *err)
{
	if (!json_string_length(value) || json_string_length(value) >= sizeof(out->exec.user))
		return lb_err_set(err, LB_ERR_PARAMS, "user", "a user name has 1 to %zu bytes",
				  sizeof(out->exec.user) - 1);
	strcpy(out->exec.user, json_string_value(value));
	return 0;
}

static int read_exec_checks(const json_t *object, struct config *out, struct lb_err *err)
{
	const json_t *folder, *user;
	const struct lb_json_field fields[] = {
		{"folder", LB_JSON_STRING, true, &folder},
		{"user", LB_JSON_STRING, true, &user},
		{0},
	};
	int ret = lb_json_fields(object, fields, err);

	if (!ret)
		ret = read_path(folder, "folder", out->exec.folder, sizeof(out->exec.folder), err);
	return ret ? ret : read_user(user, out, err);
}

/* --- numbers --- */

static int read_limits(const json_t *object, struct config *out, struct lb_err *err)
{
	const json_t *vips, *members, *slots, *flows;
	const struct lb_json_field fields[] = {
		{"vips", LB_JSON_INTEGER, false, &vips},
		{"members", LB_JSON_INTEGER, false, &members},
		{"slots", LB_JSON_INTEGER, false, &slots},
		{"flows", LB_JSON_INTEGER, false, &flows},
		{0},
	};
	const struct {
		const json_t **value;
		uint32_t min, max;
		uint32_t *out;
	} ranges[] = {
		{&vips, 1, LB_VIPS_MAX, &out->vips},
		{&members, 1, LB_MEMBERS_MAX, &out->members},
		{&slots, LB_TABLE_SIZE_MIN, LB_SLOTS_MAX, &out->slots},
		{&flows, FLOWS_MIN, LB_FLOWS_MAX, &out->flows},
	};
	int ret = lb_json_fields(object, fields, err);

	for (size_t i = 0; !ret && i < sizeof(ranges) / sizeof(*ranges); i++) {
		int64_t number;

		if (!*ranges[i].value)
			continue;
		ret = lb_json_integer(*ranges[i].value, fields[i].name, ranges[i].min,
				      ranges[i].max, &number, err);
		if (!ret)
			*ranges[i].out = (uint32_t)number;
	}
	return ret;
}

static int read_answer_rate(const json_t *value, struct config *out, struct lb_err *err)
{
	int64_t rate;
	int ret = lb_json_integer(value, "answer_rate", 0, ANSWER_RATE_MAX, &rate, err);

	if (!ret)
		out->answer_rate = (uint32_t)rate;
	return ret;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int config_parse_seed(const char *text, uint64_t seed[2])
{
	if (strlen(text) != 32)
		return -EINVAL;
	for (int i = 0; i < 32; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		seed[i / 16] = seed[i / 16] << 4 | (uint64_t)digit;
	}
	return seed[0] || seed[1] ? 0 : -EINVAL;
}

static int read_seed(const json_t *value, struct config *out, struct lb_err *err)
{
	uint64_t seed[2] = {0};

	if (config_parse_seed(json_string_value(value), seed)) {
		/* The text is not repeated: it may be a real seed with a typing error. */
		bad(err, "hash_seed", "hash_seed must be exactly 32 hex digits, not all of them 0");
		return lb_err_hint(err, "make one with: openssl rand -hex 16");
	}
	memcpy(out->seed, seed, sizeof(seed));
	out->seed_configured = true;
	return 0;
}

/* --- the whole --- */

static void set_defaults(struct config *out)
{
	*out = (struct config){
		.control_path = LB_SOCKET_DEFAULT,
		.control_group = GROUP_DEFAULT,
		.state_dir = STATE_DIR_DEFAULT,
		.pin_dir = LB_PIN_DIR_DEFAULT,
		.vips = VIPS_DEFAULT,
		.members = MEMBERS_DEFAULT,
		.slots = SLOTS_DEFAULT,
		.flows = FLOWS_DEFAULT,
		.answer_rate = ANSWER_RATE_DEFAULT,
	};
}

/* A part that is an object: its errors get its name before their path. */
static int read_part(const json_t *object, const char *name,
		     int (*read)(const json_t *, struct config *, struct lb_err *),
		     struct config *out, struct lb_err *err)
{
	int ret = object ? read(object, out, err) : 0;

	if (ret)
		lb_err_prefix(err, "%s", name);
	return ret;
}

int config_from_json(const json_t *document, struct config *out, struct lb_err *err)
{
	const json_t *interfaces, *xdp_mode, *control, *state_dir, *pin_dir, *encap, *limits, *seed;
	const json_t *answer_rate, *exec_checks;
	const struct lb_json_field fields[] = {
		{"interfaces", LB_JSON_ARRAY, true, &interfaces},
		{"xdp_mode", LB_JSON_STRING, false, &xdp_mode},
		{"control", LB_JSON_OBJECT, false, &control},
		{"state_dir", LB_JSON_STRING, false, &state_dir},
		{"pin_dir", LB_JSON_STRING, false, &pin_dir},
		{"encap", LB_JSON_OBJECT, false, &encap},
		{"limits", LB_JSON_OBJECT, false, &limits},
		{"answer_rate", LB_JSON_INTEGER, false, &answer_rate},
		{"exec_checks", LB_JSON_OBJECT, false, &exec_checks},
		{"hash_seed", LB_JSON_STRING, false, &seed},
		{0},
	};
	int ret;

	set_defaults(out);
	ret = lb_json_fields(document, fields, err);
	if (!ret)
		ret = read_interfaces(interfaces, out, err);
	if (!ret && xdp_mode)
		ret = read_xdp_mode(xdp_mode, out, err);
	if (!ret)
		ret = read_part(control, "control", read_control, out, err);
	if (!ret)
		ret = read_path(state_dir, "state_dir", out->state_dir, sizeof(out->state_dir),
				err);
	if (!ret)
		ret = read_path(pin_dir, "pin_dir", out->pin_dir, sizeof(out->pin_dir), err);
	if (!ret)
		ret = read_part(encap, "encap", read_encap, out, err);
	if (!ret)
		ret = read_part(limits, "limits", read_limits, out, err);
	if (!ret && answer_rate)
		ret = read_answer_rate(answer_rate, out, err);
	if (!ret)
		ret = read_part(exec_checks, "exec_checks", read_exec_checks, out, err);
	if (!ret && seed)
		ret = read_seed(seed, out, err);
	return ret;
}

static int open_file(const char *path, FILE **out, struct lb_err *err)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	int fault = 0;

	if (!file)
		fault = errno;
	else if (fstat(fileno(file), &status))
		fault = errno;
	else if (S_ISDIR(status.st_mode))
		fault = EISDIR;
	if (fault) {
		if (file)
			fclose(file);
		lb_err_set(err, LB_ERR_SYSTEM, "", "%s: %s", path, strerror(fault));
		return fault != ENOENT ? -EINVAL
				       : lb_err_hint(err, "write it, see lbd.json(5), or name "
							  "another by --config");
	}
	*out = file;
	return 0;
}

int config_load(const char *path, struct config *out, struct lb_err *err)
{
	json_auto_t *document = NULL;
	json_error_t fault;
	struct lb_err inner = {0};
	FILE *file = NULL;
	int ret = open_file(path, &file, err);

	if (ret)
		return ret;
	document = json_loadf(file, JSON_REJECT_DUPLICATES, &fault);
	fclose(file);
	if (!document)
		return lb_err_set(err, LB_ERR_PARSE, "", "%s:%d:%d: %s", path, fault.line,
				  fault.column, fault.text);
	ret = config_from_json(document, out, &inner);
	if (!ret)
		return 0;
	lb_err_set(err, inner.code, inner.path, "%s: %s", path, inner.message);
	if (*inner.hint)
		lb_err_hint(err, "%s", inner.hint);
	return ret;
}
