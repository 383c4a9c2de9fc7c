/* SPDX-License-Identifier: BSD-2-Clause */
/* Under which number does the program find which key of QUIC connection ids?
 *
 * Packets use a key while lbd changes it: so another one gets another number, and VIPs that. A number is free
 * at once, but the next key gets the next number, so that no packet on its way meets it.
 */
#include "quic_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/log.h"
#include "../plane/quic_aes.h"
#include "live.h"

struct known_key {
	char name[LB_QUIC_KEY_TEXT]; /* "": the number is free */
	uint8_t bytes[16];
};

struct quic_ring {
	uint32_t last; /* number that was given away: the next one is looked for behind it */
	struct known_key known[LB_QUIC_KEYS];
};

uint32_t quic_ring_number(const struct service *service, const char *name)
{
	for (uint32_t i = 1; i < LB_QUIC_KEYS; i++)
		if (!strcmp(service->quic_ring->known[i].name, name))
			return i;
	return 0;
}

static void forget(struct service *service, uint32_t number)
{
	struct known_key *known = &service->quic_ring->known[number];

	explicit_bzero(known, sizeof(*known));
	explicit_bzero(&service->plane.quic_keys[number], sizeof(struct lb_quic_key));
}

/* --- one key --- */

static uint32_t free_number(struct quic_ring *ring)
{
	for (uint32_t i = 1; i < LB_QUIC_KEYS; i++) {
		const uint32_t number = 1 + (ring->last + i - 1) % (LB_QUIC_KEYS - 1);

		if (!*ring->known[number].name)
			return ring->last = number;
	}
	return 0;
}

/* Under a number that no packet uses. The one that it had is free: packets on their way read what it was. */
int quic_ring_learn(struct service *service, const char *name, const uint8_t bytes[16],
		    struct lb_err *err)
{
	struct quic_ring *ring = service->quic_ring;
	const uint32_t before = quic_ring_number(service, name);
	uint32_t number;

	if (before && !memcmp(ring->known[before].bytes, bytes, sizeof(ring->known[before].bytes)))
		return 0;
	number = free_number(ring);
	if (!number) {
		lb_err_set(err, LB_ERR_LIMIT, "",
			   "there are at most %u keys of QUIC connection ids", LB_QUIC_KEYS - 1);
		return lb_err_hint(err, "VIPs can share a key");
	}
	if (before) {
		*ring->known[before].name = '\0';
		log_line(LOG_LEVEL_INFO, "QUIC key %s was read again, and is another one", name);
	}
	snprintf(ring->known[number].name, sizeof(ring->known[number].name), "%s", name);
	memcpy(ring->known[number].bytes, bytes, sizeof(ring->known[number].bytes));
	quic_aes_key(bytes, &service->plane.quic_keys[number]);
	return 0;
}

/* Of a number without a name another file's key, or one that was read again, may still be there. */
void quic_ring_keep(struct service *service,
		    bool (*is_used)(const struct service *service, const char *name))
{
	for (uint32_t i = 1; i < LB_QUIC_KEYS; i++) {
		const char *name = service->quic_ring->known[i].name;

		if (!*name || !is_used(service, name))
			forget(service, i);
	}
}

bool quic_ring_any(const struct service *service)
{
	for (uint32_t i = 1; i < LB_QUIC_KEYS; i++)
		if (*service->quic_ring->known[i].name)
			return true;
	return false;
}

/* What an earlier lbd has left is in use until VIPs have their numbers here. */
struct quic_ring *quic_ring_new(const struct lb_quic_key *keys)
{
	static const struct lb_quic_key none;
	struct quic_ring *ring = calloc(1, sizeof(*ring));

	for (uint32_t i = 1; ring && i < LB_QUIC_KEYS; i++)
		if (memcmp(&keys[i], &none, sizeof(none)))
			ring->last = i;
	return ring;
}

void quic_ring_free(struct quic_ring *ring)
{
	if (ring)
		explicit_bzero(ring, sizeof(*ring));
	free(ring);
}
