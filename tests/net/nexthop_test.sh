#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do next hops follow the kernel's routes, neighbours and links, within a second?
#
# The balancer's namespace has two links, e0 and e1, to a neighbour's namespace (p0 and p1), in IPv4 and IPv6.
# NEXTHOP_TOOL names the tool under test (build/tests/lib/nexthop_tool), WRAP a program to run it under, SECONDS_ALLOWED
# and BUSY_MS what that needs more.
# shellcheck disable=SC2317 # functions are called by way of check and wait_for

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/check.sh
. "$HERE/../lib/check.sh"

TOOL=${NEXTHOP_TOOL:-${O:-$HERE/../../build}/tests/lib/nexthop_tool}
[ -x "$TOOL" ] || { echo "nexthop_test.sh: no $TOOL: make tests" >&2; exit 1; }
LB=nh$$lb
PEER=nh$$peer
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
STATE=$DIR/state
EVENTS=$DIR/events
TOOL_PID=

if [ "$(id -u)" != 0 ]; then
	skip "next hops follow the kernel" "root"
	finish
fi

lb() { ip netns exec "$LB" "$@"; }
peer() { ip netns exec "$PEER" "$@"; }

net_make() {
	local i
	ip netns add "$LB" && at_exit ip netns del "$LB" || return
	ip netns add "$PEER" && at_exit ip netns del "$PEER" || return
	lb ip link set lo up
	peer ip link set lo up
	# Until a link-local address has proved to be unique, for a second or two, the kernel asks no neighbour.
	lb bash -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
	peer bash -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
	for i in 0 1; do
		ip link add "e$i" netns "$LB" type veth peer name "p$i" netns "$PEER" || return
		link_up "$i"
	done
}

# Gives link $1 its addresses again: IPv6 ones go when a link is taken down.
link_up() {
	lb ip link set "e$1" up
	peer ip link set "p$1" up
	lb ip address replace "10.77.$1.1/24" dev "e$1"
	peer ip address replace "10.77.$1.2/24" dev "p$1"
	lb ip address replace "fd77:a$1::1/64" dev "e$1" nodad
	peer ip address replace "fd77:a$1::2/64" dev "p$1" nodad
}

tool_start() {
	rm -f "$STATE"
	# shellcheck disable=SC2086
	ip netns exec "$LB" $WRAP "$TOOL" "${TOOL_OPTIONS[@]}" "$STATE" "$@" >"$EVENTS" 2>"$DIR/errors" &
	TOOL_PID=$!
	wait_for 20 test -s "$STATE" || check "the tool starts" false
}

tool_end() { [ -z "$TOOL_PID" ] || kill "$TOOL_PID"; }
at_exit tool_end

# Also says whether it ended well: sanitizers and valgrind tell by the exit status.
tool_stop() {
	local status
	kill "$TOOL_PID"
	wait "$TOOL_PID"
	status=$?
	TOOL_PID=
	[ "$status" = 0 ] || cat "$DIR/errors"
	check "the tool ends well ($1)" test "$status" = 0
}

state() { jq -e "$1" "$STATE"; }
# soon PROMISE FILTER: the state fulfils the filter within a second.
soon() {
	if ! wait_for "${SECONDS_ALLOWED:-1}" state "$2"; then
		head -c 2000 "$STATE"
		lb ip neigh
	fi
	check "$1" state "$2"
}
mac() { ip -n "$1" -json link show dev "$2" | jq -r '.[0].address'; }
ifindex() { ip -n "$1" -json link show dev "$2" | jq -r '.[0].ifindex'; }
events() { jq -c "select($1)" "$EVENTS"; }
event_seen() { [ -n "$(events "$1")" ]; }
# number ADDRESS: the last number told of a destination
number() { jq -r "select(.event == \"route\" and .destination == \"$1\").number" "$EVENTS" | tail -1; }
number_is() { [ "$(number "$1")" = "$2" ]; }
number_is_not() { [ "$(number "$1")" != "$2" ]; }
managed() { ip -n "$LB" neigh show | grep -c managed; }
managed_is() { [ "$(managed)" = "$1" ]; }

