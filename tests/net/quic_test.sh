#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a QUIC connection keep its backend when its client's address changes, whatever becomes of the other backends? ngtcp2's
# server and client, with server ids in the server's connection ids; clients change their port in the middle of a transfer.
#
#	quic_test.sh
#
# With QUIC_KEY, in hex, ids are encrypted: quic_key_test.sh.
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh

CLIENTS=${QUIC_CLIENTS:-12}
MEGABYTES=${QUIC_MEGABYTES:-8}
QUIC='{}' # the VIP's
CHANGE_MS=100 # after the handshake: then the client has another port
IDS=(none 1122334455667701 1122334455667702 1122334455667703)

if [ "$(id -u)" != 0 ]; then
	skip "QUIC connections whose clients move" "root"
	finish
fi
if ! command -v gtlsserver >/dev/null || ! command -v gtlsclient >/dev/null; then
	skip "QUIC connections whose clients move" "ngtcp2-server and ngtcp2-client"
	finish
fi

serve() {
	lab_background "b$1" env LD_PRELOAD="$O/tests/lib/quic_ids.so" QUIC_SERVER_ID="${IDS[$1]}" \
		gtlsserver -q -d "$LAB_DIR/www" "$LAB_VIP4" 443 "$LAB_DIR/key" "$LAB_DIR/cert" >"$LAB_DIR/server$1" 2>&1
	wait_for 5 listens "b$1"
}

listens() {
	lab_in "$1" ss -Hlun 'sport = :443' | grep -q .
}

up() {
	local number
	lab_up one-armed 3 && standby_link || return
	mkdir "$LAB_DIR/www" "$LAB_DIR/got" "$LAB_DIR/keys"
	LBD_JSON=$(jq -n --arg keys "$LAB_DIR/keys" '{hash_seed: "00112233445566778899aabbccddeeff", quic_keys: $keys}')
	if [ -n "${QUIC_KEY:-}" ]; then
		export QUIC_KEY
		key "$QUIC_KEY"
		QUIC='{"key": "lab"}'
	fi
	head -c "${MEGABYTES}M" /dev/urandom >"$LAB_DIR/www/file"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=lab \
		-keyout "$LAB_DIR/key" -out "$LAB_DIR/cert" 2>/dev/null || return
	for number in 1 2 3; do
		serve "$number" || return
	done
	lab_start_lbd "$LBD_JSON" && start_standby && config '.' >"$LAB_DIR/document" && lbctl config apply "$LAB_DIR/document" &&
		standby config apply "$LAB_DIR/document" && lab_ready && wait_for 10 standby_ready
}

# key HEX
key() {
	(umask 077 && echo "$1" >"$LAB_DIR/keys/lab")
}

# config FILTER: the document, changed.
config() {
	jq -n --argjson quic "$QUIC" --arg address "$LAB_VIP4:443/udp" --args '{vips: [{name: "quic", $address, quic: [$quic],
		transition_s: 4, flow_idle_s: 4, backends: [range(3) as $i | {address: $ARGS.positional[$i],
		quic_server_id: $ARGS.positional[3 + $i]}]}]}' "${LAB_BACKEND4[@]:1}" "${IDS[@]:1}" | jq "$1"
}

apply() {
	config "$1" | lbctl config apply --force - >/dev/null
}

fetch() {
	local got=$LAB_DIR/got/$1
	rm -rf "$got"
	mkdir "$got"
	nsenter --net="/run/netns/$LAB_ID-client" timeout 60 gtlsclient -q --timeout=4s --change-local-addr="${CHANGE_MS}ms" \
		--exit-on-all-streams-close --download="$got" "$LAB_VIP4" 443 "https://$LAB_VIP4/file" >"$got.log" 2>&1
	cmp -s "$got/file" "$LAB_DIR/www/file"
}

# transfers COMMAND args…: so many at a time while the command runs. How many came whole: $LAB_DIR/whole.
transfers() {
	local number pids=() whole=0
	for number in $(seq "$CLIENTS"); do
		fetch "$number" &
		pids+=($!)
	done
	"$@" || return
	for number in "${pids[@]}"; do
		wait "$number" && whole=$((whole + 1))
	done
	echo "$whole" >"$LAB_DIR/whole"
	echo "$whole of $CLIENTS transfers came whole"
	lbctl status | sed -n '/^QUIC/,/quoted/p'
}

all_whole() {
	transfers "$@" && [ "$(cat "$LAB_DIR/whole")" = "$CLIENTS" ]
}

some_lost() {
	transfers "$@" && [ "$(cat "$LAB_DIR/whole")" -lt "$CLIENTS" ]
}

count() {
	lbctl --json status | jq --arg name "$1" '.quic.counts[] | select(.name == $name) | .count'
}

# Weights, drains, and a backend that goes and comes: of the others none breaks. Clients begin before that.
changes() {
	local round
	wait_for 10 under_way || return
	for round in 1 2 3; do
		apply ".vips[0].backends[0].weight = $((round * 5))" && apply '.vips[0].backends[1].drain = true' &&
			apply '.vips[0].backends[2].weight = 0' && apply '.' || return
		lbctl backend add quic 10.0.0.99 --quic-id auto >/dev/null && lbctl backend del quic 10.0.0.99 --force >/dev/null || return
	done
}

