/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a message get to a URL? */
#include "post.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/child.h"

#define GRACE_S 2 /* that curl has, beyond its own time, before it is killed */
#define CPU_S 30
#define BODY_BYTES 16384 /* of an answer; what is beyond is not kept */
#define ERRORS_BYTES 1024

struct post {
	struct post_options options;
	struct event *timer;
	struct child curl;
	char body[BODY_BYTES], errors[ERRORS_BYTES];
};

/* --- its end --- */

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

static void on_ended(void *user, int status, int error)
{
	struct post *post = user;
	struct answer answer = {.body = post->body, .body_length = post->curl.output.length};

	evtimer_del(post->timer);
	if (error)
		snprintf(answer.error, sizeof(answer.error),
			 "the exit status of curl is not known: %s", strerror(error));
	else
		read_errors(post->errors, status, &answer);
	post->options.done(post->options.user, &answer);
}

static void on_timer(evutil_socket_t fd, short events, void *user)
{
	const struct post *post = user;

	(void)fd;
	(void)events;
	child_kill(&post->curl);
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
	const struct timeval most = {.tv_sec = post->options.timeout_s + GRACE_S};
	const struct spawn program = {
		.path = post->options.program,
		.arguments = arguments,
		.environment = environment,
		.input = settings,
		.more = message,
		.uid = post->options.uid,
		.gid = post->options.gid,
		.cpu_s = CPU_S,
	};
	int error = child_start(&post->curl, post->options.base, &program);

	if (!error && evtimer_add(post->timer, &most)) {
		child_stop(&post->curl);
		error = -ENOMEM;
	}
	return error;
}

int post_begin(struct post *post, const char *body, size_t length)
{
	const int settings = settings_file(&post->options);
	const int message = memory_file(body, length);
	int error = settings < 0 ? settings : message < 0 ? message : 0;

	if (!error)
		error = run(post, settings, message);
	if (settings >= 0)
		close(settings);
	if (message >= 0)
		close(message);
	return error;
}

/* --- life --- */

struct post *post_new(const struct post_options *options)
{
	struct post *post = calloc(1, sizeof(*post));

	if (!post)
		return NULL;
	post->options = *options;
	post->curl = (struct child){
		.output = {.text = post->body, .room = sizeof(post->body)},
		.errors = {.text = post->errors, .room = sizeof(post->errors)},
		.ended = on_ended,
		.user = post,
	};
	post->timer = evtimer_new(options->base, on_timer, post);
	if (post->timer)
		return post;
	free(post);
	return NULL;
}

void post_free(struct post *post)
{
	if (!post)
		return;
	child_stop(&post->curl);
	event_free(post->timer);
	free(post);
}
