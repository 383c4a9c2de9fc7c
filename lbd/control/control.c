/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets served, when: the clients of the control socket, their lines and their replies.
 *
 * Everything happens in "turns": a turn takes one line of one client, has it carried out and queues
 * its reply. While a client has more lines waiting, its next turn is a timer of 0 ms, so that the
 * event loop sees to everybody else in between. A turn is the only place that decides what a client
 * may do next, and client_free is called last by whoever calls it.
 *
 * Where turns are shared out (share_limits.rest) clients that want one stand in a queue, and get it
 * one by one, so that all of them together take a bounded part of the loop's time.
 *
 * A request that may take long is carried out by a worker (control_options.place), and so is one
 * whose line is long, since reading it takes long, too. Until its reply is there the client is
 * "busy": nothing more is read from it, so that replies come in the order of requests.
 *
 * Requests that wait for the disk in the end may do so together (control_options.together): those that one client
 * has sent at once are one errand, and errands that wait for the same worker are carried out one after the other,
 * then settled, then answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include "../api/clock.h"
#include "control.h"
#include "../host/worker.h"

#define IDLE_MS_DEFAULT 30000u
#define REPLIES_MAX (1u << 20) /* bytes waiting for one client, above which it is not read from */
#define STREAM_MAX                                                                                 \
	(256u << 10) /* bytes waiting for one client, above which its stream loses lines */
#define HELD_MAX (64u << 20)
#define BACKLOG 1024
#define MODE_DEFAULT 0660
#define ACCEPT_RETRY_MS 100
#define ACCEPTS_MAX 16 /* in a row, where turns are shared out */
#define ACCEPT_REST_MS 10
#define READ_MAX (256u << 10) /* bytes in a row, of one client; written, too */
#define FAREWELL_MS 500       /* for replies that are not sent yet when lbd ends */
#define LONG_LINE 16384       /* bytes of a request above which a worker reads it */
#define TOGETHER_MAX 256      /* requests of an errand; twice as many are settled together */
#define TOGETHER_BYTES 65536  /* of its lines, which the loop reads in one turn */

/* Leaves descriptors to the rest of lbd; who finds no place waits to be accepted. */
static const struct share_limits share_default = {
	.clients = 768, .clients_by_user = 384, .for_root = 32};

/* A request that a worker carries out, and what has come of it. */
struct asked {
	struct lb_request request;
	int ret;
	json_t *result; /* until it is a reply */
	char *reply;
};

struct client {
	LIST_ENTRY(client) entry;
	TAILQ_ENTRY(client) queue_entry;
	struct control *control;
	struct bufferevent *stream;
	struct event *turn;
	struct event *late; /* pending while a line is not complete: the end of its time */
	struct peer peer;
	struct control_stream *told; /* NULL: nothing is streamed to it */
	struct share_user *user;
	size_t searched; /* bytes at the start of the input that hold no newline */
	bool eof;        /* it sends nothing more; it may still read */
	bool refused;    /* what it sends is thrown away, since it is no line */
	bool queued;     /* waits for its turn */
	bool expired;    /* its line has had its time, and may only be complete by now */
	bool watching;   /* gets what is broadcast */
	bool deaf;       /* did not read what was broadcast: its next turn is its last */
	bool busy;       /* a worker has its request */
	bool gone;       /* while it was busy: it ends with its request */
	struct errand {
		struct worker_job job;
		struct evbuffer *line; /* to be parsed; NULL: `asked` are */
		size_t line_bytes;
		struct asked *asked;
		size_t count;
		bool together;
		struct errand *next; /* of those that are settled together */
	} errand;                    /* of a busy client; the worker's, but for line_bytes */
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *accept_again;
	struct sockaddr_un address;
	struct stat file; /* the socket's, so that only our own is removed */
	control_call call;
	control_place place;
	control_together together;
	control_settle settle;
	const char *stream_method;
	void *user;
	size_t busy; /* clients */
	struct timeval idle;
	size_t line_max, held_max;
	struct share *share;
	bool shares_turns;
	struct event *slice; /* the next turn of those who queue */
	unsigned int accepts;
	TAILQ_HEAD(, client) queue;
	LIST_HEAD(, client) clients;
};

/* --- turns that are shared out --- */

static void arm_slice(struct control *control)
{
	uint64_t wait_us;
	struct timeval wait;

	if (TAILQ_EMPTY(&control->queue) || evtimer_pending(control->slice, NULL) || control->busy)
		return;
	wait_us = share_wait(control->share, lb_clock_ns(CLOCK_MONOTONIC)) / 1000;
	wait = (struct timeval){.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
	evtimer_add(control->slice, &wait);
}

static void enter_queue(struct client *client)
{
	if (!client->queued)
		TAILQ_INSERT_TAIL(&client->control->queue, client, queue_entry);
	client->queued = true;
	arm_slice(client->control);
}

static void leave_queue(struct client *client)
{
	if (client->queued)
		TAILQ_REMOVE(&client->control->queue, client, queue_entry);
	client->queued = false;
}

static size_t unread_of(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->stream));
}

