// SPDX-License-Identifier: BSD-2-Clause
/* How does a case get its VIPs, tables, members and flow table? */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/rate_cell.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/quic_aes.h"
#include "../../lbd/plane/quic_ids.h"
#include "../../lbd/plane/slots.h"
#include "../../lbd/table/table.h"
#include "world.h"

#define HOP 1
#define BESIDE 256 /* number, and distance, of a prefix that no packet is for */
#define TRANSITION_S 900
#define FLOWS_DEFAULT 1048576u /* of the flow table, as lbd.json has it when it says nothing */
/* So many words a flow that all are recorded: buckets of eight words, two in use on average. */
#define WORDS_A_FLOW 4

struct plan {
	uint32_t size;
	uint16_t *owners; /* of a VIP's slots, by number within the VIP */
	uint16_t *moved;  /* the same, after the change that makes slots MOVING */
};

static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static void *fail(const char *what, const char *why)
{
	fprintf(stderr, "packets: %s: %s\n", what, why);
	return NULL;
}

/* --- tables --- */

static int build_table(struct plan *plan, uint32_t count)
{
	struct table_member *members = calloc(count, sizeof(*members));
	uint32_t i;
	int error;

	if (!members)
		return -1;
	for (i = 0; i < count; i++)
		members[i] = (struct table_member){
			{.family = 4, .bytes = {10, 200, i >> 8, i}}, .weight = 10, .number = i};
	error = table_build(LB_TABLE_RENDEZVOUS, members, count, plan->size, seed, plan->owners);
	free(members);
	return error;
}

/* A new owner for all slots, or for one in a hundred. */
static void plan_move(struct plan *plan, const struct bench_case *bench_case)
{
	uint32_t i;

	for (i = 0; i < plan->size; i++) {
		const bool moves = bench_case->slots != ONE_PERCENT_MOVING || i % 100 == 50;

		plan->moved[i] = (plan->owners[i] + moves) % bench_case->members;
	}
}

struct plan *plan_new(const struct bench_case *bench_case)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->size = bench_case->table;
	plan->owners = calloc(plan->size, sizeof(*plan->owners));
	plan->moved = calloc(plan->size, sizeof(*plan->moved));
	if (!plan->owners || !plan->moved || build_table(plan, bench_case->members)) {
		plan_free(plan);
		return NULL;
	}
	plan_move(plan, bench_case);
	return plan;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->owners);
	free(plan->moved);
	free(plan);
}

const uint16_t *plan_owners(const struct plan *plan)
{
	return plan->owners;
}

static void renumber(const uint16_t *owners, uint32_t size, uint32_t first, uint16_t *out)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		out[i] = owners[i] + first;
}

/* One pool's slots, from "no owner" to SETTLED. */
static int settle_pool(struct datapath *datapath, const struct bench_case *bench_case,
		       const struct plan *plan, uint32_t pool, uint16_t *numbered)
{
	struct slots slots;

	if (slots_init(&slots, datapath_slots(datapath) + pool * plan->size, plan->size))
		return -1;
	renumber(plan->owners, plan->size, pool * bench_case->members, numbered);
	slots_settle(&slots, numbered);
	slots_clear(&slots);
	return 0;
}

static int settle(struct datapath *datapath, const struct bench_case *bench_case,
		  const struct plan *plan)
{
	uint16_t *numbered = calloc(plan->size, sizeof(*numbered));
	uint32_t pool;
	int error = numbered ? 0 : -1;

	for (pool = 0; pool < bench_case->pools && !error; pool++)
		error = settle_pool(datapath, bench_case, plan, pool, numbered);
	free(numbered);
	return error;
}

