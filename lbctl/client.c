/* SPDX-License-Identifier: BSD-2-Clause */
/* How is lbd asked? One request, one reply, over its Unix socket. */
#include "client.h"
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "../lbd/api/rpc.h"

#define REQUEST_ID 1

struct reply {
	char *bytes;
	size_t length; /* of the line, without its newline, once it is complete */
	size_t filled; /* that, and what came after it */
	size_t size;
};

static int unreachable(const char *path, const char *why, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_UNREACHABLE, "", "lbd does not answer at %s: %s", path, why);
}

/* Whose socket it is, and where one may look without being one of them. */
static void hint_permission(const char *path, struct lb_err *err)
{
	const char *otherwise = access(LB_SOCKET_READ_ONLY, W_OK)
					? ""
					: "; for read-only access: --socket " LB_SOCKET_READ_ONLY;
	const struct group *group;
	struct stat status;

	if (stat(path, &status)) {
		lb_err_hint(err, "run lbctl as root or as a member of the socket's group%s",
			    otherwise);
		return;
	}
	group = getgrgid(status.st_gid);
	if (group)
		lb_err_hint(
			err,
			"the socket belongs to group %s: run lbctl as root or as a member of it%s",
			group->gr_name, otherwise);
	else
		lb_err_hint(
			err,
			"the socket belongs to group %u: run lbctl as root or as a member of it%s",
			(unsigned int)status.st_gid, otherwise);
}

static int connect_failed(const char *path, int why, struct lb_err *err)
{
	unreachable(path, why == EAGAIN ? "too many clients are waiting" : strerror(why), err);
	if (why == EACCES || why == EPERM)
		hint_permission(path, err);
	else if (why == ENOENT || why == ENOTDIR)
		lb_err_hint(err, "is lbd running? --socket PATH names another socket");
	else if (why == ECONNREFUSED)
		lb_err_hint(err, "nobody listens there: is lbd running?");
	return -EINVAL;
}

/* A connected socket, or -EINVAL. */
int client_open(const char *path, int timeout_s, struct lb_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = timeout_s};
	int fd;

	if (strlen(path) == 0 || strlen(path) >= sizeof(address.sun_path))
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "the path of a socket has 1 to %zu characters, not %zu",
				  sizeof(address.sun_path) - 1, strlen(path));
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "no socket: %s", strerror(errno));
	/* Sending includes connecting, which waits where lbd's queue of clients is full. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		connect_failed(path, errno, err);
		close(fd);
		return -EINVAL;
	}
	return fd;
}

/* A request that cannot be sent to its end is no fault yet: lbd may have closed after saying why. */
static void send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

static int reply_grow(struct reply *reply)
{
	size_t size = reply->size ? reply->size * 2 : 65536;
	char *bytes = realloc(reply->bytes, size);

	if (!bytes)
		return -ENOMEM;
	reply->bytes = bytes;
	reply->size = size;
	return 0;
}

/* Whether a line is complete; the bytes before `searched` hold no newline. */
static bool find_line(struct reply *reply, size_t searched)
{
	const char *newline = memchr(reply->bytes + searched, '\n', reply->filled - searched);

	reply->length = newline ? (size_t)(newline - reply->bytes) : reply->filled;
	return newline;
}

/* Reads once. 1 when the line is complete, 0 when not yet, or -EINVAL. */
static int read_some(int fd, const char *path, int timeout_s, struct reply *reply,
		     struct lb_err *err)
{
	size_t before = reply->filled;
	char why[64];
	ssize_t got;

	if (reply->filled == reply->size && reply_grow(reply))
		return lb_err_no_memory(err);
	got = recv(fd, reply->bytes + before, reply->size - before, 0);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		snprintf(why, sizeof(why), "nothing came for %d s", timeout_s);
		return unreachable(path, why, err);
	}
	if (got < 0)
		return unreachable(path, strerror(errno), err);
	if (got == 0)
		return unreachable(path, before ? "the reply is cut off" : "it hung up", err);
	reply->filled += (size_t)got;
	return find_line(reply, before);
}

static int read_reply(int fd, const char *path, int timeout_s, struct reply *reply,
		      struct lb_err *err)
{
	int status = 0;