/* Who of the queue comes next. NULL: first somebody has to read what it was sent. */
static struct client *next_in_queue(struct control *control)
{
	struct client *client, *next = NULL;

	share_count(control->share);
	LIST_FOREACH (client, &control->clients, entry)
		share_unread(control->share, client->user, unread_of(client));
	TAILQ_FOREACH (client, &control->queue, queue_entry)
		if (share_may(control->share, client->user) &&
		    (!next || share_before(client->user, next->user)))
			next = client;
	return next;
}

/* --- clients --- */

/* A worker has its request: the stream is closed when that has ended. */
static void client_leave(struct client *client)
{
	client->gone = true;
	bufferevent_disable(client->stream, EV_READ | EV_WRITE);
	evtimer_del(client->turn);
	evtimer_del(client->late);
}

static void end_stream(struct client *client)
{
	struct control_stream *stream = client->told;

	if (!stream)
		return;
	control_stream_close(stream, NULL, 0);
	stream->gone(stream->user);
}

static void client_free(struct client *client)
{
	struct control *control = client->control;

	if (client->busy) {
		client_leave(client);
		return;
	}
	end_stream(client);
	LIST_REMOVE(client, entry);
	leave_queue(client);
	share_leave(control->share, client->user);
	bufferevent_free(client->stream);
	event_free(client->turn);
	event_free(client->late);
	free(client);
	/* There is a free descriptor now, and less waits to be read. */
	if (control->listener && !evtimer_pending(control->accept_again, NULL))
		evconnlistener_enable(control->listener);
	arm_slice(control);
}

static void turn_again(struct client *client)
{
	const struct timeval at_once = {0};

	if (client->busy)
		return; /* until errand_end */
	if (client->control->shares_turns && !client->refused && !client->deaf)
		enter_queue(client);
	else
		evtimer_add(client->turn, &at_once);
}

static bool turn_is_due(const struct client *client)
{
	return client->queued || evtimer_pending(client->turn, NULL);
}

static void free_line(const void *line, size_t length, void *unused)
{
	(void)length;
	(void)unused;
	free((void *)line);
}

/* Takes over `line`. "" is nothing to send. */
static int client_send(struct client *client, char *line)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);

	if (line && !*line) {
		free(line);
		return 0;
	}
	if (line && !evbuffer_add_reference(output, line, strlen(line), free_line, NULL))
		return 0;
	free(line);
	return -ENOMEM;
}

static int send_error(struct client *client, const json_t *id, const struct lb_err *err)
{
	return client_send(client, lb_error_line(id, err));
}

/* When there is no memory even for an error. It goes past the buffer, where nothing waits in that;
 * then the client is closed. */
static void say_no_memory(const struct client *client)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":5,\"message\":\"out of "
		"memory: lbd could not make the reply\",\"data\":{\"hint\":\"a change may have "
		"been "
		"made all the same: look before you ask again\"}}}\n";

	if (!unread_of(client))
		send(bufferevent_getfd(client->stream), line, sizeof(line) - 1,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
}

static char *no_reply_line(const json_t *id)
{
	struct lb_err err = {0};

	lb_err_set(&err, LB_ERR_SYSTEM, "", "out of memory: lbd could not make the reply");
	lb_err_hint(&err, "a change may have been made all the same: look before you ask again");
	return lb_error_line(id, &err);
}

/* The reply to a request that came to `ret`, with its result or error; "" where none is wanted, NULL
 * without memory. Takes over `result`. */
static char *reply_line(const struct lb_request *request, int ret, json_t *result,
			const struct lb_err *err)
{
	char *line;

	if (!request->id)
		line = strdup("");
	else if (ret)
		line = lb_error_line(request->id, err);
	else
		line = lb_result_line(request->id, result);
	json_decref(result);
	return line ? line : no_reply_line(request->id);
}

static int call(struct client *client, const struct lb_request *request, json_t **result,
		struct lb_err *err)
{
	const struct control *control = client->control;
	int ret = control->call(control->user, &client->peer, request, result, err);

	if (!ret && control->stream_method && !strcmp(request->method, control->stream_method))
		client->watching = true;
	return ret;
}

static int settle(const struct control *control, struct lb_err *err)
{
	return control->settle ? control->settle(control->user, err) : 0;
}

static int carry_out(struct client *client, const struct lb_request *request)
{
	const struct control *control = client->control;
	struct lb_err err = {0};
	json_t *result = NULL;
	int ret = call(client, request, &result, &err);

	if (ret == CONTROL_SETTLES)
		ret = settle(control, &err);
	else
		settle(control, NULL);
	return client_send(client, reply_line(request, ret, result, &err));
}

/* --- requests that a worker carries out --- */

