/* SPDX-License-Identifier: BSD-2-Clause */
/* When are metrics pushed to a collector, and what becomes of those that it does not take? */
#include "push.h"

#include <errno.h>
#include <event2/event.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "../api/clock.h"
#include "../api/plain_file.h"
#include "../api/version.h"
#include "../control/methods.h"
#include "../host/log.h"
#include "../host/worker.h"
#include "otlp.h"
#include "post.h"

#define HEADERS_BYTES 16384
#define CURL "/usr/bin/curl"
#define DEFAULT_PATH "/v1/metrics"

struct waiting {
	TAILQ_ENTRY(waiting) entry;
	struct otlp_message message;
};

struct push {
	struct worker_job job;
	const struct config_otlp *config;
	const struct metrics_source *source;
	struct worker *worker;
	struct event *collect, *again;
	struct post *post;
	char *url, *settings;
	bool busy; /* values are being collected */
	TAILQ_HEAD(, waiting) queue;
	struct waiting *current; /* under way, or to be tried again */
	bool sending;
	unsigned int failures;      /* in a row */
	int64_t again_ms, taken_ms; /* the next attempt, the last success; 0: none */
	char error[ANSWER_TEXT];    /* of the last attempt; "": none */
	bool in_part;               /* the error: a part of a message was taken */
	struct push_counts counts;
};

static uint32_t chance(void)
{
	uint32_t number = 0;

	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	return number;
}

static void add_timer(struct event *timer, int64_t ms)
{
	const struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(timer, &time);
}

/* --- the queue --- */

/* One that is in the queue no more. */
static void waiting_free(struct push *push, struct waiting *waiting)
{
	if (!waiting)
		return;
	push->counts.waiting--;
	push->counts.waiting_bytes -= waiting->message.length;
	free(waiting->message.data);
	free(waiting);
}

static struct waiting *take_first(struct push *push)
{
	struct waiting *first = TAILQ_FIRST(&push->queue);

	if (first)
		TAILQ_REMOVE(&push->queue, first, entry);
	return first;
}

static void make_room(struct push *push, size_t length)
{
	const size_t under_way = push->current ? push->current->message.length : 0;

	while (push->counts.waiting_bytes - under_way + length > push->config->queue_bytes) {
		waiting_free(push, take_first(push));
		push->counts.dropped++;
	}
}

static void send_next(struct push *push);

/* An otlp_options.sink. */
static void enqueue(void *user, struct otlp_message message)
{
	struct push *push = user;
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting || message.length > push->config->queue_bytes) {
		free(waiting);
		free(message.data);
		push->counts.dropped++;
		return;
	}
	make_room(push, message.length);
	waiting->message = message;
	TAILQ_INSERT_TAIL(&push->queue, waiting, entry);
	push->counts.waiting++;
	push->counts.waiting_bytes += message.length;
	send_next(push);
}

/* --- sending --- */

/* Once when it begins to fail or to take a part, and once when that is over. */
static void tell(struct push *push, const char *error, bool taken)
{
	const bool changes = !*push->error || push->in_part != taken;

	if (*error && changes && taken)
		log_line(LOG_LEVEL_WARNING, "%s takes a part of the metrics: %s", push->url, error);
	else if (*error && changes)
		log_line(LOG_LEVEL_WARNING, "metrics are not pushed to %s: %s", push->url, error);
	else if (!*error && *push->error)
		log_line(LOG_LEVEL_INFO, "metrics are pushed to %s again", push->url);
	push->in_part = taken;
	snprintf(push->error, sizeof(push->error), "%s", error);
}

static void try_again(struct push *push, int64_t wait_ms)
{
	push->failures++;
	push->counts.failures++;
	if (wait_ms < 0)
		wait_ms = answer_backoff_ms(push->failures, chance());
	push->again_ms = lb_now_ms() + wait_ms;
	add_timer(push->again, wait_ms);
}

static void settle(struct push *push, const struct answer_judgement *judgement)
{
	const bool taken = judgement->outcome == ANSWER_TAKEN;

	waiting_free(push, push->current);
	push->current = NULL;
	push->failures = 0;
	push->counts.taken += taken;
	push->counts.refused += !taken;
	push->counts.rejected += judgement->rejected;
	if (taken)
		push->taken_ms = lb_now_ms();
	send_next(push);
}

static void on_answer(void *user, const struct answer *answer)
{
	struct push *push = user;
	struct answer_judgement judgement;

	push->sending = false;
	answer_judge(answer, lb_clock_ns(CLOCK_REALTIME) / 1000000000, &judgement);
	tell(push, judgement.error, judgement.outcome == ANSWER_TAKEN);
	if (judgement.outcome == ANSWER_AGAIN)
		try_again(push, judgement.wait_ms);
	else
		settle(push, &judgement);
}

