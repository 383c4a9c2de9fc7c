/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl write quantities? Each function fills `out` (UNITS_TEXT bytes) and returns it. */
#ifndef LBCTL_UNITS_H
#define LBCTL_UNITS_H

#define UNITS_TEXT 48

char *units_count(long long count, const char *noun, char *out); /* "1 backend", "3 backends" */
char *units_bytes(long long bytes, char *out);                   /* "980 B", "1.2 MiB" */
char *units_percent(double percent, char *out);                  /* "33.3 %", "0.02 %" */
char *units_duration(long long seconds, char *out);              /* "3 d 4 h", "12 s" */

#endif
