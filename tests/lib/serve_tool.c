/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backend am I talking to? A server for tests that answers with its name: over HTTP to any
 * request, one a connection, and over UDP to any datagram; on IPv4 and IPv6, from the address
 * asked.
 *
 *	serve_tool NAME PORT
 *
 * Single thread, epoll. Prints nothing; runs until it is killed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 65536

struct server {
	int epoll, tcp, udp;
	char body[256];                /* the name and a newline */
	char response[512];            /* the whole HTTP response */
	uint8_t seen[CONNECTIONS_MAX]; /* by descriptor: how much of the blank line has come */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int watch(const struct server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_socket(int type, uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, room = 4 << 20;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)))
		die("setsockopt");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 4096))
		die("listen");
	return fd;
}

static void accept_all(struct server *server)
{
	int fd;

	while ((fd = accept4(server->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= CONNECTIONS_MAX || watch(server, fd)) {
			close(fd);
			continue;
		}
		server->seen[fd] = 0;
	}
}

/* True once the blank line that ends a request has come, in however many pieces. */
static int request_ended(uint8_t *seen, const char *text, size_t length)
{
	static const char blank_line[] = "\r\n\r\n";

	for (size_t i = 0; i < length; i++) {
		if (text[i] == blank_line[*seen])
			++*seen;
		else
			*seen = text[i] == '\r';
		if (*seen == 4)
			return 1;
	}
	return 0;
}

static void answer_tcp(struct server *server, int fd)
{
	char text[4096];
	ssize_t length = read(fd, text, sizeof(text));

	if (length < 0 && errno == EAGAIN)
		return;
	if (length > 0 && !request_ended(&server->seen[fd], text, length))
		return;
	if (length > 0 && write(fd, server->response, strlen(server->response)) < 0)
		perror("write");
	close(fd);
}

/* The control message that brought the address asked goes back with the answer, so that a datagram
 * to a VIP is answered from the VIP. */
static void answer_udp(struct server *server)
{
	char text[65536], control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_in6 client;
	struct iovec piece = {text, sizeof(text)};
	struct msghdr message = {&client, sizeof(client), &piece, 1, control, sizeof(control), 0};

	while (recvmsg(server->udp, &message, 0) >= 0) {
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		if (header && header->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)CMSG_DATA(header))->ipi6_ifindex = 0;
		piece = (struct iovec){server->body, strlen(server->body)};
		if (sendmsg(server->udp, &message, 0) < 0)
			perror("sendmsg");
		piece = (struct iovec){text, sizeof(text)};
		message = (struct msghdr){&client, sizeof(client),  &piece, 1,
					  control, sizeof(control), 0};
	}
}

static void serve(struct server *server)
{
	struct epoll_event events[64];

	for (;;) {
		int count = epoll_wait(server->epoll, events, 64, -1);

		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == server->tcp)
				accept_all(server);
			else if (fd == server->udp)
				answer_udp(server);
			else
				answer_tcp(server, fd);
		}
	}
}

int main(int argc, char **argv)
{
	static struct server server;
	struct rlimit files;

	if (argc != 3 || strlen(argv[1]) > 64) {
		fprintf(stderr, "usage: serve_tool NAME PORT\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	snprintf(server.body, sizeof(server.body), "%s\n", argv[1]);
	snprintf(server.response, sizeof(server.response),
		 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		 strlen(server.body), server.body);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	server.tcp = open_socket(SOCK_STREAM, atoi(argv[2]));
	server.udp = open_socket(SOCK_DGRAM, atoi(argv[2]));
	if (watch(&server, server.tcp) || watch(&server, server.udp))
		die("epoll_ctl");
	serve(&server);
}
