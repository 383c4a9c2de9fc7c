// SPDX-License-Identifier: BSD-2-Clause
#include "outer_source.h"

#include <stdbool.h>

static unsigned int bit_of(const struct lb_addr *address, unsigned int bit)
{
	return address->bytes[bit / 8] >> (7 - bit % 8) & 1;
}

static void bit_set(struct lb_addr *address, unsigned int bit, unsigned int value)
{
	address->bytes[bit / 8] |= value << (7 - bit % 8);
}

static bool contains(const struct lb_prefix *prefix, const struct lb_addr *address)
{
	unsigned int bit;

	if (!prefix->address.family || prefix->address.family != address->family)
		return false;
	for (bit = 0; bit < prefix->length; bit++)
		if (bit_of(&prefix->address, bit) != bit_of(address, bit))
			return false;
	return true;
}

struct lb_prefix outer_source(const struct lb_prefix *configured, const struct lb_addr *backend)
{
	const unsigned int bits = backend->family == 4 ? 32 : 128, at = configured->length;
	struct lb_prefix part = *configured;

	if (!contains(configured, backend) || at == bits)
		return part;
	/* Half: the other one. Quarter: the second (01), or the third (10) if the backend is in it. */
	if (at + 1 == bits) {
		bit_set(&part.address, at, !bit_of(backend, at));
		part.length = at + 1;
		return part;
	}
	if (!bit_of(backend, at) && bit_of(backend, at + 1))
		bit_set(&part.address, at, 1);
	else
		bit_set(&part.address, at + 1, 1);
	part.length = at + 2;
	return part;
}
