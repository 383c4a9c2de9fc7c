/* SPDX-License-Identifier: BSD-2-Clause */
/* Does what is kept on disk come back, and is what cannot be read left alone? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../lbd/host/journal.h"
#include "../../lbd/host/state.h"

static struct state_kept kept_on_disk;
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
	char journal[80];

	(void)state;
	unlink(file);
	unlink(seed_file);
	for (int i = 1; i < 10; i++) {
		snprintf(journal, sizeof(journal), "%s/service.journal.%d", dir, i);
		unlink(journal);
	}
	kept_on_disk = (struct state_kept){0};
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

/* As one that lbd has never seen. */
static int save(const struct lb_service *service, const struct state_revert *revert,
		struct lb_err *err)
{
	const struct state_save all = {.document = service, .revert = revert};

	return state_save_service(dir, &kept_on_disk, &all, err);
}

static void no_file_is_an_empty_document(void **state)
{
	struct lb_service *service;
	struct state_revert revert;
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(state_load_service(dir, &kept_on_disk, &service, &revert, &err), 0);
	assert_int_equal(service->vip_count, 0);
	assert_null(revert.document);
	lb_service_free(service);
}

static struct lb_service *make_service(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);
	struct lb_service *service = NULL;
	struct lb_err err = {0};

	assert_int_equal(lb_service_from_json(document, &service, &err), 0);
	json_decref(document);
	return service;
}

static void assert_same(const struct lb_service *a, const struct lb_service *b)
{
	json_t *first = lb_service_to_json(a), *second = lb_service_to_json(b);

	assert_true(json_equal(first, second));
	json_decref(first);
	json_decref(second);
}

#define WEB                                                                                        \
	"{\"vips\":[{\"name\":\"web\",\"address\":\"192.0.2.1:80/tcp\","                           \
	"\"backends\":[{\"address\":\"10.0.0.1\",\"weight\":3}]}]}"
#define DNS "{\"vips\":[{\"address\":\"192.0.2.2:53/udp\"}]}"

static void a_document_comes_back_as_it_was(void **state)
{
	struct lb_service *service = make_service(WEB), *back;
	struct state_revert revert;
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(save(service, NULL, &err), 0);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, &err), 0);
	assert_same(service, back);
	assert_null(revert.document);
	lb_service_free(service);
	lb_service_free(back);
}

#define POOLS                                                                                      \
	"{\"pools\":[{\"name\":\"p\",\"backends\":[{\"address\":\"10.0.0.1\"}]}],"                 \
	"\"vips\":[{\"address\":\"192.0.2.2:53/udp\",\"pool\":\"p\"}]}"

static json_int_t format_of(const char *document)
{
	struct lb_service *service = make_service(document), *back;
	struct state_revert revert;
	json_auto_t *root = NULL;

	assert_int_equal(save(service, NULL, NULL), 0);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, NULL), 0);
	assert_same(service, back);
	lb_service_free(service);
	lb_service_free(back);
	root = json_load_file(file, 0, NULL);
	return json_integer_value(json_object_get(root, "format"));
}

/* One that would not know pools says of format 3 that it is of a newer lbd. */
static void only_a_document_with_pools_is_not_for_an_lbd_from_before(void **state)
{
	(void)state;
	assert_int_equal(format_of(WEB), 2);
	assert_int_equal(format_of(POOLS), 3);
	assert_int_equal(format_of(WEB), 2);
}

static void what_to_go_back_to_comes_back_until_it_is_not_saved(void **state)
{
	const struct state_revert revert = {.document = make_service(DNS),
					    .for_s = 60,
					    .at_s = 5000000000,
					    .boot_at_s = 123456,
					    .boot = "00000000-1111-2222-3333-444444444444"};
	struct lb_service *service = make_service(WEB), *back;
	struct state_revert kept;
	struct lb_err err = {0};

	(void)state;
	assert_int_equal(save(service, &revert, &err), 0);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &kept, &err), 0);
	assert_same(service, back);
	assert_same(revert.document, kept.document);
	assert_int_equal(kept.at_s, revert.at_s);
	assert_int_equal(kept.boot_at_s, revert.boot_at_s);
	assert_string_equal(kept.boot, revert.boot);
	assert_int_equal(kept.for_s, revert.for_s);
	lb_service_free(back);
	lb_service_free(kept.document);
	assert_int_equal(save(service, NULL, &err), 0);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &kept, &err), 0);
	assert_null(kept.document);
	lb_service_free(back);
	lb_service_free(service);
	lb_service_free(revert.document);
}

