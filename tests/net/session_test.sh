#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the session in the README happen as it is shown? Its commands are run in the lab, and what they print is compared.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

# Which backend owns which slot follows from the seed.
SEED=0123456789abcdef0123456789abcdef

start() {
	lab_up one-armed 3 && lab_serve 80 && lab_start_lbd "{\"hash_seed\": \"$SEED\"}"
}

# The indented lines of that section.
shown() {
	awk '/^## / { inside = $0 == "## A session" } inside && /^    / { print substr($0, 5) }' README.md
}

# A backend that was added takes flows once its next hop is known.
none_waits() {
	lbctl --json backend list | jq -e 'all(.vips[].backends[]; .state != "waiting")'
}

# "$ COMMAND" is run beside lbd, "client$ COMMAND" at the client. What it prints, errors too, comes after it.
again() {
	local line
	while IFS= read -r line; do
		case $line in
		'$ '*)
			echo "$line"
			eval "${line#'$ '}" 2>&1
			lab_ready >/dev/null # as it is before a person has typed the next line
			;;
		'client$ '*)
			echo "$line"
			wait_for 5 none_waits >/dev/null
			eval "lab_in client ${line#'client$ '}" 2>&1
			;;
		esac
	done
}

# How many packets a connection takes is TCP's affair; and whether a neighbour has answered before the reply is written,
# a matter of luck.
counts() {
	sed -E 's/ +[0-9,]+ packets +[0-9.]+ [KM]?i?B/ N packets/; / (gets no|takes) new flows (until|before) its next hop /d'
}

step "the lab is there, lbd runs" start || finish
check "the README has a session of six commands or more" test "$(shown | grep -c '\$ ')" -ge 6
check_equal "its commands print what it shows" "$(shown | counts)" "$(shown | again | counts)"
step "nothing remains" lab_down
finish
