/* SPDX-License-Identifier: BSD-2-Clause */
/* How is each backend reached right now?
 *
 * Four activities, each in bounded steps from the event loop:
 *
 *   notifications   of the kernel (nexthop_netlink.c) go into the table (nexthop_table.c) and say
 *                   what to ask again
 *   sharing         of paths among the next hops of a destination that has several, when one of
 *                   these became resolved or unresolved
 *   the pass        asks for the route of every destination, some time after a change of anything
 *                   that routes depend on
 *   tending         asks the kernel to resolve the neighbours that are due
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "../api/clock.h"
#include "nexthop.h"
#include "nexthop_left.h"
#include "nexthop_netlink.h"
#include "nexthop_paths.h"
#include "nexthop_table.h"

#define STEP 256  /* destinations or neighbours asked about in a row, about 3 ms */
#define STEP_MS 4 /* no more are asked about then, on a slow or busy machine */

/* The pass waits a little, since changes come in bursts, and after one that was long it rests: so
 * that endless changes cost a fifth of a processor. The refresh is for what the kernel does not
 * announce, such as sysctls. */
#define PASS_DELAY_MS 30
#define PASS_REST_SHARE 4 /* of the time it worked */
#define PASS_REST_MAX_MS 400
#define PASS_REFRESH_MS 60000

/* Between two requests for one neighbour: at least; when the kernel refused, or a probe of ours
 * found no answer; and between our probes of a resolved one, where the kernel does not manage. */
#define ASK_GAP_MS 200
#define ASK_FAILED_MS 1000
#define ASK_PROBE_MS 5000

#define PATH_MTU_MS 600000

#define DESTINATION_BUCKETS 4096u

struct nexthops {
	struct nexthops_options options;
	struct netlink *netlink;
	struct links_subscriber on_link;
	struct hops hops;
	LIST_HEAD(destinations, destination) buckets[DESTINATION_BUCKETS], all;
	bool manages;   /* the kernel has shown that it keeps neighbours resolved for us */
	bool unmanaged; /* it cannot: we probe */

	struct event *pass_timer;
	struct destination *pass_next; /* the next to ask; NULL: no pass under way */
	bool pass_again;               /* something changed since this pass began */
	int64_t pass_began_cpu_ms, pass_rest_until_ms;

	struct event *share_timer;
	struct destination *share_next; /* the next whose paths are shared; NULL: no round */

	struct event *tend_timer;
	uint32_t tend_next; /* number of the next hop to look at; 1: no round under way */
	bool tend_again;
};

static void timer_set(struct event *timer, int64_t delay_ms)
{
	struct timeval delay = {delay_ms / 1000, (delay_ms % 1000) * 1000};

	evtimer_add(timer, &delay);
}

/* Has every destination's route asked for again, before long. */
static void pass_soon(struct nexthops *nexthops)
{
	int64_t now = lb_now_ms(), delay = PASS_DELAY_MS;

	if (nexthops->pass_again)
		return;
	nexthops->pass_again = true;
	if (nexthops->pass_next)
		return;
	if (now + delay < nexthops->pass_rest_until_ms)
		delay = nexthops->pass_rest_until_ms - now;
	timer_set(nexthops->pass_timer, delay);
}

/* --- neighbours: having the kernel resolve them --- */

static void tend_soon(struct nexthops *nexthops, struct hop_neighbour *neighbour)
{
	neighbour->due = true;
	nexthops->tend_again = true;
	timer_set(nexthops->tend_timer, 0);
}

static void neighbour_refused(struct nexthops *nexthops, struct hop_neighbour *neighbour,
			      int status)
{
	const char *words = netlink_reason(nexthops->netlink);
	char problem[sizeof(neighbour->problem)];

	if (status == -ENOBUFS)
		words = "the kernel's neighbour table is full (see gc_thresh3)";
	snprintf(problem, sizeof(problem), "%s", words[0] ? words : strerror(-status));
	hops_neighbour_problem(&nexthops->hops, neighbour, problem, lb_now_ms());
	neighbour->due = true;
	neighbour->not_before_ms = lb_now_ms() + ASK_FAILED_MS;
}

