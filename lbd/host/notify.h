/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager is told: ready, stopping, a status line, and that the event loop still
 * turns. The protocol of sd_notify(3), without libsystemd. */
#ifndef LB_NOTIFY_H
#define LB_NOTIFY_H

#include "../api/err.h"

struct event_base;
struct notify;

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that programs that
 * lbd runs cannot speak for it. Where a watchdog is asked for (of this process), WATCHDOG=1 is sent
 * at half its time from `base`, for as long as that one turns.
 *
 * 0 and *out; *out is NULL where nobody wants to be told, which every function here takes.
 * -EINVAL and err: the environment holds something that cannot be right, which would otherwise show
 * only as a start that times out. */
int notify_open(struct event_base *base, struct notify **out, struct lb_err *err);
void notify_close(struct notify *notify);

/* 0 or -errno. Ready and stopping wait until the manager has room for them; a status is dropped
 * where it has none, and is one line, its newlines made blanks. */
int notify_ready(struct notify *notify);
int notify_stopping(struct notify *notify);
int notify_status(struct notify *notify, const char *status);

#endif
