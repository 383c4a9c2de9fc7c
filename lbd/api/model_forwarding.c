/* SPDX-License-Identifier: BSD-2-Clause */
/* How do packets of a VIP travel: what of them is hashed, how are they wrapped, what becomes of
 * fragments? */
#include <errno.h>
#include <string.h>
#include "model.h"

static const char *const encap_names[] = {
	[LB_ENCAP_IPIP] = "ipip",
	[LB_ENCAP_GUE] = "gue",
	NULL,
};

static const char *const hash_names[] = {
	[LB_HASH_5TUPLE] = "5-tuple",
	[LB_HASH_SOURCE] = "source",
	[LB_HASH_SOURCE_PORT] = "source-port",
	NULL,
};

static const char *const fragments_names[] = {
	[LB_FRAGMENTS_TRACK] = "track",
	[LB_FRAGMENTS_3TUPLE] = "3-tuple",
	[LB_FRAGMENTS_DROP] = "drop",
	NULL,
};

const char *lb_encap_name(enum lb_encap encap)
{
	return encap_names[encap];
}

const char *lb_hash_name(enum lb_hash hash)
{
	return hash_names[hash];
}

const char *lb_fragments_name(enum lb_fragments fragments)
{
	return fragments_names[fragments];
}

/* The place of the word among `names`, or -EINVAL. Absent: `otherwise`. */
static int word_from_json(const json_t *value, const char *field, const char *const *names,
			  int otherwise, struct lb_err *err)
{
	const char *text = json_string_value(value), *nearest;

	if (!value)
		return otherwise;
	for (int i = 0; text && names[i]; i++)
		if (!strcmp(text, names[i]))
			return i;
	lb_err_set(err, LB_ERR_PARAMS, field, "%s must be %s%s%s or %s, not \"%s\"", field,
		   names[0], names[2] ? ", " : "", names[2] ? names[1] : "",
		   names[2] ? names[2] : names[1], text ? text : "");
	nearest = text ? lb_nearest(text, names) : NULL;
	if (nearest)
		lb_err_hint(err, "did you mean \"%s\"?", nearest);
	return -EINVAL;
}

int lb_vip_forwarding_from_json(const json_t *encap, const json_t *hash, const json_t *fragments,
				struct lb_vip *vip, struct lb_err *err)
{
	int how = word_from_json(encap, "encap", encap_names, vip->encap, err), what, which;

	if (how < 0)
		return how;
	what = word_from_json(hash, "hash", hash_names, vip->hash, err);
	if (what < 0)
		return what;
	which = word_from_json(fragments, "fragments", fragments_names, vip->fragments, err);
	if (which < 0)
		return which;
	vip->encap = (enum lb_encap)how;
	vip->hash = (enum lb_hash)what;
	vip->fragments = (enum lb_fragments)which;
	return 0;
}

bool lb_vip_forwarding_equal(const struct lb_vip *a, const struct lb_vip *b)
{
	return a->encap == b->encap && a->hash == b->hash && a->fragments == b->fragments;
}

/* --- fragments without ports --- */

size_t lb_service_first(const struct lb_service *service, const struct lb_addr *address)
{
	size_t low = 0, high = service->vip_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lb_addr_compare(&service->vips[middle].endpoint.address, address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A VIP for every port sorts before the others of its address. */
const struct lb_vip *lb_service_fragments_owner(const struct lb_service *service,
						const struct lb_endpoint *endpoint)
{
	size_t i;

	for (i = lb_service_first(service, &endpoint->address); i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i];

		if (!lb_addr_equal(&vip->endpoint.address, &endpoint->address))
			return NULL;
		if (vip->endpoint.protocol == endpoint->protocol &&
		    (!vip->endpoint.port || vip->fragments == LB_FRAGMENTS_3TUPLE))
			return vip;
	}
	return NULL;
}

int lb_service_check_fragments(const struct lb_service *service, struct lb_err *err)
{
	size_t i;

	for (i = 0; i < service->vip_count; i++) {
		const struct lb_vip *vip = &service->vips[i], *owner;

		if (vip->fragments != LB_FRAGMENTS_3TUPLE)
			continue;
		owner = lb_service_fragments_owner(service, &vip->endpoint);
		if (owner == vip)
			continue;
		lb_err_set(err, LB_ERR_EXISTS, "fragments",
			   "VIP %s cannot have fragments by 3-tuple beside VIP %s: without ports "
			   "they could be for either",
			   vip->name, owner->name);
		lb_err_prefix(err, "vips[%zu]", i);
		return lb_err_hint(err, "only one VIP of an address and protocol can, and none "
					"beside one for every port: use \"track\"");
	}
	return 0;
}
