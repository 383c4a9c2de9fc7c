/* SPDX-License-Identifier: BSD-2-Clause */
/* Does every input of a corpus still pass? The main of a fuzzer that is built without libFuzzer, by
 * any compiler: each argument is a file, or a folder of them. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include "fuzz.h"

/* The input in memory of exactly its size, so that ASan sees a read beyond it. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);
	int ret = -EIO;

	if (file && data && fread(data, 1, size, file) == size) {
		fprintf(stderr, "%s\n", path);
		LLVMFuzzerTestOneInput(data, size);
		ret = 0;
	}
	free(data);
	if (file)
		fclose(file);
	return ret;
}

static int replay(const char *path, unsigned int *count);

static int replay_folder(const char *path, unsigned int *count)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), ret = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		char inner[4096];

		if (!ret && entries[i]->d_name[0] != '.') {
			snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
			ret = replay(inner, count);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return ret;
}

static int replay(const char *path, unsigned int *count)
{
	struct stat status;

	if (stat(path, &status))
		return -errno;
	if (S_ISDIR(status.st_mode))
		return replay_folder(path, count);
	(*count)++;
	return replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
	unsigned int count = 0;

	for (int i = 1; i < argc; i++) {
		int ret = replay(argv[i], &count);

		if (ret) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-ret));
			return 1;
		}
	}
	printf("%u inputs replayed\n", count);
	return count ? 0 : 1; /* a corpus that is not there has not passed */
}
