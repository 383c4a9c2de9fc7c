/* SPDX-License-Identifier: BSD-2-Clause */
/* Connection ids of a QUIC server that makes random ones, with a server id in them. To be preloaded into
 * ngtcp2's server, which takes the 18 bytes of an id from gnutls_rnd; QUIC_SERVER_ID names it, in hex. With
 * QUIC_KEY, in hex, ids are encrypted, by GnuTLS: 16 bytes behind the first, server id and nonce. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES 18

#define BLOCK 16
#define AES_128_CBC 4 /* gnutls_cipher_algorithm_t; of one block and zeros as IV it is ECB */

struct datum {
	unsigned char *data;
	unsigned int size;
};

int gnutls_rnd(int level, void *data, size_t length);
int gnutls_cipher_init(void **cipher, int algorithm, const struct datum *key,
		       const struct datum *iv);
int gnutls_cipher_encrypt(void *cipher, void *text, size_t length);
void gnutls_cipher_deinit(void *cipher);

static void encrypt(const char *hex, unsigned char *block)
{
	unsigned char key[BLOCK], zeros[BLOCK] = {0};
	const struct datum key_datum = {key, BLOCK}, iv = {zeros, BLOCK};
	void *cipher;

	for (size_t i = 0; i < BLOCK; i++)
		sscanf(hex + 2 * i, "%2hhx", &key[i]);
	if (gnutls_cipher_init(&cipher, AES_128_CBC, &key_datum, &iv) ||
	    gnutls_cipher_encrypt(cipher, block, BLOCK))
		abort();
	gnutls_cipher_deinit(cipher);
}

int gnutls_rnd(int level, void *data, size_t length)
{
	static int (*next)(int, void *, size_t);
	const char *hex = getenv("QUIC_SERVER_ID");
	unsigned char *id = data;
	int result;

	if (!next)
		next = (int (*)(int, void *, size_t))dlsym(RTLD_NEXT, "gnutls_rnd");
	result = next(level, data, length);
	if (!hex || length != ID_BYTES)
		return result;
	*id++ &= 0x1f; /* config rotation 0 */
	for (size_t i = 0; i < strlen(hex) / 2; i++)
		sscanf(hex + 2 * i, "%2hhx", &id[i]);
	if (getenv("QUIC_KEY"))
		encrypt(getenv("QUIC_KEY"), id);
	return result;
}
