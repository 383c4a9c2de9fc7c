/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the service manager learn how lbd is doing? */
#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "notify.h"

#define STATUS_MAX 512

struct notify {
	int fd;
	/* Sent to, not connected: the manager may make a new socket while lbd runs. */
	struct sockaddr_un address;
	socklen_t address_length;
	struct event *watchdog; /* NULL: not asked for */
};

static int notify_send(struct notify *notify, const char *text, int flags)
{
	ssize_t sent;

	if (!notify)
		return 0;
	do
		sent = sendto(notify->fd, text, strlen(text), flags | MSG_NOSIGNAL,
			      (const struct sockaddr *)&notify->address, notify->address_length);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* --- the environment, which is trusted no further than a start goes --- */

static int parse_number(const char *text, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

static int parse_address(const char *text, struct notify *notify, struct lb_err *err)
{
	struct sockaddr_un *address = &notify->address;
	size_t length = strlen(text);

	if ((*text != '/' && *text != '@') || length < 2 || length >= sizeof(address->sun_path)) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "NOTIFY_SOCKET is no socket's path: \"%s\"",
			   text);
		return lb_err_hint(err, "unset it, or start lbd as a service of Type=notify");
	}
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, text, length);
	if (*text == '@') /* an abstract name, as it is written: unix(7) */
		address->sun_path[0] = '\0';
	notify->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return 0;
}

/* How often to tell the watchdog, 0 for never. It may be another process that it waits for: then
 * the variables were inherited. */
static int parse_watchdog(uint64_t *period_us, struct lb_err *err)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t timeout, process = (uint64_t)getpid();

	*period_us = 0;
	if (!usec)
		return 0;
	if (parse_number(usec, &timeout) || timeout < 2)
		return lb_err_set(err, LB_ERR_SYSTEM, "",
				  "WATCHDOG_USEC is no number of microseconds: \"%s\"", usec);
	if (pid && parse_number(pid, &process))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "WATCHDOG_PID is no process: \"%s\"",
				  pid);
	if (process == (uint64_t)getpid())
		*period_us = timeout / 2;
	return 0;
}

/* --- open and close --- */

static void on_watchdog(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	/* One that finds no room is as good as sent: there are others before it. */
	notify_send(user, "WATCHDOG=1", MSG_DONTWAIT);
}

static int start_watchdog(struct event_base *base, struct notify *notify, uint64_t period_us,
			  struct lb_err *err)
{
	const struct timeval period = {
		.tv_sec = (time_t)(period_us / 1000000),
		.tv_usec = (suseconds_t)(period_us % 1000000),
	};

	if (!period_us)
		return 0;
	notify->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, notify);
	if (!notify->watchdog || event_add(notify->watchdog, &period))
		return lb_err_no_memory(err);
	return 0;
}

static int open_with(struct event_base *base, const char *path, struct notify *notify,
		     struct lb_err *err)
{
	uint64_t period_us;

	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot make a socket: %s",
				  strerror(errno));
	if (parse_address(path, notify, err) || parse_watchdog(&period_us, err))
		return -EINVAL;
	return start_watchdog(base, notify, period_us, err);
}

int notify_open(struct event_base *base, struct notify **out, struct lb_err *err)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int error = 0;

	*out = path ? calloc(1, sizeof(**out)) : NULL;
	if (path)
		error = *out ? open_with(base, path, *out, err) : lb_err_no_memory(err);
	if (error) {
		notify_close(*out);
		*out = NULL;
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return error;
}

void notify_close(struct notify *notify)
{
	if (!notify)
		return;
	if (notify->watchdog)
		event_free(notify->watchdog);
	if (notify->fd >= 0)
		close(notify->fd);
	free(notify);
}

/* --- what is told --- */

int notify_ready(struct notify *notify)
{
	return notify_send(notify, "READY=1", 0);
}

int notify_stopping(struct notify *notify)
{
	return notify_send(notify, "STOPPING=1", 0);
}

int notify_status(struct notify *notify, const char *status)
{
	char text[STATUS_MAX];

	snprintf(text, sizeof(text), "STATUS=%s", status);
	/* Another line would be another message. */
	for (char *at = text; (at = strchr(at, '\n'));)
		*at = ' ';
	return notify_send(notify, text, MSG_DONTWAIT);
}
