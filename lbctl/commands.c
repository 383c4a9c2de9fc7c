/* SPDX-License-Identifier: BSD-2-Clause */
/* Which commands are there? This is the one place that knows. */
#include <string.h>
#include "args.h"
#include "../lbd/api/model.h"
#include "call.h"
#include "command.h"
#include "doctor.h"
#include "drain.h"
#include "explain.h"
#include "fields.h"
#include "help.h"
#include "list.h"
#include "node.h"
#include "offline.h"
#include "params.h"
#include "quic.h"
#include "replay.h"
#include "stats.h"
#include "tier.h"
#include "trace.h"
#include "view.h"
#include "watch.h"

/* What every change takes. */
#define IF_DIGEST_OPTION                                                                           \
	{                                                                                          \
		.name = "if-digest", .value = "DIGEST",                                            \
		.summary = "refuse if the service document has another digest by now",             \
		.manner = true                                                                     \
	}
#define LOCAL_OPTION                                                                               \
	{                                                                                          \
		.name = "local",                                                                   \
		.summary = "even if this node follows a tier, which is left as it is",             \
		.manner = true                                                                     \
	}
#define CHANGE_OPTIONS                                                                             \
	{.name = "dry-run", .summary = "say what it would do, and do nothing", .manner = true},    \
		{.name = "force", .summary = "even if established flows end", .manner = true},     \
		IF_DIGEST_OPTION, LOCAL_OPTION,                                                    \
	{                                                                                          \
		.name = "max-moved", .value = "P%",                                                \
		.summary = "refuse to move more of a VIP's slots (100%)", .manner = true           \
	}

/* For scripts that may run twice. */
#define IF_MISSING_OPTION                                                                          \
	{                                                                                          \
		.name = "if-missing",                                                              \
		.summary = "nothing to do if it is there already and has what is given here",      \
		.manner = true                                                                     \
	}
#define IF_PRESENT_OPTION                                                                          \
	{                                                                                          \
		.name = "if-present", .summary = "nothing to do if it is not there",               \
		.manner = true                                                                     \
	}

#define LIST_OPTIONS                                                                               \
	{.name = "kind",                                                                           \
	 .value = "block|allow",                                                                   \
	 .summary = "what the list does with sources (block)"},                                    \
		{.name = "vips",                                                                   \
		 .value = "VIPS",                                                                  \
		 .summary = "the list is only for these, separated by blanks"},                    \
		{.name = "all-vips", .summary = "the list is for all VIPs (a new list is)"},       \
		{.name = "monitor", .summary = "the list only counts, and drops nothing"},         \
	{                                                                                          \
		.name = "enforce", .summary = "the list does what its kind is (a new list does)"   \
	}

#define TIER_OPTION                                                                                \
	{                                                                                          \
		.name = "config", .value = "FILE",                                                 \
		.summary = "another tier.json (/etc/lbd/tier.json)", .manner = true                \
	}

const struct option_spec global_options[] = {
	{.name = "socket", .value = "PATH", .summary = "lbd's socket (" LB_SOCKET_DEFAULT ")"},
	{.name = "json",
	 .summary = "print what lbd replied as JSON, and errors as an object with the field error"},
	{.name = "help", .summary = "explain the command instead; also -h"},
	{0},
};

const struct exit_code_spec exit_codes[] = {
	{EXIT_DONE, "done"},
	{EXIT_REFUSED, "refused by lbd or by the system"},
	{EXIT_USAGE, "the command line is wrong"},
	{EXIT_UNREACHABLE, "lbd could not be reached or did not reply properly"},
	{EXIT_DIFFERS,
	 "status: an interface is missing, a backend cannot be reached or is unhealthy; "
	 "backend drain --wait and node drain --wait: not drained in time; "
	 "backend probe: the check fails; config diff: it differs; "
	 "iface list: one is not in working order; doctor: something is wrong; tier show: nodes "
	 "are not alike"},
	{0},
};

