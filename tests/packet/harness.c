// SPDX-License-Identifier: BSD-2-Clause
/* How does a test run one frame through the XDP program and see everything that came of it? */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "../../lbd/plane/datapath.h"
#include "../../lbd/plane/guard.h"
#include "harness.h"

#define LOOPBACK 1 /* where BPF_PROG_TEST_RUN has its frames come in */
#define EGRESS "lbtest0"
#define METADATA_MAX 256
#define FLOWS 1024 /* few, so that records meet */

const uint64_t harness_seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* Built from that of a UDP endpoint: this test is not about text. */
#define SCTP(address) address ":5060/udp"

static const struct {
	const char *endpoint;
	uint32_t size; /* different ones, so that a look-up in the wrong VIP goes astray */
	uint32_t flags;
} vips[VIP_COUNT] = {
	[WEB4] = {"192.0.2.10:443/tcp", 65537},
	[DNS4] = {"192.0.2.10:53/udp", 251},
	[DNS_TCP4] = {"192.0.2.10:53/tcp", 257},
	[EVERY4] = {"192.0.2.11:0/tcp", 509},
	[EVERYUDP4] = {"192.0.2.11:0/udp", 521},
	[ONE4] = {"192.0.2.11:80/tcp", 1021},
	[QUIC4] = {"192.0.2.12:443/udp", 2039},
	[WEB6] = {"[2001:db8::10]:443/tcp", 65537},
	[DNS6] = {"[2001:db8::10]:53/udp", 251},
	[DNS_TCP6] = {"[2001:db8::10]:53/tcp", 257},
	[EVERY6] = {"[2001:db8::11]:0/tcp", 509},
	[EVERYUDP6] = {"[2001:db8::11]:0/udp", 521},
	[ONE6] = {"[2001:db8::11]:80/tcp", 1021},
	[QUIC6] = {"[2001:db8::12]:443/udp", 2039},
	[SCTP4] = {SCTP("192.0.2.13"), 263},
	[SCTP6] = {SCTP("[2001:db8::13]"), 263},
	[SOURCE4] = {"192.0.2.14:0/tcp", 307, LB_VIP_HASH_SOURCE},
	[SOURCE6] = {"[2001:db8::14]:0/tcp", 307, LB_VIP_HASH_SOURCE},
	[PORT4] = {"192.0.2.15:0/tcp", 311, LB_VIP_HASH_SOURCE_PORT},
	[PORT6] = {"[2001:db8::15]:0/tcp", 311, LB_VIP_HASH_SOURCE_PORT},
	[TUPLE4] = {"192.0.2.16:53/udp", 313, LB_VIP_FRAGMENTS_3TUPLE},
	[TUPLE6] = {"[2001:db8::16]:53/udp", 313, LB_VIP_FRAGMENTS_3TUPLE},
	[REFUSE4] = {"192.0.2.17:53/udp", 317, LB_VIP_FRAGMENTS_DROP},
	[REFUSE6] = {"[2001:db8::17]:53/udp", 317, LB_VIP_FRAGMENTS_DROP},
	[ALL4] = {"192.0.2.18:0/udp", 331, LB_VIP_FRAGMENTS_3TUPLE},
	[ALL6] = {"[2001:db8::18]:0/udp", 331, LB_VIP_FRAGMENTS_3TUPLE},
	[NONE4] = {"192.0.2.19:0/udp", 337, LB_VIP_FRAGMENTS_DROP},
	[NONE6] = {"[2001:db8::19]:0/udp", 337, LB_VIP_FRAGMENTS_DROP},
};

enum nexthop_index {
	HOP_NONE,
	HOP_BACK,
	HOP_AWAY,
	HOP_LOST,
	HOP_DEAF,
	HOP_BIG,
	HOP_TAG,
	HOP_SERVICE_TAG,
	HOP_TAG_AWAY,
	HOP_NARROW,
	HOP_TINY,
	HOP_POINT,
	HOP_PATH /* eight of them */
};
#define HOP_BEYOND 5000 /* more than there are */

#define SOURCE4 "10.1.0.1"
#define PREFIX4 "10.2.0.0"
#define SOURCE6 "2001:db8:1::1"
#define PREFIX6 "2001:db8:2::"
#define PREFIX7 "2001:db8:3::1:5:80"

