#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who includes whom? A room of lbd from itself and the rooms before it; and no files in a circle.
# usage: direction.sh ROOM…
set -u -o pipefail
status=0

# includes FOLDER: lines "FILE:LINE:PATH", each path from the top of the tree
includes()
{
	local file line path
	grep -nE '^#include "' "$1"/*.[ch] | sed -E 's/#include "([^"]+)".*/\1/' | while IFS=: read -r file line path; do
		printf '%s:%s:%s\n' "$file" "$line" "$(realpath -m --relative-to=. "${file%/*}/$path")"
	done
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

if ! for folder in bpf lbctl "${@/#/lbd/}"; do includes "$folder"; done | awk -F: '{print $1, $3}' | tsort >/dev/null; then
	echo 'files that include each other'
	status=1
fi
exit $status
