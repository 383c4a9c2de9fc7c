# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after check.sh by scripts that need real traffic: a small data centre made of network
# namespaces. Needs root. Every run has names of its own, so runs may stand side by side.
#
#   client c0 ── r0 router br0 ┬─ rl ── l0 balancer        one-armed: in and out by l0 (XDP_TX)
#                              ├─ rb1 ── b0 backend b1
#                              └─ rb2 ── b0 backend b2 …
#
#   client c0 ── r0 router br0 ─── rl ── l0 balancer       two-armed: out by l1 (XDP_REDIRECT)
#                          br1 ┬─ rl1 ── l1    "
#                              └─ rb1 ── b0 backend b1 …
#
#   lab_up one-armed|two-armed [BACKENDS]   makes it; lab_down runs at exit
#   lab_in NODE command args…               node: client, router, balancer, b1, b2, …
#   lab_background NODE command args…       the same without waiting; LAB_PID is its process
#   lab_serve PORT [NODE…]                  serve_tool with the node's name; no NODE: all backends
#   lab_start_lbd [JSON]                    JSON is merged into the configuration
#   lab_command NAME                        standard input becomes a command for exec checks; an lbd that starts
#                                           after that allows them, as nobody
#   lab_stop_lbd
#   lab_ready                               waits until every backend's next hop is resolved, and none
#                                           waits for that any more
#   lab_losses                              where packets were lost so far, for a test whose connections wait
#   lbctl args…                             the tool, on that lbd's socket
#   lab_down                                checks as well that nothing remains
#
# From the environment: LAB_DECAP=program (default: bpf/decap.bpf.o at the backends) or device (the
# kernel's own tunnel devices); O: where the build is; LBD, LBCTL: programs other than those there;
# LAB_MTU and LAB_CLIENT_MTU: of the links inside, and of the client's.

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
O=${O:-$LAB_ROOT/build}
LBD=${LBD:-$O/lbd/lbd}
LBCTL=${LBCTL:-$O/lbctl/lbctl}
LAB_DECAP=${LAB_DECAP:-program}
LAB_MTU=${LAB_MTU:-1600} # inside, with room for the outer header
LAB_CLIENT_MTU=${LAB_CLIENT_MTU:-1500}
LAB_COUNT=0
LAB_ID=
LAB_DIR=
LAB_NODES=()
LAB_PIDS=()
LAB_LBD=
LAB_VIP4=192.0.2.10
LAB_VIP6=2001:db8:10::10
LAB_CLIENT4=198.51.100.2
LAB_CLIENT6=2001:db8:c::2
LAB_BALANCER4=10.0.0.2
LAB_BALANCER6=fd00:0:0:1::2
LAB_BACKEND4=() # by number, from 1
LAB_BACKEND6=()

# nsenter and not `ip netns exec`: that would hide the bpffs.
lab_in() {
	local node=$1
	shift
	nsenter --net="/run/netns/$LAB_ID-$node" -- "$@"
}

lab_ip() {
	local node=$1
	shift
	ip -n "$LAB_ID-$node" "$@"
}

# Lines of `ip` commands from standard input, in one process: in an emulated machine each one costs.
lab_batch() {
	ip -n "$LAB_ID-$1" -batch -
}

lab_background() {
	local node=$1
	shift
	nsenter --net="/run/netns/$LAB_ID-$node" -- "$@" &
	LAB_PID=$!
	LAB_PIDS+=("$LAB_PID")
}

# lab_reports PID: a hold_tool is there and handles SIGUSR1, which would end it before that.
lab_reports() {
	wait_for 10 handles_usr1 "$1"
}

# Until it becomes hold_tool it is a copy of this shell, which handles SIGUSR1 where it has a trap for its end.
handles_usr1() {
	local mask
	[ ! "/proc/$1/exe" -ef "/proc/$$/exe" ] || return
	mask=$(sed -n 's/^SigCgt:\t//p' "/proc/$1/status")
	((0x$mask & 1 << 9))
}

