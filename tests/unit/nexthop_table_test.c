/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in the array for next hops: on VLAN devices, and when neighbours no longer answer? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/route/nexthop_table.h"

#define SIZE 8
#define CARD 2u
#define VLAN 3u
#define INNER 4u /* a VLAN device on VLAN */

struct rig {
	struct lb_nexthop array[SIZE];
	struct hops hops;
	struct links_table *links;
	struct links_subscriber on_link;
	int in_use[8]; /* by interface: times told to be an egress, less those that it ceased */
	unsigned int states;
};

static void on_egress(void *user, uint32_t ifindex, bool in_use)
{
	((struct rig *)user)->in_use[ifindex] += in_use ? 1 : -1;
}

static void on_state(void *user, const struct hop *hop)
{
	(void)hop;
	((struct rig *)user)->states++;
}

static void on_forget(void *user, const struct hop_neighbour *neighbour)
{
	(void)user, (void)neighbour;
}

static void on_link(void *user, struct link *link, const struct link *before)
{
	hops_link_changed(&((struct rig *)user)->hops, link, before);
}

static struct link_info link_of(uint32_t ifindex, const char *name)
{
	struct link_info link = {
		.ifindex = ifindex,
		.mac = {2, 0, 0, 0, 0, (uint8_t)ifindex},
		.mtu = 1500,
		.ethernet = true,
		.up = true,
	};

	strcpy(link.name, name);
	return link;
}

static struct link_info vlan_of(uint32_t ifindex, uint32_t lower, uint16_t vlan)
{
	struct link_info link = link_of(ifindex, "vlan");

	link.is_vlan = true;
	link.lower = lower;
	link.vlan = vlan;
	link.vlan_protocol = htons(0x8100);
	return link;
}

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	assert_int_equal(links_open(NULL, &rig->links, NULL), 0);
	rig->on_link = (struct links_subscriber){.changed = on_link, .user = rig};
	links_subscribe(rig->links, &rig->on_link);
	assert_int_equal(hops_init(&rig->hops, rig->links, rig->array, SIZE), 0);
	rig->hops.egress = on_egress;
	rig->hops.state = on_state;
	rig->hops.forget = on_forget;
	rig->hops.user = rig;
	return rig;
}

static void rig_free(struct rig *rig)
{
	hops_clear(&rig->hops);
	links_close(rig->links);
	free(rig);
}

static void set(struct rig *rig, struct link_info link, bool gone)
{
	assert_int_equal(links_note(rig->links, &link, gone), 0);
}

/* A next hop on the VLAN device, of which nothing is known yet. */
static struct hop *acquired(struct rig *rig)
{
	const struct lb_addr gateway = {.family = 4, .bytes = {10, 0, 0, 9}};
	struct hop *hop;

	assert_int_equal(
		hops_acquire(&rig->hops, links_find(rig->links, VLAN), &gateway, 1500, &hop), 0);
	return hop;
}

/* The kernel says so of its neighbour. */
static void says(struct rig *rig, struct hop *hop, uint16_t state, int64_t now_ms)
{
	struct netlink_neighbour is = {
		.ifindex = VLAN,
		.address = hop->neighbour->is.address,
		.state = state,
		.has_mac = state == NUD_REACHABLE,
	};

	if (is.has_mac)
		memcpy(is.mac, (uint8_t[]){2, 0, 0, 0, 1, 9}, 6);
	hops_neighbour_set(&rig->hops, hop->neighbour, &is, false, now_ms);
}

static struct hop *resolved(struct rig *rig)
{
	struct hop *hop = acquired(rig);

	says(rig, hop, NUD_REACHABLE, 0);
	return hop;
}

