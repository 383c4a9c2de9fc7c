#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does an established connection keep its backend, whatever is done to the others? 2,000 long-lived
# connections that keep exchanging data while backends are added, drained, deleted, reweighted and
# flap; then the same under spoofed SYN and ACK floods, and one of pairs.
#
#	promise_test.sh
#
# Needs root and a build. From the environment: FLOOD_RATE, packets a second (500000).
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

TRANSITION_S=4 # the least that leaves room for a lost packet or two between exchanges
FLOW_IDLE_S=4
HOLD_PORT=7
FLOOD_RATE=${FLOOD_RATE:-500000}
FLOOD_LEAST=100000 # a busy machine sends no more
HELD=1500 # connections; later 2000
HOLDERS=()    # processes of hold_tool, in the order they were started
WEIGHT=()     # by backend, what new connections should follow
CONFIGURED=() # by backend, its weight also while it drains
CHANGES=0
WHERE=

NOTE=$(mktemp)
at_exit rm -f "$NOTE"

# step "promise" command args…: as check, but not in a subshell, for what changes variables.
step() {
	local name=$1 status
	shift
	"$@" >"$NOTE" 2>&1
	status=$?
	check "$name" output "$status"
}

output() {
	cat "$NOTE"
	return "$1"
}

# --- the long-lived connections ---

