/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a netlink message received and taken apart? Private to those who speak netlink. */
#ifndef LB_NETLINK_MESSAGE_H
#define LB_NETLINK_MESSAGE_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NETLINK_BYTES 32768 /* the kernel fills no larger buffer */

/* Fills table[type] for types up to `max`; the others stay as they are. */
void attributes_parse(const struct nlmsghdr *message, size_t header_bytes,
		      const struct nlattr **table, uint16_t max);
void attributes_parse_nested(const struct nlattr *nest, const struct nlattr **table, uint16_t max);
void attributes_parse_payload(const void *payload, size_t bytes, const struct nlattr **table,
			      uint16_t max);

/* Of an attribute that is missing (NULL) or too short: 0, false. */
uint16_t attribute_u16(const struct nlattr *attr);
uint32_t attribute_u32(const struct nlattr *attr);
bool attribute_mac(const struct nlattr *attr, uint8_t mac[6]);
bool attribute_says(const struct nlattr *attr, const char *text);

/* Never waits. Bytes received, 0 for a datagram to skip, or -errno: -EAGAIN when there is none. */
ssize_t netlink_receive(struct mnl_socket *from, char buffer[NETLINK_BYTES]);

#endif
