/* SPDX-License-Identifier: BSD-2-Clause */
/* What time is it, by one of the kernel's clocks? */
#ifndef LB_CLOCK_H
#define LB_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t lb_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* For periods: the time since some moment before the start. */
static inline int64_t lb_now_ms(void)
{
	return lb_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
