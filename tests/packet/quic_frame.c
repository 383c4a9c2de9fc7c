// SPDX-License-Identifier: BSD-2-Clause
/* Which server does a QUIC packet name? draft-ietf-quic-load-balancers-21 sections 3 to 5, RFC 8999
 * sections 5.1 and 5.2. */
#include "quic_frame.h"

#include <string.h>

#include "aes_block.h"

/* The id's bytes, as many as are there; NULL: the packet has none. */
static const uint8_t *id_of(const uint8_t *payload, size_t length, size_t *id_length)
{
	*id_length = 0;
	if (length < 1)
		return NULL;
	if (!(payload[0] & 0x80)) { /* a short header does not say how long its id is */
		*id_length = length - 1;
		return payload + 1;
	}
	if (length < 6 || 6u + payload[5] > length)
		return NULL;
	*id_length = payload[5];
	return payload + 6;
}

struct quic_named quic_frame_named(const struct quic_world *world, const uint8_t *payload,
				   size_t length)
{
	struct quic_named named = {.server = QUIC_NOBODY};
	const uint8_t *id;
	uint8_t plain[17];
	size_t id_length;
	unsigned int of_server;

	named.long_header = length > 0 && payload[0] & 0x80;
	id = id_of(payload, length, &id_length);
	if (!id || !id_length)
		return named;
	of_server = world->length[id[0] >> 5];
	if (world->key[id[0] >> 5]) {
		if (id_length < sizeof(plain))
			return named;
		memcpy(plain, id, sizeof(plain));
		aes_block_decrypt(world->key[id[0] >> 5], plain + 1);
		id = plain;
	}
	if (!of_server || id_length < 1 + of_server + 4)
		return named;
	named.is = QUIC_IS_UNKNOWN;
	for (size_t i = 0; i < world->servers; i++) {
		if (world->server[i].length != of_server ||
		    memcmp(world->server[i].id, id + 1, of_server) != 0)
			continue;
		named.is = QUIC_IS_ROUTED;
		named.server = (int)i;
	}
	return named;
}
