#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a real Prometheus read what lbd tells, does every alert of examples/monitoring fire and clear, and has every panel of the
# dashboard something to show?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=examples/monitoring/lab.sh
. examples/monitoring/lab.sh

FIRE_S=60
SECRET=/tmp/lbd-monitoring-$$.secret
KEYS=/tmp/lbd-monitoring-$$.keys
# x0 comes later. Some panels need announce, a collector, or the secret of the SYN guard.
SETTINGS='{"interfaces": ["l0", "x0"], "limits": {"vips": 6}, "announce": {"table": 4242},
	"otlp": {"endpoint": "http://127.0.0.1:4318", "interval_s": 1},
	"guard_secret": "'$SECRET'", "quic_keys": "'$KEYS'"}'
BEFORE_LBD=before_lbd

names() {
	sed -n 's/^ *- alert: //p' examples/monitoring/alerts.yml | sort
}

firing() {
	monitoring_ask alerts | jq -r '[.data.alerts[] | select(.state == "firing").labels.alertname] | unique[]' | sort
}

all_but_down_fire() {
	local missing
	missing=$(comm -23 <(names | grep -vx LbdDown) <(firing))
	echo "$missing"
	[ -z "$missing" ]
}

only_of_the_interface() {
	[ "$(firing | xargs)" = "LbdInterfaceDown LbdInterfaceWithoutProgram" ]
}

fires() {
	firing | grep -qx "$1"
}

none_fires() {
	local firing
	firing=$(firing)
	echo "$firing"
	[ -z "$firing" ]
}

# The VIP's table is another one once its third backend is healthy again.
all_clear() {
	other_agrees
	none_fires
}

# A file system of its own for lbd's state, so that nothing can be saved there for a while.
before_lbd() {
	lab_command fine <<<'#!/bin/true'
	mkdir "$LAB_DIR/state" && mount -t tmpfs -o size=1m tmpfs "$LAB_DIR/state" && at_exit umount -l "$LAB_DIR/state"
	mkdir "$LAB_DIR/collector" && echo 200 >"$LAB_DIR/collector/mode"
	lab_background balancer tests/net/otlp_receiver.py serve 4318 "$LAB_DIR/collector" 2>"$LAB_DIR/collector.log"
}

# x0, which is missing, is the one thing that is wrong.
start() {
	mkdir "$KEYS" && at_exit rm -rf "$KEYS" || return
	(umask 077 && echo 00112233445566778899aabbccddeeff | tee "$SECRET" >"$KEYS/lab") && at_exit rm -f "$SECRET"
	monitoring_up "$SETTINGS" && lbctl vip set web --syn-guard auto:100000 && lbctl list add feed 203.0.113.7 && mkdir "$LAB_DIR/other" && serve_other && monitoring_prometheus 127.0.0.1:9110 127.0.0.1:9111
}

# Another balancer, as far as Prometheus can see: another table of the VIP, or the same.
other_says() {
	lab_in balancer curl -s http://127.0.0.1:9110/metrics | grep '^lbd_pool_table_info{pool="web"' |
		sed "s/digest=\"[0-9a-f]*\"/digest=\"$1\"/" >"$LAB_DIR/other/metrics"
}

other_agrees() {
	other_says "$(lbctl --json vip show web | jq -r .digest)"
}

serve_other() {
	other_agrees
	lab_background balancer python3 -m http.server --bind 127.0.0.1 --directory "$LAB_DIR/other" 9111 >/dev/null 2>&1
}

ask_lbd() {
	jq -nc --arg method "$1" --argjson params "$2" '{jsonrpc: "2.0", id: 1, $method, $params}' |
		timeout 5 socat -t 5 - "UNIX-CONNECT:$LAB_DIR/lbd.sock"
}

# Two others of the tier see two of web's three backends dead, again and again.
others_dissent() {
	local keys
	keys=$(ask_lbd health.view '{}' | jq -r '.result.healthy[:32]')
	[ "${#keys}" = 32 ] || return
	jq -nc --arg keys "$keys" '{jsonrpc: "2.0", id: 1, method: "health.agree", params: {valid_ms: 20000,
		views: (["b", "c"] | map({node: ., healthy: "", unhealthy: $keys}))}}' >"$LAB_DIR/dissent"
	# shellcheck disable=SC2016 # expands there
	lab_background balancer bash -c 'while timeout 5 socat -t 5 - "UNIX-CONNECT:$0/lbd.sock" <"$0/dissent"; do sleep 5; done' 		"$LAB_DIR" >/dev/null 2>&1
	DISSENT=$LAB_PID
}

none_dissents() {
	lab_end "$DISSENT"
	ask_lbd health.agree '{"valid_ms": 1000, "views": []}' | jq -e '.result.nodes == 0'
}

key_is_missing() {
	lab_in balancer curl -s http://127.0.0.1:9110/metrics | grep -qx 'lbd_quic_keys_behind 1'
}

