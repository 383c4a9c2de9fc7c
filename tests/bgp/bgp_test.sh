#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the network send packets to a balancer just while it serves? With BIRD, FRR and keepalived, as examples/03-bgp
# configures them: two balancers, a router with ECMP, backends, clients.
#
#	bgp_test.sh [bird|frr|keepalived…]	all if none is named
#
# Needs root, a build, and bird2, frr and keepalived. How long the router kept a way is by the clock: from the moment
# before the cause to that at which the kernel told of the route.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=examples/03-bgp/lab.sh
. examples/03-bgp/lab.sh

HELD=400
ALL='["b1", "b2", "b3"]'

if [ "$(id -u)" != 0 ]; then
	skip "announcing VIPs" "root"
	finish
fi

# Now is the moment before what withdraws the VIP.
begin() {
	BEGAN=$EPOCHREALTIME
}

# soon_leads_to GATEWAY…: within the second after `begin` that is promised.
soon_leads_to() {
	wait_for 3 leads_to "$@"
	leads_to "$@" && took_a_second_at_most
}

# When the router's route to the VIP changed last, in seconds since the epoch.
changed_at() {
	sed -nE "s/^\\[([^]]*)\\] (Deleted )?$LAB_VIP4 .*/\\1/p" "$LAB_DIR/changes" | tail -n 1
}

took_a_second_at_most() {
	local at took
	wait_for 3 changed_since || return
	at=$(date -d "$(changed_at)" +%s.%6N)
	took=$(((${at/./} - ${BEGAN/./}) / 1000))
	echo "$DAEMON: ${FUNCNAME[2]} withdrew after $took ms" | tee -a "$FIGURES"
	[ "$took" -le 1000 ]
}

changed_since() {
	local at
	at=$(changed_at) && [ -n "$at" ] && at=$(date -d "$at" +%s.%6N) && [ "${at/./}" -ge "${BEGAN/./}" ]
}

up() {
	tier_up || return
	lab_background router ip -ts -oneline monitor route >"$LAB_DIR/changes"
	speak "$1" && wait_for 30 leads_to "$LB1" "$LB2"
}

down() {
	lab_end "$HOLDER"
	tier_down
	lab_down
}

# New connections while "$@" is carried out, and those that were there.
nothing_is_lost() {
	local opener
	lab_background client "$O/tests/lib/connect_tool" --count 4000 --parallel 20 --timeout-ms 3000 "$LAB_VIP4" 80 >"$LAB_DIR/opened"
	opener=$LAB_PID
	"$@" || return
	wait_for 60 lab_ended "$opener" || return
	lab_end "$opener"
	jq -c '{connections, failures, seen}' "$LAB_DIR/opened"
	jq -e '.failures == 0' "$LAB_DIR/opened" && goes_on held "$ALL"
}

connects() {
	hold held "$HELD" 7 && goes_on held "$ALL"
}

drains() {
	begin
	lb1 node drain --wait 20s && soon_leads_to "$LB2"
}

undrains() {
	lb1 node undrain && wait_for 10 leads_to "$LB1" "$LB2"
}

# Both have had some of the connections.
both_forward() {
	lb1 --json stats | jq -e '.vips[0].packets > 100' && lb2 --json stats | jq -e '.vips[0].packets > 100'
}

restarts() {
	lab_stop_lbd
	[ "$1" = term ] || return
	lab_start_lbd "$(cat examples/03-bgp/lbd.json)"
}

# Every route that comes or goes at the router meanwhile.
undisturbed() {
	local monitor
	lab_background router ip -oneline monitor route >"$LAB_DIR/monitor"
	monitor=$LAB_PID
	wait_for 5 monitors || return
	"$@" || return
	lab_end "$monitor"
	! grep -F "$LAB_VIP4" "$LAB_DIR/monitor" && leads_to "$LB1" "$LB2"
}

monitors() {
	lab_ip router route add blackhole 198.51.100.99
	lab_ip router route del blackhole 198.51.100.99
	grep -q 198.51.100.99 "$LAB_DIR/monitor"
}

stops_and_starts() {
	lab_stop_lbd
	lab_start_lbd "$(cat examples/03-bgp/lbd.json)"
}

is_killed_and_starts() {
	kill -KILL "$LAB_LBD"
	stops_and_starts
}

backends_die_and_come_back() {
	local pid servers=() pids=("${LAB_PIDS[@]}")
	for pid in "${pids[@]}"; do
		! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'serve_tool .* 80 ' || servers+=("$pid")
	done
	[ "${#servers[@]}" = 3 ] || return
	for pid in "${servers[@]}"; do
		lab_end "$pid"
	done
	wait_for 10 is_unhealthy lb1 && wait_for 10 is_unhealthy lb2 && began_with_health && soon_leads_to && lab_serve 80 && wait_for 20 leads_to "$LB1" "$LB2"
}

