/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a node tell the others of itself? */
#include "node.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "../client.h"
#include "../view.h"

/* FNV-1a, of 64 bits: differences are to be seen, not forgeries. */
static uint64_t mix(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return (hash ^ '\n') * 0x100000001b3;
}

uint64_t node_tables(const json_t *vips)
{
	uint64_t hash = 0xcbf29ce484222325;
	const json_t *vip;
	size_t i;

	json_array_foreach (vips, i, vip) {
		hash = mix(hash, view_text(vip, "address"));
		hash = mix(hash, view_text(vip, "digest"));
	}
	return hash;
}

static int ask(const char *socket, const char *method, json_t **result, struct lb_err *err)
{
	return client_call(socket, CLIENT_TIMEOUT_S, method, NULL, result, err);
}

static int64_t packets_per_s(const json_t *stats, struct node_rate *rate)
{
	int64_t at_ms = view_integer(stats, "at_ms"), packets = 0, before = rate->packets;
	int64_t passed_ms = rate->at_ms ? at_ms - rate->at_ms : 0;
	const json_t *verdict;
	size_t i;

	json_array_foreach (json_object_get(stats, "verdicts"), i, verdict)
		if (strcmp(view_text(verdict, "action"), "forward") == 0)
			packets += view_integer(verdict, "packets");
	*rate = (struct node_rate){packets, at_ms};
	return passed_ms > 0 && packets >= before ? (packets - before) * 1000 / passed_ms : 0;
}

static json_t *describe(const json_t *status, const json_t *vips, const json_t *stats,
			const struct node_lbd *lbd, struct node_rate *rate)
{
	const json_t *health = json_object_get(status, "health");

	return json_pack(
		"{s:s, s:I, s:I, s:b, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:O*}", "version",
		view_text(status, "version"), "abi", (json_int_t)view_integer(status, "abi"),
		"revision", (json_int_t)lbd->revision, "edited", lbd->edited, "document",
		view_text(status, "document_digest"), "tables",
		json_sprintf("%016" PRIx64, node_tables(json_object_get(vips, "vips"))), "seed",
		view_text(json_object_get(status, "hash_seed"), "digest"), "healthy",
		(json_int_t)view_integer(health, "healthy"), "unhealthy",
		(json_int_t)lbd->unhealthy, "unknown", (json_int_t)view_integer(health, "unknown"),
		"unroutable", (json_int_t)lbd->unroutable, "packets_per_s",
		(json_int_t)packets_per_s(stats, rate), "agreement",
		json_object_get(health, "agreement"));
}

int node_ask(const char *socket, struct node_rate *rate, struct node_lbd *out, json_t **node,
	     struct lb_err *err)
{
	json_t *status = NULL, *vips = NULL, *stats = NULL;
	const json_t *tier;
	int error = ask(socket, "status", &status, err);

	*node = NULL;
	if (!error)
		error = ask(socket, "vip.list", &vips, err);
	if (!error)
		error = ask(socket, "stats", &stats, err);
	if (!error) {
		tier = json_object_get(status, "tier");
		*out = (struct node_lbd){
			.revision = (uint32_t)view_integer(tier, "revision"),
			.edited = json_is_true(json_object_get(tier, "edited")),
			.unhealthy = view_integer(json_object_get(status, "health"), "unhealthy"),
			.unroutable =
				(int64_t)json_array_size(json_object_get(status, "unroutable")),
		};
		*node = describe(status, vips, stats, out, rate);
		error = *node ? 0 : lb_err_no_memory(err);
	}
	json_decref(status);
	json_decref(vips);
	json_decref(stats);
	return error;
}
