#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do real stacks understand what the program sends back, and the headers that it puts around
# packets: echo replies, path MTU discovery, GUE, VLAN tags? The MTU is 1500 everywhere.
#
#	answer_test.sh [RUN…]		echo, too_big, generic, gue, gue_device,
#					vlan; all if none is named
#
# gue_device wants the kernel's own GUE receiver (module fou), vlan the kernel's VLAN devices.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
export LAB_MTU=1500 LAB_CLIENT_MTU=1500
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

RATE=20 # answers a second and CPU

verdict() {
	lbctl --json stats | jq ".verdicts[] | select(.name == \"$1\") | .packets"
}

# add_vip NAME ENDPOINT BACKEND [OPTION…]
add_vip() {
	lbctl vip add "$2" --name "$1" "${@:4}" >/dev/null && lbctl backend add "$1" "$3" >/dev/null
}

# start [JSON]: one backend; port 5201 by ipip, 5202 by GUE.
start() {
	lab_up one-armed 1 && start_lbd "${1:-{\}}"
}

start_lbd() {
	lab_start_lbd "$1" &&
		add_vip web4 "$LAB_VIP4:5201/tcp" "${LAB_BACKEND4[1]}" &&
		add_vip web6 "[$LAB_VIP6]:5201/tcp" "${LAB_BACKEND6[1]}" &&
		add_vip gue4 "$LAB_VIP4:5202/tcp" "${LAB_BACKEND4[1]}" --encap gue &&
		add_vip gue6 "[$LAB_VIP6]:5202/tcp" "${LAB_BACKEND6[1]}" --encap gue &&
		add_vip mixed4 "$LAB_VIP4:5203/tcp" "${LAB_BACKEND6[1]}" --encap gue &&
		add_vip mixed6 "[$LAB_VIP6]:5203/tcp" "${LAB_BACKEND4[1]}" --encap gue &&
		add_vip udp4 "$LAB_VIP4:5202/udp" "${LAB_BACKEND4[1]}" --encap gue &&
		add_vip udp6 "[$LAB_VIP6]:5202/udp" "${LAB_BACKEND6[1]}" --encap gue &&
		lab_ready
}


stop() {
	lab_down || check "nothing remains of the lab" false
}

pings() {
	lab_in client ping -q -c 3 -i 0.2 -W 5 "$@" | grep -q ' 3 received'
}

# --- echo ---

# Of 400 requests at once few are answered; every CPU has a bucket of its own.
flood_is_limited() {
	local before answered limited received
	before=$(verdict tx_echo)
	received=$(lab_in client ping -q -f -l 400 -c 400 -W 1 "$1" | grep -oE '[0-9]+ received')
	answered=$(($(verdict tx_echo) - before))
	limited=$(verdict drop_limited)
	echo "answered $answered, limited $limited, $received"
	[ "${received% *}" = "$answered" ] && [ "$answered" -ge 1 ] && [ "$answered" -lt 300 ] &&
		[ "$limited" -ge 100 ]
}

# The balancer's stack does not have the VIP: only the program can have answered.
echo_run() {
	local before
	start "{\"answer_rate\": $RATE}" >/dev/null || return
	check "echo: a VIP answers ping" pings "$LAB_VIP4"
	check "echo: a VIP answers ping, IPv6" pings "$LAB_VIP6"
	check "echo: a VIP answers a ping of 1500 bytes" pings -s 1472 "$LAB_VIP4"
	check "echo: a VIP answers a ping of 1500 bytes, IPv6" pings -s 1452 "$LAB_VIP6"
	check_equal "echo: the program counts what it answered" 12 "$(verdict tx_echo)"
	before=$(verdict tx_echo)
	check "echo: ping to the balancer's own address reaches the stack" pings "$LAB_BALANCER4"
	check "echo: ping to the balancer's own address, IPv6" pings "$LAB_BALANCER6"
	check_equal "echo: which the program does not answer" "$before" "$(verdict tx_echo)"
	check "echo: a flood of pings is limited" flood_is_limited "$LAB_VIP4"
	stop
}