static struct command table[] = {
	{
		.object = "status",
		.options =
			{
				{.name = "all", .summary = "also every count of the flow table"},
			},
		.summary = "interfaces, limits, flow table, next hops and problems",
		.detail = "This is what lbctl does when it is given no command.",
		.examples = {"lbctl status", "lbctl"},
		.method = "status",
		.view = view_status,
		.judge = view_status_judge,
	},
	{
		.object = "vip",
		.verb = "add",
		.arguments = {{.name = "ADDRESS:PORT/PROTO"}},
		.schema = &lb_vip_schema,
		.options = {IF_MISSING_OPTION, CHANGE_OPTIONS},
		.summary = "add a VIP",
		.detail = "PROTO is tcp, udp or sctp; port 0 is every port; an IPv6 address stands "
			  "in brackets. A VIP can be a prefix (192.0.2.0/24:443/tcp, "
			  "2001:db8::/48:0/udp) and have a range of ports "
			  "(192.0.2.10:5000-5999/udp): of all VIPs that a packet fits the one "
			  "with the longest prefix gets it, and of these the one with the fewest "
			  "ports. The table size and the hash cannot be changed later. "
			  "With --encap gue packets travel in UDP, port 6080 (GUE variant 1); "
			  "--hash source keeps a client at one backend; with --fragments track "
			  "later fragments follow their first one, with 3-tuple all go by "
			  "addresses and protocol, in whatever order they come. With --syn-guard "
			  "always lbd answers SYNs, with auto:N while more than N a second come; "
			  "each backend needs lbd-backend with the same "
			  "guard_secret, and Linux 6.9. "
			  "RATES are what may come in a second: pps are packets, sps SYNs, and Bps "
			  "bytes; of each source (IPv4 address, IPv6 /64), with source/24, "
			  "source/48 or source/128 of each prefix, with vip of all together. "
			  "More is dropped; with ,monitor behind it, it is only counted. "
			  "DURATION is 90, 90s, 15m or 2h, and 500ms for --health-interval and "
			  "--health-timeout. BYTES are text with \\xNN, \\r, \\n, \\t, \\\\, or "
			  "hex: and digits; COMMAND-LINE is split at blanks. Until the first "
			  "results of its checks are there all "
			  "backends of a new VIP are used, or with --when-all-unhealthy drop none.",
		.examples = {"lbctl vip add 192.0.2.10:443/tcp --name web",
			     "lbctl vip add 192.0.2.10:80/tcp --health http --health-path /healthz "
			     "--health-interval 2s",
			     "lbctl vip add 192.0.2.10:500/udp --hash source --fragments 3-tuple"},
		.method = "vip.add",
		.params = params_vip_add,
		.view = view_change,
	},
	{
		.object = "vip",
		.verb = "set",
		.arguments = {{.name = "VIP"}},
		.schema = &lb_vip_schema,
		.edits = true,
		.options = {CHANGE_OPTIONS},
		.needs_option = true,
		.summary = "change a VIP",
		.detail = "DURATION is 90, 90s, 15m or 2h, and 500ms for --health-interval and "
			  "--health-timeout. An established connection keeps its backend if it "
			  "sends a packet at least once per transition. Before --encap is changed, "
			  "backends must take both ways. --health makes a new check of that kind, "
			  "whose other options are as for vip add; without it the options given "
			  "are changed in the check that is there. Backends go on as they were "
			  "until the first results are there.",
		.examples = {"lbctl vip set web --table maglev --dry-run",
			     "lbctl vip set web --rate source=1000pps,monitor",
			     "lbctl vip set web --health-interval 500ms --health-fall 2"},
		.method = "vip.set",
		.params = params_vip_set,
		.view = view_change,
	},
	{
		.object = "vip",
		.verb = "show",
		.arguments = {{.name = "VIP"}},
		.summary = "show a VIP with its backends and the digest of its table",
		.detail = "Two nodes send every flow to the same backend exactly when their "
			  "digests are equal.",
		.examples = {"lbctl vip show web", "lbctl vip show 192.0.2.10:443/tcp"},
		.method = "vip.show",
		.params = params_vip_reference,
		.view = view_vip,
	},
	{
		.object = "vip",
		.verb = "list",
		.summary = "list the VIPs",
		.examples = {"lbctl vip list"},
		.method = "vip.list",
		.view = view_vips,
	},
	{
		.object = "vip",
		.verb = "del",
		.arguments = {{.name = "VIP"}},
		.options = {IF_PRESENT_OPTION, CHANGE_OPTIONS},
		.summary = "remove a VIP and its backends",
		.detail = "Refused while its backends have flows, unless --force is given. When a "
			  "less specific VIP stays (every port of the same address, a range, a "
			  "prefix), it gets the packets.",
		.examples = {"lbctl vip del web", "lbctl vip del web --force"},
		.method = "vip.del",
		.params = params_vip_reference,
		.view = view_change,
	},
	{
		.object = "pool",
		.verb = "add",
		.arguments = {{.name = "NAME"}},
		.schema = &lb_pool_schema,
		.options = {IF_MISSING_OPTION, CHANGE_OPTIONS},
		.summary = "add a pool, whose backends many VIPs can use",
		.detail =
			"VIPs use it by vip add --pool and vip set --pool; its backends are added "
			"by backend add. A pool that no VIP uses is kept, and its backends are "
			"not checked. --table-size cannot be changed later: 16381 slots take a "
			"quarter of the memory of 65537, so that more pools fit into limits.slots "
			"and into the processor's cache; with them shares are four times coarser. "
			"A pool that also serves UDP VIPs has times of its own for these.",
		.examples = {"lbctl pool add web",
			     "lbctl pool add web --table-size 16381 --health http"},
		.method = "pool.add",
		.params = params_pool_add,
		.view = view_change,
	},
	{
		.object = "pool",
		.verb = "set",
		.arguments = {{.name = "POOL"}},
		.schema = &lb_pool_schema,
		.edits = true,
		.options = {CHANGE_OPTIONS},
		.needs_option = true,
		.summary = "change a pool, for all VIPs that use it",
		.detail = "What is said of the options of vip set holds for each of its VIPs.",
		.examples = {"lbctl pool set web --table maglev --dry-run",
			     "lbctl pool set web --datagram-transition 30s"},
		.method = "pool.set",
		.params = params_pool_set,
		.view = view_change,
	},
	{
		.object = "pool",
		.verb = "show",
		.arguments = {{.name = "POOL"}},
		.summary = "show a pool with its backends and the VIPs that use it",
		.detail = "What its backends do is shown by backend list.",
		.examples = {"lbctl pool show web"},
		.method = "pool.show",
		.params = params_pool_reference,
		.view = view_pool,
	},
	{
		.object = "pool",
		.verb = "list",
		.summary = "list the pools",
		.examples = {"lbctl pool list"},
		.method = "pool.list",
		.view = view_pools,
	},
	{
		.object = "pool",
		.verb = "del",
		.arguments = {{.name = "POOL"}},
		.options = {IF_PRESENT_OPTION, CHANGE_OPTIONS},
		.summary = "remove a pool that no VIP uses",
		.examples = {"lbctl pool del web"},
		.method = "pool.del",
		.params = params_pool_reference,
		.view = view_change,
	},
	{
		.object = "backend",
		.verb = "add",
		.arguments = {{.name = "POOL"}, {.name = "ADDRESS"}},
		.schema = &lb_backend_schema,
		.options = {IF_MISSING_OPTION, CHANGE_OPTIONS},
		.summary = "add a backend to a pool or VIP",
		.detail = "It gets new flows once its next hop is resolved and, with a health "
			  "check, its first check has succeeded; until then the others serve, if "
			  "there are any, and the reply says what it waits for. The slots that the "
			  "reply and --max-moved count include its share.",
		.examples = {"lbctl backend add web 10.0.0.2 --weight 10",
			     "lbctl backend add web 10.0.0.9 --max-moved 2%"},
		.method = "backend.add",
		.params = params_backend_add,
		.view = view_change,
	},
	{
		.object = "backend",
		.verb = "set",
		.arguments = {{.name = "POOL"}, {.name = "BACKEND"}},
		.schema = &lb_backend_schema,
		.edits = true,
		.options = {CHANGE_OPTIONS},
		.summary = "change the weight or priority of a backend",
		.examples = {"lbctl backend set web 10.0.0.2 --weight 5"},
		.method = "backend.set",
		.params = params_backend_set,
		.view = view_change,
	},
	{
		.object = "backend",
		.verb = "drain",
		.arguments = {{.name = "POOL"}, {.name = "BACKEND"}},
		.options =
			{
				{.name = "wait",
				 .value = "DURATION",
				 .summary = "until it is drained, but no longer than this",
				 .manner = true},
				CHANGE_OPTIONS,
			},
		.summary = "give a backend no new flows, and keep its established ones",
		.detail =
			"It is drained once none of its slots is in transition any more and no "
			"flow is on record as its own; then backend del breaks nothing. --wait "
			"says what remains whenever that changes, and exits 0 when the backend "
			"is drained, 4 when the time is up. Ctrl-C ends the waiting, not the "
			"draining. DURATION is 90, 90s, 15m or 2h. With --json the reply gets a "
			"field backend: its state at the end. A UDP datagram does not say whether "
			"it begins a flow: of a UDP VIP, new flows still reach the backend for "
			"half a transition (30s by default), and a flow that sends nothing for "
			"as long is moved.",
		.examples = {"lbctl backend drain web 10.0.0.2",
			     "lbctl backend drain web 10.0.0.2 --wait 1h"},
		.method = "backend.drain",
		.params = params_backend_reference,
		.view = view_change,
		.run = drain_run,
	},
	{
		.object = "backend",
		.verb = "undrain",
		.arguments = {{.name = "POOL"}, {.name = "BACKEND"}},
		.options = {CHANGE_OPTIONS},
		.summary = "give a backend that drains new flows again",
		.examples = {"lbctl backend undrain web 10.0.0.2"},
		.method = "backend.undrain",
		.params = params_backend_reference,
		.view = view_change,
	},
	{
		.object = "backend",
		.verb = "list",
		.arguments = {{.name = "POOL", .optional = true}},
		.summary = "list the backends of a pool or VIP, or of all",
		.detail =
			"With weight, share of the slots, traffic and next hop; and where the VIP "
			"has a health check their health, since when, and why.",
		.examples = {"lbctl backend list", "lbctl backend list web"},
		.method = "backend.list",
		.params = params_vip_reference,
		.view = view_backends,
	},
	{
		.object = "backend",
		.verb = "probe",
		.arguments = {{.name = "POOL"}, {.name = "ADDRESS"}},
		.summary = "check a backend once now, in the pool or not, and say what came back",
		.detail =
			"The check is that of the pool or VIP; without one, whether a TCP "
			"connection is accepted. An http or udp check is made in small packets "
			"and in packets of full size; one through the tunnel also directly, and "
			"if it gets no answer, through the tunnel to the backend's own address: "
			"so decapsulation and the VIP's address are told apart. With the VIP's own "
			"address a TCP connection is made as clients make it, from here. What is "
			"known of "
			"the backend's health stays. One probe is made at a time. Exits 4 when "
			"the check fails. Not on the read-only socket.",
		.examples = {"lbctl backend probe web 10.0.0.9"},
		.method = "backend.probe",
		.params = params_backend_reference,
		.view = view_probe,
		.judge = view_probe_judge,
	},
	{
		.object = "backend",
		.verb = "del",
		.arguments = {{.name = "POOL"}, {.name = "BACKEND"}},
		.options = {IF_PRESENT_OPTION, CHANGE_OPTIONS},
		.summary = "remove a backend from a pool or VIP",
		.detail = "Drain it first, or its established connections break.",
		.examples = {"lbctl backend del web 10.0.0.2",
			     "lbctl backend del web 10.0.0.2 --force"},
		.method = "backend.del",
		.params = params_backend_reference,
		.view = view_change,
	},
	{
		.object = "quic",
		.verb = "id",
		.arguments = {{.name = "VIP"}, {.name = "BACKEND"}},
		.summary = "show what a QUIC server must put into its connection ids",
		.detail =
			"The server id of the backend in hex and base64, and how connection ids "
			"are "
			"made of it. A server whose ids are made so keeps its connections wherever "
			"their clients go.",
		.examples = {"lbctl quic id web-quic 10.0.0.2",
			     "lbctl --json quic id web-quic 10.0.0.2 | jq -r .base64"},
		.method = "vip.show",
		.params = params_vip_reference,
		.view = view_quic,
		.run = quic_run,
	},
	{
		.object = "iface",
		.verb = "list",
		.summary = "list the interfaces that packets come in and go out by",
		.detail = "Those of lbd.json, and others that backends are reached by, each with "
			  "its mode of XDP, its link and what it is for. Exits 4 when one is "
			  "missing, "
			  "has no link, or lost the program.",
		.examples = {"lbctl iface list"},
		.method = "iface.list",
		.view = view_ifaces,
		.judge = view_ifaces_judge,
	},
	{
		.object = "node",
		.verb = "show",
		.summary = "show which VIPs the network learns from this node",
		.detail =
			"One route for each address or prefix of VIPs, in the kernel's table that "
			"lbd.json names and BIRD or FRR import: announced, or why not.",
		.examples = {"lbctl node show"},
		.method = "node.show",
		.view = view_node,
	},
	{
		.object = "node",
		.verb = "drain",
		.options =
			{
				{.name = "wait",
				 .value = "DURATION",
				 .summary = "until no packet is forwarded, but no longer than this",
				 .manner = true},
			},
		.summary = "take this node out of the network: withdraw all its routes",
		.detail =
			"It stays so, over restarts of lbd and of the machine, until node undrain. "
			"Packets that still come are forwarded as before. --wait says when none "
			"has been for two seconds and exits 0, or exits 4 when the time is up. "
			"With --json the reply is what node show says at the end.",
		.examples = {"lbctl node drain --wait 1m"},
		.method = "node.drain",
		.view = view_node,
		.run = node_drain_run,
	},
	{
		.object = "node",
		.verb = "undrain",
		.summary = "take this node back into the network",
		.examples = {"lbctl node undrain"},
		.method = "node.undrain",
		.view = view_node,
	},
	{
		.object = "guard",
		.verb = "show",
		.arguments = {{.name = "VIP", .optional = true}},
		.summary = "show what the guard does now: SYN guard, rates and lists",
		.detail = "Of VIPs that have something of it, or of one: whether SYNs are answered "
			  "and since when, how many packets were beyond rates, which lists it has. "
			  "Verdicts are counted over all VIPs.",
		.examples = {"lbctl guard show", "lbctl guard show web"},
		.method = "guard.show",
		.params = params_vip_reference,
		.view = view_guard,
	},
	{
		.object = "list",
		.verb = "add",
		.arguments = {{.name = "NAME"}, {.name = "PREFIX"}},
		.options =
			{
				LIST_OPTIONS,
				{.name = "for",
				 .value = "DURATION",
				 .summary = "the prefix leaves the list again after so long"},
			},
		.summary = "put a prefix onto a list that blocks or allows sources",
		.detail = "A list is made when it is named first. Of all "
			  "prefixes that a source is in the longest decides; at equal length, "
			  "allow wins. A prefix is at most as short as /8, IPv6 /20; IPv6 prefixes "
			  "have at most 16 lengths; there are at most 15 lists, and 1,000,000 "
			  "prefixes on all together. A time ends by the wall clock: a clock that "
			  "is set forward ends it early. With - the prefixes are those of standard "
			  "input, read as list load reads FILE, and put onto the list step by "
			  "step.",
		.examples = {"lbctl list add attackers 198.51.100.0/24 --for 1h",
			     "lbctl list add friends 198.51.100.7 --kind allow",
			     "lbctl list add attackers - <found.txt"},
		.method = "list.add",
		.params = list_change_params,
		.ask = list_change_ask,
		.view = list_view,
	},
	{
		.object = "list",
		.verb = "del",
		.arguments = {{.name = "NAME"}, {.name = "PREFIX", .optional = true}},
		.options = {IF_PRESENT_OPTION},
		.summary = "take a prefix off a list, or the whole list away",
		.detail = "PREFIX is one that was put onto it, whole: to exclude a part of it, "
			  "have another list allow that. With - the prefixes are those of standard "
			  "input, as with list add.",
		.examples = {"lbctl list del attackers 198.51.100.0/24",
			     "lbctl list del attackers"},
		.method = "list.del",
		.params = list_change_params,
		.ask = list_change_ask,
		.view = list_view,
	},
	{
		.object = "list",
		.verb = "load",
		.arguments = {{.name = "NAME"}, {.name = "FILE"}},
		.options =
			{
				LIST_OPTIONS,
				{.name = "for",
				 .value = "DURATION",
				 .summary = "the prefixes leave the list again after so long"},
				{.name = "allow-empty",
				 .summary = "FILE may have no prefix; else that is refused"},
				{.name = "dry-run",
				 .summary = "say how many prefixes come and go, and do nothing",
				 .manner = true},
			},
		.summary = "give a list the prefixes of a file, and no others",
		.detail = "FILE has one prefix or address a line; what follows # or ; is not read, "
			  "and bits beyond the prefix are cleared. - is standard input. Packets "
			  "meet the whole new list at one moment. A list that is there keeps its "
			  "kind, mode and VIPs, unless they are given.",
		.examples = {"lbctl list load drop drop.txt",
			     "lbctl list load drop drop.txt --monitor"},
		.method = "list.load",
		.params = list_load_params,
		.ask = list_load_ask,
		.view = list_view,
	},
	{
		.object = "list",
		.verb = "set",
		.arguments = {{.name = "NAME"}},
		.options = {LIST_OPTIONS},
		.needs_option = true,
		.summary = "change what a list does with its prefixes",
		.examples = {"lbctl list set drop --enforce",
			     "lbctl list set drop --vips \"web api\""},
		.method = "list.set",
		.params = list_set_params,
		.view = list_view,
	},
	{
		.object = "list",
		.verb = "show",
		.arguments = {{.name = "NAME", .optional = true}},
		.summary = "show lists of prefixes and what they have dropped, or what is on one",
		.detail = "Of one list, the first 1,000 prefixes are shown.",
		.examples = {"lbctl list show", "lbctl list show attackers"},
		.method = "list.show",
		.params = list_name_params,
		.view = list_view_all,
	},
	{
		.object = "list",
		.verb = "explain",
		.arguments = {{.name = "ADDRESS"}, {.name = "VIP", .optional = true}},
		.summary = "say which prefixes of lists have an address, and what decides",
		.detail = "Without a VIP, what decides for one that no list names.",
		.examples = {"lbctl list explain 198.51.100.7",
			     "lbctl list explain 198.51.100.7 web"},
		.method = "list.explain",
		.params = list_explain_params,
		.view = list_view_explained,
	},
	{
		.object = "stats",
		.arguments = {{.name = "VIP", .optional = true}},
		.options =
			{
				{.name = "all",
				 .summary = "also the verdicts that no packet has had"},
				{.name = "rates", .summary = "what is counted in a second"},
				{.name = "interval",
				 .value = "DURATION",
				 .summary = "rates over so long (1s)"},
				{.name = "watch",
				 .summary = "rates again and again, until interrupted"},
			},
		.summary = "count packets and bytes, and what became of packets",
		.detail = "With --json --watch each interval is one line. Ctrl-C ends it.",
		.examples = {"lbctl stats", "lbctl stats web", "lbctl stats --watch --interval 5s"},
		.method = "stats",
		.params = params_vip_reference,
		.view = view_stats,
		.run = stats_run,
	},
	{
		.object = "top",
		.options =
			{
				{.name = "interval",
				 .value = "DURATION",
				 .summary = "rates over so long (1s)"},
			},
		.summary = "show rates on the screen, the fastest VIPs and backends first",
		.detail = "Reasons of drops come before VIPs. Ctrl-C ends it. Where standard "
			  "output is "
			  "no terminal, and with --json, it prints once.",
		.examples = {"lbctl top", "lbctl top --interval 5s"},
		.method = "stats",
		.view = view_top,
		.run = top_run,
	},
	{
		.object = "doctor",
		.options =
			{
				{.name = "interval",
				 .value = "DURATION",
				 .summary = "look at traffic for so long (1s)"},
				{.name = "compare",
				 .value = "FILE",
				 .summary = "with another node, by its lbctl --json status; - is "
					    "standard input"},
			},
		.summary = "look for what is wrong, and say what fixes it",
		.detail =
			"Looks at interfaces, the machine, next hops, routes, checks of "
			"backends, and at "
			"what is dropped meanwhile for another reason than the packet's own. A "
			"backend that is silent through the tunnel is probed, and a TCP VIP that "
			"no packet comes to is asked as a client would: four of them at most, and "
			"not on the read-only socket. With --compare also whether the other node "
			"sends flows to the same backends: seed, document, data plane. Exits 4 "
			"when it finds something.",
		.examples = {"lbctl doctor", "lbctl --json doctor | jq -r .findings[].problem",
			     "ssh lb2 lbctl --json status | lbctl doctor --compare -"},
		.method = "status",
		.view = view_doctor,
		.run = doctor_run,
	},
	{
		.object = "explain",
		.arguments = {{.name = "SRC", .optional = true}, {.name = "DST", .optional = true}},
		.options =
			{
				{.name = "syn",
				 .summary = "a packet that opens a connection (so unless told)"},
				{.name = "ack", .summary = "a packet of an established connection"},
				{.name = "len",
				 .value = "N",
				 .summary = "bytes of the IP packet (the least)"},
				{.name = "hex",
				 .value = "FRAME",
				 .summary = "this frame, from its Ethernet header on"},
				{.name = "pcap",
				 .value = "FILE",
				 .summary =
					 "frames of a capture file, pcap or pcapng; - is standard "
					 "input"},
				{.name = "count",
				 .value = "N",
				 .summary = "so many frames of it (10)"},
				{.name = "iface",
				 .value = "INTERFACE",
				 .summary = "it comes in by this one (the first of lbd.json)"},
			},
		.summary = "say what would become of a packet, by which way, and why",
		.detail =
			"lbd runs the balancer's own program over the packet, as things are now; "
			"nothing is sent, counted or recorded. SRC is ADDRESS or ADDRESS:PORT "
			"(port 49152); DST is a VIP, ADDRESS:PORT/PROTO, or an address for an echo "
			"request. Of a slot that is not SETTLED the flow table decides: see the "
			"record. What a capture file has not of a frame counts as 0. Exits 1 when "
			"a frame cannot be explained. Not on the read-only socket.",
		.examples = {"lbctl explain 198.51.100.7:40001 192.0.2.10:443/tcp",
			     "lbctl explain 198.51.100.7:40001 web --ack --len 1500",
			     "tcpdump -i eth0 -c 5 -w - | lbctl explain --pcap -"},
		.method = "explain",
		.view = view_explain,
		.run = explain_run,
	},
	{
		.object = "replay",
		.arguments = {{.name = "FILE"}},
		.options =
			{
				{.name = "document",
				 .value = "FILE",
				 .summary = "say as well what this service document would lead to "
					    "another backend"},
				{.name = "iface",
				 .value = "INTERFACE",
				 .summary = "they come in by this one (the first of lbd.json)"},
			},
		.summary = "say what would become of the packets of a capture file",
		.detail =
			"Each packet goes through the balancer's own program, as explain has it, "
			"as if it came now: nothing is sent, counted or recorded. FILE is pcap or "
			"pcapng, of Ethernet or IP; - is standard input. What it says was sent, "
			"as lbctl trace writes wrapped packets, is left out. The other document is "
			"compared with the one in force by weights and present health, new "
			"backends taken to be healthy: established flows stay for a transition. "
			"Exits 1 when the file is damaged; what is before that counts.",
		.examples = {"lbctl replay yesterday.pcap",
			     "lbctl replay yesterday.pcap --document new.json"},
		.method = "replay",
		.view = view_replay,
		.run = replay_run,
	},
	{
		.object = "trace",
		.options =
			{
				{.name = "vip",
				 .value = "VIP",
				 .summary = "packets of this VIP, or of those that use this pool"},
				{.name = "backend",
				 .value = "ADDRESS",
				 .summary = "to this backend"},
				{.name = "src",
				 .value = "PREFIX",
				 .summary = "from this address or network"},
				{.name = "dst",
				 .value = "PREFIX",
				 .summary = "to this address or network"},
				{.name = "port",
				 .value = "N",
				 .summary = "with this source or destination port"},
				{.name = "proto",
				 .value = "tcp|udp|sctp|icmp|icmpv6",
				 .summary = "of this protocol"},
				{.name = "verdict",
				 .value = "VERDICT",
				 .summary = "that this became of: pass, forward, answer, drop, or "
					    "a name of stats"},
				{.name = "iface",
				 .value = "INTERFACE",
				 .summary = "that come in or go out by it"},
				{.name = "sample",
				 .value = "N",
				 .summary = "look at one packet of N (1)"},
				{.name = "snap",
				 .value = "BYTES",
				 .summary = "keep so much of each frame, at most 2048 (128)"},
				{.name = "rate",
				 .value = "N",
				 .summary = "at most so many packets a second, up to 5000 (1000)"},
				{.name = "for",
				 .value = "DURATION",
				 .summary = "for so long, up to 1h (60s)"},
				{.name = "count", .value = "N", .summary = "so many packets"},
				{.name = "write",
				 .value = "FILE",
				 .summary = "write frames in pcapng, for tcpdump and Wireshark; - "
					    "is standard output"},
			},
		.summary = "print packets as they come, and what becomes of each",
		.detail = "While it runs, a program that tells of packets stands in the "
			  "balancer's place and does the same with them; then the balancer is "
			  "back. With --write each frame has verdict, VIP and backend as its "
			  "comment, and those that go out are there a second time, wrapped. With "
			  "--json each packet is one line. One client can trace at a time. Not on "
			  "the read-only socket: packets hold what users send.",
		.examples = {"lbctl trace --vip web --count 10",
			     "lbctl trace --verdict drop --src 198.51.100.0/24",
			     "lbctl trace --sample 1000 --snap 256 --write trace.pcapng"},
		.method = "trace",
		.run = trace_run,
	},
	{
		.object = "simulate",
		.verb = "fail",
		.arguments = {{.name = "ADDRESS"}},
		.summary = "have the checks of a backend fail, in a simulation",
		.detail = "Only lbd --simulate takes it. The backend is unhealthy until it "
			  "recovers, in each pool that checks it.",
		.examples = {"lbctl --socket ./lbd-simulate.sock simulate fail 10.0.0.2"},
		.method = "simulate.fail",
		.params = params_address,
		.view = view_simulate,
	},
	{
		.object = "simulate",
		.verb = "recover",
		.arguments = {{.name = "ADDRESS"}},
		.summary = "have the checks of a backend succeed again, in a simulation",
		.examples = {"lbctl --socket ./lbd-simulate.sock simulate recover 10.0.0.2"},
		.method = "simulate.recover",
		.params = params_address,
		.view = view_simulate,
	},
	{
		.object = "config",
		.verb = "check",
		.arguments = {{.name = "FILE"}},
		.options =
			{
				{.name = "offline",
				 .summary = "check the document alone, without lbd",
				 .manner = true},
			},
		.summary = "say what applying a service document would do",
		.detail =
			"FILE - is standard input. Nothing is changed. With --offline no lbd need "
			"run: fields, names, addresses, ranges, duplicates and health checks are "
			"checked as lbd does it, but not the limits of lbd.json, nor what the "
			"change would do. Exits 1 when the document has an error, 3 when lbd is "
			"needed and does not answer.",
		.examples = {"lbctl config check service.json",
			     "lbctl config check --offline service.json"},
		.method = "config.check",
		.params = params_document,
		.view = view_check,
		.run = config_check_run,
		.root = "document",
	},
	{
		.object = "config",
		.verb = "diff",
		.arguments = {{.name = "FILE"}},
		.summary = "show field by field what applying a service document would change",
		.detail = "FILE - is standard input. Nothing is changed. Exits 4 when something "
			  "differs.",
		.examples = {"lbctl config diff service.json"},
		.method = "config.diff",
		.params = params_document,
		.view = view_diff,
		.judge = view_diff_judge,
		.root = "document",
	},
	{
		.object = "config",
		.verb = "apply",
		.arguments = {{.name = "FILE"}},
		.options =
			{
				{.name = "confirm",
				 .value = "DURATION",
				 .summary = "revert by itself after so long, unless confirmed",
				 .manner = true},
				{.name = "ignore-digest",
				 .summary = "even if others have changed something since FILE was "
					    "exported",
				 .manner = true},
				CHANGE_OPTIONS,
			},
		.summary = "make a service document the one in force, as a whole or not at all",
		.detail =
			"FILE - is standard input. VIPs and backends that the document does not "
			"name are removed. With --confirm no other change is made until this one "
			"is kept (config confirm) or taken back (config revert); DURATION is 1s to "
			"24h. A FILE that was exported carries the digest of the document that it "
			"was made from, and is refused when that has changed since, with what "
			"differs. A FILE that is kept elsewhere, and may always be applied, should "
			"have no digest.",
		.examples = {"lbctl config apply service.json",
			     "lbctl config apply service.json --confirm 60s",
			     "lbctl config export | jq 'del(.vips[0])' | lbctl config apply -"},
		.method = "config.apply",
		.params = params_apply,
		.view = view_change,
		.root = "document",
	},
	{
		.object = "config",
		.verb = "reload",
		.options =
			{
				{.name = "confirm",
				 .value = "DURATION",
				 .summary = "revert by itself after so long, unless confirmed",
				 .manner = true},
				CHANGE_OPTIONS,
			},
		.summary = "apply the services file that lbd.json names",
		.detail = "lbd applies it at each start, and systemctl reload does what this "
			  "command does. "
			  "Where the file is not valid, or would end flows, what was in force "
			  "before stays "
			  "so, and lbctl status says why. Changes made by lbctl since are taken "
			  "back; "
			  "lbctl config diff FILE shows them.",
		.examples = {"lbctl config reload", "lbctl config reload --dry-run"},
		.method = "config.reload",
		.params = params_reload,
		.view = view_change,
	},
	{
		.object = "config",
		.verb = "confirm",
		.options = {IF_DIGEST_OPTION},
		.summary = "keep what was applied with --confirm",
		.examples = {"lbctl config confirm"},
		.method = "config.confirm",
		.params = params_manner_only,
		.view = view_confirmed,
	},
	{
		.object = "config",
		.verb = "revert",
		.options = {IF_DIGEST_OPTION},
		.summary = "take back at once what was applied with --confirm",
		.examples = {"lbctl config revert"},
		.method = "config.revert",
		.params = params_manner_only,
		.view = view_change,
	},
	{
		.object = "config",
		.verb = "export",
		.summary = "print the service document in force, with its digest",
		.detail = "config apply refuses the document once another one is in its place. "
			  "Without "
			  "the field digest it is taken at any time.",
		.examples = {"lbctl config export > service.json",
			     "lbctl config export | jq 'del(.digest)' > service.json"},
		.method = "config.export",
		.view = view_document,
	},
	{
		.object = "tier",
		.verb = "show",
		.options = {TIER_OPTION},
		.summary = "show the nodes of this node's tier side by side",
		.detail =
			"Nodes that send each flow to the same backend have the same document, "
			"tables and seed; what differs from most nodes has the mark !. A + at a "
			"revision says that the node was changed alone since. Nodes that have been "
			"silent for a while (lease_s in tier.json) are not shown. Needs the "
			"package "
			"lbd-tier, and no lbd. Exits 4 when not all nodes are alike, at the "
			"revision published last and without an alarm.",
		.examples = {"lbctl tier show", "lbctl --json tier show | jq .nodes"},
		.view = view_tier,
		.judge = view_tier_judge,
		.run = tier_run,
	},
	{
		.object = "tier",
		.verb = "publish",
		.arguments = {{.name = "FILE"}},
		.options =
			{
				{.name = "dry-run",
				 .summary = "say what it would do, and do nothing",
				 .manner = true},
				{.name = "force",
				 .summary = "even if established flows end",
				 .manner = true},
				{.name = "max-moved",
				 .value = "P%",
				 .summary = "nodes refuse to move more of a VIP's slots (100%)",
				 .manner = true},
				{.name = "if-revision",
				 .value = "N",
				 .summary = "refuse if another revision was published last",
				 .manner = true},
				{.name = "hold",
				 .value = "DURATION",
				 .summary = "how long canaries have it before the others do (5m)",
				 .manner = true},
				{.name = "at-once",
				 .summary = "to all nodes at the same time",
				 .manner = true},
				TIER_OPTION,
			},
		.summary = "publish a service document for all nodes of the tier",
		.detail =
			"FILE - is standard input. It is checked, compared with what is in force "
			"on "
			"this node, and gets the next number. A FILE from tier export is refused "
			"when another revision has been published since; and of two who publish at "
			"the same time one is. Where nodes are canaries (tier.json) they get it "
			"first, the others once each canary has had it for the hold time without "
			"an alarm: more backends unhealthy, or not routable, than before. What a "
			"canary refuses stays there. Needs the package lbd-tier.",
		.examples = {"lbctl tier publish service.json",
			     "lbctl tier publish service.json --hold 15m --max-moved 5%",
			     "lbctl tier export | jq 'del(.vips[0])' | lbctl tier publish -"},
		.view = view_tier_published,
		.run = tier_run,
	},
	{
		.object = "tier",
		.verb = "rollback",
		.arguments = {{.name = "REVISION", .optional = true}},
		.options =
			{
				{.name = "dry-run",
				 .summary = "say what it would do, and do nothing",
				 .manner = true},
				{.name = "force",
				 .summary = "even if established flows end",
				 .manner = true},
				{.name = "hold",
				 .value = "DURATION",
				 .summary = "canaries first, the others after so long",
				 .manner = true},
				TIER_OPTION,
			},
		.summary = "publish again what all nodes had before, or an earlier revision",
		.detail = "It gets a new number, and goes to all nodes at once. The last 20 "
			  "revisions are kept. Needs the package lbd-tier.",
		.examples = {"lbctl tier rollback", "lbctl tier rollback 17"},
		.view = view_tier_published,
		.run = tier_run,
	},
	{
		.object = "tier",
		.verb = "export",
		.arguments = {{.name = "REVISION", .optional = true}},
		.options = {TIER_OPTION},
		.summary = "print the service document published last, or that of a revision",
		.detail = "With its revision, so that tier publish refuses it once another one "
			  "has been published. Needs the package lbd-tier.",
		.examples = {"lbctl tier export > service.json"},
		.view = view_document,
		.run = tier_run,
	},
	{
		.object = "watch",
		.summary = "print what happens as it happens, until interrupted",
		.detail = "Changes and who made them, changes taken back, drains that are done, "
			  "health, next hops, routes and interfaces that come and go. With --json "
			  "each event is one line. Ends with exit "
			  "status 3 when lbd ends.",
		.examples = {"lbctl watch", "lbctl watch --json | jq -c 'select(.event == "
					    "\"health\")'"},
		.method = "watch",
		.run = watch_run,
	},
	{
		.object = "version",
		.summary = "print the versions of lbctl, lbd and the kernel",
		.examples = {"lbctl version"},
		.method = "version",
		.view = view_version,
		.run = call_version,
	},
	{
		.object = "help",
		.arguments = {{.name = "COMMAND", .optional = true},
			      {.name = "COMMAND", .optional = true}},
		.options =
			{
				{.name = "man",
				 .summary = "print the manual page, roff",
				 .hidden = true},
			},
		.summary = "explain a command, or list all",
		.examples = {"lbctl help", "lbctl help vip add"},
		.run = help_run,
	},
	{
		.object = "completion",
		.arguments = {{.name = "bash"}},
		.summary = "print a completion script for the shell",
		.examples = {"source <(lbctl completion bash)"},
		.run = completion_run,
	},
	{0},
};