/* --- a disk that fails --- */

static int syncs_left = -1; /* so many succeed before one fails; -1: all do */

/* In the place of libc's. */
int fsync(int fd)
{
	if (syncs_left < 0 || syncs_left--)
		return syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

static int count_files(void)
{
	struct dirent *entry;
	DIR *folder = opendir(dir);
	int count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

/* Of the file (0) and of the folder (1), before and after there is a file. */
static void a_failed_sync_leaves_what_was_there(void **state)
{
	struct lb_service *web = make_service(WEB), *dns = make_service(DNS), *back;
	struct state_revert revert;
	struct lb_err err = {0};

	(void)state;
	for (int when = 0; when < 2; when++) {
		syncs_left = when;
		assert_int_not_equal(save(web, NULL, &err), 0);
		assert_non_null(strstr(err.message, "Input/output error"));
		assert_int_equal(count_files(), 0);
	}
	syncs_left = -1;
	assert_int_equal(save(web, NULL, &err), 0);
	for (int when = 0; when < 2; when++) {
		syncs_left = when;
		assert_int_not_equal(save(dns, NULL, &err), 0);
		assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, &err), 0);
		assert_same(web, back);
		lb_service_free(back);
		assert_int_equal(count_files(), 1);
	}
	syncs_left = -1;
	lb_service_free(web);
	lb_service_free(dns);
}

/* Refused, with the path in words, and byte for byte the same afterwards. */
static void assert_refused(const char *text, const char *complaint)
{
	struct lb_service *service = NULL;
	struct state_revert revert;
	struct lb_err err = {0};

	write_file(file, text);
	assert_int_not_equal(state_load_service(dir, &kept_on_disk, &service, &revert, &err), 0);
	assert_null(revert.document);
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
	assert_refused("{\"format\": 5, \"document\": {\"vips\": []}}", "formats 1 to 4, not 5");
	assert_refused("{\"format\": 5, \"vips\": []}", "formats 1 to 4, not 5");
	assert_refused("{\"format\": 2, \"document\": {\"vips\": []}}", "checksum is missing");
	assert_refused("{\"format\": 2, \"checksum\": \"00000000\", \"document\": {\"vips\": []}}",
		       "does not match");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": []}, \"revert\": {\"at\": 1}}",
		       "document");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": [{}]}, \"revert\": {\"at\": 1, "
		       "\"document\": {\"vips\": []}}}",
		       "address");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": []}, \"revert\": {\"at\": -1, "
		       "\"document\": {\"vips\": []}}}",
		       "at must be");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": []}, \"journal\": 1}",
		       "only format 4 has a journal");
	assert_refused("{\"format\": 1}", "document");
	assert_refused("{\"format\": 1, \"document\": {\"vips\": [{}]}}", "address");
	assert_refused("{\"format\": 1, \"format\": 1, \"document\": {\"vips\": []}}", "line 1");
}

/* Whatever bit of the file the disk turns over: refused, or the document as it was. */
static void no_flipped_bit_makes_another_document(void **state)
{
	struct lb_service *web = make_service(WEB), *back;
	struct state_revert revert;
	struct lb_err err = {0};
	char text[4096];
	size_t length;

	(void)state;
	assert_int_equal(save(web, NULL, &err), 0);
	strcpy(text, read_file(file));
	length = strlen(text);
	for (size_t bit = 0; bit < length * 8; bit++) {
		text[bit / 8] ^= 1 << bit % 8;
		write_file(file, text);
		text[bit / 8] ^= 1 << bit % 8;
		if (state_load_service(dir, &kept_on_disk, &back, &revert, &err))
			continue;
		assert_same(web, back);
		assert_null(revert.document);
		lb_service_free(back);
	}
	lb_service_free(web);
}

static void a_file_without_checksum_is_read_as_format_1(void **state)
{
	struct lb_service *web = make_service(WEB), *back;
	struct state_revert revert;
	struct lb_err err = {0};

	(void)state;
	write_file(file, "{\"format\": 1, \"document\": " WEB "}");
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, &err), 0);
	assert_same(web, back);
	lb_service_free(back);
	lb_service_free(web);
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
	struct lb_service *service = lb_service_new();
	const struct state_save all = {.document = service};
	struct lb_err err = {0};

	(void)state;
	assert_int_not_equal(state_save_service("/proc/nowhere", &kept_on_disk, &all, &err), 0);
	assert_int_equal(err.code, LB_ERR_SYSTEM);
	lb_service_free(service);
}

