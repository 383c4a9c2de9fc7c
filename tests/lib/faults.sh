# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by scripts that have calls of lbd fail, or be its last (tests/lib/fault.c).
#
#   wrap_lbd                      after lab_up: LBD is from now on one with the library that makes calls fail
#   unwrap_lbd
#   fault RULE…                   from now on; no_fault ends it
#   struck                        some call has been hit
#   exits CODE command args…      what the command printed goes to $LAB_DIR/out

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
