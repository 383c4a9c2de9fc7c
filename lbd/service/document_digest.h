/* SPDX-License-Identifier: BSD-2-Clause */
/* Are two service documents the same? Their digests are, whatever the order in which VIPs and
 * backends were written, and whether defaults were. Of one version of lbd: a later one may know
 * more fields. Pure. */
#ifndef LB_DOCUMENT_DIGEST_H
#define LB_DOCUMENT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "../api/model.h"

#define DIGEST_TEXT 17 /* 16 hex digits */

/* Of one VIP, with its backends if they are its own. 0 or -ENOMEM. */
int vip_digest(const struct lb_vip *vip, uint64_t *out);
/* Of the pools of a document, in their order. 0 or -ENOMEM. */
int pools_digests(const struct lb_service *document, uint64_t *out);
/* Of a document, from those of its VIPs in their order, then of its pools: who keeps them need not
 * make them again. */
uint64_t digest_of_digests(const uint64_t *digests, size_t count);
/* The same, of a document that nothing is known of yet. 0 or -ENOMEM. */
int document_digest(const struct lb_service *document, uint64_t *out);

char *digest_text(uint64_t digest, char out[DIGEST_TEXT]);

#endif
