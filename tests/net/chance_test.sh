#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do established connections live on when the network hands them to a second balancer that has seen none of their
# packets, while slots are on their way from one owner to the next? Both have the same history of changes. Backends with
# second_chance lose none; the same changes without it break some, or this would show nothing.
#
#	chance_test.sh
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh
# shellcheck source=tests/lib/second.sh
. tests/lib/second.sh

SEED=00112233445566778899aabbccddeeff # both balancers have the same tables
HEALTH_PORT=81
TRANSITION_S=120
LATER_S=2 # of the VIP whose transition is over when the network moves on
INTERVAL_MS=500
STALL_S=4 # until a connection without an answer is counted
declare -A PORT=([one]=7 [many]=8 [later]=9 [sick]=10 [plain_one]=17 [plain_many]=18 [plain_later]=19 [plain_sick]=20)
declare -A GROUPS_OF=()

if [ "$(id -u)" != 0 ]; then
	skip "established connections and a second chance" "root"
	finish
fi

# --- the lab: each VIP twice, with second_chance and without ---

# b4 comes later.
documents() {
	local name
	for name in "${!PORT[@]}"; do
		jq -n --arg name "$name" --arg address "$LAB_VIP4:${PORT[$name]}/tcp" --argjson later "$LATER_S" \
			--argjson transition "$TRANSITION_S" --argjson health "$HEALTH_PORT" --args '
			($name | startswith("plain_") | not) as $chance |
			{$name, $address, transition_s: (if $name | endswith("later") then $later else $transition end),
			 backends: ($ARGS.positional | map({address: ., weight: 10, second_chance: $chance}))} +
			if $name | endswith("sick") then {health: {type: "tcp", port: $health, interval_ms: 200,
				timeout_ms: 200, fall: 2, rise: 2}} else {} end' "${LAB_BACKEND4[@]:0:3}"
	done | jq -s '{vips: .}'
}

start() {
	lab_up one-armed 4 && at_exit end_standby && standby_link && backends_up "[\"$LAB_VIP4\"]" "$LAB_BALANCER4" "$STANDBY4" || return
	lab_start_lbd "{\"xdp_mode\": \"native\", \"hash_seed\": \"$SEED\"}" && start_standby &&
		serve_held "${PORT[@]}" && lab_serve "$HEALTH_PORT" || return
	documents >"$LAB_DIR/services.json"
	both config apply "$LAB_DIR/services.json" && both_ready
}

both() {
	lbctl "$@" && standby "$@"
}

both_ready() {
	lab_ready && wait_for 5 standby_ready && wait_for 10 same_tables
}

tables() { # COMMAND
	"$1" --json vip list | jq -Sc '[.vips[] | {name, digest}]'
}

same_tables() {
	tables lbctl | jq -e 'length == 8 and all(.[]; .digest)' && [ "$(tables lbctl)" = "$(tables standby)" ]
}

# --- connections ---

# opens NAME COUNT: more connections to that VIP
opens() {
	local group
	group=$1-$(wc -w <<<"${GROUPS_OF[$1]:-}")
	GROUPS_OF[$1]+=" $group"
	hold "$group" "$2" "${PORT[$1]}" "$INTERVAL_MS" || { echo "$group" && tail -n 1 "$LAB_DIR/$group.held" && return 1; }
	HOLDERS[$group]=$HOLDER
}

# all_open COUNT NAME…
all_open() {
	local count=$1 name
	shift
	for name; do
		opens "$name" "$count" && opens "plain_$name" $((count / 2)) || return
	done
}

# change NAME… -- VERB ARGS…: of a backend, on both balancers, with second_chance and without
change() {
	local names=() name chance=()
	while [ "$1" != -- ]; do
		names+=("$1" "plain_$1")
		shift
	done
	shift
	for name in "${names[@]}"; do
		chance=()
		[ "$1" != add ] || [[ $name == plain_* ]] || chance=(--second-chance yes)
		both backend "$1" "$name" "${@:2}" "${chance[@]}" || return
	done
	both_ready
}

answers() { # NAME…
	local groups
	mapfile -t groups < <(groups_of "$@")
	held_answers "${groups[@]}"
}

groups_of() {
	local name
	for name; do
		xargs -n 1 <<<"${GROUPS_OF[$name]}"
	done
}