/* Cases with slots that are not SETTLED have one VIP. */
int world_move(struct datapath *datapath, const struct bench_case *bench_case,
	       const struct plan *plan)
{
	static const uint64_t none_gone[(LB_NONE + 1) / 64];
	struct slots slots;

	if (bench_case->slots == ALL_SETTLED)
		return 0;
	if (slots_init(&slots, datapath_slots(datapath), plan->size))
		return -1;
	slots_change(&slots, plan->moved, none_gone, 0, TRANSITION_S);
	if (bench_case->slots == ALL_TRACKED)
		slots_expire(&slots, TRANSITION_S + 1);
	slots_clear(&slots);
	return 0;
}

/* --- members --- */

/* The constant part of an outer IPv4 header, as struct lb_member wants it summed. */
static uint32_t constant_sum(__be32 daddr)
{
	return htons(0x4500) + htons(0x4000) + htons(64 << 8) + (daddr & 0xffff) + (daddr >> 16);
}

void world_daddr(const struct bench_case *bench_case, uint32_t member, __be32 daddr[4])
{
	memset(daddr, 0, 4 * sizeof(*daddr));
	if (bench_case->outer6) {
		daddr[0] = htonl(0x20010db8);
		daddr[3] = htonl(member + 1);
	} else {
		daddr[0] = htonl(0x0ac80000 + member + 1);
	}
}

static void set_member(struct datapath *datapath, const struct bench_case *bench_case,
		       uint32_t number)
{
	struct lb_member member = {
		.flags = LB_MEMBER_VALID | LB_MEMBER_NEW | LB_MEMBER_OLD,
		.path = {HOP, HOP, HOP, HOP, HOP, HOP, HOP, HOP},
		.pool = number / bench_case->members,
	};

	world_daddr(bench_case, number, member.daddr);
	if (bench_case->outer6) {
		member.flags |= LB_MEMBER_OUTER6;
		member.saddr[0] = htonl(0x20010db8);
	} else {
		member.saddr[0] = htonl(0x0a000001);
		member.csum = constant_sum(member.daddr[0]);
	}
	if (bench_case->gue)
		member.flags |= LB_MEMBER_GUE;
	datapath_members(datapath)[number] = member;
}

/* --- VIPs --- */

struct lb_endpoint world_endpoint(const struct bench_case *bench_case, uint32_t vip)
{
	struct lb_endpoint endpoint = {
		.address.family = bench_case->family,
		.port = bench_case->any_port ? 0 : CASE_PORT,
		.protocol = bench_case->protocol,
		.host_bits = bench_case->prefix ? 8 : 0,
		.last_port = bench_case->range ? CASE_PORT + 100 : 0,
	};
	const bool ipv4 = bench_case->family == 4;
	uint8_t *bytes = endpoint.address.bytes, *last = bytes + (ipv4 ? 0 : 12);
	__be32 number;

	inet_pton(ipv4 ? AF_INET : AF_INET6, ipv4 ? "10.64.0.0" : "2001:db8:64::", bytes);
	memcpy(&number, last, sizeof(number));
	number = htonl(ntohl(number) + vip);
	memcpy(last, &number, sizeof(number));
	return endpoint;
}

static int set_vip(struct datapath *datapath, const struct bench_case *bench_case, uint32_t vip)
{
	const struct lb_endpoint endpoint = world_endpoint(bench_case, vip);
	const struct lb_endpoint address = {.address = endpoint.address,
					    .host_bits = endpoint.host_bits};
	const uint32_t pool = vip % bench_case->pools;
	const struct lb_vip_value only = {.number = vip, .flags = LB_VIP_ADDRESS_ONLY};
	const struct lb_vip_value value = {
		.number = vip,
		.slots_start = pool * bench_case->table,
		.slots_size = bench_case->table,
		.flags = (bench_case->by_source ? LB_VIP_HASH_SOURCE : 0) |
			 (bench_case->quic ? LB_VIP_QUIC : 0) |
			 (bench_case->prefixes || bench_case->cookies || bench_case->rate
				  ? LB_VIP_GUARDED
				  : 0),
	};
	struct lb_err err = {0};

	datapath_vip_pools(datapath)[vip] = lb_pools(pool, pool, pool);
	if (datapath_vip_set(datapath, &endpoint, &value, &err) ||
	    datapath_vip_set(datapath, &address, &only, &err)) {
		fail("VIP", err.message);
		return -1;
	}
	return 0;
}

