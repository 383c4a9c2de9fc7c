#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd-backend make a host a backend whose connections are found wherever their packets arrive, say what is wrong,
# and take all away again?
#
#   backend_test.sh [PART…]      parts: program kernel; all unless given. NET_QUICK=1: fewer connections
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/second.sh
. tests/lib/second.sh

CONNECTIONS=${NET_QUICK:+30}
CONNECTIONS=${CONNECTIONS:-100}
PORT=8080

# settings DECAPSULATION [JSON]: what each backend is told
settings() {
	jq -n --arg decapsulation "$1" --argjson more "${2:-{\}}" --arg vip4 "$LAB_VIP4" --arg vip6 "$LAB_VIP6" '
		{interfaces: ["b0"], vips: [$vip4, $vip6], balancers: ["198.51.100.0/24", "2001:db8:c::/64"],
		 backends: ["10.0.0.0/24", "fd00:0:0:1::/64"], $decapsulation} + $more' >"$LAB_DIR/backend.json"
}

every_backend() {
	local node
	for node in b1 b2 b3; do
		backend "$node" "$@" || return
	done
}

# As a host is that nobody has made a backend.
plain() {
	local node
	plain_backends
	for node in b1 b2 b3; do
		lab_sysctl "$node" ipv4/conf/all/arp_ignore=0 ipv4/conf/all/arp_announce=0 ipv4/conf/all/rp_filter=2 \
			ipv4/conf/b0/rp_filter=1 || return
	done
}

# All that lbd-backend may change.
picture() {
	lab_ip b1 -j address show | jq -c '.[] | [.ifname, [.addr_info[].local]]'
	lab_ip b1 -j -d link show | jq -c '.[] | [.ifname, .xdp]'
	lab_ip b1 route show table local
	lab_in b1 tc qdisc show
	lab_in b1 ip fou show 2>/dev/null
	lab_in b1 bash -c 'grep -H . /proc/sys/net/ipv4/conf/{all,b0,lo}/{arp_ignore,arp_announce,rp_filter}'
}

# balance ADDRESS…: all TCP of the client's to the VIPs, with lists
balance() {
	lab_background client tests/lib/list_tool.py tun0 "$@"
	LIST=$LAB_PID
	wait_for 5 lab_ip client link show tun0 && lab_batch client <<-EOF
		link set tun0 mtu 1380 up
		route replace $LAB_VIP4 dev tun0
		route replace $LAB_VIP6 dev tun0
	EOF
}

reported() {
	kill -USR1 "$HOLD" && wait_for 2 grep -q "\"open\":$CONNECTIONS,.*\"exchanges\":[0-9]\{3\}" <(tail -n 1 "$LAB_DIR/held")
}

# holds ADDRESS: connections to it live on, though their packets arrive anywhere
holds() {
	lab_background client "$O/tests/lib/hold_tool" hold --count "$CONNECTIONS" --interval-ms 500 "$1" "$PORT" >"$LAB_DIR/held"
	HOLD=$LAB_PID
	lab_reports "$HOLD" && wait_for 30 reported
	kill "$HOLD"
	wait "$HOLD"
	tail -n 1 "$LAB_DIR/held"
	jq -es --argjson all "$CONNECTIONS" 'last | .opened == $all and .failures + .resets + .stalls + .wrong == 0 and
		(.seen | length) == 3' "$LAB_DIR/held"
}

connections_live_on() {
	local outer=$1 before
	shift
	step "packets go to any backend, in an outer $outer header" balance "$@" || return
	before=$(counted passed_on b2)
	check "$CONNECTIONS connections over IPv4 live on" holds "$LAB_VIP4"
	check "$CONNECTIONS connections over IPv6 live on" holds "$LAB_VIP6"
	check "b2 has passed packets on" test "$(counted passed_on b2)" -gt "$before"
	check_equal "no packet was lost, refused, malformed or from a stranger" "0 0 0 0" \
		"$(counted lost b2) $(counted refused_hop b2) $(counted malformed b2) $(counted other_source b2)"
	lab_end "$LIST"
}

