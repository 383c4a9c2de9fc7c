/* SPDX-License-Identifier: BSD-2-Clause */
/* lbd: reads its configuration, checks the machine, loads the program, restores the services,
 * attaches, and then answers on its socket until it is told to stop. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/clock.h"
#include "api/paths.h"
#include "host/config.h"
#include "control/control.h"
#include "plane/datapath.h"
#include "host/events.h"
#include "plane/interfaces.h"
#include "host/log.h"
#include "host/log_event.h"
#include "plane/members.h"
#include "control/methods.h"
#include "control/replay_tables.h"
#include "control/list_parts.h"
#include "control/tracer.h"
#include "route/links.h"
#include "route/nexthop.h"
#include "control/node.h"
#include "host/notify.h"
#include "route/pmtu.h"
#include "plane/preflight.h"
#include "plane/seed.h"
#include "control/preflight_again.h"
#include "host/privileges.h"
#include "host/simulation.h"
#include "service/lists.h"
#include "service/service.h"
#include "host/state.h"
#include "control/status_line.h"
#include "monitor/monitor.h"
#include "host/worker.h"
#include "health/tunnels.h"

#define FILES_WANTED 65536 /* each health check under way has one open, a command four */
#define REPLAY_TABLES_BYTES (256u << 20)

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct daemon {
	struct config config;
	json_t *warnings; /* of the start, but for those of the machine */
	struct lb_err services;
	struct preflight_again preflight;
	struct event_base *base;
	struct event *signals[3];
	struct notify *notify;
	struct events *events;
	struct control *control, *read_only;
	struct datapath *datapath;
	struct lists *lists;
	struct service *service;
	struct links_table *links;
	struct status_line *status_line;
	struct pmtu *pmtu;
	struct interfaces *interfaces;
	struct monitor *monitor;
	struct tracer *tracer;
	struct replay_tables *replay_tables;
	struct list_parts *list_parts;
	struct node *node;
	struct methods_context methods;
	struct turns *turns;
	struct worker *changes, *reads, *facts, *probes, *upkeep, *scrapes;
	bool reset_flows;
	bool only_start; /* and end again */
	int state_fd;    /* holds the lock */
};

static const char usage[] =
	"usage: lbd [--config FILE] [--check | --check-pinned | --reset-flows | --detach]\n"
	"       lbd --detach --pin-dir DIR\n"
	"       lbd --simulate [--config FILE] [--services FILE] [--socket PATH] [--rate N] "
	"[--check]\n"
	"       lbd --version | --help\n"
	"\n"
	"  --config FILE  how lbd runs (" LB_CONFIG_DEFAULT " unless given); see lbd.json(5)\n"
	"  --check        only say whether FILE is valid; needs no privileges\n"
	"  --check-pinned only say whether a start would adopt the pinned data plane, and the\n"
	"                 VIPs on disk\n"
	"  --reset-flows  start although the pinned data plane does not fit: another ABI, other\n"
	"                 limits or hash seed; recorded flows are lost, with another seed nearly\n"
	"                 all connections\n"
	"  --detach       take the data plane away: nothing is balanced from then on\n"
	"  --pin-dir DIR  the data plane pinned in DIR, without reading FILE (with --detach)\n"
	"  --simulate     everything but the kernel, without rights: to try changes. Nothing is\n"
	"                 balanced or kept; with --check it only says whether it would start\n"
	"  --services FILE  the service document to simulate (none); - is standard input\n"
	"  --socket PATH  where the simulation answers (lbd-simulate.sock)\n"
	"  --rate N       packets a second that the simulation counts (1000)\n"
	"\n"
	"What is balanced is changed with lbctl(8) while lbd runs. Once started, the data plane "
	"goes\n"
	"on without lbd, and the next lbd takes it over, until --detach.\n";

static void on_stop(evutil_socket_t signal_number, short events, void *user)
{
	(void)signal_number;
	(void)events;
	event_base_loopbreak(user);
}

/* Secrets are read again. Reload is what other daemons do on it; ending would leave no control plane without a word. */
static void on_hangup(evutil_socket_t signal_number, short events, void *user)
{
	const struct daemon *daemon = user;
	bool any = false;

	(void)signal_number;
	(void)events;
	if (daemon->service && *daemon->config.guard_secret) {
		service_guard_secret(daemon->service);
		any = true;
	}
	if (daemon->service && service_has_quic_keys(daemon->service)) {
		service_quic_keys(daemon->service);
		any = true;
	}
	if (!any)
		log_line(LOG_LEVEL_WARNING,
			 "SIGHUP is ignored: lbd.json is read at start only, and a restart "
			 "loses nothing");
}

