#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do connections find out the path MTU, whichever part of the way is narrow, with real stacks at both
# ends? Nothing here clamps a segment size.
#
#	client ──1500── edge ══1450══ router br0 ┬── balancer
#	                                         ├── near backend b1
#	                                         └── hill ══1400══ valley ── far backend b9
#
#	pmtu_test.sh [RUN…]	narrow_ways, ordinary_ways, forged_messages; all if none is named
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

SIZE=10000000 # bytes, each way
EDGE_MTU=1500
HILL_MTU=1500
FAR4=10.0.9.11
FAR6=fd00:0:0:9::11
FAR_VIP4=192.0.2.11 # of its own, since hosts remember MTUs by address
FAR_VIP6=2001:db8:10::11

# --- the lab ---

# As the lab's own, with a router and a narrow link in between.
lab_client() {
	lab_node client && lab_node edge ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 || return
	lab_batch client <<-EOF2 && lab_batch edge <<-EOF3 && lab_batch router <<-EOF4
		link set lo up
		link add c0 mtu 1500 type veth peer name e0 mtu 1500 netns $LAB_ID-edge
		link set c0 up
		address add $LAB_CLIENT4/24 dev c0
		address add $LAB_CLIENT6/64 dev c0 nodad
		route add default via 198.51.100.1
		route add default via 2001:db8:c::1
	EOF2
		link set lo up
		link set e0 up
		address add 198.51.100.1/24 dev e0
		address add 2001:db8:c::1/64 dev e0 nodad
		link add e1 mtu $EDGE_MTU type veth peer name r0 mtu $EDGE_MTU netns $LAB_ID-router
		link set e1 up
		address add 203.0.113.2/24 dev e1
		address add 2001:db8:e::2/64 dev e1 nodad
		route add default via 203.0.113.1
		route add default via 2001:db8:e::1
	EOF3
		link set r0 up
		address add 203.0.113.1/24 dev r0
		address add 2001:db8:e::1/64 dev r0 nodad
		route add 198.51.100.0/24 via 203.0.113.2
		route add 2001:db8:c::/64 via 2001:db8:e::2
	EOF4
}

far_backend() {
	lab_node hill ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 &&
		lab_node valley ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 &&
		lab_node b9 ipv4/conf/{all,default}/arp_ignore=1 || return
	lab_batch hill <<-EOF || return
		link set lo up
		link add h0 mtu $LAB_MTU type veth peer name rh mtu $LAB_MTU netns $LAB_ID-router
		link set h0 up
		address add 10.0.0.100/24 dev h0
		address add fd00:0:0:1::100/64 dev h0 nodad
		route add default via 10.0.0.1
		route add default via fd00:0:0:1::1
		link add h1 mtu $HILL_MTU type veth peer name v0 mtu $HILL_MTU netns $LAB_ID-valley
		link set h1 up
		address add 10.0.8.1/24 dev h1
		address add fd00:0:0:8::1/64 dev h1 nodad
		route add 10.0.9.0/24 via 10.0.8.2
		route add fd00:0:0:9::/64 via fd00:0:0:8::2
	EOF
	lab_batch router <<-EOF || return
		link set rh master br0 up
		route add 10.0.9.0/24 via 10.0.0.100
		route add fd00:0:0:9::/64 via fd00:0:0:1::100
	EOF
	lab_batch valley <<-EOF || return
		link set lo up
		link set v0 up
		address add 10.0.8.2/24 dev v0
		address add fd00:0:0:8::2/64 dev v0 nodad
		route add default via 10.0.8.1
		route add default via fd00:0:0:8::1
		link add v1 mtu $LAB_MTU type veth peer name b0 mtu $LAB_MTU netns $LAB_ID-b9
		link set v1 up
		address add 10.0.9.1/24 dev v1
		address add fd00:0:0:9::1/64 dev v1 nodad
	EOF
	lab_batch b9 <<-EOF
		link set lo up
		link set b0 up
		address add $FAR4/24 dev b0
		address add $FAR6/64 dev b0 nodad
		address add $FAR_VIP4/32 dev lo
		address add $FAR_VIP6/128 dev lo
		route add default via 10.0.9.1
		route add default via fd00:0:0:9::1
		$(lab_decap "$FAR4" "$FAR6")
	EOF
}

