/* SPDX-License-Identifier: BSD-2-Clause */
/* What is the data plane, without a kernel? The same tables in plain memory, edited in the same way. */
#include "simulate.h"

#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../plane/datapath.h"
#include "../plane/numbers.h"
#include "../plane/quic_aes.h"
#include "../plane/trace.h"
#include "../plane/wide.h"

struct datapath {
	struct plane plane;
	struct simulated_entry *entries;
	size_t entry_count, entry_room;
	struct wide_table *wide;
	struct lb_counter *counters, *vip_counters;
	uint64_t verdicts[LB_VERDICT_COUNT];
	uint64_t bytes;
	int64_t made_s; /* since 1970 */
};

static struct datapath *datapath_now;

struct datapath *simulated_datapath(void)
{
	return datapath_now;
}

/* --- VIP entries --- */

static struct simulated_entry *find(const struct datapath *datapath,
				    const struct lb_endpoint *endpoint)
{
	for (size_t i = 0; i < datapath->entry_count; i++)
		if (!lb_endpoint_compare(&datapath->entries[i].endpoint, endpoint))
			return &datapath->entries[i];
	return NULL;
}

static int vip_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		   const struct lb_vip_value *value, struct lb_err *err)
{
	struct simulated_entry *entry = find(datapath, endpoint);

	if (!entry && datapath->entry_count == datapath->entry_room) {
		const size_t room = datapath->entry_room * 2 + 64;
		void *more = reallocarray(datapath->entries, room, sizeof(*datapath->entries));

		if (!more)
			return lb_err_no_memory(err);
		datapath->entries = more;
		datapath->entry_room = room;
	}
	if (!entry)
		entry = &datapath->entries[datapath->entry_count++];
	*entry = (struct simulated_entry){.endpoint = *endpoint, .value = *value};
	if (lb_endpoint_is_wide(endpoint) &&
	    wide_table_set(datapath->wide, endpoint, value->number))
		return lb_err_no_memory(err);
	return 0;
}

static int vip_del(struct datapath *datapath, const struct lb_endpoint *endpoint,
		   struct lb_err *err)
{
	struct simulated_entry *entry = find(datapath, endpoint);

	(void)err;
	if (lb_endpoint_is_wide(endpoint))
		wide_table_del(datapath->wide, endpoint);
	if (entry)
		*entry = datapath->entries[--datapath->entry_count];
	return 0;
}

static void each_vip(struct datapath *datapath,
		     void (*each)(void *user, const struct lb_endpoint *endpoint,
				  const struct lb_vip_value *value),
		     void *user)
{
	for (size_t i = 0; i < datapath->entry_count; i++)
		each(user, &datapath->entries[i].endpoint, &datapath->entries[i].value);
}

static bool is_own(const struct simulated_entry *entry)
{
	return !(entry->value.flags & (LB_VIP_ADDRESS_ONLY | LB_VIP_FRAGMENTS_ONLY));
}

const struct simulated_entry **simulated_vips(const struct datapath *datapath, size_t *count)
{
	const struct simulated_entry **vips = calloc(datapath->entry_count + 1, sizeof(void *));

	*count = 0;
	for (size_t i = 0; vips && i < datapath->entry_count; i++)
		if (is_own(&datapath->entries[i]))
			vips[(*count)++] = &datapath->entries[i];
	return vips;
}

const struct simulated_entry *simulated_entry(const struct datapath *datapath,
					      const struct lb_endpoint *endpoint)
{
	return find(datapath, endpoint);
}

/* --- wide VIPs --- */

uint64_t simulated_other_vips(const struct datapath *datapath)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < datapath->entry_count; i++) {
		const struct lb_endpoint *endpoint = &datapath->entries[i].endpoint;

		if (endpoint->host_bits)
			sum += LB_OTHER_PREFIX;
		else if (lb_endpoint_is_wide(endpoint))
			sum += LB_OTHER_RANGE;
		else if (!endpoint->port && is_own(&datapath->entries[i]))
			sum += LB_OTHER_PORT0;
	}
	return sum;
}

const struct simulated_entry *simulated_wide(const struct datapath *datapath, uint32_t number)
{
	for (size_t i = 0; i < datapath->entry_count; i++) {
		const struct simulated_entry *entry = &datapath->entries[i];

		if (entry->value.number == number && entry->endpoint.protocol &&
		    lb_endpoint_is_wide(&entry->endpoint))
			return entry;
	}
	return NULL;
}

static bool is_longer(const struct lb_endpoint *prefix, const struct lb_endpoint *than)
{
	return !than || prefix->host_bits < than->host_bits;
}

static const struct lb_endpoint *longest_prefix(const struct datapath *datapath,
						const struct lb_endpoint *endpoint)
{
	const struct lb_prefix inner = lb_endpoint_prefix(endpoint);
	const struct lb_endpoint *best = NULL;

	for (size_t i = 0; i < datapath->entry_count; i++) {
		const struct lb_endpoint *other = &datapath->entries[i].endpoint;
		const struct lb_prefix outer = lb_endpoint_prefix(other);

		if (other->protocol == endpoint->protocol && lb_endpoint_is_wide(other) &&
		    is_longer(other, best) && lb_prefix_covers(&outer, &inner))
			best = other;
	}
	return best;
}

