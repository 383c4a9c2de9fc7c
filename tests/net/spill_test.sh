#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do new connections go to a later group of backends while the first is down, and back, while those that are
# established stay where they are?
#
#	spill_test.sh
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh

CHECKED=90 # the port of the checks; connections go on at another one
COUNT=200

if [ "$(id -u)" != 0 ]; then
	skip "groups of backends" "root"
	finish
fi

# b1 and b2 come first, b3 is the spare one.
start() {
	lab_up one-armed 3 && lab_start_lbd '{"xdp_mode": "native"}' && serve_held 8 && be_up 1 2 3 || return
	lbctl pool add web --table-size 4093 --spill 60% --spill-hold 1s --health tcp --health-port "$CHECKED" \
		--health-interval 100ms --health-fall 2 --health-rise 1 &&
		lbctl backend add web "${LAB_BACKEND4[1]}" && lbctl backend add web "${LAB_BACKEND4[2]}" &&
		lbctl backend add web "${LAB_BACKEND4[3]}" --priority 1 &&
		lbctl vip add "$LAB_VIP4:8/tcp" --name vip --pool web || return
	lab_background balancer "$LBCTL" --socket "$LAB_DIR/lbd.sock" watch >"$LAB_DIR/events"
	lab_ready && become 3 "reserve 0" && wait_for 10 all_healthy
}

CHECKS=()
be_up() {
	local number
	for number; do
		lab_serve "$CHECKED" "b$number" || return
		CHECKS[number]=$LAB_PID
	done
}

be_down() {
	local number
	for number; do
		lab_end "${CHECKS[number]}"
	done
}

backend() {
	lbctl --json backend list vip | jq -r --arg at "${LAB_BACKEND4[$1]}" ".vips[0].backends[] | select(.address == \$at) | $2"
}

all_healthy() {
	lbctl --json status | jq -e '.health == {"healthy": 3, "unhealthy": 0, "unknown": 0}'
}

slots_of() {
	backend "$1" '"\(.state) \(.share.slots / 10 | round * 10)"'
}

is_now() {
	[ "$(slots_of "$1")" = "$2" ]
}

# become NUMBER STATE-AND-SHARE, which is rounded to tens
become() {
	wait_for 10 is_now "$1" "$2" || { lbctl backend list && return 1; }
}

told() {
	wait_for 5 grep -q "$1" "$LAB_DIR/events" || { cat "$LAB_DIR/events" && return 1; }
}

# Half of the group is less than 60 %.
half_is_too_little() {
	be_down 1 && become 3 "active 50" && become 1 "active 0" && told 'spilled to backends of priority 1: 50 % of the weight'
}

all_go_on() {
	goes_on first '["b1", "b2"]'
}

new_ones_go_to_the_spare() {
	be_down 2 && become 3 "active 100" && hold second "$COUNT" 8 || return
	SECOND=$HOLDER
	goes_on second '["b3"]' && HOLDER=$FIRST && all_go_on
}

and_back() {
	be_up 1 2 && become 1 "active 50" && become 3 "reserve 0" && told 'returned to backends of priority 0: 100 % of the weight' || return
	hold third "$COUNT" 8 && goes_on third '["b1", "b2"]' && lab_end "$HOLDER" || return
	HOLDER=$FIRST && all_go_on && HOLDER=$SECOND && goes_on second '["b3"]'
}

# Of a slot that has been the spare one's: what is on record goes on there, and that is said.
what_is_in_reserve_is_explained() {
	local port
	for port in $(lab_in client ss -Htn "dport = :8" | awk '{ print $4 }' | sed 's/.*://' | shuf -n 30); do
		lbctl explain "$LAB_CLIENT4:$port" vip --ack | grep 'takes no new flows (in reserve)' && return
	done
	return 1
}

step "two backends, and a spare one in reserve" start || finish
step "connections are established" hold first "$COUNT" 8
FIRST=$HOLDER
step "with the first group" all_go_on
step "half of the group is down: the spare one helps" half_is_too_little
step "all of it is down: new connections go to the spare one, established ones stay" new_ones_go_to_the_spare
step "it is back: so are new connections, and established ones stay with the spare one" and_back
step "explain says that a backend is in reserve" what_is_in_reserve_is_explained
check "the lab goes away as a whole" lab_down
finish
