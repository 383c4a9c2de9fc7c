#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbctl trace tell of the packets that come, and is the balancer back afterwards, however that ends?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

start() {
	lab_up two-armed 2 && lab_serve 80 &&
		lab_start_lbd '{"control": {"read_only_path": "/tmp/lbd-trace-'$$'.sock"}}' &&
		lbctl vip add "$LAB_VIP4:80/tcp" --name web && lbctl vip add "[$LAB_VIP6]:80/tcp" --name web6 &&
		lbctl vip add "$LAB_VIP4:81/tcp" --name empty || return
	for i in 1 2; do
		lbctl backend add web "${LAB_BACKEND4[i]}" && lbctl backend add web6 "${LAB_BACKEND6[i]}" || return
	done
	lab_ready && wait_for 10 none_waits
}
none_waits() { lbctl --json backend list | jq -e 'all(.vips[].backends[]; .state != "waiting")'; }

program() { lab_ip balancer -j -d link show l0 | jq .[0].xdp.prog.id; }
traces() { [ "$(program)" != "$BALANCER" ]; }
is_back() { [ "$(program)" = "$BALANCER" ]; }

# begin NAME WORDS…: a trace in the background, which is in place then; its output is in the lab's folder
begin() {
	"$LBCTL" --socket "$LAB_DIR/lbd.sock" --json trace "${@:2}" >"$LAB_DIR/$1" 2>"$LAB_DIR/$1.err" &
	TRACE=$!
	wait_for 10 traces && return
	cat "$LAB_DIR/$1.err"
	return 1
}
get() { lab_in client curl -s --max-time 5 --local-port "$1" "http://$2/"; }

# Every packet of some connections has its line, with the backend that it went to.
tells_all() {
	local port
	begin all --vip web --for 20s || return
	for port in 400{01..10}; do
		get "$port" "$LAB_VIP4" >/dev/null || return
	done
	get 40011 "[$LAB_VIP6]" >/dev/null
	wait_for 5 has_all
	kill "$TRACE"
	wait "$TRACE"
	echo "$(wc -l <"$LAB_DIR/all") lines of $(forwarded) packets"
	jq -c 'select(.verdict != "redirect")' "$LAB_DIR/all"
	has_all && jq -es 'all(.[]; .vip == "web" and .verdict == "redirect" and .interface == "l0")' "$LAB_DIR/all" &&
		wait_for 5 is_back
}
has_all() { [ "$(wc -l <"$LAB_DIR/all")" = "$(forwarded)" ]; }
forwarded() { lbctl --json stats web | jq '[.vips[].backends[].packets] | add'; }
agrees_with_counters() {
	local backend
	for backend in "${LAB_BACKEND4[1]}" "${LAB_BACKEND4[2]}"; do
		echo "$backend: $(jq -s --arg b "$backend" 'map(select(.backend == $b)) | length' "$LAB_DIR/all") lines"
		[ "$(jq -s --arg b "$backend" 'map(select(.backend == $b)) | length' "$LAB_DIR/all")" = \
			"$(lbctl --json stats web | jq --arg b "$backend" '.vips[].backends[] | select(.address == $b).packets')" ] || return
	done
}

# says PATTERN TARGET WORDS…: of a connection to TARGET
says() {
	local line
	begin said "${@:3}" --count 1 --for 20s || return
	get "4$((RANDOM % 1000 + 1000))" "$2" >/dev/null
	wait "$TRACE" || return
	line=$(jq -c 'select(.ended | not)' "$LAB_DIR/said")
	cat "$LAB_DIR/said"
	jq -e "$1" <<<"$line" && jq -es 'any(.[]; .ended == "count" and .packets == 1)' "$LAB_DIR/said"
}
in_words() {
	lbctl trace --vip web --count 1 --for 20s >"$LAB_DIR/words" 2>&1 &
	TRACE=$!
	wait_for 10 traces && get 43001 "$LAB_VIP4" >/dev/null
	wait "$TRACE"
	cat "$LAB_DIR/words"
	grep -qE "^[0-9:.]{15} l0 redirect $LAB_CLIENT4:43001 to $LAB_VIP4:80, tcp SYN, [0-9]+ bytes; VIP web, backend [0-9.]+, out of .+$" "$LAB_DIR/words" &&
		grep -qx '1 packet' "$LAB_DIR/words"
}

