#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do QUIC connections keep their servers while servers go from one rotation of ids to another, and from key to key? In
# the order that docs/deploy.md gives: the balancer has the new configuration before servers use it, and the old one for
# as long as connections have it. Clients change addresses and ports all the time.
#
#	quic_rotate_test.sh
#
# Needs root and a build.
# shellcheck disable=SC2016,SC2317 # filters are of jq; functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

COUNT=${QUIC_COUNT:-150} # connections at a time, twice
PACKETS=80
INTERVAL_MS=50
CHANGE_MS=700
OTHER_ADDRESS=198.51.100.3
IDS=(none 1122334455667701 1122334455667702 1122334455667703)
FIRST=8f95f09245765f80256934e50c66207f
SECOND=00112233445566778899aabbccddeeff
SERVERS=()

if [ "$(id -u)" != 0 ]; then
	skip "QUIC connections whose servers change keys" "root"
	finish
fi

up() {
	lab_up one-armed 3 && lab_ip client address add "$OTHER_ADDRESS/24" dev c0 || return
	mkdir "$LAB_DIR/keys"
	key first "$FIRST" && key second "$SECOND" || return
	LBD_JSON=$(jq -n --arg keys "$LAB_DIR/keys" '{quic_keys: $keys}')
	lab_start_lbd "$LBD_JSON" && lbctl vip add "$LAB_VIP4:443/udp" --name quic --transition 4s || return
	for number in 1 2 3; do
		lbctl backend add quic "${LAB_BACKEND4[number]}" --quic-id "${IDS[number]}" || return
	done
	lab_ready
}

# key NAME HEX
key() {
	(umask 077 && echo "$2" >"$LAB_DIR/keys/$1")
}

# serve ROTATION…: all servers, which go from one to the next by new_ids.
serve() {
	local number pid
	for pid in "${SERVERS[@]}"; do
		lab_end "$pid"
	done
	SERVERS=()
	for number in 1 2 3; do
		lab_background "b$number" "$O/tests/lib/quic_tool" serve "b$number" 443 "${IDS[number]}" "$@" >"$LAB_DIR/server$number" 2>&1
		SERVERS+=("$LAB_PID")
	done
	for number in 1 2 3; do
		wait_for 5 listens "b$number" || return
	done
}

listens() {
	lab_in "$1" ss -Hlun 'sport = :443' | grep -q .
}

new_ids() {
	kill -USR1 "${SERVERS[@]}"
}

quic_is() {
	lbctl vip set quic --quic "$1" "${@:2}"
}

# connect NAME: so many clients; how they fared: $LAB_DIR/NAME. Done when all have ids.
connect() {
	local before
	before=$(routed)
	lab_background client "$O/tests/lib/quic_tool" connect --count "$COUNT" --packets "$PACKETS" --interval-ms "$INTERVAL_MS" \
		--change-ms "$CHANGE_MS" --other "$OTHER_ADDRESS" "$LAB_VIP4" 443 >"$LAB_DIR/$1"
	CLIENTS+=("$LAB_PID")
	wait_for 10 eval "[ \"\$(routed)\" -gt $((before + 2 * COUNT)) ]"
}

routed() {
	lbctl --json status | jq '[.quic.counts[]? | select(.name == "routed") | .count] | add // 0'
}

# Until all have ended.
ended() {
	wait "${CLIENTS[@]}"
	CLIENTS=()
}

# fared NAME FILTER
fared() {
	cat "$LAB_DIR/$1"
	jq -e --argjson count "$COUNT" "$2" "$LAB_DIR/$1" >/dev/null
}

# whole NAME ROTATION: of just that one.
whole() {
	fared "$1" ".whole == \$count and .changes > \$count and .rotations == {\"$2\": \$count}"
}

from_clear_to_key() {
	CLIENTS=()
	serve 0:clear "1:$FIRST" && quic_is default && connect old && quic_is 'cr=0,sid=8 cr=1,sid=8,key=first' && new_ids &&
		connect new && ended && whole old 0 && whole new 1
}

# The old rotation goes when nobody has it; its number then gets another key.
from_key_to_key() {
	CLIENTS=()
	serve "1:$FIRST" "0:$SECOND" && connect old && quic_is 'cr=1,sid=8,key=first' --force && kill -HUP "$LAB_LBD" &&
		quic_is 'cr=0,sid=8,key=second cr=1,sid=8,key=first' && new_ids && connect new && ended && whole old 1 && whole new 0
}

# With another program in place (the guard's) that comes and goes.
amid_other_programs() {
	CLIENTS=()
	serve "0:$SECOND" "1:$FIRST" && connect old && lbctl vip set quic --rate vip=1Mpps && new_ids && connect new &&
		lbctl vip set quic --rate none && lbctl vip set quic --rate vip=1Mpps && lbctl vip set quic --rate none &&
		ended && whole old 0 && whole new 1
}

# lbd is killed, and started again.
amid_a_crash() {
	CLIENTS=()
	serve "0:$SECOND" "1:$FIRST" && connect old && new_ids && connect new && { kill -KILL "$LAB_LBD"; wait "$LAB_LBD"; true; } &&
		lab_start_lbd "$LBD_JSON" && ended && whole old 0 && whole new 1
}

# Servers use a rotation that the balancer does not have: just those connections fare badly.
too_early() {
	CLIENTS=()
	quic_is 'cr=0,sid=8,key=second' --force && serve "0:$SECOND" "1:$FIRST" && connect old && new_ids &&
		lab_in client "$O/tests/lib/quic_tool" connect --count "$COUNT" --packets "$PACKETS" --interval-ms "$INTERVAL_MS" \
			--change-ms "$CHANGE_MS" --other "$OTHER_ADDRESS" "$LAB_VIP4" 443 >"$LAB_DIR/new" &&
		ended && whole old 0 && fared new '.broken > 0 and .rotations == {"1": $count}'
}

# It is taken away while connections have it.
too_late() {
	CLIENTS=()
	quic_is 'cr=0,sid=8,key=second cr=1,sid=8,key=first' && serve "0:$SECOND" "1:$FIRST" && connect old && new_ids &&
		connect new && ! quic_is 'cr=1,sid=8,key=first' && quic_is 'cr=1,sid=8,key=first' --force && ended &&
		fared old '.broken > 0' && whole new 1
}

step "three QUIC servers" up || finish
step "from ids in the clear to encrypted ones no connection is lost, old or new" from_clear_to_key
step "from one key to another none is" from_key_to_key
step "nor while the guard's program comes and goes" amid_other_programs
step "nor where lbd is killed and starts again" amid_a_crash
step "servers that use a rotation before the balancer has it lose just those" too_early
step "a rotation that goes while connections have it asks for --force, and ends just those" too_late
check "the lab goes away as a whole" lab_down
finish
