#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do tunnel checks work whatever route the balancer has to the VIP, and is a fault of its own never a backend's?
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
	skip "tunnel checks find their way" "root"
	finish
fi

VIPS=(web4 web6)
declare -A CHECK=([web4]=tcp [web6]=tcp)

# b1 and b2 are behind l1, b3 behind l0. The default routes lead to a card for management, which answers nobody: checks that
# took them, or its addresses, would fail.
up() {
	lab_up two-armed 2 || return
	LAB_ARMS=one-armed lab_backend 3 || return
	lab_node mgmt || return
	lab_batch balancer <<-EOF2 && lab_batch mgmt <<-EOF3 || return
		link add m0 type veth peer name m1 netns $LAB_ID-mgmt
		link set m0 up
		address add 203.0.113.2/24 dev m0
		address add 2001:db8:113::2/64 dev m0 nodad
		route replace default via 203.0.113.1
		route del default via fd00:0:0:1::1
		route add default via 2001:db8:113::1
	EOF2
		link set m1 up
		address add 203.0.113.1/24 dev m1
		address add 2001:db8:113::1/64 dev m1 nodad
	EOF3
	# Backends decapsulate by XDP, which does not know of checksums still to be filled in.
	lab_in balancer ethtool -K l0 tx off >/dev/null
	lab_in balancer ethtool -K l1 tx off >/dev/null
	lab_serve 80 && lab_start_lbd "{}" && add_vips && lab_ready
}

add_vips() {
	local number
	lbctl vip add "$LAB_VIP4:80/tcp" --name web4 && lbctl vip add "[$LAB_VIP6]:80/tcp" --name web6 || return
	for number in 1 2 3; do
		lbctl backend add web4 "${LAB_BACKEND4[$number]}" &&
			lbctl backend add web6 "${LAB_BACKEND6[$number]}" || return
	done
}

# --- what lbd says ---

health() { lbctl --json backend list "$1" | jq -c "[.vips[0].backends[].health$2]"; }
states_are() { [ "$(health "$1" .state)" = "$2" ]; }
ALL='["healthy","healthy","healthy"]'
NO_ERROR='[null,null,null]'
errors_are() { [ "$(health "$1" .error)" = "$2" ]; }
no_errors() { [ "$(health "$1" .error)" = "$NO_ERROR" ] || { health "$1" .error && return 1; }; }
warns() { lbctl --json status | jq -re '.warnings[]' | grep -F "$1"; }
no_warning() { ! warns "$1"; }

# Checks that are new, with nothing known: unless they are made, "unknown" stays.
checks_anew() {
	local vip
	for vip in "${VIPS[@]}"; do
		lbctl vip set "$vip" --health none
		lbctl vip set "$vip" --health "${CHECK[$vip]}" --health-source "${1:-tunnel}" --health-interval 200ms
	done >/dev/null
}

# all_healthy WHERE
all_healthy() {
	local vip
	checks_anew
	for vip in "${VIPS[@]}"; do
		check "$1: $vip is healthy" wait_for 3 states_are "$vip" "$ALL"
		check "$1: no check of $vip has failed" no_errors "$vip"
	done
}

# --- the runs ---

routes_to_the_vip() {
	local kind
	for kind in blackhole unreachable prohibit; do
		lab_ip balancer route add "$kind" "$LAB_VIP4"
		lab_ip balancer route add "$kind" "$LAB_VIP6"
		all_healthy "$kind route to the VIP"
		lab_ip balancer route del "$kind" "$LAB_VIP4"
		lab_ip balancer route del "$kind" "$LAB_VIP6"
	done
}

vip_on_lo() {
	lab_ip balancer address add "$LAB_VIP4/32" dev lo
	lab_ip balancer address add "$LAB_VIP6/128" dev lo
	all_healthy "VIP on the balancer's lo"
}

strict_rp_filter() {
	lab_sysctl balancer ipv4/conf/all/rp_filter=1
	all_healthy "strict rp_filter"
	lab_sysctl balancer ipv4/conf/all/rp_filter=0
}

without_the_vip() {
	lab_ip b1 address del "$LAB_VIP4/32" dev lo
	lab_ip b1 address del "$LAB_VIP6/128" dev lo
	check "a backend without the VIP is unhealthy" wait_for 3 states_are web4 '["healthy","unhealthy","healthy"]'
	check "over IPv6, too" wait_for 3 states_are web6 '["healthy","unhealthy","healthy"]'
	lab_ip b1 address add "$LAB_VIP4/32" dev lo
	lab_ip b1 address add "$LAB_VIP6/128" dev lo
	check "and healthy when it has it" wait_for 3 states_are web4 "$ALL"
	check "over IPv6, too, which it has" wait_for 3 states_are web6 "$ALL"
}

