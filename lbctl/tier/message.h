/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the JSON gateway of etcd's v3 API take, and what does it reply? Keys and values are
 * base64, 64-bit numbers are texts. Pure: replies come from the network, and may be anything. */
#ifndef LBCTL_TIER_MESSAGE_H
#define LBCTL_TIER_MESSAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "../../lbd/api/err.h"

/* To be freed; NULL without memory, or where it is no base64. */
char *message_encode(const void *bytes, size_t length);
char *message_decode(const char *text, size_t *length);

/* --- requests: new references --- */
json_t *message_range(const char *key);
json_t *message_range_below(const char *prefix); /* all keys that begin so */
json_t *message_keys_below(const char *prefix);  /* the same, without their values */
/* Transactions that put it: if the key has this lease; and if it is not there. */
json_t *message_put_owned(const char *key, const json_t *value, int64_t lease);
json_t *message_put_first(const char *key, const json_t *value, int64_t lease);
/* A transaction that writes only if the key is as it was at `mod_revision`; 0: is not there. */
json_t *message_txn(const char *key, int64_t mod_revision, json_t *operations);
/* For a transaction: a put, and taking away the keys from `first` to before `end`. */
json_t *message_put_operation(const char *key, const json_t *value);
json_t *message_delete_operation(const char *first, const char *end);

/* --- replies --- */
/* A number, or a text of digits; 0 where it is left out. -EINVAL: something else. */
int message_integer(const json_t *reply, const char *field, int64_t *out);
/* The keys of a range: an array of {"key": TEXT, "value": any JSON, or null where it is none,
 * "mod_revision": N}, a new reference. */
int message_items(const json_t *reply, json_t **items, struct lb_err *err);
/* What etcd says is wrong, where it does: its code in gRPC's numbers, and its sentence. */
#define MESSAGE_NOT_FOUND 5
#define MESSAGE_UNAUTHENTICATED 16
int message_error(const json_t *reply, int *code, char *text, size_t size);

/* The same for people to read, whoever wrote it: what is not printable ASCII in its texts becomes "?", and they end
 * after so many bytes. A new reference. */
#define MESSAGE_TEXT 256
json_t *message_clean(const json_t *value);

#endif
