/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd give up every privilege that it does not need? */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "privileges.h"

#define BIT(capability) (UINT64_C(1) << (capability))

struct sets {
	uint64_t effective, permitted, inheritable;
};

static int failed(const char *what, struct lb_err *err)
{
	int error = errno;

	lb_err_set(err, LB_ERR_SYSTEM, "", "cannot %s: %s", what, strerror(error));
	return -error;
}

/* --- capget and capset, which libc does not have: two words of 32 bits --- */

static int sets_get(struct sets *out, struct lb_err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data))
		return failed("read the capabilities", err);
	*out = (struct sets){
		.effective = (uint64_t)data[1].effective << 32 | data[0].effective,
		.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted,
		.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable,
	};
	return 0;
}

static int sets_put(const struct sets *sets, struct lb_err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(sets->effective >> 32 * i),
			.permitted = (uint32_t)(sets->permitted >> 32 * i),
			.inheritable = (uint32_t)(sets->inheritable >> 32 * i),
		};
	return syscall(SYS_capset, &header, data) ? failed("give up capabilities", err) : 0;
}

/* --- the steps --- */

static uint64_t to_keep(uint64_t permitted, const struct privileges_wanted *options)
{
	const uint64_t in_sys_admin = BIT(CAP_BPF) | BIT(CAP_PERFMON);
	uint64_t wanted = in_sys_admin | BIT(CAP_NET_ADMIN);

	if (options->other_user)
		wanted |= BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL);
	if ((permitted & in_sys_admin) != in_sys_admin)
		wanted |= BIT(CAP_SYS_ADMIN);
	return permitted & wanted;
}

/* Both need CAP_SETPCAP, so they come before it goes. */
static int limit_programs(uint64_t keep, struct lb_err *err)
{
	int bits = prctl(PR_GET_SECUREBITS);

	for (int capability = 0; capability < 64; capability++) {
		int bounded = prctl(PR_CAPBSET_READ, capability);

		if (bounded < 0) /* beyond the last that this kernel knows */
			break;
		if (bounded && !(keep & BIT(capability)) && prctl(PR_CAPBSET_DROP, capability))
			return failed("shrink the bounding set", err);
	}
	/* EPERM: somebody locked them, and knew why. */
	if (bits < 0 || (prctl(PR_SET_SECUREBITS, bits | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) &&
			 errno != EPERM))
		return failed("set securebits", err);
	return 0;
}

int privileges_drop(const struct privileges_wanted *wanted, struct lb_err *err)
{
	struct sets sets = {0}, kept;
	int ret = sets_get(&sets, err);

	kept.permitted = kept.effective = to_keep(sets.permitted, wanted);
	kept.inheritable = 0; /* and with it the ambient set */
	if (!ret && sets.effective & BIT(CAP_SETPCAP))
		ret = limit_programs(kept.permitted, err);
	if (!ret)
		ret = sets_put(&kept, err);
	if (!ret && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = failed("set no_new_privs", err);
	return ret;
}