listens() {
	lab_in "$1" ss -Hltn "sport = :$2" | grep -q .
}

add_vip() {
	local address
	for address in "$2" "[$3]"; do
		lbctl vip add "$address:0/tcp" --name "$1-${#address}" >/dev/null || return
	done
	lbctl backend add "$1-${#2}" "$4" >/dev/null && lbctl backend add "$1-$((${#3} + 2))" "$5" >/dev/null
}

start() {
	lab_up one-armed 1 && far_backend && head -c "$SIZE" /dev/urandom >"$LAB_DIR/file" &&
		lab_start_lbd '{}' &&
		add_vip near "$LAB_VIP4" "$LAB_VIP6" "${LAB_BACKEND4[1]}" "${LAB_BACKEND6[1]}" &&
		add_vip far "$FAR_VIP4" "$FAR_VIP6" "$FAR4" "$FAR6" && lab_ready
}

# --- checks ---

# with_server NODE SOCAT-OPTION SOCAT-ADDRESS command args…: while one connection is served on port 81.
with_server() {
	local status server
	lab_background "$1" timeout 90 socat "$2" TCP6-LISTEN:81,reuseaddr "$3"
	server=$LAB_PID
	wait_for 5 listens "$1" 81
	"${@:4}"
	status=$?
	[ "$status" != 0 ] || wait_for 5 lab_ended "$server"
	lab_end "$server"
	return "$status"
}

# uploads ADDRESS NODE: all of the file arrives there, and as it was.
uploads() {
	with_server "$2" -u CREATE:"$LAB_DIR/taken" \
		lab_in client timeout 80 socat -u OPEN:"$LAB_DIR/file" "TCP:$1:81" &&
		cmp "$LAB_DIR/file" "$LAB_DIR/taken"
}

downloads() {
	with_server "$2" -U OPEN:"$LAB_DIR/file",rdonly \
		lab_in client timeout 80 socat -u "TCP:$1:81" CREATE:"$LAB_DIR/taken" &&
		cmp "$LAB_DIR/file" "$LAB_DIR/taken"
}

# The client's stack has learned the MTU that a packet may have on this way.
client_knows() {
	lab_ip client route get "$1" | grep -o 'mtu [0-9]*' | grep -qx "mtu $2" ||
		{ lab_ip client route get "$1" && return 1; }
}

path_is_known() {
	lbctl --json status | jq -e --argjson mtu "$1" 'any(.next_hops[]; .mtu == $mtu)'
}

# Downloads come first: a client that has learned an MTU asks for segments to match.
narrow_ways() {
	EDGE_MTU=1450 HILL_MTU=1400
	step "narrow ways: the lab comes up" start || return
	check "edge 1450: a download over IPv4 completes" downloads "$LAB_VIP4" b1
	check "edge 1450: a download over IPv6 completes" downloads "[$LAB_VIP6]" b1
	lab_ip b1 route flush cache # else it asks for segments to match, too
	lab_ip b1 -6 route flush cache
	check "edge 1450: an upload over IPv4 completes" uploads "$LAB_VIP4" b1
	check "edge 1450: an upload over IPv6 completes" uploads "[$LAB_VIP6]" b1
	check "edge 1450: the client uses 1450 over IPv4" client_knows "$LAB_VIP4" 1450
	check "edge 1450: the client uses 1450 over IPv6" client_knows "$LAB_VIP6" 1450
	check "hill 1400: a download over IPv4 completes" downloads "$FAR_VIP4" b9
	check "hill 1400: a download over IPv6 completes" downloads "[$FAR_VIP6]" b9
	check "hill 1400: an upload over IPv4 completes" uploads "$FAR_VIP4" b9
	check "hill 1400: an upload over IPv6 completes" uploads "[$FAR_VIP6]" b9
	check "hill 1400: lbd has learned the MTU" path_is_known 1400
	check "hill 1400: the client uses 1380 over IPv4" client_knows "$FAR_VIP4" 1380
	check "hill 1400: the client uses 1360 over IPv6" client_knows "$FAR_VIP6" 1360
	step "narrow ways: the lab goes away as a whole" lab_down
}

