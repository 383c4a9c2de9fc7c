#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do changes cost what lbd says, and do two nodes with one document agree? Two real lbds without
# traffic, each in a network namespace of its own, with one hash seed.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

LBD=$(realpath "${LBD:-build/lbd/lbd}")
LBCTL=$(realpath "${LBCTL:-build/lbctl/lbctl}")
SEED=00112233445566778899aabbccddeeff
WEB=192.0.2.10:443/tcp
BACKENDS=10
ID=lbdrain$$

if [ "$(id -u)" != 0 ]; then
	skip "drains, dry runs and digests of running lbds" "root"
	finish
fi
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"

# --- two nodes ---

# Takes the place of the subshell it must be called in, so that $! is lbd's.
run_lbd() {
	exec nsenter --net="/run/netns/$ID-$1" "$LBD" --config "$DIR/$1.json" 2>"$DIR/$1.log"
}

end() {
	kill "$1"
	wait "$1"
}

# Not through check: that takes a subshell, at whose end everything would be taken down again.
node_up() {
	local node=$1
	ip netns add "$ID-$node" || return
	at_exit ip netns del "$ID-$node"
	ip -n "$ID-$node" link set lo up
	ip -n "$ID-$node" link add e0 mtu 1600 type veth peer name p0 mtu 1600
	ip -n "$ID-$node" link set e0 up
	ip -n "$ID-$node" link set p0 up
	ip -n "$ID-$node" address add 10.0.0.1/24 dev e0
	cat >"$DIR/$node.json" <<-END
		{"interfaces": ["e0"], "control": {"path": "$DIR/$node.sock", "group": ""},
		 "state_dir": "$DIR/$node", "pin_dir": "/sys/fs/bpf/$ID-$node", "hash_seed": "$SEED"}
	END
	run_lbd "$node" &
	at_exit "$LBD" --config "$DIR/$node.json" --detach
	at_exit end $!
}

# on NODE WORDS…: lbctl there; a WORDS…: on the first.
on() {
	"$LBCTL" --socket "$DIR/$1.sock" "${@:2}"
}

a() {
	on a "$@"
}

# exits CODE command args…: what the command printed goes to $DIR/out.
exits() {
	local expected=$1 status
	shift
	"$@" >"$DIR/out" 2>&1
	status=$?
	[ "$status" = "$expected" ] || {
		echo "exit $status"
		cat "$DIR/out"
		return 1
	}
}

# backend_is NODE ADDRESS FILTER, a filter of jq that must be true for the BACKEND-STATE
backend_is() {
	on "$1" --json backend list web |
		jq -e --arg address "$2" ".vips[0].backends[] | select(.address == \$address) | $3"
}

# Everything that a change could change, but not what time does: deadlines, states of slots.
situation() {
	a config export
	a --json vip list | jq -c '.vips[] | [.name, .digest, (.backends[] | [.address, .share.slots])]'
}

# A document with BACKENDS backends, each of weight 10.
document() {
	jq -n --argjson count "$BACKENDS" --arg address "$WEB" '{vips: [{
		name: "web", address: $address, transition_s: 1,
		backends: [range(2; 2 + $count) | {address: "10.0.0.\(.)", weight: 10}]}]}'
}

mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
for NODE in a b; do
	node_up $NODE
	check "node $NODE comes up" wait_for 20 on $NODE version || {
		cat "$DIR/$NODE.log"
		finish
	}
done
document >"$DIR/service.json"

# --- draining ---

