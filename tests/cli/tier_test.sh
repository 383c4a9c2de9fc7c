#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do nodes follow what is published for their tier, and nothing else? A real etcd, and lbds that simulate.
#
# LBD and LBCTL name the binaries; lbd-simulate and lbd-tier stand beside them. Needs root, for a network namespace.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

LBCTL=$(realpath "${LBCTL:-build/lbctl/lbctl}")
TIER=${LBCTL%/*}/lbd-tier
SIMULATE=$(dirname "$(realpath "${LBD:-build/lbd/lbd}")")/lbd-simulate
ID=lbtier$$
URL=http://127.0.0.1:2379

if [ "$(id -u)" != 0 ] || ! type etcd etcdctl >/dev/null 2>&1; then
	skip "a tier with etcd" "root, etcd-server and etcd-client"
	finish
fi
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
declare -A PID=()

# shellcheck disable=SC2329 # at exit
end_all() {
	kill -9 "${PID[@]}"
	wait "${PID[@]}"
}

within() {
	nsenter --net="/run/netns/$ID" -- "$@"
}

# start NAME command…: its output goes to $DIR/NAME.log
start() {
	nsenter --net="/run/netns/$ID" -- "${@:2}" >>"$DIR/$1.log" 2>&1 &
	PID[$1]=$!
}

# end NAME [SIGNAL]
end() {
	kill "-${2:-TERM}" "${PID[$1]}"
	wait "${PID[$1]}"
	unset "PID[$1]"
} 2>/dev/null

# --- etcd ---

# start_etcd [option…]
start_etcd() {
	start etcd etcd --name a --data-dir "$DIR/etcd" --listen-client-urls "$URL" --advertise-client-urls "$URL" \
		--listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
		--initial-cluster a=http://127.0.0.1:2380 --unsafe-no-fsync "$@"
	wait_for 20 etcdctl_ endpoint health || cat "$DIR/etcd.log"
}

etcdctl_() {
	ETCDCTL_API=3 within etcdctl --endpoints "$URL" "${ETCDCTL_OPTIONS[@]}" "$@"
}
ETCDCTL_OPTIONS=()

# --- nodes ---

# configure N [JSON]: tier.json of a node
configure() {
	jq -n --arg dir "$DIR" --arg n "$1" --arg url "$URL" --argjson more "${2:-{\}}" '{tier: "edge", endpoints: [$url],
		node: ("lb" + $n), socket: ($dir + "/lbd" + $n + ".sock"), lease_s: 10} + $more' >"$DIR/tier$1.json"
}

# start_node N: its lbd and who follows the tier for it
start_node() {
	jq -n --arg dir "$DIR" --arg n "$1" '{interfaces: ["eth0"], state_dir: ($dir + "/state" + $n),
		hash_seed: "00112233445566778899aabbccddeef0"}' >"$DIR/lbd$1.json"
	start "lbd$1" "$SIMULATE" --simulate --config "$DIR/lbd$1.json" --socket "$DIR/lbd$1.sock"
	wait_for 20 lb "$1" version || cat "$DIR/lbd$1.log"
	start "follow$1" "$TIER" follow --config "$DIR/tier$1.json"
}

# lb N command…
lb() {
	"$LBCTL" --socket "$DIR/lbd$1.sock" "${@:2}"
}

# tier N verb arguments…, on node N. What it says goes to $DIR/out as well.
tier() {
	local status
	within "$LBCTL" tier "${@:2}" --config "$DIR/tier$1.json" >"$DIR/out" 2>&1
	status=$?
	cat "$DIR/out"
	return "$status"
}

# exits CODE command…
exits() {
	local expected=$1 status
	shift
	"$@"
	status=$?
	[ "$status" = "$expected" ] || {
		echo "exit $status"
		return 1
	}
}

# shows FILTER: tier show --json, as jq has it; of the tier of node SHOWN
shows() {
	within "$LBCTL" --json tier show --config "$DIR/tier$SHOWN.json" | jq -e "$1"
}
SHOWN=1

# comes_to SECONDS FILTER: what it shows instead is told
comes_to() {
	wait_for "$1" shows "$2" || {
		shows .
		return 1
	}
}

# all_at N [NODES]
all_at() {
	shows "(.nodes | length) == ${2:-2} and all(.nodes[]; .revision == $1 and .differs == [])"
}

# has N REVISION: what lbd itself has in force
has() {
	lb "$1" --json status | jq -e ".tier.revision == $2"
}

# For longer than the longest pause between two attempts to reach etcd.
says() {
	wait_for 60 grep -qF -- "$2" "$DIR/$1.log"
}

# document WEIGHT
document() {
	jq -n --argjson weight "$1" '{vips: [{address: "192.0.2.10:80/tcp", name: "web", table_size: 251,
		backends: [{address: "10.0.0.2", $weight}, {address: "10.0.0.3", weight: 10}]}]}' >"$DIR/$1.json"
	echo "$DIR/$1.json"
}

# --- what it promises ---

test_usage() {
	check_equal "lbd-tier has a version" "lbd-tier $("$LBCTL" help | sed -n '1s/^lbctl \(.*\): .*/\1/p')" "$("$TIER" --version)"
	check "and help of its own" test "$("$TIER" --help | head -1)" = "usage: lbd-tier follow [--config FILE] [--check]"
	check "which is what other words get" exits 2 "$TIER" blah
	check "also those of lbctl that are not its" exits 2 "$TIER" status
	check "and none" exits 2 "$TIER"
	check "of it, and nobody else" test "$("$TIER" blah 2>&1)" = "$("$TIER" --help)"
}

