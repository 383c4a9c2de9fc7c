/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a cookie say what it should, for as long as it should, and to nobody who does not know the
 * secret? Compared with a model that writes the hashed bytes one by one.
 *
 *   syn_cookie_test [SEED [COOKIES]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../bpf/syn_options.h"
#include "../../lbd/service/siphash.h"
#include "../lib/splitmix.h"

#define HALF_NS (1ull << 36)
#define EPOCH_NS (1ull << 37)
#define SECOND_NS 1000000000ull

static uint64_t random_state = 1;
static uint64_t cookies = 20000;

static uint64_t draw(void)
{
	return splitmix64(&random_state);
}

/* --- the model --- */

struct model {
	uint8_t address[2][16]; /* client, VIP */
	uint8_t ports[4];
	uint32_t isn;
	bool six, timestamps;
};

static struct model draw_model(void)
{
	struct model model = {.isn = draw(), .six = draw() & 1, .timestamps = draw() & 1};
	const size_t size = model.six ? 16 : 4;

	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < size; j++)
			model.address[i][j] = draw();
	for (int i = 0; i < 4; i++)
		model.ports[i] = draw();
	return model;
}

static struct syn_flow flow_of(const struct model *model)
{
	struct syn_flow flow = {
		.isn = model->isn, .family = model->six ? 6 : 4, .timestamps = model->timestamps};

	memcpy(flow.source, model->address[0], 16);
	memcpy(flow.destination, model->address[1], 16);
	memcpy(&flow.ports, model->ports, 4);
	return flow;
}

static size_t put(uint8_t *at, const void *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return size;
}

static uint64_t model_hash(const __u64 key[2], const struct model *model, uint32_t epoch,
			   uint8_t bits)
{
	const size_t address = model->six ? 16 : 4;
	uint8_t bytes[64];
	size_t size = 0;

	size += put(bytes + size, model->address[0], address);
	size += put(bytes + size, model->address[1], address);
	size += put(bytes + size, model->ports, 4);
	for (int i = 0; i < 4; i++)
		bytes[size++] = model->isn >> 8 * i;
	for (int i = 0; i < 4; i++)
		bytes[size++] = epoch >> 8 * i;
	bytes[size++] = bits;
	bytes[size++] = 10;
	bytes[size++] = (model->timestamps ? 1 : 0) + (model->six ? 2 : 0);
	return siphash((uint64_t[2]){key[0], key[1]}, bytes, size);
}

static struct syn_cookie model_cookie(const __u64 key[2], const struct model *model,
				      uint64_t tai_ns, uint8_t bits)
{
	const uint32_t epoch = tai_ns / EPOCH_NS;
	const uint64_t hash = model_hash(key, model, epoch, bits);

	return (struct syn_cookie){
		.sequence = (hash / 4294967296) % 8388608 * 512 + epoch % 2 * 256 + bits,
		.timestamp = hash % 4294967296,
	};
}

/* --- helpers --- */

static struct syn_cookie make(const __u64 key[2], const struct model *model, uint64_t tai_ns,
			      uint8_t bits)
{
	struct syn_flow flow = flow_of(model);

	return syn_cookie_make(key, &flow, tai_ns >> SYN_HALF_SHIFT, bits);
}

static bool holds(const __u64 key[2], const struct model *model, uint64_t tai_ns,
		  struct syn_cookie cookie)
{
	struct syn_flow flow = flow_of(model);

	return syn_cookie_is_by(key, &flow, tai_ns >> SYN_HALF_SHIFT, cookie);
}

static uint64_t draw_time(void)
{
	return 1700000000 * SECOND_NS + draw() % (1ull << 60);
}

/* --- the promises --- */

