// SPDX-License-Identifier: BSD-2-Clause
/* Does the loaded program drop just those packets whose source's longest prefix blocks, with random nested prefixes;
 * and never another while prefixes change all the time?
 *
 * The oracle asks all lengths of a sorted list of prefixes. `guard_list_test SOURCES PREFIXES` makes it longer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include "../../lbd/plane/explain.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/trace.h"
#include "harness.h"
#include "random_frame.h"

#define BLOCK 1u
#define ALLOW 2u
#define ADDRESS 26 /* of the source, in an IPv4 frame without tags */
#define ADDRESS6 22

static uint32_t sources = 20000, prefixes = 20000;
static struct guard_trie trie;
static struct guard_flat flat;

static struct datapath *plane(void)
{
	return harness_datapath();
}

/* --- the daemon's part --- */

static int fill_once(const struct guard_sizes *sizes)
{
	const uint64_t secret[4] = {random_word(), random_word(), random_word(), random_word()};
	struct guard_memory memory;
	struct lb_err err = {0};

	if (datapath_guard_load(plane(), sizes, &err))
		fail_msg("%s; %s", err.message, err.hint);
	memory = datapath_guard_maps(plane()).lists;
	return guard_flat_fill(&flat, &memory, &trie, ALLOW, secret);
}

/* One secret in 200 leaves a word without a place. Then lists.c tries another one, with twice the room. */
static void fill_of(uint32_t room)
{
	const struct lb_guard_vip rules = {.rules = LB_GUARD_LISTS, .lists = BLOCK | ALLOW};
	struct guard_sizes sizes = {guard_flat_needs(&trie)};
	struct lb_err err = {0};
	int error = -ENOSPC;

	for (int i = 0; error == -ENOSPC && i < 4; i++, room *= 2) {
		sizes.lists.lines4 = guard_flat_needs(&trie).lines4 * room;
		sizes.lists.lines6 = guard_flat_needs(&trie).lines6 * room;
		error = fill_once(&sizes);
	}
	assert_int_equal(error, 0);
	assert_int_equal(datapath_guard_enter(plane(), GUARD_LISTS, &err), 0);
	assert_int_equal(harness_vip_guard(WEB4, "192.0.2.10:443/tcp", &rules), 0);
	assert_int_equal(harness_vip_guard(WEB6, "[2001:db8::10]:443/tcp", &rules), 0);
	assert_int_equal(harness_vip_guard(EVERY4, "192.0.2.11:0/tcp", &rules), 0);
}

static void fill(void)
{
	fill_of(1);
}

/* --- packets --- */

static const struct spec web4 = {.family = 4,
				 .protocol = 6,
				 .source = "198.51.100.7",
				 .destination = "192.0.2.10",
				 .sport = 40000,
				 .dport = 443};
static const struct spec web6 = {.family = 6,
				 .protocol = 6,
				 .source = "2001:db8:c::7",
				 .destination = "2001:db8::10",
				 .sport = 40000,
				 .dport = 443};

static void set_source(struct frame *frame, const struct guard_prefix *source)
{
	const uint32_t address = htonl(source->high >> 32);
	const uint64_t words[2] = {htobe64(source->high), htobe64(source->low)};

	if (source->family == 4)
		memcpy(frame->bytes + ADDRESS, &address, 4);
	else
		memcpy(frame->bytes + ADDRESS6, words, 16);
}

/* The program is run over a frame that nobody needs back. */
static bool is_dropped_by(int fd, const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->bytes, .data_size_in = frame->length,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(fd, &run), 0);
	return run.retval == XDP_DROP;
}

static bool is_dropped(const struct guard_prefix *source)
{
	static struct frame frames[2];
	struct frame *frame = &frames[source->family == 6];

	if (!frame->length)
		frame_build(source->family == 4 ? &web4 : &web6, frame);
	set_source(frame, source);
	return is_dropped_by(datapath_program_fd(plane()), frame);
}

/* --- the oracle --- */

static struct guard_prefix *known;
static uint8_t *known_lists;

static int compare(const void *a, const void *b)
{
	const struct guard_prefix *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (x->length != y->length)
		return x->length < y->length ? -1 : 1;
	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return x->low < y->low ? -1 : x->low > y->low;
}

/* The longest that has the source; NULL: none. */
static const struct guard_prefix *longest_of(const struct guard_prefix *source)
{
	const struct guard_prefix *found = NULL;

	for (unsigned int length = source->length; length && !found; length--) {
		struct guard_prefix cut = *source;

		cut.length = length;
		guard_prefix_trim(&cut);
		found = bsearch(&cut, known, prefixes, sizeof(cut), compare);
	}
	return found;
}

static bool must_drop(const struct guard_prefix *source)
{
	const struct guard_prefix *longest = longest_of(source);

	return longest && !(known_lists[longest - known] & ALLOW);
}

