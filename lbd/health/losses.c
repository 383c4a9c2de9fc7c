/* SPDX-License-Identifier: BSD-2-Clause */
/* How many packets were lost at backends? See losses.h. */
#include "losses.h"

#include <arpa/inet.h>
#include <endian.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../bpf/abi.h"
#include "../../bpf/second_question.h"
#include "../api/clock.h"

#define TICK_MS 100
#define TICKS (LOSSES_ASK_MS / TICK_MS)
#define SILENT_QUESTIONS 3 /* so many without an answer, the one on its way included */
#define FAMILIES 2         /* IPv4, IPv6 */

/* No more is believed: the sum over all backends fits into an int64_t. */
#define LOST_MAX (1ull << 46)

/* A member that is asked. Counters are those of the backend, since its program is there. */
struct asked {
	struct lb_addr address;
	uint64_t nonce; /* of the last question; the number is in its last 16 bits */
	uint64_t lost;  /* as it was answered last */
	int64_t watch_until_ms;
	uint32_t unanswered;
	struct losses_view view;
};

struct losses {
	struct event_base *base;
	struct event *tick;
	struct {
		int fd; /* -1: none could be opened */
		struct event *readable;
	} sockets[FAMILIES];
	uint32_t ticks;
	uint32_t members, count; /* how many there may be, and how many are asked */
	struct asked **asked;    /* by member number; NULL: not asked */
};

/* --- questions --- */

static uint32_t watch_s(const struct asked *asked)
{
	const int64_t left_ms = asked->watch_until_ms - lb_now_ms();

	if (left_ms <= 0)
		return 0;
	return left_ms >= SECOND_WATCH_MAX_S * 1000 ? SECOND_WATCH_MAX_S : left_ms / 1000 + 1;
}

/* What cannot be sent is a question without an answer. */
static void ask(struct losses *losses, uint16_t number)
{
	struct asked *asked = losses->asked[number];
	struct second_question question = {.control = SECOND_CONTROL,
					   .type = SECOND_ASKS,
					   .magic = htonl(SECOND_MAGIC),
					   .watch_s = htonl(watch_s(asked))};
	const int fd = losses->sockets[asked->address.family == 6].fd;
	struct sockaddr_storage to;
	socklen_t length = lb_addr_to_socket(&asked->address, LB_GUE_PORT, &to);

	if (asked->unanswered < SILENT_QUESTIONS)
		asked->unanswered++;
	asked->nonce = 0;
	if (getrandom(&asked->nonce, sizeof(asked->nonce), GRND_NONBLOCK) != sizeof(asked->nonce))
		return;
	asked->nonce = (asked->nonce & ~0xffffull) | number;
	question.nonce = htobe64(asked->nonce);
	sendto(fd, &question, sizeof(question), MSG_DONTWAIT, (void *)&to, length);
}

/* Each has its turn once in LOSSES_ASK_MS. */
static void on_tick(evutil_socket_t fd, short events, void *user)
{
	struct losses *losses = user;

	(void)fd;
	(void)events;
	losses->ticks = (losses->ticks + 1) % TICKS;
	for (uint32_t number = losses->ticks; number < losses->members; number += TICKS)
		if (losses->asked[number])
			ask(losses, number);
}

/* --- answers --- */

static bool is_from(const struct sockaddr_storage *from, const struct lb_addr *expected)
{
	struct lb_addr address;
	uint16_t port;

	return lb_addr_from_socket((const void *)from, &address, &port) && port == LB_GUE_PORT &&
	       lb_addr_equal(&address, expected);
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > LOST_MAX || b > LOST_MAX - a ? LOST_MAX : a + b;
}

/* A program that was loaded again counts from 0. */
static void take(struct asked *asked, uint64_t lost)
{
	struct losses_view *view = &asked->view;

	if (!view->since_ms)
		view->since_ms = lb_clock_ns(CLOCK_REALTIME) / 1000000;
	else
		view->lost = sum(view->lost, lost >= asked->lost ? lost - asked->lost : lost);
	asked->lost = lost;
	asked->unanswered = 0;
	asked->nonce = 0;
}

