#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Lists of prefixes with a real lbd: a source that is blocked gets nothing, with lbd or without, and what was
# acknowledged is there after each kill -9.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

start_lbd() { lab_start_lbd "$(jq -n --arg path "$LAB_DIR/ro.sock" '{control: {read_only_path: $path}, http: {listen: "127.0.0.1:9110"}}')"; }
start() {
	lab_up two-armed 2 && lab_serve 80 && start_lbd && lbctl vip add "$LAB_VIP4:80/tcp" --name web || return
	for i in 1 2; do lbctl backend add web "${LAB_BACKEND4[i]}" || return; done
	lab_ready && wait_for 10 none_waits
}
none_waits() { lbctl --json backend list | jq -e 'all(.vips[].backends[]; .state != "waiting")'; }
served() { lab_in client curl -s --max-time 2 "http://$LAB_VIP4/" >/dev/null; }
blocked() { ! lab_in client curl -s --max-time 1 "http://$LAB_VIP4/" >/dev/null; }
source_address() { lab_ip client -j -4 addr show | jq -r '[.[].addr_info[] | select(.scope == "global").local][0]'; }
says() { # WORDS COMMAND...: its output has the words
	local words=$1
	shift
	grep -qF -- "$words" <<<"$("$@" 2>&1)"
}
fails() { ! "$@"; }
lbctl_says() { # VERDICT SOURCE VIP
	lbctl explain "$2" "$3" | grep -q "^verdict *$1"
}
hits() { lbctl --json list show "$1" | jq .hits.packets; }
metric() { # NAME LIST: its value
	lab_in balancer curl -s http://127.0.0.1:9110/metrics | sed -nE "s/^lbd_$1\\{list=\"$2\",kind=\"block\",mode=\"enforce\"\\} //p"
}
metrics_say() { # PREFIXES LEAVING: of list bad
	[ "$(metric list_prefixes bad) $(metric list_leaving_prefixes bad)" = "$*" ] || { metric list_prefixes bad; return 1; }
}
metrics_count() { [ "$(metric list_packets_total bad)" = "$(hits bad)" ] && (($(metric list_bytes_total bad) > 0)); }
counts_hits() { # LIST: packets are counted
	local before
	before=$(hits "$1")
	lab_in client curl -s --max-time 1 "http://$LAB_VIP4/" >/dev/null
	(($(hits "$1") > before))
}
file_says() { # LIST LINE: its file has a line that begins so
	grep -qe "^$2" "$LAB_DIR/state/lists/$1.list"
}
last_is() { # LIST LINE: the last change in its file
	[ "$(tail -n 2 "$LAB_DIR/state/lists/$1.list" | head -n 1)" = "$2" ]
}
killed() { # lbd is gone at once, and not its data plane
	kill -9 "$LAB_LBD"
	wait "$LAB_LBD" 2>/dev/null
	return 0
}
again() { start_lbd && wait_for 10 none_waits; }

# What loads are cut off by kill -9: the list is the old one, or the new one, whole.
prefixes() { lbctl --json list show feed | jq -r .prefixes; }
feed() { # OCTET COUNT
	for ((n = 0; n < $2; n++)); do echo "$1.$((n >> 8 & 255)).$((n & 255)).7"; done
}
in_list() { says "list feed: block" lbctl list explain "$1"; }
is_whole() { # either the 300 of 20/8, or the 20,000 of 21/8
	case $(prefixes) in
	300) in_list 20.0.5.7 && ! in_list 21.0.5.7 && was=old ;;
	20000) in_list 21.0.5.7 && in_list 21.78.31.7 && ! in_list 20.0.5.7 && was=new ;;
	*) return 1 ;;
	esac
}
cut_off() { # SECONDS: lbd is killed so long after a load began; the list is whole
	lbctl list load feed "$LAB_DIR/small" >/dev/null || return
	lbctl list load feed "$LAB_DIR/large" >"$LAB_DIR/load.out" 2>&1 &
	local load=$! acknowledged=0
	sleep "$1"
	killed
	wait "$load" && acknowledged=1
	again || return
	is_whole || { echo "the list is neither"; lbctl list show; return 1; }
	blocked || { echo "what another list blocks is served"; return 1; }
	[ "$acknowledged" = 0 ] || [ "$was" = new ] || { echo "the load was acknowledged, and is lost"; return 1; }
	seen+=" $1:$was"
}
only_whole_batches() { # what an append has left that was cut off is not there
	lbctl list add feed 22.0.0.0/24 >/dev/null || return
	killed
	printf '+23.0.0.0/24 0\n=1 0000' >>"$LAB_DIR/state/lists/feed.list"
	again && in_list 22.0.0.1 && ! in_list 23.0.0.1 && says "was not acknowledged" lbctl status
}
no_list_file() { ! compgen -G "$LAB_DIR/state/lists/*" >/dev/null; }

