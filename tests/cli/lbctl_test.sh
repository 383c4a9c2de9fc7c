#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbctl say and send what it should, whatever lbd answers? Against scripted servers (fake_lbd.py), no root needed.
#
#   LBCTL=PATH     the lbctl to test (build/lbctl/lbctl)
#   UPDATE=1       write golden/*.txt and docs/man/lbctl.8 anew instead of comparing; look at the difference

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# shellcheck source=tests/lib/check.sh
source "$HERE/../lib/check.sh"

LBCTL=$(realpath "${LBCTL:-$ROOT/build/lbctl/lbctl}")
FOLDER=$(mktemp -d)
at_exit rm -rf "$FOLDER"
chmod 755 "$FOLDER"
cd "$FOLDER" || exit 1
mkdir bin
cp "$LBCTL" bin/lbctl
PATH=$FOLDER/bin:$PATH

# The servers end when this shell does, by the end of their standard input.
exec 9> >(exec /usr/bin/python3 "$HERE/fake_lbd.py" "$FOLDER" >"$FOLDER/server.log" 2>&1)
if ! wait_for 10 test -e ready; then
	cat server.log
	exit 1
fi

# record WORDS…: what lbctl printed, its exit code, and what it asked of the server $SERVER.
SERVER=lbd
record() {
	local status
	: >requests
	lbctl --socket "$SERVER.sock" "$@" >out 2>err
	status=$?
	echo "\$ lbctl $*"
	cat out
	[ ! -s err ] || echo "--- standard error"
	cat err
	echo "--- exit code $status"
	sed 's/^/--- request /' requests
}

# same_as FILE PROMISE: FILE holds what ./actual does
same_as() {
	[ -z "${UPDATE:-}" ] || cp actual "$1"
	check "$2" diff -u "$1" actual
}

# golden NAME PROMISE: runs the command lines of standard input and compares with golden/NAME.txt
golden() {
	local line words
	while read -r line; do
		read -ra words <<<"$line"
		record "${words[@]}"
		echo
	done >actual
	same_as "$HERE/golden/$1.txt" "$2"
}

# exits CODE WORDS…
# shellcheck disable=SC2317 # called through check
exits() {
	local expected=$1
	shift
	"$@" </dev/null >out 2>err
	[ "$?" = "$expected" ] || {
		cat out err
		return 1
	}
}

# --- a server that never answers takes half a minute, so it is asked first and looked at last ---
lbctl --socket silent.sock status >silent.out 2>&1 &
SILENT=$!
wait_for 10 test -s requests # its own, which is not one of the next command

# --- every command, text and JSON ---
echo '{"vips": [{"address": "192.0.2.10:443/tcp"}]}' >service.json
golden status "status shows interfaces, limits, memory, seed and next hops, and is what lbctl does alone" <<'END'
status

