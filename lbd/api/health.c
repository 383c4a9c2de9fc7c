/* SPDX-License-Identifier: BSD-2-Clause */
/* How does JSON become a health check, strictly, and how is one written as JSON? */
#include "health.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"

/* Everything a check may have; NULL where it is left out. */
struct fields {
	const json_t *type, *source, *port, *interval, *timeout, *rise, *fall, *jitter;
	const json_t *method, *path, *host, *status, *body;
	const json_t *payload, *expect;
	const json_t *command, *full_mtu;
};

static const char *const kind_names[] = {
	[LB_HEALTH_NONE] = "none", [LB_HEALTH_TCP] = "tcp",   [LB_HEALTH_HTTP] = "http",
	[LB_HEALTH_UDP] = "udp",   [LB_HEALTH_EXEC] = "exec",
};

static const char *const source_names[] = {
	[LB_HEALTH_DIRECT] = "direct",
	[LB_HEALTH_TUNNEL] = "tunnel",
};

const char *lb_health_kind_name(enum lb_health_kind kind)
{
	return kind_names[kind];
}

const char *lb_health_source_name(enum lb_health_source source)
{
	return source_names[source];
}

/* --- words --- */

/* The place of a word in `words`, which ends with NULL; a suggestion, or all of them, in the hint. */
static int word_parse(const json_t *value, const char *field, const char *const *words, int *out,
		      struct lb_err *err)
{
	const char *text = json_string_value(value), *nearest = lb_nearest(text, words);
	char list[64] = "";

	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i])) {
			*out = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 words[i]);
	}
	lb_err_set(err, LB_ERR_PARAMS, field, "unknown %s \"%s\"", field, text);
	return nearest ? lb_err_hint(err, "did you mean \"%s\"?", nearest)
		       : lb_err_hint(err, "it is one of %s", list);
}

static int kind_parse(const json_t *value, enum lb_health_kind *out, struct lb_err *err)
{
	static const char *const words[] = {"tcp", "http", "udp", "exec", NULL};
	int place;

	if (word_parse(value, "type", words, &place, err))
		return -EINVAL;
	*out = LB_HEALTH_TCP + place;
	return 0;
}

static int source_parse(const json_t *value, struct lb_health *out, struct lb_err *err)
{
	static const char *const words[] = {"direct", "tunnel", NULL};
	int place = LB_HEALTH_DIRECT;

	if (value && word_parse(value, "source", words, &place, err))
		return -EINVAL;
	out->source = place;
	if (out->kind != LB_HEALTH_EXEC || out->source == LB_HEALTH_DIRECT)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "source", "source of an exec check cannot be tunnel");
	return lb_err_hint(err, "a command makes its connections itself; leave source out");
}

/* --- numbers --- */

struct number {
	const json_t *value;
	const char *name;
	uint32_t min, max;
	uint32_t *out; /* holds the default */
};

static int numbers_parse(const struct number *numbers, struct lb_err *err)
{
	for (const struct number *number = numbers; number->name; number++) {
		int64_t value;

		if (!number->value)
			continue;
		if (lb_json_integer(number->value, number->name, number->min, number->max, &value,
				    err))
			return -EINVAL;
		*number->out = (uint32_t)value;
	}
	return 0;
}

static int timeout_parse(const json_t *value, struct lb_health *out, struct lb_err *err)
{
	int64_t timeout;

	out->timeout_ms =
		LB_HEALTH_TIMEOUT_MS < out->interval_ms ? LB_HEALTH_TIMEOUT_MS : out->interval_ms;
	if (!value)
		return 0;
	if (lb_json_integer(value, "timeout_ms", LB_HEALTH_TIMEOUT_MIN_MS,
			    LB_HEALTH_INTERVAL_MAX_MS, &timeout, err))
		return -EINVAL;
	if (timeout > out->interval_ms) {
		lb_err_set(err, LB_ERR_PARAMS, "timeout_ms",
			   "timeout_ms must be at most interval_ms, %u, not %d", out->interval_ms,
			   (int)timeout);
		return lb_err_hint(err, "a backend has one check under way at a time");
	}
	out->timeout_ms = (uint32_t)timeout;
	return 0;
}

