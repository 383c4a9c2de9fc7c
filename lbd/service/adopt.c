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

struct found_vip {
	struct lb_endpoint endpoint;
	struct lb_vip_value value;
	struct found_backend *backends; /* by address once all are found */
	size_t count, room;
};

struct found {
	struct service *service;
	struct found_vip *vips;
	size_t count, room;
	struct found_vip **by_number; /* place_numbers() of them */
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

static bool add_backend(struct found_vip *vip, uint16_t number, const struct lb_addr *address)
{
	struct found_backend *backends =
		grown(vip->backends, vip->count, &vip->room, sizeof(*backends));

	if (!backends)
		return false;
	vip->backends = backends;
	backends[vip->count++] = (struct found_backend){.address = *address, .number = number};
	return true;
}

/* A member that was made for a change that never came into force belongs to nobody. */
static void find_member(void *user, uint16_t number, uint32_t pool, const struct lb_addr *address)
{
	struct found *found = user;
	struct found_vip *vip = NULL;

	if (pool < place_numbers(found->service->config))
		vip = found->by_number[pool];
	if (!vip)
		members_drop_left(found->service->members, number);
	else if (!add_backend(vip, number, address))
		found->no_memory = true;
}

static int compare_backends(const void *a, const void *b)
{
	const struct found_backend *x = a, *y = b;
	int order = lb_addr_compare(&x->address, &y->address);

	return order ? order : x->number - y->number;
}

/* Of two members with one address the later one belongs to nobody, too. */
static void sort_backends(struct members *members, struct found_vip *vip)
{
	size_t i, kept = 0;

	if (vip->count)
		qsort(vip->backends, vip->count, sizeof(*vip->backends), compare_backends);
	for (i = 0; i < vip->count; i++) {
		const struct found_backend *backend = &vip->backends[i];

		if (kept && lb_addr_equal(&vip->backends[kept - 1].address, &backend->address))
			members_drop_left(members, backend->number);
		else
			vip->backends[kept++] = *backend;
	}
	vip->count = kept;
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

/* Takes what the entries name; one that names what cannot be, or what another has, is ended. */
static void claim(struct found *found)
{
	struct service *service = found->service;
	size_t i, kept = 0;

	if (!found->count)
		return;
	qsort(found->vips, found->count, sizeof(*found->vips), compare_starts);
	for (i = 0; i < found->count; i++) {
		const struct lb_vip_value *value = &found->vips[i].value;
		bool numbered = numbers_claim(service->vip_numbers, value->number);

		if (numbered &&
		    ranges_claim(service->slot_ranges, value->slots_start, value->slots_size)) {
			found->vips[kept++] = found->vips[i];
			continue;
		}
		if (numbered)
			numbers_give_back(service->vip_numbers, value->number);
		service->plane.vip_del(service->plane.datapath, &found->vips[i].endpoint, NULL);
	}
	found->count = kept;
	qsort(found->vips, kept, sizeof(*found->vips), compare_endpoints);
	for (i = 0; i < kept; i++)
		found->by_number[found->vips[i].value.number] = &found->vips[i];
}

/* --- making it the document in force --- */

/* Its transition is none that a document can have, so that it differs from whatever comes next. */
static int describe_vip(const struct found_vip *found, struct lb_vip *vip)
{
	struct lb_pool *pool = calloc(1, sizeof(*pool));

	vip->pool = pool;
	if (!pool)
		return -ENOMEM;
	vip->endpoint = found->endpoint;
	lb_endpoint_format(&vip->endpoint, vip->name);
	strcpy(pool->name, vip->name);
	entry_describe(found->value.flags, vip);
	pool->table_size = found->value.slots_size;
	/* Nothing on record dies before it is known what may. */
	pool->flow_idle_s = LB_FLOW_IDLE_MAX_S;
	pool->backends = calloc(found->count + 1, sizeof(*pool->backends));
	if (!pool->backends)
		return -ENOMEM;
	pool->backend_count = found->count;
	for (size_t i = 0; i < found->count; i++)
		pool->backends[i].address = found->backends[i].address;
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

static int adopt_members(struct service *service, const struct found_vip *found,
			 struct live_vip *live, struct lb_err *err)
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
		sweep_member_set(service->sweep, backend->number, live->slots, LB_FLOW_IDLE_MAX_S,
				 LB_FLOW_IDLE_MAX_S);
	}
	return 0;
}

static int adopt_vip(struct service *service, const struct found_vip *found,
		     const struct lb_service *kept, struct lb_vip *vip, struct live_vip *live,
		     struct lb_err *err)
{
	uint32_t *words = service->plane.slots + found->value.slots_start;

	live->number = found->value.number;
	live->slots_start = found->value.slots_start;
	live->slots = calloc(1, sizeof(*live->slots));
	if (!live->slots || slots_init(live->slots, words, found->value.slots_size) ||
	    describe_vip(found, vip))
		return lb_err_no_memory(err);
	slots_adopt(live->slots, clock_now_s(service), transition_of(kept, &found->endpoint));
	return adopt_members(service, found, live, err);
}

static int adopt_found(struct found *found, const struct lb_service *kept, struct lb_err *err)
{
	struct service *service = found->service;
	struct lb_service *document = service->document;
	int error = 0;

	document->vips = calloc(found->count + 1, sizeof(*document->vips));
	service->live = calloc(found->count + 1, sizeof(*service->live));
	if (!document->vips || !service->live)
		return lb_err_no_memory(err);
	for (size_t i = 0; !error && i < found->count; i++) {
		document->vip_count++;
		error = adopt_vip(service, &found->vips[i], kept, &document->vips[i],
				  &service->live[i], err);
	}
	if (!error)
		live_index(service);
	return error;
}

static void found_clear(struct found *found)
{
	for (size_t i = 0; i < found->count; i++) {
		free(found->vips[i].backends);
	}
	free(found->vips);
	free(found->by_number);
}

int adopt_left(struct service *service, const struct lb_service *kept, struct lb_err *err)
{
	struct found found = {.service = service};
	int error;

	found.by_number = calloc(place_numbers(service->config), sizeof(struct found_vip *));
	found.no_memory = !found.by_number;
	if (!found.no_memory)
		service->plane.each_vip(service->plane.datapath, find_vip, &found);
	if (!found.no_memory) {
		claim(&found);
		members_each_left(service->members, find_member, &found);
		for (size_t i = 0; i < found.count; i++)
			sort_backends(service->members, &found.vips[i]);
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