status --all
--json status
END
SERVER=empty golden status_ill "status with a backend out of reach exits 4 and ends with the warnings" <<'END'
status
status --json
END
golden iface_list "iface list tells each interface's mode, link and use" <<'END'
iface list
iface list --json
END
golden node "node show tells each route and why; drain and undrain reply so" <<'END'
node show
--json node show
node drain
node undrain
END
golden list "list shows what lists have dropped, and what decides about an address" <<'END'
list show
--json list show
list add friends 198.51.100.7 --kind allow
list del new 192.0.2.0/24
list del new
list set drop --enforce
list set drop --kind allow --monitor
list set drop --vips web
list load drop /dev/null --allow-empty
list set drop --all-vips
list set drop --all-vips --vips web
list explain 198.51.100.7 web
list set drop --enforce --monitor
list set drop
list explain 198.51.100.7
list add friends 198.51.100.7 --for soon
list add friends
list load drop /nonexistent/feed
END
SERVER=empty golden list_one "list show NAME names prefixes, and when they go" <<'END'
list show new
list explain 198.51.100.8
list del new 192.0.2.0/24 --if-present
list del new --if-present
list load drop /dev/null --allow-empty --dry-run
list add friends 198.51.100.7
END
SERVER=quiet_node golden node_quiet "node drain --wait ends when no packet has been forwarded for two seconds" <<'END'
node drain --wait 1m
--json node drain --wait 1m
END
SERVER=busy_node golden node_busy "node drain --wait exits 4 when packets still come" <<'END'
node drain --wait 1s
node drain --wait 0
node drain --wait soon
END
SERVER=undrained_node golden node_undrained "node drain --wait ends when the node is undrained meanwhile" <<'END'
node drain --wait 1m
END
SERVER=plain_node golden node_plain "a node that announces nothing says so" <<'END'
node show
END
golden vip_list "vip list is a table, or the list as lbd sent it" <<'END'
vip list
--json vip list
END
golden vip_show "vip show tells a VIP's table, traffic and backends" <<'END'
vip show web
vip show web --json
END
golden pools "pools are added, changed, shown, listed and removed" <<'END'
pool add web --table-size 16381 --health http --health-path /up
pool set web --datagram-transition 30s
pool set web --table maglev --dry-run
pool set web
pool list
pool show web
pool show web --json
pool del web --force
vip add 192.0.2.10:443/tcp --pool web
vip set shop --pool web2 --dry-run
backend list spare
END
golden backend_list "backend list takes a VIP or none" <<'END'
backend list
backend list web
backend list web --json
END
SERVER=quic golden quic "QUIC server ids are shown, made known to servers, and options of them sent" <<'END'
vip show web-quic
backend list web-quic
status
explain 198.51.100.7 web-quic
quic id web-quic 10.0.0.2
--json quic id web-quic 10.0.0.2
quic id web-quic 10.0.0.4
quic id web-quic 10.0.0.9
quic id web-quic nowhere
vip add 192.0.2.10:443/udp --quic default
vip add 192.0.2.10:443/udp --quic cr=3,sid=12
vip add 192.0.2.10:443/udp --quic sid_length=4
vip add 192.0.2.10:443/udp --quic cr=1,sid=8,key=2026
vip set web-quic --quic none
vip set web-quic --quic cr=x
vip set web-quic --quic rotation=3
backend add web-quic 10.0.0.2 --quic-id auto
backend set web-quic 10.0.0.2 --quic-id 0a0b
END
check "two rotations are separated by a blank" grep -qF '"quic": [{"cr": 0}, {"cr": 1, "sid_length": 8}]' <(
	SERVER=quic record vip set web-quic --quic 'cr=0 cr=1,sid=8')
