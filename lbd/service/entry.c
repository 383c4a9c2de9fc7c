/* SPDX-License-Identifier: BSD-2-Clause */
/* By which entries does the program find a VIP? */
#include "entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quic_ring.h"
#include "rates.h"

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

uint32_t entry_hash_flags(const struct lb_vip *vip)
{
	return hash_flags[vip->hash];
}

/* What a VIP has of lists; other users of the guard have bits of `rules` of their own. */
static struct lb_guard_vip lists_of(const struct service *service, const struct lb_vip *vip)
{
	return service->guard ? service->guard(service->guard_user, &vip->endpoint)
			      : (struct lb_guard_vip){0};
}

static bool is_guarded(const struct service *service, const struct lb_vip *vip, uint32_t number)
{
	return lists_of(service, vip).rules || vip->syn_guard || service->syn_opens[number] ||
	       vip->rates.rule[0].of;
}

static uint32_t flags_of(const struct service *service, const struct lb_vip *vip, uint32_t number)
{
	return entry_hash_flags(vip) | fragments_flags[vip->fragments] |
	       (vip->quic_count ? LB_VIP_QUIC : 0) |
	       (is_guarded(service, vip, number) ? LB_VIP_GUARDED : 0);
}

void entry_rules(struct lb_guard_vip *at, uint32_t mine, uint32_t rules)
{
	uint32_t before = __atomic_load_n(&at->rules, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&at->rules, &before, (before & ~mine) | rules, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Before packets are looked at by it. What a rule reads is there before the rule. */
static void set_guard(const struct service *service, const struct lb_vip *vip,
		      const struct live_vip *live)
{
	const struct lb_guard_vip wanted = lists_of(service, vip);
	const struct plane *plane = &service->plane;
	struct lb_guard_vip *vips = plane->guard_vips ? plane->guard_vips(plane->datapath) : NULL;
	struct lb_guard_vip *at;

	service->listed[live->number] = wanted.rules;
	if (!vips)
		return;
	at = &vips[live->number];
	__atomic_store_n(&at->lists, wanted.lists, __ATOMIC_RELAXED);
	__atomic_store_n(&at->monitored, wanted.monitored, __ATOMIC_RELAXED);
	entry_rules(at, LB_GUARD_LISTS | LB_GUARD_RATES,
		    wanted.rules | rates_put(service, vip, live->number));
}

/* Before packets are looked at by it. Numbers of keys before what says that there are some. A rotation whose
 * key could not be read is none. */
void entry_quic(const struct service *service, const struct lb_vip *vip,
		const struct live_vip *live)
{
	uint64_t *word = &service->plane.quic_vips[live->number], keys = 0;
	uint64_t fresh = *word >> LB_QUIC_POOL_SHIFT << LB_QUIC_POOL_SHIFT;

	for (size_t i = 0; i < vip->quic_count; i++) {
		const struct lb_quic_config *config = &vip->quic[i];
		const uint64_t key = *config->key ? quic_ring_number(service, config->key) : 0;
		const uint64_t length = config->sid_length | (*config->key ? LB_QUIC_ENCRYPTED : 0);

		keys |= key << config->cr * LB_QUIC_KEY_BITS;
		if (key || !*config->key)
			fresh |= length << config->cr * LB_QUIC_CONFIG_BITS;
	}
	__atomic_store_n(&service->plane.quic_vip_keys[live->number], keys, __ATOMIC_RELEASE);
	__atomic_store_n(word, fresh, __ATOMIC_RELEASE);
}

int entry_describe(uint32_t flags, struct lb_vip *vip)
{
	if (flags & LB_VIP_QUIC) {
		vip->quic = calloc(1, sizeof(*vip->quic));
		if (!vip->quic)
			return -ENOMEM;
		vip->quic_count = 1;
	}
	vip->hash = flags & LB_VIP_HASH_SOURCE        ? LB_HASH_SOURCE
		    : flags & LB_VIP_HASH_SOURCE_PORT ? LB_HASH_SOURCE_PORT
						      : LB_HASH_5TUPLE;
	vip->fragments = flags & LB_VIP_FRAGMENTS_3TUPLE ? LB_FRAGMENTS_3TUPLE
			 : flags & LB_VIP_FRAGMENTS_DROP ? LB_FRAGMENTS_DROP
							 : LB_FRAGMENTS_TRACK;
	return 0;
}

static struct lb_vip_value value_of(const struct service *service, const struct lb_vip *vip,
				    const struct live_vip *live)
{
	return (struct lb_vip_value){
		.number = live->number,
		.slots_start = live->table->start,
		.slots_size = live->table->slots.size,
		.flags = flags_of(service, vip, live->number),
	};
}

static struct lb_endpoint address_only(const struct lb_endpoint *endpoint)
{
	return (struct lb_endpoint){.address = endpoint->address, .host_bits = endpoint->host_bits};
}

/* Whether some VIP has just these addresses: they are sorted by them. */
static bool address_in_use(const struct lb_service *document, const struct lb_endpoint *endpoint)
{
	const size_t at = lb_service_first(document, endpoint);
	const struct lb_endpoint *found =
		at < document->vip_count ? &document->vips[at].endpoint : NULL;

	return found && found->host_bits == endpoint->host_bits &&
	       lb_addr_equal(&found->address, &endpoint->address);
}

/* Neither fails as long as the kernel keeps its word: all room is reserved. */
static void set(struct service *service, const struct lb_endpoint *at,
		const struct lb_vip_value *value)
{
	if (service->plane.vip_set(service->plane.datapath, at, value, NULL))
		service->entries_wrong = true;
}

static void take_away(struct service *service, const struct lb_endpoint *at)
{
	if (service->plane.vip_del(service->plane.datapath, at, NULL))
		service->entries_wrong = true;
}

int entry_publish(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
		  struct lb_err *err)
{
	const struct plane *plane = &service->plane;
	const struct lb_endpoint address = address_only(&vip->endpoint);
	const struct lb_vip_value known = {.flags = LB_VIP_ADDRESS_ONLY};
	const struct lb_vip_value value = value_of(service, vip, live);
	int error = plane->vip_set(plane->datapath, &address, &known, err);

	entry_quic(service, vip, live);
	set_guard(service, vip, live);
	return error ? error : plane->vip_set(plane->datapath, &vip->endpoint, &value, err);
}

void entry_withdraw(struct service *service, const struct lb_vip *vip,
		    const struct lb_service *remaining)
{
	const struct lb_endpoint address = address_only(&vip->endpoint);

	take_away(service, &vip->endpoint);
	if (!address_in_use(remaining, &vip->endpoint))
		take_away(service, &address);
}

void entry_update(struct service *service, const struct lb_vip *before,
		  const struct live_vip *live_before, const struct lb_vip *after,
		  const struct live_vip *live)
{
	const struct lb_vip_value value = value_of(service, after, live);

	entry_quic(service, after, live);
	set_guard(service, after, live);
	if (live_before->adopted || flags_of(service, before, live_before->number) != value.flags ||
	    live_before->table != live->table)
		set(service, &after->endpoint, &value);
}

void entry_again(struct service *service, const struct lb_vip *vip, const struct live_vip *live)
{
	const struct lb_vip_value value = value_of(service, vip, live);

	set(service, &vip->endpoint, &value);
}

/* --- fragments without ports --- */

int entry_lead(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
	       struct lb_err *err)
{
	const struct plane *plane = &service->plane;
	const struct lb_endpoint at = {.address = vip->endpoint.address,
				       .protocol = vip->endpoint.protocol};
	struct lb_vip_value value = value_of(service, vip, live);
	int error = plane->vip_set(plane->datapath, &vip->endpoint, &value, err);

	if (error || !vip->endpoint.port || vip->endpoint.host_bits ||
	    lb_service_fragments_owner(service->document, &vip->endpoint) != vip)
		return error;
	value.flags |= LB_VIP_FRAGMENTS_ONLY;
	return plane->vip_set(plane->datapath, &at, &value, err);
}

void entry_fragments(struct service *service, const struct lb_service *document,
		     const struct live_vip *live, const struct lb_endpoint *endpoint)
{
	const struct lb_vip *owner = lb_service_fragments_owner(document, endpoint);
	const struct lb_endpoint at = {.address = endpoint->address,
				       .protocol = endpoint->protocol};
	struct lb_vip_value value;

	if (endpoint->host_bits)
		return;
	if (!owner) {
		take_away(service, &at);
	} else if (owner->endpoint.port) {
		value = value_of(service, owner, &live[owner - document->vips]);
		value.flags |= LB_VIP_FRAGMENTS_ONLY;
		set(service, &at, &value);
	}
}

/* --- the guard --- */

void service_guard(struct service *service)
{
	const struct lb_service *document = service->document;

	for (size_t i = 0; i < document->vip_count; i++) {
		const struct lb_vip *vip = &document->vips[i];
		const struct live_vip *live = &service->live[i];
		const struct lb_vip_value value = value_of(service, vip, live);
		const bool had = service->listed[live->number];

		set_guard(service, vip, live);
		if (had != service->listed[live->number]) {
			set(service, &vip->endpoint, &value);
			entry_fragments(service, document, service->live, &vip->endpoint);
		}
		worker_yield();
	}
}

/* --- what an earlier lbd has left, or a call that failed --- */

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
		return address_in_use(document, endpoint);
	if (!(flags & LB_VIP_FRAGMENTS_ONLY))
		return lb_service_find_endpoint(document, endpoint);
	owner = lb_service_fragments_owner(document, endpoint);
	return owner && owner->endpoint.port;
}

static void note_stale(void *user, const struct lb_endpoint *endpoint,
		       const struct lb_vip_value *value)
{
	struct tidying *tidying = user;

	worker_yield();
	if (tidying->count == tidying->room ||
	    is_explained(tidying->document, endpoint, value->flags))
		return;
	tidying->stale[tidying->count++] = *endpoint;
}

void entry_tidy(struct service *service)
{
	const size_t room = 4096; /* a crash leaves those of one change; more wait for a restart */
	struct tidying tidying = {
		.document = service->document,
		.stale = calloc(room, sizeof(*tidying.stale)),
	};

	tidying.room = tidying.stale ? room : 0;
	service->entries_wrong = !tidying.stale;
	service->plane.each_vip(service->plane.datapath, note_stale, &tidying);
	while (tidying.count--)
		take_away(service, &tidying.stale[tidying.count]);
	free(tidying.stale);
}

static void drop_stale(struct service *service)
{
	if (service->stale_slots.size)
		live_free_slots(service, service->stale_slots.start, service->stale_slots.size);
	service->stale_slots = (struct stale_slots){0};
}

int entry_repair(struct service *service, struct lb_err *err)
{
	const struct lb_service *document = service->document;

	if (!service->entries_wrong)
		return 0;
	entry_tidy(service);
	for (size_t i = 0; i < document->vip_count; i++) {
		const struct lb_vip *vip = &document->vips[i];

		if (entry_publish(service, vip, &service->live[i], NULL))
			service->entries_wrong = true;
		entry_fragments(service, document, service->live, &vip->endpoint);
		worker_yield();
	}
	if (!service->entries_wrong) {
		drop_stale(service);
		return 0;
	}
	return lb_err_set(err, LB_ERR_SYSTEM, "",
			  "the last change is not complete: the kernel refuses VIP entries");
}
