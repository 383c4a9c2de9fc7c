# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by tests that ask whether connections that live on stay where they are.
#
#   serve_held PORT…             hold_tool answers at those ports, on every backend
#   hold NAME COUNT PORT [MS]    COUNT connections to the VIP, when all are there; HOLDER is their process. They send every MS
#   holds NAME CONDITION         of HOLDER's report as it is now
#   goes_on NAME BACKENDS        from now on each of them has four answers more, from where it has been
#
# Of several, whose processes are HOLDERS[NAME]:
#
#   held_answers NAME…           each of their connections that lives on has answered twice more
#   held_broken NAME…            "BROKEN of ALL", as they reported last; waiting for 3 s is broken, too

HOLDER=
declare -A HOLDERS=()

serve_held() {
	local number port
	for number in "${!LAB_BACKEND4[@]}"; do
		for port; do
			lab_background "b$number" "$O/tests/lib/hold_tool" serve "b$number" "$port"
			wait_for 5 listens "b$number" "$port" || return
		done
	done
}

listens() {
	lab_in "$1" ss -Hltn "sport = :$2" | grep -q .
}

hold() {
	local name=$1 count=$2
	lab_background client "$O/tests/lib/hold_tool" hold --count "$count" --interval-ms "${4:-250}" \
		"$LAB_VIP4" "$3" >"$LAB_DIR/$name.held"
	HOLDER=$LAB_PID
	lab_reports "$HOLDER"
	wait_for 10 holds "$name" ".opened == $count"
}

holds() {
	local lines
	lines=$(wc -l <"$LAB_DIR/$1.held")
	kill -USR1 "$HOLDER" && wait_for 5 has_more_lines "$LAB_DIR/$1.held" "$lines" &&
		tail -n 1 "$LAB_DIR/$1.held" | jq -e "$2"
}

has_more_lines() {
	[ "$(wc -l <"$1")" -gt "$2" ]
}

goes_on() {
	local report
	holds "$1" true >/dev/null || return
	report=$(tail -n 1 "$LAB_DIR/$1.held")
	wait_for 10 holds "$1" ".exchanges >= $(jq '.exchanges + 4 * .opened' <<<"$report")"
	report=$(tail -n 1 "$LAB_DIR/$1.held")
	echo "$report"
	jq -e --argjson backends "$2" '.open == .opened and .failures == 0 and .resets == 0 and .stalls == 0 and
		.wrong == 0 and (.seen | keys) == $backends' <<<"$report" >/dev/null
}

held_reports() { # NAME CONDITION
	HOLDER=${HOLDERS[$1]}
	holds "$1" "$2" >/dev/null
}

held_answers() {
	local name
	local -A wanted=()
	for name; do
		held_reports "$name" true || return
		wanted[$name]=$(tail -n 1 "$LAB_DIR/$name.held" | jq '.exchanges + 2 * .open')
	done
	for name in "${!wanted[@]}"; do
		wait_for 20 held_reports "$name" ".exchanges >= ${wanted[$name]}" || { tail -n 2 "$LAB_DIR/$name.held" && return 1; }
	done
}

held_broken() {
	local name
	for name; do
		tail -n 1 "$LAB_DIR/$name.held"
	done | jq -sr '"\(map(.opened - .open + .failures + .stalls + .wrong) | add) of \(map(.opened) | add)"'
}