step "two backends are served" start
C=$(source_address)
check "a source on no list is served" served
check "a prefix makes a list that blocks" lbctl list add bad "$C"
check "its source gets nothing" blocked
check "what the list drops is counted" counts_hits bad
check "metrics count it, too" metrics_count
check "and say how many prefixes there are" metrics_say 1 0
check "list show names it" says "bad: blocks 1 prefix" lbctl list show
shows_guard() { # FILTER VIP...
	lbctl --json guard show "${@:2}" | tee "$LAB_DIR/guard" | jq -e "$1" || { cat "$LAB_DIR/guard" && return 1; }
}
check "guard show has the list, and what was dropped" \
	shows_guard '.lists[0].name == "bad" and .vips == [] and any(.verdicts[]; .name == "drop_blocked" and .packets > 0)'
check "list show NAME names its prefixes" says "$C/32" lbctl list show bad
check "list explain says what decides" says "$C is blocked" lbctl list explain "$C"
check "a VIP that is added is guarded, too" lbctl vip add "$LAB_VIP4:81/tcp" --name other
check "so explain says for it" says drop_blocked lbctl explain "$C:40001" other
check "and names list and prefix" says "bad: $C/32" lbctl explain "$C:40001" other
check "one that only counts is not named" lbctl list add worse "$C" --monitor
check "but the one that drops" says "bad: $C/32" lbctl explain "$C:40001" other
check "nor is a shorter prefix of another" lbctl list add net "${C%.*}.0/24"
check "than the one that decides" says "bad: $C/32" lbctl explain "$C:40001" other
check "lists that decide together are named together" lbctl list add net "$C"
check "for their prefix" says "bad, net: $C/32" lbctl explain "$C:40001" other
check "what lists do not drop" lbctl list del net
check "is not said to be dropped by one" eval '! says "bad:" lbctl explain 203.0.113.77:40001 other'
check "the list that counts goes" lbctl list del worse
check "the list is for the other VIP alone" lbctl list set bad --vips other
check "so the source is served" served
check "and not by the other VIP" says drop_blocked lbctl explain "$C:40001" other
check "list show says so" says "bad: blocks 1 prefix, only for other;" lbctl list show
check "guard show has the VIP with its list" shows_guard '.vips[0].name == "other" and .vips[0].lists == ["bad"]'
check "and no list for one that has none" shows_guard '.vips[0].lists == null and .lists == []' "$LAB_VIP4:80/tcp"
check "list explain says what decides for a VIP" says "$C is blocked" lbctl list explain "$C" other
check "and for one that no list names" says "$C is on no list that counts here" lbctl list explain "$C"
check "a VIP that is not there has none" says 'no VIP "gone"' lbctl list set bad --vips "other gone"
check "another name of the VIP changes nothing" lbctl vip set other --name second
check "so explain says for it" says drop_blocked lbctl explain "$C:40001" second
check "a VIP that goes" lbctl vip del second
check "and comes back" lbctl vip add "$LAB_VIP4:81/tcp" --name other
check "has the list" says drop_blocked lbctl explain "$C:40001" other
check "the list changes to the VIP that is used, by its address" lbctl list set bad --vips "$LAB_VIP4:80/tcp"
check "so the source gets nothing" blocked
check "and is served by the other VIP" fails lbctl_says drop_blocked "$C:40001" other
check "explain names a list of the VIP" says "bad: $C/32" lbctl explain "$C:40001" web
killed
step "lbd starts again" again
check "the list is for that VIP" says "only for web;" lbctl list show
check "the source gets nothing" blocked
check "and is served by the other VIP" fails lbctl_says drop_blocked "$C:40001" other
check "a prefix more cannot change for which VIPs the list is" says "for other VIPs" lbctl list add bad 1.2.3.4 --all-vips
check "the list is for all again" lbctl list set bad --all-vips
check "so explain says for the other VIP" says drop_blocked lbctl explain "$C:40001" other
check "a list that allows wins at equal length" lbctl list add good "$C" --kind allow
check "so the source is served" served
check "a whole list goes" lbctl list del good
check "so the source gets nothing again" blocked
check "a list of the same name has one kind" says "another kind" lbctl list add bad 1.2.3.4 --kind allow

