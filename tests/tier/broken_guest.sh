#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which share of live connections breaks when a backend or a balancer comes or goes? One round of broken.sh, inside a VM
# whose kernel has IPVS, tunnel devices and a receiver of GUE.
#
#	broken_guest.sh BUILD ROUND [off]
#
# Two nodes of lbd and two of IPVS with its sync daemon are behind a router that spreads connections over each two.
# Their backends differ, the events are the same. ROUND is how many changes there are within the transition, and gives
# the seeds of lbd and of the router. A connection is broken when it is reset, or without an answer at the end of an
# event. The report ($VM_REPORT) gets "broken EVENT KIND BROKEN ALIVE-BEFORE" for each event and kind. With "off" no
# backend has second_chance: what broken.sh finds then are failures.
# shellcheck disable=SC2317 # functions are called by name, through step
set -u
O=${1:?BUILD is missing}
ROUND=${2:?ROUND is missing}
OFF=${3:-}
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
LAB_DECAP=device
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
# shellcheck source=tests/lib/balancers.sh
. tests/lib/balancers.sh
# shellcheck source=tests/lib/second.sh
. tests/lib/second.sh

REPORT=${VM_REPORT:-/dev/null}
SEED=$(printf %032x $((ROUND * 0x1234567))) # both balancers have the same tables
HEALTH_PORT=81
PORT=80
DIED_PORT=82 # of the VIPs with checks: nodes without their link would see all backends fail
COUNT=300
OPEN_MS=15000 # for so long connections open, beside the changes
INTERVAL_MS=2000
ANSWER_S=8 # after an event: each connection has sent something, and had 3 s for the answer
SECOND=(1 2 3 4)
DEVICES=(5 6 7 8)
RECEIVERS=(9 10 11 12)
IPVS_VIP=192.0.2.200
IPVS4=([1]=10.0.0.31 [2]=10.0.0.32)
# Backends by number: the first drains, and dies later; the last is added.
declare -A OF=([second]="1 2 3 4" [off]="1 2 3 4" [ipip]="${DEVICES[*]}" [gue]="${RECEIVERS[*]}" [ipvs]="${DEVICES[*]}"
	[mixed_ipip]="5 2 6 3" [mixed_gue]="9 2 10 3")
KINDS=(second off mixed_ipip ipip mixed_gue gue ipvs)
# After so many changes: weights of the backends; 0 drains. No slot has more owners than it remembers, as a rule.
WEIGHTS=("10 10 10" "0 10 10" "0 10 10 10" "10 10 10 10" "10 3 10 10" "20 3 10 10" "10 3 10 10")
ALL=3 DRAINED=2 # two of these
declare -A ADDRESS=() BEFORE=()

# --- backends ---

name_vips() {
	local kind host=100
	for kind in "${KINDS[@]}"; do
		host=$((host + 1))
		ADDRESS[$kind]=192.0.2.$host
	done
	ADDRESS[ipvs]=$IPVS_VIP
}

backends() {
	local number
	backends_up '["192.0.2.0/24"]' "${BALANCER4[@]:0:2}" || return
	for number in "${DEVICES[@]}" "${RECEIVERS[@]}"; do
		lab_ip "b$number" route add local 192.0.2.0/24 dev lo || return
	done
	for number in "${RECEIVERS[@]}"; do
		lab_ip "b$number" fou add port 6080 gue || return
	done
	serve_held "$PORT" "$DIED_PORT" && lab_serve "$HEALTH_PORT"
}

# --- nodes ---

# ipvs_node N STEP: with connections of the other one as it tells of them
ipvs_node() {
	local node=i$1 port
	lab_balancer "$node" "ri$1" "${IPVS4[$1]##*.}" || return
	lab_ip "$node" address add "$IPVS_VIP/32" dev lo || return
	lab_sysctl "$node" ipv4/conf/all/arp_ignore=1 ipv4/vs/sloppy_tcp=1 || return
	for port in "$PORT" "$DIED_PORT"; do
		lab_in "$node" ipvsadm -A -t "$IPVS_VIP:$port" -s mh -b mh-port,mh-fallback || return
	done
	ipvs_backends "$1" "$PORT" "$2" && lab_in "$node" ipvsadm --start-daemon master --mcast-interface l0 --syncid 1 &&
		lab_in "$node" ipvsadm --start-daemon backup --mcast-interface l0 --syncid 1
}

