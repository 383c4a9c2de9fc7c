/* SPDX-License-Identifier: BSD-2-Clause */
/* What lbd.json says: strict reading, defaults, and errors with the JSON path of the fault. */
#include <errno.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "../../bpf/abi.h"
#include "../api/paths.h"
#include "../api/plain_file.h"
#include "../api/rpc.h"
#include "../api/schema.h"
#include "config.h"

#define ANSWER_RATE_MAX 1000000
#define FLOWS_MIN 8 /* one bucket */

/* The program fills host bits from 32 bits of the flow hash, and writes one 32-bit word of an
 * address. */
#define SOURCE4_LENGTH_MIN 8
#define SOURCE6_LENGTH_MIN 96

/* --- interfaces --- */

static const char *interface_name_fault(const char *name)
{
	if (!*name)
		return "is not an interface name: it is empty";
	if (strlen(name) >= IF_NAMESIZE)
		return "is not an interface name: it has more than 15 characters";
	/* What the kernel's dev_valid_name refuses. */
	if (!strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/: \t\n\v\f\r"))
		return "is not an interface name";
	return NULL;
}

/* Its errors have paths within the array's entry. */
static int read_interface(const json_t *value, struct config *out, struct lb_err *err)
{
	const char *name = json_string_value(value), *fault;

	if (!name)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "an interface must be a string, its name");
	if (strlen(name) != json_string_length(value))
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "an interface name must not hold the character NUL");
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

static int interfaces_read(const struct schema_field *field, const json_t *array, void *out,
			   struct lb_err *err)
{
	const json_t *name;
	size_t i;

	if (!json_array_size(array)) {
		lb_err_set(err, LB_ERR_PARAMS, "", "interfaces is empty");
		return lb_err_hint(err, "name the interfaces that receive the clients' packets, "
					"such as [\"eth0\"]");
	}
	if (json_array_size(array) > (size_t)field->max)
		return lb_err_set(err, LB_ERR_PARAMS, "", "at most %d interfaces, not %zu",
				  (int)field->max, json_array_size(array));
	json_array_foreach (array, i, name)
		if (read_interface(name, out, err)) {
			lb_err_prefix(err, "[%zu]", i);
			return -EINVAL;
		}
	return 0;
}

/* --- texts --- */

static int path_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	if (*text == '/')
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be an absolute path, not \"%s\"", field->name,
		   text);
	return lb_err_hint(err, "begin it with a /");
}

static int control_settle(void *object, const json_t *given, struct lb_err *err)
{
	struct config *config = object;

	config->control_group_configured = schema_given(given, "group") && *config->control_group;
	if (strcmp(config->control_path, config->control_read_only_path))
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "read_only_path", "read_only_path must not be path");
}

static int exec_checks_settle(void *object, const json_t *given, struct lb_err *err)
{
	const struct config *config = object;

	(void)given;
	if (strcmp(config->exec.user, "root"))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "user",
		   "exec checks must not run as root, whose user number is 0");
	return lb_err_hint(err, "name a user without rights, such as nobody");
}

/* --detach removes the folder. */
static int config_settle(void *object, const json_t *given, struct lb_err *err)
{
	static const char root[] = "/sys/fs/bpf";
	const struct config *config = object;
	const char *rest = config->pin_dir + sizeof(root) - 1;

	(void)given;
	if (strncmp(config->pin_dir, root, sizeof(root) - 1) || rest[strspn(rest, "/")])
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "pin_dir",
		   "%s is the root of a BPF file system, where other programs pin too", root);
	return lb_err_hint(err, "name a folder of lbd's own, such as " LB_PIN_DIR_DEFAULT);
}

/* Of the family `number`, and `min` bits long. */
static int source_check(const struct schema_field *field, const struct lb_prefix *prefix,
			struct lb_err *err)
{
	const int family = (int)field->number, least = (int)field->min;
	const char *fault = lb_addr_unusable(&prefix->address);
	char text[LB_PREFIX_TEXT];