resolved_through() { # GATEWAY LINK: what a resolved hop looks like, both told and in the array
	printf '.hops | map(select(.gateway == "%s" and .interface == "%s" and .resolved and
		.dst == "%s" and .src == "%s" and .array.dst == .dst and .array.src == .src and
		.array.mtu == .mtu and .array.valid == 1 and .array.ifindex == %s)) | length == 1' \
		"$1" "e$2" "$(mac "$PEER" "p$2")" "$(mac "$LB" "e$2")" "$(ifindex "$LB" "e$2")"
}
unresolved() { # GATEWAY REASON
	printf '.hops | map(select(.gateway == "%s" and (.resolved | not) and .reason == "%s" and
		.array.valid == 0)) | length == 1' "$1" "$2"
}
unroutable() { # DESTINATION REASON
	printf '.unroutable | map(select(.address == "%s" and .reason == "%s")) | length == 1' "$1" "$2"
}

# follow -4|-6 GATEWAY0 GATEWAY1 FAR PREFIX SELF NOBODY: GATEWAYn is on link n, FAR begins addresses of PREFIX behind
# them, SELF is our own address, NOBODY one that nobody has.
follow() {
	local v=$1 near0=$2 near1=$3 far=$4 prefix=$5 self=$6 nobody=$7 before
	local a="${far}1" b="${far}2"

	lb ip "$v" route replace "$prefix" via "$near0" dev e0
	tool_start "$near0" "$a" "$b" "$self" "$nobody"

	soon "$v: an on-link neighbour resolves" "$(resolved_through "$near0" 0)"
	check "$v: destinations behind one gateway share its number" number_is "$a" "$(number "$b")"
	check "$v: and so does the gateway itself" number_is "$a" "$(number "$near0")"
	check "$v: the hop counts its destinations" state ".hops[] | select(.gateway == \"$near0\").destinations == 3"
	check "$v: the route's source address is told" event_seen ".destination == \"$a\" and .source == \"$self\""
	soon "$v: an address of this machine is unroutable" "$(unroutable "$self" "is an address of this machine")"
	check "$v: the interface in use is told" event_seen ".event == \"egress\" and .in_use and .ifindex == $(ifindex "$LB" e0)"
	SECONDS_ALLOWED=8 soon "$v: a silent neighbour is unresolved" "$(unresolved "$nobody" "neighbour does not answer")"
	check "$v: the kernel manages the neighbour" test "$(managed)" -ge 1

	peer ip link set p0 address 02:00:00:00:00:0"${v#-}"
	lb ip neigh flush to "$near0" nud all
	soon "$v: the gateway's new MAC is followed" "$(resolved_through "$near0" 0)"
	lb ip neigh replace "$near0" dev e0 lladdr 02:00:00:00:00:99 nud stale
	soon "$v: so is one that the kernel is told of" ".hops[] | select(.gateway == \"$near0\").array.dst == \"02:00:00:00:00:99\""
	lb ip neigh del "$near0" dev e0
	soon "$v: a deleted neighbour is asked for again" "$(resolved_through "$near0" 0)"
	lb ip link set e0 address 02:00:00:00:01:0"${v#-}"
	soon "$v: the interface's own new MAC is followed" "$(resolved_through "$near0" 0)"

	peer ip link set p0 down
	soon "$v: a link without carrier is told as the reason" "$(unresolved "$near0" "link is down")"
	link_up 0
	soon "$v: and recovers by itself" "$(resolved_through "$near0" 0)"

	lb ip link set e0 down
	soon "$v: a route that went with its link is told" "$(unroutable "$near0" "network is unreachable: link e0 is down")"
	soon "$v: and its number is invalid" '[.hops[] | select(.array.valid == 1)] == []'
	link_up 0
	lb ip "$v" route replace "$prefix" via "$near0" dev e0
	soon "$v: and recovers when the link is up" "$(resolved_through "$near0" 0)"

	before=$(number "$a")
	lb ip "$v" route replace "$prefix" via "$near1" dev e1 mtu 1400
	soon "$v: a replaced route is followed" "$(resolved_through "$near1" 1)"
	check "$v: with another number" number_is_not "$a" "$before"
	check "$v: and the route's MTU" state ".hops[] | select(.gateway == \"$near1\").array.mtu == 1400"
	check "$v: and its interface is told" event_seen ".event == \"egress\" and .in_use and .ifindex == $(ifindex "$LB" e1)"
	lb ip link set e1 mtu 1300
	soon "$v: the link's lower MTU is followed" ".hops[] | select(.gateway == \"$near1\").array.mtu == 1300"
	lb ip link set e1 mtu 1500

	lb ip "$v" route del "$prefix"
	soon "$v: a deleted route is told" "$(unroutable "$a" "network is unreachable")"
	check "$v: by number 0" wait_for 1 number_is "$a" 0
	check "$v: and that its interface is no longer in use" wait_for 1 event_seen ".event == \"egress\" and (.in_use | not) and .ifindex == $(ifindex "$LB" e1)"
	lb ip "$v" route add prohibit "$prefix"
	soon "$v: a prohibiting route is told" "$(unroutable "$a" "a route prohibits it")"
	lb ip "$v" route del prohibit "$prefix"
	lb ip "$v" route add blackhole "$prefix"
	soon "$v: a blackhole is told" "$(unroutable "$a" "a blackhole route discards it")"
	lb ip "$v" route del blackhole "$prefix"

	tool_stop "$v"
	check_equal "$v: no managed neighbour is left behind" 0 "$(managed)"
}

