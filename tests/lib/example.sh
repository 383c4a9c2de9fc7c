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

# typed STATUS COMMAND WORDS…: shows the command as one would type it, then runs it; it must exit so.
typed() {
	echo "\$ ${*:2}"
	exits "$@"
}

# typed_on NODE STATUS WORDS…: the same with lbctl on a node, which a function of that name runs.
typed_on() {
	echo "$1\$ lbctl ${*:3}"
	exits "$2" "$1" "${@:3}"
}

exits() {
	local expected=$1 status
	shift
	"$@" 2>&1
	status=$?
	[ "$status" = "$expected" ] || fail "exit status $status, not $expected"
}
