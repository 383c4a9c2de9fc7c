#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do a VIP's encapsulation, hash and way with fragments reach the data plane, change live, and survive restarts and
# crashes? A real lbd in a network namespace of its own; what stands in the maps is read from their pins.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd forward "how packets of a VIP travel, in a running lbd"
# --- the lbd ---

# restart SIGNAL PROMISE. Not through check, which runs in a subshell: LBD_PID would be lost.
restart() {
	stop_lbd "$1"
	start_lbd
	check "$2" test $? = 0
}

set_up() {
	make_node "$DIR/state" 64k || return
	cat >"$DIR/lbd.json" <<-END
		{"interfaces": ["e0"], "state_dir": "$DIR/state", "pin_dir": "$PINS", "answer_rate": 17,
		 "control": {"path": "$DIR/lbd.sock"},
		 "limits": {"vips": 8, "members": 64, "slots": 4096, "flows": 64}}
	END
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit stop_lbd
	start_lbd
}

# refused WORDS: lbctl's last error has them
refused() {
	! lb "${@:2}" >"$DIR/out" 2>&1 && grep -qF -- "$1" "$DIR/out"
}

# --- the maps: flags of bpf/abi.h ---

SOURCE=1 SOURCE_PORT=2 BY_3TUPLE=4 DROP=8 ADDRESS_ONLY=$((1 << 31)) FRAGMENTS_ONLY=$((1 << 30))
GUE=32

# entries: "PORT/PROTOCOL FLAGS" of every IPv4 entry, sorted
entries() {
	bpftool -j map dump pinned "$PINS/vips4" | /usr/bin/python3 -c '
import json, sys
for entry in json.load(sys.stdin):
    key = [int(byte, 16) for byte in entry["key"]]
    value = [int(byte, 16) for byte in entry["value"]]
    print("%d:%d/%d %d" % (key[3], key[4] << 8 | key[5], key[6], int.from_bytes(value[12:16], "little")))
' | sort
}

entries_are() {
	[ "$(entries)" = "$(printf '%s\n' "$@" | sort)" ] || {
		entries
		return 1
	}
}

# gue_members: how many members in use have the flag
gue_members() {
	bpftool -j map dump pinned "$PINS/members" | GUE=$GUE /usr/bin/python3 -c '
import json, os, sys
flags = [int(entry["value"][0], 16) for entry in json.load(sys.stdin)]
print(sum(1 for value in flags if value & 1 and value & int(os.environ["GUE"])))'
}

gue_members_are() {
	[ "$(gue_members)" = "$1" ] || {
		gue_members
		return 1
	}
}

add() {
	lb vip add "$@" --table-size 251 >"$DIR/out" 2>&1 || {
		cat "$DIR/out"
		return 1
	}
}

# --- tests ---

test_flags() {
	check "a VIP that says nothing has no flags" add 192.0.2.10:80/tcp --name web
	check "its entries" entries_are "10:0/0 $ADDRESS_ONLY" "10:80/6 0"
	check "a backend is added" lb backend add web 10.0.0.2
	check "and travels in IP" gue_members_are 0
	check "GUE is taken live" lb vip set web --encap gue
	check "by its members" gue_members_are 1
	check "also by those that come later" lb backend add web 10.0.0.3
	check "both travel in GUE" gue_members_are 2
	check "no slot moved" test "$(lb --json vip show web | jq -c '[.slots.moving, .encap]')" = '[0,"gue"]'
	check "fragments can be dropped live" lb vip set web --fragments drop
	check "which the entry says" entries_are "10:0/0 $ADDRESS_ONLY" "10:80/6 $DROP"
	check "another hash is refused" refused "is 5-tuple and cannot be changed after creation" vip set web --hash source
	check "and so in a document" refused "is 5-tuple and cannot be changed after creation" config apply - <<<"$(lb config export |
		jq '.vips[0].hash = "source"')"
	check "SCTP has VIPs, and hashes of their own" add 192.0.2.10:3868/sctp --name diameter --hash source-port
	check "as long a transition as TCP" test "$(lb --json vip show diameter | jq .transition_s)" = 900
	check "and they have flags" entries_are "10:0/0 $ADDRESS_ONLY" "10:80/6 $DROP" "10:3868/132 $SOURCE_PORT"
	check "and leave" lb vip del diameter
	check "and hash by source" add 192.0.2.11:443/udp --name quic --hash source
	check "with that flag" entries_are "10:0/0 $ADDRESS_ONLY" "10:80/6 $DROP" "11:0/0 $ADDRESS_ONLY" "11:443/17 $SOURCE"
	check "and leave with their address" lb vip del quic
	check_equal "vip list says what is unusual" 1 "$(lb vip list | grep -c 'encap gue *fragments drop')"
}

