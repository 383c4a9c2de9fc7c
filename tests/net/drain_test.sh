#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a drain move no established connection while others do what is hardest on its record? Its client opens further
# connections under `hash: source`; somebody forges a SYN from each of its ports; the network moves on to a standby that
# no packet has reached.
#
#	drain_test.sh
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh

SEED=00112233445566778899aabbccddeeff # both balancers have the same tables
FLOWS=65536 # so few that flows of one client share buckets
FORGED_RATE=20000 # for 4 s, at most: a SYN from each of the 32,768 ports that forged ones come from, or two

if [ "$(id -u)" != 0 ]; then
	skip "established connections and drains" "root"
	finish
fi

# --- the lab: a VIP for each check, and a second balancer ---

documents() {
	jq -n --arg address "$LAB_VIP4" --args '
		def vip(name; port; more): {name: name, address: "\($address):\(port)/tcp",
			backends: ($ARGS.positional | map({address: .}))} + more;
		{vips: [vip("client"; 7; {hash: "source"}), vip("forged"; 8; {}), vip("standby"; 9; {})]}' \
		"${LAB_BACKEND4[@]}"
}

start() {
	lab_up one-armed 3 && at_exit end_standby && standby_link || return
	lab_sysctl client "ipv4/ip_local_port_range=2000 33000" # within the ports that SYNs are forged from
	lab_start_lbd "{\"xdp_mode\": \"native\", \"hash_seed\": \"$SEED\", \"limits\": {\"flows\": $FLOWS}}" && start_standby && serve_held 7 8 9 || return
	documents >"$LAB_DIR/services.json"
	lbctl config apply "$LAB_DIR/services.json" && standby config apply "$LAB_DIR/services.json" &&
		lab_ready && wait_for 5 standby_ready
}

# drain VIP NUMBER
drain() {
	lbctl backend drain "$1" "${LAB_BACKEND4[$2]}"
}

# --- what is hardest ---

# All connections of a client are at one backend; those that it opens after the drain are at another.
client_opens_more() {
	local held first
	hold client 500 7 || return
	held=$HOLDER
	first=$(tail -n 1 "$LAB_DIR/client.held" | jq -r '.seen | keys[0]')
	drain client "${first#b}" && goes_on client "[\"$first\"]" || return
	hold more 500 7 && holds more ".seen | has(\"$first\") | not" || return
	lab_end "$HOLDER"
	HOLDER=$held
	goes_on client "[\"$first\"]"
}

forge_syns() {
	local mac
	mac=$(lab_ip balancer -json link show l0 | jq -r '.[0].address')
	timeout 30 nsenter --net="/run/netns/$LAB_ID-router" -- "$O/tests/lib/flood_tool" \
		--object "$O/tests/lib/flood.bpf.o" --interface rl --dmac "$mac" --syn --from "$LAB_CLIENT4" \
		--rate "$FORGED_RATE" --seconds 4 "$LAB_VIP4" 8 >"$LAB_DIR/forged"
	cat "$LAB_DIR/forged"
	jq -e '.packets > 32768' "$LAB_DIR/forged" >/dev/null
}

somebody_forges_syns() {
	hold forged 300 8 && drain forged 1 && goes_on forged "$ALL" && forge_syns && goes_on forged "$ALL"
}

# The standby has the same document, and drains when this balancer does.
the_network_moves_on() {
	hold standby 1000 9 && drain standby 1 && standby backend drain standby "${LAB_BACKEND4[1]}" || return
	read -rt 1 <> <(:)
	moves_to "$STANDBY4"
	goes_on standby "$ALL" && standby --json stats standby | jq -e '.vips[0].packets > 4000'
}

ALL='["b1", "b2", "b3"]'
step "two balancers, three backends" start || finish
step "connections whose client opens others, under hash: source, stay where they are" client_opens_more
lab_end "$HOLDER"
step "connections stay where they are although SYNs are forged of all their ports" somebody_forges_syns
lab_end "$HOLDER"
step "connections stay where they are when the network moves to a standby a second later" the_network_moves_on
lab_end "$HOLDER"
step "the standby goes away as a whole" end_standby
check "the lab goes away as a whole" lab_down
finish
