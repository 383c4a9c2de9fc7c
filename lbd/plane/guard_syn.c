/* SPDX-License-Identifier: BSD-2-Clause */
/* Where is the secret of the SYN guard while packets use it? */
#include "guard.h"

int datapath_syn_use(struct datapath *datapath, struct lb_err *err)
{
	return datapath_guard_use(datapath, GUARD_SYN, err);
}

void datapath_syn_drop(struct datapath *datapath)
{
	datapath_guard_drop(datapath, GUARD_SYN);
}

struct lb_guard_secret *datapath_guard_secret(struct datapath *datapath)
{
	return datapath_guard_maps(datapath).secret;
}
