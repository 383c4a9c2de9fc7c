/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the clients of a socket share it: places by user, and lbd's time? Pure: time goes in. */
#ifndef LB_CONTROL_SHARE_H
#define LB_CONTROL_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct share_limits {
	size_t clients;         /* at once */
	size_t clients_by_user; /* of one user other than root */
	size_t for_root;        /* places that only root gets */
	/* After a turn nobody has one for so many times as long as it took, so that all clients of
	 * the socket together take no more than 1 / (rest + 1) of the time; 0: at once. */
	uint32_t rest;
	/* Bytes of replies that wait to be read; a user above its bound gets no turn, and above
	 * that of all nobody does. 0: no bound. */
	size_t unread, unread_by_user;
};

struct share;

/* A user with clients at the socket. `unread` is the caller's to keep. */
struct share_user {
	struct share_user *next;
	uid_t uid;
	size_t clients;
	uint64_t turn; /* the number of the last one */
	size_t unread;
};

struct share *share_new(const struct share_limits *limits); /* NULL: no memory */
void share_free(struct share *share);

/* A client of the user comes or goes. NULL: no place is free for it. */
struct share_user *share_enter(struct share *share, uid_t uid);
void share_leave(struct share *share, struct share_user *user);
bool share_full(const struct share *share); /* not even for root is there a place */

/* Forgets what was counted of unread replies, to be counted again. */
void share_count(struct share *share);
void share_unread(struct share *share, struct share_user *user, size_t bytes);

/* Whether the user may have a turn, but for the time; and whether `a` comes before `b`: whose last
 * turn was longer ago. A user who has just come has waited for nothing yet. */
bool share_may(const struct share *share, const struct share_user *user);
bool share_before(const struct share_user *a, const struct share_user *b);
/* A turn was had. Times in nanoseconds. */
void share_had(struct share *share, struct share_user *user, uint64_t began, uint64_t ended);
/* How long until the next turn. */
uint64_t share_wait(const struct share *share, uint64_t now);

#endif
