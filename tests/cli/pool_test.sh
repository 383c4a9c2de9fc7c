#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do VIPs of a running lbd share a pool, follow it, and move to another one? In a network namespace of its own.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317,SC2016 # functions are called by name, through check; some scripts are for eval
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd pool "pools of a running lbd"
STATE=$DIR/state
KEPT=$STATE/service.json

set_up() {
	make_node "$STATE" 256k || return
	cat >"$DIR/lbd.json" <<-END
		{"interfaces": ["e0"], "state_dir": "$STATE", "pin_dir": "$PINS",
		 "control": {"path": "$DIR/lbd.sock", "group": "daemon"},
		 "limits": {"vips": 64, "members": 1024, "slots": 32768, "flows": 64}}
	END
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit stop_lbd
	start_lbd
}

# says WORDS… -- TEXT: lbctl WORDS… fails with that in its message
refuses() {
	local text=${*: -1}
	! lb "${@:1:$#-1}" >"$DIR/out" 2>&1 && grep -qF "$text" "$DIR/out"
}

backends() {
	lb --json backend list "$1" | jq -r '[(.pools + .vips)[] | "\(.name):" + ([.backends[].address] | join("+"))] | join(" ")'
}

format_is() {
	[ "$(jq .format "$KEPT")" = "$1" ]
}

set_up
check "a pool is added" lb pool add p --table-size 251
check "and has backends before it has VIPs" lb backend add p 10.0.0.2
check "a VIP uses it" lb vip add 192.0.2.1:80/tcp --name web --pool p
check "so does one of another protocol" lb vip add 192.0.2.1:53/udp --name dns --pool p
check "and one has a pool of its own" lb vip add 192.0.2.2:80/tcp --name own --table-size 251
check "a backend that is added by a VIP is its pool's" lb backend add dns 10.0.0.3
check_equal "so the pool has it, and each of its VIPs" "p:10.0.0.2+10.0.0.3 web:10.0.0.2+10.0.0.3 dns:10.0.0.2+10.0.0.3" \
	"$(backends p) $(backends web) $(backends dns)"
check_equal "all backends are listed with pools, and with VIPs that have a pool of their own" "p:2 own:0" \
	"$(lb --json backend list | jq -r '[(.pools + .vips)[] | "\(.name):\(.backends | length)"] | join(" ")')"
check_equal "pool show says how they are" "active 50" \
	"$(lb --json pool show p | jq -r '.backends[0] | "\(.state) \(.share.expected | round)"')"
check_equal "and the other one has not" "own:" "$(backends own)"
check_equal "each VIP has the transition of its protocol" "900 60" \
	"$(lb --json vip show web | jq .transition_s) $(lb --json vip show dns | jq .transition_s)"
check "a pool that is used is not removed, and its VIPs are named" refuses pool del p 'is used by 2 VIPs: dns, web'
check "what is the pool's is not set in a VIP" refuses vip set web --table maglev 'table is a field of pool "p"'
check "it is set in the pool" lb pool set p --table maglev
check_equal "for all its VIPs" "maglev maglev" \
	"$(lb --json vip list | jq -r '[.vips[] | select(.pool == "p").table] | join(" ")')"
check "its backends drain" eval 'lb pool set p --transition 1s --datagram-transition 1s &&
	lb backend drain p 10.0.0.2 && lb backend drain p 10.0.0.3 >"$DIR/out"'
check_equal "the reply to the last drain warns" "warning: no backend of pool p takes new flows: each is draining or has weight 0" \
	"$(grep ^warning "$DIR/out")"
check_equal "status warns of the pool once, not of each VIP" "no backend of pool p takes new flows: each is draining or has weight 0" \
	"$(lb --json status | jq -r '.warnings[] | select(contains("takes new flows"))')"
check "and an event is the pool's" wait_for 15 grep -q 'pool p backend 10.0.0.3 drained' "$DIR/log"
check "the kept file is of format 3" format_is 3
before=$(lb config export)
stop_lbd TERM
start_lbd
check_equal "another lbd comes back with the same document" "$before" "$(lb config export)"
check "a VIP moves to another pool" eval 'lb pool add p2 --table-size 251 && lb backend add p2 10.0.0.3 &&
	lb vip set web --pool p2 --force'
