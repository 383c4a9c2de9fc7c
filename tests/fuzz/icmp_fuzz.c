/* SPDX-License-Identifier: BSD-2-Clause */
/* Does lbd read nothing of an ICMP message that is not there, and believe nothing that could stop
 * traffic? The first byte says which family, and how this node sends to the backend. */
#include <string.h>
#include "../../lbd/route/pmtu_judge.h"
#include "fuzz.h"

static struct pmtu_way way_of(uint8_t bits, const struct pmtu_news *news)
{
	struct pmtu_way way = {
		.source = news->source,
		.mtu = bits & 1 ? 1500 : 9000,
		.inner = bits & 2 ? 4 : 6,
		.gue = bits & 4,
	};

	if (bits & 8)
		way.source.bytes[0] ^= 1;
	return way;
}

static void check(const struct pmtu_news *news, uint8_t family, uint8_t bits)
{
	const struct pmtu_way way = way_of(bits, news);
	const uint32_t floor = pmtu_floor(&way);

	FUZZ_CHECK(news->destination.family == family && news->source.family == family);
	FUZZ_CHECK(news->protocol == 4 || news->protocol == 41 || news->protocol == 17);
	FUZZ_CHECK(floor >= 572 && floor <= 1328);
	if (!pmtu_is_quoted(news, &way))
		return;
	FUZZ_CHECK(!(bits & 8));
	FUZZ_CHECK(news->mtu < news->length && news->length <= way.mtu);
	FUZZ_CHECK(way.gue == (news->protocol == 17));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pmtu_news news;
	uint8_t *message;
	bool read;

	if (!size)
		return 0;
	message = malloc(size); /* one byte more than there is would be seen */
	FUZZ_CHECK(message);
	memcpy(message, data + 1, size - 1);
	message = realloc(message, size - 1 ? size - 1 : 1);
	read = data[0] & 16 ? pmtu_read_ipv6(message, size - 1, &news)
			    : pmtu_read_ipv4(message, size - 1, &news);
	if (read)
		check(&news, data[0] & 16 ? 6 : 4, data[0] & 15);
	free(message);
	return 0;
}
