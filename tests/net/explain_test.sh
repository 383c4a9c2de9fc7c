#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbctl explain say where packets go, and leave no trace?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

start() {
	lab_up two-armed 3 && lab_serve 80 &&
		lab_start_lbd '{"control": {"read_only_path": "/tmp/lbd-explain-'$$'.sock"}, "hash_seed": "000102030405060708090a0b0c0d0e0f"}' &&
		lbctl vip add "$LAB_VIP4:80/tcp" --name web && lbctl vip add "[$LAB_VIP6]:80/tcp" --name web6 || return
	for i in 1 2 3; do
		lbctl backend add web "${LAB_BACKEND4[i]}" && lbctl backend add web6 "${LAB_BACKEND6[i]}" || return
	done
	lab_ready && wait_for 10 none_waits && wait_for 20 settled
}
none_waits() { lbctl --json backend list | jq -e 'all((.vips + .pools)[].backends[]; .state != "waiting")'; }
settled() { lbctl --json vip list | jq -e 'all(.vips[]; .slots.moving == 0 and .slots.tracked == 0)'; }

# explained WORDS… FILTER: of the answer
explained() {
	lbctl --json explain "${@:1:$#-1}" | jq -r "${@: -1}"
}

# node_of ADDRESS
node_of() {
	local i
	for i in 1 2 3; do
		[ "$1" != "${LAB_BACKEND4[i]}" ] && [ "$1" != "${LAB_BACKEND6[i]}" ] || echo "b$i"
	done
}

# Of connections from these ports, where explain says they go, and where they go.
# agrees CLIENT VIP HOST PORTS: ports begin with these digits, and are used once: curl cannot have one again soon
agrees() {
	local port said seen
	for port in "$4"{01..19}; do
		said=$(node_of "$(explained "$1:$port" "$2" .backend.address)")
		seen=$(lab_in client curl -s --max-time 10 --local-port "$port" "http://$3/")
		echo "$port: $said, $seen"
		[ -n "$said" ] && [ "$said" = "$seen" ] || return
	done | tee "$LAB_DIR/agreed"
	[ "$(wc -l <"$LAB_DIR/agreed")" = 19 ]
}

counters() {
	lbctl --json stats | jq -c '[.vips, (.verdicts[] | select(.name == "redirect"))]'
	lbctl --json status | jq -c '.flow_table'
}
no_trace() {
	local before after port
	before=$(counters)
	for port in 500{00..49}; do
		explained "$LAB_CLIENT4:$port" web .verdict.name && explained "$LAB_CLIENT4:$port" web --ack .verdict.name
	done | sort | uniq -c >"$LAB_DIR/verdicts"
	after=$(counters)
	cat "$LAB_DIR/verdicts"
	[ "$(<"$LAB_DIR/verdicts")" = "    100 redirect" ] && diff <(echo "$before") <(echo "$after")
}

# A slot that has left b1 for another: new connections follow, established ones stay.
moving() {
	local port
	for port in 410{00..60}; do
		[ "$(explained "$LAB_CLIENT4:$port" web .slot.state)" = moving ] || continue
		lbctl explain "$LAB_CLIENT4:$port" web --ack
		lbctl explain "$LAB_CLIENT4:$port" web --syn
		[ "$(explained "$LAB_CLIENT4:$port" web --ack .backend.address)" = "${LAB_BACKEND4[1]}" ] &&
			[ "$(explained "$LAB_CLIENT4:$port" web --ack .record.after.backend)" = "${LAB_BACKEND4[1]}" ] &&
			[ "$(explained "$LAB_CLIENT4:$port" web --syn .backend.address)" != "${LAB_BACKEND4[1]}" ] &&
			[ "$(explained "$LAB_CLIENT4:$port" web .slot.previous)" = "${LAB_BACKEND4[1]}" ]
		return
	done
	false
}

# The connection of that port has a record now, which explain finds.
recorded() {
	local port=42001 node
	node=$(lab_in client curl -s --max-time 10 --local-port "$port" "http://$LAB_VIP4/")
	lbctl explain "$LAB_CLIENT4:$port" web --ack
	[ "$(explained "$LAB_CLIENT4:$port" web .slot.state)" != settled ] || return 0
	[ "$(node_of "$(explained "$LAB_CLIENT4:$port" web --ack .record.before.backend)")" = "$node" ]
}

