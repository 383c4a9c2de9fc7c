#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Are the messages that lbd pushes OTLP's, by the schema that OpenTelemetry publishes?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/monitoring/npm.sh
. tests/monitoring/npm.sh

PORT=4318

start() {
	lab_up one-armed 2 && lab_ip balancer link set lo up && lab_serve 80 && mkdir "$LAB_DIR/seen" && echo 200 >"$LAB_DIR/seen/mode" || return
	lab_background balancer tests/net/otlp_receiver.py serve "$PORT" "$LAB_DIR/seen" 2>"$LAB_DIR/seen/stderr"
	lab_start_lbd '{"control": {"group": "root"}, "otlp": {"endpoint": "http://127.0.0.1:'"$PORT"'", "interval_s": 1}}' &&
		lbctl pool add shared && lbctl vip add "$LAB_VIP4:80/tcp" --name web --health tcp --health-interval 200ms &&
		lbctl vip add "[$LAB_VIP6]:80/tcp" --pool shared && lbctl backend add web "${LAB_BACKEND4[1]}" &&
		lbctl backend add web 10.0.0.99 && lbctl backend add shared "${LAB_BACKEND6[2]}"
}
messages() { [ "$(find "$LAB_DIR/seen" -name '*.json' | wc -l)" -ge "$1" ]; }
by_schema() { node tests/monitoring/otlp_proto.mjs "$NPM" "$@"; }
# refuses FROM TO: a message with this in the place of that
refuses() {
	sed "s/$1/$2/" "$LAST" >"$LAB_DIR/wrong.json"
	! cmp -s "$LAST" "$LAB_DIR/wrong.json" && ! by_schema "$LAB_DIR/wrong.json"
}

install_npm || skip "messages by OpenTelemetry's schema" "npm, and its registry"
step "lbd pushes metrics of two VIPs, one with a dead backend" start || finish
lab_in client curl -s --max-time 5 "http://$LAB_VIP4/" >/dev/null
step "some messages come" wait_for 20 messages 4
LAST=$(find "$LAB_DIR/seen" -name '*.json' | sort -V | tail -n 1)
check "each is what OpenTelemetry's package reads, writes and reads again" by_schema "$LAB_DIR"/seen/*.json
check "a field that there is not would be found" refuses timeUnixNano timeUnixNanos
check "a number of another type, too" refuses '"isMonotonic":true' '"isMonotonic":7'
step "nothing remains" lab_down
finish
