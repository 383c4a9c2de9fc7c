#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does nothing happen but warnings while etcd is gone for long?
#
#   GONE=N      for how many seconds (600)     O=BUILD     where lbd, lbctl and lbd-tier are (build)
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/tier.sh
. tests/lib/tier.sh

GONE=${GONE:-600}

document() {
	jq -n '{vips: [{address: "192.0.2.1:80/tcp", table_size: 4093, backends: [range(6) | {address: "10.9.0.\(. + 101)"}]}]}'
}

# What is in force on node N, where its packets go, and the files that say so.
state() {
	tier_lbctl "$1" config export
	tier_lbctl "$1" --json vip list | jq -c '[.vips[] | {digest, slots}]'
	stat -c '%n %Y %s' "$TIER_DIR/state$1"/*
}

# Every few seconds, and at the end.
keeps() {
	local until=$((SECONDS + GONE))
	while :; do
		tier_each state >"$TIER_DIR/now"
		diff "$TIER_DIR/before" "$TIER_DIR/now" || return
		[ "$SECONDS" -lt "$until" ] || return 0
		LOOKS=$((LOOKS + 1))
		read -rt 5 <> <(:)
	done
}
LOOKS=0

# lines NODE: what its lbd-tier and its lbd have said since
lines() {
	tail -n "+$((${SAID[$1]} + 1))" "$TIER_DIR/follow$1.log"
	tail -n "+$((${LOGGED[$1]} + 1))" "$TIER_DIR/lbd$1.log"
}

note_lines() {
	SAID[$1]=$(wc -l <"$TIER_DIR/follow$1.log")
	LOGGED[$1]=$(wc -l <"$TIER_DIR/lbd$1.log")
}

# That etcd does not answer, once, and again after each 10 minutes.
only_warnings() {
	lines "$1"
	[ "$(lines "$1" | grep -vcE '^lbd-tier: etcd does not answer at .*; what is in force stays so$')" = 0 ] &&
		[ "$(lines "$1" | wc -l)" -ge 1 ] && [ "$(lines "$1" | wc -l)" -le "$((2 + GONE / 600))" ]
}

all_resolved() {
	tier_lbctl "$1" --json status | jq -e '.next_hops | length == 6 and all(.[]; .state == "resolved")'
}

answers() {
	grep -qF "lbd-tier: etcd answers again, after " "$TIER_DIR/follow$1.log"
}

if [ "$(id -u)" != 0 ] || ! type etcd etcdctl >/dev/null 2>&1; then
	skip "a tier without etcd" "root, etcd-server and etcd-client"
	finish
fi
step "three nodes of etcd and three balancers are there" tier_up || finish
tier_backends 101 102 103 104 105 106
declare -A SAID=() LOGGED=()
tier_each tier_follow
check "the nodes follow the tier" wait_for 20 tier_all_at 0
document >"$TIER_DIR/document.json"
check "a document is published" tier_tier 1 publish "$TIER_DIR/document.json"
check "and everywhere" wait_for 20 tier_all_at 1
check "with all next hops" wait_for 20 tier_each all_resolved
tier_each state >"$TIER_DIR/before"
tier_each note_lines
for n in 1 2 3; do
	tier_end "etcd$n" KILL
done
step "for $GONE s nothing changes" keeps
check "and nothing is said but that etcd does not answer" tier_each only_warnings
tier_each tier_etcd
check "nodes find etcd again" wait_for 60 tier_each answers
check "all are alike" wait_for 30 tier_all_at 1
check "and take what is published" tier_tier 2 publish "$TIER_DIR/document.json"
check "all of them" wait_for 20 tier_all_at 2
echo "$LOOKS looks in $GONE s"
finish