static void a_new_seed_is_kept(void **state)
{
	uint64_t seed[2] = {0}, again[2] = {0};
	struct lb_err err = {0};
	struct stat info;

	(void)state;
	assert_int_equal(state_read_seed(dir, seed, &err), -ENOENT);
	assert_int_equal(state_new_seed(dir, seed, &err), 0);
	assert_true(seed[0] || seed[1]);
	assert_int_equal(state_read_seed(dir, again, &err), 0);
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
	assert_int_not_equal(state_read_seed(dir, seed, &err), 0);
	assert_string_equal(read_file(seed_file), "0123\n");
	/* nor is it for a change to write over it */
	assert_int_equal(state_disk.keep_seed(dir, (uint64_t[]){1, 2}, &err), 0);
	assert_string_equal(read_file(seed_file), "0123\n");
	unlink(seed_file);
	assert_int_equal(state_disk.keep_seed(dir, (uint64_t[]){1, 2}, &err), 0);
	assert_int_equal(state_read_seed(dir, seed, &err), 0);
	assert_true(seed[0] == 1 && seed[1] == 2);
}

/* --- the journal --- */

#define VIPS 128

/* Of so many VIPs that a change of it is a line of the journal. */
static struct lb_service *make_large(unsigned int weight, unsigned int vips)
{
	json_t *pool = json_pack("{s:s, s:[{s:s, s:i}]}", "name", "p", "backends", "address",
				 "10.0.0.1", "weight", (int)weight);
	json_t *document = json_pack("{s:[o], s:[]}", "pools", pool, "vips"), *list;
	struct lb_service *service = NULL;
	struct lb_err err = {0};

	list = json_object_get(document, "vips");
	for (unsigned int i = 0; i < vips; i++)
		json_array_append_new(list,
				      json_pack("{s:o, s:s}", "address",
						json_sprintf("192.0.2.%u:80/tcp", i), "pool", "p"));
	assert_int_equal(lb_service_from_json(document, &service, &err), 0);
	json_decref(document);
	return service;
}

static int save_change(const struct lb_service *before, const struct lb_service *after,
		       struct lb_err *err)
{
	const struct state_save change = {.before = before, .document = after};

	return state_save_service(dir, &kept_on_disk, &change, err);
}

static void change(const struct lb_service *before, const struct lb_service *after)
{
	struct lb_err err = {0};

	if (save_change(before, after, &err))
		fail_msg("%s", err.message);
}

static void assert_on_disk(const struct lb_service *expected)
{
	struct state_revert revert;
	struct lb_service *back = NULL;
	struct lb_err err = {0};

	if (state_read_service(dir, &back, &revert, &err))
		fail_msg("%s", err.message);
	assert_same(expected, back);
	assert_null(revert.document);
	lb_service_free(back);
}

static json_int_t format_on_disk(void)
{
	json_auto_t *root = json_load_file(file, 0, NULL);

	return json_integer_value(json_object_get(root, "format"));
}

static const char *journal_file(int number)
{
	static char paths[3][80];

	snprintf(paths[number], sizeof(*paths), "%s/service.journal.%d", dir, number);
	return paths[number];
}

static off_t journal_length(void)
{
	struct stat is;

	assert_int_equal(stat(journal_file(1), &is), 0);
	return is.st_size;
}

static ino_t whole_file(void)
{
	struct stat is;

	assert_int_equal(stat(file, &is), 0);
	return is.st_ino;
}

/* One on disk, and then three changes of it. */
static struct lb_service *large[4];
static off_t lines_end[4];

static void write_large(void)
{
	large[0] = make_large(1, VIPS);
	large[1] = make_large(2, VIPS);
	large[2] = make_large(2, VIPS + 3);
	large[3] = make_large(3, VIPS + 1);
	change(NULL, large[0]);
	for (int i = 1; i < 4; i++) {
		change(large[i - 1], large[i]);
		lines_end[i] = journal_length();
	}
}

static void free_large(void)
{
	for (int i = 0; i < 4; i++)
		lb_service_free(large[i]);
}