/* --- start, step by step; each says by itself what is wrong --- */

/* What is not allowed is no reason not to start: checks that lack a descriptor say so. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= FILES_WANTED)
		return;
	limit.rlim_cur = FILES_WANTED;
	if (limit.rlim_max >= FILES_WANTED) {
		setrlimit(RLIMIT_NOFILE, &limit);
		return;
	}
	limit.rlim_max = FILES_WANTED;
	if (!setrlimit(RLIMIT_NOFILE, &limit) || getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* What is large is the kernel's again when it is freed, and small pieces are put together one by one:
 * by default free() of a reply may do so for a whole document, and keep the loop for 30 ms. */
static void set_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_MXFAST, 0);
}

static int start_loop(struct daemon *daemon, struct lb_err *err)
{
	static const struct {
		int number;
		event_callback_fn handler;
	} signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hangup}};
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored by who started lbd, exit statuses would be lost */
	raise_file_limit();
	set_malloc();
	daemon->base = event_base_new();
	daemon->events = events_new();
	if (!daemon->base || !daemon->events)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot make an event loop");
	events_add_listener(daemon->events, log_event, NULL);
	for (i = 0; i < 3; i++) {
		daemon->signals[i] =
			evsignal_new(daemon->base, signals[i].number, signals[i].handler,
				     signals[i].number == SIGHUP ? (void *)daemon : daemon->base);
		if (!daemon->signals[i] || evsignal_add(daemon->signals[i], NULL))
			return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot handle signals");
	}
	if (turns_new(daemon->base, &daemon->turns, err))
		return -EINVAL;
	return notify_open(daemon->base, &daemon->notify, err);
}

static int open_control(struct daemon *daemon, const struct control_options *options,
			struct control **out, struct lb_err *err)
{
	char warning[256] = "";
	int error = control_open(daemon->base, options, out, warning, sizeof(warning), err);

	if (!error)
		events_add_sink(daemon->events, control_broadcast, *out);
	if (!error && warning[0])
		json_array_append_new(daemon->warnings, json_string(warning));
	return error;
}

/* Bound before the data plane is touched, so that a second lbd refuses before it can do harm.
 * Nobody is answered before the loop runs. */
static int start_control(struct daemon *daemon, struct lb_err *err)
{
	const struct config *config = &daemon->config;
	const struct control_options options = {
		.stream_method = METHOD_WATCH,
		.path = config->control_path,
		.group = config->control_group,
		.group_required = config->control_group_configured,
		.call = methods_call,
		.place = methods_place,
		.together = methods_together,
		.settle = methods_settle,
		.user = &daemon->methods,
	};
	/* Everybody may connect there, so all of them together get a quarter of the time, and 30
	 * MiB or so. */
	static const struct share_limits looking = {
		.clients = 128,
		.clients_by_user = 32,
		.rest = 3,
		.unread = 16u << 20,
		.unread_by_user = 4u << 20,
	};
	const struct control_options read_only = {
		.stream_method = METHOD_WATCH,
		.path = config->control_read_only_path,
		.path_name = "control.read_only_path",
		.mode = 0666,
		.line_max = 65536,
		.share = &looking,
		.call = methods_call_read_only,
		.place = methods_place_read_only,
		.user = &daemon->methods,
	};
	int error = open_control(daemon, &options, &daemon->control, err);

	if (!error && *config->control_read_only_path)
		error = open_control(daemon, &read_only, &daemon->read_only, err);
	return error;
}

static int start_state(struct daemon *daemon, struct lb_err *err)
{
	char warning[512];
	int error = state_lock(daemon->config.state_dir, &daemon->state_fd, err);

	if (!error)
		error = seed_find(&daemon->config, daemon->reset_flows, warning, sizeof(warning),
				  err);
	if (!error && *warning)
		json_array_append_new(daemon->warnings, json_string(warning));
	return error;
}

static struct datapath_options datapath_options_of(const struct config *config)
{
	return (struct datapath_options){
		.vips = config->vips,
		.members = members_capacity(config),
		.slots = config->slots,
		.flows = config->flows,
		.answer_rate = config->answer_rate,
		.vip_counters = config->vip_counters,
		.seed = {config->seed[0], config->seed[1]},
		.seed_from = config->seed_configured ? "lbd.json" : config->state_dir,
		.pin_dir = config->pin_dir,
	};
}