check "what is on it already changes nothing" says "nothing to change" lbctl list add bad "$C"
check "a prefix that is not on the list is none to take off" says "1.2.3.4/32 is not on list" lbctl list del bad 1.2.3.4
check "the prefix of one of its addresses neither" says "is not on list" lbctl list del bad "${C%.*}.0/24"
check "unless that may be" says "1.2.3.4 is not there" lbctl list del bad 1.2.3.4 --if-present
check "so with a whole list" says "gone is not there" lbctl list del gone --if-present
check "IPv4 written as IPv6 is refused" says "write it as 192.0.2.1" lbctl list add bad ::ffff:192.0.2.1
check "so it is where it is asked for" says "write it as 192.0.2.1" lbctl list explain ::ffff:192.0.2.1

killed
check "without lbd the source gets nothing" blocked
step "lbd starts again" again
check "it finds the list" says "bad: blocks 1 prefix" lbctl list show
check "the source gets nothing" blocked

check "a prefix leaves the list" lbctl list del bad "$C"
check "so the source is served" served
check "a prefix stays for a time" lbctl list add bad "$C" --for 6s
check "so long the source gets nothing" blocked
check "and metrics say that it leaves" metrics_say 1 1
wait_for 12 served
check "then it is served" served
check "and metrics have none" metrics_say 0 0
check "and the list has none" says "bad: blocks 0 prefixes" lbctl list show
check "its file says so, too, whatever the clock will be" last_is bad "-$C/32"
check "a prefix whose time ends" lbctl list add bad 192.0.2.77 --for 3s
killed
sleep 4 # until its time is over
step "while lbd is away" again
check "is in the file no more after the next start" fails file_says bad "+192.0.2.77/32"

killed
echo damaged >"$LAB_DIR/state/lists/torn.list"
step "lbd starts where the file of a list is damaged" again
check "status says so" says "torn.list: it is no file of a list" lbctl status
check "and what to do" says "lbctl list load torn FILE writes it again" lbctl status
check "a list of that name takes its place" lbctl list add torn 192.0.2.78
check "and status has nothing to say" fails says torn.list lbctl status
check "it goes" lbctl list del torn

