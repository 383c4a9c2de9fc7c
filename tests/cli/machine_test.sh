#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What does lbd do to the machine around it, and see of it? Neighbour entries that it asks for and leaves, warnings while it
# runs, other lbds, and the room for tables.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd machine "lbd and the machine around it"
PEER=$ID-peer

# --- the lbd: 10.0.0.2 and 10.0.0.3 answer, 10.0.0.4 and so on do not ---

detach() {
	nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json" --detach
}

nodes() {
	local node
	ip netns add "$ID" && at_exit ip netns del "$ID" || return
	ip netns add "$PEER" && at_exit ip netns del "$PEER" || return
	for node in "$ID" "$PEER"; do # nothing speaks of its own accord
		nsenter --net="/run/netns/$node" bash -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
			echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
		ip -n "$node" link set lo up
	done
	ip -n "$ID" link add e0 mtu 1600 type veth peer name p0 mtu 1600 netns "$PEER" || return
	ip -n "$ID" link add f0 mtu 1600 type veth peer name q0 mtu 1600 netns "$PEER" || return
	ip -n "$PEER" address add 10.0.0.2/24 dev p0
	ip -n "$PEER" address add 10.0.0.3/24 dev p0
	ip -n "$PEER" link set p0 up
	ip -n "$PEER" link set q0 up
	ip -n "$ID" link set f0 up
	ip -n "$ID" link set e0 up
	ip -n "$ID" address add 10.0.0.1/24 dev e0
}

# config NAME FILTER: lbd.json, edited
config() {
	jq -n --arg dir "$DIR" --arg pins "$PINS" '
		{interfaces: ["e0"], state_dir: ($dir + "/state"), pin_dir: $pins,
		 control: {path: ($dir + "/lbd.sock"), group: ""},
		 limits: {vips: 64, members: 1024, slots: 1200, flows: 64}} | '"${2:-.}" >"$DIR/$1.json"
}

set_up() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	nodes || return
	config lbd
	at_exit detach
	at_exit stop_lbd
	start_lbd && document 2 3 | lb config apply -
}

# document NUMBER…: one VIP with the backends 10.0.0.NUMBER
document() {
	jq -n --args '{vips: [{name: "web", address: "192.0.2.10:443/tcp", table_size: 251, transition_s: 1,
		backends: ($ARGS.positional | map({address: ("10.0.0." + .)}))}]}' "$@"
}

# --- neighbours ---

# neighbours FILTER: the addresses of the entries that it picks
neighbours() {
	ip -n "$ID" -json neigh show dev e0 | jq -r "[.[] | select($1).dst] | sort | join(\" \")"
}

# What `ip` shows of entries that lbd has the kernel manage.
ours() {
	ip -n "$ID" neigh show dev e0 | awk '/proto 76/ { print $1 }' | sort | xargs
}

ours_are() {
	[ "$(ours)" = "$1" ] || ! ip -n "$ID" neigh show
}

frames_heard() {
	ip -n "$PEER" -json -stats link show dev p0 | jq '.[0].stats64.rx.packets'
}

heard_more() {
	[ "$(frames_heard)" -gt "$1" ]
}

test_only_looking() {
	local before
	check "the kernel manages the neighbours of backends" wait_for 5 ours_are "10.0.0.2 10.0.0.3"
	wait_for 5 all_reachable
	before=$(frames_heard)
	check "a document with new backends is checked" \
		exits 0 lb config check - < <(document 2 3 4 5)
	check "one is applied for a dry run" exits 0 lb config apply - --dry-run < <(document 6 7)
	check "so is a single backend" exits 0 lb backend add web 10.0.0.8 --dry-run
	check "one that moves too much is refused" exits 1 lb config apply - --max-moved 1% < <(document 2 3 9)
	check "none of them has made a neighbour entry" test "$(neighbours true)" = "10.0.0.2 10.0.0.3"
	check "and no frame was sent" test "$(frames_heard)" = "$before"
	check "the same backend is added indeed" exits 0 lb backend add web 10.0.0.4
	check "then its neighbour is asked for" wait_for 5 heard_more "$before"
	check "and has an entry" ours_are "10.0.0.2 10.0.0.3 10.0.0.4"
}

all_reachable() {
	[ "$(neighbours '.state | index("REACHABLE") or index("STALE")')" = "10.0.0.2 10.0.0.3" ]
}

