/* SPDX-License-Identifier: BSD-2-Clause */
/* How are rows of cells aligned? Rows are printed into a stream with tabs between cells, and come
 * out in columns. */
#ifndef LBCTL_COLUMNS_H
#define LBCTL_COLUMNS_H

#include <stdio.h>

#define COLUMNS_MAX 8

struct columns {
	FILE *rows; /* one line a row, cells separated by tabs */
	char *text;
	size_t size;
};

void columns_open(struct columns *columns);
/* Prints the rows, each after `indent` spaces. `align` has a letter a column: l or r; l where it
 * ends. */
void columns_close(struct columns *columns, FILE *out, int indent, const char *align);

#endif