static const struct {
	uint8_t family;
	const char *source, *destination;
	uint32_t source_mask;
	uint32_t nexthop;
	bool gue;
} members[MEMBER_COUNT] = {
	[DECOY] = {4, SOURCE4, "10.0.0.100", 0, HOP_BACK},
	[TO4] = {4, SOURCE4, "10.0.0.1", 0, HOP_BACK},
	[TO4_PREFIX] = {4, PREFIX4, "10.0.0.2", 0x0000ffff, HOP_BACK},
	[TO6] = {6, SOURCE6, "2001:db8:b::3", 0, HOP_BACK},
	[TO6_PREFIX] = {6, PREFIX6, "2001:db8:b::4", 0xffffffff, HOP_BACK},
	[TO6_PREFIX7] = {6, PREFIX7, "2001:db8:b::5", 0x0000007f, HOP_BACK},
	[AWAY4] = {4, SOURCE4, "10.250.38.195", 0, HOP_AWAY},
	[AWAY6] = {6, SOURCE6, "2001:db8:b::7", 0, HOP_AWAY},
	[BIG4] = {4, SOURCE4, "10.0.0.8", 0, HOP_BIG},
	[BIG6] = {6, SOURCE6, "2001:db8:b::9", 0, HOP_BIG},
	[LOST4] = {4, SOURCE4, "10.0.0.10", 0, HOP_LOST},
	[NO_ROUTE4] = {4, SOURCE4, "10.0.0.11", 0, HOP_NONE},
	[NO_NEIGHBOUR4] = {4, SOURCE4, "10.0.0.12", 0, HOP_DEAF},
	[GONE4] = {4, SOURCE4, "10.0.0.13", 0, HOP_BACK},
	[STRAY4] = {4, SOURCE4, "10.0.0.14", 0, HOP_BEYOND},
	[GUE4] = {4, SOURCE4, "10.0.0.15", 0, HOP_BACK, true},
	[GUE6] = {6, SOURCE6, "2001:db8:b::10", 0, HOP_BACK, true},
	[GUE4_PREFIX] = {4, PREFIX4, "10.0.0.17", 0x0000ffff, HOP_BACK, true},
	[GUE_AWAY6] = {6, SOURCE6, "2001:db8:b::12", 0, HOP_AWAY, true},
	[TAG4] = {4, SOURCE4, "10.0.0.19", 0, HOP_TAG},
	[TAG6] = {6, SOURCE6, "2001:db8:b::14", 0, HOP_SERVICE_TAG},
	[TAG_GUE4] = {4, SOURCE4, "10.0.0.21", 0, HOP_TAG, true},
	[TAG_GUE6] = {6, PREFIX6, "2001:db8:b::16", 0xffffffff, HOP_SERVICE_TAG, true},
	[TAG_AWAY4] = {4, SOURCE4, "10.0.0.23", 0, HOP_TAG_AWAY},
	[NARROW4] = {4, SOURCE4, "10.0.0.24", 0, HOP_NARROW},
	[NARROW_GUE6] = {6, SOURCE6, "2001:db8:b::19", 0, HOP_NARROW, true},
	[TINY4] = {4, SOURCE4, "10.0.0.26", 0, HOP_TINY},
	[POINT4] = {4, SOURCE4, "10.0.0.27", 0, HOP_POINT},
	[SPREAD4] = {4, SOURCE4, "10.0.0.28", 0, HOP_PATH},
};

/* Tags of next hops; no protocol: none. */
static const struct {
	uint16_t protocol, tci;
} tags[HOP_PATH + LB_MEMBER_PATHS] = {
	[HOP_TAG] = {0x8100, 0x0005},
	[HOP_SERVICE_TAG] = {0x88a8, 0x6ffe},
	[HOP_TAG_AWAY] = {0x8100, 0x0123},
};

static struct datapath *datapath;
static uint32_t answer_rate, vips_limit = VIP_COUNT;
static struct lb_endpoint endpoints[VIP_COUNT];
static struct lb_vip_value values[VIP_COUNT];
static const uint8_t hop_mac[6] = {0x06, 0xb0, 0xb1, 0xb2, 0xb3, 0}; /* the last byte: which hop */
static const uint8_t own_mac[6] = {0x06, 0xa0, 0xa1, 0xa2, 0xa3, 0};

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "packet tests cannot run: %s: %s\n", what, why);
	return -1;
}

