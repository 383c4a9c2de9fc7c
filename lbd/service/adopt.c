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
#include <stdio.h>
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
	size_t vips; /* that lead to it */
	size_t left; /* that have left it, and may have flows there */
	size_t own;  /* of its VIPs: those that have a pool of their own in the document */
	uint32_t table_size;
	bool claimed;     /* its number is */
	const char *name; /* of the pool of the document that it was; NULL: of none */
};

struct found_vip {
	struct lb_endpoint endpoint;
	struct lb_vip_value value;
	uint32_t pool;
	uint32_t left[TABLE_LEFT]; /* as in struct live_table */
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

/* Whose slots they are, some member of them says; LB_POOL_NUMBERS_MAX: they have none. */
static uint32_t pool_of_slots(const struct service *service, const struct lb_vip_value *value)
{
	const uint32_t limit = service->config->slots;

	if (value->slots_start > limit || value->slots_size > limit - value->slots_start)
		return LB_POOL_NUMBERS_MAX;
	for (uint32_t i = 0; i < value->slots_size; i++) {
		const uint32_t word = service->plane.slots[value->slots_start + i];
		const uint16_t member = lb_slot_current(word);

		if (member < members_capacity(service->config))
			return members_pool(service->members, member);
	}
	return LB_POOL_NUMBERS_MAX;
}

/* Pools that it has left; one of them may be that which it was to go to. */
static void find_left(const struct service *service, struct found_vip *vip)
{
	const uint32_t numbers = place_pool_numbers(service->config);
	int n = 0;

	vip->left[0] = vip->left[1] = LIVE_NO_POOL;
	if (vip->value.number >= place_numbers(service->config))
		return;
	for (int i = 0; i <= TABLE_LEFT; i++) {
		const uint32_t pool = lb_pool_at(service->plane.vip_pools[vip->value.number], i);

		if (pool < numbers && pool != vip->pool && n < TABLE_LEFT &&
		    !(n && vip->left[0] == pool))
			vip->left[n++] = pool;
	}
}

static void make_pool(struct found *found, uint32_t number, uint32_t table_size)
{
	if (number >= place_pool_numbers(found->service->config) || found->pools[number])
		return;
	found->pools[number] = calloc(1, sizeof(struct found_pool));
	if (found->pools[number])
		found->pools[number]->table_size = table_size;
	else
		found->no_memory = true;
}

/* Slots without owners do not say whose they are. If lbd ended while the VIP went to a pool whose table
 * has another size, they are of the one before. */
static uint32_t pool_by_number(const struct found *found, const struct lb_vip_value *value)
{
	const struct service *service = found->service;
	const uint32_t numbers = place_pool_numbers(service->config);

	uint32_t any = numbers, fits = numbers;

	for (int i = TABLE_LEFT; i >= 0 && value->number < place_numbers(service->config); i--) {
		const uint32_t pool = lb_pool_at(service->plane.vip_pools[value->number], i);

		if (pool >= numbers)
			continue;
		any = pool;
		if (!found->pools[pool] || found->pools[pool]->table_size == value->slots_size)
			fits = pool;
	}
	return fits < numbers ? fits : any;
}

/* Of each pool that a VIP leads to, or has left. The size of tables of the latter is a guess. */
static void make_pools(struct found *found)
{
	const uint32_t numbers = place_pool_numbers(found->service->config);
	struct found_vip *vip;

	for (size_t i = 0; i < found->count; i++) {
		vip = &found->vips[i];
		vip->pool = pool_of_slots(found->service, &vip->value);
		make_pool(found, vip->pool, vip->value.slots_size);
	}
	for (size_t i = 0; i < found->count; i++) {
		vip = &found->vips[i];
		if (vip->pool >= numbers)
			vip->pool = pool_by_number(found, &vip->value);
		make_pool(found, vip->pool, vip->value.slots_size);
		find_left(found->service, vip);
	}
	for (size_t i = 0; i < found->count; i++)
		for (int n = 0; n < TABLE_LEFT; n++)
			make_pool(found, found->vips[i].left[n], found->vips[i].value.slots_size);
}

/* A pool that a VIP leads to, or has left; false: it cannot be. */
static bool claim_pool(const struct found *found, uint32_t number)
{
	struct found_pool *pool;

	if (number >= place_pool_numbers(found->service->config))
		return false;
	pool = found->pools[number];
	if (!pool->claimed)
		pool->claimed = numbers_claim(found->service->pool_numbers, number);
	return pool->claimed;
}

/* `last`: the one before it that was claimed, by place of slots, or NULL. */
static bool claim_vip(const struct found *found, const struct found_vip *vip,
		      const struct found_vip *last)
{
	struct service *service = found->service;

	if (!numbers_claim(service->vip_numbers, vip->value.number))
		return false;
	if (claim_pool(found, vip->pool) &&
	    (shares(vip, last) ||
	     ranges_claim(service->slot_ranges, vip->value.slots_start, vip->value.slots_size)))
		return true;
	numbers_give_back(service->vip_numbers, vip->value.number);
	return false;
}

static void claim_left(struct found *found, struct found_vip *vip)
{
	int n = 0;

	for (int i = 0; i < TABLE_LEFT; i++) {
		const uint32_t number = vip->left[i];

		vip->left[i] = LIVE_NO_POOL;
		if (!claim_pool(found, number))
			continue;
		found->pools[number]->left++;
		vip->left[n++] = number;
	}
}

/* Those that only VIPs led to which were ended. */
static void leave_pools(struct found *found)
{
	const uint32_t numbers = place_pool_numbers(found->service->config);

	for (uint32_t i = 0; i < numbers; i++) {
		if (!found->pools[i] || found->pools[i]->vips || found->pools[i]->left)
			continue;
		if (found->pools[i]->claimed)
			numbers_give_back(found->service->pool_numbers, i);
		free(found->pools[i]);
		found->pools[i] = NULL;
	}
}

/* Slots that no VIP leads to have no owners: a pool may have had some that its VIPs were to get. VIPs
 * come from the last slots to the first. */
static void clear_rest(const struct found *found)
{
	uint32_t *slots = found->service->plane.slots, *pasts = found->service->plane.pasts;
	uint32_t end = found->service->config->slots;

	for (size_t i = 0; i <= found->count; i++) {
		const struct lb_vip_value *value =
			i < found->count ? &found->vips[i].value : &(struct lb_vip_value){0};
		const uint32_t after = value->slots_start + value->slots_size;

		if (after < end) {
			memset(slots + after, 0xff, (end - after) * sizeof(*slots));
			memset(pasts + after, 0xff, (end - after) * sizeof(*pasts));
		}
		if (value->slots_start < end)
			end = value->slots_start;
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
	clear_rest(found);
	qsort(found->vips, kept, sizeof(*found->vips), compare_endpoints);
	for (i = 0; i < kept; i++) {
		found->pools[found->vips[i].pool]->vips++;
		claim_left(found, &found->vips[i]);
	}
	leave_pools(found);
}

/* --- making it the document in force --- */

/* --- which pool of the document from the disk it was --- */

static size_t common_addresses(const struct found_pool *found, const struct lb_pool *pool)
{
	size_t common = 0;

	for (size_t i = 0; i < found->count; i++)
		common += lb_pool_find_backend(pool, &found->backends[i].address) != NULL;
	return common;
}

/* How much the two are alike; of pools with the same backends that one which has a table of the same
 * size, or else more VIPs. */
static uint64_t likeness(const struct found_pool *found, const struct lb_pool *pool, size_t vips)
{
	const uint64_t common = common_addresses(found, pool);
	const uint64_t all = found->count + pool->backend_count - common;
	const uint64_t same_size = found->table_size == pool->table_size;

	return (all ? common * 1000 / all : 1000) << 33 | same_size << 32 | vips;
}

/* A pool that was found, and one of the document that VIPs of it lead to. */
struct pairing {
	uint32_t found;
	const struct lb_pool *pool;
	size_t vips;
	uint64_t likeness;
};

static int compare_pairings(const void *a, const void *b)
{
	const struct pairing *x = a, *y = b;

	if (x->found != y->found)
		return x->found < y->found ? -1 : 1;
	return (x->pool > y->pool) - (x->pool < y->pool);
}

static int compare_likeness(const void *a, const void *b)
{
	const struct pairing *x = a, *y = b;

	if (x->likeness != y->likeness)
		return x->likeness > y->likeness ? -1 : 1;
	return compare_pairings(a, b);
}

struct pairings {
	struct pairing *at;
	size_t count, room;
};

static bool add_pairing(struct pairings *pairings, struct pairing pairing)
{
	struct pairing *more = grown(pairings->at, pairings->count, &pairings->room, sizeof(*more));

	if (!more)
		return false;
	pairings->at = more;
	more[pairings->count++] = pairing;
	return true;
}

static void merge_alike(struct pairings *pairings)
{
	size_t count = 0;

	if (pairings->count)
		qsort(pairings->at, pairings->count, sizeof(*pairings->at), compare_pairings);
	for (size_t i = 0; i < pairings->count; i++)
		if (count && !compare_pairings(&pairings->at[count - 1], &pairings->at[i]))
			pairings->at[count - 1].vips++;
		else
			pairings->at[count++] = pairings->at[i];
	pairings->count = count;
}

/* One for each VIP that leads to a named pool; those that are alike become one. */
static bool pair_by_vips(const struct found *found, const struct lb_service *kept,
			 struct pairings *out)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct lb_vip *vip = lb_service_find_endpoint(kept, &found->vips[i].endpoint);

		if (vip && !vip->pool->named)
			found->pools[found->vips[i].pool]->own++;
		if (vip && vip->pool->named &&
		    !add_pairing(out, (struct pairing){found->vips[i].pool, vip->pool, 1, 0}))
			return false;
	}
	merge_alike(out);
	for (size_t i = 0; i < out->count; i++)
		out->at[i].likeness =
			likeness(found->pools[out->at[i].found], out->at[i].pool, out->at[i].vips);
	return true;
}

