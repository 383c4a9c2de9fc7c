#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do metrics get to an OpenTelemetry collector, whole and in its form, and does a collector that is down, busy, slow or damaged hold
# up nothing but them? The collector is otlp_receiver.py, which checks each message.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

PORT=4318
COLLECTOR=
SEEN=

# answers WORDS…: how the collector answers from now on
answers() {
	echo "$*" >"$SEEN/mode"
}
collector() { # TLS-FILES…
	lab_background balancer tests/net/otlp_receiver.py serve "$PORT" "$SEEN" "$@" 2>"$SEEN/stderr"
	COLLECTOR=$LAB_PID
	wait_for 10 listens
}
listens() {
	lab_in balancer ss -Hltn | grep -q ":$PORT "
}
no_collector() {
	lab_end "$COLLECTOR"
}

# begins JSON: an lbd that pushes every second
begins() {
	lab_start_lbd "$(jq -nc --argjson extra "$1" --arg file "$LAB_DIR/headers" '{control: {group: "root"}, http: {listen: "127.0.0.1:9110"},
		otlp: {endpoint: "http://127.0.0.1:'$PORT'", interval_s: 1, headers_file: $file}} * $extra')"
}
restarted() {
	lab_stop_lbd
	begins "$1"
}

start() {
	lab_up one-armed 2 && lab_ip balancer link set lo up && lab_serve 80 || return
	SEEN=$LAB_DIR/seen
	mkdir "$SEEN" && answers 200 || return
	(umask 077 && printf '# of the collector\n\nAuthorization: Bearer "a\\b"\r\nX-Scope: x\n' >"$LAB_DIR/headers")
	collector && begins '{}' && lbctl vip add "$LAB_VIP4:80/tcp" --name web --health tcp --health-interval 200ms &&
		lbctl backend add web "${LAB_BACKEND4[1]}" && lbctl backend add web "${LAB_BACKEND4[2]}" && lab_ready
}

log() {
	cat "$SEEN/log" 2>/dev/null
}
# requests MODE: how many were answered so
requests() {
	log | jq -s --arg mode "$1" 'map(select(.mode == $mode)) | length'
}
more_than() { # COUNT MODE
	[ "$(requests "$2")" -gt "$1" ]
}
comes() { # MODE: another request
	wait_for 15 more_than "$(requests "$1")" "$1"
}
sound() {
	log | jq -se 'length > 0 and all(.faults == [])' >/dev/null || { log | jq -c .faults | sort | uniq -c; return 1; }
}
header_is_there() {
	log | jq -se 'all(.authorization == "Bearer \"a\\b\"" and (.agent | startswith("lbd/")))'
}

push_says() { # JQ-EXPRESSION over the state
	lbctl --json status | jq -e ".otlp | $1"
}
soon() {
	wait_for 15 push_says "$1" >/dev/null
}
doctor_says() {
	lbctl doctor --interval 100ms >"$LAB_DIR/said"
	grep -qE "$1" "$LAB_DIR/said" || { cat "$LAB_DIR/said"; return 1; }
}
doctor_is_silent() {
	lbctl doctor --interval 100ms
}
soon_silent() {
	wait_for 15 doctor_is_silent
}

