/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose is a port at an address, where VIPs are prefixes and have ranges of ports? */
#include "wide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM                                                                                       \
	(4 * LB_WIDE_MAX) /* twice as many in a change, and the address-only ones of prefixes */
#define LENGTHS 129

struct item {
	struct lb_endpoint endpoint;
	uint32_t number;
};

struct wide_table {
	struct item *items; /* by protocol, address, prefix (shorter ones first), ports */
	size_t count;
	uint32_t of_length[2][LENGTHS]; /* how many have such a prefix; IPv4, IPv6 */
};

/* --- where items stand --- */

static int compare_prefixes(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	int order = (int)a->protocol - (int)b->protocol;

	if (!order)
		order = lb_addr_compare(&a->address, &b->address);
	return order ? order : (int)b->host_bits - (int)a->host_bits;
}

static int compare(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	int order = compare_prefixes(a, b);

	return order ? order : lb_endpoint_compare(a, b);
}

static size_t first_of(const struct wide_table *table, const struct lb_endpoint *endpoint,
		       int (*order)(const struct lb_endpoint *, const struct lb_endpoint *))
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(&table->items[middle].endpoint, endpoint) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct item *find(const struct wide_table *table, const struct lb_endpoint *endpoint)
{
	const size_t at = first_of(table, endpoint, compare);

	if (at == table->count || compare(&table->items[at].endpoint, endpoint))
		return NULL;
	return &table->items[at];
}

static uint32_t *length_count(struct wide_table *table, const struct lb_endpoint *endpoint)
{
	return &table->of_length[endpoint->address.family == 6]
				[lb_endpoint_prefix(endpoint).length];
}

int wide_table_set(struct wide_table *table, const struct lb_endpoint *endpoint, uint32_t number)
{
	struct item *item = find(table, endpoint);
	size_t at;

	if (item) {
		item->number = number;
		return 0;
	}
	if (table->count == ROOM)
		return -ENOSPC;
	at = first_of(table, endpoint, compare);
	item = &table->items[at];
	memmove(item + 1, item, (table->count - at) * sizeof(*item));
	*item = (struct item){.endpoint = *endpoint, .number = number};
	table->count++;
	++*length_count(table, endpoint);
	return 0;
}

void wide_table_del(struct wide_table *table, const struct lb_endpoint *endpoint)
{
	struct item *item = find(table, endpoint);

	if (!item)
		return;
	--*length_count(table, endpoint);
	table->count--;
	memmove(item, item + 1, (size_t)(table->items + table->count - item) * sizeof(*item));
}

/* --- who has which port --- */

/* Those that the addresses of a prefix belong to, the least specific first. */
struct cover {
	const struct item *items[LB_WIDE_DEPTH];
	size_t count;
};

/* What is beyond LB_WIDE_DEPTH has no part; the service lets it not come to that. */
static void cover_add(struct cover *cover, const struct item *item)
{
	const uint8_t host_bits = item->endpoint.host_bits;
	uint16_t first, last, other_first, other_last;
	size_t at;

	if (cover->count == LB_WIDE_DEPTH)
		return;
	lb_endpoint_ports(&item->endpoint, &first, &last);
	for (at = cover->count; at; at--) {
		const struct lb_endpoint *other = &cover->items[at - 1]->endpoint;

		lb_endpoint_ports(other, &other_first, &other_last);
		if (other->host_bits != host_bits || other_last - other_first >= last - first)
			break;
		cover->items[at] = cover->items[at - 1];
	}
	cover->items[at] = item;
	cover->count++;
}

static void cover_make(const struct wide_table *table, const struct lb_endpoint *prefix,
		       struct cover *out)
{
	const unsigned int most = lb_endpoint_prefix(prefix).length;
	const unsigned int bits = most + prefix->host_bits;
	struct lb_endpoint at = *prefix;

	out->count = 0;
	for (unsigned int length = 0; length <= most; length++) {
		if (!table->of_length[prefix->address.family == 6][length])
			continue;
		at.address = prefix->address;
		lb_addr_mask(&at.address, length);
		at.host_bits = (uint8_t)(bits - length);
		for (size_t i = first_of(table, &at, compare_prefixes);
		     i < table->count && !compare_prefixes(&table->items[i].endpoint, &at); i++)
			cover_add(out, &table->items[i]);
	}
}