test_drain() {
	local before
	a config apply "$DIR/service.json" >"$DIR/out" || cat "$DIR/out"
	before=$(situation)

	check "a drain without traffic ends by itself" \
		exits 0 timeout 120 "$LBCTL" --socket "$DIR/a.sock" backend drain web 10.0.0.2 --wait 100s
	check_equal "and says drained at the end" "10.0.0.2: drained" "$(tail -n 1 "$DIR/out")"
	check "it says meanwhile what it waits for" \
		grep -qE '^10\.0\.0\.2: ([0-9,]+ slots still in transition \(up to 1s\)|its last flows are being counted)$' \
		"$DIR/out"
	check "and what the drain moved" \
		grep -qE '^vip web: moved (9|10)\.[0-9]+ % of slots \(ideal 10\.0 %\)$' "$DIR/out"
	check "a drained backend has no slots" backend_is a 10.0.0.2 \
		'.state == "drained" and .share.slots == 0 and .weight == 10'
	check "a drain is part of the document" \
		jq -e '.vips[0].backends[0].drain' <(a config export)
	check "to drain it again changes nothing, and need not wait" \
		exits 0 timeout 10 "$LBCTL" --socket "$DIR/a.sock" backend drain web 10.0.0.2 --wait 0
	check_equal "and says so" "nothing to change
10.0.0.2: drained" "$(cat "$DIR/out")"

	check "undrain is done" exits 0 a backend undrain web 10.0.0.2
	check_equal "undrain brings back the very same slots" "$before" "$(situation)"
	check "undrain: the backend is active" backend_is a 10.0.0.2 '.state == "active"'
}

# --- changes without traffic: this node may be a standby, and the VIP's flows may arrive any moment ---

moves() {
	a --json vip show "$1" | jq -e ".slots.moving $2 0"
}

# Longer than it takes lbd to release slots that need no transition.
keeps_moving() {
	local look
	for look in {1..20}; do
		moves "$1" '>' || { echo "look $look"; return 1; }
	done
}

stands_by() {
	jq '.vips[0] += {name: "stand", address: "192.0.2.40:443/tcp", transition_s: 600}' "$DIR/service.json" >"$DIR/stand.json" &&
		jq -s '{vips: (.[0].vips + .[1].vips)}' "$DIR/service.json" "$DIR/stand.json" | a config apply - &&
		a backend drain stand 10.0.0.3 && keeps_moving stand
}

set_up() {
	local backend
	a vip add 192.0.2.41:53/udp --name fresh || return
	for backend in 10.0.0.2 10.0.0.3 10.0.0.4; do
		a backend add fresh "$backend" || return
	done
	wait_for 10 moves fresh '==' || { a vip show fresh; return 1; }
}

test_without_traffic() {
	check "a drain on a node that no packet has reached runs its transition" stands_by
	check "a VIP that is set up backend by backend needs none" set_up
	check "the document of before comes back" exits 0 a config apply "$DIR/service.json"
}

settled() {
	a --json vip show web | jq -e '.slots.moving == 0 and .slots.tracked == 0'
}

test_wait_too_short() {
	check "once transitions are over all slots are settled" wait_for 20 settled
	check "a transition can be made longer" exits 0 a vip set web --transition 15m
	check_equal "vip show says how long" "  transition  15m, flow idle 15m" \
		"$(a vip show web | grep '^  transition')"
	check "a wait that is too short exits 4" exits 4 a backend drain web 10.0.0.3 --wait 1s
	check "and says what remains" grep -qE \
		'^10\.0\.0\.3: still draining after 1s: ([0-9,]+ slots still in transition \(up to 15m\)|its last flows are being counted)$' \
		"$DIR/out"
	check "the drain goes on" backend_is a 10.0.0.3 '.state == "draining"'
	check "an undrain during the transition takes back what the drain gave away" \
		exits 0 a backend undrain web 10.0.0.3
	check "and all slots are settled again" wait_for 20 settled
}

test_delete() {
	check "a backend is drained for deletion" \
		exits 0 timeout 120 "$LBCTL" --socket "$DIR/a.sock" backend drain web 10.0.0.4 --wait 100s
	check "a drained backend is deleted without --force" exits 0 a backend del web 10.0.0.4
	check_equal "which moves nothing" "vip web: changed, no slot moved" "$(cat "$DIR/out")"
}

# --- nobody is left ---