/* The pool that it was may be one that no VIP leads to any more. If VIPs have left it, and it has other
 * backends than any, it is taken for gone, and keeps them. */
static bool pair_by_backends(const struct found *found, uint32_t number,
			     const struct lb_service *kept, struct pairings *out)
{
	for (size_t i = 0; i < kept->pool_count; i++) {
		const struct lb_pool *pool = &kept->pools[i];
		const uint64_t like = likeness(found->pools[number], pool, 0);

		if (common_addresses(found->pools[number], pool) &&
		    (found->pools[number]->vips || like >> 33 == 1000) &&
		    !add_pairing(out, (struct pairing){number, pool, 0, like}))
			return false;
	}
	return true;
}

static bool is_just(const struct pairings *pairings, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (pairings->at[i].found == number && pairings->at[i].likeness >> 33 == 1000)
			return true;
	return false;
}

static bool list_pairings(const struct found *found, const struct lb_service *kept,
			  struct pairings *out)
{
	const uint32_t numbers = place_pool_numbers(found->service->config);
	size_t by_vips;

	if (!pair_by_vips(found, kept, out))
		return false;
	by_vips = out->count;
	for (uint32_t i = 0; i < numbers; i++)
		if (found->pools[i] &&
		    (found->pools[i]->left || found->pools[i]->vips > found->pools[i]->own) &&
		    !is_just(out, by_vips, i) && !pair_by_backends(found, i, kept, out))
			return false;
	return true;
}

