#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which backends get the new flows of a UDP VIP, whose datagrams do not say that they begin one? With lbd and real
# servers: an unhealthy backend gets none, one that drains gets none after half a transition.
#
#	datagram_test.sh
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

TRANSITION_S=20
PORT=53
CHECKED_PORT=80

if [ "$(id -u)" != 0 ]; then
	skip "new UDP flows and backends that take none" "root"
	finish
fi

# serve NUMBER PORT: SERVER is its process.
serve() {
	lab_background "b$1" "$O/tests/lib/serve_tool" "b$1" "$2"
	SERVER=$LAB_PID
	wait_for 5 lab_answers "b$1" "$2"
}

# Health asks another server than the one that flows go to, so that an unhealthy backend still answers.
up() {
	local number
	lab_up one-armed 3 || return
	for number in 1 2 3; do
		serve "$number" "$PORT" && serve "$number" "$CHECKED_PORT" || return
		CHECKED[number]=$SERVER
	done
	lab_start_lbd "{}" && config | lbctl config apply - && lab_ready && wait_for 5 health_is 3 healthy
}

config() {
	jq -n --arg address "$LAB_VIP4:$PORT/udp" --argjson transition "$TRANSITION_S" --args \
		--argjson port "$CHECKED_PORT" '{vips: [{name: "dns", $address, transition_s: $transition,
		health: {type: "tcp", $port, interval_ms: 200, timeout_ms: 200},
		backends: ($ARGS.positional | map({address: ., weight: 10}))}]}' "${LAB_BACKEND4[@]}"
}

health_is() {
	lbctl --json backend list dns | jq -e --arg address "${LAB_BACKEND4[$1]}" --arg state "$2" \
		'.vips[0].backends[] | select(.address == $address) | .health.state == $state'
}

# seen FILTER: of 300 new flows none fails, and FILTER holds of the names of their backends.
seen() {
	local reply
	reply=$(lab_in client "$O/tests/lib/connect_tool" --udp --count 300 --parallel 50 "$LAB_VIP4" "$PORT")
	echo "$reply"
	jq -e ".failures == 0 and (.seen | keys | $1)" <<<"$reply" >/dev/null
}

fails_its_check() {
	kill -KILL "${CHECKED[1]}"
	wait "${CHECKED[1]}" 2>/dev/null
	wait_for 10 health_is 1 unhealthy && seen '. == ["b2", "b3"]'
}

# No flow begins while slots move: its record would lead whoever has its port next to where it went.
nothing_moves() {
	lbctl --json vip show dns | jq -e '.slots.moving == 0'
}

is_healthy_again() {
	serve 1 "$CHECKED_PORT" && wait_for 10 health_is 1 healthy &&
		wait_for $((TRANSITION_S + 5)) nothing_moves && seen '. == ["b1", "b2", "b3"]'
}

drain_says_for_how_long() {
	local reply
	reply=$(lbctl backend drain dns "${LAB_BACKEND4[2]}") || return
	echo "$reply"
	DRAINED_AT=$SECONDS
	grep -qx "  backend ${LAB_BACKEND4[2]}: new UDP flows can still reach it for $((TRANSITION_S / 2))s" <<<"$reply"
}

# Half a transition, the second under way, and the rest for the machine.
no_new_flow_after_that() {
	wait_for $((TRANSITION_S - 4)) nothing_moves || return
	echo "after $((SECONDS - DRAINED_AT)) s"
	[ $((SECONDS - DRAINED_AT)) -lt "$TRANSITION_S" ] && seen '. == ["b1", "b3"]'
}

CHECKED=()
DRAINED_AT=0
step "three backends answer datagrams" up || finish
check "all of them get new flows" seen '. == ["b1", "b2", "b3"]'
step "one that fails its check gets none, at once" fails_its_check
step "one that is healthy again gets some" is_healthy_again
step "drain says for how long new flows still arrive" drain_says_for_how_long
check "no new flow arrives at a draining backend after half a transition" no_new_flow_after_that
check "the lab goes away as a whole" lab_down
finish
