#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who includes whom, and who calls whom? A room of lbd includes from itself and the rooms before it; no files
# include each other in a circle, and none of a room call each other in one.
# usage: direction.sh BUILD ROOM…
set -u -o pipefail
status=0
build=$1
shift

# includes FOLDER: lines "FILE:LINE:PATH", each path from the top of the tree
includes()
{
	awk '
		/^#include "/ {
			path = FILENAME
			sub(/[^\/]*$/, "", path)
			split($0, quoted, "\"")
			path = path quoted[2]
			while (sub(/[^\/]+\/\.\.\//, "", path))
				;
			print FILENAME ":" FNR ":" path
		}' "$1"/*.[ch]
}

# allow FOLDER PREFIX…: what a file of it may include
allow()
{
	local folder=$1 allowed
	shift
	allowed=$(printf '|%s' "$@")
	if includes "$folder" | grep -vE ":[0-9]+:(${allowed#|})"; then
		echo "$folder/ may include from: $*"
		status=1
	fi
}

allow bpf bpf/
before=(bpf/)
for room in "$@"; do
	before+=("lbd/$room/")
	allow "lbd/$room" "${before[@]}"
done
allow lbctl lbctl/ lbd/api/ bpf/abi.h
allow lbd/backend lbd/backend/ lbd/api/ bpf/
allow lbctl/tier lbctl/ lbd/api/

if ! for folder in bpf lbctl lbctl/tier "${@/#/lbd/}"; do includes "$folder"; done | awk -F: '{print $1, $3}' | tsort >/dev/null; then
	echo 'files that include each other'
	status=1
fi

# calls FOLDER: lines "CALLER CALLED", by what its compiled files define and lack
calls()
{
	local sources=("$1"/*.c) objects
	objects=("${sources[@]/#/$build/}")
	{
		nm -A -P "${objects[@]/%.c/.o}" || echo "nm nm" # a loop: no object is no proof
	} | awk '
		{ file = $1; sub(/.*\//, "", file); sub(/\.o:$/, "", file) }
		$1 == "nm" { print "no-object nm"; print "nm no-object" }
		$3 ~ /^[TDBRC]$/ { home[$2] = file }
		$3 == "U" { lacks[file, $2] = file }
		END {
			for (pair in lacks) {
				split(pair, part, SUBSEP)
				if (part[2] in home)
					print part[1], home[part[2]]
			}
		}'
}

for folder in "${@/#/lbd/}"; do
	if ! calls "$folder" | tsort >/dev/null; then
		echo "files in $folder/ that call each other"
		status=1
	fi
done
exit $status
