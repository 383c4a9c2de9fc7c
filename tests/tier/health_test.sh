#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does health that agrees keep the tables of a tier the same? Three balancers with real checks of real servers; one is
# cut off from all of them, backends die, etcd goes.
#
#   O=BUILD     where lbd, lbctl and lbd-tier are (build)
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/tier.sh
. tests/lib/tier.sh

INTERVAL_MS=500
FALL=3
BACKENDS=(101 102 103 104 105 106)
WITHIN_MS=$((FALL * INTERVAL_MS + 1000))

# The backends share one host, with a server at each address.
backends_up() {
	local n
	tier_backends "${BACKENDS[@]}"
	for n in "${BACKENDS[@]}"; do
		backend_up "$n"
	done
	for n in "${BACKENDS[@]}"; do
		wait_for 10 tier_in b0 curl -s "http://10.9.0.$n/" || return
	done
}

backend_up() {
	tier_start "server$1" b0 python3 -m http.server --bind "10.9.0.$1" --directory "$TIER_DIR/web" 80
}

document() {
	jq -n --argjson interval "$INTERVAL_MS" --argjson fall "$FALL" '{vips: [{address: "192.0.2.1:80/tcp", name: "web", table_size: 4093,
		health: {type: "tcp", interval_ms: $interval, timeout_ms: 300, fall: $fall, rise: 2},
		backends: [$ARGS.positional[] | {address: "10.9.0.\(.)"}]}]}' --args "${BACKENDS[@]}"
}

# The digest of the table that node N has.
digest() {
	tier_lbctl "$1" --json vip list | jq -r '.vips[0].digest'
}

alike() {
	[ "$(tier_each digest | sort -u | wc -l)" = 1 ]
}

# unhealthy_on COUNT N: what counts there
unhealthy_on() {
	tier_lbctl "$2" --json status | jq -e --argjson count "$1" '.health.unhealthy == $count'
}

# sees N COUNT: unhealthy by its own checks
sees() {
	tier_lbctl "$1" --json backend list | jq -e --argjson count "$2" '[.vips[0].backends[].health | select((.agreed.own // .state) == "unhealthy")] | length == $count'
}

everywhere() {
	tier_each unhealthy_on "$1"
}

agreed() {
	tier_lbctl "$1" --json status | jq -e '.health.agreement | .state == "agreed" and (.nodes | length) == 2'
}

by_itself() {
	tier_lbctl "$1" --json status | jq -e '.health.agreement.state != "agreed"'
}

# Answers to node 3 get lost, so that its checks meet silence.
cut_off() {
	ip -n "$TIER_ID-b0" route add blackhole 10.9.0.13
}

reach_again() {
	ip -n "$TIER_ID-b0" route del blackhole 10.9.0.13
}

now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000)) # without its dot it is microseconds
}

# Milliseconds from the death of backends until their slots have left all tables, in TOOK.
dies_everywhere() {
	local count=$1 began
	shift
	began=$(now_ms)
	for n in "$@"; do
		tier_end "server$n" KILL
	done
	until everywhere "$count" >/dev/null; do
		TOOK=$(($(now_ms) - began))
		[ "$TOOK" -lt 20000 ] || return
	done
	TOOK=$(($(now_ms) - began))
	echo "$TOOK" >>"$TIER_DIR/took"
	[ "$TOOK" -le "$WITHIN_MS" ] || echo "took $TOOK ms, $WITHIN_MS are allowed"
	[ "$TOOK" -le "$WITHIN_MS" ]
}

# For so many seconds the digest of each node is what it was.
keeps() {
	local until=$((SECONDS + $1)) n
	while [ "$SECONDS" -lt "$until" ]; do
		for n in 1 2 3; do
			[ "$(digest "$n")" = "$KEPT" ] || {
				echo "node $n has another table"
				return 1
			}
		done
	done
}

shows_who_sees_what() {
	tier_lbctl 3 backend list web | tee "$TIER_DIR/list" | grep -qE 'healthy since .* by 2 of 3 nodes, unhealthy to this one'
}

test_cut_off() {
	KEPT=$(digest 1)
	cut_off
	check "a node that is cut off from all backends sees none" wait_for 10 sees 3 6
	check "and keeps its table, like the others'" keeps 5
	check "no backend counts as unhealthy" everywhere 0
	check "backend list says who sees what" shows_who_sees_what
	[ "$FAILED" = 0 ] || cat "$TIER_DIR/list"
	check "after a while it warns" wait_for 45 warns 3 "this node sees 6 backends otherwise than most of the tier"
	check "tier show names it" wait_for 15 tier_shows "lb3: sees 6 backends otherwise than most nodes"
	check "and its log" grep -q "web backend 10.9.0.101 unhealthy to this node, by the nodes of the tier: healthy 2, unhealthy 1" "$TIER_DIR/lbd3.log"
	check "a backend that dies then leaves all tables in time" dies_everywhere 1 101
	check "which are the same" wait_for 2 alike
	backend_up 101
	check "and comes back to all" wait_for 10 everywhere 0
	check "alike" wait_for 2 alike
	reach_again
	check "the node sees all again" wait_for 10 sees 3 0
	check "and warns no more" wait_for 10 warns_not 3
}

