#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is a service document applied whole or not at all, kept, taken back, and told of? A real lbd in a
# network namespace of its own, its state on a small disk of its own.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd config "documents, confirmations and events of a running lbd"
TOOL=$PWD/tests/cli/config_tool.py
STATE=$DIR/state
KEPT=$STATE/service.json

# --- the lbd ---

# comes_back PROMISE
comes_back() {
	start_lbd
	check "$1" test $? = 0
}

set_up() {
	make_node "$STATE" 256k || return
	cat >"$DIR/lbd.json" <<-END
		{"interfaces": ["e0"], "state_dir": "$STATE", "pin_dir": "$PINS",
		 "control": {"path": "$DIR/lbd.sock", "group": "daemon", "read_only_path": "$DIR/ro.sock"},
		 "limits": {"vips": 64, "members": 1024, "slots": 32768, "flows": 64}}
	END
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit stop_lbd
	start_lbd
}

# --- asking it ---

ro() {
	"$LBCTL" --socket "$DIR/ro.sock" "$@"
}

out() {
	cat "$DIR/out"
}

status_is() {
	lb --json status | jq -e "$1"
}

in_force() {
	lb config export | jq -S 'del(.digest)'
}

on_disk() {
	jq -S .document "$KEPT"
}

# in_force_is DOCUMENT: and nothing else is on disk
in_force_is() {
	[ "$(in_force)" = "$1" ] && [ "$(on_disk)" = "$1" ]
}

# reverted_to DOCUMENT: nothing waits any more, either
reverted_to() {
	in_force_is "$1" && status_is '.unconfirmed == null' && ! jq -e .revert "$KEPT"
}

# Which file it is and when it was written.
written() {
	stat -c '%i %y' "$KEPT"
}

# --- documents ---

documents() {
	cat >"$DIR/one.json" <<-'END'
		{"vips": [
		  {"name": "web", "address": "192.0.2.10:443/tcp", "table_size": 1021, "transition_s": 1, "backends": [
		    {"address": "10.0.0.2", "weight": 10}, {"address": "10.0.0.3", "weight": 10}, {"address": "10.0.0.4"}]},
		  {"name": "old", "address": "192.0.2.11:80/tcp", "table_size": 251, "backends": [{"address": "10.0.0.2"}]}]}
	END
	cat >"$DIR/two.json" <<-'END'
		{"vips": [
		  {"name": "shop", "address": "192.0.2.10:443/tcp", "table_size": 1021, "transition_s": 1, "backends": [
		    {"address": "10.0.0.2", "weight": 5}, {"address": "10.0.0.4", "drain": true},
		    {"address": "10.0.0.5", "weight": 7}]},
		  {"address": "[2001:db8::10]:53/udp", "table_size": 251, "backends": [
		    {"address": "2001:db8:1::2"}, {"address": "2001:db8:1::3"}]}]}
	END
}

test_apply_and_diff() {
	check "a document is applied" exits 0 lb config apply "$DIR/one.json"
	check "it is on disk" test "$(on_disk)" = "$(in_force)"
	check "diff: what is in force does not differ, exit 0" exits 0 lb config diff "$DIR/one.json"
	check_equal "diff: and that is said" "no difference" "$(out)"
	check "diff: another document differs, exit 4" exits 4 lb config diff "$DIR/two.json"
	check_equal "diff: each field, with + - ~" "~ vip shop  192.0.2.10:443/tcp
    ~ name: web -> shop
    ~ backends[10.0.0.2].weight: 10 -> 5
    - backends[10.0.0.3]: weight 10
    ~ backends[10.0.0.4].drain: false -> true
    + backends[10.0.0.5]: weight 7
- vip old  192.0.2.11:80/tcp, 1 backend
+ vip [2001:db8::10]:53/udp, 2 backends" "$(out)"
	check "diff: as JSON, exit 4" exits 4 lb --json config diff "$DIR/two.json"
	check_equal "diff: as JSON" \
		'[true,["shop","changed",{"field":"name","from":"web","to":"shop"}],["old","removed",{"field":"name","from":"old"}]]' \
		"$(jq -c '[.differs, (.vips[:2][] | [.name, .what, .differences[0] | if type == "object" then
			{field, from, to} | del(.[] | nulls) else . end])]' "$DIR/out")"
	check "diff: standard input, and whoever may only look" \
		exits 4 ro config diff - <"$DIR/two.json"
	check "diff: a fault is named by its path in the file" exits 1 lb config diff - <<<'{"vips": [{}]}'
	check "diff: and that is the path" grep -qF '(at vips[0].address)' "$DIR/out"
}

