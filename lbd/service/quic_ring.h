/* SPDX-License-Identifier: BSD-2-Clause */
/* Under which number does the program find which key of QUIC connection ids? */
#ifndef LB_SERVICE_QUIC_RING_H
#define LB_SERVICE_QUIC_RING_H

#include <stdbool.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../api/err.h"

struct quic_ring;
struct service;

/* `keys`: the array. */
struct quic_ring *quic_ring_new(const struct lb_quic_key *keys);
void quic_ring_free(struct quic_ring *ring);
/* In the array "quic_keys"; 0: the key is not known. */
uint32_t quic_ring_number(const struct service *service, const char *name);
bool quic_ring_any(const struct service *service);
/* The key is that of the name from now on, under another number if it is another one. */
int quic_ring_learn(struct service *service, const char *name, const uint8_t bytes[16],
		    struct lb_err *err);
/* All others are forgotten. */
void quic_ring_keep(struct service *service,
		    bool (*is_used)(const struct service *service, const char *name));

#endif
