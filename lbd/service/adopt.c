/* SPDX-License-Identifier: BSD-2-Clause */
/* What was an earlier lbd balancing when it ended?
 *
 * All of it is in the maps: VIP entries say where their slots are, members say whose they are and
 * where they lead, slot words say what is under way. From these a document is made that says what
 * is in force, in so far as it matters; applying the one from the disk to it then is a change like
 * any other. So whatever moment the earlier lbd ended at, what it left is completed or taken back,
 * slots keep their owners and their state, and recorded flows their members.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/flow_word.h"
#include "entry.h"

struct found_backend {
	struct lb_addr address;
	uint16_t number;
};

struct found_pool {
	struct found_backend *backends; /* by address once all are found */
	size_t count, room;
	size_t vips;  /* that lead to it */
	bool claimed; /* its number is */
};

struct found_vip {
	struct lb_endpoint endpoint;
	struct lb_vip_value value;
	uint32_t pool;
};

struct found {
	struct service *service;
	struct found_vip *vips;
	size_t count, room;
	struct found_pool **pools; /* by number, place_pool_numbers() of them; NULL: nobody's */
	bool no_memory;
};

/* Entries beside those of VIPs. */
#define BESIDE (LB_VIP_ADDRESS_ONLY | LB_VIP_FRAGMENTS_ONLY)

/* --- is its document there? --- */

struct lost {
	size_t vips;
	struct lb_endpoint one;
};

static void count_vip(void *user, const struct lb_endpoint *endpoint,
		      const struct lb_vip_value *value)
{
	struct lost *lost = user;

	if (value->flags & BESIDE)
		return;
	lost->vips++;
	lost->one = *endpoint;
}

int adopt_check_lost(const struct service *service, struct lb_err *err)
{
	const char *state_dir = service->config->state_dir;
	struct lost lost = {0};
	char one[LB_ENDPOINT_TEXT];

	if (!service->plane.adopted || service->disk->has(state_dir))
		return 0;
	service->plane.each_vip(service->plane.datapath, count_vip, &lost);
	if (!lost.vips)
		return 0;
	lb_endpoint_format(&lost.one, one);
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "%s/service.json is missing, but the pinned data plane forwards for %zu VIPs, "
		   "one of them %s",
		   state_dir, lost.vips, one);
	return lb_err_hint(err,
			   "put a copy of it back: {\"format\": %d, \"document\": …}, where … is "
			   "what \"lbctl config export\" printed; or stop forwarding by \"lbd "
			   "--detach\", and start with no VIPs",
			   LB_STATE_FORMAT_UNCHECKED);
}

/* --- looking --- */

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *more;

	if (count < *room)
		return array;
	more = reallocarray(array, wanted, size);
	if (more)
		*room = wanted;
	return more;
}

static void find_vip(void *user, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value)
{
	struct found *found = user;
	struct found_vip *vips;

	if (value->flags & BESIDE)
		return;
	vips = grown(found->vips, found->count, &found->room, sizeof(*vips));
	if (!vips) {
		found->no_memory = true;
		return;
	}
	found->vips = vips;
	vips[found->count++] = (struct found_vip){.endpoint = *endpoint, .value = *value};
}

static bool add_backend(struct found_pool *pool, uint16_t number, const struct lb_addr *address)
{
	struct found_backend *backends =
		grown(pool->backends, pool->count, &pool->room, sizeof(*backends));

	if (!backends)
		return false;
	pool->backends = backends;
	backends[pool->count++] = (struct found_backend){.address = *address, .number = number};
	return true;
}

/* A member that was made for a change that never came into force belongs to nobody. */
static void find_member(void *user, uint16_t number, uint32_t pool_number,
			const struct lb_addr *address)
{
	struct found *found = user;
	struct found_pool *pool = NULL;

	if (pool_number < place_pool_numbers(found->service->config))
		pool = found->pools[pool_number];
	if (!pool)
		members_drop_left(found->service->members, number);
	else if (!add_backend(pool, number, address))
		found->no_memory = true;
}

