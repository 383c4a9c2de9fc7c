/* SPDX-License-Identifier: BSD-2-Clause */
/* links_tool TIMES NAME…: reads the list of links so often. Fails when one of these links, which
 * are there all the time, is missing or double in some list, or a list could not be read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/route/links.h"

static int times_listed(const struct links *links, const char *name)
{
	int times = 0;

	for (size_t i = 0; i < links->count; i++)
		times += !strcmp(links->link[i].name, name);
	return times;
}

/* Whether each name is listed once. */
static bool is_whole(const struct links *links, char **names)
{
	for (; *names; names++)
		if (times_listed(links, *names) != 1)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	long times = argc > 2 ? atol(argv[1]) : 0, faults = 0, wrong = 0;
	struct links links;

	for (long i = 0; i < times; i++) {
		int error = links_read(&links);

		faults += error != 0;
		wrong += !error && !is_whole(&links, argv + 2);
		links_clear(&links);
	}
	printf("%ld lists, %ld of them not whole, %ld could not be read\n", times, wrong, faults);
	return times > 0 && !wrong && !faults ? EXIT_SUCCESS : EXIT_FAILURE;
}
