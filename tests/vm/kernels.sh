#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does it work on the kernels it claims to work on? What "make test-kernels" runs, as root.
#
#   kernels.sh [-s SUITE -r "RUNS" -t SECONDS] BUILD [SERIES…]        6.1 and 6.12 unless given
#
# Runs SUITE BUILD RUNS…, which is suite.sh unless given, on the newest kernel of each series that Debian offers,
# each in a VM of its own and all at the same time: one takes a CPU and 2 GB at most. The series "running" is this
# machine's kernel, without a VM. RUNS are the runs that the suite has to report. Kernels are kept in $VM_CACHE
# (BUILD/vm unless set), logs of the last run in BUILD/vm/log.
set -u

suite=tests/vm/suite.sh
runs=(load packets traffic gue_and_vlan path_mtu backends)
seconds=1200 # on a machine that has nothing else to do a third of that
while getopts s:r:t: option; do
	case $option in
	s) suite=$OPTARG ;;
	t) seconds=$OPTARG ;;
	r) read -ra runs <<<"$OPTARG" ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
build=$(cd "${1:?BUILD is missing}" && pwd) || exit
shift
[ $# -gt 0 ] || set -- 6.1 6.12
cache=$(realpath -m "${VM_CACHE:-$build/vm}")
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

table=$(mktemp)
declare -A kernels vms # by series
at_exit rm -f "$table"
at_exit stop_vms

# shellcheck disable=SC2317 # called at exit
stop_vms() {
	[ ${#vms[@]} = 0 ] || { kill "${vms[@]}" && wait "${vms[@]}"; }
}

show_console() {
	echo "      | the last lines of $1:"
	tail -n 30 "$1" | tr -d '\r' | sed 's/^/      | /'
}

# Each run counts, also when the VM ended before it came to it.
count_runs() {
	local release=$1 report=$2 run result
	for run in "${runs[@]}"; do
		result=$(awk -v run="$run" '$1 == "run" && $2 == run { print $3 }' "$report")
		check "$release: $run" test "${result:-not done}" = pass
	done
}

start_series() {
	local series=$1 logs=$build/vm/log/$1
	mkdir -p "$logs"
	: > "$logs/report"
	if [ "$series" = running ]; then
		kernels[$series]=$(uname -r)
		VM_REPORT=$logs/report "$suite" "$build" "${runs[@]}" > "$logs/shown" 2>&1 &
		vms[$series]=$!
		return
	fi
	kernels[$series]=$(tests/vm/kernel.sh "$series" "$cache") || return
	echo "=== $(basename "${kernels[$series]}") starts"
	tests/vm/run.sh -t "$seconds" "${kernels[$series]}" "$logs" "$suite" "$build" "${runs[@]}" \
		> "$logs/shown" 2>&1 &
	vms[$series]=$!
}

end_series() {
	local series=$1 logs=$build/vm/log/$1 release status=0
	if [ -z "${vms[$series]:-}" ]; then
		count_runs "no kernel $series" "$logs/report"
		return
	fi
	wait "${vms[$series]}" || status=$?
	unset "vms[$series]"
	release=$(basename "${kernels[$series]}")
	echo "=== $release"
	cat "$logs/shown"
	[ "$status" = 0 ] || [ "$series" = running ] || show_console "$logs/console"
	count_runs "$release" "$logs/report"
	awk -v kernel="$release" '
		$1 == "program" { programs[++count] = kernel " " $2 " " $3 " " $4 " " $5 }
		$1 == "run" { seconds += $4 }
		END { for (i = 1; i <= count; i++) print programs[i], seconds }' "$logs/report" \
		>> "$table"
}

show_table() {
	echo
	printf '%-30s %-24s %14s %13s %12s %8s\n' kernel program verified_insns xlated_bytes \
		jited_bytes seconds
	while read -r kernel program verified xlated jited seconds; do
		printf '%-30s %-24s %14s %13s %12s %8s\n' "$kernel" "$program" "$verified" \
			"$xlated" "$jited" "$seconds"
	done < "$table"
	echo
}

for series; do
	start_series "$series"
done
for series; do
	end_series "$series"
done
show_table
finish