static int start_datapath(struct daemon *daemon, struct lb_err *err)
{
	struct datapath_options options = datapath_options_of(&daemon->config);

	options.reset = daemon->reset_flows;
	return datapath_open(&options, &daemon->datapath, err);
}

/* Before packets find VIPs that want them. */
static int start_lists(struct daemon *daemon, struct lb_err *err)
{
	const struct lists_options options = {
		.state_dir = daemon->config.state_dir,
		.datapath = daemon->datapath,
		.timers = timers_of(daemon->base),
		.events = daemon->events,
	};

	return lists_open(&options, &daemon->lists, err);
}

static int start_service(struct daemon *daemon, struct lb_err *err)
{
	const struct service_options options = {
		.config = &daemon->config,
		.plane = datapath_plane(daemon->datapath),
		.disk = &state_disk,
		.timers = timers_of(daemon->base),
		.base = daemon->base,
		.links = daemon->links,
		.events = daemon->events,
		.turns = daemon->turns,
		.guard = lists_guard,
		.guard_user = daemon->lists,
	};
	int error = service_open(&options, &daemon->service, err);

	if (!error)
		lists_serve(daemon->lists, daemon->service);
	return error;
}

static void path_mtu_heard(void *user, const struct pmtu_news *news)
{
	const struct daemon *daemon = user;

	if (news->refusal)
		service_refused(daemon->service, &news->destination, news->refusal);
	else
		service_path_mtu(daemon->service, news);
}

/* Not hearing costs only the packets that are too big for a narrow way beyond the next hop. */
static void start_pmtu(struct daemon *daemon)
{
	struct lb_err err = {0};

	if (!pmtu_open(daemon->base, path_mtu_heard, daemon, &daemon->pmtu, &err))
		return;
	json_array_append_new(
		daemon->warnings,
		json_sprintf("the path MTU beyond the next hop is not learned: %s; %s", err.message,
			     err.hint));
}

static void start_monitor(struct daemon *daemon)
{
	const struct monitor_options options = {
		.base = daemon->base,
		.config = &daemon->config,
		.events = daemon->events,
		.methods = &daemon->methods,
	};

	monitor_open(&options, daemon->warnings, &daemon->monitor);
}

static int start_status_line(struct daemon *daemon, struct lb_err *err)
{
	const struct status_line_options options = {
		.base = daemon->base,
		.events = daemon->events,
		.notify = daemon->notify,
		.service = daemon->service,
		.config = &daemon->config,
		.attachments = interfaces_attachments(daemon->interfaces),
	};

	return status_line_open(&options, &daemon->status_line, err);
}

/* Last, when packets that come find every VIP: then others may send them. */
static int start_node(struct daemon *daemon, struct lb_err *err)
{
	const struct node_options options = {
		.config = &daemon->config,
		.base = daemon->base,
		.datapath = daemon->datapath,
		.attachments = interfaces_attachments(daemon->interfaces),
		.links = daemon->links,
		.service = daemon->service,
		.events = daemon->events,
	};
	int error = node_open(&options, &daemon->node, err);

	if (!error)
		node_work(daemon->node, daemon->upkeep);
	return error;
}

static int drop_privileges(const struct daemon *daemon, struct lb_err *err)
{
	const struct config *config = &daemon->config;
	const struct privileges_wanted wanted = {
		.other_user = *config->exec.folder || *config->otlp.endpoint,
	};

	return privileges_drop(&wanted, err);
}

/* Threads have the rights that their maker has at that moment: after drop_privileges. */
static int start_workers(struct daemon *daemon, struct lb_err *err)
{
	int error = worker_new(daemon->turns, &daemon->changes, err);

	if (!error)
		error = worker_new(daemon->turns, &daemon->reads, err);
	if (!error)
		error = worker_new(daemon->turns, &daemon->facts, err);
	if (!error)
		error = worker_new(daemon->turns, &daemon->probes, err);
	if (!error)
		error = worker_new(daemon->turns, &daemon->upkeep, err);
	if (!error)
		error = worker_new(daemon->turns, &daemon->scrapes, err);
	if (error)
		return error;
	service_work(daemon->service, daemon->changes, daemon->upkeep);
	lists_work(daemon->lists, daemon->changes);
	return 0;
}

