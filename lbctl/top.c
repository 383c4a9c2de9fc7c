/* SPDX-License-Identifier: BSD-2-Clause */
/* What is going on right now? A screen of rates, the fastest first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "args.h"
#include "sampler.h"
#include "stats.h"
#include "units.h"
#include "view.h"

#define COLUMNS 80
#define NAME 30 /* columns of it */
#define BAR 20
#define BACKENDS 3 /* shown of a VIP */

#define SCREEN_OPEN "\033[?1049h\033[?25l" /* a screen of its own, without a cursor */
#define SCREEN_CLOSE "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define LINE_END "\033[K\n"
#define SCREEN_REST "\033[J"

static double rate(const json_t *object)
{
	return view_number(object, "packets_per_s");
}

/* Fastest first; those that are equal stay in order. */
static int compare(const void *a, const void *b)
{
	const json_t *const *left = a, *const *right = b;
	double difference = rate(*right) - rate(*left);

	return difference > 0 ? 1 : difference < 0 ? -1 : 0;
}

/* The entries of an array by rate; freed by the caller. NULL: none, or no memory. */
static const json_t **sorted(const json_t *array, size_t *count)
{
	const json_t **entries = calloc(json_array_size(array) + 1, sizeof(*entries));
	const json_t *entry;
	size_t i;

	*count = 0;
	if (!entries)
		return NULL;
	json_array_foreach (array, i, entry)
		entries[(*count)++] = entry;
	if (*count)
		qsort(entries, *count, sizeof(*entries), compare);
	return entries;
}

static const char *bar(double share, char out[BAR + 1])
{
	int length = share > 0 ? (int)(share * BAR + 0.5) : 0;

	length = length > BAR ? BAR : length;
	memset(out, '#', (size_t)length);
	out[length] = '\0';
	return out;
}

static void print_row(FILE *out, int indent, const char *name, const json_t *object, double whole)
{
	char packets[UNITS_TEXT], bits[UNITS_TEXT], text[BAR + 1];

	fprintf(out, "%*s%-*.*s %12s %14s  %s\n", indent, "", NAME - indent, NAME - indent, name,
		units_number((long long)(rate(object) + 0.5), packets),
		units_bits(view_number(object, "bits_per_s"), bits),
		bar(whole > 0 ? rate(object) / whole : 0, text));
}

static void print_vip(FILE *out, const json_t *vip, double most)
{
	size_t count, i;
	const json_t **backends = sorted(json_object_get(vip, "backends"), &count);

	print_row(out, 0, view_text(vip, "name"), vip, most);
	for (i = 0; backends && i < count && i < BACKENDS && rate(backends[i]) > 0; i++)
		print_row(out, 2, view_text(backends[i], "address"), backends[i], most);
	free(backends);
}

static void print_vips(FILE *out, const json_t *result)
{
	size_t count, i;
	const json_t **vips = sorted(json_object_get(result, "vips"), &count);

	fprintf(out, "%-*s %12s %14s\n", NAME, "VIP, fastest backends", "packets/s", "bit/s");
	for (i = 0; vips && i < count; i++)
		print_vip(out, vips[i], rate(vips[0]));
	if (!count)
		fprintf(out, "no VIPs\n");
	free(vips);
}

static double sum(const json_t *verdicts, const char *action)
{
	const json_t *verdict;
	double packets = 0;
	size_t i;

	json_array_foreach (verdicts, i, verdict)
		if (strcmp(view_text(verdict, "action"), action) == 0)
			packets += rate(verdict);
	return packets;
}

static void print_sums(FILE *out, const json_t *verdicts)
{
	static const char *const sums[][2] = {{"forward", "forwarded"},
					      {"drop", "dropped"},
					      {"answer", "answered"},
					      {"pass", "passed"}};
	char packets[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++)
		fprintf(out, "%s%s %s/s", i ? ", " : "", sums[i][1],
			units_number((long long)(sum(verdicts, sums[i][0]) + 0.5), packets));
	fputc('\n', out);
}

