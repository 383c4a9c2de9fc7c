/* SPDX-License-Identifier: BSD-2-Clause */
/* Is every file in the place of the state either refused and left as it is, or one that comes back
 * the same after it was saved? */
#include <unistd.h>
#include "../../lbd/host/state.h"
#include "fuzz.h"

static char dir[] = "/tmp/lbd-fuzz-XXXXXX", path[64];

static void remove_dir(void)
{
	unlink(path);
	rmdir(dir);
}

static void make_dir(void)
{
	if (*path)
		return;
	FUZZ_CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/service.json", dir);
	atexit(remove_dir);
}

static void write_file(const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "wb");

	FUZZ_CHECK(file && fwrite(data, 1, size, file) == size);
	FUZZ_CHECK(!fclose(file));
}

static void check_unchanged(const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *now = malloc(size + 1);

	FUZZ_CHECK(file && now);
	FUZZ_CHECK(fread(now, 1, size + 1, file) == size);
	FUZZ_CHECK(!memcmp(now, data, size));
	free(now);
	fclose(file);
}

static void check_same(const struct lb_service *a, const struct lb_service *b)
{
	json_t *document = lb_service_to_json(a), *again = lb_service_to_json(b);

	FUZZ_CHECK(document && again && json_equal(document, again));
	json_decref(document);
	json_decref(again);
}

static void check_saved(const struct lb_service *service, const struct state_revert *revert)
{
	const struct state_save save = {.document = service, .revert = revert};
	struct state_revert revert_back = {0};
	struct lb_service *back = NULL;
	struct state_kept kept = {0};
	struct lb_err err = {0};

	FUZZ_CHECK(!state_save_service(dir, &kept, &save, &err));
	FUZZ_CHECK(!state_load_service(dir, &kept, &back, &revert_back, &err));
	check_same(service, back);
	FUZZ_CHECK(!revert->document == !revert_back.document);
	if (revert->document) {
		check_same(revert->document, revert_back.document);
		FUZZ_CHECK(revert->at_s == revert_back.at_s);
	}
	lb_service_free(back);
	lb_service_free(revert_back.document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lb_service *service = NULL;
	struct state_revert revert = {0};
	struct state_kept kept = {0};
	struct lb_err err = {0};

	make_dir();
	write_file(data, size);
	if (state_load_service(dir, &kept, &service, &revert, &err)) {
		fuzz_check_err(&err);
		FUZZ_CHECK(strstr(err.hint, path));
		FUZZ_CHECK(!service);
		check_unchanged(data, size);
	} else {
		check_unchanged(data, size);
		check_saved(service, &revert);
	}
	lb_service_free(service);
	lb_service_free(revert.document);
	return 0;
}