static int compare_backends(const void *a, const void *b)
{
	const struct found_backend *x = a, *y = b;
	int order = lb_addr_compare(&x->address, &y->address);

	return order ? order : x->number - y->number;
}

/* Of two members with one address the later one belongs to nobody, too. */
static void sort_backends(struct members *members, struct found_pool *pool)
{
	size_t i, kept = 0;

	if (pool->count)
		qsort(pool->backends, pool->count, sizeof(*pool->backends), compare_backends);
	for (i = 0; i < pool->count; i++) {
		const struct found_backend *backend = &pool->backends[i];

		if (kept && lb_addr_equal(&pool->backends[kept - 1].address, &backend->address))
			members_drop_left(members, backend->number);
		else
			pool->backends[kept++] = *backend;
	}
	pool->count = kept;
}

/* From the last slots to the first: then a claim finds what it wants in the first free range. */
static int compare_starts(const void *a, const void *b)
{
	uint32_t x = ((const struct found_vip *)a)->value.slots_start;
	uint32_t y = ((const struct found_vip *)b)->value.slots_start;

	return (x < y) - (x > y);
}

static int compare_endpoints(const void *a, const void *b)
{
	return lb_endpoint_compare(&((const struct found_vip *)a)->endpoint,
				   &((const struct found_vip *)b)->endpoint);
}

static enum pool_class class_of(const struct lb_endpoint *endpoint)
{
	return pools_class(&(struct lb_vip){.endpoint = *endpoint});
}

/* Whether the VIP has the slots of another one, with which it shares them. */
static bool shares(const struct found_vip *vip, const struct found_vip *other)
{
	return other && vip->value.slots_start == other->value.slots_start &&
	       vip->value.slots_size == other->value.slots_size && vip->pool == other->pool &&
	       class_of(&vip->endpoint) == class_of(&other->endpoint);
}

/* Of each pool that a VIP says that it leads to. */
static void make_pools(struct found *found)
{
	const struct service *service = found->service;
	const uint32_t numbers = place_pool_numbers(service->config);

	for (size_t i = 0; i < found->count; i++) {
		struct found_vip *vip = &found->vips[i];

		vip->pool = vip->value.number < place_numbers(service->config)
				    ? lb_pool_at(service->plane.vip_pools[vip->value.number], 0)
				    : numbers;
		if (vip->pool >= numbers || found->pools[vip->pool])
			continue;
		found->pools[vip->pool] = calloc(1, sizeof(struct found_pool));
		found->no_memory |= !found->pools[vip->pool];
	}
}

/* The pool that a VIP leads to; false: it cannot be. */
static bool claim_pool(const struct found *found, const struct found_vip *vip)
{
	struct found_pool *pool;

	if (vip->pool >= place_pool_numbers(found->service->config))
		return false;
	pool = found->pools[vip->pool];
	if (!pool->claimed)
		pool->claimed = numbers_claim(found->service->pool_numbers, vip->pool);
	return pool->claimed;
}

/* `last`: the one before it that was claimed, by place of slots, or NULL. */
static bool claim_vip(const struct found *found, const struct found_vip *vip,
		      const struct found_vip *last)
{
	struct service *service = found->service;

	if (!numbers_claim(service->vip_numbers, vip->value.number))
		return false;
	if (claim_pool(found, vip) &&
	    (shares(vip, last) ||
	     ranges_claim(service->slot_ranges, vip->value.slots_start, vip->value.slots_size)))
		return true;
	numbers_give_back(service->vip_numbers, vip->value.number);
	return false;
}

/* Those that only VIPs led to which were ended. */
static void leave_pools(struct found *found)
{
	const uint32_t numbers = place_pool_numbers(found->service->config);

	for (uint32_t i = 0; i < numbers; i++) {
		if (!found->pools[i] || found->pools[i]->vips)
			continue;
		if (found->pools[i]->claimed)
			numbers_give_back(found->service->pool_numbers, i);
		free(found->pools[i]);
		found->pools[i] = NULL;
	}
}

