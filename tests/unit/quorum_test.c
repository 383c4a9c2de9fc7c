/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a backend what most nodes see of it? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "../../lbd/service/quorum.h"

/* Views as letters: h, u, and - for a node without one; this node's first. */
static const struct {
	const char *views;
	enum health_status expected;
} rows[] = {
	{"-", HEALTH_UNKNOWN},     {"---", HEALTH_UNKNOWN},    {"h", HEALTH_HEALTHY},
	{"u", HEALTH_UNHEALTHY},   {"hh", HEALTH_HEALTHY},     {"uu", HEALTH_UNHEALTHY},
	{"uh", HEALTH_HEALTHY},    {"hu", HEALTH_HEALTHY},     {"uhh", HEALTH_HEALTHY},
	{"huu", HEALTH_UNHEALTHY}, {"uuh", HEALTH_UNHEALTHY},  {"-u", HEALTH_UNHEALTHY},
	{"-uh", HEALTH_HEALTHY},   {"-uuh", HEALTH_UNHEALTHY}, {"uuhh", HEALTH_HEALTHY},
	{"u--", HEALTH_UNHEALTHY},
};

static enum health_status letter(char view)
{
	return view == 'h' ? HEALTH_HEALTHY : view == 'u' ? HEALTH_UNHEALTHY : HEALTH_UNKNOWN;
}

static void more_than_half_of_those_with_a_view_make_it_unhealthy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *views = rows[i].views;
		struct quorum others = {0};

		for (size_t node = 1; node < strlen(views); node++) {
			others.healthy |= (uint64_t)(views[node] == 'h') << (node - 1);
			others.unhealthy |= (uint64_t)(views[node] == 'u') << (node - 1);
		}
		if (quorum_state(&others, letter(views[0])) != rows[i].expected)
			fail_msg("%s", views);
	}
}

static void each_of_64_nodes_counts(void **state)
{
	struct quorum others = {.healthy = UINT32_MAX, .unhealthy = (uint64_t)0x7fffffff << 32};

	(void)state;
	assert_int_equal(quorum_state(&others, HEALTH_UNHEALTHY), HEALTH_HEALTHY);
	others.healthy >>= 1;
	assert_int_equal(quorum_state(&others, HEALTH_UNHEALTHY), HEALTH_UNHEALTHY);
	assert_int_equal(quorum_count(&others, HEALTH_UNHEALTHY, HEALTH_UNHEALTHY), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_half_of_those_with_a_view_make_it_unhealthy),
		cmocka_unit_test(each_of_64_nodes_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