static bool is_together(const struct control *control, const struct lb_request *request)
{
	return control->together && control->together(control->user, request);
}

static struct client *client_of(struct errand *errand)
{
	return (struct client *)((char *)errand - offsetof(struct client, errand));
}

/* The request is all 0 where there is none. */
static void asked_fail(struct asked *asked, const struct lb_err *err)
{
	asked->reply = reply_line(&asked->request, asked->ret, asked->result, err);
	asked->result = NULL;
}

static void errand_parse(struct errand *errand)
{
	struct asked *asked = &errand->asked[0];
	const char *line = (const char *)evbuffer_pullup(errand->line, -1);
	size_t length = evbuffer_get_length(errand->line);
	struct lb_err err = {0};

	asked->ret = line ? lb_request_parse(line, length, &asked->request, &err)
			  : lb_err_no_memory(&err);
	if (asked->ret)
		asked->reply = lb_error_line(asked->request.id, &err);
}

static void errand_clear(struct errand *errand)
{
	for (size_t i = 0; i < errand->count; i++) {
		lb_request_clear(&errand->asked[i].request);
		json_decref(errand->asked[i].result);
		free(errand->asked[i].reply);
	}
	free(errand->asked);
	errand->asked = NULL;
	errand->count = 0;
	if (errand->line)
		evbuffer_free(errand->line);
	errand->line = NULL;
}

static int send_replies(struct client *client)
{
	struct errand *errand = &client->errand;
	int error = 0;

	for (size_t i = 0; !error && i < errand->count; i++) {
		error = client_send(client, errand->asked[i].reply);
		errand->asked[i].reply = NULL;
	}
	return error;
}

/* The client's next line, or its end. */
static void errand_end(struct errand *errand, uint64_t began)
{
	struct client *client = client_of(errand);
	struct control *control = client->control;
	const bool sent = !client->gone && !send_replies(client);

	errand_clear(errand);
	client->busy = false;
	control->busy--;
	if (control->shares_turns)
		share_had(control->share, client->user, began, lb_clock_ns(CLOCK_MONOTONIC));
	if (sent) {
		turn_again(client);
	} else {
		if (!client->gone)
			say_no_memory(client);
		client_free(client);
	}
	arm_slice(control);
}

/* Whether some of it is done only when it has settled. */
static bool errand_carry_out(struct errand *errand)
{
	struct client *client = client_of(errand);
	bool settles = false;

	for (size_t i = 0; i < errand->count && !client->gone; i++) {
		struct asked *asked = &errand->asked[i];
		struct lb_err err = {0};

		if (asked->reply) /* it could not be read */
			continue;
		asked->ret = call(client, &asked->request, &asked->result, &err);
		if (asked->ret == CONTROL_SETTLES)
			settles = true;
		else if (asked->ret)
			asked_fail(asked, &err);
		worker_yield();
	}
	return settles;
}

/* None of what waited for it is done. */
static void not_settled(struct errand *group, int ret, const struct lb_err *err)
{
	for (; group; group = group->next)
		for (size_t i = 0; i < group->count; i++) {
			struct asked *asked = &group->asked[i];

			if (asked->ret != CONTROL_SETTLES)
				continue;
			asked->ret = ret;
			asked_fail(asked, err);
		}
}

static void make_replies(struct errand *group)
{
	for (; group; group = group->next)
		for (size_t i = 0; i < group->count; i++) {
			struct asked *asked = &group->asked[i];

			if (!asked->reply)
				asked->reply = reply_line(&asked->request, 0, asked->result, NULL);
			asked->result = NULL;
			lb_request_clear(&asked->request);
		}
}

static void errand_work(struct worker_job *job);

static bool joins(const struct worker_job *job)
{
	return job->work == errand_work && ((const struct errand *)job)->together;
}

/* Carries out the errand, and those behind it that may settle with it. They are linked. */
static void carry_out_group(struct errand *first)
{
	const struct control *control = client_of(first)->control;
	struct errand *last = first;
	size_t count = first->count;
	struct lb_err err = {0};
	bool settles = errand_carry_out(first);
	int ret;

	while (settles && count < TOGETHER_MAX) {
		struct worker_job *job = worker_next(joins);

		if (!job)
			break;
		last = last->next = (struct errand *)job;
		count += last->count;
		errand_carry_out(last);
	}
	ret = settle(control, &err);
	if (ret)
		not_settled(first, ret, &err);
}

/* On the worker's thread. What belongs to this request alone is done outside of its turns. */
static void errand_work(struct worker_job *job)
{
	struct errand *errand = (struct errand *)job, *next;
	const uint64_t began = lb_clock_ns(CLOCK_MONOTONIC);

	if (errand->line) {
		worker_leave();
		errand_parse(errand);
		worker_enter();
	}
	carry_out_group(errand);
	if (!errand->together) /* its replies are short */
		worker_leave();
	make_replies(errand);
	if (!errand->together)
		worker_enter();
	for (; errand; errand = next) {
		next = errand->next;
		errand_end(errand, began);
	}
}

