#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbctl doctor find what is wrong with the lab once it is broken, and nothing in a healthy one?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

# begins JSON: lbd; the machine need not have the group that may use its socket
begins() {
	lab_start_lbd "$(jq -nc --argjson extra "$1" '{control: {group: "root"}} * $extra')"
}
start() {
	lab_up two-armed 3 && lab_serve 80 && begins '{}' && lbctl vip add "$LAB_VIP4:80/tcp" --name web \
		--health tcp --health-source tunnel --health-interval 200ms --health-timeout 150ms || return
	lbctl backend add web "${LAB_BACKEND4[1]}" && lbctl backend add web "${LAB_BACKEND4[2]}" && lab_ready &&
		well_again
}

doctor() {
	lbctl doctor --interval 100ms >"$LAB_DIR/said"
}
silent() {
	doctor && grep -qx 'nothing found' "$LAB_DIR/said"
}
# says PATTERN: a line of it, and exit status 4
says() {
	doctor
	[ $? = 4 ] && grep -qE "$1" "$LAB_DIR/said"
}
# finds PATTERN FIX: soon; and what fixes it is there, in the line or beside it
finds() {
	wait_for 20 says "$1"
	local status=$?
	cat "$LAB_DIR/said"
	[ "$status" = 0 ] && grep -qF -- "$2" "$LAB_DIR/said"
}
well_again() {
	wait_for 30 silent
	local status=$?
	cat "$LAB_DIR/said"
	return "$status"
}
restarted() {
	lab_stop_lbd
	begins "$1" && lab_ready
}

