#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which share of live connections breaks when a backend or a balancer comes or goes, beside IPVS? What "make
# test-broken" runs, as root.
#
#	broken.sh BUILD [off | judge]
#
# Rounds of broken_guest.sh on Debian's newest 6.12, in VMs that count instructions as time, so that no answer is late
# for what else this machine does. One round for each number of changes; ROUNDS="1 3" are some of them. The table is in
# BUILD/broken.md. Kernels are kept in $VM_CACHE (BUILD/vm unless set). With "off" nothing has second_chance, and the
# checks must fail; with "judge" no round is run, and what was reported before is looked at.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
build=$(realpath "${1:?BUILD is missing}")
how=${2:-}
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

read -ra rounds <<<"${ROUNDS:-1 2 3 4 5 6}"
reports=()
declare -A BROKEN=() ALIVE=()

round() { # ROUND
	local logs=$build/vm/log/broken-$1
	reports+=("$logs/report")
	[ "$how" = judge ] || tests/vm/run.sh -i -t 3600 "$kernel" "$logs" tests/tier/broken_guest.sh "$build" "$1" "$how"
}

add_up() {
	local event kind broken alive
	while read -r event kind broken alive; do
		BROKEN[$event-$kind]=$broken
		ALIVE[$event-$kind]=$alive
	done < <(awk -f tests/tier/broken.awk "${reports[@]}")
	awk -v table=1 -f tests/tier/broken.awk "${reports[@]}" >"$build/broken.md"
}

none_breaks() { # EVENT
	echo "${BROKEN[$1-second]} of ${ALIVE[$1-second]}"
	[ "${BROKEN[$1-second]}" = 0 ] && [ "${ALIVE[$1-second]}" -gt 0 ]
}

# KIND OTHER. Which connections break depends on their ports: by more than three standard deviations is more.
no_more_than() {
	local one=${BROKEN[all-$1]} other=${BROKEN[all-$2]}
	echo "$1: $one, $2: $other"
	[ "$other" -gt 0 ] && { [ "$one" -le "$other" ] || [ $(((one - other) ** 2)) -le $((9 * (one + other))) ]; }
}

kernel=$(tests/vm/kernel.sh 6.12 "$(realpath -m "${VM_CACHE:-$build/vm}")") || exit
for number in "${rounds[@]}"; do
	step "round $number" round "$number" || tail -n 30 "$build/vm/log/broken-$number/output"
done
add_up
check "a node is lost: with second_chance no connection breaks" none_breaks lost
check "the router's hash changes: with second_chance no connection breaks" none_breaks hash
check "a node begins anew, and is given all documents: with second_chance no connection breaks" none_breaks told
check "the owner before has died: with second_chance no connection of the new one breaks" none_breaks died
check "nor with any other event, but where a node has no documents from before" none_breaks all
check "without it some do" test "${BROKEN[all-off]}" -gt 0
check "beside backends with ipip devices no more break than with these alone" no_more_than mixed_ipip ipip
check "beside backends with the kernel's GUE no more break than with these alone" no_more_than mixed_gue gue
cat "$build/broken.md"
finish
