#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a QUIC connection keep its server when its client's address changes?
#
# Run as root after `make tests`. Takes everything down again, also on Ctrl-C. `run.sh encrypted`: ids are encrypted.
# shellcheck disable=SC2016 # filters are of jq
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/example.sh
. tests/lib/example.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

CLIENTS=300
TRANSITION=4s # 1m unless told: nobody would wait for that here
OTHER_ADDRESS=198.51.100.3
CLIENT=
QUIC=default
KEY=
[ "${1:-}" != encrypted ] || KEY=$(openssl rand -hex 16)

# Each client goes on from the other address and another port, again and again; 100 packets, 40 ms apart.
clients() {
	lab_background client "$O/tests/lib/quic_tool" connect --count "$CLIENTS" --packets 100 --interval-ms 40 --change-ms 700 \
		--other "$OTHER_ADDRESS" "$LAB_VIP4" 443 >"$LAB_DIR/result"
	CLIENT=$LAB_PID
}

# result FILTER: once all are through; what is shown has to be so.
result() {
	wait "$CLIENT"
	cat "$LAB_DIR/result"
	jq -e --argjson count "$CLIENTS" "$1" "$LAB_DIR/result" >/dev/null || fail "that is not what was promised"
}

new_connections() {
	lab_in client "$O/tests/lib/quic_tool" connect --count 100 --packets 2 --change-ms 0 "$LAB_VIP4" 443 | tee "$LAB_DIR/new"
	jq -e --argjson expected "$1" '.whole == 100 and (.seen | keys) == $expected' "$LAB_DIR/new" >/dev/null ||
		fail "new connections go elsewhere"
}

routes() {
	[ "$(lbctl --json status | jq '.quic.counts[] | select(.name == "routed") | .count')" -gt "$1" ]
}

say "A QUIC service with three servers; lbd makes a server id of each one's address"
lab_up one-armed 3 || exit
lab_ip client address add "$OTHER_ADDRESS/24" dev c0
if [ -n "$KEY" ]; then
	(umask 077 && mkdir "$LAB_DIR/keys" && echo "$KEY" >"$LAB_DIR/keys/2026") || exit
	QUIC=cr=0,sid=8,key=2026
fi
lab_start_lbd "$(jq --arg keys "$LAB_DIR/keys" '.quic_keys = $keys' examples/08-quic/lbd.json)" || exit
typed 0 lbctl vip add "$LAB_VIP4:443/udp" --name web --quic "$QUIC" --transition "$TRANSITION"
for number in 1 2 3; do
	typed 0 lbctl backend add web "${LAB_BACKEND4[number]}" --quic-id auto
done
lab_ready || exit

say "This is what the first server has to put into its connection ids. Now all three start, each with its own"
typed 0 lbctl quic id web "${LAB_BACKEND4[1]}"
for number in 1 2 3; do
	lab_background "b$number" "$O/tests/lib/quic_tool" serve "b$number" 443 \
		"$(lbctl --json quic id web "${LAB_BACKEND4[number]}" | jq -r .server_id)" ${KEY:+"$KEY"}
done

say "$CLIENTS clients, each of which changes its address several times: all connections stay whole"
clients
result '.whole == $count and .changes > $count'

say "Again, and b2 is drained meanwhile: its connections stay there, new ones go to the others"
ROUTED=$(lbctl --json status | jq '.quic.counts[] | select(.name == "routed") | .count')
clients
wait_for 10 routes "$((ROUTED + CLIENTS))" || fail "no packet follows an id"
typed 0 lbctl backend drain web "${LAB_BACKEND4[2]}"
new_connections '["b1", "b3"]'
result '.whole == $count'
typed 0 lbctl backend list web
typed 0 lbctl backend undrain web "${LAB_BACKEND4[2]}"

say "What lbd has counted"
echo "\$ lbctl status"
lbctl status | sed -n '/^QUIC/,/quoted/p'

say "Without --quic addresses decide, as for other UDP: clients that move lose their servers"
typed 0 lbctl vip set web --quic none --force
clients
result '.broken > 0'

lab_down || fail "the lab did not go away as a whole"
echo
echo "example: all as promised; the lab is gone again"
