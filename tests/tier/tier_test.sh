#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do all nodes of a tier end with the revision published last, none with a part of one, and does none ever go back? Many
# revisions by two publishers, while nodes of etcd are killed, cut off and joined again, and lbd and lbd-tier are killed.
#
#   REVISIONS=N     how many attempts to publish (1000)     SEED=N     repeats what is broken, and when
#   FAULT=back, FAULT=part    a node is made to go back, or to have a part, so that the check of it must fail
#   O=BUILD         where lbd, lbctl and lbd-tier are (build)
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/tier.sh
. tests/lib/tier.sh

REVISIONS=${REVISIONS:-1000}
RANDOM=${SEED:=$$}
EVERY=15   # attempts between two faults
BROKEN=()  # what is broken now, to be mended in this order
FAULTS=0

# Every weight is the same number, so that a part of a document would be seen.
document() {
	jq -n --argjson weight "$1" '{vips: [range(3) | {address: "192.0.2.\(. + 1):80/tcp", table_size: 251,
		backends: [range(3) | {address: "10.9.0.\(. + 100)", $weight}]}]}'
}

# publisher FIRST NODE: attempts FIRST, FIRST + 2, … What was published goes to a file: REVISION WEIGHT
publisher() {
	local k answer
	for ((k = $1; k <= REVISIONS; k += 2)); do
		echo "$k" >"$TIER_DIR/attempt$1"
		answer=$(document "$k" | tier_tier "$2" publish - --at-once --force --json 2>&1)
		if [ "$(jq -r .published <<<"$answer" 2>/dev/null)" = true ]; then
			echo "$(jq .revision <<<"$answer") $k" >>"$TIER_DIR/published"
		elif [ "$(jq -r .error.code <<<"$answer" 2>/dev/null)" = 8 ]; then
			echo "$k" >>"$TIER_DIR/refused"
		else
			echo "$k: ${answer//$'\n'/ }" >>"$TIER_DIR/failed"
		fi
	done
}

# What each lbd has in force, again and again: NODE REVISION WEIGHTS
observer() {
	local n
	while :; do
		for n in 1 2 3; do
			tier_lbctl "$n" config export 2>/dev/null |
				jq -r --arg n "$n" '"\($n) \(.revision // 0) \([.vips[].backends[].weight] | unique | map(tostring) | join(","))"'
		done
		read -rt 0.05 <> <(:)
	done >"$TIER_DIR/seen"
}

# --- faults: one at a time of etcd, so that two of three are there ---

mend() {
	local kind=${BROKEN[0]%%[0-9]} n=${BROKEN[0]: -1}
	case $kind in
	etcd) tier_etcd "$n" ;;
	lbd) tier_lbd "$n" ;;
	follow) tier_follow "$n" ;;
	*) tier_join "${BROKEN[0]}" ;;
	esac
	BROKEN=("${BROKEN[@]:1}")
}

break_one() {
	local kinds=(etcd e n lbd follow) kind n=$((RANDOM % 3 + 1))
	kind=${kinds[RANDOM % 5]}
	case $kind in
	etcd | lbd | follow) tier_end "$kind$n" KILL ;;
	*) tier_cut "$kind$n" ;;
	esac
	BROKEN+=("$kind$n")
	FAULTS=$((FAULTS + 1))
	echo "$(attempts): $kind$n" >>"$TIER_DIR/faults"
}

attempts() {
	local a b
	a=$(cat "$TIER_DIR/attempt1") b=$(cat "$TIER_DIR/attempt2")
	echo $((a > b ? a : b))
}

reached() {
	[ "$(attempts)" -ge "$1" ] || ended
}

ended() {
	! kill -0 "$FIRST" 2>/dev/null && ! kill -0 "$SECOND" 2>/dev/null
}

# By an operator of that node: without its number, and with one weight of another document.
put_fault_in() {
	local edit='del(.digest)'
	case ${FAULT:-} in
	back) edit+=' | del(.revision)' ;;
	part) edit+=' | .vips[0].backends[0].weight = 9999' ;;
	*) return ;;
	esac
	tier_lbctl 2 config export | jq "$edit" | tier_lbctl 2 config apply - --local --force >>"$TIER_DIR/fault.log" 2>&1
}

storm() {
	local next=$EVERY
	while ! ended; do
		wait_for 120 reached "$next" || :
		[ ${#BROKEN[@]} = 0 ] || mend
		ended || break_one
		put_fault_in
		next=$((next + EVERY))
	done
	while [ ${#BROKEN[@]} -gt 0 ]; do
		mend
	done
}

# --- what came of it ---

last_revision() {
	tier_tier 1 show --json | jq .release.revision
}

numbers_are_unique() {
	[ "$(cut -d' ' -f1 "$TIER_DIR/published" | sort | uniq -d)" = "" ]
}

none_went_back() {
	awk '$2 + 0 < last[$1] + 0 { print "node", $1, "had", last[$1], "and then", $2; bad = 1 } { last[$1] = $2 } END { exit bad }' "$TIER_DIR/seen"
}

none_was_partly_there() {
	awk '$3 ~ /,/ { print; bad = 1 } END { exit bad }' "$TIER_DIR/seen"
}

# Those of which the publisher knows.
each_was_what_was_published() {
	awk 'NR == FNR { of[$1] = $2; next } ($2 in of) && of[$2] != $3 { print; bad = 1 } END { exit bad }' "$TIER_DIR/published" "$TIER_DIR/seen"
}

# A third of a second passes between two looks of a node, so it skips some.
nodes_had_many() {
	[ "$(awk '{ print $1, $2 }' "$TIER_DIR/seen" | sort -u | wc -l)" -gt "$((REVISIONS / 20))" ]
}

if [ "$(id -u)" != 0 ] || ! type etcd etcdctl >/dev/null 2>&1; then
	skip "a tier while etcd and lbd break" "root, etcd-server and etcd-client"
	finish
fi
step "three nodes of etcd and three balancers are there" tier_up || finish
for n in 1 2 3; do
	tier_follow "$n"
done
check "the balancers follow the tier" wait_for 20 tier_all_at 0
echo 0 | tee "$TIER_DIR/attempt1" "$TIER_DIR/attempt2" >/dev/null
touch "$TIER_DIR"/{published,refused,failed,faults,seen}
observer &
OBSERVER=$!
at_exit kill "$OBSERVER"
publisher 1 1 &
FIRST=$!
publisher 2 2 &
SECOND=$!
at_exit kill "$FIRST" "$SECOND"
step "two publishers come to their end" storm
wait "$FIRST" "$SECOND"
LAST=$(last_revision)
step "every node ends with the last revision, alike" wait_for 90 tier_all_at "$LAST"
kill "$OBSERVER"
wait "$OBSERVER" 2>/dev/null
check "no number was given twice" numbers_are_unique
check "no node went back" none_went_back
check "no node had a part of a document" none_was_partly_there
check "each node had what was published under that number" each_was_what_was_published
check "nodes had many of them" nodes_had_many
echo "$REVISIONS attempts (SEED=$SEED): $(wc -l <"$TIER_DIR/published") published, $(wc -l <"$TIER_DIR/refused") refused as another was" \
	"first, $(wc -l <"$TIER_DIR/failed") without an answer; $FAULTS faults; last revision $LAST; $(wc -l <"$TIER_DIR/seen") looks"
[ "$FAILED" = 0 ] || tail -n 5 "$TIER_DIR"/{failed,faults,*.log}
finish