/* Those that lose packets, with the reason. */
static void print_drops(FILE *out, const json_t *result)
{
	size_t count, i;
	const json_t **verdicts = sorted(json_object_get(result, "verdicts"), &count);
	char packets[UNITS_TEXT];

	for (i = 0; verdicts && i < count; i++)
		if (rate(verdicts[i]) > 0 && !strcmp(view_text(verdicts[i], "action"), "drop"))
			fprintf(out, "%-22s %8s/s  %s\n", view_text(verdicts[i], "name"),
				units_number((long long)(rate(verdicts[i]) + 0.5), packets),
				view_text(verdicts[i], "meaning"));
	free(verdicts);
}

static void print_interfaces(FILE *out, const json_t *result)
{
	const json_t *interface;
	char bits[UNITS_TEXT], packets[UNITS_TEXT];
	size_t i;

	json_array_foreach (json_object_get(result, "interfaces"), i, interface) {
		fprintf(out, "%-15s", view_text(interface, "name"));
		fprintf(out, " in %s packets/s %s",
			units_number((long long)view_number(interface, "rx_packets_per_s"),
				     packets),
			units_bits(view_number(interface, "rx_bits_per_s"), bits));
		fprintf(out, ", out %s packets/s %s\n",
			units_number((long long)view_number(interface, "tx_packets_per_s"),
				     packets),
			units_bits(view_number(interface, "tx_bits_per_s"), bits));
	}
}

/* What has to be seen first, since a small screen ends early: drops before VIPs. */
void view_top(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	if (json_is_true(json_object_get(result, "simulated")))
		fprintf(out, "simulated: no packet is balanced\n");
	print_sums(out, json_object_get(result, "verdicts"));
	print_interfaces(out, result);
	print_drops(out, result);
	fputc('\n', out);
	print_vips(out, result);
}

/* --- the screen --- */

static void screen_size(unsigned short *lines, unsigned short *columns)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*lines = size.ws_row ? size.ws_row : 24;
	*columns = size.ws_col ? size.ws_col : COLUMNS;
}

/* Bytes of the line that fit so many columns; characters of UTF-8 stay whole. */
static int fitting(const char *line, size_t bytes, unsigned short columns)
{
	size_t at = 0;

	while (at < bytes) {
		if (((unsigned char)line[at] & 0xc0) != 0x80 && columns-- == 0)
			break;
		at++;
	}
	return (int)at;
}

static void draw(FILE *out, const char *text)
{
	unsigned short lines, columns;

	screen_size(&lines, &columns);
	fputs(SCREEN_HOME, out);
	while (*text && --lines) {
		size_t bytes = strcspn(text, "\n");

		fprintf(out, "%.*s" LINE_END, fitting(text, bytes, columns), text);
		text += bytes + (text[bytes] != '\0');
	}
	fputs(SCREEN_REST, out);
}

static void show(const struct invocation *invocation, struct output *output, const json_t *result,
		 bool screen)
{
	char *text = NULL;
	size_t size;
	FILE *page;

	if (!screen || invocation->json) {
		output_result(output, invocation, result);
		return;
	}
	page = open_memstream(&text, &size);
	if (!page)
		return;
	view_top(page, invocation, result);
	fclose(page);
	draw(output->out, text);
	free(text);
}

enum exit_code top_run(const struct invocation *invocation, struct output *output)
{
	const bool screen = isatty(STDOUT_FILENO) && !invocation->json;
	struct sampler sampler;
	struct lb_err err = {0};
	const json_t *result;
	int status = sampler_open(&sampler, invocation, NULL, &err);

	if (!status && screen)
		fputs(SCREEN_OPEN, output->out);
	if (!status)
		status = sampler_next(&sampler, &result, &err);
	while (status > 0) {
		show(invocation, output, result, screen);
		output_flush(output);
		if (!screen || output->error)
			break;
		status = sampler_next(&sampler, &result, &err);
	}
	if (screen) {
		fputs(SCREEN_CLOSE, output->out);
		output_flush(output);
	}
	sampler_close(&sampler);
	return status < 0 ? output_error(output, invocation, &err) : EXIT_DONE;
}