test_left_neighbours() {
	stop_lbd KILL
	check "a killed lbd leaves its neighbour entries" ours_are "10.0.0.2 10.0.0.3 10.0.0.4"
	ip -n "$ID" neigh replace 10.0.0.20 dev e0 managed
	ip -n "$ID" neigh replace 10.0.0.21 dev e0 lladdr 02:00:00:00:00:21 nud permanent protocol 76
	edit_state '.document.vips[0].backends |= map(select(.address == "10.0.0.2"))'
	rm -r "$PINS" # or the next one would know of them by the members that it takes over
	start_lbd
	check "the next start, with fewer backends," test $? = 0
	check "releases those that no backend uses" wait_for 5 ours_are "10.0.0.2 10.0.0.21"
	check "one that is known stays as an ordinary entry" test "$(neighbours '.dst == "10.0.0.3"')" = 10.0.0.3
	check "the others are gone" test "$(neighbours '.dst == "10.0.0.4"')" = ""
	check "another program's stays managed" \
		grep -q '10.0.0.20 .*managed' <(ip -n "$ID" neigh show dev e0)
	check "an operator's permanent one stays so" \
		grep -q '10.0.0.21 .*PERMANENT' <(ip -n "$ID" neigh show dev e0)
	ip -n "$ID" neigh del 10.0.0.21 dev e0
	stop_lbd KILL
	check "--detach releases them all" detach
	check "there is none then" ours_are ""
	check "but another program's" grep -q '10.0.0.20 .*managed' <(ip -n "$ID" neigh show dev e0)
	ip -n "$ID" neigh del 10.0.0.20 dev e0
	start_lbd
	check "lbd starts after that" test $? = 0
	stop_lbd
	check "one that is stopped leaves none" ours_are ""
	start_lbd
}

# --- warnings ---

warnings() {
	lb --json status | jq -e "$1" || { lb --json status | jq .warnings; false; }
}

test_warnings() {
	check "a machine as it should be has no warning" warnings '.warnings == []'
	ip -n "$ID" link set e0 mtu 1500
	check "an MTU that has become too small is warned of" wait_for 8 warnings \
		'any(.warnings[]; startswith("e0 has an MTU of 1500"))'
	ip -n "$ID" link set e0 mtu 1600
	check "raised again, it is not" wait_for 8 warnings '.warnings == []'
	ip -n "$PEER" link set p0 down
	check "a carrier that was lost is warned of" wait_for 8 warnings \
		'any(.warnings[]; startswith("e0 has no carrier"))'
	ip -n "$PEER" link set p0 up
	check "back again, it is not" wait_for 8 warnings '.warnings == []'
	mv "$DIR/state" "$DIR/away"
	check "a state folder that is gone is warned of" wait_for 8 warnings \
		'any(.warnings[]; startswith("cannot write in '"$DIR"'/state: No such file or directory"))'
	mv "$DIR/away" "$DIR/state"
	check "back again, it is not, either" wait_for 8 warnings '.warnings == []'
}

# --- other lbds ---

# refused NAME WORDS: a second lbd of that configuration
refused() {
	run_lbd "$1" >"$DIR/out" 2>&1 &
	wait $!
	[ $? = 1 ] && grep -qF "$2" "$DIR/log"
}

# Two pin folders that lbd must not use: of another user, and open to everybody.
test_pins_of_others() {
	mkdir "$PINS-3" && chown nobody "$PINS-3"
	config theirs '.interfaces = ["f0"] | .control.path += "3" | .state_dir += "3" | .pin_dir += "-3"'
	check "a pin_dir of another user is refused" refused theirs "user $(id -u nobody) owns $PINS-3"
	chown root "$PINS-3" && chmod 777 "$PINS-3"
	check "so is one that others may write to" refused theirs "or others may write to it"
	rmdir "$PINS-3"
}

detach_at() {
	nsenter --net="/run/netns/$ID" "$LBD" --detach --pin-dir "$1"
}