# By the log, the later of the two balancers to see its last backend fail.
began_with_health() {
	BEGAN=$(for lb in lb1 lb2; do
		"$lb" --json backend list | jq -r '[(.vips + .pools)[].backends[].health.since] | max'
	done | sort | tail -n 1 | xargs -I{} date -d {} +%s.%6N)
}

is_unhealthy() {
	"$1" --json status | jq -e '.health.unhealthy == 3'
}

refused_start_withdraws() {
	lab_stop_lbd
	leads_to "$LB1" "$LB2" || return
	jq '.limits.slots = 131101' "$LAB_DIR/lbd.json" >"$LAB_DIR/other.json"
	begin
	! lab_in balancer "$LBD" --config "$LAB_DIR/other.json" && soon_leads_to "$LB2" &&
		lab_start_lbd "$(cat examples/03-bgp/lbd.json)" && wait_for 20 leads_to "$LB1" "$LB2"
}

detach_withdraws() {
	lab_stop_lbd
	leads_to "$LB1" "$LB2" || return
	begin
	lab_in balancer "$LBD" --config "$LAB_DIR/lbd.json" --detach && soon_leads_to "$LB2"
}

# What lbd announces, and nothing else: neither the balancer's networks, nor what others have put into its tables.
nothing_else_is_announced() {
	lab_ip balancer route add blackhole 203.0.113.1 table 76 proto static
	lab_ip balancer route add blackhole 203.0.113.2
	begin
	lb1 node drain && soon_leads_to "$LB2" && lb1 node undrain && wait_for 10 leads_to "$LB1" "$LB2" || return
	! lab_ip router route show | grep -F 203.0.113
}

six_too() {
	wait_for 5 six_leads_to fd00:0:0:1::2 fd00:0:0:1::3 && lb2 node drain && wait_for 1 six_leads_to fd00:0:0:1::2 &&
		lb2 node undrain && wait_for 10 six_leads_to fd00:0:0:1::2 fd00:0:0:1::3
}

six_leads_to() {
	[ "$(gateways "$LAB_VIP6")" = "$*" ]
}

# The main table of a balancer is as it was: BIRD keeps to its own.
main_table_is_clean() {
	! lab_ip balancer route show | grep -F "$LAB_VIP4"
}

by_bgp() {
	HOLDER=
	DAEMON=$1
	step "$1: both balancers announce the VIP, and the router uses both" up "$1" || { tail -n 30 "$LAB_DIR"/*.log; return; }
	step "$1: $HELD connections live on" connects
	step "$1: a drain of one of two loses no connection, and is withdrawn within a second" nothing_is_lost drains
	step "$1: nor does the way back" nothing_is_lost undrains
	step "$1: both have forwarded" both_forward
	step "$1: a restart withdraws nothing" undisturbed stops_and_starts
	step "$1: nor does a kill" undisturbed is_killed_and_starts
	step "$1: and the connections live on" goes_on held "$ALL"
	step "$1: nothing else is announced" nothing_else_is_announced
	[ "$1" != bird ] || step "$1: IPv6 VIPs are announced, too" six_too
	[ "$1" != bird ] || step "$1: the kernel's main table has no VIP" main_table_is_clean
	step "$1: all backends dead withdraw the VIP within a second, and announce it again" backends_die_and_come_back
	step "$1: an lbd that is refused withdraws it within a second" refused_start_withdraws
	step "$1: a detach withdraws it within a second" detach_withdraws
	step "$1: the lab goes away as a whole" down
}

# --- keepalived ---

holds_address() {
	lab_ip "$1" -4 address show | grep -qF 10.0.0.100
}

only_holds() {
	local other=standby
	[ "$1" = standby ] && other=balancer
	holds_address "$1" && ! holds_address "$other"
}

keepalived_up() {
	tier_up && speak keepalived && wait_for 20 only_holds balancer
}

drain_moves_address() {
	lb1 node drain --wait 20s && wait_for 5 only_holds standby
}

undrain_moves_it_back() {
	lb1 node undrain && wait_for 10 only_holds balancer
}

killed_keeps_address() {
	kill -KILL "$LAB_LBD"
	lab_stop_lbd
	! wait_for 4 holds_address standby && only_holds balancer && lab_start_lbd "$(cat examples/03-bgp/lbd.json)"
}

by_vrrp() {
	HOLDER=
	step "keepalived: the first balancer has the address" keepalived_up || { tail -n 30 "$LAB_DIR"/*.log; return; }
	step "keepalived: $HELD connections live on" connects
	step "keepalived: a drain moves it to the other balancer, and no connection is lost" nothing_is_lost drain_moves_address
	step "keepalived: it comes back" nothing_is_lost undrain_moves_it_back
	step "keepalived: it stays when lbd is killed" killed_keeps_address
	step "keepalived: the lab goes away as a whole" down
}

hurry
FIGURES=$(mktemp)
at_exit rm -f "$FIGURES"
[ $# -gt 0 ] || set -- bird frr keepalived
for daemon; do
	if [ "$daemon" = keepalived ]; then
		by_vrrp
	else
		by_bgp "$daemon"
	fi
done
sed "s/^/      /" "$FIGURES"
finish
