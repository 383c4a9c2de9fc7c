#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Are the routes by which the network learns of VIPs there just while this node serves them? In kernel tables alone;
# tests/bgp/bgp_test.sh has routing daemons.
#
#	announce_test.sh
#
# Needs root and a build.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

TABLE=4242
ANNOUNCE="{\"announce\": {\"table\": $TABLE, \"protocol\": 77}, \"http\": {\"listen\": \"127.0.0.1:9110\"}}"
SERVER=

if [ "$(id -u)" != 0 ]; then
	skip "routes that announce VIPs" "root"
	finish
fi

# --- what is there ---

# routes: all of the table, as one line.
routes() {
	{ lab_ip balancer route show table "$TABLE"; lab_ip balancer -6 route show table "$TABLE"; } 2>/dev/null |
		sed -E 's/^blackhole ([^ ]+) (dev lo )?proto 77 .*/\1/' | sort | paste -sd ' '
}

# has ROUTE…: these and no others.
has() {
	local there expected
	there=$(routes)
	expected=$(printf '%s\n' "$@" | sort | paste -sd ' ')
	[ "$there" = "$expected" ] || { echo "there: $there"; lbctl node show; return 1; }
}

# Within the second that is promised.
soon_has() {
	wait_for 1 has "$@"
	has "$@"
}

ALL="192.0.2.0/25 $LAB_VIP4 $LAB_VIP6"

serve() {
	lab_background b1 "$O/tests/lib/serve_tool" b1 80
	SERVER=$LAB_PID
	wait_for 5 lab_answers b1 80
}

backend_is() {
	lbctl --json backend list checked | jq -e ".vips[0].backends[0].health.state == \"$1\""
}

# --- a node ---

start() {
	lab_up one-armed 1 && serve && lab_start_lbd "$ANNOUNCE"
}

vips_come_and_go() {
	has || return
	lbctl vip add "$LAB_VIP4:443/tcp" --name web && lbctl vip add "$LAB_VIP4:53/udp" --name dns &&
		lbctl vip add "[$LAB_VIP6]:443/tcp" --name six && lbctl vip add 192.0.2.0/25:0/tcp --name wide &&
		lbctl vip add 192.0.2.77:443/tcp --name hidden --announce no || return
	# shellcheck disable=SC2086 # words
	soon_has $ALL || return
	lbctl vip del dns && lbctl vip del wide && soon_has "$LAB_VIP4" "$LAB_VIP6" &&
		lbctl vip set web --announce no && soon_has "$LAB_VIP6" &&
		lbctl vip set web --announce yes && lbctl vip add 192.0.2.0/25:0/tcp --name wide || return
	# shellcheck disable=SC2086 # words
	soon_has $ALL && lbctl backend add web "${LAB_BACKEND4[1]}" && lab_ready
}

no_packet_is_led_by_them() {
	lab_ip balancer route get "$LAB_VIP4" | grep -v blackhole
}

lacks_backends() {
	lbctl node show | grep -E '192.0.2.200/32 +withdrawn: 0 of 0 backends healthy, 1 needed'
}

health_decides() {
	lbctl vip add 192.0.2.200:80/tcp --name checked --announce-healthy 1 --health tcp --health-interval 100ms \
		--health-fall 2 || return
	# shellcheck disable=SC2086 # words
	has $ALL && wait_for 1 lacks_backends || return
	lbctl backend add checked "${LAB_BACKEND4[1]}" && wait_for 5 backend_is healthy || return
	# shellcheck disable=SC2086 # words
	soon_has $ALL 192.0.2.200 || return
	lab_end "$SERVER"
	wait_for 5 backend_is unhealthy || return
	# shellcheck disable=SC2086 # words
	soon_has $ALL || return
	serve && wait_for 5 backend_is healthy || return
	# shellcheck disable=SC2086 # words
	soon_has $ALL 192.0.2.200
}

ALL_CHECKED="$ALL 192.0.2.200"

restarts() {
	"$@" && lab_start_lbd "$ANNOUNCE"
}

is_gone() {
	lab_end "$LAB_LBD"
	LAB_LBD=
}

is_killed() {
	kill -KILL "$LAB_LBD" && lab_end "$LAB_LBD"
	LAB_LBD=
}