# Every link takes 1,500 bytes, as most do: the outer header is what does not fit.
ordinary_ways() {
	EDGE_MTU=1500 HILL_MTU=1500 LAB_MTU=1500
	step "1500 everywhere: the lab comes up" start || return
	check "1500 everywhere: a download over IPv4 completes" downloads "$LAB_VIP4" b1
	check "1500 everywhere: a download over IPv6 completes" downloads "[$LAB_VIP6]" b1
	check "1500 everywhere: an upload over IPv4 completes" uploads "$LAB_VIP4" b1
	check "1500 everywhere: an upload over IPv6 completes" uploads "[$LAB_VIP6]" b1
	check "1500 everywhere: the client uses 1480 over IPv4" client_knows "$LAB_VIP4" 1480
	check "1500 everywhere: the client uses 1460 over IPv6" client_knows "$LAB_VIP6" 1460
	step "1500 everywhere: the lab goes away as a whole" lab_down
}

forge() { # BALANCER BACKEND MTU LENGTH
	lab_in hill python3 -B tests/net/forge_too_big.py "$@"
}

ways_are_whole() {
	lbctl --json status | jq -e --argjson mtu "$LAB_MTU" 'all(.next_hops[]; .mtu == $mtu)'
}

# A message, then traffic, until a lower MTU is believed: traffic must be under way.
forged_lowers() { # MTU UPLOAD-ADDRESS forge's arguments…
	forge "${@:3}" && uploads "$2" b1 && path_is_known "$1"
}

# Three of them, each with traffic before the next, so that the second one would be believed.
forged_in_vain() { # UPLOAD-ADDRESS forge's arguments…
	local round
	for round in 1 2 3; do
		if ! { forge "${@:2}" && uploads "$1" b1 && ways_are_whole; }; then
			echo "round $round"
			return 1
		fi
		read -rt 1.1 <> <(:) || : # as far apart as messages must be
	done
}

# Checks of full size arrive, so that who says that such packets do not is a liar.
checked() { # KIND VIP BACKEND BALANCER OPTION…
	lbctl vip add "$2:86/tcp" --name checked --health-port 80 --health-interval 200ms --health-full-mtu yes \
		--force "${@:5}" >/dev/null && lbctl backend add checked "$3" >/dev/null
	wait_for 5 checked_is healthy
	check "$1 checks of full size: a message that says less is not believed" forged_in_vain "$2" "$4" "$3" 1400 1500
	lbctl vip del checked --force >/dev/null
}
checked_is() { lbctl --json backend list checked | jq -e --arg state "$1" '.vips[0].backends[0].health.state == $state'; }

# A machine beside the backends forges messages that quote what the balancer sends.
forged_messages() {
	EDGE_MTU=1500 HILL_MTU=1500
	step "forged messages: the lab comes up" start || return
	check "no traffic under way: sent" forge "$LAB_BALANCER4" "${LAB_BACKEND4[1]}" 68 1500
	check "of another source: sent" forge "$LAB_BALANCER4" "$FAR4" 600 500
	check "an upload over IPv4 completes" uploads "$LAB_VIP4" b1
	check "and neither was believed" ways_are_whole
	lab_serve 80 b1
	checked "IPv4, http, tunnel" "$LAB_VIP4" "${LAB_BACKEND4[1]}" "$LAB_BALANCER4" --health http --health-source tunnel
	checked "IPv4, udp, direct" "$LAB_VIP4" "${LAB_BACKEND4[1]}" "$LAB_BALANCER4" --health udp --health-payload x
	checked "IPv6, http, direct" "[$LAB_VIP6]" "${LAB_BACKEND6[1]}" "$LAB_BALANCER6" --health http
	check "MTU 68, again and again: believed down to 572, not further" \
		wait_for 20 forged_lowers 572 "$LAB_VIP4" "$LAB_BALANCER4" "${LAB_BACKEND4[1]}" 68 1500
	check "then an upload over IPv4 completes" uploads "$LAB_VIP4" b1
	check "MTU 1280 of an IPv6 way: believed down to 1320, not further" \
		wait_for 20 forged_lowers 1320 "[$LAB_VIP6]" "$LAB_BALANCER6" "${LAB_BACKEND6[1]}" 1280 1500
	check "then an upload over IPv6 completes" uploads "[$LAB_VIP6]" b1
	step "forged messages: the lab goes away as a whole" lab_down
}

[ $# -gt 0 ] || set -- narrow_ways ordinary_ways forged_messages
for run; do
	"$run"
done
finish
