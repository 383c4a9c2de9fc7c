#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does it work? A data centre of network namespaces, a balancer in it, real traffic through it.
#
# Run as root after `make` (`make demo` does both). Takes everything down again, also on Ctrl-C. With KEEP=1 the lab stays
# until Enter or Ctrl-C.
# shellcheck disable=SC2016 # filters are of jq
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/example.sh
. tests/lib/example.sh

WEIGHTS=(0 10 20 30) # of b1, b2, b3
CONNECTIONS=10000
DATAGRAMS=5000
HELD=90 # connections that live on
HOLDER=
TABLE=()

in_client() {
	echo "client\$ $*"
	lab_in client "$@" || exit
}

vip() {
	local name=$1 address=$2 number
	shift 2
	typed 0 lbctl vip add "$address" --name "$name"
	for number in 1 2 3; do
		typed 0 lbctl backend add "$name" "${!number}" --weight "${WEIGHTS[number]}"
	done
}

# measure VIP REPLY: prints a row for each backend, and fails when a connection failed or when a share is
# farther from the weight's than 5 standard deviations of so many draws and the table's own 2 %.
measure() {
	local vip=$1 reply=$2
	jq -r --arg vip "$vip" '[.connections, .failures, (.seen | .b1 // 0, .b2 // 0, .b3 // 0)] |
		$vip + " " + (map(tostring) | join(" "))' <<<"$reply" |
		awk -v weights="${WEIGHTS[*]:1}" '{
			split(weights, weight); total = weight[1] + weight[2] + weight[3]
			for (i = 1; i <= 3; i++) {
				expected = weight[i] / total
				seen = $(3 + i) / $2
				limit = 5 * sqrt(expected * (1 - expected) / $2) + 0.02 * expected
				off = seen - expected
				wrong = off > limit || off < -limit
				bad = bad || wrong
				printf "%-10s %-8s %6d %9.1f %% %9.1f %%", $1, "b" i, weight[i],
					100 * expected, 100 * seen
				printf "%s%s\n", i == 1 ? sprintf("%10d", $3) : "", wrong ? "  off" : ""
			}
			exit bad || $3 > 0
		}'
}

# traffic VIP ADDRESS PORT [--udp]: many exchanges, each a new flow.
traffic() {
	local vip=$1 address=$2 port=$3 count=$CONNECTIONS
	shift 3
	[ $# = 0 ] || count=$DATAGRAMS
	echo "client: $count new flows to $vip"
	REPLY=$(lab_in client "$O/tests/lib/connect_tool" --count "$count" --parallel 50 "$@" \
		"$address" "$port")
	TABLE+=("$vip" "$REPLY")
}

# --- a drain and a failure ---

# held: the holder's report as it is now, one line of JSON
held() {
	local lines
	lines=$(wc -l <"$LAB_DIR/held")
	kill -USR1 "$HOLDER"
	wait_for 5 reported "$((lines + 1))"
	tail -n 1 "$LAB_DIR/held"
}

reported() {
	[ "$(wc -l <"$LAB_DIR/held")" -ge "$1" ]
}

all_open() {
	held | jq -e --argjson count "$HELD" '.open == $count'
}

# A VIP for every port: port 7 for connections that live on, port 81 for new ones and for the checks.
long_lived() {
	local node number
	lab_serve 81 b1 b2 || exit
	lab_serve 81 b3 || exit
	FAILING=$LAB_PID
	for node in b1 b2 b3; do
		lab_background "$node" "$O/tests/lib/hold_tool" serve "$node" 7
	done
	typed 0 lbctl vip add "$LAB_VIP4:0/tcp" --name shop --health tcp --health-port 81 --health-interval 200ms
	for number in 1 2 3; do
		typed 0 lbctl backend add shop "${LAB_BACKEND4[number]}"
	done
	lab_ready || exit
	for number in 1 2 3; do
		wait_for 5 health_is "$number" healthy || fail "b$number is not healthy"
	done
	lab_background client "$O/tests/lib/hold_tool" hold --count "$HELD" --interval-ms 200 "$LAB_VIP4" 7 \
		>"$LAB_DIR/held"
	HOLDER=$LAB_PID
	lab_reports "$HOLDER"
	wait_for 10 all_open || fail "not all connections were made"
	HELD_BY=$(held | jq -c .seen)
	echo "client: $HELD connections that live on; their backends: $HELD_BY"
}

# health_is NUMBER STATE: of that backend of shop
health_is() {
	lbctl --json backend list shop | jq -e --arg address "${LAB_BACKEND4[$1]}" --arg state "$2" \
		'any(.vips[0].backends[]; .address == $address and .health.state == $state)'
}

# new_ones BACKENDS: where 300 new connections go; exactly those may answer, a list for jq
new_ones() {
	local reply seen
	reply=$(lab_in client "$O/tests/lib/connect_tool" --count 300 --parallel 20 "$LAB_VIP4" 81)
	seen=$(jq -c .seen <<<"$reply")
	echo "client: 300 new connections; their backends: $seen"
	jq -e --argjson expected "$1" '.failures == 0 and (.seen | keys) == $expected' <<<"$reply" >/dev/null ||
		fail "new connections do not go to $1 alone"
}

none_broke() {
	local now
	now=$(held)
	echo "client: the $HELD connections that live on; their backends: $(jq -c .seen <<<"$now"), $(
		jq -r '"\(.resets) reset, \(.stalls) stalled"' <<<"$now")"
	jq -e --argjson count "$HELD" --argjson by "$HELD_BY" '.open == $count and .resets == 0 and
		.stalls == 0 and .wrong == 0 and .seen == $by' <<<"$now" >/dev/null || fail "connections broke"
}

