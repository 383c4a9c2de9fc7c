#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do 2,000 established connections live on when a router spreads them anew over three balancers, while slots are
# MOVING and after that? A balancer is lost and comes back, the router's hash and the order of its ways change. VIPs
# differ in how many changes they had (1, 3, 6), and in their transition: the router's ways change after 0.5, 1.5 and
# 3 of it. Backends with second_chance lose none; the same without it lose some, or this would show nothing.
#
#	ecmp_test.sh
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
# shellcheck source=tests/lib/balancers.sh
. tests/lib/balancers.sh
# shellcheck source=tests/lib/second.sh
. tests/lib/second.sh

SEED=00112233445566778899aabbccddeeff # all balancers have the same tables
HEALTH_PORT=81
TRANSITIONS=(60 20 10)
CHANGES=(1 3 6)
AFTER_MS=30000 # after the first change: 0.5, 1.5 and 3 transitions
EVERY_MS=1500  # from one change to the next: all six are within the shortest transition
OPEN_MS=9000   # for so long connections open, beside the changes
INTERVAL_MS=1000
STALL_S=4   # until a connection without an answer is counted
FAILOVER=.3 # seconds until the router knows that a balancer is lost
SEEDS=/proc/sys/net/ipv4/fib_multipath_hash_seed
CHANCE=() PLAIN=() CALM=calm-0-600 # names of VIPs
declare -A ADDRESS=() COUNT=([calm]=50 [chance]=170 [chance6]=160 [plain]=150) BEFORE=()

if [ "$(id -u)" != 0 ]; then
	skip "established connections behind an ECMP router" "root"
	finish
fi

# --- the lab ---

# CLASS-CHANGES-TRANSITION: with second_chance, the same for IPv6 inside and outside, and without.
name_vips() {
	local changes transition host=10
	for transition in "${TRANSITIONS[@]}"; do
		for changes in "${CHANGES[@]}"; do
			host=$((host + 1))
			CHANCE+=("chance-$changes-$transition")
			ADDRESS[chance-$changes-$transition]=192.0.2.$host
		done
		CHANCE+=("chance6-$changes-$transition")
		PLAIN+=("plain-$changes-$transition")
		ADDRESS[chance6-$changes-$transition]=2001:db8:10::$host
		ADDRESS[plain-$changes-$transition]=192.0.2.$((host + 100))
	done
	ADDRESS[$CALM]=192.0.2.49 ADDRESS[chance-1-600]=192.0.2.50 ADDRESS[plain-1-600]=192.0.2.150
}

# document STEP HEALTH NAME…: as it is after so many changes. Each VIP has as many of them as its name says. No slot
# has had more than three owners then.
document() {
	local name
	for name in "${@:3}"; do
		echo "$name-${ADDRESS[$name]}"
	done | jq -Rn --argjson step "$1" --argjson health "$2" --arg four "${LAB_BACKEND4[*]}" --arg six "${LAB_BACKEND6[*]}" '
		def backends($step): [
			{weight: (if $step < 5 then 10 else 20 end), drain: ($step == 1)},
			{weight: (if $step == 4 or $step == 5 then 3 else 10 end)}, {weight: 10}, {weight: 10}] |
			.[:if $step < 3 then 3 else 4 end];
		{vips: [inputs / "-" | (.[0] == "chance6") as $is6 | (.[0] != "plain") as $second_chance |
			([$step, (.[1] | tonumber)] | min) as $step |
			((if $is6 then $six else $four end) / " ") as $addresses |
			{name: "\(.[0])-\(.[1])-\(.[2])", transition_s: (.[2] | tonumber), table_size: 4099,
			 address: "\(if $is6 then "[\(.[3])]" else .[3] end):80/tcp",
			 backends: [backends($step) | to_entries[] | .value + {address: $addresses[.key], $second_chance}]} +
			$health]}'
}

