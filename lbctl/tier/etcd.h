/* SPDX-License-Identifier: BSD-2-Clause */
/* How is etcd asked? By the JSON gateway of its v3 API, over HTTP(S), one question at a time. Any
 * member will do: one that does not answer is left for the next. What is read is what a majority of
 * them has. */
#ifndef LBCTL_TIER_ETCD_H
#define LBCTL_TIER_ETCD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"

#define ETCD_TIMEOUT_MS 8000
#define ETCD_CONNECT_MS 2000
#define ETCD_REPLY_MAX (32u << 20)

struct etcd;

/* `config` must outlive it. Asks nobody yet. */
int etcd_open(const struct tier_config *config, struct etcd **out, struct lb_err *err);
void etcd_close(struct etcd *etcd);

/* Each: 0, or -EINVAL and what is wrong. LB_ERR_UNREACHABLE: no member answered, and what was to be
 * written may have been. */
/* message_items of the key, or, as message_clean has them, of all keys that begin with the prefix;
 * a new reference. */
int etcd_get(struct etcd *etcd, const char *key, json_t **items, struct lb_err *err);
int etcd_get_below(struct etcd *etcd, const char *prefix, json_t **items, struct lb_err *err);
/* The same, without values. */
int etcd_keys_below(struct etcd *etcd, const char *prefix, json_t **items, struct lb_err *err);
/* Puts a key of this process. *done: false where it is there with another lease: somebody else's. */
int etcd_put_owned(struct etcd *etcd, const char *key, const json_t *value, int64_t lease,
		   bool *done, struct lb_err *err);
/* The transaction is taken over. *done: its condition held, so it was made. */
int etcd_txn(struct etcd *etcd, json_t *txn, bool *done, struct lb_err *err);
int etcd_lease(struct etcd *etcd, uint32_t seconds, int64_t *lease, struct lb_err *err);
/* *alive: it was renewed; else it had ended, and its keys are gone. */
int etcd_renew(struct etcd *etcd, int64_t lease, bool *alive, struct lb_err *err);
int etcd_revoke(struct etcd *etcd, int64_t lease, struct lb_err *err);

#endif