/* The first VIP's, of rotation 0. */
static int set_server_ids(struct datapath *datapath, const struct bench_case *bench_case)
{
	const struct plane plane = datapath_plane(datapath);
	const struct quic_ids ids = {plane.quic_ids, plane.quic_lines};
	struct lb_quic_server_id id = {.length = CASE_QUIC_SERVER_ID_LENGTH};
	uint32_t i;

	plane.quic_vips[0] =
		CASE_QUIC_SERVER_ID_LENGTH | (bench_case->encrypted ? LB_QUIC_ENCRYPTED : 0);
	plane.quic_vip_keys[0] = 1;
	quic_aes_key(case_quic_key, &plane.quic_keys[1]);
	for (i = 0; i < bench_case->members; i++) {
		const __be32 number = htonl(i + 1);

		memcpy(id.bytes + 4, &number, sizeof(number));
		if (!quic_ids_set(&ids, 0, &id, i))
			return -1;
	}
	return 0;
}

/* The same for another prefix, with the slots of the first pool. */
static int set_beside(struct datapath *datapath, const struct bench_case *bench_case)
{
	struct bench_case prefix = *bench_case;

	prefix.prefix = true;
	return set_vip(datapath, &prefix, BESIDE);
}

/* /17 to /32, spread over addresses that no client has. */
static int make_list(struct guard_trie *trie, uint32_t prefixes)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < prefixes; i++) {
		struct guard_prefix prefix = {.family = 4};

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		prefix.length = state >> 60 ? 24 + (state >> 40) % 9 : 17 + (state >> 40) % 8;
		prefix.high = ((20ull + (state >> 32) % 160) << 24 | (state >> 8 & 0xffffff)) << 32;
		guard_prefix_trim(&prefix);
		if (guard_trie_add(trie, &prefix, 1) < 0)
			return -1;
	}
	return 0;
}

/* The first clients, and addresses of nobody, as live.sh has them. */
static int make_addresses(struct guard_trie *trie, uint32_t clients, uint32_t others)
{
	for (uint32_t i = 0; i < clients + others; i++) {
		const uint64_t address =
			i < clients ? 0xc6120000 + i : 0x14000000 + (i - clients) * 641;
		const struct guard_prefix prefix = {address << 32, 0, 4, 32};

		if (guard_trie_add(trie, &prefix, 1) < 0)
			return -1;
	}
	return 0;
}

static int put_list(struct datapath *datapath, const struct guard_trie *trie, uint32_t vips)
{
	static const uint64_t secret[4] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b,
					   0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1};
	const struct guard_sizes sizes = {guard_flat_needs(trie)};
	struct guard_flat flat = {0};
	struct guard_memory memory;
	int error = datapath_guard_load(datapath, &sizes, NULL);

	memory = datapath_guard_maps(datapath).lists;
	if (!error)
		error = guard_flat_fill(&flat, &memory, trie, 0, secret);
	if (!error)
		error = datapath_guard_enter(datapath, GUARD_LISTS, NULL);
	for (uint32_t i = 0; !error && i < vips; i++)
		datapath_guard_maps(datapath).vips[i] =
			(struct lb_guard_vip){.rules = LB_GUARD_LISTS, .lists = 1};
	guard_flat_clear(&flat);
	return error;
}

int world_list(struct datapath *datapath, uint32_t clients, uint32_t prefixes, uint32_t vips)
{
	struct guard_trie trie = {0};
	int error = clients ? make_addresses(&trie, clients, prefixes) : make_list(&trie, prefixes);

	if (!error)
		error = put_list(datapath, &trie, vips);
	guard_trie_clear(&trie);
	return error;
}

