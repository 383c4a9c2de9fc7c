# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after check.sh: three nodes of etcd and three balancers that follow one tier, each in a network namespace of
# its own, on one link. Needs root, etcd-server and etcd-client.
#
#   tier_up                   makes all of it; takes it down at exit. $TIER_DIR has logs and configurations
#   tier_etcd N               starts etcd N, 1 to 3; tier_end etcdN SIGNAL ends it
#   tier_lbd N [JSON]         starts the lbd of node N; JSON is merged into its lbd.json
#   tier_follow N [JSON]      starts what follows the tier there; JSON is merged into its tier.json
#   tier_end NAME [SIGNAL]    ends etcdN, lbdN or followN
#   tier_cut NODE, tier_join NODE    NODE is e1 to e3 or n1 to n3: takes its link away, and gives it back
#   tier_lbctl N args…        lbctl on node N
#   tier_tier N verb args…    lbctl tier on node N
#   tier_all_at REVISION      all three nodes are there, alike, and at that revision
#   tier_each command…        the command with 1, 2 and 3 as its last argument, until one fails
#   tier_backends N…          the host b0 with an address 10.9.0.N for each of these

TIER_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
O=$(realpath "${O:-$TIER_ROOT/build}")
TIER_ID=tr$$
TIER_DIR=
declare -A TIER_PID=()

tier_in() {
	nsenter --net="/run/netns/$TIER_ID-$1" -- "${@:2}"
}

# The bridge is in a namespace of its own, s.
tier_host() {
	ip netns add "$TIER_ID-$1"
	ip -n "$TIER_ID-$1" link set lo up
	ip -n "$TIER_ID-s" link add "$1" mtu 1600 type veth peer name e0 mtu 1600 netns "$TIER_ID-$1"
	ip -n "$TIER_ID-s" link set "$1" master br0 up
	ip -n "$TIER_ID-$1" link set e0 up
	ip -n "$TIER_ID-$1" address add "$2/24" dev e0
}

# tier_start NAME HOST command…
tier_start() {
	nsenter --net="/run/netns/$TIER_ID-$2" -- "${@:3}" >>"$TIER_DIR/$1.log" 2>&1 &
	TIER_PID[$1]=$!
}

tier_end() {
	kill "-${2:-TERM}" "${TIER_PID[$1]}"
	wait "${TIER_PID[$1]}"
	unset "TIER_PID[$1]"
} 2>/dev/null

tier_etcd() {
	local address=10.9.0.$1 cluster
	cluster=$(printf 'etcd%s=http://10.9.0.%s:2380,' 1 1 2 2 3 3)
	tier_start "etcd$1" "e$1" etcd --name "etcd$1" --data-dir "$TIER_DIR/etcd$1" --unsafe-no-fsync \
		--listen-client-urls "http://$address:2379,http://127.0.0.1:2379" --advertise-client-urls "http://$address:2379" \
		--listen-peer-urls "http://$address:2380" --initial-advertise-peer-urls "http://$address:2380" \
		--initial-cluster "${cluster%,}" --logger zap --log-level error
}

tier_lbd() {
	jq -n --arg dir "$TIER_DIR" --arg n "$1" --arg pins "/sys/fs/bpf/$TIER_ID-$1" --argjson more "${2:-{\}}" '
		{interfaces: ["e0"], state_dir: ($dir + "/state" + $n), pin_dir: $pins, control: {path: ($dir + "/lbd" + $n + ".sock")},
		 limits: {vips: 16, members: 64, slots: 16384, flows: 1024}, hash_seed: "00112233445566778899aabbccddeef0"} * $more' \
		>"$TIER_DIR/lbd$1.json"
	tier_start "lbd$1" "n$1" "$O/lbd/lbd" --config "$TIER_DIR/lbd$1.json"
	wait_for 20 tier_lbctl "$1" version
}

tier_follow() {
	jq -n --arg dir "$TIER_DIR" --arg n "$1" --argjson more "${2:-{\}}" '{tier: "edge", node: ("lb" + $n), lease_s: 10,
		endpoints: ["http://10.9.0.1:2379", "http://10.9.0.2:2379", "http://10.9.0.3:2379"],
		socket: ($dir + "/lbd" + $n + ".sock")} * $more' >"$TIER_DIR/tier$1.json"
	tier_start "follow$1" "n$1" "$O/lbctl/lbd-tier" follow --config "$TIER_DIR/tier$1.json"
}

tier_cut() {
	ip -n "$TIER_ID-s" link set "$1" down
}

tier_join() {
	ip -n "$TIER_ID-s" link set "$1" up
}

tier_lbctl() {
	"$O/lbctl/lbctl" --socket "$TIER_DIR/lbd$1.sock" "${@:2}"
}

tier_tier() {
	tier_in "n$1" "$O/lbctl/lbctl" tier "${@:2}" --config "$TIER_DIR/tier$1.json"
}

tier_each() {
	"$@" 1 && "$@" 2 && "$@" 3
}

tier_backends() {
	local n
	tier_host b0 10.9.0.100
	for n; do
		ip -n "$TIER_ID-b0" address add "10.9.0.$n/24" dev e0
	done
}

tier_all_at() {
	tier_tier 1 show --json |
		jq -e --argjson revision "$1" '(.nodes | length) == 3 and all(.nodes[]; .revision == $revision and .differs == [])'
}

tier_healthy() {
	ETCDCTL_API=3 tier_in "$1" etcdctl --endpoints http://127.0.0.1:2379 endpoint health
}

tier_up() {
	local n
	at_exit tier_down
	TIER_DIR=$(mktemp -d)
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	ip netns add "$TIER_ID-s" || return
	ip -n "$TIER_ID-s" link add br0 type bridge forward_delay 0 mcast_snooping 0
	ip -n "$TIER_ID-s" link set br0 up
	for n in 1 2 3; do
		tier_host "e$n" "10.9.0.$n"
		tier_host "n$n" "10.9.0.1$n"
		tier_etcd "$n"
	done
	for n in 1 2 3; do
		wait_for 20 tier_healthy "e$n" || return
		tier_lbd "$n" || return
	done
}

# shellcheck disable=SC2329 # at exit
tier_down() {
	local n
	[ ${#TIER_PID[@]} = 0 ] || { kill -9 "${TIER_PID[@]}" && wait "${TIER_PID[@]}"; }
	for n in 1 2 3; do
		[ ! -e "$TIER_DIR/lbd$n.json" ] || tier_in "n$n" "$O/lbd/lbd" --config "$TIER_DIR/lbd$n.json" --detach
	done
	for n in s e1 e2 e3 n1 n2 n3 b0; do
		ip netns del "$TIER_ID-$n"
	done
	rm -rf "$TIER_DIR"
} 2>/dev/null