static bool has_port(const struct item *item, uint32_t port)
{
	uint16_t first, last;

	lb_endpoint_ports(&item->endpoint, &first, &last);
	return first <= port && port <= last;
}

static const struct item *owner_of(const struct cover *cover, uint32_t port)
{
	for (size_t i = cover->count; i--;)
		if (has_port(cover->items[i], port))
			return cover->items[i];
	return NULL;
}

/* The first port from here on where something begins or ends. */
static uint32_t next_edge(const struct cover *cover, uint32_t port)
{
	uint32_t next = UINT16_MAX + 1;

	for (size_t i = 0; i < cover->count; i++) {
		uint16_t first, last;

		lb_endpoint_ports(&cover->items[i]->endpoint, &first, &last);
		if (first > port && first < next)
			next = first;
		if (last >= port && last + 1u < next)
			next = last + 1u;
	}
	return next;
}

static struct lb_part part_of(const struct item *item, uint32_t first)
{
	const uint32_t address = item->endpoint.host_bits ? 0 : LB_PART_ADDRESS;

	return (struct lb_part){.first = (uint16_t)first,
				.vip = LB_PART_VIP | address | item->number};
}

static void share_out(const struct cover *cover, struct lb_parts *out)
{
	const struct item *before = NULL;
	uint32_t port, next;
	size_t count = 0;

	memset(out, 0, sizeof(*out));
	for (port = 0; port <= UINT16_MAX; port = next) {
		const struct item *owner = owner_of(cover, port);

		next = next_edge(cover, port);
		if (owner && owner != before && count < LB_PARTS_MAX)
			out->part[count++] = part_of(owner, port);
		if (owner)
			out->part[count - 1].last = (uint16_t)(next - 1);
		before = owner;
	}
	for (; count && count < LB_PARTS_MAX; count++)
		out->part[count] = out->part[count - 1];
}

/* --- prefixes --- */

static int tell(const struct wide_table *table, const struct lb_endpoint *prefix,
		int (*each)(void *user, const struct lb_endpoint *prefix,
			    const struct lb_parts *parts),
		void *user)
{
	struct lb_parts parts;
	struct cover cover;

	cover_make(table, prefix, &cover);
	share_out(&cover, &parts);
	return each(user, prefix, &parts);
}

/* From item `i` on, while they are of `within` (NULL: all). */
static int tell_from(const struct wide_table *table, size_t i, const struct lb_endpoint *within,
		     int (*each)(void *user, const struct lb_endpoint *prefix,
				 const struct lb_parts *parts),
		     void *user)
{
	const struct lb_prefix outer =
		within ? lb_endpoint_prefix(within) : (struct lb_prefix){{0}, 0};
	int ret = 0;

	for (; !ret && i < table->count; i++) {
		const struct lb_endpoint *endpoint = &table->items[i].endpoint;
		const struct lb_endpoint prefix = lb_endpoint_every_port(endpoint);
		const struct lb_prefix inner = lb_endpoint_prefix(endpoint);

		if (within &&
		    (endpoint->protocol != within->protocol || !lb_prefix_covers(&outer, &inner)))
			break;
		if (!i || compare_prefixes(&table->items[i - 1].endpoint, &prefix))
			ret = tell(table, &prefix, each, user);
	}
	return ret;
}

int wide_table_each(const struct wide_table *table, const struct lb_endpoint *endpoint,
		    int (*each)(void *user, const struct lb_endpoint *prefix,
				const struct lb_parts *parts),
		    void *user)
{
	const struct lb_endpoint own = lb_endpoint_every_port(endpoint);
	const size_t at = first_of(table, &own, compare_prefixes);
	int ret = 0;

	if (at == table->count || compare_prefixes(&table->items[at].endpoint, &own))
		ret = each(user, &own, NULL);
	return ret ? ret : tell_from(table, at, &own, each, user);
}

int wide_table_all(const struct wide_table *table,
		   int (*each)(void *user, const struct lb_endpoint *prefix,
			       const struct lb_parts *parts),
		   void *user)
{
	return tell_from(table, 0, NULL, each, user);
}

/* --- life --- */

struct wide_table *wide_table_new(void)
{
	struct wide_table *table = calloc(1, sizeof(*table));

	if (table)
		table->items = calloc(ROOM, sizeof(*table->items));
	if (table && table->items)
		return table;
	free(table);
	return NULL;
}

void wide_table_free(struct wide_table *table)
{
	if (table)
		free(table->items);
	free(table);
}