static void look(struct losses *losses, const struct second_question *answer,
		 const struct sockaddr_storage *from)
{
	const uint64_t nonce = be64toh(answer->nonce);
	struct asked *asked =
		(nonce & 0xffff) < losses->members ? losses->asked[nonce & 0xffff] : NULL;

	if (answer->type == SECOND_ANSWERS && answer->magic == htonl(SECOND_MAGIC) && asked &&
	    nonce && asked->nonce == nonce && is_from(from, &asked->address))
		take(asked, sum(be64toh(answer->lost), be64toh(answer->stray)));
}

static void on_readable(evutil_socket_t fd, short events, void *user)
{
	struct losses *losses = user;
	struct second_question answer;
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	ssize_t length;

	(void)events;
	while ((length = recvfrom(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC,
				  (void *)&from, &size)) >= 0) {
		if (length == sizeof(answer))
			look(losses, &answer, &from);
		size = sizeof(from);
	}
}

/* --- sockets --- */

/* Without checksums, as all GUE is: the program does not compute one. */
static int open_socket(int family)
{
	const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd >= 0 && family == AF_INET)
		setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on));
	if (fd >= 0 && family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on));
		setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on, sizeof(on));
	}
	return fd;
}

static void begin_family(struct losses *losses, int i)
{
	const int fd = losses->sockets[i].fd = open_socket(i ? AF_INET6 : AF_INET);

	if (fd < 0)
		return;
	losses->sockets[i].readable =
		event_new(losses->base, fd, EV_READ | EV_PERSIST, on_readable, losses);
	if (losses->sockets[i].readable)
		event_add(losses->sockets[i].readable, NULL);
}

/* When the first is asked, and until none is. */
static void begin(struct losses *losses)
{
	const struct timeval interval = {.tv_usec = TICK_MS * 1000};

	for (int i = 0; i < FAMILIES; i++)
		begin_family(losses, i);
	losses->tick = event_new(losses->base, -1, EV_PERSIST, on_tick, losses);
	if (losses->tick)
		event_add(losses->tick, &interval);
}

static void end(struct losses *losses)
{
	for (int i = 0; i < FAMILIES; i++) {
		if (losses->sockets[i].readable)
			event_free(losses->sockets[i].readable);
		if (losses->sockets[i].fd >= 0)
			close(losses->sockets[i].fd);
		losses->sockets[i].readable = NULL;
		losses->sockets[i].fd = -1;
	}
	if (losses->tick)
		event_free(losses->tick);
	losses->tick = NULL;
}

/* --- who is asked --- */

struct losses *losses_new(struct event_base *base, uint32_t members)
{
	struct losses *losses = calloc(1, sizeof(*losses));

	if (!losses)
		return NULL;
	losses->base = base;
	losses->members = members;
	losses->sockets[0].fd = losses->sockets[1].fd = -1;
	losses->asked = calloc(members, sizeof(*losses->asked));
	if (losses->asked)
		return losses;
	free(losses);
	return NULL;
}

static void forget(struct losses *losses, uint16_t number)
{
	if (!losses->asked[number])
		return;
	free(losses->asked[number]);
	losses->asked[number] = NULL;
	if (!--losses->count)
		end(losses);
}

void losses_free(struct losses *losses)
{
	if (!losses)
		return;
	for (uint32_t number = 0; number < losses->members; number++)
		forget(losses, number);
	free(losses->asked);
	free(losses);
}

void losses_ask(struct losses *losses, uint16_t number, const struct lb_addr *address)
{
	struct asked *asked = losses ? losses->asked[number] : NULL;

	if (!losses || (asked && address && lb_addr_equal(&asked->address, address)))
		return;
	forget(losses, number);
	if (!address)
		return;
	asked = losses->asked[number] = calloc(1, sizeof(*asked));
	if (!asked)
		return;
	asked->address = *address;
	if (!losses->count++)
		begin(losses);
	ask(losses, number);
}

void losses_watch(struct losses *losses, uint16_t number, int64_t until_ms)
{
	struct asked *asked = losses ? losses->asked[number] : NULL;

	if (!asked || until_ms <= asked->watch_until_ms)
		return;
	asked->watch_until_ms = until_ms;
	ask(losses, number);
}

bool losses_get(const struct losses *losses, uint16_t number, struct losses_view *out)
{
	const struct asked *asked = losses ? losses->asked[number] : NULL;

	if (!asked)
		return false;
	*out = asked->view;
	out->silent = asked->unanswered >= SILENT_QUESTIONS;
	return true;
}