SERVER=grouped golden priorities "groups of backends that are used or in reserve are shown, and options of them sent" <<'END'
vip show shop
pool show shop
backend list
explain 2001:db8::7 2001:db8::10
backend add web 10.0.0.9 --priority 1
backend set web 10.0.0.9 --priority 0 --weight 5
pool set web --spill 70% --spill-hold 1m
END
SERVER=checked golden health "where there is a health check, backends show their health, since when, and why" <<'END'
vip show shop
vip list
backend list shop
backend list shop --json
status
END
golden health_change "options of a health check are sent as its fields" <<'END'
vip add 192.0.2.10:80/tcp --health tcp
vip add 192.0.2.10:80/tcp --health http --health-path /up?x=1 --health-host a.example --health-method HEAD --health-status 200
vip add 192.0.2.10:80/tcp --health http --health-interval 500ms --health-timeout 300ms --health-rise 1 --health-fall 9
vip add 192.0.2.10:80/tcp --health tcp --health-interval 2 --health-timeout 1s --health-jitter 5% --health-port 8080
vip add 192.0.2.10:53/udp --health udp --health-payload hex:0011 --health-expect \x00 --health-source tunnel --health-interval 1m
vip add 192.0.2.10:80/tcp --health exec --health-command /usr/lib/check --on-unhealthy reset --when-all-unhealthy drop
vip add 192.0.2.10:80/tcp --health none
vip set web --health http --health-path /up
vip set web --health-interval 2s --dry-run
vip set web --health none
vip set web --on-unhealthy reset
vip set web --when-all-unhealthy use_all --name shop
END
golden health_usage "options of a health check that cannot be sent are refused" <<'END'
vip add 192.0.2.10:80/tcp --health-path /up
vip add 192.0.2.10:80/tcp --health none --health-port 80
vip set web --health none --health-fall 3
vip set web --health-interval soon
vip set web --health-interval 1.5s
vip set web --health-interval ms
vip set web --health-interval 9999999999ms
vip set web --health-port http
vip set web --health-jitter 2.5%
vip set web --health-jitter 101%
vip set web --health-jitter many
vip set web --healht tcp
vip set web --health
END
golden probe "backend probe says what came back by each way, who has sent ICMP errors, and what fixes it" <<'END'
backend probe web 10.0.0.9
--json backend probe web 10.0.0.1
backend probe web 10.0.0.1
backend probe web 10.0.0.2
backend probe web 10.0.0.3
backend probe web 10.0.0.4
backend probe web 10.0.0.5
backend probe web 10.0.0.6
backend probe wbe 10.0.0.2
backend probe web
END
golden stats "stats shows verdicts that some packet had; --all shows each" <<'END'
stats
stats --all
stats web
stats --json
END
SERVER=grows golden rates "stats shows rates between two replies, and top the fastest first with a bar, once without a terminal" <<'END'
stats --rates --interval 100ms
stats web --interval 100ms
--json stats web --rates --interval 100ms
top --interval 100ms
top --interval 50ms
END
# seen_on_terminal SIGNAL: lbctl top on a terminal of 80 columns and 24 lines, until the signal
# shellcheck disable=SC2317 # called through check
seen_on_terminal() {
	/usr/bin/python3 "$HERE/terminal.py" "$1" lbctl --socket grows.sock top --interval 100ms >screen
	cat screen
	grep -q '^frames: [2-9]' screen && grep -q '^exit: 0' screen && grep -q '^longest line: \([0-9]\|[0-7][0-9]\|80\)$' screen &&
		grep -q '^closed: yes' screen && grep -q '^#*$' screen
}
check "top draws screens of 80 columns on a terminal, and leaves it as it was at Ctrl-C" seen_on_terminal INT
check "and when it is ended" seen_on_terminal TERM
# shellcheck disable=SC2317 # called through wait_for
three_lines() { [ "$(wc -l <watched.out)" -ge 3 ]; }
# watched: three lines of JSON, then it is interrupted
# shellcheck disable=SC2317 # called through check
watched() {
	lbctl --json --socket grows.sock stats --watch --interval 100ms >watched.out &
	local pid=$!
	wait_for 10 three_lines
	kill -TERM "$pid"
	wait "$pid" || return
	cat watched.out
	head -3 watched.out | jq -es 'length == 3 and all(.[]; .interval_ms == 2000 and .vips[0].packets_per_s == 10)'
}
check "stats --watch goes on until it is ended, a line each time" watched
SERVER=ailing golden doctor "doctor tells each problem with what fixes it and exits 4; with none it exits 0" <<'END'
doctor --interval 100ms
--json doctor --interval 100ms
END
SERVER=sound golden doctor_sound "doctor finds nothing where nothing is wrong" <<'END'
doctor --interval 100ms
--json doctor --interval 100ms
END
echo '{"hash_seed": {"digest": "00112233445566aa"}, "document_digest": "fedcba9876543210", "abi": 2}' >other.json
SERVER=sound golden doctor_compare "doctor compares with another node: seed, document, data plane" <<'END'
doctor --interval 100ms --compare other.json
doctor --interval 100ms --compare service.json
doctor --interval 100ms --compare nosuch.json
END
# What lbctl asks of frames that stand in a capture file.
# asked FORMAT ORDER LINK FRAMES…
asked() {
	: >requests
	python3 "$HERE/../lib/capture_tool.py" "$@" >capture
	lbctl --socket lbd.sock explain --pcap capture >out 2>&1 || cat out
	sed 's/.*"frame": "\(.*\)"}}/\1/' requests
}
MAC=020000000001020000000002
IP4=450000140000400040060000c6336402c000020a
IP6=6000000000003b40$(printf '0%.0s' {1..64})
for format in pcap pcap-ns pcapng; do
	for order in '<' '>'; do
		check_equal "frames of $format are read, of Ethernet, byte order $order" "${MAC}0800$IP4
0102030405060708090a0b0c0d0e00000000" "$(asked "$format" "$order" 1 "${MAC}0800$IP4" 0102030405060708090a0b0c0d0e:18)"
		check_equal "of $format, of bare IP packets, byte order $order" "${MAC}0800$IP4
${MAC}86dd$IP6" "$(asked "$format" "$order" 101 "$IP4" "$IP6")"
	done
done
for order in '<' '>'; do
	check_equal "packets that pcapng says were sent are left out, byte order $order" "${MAC}0800$IP4" \
		"$(asked pcapng "$order" 1 "${MAC}86dd$IP6" 0102030405060708090a0b0c0d0e0f SENT "${MAC}0800$IP4")"
done
check_equal "and simple packets of pcapng" "${MAC}0800$IP4" "$(asked pcapng-simple '<' 1 "${MAC}0800$IP4")"
# shellcheck disable=SC2317 # called by name, through check
has_text() { "${@:2}" | grep -qF "$1"; }
check "what was captured on something else is refused" has_text "neither on Ethernet nor as bare IP" asked pcap '<' 113 "$IP4"
# shellcheck disable=SC2317 # called by name, through check
cut_off() {
	python3 "$HERE/../lib/capture_tool.py" "$1" '<' 1 "${MAC}0800$IP4" | head -c "-$2" >capture
	lbctl --socket lbd.sock explain --pcap capture 2>&1 | grep -q 'damaged, or cut off'
}
for format in pcap pcapng; do
	check "a file of $format that is cut off is said to be" cut_off "$format" 7