# --- parts ---

up_and_lists() {
	settings "$1"
	before=$(picture)
	step "lbd-backend up" every_backend up || return
	check_equal "check finds nothing wrong" "nothing is wrong here" "$(backend b1 check)"
	step "servers start" serve || return
	connections_live_on IPv4 "${LAB_BACKEND4[@]}"
	connections_live_on IPv6 "${LAB_BACKEND6[@]}"
}

listens() {
	lab_in "$1" ss -Hltn "sport = $PORT" | grep -q .
}

serve() {
	local node
	for node in b1 b2 b3; do
		lab_background "$node" "$O/tests/lib/hold_tool" serve "$node" "$PORT"
		wait_for 5 listens "$node" || return
	done
}

down_takes_all_away() {
	check "lbd-backend down" every_backend down
	check_equal "all is as it was before" "$before" "$(picture)"
	check "down again finds nothing to do" backend b1 down
	check_equal "check says that it is no backend" "this host is not set up as a backend" "$(backend b1 check | head -n 1)"
}

# problem WHAT COMMAND…: after COMMAND check says WHAT, and exits 4; up again mends it.
problem() {
	local what=$1 output status
	shift
	"$@" >/dev/null 2>&1
	output=$(backend b1 check)
	status=$?
	check_equal "check: $what" "4 $what" "$status $(grep -Fx -m 1 -- "$what" <<<"$output")"
	check "up makes it right" backend b1 up
	check_equal "and check finds nothing more" "nothing is wrong here" "$(backend b1 check)"
}

problems() {
	problem "$LAB_VIP4/32 is not local to this host" lab_ip b1 address del "$LAB_VIP4/32" dev lo
	problem "$LAB_VIP6/128 is not local to this host" lab_ip b1 address del "$LAB_VIP6/128" dev lo
	problem "b0 has no program that takes outer headers off" lab_ip b1 link set dev b0 xdpdrv off
	problem "b0 has no program that passes packets on" lab_in b1 tc qdisc del dev b0 clsact
	problem "ipv4/conf/all/arp_ignore is 0, not 1" lab_sysctl b1 ipv4/conf/all/arp_ignore=0
	problem "ipv4/conf/all/rp_filter is 1, not 0" lab_sysctl b1 ipv4/conf/all/rp_filter=1
	lab_sysctl b1 ipv4/conf/b0/forwarding=1
	check_equal "check: a host that forwards" "b0 forwards packets: also inner ones, to any address" "$(backend b1 check | head -n 1)"
	lab_sysctl b1 ipv4/conf/b0/forwarding=0
}

# Several at once leave one backend, which can be taken away.
at_once() {
	local pid pids=() status=0
	for _ in 1 2 3 4 5 6; do
		backend b1 up &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	check_equal "six times up at once, and all succeed" 0 "$status"
	check_equal "check finds nothing wrong then" "nothing is wrong here" "$(backend b1 check)"
}

# damaged WHAT COMMAND…: after COMMAND nobody knows what has to be taken away, and all say so.
damaged() {
	local what=$1 state=$LAB_DIR/undo.b1 said verb
	shift
	said="$state is damaged: what up did cannot be taken away"
	cp "$state" "$state.kept"
	"$@"
	for verb in down up; do
		check_equal "$what: $verb refuses" "lbd-backend: $said 1" "$(backend b1 "$verb" 2>&1 | head -n 1) $(status_of backend b1 "$verb")"
	done
	check_equal "$what: check says so" "$said 4" "$(backend b1 check | head -n 1) $(status_of backend b1 check)"
	check "$what: the file stays" test -e "$state"
	mv "$state.kept" "$state"
}

status_of() {
	"$@" >/dev/null 2>&1
	echo $?
}

