/* SPDX-License-Identifier: BSD-2-Clause */
/* How does another program run, and what does it say? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "command.h"

#define WORDS_MAX 32

static void split(char *line, char *words[WORDS_MAX])
{
	char *rest = line;
	size_t count = 0;

	while (count < WORDS_MAX - 1 && (words[count] = strsep(&rest, " ")))
		count++;
	words[count] = NULL;
}

static void become(char *words[WORDS_MAX], int out)
{
	const int nowhere = open("/dev/null", O_RDWR);

	dup2(nowhere, STDIN_FILENO);
	dup2(out < 0 ? nowhere : out, STDOUT_FILENO);
	dup2(out < 0 ? nowhere : out, STDERR_FILENO);
	execvp(words[0], words);
	dprintf(STDERR_FILENO, "%s: %s", words[0], strerror(errno));
	_exit(127);
}

/* To its end, whatever fits: a command whose output nobody reads would not end. */
static void read_all(int from, char output[COMMAND_OUTPUT])
{
	char rest[COMMAND_OUTPUT];
	size_t length = 0;
	ssize_t got;

	while ((got = read(from, rest, sizeof(rest))) > 0 || (got < 0 && errno == EINTR)) {
		if (got < 0)
			continue;
		if ((size_t)got > COMMAND_OUTPUT - 1 - length)
			got = (ssize_t)(COMMAND_OUTPUT - 1 - length);
		memcpy(output + length, rest, (size_t)got);
		length += (size_t)got;
	}
	while (length && output[length - 1] == '\n')
		length--;
	output[length] = 0;
}

int command_run(const char *line, char output[COMMAND_OUTPUT])
{
	char copy[512], *words[WORDS_MAX];
	int ends[2] = {-1, -1}, status;
	pid_t child;

	if (snprintf(copy, sizeof(copy), "%s", line) >= (int)sizeof(copy))
		return -E2BIG;
	split(copy, words);
	if (output && pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (!child)
		become(words, ends[1]);
	if (output) {
		close(ends[1]);
		read_all(ends[0], output);
		close(ends[0]);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
