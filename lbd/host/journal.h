/* SPDX-License-Identifier: BSD-2-Clause */
/* What has changed since a whole document was written? A file beside it, of one line a change:
 *
 *   1b2c3d4e:{"pools": {NAME: POOL or null}, "vips": {ADDRESS: VIP or null}, "revision": N, "edited": BOOL}
 *
 * The first eight digits are the CRC-32 of the rest of the line, begun with that of the line before; the
 * first line's is begun with the checksum of the document, so that lines are good for no other
 * document and in no other order. */
#ifndef LB_HOST_JOURNAL_H
#define LB_HOST_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "../api/model.h"

/* Where the next line goes. */
struct journal_end {
	size_t length;
	uint32_t crc;
	bool torn; /* what follows was never acknowledged: no line can go there */
};

/* --- what is in a line: pure --- */

/* What to change in `before` for `after`, a new reference; NULL: nothing, more than `most` pools and
 * VIPs, or no memory. */
json_t *journal_difference(const struct lb_service *before, const struct lb_service *after,
			   size_t most);
/* Makes the changes in a document as JSON. 0 or -ENOMEM. */
int journal_replay(json_t *document, const json_t *changes);

/* --- the file --- */

/* The changes that the file has, an array, in *out. A last line that was not written whole is left
 * out; any other that is damaged is an error. */
int journal_read(const char *path, uint32_t crc, json_t **out, struct journal_end *end,
		 struct lb_err *err);
/* Adds one that is on disk when 0 is returned, or -errno with the file as it was. -ESTALE: the file
 * is not what `end` says, or is gone. *stuck: it could not be made as it was. */
int journal_append(const char *path, const json_t *changes, struct journal_end *end, bool *stuck);

#endif