static void errand_drop(struct worker_job *job)
{
	struct client *client = client_of((struct errand *)job);

	errand_clear(&client->errand);
	client->busy = false;
	client->control->busy--;
}

/* Room for one more; NULL without memory. */
static struct asked *errand_add(struct errand *errand)
{
	struct asked *asked =
		reallocarray(errand->asked, errand->count + 1, sizeof(*errand->asked));

	if (!asked)
		return NULL;
	errand->asked = asked;
	asked = &errand->asked[errand->count++];
	*asked = (struct asked){0};
	return asked;
}

/* Either `request`, which is taken over, or the first `length` bytes of the input. */
static int errand_begin(struct client *client, struct worker *worker, struct lb_request *request,
			size_t length)
{
	struct errand *errand = &client->errand;
	struct asked *asked;

	*errand = (struct errand){.job = {.what = request ? "a request" : "a long request",
					  .work = errand_work,
					  .drop = errand_drop},
				  .line_bytes = length};
	asked = errand_add(errand);
	if (!asked)
		return -ENOMEM;
	if (request) {
		asked->request = *request;
		*request = (struct lb_request){0};
		errand->together = is_together(client->control, &asked->request);
	} else {
		errand->line = evbuffer_new();
		if (!errand->line || evbuffer_remove_buffer(bufferevent_get_input(client->stream),
							    errand->line, length) != (int)length) {
			errand_clear(errand);
			return -ENOMEM;
		}
	}
	client->busy = true;
	client->control->busy++;
	bufferevent_disable(client->stream, EV_READ);
	worker_do(worker, &errand->job);
	return 0;
}

/* The next line of the input becomes a part of the errand, where it settles with it; its length with the newline. */
static size_t errand_join(struct client *client, size_t room)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	const struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
	struct asked *asked;
	struct lb_request request = {0};
	const char *line;

	if (end.pos <= 0 || (size_t)end.pos >= room)
		return 0;
	line = (const char *)evbuffer_pullup(input, end.pos);
	if (!line || lb_request_parse(line, end.pos, &request, NULL) ||
	    !is_together(client->control, &request)) {
		lb_request_clear(&request);
		return 0;
	}
	asked = errand_add(&client->errand);
	if (!asked) {
		lb_request_clear(&request);
		return 0;
	}
	asked->request = request;
	client->errand.line_bytes += end.pos + 1;
	evbuffer_drain(input, end.pos + 1);
	return end.pos + 1;
}

/* What the client has sent meanwhile, and can be done with it. The worker begins when the loop is done. */
static void errand_gather(struct client *client)
{
	const struct errand *errand = &client->errand;
	size_t room = TOGETHER_BYTES, bytes = 1;

	while (errand->together && errand->count < TOGETHER_MAX && bytes) {
		bytes = errand_join(client, room);
		room -= bytes;
	}
}

static struct worker *place(const struct control *control, const char *method)
{
	return control->place ? control->place(control->user, method) : NULL;
}

/* The line has been taken; a request of it is under way or answered. */
static int take_request(struct client *client, struct lb_request *request, int ret,
			const struct lb_err *err)
{
	struct worker *worker;

	if (ret)
		return send_error(client, request->id, err);
	worker = place(client->control, request->method);
	return worker ? errand_begin(client, worker, request, 0) : carry_out(client, request);
}

static int take_short_line(struct client *client, size_t length)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	struct lb_request request = {0};
	struct lb_err err = {0};
	const char *line = length ? (const char *)evbuffer_pullup(input, (ssize_t)length) : "";
	int ret;

	if (!line)
		return -ENOMEM;
	ret = lb_request_parse(line, length, &request, &err);
	evbuffer_drain(input, length);
	ret = take_request(client, &request, ret, &err);
	lb_request_clear(&request);
	return ret;
}

/* Takes the first `length` bytes of the input and `end` more (the newline) as a request. */
static int take_line(struct client *client, size_t length, size_t end)
{
	struct worker *worker = length > LONG_LINE ? place(client->control, NULL) : NULL;
	int ret = worker ? errand_begin(client, worker, NULL, length)
			 : take_short_line(client, length);

	evbuffer_drain(bufferevent_get_input(client->stream), end);
	if (!ret && client->busy)
		errand_gather(client);
	client->searched = 0;
	client->expired = false;
	evtimer_del(client->late);
	return ret;
}

/* Answers with an error, then throws away what still comes: a client that is cut off in the middle
 * of writing would see only that, not the reason. Ends after the idle time at the latest. */
static int refuse(struct client *client, const struct lb_err *err)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);

	client->refused = true;
	leave_queue(client);
	evtimer_del(client->late);
	evbuffer_drain(input, evbuffer_get_length(input));
	bufferevent_setwatermark(client->stream, EV_READ, 0, 0);
	bufferevent_enable(client->stream, EV_READ);
	evtimer_add(client->turn, &client->control->idle);
	return send_error(client, NULL, err);
}

