/* SPDX-License-Identifier: BSD-2-Clause */
/* How is the file of the SYN guard's secrets read? */
#include "guard_secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "secret_file.h"

#define DIGITS 32
#define FILE_MAX_BYTES 256
#define SECRET_HINT "make a line with: openssl rand -hex 16"

static int cannot_read(const char *path, int error, struct lb_err *err)
{
	if (error == -ENOENT)
		return secret_file_hint(path, "make one, and copy it to all balancers and backends",
					err);
	if (error == -EPERM)
		return lb_err_hint(err,
				   "chmod 600 %s; who could read it can forge cookies: make "
				   "another secret",
				   path);
	if (error == -EILSEQ)
		return lb_err_hint(err, SECRET_HINT);
	return -EINVAL;
}

static int wrong(const char *path, struct lb_err *err)
{
	/* The text is not repeated: it may be a real secret with a typing error. */
	lb_err_set(err, LB_ERR_PARSE, "",
		   "%s does not have one or two lines of exactly %d hex digits, not all of them 0",
		   path, DIGITS);
	return lb_err_hint(err, SECRET_HINT);
}

static int parse_line(const char *line, size_t length, uint64_t key[2])
{
	char half[DIGITS / 2 + 1] = "";

	if (length != DIGITS || strspn(line, "0123456789abcdefABCDEF") < DIGITS)
		return -EINVAL;
	memcpy(half, line, DIGITS / 2);
	key[0] = strtoull(half, NULL, 16);
	key[1] = strtoull(line + DIGITS / 2, NULL, 16);
	return key[0] || key[1] ? 0 : -EINVAL;
}

static int parse(const char *path, const char *text, struct guard_secret *out, struct lb_err *err)
{
	while (*text) {
		const size_t length = strcspn(text, "\n");

		if (out->count == GUARD_SECRETS || parse_line(text, length, out->key[out->count]))
			return wrong(path, err);
		out->count++;
		text += length;
		text += *text == '\n';
	}
	return out->count ? 0 : wrong(path, err);
}

int guard_secret_read(const char *path, struct guard_secret *out, struct lb_err *err)
{
	char text[FILE_MAX_BYTES];
	int error = secret_file_read(path, text, sizeof(text), err);

	memset(out, 0, sizeof(*out));
	error = error ? cannot_read(path, error, err) : parse(path, text, out, err);
	explicit_bzero(text, sizeof(text));
	return error;
}
