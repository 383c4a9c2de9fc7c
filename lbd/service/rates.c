// SPDX-License-Identifier: BSD-2-Clause
/* How do rates of VIPs get to where packets find them, and what have they met? */
#include "rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/rate_cell.h"
#include "facts.h"
#include "live.h"
#include "stage.h"

_Static_assert(LB_RATES == LB_RATES_MAX, "as many as the program asks");

struct rates {
	struct stage stage;
	uint32_t room;
	bool *seen; /* by VIP number, by the pass under way: a VIP has it */
};

static bool has_rates(const struct lb_vip *vip)
{
	return vip->rates.rule[0].of != LB_RATE_NONE;
}

/* --- before a change, and after it --- */

int rates_prepare(struct service *service, const struct lb_service *document, bool given,
		  bool dry_run, struct lb_err *err)
{
	if (!service->plane.rates_use || dry_run)
		return 0;
	return stage_prepare(service, &service->rates->stage, service->plane.rates_use, document,
			     given, err);
}

/* Numbers that no VIP has any more have no rules: the next one's counters begin anew. */
static void forget_gone(struct service *service)
{
	struct lb_rates *all = service->plane.rates(service->plane.datapath);
	const struct rates *rates = service->rates;

	memset(rates->seen, 0, rates->room * sizeof(*rates->seen));
	for (size_t i = 0; i < service->document->vip_count; i++)
		rates->seen[service->live[i].number] = true;
	for (uint32_t number = 0; number < rates->room; number++)
		if (!rates->seen[number] && all[number].rule[0].what)
			all[number] = (struct lb_rates){0};
}

void rates_follow(struct service *service)
{
	if (!service->rates->stage.in_use)
		return;
	forget_gone(service);
	stage_follow(service, &service->rates->stage, service->plane.rates_drop);
}

/* --- what packets find --- */

/* The first bits of an address, as it lies in a packet. */
static void set_mask(uint64_t bits, __u64 mask[2])
{
	uint8_t bytes[16] = {0};

	for (uint64_t bit = 0; bit < bits; bit++)
		bytes[bit / 8] |= 0x80 >> bit % 8;
	memcpy(mask, bytes, sizeof(bytes));
}

static struct lb_rate rule_of(const struct lb_vip_rate *rate, int family)
{
	static const uint32_t kinds[] = {
		[LB_RATE_IN_PACKETS] = LB_RATE_PACKETS,
		[LB_RATE_IN_SYNS] = LB_RATE_SYNS,
		[LB_RATE_IN_BYTES] = LB_RATE_BYTES,
	};
	struct lb_rate rule = {.price = rate_price(rate->per_second), .what = kinds[rate->kind]};

	set_mask(lb_rate_length(rate, family), rule.mask);
	rule.what |= rate->of == LB_RATE_VIP ? LB_RATE_WHOLE : 0;
	rule.what |= rate->monitor ? LB_RATE_MONITOR : 0;
	return rule;
}

/* A rule that changes is none in between. */
static void put_rule(struct lb_rate *at, const struct lb_rate *rule)
{
	__atomic_store_n(&at->what, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&at->price, rule->price, __ATOMIC_RELEASE);
	__atomic_store_n(&at->mask[0], rule->mask[0], __ATOMIC_RELEASE);
	__atomic_store_n(&at->mask[1], rule->mask[1], __ATOMIC_RELEASE);
	__atomic_store_n(&at->what, rule->what, __ATOMIC_RELEASE);
}

uint32_t rates_put(const struct service *service, const struct lb_vip *vip, uint32_t number)
{
	const struct plane *plane = &service->plane;
	struct lb_rates *all = plane->rates ? plane->rates(plane->datapath) : NULL;
	struct lb_rates wanted = {0};

	if (!all)
		return 0;
	for (unsigned int i = 0; i < LB_RATES && vip->rates.rule[i].of; i++)
		wanted.rule[i] = rule_of(&vip->rates.rule[i], vip->endpoint.address.family);
	if (memcmp(&all[number], &wanted, sizeof(wanted)) != 0) {
		for (unsigned int i = 0; i < LB_RATES; i++)
			put_rule(&all[number].rule[i], &wanted.rule[i]);
		plane->rates_over_reset(plane->datapath, number);
	}
	return has_rates(vip) ? LB_GUARD_RATES : 0;
}

/* --- what is told --- */

bool service_vip_rates(struct service *service, const struct lb_vip *vip, struct lb_rates_over *out)
{
	const uint32_t number = live_of(service, vip)->number;

	*out = (struct lb_rates_over){0};
	return has_rates(vip) && service->rates->stage.in_use &&
	       !service->plane.rates_over(service->plane.datapath, number, out);
}

json_t *rates_state(struct service *service, const struct lb_vip *vip)
{
	struct lb_rates_over over;
	char text[LB_RATE_TEXT];
	json_t *state;

	if (!service_vip_rates(service, vip, &over))
		return NULL;
	state = json_array();
	for (unsigned int i = 0; i < LB_RATES && vip->rates.rule[i].of; i++)
		json_array_append_new(state, json_pack("{s:s, s:I}", "rate",
						       lb_rate_format(&vip->rates.rule[i], text),
						       "exceeded", (json_int_t)over.packets[i]));
	return state;
}

void rates_warnings(const struct service *service, json_t *warnings)
{
	if (*service->rates->stage.fault)
		json_array_append_new(warnings, json_sprintf("rates are not in force: %s",
							     service->rates->stage.fault));
}

/* --- life --- */

int rates_open(struct service *service, struct lb_err *err)
{
	struct rates *rates = service->rates = calloc(1, sizeof(*rates));

	if (!rates)
		return lb_err_no_memory(err);
	rates->stage = (struct stage){.name = "rates", .needs = has_rates};
	rates->room = place_numbers(service->config);
	rates->seen = calloc(rates->room, sizeof(*rates->seen));
	return rates->seen ? 0 : lb_err_no_memory(err);
}

void rates_close(struct service *service)
{
	if (!service->rates)
		return;
	free(service->rates->seen);
	free(service->rates);
}
