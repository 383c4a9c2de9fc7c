/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a command, run for the backend, end with status 0?
 *
 * Which commands there are, and as whom they run, is said by exec_rights.h. One that cannot be run
 * is a fault of this node, not of the backend.
 *
 * A command is a session and a process group, led by the process that is started. Its end is seen
 * through a pidfd; then the whole group is killed before the leader is reaped, since so long no
 * other group can have its number. A command whose probe is cancelled (its time is over) is killed,
 * and stays a job until it has ended.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../host/exec_rights.h"
#include "../host/spawn.h"
#include "probe.h"

#define DYING_MS 100 /* how long the end of a killed command is waited for at the very end */

enum { OUTPUT, ERRORS, STREAMS };

/* What a command writes to one of its streams: the first line is kept. */
struct stream {
	int fd;
	struct event *event;
	size_t length;
	char line[HEALTH_ERROR_TEXT];
};

struct job {
	LIST_ENTRY(job) jobs;
	struct health_exec *exec;
	struct health_probe *probe; /* NULL: cancelled */
	pid_t pid;
	int pidfd;
	struct event *event;
	struct stream streams[STREAMS];
};

struct health_exec {
	struct event_base *base;
	uint32_t max, running;
	const struct exec_rights *rights;
	LIST_HEAD(, job) jobs;
	void (*freed)(void *user);
	void *user;
};

/* --- output --- */

/* Reads what there is, keeps what fits; 0 when the stream has ended. */
static ssize_t stream_read(struct stream *stream)
{
	char piece[4096];
	ssize_t length = read(stream->fd, piece, sizeof(piece));
	size_t room = sizeof(stream->line) - 1 - stream->length;

	if (length > 0) {
		size_t kept = (size_t)length < room ? (size_t)length : room;

		memcpy(stream->line + stream->length, piece, kept);
		stream->length += kept;
	}
	return length;
}

static void on_output(evutil_socket_t fd, short events, void *user)
{
	struct stream *stream = user;

	(void)fd;
	(void)events;
	if (stream_read(stream) == 0)
		event_del(stream->event);
}

static int stream_open(struct event_base *base, struct stream *stream, int *write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	stream->fd = ends[0];
	*write_fd = ends[1];
	fcntl(stream->fd, F_SETFL, O_NONBLOCK); /* our end alone: the command's blocks as usual */
	stream->event = event_new(base, stream->fd, EV_READ | EV_PERSIST, on_output, stream);
	if (!stream->event || event_add(stream->event, NULL))
		return -ENOMEM;
	return 0;
}

static void stream_close(struct stream *stream)
{
	if (stream->event)
		event_free(stream->event);
	if (stream->fd >= 0)
		close(stream->fd);
}

/* The first line of a stream, or "". */
static const char *first_line(struct stream *stream)
{
	stream->line[stream->length] = '\0';
	stream->line[strcspn(stream->line, "\r\n")] = '\0';
	return stream->line;
}

/* --- jobs --- */

static void job_free(struct job *job)
{
	for (int i = 0; i < STREAMS; i++)
		stream_close(&job->streams[i]);
	if (job->event)
		event_free(job->event);
	if (job->pidfd >= 0)
		close(job->pidfd);
	free(job);
}

static struct job *job_new(struct health_probe *probe)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->exec = probe->exec;
	job->probe = probe;
	job->pidfd = -1;
	for (int i = 0; i < STREAMS; i++)
		job->streams[i].fd = -1;
	return job;
}

static void report(struct job *job, int status, int error)
{
	struct health_probe *probe = job->probe;
	const char *said;

	if (error) {
		health_probe_not_made(probe, "the exit status of the command is not known: %s",
				      strerror(error));
		return;
	}
	for (int i = 0; i < STREAMS; i++)
		while (stream_read(&job->streams[i]) > 0 &&
		       job->streams[i].length + 1 < sizeof(job->streams[i].line))
			;
	said = first_line(&job->streams[ERRORS]);
	if (!said[0])
		said = first_line(&job->streams[OUTPUT]);
	if (WIFSIGNALED(status))
		health_probe_fail(probe, "killed by signal %d (%s)%s%s", WTERMSIG(status),
				  strsignal(WTERMSIG(status)), said[0] ? ": " : "", said);
	else if (WEXITSTATUS(status))
		health_probe_fail(probe, "exit status %d%s%s", WEXITSTATUS(status),
				  said[0] ? ": " : "", said);
	else
		health_probe_succeed(probe);
}

static void on_ended(evutil_socket_t fd, short events, void *user)
{
	struct job *job = user;
	struct health_exec *exec = job->exec;
	int status = 0, error;

	(void)fd;
	(void)events;
	kill(-job->pid, SIGKILL);
	/* It has ended, so this does not block. */
	error = waitpid(job->pid, &status, 0) < 0 ? errno : 0;
	LIST_REMOVE(job, jobs);
	exec->running--;
	if (job->probe) {
		job->probe->extra = NULL;
		report(job, status, error);
	}
	job_free(job);
	exec->freed(exec->user);
}

/* --- starting --- */