static int make_namespace(uint32_t *egress)
{
	if (unshare(CLONE_NEWNET))
		return fail("new network namespace (needs root)", strerror(errno));
	if (system("ip link add " EGRESS " mtu 9000 type veth peer name lbtest1 mtu 9000"))
		return fail("veth pair", "\"ip link add\" failed");
	*egress = if_nametoindex(EGRESS);
	return *egress ? 0 : fail(EGRESS, strerror(errno));
}

static int set_vip(const struct lb_endpoint *endpoint, const struct lb_vip_value *value)
{
	struct lb_err err = {0};

	return datapath_vip_set(datapath, endpoint, value, &err) ? fail("VIP", err.message) : 0;
}

/* The entry, the address-only one, and one for the fragments of a VIP by 3-tuple. */
static int set_entries(int i)
{
	const struct lb_vip_value only = {.number = i, .flags = LB_VIP_ADDRESS_ONLY};
	struct lb_endpoint address = {.address = endpoints[i].address};
	struct lb_vip_value fragments = values[i];

	if (set_vip(&endpoints[i], &values[i]) || set_vip(&address, &only))
		return -1;
	if (!(vips[i].flags & LB_VIP_FRAGMENTS_3TUPLE) || !endpoints[i].port)
		return 0;
	address.protocol = endpoints[i].protocol;
	fragments.flags |= LB_VIP_FRAGMENTS_ONLY;
	return set_vip(&address, &fragments);
}

static int set_vips(void)
{
	uint32_t start = 0;
	struct lb_err err = {0};
	int i;

	for (i = 1; i < VIP_COUNT; i++) {
		if (lb_endpoint_parse(vips[i].endpoint, &endpoints[i], &err))
			return fail(vips[i].endpoint, err.message);
		if (i == SCTP4 || i == SCTP6)
			endpoints[i].protocol = IPPROTO_SCTP;
		values[i] = (struct lb_vip_value){.number = i,
						  .slots_start = start,
						  .slots_size = vips[i].size,
						  .flags = vips[i].flags};
		start += vips[i].size;
		if (set_entries(i))
			return -1;
	}
	return 0;
}

static void set_nexthop(uint32_t number, uint32_t ifindex, uint32_t mtu, bool valid)
{
	struct lb_nexthop hop = {
		.valid = valid,
		.ifindex = ifindex,
		.mtu = mtu,
		.vlan = tags[number].tci,
		.vlan_protocol = htons(tags[number].protocol),
	};

	memcpy(hop.dst_mac, hop_mac, 5);
	memcpy(hop.src_mac, own_mac, 5);
	hop.dst_mac[5] = hop.src_mac[5] = number;
	datapath_nexthops(datapath)[number] = hop;
}

static void set_nexthops(uint32_t egress)
{
	uint32_t i;

	set_nexthop(HOP_BACK, LOOPBACK, MTU, true);
	set_nexthop(HOP_AWAY, egress, MTU, true);
	set_nexthop(HOP_LOST, egress + 1000, MTU, true);
	set_nexthop(HOP_DEAF, LOOPBACK, MTU, false);
	set_nexthop(HOP_BIG, LOOPBACK, MTU_BIG, true);
	set_nexthop(HOP_TAG, LOOPBACK, MTU, true);
	set_nexthop(HOP_SERVICE_TAG, LOOPBACK, MTU, true);
	set_nexthop(HOP_TAG_AWAY, egress, MTU, true);
	set_nexthop(HOP_NARROW, LOOPBACK, MTU_NARROW, true);
	set_nexthop(HOP_TINY, LOOPBACK, MTU_TINY, true);
	set_nexthop(HOP_POINT, LOOPBACK, MTU_POINT, true);
	for (i = 0; i < LB_MEMBER_PATHS; i++)
		set_nexthop(HOP_PATH + i, LOOPBACK, MTU, true);
}