printf '# a feed\n%s ; client\n\n198.51.100.9/24\n' "$C" >"$LAB_DIR/feed"
check "a feed is loaded" lbctl list load drop "$LAB_DIR/feed" --monitor
check "a list that only counts drops nothing" served
check "and counts" counts_hits drop
check "bits beyond a prefix are cleared" says "198.51.100.0/24" lbctl list show drop
printf '%s\n198.51.100.9\n203.0.113.0/25\n203.0.113.0/25\n' "$C" >"$LAB_DIR/next"
check "what another feed would change" says "drop would have 3 prefixes: 2 added, 1 removed" lbctl list load drop "$LAB_DIR/next" --dry-run
check "is not done" says "drop: blocks 2 prefixes, only counts" lbctl list show
check "it makes no list" says "none would have 1 prefix: 1 added, 0 removed" lbctl list load none - --dry-run <<<1.2.3.4
check "so there is none" says 'no list "none"' lbctl list show none
check "a carriage return within a line is refused, with what stands behind it" says "line 2: a carriage return that does not end the line" \
	lbctl list load none - --dry-run < <(printf '1.2.3.4\r\n1.2.3.5\r1.2.3.6\n')
check "a prefix too short is refused, done or not" says "shorter than /8" lbctl list load drop - --dry-run <<<2.0.0.0/7
check "what a feed has changed" says "2 added, 1 removed" lbctl list load drop "$LAB_DIR/next"
check "each prefix is there once" says "drop: blocks 3 prefixes, only counts" lbctl list show
check "the first feed is back" says "1 added, 2 removed" lbctl list load drop "$LAB_DIR/feed"
check "the same feed once more keeps the mode" lbctl list load drop "$LAB_DIR/feed"
check "so the source is served" served
check "list set has the list drop" lbctl list set drop --enforce
check "so the source gets nothing" blocked
check "the list becomes one that allows" lbctl list set drop --kind allow
check "so the source is served" served
check "a feed once more keeps the kind" lbctl list load drop "$LAB_DIR/feed"
check "so the source is served" served
killed
step "lbd starts again" again
check "the kind is what it was" says "drop: allows 2 prefixes" lbctl list show
check "the same has nothing to change" says "nothing to change" lbctl list set drop --kind allow --enforce
check "a load may give it another kind" lbctl list load drop "$LAB_DIR/feed" --kind block
check "so the source gets nothing" blocked
printf '# the feed is out of order today\n' >"$LAB_DIR/empty"
check "a feed without a prefix is refused" says "no prefix to load" lbctl list load drop "$LAB_DIR/empty"
check "a file of IPv4 written as IPv6 is refused, by line" says "line 2: ::ffff:192.0.2.1 is an IPv4 address" \
	lbctl list load drop - <<<$'192.0.2.7\n::ffff:192.0.2.1\n'
check "so the list is as it was" says "drop: blocks 2 prefixes" lbctl list show
check "unless that is meant" lbctl list load drop "$LAB_DIR/empty" --allow-empty
check "so the source is served" served
check "the feed is back" lbctl list load drop "$LAB_DIR/feed"
printf '1.2.3.0/24\n# x\n1.2.3.4-1.2.3.9 ; r\n' >"$LAB_DIR/wrong"
check "a feed with a fault changes nothing, and the line is named" says "line 3" lbctl list load drop "$LAB_DIR/wrong"
check "so the list is as it was" says "drop: blocks 2 prefixes" lbctl list show
check "a prefix that is too short is refused" says "shorter than /8" lbctl list add bad 2.0.0.0/7
check "a list that is not there is named" says 'no list "none"' lbctl list del none
check "the read-only socket has no lists" says "read-only and does not take" "$LBCTL" --socket "$LAB_DIR/ro.sock" list show

printf '198.51.100.0/24\n192.0.2.0\0/24\n' >"$LAB_DIR/wrong"
check "and so does one with a NUL" says "line 2" lbctl list load drop "$LAB_DIR/wrong"
check "no time is no time that a prefix may have" says "for_s must be 1 to 31622400, not 0" lbctl list add drop 192.0.2.0/24 --for 0
feed 20 300 >"$LAB_DIR/small"
feed 21 20000 >"$LAB_DIR/large"
seen=
for moment in 0.02 0.1 0.2 0.3 0.5 0.8 2; do
	step "lbd is killed ${moment} s after a load of 20,000 began: the list is whole" cut_off "$moment"