	if (prefix->address.family != family)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "%s must be an IPv%d address or prefix, not %s", field->name,
				  family, lb_addr_format(&prefix->address, text));
	if (prefix->length < least) {
		lb_err_set(err, LB_ERR_PARAMS, "", "%s is too short a prefix",
			   lb_prefix_format(prefix, text));
		return lb_err_hint(err,
				   "the flow hash fills at most %d host bits: use /%d or longer",
				   (family == 4 ? 32 : 128) - least, least);
	}
	if (fault)
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s %s",
				  lb_addr_format(&prefix->address, text), fault);
	return 0;
}

static int source_read(const struct schema_field *field, const json_t *value, void *out,
		       struct lb_err *err)
{
	const char *text = json_string_value(value);
	struct lb_prefix prefix = {0};
	int ret;

	if (!value || !strcmp(text, field->text))
		return 0;
	ret = lb_prefix_parse(text, &prefix, err);
	/* Also of the one that is proposed: it must be one that is taken. */
	if ((prefix.address.family && source_check(field, &prefix, err)) || ret)
		return -EINVAL;
	*(struct lb_prefix *)out = prefix;
	return 0;
}

/* An endpoint (api/addr.h) without a protocol. */
static int listen_read(const struct schema_field *field, const json_t *value, void *out,
		       struct lb_err *err)
{
	const char *text = json_string_value(value);
	struct config_listen *listen = out;
	char endpoint[LB_ENDPOINT_TEXT];
	struct lb_endpoint parsed;

	if (!value)
		return 0;
	if (strlen(text) + sizeof("/tcp") <= sizeof(endpoint)) {
		sprintf(endpoint, "%s/tcp", text);
		if (!lb_endpoint_parse_one(endpoint, &parsed, NULL) && parsed.port) {
			listen->address = parsed.address;
			listen->port = parsed.port;
			return 0;
		}
	}
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be an address and a port, not \"%s\"",
		   field->name, text);
	return lb_err_hint(err, "write it like 127.0.0.1:9110 or [::1]:9110");
}

/* Its errors have paths within the array's entry. */
static int read_name(const json_t *value, char *out, struct lb_err *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	const char *name = json_string_value(value);

	if (!name || !*name || strlen(name) > LB_HTTP_NAME_MAX || name[strspn(name, letters)]) {
		lb_err_set(err, LB_ERR_PARAMS, "", "a name must be a string, a host name");
		return lb_err_hint(err, "write it like lb1.example, without a port");
	}
	strcpy(out, name);
	return 0;
}

static int names_read(const struct schema_field *field, const json_t *array, void *out,
		      struct lb_err *err)
{
	char(*names)[LB_HTTP_NAME_MAX + 1] = out;
	const json_t *name;
	size_t i;

	if (json_array_size(array) > (size_t)field->max)
		return lb_err_set(err, LB_ERR_PARAMS, "", "at most %d names, not %zu",
				  (int)field->max, json_array_size(array));
	json_array_foreach (array, i, name)
		if (read_name(name, names[i], err)) {
			lb_err_prefix(err, "[%zu]", i);
			return -EINVAL;
		}
	return 0;
}

/* Where the host begins, or NULL: it is none of HTTP, or has characters that no URL has. */
static const char *host_of(const char *url)
{
	const size_t scheme = strcspn(url, ":");

	if ((strncmp(url, "http://", 7) && strncmp(url, "https://", 8)) ||
	    strchr("/?#:", url[scheme + 3]))
		return NULL;
	for (const char *at = url; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr("\"\\{}^`<>|", *at))
			return NULL;
	return url + scheme + 3;
}

/* "lbctl status" shows it to everybody. */
static int endpoint_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	const char *host = host_of(text);

	if (!host) {
		lb_err_set(err, LB_ERR_PARAMS, "", "%s must be a URL, not \"%s\"", field->name,
			   text);
		return lb_err_hint(err, "write it like https://collector.example:4318");
	}
	if (!memchr(host, '@', strcspn(host, "/?#")))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must not hold a password", field->name);
	return lb_err_hint(err, "name a headers_file with a line like Authorization: Basic …");
}

