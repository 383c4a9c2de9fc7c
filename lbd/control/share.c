/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the clients of a socket share it? */
#include "share.h"

#include <stdlib.h>

struct share {
	struct share_limits limits;
	struct share_user *users;
	size_t clients, clients_of_others; /* other than root */
	size_t unread;
	uint64_t turns;    /* had so far */
	uint64_t ready_at; /* the next one, not before */
};

struct share *share_new(const struct share_limits *limits)
{
	struct share *share = calloc(1, sizeof(*share));

	if (share)
		share->limits = *limits;
	return share;
}

void share_free(struct share *share)
{
	while (share && share->users) {
		struct share_user *user = share->users;

		share->users = user->next;
		free(user);
	}
	free(share);
}

/* --- places --- */

static struct share_user *find_or_add(struct share *share, uid_t uid)
{
	struct share_user *user = share->users;

	while (user && user->uid != uid)
		user = user->next;
	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	user->turn = share->turns;
	user->next = share->users;
	share->users = user;
	return user;
}

static void forget(struct share *share, struct share_user *user)
{
	struct share_user **at = &share->users;

	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	free(user);
}

static bool has_place(const struct share *share, const struct share_user *user)
{
	const struct share_limits *limits = &share->limits;

	if (share_full(share))
		return false;
	if (!user->uid)
		return true;
	return user->clients < limits->clients_by_user &&
	       share->clients_of_others + limits->for_root < limits->clients;
}

struct share_user *share_enter(struct share *share, uid_t uid)
{
	struct share_user *user = find_or_add(share, uid);

	if (!user)
		return NULL;
	if (!has_place(share, user)) {
		if (!user->clients)
			forget(share, user);
		return NULL;
	}
	user->clients++;
	share->clients++;
	share->clients_of_others += uid != 0;
	return user;
}

void share_leave(struct share *share, struct share_user *user)
{
	share->clients--;
	share->clients_of_others -= user->uid != 0;
	if (!--user->clients)
		forget(share, user);
}

bool share_full(const struct share *share)
{
	return share->clients >= share->limits.clients;
}

/* --- turns --- */

void share_count(struct share *share)
{
	struct share_user *user;

	share->unread = 0;
	for (user = share->users; user; user = user->next)
		user->unread = 0;
}

void share_unread(struct share *share, struct share_user *user, size_t bytes)
{
	share->unread += bytes;
	user->unread += bytes;
}

bool share_may(const struct share *share, const struct share_user *user)
{
	const struct share_limits *limits = &share->limits;

	return (!limits->unread || share->unread <= limits->unread) &&
	       (!limits->unread_by_user || user->unread <= limits->unread_by_user);
}

bool share_before(const struct share_user *a, const struct share_user *b)
{
	return a->turn < b->turn;
}

void share_had(struct share *share, struct share_user *user, uint64_t began, uint64_t ended)
{
	user->turn = ++share->turns;
	share->ready_at = ended + (ended - began) * share->limits.rest;
}

uint64_t share_wait(const struct share *share, uint64_t now)
{
	return share->ready_at > now ? share->ready_at - now : 0;
}
