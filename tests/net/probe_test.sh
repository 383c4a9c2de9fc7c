#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbctl backend probe say how a backend answers, whether it is in the pool or not, and how far packets come?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

READ_ONLY=/tmp/lbd-probe-$$.sock
NOBODY=10.0.1.99
AWAY=203.0.113.7
start() {
	lab_up two-armed 3 && lab_serve 80 && lab_start_lbd '{"control": {"read_only_path": "'"$READ_ONLY"'"}}' &&
		lbctl vip add "$LAB_VIP4:80/tcp" --name web --health http --health-source tunnel \
			--health-interval 2s --health-timeout 500ms &&
		lbctl vip add "[$LAB_VIP6]:80/tcp" --name web6 --health tcp --health-source tunnel --health-timeout 500ms &&
		lbctl vip add "$LAB_VIP4:81/tcp" --name plain && lbctl vip add "$LAB_VIP4:53/udp" --name bare &&
		lbctl vip add "$LAB_VIP4:54/udp" --name dns --health udp --health-payload x &&
		lbctl backend add web "${LAB_BACKEND4[1]}" && lab_ready && wait_for 10 healthy
}
healthy() { lbctl --json backend list web | jq -e '.vips[0].backends[0].health.state == "healthy"'; }

# probed STATUS WORDS… FILTER: the exit status, and the filter is true of the answer
probed() {
	local status
	lbctl --json backend probe "${@:2:$#-2}" >"$LAB_DIR/probe"
	status=$?
	cat "$LAB_DIR/probe"
	[ "$status" = "$1" ] && jq -e "${@: -1}" "$LAB_DIR/probe"
}
# says PATTERN WORDS…
says() {
	lbctl backend probe "${@:2}" >"$LAB_DIR/said" 2>&1
	cat "$LAB_DIR/said"
	grep -qE "$1" "$LAB_DIR/said"
}
GOOD='.healthy and ([.attempts[] | [.source, .full_mtu, .outcome]] ==
	[["tunnel", false, "success"], ["tunnel", true, "success"], ["direct", false, "success"]]) and
	all(.attempts[]; .status == 200 and .connect_us > 0 and (.answer | startswith("HTTP/1.1 200"))) and
	.next_hop.state == "resolved"'

# What an operator sees of the balancer, but for what goes on by itself.
state() {
	lbctl --json config export
	lbctl --json status | jq -c '[.limits, .next_hops]'
	lbctl --json backend list | jq -c '[.vips[].backends[] | [.address, .state, .health.state, .health.since, .share]]'
}
no_trace() {
	local before
	before=$(state)
	probed 0 web "${LAB_BACKEND4[3]}" ".in_pool == false and $GOOD" && probed 4 web "$NOBODY" .address || return
	diff <(echo "$before") <(state)
}

undecapsulated() { lab_ip b2 link set dev b0 xdpdrv off; }
decapsulated() { lab_ip b2 link set dev b0 xdpdrv obj "$O/bpf/decap.bpf.o" sec xdp.frags; }
vip_at_b2() { lab_ip b2 address "$1" "$LAB_VIP4/32" dev lo; }
by_device() {
	[ -c /dev/net/tun ] || return
	lab_in balancer ethtool -K l1 tx off >/dev/null && undecapsulated && { lab_background b2 "$LAB_ROOT/tests/lib/tun_decap.py" tun0 >"$LAB_DIR/tun"; } &&
		wait_for 10 test -s "$LAB_DIR/tun" && lab_ip b2 link set tun0 up
}
narrow() { lab_ip router link set rb2 mtu "$1"; }

refused_read_only() {
	"$LBCTL" --socket "$READ_ONLY" backend probe web "$NOBODY" 2>&1 | tee "$LAB_DIR/said"
	grep -q 'read-only and does not take backend.probe' "$LAB_DIR/said"
}
# refuses MESSAGE WORDS…
refuses() {
	local status
	lbctl backend probe "${@:2}" >"$LAB_DIR/said" 2>&1
	status=$?
	cat "$LAB_DIR/said"
	[ "$status" = 1 ] && grep -qF "$1" "$LAB_DIR/said"
}

