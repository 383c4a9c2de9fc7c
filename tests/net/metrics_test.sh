#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Are lbd's figures right, in a form that Prometheus takes, and quickly there? Traffic in the lab, with a backend that is dead
# and one that drains.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

PORT=9110
CONNECTIONS=20

fetch() { # PATH curl-options…
	lab_in balancer curl -sS --max-time 10 "${@:2}" "http://127.0.0.1:$PORT$1"
}

# value NAME [LABEL=VALUE…]: of the series that has these labels; of several, their sum
value() {
	fetch /metrics | python3 tests/lib/metrics_tool.py value "$@"
}

is() { # EXPECTED NAME LABELS…
	local value
	value=$(value "${@:2}")
	echo "$value"
	[ "$value" = "$1" ]
}

start() {
	lab_up one-armed 3 && lab_ip balancer link set lo up && lab_serve 80 b1 b2 &&
		lab_start_lbd '{"http": {"listen": "127.0.0.1:'$PORT'", "names": ["lb.example"]}}' &&
		lbctl vip add "$LAB_VIP4:80/tcp" --name web --health tcp --health-interval 200ms &&
		lbctl backend add web "${LAB_BACKEND4[1]}" --weight 10 && lbctl backend add web "${LAB_BACKEND4[2]}" --weight 10 &&
		lbctl backend add web "${LAB_BACKEND4[3]}" --weight 10 && lab_ready
}

connect() {
	local i
	for ((i = 0; i < CONNECTIONS; i++)); do
		lab_in client "$O/tests/lib/connect_tool" --timeout-ms 3000 "$LAB_VIP4" 80 || return
	done
}

# Each backend's packets and bytes as lbctl has them, and verdicts.
same_as_stats() {
	local stats
	stats=$(lbctl --json stats)
	fetch /metrics >"$LAB_DIR/metrics"
	python3 tests/lib/metrics_tool.py compare "$LAB_DIR/metrics" <<<"$stats"
}

# Of a lab where little happens: what is forwarded is the VIP's, and every packet is in one of the protocols.
split_is_whole() {
	lbctl --json stats | jq -e '(.protocols | map({(.name): .}) | add) as $of |
		$of.tcp.packets == .vips[0].packets and $of.tcp.bytes == .vips[0].bytes and $of.udp.packets == 0 and
		$of.icmp.packets == (.verdicts | map(select(.name == "tx_echo" or .name == "pass_icmp").packets) | add) and
		(.protocols | map(.packets) | add) == (.verdicts | map(.packets) | add)'
}
pings() {
	lab_in client ping -c 3 -i 0.2 -W 2 "$LAB_VIP4"
}
protocol_rates() {
	lbctl stats --rates --interval 100ms --all >"$LAB_DIR/rates" && grep -qE '^  tcp  +[0-9.]+ packets/s' "$LAB_DIR/rates"
}

# No fewer than packets of the VIP.
interface_counts() {
	local way
	for way in receive transmit; do
		[ "$(value lbd_interface_packets_total interface=l0 direction="$way")" -ge "$(value lbd_vip_packets_total vip=web)" ] &&
			[ "$(value lbd_interface_bytes_total interface=l0 direction="$way")" -gt 2000 ] &&
			is 0 lbd_interface_errors_total interface=l0 direction="$way" || return
	done
}

lints() {
	fetch /metrics | promtool check metrics
}

as_openmetrics() {
	fetch /metrics -D "$LAB_DIR/head" -H 'Accept: application/openmetrics-text; version=1.0.0; q=0.75, text/plain;q=0.5' \
		>"$LAB_DIR/open" && grep -qi '^content-type: application/openmetrics-text; version=1.0.0' "$LAB_DIR/head" &&
		[ "$(tail -n 1 "$LAB_DIR/open")" = "# EOF" ] && python3 tests/lib/metrics_tool.py openmetrics "$LAB_DIR/open"
}

as_text() {
	fetch /metrics -D "$LAB_DIR/head" >/dev/null && grep -qi '^content-type: text/plain; version=0.0.4' "$LAB_DIR/head"
}

status_of() { # EXPECTED curl-arguments…
	local status
	status=$(lab_in balancer curl -s --max-time 10 -o /dev/null -w '%{http_code}' "${@:2}")
	echo "$status"
	[ "$status" = "$1" ]
}

hostile() {
	lab_in balancer tests/net/http_clients.py "$PORT" "$@"
}

