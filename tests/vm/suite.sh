#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What has to work on every kernel? Run inside the VM by kernels.sh, in the project's folder.
#
#   suite.sh BUILD
#
# Six runs: the programs load; the packet tests pass; real traffic flows, and health checks pass,
# to backends that have the kernel's own ipip device; the same with the kernel's own GUE receiver and
# VLAN devices; path MTUs are found out; and backends whose tunnel devices lbd-backend makes pass
# packets on to each other.
#
# shellcheck disable=SC2317 # the runs are called by name, through run
set -u

build=$1
# shellcheck source=tests/vm/runs.sh
. tests/vm/runs.sh

packet_tests() {
	local program status=0
	for program in "$build"/tests/packet/*_test; do
		timeout 600 "$program" || status=1
	done
	return "$status"
}

traffic_test() {
	O=$build NET_QUICK=1 LAB_DECAP=device timeout 600 bash tests/net/traffic_test.sh
}

gue_and_vlan() {
	O=$build timeout 600 bash tests/net/answer_test.sh gue_device vlan
}

path_mtu() {
	O=$build timeout 600 bash tests/net/pmtu_test.sh narrow_ways
}

backends() {
	O=$build NET_QUICK=1 timeout 600 bash tests/net/backend_test.sh kernel
}

failed=0
for module in veth bridge tun ipip ip6_tunnel sit fou fou6 8021q; do
	modprobe "$module" || failed=1
done
run load '^[1-9][0-9]* passed, 0 failed$' loads "$build" "" || failed=1
run packets 'PASSED  ] [1-9]' packet_tests || failed=1
run traffic '^[1-9][0-9]* passed, 0 failed' traffic_test || failed=1
run gue_and_vlan '^[1-9][0-9]* passed, 0 failed$' gue_and_vlan || failed=1
run path_mtu '^[1-9][0-9]* passed, 0 failed$' path_mtu || failed=1
run backends '^[1-9][0-9]* passed, 0 failed$' backends || failed=1
exit "$failed"
