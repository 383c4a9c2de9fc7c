/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors an operator can cause: what is wrong, where, and what to do next. */
#ifndef LB_ERR_H
#define LB_ERR_H

#include <jansson.h>
#include <stddef.h>

/* Codes as they appear on the socket: JSON-RPC 2.0 section 5.1, then our own from 1. */
enum lb_err_code {
	LB_ERR_NONE = 0,
	LB_ERR_PARSE = -32700,    /* not JSON */
	LB_ERR_REQUEST = -32600,  /* JSON, but not a request */
	LB_ERR_METHOD = -32601,   /* no such method */
	LB_ERR_PARAMS = -32602,   /* a parameter is missing, mistyped, out of range or unknown */
	LB_ERR_INTERNAL = -32603, /* our defect */
	LB_ERR_NOT_FOUND = 1,     /* no such VIP or backend */
	LB_ERR_EXISTS = 2,        /* name or address is taken */
	LB_ERR_LIMIT = 3,         /* a limit of lbd.json would be exceeded */
	LB_ERR_REFUSED = 4,       /* possible, but not without the operator's explicit word */
	LB_ERR_SYSTEM = 5,        /* the kernel or the disk refused */
	LB_ERR_UNREACHABLE = 6,   /* lbctl only: lbd does not answer */
	LB_ERR_USAGE = 7,         /* lbctl only: the command line is wrong */
	LB_ERR_CONFLICT = 8,      /* the document is not the one that the request was made for */
};

/* Filled by whoever returns non-zero. path is a JSON path ("vips[0].backends[2].weight") or "";
 * hint is a sentence that says what to do next, or "". */
struct lb_err {
	enum lb_err_code code;
	char path[192];
	char message[256];
	char hint[320];
};

/* Fills *err (which may be NULL) and returns -EINVAL, so that callers write `return lb_err_set(…)`.
 * An over-long text is cut off, never an error. */
int lb_err_set(struct lb_err *err, enum lb_err_code code, const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds or replaces the hint of an error. Returns -EINVAL as well. */
int lb_err_hint(struct lb_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "out of memory". Returns -EINVAL as well. */
int lb_err_no_memory(struct lb_err *err);

/* Puts "prefix" before the path of an error: prefix "vips[2]" and path "address" give
 * "vips[2].address"; prefix and path "[3].x" give "prefix[3].x". */
void lb_err_prefix(struct lb_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The error object of JSON-RPC: {"code", "message", "data": {"path", "hint"}}, empty texts left
 * out, and data left out where both are. A new reference. lb_err_from_json never fails: what cannot
 * be read becomes LB_ERR_INTERNAL. */
json_t *lb_err_to_json(const struct lb_err *err);
void lb_err_from_json(const json_t *object, struct lb_err *err);

/* The word nearest to `word` in `words` (NULL-terminated), or NULL when none is near enough to be
 * meant (optimal string alignment distance at most 2, and at most a third of the length, but 1 is
 * always near enough for words of three letters or more). For "did you mean". */
const char *lb_nearest(const char *word, const char *const *words);

/* "a, b or c" for words (NULL-terminated) a, b, c, between ", " and last " or "; cut off at `size`.
 * Returns out. */
char *lb_list(const char *const *words, const char *between, const char *last, char *out,
	      size_t size);

#endif