/* Half of them are in the same few networks. */
static struct guard_prefix draw_prefix(void)
{
	static const uint8_t lengths6[] = {20, 28, 29, 32, 36, 40,  44, 48,
					   52, 56, 60, 64, 96, 127, 128};
	struct guard_prefix prefix = {.high = random_word(), .low = random_word()};
	const bool near = random_one_in(2);

	prefix.family = random_one_in(4) ? 6 : 4;
	if (prefix.family == 4) {
		prefix.length = random_one_in(50) ? 9 + random_below(8) : 17 + random_below(16);
		if (near)
			prefix.high = (prefix.high & 0x0003ffffffffffffull) | 0xc634000000000000ull;
	} else {
		prefix.length = lengths6[random_below(sizeof(lengths6))];
		prefix.high = 0x2000000000000000ull | prefix.high >> 3;
		if (near)
			prefix.high = 0x20010db800000000ull | (prefix.high & 0x000f003f0003ull);
	}
	guard_prefix_trim(&prefix);
	return prefix;
}

static struct guard_prefix draw_source(void)
{
	struct guard_prefix source =
		random_one_in(4) ? draw_prefix() : known[random_below(prefixes)];

	if (source.length < 64)
		source.high |= random_word() >> source.length;
	if (source.length < 128)
		source.low |=
			source.length <= 64 ? random_word() : random_word() >> (source.length - 64);
	source.length = source.family == 4 ? 32 : 128;
	guard_prefix_trim(&source);
	if (source.family == 4 && (source.high >> 56 == 0 || source.high >> 56 == 127 ||
				   source.high >> 56 >= 224)) /* no source of any packet */
		source.high = 0xc6336407ull << 32;
	return source;
}

/* Sources whose verdict stays while prefixes change around them; sorted. */
struct stander {
	struct guard_prefix source;
	uint8_t length; /* of its longest prefix, which stays; 0: it has none, and stays so */
	bool dropped;
};
static struct stander *standers;
static uint32_t stander_count;

static int open_world(void **state)
{
	known = calloc(prefixes, sizeof(*known));
	known_lists = calloc(prefixes, 1);
	if (harness_open() || !known || !known_lists)
		return -1;
	harness_pin();
	harness_slots_decoy();
	(void)state;
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	guard_flat_clear(&flat);
	guard_trie_clear(&trie);
	free(known);
	free(known_lists);
	free(standers);
	harness_close();
	return 0;
}