/* Each pool of the document is at most one that was found. */
static int name_pools(struct found *found, const struct lb_service *kept)
{
	struct pairings pairings = {0};
	bool *taken = calloc(kept->pool_count + 1, sizeof(*taken));
	bool done = taken && list_pairings(found, kept, &pairings);

	if (done && pairings.count)
		qsort(pairings.at, pairings.count, sizeof(*pairings.at), compare_likeness);
	for (size_t i = 0; done && i < pairings.count; i++) {
		const struct pairing *pairing = &pairings.at[i];
		struct found_pool *pool = found->pools[pairing->found];

		if (pool->name || taken[pairing->pool - kept->pools])
			continue;
		taken[pairing->pool - kept->pools] = true;
		pool->name = pairing->pool->name;
		pool->table_size =
			pairing->pool->table_size; /* VIPs may have slots of another one */
	}
	free(taken);
	free(pairings.at);
	return done ? 0 : -ENOMEM;
}

/* --- the document --- */

/* Its transition is none that a document can have, so that it differs from whatever comes next. */
static int describe_pool(const struct found_pool *found, uint32_t table_size, struct lb_pool *pool)
{
	pool->table_size = table_size;
	/* Nothing on record dies before it is known what may. */
	pool->flow_idle_s = pool->datagram_flow_idle_s = LB_FLOW_IDLE_MAX_S;
	pool->backends = calloc(found->count + 1, sizeof(*pool->backends));
	if (!pool->backends)
		return -ENOMEM;
	pool->backend_count = found->count;
	for (size_t i = 0; i < found->count; i++)
		pool->backends[i].address = found->backends[i].address;
	return 0;
}

/* Several VIPs lead to it, or it is the one of that name. */
static bool is_named(const struct found_pool *pool)
{
	return pool->name || pool->vips > 1 || pool->left;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct lb_pool *)a)->name, ((const struct lb_pool *)b)->name);
}

/* One without a name gets one that no document can have. */
static void name_pool(const struct found *found, uint32_t number, char name[LB_NAME_TEXT])
{
	if (found->pools[number]->name)
		strcpy(name, found->pools[number]->name);
	else
		snprintf(name, LB_NAME_TEXT, "?%u", number);
}

