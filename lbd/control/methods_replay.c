// SPDX-License-Identifier: BSD-2-Clause
/* What would become of many recorded packets, and where would another document send them?
 *
 * The first is said by the balancer's own program (methods_explain.c). The second is worked out for
 * both documents alike, from their weights and the health that is known: which VIP, which slot, whose it is. */
#include "methods_replay.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/hash.h"
#include "../host/worker.h"
#include "../service/beside.h"
#include "../service/entry.h"
#include "methods_explain.h"
#include "packet_json.h"
#include "replay_tables.h"
#include "verdict_text.h"

#define FRAMES_MAX 4096

/* --- who has a flow by a document --- */

/* A document with the tables that were needed so far. */
struct book {
	const struct lb_service *document;
	const struct service *service; /* which knows the health of backends */
	struct replay_tables *tables;
	struct lb_wide_kinds kinds;
	const uint64_t *seed;
	/* Of named pools, then of VIPs with a pool of their own; NULL: not needed yet. Numbers are
	 * places among the backends. */
	const uint16_t **owners;
};

static size_t table_count(const struct book *book)
{
	return book->document->pool_count + book->document->vip_count;
}

static int book_open(struct book *book, const struct methods_context *context,
		     const struct lb_service *document, struct lb_err *err)
{
	*book = (struct book){.document = document,
			      .service = context->service,
			      .tables = context->replay_tables,
			      .seed = context->config->seed};
	book->kinds = lb_service_wide_kinds(document);
	book->owners = calloc(table_count(book) + 1, sizeof(*book->owners));
	return book->owners ? 0 : lb_err_no_memory(err);
}

static void book_close(struct book *book)
{
	free(book->owners);
}

/* The pool in force that this one of the book takes the place of: of its name, or of the VIP's. */
static const struct lb_pool *pool_in_force(const struct book *book, const struct lb_vip *vip)
{
	const struct lb_service *now = service_document(book->service);
	const struct lb_vip *same;

	if (vip->pool->named)
		return lb_service_find_pool(now, vip->pool->name);
	same = lb_service_find_endpoint(now, &vip->endpoint);
	return same ? same->pool : NULL;
}

static struct table_member *weigh_members(const struct book *book, const struct lb_vip *vip)
{
	const struct lb_pool *pool = vip->pool;
	struct table_member *members = calloc(pool->backend_count + 1, sizeof(*members));
	uint32_t *weights = calloc(pool->backend_count + 1, sizeof(*weights));

	if (!members || !weights ||
	    service_presume_weights(book->service, pool_in_force(book, vip), pool, weights)) {
		free(members);
		members = NULL;
	}
	for (size_t i = 0; members && i < pool->backend_count; i++)
		members[i] = (struct table_member){
			.address = pool->backends[i].address, .weight = weights[i], .number = i};
	free(weights);
	return members;
}

static const uint16_t *find_owners(const struct book *book, const struct lb_vip *vip)
{
	const struct lb_pool *pool = vip->pool;
	const struct replay_table_key key = {pool->table, pool->table_size,
					     weigh_members(book, vip), pool->backend_count};

	return key.members ? replay_tables_get(book->tables, &key) : NULL;
}

static uint16_t owner_of(struct book *book, const struct lb_vip *vip, uint64_t hash)
{
	const struct lb_service *document = book->document;
	const size_t place = vip->pool->named
				     ? (size_t)(vip->pool - document->pools)
				     : (size_t)(vip - document->vips) + document->pool_count;
	const uint16_t **owners = &book->owners[place];

	if (!*owners)
		*owners = find_owners(book, vip);
	return *owners ? (*owners)[lb_hash_slot(hash, vip->pool->table_size)] : LB_NONE;
}

static const struct lb_vip *vip_of(const struct book *book, const struct packet *packet)
{
	struct lb_endpoint endpoint = {.protocol = packet->protocol};
	const struct lb_vip *vip;
	struct beside beside;
	uint16_t ports[2];

	if (!packet->has_ports || !lb_protocol_name(packet->protocol))
		return NULL;
	memcpy(ports, &packet->ports, sizeof(ports));
	endpoint.address.family = packet->family;
	memcpy(endpoint.address.bytes, packet->destination, packet->family == 4 ? 4 : 16);
	endpoint.port = ntohs(ports[1]);
	vip = lb_service_find_endpoint(book->document, &endpoint);
	if (vip)
		return vip;
	beside_find(book->document, &book->kinds, &endpoint, &beside);
	return beside.count ? beside.vips[0] : NULL;
}

