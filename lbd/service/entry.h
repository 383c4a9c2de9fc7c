/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries by which the program finds a VIP: its own, the one of its address, and the one of
 * fragments without ports where these go by 3-tuple (LB_VIP_FRAGMENTS_ONLY in bpf/abi.h). */
#ifndef LB_SERVICE_ENTRY_H
#define LB_SERVICE_ENTRY_H

#include "live.h"

/* A VIP's own entry and that of its address. */
int entry_publish(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
		  struct lb_err *err);
/* Takes its own entry away, and that of its address when no VIP of `remaining` has it. */
void entry_withdraw(struct service *service, const struct lb_vip *vip,
		    const struct lb_service *remaining);
/* Its own entry as it is now. */
/* What packets find of its QUIC ids: keys may have other numbers. */
void entry_quic(const struct service *service, const struct lb_vip *vip,
		const struct live_vip *live);
void entry_again(struct service *service, const struct lb_vip *vip, const struct live_vip *live);
/* Its own entry again, if it says something else than before. */
void entry_update(struct service *service, const struct lb_vip *before,
		  const struct live_vip *live_before, const struct lb_vip *after,
		  const struct live_vip *live);
/* Its own entry of the document in force, and that of its fragments: when its slots are elsewhere.
 * 0 or -errno; then packets may go by either. */
int entry_lead(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
	       struct lb_err *err);
/* Makes the entry of fragments without ports for this address and protocol what `document` says;
 * live[i] is document->vips[i]. Not needed for, and not to the harm of, a VIP for every port: its
 * own entry serves; nor for a prefix, which has them with port 0 only. */
void entry_fragments(struct service *service, const struct lb_service *document,
		     const struct live_vip *live, const struct lb_endpoint *endpoint);

/* By what its packets are hashed, as an entry says it. */
uint32_t entry_hash_flags(const struct lb_vip *vip);
/* Of the rules `mine`, a VIP has `rules` from now on; those of others stay. */
void entry_rules(struct lb_guard_vip *at, uint32_t mine, uint32_t rules);
/* What an entry says of how packets travel, into the VIP; its encapsulation stands elsewhere, and what guards
 * it is in no entry. 0 or -ENOMEM. */
int entry_describe(uint32_t flags, struct lb_vip *vip);
/* Takes away what an earlier lbd left half done, and the document in force does not explain. */
void entry_tidy(struct service *service);
/* All entries again, if a call for one has failed after the point of no return. */
int entry_repair(struct service *service, struct lb_err *err);

#endif