# says PATTERN WORDS…
says() {
	lbctl explain "${@:2}" >"$LAB_DIR/said"
	cat "$LAB_DIR/said"
	grep -qE "$1" "$LAB_DIR/said"
}
refuses() {
	local status
	lbctl explain "${@:2}" >"$LAB_DIR/said" 2>&1
	status=$?
	cat "$LAB_DIR/said"
	[ "$status" != 0 ] && grep -qF "$1" "$LAB_DIR/said"
}
refused_read_only() {
	"$LBCTL" --socket "/tmp/lbd-explain-$$.sock" explain "$LAB_CLIENT4" web >"$LAB_DIR/said" 2>&1
	cat "$LAB_DIR/said"
	grep -q 'read-only and does not take explain' "$LAB_DIR/said"
}

# A SYN from 198.51.100.2:40001 to port 80 of the VIP, and an ARP request.
SYN="020000000001020000000002080045000028000040004006 0000 c6336402c000020a9c410050 00000000000000005002000000000000"
ARP="ffffffffffff02000000000208060001080006040001020000000002c63364020000000000000a000001"
# capture ORDER: a capture file of both, the first one cut off after 54 bytes of 100
capture() {
	python3 - "$1" "$SYN" "$ARP" <<'END'
import struct, sys
order, frames = sys.argv[1], [bytes.fromhex(frame) for frame in sys.argv[2:]]
out = sys.stdout.buffer
out.write(struct.pack(order + "IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
for frame, length in zip(frames, (100, len(frames[1]))):
    out.write(struct.pack(order + "IIII", 0, 0, len(frame), length) + frame)
END
}
of_file() {
	capture "$1" >"$LAB_DIR/file.pcap"
	lbctl explain --pcap "$LAB_DIR/file.pcap"
	[ "$(lbctl --json explain --pcap - <"$LAB_DIR/file.pcap" | jq -c '[.frames[] | [.number, .verdict.name, .packet.length, .cut_off]]')" = \
		'[[1,"redirect",40,{"kept":54,"of":100}],[2,"pass_not_ip",null,null]]' ]
}
# A frame of which there are 10 bytes, and one that no IP packet is so long as, are named; those after them are explained.
# Then the file ends within a frame.
of_broken_file() {
	local status
	python3 - "$SYN" >"$LAB_DIR/broken.pcap" <<'END'
import struct, sys
syn = bytes.fromhex(sys.argv[1])
out = sys.stdout.buffer
out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
for frame, length in (syn[:10], 10), (bytes(100), 70000), (syn, 54), (syn[:20], 54):
    out.write(struct.pack("<IIII", 0, 0, len(frame) if frame != syn[:20] else 54, length) + frame)
END
	lbctl explain --pcap "$LAB_DIR/broken.pcap" >"$LAB_DIR/said"
	status=$?
	cat "$LAB_DIR/said"
	[ "$status" = 1 ] && grep -q '^not explained: a frame has 14 to 65557 bytes' "$LAB_DIR/said" &&
		grep -q '^not explained: it is longer than' "$LAB_DIR/said" && grep -q '^verdict  *redirect' "$LAB_DIR/said" &&
		grep -qx 'the capture file is damaged, or cut off, after frame 3' "$LAB_DIR/said" || return
	lbctl --json replay "$LAB_DIR/broken.pcap" >"$LAB_DIR/said"
	status=$?
	cat "$LAB_DIR/said"
	[ "$status" = 1 ] && jq -e '.packets == 3 and .too_short == 1 and .left_out == 1 and .flows == 1 and has("damaged")' "$LAB_DIR/said"
}
# An echo request, which is of no flow.
of_no_flow() {
	python3 tests/lib/capture_tool.py pcap '<' 1 \
		"02000000000102000000000208004500001c00004000400100 00c6336402c000020a0800f7ff00000000" >"$LAB_DIR/echo.pcap" &&
		lbctl --json replay "$LAB_DIR/echo.pcap" | jq -e '.flows == 0 and .packets == 1 and .verdicts[0].name == "tx_echo"'
}
same_as_described() {
	diff <(lbctl explain --hex "$SYN") <(lbctl explain "$LAB_CLIENT4:40001" web)
}
# SYNs of a client from 40 ports, in a capture file.
syns() {
	python3 - "$@" <<'END'
import socket, struct, sys
out, client, vip = sys.stdout.buffer, *map(socket.inet_aton, sys.argv[1:])
out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
for port in range(40400, 40440):
    packet = struct.pack(">BBHHHBBH4s4sHHIIBBHHH", 0x45, 0, 40, 0, 0, 64, 6, 0, client, vip, port, 80, 0, 0, 0x50, 2, 0, 0, 0)
    out.write(struct.pack("<IIII", 0, 0, 40, 40) + packet)
END
}
# owners FIELD: how many of these each backend has, by that field of their explanations
owners() {
	for port in {40400..40439}; do
		explained "$LAB_CLIENT4:$port" web "$1"
	done | sort | uniq -c | awk '{print $2, $1}'
}
# Replayed packets go where explain says, and are counted nowhere.
replays() {
	local before
	before=$(counters)
	syns "$LAB_CLIENT4" "$LAB_VIP4" >"$LAB_DIR/syns.pcap" && lbctl replay "$LAB_DIR/syns.pcap" || return
	lbctl --json replay "$LAB_DIR/syns.pcap" >"$LAB_DIR/replayed"
	diff <(echo "$before") <(counters) &&
		diff <(owners .backend.address) <(jq -r '.vips[0].backends[] | "\(.address) \(.packets)"' "$LAB_DIR/replayed" | sort) &&
		jq -e '.flows == 40 and .packets == 40 and .vips[0].name == "web" and .verdicts[0].name == "redirect"' "$LAB_DIR/replayed"
}
# Under another document they go where they do once it is applied.
replays_document() {
	lbctl config export | jq --arg a "${LAB_BACKEND4[3]}" 'del(.digest) | .vips |= map(.backends |= map(
		if .address == $a then .weight = 4 else . end))' >"$LAB_DIR/new.json" || return
	lbctl replay "$LAB_DIR/syns.pcap" --document "$LAB_DIR/new.json"
	lbctl --json replay "$LAB_DIR/syns.pcap" --document "$LAB_DIR/new.json" >"$LAB_DIR/replayed"
	lbctl config apply "$LAB_DIR/new.json" >/dev/null || return
	owners .slot.owner >"$LAB_DIR/owners"
	cat "$LAB_DIR/owners"
	jq -r '(.vips[0].backends | map({(.address): .packets}) | add) as $now |
		reduce .moves[] as $m ($now; .[$m.from.backend] -= $m.packets | .[$m.to.backend] += $m.packets) |
		to_entries[] | select(.value > 0) | "\(.key) \(.value)"' "$LAB_DIR/replayed" | sort | diff "$LAB_DIR/owners" - &&
		jq -e '.moves | length > 0' "$LAB_DIR/replayed"
}
short_turn() {
	lbctl --json status | jq -e '.longest_turn | .what != "explain" or .cpu_us < 20000'
}

