/* SPDX-License-Identifier: BSD-2-Clause */
/* What is different between two service documents, field by field? Pure. */
#ifndef LB_DOCUMENT_DIFF_H
#define LB_DOCUMENT_DIFF_H

#include <jansson.h>

/* Both documents as lb_service_to_json writes them: checked, complete and in order. The result of
 * config.diff (docs/protocol.md), a new reference; NULL without memory. */
json_t *document_diff(const json_t *before, const json_t *after);

#endif