static double seconds(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double now(void)
{
	return seconds(CLOCK_MONOTONIC);
}

static void test_longest_prefix_decides(void **state)
{
	uint32_t dropped = 0, i;
	double began;

	(void)state;
	for (i = 0; i < prefixes; i++)
		known[i] = draw_prefix();
	qsort(known, prefixes, sizeof(*known), compare);
	for (i = 0; i < prefixes; i++) {
		if (i && !compare(&known[i], &known[i - 1]))
			known_lists[i] = known_lists[i - 1]; /* bsearch may find either */
		else
			known_lists[i] = 1 + random_below(3);
		assert_true(guard_trie_add(&trie, &known[i], known_lists[i]) >= 0);
	}
	began = now();
	fill();
	printf("%u prefixes in place after %.2f s, maps of %.1f MiB\n", prefixes, now() - began,
	       (double)datapath_memory_bytes(plane()) / (1 << 20));
	for (i = 0; i < sources; i++) {
		const struct guard_prefix source = draw_source();
		const bool must = must_drop(&source);

		if (is_dropped(&source) != must)
			fail_msg("source %016llx %016llx of family %u: %s",
				 (unsigned long long)source.high, (unsigned long long)source.low,
				 source.family, must ? "goes on" : "is dropped");
		dropped += must;
	}
	printf("%u of %u sources are blocked\n", dropped, sources);
	assert_true(dropped > sources / 10 && dropped < sources / 10 * 9);
}

/* --- while it changes --- */

static volatile bool ends;
static volatile uint64_t looked;

/* One in 64 changes settles, as the daemon does some milliseconds after a change. */
static void change(const struct guard_prefix *prefix, uint64_t number)
{
	assert_int_equal(guard_flat_change(&flat, prefix), 0);
	if (number % 64 == 0)
		guard_flat_settle(&flat);
}

static void toggle(const struct guard_prefix *prefix, uint16_t list)
{
	if (!guard_trie_add(&trie, prefix, list))
		guard_trie_del(&trie, prefix, BLOCK | ALLOW);
}

struct watched {
	struct frame frame;
	bool dropped; /* always */
};
static struct watched watched[64];

static void *watch(void *user)
{
	const int fd = datapath_program_fd(plane());
	uint64_t *wrong = user;

	while (!ends)
		for (size_t i = 0; i < 64 && !ends; i++) {
			*wrong += is_dropped_by(fd, &watched[i].frame) != watched[i].dropped;
			looked++;
		}
	return NULL;
}

/* Prefixes come and go within those of watched sources, around them and beside them, without ever being the
 * longest of one: no verdict of these may change, not for a moment. */
static void test_no_verdict_in_between(void **state)
{
	struct guard_prefix net = {0x0a010000ull << 32, 0, 4, 16}, prefix;
	uint64_t wrong = 0, changes = 0;
	pthread_t thread;
	double began;

	(void)state;
	guard_trie_add(&trie, &net, BLOCK);
	for (uint32_t i = 0; i < 64; i++) {
		struct guard_prefix source = {(0x0a010005ull | i << 8) << 32, 0, 4, 32};

		if (i % 2) { /* allowed by its own /28 */
			prefix = source;
			prefix.length = 28;
			guard_prefix_trim(&prefix);
			guard_trie_add(&trie, &prefix, ALLOW);
		}
		frame_build(&web4, &watched[i].frame);
		set_source(&watched[i].frame, &source);
		watched[i].dropped = i % 2 == 0;
	}
	fill_of(2); /* what comes now must find a place, too */
	assert_int_equal(pthread_create(&thread, NULL, watch, &wrong), 0);
	began = now();
	while (now() - began < 1.5) {
		prefix = (struct guard_prefix){(0x0a010040ull | random_below(64) << 8) << 32, 0, 4,
					       26};
		if (random_one_in(200)) /* around all of them, with the same meaning for them */
			prefix = (struct guard_prefix){0x0a000000ull << 32, 0, 4, 15};
		else if (random_one_in(3))
			prefix.length = 32;
		toggle(&prefix, random_one_in(2) ? BLOCK : ALLOW);
		change(&prefix, ++changes);
	}
	ends = true;
	pthread_join(thread, NULL);
	printf("%.0f changes a second, %llu packets, %llu wrong\n", (double)changes / 1.5,
	       (unsigned long long)looked, (unsigned long long)wrong);
	assert_int_equal(wrong, 0);
	assert_true(looked > 1000);
}

/* --- random ones, while it changes --- */

static int by_address(const void *a, const void *b)
{
	return compare(&((const struct stander *)a)->source, &((const struct stander *)b)->source);
}

static void draw_standers(void)
{
	stander_count = sources < 50000 ? sources : 50000;
	standers = calloc(stander_count, sizeof(*standers));
	assert_non_null(standers);
	for (uint32_t i = 0; i < stander_count; i++) {
		const struct guard_prefix source = draw_source(), *longest = longest_of(&source);

		standers[i] =
			(struct stander){source, longest ? longest->length : 0, must_drop(&source)};
	}
	qsort(standers, stander_count, sizeof(*standers), by_address);
}

/* The first one that is not before the prefix's first address. */
static uint32_t first_within(const struct guard_prefix *prefix)
{
	struct guard_prefix address = *prefix;
	uint32_t low = 0, high = stander_count;

	address.length = prefix->family == 4 ? 32 : 128;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (compare(&standers[middle].source, &address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* It is the longest of no stander, and would not be. */
static bool is_nobodys(const struct guard_prefix *prefix)
{
	for (uint32_t i = first_within(prefix); i < stander_count; i++) {
		struct guard_prefix cut = standers[i].source;

		cut.length = prefix->length;
		guard_prefix_trim(&cut);
		if (compare(&cut, prefix))
			break;
		if (standers[i].length <= prefix->length)
			return false;
	}
	return true;
}

static void *watch_standers(void *user)
{
	uint64_t *wrong = user;

	looked = 0;
	for (uint32_t i = 0; !ends; i = (i + 1) % stander_count) {
		*wrong += is_dropped(&standers[i].source) != standers[i].dropped;
		looked++;
	}
	return NULL;
}

/* Short ones, which have thousands of cells and of other prefixes, are rare here. */
static struct guard_prefix draw_change(void)
{
	struct guard_prefix prefix;

	do
		prefix = random_one_in(2) ? draw_prefix() : known[random_below(prefixes)];
	while (prefix.length < (prefix.family == 4 ? 22 : 40) && !random_one_in(500));
	return prefix;
}

static void test_random_verdicts_stand_while_others_change(void **state)
{
	uint64_t wrong = 0, changes = 0;
	double began, took;
	pthread_t thread;

	(void)state;
	guard_trie_clear(&trie);
	for (uint32_t i = 0; i < prefixes; i++)
		assert_true(guard_trie_add(&trie, &known[i], known_lists[i]) >= 0);
	draw_standers();
	fill_of(2);
	ends = false;
	assert_int_equal(pthread_create(&thread, NULL, watch_standers, &wrong), 0);
	began = seconds(CLOCK_THREAD_CPUTIME_ID);
	while (changes < 20000 || looked < stander_count) {
		const struct guard_prefix prefix = draw_change();

		if (!is_nobodys(&prefix))
			continue;
		toggle(&prefix, random_one_in(2) ? BLOCK : ALLOW);
		change(&prefix, ++changes);
	}
	took = seconds(CLOCK_THREAD_CPUTIME_ID) - began;
	ends = true;
	pthread_join(thread, NULL);
	printf("%.0f changes in a second of processor time, %llu packets of %u sources, %llu "
	       "wrong\n",
	       (double)changes / took, (unsigned long long)looked, stander_count,
	       (unsigned long long)wrong);
	assert_int_equal(wrong, 0);
	assert_true((double)changes / took > 10000);
}

/* --- what stands in the balancer's place, too --- */

static const struct guard_prefix client = {0xc6336407ull << 32, 0, 4, 32};

static bool tell(void *user, const struct lb_traced *packet)
{
	*(uint32_t *)user = packet->verdict;
	return true;
}

static void test_explained_and_traced(void **state)
{
	const struct lb_trace_filter filter = {
		.every = 1, .snap = 64, .vip = LB_TRACE_NONE, .pool = LB_TRACE_NONE};
	static struct explained said;
	uint32_t traced = LB_VERDICT_COUNT;
	static struct frame frame;

	(void)state;
	datapath_guard_drop(plane(), GUARD_LISTS);
	assert_int_equal(datapath_trace_start(plane(), &filter, NULL), 0);
	datapath_trace_allow(plane(), 10);
	assert_true(guard_trie_add(&trie, &client, BLOCK) >= 0);
	guard_trie_del(&trie, &client, ALLOW);
	fill();
	assert_true(is_dropped(&client));
	datapath_trace_read(plane(), tell, &traced);
	assert_int_equal(traced, LB_DROP_BLOCKED);
	datapath_trace_stop(plane());
	frame_build(&web4, &frame);
	assert_int_equal(datapath_explain(plane(), frame.bytes, frame.length, 0, &said, NULL), 0);
	assert_int_equal(said.verdict, LB_DROP_BLOCKED);
	assert_int_equal(said.way.stage, LB_EXPLAINED_VIP);
	assert_int_equal(said.way.vip, WEB4);
}

/* Tags, fragments and ICMP errors take the other way. */
static void test_every_way_has_the_guard(void **state)
{
	static const struct spec rows[] = {
		{.tag = {{0x8100, 5}},
		 .family = 4,
		 .protocol = 6,
		 .source = "198.51.100.7",
		 .destination = "192.0.2.10",
		 .sport = 40000,
		 .dport = 443},
		{.family = 4,
		 .protocol = 6,
		 .source = "198.51.100.7",
		 .destination = "192.0.2.10",
		 .sport = 40000,
		 .dport = 443,
		 .fragment = 0x2000,
		 .payload = 32},
		{.family = 4,
		 .protocol = 6,
		 .source = "198.51.100.7",
		 .destination = "192.0.2.11",
		 .sport = 40000,
		 .dport = 4711},
	};
	struct counts before, after;
	static struct frame in, out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		frame_build(&rows[i], &in);
		harness_counts(&before);
		assert_int_equal(harness_run(&in, 0, &out), XDP_DROP);
		harness_counts(&after);
		assert_int_equal(after.verdict[LB_DROP_BLOCKED],
				 before.verdict[LB_DROP_BLOCKED] + 1);
	}
}

static void test_counts_hits_by_list(void **state)
{
	struct lb_guard_hits before, after;

	(void)state;
	assert_int_equal(datapath_guard_hits(plane(), 0, &before), 0);
	assert_true(is_dropped(&client));
	assert_int_equal(datapath_guard_hits(plane(), 0, &after), 0);
	assert_int_equal(after.packets, before.packets + 1);
	assert_int_equal(after.bytes, before.bytes + 40);
	assert_int_equal(datapath_guard_hits_reset(plane(), 0), 0);
	assert_int_equal(datapath_guard_hits(plane(), 0, &after), 0);
	assert_int_equal(after.packets, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_prefix_decides),
		cmocka_unit_test(test_no_verdict_in_between),
		cmocka_unit_test(test_random_verdicts_stand_while_others_change),
		cmocka_unit_test(test_explained_and_traced),
		cmocka_unit_test(test_every_way_has_the_guard),
		cmocka_unit_test(test_counts_hits_by_list),
	};

	if (argc > 2) {
		sources = strtoul(argv[1], NULL, 10);
		prefixes = strtoul(argv[2], NULL, 10);
	}
	return cmocka_run_group_tests_name("guard lists", tests, open_world, close_world);
}