/* Reads the entry: 0, -ENOENT when there is none, or another -errno. */
static int neighbour_read(struct nexthops *nexthops, struct hop_neighbour *neighbour)
{
	struct netlink_neighbour is;
	int status = netlink_neighbour_get(nexthops->netlink, neighbour->is.ifindex,
					   &neighbour->is.address, &is);

	if (!status && !is.address.family)
		status = -ENOENT;
	if (!status || status == -ENOENT)
		hops_neighbour_set(&nexthops->hops, neighbour, &is, status == -ENOENT, lb_now_ms());
	return status;
}

/* Nothing to ask for: an entry that somebody else sees to (the operator's permanent one, another
 * program's managed one), or ours while it does well. */
static bool neighbour_is_kept(const struct netlink_neighbour *is)
{
	if (is->state & (NUD_PERMANENT | NUD_NOARP))
		return true;
	return is->managed && (!is->ours || !(is->state & NUD_FAILED));
}

/* Sets when to look next. A kernel that does not know our flag takes the request in silence: does
 * it show it now? */
static void neighbour_asked(struct nexthops *nexthops, struct hop_neighbour *neighbour)
{
	if (neighbour->is.managed)
		nexthops->manages = true;
	else if (!nexthops->manages)
		nexthops->unmanaged = true;
	neighbour->due = !neighbour->is.managed;
	if (nexthops->unmanaged)
		neighbour->not_before_ms =
			lb_now_ms() + (neighbour->usable ? ASK_PROBE_MS : ASK_FAILED_MS);
}

/* Entries that exist are read first, and new ones made only if still missing, since asking would
 * turn a permanent entry into an ordinary one. */
static void neighbour_ask(struct nexthops *nexthops, struct hop_neighbour *neighbour)
{
	int status = neighbour_read(nexthops, neighbour);
	bool fresh = status == -ENOENT;

	neighbour->due = false;
	neighbour->not_before_ms = lb_now_ms() + ASK_GAP_MS;
	if (!status && neighbour_is_kept(&neighbour->is))
		return;
	if (!status || fresh)
		status = netlink_neighbour_ask(nexthops->netlink, neighbour->is.ifindex,
					       &neighbour->is.address, !nexthops->unmanaged, fresh);
	if (status == -EOPNOTSUPP && !nexthops->unmanaged) {
		nexthops->unmanaged = true;
		neighbour->due = true;
		return;
	}
	if (status == -EEXIST) {
		neighbour->due = true;
		return;
	}
	if (!status)
		status = neighbour_read(nexthops, neighbour);
	if (status && status != -ENOENT)
		neighbour_refused(nexthops, neighbour, status);
	else if (!status)
		neighbour_asked(nexthops, neighbour);
	else
		neighbour->due = true;
}

static bool neighbour_tend(struct nexthops *nexthops, struct hop_neighbour *neighbour)
{
	if (!neighbour->due || !neighbour->link->present || !neighbour->link->is.up ||
	    lb_now_ms() < neighbour->not_before_ms)
		return false;
	neighbour_ask(nexthops, neighbour);
	return true;
}

static void tend_step(evutil_socket_t fd, short what, void *arg)
{
	struct nexthops *nexthops = arg;
	struct hops *hops = &nexthops->hops;
	const int64_t end_ms = lb_now_ms() + STEP_MS;
	struct hop *hop;
	uint32_t asked = 0;

	(void)fd;
	(void)what;
	if (nexthops->tend_next == 1)
		nexthops->tend_again = false;
	for (; nexthops->tend_next < hops->array_size && asked < STEP && lb_now_ms() <= end_ms;
	     nexthops->tend_next++) {
		hop = hops->by_number[nexthops->tend_next];
		if (!hop)
			continue;
		asked += neighbour_tend(nexthops, hop->neighbour);
		/* Those of a link that is down become due again when it comes up. */
		if (hop->neighbour->due && hop->neighbour->link->is.up)
			nexthops->tend_again = true;
	}
	if (nexthops->tend_next < hops->array_size) {
		timer_set(nexthops->tend_timer, 0);
		return;
	}
	nexthops->tend_next = 1;
	if (nexthops->tend_again)
		timer_set(nexthops->tend_timer, ASK_GAP_MS);
}

