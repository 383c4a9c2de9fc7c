/* SPDX-License-Identifier: BSD-2-Clause */
/* What may stand in tier.json? */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lbd/api/model.h"
#include "../../lbd/api/rpc.h"
#include "../params.h"

static int path_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	if (*text == '/')
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be an absolute path, not \"%s\"", field->name,
		   text);
	return lb_err_hint(err, "begin it with a /");
}

/* It is part of a key, where / begins another part. */
static int name_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	struct lb_err inner = {0};

	if (!lb_name_check(text, &inner))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s \"%s\" is not a name", field->name, text);
	return lb_err_hint(err, "a letter, then letters, digits, '.', '_', '-'; 63 at most");
}

static bool is_url(const char *text)
{
	size_t scheme = !strncmp(text, "http://", 7) ? 7 : !strncmp(text, "https://", 8) ? 8 : 0;
	const char *rest = text + scheme;

	return scheme && *rest && !strpbrk(rest, "/?#@\"\\ ");
}

static int read_endpoint(const json_t *value, char out[256], struct lb_err *err)
{
	const char *text = json_string_value(value);
	size_t length = text ? strlen(text) : 0;

	if (length && text[length - 1] == '/')
		length--;
	if (length && length < 256) {
		snprintf(out, 256, "%.*s", (int)length, text);
		if (is_url(out))
			return 0;
	}
	/* It is not repeated: it may hold a password. */
	lb_err_set(err, LB_ERR_PARAMS, "", "an endpoint must be a URL of scheme, host and port");
	return lb_err_hint(err, "write it like https://etcd1.example:2379; user and password_file "
				"have their own keys");
}

static int endpoints_read(const struct schema_field *field, const json_t *array, void *out,
			  struct lb_err *err)
{
	struct tier_config *config = out;
	const json_t *value;
	size_t i;

	(void)field;
	config->endpoint_count = json_array_size(array);
	if (config->endpoint_count < 1 || config->endpoint_count > TIER_ENDPOINTS_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "", "1 to %d endpoints, not %zu",
				  TIER_ENDPOINTS_MAX, config->endpoint_count);
	json_array_foreach (array, i, value)
		if (read_endpoint(value, config->endpoints[i], err)) {
			lb_err_prefix(err, "[%zu]", i);
			return -EINVAL;
		}
	return 0;
}

static int name_of_host(struct tier_config *config, struct lb_err *err)
{
	if (!gethostname(config->node, sizeof(config->node)) &&
	    memchr(config->node, 0, sizeof(config->node)) && !lb_name_check(config->node, NULL))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "node", "the host name does not do as the name of a node");
	return lb_err_hint(err, "set node in tier.json");
}

/* Whether all of a secret's way is protected. */
static bool is_encrypted(const struct tier_config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++)
		if (strncmp(config->endpoints[i], "https://", 8) != 0)
			return false;
	return true;
}

static int config_settle(void *object, const json_t *given, struct lb_err *err)
{
	struct tier_config *config = object;

	(void)given;
	if (!*config->node && name_of_host(config, err))
		return -EINVAL;
	if (!*config->cert_file != !*config->key_file)
		return lb_err_set(err, LB_ERR_PARAMS, "cert_file",
				  "cert_file and key_file go together");
	if (!*config->user != !*config->password_file)
		return lb_err_set(err, LB_ERR_PARAMS, "user", "user and password_file go together");
	if ((*config->ca_file || *config->cert_file) && !is_encrypted(config))
		return lb_err_set(err, LB_ERR_PARAMS, "endpoints",
				  "with certificates every endpoint begins with https://");
	return 0;
}

static const struct schema_kind endpoints_kind = {"list of URLs", LB_JSON_ARRAY, endpoints_read,
						  .owns = false};

#define AT(member) SCHEMA_AT(struct tier_config, member)
#define TEXT_AT(member) AT(member), .max = sizeof(((struct tier_config *)0)->member) - 1
#define PATH_AT(member) TEXT_AT(member), .check = path_check, .pattern = "^/"
#define NAME_AT(member) TEXT_AT(member), .check = name_check, .pattern = "^[A-Za-z][A-Za-z0-9._-]*$"