/* The environment: PATH, LBD_VIP, LBD_BACKEND, LBD_PORT, LBD_TIMEOUT_MS; api/health.h tells. */
#define VARIABLES 5

struct environment {
	char text[VARIABLES][LB_ENDPOINT_TEXT + 32];
	char *list[VARIABLES + 1];
};

static void environment_fill(const struct health_probe *probe, struct environment *out)
{
	const size_t size = sizeof(out->text[0]);
	char vip[LB_ENDPOINT_TEXT], backend[LB_ADDR_TEXT];

	snprintf(out->text[0], size, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	snprintf(out->text[1], size, "LBD_VIP=%s", lb_endpoint_format(&probe->vip, vip));
	snprintf(out->text[2], size, "LBD_BACKEND=%s", lb_addr_format(&probe->backend, backend));
	snprintf(out->text[3], size, "LBD_PORT=%u", lb_health_port(probe->check, &probe->vip));
	snprintf(out->text[4], size, "LBD_TIMEOUT_MS=%u", probe->check->timeout_ms);
	for (int i = 0; i < VARIABLES; i++)
		out->list[i] = out->text[i];
	out->list[VARIABLES] = NULL;
}

/* 0 or a positive error number. */
static int run(const struct health_probe *probe, const char *path, const int write_fds[STREAMS],
	       pid_t *pid)
{
	const struct exec_rights *rights = probe->exec->rights;
	struct environment environment;
	const struct spawn program = {
		.path = path,
		.arguments = probe->check->command,
		.environment = environment.list,
		.input = -1,
		.output = write_fds[OUTPUT],
		.errors = write_fds[ERRORS],
		.more = -1,
		.uid = rights->uid,
		.gid = rights->gid,
		.cpu_s = probe->check->timeout_ms / 1000 + 1,
	};

	environment_fill(probe, &environment);
	return spawn(&program, pid);
}

/* Follows a process that runs already; what fails here ends it. 0 or -errno. */
static int job_follow(struct job *job)
{
	int error = -ENOMEM;

	job->pidfd = pidfd_open(job->pid, 0);
	if (job->pidfd < 0)
		error = -errno;
	else
		job->event = event_new(job->exec->base, job->pidfd, EV_READ, on_ended, job);
	if (job->event && event_add(job->event, NULL) == 0)
		return 0;
	kill(-job->pid, SIGKILL);
	waitpid(job->pid, NULL, 0);
	return error;
}

/* 0 or -errno. */
static int job_start(struct job *job, const char *path)
{
	int write_fds[STREAMS] = {-1, -1};
	int error = 0;

	for (int i = 0; i < STREAMS && !error; i++)
		error = stream_open(job->exec->base, &job->streams[i], &write_fds[i]);
	if (!error)
		error = -run(job->probe, path, write_fds, &job->pid);
	for (int i = 0; i < STREAMS; i++)
		if (write_fds[i] >= 0)
			close(write_fds[i]);
	return error ? error : job_follow(job);
}

static void start(struct health_probe *probe)
{
	const struct exec_rights *rights = probe->exec->rights;
	struct lb_err err = {0};
	char path[PATH_MAX];
	struct job *job;
	int error;

	probe->awaited = "end of the command";
	if (exec_rights_find(rights, probe->check->command[0], path, &err)) {
		health_probe_not_made(probe, "%s", err.message);
		return;
	}
	job = job_new(probe);
	error = job ? job_start(job, path) : -ENOMEM;
	if (error) {
		if (job)
			job_free(job);
		health_probe_not_made(probe, "cannot run %s as user %s: %s", path, rights->user,
				      strerror(-error));
		return;
	}
	LIST_INSERT_HEAD(&probe->exec->jobs, job, jobs);
	probe->exec->running++;
	probe->extra = job;
}

static void cancel(struct health_probe *probe)
{
	struct job *job = probe->extra;

	probe->extra = NULL;
	if (!job)
		return;
	job->probe = NULL;
	kill(-job->pid, SIGKILL);
}

const struct health_probe_kind health_probe_exec = {
	.start = start,
	.cancel = cancel,
};

/* --- what commands share --- */

struct health_exec *health_exec_new(struct event_base *base, uint32_t max,
				    const struct exec_rights *rights, void (*freed)(void *user),
				    void *user)
{
	struct health_exec *exec = calloc(1, sizeof(*exec));

	if (!exec)
		return NULL;
	exec->base = base;
	exec->max = max;
	exec->rights = rights;
	exec->freed = freed;
	exec->user = user;
	LIST_INIT(&exec->jobs);
	return exec;
}

bool health_exec_full(const struct health_exec *exec)
{
	return exec->running >= exec->max;
}

void health_exec_free(struct health_exec *exec)
{
	struct job *job;

	if (!exec)
		return;
	while ((job = LIST_FIRST(&exec->jobs))) {
		struct pollfd ended = {.fd = job->pidfd, .events = POLLIN};

		kill(-job->pid, SIGKILL);
		poll(&ended, 1, DYING_MS); /* one that will not die is left to init */
		waitpid(job->pid, NULL, WNOHANG);
		LIST_REMOVE(job, jobs);
		job_free(job);
	}
	free(exec);
}
