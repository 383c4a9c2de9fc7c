/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd give up every privilege that it does not need? */
#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include "privileges.h"

#define CAPABILITIES                                                                               \
	64 /* room for them; libcap-ng passes over those that the kernel does not know */

static int failed(const char *what, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot %s: %s", what, strerror(errno));
}

static bool has(unsigned int capability)
{
	return capng_have_capability(CAPNG_PERMITTED, capability);
}

static bool is_kept(unsigned int capability, const struct privileges_wanted *wanted)
{
	switch (capability) {
	case CAP_BPF:
	case CAP_PERFMON:
	case CAP_NET_ADMIN:
		return has(capability);
	case CAP_SETUID:
	case CAP_SETGID:
	case CAP_KILL:
		return wanted->other_user && has(capability);
	case CAP_SYS_ADMIN:
		return has(capability) && !(has(CAP_BPF) && has(CAP_PERFMON));
	default:
		return false;
	}
}

static void choose(const struct privileges_wanted *wanted)
{
	const capng_type_t own = CAPNG_EFFECTIVE | CAPNG_PERMITTED;

	for (unsigned int capability = 0; capability < CAPABILITIES; capability++) {
		const bool kept = is_kept(capability, wanted);

		capng_update(kept ? CAPNG_ADD : CAPNG_DROP, own, capability);
		capng_update(CAPNG_DROP, CAPNG_INHERITABLE | CAPNG_AMBIENT, capability);
		if (!kept)
			capng_update(CAPNG_DROP, CAPNG_BOUNDING_SET, capability);
	}
}

/* User 0 is nothing special any more. */
static int set_securebits(struct lb_err *err)
{
	int bits = prctl(PR_GET_SECUREBITS);

	/* EPERM: somebody locked them, and knew why. */
	if (bits < 0 || (prctl(PR_SET_SECUREBITS, bits | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) &&
			 errno != EPERM))
		return failed("set securebits", err);
	return 0;
}

/* Securebits and the bounding set need CAP_SETPCAP. */
int privileges_drop(const struct privileges_wanted *wanted, struct lb_err *err)
{
	capng_select_t sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;

	if (capng_get_caps_process())
		return failed("read the capabilities", err);
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		if (set_securebits(err))
			return -EINVAL;
		sets = CAPNG_SELECT_ALL;
	}
	choose(wanted);
	if (capng_apply(sets))
		return failed("give up capabilities", err);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? failed("set no_new_privs", err) : 0;
}
