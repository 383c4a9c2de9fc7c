#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a balancer with two interfaces take packets in by either and send them out by both? The
# backends' addresses are in networks that two equal routes lead to (ECMP), one by each interface:
#
#   client c0 ── r0 router br0 ── rl ── l0 balancer       10.9.0.0/24, fd09::/64: via br0 and br1
#                          br1 ┬─ rl1 ── l1    "
#                              └─ rb1 ── b0 backend b1 …
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

if [ "$(id -u)" != 0 ]; then
	skip "several interfaces, and several ways to the backends" "root"
	finish
fi

# --- the lab ---

# Addresses that are reached over the backends' own.
far_addresses() {
	local number
	for number in 1 2 3; do
		lab_ip "b$number" address add "10.9.0.1$number/32" dev lo &&
			lab_ip "b$number" address add "fd09::1$number/128" dev lo &&
			lab_ip router route add "10.9.0.1$number" via "${LAB_BACKEND4[number]}" &&
			lab_ip router route add "fd09::1$number" via "${LAB_BACKEND6[number]}" || return
	done
}

two_ways() {
	lab_ip balancer route replace 10.9.0.0/24 nexthop via 10.0.0.1 dev l0 nexthop via 10.0.1.1 dev l1 &&
		lab_ip balancer -6 route replace fd09::/64 nexthop via fd00:0:0:1::1 dev l0 \
			nexthop via fd00:0:0:2::1 dev l1
}

document() {
	jq -n --arg four "$LAB_VIP4:80/tcp" --arg six "[$LAB_VIP6]:80/tcp" '
		{vips: [{name: "web4", address: $four, table_size: 1021,
			backends: [range(1; 4) | {address: "10.9.0.1\(.)"}]},
			{name: "web6", address: $six, table_size: 1021,
			backends: [range(1; 4) | {address: "fd09::1\(.)"}]}]}'
}

start() {
	lab_up two-armed 3 && far_addresses && two_ways && lab_serve 80 &&
		lab_start_lbd '{"interfaces": ["l0", "l1"], "xdp_mode": "native"}' &&
		document | lbctl config apply - >"$LAB_DIR/applied" && lab_ready
}

# --- what is seen ---

# answers ADDRESS: 300 connections, to every backend, none of them lost.
answers() {
	local reply
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count 300 --parallel 20 "$1" 80)
	echo "$reply"
	jq -e '.connections == 300 and .failures == 0 and (.seen | keys) == ["b1", "b2", "b3"]' <<<"$reply"
}

packets() {
	lbctl --json stats | jq ".verdicts[] | select(.name == \"$1\").packets"
}

# ways ADDRESS: runs connections; how many packets left by the interface that they came in by, and by the other
ways() {
	local tx redirect
	tx=$(packets tx) redirect=$(packets redirect)
	answers "$1" >"$LAB_DIR/answers" || { cat "$LAB_DIR/answers" && return 1; }
	TX=$(($(packets tx) - tx)) REDIRECT=$(($(packets redirect) - redirect))
	echo "tx $TX, redirect $REDIRECT"
}

# Each way has half of the paths: no less than a quarter of the packets, whatever the flows' hashes.
uses_both() {
	ways "$1" && [ $((4 * TX)) -gt $((TX + REDIRECT)) ] && [ $((4 * REDIRECT)) -gt $((TX + REDIRECT)) ]
}

uses_only_tx() {
	ways "$1" && [ "$REDIRECT" = 0 ] && [ "$TX" -gt 0 ]
}

uses_only_redirect() {
	ways "$1" && [ "$TX" = 0 ] && [ "$REDIRECT" -gt 0 ]
}

# paths_are {"l0":4,"l1":4}: of every backend
paths_are() {
	lbctl --json backend list | jq -e --argjson wanted "$1" 'all(.vips[].backends[].next_hop;
		if .ways then .ways | map({key: .interface, value: .paths}) | from_entries | with_entries(select(.value > 0))
		else {(.interface): 8} end == $wanted)'
}

interface() {
	lbctl --json iface list | jq -e ".interfaces[] | select(.name == \"$1\") | $2"
}

exits_4() {
	lbctl iface list
	[ $? = 4 ]
}

# --- tests ---

test_both_ways() {
	check "$1: every backend's paths are shared by both" paths_are '{"l0":4,"l1":4}'
	check "$1: IPv4 flows leave by both" uses_both "$LAB_VIP4"
	check "$1: IPv6 flows leave by both" uses_both "$LAB_VIP6"
}

test_failure() {
	lab_ip router link set rl1 down
	check "a way that loses its link is left" wait_for 5 paths_are '{"l0":8}'
	check "IPv4 flows go by the other" uses_only_tx "$LAB_VIP4"
	check "IPv6 flows, too" uses_only_tx "$LAB_VIP6"
	check "its next hop is shown as unresolved" wait_for 2 interface l1 '.link == "down"'
	check "iface list exits 4" exits_4
	lab_ip router link set rl1 up
	# IPv6 routes leave with the link's carrier or stay, as the kernel is set.
	lab_ip balancer -6 address replace fd00:0:0:2::2/64 dev l1 nodad
	two_ways
	check "and taken again when it is back" wait_for 10 paths_are '{"l0":4,"l1":4}'
	test_both_ways "repaired"
}

test_other_ingress() {
	lab_ip router route replace 192.0.2.0/24 via 10.0.1.2
	lab_ip router -6 route replace 2001:db8:10::/64 via fd00:0:0:2::2
	test_both_ways "in by the other interface"
	lab_ip balancer route replace 10.9.0.0/24 via 10.0.0.1 dev l0
	check "with one way left it has all paths" wait_for 5 paths_are_of_web4 '{"l0":8}'
	check "in by one, out by the other" uses_only_redirect "$LAB_VIP4"
	lab_ip router route replace 192.0.2.0/24 via 10.0.0.2
	lab_ip balancer route replace 10.9.0.0/24 via 10.0.1.1 dev l1
	check "another one" wait_for 5 paths_are_of_web4 '{"l1":8}'
	check "and back" uses_only_redirect "$LAB_VIP4"
}

paths_are_of_web4() {
	lbctl --json backend list web4 | jq -e --argjson wanted "$1" \
		'all(.vips[].backends[].next_hop; {(.interface): 8} == $wanted and .ways == null)'
}

test_iface_list() {
	check "iface list: both take packets in" interface l0 '.ingress and .xdp_mode == "native" and .link == "up" and .driver == "veth"'
	check "and lead to next hops" interface l1 '.ingress and .next_hops > 0 and .mtu == 1600'
	check "in words" grep -qE '^l1 +[0-9]+  native XDP  up  mtu 1600  veth  in, out: [0-9]+ next hops?$' <(lbctl iface list)
	check "status has the same" test "$(lbctl --json status | jq -c .interfaces)" = "$(lbctl --json iface list | jq -c .interfaces)"
	check "exit 0" lbctl iface list
	bpftool link detach pinned "/sys/fs/bpf/$LAB_ID/link_$(interface l1 .ifindex)"
	check "a program that was taken off is told" interface l1 '.xdp_mode == "detached" and .reason != null'
	check "and exits 4" exits_4
	lab_stop_lbd
	lab_start_lbd '{"interfaces": ["l0"], "xdp_mode": "native"}'
	check "an interface that only leads to backends is told" wait_for 5 interface l1 \
		'.xdp_mode == "none" and (.ingress | not) and .next_hops > 0'
}

start
check "the lab with two interfaces is up" test $? = 0
test_both_ways "in by the first interface"
test_failure
test_other_ingress
two_ways
test_iface_list
finish
