/* SPDX-License-Identifier: BSD-2-Clause */
/* Connection ids of a QUIC server that makes random ones, with a server id in them. To be preloaded into
 * ngtcp2's server, which takes the 18 bytes of an id from gnutls_rnd; QUIC_SERVER_ID names it, in hex. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES 18

int gnutls_rnd(int level, void *data, size_t length);

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
	return result;
}
