#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Measures, and says what was found and whether the targets are met. What "make bench" runs, as root.
#
#	bench.sh BUILD [--json] [--part packets|pairs|live] [--case REGEX] [--rounds N] [--cpu N]
#
# All parts unless one is named; --case chooses cases of packets.c and live.c and pairs of pairs.c by
# name, and a target whose pair or cases are not there is not judged. Results go to BUILD/bench/results.json, or with --case or
# --part to BUILD/bench/partial.json. Exits with 1 when a run measured something else than it was to
# measure; a missed target is not a failure.
set -eu

usage() {
	sed -n '5p' "$0" | cut -c3- >&2
	exit 2
}

[[ $# -gt 0 && $1 != -* ]] || usage
build=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
format=text
parts=(packets pairs live)
name=results
options=()
pattern=
while [ $# -gt 0 ]; do
	case $1 in
	--json) format=json ;;
	--part)
		parts=("${2:?}") name=partial
		[[ $2 =~ ^(packets|pairs|live)$ ]] || usage
		shift
		;;
	--case)
		options+=("$1" "${2:?}") name=partial pattern=$2
		shift
		;;
	--rounds | --cpu)
		options+=("$1" "${2:?}")
		shift
		;;
	*) usage ;;
	esac
	shift
done
[ "$(id -u)" = 0 ] || { echo "bench.sh: needs root, to load programs" >&2 && exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
status=0
for part in "${parts[@]}"; do
	command=("$build/tests/bench/packets")
	[ "$part" != pairs ] || command+=(--pairs)
	[ "$part" != live ] || command=(tests/bench/live.sh "$build")
	if [ "$part" != live ] && ! "${command[@]}" --list | grep -qE -- "$pattern"; then
		continue
	fi
	echo "--- $part" >&2
	"${command[@]}" "${options[@]}" > "$work/$part.json" || status=1
	[ -s "$work/$part.json" ] || rm "$work/$part.json"
done
mkdir -p "$build/bench"
# Instruction counts of this build, when "make bench-insns" has taken them.
[ ! -e "$build/bench/insns.json" ] || cp "$build/bench/insns.json" "$work"
python3 -B tests/bench/report.py join "$work" > "$build/bench/$name.json" || status=1
if [ "$format" = json ]; then
	cat "$build/bench/$name.json"
else
	python3 -B tests/bench/report.py show "$build/bench/$name.json"
fi
exit "$status"
