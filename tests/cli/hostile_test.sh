#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do those who may only look leave lbd to those who may change something? At the read-only socket one user asks for what
# costs, sends half lines, reads no replies, holds connections; meanwhile a writer's longest wait and lbd's memory are
# measured.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd hostile "a writer beside hostile readers"
WAIT_MS=2000 # of a writer at most; a reply takes a millisecond or so when the machine is idle
GROWTH_KB=98304
SECONDS_EACH=2
# What AddressSanitizer keeps of freed memory is not lbd's.
export ASAN_OPTIONS=quarantine_size_mb=1:${ASAN_OPTIONS:-}
cp tests/cli/hostile_clients.py "$DIR" # where any user may read it
CLIENTS=$DIR/hostile_clients.py

set_up() {
	make_node "$DIR/state" 4m || return
	cat >"$DIR/lbd.json" <<-END
		{"interfaces": ["e0"], "state_dir": "$DIR/state", "pin_dir": "$PINS",
		 "control": {"path": "$DIR/lbd.sock", "group": "daemon", "read_only_path": "$DIR/ro.sock"},
		 "limits": {"vips": 256, "members": 4096, "slots": 262144, "flows": 4096}}
	END
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit stop_lbd
	start_lbd
}

# 200 VIPs of 10 backends: replies that cost something
document() {
	jq -n '{vips: [range(200) | {name: "v\(.)", address: "192.0.2.\(.):80/tcp", table_size: 251,
		backends: [range(10) | {address: "10.0.9.\(. + 1)"}]}]}'
}

# as UID CASE SOCKET SECONDS
as() {
	setpriv --reuid="$1" --regid="$1" --clear-groups /usr/bin/python3 "$CLIENTS" "$3" "$2" "$4"
}

memory_kb() {
	awk '/^VmRSS:/ { print $2 }' "/proc/$LBD_PID/status"
}

# beside CASE: a user begins it, and while it goes on a writer asks for as long; WAITED is its longest wait in ms,
# GREW what lbd took of memory meanwhile.
beside() {
	local hostile before
	before=$(memory_kb)
	as 65534 "$1" "$DIR/ro.sock" $((SECONDS_EACH + 20)) >"$DIR/$1.out" 2>&1 &
	hostile=$!
	wait_for 20 grep -q ready "$DIR/$1.out"
	WAITED=$(/usr/bin/python3 "$CLIENTS" "$DIR/lbd.sock" ask $SECONDS_EACH) || WAITED=never
	CHANGED=$( (lb backend set v1 10.0.9.1 --weight $((RANDOM % 100 + 2)) 2>&1 && echo "done") | tail -n 1)
	OTHER=$(as 65533 ask "$DIR/ro.sock" 1 2>&1 | tail -n 1)
	GREW=$(($(memory_kb) - before))
	kill "$hostile"
	wait "$hostile"
} 2>/dev/null

at_most() {
	echo "$1"
	[ "$1" -le "$2" ]
}

# goes_well CASE WORDS
goes_well() {
	beside "$1"
	echo "      $2: a writer waited $WAITED ms, another reader $OTHER ms, lbd grew by $GREW kB"
	check "$2: a writer waits no longer than $WAIT_MS ms" at_most "$WAITED" $WAIT_MS
	check_equal "$2: a change is made" "done" "$CHANGED"
	check "$2: another user's question is answered" at_most "$OTHER" 20000
	check "$2: lbd takes less than $((GROWTH_KB / 1024)) MiB for it" at_most "$GREW" $GROWTH_KB
}

hurry
step "an lbd with 200 VIPs answers on two sockets" set_up
document | lb config apply - >"$DIR/out" || cat "$DIR/out"

check "what costs is refused there: config.check" exits 1 "$LBCTL" --socket "$DIR/ro.sock" config check - <<<'{"vips": []}'
check "with the way to go" grep -q "hint: use $DIR/lbd.sock, as root or as a member of group daemon" "$DIR/out"
check "config diff of a small document is answered" exits 4 "$LBCTL" --socket "$DIR/ro.sock" config diff - <<<'{"vips": []}'
jq -n '{vips: [range(3000) | {address: "198.18.\(. / 250 | floor).\(. % 250):80/tcp"}]}' >"$DIR/large.json"
check "one of a large document is refused" exits 1 "$LBCTL" --socket "$DIR/ro.sock" config diff "$DIR/large.json"
check "with the bound" grep -q "a request is longer than 65536 bytes" "$DIR/out"
check "and taken by the main socket" exits 4 lb config diff "$DIR/large.json"

goes_well check "300 clients that ask for checks"
goes_well diff "300 clients that compare documents"
goes_well read "300 clients that list and export"
goes_well never_read "300 clients that never read"
goes_well half_lines "60 clients with half a line each"
goes_well hold "2,000 connections that are held"
check "lbd is still the same process" kill -0 "$LBD_PID"
finish
