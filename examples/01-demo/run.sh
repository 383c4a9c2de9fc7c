#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does it work? A data centre of network namespaces, a balancer in it, real traffic through it.
#
# Run as root after `make` (`make demo` does both). Takes everything down again, also on Ctrl-C.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

WEIGHTS=(0 10 20 30) # of b1, b2, b3
CONNECTIONS=10000
DATAGRAMS=5000
TABLE=()

say() {
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n== %s\n' "$*"
	fi
}

# Shows the command as one would type it, then runs it.
typed() {
	echo "\$ $*"
	"$@" || exit
}

in_client() {
	echo "client\$ $*"
	lab_in client "$@" || exit
}

vip() {
	local name=$1 address=$2 number
	shift 2
	typed lbctl vip add "$address" --name "$name"
	for number in 1 2 3; do
		typed lbctl backend add "$name" "${!number}" --weight "${WEIGHTS[number]}"
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
typed lbctl version

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

say "What the balancer says"
typed lbctl status
typed lbctl vip list
typed lbctl backend list web4
typed lbctl stats

say "Result"
show_table
status=$?
lab_down || { echo "the lab did not go away as a whole" && status=1; }
if [ "$status" != 0 ]; then
	echo "demo: FAILED"
	exit 1
fi
echo
echo "demo: all as promised; the lab is gone again"