# --- too big ---

sink() {
	lab_background b1 iperf3 -s -p "$1" >/dev/null 2>&1
	wait_for 5 lab_in b1 iperf3 -c 127.0.0.1 -p "$1" -n 1
}

# upload ADDRESS PORT: 3 MB, which takes path MTU discovery.
upload() {
	lab_in client timeout 60 iperf3 -c "$1" -p "$2" -n 3M --connect-timeout 10000 >/dev/null
}

forget_mtu() {
	lab_ip client -4 route flush cache
	lab_ip client -6 route flush cache
}

learnt_mtu() {
	lab_ip client route get "$1" | grep -oE 'mtu [0-9]+'
}

# discovers WHAT ADDRESS PORT MTU
discovers() {
	local before
	before=$(verdict tx_too_big)
	forget_mtu
	check "too big: an upload goes on at a smaller MTU, $1" upload "$2" "$3"
	check_equal "too big: the client has learnt the MTU, $1" "mtu $4" "$(learnt_mtu "$2")"
	check "too big: it was told by the program, $1" test "$(verdict tx_too_big)" -gt "$before"
}

stalls() {
	! timeout 4 "$@"
}


too_big_run() {
	start && sink 5201 && sink 5202 && sink 5203 || return
	discovers "IPv4" "$LAB_VIP4" 5201 1480
	discovers "IPv6" "$LAB_VIP6" 5201 1460
	discovers "IPv4 in GUE" "$LAB_VIP4" 5202 1472
	discovers "IPv6 in GUE" "$LAB_VIP6" 5202 1452
	discovers "IPv4 in GUE over IPv6" "$LAB_VIP4" 5203 1452
	discovers "IPv6 in GUE over IPv4" "$LAB_VIP6" 5203 1472
	lab_stop_lbd
	lab_start_lbd '{"answer_rate": 0}' && lab_ready || return
	forget_mtu
	check "too big: without answers an upload stalls" stalls nsenter \
		--net="/run/netns/$LAB_ID-client" -- iperf3 -c "$LAB_VIP4" -p 5201 -n 3M \
		--connect-timeout 2000
	check "too big: and is counted" test "$(verdict drop_too_big)" -gt 0
	stop
}

# The same where the driver has no part in it.
generic_run() {
	start '{"xdp_mode": "generic"}' && sink 5201 && sink 5202 || return
	check "generic mode: a VIP answers ping" pings -s 1472 "$LAB_VIP4"
	check "generic mode: a VIP answers ping, IPv6" pings "$LAB_VIP6"
	check_equal "generic mode: by the program" 6 "$(verdict tx_echo)"
	discovers "generic mode, IPv4" "$LAB_VIP4" 5201 1480
	discovers "generic mode, IPv6 in GUE" "$LAB_VIP6" 5202 1452
	stop
}

# --- GUE ---

exchanges() {
	lab_in client "$O/tests/lib/connect_tool" --count 200 --parallel 20 --timeout-ms 2000 "$@" |
		jq -e '.connections == 200 and .failures == 0 and .seen == {b1: 200}'
}

gue_exchanges() {
	lab_serve 5202 && lab_serve 5203 || return
	check "$1: TCP, IPv4" exchanges "$LAB_VIP4" 5202
	check "$1: TCP, IPv6" exchanges "$LAB_VIP6" 5202
	check "$1: TCP, IPv4 over IPv6" exchanges "$LAB_VIP4" 5203
	check "$1: TCP, IPv6 over IPv4" exchanges "$LAB_VIP6" 5203
	check "$1: UDP, IPv4" exchanges --udp "$LAB_VIP4" 5202
	check "$1: UDP, IPv6" exchanges --udp "$LAB_VIP6" 5202
}

gue_run() {
	start || return
	gue_exchanges "GUE to the backend's program"
	stop
}

