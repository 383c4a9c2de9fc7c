/* SPDX-License-Identifier: BSD-2-Clause */
/* What does lbd/route/nexthop.c make of the routes and neighbours of this network namespace?
 *
 *   nexthop_tool [-n SIZE] [-d] STATE_FILE ADDRESS[+COUNT]…
 *
 * Watches the addresses (ADDRESS+COUNT: so many consecutive ones) until SIGTERM or SIGINT. Each
 * change is a line of JSON on stdout; the whole state, with what stands in the shared array, is
 * kept current in STATE_FILE. SIGUSR1 ends the watch of the last address. -d: the first address
 * also watches and unwatches the others whenever it changes.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../../lbd/route/links.h"
#include "../../lbd/route/nexthop.h"

#define STATE_EVERY_MS 10

struct tool {
	const char *state_file;
	struct nexthops *nexthops;
	struct lb_nexthop *array;
	struct lb_addr *addresses;
	size_t count;
	bool disturb;
	char *written; /* the state as last written */
	bool running;
	long long cpu_ms, busy_ms; /* spent at the last tick; the most between two ticks */
	unsigned int changes;
};

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

static json_t *address_json(const struct lb_addr *address)
{
	char text[LB_ADDR_TEXT];

	return address->family ? json_string(lb_addr_format(address, text)) : json_null();
}

static json_t *mac_json(const uint8_t mac[6])
{
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			    mac[5]);
}

/* --- the module's callbacks --- */

static void unwatch(struct tool *tool, size_t i)
{
	nexthops_unwatch(tool->nexthops, nexthops_find(tool->nexthops, &tool->addresses[i]));
}

static void disturb(struct tool *tool)
{
	struct destination *destination;
	size_t i;

	for (i = 1; i < tool->count; i++)
		unwatch(tool, i);
	for (i = 1; i < tool->count; i++)
		nexthops_watch(tool->nexthops, &tool->addresses[i], &destination, NULL);
}

static void on_changed(void *user, struct destination *destination)
{
	const struct nexthop_route *route = &destination->route;
	struct tool *tool = user;
	json_t *path = json_array();
	size_t i;

	tool->changes++;
	for (i = 0; i < LB_MEMBER_PATHS; i++)
		json_array_append_new(path, json_integer(route->path[i]));
	line(json_pack("{s:s, s:o, s:i, s:o, s:i, s:o}", "event", "route", "destination",
		       address_json(&destination->address), "number", (int)route->number, "path",
		       path, "left_out", (int)route->left_out, "source",
		       address_json(&route->source)));
	if (tool->disturb && tool->running &&
	    lb_addr_equal(&destination->address, &tool->addresses[0]))
		disturb(tool);
}

static void on_egress(void *user, uint32_t ifindex, bool in_use)
{
	(void)user;
	line(json_pack("{s:s, s:i, s:b}", "event", "egress", "ifindex", (int)ifindex, "in_use",
		       in_use));
}

/* --- the state file --- */

struct listing {
	const struct tool *tool;
	json_t *list;
};

static void list_hop(void *user, const struct nexthop_info *info)
{
	struct listing *listing = user;
	const struct lb_nexthop *entry = &listing->tool->array[info->number];
	json_t *array =
		json_pack("{s:i, s:o, s:o, s:i, s:i, s:i, s:i}", "valid", (int)entry->valid, "dst",
			  mac_json(entry->dst_mac), "src", mac_json(entry->src_mac), "ifindex",
			  (int)entry->ifindex, "mtu", (int)entry->mtu, "vlan", (int)entry->vlan,
			  "vlan_protocol", (int)ntohs(entry->vlan_protocol));

	json_array_append_new(listing->list,
			      json_pack("{s:i, s:s, s:o, s:o, s:o, s:i, s:b, s:s, s:i, s:o}",
					"number", (int)info->number, "interface", info->interface,
					"gateway", address_json(&info->gateway), "dst",
					mac_json(info->dst_mac), "src", mac_json(info->src_mac),
					"mtu", (int)info->mtu, "resolved", info->resolved, "reason",
					info->reason, "destinations", (int)info->destinations,
					"array", array));
}

static void list_unroutable(void *user, const struct destination *destination)
{
	struct listing *listing = user;

	json_array_append_new(listing->list, json_pack("{s:o, s:s}", "address",
						       address_json(&destination->address),
						       "reason", destination->reason));
}

static char *state_text(struct tool *tool)
{
	struct listing hops = {tool, json_array()}, unroutable = {tool, json_array()};
	json_t *state;
	char *text;

	nexthops_each(tool->nexthops, list_hop, &hops);
	nexthops_each_unroutable(tool->nexthops, list_unroutable, &unroutable);
	state = json_pack("{s:o, s:o, s:i, s:I}", "hops", hops.list, "unroutable", unroutable.list,
			  "changes", (int)tool->changes, "busy_ms", (json_int_t)tool->busy_ms);
	text = json_dumps(state, JSON_COMPACT);
	json_decref(state);
	return text;
}

