#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd answer the SYNs of a VIP with syn_guard, so that a flood of forged ones reaches no backend, and every
# client that is there gets its connection? Before, during and after; with the secret changed, and lbd restarted.
#
#	syn_guard_test.sh
#
# Needs root, a build, and a kernel that a backend makes connections from cookies with (6.9).
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/syn.sh
. tests/lib/syn.sh

CONNECTIONS=1500

syn_needs "SYNs that lbd answers"

start_lbd() {
	lab_start_lbd "$(jq -n --arg secret "$LAB_DIR/secret" '{xdp_mode: "native", guard_secret: $secret, http: {listen: "127.0.0.1:9111"}}')"
}

laboratory() {
	syn_lab backend_secret && syn_secrets secret "$SYN_FIRST" || return
	lab_in b1 nft -f - <<-EOF || return
		table inet count { chain came { type filter hook prerouting priority -300; tcp dport 8080 tcp flags & (syn | ack) == syn counter; }; }
	EOF
	syn_backend up && syn_serve && start_lbd || return
	lbctl vip add "$LAB_VIP4:8080/tcp" --name web && lbctl vip add "[$LAB_VIP6]:8080/tcp" --name web6 &&
		lbctl backend add web "${LAB_BACKEND4[1]}" && lbctl backend add web6 "${LAB_BACKEND4[1]}" && lab_ready
}

# connects COUNT [VIP]: so many connections, eight at a time, each with an echo. Says how many were made.
connects() {
	lab_in client python3 -c '
import concurrent.futures, socket, sys
def connect(_):
    try:
        with socket.create_connection((sys.argv[1], 8080), timeout=20) as peer:
            peer.send(b"echo")
            return peer.recv(10) == b"echo"
    except OSError as error:
        print(error, file=sys.stderr)
        return False
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(connect, range(int(sys.argv[2])))))' "${2:-$LAB_VIP4}" "$1"
}

# One connection that talks on until the file $LAB_DIR/hush is there, then says how often and ends.
talk_on() {
	lab_background client python3 -c '
import os, socket, sys, time
said = 0
with socket.create_connection((sys.argv[1], 8080), timeout=3) as peer:
    while not os.path.exists(sys.argv[2]):
        peer.send(b"echo")
        assert peer.recv(10) == b"echo"
        said += 1
        time.sleep(0.05)
print(said)' "$LAB_VIP4" "$LAB_DIR/hush" >"$LAB_DIR/talk" 2>&1
	TALK=$LAB_PID
}