static int take_parts(void *user, const struct lb_endpoint *prefix, const struct lb_parts *parts)
{
	struct lb_parts *to = user;

	(void)prefix;
	if (!parts)
		return 0;
	*to = *parts;
	return 1;
}

const struct lb_parts *simulated_parts(const struct datapath *datapath,
				       const struct lb_endpoint *endpoint)
{
	static struct lb_parts parts;
	const struct lb_endpoint *prefix = longest_prefix(datapath, endpoint);

	if (!prefix || !wide_table_each(datapath->wide, prefix, take_parts, &parts))
		return NULL;
	return &parts;
}

/* --- counters --- */

static int egress_set(struct datapath *datapath, uint32_t ifindex, bool in_use)
{
	(void)datapath;
	(void)ifindex;
	(void)in_use;
	return 0;
}

static int counters(struct datapath *datapath, uint32_t first, uint32_t count,
		    struct lb_counter *out)
{
	memcpy(out, &datapath->counters[first], count * sizeof(*out));
	return 0;
}

static int counters_reset(struct datapath *datapath, uint32_t member)
{
	datapath->counters[member] = (struct lb_counter){0};
	return 0;
}

static int vip_counters(struct datapath *datapath, uint32_t number, struct lb_counter *out)
{
	*out = datapath->vip_counters[number];
	return 0;
}

static int vip_counters_reset(struct datapath *datapath, uint32_t number)
{
	datapath->vip_counters[number] = (struct lb_counter){0};
	return 0;
}

static int flow_counts(struct datapath *datapath, uint64_t out[LB_FLOW_COUNT_COUNT])
{
	(void)datapath;
	memset(out, 0, LB_FLOW_COUNT_COUNT * sizeof(*out));
	return 0;
}

static int quic_counter(struct datapath *datapath, uint32_t member, uint64_t *out)
{
	(void)datapath;
	(void)member;
	*out = 0;
	return 0;
}

static int quic_counts(struct datapath *datapath, uint64_t out[LB_QUIC_COUNT_COUNT])
{
	(void)datapath;
	memset(out, 0, LB_QUIC_COUNT_COUNT * sizeof(*out));
	return 0;
}

static void count(struct lb_counter *counter, uint32_t bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

void simulated_count(struct datapath *datapath, const struct lb_vip_value *vip, uint64_t hash,
		     uint32_t bytes)
{
	const uint32_t slot = (uint32_t)((hash >> 32) * vip->slots_size >> 32);
	const uint16_t member = lb_slot_current(datapath->plane.slots[vip->slots_start + slot]);

	count(&datapath->vip_counters[vip->number], bytes);
	if (member == LB_NONE) {
		datapath->verdicts[LB_DROP_NO_BACKEND]++;
		return;
	}
	datapath->verdicts[LB_TX]++;
	count(&datapath->counters[member], bytes);
}

/* --- life --- */

static void *take(struct datapath *datapath, size_t entries, size_t bytes, int fill)
{
	void *memory = malloc(entries * bytes);

	datapath->bytes += entries * bytes;
	return memory ? memset(memory, fill, entries * bytes) : NULL;
}

static uint32_t buckets_for(uint32_t flows)
{
	uint32_t buckets = 1;

	while (buckets < flows / LB_FLOW_WAYS)
		buckets *= 2;
	return buckets;
}

static bool make_tables(struct datapath *datapath, const struct datapath_options *options)
{
	struct plane *plane = &datapath->plane;
	const uint32_t vips = numbers_for_vips(options->vips);

	plane->bucket_count = buckets_for(options->flows);
	plane->slots = take(datapath, options->slots, sizeof(*plane->slots), 0xff);
	plane->pasts = take(datapath, options->slots, sizeof(*plane->pasts), 0xff);
	plane->vip_pools = take(datapath, vips, sizeof(*plane->vip_pools), 0xff);
	plane->members = take(datapath, options->members, sizeof(*plane->members), 0);
	plane->nexthops = take(datapath, LB_NEXTHOPS_MAX, sizeof(*plane->nexthops), 0);
	plane->tuning = take(datapath, 1, sizeof(*plane->tuning), 0);
	plane->flows = take(datapath, plane->bucket_count, sizeof(*plane->flows), 0);
	plane->quic_lines = options->members > LB_QUIC_REACH ? options->members : LB_QUIC_REACH;
	plane->quic_vips = take(datapath, vips, sizeof(*plane->quic_vips), 0);
	plane->quic_ids = take(datapath, plane->quic_lines, sizeof(*plane->quic_ids), 0);
	plane->quic_vip_keys = take(datapath, vips, sizeof(*plane->quic_vip_keys), 0);
	plane->quic_keys = take(datapath, LB_QUIC_KEYS, sizeof(*plane->quic_keys), 0);
	plane->quic_aes = take(datapath, 1, sizeof(*plane->quic_aes), 0);
	if (plane->quic_aes)
		quic_aes_tables(plane->quic_aes);
	datapath->counters = take(datapath, options->members, sizeof(*datapath->counters), 0);
	datapath->vip_counters = take(datapath, vips, sizeof(*datapath->vip_counters), 0);
	datapath->wide = wide_table_new();
	return plane->slots && plane->pasts && plane->vip_pools && plane->members &&
	       plane->nexthops && plane->tuning && plane->flows && plane->quic_vips &&
	       plane->quic_ids && plane->quic_vip_keys && plane->quic_keys && plane->quic_aes &&
	       datapath->counters && datapath->vip_counters && datapath->wide;
}

int datapath_open(const struct datapath_options *options, struct datapath **out, struct lb_err *err)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));

	if (!datapath || !make_tables(datapath, options)) {
		datapath_close(datapath);
		return lb_err_no_memory(err);
	}
	datapath->made_s = lb_clock_ns(CLOCK_REALTIME) / 1000000000;
	datapath->plane.datapath = datapath;
	datapath->plane.vip_set = vip_set;
	datapath->plane.vip_del = vip_del;
	datapath->plane.each_vip = each_vip;
	datapath->plane.egress_set = egress_set;
	datapath->plane.counters = counters;
	datapath->plane.counters_reset = counters_reset;
	datapath->plane.vip_counters = options->vip_counters ? vip_counters : NULL;
	datapath->plane.vip_counters_reset = options->vip_counters ? vip_counters_reset : NULL;
	datapath->plane.flow_counts = flow_counts;
	datapath->plane.quic_counter = quic_counter;
	datapath->plane.quic_counts = quic_counts;
	*out = datapath_now = datapath;
	return 0;
}

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	free(datapath->plane.slots);
	free(datapath->plane.pasts);
	free(datapath->plane.vip_pools);
	free(datapath->plane.members);
	free(datapath->plane.nexthops);
	free(datapath->plane.tuning);
	free(datapath->plane.flows);
	free(datapath->plane.quic_vips);
	free(datapath->plane.quic_ids);
	free(datapath->plane.quic_vip_keys);
	free(datapath->plane.quic_keys);
	free(datapath->plane.quic_aes);
	free(datapath->counters);
	free(datapath->vip_counters);
	wide_table_free(datapath->wide);
	free(datapath->entries);
	free(datapath);
}