# lab_sysctl NODE NAME=VALUE…, names as below /proc/sys/net.
lab_sysctl() {
	# shellcheck disable=SC2016 # expands in the namespace
	lab_in "$1" bash -c 'for setting; do
		echo "${setting#*=}" >"/proc/sys/net/${setting%%=*}"
	done' - "${@:2}"
}

# lab_node NODE [NAME=VALUE…]. Settings come before any interface is made, since those copy conf/default. A new namespace has the
# machine's, and that may forward.
lab_node() {
	local node=$1
	shift
	LAB_NODES+=("$node") # first, so that an interrupt in between leaves nothing
	ip netns add "$LAB_ID-$node" || return
	lab_sysctl "$node" ipv4/ip_forward=0 ipv6/conf/all/forwarding=0 ipv4/conf/{all,default}/rp_filter=0 ipv6/conf/{all,default}/accept_dad=0 \
		ipv6/conf/{all,default}/accept_ra=0 ipv6/conf/{all,default}/keep_addr_on_down=1 \
		ipv4/conf/default/arp_notify=1 ipv6/conf/default/ndisc_notify=1 "$@"
}

lab_bridge() {
	cat <<-EOF
		link add $1 mtu $LAB_MTU type bridge forward_delay 0 mcast_snooping 0
		link set $1 up
		address add $2.1/24 dev $1
		address add $3::1/64 dev $1 nodad
	EOF
}

lab_router() {
	lab_node router ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 \
		ipv4/conf/{all,default}/send_redirects=0 || return
	lab_batch router <<-EOF
		link set lo up
		$(lab_bridge br0 10.0.0 fd00:0:0:1)
		$([ "$LAB_ARMS" = one-armed ] || lab_bridge br1 10.0.1 fd00:0:0:2)
		route add 192.0.2.0/24 via $LAB_BALANCER4
		route add 2001:db8:10::/64 via $LAB_BALANCER6
	EOF
}

lab_client() {
	local mtu=$LAB_CLIENT_MTU
	lab_node client "ipv4/ip_local_port_range=2000 65000" || return
	lab_batch client <<-EOF && lab_batch router <<-EOF2
		link set lo up
		link add c0 mtu $mtu type veth peer name r0 mtu $mtu netns $LAB_ID-router
		link set c0 up
		address add $LAB_CLIENT4/24 dev c0
		address add $LAB_CLIENT6/64 dev c0 nodad
		route add default via 198.51.100.1
		route add default via 2001:db8:c::1
	EOF
		link set r0 up
		address add 198.51.100.1/24 dev r0
		address add 2001:db8:c::1/64 dev r0 nodad
	EOF2
}

# Native XDP_TX and XDP_REDIRECT reach a veth only if its peer runs a native program; and what XDP
# sees must be frames as on a wire, not segments still to be cut or checksums still to be filled in.
# lab_balancer_link NODE INTERFACE PORT BRIDGE HOST NET4 NET6
lab_balancer_link() {
	local node=$1 interface=$2 port=$3 bridge=$4
	lab_batch "$node" <<-EOF || return
		link add $interface mtu $LAB_MTU type veth peer name $port mtu $LAB_MTU netns $LAB_ID-router
		link set $interface up
		address add $6.$5/24 dev $interface
		address add $7::$5/64 dev $interface nodad
	EOF
	lab_in router ethtool -K "$port" tx off tso off gso off gro off >/dev/null 2>&1
	lab_batch router <<-EOF
		link set $port master $bridge up
		link set dev $port xdpdrv obj $O/tests/lib/pass.bpf.o sec xdp.frags
	EOF
}

