#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a backend that cannot be reached yet get no new flows while others can serve, and its share once it can?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

NOBODY=10.0.0.99 # until backend b3 takes this address
ALONE=10.0.0.98
BESIDE=10.0.0.97

start() {
	lab_up one-armed 3 && lab_serve 80 && lab_start_lbd "" &&
		lbctl vip add "$LAB_VIP4:80/tcp" --name web && lbctl backend add web "${LAB_BACKEND4[1]}" &&
		lbctl backend add web "${LAB_BACKEND4[2]}" && lab_ready &&
		lab_background balancer "$LBCTL" --socket "$LAB_DIR/lbd.sock" watch >"$LAB_DIR/events" 2>/dev/null &&
		wait_for 5 watching
}
watching() {
	lbctl vip set web --transition $((30 + RANDOM % 10))
	[ -s "$LAB_DIR/events" ]
}

# backend VIP ADDRESS FILTER
backend() {
	lbctl --json backend list "$1" |
		jq -r --arg address "$2" ".vips[0].backends[] | select(.address == \$address) | $3"
}
state_of() { backend "$1" "$2" .state; }
has_slots() { backend "$1" "$2" ".share.slots > 20" | grep -qx true; }
has_no_slots() { backend "$1" "$2" ".share.slots == 0" | grep -qx true; }
takes_address() { lab_ip b3 address add "$1/24" dev b0; }
loses_address() { lab_ip b3 address del "$1/24" dev b0 && lab_ip balancer neigh flush to "$1"; }
unresolved() { backend "$1" "$2" .next_hop.state | grep -qx unresolved; }
warns() { lbctl --json status | jq -r '.warnings[]' | grep -F "$1"; }
waits() { [ "$(state_of web "$NOBODY")" = waiting ] && has_no_slots web "$NOBODY"; }
begins() { grep -F " serve vip web backend $NOBODY serving" "$LAB_DIR/events"; }

# served NODES: 200 connections to web, none fails, by these.
served() {
	local reply
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count 200 --parallel 20 "$LAB_VIP4" 80)
	echo "$reply"
	jq -e --argjson nodes "$1" '.failures == 0 and (.seen | keys) == $nodes' <<<"$reply"
}

restarted() {
	kill -KILL "$LAB_LBD"
	lab_end "$LAB_LBD"
	lab_start_lbd "" && lab_background balancer "$LBCTL" --socket "$LAB_DIR/lbd.sock" watch >"$LAB_DIR/events"
	wait_for 5 watching
} 2>/dev/null

reply_says() {
	lbctl backend add web "$NOBODY" >"$LAB_DIR/reply"
	cat "$LAB_DIR/reply"
	grep -F "  backend $NOBODY gets no new flows until its next hop is resolved (neighbour has not answered yet)" "$LAB_DIR/reply" &&
		grep -E "^vip web: moved 3[0-9.]+ % of slots" "$LAB_DIR/reply"
}
dry_run_says() {
	lbctl backend add web "$NOBODY" --dry-run >"$LAB_DIR/reply"
	cat "$LAB_DIR/reply"
	grep -Fx "  backend $NOBODY would get no new flows until its next hop is resolved" "$LAB_DIR/reply"
}
too_much() {
	! lbctl backend add web "$NOBODY" --max-moved 10% 2>"$LAB_DIR/error" && grep -F "this would move 3" "$LAB_DIR/error"
}

arrives() {
	check "the share that it gets later counts for --max-moved" too_much
	check "a dry run says what the new backend would wait for" dry_run_says
	check "the reply to backend add says what the new backend lacks, and its share" reply_says
	check "it waits, and has no slots" waits
	check "status warns of it" warns "1 of 3 backends of VIP web get no new flows until their next hop is resolved, $NOBODY first: "
	check "no connection goes to it" served '["b1", "b2"]'
	restarted
	check "a new lbd leaves it waiting" waits
	check "nor do connections go there now" served '["b1", "b2"]'
	takes_address "$NOBODY"
	check "it gets its share once its next hop is resolved" wait_for 10 has_slots web "$NOBODY"
	check_equal "and is active" active "$(state_of web "$NOBODY")"
	check "an event says so" wait_for 5 begins
	check "new connections reach all three" served '["b1", "b2", "b3"]'
	check "nothing is warned of any more" not warns "get no new flows until"
}
not() { ! "$@"; }

lost() {
	loses_address "$NOBODY"
	wait_for 20 unresolved web "$NOBODY"
	check "a next hop that is lost later moves no slots" has_slots web "$NOBODY"
	restarted
	check "nor does a new lbd" has_slots web "$NOBODY"
}

alone() {
	lbctl vip add "$LAB_VIP4:81/tcp" --name alone >/dev/null
	check_equal "a dry run says that the only backend serves at once, reached or not" "vip alone: would be changed, no slot moved
  backend $ALONE would take new flows before its next hop is resolved" "$(lbctl backend add alone "$ALONE" --dry-run)"
	check_equal "and so it does, as the reply says" "vip alone: changed, no slot moved
  backend $ALONE takes new flows before its next hop is resolved" "$(lbctl backend add alone "$ALONE")"
	check "as does one that comes to others that cannot be reached" lbctl backend add alone "$BESIDE"
	check "which shares the slots" has_slots alone "$BESIDE"
	takes_address "$ALONE"
	check "when one can be reached, the other has none" wait_for 10 has_no_slots alone "$BESIDE"
	check "and that one all" has_slots alone "$ALONE"
	check_equal "as its state says" waiting "$(state_of alone "$BESIDE")"
	lbctl backend drain alone "$ALONE" >/dev/null
	check "it gets them back when the other drains" has_slots alone "$BESIDE"
}

if [ "$(id -u)" != 0 ]; then
	skip "backends that arrive" "root"
	finish
fi
start >/dev/null
check_equal "a lab, and a VIP with two backends" 0 $?
arrives
lost
alone
finish
