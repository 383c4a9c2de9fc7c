#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How do three balancers keep one service document, with canaries, and without etcd?
#
# Run as root after `make`. Needs etcd-server and etcd-client. Takes everything down again, also on Ctrl-C.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/example.sh
. tests/lib/example.sh
# shellcheck source=tests/lib/tier.sh
. tests/lib/tier.sh

# On lb1, with its files named.
lbctl() {
	if [ "$1" = tier ]; then
		tier_tier 1 "${@:2}"
	else
		tier_lbctl 1 "$@"
	fi
}

# comes SECONDS promise command…
comes() {
	wait_for "$1" "${@:3}" || fail "$2"
}

shows() {
	tier_tier 1 show --json | jq -e "$1"
}

say "Three nodes of etcd, three balancers; lb1 is the canary"
tier_up || fail "the lab does not come up: install etcd-server and etcd-client"
tier_follow 1 '{"canary": true, "max_moved_percent": 50}'
tier_follow 2
tier_follow 3
comes 20 "not all three are there" tier_all_at 0
cp examples/04-tier/service.json "$TIER_DIR"
cd "$TIER_DIR" || exit

say "One document for all"
typed 0 lbctl tier publish service.json --at-once
comes 15 "not all have it" tier_all_at 1
typed 0 lbctl tier show

say "A change is made from an export: a third backend. The canary has it first, the others 5 s later"
tier_tier 1 export >service.json
jq '.vips[0].backends += [{"address": "10.9.0.103"}]' service.json >next.json
typed 0 lbctl tier publish next.json --hold 5s
comes 15 "the canary does not take it" shows '.nodes[0].revision == 2'
typed 4 lbctl tier show
comes 30 "the others do not take it" tier_all_at 2
typed 0 lbctl tier show

say "The export from before is refused now: somebody has published since"
typed 1 lbctl tier publish service.json

say "A change on one node is refused, and marked where it is made all the same"
typed 1 lbctl backend set web 10.9.0.101 --weight 7
typed 0 lbctl backend set web 10.9.0.101 --weight 7 --local
comes 15 "it is not shown" shows '.nodes[0].edited'
typed 4 lbctl tier show

say "A bad revision: one of three backends gets nearly all, and the canary allows half"
tier_tier 1 export | jq '.vips[0].backends[1].weight = 10000' >bad.json
typed 0 lbctl tier publish bad.json --hold 5s
comes 15 "the canary takes it" shows '.nodes[0].refused.revision == 3'
typed 4 lbctl tier show
typed 0 lbctl tier rollback
comes 30 "it is not rolled back" tier_all_at 4

say "One node of etcd is killed: nothing changes. All three: nodes keep what they have"
tier_end etcd1 KILL
tier_tier 1 export | jq '.vips[0].backends[2].weight = 2' >next.json
typed 0 lbctl tier publish next.json --at-once
comes 30 "without one of three it does not arrive" tier_all_at 5
tier_end etcd2 KILL
tier_end etcd3 KILL
typed 1 lbctl tier show
tier_end lbd3 KILL
tier_lbd 3
[ "$(tier_lbctl 3 --json status | jq .tier.revision)" = 5 ] || fail "an lbd that is started without etcd has something else"
for n in 1 2 3; do
	tier_etcd "$n"
done
comes 60 "the tier does not come back" tier_all_at 5
typed 0 lbctl tier show