# What a slip of the keyboard must not cost.
test_detach_elsewhere() {
	mkdir -p "$DIR/plain" "$DIR/bpf" && touch "$DIR/plain/file"
	check "--detach of a folder on a disk is refused" exits 1 detach_at "$DIR/plain"
	check "with the reason" grep -q "$DIR/plain is not on a BPF file system" "$DIR/out"
	check "and what to do" grep -q "hint: name a folder of lbd's own, such as /sys/fs/bpf/lbd" "$DIR/out"
	check "and its files stay" test -e "$DIR/plain/file"
	check "a file system of its own, where other programs pin," mount -t bpf -o mode=700 bpf "$DIR/bpf"
	at_exit umount "$DIR/bpf"
	bpftool map create "$DIR/bpf/theirs" type array key 4 value 4 entries 1 name theirs
	check "is no folder for --detach" exits 1 detach_at "$DIR/bpf"
	check "which is said" grep -q "$DIR/bpf is the root of a BPF file system, where other programs pin too" "$DIR/out"
	check "and their pins stay" test -e "$DIR/bpf/theirs"
	config root '.interfaces = ["f0"] | .control.path += "3" | .state_dir += "3" | .pin_dir = "'"$DIR/bpf"'"'
	check "nor one for lbd's own pins" refused root "$DIR/bpf is the root of a BPF file system"
}

test_detach_with_others() {
	bpftool map create "$PINS/theirs" type array key 4 value 4 entries 1 name theirs
	check "--detach says that it cannot remove a folder with pins of others" exits 1 detach
	check "why" grep -q "cannot remove $PINS: Directory not empty" "$DIR/out"
	check_equal "leaves those, and none of its own" theirs "$(ls "$PINS")"
	check_equal "and does the rest all the same" "" "$(ours)"
	rm "$PINS/theirs"
}

test_other_lbds() {
	local before
	before=$(lb config export)
	config socket '.interfaces = ["f0"] | .state_dir += "2" | .pin_dir += "-2"'
	config state '.interfaces = ["f0"] | .control.path += "2" | .pin_dir += "-2"'
	config pins '.interfaces = ["f0"] | .control.path += "2" | .state_dir += "2"'
	config interface '.control.path += "2" | .state_dir += "2" | .pin_dir += "-2"'
	check "a second lbd at the same socket is refused" refused socket "another lbd answers at $DIR/lbd.sock"
	check "so is one with the same state folder" refused state "another lbd keeps its state in $DIR/state"
	check "so is one with the same data plane" refused pins "another lbd has its data plane at $PINS"
	check "so is one at the same interface" refused interface "e0 already has an XDP program"
	check "so is --detach while lbd runs" exits 1 detach
	check "with what to do" grep -q "hint: stop it first" "$DIR/out"
	check "the lbd that was there goes on as it was" test "$(lb config export)" = "$before"
	check "with its data plane" test -e "$PINS/slots"
	check "and its neighbours" wait_for 5 ours_are "10.0.0.2"
	check "and no other pins are left" test ! -e "$PINS-2"
	rm -rf "$DIR/state2"
}

# --- room for tables: 1,200 slots ---

# tables SIZE…: so many VIPs of these sizes, each of its own address
tables() {
	jq -n --argjson first "$1" --args '{vips: ($ARGS.positional | to_entries | map({
		address: "192.0.2.\($first + .key):80/tcp", table_size: (.value | tonumber),
		backends: [{address: "10.0.0.2"}]}))}' "${@:2}"
}