done
python3 "$HERE/../lib/capture_tool.py" pcap '<' 1 "${MAC}0800$IP4" "${MAC}0800$IP4:1500" "${MAC}0800$IP4" 0102 >replayed.pcap
echo '{"vips": []}' >replayed.json
golden replay "replay adds up what becomes of the packets of a file, and what another document would lead elsewhere" <<'END'
replay replayed.pcap
replay replayed.pcap --document replayed.json --iface eth0
--json replay replayed.pcap --document replayed.json
replay nosuch.pcap
replay replayed.pcap --document nosuch.json
replay
END
SERVER=traced
golden trace "trace prints a line for each packet as it comes, and at the end how many; it sends what is asked for" <<'END'
trace
--json trace --verdict drop --sample 10
trace --vip web --backend 10.0.0.2 --src 198.51.100.0/24 --dst 192.0.2.10 --port 443 --proto tcp --iface eth0
trace --snap 256 --rate 10 --for 2m --count 5
trace --count many
trace --for soon
trace --write nosuch/file
END
# A frame and its wrapped one; the file of tests/lib/pcapng_tool.py's output.
write_frames() {
	lbctl --socket traced.sock trace --write frames.pcapng 2>said && python3 "$HERE/../lib/pcapng_tool.py" frames.pcapng
}
check_equal "trace --write writes frames with interface, direction, time and comment" "\
eth0 in 1769860800.123456789 74 verdict redirect (forward), VIP web, backend 10.0.0.2
eth1 out 1769860800.123456789 94 verdict redirect (forward), VIP web, backend 10.0.0.2
eth0 in 1769860801.000000000 74 verdict drop_no_backend (drop), VIP dns
eth0 in 1769860802.500000000 42 verdict pass_not_ip (pass)
eth0 in 1769860803.000000000 74 verdict redirect (forward), VIP web, backend 10.0.0.2 and a list of 2 more
eth1 out 1769860803.000000000 118 verdict redirect (forward), VIP web, backend 10.0.0.2 and a list of 2 more" "$(write_frames)"
SERVER=lbd
SERVER=blocked golden explain_blocked "a packet that lists drop: which, and for what prefix" <<'END'
explain 198.51.100.7:40001 web
END
golden guard "guard show tells SYN guard, rates and lists of VIPs" <<'END'
guard show
guard show --json
END
SERVER=empty golden guard_none "guard show of a VIP without any of it, and a secret that cannot be read" <<'END'
guard show web
END
SERVER=rated golden vip_rates "rates of a VIP, and a packet that exceeds them" <<'END'
vip show web
explain 198.51.100.7:40001 web
END
SERVER=chance golden explain_chance "a packet with a second chance: who else is asked for its connection" <<'END'
explain 198.51.100.7:40001 web --ack
END
SERVER=chance_cut golden explain_chance_cut "a list for which the MTU has no room is told" <<'END'
explain 198.51.100.7:40001 web --ack
END
golden explain "explain sends what it is told of a packet, and says a line for each stage; it refuses what contradicts" <<'END'
explain 198.51.100.7:40001 web
--json explain 198.51.100.7 192.0.2.10:80/tcp --ack --len 1500 --iface eth0
explain --hex 0200
explain
explain 198.51.100.7
explain 198.51.100.7 web --hex 02
explain --hex 02 --ack
explain --hex 02 --count 3
explain 198.51.100.7 web --syn --ack
explain 198.51.100.7 web --len long
explain --pcap nosuch.pcap
explain --pcap service.json
END
golden simulate "a backend of a simulation fails and recovers" <<'END'
simulate fail 10.0.0.2
--json simulate recover 10.0.0.2
simulate fail
END
golden change "changes send what was given, and say what they did to flows" <<'END'
vip add 192.0.2.10:443/tcp
vip add 192.0.2.10:443/tcp --name web --table maglev --table-size 65537
vip add [2001:db8::10]:0/udp --name=dns --json
vip set web --name shop
vip set web --table rendezvous --name shop
vip add 192.0.2.10:443/tcp --transition 90 --flow-idle 90s
vip set web --transition 15m
vip set web --flow-idle 2h
vip add 192.0.2.10:3868/sctp --encap gue --hash source-port --fragments 3-tuple
vip set web --encap ipip
vip set web --fragments drop --hash 5-tuple
vip set web --encap
vip del web
backend add web 10.0.0.2
backend add web 10.0.0.2 --weight 10
backend set web 10.0.0.2 --weight 5
backend set web 10.0.0.2 --weight 0 --json
backend set web 10.0.0.2 --weight -1
backend del web 10.0.0.2
backend del web 10.0.0.2 --force
backend del web 10.0.0.2 --json
vip del web --force
backend drain web 10.0.0.2
backend undrain web 10.0.0.2
END
golden manner "--dry-run says what a change would do; --max-moved is sent as a number; both with every change" <<'END'
vip add 192.0.2.10:443/tcp --dry-run --max-moved 2%
vip set web --name shop --dry-run --max-moved 2
vip del web --dry-run --max-moved 0.5%
backend add web 10.0.0.2 --dry-run --max-moved 100%
backend set web 10.0.0.2 --weight 5 --dry-run --max-moved 0
backend del web 10.0.0.2 --dry-run --max-moved .5
backend drain web 10.0.0.2 --dry-run --max-moved 2.%
backend undrain web 10.0.0.2 --dry-run --max-moved 101
config apply service.json --dry-run --max-moved 2%
config apply service.json --force
END
# every_option COMMAND…: its own options as its help lists them, each with a value that its placeholder allows.
every_option() {
	lbctl help "$@" | sed -n 's/^  --\([a-z-]*\) \([^ ]*\).*/\1 \2/p' | awk '
		BEGIN { value["NAME"] = "shop"; value["DURATION"] = "90s"; value["P%"] = "2%"; value["N"] = "7" }
		{ split($2, choice, "|") }
		$2 == "" { print "--" $1; next }
		{ print "--" $1 "=" ($2 in value ? value[$2] : choice[1]) }'
}

