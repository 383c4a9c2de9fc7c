/* SPDX-License-Identifier: BSD-2-Clause */
/* lbd-tier: what of lbctl and lbd speaks to etcd. `lbd-tier follow` keeps a node at the revision that
 * is published for its tier; lbctl runs this program for each lbctl tier (../tier.c). */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "../../lbd/api/version.h"
#include "../output.h"
#include "follow.h"
#include "verbs.h"

static const struct {
	const char *name;
	int (*carry_out)(const struct verb *verb, json_t **result, struct lb_err *err);
} verbs[] = {
	{"show", verb_show},
	{"publish", verb_publish},
	{"rollback", verb_rollback},
	{"export", verb_export},
};

static int carry_out(const struct verb *verb, json_t **result, struct lb_err *err)
{
	const struct command *command = verb->invocation->command;

	if (strcmp(command->object, "tier") == 0)
		for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
			if (strcmp(verbs[i].name, command->verb) == 0)
				return verbs[i].carry_out(verb, result, err);
	return lb_err_set(err, LB_ERR_USAGE, "", "this is lbctl's to do: lbctl help");
}

static int with_etcd(const struct invocation *invocation, json_t **result, struct lb_err *err)
{
	const char *path = invocation_option(invocation, "config");
	struct tier_config config;
	struct verb verb = {.invocation = invocation, .config = &config};
	int error = tier_config_load(path ? path : TIER_CONFIG_DEFAULT, &config, err);

	if (!error)
		error = etcd_open(&config, &verb.etcd, err);
	if (error)
		return error;
	error = carry_out(&verb, result, err);
	etcd_close(verb.etcd);
	/* It is etcd that cannot be reached; of lbd more would be looked for. */
	if (error && err->code == LB_ERR_UNREACHABLE)
		err->code = LB_ERR_SYSTEM;
	return error;
}

static const char usage[] = "usage: lbd-tier follow [--config FILE] [--check]\n"
			    "       lbd-tier --help | --version\n"
			    "lbctl tier shows and publishes what nodes follow: lbctl help tier\n";

static enum exit_code as_lbctl(int argc, char *const *argv, struct output *output)
{
	struct invocation invocation;
	json_auto_t *result = NULL;
	struct lb_err err = {0};
	int refused = args_parse(argc, argv, &invocation, &err);

	if (output_open(output, invocation.json))
		return EXIT_REFUSED;
	if (refused || with_etcd(&invocation, &result, &err))
		return output_error(output, &invocation, &err);
	output_result(output, &invocation, result);
	return invocation.command->judge ? invocation.command->judge(result) : EXIT_DONE;
}

static int complain(const struct lb_err *err)
{
	fprintf(stderr, "lbd-tier: %s%s%s%s\n", err->message, *err->path ? " (at " : "", err->path,
		*err->path ? ")" : "");
	if (*err->hint)
		fprintf(stderr, "  hint: %s\n", err->hint);
	return 1;
}

/* follow [--config FILE] [--check] */
static int as_follower(int argc, char *const *argv)
{
	const char *path = TIER_CONFIG_DEFAULT;
	struct tier_config config;
	struct lb_err err = {0};
	bool check = false;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--check") == 0) {
			check = true;
		} else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
			path = argv[++i];
		} else {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (tier_config_load(path, &config, &err))
		return complain(&err);
	if (check)
		return 0;
	return follow(&config, &err) ? complain(&err) : 0;
}

/* Whether it is a command line that lbctl hands over. */
static bool is_of_lbctl(int argc, char *const *argv)
{
	struct invocation invocation;

	return !args_parse(argc, argv, &invocation, NULL) &&
	       strcmp(invocation.command->object, "tier") == 0;
}

int main(int argc, char **argv)
{
	struct output output = {0};

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("lbd-tier %s\n", LB_VERSION) < 0;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0;
	if (argc >= 2 && strcmp(argv[1], "follow") == 0)
		return as_follower(argc, argv);
	commands_prepare();
	if (!is_of_lbctl(argc, argv)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return output_close(&output, as_lbctl(argc, argv, &output));
}
