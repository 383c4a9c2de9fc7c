#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the benchmark measure what it says? One short round of every case, each of which checks the
# verdicts of its packets; and what follows from given samples. No time is judged. Needs root and a
# build.
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
	timeout 120 "$O/tests/bench/packets" "${quick[@]}" >"$work/packets.json"
}

every_case() {
	jq -r '.cases[] | select(.ns) | .name' "$work/packets.json" | diff - <("$O/tests/bench/packets" --list)
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
	cp "$work/packets.json" "$work/live.json" "$work/both" &&
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
		grep -q '</svg>' "$work/docs/benchmark-flows.svg" && grep -q '</svg>' "$work/docs/benchmark-live.svg"
}

# One flow: 100 ns and 30 of wrapper against 60 and 30; a million: 150 and 30.
given() {
	cat >"$work/both/packets.json" <<-JSON
		{"rounds": 3, "packets": 1, "cpu": 0, "default_memory_bytes": 33554433, "cases": [
		 {"name": "tcp4-1", "flows": 1, "vips": 1, "members": 1, "table": 1, "slots": "settled", "records": false,
		  "lru_capacity": 1, "ns": {"wrapper": [30, 40, 30], "floor": [60, 70, 60], "floor_again": [63, 70, 60],
		  "lb": [100, 110, 100], "lru": [200, 210, 200]}},
		 {"name": "tcp4-1m", "flows": 1, "vips": 1, "members": 1, "table": 1, "slots": "settled", "records": false,
		  "lru_capacity": 1, "ns": {"wrapper": [30, 30, 30], "floor": [60, 60, 60], "floor_again": [60, 60, 60],
		  "lb": [150, 150, 150], "lru": [630, 750, 630]}},
		 {"name": "syn4-1m", "flows": 1, "vips": 1, "members": 1, "table": 1, "slots": "settled", "records": false,
		  "lru_capacity": 1, "error": "lb: tx for 3 packets, expected 8192"}]}
	JSON
	rm -f "$work/both/live.json"
	python3 -B tests/bench/report.py join "$work/both" >"$work/given.json"
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
check "a byte too much misses the target" target_is "all maps of the default configuration" '.met == false'
check "what was not measured is not judged" target_is "not a VIP, net" '.met == null'
check "a case that went wrong has no figures" jq -e '.rows.packets[2] | .error and (has("lb") | not)' "$work/given.json"
check "and is not judged" target_is "TCP SYN / established, 1,048,576 flows" '.met == null'
check "2 % more instructions pass" insns 1000 1020
check "2.1 % more do not" insns_worse 1000 1021
check "a case that is not there is said to be so" wrong_case
check "an unknown option is wrong usage" wrong_usage "$O/tests/bench/packets" --nonsense
check "so it is for the whole" wrong_usage tests/bench/bench.sh "$O" --nonsense
finish
