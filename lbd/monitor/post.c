/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a message get to a URL? */
#include "post.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/spawn.h"

#define GRACE_S 2 /* that curl has, beyond its own time, before it is killed */
#define CPU_S 30
#define DYING_MS 100     /* how long the end of a killed one is waited for at the very end */
#define BODY_BYTES 16384 /* of an answer; what is beyond is not kept */
#define ERRORS_BYTES 1024

/* What curl writes to one of its streams. */
struct output {
	int fd;
	struct event *event;
	char *data;
	size_t length, room;
};

struct post {
	struct post_options options;
	struct event *timer, *ended;
	struct output body, errors;
	char body_room[BODY_BYTES], errors_room[ERRORS_BYTES];
	pid_t pid; /* 0: none runs */
	int pidfd;
};

/* --- what curl says --- */

/* The number of bytes that were there; 0 at the end. */
static ssize_t output_read(struct output *output)
{
	char piece[4096];
	const ssize_t length = read(output->fd, piece, sizeof(piece));
	const size_t room = output->room - output->length;

	if (length > 0) {
		const size_t kept = (size_t)length < room ? (size_t)length : room;

		memcpy(output->data + output->length, piece, kept);
		output->length += kept;
	}
	return length;
}

static void on_output(evutil_socket_t fd, short events, void *user)
{
	struct output *output = user;

	(void)fd;
	(void)events;
	if (output_read(output) == 0)
		event_del(output->event);
}

static int output_open(struct event_base *base, struct output *output, int *write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	output->fd = ends[0];
	output->length = 0;
	*write_fd = ends[1];
	fcntl(output->fd, F_SETFL, O_NONBLOCK);
	output->event = event_new(base, output->fd, EV_READ | EV_PERSIST, on_output, output);
	return output->event && !event_add(output->event, NULL) ? 0 : -ENOMEM;
}

static void output_close(struct output *output)
{
	if (output->event)
		event_free(output->event);
	if (output->fd >= 0)
		close(output->fd);
	output->event = NULL;
	output->fd = -1;
}

/* --- its end --- */

static void clear(struct post *post)
{
	output_close(&post->body);
	output_close(&post->errors);
	if (post->ended)
		event_free(post->ended);
	post->ended = NULL;
	if (post->pidfd >= 0)
		close(post->pidfd);
	post->pidfd = -1;
	post->pid = 0;
	evtimer_del(post->timer);
}

/* "200 SECONDS" where curl has ended well, and else "curl: (7) …". */
static void read_errors(const char *text, int status, struct answer *out)
{
	char word[sizeof(out->retry_after)] = "";

	if (WIFEXITED(status) && !WEXITSTATUS(status) &&
	    sscanf(text, "%d %63[^\r\n]", &out->status, word) >= 1 && out->status >= 100) {
		memcpy(out->retry_after, word, sizeof(word));
		return;
	}
	out->status = 0;
	if (WIFSIGNALED(status))
		snprintf(out->error, sizeof(out->error), "curl was ended by signal %d",
			 WTERMSIG(status));
	else
		snprintf(out->error, sizeof(out->error), "%.*s", (int)strcspn(text, "\r\n"),
			 *text ? text : "curl gives no reason");
}

static void finish(struct post *post, int status)
{
	struct answer answer = {.body = post->body_room};

	while (output_read(&post->body) > 0)
		;
	while (output_read(&post->errors) > 0)
		;
	answer.body_length = post->body.length;
	post->errors_room[post->errors.length] = '\0';
	read_errors(post->errors_room, status, &answer);
	clear(post);
	post->options.done(post->options.user, &answer);
}

static void on_ended(evutil_socket_t fd, short events, void *user)
{
	struct post *post = user;
	int status = 0;

	(void)fd;
	(void)events;
	kill(-post->pid, SIGKILL);
	waitpid(post->pid, &status, 0); /* it has ended, so this does not block */
	finish(post, status);
}

static void on_timer(evutil_socket_t fd, short events, void *user)
{
	const struct post *post = user;

	(void)fd;
	(void)events;
	kill(-post->pid, SIGKILL);
}

/* --- its beginning --- */

