#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd --simulate do without rights what lbd does, say that it simulates, and refuse what lbd refuses? And does the
# session of docs/deploy.md happen as it is shown?
#
#   O=FOLDER     the build whose lbd, lbd-simulate and lbctl count (build)
# shellcheck disable=SC2317 # functions are called by name, through check
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath -e "${O:-build}") || exit 1
PAGE=$PWD/docs/deploy.md
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
chmod 777 "$DIR"
mkdir "$DIR/bin"
cp "$O/lbd/lbd" "$O/lbd/lbd-simulate" "$O/lbctl/lbctl" "$DIR/bin" # where everybody can read them
cd "$DIR" || exit 1

# Without any right, whoever runs this.
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all "$@"
	else
		"$@"
	fi
}
lbd() { unprivileged "$DIR/bin/lbd" "$@"; }
lbctl() { unprivileged "$DIR/bin/lbctl" "$@"; }

PORT=$((20000 + $$ % 20000))
cat >lbd.json <<END
{"interfaces": ["eth0"], "limits": {"vips": 3}, "http": {"listen": "127.0.0.1:$PORT"},
 "state_dir": "$DIR/of-another", "hash_seed": "000102030405060708090a0b0c0d0e0f"}
END
mkdir -p of-another/lists && echo "# one of another lbd" | tee of-another/lists/drop.list >of-another/lists/drop.list.new
jq -n '{vips: [{name: "web", address: "192.0.2.10:443/tcp", health: {type: "http", source: "tunnel"},
	backends: [{address: "10.0.0.11"}, {address: "10.0.0.12"}]}]}' >service.json
jq '.vips[0].backends[1].weight = 3 | .vips[0].backends += [{address: "10.0.0.13"}]' service.json >new.json
on_trial() { lbctl --socket ./trial.sock "$@"; }
PID=
stop() { [ -z "$PID" ] || kill "$PID" 2>/dev/null; }
at_exit stop

# --- the session ---
shown() {
	awk '/^## / { inside = $0 == "## Trying changes without a balancer" } inside && /^    / { print substr($0, 5) }' "$PAGE"
}
# What comes up in the background is waited for; that it simulates is said each time, and shown once.
again() {
	local line
	while IFS= read -r line; do
		[[ $line == '$ '* ]] || continue
		echo "$line"
		line=${line#'$ '}
		if [[ $line == *' &' ]]; then
			eval "${line% &} >log 2>&1 &"
			wait_for 10 on_trial version
			PID=$(on_trial --json status 2>/dev/null | jq .pid)
		else
			eval "$line" 2>&1 | grep -v 'this lbd simulates' | grep -vE '^lbd: (.* VIPs in place|stopping)'
		fi
	done
}
shown >expected
again <expected >actual # in this shell, which learns the process
check "the session has commands" test "$(grep -c '^\$ lb' expected)" -ge 6
check "docs/deploy.md shows what its commands print" diff -u expected actual

# --- it says so everywhere ---
tells() { on_trial "$@" 2>&1 >/dev/null | grep -qx 'lbctl: this lbd simulates: no packet is balanced'; }
for command in status "vip list" "vip show web" "backend list" "iface list" stats version "config export" "pool list" "guard show"; do
	# shellcheck disable=SC2086 # words
	check "lbctl $command says that it simulates" tells $command
	# shellcheck disable=SC2086
	check "as JSON, too" test "$(on_trial --json $command 2>/dev/null | jq '.simulated // (.vips | length > 0)')" = true
done
warns() { on_trial status 2>/dev/null | grep -q '^warning: this lbd simulates: no packet is balanced'; }
check "its status warns of it" warns
http() { exec 8<>"/dev/tcp/127.0.0.1/$PORT" && printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&8 && cat <&8; }
check "the status page warns of it" grep -q 'this lbd simulates' <(http /status.json)
check "metrics say so" grep -q '^lbd_build_info{.*simulated="true"} 1' <(http /metrics)

check "so does lbctl top, in its first line" grep -qx 'simulated: no packet is balanced' <(on_trial top --interval 100ms 2>/dev/null | head -1)

# --- lists: the files of another lbd stay as they are ---
files() { (cd of-another/lists && stat -c '%n %i %Y' -- * && cat -- *); }
has_no_lists() {
	local before
	before=$(files)
	on_trial --json list show 2>/dev/null | jq -e ".lists == []" && refuses "this lbd simulates" list add drop 203.0.113.0/24 &&
		refuses "this lbd simulates" list load drop - <<<198.51.100.7 && ! on_trial list del drop || return
	diff <(echo "$before") <(files)
}
# --- traffic ---
packets() { http /metrics | sed -nE 's/^lbd_backend_packets_total\{.*backend="10.0.0.12".*\} //p'; }
moves() {
	local before after
	before=$(packets)
	wait_for 5 more_than "$before"
	after=$(packets)
	echo "$before, $after"
	((after > before))
}
more_than() { [ "$(packets)" -gt "$1" ]; }
check "what is counted moves, by backend" moves
check "no packet of an interface of this machine is counted" test "$(on_trial --json stats 2>/dev/null | jq '.interfaces | length')" = 0

# --- changes ---
drained() {
	on_trial backend drain web 10.0.0.11 &&
		on_trial --json explain 198.51.100.7:40001 web --ack | jq -e '.slot.state == "moving" or .backend.address == "10.0.0.12"'
}
check "a drain moves slots, and established flows stay" drained
same_owner() {
	local port
	for port in 400{01..30}; do
		[ "$(on_trial --json explain "198.51.100.7:$port" web | jq -r .backend.address)" = 10.0.0.12 ] || return
	done 2>/dev/null
}
check "new flows all go to the other" same_owner
refuses() { # MESSAGE WORDS…
	local status
	on_trial "${@:2}" >said 2>&1
	status=$?
	cat said
	[ "$status" = 1 ] && grep -qF -- "$1" said
}
check "no key of encrypted QUIC ids is needed here" on_trial vip add 192.0.2.30:443/udp --quic cr=0,sid=8,key=2026 --dry-run
check "what breaks connections wants --force" refuses "--force" backend del web 10.0.0.12
says() { # PATTERN WORDS…
	on_trial "${@:2}" 2>/dev/null | tee said
	grep -qE -- "$1" said
}
python3 -B - >syn.pcap <<'END'
import struct, sys
sys.stdout.buffer.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101) + struct.pack("<IIII", 0, 0, 40, 40) + bytes.fromhex(
    "450000280000400040060000c6336407c000020a9c4101bb00000000000000005002000000000000"))