static int start_replays(struct daemon *daemon, struct lb_err *err)
{
	const struct timers timers = timers_of(daemon->base);

	daemon->replay_tables =
		replay_tables_new(&timers, daemon->config.seed, REPLAY_TABLES_BYTES);
	return daemon->replay_tables ? 0 : lb_err_no_memory(err);
}

static int start(struct daemon *daemon, struct lb_err *err)
{
	int error = preflight_check(&daemon->config, daemon->preflight.warnings, err);

	if (!error)
		error = start_loop(daemon, err);
	if (!error)
		error = start_control(daemon, err);
	if (!error)
		error = start_state(daemon, err);
	if (!error)
		error = start_datapath(daemon, err);
	if (!error)
		error = links_open(daemon->base, &daemon->links, err);
	if (!error)
		error = start_lists(daemon, err);
	if (!error)
		error = start_service(daemon, err);
	if (!error) {
		preflight_again_serve(&daemon->preflight, daemon->service);
		start_pmtu(daemon);
		start_monitor(daemon);
	}
	if (!error) /* last: the first packet finds every VIP in place */
		error = interfaces_open(&daemon->config, daemon->datapath, daemon->base,
					daemon->links, daemon->events, &daemon->interfaces, err);
	if (!error)
		datapath_detach_others(daemon->datapath);
	if (!error) /* pins, sockets and attachments are made; what is left needs little */
		error = drop_privileges(daemon, err);
	if (!error)
		error = log_follow(daemon->base, err);
	if (!error)
		error = start_workers(daemon, err);
	if (!error)
		error = start_status_line(daemon, err);
	if (!error)
		error = tracer_new(daemon->base, &daemon->tracer, err);
	if (!error)
		error = list_parts_new(&daemon->list_parts, err);
	if (!error)
		error = start_node(daemon, err);
	if (!error)
		error = start_replays(daemon, err);
	if (error)
		return error;
	daemon->methods = (struct methods_context){
		.config = &daemon->config,
		.datapath = daemon->datapath,
		.service = daemon->service,
		.lists = daemon->lists,
		.links = daemon->links,
		.events = daemon->events,
		.attachments = interfaces_attachments(daemon->interfaces),
		.preflight = &daemon->preflight,
		.tracer = daemon->tracer,
		.replay_tables = daemon->replay_tables,
		.list_parts = daemon->list_parts,
		.node = daemon->node,
		.warnings = daemon->warnings,
		.services = &daemon->services,
		.started = lb_now_ms() / 1000,
		.turns = daemon->turns,
		.describe_push = monitor_describe_push,
		.pusher = daemon->monitor,
		.changes = daemon->changes,
		.reads = daemon->reads,
		.facts = daemon->facts,
		.probes = daemon->probes,
	};
	monitor_serve(daemon->monitor, daemon->scrapes);
	return 0;
}

/* It may be wrong, or end flows, by now: what was in force before stays so, and status says why. */
static void apply_services(struct daemon *daemon)
{
	json_auto_t *params = json_object(), *result = NULL;
	const struct lb_request request = {.method = "config.reload", .params = params};
	struct lb_err err = {0};

	if (*daemon->config.services &&
	    methods_call(&daemon->methods, NULL, &request, &result, &err))
		log_error(&err);
}

static void stop(struct daemon *daemon)
{
	size_t i;

	worker_close(daemon->changes); /* what is under way comes to its end */
	worker_close(daemon->reads);
	worker_close(daemon->facts);
	worker_close(daemon->probes);
	worker_close(daemon->upkeep);
	worker_close(daemon->scrapes);
	node_close(daemon->node);
	interfaces_close(daemon->interfaces);
	pmtu_close(daemon->pmtu);
	service_end(daemon->service);
	service_close(daemon->service);
	lists_close(daemon->lists);
	links_close(daemon->links);
	status_line_close(daemon->status_line);
	tracer_free(daemon->tracer);
	list_parts_free(daemon->list_parts);
	replay_tables_free(daemon->replay_tables);
	control_close(daemon->control);
	control_close(daemon->read_only);
	monitor_close(daemon->monitor);
	events_free(daemon->events);
	datapath_close(daemon->datapath);
	for (i = 0; i < 3; i++)
		if (daemon->signals[i])
			event_free(daemon->signals[i]);
	notify_close(daemon->notify);
	log_close();
	turns_free(daemon->turns);
	if (daemon->base)
		event_base_free(daemon->base);
	preflight_again_clear(&daemon->preflight);
	json_decref(daemon->warnings);
	libevent_global_shutdown();
}

