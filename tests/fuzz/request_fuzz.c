/* SPDX-License-Identifier: BSD-2-Clause */
/* Can a line from the socket do anything but be carried out or refused, and is each answer one line
 * that a client can read? The same line is read as a reply, too, as lbctl would. */
#include "../../lbd/api/rpc.h"
#include "fuzz.h"

/* Takes over `line`: one line of JSON with the id and what was said. */
static void check_line(char *line, const json_t *id, const char *what)
{
	size_t length = line ? strlen(line) : 0;
	json_t *reply;

	FUZZ_CHECK(line && length && strchr(line, '\n') == line + length - 1);
	reply = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(reply);
	FUZZ_CHECK(json_object_get(reply, what));
	/* A real number may lose digits beyond the 15th. */
	if (!id)
		FUZZ_CHECK(json_is_null(json_object_get(reply, "id")));
	else if (!json_is_real(id))
		FUZZ_CHECK(json_equal(json_object_get(reply, "id"), id));
	json_decref(reply);
	free(line);
}

static void as_request(const char *line, size_t size)
{
	struct lb_request request;
	struct lb_err err = {0};

	if (lb_request_parse(line, size, &request, &err)) {
		fuzz_check_err(&err);
		check_line(lb_error_line(request.id, &err), request.id, "error");
	} else {
		FUZZ_CHECK(request.method && json_is_object(request.params));
		check_line(lb_result_line(request.id, request.params), request.id, "result");
	}
	lb_request_clear(&request);
}

static void as_reply(const char *line, size_t size)
{
	struct lb_err err = {0};
	json_t *result = NULL;

	if (!lb_reply_parse(line, size, 1, &result, &err))
		FUZZ_CHECK(result);
	else
		FUZZ_CHECK(!result && err.message[0]);
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_request((const char *)data, size);
	as_reply((const char *)data, size);
	return 0;
}