test_publish() {
	check "nothing is published yet" exits 0 tier 1 show
	check "which is said" grep -qx "tier edge: nothing was published yet" "$DIR/out"
	check "there is nothing to roll back to" exits 1 tier 1 rollback
	check "which is said" grep -qF "lbctl: nothing was published yet" "$DIR/out"
	check "nor to export" exits 1 tier 1 export
	check "which is said" grep -qF "lbctl: nothing was published for tier edge yet" "$DIR/out"
	check "0 is no revision" exits 2 tier 1 rollback 0
	check "which is said" grep -qF 'a revision is a number from 1 to 4294967295, not "0"' "$DIR/out"
	check "nor are words" exits 2 tier 1 export last
	check "a dry run says what it would do" exits 0 tier 1 publish "$(document 10)" --dry-run
	check "with the difference" grep -qx "+ vip web  192.0.2.10:80/tcp, 2 backends" "$DIR/out"
	check "and the number" grep -qx "would be published as revision 1" "$DIR/out"
	check "and publishes nothing" exits 0 tier 1 show
	check "nor does a document that is none" exits 1 tier 1 publish <(echo '{"vips": [{}]}')
	check "to hold it back for canaries, where none is, is refused" exits 1 tier 1 publish "$(document 10)" --hold 1s
	check "with how to have one, or else" grep -qF 'set "canary": true in tier.json of a node and restart its lbd-tier, or leave --hold out' "$DIR/out"
	check "without it a document is published" exits 0 tier 1 publish "$(document 10)"
	check "both nodes have it, and are alike" wait_for 10 all_at 1
	check "show says so" exits 0 tier 1 show
	check "it is in force" has 2 1
}

test_lost_update() {
	tier 1 export >"$DIR/mine.json"
	cp "$DIR/mine.json" "$DIR/yours.json"
	check "an export that was edited is published" exits 0 tier 2 publish <(jq '.vips[0].backends[0].weight = 20' "$DIR/yours.json")
	check "and an older one refused" exits 1 tier 1 publish "$DIR/mine.json"
	check "with who was first" grep -qE "revision 2 has been published meanwhile, by root@.* at .*; this is made from 1" "$DIR/out"
	check "and what to do" grep -qF "get it with lbctl tier export, repeat the edit, and publish that" "$DIR/out"
	check "which works" exits 0 tier 1 publish <(tier 1 export | jq '.vips[0].backends[0].weight = 30') --dry-run
	check "so is --if-revision" exits 1 tier 1 publish "$(document 10)" --if-revision 1
	check "only the first is there" wait_for 10 all_at 2
	check "of two who publish at once, one is refused" one_of_two
	check "all have the other's" wait_for 10 all_at 3
}

