# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# An lbd of a test's own, in the network namespace $ID: its configuration is $DIR/lbd.json, with the socket $DIR/lbd.sock.
# To be sourced by a test, after check.sh, which then calls own_lbd.

# own_lbd NAME [WHAT]: LBD and LBCTL, unless the environment names them, those of the build O; ID and PINS, which are no
# other run's; the folder DIR, which goes at exit. A test that needs root names what is skipped without.
own_lbd() {
	LBD=$(realpath "${LBD:-${O:-build}/lbd/lbd}")
	LBCTL=$(realpath "${LBCTL:-${O:-build}/lbctl/lbctl}")
	ID=lb$1$$
	# shellcheck disable=SC2034 # of the test
	PINS=/sys/fs/bpf/$ID
	if [ "$#" = 2 ] && [ "$(id -u)" != 0 ]; then
		skip "$2" "root"
		finish
	fi
	DIR=$(mktemp -d)
	at_exit rm -rf "$DIR"
	chmod 755 "$DIR"
}

# make_node STATE SIZE: the namespace, with an interface e0 for lbd and an address on it, a BPF file system, and a small
# file system for its state. All of it goes at exit.
make_node() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	mkdir "$1"
	mount -t tmpfs -o "size=$2" tmpfs "$1" || return
	at_exit umount -l "$1"
	ip netns add "$ID" || return
	at_exit ip netns del "$ID"
	ip -n "$ID" link set lo up
	ip -n "$ID" link add e0 mtu 1600 type veth peer name p0 mtu 1600
	ip -n "$ID" link set e0 up
	ip -n "$ID" link set p0 up
	ip -n "$ID" address add 10.0.0.1/24 dev e0
}

# run_lbd NAME: by $DIR/NAME.json. Takes the place of the subshell it must be called in, so that $! is lbd's.
run_lbd() {
	exec nsenter --net="/run/netns/$ID" "$LBD" --config "$DIR/$1.json" 2>>"$DIR/log"
}

# Not through check, which runs in a subshell: LBD_PID would be lost.
start_lbd() {
	run_lbd lbd &
	LBD_PID=$!
	wait_for 20 lb version || {
		cat "$DIR/log"
		return 1
	}
}

# stop_lbd [SIGNAL]
stop_lbd() {
	kill "-${1:-TERM}" "$LBD_PID"
	wait "$LBD_PID"
} 2>/dev/null

lb() {
	"$LBCTL" --socket "$DIR/lbd.sock" "$@"
}

# exits CODE command args…: what the command printed goes to $DIR/out.
exits() {
	local expected=$1 status
	shift
	"$@" >"$DIR/out" 2>&1
	status=$?
	[ "$status" = "$expected" ] || {
		echo "exit $status"
		cat "$DIR/out"
		return 1
	}
}

# edit_state FILTER: what a stopped lbd has on disk, as an operator edits it: format 1, which has no checksum.
edit_state() {
	jq "$1 | .format = 1 | del(.checksum)" "$DIR/state/service.json" >"$DIR/edited" &&
		cp "$DIR/edited" "$DIR/state/service.json"
}