start() {
	lab_up one-armed 4 && at_exit end_others && balancer_link 2 && balancer_link 3 &&
		backends_up '["192.0.2.0/24", "2001:db8:10::/64"]' "${BALANCER4[@]}" "${BALANCER6[@]}" || return
	# Not 1: that would take the hash that the client's socket has given to its packets.
	lab_sysctl router ipv4/fib_multipath_hash_policy=3 ipv6/fib_multipath_hash_policy=3 \
		ipv4/fib_multipath_hash_fields=$((0x37)) ipv6/fib_multipath_hash_fields=$((0x37))
	lab_start_lbd "{\"xdp_mode\": \"native\", \"hash_seed\": \"$SEED\"}" && start_balancer 2 && start_balancer 3 &&
		serve_held 80 && lab_serve "$HEALTH_PORT" || return
	applies 0 '{}' "$CALM" "${CHANCE[@]}" "${PLAIN[@]}" && wait_for 20 all_agree && spreads 1 2 3
}

end_others() {
	end_balancer 2
	end_balancer 3
}

# applies STEP HEALTH NAME…: at all three, at the same time
applies() {
	local number applying=() status=0
	document "$@" >"$LAB_DIR/services.json"
	for number in 1 2 3; do
		balancer "$number" config apply "$LAB_DIR/services.json" --force &
		applying+=($!)
	done
	for number in "${applying[@]}"; do
		wait "$number" || status=1
	done
	return "$status"
}

all_agree() {
	local tables
	tables=$(tables 1) && [ "$tables" = "$(tables 2)" ] && [ "$tables" = "$(tables 3)" ] &&
		jq -e 'length > 0 and all(.[]; .digest)' <<<"$tables" && balancer_ready 1 && balancer_ready 2 && balancer_ready 3
}

tables() { # NUMBER
	balancer "$1" --json vip list | jq -Sc '[.vips[] | {name, digest}]'
}

# spreads NUMBER…: the router has ways to these balancers, in this order
spreads() {
	local number ways4=() ways6=()
	for number; do
		ways4+=(nexthop via "${BALANCER4[number]}")
		ways6+=(nexthop via "${BALANCER6[number]}")
	done
	lab_ip router route replace 192.0.2.0/24 "${ways4[@]}" && lab_ip router -6 route replace 2001:db8:10::/64 "${ways6[@]}"
}

# --- connections ---

# opens NAME…: over OPEN_MS
opens() {
	local name
	for name; do
		lab_background client "$O/tests/lib/hold_tool" hold --count "${COUNT[${name%%-*}]}" --interval-ms "$INTERVAL_MS" \
			--open-ms "$OPEN_MS" "${ADDRESS[$name]}" 80 >"$LAB_DIR/$name.held"
		HOLDERS[$name]=$LAB_PID
		lab_reports "$LAB_PID" || return
	done
}

all_open() {
	local name
	for name; do
		wait_for 20 held_reports "$name" ".opened == ${COUNT[${name%%-*}]}" || { tail -n 1 "$LAB_DIR/$name.held" && return 1; }
	done
}

now_ms() {
	echo "${EPOCHREALTIME%???}" | tr -d .,
}

pause_until_ms() {
	local left_ms=$(($1 - $(now_ms)))
	[ "$left_ms" -le 0 ] || read -rt "$((left_ms / 1000)).$(printf %03d $((left_ms % 1000)))" <> <(:)
	return 0
}

changes_come() {
	local step
	opens "$CALM" "${CHANCE[@]}" "${PLAIN[@]}" || return
	BEGAN_MS=$(now_ms)
	for step in 1 2 3 4 5 6; do
		pause_until_ms $((BEGAN_MS + (step - 1) * EVERY_MS))
		applies "$step" '{}' "$CALM" "${CHANCE[@]}" "${PLAIN[@]}" || return
	done
	echo "six changes within $(($(now_ms) - BEGAN_MS)) ms" >>"$LAB_DIR/figures"
	all_open "$CALM" "${CHANCE[@]}" "${PLAIN[@]}" && wait_for 10 all_agree
}

figure() { # FIGURE NAME…: sum of what they reported last
	local name
	for name in "${@:2}"; do
		tail -n 1 "$LAB_DIR/$name.held"
	done | jq -s "map($1) | add"
}

# since NAME FIGURE…: by how much that has grown since it was asked last, into GROWN
since() {
	local key="$1 $2 $3" now
	now=$(figure "${@:2}")
	GROWN=$((now - ${BEFORE[$key]:-0}))
	BEFORE[$key]=$now
}