permanent_entry_is_left_alone() { # V ADDRESS
	local v=$1 address=$2

	lb ip neigh replace "$address" dev e0 lladdr 02:00:00:00:00:77 nud permanent
	tool_start "$address"
	soon "$v: the operator's permanent neighbour is used" ".hops[0].array | .valid == 1 and .dst == \"02:00:00:00:00:77\""
	check "$v: and stays permanent" test "$(lb ip neigh show nud permanent | grep -c "^$address ")" = 1
	lb ip neigh replace "$address" dev e0 lladdr 02:00:00:00:00:78 nud permanent
	soon "$v: its change is followed" ".hops[0].array.dst == \"02:00:00:00:00:78\""
	lb ip neigh del "$address" dev e0
	soon "$v: once deleted, the neighbour is asked" "$(resolved_through "$address" 0)"
	lb ip neigh replace "$address" dev e0 lladdr 02:00:00:00:00:79 nud permanent
	soon "$v: a permanent one in place of ours is used" ".hops[0].array.dst == \"02:00:00:00:00:79\""
	tool_stop "$v permanent"
	check "$v: and outlives us" test "$(lb ip neigh show nud permanent | grep -c "^$address ")" = 1
	lb ip neigh del "$address" dev e0
}

foreign_managed_entry_is_left_alone() {
	lb ip neigh replace 10.77.0.2 dev e0 managed
	tool_start 10.77.0.2
	soon "another program's managed neighbour is used" "$(resolved_through 10.77.0.2 0)"
	tool_stop foreign
	check_equal "and stays managed" 1 "$(managed)"
	lb ip neigh del 10.77.0.2 dev e0
}

existing_entry_becomes_managed() {
	lb ip neigh replace 10.77.0.2 dev e0 lladdr "$(mac "$PEER" p0)" nud stale
	tool_start 10.77.0.2
	soon "a stale neighbour is used at once" "$(resolved_through 10.77.0.2 0)"
	check "and managed from then on" wait_for 1 managed_is 1
	kill -USR1 "$TOOL_PID"
	soon "an unwatched destination's hop ends" '.hops == []'
	check_equal "and with it the managing" 0 "$(managed)"
	check "but the entry stays" test "$(lb ip neigh show | grep -c "^10.77.0.2 .*lladdr")" = 1
	tool_stop existing
}

