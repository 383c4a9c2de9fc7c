/* SPDX-License-Identifier: BSD-2-Clause */
/* Which member has which QUIC server id: the array "quic_ids" (bpf/abi.h), which packets use
 * meanwhile. Beside its memory nothing is kept. */
#ifndef LB_QUIC_IDS_H
#define LB_QUIC_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../api/quic.h"

struct quic_ids {
	struct lb_quic_line *lines;
	uint32_t count; /* of lines, LB_QUIC_REACH at least */
};

/* The id is the member's from now on, whoever of the pool had it. False: there is no place for it,
 * which does not happen while half of all places are free (one in 10^9). */
bool quic_ids_set(const struct quic_ids *ids, uint32_t pool, const struct lb_quic_server_id *id,
		  uint16_t member);
bool quic_ids_is(const struct quic_ids *ids, uint32_t pool, const struct lb_quic_server_id *id,
		 uint16_t member);
/* Nobody's, unless another member has it by now. */
void quic_ids_del(const struct quic_ids *ids, uint32_t pool, const struct lb_quic_server_id *id,
		  uint16_t member);
/* What an earlier lbd has left: those for which `keep` says no are taken out. */
void quic_ids_adopt(const struct quic_ids *ids,
		    bool (*keep)(void *user, uint32_t pool, const struct lb_quic_server_id *id,
				 uint16_t member),
		    void *user);

#endif
