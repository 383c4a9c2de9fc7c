#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the program stand at every interface of lbd.json that is there, whenever it comes, and nowhere else?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

O=$(realpath "${O:-build}")
LBD=$O/lbd/lbd
LBCTL=$O/lbctl/lbctl
ID=lb$$-iface
PINS=/sys/fs/bpf/$ID
DIR=$(mktemp -d)
LBD_PID=
at_exit rm -rf "$DIR"
at_exit rm -rf "$PINS"
at_exit ip netns delete "$ID"
at_exit end_lbd

end_lbd() {
	[ -z "$LBD_PID" ] || stop_lbd TERM
	LBD_PID=
}

make_link() {
	ip -n "$ID" link add "$1" type veth peer name "p$1" &&
		ip -n "$ID" link set "p$1" up && ip -n "$ID" link set "$1" up
}

# config MODE NAME…: interfaces of lbd.json
config() {
	jq -n --arg dir "$DIR" --arg pins "$PINS" --arg mode "$1" --args '{interfaces: $ARGS.positional, xdp_mode: $mode,
		control: {path: ($dir + "/lbd.sock"), group: ""}, state_dir: ($dir + "/state"), pin_dir: $pins}' \
		"${@:2}" >"$DIR/lbd.json"
}

# attached NAME: the kernel says so.
attached() {
	ip -n "$ID" -json link show "$1" | jq -e '.[0].xdp'
}

none_attached() {
	! ip -n "$ID" -json link show | jq -e '.[].xdp // empty'
}

# interface NAME FILTER: what lbd says of it.
interface() {
	lb --json status | jq -e --arg name "$1" ".interfaces[] | select(.name == \$name) | $2"
}

all_native() {
	lb --json status | jq -e 'all(.interfaces[]; .xdp_mode == "native")'
}

ifindex() {
	ip -n "$ID" -json link show "$1" | jq '.[0].ifindex'
}

logged() {
	grep -qF "$1" "$DIR/log"
}

test_start_without() {
	check "an lbd whose interfaces are all missing starts" start_lbd_here
	check "and warns of each" logged 'warning: no interface "e0": lbd attaches as soon as it appears'
	check "and that nothing is balanced" logged "warning: none of the interfaces in lbd.json is there"
	check "status shows them as missing, with the reason" interface e0 \
		'.xdp_mode == "detached" and .link == "missing" and (.reason | startswith("the interface does not exist"))'
	check "and exits 4" exits 4 lb status
	check "so does iface list, in words" exits 4 lb iface list
	check "with the reason" grep -qE '^e0 +0  detached  missing .*the interface does not exist' "$DIR/out"
	make_link e0
	check "when one comes the program is attached" wait_for 5 attached e0
	check "and status says so" interface e0 '.xdp_mode == "native" and .link == "up" and .reason == null'
	check "the other one is still missing" interface e1 '.xdp_mode == "detached"'
	check "and that it came is logged" logged "lbd: interface: e0 attached in native mode"
	make_link e1
	check "then the other one" wait_for 5 attached e1
	check "and all is well" wait_for 5 exits 0 lb status
	end_lbd
}

# Not through check: LBD_PID would be lost in its subshell.
start_lbd_here() {
	lb version
}

test_start_with_some() {
	ip -n "$ID" link delete e1
	start_lbd
	check "an lbd with one of two interfaces starts" test $? = 0
	check "at once with the one that is there" attached e0
	make_link e1
	check "and takes the other when it comes" wait_for 5 attached e1
}

test_deleted() {
	ip -n "$ID" link delete e0
	check "a deleted interface is shown as missing" wait_for 5 interface e0 '.xdp_mode == "detached" and .link == "missing"'
	check "and status exits 4" exits 4 lb status
	check "the other one goes on" attached e1
	make_link e0
	check "when it is back the program is attached again" wait_for 5 attached e0
	check "and status says so" wait_for 5 interface e0 '.xdp_mode == "native"'
}

# made_again INDEX
made_again() {
	ip -n "$ID" link delete e0 && ip -n "$ID" link add e0 index "$1" type veth peer name pe0
}

test_same_index() {
	local index
	index=$(ifindex e0)
	check "an interface is made again with the index that it had" made_again "$index"
	check "and has the program" wait_for 5 attached e0
	check "which status knows" interface e0 '.xdp_mode == "native"'
	ip -n "$ID" link set pe0 up
	ip -n "$ID" link set e0 up
}

test_down() {
	local before
	before=$(attached e0)
	ip -n "$ID" link set e0 down
	check "an interface that is down is told" wait_for 5 interface e0 '.link == "down"'
	check "and logged" wait_for 5 logged "lbd: warning: interface: e0 link_down"
	check "and keeps the program" test "$(attached e0)" = "$before"
	ip -n "$ID" link set e0 up
	check "that it is up again, too" wait_for 5 logged "lbd: interface: e0 link_up"
	check "up again, all is well" wait_for 5 exits 0 lb status
	check "with the same program" test "$(attached e0)" = "$before"
}