static int refuse_long(struct client *client)
{
	struct lb_err err = {0};
	size_t most = client->control->line_max;

	lb_err_set(&err, LB_ERR_REQUEST, "", "a request is longer than %zu bytes", most);
	if (most < LB_REQUEST_MAX)
		lb_err_hint(&err, "send it to the main socket, which takes %u", LB_REQUEST_MAX);
	else
		lb_err_hint(&err, "make smaller changes, each in its own request");
	return refuse(client, &err);
}

static int refuse_held(struct client *client)
{
	struct lb_err err = {0};

	lb_err_set(&err, LB_ERR_LIMIT, "",
		   "requests that are being sent have more than %zu bytes together",
		   client->control->held_max);
	lb_err_hint(&err, "try again when others have sent theirs");
	return refuse(client, &err);
}

enum line { LINE_WHOLE, LINE_PART, LINE_TOO_LONG };

/* Where the first line of the input ends. Bytes already searched are not searched again. */
static enum line find_line(struct client *client, size_t *length)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	size_t have = evbuffer_get_length(input), most = client->control->line_max;
	struct evbuffer_ptr from, end;

	evbuffer_ptr_set(input, &from, client->searched, EVBUFFER_PTR_SET);
	end = evbuffer_search_eol(input, &from, NULL, EVBUFFER_EOL_LF);
	if (end.pos >= (ssize_t)most || (end.pos < 0 && have >= most))
		return LINE_TOO_LONG;
	client->searched = have;
	*length = end.pos < 0 ? have : (size_t)end.pos;
	return end.pos < 0 ? LINE_PART : LINE_WHOLE;
}

/* Requests that are not complete, of all clients. */
static size_t held(const struct control *control)
{
	const struct client *client;
	size_t sum = 0;

	LIST_FOREACH (client, &control->clients, entry)
		sum += evbuffer_get_length(bufferevent_get_input(client->stream)) +
		       (client->busy ? client->errand.line_bytes : 0);
	return sum;
}

/* Half a line must be complete in time, however it trickles in. Between lines a client may be
 * silent as long as it likes. Returns false when it is to be freed. */
static bool wait_for_rest(struct client *client, size_t part)
{
	if (part && client->expired)
		return false;
	if (part && held(client->control) > client->control->held_max)
		return !refuse_held(client);
	if (part && !evtimer_pending(client->late, NULL))
		evtimer_add(client->late, &client->control->idle);
	bufferevent_enable(client->stream, EV_READ);
	return true;
}

/* Returns false when the client is to be freed. */
static bool take_line_of_turn(struct client *client, size_t length, size_t end)
{
	if (take_line(client, length, end)) {
		say_no_memory(client);
		return false;
	}
	turn_again(client);
	return true;
}

/* No whole line is there. At the end of its input a client's last line need not have a newline.
 * Returns false when the client is done with. */
static bool wait_for_more(struct client *client, size_t part)
{
	if (client->eof && part)
		return take_line_of_turn(client, part, 0);
	if (client->eof)
		return unread_of(client) > 0;
	return wait_for_rest(client, part);
}

/* Returns false when the client is to be freed. */
static bool client_step(struct client *client)
{
	size_t length = 0;

	if (client->busy)
		return true;
	if (unread_of(client) > REPLIES_MAX) {
		evtimer_del(client->late);                    /* it is not waited for */
		bufferevent_disable(client->stream, EV_READ); /* until on_written */
		return true;
	}
	switch (find_line(client, &length)) {
	case LINE_WHOLE:
		return take_line_of_turn(client, length, 1);
	case LINE_TOO_LONG:
		return !refuse_long(client);
	case LINE_PART:
		break;
	}
	return wait_for_more(client, length);
}

static void on_turn(evutil_socket_t unused, short what, void *arg)
{
	struct client *client = arg;

	(void)unused;
	(void)what;
	/* A refused client has had its time. */
	if (client->refused || client->deaf || !client_step(client))
		client_free(client);
}

static void on_slice(evutil_socket_t unused, short what, void *arg)
{
	struct control *control = arg;
	struct client *client = next_in_queue(control);
	uint64_t began = lb_clock_ns(CLOCK_MONOTONIC);
	bool goes_on;

	(void)unused;
	(void)what;
	if (!client)
		return;
	leave_queue(client);
	goes_on = client_step(client);
	if (!client->busy)
		share_had(control->share, client->user, began, lb_clock_ns(CLOCK_MONOTONIC));
	if (!goes_on)
		client_free(client);
	arm_slice(control);
}

static void on_late(evutil_socket_t unused, short what, void *arg)
{
	struct client *client = arg;

	(void)unused;
	(void)what;
	client->expired = true;
	if (!turn_is_due(client)) /* else the rest of the line may have come */
		client_free(client);
}