damages() {
	local state=$LAB_DIR/undo.b1
	damaged "an empty file" truncate -s 0 "$state"
	damaged "a file without its beginning" sed -i 1d "$state"
	damaged "a line of something else" sed -i '3s/.*/garbage/' "$state"
	check_equal "check finds nothing wrong afterwards" "nothing is wrong here" "$(backend b1 check)"
	sed -i '$d' "$state"
	check_equal "a file that was cut at the end of a line has no end" "$state has no end: up was interrupted, or the file lacks what it did last" \
		"$(backend b1 check | head -n 1)"
	check_equal "one that ends within a line takes away what it has" "0 gone" \
		"$(printf 'run ip lin' >>"$state"; status_of backend b1 down) $([ -e "$state" ] || echo gone)"
	check "up" backend b1 up
}

# Some connections are b3's, which no list names any more.
lost() {
	step "packets go to any backend" balance "${LAB_BACKEND4[@]}" || return
	lab_background client "$O/tests/lib/hold_tool" hold --count "$CONNECTIONS" --interval-ms 500 "$LAB_VIP4" "$PORT" >"$LAB_DIR/held"
	HOLD=$LAB_PID
	lab_reports "$HOLD" && check "connections stand" wait_for 30 reported
	lab_end "$LIST"
	step "packets go to two of them only" balance "${LAB_BACKEND4[1]}" "${LAB_BACKEND4[2]}" || return
	check "what none of the two has counts as lost" wait_for 10 grows lost
	lab_end "$HOLD"
	lab_end "$LIST"
	check "check says so" grep -q "were of connections that no backend of their list has" <(backend b1 check)
}

# The file names backends that the packets do not come from or go to.
strangers() {
	settings program '{"backends": ["10.9.0.0/24", "fd09::/64"]}'
	step "b1 is told of other backends" backend b1 up && balance "${LAB_BACKEND4[@]}" || return
	lab_background client "$O/tests/lib/hold_tool" hold --count 20 --interval-ms 500 "$LAB_VIP4" "$PORT" >"$LAB_DIR/held"
	check "packets to hops outside the prefixes are dropped" wait_for 10 grows refused_hop
	check "packets of backends outside the prefixes are not believed" wait_for 10 grows other_source
	lab_end "$LAB_PID"
	lab_end "$LIST"
	backend b1 check >"$LAB_DIR/said"
	check "check says what to do about the hops" grep -q "the next backend of their list is in none" "$LAB_DIR/said"
	check "check says what to do about the senders" grep -q "came from a sender that is not believed" "$LAB_DIR/said"
	settings program
}

grows() {
	[ "$(counted "$1" b1)" -gt 0 ]
}

# tunnel_packets NODE: one in IP-in-IP and one in GUE, both without a list, to b1
tunnel_packets() {
	lab_in "$1" python3 - "${LAB_BACKEND4[1]}" "$LAB_VIP4" <<-'EOF'
		import socket, struct, sys
		inner = struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton("198.51.100.77"),
		                    socket.inet_aton(sys.argv[2]), 4444, 9, 8, 0)
		socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP).sendto(inner, (sys.argv[1], 0))
		gue = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		gue.setsockopt(socket.SOL_SOCKET, 11, 1)
		gue.sendto(inner, (sys.argv[1], 6080))
	EOF
}

counts() { # NUMBER COUNTER
	[ "$(counted "$2" b1)" = "$1" ]
}

# Another backend passes lists on, and is believed with nothing else.
forged() {
	step "b1 is set up again" backend b1 up || return
	tunnel_packets client
	check "tunnel packets of a balancer are taken off" wait_for 5 counts 2 ipv4_in_ipv4
	tunnel_packets b2
	check "tunnel packets of a backend are counted as a stranger's" wait_for 5 counts 2 other_source
	check "and are not taken off" counts 2 ipv4_in_ipv4
}

