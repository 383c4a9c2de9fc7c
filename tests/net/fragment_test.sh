#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do datagrams of 8 KB, which arrive in fragments, get through to one backend and back, and does
# traceroute show the VIP where it is?
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

BYTES=8000
EXCHANGES=12

# Echoes datagrams, from the address that they were sent to.
echo_on() {
	local address
	for address in "UDP4-LISTEN:$2,bind=$LAB_VIP4" "UDP6-LISTEN:$2,bind=[$LAB_VIP6]"; do
		lab_background "$1" timeout 600 socat -b 9000 -T 1 "$address,reuseaddr,fork" PIPE 2>/dev/null
	done
}

add_vip() {
	local name=$1 address=$2 options=$3 backend
	shift 3
	# shellcheck disable=SC2086 # options are words
	lbctl vip add "$address" --name "$name" $options >/dev/null || return
	for backend; do
		lbctl backend add "$name" "$backend" >/dev/null || return
	done
}

start() {
	local node
	lab_up one-armed 3 && head -c "$BYTES" /dev/urandom >"$LAB_DIR/datagram" && lab_serve 80 &&
		lab_start_lbd '{}' || return
	for node in b1 b2 b3; do
		echo_on "$node" 83
		echo_on "$node" 84
	done
	add_vip track4 "$LAB_VIP4:83/udp" "" "${LAB_BACKEND4[@]}" &&
		add_vip track6 "[$LAB_VIP6]:83/udp" "" "${LAB_BACKEND6[@]}" &&
		add_vip tuple4 "$LAB_VIP4:84/udp" "--fragments 3-tuple" "${LAB_BACKEND4[@]}" &&
		add_vip tuple6 "[$LAB_VIP6]:84/udp" "--fragments 3-tuple" "${LAB_BACKEND6[@]}" &&
		add_vip web4 "$LAB_VIP4:80/tcp" "" "${LAB_BACKEND4[@]}" &&
		add_vip web6 "[$LAB_VIP6]:80/tcp" "" "${LAB_BACKEND6[@]}" && lab_ready
}

# exchange ADDRESS PORT: the datagram comes back as it was. (-t: for so long it waits for the echo.)
exchange() {
	lab_in client timeout 5 socat -b 9000 -t 0.3 - "UDP:$1:$2" <"$LAB_DIR/datagram" >"$LAB_DIR/reply"
	head -c "$BYTES" "$LAB_DIR/reply" | cmp - "$LAB_DIR/datagram"
}

# Flows differ by source port, and so go to all three backends. The backends' links take more than the
# client's, so the first IPv6 reply of each is lost, and its backend told so: an error about a fragment,
# which finds its way through the balancer. The client tries again, as resolvers do.
exchanges() {
	local i
	for ((i = 0; i < EXCHANGES; i++)); do
		wait_for 5 exchange "$@" || return
	done
}

verdict_is() {
	lbctl --json stats | jq -e "[.verdicts[] | select(.name == \"$1\") | .packets] | add $2"
}

backends_used() {
	lbctl --json stats | jq -e --arg vip "$1" --argjson count "$2" '
		[.vips[] | select(.name == $vip) | .backends[] | select(.packets > 0)] | length == $count' ||
		{ lbctl stats && return 1; }
}

# ends_at_vip ADDRESS options…: the hops are the router and then the VIP itself, nothing after it.
ends_at_vip() {
	local address=$1 hops
	shift
	hops=$(lab_in client timeout 40 traceroute -n -q 1 -w 5 -m 5 "$@" "$address" | tee /dev/stderr |
		awk 'NR > 1 {print $2}' | tr '\n' ' ')
	[[ $hops == *" $address " ]] && [ "$(wc -w <<<"$hops")" = 2 ]
}

step "the lab comes up" start || finish
check "track: $EXCHANGES datagrams of $BYTES bytes are echoed over IPv4" exchanges "$LAB_VIP4" 83
check "track: $EXCHANGES datagrams of $BYTES bytes are echoed over IPv6" exchanges "[$LAB_VIP6]" 83
check "track: three backends took some, over IPv4" backends_used track4 3
check "track: three backends took some, over IPv6" backends_used track6 3
check "3-tuple: datagrams are echoed over IPv4" exchanges "$LAB_VIP4" 84
check "3-tuple: datagrams are echoed over IPv6" exchanges "[$LAB_VIP6]" 84
check "3-tuple: one backend took all of one client, over IPv4" backends_used tuple4 1
check "3-tuple: one backend took all of one client, over IPv6" backends_used tuple6 1
check "no fragment was dropped" verdict_is "drop_fragment\" or .name == \"drop_fragment_unknown" "== 0"
for how in "-T -p 80" -I; do
	# shellcheck disable=SC2086 # options are words
	check "traceroute $how ends at the VIP over IPv4" ends_at_vip "$LAB_VIP4" $how
	# shellcheck disable=SC2086
	check "traceroute $how ends at the VIP over IPv6" ends_at_vip "$LAB_VIP6" $how
done
step "the lab goes away as a whole" lab_down
finish
