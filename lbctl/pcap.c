/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are in a capture file? (draft-ietf-opsawg-pcap) */
#include "pcap.h"
#include <errno.h>
#include <string.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define MAGIC_PCAPNG 0x0a0d0d0a
#define LINK_ETHERNET 1

static uint32_t read32(const struct pcap *pcap, const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return pcap->swapped ? __builtin_bswap32(value) : value;
}

static bool is_magic(uint32_t value)
{
	return value == MAGIC_MICROSECONDS || value == MAGIC_NANOSECONDS;
}

static int refuse_format(uint32_t magic, const char *name, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_PARSE, "", "%s is no capture file in pcap format", name);
	if (magic != MAGIC_PCAPNG)
		return -EINVAL;
	return lb_err_hint(err, "it is pcapng: convert it with \"tcpdump -r %s -w FILE\"", name);
}

static int read_header(struct pcap *pcap, const char *name, struct lb_err *err)
{
	uint8_t header[24] = {0};
	uint32_t magic;

	if (fread(header, 1, sizeof(header), pcap->file) != sizeof(header))
		return refuse_format(read32(pcap, header), name, err);
	magic = read32(pcap, header);
	pcap->swapped = is_magic(__builtin_bswap32(magic));
	if (!is_magic(magic) && !pcap->swapped)
		return refuse_format(magic, name, err);
	if ((read32(pcap, header + 20) & 0xffff) != LINK_ETHERNET) {
		lb_err_set(err, LB_ERR_PARSE, "", "%s was not captured on Ethernet", name);
		return lb_err_hint(err, "capture on one interface: tcpdump -i INTERFACE -w FILE");
	}
	return 0;
}

int pcap_open(struct pcap *pcap, const char *name, struct lb_err *err)
{
	*pcap = (struct pcap){.file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re")};
	if (!pcap->file)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", name,
				  strerror(errno));
	return read_header(pcap, name, err);
}

int pcap_next(struct pcap *pcap, struct lb_err *err)
{
	uint8_t record[16];
	size_t got = fread(record, 1, sizeof(record), pcap->file);
	uint32_t captured;

	if (got == 0)
		return 0;
	captured = got == sizeof(record) ? read32(pcap, record + 8) : PCAP_FRAME_MAX + 1;
	pcap->length = got == sizeof(record) ? read32(pcap, record + 12) : 0;
	memset(pcap->frame, 0, sizeof(pcap->frame));
	if (captured <= pcap->length && pcap->length <= PCAP_FRAME_MAX &&
	    fread(pcap->frame, 1, captured, pcap->file) == captured)
		return 1;
	return lb_err_set(err, LB_ERR_PARSE, "", "the capture file is damaged, or cut off");
}

void pcap_close(struct pcap *pcap)
{
	if (pcap->file && pcap->file != stdin)
		fclose(pcap->file);
	pcap->file = NULL;
}
