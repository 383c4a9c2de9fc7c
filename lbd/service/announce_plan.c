/* SPDX-License-Identifier: BSD-2-Clause */
/* Which routes should the network learn from this node? */
#include "announce_plan.h"

#include <stdlib.h>

uint32_t announce_needed(uint32_t all, uint32_t least, uint32_t percent)
{
	const uint32_t share = (uint32_t)(((uint64_t)all * percent + 99) / 100);

	if (percent && !share) /* a share of nothing is nobody */
		return least ? least : 1;
	return share > least ? share : least;
}

/* Neither way as long as backends of which nothing is known yet could turn it: so an lbd that has
 * just started keeps what the one before it had. */
enum announce_wish announce_wish(const struct announce_health *health)
{
	if (health->healthy >= health->needed)
		return ANNOUNCE_YES;
	return health->all - health->unhealthy < health->needed ? ANNOUNCE_NO : ANNOUNCE_KEEP;
}

/* --- merging --- */

/* Of one prefix the one that prevails comes first. */
static int compare_wants(const void *a, const void *b)
{
	const struct announce_want *left = a, *right = b;
	const int order = lb_prefix_compare(&left->prefix, &right->prefix);

	return order ? order : (int)right->wish - (int)left->wish;
}

size_t announce_merge(struct announce_want *wants, size_t count)
{
	size_t n = 0;

	qsort(wants, count, sizeof(*wants), compare_wants);
	for (size_t i = 0; i < count; i++)
		if (!n || lb_prefix_compare(&wants[n - 1].prefix, &wants[i].prefix))
			wants[n++] = wants[i];
	return n;
}

/* --- steps --- */

struct steps {
	struct announce_step *at;
	size_t count;
};

static void step(struct steps *steps, const struct lb_prefix *prefix, size_t want, bool add)
{
	steps->at[steps->count++] =
		(struct announce_step){.prefix = *prefix, .want = want, .add = add};
}

/* Both lists are sorted. `adds`: which of the steps. */
static void take_steps(struct steps *steps, const struct announce_want *wants, size_t want_count,
		       const struct lb_prefix *found, size_t found_count, bool adds)
{
	size_t i = 0, j = 0;

	while (i < want_count || j < found_count) {
		int order = i == want_count ? 1 : -1;

		if (i < want_count && j < found_count)
			order = lb_prefix_compare(&wants[i].prefix, &found[j]);
		if (order < 0 && adds && wants[i].wish == ANNOUNCE_YES)
			step(steps, &wants[i].prefix, i, true);
		else if (order == 0 && !adds && wants[i].wish == ANNOUNCE_NO)
			step(steps, &found[j], i, false);
		else if (order > 0 && !adds)
			step(steps, &found[j], ANNOUNCE_NOBODY, false);
		i += order <= 0;
		j += order >= 0;
	}
}

size_t announce_plan(const struct announce_want *wants, size_t want_count,
		     const struct lb_prefix *found, size_t found_count, struct announce_step *out)
{
	struct steps steps = {.at = out};

	take_steps(&steps, wants, want_count, found, found_count, false);
	take_steps(&steps, wants, want_count, found, found_count, true);
	return steps.count;
}
