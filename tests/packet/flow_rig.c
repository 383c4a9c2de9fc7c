// SPDX-License-Identifier: BSD-2-Clause
/* How does a test send the packets of many flows through the program, fast, and see who got them? */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../../bpf/flow_word.h"
#include "../../bpf/hash.h"
#include "../../lbd/plane/datapath.h"
#include "flow_rig.h"
#include "frame.h"
#include "harness.h"

#define LOOPBACK 1 /* where BPF_PROG_TEST_RUN has its frames come in */
#define HOP 1
#define HEADROOM_OUT 128 /* for what the program puts before a frame */

/* Where things lie in the frames of frame_build. */
#define SOURCE4 (ETH + 12)
#define SOURCE6 (ETH + 8 + 12) /* the last four bytes of it */
#define L4_4 (ETH + 20)
#define L4_6 (ETH + 40)
#define TCP_FLAGS 13
#define SCTP_CHUNK 12
#define FRAGMENT_ID (ETH + 4)
#define FRAGMENT_BITS (ETH + 6)
/* In the packet that an error quotes: the client's address and port. */
#define QUOTED4 (L4_4 + 8)
#define QUOTED_CLIENT4 (QUOTED4 + 16)
#define QUOTED_PORT4 (QUOTED4 + 20 + 2)
#define QUOTED6 (L4_6 + 8)
#define QUOTED_CLIENT6 (QUOTED6 + 24 + 12)
#define QUOTED_PORT6 (QUOTED6 + 40 + 2)

struct place {
	struct rig_vip vip;
	uint32_t slots_start; /* its own */
	uint32_t slots_at;    /* those that its packets go by */
	bool ipv6;
	struct frame frame; /* of client 0; the others' is patched */
	struct frame error; /* an ICMP error about it */
	struct flow flow;
};

static struct {
	struct datapath *datapath;
	struct place places[RIG_VIPS_MAX];
	size_t count;
	struct lb_flow_bucket *buckets;
	uint32_t bucket_count;
	uint64_t seed[2];
	uint64_t drops; /* for want of a backend, so far */
} rig;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "flow tests cannot run: %s: %s\n", what, why);
	return -1;
}

static void build_frame(struct place *place, const struct lb_endpoint *endpoint)
{
	const struct spec spec = {
		.family = place->ipv6 ? 6 : 4,
		.protocol = endpoint->protocol,
		.chunk = 3, /* SACK */
		.source = place->ipv6 ? "2001:db8:c::" : "198.18.0.0",
		.destination = place->vip.address,
		.dport = endpoint->port ? endpoint->port : 4433,
		.payload = 12,
	};

	const struct spec reply = {
		.family = spec.family,
		.protocol = spec.protocol,
		.source = spec.destination,
		.destination = spec.source,
		.sport = spec.dport,
	};
	const struct spec error = {
		.family = spec.family,
		.protocol = place->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.source = place->ipv6 ? "2001:db8:f::1" : "203.0.113.1",
		.destination = spec.destination,
		.icmp_type = place->ipv6 ? 2 : 3, /* too big, frag needed */
		.icmp_code = place->ipv6 ? 0 : 4,
		.quote = &reply,
		.quote_length = (place->ipv6 ? 40 : 20) + 8,
	};

	frame_build(&error, &place->error);
	frame_build(&spec, &place->frame);
	frame_flow(&place->frame, &place->flow);
}

static int set_vip(uint32_t number, uint32_t start)
{
	struct place *place = &rig.places[number];
	struct lb_endpoint endpoint;
	struct lb_err err = {0};
	struct lb_vip_value value = {.number = number,
				     .slots_start = start,
				     .slots_size = place->vip.size,
				     .flags = place->vip.flags};
	const struct lb_vip_value only = {.number = number, .flags = LB_VIP_ADDRESS_ONLY};
	struct lb_endpoint address;

	if (lb_endpoint_parse(place->vip.endpoint, &endpoint, &err))
		return fail(place->vip.endpoint, err.message);
	if (place->vip.sctp)
		endpoint.protocol = IPPROTO_SCTP;
	address = (struct lb_endpoint){.address = endpoint.address};
	if (datapath_vip_set(rig.datapath, &endpoint, &value, &err) ||
	    datapath_vip_set(rig.datapath, &address, &only, &err))
		return fail(place->vip.endpoint, err.message);
	place->slots_at = start;
	place->ipv6 = endpoint.address.family == 6;
	build_frame(place, &endpoint);
	return 0;
}

static int set_place(uint32_t number, uint32_t *start)
{
	struct place *place = &rig.places[number];

	place->slots_start = *start;
	*start += place->vip.size;
	if (!place->vip.endpoint)
		return 0;
	rig_pools_set(number, number, number, number);
	return set_vip(number, place->slots_start);
}

