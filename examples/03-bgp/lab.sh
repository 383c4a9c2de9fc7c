# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced in the project's folder: two balancers of one tier, lb1 (10.0.0.2) and lb2 (10.0.0.3), three backends, and a router
# that learns of VIPs from the balancers alone.
#
#   tier_up                      all of it, with the service document in force, and no route to a VIP
#   speak bird|frr|keepalived    starts the daemons of both balancers, and of the router
#   gateways VIP                 what the router sends its packets to, as one line
#   leads_to GATEWAY…            whether it is just these; none: there is no route
#   lb1 ARGS…, lb2 ARGS…         lbctl there
#   tier_down                    before lab_down

# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
# shellcheck source=tests/lib/standby.sh
. tests/lib/standby.sh

# shellcheck disable=SC2034 # who sources this uses them
LB1=$LAB_BALANCER4 LB2=$STANDBY4
FRR=/usr/lib/frr
SPOKEN=()

lb1() { lbctl "$@"; }
lb2() { standby "$@"; }

tier_up() {
	lab_up one-armed 3 || return
	[ "$LAB_COUNT" -gt 1 ] || at_exit tier_down
	standby_link && lab_batch router <<-EOF2 || return
		route del 192.0.2.0/24
		route del 2001:db8:10::/64
	EOF2
	lab_sysctl router ipv4/fib_multipath_hash_policy=1 ipv6/fib_multipath_hash_policy=1
	chmod 755 "$LAB_DIR" # FRR's user reads its configuration there
	serve_held 7 || return
	lab_serve 80 && lab_start_lbd "$(cat examples/03-bgp/lbd.json)" && start_standby &&
		lb1 config apply examples/03-bgp/services.json && lb2 config apply examples/03-bgp/services.json &&
		wait_for 20 both_announce
}

both_announce() {
	lb1 --json node show | jq -e '.announced == 2' && lb2 --json node show | jq -e '.announced == 2' && lab_all_resolved && standby_ready
}

tier_down() {
	local pid
	for pid in "${SPOKEN[@]}"; do
		lab_end "$pid"
	done
	SPOKEN=()
	end_standby
}

# spoken NODE command args…
spoken() {
	local node=$1
	shift
	lab_background "$node" "$@" >>"$LAB_DIR/$node.log" 2>&1
	SPOKEN+=("$LAB_PID")
}

speak_bird() {
	local node conf
	for node in router balancer standby; do
		conf=examples/03-bgp/bird-$([ "$node" = router ] && echo router || echo balancer).conf
		spoken "$node" bird -f -c "$conf" -s "$LAB_DIR/$node.ctl"
	done
}

speak_frr() {
	local node folder
	for node in router balancer standby; do
		folder=$LAB_DIR/frr-$node
		mkdir "$folder"
		grep -E '^ip ' examples/03-bgp/frr-"$([ "$node" = router ] && echo router || echo balancer)".conf >"$folder/zebra.conf"
		grep -v '^ip import' examples/03-bgp/frr-"$([ "$node" = router ] && echo router || echo balancer)".conf >"$folder/bgpd.conf"
		chown -R frr:frr "$folder"
		spoken "$node" "$FRR/zebra" -f "$folder/zebra.conf" -i "$folder/zebra.pid" -z "$folder/zserv.sock" --vty_socket "$folder" -u frr -g frr -P 0
		wait_for 10 test -S "$folder/zserv.sock" || return
		spoken "$node" "$FRR/bgpd" -f "$folder/bgpd.conf" -i "$folder/bgpd.pid" -z "$folder/zserv.sock" --vty_socket "$folder" -u frr -g frr -P 0
	done
}

# The router has one static route, to the address that one of the balancers has.
speak_keepalived() {
	local node
	lab_ip router route replace 192.0.2.0/24 via 10.0.0.100 || return
	for node in balancer standby; do
		sed "s/INTERFACE/l0/; s/PRIORITY/$([ "$node" = balancer ] && echo 150 || echo 100)/" \
			examples/03-bgp/keepalived.conf >"$LAB_DIR/keepalived-$node.conf"
		spoken "$node" keepalived -n -l -P -f "$LAB_DIR/keepalived-$node.conf" -p "$LAB_DIR/$node.pid" -r "$LAB_DIR/$node-vrrp.pid"
	done
}

speak() {
	"speak_$1"
}

gateways() {
	local vip=$1 family=-4
	[[ $vip != *:* ]] || family=-6
	lab_ip router -json "$family" route show "$vip" | jq -r '.[] | (.nexthops // [.])[] | .gateway' | sort | paste -sd ' '
}

leads_to() {
	local there
	there=$(gateways "$LAB_VIP4")
	[ "$there" = "$*" ] || { echo "the router has: ${there:-no route}"; return 1; }
}