turns_above_20_ms() {
	fetch /metrics | awk '/^lbd_loop_turn_cpu_seconds_bucket{le="0.02"}/ { below = $2 }
		/^lbd_loop_turn_cpu_seconds_count/ { print $2 - below }'
}

digest_is_lbctls() {
	[ "$(fetch /metrics | python3 tests/lib/metrics_tool.py label lbd_pool_table_info digest pool=web)" = \
		"$(lbctl --json vip show web | jq -r .digest)" ] &&
		[ "$(fetch /metrics | python3 tests/lib/metrics_tool.py label lbd_document_info digest)" = \
			"$(lbctl --json status | jq -r .document_digest)" ]
}

taken() {
	lab_in balancer ss -Hltn | grep -q ":$PORT "
}

in_use() {
	lab_stop_lbd
	lab_background balancer socat "TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr" /dev/null
	wait_for 5 taken && lab_start_lbd '{"http": {"listen": "127.0.0.1:'"$PORT"'"}}' && lbctl --json status |
		jq -e '.warnings | any(startswith("no metrics and no status page: cannot listen at 127.0.0.1:9110: Address already"))'
}

start >"${NOTE:=$(mktemp)}" 2>&1
check "lbd runs with a VIP of three backends" test $? = 0 || { cat "$NOTE"; finish; }
at_exit rm -f "$NOTE"
check "the backend that is dead is told of" wait_for 5 is 0 lbd_backend_healthy "backend=${LAB_BACKEND4[3]}"
check "it has no share" wait_for 5 is 0 lbd_backend_serving_weight "backend=${LAB_BACKEND4[3]}"
check "the others are healthy" is 2 lbd_backend_healthy
check "$CONNECTIONS connections go through" connect
check "packets, bytes and verdicts are those of lbctl stats" wait_for 5 same_as_stats
check "the VIP's address answers pings" pings
check "packets are told apart by protocol, each once" wait_for 5 split_is_whole
check "three of them are ICMP" test "$(lbctl --json stats | jq '.protocols[] | select(.name == "icmp").packets')" = 3
check "there are rates of protocols" protocol_rates
check "the VIP's protocol is told" is 1 lbd_vip_info vip=web protocol=tcp
check "slots of the VIP are counted by state" is 65537 lbd_pool_slots pool=web
check "and by backend" is 65537 lbd_backend_slots pool=web
check "two backends serve" is 2 lbd_pool_serving_backends
check "the next hops are resolved" wait_for 5 is 3 lbd_next_hop_resolved
check "the interface has the program" is 1 lbd_interface_attached interface=l0 mode=native
check "its packets are counted both ways" interface_counts
check "failed checks are counted" test "$(value lbd_pool_health_checks_total result=failure)" -ge 3
check "and how long checks took" test "$(value lbd_pool_health_check_duration_seconds_count)" -ge 6
check "digests are those of lbctl" digest_is_lbctls
check "packets of the VIP are those of its backends" test "$(value lbd_vip_packets_total vip=web)" = "$(value lbd_backend_packets_total pool=web)"
lbctl backend drain web "${LAB_BACKEND4[2]}" >/dev/null
check "a backend that drains is told of" is 1 lbd_backend_draining "backend=${LAB_BACKEND4[2]}"
check "changes are counted" is 5 lbd_events_total event=change
check "promtool finds nothing to complain of" lints
check "who asks for OpenMetrics gets it" as_openmetrics
check "others get the text format" as_text
check "HEAD has no content" test -z "$(fetch /metrics --head | tail -n +2 | sed '1,/^\r$/d')"
check "what is not there is 404" status_of 404 "http://127.0.0.1:$PORT/etc/passwd"
check "POST is refused" status_of 405 -d x "http://127.0.0.1:$PORT/metrics"
check "nobody listens elsewhere" status_of 000 "http://$LAB_BALANCER4:$PORT/metrics"
LONG=$(turns_above_20_ms)
check "requests of every kind get the right status" hostile odd
check "a request that trickles in is cut off" hostile trickle
check "1,000 connections that ask for nothing keep nobody out" hostile silent 1000
check "1,000 damaged requests do no harm" hostile fuzz 1000 "${SEED:-1}"
check_equal "no turn of the loop was above 20 ms meanwhile" "$LONG" "$(turns_above_20_ms)"
step "an lbd whose port is taken balances, and says so" in_use
check "the lab goes away as a whole" lab_down
finish
