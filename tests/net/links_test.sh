#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is the list of links whole while others come and go?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath "${O:-build}")
NETNS=lb$$-links
PAIRS=100 # more than one read of a dump takes
CHURN_PID=
at_exit ip netns delete "$NETNS"
at_exit stop_churn

stop_churn() {
	[ -z "$CHURN_PID" ] || { kill "$CHURN_PID" && wait "$CHURN_PID"; }
	CHURN_PID=
}

make_pairs() {
	local i
	for ((i = 0; i < PAIRS; i++)); do
		echo "link add s$i type veth peer name t$i"
	done | ip -n "$NETNS" -batch -
}

# Bridges that come and go, until nobody reads, or for a minute.
churn_commands() {
	local end=$((SECONDS + 60)) i
	while [ "$SECONDS" -lt "$end" ]; do
		for i in {1..8}; do echo "link add c$i type bridge" || return; done
		for i in {1..8}; do echo "link del c$i" || return; done
	done 2>/dev/null
}

churn() {
	exec ip -n "$NETNS" -batch <(churn_commands)
}

churns() {
	ip -n "$NETNS" -brief link show | grep '^c'
}

lists() {
	local names=() i
	for ((i = 0; i < PAIRS; i++)); do
		names+=("s$i" "t$i")
	done
	nsenter --net="/run/netns/$NETNS" "$O/tests/lib/links_tool" "$1" "${names[@]}"
}

ip netns add "$NETNS"
check "there are $PAIRS pairs of links" make_pairs
churn &
CHURN_PID=$!
check "others come and go" wait_for 5 churns
check "1,000 lists that were read meanwhile are whole" lists 1000
check "and others still come and go" wait_for 5 churns
stop_churn
finish
