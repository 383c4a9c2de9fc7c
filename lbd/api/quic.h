/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC connection ids that name a server (draft-ietf-quic-load-balancers-21): what VIPs and backends say
 * of them, and how they are written. */
#ifndef LB_API_QUIC_H
#define LB_API_QUIC_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "schema.h"

#define LB_QUIC_LENGTH_DEFAULT 8u /* of server ids, as large clouds have it */

#define LB_QUIC_KEY_TEXT 64

/* Of a backend; length 0: none. What is beyond the length is 0. */
struct lb_quic_server_id {
	uint8_t length, bytes[15];
};

/* How the ids of a VIP's connections are made, of one rotation. */
struct lb_quic_config {
	uint32_t cr;                /* the first three bits of an id, 0 to 6 */
	uint32_t sid_length;        /* bytes of server ids */
	char key[LB_QUIC_KEY_TEXT]; /* the name of the file with the key of encrypted ids; "": plaintext */
};

extern const struct schema lb_quic_schema;
extern const struct schema_order lb_quic_orders[];
extern const struct schema_kind lb_quic_server_id_kind;

/* The key of encrypted ids that the file has: 32 hex digits. 0, or -EINVAL with *err. */
int lb_quic_key_read(const char *path, uint8_t key[16], struct lb_err *err);

/* "0a1b…"; returns `out`. */
#define LB_QUIC_ID_TEXT 31
const char *lb_quic_id_format(const struct lb_quic_server_id *id, char out[LB_QUIC_ID_TEXT]);

#endif