test_room() {
	tables 1 | lb config apply - --force >"$DIR/out" # the backends are older than this data plane
	tables 1 251 251 251 251 | lb config apply - >"$DIR/out"
	check "VIPs that replace others want room beside them" exits 1 lb config apply - < <(tables 101 251 251 251 251)
	check "where there is none, that is said" \
		grep -qx 'lbctl: no contiguous space for a table of 251 slots: 196 are free, 196 of them in one piece (at .*' "$DIR/out"
	check "with what to do, and how much would do" grep -qx '  hint: new tables are made before old ones are removed: first remove VIPs (vip del, or a document without the new ones), then add; or set limits.slots to 2008 or more and start lbd once with --reset-flows' "$DIR/out"
	check "nothing has changed" test "$(lb config export | jq -c '[.vips[].address]')" = \
		'["192.0.2.1:80/tcp","192.0.2.2:80/tcp","192.0.2.3:80/tcp","192.0.2.4:80/tcp"]'
	tables 1 | lb config apply - >"$DIR/out"
	check "in two steps it is possible" exits 0 lb config apply - < <(tables 101 251 251 251 251)
	lb vip del 192.0.2.101:80/tcp >"$DIR/out"
	lb vip del 192.0.2.103:80/tcp >"$DIR/out"
	check "room that is not in one piece is made so" exits 0 lb vip add 192.0.2.7:80/tcp --table-size 509
	tables 1 | lb config apply - >"$DIR/out"
	tables 101 443 251 443 | lb config apply - >"$DIR/out"
	lb vip del 192.0.2.102:80/tcp >"$DIR/out"
	check "unless nothing fits where tables in the way would have to go" exits 1 lb vip add 192.0.2.7:80/tcp --table-size 293
	check "which is said" grep -qF "a table of 293 slots: 314 are free, 251 of them in one piece" "$DIR/out"
	check "with how much would do" grep -qF "remove VIPs first, or set limits.slots to 1493 or more" "$DIR/out"
	check "a small one is made" exits 0 lb vip add 192.0.2.8:80/tcp --table-size 251
	check "a limit that is too low is said" exits 1 lb vip add 192.0.2.7:80/tcp --table-size 251
	check "with what to do, too" grep -qF "raise limits.slots in lbd.json and start lbd once with --reset-flows, which forgets" "$DIR/out"
	stop_lbd
	config lbd '.limits.slots = 2008'
	check "raised, the start asks for that word" exits 1 nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json"
	check "and names it" grep -qF -e "--reset-flows" "$DIR/out"
	check "and the setting that has changed" grep -qF "has another limits.slots than lbd.json" "$DIR/out"
	nsenter --net="/run/netns/$ID" env --ignore-signal=CHLD "$LBD" --config "$DIR/lbd.json" --reset-flows 2>>"$DIR/log" &
	LBD_PID=$!
	check "with it, it starts" wait_for 20 lb version
	check "and ignores the end of no child, though it was started so" \
		test $((0x$(awk '/^SigIgn/ { print $2 }' "/proc/$LBD_PID/status") & 0x10000)) = 0
	check "and there is room" exits 0 lb vip add 192.0.2.7:80/tcp --table-size 251
}

# --- what other lbds have left ---

# abi_put NUMBER: the stamp of the pinned data plane says that it is of this ABI.
abi_put() {
	local rest
	rest=$(bpftool -j map lookup pinned "$PINS/abi" key 0 0 0 0 | jq -r '.value[4:] | map(.[2:]) | join(" ")')
	# shellcheck disable=SC2086 # bytes
	bpftool map update pinned "$PINS/abi" key 0 0 0 0 value hex "$(printf %02x "$1")" 00 00 00 $rest
}

attached() {
	bpftool -j link show pinned "$(echo "$PINS"/link_*)" | jq .prog_id
}

test_other_abi() {
	local before
	check "--check-pinned says that a start would adopt the data plane, though lbd runs" exits 0 check_pinned
	stop_lbd
	check "and when it does not" exits 0 check_pinned
	test_check_pinned_state
	before=$(attached)
	check "a data plane of an older ABI" abi_put 1
	check "is refused" exits 1 timeout 60 nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json"
	check "by its number" grep -qx "lbd: the data plane pinned at $PINS has ABI 1, this lbd has [0-9]*" "$DIR/out"
	check "with what to do" grep -q "^  hint: go back to the lbd that made it, or start this one once with --reset-flows (\"systemctl start lbd-reset-flows\"): " "$DIR/out"
	check "--check-pinned refuses it in the same words" exits 1 check_pinned
	check "with the number" grep -qx "lbd: the data plane pinned at $PINS has ABI 1, this lbd has [0-9]*" "$DIR/out"
	check "and goes on as it was" test "$(attached)" = "$before"
	nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json" --reset-flows 2>>"$DIR/log" &
	LBD_PID=$!
	check "with --reset-flows lbd starts" wait_for 20 lb version
	check "and puts its own in the place" test "$(attached)" != "$before"
	stop_lbd KILL
	start_lbd
	check "which the next lbd takes over" test $? = 0
	echo '{' >"$DIR/broken.json"
	check "--detach --pin-dir refuses while lbd runs" exits 1 detach_by_folder
	stop_lbd
	check "after that it needs no lbd.json" exits 0 detach_by_folder
	check "and leaves no pins" test ! -e "$PINS"
	check "nothing pinned is nothing that could not be adopted" exits 0 check_pinned
	check "--pin-dir without --detach is wrong usage" exits 2 "$LBD" --config "$DIR/lbd.json" --pin-dir "$PINS"
	start_lbd
}

