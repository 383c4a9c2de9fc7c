#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do several hundred QUIC connections at once keep their servers while clients move, backends come, go, drain and
# fail, and their packets reach another balancer? With quic_tool; quic_test.sh has servers that encrypt.
#
#	quic_many_test.sh
#
# With QUIC_KEY, in hex, ids are encrypted: quic_many_key_test.sh.
#
# Needs root and a build.
# shellcheck disable=SC2016,SC2317 # filters are of jq; functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh

COUNT=${QUIC_COUNT:-400}
PACKETS=70
INTERVAL_MS=50
CHANGE_MS=700
IDS=(none 1122334455667701 1122334455667702 1122334455667703)
OTHER_ADDRESS=198.51.100.3
CHECKED=
QUIC=${QUIC_KEY:+'{"key": "lab"}'}
QUIC=${QUIC:-'{}'}

if [ "$(id -u)" != 0 ]; then
	skip "hundreds of QUIC connections whose clients move" "root"
	finish
fi

up() {
	local number
	lab_up one-armed 3 && standby_link && lab_ip client address add "$OTHER_ADDRESS/24" dev c0 || return
	for number in 1 2 3; do
		lab_background "b$number" "$O/tests/lib/quic_tool" serve "b$number" 443 "${IDS[number]}" ${QUIC_KEY:+"$QUIC_KEY"}
	done
	lab_serve 81 b1 b2 && lab_serve 81 b3 || return
	CHECKED=$LAB_PID
	[ -z "${QUIC_KEY:-}" ] || (umask 077 && mkdir "$LAB_DIR/keys" && echo "$QUIC_KEY" >"$LAB_DIR/keys/lab") || return
	LBD_JSON=$(jq -n --arg keys "$LAB_DIR/keys" '{hash_seed: "00112233445566778899aabbccddeeff", quic_keys: $keys}')
	lab_start_lbd "$LBD_JSON" && start_standby && apply . && wait_for 10 lab_ready &&
		wait_for 10 standby_ready && wait_for 10 health_is 3 healthy
}

# config FILTER: the document, changed.
config() {
	jq -n --argjson quic "$QUIC" --arg address "$LAB_VIP4:443/udp" --args '{vips: [{name: "quic", $address, quic: [$quic],
		transition_s: 4, flow_idle_s: 4, health: {type: "tcp", port: 81, interval_ms: 200, timeout_ms: 200},
		backends: [range(3) as $i | {address: $ARGS.positional[$i], quic_server_id: $ARGS.positional[3 + $i]}]}]}' \
		"${LAB_BACKEND4[@]:1}" "${IDS[@]:1}" | jq "$1"
}

# Both balancers have it.
apply() {
	config "$1" >"$LAB_DIR/document" && lbctl config apply --force "$LAB_DIR/document" >/dev/null &&
		standby config apply --force "$LAB_DIR/document" >/dev/null
}

# connections COMMAND args…: so many, while the command runs; how they fared: $LAB_DIR/result.
connections() {
	local pid
	lab_background client "$O/tests/lib/quic_tool" connect --count "$COUNT" --packets "$PACKETS" --interval-ms "$INTERVAL_MS" \
		--change-ms "$CHANGE_MS" --other "$OTHER_ADDRESS" "$LAB_VIP4" 443 >"$LAB_DIR/result"
	pid=$LAB_PID
	wait_for 10 under_way "$(routed)" && "$@" || return
	wait "$pid"
	cat "$LAB_DIR/result"
}

routed() {
	lbctl --json status | jq '[.quic.counts[]? | select(.name == "routed") | .count] | add // 0'
}

# Some packets of each, or without ids of any, have passed.
under_way() {
	[ "$(routed)" -gt "$(($1 + COUNT))" ] || jq -e '.vips[0].quic == null' "$LAB_DIR/document"
}

result() {
	jq -e --argjson count "$COUNT" "$1" "$LAB_DIR/result" >/dev/null
}

all_whole() {
	connections "$@" && result '.whole == $count and .changes > $count'
}

some_lost() {
	connections "$@" && result '.whole < $count'
}

# Of the backends none breaks its connections; halfway the packets come to a balancer that has seen none of them.
changes() {
	apply '.vips[0].backends[0].weight = 5' && apply '.vips[0].backends[1].drain = true' && moves_to "$STANDBY4" &&
		apply '.vips[0].backends += [{address: "10.0.0.99", quic_server_id: "1122334455667799"}] | .vips[0].backends[2].weight = 0' &&
		apply . && moves_to "$LAB_BALANCER4"
}

moves() {
	moves_to "$STANDBY4"
}

standby_was_asked() {
	[ "$(standby --json status | jq '[.quic.counts[] | select(.name == "routed") | .count] | add')" -gt "$COUNT" ]
}

swapped() {
	apply '.vips[0].backends |= (.[0].quic_server_id as $id | .[0].quic_server_id = .[1].quic_server_id | .[1].quic_server_id = $id)' &&
		some_lost true && result '.broken_of.b3 == null'
}

# --- a backend fails ---

health_is() {
	lbctl --json backend list quic | jq -e --arg address "${LAB_BACKEND4[$1]}" --arg state "$2" \
		'any(.vips[0].backends[]; .address == $address and .health.state == $state)'
}

# Its service goes on, only the check fails.
fails() {
	lab_end "$CHECKED"
	wait_for 10 health_is 3 unhealthy
}

recovers() {
	lab_serve 81 b3 || return
	CHECKED=$LAB_PID
	wait_for 10 health_is 3 healthy
}

# New ones, while the others go on.
fails_and_gets_none() {
	fails && lab_in client "$O/tests/lib/quic_tool" connect --count 200 --packets 2 --change-ms 0 "$LAB_VIP4" 443 >"$LAB_DIR/new" &&
		cat "$LAB_DIR/new" && jq -e '.whole == 200 and .seen.b1 > 0 and .seen.b2 > 0 and .seen.b3 == null' "$LAB_DIR/new" >/dev/null
}

step "three QUIC servers with ids, and two balancers" up || finish
check "$COUNT connections whose clients change addresses and ports come whole" all_whole true
check "and while backends change, drain, come and go, and packets reach a balancer that has seen none" all_whole changes
check "which has led them by their ids" standby_was_asked
check "without --quic some are lost" eval "apply 'del(.vips[0].quic)' && some_lost moves && moves_to $LAB_BALANCER4"
check "with the ids of two servers swapped theirs are lost" swapped
step "the ids are what they were" eval "apply . && wait_for 10 health_is 3 healthy"
check "a backend that has failed gets no new connection, and keeps its own (on_unhealthy keep)" all_whole fails_and_gets_none
step "it recovers" recovers
check "with on_unhealthy reset it loses just its own" eval \
	"apply '.vips[0].on_unhealthy = \"reset\"' && connections fails && result '.lost == 0 and .broken == .seen.b3 and (.broken_of | keys) == [\"b3\"]'"
end_standby
check "the lab goes away as a whole" lab_down
finish
