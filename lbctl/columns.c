/* SPDX-License-Identifier: BSD-2-Clause */
/* How are rows of cells aligned? */
#include "columns.h"
#include <err.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2

void columns_open(struct columns *columns)
{
	columns->rows = open_memstream(&columns->text, &columns->size);
	if (!columns->rows)
		err(1, "out of memory");
}

/* Characters of UTF-8, not bytes. */
static int width_of(const char *text, size_t bytes)
{
	int width = 0;

	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			width++;
	return width;
}

static void measure(const char *text, int widths[COLUMNS_MAX])
{
	size_t column = 0;

	while (*text) {
		size_t bytes = strcspn(text, "\t\n");
		int width = width_of(text, bytes);

		if (column < COLUMNS_MAX && width > widths[column])
			widths[column] = width;
		column = text[bytes] == '\t' ? column + 1 : 0;
		text += bytes + (text[bytes] != '\0');
	}
}

/* One row, up to and with its newline. Returns what follows. The last cell is not padded on its
 * right. */
static const char *print_row(FILE *out, const char *text, const int widths[COLUMNS_MAX],
			     const char *align)
{
	size_t bytes;

	for (size_t column = 0;; column++) {
		int padding;

		bytes = strcspn(text, "\t\n");
		padding = column < COLUMNS_MAX ? widths[column] - width_of(text, bytes) : 0;
		if (column < strlen(align) && align[column] == 'r') {
			fprintf(out, "%*s", padding, "");
			padding = 0;
		}
		fwrite(text, 1, bytes, out);
		text += bytes;
		if (*text != '\t')
			break;
		fprintf(out, "%*s", padding + GAP, "");
		text++;
	}
	fputc('\n', out);
	return text + (*text != '\0');
}

void columns_close(struct columns *columns, FILE *out, int indent, const char *align)
{
	int widths[COLUMNS_MAX] = {0};
	const char *text;

	if (fclose(columns->rows))
		err(1, "out of memory");
	measure(columns->text, widths);
	for (text = columns->text; *text;) {
		fprintf(out, "%*s", indent, "");
		text = print_row(out, text, widths, align);
	}
	free(columns->text);
}
