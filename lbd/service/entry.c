/* SPDX-License-Identifier: BSD-2-Clause */
/* By which entries does the program find a VIP? */
#include "entry.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t hash_flags[] = {
	[LB_HASH_5TUPLE] = 0,
	[LB_HASH_SOURCE] = LB_VIP_HASH_SOURCE,
	[LB_HASH_SOURCE_PORT] = LB_VIP_HASH_SOURCE_PORT,
};

static const uint32_t fragments_flags[] = {
	[LB_FRAGMENTS_TRACK] = 0,
	[LB_FRAGMENTS_3TUPLE] = LB_VIP_FRAGMENTS_3TUPLE,
	[LB_FRAGMENTS_DROP] = LB_VIP_FRAGMENTS_DROP,
};

static uint32_t flags_of(const struct lb_vip *vip)
{
	return hash_flags[vip->hash] | fragments_flags[vip->fragments];
}

void entry_describe(uint32_t flags, struct lb_vip *vip)
{
	vip->hash = flags & LB_VIP_HASH_SOURCE        ? LB_HASH_SOURCE
		    : flags & LB_VIP_HASH_SOURCE_PORT ? LB_HASH_SOURCE_PORT
						      : LB_HASH_5TUPLE;
	vip->fragments = flags & LB_VIP_FRAGMENTS_3TUPLE ? LB_FRAGMENTS_3TUPLE
			 : flags & LB_VIP_FRAGMENTS_DROP ? LB_FRAGMENTS_DROP
							 : LB_FRAGMENTS_TRACK;
}

static struct lb_vip_value value_of(const struct lb_vip *vip, const struct live_vip *live)
{
	return (struct lb_vip_value){
		.number = live->number,
		.slots_start = live->slots_start,
		.slots_size = live->slots->size,
		.flags = flags_of(vip),
	};
}

static struct lb_endpoint address_only(const struct lb_endpoint *endpoint)
{
	return (struct lb_endpoint){.address = endpoint->address};
}

/* Whether some VIP has the address: they are sorted by it. */
static bool address_in_use(const struct lb_service *document, const struct lb_addr *address)
{
	size_t at = lb_service_first(document, address);

	return at < document->vip_count &&
	       lb_addr_equal(&document->vips[at].endpoint.address, address);
}

int entry_publish(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
		  struct lb_err *err)
{
	const struct plane *plane = &service->plane;
	const struct lb_endpoint address = address_only(&vip->endpoint);
	const struct lb_vip_value known = {.flags = LB_VIP_ADDRESS_ONLY};
	const struct lb_vip_value value = value_of(vip, live);
	int error = plane->vip_set(plane->datapath, &address, &known, err);

	return error ? error : plane->vip_set(plane->datapath, &vip->endpoint, &value, err);
}

void entry_withdraw(struct service *service, const struct lb_vip *vip,
		    const struct lb_service *remaining)
{
	const struct plane *plane = &service->plane;
	const struct lb_endpoint address = address_only(&vip->endpoint);

	plane->vip_del(plane->datapath, &vip->endpoint, NULL);
	if (!address_in_use(remaining, &vip->endpoint.address))
		plane->vip_del(plane->datapath, &address, NULL);
}

/* Cannot fail: all room is reserved, and the entry is there. */
void entry_update(struct service *service, const struct lb_vip *before, const struct lb_vip *after,
		  const struct live_vip *live)
{
	const struct plane *plane = &service->plane;
	const struct lb_vip_value value = value_of(after, live);

	if (flags_of(before) != value.flags)
		plane->vip_set(plane->datapath, &after->endpoint, &value, NULL);
}

/* --- fragments without ports --- */

/* Cannot fail either: datapath_set_sizes has counted one for each VIP. */
void entry_fragments(struct service *service, const struct lb_service *document,
		     const struct live_vip *live, const struct lb_endpoint *endpoint)
{
	const struct plane *plane = &service->plane;
	const struct lb_vip *owner = lb_service_fragments_owner(document, endpoint);
	const struct lb_endpoint at = {.address = endpoint->address,
				       .protocol = endpoint->protocol};
	struct lb_vip_value value;

	if (!owner) {
		plane->vip_del(plane->datapath, &at, NULL);
	} else if (owner->endpoint.port) {
		value = value_of(owner, &live[owner - document->vips]);
		value.flags |= LB_VIP_FRAGMENTS_ONLY;
		plane->vip_set(plane->datapath, &at, &value, NULL);
	}
}

/* --- what an earlier lbd has left --- */

struct tidying {
	const struct lb_service *document;
	struct lb_endpoint *stale;
	size_t count, room;
};

static bool is_explained(const struct lb_service *document, const struct lb_endpoint *endpoint,
			 uint32_t flags)
{
	const struct lb_vip *owner;

	if (flags & LB_VIP_ADDRESS_ONLY)
		return address_in_use(document, &endpoint->address);
	if (!(flags & LB_VIP_FRAGMENTS_ONLY))
		return true; /* a VIP's own: taken over as one */
	owner = lb_service_fragments_owner(document, endpoint);
	return owner && owner->endpoint.port;
}

static void note_stale(void *user, const struct lb_endpoint *endpoint,
		       const struct lb_vip_value *value)
{
	struct tidying *tidying = user;

	if (tidying->count == tidying->room ||
	    is_explained(tidying->document, endpoint, value->flags))
		return;
	tidying->stale[tidying->count++] = *endpoint;
}

void entries_tidy(struct service *service)
{
	const struct plane *plane = &service->plane;
	const size_t room = 4096; /* a crash leaves those of one change; more wait for a restart */
	struct tidying tidying = {
		.document = service->document,
		.stale = calloc(room, sizeof(*tidying.stale)),
	};

	tidying.room = tidying.stale ? room : 0;
	plane->each_vip(plane->datapath, note_stale, &tidying);
	while (tidying.count--)
		plane->vip_del(plane->datapath, &tidying.stale[tidying.count], NULL);
	free(tidying.stale);
}
