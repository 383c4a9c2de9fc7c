/* SPDX-License-Identifier: BSD-2-Clause */
/* Are two service documents the same? */
#include "document_digest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "siphash.h"

/* Any key will do, as long as it is the same on every node. */
static const uint64_t key[2] = {0x6563697672657362, 0x746e656d75636f64};

/* Of its JSON, which every field is in, so that none can be forgotten here. */
static int digest_of(const struct schema *schema, const void *item, uint64_t *out)
{
	json_t *object = schema_write(schema, item);
	char *text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (text)
		*out = siphash(key, text, strlen(text));
	json_decref(object);
	free(text);
	return text ? 0 : -ENOMEM;
}

int vip_digest(const struct lb_vip *vip, uint64_t *out)
{
	return digest_of(&lb_vip_schema, vip, out);
}

int pools_digests(const struct lb_service *document, uint64_t *out)
{
	int error = 0;

	for (size_t i = 0; !error && i < document->pool_count; i++)
		error = digest_of(&lb_pool_schema, &document->pools[i], &out[i]);
	return error;
}

uint64_t digest_of_digests(const uint64_t *digests, size_t count)
{
	return siphash(key, digests, count * sizeof(*digests));
}

int document_digest(const struct lb_service *document, uint64_t *out)
{
	const size_t count = document->vip_count + document->pool_count;
	uint64_t *digests = calloc(count + 1, sizeof(*digests));
	int error = digests ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < document->vip_count; i++)
		error = vip_digest(&document->vips[i], &digests[i]);
	if (!error)
		error = pools_digests(document, digests + document->vip_count);
	if (!error)
		*out = digest_of_digests(digests, count);
	free(digests);
	return error;
}

char *digest_text(uint64_t digest, char out[DIGEST_TEXT])
{
	snprintf(out, DIGEST_TEXT, "%016" PRIx64, digest);
	return out;
}
