#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do connections live on while the tables that they go by move, since a new one needs what is free in one piece?
#
#	room_test.sh [ROUNDS]
#
# Of 1,200 slots three VIPs have 251 each. In each round a fourth comes, the oldest goes, and a VIP is added whose table
# fits only where what is free is in one piece: 251 slots in front of the others, 196 behind them. lbd is killed amid
# every other round. Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh

ROUNDS=${1:-12}
COUNT=40 # connections of a VIP
INTERVAL_MS=20
MOVED=0 # rounds in which a table did
PORTS=(81 82 83 84) # of VIPs; round N has the next one

if [ "$(id -u)" != 0 ]; then
	skip "tables that move" "root"
	finish
fi

balancer_starts() {
	lab_start_lbd '{"xdp_mode": "native", "limits": {"slots": 1200}}'
}

start() {
	lab_up one-armed 3 && balancer_starts && serve_held "${PORTS[@]}" && begins 81 && begins 82 && begins 83
}

# begins PORT: a VIP, and its connections.
begins() {
	local number
	lbctl vip add "$LAB_VIP4:$1/tcp" --name "vip$1" --table-size 251 || return
	for number in 1 2 3; do
		lbctl backend add "vip$1" "${LAB_BACKEND4[number]}" || return
	done
	lab_ready && hold "vip$1" "$COUNT" "$1" "$INTERVAL_MS" || return
	HOLDERS[vip$1]=$HOLDER
}

# goes PORT: none of its connections has broken; then it is removed.
goes() {
	held_answers "vip$1" || return
	if [ "$(held_broken "vip$1")" != "0 of $COUNT" ]; then
		held_broken "vip$1"
		lab_losses
		return 1
	fi
	lab_end "${HOLDERS[vip$1]}" && unset "HOLDERS[vip$1]" && lbctl vip del "vip$1" --force
}

# Where the tables of those VIPs begin that have connections.
places() {
	bpftool -j map dump pinned "/sys/fs/bpf/$LAB_ID/vips4" |
		jq -c '[.[].formatted.value | select(.slots_size == 251) | .slots_start] | sort'
}

adds_what_needs_room() {
	lbctl vip add "$LAB_VIP4:99/tcp" --name large --table-size 397 --if-missing
}

adds_while_lbd_is_killed() {
	adds_what_needs_room >"$LAB_DIR/killed" 2>&1 &
	local adding=$!
	sleep "0.0$((RANDOM % 4))$((RANDOM % 10))"
	kill -KILL "$LAB_LBD" && wait "$adding"
	lab_end "$LAB_LBD"
	balancer_starts && adds_what_needs_room
}

# makes_room ROUND
makes_room() {
	local next=${PORTS[($1 + 2) % 4]} oldest=${PORTS[($1 + 3) % 4]} before
	begins "$next" && goes "$oldest" || return
	before=$(places)
	if (($1 % 2)); then adds_what_needs_room; else adds_while_lbd_is_killed; fi || return
	[ "$(places)" = "$before" ] || MOVED=$((MOVED + 1))
	held_answers "${!HOLDERS[@]}" && lbctl vip del large
}

tables_have_moved() {
	echo "in $MOVED of $ROUNDS rounds"
	((MOVED * 2 >= ROUNDS))
}

all_live_on() {
	held_answers "${!HOLDERS[@]}" && held_broken "${!HOLDERS[@]}" | tee "$LAB_DIR/broken" && grep -qx "0 of $((3 * COUNT))" "$LAB_DIR/broken"
}

step "three VIPs, $COUNT connections each" start || finish
for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round: tables make room" makes_room "$round" || break
done
check "tables have moved" tables_have_moved
step "all connections live on" all_live_on
check "the lab goes away as a whole" lab_down
finish