/* A descriptor from which these bytes can be read, or -errno. */
static int memory_file(const char *bytes, size_t length)
{
	const int fd = memfd_create("lbd", MFD_CLOEXEC);
	int fault;

	if (fd < 0)
		return -errno;
	if (write(fd, bytes, length) == (ssize_t)length && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	fault = errno ? errno : EIO;
	close(fd);
	return -fault;
}

static int settings_file(const struct post_options *options)
{
	char *text = NULL;
	int length, fd;

	length = asprintf(
		&text,
		"url = \"%s\"\nmax-time = %u\n"
		"silent\nshow-error\ngloboff\nnoproxy = \"*\"\nproto = \"=http,https\"\n"
		"data-binary = \"@/proc/self/fd/3\"\nheader = \"Content-Type: application/json\"\n"
		"header = \"Content-Encoding: gzip\"\nheader = \"Expect:\"\n"
		"write-out = \"%%{stderr}%%{http_code} %%header{retry-after}\\n\"\n%s",
		options->url, options->timeout_s, options->settings);
	if (length < 0)
		return -ENOMEM;
	fd = memory_file(text, (size_t)length);
	free(text);
	return fd;
}

/* 0 or -errno. */
static int run(struct post *post, int settings, int message)
{
	/* -q: no .curlrc of whoever that is. */
	static char *const arguments[] = {"curl", "-q", "--config", "-", NULL};
	static char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	int output = -1, errors = -1, error;

	error = output_open(post->options.base, &post->body, &output);
	if (!error)
		error = output_open(post->options.base, &post->errors, &errors);
	if (!error) {
		const struct spawn program = {
			.path = post->options.program,
			.arguments = arguments,
			.environment = environment,
			.input = settings,
			.output = output,
			.errors = errors,
			.more = message,
			.uid = post->options.uid,
			.gid = post->options.gid,
			.cpu_s = CPU_S,
		};

		error = -spawn(&program, &post->pid);
		if (error)
			post->pid = 0;
	}
	if (output >= 0)
		close(output);
	if (errors >= 0)
		close(errors);
	return error;
}

/* Follows the process; what fails here ends it. 0 or -errno. */
static int follow(struct post *post)
{
	const struct timeval most = {.tv_sec = post->options.timeout_s + GRACE_S};
	int error = -ENOMEM;

	post->pidfd = pidfd_open(post->pid, 0);
	if (post->pidfd < 0)
		error = -errno;
	else
		post->ended = event_new(post->options.base, post->pidfd, EV_READ, on_ended, post);
	if (post->ended && !event_add(post->ended, NULL) && !evtimer_add(post->timer, &most))
		return 0;
	kill(-post->pid, SIGKILL);
	waitpid(post->pid, NULL, 0);
	return error;
}

int post_begin(struct post *post, const char *body, size_t length)
{
	const int settings = settings_file(&post->options);
	const int message = memory_file(body, length);
	int error = settings < 0 ? settings : message < 0 ? message : 0;

	if (!error)
		error = run(post, settings, message);
	if (!error)
		error = follow(post);
	if (settings >= 0)
		close(settings);
	if (message >= 0)
		close(message);
	if (error)
		clear(post);
	return error;
}

/* --- life --- */

struct post *post_new(const struct post_options *options)
{
	struct post *post = calloc(1, sizeof(*post));

	if (!post)
		return NULL;
	post->options = *options;
	post->pidfd = post->body.fd = post->errors.fd = -1;
	post->body.data = post->body_room;
	post->body.room = sizeof(post->body_room);
	post->errors.data = post->errors_room;
	post->errors.room = sizeof(post->errors_room) - 1;
	post->timer = evtimer_new(options->base, on_timer, post);
	if (post->timer)
		return post;
	free(post);
	return NULL;
}

void post_free(struct post *post)
{
	struct pollfd end = {.events = POLLIN};

	if (!post)
		return;
	if (post->pid) {
		end.fd = post->pidfd;
		kill(-post->pid, SIGKILL);
		poll(&end, 1, DYING_MS);
		waitpid(post->pid, NULL, WNOHANG); /* else it is left to init */
		clear(post);
	}
	event_free(post->timer);
	free(post);
}