# --- the lab stays ---

keep() {
	[ -n "${KEEP:-}" ] || return 0
	say "The lab stays until Enter or Ctrl-C; meanwhile, in another terminal"
	cat <<-END
		sudo $LBCTL --socket $LAB_DIR/lbd.sock backend list
		sudo $LBCTL --socket $LAB_DIR/lbd.sock watch
		sudo nsenter --net=/run/netns/$LAB_ID-client curl http://$LAB_VIP4/
		sudo nsenter --net=/run/netns/$LAB_ID-balancer bash
		others: $(printf "$LAB_ID-%s " "${LAB_NODES[@]}")
	END
	read -r _
}

show_table() {
	local status=0 i
	printf '%-10s %-8s %6s %11s %11s %9s\n' VIP backend weight 'exp. share' 'seen share' failures
	for ((i = 0; i < ${#TABLE[@]}; i += 2)); do
		measure "${TABLE[i]}" "${TABLE[i + 1]}" || status=1
	done
	return $status
}

say "A lab: client, router, balancer, three backends (network namespaces)"
lab_up one-armed 3 || exit
lab_serve 80 || exit
lab_serve 53 || exit
for node in client balancer b1 b2 b3; do
	printf '%-10s %s\n' "$node" "$(lab_ip "$node" -br address show scope global |
		awk '$1 != "lo" { $2 = ""; print }')"
done

say "The balancer's daemon"
lab_start_lbd "$(cat examples/01-demo/lbd.json)" || exit
typed 0 lbctl version

say "Two services over IPv4 and IPv6"
vip web4 "$LAB_VIP4:80/tcp" "${LAB_BACKEND4[@]}"
vip web6 "[$LAB_VIP6]:80/tcp" "${LAB_BACKEND6[@]}"
vip dns4 "$LAB_VIP4:53/udp" "${LAB_BACKEND4[@]}"
vip dns6 "[$LAB_VIP6]:53/udp" "${LAB_BACKEND6[@]}"
lab_ready || exit

say "A client asks; each answer is the name of the backend that gave it"
in_client curl -sS --max-time 5 "http://$LAB_VIP4/"
in_client curl -sS --max-time 5 "http://$LAB_VIP4/"
in_client curl -sS --max-time 5 "http://[$LAB_VIP6]/"
in_client "$O/tests/lib/connect_tool" --udp "$LAB_VIP4" 53

say "Many clients"
traffic web4 "$LAB_VIP4" 80
traffic web6 "$LAB_VIP6" 80
traffic dns4 "$LAB_VIP4" 53 --udp
traffic dns6 "$LAB_VIP6" 53 --udp

say "$HELD connections that live on, at a VIP for every port with health checks"
long_lived

say "b2 is drained: new connections go elsewhere, established ones stay"
typed 0 lbctl backend drain shop "${LAB_BACKEND4[2]}"
new_ones '["b1","b3"]'
none_broke

say "b3 fails: its service ends, the health check sees it; new connections go elsewhere, established ones stay"
lab_end "$FAILING"
wait_for 5 health_is 3 unhealthy || fail "the failure was not seen"
typed 0 lbctl backend list shop
new_ones '["b1"]'
none_broke

say "What the balancer says"
typed 4 lbctl status # a backend is unhealthy
typed 0 lbctl vip list
typed 0 lbctl backend list web4
typed 0 lbctl stats

say "Result"
show_table
status=$?
keep
lab_down || { echo "the lab did not go away as a whole" && status=1; }
[ "$status" = 0 ] || fail "see above"
echo
echo "example: all as promised; the lab is gone again"
