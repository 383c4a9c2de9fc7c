// SPDX-License-Identifier: BSD-2-Clause
/* Does an explanation of a frame say what the program then does with it, and leave no trace?
 *
 * 5,000 random frames of every kind: a third of the slots are SETTLED, the others MOVING or
 * TRACKED, some without an owner; flows come again, with records that fill up, and fragments follow
 * each other. VIPs are addresses and prefixes, some with QUIC, lists or the SYN guard, and share pools.
 * Each frame is explained first and then run. `explain_test SEED FRAMES` makes it longer; with the seed
 * 0 that is the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../bpf/flow_word.h"
#include "../../lbd/plane/explain.h"
#include "explain_world.h"
#include "harness.h"
#include "random_frame.h"

#define FRAMES 5000
#define WORLD_FRAMES 500 /* then slots, members and the VIP that they are of are others */
#define WATCH_FRAMES 40  /* so often all maps are compared */
#define VALUE_MAX 8192   /* of a map, of all CPUs */

static uint64_t frames = FRAMES, seed;

/* --- everything in all maps --- */

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t size)
{
	while (size--)
		hash = (hash ^ *bytes++) * 0x100000001b3; /* FNV-1a */
	return hash;
}

/* As memory, which a look-up of each entry would take minutes for. */
static uint64_t hash_mapped(int fd, const struct bpf_map_info *map)
{
	const size_t bytes = (map->value_size + 7) / 8 * 8ul * map->max_entries;
	const uint64_t *words = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t hash = 0xcbf29ce484222325;

	assert_ptr_not_equal(words, MAP_FAILED);
	for (size_t i = 0; i < bytes / 8; i++)
		hash = (hash ^ words[i]) * 0x100000001b3;
	munmap((void *)words, bytes);
	return hash;
}

/* All entries together, in whatever order they are. */
static uint64_t hash_map(int fd, const struct bpf_map_info *map)
{
	static uint8_t value[VALUE_MAX];
	const bool percpu = map->type == BPF_MAP_TYPE_PERCPU_ARRAY;
	const size_t size = percpu ? ((map->value_size + 7) & ~7ul) * libbpf_num_possible_cpus()
				   : map->value_size;
	uint8_t key[64], *from = NULL;
	uint64_t sum = 0;

	if (map->map_flags & BPF_F_MMAPABLE)
		return hash_mapped(fd, map);
	assert_true(size <= sizeof(value) && map->key_size <= sizeof(key));
	while (!bpf_map_get_next_key(fd, from, key)) {
		from = key;
		memset(value, 0, size);
		bpf_map_lookup_elem(fd, key, value);
		sum += hash_bytes(hash_bytes(0xcbf29ce484222325, key, map->key_size), value, size);
	}
	return sum;
}

#define MAPS_MAX 64

struct dump {
	uint32_t count;
	struct {
		char name[BPF_OBJ_NAME_LEN];
		uint64_t hash;
	} map[MAPS_MAX];
};

static void dump_maps(struct dump *dump)
{
	uint32_t ids[MAPS_MAX], length = sizeof(struct bpf_prog_info), i;
	struct bpf_prog_info program = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};

	assert_false(
		bpf_obj_get_info_by_fd(datapath_program_fd(harness_datapath()), &program, &length));
	assert_in_range(program.nr_map_ids, 15, MAPS_MAX);
	dump->count = program.nr_map_ids;
	for (i = 0; i < dump->count; i++) {
		struct bpf_map_info map = {0};
		int fd = bpf_map_get_fd_by_id(ids[i]);

		length = sizeof(map);
		assert_false(bpf_obj_get_info_by_fd(fd, &map, &length));
		memcpy(dump->map[i].name, map.name, sizeof(map.name));
		/* Headers that are being put together are nobody's. */
		dump->map[i].hash = strcmp(map.name, "scratch") ? hash_map(fd, &map) : 0;
		close(fd);
	}
}

static void assert_same_maps(const struct dump *before, const struct dump *after)
{
	uint32_t i;

	for (i = 0; i < before->count; i++)
		if (before->map[i].hash != after->map[i].hash)
			fail_msg("map %s was written to", before->map[i].name);
}

/* --- one frame --- */

static uint64_t told[LB_VERDICT_COUNT], hits, writes, lists, cut, quic[2], prefixes;

