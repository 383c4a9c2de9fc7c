#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is a list the one from before or the one from after, and the same on disk, in what lbctl says and for packets, when the disk
# refuses a change of it, or lbd is killed before any call of it?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/faults.sh
. tests/lib/faults.sh

CALLS_MAX=40

start_lbd() {
	LAB_LBD=
	lab_start_lbd '{"limits": {"vips": 16, "members": 64, "slots": 8192, "flows": 1024}}'
}
set_up() {
	lab_up one-armed 1 || return
	LISTS=$LAB_DIR/state/lists
	SAVED=$LISTS
	at_exit unwrap_lbd
	wrap_lbd
	start_lbd && lbctl vip add "$LAB_VIP4:80/tcp" --name web --table-size 251 &&
		lbctl backend add web "${LAB_BACKEND4[1]}" && lab_ready
}

# --- what there is: prefixes are 10.N.0.0/24, shown as numbers ---

reported() { # what lbctl says of both lists: x:1,2 y:none
	local list
	for list in x y; do
		printf '%s:%s ' "$list" "$(lbctl --json list show "$list" 2>/dev/null |
			jq -r '[.entries[].prefix | split(".")[1]] | join(",")' 2>/dev/null)"
	done
}
packets() { # which of 1 to 6 packets are dropped of
	local n
	for n in 1 2 3 4 5 6; do
		lbctl explain "10.$n.0.9:40001" web | grep -q '^verdict *drop_blocked' && printf '%s ' "$n"
	done
	return 0
}
agree() { # packets are dropped of what lists have, and of nothing else
	[ "$(packets)" = "$(reported | grep -o '[1-6]' | sort -u | paste -sd' ' | sed 's/$/ /; s/^ $//')" ] || {
		echo "lists have $(reported), packets are dropped of $(packets)"
		return 1
	}
}
numbers() { # N…: as lines
	printf '10.%s.0.0/24\n' "$@"
}

# --- killed before each call ---

# What was listed before or after, and after if lbctl was told so; the same for packets.
old_or_new() {
	local is
	is=$(reported)
	[ "$is" = "$2" ] || { [ "$is" = "$1" ] && [ "$3" != 0 ]; } || {
		echo "acknowledged with $3, but there is $is"
		return 1
	}
	agree
}
one() { numbers 1 | lbctl list load x -; }
only_one() { one && lbctl list del y --if-present; }
load_two() { numbers 4 5 | lbctl list load x -; }
add_two() { numbers 2 3 | lbctl list add x -; }
# every_call WHAT MANY OLD NEW PREPARE command…: of which there must be so MANY at least
every_call() {
	local what=$1 many=$2
	shift 2
	step "killed before each call of $what: old or new, whole, and for packets, too" at_every_call "$@"
	check "these are $CALLS calls, at least $many" test "$CALLS" -ge "$many"
}

# --- a disk that refuses ---

# refuses HOW REASON RULE command…
refuses() {
	local how=$1 reason=$2 rule=$3 before
	shift 3
	before=$(reported)
	fault "$rule"
	check "$how: a change is refused" exits 1 "$@"
	check "$how: with the file and the reason" grep -q "cannot write $LISTS/.*: $reason" "$LAB_DIR/out"
	check "$how: it has struck" struck
	no_fault
	check "$how: nothing is different" test "$(reported)" = "$before"
	check "$how: not for packets either" agree
}
# Two lists are changed by requests that are sent at once. Prints the codes of their errors, 0: none.
both() {
	python3 - "$LAB_DIR/lbd.sock" <<-'END'
		import json, socket, sys
		client = socket.socket(socket.AF_UNIX)
		client.connect(sys.argv[1])
		ask = lambda name, prefix: json.dumps({"jsonrpc": "2.0", "id": 1, "method": "list.add",
		                                       "params": {"name": name, "prefixes": [prefix]}}) + "\n"
		client.sendall((ask("x", "10.2.0.0/24") + ask("y", "10.3.0.0/24") + ask("x", "10.4.0.0/24")).encode())
		replies = client.makefile()
		print(*(json.loads(replies.readline()).get("error", {"code": 0})["code"] for _ in range(3)))
	END
}
both_refused() { # the file of one cannot be written: none of three changes is made, and no file has a trace of one
	local said
	fault "fdatasync $LISTS/y.list EIO 0 9"
	said=$(both)
	no_fault
	[ "$said" = "5 5 5" ] && [ "$(reported)" = "x:1 y:6 " ] && agree && ! grep -F 10.2.0.0 "$LISTS/x.list"
}

step "lbd balances" set_up
every_call "an addition" 6 "x:1 y: " "x:1,2,3 y: " one add_two
every_call "a load" 8 "x:1 y: " "x:4,5 y: " one load_two
every_call "a new list" 8 "x:1 y: " "x:1 y:6 " only_one lbctl list add y 10.6.0.0/24
only_one >"$LAB_DIR/out" 2>&1
refuses "no room to write" "No space left on device" "write $LISTS/x.list ENOSPC 0 9" add_two
refuses "fdatasync fails" "Input/output error" "fdatasync $LISTS/x.list EIO 0 9" add_two
refuses "no room for a load" "No space left on device" "write $LISTS/x.list ENOSPC 0 9" load_two
refuses "a load cannot be renamed" "Input/output error" "rename $LISTS/x.list EIO 0 9" load_two
refuses "a new list cannot be written" "Input/output error" "fsync $LISTS/y.list EIO 0 9" lbctl list add y 10.6.0.0/24
check "the same changes are made when the disk works again" add_two
check "all of them" test "$(reported)" = "x:1,2,3 y: "
only_one >"$LAB_DIR/out" 2>&1
check "a list beside it" lbctl list add y 10.6.0.0/24
check "where the disk refuses one of several changes that settle together, all are refused" both_refused
kill -9 "$LAB_LBD"
wait "$LAB_LBD" 2>/dev/null
step "lbd starts again" start_lbd
check "and finds nothing of them" test "$(reported)" = "x:1 y:6 "
check "nor do packets" agree
check "they are made when the disk works" test "$(both)" = "0 0 0"
check "and for packets, too" agree
finish