# takes_every_option ARGUMENT COMMAND…: prints how many there were, and that the request has the first and the last
takes_every_option() {
	local argument=$1 options
	shift
	mapfile -t options < <(every_option "$@")
	lbctl --socket lbd.sock "$@" "$argument" "${options[@]}" >out 2>err || cat err
	[ "${#options[@]}" -gt 20 ] && tail -n 1 requests |
		jq -c '.params | [((.vip | objects) // .set | .name), .max_moved_percent == 2]'
}

check_equal "vip add takes all of its options at once" '["shop",true]' \
	"$(takes_every_option 192.0.2.10:443/tcp vip add)"
check_equal "and so does vip set" '["shop",true]' "$(takes_every_option web vip set)"
SERVER=drains golden drain "drain --wait says what remains when that changes, and ends when nothing does" <<'END'
backend drain web 10.0.0.2 --wait 1h
END
SERVER=stuck golden drain_stuck "drain --wait exits 4 with what remains when the time is up" <<'END'
backend drain web 10.0.0.2 --wait 0
--json backend drain web 10.0.0.2 --wait 0s
END
SERVER=removed golden drain_removed "drain --wait ends when the backend is removed meanwhile" <<'END'
backend drain web 10.0.0.2 --wait 1h
END
SERVER=undrained golden drain_undrained "drain --wait ends when the backend is undrained meanwhile" <<'END'
backend drain web 10.0.0.2 --wait 1h --json
END
golden config "config check says what would be done, diff what differs, apply what was done; export prints the document alone" <<'END'
config check service.json
config diff service.json
config diff service.json --json
config apply service.json
config apply service.json --json
config apply service.json --confirm 15m
config apply service.json --confirm 90 --json
config confirm
config confirm --json
config revert
config export
config export --json
END
echo '{"digest": "fedcba9876543210", "vips": []}' >exported.json
SERVER=moved_on golden moved_on "a change that was made for another document is refused, with what differs" <<'END'
config apply exported.json
config apply exported.json --json
config apply exported.json --ignore-digest
config apply service.json --if-digest fedcba9876543210
backend set web 10.0.0.2 --weight 5 --if-digest fedcba9876543210
END
SERVER=empty golden empty "nothing to show is said in words" <<'END'
vip list
vip show x
backend list
stats
config check service.json
config diff service.json
config export
END
SERVER=stream golden watch "watch prints a line an event, or a line of JSON, and exits 3 when lbd ends" <<'END'
watch
watch --json
END
SERVER=half golden watch_half "an event that is cut off is none" <<'END'
watch
END
golden version "version names lbctl, lbd and the kernel" <<'END'
version
version --json
END
SERVER=odd golden odd "a result without its fields is shown as far as it goes" <<'END'
vip list
vip show x
status
stats
backend list
vip add x
config export
END
golden help "help lists the commands, those of an object, or explains one" <<'END'
help
help vip
vip --help
-h
help help vip
END
sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\).*/\1/p' <(lbctl help | sed '/^VIP is/,$d') | sed 's/ bash$//' |
	sed 's/^/help /' >commands
