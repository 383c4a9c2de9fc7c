/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a client of the metrics and the status page asks for read the same however it comes in, never beyond its end, and
 * never taken for what it is not? */
#include "../../lbd/monitor/http_request.h"
#include "fuzz.h"

/* In memory of its own, where one byte more would be seen. */
static char *copy(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size ? size : 1);

	FUZZ_CHECK(bytes);
	memcpy(bytes, data, size);
	return bytes;
}

/* The head is as long whatever follows, and not complete before. */
static size_t head_of(const uint8_t *data, size_t size)
{
	char *bytes = copy(data, size);
	const size_t length = http_head_length(bytes, size);

	FUZZ_CHECK(length <= size);
	free(bytes);
	if (!length)
		return 0;
	for (size_t cut = length > 4 ? length - 4 : 0; cut <= length; cut++) {
		bytes = copy(data, cut);
		FUZZ_CHECK(http_head_length(bytes, cut) == (cut < length ? 0 : length));
		free(bytes);
	}
	return length;
}

static void check_taken(const struct http_request *request, const uint8_t *data, size_t length)
{
	FUZZ_CHECK(!request->path[0] || request->path[0] == '/');
	FUZZ_CHECK(!strpbrk(request->path, " ?\r\n"));
	FUZZ_CHECK(strspn(request->host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") ==
		   strlen(request->host));
	FUZZ_CHECK(!request->head || memmem(data, length, "HEAD", 4));
	FUZZ_CHECK(request->head || memmem(data, length, "GET", 3));
}

/* Only names that are ours are taken for ours. */
static void check_host(const struct http_request *request)
{
	static const char *const names[] = {"lb.example", NULL};
	const bool ours = http_host_is_ours(request->host, names);

	if (!ours || !request->host[0] || !strcmp(request->host, "localhost") ||
	    !strcmp(request->host, "lb.example"))
		return;
	FUZZ_CHECK(strspn(request->host, "0123456789.") == strlen(request->host) ||
		   (request->host[0] == '[' && strchr(request->host, ':')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t length = head_of(data, size);
	struct http_request request;
	char *bytes;
	int status;

	if (!length)
		return 0;
	bytes = copy(data, length);
	status = http_request_parse(bytes, length, &request);
	FUZZ_CHECK(!status || status == 400 || status == 405 || status == 505);
	FUZZ_CHECK(memchr(request.path, 0, sizeof(request.path)));
	FUZZ_CHECK(memchr(request.host, 0, sizeof(request.host)));
	if (!status)
		check_taken(&request, data, length);
	check_host(&request);
	free(bytes);
	return 0;
}