# Then no event says that a neighbour is there again: its entry never went.
carrier_returns_without_eviction() {
	local evict=/proc/sys/net/ipv4/conf/e0/arp_evict_nocarrier

	if ! lb test -e "$evict"; then
		skip "a neighbour that was kept while the link had no carrier" "arp_evict_nocarrier"
		return
	fi
	lb bash -c "echo 0 >$evict"
	tool_start 10.77.0.2
	soon "a neighbour before its link loses the carrier" "$(resolved_through 10.77.0.2 0)"
	peer ip link set p0 down
	soon "is not used without carrier" "$(unresolved 10.77.0.2 "link is down")"
	link_up 0
	soon "and is used again though the kernel never dropped it" "$(resolved_through 10.77.0.2 0)"
	tool_stop eviction
	lb bash -c "echo 1 >$evict"
}

ipv4_route_with_ipv6_gateway() {
	local gateway
	gateway=$(ip -n "$PEER" -json -6 address show dev p1 scope link | jq -r '[.[].addr_info[] | .local // empty][0]')
	lb ip route replace 10.99.0.0/16 via inet6 "$gateway" dev e1
	lb ip -6 route replace fd99::/64 via "$gateway" dev e1
	tool_start 10.99.0.1 fd99::1
	soon "an IPv4 route may have an IPv6 gateway" "$(resolved_through "$gateway" 1)"
	check "link-local, shared by both families" number_is 10.99.0.1 "$(number fd99::1)"
	tool_stop via
	lb ip route del 10.99.0.0/16
	lb ip -6 route del fd99::/64
}

routes_through_no_ethernet() {
	lb ip route replace 10.98.0.0/16 dev lo
	tool_start 10.98.0.1 10.77.0.255
	soon "a route through lo is told" "$(unroutable 10.98.0.1 "leads through lo, which is not an Ethernet interface")"
	soon "a broadcast address is told" "$(unroutable 10.77.0.255 "is a broadcast address")"
	tool_stop lo
	lb ip route del 10.98.0.0/16
}

many_destinations() {
	local busy
	lb ip route replace 10.99.0.0/16 via 10.77.0.2 dev e0
	tool_start 10.99.0.1+2000
	soon "2,000 destinations share one gateway" '.hops[0].destinations == 2000 and .hops[0].resolved'
	lb ip route replace 10.99.0.0/16 via 10.77.1.2 dev e1
	soon "2,000 destinations follow a route" ".hops[0] | .destinations == 2000 and .interface == \"e1\" and .resolved"
	lb ip route del 10.99.0.0/16
	soon "2,000 destinations lose it" '.hops == [] and (.unroutable | length) == 2000'
	lb ip route replace 10.99.0.0/16 via 10.77.0.2 dev e0
	soon "2,000 destinations get it back" ".hops[0] | .destinations == 2000 and .interface == \"e0\" and .resolved"
	busy=$(jq .busy_ms "$STATE")
	check "without keeping the event loop busy for 100 ms (longest: $busy)" test "$busy" -lt "${BUSY_MS:-100}"
	tool_stop many
	lb ip route del 10.99.0.0/16
}

changes_while_routes_churn() {
	lb ip route replace 10.99.0.0/16 via 10.77.0.2 dev e0
	TOOL_OPTIONS=(-d)
	tool_start 10.99.0.1+300
	TOOL_OPTIONS=()
	for i in {1..200}; do
		echo "route replace 10.99.0.0/16 via 10.77.$((i % 2)).2 dev e$((i % 2))"
	done >"$DIR/batch"
	lb ip -batch "$DIR/batch"
	lb ip route replace 10.99.0.0/16 via 10.77.1.2 dev e1
	soon "watches may change within the callback" '.hops[0] | .destinations == 300 and .interface == "e1" and .resolved'
	check "with one hop left" state '.hops | length == 1'
	tool_stop churn
	lb ip route del 10.99.0.0/16
}

