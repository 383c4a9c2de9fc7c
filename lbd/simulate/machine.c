/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of the machine? Nothing: it has the interfaces of lbd.json, up, and every right. */
#include "simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/rpc.h"
#include "../control/preflight_again.h"
#include "../host/exec_rights.h"
#include "../host/privileges.h"
#include "../plane/interfaces.h"
#include "../plane/preflight.h"
#include "../plane/shadow.h"
#include "../route/links.h"
#include "../route/pmtu.h"

/* --- rights --- */

int privileges_drop(const struct privileges_wanted *wanted, struct lb_err *err)
{
	(void)wanted;
	(void)err;
	return 0;
}

int exec_rights_resolve(struct exec_rights *rights, struct lb_err *err)
{
	(void)rights;
	(void)err;
	return 0;
}

/* No command is run, so none need be there; that they are allowed at all is asked. */
int exec_rights_find(const struct exec_rights *rights, const char *command, char *path,
		     struct lb_err *err)
{
	if (!*rights->folder)
		return lb_err_set(err, LB_ERR_REFUSED, "",
				  "exec checks are off: lbd.json has no exec_checks");
	snprintf(path, PATH_MAX, "%s", command);
	return 0;
}

/* --- problems: one --- */

int preflight_check(const struct config *config, json_t *warnings, struct lb_err *err)
{
	(void)config;
	(void)err;
	json_array_append_new(warnings, json_string(LB_SIMULATED_WARNING));
	return 0;
}

void preflight_again_init(struct preflight_again *again, const struct config *config)
{
	*again = (struct preflight_again){.config = config, .warnings = json_array()};
}

void preflight_again_serve(struct preflight_again *again, const struct service *service)
{
	again->service = service;
}

void preflight_warn(struct preflight_again *again, json_t *warnings)
{
	json_array_extend(warnings, again->warnings);
}

void preflight_again_clear(struct preflight_again *again)
{
	json_decref(again->warnings);
	again->warnings = NULL;
}

struct shadow *shadow_look(void)
{
	return NULL;
}

void shadow_free(struct shadow *shadow)
{
	(void)shadow;
}

json_t *shadow_warning(const struct shadow *shadow, const struct lb_vip *vip)
{
	(void)shadow;
	(void)vip;
	return NULL;
}

/* --- interfaces --- */

struct links_table {
	struct link link[LB_INTERFACES_MAX];
};

int links_open(struct event_base *base, struct links_table **out, struct lb_err *err)
{
	const struct config *config = simulated_config();
	struct links_table *table = calloc(1, sizeof(*table));

	(void)base;
	*out = table;
	if (!table)
		return lb_err_no_memory(err);
	for (size_t i = 0; i < config->interface_count; i++) {
		struct link *link = &table->link[i];

		*link = (struct link){.present = true,
				      .is = {.ifindex = (uint32_t)i + 1,
					     .mtu = SIMULATED_MTU,
					     .ethernet = true,
					     .enabled = true,
					     .up = true}};
		memcpy(link->is.name, config->interfaces[i], IF_NAMESIZE);
		link->next = i + 1 < config->interface_count ? link + 1 : NULL;
	}
	return 0;
}

void links_close(struct links_table *table)
{
	free(table);
}

struct link *links_first(const struct links_table *table)
{
	return (struct link *)table->link;
}

struct link *links_find(const struct links_table *table, uint32_t ifindex)
{
	if (!ifindex || ifindex > simulated_config()->interface_count)
		return NULL;
	return (struct link *)&table->link[ifindex - 1];
}

struct interfaces {
	struct datapath_attachment at[LB_INTERFACES_MAX];
};

int interfaces_open(const struct config *config, struct datapath *datapath, struct event_base *base,
		    struct links_table *links, struct events *events, struct interfaces **out,
		    struct lb_err *err)
{
	struct interfaces *interfaces = calloc(1, sizeof(*interfaces));

	(void)datapath;
	(void)base;
	(void)links;
	(void)events;
	if (!interfaces)
		return lb_err_no_memory(err);
	for (size_t i = 0; i < config->interface_count; i++)
		interfaces->at[i] = (struct datapath_attachment){.ifindex = (uint32_t)i + 1,
								 .mode = XDP_MODE_NATIVE};
	*out = interfaces;
	return 0;
}

void interfaces_close(struct interfaces *interfaces)
{
	free(interfaces);
}

const struct datapath_attachment *interfaces_attachments(const struct interfaces *interfaces)
{
	return interfaces->at;
}

/* --- messages of routers: none --- */

int pmtu_open(struct event_base *base, pmtu_heard heard, void *user, struct pmtu **out,
	      struct lb_err *err)
{
	(void)base;
	(void)heard;
	(void)user;
	(void)err;
	*out = NULL;
	return 0;
}

void pmtu_close(struct pmtu *pmtu)
{
	(void)pmtu;
}
