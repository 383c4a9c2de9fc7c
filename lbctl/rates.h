/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast do counters go? From two results of `stats`. Pure. */
#ifndef LBCTL_RATES_H
#define LBCTL_RATES_H

#include <stdbool.h>
#include <jansson.h>

/* Adds interval_ms to `after`, and to each VIP, backend, verdict and interface of it what each of its
 * counters of packets and bytes has gone up by in a second: packets_per_s, bits_per_s, and with rx_
 * and tx_. What is new since, or was counted from 0 again, counts from 0. */
void rates_add(const json_t *before, json_t *after);

#endif