static uint64_t hash_of(const struct book *book, const struct lb_vip *vip,
			const struct packet *packet)
{
	const struct lb_hash_flow flow = {
		.source = {packet->source[0], packet->source[1]},
		.destination = {packet->destination[0], packet->destination[1]},
		.ports = packet->ports,
		.protocol = packet->protocol,
		.family = packet->family,
	};

	return lb_hash_flow((const __u64 *)book->seed, &flow, entry_hash_flags(vip));
}

/* {"vip", "backend"}: null where there is none. */
static json_t *owner_json(struct book *book, const struct packet *packet)
{
	const struct lb_vip *vip = vip_of(book, packet);
	const uint16_t owner = vip ? owner_of(book, vip, hash_of(book, vip, packet)) : LB_NONE;
	char address[LB_ADDR_TEXT];

	return json_pack("{s:s?, s:s?}", "vip", vip ? vip->name : NULL, "backend",
			 owner == LB_NONE
				 ? NULL
				 : lb_addr_format(&vip->pool->backends[owner].address, address));
}

/* --- what becomes of it now --- */

static json_t *frame_json(const struct methods_context *context, const struct explained *explained)
{
	const struct lb_explained *way = &explained->way;
	const struct lb_vip *vip = way->stage < LB_EXPLAINED_VIP
					   ? NULL
					   : service_vip_numbered(context->service, way->vip);

	return json_pack("{s:o, s:o*, s:s*, s:o*}", "verdict", verdict_json(explained->verdict),
			 "packet", packet_json(&way->packet), "vip", vip ? vip->name : NULL,
			 "backend",
			 way->stage < LB_EXPLAINED_MEMBER ? NULL : member_json(&explained->member));
}

/* --- the method --- */

struct replay {
	struct methods_context *context;
	const json_t *frames, *interface, *document;
	uint32_t ifindex;
	struct lb_service *next; /* NULL: only what becomes of them now is asked for */
	struct book before, after;
};

static int replay_one(struct replay *replay, size_t i, json_t *to, struct explained *explained,
		      struct lb_err *err)
{
	const char *hex = json_string_value(json_array_get(replay->frames, i));
	json_t *frame;
	int ret = hex ? methods_explain_frame(replay->context, hex, replay->ifindex, explained, err)
		      : lb_err_set(err, LB_ERR_PARAMS, "", "a frame is a string");

	if (ret)
		return ret;
	frame = frame_json(replay->context, explained);
	if (replay->next) {
		json_object_set_new(frame, "before",
				    owner_json(&replay->before, &explained->way.packet));
		json_object_set_new(frame, "after",
				    owner_json(&replay->after, &explained->way.packet));
	}
	json_array_append_new(to, frame);
	worker_yield();
	return 0;
}

static int replay_all(struct replay *replay, json_t *to, struct lb_err *err)
{
	struct explained *explained = malloc(sizeof(*explained));
	int ret = explained ? 0 : lb_err_no_memory(err);

	for (size_t i = 0; !ret && i < json_array_size(replay->frames); i++) {
		ret = replay_one(replay, i, to, explained, err);
		if (ret)
			lb_err_prefix(err, "frames[%zu]", i);
	}
	free(explained);
	return ret;
}

static int open_books(struct replay *replay, struct lb_err *err)
{
	int ret;

	if (!replay->document)
		return 0;
	ret = lb_service_from_json(replay->document, &replay->next, err);
	if (ret) {
		lb_err_prefix(err, "document");
		return ret;
	}
	ret = book_open(&replay->before, replay->context,
			service_document(replay->context->service), err);
	return ret ? ret : book_open(&replay->after, replay->context, replay->next, err);
}

static int read_params(const json_t *params, struct replay *out, struct lb_err *err)
{
	const struct lb_json_field fields[] = {
		{"frames", LB_JSON_ARRAY, true, &out->frames},
		{"interface", LB_JSON_STRING, false, &out->interface},
		{"document", LB_JSON_OBJECT, false, &out->document},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (!ret && json_array_size(out->frames) > FRAMES_MAX)
		ret = lb_err_set(err, LB_ERR_PARAMS, "frames", "%d frames at most in a request",
				 FRAMES_MAX);
	return ret;
}

int methods_replay(struct methods_context *context, const json_t *params, json_t **result,
		   struct lb_err *err)
{
	struct replay replay = {.context = context};
	json_t *frames = json_array();
	int ret = read_params(params, &replay, err);

	if (!ret)
		ret = methods_explain_interface(context, replay.interface, &replay.ifindex, err);
	if (!ret)
		ret = open_books(&replay, err);
	replay_tables_begin(context->replay_tables);
	if (!ret)
		ret = replay_all(&replay, frames, err);
	replay_tables_end(context->replay_tables);
	if (!ret)
		*result = json_pack("{s:O}", "frames", frames);
	json_decref(frames);
	book_close(&replay.before);
	book_close(&replay.after);
	lb_service_free(replay.next);
	return ret;
}
