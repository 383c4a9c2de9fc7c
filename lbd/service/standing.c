/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the health of a VIP's backends mean for its flows? */
#include "standing.h"

#include "../../bpf/abi.h"

static bool is_checked(const struct lb_vip *vip)
{
	return vip->health.kind != LB_HEALTH_NONE;
}

struct health_standing standing_of_new(const struct lb_vip *vip, bool anything_known)
{
	if (!is_checked(vip))
		return (struct health_standing){.is = STANDING_FIT, .known = true};
	if (anything_known || vip->when_all_unhealthy == LB_ALL_UNHEALTHY_DROP)
		return (struct health_standing){.is = STANDING_WAITING};
	return (struct health_standing){.is = STANDING_FIT};
}

struct health_standing standing_of_left(uint32_t flags)
{
	struct health_standing standing = {.known = true};

	if (flags & LB_MEMBER_NEW)
		standing.is = STANDING_FIT;
	else
		standing.is = flags & LB_MEMBER_OLD ? STANDING_WAITING : STANDING_ILL;
	return standing;
}

struct health_standing standing_of_result(enum health_status status)
{
	return (struct health_standing){
		.is = status == HEALTH_HEALTHY ? STANDING_FIT : STANDING_ILL,
		.known = true,
	};
}

static bool none_fit(const struct lb_vip *vip, const struct health_standing *standings)
{
	for (size_t i = 0; i < vip->backend_count; i++)
		if (standings[i].is == STANDING_FIT && lb_backend_share(&vip->backends[i]))
			return false;
	return true;
}

bool standing_weigh(const struct lb_vip *vip, const struct health_standing *standings,
		    uint32_t *weights)
{
	const bool none = is_checked(vip) && none_fit(vip, standings);
	const bool use_all = none && vip->when_all_unhealthy == LB_ALL_UNHEALTHY_USE_ALL;

	for (size_t i = 0; i < vip->backend_count; i++) {
		const bool used = use_all || standings[i].is == STANDING_FIT || !is_checked(vip);

		weights[i] = used ? lb_backend_share(&vip->backends[i]) : 0;
	}
	return use_all;
}

bool standing_keeps_old(const struct lb_vip *vip, struct health_standing standing, bool use_all)
{
	return use_all || !is_checked(vip) || vip->on_unhealthy == LB_ON_UNHEALTHY_KEEP ||
	       standing.is != STANDING_ILL;
}
