#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is a change that ends established connections refused until it is asked for with --force? Live connections, and every
# kind of change that ends them: a VIP that goes, one that takes packets from another, one that gives them back.
#
# Run as root after `make tests`.
# shellcheck disable=SC2317,SC2016 # functions are called by name, through check; filters are of jq
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

HELD=60
HOLDER=
B1='.vips[0].backends[0].address'

# --- connections that live on ---

serve() {
	local node
	for node in b1 b2 b3; do
		lab_background "$node" "$O/tests/lib/hold_tool" serve "$node" 7
	done
}

hold() {
	lab_background client "$O/tests/lib/hold_tool" hold --count "$HELD" --interval-ms 200 \
		"$LAB_VIP4" 7 >"$LAB_DIR/held"
	HOLDER=$LAB_PID
	lab_reports "$HOLDER"
	wait_for 10 holds '.open == $count'
}

# holds CONDITION: of the holder's report as it is now
holds() {
	local lines
	lines=$(wc -l <"$LAB_DIR/held")
	kill -USR1 "$HOLDER" && wait_for 5 has_lines "$((lines + 1))" &&
		tail -n 1 "$LAB_DIR/held" | jq -e --argjson count "$HELD" "$1"
}

has_lines() {
	[ "$(wc -l <"$LAB_DIR/held")" -ge "$1" ]
}

none_broke() {
	holds '.open == $count and .resets == 0 and .stalls == 0 and .failures == 0 and .wrong == 0' ||
		{ tail -n 1 "$LAB_DIR/held" && return 1; }
}

# --- documents and requests ---

# document: one VIP for every port with the three backends
document() {
	jq -n --arg vip "$LAB_VIP4:0/tcp" --argjson backends "$(printf '"%s"\n' "${LAB_BACKEND4[@]}" | jq -s .)" '
		{vips: [{name: "all", address: $vip, table_size: 1021, backends: [$backends[] | {address: .}]}]}'
}

# apply JQ-FILTER [OPTION…]: what is in force, edited
apply() {
	local edit=$1
	shift
	lbctl config export | jq "$edit" | lbctl config apply - "$@" >"$LAB_DIR/out" 2>&1
}

# refused TEXT command…: with exit status 1 and that text; what is in force stays
refused() {
	local text=$1 before status
	shift
	before=$(lbctl config export)
	"$@" >"$LAB_DIR/out" 2>&1
	status=$?
	cat "$LAB_DIR/out"
	[ "$status" = 1 ] && grep -qF "$text" "$LAB_DIR/out" && [ "$before" = "$(lbctl config export)" ]
}

# exact TABLE-SIZE BACKENDS: a VIP for port 7 beside the one for every port, to be added to a document
exact() {
	echo ".vips += [{name: \"seven\", address: \"$LAB_VIP4:7/tcp\", table_size: $1, backends: (.vips[0].backends$2)}]"
}

at_risk() {
	jq -c '[.vips[] | [.name, .what, .moved.percent == 100, (.at_risk | length)]]'
}

ready() {
	lab_up one-armed 3 && serve && lab_start_lbd '{"limits": {"vips": 16, "members": 64, "slots": 262144}}' &&
		document | lbctl config apply - && lab_ready
}

step "a VIP for every port with three backends stands" ready

check "a VIP whose backends never had a packet goes without asking" apply 'del(.vips[0])'
check "and comes back" apply ". = $(document)"
check "so does a VIP for one port of it" apply "$(exact 1021 '[:1]')"
check "which goes again as easily" lbctl vip del seven
lab_ready
hold
check "$HELD connections live on" none_broke

# --- VIPs that go ---
check "vip del is refused" refused "this breaks connections through backend" lbctl vip del all
check "a document without the VIP is refused" refused "this breaks connections" apply '.vips = []'
check "a trial of it is refused" refused "this breaks connections" apply '.vips = []' --confirm 60s
check "--max-moved 0% says that all of its slots move" refused "this would move 100.00 %" \
	apply '.vips = []' --force --max-moved 0%
check_equal "--dry-run says which backends lose flows" '[["all","removed",true,3]]' \
	"$(lbctl --json vip del all --dry-run | at_risk)"
check "so does config check" grep -qF 'vip all: would be removed; would move 100.0 % of slots (ideal 100.0 %)' \
	<(echo '{"vips": []}' | lbctl config check -)
check "backend del is refused" refused "this breaks connections" lbctl backend del all "${LAB_BACKEND4[1]}"
check "a document without a backend is refused" refused "this breaks connections" apply "del(.vips[0].backends[0])"

# --- VIPs that take packets from another ---
check "a VIP for port 7 beside the one for every port is refused" \
	refused 'the new VIP takes its flows over' apply "$(exact 1021 '[:1]')"
check "by a request, too" refused "of VIP all" lbctl vip add "$LAB_VIP4:7/tcp" --table-size 1021
check "--max-moved says how many slots" refused "this would move 6" \
	apply "$(exact 1021 '[:1]')" --force --max-moved 50%
check "a table of another size is refused, whatever its backends" \
	refused "of VIP all" apply "$(exact 2039 '')"
check "one for another protocol takes nothing" lbctl vip add "$LAB_VIP4:7/udp" --table-size 251 --dry-run
check "a VIP for port 7 with the same table takes them over as they are" apply "$(exact 1021 '')"
wait_for 10 holds '.open == $count'
check "and no connection has moved" none_broke

# --- and back ---
seven() {
	lbctl --json stats seven | jq -e ".vips[0].packets > $1"
}
check "the packets are its own now" wait_for 10 seven 200
check "back to the one for every port with the same table is done" lbctl vip del seven
check "and no connection has moved" none_broke
check "a VIP for port 7 again" apply "$(exact 1021 '')"
check "has their packets again" wait_for 10 seven 200
check "weights of the VIP for every port may change: those connections are not its own any more" \
	lbctl backend set all "$(document | jq -r "$B1")" --weight 0
check "now the way back is refused" refused 'the one that is less specific leads its flows to other backends' \
	lbctl vip del seven
check "no connection has moved" none_broke

# --- with the operator's word ---
check "--force does it all the same" lbctl vip del seven --force
check "a document with --force, too" apply '.vips = []' --force
lab_end "$HOLDER"
check "the lab is gone again" lab_down
finish
