/* SPDX-License-Identifier: BSD-2-Clause */
/* Which keys of encrypted QUIC connection ids does a document need, and when are they read?
 *
 * A document has the names of their files. A file is read when a document needs it first, and again when lbd
 * is told to (SIGHUP, config.reload): an operator changes it at many hosts, and says when all have it.
 */
#include "quic_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/log.h"
#include "../host/simulation.h"
#include "entry.h"
#include "live.h"
#include "quic_ring.h"

struct quic_keys {
	struct chore look;
	bool read_again;
	char missing[FAULT_TEXT];          /* why lbd does not have a key */
	char stale[FAULT_TEXT];            /* why it has the one that was read before */
	char stale_name[LB_QUIC_KEY_TEXT]; /* of that key's file */
};

static int take(struct service *service, const char *name, bool dry_run, struct lb_err *err)
{
	char path[sizeof(service->config->quic_keys) + LB_QUIC_KEY_TEXT];
	uint8_t bytes[16];
	int error;

	if (quic_ring_number(service, name) && !service->quic_keys->read_again)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", service->config->quic_keys, name);
	worker_leave();
	error = lb_quic_key_read(path, bytes, err);
	worker_enter();
	if (!error && !dry_run)
		error = quic_ring_learn(service, name, bytes, err);
	explicit_bzero(bytes, sizeof(bytes));
	return error;
}

/* --- what is told --- */

/* Until the file is read again and is right, or no VIP has the key. */
static void keep_stale(struct service *service, const char *name, const char *why)
{
	struct quic_keys *keys = service->quic_keys;

	if (*why)
		log_line(LOG_LEVEL_WARNING, "QUIC key %s stays as it is: %s", name, why);
	snprintf(keys->stale_name, sizeof(keys->stale_name), "%s", name);
	fault_keep(service, keys->stale, "quic_key", why);
}

void quic_keys_warnings(const struct service *service, json_t *warnings)
{
	const struct quic_keys *keys = service->quic_keys;

	if (*keys->missing)
		json_array_append_new(
			warnings,
			json_sprintf("QUIC packets go by their addresses where ids are encrypted "
				     "with a key that lbd does not have: %s",
				     keys->missing));
	if (*keys->stale)
		json_array_append_new(warnings,
				      json_sprintf("QUIC key %s is still the one that lbd had "
						   "before it was told to read it again: %s",
						   keys->stale_name, keys->stale));
}

bool quic_keys_behind(const struct service *service)
{
	return *service->quic_keys->missing || *service->quic_keys->stale;
}

/* --- those of a document --- */

static bool has_key(const struct lb_vip *vip, const char *name)
{
	for (size_t n = 0; vip && n < vip->quic_count; n++)
		if (!strcmp(vip->quic[n].key, name))
			return true;
	return false;
}

/* That lbd does not have a key of a VIP in force is said already, and stops no change of anything else. Nobody
 * has keys where changes are tried without a balancer. */
static bool does_without(const struct service *service, const struct lb_vip *vip, const char *name)
{
	return simulation_is_on() ||
	       has_key(lb_service_find_endpoint(service->document, &vip->endpoint), name);
}

int quic_keys_prepare(struct service *service, const struct lb_service *document, bool given,
		      bool dry_run, struct lb_err *err)
{
	char missing[FAULT_TEXT] = "";

	if (service->quic_keys->read_again && !dry_run)
		keep_stale(service, "", "");
	for (size_t i = 0; i < document->vip_count; i++)
		for (size_t n = 0; n < document->vips[i].quic_count; n++) {
			const char *name = document->vips[i].quic[n].key;
			struct lb_err inner = {0};

			if (!*name || !take(service, name, dry_run, &inner))
				continue;
			if (quic_ring_number(service, name)) {
				keep_stale(service, name, inner.message);
			} else if (given || does_without(service, &document->vips[i], name)) {
				snprintf(missing, sizeof(missing), "%s", inner.message);
			} else {
				*err = inner;
				lb_err_prefix(err, "vips[%zu].quic[%zu].key", i, n);
				return -EINVAL;
			}
		}
	if (dry_run)
		return 0;
	fault_keep(service, service->quic_keys->missing, "quic_key", missing);
	return 0;
}

static bool is_used(const struct service *service, const char *name)
{
	const struct lb_service *document = service->document;

	for (size_t i = 0; i < document->vip_count; i++)
		if (has_key(&document->vips[i], name))
			return true;
	return false;
}

void quic_keys_settle(struct service *service)
{
	if (!service_has_quic_keys(service))
		return;
	for (size_t i = 0; i < service->document->vip_count; i++)
		if (service->document->vips[i].quic_count)
			entry_quic(service, &service->document->vips[i], &service->live[i]);
	quic_ring_keep(service, is_used);
	if (!is_used(service, service->quic_keys->stale_name))
		keep_stale(service, "", "");
}

/* By who makes changes: none is under way. A change that came before this has read its own document's keys again, and
 * may have been refused: those in force are read all the same. */
static void on_look(void *user)
{
	struct service *service = user;

	quic_keys_prepare(service, service->document, true, false, NULL);
	service->quic_keys->read_again = false;
	quic_keys_settle(service);
}

void service_quic_keys(struct service *service)
{
	service->quic_keys->read_again = true;
	chore_set(&service->quic_keys->look, 0);
}

bool service_has_quic_keys(const struct service *service)
{
	return quic_ring_any(service) || *service->quic_keys->missing;
}

/* --- life --- */

int quic_keys_open(struct service *service, struct lb_err *err)
{
	struct quic_keys *keys = service->quic_keys = calloc(1, sizeof(*keys));

	service->quic_ring = quic_ring_new(service->plane.quic_keys);
	if (!keys || !service->quic_ring ||
	    chore_open(&keys->look, &service->timers, &service->changes, "QUIC keys", on_look,
		       service))
		return lb_err_no_memory(err);
	return 0;
}

void quic_keys_close(struct service *service)
{
	quic_ring_free(service->quic_ring);
	if (service->quic_keys)
		chore_close(&service->quic_keys->look);
	free(service->quic_keys);
}