# lab_balancer NODE PORT HOST
lab_balancer() {
	lab_node "$1" || return
	lab_balancer_link "$1" l0 "$2" br0 "$3" 10.0.0 fd00:0:0:1 || return
	lab_batch "$1" <<-EOF || return
		link set lo up
		route add default via 10.0.0.1
		route add default via fd00:0:0:1::1
	EOF
	[ "$LAB_ARMS" = one-armed ] || lab_balancer_link "$1" l1 rl1 br1 "$3" 10.0.1 fd00:0:0:2
}

# How a backend takes the outer header off, whoever sent the packet.
lab_decap() {
	if [ "$LAB_DECAP" = device ]; then
		cat <<-EOF
			link add lb4in4 type ipip local $1
			link add lb6in4 type sit mode ip6ip local $1
			link add lbin6 type ip6tnl mode any local $2
			link set lb4in4 up
			link set lb6in4 up
			link set lbin6 up
		EOF
	else
		echo "link set dev b0 xdpdrv obj $O/bpf/decap.bpf.o sec xdp.frags"
	fi
}

lab_backend() {
	local number=$1 net4=10.0.0 net6=fd00:0:0:1 bridge=br0 address4 address6
	if [ "$LAB_ARMS" = two-armed ]; then
		net4=10.0.1 net6=fd00:0:0:2 bridge=br1
	fi
	address4=$net4.$((10 + number)) address6=$net6::$((10 + number))
	LAB_BACKEND4[number]=$address4
	LAB_BACKEND6[number]=$address6
	lab_node "b$number" ipv4/conf/{all,default}/arp_ignore=1 \
		ipv4/conf/{all,default}/arp_announce=2 || return
	lab_batch "b$number" <<-EOF && lab_ip router link set "rb$number" master $bridge up
		link set lo up
		link add b0 mtu $LAB_MTU type veth peer name rb$number mtu $LAB_MTU netns $LAB_ID-router
		link set b0 up
		address add $address4/24 dev b0
		address add $address6/64 dev b0 nodad
		address add $LAB_VIP4/32 dev lo
		address add $LAB_VIP6/128 dev lo
		route add default via $net4.1
		route add default via $net6::1
		$(lab_decap "$address4" "$address6")
	EOF
}

lab_up() {
	local number
	lab_down
	LAB_ARMS=$1
	LAB_COUNT=$((LAB_COUNT + 1))
	LAB_ID=lb$$-$LAB_COUNT
	[ "$LAB_COUNT" -gt 1 ] || at_exit lab_down
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_ID.XXXXXX") || return
	# shellcheck disable=SC2034 # the scripts that source this use the addresses
	LAB_NODES=() LAB_PIDS=() LAB_BACKEND4=() LAB_BACKEND6=()
	modprobe -qa veth bridge 2>/dev/null || :
	[ "$LAB_DECAP" = program ] || modprobe -qa ipip sit ip6_tunnel 2>/dev/null || :
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	lab_router && lab_client && lab_balancer balancer rl 2 || return
	for ((number = 1; number <= ${2:-3}; number++)); do
		lab_backend "$number" || return
	done
}

# Ends a process that this lab started, by its id, and forgets the id.
lab_end() {
	local pid kept=()
	kill "$1" 2>/dev/null
	wait_for 5 lab_ended "$1" || kill -KILL "$1"
	wait "$1" 2>/dev/null
	for pid in "${LAB_PIDS[@]}"; do
		[ "$pid" = "$1" ] || kept+=("$pid")
	done
	LAB_PIDS=("${kept[@]}")
}

