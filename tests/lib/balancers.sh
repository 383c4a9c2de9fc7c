# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by tests with several balancers of one configuration, on one link. Number 1 is the lab's own.
#
#   balancer_link N              its node, ${BALANCER_NODE[N]}, and link l0, rlN at the router; before lab_start_lbd
#   start_balancer N             its lbd; after lab_start_lbd, whose configuration names a hash_seed
#   balancer N ARGS…             lbctl there
#   balancer_ready N             every next hop is resolved there
#   end_balancer N               not of 1, and before lab_down
#
# BALANCER4, BALANCER6: their addresses, by number.

BALANCER_NODE=([1]=balancer [2]=standby [3]=balancer3)
BALANCER4=([1]=10.0.0.2 [2]=10.0.0.3 [3]=10.0.0.4)
# shellcheck disable=SC2034 # for who sources this
BALANCER6=([1]=fd00:0:0:1::2 [2]=fd00:0:0:1::3 [3]=fd00:0:0:1::4)
BALANCER_LBD=()

balancer_link() {
	lab_balancer "${BALANCER_NODE[$1]}" "rl$1" "${BALANCER4[$1]##*.}"
}

start_balancer() {
	local at=$LAB_DIR/balancer$1
	jq --arg at "$at" --arg number "$1" '.control.path = $at + ".sock" | .state_dir = $at | .pin_dir += "-" + $number' \
		"$LAB_DIR/lbd.json" >"$at.json"
	lab_background "${BALANCER_NODE[$1]}" "$LBD" --config "$at.json" 2>"$at.log"
	BALANCER_LBD[$1]=$LAB_PID
	wait_for 10 balancer "$1" version || { cat "$at.log" && return 1; }
}

end_balancer() {
	[ -z "${BALANCER_LBD[$1]:-}" ] || lab_end "${BALANCER_LBD[$1]}"
	BALANCER_LBD[$1]=
	"$LBD" --config "$LAB_DIR/balancer$1.json" --detach
}

balancer() {
	local socket=$LAB_DIR/balancer$1.sock
	[ "$1" != 1 ] || socket=$LAB_DIR/lbd.sock
	"$LBCTL" --socket "$socket" "${@:2}"
}

balancer_ready() {
	balancer "$1" --json status | jq -e '(.unroutable | length) == 0 and all(.next_hops[]; .state == "resolved")'
}