static void a_change_of_a_large_document_is_a_line_beside_it(void **state)
{
	struct state_revert revert;
	struct lb_service *back;
	ino_t whole;

	(void)state;
	write_large();
	assert_int_equal(format_on_disk(), 4);
	assert_int_equal(count_files(), 2);
	assert_on_disk(large[3]);
	whole = whole_file();
	/* an lbd that starts goes on where the other ended */
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, NULL), 0);
	change(large[3], large[1]);
	assert_on_disk(large[1]);
	assert_true(whole_file() == whole);
	assert_true(journal_length() > lines_end[3]);
	lb_service_free(back);
	free_large();
}

static void a_line_has_the_revision_of_the_tier(void **state)
{
	struct state_revert revert;
	struct lb_service *back, *next;

	(void)state;
	write_large();
	next = lb_service_copy(large[3]);
	next->revision = 7;
	next->edited = true;
	change(large[3], next);
	assert_int_equal(format_on_disk(), 4);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, NULL), 0);
	assert_int_equal(back->revision, 7);
	assert_true(back->edited);
	lb_service_free(next);
	next = lb_service_copy(back);
	next->revision = 0;
	next->edited = false;
	change(back, next);
	lb_service_free(back);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, NULL), 0);
	assert_int_equal(back->revision, 0);
	assert_false(back->edited);
	lb_service_free(back);
	lb_service_free(next);
	free_large();
}

static void a_long_journal_becomes_a_whole_document(void **state)
{
	struct state_save whole = {0};
	int changes = 0;

	(void)state;
	write_large();
	for (; !state_is_long(&kept_on_disk); changes++)
		change(large[changes % 2 ? 1 : 3], large[changes % 2 ? 3 : 1]);
	assert_true(changes > 100);
	whole.document = large[changes % 2 ? 1 : 3];
	assert_int_equal(state_save_service(dir, &kept_on_disk, &whole, NULL), 0);
	assert_false(state_is_long(&kept_on_disk));
	assert_on_disk(whole.document);
	assert_int_equal(count_files(), 2);
	assert_int_equal(access(journal_file(2), F_OK), 0);
	change(whole.document, large[2]);
	assert_on_disk(large[2]);
	free_large();
}

static void an_lbd_that_ends_leaves_no_journal(void **state)
{
	struct state_save last = {.last = true};

	(void)state;
	write_large();
	last.before = last.document = large[3];
	assert_int_equal(state_save_service(dir, &kept_on_disk, &last, NULL), 0);
	assert_int_equal(format_on_disk(), 3);
	assert_int_equal(count_files(), 1);
	assert_on_disk(large[3]);
	free_large();
}

static char *read_journal(void)
{
	FILE *in = fopen(journal_file(1), "r");
	char *text = calloc(1, lines_end[3] + 1);

	assert_true(in && text && fread(text, 1, lines_end[3], in) == (size_t)lines_end[3]);
	fclose(in);
	return text;
}

static void write_journal(const char *text, size_t length)
{
	int fd = open(journal_file(1), O_WRONLY);

	assert_true(fd >= 0 && pwrite(fd, text, length, 0) == (ssize_t)length);
	assert_true(length == (size_t)lines_end[3] || !ftruncate(fd, length));
	close(fd);
}

/* A power cut has left the last line off, or a part of it, as it came, or with zeros for the rest. */
static void what_was_not_written_whole_is_not_there(void **state)
{
	struct state_revert revert;
	struct lb_service *back;
	char *text;

	(void)state;
	write_large();
	text = read_journal();
	for (off_t at = lines_end[3] - 2; at >= lines_end[2]; at -= 7) {
		memset(text + at, 0, lines_end[3] - at);
		write_journal(text, at);
		assert_on_disk(large[2]);
		write_journal(text, lines_end[3]);
		assert_on_disk(large[2]);
	}
	write_journal(text, lines_end[2] + 4);
	assert_int_equal(state_load_service(dir, &kept_on_disk, &back, &revert, NULL), 0);
	change(back, large[3]); /* nothing can follow it */
	assert_on_disk(large[3]);
	assert_int_equal(count_files(), 2);
	lb_service_free(back);
	free(text);
	free_large();
}