under_way() {
	[ "$(count routed)" -gt "${ROUTED:-0}" ]
}

# To a balancer that has seen none of these connections, until they end.
other_balancer() {
	wait_for 10 under_way && moves_to "$STANDBY4"
}

led_by_another() {
	all_whole other_balancer && wait_for 5 standby_routes && moves_to "$LAB_BALANCER4"
}

standby_routes() {
	standby --json status | jq -e --argjson clients "$CLIENTS" 'any(.quic.counts[]; .name == "routed" and .count > $clients)'
}

restarts() {
	wait_for 10 under_way && lab_stop_lbd && lab_start_lbd "$LBD_JSON"
}

drained() {
	lbctl backend drain quic "${LAB_BACKEND4[1]}" --wait 60s
}

has_drained() {
	local reply
	all_whole drains_one && reply=$(drained) && grep -q drained <<<"$reply" && lbctl backend del quic "${LAB_BACKEND4[1]}"
}

drains_one() {
	wait_for 10 under_way && lbctl backend drain quic "${LAB_BACKEND4[1]}"
}

# By SIGHUP.
reads_key() {
	local before
	before=$(read_again)
	key "$1" && kill -HUP "$LAB_LBD" && wait_for 5 eval "[ \"\$(read_again)\" -gt $before ]"
}

read_again() {
	grep -c "QUIC key lab was read again" "$LAB_DIR/lbd.log"
}

other_key() {
	reads_key "$(tr 0-9a-f 1-9a-f0 <<<"$QUIC_KEY")"
}

own_key() {
	reads_key "$QUIC_KEY"
}

# The file is wrong when it is to be read again: which one, why, and that the key stays; in status and doctor.
tells_wrong_key() {
	local said
	(umask 077 && echo "${QUIC_KEY}0" >"$LAB_DIR/keys/lab") && kill -HUP "$LAB_LBD" &&
		wait_for 5 warns "$LAB_DIR/keys/lab does not have one line of exactly 32 hex digits" &&
		said=$(lbctl doctor || :) && grep "QUIC key lab is still the one that lbd had" <<<"$said" || return
	chmod 644 "$LAB_DIR/keys/lab" && kill -HUP "$LAB_LBD" && wait_for 5 warns "keys/lab is not a file that its owner alone may read"
}

warns() {
	lbctl --json status | jq -e --arg text "$1" 'any(.warnings[]?; contains($text))'
}

warns_of_no_key() {
	! warns "QUIC key"
}

own_key_again() {
	rm "$LAB_DIR/keys/lab" && key "$QUIC_KEY" && kill -HUP "$LAB_LBD" && wait_for 5 warns_of_no_key
}

says_no_key() {
	{
		lbctl --json status
		lbctl --json vip show quic
		lbctl config export
		lbctl --json quic id quic "${LAB_BACKEND4[1]}"
		lbctl --json explain "$LAB_CLIENT4:4433" quic
		cat "$LAB_DIR"/*.log "$LAB_DIR"/state/*
	} 2>&1 | { ! grep -aqi "$QUIC_KEY"; }
}

refuses_without_key() {
	local said
	said=$(lbctl vip set quic --quic 'cr=0,sid=8,key=lab cr=1,sid=8,key=nobody' 2>&1) && return 1
	echo "$said"
	grep -q "keys/nobody cannot be read: No such file" <<<"$said" && grep -q "hint: each balancer" <<<"$said" || return
	echo "$QUIC_KEY" >"$LAB_DIR/keys/open" && chmod 644 "$LAB_DIR/keys/open" && ln -s lab "$LAB_DIR/keys/link"
	said=$(lbctl vip set quic --quic 'cr=0,sid=8,key=lab cr=1,sid=8,key=open' 2>&1) && return 1
	echo "$said"
	grep -q "is not a file that its owner alone may read" <<<"$said" || return
	! lbctl vip set quic --quic 'cr=0,sid=8,key=lab cr=1,sid=8,key=link'
}

ROUTED=0
step "three QUIC servers with ids" up || finish
check "all transfers come whole" all_whole true
ROUTED=$(count routed)
check "and while weights change, backends drain, come and go" all_whole changes
ROUTED=$(count routed)
check "and while their packets reach a balancer that has seen none of them" led_by_another
ROUTED=$(count routed)
step "and while lbd restarts" all_whole restarts
check "without --quic some are lost" eval "apply 'del(.vips[0].quic)' && some_lost true"
check "with the ids of two servers swapped some are lost" eval \
	"apply '.vips[0].backends |= (.[0].quic_server_id as \$id | .[0].quic_server_id = .[1].quic_server_id | .[1].quic_server_id = \$id)' && some_lost true"
step "the ids are what they were" apply .
if [ -n "${QUIC_KEY:-}" ]; then
	check "with another key some are lost" eval 'other_key && some_lost true'
	step "the key is what it was" own_key
	check "a file that is wrong when it is read again is told" tells_wrong_key
	check "and breaks none" all_whole true
	check "nothing that lbd says or keeps has the key" says_no_key
	check "once it is right nothing is told" own_key_again
	check "without a key that lbd may read a change is refused" refuses_without_key
	check "and what is in force stays" all_whole true
fi
ROUTED=$(count routed)
check "a drain waits until no packet follows the id, and breaks none" has_drained
end_standby
check "the lab goes away as a whole" lab_down
finish
