/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a packet to a VIP's address that is for no VIP loop between the router and this machine?
 *
 * The program passes it to the stack (another port, another protocol). Where forwarding is on and
 * the address is not local, the stack sends it back to the router, which sends it here again, until
 * its TTL ends. */
#ifndef LB_LOOPS_H
#define LB_LOOPS_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"
#include "../api/model.h"
#include "../host/config.h"

/* One look asks for the routes of no more addresses than this. */
#define LOOPS_ASKED_MAX 1024

/* Of one family. */
struct loops_family {
	char forwards[IF_NAMESIZE]; /* a link where forwarding is on, "" for none */
	struct lb_prefix first;     /* of the addresses that loop */
	size_t count;
};

struct loops_facts {
	struct loops_family ipv4, ipv6;
};

/* Where the kernel does not tell, nothing loops. */
void loops_look(const struct config *config, const struct lb_service *service,
		struct loops_facts *out);

/* --- pure --- */

/* What the kernel says of the route to the address: 0 and an RTN_* type, or its refusal. */
bool loops_by_route(int status, uint8_t type);
/* Appends a sentence with what to do for each family where addresses loop. */
void loops_judge(const struct loops_facts *facts, json_t *warnings);

#endif
