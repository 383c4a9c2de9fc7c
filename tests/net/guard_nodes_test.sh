#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two balancers with one guard_secret: do connections come about whose SYN one of them has answered, and whose ACKs come
# to the other? And has each of them rates of its own?
#
#	guard_nodes_test.sh
#
# Needs root, a build, and a kernel that a backend makes connections from cookies with (6.9).
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh
# shellcheck source=tests/lib/syn.sh
. tests/lib/syn.sh
# shellcheck source=tests/lib/second.sh
. tests/lib/second.sh

SEED=00112233445566778899aabbccddeeff # both have the same tables
HELD=50
ATTACKER=203.0.113.50

syn_needs "two balancers with a guard"

# --- the lab ---

start() {
	local number
	lab_up one-armed 2 && at_exit end_standby && standby_link && plain_backends || return
	syn_settings secret && syn_secrets secret "$SYN_FIRST" || return
	for number in 1 2; do
		backend "b$number" up || return
	done
	lab_serve 8080 || return
	lab_start_lbd "$(jq -n --arg secret "$LAB_DIR/secret" --arg seed "$SEED" \
		'{xdp_mode: "native", guard_secret: $secret, hash_seed: $seed, http: {listen: "127.0.0.1:9111"}}')" && start_standby &&
		both vip add "$LAB_VIP4:8080/tcp" --name web --syn-guard always --transition 600 &&
		both backend add web "${LAB_BACKEND4[1]}" && wait_for 10 both_answer
}

both() {
	balancer 1 "$@" && balancer 2 "$@"
}

both_answer() {
	local number
	for number in 1 2; do
		balancer "$number" --json vip show web | jq -e '.syn.answers' && balancer_ready "$number" || return
	done
}

of() { # BALANCER FILTER: of the VIP as it is there
	balancer "$1" --json vip show web | jq "$2"
}

# Flows that ACKs with a cookie have opened there, in slots that are not settled.
opened() { # BALANCER
	lab_in "${BALANCER_NODE[$1]}" curl -sS --max-time 10 http://127.0.0.1:9111/metrics |
		python3 tests/lib/metrics_tool.py value lbd_vip_cookie_flows_total vip=web
}

# --- cookies ---

# Connections whose client has had its SYN-ACK, from balancer 1, and whose ACK comes once $LAB_DIR/release is there.
hold() {
	lab_in client nft -f - <<-EOF || return
		table inet hold { chain out { type filter hook output priority 0; tcp dport 8080 tcp flags & (syn | ack) == ack drop; }; }
	EOF
	lab_background client python3 -c '
import os, socket, sys, time
peers = [socket.create_connection((sys.argv[1], 8080), timeout=20) for _ in range(int(sys.argv[3]))]
print("held", flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
made = 0
for peer in peers:
    try:
        peer.send(b"GET / HTTP/1.1\r\n\r\n")
        made += peer.recv(100).startswith(b"HTTP/1.1 200 ")
    except OSError as error:
        print(error, file=sys.stderr)
print(made)' "$LAB_VIP4" "$LAB_DIR/release" "$HELD" >"$LAB_DIR/held" 2>&1
	HOLD=$LAB_PID
	wait_for 20 grep -q held "$LAB_DIR/held"
}

release() {
	lab_in client nft delete table inet hold
	touch "$LAB_DIR/release"
	wait_for 20 lab_ended "$HOLD"
	tail -n 1 "$LAB_DIR/held"
	rm "$LAB_DIR/release"
}

# passes_over FROM TO: SYNs there, ACKs here
passes_over() {
	local from=$1 to=$2 before made answered
	before=$(of "$to" .syn.answered)
	moves_to "${BALANCER4[from]}"
	answered=$(of "$from" .syn.answered)
	hold || { cat "$LAB_DIR/held" && return 1; }
	moves_to "${BALANCER4[to]}"
	made=$(release)
	echo "balancer $from answered $(($(of "$from" .syn.answered) - answered)) SYNs, balancer $to" \
		"$(($(of "$to" .syn.answered) - before)); $made of $HELD connections were made"
	[ "$made" = "$HELD" ] && [ "$(of "$to" .syn.answered)" = "$before" ] && [ $(($(of "$from" .syn.answered) - answered)) -ge "$HELD" ]
}

# The second takes the place of the first one.
slots_move() {
	both backend add web "${LAB_BACKEND4[2]}" && both backend drain web "${LAB_BACKEND4[1]}" && wait_for 10 both_move &&
		wait_for 10 both_answer
}

both_move() {
	[ "$(of 1 '.slots.moving > 0')$(of 2 '.slots.moving > 0')" = truetrue ]
}

# Who took no cookie of the other's would follow it to the backend before.
opens_flows() {
	local before
	before=$(opened "$2")
	passes_over "$1" "$2" || return
	echo "$(($(opened "$2") - before)) flows were opened"
	[ $(($(opened "$2") - before)) = "$HELD" ]
}

# --- rates ---

limited() {
	both vip set web --syn-guard off && both vip set web --rate source=1000pps
}

# flood BALANCER: from one address; until flood_ends
flood() {
	lab_background router "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" --interface "$([ "$1" = 1 ] && echo rl || echo rl2)" \
		--dmac "$(lab_ip "${BALANCER_NODE[$1]}" -json link show l0 | jq -r '.[0].address')" --ack --from "$ATTACKER" --rate 20000 --seconds 60 \
		"$LAB_VIP4" 8080 >"$LAB_DIR/flood"
	FLOOD=$LAB_PID
}

exceeds() { # BALANCER
	[ "$(of "$1" '.rates[0].exceeded')" -gt 1000 ]
}

exceeds_here_alone() { # HERE THERE
	local before there
	before=$(of "$2" '.packets') there=$(of "$2" '.rates[0].exceeded')
	flood "$1"
	wait_for 20 exceeds "$1"
	local result=$?
	lab_end "$FLOOD"
	echo "exceeded $(of "$1" '.rates[0].exceeded') here, $(of "$2" '.rates[0].exceeded') there, where $(($(of "$2" .packets) - before)) packets came"
	[ "$result" = 0 ] && [ "$(of "$2" '.rates[0].exceeded')" = "$there" ]
}

step "two balancers and two backends, with one secret" start || finish
step "ACKs of connections whose SYN balancer 1 has answered come to balancer 2" passes_over 1 2
step "and the other way round" passes_over 2 1
step "a backend takes another's place" slots_move
step "ACKs that come to balancer 2 open flows at the new backend" opens_flows 1 2
step "and the other way round" opens_flows 2 1
step "rates" limited
step "what one source sends to balancer 1 is beyond its rate there, and not at balancer 2" exceeds_here_alone 1 2
step "its rate at balancer 2 is its own" exceeds_here_alone 2 1
step "the standby goes away as a whole" end_standby
check "the lab goes away as a whole" lab_down
finish
