/* SPDX-License-Identifier: BSD-2-Clause */
/* How are the tables of AES-128 made, and a key expanded? FIPS 197, for the equivalent inverse cipher
 * (section 5.3.5). Nothing here is fast: it runs once, or once a key. */
#include "quic_aes.h"

#include <string.h>

#define KEY_WORDS 4

/* Section 4.2: x * y modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t multiply(uint8_t x, uint8_t y)
{
	uint8_t product = 0;

	for (; y; y >>= 1) {
		if (y & 1)
			product ^= x;
		x = (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
	}
	return product;
}

/* x^254, which is the multiplicative inverse, and 0 for 0. */
static uint8_t inverse(uint8_t x)
{
	uint8_t power = 1;

	for (int i = 0; i < 254; i++)
		power = multiply(power, x);
	return power;
}

/* Section 5.1.1. */
static uint8_t substitute(uint8_t x)
{
	const uint8_t y = inverse(x);
	uint8_t out = y ^ 0x63;

	for (int i = 1; i <= 4; i++)
		out ^= (uint8_t)(y << i | y >> (8 - i));
	return out;
}

/* Section 5.3.3, of a column with one byte, in row 0; a little-endian word. */
static uint32_t unmix_byte(uint8_t x)
{
	return (uint32_t)multiply(x, 0x0e) | (uint32_t)multiply(x, 0x09) << 8 |
	       (uint32_t)multiply(x, 0x0d) << 16 | (uint32_t)multiply(x, 0x0b) << 24;
}

static uint32_t rotate(uint32_t column, int rows)
{
	return rows ? column << 8 * rows | column >> (32 - 8 * rows) : column;
}

static uint32_t unmix(uint32_t column)
{
	uint32_t out = 0;

	for (int row = 0; row < 4; row++)
		out ^= rotate(unmix_byte((uint8_t)(column >> 8 * row)), row);
	return out;
}

void quic_aes_tables(struct lb_quic_aes *out)
{
	uint8_t inverted[256];

	for (int x = 0; x < 256; x++)
		inverted[substitute((uint8_t)x)] = (uint8_t)x;
	memcpy(out->last, inverted, sizeof(inverted));
	for (int x = 0; x < 256; x++)
		for (int row = 0; row < 4; row++)
			out->table[row][x] = rotate(unmix_byte(inverted[x]), row);
}

static uint32_t substitute_word(uint32_t word)
{
	uint32_t out = 0;

	for (int row = 0; row < 4; row++)
		out |= (uint32_t)substitute((uint8_t)(word >> 8 * row)) << 8 * row;
	return out;
}

/* Section 5.2. */
static void expand(const uint8_t key[16], uint32_t *word)
{
	uint8_t constant = 1;

	for (int i = 0; i < KEY_WORDS; i++)
		word[i] = (uint32_t)key[4 * i] | (uint32_t)key[4 * i + 1] << 8 |
			  (uint32_t)key[4 * i + 2] << 16 | (uint32_t)key[4 * i + 3] << 24;
	for (int i = KEY_WORDS; i < KEY_WORDS * (LB_QUIC_AES_ROUNDS + 1); i++) {
		uint32_t before = word[i - 1];

		if (i % KEY_WORDS == 0) {
			before = substitute_word(rotate(before, 3)) ^ constant;
			constant = multiply(constant, 2);
		}
		word[i] = word[i - KEY_WORDS] ^ before;
	}
}

void quic_aes_key(const uint8_t key[16], struct lb_quic_key *out)
{
	uint32_t word[KEY_WORDS * (LB_QUIC_AES_ROUNDS + 1)];

	expand(key, word);
	for (int round = 0; round <= LB_QUIC_AES_ROUNDS; round++)
		for (int i = 0; i < KEY_WORDS; i++) {
			const uint32_t of = word[KEY_WORDS * (LB_QUIC_AES_ROUNDS - round) + i];
			const int mixed = round > 0 && round < LB_QUIC_AES_ROUNDS;

			out->round[KEY_WORDS * round + i] = mixed ? unmix(of) : of;
		}
	explicit_bzero(word, sizeof(word));
}
