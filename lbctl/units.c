/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl write quantities? */
#include "units.h"
#include <stdio.h>

char *units_count(long long count, const char *noun, char *out)
{
	snprintf(out, UNITS_TEXT, "%lld %s%s", count, noun, count == 1 ? "" : "s");
	return out;
}

char *units_bytes(long long bytes, char *out)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, UNITS_TEXT, "%lld B", bytes);
		return out;
	}
	while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(out, UNITS_TEXT, "%.1f %s", value, units[unit]);
	return out;
}

/* A few slots of 65,537 must not look like none. */
char *units_percent(double percent, char *out)
{
	if (percent > 0 && percent < 0.005)
		snprintf(out, UNITS_TEXT, "<0.01 %%");
	else
		snprintf(out, UNITS_TEXT, "%.*f %%", percent > 0 && percent < 0.1 ? 2 : 1, percent);
	return out;
}

char *units_duration(long long seconds, char *out)
{
	if (seconds >= 86400)
		snprintf(out, UNITS_TEXT, "%lld d %lld h", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		snprintf(out, UNITS_TEXT, "%lld h %lld min", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		snprintf(out, UNITS_TEXT, "%lld min %lld s", seconds / 60, seconds % 60);
	else
		snprintf(out, UNITS_TEXT, "%lld s", seconds);
	return out;
}
