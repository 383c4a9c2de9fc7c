#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What do clients notice of a flood of all that this machine can send? 1,500 connections open in each, and those that are
# there live on: forged SYNs at a VIP with a SYN guard; and, with rates by source, SYNs, ACKs, datagrams and fragments of
# both. No forged SYN reaches the backend.
#
#	flood_test.sh
#
# Needs root, a build, and a kernel that a backend makes connections from cookies with (6.9).
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
# shellcheck source=tests/lib/syn.sh
. tests/lib/syn.sh

PORT=8080
CONNECTIONS=1500
FORGED=198.18.0.0/15 # what flood_tool forges
LEAST=20000          # a flood of less has shown nothing; it goes on until then
OPEN_S=60            # what 1,500 connections may take. Where they do not take what they get, SYNs are repeated

syn_needs "clients in a flood"

# --- the lab ---

start() {
	local protocol
	syn_lab backend_secret && syn_secrets secret "$SYN_FIRST" && counters || return
	lab_ip router route add blackhole "$FORGED"
	syn_backend up && lab_start_lbd "$(jq -n --arg secret "$LAB_DIR/secret" '{xdp_mode: "native", guard_secret: $secret}')" &&
		serve_held "$PORT" || return
	for protocol in tcp udp; do
		lbctl vip add "$LAB_VIP4:$PORT/$protocol" --name "$protocol" && lbctl backend add "$protocol" "${LAB_BACKEND4[1]}" || return
	done
	lab_ready
}

# Of forged packets that arrive: SYNs, all others.
counters() {
	lab_in b1 nft -f - <<-EOF
		table inet count {
			counter syns { }
			counter others { }
			chain came {
				type filter hook prerouting priority -300
				ip saddr $FORGED tcp flags & (syn | ack) == syn counter name syns accept
				ip saddr $FORGED counter name others
			}
		}
	EOF
}

arrived() { # COUNTER
	lab_in b1 nft -j list counter inet count "$1" | jq '[.. | .packets? // empty] | add'
}

guarded() {
	lbctl vip set tcp --syn-guard always && wait_for 5 answers
}

answers() {
	lbctl --json vip show tcp | jq -e '.syn.answers == true'
}

limited() {
	lbctl vip set tcp --rate 'source=5kpps source/24=5kpps' && lbctl vip set udp --rate 'source=5kpps source/24=5kpps'
}

# --- floods ---

# flood KIND: as fast as it goes, until flood_ends
flood() {
	lab_background router "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" --interface rl \
		--dmac "$(lab_ip balancer -json link show l0 | jq -r '.[0].address')" "$1" --seconds 600 "$LAB_VIP4" "$PORT" >"$LAB_DIR/flood"
	FLOOD=$LAB_PID
}

flood_ends() {
	lab_end "$FLOOD"
}

# verdict NAME…: how many packets had one of these
verdict() {
	lbctl --json stats | jq --args '[.verdicts[] | select(.name | IN($ARGS.positional[])).packets] | add // 0' "$@"
}

more() { # COUNT NAME…: at least so many had
	[ "$(verdict "${@:2}")" -ge "$1" ]
}

forged_syns_arrive() {
	flood --syn
	wait_for 20 more_arrive syns 1000
	local result=$?
	flood_ends
	return "$result"
}

more_arrive() { # COUNTER COUNT
	[ "$(arrived "$1")" -ge "$2" ]
}

# opens NAME: as many connections as COUNT says, until all are there
opens() {
	lab_background client "$O/tests/lib/hold_tool" hold --count "${COUNT[$1]}" --open-ms 3000 --interval-ms 3000 "$LAB_VIP4" "$PORT" >"$LAB_DIR/$1.held"
	HOLDERS[$1]=$LAB_PID
	lab_reports "$LAB_PID"
	wait_for "$OPEN_S" held_reports "$1" ".opened == ${COUNT[$1]}"
	local result=$?
	tail -n 1 "$LAB_DIR/$1.held"
	return "$result"
}

# flooded NAME KIND VERDICT…: clients open the connections of NAME in a flood of which LEAST packets at least had one of
# these verdicts.
flooded() {
	local before had result
	before=$(arrived syns) had=$(verdict "${@:3}")
	flood "$2"
	wait_for 60 more $((had + LEAST / 2)) "${@:3}" && opens "$1" && wait_for 60 more $((had + LEAST)) "${@:3}" &&
		held_answers "${!HOLDERS[@]}"
	result=$?
	flood_ends
	echo "$(jq .packets "$LAB_DIR/flood") packets, $(($(verdict "${@:3}") - had)) of them ${*:3}"
	echo "$(($(arrived syns) - before)) forged SYNs arrived, $(arrived others) other packets"
	[ "$(arrived syns)" = "$before" ] && return "$result"
}

# Of all connections that ever opened, none was reset, or answered wrongly, and none waits.
none_broke() {
	local name
	for name in "${!HOLDERS[@]}"; do
		wait_for 20 held_reports "$name" '.open == .opened and .failures + .resets + .wrong + .stalled == 0'
		local result=$?
		echo "$name: $(tail -n 1 "$LAB_DIR/$name.held")"
		[ "$result" = 0 ] || return 1
	done
}

fragments_came() {
	more 1 drop_guard && more 1 drop_fragment_unknown
}

declare -A COUNT=([before]=100 [syns]=$CONNECTIONS [all]=$CONNECTIONS)
step "a balancer and a backend" start || finish
step "connections open before" opens before || finish
step "without a guard, forged SYNs arrive at the backend" forged_syns_arrive
step "SYNs are answered" guarded || finish
step "a flood of SYNs: $CONNECTIONS of $CONNECTIONS connections are made, no forged SYN arrives" flooded syns --syn tx_syn
step "no connection has broken" none_broke
step "rates by source" limited
step "a flood of SYNs, ACKs, datagrams and fragments: the same" flooded all --all drop_rate
check "other packets of it were within the rates" test "$(arrived others)" -gt 0
check "fragments of SYNs and later ones of nothing known were among it" fragments_came
step "no connection has broken" none_broke
check "the lab goes away as a whole" lab_down
finish
