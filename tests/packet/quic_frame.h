/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC packets as far as RFC 8999 describes them, and which server they name: byte by byte from the
 * draft, with nothing of what the program is made of. */
#ifndef QUIC_FRAME_H
#define QUIC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIC_SERVERS 8
#define QUIC_NOBODY (-1)

/* A VIP's configurations and its servers. */
struct quic_world {
	uint8_t length[8];     /* of server ids, by config rotation; 0: not configured */
	const uint8_t *key[8]; /* of 16 bytes; NULL: ids are plaintext */
	struct quic_server {
		uint8_t length, id[15];
	} server[QUIC_SERVERS];
	size_t servers;
};

enum quic_is { QUIC_IS_UNROUTABLE, QUIC_IS_UNKNOWN, QUIC_IS_ROUTED };

struct quic_named {
	enum quic_is is;
	int server;       /* place among the servers; QUIC_NOBODY */
	bool long_header; /* of the packet */
};

struct quic_named quic_frame_named(const struct quic_world *world, const uint8_t *payload,
				   size_t length);

#endif