# ipvs_backends N PORT STEP
ipvs_backends() {
	local at=0 weight server verb
	for weight in ${WEIGHTS[$3]}; do
		server=${LAB_BACKEND4[DEVICES[at]]}:$2 verb=-a at=$((at + 1))
		! lab_in "i$1" ipvsadm -Ln -t "$IPVS_VIP:$2" | grep -qF "$server " || verb=-e
		lab_in "i$1" ipvsadm "$verb" -t "$IPVS_VIP:$2" -r "$server" -i -w "$weight" || return
	done
}

# document PORT STEP
document() {
	local kind
	for kind in "${KINDS[@]}"; do
		[ "$kind" = ipvs ] || echo "$kind ${ADDRESS[$kind]} $(addresses "$kind")"
	done | jq -Rn --argjson port "$1" --argjson checked "$DIED_PORT" --argjson check "$HEALTH_PORT" --arg weights "${WEIGHTS[$2]}" \
		--arg second "$([ "$OFF" ] || addresses second)" '
		{vips: [inputs / " " | .[0] as $name | .[2:] as $addresses |
			{$name, address: "\(.[1]):\($port)/tcp", transition_s: 600, table_size: 4099,
			 encap: (if $name | test("gue") then "gue" else "ipip" end),
			 backends: [$weights / " " | to_entries[] | $addresses[.key] as $address | (.value | tonumber) as $weight |
				{$address, weight: (if $weight == 0 then 10 else $weight end), drain: ($weight == 0),
				 second_chance: ($name != "off" and ($address | IN($second / " " | .[])))}]} +
			if $port == $checked then
				{health: {type: "tcp", port: $check, interval_ms: 500, timeout_ms: 400, fall: 3, rise: 1}}
			else {} end]}'
}

addresses() { # KIND
	local number found=()
	for number in ${OF[$1]}; do
		found+=("${LAB_BACKEND4[number]}")
	done
	echo "${found[*]}"
}

# applies PORT STEP N…: at these nodes
applies() {
	local number
	document "$1" "$2" >"$LAB_DIR/services.json"
	for number in "${@:3}"; do
		balancer "$number" config apply "$LAB_DIR/services.json" --force && ipvs_backends "$number" "$1" "$2" || return
	done
}

start() {
	modprobe -a ip_vs ip_vs_mh ipip sit ip6_tunnel fou || return
	lab_up one-armed 12 && at_exit end_balancer 2 && balancer_link 2 && backends || return
	# Not 1: that would take the hash that the client's socket has given to its packets.
	lab_sysctl router ipv4/fib_multipath_hash_policy=3 ipv4/fib_multipath_hash_fields=$((0x37)) \
		"ipv4/fib_multipath_hash_seed=$((ROUND * 1000))"
	lab_start_lbd "{\"hash_seed\": \"$SEED\"}" && start_balancer 2 && ipvs_node 1 0 && ipvs_node 2 0 &&
		applies "$PORT" 0 1 2 && wait_for 20 all_agree && spreads 1 2
}

all_agree() {
	[ "$(tables 1)" = "$(tables 2)" ] && balancer_ready 1 && balancer_ready 2
}

tables() { # NUMBER
	balancer "$1" --json vip list | jq -Sc '[.vips[] | {name, digest}]'
}

# spreads N…: the router has ways to these nodes, in this order
spreads() {
	local number ways=() ipvs_ways=()
	for number; do
		ways+=(nexthop via "${BALANCER4[number]}")
		ipvs_ways+=(nexthop via "${IPVS4[number]}")
	done
	lab_ip router route replace 192.0.2.0/24 "${ways[@]}" && lab_ip router route replace "$IPVS_VIP/32" "${ipvs_ways[@]}"
}

# --- connections ---

opens() { # PORT
	local kind
	for kind in "${KINDS[@]}"; do
		lab_background client "$O/tests/lib/hold_tool" hold --count "$COUNT" --interval-ms "$INTERVAL_MS" --open-ms "$OPEN_MS" \
			"${ADDRESS[$kind]}" "$1" >"$LAB_DIR/$kind.held"
		HOLDERS[$kind]=$LAB_PID
		lab_reports "$LAB_PID" || return
		BEFORE[$kind]=0
	done
}

all_open() {
	local kind
	for kind in "${KINDS[@]}"; do
		wait_for 30 held_reports "$kind" ".opened + .failures == $COUNT" || { tail -n 1 "$LAB_DIR/$kind.held" && return 1; }
	done
}

# event EVENT WORDS COMMAND…: and which share of the connections that were alive it has broken
event() {
	local kind broken
	step "$2" "${@:3}" || return
	read -rt "$ANSWER_S" <> <(:)
	for kind in "${KINDS[@]}"; do
		held_reports "$kind" true
		broken=$(tail -n 1 "$LAB_DIR/$kind.held" | jq '.opened - .open + .failures + .wrong + .stalled')
		# Fewer than before: an answer has come after all.
		echo "broken $1 $kind $((broken > BEFORE[$kind] ? broken - BEFORE[$kind] : 0)) $((COUNT - BEFORE[$kind]))" |
			tee -a "$REPORT"
		BEFORE[$kind]=$broken
	done
}