test_idempotence() {
	local before
	before=$(written)
	lb config export >"$DIR/export.json"
	check "applying one's own export is done" exits 0 lb config apply "$DIR/export.json"
	check_equal "and changes nothing" "nothing to change" "$(out)"
	check "nor does it from standard input" exits 0 lb config apply - <"$DIR/export.json"
	check_equal "and nothing was written" "$before" "$(written)"
	check "not even with --confirm" exits 0 lb config apply "$DIR/export.json" --confirm 60s
	check_equal "for nothing waits then" "nothing to change null" "$(out) $(lb --json status | jq .unconfirmed)"
}

# --- two operators at once ---

digest() {
	lb --json status | jq -r .document_digest
}

digest_in_every_reply() {
	local digest command
	digest=$(digest)
	[ "${#digest}" = 16 ] || return
	for command in "vip list" "vip show web" "backend list" "backend list web" "config export" "config check $DIR/one.json" \
		"backend set web 10.0.0.2 --weight 99 --dry-run" "backend set web 10.0.0.2 --weight 10"; do
		# shellcheck disable=SC2086 # words of a command line
		[ "$(lb --json $command | jq -r .document_digest)" = "$digest" ] || {
			echo "$command"
			return 1
		}
	done
}

changes_digest() {
	local before
	before=$(digest)
	"$@" >"$DIR/out" && [ "$(digest)" != "$before" ] && [ "$(jq -r .document_digest "$DIR/out")" = "$(digest)" ]
}

test_lost_update() {
	local before
	check "the digest of the document is in every reply that shows or would change it" digest_in_every_reply
	before=$(digest)
	lb config export >"$DIR/mine.json"
	check "a change changes the digest, and its reply has the new one" changes_digest lb --json backend add web 10.0.0.5
	jq '.vips[0].backends[0].weight = 7' "$DIR/mine.json" >"$DIR/edited.json"
	check "an export is refused when somebody has added a backend since" exits 1 lb config apply "$DIR/edited.json"
	check "with what it would undo" grep -qxF '    - backends[10.0.0.5]: weight 1' "$DIR/out"
	check "with both digests" grep -qF "the document has changed: its digest is $(digest) now, not $before (at digest)" "$DIR/out"
	check "with what to do" grep -qF "export it again" "$DIR/out"
	check "a dry run and a check of it, too" exits 1 lb config check "$DIR/edited.json"
	check "as JSON the code is 8" test "$(lb --json config apply "$DIR/edited.json" | jq .error.code)" = 8
	check "and the backend is still there" test "$(in_force | jq '.vips[0].backends | length')" = 4
	check "so is a change for the document of before" exits 1 lb backend set web 10.0.0.2 --weight 7 --if-digest "$before"
	check "one for the document as it is is made" exits 0 lb backend set web 10.0.0.2 --weight 7 --if-digest "$(digest)"
	lb config export | jq '.vips[0].backends[0].weight = 10' >"$DIR/edited.json"
	check "a new export is applied" exits 0 lb config apply "$DIR/edited.json"
	check "and once more, since it is what is in force" exits 0 lb config apply "$DIR/edited.json"
	check "a document without digest is always applied" exits 0 lb config apply "$DIR/one.json"
	check_equal "the same document has the same digest" "$before" "$(digest)"
	lb backend add web 10.0.0.5 >"$DIR/out"
	check "--ignore-digest applies a stale one" exits 0 lb config apply "$DIR/mine.json" --ignore-digest
	stop_lbd TERM
	start_lbd
	check_equal "the next lbd has the same digest" "$before" "$(digest)"
}