static void announce_warnings(const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (warnings, i, warning)
		log_line(LOG_LEVEL_WARNING, "%s", json_string_value(warning));
}

static void announce(const struct daemon *daemon)
{
	json_auto_t *unread = json_array();

	lists_warnings(daemon->lists, unread);
	announce_warnings(unread);
	announce_warnings(daemon->preflight.warnings);
	announce_warnings(daemon->warnings);
	log_line(LOG_LEVEL_INFO, "%zu VIPs in place%s, answering on %s",
		 service_document(daemon->service)->vip_count,
		 datapath_adopted(daemon->datapath) ? ", taken over as they were" : "",
		 daemon->config.control_path);
	notify_ready(daemon->notify);
}

/* A node that is not looked after leaves the network, though its data plane may go on. Where the
 * refusal is that another lbd runs, its routes stay. */
static void withdraw(const struct config *config)
{
	const int error = simulation_is_on() ? 0 : datapath_withdraw(config->pin_dir);

	if (error)
		log_line(LOG_LEVEL_ERROR, "the routes that announce VIPs cannot be withdrawn: %s",
			 strerror(-error));
}

static int run(struct daemon *daemon)
{
	struct lb_err err = {0};
	int status = EXIT_SUCCESS;

	daemon->warnings = json_array();
	preflight_again_init(&daemon->preflight, &daemon->config);
	if (start(daemon, &err)) {
		log_error(&err);
		status = EXIT_REFUSED;
	} else {
		apply_services(daemon);
		announce(daemon);
		if (!daemon->only_start)
			turns_dispatch(daemon->turns);
		notify_stopping(daemon->notify);
		log_line(LOG_LEVEL_INFO, simulation_is_on() ? "stopping; nothing remains"
							    : "stopping; the data plane stays and "
							      "goes on forwarding");
	}
	stop(daemon);
	if (status != EXIT_SUCCESS)
		withdraw(&daemon->config);
	return status;
}

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_CHECK_PINNED,
	ACTION_DETACH,
	ACTION_DONE,
	ACTION_USAGE
};

struct arguments {
	const char *path;
	const char *pin_dir; /* NULL: that of lbd.json */
	bool reset_flows;
	bool simulate;
	struct simulation_options simulation;
};

static enum action refuse_arguments(int argc, char **argv, const struct arguments *arguments,
				    enum action action)
{
	if (optind < argc)
		fprintf(stderr, "lbd: unexpected argument \"%s\"\n", argv[optind]);
	else if (arguments->pin_dir && action != ACTION_DETACH)
		fprintf(stderr, "lbd: --pin-dir goes with --detach only\n");
	else if (!arguments->simulate &&
		 (arguments->simulation.services || arguments->simulation.socket ||
		  arguments->simulation.rate))
		fprintf(stderr, "lbd: --services, --socket and --rate go with --simulate only\n");
	else if (arguments->simulate && action != ACTION_RUN && action != ACTION_CHECK)
		fprintf(stderr, "lbd: of a simulation nothing is pinned\n");
	else
		return action;
	return ACTION_USAGE;
}

static int read_simulation(int option, struct arguments *arguments)
{
	struct simulation_options *simulation = &arguments->simulation;
	char *end = "";

	if (option == 's')
		arguments->simulate = true;
	else if (option == 'S')
		simulation->services = optarg;
	else if (option == 'o')
		simulation->socket = optarg;
	else
		simulation->rate = (uint32_t)strtoul(optarg, &end, 10);
	if (!*end && simulation->rate <= SIMULATION_RATE_MAX)
		return 0;
	fprintf(stderr, "lbd: --rate must be a number up to %u, not \"%s\"\n", SIMULATION_RATE_MAX,
		optarg);
	return -EINVAL;
}

