#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the data plane go on while lbd restarts, crashes or is killed, and is every change that was
# acknowledged there afterwards? 500 open connections and a stream of packets go through all of it.
#
#	restart_test.sh
#
# Needs root and a build. From the environment: ROUNDS, how often lbd is killed amid changes (200).
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

ROUNDS=${ROUNDS:-200}
HELD=500
HOLD_PORT=7
RATE=20000

# --- traffic ---

service_document() {
	jq -n --arg held "$LAB_VIP4:$HOLD_PORT/tcp" --arg stream "$LAB_VIP4:80/tcp" --args '
		($ARGS.positional | map({address: ., weight: 10})) as $backends |
		{vips: [{name: "held", address: $held, transition_s: 120, $backends},
			{name: "stream", address: $stream, transition_s: 120, $backends}]}' \
		"${LAB_BACKEND4[@]:1:4}"
}

listens() {
	lab_in "$1" ss -Hltn "sport = :$HOLD_PORT" | grep -q .
}

serve_held() {
	local number
	for number in "${!LAB_BACKEND4[@]}"; do
		lab_background "b$number" "$O/tests/lib/hold_tool" serve "b$number" "$HOLD_PORT"
		wait_for 5 listens "b$number" || return
	done
}

hold() {
	lab_background client "$O/tests/lib/hold_tool" hold --count "$HELD" --interval-ms 500 \
		"$LAB_VIP4" "$HOLD_PORT" >"$LAB_DIR/hold" 2>&1
	HOLDER=$LAB_PID
	lab_reports "$HOLDER"
	wait_for 10 held '.opened == '"$HELD"
}

# held FILTER: of the state that hold_tool reports now.
held() {
	local lines
	lines=$(wc -l <"$LAB_DIR/hold")
	kill -USR1 "$HOLDER" && wait_for 5 has_more_lines "$LAB_DIR/hold" "$lines" || return
	tail -n 1 "$LAB_DIR/hold"
	tail -n 1 "$LAB_DIR/hold" | jq -e "$1" >/dev/null
}

has_more_lines() {
	[ "$(wc -l <"$1")" -gt "$2" ]
}

stream() {
	local mac
	mac=$(lab_ip balancer -json link show l0 | jq -r '.[0].address')
	STREAMED_BEFORE=$(streamed)
	lab_background router nice -n -10 "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" \
		--interface rl --dmac "$mac" --ack --rate "$RATE" --seconds "$1" \
		"$LAB_VIP4" 80 >"$LAB_DIR/stream" 2>&1
	STREAM=$LAB_PID
}

streamed() {
	lbctl --json stats stream | jq '.vips[0].packets'
}

# What the driver handed to XDP has a verdict each, none of them is a drop, and the stream's VIP has had its share: what the
# generator's count has beyond that was lost on the way to the interface, on a machine that is too busy.
nothing_lost() {
	local before after stats
	before=$(seen_by_driver)
	stats=$(lbctl --json stats)
	after=$(seen_by_driver)
	jq -c '[.verdicts[] | select(.packets > 0) | {(.name): .packets}] | add' <<<"$stats"
	echo "the driver saw $before, then $after packets, the stream was" \
		"$(($(streamed) - STREAMED_BEFORE)) of them, sent: $(cat "$LAB_DIR/stream")"
	[ $(($(streamed) - STREAMED_BEFORE)) -gt "$RATE" ] &&
		jq -e --argjson before "$before" --argjson after "$after" '
		([.verdicts[].packets] | add) as $sum | $before <= $sum and $sum <= $after and
		([.verdicts[] | select(.action == "drop") | .packets] | add) == 0 and
		([.verdicts[] | select(.action == "pass") | .packets] | add) < 1000' <<<"$stats"
}

# Packets that XDP was run for.
seen_by_driver() {
	lab_in balancer ethtool -S l0 |
		awk '/rx_queue_[0-9]+_xdp_packets/ { sum += $2 } END { print sum }'
}

