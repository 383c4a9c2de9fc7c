# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by scripts that have calls of lbd fail, or be its last (tests/lib/fault.c).
#
#   wrap_lbd                      after lab_up: LBD is from now on one with the library that makes calls fail
#   unwrap_lbd
#   fault RULE…                   from now on; no_fault ends it
#   struck                        some call has been hit
#   exits CODE command args…      what the command printed goes to $LAB_DIR/out
#   at_every_call OLD NEW PREPARE command…
#                                 lbd is killed before each call in the folder SAVED, or for a reply, that the command,
#                                 of lbctl, makes it do; PREPARE makes OLD so again each time. Sets CALLS. At most
#                                 CALLS_MAX. The script has start_lbd, and old_or_new OLD NEW STATUS, which says whether
#                                 what is there is right

REAL_LBD=$LBD
FAULTS=

# The sanitizers' library insists on being the first.
preload() {
	local first
	first=$(ldd "$REAL_LBD" | awk '/libasan/ { print $3 }')
	echo "${first:+$first:}$(realpath "$O/tests/lib/fault.so")"
}

wrap_lbd() {
	FAULTS=$LAB_DIR/fault
	LBD=$LAB_DIR/lbd
	cat >"$LBD" <<-END
		#!/bin/sh
		export LD_PRELOAD="$(preload)" FAULT_CONTROL="$FAULTS"
		exec "$REAL_LBD" "\$@"
	END
	chmod +x "$LBD"
}

# Detaching is not on trial, and must work when the lab goes down.
unwrap_lbd() {
	LBD=$REAL_LBD
}

# fault RULE…: from now on; see tests/lib/fault.c
fault() {
	: >"$FAULTS.log"
	printf '%s\n' "$@" >"$FAULTS.next"
	mv "$FAULTS.next" "$FAULTS"
}

no_fault() {
	rm -f "$FAULTS"
}

# Some call has been hit.
struck() {
	grep -qE '^[a-z]+ [^ ]+ [a-zA-Z]+$' "$FAULTS.log" || ! cat "$FAULTS.log"
}

# exits CODE command args…: what the command printed goes to $LAB_DIR/out.
exits() {
	local expected=$1 status
	shift
	"$@" >"$LAB_DIR/out" 2>&1
	status=$?
	[ "$status" = "$expected" ] || {
		echo "exit $status"
		cat "$LAB_DIR/out"
		return 1
	}
}

# killed_at N OLD NEW command…: 2 when N is beyond the last call.
killed_at() {
	local n=$1 old=$2 new=$3 status
	shift 3
	fault "any $SAVED,socket: kill $n 1"
	"$@" >"$LAB_DIR/out" 2>&1
	status=$?
	if [ "$status" = 0 ] && ! wait_for 1 lab_ended "$LAB_LBD"; then
		no_fault
		return 2
	fi
	no_fault
	wait_for 5 lab_ended "$LAB_LBD" || return
	wait "$LAB_LBD" 2>/dev/null
	start_lbd && old_or_new "$old" "$new" "$status"
}

at_every_call() {
	local old=$1 new=$2 prepare=$3 status
	shift 3
	for ((CALLS = 0; CALLS < CALLS_MAX; CALLS++)); do
		"$prepare" >"$LAB_DIR/prepare" 2>&1 || { cat "$LAB_DIR/prepare"; return 1; }
		killed_at "$CALLS" "$old" "$new" "$@" >"$LAB_DIR/killed" 2>&1
		status=$?
		[ "$status" != 2 ] || return 0
		[ "$status" = 0 ] || {
			echo "killed at call $CALLS: $(tail -n 1 "$FAULTS.log")"
			cat "$LAB_DIR/killed"
			return 1
		}
	done
	return 1
}
