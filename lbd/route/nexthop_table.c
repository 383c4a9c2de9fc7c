/* SPDX-License-Identifier: BSD-2-Clause */
/* Which next hops exist, under which numbers, and what stands in the shared array for each? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/neighbour.h>
#include "nexthop_table.h"

#define STATES_WITH_MAC                                                                            \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

/* Shorter than switches remember a MAC address (300 s by IEEE 802.1D): packets to one that is gone
 * must not flood the segment. Long enough for one of some 20 rounds of probes to get through. */
#define LINGER_MS 60000

/* --- the array --- */

/* A MAC and the two bytes beside it as the one word that the program loads. */
struct mac_word {
	uint64_t value;
} __attribute__((may_alias));

static void mac_store(uint8_t *field, const uint8_t mac[6], uint16_t beside)
{
	struct mac_word *word = (struct mac_word *)field, next;

	memcpy(&next, mac, 6);
	memcpy((char *)&next + 6, &beside, 2);
	__atomic_store_n(&word->value, next.value, __ATOMIC_RELEASE);
}

static const char *link_problem(const struct hop *hop)
{
	const struct link *link = hop->neighbour->link;

	if (!link->present || !hop->exit->present)
		return "interface is gone";
	return link->is.up && hop->exit->is.up ? NULL : "link is down";
}

static const char *hop_problem(const struct hop *hop)
{
	const struct hop_neighbour *neighbour = hop->neighbour;
	const char *problem = link_problem(hop);

	if (problem || neighbour->usable)
		return problem;
	if (neighbour->problem[0])
		return neighbour->problem;
	if (neighbour->lingers)
		return "neighbour does not answer; its last MAC address is used for a minute";
	return neighbour->failed ? "neighbour does not answer" : "neighbour has not answered yet";
}

/* A reader must never see valid beside another hop's interface or addresses: `valid` goes first
 * when it ends and last when it begins. */
static void entry_store(struct hops *hops, const struct hop *hop)
{
	static const uint8_t none[6];
	struct lb_nexthop *entry = &hops->array[hop->number];
	const struct hop_neighbour *neighbour = hop->neighbour;

	if (link_problem(hop) || !(neighbour->usable || neighbour->lingers)) {
		mac_store(entry->dst_mac, none, 0);
		return;
	}
	__atomic_store_n(&entry->vlan_protocol, neighbour->link->is.vlan_protocol,
			 __ATOMIC_RELEASE);
	mac_store(entry->src_mac, neighbour->link->is.mac, neighbour->link->is.vlan);
	__atomic_store_n(&entry->ifindex, hop->exit->is.ifindex, __ATOMIC_RELEASE);
	__atomic_store_n(&entry->mtu, hop->mtu, __ATOMIC_RELEASE);
	mac_store(entry->dst_mac, neighbour->is.mac, 1);
}

static bool hop_note(struct hop *hop)
{
	const char *problem = hop_problem(hop);
	char before[sizeof(hop->told)];

	memcpy(before, hop->told, sizeof(before));
	snprintf(hop->told, sizeof(hop->told), "%s", problem ? problem : "");
	return strcmp(before, hop->told) != 0;
}

static void hop_store(struct hops *hops, struct hop *hop)
{
	entry_store(hops, hop);
	if (hop_note(hop))
		hops->state(hops->user, hop);
}

static void number_clear(struct hops *hops, uint32_t number)
{
	static const uint8_t none[6];

	mac_store(hops->array[number].dst_mac, none, 0);
}

/* --- making and clearing --- */

