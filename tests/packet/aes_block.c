// SPDX-License-Identifier: BSD-2-Clause
/* How is a block of AES-128 encrypted, and decrypted? FIPS 197: Cipher() of section 5.1, InvCipher() of section
 * 5.3, KeyExpansion() of section 5.2. The byte at row r and column c of the state is number r + 4 c. */
#include "aes_block.h"

#include <stdbool.h>
#include <string.h>

#define ROUNDS 10

static uint8_t sbox[256], sbox_inverse[256];

static uint8_t doubled(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b);
}

/* 3 generates all 255 bytes but 0, and so does its inverse, backwards. */
static void make_sbox(void)
{
	uint8_t power[255], x = 1;

	if (sbox_inverse[0x63] == 0 && sbox[0])
		return;
	for (int i = 0; i < 255; i++, x ^= doubled(x))
		power[i] = x;
	for (int i = 0; i < 256; i++) {
		uint8_t inverse = 0;

		for (int n = 0; i && n < 255; n++)
			if (power[n] == i)
				inverse = power[(255 - n) % 255];
		sbox[i] = 0x63;
		for (int bit = 0; bit < 8; bit++)
			for (int from = bit; from < bit + 5; from++)
				sbox[i] ^= (inverse >> (from + 4) % 8 & 1) << bit;
		sbox_inverse[sbox[i]] = (uint8_t)i;
	}
}

static void expand(const uint8_t key[16], uint8_t round_key[ROUNDS + 1][16])
{
	uint8_t *bytes = &round_key[0][0], constant = 1;

	make_sbox();
	memcpy(bytes, key, 16);
	for (int i = 16; i < 16 * (ROUNDS + 1); i += 4)
		for (int n = 0; n < 4; n++) {
			uint8_t before = bytes[i - 4 + n];

			if (i % 16 == 0)
				before = sbox[bytes[i - 4 + (n + 1) % 4]];
			if (i % 16 == 0 && n == 0) {
				before ^= constant;
				constant = doubled(constant);
			}
			bytes[i + n] = bytes[i - 16 + n] ^ before;
		}
}

static void add_key(uint8_t state[16], const uint8_t key[16])
{
	for (int i = 0; i < 16; i++)
		state[i] ^= key[i];
}

static void substitute_and_shift(uint8_t state[16])
{
	uint8_t from[16];

	memcpy(from, state, 16);
	for (int row = 0; row < 4; row++)
		for (int column = 0; column < 4; column++)
			state[row + 4 * column] = sbox[from[row + 4 * ((column + row) % 4)]];
}

static void shift_and_substitute_back(uint8_t state[16])
{
	uint8_t from[16];

	memcpy(from, state, 16);
	for (int row = 0; row < 4; row++)
		for (int column = 0; column < 4; column++)
			state[row + 4 * ((column + row) % 4)] =
				sbox_inverse[from[row + 4 * column]];
}

static void mix_columns(uint8_t state[16])
{
	for (uint8_t *column = state; column < state + 16; column += 4) {
		const uint8_t all = column[0] ^ column[1] ^ column[2] ^ column[3],
			      first = column[0];

		for (int row = 0; row < 4; row++)
			column[row] ^=
				all ^ doubled(column[row] ^ (row < 3 ? column[row + 1] : first));
	}
}

void aes_block_encrypt(const uint8_t key[16], uint8_t block[16])
{
	uint8_t round_key[ROUNDS + 1][16];

	expand(key, round_key);
	add_key(block, round_key[0]);
	for (int round = 1; round <= ROUNDS; round++) {
		substitute_and_shift(block);
		if (round < ROUNDS)
			mix_columns(block);
		add_key(block, round_key[round]);
	}
}

void aes_block_decrypt(const uint8_t key[16], uint8_t block[16])
{
	uint8_t round_key[ROUNDS + 1][16];

	expand(key, round_key);
	for (int round = ROUNDS; round >= 1; round--) {
		add_key(block, round_key[round]);
		/* Four times in all is once around: three more undo one. */
		for (int i = 0; i < 3 && round < ROUNDS; i++)
			mix_columns(block);
		shift_and_substitute_back(block);
	}
	add_key(block, round_key[0]);
}
