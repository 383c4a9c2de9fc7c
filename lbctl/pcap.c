/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are in a capture file? (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng) */
#include "pcap.h"
#include <errno.h>
#include <string.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define LINK_ETHERNET 1
#define LINK_RAW 101
#define LINK_IPV4 228
#define LINK_IPV6 229
#define ETHERNET 14 /* bytes of the header */

/* Blocks of pcapng: type, length, body, length. */
#define SECTION 0x0a0d0d0a /* the same in both byte orders */
#define SECTION_ORDER 0x1a2b3c4d
#define INTERFACE 1
#define SIMPLE_PACKET 3
#define PACKET 6
#define OPTION_FLAGS 2
#define DIRECTION 3 /* these bits of the flags */
#define OUTBOUND 2
#define BLOCK_MAX (1u << 20) /* of those that are read: a packet and its options */

static uint32_t read32(const struct pcap *pcap, const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return pcap->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t read16(const struct pcap *pcap, const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return pcap->swapped ? __builtin_bswap16(value) : value;
}

static bool take(struct pcap *pcap, uint8_t *to, uint32_t count)
{
	return fread(to, 1, count, pcap->file) == count;
}

static bool skip(struct pcap *pcap, uint32_t count)
{
	while (count--)
		if (getc(pcap->file) == EOF)
			return false;
	return true;
}

static int damaged(struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_PARSE, "", "the capture file is damaged, or cut off");
}

/* --- one frame --- */

static bool is_bare(uint16_t link)
{
	return link == LINK_RAW || link == LINK_IPV4 || link == LINK_IPV6;
}

static int check_link(uint16_t link, struct lb_err *err)
{
	if (link == LINK_ETHERNET || is_bare(link))
		return 0;
	lb_err_set(err, LB_ERR_PARSE, "",
		   "the file was captured neither on Ethernet nor as bare IP "
		   "packets");
	return lb_err_hint(err, "capture on one interface: tcpdump -i INTERFACE -w FILE");
}