# Every change of the table while "$@" is carried out; none is right.
undisturbed() {
	local monitor
	lab_background balancer ip -oneline monitor route >"$LAB_DIR/monitor"
	monitor=$LAB_PID
	wait_for 5 monitors || return
	"$@" || return
	lab_end "$monitor"
	! grep "table $TABLE" "$LAB_DIR/monitor"
}

monitors() {
	lab_ip balancer route add blackhole 198.51.100.99 table 4141
	lab_ip balancer route del blackhole 198.51.100.99 table 4141
	grep -q 198.51.100.99 "$LAB_DIR/monitor"
}

# shellcheck disable=SC2086 # words
end_keeps_routes() {
	is_gone && has $ALL_CHECKED
}

# shellcheck disable=SC2086 # words
kill_keeps_routes() {
	is_killed && has $ALL_CHECKED
}

stop_and_start() {
	is_gone && lab_start_lbd "$ANNOUNCE" && wait_for 5 backend_is healthy
}

kill_and_start() {
	is_killed && lab_start_lbd "$ANNOUNCE" && wait_for 5 backend_is healthy
}

# A VIP that goes while lbd is away, as by another document on disk, and what somebody else has put there.
# shellcheck disable=SC2086 # words
start_removes_what_is_left() {
	is_gone && lab_ip balancer route add blackhole 203.0.113.1 table "$TABLE" proto 77 &&
		lab_ip balancer -6 route add blackhole 2001:db8:dead::/48 table "$TABLE" proto 77 &&
		lab_start_lbd "$ANNOUNCE" && soon_has $ALL_CHECKED
}

# shellcheck disable=SC2086 # words
what_others_remove_comes_back() {
	lab_ip balancer route del blackhole "$LAB_VIP4" table "$TABLE" && wait_for 2 has $ALL_CHECKED &&
		lab_ip balancer -6 route del blackhole "$LAB_VIP6" table "$TABLE" && wait_for 2 has $ALL_CHECKED
}

routes_of_others_are_told() {
	lab_ip balancer route add blackhole 192.0.2.78 table "$TABLE" proto static &&
		lbctl vip add 192.0.2.78:80/tcp --name taken || return
	wait_for 2 failed_is_told || { lbctl node show; return 1; }
	lbctl doctor | grep -F "table $TABLE has a route to 192.0.2.78/32 that is not lbd's" || return
	lab_ip balancer route del blackhole 192.0.2.78 table "$TABLE" proto static
	wait_for 2 is_announced 192.0.2.78/32 && lbctl vip del taken
}

failed_is_told() {
	lbctl node show | grep -F '192.0.2.78/32' | grep -F 'failed: File exists' &&
		grep -F "table $TABLE has a route to 192.0.2.78/32 that is not lbd's" "$LAB_DIR/lbd.log"
}

is_announced() {
	lbctl --json node show | jq -e --arg route "$1" '.routes | any(.route == $route and .state == "announced")'
}

rule_is_told() {
	lab_ip balancer rule add to 203.0.113.0/24 lookup "$TABLE"
	wait_for 2 rule_is_seen || return
	lab_ip balancer rule del to 203.0.113.0/24 lookup "$TABLE"
}

rule_is_seen() {
	lbctl status | grep -F "warning: a rule leads packets to table $TABLE"
}

# --- out of the network ---

drain_withdraws() {
	metrics 4 0 0 && lbctl node drain | grep -F 'the node is drained since' && has && metrics 0 4 1 && lbctl status | grep -F 'lbctl node undrain'
}

