/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are in a capture file? pcap (tcpdump -w) and pcapng (Wireshark, lbctl trace --write), of
 * either byte order, of Ethernet or of bare IP packets. */
#ifndef LBCTL_PCAP_H
#define LBCTL_PCAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "../lbd/api/err.h"

#define PCAP_FRAME_MAX 65557
#define PCAP_INTERFACES 1024 /* of a pcapng file */

struct pcap {
	FILE *file;
	bool swapped; /* written on a machine of the other byte order */
	bool blocks;  /* pcapng */
	/* Whether what it has is Ethernet or IP, by interface; a pcap file has one. */
	uint16_t link[PCAP_INTERFACES];
	uint32_t link_count;
	/* A bare IP packet gets an Ethernet header. */
	uint8_t frame[PCAP_FRAME_MAX];
	uint32_t length; /* as the frame was; what the file has not of it is 0 */
	uint32_t kept;   /* what the file has of it */
	/* Why there is nothing of it in `frame`; NULL: there is. */
	const char *fault;
	uint64_t number; /* of the frame, from 1 on */
	uint64_t sent; /* frames so far that were sent, by the file's words, and are passed over */
};

/* 0 or -EINVAL. FILE - is standard input. */
int pcap_open(struct pcap *pcap, const char *name, struct lb_err *err);
/* 1: a frame; 0: there are no more; -EINVAL: what follows the last one cannot be read. */
int pcap_next(struct pcap *pcap, struct lb_err *err);
void pcap_close(struct pcap *pcap);

#endif