done
echo "killed after:$seen"
step "an addition that was cut off is left out, and said" only_whole_batches

cat >"$LAB_DIR/parts.py" <<'END'
# parts.py SOCKET REQUEST...: over one connection, but for "beside REQUEST"; prints the result's prefixes, or the error
import json, socket, sys
def connect():
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    return client, client.makefile()
first = connect()
for params in sys.argv[2:]:
    client, lines = connect() if params.startswith("beside ") else first
    params = params.removeprefix("beside ")
    client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "list.load", "params": json.loads(params)}).encode() + b"\n")
    reply = json.loads(lines.readline())
    print(reply["result"].get("prefixes", "kept") if "result" in reply else reply["error"]["message"])
END
parts() { python3 "$LAB_DIR/parts.py" "$LAB_DIR/lbd.sock" "$@"; }
PART0='{"name": "feed", "prefixes": ["24.0.0.1"], "part": 0}' PART1='{"name": "feed", "prefixes": ["24.0.0.2", "24.0.0.1"], "part": 1}'
LAST='{"name": "feed", "prefixes": ["24.0.0.3"], "parts": 2}'
old_feed() { in_list 22.0.0.1 && ! in_list 24.0.0.1; }
check "a load in parts whose client ends in the middle" says kept parts "$PART0" "$PART1"
check "changes nothing" old_feed
check "its parts are not there for another client" says "has had 0 parts, not 2" parts "$LAST"
check "a part that is missing is seen" says "has had 1 parts, not 2" parts "$PART0" "$LAST"
check "and a part that is sent twice" says "has had 1 parts, not 0" parts "$PART0" '{"name": "feed", "prefixes": [], "parts": 0}'
check "a part of another list is none of this one" says "has had 0 parts, not 1" parts "$PART0" '{"name": "drop", "prefixes": [], "parts": 1}'
check "a part with a fault ends the load" says "has had 0 parts, not 2" parts "$PART0" \
	'{"name": "feed", "prefixes": ["x"], "part": 1}' "$LAST"
check "so nothing has changed" old_feed
check "another client is told that one loads a list" says "another client loads a list in parts" parts "$PART0" "beside $PART0"
check "all parts are a load, each prefix once" test "$(parts "$PART0" "$PART1" "$LAST" | paste -sd' ')" = "kept kept 3"
check "and what was there before is gone" eval '! in_list 22.0.0.1'
check "a load without parts is as it was" says "1 added, 3 removed" lbctl list load feed - <<<22.0.0.0/24
feed 25 2500 >"$LAB_DIR/many"
check "many prefixes come from standard input" says "blocks 2501 prefixes" lbctl list add feed - <"$LAB_DIR/many"
check "and are all there" eval 'in_list 25.0.0.7 && in_list 25.9.195.7'
check "once more they change nothing" says "nothing to change" lbctl list add feed - <"$LAB_DIR/many"
check "and go so" says "blocks 1 prefix;" lbctl list del feed - <"$LAB_DIR/many"
check "no prefixes are not the whole list" says "nothing to change" lbctl list del feed - </dev/null
for i in 60 61 62; do feed "$i" 40000; done >"$LAB_DIR/many"
check "what is too much for one request is loaded in parts" says "120000 added, 1 removed" lbctl list load feed "$LAB_DIR/many"
check "all of it" eval 'in_list 60.0.0.7 && in_list 62.156.63.7 && ! in_list 22.0.0.1'

names() { lbctl --json list show | jq -r '[.lists[].name] | join(" ")'; }
check "a list between others" lbctl list add a-first 192.0.2.99
check "is shown where its name is, whichever came first" test "$(names)" = "a-first bad drop feed"
check "and goes" lbctl list del a-first
check "lists go" lbctl list del feed
check "another" lbctl list del drop
check "the last" lbctl list del bad
check "then the source is served" served
check "and no file is left" no_list_file
finish
