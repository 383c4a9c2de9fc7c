#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do VIPs that are prefixes and have ranges of ports get their packets from lbctl to the program, and through a restart?
# Which VIP a packet is for, the program says itself, by lbctl explain.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd wide

ends() {
	stop_lbd TERM
	"$LBD" --config "$DIR/lbd.json" --detach
}

# is_for VIP DESTINATION [SOURCE]: VIP "none": no VIP has it
is_for() {
	local found
	found=$(lb --json explain "${3:-198.51.100.7}" "$2" | jq -r '.vip.name // "none"')
	echo "$2: $found"
	[ "$found" = "$1" ]
}

all_are_found() {
	is_for web 192.0.2.10:443/tcp && is_for range 192.0.2.10:5000/udp && is_for range 192.0.2.10:5999/udp &&
		is_for none 192.0.2.10:6000/udp && is_for net 192.0.2.11:443/tcp && is_for net 192.0.2.255:443/tcp &&
		is_for none 192.0.2.11:80/tcp && is_for wide 192.0.3.1:443/tcp &&
		is_for net6 '[2001:db8:0:ffff::1]:53/udp' 2001:db8:c::7 && is_for none '[2001:db8:1::1]:53/udp' 2001:db8:c::7
}

# refused TEXT ARGS…
refused() {
	local text=$1
	shift
	exits 1 lb "$@" && { grep -qF -- "$text" "$DIR/out" || { cat "$DIR/out"; return 1; }; }
}

add() {
	lb vip add 192.0.2.10:443/tcp --name web && lb vip add 192.0.2.10:5000-5999/udp --name range &&
		lb vip add 192.0.2.0/24:443/tcp --name net && lb vip add 192.0.0.0/16:443/tcp --name wide &&
		lb vip add 2001:db8::/48:0/udp --name net6
}

# A SYN from 198.51.100.7 to 192.0.2.11:443, in a capture file without link-layer headers.
syn() {
	python3 - <<'END'
import socket, struct, sys
client, vip = map(socket.inet_aton, ("198.51.100.7", "192.0.2.11"))
packet = struct.pack(">BBHHHBBH4s4sHHIIBBHHH", 0x45, 0, 40, 0, 0, 64, 6, 0, client, vip, 40001, 443, 0, 0, 0x50, 2, 0, 0, 0)
sys.stdout.buffer.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101) + struct.pack("<IIII", 0, 0, 40, 40) + packet)
END
}
# What a document without the prefix would move goes to the next shorter one.
replays_document() {
	syn >"$DIR/syn.pcap" && lb config export | jq 'del(.digest) | .vips |= map(select(.name != "net"))' >"$DIR/without.json" &&
		lb --json replay "$DIR/syn.pcap" --document "$DIR/without.json" >"$DIR/replayed"
	cat "$DIR/replayed"
	jq -e '[.moves[] | [.from.vip, .to.vip]] == [["net", "wide"]]' "$DIR/replayed"
}

# shown VIP ADDRESS
shown() {
	[ "$(lb --json vip show "$1" | jq -r .address)" = "$2" ]
}

restart() {
	stop_lbd KILL
	start_lbd
}

jq -n --arg dir "$DIR" --arg pins "$PINS" '{interfaces: ["e0"], state_dir: "\($dir)/state", pin_dir: $pins,
	control: {path: "\($dir)/lbd.sock"}}' >"$DIR/lbd.json"
step "a node is made" make_node "$DIR/state" 8m || finish
at_exit ends
: >"$DIR/log"
step "lbd starts" start_lbd || finish
check "prefixes and ranges are added" add
check "each packet is for the most specific VIP" all_are_found
check "a VIP goes by its address in any spelling" shown '[2001:db8::]/48:0/udp' 2001:db8::/48:0/udp
check "a backend cannot have an address of a prefix" \
	refused 'backend 192.0.2.77 has an address of VIP net' backend add net 192.0.2.77
check "ranges that overlap are refused" refused 'neither range is within the other' \
	vip add 192.0.2.10:5500-6500/udp
check "fragments of a prefix with ports cannot go by 3-tuple" refused 'a prefix can only with every port' \
	vip add 198.51.100.0/24:53/udp --fragments 3-tuple
check "bits beyond the prefix are refused" refused 'did you mean 192.0.2.0/24?' vip add 192.0.2.1/24:80/tcp
check "explain wants one address" refused 'has many addresses' explain 198.51.100.7 net
check "a replay finds them in a proposed document" replays_document
step "lbd is killed and starts again" restart
check "what it takes over is found" all_are_found
check "a range goes" lb vip del range
check "its packets are for nobody" is_for none 192.0.2.10:5000/udp
check "a prefix goes" lb vip del net
check "its packets are for the shorter one" is_for wide 192.0.2.11:443/tcp
check "the document comes back as it went" lb config apply <(lb config export)
finish
