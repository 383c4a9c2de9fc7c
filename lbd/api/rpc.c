/* SPDX-License-Identifier: BSD-2-Clause */
/* How do JSON-RPC requests and replies become lines, and lines requests and replies? */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "rpc.h"

/* --- writing lines --- */

struct line {
	char *text;
	size_t length, room;
};

/* Makes room for `more` bytes and a final 0. Plain malloc memory, whatever jansson was told to use,
 * because callers free() the line. */
static int line_append(const char *text, size_t more, void *user)
{
	struct line *line = user;

	if (line->room - line->length <= more) {
		size_t room = (line->length + more) * 2 + 128;
		char *grown = realloc(line->text, room);

		if (!grown)
			return -1;
		line->text = grown;
		line->room = room;
	}
	memcpy(line->text + line->length, text, more);
	line->length += more;
	line->text[line->length] = '\0';
	return 0;
}

/* Takes over `object`. 15 digits, so that 33.33 is not written as 33.329999999999998. */
static char *line_write(json_t *object)
{
	struct line line = {0};

	if (!object ||
	    json_dump_callback(object, line_append, &line,
			       JSON_COMPACT | JSON_REAL_PRECISION(15)) ||
	    line_append("\n", 1, &line)) {
		free(line.text);
		line.text = NULL;
	}
	json_decref(object);
	return line.text;
}

/* json_pack's "O" takes a reference of its own and gives it back: the value stays as it was. */
static json_t *borrowed(const json_t *value)
{
	return (json_t *)value;
}

char *lb_request_line(int id, const char *method, const json_t *params)
{
	return line_write(json_pack("{s:s s:i s:s s:O*}", "jsonrpc", "2.0", "id", id, "method",
				    method, "params", borrowed(params)));
}

char *lb_result_line(const json_t *id, const json_t *result)
{
	return line_write(json_pack("{s:s s:O? s:O?}", "jsonrpc", "2.0", "id", borrowed(id),
				    "result", borrowed(result)));
}

char *lb_error_line(const json_t *id, const struct lb_err *err)
{
	return line_write(json_pack("{s:s s:O? s:o}", "jsonrpc", "2.0", "id", borrowed(id), "error",
				    lb_err_to_json(err)));
}

/* --- reading requests --- */

/* What went wrong, in fewer words than the parser's own, which follow. */
static const char *parse_failure(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_premature_end_of_input:
		return "JSON is cut off";
	case json_error_end_of_input_expected:
		return "text after the end of the JSON";
	case json_error_duplicate_key:
		return "a field is given twice";
	case json_error_stack_overflow:
		return "JSON is nested too deep";
	case json_error_numeric_overflow:
		return "a number is out of range";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "the character NUL is not allowed";
	case json_error_invalid_utf8:
		return "not UTF-8";
	default:
		return "not JSON";
	}
}

static json_t *line_parse(const char *line, size_t length, struct lb_err *err)
{
	json_error_t error = {0}; /* left as it is when jansson finds no memory to begin with */
	json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (!root && (!error.text[0] || json_error_code(&error) == json_error_out_of_memory))
		lb_err_no_memory(err);
	else if (!root)
		lb_err_set(err, LB_ERR_PARSE, "", "%s (column %d): %s", parse_failure(&error),
			   error.column, error.text);
	return root;
}

static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

/* A fault of the envelope: the path of an error leads into params, so the message alone names it. */
static int envelope_fields(const json_t *root, const struct lb_json_field *fields,
			   struct lb_err *err)
{
	if (lb_json_fields(root, fields, err) == 0)
		return 0;
	if (err) {
		err->code = LB_ERR_REQUEST;
		err->path[0] = '\0';
	}
	return -EINVAL;
}

static int check_version(const json_t *version, struct lb_err *err)
{
	const char *text = json_string_value(version);

	if (text && !strcmp(text, "2.0"))
		return 0;
	if (text)
		lb_err_set(err, LB_ERR_REQUEST, "", "jsonrpc must be \"2.0\", not \"%s\"", text);
	else
		lb_err_set(err, LB_ERR_REQUEST, "", "jsonrpc is missing");
	return lb_err_hint(err, "write \"jsonrpc\":\"2.0\"");
}

static int request_fields(struct lb_request *request, struct lb_err *err)
{
	const json_t *version, *id, *method;
	const struct lb_json_field fields[] = {
		{"jsonrpc", LB_JSON_STRING, false, &version},
		{"id", LB_JSON_ANY, false, &id},
		{"method", LB_JSON_STRING, true, &method},
		{"params", LB_JSON_OBJECT, false, &request->params},
		{0},
	};

	if (envelope_fields(request->root, fields, err) || check_version(version, err))
		return -EINVAL;
	if (id && !request->id)
		return lb_err_set(err, LB_ERR_REQUEST, "", "id must be a string, a number or null");
	request->method = json_string_value(method);
	return 0;
}

/* A request without params gets an empty object, which its root then owns. */
static int params_default(struct lb_request *request, struct lb_err *err)
{
	if (request->params)
		return 0;
	if (json_object_set_new(request->root, "params", json_object()))
		return lb_err_no_memory(err);
	request->params = json_object_get(request->root, "params");
	return 0;
}

int lb_request_parse(const char *line, size_t length, struct lb_request *out, struct lb_err *err)
{
	const json_t *id;

	memset(out, 0, sizeof(*out));
	out->root = line_parse(line, length, err);
	if (!out->root)
		return -EINVAL;
	if (json_is_array(out->root)) {
		lb_err_set(err, LB_ERR_REQUEST, "", "batches are not supported");
		return lb_err_hint(err, "send one request a line");
	}
	id = json_object_get(out->root, "id");
	if (is_id(id))
		out->id = id;
	if (request_fields(out, err))
		return -EINVAL;
	return params_default(out, err);
}

void lb_request_clear(struct lb_request *request)
{
	json_decref(request->root);
	memset(request, 0, sizeof(*request));
}

/* --- reading replies --- */

static int reply_broken(const char *what, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_INTERNAL, "", "the reply %s", what);
	return lb_err_hint(err, "is it lbd that listens on this socket, and of this version?");
}

/* An error may carry a null id: lbd could not read the request's. */
static bool reply_is_to(const json_t *reply, int id)
{
	const json_t *value = json_object_get(reply, "id");

	if (json_is_null(value))
		return json_object_get(reply, "error") != NULL;
	return json_is_integer(value) && json_integer_value(value) == id;
}

int lb_reply_parse(const char *line, size_t length, int id, json_t **result, struct lb_err *err)
{
	json_auto_t *reply = json_loadb(line, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_t *error = json_object_get(reply, "error");

	*result = NULL;
	if (!reply)
		return reply_broken("is not JSON", err);
	if (!json_is_object(reply))
		return reply_broken("is not an object", err);
	if (!reply_is_to(reply, id))
		return reply_broken("belongs to another request", err);
	if (error && !json_is_null(error)) {
		lb_err_from_json(error, err);
		return -EINVAL;
	}
	*result = json_incref(json_object_get(reply, "result"));
	return *result ? 0 : reply_broken("has neither result nor error", err);
}