static int timing_parse(const struct fields *fields, struct lb_health *out, struct lb_err *err)
{
	uint32_t port = 0;
	const struct number numbers[] = {
		{fields->port, "port", 1, 65535, &port},
		{fields->interval, "interval_ms", LB_HEALTH_INTERVAL_MIN_MS,
		 LB_HEALTH_INTERVAL_MAX_MS, &out->interval_ms},
		{fields->rise, "rise", 1, LB_HEALTH_STREAK_MAX, &out->rise},
		{fields->fall, "fall", 1, LB_HEALTH_STREAK_MAX, &out->fall},
		{fields->jitter, "jitter_percent", 0, LB_HEALTH_JITTER_MAX_PERCENT,
		 &out->jitter_percent},
		{0},
	};

	out->interval_ms = LB_HEALTH_INTERVAL_MS;
	out->rise = LB_HEALTH_RISE;
	out->fall = LB_HEALTH_FALL;
	out->jitter_percent = LB_HEALTH_JITTER_PERCENT;
	if (numbers_parse(numbers, err))
		return -EINVAL;
	out->port = (uint16_t)port;
	return timeout_parse(fields->timeout, out, err);
}

/* --- http --- */

/* Nothing that could end a line of the request, or part of it, before its time. */
static bool is_request_text(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* `out` stays NULL where the field is left out. */
static int text_parse(const json_t *value, const char *name, size_t most, char **out,
		      struct lb_err *err)
{
	size_t length = json_string_length(value);

	if (!value)
		return 0;
	if (!length)
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must not be empty", name);
	if (length > most)
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must be at most %zu bytes, not %zu",
				  name, most, length);
	*out = strdup(json_string_value(value));
	return *out ? 0 : lb_err_no_memory(err);
}

static int path_parse(const json_t *value, struct lb_health *out, struct lb_err *err)
{
	if (!value)
		out->path = strdup("/");
	else if (text_parse(value, "path", LB_HEALTH_PATH_MAX, &out->path, err))
		return -EINVAL;
	if (!out->path)
		return lb_err_no_memory(err);
	if (out->path[0] != '/')
		return lb_err_set(err, LB_ERR_PARAMS, "path", "path must begin with \"/\"");
	if (is_request_text(out->path))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "path", "path must be printable ASCII without spaces");
	return lb_err_hint(err, "write other characters as %%XX, a space as %%20");
}

static int host_parse(const json_t *value, struct lb_health *out, struct lb_err *err)
{
	if (text_parse(value, "host", LB_HEALTH_HOST_MAX, &out->host, err))
		return -EINVAL;
	if (!out->host || is_request_text(out->host))
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "host",
			  "host must be printable ASCII without spaces");
}