# --- a node of a tier ---

# with_revision N [FILTER]: the document in force, as one of the tier
with_revision() {
	lb config export | jq "del(.digest, .edited) | .revision = $1 | ${2:-.}" >"$DIR/tier.json"
}

# tier_is REVISION EDITED
tier_is() {
	status_is ".tier == {revision: $1, edited: $2}" &&
		[ "$(jq "[.document.revision, .document.edited // false] == [$1, $2]" "$KEPT")" = true ]
}

test_tier() {
	local before
	before=$(in_force)
	with_revision 7
	check "a document of a tier is applied, if only for its revision" exits 0 lb config apply "$DIR/tier.json"
	check "which is in status and on disk" tier_is 7 false
	check "and in words" grep -qE '^document .*, revision 7 of the tier$' <(lb status)
	check "and not part of the digest" test "$(digest)" = "$(jq -r .digest <(lb config export))"
	check "a change of this node alone is refused" exits 1 lb backend set web 10.0.0.2 --weight 3
	check "with what to do" grep -qF "for all nodes: lbctl tier publish FILE; --local changes this node" "$DIR/out"
	check "so is another document without a revision" exits 1 lb config apply "$DIR/two.json"
	check "and an older one" exits 1 lb config apply <(jq '.revision = 6' "$DIR/tier.json")
	check "and another one of the same revision" exits 1 lb config apply <(jq '.vips[0].backends[0].weight = 9' "$DIR/tier.json")
	check "the same once more is fine" exits 0 lb config apply "$DIR/tier.json"
	check "so is a dry run of a change" exits 0 lb backend set web 10.0.0.2 --weight 3 --dry-run
	check "nothing has changed" tier_is 7 false
	check "--local changes this node" exits 0 lb backend set web 10.0.0.2 --weight 3 --local
	check "which is said" tier_is 7 true
	check "in words too" grep -qE '^document .*, revision 7 of the tier, changed on this node since$' <(lb status)
	stop_lbd KILL
	comes_back "an lbd that was killed comes back"
	check "with its revision, and the change" tier_is 7 true
	check "and still refuses others" exits 1 lb vip del web
	check "the next revision is applied" exits 0 lb config apply <(jq '.revision = 8' "$DIR/tier.json")
	check "and takes the change back" in_force_is "$(jq -S '.revision = 8' <<<"$before")"
	check "so it is as the others" tier_is 8 false
	check "--local and no revision leaves the tier" exits 0 lb config apply <(jq 'del(.revision)' "$DIR/tier.json") --local
	check "for good" status_is '.tier == null'
	check "with nothing else changed" in_force_is "$before"
}

# --- confirming ---

test_confirm() {
	local one two
	one=$(in_force)
	check "apply --confirm is done" exits 0 lb config apply "$DIR/two.json" --confirm 60s
	check_equal "and says how to keep it" "reverts in 1m unless kept: lbctl config confirm" "$(out | tail -n 1)"
	two=$(in_force)
	check "the new document is in force and on disk" in_force_is "$two"
	check "it is another one" test "$one" != "$two"
	check_equal "beside it is what to go back to" "$one" "$(jq -S .revert.document "$KEPT")"
	check "status says that it waits" status_is '.unconfirmed.reverts_in_s | . > 50 and . <= 60'
	check "status says so in words" grep -qE \
		'^unconfirmed change, reverts in (1m|[0-9]+s): keep it with lbctl config confirm, take' <(lb status)
	check "another change is refused meanwhile" exits 1 lb backend add shop 10.0.0.9
	check "which says how to go on" grep -qF "first keep it (lbctl config confirm) or take it back" "$DIR/out"
	check "so is another document" exits 1 lb config apply "$DIR/one.json" --confirm 5s
	check "a dry run is not" exits 0 lb backend add shop 10.0.0.9 --dry-run
	check "nothing but the first change was made" in_force_is "$two"
	check "config confirm for another document is refused" exits 1 lb config confirm --if-digest 0123456789abcdef
	check "and the change still waits" status_is '.unconfirmed != null'
	check "config confirm is done" exits 0 lb config confirm --if-digest "$(digest)"
	check_equal "and says so" "the change is kept" "$(out)"
	check "it is kept, and nothing waits" reverted_to "$two"
	check "there is nothing to confirm then" exits 1 lb config confirm
	check "which is said" grep -qx "lbctl: no change waits to be confirmed" "$DIR/out"
	check "nor to revert" exits 1 lb config revert
	check "changes are possible again" exits 0 lb backend set shop 10.0.0.2 --weight 10
}

test_revert() {
	local before
	before=$(in_force)
	lb config apply "$DIR/one.json" --confirm 60s >"$DIR/out"
	check "config revert for another document is refused" exits 1 lb config revert --if-digest 0123456789abcdef
	check "config revert is done" exits 0 lb config revert --if-digest "$(digest)"
	check "and says what it did" grep -q '^vip web: ' <(out; echo "vip web: $(lb config export | jq -r '.vips[0].name')")
	check "what was before is in force and on disk" reverted_to "$before"
	lb config apply "$DIR/one.json" --confirm 4s >"$DIR/out"
	check "the wait begins with the change in force" test "$before" != "$(in_force)"
	check "unconfirmed, it goes back by itself" wait_for 8 reverted_to "$before"
	check "a wait of no time is refused" exits 1 lb config apply "$DIR/one.json" --confirm 0
	check "a wait of more than a day, too" exits 1 lb config apply "$DIR/one.json" --confirm 25h
	check "with the bounds" grep -qF "confirm_s must be 1 to 86400" "$DIR/out"
	check "another change cannot be on trial" exits 2 lb vip del shop --confirm 60s
	check "nothing has changed" in_force_is "$before"
}

test_revert_across_restarts() {
	local before after
	before=$(in_force)
	lb config apply "$DIR/one.json" --confirm 60s >"$DIR/out"
	after=$(in_force)
	stop_lbd KILL
	comes_back "an lbd killed while a change waits comes back"
	check "with that change in force" in_force_is "$after"
	check "and goes on waiting" status_is '.unconfirmed.reverts_in_s | . > 30 and . <= 60'
	check "others are still refused" exits 1 lb vip del web
	stop_lbd
	comes_back "also when it was stopped"
	check "then it can be reverted" exits 0 lb config revert
	check "to what was before" reverted_to "$before"

	lb config apply "$DIR/one.json" --confirm 3s >"$DIR/out"
	stop_lbd KILL
	comes_back "an lbd killed while the time runs comes back"
	check "and reverts when the time is up" wait_for 8 reverted_to "$before"

	lb config apply "$DIR/one.json" --confirm 4s >"$DIR/out"
	stop_lbd KILL
	check "the time is up while lbd is away" wait_for 8 time_is_up
	comes_back "then it comes back"
	check "with what was before" reverted_to "$before"

	lb config apply "$DIR/one.json" --confirm 60s >"$DIR/out"
	lb config confirm >"$DIR/out"
	stop_lbd KILL
	comes_back "after a confirmed change lbd comes back"
	check "with that one" reverted_to "$after"
}

# By the clock that nobody can set, which /proc/uptime shows.
time_is_up() {
	local uptime
	read -r uptime _ </proc/uptime
	[ "${uptime%.*}" -ge "$(jq .revert.boot_at "$KEPT")" ]
}

# What the file says of the wall clock stands for a clock that was set while lbd was away.
test_revert_with_a_clock_that_was_set() {
	local before after
	before=$(in_force)
	lb config apply "$DIR/two.json" --confirm 60s >"$DIR/out"
	after=$(in_force)
	stop_lbd KILL
	check "the wall clock is set a day ahead while lbd is away" edit_state '.revert.at = 0'
	comes_back "then it comes back"
	check "with the change that waits" in_force_is "$after"
	check "and as long to wait as before" status_is '.unconfirmed.reverts_in_s | . > 30 and . <= 60'
	stop_lbd
	check "the machine is booted anew, and the time was up" edit_state '.revert.boot = "another" | .revert.at = 0'
	comes_back "then it comes back"
	check "with what was before" reverted_to "$before"
}

# --- a disk that takes nothing ---

fill_disk() {
	dd if=/dev/zero of="$STATE/filling" bs=4k 2>/dev/null
	[ "$(stat -f -c %f "$STATE")" = 0 ]
}

test_disk_refuses() {
	local how=$1 before pid=$LBD_PID
	before=$(in_force)
	check "$how: a change is refused" exits 1 lb backend add web 10.0.0.78
	check "$how: it says where and why" grep -q "^lbctl: cannot write $KEPT: " "$DIR/out"
	check "$how: and what to do" grep -q "hint: nothing was changed; make room or repair" "$DIR/out"
	check "$how: a document is refused" exits 1 lb config apply "$DIR/two.json"
	check "$how: one on trial, too" exits 1 lb config apply "$DIR/two.json" --confirm 60s
	check "$how: nothing has changed, in memory or on disk" reverted_to "$before"
	check "$how: no half of a file is left" test ! -e "$KEPT.new" -a ! -e "$KEPT.old"
	check "$how: lbd goes on" kill -0 "$pid"
}

test_disk_full() {
	local before
	check "the disk is full" fill_disk
	test_disk_refuses "disk full"
	rm "$STATE/filling"
	check "with room again, so are changes" exits 0 lb backend add web 10.0.0.77

	mount -o remount,ro "$STATE"
	test_disk_refuses "read-only folder"
	mount -o remount,rw "$STATE"
	check "writable again, changes are made" exits 0 lb backend del web 10.0.0.77 --force

	before=$(in_force)
	lb config apply "$DIR/two.json" --confirm 4s >"$DIR/out"
	check "the disk is full while a change waits" fill_disk
	check "then confirming is refused" exits 1 lb config confirm
	check "a revert that fails is a warning in status" wait_for 8 status_is \
		'any(.warnings[]; startswith("the change that was not confirmed could not be taken back yet: cannot write"))'
	check "the change is still in force, and waits" test "$(in_force)" != "$before" -a \
		"$(lb --json status | jq .unconfirmed.reverts_in_s)" = 0
	rm "$STATE/filling"
	check "with room again it is taken back" wait_for 8 reverted_to "$before"
	check "and the warning is gone" status_is '[.warnings[] | select(contains("taken back"))] == []'
}

# --- make before break ---

# All backends of a VIP replaced, again and again, while somebody looks at its slots.
replace_all() {
	local round
	for ((round = 0; round < 40; round++)); do
		jq -n --argjson first $((10 + round % 2 * 10)) '{vips: [{
			name: "web", address: "192.0.2.10:443/tcp", table_size: 1021, transition_s: 1,
			backends: [range($first; $first + 4) | {address: "10.0.0.\(.)"}]}]}' |
			lb config apply - >"$DIR/out" || return
	done
}

