/* SPDX-License-Identifier: BSD-2-Clause */
/* What is the kernel asked, and what does it answer? */
#include "netlink_request.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* --- answers --- */

/* The words of the kernel's extended acknowledgement; without the request's copy, as
 * NETLINK_CAP_ACK asks. */
static void reason_keep(struct netlink_requests *requests, const struct nlmsghdr *message)
{
	const struct nlattr *table[NLMSGERR_ATTR_MSG + 1] = {NULL};
	const struct nlattr *words;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) || !(message->nlmsg_flags & NLM_F_CAPPED))
		return;
	attributes_parse(message, sizeof(struct nlmsgerr), table, NLMSGERR_ATTR_MSG);
	words = table[NLMSGERR_ATTR_MSG];
	if (words && mnl_attr_validate(words, MNL_TYPE_NUL_STRING) >= 0)
		strncpy(requests->reason, mnl_attr_get_str(words), sizeof(requests->reason) - 1);
}

/* True when this message ends the answer; *status is then the outcome. */
static bool answer_ends(struct netlink_requests *requests, const struct nlmsghdr *message,
			int *status)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		*status = -EINTR;
	if (message->nlmsg_type == NLMSG_DONE)
		return true;
	if (message->nlmsg_type != NLMSG_ERROR)
		return false;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nlmsgerr)) {
		*status = -EBADMSG;
		return true;
	}
	*status = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error;
	reason_keep(requests, message);
	return true;
}

int netlink_request(struct netlink_requests *requests, struct nlmsghdr *request,
		    void (*each)(const struct nlmsghdr *message, void *data), void *data)
{
	const struct nlmsghdr *message;
	int length, status = 0;

	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = ++requests->sequence;
	requests->reason[0] = 0;
	if (mnl_socket_sendto(requests->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		length = (int)netlink_receive(requests->socket, requests->answer);
		if (length < 0)
			return length;
		message = (const struct nlmsghdr *)requests->answer;
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
			if (message->nlmsg_seq != requests->sequence)
				continue;
			if (answer_ends(requests, message, &status))
				return status;
			if (each)
				each(message, data);
		}
	}
}

/* --- opening --- */

int netlink_socket_open(struct mnl_socket **out)
{
	*out = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!*out || mnl_socket_bind(*out, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return 0;
}

int netlink_requests_open(struct netlink_requests *requests)
{
	static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
	int on = 1, status = netlink_socket_open(&requests->socket);
	size_t i;

	for (i = 0; !status && i < sizeof(options) / sizeof(options[0]); i++)
		if (mnl_socket_setsockopt(requests->socket, options[i], &on, sizeof(on)) < 0)
			status = -errno;
	return status;
}

void netlink_requests_close(struct netlink_requests *requests)
{
	if (requests->socket)
		mnl_socket_close(requests->socket);
	requests->socket = NULL;
}
