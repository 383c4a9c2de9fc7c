#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is a services file in force after a start and after a reload, and does a wrong one leave what was there? In a network
# namespace of its own.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd reload "a services file"
FILE=$DIR/services.json

# services PORT…: a document with one VIP for each port
services() {
	jq -n '{vips: [$ARGS.positional[] | {name: ("p" + .), address: ("192.0.2.1:" + . + "/tcp"), table_size: 251,
		backends: [{address: "10.0.0.2"}]}]}' --args "$@" >"$FILE"
}

set_up() {
	make_node "$DIR/state" 256k || return
	jq -n --arg dir "$DIR" --arg pins "$PINS" --arg file "$FILE" '{interfaces: ["e0"],
		state_dir: ($dir + "/state"), pin_dir: $pins, services: $file,
		control: {path: ($dir + "/lbd.sock"), group: "daemon"},
		limits: {vips: 64, members: 64, slots: 32768, flows: 64}}' >"$DIR/lbd.json"
	jq 'del(.services)' "$DIR/lbd.json" >"$DIR/without.json"
	ip -n "$ID" neighbor add 10.0.0.2 lladdr 02:00:00:00:00:02 dev e0
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit stop_lbd
	services 80 81
	start_lbd
}

# One SYN to the VIP, from what is beyond the cable. What has had no packet has no flow to lose.
knocks() {
	local mac
	mac=$(ip -n "$ID" -j link show e0 | jq -r '.[0].address')
	nsenter --net="/run/netns/$ID" /usr/bin/python3 - "$mac" <<-'END'
		import sys
		from scapy.all import IP, TCP, Ether, sendp
		sendp(Ether(dst=sys.argv[1]) / IP(src="198.51.100.2", dst="192.0.2.1") / TCP(dport=80), iface="p0", verbose=False)
	END
}

is_counted() {
	lb --json stats p80 | jq -e '[.. | .packets? // 0] | add > 0'
}

silent() {
	! warns "$1"
}

on_trial() {
	services 80 81
	lb config apply "$FILE" --confirm 60s
}

vips() {
	lb --json vip list | jq -r '[.vips[].name] | sort | join(" ")'
}

# refuses TEXT WORDS…: lbctl WORDS… fails with that in its message
refuses() {
	local text=$1
	shift
	! lb "$@" >"$DIR/out" 2>&1 || return
	cat "$DIR/out"
	grep -qF "$text" "$DIR/out"
}

warns() {
	lb --json status | jq -e --arg text "$1" 'any(.warnings[]; contains($text))'
}

again() {
	stop_lbd TERM
	start_lbd
}

set_up
check_equal "the file is in force after the first start" "p80 p81" "$(vips)"
services 80 81 82
check_equal "what has changed in it is so after a reload" "p80 p81 p82" "$(lb config reload >"$DIR/out" && vips)"
check "the event says config.reload" grep -q 'p82' "$DIR/out"
check "a dry run says what it would do" eval 'services 80 && lb config reload --dry-run | tee /dev/stderr | grep -q "would be removed"'
check_equal "and does nothing" "p80 p81 p82" "$(vips)"
check "a packet for p80 arrives" eval 'knocks && wait_for 5 is_counted'
services 82
check "what would end flows is refused" refuses "breaks connections" config reload
check "status says that the file is not in force" warns "the services file is not in force: $FILE: this breaks connections"
check_equal "what ends none is in force" "p80" "$(services 80; lb config reload >/dev/null && vips)"
check "and status says no more of it" silent "services file"

echo '{"vips": [{"name": "p80", "address": "192.0.2.1:80/tcp", "backends": [{"address": "10.0.0.300"}]}]}' >"$FILE"
check "a wrong address is named with the file and its place" refuses "vips[0].backends[0].address" config reload
check "with the file" grep -qF "$FILE: " "$DIR/out"
echo '{"vips": [' >"$FILE"
check "so is a syntax error, with its line" refuses "$FILE:2:" config reload
echo '[]' >"$FILE"
check "so is an array" refuses "$FILE: must hold an object" config reload
rm "$FILE"
check "so is a file that is not there" refuses "$FILE: No such file" config reload
mkfifo "$FILE"
check "so is a FIFO, at once" refuses "$FILE: it is not a file" config reload
check_equal "each left what was there" "p80" "$(vips)"

mkdir -p "$DIR/state/lists" && mkfifo "$DIR/state/lists/e.list"
step "a start where FIFOs are in the place of files" again
check "says so of the services file" warns "the services file is not in force: $FILE: it is not a file"
check "and of a list" warns "e.list: it is not a file"
check_equal "and has what was there" "p80" "$(vips)"
rm "$FILE" "$DIR/state/lists/e.list"

services 80
step "a change is on trial" on_trial
check "a reload meanwhile is refused, with the time that is left" refuses "reverts by itself in" config reload
step "the trial ends" lb config revert
check "status says why the file is not in force, and no time" warns "a change waited to be confirmed when it was read"
check "none of a trial that is over" silent "reverts by itself"
services 80
check_equal "a reload ends that" "p80" "$(lb config reload >/dev/null; vips)"
check "in status, too" silent "services file"
rm "$FILE"

step "a start with no such file" again
check_equal "has what was there" "p80" "$(vips)"
check "and says so in status" warns "the services file is not in force: $FILE: No such file"
services 90
step "a start whose file would end flows" again
check_equal "has what was there, too" "p80" "$(vips)"
services 80 83
step "a start after that was repaired" again
check_equal "has what the file says" "p80 p83" "$(vips)"
lb vip add 192.0.2.9:80/tcp --name mine --table-size 251 >/dev/null
check_equal "a change by lbctl holds until the next reload" "mine p80 p83" "$(vips)"
check_equal "which takes it back" "p80 p83" "$(lb config reload >/dev/null; vips)"
stop_lbd TERM
cp "$DIR/without.json" "$DIR/lbd.json"
step "an lbd without a services file starts" start_lbd
check "and refuses to reload" refuses "lbd.json has no services file" config reload
finish
