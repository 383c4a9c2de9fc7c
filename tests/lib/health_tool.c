/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the checks of lbd/health/health.c find, and when?
 *
 *	health_tool [-p PIN_DIR -i INTERFACE] [-c] [-s] TARGETS
 *
 * TARGETS is a file of JSON: [{"name": "web", "vip": "192.0.2.10:80/tcp", "backend": "10.0.0.2",
 * "check": {…}, "count": 1, "start": "healthy", "since_wall_ms": 0, "member": 3}…]. count makes so
 * many targets with consecutive IPv4 addresses. Each change is a line of JSON on stdout; SIGUSR1
 * prints every target's view, and what CPU time has been used. Until SIGTERM or SIGINT.
 *
 * -p: tunnel checks through the maps that lbd has pinned there, the program attached to INTERFACE's
 * egress and detached at the end; the member is the one with the backend's address, unless given.
 * -c: all the while, takes watches away and adds them again, whatever they are doing.
 * -s: keeps the loop busy with something else for STALL_MS in every STALL_EVERY_MS.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "../../bpf/abi.h"
#include "../../bpf/tunnel.h"
#include "../../lbd/plane/tunnel.h"
#include "../../lbd/host/exec_rights.h"
#include "../../lbd/health/health.h"

#define CHURN_MS 1
#define STALL_EVERY_MS 330
#define STALL_MS 200

struct target {
	struct tool *tool;
	char name[64];
	struct health_target target;
	struct lb_health check;
	struct health_watch *watch;
};

struct tool {
	struct event_base *base;
	struct health *health;
	struct target *targets;
	size_t count;
	struct tunnel *tunnel;
	int members_fd;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "health_tool: %s: %s\n", what, why);
	exit(2);
}

static long long wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static long long cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void line(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

/* --- events --- */

static void print_view(const char *event, const char *name, const struct health_view *view)
{
	line(json_pack("{s:s s:s s:I s:s s:s s:I s:I s:I}", "event", event, "name", name, "at_ms",
		       (json_int_t)wall_ms(), "status", health_status_name(view->status), "error",
		       view->error, "since_wall_ms", (json_int_t)view->since.wall_ms, "duration_us",
		       (json_int_t)view->duration_us, "streak", (json_int_t)view->streak));
}

static void on_changed(void *user, void *owner, const struct health_view *view)
{
	const struct target *target = owner;

	(void)user;
	print_view("change", target->name, view);
}

static void on_show(evutil_socket_t fd, short events, void *user)
{
	struct tool *tool = user;

	(void)fd;
	(void)events;
	for (size_t i = 0; i < tool->count; i++) {
		struct health_view view;

		health_get(tool->targets[i].watch, &view);
		print_view("view", tool->targets[i].name, &view);
	}
	line(json_pack("{s:s s:I s:I}", "event", "cpu", "at_ms", (json_int_t)wall_ms(), "cpu_ms",
		       (json_int_t)cpu_ms()));
}

static void on_end(evutil_socket_t fd, short events, void *user)
{
	struct tool *tool = user;

	(void)fd;
	(void)events;
	event_base_loopbreak(tool->base);
}

static void add(struct target *target)
{
	target->watch = health_add(target->tool->health, &target->target, target);
	if (!target->watch)
		die(target->name, "out of memory");
}

static void on_churn(evutil_socket_t fd, short events, void *user)
{
	struct tool *tool = user;
	struct target *target = &tool->targets[(size_t)random() % tool->count];

	(void)fd;
	(void)events;
	health_remove(target->watch);
	add(target);
}

static void on_stall(evutil_socket_t fd, short events, void *user)
{
	const struct timespec stall = {.tv_nsec = STALL_MS * 1000000};

	(void)fd;
	(void)events;
	(void)user;
	nanosleep(&stall, NULL);
}

/* --- targets --- */

/* The backend is a member of an IPv4 VIP and of an IPv6 one, that were made in this order. */
static uint32_t member_of(const struct tool *tool, const struct health_target *target)
{
	const uint32_t flags = target->backend.family == 6 ? LB_MEMBER_OUTER6 : 0;
	struct lb_member member;
	uint32_t found = UINT32_MAX;

	for (uint32_t i = 0; bpf_map_lookup_elem(tool->members_fd, &i, &member) == 0; i++)
		if (member.flags & LB_MEMBER_VALID && (member.flags & LB_MEMBER_OUTER6) == flags &&
		    !memcmp(member.daddr, target->backend.bytes, sizeof(member.daddr)) &&
		    (found == UINT32_MAX || target->vip.address.family == 6))
			found = i;
	if (found == UINT32_MAX)
		die("tunnel", "no member has the backend's address");
	return found;
}

/* A check without a member has a mark and nothing more. */
static void prepare_tunnel(struct tool *tool, json_int_t member, struct target *out)
{
	const uint32_t number = member < 0 ? member_of(tool, &out->target) : (uint32_t)member;

	out->target.mark = LB_TUNNEL_MARK | number;
	if (tunnel_check(tool->tunnel, number, &out->target.vip.address))
		die(out->name, "cannot name the VIP of the check");
}

static enum health_status status_of(const char *name)
{
	return !strcmp(name, "healthy")     ? HEALTH_HEALTHY
	       : !strcmp(name, "unhealthy") ? HEALTH_UNHEALTHY
					    : HEALTH_UNKNOWN;
}

static void count_up(struct lb_addr *address, unsigned int by)
{
	uint32_t number;

	memcpy(&number, address->bytes, sizeof(number));
	number = htonl(ntohl(number) + by);
	memcpy(address->bytes, &number, sizeof(number));
}

static void read_target(struct tool *tool, const json_t *json, unsigned int number,
			struct target *out)
{
	const char *name, *vip, *backend, *start = "unknown";
	json_int_t since = 0, member = -1, count = 1;
	struct lb_err err = {0};
	json_t *check;

	if (json_unpack((json_t *)json, "{s:s s:s s:s s:o s?s s?I s?I s?I}", "name", &name, "vip",
			&vip, "backend", &backend, "check", &check, "start", &start,
			"since_wall_ms", &since, "member", &member, "count", &count))
		die("targets", "a field is wrong");
	out->tool = tool;
	snprintf(out->name, sizeof(out->name), count > 1 ? "%s%u" : "%s", name, number);
	if (lb_endpoint_parse(vip, &out->target.vip, &err) ||
	    lb_addr_parse(backend, &out->target.backend, &err) ||
	    schema_read(&lb_health_schema, check, &out->check, &err) ||
	    lb_health_fits(&out->check, &out->target.vip, &err))
		die(name, err.message);
	if (count > 1)
		count_up(&out->target.backend, number);
	out->target.check = &out->check;
	out->target.start = status_of(start);
	out->target.start_since_wall_ms = since;
	if (out->check.source == LB_HEALTH_TUNNEL)
		prepare_tunnel(tool, member, out);
}

static size_t count_of(const json_t *json)
{
	const json_t *count = json_object_get(json, "count");

	return count ? (size_t)json_integer_value(count) : 1;
}

static void read_targets(struct tool *tool, const char *path)
{
	json_error_t error;
	json_t *list = json_load_file(path, 0, &error);
	size_t used = 0;

	if (!list)
		die(path, error.text);
	for (size_t i = 0; i < json_array_size(list); i++)
		tool->count += count_of(json_array_get(list, i));
	tool->targets = calloc(tool->count + 1, sizeof(*tool->targets));
	if (!tool->targets)
		die(path, "out of memory");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *json = json_array_get(list, i);

		for (unsigned int j = 0; j < count_of(json); j++)
			read_target(tool, json, j, &tool->targets[used++]);
	}
	json_decref(list);
}

