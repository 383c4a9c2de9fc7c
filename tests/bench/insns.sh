#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How many instructions does a packet take on other kernels, and is that more than it was? What
# "make bench-insns" runs, as root.
#
#	insns.sh BUILD [--record] [SERIES…]      6.1 and 6.12 unless given
#
# Each kernel runs in a VM that counts instructions as time, so that two runs agree to 0.5 % whatever
# the machine is doing. Results go to BUILD/bench/insns.json; --record keeps them as the baseline,
# tests/bench/insns.json. Fails when the balancer takes 2 % more than in the baseline of the same
# kernel release. Kernels are kept in $VM_CACHE (BUILD/vm unless set).
set -eu

build=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
record=
if [ "${1:-}" = --record ]; then
	record=yes
	shift
fi
[ $# -gt 0 ] || set -- 6.1 6.12
cache=$(realpath -m "${VM_CACHE:-$build/vm}")
vm=
work=$(mktemp -d)
# shellcheck disable=SC2317 # called by a trap
clean_up() {
	[ -z "$vm" ] || { kill "$vm" && wait "$vm"; } 2>/dev/null || :
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

measure() {
	local series=$1 kernel logs=$work/log status=0
	kernel=$(tests/vm/kernel.sh "$series" "$cache")
	echo "--- $(basename "$kernel")"
	tests/vm/run.sh -i -t 400 "$kernel" "$logs" tests/bench/insns_guest.sh "$build" > "$work/output" 2>&1 &
	vm=$!
	wait "$vm" || status=$?
	vm=
	if [ "$status" != 0 ]; then
		tail -n 30 "$work/output" >&2
		echo "insns.sh: the VM ended with $status" >&2
		exit 1
	fi
	mv "$logs/report" "$work/$series"
	echo "release $(basename "$kernel")" >> "$work/$series"
}

for series in "$@"; do
	measure "$series"
done
mkdir -p "$build/bench"
python3 -B tests/bench/insns.py gather "$work" "$@" > "$build/bench/insns.json"
if [ -n "$record" ]; then
	cp "$build/bench/insns.json" tests/bench/insns.json
fi
python3 -B tests/bench/insns.py compare tests/bench/insns.json "$build/bench/insns.json"