static int describe_named(const struct found *found, struct lb_service *document)
{
	const uint32_t numbers = place_pool_numbers(found->service->config);
	size_t count = 0;

	for (uint32_t i = 0; i < numbers; i++)
		count += found->pools[i] && is_named(found->pools[i]);
	document->pools = calloc(count + 1, sizeof(*document->pools));
	if (!document->pools)
		return -ENOMEM;
	for (uint32_t i = 0; i < numbers; i++) {
		struct lb_pool *pool = &document->pools[document->pool_count];

		if (!found->pools[i] || !is_named(found->pools[i]))
			continue;
		pool->named = true;
		name_pool(found, i, pool->name);
		document->pool_count++;
		if (describe_pool(found->pools[i], found->pools[i]->table_size, pool))
			return -ENOMEM;
	}
	if (document->pool_count)
		qsort(document->pools, document->pool_count, sizeof(*document->pools),
		      compare_names);
	return 0;
}

static int describe_vip(const struct found *found, const struct found_vip *from,
			const struct lb_service *document, const struct lb_vip *kept,
			struct lb_vip *vip)
{
	const struct found_pool *pool = found->pools[from->pool];
	const bool stays_own = kept && !kept->pool->named;

	vip->endpoint = from->endpoint;
	strcpy(vip->name, "?"); /* so that it differs from whatever comes next */
	if (entry_describe(from->value.flags, vip))
		return -ENOMEM;
	if (is_named(pool)) {
		name_pool(found, from->pool, vip->pool_name);
		vip->pool = lb_service_find_pool(document, vip->pool_name);
		return 0;
	}
	vip->pool = calloc(1, sizeof(*vip->pool));
	if (!vip->pool)
		return -ENOMEM;
	strcpy(vip->pool->name, vip->name);
	return describe_pool(pool, stays_own ? kept->pool->table_size : from->value.slots_size,
			     vip->pool);
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
static struct live_table *adopt_table(struct service *service, const struct found_vip *vip,
				      const struct lb_service *kept)
{
	struct live_table *table = calloc(1, sizeof(*table));
	uint32_t *words = service->plane.slots + vip->value.slots_start;

	if (!table || slots_init(&table->slots, words, vip->value.slots_size)) {
		free(table);
		return NULL;
	}
	table->slots.pasts = service->plane.pasts + vip->value.slots_start;
	table->start = vip->value.slots_start;
	table->class = class_of(&vip->endpoint);
	memcpy(table->left, vip->left, sizeof(table->left));
	memcpy(table->left_next, vip->left, sizeof(table->left));
	slots_adopt(&table->slots, clock_now_s(service), transition_of(kept, &vip->endpoint));
	if (live_has_left(table))
		slots_all_foreign(&table->slots);
	return table;
}

static struct live_table *find_table(const struct live_pool *live, const struct found_vip *vip)
{
	for (size_t n = 0; n < live_tables(live); n++) {
		struct live_table *table = live_table(live, n);

		if (table && table->start == vip->value.slots_start)
			return table;
	}
	return NULL;
}

/* What VIPs have that have left no other pool is what all come to have, if it has the pool's size. */
static void place_table(struct live_pool *live, uint32_t size, struct live_table *table)
{
	struct live_table **shared = &live->tables[table->class], *arrival = table;
	const bool fits = table->slots.size == size;

	if (fits && *shared && live_has_left(*shared) && !live_has_left(table)) {
		arrival = *shared;
		*shared = table;
	}
	if (*shared || !fits)
		live->arrivals[live->arrival_count++] = arrival;
	else
		*shared = table;
}

/* A VIP, whose pool may have been made for another one. */
static int adopt_vip(const struct found *found, size_t i, const struct lb_service *kept)
{
	struct service *service = found->service;
	const struct found_vip *vip = &found->vips[i];
	struct live_pool *live = &service->live_pools[service->pools.of_vip[i]];
	struct live_table *table;

	if (!live->arrivals)
		live->arrivals = calloc(found->pools[vip->pool]->vips + 1, sizeof(table));
	if (!live->arrivals)
		return -ENOMEM;
	live->number = vip->pool;
	table = find_table(live, vip);
	if (!table) {
		table = adopt_table(service, vip, kept);
		if (!table)
			return -ENOMEM;
		place_table(live, service->document->vips[i].pool->table_size, table);
	}
	service->live[i] = (struct live_vip){.number = vip->value.number,
					     .pool = service->pools.of_vip[i],
					     .table = table,
					     .adopted = true};
	live_set_pools(service, &service->live[i], live_pools_word(vip->pool, vip->left));
	return 0;
}

/* Pools that VIPs have left, and that none leads to. */
static void number_left(const struct found *found)
{
	struct service *service = found->service;
	const uint32_t numbers = place_pool_numbers(service->config);
	char name[LB_NAME_TEXT];

	for (uint32_t i = 0; i < numbers; i++) {
		if (!found->pools[i] || found->pools[i]->vips)
			continue;
		name_pool(found, i, name);
		for (size_t j = 0; j < service->pools.count; j++)
			if (!service->pools.refs[j].own &&
			    !strcmp(service->pools.refs[j].pool->name, name))
				service->live_pools[j].number = i;
	}
}

/* The change to the document from the disk, which follows, makes them again, and whole. */
static int adopt_swept(struct live_pool *live)
{
	live->swept = sweep_tables_new(live_tables(live));
	if (!live->swept)
		return -ENOMEM;
	for (size_t n = 0; n < live_tables(live); n++)
		if (live_table(live, n))
			live->swept->at[live->swept->count++] = &live_table(live, n)->slots;
	return 0;
}

/* Which VIPs have left which pools of the document; to be freed. */
static struct pool_left *list_left(const struct found *found, const struct lb_service *document,
				   size_t *count)
{
	struct pool_left *left = calloc(TABLE_LEFT * found->count + 1, sizeof(*left));
	char name[LB_NAME_TEXT];

	*count = 0;
	for (size_t i = 0; left && i < found->count; i++)
		for (int n = 0; n < TABLE_LEFT && found->vips[i].left[n] != LIVE_NO_POOL; n++) {
			name_pool(found, found->vips[i].left[n], name);
			left[(*count)++] = (struct pool_left){
				.vip = i, .pool = lb_service_find_pool(document, name)};
		}
	return left;
}

static int find_pools(const struct found *found)
{
	struct service *service = found->service;
	size_t count;
	struct pool_left *left = list_left(found, service->document, &count);
	int error;

	pools_clear(&service->pools);
	error = left ? pools_of(service->document, NULL, left, count, &service->pools) : -ENOMEM;
	free(left);
	if (error)
		return error;
	service->live_pools = calloc(service->pools.count + 1, sizeof(*service->live_pools));
	return service->live_pools ? 0 : -ENOMEM;
}

static int make_document(struct found *found, const struct lb_service *kept)
{
	struct service *service = found->service;
	struct lb_service *document = service->document;

	document->vips = calloc(found->count + 1, sizeof(*document->vips));
	service->live = calloc(found->count + 1, sizeof(*service->live));
	if (!document->vips || !service->live || name_pools(found, kept) ||
	    describe_named(found, document))
		return -ENOMEM;
	while (document->vip_count < found->count) {
		const size_t i = document->vip_count++;

		if (describe_vip(found, &found->vips[i], document,
				 lb_service_find_endpoint(kept, &found->vips[i].endpoint),
				 &document->vips[i]))
			return -ENOMEM;
	}
	return find_pools(found);
}

/* What was removed when the earlier lbd ended may stand in pasts. */
static void keep_known(struct service *service)
{
	uint64_t known[(LB_NONE + 1) / 64] = {0};

	for (size_t i = 0; i < service->pools.count; i++)
		for (size_t n = 0; n < service->live_pools[i].backend_count; n++) {
			const uint16_t number = service->live_pools[i].backends[n].number;

			known[number / 64] |= 1ull << number % 64;
		}
	for (size_t i = 0; i < service->pools.count; i++)
		for (size_t n = 0; n < live_tables(&service->live_pools[i]); n++)
			if (live_table(&service->live_pools[i], n))
				slots_keep_known(&live_table(&service->live_pools[i], n)->slots,
						 known);
}

static int adopt_found(struct found *found, const struct lb_service *kept, struct lb_err *err)
{
	struct service *service = found->service;
	int error = 0;

	if (make_document(found, kept))
		return lb_err_no_memory(err);
	for (size_t i = 0; i < found->count; i++)
		if (adopt_vip(found, i, kept))
			return lb_err_no_memory(err);
	number_left(found);
	for (size_t i = 0; !error && i < service->pools.count; i++) {
		struct live_pool *live = &service->live_pools[i];

		if (adopt_swept(live))
			return lb_err_no_memory(err);
		error = adopt_members(service, found->pools[live->number], live, err);
	}
	if (error)
		return error;
	members_adopt_quic_ids(service->members);
	live_index(service);
	keep_known(service);
	return 0;
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