/* --- the tunnel --- */

static int pinned(const char *dir, const char *map)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, map);
	fd = bpf_obj_get(path);
	if (fd < 0)
		die(path, strerror(-fd));
	return fd;
}

static void tunnel_up(struct tool *tool, const char *pin_dir, const char *interface)
{
	struct tunnel_options options = {
		.members_fd = pinned(pin_dir, "members"),
		.nexthops_fd = pinned(pin_dir, "nexthops"),
	};
	struct lb_err err;

	tool->members_fd = options.members_fd;
	if (tunnel_open(&options, &tool->tunnel, &err) ||
	    tunnel_attach(tool->tunnel, interface, &err))
		die(interface, err.message);
	close(options.nexthops_fd);
}

/* --- the loop --- */

static void raise_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void run(struct tool *tool, bool churn, bool stall)
{
	const struct timeval often = {.tv_usec = CHURN_MS * 1000};
	const struct timeval now_and_then = {.tv_usec = STALL_EVERY_MS * 1000};
	struct event *events[] = {
		evsignal_new(tool->base, SIGUSR1, on_show, tool),
		evsignal_new(tool->base, SIGTERM, on_end, tool),
		evsignal_new(tool->base, SIGINT, on_end, tool),
		event_new(tool->base, -1, EV_PERSIST, on_churn, tool),
		event_new(tool->base, -1, EV_PERSIST, on_stall, tool),
	};

	for (size_t i = 0; i < 3; i++)
		event_add(events[i], NULL);
	if (churn)
		event_add(events[3], &often);
	if (stall)
		event_add(events[4], &now_and_then);
	for (size_t i = 0; i < tool->count; i++)
		add(&tool->targets[i]);
	line(json_pack("{s:s s:I}", "event", "started", "at_ms", (json_int_t)wall_ms()));
	event_base_dispatch(tool->base);
	for (size_t i = 0; i < 5; i++)
		event_free(events[i]);
}

int main(int argc, char **argv)
{
	struct exec_rights rights = {.user = "nobody"};
	const struct health_options options = {.changed = on_changed, .exec_rights = &rights};
	struct tool tool = {.members_fd = -1};
	const char *pin_dir = NULL, *interface = NULL;
	bool churn = false, stall = false;
	int option;

	while ((option = getopt(argc, argv, "p:i:x:cs")) != -1) {
		if (option == 'p')
			pin_dir = optarg;
		else if (option == 'i')
			interface = optarg;
		else if (option == 'x')
			snprintf(rights.folder, sizeof(rights.folder), "%s", optarg);
		else if (option == 'c')
			churn = true;
		else if (option == 's')
			stall = true;
		else
			return 2;
	}
	if (optind + 1 != argc || !pin_dir != !interface)
		die("usage", "health_tool [-p PIN_DIR -i INTERFACE] [-x FOLDER] [-c] [-s] TARGETS");
	if (exec_rights_resolve(&rights, NULL))
		die("-x", "there is no user nobody");
	raise_descriptors();
	if (pin_dir)
		tunnel_up(&tool, pin_dir, interface);
	read_targets(&tool, argv[optind]);
	tool.base = event_base_new();
	tool.health = health_new(tool.base, &options);
	run(&tool, churn, stall);
	health_free(tool.health);
	event_base_free(tool.base);
	for (size_t i = 0; i < tool.count; i++)
		schema_clear(&lb_health_schema, &tool.targets[i].check);
	free(tool.targets);
	if (tool.tunnel && tunnel_detach(interface, NULL))
		die(interface, "cannot detach");
	tunnel_close(tool.tunnel);
	if (tool.members_fd >= 0)
		close(tool.members_fd);
	return 0;
}