break_it() {
	others_dissent || return
	# web: a backend is dead
	lab_end "$B3_PID"
	# sick: its only backend is dead, and the network is to learn it with one that is healthy
	lbctl vip add 192.0.2.201:81/tcp --name sick --health tcp --health-interval 200ms --announce-healthy 1
	lbctl backend add sick "${LAB_BACKEND4[1]}"
	# empty: nobody takes its flows, and there are some
	lbctl vip add "$LAB_VIP4:82/udp" --name empty --quic 'cr=0,sid=8,key=lab'
	# shellcheck disable=SC2016 # expands there
	lab_background client bash -c 'while :; do echo x >"/dev/udp/$0/82"; sleep 0.02; done' "$LAB_VIP4" >/dev/null 2>&1
	SENDER=$LAB_PID
	# far: its next hop does not answer, and to another backend there is no route
	lab_ip balancer route add unreachable 203.0.113.0/24
	lbctl vip add "$LAB_VIP4:83/tcp" --name far
	lbctl backend add far 10.0.0.99
	lbctl backend add far 203.0.113.1
	# unchecked: its command is gone
	lbctl vip add "$LAB_VIP4:84/tcp" --name unchecked --health exec --health-command fine --health-interval 200ms
	lbctl backend add unchecked "${LAB_BACKEND4[1]}"
	mv "$LAB_DIR/checks/fine" "$LAB_DIR/checks/gone"
	# the sixth of six VIPs
	lbctl vip add "$LAB_VIP4:85/tcp" --name sixth
	lbctl backend add sixth "${LAB_BACKEND4[1]}"
	other_says 0123456789abcdef
	# a key that was read once is gone
	rm "$KEYS/lab" && kill -HUP "$LAB_LBD" && wait_for 10 key_is_missing || return
	# last: nothing can be saved from then on
	mount -o remount,ro "$LAB_DIR/state"
	! lbctl backend set web "${LAB_BACKEND4[1]}" --weight 11
}

mend_it() {
	mount -o remount,rw "$LAB_DIR/state"
	lab_background b3 "$O/tests/lib/serve_tool" b3 80
	lab_end "$SENDER"
	none_dissents || return
	local vip
	for vip in sick empty far unchecked sixth; do
		lbctl vip del "$vip" --force || return
	done
	lab_ip balancer route del unreachable 203.0.113.0/24
	lab_ip balancer link add x0 type veth peer name x1
	lab_ip balancer link set x0 up
	lab_ip balancer link set x1 up
	other_agrees
}

stop_lbd() {
	lab_stop_lbd
	wait_for "$FIRE_S" fires LbdDown
}

start_again() {
	lab_background balancer "$LBD" --config "$LAB_DIR/lbd.json" 2>>"$LAB_DIR/lbd.log"
	LAB_LBD=$LAB_PID
	wait_for 10 lab_lbd_decided && wait_for "$FIRE_S" none_fires
}

panels() {
	MONITORING_NETNS="$LAB_ID-balancer" tests/monitoring/dashboard_tool.py examples/monitoring/dashboard.json
}

# demo PORT_LBD PORT_PROMETHEUS: what "make demo-monitoring" shows answers, and goes away
demo() {
	local lab
	PORT_LBD=$1 PORT_PROMETHEUS=$2 examples/monitoring/demo.sh 600 >"$NOTE" 2>&1 &
	DEMO=$!
	wait_for 60 demo_answers "$@" || { cat "$NOTE" && return 1; }
	lab=$(sed -n 's/.*in network namespaces \(.*\)-\*, until.*/\1/p' "$NOTE")
	kill "$DEMO" && wait "$DEMO" && DEMO= && [ -n "$lab" ] && ! ip netns list | grep "^$lab-"
}

end_demo() {
	[ -z "$DEMO" ] || kill "$DEMO"
}

demo_answers() {
	curl -sf "http://127.0.0.1:$1/metrics" | grep -q '^lbd_' && curl -sf "http://127.0.0.1:$2/api/v1/targets" |
		jq -es '.[0].data.activeTargets | length > 0 and all(.[]; .health == "up")'
}

check "promtool has nothing against the rules" promtool check rules examples/monitoring/alerts.yml
check "they do what their unit tests say" promtool test rules examples/monitoring/alerts_test.yml
check "promtool has nothing against the configuration" promtool check config examples/monitoring/prometheus.yml
NOTE=$(mktemp)
at_exit rm -f "$NOTE"
start >"$NOTE" 2>&1
check "a Prometheus reads an lbd" test $? = 0 || { cat "$NOTE"; finish; }
check "only the interface that is missing is told of" wait_for "$FIRE_S" only_of_the_interface
check "every panel of the dashboard has something to show" wait_for "$FIRE_S" panels || panels
step "all goes wrong that there is an alert for" break_it
check "each alert fires, but for that of lbd itself" wait_for "$FIRE_S" all_but_down_fire || all_but_down_fire
step "all is mended" mend_it
check "and each clears" wait_for "$FIRE_S" all_clear || none_fires
step "that of an lbd that is stopped fires" stop_lbd
step "and clears when it runs again" start_again
umount -l "$LAB_DIR/state"
check "the lab goes away as a whole" lab_down
DEMO=
at_exit end_demo
step "the demonstration answers, and ends" demo $((20000 + $$ % 10000)) $((30000 + $$ % 2000))
finish
