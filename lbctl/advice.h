/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to be done at a backend that gets no packets through the tunnel? Each is a text, a new
 * reference. `vip` as in "192.0.2.10:80/tcp". */
#ifndef LBCTL_ADVICE_H
#define LBCTL_ADVICE_H

#include <jansson.h>

/* "192.0.2.10", without brackets. */
json_t *advice_bare_address(const char *vip);
json_t *advice_silence(const char *vip); /* whatever the reason may be */
/* By what a probe (PROBE of docs/protocol.md) has found; NULL: nothing more than its words say. */
json_t *advice_probe(const json_t *probe);

#endif