# breaks none|some|any WHAT NAME…: of the connections that lived on when it was asked last. An answer that takes 3 s is one
# too late; but not where those of CALM came as late, in whose VIP nothing changes: then the machine is too busy.
breaks() {
	local how=$1 what=$2 ended late
	shift 2
	since "$1" ".opened - .open + .failures + .wrong" "$@"
	ended=$GROWN
	since "$1" .stalls "$@"
	late=$GROWN
	held_reports "$CALM" true
	since "$1" .stalls "$CALM"
	if [ "$how" = none ] && [ "$GROWN" -gt 0 ]; then
		echo "$what: $late answers came late, and $GROWN of $CALM" >>"$LAB_DIR/figures"
		late=0
	fi
	echo "$what: $((ended + late)) of $((ended + $(figure .open "$@"))) broke" | tee -a "$LAB_DIR/figures"
	[ "$how" = none ] && [ $((ended + late)) = 0 ] && wait_for 20 none_waits "$@" && return
	[ "$how" = some ] && [ $((ended + late)) -gt 0 ] && return
	[ "$how" = any ] && return
	tell
	return 1
}

none_waits() {
	local name
	for name; do
		held_reports "$name" ".stalled == 0" || return
	done
}

tell() {
	local name number
	for name in "${CHANCE[@]}"; do
		echo "$name: $(held_broken "$name"), $(for number in 1 2 3; do
			balancer "$number" --json vip show "$name" | jq -c .slots
		done | tr '\n' ' ')"
	done
	for name in lost late refused_hop ttl malformed other_source; do
		echo "backends: $name $(counted "$name")"
	done
	lab_losses
}

# reshuffled WHAT some|any: since then all that live on have answered. So many break of those without second_chance
reshuffled() {
	step "$1: connections answer" held_answers "${CHANCE[@]}" "${PLAIN[@]}"
	step "$1: with second_chance none breaks" breaks none "$1, with second_chance" "${CHANCE[@]}"
	step "$1: without it $2 break" breaks "$2" "$1, without" "${PLAIN[@]}"
}

# --- the router's ways ---

balancer_is_lost() {
	lab_ip router link set rl3 down
	read -rt "$FAILOVER" <> <(:)
	spreads 1 2
}

balancer_comes_back() {
	lab_ip router link set rl3 up
	wait_for 20 all_agree && spreads 1 2 3
}

hash_changes() {
	lab_sysctl router ipv4/fib_multipath_hash_seed=54321
}

none_forgotten() {
	local number
	for number in 1 2 3; do
		balancer "$number" --json vip list | jq -e '[.vips[] | select(.name | startswith("chance")) | .slots.forgotten] |
			length == 12 and all(. == 0)' || return
	done
}

slots_are() { # STATE TRANSITION
	local number name=chance-6-$2
	for number in 1 2 3; do
		balancer "$number" --json vip show "$name" | jq -e --arg state "$1" \
			'.slots | .[$state] > 0 and ($state == "moving" or .moving == 0)' || return
	done
}

# --- ICMP errors ---

icmp() { # COUNTER…: of all backends
	local node
	for node in b1 b2 b3 b4; do
		lab_in "$node" nstat -asz "$@"
	done | awk '!/^#/ { sum += $2 } END { print sum + 0 }'
}

in_vain() {
	icmp IcmpInErrors Icmp6InErrors
}

errors_to() { # NAME…: about each of their connections
	local name
	for name; do
		lab_in client ss -Htn state established dst "$(host_text "${ADDRESS[$name]}")"
	done | lab_in client tests/net/forge_errors.py
}

host_text() {
	[[ $1 == *:* ]] && echo "[$1]" || echo "$1"
}

# Each finds the backend that has the connection, whichever balancer gets it.
errors_arrive() {
	local before_vain before sent
	before_vain=$(in_vain)
	before=$(icmp TcpExtOutOfWindowIcmps)
	sent=$(errors_to "${CHANCE[@]}")
	wait_for 5 errors_arrived $((before + sent)) || echo "of $sent errors $(($(icmp TcpExtOutOfWindowIcmps) - before)) found a connection"
	echo "ICMP errors, with second_chance: $(($(in_vain) - before_vain)) of $sent went astray" | tee -a "$LAB_DIR/figures"
	[ "$sent" -ge 2000 ] && [ "$(in_vain)" = "$before_vain" ] && errors_arrived $((before + sent))
}

