#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the journal tell the next morning what happened, and who did it? A real lbd whose standard error is a journal's.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd log "the log of a running lbd"
PEER=$ID-peer

# The backend 10.0.0.2 is in a namespace of its own.
make_backend() {
	ip netns add "$PEER" && at_exit ip netns del "$PEER" || return
	ip -n "$ID" link set p0 netns "$PEER"
	ip -n "$PEER" address add 10.0.0.2/24 dev p0
	ip -n "$PEER" link set p0 up
	ip -n "$PEER" link set lo up
}

make_interface() {
	ip -n "$ID" link add f0 type veth peer name g0 && ip -n "$ID" link set g0 up && ip -n "$ID" link set f0 up
}

run_lbd() {
	exec nsenter --net="/run/netns/$ID" tests/lib/service_manager.py "$DIR/journal" "$DIR/notifications" \
		"$LBD" --config "$DIR/lbd.json"
}

start_lbd() {
	: >"$DIR/journal"
	: >"$DIR/notifications"
	run_lbd &
	LBD_PID=$!
	wait_for 20 lb version || {
		cat "$DIR/journal"
		return 1
	}
}

# logged REGEX: a line of the journal is that
logged() {
	grep -qxE -- "$1" "$DIR/journal"
}

# logs PROMISE REGEX
logs() {
	check "$1" wait_for 15 logged "$2" || tail -n 20 "$DIR/journal" | sed 's/^/      | /'
}

serve() {
	nsenter --net="/run/netns/$PEER" socat TCP-LISTEN:80,fork,reuseaddr /dev/null &
	SERVER=$!
}

stop_serving() {
	kill "$SERVER" && wait "$SERVER"
	SERVER=
} 2>/dev/null

end() {
	[ -z "$SERVER" ] || stop_serving
	stop_lbd TERM
}

set_up() {
	make_node "$DIR/state" 256k && make_backend && make_interface || return
	cat >"$DIR/lbd.json" <<-END
		{"interfaces": ["e0", "f0"], "state_dir": "$DIR/state", "pin_dir": "$PINS",
		 "control": {"path": "$DIR/lbd.sock", "group": "daemon"},
		 "limits": {"vips": 64, "members": 1024, "slots": 32768, "flows": 64}}
	END
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit end
	start_lbd
}

test_changes() {
	lb vip add 192.0.2.10:80/tcp --name web --table-size 1021 --transition 1 >"$DIR/out"
	logs "a change is logged with its method and who made it" \
		'<6>change: vip\.add by root \(uid 0, pid [0-9]+\): vip web: added'
	cp "$LBCTL" "$DIR/lbctl"
	check "a member of the group changes something" exits 0 setpriv --reuid=1 --regid=1 --clear-groups \
		"$DIR/lbctl" --socket "$DIR/lbd.sock" backend add web 10.0.0.2
	logs "it is logged with that user's name" \
		"<6>change: backend\\.add 10\\.0\\.0\\.2 by daemon \\(uid 1, pid [0-9]+\\): vip web: .*"
	lb backend add web 10.0.0.9 >"$DIR/out"
	ip -n "$PEER" address add 10.0.0.9/24 dev p0
	logs "a backend that begins to serve is logged" '<6>serve: vip web backend 10\.0\.0\.9 serving'
	ip -n "$PEER" address del 10.0.0.9/24 dev p0
	lb backend set web 10.0.0.9 --weight 3 >"$DIR/out"
	logs "and with what was set, and what moved" \
		'<6>change: backend\.set 10\.0\.0\.9 weight=3 by root .*: vip web: moved 2[0-9]\.. % of slots \(ideal 25\.. %\)'
	lb backend set web 10.0.0.9 --weight 7 --dry-run >"$DIR/out"
	lb backend set web 10.0.0.9 --weight 3 >"$DIR/out"
	check_equal "neither dry runs nor what changes nothing are logged" 1 \
		"$(grep -c 'change: backend\.set' "$DIR/journal")"
}

test_trial() {
	echo '{"vips": []}' | lb config apply - --confirm 1s >"$DIR/out"
	logs "a change on trial is logged as such" '<.>change: config\.apply, on trial for 1 s by root .*: vip web: removed.*'
	logs "its revert is a warning, with the reason" '<4>revert: not confirmed in time: vip web: added'
	lb config export | jq '.vips[0].flow_idle_s = 5' | lb config apply - --confirm 60s >"$DIR/out"
	lb config confirm >"$DIR/out"
	logs "a confirmation is logged with who gave it" '<6>confirm: the change is kept, confirmed by root \(uid 0, pid [0-9]+\)'
	lb config export | jq '.vips[0].flow_idle_s = 6' | lb config apply - --confirm 60s >"$DIR/out"
	lb config revert >"$DIR/out"
	logs "a revert that was asked for, too" '<4>revert: asked for by root .*'
}

