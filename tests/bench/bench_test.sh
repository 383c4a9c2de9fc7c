#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the benchmark measure what it says? One short round of every case and pair, each of which checks
# the verdicts of its packets; and what follows from given samples. Of times it asks only which of two
# that are far apart is the longer. Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=${O:-build}
quick=(--rounds 1 --packets 8192 --max-flows 8192)
work=$(mktemp -d)
at_exit rm -rf "$work"

packets() {
	timeout 600 "$O/tests/bench/packets" "${quick[@]}" >"$work/packets.json"
}

every_case() {
	jq -r '.cases[] | select(.ns) | .name' "$work/packets.json" | diff - <("$O/tests/bench/packets" --list)
}

pairs() {
	timeout 120 "$O/tests/bench/packets" --pairs "${quick[@]}" >"$work/pairs.json"
}

every_pair() {
	jq -r '.pairs[] | select(.ns) | .name' "$work/pairs.json" | diff - <("$O/tests/bench/packets" --pairs --list)
}

# In all rounds together: the balancer takes more than the floor, the rival more than the balancer, and
# each more than its wrapper. So no contender is mistaken for another, whoever begins.
sides_apart() {
	timeout 120 "$O/tests/bench/packets" --pairs --case '^(floor-1|lru-1m)$' --rounds 4 --packets 65536 |
		jq -e '(.pairs | length) == 2 and all(.pairs[].ns; map_values(add) |
			.a > .b * 1.1 and .b > .b_wrapper * 1.1)'
}

# And takes its namespaces away again, whose names have its process's number.
live() {
	local pid
	tests/bench/live.sh "$O" "${quick[@]}" >"$work/live.json" &
	pid=$!
	wait "$pid" && ! ip netns list | grep "^lbb$pid-"
}

every_lane() {
	jq -e 'all(.cases[]; has("ns")) and (.cases | length) >= 13' "$work/live.json"
}

report() {
	mkdir -p "$work/both"
	cp "$work/packets.json" "$work/pairs.json" "$work/live.json" "$work/both" &&
		python3 -B tests/bench/report.py join "$work/both" >"$work/results.json" &&
		python3 -B tests/bench/report.py show "$work/results.json" >"$work/shown"
}

# Each target is judged, but for those of instruction counts, which need a VM.
targets_judged() {
	jq -e '[.targets[] | select(.met == null) | .target] | length == 2 and
		all(startswith("instructions"))' "$work/results.json"
}

page() {
	mkdir "$work/docs"
	cp docs/benchmark.md "$work/docs" &&
		python3 -B tests/bench/report.py page "$work/results.json" tests/bench/insns.json "$work/docs" &&
		grep -q '^| tcp4-1m |' "$work/docs/benchmark.md" &&
		grep -q '</svg>' "$work/docs/benchmark-flows.svg" && grep -q '</svg>' "$work/docs/benchmark-live.svg" &&
		grep -q '>100,000</text>' "$work/docs/benchmark-vips.svg"
}

# The balancer: 100 ns, of which 30 are the wrapper's; the floor 60 and 30. IPv6: 84 to 86, net 1.2 times.
given() {
	cat >"$work/both/packets.json" <<-JSON
		{"rounds": 3, "packets": 1, "cpu": 0, "default_memory_bytes": 33554433, "cases": [
		 {"name": "tcp4-1", "flows": 1, "vips": 1, "members": 1, "table": 1, "slots": "settled", "records": false,
		  "lru_capacity": 1, "ns": {"wrapper": [30, 40, 30], "floor": [60, 70, 60], "floor_again": [63, 70, 60],
		  "lb": [100, 110, 100], "lru": [200, 210, 200]}},
		 {"name": "syn4-1m", "flows": 1, "vips": 1, "members": 1, "table": 1, "slots": "settled", "records": false,
		  "error": "lb: tx for 3 packets, expected 8192"}]}
	JSON
	cat >"$work/both/pairs.json" <<-JSON
		{"rounds": 3, "packets": 1, "cpu": 0, "pairs": [
		 {"name": "control-1", "ns": {"a_wrapper": [30, 30, 30], "a": [60, 60.9, 60.9],
		  "b_wrapper": [30, 30, 30], "b": [60, 60, 60]}},
		 {"name": "floor-1", "ns": {"a_wrapper": [30, 40, 30], "a": [100, 110, 100],
		  "b_wrapper": [30, 40, 30], "b": [60, 70, 60]}},
		 {"name": "flows-1m", "ns": {"a_wrapper": [30, 30, 30], "a": [150, 150, 150],
		  "b_wrapper": [30, 40, 30], "b": [100, 110, 100]}},
		 {"name": "lru-1m", "ns": {"a_wrapper": [30, 30, 30], "a": [630, 750, 630],
		  "b_wrapper": [30, 30, 30], "b": [150, 150, 150]}},
		 {"name": "tcp6-1", "ns": {"a_wrapper": [20, 20, 20], "a": [84, 85, 86],
		  "b_wrapper": [30, 30, 30], "b": [85, 85, 85]}},
		 {"name": "pool-1000", "ns": {"a_wrapper": [30, 31, 32], "a": [70, 71, 72],
		  "b_wrapper": [30, 30, 30], "b": [60, 60, 60]}},
		 {"name": "syn-1m", "error": "lb: tx for 3 packets, expected 8192"}]}
	JSON
	rm -f "$work/both/live.json"
	python3 -B tests/bench/report.py join "$work/both" >"$work/given.json"
}

