#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does this kernel take the programs of every compiler? Run by kernels.sh, here and inside the VMs.
#
#   compiled.sh FOLDER COMPILER/load COMPILER/packets …     FOLDER/COMPILER is a build
#
# load: see `loads` of runs.sh. packets: the packet tests pass. In a VM
# those that take millions of packets are left out: they are about what the program remembers.
#
# shellcheck disable=SC2317 # the runs are called by name, through run
set -u

folder=$1
shift
# shellcheck source=tests/vm/runs.sh
. tests/vm/runs.sh

packet_tests() {
	local program status=0
	for program in "$1"/tests/packet/*_test; do
		case $program in
		*/promise_run_test | */random_test) [ ! -e /run/vm/job ] || continue ;;
		esac
		timeout 600 "$program" || status=1
	done
	return "$status"
}

failed=0
for name; do
	case $name in
	*/load)
		run "$name" '^[1-9][0-9]* passed, 0 failed$' loads "$folder/${name%/*}" "${name%/*}/" || failed=1
		;;
	*/packets) run "$name" 'PASSED  ] [1-9]' packet_tests "$folder/${name%/*}" || failed=1 ;;
	*) failed=1 ;;
	esac
done
exit "$failed"
