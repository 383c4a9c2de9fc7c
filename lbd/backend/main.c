/* SPDX-License-Identifier: BSD-2-Clause */
/* lbd-backend: makes a host a backend, takes that away again, and says what is wrong with it. There
 * is no daemon: programs, addresses and settings stay when it has ended. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../api/version.h"
#include "check.h"
#include "config.h"
#include "host.h"
#include "programs.h"
#include "undo.h"

#define STATE_DEFAULT "/run/lbd-backend/undo"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_PROBLEMS = 4 };

struct paths {
	const char *config, *state;
};

static const char usage[] =
	"usage: lbd-backend up | down | check | show | secret   [--config FILE] [--state FILE]\n"
	"       lbd-backend --version | --help\n"
	"\n"
	"  up             make this host a backend, as FILE says; again, if it is one already\n"
	"  down           take away all that \"up\" did\n"
	"  check          say what is wrong, and what helps; exits 4 when something is\n"
	"  show           what is attached, and what was counted\n"
	"  secret         read the SYN guard's secrets again; all else stays\n"
	"\n"
	"  --config FILE  what it is told (" BACKEND_CONFIG_DEFAULT ")\n"
	"  --state FILE   what \"down\" has to take away (" STATE_DEFAULT ")\n";

static int complain(const struct lb_err *err)
{
	fprintf(stderr, "lbd-backend: %s", err->message);
	if (*err->path)
		fprintf(stderr, " (at %s)", err->path);
	fputc('\n', stderr);
	if (*err->hint)
		fprintf(stderr, "  %s\n", err->hint);
	return EXIT_REFUSED;
}

static int take_down(const struct paths *paths)
{
	struct lb_err err = {0};

	return undo_all(paths->state, programs_detach, &err) ? complain(&err) : EXIT_SUCCESS;
}

/* Addresses come last: a VIP that is there before the settings are would be claimed by ARP, and one
 * whose packets still have outer headers would answer nobody. */
static int set_up(const struct backend_config *config, struct undo *undo, struct lb_err *err)
{
	if (programs_attach(config, undo, err))
		return -1;
	return host_set_up(config, undo, err);
}

/* What it is stays until it is known that it can be what the file says now. */
static int bring_up(const struct paths *paths, const struct backend_config *config)
{
	struct lb_err err = {0}, ignored = {0};
	struct undo *undo;
	int status;

	if (host_may_be(config, &err))
		return complain(&err);
	if (take_down(paths))
		return EXIT_REFUSED;
	undo = undo_open(paths->state, &err);
	if (!undo)
		return complain(&err);
	status = set_up(config, undo, &err);
	if (undo_note(undo, status ? &ignored : &err, "end"))
		status = -1;
	undo_close(undo);
	if (!status)
		return EXIT_SUCCESS;
	undo_all(paths->state, programs_detach, &ignored);
	return complain(&err);
}

static int check(const struct paths *paths, const struct backend_config *config)
{
	struct lb_err err = {0};
	unsigned int problems;

	if (!undo_exists(paths->state)) {
		printf("this host is not set up as a backend\n  systemctl start lbd-backend\n");
		return EXIT_PROBLEMS;
	}
	problems = check_all(config);
	if (undo_check(paths->state, &err)) {
		printf("%s\n  %s\n", err.message, err.hint);
		problems++;
	}
	if (!problems)
		printf("nothing is wrong here\n");
	return problems ? EXIT_PROBLEMS : EXIT_SUCCESS;
}

static void show_interface(const char *name)
{
	const struct programs_at at = programs_at(name);

	printf("%s: outer headers are taken off %s, packets are %s\n", name,
	       !at.decap    ? "by the kernel, if at all"
	       : at.generic ? "in XDP, behind the driver (generic)"
			    : "in XDP, in the driver",
	       at.second ? "passed on" : "not passed on");
}

static int show(const struct backend_config *config)
{
	struct programs_counters counters;

	for (size_t i = 0; i < config->interfaces.count; i++)
		show_interface(config->interfaces.name[i]);
	if (!programs_count(&config->interfaces, &counters))
		return EXIT_SUCCESS;
	printf("\ntunnel packets\n");
#define X(name, meaning) printf("  %-18s %12llu  %s\n", #name, counters.decap.name, meaning);
	DECAP_COUNTER_LIST(X)
#undef X
	printf("\npackets with a list of backends\n");
#define X(enumerator, name, meaning)                                                               \
	printf("  %-18s %12llu  %s\n", #name, counters.second.name, meaning);
	SECOND_COUNTER_LIST(X)
#undef X
	if (!*config->guard_secret)
		return EXIT_SUCCESS;
	printf("\nconnections from cookies\n");
#define X(name, meaning) printf("  %-18s %12llu  %s\n", #name, counters.reqsk.name, meaning);
	REQSK_COUNTER_LIST(X)
#undef X
	return EXIT_SUCCESS;
}

static int take_secret(const struct paths *paths, const struct backend_config *config)
{
	struct lb_err err = {0};

	if (undo_lock(paths->state, &err) || programs_take_secret(config, &err))
		return complain(&err);
	return EXIT_SUCCESS;
}

static int run(const char *verb, const struct paths *paths)
{
	static struct backend_config config;
	struct lb_err err = {0};

	if (!strcmp(verb, "down")) /* also when the file is not valid any more */
		return undo_lock(paths->state, &err) ? complain(&err) : take_down(paths);
	if (backend_config_load(paths->config, &config, &err))
		return complain(&err);
	if (!strcmp(verb, "up"))
		return undo_lock(paths->state, &err) ? complain(&err) : bring_up(paths, &config);
	if (!strcmp(verb, "secret"))
		return take_secret(paths, &config);
	return !strcmp(verb, "check") ? check(paths, &config) : show(&config);
}

static int is_verb(const char *word)
{
	return !strcmp(word, "up") || !strcmp(word, "down") || !strcmp(word, "check") ||
	       !strcmp(word, "show") || !strcmp(word, "secret");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"state", required_argument, NULL, 's'},
						{"version", no_argument, NULL, 'v'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct paths paths = {BACKEND_CONFIG_DEFAULT, STATE_DEFAULT};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'v')
			return puts("lbd-backend " LB_VERSION) < 0;
		if (option == 'h')
			return fputs(usage, stdout) < 0;
		if (option == '?')
			return EXIT_USAGE;
		*(option == 'c' ? &paths.config : &paths.state) = optarg;
	}
	if (argc - optind == 1 && is_verb(argv[optind]))
		return run(argv[optind], &paths);
	fputs(usage, stderr);
	return EXIT_USAGE;
}