# A datagram that nobody takes: the backend's ICMP error quotes the VIP's address.
port_unreachable() {
	local vip
	for vip in "$LAB_VIP4" "[$LAB_VIP6]"; do
		lbctl vip add "$vip:99/udp" --name udp --health udp --health-payload x --health-source tunnel \
			--health-interval 200ms >/dev/null
		lbctl backend add udp "$(backend_for "$vip")" >/dev/null
		check "$vip: a UDP port that is closed is unhealthy" wait_for 3 states_are udp '["unhealthy"]'
		# Again and again, but not each time: the backend limits its ICMP errors.
		check "$vip: and it says so" wait_for 5 errors_are udp \
			'["port unreachable: nothing listens on UDP port 99"]'
		lbctl vip del udp --force >/dev/null
	done
}
backend_for() {
	[[ $1 == \[* ]] && echo "${LAB_BACKEND6[1]}" || echo "${LAB_BACKEND4[1]}"
}

# A backend whose decapsulation is gone says which part it lacks: the protocol, or with the kernel's modules loaded a device.
no_decapsulation() {
	local lacks4=protocol lacks6=protocol
	[ ! -d /sys/module/ipip ] || lacks4=port
	[ ! -d /sys/module/ip6_tunnel ] || lacks6=port
	lab_ip b2 link set dev b0 xdpdrv off
	check "a backend without decapsulation is unhealthy, says so, and what helps" wait_for 5 error_of web4 "${LAB_BACKEND4[2]}" \
		"no answer within 200 ms: the backend does not take off the outer header (ICMP $lacks4 unreachable): modprobe ipip && ip link set tunl0 up"
	check "over IPv6, too, by its own device" wait_for 5 error_of web6 "${LAB_BACKEND6[2]}" \
		"no answer within 200 ms: the backend does not take off the outer header (ICMP $lacks6 unreachable): modprobe ip6_tunnel && ip link set ip6tnl0 up"
	lbctl vip set web4 --encap gue >/dev/null
	check "nothing takes GUE: the port is named" wait_for 5 error_of web4 "${LAB_BACKEND4[2]}" \
		"no answer within 200 ms: the backend does not take off the outer header (ICMP port unreachable): ip fou add port 6080 gue"
	lbctl vip set web4 --encap ipip >/dev/null
	lab_decap "${LAB_BACKEND4[2]}" "${LAB_BACKEND6[2]}" | lab_batch b2
	check "healthy when it decapsulates again" wait_for 5 states_are web4 "$ALL"
	check "over IPv6, too, when it decapsulates again" wait_for 5 states_are web6 "$ALL"
	lab_ip b2 address del "$LAB_VIP4/32" dev lo
	check "a backend that takes the header off and is silent is only silent" wait_for 5 error_of web4 "${LAB_BACKEND4[2]}" \
		"no answer within 200 ms"
	lab_ip b2 address add "$LAB_VIP4/32" dev lo
	wait_for 5 states_are web4 "$ALL"
}
# error_of VIP BACKEND TEXT: of one that is unhealthy.
error_of() {
	lbctl --json backend list "$1" | jq -e --arg address "$2" --arg text "$3" '.vips[0].backends[] |
		select(.address == $address) | .health | .state == "unhealthy" and .error == $text' ||
		{ lbctl backend list "$1" && return 1; }
}

# A link in front of b1 that loses full-size frames, silently: veth lets 4 bytes more than its MTU pass.
full_mtu() {
	full_size "$LAB_VIP4" "${LAB_BACKEND4[1]}" http "HTTP response to a request" --health http
	full_size "[$LAB_VIP6]" "${LAB_BACKEND6[1]}" http "HTTP response to a request" --health http
	full_size "$LAB_VIP4" "${LAB_BACKEND4[1]}" udp "answer to a datagram" --health udp --health-payload x
	full_size "[$LAB_VIP6]" "${LAB_BACKEND6[1]}" udp "answer to a datagram" --health udp --health-payload x
}
# full_size VIP BACKEND KIND WHAT OPTION…
full_size() {
	local vip=$1 backend=$2 kind=$3 what=$4
	shift 4
	lab_ip b1 link set b0 mtu $((LAB_MTU - 10))
	lbctl vip add "$vip:86/tcp" --name full --health-port 80 --health-interval 200ms --health-source tunnel "$@" >/dev/null
	lbctl backend add full "$backend" >/dev/null
	check "$vip $kind: a small check passes a link that loses full-size packets" wait_for 3 states_are full '["healthy"]'
	lbctl vip set full --health-full-mtu yes >/dev/null
	check "$vip $kind: one of full size does not, and says so" wait_for 5 error_of full "$backend" \
		"no $what of full size within 200 ms"
	lab_ip b1 link set b0 mtu $((LAB_MTU - 4))
	check "$vip $kind: it passes where the packets do, and is no larger" wait_for 5 states_are full '["healthy"]'
	lbctl vip show full | grep -qF "by full-size packets"
	check_equal "$vip $kind: vip show tells of it" 0 $?
	lbctl vip del full >/dev/null
	lab_ip b1 link set b0 mtu "$LAB_MTU"
}

# What the balancer cannot do says nothing of a backend. Checks go on to fail for longer than it takes to turn a state.
balancer_faults() {
	local source kind
	for source in tunnel direct; do
		checks_anew "$source"
		wait_for 3 states_are web4 "$ALL"
		for kind in blackhole unreachable prohibit; do
			lab_ip balancer route add "$kind" "${LAB_BACKEND4[1]}"
			check "$source: a $kind route to a backend is told of" wait_for 3 warns \
				"this balancer cannot check 1 of 3 backends of VIP web4, which keep the state that they had: not checked: this balancer has no route to ${LAB_BACKEND4[1]}"
			check "$source: for more than fall intervals" wait_for 5 error_is_older 1200
			check_equal "$source: the backend keeps its state" "$ALL" "$(health web4 .state)"
			lab_ip balancer route del "$kind" "${LAB_BACKEND4[1]}"
			check "$source: the warning ends" wait_for 3 no_warning "cannot check"
		done
	done
}
# The first error of this fault, seen once before: $1 ms of checks that cannot be made.
error_is_older() {
	local now
	now=$(date +%s%3N)
	FAULT_SINCE=${FAULT_SINCE:-$now}
	((now - FAULT_SINCE >= $1))
}

# VIP and backend of different families: the way to the VIP is what there is.
other_family() {
	lbctl vip add "$LAB_VIP4:81/tcp" --name other --health tcp --health-port 80 --health-source tunnel \
		--health-interval 200ms >/dev/null
	lbctl backend add other "${LAB_BACKEND6[3]}" >/dev/null
	check "an IPv4 VIP on lo with an IPv6 backend: the fault is told of" wait_for 3 warns \
		"this balancer cannot check 1 of 1 backends of VIP other, which keep the state that they had: not checked: $LAB_VIP4 is an address of this balancer, so a tunnel check cannot leave it"
	check_equal "its state stays unknown" '["unknown"]' "$(health other .state)"
	check "and it takes flows" slots_of other
	lab_ip balancer address del "$LAB_VIP4/32" dev lo
	lab_ip balancer address del "$LAB_VIP6/128" dev lo
	lab_ip balancer route add "$LAB_VIP4" via 10.0.0.1
	check "with a route to the VIP it is checked" wait_for 3 states_are other '["healthy"]'
	lbctl vip del other --force >/dev/null
	lab_ip balancer route del "$LAB_VIP4"
}
slots_of() { lbctl --json backend list "$1" | jq -e '.vips[0].backends[0].share.slots > 0'; }

filters() {
	local hook
	for hook in ingress egress; do
		lab_in balancer tc filter show dev "$1" "$hook"
	done | grep -c handle
}

both_stand() { [ "$(filters l0) $(filters l1)" = "2 2" ]; }

# Without the programs checks would take the plain way and pass, whatever the backend does with tunnels.
filters_come_back() {
	lab_in balancer tc qdisc del dev l1 clsact
	check "programs that somebody has taken away come back" wait_for 6 both_stand
}

# The programs outlive lbd killed, and nothing else does; --detach takes all away.
leaves_nothing() {
	check_equal "two filters stand at an interface" 2 "$(filters l1)"
	kill -KILL "$LAB_LBD"
	wait "$LAB_LBD" 2>/dev/null
	LAB_LBD=
	check_equal "no routing rule is added" "$RULES" "$(lab_ip balancer rule; lab_ip balancer -6 rule)"
	lab_in balancer "$LBD" --config "$LAB_DIR/lbd.json" --detach
	check_equal "--detach after a crash takes both away" "0 0" "$(filters l0) $(filters l1)"
}

hurry
up >/dev/null
check_equal "the lab comes up" 0 $? || finish
RULES=$(lab_ip balancer rule; lab_ip balancer -6 rule)
all_healthy "default route by another card"
routes_to_the_vip
strict_rp_filter
without_the_vip
port_unreachable
no_decapsulation
full_mtu
balancer_faults
checks_anew
vip_on_lo
other_family
filters_come_back
leaves_nothing
check "nothing remains" lab_down
finish
