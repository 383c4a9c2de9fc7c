#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd say what a change has broken? Live connections to backends that run lbd-backend, which lbd asks what they
# have lost: a change that breaks none measures 0, one that breaks some measures more. A second node asks them, too.
#
#	receipt_test.sh
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

HELD_EACH=60
STATS=http://127.0.0.1:9110/metrics

if [ "$(id -u)" != 0 ]; then
	skip "what a change has broken" "root"
	finish
fi

# --- the lab ---

# $1: addresses of backends
document() {
	jq -n --arg vip "$LAB_VIP4:80/tcp" --arg six "$LAB_VIP6" '
		{vips: [{name: "web", address: $vip, transition_s: 10, table_size: 1021,
			backends: [$ARGS.positional[:3][] | {address: ., weight: 10, second_chance: true}]},
			{name: "six", address: "[\($six)]:80/tcp", transition_s: 10, table_size: 1021,
			backends: [$ARGS.positional[3:][] | {address: ., weight: 10, second_chance: true}]}]}' \
		--args "${LAB_BACKEND4[@]}" "${LAB_BACKEND6[@]}"
}

start() {
	lab_up one-armed 3 && at_exit end_balancer 2 && balancer_link 2 &&
		backends_up "[\"$LAB_VIP4\", \"$LAB_VIP6\"]" "${BALANCER4[@]:0:2}" "${BALANCER6[@]:0:2}" && serve_held 80 &&
		lab_start_lbd '{"xdp_mode": "native", "http": {"listen": "127.0.0.1:9110"}}' && start_balancer 2 || return
	lab_background balancer "$LBCTL" --socket "$LAB_DIR/lbd.sock" watch --json >"$LAB_DIR/events"
	document | lbctl config apply - && document | balancer 2 config apply - && lab_ready && wait_for 5 watches
}

watches() {
	lbctl vip set web --transition $((10 + RANDOM % 3)) >/dev/null
	[ -s "$LAB_DIR/events" ]
}

# --- what lbd knows ---

# All have said how many packets they lost, which is the sum.
knows() { # VIP CONDITION [NODE]
	balancer "${3:-1}" --json backend list "$1" | jq -e "[.vips[0].backends[].second_chance] | $2"
}

all_answer() { # VIP [NODE]
	knows "$1" 'length == 3 and all(.since and (.silent | not))' "${2:-1}"
}

# The second node was told of the same removal. It sees no packet.
both_have_measured() {
	wait_for 40 grep -E 'vip web has changed: .*, measured [1-9][0-9]* lost packets' "$LAB_DIR/balancer2.log" &&
		wait_for 15 both_know && knows web 'map(.lost) | add > 0' 2 && return
	tail -n 5 "$LAB_DIR/balancer2.log"
	lost 1
	lost 2
	return 1
}

both_know() {
	[ "$(lost 1)" = "$(lost 2)" ]
}

lost() { # NODE: at each backend
	balancer "$1" --json backend list web | jq -c '[.vips[0].backends[] | [.address, .second_chance.lost]]'
}

# receipt N VIP CONDITION: of the Nth receipt of the VIP
receipt() {
	receipts "$2" | jq -se --argjson n "$1" "length == \$n and (.[\$n - 1] | $3)"
}

receipts() {
	grep -F '"receipt"' "$LAB_DIR/events" | jq -c --arg vip "$1" '(.params // .) | select(.event == "receipt" and .vip == $vip)'
}

comes() { # N VIP CONDITION
	wait_for 40 receipt_came "$1" "$2"
	receipt "$1" "$2" "$3" || { receipts "$2" && lbctl backend list "$2" && return 1; }
}

receipt_came() {
	[ "$(receipts "$2" | wc -l)" -ge "$1" ]
}

metric() { # CONDITION: of the value at each backend of web
	lab_in balancer curl -s "$STATS" | sed -n 's/^lbd_backend_lost_packets_total{pool="web".*} //p' | jq -se "$1"
}

# --- changes ---

opens() {
	HOLDERS[web]=
	hold web "$HELD_EACH" 80 100 && HOLDERS[web]=$HOLDER
}

# The owners before keep their connections.
drain_breaks_none() {
	lbctl backend drain web "${LAB_BACKEND4[1]}" && held_answers web && held_reports web '.open == .opened' || return
	comes 1 web '.predicted.backends == 0 and .measured == {packets: 0, backends: 3, silent: 0} and .seconds >= 10'
}

words_say_so() {
	grep -E 'vip web has changed: predicted 0 broken, measured 0 lost packets in 1[0-9] s \(backends that answer: 3\)$' "$LAB_DIR/lbd.log"
}