warned() { a status | grep -qx "warning: no backend of VIP lonely takes new flows: each is draining or has weight 0"; }
not_warned() { ! warned; }

test_nobody_left() {
	a vip add 192.0.2.99:1/tcp --name lonely >/dev/null
	a backend add lonely 10.0.0.2 >/dev/null
	a backend add lonely 10.0.0.3 >/dev/null
	a backend drain lonely 10.0.0.2 >/dev/null
	check "while one backend takes new flows there is no warning" not_warned
	a backend set lonely 10.0.0.3 --weight 0 >/dev/null
	check "when none does status warns" warned
	a vip del lonely >/dev/null
}

# --- what would be ---

dry() {
	local before=$1
	shift
	exits 0 a "$@" --dry-run || return
	grep -qE '^(vip .*would|nothing to change)' "$DIR/out" || {
		cat "$DIR/out"
		return 1
	}
	[ "$before" = "$(situation)" ]
}

test_dry_run() {
	local before
	before=$(situation)
	jq '.vips[0].backends |= .[3:]' "$DIR/service.json" >"$DIR/less.json"
	check "vip add --dry-run changes nothing" dry "$before" vip add 192.0.2.20:80/tcp
	check "vip set --dry-run changes nothing" dry "$before" vip set web --table maglev --transition 2m
	check "vip del --dry-run changes nothing" dry "$before" vip del web
	check "backend add --dry-run changes nothing" dry "$before" backend add web 10.0.0.99
	check "backend set --dry-run changes nothing" dry "$before" backend set web 10.0.0.5 --weight 3
	check "backend del --dry-run changes nothing" dry "$before" backend del web 10.0.0.5
	check "backend drain --dry-run changes nothing" dry "$before" backend drain web 10.0.0.5
	check "backend undrain --dry-run changes nothing" dry "$before" backend undrain web 10.0.0.5
	check "config apply --dry-run changes nothing" dry "$before" config apply "$DIR/less.json"
	check "config check changes nothing" test "$(a config check "$DIR/less.json" >/dev/null; situation)" = "$before"
}

# A dry run's answer is the change's, in the other mood.
test_dry_run_tells_the_truth() {
	local would
	would=$(a --json backend add web 10.0.0.99 --dry-run | jq 'del(.document_digest)')
	check_equal "what --dry-run says is what the change does" "$would" \
		"$(a --json backend add web 10.0.0.99 | jq 'del(.document_digest)')"
}

test_max_moved() {
	local before
	before=$(situation)
	check "--max-moved refuses what would move more" \
		exits 1 a backend del web 10.0.0.5 --force --max-moved 2%
	check "and says how much would move" grep -qE \
		'^lbctl: this would move 1[01]\.[0-9]+ % of the slots of VIP web' "$DIR/out"
	check_equal "and nothing has changed" "$before" "$(situation)"
	check "--max-moved refuses a document, too" \
		exits 1 a config apply "$DIR/less.json" --max-moved 0.5%
	check "--max-moved lets pass what moves less" \
		exits 0 a backend del web 10.0.0.5 --max-moved 15
}

# --- one document, one table ---

# Ways to come to the same service; each gets a node and the kind of table.
way_plain() {
	local node=$1 kind=$2 number
	on "$node" vip add "$WEB" --name web --table "$kind"
	for number in 2 3 4 5 6; do
		on "$node" backend add web "10.0.0.$number" --weight "$number"
	done
	on "$node" backend drain web 10.0.0.6
}

way_backwards() {
	local node=$1 kind=$2 number
	on "$node" vip add "$WEB" --name web --table "$kind"
	for number in 6 4 2 5 3; do
		on "$node" backend add web "10.0.0.$number"
		on "$node" backend set web "10.0.0.$number" --weight "$number"
	done
	on "$node" backend drain web 10.0.0.6
}

