#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs every test of a build, each runner with its own closing line, and sums up. As root.
#
#   run.sh BUILD SANITIZED-BUILD [PATTERN]     only runners whose name matches the pattern
#
# Scripts mostly wait, so several run side by side, and beside them a test that computes. The output of a runner is
# shown when it has ended. AT_ONCE=1, from the environment: one after another.
set -u
shopt -s nullglob

build=$(realpath "$1")
san=$(realpath "$2")
pattern=${3:-.}
cd "$(dirname "$0")/.." || exit
at_once=${AT_ONCE:-$(($(nproc) + 2))}
runner_seconds=900
# What takes a minute begins first.
long='^(health/|fuzz/|(cli|sanitized)/(storage|tier)|.*/(promise|service)_test$|net/(chance|ecmp|health|nexthop|pmtu|promise|restart|traffic|turns))'
folder=$(mktemp -d)
computing=() waiting=() alone=() # command lines still to be run
declare -A running=()            # process -> kind and name
passed=0
failed=()

# queue KIND NAME command…
queue() {
	local -n lines=$1
	local line
	[[ $2 =~ $pattern ]] || return 0
	printf -v line '%q ' "${@:2}"
	if [[ $2 =~ $long ]]; then
		lines=("$line" "${lines[@]}")
	else
		lines+=("$line")
	fi
}

# In a process of its own. Signals that bash has its background processes ignore are none to ignore for a test.
runner() {
	local name=$1 began=$SECONDS times=$folder/$BASHPID status
	shift
	exec >"$folder/${name//\//_}" 2>&1
	echo "=== $name"
	trap 'kill "$child" && wait "$child"' TERM
	env --default-signal=INT,QUIT timeout --kill-after=30 $runner_seconds "$@" &
	child=$!
	wait "$child"
	status=$?
	trap - TERM
	[ "$status" != 124 ] || echo "$name was ended after $runner_seconds s"
	times >"$times" # not into a pipe: that would be a subshell, with times of its own
	echo "--- $name took $((SECONDS - began)) s, $(cpu_seconds "$times") s of processor time"
	return "$status"
}

cpu_seconds() {
	awk -F '[ms ]+' 'NR == 2 { print int($1 * 60 + $2 + $3 * 60 + $4 + 0.5) }' "$1"
}

# start KIND: the first of its queue
start() {
	local -n rest=$1
	local words
	eval "words=(${rest[0]})"
	rest=("${rest[@]:1}")
	runner "${words[@]}" &
	running[$!]="$1 ${words[0]}"
}

# Until one has ended. cmocka lists every test; only those that are not fine are of interest here.
reap() {
	local pid status name
	wait -n -p pid "${!running[@]}"
	status=$?
	name=${running[$pid]#* }
	unset "running[$pid]"
	grep -avE '^\[( RUN     |       OK) ]' "$folder/${name//\//_}"
	if [ "$status" = 0 ]; then
		passed=$((passed + 1))
	else
		failed+=("$name")
	fi
}

# One that computes has a processor; when no other is left, each has one.
computing_more() {
	local now=0 pid
	for pid in "${!running[@]}"; do
		[[ ${running[$pid]} != computing* ]] || now=$((now + 1))
	done
	[ ${#computing[@]} -gt 0 ] && [ "$now" -lt $((${#waiting[@]} > 0 ? ($(nproc) + 1) / 2 : $(nproc))) ]
}

run_all() {
	while [ $((${#computing[@]} + ${#waiting[@]} + ${#running[@]})) -gt 0 ]; do
		if [ ${#running[@]} -ge "$at_once" ]; then
			reap
		elif computing_more; then
			start computing
		elif [ ${#waiting[@]} -gt 0 ]; then
			start waiting
		else
			reap
		fi
	done
	while [ ${#alone[@]} -gt 0 ]; do
		start alone
		reap
	done
}

# shellcheck disable=SC2317 # at exit
clean_up() {
	trap '' INT TERM HUP
	[ ${#running[@]} = 0 ] || { kill "${!running[@]}" && wait; }
	rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# Before several tests do it at once, one over the other.
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || :

# script KIND TEST [VARIABLE=VALUE…]: named after where it stands
script() {
	queue "$1" "${2#tests/}" env "O=$build" "${@:3}" "$2"
}

for test in "$build"/tests/unit/*_test; do
	queue computing "unit/$(basename "$test")" "$test"
done
for test in "$san"/tests/unit/*_test; do
	queue computing "sanitized/$(basename "$test")" "$test"
done
for test in "$build"/tests/packet/*_test; do
	queue computing "packet/$(basename "$test")" "$test"
done
for test in tests/packet/*_test.sh tests/fuzz/*_test.sh; do
	script computing "$test"
done
for test in tests/net/*_test.sh tests/vm/*_test.sh; do
	script waiting "$test"
done
# On a machine that has other things to do, times mean half of what they say.
for test in tests/health/*_test.sh; do
	script waiting "$test" SLOWER=2
done
for test in tests/cli/*_test.sh; do
	script waiting "$test" "LBD=$build/lbd/lbd" "LBCTL=$build/lbctl/lbctl"
	queue waiting "sanitized/$(basename "$test")" env "O=$san" "LBD=$san/lbd/lbd" "LBCTL=$san/lbctl/lbctl" "$test"
done
for test in examples/*/run.sh; do
	queue waiting "$(dirname "$test")" env "O=$build" "$test"
done
for test in tests/bench/*_test.sh; do
	script alone "$test"
done
run_all

echo
for name in "${failed[@]}"; do
	echo "FAILED: $name"
done
echo "runners: $passed passed, ${#failed[@]} failed, in $SECONDS s"
[ ${#failed[@]} = 0 ] && [ "$passed" -gt 0 ]
