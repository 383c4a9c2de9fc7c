#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does real traffic get through, whichever way it goes? XDP_TX and XDP_REDIRECT, native and
# generic, IPv4 and IPv6 and one in the other, and everything that is not for a VIP.
#
#	traffic_test.sh [RUN…]		one_armed_native, two_armed_native, one_armed_generic,
#					two_armed_generic, jumbo, quick; all but quick if none is named
#
# Needs root and a build. NET_QUICK=1 means quick: one-armed, native, IPv4 and IPv6, a few
# connections and health checks, with nothing that depends on more than the programs and lbd.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

WHERE= # what the running lab is, for the names of checks

# --- traffic ---

# answers COUNT ADDRESS PORT [--udp]: no exchange fails, and every backend of three is seen.
answers() {
	local count=$1 address=$2 port=$3 reply
	shift 3
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count "$count" --parallel 50 "$@" \
		"$address" "$port")
	echo "$reply"
	jq -e --argjson count "$count" '.connections == $count and .failures == 0 and
		(.seen | keys) == ["b1", "b2", "b3"]' <<<"$reply" >/dev/null
}

# One exchange, for waiting until traffic flows.
reaches() {
	lab_in client "$O/tests/lib/connect_tool" --timeout-ms 150 "$1" "$2"
}

bulk() {
	local reply
	reply=$(lab_in client iperf3 --json -c "$1" -p 5201 -t 2 --connect-timeout 10000) ||
		{ echo "$reply" && return 1; }
	jq -e '.end.sum_received.bits_per_second > 1e7' <<<"$reply" || jq .end <<<"$reply"
}

curls() {
	[[ $(lab_in client curl -sS --max-time 5 "http://$1/") =~ ^b[123]$ ]]
}

# --- the balancer's words ---

add_vip() {
	local name=$1 address=$2 backend
	shift 2
	lbctl vip add "$address" --name "$name" >/dev/null || return
	for backend; do
		lbctl backend add "$name" "$backend" --weight 10 >/dev/null || return
	done
}

status_holds() {
	lbctl --json status | jq -e "$1"
}

verdict() {
	lbctl --json stats | jq ".verdicts[] | select(.name == \"$1\") | .packets"
}

# --- the lab ---

# start ARMS MODE
start() {
	lab_up "$1" 3 && lab_serve 80 && lab_command fine <<<'#!/bin/sh' && lab_start_lbd "{\"xdp_mode\": \"$2\"}" &&
		add_vip web4 "$LAB_VIP4:80/tcp" "${LAB_BACKEND4[@]}" &&
		add_vip web6 "[$LAB_VIP6]:80/tcp" "${LAB_BACKEND6[@]}" &&
		add_vip udp4 "$LAB_VIP4:80/udp" "${LAB_BACKEND4[@]}" &&
		add_vip udp6 "[$LAB_VIP6]:80/udp" "${LAB_BACKEND6[@]}" &&
		lab_ready
}

# VIPs of one family whose backends are of the other, and one with a single backend for iperf3, whose
# two connections would otherwise go to two.
start_more() {
	lab_serve 81 &&
		add_vip mixed4 "$LAB_VIP4:81/tcp" "${LAB_BACKEND6[@]}" &&
		add_vip mixed6 "[$LAB_VIP6]:81/tcp" "${LAB_BACKEND4[@]}" &&
		add_vip one4 "$LAB_VIP4:0/tcp" "${LAB_BACKEND4[1]}" &&
		add_vip one6 "[$LAB_VIP6]:0/tcp" "${LAB_BACKEND6[1]}" &&
		lab_background b1 iperf3 -s -p 5201 >/dev/null &&
		wait_for 5 lab_in b1 iperf3 -c 127.0.0.1 -p 5201 -n 1 &&
		lab_ready
}

stop() {
	step "$WHERE: the lab goes away as a whole" lab_down
}

# --- checks ---

mode_in_force() {
	check "$WHERE: status shows the mode in force" status_holds \
		".interfaces[0].name == \"l0\" and .interfaces[0].xdp_mode == \"$1\""
}

way_out() {
	local used=$1 other=$2
	check "$WHERE: packets leave by $used" test "$(verdict "$used")" -gt 1000
	check_equal "$WHERE: none leaves by $other" 0 "$(verdict "$other")"
}