static void send_current(struct push *push)
{
	const struct otlp_message *message = &push->current->message;
	const int error = post_begin(push->post, message->data, message->length);
	char text[ANSWER_TEXT];

	push->again_ms = 0;
	push->sending = !error;
	if (!error)
		return;
	snprintf(text, sizeof(text), "cannot run " CURL ": %s", strerror(-error));
	tell(push, text, false);
	try_again(push, -1);
}

static void send_next(struct push *push)
{
	if (push->current)
		return;
	push->current = take_first(push);
	if (push->current)
		send_current(push);
}

static void on_again(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	send_current(user);
}

/* --- collecting --- */

static void collect(struct push *push)
{
	const char *instance = push->config->instance;
	struct utsname system = {.nodename = ""};
	const struct metric_label resource[] = {
		{"service.name", "lbd"},
		{"service.version", LB_VERSION},
		{"service.instance.id", *instance ? instance : system.nodename},
		{"host.name", system.nodename},
	};
	const int64_t plane_s = datapath_since(push->source->methods->datapath);
	const int64_t start_s = push->source->started_s;
	const struct otlp_options options = {
		.resource = resource,
		.resource_count = sizeof(resource) / sizeof(*resource),
		.version = LB_VERSION,
		.time_ns = lb_clock_ns(CLOCK_REALTIME),
		.start_ns = start_s * 1000000000,
		.plane_start_ns = (plane_s ? plane_s : start_s) * 1000000000,
		.sink = enqueue,
		.user = push,
	};
	struct otlp *otlp;
	struct metric_writer writer;

	uname(&system);
	otlp = otlp_new(&options);
	if (!otlp) {
		push->counts.dropped++;
		return;
	}
	writer = otlp_writer(otlp);
	metrics_collect(push->source, &writer);
	if (otlp_finish(otlp))
		push->counts.dropped++;
	otlp_free(otlp);
}

/* By a worker. */
static void work(struct worker_job *job)
{
	struct push *push = (struct push *)job;

	collect(push);
	push->busy = false;
}

static void drop(struct worker_job *job)
{
	((struct push *)job)->busy = false;
}

/* Intervals that collecting takes longer than are left out. */
static void on_collect(evutil_socket_t fd, short what, void *user)
{
	struct push *push = user;

	(void)fd;
	(void)what;
	add_timer(push->collect, push->config->interval_s * INT64_C(1000));
	if (push->busy)
		return;
	push->busy = true;
	push->job = (struct worker_job){.what = "metrics to push", .work = work, .drop = drop};
	worker_do(push->worker, &push->job);
}

/* --- settings of curl --- */

/* `text`, of so many bytes, as a quoted value. */
static void add_quoted(struct text *out, const char *name, const char *text, size_t length)
{
	text_string(out, name);
	text_string(out, " = \"");
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"' || text[i] == '\\')
			text_add(out, "\\", 1);
		text_add(out, &text[i], 1);
	}
	text_string(out, "\"\n");
}

static int bad_header(const char *path, size_t line, const char *why, struct lb_err *err)
{
	/* The line is not repeated: it may hold a secret. */
	lb_err_set(err, LB_ERR_PARAMS, "otlp.headers_file", "%s, line %zu: %s", path, line, why);
	return lb_err_hint(err, "write each header in a line of its own, like "
				"Authorization: Bearer SECRET");
}

/* "Name: value", an empty line, or one that begins with "#". */
static int read_header(const char *path, size_t number, const char *line, struct text *out,
		       struct lb_err *err)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const size_t length = strcspn(line, "\r\n"), name = strspn(line, token);

	if (!length || *line == '#')
		return 0;
	if (!name || line[name] != ':')
		return bad_header(path, number, "no header", err);
	for (size_t i = 0; i < length; i++)
		if ((line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return bad_header(path, number, "a control character", err);
	add_quoted(out, "header", line, length);
	return 0;
}

static int cannot_read(const char *path, const char *why, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "otlp.headers_file", "%s: %s", path, why);
	return lb_err_hint(err, "write it, as root, readable by nobody else");
}

static int read_headers(const char *path, struct text *out, struct lb_err *err)
{
	FILE *file = plain_file_read(path);
	struct stat status;
	char line[4096];
	size_t number = 0;
	int error = 0;

	if (!file)
		return cannot_read(path, plain_file_why(errno), err);
	if (fstat(fileno(file), &status))
		error = cannot_read(path, strerror(errno), err);
	else if (status.st_mode & S_IRWXO)
		error = cannot_read(path, "everybody can read it", err);
	else if (status.st_size > HEADERS_BYTES)
		error = cannot_read(path, "is too long", err);
	while (!error && fgets(line, sizeof(line), file))
		error = read_header(path, ++number, line, out, err);
	fclose(file);
	return error;
}