/* --- routes: which way to a destination --- */

static const char *refusal_text(int status)
{
	switch (status) {
	case -ENETUNREACH:
		return "network is unreachable";
	case -EHOSTUNREACH:
		return "host is unreachable";
	case -EACCES:
		return "a route prohibits it";
	case -EINVAL:
		return "a blackhole route discards it";
	default:
		return strerror(-status);
	}
}

static const char *route_type_text(uint8_t type)
{
	switch (type) {
	case RTN_LOCAL:
		return "is an address of this machine";
	case RTN_ANYCAST:
		return "is an anycast address of this machine";
	case RTN_BROADCAST:
		return "is a broadcast address";
	case RTN_MULTICAST:
		return "is a multicast address";
	case RTN_BLACKHOLE:
		return "a blackhole route discards it";
	case RTN_UNREACHABLE:
		return "host is unreachable";
	case RTN_PROHIBIT:
		return "a route prohibits it";
	default:
		return "the route is of a kind that cannot be followed";
	}
}

/* A route that vanished with its link is more usefully told as that. */
static void say_refused(const struct nexthops *nexthops, struct destination *destination,
			int status)
{
	struct link *link = NULL;

	if (destination->last_ifindex)
		link = links_find(nexthops->options.links, destination->last_ifindex);
	if (status == -ENETUNREACH && link && link->present && !link->is.up)
		snprintf(destination->reason, sizeof(destination->reason), "%s: link %s is down",
			 refusal_text(status), link->is.name);
	else
		snprintf(destination->reason, sizeof(destination->reason), "%s",
			 refusal_text(status));
}

/* Where frames leave that go by `link`; NULL when the program cannot send there, and the reason
 * says why not. */
static struct link *exit_of(const struct nexthops *nexthops, struct destination *destination,
			    struct link *link)
{
	struct link *way_out = NULL;
	const char *why = "is not an Ethernet interface";

	if (!link || !link->present) {
		snprintf(destination->reason, sizeof(destination->reason),
			 "the interface is not known yet");
		return NULL;
	}
	if (link->is.ethernet)
		way_out = hops_exit(&nexthops->hops, link, &why);
	if (!way_out)
		snprintf(destination->reason, sizeof(destination->reason),
			 "leads through %s, which %s", link->is.name, why);
	return way_out;
}

