/* SPDX-License-Identifier: BSD-2-Clause */
/* How are QUIC server ids and the configurations of VIPs written? */
#include "quic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../bpf/abi.h"

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

#define CONFIG(member) SCHEMA_AT(struct lb_quic_config, member)

static const struct schema_field config_fields[] = {
	{"cr", &schema_integer, CONFIG(cr), .max = LB_QUIC_ROTATIONS - 1,
	 .help = "config rotation: the first three bits of an id, 0 to 6"},
	{"sid_length", &schema_integer, CONFIG(sid_length), .min = LB_QUIC_SERVER_ID_MIN,
	 .max = LB_QUIC_SERVER_ID_MAX, .number = LB_QUIC_LENGTH_DEFAULT,
	 .help = "bytes of a server id, 2 to 15"},
	{0},
};

const struct schema lb_quic_schema = {"QUIC configuration", config_fields,
				      sizeof(struct lb_quic_config), .settle = NULL};

static int compare_rotations(const void *a, const void *b)
{
	const uint32_t x = ((const struct lb_quic_config *)a)->cr;
	const uint32_t y = ((const struct lb_quic_config *)b)->cr;

	return (x > y) - (x < y);
}

const struct schema_order lb_quic_orders[] = {{"cr", compare_rotations}, {0}};