# The simulation has the same tables, given the same seed and document, and runs the same program: of frames of every
# kind, for VIPs of every kind, it says what lbd says.
as_simulated() {
	local socket=$LAB_DIR/simulated.sock pid differ
	lbctl vip add "$LAB_VIP4:5000-5999/udp" --name range && lbctl vip add 192.0.2.128/25:0/udp --name net --fragments 3-tuple &&
		lbctl vip add "[$LAB_VIP6]:0/sctp" --name any --hash source --encap gue &&
		lbctl vip add "$LAB_VIP4:81/tcp" --name empty && lbctl backend add range "${LAB_BACKEND4[1]}" && lbctl backend add net "${LAB_BACKEND4[2]}" &&
		lbctl backend add any "${LAB_BACKEND6[3]}" && wait_for 10 none_waits && wait_for 20 settled || return
	lbctl config export >"$LAB_DIR/services.json"
	"$LBD" --simulate --config "$LAB_DIR/lbd.json" --services "$LAB_DIR/services.json" --socket "$socket" \
		2>"$LAB_DIR/simulated.log" &
	pid=$!
	wait_for 10 "$LBCTL" --socket "$socket" version || cat "$LAB_DIR/simulated.log"
	python3 tests/lib/strange_frames.py "${FRAMES_SEED:-1}" 3000 "$LAB_CLIENT4" "$LAB_CLIENT6" "$LAB_VIP4,80,6" "$LAB_VIP4,5100,17" "$LAB_VIP4,81,6" \
		192.0.2.200,53,17 "$LAB_VIP6,80,6" "$LAB_VIP6,2905,132" >"$LAB_DIR/strange.pcap"
	diff <(ways "$LAB_DIR/lbd.sock" | tee "$LAB_DIR/ways") <(ways "$socket")
	differ=$?
	kill "$pid"
	wait "$pid"
	jq -r .verdict "$LAB_DIR/ways" | sort | uniq -c
	lbctl vip del range && lbctl vip del net && lbctl vip del any && lbctl vip del empty
	[ "$differ" = 0 ] && [ "$(wc -l <"$LAB_DIR/ways")" = 3000 ] && [ "$(jq -r .verdict "$LAB_DIR/ways" | sort -u | wc -l)" -ge 13 ]
}
# What both can know: not the next hop's addresses, nor how packets leave.
ways() {
	"$LBCTL" --socket "$1" --json explain --pcap "$LAB_DIR/strange.pcap" --count 3000 2>/dev/null | jq -c '.frames[] | {packet, vip, slot, backend,
		mtu, encap: .outer.encap, destination: .outer.destination, verdict: (.verdict.name | sub("^redirect$"; "tx"))}'
}

