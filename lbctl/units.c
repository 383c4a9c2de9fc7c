/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl write and read quantities? */
#include "units.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the units of a period, in letters, and how many of the next lower one each has. */
static const char letters[] = "smh";
#define STEP 60
#define PERIOD_MAX INT32_MAX /* 68 years are for ever */

/* A comma before each group of three digits but the first. */
char *units_number(long long number, char *out)
{
	char digits[UNITS_TEXT];
	size_t length, sign = number < 0, at = 0;

	length = (size_t)snprintf(digits, sizeof(digits), "%lld", number);
	for (size_t i = 0; i < length; i++) {
		if (i > sign && (length - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

char *units_count(long long count, const char *noun, char *out)
{
	char number[UNITS_TEXT];

	snprintf(out, UNITS_TEXT, "%.30s %.15s%s", units_number(count, number), noun,
		 count == 1 ? "" : "s");
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

/* By thousands, as rates of links are given. */
char *units_bits(double bits_per_s, char *out)
{
	static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
	size_t unit = 0;

	while (bits_per_s >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bits_per_s /= 1000;
		unit++;
	}
	snprintf(out, UNITS_TEXT, "%.*f %s", unit ? 1 : 0, bits_per_s, units[unit]);
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

/* In the largest unit that loses nothing. */
char *units_period(long long seconds, char *out)
{
	size_t unit = 0;

	while (seconds != 0 && seconds % STEP == 0 && letters[unit + 1] != '\0') {
		seconds /= STEP;
		unit++;
	}
	snprintf(out, UNITS_TEXT, "%lld%c", seconds, letters[unit]);
	return out;
}

int units_parse_period(const char *text, long long *seconds)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(letters, text[digits]) : letters;
	long long value;

	if (digits == 0 || !unit || (text[digits] && text[digits + 1]))
		return -EINVAL;
	value = strtoll(text, NULL, 10);
	for (; unit > letters && value <= PERIOD_MAX; unit--)
		value *= STEP;
	if (value > PERIOD_MAX)
		return -EINVAL;
	*seconds = value;
	return 0;
}

char *units_milliseconds(long long milliseconds, char *out)
{
	if (milliseconds % 1000 == 0)
		return units_period(milliseconds / 1000, out);
	snprintf(out, UNITS_TEXT, "%lldms", milliseconds);
	return out;
}

int units_parse_milliseconds(const char *text, long long *milliseconds)
{
	size_t digits = strspn(text, "0123456789");
	long long seconds;

	if (digits && digits < 10 && strcmp(text + digits, "ms") == 0) {
		*milliseconds = strtoll(text, NULL, 10);
		return 0;
	}
	if (units_parse_period(text, &seconds))
		return -EINVAL;
	*milliseconds = seconds * 1000;
	return 0;
}

int units_parse_percent(const char *text, double *percent)
{
	char *end;

	/* strtod takes much more than a percentage: inf, 0x10, 1e3, leading blanks. */
	if (text[strspn(text, "0123456789.%")] != '\0')
		return -EINVAL;
	*percent = strtod(text, &end);
	if (end == text)
		return -EINVAL;
	return *end == '\0' || strcmp(end, "%") == 0 ? 0 : -EINVAL;
}