/* True when the program can send along the route; else the reason says why not. */
static bool route_usable(struct destination *destination, const struct netlink_route *route)
{
	const char *reason = NULL;

	if (route->type != RTN_UNICAST)
		reason = route_type_text(route->type);
	else if (route->encap)
		reason = "the route encapsulates";
	if (reason)
		snprintf(destination->reason, sizeof(destination->reason), "%s", reason);
	return !reason;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What the route allows (0: as much as the links do) and, for as long as it is believed, what a
 * router on the way has said. */
static uint32_t mtu_of(struct destination *destination, const struct netlink_route *route)
{
	if (destination->path_mtu && lb_now_ms() >= destination->path_mtu_until_ms)
		destination->path_mtu = 0;
	if (!destination->path_mtu || !route->mtu)
		return destination->path_mtu | route->mtu;
	return least(destination->path_mtu, route->mtu);
}

/* No answer about the route, but a failure to get one. */
static bool is_transient(int status)
{
	return status == -EAGAIN || status == -ENOBUFS || status == -ENOMEM || status == -EINTR;
}

static void ways_release(struct nexthops *nexthops, struct ways *ways)
{
	while (ways->count)
		hops_release(&nexthops->hops, ways->hop[--ways->count]);
}

/* Takes hold of one way's next hop. One that is there already only gains weight, and one that the
 * program cannot send by is passed over. -ENOSPC or -ENOMEM when the next hop cannot be had. */
static int ways_add(struct nexthops *nexthops, struct destination *destination, struct ways *ways,
		    const struct netlink_path *path, uint32_t route_mtu)
{
	const struct lb_addr *gateway =
		path->gateway.family ? &path->gateway : &destination->address;
	struct link *link = links_find(nexthops->options.links, path->ifindex);
	struct link *way_out = exit_of(nexthops, destination, link);
	struct hop *hop;
	uint32_t mtu;
	size_t i;
	int status;

	if (!way_out)
		return 0;
	mtu = least(link->is.mtu, way_out->is.mtu);
	status = hops_acquire(&nexthops->hops, link, gateway,
			      route_mtu ? least(mtu, route_mtu) : mtu, &hop);
	if (status)
		return status;
	for (i = 0; i < ways->count && ways->hop[i] != hop; i++)
		;
	ways->weight[i] = (i < ways->count ? ways->weight[i] : 0) + path->weight;
	if (i < ways->count) {
		hops_release(&nexthops->hops, hop);
		return 0;
	}
	ways->hop[ways->count++] = hop;
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	const struct netlink_path *left = a, *right = b;

	if (left->ifindex != right->ifindex)
		return left->ifindex < right->ifindex ? -1 : 1;
	return lb_addr_compare(&left->gateway, &right->gateway);
}

/* Every way of the route, or where it has but one, that. */
static int ways_find(struct nexthops *nexthops, struct destination *destination,
		     const struct netlink_route *route, struct ways *ways)
{
	struct netlink_paths paths;
	int status = netlink_route_paths(nexthops->netlink, &destination->address, &paths);

	if (status || paths.count < 2) {
		paths.path[0] = (struct netlink_path){
			.ifindex = route->ifindex, .gateway = route->gateway, .weight = 1};
		paths.count = 1;
	}
	qsort(paths.path, paths.count, sizeof(*paths.path), compare_paths);
	status = 0;
	for (size_t i = 0; !status && i < paths.count; i++) {
		if (ways->count == LB_MEMBER_PATHS)
			ways->left_out++;
		else
			status = ways_add(nexthops, destination, ways, &paths.path[i],
					  mtu_of(destination, route));
	}
	return status;
}

/* The kernel's choice by the first way, where there are several: its choice among all would change
 * with any of them. */
static struct lb_addr source_of(struct nexthops *nexthops, const struct destination *destination,
				const struct netlink_route *route, const struct ways *ways)
{
	struct netlink_route first;

	if (ways->count > 1 &&
	    !netlink_route_get(nexthops->netlink, &destination->address,
			       ways->hop[0]->neighbour->link->is.ifindex, &first) &&
	    first.source.family)
		return first.source;
	return route->source;
}

/* Asks for the route and takes hold of its next hops. 0 without any when there is no way; -EAGAIN
 * when the kernel could not be asked; -ENOSPC or -ENOMEM when a next hop cannot be had. */
static int route_ask(struct nexthops *nexthops, struct destination *destination, struct ways *ways,
		     struct lb_addr *source)
{
	struct netlink_route route;
	int status = netlink_route_get(nexthops->netlink, &destination->address, 0, &route);

	memset(ways, 0, sizeof(*ways));
	memset(source, 0, sizeof(*source));
	destination->reason[0] = 0;
	if (status) {
		say_refused(nexthops, destination, status);
		return is_transient(status) ? -EAGAIN : 0;
	}
	if (!route_usable(destination, &route))
		return 0;
	destination->last_ifindex = route.ifindex;
	status = ways_find(nexthops, destination, &route, ways);
	if (status) {
		ways_release(nexthops, ways);
		snprintf(destination->reason, sizeof(destination->reason), "%s",
			 status == -ENOSPC ? "no next hop number is free" : strerror(-status));
		return status;
	}
	if (ways->count)
		*source = source_of(nexthops, destination, &route, ways);
	return 0;
}

static void tell(const struct nexthops *nexthops, struct destination *destination)
{
	const struct ways *ways = &destination->ways;
	struct nexthop_route *route = &destination->route;

	route->number = ways->count ? ways->hop[0]->number : LB_NEXTHOP_UNRESOLVED;
	route->left_out = ways->left_out;
	for (route->ways = 0; route->ways < ways->count; route->ways++)
		route->way[route->ways] = (uint16_t)ways->hop[route->ways]->number;
	nexthops->options.changed(nexthops->options.user, destination);
}

/* True when some path leads elsewhere now. */
static bool paths_share(struct destination *destination)
{
	const struct ways *ways = &destination->ways;
	struct path_candidate candidates[LB_MEMBER_PATHS];
	uint16_t before[LB_MEMBER_PATHS];

	for (size_t i = 0; i < ways->count; i++)
		candidates[i] = (struct path_candidate){
			.number = (uint16_t)ways->hop[i]->number,
			.weight = ways->weight[i],
			.usable = hop_is_usable(ways->hop[i]),
		};
	memcpy(before, destination->route.path, sizeof(before));
	paths_assign(destination->route.path, candidates, ways->count);
	return memcmp(before, destination->route.path, sizeof(before)) != 0;
}

static void ways_tend(struct nexthops *nexthops, const struct ways *ways)
{
	for (size_t i = 0; i < ways->count; i++)
		if (ways->hop[i]->neighbour->due)
			tend_soon(nexthops, ways->hop[i]->neighbour);
}

/* False when nobody could be asked: what there is stands. Where no number is free, the old next
 * hops are given up first, since theirs may be what is missing. */
static bool ways_renew(struct nexthops *nexthops, struct destination *destination, struct ways *old,
		       struct ways *ways, struct lb_addr *source)
{
	int status = route_ask(nexthops, destination, ways, source);
	const bool full = status == -ENOSPC && old->count;

	if (full) {
		ways_release(nexthops, old);
		memset(old, 0, sizeof(*old));
		status = route_ask(nexthops, destination, ways, source);
	}
	if (status == -EAGAIN)
		pass_soon(nexthops);
	return full || status != -EAGAIN;
}

/* The old next hops are let go only after the change was told, so that their numbers are not
 * somebody else's by then. The callback may end the watch: `destination` is not touched after it.
 */
static void destination_ask(struct nexthops *nexthops, struct destination *destination)
{
	struct ways old = destination->ways, ways;
	struct lb_addr source;
	bool changed;

	if (!ways_renew(nexthops, destination, &old, &ways, &source))
		return;
	ways_tend(nexthops, &ways);
	changed = !lb_addr_equal(&source, &destination->route.source) ||
		  ways.left_out != old.left_out;
	destination->ways = ways;
	destination->route.source = source;
	changed |= memcmp(ways.hop, old.hop, sizeof(old.hop)) != 0;
	changed |= paths_share(destination);
	if (changed)
		tell(nexthops, destination);
	ways_release(nexthops, &old);
}

/* --- sharing paths again when a next hop came or went --- */

static void share_step(evutil_socket_t fd, short what, void *arg)
{
	struct nexthops *nexthops = arg;
	struct destination *destination;

	(void)fd;
	(void)what;
	for (nexthops->share_next = LIST_FIRST(&nexthops->all);
	     (destination = nexthops->share_next);) {
		nexthops->share_next = LIST_NEXT(destination, entry);
		if (destination->ways.count > 1 && paths_share(destination))
			tell(nexthops, destination);
	}
}

/* --- the pass over all destinations --- */

static void pass_end(struct nexthops *nexthops)
{
	int64_t worked_ms =
		lb_clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1000000 - nexthops->pass_began_cpu_ms;
	int64_t rest_ms = PASS_REST_SHARE * worked_ms;

	nexthops->pass_rest_until_ms =
		lb_now_ms() + (rest_ms < PASS_REST_MAX_MS ? rest_ms : PASS_REST_MAX_MS);
	if (nexthops->pass_again) {
		nexthops->pass_again = false;
		pass_soon(nexthops);
	} else {
		timer_set(nexthops->pass_timer, PASS_REFRESH_MS);
	}
}

static void pass_step(evutil_socket_t fd, short what, void *arg)
{
	struct nexthops *nexthops = arg;
	const int64_t end_ms = lb_now_ms() + STEP_MS;
	struct destination *destination;
	int i;

	(void)fd;
	(void)what;
	if (!nexthops->pass_next) {
		nexthops->pass_next = LIST_FIRST(&nexthops->all);
		nexthops->pass_again = false;
		nexthops->pass_began_cpu_ms = lb_clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1000000;
	}
	for (i = 0; i < STEP && nexthops->pass_next && lb_now_ms() <= end_ms; i++) {
		destination = nexthops->pass_next;
		nexthops->pass_next = LIST_NEXT(destination, entry);
		destination_ask(nexthops, destination);
	}
	if (nexthops->pass_next)
		timer_set(nexthops->pass_timer, 0);
	else
		pass_end(nexthops);
}

/* --- what the kernel announces --- */

static void link_ask_neighbours(struct nexthops *nexthops, uint32_t ifindex)
{
	struct hop *hop;
	uint32_t number;

	for (number = 1; number < nexthops->hops.array_size; number++) {
		hop = nexthops->hops.by_number[number];
		if (!hop || (hop->neighbour->link->is.ifindex != ifindex &&
			     hop->exit->is.ifindex != ifindex))
			continue;
		hop->neighbour->not_before_ms = 0;
		tend_soon(nexthops, hop->neighbour);
	}
}

static void on_link(void *user, struct link *link, const struct link *before)
{
	struct nexthops *nexthops = user;

	pass_soon(nexthops);
	if (hops_link_changed(&nexthops->hops, link, before))
		link_ask_neighbours(nexthops, link->is.ifindex);
}

static void on_neighbour(void *user, const struct netlink_neighbour *is, bool gone)
{
	struct nexthops *nexthops = user;
	struct hop_neighbour *neighbour =
		hops_neighbour_find(&nexthops->hops, is->ifindex, &is->address);

	if (!neighbour)
		return;
	hops_neighbour_set(&nexthops->hops, neighbour, is, gone, lb_now_ms());
	/* One that failed is asked again at once: what was lost with it may be only an old MAC. */
	if (nexthops->unmanaged && (gone || (is->state & NUD_FAILED)))
		neighbour->not_before_ms = lb_now_ms() + ASK_GAP_MS;
	if (!neighbour_is_kept(&neighbour->is))
		tend_soon(nexthops, neighbour);
}

static void on_routes(void *user)
{
	pass_soon(user);
}

static void on_lost(void *user)
{
	struct nexthops *nexthops = user;
	struct hop *hop;
	uint32_t number;

	pass_soon(nexthops);
	for (number = 1; number < nexthops->hops.array_size; number++) {
		hop = nexthops->hops.by_number[number];
		if (hop)
			tend_soon(nexthops, hop->neighbour);
	}
}

/* Leaves the kernel's entry as it would be without us. */
static void on_forget(void *user, const struct hop_neighbour *neighbour)
{
	const struct nexthops *nexthops = user;

	if (neighbour->is.managed && neighbour->is.ours)
		netlink_neighbour_release(nexthops->netlink, &neighbour->is);
}

static void on_egress(void *user, uint32_t ifindex, bool in_use)
{
	const struct nexthops *nexthops = user;

	if (nexthops->options.egress)
		nexthops->options.egress(nexthops->options.user, ifindex, in_use);
}

static void on_state(void *user, const struct hop *hop)
{
	const struct nexthops *nexthops = user;
	struct nexthop_info info;

	timer_set(nexthops->share_timer, 0);
	if (!nexthops->options.state)
		return;
	hop_describe(hop, &info);
	nexthops->options.state(nexthops->options.user, &info);
}

/* --- opening and closing --- */

static int timers_make(struct nexthops *nexthops, struct event_base *base)
{
	nexthops->pass_timer = evtimer_new(base, pass_step, nexthops);
	nexthops->tend_timer = evtimer_new(base, tend_step, nexthops);
	nexthops->share_timer = evtimer_new(base, share_step, nexthops);
	return nexthops->pass_timer && nexthops->tend_timer && nexthops->share_timer ? 0 : -ENOMEM;
}

static int nexthops_open(struct nexthops *nexthops, struct event_base *base, struct lb_err *err)
{
	const struct netlink_events events = {
		.neighbour = on_neighbour,
		.routes = on_routes,
		.lost = on_lost,
		.user = nexthops,
	};
	const struct nexthops_options *options = &nexthops->options;
	int status =
		hops_init(&nexthops->hops, options->links, options->array, options->array_size);

	if (!status)
		status = timers_make(nexthops, base);
	if (status) {
		lb_err_no_memory(err);
		return status;
	}
	nexthops->hops.egress = on_egress;
	nexthops->hops.forget = on_forget;
	nexthops->hops.state = on_state;
	nexthops->hops.user = nexthops;
	nexthops->tend_next = 1;
	timer_set(nexthops->pass_timer, PASS_REFRESH_MS);
	nexthops->on_link = (struct links_subscriber){.changed = on_link, .user = nexthops};
	links_subscribe(options->links, &nexthops->on_link);
	return netlink_open(base, &events, &nexthops->netlink, err);
}

struct nexthops *nexthops_new(struct event_base *base, const struct nexthops_options *options,
			      struct lb_err *err)
{
	struct nexthops *nexthops = calloc(1, sizeof(*nexthops));

	if (!nexthops) {
		lb_err_no_memory(err);
		return NULL;
	}
	nexthops->options = *options;
	if (nexthops_open(nexthops, base, err)) {
		nexthops_free(nexthops);
		return NULL;
	}
	return nexthops;
}

static void release_all(struct nexthops *nexthops)
{
	struct hop_neighbour *neighbour;
	uint32_t i;

	for (i = 0; i < HOP_BUCKETS; i++)
		for (neighbour = nexthops->hops.neighbours[i]; neighbour;
		     neighbour = neighbour->next)
			on_forget(nexthops, neighbour);
}

void nexthops_free(struct nexthops *nexthops)
{
	struct destination *destination;

	if (!nexthops)
		return;
	if (nexthops->on_link.user)
		links_unsubscribe(&nexthops->on_link);
	release_all(nexthops);
	while ((destination = LIST_FIRST(&nexthops->all))) {
		LIST_REMOVE(destination, entry);
		free(destination);
	}
	hops_clear(&nexthops->hops);
	netlink_close(nexthops->netlink);
	if (nexthops->pass_timer)
		event_free(nexthops->pass_timer);
	if (nexthops->tend_timer)
		event_free(nexthops->tend_timer);
	if (nexthops->share_timer)
		event_free(nexthops->share_timer);
	free(nexthops);
}

/* --- destinations --- */

static uint32_t bucket_of(const struct lb_addr *address)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	size_t i;

	for (i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % DESTINATION_BUCKETS;
}

struct destination *nexthops_find(const struct nexthops *nexthops, const struct lb_addr *address)
{
	struct destination *destination;

	LIST_FOREACH (destination, &nexthops->buckets[bucket_of(address)], in_bucket)
		if (lb_addr_equal(&destination->address, address))
			break;
	return destination;
}

/* At the head: a pass under way does not ask a new one twice. */
static struct destination *destination_make(struct nexthops *nexthops,
					    const struct lb_addr *address)
{
	struct destination *destination = calloc(1, sizeof(*destination));

	if (!destination)
		return NULL;
	destination->address = *address;
	destination->watchers = 1;
	LIST_INSERT_HEAD(&nexthops->buckets[bucket_of(address)], destination, in_bucket);
	LIST_INSERT_HEAD(&nexthops->all, destination, entry);
	return destination;
}

static void destination_free(struct nexthops *nexthops, struct destination *destination)
{
	if (nexthops->pass_next == destination)
		nexthops->pass_next = LIST_NEXT(destination, entry);
	if (nexthops->share_next == destination)
		nexthops->share_next = LIST_NEXT(destination, entry);
	LIST_REMOVE(destination, in_bucket);
	LIST_REMOVE(destination, entry);
	free(destination);
}

static int watch_failed(int status, uint32_t array_size, struct lb_err *err)
{
	if (status != -ENOSPC)
		return lb_err_no_memory(err);
	lb_err_set(err, LB_ERR_LIMIT, "", "all %u next hops are in use", array_size - 1);
	lb_err_hint(err,
		    "a gateway and interface count once, a backend on a connected network by "
		    "itself: put a router between, or spread the backends over several balancers");
	return status;
}

/* Asked now, the answer is mostly there before the first packet. */
static void ways_ask(struct nexthops *nexthops, const struct ways *ways)
{
	for (size_t i = 0; i < ways->count; i++)
		neighbour_tend(nexthops, ways->hop[i]->neighbour);
	ways_tend(nexthops, ways);
}

int nexthops_watch(struct nexthops *nexthops, const struct lb_addr *address,
		   struct destination **out, struct lb_err *err)
{
	struct destination *destination = *out = nexthops_find(nexthops, address);
	int status;

	if (destination) {
		destination->watchers++;
		return 0;
	}
	*out = destination = destination_make(nexthops, address);
	if (!destination)
		return watch_failed(-ENOMEM, 0, err);
	status = route_ask(nexthops, destination, &destination->ways, &destination->route.source);
	if (status == -EAGAIN) {
		pass_soon(nexthops);
	} else if (status) {
		destination_free(nexthops, destination);
		return watch_failed(status, nexthops->hops.array_size, err);
	}
	ways_ask(nexthops, &destination->ways);
	paths_share(destination);
	tell(nexthops, destination);
	return 0;
}

void nexthops_unwatch(struct nexthops *nexthops, struct destination *destination)
{
	struct ways ways = destination->ways;

	if (--destination->watchers)
		return;
	destination_free(nexthops, destination);
	ways_release(nexthops, &ways);
}

/* A lower one than is known is news, and asked for again at once: until then every full packet is
 * lost. The same only says that it still holds. */
void nexthops_path_mtu(struct nexthops *nexthops, struct destination *destination, uint32_t mtu)
{
	const bool lower = mtu != destination->path_mtu;

	if (destination->path_mtu && mtu > destination->path_mtu)
		return;
	destination->path_mtu = mtu;
	destination->path_mtu_until_ms = lb_now_ms() + PATH_MTU_MS;
	if (lower)
		destination_ask(nexthops, destination);
}

/* --- status --- */

void nexthops_each(const struct nexthops *nexthops,
		   void (*each)(void *user, const struct nexthop_info *info), void *user)
{
	struct nexthop_info info;
	uint32_t number;

	for (number = 1; number < nexthops->hops.array_size; number++) {
		if (!nexthops->hops.by_number[number])
			continue;
		hop_describe(nexthops->hops.by_number[number], &info);
		each(user, &info);
	}
}

void nexthops_each_unroutable(const struct nexthops *nexthops,
			      void (*each)(void *user, const struct destination *destination),
			      void *user)
{
	const struct destination *destination;

	LIST_FOREACH (destination, &nexthops->all, entry)
		if (!destination->ways.count)
			each(user, destination);
}

bool nexthops_get(const struct nexthops *nexthops, uint32_t number, struct nexthop_info *out)
{
	if (number >= nexthops->hops.array_size || !nexthops->hops.by_number[number])
		return false;
	hop_describe(nexthops->hops.by_number[number], out);
	return true;
}

/* --- what an earlier lbd has left --- */

static bool neighbour_in_use(void *user, const struct netlink_neighbour *neighbour)
{
	const struct nexthops *nexthops = user;

	return hops_neighbour_find(&nexthops->hops, neighbour->ifindex, &neighbour->address);
}

/* What cannot be released now costs a packet now and then, and waits for the next start. */
void nexthops_forget_left(struct nexthops *nexthops)
{
	hops_forget_left(&nexthops->hops);
	neighbours_release_left(nexthops->netlink, neighbour_in_use, nexthops);
}

int nexthops_detach(struct lb_err *err)
{
	struct netlink *netlink;
	int status = netlink_open(NULL, NULL, &netlink, err);

	if (status)
		return status;
	status = neighbours_release_left(netlink, NULL, NULL);
	netlink_close(netlink);
	if (status)
		lb_err_set(err, LB_ERR_SYSTEM, "",
			   "cannot release neighbour entries (ip neigh, proto 76): %s",
			   strerror(-status));
	return status;
}