static void frames_leave_below_the_vlan_device_with_its_tag(void **state)
{
	static const uint8_t source[] = {2, 0, 0, 0, 0, VLAN}, destination[] = {2, 0, 0, 0, 1, 9};
	struct rig *rig = rig_new();
	struct nexthop_info info;
	struct hop *hop;

	(void)state;
	set(rig, vlan_of(VLAN, CARD, 100), false); /* in any order */
	set(rig, link_of(CARD, "card"), false);
	hop = resolved(rig);
	assert_int_equal(rig->array[hop->number].valid, 1);
	assert_int_equal(rig->array[hop->number].ifindex, CARD);
	assert_int_equal(rig->array[hop->number].vlan, 100);
	assert_int_equal(ntohs(rig->array[hop->number].vlan_protocol), 0x8100);
	assert_memory_equal(rig->array[hop->number].src_mac, source, 6);
	assert_memory_equal(rig->array[hop->number].dst_mac, destination, 6);
	hop_describe(hop, &info);
	assert_string_equal(info.interface, "vlan");
	assert_string_equal(info.egress, "card");
	assert_int_equal(info.vlan, 100);
	assert_int_equal(rig->in_use[CARD], 1);
	assert_int_equal(rig->in_use[VLAN], 0);
	hops_release(&rig->hops, hop);
	assert_int_equal(rig->in_use[CARD], 0);
	rig_free(rig);
}

static void what_becomes_of_the_link_below_becomes_of_the_hop(void **state)
{
	struct rig *rig = rig_new();
	struct link_info card = link_of(CARD, "card");
	struct nexthop_info info;
	struct hop *hop;

	(void)state;
	set(rig, card, false);
	set(rig, vlan_of(VLAN, CARD, 100), false);
	hop = resolved(rig);
	assert_true(hop_is_usable(hop));
	rig->states = 0;
	card.up = false;
	set(rig, card, false);
	hop_describe(hop, &info);
	assert_string_equal(info.reason, "link is down");
	assert_int_equal(rig->array[hop->number].valid, 0);
	assert_int_equal(rig->states, 1);
	set(rig, card, true);
	hop_describe(hop, &info);
	assert_string_equal(info.reason, "interface is gone");
	set(rig, vlan_of(VLAN, CARD, 100), true);
	hops_release(&rig->hops, hop);
	assert_null(links_find(rig->links, CARD));
	assert_null(links_find(rig->links, VLAN));
	rig_free(rig);
}

static void vlans_that_cannot_be_left_by_say_why(void **state)
{
	struct rig *rig = rig_new();
	struct link_info elsewhere = vlan_of(5, CARD, 7), tunnel = link_of(6, "tunnel");
	const char *why = NULL;

	(void)state;
	elsewhere.lower_elsewhere = true;
	tunnel.ethernet = false;
	set(rig, link_of(CARD, "card"), false);
	set(rig, vlan_of(VLAN, CARD, 100), false);
	set(rig, vlan_of(INNER, VLAN, 7), false);
	set(rig, elsewhere, false);
	set(rig, tunnel, false);
	set(rig, vlan_of(7, 6, 7), false);
	assert_ptr_equal(hops_exit(&rig->hops, links_find(rig->links, VLAN), &why),
			 links_find(rig->links, CARD));
	assert_null(hops_exit(&rig->hops, links_find(rig->links, INNER), &why));
	assert_string_equal(why, "is a VLAN in a VLAN: only one tag can be added");
	assert_null(hops_exit(&rig->hops, links_find(rig->links, 5), &why));
	assert_string_equal(why, "is a VLAN of another namespace's interface");
	assert_null(hops_exit(&rig->hops, links_find(rig->links, 7), &why));
	assert_string_equal(why, "is a VLAN of an interface that is not Ethernet");
	set(rig, link_of(CARD, "card"), true);
	assert_null(hops_exit(&rig->hops, links_find(rig->links, VLAN), &why));
	assert_string_equal(why, "is a VLAN of an interface that is not known yet");
	rig_free(rig);
}

static void a_hop_without_vlan_has_no_tag(void **state)
{
	struct rig *rig = rig_new();
	struct hop *hop;

	(void)state;
	set(rig, link_of(VLAN, "card"), false);
	hop = resolved(rig);
	assert_int_equal(rig->array[hop->number].vlan, 0);
	assert_int_equal(rig->array[hop->number].ifindex, VLAN);
	hops_release(&rig->hops, hop);
	rig_free(rig);
}

static void reason_is(const struct hop *hop, const char *reason)
{
	struct nexthop_info info;

	hop_describe(hop, &info);
	assert_string_equal(info.reason, reason);
}

