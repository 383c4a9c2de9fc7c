/* SPDX-License-Identifier: BSD-2-Clause */
/* How are frames written so that others can read them? (draft-ietf-opsawg-pcapng) A file is blocks:
 *
 *   type | length | body | options: code, length, value … | length
 *
 * each a multiple of four bytes, in the byte order of this machine. */
#include "pcapng.h"
#include <string.h>

#define SECTION 0x0a0d0d0a
#define INTERFACE 1
#define PACKET 6
#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define LINK_ETHERNET 1
#define NANOSECONDS 9 /* digits */
#define INBOUND 1
#define OUTBOUND 2

enum option {
	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2,
	OPTION_FLAGS = 2,
	OPTION_PROGRAM = 4,
	OPTION_TIME_UNIT = 9
};

static uint32_t padded(uint32_t bytes)
{
	return (bytes + 3) & ~3u;
}

static void put(FILE *file, const void *bytes, uint32_t count)
{
	static const uint8_t zeros[4];

	fwrite(bytes, 1, count, file);
	fwrite(zeros, 1, padded(count) - count, file);
}

static void put32(FILE *file, uint32_t value)
{
	put(file, &value, sizeof(value));
}

#define OPTION_HEADER 4
#define BLOCK_FRAME 12 /* type and two lengths */

static uint32_t option_bytes(uint16_t length)
{
	return OPTION_HEADER + padded(length);
}

static void put_option(FILE *file, uint16_t code, const void *value, uint16_t length)
{
	const uint16_t header[2] = {code, length};

	put(file, header, sizeof(header));
	put(file, value, length);
}

static void put_end(FILE *file, uint32_t block_bytes)
{
	put32(file, 0); /* end of options */
	put32(file, block_bytes);
}

void pcapng_begin(struct pcapng *pcapng, FILE *file)
{
	static const char program[] = "lbctl trace";
	static const uint16_t version[2] = {1, 0};
	const uint32_t bytes = BLOCK_FRAME + 16 + option_bytes(strlen(program)) + OPTION_HEADER;

	pcapng->file = file;
	pcapng->count = 0;
	put32(file, SECTION);
	put32(file, bytes);
	put32(file, BYTE_ORDER_MAGIC);
	put(file, version, sizeof(version));
	put32(file, UINT32_MAX); /* how long the section is: not known */
	put32(file, UINT32_MAX);
	put_option(file, OPTION_PROGRAM, program, strlen(program));
	put_end(file, bytes);
}

static void put_interface(FILE *file, const char *name)
{
	const uint8_t unit = NANOSECONDS;
	const uint32_t bytes = BLOCK_FRAME + 8 + option_bytes(strlen(name)) +
			       option_bytes(sizeof(unit)) + OPTION_HEADER;

	put32(file, INTERFACE);
	put32(file, bytes);
	put32(file, LINK_ETHERNET);
	put32(file, 0); /* frames may have any length */
	put_option(file, OPTION_IF_NAME, name, strlen(name));
	put_option(file, OPTION_TIME_UNIT, &unit, sizeof(unit));
	put_end(file, bytes);
}

/* Its number in the file, where it has a block from then on; the last one stands for all that find
 * no place. */
static uint32_t interface_number(struct pcapng *pcapng, const char *name)
{
	char *place;
	uint32_t i;

	for (i = 0; i < pcapng->count; i++)
		if (!strncmp(pcapng->interfaces[i], name, PCAPNG_NAME - 1))
			return i;
	if (pcapng->count == PCAPNG_INTERFACES)
		return PCAPNG_INTERFACES - 1;
	place = pcapng->interfaces[pcapng->count++];
	snprintf(place, PCAPNG_NAME, "%s", name);
	put_interface(pcapng->file, place);
	return i;
}

void pcapng_write(struct pcapng *pcapng, const struct pcapng_frame *frame)
{
	const uint32_t number = interface_number(pcapng, frame->interface);
	const uint32_t flags = frame->outbound ? OUTBOUND : INBOUND;
	const uint32_t bytes = BLOCK_FRAME + 20 + padded(frame->kept) +
			       option_bytes(sizeof(flags)) + option_bytes(strlen(frame->comment)) +
			       OPTION_HEADER;
	FILE *file = pcapng->file;

	put32(file, PACKET);
	put32(file, bytes);
	put32(file, number);
	put32(file, frame->time_ns >> 32);
	put32(file, frame->time_ns);
	put32(file, frame->kept);
	put32(file, frame->length);
	put(file, frame->bytes, frame->kept);
	put_option(file, OPTION_FLAGS, &flags, sizeof(flags));
	put_option(file, OPTION_COMMENT, frame->comment, strlen(frame->comment));
	put_end(file, bytes);
}