static void on_read(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct evbuffer *input = bufferevent_get_input(stream);

	if (client->refused)
		evbuffer_drain(input, evbuffer_get_length(input));
	else if (client->busy)
		return;
	else if (client->control->shares_turns)
		enter_queue(client);
	else if (!turn_is_due(client) && !client_step(client))
		client_free(client);
}

/* Every reply so far was written. */
static void on_written(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;

	if (!client->refused)
		turn_again(client);
	else if (client->eof)
		client_free(client);
	else
		shutdown(bufferevent_getfd(stream), SHUT_WR);
}

/* End of input, an error, or a time that ran out. */
static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct client *client = arg;
	(void)stream;
	if (!(what & BEV_EVENT_EOF) || (client->refused && !unread_of(client))) {
		client_free(client);
		return;
	}
	client->eof = true;
	if (!client->refused)
		turn_again(client);
}

/* --- broadcasting --- */

/* Whoever emits may be in the middle of a turn of any client, so none is freed here. */
static void client_tell(struct client *client, const char *line, size_t length)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);

	if (!client->watching || client->deaf || client->refused || client->gone)
		return;
	if (unread_of(client) + length <= REPLIES_MAX && !evbuffer_add(output, line, length))
		return;
	client->deaf = true;
	leave_queue(client);
	turn_again(client);
}

void control_broadcast(void *arg, const char *line, size_t length)
{
	struct control *control = arg;
	struct client *client;

	LIST_FOREACH (client, &control->clients, entry)
		client_tell(client, line, length);
}

/* --- streams --- */

int control_stream_open(struct control_stream *stream, const struct peer *peer)
{
	struct client *client = peer->client;

	if (!client || client->told)
		return -EBUSY;
	client->told = stream;
	stream->client = client;
	return 0;
}

bool control_stream_send(const struct control_stream *stream, const char *line, size_t length)
{
	struct client *client = stream->client;

	return client && !client->busy && !client->refused && !client->deaf &&
	       unread_of(client) + length <= STREAM_MAX &&
	       !evbuffer_add(bufferevent_get_output(client->stream), line, length);
}

void control_stream_close(struct control_stream *stream, const char *last, size_t length)
{
	struct client *client = stream->client;

	stream->client = NULL;
	if (!client)
		return;
	client->told = NULL;
	if (last)
		evbuffer_add(bufferevent_get_output(client->stream), last, length);
}

/* --- accepting --- */

static bool client_events(struct client *client, struct event_base *base, evutil_socket_t fd)
{
	client->turn = evtimer_new(base, on_turn, client);
	client->late = evtimer_new(base, on_late, client);
	if (client->turn && client->late)
		client->stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->stream)
		return true;
	if (client->turn)
		event_free(client->turn);
	if (client->late)
		event_free(client->late);
	return false;
}

/* NULL: no memory; `fd` is still the caller's then. */
static struct client *client_new(struct control *control, evutil_socket_t fd,
				 const struct peer *peer, struct share_user *user)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || !client_events(client, control->base, fd)) {
		free(client);
		return NULL;
	}
	client->control = control;
	client->peer = *peer;
	client->peer.client = client;
	client->user = user;
	LIST_INSERT_HEAD(&control->clients, client, entry);
	return client;
}

/* The client's own socket is not waited for: a line fits into it. */
static void turn_away(evutil_socket_t fd, const struct peer *peer)
{
	struct lb_err err = {0};
	char *line;

	lb_err_set(&err, LB_ERR_LIMIT, "",
		   "no place is free at this socket for another client of user %lld",
		   (long long)(int32_t)peer->uid);
	lb_err_hint(&err, "end others that the user has connected here, such as lbctl watch");
	line = lb_error_line(NULL, &err);
	if (line)
		(void)!send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
	free(line);
	close(fd);
}

static void accept_later(struct control *control, unsigned int ms)
{
	const struct timeval later = {.tv_usec = ms * 1000};

	evconnlistener_disable(control->listener);
	evtimer_add(control->accept_again, &later);
}

static void on_accept_again(evutil_socket_t unused, short what, void *arg)
{
	struct control *control = arg;

	(void)unused;
	(void)what;
	if (!share_full(control->share))
		evconnlistener_enable(control->listener);
	/* Else client_free does it. */
}