/* The constant part of an outer IPv4 header, as struct lb_member wants it summed. */
static uint32_t constant_sum(__be32 daddr)
{
	uint8_t header[20] = {[0] = 0x45, [6] = 0x40, [8] = 64};
	uint32_t sum = 0;
	uint16_t word;
	size_t i;

	memcpy(header + 16, &daddr, sizeof(daddr));
	for (i = 0; i < sizeof(header); i += 2) {
		memcpy(&word, header + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static void set_member(uint32_t number)
{
	const int family = members[number].family == 4 ? AF_INET : AF_INET6;
	struct lb_member member = {
		.flags = LB_MEMBER_NEW | LB_MEMBER_OLD,
		.saddr_mask = htonl(members[number].source_mask),
	};
	unsigned int i;

	for (i = 0; i < LB_MEMBER_PATHS; i++)
		member.path[i] = members[number].nexthop + (number == SPREAD4 ? i : 0);

	if (number != GONE4)
		member.flags |= LB_MEMBER_VALID;
	if (family == AF_INET6)
		member.flags |= LB_MEMBER_OUTER6;
	if (members[number].gue)
		member.flags |= LB_MEMBER_GUE;
	inet_pton(family, members[number].source, member.saddr);
	inet_pton(family, members[number].destination, member.daddr);
	if (family == AF_INET)
		member.csum = constant_sum(member.daddr[0]);
	datapath_members(datapath)[number] = member;
}

int harness_open(void)
{
	struct datapath_options options = {
		.vips = vips_limit,
		.members = MEMBER_COUNT,
		.flows = FLOWS,
		.vip_counters = true,
		.answer_rate = answer_rate,
	};
	struct lb_err err = {0};
	uint32_t egress = 0;
	int i;

	memcpy(options.seed, harness_seed, sizeof(options.seed));
	for (i = 0; i < VIP_COUNT; i++)
		options.slots += vips[i].size;
	if (make_namespace(&egress))
		return -1;
	if (datapath_open(&options, &datapath, &err))
		return fail(err.message, err.hint);
	if (set_vips())
		return -1;
	set_nexthops(egress);
	for (i = 0; i < MEMBER_COUNT; i++)
		set_member(i);
	harness_slots_decoy();
	if (datapath_egress_set(datapath, egress, true))
		return fail("device map", strerror(errno));
	return 0;
}

void harness_pin(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fail("sched_setaffinity", strerror(errno));
}

int harness_open_many(uint32_t limit)
{
	vips_limit = limit;
	harness_pin();
	return harness_open();
}

int harness_open_answering(uint32_t rate)
{
	harness_pin();
	answer_rate = rate;
	return harness_open();
}

int harness_attach(void)
{
	struct datapath_attachment attachment;
	struct lb_err err = {0};

	if (datapath_attach(datapath, EGRESS, XDP_MODE_NATIVE, &attachment, &err))
		return fail(EGRESS, err.message);
	return 0;
}

void harness_close(void)
{
	datapath_close(datapath);
	datapath = NULL;
}

struct datapath *harness_datapath(void)
{
	return datapath;
}

int harness_set_up(void **state)
{
	(void)state;
	return harness_open();
}

int harness_tear_down(void **state)
{
	(void)state;
	harness_close();
	return 0;
}

/* --- VIPs and slots --- */

uint32_t harness_vip_size(enum vip_index vip)
{
	return vips[vip].size;
}

bool harness_is_vip_address(const struct flow *flow)
{
	int i;

	for (i = 1; i < VIP_COUNT; i++) {
		const struct lb_addr *own = &endpoints[i].address;

		if (own->family == flow->family && !memcmp(own->bytes, flow->destination, 16))
			return true;
	}
	return false;
}

enum vip_index harness_vip_of(const struct flow *flow)
{
	enum vip_index every = NO_VIP;
	int i;

	for (i = 1; i < VIP_COUNT; i++) {
		const struct lb_endpoint *own = &endpoints[i];

		if (own->protocol != flow->protocol || own->address.family != flow->family ||
		    memcmp(own->address.bytes, flow->destination, 16))
			continue;
		if (own->port == flow->dport)
			return i;
		if (!own->port)
			every = i;
	}
	return every;
}

uint32_t harness_vip_flags(enum vip_index vip)
{
	return vips[vip].flags;
}

int harness_vip_flag(enum vip_index vip, const char *endpoint, uint32_t flags)
{
	struct lb_vip_value value = {.number = vip, .slots_size = vips[vip].size};
	struct lb_endpoint at;

	for (enum vip_index i = 1; i < vip; i++)
		value.slots_start += vips[i].size;
	value.flags = vips[vip].flags | flags;
	return lb_endpoint_parse(endpoint, &at, NULL)
		       ? -EINVAL
		       : datapath_vip_set(datapath, &at, &value, NULL);
}

int harness_vip_guard(enum vip_index vip, const char *endpoint, const struct lb_guard_vip *rules)
{
	datapath_guard_maps(datapath).vips[vip] = *rules;
	return harness_vip_flag(vip, endpoint, LB_VIP_GUARDED);
}

enum vip_index harness_vip_of_fragments(const struct flow *flow)
{
	int i;

	for (i = 1; i < VIP_COUNT; i++) {
		const struct lb_endpoint *own = &endpoints[i];

		if (own->protocol == flow->protocol && own->address.family == flow->family &&
		    !memcmp(own->address.bytes, flow->destination, 16) &&
		    vips[i].flags & LB_VIP_FRAGMENTS_3TUPLE)
			return i;
	}
	return NO_VIP;
}

uint64_t harness_hash(enum vip_index vip, const struct flow *flow)
{
	struct flow hashed = *flow;

	if (flow->fragment && vips[vip].flags & LB_VIP_FRAGMENTS_3TUPLE)
		hashed.sport = hashed.dport = 0;
	if (vips[vip].flags & LB_VIP_HASH_SOURCE)
		return flow_hash_by(BY_SOURCE, &hashed, harness_seed);
	if (vips[vip].flags & LB_VIP_HASH_SOURCE_PORT)
		return flow_hash_by(BY_SOURCE_PORT, &hashed, harness_seed);
	return flow_hash(&hashed, harness_seed);
}

uint32_t harness_slot(enum vip_index vip, const struct flow *flow)
{
	return flow_slot(harness_hash(vip, flow), vips[vip].size);
}

void harness_slot_set(enum vip_index vip, uint32_t slot, uint16_t member)
{
	datapath_slots(datapath)[values[vip].slots_start + slot] = lb_slot_settled(member);
}

uint16_t harness_slot_get(enum vip_index vip, uint32_t slot)
{
	return lb_slot_current(datapath_slots(datapath)[values[vip].slots_start + slot]);
}

void harness_slots_decoy(void)
{
	uint32_t slot;
	int i;

	for (i = 1; i < VIP_COUNT; i++) {
		for (slot = 0; slot < vips[i].size; slot++)
			harness_slot_set(i, slot, DECOY);
	}
}

void harness_wrap(const struct frame *in, enum member_index member, uint64_t hash,
		  struct frame *out)
{
	struct wrap wrap = {
		.family = members[member].family,
		.source = members[member].source,
		.destination = members[member].destination,
		.source_mask = members[member].source_mask,
		.gue = members[member].gue,
		.vlan_protocol = tags[members[member].nexthop % (HOP_PATH + 1)].protocol,
		.tci = tags[members[member].nexthop % (HOP_PATH + 1)].tci,
	};
	const uint32_t path = member == SPREAD4 ? hash % LB_MEMBER_PATHS : 0;

	memcpy(wrap.dst_mac, hop_mac, 5);
	memcpy(wrap.src_mac, own_mac, 5);
	wrap.dst_mac[5] = wrap.src_mac[5] = members[member].nexthop + path;
	frame_wrap(in, &wrap, hash, out);
}

int harness_member_action(uint16_t member, size_t ip_length)
{
	size_t outer_length;

	if (member == NOBODY || member == GONE4)
		return XDP_DROP;
	outer_length =
		ip_length + (members[member].family == 4 ? 20 : 40) + (members[member].gue ? 8 : 0);
	switch (members[member].nexthop) {
	case HOP_BACK:
	case HOP_TAG:
	case HOP_SERVICE_TAG:
	case HOP_PATH:
		return outer_length > MTU ? XDP_DROP : XDP_TX;
	case HOP_AWAY:
	case HOP_TAG_AWAY:
		return outer_length > MTU ? XDP_DROP : XDP_REDIRECT;
	case HOP_BIG:
		return outer_length > MTU_BIG ? XDP_DROP : XDP_TX;
	case HOP_NARROW:
		return outer_length > MTU_NARROW ? XDP_DROP : XDP_TX;
	case HOP_TINY:
		return outer_length > MTU_TINY ? XDP_DROP : XDP_TX;
	case HOP_POINT:
		return outer_length > MTU_POINT ? XDP_DROP : XDP_TX;
	}
	return XDP_DROP;
}

/* --- running --- */

static int first_buffer = -1;

void harness_first_buffer(int bytes)
{
	first_buffer = bytes;
}

int harness_run(const struct frame *in, unsigned int metadata, struct frame *out)
{
	static uint8_t before[METADATA_MAX + FRAME_MAX], after[METADATA_MAX + FRAME_MAX];
	struct xdp_md context = {.data = metadata, .data_end = metadata + in->length};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = before, .data_out = after,
		    .data_size_in = metadata + in->length, .data_size_out = sizeof(after),
		    .repeat = 1);
	int error;

	memset(before, 0x5a, metadata);
	memcpy(before + metadata, in->bytes, in->length);
	if (first_buffer >= 0 && (size_t)first_buffer < in->length)
		context.data_end = metadata + first_buffer;
	if (metadata || first_buffer >= 0) {
		options.ctx_in = &context;
		options.ctx_size_in = sizeof(context);
	}
	error = bpf_prog_test_run_opts(datapath_program_fd(datapath), &options);
	if (error)
		return error;
	out->length = 0;
	if (memcmp(after, before, metadata))
		return -EILSEQ; /* the metadata must travel with the frame */
	frame_append(out, after + metadata, options.data_size_out - metadata);
	return options.retval;
}

int harness_map_fd(const char *name)
{
	uint32_t ids[64], length, i;
	struct bpf_prog_info program = {.nr_map_ids = 64, .map_ids = (uintptr_t)ids};

	length = sizeof(program);
	if (bpf_obj_get_info_by_fd(datapath_program_fd(datapath), &program, &length))
		return -errno;
	for (i = 0; i < program.nr_map_ids && i < 64; i++) {
		struct bpf_map_info map = {0};
		int fd = bpf_map_get_fd_by_id(ids[i]);

		length = sizeof(map);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &length) &&
		    !strncmp(map.name, name, sizeof(map.name) - 1))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

void harness_limits_set(uint64_t time_ns, uint64_t tokens)
{
	static struct lb_limit_state cpus[1024];
	static int fd = -1;
	uint32_t kind, i;

	if (fd < 0)
		fd = harness_map_fd("limits");
	for (i = 0; i < 1024; i++)
		cpus[i] = (struct lb_limit_state){time_ns, tokens};
	for (kind = 0; kind < LB_LIMIT_COUNT; kind++) {
		if (bpf_map_update_elem(fd, &kind, cpus, BPF_ANY)) {
			fail("map limits", strerror(errno));
			abort();
		}
	}
}

void harness_age_fragments(uint32_t units)
{
	struct lb_fragment_key key, next;
	struct lb_fragment record;
	int fd = harness_map_fd("fragments"), more = bpf_map_get_next_key(fd, NULL, &key);

	for (; !more; key = next) {
		more = bpf_map_get_next_key(fd, &key, &next);
		bpf_map_lookup_elem(fd, &key, &record);
		record.time = (record.time - units) & 0x7fff; /* wraps as flow words do */
		if (units)
			bpf_map_update_elem(fd, &key, &record, BPF_EXIST);
		else
			bpf_map_delete_elem(fd, &key);
	}
	close(fd);
}

void harness_counts(struct counts *counts)
{
	uint32_t i;

	datapath_verdicts(datapath, counts->verdict);
	datapath_counters(datapath, 0, MEMBER_COUNT, counts->member);
	for (i = 0; i < VIP_COUNT; i++)
		datapath_vip_counters(datapath, i, &counts->vip[i]);
}

/* --- verdicts --- */

enum { PASS, FORWARD, ANSWER, DROP };

static const struct {
	const char *name;
	int action;
} verdicts[] = {
#define DESCRIBE(id, verdict, kind, meaning) [LB_##id] = {verdict, kind},
	LB_VERDICT_LIST(DESCRIBE)
#undef DESCRIBE
};

const char *harness_verdict_name(unsigned int verdict)
{
	return verdict < LB_VERDICT_COUNT ? verdicts[verdict].name : "?";
}

int harness_verdict_action(unsigned int verdict)
{
	switch (verdicts[verdict].action) {
	case PASS:
		return XDP_PASS;
	case FORWARD:
		return verdict == LB_TX ? XDP_TX : XDP_REDIRECT;
	case ANSWER:
		return XDP_TX;
	}
	return XDP_DROP;
}
