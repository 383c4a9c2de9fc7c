/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are in a capture file? The classic format of tcpdump -w, of Ethernet. */
#ifndef LBCTL_PCAP_H
#define LBCTL_PCAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "../lbd/api/err.h"

#define PCAP_FRAME_MAX 65557

struct pcap {
	FILE *file;
	bool swapped; /* written on a machine of the other byte order */
	uint8_t frame[PCAP_FRAME_MAX];
	uint32_t length; /* as the frame was; what the file has not of it is 0 */
};

/* 0 or -EINVAL. FILE - is standard input. */
int pcap_open(struct pcap *pcap, const char *name, struct lb_err *err);
/* 1: a frame; 0: there are no more; -EINVAL. */
int pcap_next(struct pcap *pcap, struct lb_err *err);
void pcap_close(struct pcap *pcap);

#endif