gue_device_run() {
	local what="GUE to the kernel's receiver"
	modprobe -qa fou fou6 ipip sit ip6_tunnel 2>/dev/null || :
	LAB_DECAP=device lab_up one-armed 1 >/dev/null 2>&1 || {
		skip "$what" "no tunnel devices: modules ipip, sit, ip6_tunnel"
		stop
		return
	}
	if ! lab_ip b1 fou add port 6080 gue 2>/dev/null; then
		skip "$what" "no module fou"
		stop
		return
	fi
	lab_ip b1 -6 fou add port 6080 gue || return
	start_lbd '{}' || return
	gue_exchanges "$what"
	stop
}

# --- VLAN ---

# Between router and balancer frames have the tag 5, and nothing else gets through.
tagged_link() {
	lab_in router ethtool -K rl txvlan off rxvlan off >/dev/null 2>&1
	lab_in balancer ethtool -K l0 txvlan off rxvlan off >/dev/null 2>&1
	lab_batch router <<-EOF || return
		link set rl nomaster
		link add link rl name rl5 type vlan id 5
		link set rl5 master br0 up
	EOF
	lab_batch balancer <<-EOF
		address flush dev l0
		link add link l0 name l05 type vlan id 5
		link set l05 up
		address add $LAB_BALANCER4/24 dev l05
		address add $LAB_BALANCER6/64 dev l05 nodad
		route replace default via 10.0.0.1
		route replace default via fd00:0:0:1::1
	EOF
}

check_says() {
	jq -es --arg name "$1" --arg status "$2" \
		'map(select(.event == "change" and .name == $name)) | last.status == $status' \
		"$LAB_DIR/events"
}

# The checks leave by the VLAN device, and are wrapped on the interface below it.
tagged_health_checks() {
	local name
	jq -n --arg vip4 "$LAB_VIP4" --arg vip6 "[$LAB_VIP6]" --arg backend4 "${LAB_BACKEND4[1]}" \
		--arg backend6 "${LAB_BACKEND6[1]}" '
		[[4, $vip4, $backend4], [6, $vip6, $backend6]] | map({name: "check\(.[0])",
			vip: "\(.[1]):5202/tcp", backend: .[2],
			check: {type: "tcp", source: "tunnel", interval_ms: 200}})' \
		>"$LAB_DIR/targets"
	lab_in balancer ethtool -K l0 tx off >/dev/null 2>&1
	lab_background balancer "$O/tests/lib/health_tool" -p "/sys/fs/bpf/$LAB_ID" -i l0 \
		"$LAB_DIR/targets" >"$LAB_DIR/events"
	for name in check4 check6; do
		check "VLAN: $name, a health check by the way of traffic, passes" \
			wait_for 5 check_says "$name" healthy
	done
	lab_ip b1 address del "$LAB_VIP4/32" dev lo
	check "VLAN: it fails when the backend loses the VIP" wait_for 5 check_says check4 unhealthy
	lab_end "$LAB_PID"
	lab_ip b1 address add "$LAB_VIP4/32" dev lo
}

vlan_run() {
	modprobe -q 8021q 2>/dev/null || :
	lab_up one-armed 1 || return
	if ! lab_ip router link add link rl name vlantest type vlan id 99 2>/dev/null; then
		skip "VLAN: tagged packets are answered and forwarded" "no VLAN devices: module 8021q"
		stop
		return
	fi
	lab_ip router link del vlantest
	tagged_link && start_lbd '{}' || return
	check "VLAN: a tagged ping is answered with its tag" pings "$LAB_VIP4"
	check "VLAN: a tagged ping is answered with its tag, IPv6" pings "$LAB_VIP6"
	check_equal "VLAN: by the program" 6 "$(verdict tx_echo)"
	gue_exchanges "VLAN: tag in, tag out, GUE"
	tagged_health_checks
	sink 5201 || return
	discovers "with tags, IPv4" "$LAB_VIP4" 5201 1480
	discovers "with tags, IPv6" "$LAB_VIP6" 5201 1460
	stop
}

[ $# -gt 0 ] || set -- echo too_big generic gue gue_device vlan
for run; do
	"${run}_run" || check "$run: the lab comes up" false
done
finish