static int otlp_settle(void *object, const json_t *given, struct lb_err *err)
{
	struct config *config = object;

	if (!schema_given(given, "timeout_s") && config->otlp.timeout_s > config->otlp.interval_s)
		config->otlp.timeout_s = config->otlp.interval_s;
	if (config->otlp.timeout_s <= config->otlp.interval_s)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "timeout_s", "timeout_s must not be above interval_s");
	return lb_err_hint(err, "an answer that comes after the next values is of no use");
}

/* Routes of other protocols than these are not touched, and those tables are the machine's own. */
static int announce_settle(void *object, const json_t *given, struct lb_err *err)
{
	const struct config *config = object;
	const uint32_t table = config->announce.table;

	(void)given;
	if (table < RT_TABLE_DEFAULT || table > RT_TABLE_LOCAL)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "table", "table %u is one that the machine forwards by",
		   table);
	return lb_err_hint(err, "choose a table that nothing else uses, such as 76");
}

int config_parse_seed(const char *text, uint64_t seed[2])
{
	if (strlen(text) != 32 || strspn(text, "0123456789abcdefABCDEF") != 32)
		return -EINVAL;
	sscanf(text, "%16" SCNx64 "%16" SCNx64, &seed[0], &seed[1]);
	return seed[0] || seed[1] ? 0 : -EINVAL;
}

static int seed_read(const struct schema_field *field, const json_t *value, void *out,
		     struct lb_err *err)
{
	struct config *config = out;

	config->seed_configured = value;
	if (!value || !config_parse_seed(json_string_value(value), config->seed))
		return 0;
	/* The text is not repeated: it may be a real seed with a typing error. */
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be exactly 32 hex digits, not all of them 0",
		   field->name);
	return lb_err_hint(err, "make one with: openssl rand -hex 16");
}

/* --- the keys --- */

static const struct schema_kind interfaces_kind = {"list of texts", LB_JSON_ARRAY, interfaces_read,
						   .owns = false};
static const struct schema_kind names_kind = {"list of texts", LB_JSON_ARRAY, names_read,
					      .owns = false};
static const struct schema_kind source_kind = {"address or prefix", LB_JSON_STRING, source_read,
					       .owns = false};
static const struct schema_kind listen_kind = {"address and port", LB_JSON_STRING, listen_read,
					       .owns = false};
static const struct schema_kind seed_kind = {"32 hex digits", LB_JSON_STRING, seed_read,
					     .owns = false};

/* In the order of enum xdp_mode. */
static const char *const xdp_modes[] = {"auto", "native", "generic", NULL};

#define AT(member) SCHEMA_AT(struct config, member)
#define TEXT_AT(member) AT(member), .max = sizeof(((struct config *)0)->member) - 1
#define PATH_AT(member) TEXT_AT(member), .check = path_check, .pattern = "^/"