# hold COUNT: COUNT more of them. Returns when all are there.
hold() {
	local number=${#HOLDERS[@]}
	lab_background client "$O/tests/lib/hold_tool" hold --count "$1" --interval-ms 500 \
		"$LAB_VIP4" "$HOLD_PORT" >"$LAB_DIR/hold.$number" 2>&1
	HOLDERS+=("$LAB_PID")
	lab_reports "$LAB_PID"
	wait_for 10 opened "$number" "$1"
}

opened() {
	report "$1" && tail -n 1 "$LAB_DIR/hold.$1" | jq -e --argjson count "$2" '.opened == $count'
}

# report NUMBER: makes that hold_tool write a line more.
report() {
	local lines
	lines=$(wc -l <"$LAB_DIR/hold.$1")
	kill -USR1 "${HOLDERS[$1]}" && wait_for 5 has_more_lines "$LAB_DIR/hold.$1" "$lines"
}

has_more_lines() {
	[ "$(wc -l <"$1")" -gt "$2" ]
}

# The last lines of all of them as one object.
held() {
	tail -qn 1 "$LAB_DIR"/hold.* | jq -sc '
		reduce (map(del(.longest_ms, .seen, .errors))[] | to_entries[]) as $count
			({}; .[$count.key] += $count.value) +
		{longest_ms: map(.longest_ms) | max, errors: map(.errors),
		 seen: (reduce (.[].seen | to_entries[]) as $count ({}; .[$count.key] += $count.value))}'
}

held_now() {
	local number
	for number in "${!HOLDERS[@]}"; do
		report "$number" || return
	done
	held
}

# nothing_broke SECONDS EXCHANGES: so many were done SECONDS ago; each connection had to do at least
# one a second since. They are on the four backends that were there at first.
nothing_broke() {
	local state
	state=$(held)
	echo "$state"
	lab_losses
	jq -e --argjson held "$HELD" --argjson least "$(($1 * HELD + $2))" '
		.open == $held and .opened == $held and .failures == 0 and .resets == 0 and
		.stalls == 0 and .wrong == 0 and .exchanges >= $least and
		(.seen | keys) == ["b1", "b2", "b3", "b4"]' <<<"$state"
}

# --- changes ---

# A thousand ports of the client's that it has not used for a long time: a SYN from the addresses and ports of a
# connection that ended less than 9 s ago follows that one's record.
fresh_ports() {
	local first=$((2000 + CHANGES % 63 * 1000))
	lab_sysctl client "ipv4/ip_local_port_range=$first $((first + 999))"
}

# new_connections_follow: the weights in WEIGHT, by a chi-square test that a right program fails
# in less than one of 10,000 runs; and none goes to a backend that takes none.
new_connections_follow() {
	local reply
	fresh_ports
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count 400 --parallel 40 \
		--timeout-ms 4000 "$LAB_VIP4" 80)
	echo "weights ${WEIGHT[*]}: $reply"
	jq -e --args '
		($ARGS.positional | map(tonumber)) as $weights | ($weights | add) as $all |
		.connections as $count | .failures == 0 and
		(.seen | to_entries | all($weights[.key[1:] | tonumber - 1] > 0)) and
		([range($weights | length) as $i | select($weights[$i] > 0) |
			($count * $weights[$i] / $all) as $expected |
			((.seen["b\($i + 1)"] // 0) - $expected) | . * . / $expected] | add) < 35' \
		"${WEIGHT[@]:1}" <<<"$reply" >/dev/null
}

backend() {
	local verb=$1 number=$2
	shift 2
	lbctl backend "$verb" web "${LAB_BACKEND4[number]}" "$@"
}

change_and_follow() {
	backend "$@" && new_connections_follow
}

# change VERB BACKEND ARGS…: through lbctl, and new connections follow at once.
change() {
	local verb=$1 number=$2
	shift 2
	case $verb in
	add | set) CONFIGURED[number]=$2 WEIGHT[number]=$2 ;;
	undrain) WEIGHT[number]=${CONFIGURED[number]} ;;
	drain | del) WEIGHT[number]=0 ;;
	esac
	CHANGES=$((CHANGES + 1))
	check "$WHERE: change $CHANGES, $verb b$number${*:+ $*}: new connections follow" \
		change_and_follow "$verb" "$number" "$@"
}

vip_holds() {
	lbctl --json vip show web | jq -e "$1"
}

transition_ends() {
	wait_for $((TRANSITION_S + 5)) vip_holds '.slots.moving == 0' || vip_holds '.slots'
}

# until_drained NUMBER: its records are gone, so that deleting it needs no force.
until_drained() {
	wait_for $((TRANSITION_S + FLOW_IDLE_S + 15)) vip_holds ".backends[] |
		select(.address == \"${LAB_BACKEND4[$1]}\") | .state == \"drained\""
}

# --- floods ---

packets_seen() {
	lbctl --json stats | jq '[.verdicts[].packets] | add'
}

flood_arrives() {
	[ "$(packets_seen)" -gt $((SEEN_BEFORE + FLOOD_RATE / 2)) ]
}

# flood --syn|--ack|--pair: from the router into the balancer's link, until it is ended. A flood from
# outside would not wait for a busy machine either, hence nice.
flood() {
	local mac
	mac=$(lab_ip balancer -json link show l0 | jq -r '.[0].address')
	SEEN_BEFORE=$(packets_seen)
	lab_background router nice -n -10 "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" \
		--interface rl --dmac "$mac" "$1" --rate "$FLOOD_RATE" --seconds 900 \
		"$LAB_VIP4" 80 >"$LAB_DIR/flood" 2>&1
	FLOOD=$LAB_PID
	wait_for 5 flood_arrives || cat "$LAB_DIR/flood"
}

flood_counts() {
	lbctl --json status | jq -c '.flow_table |
		{recorded, room} + (.counts | map({key: .name, value: .count}) | from_entries)'
}

# --- phases: changes while the connections go on, then what became of them ---

# phase COMMAND…: nothing broke while COMMAND ran, and RATE is what the balancer saw of it, in
# packets a second.
phase() {
	local before exchanges began seen took_ms
	before=$(held_now)
	exchanges=$(jq .exchanges <<<"$before")
	began=$(date +%s%N) seen=$(packets_seen)
	"$@"
	took_ms=$((($(date +%s%N) - began) / 1000000))
	RATE=$((($(packets_seen) - seen) * 1000 / took_ms))
	held_now >"$NOTE"
	check "$WHERE: of $HELD connections none was reset, stalled or went elsewhere" \
		nothing_broke $((took_ms / 1000)) "$exchanges"
	echo "      $(jq -r '"\(.exchanges) exchanges, the longest took \(.longest_ms) ms"' "$NOTE")," \
		"$RATE packets a second in $((took_ms / 1000)) s"
}

twenty_changes() {
	change set 1 --weight 30
	step "$WHERE: 500 connections are made while slots move" hold 500
	HELD=2000
	change set 1 --weight 10
	change add 5 --weight 10
	change drain 5
	change del 5 --force
	change add 5 --weight 10
	transition_ends
	change drain 1
	change undrain 1
	change drain 2
	change undrain 2
	change set 3 --weight 0
	change set 3 --weight 20
	change drain 5
	check "$WHERE: a backend whose flows are over is drained" until_drained 5
	change del 5
	change add 5 --weight 30
	change drain 3
	change set 4 --weight 5
	transition_ends
	change undrain 3
	change drain 1
	change undrain 1
	transition_ends
}

# Each kind of change, with transitions that end while the flood goes on: only then does a connection
# whose record the flood kept out, or pushed out, lose its backend.
changes_under_flood() {
	change set 2 --weight 30
	change drain 5
	change del 5 --force
	transition_ends
	change add 5 --weight 20
	change drain 4
	change undrain 4
	change set 2 --weight 10
	transition_ends
}

under_flood() {
	local kind=$1
	flood "--$kind"
	phase changes_under_flood
	check "$WHERE: the balancer saw $FLOOD_LEAST packets a second or more" \
		test "$RATE" -ge "$FLOOD_LEAST"
	lab_end "$FLOOD"
	echo "      flood: $(cat "$LAB_DIR/flood")"
	echo "      flow table: $(flood_counts)"
}

# --- another pool ---

move_and_follow() {
	lbctl vip set web --pool "$1" && lbctl vip set held --pool "$1" && new_connections_follow
}

killed_and_started() {
	kill -KILL "$LAB_LBD" && wait_for 5 lab_ended "$LAB_LBD" || return
	LAB_LBD=
	lab_start_lbd '{"xdp_mode": "native"}' && vip_holds '.leaves.pools == ["one"]'
}

# Both VIPs go to a pool that has none of the connections' backends, and back.
there_and_back() {
	local weights=("${WEIGHT[@]:1}")
	WEIGHT=([1]=0 0 0 0 10) CHANGES=$((CHANGES + 1))
	check "$WHERE: both VIPs go to another pool: new connections follow" move_and_follow two
	step "$WHERE: lbd is killed and started again" killed_and_started
	CHANGES=$((CHANGES + 1))
	check "$WHERE: new connections go on to follow" new_connections_follow
	transition_ends
	WEIGHT=(0 "${weights[@]}") CHANGES=$((CHANGES + 1))
	check "$WHERE: both VIPs go back: new connections follow" move_and_follow one
	transition_ends
}

# The connections have begun while both VIPs came from a pool whose table has another size.
to_another_size() {
	check "$WHERE: both VIPs get the slots of their pool" \
		wait_for $((2 * TRANSITION_S + FLOW_IDLE_S + 30)) has_slots_of_its_pool
	transition_ends
}

has_slots_of_its_pool() {
	vip_holds '(.slots | add) == .table_size and .leaves == null'
}

# --- what remains ---

# While connections are away from their slots' owners, their slots stay as they are.
slots_remember() {
	vip_holds '.slots.moving == 0 and .slots.tracked > 0'
}

let_go() {
	local pid
	for pid in "${HOLDERS[@]}"; do
		lab_end "$pid"
	done
	nothing_broke 0 0
}

all_settled() {
	vip_holds '.slots == {settled: .table_size, moving: 0, tracked: 0}' &&
		lbctl --json status | jq -e '.flow_table.recorded == 0'
}

slots_settle() {
	wait_for $((TRANSITION_S + FLOW_IDLE_S + 20)) all_settled ||
		{ vip_holds .slots; flood_counts; return 1; }
}

# --- the lab ---

service_document() {
	jq -n --arg address "$LAB_VIP4" --argjson port "$HOLD_PORT" \
		--argjson transition "$TRANSITION_S" --argjson idle "$FLOW_IDLE_S" --args '
		def pool($name; $size; $backends): {$name, table_size: $size, transition_s: $transition,
			flow_idle_s: $idle, backends: ($backends | map({address: ., weight: 10}))};
		{pools: [pool("one"; 65537; $ARGS.positional[:4]), pool("two"; 16381; $ARGS.positional[4:]),
			 pool("small"; 4093; $ARGS.positional[:4])],
		 vips: [{name: "web", address: "\($address):80/tcp", pool: "small"},
			{name: "held", address: "\($address):\($port)/tcp", pool: "small"}]}' \
		"${LAB_BACKEND4[@]:1:5}"
}

listens() {
	lab_in "$1" ss -Hltn "sport = :$HOLD_PORT" | grep -q .
}

serve_held() {
	local number
	for number in "${!LAB_BACKEND4[@]}"; do
		lab_background "b$number" "$O/tests/lib/hold_tool" serve "b$number" "$HOLD_PORT"
		wait_for 5 listens "b$number" || return
	done
}

# Flood packets that went through the balancer end where they leave its link.
filter_flood() {
	lab_ip router -force link set dev rl xdpdrv obj "$O/tests/lib/flood.bpf.o" sec xdp.frags
}

start() {
	lab_up one-armed 5 && filter_flood && lab_serve 80 && serve_held &&
		lab_start_lbd '{"xdp_mode": "native"}' &&
		service_document >"$LAB_DIR/service.json" &&
		lbctl config apply "$LAB_DIR/service.json" && lab_ready || return
	WEIGHT=([1]=10 10 10 10 0)
	CONFIGURED=([1]=10 10 10 10)
	lbctl vip set web --pool one && lbctl vip set held --pool one && hold "$HELD"
}

step "four backends, 1,500 connections" start || finish
WHERE="another size"
phase to_another_size
WHERE="quiet"
phase twenty_changes
WHERE="another pool"
phase there_and_back
WHERE="SYN flood"
under_flood syn
WHERE="ACK flood"
under_flood ack
WHERE="SYN and ACK flood"
under_flood pair
WHERE="afterwards"
check "$WHERE: slots whose connections live elsewhere stay TRACKED" slots_remember
step "$WHERE: no connection has broken in $CHANGES changes" let_go
check "$WHERE: without connections every slot is SETTLED, nothing on record" slots_settle
step "the lab goes away as a whole" lab_down
finish