/* What the command line asks for; version and help are answered here. */
static enum action read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"check-pinned", no_argument, NULL, 'a'},
		{"reset-flows", no_argument, NULL, 'r'},
		{"detach", no_argument, NULL, 'd'},
		{"pin-dir", required_argument, NULL, 'p'},
		{"simulate", no_argument, NULL, 's'},
		{"services", required_argument, NULL, 'S'},
		{"socket", required_argument, NULL, 'o'},
		{"rate", required_argument, NULL, 'n'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	enum action action = ACTION_RUN;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'c') {
			arguments->path = optarg;
		} else if (option == 'k') {
			action = ACTION_CHECK;
		} else if (option == 'a') {
			action = ACTION_CHECK_PINNED;
		} else if (option == 'r') {
			arguments->reset_flows = true;
		} else if (option == 'd') {
			action = ACTION_DETACH;
		} else if (option == 'p') {
			arguments->pin_dir = optarg;
		} else if (strchr("sSon", option)) {
			if (read_simulation(option, arguments))
				return ACTION_USAGE;
		} else if (option == 'v') {
			puts("lbd " LB_VERSION);
			return ACTION_DONE;
		} else if (option == 'h') {
			fputs(usage, stdout);
			return ACTION_DONE;
		} else {
			return ACTION_USAGE;
		}
	}
	return refuse_arguments(argc, argv, arguments, action);
}

static bool failed(int error, const struct lb_err *err)
{
	if (error)
		log_error(err);
	return error;
}

/* What fails keeps nothing else from going away, but an lbd that runs keeps everything. */
static int detach(const char *pin_dir)
{
	struct lb_err err = {0}, tunnels = {0}, nexthops = {0};
	bool incomplete = failed(datapath_detach(pin_dir, &err), &err);

	if (incomplete && err.code == LB_ERR_REFUSED)
		return EXIT_REFUSED;
	incomplete |= failed(tunnels_detach_all(&tunnels), &tunnels);
	incomplete |= failed(nexthops_detach(&nexthops), &nexthops);
	return incomplete ? EXIT_REFUSED : EXIT_SUCCESS;
}

static int check_pins(struct config *config, struct lb_err *err)
{
	struct datapath_options options;
	int error;

	if (!datapath_is_pinned(config->pin_dir))
		return 0;
	error = seed_look(config, err);
	options = datapath_options_of(config);
	return error ? error : datapath_check_pinned(&options, err);
}

static int check_service(const struct config *config, struct lb_err *err)
{
	struct state_revert revert;
	struct lb_service *service = NULL;
	int error = state_read_service(config->state_dir, &service, &revert, err);

	lb_service_free(service);
	lb_service_free(revert.document);
	return error;
}

static int check_pinned(struct config *config)
{
	struct lb_err err = {0};
	int error = check_pins(config, &err);

	if (!error)
		error = check_service(config, &err);
	if (error)
		log_error(&err);
	else
		printf("%s: ok\n", config->pin_dir);
	return error ? EXIT_REFUSED : EXIT_SUCCESS;
}

static int simulate(char **argv, struct daemon *daemon, struct arguments *arguments,
		    enum action action)
{
	struct lb_err err = {0};
	int status;

	if (!arguments->simulation.rate)
		arguments->simulation.rate = SIMULATION_RATE;
	if (simulation_begin(argv, &arguments->simulation, &daemon->config, &err)) {
		log_error(&err);
		return EXIT_REFUSED;
	}
	daemon->only_start = action == ACTION_CHECK;
	status = run(daemon);
	if (daemon->only_start && status == EXIT_SUCCESS)
		printf("%s: ok\n", arguments->simulation.services ? arguments->simulation.services
								  : arguments->path);
	return status;
}

int main(int argc, char **argv)
{
	static struct daemon daemon;
	struct arguments arguments = {.path = LB_CONFIG_DEFAULT};
	struct lb_err err = {0};
	enum action action = read_arguments(argc, argv, &arguments);

	log_open();
	if (action == ACTION_DONE)
		return EXIT_SUCCESS;
	if (action == ACTION_USAGE) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (arguments.pin_dir)
		return detach(arguments.pin_dir);
	if (config_load(arguments.path, &daemon.config, &err)) {
		log_error(&err);
		return EXIT_REFUSED;
	}
	if (arguments.simulate || simulation_is_on())
		return simulate(argv, &daemon, &arguments, action);
	if (action == ACTION_DETACH)
		return detach(daemon.config.pin_dir);
	if (action == ACTION_CHECK_PINNED)
		return check_pinned(&daemon.config);
	daemon.reset_flows = arguments.reset_flows;
	if (action == ACTION_RUN)
		return run(&daemon);
	if (config_doubt(&daemon.config))
		log_line(LOG_LEVEL_WARNING, "%s", config_doubt(&daemon.config));
	printf("%s: ok\n", arguments.path);
	return EXIT_SUCCESS;
}
