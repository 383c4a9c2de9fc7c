/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a packet told in JSON? New references. */
#ifndef LB_PACKET_JSON_H
#define LB_PACKET_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../../bpf/packet.h"

/* As the program reads it; NULL where it is no IP packet. */
json_t *packet_json(const struct packet *packet);
/* Of four words in wire order, as maps have them. */
json_t *address_json(const void *bytes, uint8_t family);
json_t *member_json(const struct lb_member *member); /* its address */
json_t *hex_json(const uint8_t *bytes, size_t count);

#endif
