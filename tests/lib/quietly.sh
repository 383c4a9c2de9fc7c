#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# quietly.sh LOG WHAT command args…: runs the command behind one line of progress. Its output goes to LOG, and is shown
# when it fails.
set -u
log=$1 what=$2
shift 2
mkdir -p "$(dirname "$log")"

# On a terminal: how many steps are done, in place.
progress() {
	local count=0
	while IFS= read -r line; do
		printf '%s\n' "$line"
		count=$((count + 1))
		[ ! -t 2 ] || printf '\r  BUILD   %s: %d' "$what" "$count" >&2
	done
}

[ -t 2 ] || printf '  BUILD   %s\n' "$what" >&2
"$@" 2>&1 | progress >"$log"
status=${PIPESTATUS[0]}
[ ! -t 2 ] || printf '\r  BUILD   %s: done\e[K\n' "$what" >&2
[ "$status" = 0 ] || cat "$log"
exit "$status"