static void the_mac_of_a_neighbour_that_fails_is_used_for_a_minute(void **state)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 1, 9};
	struct rig *rig = rig_new();
	struct hop *hop;

	(void)state;
	set(rig, link_of(VLAN, "card"), false);
	hop = resolved(rig);
	rig->states = 0;
	for (int64_t now = 1000; now < 61000; now += 3000) { /* as the kernel reports it */
		says(rig, hop, NUD_FAILED, now);
		says(rig, hop, NUD_INCOMPLETE, now + 100);
		assert_int_equal(rig->array[hop->number].valid, 1);
		assert_memory_equal(rig->array[hop->number].dst_mac, mac, 6);
		assert_false(hop_is_usable(hop));
		reason_is(hop,
			  "neighbour does not answer; its last MAC address is used for a minute");
	}
	assert_int_equal(rig->states, 1);
	says(rig, hop, NUD_FAILED, 61000);
	assert_int_equal(rig->array[hop->number].valid, 0);
	reason_is(hop, "neighbour does not answer");
	assert_int_equal(rig->states, 2);
	says(rig, hop, NUD_FAILED, 64000);
	assert_int_equal(rig->array[hop->number].valid, 0);
	says(rig, hop, NUD_REACHABLE, 65000);
	assert_int_equal(rig->array[hop->number].valid, 1);
	says(rig, hop, NUD_FAILED, 99000);
	assert_int_equal(rig->array[hop->number].valid, 1);
	hops_release(&rig->hops, hop);
	rig_free(rig);
}

static void a_neighbour_that_cannot_be_asked_is_used_for_a_minute(void **state)
{
	struct rig *rig = rig_new();
	struct hop *hop;

	(void)state;
	set(rig, link_of(VLAN, "card"), false);
	hop = resolved(rig);
	for (int64_t now = 1000; now < 61000; now += 3000) {
		hops_neighbour_problem(&rig->hops, hop->neighbour, "the table is full", now);
		assert_int_equal(rig->array[hop->number].valid, 1);
		reason_is(hop, "the table is full");
	}
	hops_neighbour_problem(&rig->hops, hop->neighbour, "the table is full", 61000);
	assert_int_equal(rig->array[hop->number].valid, 0);
	hops_release(&rig->hops, hop);
	rig_free(rig);
}

static void a_neighbour_that_never_answered_gets_nothing(void **state)
{
	struct rig *rig = rig_new();
	struct hop *hop;

	(void)state;
	set(rig, link_of(VLAN, "card"), false);
	hop = acquired(rig);
	says(rig, hop, NUD_FAILED, 1000);
	assert_int_equal(rig->array[hop->number].valid, 0);
	reason_is(hop, "neighbour does not answer");
	hops_release(&rig->hops, hop);
	rig_free(rig);
}

static void a_mac_is_forgotten_with_the_link(void **state)
{
	struct link_info card = link_of(VLAN, "card");
	struct rig *rig = rig_new();
	struct hop *hop;

	(void)state;
	set(rig, card, false);
	hop = resolved(rig);
	says(rig, hop, NUD_FAILED, 1000);
	card.up = false;
	set(rig, card, false);
	assert_int_equal(rig->array[hop->number].valid, 0);
	card.up = true;
	set(rig, card, false);
	says(rig, hop, NUD_FAILED, 2000);
	assert_int_equal(rig->array[hop->number].valid, 0);
	hops_release(&rig->hops, hop);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_leave_below_the_vlan_device_with_its_tag),
		cmocka_unit_test(what_becomes_of_the_link_below_becomes_of_the_hop),
		cmocka_unit_test(vlans_that_cannot_be_left_by_say_why),
		cmocka_unit_test(a_hop_without_vlan_has_no_tag),
		cmocka_unit_test(the_mac_of_a_neighbour_that_fails_is_used_for_a_minute),
		cmocka_unit_test(a_neighbour_that_cannot_be_asked_is_used_for_a_minute),
		cmocka_unit_test(a_neighbour_that_never_answered_gets_nothing),
		cmocka_unit_test(a_mac_is_forgotten_with_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
