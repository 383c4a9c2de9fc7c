#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is around the balancer in the VM? Run at each boot before the network is up, and so before lbd.
#
#    client 10.8.0.1 -- router -- br0 10.9.0.0/24 -- lb0 (the VM itself, 10.9.0.1)
#                         |              \----------- backends b1 10.9.0.11, b2 10.9.0.12
#                         \------ br1 10.7.0.0/24 --- bond0 (the VM itself, 10.7.0.1) over two veths
#
# The router sends the VIP 192.0.2.10 to lb0, and 192.0.2.20 to bond0.
set -eu
modprobe -a veth bridge ipip bonding

# veth NAME PEER NAMESPACE: NAME in the VM itself
veth() {
	ip link add "$1" mtu 1600 type veth peer name "$2" mtu 1600 netns "$3"
	ip -n "$3" link set "$2" up
}

# A veth hands on what XDP sends into it only where there is a native program, and what it gets from the stack
# must have its checksums.
to_balancer() {
	ip netns exec router ethtool -K "$1" tx off >/dev/null
	ip -n router -force link set dev "$1" xdpdrv obj /job/pass.bpf.o sec xdp.frags
	ip -n router link set "$1" master "$2"
}

for name in router client b1 b2; do
	ip netns add $name
	ip -n $name link set lo up
done
ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0

for bridge in br0:10.9.0.254/24 br1:10.7.0.254/24; do
	ip -n router link add "${bridge%:*}" mtu 1600 type bridge
	ip -n router link set "${bridge%:*}" up
	ip -n router address add "${bridge#*:}" dev "${bridge%:*}"
done

veth lb0 r-lb router
to_balancer r-lb br0
ip address add 10.9.0.1/24 dev lb0
ip link set lb0 up
ip -n router route add 192.0.2.10/32 via 10.9.0.1
ip route add default via 10.9.0.254 # which checks through the tunnel want a route to the VIP by

ip link add bond0 mtu 1600 type bond mode active-backup miimon 100
for port in p0 p1; do
	veth $port r-$port router
	to_balancer r-$port br1
	ip link set $port down
	ip link set $port master bond0
done
ip address add 10.7.0.1/24 dev bond0
ip link set bond0 up
ip -n router route add 192.0.2.20/32 via 10.7.0.1

ip -n router link add r-c type veth peer name c0 netns client
ip -n router address add 10.8.0.254/24 dev r-c
ip -n router link set r-c up
ip -n client address add 10.8.0.1/24 dev c0
ip -n client link set c0 up
ip -n client route add default via 10.8.0.254

for n in 1 2; do
	ip -n router link add r-b$n mtu 1600 type veth peer name b0 mtu 1600 netns b$n
	ip -n router link set r-b$n master br0 up
	ip -n b$n address add 10.9.0.1$n/24 dev b0
	ip -n b$n link set b0 up
	ip -n b$n route add default via 10.9.0.254 advmss 1400
	ip -n b$n link set tunl0 up
	ip -n b$n address add 192.0.2.10/32 dev lo
	ip -n b$n address add 192.0.2.20/32 dev lo
	ip netns exec b$n sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0
done