# More than a socket holds, so that what comes last is lost.
change_often() {
	local i
	for ((i = 0; i < 1000; i++)); do
		echo "link set pe1 mtu $((1400 + i % 2))"
	done | ip -n "$ID" -batch -
}

test_lost_notices() {
	kill -STOP "$LBD_PID"
	change_often
	ip -n "$ID" link set e0 down
	kill -CONT "$LBD_PID"
	check "that one went down among more changes than are kept is told" wait_for 5 interface e0 '.link == "down"'
	ip -n "$ID" link set e0 up
	check "and that it is up again" wait_for 5 exits 0 lb status
}

rename() {
	ip -n "$ID" link set "$1" down && ip -n "$ID" link set "$1" name "$2" && ip -n "$ID" link set "$2" up
}

exchange() {
	rename e0 x0
	rename e1 e0
	rename x0 e1
}

not_attached() {
	ip -n "$ID" -json link show "$1" | jq -e '.[0].xdp | not'
}

test_renamed() {
	rename e0 x0
	check "an interface that is renamed is let go of" wait_for 5 not_attached x0
	check "and status says what became of it" interface e0 '.reason | startswith("it was renamed to x0")'
	rename x0 e0
	check "with its name back it has the program again" wait_for 5 attached e0
	exchange
	check "two that have exchanged their names have it, too" wait_for 5 all_native
	check "as the kernel says" attached e0
	check "of both" attached e1
	check "and lbd knows which is which" interface e0 ".ifindex == $(ifindex e0)"
	exchange
	check "and once more" wait_for 5 interface e0 ".ifindex == $(ifindex e0)"
}

descriptors() {
	local all=("/proc/$LBD_PID/fd"/*)
	echo "${#all[@]}"
}

descriptors_are() {
	[ "$(descriptors)" = "$1" ]
}

links_pinned() {
	local all=("$PINS"/link_*)
	echo "${#all[@]}"
}

# Each time another index, as when a driver is loaded again.
made_again_often() {
	local i
	for i in {1..20}; do
		ip -n "$ID" link delete e0 && make_link e0 && wait_for 5 attached e0 || return
	done
}

test_no_leak() {
	local before
	before=$(descriptors)
	check "an interface is made again 20 times" made_again_often
	wait_for 5 all_native
	check "no descriptor is left over" wait_for 5 descriptors_are "$before"
	check_equal "and no pin" 2 "$(links_pinned)"
}

test_moved() {
	ip netns add "$ID-other"
	at_exit ip netns delete "$ID-other"
	ip -n "$ID" link set e1 netns "$ID-other"
	check "an interface that moves to another namespace is missing" wait_for 5 interface e1 '.link == "missing"'
	check "and has no program there" none_attached_in "$ID-other"
	ip -n "$ID-other" link set e1 netns "$ID"
	ip -n "$ID" link set e1 up
	check "back again, it has" wait_for 5 attached e1
}

none_attached_in() {
	ip -n "$1" -json link show | jq -e 'all(.[]; .xdp | not)'
}

# refused WORDS…: lbd does not start, and says each of these.
refused() {
	local words
	exits 1 run_lbd_once || return
	for words; do
		grep -qF "$words" "$DIR/out" || { cat "$DIR/out"; return 1; }
	done
}

run_lbd_once() {
	timeout 60 nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json"
}

# What waiting cannot cure.
test_refused() {
	ip -n "$ID" link set dev e1 xdpgeneric obj "$O/tests/lib/pass.bpf.o" sec xdp.frags
	check "another XDP program at an interface is refused, with its path" refused \
		"e1 already has an XDP program" "(at interfaces[1])"
	ip -n "$ID" link set dev e1 xdpgeneric off
	ip -n "$ID" link add br0 type bridge
	config native e0 br0
	check "so is a driver without the native mode that is asked for" refused "cannot attach to br0: " "(at interfaces[1])"
	config native e0 "name-that-is-too-long"
	check "so is a name that can never exist" refused "has more than 15 characters" "(at interfaces[1])"
}

if [ "$(id -u)" != 0 ]; then
	skip "interfaces that come and go" "root"
	finish
fi
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
ip netns add "$ID"
config native e0 e1
start_lbd >"$DIR/note" 2>&1
test_start_without
test_start_with_some
test_deleted
test_same_index
test_down
test_lost_notices
test_renamed
test_no_leak
test_moved
kill -HUP "$LBD_PID"
check "SIGHUP is told to have no effect" wait_for 5 grep -qF "SIGHUP is ignored: lbd.json is read at start only" "$DIR/log"
check "and has none" lb version
kill "$LBD_PID"
check "SIGTERM ends lbd in good order" wait_for 5 test ! -e "$DIR/lbd.sock"
LBD_PID=
check "--detach takes the program from all" nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/lbd.json" --detach
check "of them" none_attached
test_refused
finish
