# shellcheck shell=bash
# Sourced by test scripts: one line a check, a closing line, and clean-up that always runs.
#
#   check "promise in words" command args…     passes when the command exits 0; else its output is shown
#   step "promise" command args…               the same without a subshell, for what changes variables
#   check_equal "promise" EXPECTED ACTUAL      shows a diff when they differ
#   skip "promise" "missing capability"        counted apart, never as passed
#   wait_for SECONDS command args…             until the command exits 0; 1 when it never did. Only the pauses between
#                                              tries count, so that a busy machine gets more time
#   hurry                                      for a test that measures times: it, and what it starts after that, comes
#                                              first on a busy machine
#   at_exit command args…                      run at the end, last registered first, whatever happens
#   finish                                     prints "N passed, N failed" and exits accordingly

PASSED=0
FAILED=0
SKIPPED=0
AT_EXIT=()

check() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	if [ "$status" = 0 ]; then
		PASSED=$((PASSED + 1))
		echo "ok    $name"
	else
		FAILED=$((FAILED + 1))
		echo "FAIL  $name (exit $status: $*)"
		printf '%s\n' "$output" | head -60 | sed 's/^/      | /'
	fi
	return "$status"
}

step() {
	local name=$1 output status
	shift
	output=$(mktemp)
	"$@" >"$output" 2>&1
	status=$?
	check "$name" outcome "$status" "$output" "$@"
	rm -f "$output"
	return "$status"
}

outcome() {
	cat "$2"
	return "$1"
}

check_equal() {
	if [ "$2" = "$3" ]; then
		PASSED=$((PASSED + 1))
		echo "ok    $1"
	else
		FAILED=$((FAILED + 1))
		echo "FAIL  $1"
		diff -u --label expected --label actual <(printf '%s\n' "$2") <(printf '%s\n' "$3") |
			head -60 | sed 's/^/      | /'
		return 1
	fi
}

skip() {
	SKIPPED=$((SKIPPED + 1))
	echo "skip  $1 ($2)"
}

wait_for() {
	local left_ms=$(($1 * 1000)) pause_ms=5
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$left_ms" -gt 0 ] || return 1
		read -rt "0.0$((pause_ms / 10))$((pause_ms % 10))" <> <(:) || :
		left_ms=$((left_ms - pause_ms))
		pause_ms=$((pause_ms < 40 ? pause_ms * 2 : 50))
	done
}

hurry() {
	renice -n -10 -p "$$" >/dev/null 2>&1 || :
}

at_exit() {
	local quoted
	printf -v quoted '%q ' "$@"
	AT_EXIT+=("$quoted")
	trap run_at_exit EXIT
	trap 'exit 130' INT TERM HUP
}

run_at_exit() {
	local status=$? i
	trap - EXIT
	for ((i = ${#AT_EXIT[@]} - 1; i >= 0; i--)); do
		eval "${AT_EXIT[$i]}" >/dev/null 2>&1 || :
	done
	exit "$status"
}

finish() {
	if [ "$SKIPPED" -gt 0 ]; then
		echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	else
		echo "$PASSED passed, $FAILED failed"
	fi
	[ "$FAILED" = 0 ] || exit 1
	exit 0
}