test_make_before_break() {
	local looker
	echo '{"vips": []}' | lb config apply - >"$DIR/out"
	lb vip add 192.0.2.10:443/tcp --name web --table-size 1021 --transition 1 >"$DIR/out"
	lb backend add web 10.0.0.10 >"$DIR/out"
	replace_all &
	looker=$!
	check_equal "a document that replaces all backends leaves no slot without owner" "always owned" \
		"$("$TOOL" owners "$PINS/slots" 1021 "$looker")"
	wait "$looker"
	check_equal "each of them was applied" 0 $?
	check "and the last is in force" test "$(in_force | jq -r '.vips[0].backends[0].address')" = 10.0.0.20
}

# --- watching ---

# Whoever watches is there once a change of ours arrives.
watch() {
	local name=$1
	shift
	"$@" >"$DIR/$name" 2>"$DIR/$name.err" &
	eval "WATCH_$name=$!"
	wait_for 10 hears "$name"
}

hears() {
	lb vip set web --transition $((1 + RANDOM % 50)) && [ -s "$DIR/$1" ]
}

# told FILE FILTER: a line of JSON is true to the filter
told() {
	jq -es "any(.[]; $2)" "$DIR/$1"
}

said() {
	grep -qE "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z $1\$" "$DIR/text"
}