test_fragments() {
	local first="10:0/0 $ADDRESS_ONLY"
	local web="10:80/6 $DROP"
	check "fragments by 3-tuple" add 192.0.2.10:53/udp --name dns --fragments 3-tuple
	check "have an entry of their own" entries_are "$first" "$web" "10:53/17 $BY_3TUPLE" \
		"10:0/17 $((BY_3TUPLE | FRAGMENTS_ONLY))"
	check "another VIP of the address may track them" add 192.0.2.10:123/udp --name ntp
	check "but not have them by 3-tuple" refused "VIP ntp cannot have fragments by 3-tuple beside VIP dns" \
		vip set ntp --fragments 3-tuple
	check "nor can there be one for every port" refused "beside VIP 192.0.2.10:0/udp" \
		vip add 192.0.2.10:0/udp --table-size 251
	check "the first gives them up" lb vip set dns --fragments track
	check "and its entry goes" entries_are "$first" "$web" "10:53/17 0" "10:123/17 0"
	check "the other takes them" lb vip set ntp --fragments 3-tuple
	check "and has the entry" entries_are "$first" "$web" "10:53/17 0" "10:123/17 $BY_3TUPLE" \
		"10:0/17 $((BY_3TUPLE | FRAGMENTS_ONLY))"
	check "both at once, in one document" swap
	check "the entry changes hands" entries_are "$first" "$web" "10:53/17 $BY_3TUPLE" "10:123/17 0" \
		"10:0/17 $((BY_3TUPLE | FRAGMENTS_ONLY))"
	check "and leads to its slots" same_slots 53
	check "a VIP for every port takes its place" every_port
	check "and has but its own entry" entries_are "$first" "10:0/17 $BY_3TUPLE"
	check "and back" lb config apply "$DIR/swapped.json" --ignore-digest
	check "the entry of fragments is there again" entries_are "$first" "$web" "10:53/17 $BY_3TUPLE" "10:123/17 0" \
		"10:0/17 $((BY_3TUPLE | FRAGMENTS_ONLY))"
	check "a change that cannot be saved" not_saved
	check "leaves all as it was" entries_are "$first" "$web" "10:53/17 $BY_3TUPLE" "10:123/17 0" \
		"10:0/17 $((BY_3TUPLE | FRAGMENTS_ONLY))"
}

swap() {
	lb config export | jq '(.vips[] | select(.name == "dns")).fragments = "3-tuple" |
		(.vips[] | select(.name == "ntp")).fragments = "track"' >"$DIR/swapped.json"
	lb config apply "$DIR/swapped.json"
}

every_port() {
	lb config apply - <<<'{"vips": [{"address": "192.0.2.10:0/udp", "table_size": 251, "fragments": "3-tuple"}]}'
}

# The slots that the entry of fragments leads to are those of the VIP at port $1.
same_slots() {
	bpftool -j map dump pinned "$PINS/vips4" | jq -e --arg port "$1" 'map(select(.key[6] == "0x11")) |
		map({port: (.key[4:6] | join("")), slots: .value[0:12]}) |
		(map(select(.port == "0x000x00"))[0].slots) as $fragments |
		map(select(.port != "0x000x00" and .slots == $fragments)) | length == 1'
}