lab_ended() {
	local state=Z
	{ read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null
	[ "$state" = Z ]
}

lab_down() {
	local pid node pids
	[ -n "$LAB_ID" ] || return 0
	lab_stop_lbd
	pids=("${LAB_PIDS[@]}")
	for pid in "${pids[@]}"; do
		lab_end "$pid"
	done
	lab_detach
	for node in "${LAB_NODES[@]}"; do
		ip netns delete "$LAB_ID-$node"
	done
	rm -rf "$LAB_DIR"
	lab_nothing_remains "${pids[@]}"
	local status=$?
	LAB_ID=
	return "$status"
}

# The data plane outlives lbd.
lab_detach() {
	[ ! -e "$LAB_DIR/lbd.json" ] || "$LBD" --config "$LAB_DIR/lbd.json" --detach
}

lab_nothing_remains() {
	local pid
	for pid; do
		! kill -0 "$pid" 2>/dev/null || { echo "process $pid remains" && return 1; }
	done
	! ip netns list | grep "^$LAB_ID-" || return 1
	[ ! -e "$LAB_DIR" ] && [ ! -e "/sys/fs/bpf/$LAB_ID" ]
}

lab_answers() {
	lab_in "$1" "$O/tests/lib/connect_tool" --timeout-ms 200 127.0.0.1 "$2"
}

lab_serve() {
	local port=$1 node nodes=()
	shift
	for node in "${LAB_NODES[@]}"; do
		[[ $node != b[0-9]* ]] || nodes+=("$node")
	done
	[ $# = 0 ] || nodes=("$@")
	for node in "${nodes[@]}"; do
		lab_background "$node" "$O/tests/lib/serve_tool" "$node" "$port"
		wait_for 5 lab_answers "$node" "$port" || return
	done
}

lab_command() {
	chmod 755 "$LAB_DIR"
	mkdir -p "$LAB_DIR/checks"
	cat >"$LAB_DIR/checks/$1"
	chmod 755 "$LAB_DIR/checks" "$LAB_DIR/checks/$1"
}

lab_start_lbd() {
	local extra=${1:-} commands='{}'
	[ ! -d "$LAB_DIR/checks" ] || commands=$(jq -n --arg folder "$LAB_DIR/checks" \
		'{exec_checks: {$folder, user: "nobody"}}')
	jq -n --arg dir "$LAB_DIR" --arg id "$LAB_ID" --argjson extra "${extra:-{\}}" --argjson commands "$commands" '
		{interfaces: ["l0"], control: {path: ($dir + "/lbd.sock")}, state_dir: ($dir + "/state"),
		 pin_dir: ("/sys/fs/bpf/" + $id)} * $commands * $extra' >"$LAB_DIR/lbd.json" || return
	lab_background balancer "$LBD" --config "$LAB_DIR/lbd.json" 2>"$LAB_DIR/lbd.log"
	LAB_LBD=$LAB_PID
	wait_for 10 lab_lbd_decided
	lbctl version >/dev/null 2>&1 && return
	echo "lbd did not come up:"
	cat "$LAB_DIR/lbd.log"
	return 1
}

# It answers, or has ended: then waiting longer is no use.
lab_lbd_decided() {
	lab_ended "$LAB_LBD" || lbctl version
}

lab_stop_lbd() {
	[ -z "$LAB_LBD" ] || lab_end "$LAB_LBD"
	LAB_LBD=
}

lab_ready() {
	wait_for 5 lab_all_resolved || { lbctl status; return 1; }
}

lab_all_resolved() {
	lbctl --json status | jq -e '(.unroutable | length) == 0 and
		all(.next_hops[]; .state == "resolved")' &&
		lbctl --json backend list | jq -e 'all((.vips + .pools)[].backends[].waiting_until // ""; startswith("its next hop") | not)'
}

lab_losses() {
	echo "the interface l0 had no room for $(lab_ip balancer -s -json link show l0 |
		jq '.[0].stats64.rx.dropped') packets, retransmission timers of the client expired" \
		"$(lab_in client nstat -asz --json TcpExtTCPTimeouts | jq .kernel.TcpExtTCPTimeouts) times"
	echo "lbd: $(lbctl --json stats | jq -c '[.verdicts[] | select(.action == "drop" and .packets > 0) |
		{(.name): .packets}] | add // "no packet was dropped"')"
}

lbctl() {
	"$LBCTL" --socket "$LAB_DIR/lbd.sock" "$@"
}