# 50 connections whose client has had its SYN-ACK, and whose ACK comes once the file $LAB_DIR/release is there.
hold() {
	lab_in client nft add table inet hold
	lab_in client nft 'add chain inet hold out { type filter hook output priority 0; }'
	lab_in client nft 'add rule inet hold out tcp dport 8080 tcp flags & (syn | ack) == ack drop'
	lab_background client python3 -c '
import os, socket, sys, time
peers = [socket.create_connection((sys.argv[1], 8080), timeout=9) for _ in range(50)]
print("held", flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
made = 0
for peer in peers:
    try:
        peer.send(b"echo")
        made += peer.recv(10) == b"echo"
    except OSError as error:
        print(error, file=sys.stderr)
print(made)' "$LAB_VIP4" "$LAB_DIR/release" >"$LAB_DIR/held" 2>&1
	HOLD=$LAB_PID
	wait_for 5 grep -q held "$LAB_DIR/held"
}

release() {
	lab_in client nft delete table inet hold
	touch "$LAB_DIR/release"
	wait_for 20 lab_ended "$HOLD"
	tail -n 1 "$LAB_DIR/held"
	rm "$LAB_DIR/release"
}

syns() {
	lab_in b1 nft -j list table inet count | jq '[.. | .counter? // empty | .packets] | add'
}

# flood [--rate N]: forged SYNs for a minute at most, as many as the machine makes; until flood_ends, which says how many.
flood() {
	lab_background router "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" --interface rl \
		--dmac "$(lab_ip balancer -json link show l0 | jq -r '.[0].address')" --syn "$@" --seconds 60 "$LAB_VIP4" 8080 >"$LAB_DIR/flood"
	FLOOD=$LAB_PID
}

flood_ends() {
	lab_end "$FLOOD"
	jq .packets "$LAB_DIR/flood"
}

answers() {
	lbctl --json vip show "${1:-web}" | jq -e '.syn.answers == true'
}

guarded() {
	lbctl vip set web --syn-guard always && lbctl vip set web6 --syn-guard always && wait_for 5 answers web && wait_for 5 answers web6
}

without_it_forged_syns_arrive() {
	local before
	before=$(syns)
	flood --rate 20000
	wait_for 10 more_syns $((before + 1000))
	local result=$?
	echo "$(($(syns) - before)) of $(flood_ends) arrived"
	return "$result"
}

more_syns() {
	[ "$(syns)" -ge "$1" ]
}

a_flood_reaches_no_backend() {
	local before made forged
	before=$(syns)
	flood
	sleep 0.5
	made=$(connects "$CONNECTIONS")
	forged=$(flood_ends)
	echo "$made of $CONNECTIONS connections made, $(($(syns) - before)) SYNs arrived of $forged forged ones and theirs"
	[ "$made" = "$CONNECTIONS" ] && [ "$(syns)" = "$before" ] && [ "$forged" -ge 20000 ]
}

# The first quarter of a second reaches the backend. Connections that are half made when it goes off are made.
automatic() {
	local before made forged held
	lbctl vip set web --syn-guard auto:2000 && says_answers false || return
	before=$(syns)
	[ "$(connects 20)" = 20 ] && [ "$(syns)" = $((before + 20)) ] || return
	flood
	wait_for 10 answers || { flood_ends; return 1; }
	before=$(syns)
	made=$(connects "$CONNECTIONS")
	hold || { cat "$LAB_DIR/held" && flood_ends && return 1; }
	echo "$made of $CONNECTIONS connections made, $(($(syns) - before)) SYNs arrived"
	[ "$(syns)" = "$before" ]
	before=$?
	forged=$(flood_ends)
	[ "$made$before" = "${CONNECTIONS}0" ] && wait_for 20 says_answers false || return
	held=$(release)
	before=$(syns)
	echo "$forged forged SYNs; $held of 50 held connections made after it went off"
	[ "$held" = 50 ] && [ "$(connects 20)" = 20 ] && [ "$(syns)" = $((before + 20)) ] || return
	grep "vip web: SYNs are answered with cookies" "$LAB_DIR/lbd.log" && grep "vip web: SYNs are forwarded again" "$LAB_DIR/lbd.log"
}

explained() {
	lbctl explain "$LAB_CLIENT4:40001" web --syn >"$LAB_DIR/explained"
	cat "$LAB_DIR/explained"
	grep -q '^verdict *tx_syn' "$LAB_DIR/explained" && ! grep -q '^backend' "$LAB_DIR/explained" &&
		lbctl explain "$LAB_CLIENT4:40001" web --ack | grep "^backend *${LAB_BACKEND4[1]}"
}

# value NAME: of the VIP web
value() {
	lab_in balancer curl -sS --max-time 10 http://127.0.0.1:9111/metrics | python3 tests/lib/metrics_tool.py value "$1" vip=web
}

counted() {
	local syn
	syn=$(lbctl --json vip show web | jq .syn)
	echo "$syn"
	[ "$(value lbd_vip_syn_guard_answers)" = 1 ] && [ "$(value lbd_vip_syns_total)" = "$(jq .syns <<<"$syn")" ] &&
		[ "$(value lbd_vip_syns_answered_total)" = "$(jq .answered <<<"$syn")" ] && jq -e '.syns >= 20000 and .answered == .syns' <<<"$syn"
}

the_old_one_talks_on() {
	touch "$LAB_DIR/hush"
	wait_for 5 lab_ended "$TALK"
	cat "$LAB_DIR/talk"
	[ "$(tail -n 1 "$LAB_DIR/talk")" -ge 50 ]
}

hang_up() {
	kill -HUP "$LAB_LBD"
	sleep 0.5
}

# There are no services to read; the secret is read all the same.
reload() {
	lbctl config reload 2>&1 | grep "lbd.json has no services file" && sleep 0.5
}

# goes_without WHAT: until then SYNs are forwarded, lbd says why, and connections are made.
goes_without() {
	local before
	wait_for 40 says_answers false || return
	before=$(syns)
	echo "without $1:"
	lbctl vip show web | grep "not ready: ${LAB_BACKEND4[1]}" &&
		lbctl status | grep "of VIP web: backend ${LAB_BACKEND4[1]} makes no connections from cookies" &&
		[ "$(connects 20)" = 20 ] && [ "$(syns)" = $((before + 20)) ]
}

readiness() {
	lab_in b1 tc filter del dev b0 ingress
	goes_without "the program" || return
	syn_backend up && wait_for 40 answers || return
	lab_sysctl b1 ipv4/tcp_sack=0
	goes_without tcp_sack || return
	lab_sysctl b1 ipv4/tcp_sack=1
	wait_for 40 answers && [ "$(connects 20)" = 20 ] || return
	echo "sockets that are left:"
	wait_for 5 nothing_left
}

nothing_left() {
	! { lab_in balancer ss -Htan "dport = 8080" | grep -v TIME-WAIT || lab_in b1 ss -Htan state close-wait "sport = 8080" | grep .; }
}

# Backends know the new secret first; then balancers make cookies with it; then the old one goes.
rotation() {
	syn_secrets backend_secret "$SYN_FIRST" "$SYN_SECOND" && syn_backend secret || return
	[ "$(connects 20)" = 20 ] || return
	syn_secrets secret "$SYN_SECOND" "$SYN_FIRST" && reload || return
	syn_secrets backend_secret "$SYN_SECOND" && syn_backend secret || return
	[ "$(connects 20)" = 20 ] || return
	echo "a file that cannot be read changes nothing:"
	syn_secrets secret short && hang_up
	grep "the secret of the SYN guard stays as it is" "$LAB_DIR/lbd.log" && [ "$(connects 20)" = 20 ]
	local result=$?
	syn_secrets secret "$SYN_SECOND"
	return "$result"
}

restart() {
	local before
	lab_stop_lbd
	[ "$(connects 20)" = 20 ] || return
	start_lbd && lab_ready && wait_for 5 answers || return
	before=$(syns)
	[ "$(connects 20)" = 20 ] && [ "$(syns)" = "$before" ]
}

restart_without_secret() {
	lab_stop_lbd
	rm "$LAB_DIR/secret"
	start_lbd && lab_ready || return
	lbctl status | grep "the SYN guard answers no SYNs" && [ "$(connects 20)" = 20 ] || return
	syn_secrets secret "$SYN_SECOND" && hang_up
	wait_for 5 answers && ! lbctl status | grep "the SYN guard answers no SYNs"
}

drained() {
	lbctl backend "$1" web "${LAB_BACKEND4[1]}" >/dev/null && wait_for 5 says_answers "$2"
}

says_answers() {
	[ "$(lbctl --json vip show web | jq .syn.answers)" = "$1" ]
}

switched_off() {
	local before made
	hold || { cat "$LAB_DIR/held" && return 1; }
	lbctl vip set web --syn-guard off && lbctl vip show web | grep "off; cookies of before are taken" || return
	made=$(release)
	before=$(syns)
	echo "$made of 50 held connections made"
	[ "$made" = 50 ] && [ "$(connects 20)" = 20 ] && [ "$(syns)" = $((before + 20)) ]
}

refused() {
	check_equal "$1" "lbctl: $2" "$(lbctl "${@:3}" 2>&1 | head -n 1)"
}

step "a balancer and a backend" laboratory || finish
refused "a UDP VIP has no SYNs" "a VIP with syn_guard must be TCP (at vip.syn_guard)" vip add "$LAB_VIP4:8080/udp" --syn-guard always
chmod 640 "$LAB_DIR/secret"
refused "a secret that others may read is refused" "$LAB_DIR/secret is not a file that its owner alone may read" vip set web --syn-guard always
rm "$LAB_DIR/secret"
mkfifo -m 600 "$LAB_DIR/secret"
refused "a FIFO is no secret, and holds nobody up" "$LAB_DIR/secret is not a file that its owner alone may read" vip set web --syn-guard always
rm "$LAB_DIR/secret"
syn_secrets secret "$SYN_FIRST"
step "without it, forged SYNs arrive at the backend" without_it_forged_syns_arrive
talk_on
step "SYNs are answered" guarded || finish
step "a flood of forged SYNs reaches no backend, and every client gets its connection" a_flood_reaches_no_backend
check "its SYNs are counted" counted
check "explain says that a SYN is answered, and where an ACK goes" explained
check_equal "IPv6, too" 50 "$(connects 50 "$LAB_VIP6")"
step "a connection from before goes on" the_old_one_talks_on
step "with auto a flood is answered while it lasts, and every client gets its connection" automatic
step "SYNs are answered again" guarded || finish
step "SYNs are answered only while backends make connections from cookies" readiness
step "the secret is changed while clients connect" rotation
step "lbd is restarted" restart
step "without its secret lbd starts, forwards SYNs and says so" restart_without_secret
step "no SYN is answered while no backend takes new flows" drained drain false
step "and again when one does" drained undrain true
step "switched off, connections whose SYN was answered are made" switched_off
check "the lab goes away as a whole" lab_down
finish