# Both have looked at revision 2 when they publish: etcd is stopped in between.
one_of_two() {
	local first second
	within "$LBCTL" tier publish <(jq '.revision = 2' "$(document 11)") --config "$DIR/tier1.json" >"$DIR/first" 2>&1 &
	first=$!
	within "$LBCTL" tier publish <(jq '.revision = 2' "$(document 12)") --config "$DIR/tier2.json" >"$DIR/second" 2>&1 &
	second=$!
	wait "$first"
	first=$?
	wait "$second"
	second=$?
	cat "$DIR/first" "$DIR/second"
	[ $((first + second)) = 1 ] && grep -qF "revision 3 has been published meanwhile" "$DIR/first" "$DIR/second"
}

test_local() {
	check "a change on one node is refused" exits 1 lb 2 backend set web 10.0.0.2 --weight 5
	check "--local makes it" exits 0 lb 2 backend set web 10.0.0.2 --weight 5 --local
	check "it is shown" wait_for 10 shows '.nodes[1] | .edited and .differs == ["document", "tables"]'
	check "show exits 4" exits 4 tier 1 show
	check "with marks" grep -qE '^  lb2 +3\+ +[0-9a-f]{8}! +[0-9a-f]{8}! ' "$DIR/out"
	check "the next revision takes it back" exits 0 tier 1 publish "$(document 13)"
	check "on all nodes" wait_for 10 all_at 4
}

test_stages() {
	end follow1
	configure 1 '{"canary": true, "max_moved_percent": 20}'
	start follow1 "$TIER" follow --config "$DIR/tier1.json"
	check "a node becomes a canary" wait_for 10 shows '.nodes[0].canary'
	check "a revision is staged then" exits 0 tier 1 publish "$(document 14)" --hold 4s
	check "which is said" grep -qx "published as revision 5: first lb1, the others after 4s without an alarm" "$DIR/out"
	check "the canary has it" wait_for 10 has 1 5
	check "the other waits" has 2 4
	check "and says for what" wait_for 10 shows '.nodes[1].waits | test("^canary lb1 must have it for [0-9] s more$")'
	check "and takes it then" wait_for 15 all_at 5
	check "a revision that the canary refuses" exits 0 tier 1 publish "$(document 900)" --hold 1s
	check "stays there" wait_for 10 shows '.waits | startswith("canary lb1 has refused it: this would move ")'
	check "and nobody has it" exits 4 tier 1 show
	check "as the table says" grep -qE '^lb1 has refused revision 6: this would move .* slots' "$DIR/out"
	check "so does its log" says follow1 "lbd-tier: revision 6 is refused: this would move"
	check "the other waits on" says_nothing_new
	check "it is rolled back" exits 0 tier 1 rollback
	check "for all at once, as a new revision" wait_for 10 all_at 7
	check "which is the one from before" test "$(lb 2 config export | jq .vips[0].backends[0].weight)" = 14
	check "an earlier one is published by its number" exits 0 tier 1 rollback 1
	check "for all" wait_for 10 all_at 8
	check "--at-once asks no canary" exits 0 tier 1 publish "$(document 11)" --at-once
	check "but all nodes" wait_for 10 all_at 9
}

# --- another tier, of nodes 4 to 6 ---

