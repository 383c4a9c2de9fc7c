/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON-RPC 2.0 as lbd speaks it: one object a line over a stream socket. docs/protocol.md. Pure: no
 * I/O. */
#ifndef LB_RPC_H
#define LB_RPC_H

#include <stddef.h>
#include <jansson.h>
#include "err.h"

#define LB_REQUEST_MAX (8u << 20) /* bytes of a request line with its newline */
#define LB_SOCKET_DEFAULT "/run/lbd/lbd.sock"
/* Where control.read_only_path is by convention. */
#define LB_SOCKET_READ_ONLY "/run/lbd/lbd-ro.sock"

/* The first of status.warnings of a simulation, whose every result has "simulated". */
#define LB_SIMULATED_WARNING                                                                       \
	"this lbd simulates: no packet is balanced, no backend is checked, and what is counted "   \
	"is made up"

struct lb_request {
	json_t *root;     /* owns the rest */
	const json_t *id; /* string, number or null; NULL: a notification, which gets no reply */
	const char *method;
	const json_t *params; /* an object; an empty one where the request had none */
};

/* Parses one line (without its newline). Even on failure out->id is set where it could be read, so
 * that the error reply can carry it; an error is always replied to, with id null where there was
 * none. Duplicate keys, trailing text, batches and params that are an array are refused.
 * lb_request_clear in any case. */
int lb_request_parse(const char *line, size_t length, struct lb_request *out, struct lb_err *err);
void lb_request_clear(struct lb_request *request);

/* Lines with their newline, to be freed; NULL without memory. `result` and `params` are borrowed;
 * id NULL is written as null. */
char *lb_request_line(int id, const char *method, const json_t *params);
char *lb_result_line(const json_t *id, const json_t *result);
char *lb_error_line(const json_t *id, const struct lb_err *err);

/* A reply: 0 and *result (new reference), or -EINVAL and the error it carried. */
int lb_reply_parse(const char *line, size_t length, int id, json_t **result, struct lb_err *err);

#endif
