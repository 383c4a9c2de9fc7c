/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields has a health check? */
#include "health.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- http: texts and statuses --- */

/* Nothing that could end a line of the request, or part of it, before its time. */
static bool is_request_text(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static int host_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	if (is_request_text(text))
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "", "%s must be printable ASCII without spaces",
			  field->name);
}

static int path_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	if (text[0] != '/')
		return lb_err_set(err, LB_ERR_PARAMS, "", "path must begin with \"/\"");
	return host_check(field, text, err)
		       ? lb_err_hint(err, "write other characters as %%XX, a space as %%20")
		       : 0;
}

/* Three digits at `text`: 100 … 599; else 0. */
static uint16_t status_number(const char *text)
{
	if (text[0] < '1' || text[0] > '5' || !isdigit((unsigned char)text[1]) ||
	    !isdigit((unsigned char)text[2]))
		return 0;
	return (uint16_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
}

static int status_read(const struct schema_field *field, const json_t *value, void *out,
		       struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : field->text;
	struct lb_health_status *status = out;
	uint16_t low = status_number(text), high = low;
	const char *end = text;

	if (low && text[3] == '-') {
		high = status_number(text + 4);
		end += 4;
	}
	if (low && high >= low && !end[3]) {
		*status = (struct lb_health_status){low, high};
		return 0;
	}
	lb_err_set(err, LB_ERR_PARAMS, "", "not an HTTP status or a range: \"%s\"", text);
	return lb_err_hint(err, "write \"200\" or \"200-399\", for example");
}

static json_t *status_write(const struct schema_field *field, const void *value)
{
	const struct lb_health_status *status = value;

	(void)field;
	if (status->min == status->max)
		return json_sprintf("%u", status->min);
	return json_sprintf("%u-%u", status->min, status->max);
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

static int bytes_read(const struct schema_field *field, const json_t *value, void *out,
		      struct lb_err *err)
{
	struct lb_health_bytes *bytes = out;
	const char *text = json_string_value(value);
	bool hex;

	if (!value)
		return 0;
	hex = !strncmp(text, "hex:", 4);
	bytes->data = malloc(strlen(text) + 1); /* no form is shorter than its bytes */
	if (!bytes->data)
		return lb_err_no_memory(err);
	if (hex ? hex_bytes(text + 4, bytes) : text_bytes(text, bytes)) {
		lb_err_set(err, LB_ERR_PARAMS, "",
			   hex ? "%s: \"hex:\" must be followed by pairs of hexadecimal digits"
			       : "%s: unknown escape",
			   field->name);
		return hex ? -EINVAL
			   : lb_err_hint(err, "the escapes are \\xNN, \\r, \\n, \\t and \\\\");
	}
	return schema_length_check(field, bytes->length, err);
}

/* Readable where that is possible; "hex:" else, and where the text itself would begin with it. */
static json_t *bytes_write(const struct schema_field *field, const void *value)
{
	static const char letters[] = "rnt\\", meant[] = "\r\n\t\\";
	const struct lb_health_bytes *bytes = value;
	char text[4 + LB_HEALTH_BYTES_MAX * 2 + 1];
	bool readable = bytes->length < 4 || memcmp(bytes->data, "hex:", 4) != 0;
	size_t used = 0;

	(void)field;
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

/* --- exec: a command and its arguments --- */

static int argument_check(const json_t *value, struct lb_err *err)
{
	const char *text = json_string_value(value);

	if (!text)
		return lb_err_set(err, LB_ERR_PARAMS, "", "must be a string");
	if (strlen(text) != json_string_length(value))
		return lb_err_set(err, LB_ERR_PARAMS, "", "must not hold the character NUL");
	if (strlen(text) > LB_HEALTH_PATH_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "", "must be at most %u bytes, not %zu",
				  LB_HEALTH_PATH_MAX, strlen(text));
	return 0;
}

static int program_check(const char *program, struct lb_err *err)
{
	if (program[0] == '/' || (*program && !strchr(program, '/')))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "[0]",
		   "must be the name of a file, or an absolute path, not \"%s\"", program);
	return lb_err_hint(err, "commands are files in the folder that lbd.json names as "
				"exec_checks.folder");
}

/* The array and then its texts, in one block; NULL without memory. */
static char **words_join(const json_t *array)
{
	const size_t count = json_array_size(array);
	size_t length = (count + 1) * sizeof(char *), i;
	const json_t *word;
	char **words, *text;

	json_array_foreach (array, i, word)
		length += json_string_length(word) + 1;
	words = calloc(1, length);
	if (!words)
		return NULL;
	text = (char *)(words + count + 1);
	json_array_foreach (array, i, word) {
		words[i] = strcpy(text, json_string_value(word));
		text += strlen(text) + 1;
	}
	return words;
}

static int command_read(const struct schema_field *field, const json_t *value, void *out,
			struct lb_err *err)
{
	const size_t count = json_array_size(value);

	if (count < 1 || count > (size_t)field->max)
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s must have 1 to %d elements, not %zu",
				  field->name, (int)field->max, count);
	for (size_t i = 0; i < count; i++) {
		if (argument_check(json_array_get(value, i), err)) {
			lb_err_prefix(err, "[%zu]", i);
			return -EINVAL;
		}
	}
	if (program_check(json_string_value(json_array_get(value, 0)), err))
		return -EINVAL;
	*(char ***)out = words_join(value);
	return *(char ***)out ? 0 : lb_err_no_memory(err);
}

static json_t *command_write(const struct schema_field *field, const void *value)
{
	json_t *array = json_array();

	(void)field;
	for (char *const *word = *(char *const *const *)value; *word; word++) {
		if (json_array_append_new(array, json_string(*word))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static const struct schema_kind status_kind = {"status or range", LB_JSON_STRING, status_read,
					       status_write, .owns = false};
static const struct schema_kind bytes_kind = {"bytes", LB_JSON_STRING, bytes_read, bytes_write,
					      .owns = true};
static const struct schema_kind command_kind = {"list of texts", LB_JSON_ARRAY, command_read,
						command_write, .owns = true};

/* --- what depends on several fields --- */

static int timeout_settle(struct lb_health *health, const json_t *given, struct lb_err *err)
{
	if (health->timeout_ms <= health->interval_ms)
		return 0;
	if (schema_given(given, "timeout_ms")) {
		lb_err_set(err, LB_ERR_PARAMS, "timeout_ms",
			   "timeout_ms must be at most interval_ms, %u, not %u",
			   health->interval_ms, health->timeout_ms);
		return lb_err_hint(err, "a backend has one check under way at a time");
	}
	health->timeout_ms = LB_HEALTH_TIMEOUT_MS < health->interval_ms ? LB_HEALTH_TIMEOUT_MS
									: health->interval_ms;
	return 0;
}

static int health_settle(void *object, const json_t *given, struct lb_err *err)
{
	struct lb_health *health = object;

	if (timeout_settle(health, given, err))
		return -EINVAL;
	if (health->kind == LB_HEALTH_EXEC && health->source != LB_HEALTH_DIRECT) {
		lb_err_set(err, LB_ERR_PARAMS, "source",
			   "source of an exec check cannot be tunnel");
		return lb_err_hint(err, "a command makes its connections itself; leave source out");
	}
	if (health->method == LB_HEALTH_HEAD && health->body)
		return lb_err_set(err, LB_ERR_PARAMS, "body",
				  "body cannot be checked with method HEAD, which has none");
	if (health->kind != LB_HEALTH_UDP || health->payload.data || health->expect.data)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "payload", "a udp check needs payload, expect or both");
	return lb_err_hint(err, "silence tells nothing: send what the service answers");
}

/* --- the fields --- */

static const char *const kind_words[] = {"tcp", "http", "udp", "exec", NULL};
static const char *const source_words[] = {"direct", "tunnel", NULL};
static const char *const method_words[] = {"GET", "HEAD", NULL};

#define BYTES "^(hex:([0-9A-Fa-f]{2})+|(?!hex:)([^\\\\]|\\\\(x[0-9A-Fa-f]{2}|[rnt\\\\]))+)$"
#define HEALTH(member) SCHEMA_AT(struct lb_health, member)
#define HTTP (1 << LB_HEALTH_HTTP)
#define UDP (1 << LB_HEALTH_UDP)
#define EXEC (1 << LB_HEALTH_EXEC)

/* Words in the order of their enums. */
static const struct schema_field health_fields[] = {
	{"type", &schema_word, HEALTH(kind), .required = true, .min = LB_HEALTH_TCP,
	 .words = kind_words, .bare = true, .help = "how backends are checked"},
	{"source", &schema_word, HEALTH(source), .words = source_words,
	 .help = "to the backend's own address, or to the VIP's (of several, the lowest) by the "
		 "way "
		 "that traffic takes"},
	{"port", &schema_integer, HEALTH(port), .min = 1, .max = UINT16_MAX, .optional = true,
	 .help = "the port that is asked", .otherwise = "that of its VIPs"},
	{"interval_ms", &schema_integer, HEALTH(interval_ms), .min = LB_HEALTH_INTERVAL_MIN_MS,
	 .max = LB_HEALTH_INTERVAL_MAX_MS, .number = LB_HEALTH_INTERVAL_MS,
	 .help = "from the start of a check to the start of the next"},
	{"timeout_ms", &schema_integer, HEALTH(timeout_ms), .min = LB_HEALTH_TIMEOUT_MIN_MS,
	 .max = LB_HEALTH_INTERVAL_MAX_MS, .number = LB_HEALTH_TIMEOUT_MS,
	 .help = "how long a check may take", .otherwise = "1s, or a shorter interval"},
	{"rise", &schema_integer, HEALTH(rise), .min = 1, .max = LB_HEALTH_STREAK_MAX,
	 .number = LB_HEALTH_RISE, .help = "successes in a row that make a backend healthy"},
	{"fall", &schema_integer, HEALTH(fall), .min = 1, .max = LB_HEALTH_STREAK_MAX,
	 .number = LB_HEALTH_FALL, .help = "failures in a row that make it unhealthy"},
	{"jitter_percent", &schema_integer, HEALTH(jitter_percent),
	 .max = LB_HEALTH_JITTER_MAX_PERCENT, .number = LB_HEALTH_JITTER_PERCENT,
	 .help = "random jitter, as a share of the interval"},
	{"full_mtu", &schema_boolean, HEALTH(full_mtu), .of = HTTP | UDP, .optional = true,
	 .help = "with packets as large as clients' may be"},
	{"method", &schema_word, HEALTH(method), .of = HTTP, .words = method_words,
	 .help = "method of the request"},
	{"path", &schema_text, HEALTH(path), .of = HTTP, .min = 1, .max = LB_HEALTH_PATH_MAX,
	 .text = "/", .check = path_check, .help = "path and query", .placeholder = "URL-PATH",
	 .pattern = "^/[!-~]*$"},
	{"host", &schema_text, HEALTH(host), .of = HTTP, .min = 1, .max = LB_HEALTH_HOST_MAX,
	 .check = host_check, .optional = true, .help = "what the Host field says",
	 .placeholder = "HOST", .otherwise = "the address", .pattern = "^[!-~]+$"},
	{"status", &status_kind, HEALTH(status), .of = HTTP, .text = "200-399",
	 .help = "the right status, or a range", .placeholder = "RANGE",
	 .pattern = "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
	{"body", &schema_text, HEALTH(body), .of = HTTP, .min = 1, .max = LB_HEALTH_BODY_MAX,
	 .optional = true, .help = "what must occur in the response", .placeholder = "TEXT"},
	{"payload", &bytes_kind, HEALTH(payload), .of = UDP, .min = 1, .max = LB_HEALTH_BYTES_MAX,
	 .optional = true, .help = "what is sent", .placeholder = "BYTES", .pattern = BYTES},
	{"expect", &bytes_kind, HEALTH(expect), .of = UDP, .min = 1, .max = LB_HEALTH_BYTES_MAX,
	 .optional = true, .help = "what must occur in the reply", .placeholder = "BYTES",
	 .otherwise = "anything", .pattern = BYTES},
	{"command", &command_kind, HEALTH(command), .required = true, .of = EXEC,
	 .max = LB_HEALTH_COMMAND_MAX, .help = "a file that lbd.json allows, and its arguments",
	 .placeholder = "COMMAND-LINE"},
	{0},
};

const struct schema lb_health_schema = {"check", health_fields, sizeof(struct lb_health),
					.settle = health_settle};

/* --- the check and its VIP --- */

uint16_t lb_health_port(const struct lb_health *health, const struct lb_endpoint *vip)
{
	if (health->port)
		return health->port;
	return vip->last_port ? 0 : vip->port;
}

int lb_health_fits(const struct lb_health *health, const struct lb_endpoint *vip,
		   struct lb_err *err)
{
	if (health->kind == LB_HEALTH_NONE || health->kind == LB_HEALTH_EXEC ||
	    lb_health_port(health, vip))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "port", "port is missing");
	return lb_err_hint(err,
			   "the VIP is for more than one port: say which one is to be checked");
}
