/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the JSON gateway of etcd's v3 API take, and what does it reply? */
#include "message.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- base64, RFC 4648 section 4 --- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *message_encode(const void *bytes, size_t length)
{
	const unsigned char *from = bytes;
	char *text = malloc((length + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = from[i] << 16 | (left > 1 ? from[i + 1] << 8 : 0) |
				 (left > 2 ? from[i + 2] : 0);

		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[group & 63] : '=';
	}
	*to = '\0';
	return text;
}

/* The six bits of each of four digits, or -1. */
static int32_t group_of(const char *text, size_t count)
{
	int32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *digit = i < count ? strchr(digits, text[i]) : digits;

		if (!digit)
			return -1;
		group = group << 6 | (int32_t)(digit - digits);
	}
	return group;
}

char *message_decode(const char *text, size_t *length)
{
	size_t size = strlen(text), padding = 0;
	char *bytes = size % 4 ? NULL : malloc(size / 4 * 3 + 1);

	if (!bytes)
		return NULL;
	while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
		padding++;
	*length = 0;
	for (size_t i = 0; i < size; i += 4) {
		size_t missing = i + 4 == size ? padding : 0;
		int32_t group = group_of(text + i, 4 - missing);

		if (group < 0) {
			free(bytes);
			return NULL;
		}
		for (size_t byte = 0; byte < 3 - missing; byte++)
			bytes[(*length)++] = (char)(group >> (16 - 8 * byte));
	}
	bytes[*length] = '\0';
	return bytes;
}

/* --- requests --- */

static json_t *text64(const char *text, size_t length)
{
	char *encoded = message_encode(text, length);
	json_t *json = encoded ? json_string(encoded) : NULL;

	free(encoded);
	return json;
}

static json_t *key64(const char *key)
{
	return text64(key, strlen(key));
}

static json_t *value64(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);
	json_t *json = text ? key64(text) : NULL;

	free(text);
	return json;
}

json_t *message_range(const char *key)
{
	return json_pack("{s:o}", "key", key64(key));
}

json_t *message_range_below(const char *prefix)
{
	size_t length = strlen(prefix);
	char *end = strdup(prefix);
	json_t *range;

	if (!end)
		return NULL;
	end[length - 1]++; /* '/' becomes '0': the first key that begins otherwise */
	range = json_pack("{s:o, s:o}", "key", key64(prefix), "range_end", key64(end));
	free(end);
	return range;
}

json_t *message_keys_below(const char *prefix)
{
	json_t *range = message_range_below(prefix);

	if (range)
		json_object_set_new(range, "keys_only", json_true());
	return range;
}

json_t *message_put_operation(const char *key, const json_t *value)
{
	return json_pack("{s:{s:o, s:o}}", "requestPut", "key", key64(key), "value",
			 value64(value));
}

json_t *message_delete_operation(const char *first, const char *end)
{
	return json_pack("{s:{s:o, s:o}}", "requestDeleteRange", "key", key64(first), "range_end",
			 key64(end));
}

/* Its only condition is that the number of the key that `target` names is this one. */
static json_t *transaction(const char *key, const char *target, const char *field, int64_t number,
			   json_t *operations)
{
	return json_pack("{s:[{s:o, s:s, s:s, s:o}], s:o}", "compare", "key", key64(key), "target",
			 target, "result", "EQUAL", field, json_sprintf("%lld", (long long)number),
			 "success", operations);
}

json_t *message_txn(const char *key, int64_t mod_revision, json_t *operations)
{
	return transaction(key, "MOD", "mod_revision", mod_revision, operations);
}

static json_t *put_with_lease(const char *key, const json_t *value, int64_t lease)
{
	return json_pack("[{s:{s:o, s:o, s:o}}]", "requestPut", "key", key64(key), "value",
			 value64(value), "lease", json_sprintf("%lld", (long long)lease));
}

json_t *message_put_owned(const char *key, const json_t *value, int64_t lease)
{
	return transaction(key, "LEASE", "lease", lease, put_with_lease(key, value, lease));
}

