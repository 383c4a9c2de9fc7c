#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How many instructions does a packet take? Run by insns.sh inside a VM whose nanoseconds are
# instructions, in the project's folder.
#
#	insns_guest.sh BUILD
#
# The report gets "insns LANE COUNT" for each lane of live.sh that there is.
set -eu

results=$(mktemp)
trap 'rm -f "$results"' EXIT
tests/bench/live.sh "$1" --case '^(drop|lb|forward|dnat|ipvs)-1k$' --rounds 3 --packets 16384 > "$results"
jq -r '.cases[] | "insns \(.lane) \(.ns | sort | .[length / 2 | floor])"' "$results" >> "$VM_REPORT"