static const struct schema_field config_fields[] = {
	{"tier", &schema_string, NAME_AT(tier), .required = true,
	 .help = "the name of the tier; its keys in etcd begin with /lbd/NAME/"},
	{"endpoints", &endpoints_kind, 0, 0, .required = true, .max = TIER_ENDPOINTS_MAX,
	 .help = "URLs of the members of etcd"},
	{"node", &schema_string, NAME_AT(node), .otherwise = "the host name",
	 .help = "the name of this node within the tier"},
	{"canary", &schema_boolean, AT(canary), .number = false,
	 .help = "whether this node is among the first that get a revision"},
	{"agree_health", &schema_boolean, AT(agree_health), .number = true,
	 .help = "whether backends are healthy here by what most nodes of the tier see, this one "
		 "among them; else by its own checks"},
	{"ca_file", &schema_string, PATH_AT(ca_file),
	 .help = "certificates that those of etcd must be signed by, in PEM"},
	{"cert_file", &schema_string, PATH_AT(cert_file),
	 .help = "the certificate that this node shows to etcd, in PEM"},
	{"key_file", &schema_string, PATH_AT(key_file), .help = "the key of that certificate"},
	{"user", &schema_string, TEXT_AT(user), .min = 1, .help = "a user of etcd"},
	{"password_file", &schema_string, PATH_AT(password_file),
	 .help = "a file whose first line is the password of that user"},
	{"socket", &schema_string, PATH_AT(socket), .text = LB_SOCKET_DEFAULT,
	 .help = "where lbd listens"},
	{"interval_s", &schema_integer, AT(interval_s), .number = 1, .min = 1, .max = 60,
	 .help = "seconds between two looks for a new revision"},
	{"lease_s", &schema_integer, AT(lease_s), .number = 30, .min = 10, .max = 3600,
	 .help = "seconds after which a node that is silent counts as gone"},
	{"max_moved_percent", &schema_integer, AT(max_moved_percent), .number = 100, .max = 100,
	 .help = "this node refuses a revision that moves more of a VIP's slots"},
	{0},
};

const struct schema tier_config_schema = {"tier.json", config_fields, sizeof(struct tier_config),
					  .settle = config_settle};

int tier_config_read(const json_t *document, struct tier_config *out, struct lb_err *err)
{
	return schema_read(&tier_config_schema, document, out, err);
}

/* --- the password --- */

static int cannot_read(const struct tier_config *config, const char *why, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "password_file", "%s: %s", config->password_file, why);
	return lb_err_hint(err, "write the password in its first line, and let others than its "
				"owner and group not read it");
}

int tier_config_password(const struct tier_config *config, char out[TIER_PASSWORD_SIZE],
			 struct lb_err *err)
{
	FILE *file = fopen(config->password_file, "re");
	const char *why = NULL;
	struct stat status;
	size_t length;

	if (!file)
		return cannot_read(config, strerror(errno), err);
	if (!fgets(out, TIER_PASSWORD_SIZE, file))
		out[0] = '\0';
	length = strcspn(out, "\r\n");
	if (fstat(fileno(file), &status) || !S_ISREG(status.st_mode))
		why = "is not a file";
	else if (status.st_mode & S_IRWXO)
		why = "everybody can read it";
	else if (!length)
		why = "its first line is empty";
	else if (length == TIER_PASSWORD_SIZE - 1)
		why = "its first line is too long";
	out[length] = '\0';
	fclose(file);
	return why ? cannot_read(config, why, err) : 0;
}

static int check_password(const struct tier_config *config, struct lb_err *err)
{
	char password[TIER_PASSWORD_SIZE];
	int error = *config->password_file ? tier_config_password(config, password, err) : 0;

	explicit_bzero(password, sizeof(password));
	return error;
}

int tier_config_load(const char *path, struct tier_config *out, struct lb_err *err)
{
	json_auto_t *document = NULL;
	struct lb_err inner = {0};
	json_t *read = NULL;

	if (params_read_file(path, &read, err))
		return lb_err_hint(err, "write it, see tier.json(5), or name another by --config");
	document = read;
	if (!tier_config_read(document, out, &inner))
		return check_password(out, err);
	lb_err_set(err, inner.code, inner.path, "%s: %s", path, inner.message);
	return *inner.hint ? lb_err_hint(err, "%s", inner.hint) : -EINVAL;
}
