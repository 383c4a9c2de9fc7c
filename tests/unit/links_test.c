/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a list of links whole, or an error, whatever the kernel answers? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "../../lbd/route/links.h"

#define PARTS_MAX 8

/* One read of a dump: some links, or its end. */
struct part {
	uint32_t first, count; /* links e<first>, e<first + 1>, … */
	bool interrupted;      /* the kernel says that its list has changed */
	bool done;
	int error;     /* with done: of the dump */
	ssize_t fault; /* instead of a datagram: -errno */
};

/* What each attempt is answered with; the last one is repeated. */
struct kernel {
	struct part attempts[3][PARTS_MAX];
	uint32_t attempt_count, requests;
	uint32_t sequence, next;
};

static int on_request(void *user, uint32_t sequence)
{
	struct kernel *kernel = user;

	kernel->requests++;
	kernel->sequence = sequence;
	kernel->next = 0;
	return 0;
}

static struct nlmsghdr *put_message(char *at, const struct part *part, uint16_t type,
				    uint32_t sequence)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(at);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_MULTI | (part->interrupted ? NLM_F_DUMP_INTR : 0);
	message->nlmsg_seq = sequence;
	return message;
}

static size_t put_link(char *at, const struct part *part, uint32_t ifindex, uint32_t sequence)
{
	static const uint8_t mac[6] = {2};
	struct nlmsghdr *message = put_message(at, part, RTM_NEWLINK, sequence);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	char name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "e%u", ifindex);
	header->ifi_index = (int)ifindex;
	header->ifi_type = ARPHRD_ETHER;
	header->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_MTU, 1500);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(mac), mac);
	return message->nlmsg_len;
}

static size_t put_done(char *at, const struct part *part, uint32_t sequence)
{
	struct nlmsghdr *message = put_message(at, part, NLMSG_DONE, sequence);

	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(part->error)), &part->error,
	       sizeof(part->error));
	return message->nlmsg_len;
}

static ssize_t on_receive(void *user, char *buffer)
{
	struct kernel *kernel = user;
	uint32_t attempt =
		kernel->requests < kernel->attempt_count ? kernel->requests : kernel->attempt_count;
	const struct part *part = &kernel->attempts[attempt - 1][kernel->next++];
	size_t length = 0;

	assert_true(kernel->next <= PARTS_MAX);
	if (part->fault)
		return part->fault;
	for (uint32_t i = 0; i < part->count; i++)
		length += put_link(buffer + length, part, part->first + i, kernel->sequence);
	if (part->done)
		length += put_done(buffer + length, part, kernel->sequence);
	return (ssize_t)length;
}

static int read_links(struct kernel *kernel, struct links *out)
{
	const struct links_source source = {on_request, on_receive, kernel};

	return links_read_from(&source, out);
}

static void assert_links(const struct links *links, uint32_t count)
{
	char name[IF_NAMESIZE];

	assert_int_equal(links->count, count);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "e%u", i + 1);
		assert_string_equal(links->link[i].name, name);
		assert_int_equal(links->link[i].ifindex, i + 1);
		assert_true(links->link[i].up);
		assert_true(links->link[i].ethernet);
	}
}

static void a_dump_of_several_parts_is_one_list(void **state)
{
	struct kernel kernel = {
		.attempts = {{{.first = 1, .count = 20},
			      {.first = 21, .count = 13},
			      {.done = true}}},
		.attempt_count = 1,
	};
	struct links links;

	(void)state;
	assert_int_equal(read_links(&kernel, &links), 0);
	assert_links(&links, 33);
	assert_int_equal(kernel.requests, 1);
	links_clear(&links);
}

/* The flag may stand on any message; what came before and after it is of no use. */
static void an_interrupted_dump_is_read_again(void **state)
{
	static const struct part interrupted[3][PARTS_MAX] = {
		{{.first = 1, .count = 3, .interrupted = true},
		 {.first = 5, .count = 1},
		 {.done = true}},
		{{.first = 1, .count = 3},
		 {.first = 3, .count = 2, .interrupted = true, .done = true}},
		{{.first = 1, .count = 1}, {.interrupted = true, .done = true}},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct kernel kernel = {
			.attempts = {{{0}}, {{.first = 1, .count = 5, .done = true}}},
			.attempt_count = 2,
		};
		struct links links;

		memcpy(kernel.attempts[0], interrupted[i], sizeof(interrupted[i]));
		assert_int_equal(read_links(&kernel, &links), 0);
		assert_links(&links, 5);
		assert_int_equal(kernel.requests, 2);
		links_clear(&links);
	}
}

static void a_list_that_never_holds_still_is_an_error_and_empty(void **state)
{
	struct kernel kernel = {
		.attempts = {{{.first = 1, .count = 4, .interrupted = true}, {.done = true}}},
		.attempt_count = 1,
	};
	struct links links;

	(void)state;
	assert_int_equal(read_links(&kernel, &links), -EINTR);
	assert_links(&links, 0);
	assert_int_equal(kernel.requests, LINKS_TRIES);
}

static void a_dump_that_fails_is_an_error_and_empty(void **state)
{
	static const struct part ends[] = {
		{.done = true, .error = -ENOMEM},
		{.fault = -ENOBUFS},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct kernel kernel = {
			.attempts = {{{.first = 1, .count = 4}, ends[i]}},
			.attempt_count = 1,
		};
		struct links links;

		assert_int_equal(read_links(&kernel, &links), i ? -ENOBUFS : -ENOMEM);
		assert_links(&links, 0);
		assert_int_equal(kernel.requests, 1);
	}
}

static void a_bond_is_empty_until_it_has_a_port(void **state)
{
	struct link_info link[] = {{.ifindex = 2, .is_bond = true}, {.ifindex = 3}, {.ifindex = 4}};
	const struct links links = {link, 3};

	(void)state;
	assert_true(links_is_empty_bond(&links, 2));
	assert_false(links_is_empty_bond(&links, 3)); /* no bond */
	assert_false(links_is_empty_bond(&links, 9)); /* gone */
	link[2].master = 3;
	assert_true(links_is_empty_bond(&links, 2));
	link[1].master = 2;
	assert_false(links_is_empty_bond(&links, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_of_several_parts_is_one_list),
		cmocka_unit_test(an_interrupted_dump_is_read_again),
		cmocka_unit_test(a_list_that_never_holds_still_is_an_error_and_empty),
		cmocka_unit_test(a_dump_that_fails_is_an_error_and_empty),
		cmocka_unit_test(a_bond_is_empty_until_it_has_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
