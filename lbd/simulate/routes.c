/* SPDX-License-Identifier: BSD-2-Clause */
/* Which routes stand in the table that a routing daemon imports? Those that were added, in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../route/announce_routes.h"

struct announce_routes {
	struct announce_found there;
};

struct announce_routes *announce_routes_open(uint32_t table, uint8_t protocol)
{
	(void)table;
	(void)protocol;
	return calloc(1, sizeof(struct announce_routes));
}

void announce_routes_close(struct announce_routes *routes)
{
	if (routes)
		announce_found_clear(&routes->there);
	free(routes);
}

/* Nobody else can. */
int announce_routes_watch(struct announce_routes *routes, struct event_base *base,
			  void (*changed)(void *user), void *user)
{
	(void)routes;
	(void)base;
	(void)changed;
	(void)user;
	return 0;
}

int announce_routes_find(struct announce_routes *routes, struct announce_found *out)
{
	const size_t count = routes->there.count;

	*out = (struct announce_found){
		.ours = calloc(count + 1, sizeof(*out->ours)), .count = count, .room = count + 1};
	if (!out->ours) {
		*out = (struct announce_found){0};
		return -ENOMEM;
	}
	if (count)
		memcpy(out->ours, routes->there.ours, count * sizeof(*out->ours));
	return 0;
}

void announce_found_clear(struct announce_found *found)
{
	free(found->ours);
	*found = (struct announce_found){0};
}

/* Where it stands, or would stand. */
static size_t place_of(const struct announce_found *there, const struct lb_prefix *prefix)
{
	size_t low = 0, high = there->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (lb_prefix_compare(&there->ours[middle], prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int announce_routes_add(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	struct announce_found *there = &routes->there;
	const size_t place = place_of(there, prefix);
	struct lb_prefix *more = reallocarray(there->ours, there->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	there->ours = more;
	memmove(more + place + 1, more + place, (there->count++ - place) * sizeof(*more));
	more[place] = *prefix;
	return 0;
}

int announce_routes_remove(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	struct announce_found *there = &routes->there;
	const size_t place = place_of(there, prefix);

	if (place == there->count || lb_prefix_compare(&there->ours[place], prefix))
		return 0;
	memmove(there->ours + place, there->ours + place + 1,
		(--there->count - place) * sizeof(*there->ours));
	return 0;
}
