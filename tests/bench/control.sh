#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Gives tests/bench/control.c an interface to start lbd on, in a network namespace of its own, and clears away after it.
#
#	control.sh [--json] [--large | --turns | --pools | --limits]
#
# Needs root and 500 MB of memory. From the environment: O, where the build is.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath "${O:-build}")
ID=lbbench$$
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
# The command of health checks: a backend is ill while there is a file by its address.
chmod 755 "$DIR" && mkdir "$DIR/checks" && cat >"$DIR/checks/is-well" <<'END'
#!/bin/sh
test ! -e "$1/ill-$LBD_BACKEND"
END
chmod 755 "$DIR/checks" "$DIR/checks/is-well"

nobody_left() {
	[ -z "$(ip netns pids "$ID")" ]
}

# Whatever has become of the program, no lbd stays: it runs in its own group, as the only one in the namespace.
clear_away() {
	local pid
	for pid in $(ip netns pids "$ID"); do
		kill -KILL "$pid"
	done
	wait_for 5 nobody_left # it holds the lock of the pins for as long as it ends
	nsenter --net="/run/netns/$ID" "$O/lbd/lbd" --config "$DIR/lbd.json" --detach
	ip netns del "$ID"
}

set_up() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	ip netns add "$ID" || return
	at_exit clear_away
	ip -n "$ID" -batch - <<-END
		link set lo up
		link add e0 mtu 1600 type veth peer name p0 mtu 1600
		link set e0 up
		link set p0 up
		address add 10.0.0.1/24 dev e0
		neighbour add 10.0.0.254 lladdr 02:00:00:00:00:01 dev e0 nud permanent
		route add default via 10.0.0.254
	END
}

set_up || exit
nsenter --net="/run/netns/$ID" "$O/tests/bench/control" "$@" "$O/lbd/lbd" "$DIR" e0 "/sys/fs/bpf/$ID"
