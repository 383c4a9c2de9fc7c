/* SPDX-License-Identifier: BSD-2-Clause */
/* Is every service document refused in plain words, or one that can be written, read, copied,
 * searched and edited without a difference? */
#include "../../lbd/api/model.h"
#include "fuzz.h"

static json_t *written(const struct lb_service *service)
{
	json_t *document = lb_service_to_json(service);

	FUZZ_CHECK(document);
	return document;
}

static void check_same(const struct lb_service *service, const json_t *document)
{
	json_t *now = written(service);

	FUZZ_CHECK(json_equal(now, document));
	json_decref(now);
}

static void check_round_trip(const json_t *document)
{
	struct lb_service *again = NULL;
	struct lb_err err = {0};

	FUZZ_CHECK(!lb_service_from_json(document, &again, &err));
	check_same(again, document);
	lb_service_free(again);
}

/* By its name and by its address; a VIP of another one's address for a name would hide that one. */
static void check_found(const struct lb_service *service)
{
	for (size_t i = 0; i < service->vip_count; i++) {
		struct lb_vip *vip = &service->vips[i];
		char address[LB_ENDPOINT_TEXT];

		FUZZ_CHECK(lb_service_find(service, vip->name) == vip);
		lb_endpoint_format(&vip->endpoint, address);
		FUZZ_CHECK(lb_service_find(service, address) == vip);
		for (size_t j = 0; j < vip->pool->backend_count; j++)
			FUZZ_CHECK(
				lb_pool_find_backend(vip->pool, &vip->pool->backends[j].address) ==
				&vip->pool->backends[j]);
	}
}

/* Taking one away and adding it again changes nothing, wherever it stood. */
static void check_backend_edits(struct lb_vip *vip)
{
	struct lb_backend backend;
	struct lb_err err = {0};

	if (!vip->pool->backend_count)
		return;
	backend = vip->pool->backends[vip->pool->backend_count / 2];
	FUZZ_CHECK(lb_pool_add_backend(vip->pool, &backend, &err) && err.code == LB_ERR_EXISTS);
	FUZZ_CHECK(!lb_pool_del_backend(vip->pool, &backend.address, &err));
	FUZZ_CHECK(!lb_pool_find_backend(vip->pool, &backend.address));
	FUZZ_CHECK(lb_pool_del_backend(vip->pool, &backend.address, &err));
	FUZZ_CHECK(!lb_pool_add_backend(vip->pool, &backend, &err));
}

static void check_vip_edits(struct lb_service *service)
{
	struct lb_vip vip, *middle;
	struct lb_err err = {0};
	json_t *object;

	if (!service->vip_count)
		return;
	middle = &service->vips[service->vip_count / 2];
	check_backend_edits(middle);
	object = schema_write(&lb_vip_schema, middle);
	FUZZ_CHECK(object && !schema_read(&lb_vip_schema, object, &vip, &err));
	FUZZ_CHECK(lb_service_add_vip(service, &vip, &err) && err.code == LB_ERR_EXISTS);
	FUZZ_CHECK(!lb_service_del_vip(service, vip.name, &err));
	FUZZ_CHECK(!lb_service_add_vip(service, &vip, &err));
	schema_clear(&lb_vip_schema, &vip);
	json_decref(object);
}

static void check_service(struct lb_service *service)
{
	json_t *document = written(service);
	struct lb_service *copy = lb_service_copy(service);

	FUZZ_CHECK(copy);
	check_round_trip(document);
	check_found(service);
	check_vip_edits(copy);
	check_same(copy, document);
	lb_service_free(copy);
	check_same(service, document);
	json_decref(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *document = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct lb_service *service = NULL;
	struct lb_err err = {0};

	if (!document)
		return 0;
	if (lb_service_from_json(document, &service, &err)) {
		fuzz_check_err(&err);
		FUZZ_CHECK(!service);
	} else {
		check_service(service);
	}
	lb_service_free(service);
	json_decref(document);
	return 0;
}
