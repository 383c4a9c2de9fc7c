#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A balancer that forwards for others too: does lbd warn that a packet to a VIP's address on another port loops between
# router and balancer, and does what it advises stop both?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

OTHER_PORT=9999

# Counts every packet to that port that the balancer's stack gets.
count_rules() {
	cat <<-EOF
		table inet loops {
			counter seen4 {}
			counter seen6 {}
			chain in {
				type filter hook prerouting priority -300
				meta nfproto ipv4 udp dport $OTHER_PORT counter name seen4
				meta nfproto ipv6 udp dport $OTHER_PORT counter name seen6
			}
		}
	EOF
}

seen() {
	lab_in balancer nft -j list counter inet loops "seen$1" | jq '.nftables[] | .counter? // empty | .packets'
}

start() {
	lab_up one-armed 1 && lab_in balancer nft -f - < <(count_rules) &&
		lab_sysctl balancer ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 &&
		lab_ip balancer route replace default via fd00:0:0:1::1 &&
		lab_start_lbd "" && lbctl vip add "$LAB_VIP4:80/tcp" --name web4 && lbctl backend add web4 "${LAB_BACKEND4[1]}" &&
		lbctl vip add "[$LAB_VIP6]:80/tcp" --name web6 && lbctl backend add web6 "${LAB_BACKEND6[1]}" && lab_ready
}

# one_packet ADDRESS: with a TTL of 64
one_packet() {
	# shellcheck disable=SC2016 # expands in the namespace
	lab_in client bash -c 'echo >"/dev/udp/$1/$2"' - "$1" "$OTHER_PORT"
}

# still FAMILY: the count is no longer growing.
still() {
	local before
	before=$(seen "$1")
	read -rt 0.3 <> <(:)
	[ "$(seen "$1")" = "$before" ]
}

# arrivals FAMILY ADDRESS: how often one packet passes the balancer's stack.
arrivals() {
	local before
	before=$(seen "$1")
	one_packet "$2"
	wait_for 5 seen_more "$1" "$before"
	wait_for 5 still "$1"
	echo $(($(seen "$1") - before))
}

seen_more() {
	[ "$(seen "$1")" -gt "$2" ]
}

loops() {
	local times
	times=$(arrivals "$@")
	echo "it came $times times"
	[ "$times" -gt 10 ]
}

# warned WORDS: by status, now
warned() {
	lbctl --json status | jq -e --arg words "$1" 'any(.warnings[]; startswith($words) and contains("loops until its TTL ends"))'
}

not_warned() {
	lbctl --json status | jq -e --arg words "$1" 'all(.warnings[]; startswith($words) | not)'
}

# cure COMMAND…: one that the warning of status names.
cure() {
	lbctl --json status | grep -qF "$*" && lab_in balancer "$@"
}

answers() {
	lab_in client "$O/tests/lib/connect_tool" --timeout-ms 500 "$1" 80
}

# family NUMBER VIP BITS IP…: it loops, is told, and each of the ways out ends both.
family() {
	local number=$1 vip=$2 bits=$3
	shift 3
	check "IPv$number: a packet to the VIP on another port loops" loops "$number" "$vip"
	check "IPv$number: status warns of it" wait_for 8 warned "IPv$number forwarding is on at l0, and the VIP address $vip "
	check "IPv$number: a blackhole route, as it says," cure "$@" route add blackhole "$vip/$bits"
	check_equal "IPv$number: ends the loop" 1 "$(arrivals "$number" "$vip")"
	check "IPv$number: and the warning" wait_for 8 not_warned "IPv$number"
	check "IPv$number: the VIP is served as before" answers "$vip"
	lab_in balancer "$@" route del blackhole "$vip/$bits"
	check "IPv$number: without it, the warning is back" wait_for 8 warned "IPv$number"
	check "IPv$number: the VIP on lo, as it says," cure "$@" address add "$vip/$bits" dev lo
	check_equal "IPv$number: ends the loop, too" 1 "$(arrivals "$number" "$vip")"
	check "IPv$number: and the warning" wait_for 8 not_warned "IPv$number"
	check "IPv$number: the VIP is served as before" answers "$vip"
	lab_in balancer "$@" address del "$vip/$bits" dev lo
}

# Something on the balancer listens on a port of its own address, and then a VIP takes that port.
shadowed() {
	local says="VIP own has an address of this machine, $LAB_BALANCER4, and a program here listens on its TCP port 9000: "
	lab_serve 9000 balancer
	lbctl vip add "$LAB_BALANCER4:9000/tcp" --name own >"$LAB_DIR/reply"
	check "a VIP on the balancer's own address, where something listens: the reply warns" grep -F "warning: $says" "$LAB_DIR/reply"
	check "status warns, too" wait_for 8 warned_of_own "$says"
	check_equal "a VIP where nothing listens: the reply does not warn" "vip free: added" \
		"$(lbctl vip add "$LAB_BALANCER4:9001/tcp" --name free)"
	lbctl vip del own >/dev/null
	check "without the VIP there is no warning" wait_for 8 not_warned "VIP own"
}
warned_of_own() { lbctl --json status | jq -e --arg words "$1" 'any(.warnings[]; startswith($words))'; }

start >/dev/null # not through check: its subshell would keep the names
check "the lab is up, with a balancer that forwards" test $? = 0
lab_serve 80
family 4 "$LAB_VIP4" 32 ip
family 6 "$LAB_VIP6" 128 ip -6
lab_stop_lbd
lab_start_lbd ""
check "a start warns of both families" grep -q "warning: IPv4 forwarding is on at l0" "$LAB_DIR/lbd.log"
check "with IPv6" grep -q "warning: IPv6 forwarding is on at l0" "$LAB_DIR/lbd.log"
lab_sysctl balancer ipv4/ip_forward=0 ipv6/conf/all/forwarding=0
shadowed
check "without forwarding there is no warning" wait_for 8 not_warned IPv4
check "of either" not_warned IPv6
finish
