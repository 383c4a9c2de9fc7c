/* SPDX-License-Identifier: BSD-2-Clause */
/* One block of AES-128, as FIPS 197 describes it, byte by byte: with nothing of what lbd and its program
 * are made of. */
#ifndef AES_BLOCK_H
#define AES_BLOCK_H

#include <stdint.h>

void aes_block_encrypt(const uint8_t key[16], uint8_t block[16]);
void aes_block_decrypt(const uint8_t key[16], uint8_t block[16]);

#endif
