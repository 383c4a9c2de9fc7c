/* SPDX-License-Identifier: BSD-2-Clause */
/* Does what is kept on disk come back, and is what cannot be read left alone? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lbd/state.h"

static char dir[] = "/tmp/lbd-state-XXXXXX", file[64], seed_file[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/service.json", dir);
	snprintf(seed_file, sizeof(seed_file), "%s/hash_seed", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(file);
	unlink(seed_file);
	return rmdir(dir);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static char *read_file(const char *path)
{
	static char text[4096];
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

static void no_file_is_an_empty_document(void **state)
{
	struct lb_service *service;
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(state_load_service(dir, &service, &err), 0);
	assert_int_equal(service->vip_count, 0);
	lb_service_free(service);
}

static void a_document_comes_back_as_it_was(void **state)
{
	json_t *document =
		json_loads("{\"vips\":[{\"name\":\"web\",\"address\":\"192.0.2.1:80/tcp\","
			   "\"backends\":[{\"address\":\"10.0.0.1\",\"weight\":3}]}]}",
			   0, NULL);
	struct lb_service *service, *back;
	struct lb_err err = {0};
	json_t *again;

	(void)state;
	assert_int_equal(lb_service_from_json(document, &service, &err), 0);
	assert_int_equal(state_save_service(dir, service, &err), 0);
	assert_int_equal(state_load_service(dir, &back, &err), 0);
	json_decref(document);
	document = lb_service_to_json(service);
	again = lb_service_to_json(back);
	assert_true(json_equal(document, again));
	json_decref(document);
	json_decref(again);
	lb_service_free(service);
	lb_service_free(back);
}

/* Refused, with the path in words, and byte for byte the same afterwards. */
static void assert_refused(const char *text, const char *complaint)
{
	struct lb_service *service = NULL;
	struct lb_err err = {0};

	write_file(file, text);
	assert_int_not_equal(state_load_service(dir, &service, &err), 0);
	assert_null(service);
	if (!strstr(err.message, complaint))
		fail_msg("\"%s\" does not say \"%s\"", err.message, complaint);
	assert_non_null(strstr(err.hint, file));
	assert_string_equal(read_file(file), text);
}

static void a_damaged_or_newer_file_is_refused_and_kept(void **state)
{
	(void)state;
	assert_refused("", "line 1");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": [", "line 1");
	assert_refused("{\"format\": 2, \"document\": {\"vips\": []}}", "format 1, not 2");
	assert_refused("{\"format\": 1}", "document");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": [{}]}}", "address");
	assert_refused("{\"format\": 1, \"format\": 1, \"document\": {\"vips\": []}}", "line 1");
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
	struct lb_service *service = lb_service_new();
	struct lb_err err = {0};

	(void)state;
	assert_int_not_equal(state_save_service("/proc/nowhere", service, &err), 0);
	assert_int_equal(err.code, LB_ERR_SYSTEM);
	lb_service_free(service);
}

static void a_new_seed_is_kept(void **state)
{
	uint64_t seed[2] = {0}, again[2] = {0};
	struct lb_err err = {0};
	struct stat info;

	(void)state;
	assert_int_equal(state_load_seed(dir, seed, &err), 0);
	assert_true(seed[0] || seed[1]);
	assert_int_equal(state_load_seed(dir, again, &err), 0);
	assert_memory_equal(seed, again, sizeof(seed));
	assert_int_equal(stat(seed_file, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_damaged_seed_is_refused(void **state)
{
	uint64_t seed[2];
	struct lb_err err = {0};

	(void)state;
	write_file(seed_file, "0123\n");
	assert_int_not_equal(state_load_seed(dir, seed, &err), 0);
	assert_string_equal(read_file(seed_file), "0123\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(no_file_is_an_empty_document),
		TEST(a_document_comes_back_as_it_was),
		TEST(a_damaged_or_newer_file_is_refused_and_kept),
		TEST(a_folder_that_cannot_be_written_is_an_error),
		TEST(a_new_seed_is_kept),
		TEST(a_damaged_seed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
