#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do real connections get through VIPs that are prefixes and have ranges of ports, and stay where they are when lbd
# starts again?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

# seen_at ADDRESS PORT NAMES: these backends, as JSON, answer 60 connections, of which none fails
seen_at() {
	local reply
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count 60 --parallel 20 "$1" "$2") || { echo "$reply" && return 1; }
	jq -e --argjson names "$3" '(.seen | keys) == $names' <<<"$reply" || { echo "$reply" && return 1; }
}

# At the backends every address of the prefixes is their own. The lab's router sends both to the balancer.
own_addresses() {
	local node
	for node in b1 b2 b3; do
		lab_ip "$node" route add local 192.0.2.0/24 dev lo && lab_ip "$node" route add local 2001:db8:10::/64 dev lo || return
	done
}

add() {
	local backend
	lbctl vip add 192.0.2.0/24:80/tcp --name net4 && lbctl vip add 2001:db8:10::/64:80/tcp --name net6 &&
		lbctl vip add 192.0.2.10:80-90/tcp --name range && lbctl vip add 192.0.2.11:80/tcp --name one || return
	for backend in 1 2 3; do
		lbctl backend add net4 "${LAB_BACKEND4[backend]}" && lbctl backend add net6 "${LAB_BACKEND6[backend]}" || return
	done
	lbctl backend add range "${LAB_BACKEND4[2]}" && lbctl backend add one "${LAB_BACKEND4[3]}" && lab_ready
}

all='["b1","b2","b3"]'
traffic() {
	local address
	for address in 192.0.2.1 192.0.2.77 192.0.2.254 2001:db8:10::1 2001:db8:10::ffff:1; do
		check "$address is reached" seen_at "$address" 80 "$all"
	done
	check "a range of one of its addresses comes before the prefix" seen_at 192.0.2.10 80 '["b2"]'
	check "also its last port" seen_at 192.0.2.10 90 '["b2"]'
	check "one address and port comes before the prefix" seen_at 192.0.2.11 80 '["b3"]'
}

# nobody_at ADDRESS PORT
nobody_at() {
	! lab_in client "$O/tests/lib/connect_tool" --timeout-ms 200 "$1" "$2"
}

counted() {
	lbctl --json stats "$1" | jq -e '.vips[0].packets > 300'
}

step "a lab is made" lab_up one-armed 3 || finish
step "backends have all addresses of the prefixes" own_addresses || finish
step "backends serve" lab_serve 80 || finish
step "and at the end of the range" lab_serve 90 || finish
step "lbd starts" lab_start_lbd || finish
step "VIPs are added" add || finish
traffic
check "a port beside the range is nobody's" nobody_at 192.0.2.10 91
check "an address beside the prefix is nobody's" nobody_at 192.0.3.1 80
check "packets of the prefix are counted" counted net4
step "lbd is stopped" lab_stop_lbd
check "without it, too, 192.0.2.77 is reached" seen_at 192.0.2.77 80 "$all"
step "and starts again" lab_start_lbd || finish
traffic
check "the more specific VIP goes" lbctl vip del one --force
check "its address is the prefix's then" seen_at 192.0.2.11 80 "$all"
step "the lab goes away as a whole" lab_down
finish