check_equal "and has its backends" "web:10.0.0.3" "$(backends web)"
check "one with a pool of its own does, too" lb vip set own --pool p2
check_equal "and both are told of" "2 1" "$(lb --json pool list | jq -r '[.pools[].vip_count] | sort | reverse | join(" ")')"
check "a pool that is added is told of when few more of its size have room" eval \
	'lb pool add big --table-size 16381 | grep -F "warning: limits.slots has room for 1 more table of 16381 slots, or " && lb pool del big'
check "and not when plenty have" eval '! lb pool add small --table-size 251 | grep warning && lb pool del small'
check "the only VIP of a pool moves on" eval 'lb pool add l1 --table-size 251 && lb pool add l2 --table-size 251 &&
	lb backend add l1 10.0.0.4 && lb backend add l2 10.0.0.5 && lb vip add 192.0.2.3:80/tcp --name mover --pool l1'
check_equal "the reply names the VIP alone, no pool that is as it was" "1 0" \
	"$(lb --json vip set mover --pool l2 | jq -r '"\(.vips | length) \(.pools // [] | length)"')"
check_equal "the pool that it has left is shown, without a slot" "10.0.0.4 0" \
	"$(lb --json pool show l1 | jq -r '.backends[0] | "\(.address) \(.share.slots)"')"
check "its backends are listed" eval '[ "$(backends l1)" = l1:10.0.0.4 ] && lb backend list >"$DIR/out"'
check_equal "what is exported and applied changes nothing" "false" \
	"$(lb config export >"$DIR/exported" && lb --json config apply "$DIR/exported" | jq .changed)"
check "it goes, and the pools" eval 'lb vip del mover --force && lb pool del l1 && lb pool del l2'
check "a pool that no VIP uses shows QUIC server ids" eval 'lb pool add idle && lb backend add idle 10.0.0.7 --quic-id 0011223344556677 &&
	lb backend list idle | grep -q "QUIC id 0011223344556677" && lb pool del idle'
check "a VIP goes from backends of its own to a pool that lacks them" eval 'lb vip add 192.0.2.4:80/tcp --name alone --table-size 251 &&
	lb backend add alone 10.0.0.9 && lb vip set alone --pool p2'
check_equal "which are kept by its address" "192.0.2.4:80/tcp" "$(lb --json vip show alone | jq -r '.leaves.pools | join(" ")')"
check "and told of" eval 'lb vip show alone | grep -q "moving from backends of its own"'
check "it goes, too" lb vip del alone --force
check "VIPs go" eval 'lb vip del web --force && lb vip del dns --force && lb vip del own --force'
check "then pools may" eval 'lb pool del p && lb pool del p2'
check "and the kept file is one for an lbd that knows no pools" format_is 2

# Of 32768 slots 24577 are free then, 12296 of them in one piece.
check "slots are free in two pieces" eval 'lb vip add 192.0.2.5:80/tcp --name early --table-size 12281 &&
	lb vip add 192.0.2.6:80/tcp --name stays --table-size 8191 && lb backend add stays 10.0.0.2 &&
	lb backend add stays 10.0.0.3 && lb vip del early --force'
leads() {
	local port
	for port in {40000..40019}; do
		lb --json explain "198.51.100.7:$port" 192.0.2.6:80/tcp | jq -c '[.verdict, .slot.number, .slot.current.backend, .backend]'
	done
}
before=$(leads)
check "a table of more has room: the other one moves" lb vip add 192.0.2.7:80/tcp --name late --table-size 16381
check "whose VIP leads where it did" eval '[ "$(leads)" = "$before" ] && [ "$(sort -u <<<"$before" | wc -l)" -gt 1 ]'
stop_lbd KILL
start_lbd
check "so it does by another lbd" eval '[ "$(leads)" = "$before" ]'
check "VIPs go again" eval 'lb vip del stays --force && lb vip del late --force'
finish