# What is written can be read by others: a frame that came in, and the same wrapped.
writes_pcapng() {
	"$LBCTL" --socket "$LAB_DIR/lbd.sock" trace --vip web --count 3 --for 20s --write "$LAB_DIR/trace.pcapng" 2>"$LAB_DIR/said" &
	TRACE=$!
	wait_for 10 traces && get 44001 "$LAB_VIP4" >/dev/null
	wait "$TRACE" || return
	python3 tests/lib/pcapng_tool.py "$LAB_DIR/trace.pcapng" >"$LAB_DIR/frames"
	cat "$LAB_DIR/said" "$LAB_DIR/frames"
	[ "$(grep -cE '^l0 in [0-9.]+ [0-9]+ verdict redirect \(forward\), VIP web, backend ' "$LAB_DIR/frames")" = 3 ] &&
		[ "$(grep -cE '^[a-z0-9]+ out [0-9.]+ [0-9]+ verdict redirect \(forward\), VIP web, backend ' "$LAB_DIR/frames")" = 3 ]
}
tcpdump_reads() {
	tcpdump -nr "$LAB_DIR/trace.pcapng" >"$LAB_DIR/dumped" 2>&1
	cat "$LAB_DIR/dumped"
	[ "$(grep -cE "IP $LAB_CLIENT4.44001 > $LAB_VIP4.80" "$LAB_DIR/dumped")" = 6 ] &&
		[ "$(grep -cE "> (${LAB_BACKEND4[1]}|${LAB_BACKEND4[2]}): IP $LAB_CLIENT4.44001" "$LAB_DIR/dumped")" = 3 ]
}

# Interface, VIP's side or backend's, comment.
tshark_reads() {
	tshark -nr "$LAB_DIR/trace.pcapng" -T fields -e frame.interface_name -e ip.dst -e frame.comment 2>"$LAB_DIR/dumped.err" >"$LAB_DIR/dumped"
	cat "$LAB_DIR/dumped" "$LAB_DIR/dumped.err"
	[ "$(grep -cP "^l0\t$LAB_VIP4\tverdict redirect \(forward\), VIP web, backend " "$LAB_DIR/dumped")" = 3 ] &&
		[ "$(grep -cP "^[a-z0-9]+\t(${LAB_BACKEND4[1]}|${LAB_BACKEND4[2]}),$LAB_VIP4\tverdict redirect \(forward\), VIP web, backend " "$LAB_DIR/dumped")" = 3 ]
}
# An echo request begins with the bytes 8 and 0, which would be port 2048.
icmp_has_no_ports() {
	begin ports --port 2048 --for 20s || return
	lab_in client ping -c 2 -i 0.2 "$LAB_VIP4" >/dev/null
	kill "$TRACE"
	wait "$TRACE"
	begin icmp --proto icmp --count 1 --for 20s || return
	lab_in client ping -c 2 -i 0.2 "$LAB_VIP4" >/dev/null
	wait "$TRACE"
	cat "$LAB_DIR/ports" "$LAB_DIR/icmp"
	jq -es 'all(.[]; .packet == null)' "$LAB_DIR/ports" && jq -es '.[0].packet | .icmp_type == 8 and .icmp_code == 0 and
		(has("source_port") or has("destination_port") | not)' "$LAB_DIR/icmp"
}