/* --- what is asked of it --- */

struct plane datapath_plane(struct datapath *datapath)
{
	return datapath->plane;
}

struct lb_member *datapath_members(struct datapath *datapath)
{
	return datapath->plane.members;
}

int datapath_verdicts(struct datapath *datapath, uint64_t out[LB_VERDICT_COUNT])
{
	memcpy(out, datapath->verdicts, sizeof(datapath->verdicts));
	return 0;
}

uint64_t datapath_memory_bytes(const struct datapath *datapath)
{
	return datapath->bytes;
}

bool datapath_adopted(const struct datapath *datapath)
{
	(void)datapath;
	return false;
}

bool datapath_holds(const struct datapath *datapath, uint32_t ifindex)
{
	(void)datapath;
	(void)ifindex;
	return true;
}

void datapath_detach_others(struct datapath *datapath)
{
	(void)datapath;
}

bool datapath_is_pinned(const char *pin_dir)
{
	(void)pin_dir;
	return false;
}

int datapath_check_pinned(const struct datapath_options *options, struct lb_err *err)
{
	(void)options;
	(void)err;
	return 0;
}

int datapath_detach(const char *pin_dir, struct lb_err *err)
{
	(void)pin_dir;
	return lb_err_set(err, LB_ERR_REFUSED, "", "this lbd simulates, and detaches nothing");
}

int datapath_announce(const struct datapath *datapath, uint32_t table, uint8_t protocol)
{
	(void)datapath;
	(void)table;
	(void)protocol;
	return 0;
}

int datapath_withdraw(const char *pin_dir)
{
	(void)pin_dir;
	return 0;
}

int64_t datapath_since(const struct datapath *datapath)
{
	return datapath->made_s;
}

/* --- tracing: there is no packet --- */

int datapath_trace_start(struct datapath *datapath, const struct lb_trace_filter *filter,
			 struct lb_err *err)
{
	(void)datapath;
	(void)filter;
	return lb_err_set(err, LB_ERR_REFUSED, "", "this lbd simulates, and no packet comes");
}

void datapath_trace_stop(struct datapath *datapath)
{
	(void)datapath;
}

uint32_t datapath_trace_allow(struct datapath *datapath, uint32_t packets)
{
	(void)datapath;
	(void)packets;
	return 0;
}

void datapath_trace_read(struct datapath *datapath,
			 bool (*each)(void *user, const struct lb_traced *packet), void *user)
{
	(void)datapath;
	(void)each;
	(void)user;
}

uint64_t datapath_trace_lost(const struct datapath *datapath)
{
	(void)datapath;
	return 0;
}