test_two_canaries() {
	local n
	SHOWN=4
	configure 4 '{"tier": "other", "canary": true}'
	configure 5 '{"tier": "other", "canary": true}'
	configure 6 '{"tier": "other"}'
	for n in 4 5 6; do
		start_node "$n"
	done
	check "another tier begins" wait_for 10 shows '.nodes | length == 3'
	check "at once" exits 0 tier 4 publish "$(document 10)" --at-once
	check "for all" wait_for 10 all_at 1 3
	check "a revision is staged by two canaries" exits 0 tier 4 publish "$(document 11)" --hold 3s
	check "one of them has it" wait_for 10 has 5 2
	end follow5 KILL
	check "and dies: it is waited for" comes_to 25 '(.nodes | length) == 2 and .waits == "canary lb5 is gone since; publish again to go on without it"'
	check "so nobody else has it" has 6 1
	check "published again it needs the other alone" exits 0 tier 4 publish "$(document 11)" --hold 1s
	check "and goes to all" wait_for 20 all_at 3 2
	SHOWN=1
}

# Of two that have one name the second is none of the tier, until the first has gone.
test_twin() {
	SHOWN=4
	end lbd5
	configure 5 '{"tier": "other", "node": "lb6"}'
	start_node 5
	check "a second lbd-tier of one name says so" says follow5 "another lbd-tier is node lb6 of the tier, or was less than 10 s ago"
	check "and it is not in the tier" shows '.nodes | map(.node) == ["lb4", "lb6"]'
	check "whose one it stays" wait_for 5 all_at 3 2
	end follow6
	check "until the first has ended" says follow5 "the name lb6 is free again"
	end follow5
	end follow4
	end lbd5
	end lbd4
	end lbd6
	SHOWN=1
}

# What counts is what most see, while nodes are there to agree with; each simulates its checks.
test_health() {
	local n
	SHOWN=4
	for n in 4 5 6; do
		rm -rf "$DIR/state$n"
		configure "$n" '{"tier": "health"}'
		start_node "$n"
	done
	jq '.vips[0].health = {type: "tcp"}' "$(document 10)" >"$DIR/checked.json"
	check "a document with checks is published" exits 0 tier 4 publish "$DIR/checked.json"
	check "for all" wait_for 10 all_at 1 3
	check "who agree" wait_for 10 shows 'all(.nodes[]; .agreement.state == "agreed" and .healthy == 2)'
	lb 4 simulate fail 10.0.0.2 >/dev/null
	check "what one sees alone does not count" wait_for 5 counts 4 10.0.0.2 '.state == "healthy" and .agreed == {own: "unhealthy", healthy: 2, unhealthy: 1, otherwise: []}'
	check "others show who" wait_for 5 counts 5 10.0.0.2 '.agreed.otherwise == ["lb4"]'
	check "in words" line 4 '10\.0\.0\.2 .*; healthy since .* by 2 of 3 nodes, unhealthy to this one'
	check "and names" line 5 '10\.0\.0\.2 .*; healthy since .* by 2 of 3 nodes, not to lb4'
	check "all have the same tables" all_at 1 3
	lb 5 simulate fail 10.0.0.2 >/dev/null
	for n in 4 5 6; do
		check "what two see counts for node $n" wait_for 5 counts "$n" 10.0.0.2 '.state == "unhealthy"'
	done
	check "all have the same tables again" wait_for 15 all_at 1 3
	end follow5
	check "of two nodes both must see it" wait_for 5 counts 6 10.0.0.2 '.state == "healthy"'
	end follow4
	check "and one is alone" wait_for 5 lb_status 6 '.health.agreement.state == "alone"'
	check "what was brought lapses" wait_for 15 lb_status 4 '.health.agreement.state == "lapsed"'
	check "by itself a node sees what it sees" counts 4 10.0.0.2 '.state == "unhealthy" and .agreed == null'
	check "and warns" lb_status 4 '.warnings[] | startswith("health goes by this node\u0027s own checks: for ")'
	SHOWN=1
}