# The disk is full.
not_saved() {
	head -c 1M /dev/zero >"$DIR/state/full" 2>"$DIR/full"
	! every_port
	local status=$?
	rm "$DIR/state/full"
	return "$status"
}

test_restarts() {
	local before
	before=$(entries)
	restart TERM "restarted, lbd comes back"
	check "with the same entries" entries_are "$before"
	check "and the members in GUE" gue_members_are 2
	restart KILL "killed, it comes back"
	check "with the same entries again" entries_are "$before"
	check "killed half-way: the flags of a VIP are of the change" set_flags 53 0
	check "and those of another one, which has none" set_flags 123 "$DROP"
	check "an entry of fragments that no VIP explains" stale
	restart KILL "it comes back from that"
	check "with what the document says" entries_are "$before"
	other_hash
	check "a document that hashes otherwise" test $? = 0
	check "is what holds after the start" test "$(lb --json vip show ntp | jq -r .hash)" = source
	check "in the maps too" grep -qx "10:123/17 $SOURCE" <(entries)
}

# set_flags PORT FLAGS: as a change that was cut off would leave them at a VIP of UDP
set_flags() {
	local key value
	key="c0 00 02 0a 00 $(printf %02x "$1") 11 00"
	# shellcheck disable=SC2086 # bytes
	value=$(bpftool -j map lookup pinned "$PINS/vips4" key hex $key | jq -r '.value[0:12] | map(.[2:]) | join(" ")')
	# shellcheck disable=SC2086 # bytes
	bpftool map update pinned "$PINS/vips4" key hex $key value hex $value "$(printf %02x "$2")" 00 00 00
}

# Fragments of TCP of the address, and of an address that no VIP has; and that address.
stale() {
	local value="00 00 00 00 00 00 00 00 fb 00 00 00 04 00 00 40"
	# shellcheck disable=SC2086 # bytes
	bpftool map update pinned "$PINS/vips4" key hex c0 00 02 0a 00 00 06 00 value hex $value &&
		bpftool map update pinned "$PINS/vips4" key hex c0 00 02 63 00 00 06 00 value hex $value &&
		bpftool map update pinned "$PINS/vips4" key hex c0 00 02 63 00 00 00 00 value hex \
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 80
}

other_hash() {
	stop_lbd
	edit_state '(.document.vips[] | select(.name == "ntp")).hash = "source"'
	start_lbd
}

# There is a row of them for each CPU.
counted_vips() {
	local cpus
	cpus=$(($(sed 's/.*-//' /sys/devices/system/cpu/possible) + 1))
	bpftool -j map show pinned "$PINS/vip_counters" | jq "[.max_entries / $cpus, 1] | max"
}

# vip_counters VALUE
vip_counters() {
	jq --argjson value "$1" '.vip_counters = $value' "$DIR/lbd.json" >"$DIR/lbd.json.new" &&
		mv "$DIR/lbd.json.new" "$DIR/lbd.json"
}

test_counters() {
	check "VIPs have counters, and as many numbers as two for each" test "$(counted_vips)" = 16
	vip_counters false
	restart TERM "without counters by VIP lbd takes the same data plane over"
	check "their map is gone" test "$(counted_vips)" = 1
	check "and stats has the sums of members" test "$(lb --json stats ntp | jq '.vips[0].packets')" = 0
	rm "$PINS/vip_counters" # as a start leaves it that is cut off while it makes the map again
	vip_counters true
	restart TERM "with them it takes it over again"
	check "and the map is there" test "$(counted_vips)" = 16
	restart KILL "and so it does when they are as they were"
}

if ! set_up; then
	check "lbd starts" false
	finish
fi
test_flags
test_fragments
test_restarts
test_counters
finish
