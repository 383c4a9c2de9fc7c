#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do packets go on to a backend when the answers to the balancer's neighbour probes are lost, as they are where a flood
# fills the queue of its interface?
#
#	neighbour_test.sh
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

ALL='["b1", "b2"]'

if [ "$(id -u)" != 0 ]; then
	skip "packets to neighbours whose answers are lost" "root"
	finish
fi

# The kernel probes every second or two, and gives up after three probes in 300 ms.
start() {
	lab_up one-armed 2 && serve_held 7 || return
	lab_sysctl balancer ipv4/neigh/l0/{base_reachable_time_ms,interval_probe_time_ms,retrans_time_ms}=100 \
		ipv4/neigh/l0/delay_first_probe_time=1
	lab_start_lbd "" && lbctl vip add "$LAB_VIP4:7/tcp" --name web &&
		lbctl backend add web "${LAB_BACKEND4[1]}" && lbctl backend add web "${LAB_BACKEND4[2]}" &&
		lab_ready && hold web 50 7
}

lose_answers() {
	lab_in balancer nft -f - <<-EOF
		table arp lost {
			chain in {
				type filter hook input priority 0
				arp saddr ip ${LAB_BACKEND4[1]} drop
			}
		}
	EOF
}

# is STATE REASON: the next hop to the first backend
is() {
	lbctl --json status | jq -e --arg gateway "${LAB_BACKEND4[1]}" --arg state "$1" --arg reason "$2" \
		'.next_hops[] | select(.gateway == $gateway) | .state == $state and (.reason // "") == $reason'
}

step "two backends, and connections to both" start || finish
lose_answers
check "a neighbour whose answers are lost is told as unresolved" wait_for 10 is unresolved \
	"neighbour does not answer; its last MAC address is used for a minute"
check "all connections go on" goes_on web "$ALL"
lab_in balancer nft delete table arp lost
check "when answers arrive again it is resolved" wait_for 10 is resolved ""
check "and all connections go on" goes_on web "$ALL"
check_equal "no packet was dropped" 0 "$(lbctl --json stats |
	jq '[.verdicts[] | select(.action == "drop") | .packets] | add')"
check "the lab goes away as a whole" lab_down
finish