	while (status == 0) {
		status = read_some(fd, path, timeout_s, reply, err);
		if (status == 0 && reply->length >= CLIENT_REPLY_MAX)
			return unreachable(path, "the reply is longer than 64 MiB", err);
	}
	if (status < 0 && err->code == LB_ERR_UNREACHABLE)
		lb_err_hint(err, "if a change was asked for, it may have been made");
	return status < 0 ? status : 0;
}

static bool carries_error(const struct reply *reply)
{
	json_auto_t *root = json_loadb(reply->bytes, reply->length, 0, NULL);

	return json_is_object(json_object_get(root, "error"));
}

/* Sends the request and takes its reply; what came after that stays in *reply, whose bytes are to
 * be freed. */
static int exchange(int fd, const char *path, int timeout_s, const char *request,
		    struct reply *reply, json_t **result, struct lb_err *err)
{
	int status;

	send_all(fd, request, strlen(request));
	status = read_reply(fd, path, timeout_s, reply, err);
	if (status)
		return status;
	status = lb_reply_parse(reply->bytes, reply->length, REQUEST_ID, result, err);
	if (status && !carries_error(reply)) {
		unreachable(path, "the reply is not one of lbd's protocol", err);
		lb_err_hint(err, "is this lbd's socket?");
	}
	return status;
}

/* The line of a request that lbd takes, to be freed, or NULL and *err. */
static char *make_request(const char *method, const json_t *params, struct lb_err *err)
{
	char *request = lb_request_line(REQUEST_ID, method, params);

	if (!request)
		lb_err_no_memory(err);
	if (!request || strlen(request) <= LB_REQUEST_MAX)
		return request;
	lb_err_set(err, LB_ERR_PARAMS, "", "the request has %zu bytes, lbd takes %u at most",
		   strlen(request), LB_REQUEST_MAX);
	free(request);
	return NULL;
}

int client_ask(int fd, const char *path, int timeout_s, const char *method, const json_t *params,
	       json_t **result, struct lb_err *err)
{
	char *request = make_request(method, params, err);
	struct reply reply = {0};
	int status = -EINVAL;

	if (request)
		status = exchange(fd, path, timeout_s, request, &reply, result, err);
	free(reply.bytes);
	free(request);
	return status;
}

int client_call(const char *path, int timeout_s, const char *method, const json_t *params,
		json_t **result, struct lb_err *err)
{
	const int fd = client_open(path, timeout_s, err);
	int status;

	if (fd < 0)
		return -EINVAL;
	status = client_ask(fd, path, timeout_s, method, params, result, err);
	close(fd);
	return status;
}

/* --- notifications --- */

/* Waits for the next line as long as it takes. 0, or -EINVAL when lbd has ended. */
static int next_line(int fd, const char *path, struct reply *reply, struct lb_err *err)
{
	int status;

	reply->filled -= reply->length + 1;
	memmove(reply->bytes, reply->bytes + reply->length + 1, reply->filled);
	status = find_line(reply, 0);
	while (status == 0 && reply->length < CLIENT_REPLY_MAX)
		status = read_some(fd, path, 0, reply, err);
	if (status > 0)
		return 0;
	if (status == 0)
		unreachable(path, "an event is longer than 64 MiB", err);
	else if (err->code == LB_ERR_UNREACHABLE)
		lb_err_set(err, LB_ERR_UNREACHABLE, "", "lbd at %s has ended, or has hung up",
			   path);
	return -EINVAL;
}

static int follow(int fd, const char *path, struct reply *reply,
		  bool (*each)(void *user, const json_t *params), void *user, struct lb_err *err)
{
	const struct timeval never = {0};
	bool more = true;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never));
	while (more) {
		json_auto_t *root = NULL;

		if (next_line(fd, path, reply, err))
			return -EINVAL;
		root = json_loadb(reply->bytes, reply->length, 0, NULL);
		more = each(user, json_object_get(root, "params"));
	}
	return 0;
}

int client_stream(const char *path, int timeout_s, const char *method, const json_t *params,
		  bool (*each)(void *user, const json_t *params), void *user, struct lb_err *err)
{
	char *request = make_request(method, params, err);
	json_auto_t *result = NULL;
	struct reply reply = {0};
	int status = -EINVAL, fd;

	if (!request)
		return -EINVAL;
	fd = client_open(path, timeout_s, err);
	if (fd >= 0) {
		status = exchange(fd, path, timeout_s, request, &reply, &result, err);
		if (!status)
			status = follow(fd, path, &reply, each, user, err);
		close(fd);
	}
	free(reply.bytes);
	free(request);
	return status;
}
