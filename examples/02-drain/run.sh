#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How is a backend taken out of service without breaking a connection?
#
# Run as root after `make tests`. Takes everything down again, also on Ctrl-C.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/example.sh
. tests/lib/example.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

HELD=300        # long-lived connections
NEW=1000        # short ones, to see where new connections go
TRANSITION=4s   # 15m unless told: nobody would wait for that here
HOLDER=

# --- connections that live on ---

hold() {
	lab_background client "$O/tests/lib/hold_tool" hold --count "$HELD" --interval-ms 500 \
		"$LAB_VIP4" 7 >"$LAB_DIR/held"
	HOLDER=$LAB_PID
	lab_reports "$HOLDER"
	wait_for 10 all_open || fail "not all connections were made: $(held)"
}

# The holder's last report; report makes it write another one.
held() {
	tail -n 1 "$LAB_DIR/held"
}

report() {
	local lines
	lines=$(wc -l <"$LAB_DIR/held")
	kill -USR1 "$HOLDER" && wait_for 5 has_lines "$((lines + 1))"
}

has_lines() {
	[ "$(wc -l <"$LAB_DIR/held")" -ge "$1" ]
}

all_open() {
	report && jq -e --argjson count "$HELD" '.open == $count' < <(held)
}

# Every one of them is open and none was disturbed; prints how many each backend has.
none_broke() {
	report
	held | jq -c '{open, resets, stalls, seen}'
	jq -e --argjson count "$HELD" '.open == $count and .resets == 0 and .stalls == 0 and
		.failures == 0 and .wrong == 0' < <(held) >/dev/null || fail "connections broke"
}

forgotten() {
	lbctl --json vip show web | jq -e '.slots.moving == 0 and .slots.tracked == 0 and
		all(.backends[]; .recorded_flows == 0)'
}

# new_connections BACKENDS: make many; exactly those may answer, a list for jq.
new_connections() {
	local reply
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count "$NEW" --parallel 50 "$LAB_VIP4" 80)
	jq -c '{connections, failures, seen}' <<<"$reply"
	jq -e --argjson expected "$1" '.failures == 0 and (.seen | keys) == $expected' \
		<<<"$reply" >/dev/null || fail "new connections go elsewhere"
}

say "A service with three backends; a slot that moves is in transition for $TRANSITION"
lab_up one-armed 3 || exit
lab_serve 80 || exit
for node in b1 b2 b3; do
	lab_background $node "$O/tests/lib/hold_tool" serve $node 7
done
lab_start_lbd "$(cat examples/02-drain/lbd.json)" || exit
typed 0 lbctl vip add "$LAB_VIP4:0/tcp" --name web --transition "$TRANSITION"
for number in 1 2 3; do
	typed 0 lbctl backend add web "${LAB_BACKEND4[number]}"
done
lab_ready || exit
B2=${LAB_BACKEND4[2]}

say "$HELD connections that live on, and how many of them each backend has"
hold
none_broke
FLOWS=$(held | jq .seen.b2)

say "Once the set-up's transitions are over, records are forgotten: the hash alone leads each packet"
wait_for 40 forgotten || fail "slots do not settle"
typed 0 lbctl vip show web

say "To delete b2 now would break its connections, so it is refused"
typed 1 lbctl backend del web "$B2"

say "What would a drain do? And then: drain it, and wait a little"
typed 0 lbctl backend drain web "$B2" --dry-run
typed 4 lbctl backend drain web "$B2" --wait 8s

say "The connections of b2 go on, and are on record now; new ones go to the others"
none_broke
new_connections '["b1", "b3"]'
typed 0 lbctl backend list web
lbctl --json backend list web | jq -e --arg b2 "$B2" --argjson flows "$FLOWS" '
	.vips[0].backends[] | select(.address == $b2) | .recorded_flows == $flows' >/dev/null ||
	fail "b2 has $FLOWS connections, but that is not what is on record"
typed 1 lbctl backend del web "$B2"

say "The clients leave; what they sent last is forgotten after the flow idle time"
lab_end "$HOLDER"
jq -e '.resets == 0 and .stalls == 0 and .wrong == 0' < <(held) >/dev/null || fail "connections broke"
typed 0 lbctl backend drain web "$B2" --wait 1m

say "Now nothing breaks"
typed 0 lbctl backend del web "$B2"
new_connections '["b1", "b3"]'

lab_down || fail "the lab did not go away as a whole"
echo
echo "example: all as promised; the lab is gone again"
