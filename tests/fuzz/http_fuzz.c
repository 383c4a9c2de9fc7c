/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a server's HTTP response judged the same however it is cut into pieces, and never read beyond
 * its end? The first byte says which response the check expects, and how the second feed is cut. */
#include "../../lbd/health/probe_reader.h"
#include "fuzz.h"

static struct lb_health check_of(uint8_t bits)
{
	static char text[] = "aabaac", page[] = "<title>ok";

	return (struct lb_health){
		.status.min = bits & 1 ? 200 : 204,
		.status.max = bits & 2 ? 399 : 204,
		.body = bits & 4 ? bits & 8 ? text : page : NULL,
	};
}

/* Pieces of `cut` bytes, each in memory of its own, where one byte more would be seen. */
static enum http_verdict feed(struct http_reader *reader, const struct lb_health *check,
			      const uint8_t *data, size_t size, size_t cut)
{
	enum http_verdict verdict = HTTP_MORE;

	http_reader_init(reader, check);
	while (size && verdict == HTTP_MORE) {
		const size_t length = cut < size ? cut : size;
		char *piece = malloc(length);

		FUZZ_CHECK(piece);
		memcpy(piece, data, length);
		verdict = http_reader_feed(reader, piece, length);
		free(piece);
		data += length;
		size -= length;
	}
	return verdict == HTTP_MORE ? http_reader_feed(reader, NULL, 0) : verdict;
}

static void check_error(const struct http_reader *reader, enum http_verdict verdict)
{
	const char *end = memchr(reader->error, 0, sizeof(reader->error));

	FUZZ_CHECK(verdict == HTTP_GOOD || verdict == HTTP_FAULTY);
	FUZZ_CHECK(end && (verdict == HTTP_FAULTY) == (end != reader->error));
	for (const char *at = reader->error; at < end; at++)
		FUZZ_CHECK(*at >= ' ' && *at <= '~');
}

/* Only what was sent can be good; chunks may cut the text. */
static void check_good(const struct http_reader *reader, const uint8_t *data, size_t size)
{
	const struct lb_health *check = reader->check;

	FUZZ_CHECK(size > 12 && !memcmp(data, "HTTP/1.", 7));
	FUZZ_CHECK(reader->status >= (int)check->status.min &&
		   reader->status <= (int)check->status.max);
	if (check->body && !reader->chunked)
		FUZZ_CHECK(memmem(data, size, check->body, strlen(check->body)));
}

/* What was read to the end of the connection is the end of what was sent. */
static void check_faulty(const struct http_reader *reader, const uint8_t *data, size_t size)
{
	const char *text = reader->check->body;
	const size_t body = reader->body_bytes;

	FUZZ_CHECK(body <= size);
	if (reader->part == HTTP_BODY && reader->left < 0 && body < LB_HEALTH_BODY_SEEN)
		FUZZ_CHECK(!memmem(data + size - body, body, text, strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reader whole, pieces;
	struct lb_health check;
	enum http_verdict verdict;

	if (!size)
		return 0;
	check = check_of(data[0]);
	verdict = feed(&whole, &check, data + 1, size - 1, size);
	check_error(&whole, verdict);
	if (verdict == HTTP_GOOD)
		check_good(&whole, data + 1, size - 1);
	else
		check_faulty(&whole, data + 1, size - 1);
	FUZZ_CHECK(feed(&pieces, &check, data + 1, size - 1, 1 + (data[0] >> 4)) == verdict);
	check_error(&pieces, verdict);
	return 0;
}