static bool is_forwarded(uint32_t verdict)
{
	return verdict == LB_TX || verdict == LB_REDIRECT;
}

/* The verdict that was counted since `before`. */
static uint32_t counted(const struct counts *before, const struct counts *after)
{
	uint32_t i = 0;

	while (i < LB_VERDICT_COUNT && before->verdict[i] == after->verdict[i])
		i++;
	return i;
}

/* Who has the flow by this word: its time and grade may be those of a moment later. */
static uint64_t holder(uint64_t word)
{
	return word >> LB_FLOW_MEMBER_SHIFT;
}

/* The word of the flow in the balancer's own table. */
static uint64_t record_of(const struct lb_explained *way)
{
	uint32_t count, i;
	struct lb_flow_bucket *buckets = datapath_flows(harness_datapath(), &count);

	for (i = 0; i < LB_FLOW_WAYS; i++) {
		uint64_t word = buckets[way->bucket & (count - 1)].word[i];

		if (word && flow_word_tag(word) == way->tag)
			return word;
	}
	return 0;
}

/* What stands around the packet, in the frame that was sent, is as long as explained, and lists whom
 * the explanation does. `gue.h` has the layout. */
static bool outer_agrees(const struct frame *out, const struct explained *said)
{
	const uint8_t *ip = out->bytes + ETH_HLEN + (said->nexthop.vlan ? 4 : 0);
	const bool ipv6 = ip[0] >> 4 == 6;
	const uint8_t *list = ip + (ipv6 ? 40 : 20) + 8;
	const uint32_t length = ipv6 ? 40 + (ip[4] << 8 | ip[5]) : ip[2] << 8 | ip[3];
	const bool gue = ip[ipv6 ? 6 : 9] == IPPROTO_UDP;
	const uint32_t count = gue && !(list[0] >> 4) ? list[7] : 0;

	if (length != said->way.packet.length + explained_outer_bytes(said)) {
		fprintf(stderr, "%u bytes of outer headers, explained as %u\n",
			length - said->way.packet.length, explained_outer_bytes(said));
		return false;
	}
	lists += count != 0;
	cut += said->way.hops < said->way.hops_listed;
	if (count != said->way.hops ||
	    memcmp(said->member.daddr, ip + (ipv6 ? 24 : 16), ipv6 ? 16 : 4))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (memcmp(said->hop[i].daddr, list + 8 + i * (ipv6 ? 16 : 4), ipv6 ? 16 : 4))
			return false;
	return true;
}

static bool agrees(const struct frame *in, const struct explained *said)
{
	static struct frame out;
	struct counts before, after;
	int action;

	harness_counts(&before);
	action = harness_run(in, 0, &out);
	harness_counts(&after);
	if (counted(&before, &after) != said->verdict) {
		fprintf(stderr, "it was %s, explained as %s\n",
			harness_verdict_name(counted(&before, &after)),
			harness_verdict_name(said->verdict));
		return false;
	}
	if (action != harness_verdict_action(said->verdict) || out.length != said->length ||
	    memcmp(out.bytes, said->frame, out.length)) {
		fprintf(stderr, "another frame than explained\n");
		frame_dump("it was", &out, 0);
		return false;
	}
	if (is_forwarded(said->verdict) &&
	    before.member[said->way.member].packets + 1 != after.member[said->way.member].packets) {
		fprintf(stderr, "member %u did not get it\n", said->way.member);
		return false;
	}
	if (is_forwarded(said->verdict) && !outer_agrees(&out, said)) {
		frame_dump("another outer header or list than explained", &out, 0);
		return false;
	}
	if (said->record_after && holder(record_of(&said->way)) != holder(said->record_after)) {
		fprintf(stderr, "another record than explained\n");
		return false;
	}
	return true;
}

/* explain_world.c has no other VIP there. */
static bool is_of_prefix(const struct packet *packet)
{
	return ((const uint8_t *)packet->destination)[packet->family == 4 ? 3 : 15] >= 64;
}

