#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How many prefixes a second come onto a list, by its socket, each durable and met by packets before it is acknowledged;
# and how long does a whole load take?
#
#	lists.sh [--large]     --large: loads of 1,000,000 prefixes, too
#
# Needs root. From the environment: O, where the build is; LBD, LBCTL.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

longest() { lbctl --json status | jq -r '.longest_turn | "longest turn of the loop: \(.cpu_us / 1000) ms (\(.what))"'; }
# load FAMILY COUNT: all at once
load() {
	local file=$LAB_DIR/feed began
	python3 tests/bench/lists.py --print "$1" "$2" >"$file"
	began=$(date +%s%N)
	lbctl list load feed "$file" >/dev/null || return
	printf 'load of %d IPv%d prefixes: %d ms\n' "$2" "$1" $((($(date +%s%N) - began) / 1000000))
	longest
}

lab_up one-armed 1 && lab_start_lbd '{}' && lbctl vip add "$LAB_VIP4:80/tcp" --name web >/dev/null || exit
lbctl backend add web "${LAB_BACKEND4[1]}" >/dev/null && lab_ready || exit
python3 tests/bench/lists.py "$LAB_DIR/lbd.sock"
longest
load 4 100000
load 6 100000
[ "${1:-}" != --large ] && exit
lbctl list del bench >/dev/null
load 4 1000000
load 6 1000000
load 6 700000
python3 tests/bench/lists.py "$LAB_DIR/lbd.sock"
longest
