/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl write and read quantities? What writes fills `out` (UNITS_TEXT bytes) and returns
 * it. */
#ifndef LBCTL_UNITS_H
#define LBCTL_UNITS_H

#define UNITS_TEXT 48

char *units_number(long long number, char *out);                 /* "1,234,567" */
char *units_count(long long count, const char *noun, char *out); /* "1 backend", "3,000 backends" */
char *units_bytes(long long bytes, char *out);                   /* "980 B", "1.2 MiB" */
char *units_bits(double bits_per_s, char *out);                  /* "980 bit/s", "1.2 Mbit/s" */
char *units_percent(double percent, char *out);                  /* "33.3 %", "0.02 %" */
char *units_duration(long long seconds, char *out);              /* "3 d 4 h", "12 s" */
char *units_period(long long seconds, char *out);                /* "90s", "15m", "2h": exact */

char *units_milliseconds(long long milliseconds, char *out); /* "500ms", "2s", "15m": exact */

/* What units_milliseconds writes, and seconds without a unit. 0 or -EINVAL. */
int units_parse_milliseconds(const char *text, long long *milliseconds);
/* What units_period writes, and seconds without a unit. 0 or -EINVAL. */
int units_parse_period(const char *text, long long *seconds);
/* "2", "2%", "0.5%". 0 or -EINVAL. */
int units_parse_percent(const char *text, double *percent);

#endif