/* Between two stations, of local addresses. */
static void put_ethernet(struct pcap *pcap)
{
	static const uint8_t stations[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	const bool ipv6 = pcap->frame[ETHERNET] >> 4 == 6;

	memcpy(pcap->frame, stations, sizeof(stations));
	pcap->frame[12] = ipv6 ? 0x86 : 0x08;
	pcap->frame[13] = ipv6 ? 0xdd : 0x00;
}

/* The next `kept` bytes of the file are a frame that had `length`. */
static int read_frame(struct pcap *pcap, uint16_t link, uint32_t kept, uint32_t length,
		      struct lb_err *err)
{
	const uint32_t before = is_bare(link) ? ETHERNET : 0;

	if (kept > length || kept > BLOCK_MAX)
		return damaged(err);
	pcap->fault = NULL;
	pcap->kept = pcap->length = 0;
	if (check_link(link, NULL))
		pcap->fault = "it was captured neither on Ethernet nor as a bare IP packet";
	else if (length > PCAP_FRAME_MAX - before)
		pcap->fault = "it is longer than an IP packet can be";
	if (pcap->fault)
		return skip(pcap, kept) ? 1 : damaged(err);
	memset(pcap->frame, 0, sizeof(pcap->frame));
	if (!take(pcap, pcap->frame + before, kept))
		return damaged(err);
	if (before)
		put_ethernet(pcap);
	pcap->kept = kept + before;
	pcap->length = length + before;
	return 1;
}

/* --- pcap --- */

static int next_record(struct pcap *pcap, struct lb_err *err)
{
	uint8_t record[16];
	const size_t got = fread(record, 1, sizeof(record), pcap->file);

	if (!got)
		return 0;
	if (got != sizeof(record))
		return damaged(err);
	return read_frame(pcap, pcap->link[0], read32(pcap, record + 8), read32(pcap, record + 12),
			  err);
}

static bool is_magic(uint32_t value)
{
	return value == MAGIC_MICROSECONDS || value == MAGIC_NANOSECONDS;
}

/* After the magic number. */
static int read_header(struct pcap *pcap, struct lb_err *err)
{
	uint8_t header[20];

	if (!take(pcap, header, sizeof(header)))
		return damaged(err);
	pcap->link[0] = read32(pcap, header + 16);
	return check_link(pcap->link[0], err);
}

/* --- pcapng --- */

/* After the type. Says which byte order follows; interfaces are those of the section. */
static int read_section(struct pcap *pcap, struct lb_err *err)
{
	uint8_t bytes[8];
	uint32_t length;

	if (!take(pcap, bytes, sizeof(bytes)))
		return damaged(err);
	pcap->swapped = false;
	pcap->swapped = read32(pcap, bytes + 4) != SECTION_ORDER;
	length = read32(pcap, bytes);
	pcap->link_count = 0;
	if (read32(pcap, bytes + 4) != SECTION_ORDER || length < 28 || length > BLOCK_MAX ||
	    !skip(pcap, length - 12))
		return damaged(err);
	return 0;
}

static int read_interface(struct pcap *pcap, uint32_t rest, struct lb_err *err)
{
	uint8_t bytes[8];

	if (rest < sizeof(bytes) || pcap->link_count == PCAP_INTERFACES ||
	    !take(pcap, bytes, sizeof(bytes)) || !skip(pcap, rest - sizeof(bytes)))
		return damaged(err);
	pcap->link[pcap->link_count++] = read16(pcap, bytes);
	return 0;
}

/* The options of a packet, `rest` bytes of its block, which may say that it was sent. */
static bool read_options(struct pcap *pcap, uint32_t rest, bool *sent)
{
	uint8_t option[4], flags[4];

	while (rest >= sizeof(option)) {
		uint32_t code, length;

		if (!take(pcap, option, sizeof(option)))
			return false;
		rest -= sizeof(option);
		code = read16(pcap, option);
		length = (read16(pcap, option + 2) + 3u) & ~3u;
		if (!code || length > rest)
			break;
		rest -= length;
		if (code == OPTION_FLAGS && length == sizeof(flags)) {
			if (!take(pcap, flags, sizeof(flags)))
				return false;
			*sent = (read32(pcap, flags) & DIRECTION) == OUTBOUND;
		} else if (!skip(pcap, length)) {
			return false;
		}
	}
	return skip(pcap, rest);
}

/* One that was sent, as lbctl trace writes those that are wrapped, is not what came: it is passed over. */
static int read_packet(struct pcap *pcap, uint32_t rest, struct lb_err *err)
{
	uint8_t bytes[20];
	uint32_t interface, kept, padding;
	bool sent = false;

	if (rest < sizeof(bytes) || !take(pcap, bytes, sizeof(bytes)))
		return damaged(err);
	interface = read32(pcap, bytes);
	kept = read32(pcap, bytes + 12);
	rest -= sizeof(bytes);
	if (interface >= pcap->link_count || kept > rest)
		return damaged(err);
	if (read_frame(pcap, pcap->link[interface], kept, read32(pcap, bytes + 16), err) < 0)
		return -EINVAL;
	padding = -kept & 3;
	rest -= kept;
	if (padding > rest || !skip(pcap, padding) || !read_options(pcap, rest - padding, &sent))
		return damaged(err);
	pcap->number += sent;
	pcap->sent += sent;
	return !sent;
}

/* Of the first interface, whole unless that keeps less. */
static int read_simple(struct pcap *pcap, uint32_t rest, struct lb_err *err)
{
	uint8_t bytes[4];
	uint32_t length, kept;

	if (rest < sizeof(bytes) || !pcap->link_count || !take(pcap, bytes, sizeof(bytes)))
		return damaged(err);
	length = read32(pcap, bytes);
	rest -= sizeof(bytes);
	kept = length < rest ? length : rest;
	if (read_frame(pcap, pcap->link[0], kept, length, err) < 0)
		return -EINVAL;
	return skip(pcap, rest - kept) ? 1 : damaged(err);
}

/* A block that is no packet is 0. `rest`: without the second length. */
static int read_block(struct pcap *pcap, uint32_t type, uint32_t rest, struct lb_err *err)
{
	switch (type) {
	case INTERFACE:
		return read_interface(pcap, rest, err);
	case PACKET:
		return read_packet(pcap, rest, err);
	case SIMPLE_PACKET:
		return read_simple(pcap, rest, err);
	}
	return skip(pcap, rest) ? 0 : damaged(err);
}

static int next_block(struct pcap *pcap, struct lb_err *err)
{
	uint8_t bytes[4];
	uint32_t type, length;
	int status;

	if (!take(pcap, bytes, sizeof(bytes)))
		return feof(pcap->file) ? -ENODATA : damaged(err);
	type = read32(pcap, bytes);
	if (type == SECTION)
		return read_section(pcap, err);
	if (!take(pcap, bytes, sizeof(bytes)))
		return damaged(err);
	length = read32(pcap, bytes);
	if (length < 12 || length % 4 || length > BLOCK_MAX)
		return damaged(err);
	status = read_block(pcap, type, length - 12, err);
	return status < 0 || skip(pcap, sizeof(length)) ? status : damaged(err);
}

/* --- both --- */

static int open_format(struct pcap *pcap, const char *name, struct lb_err *err)
{
	uint8_t bytes[4] = {0};
	uint32_t magic;

	if (take(pcap, bytes, sizeof(bytes))) {
		magic = read32(pcap, bytes);
		pcap->blocks = magic == SECTION;
		if (pcap->blocks)
			return read_section(pcap, err);
		pcap->swapped = is_magic(__builtin_bswap32(magic));
		if (is_magic(magic) || pcap->swapped)
			return read_header(pcap, err);
	}
	return lb_err_set(err, LB_ERR_PARSE, "", "%s is no capture file: neither pcap nor pcapng",
			  name);
}

int pcap_open(struct pcap *pcap, const char *name, struct lb_err *err)
{
	*pcap = (struct pcap){.file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re")};
	if (!pcap->file)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", name,
				  strerror(errno));
	return open_format(pcap, name, err);
}

static int next(struct pcap *pcap, struct lb_err *err)
{
	int status;

	if (!pcap->blocks)
		return next_record(pcap, err);
	do
		status = next_block(pcap, err);
	while (!status);
	return status == -ENODATA ? 0 : status;
}

int pcap_next(struct pcap *pcap, struct lb_err *err)
{
	int status = next(pcap, err);

	pcap->number += status > 0;
	return status;
}

void pcap_close(struct pcap *pcap)
{
	if (pcap->file && pcap->file != stdin)
		fclose(pcap->file);
	pcap->file = NULL;
}