static int set_cookies(struct datapath *datapath, const struct bench_case *bench_case)
{
	const int error = datapath_guard_use(datapath, GUARD_SYN, NULL);
	const struct guard_maps maps = datapath_guard_maps(datapath);

	if (error)
		return error;
	memcpy(maps.secret->key[0], seed, sizeof(seed));
	maps.secret->now = lb_guard_now(0, 0, 1);
	for (uint32_t i = 0; i < bench_case->vips; i++)
		maps.vips[i] = (struct lb_guard_vip){.rules = LB_GUARD_SYN_ANSWER, .syn_mss = 1440};
	return 0;
}

/* Every flow has a source of its own. */
static int set_rates(struct datapath *datapath, const struct bench_case *bench_case)
{
	const struct lb_rate rule = {rate_price(bench_case->rate), {~0ull, 0}, LB_RATE_PACKETS, 0};
	const int error = datapath_rates_use(datapath, NULL);
	const struct guard_maps maps = datapath_guard_maps(datapath);

	for (uint32_t i = 0; !error && i < bench_case->vips; i++) {
		maps.rates[i].rule[0] = rule;
		maps.vips[i] = (struct lb_guard_vip){.rules = LB_GUARD_RATES};
	}
	return error;
}

static int fill(struct datapath *datapath, const struct bench_case *bench_case,
		const struct plan *plan, uint32_t egress)
{
	const struct lb_nexthop hop = {
		.dst_mac = {2, 0, 0, 0, 0, 1},
		.src_mac = {2, 0, 0, 0, 0, 2},
		.valid = 1,
		.ifindex = egress,
		.mtu = 1500,
	};
	uint32_t i;

	datapath_nexthops(datapath)[HOP] = hop;
	for (i = 0; i < bench_case->pools * bench_case->members; i++)
		set_member(datapath, bench_case, i);
	if (settle(datapath, bench_case, plan))
		return -1;
	for (i = 0; i < bench_case->vips; i++)
		if (set_vip(datapath, bench_case, i))
			return -1;
	if (bench_case->quic &&
	    (datapath_quic_use(datapath, NULL) || set_server_ids(datapath, bench_case)))
		return -1;
	if (bench_case->beside && set_beside(datapath, bench_case))
		return -1;
	if (bench_case->prefixes &&
	    world_list(datapath, bench_case->listed, bench_case->prefixes, bench_case->vips))
		return -1;
	if (bench_case->rate && set_rates(datapath, bench_case))
		return -1;
	if (bench_case->cookies && set_cookies(datapath, bench_case))
		return -1;
	datapath_tuning(datapath)->flow_idle = TRANSITION_S;
	return 0;
}

struct datapath *world_open(const struct bench_case *bench_case, const struct plan *plan,
			    uint32_t egress)
{
	/* One flow in a hundred is no reason for a larger table. */
	const bool recorded = bench_case->slots == ALL_MOVING || bench_case->slots == ALL_TRACKED;
	const struct datapath_options options = {
		.vip_counters = true,
		.vips = bench_case->beside ? 2 * BESIDE : bench_case->vips,
		.members = bench_case->pools * bench_case->members,
		.slots = bench_case->pools * bench_case->table,
		.flows = recorded && bench_case->flows > FLOWS_DEFAULT / WORDS_A_FLOW
				 ? bench_case->flows * WORDS_A_FLOW
				 : FLOWS_DEFAULT,
		.seed = {seed[0], seed[1]},
	};
	struct datapath *datapath = NULL;
	struct lb_err err = {0};

	if (datapath_open(&options, &datapath, &err))
		return fail(err.message, err.hint);
	if (!fill(datapath, bench_case, plan, egress))
		return datapath;
	datapath_close(datapath);
	return fail("out of memory", bench_case->name);
}

void world_forget(struct datapath *datapath)
{
	uint32_t count;
	struct lb_flow_bucket *buckets = datapath_flows(datapath, &count);

	memset(buckets, 0, count * sizeof(*buckets));
}