END
# Each slot of one table is each of another, however many those are. Only a VIP that has had packets has flows.
whole() {
	[ "$(on_trial --json vip set mover --pool small --dry-run | jq '.vips[0].moved | .slots, .percent' | paste -sd' ')" = "251 100" ]
}
all_move() {
	on_trial pool add large --table-size 1021 && on_trial pool add small --table-size 251 &&
		on_trial backend add large 10.0.0.11 && on_trial backend add small 10.0.0.12 &&
		on_trial vip add 192.0.2.20:80/tcp --name mover --pool large && wait_for 10 whole &&
		on_trial vip del mover --force && on_trial pool del large && on_trial pool del small
}
check "a move to a smaller table moves each slot, once" all_move
wide_are_found() {
	local port
	on_trial vip add 192.0.2.0/24:443/tcp --name net && on_trial vip add 192.0.2.10:5000-5999/tcp --name range || return
	for port in 192.0.2.10:443=web 192.0.2.11:443=net 192.0.2.10:5999=range 192.0.2.10:6000=; do
		check_equal "$port" "${port#*=}" \
			"$(on_trial --json explain 198.51.100.7:40001 "${port%=*}/tcp" 2>/dev/null | jq -r '.vip.name // empty')" || return
	done
	on_trial vip del net && on_trial vip del range
}
check "a packet is for the most specific VIP, prefixes and ranges too" wide_are_found
in_health() { [ "$(on_trial --json status 2>/dev/null | jq -c '[.health.healthy, .health.unhealthy]')" = "$1" ]; }
# Without a transition's wait: who would get a new flow.
owners() {
	local port
	for port in 400{01..20}; do on_trial --json explain "198.51.100.7:$port" "$1" 2>/dev/null | jq -r .slot.owner; done | sort -u | paste -sd' '
}
fails_and_recovers() {
	on_trial backend undrain web 10.0.0.11 && on_trial simulate fail 10.0.0.12 && wait_for 5 in_health '[1,1]' || return
	on_trial backend list web
	on_trial backend list web | grep -q '10.0.0.12 .*unhealthy since .*: simulated failure' || return
	check_equal "its slots are others'" 10.0.0.11 "$(owners web)" || return
	# The document in force leads nobody elsewhere; one without the backend that is left leads all to the one that is dead.
	on_trial config export 2>/dev/null | jq 'del(.digest)' >same.json
	jq '.vips |= map(.backends |= map(select(.address != "10.0.0.11")))' same.json >less.json
	on_trial --json replay syn.pcap --document same.json | tee said | jq -e '.moves == []' &&
		on_trial --json replay syn.pcap --document less.json | tee said | jq -e '[.moves[] | .from.backend, .to.backend] == ["10.0.0.11", "10.0.0.12"]' &&
		on_trial simulate recover 10.0.0.12 && wait_for 5 in_health '[2,0]' && check_equal "they come back" "10.0.0.11 10.0.0.12" "$(owners web)"
}
reserve_joins() {
	on_trial vip add 192.0.2.30:80/tcp --name tiers --health tcp && on_trial backend add tiers 10.0.0.21 &&
		on_trial backend add tiers 10.0.0.22 --priority 1 && wait_for 5 in_health '[4,0]' || return
	check_equal "the first group serves" 10.0.0.21 "$(owners tiers)" && on_trial simulate fail 10.0.0.21 && wait_for 5 in_health '[3,1]' &&
		check_equal "then the second" 10.0.0.22 "$(owners tiers)" && on_trial simulate recover 10.0.0.21 && on_trial vip del tiers --force
}
check "a backend that fails loses its slots until it recovers; a replay knows" fails_and_recovers
check "the next group joins" reserve_joins
# Backends drain one after the other: some slots have four owners then, and know of three.
owners_are_forgotten() {
	local backend
	on_trial vip add 192.0.2.12:80/tcp --name restless --table-size 251 || return
	for backend in 10.0.0.3{1,2,3,4}; do
		on_trial backend add restless "$backend" --second-chance yes || return
	done
	for backend in 10.0.0.3{1,2,3}; do
		on_trial backend drain restless "$backend" || return
	done
	on_trial vip show restless | grep -qE '^  slots .*, [1-9][0-9]* owners forgotten$' &&
		http /metrics | grep -qE '^lbd_pool_forgotten_owners_total\{pool="restless"\} [1-9]' && on_trial vip del restless --force
}
check "slots that change too often forget owners, and lbd counts them" owners_are_forgotten