warns() {
	tier_lbctl "$1" status | grep -qF "$2"
}

warns_not() {
	! warns "$1" otherwise
}

tier_shows() {
	tier_tier 1 show | grep -qF "$1"
}

test_backends_die() {
	local round
	for round in 1 2 3; do
		check "backends that die leave all tables in time ($round)" dies_everywhere 2 103 10$((round + 3))
		check "which are the same" wait_for 2 alike
		backend_up 103
		backend_up 10$((round + 3))
		check "and come back" wait_for 10 everywhere 0
		check "alike" wait_for 2 alike
	done
}

# A node that starts again takes part; what it had stays meanwhile.
test_restart() {
	KEPT=$(digest 1)
	cut_off
	check "the node is cut off" wait_for 10 sees 3 6
	tier_end follow3 KILL
	tier_follow 3
	check "a killed lbd-tier costs nothing" keeps 4
	tier_end lbd3 KILL
	tier_lbd 3
	check "an lbd that starts again keeps its table" keeps 4
	check "and agrees" wait_for 10 tier_each agreed
	reach_again
	check "it sees all again" wait_for 10 sees 3 0
}

# The same without agreement: a control, and what is left without etcd.
test_without_etcd() {
	local n
	for n in 1 2 3; do
		tier_end "etcd$n" KILL
	done
	KEPT=$(digest 1)
	check "without etcd each node goes by itself, within the time that was told" wait_for 12 tier_each by_itself
	check "nothing changes by that" keeps 1
	cut_off
	check "a node that is cut off has another table then" wait_for 10 unhealthy_on 6 3
	check "of all its backends, since none is healthy" test "$(digest 3)" = "$KEPT"
	reach_again
	check "it sees them again" wait_for 10 unhealthy_on 0 3
	check "a backend dies for each by itself" dies_everywhere 1 101
	check "alike, as all see it" wait_for 2 alike
	check "which it warns of" warns 1 "health goes by this node's own checks"
	tier_each tier_etcd
	check "with etcd they agree again" wait_for 60 tier_each agreed
	backend_up 101
	check "and have it back" wait_for 10 everywhere 0
}

# agree_health off: the digest of a node that is cut off from one backend differs.
test_control() {
	local n
	for n in 1 2 3; do
		tier_end "follow$n"
		tier_follow "$n" '{"agree_health": false}'
	done
	check "nodes that need not agree do not" wait_for 15 tier_each by_itself
	tier_in b0 ip rule add from 10.9.0.102 to 10.9.0.13 blackhole
	check "one that is cut off from a backend" wait_for 10 unhealthy_on 1 3
	check "has another table" wait_for 5 differ
	tier_in b0 ip rule del from 10.9.0.102 to 10.9.0.13 blackhole
	check "until it reaches it again" wait_for 10 alike
}

differ() {
	[ "$(digest 3)" != "$(digest 1)" ] && [ "$(digest 2)" = "$(digest 1)" ]
}

if [ "$(id -u)" != 0 ] || ! type etcd etcdctl >/dev/null 2>&1; then
	skip "health of a tier" "root, etcd-server and etcd-client"
	finish
fi
step "three nodes of etcd and three balancers are there" tier_up || finish
mkdir "$TIER_DIR/web"
step "and backends" backends_up || finish
tier_each tier_follow
check "the nodes follow the tier" wait_for 20 tier_all_at 0
document >"$TIER_DIR/document.json"
check "a document is published" tier_tier 1 publish "$TIER_DIR/document.json"
check "and everywhere" wait_for 20 tier_all_at 1
check "all nodes agree on health" wait_for 10 tier_each agreed
check "all backends are healthy, everywhere" wait_for 10 everywhere 0
check "and all tables the same" wait_for 5 alike
test_cut_off
test_backends_die
test_restart
test_without_etcd
test_control
echo "from the death of a backend to the last table: $(paste -sd" " "$TIER_DIR/took") ms, of $WITHIN_MS"
[ "$FAILED" = 0 ] || tail -n 5 "$TIER_DIR"/{lbd,follow}?.log
finish