static void let_in(struct control *control, evutil_socket_t fd)
{
	const struct peer peer = peer_of(fd);
	struct share_user *user = share_enter(control->share, peer.uid);
	struct client *client = user ? client_new(control, fd, &peer, user) : NULL;

	if (!client) {
		if (user)
			share_leave(control->share, user);
		turn_away(fd, &peer);
		return;
	}
	bufferevent_setcb(client->stream, on_read, on_written, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, control->line_max);
	bufferevent_set_timeouts(client->stream, NULL, &control->idle);
	bufferevent_set_max_single_read(client->stream, READ_MAX);
	bufferevent_set_max_single_write(client->stream, READ_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* Who is turned away may come again at once: accepting has its pauses, too. */
static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
		      int length, void *arg)
{
	struct control *control = arg;

	(void)peer;
	(void)length;
	let_in(control, fd);
	if (share_full(control->share))
		evconnlistener_disable(listener);
	if (control->shares_turns && ++control->accepts % ACCEPTS_MAX == 0)
		accept_later(control, ACCEPT_REST_MS);
}

/* No descriptors or memory: the listener would be called again and again, so it rests a while. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)listener;
	accept_later(arg, ACCEPT_RETRY_MS);
}

/* --- the socket's file --- */

static int system_error(struct lb_err *err, int fault, const char *what, const char *path)
{
	lb_err_set(err, LB_ERR_SYSTEM, "control.path", "cannot %s %s: %s", what, path,
		   strerror(fault));
	return -fault;
}

static int make_folder(const char *path, struct lb_err *err)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = 0;
	if (mkdir(folder, 0755) && errno != EEXIST)
		return system_error(err, errno, "make the folder", folder);
	return 0;
}

/* Whether somebody listens at the address: 0 nobody, 1 somebody, or -errno. */
static int somebody_answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), fault = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		fault = errno;
	close(fd);
	if (!fault || fault == EAGAIN) /* EAGAIN: its queue is full */
		return 1;
	return fault == ECONNREFUSED || fault == ENOENT ? 0 : -fault;
}

static int make_room(const struct sockaddr_un *address, struct lb_err *err)
{
	const char *path = address->sun_path;
	struct stat file;
	int ret;

	if (lstat(path, &file))
		return errno == ENOENT ? 0 : system_error(err, errno, "look at", path);
	if (!S_ISSOCK(file.st_mode)) {
		lb_err_set(err, LB_ERR_REFUSED, "control.path", "%s exists and is not a socket",
			   path);
		lb_err_hint(err, "move it away, or configure another path");
		return -EEXIST;
	}
	ret = somebody_answers(address);
	if (ret < 0)
		return system_error(err, -ret, "connect to", path);
	if (ret) {
		lb_err_set(err, LB_ERR_REFUSED, "control.path", "another lbd answers at %s", path);
		lb_err_hint(err, "stop it first, or configure another path");
		return -EADDRINUSE;
	}
	if (unlink(path) && errno != ENOENT)
		return system_error(err, errno, "remove the stale", path);
	return 0;
}

static int required_group(const struct control_options *options, int fault, struct lb_err *err)
{
	if (fault != ENOENT) {
		system_error(err, fault, "set the group of", options->path);
		lb_err_hint(err, "lbd needs CAP_CHOWN for that; or leave control.group out");
		return -fault;
	}
	lb_err_set(err, LB_ERR_NOT_FOUND, "control.group", "no group \"%s\"", options->group);
	lb_err_hint(err, "make it with: groupadd --system %s", options->group);
	return -ENOENT;
}

/* The default group is a convenience: where it is missing, or lbd may not give the socket to it, as in a
 * container without CAP_CHOWN, root alone may connect. */
static int set_group(const struct control_options *options, char *warning, size_t warning_size,
		     struct lb_err *err)
{
	const struct group *group;
	int fault;

	if (!options->group || !*options->group)
		return 0;
	group = getgrnam(options->group);
	if (group && !chown(options->path, (uid_t)-1, group->gr_gid))
		return 0;
	fault = group ? errno : ENOENT;
	if (options->group_required || (fault != ENOENT && fault != EPERM))
		return required_group(options, fault, err);
	if (!group)
		snprintf(warning, warning_size,
			 "no group \"%s\": only root may use %s; groupadd --system %s, then "
			 "restart lbd",
			 options->group, options->path, options->group);
	else
		snprintf(warning, warning_size,
			 "lbd lacks CAP_CHOWN: only root may use %s, not group \"%s\"",
			 options->path, options->group);
	return 0;
}

/* The descriptor of a bound socket, or -errno. Nobody but its owner can connect until all is set. */
static int bind_socket(const struct sockaddr_un *address, struct lb_err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), fault;

	if (fd < 0)
		return system_error(err, errno, "make the socket", address->sun_path);
	if (!fchmod(fd, 0600) && !bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return fd;
	fault = errno;
	close(fd);
	return system_error(err, fault, "bind", address->sun_path);
}

static int open_file(struct control *control, const struct control_options *options, char *warning,
		     size_t warning_size, struct lb_err *err)
{
	const char *path = control->address.sun_path;
	int fd, ret = make_folder(path, err);

	if (!ret)
		ret = make_room(&control->address, err);
	if (ret)
		return ret;
	fd = bind_socket(&control->address, err);
	if (fd < 0)
		return fd;
	ret = set_group(options, warning, warning_size, err);
	if (!ret && (chmod(path, options->mode ? options->mode : MODE_DEFAULT) ||
		     lstat(path, &control->file)))
		ret = system_error(err, errno, "set the mode of", path);
	if (!ret)
		return fd;
	unlink(path);
	close(fd);
	return ret;
}