static const struct schema_field control_fields[] = {
	{"path", &schema_string, PATH_AT(control_path), .text = LB_SOCKET_DEFAULT,
	 .help = "where lbd listens"},
	{"read_only_path", &schema_string, PATH_AT(control_read_only_path),
	 .help = "where everybody may look and nobody may change anything"},
	{"group", &schema_string, TEXT_AT(control_group), .text = "lbd",
	 .help = "whose members may use the socket; \"\" leaves the group as it is"},
	{0},
};
static const struct schema_field encap_fields[] = {
	{"source4", &source_kind, AT(source4), .number = 4, .min = SOURCE4_LENGTH_MIN,
	 .text = "auto", .help = "source address or prefix of outer IPv4 headers",
	 .pattern = "^(auto|[0-9.]+(/[0-9]{1,2})?)$"},
	{"source6", &source_kind, AT(source6), .number = 6, .min = SOURCE6_LENGTH_MIN,
	 .text = "auto", .help = "source address or prefix of outer IPv6 headers",
	 .pattern = "^(auto|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$"},
	{0},
};
static const struct schema_field limits_fields[] = {
	{"vips", &schema_integer, AT(vips), .number = 1024, .min = 1, .max = LB_VIPS_MAX,
	 .help = "VIPs"},
	{"members", &schema_integer, AT(members), .number = 4096, .min = 1, .max = LB_MEMBERS_MAX,
	 .help = "backends, counted once for each VIP they are in"},
	{"slots", &schema_integer, AT(slots), .number = 2097152, .min = LB_TABLE_SIZE_MIN,
	 .max = LB_SLOTS_MAX, .help = "slots of all VIPs together"},
	{"flows", &schema_integer, AT(flows), .number = 1048576, .min = FLOWS_MIN,
	 .max = LB_FLOWS_MAX, .help = "flows on record at a time"},
	{0},
};
static const struct schema_field exec_checks_fields[] = {
	{"folder", &schema_string, PATH_AT(exec.folder), .required = true,
	 .help = "the folder of the commands that exec checks may run"},
	{"user", &schema_string, TEXT_AT(exec.user), .min = 1, .required = true,
	 .help = "the user that they run as"},
	{0},
};

static const struct schema_field http_fields[] = {
	{"listen", &listen_kind, AT(http), .required = true,
	 .help = "where lbd answers HTTP requests: metrics for Prometheus, and a status page"},
	{"names", &names_kind, AT(http_names), .max = LB_HTTP_NAMES_MAX, .optional = true,
	 .help = "names by which browsers and Prometheus may ask, beside addresses"},
	{0},
};

static const struct schema_field otlp_fields[] = {
	{"endpoint", &schema_string, TEXT_AT(otlp.endpoint), .required = true,
	 .check = endpoint_check, .pattern = "^https?://[^/?#:@][!-~]*$",
	 .help = "URL of the collector; without a path: /v1/metrics"},
	{"interval_s", &schema_integer, AT(otlp.interval_s), .number = 60, .min = 1, .max = 86400,
	 .help = "seconds from one push to the next"},
	{"timeout_s", &schema_integer, AT(otlp.timeout_s), .number = 10, .min = 1, .max = 600,
	 .help = "seconds that one attempt may take"},
	{"headers_file", &schema_string, PATH_AT(otlp.headers_file),
	 .help = "a file of header lines, which may hold secrets"},
	{"ca_file", &schema_string, PATH_AT(otlp.ca_file),
	 .help = "certificates that the collector's must be signed by, in PEM"},
	{"instance", &schema_string, TEXT_AT(otlp.instance), .otherwise = "the host name",
	 .help = "service.instance.id of the metrics"},
	{"user", &schema_string, TEXT_AT(otlp.user), .min = 1, .text = "nobody",
	 .help = "the user that curl runs as"},
	{"queue_bytes", &schema_integer, AT(otlp.queue_bytes), .number = 16 << 20, .min = 1024,
	 .max = 1 << 30, .help = "room for messages that wait, compressed"},
	{0},
};

static const struct schema_field announce_fields[] = {
	{"table", &schema_integer, AT(announce.table), .min = 1, .max = UINT32_MAX,
	 .required = true, .help = "the kernel's routing table that the routes stand in"},
	{"protocol", &schema_integer, AT(announce.protocol), .number = 76, .min = 5, .max = 255,
	 .help = "the protocol number that marks them as lbd's"},
	{0},
};

static const struct schema control_schema = {"group", control_fields, 0, .settle = control_settle};
static const struct schema encap_schema = {"group", encap_fields, 0, .settle = NULL};
static const struct schema limits_schema = {"group", limits_fields, 0, .settle = NULL};
static const struct schema http_schema = {"group", http_fields, 0, .settle = NULL};
static const struct schema otlp_schema = {"group", otlp_fields, 0, .settle = otlp_settle};
static const struct schema announce_schema = {"group", announce_fields, 0,
					      .settle = announce_settle};
