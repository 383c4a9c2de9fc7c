/* SPDX-License-Identifier: BSD-2-Clause */
/* What does it mean that a backend has refused an outer packet, and what cures that? */
#include "refusal.h"

#include <stdio.h>

/* What to do at a backend that does not know the protocol of the outer header. */
static const char *cure(const struct lb_addr *vip, const struct lb_addr *backend)
{
	if (backend->family == 6)
		return "modprobe ip6_tunnel && ip link set ip6tnl0 up";
	return vip->family == 6 ? "modprobe sit && ip link set sit0 up"
				: "modprobe ipip && ip link set tunl0 up";
}

void health_refusal_text(enum pmtu_refusal refusal, const struct lb_addr *vip,
			 const struct lb_addr *backend, char *out, size_t size)
{
	static const char what[] = "the backend does not take off the outer header";

	*out = '\0';
	if (refusal == PMTU_NO_PORT)
		snprintf(out, size, "%s (ICMP port unreachable): ip%s fou add port 6080 gue", what,
			 backend->family == 6 ? " -6" : "");
	else if (refusal)
		snprintf(out, size, "%s (ICMP %s unreachable): %s", what,
			 refusal == PMTU_NO_PROTOCOL ? "protocol" : "port", cure(vip, backend));
}