# What a start would refuse of its state, before the lbd that runs is stopped for it.
test_check_pinned_state() {
	local state=$DIR/state good
	good=$(cat "$state/service.json")
	touch "$state/service.json.new" # a save may be under way
	check "--check-pinned reads service.json" exits 0 check_pinned
	echo "${good:0:100}" >"$state/service.json"
	check "refuses one that is damaged" exits 1 check_pinned
	check "by its name" grep -q "^lbd: cannot read $state/service.json: line " "$DIR/out"
	check_equal "leaves it" "${good:0:100}" "$(cat "$state/service.json")"
	check "and what is beside it" test -e "$state/service.json.new"
	echo "$good" >"$state/service.json"
	rm "$state/service.json.new"
}

refused_start() {
	exits 1 timeout 60 nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json"
}

test_lost_seed() {
	local file=$DIR/state/hash_seed seed
	seed=$(cat "$file")
	mv "$DIR/state" "$DIR/moved"
	lb vip add 192.0.2.77:80/tcp --table-size 251 >"$DIR/out" 2>&1
	check "a change writes the seed, too, where the folder was taken away" test "$(cat "$file")" = "$seed"
	stop_lbd
	echo "${seed:0:20}" >"$file"
	check "a damaged seed is refused" refused_start
	check "with a way on" grep -q "^  hint: it was left as it is: restore it, or remove it; then lbd takes the seed of the pinned" "$DIR/out"
	rm "$file"
	check "--check-pinned adopts a data plane whose seed is lost on disk" exits 0 check_pinned
	check "and writes none" test ! -e "$file"
	start_lbd
	check "a start takes the seed of the pinned data plane" test "$(cat "$file")" = "$seed"
	check "and says so" grep -qF "$file was missing: it was written again, from the pinned data plane" "$DIR/log"
	stop_lbd
	tr 0-9a-f 1-9a-f0 <<<"$seed" >"$file"
	check "another seed than the pinned one is refused" refused_start
	check "by its file" grep -qxF "lbd: the data plane pinned at $PINS has another hash_seed than the one in $DIR/state" "$DIR/out"
	check "with what it would cost" grep -q "with another seed the flow hash changes, so nearly all established connections break" "$DIR/out"
	rm "$file" "$PINS/hash_seed"
	check "one that nothing tells is refused, too" refused_start
	check "by its name" grep -qxF "lbd: $file is missing" "$DIR/out"
	check "with two ways on" grep -q "^  hint: put a copy of it back; or start lbd once with --reset-flows" "$DIR/out"
	check "and no other is made" test ! -e "$file"
	check "--check-pinned refuses it likewise" exits 1 check_pinned
	echo "$seed" >"$file"
	start_lbd
	check "put back, it is taken, and noted beside the pins" test "$(readlink "$PINS/hash_seed")" = "$seed"
	lb vip del 192.0.2.77:80/tcp >"$DIR/out" 2>&1
}

check_pinned() {
	nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json" --check-pinned
}

detach_by_folder() {
	nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/broken.json" --detach --pin-dir "$PINS"
}

filters() {
	nsenter --net="/run/netns/$ID" tc filter show dev e0 egress | grep -c handle
}

# Killed after a change was written and before all of it was done: the document wants no filters any more.
test_left_filters() {
	check "a tunnel check" exits 0 lb vip set 192.0.2.8:80/tcp --health tcp --health-source tunnel
	check_equal "has a filter at the interface" 1 "$(filters)"
	stop_lbd KILL
	edit_state 'del(.document.vips[].health)'
	start_lbd
	check "an lbd that has none any more" test $? = 0
	check_equal "takes the filter away" 0 "$(filters)"
}

NOTE=$DIR/note
set_up >"$NOTE" 2>&1
check "lbd starts" test $? = 0 || { cat "$NOTE"; finish; }
test_only_looking
test_left_neighbours
test_warnings
test_other_lbds
test_pins_of_others
test_detach_elsewhere
test_room
test_left_filters
test_other_abi
test_lost_seed
stop_lbd KILL
test_detach_with_others
check "--detach takes the data plane away" detach
check "and no pin remains" test ! -e "$PINS"
finish
