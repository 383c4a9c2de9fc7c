/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show what came back from a backend that was probed? */
#include <string.h>
#include "advice.h"
#include "columns.h"
#include "view.h"

static bool is(const json_t *object, const char *field, const char *value)
{
	return strcmp(view_text(object, field), value) == 0;
}

static bool is_true(const json_t *object, const char *field)
{
	return json_is_true(json_object_get(object, field));
}

/* --- ICMP --- */

struct icmp_words {
	int type, code; /* code -1: any */
	const char *words;
};

static const struct icmp_words words4[] = {
	{3, 0, "network unreachable"},
	{3, 1, "host unreachable"},
	{3, 2, "protocol unreachable"},
	{3, 3, "port unreachable"},
	{3, 4, "fragmentation needed"},
	{3, 13, "administratively prohibited"},
	{3, -1, "destination unreachable"},
	{11, -1, "time exceeded"},
	{0, 0, NULL},
};
static const struct icmp_words words6[] = {
	{1, 0, "no route"},
	{1, 1, "administratively prohibited"},
	{1, 3, "address unreachable"},
	{1, 4, "port unreachable"},
	{1, -1, "destination unreachable"},
	{2, -1, "packet too big"},
	{3, -1, "time exceeded"},
	{4, 1, "next header not recognized"},
	{0, 0, NULL},
};

static const char *words_of(const struct icmp_words *words, long long type, long long code)
{
	while (words->words && (words->type != type || (words->code >= 0 && words->code != code)))
		words++;
	return words->words;
}

static void print_icmp(FILE *out, const json_t *icmp)
{
	const char *from = view_text(icmp, "from");
	const long long type = view_integer(icmp, "type"), code = view_integer(icmp, "code");
	const char *words = words_of(strchr(from, ':') ? words6 : words4, type, code);

	if (words)
		fprintf(out, "; ICMP %s from %s", words, from);
	else
		fprintf(out, "; ICMP type %lld code %lld from %s", type, code, from);
}

/* --- one check --- */

static void print_time(FILE *out, const json_t *attempt, const char *field, const char *words)
{
	if (json_object_get(attempt, field))
		fprintf(out, "%s%.1f ms", words, (double)view_integer(attempt, field) / 1000);
}

/* The first line of an answer, of which what is not printable came as "?". */
static void print_answer(FILE *out, const json_t *attempt)
{
	const char *answer = json_string_value(json_object_get(attempt, "answer"));

	if (answer)
		fprintf(out, ": \"%.*s\"",
			json_object_get(attempt, "status") ? (int)strcspn(answer, "?") : 64,
			answer);
}

static void print_attempt(FILE *out, const json_t *attempt)
{
	const json_t *icmp;
	size_t i;

	fprintf(out, "%s%s, %s packets\t",
		is(attempt, "source", "tunnel") ? "through the tunnel" : "directly",
		is_true(attempt, "own_address") ? " to its own address" : "",
		is_true(attempt, "full_mtu") ? "full" : "small");
	if (is(attempt, "outcome", "success")) {
		fprintf(out, "good");
		print_time(out, attempt, "duration_us", ", in ");
	} else {
		fprintf(out, "%s", view_text(attempt, "error"));
	}
	print_time(out, attempt, "connect_us", ", connected in ");
	print_answer(out, attempt);
	json_array_foreach (json_object_get(attempt, "icmp"), i, icmp)
		print_icmp(out, icmp);
	fputc('\n', out);
}

/* --- all of it --- */

static void print_attempts(FILE *out, const json_t *result)
{
	struct columns columns;
	const json_t *attempt;
	size_t i;

	columns_open(&columns);
	json_array_foreach (json_object_get(result, "attempts"), i, attempt)
		print_attempt(columns.rows, attempt);
	columns_close(&columns, out, 2, "l");
}

static void print_next_hop(FILE *out, const json_t *hop)
{
	if (!hop)
		return;
	fprintf(out, "  next hop %s by %s: %s\n", view_text(hop, "gateway"),
		view_text(hop, "interface"),
		is(hop, "state", "resolved") ? "resolved" : view_text(hop, "reason"));
}

static void print_title(FILE *out, const json_t *result)
{
	const char *vip = view_text(result, "vip");
	json_auto_t *address = advice_bare_address(vip);

	if (is(result, "address", json_string_value(address)))
		fprintf(out, "VIP %s, as clients ask it", vip);
	else
		fprintf(out, "backend %s of %s%s", view_text(result, "address"), vip,
			is_true(result, "in_pool") ? "" : ", not in the pool yet");
	fprintf(out, ": %s check %s\n", view_text(json_object_get(result, "check"), "type"),
		is_true(result, "healthy") ? "succeeds" : "fails");
}

void view_probe(FILE *out, const struct invocation *invocation, const json_t *result)
{
	json_auto_t *advice = advice_probe(result);

	(void)invocation;
	print_title(out, result);
	print_attempts(out, result);
	print_next_hop(out, json_object_get(result, "next_hop"));
	if (json_object_get(result, "refused"))
		fprintf(out, "  %s\n", view_text(result, "refused"));
	if (advice)
		fprintf(out, "  fix: %s\n", json_string_value(advice));
}

enum exit_code view_probe_judge(const json_t *result)
{
	return is_true(result, "healthy") ? EXIT_DONE : EXIT_DIFFERS;
}
