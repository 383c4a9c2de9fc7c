#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What has to work on every kernel? Run inside the VM by kernels.sh, in the project's folder.
#
#   suite.sh BUILD [RUN…]
#
# Six runs, or those that are named: the programs load; the packet tests pass; real traffic flows, and health checks
# pass, to backends that have the kernel's own ipip device; the same with the kernel's own GUE receiver and VLAN devices;
# path MTUs are found out; and backends whose tunnel devices lbd-backend makes pass packets on to each other.
# $RUN_SECONDS (600 unless set) is what a run, or one of the packet tests, may take.
#
# shellcheck disable=SC2317 # the runs are called by name, through run
set -u

build=$1
asked=" ${*:2} "
RUN_SECONDS=${RUN_SECONDS:-600}
# shellcheck source=tests/vm/runs.sh
. tests/vm/runs.sh

packet_tests() {
	local program status=0
	for program in "$build"/tests/packet/*_test; do
		timeout "$RUN_SECONDS" "$program" || status=1
	done
	return "$status"
}

traffic_test() {
	O=$build NET_QUICK=1 LAB_DECAP=device timeout "$RUN_SECONDS" bash tests/net/traffic_test.sh
}

gue_and_vlan() {
	O=$build timeout "$RUN_SECONDS" bash tests/net/answer_test.sh gue_device vlan
}

path_mtu() {
	O=$build timeout "$RUN_SECONDS" bash tests/net/pmtu_test.sh narrow_ways
}

backends() {
	O=$build NET_QUICK=1 timeout "$RUN_SECONDS" bash tests/net/backend_test.sh kernel
}

# try NAME CLOSING COMMAND…: a run, unless others are asked for
try() {
	[ "$asked" = "  " ] || [[ $asked == *" $1 "* ]] || return 0
	run "$@" || failed=1
}

failed=0
for module in veth bridge tun ipip ip6_tunnel sit fou fou6 8021q; do
	modprobe "$module" || failed=1
done
try load '^[1-9][0-9]* passed, 0 failed$' loads "$build" ""
try packets 'PASSED  ] [1-9]' packet_tests
try traffic '^[1-9][0-9]* passed, 0 failed' traffic_test
try gue_and_vlan '^[1-9][0-9]* passed, 0 failed$' gue_and_vlan
try path_mtu '^[1-9][0-9]* passed, 0 failed$' path_mtu
try backends '^[1-9][0-9]* passed, 0 failed$' backends
exit "$failed"