int hops_init(struct hops *hops, struct links_table *links, struct lb_nexthop *array,
	      uint32_t array_size)
{
	uint32_t number;

	memset(hops, 0, sizeof(*hops));
	hops->links = links;
	hops->array = array;
	hops->array_size = array_size;
	hops->by_number = calloc(array_size, sizeof(*hops->by_number));
	hops->unused = calloc(array_size, sizeof(*hops->unused));
	if (!hops->by_number || !hops->unused) {
		hops_clear(hops);
		return -ENOMEM;
	}
	number_clear(hops, LB_NEXTHOP_UNRESOLVED);
	/* Packets may still go by what an earlier run has left: those numbers come last. */
	for (number = 1; number < array_size; number++)
		if (!array[number].valid)
			hops->unused[hops->unused_count++] = number;
	for (number = 1; number < array_size; number++)
		if (array[number].valid)
			hops->unused[hops->unused_count++] = number;
	return 0;
}

void hops_forget_left(struct hops *hops)
{
	uint32_t number;

	for (number = 1; number < hops->array_size; number++)
		if (!hops->by_number[number] && hops->array[number].valid)
			number_clear(hops, number);
}

void hops_clear(struct hops *hops)
{
	struct hop_neighbour *neighbour;
	uint32_t i;

	for (i = 0; hops->by_number && i < hops->array_size; i++)
		free(hops->by_number[i]);
	for (i = 0; i < HOP_BUCKETS; i++) {
		while ((neighbour = hops->neighbours[i])) {
			hops->neighbours[i] = neighbour->next;
			free(neighbour);
		}
	}
	free(hops->by_number);
	free(hops->unused);
	memset(hops, 0, sizeof(*hops));
}

/* --- links --- */

/* While a link is down its neighbours may become others: their MACs are forgotten. */
static void link_store(struct hops *hops, const struct link *link)
{
	struct hop_neighbour *neighbour;
	uint32_t number;

	for (number = 1; (link->hops || link->exits) && number < hops->array_size; number++) {
		const struct hop *hop = hops->by_number[number];

		if (!hop || (hop->neighbour->link != link && hop->exit != link))
			continue;
		neighbour = hop->neighbour;
		if (!link->present || !link->is.up)
			neighbour->usable = neighbour->failed = neighbour->lingers = false;
		hop_store(hops, hops->by_number[number]);
	}
}

bool hops_link_changed(struct hops *hops, const struct link *link, const struct link *before)
{
	const bool up = link->present && link->is.up;

	link_store(hops, link);
	if (link->present && !before->present && link->exits) /* the kernel dropped it as it went */
		hops->egress(hops->user, link->is.ifindex, true);
	return up && !(before->present && before->is.up);
}

struct link *hops_exit(const struct hops *hops, struct link *link, const char **why)
{
	struct link *lower;

	if (!link->is.is_vlan)
		return link;
	*why = "is a VLAN of another namespace's interface";
	if (link->is.lower_elsewhere)
		return NULL;
	*why = "is a VLAN of an interface that is not known yet";
	lower = links_find(hops->links, link->is.lower);
	if (!lower || !lower->present)
		return NULL;
	*why = "is a VLAN in a VLAN: only one tag can be added";
	if (lower->is.is_vlan)
		return NULL;
	*why = "is a VLAN of an interface that is not Ethernet";
	return lower->is.ethernet ? lower : NULL;
}

/* --- neighbours --- */