static void no_flipped_bit_of_the_journal_makes_another_document(void **state)
{
	struct state_revert revert;
	struct lb_service *back;
	char *text;

	(void)state;
	write_large();
	text = read_journal();
	for (off_t bit = 0; bit < lines_end[3] * 8; bit += 29) {
		text[bit / 8] ^= 1 << bit % 8;
		write_journal(text, lines_end[3]);
		text[bit / 8] ^= 1 << bit % 8;
		if (state_read_service(dir, &back, &revert, NULL))
			continue;
		assert_same(back, large[3]);
		lb_service_free(back);
	}
	free(text);
	free_large();
}

static void assert_not_read(const char *complaint)
{
	struct lb_service *back = NULL;
	struct state_revert revert;
	struct lb_err err = {0};

	assert_int_not_equal(state_read_service(dir, &back, &revert, &err), 0);
	assert_null(back);
	if (!strstr(err.message, complaint))
		fail_msg("\"%s\" does not say \"%s\"", err.message, complaint);
	assert_non_null(strstr(err.hint, file));
}

static void a_journal_that_is_missing_or_of_another_document_is_refused(void **state)
{
	char before[80];

	(void)state;
	write_large();
	snprintf(before, sizeof(before), "%s.before", file);
	assert_int_equal(rename(file, before), 0);
	change(large[3], large[0]); /* the file has gone: all is written */
	change(large[0], large[1]);
	assert_on_disk(large[1]);
	assert_int_equal(rename(journal_file(2), journal_file(1)), 0);
	assert_not_read("service.journal.2: No such file");
	assert_int_equal(rename(before, file), 0);
	assert_not_read("service.journal.1: line 1 is damaged");
	free_large();
}

static void a_failed_append_leaves_what_was_there(void **state)
{
	struct lb_err err = {0};

	(void)state;
	write_large();
	syncs_left = 0;
	assert_int_not_equal(save_change(large[3], large[0], &err), 0);
	assert_non_null(strstr(err.message, "service.journal.1: Input/output error"));
	assert_on_disk(large[3]);
	assert_int_equal(journal_length(), lines_end[3]);
	change(large[3], large[0]); /* whole */
	assert_on_disk(large[0]);
	assert_int_equal(count_files(), 2);
	free_large();
}

/* --- memory --- */

static long json_allocations_left;

static void *failing_malloc(size_t size)
{
	return json_allocations_left-- == 0 ? NULL : malloc(size);
}

/* Whichever allocation fails, the document is whole or refused. */
static void a_replay_without_memory_loses_no_object(void **state)
{
	json_auto_t *changes = json_pack("[{s:{s:{s:s},s:{s:s},s:n}}]", "vips", "a", "address", "a",
					 "b", "address", "b", "d");
	long failing;
	int ret = -1;

	(void)state;
	for (failing = 0; ret; failing++) {
		json_auto_t *document =
			json_pack("{s:[{s:s},{s:s}]}", "vips", "address", "c", "address", "d");

		json_allocations_left = failing;
		json_set_alloc_funcs(failing_malloc, free);
		ret = journal_replay(document, changes);
		json_set_alloc_funcs(malloc, free);
		if (!ret)
			assert_int_equal(json_array_size(json_object_get(document, "vips")), 3);
	}
	assert_true(failing > 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(no_file_is_an_empty_document),
		TEST(a_document_comes_back_as_it_was),
		TEST(only_a_document_with_pools_is_not_for_an_lbd_from_before),
		TEST(what_to_go_back_to_comes_back_until_it_is_not_saved),
		TEST(a_failed_sync_leaves_what_was_there),
		TEST(a_damaged_or_newer_file_is_refused_and_kept),
		TEST(no_flipped_bit_makes_another_document),
		TEST(a_file_without_checksum_is_read_as_format_1),
		TEST(a_folder_that_cannot_be_written_is_an_error),
		TEST(a_change_of_a_large_document_is_a_line_beside_it),
		TEST(a_line_has_the_revision_of_the_tier),
		TEST(a_long_journal_becomes_a_whole_document),
		TEST(an_lbd_that_ends_leaves_no_journal),
		TEST(what_was_not_written_whole_is_not_there),
		TEST(no_flipped_bit_of_the_journal_makes_another_document),
		TEST(a_journal_that_is_missing_or_of_another_document_is_refused),
		TEST(a_failed_append_leaves_what_was_there),
		TEST(a_replay_without_memory_loses_no_object),
		TEST(a_new_seed_is_kept),
		TEST(a_damaged_seed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