full_array() {
	TOOL_OPTIONS=(-n 3)
	tool_start 10.77.0.2 10.77.1.2 10.77.0.3
	TOOL_OPTIONS=()
	check "the hop that finds no number is refused" event_seen '.event == "refused" and .status == -28 and .message == "all 2 next hops are in use"'
	soon "and the others stand" '.hops | map(.number) == [1, 2]'
	tool_stop full
}

# Another MTU, of the route or of the path, is another hop, and until it is made the old one is held.
full_array_follows_changes() {
	TOOL_OPTIONS=(-n 3)
	tool_start 10.77.0.2 10.77.1.2
	TOOL_OPTIONS=()
	soon "every number is in use" '.hops | map(select(.resolved)) | length == 2'
	lb ip link set e1 mtu 1300
	soon "a hop that changes takes its own number again" '.hops[] | select(.gateway == "10.77.1.2") | .resolved and .array.mtu == 1300 and .array.valid == 1'
	check "and the other stands" state '.hops[] | select(.gateway == "10.77.0.2") | .resolved and .mtu == 1500'
	lb ip link set e1 mtu 1500
	soon "and back" '.hops[] | select(.gateway == "10.77.1.2") | .resolved and .array.mtu == 1500'
	tool_stop full_changes
}

# shellcheck disable=SC2016 # $9 is awk's
netlink_drops() { lb awk '{ drops += $9 } END { print drops }' /proc/net/netlink; }

# A storm that overflows any buffer: the tool is stopped while it goes on.
lost_messages() {
	local i
	lb ip route replace 10.99.0.0/16 via 10.77.0.2 dev e0
	tool_start 10.99.0.1
	soon "a destination before the storm" "$(resolved_through 10.77.0.2 0)"
	kill -STOP "$TOOL_PID"
	for i in {1..8000}; do
		echo "link set dev e1 alias storm$i"
	done >"$DIR/batch"
	lb ip -batch "$DIR/batch"
	lb ip route replace 10.99.0.0/16 via 10.77.1.2 dev e1
	lb ip link set e1 address 02:00:00:00:01:11
	check "the storm overflows the buffer" test "$(netlink_drops)" -gt 0
	kill -CONT "$TOOL_PID"
	SECONDS_ALLOWED=4 soon "lost messages lead to a full re-read" "$(resolved_through 10.77.1.2 1)"
	tool_stop lost
	lb ip route flush 10.99.0.0/16
}