void rig_lead(uint32_t vip, uint32_t to)
{
	if (set_vip(vip, rig.places[to].slots_start))
		abort();
}

int rig_open(const struct rig_vip *vips, size_t count, uint32_t members, uint32_t flows,
	     const uint64_t seed[2])
{
	struct datapath_options options = {
		.vips = count, .members = members, .flows = flows, .seed = {seed[0], seed[1]}};
	const struct lb_nexthop hop = {.valid = 1, .ifindex = LOOPBACK, .mtu = 1500};
	struct lb_err err = {0};
	uint32_t start = 0;
	size_t i;

	rig.drops = 0;
	harness_pin();
	memcpy(rig.seed, seed, sizeof(rig.seed));
	for (i = 0; i < count; i++) {
		rig.places[i].vip = vips[i];
		options.slots += vips[i].size;
	}
	if (datapath_open(&options, &rig.datapath, &err))
		return fail(err.message, err.hint);
	rig.count = count;
	rig.buckets = datapath_flows(rig.datapath, &rig.bucket_count);
	datapath_nexthops(rig.datapath)[HOP] = hop;
	for (i = 0; i < count; i++)
		if (set_place(i, &start))
			return -1;
	rig_idle(LB_FLOW_TIME_MASK);
	return 0;
}

void rig_close(void)
{
	datapath_close(rig.datapath);
	rig.datapath = NULL;
}

void rig_pools_set(uint32_t vip, uint32_t now, uint32_t before, uint32_t earlier)
{
	datapath_vip_pools(rig.datapath)[vip] = lb_pools(now, before, earlier);
}

uint32_t *rig_slots(uint32_t vip)
{
	return datapath_slots(rig.datapath) + rig.places[vip].slots_start;
}

struct lb_flow_bucket *rig_buckets(uint32_t *count)
{
	*count = rig.bucket_count;
	return rig.buckets;
}

void rig_idle(uint32_t units)
{
	datapath_tuning(rig.datapath)->flow_idle = units;
}

/* --- members: every second backend is reached by IPv6 --- */

void rig_member_set(uint16_t number, uint32_t pool, uint32_t backend, uint32_t flags)
{
	struct lb_member member = {.path = {HOP, HOP, HOP, HOP, HOP, HOP, HOP, HOP},
				   .pool = pool,
				   .flags = LB_MEMBER_VALID | flags};
	const bool ipv6 = backend % 2;

	if (ipv6) {
		member.flags |= LB_MEMBER_OUTER6;
		member.daddr[0] = member.saddr[0] = htonl(0x20010db8);
		member.daddr[3] = htonl(backend);
	} else {
		member.saddr[0] = htonl(0x0a000001);
		member.daddr[0] = htonl(0x0b000000 | backend);
	}
	if (!flags)
		member.flags = 0;
	datapath_members(rig.datapath)[number] = member;
}

void rig_member_flags(uint16_t number, uint32_t flags)
{
	struct lb_member *member = &datapath_members(rig.datapath)[number];

	member->flags = (member->flags & ~(LB_MEMBER_NEW | LB_MEMBER_OLD)) | flags;
}

/* --- sending --- */

static void patch32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

/* The checksums of the inner packet are left as they were: the balancer does not look at them. */
static void patch_client(const struct place *place, const struct client *client, uint8_t tcp_flags,
			 uint8_t *bytes)
{
	uint8_t *l4 = bytes + (place->ipv6 ? L4_6 : L4_4);

	patch32(bytes + (place->ipv6 ? SOURCE6 : SOURCE4), 0xc6120000 + client->source);
	l4[0] = client->port >> 8;
	l4[1] = client->port & 0xff;
	if (place->vip.tcp)
		l4[TCP_FLAGS] = tcp_flags;
	if (place->vip.sctp && tcp_flags == RIG_SYN)
		l4[SCTP_CHUNK] = 1; /* INIT */
}

static void patch_error(const struct place *place, const struct client *client, uint8_t *bytes)
{
	uint8_t *port = bytes + (place->ipv6 ? QUOTED_PORT6 : QUOTED_PORT4);

	patch32(bytes + (place->ipv6 ? QUOTED_CLIENT6 : QUOTED_CLIENT4),
		0xc6120000 + client->source);
	port[0] = client->port >> 8;
	port[1] = client->port & 0xff;
}

static uint32_t backend_of(const uint8_t *bytes)
{
	const bool ipv6 = bytes[12] == 0x86;
	uint32_t last;

	memcpy(&last, bytes + ETH + (ipv6 ? 24 + 12 : 16), sizeof(last));
	return ipv6 ? ntohl(last) : ntohl(last) & 0xffffff;
}

static uint64_t drops_for_no_backend(void)
{
	uint64_t verdicts[LB_VERDICT_COUNT];

	datapath_verdicts(rig.datapath, verdicts);
	return verdicts[LB_DROP_NO_BACKEND];
}