link_id() {
	bpftool -j link show pinned "/sys/fs/bpf/$LAB_ID"/link_* | jq .id
}

nothing_broke() {
	held ".open == $HELD and .resets == 0 and .stalls == 0 and .wrong == 0 and .failures == 0"
}

# --- restarts ---

records() {
	lbctl --json status | jq .flow_table.recorded
}

restart() {
	kill "-$1" "$LAB_LBD"
	wait_for 5 gone "$LAB_LBD"
	LAB_LBD=
	lab_start_lbd '{"xdp_mode": "native"}'
}

gone() {
	! kill -0 "$1"
}

ten_restarts() {
	local round
	for round in 1 2 3 4 5; do
		restart TERM && restart KILL || return
		echo "after $((round * 2)): $(records) flows on record"
	done
}

flows_are_on_record() {
	[ "$(records)" -ge 50 ]
}

held_state() {
	lbctl --json vip show held | jq -S '{digest, slots: .slots.moving, numbers: .backends | length}'
}

# --- kills amid changes ---

kill_rounds() {
	lab_stop_lbd
	/usr/bin/python3 tests/net/kill_rounds.py --rounds "$ROUNDS" --lbd "$LBD" \
		--config "$LAB_DIR/lbd.json" --socket "$LAB_DIR/lbd.sock" \
		--netns "/run/netns/$LAB_ID-balancer" --keep held --keep stream || return
	lab_start_lbd '{"xdp_mode": "native"}'
}

nothing_remains_pinned() {
	lab_in balancer "$LBD" --config "$LAB_DIR/lbd.json" --detach &&
		[ ! -e "/sys/fs/bpf/$LAB_ID" ] && wait_for 5 no_program
}

# The kernel takes a link's program off some time after its last pin is gone.
no_program() {
	! lab_ip balancer -json link show l0 | jq -e '.[0].xdp'
}

start() {
	lab_up one-armed 4 && lab_ip router -force link set dev rl xdpdrv \
		obj "$O/tests/lib/flood.bpf.o" sec xdp.frags && lab_serve 80 && serve_held &&
		lab_start_lbd '{"xdp_mode": "native"}' &&
		service_document >"$LAB_DIR/service.json" &&
		lbctl config apply "$LAB_DIR/service.json" && lab_ready && hold &&
		lbctl backend drain held "${LAB_BACKEND4[1]}"
}

NOTE=$(mktemp)
at_exit rm -f "$NOTE"
start >"$NOTE" 2>&1
check "four backends, $HELD connections, one backend drains" test $? = 0 || { cat "$NOTE"; finish; }
check "flows of the draining backend are put on record" wait_for 15 flows_are_on_record
BEFORE=$(held_state)
LINK=$(link_id)
stream 20
ten_restarts >"$NOTE" 2>&1
check "lbd is stopped and killed ten times and starts again" test $? = 0 || cat "$NOTE"
wait "$STREAM"
check "no packet of $RATE a second was lost" nothing_lost
check_equal "the interface has been held by one and the same link" "$LINK" "$(link_id)"
check "no connection broke" nothing_broke
check "the flows are still on record" flows_are_on_record
check_equal "tables and slot states are as before" "$BEFORE" "$(held_state)"
stream 1800 # it is ended
kill_rounds >"$NOTE" 2>&1
check "killed $ROUNDS times amid changes: acknowledged ones are there, none is there by half" \
	test $? = 0 || cat "$NOTE"
echo "      $(tail -n 1 "$NOTE")"
lab_end "$STREAM"
check "no packet was lost" nothing_lost
check_equal "the interface is held by the same link still" "$LINK" "$(link_id)"
check "no connection broke" nothing_broke
lab_stop_lbd
check "detaching takes everything away" nothing_remains_pinned
check "the lab goes away as a whole" lab_down
finish
