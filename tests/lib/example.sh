# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# How an example tells what it does. To be sourced by its run.sh.

say() {
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n== %s\n' "$*"
	fi
}

fail() {
	echo "example: FAILED: $*"
	exit 1
}

# typed STATUS lbctl WORDS…: shows the command as one would type it, then runs it; it must exit so.
typed() {
	local expected=$1 status
	shift
	echo "\$ $*"
	"$@" 2>&1
	status=$?
	[ "$status" = "$expected" ] || fail "exit status $status, not $expected"
}
