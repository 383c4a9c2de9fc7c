# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by tests that have a second balancer, with the configuration of the first one, beside it.
#
#   standby_link                 its node and link; before lab_start_lbd
#   start_standby                its lbd; after lab_start_lbd, whose configuration names a hash_seed
#   standby ARGS…                lbctl there
#   standby_ready                every next hop is resolved there
#   moves_to ADDRESS             the network sends the VIPs' packets there from now on
#   end_standby                  before lab_down

STANDBY=
STANDBY4=10.0.0.3

standby_link() {
	lab_node standby && lab_batch standby <<-EOF || return
		link set lo up
		link add s0 mtu $LAB_MTU type veth peer name rs mtu $LAB_MTU netns $LAB_ID-router
		link set s0 up
		address add $STANDBY4/24 dev s0
		route add default via 10.0.0.1
	EOF
	lab_in router ethtool -K rs tx off tso off gso off gro off >/dev/null 2>&1
	lab_batch router <<-EOF
		link set rs master br0 up
		link set dev rs xdpdrv obj $O/tests/lib/pass.bpf.o sec xdp.frags
	EOF
}

start_standby() {
	jq --arg dir "$LAB_DIR/standby" '.interfaces = ["s0"] | .control.path = $dir + ".sock" | .state_dir = $dir |
		.pin_dir += "-standby"' "$LAB_DIR/lbd.json" >"$LAB_DIR/standby.json"
	lab_background standby "$LBD" --config "$LAB_DIR/standby.json" 2>"$LAB_DIR/standby.log"
	STANDBY=$LAB_PID
	wait_for 10 standby version || { cat "$LAB_DIR/standby.log" && return 1; }
}

end_standby() {
	[ -z "$STANDBY" ] || lab_end "$STANDBY"
	STANDBY=
	"$LBD" --config "$LAB_DIR/standby.json" --detach
}

standby() {
	"$LBCTL" --socket "$LAB_DIR/standby.sock" "$@"
}

standby_ready() {
	standby --json status | jq -e '(.unroutable | length) == 0 and all(.next_hops[]; .state == "resolved")'
}

moves_to() {
	lab_ip router route replace 192.0.2.0/24 via "$1"
}