/* The vector of appendix A of the paper, and messages of each size that the function takes. */
static void hash_is_siphash(void **state)
{
	uint8_t bytes[48], key[16];
	struct syn_hash_input in = {.count = 1};

	(void)state;
	for (int i = 0; i < 16; i++)
		key[i] = i;
	for (int i = 0; i < 15; i++)
		bytes[i] = i;
	memcpy(in.key, key, 16);
	memcpy(in.word, bytes, 8);
	memcpy(&in.last, bytes + 8, 7);
	in.last |= 15ull << 56;
	assert_int_equal(syn_hash(&in), 0xa129ca6149be45e5);

	for (int i = 0; i < 1000; i++) {
		const size_t size = draw() % sizeof(bytes);
		uint64_t own[2];

		memset(&in, 0, sizeof(in));
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = draw();
		in.key[0] = own[0] = draw();
		in.key[1] = own[1] = draw();
		in.count = size / 8;
		memcpy(in.word, bytes, size / 8 * 8);
		memcpy(&in.last, bytes + size / 8 * 8, size % 8);
		in.last |= (uint64_t)size << 56;
		assert_int_equal(syn_hash(&in), siphash(own, bytes, size));
	}
}

static void cookie_is_that_of_the_model(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < cookies; i++) {
		const __u64 key[2] = {draw(), draw()};
		const uint64_t tai = draw_time();
		const struct model model = draw_model();
		const uint8_t bits = draw();
		const struct syn_cookie own = make(key, &model, tai, bits);
		const struct syn_cookie wanted = model_cookie(key, &model, tai, bits);

		assert_int_equal(own.sequence, wanted.sequence);
		assert_int_equal(own.timestamp, wanted.timestamp);
		assert_true(holds(key, &model, tai, wanted));
	}
}

/* By its age and where in its epoch it was made: 0 … 68.7 s are accepted always, 206.2 s never. */
static void cookie_lives_for_one_to_three_half_epochs(void **state)
{
	const uint64_t start = 12345 * EPOCH_NS;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		const __u64 key[2] = {draw(), draw()};
		const uint64_t made = start + draw() % EPOCH_NS;
		const struct model model = draw_model();
		const struct syn_cookie cookie = make(key, &model, made, draw());
		const uint64_t last = start + EPOCH_NS + HALF_NS;

		assert_true(holds(key, &model, last - 1, cookie));
		assert_true(holds(key, &model, made + draw() % (last - made), cookie));
		assert_false(holds(key, &model, last, cookie));
		assert_false(holds(key, &model, last + draw() % (1000 * EPOCH_NS), cookie));
	}
}

/* A verifier's clock that is behind by less than half an epoch takes what is new. */
static void clocks_may_be_half_an_epoch_apart(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		const __u64 key[2] = {draw(), draw()};
		const uint64_t made = draw_time();
		const struct model model = draw_model();
		const struct syn_cookie cookie = make(key, &model, made, draw());

		assert_true(holds(key, &model, made + draw() % HALF_NS, cookie));
		assert_true(holds(key, &model, made - draw() % HALF_NS, cookie));
		assert_false(holds(key, &model, made + 3 * HALF_NS, cookie));
		assert_false(holds(key, &model, made - 3 * HALF_NS, cookie));
	}
}

static void any_other_flow_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++) {
		const __u64 key[2] = {draw(), draw()}, other[2] = {key[0], key[1] ^ 1};
		const uint64_t tai = draw_time();
		const struct model model = draw_model();
		const struct syn_cookie cookie = make(key, &model, tai, draw());
		struct model changed = model;

		assert_false(holds(other, &model, tai, cookie));
		changed.address[draw() & 1][draw() % (model.six ? 16 : 4)] ^= 1u << draw() % 8;
		assert_false(holds(key, &changed, tai, cookie));
		changed = model;
		changed.ports[draw() % 4] ^= 1u << draw() % 8;
		assert_false(holds(key, &changed, tai, cookie));
		changed = model;
		changed.isn ^= 1u << draw() % 32;
		assert_false(holds(key, &changed, tai, cookie));
		changed = model;
		changed.timestamps = !changed.timestamps;
		assert_false(holds(key, &changed, tai, cookie));
	}
}