# refuses_and_stays WHAT SAID: up does, and the backend works on as before
refuses_and_stays() {
	local before
	before=$(picture)
	check_equal "$1: up refuses" "lbd-backend: $2" "$(backend b1 up 2>&1 | head -n 1)"
	check_equal "$1: the backend works on" "$before" "$(picture)"
}

works_on() {
	settings program
	check "a backend works" backend b1 up
	settings program '{"interfaces": ["b0", "nowhere0"]}'
	refuses_and_stays "an interface that is not there" "there is no interface nowhere0 (at interfaces)"
	settings program '{"vips": ["192.0.2.10", "10.0.0.0/16"]}'
	refuses_and_stays "VIPs that have the host's own network" \
		"10.0.0.0/16 has $(own_address b1), which is this host's address at b0: it would lose its network (at vips[1])"
	settings program
	check "it is taken down" backend b1 down
}

own_address() {
	lab_ip "$1" -j -4 address show dev b0 | jq -r '.[0].addr_info[0].local'
}

# A program that is there already stays, and nothing else is left behind.
refusals() {
	local before
	lab_ip b1 link set dev b0 xdpdrv obj "$O/tests/lib/pass.bpf.o" sec xdp.frags
	before=$(picture)
	check_equal "where another program is, up refuses" \
		"lbd-backend: the program cannot be attached to XDP of b0: File exists" "$(backend b1 up 2>&1 | head -n 1 | sed 's/Device or resource busy/File exists/')"
	check_equal "and leaves all as it was" "$before" "$(picture)"
	lab_ip b1 link set dev b0 xdpdrv off
	settings program '{"interfaces": ["b0", "nowhere0"]}'
	before=$(picture)
	check_equal "an interface that is not there is refused" "lbd-backend: there is no interface nowhere0 (at interfaces)" \
		"$(backend b1 up 2>&1)"
	check_equal "and all is as it was" "$before" "$(picture)"
	settings program '{"backend": []}'
	check_equal "an unknown key is refused, with the one that is meant" "(at backend)" "$(backend b1 up 2>&1 | grep -o '(at backend)')"
	settings program '{"vips": ["192.0.2.300"]}'
	check_equal "a wrong address is refused" "(at vips[0])" "$(backend b1 up 2>&1 | grep -o '(at vips.*)')"
	rm "$LAB_DIR/backend.json" && mkfifo "$LAB_DIR/backend.json"
	check_equal "a FIFO is refused at once" "lbd-backend: $LAB_DIR/backend.json: it is not a file" \
		"$(lab_in b1 timeout -s KILL 10 "$BACKEND" up --config "$LAB_DIR/backend.json" --state "$LAB_DIR/undo.b1" 2>&1)"
	rm "$LAB_DIR/backend.json"
	works_on
	settings program '{"vips": ["192.0.2.0/24", "2001:db8:10::/64"]}'
	check "a VIP may be a prefix" backend b1 up
	check "all its addresses are the host's" lab_in b1 ping -c 1 -W 2 192.0.2.77
	check_equal "check finds nothing wrong with it" "nothing is wrong here" "$(backend b1 check)"
	check "down" backend b1 down
}

laboratory() {
	lab_up one-armed 3 && plain
}

program() {
	step "a lab with plain hosts" laboratory || return
	up_and_lists program
	problems
	at_once
	damages
	lost
	strangers
	forged
	down_takes_all_away
	refusals
	check "nothing remains of the lab" lab_down
}

# The kernel's own devices, with the program that passes on before them.
kernel() {
	modprobe -qa ipip sit ip6_tunnel fou fou6
	step "a lab with plain hosts" laboratory || return
	if ! lab_ip b1 link add lbprobe type ipip local 10.0.0.11; then
		skip "the kernel takes outer headers off" "ipip devices"
		lab_down
		return
	fi
	lab_ip b1 link del lbprobe
	up_and_lists kernel
	down_takes_all_away
	check "nothing remains of the lab" lab_down
}

[ $# -gt 0 ] || set -- program kernel
for part; do
	"$part"
done
finish