# --- events ---

changes_come() {
	local change
	opens "$PORT" || return
	for ((change = 1; change <= ROUND; change++)); do
		read -rt 2 <> <(:)
		applies "$PORT" "$change" 1 2 || return
	done
	all_open
}

node_is_lost() {
	lab_ip router link set rl2 down && lab_ip router link set ri2 down && without_node
}

without_node() {
	read -rt .3 <> <(:) # until the router knows
	spreads 1
}

node_comes_back() {
	lab_ip router link set rl2 up && lab_ip router link set ri2 up && wait_for 20 all_agree && spreads 1 2
}

# node_is_new STEP…: one that is given these documents, one after the other, and has nothing else.
node_is_new() {
	local change
	kill -KILL "${BALANCER_LBD[2]}"
	end_balancer 2
	rm -rf "$LAB_DIR/balancer2"
	lab_forget "${BALANCER_NODE[2]}" && lab_forget i2 && without_node && wait_for 10 ports_are_gone || return
	balancer_link 2 && start_balancer 2 && ipvs_node 2 "$1" || return
	for change; do
		applies "$PORT" "$change" 2 && wait_for 20 balancer_ready 2 || return
	done
	wait_for 20 all_agree && spreads 1 2
}

lab_forget() { # NODE
	local node kept=()
	ip netns delete "$LAB_ID-$1" || return
	for node in "${LAB_NODES[@]}"; do
		[ "$node" = "$1" ] || kept+=("$node")
	done
	LAB_NODES=("${kept[@]}")
}

ports_are_gone() {
	! lab_ip router link show rl2 && ! lab_ip router link show ri2
}

hash_changes() {
	lab_sysctl router "ipv4/fib_multipath_hash_seed=$((ROUND * 1000 + 1))"
}

none_forgotten() {
	local number
	for number in 1 2; do
		balancer "$number" --json vip list | jq -e '[.vips[] | select(.name == "second").slots.forgotten] == [0]' || return
	done
}

# All that is open then is at backends that stay.
opens_elsewhere() {
	local kind
	for kind in "${KINDS[@]}"; do
		lab_end "${HOLDERS[$kind]}"
	done
	OPEN_MS=2000
	applies "$DIED_PORT" "$ALL" 1 2 && wait_for 20 all_agree && wait_for 20 all_are 1 healthy && wait_for 20 all_are 2 healthy &&
		applies "$DIED_PORT" "$DRAINED" 1 2 && wait_for 20 all_agree && opens "$DIED_PORT" && all_open
}

all_are() { # NUMBER STATE
	balancer "$1" --json backend list | jq -e --arg state "$2" 'all(.vips[].backends[]; .health.state == $state)'
}

# The one that drains: no connection is there. Balancers have seen that before the network sends connections elsewhere.
first_is_dead() {
	local number
	for number in "${SECOND[0]}" "${DEVICES[0]}" "${RECEIVERS[0]}"; do
		lab_ip router link set "rb$number" down || return
	done
	wait_for 20 one_fails 1 && wait_for 20 one_fails 2 || return
	for number in 1 2; do
		lab_in "i$number" ipvsadm -d -t "$IPVS_VIP:$DIED_PORT" -r "${LAB_BACKEND4[DEVICES[0]]}:$DIED_PORT" || return
	done
	spreads 2 1
}

one_fails() { # NUMBER
	balancer "$1" --json backend list | jq -e 'all(.vips[]; any(.backends[]; .health.state == "unhealthy"))'
}

name_vips
step "round $ROUND: two nodes of lbd, two of IPVS, twelve backends" start || finish
event changes "a backend drains, another is added: $ROUND changes of these and of weights" changes_come || finish
[ "$OFF" ] || check "no slot has had more owners than it remembers" none_forgotten
event lost "a node is lost" node_is_lost || finish
event back "it comes back" node_comes_back || finish
event hash "the router has another hash" hash_changes || finish
mapfile -t earlier < <(seq 0 $((ROUND - 1)))
event told "a node begins anew, and is given the documents before, and the last again" node_is_new "$ROUND" "${earlier[@]}" "$ROUND" || finish
event new "another one, which is given the last only" node_is_new "$ROUND" || finish
step "new connections open, while the first backend drains" opens_elsewhere || finish
event died "it dies, nodes change" first_is_dead || finish
finish