#define SEND_MAX 256

static uint32_t send_frame(const uint8_t *in, size_t length)
{
	uint8_t out[SEND_MAX + HEADROOM_OUT];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in, .data_out = out,
		    .data_size_in = length, .data_size_out = sizeof(out), .repeat = 1);
	int error = bpf_prog_test_run_opts(datapath_program_fd(rig.datapath), &options);

	if (!error && options.retval == XDP_TX)
		return backend_of(out);
	if (!error && options.retval == XDP_DROP && drops_for_no_backend() == rig.drops + 1) {
		rig.drops++;
		return RIG_DROPPED;
	}
	fprintf(stderr, "a packet was neither sent nor dropped for want of a backend: %s, XDP %u\n",
		strerror(-error), options.retval);
	abort();
}

uint32_t rig_send(const struct client *client, uint8_t tcp_flags)
{
	const struct place *place = &rig.places[client->vip];
	uint8_t in[SEND_MAX];

	memcpy(in, place->frame.bytes, place->frame.length);
	patch_client(place, client, tcp_flags, in);
	return send_frame(in, place->frame.length);
}

uint32_t rig_send_error(const struct client *client)
{
	const struct place *place = &rig.places[client->vip];
	uint8_t in[SEND_MAX];

	memcpy(in, place->error.bytes, place->error.length);
	patch_error(place, client, in);
	return send_frame(in, place->error.length);
}

/* IPv4 alone. */
uint32_t rig_send_fragment(const struct client *client, bool later, uint16_t id)
{
	const struct place *place = &rig.places[client->vip];
	uint8_t in[SEND_MAX];

	memcpy(in, place->frame.bytes, place->frame.length);
	patch_client(place, client, RIG_ACK, in);
	in[FRAGMENT_ID] = id >> 8;
	in[FRAGMENT_ID + 1] = id & 0xff;
	in[FRAGMENT_BITS] = later ? 0 : 0x20;
	in[FRAGMENT_BITS + 1] = later ? 9 : 0;
	return send_frame(in, place->frame.length);
}

/* --- where it looks --- */

static uint64_t hash_by(enum policy policy, const struct client *client)
{
	const struct place *place = &rig.places[client->vip];
	struct flow flow = place->flow;

	patch32(flow.source + (place->ipv6 ? 12 : 0), 0xc6120000 + client->source);
	flow.sport = client->port;
	return flow_hash_by(policy, &flow, rig.seed);
}

uint64_t rig_hash(const struct client *client)
{
	const uint32_t flags = rig.places[client->vip].vip.flags;

	return hash_by(flags & LB_VIP_HASH_SOURCE        ? BY_SOURCE
		       : flags & LB_VIP_HASH_SOURCE_PORT ? BY_SOURCE_PORT
							 : BY_TUPLE,
		       client);
}

uint64_t rig_flow_hash(const struct client *client)
{
	return hash_by(BY_TUPLE, client);
}

uint32_t rig_tag(const struct client *client)
{
	const struct rig_vip *vip = &rig.places[client->vip].vip;
	const uint64_t own = rig_flow_hash(client);

	if (!vip->flags)
		return own >> 34;
	return lb_hash_tag_within(flow_slot(rig_hash(client), vip->size), vip->size, own);
}

uint32_t *rig_slot(uint64_t hash, uint32_t vip)
{
	return datapath_slots(rig.datapath) + rig.places[vip].slots_at +
	       flow_slot(hash, rig.places[vip].vip.size);
}

struct lb_flow_bucket *rig_bucket(uint64_t hash)
{
	return &rig.buckets[hash % rig.bucket_count];
}

int rig_way(const struct lb_flow_bucket *bucket, uint32_t tag)
{
	int way;

	for (way = 0; way < LB_FLOW_WAYS; way++)
		if (bucket->word[way] && flow_word_tag(bucket->word[way]) == tag)
			return way;
	return -1;
}

void rig_counts(uint64_t out[LB_FLOW_COUNT_COUNT])
{
	if (datapath_flow_counts(rig.datapath, out)) {
		fprintf(stderr, "flow_counts cannot be read\n");
		abort();
	}
}

const char *rig_count_name(unsigned int which)
{
#define COUNT_NAME(id, name, meaning) name,
	static const char *const names[] = {LB_FLOW_COUNT_LIST(COUNT_NAME)};
#undef COUNT_NAME

	return names[which];
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint32_t rig_time(void)
{
	return (now_ns() >> LB_FLOW_TIME_SHIFT) & LB_FLOW_TIME_MASK;
}

void rig_await_time_unit(void)
{
	const uint64_t unit_ns = 1ull << LB_FLOW_TIME_SHIFT, room_ns = unit_ns / 2;

	while (unit_ns - now_ns() % unit_ns < room_ns)
		usleep(10000);
}
