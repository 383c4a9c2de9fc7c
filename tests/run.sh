#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs every test of a build, each runner with its own closing line, and sums up. As root.
#
#   run.sh BUILD SANITIZED-BUILD [PATTERN]     only runners whose name matches the pattern
set -u
shopt -s nullglob

build=$(realpath "$1")
san=$(realpath "$2")
pattern=${3:-.}
cd "$(dirname "$0")/.." || exit
passed=0
failed=()

# runner NAME command…: its output goes on as it comes; a failure is repeated in the summary.
runner() {
	local name=$1 began=$SECONDS
	shift
	[[ $name =~ $pattern ]] || return 0
	echo "=== $name"
	if "$@"; then
		passed=$((passed + 1))
	else
		failed+=("$name")
	fi
	echo "--- $name took $((SECONDS - began)) s"
}

# cmocka lists every test; only those that are not fine are of interest here.
quiet() {
	"$@" 2>&1 | grep -vE '^\[( RUN     |       OK) ]'
	return "${PIPESTATUS[0]}"
}

# ended PID: the runner that was started aside, when it is done.
ended() {
	local status
	wait "$1"
	status=$?
	cat "$aside"
	return "$status"
}

for program in "$build"/tests/unit/*_test; do
	runner "unit/$(basename "$program")" quiet "$program"
done
for program in "$san"/tests/unit/*_test; do
	runner "sanitized/$(basename "$program")" quiet "$program"
done
for program in "$build"/tests/packet/*_test; do
	runner "packet/$(basename "$program")" quiet "$program"
done
for script in tests/packet/*_test.sh; do
	runner "packet/$(basename "$script")" "$script"
done

# Both builds side by side: these tests mostly wait.
aside=$(mktemp)
trap 'rm -f "$aside"' EXIT
for script in tests/cli/*_test.sh; do
	name=$(basename "$script")
	[[ cli/$name =~ $pattern || sanitized/$name =~ $pattern ]] || continue
	env O="$san" LBD="$san/lbd/lbd" LBCTL="$san/lbctl/lbctl" "$script" >"$aside" 2>&1 &
	sanitized=$!
	runner "cli/$name" env O="$build" LBD="$build/lbd/lbd" LBCTL="$build/lbctl/lbctl" "$script"
	runner "sanitized/$name" ended "$sanitized"
done
for script in tests/net/*_test.sh; do
	runner "net/$(basename "$script")" env O="$build" "$script"
done
for script in tests/bench/*_test.sh; do
	runner "bench/$(basename "$script")" env O="$build" "$script"
done

# On a machine that has other things to do, times mean half of what they say.
for script in tests/health/*_test.sh; do
	runner "health/$(basename "$script")" env O="$build" SLOWER=2 "$script"
done
for script in tests/fuzz/*_test.sh; do
	runner "fuzz/$(basename "$script")" env O="$build" "$script"
done
for example in examples/*/run.sh; do
	runner "$(dirname "$example")" env O="$build" "$example"
done

echo
for name in "${failed[@]}"; do
	echo "FAILED: $name"
done
echo "runners: $passed passed, ${#failed[@]} failed"
[ "${#failed[@]}" = 0 ] && [ "$passed" -gt 0 ]
