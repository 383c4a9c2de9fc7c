#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a new user find the way from the Makefile: help, a quiet build, a lab that stays? KEEP=1 needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

DIR=$(mktemp -d)
at_exit rm -rf "$DIR"

help_is_first() {
	make -s help | awk '/^$/ { exit } NR > 1' | grep -oE '^(sudo )?make( demo| test| deb)?' | tr '\n' ',' |
		grep -x 'make,sudo make demo,sudo make test,make deb,'
}

quietly() {
	tests/lib/quietly.sh "$DIR/log" "something" "$@" >"$DIR/shown" 2>&1
}

loud_when_it_fails() {
	! quietly sh -c 'echo CC a.o; echo oops; exit 3' && grep -q oops "$DIR/shown"
}

check "make help begins with what users need first" help_is_first
check "it names the example of a drain" grep -q examples/02-drain <(make -s help)
check "so does the README" grep -q examples/02-drain README.md
check "a build that succeeds is one line" quietly sh -c 'echo CC a.o; echo CC b.o'
check_equal "and no more" "  BUILD   something" "$(cat "$DIR/shown")"
check "one that fails shows its log, and fails" loud_when_it_fails

# The lab of the demo stays until Enter: enter it as it says, then press Enter.
stays() {
	mkfifo "$DIR/keys"
	KEEP=1 O=build examples/01-demo/run.sh <>"$DIR/keys" >"$DIR/demo" 2>&1 &
	DEMO=$!
	at_exit kill "$DEMO"
	wait_for 120 grep -q 'until Enter or Ctrl-C' "$DIR/demo" || { cat "$DIR/demo" && return 1; }
}

# works WORD: the line with it, as the demo has printed it
works() {
	local line
	line=$(grep "^sudo .*$1" "$DIR/demo" | head -n 1)
	echo "$line"
	bash -c "${line#sudo }"
}

# A demo that has ended by itself reads no key.
ends() {
	kill -0 "$DEMO" && echo >"$DIR/keys" && wait "$DEMO"
}

if [ "$(id -u)" != 0 ]; then
	skip "the demo with KEEP=1" "root"
	finish
fi
step "KEEP=1 leaves the demo's lab there" stays
check "its line for lbctl works" works 'lbd.sock backend list'
check "its line for the client works" works curl
step "Enter ends it" ends
check "and all of it is gone" test -z "$(ip netns list | grep "$(grep -oE 'netns/lb[0-9]+-1' "$DIR/demo" | head -n 1 | cut -d/ -f2)")"
finish
