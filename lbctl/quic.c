/* SPDX-License-Identifier: BSD-2-Clause */
/* What must a QUIC server put into its connection ids? lbd is asked for the VIP, of which this is a
 * part: the server id of one backend, and how ids are made of it. */
#include "quic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../lbd/api/addr.h"
#include "args.h"
#include "call.h"
#include "view.h"

#define BYTES_MAX 15
#define BLOCK 16 /* server id and nonce, of encrypted ids */

/* RFC 4648, with padding. */
static const char *base64(const uint8_t *bytes, size_t length, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *to = out;

	for (size_t i = 0; i < length; i += 3) {
		const uint32_t word = (uint32_t)bytes[i] << 16 |
				      (i + 1 < length ? bytes[i + 1] : 0u) << 8 |
				      (i + 2 < length ? bytes[i + 2] : 0u);

		*to++ = digits[word >> 18];
		*to++ = digits[word >> 12 & 63];
		*to++ = i + 1 < length ? digits[word >> 6 & 63] : '=';
		*to++ = i + 2 < length ? digits[word & 63] : '=';
	}
	*to = '\0';
	return out;
}

static json_t *base64_json(const char *hex)
{
	uint8_t bytes[BYTES_MAX];
	char text[BYTES_MAX * 2];
	size_t length = 0;

	while (length < BYTES_MAX && sscanf(hex + 2 * length, "%2hhx", &bytes[length]) == 1)
		length++;
	return json_string(base64(bytes, length, text));
}

static const json_t *find_backend(const json_t *vip, const char *address)
{
	const json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(vip, "backends"), i, backend)
		if (strcmp(view_text(backend, "address"), address) == 0)
			return backend;
	return NULL;
}

static int no_id(const struct invocation *invocation, const char *address, const json_t *backend,
		 struct lb_err *err)
{
	const char *vip = invocation->arguments[0];

	if (!backend) {
		lb_err_set(err, LB_ERR_NOT_FOUND, "address", "VIP \"%s\" has no backend %s", vip,
			   address);
		return lb_err_hint(err, "see: lbctl backend list %s", vip);
	}
	lb_err_set(err, LB_ERR_NOT_FOUND, "address", "backend %s has no QUIC server id", address);
	return lb_err_hint(err, "lbctl backend set %s %s --quic-id auto gives it one", vip,
			   address);
}

static int make_result(const struct invocation *invocation, const json_t *vip, json_t **result,
		       struct lb_err *err)
{
	char address[LB_ADDR_TEXT];
	const json_t *backend, *id;
	struct lb_addr parsed;

	if (lb_addr_parse(invocation->arguments[1], &parsed, err)) {
		lb_err_prefix(err, "address");
		return -EINVAL;
	}
	backend = find_backend(vip, lb_addr_format(&parsed, address));
	id = json_object_get(json_object_get(backend, "quic"), "server_id");
	if (!id)
		return no_id(invocation, address, backend, err);
	*result = json_pack("{s:s, s:s, s:O, s:o, s:O*}", "vip", view_text(vip, "name"), "backend",
			    address, "server_id", id, "base64", base64_json(json_string_value(id)),
			    "quic", json_object_get(vip, "quic"));
	return *result ? 0 : lb_err_no_memory(err);
}

enum exit_code quic_run(const struct invocation *invocation, struct output *output)
{
	json_auto_t *vip = NULL;
	json_auto_t *result = NULL;
	struct lb_err err = {0};

	if (call_ask(invocation, &vip, &err) || make_result(invocation, vip, &result, &err))
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return EXIT_DONE;
}

/* --- text --- */

static void print_config(FILE *out, const json_t *config)
{
	const unsigned int first = (unsigned int)view_integer(config, "cr") << 5;

	fprintf(out, "rotation %lld  connection ids are a byte from 0x%02x to 0x%02x, ",
		view_integer(config, "cr"), first, first + 31);
	if (json_object_get(config, "key"))
		fprintf(out,
			"and AES-128-ECB of the server id and a nonce of %lld bytes, with key %s\n",
			BLOCK - view_integer(config, "sid_length"), view_text(config, "key"));
	else
		fprintf(out, "the server id, and 4 bytes or more\n");
}

void view_quic(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *config;
	size_t i;

	(void)invocation;
	fprintf(out, "server id   %s\nin base64   %s\n", view_text(result, "server_id"),
		view_text(result, "base64"));
	json_array_foreach (json_object_get(result, "quic"), i, config)
		print_config(out, config);
	if (!json_object_get(result, "quic"))
		fprintf(out, "VIP %s has no --quic: its packets go by their addresses\n",
			view_text(result, "vip"));
}