/* Three digits at `text`: 100 … 599; else 0. */
static uint16_t status_number(const char *text)
{
	if (text[0] < '1' || text[0] > '5' || !isdigit((unsigned char)text[1]) ||
	    !isdigit((unsigned char)text[2]))
		return 0;
	return (uint16_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
}

static int status_parse(const json_t *value, struct lb_health *out, struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : "200-399";
	uint16_t low = status_number(text), high = low;

	if (low && text[3] == '-') {
		high = status_number(text + 4);
		text += 4;
	}
	if (!low || !high || text[3] || high < low) {
		lb_err_set(err, LB_ERR_PARAMS, "status", "not an HTTP status or a range: \"%s\"",
			   json_string_value(value));
		return lb_err_hint(err, "write \"200\" or \"200-399\", for example");
	}
	out->status_min = low;
	out->status_max = high;
	return 0;
}

static int http_parse(const struct fields *fields, struct lb_health *out, struct lb_err *err)
{
	static const char *const methods[] = {"GET", "HEAD", NULL};
	int method = 0;

	if (fields->method && word_parse(fields->method, "method", methods, &method, err))
		return -EINVAL;
	out->head = method == 1;
	if (path_parse(fields->path, out, err) || host_parse(fields->host, out, err) ||
	    status_parse(fields->status, out, err) ||
	    text_parse(fields->body, "body", LB_HEALTH_BODY_MAX, &out->body, err))
		return -EINVAL;
	if (out->head && out->body)
		return lb_err_set(err, LB_ERR_PARAMS, "body",
				  "body cannot be checked with method HEAD, which has none");
	return 0;
}

/* --- udp: bytes --- */

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char)tolower((unsigned char)digit);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Two digits as a byte, or -1; reads no further than the end of the text. */
static int hex_byte(const char *text)
{
	int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

/* The character at *text, after which *text stands then, or -1. */
static int escaped_byte(const char **text)
{
	static const char letters[] = "rnt\\", meant[] = "\r\n\t\\";
	const char *letter;
	int byte;

	if (**text != '\\')
		return (unsigned char)*(*text)++;
	++*text;
	if (**text == 'x') {
		byte = hex_byte(*text + 1);
		*text += byte < 0 ? 0 : 3;
		return byte;
	}
	letter = **text ? strchr(letters, **text) : NULL;
	if (!letter)
		return -1;
	++*text;
	return (unsigned char)meant[letter - letters];
}

static int hex_bytes(const char *text, struct lb_health_bytes *out)
{
	for (; *text; text += 2) {
		int byte = hex_byte(text);

		if (byte < 0)
			return -EINVAL;
		out->data[out->length++] = (uint8_t)byte;
	}
	return 0;
}

static int text_bytes(const char *text, struct lb_health_bytes *out)
{
	while (*text) {
		int byte = escaped_byte(&text);

		if (byte < 0)
			return -EINVAL;
		out->data[out->length++] = (uint8_t)byte;
	}
	return 0;
}

static int bytes_parse(const json_t *value, const char *name, struct lb_health_bytes *out,
		       struct lb_err *err)
{
	const char *text = json_string_value(value);
	bool hex;

	if (!value)
		return 0;
	hex = !strncmp(text, "hex:", 4);
	out->data = malloc(strlen(text) + 1); /* no form is shorter than its bytes */
	if (!out->data)
		return lb_err_no_memory(err);
	if (hex ? hex_bytes(text + 4, out) : text_bytes(text, out)) {
		lb_err_set(err, LB_ERR_PARAMS, name,
			   hex ? "%s: \"hex:\" must be followed by pairs of hexadecimal digits"
			       : "%s: unknown escape",
			   name);
		return hex ? -EINVAL
			   : lb_err_hint(err, "the escapes are \\xNN, \\r, \\n, \\t and \\\\");
	}
	if (!out->length)
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must not be empty", name);
	if (out->length > LB_HEALTH_BYTES_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must be at most %u bytes, not %zu",
				  name, LB_HEALTH_BYTES_MAX, out->length);
	return 0;
}

static int udp_parse(const struct fields *fields, struct lb_health *out, struct lb_err *err)
{
	if (bytes_parse(fields->payload, "payload", &out->payload, err) ||
	    bytes_parse(fields->expect, "expect", &out->expect, err))
		return -EINVAL;
	if (out->payload.data || out->expect.data)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "payload", "a udp check needs payload, expect or both");
	return lb_err_hint(err, "silence tells nothing: send what the service answers");
}