# Four at once: each gets its own answer, one after the other.
at_once() {
	local i pids=()
	for i in 1 2 3 4; do
		lbctl --json backend probe web "10.0.1.9$i" >"$LAB_DIR/probe$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		jq -ce "[.address, .healthy] == [\"10.0.1.9$i\", false]" "$LAB_DIR/probe$i" || return
	done
}
short_turn() {
	lbctl --json status | jq -ce '.longest_turn | ., (.what != "backend.probe" or .cpu_us < 20000)' | tee "$LAB_DIR/said"
	[ "$(tail -1 "$LAB_DIR/said")" = true ]
}

# The filters of tunnel checks stay until the probe has ended, and go then.
filters() { lab_in balancer tc filter show dev l1 egress | grep -q tunnel; }
no_filters() { ! filters; }
amid_change() {
	# time for what comes in between, on a busy machine too
	lbctl vip set web --health-interval 5s --health-timeout 5s || return
	lbctl --json backend probe web "$NOBODY" >"$LAB_DIR/probe" &
	local pid=$!
	wait_for 5 followed && lbctl vip set web --health-source direct && lbctl vip set web6 --health none && filters
	local status=$?
	wait "$pid"
	[ "$status" = 0 ] && jq -e '.check.source == "tunnel"' "$LAB_DIR/probe" && wait_for 5 no_filters
}
followed() { lbctl --json status | jq -e "any(.next_hops[]; .gateway == \"$NOBODY\")"; }
stops_amid() {
	local began
	lbctl vip set web --health-source tunnel --health-timeout 2s && lab_ip b3 link set b0 down || return
	lbctl backend probe web "${LAB_BACKEND4[3]}" >"$LAB_DIR/probe" 2>&1 &
	sleep 0.3
	began=$EPOCHREALTIME
	lab_stop_lbd
	wait $!
	echo "after ${EPOCHREALTIME}, from $began: $(<"$LAB_DIR/probe")"
	((${EPOCHREALTIME/./} - ${began/./} < 1500000))
}

step "the lab is there, and lbd with one backend of three" start || finish
check "a backend of the pool: what came back by the tunnel, in small and full packets, and directly" \
	probed 0 web "${LAB_BACKEND4[1]}" ".in_pool and $GOOD"
check "in words: its answer and how long that took" says \
	'^  through the tunnel, full packets +good, in [0-9.]+ ms, connected in [0-9.]+ ms: "HTTP/1.1 200 OK' \
	web "${LAB_BACKEND4[1]}"
check "one that is in no pool is tried before it is added, and nothing remains of that" no_trace
check "over IPv6, by a check that sends nothing: no full packets" probed 0 web6 "${LAB_BACKEND6[2]}" \
	'.healthy and [.attempts[] | [.source, .outcome]] == [["tunnel", "success"], ["direct", "success"]]'
check "an address that nobody has: the next hop says why" says "next hop $NOBODY by l1: neighbour (does not answer|has not answered yet)" web "$NOBODY"
check "without a check a connection is tried: refused" probed 4 plain "${LAB_BACKEND4[2]}" \
	'.configured == false and .attempts[0].error == "connection refused"'
check "an ICMP error is told with who has sent it" says 'ICMP network unreachable from 10\.0\.[01]\.1$' plain "$AWAY"
check "so is that of a port, over UDP" says "ICMP port unreachable from ${LAB_BACKEND4[2]}\$" dns "${LAB_BACKEND4[2]}"

step "b2 does not take off the outer header" undecapsulated
check "that is said, with what fixes it" says 'does not take off the outer header \(ICMP protocol unreachable\): modprobe ipip' \
	web "${LAB_BACKEND4[2]}"
step "b2 does again, but lacks the VIP" decapsulated
step "the address is gone" vip_at_b2 del
check "that is told apart by its own address" says "it lacks the VIP: at the backend \"ip address add $LAB_VIP4/32 dev lo\"" \
	web "${LAB_BACKEND4[2]}"
step "b2 has the VIP, and a device takes off the outer header" vip_at_b2 add
if step "the device is there" by_device; then
	check "packets by that device are answered" probed 0 web "${LAB_BACKEND4[2]}" .healthy
	step "rp_filter is on there" lab_sysctl b2 ipv4/conf/tun0/rp_filter=1
	check "that is told from a missing VIP, with what fixes it" says 'sysctl -w net.ipv4.conf.DEV.rp_filter=0' \
		web "${LAB_BACKEND4[2]}"
	step "the device goes" lab_end "$LAB_PID"
else
	skip "rp_filter is told from a missing VIP" "/dev/net/tun"
fi
step "b2 takes off the outer header again" decapsulated
step "a link on the way is too narrow for full packets" narrow 1400
check "small packets arrive, full ones do not: that is said" says 'fix: small packets arrive and those of full size do not' \
	web "${LAB_BACKEND4[2]}"
step "the link is wide again" narrow "$LAB_MTU"
check "all is well" probed 0 web "${LAB_BACKEND4[2]}" "$GOOD"

check "the address of another VIP is refused" refuses "$LAB_VIP6 is the address of a VIP" web "$LAB_VIP6"
check "the VIP's own address stands for it: a connection as clients make it" says \
	"^VIP $LAB_VIP4:80/tcp, as clients ask it: tcp check succeeds" web "$LAB_VIP4"
check "UDP without a check is refused" refuses "only a TCP port can be asked" bare "${LAB_BACKEND4[2]}"
check "an unknown VIP is refused" refuses 'no VIP "wbe"' wbe "${LAB_BACKEND4[2]}"
check "the read-only socket refuses it" refused_read_only
check "four at once are answered" at_once
check "no turn of the loop was longer than 20 ms" short_turn
check "a change that ends tunnel checks lets a probe come to its end" amid_change
check "lbd ends at once amid a probe" stops_amid
step "nothing remains" lab_down
finish
