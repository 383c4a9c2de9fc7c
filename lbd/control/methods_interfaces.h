/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces in JSON: INTERFACE of docs/protocol.md. */
#ifndef LB_METHODS_INTERFACES_H
#define LB_METHODS_INTERFACES_H

#include "methods.h"

/* Those of lbd.json, in its order, and then, if `all`, those that only lead to backends. A new
 * reference; NULL without memory. */
json_t *interfaces_describe(const struct methods_context *context, bool all);

/* stats.interfaces of docs/protocol.md, a new reference. */
json_t *interfaces_counters(const struct methods_context *context);

#endif