# paths ADDRESS: how many paths lead through each interface, as told last: {"e0":6,"e1":2}
paths() {
	jq -sc --slurpfile state "$STATE" --arg destination "$1" '
		($state[0].hops | map({key: (.number | tostring), value: .interface}) | from_entries) as $interface |
		map(select(.event == "route" and .destination == $destination)) | last.path |
		group_by(.) | map({key: ($interface[.[0] | tostring] // "none"), value: length}) |
		from_entries' "$EVENTS"
}
paths_are() { [ "$(paths "$1")" = "$2" ]; }
path_list() { jq -c "select(.event == \"route\" and .destination == \"$1\").path" "$EVENTS" | tail -1; }
# moved A B: of the paths A (a JSON array), how many that led to a number which is still in use are elsewhere in B
moved() { jq -n --argjson a "$1" --argjson b "$2" '[range(8) | select($a[.] != $b[.] and ($b | index($a[.])) != null)] | length'; }
# to ADDRESS PROMISE EXPECTED: within a second its paths are so
to() {
	wait_for "${SECONDS_ALLOWED:-1}" paths_are "$1" "$3"
	check_equal "$2" "$3" "$(paths "$1")"
}

# several_ways -4|-6 GATEWAY0 GATEWAY1 PREFIX FAR SELF0 SELF1
several_ways() {
	local v=$1 near0=$2 near1=$3 prefix=$4 far=$5 self0=$6 before after
	lb ip "$v" route replace "$prefix" nexthop via "$near0" dev e0 nexthop via "$near1" dev e1
	tool_start "$far"
	to "$far" "$v: two equal ways have four paths each" '{"e0":4,"e1":4}'
	check "$v: the source is that of the first way" event_seen ".destination == \"$far\" and .source == \"$self0\""
	lb ip "$v" route replace "$prefix" nexthop via "$near0" dev e0 weight 3 nexthop via "$near1" dev e1
	to "$far" "$v: weights are followed" '{"e0":6,"e1":2}'
	before=$(path_list "$far")
	lb ip neigh replace "$near1" dev e1 nud failed
	peer ip link set p1 down
	to "$far" "$v: a way whose link is down has no path" '{"e0":8}'
	after=$(path_list "$far")
	check_equal "$v: and the others keep theirs" 0 "$(moved "$before" "$after")"
	link_up 1
	lb ip "$v" route replace "$prefix" nexthop via "$near0" dev e0 weight 3 nexthop via "$near1" dev e1
	to "$far" "$v: it gets its share back" '{"e0":6,"e1":2}'
	before=$after
	after=$(path_list "$far")
	check_equal "$v: and no more" 2 "$(jq -n --argjson a "$before" --argjson b "$after" '[range(8) | select($a[.] != $b[.])] | length')"
	lb ip link set e0 down
	to "$far" "$v: a way that the kernel holds for dead has no path" '{"e1":8}'
	link_up 0
	lb ip "$v" route replace "$prefix" via "$near0" dev e0
	to "$far" "$v: with one way left it has all paths" '{"e0":8}'
	tool_stop "$v ways"
	lb ip "$v" route del "$prefix"
}

silent_way_has_no_path() {
	lb ip route replace 10.99.0.0/16 nexthop via 10.77.0.2 dev e0 nexthop via 10.77.1.200 dev e1
	tool_start 10.99.0.1
	SECONDS_ALLOWED=8 to 10.99.0.1 "a neighbour that does not answer gets no path" '{"e0":8}'
	lb ip neigh replace 10.77.1.200 dev e1 lladdr 02:00:00:00:00:98 nud permanent
	to 10.99.0.1 "until it is there" '{"e0":4,"e1":4}'
	tool_stop silent
	lb ip neigh del 10.77.1.200 dev e1
	lb ip route del 10.99.0.0/16
}

nexthop_groups() {
	local i
	if ! lb ip nexthop add id 1 via 10.77.0.2 dev e0; then
		skip "routes through nexthop groups" "nexthop objects"
		return
	fi
	lb ip nexthop add id 2 via 10.77.1.2 dev e1
	lb ip nexthop add id 10 group 1,3/2
	lb ip route replace 10.99.0.0/16 nhid 10
	tool_start 10.99.0.1
	to 10.99.0.1 "a group of nexthop objects is followed" '{"e0":6,"e1":2}'
	lb ip nexthop replace id 10 group 1/2
	to 10.99.0.1 "and its change" '{"e0":4,"e1":4}'
	tool_stop groups
	lb ip route del 10.99.0.0/16
	for i in 10 2 1; do lb ip nexthop del id "$i"; done
}

more_ways_than_paths() {
	local i ways=()
	for i in {11..20}; do
		lb ip neigh replace "10.77.0.$i" dev e0 lladdr "02:00:00:00:01:$i" nud permanent
		ways=(nexthop via "10.77.0.$i" dev e0 "${ways[@]}")
	done
	lb ip route replace 10.99.0.0/16 "${ways[@]}"
	tool_start 10.99.0.1
	soon "of ten ways the first eight are used" '[.hops[] | select(.resolved).gateway] | sort == ["10.77.0.11", "10.77.0.12",
		"10.77.0.13", "10.77.0.14", "10.77.0.15", "10.77.0.16", "10.77.0.17", "10.77.0.18"]'
	check "and the rest is said to be left out" wait_for 1 event_seen '.left_out == 2'
	tool_stop more
	lb ip route del 10.99.0.0/16
	for i in {11..20}; do lb ip neigh del "10.77.0.$i" dev e0; done
}

# Through VLAN devices, where the kernel has them.
vlan_devices() {
	if ! lb ip link add link e0 name e0.100 type vlan id 100 2>"$DIR/no_vlan"; then
		skip "routes out of VLAN devices" "VLAN devices (8021q)"
		return
	fi
	lb ip link add link e0.100 name e0.100.7 type vlan id 7
	lb ip link add link e1 name e1.200 type vlan id 200 protocol 802.1ad
	lb ip link set e0.100 up
	lb ip link set e0.100.7 up
	lb ip link set e1.200 up mtu 1400
	lb ip address add 10.78.0.1/24 dev e0.100
	lb ip address add 10.78.1.1/24 dev e0.100.7
	lb ip address add 10.78.2.1/24 dev e1.200
	lb ip neigh replace 10.78.0.2 dev e0.100 lladdr 02:00:00:00:00:42 nud permanent
	lb ip neigh replace 10.78.2.2 dev e1.200 lladdr 02:00:00:00:00:43 nud permanent
	tool_start 10.78.0.2 10.78.1.2 10.78.2.2
	soon "a VLAN device: out of the link below, with its tag" ".hops[] | select(.gateway == \"10.78.0.2\") |
		.resolved and .interface == \"e0.100\" and .array.ifindex == $(ifindex "$LB" e0) and .array.vlan == 100 and
		.array.vlan_protocol == 33024 and .array.dst == \"02:00:00:00:00:42\""
	soon "an 802.1ad one, with the lesser MTU" ".hops[] | select(.gateway == \"10.78.2.2\") |
		.array.ifindex == $(ifindex "$LB" e1) and .array.vlan == 200 and .array.vlan_protocol == 34984 and .array.mtu == 1400"
	soon "a VLAN in a VLAN is told" "$(unroutable 10.78.1.2 "leads through e0.100.7, which is a VLAN in a VLAN: only one tag can be added")"
	check "the egress is the link below" event_seen ".event == \"egress\" and .in_use and .ifindex == $(ifindex "$LB" e0)"
	lb ip link set e0 mtu 1350
	soon "the lower MTU of the link below is followed" '.hops[] | select(.gateway == "10.78.0.2").array.mtu == 1350'
	lb ip link set e0 mtu 1500
	peer ip link set p0 down
	soon "the link below without carrier is told as the reason" "$(unresolved 10.78.0.2 "link is down")"
	link_up 0
	soon "and recovers" '.hops[] | select(.gateway == "10.78.0.2").array.valid == 1'
	tool_stop vlan
	lb ip link del e0.100
	lb ip link del e1.200
}

hurry
net_make || { check "the network is made" false; finish; }
follow -4 10.77.0.2 10.77.1.2 10.99.0. 10.99.0.0/16 10.77.0.1 10.77.0.200
follow -6 fd77:a0::2 fd77:a1::2 fd99:: fd99::/64 fd77:a0::1 fd77:a0::200
permanent_entry_is_left_alone -4 10.77.0.2
permanent_entry_is_left_alone -6 fd77:a0::2
existing_entry_becomes_managed
foreign_managed_entry_is_left_alone
carrier_returns_without_eviction
ipv4_route_with_ipv6_gateway
routes_through_no_ethernet
several_ways -4 10.77.0.2 10.77.1.2 10.99.0.0/16 10.99.0.1 10.77.0.1
several_ways -6 fd77:a0::2 fd77:a1::2 fd99::/64 fd99::1 fd77:a0::1
silent_way_has_no_path
nexthop_groups
more_ways_than_paths
vlan_devices
full_array
full_array_follows_changes
many_destinations
changes_while_routes_churn
lost_messages
finish
