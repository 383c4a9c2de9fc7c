/* SPDX-License-Identifier: BSD-2-Clause */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DYING_MS 100

/* --- what it writes --- */

/* The number of bytes that were there; 0 at the end. */
static ssize_t read_piece(struct child_output *output)
{
	char piece[4096];
	const ssize_t length = read(output->fd, piece, sizeof(piece));
	const size_t room = output->room - 1 - output->length;

	if (length > 0) {
		const size_t kept = (size_t)length < room ? (size_t)length : room;

		memcpy(output->text + output->length, piece, kept);
		output->length += kept;
	}
	return length;
}

static void on_output(evutil_socket_t fd, short events, void *user)
{
	struct child_output *output = user;

	(void)fd;
	(void)events;
	if (read_piece(output) == 0)
		event_del(output->event);
}

static int open_output(struct event_base *base, struct child_output *output, int *write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	output->fd = ends[0];
	*write_fd = ends[1];
	fcntl(output->fd, F_SETFL, O_NONBLOCK); /* our end alone: the program's blocks as usual */
	output->event = event_new(base, output->fd, EV_READ | EV_PERSIST, on_output, output);
	return output->event && !event_add(output->event, NULL) ? 0 : -ENOMEM;
}

static void close_output(struct child_output *output)
{
	if (output->event)
		event_free(output->event);
	output->event = NULL;
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

/* What is still in the pipe when the program has ended, as far as there is room. */
static void finish_output(struct child_output *output)
{
	while (output->length + 1 < output->room && read_piece(output) > 0)
		;
	output->text[output->length] = '\0';
}

/* --- its end --- */

static void clear(struct child *child)
{
	close_output(&child->output);
	close_output(&child->errors);
	if (child->event)
		event_free(child->event);
	child->event = NULL;
	if (child->pidfd >= 0)
		close(child->pidfd);
	child->pidfd = -1;
	child->pid = 0;
}

static void on_ended(evutil_socket_t fd, short events, void *user)
{
	struct child *child = user;
	int status = 0, error;

	(void)fd;
	(void)events;
	child_kill(child);
	error = waitpid(child->pid, &status, 0) < 0 ? errno
						    : 0; /* it has ended, so this does not block */
	finish_output(&child->output);
	finish_output(&child->errors);
	clear(child);
	child->ended(child->user, status, error);
}

void child_kill(const struct child *child)
{
	kill(-child->pid, SIGKILL);
}

void child_stop(struct child *child)
{
	struct pollfd end = {.fd = child->pidfd, .events = POLLIN};

	if (!child->pid)
		return;
	child_kill(child);
	poll(&end, 1, DYING_MS);
	waitpid(child->pid, NULL, WNOHANG);
	clear(child);
}

/* --- its beginning --- */

/* Follows one that runs already; what fails here ends it. 0 or -errno. */
static int follow(struct child *child, struct event_base *base)
{
	int error = -ENOMEM;

	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd < 0)
		error = -errno;
	else
		child->event = event_new(base, child->pidfd, EV_READ, on_ended, child);
	if (child->event && !event_add(child->event, NULL))
		return 0;
	child_kill(child);
	waitpid(child->pid, NULL, 0);
	return error;
}

int child_start(struct child *child, struct event_base *base, const struct spawn *program)
{
	struct spawn piped = *program;
	int error;

	piped.output = piped.errors = child->pidfd = child->output.fd = child->errors.fd = -1;
	child->output.event = child->errors.event = child->event = NULL;
	child->output.length = child->errors.length = 0;
	error = open_output(base, &child->output, &piped.output);
	if (!error)
		error = open_output(base, &child->errors, &piped.errors);
	if (!error)
		error = -spawn(&piped, &child->pid);
	if (!error)
		error = follow(child, base);
	if (piped.output >= 0)
		close(piped.output);
	if (piped.errors >= 0)
		close(piped.errors);
	if (error)
		clear(child);
	return error;
}