errors_arrived() { # COUNT
	[ "$(icmp TcpExtOutOfWindowIcmps)" -ge "$1" ]
}

plain_errors_go_astray() {
	local before sent
	before=$(in_vain)
	sent=$(errors_to "${PLAIN[@]}")
	wait_for 5 more_in_vain "$before"
	echo "ICMP errors, without: $(($(in_vain) - before)) of $sent went astray" | tee -a "$LAB_DIR/figures"
	more_in_vain "$before"
}

more_in_vain() {
	[ "$(in_vain)" -gt "$1" ]
}

# --- the owner before is dead ---

end_all() {
	local name
	for name; do
		lab_end "${HOLDERS[$name]}"
	done
}

# Connections are at b2 and b3 then; b1, where the network's other balancers may send them first, dies.
backend_dies() {
	local health="{\"health\": {\"type\": \"tcp\", \"port\": $HEALTH_PORT, \"interval_ms\": 200, \"timeout_ms\": 200, \"fall\": 3, \"rise\": 1}}"
	OPEN_MS=500
	applies 0 "$health" chance-1-600 plain-1-600 && wait_for 20 all_agree && wait_for 20 b1_is healthy &&
		applies 1 "$health" chance-1-600 plain-1-600 && wait_for 20 all_agree &&
		opens chance-1-600 plain-1-600 && all_open chance-1-600 plain-1-600 || return
	lab_ip router link set rb1 down
	wait_for 20 b1_is unhealthy
}

b1_is() { # STATE
	local number
	for number in 1 2 3; do
		balancer "$number" --json backend list | jq -e --arg address "${LAB_BACKEND4[1]}" --arg state "$1" \
			'[.vips[].backends[] | select(.address == $address) | .health.state] | length == 2 and all(. == $state)' || return
	done
}

hurry
name_vips
step "three balancers behind an ECMP router, four backends that run lbd-backend" start || finish
step "connections open while one, three and six things change" changes_come || finish
step "they answer" held_answers "$CALM" "${CHANCE[@]}" "${PLAIN[@]}"
step "none breaks" breaks none "changes, no balancer lost, with second_chance" "${CHANCE[@]}"
step "without second_chance none breaks either" breaks none "changes, no balancer lost, without" "${PLAIN[@]}"
pause_until_ms $((BEGAN_MS + AFTER_MS))
check "no slot has had more owners than it remembers" none_forgotten
if [ $(($(now_ms) - BEGAN_MS)) -lt $((TRANSITIONS[0] * 1000)) ]; then
	check "after 0.5 transitions slots are moving" slots_are moving "${TRANSITIONS[0]}"
else
	skip "after 0.5 transitions slots are moving" "a faster machine"
fi
check "after 1.5 they remember" slots_are tracked 20
check "after 3, too" slots_are tracked 10
step "a balancer is lost" balancer_is_lost
reshuffled "a balancer is lost" some
step "it comes back" balancer_comes_back
reshuffled "it comes back" any # those that went elsewhere may be on record there
if [ -e "$SEEDS" ]; then
	step "the router's hash changes" hash_changes
	reshuffled "the router's hash changes" some
else
	skip "the router's hash changes" "Linux 6.11 or later"
fi
check "ICMP errors find the connections that they are about" errors_arrive
check "without second_chance some find none" plain_errors_go_astray
step "the router's ways change places" spreads 3 1 2
reshuffled "all connections change balancers" some
check "backends have passed packets on" test "$(counted passed_on)" -gt 0
check_equal "no packet with a list was about no connection" 0 "$(counted lost)"
end_all "$CALM" "${CHANCE[@]}" "${PLAIN[@]}"
CALM=plain-1-600 # where many wait
step "a backend drains, connections open at others, it dies" backend_dies
spreads 2 3 1
read -rt "$STALL_S" <> <(:)
step "they answer" held_answers chance-1-600 plain-1-600
step "with second_chance none breaks" breaks none "the owner before is dead, with second_chance" chance-1-600
step "without it some break" breaks some "the owner before is dead, without" plain-1-600

sed 's/^/      /' "$LAB_DIR/figures"
step "the other balancers go away as a whole" end_others
check "the lab goes away as a whole" lab_down
finish