# Of 15 values the fourth on either side; of five the ends.
interval() {
	(cd tests/bench && python3 -B -c '
from ratios import interval
assert interval([*range(15, 0, -1)]) == (4, 12), interval([*range(15, 0, -1)])
assert interval([3, 1, 2, 5, 4]) == (1, 5)
assert interval([7]) == (7, 7)')
}

target_is() {
	jq -e --arg target "$1" ".targets[] | select(.target == \$target) | $2" "$work/given.json" ||
		{ jq .targets "$work/given.json" && return 1; }
}

# insns OLD NEW: the balancer took so many instructions, and takes so many now, besides 500.
insns() {
	local count
	for count; do
		printf '{"6.1": {"release": "6.1.0", "drop": 500, "lb": %s}}' "$((500 + count))" >"$work/insns$count"
	done
	python3 -B tests/bench/insns.py compare "$work/insns$1" "$work/insns$2"
}

insns_worse() {
	! insns "$@"
}

wrong_case() {
	! "$O/tests/bench/packets" --case nonsense 2>"$work/said" && grep -q 'no such case' "$work/said"
}

wrong_usage() {
	timeout 20 "$@" >/dev/null 2>&1
	[ $? = 2 ]
}

check "every packet of every case meets with the verdict it should" packets
check "no case is left out" every_case
check "nor is any of a pair" pairs
check "no pair is left out" every_pair
check "the sides of a pair are told apart" sides_apart
check "on the way through veths no packet is lost or misjudged" live
check "no lane is left out" every_lane
check "results become a report" report
check "every target is judged" targets_judged
check "results become a page with plots" page
check "samples become figures" given
check "ratios are net of the wrapper" target_is "TCP4 established, settled, 1 flow / floor" \
	'.met and (.value * 1000 | round) == 2333'
check "a ratio beyond its bound is missed" target_is "the same, 1,048,576 flows / 1 flow" \
	'(.met | not) and (.value * 1000 | round) == 1714'
check "ratios are the median of rounds" target_is "LRU design / balancer, 1,048,576 flows" '.met and .value == 5'
check "a bound within the spread of the rounds is close" target_is "TCP6 (IPv6 in IPv6) / TCP4, 1 flow" \
	'.met and .close and .interval == [1.164, 1.2]'
check "others are not" target_is "TCP4 established, settled, 1 flow / floor" '.close == false'
check "what many VIPs of a pool cost is judged" target_is "1,000 VIPs of one pool / one VIP, 1,048,576 flows" \
	'.met == false and .value == 1.333 and .limit == 1.3'
check "an interval holds the median with 95 %" interval
check "a machine on which the same program differs from itself is noisy" jq -e \
	'.noise.noisy and .noise.controls[0].value == 1.03' "$work/given.json"
check "a byte too much misses the target" target_is "all maps of the default configuration" '.met == false'
check "what was not measured is not judged" target_is "not a VIP, net" '.met == null'
check "a case that went wrong has no figures" jq -e '.rows.packets[1] | .error and (has("lb") | not)' "$work/given.json"
check "and is not judged" target_is "TCP SYN / established, 1,048,576 flows" '.met == null'
check "2 % more instructions pass" insns 1000 1020
check "2.1 % more do not" insns_worse 1000 1021
check "a case that is not there is said to be so" wrong_case
check "an unknown option is wrong usage" wrong_usage "$O/tests/bench/packets" --nonsense
check "so it is for the whole" wrong_usage tests/bench/bench.sh "$O" --nonsense
finish