step "the lab is there, lbd runs with three backends" start || finish
check "a simulation of the same document and seed explains 3,000 frames of every kind alike" as_simulated
check "new connections go where explain says" agrees "$LAB_CLIENT4" web "$LAB_VIP4" 400
check "over IPv6, too" agrees "[$LAB_CLIENT6]" web6 "[$LAB_VIP6]" 401
check "loading the program that explains takes no turn of the loop of 20 ms" short_turn
check "a hundred explanations are counted nowhere" no_trace
check "a packet of an address alone is an echo request" says '^verdict +tx_echo' "$LAB_CLIENT4" "$LAB_VIP4"
check "a packet for no VIP is passed" says '^verdict +pass_not_vip' "$LAB_CLIENT4" "$LAB_VIP4:82/tcp"
check "a packet that is too big once wrapped is told from one that fits" \
	says '^size +1620 bytes once wrapped \(20 more\), of 1600: too big' "$LAB_CLIENT4" web --len 1600
check "what becomes of it is said" says '^verdict +tx_too_big' "$LAB_CLIENT4" web --len 1600
check "the interface that it comes in by can be named" says '^verdict +redirect:' "$LAB_CLIENT4" web --iface l0
check "a frame in hex is explained like the packet that it is" same_as_described
check "frames of a capture file are, whichever byte order it has" of_file '<'
check "whichever byte order it has" of_file '>'
check "frames that cannot be explained are named, and others are explained" of_broken_file
check "an echo request is no flow" of_no_flow
check "packets of a file are replayed as explain has them" replays
check "and under another document as that has them once it is applied" replays_document
check "lbd refuses what it cannot explain: two families" refuses "different address families" "$LAB_CLIENT6" web
check "a length below the headers" refuses "length must be 40" "$LAB_CLIENT4" web --len 39
check "an interface without the program" refuses 'nothing that comes in by "nosuch"' "$LAB_CLIENT4" web --iface nosuch
check "hex that is none" refuses "byte 2 is none" --hex "02 0"
check "a file that is no capture" refuses "no capture file" --pcap /etc/hostname
refuses_simulation() {
	local status
	lbctl simulate fail "${LAB_BACKEND4[1]}" >"$LAB_DIR/said" 2>&1
	status=$?
	cat "$LAB_DIR/said"
	[ "$status" = 1 ] && grep -q 'this lbd balances, and does not simulate' "$LAB_DIR/said"
}
check "a balancer takes no simulated failure" refuses_simulation
check "the read-only socket does not explain" refused_read_only
lbctl backend drain web "${LAB_BACKEND4[1]}" >/dev/null
check "in a MOVING slot established connections stay, and new ones go to the new owner" moving
check "a connection on record is found there" recorded
lbctl vip add "$LAB_VIP4:81/tcp" --name far >/dev/null && lbctl backend add far 10.0.1.99 >/dev/null
check "a backend that cannot be reached is said to be" says '^next hop +unresolved' "$LAB_CLIENT4:40001" far
step "nothing remains" lab_down
finish