golden help_each "every command has its usage, its options and an example" <commands
check_equal "the help knows of 53 commands" 53 "$(wc -l <commands)"

# --- errors ---
golden refused "an error reply goes to standard error with path and hint, or to JSON, and exits 1" <<'END'
vip show wbe
vip del wbe --json
END
SERVER=document golden refused_document "paths of errors in a file are paths within the file" <<'END'
config check service.json
config apply service.json --json
END
printf '{"vips": [\n  {"address": 1,}]}' >broken.json
printf '{"vips": [], "vips": []}' >twice.json
: >nothing.json
mkdir folder
golden files "a file that cannot be used is named, with line and column, and nothing is sent" <<'END'
config check broken.json
config check broken.json --json
config apply twice.json
config apply nothing.json
config diff missing.json
config apply missing.json --confirm 60s
config apply missing.json
config apply folder
END
golden usage "a wrong command line says what is wrong, shows the usage, exits 2 and sends nothing" <<'END'
vpi list
frobnicate
vip
vip lst
vip frobnicate
vip add
vip set web
vip set
vip show
vip show web shop
vip list web
vip del
vip add x --table-size many
vip add x --table-size 1e3
vip add x --table-size 99999999999999999999
vip add x --transition
vip add x --transition soon
vip add x --transition 15min
vip add x --transition m
vip add x --transition -5
vip add x --flow-idle 1.5h
vip add x --flow-idle 1h30m
vip add x --flow-idle 596524h
vip add x --flow-idle 99999999999999999999
vip set web --transition=
vip set web --dry-run
vip set web --max-moved 2%
config apply service.json --confirm
config apply service.json --confirm soon
config diff
config confirm x
config revert --dry-run
watch web
backend drain web
backend drain web x --wait 5m
backend drain web 10.0.0.2 --wait long
backend drain web 10.0.0.2 --wait 5m --dry-run
backend del web 10.0.0.2 --max-moved few
backend del web 10.0.0.2 --max-moved %
backend del web 10.0.0.2 --max-moved -1%
backend del web 10.0.0.2 --max-moved 1e1
backend del web 10.0.0.2 --max-moved 2%%
backend del web 10.0.0.2 --max-moved=
vip add x --name
vip add x --name --json
vip add x --name a --name b
vip add x --wieght 5
vip add x --weight 5
vip add x --naem=y
vip add x -n y
backend add web
backend add
backend add web x --weight 5x
backend add web x --weight=
backend set web x
backend set web --weight 5
backend del web
backend list web x
stats a b
stats --all=yes
config
config check
config aply x
config export x
version x
status --jsn
--sokcet x status
--nothing-like-it status
status --json=yes
--socket
completion
completion fish
help vpi
help vip ad
help status x
vpi --help
vip add --help --frobnicate
--json vpi
--json vip show
a b c d e f g h i j k l m n o p q
END
SERVER=nobody golden unreachable "no socket: which, why, and what to do; exit 3" <<'END'
status
vip list --json
version
END
/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("stale.sock")'
SERVER=stale golden stale "a socket that nobody listens at exits 3" <<'END'
status
END
SERVER=$(printf 'x%.0s' {1..200}) golden long_path "a path too long for a socket is refused" <<'END'
status
END
for server in cut hangup garbage notreply noresult otherid endless; do
	SERVER=$server golden "reply_$server" "no proper reply ($server) exits 3" <<'END'
vip list
vip list --json
END
done
check_equal "\\xff in an argument is an error, not a crash" \
	"lbctl: an argument is not valid UTF-8" "$(lbctl --socket lbd.sock vip show $'\xff' 2>&1 | head -1)"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chgrp daemon lbd.sock
	chmod 660 lbd.sock
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups lbctl "$@"; }
	check "a socket one may not use exits 3" exits 3 as_nobody --socket lbd.sock status
	check_equal "a socket one may not use: its group is named" \
		"  hint: the socket belongs to group daemon: run lbctl as root or as a member of it" \
		"$(as_nobody --socket lbd.sock status 2>&1 | tail -1)"
	# shellcheck disable=SC2016 # expands in the mount namespace
	check_equal "where there is a read-only socket, it is named, too" \
		"  hint: the socket belongs to group daemon: run lbctl as root or as a member of it; for read-only access: --socket /run/lbd/lbd-ro.sock" \
		"$(unshare --mount bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/lbd && touch /run/lbd/lbd-ro.sock &&
			chmod 666 /run/lbd/lbd-ro.sock && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
			lbctl --socket lbd.sock status' 2>&1 | tail -1)"
