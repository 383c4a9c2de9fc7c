/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a command, run for the backend, end with status 0?
 *
 * Which commands there are, and as whom they run, is said by exec_rights.h. One that cannot be run
 * is a fault of this node, not of the backend.
 *
 * A command whose probe is cancelled (its time is over) is killed, and stays a job until it has
 * ended.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../host/exec_rights.h"
#include "../host/child.h"
#include "probe.h"

struct job {
	LIST_ENTRY(job) jobs;
	struct health_exec *exec;
	struct health_probe *probe; /* NULL: cancelled */
	struct child child;
	char output[HEALTH_ERROR_TEXT], errors[HEALTH_ERROR_TEXT];
};

struct health_exec {
	struct event_base *base;
	uint32_t max, running;
	const struct exec_rights *rights;
	LIST_HEAD(, job) jobs;
	void (*freed)(void *user);
	void *user;
};

/* --- the end of one --- */

static const char *first_line(char *text)
{
	text[strcspn(text, "\r\n")] = '\0';
	return text;
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
	said = first_line(job->errors);
	if (!said[0])
		said = first_line(job->output);
	if (WIFSIGNALED(status))
		health_probe_fail(probe, "killed by signal %d (%s)%s%s", WTERMSIG(status),
				  strsignal(WTERMSIG(status)), said[0] ? ": " : "", said);
	else if (WEXITSTATUS(status))
		health_probe_fail(probe, "exit status %d%s%s", WEXITSTATUS(status),
				  said[0] ? ": " : "", said);
	else
		health_probe_succeed(probe);
}

static void on_ended(void *user, int status, int error)
{
	struct job *job = user;
	struct health_exec *exec = job->exec;

	LIST_REMOVE(job, jobs);
	exec->running--;
	if (job->probe) {
		job->probe->extra = NULL;
		report(job, status, error);
	}
	free(job);
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

static struct job *job_new(struct health_probe *probe)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->exec = probe->exec;
	job->probe = probe;
	job->child = (struct child){
		.output = {.text = job->output, .room = sizeof(job->output)},
		.errors = {.text = job->errors, .room = sizeof(job->errors)},
		.ended = on_ended,
		.user = job,
	};
	return job;
}

/* 0 or -errno. */
static int run(struct job *job, const char *path)
{
	const struct health_probe *probe = job->probe;
	const struct exec_rights *rights = probe->exec->rights;
	struct environment environment;
	const struct spawn program = {
		.path = path,
		.arguments = probe->check->command,
		.environment = environment.list,
		.input = -1,
		.more = -1,
		.uid = rights->uid,
		.gid = rights->gid,
		.cpu_s = probe->check->timeout_ms / 1000 + 1,
	};

	environment_fill(probe, &environment);
	return child_start(&job->child, probe->exec->base, &program);
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
	error = job ? run(job, path) : -ENOMEM;
	if (error) {
		free(job);
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
	child_kill(&job->child);
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
		child_stop(&job->child);
		LIST_REMOVE(job, jobs);
		free(job);
	}
	free(exec);
}
