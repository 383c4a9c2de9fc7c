#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How is one of two balancers taken out of the network without breaking a connection?
#
#   run.sh [bird|frr|keepalived]
#
# Run as root after `make tests`, with bird2, frr or keepalived installed. Takes everything down again, also on Ctrl-C.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/example.sh
. tests/lib/example.sh
# shellcheck source=examples/03-bgp/lab.sh
. examples/03-bgp/lab.sh

DAEMON=${1:-bird}
HELD=300
ALL='["b1", "b2", "b3"]'

router_says() {
	echo "router\$ ip route show $LAB_VIP4"
	lab_ip router route show "$LAB_VIP4"
	[ "$DAEMON" != keepalived ] || lab_ip router neighbour show 10.0.0.100
}

# settles lb1|lb2|both: until the router sends packets there, and nowhere else.
settles() {
	if [ "$DAEMON" = keepalived ]; then
		wait_for 15 has_address "${1/both/lb1}" || fail "$1 does not get the address"
	elif [ "$1" = both ]; then
		wait_for 30 leads_to "$LB1" "$LB2" || fail "the router does not use both"
	else
		wait_for 5 leads_to "$LB2" || fail "the router does not go over to lb2"
	fi
}

has_address() {
	local node=balancer
	[ "$1" = lb1 ] || node=standby
	lab_ip "$node" -4 address show | grep -qF 10.0.0.100
}

none_broke() {
	goes_on held "$ALL" >/dev/null || fail "connections broke: $(tail -n 1 "$LAB_DIR/held.held")"
	tail -n 1 "$LAB_DIR/held.held" | jq -c '{open, resets, stalls, seen}'
}

say "Two balancers with one service document, three backends, and a router that knows of no VIP"
tier_up >/dev/null || exit
typed_on lb1 0 node show
speak "$DAEMON" || exit

say "$DAEMON learns of the routes in table 76, and tells the router"
echo "lb1\$ ip route show table 76"
lab_ip balancer route show table 76
settles both
router_says

say "$HELD connections that live on"
hold held "$HELD" 7 || fail "not all connections were made"
none_broke

say "lb1 leaves the network: its routes go, the router follows, and packets stop"
typed_on lb1 0 node drain --wait 20s
settles lb2
router_says
none_broke

say "A restart does not bring it back; undrain does"
lab_stop_lbd
lab_start_lbd "$(cat examples/03-bgp/lbd.json)" || exit
typed_on lb1 0 node show
typed_on lb1 0 node undrain
settles both
router_says
none_broke

say "lbd is killed: the data plane goes on, and so do the routes"
kill -KILL "$LAB_LBD"
lab_stop_lbd
settles both
router_says
none_broke

lab_end "$HOLDER"
tier_down
lab_down || fail "the lab did not go away as a whole"
echo
echo "example: all as promised; the lab is gone again"