static void state_write(struct tool *tool)
{
	char temporary[512], *text = state_text(tool);
	FILE *file;

	if (tool->written && strcmp(text, tool->written) == 0) {
		free(text);
		return;
	}
	free(tool->written);
	tool->written = text;
	snprintf(temporary, sizeof(temporary), "%s.new", tool->state_file);
	file = fopen(temporary, "w");
	if (!file)
		return;
	fprintf(file, "%s\n", text);
	fclose(file);
	if (rename(temporary, tool->state_file))
		perror(tool->state_file);
}

/* The processor time between two ticks is how long the module kept the event loop busy, whatever
 * else runs here. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct tool *tool = arg;
	long long busy = cpu_ms() - tool->cpu_ms;

	(void)fd;
	(void)what;
	if (tool->running && busy > tool->busy_ms)
		tool->busy_ms = busy;
	tool->running = true;
	state_write(tool);
	tool->cpu_ms = cpu_ms();
}

/* --- running --- */

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void on_unwatch(evutil_socket_t fd, short what, void *arg)
{
	struct tool *tool = arg;

	(void)fd;
	(void)what;
	if (tool->count)
		unwatch(tool, --tool->count);
}

static void address_next(struct lb_addr *address)
{
	int i = address->family == 4 ? 3 : 15;

	while (i >= 0 && ++address->bytes[i] == 0)
		i--;
}

static int addresses_add(struct tool *tool, const char *argument)
{
	char text[64];
	const char *plus = strchr(argument, '+');
	size_t count = plus ? strtoul(plus + 1, NULL, 10) : 1;
	struct lb_addr address;
	struct lb_err err = {0};

	snprintf(text, sizeof(text), "%.*s", plus ? (int)(plus - argument) : 63, argument);
	if (lb_addr_parse(text, &address, &err)) {
		fprintf(stderr, "nexthop_tool: %s: %s\n", text, err.message);
		return 2;
	}
	tool->addresses =
		realloc(tool->addresses, (tool->count + count) * sizeof(*tool->addresses));
	if (!tool->addresses)
		return 1;
	for (; count > 0; count--, address_next(&address))
		tool->addresses[tool->count++] = address;
	return 0;
}

static int watch_all(struct tool *tool)
{
	struct destination *destination;
	struct lb_err err = {0};
	int status;
	size_t i;

	for (i = 0; i < tool->count; i++) {
		status = nexthops_watch(tool->nexthops, &tool->addresses[i], &destination, &err);
		if (status) {
			line(json_pack("{s:s, s:i, s:s}", "event", "refused", "status", status,
				       "message", err.message));
			tool->count = i;
		}
	}
	return 0;
}

static int run(struct tool *tool, uint32_t array_size)
{
	struct event_base *base = event_base_new();
	struct nexthops_options options = {
		.array = tool->array,
		.array_size = array_size,
		.changed = on_changed,
		.egress = on_egress,
		.user = tool,
	};
	struct timeval every = {0, STATE_EVERY_MS * 1000};
	struct event *events[] = {
		evsignal_new(base, SIGTERM, on_end, base),
		evsignal_new(base, SIGINT, on_end, base),
		evsignal_new(base, SIGUSR1, on_unwatch, tool),
		event_new(base, -1, EV_PERSIST, on_tick, tool),
	};
	struct lb_err err = {0};
	size_t i;

	if (!links_open(base, &options.links, &err))
		tool->nexthops = nexthops_new(base, &options, &err);
	if (!tool->nexthops) {
		fprintf(stderr, "nexthop_tool: %s\n", err.message);
	} else {
		watch_all(tool);
		for (i = 0; i < 4; i++)
			event_add(events[i], i == 3 ? &every : NULL);
		event_base_dispatch(base);
		nexthops_free(tool->nexthops);
	}
	links_close(options.links);
	for (i = 0; i < 4; i++)
		event_free(events[i]);
	event_base_free(base);
	return tool->nexthops ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct tool tool = {0};
	uint32_t array_size = LB_NEXTHOPS_MAX;
	int option, status = 0;

	while ((option = getopt(argc, argv, "n:d")) != -1) {
		if (option == 'n')
			array_size = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'd')
			tool.disturb = true;
		else
			return 2;
	}
	if (argc - optind < 2 || array_size < 2) {
		fputs("usage: nexthop_tool [-n SIZE] [-d] STATE_FILE ADDRESS[+COUNT]...\n", stderr);
		return 2;
	}
	tool.state_file = argv[optind++];
	tool.array = calloc(array_size, sizeof(*tool.array));
	for (; optind < argc && !status; optind++)
		status = addresses_add(&tool, argv[optind]);
	if (!status)
		status = run(&tool, array_size);
	free(tool.array);
	free(tool.addresses);
	free(tool.written);
	return status;
}