check "an address that no backend has cannot fail" refuses "no backend with a health check is 10.9.9.9" simulate fail 10.9.9.9
doctor_is_silent() { on_trial doctor 2>said && grep -qx 'lbctl: this lbd simulates: no packet is balanced' said; }
check "doctor finds nothing wrong, and says that it simulates" doctor_is_silent
check "a replay says so" tells replay syn.pcap
check "an explanation of a file, too" tells explain --pcap syn.pcap
check "lists are refused, and files of them stay" has_no_lists
check "a probe is refused" refuses "this lbd simulates, and sends nothing" backend probe web 10.0.0.11
check "an echo request to a VIP is answered" says '^verdict  tx_echo' explain 198.51.100.7 192.0.2.10
stop
ended() { ! kill -0 "$PID"; }
check "it ends, and leaves nothing" wait_for 5 ended
check_equal "no socket, no state" "" "$(find . -newer new.json ! -name '*.json' -type s; ls -d state 2>/dev/null)"

# --- --check ---
# refused PATTERN WORDS…
refused() {
	local status
	unprivileged timeout -s KILL 20 "$DIR/bin/lbd" --simulate --config lbd.json "${@:2}" >said 2>&1
	status=$?
	cat said
	[ "$status" != 0 ] && grep -qE -- "$1" said
}
jq '.vips[0].backends[0].weight = 70000' new.json >wrong.json
check "a document with an error is refused, by its path" refused 'vips\[0\].backends\[0\].weight' --check --services wrong.json
jq '{vips: [range(4) | {address: "192.0.2.\(.):80/tcp"}]}' -n >many.json
check "so is one beyond the limits of lbd.json" refused 'this would make 4 VIPs|limit is 3' --check --services many.json
echo '{' >broken.json
check "and one that is no JSON" refused 'broken.json:' --check --services broken.json
check "a file that is not there" refused 'nosuch.json' --check --services nosuch.json
mkfifo fifo
check "a FIFO, at once" refused 'fifo: it is not a file' --check --services fifo
exported() { lbd --simulate --config lbd.json --check --services - < <(jq '.digest = "0123456789abcdef"' service.json); }
check "standard input will do, and a document that was exported elsewhere" exported
usage() { lbd "$@" >said 2>&1; [ $? = 2 ]; }
check "--services goes with --simulate only" usage --services new.json
check "a simulation detaches nothing" usage --simulate --detach
check "a rate is a number" usage --simulate --rate fast
finish
