#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is an interface that goes away noticed, and taken again when it is back?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath "${O:-build}")
NETNS=lb$$-iface
PINS=/sys/fs/bpf/$NETNS
DIR=$(mktemp -d)
LBD_PID=
at_exit rm -rf "$DIR"
at_exit rm -rf "$PINS"
at_exit ip netns delete "$NETNS"
at_exit stop

stop() {
	[ -z "$LBD_PID" ] || { kill "$LBD_PID" && wait "$LBD_PID"; }
	LBD_PID=
}

ctl() {
	"$O/lbctl/lbctl" --socket "$DIR/lbd.sock" "$@"
}

mode_is() {
	ctl --json status | jq -e --arg mode "$1" '.interfaces[0].xdp_mode == $mode'
}

make_link() {
	ip -n "$NETNS" link add e0 type veth peer name e1 &&
		ip -n "$NETNS" link set e0 up && ip -n "$NETNS" link set e1 up
}

attached() {
	ip -n "$NETNS" -json link show e0 | jq -e '.[0].xdp'
}

exits_4() {
	ctl status
	[ $? = 4 ]
}

ip netns add "$NETNS"
make_link
cat >"$DIR/lbd.json" <<-END
	{"interfaces": ["e0"], "control": {"path": "$DIR/lbd.sock"}, "state_dir": "$DIR/state",
	 "pin_dir": "$PINS", "xdp_mode": "native"}
END
nsenter --net="/run/netns/$NETNS" "$O/lbd/lbd" --config "$DIR/lbd.json" 2>"$DIR/log" &
LBD_PID=$!
check "lbd starts" wait_for 10 ctl version || cat "$DIR/log"
check "the program is attached" attached
ip -n "$NETNS" link delete e0
check "a deleted interface is shown as detached" wait_for 5 mode_is detached
check "and status exits 4" exits_4
make_link
check "when it is back the program is attached again" wait_for 5 attached
check "and status says so" wait_for 5 mode_is native
kill -HUP "$LBD_PID"
check "SIGHUP ends lbd in good order" wait_for 5 test ! -e "$DIR/lbd.sock"
finish