/* Takes what the entries name; one that names what cannot be, or what another has, is ended. */
static void claim(struct found *found)
{
	struct service *service = found->service;
	size_t i, kept = 0;

	if (!found->count)
		return;
	qsort(found->vips, found->count, sizeof(*found->vips), compare_starts);
	for (i = 0; i < found->count; i++) {
		struct found_vip *vip = &found->vips[i];

		if (claim_vip(found, vip, kept ? &found->vips[kept - 1] : NULL))
			found->vips[kept++] = *vip;
		else
			service->plane.vip_del(service->plane.datapath, &vip->endpoint, NULL);
	}
	found->count = kept;
	qsort(found->vips, kept, sizeof(*found->vips), compare_endpoints);
	for (i = 0; i < kept; i++)
		found->pools[found->vips[i].pool]->vips++;
	leave_pools(found);
}

/* --- making it the document in force --- */

/* Its transition is none that a document can have, so that it differs from whatever comes next. */
static struct lb_pool *describe_pool(const struct found_vip *vip, const struct found_pool *found)
{
	struct lb_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->table_size = vip->value.slots_size;
	/* Nothing on record dies before it is known what may. */
	pool->flow_idle_s = LB_FLOW_IDLE_MAX_S;
	pool->backends = calloc(found->count + 1, sizeof(*pool->backends));
	if (!pool->backends) {
		free(pool);
		return NULL;
	}
	pool->backend_count = found->count;
	for (size_t i = 0; i < found->count; i++)
		pool->backends[i].address = found->backends[i].address;
	return pool;
}

static int describe_vip(const struct found *found, const struct found_vip *from, struct lb_vip *vip)
{
	vip->pool = describe_pool(from, found->pools[from->pool]);
	if (!vip->pool)
		return -ENOMEM;
	vip->endpoint = from->endpoint;
	strcpy(vip->pool->name, lb_endpoint_format(&vip->endpoint, vip->name));
	entry_describe(from->value.flags, vip);
	return 0;
}

static uint32_t transition_of(const struct lb_service *kept, const struct lb_endpoint *endpoint)
{
	const struct lb_vip *vip = lb_service_find_endpoint(kept, endpoint);

	return vip ? lb_vip_transition_s(vip) : LB_TRANSITION_TCP_S;
}

/* What took new flows, or may have had packets, goes on; else, what cannot be reached may have been
 * waiting for its next hop. */
static struct health_standing standing_left(const struct service *service, uint16_t number)
{
	const uint32_t flags = members_flags(service->members, number);
	struct health_standing standing = standing_of_left(flags);

	standing.held = !(flags & LB_MEMBER_NEW) && !live_had_packets(service, number);
	standing.arriving = standing.held && !members_reachable(service->members, number);
	return standing;
}

static int adopt_members(struct service *service, const struct found_pool *found,
			 struct live_pool *live, struct lb_err *err)
{
	live->backends = calloc(found->count + 1, sizeof(*live->backends));
	live->standings = calloc(found->count + 1, sizeof(*live->standings));
	if (!live->backends || !live->standings)
		return lb_err_no_memory(err);
	for (size_t i = 0; i < found->count; i++) {
		const struct found_backend *backend = &found->backends[i];
		int error = members_adopt(service->members, backend->number, err);

		if (error)
			return error;
		live->standings[live->backend_count] = standing_left(service, backend->number);
		live->backends[live->backend_count++] = (struct table_member){
			.address = backend->address, .number = backend->number};
		/* Until the document is applied: nothing of its own dies. */
		sweep_member_set(service->sweep, backend->number, live->swept, LB_FLOW_IDLE_MAX_S,
				 LB_FLOW_IDLE_MAX_S);
	}
	return 0;
}