static void explain(const struct frame *frame, struct explained *out)
{
	struct lb_err err = {0};

	if (datapath_explain(harness_datapath(), frame->bytes, frame->length, 0, out, &err))
		fail_msg("%s; %s", err.message, err.hint);
	told[out->verdict]++;
	hits += out->flow_counts[LB_FLOW_HIT];
	writes += out->record != out->record_after;
	if (out->way.quic_looked && out->way.quic_count == LB_QUIC_ROUTED)
		quic[out->way.quic_encrypted]++;
	prefixes += out->way.stage >= LB_EXPLAINED_VIP && is_of_prefix(&out->way.packet);
}

/* A SYN's cookie is another one then. */
static uint32_t half_epoch(void)
{
	struct timespec now;

	clock_gettime(CLOCK_TAI, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + now.tv_nsec) >> 36;
}

static void test_agrees(void **state)
{
	uint32_t half;
	uint64_t i;
	static struct dump before, after;
	static struct explained said;
	static struct frame in;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (i = 0; i < frames; i++) {
		const bool watched = i % WATCH_FRAMES == 0;
		const uint32_t vip = 1 + i / WORLD_FRAMES % (VIP_COUNT - 1);

		if (i % WORLD_FRAMES == 0)
			explain_world(vip);
		explain_world_frame(&in, vip);
		if (watched)
			dump_maps(&before);
		half = half_epoch();
		explain(&in, &said);
		if (watched) {
			dump_maps(&after);
			assert_same_maps(&before, &after);
		}
		if (said.verdict == LB_TX_SYN)
			explain_world_answered(&in, said.frame);
		if (agrees(&in, &said) || half != half_epoch())
			continue;
		frame_dump("frame", &in, 0);
		fail_msg("frame %llu of seed %llu", (unsigned long long)i,
			 (unsigned long long)seed);
	}
}

/* What was explained were not only easy cases. Not each seed has VIPs that drop fragments, nor QUIC ids of both kinds
 * that are looked at; long runs do. */
static void test_all_kinds(void **state)
{
	static const uint32_t kinds[] = {
		LB_PASS_NOT_VIP,   LB_PASS_ICMP,       LB_TX,
		LB_REDIRECT,       LB_DROP_NO_BACKEND, LB_DROP_UNRESOLVED,
		LB_DROP_NO_EGRESS, LB_TX_ECHO,         LB_DROP_FRAGMENT_UNKNOWN,
		LB_TX_TOO_BIG,     LB_DROP_BLOCKED,    LB_TX_SYN,
		LB_DROP_GUARD};
	struct lb_guard_syns syns[2];
	size_t i;

	(void)state;
	for (i = 0; i < LB_VERDICT_COUNT; i++)
		print_message("%8llu %s\n", (unsigned long long)told[i], harness_verdict_name(i));
	print_message("%8llu followed a record, %llu would have written one\n",
		      (unsigned long long)hits, (unsigned long long)writes);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		assert_true(told[kinds[i]]);
	print_message("%8llu brought a list along, of %llu the MTU had no room for all\n",
		      (unsigned long long)lists, (unsigned long long)cut);
	assert_true(lists > frames / 100);
	assert_true(hits > frames / 100 && writes > frames / 100);
	print_message("%8llu to addresses of prefixes; by QUIC id %llu, of these encrypted %llu\n",
		      (unsigned long long)prefixes, (unsigned long long)(quic[0] + quic[1]),
		      (unsigned long long)quic[1]);
	assert_true(prefixes && (frames == FRAMES || (quic[0] && quic[1])));
	datapath_syn_counts(harness_datapath(), WEB4, &syns[0]);
	datapath_syn_counts(harness_datapath(), WEB6, &syns[1]);
	print_message("%8llu flows were opened by cookies\n",
		      (unsigned long long)(syns[0].opened + syns[1].opened));
	assert_true(syns[0].opened + syns[1].opened);
}

static int set_up(void **state)
{
	(void)state;
	if (harness_open_answering(100000))
		return -1;
	explain_world_open();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		{"what is said of a frame is what becomes of it, and saying it changes no map",
		 test_agrees, NULL, NULL, NULL},
		{"frames of all kinds were explained", test_all_kinds, NULL, NULL, NULL},
	};

	random_frame_state = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	if (!random_frame_state)
		random_frame_state = time(NULL);
	if (argc > 2)
		frames = strtoull(argv[2], NULL, 10);
	seed = random_frame_state;
	return cmocka_run_group_tests_name("explain", tests, set_up, harness_tear_down);
}
