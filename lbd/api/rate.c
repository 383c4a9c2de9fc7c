// SPDX-License-Identifier: BSD-2-Clause
/* How is it written how much may come to a VIP?
 *
 * RULE [RULE…], where a RULE is WHOSE=NUMBER[k|M|G]UNIT[,monitor]
 */
#include "rate.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const whose_words[] = {"source",    "source/24",  "source/32", "source/48",
					  "source/64", "source/128", "vip",       NULL};
static const struct lb_vip_rate whose[] = {
	{.of = LB_RATE_SOURCE},
	{.of = LB_RATE_PREFIX, .length = 24},
	{.of = LB_RATE_PREFIX, .length = 32},
	{.of = LB_RATE_PREFIX, .length = 48},
	{.of = LB_RATE_PREFIX, .length = 64},
	{.of = LB_RATE_PREFIX, .length = 128},
	{.of = LB_RATE_VIP},
};
static const char *const unit_words[] = {"pps", "sps", "Bps", NULL};
static const char units_hint[] = "units are pps (packets), sps (SYNs) and Bps (bytes a second)";
static const char *const mode_words[] = {"monitor", NULL};

/* --- reading --- */

/* The index of the word, or -1 with *err: `hint`, or what was meant. */
static int word_of(const char *text, const char *const *words, const char *what, const char *hint,
		   struct lb_err *err)
{
	const char *nearest = lb_nearest(text, words);

	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	lb_err_set(err, LB_ERR_PARAMS, "", "rate has an unknown %s \"%s\"", what, text);
	if (nearest)
		lb_err_hint(err, "did you mean \"%s\"?", nearest);
	else
		lb_err_hint(err, "%s", hint);
	return -1;
}

static int bad_form(const char *text, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_PARAMS, "", "rate has no rule \"%s\"", text);
	return lb_err_hint(err, "a rule is source, source/24, source/48 or vip, \"=\", a number, "
				"and pps (packets), sps (SYNs) or Bps (bytes a second), as in "
				"source=1000pps; \",monitor\" behind it only counts");
}

/* The number in front of the unit, which *end is then; UINT64_MAX: too large. */
static uint64_t read_number(const char *text, const char **end)
{
	static const char suffixes[] = "kMG";
	const char *suffix;
	uint64_t number;
	char *after;

	errno = 0;
	number = strtoull(text, &after, 10);
	if (errno || number > LB_RATE_BYTES_MAX)
		number = UINT64_MAX;
	suffix = *after ? strchr(suffixes, *after) : NULL;
	*end = after + (suffix != NULL);
	for (const char *each = suffixes; suffix && each <= suffix; each++)
		number = number > UINT64_MAX / 1000 ? UINT64_MAX : number * 1000;
	return number;
}

static int out_of_range(const struct lb_vip_rate *rate, const char *text, struct lb_err *err)
{
	const bool bytes = rate->kind == LB_RATE_IN_BYTES;

	lb_err_set(err, LB_ERR_PARAMS, "", "rate is out of range: \"%s\"", text);
	return lb_err_hint(err, "%s",
			   bytes ? "bytes a second are 100kBps to 100GBps"
				 : "packets and SYNs a second are 1 to 100M");
}

/* "1mpps": a thousandth is not what was meant. */
static int other_case(const char *text, const char *unit, struct lb_err *err)
{
	static const char wrong[] = "Kmg", right[] = "kMG";
	const char *found = *unit ? strchr(wrong, *unit) : NULL;

	for (int i = 0; found && unit_words[i]; i++) {
		if (strcmp(unit_words[i], unit + 1) != 0)
			continue;
		lb_err_set(err, LB_ERR_PARAMS, "", "rate has an unknown unit \"%s\"", unit);
		return lb_err_hint(err, "did you mean \"%.*s%c%s\"?", (int)(unit - text), text,
				   right[found - wrong], unit + 1);
	}
	return 0;
}

/* "1000pps" */
static int read_amount(const char *text, struct lb_vip_rate *rate, struct lb_err *err)
{
	const char *unit;
	int kind;

	rate->per_second = read_number(text, &unit);
	if (!strcmp(unit, "bps")) {
		lb_err_set(err, LB_ERR_PARAMS, "", "rate has an unknown unit \"bps\"");
		return lb_err_hint(err, "rates are in bytes a second: 8M bits are 1MBps");
	}
	if (!*unit) {
		lb_err_set(err, LB_ERR_PARAMS, "", "rate lacks a unit: \"%s\"", text);
		return lb_err_hint(err, "%s", units_hint);
	}
	if (other_case(text, unit, err))
		return -EINVAL;
	kind = word_of(unit, unit_words, "unit", units_hint, err);
	if (kind < 0)
		return -EINVAL;
	rate->kind = (uint8_t)kind;
	if (rate->kind == LB_RATE_IN_BYTES
		    ? rate->per_second < LB_RATE_BYTES_MIN || rate->per_second > LB_RATE_BYTES_MAX
		    : !rate->per_second || rate->per_second > LB_RATE_MAX)
		return out_of_range(rate, text, err);
	return 0;
}