# counts N BACKEND FILTER: its health on node N
counts() {
	lb "$1" --json backend list | jq -e --arg address "$2" ".vips[0].backends[] | select(.address == \$address).health | $3"
}

line() {
	lb "$1" backend list web | tee /dev/stderr | grep -qE "$2"
}

lb_status() {
	lb "$1" --json status | jq -e "$2"
}

# A round or two later the other is where it was.
says_nothing_new() {
	local before
	before=$(shows '.nodes[1].packets_per_s')
	wait_for 10 shows ".nodes[1].packets_per_s != $before" && has 2 5
}

# etcd goes, comes back as it was, and comes back as it was long ago.
test_without_etcd() {
	etcdctl_ snapshot save "$DIR/snapshot" >/dev/null 2>&1
	check "one more revision" exits 0 tier 1 publish "$(document 12)" --at-once
	check "is everywhere" wait_for 10 all_at 10
	end etcd KILL
	check "without etcd nodes say so" says follow2 "etcd does not answer at $URL: "
	check "both of them" says follow1 "etcd does not answer at $URL: "
	check "and keep what they have" has 2 10
	check "lbctl says so" exits 1 tier 1 show
	check "in words" grep -qF "lbctl: etcd does not answer at $URL: " "$DIR/out"
	end lbd2 KILL
	end follow2 KILL
	start_node 2
	check "a node that comes back without etcd waits" says follow2 "etcd does not answer"
	start_etcd
	check "and gets what is published when etcd is there" wait_for 60 has 2 10
	check "as all have it" wait_for 20 all_at 10
	check "which is said" says follow1 "etcd answers again, after "
	end etcd KILL
	rm -rf "$DIR/etcd"
	ETCDCTL_API=3 etcdctl snapshot restore "$DIR/snapshot" --data-dir "$DIR/etcd" --name a --initial-cluster a=http://127.0.0.1:2380 \
		--initial-advertise-peer-urls http://127.0.0.1:2380 >/dev/null 2>&1
	start_etcd
	check "an etcd from a backup takes no node back" comes_to 60 'all(.nodes[]; .revision == 10) and (.nodes | length) == 2 and .release.revision == 9'
	check "which is said" says follow1 "etcd has revision 9, which is older than 10 in force here: if it was restored from a backup, publish again"
	check "what is published then is newer than all" exits 0 tier 1 publish "$(document 13)" --at-once
	check "and everywhere" wait_for 60 all_at 11
	end follow2
	check "a node that ends is gone at once" wait_for 5 all_at 11 1
}

# With users, etcd's gateway refuses certificates that have a CommonName.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/O=$1" -keyout "$DIR/$1.key" -out "$DIR/$1.pem" \
		-addext "subjectAltName=IP:127.0.0.1" "${@:2}" 2>/dev/null
}

# refuses_password WHY: before etcd is asked, and by --check as well
refuses_password() {
	check "a password is refused when $1" exits 1 tier 1 show
	check "which is said" grep -qF "$DIR/password: $1" "$DIR/out"
	check "by follow --check as well" exits 1 "$TIER" follow --check --config "$DIR/tier1.json"
}

test_password() {
	configure 1 "$(jq -n --arg dir "$DIR" '{user: "lbd", password_file: ($dir + "/password")}')"
	refuses_password "No such file or directory"
	(umask 077 && : >"$DIR/password")
	refuses_password "its first line is empty"
	printf '%0300d' 0 >"$DIR/password"
	refuses_password "its first line is too long"
	echo pass >"$DIR/password"
	check "one that is right is taken" exits 0 "$TIER" follow --check --config "$DIR/tier1.json"
	chmod 644 "$DIR/password"
	refuses_password "everybody can read it"
	chmod 600 "$DIR/password"
}