# breaks none|some WHAT NAME…
breaks() {
	local how=$1 what=$2 said groups
	shift 2
	mapfile -t groups < <(groups_of "$@")
	said=$(held_broken "${groups[@]}")
	echo "$what: $said broke" >>"$LAB_DIR/figures"
	case "$how $said" in
	"none 0 of 0") ;;
	"none 0 of "*) return ;;
	"some 0 of "*) ;;
	"some "*) return ;;
	esac
	echo "$said"
	lost_where "$@"
	return 1
}

lost_where() {
	local name
	for name; do
		echo "$name: $(lbctl --json vip show "$name" | jq -c .slots), and at the second $(standby --json vip show "$name" | jq -c .slots)"
	done
	for name in lbctl standby; do
		"$name" --json status | jq -c --arg name "$name" '{$name, flows}'
	done
	for name in b1 b2 b3 b4; do
		backend "$name" show
	done
}

# --- what must hold ---

changes() {
	all_open 40 one many later &&
		change one many later -- drain "${LAB_BACKEND4[1]}" && all_open 40 one many later &&
		change many later -- add "${LAB_BACKEND4[4]}" --weight 10 && all_open 40 many later &&
		change many later -- set "${LAB_BACKEND4[2]}" --weight 3 && all_open 40 many later
}

standby_is_cold() {
	standby --json status | jq -e '.flows.live == 0'
	standby --json stats | jq -e 'all(.vips[]; .packets == 0)'
}

moving() { # NAME
	lbctl --json vip show "$1" | jq -e '.slots.moving > 0' && standby --json vip show "$1" | jq -e '.slots.moving > 0'
}

tracked() { # NAME
	standby --json vip show "$1" | jq -e '.slots.moving == 0 and .slots.tracked > 0'
}

more_open() {
	local name
	for name in "${CHANCE[@]}"; do
		opens "$name" 40 || return
	done
}

# The connections are not at b1, which was the owner of a third of the slots before.
backend_dies() {
	change sick -- drain "${LAB_BACKEND4[1]}" && all_open 80 sick || return
	lab_ip router link set rb1 down
	wait_for 10 fails lbctl && wait_for 10 fails standby && all_open 20 sick
}

fails() { # COMMAND
	"$1" --json backend list sick | jq -e --arg address "${LAB_BACKEND4[1]}" \
		'.vips[0].backends[] | select(.address == $address) | .health.state == "unhealthy"'
}

end_all() {
	local group
	for group in $(groups_of "$@"); do
		lab_end "${HOLDERS[$group]}"
	done
}

CHANCE=(one many later)
PLAIN=(plain_one plain_many plain_later)
hurry
step "two balancers, four backends that run lbd-backend" start || finish
step "connections open between changes" changes || finish
step "they answer" answers "${CHANCE[@]}" "${PLAIN[@]}"
check "the first balancer breaks none" breaks none "at the first balancer" "${CHANCE[@]}" "${PLAIN[@]}"
check "the second balancer has seen no packet" standby_is_cold
check "slots move where one thing has changed" moving one
check "slots move where three have" moving many
check "where the transition is over, slots remember" wait_for 20 tracked later
moves_to "$STANDBY4"
step "they answer, handed to the second balancer" answers "${CHANCE[@]}" "${PLAIN[@]}"
check "one change: none breaks" breaks none "one change, handed over" one
check "three changes: none breaks" breaks none "three changes, handed over" many
check "three changes, their transition is over: none breaks" breaks none "three changes, settled, handed over" later
check "without second_chance some break" breaks some "the same without second_chance" "${PLAIN[@]}"
check "backends have passed packets on" test "$(counted passed_on)" -gt 0
end_all "${PLAIN[@]}"
step "more connections open at the second" more_open
moves_to "$LAB_BALANCER4"
step "they answer, handed back" answers "${CHANCE[@]}"
check "handed back: none breaks" breaks none "handed back" "${CHANCE[@]}"
end_all "${CHANCE[@]}"
step "a backend drains, connections open at others, it dies" backend_dies
moves_to "$STANDBY4"
read -rt "$STALL_S" <> <(:)
step "they answer, handed to the second balancer" answers sick plain_sick
check "a backend is dead: none breaks" breaks none "the owner before is dead, handed over" sick
check "without second_chance some break" breaks some "the same without second_chance" plain_sick

sed 's/^/      /' "$LAB_DIR/figures"
step "the second balancer goes away as a whole" end_standby
check "the lab goes away as a whole" lab_down
finish