/* What the client can take cannot be changed on the way. */
static void any_other_number_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		const __u64 key[2] = {draw(), draw()};
		const uint64_t tai = draw_time();
		const struct model model = draw_model();
		const struct syn_cookie cookie = make(key, &model, tai, draw());

		for (int bit = 0; bit < 32; bit++) {
			struct syn_cookie changed = cookie;

			changed.sequence ^= 1u << bit;
			assert_false(holds(key, &model, tai, changed));
			changed = cookie;
			changed.timestamp ^= 1u << bit;
			assert_int_equal(holds(key, &model, tai, changed), !model.timestamps);
		}
	}
}

/* 2^24 guesses, of which 2 are expected to be right; with timestamps none. */
static void a_guess_is_right_once_in_8_million(void **state)
{
	const __u64 key[2] = {1, 2};
	const uint64_t tai = 1700000000 * SECOND_NS;
	struct model model = {.isn = 1};
	int right = 0, with_timestamps = 0;

	(void)state;
	for (int i = 0; i < 1 << 24; i++) {
		const uint64_t guess = draw();

		model.timestamps = i & 1;
		if (!holds(key, &model, tai, (struct syn_cookie){guess, guess >> 32}))
			continue;
		right += !model.timestamps;
		with_timestamps += model.timestamps;
	}
	assert_in_range(right, 0, 9);
	assert_int_equal(with_timestamps, 0);
}

static uint32_t mss_of(int family, uint32_t mss)
{
	const struct syn_options offered = {.mss = mss, .wscale = SYN_WSCALE_NONE};
	struct syn_options read;

	syn_cookie_read(family, syn_option_bits(family, &offered), &read);
	assert_int_equal(read.wscale, SYN_WSCALE_NONE);
	assert_int_equal(read.sack, 0);
	return read.mss;
}

/* Each value comes back as it is, what lies between as the one below, none as the default. */
static void mss_is_the_largest_that_fits(void **state)
{
	static const struct {
		int family;
		uint32_t least, most;
	} families[] = {{4, 536, 8960}, {6, 1220, 8940}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const int family = families[i].family;
		uint32_t before = 0;

		for (uint32_t index = 0; index < 8; index++) {
			const uint32_t mss = syn_mss(family, index);

			assert_true(mss > before);
			assert_int_equal(mss_of(family, mss), mss);
			assert_int_equal(mss_of(family, mss + 1), mss);
			if (before)
				assert_int_equal(mss_of(family, mss - 1), before);
			before = mss;
		}
		assert_int_equal(syn_mss(family, 0), families[i].least);
		assert_int_equal(syn_mss(family, 7), families[i].most);
		assert_int_equal(mss_of(family, 0), families[i].least);
		assert_int_equal(mss_of(family, 1), families[i].least);
		assert_int_equal(mss_of(family, 65535), families[i].most);
	}
	assert_int_equal(mss_of(4, 1460), 1460);
	assert_int_equal(mss_of(6, 1440), 1440);
}

static void options_come_back(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 32; i++) {
		const struct syn_options offered = {.mss = 1460, .wscale = i & 15, .sack = i >> 4};
		struct syn_options read;

		syn_cookie_read(4, syn_option_bits(4, &offered), &read);
		assert_int_equal(read.wscale, i & 15);
		assert_int_equal(read.sack, i >> 4);
		assert_int_equal(read.mss, 1460);
	}
}

/* --- lists of options --- */

static uint32_t big_endian(const uint8_t *at, int bytes)
{
	uint32_t number = 0;

	while (bytes--)
		number = number << 8 | *at++;
	return number;
}

/* RFC 9293 section 3.1: an option of another kind or length is passed over by its length. */
static struct syn_options options_model(const uint8_t *at, size_t left)
{
	struct syn_options said = {.wscale = SYN_WSCALE_NONE};