static int make_settings(const struct config_otlp *config, char **out, struct lb_err *err)
{
	struct text text = {0};
	int error = 0;

	add_quoted(&text, "user-agent", "lbd/" LB_VERSION, strlen("lbd/" LB_VERSION));
	if (*config->ca_file)
		add_quoted(&text, "cacert", config->ca_file, strlen(config->ca_file));
	if (*config->headers_file)
		error = read_headers(config->headers_file, &text, err);
	text_add(&text, "", 1);
	if (!error && text.failed)
		error = lb_err_no_memory(err);
	*out = text.data;
	return error;
}

/* The path of OTLP where the endpoint has none. */
static char *url_of(const char *endpoint)
{
	const char *host = strstr(endpoint, "://") + 3, *path = host + strcspn(host, "/?#");
	char *url = NULL;

	if (*path && strcmp(path, "/"))
		return strdup(endpoint);
	if (asprintf(&url, "%.*s" DEFAULT_PATH, (int)(path - endpoint), endpoint) < 0)
		return NULL;
	return url;
}

static int find_user(const char *name, struct post_options *out, struct lb_err *err)
{
	const struct passwd *user = getpwnam(name);

	if (!user || !user->pw_uid || !user->pw_gid) {
		lb_err_set(err, LB_ERR_PARAMS, "otlp.user",
			   user ? "curl must not run as %s" : "there is no user \"%s\"", name);
		return lb_err_hint(err, "name a user without rights, such as nobody");
	}
	out->uid = user->pw_uid;
	out->gid = user->pw_gid;
	return 0;
}

/* --- life --- */

static int open_post(struct push *push, struct event_base *base, struct lb_err *err)
{
	struct post_options options = {
		.base = base,
		.program = CURL,
		.timeout_s = push->config->timeout_s,
		.done = on_answer,
		.user = push,
	};
	int error = find_user(push->config->user, &options, err);

	if (!error)
		error = make_settings(push->config, &push->settings, err);
	if (error)
		return error;
	push->url = url_of(push->config->endpoint);
	options.url = push->url;
	options.settings = push->settings;
	push->post = push->url ? post_new(&options) : NULL;
	push->collect = evtimer_new(base, on_collect, push);
	push->again = evtimer_new(base, on_again, push);
	return push->post && push->collect && push->again ? 0 : lb_err_no_memory(err);
}

int push_open(const struct push_options *options, struct push **out, struct lb_err *err)
{
	struct push *push = calloc(1, sizeof(*push));
	int error;

	if (!push)
		return lb_err_no_memory(err);
	push->config = options->config;
	push->source = options->source;
	TAILQ_INIT(&push->queue);
	error = open_post(push, options->base, err);
	if (error)
		push_close(push);
	else
		*out = push;
	return error;
}

/* The first time after a part of the interval, so that nodes do not come all at once. */
void push_serve(struct push *push, struct worker *worker)
{
	if (!push)
		return;
	push->worker = worker;
	add_timer(push->collect, chance() % (push->config->interval_s * 1000));
}

void push_close(struct push *push)
{
	struct waiting *waiting;

	if (!push)
		return;
	post_free(push->post);
	while ((waiting = take_first(push)))
		waiting_free(push, waiting);
	waiting_free(push, push->current);
	if (push->collect)
		event_free(push->collect);
	if (push->again)
		event_free(push->again);
	if (push->settings) /* with its secrets */
		explicit_bzero(push->settings, strlen(push->settings));
	free(push->settings);
	free(push->url);
	free(push);
}

/* --- what is told --- */

const struct push_counts *push_counts(const struct push *push)
{
	return push ? &push->counts : NULL;
}

static const char *state_of(const struct push *push)
{
	if (push->failures)
		return "failing";
	if (*push->error)
		return "refused";
	return push->taken_ms ? "ok" : "waiting";
}

json_t *push_describe(const struct push *push)
{
	const int64_t now = lb_now_ms();
	struct push_counts counts;
	json_t *object;

	if (!push)
		return NULL;
	counts = push->counts;
	object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "url", push->url,
			   "state", state_of(push), "taken", (json_int_t)counts.taken, "refused",
			   (json_int_t)counts.refused, "dropped", (json_int_t)counts.dropped,
			   "failures", (json_int_t)counts.failures, "rejected_points",
			   (json_int_t)counts.rejected, "waiting", (json_int_t)counts.waiting,
			   "waiting_bytes", (json_int_t)counts.waiting_bytes);
	if (*push->error)
		json_object_set_new(object, "error", json_string(push->error));
	if (push->taken_ms)
		json_object_set_new(object, "taken_ago_s",
				    json_integer((now - push->taken_ms) / 1000));
	if (push->again_ms)
		json_object_set_new(object, "again_in_s",
				    json_integer(push->again_ms > now
							 ? (push->again_ms - now + 999) / 1000
							 : 0));
	return object;
}
