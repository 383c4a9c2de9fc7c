/* SPDX-License-Identifier: BSD-2-Clause */
/* The methods about this node in the network: node.show, node.drain, node.undrain. */
#ifndef LB_METHODS_NODE_H
#define LB_METHODS_NODE_H

#include "methods.h"

int methods_node_show(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err);
int methods_node_drain(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err);
int methods_node_undrain(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err);

#endif
