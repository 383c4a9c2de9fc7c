/* SPDX-License-Identifier: BSD-2-Clause */
/* Which neighbour entries has an lbd left behind that could not clean up? */
#include "nexthop_left.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>

struct left {
	bool (*in_use)(void *user, const struct netlink_neighbour *neighbour);
	void *user;
	struct netlink_neighbour *found;
	size_t count, room;
	bool no_memory;
};

static bool has_room(struct left *left)
{
	size_t room = left->room ? left->room * 2 : 64;
	struct netlink_neighbour *more;

	if (left->count < left->room)
		return true;
	more = reallocarray(left->found, room, sizeof(*more));
	if (!more)
		return false;
	left->found = more;
	left->room = room;
	return true;
}

/* A permanent entry is the operator's, whatever it carries. */
static void look_at(void *user, const struct netlink_neighbour *neighbour)
{
	struct left *left = user;

	if (!neighbour->ours || (neighbour->state & (NUD_PERMANENT | NUD_NOARP)) ||
	    (left->in_use && left->in_use(left->user, neighbour)))
		return;
	if (has_room(left))
		left->found[left->count++] = *neighbour;
	else
		left->no_memory = true;
}

int neighbours_release_left(struct netlink *netlink,
			    bool (*in_use)(void *user, const struct netlink_neighbour *neighbour),
			    void *user)
{
	struct left left = {.in_use = in_use, .user = user};
	int status = netlink_neighbours(netlink, look_at, &left);

	for (size_t i = 0; i < left.count; i++) {
		int error = netlink_neighbour_release(netlink, &left.found[i]);

		if (error && error != -ENOENT)
			status = error;
	}
	free(left.found);
	return left.no_memory ? -ENOMEM : status;
}