# metrics ANNOUNCED WITHDRAWN DRAINED
metrics() {
	local told
	told=$(lab_in balancer curl -s http://127.0.0.1:9110/metrics | sed -nE 's/^lbd_node_(announced|withdrawn|drained) //p' | paste -sd ' ')
	[ "$told" = "$*" ] || { echo "metrics: $told"; return 1; }
}

drain_survives() {
	restarts "$1" && has && lbctl --json node show | jq -e '.drained and .announced == 0'
}

# shellcheck disable=SC2086 # words
undrain_announces() {
	lbctl node undrain && has $ALL_CHECKED && restarts is_gone && soon_has $ALL_CHECKED
}

# A state_dir that cannot be written: nothing has changed.
# shellcheck disable=SC2086 # words
drain_that_cannot_be_kept_is_refused() {
	mount -t tmpfs -o ro tmpfs "$LAB_DIR/state" || return
	! lbctl node drain && has $ALL_CHECKED
	local status=$?
	umount "$LAB_DIR/state"
	return "$status"
}

lost_program_withdraws() {
	lbctl node show | grep announced || return
	bpftool link detach pinned "/sys/fs/bpf/$LAB_ID/link_$(lab_ip balancer -json link show l0 | jq ".[0].ifindex")" || return
	wait_for 2 has && has && lbctl node show | grep -F 'interface l0 has no program'
}

# What is pinned has other sizes than this lbd.json.
# shellcheck disable=SC2086 # words
refused_start_withdraws() {
	wait_for 5 backend_is healthy && soon_has $ALL_CHECKED && is_gone && has $ALL_CHECKED || return
	jq '.limits.slots = 131101' "$LAB_DIR/lbd.json" >"$LAB_DIR/other.json"
	! lab_in balancer "$LBD" --config "$LAB_DIR/other.json" && has &&
		lab_start_lbd "$ANNOUNCE" && wait_for 5 backend_is healthy && soon_has $ALL_CHECKED
}

# shellcheck disable=SC2086 # words
second_lbd_withdraws_nothing() {
	soon_has $ALL_CHECKED && ! lab_in balancer "$LBD" --config "$LAB_DIR/lbd.json" 2>"$LAB_DIR/refused" && has $ALL_CHECKED
}

# shellcheck disable=SC2086 # words
other_table_takes_them_along() {
	is_gone && lab_start_lbd '{"announce": {"table": 4343, "protocol": 77}}' && has && TABLE=4343 soon_has $ALL_CHECKED &&
		is_gone && lab_start_lbd "$ANNOUNCE" && soon_has $ALL_CHECKED && TABLE=4343 has
}

without_announce_nothing_is_left() {
	is_gone && lab_start_lbd && has && ! lbctl node drain && lbctl node show | grep -F 'nothing is announced'
	local status=$?
	is_gone
	lab_start_lbd "$ANNOUNCE"
	return "$status"
}

# Neither lbd.json nor an lbd of that table is needed.
# shellcheck disable=SC2086 # words
detach_withdraws() {
	soon_has $ALL_CHECKED && ! lab_in balancer "$LBD" --config "$LAB_DIR/lbd.json" --detach 2>/dev/null &&
		has $ALL_CHECKED && is_gone && has $ALL_CHECKED &&
		lab_in balancer "$LBD" --detach --pin-dir "/sys/fs/bpf/$LAB_ID" && has
}

step "a balancer, a backend" start || finish
step "a VIP has a route while it is there, one for each address or prefix, and none when it is not to be announced" vips_come_and_go
check "no packet is led by them" no_packet_is_led_by_them
step "a VIP that asks for healthy backends has a route while there are enough, within a second" health_decides
step "routes stay when lbd ends" end_keeps_routes
lab_start_lbd "$ANNOUNCE"
step "routes stay when lbd is killed" kill_keeps_routes
lab_start_lbd "$ANNOUNCE"
step "a restart does not touch them" undisturbed stop_and_start
step "nor does one after a kill" undisturbed kill_and_start
step "a start removes routes that no VIP has" start_removes_what_is_left
step "a route that somebody removes comes back at once" what_others_remove_comes_back
step "routes of others stay, and are told of" routes_of_others_are_told
step "a rule that leads packets to the table is told of" rule_is_told
step "node drain withdraws all, and metrics say so" drain_withdraws
step "it does so over a restart" drain_survives is_gone
step "and over a kill" drain_survives is_killed
step "undrain announces them again, for good" undrain_announces
step "a drain that cannot be kept is refused" drain_that_cannot_be_kept_is_refused
step "a second lbd that is refused withdraws nothing" second_lbd_withdraws_nothing
step "another table gets the routes of the one before" other_table_takes_them_along
step "without announce none is left" without_announce_nothing_is_left
step "an lbd that is refused withdraws them, and the next start has them again" refused_start_withdraws
step "detach withdraws them; an lbd that runs keeps them" detach_withdraws
lab_start_lbd "$ANNOUNCE"
step "an interface that has lost the program withdraws them" lost_program_withdraws
finish