json_t *message_put_first(const char *key, const json_t *value, int64_t lease)
{
	return transaction(key, "CREATE", "create_revision", 0, put_with_lease(key, value, lease));
}

/* --- replies --- */

int message_integer(const json_t *reply, const char *field, int64_t *out)
{
	const json_t *value = json_object_get(reply, field);
	const char *text = json_string_value(value);
	char *end;

	*out = json_integer_value(value);
	if (!value || json_is_integer(value))
		return 0;
	if (!text || !*text || strspn(text, "-0123456789") != strlen(text))
		return -EINVAL;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

/* NULL: no text in base64. */
static json_t *decode_key(const json_t *value)
{
	size_t length;
	char *bytes =
		json_is_string(value) ? message_decode(json_string_value(value), &length) : NULL;
	json_t *key = bytes ? json_stringn(bytes, length) : NULL;

	free(bytes);
	return key;
}

/* Who wrote it is not known: null where it is no JSON. */
static json_t *decode_value(const json_t *value)
{
	size_t length;
	char *bytes = message_decode(json_string_value(value) ?: "", &length);
	json_t *json = bytes ? json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL) : NULL;

	free(bytes);
	return json ? json : json_null();
}

static json_t *read_item(const json_t *item)
{
	json_t *key = decode_key(json_object_get(item, "key"));
	int64_t revision;

	if (!key || message_integer(item, "mod_revision", &revision)) {
		json_decref(key);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:I}", "key", key, "value",
			 decode_value(json_object_get(item, "value")), "mod_revision",
			 (json_int_t)revision);
}

int message_items(const json_t *reply, json_t **items, struct lb_err *err)
{
	const json_t *kvs = json_object_get(reply, "kvs"), *kv;
	size_t i;

	*items = json_array();
	if (!*items)
		return lb_err_no_memory(err);
	json_array_foreach (kvs, i, kv)
		if (json_array_append_new(*items, read_item(kv)))
			break;
	if (json_is_object(reply) && (!kvs || json_is_array(kvs)) && i == json_array_size(kvs))
		return 0;
	json_decref(*items);
	*items = NULL;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "the reply of etcd is not one of its protocol");
}

static char *make_printable(char *text)
{
	for (char *at = text; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	return text;
}

int message_error(const json_t *reply, int *code, char *text, size_t size)
{
	const json_t *error = json_object_get(reply, "error");
	const json_t *inner = json_is_object(error) ? error : reply; /* of a stream */
	const json_t *message = json_object_get(inner, "message");
	int64_t number = 0;

	if (!error)
		return 0;
	if (message_integer(inner, "code", &number) || (!number && json_is_object(error)))
		message_integer(inner, "grpc_code", &number);
	*code = (int)number;
	if (!json_is_string(message))
		message = error;
	snprintf(text, size, "%s", json_is_string(message) ? json_string_value(message) : "?");
	make_printable(text);
	return -EINVAL;
}

/* --- for people --- */

static json_t *clean_object(const json_t *object)
{
	json_t *clean = json_object(), *value;
	char text[MESSAGE_TEXT];
	const char *key;

	json_object_foreach ((json_t *)object, key, value) {
		snprintf(text, sizeof(text), "%s", key);
		json_object_set_new(clean, make_printable(text), message_clean(value));
	}
	return clean;
}

json_t *message_clean(const json_t *value)
{
	const json_t *item;
	json_t *clean;
	char text[MESSAGE_TEXT];
	size_t i;

	if (json_is_object(value))
		return clean_object(value);
	if (json_is_string(value)) {
		snprintf(text, sizeof(text), "%s", json_string_value(value));
		return json_string(make_printable(text));
	}
	if (!json_is_array(value))
		return json_incref((json_t *)value);
	clean = json_array();
	json_array_foreach (value, i, item)
		json_array_append_new(clean, message_clean(item));
	return clean;
}
