#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd forward packets on an arm64 kernel? What "make test-arm64-kernel" runs, as root.
#
#   kernel_test.sh CACHE     where bare Debians are kept; the arm64 kernel and its system come beside them
#
# Debian 12's arm64 kernel, in a VM: the programs load, the packet tests below pass, and traffic goes through network
# namespaces. The VM is emulated on this machine, whose memory order forgives more than an arm64 processor's.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cache=$1
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck source=tests/arm64/cross.sh
. tests/arm64/cross.sh

# Rows: a frame, its verdict, the whole frame that leaves; and whole frames of fragments and of lists of backends. Left out
# are tests of many random frames, or of thousands of VIPs or changes, as too long there: explain, flow, guard,
# guard_list, index, maps, promise_run, quic, random, syn, trace and wide.
ROWS=(answer apart chance counts decap follow fragment outer packet second)
RUNS=(load packets traffic)
VM_SECONDS=4800 RUN_SECONDS=1800 # on a machine that has nothing else to do a part of that

# What the runs need, and nothing that was not built for arm64.
programs() {
	local file programs=(build/lbd/lbd build/lbctl/lbctl)
	for file in "$work"/lbd/tests/{lib,vm}/*_tool.c "${ROWS[@]/#/$work/lbd/tests/packet/}"; do
		file=${file#"$work/lbd/"}
		case $file in
		*.c) programs+=("build/${file%.c}") ;;
		*) programs+=("build/${file}_test") ;;
		esac
	done
	build all bpf-objects "${programs[@]}" || return
	mkdir "$work/tree" && (cd "$work/lbd" && cp -r --parents tests docs examples bpf/*.h build/{bpf,tests}/ -t "$work/tree" &&
		cp --parents "${programs[@]:0:2}" -t "$work/tree") && find "$work/tree/build" -name '*.o' ! -name '*.bpf.o' -delete
}

in_vm() {
	tests/arm64/vm.sh -t $VM_SECONDS "$cache/$RELEASE.arm64-vm" "$work/tree" "$work/vm" \
		env RUN_SECONDS=$RUN_SECONDS tests/vm/suite.sh build "${RUNS[@]}"
}

passed() {
	grep -q "^run $1 pass" "$work/vm/report"
}

cross_begin "$cache"
check "programs and tools for arm64 are built" programs || finish
check "Debian's arm64 kernel is there" tests/arm64/root.sh $RELEASE "$cache" || finish
mkdir "$work/vm"
in_vm >"$work/shown" 2>&1
sed 's/^/      | /' "$work/shown"
for run in "${RUNS[@]}"; do
	check "arm64 kernel: $run, $(awk -v run="$run" '$2 == run { print $4 }' "$work/vm/report") s" passed "$run"
done
finish
