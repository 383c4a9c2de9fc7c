/* SPDX-License-Identifier: BSD-2-Clause */
/* What does lbctl tier do? Each command here is carried out for an invocation of lbctl. */
#ifndef LBCTL_TIER_VERBS_H
#define LBCTL_TIER_VERBS_H

#include "../args.h"
#include "config.h"
#include "etcd.h"

/* What each of them has. */
struct verb {
	const struct invocation *invocation;
	const struct tier_config *config;
	struct etcd *etcd;
};

/* 0 and *result, a new reference, or -EINVAL. */
int verb_show(const struct verb *verb, json_t **result, struct lb_err *err);
int verb_export(const struct verb *verb, json_t **result, struct lb_err *err);
int verb_publish(const struct verb *verb, json_t **result, struct lb_err *err);
int verb_rollback(const struct verb *verb, json_t **result, struct lb_err *err);

#endif
