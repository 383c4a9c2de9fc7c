#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How many connections break under what has broken some before? What "make test-attacks" runs, as root; 8 minutes.
#
#   attacks.sh [NAME…]           source, forged, pairs, standby, stalls; all unless given
#
# Prints a line for each: what was done, and of how many connections how many broke. Fails when one did that must not.
# From the environment: STALL_SECONDS, for each of three ways to bring stalls about (100).
# shellcheck disable=SC2317 # functions are called by name, through step
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh

SEED=00112233445566778899aabbccddeeff # both balancers have the same tables
STALL_SECONDS=${STALL_SECONDS:-100}
TRANSITION_S=20
HEALTH_PORT=81

# --- the lab: a VIP for each attack, and one for short connections ---

documents() {
	jq -n --arg address "$LAB_VIP4" --argjson transition "$TRANSITION_S" --argjson health "$HEALTH_PORT" --args '
		def vip(name; port; more): {name: name, address: "\($address):\(port)/tcp", transition_s: $transition,
			backends: ($ARGS.positional | map({address: .}))} + more;
		{vips: [vip("source"; 7; {hash: "source"}), vip("forged"; 8; {}), vip("pairs"; 9; {}),
			vip("standby"; 10; {}), vip("stalls"; 11; {transition_s: 4}), vip("short"; 80; {}),
			vip("flaps"; 12; {transition_s: 4, health: {type: "tcp", port: $health, interval_ms: 200,
				timeout_ms: 200, fall: 2, rise: 2}})]}' \
		"${LAB_BACKEND4[@]}"
}

start() {
	lab_up one-armed 3 && at_exit end_standby && standby_link || return
	lab_ip router -force link set dev rl xdpdrv obj "$O/tests/lib/flood.bpf.o" sec xdp.frags
	lab_sysctl client "ipv4/ip_local_port_range=2000 33000" # within the ports that SYNs are forged from
	lab_start_lbd "{\"xdp_mode\": \"native\", \"hash_seed\": \"$SEED\"}" && start_standby &&
		serve_held 7 8 9 10 11 12 && lab_serve 80 && lab_serve "$HEALTH_PORT" b1 b2 && serve_b3 || return
	documents >"$LAB_DIR/services.json"
	lbctl config apply "$LAB_DIR/services.json" && standby config apply "$LAB_DIR/services.json" &&
		lab_ready && wait_for 5 standby_ready
}

# The health check of b3 succeeds as long as this is there.
serve_b3() {
	lab_serve "$HEALTH_PORT" b3 && SERVED=$LAB_PID
}

drain() {
	lbctl backend drain "$1" "${LAB_BACKEND4[$2]}"
}

mac() {
	lab_ip balancer -json link show l0 | jq -r '.[0].address'
}

# flood PORT RATE SECONDS ARGS…: from the router into the balancer's link
flood() {
	local port=$1 rate=$2 seconds=$3
	shift 3
	timeout 60 nsenter --net="/run/netns/$LAB_ID-router" -- "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" \
		--interface rl --dmac "$(mac)" "$@" --rate "$rate" --seconds "$seconds" "$LAB_VIP4" "$port"
}

# --- what became of it ---

# settles NAME: every connection that still answers has had the time to show it. Each report has the longest wait since
# the one before it.
settles() {
	local report
	holds "$1" true >/dev/null || return
	report=$(tail -n 1 "$LAB_DIR/$1.held")
	wait_for 15 holds "$1" ".exchanges >= $(jq '.exchanges + 4 * .opened' <<<"$report")" >/dev/null
	jq -sc '(map(.longest_ms) | max) as $longest | last | .longest_ms = $longest' "$LAB_DIR/$1.held"
}

# Where packets were lost; and how long the client's process, which sends and judges, waited for a processor in all.
losses() {
	lab_losses
	echo "the standby: l0 had no room for $(lab_ip standby -s -json link show l0 | jq '.[0].stats64.rx.dropped') packets," \
		"$(standby --json stats | jq -c '[.verdicts[] | select(.action == "drop" and .packets > 0) | {(.name): .packets}] | add')"
	awk '{ printf "the client waited %.1f s for a processor\n", $2 / 1e9 }' "/proc/$HOLDER/schedstat"
}

# figure NAME WORDS: of the connections that are held, how many broke; and none may
figure() {
	local name=$1 report
	shift
	report=$(settles "$name")
	jq -r --arg words "$*" '"\($words): \(.opened - .open + .wrong) of \(.opened) broke, \(.stalls) messages waited 3 s or more, "
		+ "the longest \(.longest_ms) ms"' <<<"$report" | tee -a "$LAB_DIR/figures"
	jq -e '.open == .opened and .failures + .resets + .stalls + .wrong == 0' <<<"$report" >/dev/null || {
		echo "$report"
		losses
		return 1
	}
}