# Adds, deletes, drains, weights and kinds of table that cancel out.
way_about() {
	local node=$1 kind=$2 number other=maglev
	[ "$kind" = rendezvous ] || other=rendezvous
	on "$node" vip add 192.0.2.9:80/tcp --name other
	on "$node" vip add "$WEB" --name first --table "$other"
	for number in 7 6 5 4 8; do
		on "$node" backend add first "10.0.0.$number" --weight "$number"
	done
	on "$node" backend drain first 10.0.0.6
	on "$node" backend drain first 10.0.0.5
	on "$node" backend add first 10.0.0.3 --weight 3
	on "$node" backend del first 10.0.0.7
	on "$node" vip set first --table "$kind" --name web
	on "$node" backend undrain web 10.0.0.5
	on "$node" backend add web 10.0.0.2 --weight 100
	on "$node" backend del web 10.0.0.4 --force
	on "$node" backend set web 10.0.0.2 --weight 2
	on "$node" backend add web 10.0.0.4 --weight 4
	on "$node" backend del web 10.0.0.8
	on "$node" vip del other
}

# Member numbers of other VIPs are in use, and the VIP was there before with other backends.
way_again() {
	local node=$1 kind=$2
	on "$node" vip add 192.0.2.8:80/tcp --name other --table-size 251
	on "$node" backend add other 10.0.0.4
	on "$node" backend add other 10.0.0.2
	way_plain "$node" "$kind"
	on "$node" vip del web
	on "$node" backend del other 10.0.0.4
	way_backwards "$node" "$kind"
	on "$node" vip del other
}

# The document and the digest that a way leads to on a node which was empty.
outcome() {
	local way=$1 node=$2 kind=$3
	echo '{"vips": []}' | on "$node" config apply - >/dev/null
	"$way" "$node" "$kind" >"$DIR/way" 2>&1 || {
		echo "$way on $node:"
		cat "$DIR/way"
	}
	on "$node" config export
	on "$node" --json vip show web | jq -r .digest
}

test_digests() {
	local kind=$1 expected way
	expected=$(outcome way_plain a "$kind")
	check "$kind: a digest is 16 hex digits" grep -qxE '[0-9a-f]{16}' <<<"$expected"
	for way in way_backwards way_about way_again; do
		check_equal "$kind: another node, $way: same document, same digest" "$expected" \
			"$(outcome $way b "$kind")"
	done
	check_equal "$kind: the same node, way_about: same digest" "$expected" \
		"$(outcome way_about a "$kind")"
	on a config export >"$DIR/a.document"
	echo '{"vips": []}' | on b config apply - >/dev/null
	on b config apply "$DIR/a.document" --ignore-digest >/dev/null
	check_equal "$kind: another node, the document at once: same digest" "${expected##*$'\n'}" \
		"$(on b --json vip show web | jq -r .digest)"
	on b backend set web 10.0.0.2 --weight 9 >/dev/null
	check "$kind: another document has another digest" \
		test "${expected##*$'\n'}" != "$(on b --json vip show web | jq -r .digest)"
}

# --- memory ---

test_memory() {
	local memory
	jq -n '{vips: [range(10) | {address: "192.0.2.\(. + 10):443/tcp",
		backends: [range(2; 12) | {address: "10.0.0.\(.)"}]}]}' >"$DIR/ten.json"
	check "10 VIPs are taken" exits 0 a config apply "$DIR/ten.json"
	memory=$(a --json status | jq .memory_bytes)
	check "with 10 VIPs all maps take less than 32 MiB ($memory bytes)" \
		test "$memory" -gt 8388608 -a "$memory" -lt 33554432
	check "status shows the flow table: 1,048,576 flows of 8 bytes" \
		grep -qx 'flow table  0 of 1,048,576 flows on record, 8 bytes each' <(a status)
}

test_drain
test_without_traffic
test_delete
test_nobody_left
test_dry_run
test_dry_run_tells_the_truth
test_max_moved
test_wait_too_short
test_digests rendezvous
test_digests maglev
test_memory
finish