test_watch() {
	local changes times
	echo '{"vips": []}' | lb config apply - >"$DIR/out"
	lb vip add 192.0.2.10:443/tcp --name web --table-size 1021 >"$DIR/out"
	watch text lb watch
	check "watch tells of changes, as text" test $? = 0
	watch json lb watch --json
	check "as JSON" test $? = 0
	watch looker ro --json watch
	check "through the read-only socket" test $? = 0

	lb vip set web --transition 1 >"$DIR/out"
	lb backend add web 10.0.0.2 >"$DIR/out"
	lb backend add web 10.0.0.3 >"$DIR/out"
	check "a change is told with its method and what it did" wait_for 5 told json \
		'.event == "change" and .method == "backend.add" and .change.changed and .change.vips[0].name == "web"'
	check "and with who made it, and with which backend" wait_for 5 told json \
		'.method == "backend.add" and .uid == 0 and .user == "root" and .pid > 0 and .backend == "10.0.0.2"'
	check "as text, too" wait_for 5 said 'change backend\.add 10\.0\.0\.[23] by root \(uid 0, pid [0-9]+\): vip web: moved [0-9.]+ % of slots \(ideal 50\.0 %\)'
	lb backend del web 10.0.0.2 --dry-run >"$DIR/out"
	lb config check "$DIR/one.json" >"$DIR/out"
	lb backend set web 10.0.0.2 --weight 1 >"$DIR/out"
	lb backend drain web 10.0.0.2 >"$DIR/out"
	check "a drain is told as a change" wait_for 5 told json '.method == "backend.drain"'
	check "before it, neither dry runs nor what changed nothing" jq -es \
		'all(.[] | select(.event == "change"); [.method] | inside(["vip.set", "backend.add", "backend.drain"]))' "$DIR/json"
	check "the end of a drain is told" wait_for 15 told json \
		'.event == "drain" and .vip == "web" and .backend == "10.0.0.2" and .state == "drained"'
	check "as text, too" wait_for 5 said 'drain vip web backend 10\.0\.0\.2 drained'

	ip -n "$ID" neighbour replace 10.0.0.3 lladdr 02:00:00:00:00:03 nud permanent dev e0
	check "a next hop that becomes resolved is told" wait_for 10 told json \
		'.event == "next_hop" and .gateway == "10.0.0.3" and .interface == "e0" and .state == "resolved"'
	ip -n "$ID" link set e0 down
	check "one that becomes unresolved, too, with the reason" wait_for 10 told json \
		'.event == "next_hop" and .gateway == "10.0.0.3" and .state == "unresolved" and .reason == "link is down"'
	check "as text, too" wait_for 5 said 'next_hop via 10\.0\.0\.3 on e0 unresolved: link is down'
	ip -n "$ID" link set e0 up

	lb config apply "$DIR/two.json" --confirm 1s >"$DIR/out"
	check "a change that goes back by itself is told" wait_for 5 told json \
		'.event == "revert" and .reason == "not confirmed in time" and .change.changed'
	check "as text, too" wait_for 5 said 'revert not confirmed in time: vip web: .*'

	check_equal "who watches and never reads is closed, and keeps nobody waiting" closed \
		"$("$TOOL" deaf "$DIR/lbd.sock" 60 200)"
	changes='[.[] | select(.method == "config.apply")] | length'
	check "the others were told of every change" wait_for 5 test \
		"$(jq -s "$changes" "$DIR/json")" -ge 201 -a "$(jq -s "$changes" "$DIR/looker")" -ge 201
	check_equal "all of them the same" "$(jq -c 'select(.method == "config.apply")' "$DIR/json" | md5sum)" \
		"$(jq -c 'select(.method == "config.apply")' "$DIR/looker" | md5sum)"
	check "each at its time" told json 'has("time")' # of the first; the next line is about all
	times=$(jq -r .time "$DIR/json") # once: more may come
	check_equal "in order of time" "$(sort <<<"$times")" "$times"

	check_equal "whoever reads the first event only need not wait for more" "1 0" "$(first_only)"
}