/* Readable where that is possible; "hex:" else, and where the text itself would begin with it. */
static json_t *bytes_to_json(const struct lb_health_bytes *bytes)
{
	static const char letters[] = "rnt\\", meant[] = "\r\n\t\\";
	char text[4 + LB_HEALTH_BYTES_MAX * 2 + 1];
	bool readable = bytes->length < 4 || memcmp(bytes->data, "hex:", 4) != 0;
	size_t used = 0;

	for (size_t i = 0; i < bytes->length && readable; i++) {
		const uint8_t byte = bytes->data[i];
		const char *escape = byte ? strchr(meant, byte) : NULL;

		readable = escape || (byte >= ' ' && byte <= '~');
		if (escape)
			text[used++] = '\\';
		text[used++] = escape ? letters[escape - meant] : (char)byte;
	}
	if (readable)
		return json_stringn(text, used);
	used = (size_t)sprintf(text, "hex:");
	for (size_t i = 0; i < bytes->length; i++)
		used += (size_t)sprintf(text + used, "%02x", bytes->data[i]);
	return json_stringn(text, used);
}

/* --- exec --- */

static int argument_parse(const json_t *value, char **out, struct lb_err *err)
{
	const char *text = json_string_value(value);

	if (!text)
		return lb_err_set(err, LB_ERR_PARAMS, "", "must be a string");
	if (strlen(text) != json_string_length(value))
		return lb_err_set(err, LB_ERR_PARAMS, "", "must not hold the character NUL");
	if (strlen(text) > LB_HEALTH_PATH_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "", "must be at most %u bytes, not %zu",
				  LB_HEALTH_PATH_MAX, strlen(text));
	*out = strdup(text);
	return *out ? 0 : lb_err_no_memory(err);
}

static int exec_parse(const struct fields *fields, struct lb_health *out, struct lb_err *err)
{
	const size_t count = json_array_size(fields->command);

	if (!fields->command) {
		lb_err_set(err, LB_ERR_PARAMS, "command", "command is missing");
		return lb_err_hint(err, "say what is to be run: a file in the folder of exec "
					"checks, and its arguments");
	}
	if (count < 1 || count > LB_HEALTH_COMMAND_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "command",
				  "command must have 1 to %u elements, not %zu",
				  LB_HEALTH_COMMAND_MAX, count);
	out->command = calloc(count + 1, sizeof(*out->command));
	if (!out->command)
		return lb_err_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		if (argument_parse(json_array_get(fields->command, i), &out->command[i], err)) {
			lb_err_prefix(err, "command[%zu]", i);
			return -EINVAL;
		}
	}
	if (out->command[0][0] == '/' || (*out->command[0] && !strchr(out->command[0], '/')))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "command[0]",
		   "must be the name of a file, or an absolute path, not \"%s\"", out->command[0]);
	return lb_err_hint(err, "commands are files in the folder that lbd.json names as "
				"exec_checks.folder");
}

/* --- whole checks --- */

static int kind_fields(const struct fields *fields, struct lb_health *out, struct lb_err *err)
{
	switch (out->kind) {
	case LB_HEALTH_HTTP:
		return http_parse(fields, out, err);
	case LB_HEALTH_UDP:
		return udp_parse(fields, out, err);
	case LB_HEALTH_EXEC:
		return exec_parse(fields, out, err);
	case LB_HEALTH_TCP:
	case LB_HEALTH_NONE:
		break;
	}
	return 0;
}

/* A field that only another kind of check has is a mistake worth telling, never ignored. */
static int fields_belong(const struct fields *fields, enum lb_health_kind kind, struct lb_err *err)
{
	const struct {
		const json_t *value;
		const char *name;
		enum lb_health_kind kind;
	} owned[] = {
		{fields->method, "method", LB_HEALTH_HTTP},
		{fields->path, "path", LB_HEALTH_HTTP},
		{fields->host, "host", LB_HEALTH_HTTP},
		{fields->status, "status", LB_HEALTH_HTTP},
		{fields->body, "body", LB_HEALTH_HTTP},
		{fields->payload, "payload", LB_HEALTH_UDP},
		{fields->expect, "expect", LB_HEALTH_UDP},
		{fields->command, "command", LB_HEALTH_EXEC},
	};

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
		if (owned[i].value && owned[i].kind != kind)
			return lb_err_set(err, LB_ERR_PARAMS, owned[i].name,
					  "%s is a field of %s checks, not of %s checks",
					  owned[i].name, kind_names[owned[i].kind],
					  kind_names[kind]);
	return 0;
}

