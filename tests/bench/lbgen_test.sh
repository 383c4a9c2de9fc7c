#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the traffic generator send what it says, and count what comes back? Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=${O:-build}
id=lbg$$
lbgen=$O/tests/bench/lbgen
work=$(mktemp -d)
at_exit rm -rf "$work"
at_exit ip netns delete "$id-a"
at_exit ip netns delete "$id-b"
MAC=02:00:00:00:0b:00

# Namespaces a and b, joined by a veth pair a0, b0.
set_up() {
	local node
	for node in a b; do
		ip netns add "$id-$node" || return
		nsenter --net="/run/netns/$id-$node" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	done
	ip -n "$id-a" link add a0 mtu 1600 type veth peer name b0 mtu 1600 address "$MAC" netns "$id-b" &&
		ip -n "$id-a" link set a0 up && ip -n "$id-b" link set b0 up &&
		in_node b ethtool -K b0 gro on >/dev/null 2>&1 && wait_for 5 is_up a && wait_for 5 is_up b
}

is_up() {
	ip -n "$id-$1" link show "${1}0" | grep -q 'state UP'
}

in_node() {
	local node=$1
	shift
	timeout 90 nsenter --net="/run/netns/$id-$node" -- "$@"
}

# frames OPTIONS…: what arrives on b0 while the generator sends, as lbgen_frames.py has it.
frames() {
	local listener
	rm -f "$work/ready"
	in_node b python3 -B tests/bench/lbgen_frames.py b0 "$work/ready" "${FAMILY:-4}" >"$work/frames" &
	listener=$! # wait_for changes it
	wait_for 10 test -e "$work/ready" &&
		in_node a "$lbgen" --interface a0 --dmac "$MAC" --json "$@" >"$work/sent" && wait "$listener"
}

# holds FILE JQ-EXPRESSION, with $sent at hand.
holds() {
	jq -e --argjson sent "$(cat "$work/sent")" "$2" "$1" >/dev/null || { cat "$1" "$work/sent" && return 1; }
}

finds() {
	local expression=$1
	shift
	frames "$@" && holds "$work/frames" ".frames == \$sent.packets and .wrong == {} and ($expression)"
}

finds6() {
	FAMILY=6 finds "$@"
}

first_frame6_is() {
	FAMILY=6 frames --source 2001:db8:5::/112 --flows 1 --rate 500 --seconds 0.5 '[2001:db8:64::1]:443' || return
	check_equal "the frame is that of an established TCP connection over IPv6" \
		"$(printf %s 86dd 60000000 0014 06 39 20010db8000500000000000000000000 20010db8006400000000000000000001 \
			0400 01bb)" \
		"$(jq -r '.first[24:116]' "$work/frames")"
}

first_frame_is() {
	frames --flows 1 --rate 500 --seconds 0.5 192.0.2.10:443 || return
	check_equal "the frame is that of an established TCP connection, byte for byte" \
		"$(printf %s 02000000"0b00" 02000000f10d 0800 4500 0028 0000 4000 3906 b9b3 c6120000 c000020a \
			0400 01bb 00000001 00000001 5010 faf0 270a 0000 000000000000)" \
		"$(jq -r .first "$work/frames")"
}

counts_backends() {
	ip -n "$id-b" link set dev b0 xdpdrv obj "$O/tests/bench/bare.bpf.o" program encap || return
	in_node a "$lbgen" --interface a0 --dmac "$MAC" --count a0 --json "$@" 192.0.2.10:443 >"$work/sent" &&
		holds "$work/sent" '.packets > 1000 and .arrived == .packets and
			.backends == {"10.1.0.2": .packets}'
}

in_words() {
	in_node a "$lbgen" --interface a0 --dmac "$MAC" --count a0 --seconds 0.5 192.0.2.10:443 |
		grep -qE '^  10\.1\.0\.2 +[0-9]+$'
}

rejects() {
	in_node a "$lbgen" "$@" >/dev/null 2>&1
	[ $? = 2 ]
}

check "two namespaces and a link" set_up || finish
first_frame_is || :
first_frame6_is || :
check "256 flows are gone through, as ACKs with good checksums" \
	finds '.flows == 256 and .kinds == {"ack": .frames}' --flows 256 --rate 4000 --seconds 0.5 192.0.2.10:443
check "half of the flows send SYNs, a quarter is UDP, as asked" \
	finds '.flows == 1024 and .kinds.udp / .frames > 0.2 and .kinds.udp / .frames < 0.3 and
		.kinds.syn / .frames > 0.3 and .kinds.syn / .frames < 0.45' \
	--flows 1024 --syn 50 --udp 25 --rate 8000 --seconds 0.5 192.0.2.10:443
check "a flood is of random flows" finds '.flows > .frames * 0.99 and .kinds == {"syn": .frames}' \
	--spoof --syn 100 --rate 8000 --seconds 0.5 192.0.2.10:443
check "IPv6 packets are of as many flows, and have good checksums" \
	finds6 '.flows == 1024 and .kinds.udp / .frames > 0.2 and .kinds.udp / .frames < 0.3 and
		.kinds.syn / .frames > 0.3 and .kinds.syn / .frames < 0.45' \
	--flows 1024 --syn 50 --udp 25 --rate 8000 --seconds 0.5 '[2001:db8:64::1]:443'
check "the rate is kept" finds '.frames > 200 and .frames <= 2100' --rate 4000 --seconds 0.5 192.0.2.10:443
check "what comes back encapsulated is counted by backend" counts_backends --rate 20000 --seconds 0.5
check "the report can be read" in_words
check "an unknown option is wrong usage" rejects --interface a0 --dmac "$MAC" --nonsense 192.0.2.10:443
check "an address without a port is wrong usage" rejects --interface a0 --dmac "$MAC" 192.0.2.10
check "so are clients of the other family" \
	rejects --interface a0 --dmac "$MAC" --source 198.18.0.0/15 '[2001:db8::1]:443'
check "a MAC address is needed" rejects --interface a0 192.0.2.10:443
finish