short_connections() {
	local main=$1 other=$2
	check "$WHERE: curl, IPv4" curls "$LAB_VIP4"
	check "$WHERE: curl, IPv6" curls "[$LAB_VIP6]"
	check "$WHERE: $main connections, IPv4, no failure" answers "$main" "$LAB_VIP4" 80
	check "$WHERE: $other connections, IPv6, no failure" answers "$other" "$LAB_VIP6" 80
	check "$WHERE: $other datagrams, IPv4, no failure" answers "$other" "$LAB_VIP4" 80 --udp
	check "$WHERE: $other datagrams, IPv6, no failure" answers "$other" "$LAB_VIP6" 80 --udp
}

more_traffic() {
	check "$WHERE: 1000 connections, IPv4 VIP, IPv6 backends" answers 1000 "$LAB_VIP4" 81
	check "$WHERE: 1000 connections, IPv6 VIP, IPv4 backends" answers 1000 "$LAB_VIP6" 81
	check "$WHERE: iperf3, IPv4" bulk "$LAB_VIP4"
	check "$WHERE: iperf3, IPv6" bulk "$LAB_VIP6"
}

not_for_a_vip() {
	lab_serve 22 balancer || return
	if command -v ping >/dev/null; then
		check "$WHERE: ping reaches the balancer itself" \
			lab_in client ping -c 2 -i 0.2 -W 5 "$LAB_BALANCER4"
		check "$WHERE: fragmented ping reaches the balancer itself" \
			lab_in client ping -c 2 -i 0.2 -W 5 -s 3000 "$LAB_BALANCER4"
		check "$WHERE: ping reaches the balancer itself, IPv6" \
			lab_in client ping -c 2 -i 0.2 -W 5 "$LAB_BALANCER6"
		check "$WHERE: fragmented ping reaches the balancer itself, IPv6" \
			wait_for 3 lab_in client ping -c 2 -i 0.2 -W 5 -s 3000 "$LAB_BALANCER6"
	else
		skip "$WHERE: ping reaches the balancer itself" "no ping"
	fi
	check "$WHERE: TCP reaches the balancer itself" wait_for 3 reaches "$LAB_BALANCER4" 22
	check "$WHERE: TCP reaches the balancer itself, IPv6" wait_for 3 reaches "$LAB_BALANCER6" 22
	check "$WHERE: fragmented UDP reaches the balancer itself" \
		lab_in client "$O/tests/lib/connect_tool" --udp --size 3000 --count 20 \
		"$LAB_BALANCER4" 22
	check "$WHERE: what is for no VIP is counted so" test "$(verdict pass_not_vip)" -gt 0
}

# Each datagram is one packet of 28 (48) bytes and its payload: the counters must say exactly that.
datagrams_are_counted() {
	local vip=$1 address=$2 size=$3 before after
	before=$(lbctl --json stats "$vip")
	answers 300 "$address" 80 --udp --size 100 >/dev/null || return
	after=$(lbctl --json stats "$vip")
	jq -en --argjson before "$before" --argjson after "$after" --argjson size "$size" '
		[$before, $after | .vips[0]] |
		(.[1].packets - .[0].packets == 300) and (.[1].bytes - .[0].bytes == 300 * $size) and
		([.[1].backends[].packets] | add) == .[1].packets' || { echo "$before $after" && return 1; }
}

verdicts_add_up() {
	lbctl --json stats | jq -e '
		([.verdicts[] | select(.action == "forward") | .packets] | add) ==
		([.vips[].packets] | add)'
}

# add_checked NAME ENDPOINT BACKEND OPTION…; an emulated machine takes its time to start a command.
add_checked() {
	lbctl vip add "$2" --name "$1" --health-interval 1s "${@:4}" >/dev/null &&
		lbctl backend add "$1" "$3" >/dev/null
}

health_says() {
	wait_for 15 backend_says "$@" || { lbctl backend list "$1" && return 1; }
}