/* FNV-1a over the link and the address. */
static uint32_t bucket_of(uint32_t ifindex, const struct lb_addr *address)
{
	uint32_t hash = 2166136261u ^ ifindex;
	size_t i;

	for (i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % HOP_BUCKETS;
}

static uint32_t bucket_of_neighbour(const struct hop_neighbour *neighbour)
{
	return bucket_of(neighbour->link->is.ifindex, &neighbour->is.address);
}

struct hop_neighbour *hops_neighbour_find(const struct hops *hops, uint32_t ifindex,
					  const struct lb_addr *address)
{
	struct hop_neighbour *neighbour = hops->neighbours[bucket_of(ifindex, address)];

	for (; neighbour; neighbour = neighbour->next)
		if (neighbour->link->is.ifindex == ifindex &&
		    lb_addr_equal(&neighbour->is.address, address))
			return neighbour;
	return NULL;
}

static void neighbour_store(struct hops *hops, const struct hop_neighbour *neighbour)
{
	struct hop *hop = hops->buckets[bucket_of_neighbour(neighbour)];

	for (; hop; hop = hop->next)
		if (hop->neighbour == neighbour)
			hop_store(hops, hop);
}

static void neighbour_fail(struct hop_neighbour *neighbour, int64_t now_ms)
{
	if (neighbour->usable) {
		neighbour->lingers = true;
		neighbour->failed_ms = now_ms;
	}
	if (now_ms - neighbour->failed_ms >= LINGER_MS)
		neighbour->lingers = false;
	neighbour->usable = false;
	neighbour->failed = true;
}

/* Neither a deleted entry nor one without a verdict yet (NONE, INCOMPLETE) ends the use of a MAC:
 * the kernel notifies FAILED when a neighbour no longer answers. */
void hops_neighbour_set(struct hops *hops, struct hop_neighbour *neighbour,
			const struct netlink_neighbour *is, bool gone, int64_t now_ms)
{
	uint8_t mac[6];

	memcpy(mac, neighbour->is.mac, sizeof(mac));
	if (gone) {
		neighbour->is.state = NUD_NONE;
		neighbour->is.has_mac = neighbour->is.managed = neighbour->is.ours = false;
		return;
	}
	neighbour->is = *is;
	neighbour->problem[0] = 0;
	if ((is->state & STATES_WITH_MAC) && is->has_mac) {
		neighbour->usable = true;
		neighbour->failed = neighbour->lingers = false;
	} else {
		memcpy(neighbour->is.mac, mac, sizeof(mac));
		if (is->state & NUD_FAILED)
			neighbour_fail(neighbour, now_ms);
	}
	neighbour_store(hops, neighbour);
}

void hops_neighbour_problem(struct hops *hops, struct hop_neighbour *neighbour, const char *problem,
			    int64_t now_ms)
{
	neighbour_fail(neighbour, now_ms);
	snprintf(neighbour->problem, sizeof(neighbour->problem), "%s", problem);
	neighbour_store(hops, neighbour);
}

static struct hop_neighbour *neighbour_make(struct hops *hops, struct link *link,
					    const struct lb_addr *address)
{
	struct hop_neighbour *neighbour = calloc(1, sizeof(*neighbour));
	uint32_t bucket = bucket_of(link->is.ifindex, address);

	if (!neighbour)
		return NULL;
	neighbour->link = link;
	neighbour->is.ifindex = link->is.ifindex;
	neighbour->is.address = *address;
	neighbour->due = true;
	neighbour->next = hops->neighbours[bucket];
	hops->neighbours[bucket] = neighbour;
	return neighbour;
}

static void neighbour_free_unused(struct hops *hops, struct hop_neighbour *neighbour)
{
	struct hop_neighbour **at = &hops->neighbours[bucket_of_neighbour(neighbour)];

	if (neighbour->hops)
		return;
	while (*at != neighbour)
		at = &(*at)->next;
	*at = neighbour->next;
	hops->forget(hops->user, neighbour);
	free(neighbour);
}

/* --- hops --- */

static struct hop *hop_find(const struct hops *hops, uint32_t ifindex,
			    const struct lb_addr *gateway, uint32_t mtu)
{
	struct hop *hop = hops->buckets[bucket_of(ifindex, gateway)];

	for (; hop; hop = hop->next)
		if (hop->mtu == mtu && hop->neighbour->link->is.ifindex == ifindex &&
		    lb_addr_equal(&hop->neighbour->is.address, gateway))
			return hop;
	return NULL;
}

static uint32_t number_take(struct hops *hops)
{
	uint32_t number = hops->unused[hops->unused_head];

	hops->unused_head = (hops->unused_head + 1) % hops->array_size;
	hops->unused_count--;
	return number;
}

static void number_give(struct hops *hops, uint32_t number)
{
	hops->unused[(hops->unused_head + hops->unused_count++) % hops->array_size] = number;
}

static struct hop *hop_make(struct hops *hops, struct hop_neighbour *neighbour, uint32_t mtu)
{
	struct hop *hop = calloc(1, sizeof(*hop));
	uint32_t bucket = bucket_of_neighbour(neighbour);
	const char *why;

	if (!hop)
		return NULL;
	hop->neighbour = neighbour;
	hop->exit = hops_exit(hops, neighbour->link, &why);
	hop->mtu = mtu;
	hop->number = number_take(hops);
	hop->next = hops->buckets[bucket];
	hops->buckets[bucket] = hop;
	hops->by_number[hop->number] = hop;
	neighbour->hops++;
	hop_note(hop);
	entry_store(hops, hop);
	neighbour->link->hops++;
	if (hop->exit->exits++ == 0)
		hops->egress(hops->user, hop->exit->is.ifindex, true);
	return hop;
}

int hops_acquire(struct hops *hops, struct link *link, const struct lb_addr *gateway, uint32_t mtu,
		 struct hop **out)
{
	struct hop *hop = hop_find(hops, link->is.ifindex, gateway, mtu);
	struct hop_neighbour *neighbour;

	if (!hop && hops->unused_count == 0)
		return -ENOSPC;
	if (!hop) {
		neighbour = hops_neighbour_find(hops, link->is.ifindex, gateway);
		if (!neighbour)
			neighbour = neighbour_make(hops, link, gateway);
		if (!neighbour)
			return -ENOMEM;
		hop = hop_make(hops, neighbour, mtu);
		if (!hop) {
			neighbour_free_unused(hops, neighbour);
			return -ENOMEM;
		}
	}
	hop->destinations++;
	*out = hop;
	return 0;
}

void hops_release(struct hops *hops, struct hop *hop)
{
	struct hop_neighbour *neighbour;
	struct link *link, *way_out;
	struct hop **at;

	if (!hop || --hop->destinations)
		return;
	neighbour = hop->neighbour;
	link = neighbour->link;
	way_out = hop->exit;
	number_clear(hops, hop->number);
	at = &hops->buckets[bucket_of_neighbour(neighbour)];
	while (*at != hop)
		at = &(*at)->next;
	*at = hop->next;
	hops->by_number[hop->number] = NULL;
	number_give(hops, hop->number);
	free(hop);
	neighbour->hops--;
	neighbour_free_unused(hops, neighbour);
	link->hops--;
	if (--way_out->exits == 0)
		hops->egress(hops->user, way_out->is.ifindex, false);
	if (way_out != link)
		links_free_unused(hops->links, way_out);
	links_free_unused(hops->links, link);
}

bool hop_is_usable(const struct hop *hop)
{
	return !hop_problem(hop);
}

void hop_describe(const struct hop *hop, struct nexthop_info *info)
{
	const struct hop_neighbour *neighbour = hop->neighbour;
	const char *problem = hop_problem(hop);

	memset(info, 0, sizeof(*info));
	info->number = hop->number;
	snprintf(info->interface, sizeof(info->interface), "%s", neighbour->link->is.name);
	info->ifindex = neighbour->link->is.ifindex;
	snprintf(info->egress, sizeof(info->egress), "%s", hop->exit->is.name);
	info->egress_ifindex = hop->exit->is.ifindex;
	info->vlan = neighbour->link->is.vlan;
	info->gateway = neighbour->is.address;
	memcpy(info->dst_mac, neighbour->is.mac, sizeof(info->dst_mac));
	memcpy(info->src_mac, neighbour->link->is.mac, sizeof(info->src_mac));
	info->mtu = hop->mtu;
	info->resolved = !problem;
	snprintf(info->reason, sizeof(info->reason), "%s", problem ? problem : "");
	info->destinations = hop->destinations;
}