/* One rule, which is written into. */
static int read_rule(char *text, struct lb_vip_rate *rate, struct lb_err *err)
{
	char *amount = strchr(text, '='), *mode = strchr(text, ',');
	int which;

	if (!amount || amount[1] < '0' || amount[1] > '9' || (mode && mode < amount))
		return bad_form(text, err);
	*amount++ = '\0';
	if (mode)
		*mode++ = '\0';
	which = word_of(text, whose_words, "source",
			"rates are of source, source/24, source/48, source/128, or vip", err);
	if (which < 0)
		return -EINVAL;
	*rate = whose[which];
	if (mode && word_of(mode, mode_words, "mode", "behind the comma stands monitor, or nothing",
			    err) < 0)
		return -EINVAL;
	rate->monitor = mode != NULL;
	return read_amount(amount, rate, err);
}

static int add_rule(struct lb_vip_rates *rates, unsigned int count, char *text, struct lb_err *err)
{
	struct lb_vip_rate *rate = &rates->rule[count];

	if (count == LB_RATES_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "", "a VIP has at most %u rates",
				  LB_RATES_MAX);
	if (read_rule(text, rate, err))
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++)
		if (!memcmp(&rates->rule[i], rate, sizeof(*rate)))
			return lb_err_set(err, LB_ERR_PARAMS, "", "rate has a rule twice");
	return 0;
}

static int rates_read(const struct schema_field *field, const json_t *value, void *out,
		      struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : "none";
	struct lb_vip_rates rates = {0};
	unsigned int count = 0;
	char *copy, *rest = NULL;
	int error = 0;

	(void)field;
	copy = strdup(text);
	if (!copy)
		return lb_err_no_memory(err);
	if (strcmp(text, "none") != 0)
		for (char *rule = strtok_r(copy, " ", &rest); rule && !error;
		     rule = strtok_r(NULL, " ", &rest))
			error = add_rule(&rates, count++, rule, err);
	free(copy);
	if (!error && !count && strcmp(text, "none") != 0)
		error = bad_form(text, err);
	if (!error)
		memcpy(out, &rates, sizeof(rates));
	return error;
}

/* --- writing --- */

/* 9999, 10k, 12500, 2M */
static uint64_t shorten(uint64_t number, const char **suffix)
{
	static const char *const suffixes[] = {"", "k", "M", "G"};
	int thousands = 0;

	while (thousands < 3 && number % 1000 == 0 && (number >= 10000 || thousands)) {
		number /= 1000;
		thousands++;
	}
	*suffix = suffixes[thousands];
	return number;
}

const char *lb_rate_format(const struct lb_vip_rate *rate, char out[LB_RATE_TEXT])
{
	const char *suffix, *name = rate->of == LB_RATE_VIP ? "vip" : "source";
	const uint64_t number = shorten(rate->per_second, &suffix);
	char length[8] = "";

	if (rate->of == LB_RATE_PREFIX)
		snprintf(length, sizeof(length), "/%u", rate->length);
	snprintf(out, LB_RATE_TEXT, "%s%s=%" PRIu64 "%s%s%s", name, length, number, suffix,
		 unit_words[rate->kind], rate->monitor ? ",monitor" : "");
	return out;
}

static json_t *rates_write(const struct schema_field *field, const void *value)
{
	char all[LB_RATES_MAX * LB_RATE_TEXT] = "", one[LB_RATE_TEXT];
	const struct lb_vip_rates *rates = value;

	(void)field;
	for (unsigned int i = 0; i < LB_RATES_MAX && rates->rule[i].of; i++) {
		strcat(all, i ? " " : "");
		strcat(all, lb_rate_format(&rates->rule[i], one));
	}
	return json_string(*all ? all : "none");
}

const struct schema_kind lb_rates_kind = {"`none`, or rates", LB_JSON_STRING, rates_read,
					  rates_write, .owns = false};

/* --- of a VIP --- */

uint32_t lb_rate_length(const struct lb_vip_rate *rate, int family)
{
	if (rate->of == LB_RATE_SOURCE)
		return family == 4 ? 32 : 64;
	return rate->of == LB_RATE_PREFIX ? rate->length : 0;
}

static int check(const struct lb_vip_rate *rate, const struct lb_endpoint *vip, struct lb_err *err)
{
	const bool is4 = vip->address.family == 4;
	char text[LB_RATE_TEXT];

	if (rate->kind == LB_RATE_IN_SYNS && vip->protocol != IPPROTO_TCP) {
		lb_err_set(err, LB_ERR_PARAMS, "rate", "a VIP with a rate of SYNs must be TCP: %s",
			   lb_rate_format(rate, text));
		return lb_err_hint(err, "packets a second are pps");
	}
	if (rate->of != LB_RATE_PREFIX || is4 == (rate->length <= 32))
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "rate", "an %s VIP has no sources by /%u",
		   is4 ? "IPv4" : "IPv6", rate->length);
	return lb_err_hint(err, "%s",
			   is4 ? "give source (a /32) or source/24"
			       : "give source (a /64), source/48 or source/128");
}

int lb_rates_fit(const struct lb_vip_rates *rates, const struct lb_endpoint *vip,
		 struct lb_err *err)
{
	for (unsigned int i = 0; i < LB_RATES_MAX && rates->rule[i].of; i++)
		if (check(&rates->rule[i], vip, err))
			return -EINVAL;
	return 0;
}
