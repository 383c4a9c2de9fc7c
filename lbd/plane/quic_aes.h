/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables and keys, as the program decrypts QUIC connection ids with them (bpf/quic_aes.h). */
#ifndef LB_PLANE_QUIC_AES_H
#define LB_PLANE_QUIC_AES_H

#include <stdint.h>
#include "../../bpf/abi.h"

void quic_aes_tables(struct lb_quic_aes *out);
void quic_aes_key(const uint8_t key[16], struct lb_quic_key *out);

#endif