/* The slots of a VIP, and of others of its class and pool. */
static int adopt_table(struct service *service, const struct found_vip *vip,
		       const struct lb_service *kept, struct live_pool *live)
{
	const enum pool_class class = class_of(&vip->endpoint);
	struct live_table *table = calloc(1, sizeof(*table));
	uint32_t *words = service->plane.slots + vip->value.slots_start;

	if (!table || slots_init(&table->slots, words, vip->value.slots_size)) {
		free(table);
		return -ENOMEM;
	}
	table->start = vip->value.slots_start;
	table->class = class;
	slots_adopt(&table->slots, clock_now_s(service), transition_of(kept, &vip->endpoint));
	live->tables[class] = table;
	live->swept->at[live->swept->count++] = &table->slots;
	return 0;
}

/* A VIP, whose pool may have been made for another one. */
static int adopt_vip(struct service *service, const struct found_vip *found,
		     const struct lb_service *kept, size_t i)
{
	struct live_vip *vip = &service->live[i];
	struct live_pool *live = &service->live_pools[service->pools.of_vip[i]];
	const enum pool_class class = class_of(&found->endpoint);

	if (!live->swept)
		live->swept = sweep_tables_new(POOL_CLASSES);
	if (!live->swept)
		return -ENOMEM;
	live->number = found->pool;
	if (!live->tables[class] && adopt_table(service, found, kept, live))
		return -ENOMEM;
	*vip = (struct live_vip){.number = found->value.number,
				 .pool = service->pools.of_vip[i],
				 .table = live->tables[class]};
	return 0;
}

static int make_document(struct found *found)
{
	struct service *service = found->service;
	struct lb_service *document = service->document;

	document->vips = calloc(found->count + 1, sizeof(*document->vips));
	service->live = calloc(found->count + 1, sizeof(*service->live));
	if (!document->vips || !service->live)
		return -ENOMEM;
	for (; document->vip_count < found->count; document->vip_count++)
		if (describe_vip(found, &found->vips[document->vip_count],
				 &document->vips[document->vip_count]))
			return -ENOMEM;
	pools_clear(&service->pools);
	if (pools_of(document, &service->pools))
		return -ENOMEM;
	service->live_pools = calloc(service->pools.count + 1, sizeof(*service->live_pools));
	return service->live_pools ? 0 : -ENOMEM;
}

static int adopt_found(struct found *found, const struct lb_service *kept, struct lb_err *err)
{
	struct service *service = found->service;
	int error = 0;

	if (make_document(found))
		return lb_err_no_memory(err);
	for (size_t i = 0; i < found->count; i++)
		if (adopt_vip(service, &found->vips[i], kept, i))
			return lb_err_no_memory(err);
	for (size_t i = 0; !error && i < service->pools.count; i++) {
		struct live_pool *live = &service->live_pools[i];

		error = adopt_members(service, found->pools[live->number], live, err);
	}
	if (!error)
		live_index(service);
	return error;
}

static void found_clear(struct found *found)
{
	const uint32_t numbers = place_pool_numbers(found->service->config);

	for (size_t i = 0; found->pools && i < numbers; i++) {
		if (found->pools[i])
			free(found->pools[i]->backends);
		free(found->pools[i]);
	}
	free(found->vips);
	free(found->pools);
}

int adopt_left(struct service *service, const struct lb_service *kept, struct lb_err *err)
{
	struct found found = {.service = service};
	int error;

	found.pools = calloc(place_pool_numbers(service->config), sizeof(struct found_pool *));
	found.no_memory = !found.pools;
	if (!found.no_memory)
		service->plane.each_vip(service->plane.datapath, find_vip, &found);
	if (!found.no_memory)
		make_pools(&found);
	if (!found.no_memory) {
		claim(&found);
		members_each_left(service->members, find_member, &found);
		for (size_t i = 0; i < place_pool_numbers(service->config); i++)
			if (found.pools[i])
				sort_backends(service->members, found.pools[i]);
	}
	error = found.no_memory ? lb_err_no_memory(err) : adopt_found(&found, kept, err);
	found_clear(&found);
	if (error)
		return error;
	/* Words that name nobody are deleted at once: numbers that are free now must be so indeed. */
	sweep_step(service->sweep, service->plane.bucket_count, clock_now_units(service));
	clock_start(service);
	return 0;
}