# A user that may only use the keys of this tier, over TLS with certificates on both sides.
test_tls_and_user() {
	local safe
	certificate ca && certificate server -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" && certificate client -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key"
	etcdctl_ user add root:secret >/dev/null
	etcdctl_ user grant-role root root >/dev/null
	etcdctl_ role add tier >/dev/null
	etcdctl_ role grant-permission tier --prefix=true readwrite /lbd/edge/ >/dev/null
	etcdctl_ user add lbd:pass >/dev/null
	etcdctl_ user grant-role lbd tier >/dev/null
	etcdctl_ auth enable >/dev/null
	check "without its user a node is refused" says follow1 "etcd refuses: etcdserver: user name is empty"
	end follow1
	end etcd
	URL=https://127.0.0.1:2379
	ETCDCTL_OPTIONS=(--cacert "$DIR/ca.pem" --cert "$DIR/client.pem" --key "$DIR/client.key" --user root:secret)
	safe=(--cert-file "$DIR/server.pem" --key-file "$DIR/server.key" --client-cert-auth --trusted-ca-file "$DIR/ca.pem")
	start_etcd "${safe[@]}"
	test_password
	echo wrong >"$DIR/password"
	configure 1 "$(jq -n --arg dir "$DIR" '{ca_file: ($dir + "/ca.pem"), cert_file: ($dir + "/client.pem"), key_file: ($dir + "/client.key"),
		user: "lbd", password_file: ($dir + "/password")}')"
	check "a wrong password is refused" exits 1 tier 1 show
	check "which is said" grep -qF "authentication failed" "$DIR/out"
	echo pass >"$DIR/password"
	start follow1 "$TIER" follow --config "$DIR/tier1.json"
	check "with certificate, user and password a document is published" exits 0 tier 1 publish "$(document 15)" --at-once
	check "and followed" wait_for 20 all_at 12 1
	end etcd KILL
	start_etcd "${safe[@]}"
	check "a new etcd knows no token of before" exits 0 tier 1 publish "$(document 16)" --at-once
	check "another is got" wait_for 60 all_at 13 1
	configure 2 "$(jq -n --arg dir "$DIR" '{ca_file: ($dir + "/ca.pem"), user: "lbd", password_file: ($dir + "/password")}')"
	check "without a certificate nobody is let in" exits 1 tier 2 show
	configure 2 '{}'
	check "nor by an etcd that nobody vouches for" exits 1 tier 2 show
	check "which is said" grep -qiF "certificate" "$DIR/out"
}

# What somebody else wrote at its key is no release: nodes keep what they have and say why, and the next one replaces it.
test_no_release() {
	local value
	for value in '[]' '{"revision": 0}' 'no JSON'; do
		etcdctl_ put /lbd/edge/release "$value" >/dev/null
		check "of $value a node goes on reporting, with the reason" wait_for 20 shows \
			'.nodes[0] | .revision == 13 and (.waits | startswith("etcd holds no release at /lbd/edge/release: "))'
	done
	check "show exits 4" exits 4 tier 1 show
	check "with the reason" grep -qF "tier edge: etcd holds no release at /lbd/edge/release: " "$DIR/out"
	check "and what mends it" grep -qF "hint: lbctl tier publish FILE replaces it, and so does lbctl tier rollback REVISION" "$DIR/out"
	check "an export has nothing to give" exits 1 tier 1 export
	check "but a revision by its number" exits 0 tier 1 export 13
	check "the one before is not known" exits 1 tier 1 rollback
	check "nor which one is expected" exits 1 tier 1 publish "$(document 17)" --if-revision 13
	check "a revision that is named is published" exits 0 tier 1 rollback 13
	check "instead of it" grep -qE "^etcd holds no release at .*: it was replaced$" "$DIR/out"
	check "with the next number" wait_for 20 all_at 14 1
	etcdctl_ put /lbd/edge/release '{"revision": "7"}' >/dev/null
	check "so is a document" exits 0 tier 1 publish "$(document 17)" --at-once
	check "which is followed" wait_for 20 all_at 15 1
	check "the log says that etcd was gone only when it was" test \
		"$(grep -c "etcd answers again" "$DIR/follow1.log")" = "$ANSWERED"
}