	while (left && *at) {
		const size_t size = *at == 1 ? 1 : left > 1 ? at[1] : 0;

		if (*at != 1 && (size < 2 || size > left))
			break;
		if (*at == 2 && size == 4)
			said.mss = big_endian(at + 2, 2);
		else if (*at == 3 && size == 3)
			said.wscale = at[2] < 14 ? at[2] : 14;
		else if (*at == 4 && size == 2)
			said.sack = 1;
		else if (*at == 8 && size == 10) {
			said.timestamps = 1;
			said.tsval = big_endian(at + 2, 4);
			said.tsecr = big_endian(at + 6, 4);
		}
		at += size;
		left -= size;
	}
	return said;
}

/* Mostly options as they should be; some of another length, cut off, or nothing but bytes. */
static uint32_t draw_options(struct syn_option_bytes *bytes)
{
	static const uint8_t kinds[][2] = {{1, 1}, {2, 4}, {3, 3}, {4, 2}, {8, 10}, {30, 12}};
	uint32_t length = draw() % (SYN_OPTIONS_MAX + 1), at = 0;

	for (size_t i = 0; i < sizeof(bytes->byte); i++)
		bytes->byte[i] = draw();
	while (at < length && draw() % 16) {
		const uint8_t *kind = kinds[draw() % 6];

		bytes->byte[at] = kind[0];
		if (kind[0] != 1)
			bytes->byte[at + 1] = draw() % 32 ? kind[1] : draw() % 6;
		at += kind[1];
	}
	if (at < length && draw() % 2)
		bytes->byte[at] = 0;
	return length;
}

static struct syn_options assert_as_the_model(const struct syn_option_bytes *bytes, uint32_t length)
{
	const struct syn_options expected = options_model(bytes->byte, length);
	struct syn_options said = {0};

	syn_options_parse(bytes, length, &said);
	assert_int_equal(said.mss, expected.mss);
	assert_int_equal(said.wscale, expected.wscale);
	assert_int_equal(said.sack, expected.sack);
	assert_int_equal(said.timestamps, expected.timestamps);
	assert_int_equal(said.tsval, expected.tsval);
	assert_int_equal(said.tsecr, expected.tsecr);
	return said;
}

static void lists_of_options_say_what_they_say_to_the_model(void **state)
{
	uint64_t with_all = 0;

	(void)state;
	for (uint64_t i = 0; i < 10 * cookies; i++) {
		struct syn_option_bytes bytes;
		const uint32_t length = draw_options(&bytes);
		const struct syn_options said = assert_as_the_model(&bytes, length);

		with_all +=
			said.mss && said.sack && said.timestamps && said.wscale != SYN_WSCALE_NONE;
	}
	assert_true(with_all > cookies / 100); /* the draw is no good else */
}

/* The list that is looked for first, with any one byte changed, and of other lengths. */
static void the_usual_list_is_one_like_others(void **state)
{
	static const uint8_t usual[20] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2,
					  3, 4, 0, 0,   0, 7, 1, 3,  3, 7};

	(void)state;
	for (uint32_t at = 0; at < sizeof(usual); at++)
		for (uint32_t value = 0; value < 256; value++) {
			struct syn_option_bytes bytes = {0};

			memcpy(bytes.byte, usual, sizeof(usual));
			bytes.byte[at] = value;
			for (uint32_t length = 16; length <= 24; length += 4)
				assert_as_the_model(&bytes, length);
		}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_is_siphash),
		cmocka_unit_test(cookie_is_that_of_the_model),
		cmocka_unit_test(cookie_lives_for_one_to_three_half_epochs),
		cmocka_unit_test(clocks_may_be_half_an_epoch_apart),
		cmocka_unit_test(any_other_flow_is_refused),
		cmocka_unit_test(any_other_number_is_refused),
		cmocka_unit_test(a_guess_is_right_once_in_8_million),
		cmocka_unit_test(mss_is_the_largest_that_fits),
		cmocka_unit_test(options_come_back),
		cmocka_unit_test(lists_of_options_say_what_they_say_to_the_model),
		cmocka_unit_test(the_usual_list_is_one_like_others),
	};

	if (argc > 1)
		random_state = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		cookies = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
