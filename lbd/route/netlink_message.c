/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a netlink message received and taken apart? */
#include "netlink_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* --- attributes --- */

struct attributes {
	const struct nlattr **table;
	uint16_t max;
};

static int attribute_collect(const struct nlattr *attr, void *data)
{
	const struct attributes *attributes = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= attributes->max)
		attributes->table[type] = attr;
	return MNL_CB_OK;
}

void attributes_parse(const struct nlmsghdr *message, size_t header_bytes,
		      const struct nlattr **table, uint16_t max)
{
	struct attributes attributes = {table, max};

	mnl_attr_parse(message, (unsigned int)header_bytes, attribute_collect, &attributes);
}

void attributes_parse_nested(const struct nlattr *nest, const struct nlattr **table, uint16_t max)
{
	struct attributes attributes = {table, max};

	mnl_attr_parse_nested(nest, attribute_collect, &attributes);
}

void attributes_parse_payload(const void *payload, size_t bytes, const struct nlattr **table,
			      uint16_t max)
{
	struct attributes attributes = {table, max};

	mnl_attr_parse_payload(payload, bytes, attribute_collect, &attributes);
}

uint16_t attribute_u16(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) >= 2 ? mnl_attr_get_u16(attr) : 0;
}

uint32_t attribute_u32(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) >= 4 ? mnl_attr_get_u32(attr) : 0;
}

bool attribute_mac(const struct nlattr *attr, uint8_t mac[6])
{
	if (!attr || mnl_attr_get_payload_len(attr) != 6)
		return false;
	memcpy(mac, mnl_attr_get_payload(attr), 6);
	return true;
}

bool attribute_says(const struct nlattr *attr, const char *text)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
	       strcmp(mnl_attr_get_str(attr), text) == 0;
}

/* --- receiving --- */

/* Only the kernel is listened to. */
ssize_t netlink_receive(struct mnl_socket *from, char buffer[NETLINK_BYTES])
{
	struct sockaddr_nl sender = {.nl_family = AF_NETLINK};
	struct iovec iov = {buffer, NETLINK_BYTES};
	struct msghdr header = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t length;

	do {
		length = recvmsg(mnl_socket_get_fd(from), &header, MSG_DONTWAIT);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	if (sender.nl_pid != 0)
		return 0;
	return header.msg_flags & MSG_TRUNC ? -ENOBUFS : length;
}