static int fields_read(const json_t *object, struct fields *out, struct lb_err *err)
{
	const struct lb_json_field fields[] = {
		{"type", LB_JSON_STRING, true, &out->type},
		{"source", LB_JSON_STRING, false, &out->source},
		{"port", LB_JSON_INTEGER, false, &out->port},
		{"interval_ms", LB_JSON_INTEGER, false, &out->interval},
		{"timeout_ms", LB_JSON_INTEGER, false, &out->timeout},
		{"rise", LB_JSON_INTEGER, false, &out->rise},
		{"fall", LB_JSON_INTEGER, false, &out->fall},
		{"jitter_percent", LB_JSON_INTEGER, false, &out->jitter},
		{"method", LB_JSON_STRING, false, &out->method},
		{"path", LB_JSON_STRING, false, &out->path},
		{"host", LB_JSON_STRING, false, &out->host},
		{"status", LB_JSON_STRING, false, &out->status},
		{"body", LB_JSON_STRING, false, &out->body},
		{"payload", LB_JSON_STRING, false, &out->payload},
		{"expect", LB_JSON_STRING, false, &out->expect},
		{"command", LB_JSON_ARRAY, false, &out->command},
		{"full_mtu", LB_JSON_BOOLEAN, false, &out->full_mtu},
		{0},
	};

	return lb_json_fields(object, fields, err);
}

static int full_mtu_parse(const json_t *value, struct lb_health *out, struct lb_err *err)
{
	out->full_mtu = json_is_true(value);
	if (!out->full_mtu || out->kind == LB_HEALTH_HTTP || out->kind == LB_HEALTH_UDP)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "full_mtu", "full_mtu is for http and udp checks");
	return lb_err_hint(err, "a %s check sends no data that could fill a packet",
			   kind_names[out->kind]);
}

int lb_health_from_json(const json_t *object, struct lb_health *out, struct lb_err *err)
{
	struct fields fields;

	memset(out, 0, sizeof(*out));
	if (fields_read(object, &fields, err) || kind_parse(fields.type, &out->kind, err) ||
	    fields_belong(&fields, out->kind, err) || full_mtu_parse(fields.full_mtu, out, err) ||
	    source_parse(fields.source, out, err) || timing_parse(&fields, out, err) ||
	    kind_fields(&fields, out, err)) {
		lb_health_clear(out);
		return -EINVAL;
	}
	return 0;
}

/* --- as JSON --- */