test_by_itself() {
	logs "a next hop that is resolved is logged" '<6>next_hop: via 10\.0\.0\.2 on e0 resolved'
	serve
	lb vip set web --health tcp --health-interval 100ms --health-rise 1 --health-fall 1 >"$DIR/out"
	logs "a backend that is healthy is logged" '<6>health: vip web backend 10\.0\.0\.2 healthy'
	check "STATUS= tells of VIPs, backends, and how many are unhealthy" wait_for 15 status_is "1 VIP, 2 backends, 1 unhealthy"
	stop_serving
	logs "one that becomes unhealthy is a warning with the reason" \
		'<4>health: vip web backend 10\.0\.0\.2 unhealthy: connection refused'
	logs "the last one of a VIP is an error, with what becomes of new flows" \
		'<3>vip_health: vip web all_unhealthy \(2 backends\): new flows go to all of them'
	check "STATUS= follows" wait_for 15 status_is "1 VIP, 2 backends, 2 unhealthy"
	serve
	check "its return is logged" wait_for 15 health_flapped
	logs "and that of the VIP" '<6>vip_health: vip web recovered'
	check_equal "what has not changed is logged once" 1 "$(grep -c all_unhealthy "$DIR/journal")"
	lb vip set web --health none >"$DIR/out"
	stop_serving
	lb backend drain web 10.0.0.9 >"$DIR/out"
	logs "the end of a drain is logged" '<6>drain: vip web backend 10\.0\.0\.9 drained'
	ip -n "$ID" link set e0 down
	logs "a next hop that is lost is a warning with the reason" '<4>next_hop: via 10\.0\.0\.2 on e0 unresolved: link is down'
	ip -n "$ID" link set e0 up
}

test_route() {
	lb backend add web 203.0.113.9 >"$DIR/out"
	logs "a backend without a route is a warning with the reason" \
		'<4>route: backend 203\.0\.113\.9 unroutable: .*unreachable.*'
	ip -n "$ID" route add 203.0.113.0/24 via 10.0.0.2
	logs "one that has a route again is logged" '<6>route: backend 203\.0\.113\.9 routable'
	ip -n "$ID" route del 203.0.113.0/24
	lb backend del web 203.0.113.9 >"$DIR/out"
}

test_interface() {
	logs "where the program is attached at start is logged" '<6>interface: f0 attached in native mode'
	logs "an interface that goes down was a warning" '<4>interface: e0 link_down'
	logs "that it is up again was logged" '<6>interface: e0 link_up'
	ip -n "$ID" link del f0
	logs "one that is gone is a warning with the reason" '<4>interface: f0 detached: the interface is gone; .*'
	check "STATUS= names it" wait_for 15 status_is "1 VIP, 2 backends, 0 unhealthy; interfaces detached: f0"
	make_interface
	check "that it is back is logged" wait_for 15 is_back
	check "STATUS= names none" wait_for 15 status_is "1 VIP, 2 backends, 0 unhealthy"
}

is_back() {
	sed -n '/f0 detached/,$p' "$DIR/journal" | grep -qx '<6>interface: f0 attached in native mode'
}

# The last STATUS= that lbd has sent.
status_is() {
	[ "$(grep -a '^STATUS=' "$DIR/notifications" | tail -n 1)" = "STATUS=$1" ]
}

health_flapped() {
	sed -n '/unhealthy/,$p' "$DIR/journal" | grep -qx '<6>health: vip web backend 10\.0\.0\.2 healthy'
}

test_form() {
	check_equal "each line has a priority" "" "$(grep -vE '^<[346]>[[:print:]]+$' "$DIR/journal")"
}

test_start_and_end() {
	jq '.interfaces = ["nowhere0"]' "$DIR/lbd.json" >"$DIR/bad.json"
	stop_lbd TERM
	logs "the end of lbd is logged" '<6>stopping; the data plane stays and goes on forwarding'
	test_form
	start_lbd
	check "lbd starts again" test $? = 0
	logs "adoption is logged" "<6>1 VIPs in place, taken over as they were, answering on $DIR/lbd.sock"
	step "a file gets plain text" plain_text
}

plain_text() {
	stop_lbd TERM
	nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json" 2>"$DIR/plain" &
	LBD_PID=$!
	wait_for 20 lb version && grep -q '^lbd: 1 VIPs in place' "$DIR/plain"
}

test_refusal() {
	tests/lib/service_manager.py "$DIR/refusal" /dev/null "$LBD" --config "$DIR/none.json"
	check_equal "a refusal to start is one line of priority 3, with what to do" \
		"<3>$DIR/none.json: No such file or directory; write it, see lbd.json(5), or name another by --config" \
		"$(cat "$DIR/refusal")"
}

SERVER=
set_up
check "lbd starts" test $? = 0 || finish
test_changes
test_trial
test_by_itself
test_route
test_interface
test_start_and_end
test_refusal
finish
