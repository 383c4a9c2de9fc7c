/* SPDX-License-Identifier: BSD-2-Clause */
/* Can a network card hand its packets to all processors, and in a shape that XDP likes? Read from
 * sysfs, procfs and by ethtool's ioctl; judged without any of them. */
#ifndef LB_PLANE_NIC_H
#define LB_PLANE_NIC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct nic {
	bool physical;       /* has a device behind it: what follows is 0 of others but rp_filter */
	uint32_t rx_queues;  /* receive queues */
	uint32_t interrupts; /* that have an affinity */
	uint32_t irq_cpus;   /* different processors that these go to */
	bool striding;       /* the driver's receive queues are striding ones */
	bool gro_hw;         /* the card merges packets (GRO) */
	int rp_filter;       /* that is in force for IPv4: 0, 1 strict, 2 loose */
};

/* `root`: "" but in tests, which have folders sys/ and proc/ there; then no driver is asked. */
void nic_look(const char *root, const char *name, struct nic *out);
/* Adds sentences. `cpus`: of this machine; `several`: it has other interfaces that packets may come
 * in by. */
void nic_warnings(const struct nic *nic, const char *name, uint32_t mtu, uint32_t cpus,
		  bool several, json_t *warnings);

#endif
