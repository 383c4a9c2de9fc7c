#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes parallel copies of a small topology for lanes.h, sets up what the kernel itself can balance
# with, runs "live" there and takes it all away again. As root.
#
#	live.sh BUILD [options of live]
#
#   ns ID-g: gN ── inN [ns ID-uN] outN ── sN :ns ID-s
#
# N is the number of the lane; lane 12 is a second port of lane 3's. Prints what "live" prints.
set -eu

build=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
id=lbb$$
lanes=12 # 0 … 11
second_port=12 second_port_of=3
ipv6=13
forward=9 dnat=10 ipvs=11
listed=14 listed_nft=15 listed_ipset=16 listed_rules=17
nodes=()

clean_up() {
	local node
	for node in "${nodes[@]}"; do
		ip netns delete "$id-$node" 2>/dev/null || :
	done
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# shellcheck disable=SC2016 # expands in the namespace
node() {
	nodes+=("$1") # first, so that an interrupt in between leaves nothing
	ip netns add "$id-$1"
	nsenter --net="/run/netns/$id-$1" bash -c 'cd /proc/sys/net
		echo 1 >ipv6/conf/all/disable_ipv6
		echo 1 >ipv6/conf/default/disable_ipv6
		echo 1 >ipv4/ip_forward
		echo 0 >ipv4/conf/all/rp_filter
		echo 0 >ipv4/conf/default/rp_filter' 2>/dev/null
	ip -n "$id-$1" link set lo up
}

# lane N NODE: its links. MAC addresses are those that lanes.c writes into frames. Frames that come in
# by XDP reach the kernel's stack, or generic XDP, only with GRO on.
lane() {
	local n=$1 mac
	mac=$(printf '%02x' "$n")
	ip -n "$id-$2" -batch - <<-LINKS
		link add in$n mtu 1600 address 02:00:00:00:01:$mac type veth peer name g$n mtu 1600 address 02:00:00:00:02:$mac netns $id-g
		link add out$n mtu 1600 address 02:00:00:00:03:$mac type veth peer name s$n mtu 1600 address 02:00:00:00:04:$mac netns $id-s
		link set in$n up
		link set out$n up
		address add 10.250.$n.1/24 dev out$n
		neighbour add 10.250.$n.2 lladdr 02:00:00:00:04:$mac dev out$n nud permanent
		route replace 198.18.0.0/15 dev in$n
		route replace 10.200.0.0/16 via 10.250.$n.2
	LINKS
	ip -n "$id-g" link set "g$n" up
	ip -n "$id-s" link set "s$n" up
	nsenter --net="/run/netns/$id-$2" ethtool -K "in$n" gro on >/dev/null 2>&1
}

# The VIP is 10.64.0.0, its backends are 10.200.0.1 … 10.200.0.100.
backends() {
	local i
	for ((i = 1; i <= 100; i++)); do
		echo "10.200.0.$i"
	done
}

set_up_forward() {
	ip -n "$id-u$forward" route add 10.64.0.0/16 via "10.250.$forward.2"
}

# A random backend for each new connection, which conntrack remembers.
set_up_dnat() {
	local map
	map=$(backends | awk '{ printf "%s%d : %s", sep, NR - 1, $1; sep = ", " }')
	modprobe -qa nf_tables nf_conntrack nft_ct nft_chain_nat nft_nat nft_numgen 2>/dev/null || :
	nsenter --net="/run/netns/$id-u$dnat" nft -f - <<-RULES || return
		table ip lb {
			chain prerouting {
				type nat hook prerouting priority dstnat;
				ip daddr 10.64.0.0 tcp dport 443 dnat to numgen random mod 100 map { $map }
			}
		}
	RULES
	nsenter --net="/run/netns/$id-u$dnat" sh -c 'echo 0 >/proc/sys/net/netfilter/nf_conntrack_checksum'
}

# Maglev hashing and tunnels, which is what the balancer does. Not every kernel has it.
set_up_ipvs() {
	local backend
	modprobe -qa ip_vs ip_vs_mh ipip 2>/dev/null || :
	command -v ipvsadm >/dev/null || return
	ip -n "$id-u$ipvs" address add 10.64.0.0/32 dev lo || return
	# Connections may begin with an ACK.
	nsenter --net="/run/netns/$id-u$ipvs" sh -c 'echo 1 >/proc/sys/net/ipv4/vs/sloppy_tcp' 2>/dev/null || return
	nsenter --net="/run/netns/$id-u$ipvs" ipvsadm -A -t 10.64.0.0:443 -s mh -b mh-port 2>/dev/null || return
	for backend in $(backends); do
		nsenter --net="/run/netns/$id-u$ipvs" ipvsadm -a -t 10.64.0.0:443 -r "$backend" -i -w 1 || return
	done
}

# The clients of 64 flows, and others to make 10,000; lanes.c and world.c have the same.
clients() { seq -f 198.18.0.%.0f 0 63; }
others() { # COUNT
	awk -v "n=$1" 'BEGIN { for (i = 0; i < n; i++) { a = i * 641; print "20." int(a / 65536) "." int(a / 256) % 256 "." a % 256 } }'
}
pass_others() { # LANE: to the sink
	ip -n "$id-u$1" route add 10.64.0.0/16 via "10.250.$1.2"
}
in_lane() { # LANE COMMAND...
	local n=$1
	shift
	nsenter --net="/run/netns/$id-u$n" "$@"
}

set_up_listed_nft() {
	pass_others "$listed_nft" || return
	{
		echo 'table netdev guard { set listed { type ipv4_addr; elements = {'
		{ clients && others 9936; } | paste -sd ,
		echo '} }'
		echo "chain in { type filter hook ingress device in$listed_nft priority -500; ip saddr @listed drop; }; }"
	} | in_lane "$listed_nft" nft -f -
}

set_up_listed_ipset() {
	pass_others "$listed_ipset" || return
	{
		echo 'create listed hash:ip hashsize 16384 maxelem 10000'
		{ clients && others 9936; } | sed 's/^/add listed /'
	} | in_lane "$listed_ipset" ipset restore || return
	in_lane "$listed_ipset" iptables -t raw -A PREROUTING -m set --match-set listed src -j DROP
}

# The clients in the middle: a packet meets half of the rules.
set_up_listed_rules() {
	pass_others "$listed_rules" || return
	{
		echo '*raw'
		{ others 18 && clients && others 36 | tail -18; } | sed 's/.*/-A PREROUTING -s & -j DROP/'
		echo COMMIT
	} | in_lane "$listed_rules" iptables-restore
}

modprobe -qa veth sch_ingress cls_bpf 2>/dev/null || :
node g
node s
for n in $(seq 0 $((lanes - 1))) "$ipv6" "$listed" "$listed_nft" "$listed_ipset" "$listed_rules"; do
	node "u$n"
	lane "$n" "u$n"
done
lane "$second_port" "u$second_port_of"
set_up_forward
without=()
set_up_dnat 2>/dev/null || without+=(--without dnat)
set_up_ipvs 2>/dev/null || without+=(--without ipvs)
for way in nft ipset rules; do
	"set_up_listed_$way" 2>/dev/null || without+=(--without "listed-$way")
done
[ "${#without[@]}" = 0 ] || echo "live.sh: this machine lacks what these need: ${without[*]}" >&2
"$build/tests/bench/live" --id "$id" "${without[@]}" "$@"
