/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files are taken for keys of QUIC ids and for the guard's secret, and does a hint's command make one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lbd/api/guard_secret.h"
#include "../../lbd/api/quic.h"

#define KEY "00112233445566778899aabbccddeeff"

static char folder[] = "/tmp/secret_file_test.XXXXXX", path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/within/key", folder);
	return 0;
}

static int take_away(void **state)
{
	(void)state;
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return rmdir(folder);
}

static int read_key(struct lb_err *err)
{
	uint8_t key[16];

	return lb_quic_key_read(path, key, err);
}

static int read_secret(struct lb_err *err)
{
	struct guard_secret secret;

	return guard_secret_read(path, &secret, err);
}

static int (*const readers[])(struct lb_err *err) = {read_key, read_secret};

static void write_file(const char *text, size_t length)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_return_code(fchmod(fileno(file), 0600), errno);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void the_hint_to_a_missing_file_makes_it_with_its_folder(void **state)
{
	char command[512];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lb_err err = {0};

		assert_int_equal(readers[i](&err), -EINVAL);
		assert_non_null(strstr(err.message, "No such file"));
		assert_non_null(strchr(err.hint, '('));
		snprintf(command, sizeof(command), "openssl() { echo %s; }; %s", KEY,
			 strchr(err.hint, '('));
		assert_int_equal(system(command), 0);
		assert_int_equal(readers[i](&err), 0);
		unlink(path);
	}
}

static void a_file_with_a_nul_byte_is_refused_wherever_it_is(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} files[] = {
#define FILE_OF(text) {text, sizeof(text) - 1}
		FILE_OF(KEY "\0"),      FILE_OF(KEY "\0\n"),        FILE_OF(KEY "\n\0"),
		FILE_OF("\0" KEY "\n"), FILE_OF(KEY "\0" KEY "\n"),
	};

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (size_t n = 0; n < sizeof(files) / sizeof(*files); n++) {
			struct lb_err err = {0};

			write_file(files[n].text, files[n].length);
			assert_int_equal(readers[i](&err), -EINVAL);
			assert_non_null(strstr(err.message, "is not a text file: it has a NUL"));
			assert_non_null(strstr(err.hint, "openssl rand -hex 16"));
		}
}

static void a_line_with_and_without_its_end_is_taken(void **state)
{
	struct lb_err err = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		write_file(KEY, strlen(KEY));
		assert_int_equal(readers[i](&err), 0);
		write_file(KEY "\n", strlen(KEY) + 1);
		assert_int_equal(readers[i](&err), 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hint_to_a_missing_file_makes_it_with_its_folder),
		cmocka_unit_test(a_file_with_a_nul_byte_is_refused_wherever_it_is),
		cmocka_unit_test(a_line_with_and_without_its_end_is_taken),
	};

	return cmocka_run_group_tests_name("secret_file", tests, make_folder, take_away);
}