# What others wrote is text for a terminal, and not more.
test_text() {
	local long
	long=$(printf '%01000d' 0)
	etcdctl_ put /lbd/edge/nodes/evil "$(jq -n --arg long "$long" '{revision: 1, document: "\u001b[2J", version: "a\nb", alarm: ("\u001b]0;x\u0007" + $long)}')" >/dev/null
	etcdctl_ put /lbd/edge/release '{"revision": 15, "by": "\u001b[31m\n\u009b"}' >/dev/null
	check "a node that tells nonsense is shown" exits 4 tier 1 show
	check "without what moves the cursor" test -z "$(LC_ALL=C tr -d '\n -~' <"$DIR/out")"
	check "each in its line" grep -qE '^  evil .* a[?]b ' "$DIR/out"
	check "and cut" test "$(wc -L <"$DIR/out")" -lt 400
	check "so is who published" grep -qF "tier edge: revision 15, by ?[31m" "$DIR/out"
	etcdctl_ put /lbd/edge/release '{"revision": 15, "\u001b[31m": 1}' >/dev/null
	check "and what is wrong" exits 1 tier 1 export
	check "is said without it" test -z "$(LC_ALL=C tr -d '\n -~' <"$DIR/out")"
	etcdctl_ del /lbd/edge/nodes/evil >/dev/null
}

# After the highest number comes none, and after all is lost one that is above what the lbd here has.
test_numbers() {
	local revision
	etcdctl_ put /lbd/edge/release '{"revision": 4294967295}' >/dev/null
	check "after the highest number nothing is published" exits 1 tier 1 publish "$(document 18)" --at-once
	check "which is said" grep -qF "no number comes after revision 4294967295" "$DIR/out"
	check "nor is the number another one" test "$(etcdctl_ get --print-value-only /lbd/edge/release | jq .revision)" = 4294967295
	end follow1
	revision=$(lb 1 --json status | jq .tier.revision)
	etcdctl_ del --prefix /lbd/edge/ >/dev/null
	check "in an empty etcd a number is taken" exits 0 tier 1 publish "$(document 18)" --at-once
	check "which is above the one that the lbd here has" grep -qx "published as revision $((revision + 1))" "$DIR/out"
	start follow1 "$TIER" follow --config "$DIR/tier1.json"
	check "so it takes it" wait_for 20 has 1 $((revision + 1))
}

# What ends connections asks first, and says what to do: each of it works.
test_force() {
	tier 1 export | jq 'del(.vips[0].backends[0])' >"$DIR/fewer.json"
	check "a document without a backend is refused" exits 1 tier 1 publish "$DIR/fewer.json" --at-once
	check "with what to do" grep -qF "lbctl tier publish --dry-run shows whose; drain first, or repeat with --force" "$DIR/out"
	check "--dry-run shows whose" exits 0 tier 1 publish "$DIR/fewer.json" --dry-run
	check "by its backend" grep -qF "at risk: backend 10.0.0.2: " "$DIR/out"
	check "a drain is published" exits 0 tier 1 publish <(tier 1 export | jq '.vips[0].backends[0].drain = true') --at-once
	tier 1 export | jq 'del(.vips[0].backends[0])' >"$DIR/fewer.json"
	check "--force publishes it" exits 0 tier 1 publish "$DIR/fewer.json" --at-once --force
}

ip netns add "$ID"
at_exit ip netns del "$ID"
at_exit end_all
ip -n "$ID" link set lo up
start_etcd
for n in 1 2; do
	configure "$n"
	start_node "$n"
done
check "two nodes follow the tier" wait_for 10 all_at 0
test_usage
test_publish
test_lost_update
test_local
test_stages
test_two_canaries
test_twin
test_health
test_without_etcd
test_tls_and_user
ANSWERED=$(grep -c "etcd answers again" "$DIR/follow1.log")
test_no_release
test_text
test_numbers
test_force
finish