refuses() {
	local status
	lbctl trace "${@:2}" >"$LAB_DIR/said" 2>&1
	status=$?
	cat "$LAB_DIR/said"
	[ "$status" = 1 ] && grep -qF "$1" "$LAB_DIR/said"
}
refused_read_only() {
	"$LBCTL" --socket "/tmp/lbd-trace-$$.sock" trace >"$LAB_DIR/said" 2>&1
	cat "$LAB_DIR/said"
	grep -q 'read-only and does not take trace' "$LAB_DIR/said"
}
one_at_a_time() {
	begin one --for 20s && refuses "another client traces" --for 1s
	kill "$TRACE"
	wait "$TRACE"
	wait_for 5 is_back
}
ends_in_time() {
	begin short --for 1s && wait "$TRACE" && jq -es 'any(.[]; .ended == "time")' "$LAB_DIR/short" && is_back
}
client_killed() {
	begin killed --for 20s && kill -KILL "$TRACE"
	wait "$TRACE"
	wait_for 5 is_back && get 45001 "$LAB_VIP4"
}
# A client that does not read is sent no more, and lbd keeps no more for it.
unread() {
	lab_in client curl -s "http://$LAB_VIP4/" >/dev/null
	{
		echo '{"jsonrpc":"2.0","id":1,"method":"trace","params":{"snap":2048,"rate":5000,"seconds":3}}'
		sleep 20
	} | socat -u - "UNIX-CONNECT:$LAB_DIR/lbd.sock" &
	TRACE=$!
	wait_for 10 traces || return
	lab_in client timeout 10 ping -q -f -c 3000 -s 1000 "$LAB_VIP4" >/dev/null
	lbctl --json status | jq -c .longest_turn
	wait_for 10 is_back
	kill "$TRACE"
	lbctl --json status | jq -e '.longest_turn | .what != "trace" or .cpu_us < 20000'
}
# Without lbd packets go on; the next one puts the balancer in.
lbd_killed() {
	begin alone --for 60s
	lab_kill_lbd
	wait "$TRACE"
	get 46001 "$LAB_VIP4" && traces && lab_start_lbd && get 46002 "$LAB_VIP4" || return
	BALANCER=$(program)
	begin again --count 1 --for 20s && get 46003 "$LAB_VIP4" && wait "$TRACE" && wait_for 5 is_back
}
lab_kill_lbd() {
	kill -KILL "$LAB_LBD"
	wait_for 5 lab_ended "$LAB_LBD"
}
lbd_ends() {
	begin end --for 60s || return
	lab_stop_lbd
	wait "$TRACE"
	grep . "$LAB_DIR/end" "$LAB_DIR/end.err"
	jq -es 'any(.[]; .ended == "lbd")' "$LAB_DIR/end" && is_back && get 47001 "$LAB_VIP4"
}

step "the lab is there, lbd runs with two backends" start || finish
BALANCER=$(program)
check "every packet of a VIP is told of, and the balancer is back when the client ends" tells_all
check "as many as the counters of backends say" agrees_with_counters
check "over IPv6, too" says '.packet.protocol == "tcp" and .vip == "web6" and (.packet.destination | contains(":"))' "[$LAB_VIP6]" --vip web6
check "a packet that is dropped says why" says '.verdict == "drop_no_backend" and .vip == "empty" and (has("out") | not)' "$LAB_VIP4:81" --verdict drop
check "frames can be kept longer" says '(.frame.bytes | length) == 2 * .frame.length and (.out.bytes | length) == 2 * .out.length' "$LAB_VIP4" \
	--vip web --snap 2048
check "in words it is one line" in_words
check "frames are written with verdict and backend, as they come in and go out" writes_pcapng
check "tcpdump reads them" tcpdump_reads
check "tshark reads them, and their comments" tshark_reads
check "an ICMP message has a type, and no ports" icmp_has_no_ports
check "what lbd does not know is refused: a verdict" refuses 'no verdict "lost"' --verdict lost
check "a VIP" refuses 'no VIP "wbe"' --vip wbe
check "an address that no backend has" refuses 'no backend has the address 10.0.9.9' --backend 10.0.9.9
check "two families" refuses "different address families" --src 10.0.0.0/8 --dst 2001:db8::/32
check "an interface" refuses 'no interface "nosuch"' --iface nosuch
check "a snap length beyond the most" refuses "snap must be 14 to 2048" --snap 4096
check "the read-only socket does not trace" refused_read_only
check "one client can trace at a time" one_at_a_time
check "it ends with its time" ends_in_time
check "and with its client" client_killed
check "a client that does not read loses packets, and no turn is longer than 20 ms" unread
step "lbd killed meanwhile: packets go on, and the next lbd puts the balancer back" lbd_killed
step "lbd that ends puts the balancer back" lbd_ends
step "nothing remains" lab_down
finish