connect() {
	local i
	for ((i = 0; i < 5; i++)); do
		lab_in client "$O/tests/lib/connect_tool" --timeout-ms 3000 "$LAB_VIP4" 80 || return
	done
}
last_message() {
	printf '%s\n' "$SEEN"/*.json | sort -V | tail -n 1
}
# Values that were collected after the last connection, beside a scrape.
same_as_scraped() {
	comes 200 && comes 200 && lab_in balancer curl -sS --max-time 10 http://127.0.0.1:9110/metrics |
		tests/net/otlp_receiver.py compare "$(last_message)"
}

# Values of each second from FIRST on (a line of the log): none is missing, and none was taken twice.
taken_once() {
	log | jq -s '[.[] | select(.mode == "200" or .mode == "partial") | .times[]] | length == (unique | length)' | grep -qx true
}
longest_gap_s() {
	log | jq -s '[.[] | select(.mode == "200") | .times[] | tonumber / 1e9] | sort | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | max | ceil'
}
# Retried, and not before the collector wants it.
keeps_away() {
	local before first second
	before=$(requests "429 4")
	answers 429 4
	wait_for 15 more_than "$before" "429 4" || return
	wait_for 15 more_than $((before + 1)) "429 4" || return
	first=$(log | jq -s "map(select(.mode == \"429 4\")) | .[$before].at")
	second=$(log | jq -s "map(select(.mode == \"429 4\")) | .[$before + 1].at")
	awk -v a="$first" -v b="$second" 'BEGIN { print b - a; exit !(b - a >= 3.9 && b - a < 8) }'
}
same_message_again() {
	log | jq -s 'map(select(.mode == "429 4")) | (.[0].times == .[1].times)' | grep -qx true
}
never_again() {
	log | jq -s 'map(select(.mode == "400") | .times[]) | length == (unique | length)' | grep -qx true
}
recovers() {
	answers 200
	soon '.state == "ok" and .waiting == 0'
}
# Of the queue; the one under way is beyond.
stays_small() {
	push_says '.dropped > 3 and .waiting_bytes < 16384 * 3'
}

secure() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$LAB_DIR/key" -out "$LAB_DIR/certificate" \
		-days 2 -subj /CN=collector -addext subjectAltName=IP:127.0.0.1 2>/dev/null || return
	no_collector
	answers 200
	chmod 755 "$LAB_DIR" && chmod 644 "$LAB_DIR/certificate" && collector "$LAB_DIR/certificate" "$LAB_DIR/key"
}
turns_above_20_ms() {
	lab_in balancer curl -sS http://127.0.0.1:9110/metrics | awk '/^lbd_loop_turn_cpu_seconds_bucket{le="0.02"}/ { below = $2 }
		/^lbd_loop_turn_cpu_seconds_count/ { print $2 - below }'
}
short_turns() {
	local turns
	turns=$(turns_above_20_ms)
	[ "$turns" = "$LONG" ] || { echo "$turns, and $LONG before"; lbctl status | grep longest; return 1; }
}
children() {
	pgrep -P "$LAB_LBD" || true
}
as_nobody() {
	local child
	child=$(children | head -n 1)
	[ -n "$child" ] && [ "$(stat -c %U "/proc/$child")" = nobody ] && grep -q '^CapEff:	0*$' "/proc/$child/status" &&
		[ "$(find "/proc/$child/fd" -lname 'anon_inode:bpf*' | wc -l)" = 0 ] &&
		! tr '\0' ' ' <"/proc/$child/cmdline" | grep -q Bearer
}
gone() {
	[ ! -d "/proc/$1" ]
}
stops_quickly() {
	local before=$SECONDS child
	child=$(children | head -n 1)
	lab_stop_lbd
	[ -n "$child" ] && [ $((SECONDS - before)) -lt 5 ] && wait_for 2 gone "$child"
}
open_to_all() {
	lab_stop_lbd
	chmod 644 "$LAB_DIR/headers"
	begins '{}' && lbctl --json status | jq -e '.warnings | any(test("no metrics are pushed: .*everybody can read it"))'
}

start >"${NOTE:=$(mktemp)}" 2>&1
check "lbd runs with a VIP of two backends, and a collector" test $? = 0 || { cat "$NOTE"; finish; }
at_exit rm -f "$NOTE"
check "connections go through" connect
check "metrics get to the collector" comes 200
LONG=$(turns_above_20_ms)
check "each series of /metrics is pushed, with the same value" same_as_scraped
check "the headers of the file are sent" header_is_there
check "lbctl status says that all is well" push_says '.state == "ok" and .taken > 0 and .refused == 0 and .error == null'
check "and doctor finds nothing" soon_silent
step "a collector that is busy" answers 503
check "is said to fail" soon '.state == "failing" and .error == "status 503: as told" and .again_in_s != null'
check "doctor finds it" doctor_says "^otlp: metrics do not get to http://127.0.0.1:$PORT/v1/metrics, or not all of them: status 503"
check "once it takes messages again all is well" recovers
check "one that asks for time gets it" keeps_away
check "and gets the same message then" same_message_again
check "all is well after it" recovers
step "a collector that refuses" answers 400
check "is told of" soon '.state == "refused" and .refused > 1'
check "what it has refused is not sent again" never_again
check "all is well after it, too" recovers
step "one that takes a part" answers partial
check "is said to do so" wait_for 10 grep -q "$PORT/v1/metrics takes a part of the metrics: too old" "$LAB_DIR/lbd.log"
check "says how much it has rejected" soon '.rejected_points > 3 and .error == "too old"'
step "one that sends garbage" answers garbage
check "has failed" soon '.state == "failing" and (.error | startswith("curl: ("))'
step "one that closes connections" answers close
check "has failed, too" soon '.state == "failing" and (.error | startswith("curl: (52)"))'
step "one that is slow" answers slow
check "is waited for by nobody but curl" comes slow
check "which is nobody, has no rights, and shows no secret" wait_for 15 as_nobody
check "its time is bounded" soon '.error | test("timed out")'
step "the collector is not there" no_collector
check "is said" soon '.state == "failing" and (.error | test("connect"))'
check "messages wait" soon '.waiting > 3'
answers 200
step "the collector comes back" collector
check "and gets all of them" soon '.state == "ok" and .waiting == 0'
check "no values were taken twice" taken_once
check "nor lost but where they were refused" test "$(longest_gap_s)" -le 15
check "every message is sound" sound
check "no turn of the loop was above 20 ms meanwhile" short_turns
step "a queue of 16 KiB" restarted '{"otlp": {"queue_bytes": 16384}}'
step "and a collector that is busy for long" answers 503 30
check "gets no longer: the oldest go" wait_for 30 stays_small
step "an lbd for a collector with TLS" restarted "$(jq -nc --arg file "$LAB_DIR/certificate" \
	'{otlp: {endpoint: "https://127.0.0.1:'$PORT'/v1/metrics", ca_file: $file}}')"
step "whose certificate is signed by whom lbd.json names" secure
check "gets metrics" comes 200
step "an lbd that does not know its certificate" restarted '{"otlp": {"endpoint": "https://127.0.0.1:'$PORT'"}}'
check "sends it nothing" soon '.state == "failing" and (.error | test("certificate"))'
step "an lbd that waits for a slow collector" restarted '{}'
no_collector && answers slow && collector && comes slow
step "stops at once, and leaves nothing behind" stops_quickly
step "a file of secrets that everybody can read is refused" open_to_all
check "the lab goes away as a whole" lab_down
finish