else
	skip "a socket one may not use: its group is named" "root, or setpriv"
fi

# --- the line and its options ---
sent_by() {
	: >requests
	lbctl "$@" >/dev/null && cat requests
}
expected=$(sent_by --socket lbd.sock backend add web 10.0.0.2 --weight 10)
check_equal "options may stand before the command" "$expected" \
	"$(sent_by --weight 10 --socket lbd.sock backend add web 10.0.0.2)"
check_equal "options may stand between words, with =" "$expected" \
	"$(sent_by backend --socket=lbd.sock add --weight=10 web 10.0.0.2)"
check_equal "-- ends the options" "$expected" \
	"$(sent_by --weight 10 --socket lbd.sock -- backend add web 10.0.0.2)"
check_equal "what follows -- is no option" '{"method": "vip.show", "params": {"vip": "--json"}}' \
	"$(sent_by --socket lbd.sock vip show -- --json)"
check_equal "FILE - is standard input" '{"method": "config.apply", "params": {"document": {"vips": []}}}' \
	"$(echo '{"vips":[]}' | sent_by --socket lbd.sock config apply -)"
check_equal "a command line is split at blanks" '["/usr/lib/check","-v","a"]' \
	"$(sent_by --socket lbd.sock vip set web --health exec --health-command ' /usr/lib/check  -v a ' |
		jq -c .params.set.health.command)"
lbctl --socket lbd.sock config export >exported.json
check_equal "what config export prints, config apply takes" \
	"$(lbctl --socket lbd.sock --json config export | jq -c '{document}')" \
	"$(sent_by --socket lbd.sock config apply exported.json | jq -c .params)"

# --- replies and output of any size, in any pieces ---
check_equal "a reply in small pieces is the reply" "$(lbctl --socket lbd.sock vip list)" \
	"$(lbctl --socket pieces.sock vip list)"
check_equal "a reply of several MiB arrives whole" 30000 \
	"$(lbctl --socket big.sock --json vip list | jq '.vips | length')"
check_equal "a table of 30,000 VIPs has 30,000 lines" 30000 "$(lbctl --socket big.sock vip list | wc -l)"
head -c 9000000 /dev/zero | tr '\0' ' ' >large.json
check_equal "a document larger than a request is refused before it is sent" \
	"lbctl: cannot read large.json: File too large" \
	"$(lbctl --socket lbd.sock config apply large.json 2>&1)"
lbctl --socket big.sock vip list 2>err | head -1 >/dev/null
check_equal "a reader who leaves is no error" "0 0" "${PIPESTATUS[*]}"
check_equal "a reader who leaves: nothing is said" "" "$(cat err)"
# shellcheck disable=SC2317 # called through exits
full() { lbctl --socket lbd.sock "$@" >/dev/full; }
check "output that cannot be written exits 1" exits 1 full vip list
check_equal "output that cannot be written is said" \
	"lbctl: cannot write to standard output: No space left on device" \
	"$(lbctl --socket lbd.sock --json vip list 2>&1 >/dev/full)"
# shellcheck disable=SC2317
closed() { lbctl --socket lbd.sock "$@" >&-; }
check "closed standard output exits 1" exits 1 closed vip list

# --- waiting for a drain ---
lbctl --socket stuck.sock backend drain web 2001:DB8:1::4 --wait 0 >out 2>&1
check_equal "drain --wait looks for a backend in lbd's spelling" \
	"lbctl: 2001:db8:1::4 was removed meanwhile" "$(sed -n 2p out)"
