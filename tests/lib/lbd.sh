# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# An lbd of a test's own, in the network namespace $ID: its configuration is $DIR/lbd.json, with the socket $DIR/lbd.sock.
# To be sourced by a test, after check.sh, that sets LBD, LBCTL, ID and DIR.

# run_lbd NAME: by $DIR/NAME.json. Takes the place of the subshell it must be called in, so that $! is lbd's.
run_lbd() {
	exec nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/$1.json" 2>>"$DIR/log"
}

# Not through check, which runs in a subshell: LBD_PID would be lost.
start_lbd() {
	run_lbd lbd &
	LBD_PID=$!
	wait_for 20 lb version || {
		cat "$DIR/log"
		return 1
	}
}

# stop_lbd [SIGNAL]
stop_lbd() {
	kill "-${1:-TERM}" "$LBD_PID"
	wait "$LBD_PID"
} 2>/dev/null

lb() {
	"$LBCTL" --socket "$DIR/lbd.sock" "$@"
}

# exits CODE command args…: what the command printed goes to $DIR/out.
exits() {
	local expected=$1 status
	shift
	"$@" >"$DIR/out" 2>&1
	status=$?
	[ "$status" = "$expected" ] || {
		echo "exit $status"
		cat "$DIR/out"
		return 1
	}
}