static void remove_file(const struct control *control)
{
	const char *path = control->address.sun_path;
	struct stat now;

	if (!lstat(path, &now) && now.st_dev == control->file.st_dev &&
	    now.st_ino == control->file.st_ino)
		unlink(path);
}

/* --- the whole --- */

/* Takes over `fd`, also when it fails. */
static int listen_on(struct control *control, int fd)
{
	control->accept_again = evtimer_new(control->base, on_accept_again, control);
	control->slice = evtimer_new(control->base, on_slice, control);
	if (control->accept_again && control->slice)
		control->listener = evconnlistener_new(
			control->base, on_accept, control,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (control->listener) {
		evconnlistener_set_error_cb(control->listener, on_accept_error);
		return 0;
	}
	close(fd);
	return -ENOMEM;
}

static struct control *control_new(struct event_base *base, const struct control_options *options)
{
	const struct share_limits *share = options->share ? options->share : &share_default;
	struct control *control = calloc(1, sizeof(*control));
	unsigned int idle_ms = options->idle_ms ? options->idle_ms : IDLE_MS_DEFAULT;

	if (!control)
		return NULL;
	control->share = share_new(share);
	if (!control->share) {
		free(control);
		return NULL;
	}
	control->shares_turns = share->rest;
	control->line_max = options->line_max ? options->line_max : LB_REQUEST_MAX;
	control->held_max = options->held_max ? options->held_max : HELD_MAX;
	control->base = base;
	control->call = options->call;
	control->place = options->place;
	control->together = options->together;
	control->settle = options->settle;
	control->stream_method = options->stream_method;
	control->user = options->user;
	control->idle.tv_sec = idle_ms / 1000;
	control->idle.tv_usec = idle_ms % 1000 * 1000;
	LIST_INIT(&control->clients);
	TAILQ_INIT(&control->queue);
	return control;
}

static int open_control(struct event_base *base, const struct control_options *options,
			struct control **out, char *warning, size_t warning_size,
			struct lb_err *err)
{
	struct control *control;
	int fd;

	if (strlen(options->path) >= sizeof(control->address.sun_path))
		return lb_err_set(err, LB_ERR_PARAMS, "control.path", "%s is too long for a socket",
				  options->path);
	control = control_new(base, options);
	if (!control)
		return lb_err_no_memory(err);
	control->address.sun_family = AF_UNIX;
	strcpy(control->address.sun_path, options->path);
	/* A client that goes away while it is written to is an error of that write, no signal. */
	signal(SIGPIPE, SIG_IGN);
	fd = open_file(control, options, warning, warning_size, err);
	if (fd < 0) {
		share_free(control->share);
		free(control);
		return fd;
	}
	if (listen_on(control, fd)) {
		control_close(control);
		return lb_err_set(err, LB_ERR_SYSTEM, "control.path", "cannot listen at %s",
				  options->path);
	}
	*out = control;
	return 0;
}

int control_open(struct event_base *base, const struct control_options *options,
		 struct control **out, char *warning, size_t warning_size, struct lb_err *err)
{
	int ret = open_control(base, options, out, warning, warning_size, err);

	if (ret && options->path_name)
		snprintf(err->path, sizeof(err->path), "%s", options->path_name);
	return ret;
}

/* Past the loop, which has ended. What is left then; 0 for a client that is gone. */
static size_t push(struct client *client)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);

	if (!unread_of(client))
		return 0;
	evbuffer_unfreeze(output, 1);
	if (evbuffer_write(output, bufferevent_getfd(client->stream)) < 0 && errno != EAGAIN)
		evbuffer_drain(output, unread_of(client));
	return unread_of(client);
}

/* A reply may say that a change was made: clients get a moment to read theirs. */
static void send_rest(struct control *control)
{
	const int64_t end = lb_clock_ns(CLOCK_MONOTONIC) + FAREWELL_MS * 1000000ll;
	const struct timespec moment = {.tv_nsec = 2000000};
	struct client *client;
	size_t left;

	do {
		left = 0;
		LIST_FOREACH (client, &control->clients, entry)
			left += push(client);
		if (left)
			nanosleep(&moment, NULL);
	} while (left && lb_clock_ns(CLOCK_MONOTONIC) < end);
}

void control_close(struct control *control)
{
	struct client *client;

	if (!control)
		return;
	if (control->listener)
		evconnlistener_free(control->listener);
	control->listener = NULL;
	send_rest(control);
	while ((client = LIST_FIRST(&control->clients)))
		client_free(client);
	if (control->accept_again)
		event_free(control->accept_again);
	if (control->slice)
		event_free(control->slice);
	remove_file(control);
	share_free(control->share);
	free(control);
}