# Whoever is started in the background by a shell has SIGINT ignored, so not by this one.
interrupted() {
	/usr/bin/python3 - <<-'END'
		import signal, subprocess
		signal.signal(signal.SIGINT, signal.SIG_DFL)  # a runner in the background ignores it
		lbctl = subprocess.Popen("lbctl --socket stuck.sock backend drain web 10.0.0.2 --wait 1h".split(),
		                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
		print(lbctl.stdout.readline() + lbctl.stdout.readline(), end="")
		lbctl.send_signal(signal.SIGINT)
		print(lbctl.communicate(timeout=10)[1].strip())
		print("signal", -lbctl.returncode)
	END
}
check_equal "Ctrl-C ends the waiting, says that the drain goes on, and counts as Ctrl-C" \
	"vip web: moved 1.0 % of slots (ideal 1.0 %)
10.0.0.2: 512 slots still in transition (up to 15m)
lbctl: no longer waiting; 10.0.0.2 goes on draining
signal 2" "$(interrupted)"
# shellcheck disable=SC2317
full_wait() { lbctl --socket drains.sock backend drain web 10.0.0.2 --wait 1h >/dev/full; }
check "output that cannot be written while waiting exits 1" exits 1 full_wait
lbctl --socket drains.sock backend drain web 10.0.0.2 --wait 1h 2>err | :
check_equal "a reader who leaves while lbctl waits is no error" "0 " "${PIPESTATUS[0]} $(cat err)"

# --- completion and manual ---
# complete_line TEXT: what bash would offer for the line TEXT with the cursor at its end
complete_line() {
	bash -c 'source <(lbctl completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _lbctl; echo "${COMPREPLY[*]}"' - "$1"
}
completes() {
	check_equal "completion of: $1" "$2" "$(complete_line "$1")"
}
completes "lbctl " "status vip pool backend quic iface node guard list stats top doctor explain replay trace simulate config tier watch version help completion"
completes "lbctl v" "vip version"
completes "lbctl vip " "add set show list del"
completes "lbctl vip set web --health " "tcp http udp exec none"
completes "lbctl vip add x --health-method " "GET HEAD"
completes "lbctl vip s" "set show"
completes "lbctl --json --socket lbd.sock vip s" "set show"
completes "lbctl vip add 192.0.2.1:80/tcp --t" "--table --table-size --transition"
completes "lbctl vip add 192.0.2.1:80/tcp --table " "rendezvous maglev"
completes "lbctl vip add 192.0.2.1:80/tcp --table=m" "maglev"
completes "lbctl vip add 192.0.2.1:80/tcp --so" "--socket"
completes "lbctl --socket lbd.sock vip show " "web [2001:db8::10]:53/udp"
completes "lbctl --socket=lbd.sock vip show w" "web"
completes "lbctl --socket lbd.sock vip show [2001:db8::1" "10]:53/udp"
completes "lbctl --socket lbd.sock backend set web 10" "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.9.2"
completes "lbctl --socket lbd.sock backend drain web 20" "2001:db8:1::4"
completes "lbctl backend un" "undrain"
completes "lbctl backend drain web 10.0.0.2 --" "--wait --dry-run --force --if-digest --local --max-moved --socket --json --help"
completes "lbctl backend drain web 10.0.0.2 --wait " ""
completes "lbctl --socket lbd.sock backend set web 2001:db8:1" "1::4"
completes "lbctl --socket lbd.sock backend add web " ""
completes "lbctl --socket nobody.sock vip show " ""
completes "lbctl --socket garbage.sock vip show " ""
completes "lbctl --socket lbd.sock backend set wbe " ""
completes "lbctl vip list " ""
completes "lbctl help vip s" "set show"
completes "lbctl help --" "--socket --json --help"
completes "lbctl completion " "bash"
completes "lbctl frobnicate " ""
completes "lbctl config apply " ""
completes "lbctl config apply s --c" "--confirm"
completes "lbctl config " "check diff apply reload confirm revert export"
check_equal "files are left to the shell" "<file>" "$(lbctl __complete config apply s)"
check_equal "completion without a word offers commands" status "$(lbctl __complete | head -1)"
lbctl completion bash >completion.bash
if command -v shellcheck >/dev/null; then
	check "the completion script passes shellcheck" shellcheck -s bash -e SC2207 completion.bash
else
	skip "the completion script passes shellcheck" "shellcheck"
fi
lbctl help --man >actual
same_as "$ROOT/docs/man/lbctl.8" "docs/man/lbctl.8 is what lbctl help --man prints"
if command -v groff >/dev/null; then
	check_equal "the manual page formats without a warning" "" "$(groff -man -ww -z -Tutf8 actual 2>&1)"
else
	skip "the manual page formats without a warning" "groff"
fi

wait "$SILENT"
check_equal "a server that never answers is given up after 30 s with exit code 3" 3 $?
check_equal "a server that never answers: what is said" \
	"lbctl: lbd does not answer at silent.sock: nothing came for 30 s" "$(head -1 silent.out)"
finish