# --- the attacks ---

# All flows of a client are in one slot.
source_attack() {
	local round held first
	hold source 1000 7 || return
	held=$HOLDER
	first=$(tail -n 1 "$LAB_DIR/source.held" | jq -r '.seen | keys[0]')
	drain source "${first#b}" || return
	for round in {1..10}; do
		hold "more$round" 70 7 || return
		lab_end "$HOLDER"
	done
	read -rt "$TRANSITION_S" <> <(:)
	HOLDER=$held
	figure source "hash: source, a drain, 700 more connections of the client's"
}

forged_attack() {
	hold forged 300 8 && drain forged 1 && goes_on forged '["b1", "b2", "b3"]' || return
	flood 8 31500 4 --syn --from "$LAB_CLIENT4" >"$LAB_DIR/flood"
	figure forged "a drain, $(jq .packets "$LAB_DIR/flood") blind SYNs"
}

# Two of three backends drain, so that most of the flood is on record; new connections come when it has filled the table.
pairs_attack() {
	local reply flood
	hold pairs 600 9 && drain pairs 1 && drain pairs 2 && drain short 1 && drain short 2 || return
	flood 80 260000 12 --pair >"$LAB_DIR/flood" &
	flood=$!
	read -rt 8 <> <(:)
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count 2000 --parallel 40 --timeout-ms 4000 "$LAB_VIP4" 80)
	wait "$flood"
	echo "a flood of $(jq .packets "$LAB_DIR/flood") SYNs and ACKs in pairs: $(jq .failures <<<"$reply") of $(jq .connections <<<"$reply") new connections failed" |
		tee -a "$LAB_DIR/figures"
	figure pairs "the same" && jq -e '.failures == 0' <<<"$reply"
}

standby_attack() {
	hold standby 2000 10 && drain standby 1 && standby backend drain standby "${LAB_BACKEND4[1]}" || return
	read -rt 1 <> <(:)
	moves_to "$STANDBY4"
	figure standby "a drain, and a second later fail-over to a standby that has sent nothing"
	local status=$?
	moves_to "$LAB_BALANCER4"
	return "$status"
}

# --- stalls: short connections all the time, and what changes tables or ways ---

short_ones() {
	while :; do
		lab_in client "$O/tests/lib/connect_tool" --count 2000 --parallel 20 --timeout-ms 4000 "$LAB_VIP4" 80
	done >"$LAB_DIR/short" 2>&1
}

# goes_round NAME PORT COMMAND…: again and again, with its number
goes_round() {
	local name=$1 port=$2 load end=$((SECONDS + STALL_SECONDS)) round=0
	shift 2
	hold "$name" 300 "$port" || return
	short_ones &
	load=$!
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" "$round" >/dev/null
		round=$((round + 1))
	done
	kill "$load"
	wait "$load" 2>/dev/null
	figure "$name" "$STALL_SECONDS s of short connections, $round times: $*"
}

drain_and_undrain() {
	lbctl backend drain stalls "${LAB_BACKEND4[1 + $1 % 3]}"
	read -rt 1 <> <(:)
	lbctl backend undrain stalls "${LAB_BACKEND4[1 + $1 % 3]}"
	read -rt 0.5 <> <(:)
}

fail_and_recover() {
	lab_end "$SERVED"
	read -rt 1 <> <(:)
	serve_b3
	read -rt 1 <> <(:)
}

move_and_move_back() {
	moves_to "$STANDBY4"
	read -rt 1 <> <(:)
	moves_to "$LAB_BALANCER4"
	read -rt 1 <> <(:)
}

all_settled() {
	lbctl --json vip show "$1" | jq -e '.slots.moving == 0 and .slots.tracked == 0'
}

stalls_attack() {
	local failed=0
	goes_round stalls 11 drain_and_undrain || failed=1
	lab_end "$HOLDER"
	goes_round flaps 12 fail_and_recover || failed=1
	lab_end "$HOLDER"
	wait_for 60 all_settled stalls
	goes_round stalls2 11 move_and_move_back || failed=1
	return "$failed"
}

hurry
[ $# -gt 0 ] || set -- source forged pairs standby stalls
step "two balancers, three backends" start || finish
for name; do
	step "connections stay where they are: $name" "${name}_attack"
	lab_end "$HOLDER"
done
sed 's/^/      /' "$LAB_DIR/figures"
step "the standby goes away as a whole" end_standby
check "the lab goes away as a whole" lab_down
finish