/* Takes over `value`; NULL in *object is an error that was there before. */
static void put(json_t **object, const char *name, json_t *value)
{
	if (!*object) {
		json_decref(value);
		return;
	}
	if (json_object_set_new(*object, name, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

static json_t *status_to_json(const struct lb_health *health)
{
	if (health->status_min == health->status_max)
		return json_sprintf("%u", health->status_min);
	return json_sprintf("%u-%u", health->status_min, health->status_max);
}

static json_t *command_to_json(char *const *command)
{
	json_t *array = json_array();

	for (; *command; command++) {
		if (json_array_append_new(array, json_string(*command))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void put_http(json_t **object, const struct lb_health *health)
{
	put(object, "method", json_string(health->head ? "HEAD" : "GET"));
	put(object, "path", json_string(health->path));
	if (health->host)
		put(object, "host", json_string(health->host));
	put(object, "status", status_to_json(health));
	if (health->body)
		put(object, "body", json_string(health->body));
}

json_t *lb_health_to_json(const struct lb_health *health)
{
	json_t *object;

	if (health->kind == LB_HEALTH_NONE)
		return json_null();
	object = json_pack("{s:s s:s}", "type", kind_names[health->kind], "source",
			   source_names[health->source]);
	if (health->port)
		put(&object, "port", json_integer(health->port));
	put(&object, "interval_ms", json_integer(health->interval_ms));
	put(&object, "timeout_ms", json_integer(health->timeout_ms));
	put(&object, "rise", json_integer(health->rise));
	put(&object, "fall", json_integer(health->fall));
	put(&object, "jitter_percent", json_integer(health->jitter_percent));
	if (health->kind == LB_HEALTH_HTTP)
		put_http(&object, health);
	if (health->payload.data)
		put(&object, "payload", bytes_to_json(&health->payload));
	if (health->expect.data)
		put(&object, "expect", bytes_to_json(&health->expect));
	if (health->full_mtu)
		put(&object, "full_mtu", json_true());
	if (health->command)
		put(&object, "command", command_to_json(health->command));
	return object;
}

/* --- the check and its VIP --- */

uint16_t lb_health_port(const struct lb_health *health, const struct lb_endpoint *vip)
{
	return health->port ? health->port : vip->port;
}

int lb_health_fits(const struct lb_health *health, const struct lb_endpoint *vip,
		   struct lb_err *err)
{
	if (health->kind == LB_HEALTH_NONE || health->kind == LB_HEALTH_EXEC ||
	    lb_health_port(health, vip))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "port", "port is missing");
	return lb_err_hint(err, "the VIP is for every port: say which one is to be checked");
}

/* --- as values --- */

static bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool bytes_equal(const struct lb_health_bytes *a, const struct lb_health_bytes *b)
{
	return a->length == b->length && (!a->length || !memcmp(a->data, b->data, a->length));
}

static bool command_equal(char *const *a, char *const *b)
{
	if (!a || !b)
		return a == b;
	for (; *a && *b; a++, b++)
		if (strcmp(*a, *b))
			return false;
	return *a == *b;
}

bool lb_health_equal(const struct lb_health *a, const struct lb_health *b)
{
	return a->kind == b->kind && a->source == b->source && a->port == b->port &&
	       a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
	       a->rise == b->rise && a->fall == b->fall && a->jitter_percent == b->jitter_percent &&
	       a->head == b->head && a->full_mtu == b->full_mtu && a->status_min == b->status_min &&
	       a->status_max == b->status_max && text_equal(a->path, b->path) &&
	       text_equal(a->host, b->host) && text_equal(a->body, b->body) &&
	       bytes_equal(&a->payload, &b->payload) && bytes_equal(&a->expect, &b->expect) &&
	       command_equal(a->command, b->command);
}

static int text_copy(const char *from, char **out)
{
	*out = from ? strdup(from) : NULL;
	return from && !*out ? -ENOMEM : 0;
}

static int bytes_copy(const struct lb_health_bytes *from, struct lb_health_bytes *out)
{
	*out = (struct lb_health_bytes){0};
	if (!from->data)
		return 0;
	out->data = malloc(from->length);
	if (!out->data)
		return -ENOMEM;
	memcpy(out->data, from->data, from->length);
	out->length = from->length;
	return 0;
}

static int command_copy(char *const *from, char ***out)
{
	size_t count = 0;

	*out = NULL;
	if (!from)
		return 0;
	while (from[count])
		count++;
	*out = calloc(count + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (text_copy(from[i], &(*out)[i]))
			return -ENOMEM;
	return 0;
}

int lb_health_copy(const struct lb_health *from, struct lb_health *out)
{
	/* Everything is set, to NULL at least, before the first failure, for the sake of clear. */
	int error;

	*out = *from;
	error = text_copy(from->path, &out->path);
	error |= text_copy(from->host, &out->host);
	error |= text_copy(from->body, &out->body);
	error |= bytes_copy(&from->payload, &out->payload);
	error |= bytes_copy(&from->expect, &out->expect);
	error |= command_copy(from->command, &out->command);
	if (!error)
		return 0;
	lb_health_clear(out);
	return -ENOMEM;
}

void lb_health_clear(struct lb_health *health)
{
	for (char **argument = health->command; argument && *argument; argument++)
		free(*argument);
	free(health->command);
	free(health->path);
	free(health->host);
	free(health->body);
	free(health->payload.data);
	free(health->expect.data);
	memset(health, 0, sizeof(*health));
}
