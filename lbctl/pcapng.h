/* SPDX-License-Identifier: BSD-2-Clause */
/* How are frames written so that others can read them? In pcapng (draft-ietf-opsawg-pcapng): each
 * with its interface, its direction, nanoseconds and a comment. */
#ifndef LBCTL_PCAPNG_H
#define LBCTL_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PCAPNG_INTERFACES 300
#define PCAPNG_NAME 32
#define PCAPNG_COMMENT 256

struct pcapng {
	FILE *file;
	char interfaces[PCAPNG_INTERFACES][PCAPNG_NAME]; /* those that have a block */
	uint32_t count;
};

struct pcapng_frame {
	const char *interface;
	bool outbound;
	uint64_t time_ns; /* since 1970 */
	const uint8_t *bytes;
	uint32_t kept, length; /* of the frame, `kept` bytes are there */
	char comment[PCAPNG_COMMENT];
};

/* Errors are those of the file. */
void pcapng_begin(struct pcapng *pcapng, FILE *file);
void pcapng_write(struct pcapng *pcapng, const struct pcapng_frame *frame);

#endif