# backend_says NAME STATE [ERROR]
backend_says() {
	lbctl --json backend list "$1" | jq -e --arg state "$2" --arg error "${3:-}" '
		.vips[0].backends[0].health | .state == $state and (.error // "") == $error'
}

# Port 80 is served, 82 is not. Through the tunnel: by a program of its own, to the backend's decapsulation.
health_checks() {
	local tunnel=(--health tcp --health-source tunnel)
	add_checked tunnel4 "$LAB_VIP4:81/tcp" "${LAB_BACKEND4[1]}" "${tunnel[@]}" --health-port 80
	add_checked tunnel6 "[$LAB_VIP6]:81/tcp" "${LAB_BACKEND6[1]}" "${tunnel[@]}" --health-port 80
	add_checked refused "$LAB_VIP4:82/tcp" "${LAB_BACKEND4[1]}" "${tunnel[@]}"
	add_checked exec "$LAB_VIP4:83/tcp" "${LAB_BACKEND4[1]}" --health exec --health-command fine
	health_results "$WHERE"
	lab_stop_lbd
	step "$WHERE: lbd starts with health checks" lab_start_lbd '{"xdp_mode": "native"}' || return
	health_results "$WHERE, lbd anew"
}

health_results() {
	check "$1: a health check through the tunnel passes" health_says tunnel4 healthy
	check "$1: a health check through the tunnel passes, IPv6" health_says tunnel6 healthy
	check "$1: a health check through the tunnel is refused" \
		health_says refused unhealthy "connection refused"
	check "$1: a health check by a command passes" health_says exec healthy
}

# The driver's own count of packets that XDP saw on l0, against the sum of the verdicts.
every_packet_has_a_verdict() {
	local seen counted
	seen=$(lab_in balancer ethtool -S l0 |
		awk '/rx_queue_[0-9]+_xdp_packets/ { sum += $2 } END { print sum }')
	counted=$(lbctl --json stats | jq '[.verdicts[].packets] | add')
	echo "the driver saw $seen packets, verdicts count $counted"
	[ -n "$seen" ] && [ "$seen" = "$counted" ]
}

counters() {
	check "$WHERE: datagrams are counted exactly" datagrams_are_counted udp4 "$LAB_VIP4" 128
	check "$WHERE: datagrams are counted exactly, IPv6" datagrams_are_counted udp6 "$LAB_VIP6" 148
	check "$WHERE: forwarded packets are the VIPs' packets" verdicts_add_up
}

# change_mac NODE INTERFACE ADDRESS: and traffic to one4 and one6 must flow again within a second of tries.
change_mac() {
	local what=$1
	lab_ip "$2" link set dev "$3" address "$4" || return
	check "$WHERE: a new MAC of the $what is followed at once" \
		wait_for 1 reaches "$LAB_VIP4" 9
	check "$WHERE: a new MAC of the $what is followed at once, IPv6" \
		wait_for 1 reaches "$LAB_VIP6" 9
}

mac_changes() {
	lab_serve 9 b1 || return
	change_mac backend b1 b0 02:00:00:00:01:01
	# A backend that is not on the link: the router is its gateway.
	lab_ip b1 address add 10.0.9.1/32 dev lo
	lab_ip b1 address add fd00:0:0:9::1/128 dev lo
	lab_ip router route add 10.0.9.1/32 via "${LAB_BACKEND4[1]}"
	lab_ip router route add fd00:0:0:9::1/128 via "${LAB_BACKEND6[1]}"
	lbctl vip del one4 --force >/dev/null && lbctl vip del one6 --force >/dev/null || return
	add_vip one4 "$LAB_VIP4:0/tcp" 10.0.9.1
	add_vip one6 "[$LAB_VIP6]:0/tcp" fd00:0:0:9::1
	lab_ready || return
	check "$WHERE: traffic through a gateway" wait_for 2 reaches "$LAB_VIP4" 9
	check "$WHERE: traffic through a gateway, IPv6" wait_for 2 reaches "$LAB_VIP6" 9
	change_mac gateway router br0 02:00:00:00:01:02
}

by() {
	status_holds "all(.next_hops[]; .interface == \"$1\" and .state == \"resolved\")"
}

link_changes() {
	lab_ip balancer link set l1 down
	check "$WHERE: a link that goes down is seen at once" wait_for 1 by l0
	check "$WHERE: traffic takes the route that remains" answers 200 "$LAB_VIP4" 80
	check "$WHERE: traffic takes the route that remains, IPv6" answers 200 "$LAB_VIP6" 80
	lab_ip balancer link set l1 up
	check "$WHERE: a link that comes up is seen at once" wait_for 1 by l1
	check "$WHERE: traffic goes there again" answers 200 "$LAB_VIP4" 80
	check "$WHERE: traffic goes there again, IPv6" answers 200 "$LAB_VIP6" 80

	lab_ip balancer route add unreachable 10.0.1.0/24 metric 4096
	lab_ip balancer link set l1 down
	check "$WHERE: no route is seen at once" wait_for 1 status_holds \
		'[.unroutable[].address | select(contains("."))] | length == 3'
	reaches "$LAB_VIP4" 80 >/dev/null
	check "$WHERE: packets without a route are counted" test "$(verdict drop_unresolved)" -gt 0
	lab_ip balancer link set l1 up
	check "$WHERE: traffic flows again after the link's return" \
		wait_for 1 reaches "$LAB_VIP4" 80
}

# The peer of q0 has more queues than native XDP on veth accepts.
falls_back_with_a_reason() {
	lab_ip balancer link add q0 numrxqueues 1 numtxqueues 1 type veth peer name q1 \
		numtxqueues 4 numrxqueues 4 || return
	lab_ip balancer link set q0 up
	lab_ip balancer link set q1 up
	lab_stop_lbd
	lab_start_lbd '{"interfaces": ["l0", "q0"], "xdp_mode": "auto"}' || return
	status_holds '.interfaces | (.[0].xdp_mode == "native" and (.[0].reason // "") == "") and
		(.[1].xdp_mode == "generic" and (.[1].reason | length) > 10)'
}

# --- runs ---

quick() {
	WHERE="one-armed native"
	step "$WHERE: the lab starts" start one-armed native || return
	mode_in_force native
	short_connections 500 500
	counters
	health_checks
	stop
}

one_armed_native() {
	WHERE="one-armed native"
	step "$WHERE: the lab starts" start one-armed native || return
	step "$WHERE: more services start" start_more
	mode_in_force native
	not_for_a_vip
	short_connections 10000 1000
	more_traffic
	way_out tx redirect
	counters
	check "$WHERE: every packet has one verdict" wait_for 3 every_packet_has_a_verdict
	[ "$LAB_DECAP" = device ] || mac_changes
	step "$WHERE: generic mode is chosen where native is refused, and why is shown" \
		falls_back_with_a_reason
	check "$WHERE: services survive a restart of lbd" wait_for 3 answers 200 "$LAB_VIP4" 80
	stop
}

two_armed_native() {
	WHERE="two-armed native"
	step "$WHERE: the lab starts" start two-armed native || return
	step "$WHERE: more services start" start_more
	mode_in_force native
	short_connections 1000 1000
	more_traffic
	way_out redirect tx
	counters
	link_changes
	stop
}

generic() {
	local arms=$1 used=$2 other=$3
	WHERE="$arms generic"
	step "$WHERE: the lab starts" start "$arms" generic || return
	step "$WHERE: more services start" start_more
	mode_in_force generic
	short_connections 1000 1000
	more_traffic
	way_out "$used" "$other"
	counters
	[ "$arms" = two-armed ] || not_for_a_vip
	stop
}

jumbo() {
	LAB_MTU=9000 LAB_CLIENT_MTU=8900
	WHERE=jumbo
	step "$WHERE: the lab starts" start one-armed native || return
	step "$WHERE: more services start" start_more
	mode_in_force native
	check "$WHERE: 500 connections" answers 500 "$LAB_VIP4" 80
	check "$WHERE: 500 datagrams of 8000 bytes" answers 500 "$LAB_VIP4" 80 --udp --size 8000
	check "$WHERE: 500 datagrams of 8000 bytes, IPv6" answers 500 "$LAB_VIP6" 80 --udp --size 8000
	check "$WHERE: iperf3, IPv4" bulk "$LAB_VIP4"
	check "$WHERE: iperf3, IPv6" bulk "$LAB_VIP6"
	stop
}

one_armed_generic() {
	generic one-armed tx redirect
}

two_armed_generic() {
	generic two-armed redirect tx
}

RUNS=("$@")
if [ $# = 0 ] && [ -n "${NET_QUICK:-}" ]; then
	RUNS=(quick)
elif [ $# = 0 ]; then
	RUNS=(one_armed_native two_armed_native one_armed_generic two_armed_generic jumbo)
fi
for run in "${RUNS[@]}"; do
	"$run"
done
finish
