/* SPDX-License-Identifier: BSD-2-Clause */
/* The VIP index as lbd keeps it: lines that the program looks VIPs up in (bpf/abi.h,
 * bpf/vip_index.h). Edited in place while packets flow, each word by one atomic store. Pure.
 *
 * What does not fit into its line stands in one of the next, or in the map alone. The lines that it has
 * passed are marked, and count it, until it is gone. An entry stays where it is: no reader can miss it.
 */
#ifndef LB_VIP_INDEX_TABLE_H
#define LB_VIP_INDEX_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../api/addr.h"

struct vip_index;

/* `lines`: of each array, LB_INDEX_REACH at least. NULL without memory. The lines may be those of an earlier
 * lbd: then every entry of the VIP maps is given to vip_index_adopt, and vip_index_adopted follows.
 */
struct vip_index *vip_index_new(struct lb_index4_line *lines4, struct lb_index6_line *lines6,
				uint32_t lines);
void vip_index_free(struct vip_index *index); /* the lines stay as they are */

void vip_index_adopt(struct vip_index *index, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value);
void vip_index_adopted(struct vip_index *index);

/* The endpoint has a protocol. Adds it: after the entry of the VIP map, which is asked for what
 * does not fit. */
void vip_index_add(struct vip_index *index, const struct lb_endpoint *endpoint,
		   const struct lb_vip_value *value);
/* Other flags for one that was added. */
void vip_index_flags(struct vip_index *index, const struct lb_endpoint *endpoint, uint32_t flags);
/* Other slots for one that was added. */
void vip_index_place(struct vip_index *index, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value);
/* Takes one away that was added: before the entry of the VIP map. */
void vip_index_del(struct vip_index *index, const struct lb_endpoint *endpoint);

#endif