# Without a record of what its slots had: nobody else has the connections of b2.
removal_breaks_some() {
	balancer 2 backend del web "${LAB_BACKEND4[2]}" --force && lbctl backend del web "${LAB_BACKEND4[2]}" --force &&
		wait_for 10 held_reports web '.open < .opened' || return
	comes 2 web '.predicted.backends == 1 and .measured.packets > 0 and .measured.backends == 2'
}

list_and_metrics_say_so() {
	knows web 'map(.lost) | add > 0' && metric 'length == 2 and add > 0' &&
		lbctl backend list web | grep -E '; lost [1-9][0-9]* packets? since 20' &&
		lbctl vip show web | grep -E '; lost [0-9]+ packets? since 20'
}

# As many as the backends themselves say.
sums_agree() {
	local sum
	sum=$(lost_at)
	echo "backends: $sum; $(lbctl --json backend list web | jq -c '[.vips[0].backends[].second_chance.lost]')"
	knows web "map(.lost) | add <= $sum" && [ "$sum" -gt 0 ]
}

# The program is loaded again, and counts from 0: what was lost before stays, and what is lost then comes on top.
restart_forgets_nothing() {
	local before
	before=$(lost_by 3)
	[ "$before" -gt 0 ] && backend b3 down && backend b3 up && lbctl backend undrain web "${LAB_BACKEND4[1]}" || return
	wait_for 10 strays_count && wait_for 20 adds_up "$before"
}

strays_count() {
	strays && [ "$(lost_at b3)" -gt 0 ]
}

lost_at() { # NODE…: as they count
	echo $(($(counted stray "$@") + $(counted lost "$@")))
}

adds_up() { # BEFORE
	[ "$(lost_by 3)" = $(($1 + $(lost_at b3))) ]
}

lost_by() { # NUMBER
	lbctl --json backend list web |
		jq --arg address "${LAB_BACKEND4[$1]}" '.vips[0].backends[] | select(.address == $address) | .second_chance.lost'
}

silence_is_told() {
	backend b3 down || return
	wait_for 30 b3_is_silent && lbctl backend list web | grep -F '; does not say what it loses'
}

b3_is_silent() {
	knows web 'any(.silent)'
}

# What nobody asks for costs nothing, but slots remember longer, and lists are there anyway. The last question before the receipt was for up to a second more.
nothing_is_looked_at_any_more() {
	wait_for 5 strays_do_not_count
}

strays_do_not_count() {
	local before
	before=$(counted stray b1 b3)
	strays && [ "$(counted stray b1 b3)" = "$before" ]
}

# Each is answered by a reset, and about no connection.
strays() {
	local before
	before=$(resets)
	lab_in client python3 - "$LAB_VIP4" <<-'PYTHON' || return
		import socket, struct, sys
		raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
		def summed(data):
		    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
		    while total >> 16:
		        total = (total & 0xffff) + (total >> 16)
		    return ~total & 0xffff
		for port in range(30000, 30050):
		    ends = socket.inet_aton("198.51.100.2") + socket.inet_aton(sys.argv[1])
		    tcp = struct.pack("!HHIIBBHHH", port, 80, 1, 1, 5 << 4, 0x10, 8192, 0, 0)
		    check = summed(ends + struct.pack("!HH", 6, 20) + tcp)
		    raw.sendto(tcp[:16] + struct.pack("!H", check) + tcp[18:], (sys.argv[1], 0))
	PYTHON
	wait_for 5 resets_came $((before + 50))
}

resets() {
	local node
	for node in b1 b3; do
		lab_in "$node" nstat -asz TcpOutRsts
	done | awk '$1 == "TcpOutRsts" { sum += $2 } END { print sum }'
}

resets_came() { # COUNT
	[ "$(resets)" -ge "$1" ]
}

hurry
step "three backends that run lbd-backend, and a balancer" start || { cat "$LAB_DIR/lbd.log"; finish; }
check "each says what it has lost" wait_for 15 all_answer web
check "over IPv6, too" wait_for 15 all_answer six
check "and to another node that asks at the same time" wait_for 15 all_answer web 2
check "which is nothing" knows web 'map(.lost) == [0, 0, 0]'
check "metrics say so" metric '. == [0, 0, 0]'
step "$HELD_EACH connections open" opens
check "a drain breaks none of them: predicted 0, measured 0" drain_breaks_none
check "the log says so" words_say_so
check "a backend that is removed by force breaks some: so is measured" removal_breaks_some
check "so it is by another node that asks, with the same figures" both_have_measured
check "lbctl and metrics say so" list_and_metrics_say_so
check "no more than the backends say" sums_agree
check "packets without a connection are not counted once the change is over" nothing_is_looked_at_any_more
check "a program that is loaded again takes nothing back" restart_forgets_nothing
check "a backend that does not answer is told of" silence_is_told
step "the other node goes away as a whole" end_balancer 2
check "the lab goes away as a whole" lab_down
finish