const struct command *const commands = table;

void commands_prepare(void)
{
	for (struct command *command = table; command->object; command++)
		if (command->schema)
			fields_options(command);
}

const struct command *command_find(const char *object, const char *verb)
{
	for (const struct command *command = commands; command->object; command++) {
		if (strcmp(command->object, object) != 0)
			continue;
		if (!command->verb || (verb && strcmp(command->verb, verb) == 0))
			return command;
	}
	return NULL;
}

bool command_is_object(const char *word)
{
	for (const struct command *command = commands; command->object; command++)
		if (strcmp(command->object, word) == 0)
			return true;
	return false;
}

const struct option_spec *option_find(const struct option_spec *specs, const char *name,
				      size_t length)
{
	while (specs->name &&
	       (strlen(specs->name) != length || memcmp(specs->name, name, length) != 0))
		specs++;
	return specs->name ? specs : NULL;
}

/* Whether an option before this one stands for its whole family. */
static bool is_told(const struct command *command, const struct option_spec *option)
{
	for (const struct option_spec *other = command->options; other < option; other++)
		if (option->family && other->family && !strcmp(option->family, other->family))
			return true;
	return false;
}

static void print_option(FILE *out, const struct option_spec *option)
{
	if (option->family) {
		fprintf(out, " [--%s-...]", option->family);
		return;
	}
	fprintf(out, option->required ? " --%s" : " [--%s", option->name);
	if (option->value)
		fprintf(out, " %s", option->value);
	if (!option->required)
		fputc(']', out);
}

char *command_usage(const struct command *command, char *out, size_t size)
{
	FILE *stream = fmemopen(out, size, "w");

	out[0] = '\0';
	if (!stream)
		return out;
	fprintf(stream, "%s%s%s", command->object, command->verb ? " " : "",
		command->verb ? command->verb : "");
	for (size_t i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++)
		fprintf(stream, command->arguments[i].optional ? " [%s]" : " %s",
			command->arguments[i].name);
	for (size_t i = 0; command->options[i].name; i++)
		if (!command->options[i].hidden && !is_told(command, &command->options[i]))
			print_option(stream, &command->options[i]);
	fclose(stream);
	out[size - 1] = '\0';
	return out;
}