NOBODY=10.0.1.99
AWAY=203.0.113.9
LISTENS=
listens() {
	lab_ip balancer address add "$LAB_VIP4/32" dev l0
	lab_background balancer "$O/tests/lib/serve_tool" balancer 80 >/dev/null
	LISTENS=$LAB_PID
}
ends_listening() {
	lab_end "$LISTENS"
	lab_ip balancer address del "$LAB_VIP4/32" dev l0
}
adds_nobody() { lbctl backend add web "$NOBODY"; }
removes() { lbctl backend del web "$1" --force; }
adds_away() { lab_ip balancer route add blackhole "$AWAY" && lbctl backend add web "$AWAY"; }
removes_away() { removes "$AWAY" && lab_ip balancer route del blackhole "$AWAY"; }
mtu() { lab_ip balancer link set l0 mtu "$1"; }
forwarding() { lab_sysctl balancer "ipv4/conf/l0/forwarding=$1"; }
undecapsulated() { lab_ip b1 link set dev b0 xdpdrv off; }
decapsulated() { lab_ip b1 link set dev b0 xdpdrv obj "$O/bpf/decap.bpf.o" sec xdp.frags; }
vip_at_b1() { lab_ip b1 address "$1" "$LAB_VIP4/32" dev lo; }
all_drain() { lbctl backend drain web "${LAB_BACKEND4[1]}" && lbctl backend drain web "${LAB_BACKEND4[2]}"; }
none_drains() { lbctl backend undrain web "${LAB_BACKEND4[1]}" && lbctl backend undrain web "${LAB_BACKEND4[2]}"; }
# b1 takes off the outer header by a device, as with tunl0, where rp_filter is strict.
filtered() {
	lab_in balancer ethtool -K l1 tx off >/dev/null && undecapsulated &&
		{ lab_background b1 tests/lib/tun_decap.py tun0 >"$LAB_DIR/tun"; } && DEVICE=$LAB_PID &&
		wait_for 10 test -s "$LAB_DIR/tun" && lab_sysctl b1 ipv4/conf/tun0/rp_filter=1 && lab_ip b1 link set tun0 up
}
unfiltered() { lab_end "$DEVICE" && decapsulated; }
routed() { lab_ip router route "$1" 192.0.2.0/24 via "$LAB_BALANCER4"; }
strict() { lab_sysctl balancer "ipv4/conf/l0/rp_filter=$1"; }
PINGS=
pings() {
	restarted '{"xdp_mode": "native", "answer_rate": 1}' || return
	lab_background client ping -q -i 0.01 "$LAB_VIP4" >/dev/null
	PINGS=$LAB_PID
}
ends_pings() { lab_end "$PINGS" && as_it_was; }
# sees FOLDER=PATH…: an lbd that finds these folders of the lab at these paths; CARD: see tests/lib/card.c
sees() {
	local lbd=$LBD folder mounts=:
	for folder; do
		mounts+=" && mount --bind \"$LAB_DIR/${folder%=*}\" ${folder#*=}"
	done
	cat >"$LAB_DIR/lbd-that-sees" <<-END
		#!/bin/sh
		exec unshare -m sh -c '$mounts && exec env ${CARD:+CARD=$CARD LD_PRELOAD=$(realpath "$O/tests/lib/card.so")} "\$@"' - "$lbd" "\$@"
	END
	chmod 755 "$LAB_DIR/lbd-that-sees" && lab_stop_lbd || return
	LBD=$LAB_DIR/lbd-that-sees begins '{}' && lab_ready
}
# Kernels are built so that it cannot be off, most of them. What lbd reads says that it is, to this lbd alone.
without_jit() {
	mkdir -p "$LAB_DIR/core" && echo 0 >"$LAB_DIR/core/bpf_jit_enable" && sees core=/proc/sys/net/core
}
# A veth is no card: it has neither interrupts nor LRO. What lbd reads says that l0 is one, to this lbd alone: with so
# many receive queues, and interrupts that go to these processors.
# card QUEUES PROCESSOR…
card() {
	local class=$LAB_DIR/class/l0 queue cpu irq=9000
	rm -rf "$LAB_DIR/class" "$LAB_DIR/irq"
	mkdir -p "$class/device/msi_irqs" "$class/queues" "$LAB_DIR/irq" || return
	for queue in $(seq "$1"); do
		mkdir "$class/queues/rx-$queue"
	done
	for cpu in "${@:2}"; do
		irq=$((irq + 1))
		touch "$class/device/msi_irqs/$irq"
		mkdir "$LAB_DIR/irq/$irq" && echo "$cpu" >"$LAB_DIR/irq/$irq/effective_affinity_list"
	done
	sees class=/sys/class/net irq=/proc/irq
}
CPUS=$(getconf _NPROCESSORS_ONLN)
card_with() { CARD=$1 card "$CPUS"; }
striding() { mtu 4000 && card_with striding; }
ends_striding() { mtu "$LAB_MTU" && as_it_was; }
interrupts_at_one() {
	# shellcheck disable=SC2046 # words
	card "$CPUS" $(yes 0 | head -n "$CPUS")
}
# While lbd is away.
damaged_list() {
	lbctl list add feed 203.0.113.7 && lab_stop_lbd && mv "$LAB_DIR/state/lists" "$LAB_DIR/lists" &&
		mkdir "$LAB_DIR/state/lists" && echo damaged >"$LAB_DIR/state/lists/feed.list" && as_it_was
}
whole_list() {
	lab_stop_lbd && rm -r "$LAB_DIR/state/lists" && mv "$LAB_DIR/lists" "$LAB_DIR/state/lists" && as_it_was
}
# No backend of this lab makes connections from cookies.
guarded() {
	rm -f "$LAB_DIR/secret" && (umask 077 && echo 00112233445566778899aabbccddeeff >"$LAB_DIR/secret") || return
	restarted '{"guard_secret": "'"$LAB_DIR"'/secret"}' && lbctl vip set web --syn-guard always
}
unguarded() { lbctl vip set web --syn-guard off && as_it_was; }
secret_of_all() { guarded && lab_stop_lbd && chmod 644 "$LAB_DIR/secret" && restarted '{"guard_secret": "'"$LAB_DIR"'/secret"}'; }
secret_gone() { guarded && lab_stop_lbd && rm "$LAB_DIR/secret" && restarted '{"guard_secret": "'"$LAB_DIR"'/secret"}'; }
announces() { restarted '{"announce": {"table": 4242, "protocol": 77}}'; }
foreign_route() { announces && lab_ip balancer route add blackhole 203.0.113.0/24 table 4242; }
ends_foreign() { lab_ip balancer route del blackhole 203.0.113.0/24 table 4242 && as_it_was; }
ruled() { announces && lab_ip balancer rule add to 203.0.113.0/24 lookup 4242; }
unruled() { lab_ip balancer rule del to 203.0.113.0/24 lookup 4242 && as_it_was; }
drained() { announces && lbctl node drain; }
undrained() { lbctl node undrain && as_it_was; }
ask_lbd() {
	jq -nc --arg method "$1" --argjson params "$2" '{jsonrpc: "2.0", id: 1, $method, $params}' |
		timeout 5 socat -t 5 - "UNIX-CONNECT:$LAB_DIR/lbd.sock"
}
# Two others of the tier see both backends dead, which lbd believes once it has been so for 30 s.
dissents() {
	local keys
	keys=$(ask_lbd health.view '{}' | jq -r .result.healthy)
	[ ${#keys} = 32 ] && ask_lbd health.agree "$(jq -nc --arg keys "$keys" \
		'{valid_ms: 60000, views: (["b", "c"] | map({node: ., healthy: "", unhealthy: $keys}))}')" | jq -e '.result.nodes == 2' &&
		wait_for 50 says 'otherwise than most of the tier'
}
agrees_again() { ask_lbd health.agree '{"valid_ms": 1, "views": []}' | jq -e '.result.nodes == 0'; }
as_it_was() { restarted '{"xdp_mode": "native"}'; }

# What is broken | how | what doctor says | what fixes it | how it is repaired
faults() {
	cat <<END
a neighbour that does not answer|adds_nobody|^next hop: .* next hop $NOBODY by l1 is not resolved|ping -c 3 -I l1 $NOBODY|removes $NOBODY
a backend without a route|adds_away|^route: there is no way to backend $AWAY|ip route get $AWAY|removes_away
an MTU without room for the outer header|mtu 1500|^warning: l0 has an MTU of 1500|raise the MTU|mtu $LAB_MTU
forwarding, and the loop that it makes|forwarding 1|^warning: IPv4 forwarding is on at l0|ip route add blackhole $LAB_VIP4/32|forwarding 0
a VIP that is this machine's, with a program that listens|listens|^warning: .*$LAB_VIP4|listens|ends_listening
a backend without decapsulation|undecapsulated|^backend: .*${LAB_BACKEND4[1]} of VIP web is unhealthy: .*does not take off the outer header|modprobe ipip|decapsulated
a backend that lacks the VIP's address|vip_at_b1 del|it lacks the VIP: at the backend|ip address add $LAB_VIP4/32 dev lo|vip_at_b1 add
a backend whose rp_filter drops what came through the tunnel|filtered|answers directly but nothing that comes through the tunnel|sysctl -w net.ipv4.conf.DEV.rp_filter=0|unfiltered
a VIP that is not routed here|routed del|^vip: no packet comes to VIP web, and a connection to $LAB_VIP4:80/tcp from this balancer fails|ip route get $LAB_VIP4|routed add
rp_filter that drops what lbd is to hear|strict 1|^warning: rp_filter is strict at l0|sysctl -w net.ipv4.conf.l0.rp_filter=2|strict 0
no backend that takes new flows|all_drain|^warning: no backend of VIP web takes new flows|draining|none_drains
a card that merges packets (LRO)|card_with lro|^warning: l0 merges packets in hardware [(]LRO|ethtool -K l0 lro off|as_it_was
a card that merges packets (GRO)|card_with gro|^warning: l0 merges packets in hardware [(]GRO|ethtool -K l0 rx-gro-hw off|as_it_was
a card with striding receive queues, and large frames|striding|^warning: l0 has striding receive queues|rx_striding_rq off|ends_striding
a list whose file is damaged|damaged_list|^warning: .*feed.list.*not in force|lists/feed.list|whole_list
a SYN guard, and backends that make no connections from cookies|guarded|^warning: the SYN guard answers no SYNs of VIP web|lbd-backend check|unguarded
a guard_secret that others may read|secret_of_all|^warning: the SYN guard answers no SYNs: .*owner alone|$LAB_DIR/secret|unguarded
a guard_secret that is gone|secret_gone|^warning: the SYN guard answers no SYNs: .*No such file|$LAB_DIR/secret|unguarded
a route of others where VIPs are announced|foreign_route|^node: table 4242 has routes that are not lbd's, the first to 203.0.113.0/24|ip route show table 4242|ends_foreign
a rule that leads packets to the routes that announce|ruled|^warning: a rule leads packets to table 4242|ip rule|unruled
a node that is drained|drained|^warning: no VIP is announced: the node is drained|lbctl node undrain|undrained
a node that sees health otherwise than its tier|dissents|^warning: this node sees 2 backends otherwise than most of the tier|on its way to the backends|agrees_again
a kernel whose BPF compiler is off|without_jit|^warning: the kernel's BPF compiler is off|sysctl -w net.core.bpf_jit_enable=1|as_it_was
generic mode|restarted {"xdp_mode":"generic"}|^interface: l0 runs XDP in generic mode|"xdp_mode": "native"|as_it_was
packets that are dropped by no fault of theirs|pings|^traffic: [0-9]+ packets a second are drop_limited|raise answer_rate in lbd.json|ends_pings
an interface of lbd.json that is not there|restarted {"interfaces":["l0","l9"]}|^interface: interface l9 of lbd.json is missing|ip link|as_it_was
END
	[ "$CPUS" -gt 1 ] || return # there is nothing to spread
	cat <<END
a card with too few receive queues|card 1|^warning: l0 has 1 receive queue for $CPUS processors|ethtool -L l0 combined $CPUS|as_it_was
a card whose interrupts go to one processor|interrupts_at_one|^warning: the interrupts of l0.* go to 1 of $CPUS processors|smp_affinity_list|as_it_was
END
}

step "the lab is there, and doctor finds nothing" start || finish
while IFS='|' read -r what break said fix repair; do
	read -ra words <<<"$break"
	step "$what: broken" "${words[@]}" </dev/null
	check "$what: found, with what fixes it" finds "$said" "$fix" </dev/null
	read -ra words <<<"$repair"
	step "$what: repaired" "${words[@]}" </dev/null
	check "$what: nothing is found any more" well_again </dev/null
done < <(faults)

# --- two nodes ---
other() { lbctl --json status | jq "${1:-.}" >"$LAB_DIR/other.json"; }
agrees() { other && lbctl doctor --interval 100ms --compare "$LAB_DIR/other.json"; }
# differs FILTER PATTERN FIX: the other node's status, edited
differs() {
	other "$1"
	lbctl doctor --interval 100ms --compare - <"$LAB_DIR/other.json" >"$LAB_DIR/said"
	[ $? = 4 ] && cat "$LAB_DIR/said" && grep -qE "$2" "$LAB_DIR/said" && grep -qF -- "$3" "$LAB_DIR/said"
}
check "a node that has the same seed and document is no news" agrees
check "another hash seed is found" differs '.hash_seed.digest = "0"' '^nodes: .* another hash seed' 'hash_seed in lbd.json'
check "another document is found" differs '.document_digest = "0"' '^nodes: .* another service document' 'lbctl config diff'
check "another data plane is found" differs '.abi += 1' '^nodes: .* another version of the data plane' 'same release'
no_status() { lbctl doctor --compare "$LAB_DIR/lbd.json" 2>&1 | grep -q 'is not the output of "lbctl --json status"'; }
check "what is no status is refused" no_status

finds_json() { lbctl --json doctor --interval 100ms | jq -e '.findings == []'; }
check "as JSON the findings are a list" finds_json
step "nothing remains" lab_down
finish