# The number of lines and lbctl's exit code.
first_only() {
	: >"$DIR/status"
	{
		lb watch
		echo $? >"$DIR/status"
	} 2>&1 | head -n 1 >"$DIR/line" &
	wait_for 10 changes_until_status
	echo "$(wc -l <"$DIR/line") $(cat "$DIR/status")"
}

changes_until_status() {
	jq -n --argjson weight $((1 + RANDOM % 50)) '{vips: [{
		address: "192.0.2.1:80/tcp", table_size: 251, backends: [{address: "10.0.0.2", weight: $weight}]}]}' |
		lb config apply -
	[ -s "$DIR/status" ]
}

# --- looking only ---

test_read_only() {
	local before command
	lb config apply "$DIR/one.json" >"$DIR/out"
	before=$(in_force)
	for command in "status --all" "stats" "vip list" "vip show web" "backend list" "config export" \
		"version"; do
		# shellcheck disable=SC2086 # words of a command line
		check "read-only: ${command%% /*} is answered" looks $command
	done
	for command in "vip add 192.0.2.99:80/tcp" "vip set web --name x" "vip del web" "backend add web 10.0.0.9" \
		"backend set web 10.0.0.3 --weight 2" "backend del web 10.0.0.3" "backend drain web 10.0.0.3" \
		"backend undrain web 10.0.0.3" "config check $DIR/one.json" "config apply $DIR/two.json" \
		"config confirm" "config revert"; do
		# shellcheck disable=SC2086
		check "read-only: ${command%% /*} is refused" exits 1 ro $command
	done
	check_equal "read-only: it says where changes are made, and by whom" \
		"lbctl: this socket is read-only and does not take config.revert
  hint: use $DIR/lbd.sock, as root or as a member of group daemon" "$(out)"
	check "read-only: nothing has changed" in_force_is "$before"
	check_equal "the main socket is for its group" "660 daemon" "$(stat -c '%a %G' "$DIR/lbd.sock")"
	check_equal "the read-only one is for all" "666" "$(stat -c %a "$DIR/ro.sock")"
	if ! command -v setpriv >/dev/null; then
		skip "read-only: anybody may look" "setpriv"
		return
	fi
	cp "$LBCTL" "$DIR/lbctl"
	check "read-only: anybody may look" exits 0 as_nobody --socket "$DIR/ro.sock" version
	check "the main socket is not for all" exits 3 as_nobody --socket "$DIR/lbd.sock" version
	check "which names the group" grep -qF "belongs to group daemon" "$DIR/out"
}

