/* SPDX-License-Identifier: BSD-2-Clause */
/* Which release is this? One number for lbd and lbctl, which are built together. */
#ifndef LB_VERSION_H
#define LB_VERSION_H

#define LB_VERSION "0.2.0"

#endif