static const struct schema exec_checks_schema = {"group", exec_checks_fields, 0,
						 .settle = exec_checks_settle};

static const struct schema_field config_fields[] = {
	{"interfaces", &interfaces_kind, 0, 0, .required = true, .max = LB_INTERFACES_MAX,
	 .help = "where the packets of clients come in"},
	{"xdp_mode", &schema_word, AT(xdp_mode), .words = xdp_modes,
	 .help = "by which hook of an interface the program takes packets"},
	{"control", &schema_group, 0, 0, .schema = &control_schema, .help = "the sockets of lbd"},
	{"state_dir", &schema_string, PATH_AT(state_dir), .text = "/var/lib/lbd",
	 .help = "where VIPs, backends and the seed are kept"},
	{"services", &schema_string, PATH_AT(services),
	 .help = "a service document that is applied at start and by lbctl config reload"},
	{"pin_dir", &schema_string, PATH_AT(pin_dir), .text = LB_PIN_DIR_DEFAULT,
	 .help = "where the data plane is pinned, on a BPF file system"},
	{"encap", &schema_group, 0, 0, .schema = &encap_schema, .help = "the outer header"},
	{"limits", &schema_group, 0, 0, .schema = &limits_schema,
	 .help = "sizes of the tables of the data plane"},
	{"answer_rate", &schema_integer, AT(answer_rate), .number = 1000, .max = ANSWER_RATE_MAX,
	 .help = "packets of each kind that the program sends by itself, a second and CPU"},
	{"vip_counters", &schema_boolean, AT(vip_counters), .number = true,
	 .help = "whether packets are counted by VIP, beside those by backend"},
	{"exec_checks", &schema_group, 0, 0, .schema = &exec_checks_schema,
	 .help = "commands as health checks; without it none are run"},
	{"http", &schema_group, 0, 0, .schema = &http_schema,
	 .help = "metrics and the status page; without it lbd does not listen"},
	{"otlp", &schema_group, 0, 0, .schema = &otlp_schema,
	 .help = "metrics for an OpenTelemetry collector; without it none are pushed"},
	{"announce", &schema_group, 0, 0, .schema = &announce_schema,
	 .help = "routes by which BIRD or FRR announce VIPs; without it there are none"},
	{"guard_secret", &schema_string, PATH_AT(guard_secret),
	 .help = "the file of the SYN guard's secrets, the same as at backends; without it no VIP "
		 "can have syn_guard"},
	{"quic_keys", &schema_string, PATH_AT(quic_keys), .text = "/etc/lbd/quic_keys",
	 .help = "the folder with the keys of encrypted QUIC connection ids"},
	{"hash_seed", &seed_kind, 0, 0, .optional = true,
	 .help = "the key of the hash of flows, 32 hex digits, not all 0",
	 .pattern = "^[0-9A-Fa-f]{32}$"},
	{0},
};

const struct schema config_schema = {"lbd.json", config_fields, sizeof(struct config),
				     .settle = config_settle};

/* --- files --- */

int config_load(const char *path, struct config *out, struct lb_err *err)
{
	json_auto_t *document = plain_file_json(
		path, "write it, see lbd.json(5), or name another by --config", err);
	struct lb_err inner = {0};
	int ret;

	if (!document)
		return -EINVAL;
	ret = schema_read(&config_schema, document, out, &inner);
	if (!ret)
		return 0;
	lb_err_set(err, inner.code, inner.path, "%s: %s", path, inner.message);
	if (*inner.hint)
		lb_err_hint(err, "%s", inner.hint);
	return ret;
}

/* It stood in examples to copy. */
const char *config_doubt(const struct config *config)
{
	const uint64_t sample = 0x0123456789abcdef;

	if (!config->seed_configured || config->seed[0] != sample || config->seed[1] != sample)
		return NULL;
	return "hash_seed is the one of an example, which everybody knows, so strangers can choose "
	       "their backend: make another with \"openssl rand -hex 16\" when connections may "
	       "break, since nearly all of them do";
}
