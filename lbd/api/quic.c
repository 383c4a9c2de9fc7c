/* SPDX-License-Identifier: BSD-2-Clause */
/* How are QUIC server ids, the configurations of VIPs and keys written? */
#include "quic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../bpf/abi.h"
#include "secret_file.h"

const char *lb_quic_id_format(const struct lb_quic_server_id *id, char out[LB_QUIC_ID_TEXT])
{
	*out = '\0';
	for (int i = 0; i < id->length; i++)
		snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
	return out;
}

static int refuse(const char *text, struct lb_err *err)
{
	if (!strcmp(text, "auto")) {
		lb_err_set(err, LB_ERR_PARAMS, "", "a document has the server id itself, not auto");
		return lb_err_hint(err, "lbctl backend set VIP ADDRESS --quic-id auto makes one");
	}
	lb_err_set(err, LB_ERR_PARAMS, "", "\"%s\" is no QUIC server id", text);
	return lb_err_hint(err, "it must be %u to %u bytes in hex, two digits for each",
			   LB_QUIC_SERVER_ID_MIN, LB_QUIC_SERVER_ID_MAX);
}

static int server_id_read(const struct schema_field *field, const json_t *value, void *out,
			  struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : "none";
	const size_t digits = strlen(text);
	struct lb_quic_server_id id = {0};

	(void)field;
	memset(out, 0, sizeof(id));
	if (!strcmp(text, "none"))
		return 0;
	if (digits % 2 || digits < 2 * LB_QUIC_SERVER_ID_MIN ||
	    digits > 2 * LB_QUIC_SERVER_ID_MAX || text[strspn(text, "0123456789abcdefABCDEF")])
		return refuse(text, err);
	for (; id.length < digits / 2; id.length++)
		sscanf(text + 2 * id.length, "%2hhx", &id.bytes[id.length]);
	memcpy(out, &id, sizeof(id));
	return 0;
}

static json_t *server_id_write(const struct schema_field *field, const void *value)
{
	char text[LB_QUIC_ID_TEXT];

	(void)field;
	return json_string(lb_quic_id_format(value, text));
}

const struct schema_kind lb_quic_server_id_kind = {"server id", LB_JSON_STRING, server_id_read,
						   server_id_write, .owns = false};

#define KEY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define CONFIG(member) SCHEMA_AT(struct lb_quic_config, member)

/* Of a file in the folder that lbd.json names, and of no other. */
static int key_check(const struct schema_field *field, const char *name, struct lb_err *err)
{
	(void)field;
	if (*name != '.' && !name[strspn(name, KEY_CHARACTERS)])
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "\"%s\" is no name of a key file", name);
	return lb_err_hint(err, "it is the name of a file in the folder quic_keys of lbd.json: "
				"letters, digits, \".\", \"-\" and \"_\", no path");
}

static const struct schema_field config_fields[] = {
	{"cr", &schema_integer, CONFIG(cr), .max = LB_QUIC_ROTATIONS - 1,
	 .help = "config rotation: the first three bits of an id, 0 to 6"},
	{"sid_length", &schema_integer, CONFIG(sid_length), .min = LB_QUIC_SERVER_ID_MIN,
	 .max = LB_QUIC_SERVER_ID_MAX, .number = LB_QUIC_LENGTH_DEFAULT,
	 .help = "bytes of a server id, 2 to 15"},
	{"key", &schema_string, CONFIG(key), .min = 1, .max = LB_QUIC_KEY_TEXT - 1,
	 .optional = true, .check = key_check, .pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
	 .help = "ids are encrypted: the name of the file in quic_keys that has the key"},
	{0},
};

/* A block has server id and nonce. */
static int config_settle(void *object, const json_t *given, struct lb_err *err)
{
	const struct lb_quic_config *config = object;

	(void)given;
	if (!*config->key || config->sid_length <= LB_QUIC_ENCRYPTED_ID_MAX)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "sid_length", "sid_length must be at most %u with a key",
		   LB_QUIC_ENCRYPTED_ID_MAX);
	return lb_err_hint(err,
			   "an encrypted id has %u bytes for server id and nonce, 4 at least of "
			   "the nonce",
			   LB_QUIC_BLOCK);
}

const struct schema lb_quic_schema = {"QUIC configuration", config_fields,
				      sizeof(struct lb_quic_config), .settle = config_settle};

static int compare_rotations(const void *a, const void *b)
{
	const uint32_t x = ((const struct lb_quic_config *)a)->cr;
	const uint32_t y = ((const struct lb_quic_config *)b)->cr;

	return (x > y) - (x < y);
}

const struct schema_order lb_quic_orders[] = {{"cr", compare_rotations}, {0}};

/* --- keys --- */

#define KEY_DIGITS 32
#define KEY_HINT "make it with: openssl rand -hex 16"

static int key_unreadable(const char *path, int error, struct lb_err *err)
{
	if (error == -ENOENT)
		return secret_file_hint(
			path, "each balancer of the tier needs a copy; make one with", err);
	if (error == -EPERM)
		return lb_err_hint(err,
				   "chown root %s and chmod 600 it; who could read it knows the "
				   "servers of ids: make another key",
				   path);
	if (error == -EILSEQ)
		return lb_err_hint(err, KEY_HINT);
	return -EINVAL;
}

int lb_quic_key_read(const char *path, uint8_t key[16], struct lb_err *err)
{
	char text[KEY_DIGITS + 3];
	int error = secret_file_read(path, text, sizeof(text), err);
	const size_t digits = strspn(text, "0123456789abcdefABCDEF");

	if (error) {
		error = key_unreadable(path, error, err);
	} else if (digits != KEY_DIGITS || (text[digits] && strcmp(text + digits, "\n") != 0)) {
		/* The text is not repeated: it may be a real key with a typing error. */
		lb_err_set(err, LB_ERR_PARSE, "",
			   "%s does not have one line of exactly %d hex digits", path, KEY_DIGITS);
		error = lb_err_hint(err, KEY_HINT);
	} else {
		for (int i = 0; i < KEY_DIGITS / 2; i++)
			sscanf(text + 2 * i, "%2hhx", &key[i]);
	}
	explicit_bzero(text, sizeof(text));
	return error;
}
