/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzzers share: the function that libFuzzer, or replay.c, calls for each input, and how
 * it says that a promise is broken. */
#ifndef LB_FUZZ_H
#define LB_FUZZ_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lbd/api/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(promise)                                                                        \
	do {                                                                                       \
		if (promise)                                                                       \
			break;                                                                     \
		fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);              \
		abort();                                                                           \
	} while (0)

/* An error is whole: a code, words, and a form that can be sent. */
static inline void fuzz_check_err(const struct lb_err *err)
{
	json_t *object = lb_err_to_json(err);
	struct lb_err back = {0};

	FUZZ_CHECK(err->code != LB_ERR_NONE && err->code != LB_ERR_INTERNAL);
	FUZZ_CHECK(err->message[0]);
	FUZZ_CHECK(memchr(err->path, 0, sizeof(err->path)));
	FUZZ_CHECK(memchr(err->message, 0, sizeof(err->message)));
	FUZZ_CHECK(memchr(err->hint, 0, sizeof(err->hint)));
	FUZZ_CHECK(object);
	lb_err_from_json(object, &back);
	FUZZ_CHECK(back.code == err->code && !strcmp(back.message, err->message));
	json_decref(object);
}

#endif
