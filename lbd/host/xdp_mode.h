/* SPDX-License-Identifier: BSD-2-Clause */
/* By which hook of an interface XDP takes packets: the driver's, or the stack's generic one. */
#ifndef LB_XDP_MODE_H
#define LB_XDP_MODE_H

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC };

#endif