looks() {
	local status
	ro "$@"
	status=$?
	[ "$status" = 0 ] || [ "$status" = 4 ] # 4: next hops that do not answer
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/lbctl" "$@"
}

# --- the end ---

# shellcheck disable=SC2154 # WATCH_…: watch() sets them
test_end() {
	stop_lbd
	wait "$WATCH_text"
	check_equal "watch ends with exit code 3 when lbd ends" 3 $?
	check_equal "and says so" "lbctl: lbd at $DIR/lbd.sock has ended, or has hung up" "$(cat "$DIR/text.err")"
	wait "$WATCH_json" "$WATCH_looker"
	check_equal "as JSON the error is the last line" "6" "$(tail -n 7 "$DIR/json" | jq -s '.[-1].error.code' 2>&1)"
	check "both sockets are gone" test ! -e "$DIR/lbd.sock" -a ! -e "$DIR/ro.sock"
	check "--detach takes the data plane away" "$LBD" --config "$DIR/lbd.json" --detach
	check "and no pin remains" test ! -e "$PINS"
}

documents
set_up
check "lbd starts" test $? = 0 || finish
test_apply_and_diff
test_idempotence
test_lost_update
test_tier
test_confirm
test_revert
test_revert_across_restarts
test_revert_with_a_clock_that_was_set
test_disk_full
test_make_before_break
test_watch
test_read_only
test_end
finish
