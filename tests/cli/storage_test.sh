#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a change that the disk refuses, or that lbd does not live to finish, leave everything as it was? A real lbd, its state
# on a small disk of its own, and every system call of a save failing, or being lbd's last, in turn. A stream of packets goes
# through all of it.
#
# LBD and LBCTL name the binaries. Needs root.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
O=${O:-build}
LBD=$(realpath "${LBD:-$O/lbd/lbd}")
LBCTL=$(realpath "${LBCTL:-$O/lbctl/lbctl}")
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/faults.sh
. tests/lib/faults.sh

RATE=2000
CALLS_MAX=60
LIMITS='{"xdp_mode": "native", "limits": {"vips": 256, "members": 64, "slots": 8192, "flows": 1024}}'

if [ "$(id -u)" != 0 ]; then
	skip "failing disks" "root"
	finish
fi

# --- the lab: lbd with the library that makes calls fail ---

set_up() {
	lab_up one-armed 2 && lab_ip router -force link set dev rl xdpdrv \
		obj "$O/tests/lib/flood.bpf.o" sec xdp.frags || return
	STATE=$LAB_DIR/state
	SAVED=$STATE
	KEPT=$STATE/service.json
	mkdir "$STATE" && mount -t tmpfs -o size=256k tmpfs "$STATE" || return
	at_exit umount -l "$STATE"
	at_exit unwrap_lbd
	wrap_lbd
	documents
	lab_start_lbd "$LIMITS" && lbctl config apply "$LAB_DIR/one.json" && lab_ready
}

# large WEIGHT: a document of which changes go to the journal
large() {
	jq --argjson weight "$1" --arg backend "${LAB_BACKEND4[1]}" '
		.pools = [{name: "many", table_size: 251, backends: [{address: $backend, weight: $weight}]}] |
		.vips += [range(130) | {address: "198.51.100.\(.):80/tcp", pool: "many"}]' "$LAB_DIR/one.json"
}

# The VIP that the stream goes to is the same in each; of the others one goes, one comes and one changes.
documents() {
	local backend=${LAB_BACKEND4[1]} other=${LAB_BACKEND4[2]}
	local stream="{\"name\": \"stream\", \"address\": \"$LAB_VIP4:80/tcp\", \"table_size\": 1021,
		\"backends\": [{\"address\": \"$backend\"}, {\"address\": \"$other\"}]}"
	cat >"$LAB_DIR/one.json" <<-END
		{"vips": [$stream,
		  {"name": "web", "address": "192.0.2.20:443/tcp", "table_size": 1021, "transition_s": 1,
		   "backends": [{"address": "$backend", "weight": 10}, {"address": "$other", "weight": 10}]},
		  {"name": "goes", "address": "192.0.2.21:80/tcp", "table_size": 251, "backends": [{"address": "$other"}]}]}
	END
	cat >"$LAB_DIR/two.json" <<-END
		{"vips": [$stream,
		  {"name": "shop", "address": "192.0.2.20:443/tcp", "table_size": 1021, "transition_s": 1,
		   "backends": [{"address": "$backend", "weight": 3}]},
		  {"name": "comes", "address": "192.0.2.22:53/udp", "table_size": 251, "backends": [{"address": "$backend"}]}]}
	END
}

# --- what must not change ---

sorted() {
	jq -S 'if .pools then .pools |= sort_by(.name) else . end | .vips |= sort_by(.address)'
}

in_force() {
	lbctl config export | jq 'del(.digest)' | sorted
}

# The whole document, and the lines of its journal, should it have one.
on_disk() {
	local journal
	journal=$(jq .journal "$KEPT")
	{
		jq .document "$KEPT"
		[ "$journal" = null ] || cut -c 10- "$STATE/service.journal.$journal"
	} | jq -s '
		def take($list; $key; $line): ($line[$list] // {}) as $set | if $set == {} then . else
			.[$list] = [.[$list][]? | select(.[$key] as $is | $set | has($is) | not)] + [$set[] | select(.)] end;
		reduce .[1:][] as $line (.[0]; take("pools"; "name"; $line) | take("vips"; "address"; $line))' | sorted
}

# Without the journal that the document names.
files() {
	local name names=() own
	own=service.journal.$(jq .journal "$KEPT" 2>/dev/null)
	for name in "$STATE"/*; do
		name=${name##*/}
		[ "$name" = filling ] || [ "$name" = "$own" ] || names+=("$name")
	done
	echo "${names[*]}"
}

# Every VIP entry, slot and next hop that packets go by, and the members that are in use.
plane() {
	local map
	for map in vips4 vips6 slots nexthops tuning; do
		bpftool map dump pinned "/sys/fs/bpf/$LAB_ID/$map" | md5sum
	done
	bpftool -j map dump pinned "/sys/fs/bpf/$LAB_ID/members" |
		jq -c '.[].formatted.value | select(.flags != 0)' | md5sum
}

settled() {
	lbctl --json vip list | jq -e 'all(.vips[]; .slots.settled == .table_size)'
}

streamed() {
	lbctl --json stats stream | jq '.vips[0].packets'
}

stream() {
	local mac
	mac=$(lab_ip balancer -json link show l0 | jq -r '.[0].address')
	lab_background router "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" \
		--interface rl --dmac "$mac" --ack --rate "$RATE" --seconds 1800 \
		"$LAB_VIP4" 80 >"$LAB_DIR/stream" 2>&1
	STREAM=$LAB_PID
	wait_for 5 flows
}

flows() {
	[ "$(streamed)" -gt "$RATE" ]
}

# Packets that XDP was run for.
seen_by_driver() {
	lab_in balancer ethtool -S l0 |
		awk '/rx_queue_[0-9]+_xdp_packets/ { sum += $2 } END { print sum }'
}

# Each packet that reached the driver has its verdict, and none was dropped; the stream has gone on till now.
nothing_lost() {
	local driver stats
	driver=$(seen_by_driver)
	stats=$(lbctl --json stats)
	jq -c '[.verdicts[] | select(.packets > 0) | {(.name): .packets}] | add' <<<"$stats"
	echo "the driver saw $driver, of the stream $(streamed)"
	kill -0 "$STREAM" && jq -e --argjson driver "$driver" --argjson most "$(seen_by_driver)" '
		([.verdicts[].packets] | add) as $sum | $driver <= $sum and $sum <= $most and
		([.verdicts[] | select(.action == "drop") | .packets] | add) == 0' <<<"$stats"
}

# --- a disk that refuses ---

# Nothing is different, on disk, in memory and in the data plane, from what $BEFORE and $PLANE say.
nothing_changed() {
	diff <(echo "$BEFORE") <(in_force) && diff <(echo "$BEFORE") <(on_disk) &&
		diff <(echo "$PLANE") <(plane) && diff <(echo "hash_seed lock service.json") <(files)
}

remember() {
	wait_for 10 settled
	BEFORE=$(in_force)
	PLANE=$(plane)
}

# is_refused HOW REASON: a document that adds, removes and changes VIPs
is_refused() {
	check "$1: a change is refused" exits 1 lbctl config apply "$LAB_DIR/two.json"
	check "$1: with the file and the reason" grep -qF "lbctl: cannot write $KEPT: $2" "$LAB_DIR/out"
	check "$1: and what to do" grep -q "hint: nothing was changed; make room or repair" "$LAB_DIR/out"
	check "$1: nothing is different, in memory, on disk, or in the data plane" nothing_changed
}

goes_on() {
	check "$1: the same change is made when the disk works again" exits 0 lbctl config apply "$LAB_DIR/two.json"
	check "$1: and is on disk" test "$(on_disk)" = "$(in_force)"
	lbctl config apply "$LAB_DIR/one.json" >"$LAB_DIR/out" 2>&1
}

# refuses HOW REASON RULE…
refuses() {
	local how=$1 reason=$2
	shift 2
	remember
	fault "$@"
	is_refused "$how" "$reason"
	check "$how: it has struck" struck
	no_fault
	goes_on "$how"
}

# takes HOW RULE…: what is no failure
takes() {
	local how=$1
	shift
	remember
	fault "$@"
	check "$how: a change is made" exits 0 lbctl config apply "$LAB_DIR/two.json"
	check "$how: it has struck" struck
	no_fault
	check "$how: it is on disk as a whole" test "$(on_disk)" = "$(in_force)" -a "$(in_force)" != "$BEFORE"
	lbctl config apply "$LAB_DIR/one.json" >"$LAB_DIR/out" 2>&1
}

test_faults() {
	refuses "the file cannot be made" "Input/output error" "open $KEPT EIO 0 9"
	refuses "no room to write" "No space left on device" "write $KEPT ENOSPC 0 9"
	refuses "no room half-way" "No space left on device" "write $KEPT short 0 1" "write $KEPT ENOSPC 1 9"
	refuses "quota half-way" "Disk quota exceeded" "write $KEPT short 0 1" "write $KEPT EDQUOT 1 9"
	refuses "a write fails" "Input/output error" "write $KEPT EIO 0 1"
	refuses "fsync of the file fails" "Input/output error" "fsync $KEPT EIO 0 9"
	refuses "fsync of the folder fails" "Input/output error" "fsync $STATE EIO 1 9"
	refuses "fsync of the folder fails once" "Input/output error" "fsync $STATE EIO 1 1"
	refuses "close fails" "Input/output error" "close $KEPT EIO 0 9"
	takes "no second name can be given" "link $KEPT EPERM 0 9"
	refuses "no second name, and no copy" "Operation not permitted" "link $KEPT EPERM 0 9" "write $KEPT.old EIO 0 9"
	refuses "no second name, and fsync of the folder fails" "Input/output error" "link $KEPT EPERM 0 9" "fsync $STATE EIO 2 1"
	refuses "rename fails" "Input/output error" "rename $KEPT EIO 0 1"
	refuses "the folder cannot be opened" "Permission denied" "open $STATE EACCES 1 1"
	takes "short writes" "write $KEPT short 0 8"
	takes "interrupted writes" "write $KEPT EINTR 0 3"
	takes "what is left cannot be removed" "unlink $KEPT EIO 0 9"
}

# Taking it back fails too: what is told of that is all that can be done.
test_stuck() {
	remember
	fault "fsync $STATE EIO 1 9" "rename $KEPT EIO 1 9"
	check "what cannot be taken back is told" exits 1 lbctl config apply "$LAB_DIR/two.json"
	check "with what to do" grep -qF "make any change before lbd is restarted" "$LAB_DIR/out"
	no_fault
	check "nothing has changed in memory" test "$(in_force)" = "$BEFORE"
	check "the next change is made" exits 0 lbctl backend set web "${LAB_BACKEND4[1]}" --weight 11
	check "and sets the disk right" test "$(on_disk)" = "$(in_force)" -a "$(files)" = "hash_seed lock service.json"
	lbctl config apply "$LAB_DIR/one.json" >"$LAB_DIR/out" 2>&1
}

fill_disk() {
	dd if=/dev/zero of="$STATE/filling" bs=4k 2>/dev/null
	[ "$(stat -f -c %f "$STATE")" = 0 ]
}

warns() {
	lbctl --json status | jq -e --arg words "$1" 'any(.warnings[]; contains($words))'
}

warns_not() {
	! warns "$1"
}

# The log since lbd's start.
faults() {
	grep -c "error: fault: the document cannot be saved: cannot write $KEPT: " "$LAB_DIR/lbd.log"
}

test_disk() {
	local before
	before=$(faults)
	remember
	check "the disk is full" fill_disk
	is_refused "disk full" "No space left on device"
	check "disk full: status warns at once" warns "could not be saved: cannot write $KEPT: No space left"
	check "disk full: the log has one error more, whatever was tried" test "$(faults)" = $((before + 1))
	rm "$STATE/filling"
	goes_on "disk full"
	check "room again: no warning is left" warns_not "could not be saved"
	remember
	mount -o remount,ro "$STATE"
	is_refused "read-only folder" "Read-only file system"
	check "read-only folder: status warns of it" wait_for 6 warns "cannot write in $STATE: Read-only file system"
	mount -o remount,rw "$STATE"
	goes_on "read-only folder"
	check "writable again: the warning goes" wait_for 6 warns_not "cannot write in"
}

# --- an lbd that is killed between two system calls ---

start_lbd() {
	LAB_LBD=
	lab_start_lbd "$LIMITS"
}

# What is there is one of the two documents, whole, and the new one if lbctl was told so; nothing else is left.
old_or_new() {
	local is
	is=$(in_force)
	if [ "$is" != "$2" ] && { [ "$is" != "$1" ] || [ "$3" = 0 ]; }; then
		echo "acknowledged with $3, but there is $is"
		return 1
	fi
	[ ! -e "$KEPT" ] || [ "$(on_disk)" = "$is" ] || { echo "on disk is $(cat "$KEPT")"; return 1; }
	[ "$(files)" = "hash_seed lock service.json" ] || [ "$(files)" = "hash_seed lock" ] || { files; return 1; }
}

apply_one() {
	local unconfirmed
	unconfirmed=$(lbctl --json status | jq .unconfirmed)
	[ "$unconfirmed" = null ] || lbctl config revert
	lbctl config apply "$LAB_DIR/one.json"
}

trial_of_two() {
	apply_one && lbctl config apply "$LAB_DIR/two.json" --confirm 600s
}

nothing_kept() {
	lbctl config apply - --force <<<'{"vips": []}' && lab_stop_lbd && rm -f "$KEPT"* && start_lbd
}

test_kill_while_saving() {
	local one two none='{
  "vips": []
}'
	lbctl config apply "$LAB_DIR/two.json" >"$LAB_DIR/out" 2>&1
	two=$(in_force)
	lbctl config apply "$LAB_DIR/one.json" >"$LAB_DIR/out" 2>&1
	one=$(in_force)
	at_every_call "$one" "$two" apply_one lbctl config apply "$LAB_DIR/two.json" >"$LAB_DIR/note" 2>&1
	check "killed before each of $CALLS calls of a change: old or new, and what was acknowledged" test $? = 0 ||
		cat "$LAB_DIR/note"
	check "that were all of a save, and the reply" test "$CALLS" -ge 12
	at_every_call "$one" "$two" apply_one lbctl config apply "$LAB_DIR/two.json" --confirm 600s >"$LAB_DIR/note" 2>&1
	check "the same for $CALLS calls of a change on trial" test $? = 0 || cat "$LAB_DIR/note"
	at_every_call "$two" "$two" trial_of_two lbctl config confirm >"$LAB_DIR/note" 2>&1
	check "for $CALLS calls of confirming it" test $? = 0 || cat "$LAB_DIR/note"
	at_every_call "$two" "$one" trial_of_two lbctl config revert >"$LAB_DIR/note" 2>&1
	check "for $CALLS calls of reverting it" test $? = 0 || cat "$LAB_DIR/note"
	at_every_call "$none" "$one" nothing_kept lbctl config apply "$LAB_DIR/one.json" >"$LAB_DIR/note" 2>&1
	check "for $CALLS calls of the first change of all" test $? = 0 || cat "$LAB_DIR/note"
}

# The seed is written by the first start.
test_kill_while_starting() {
	local n status=1
	for ((n = 0; n < 40; n++)); do
		lab_stop_lbd
		rm -f "$STATE"/*
		"$REAL_LBD" --config "$LAB_DIR/lbd.json" --detach
		fault "any $STATE/ kill $n 1"
		start_lbd >"$LAB_DIR/note" 2>&1
		status=$?
		struck >"$LAB_DIR/struck" || break
		no_fault
		wait "$LAB_LBD" 2>/dev/null
		start_lbd >"$LAB_DIR/note" 2>&1 || break
		[ "$(files)" = "hash_seed lock service.json" ] || break
	done
	check "killed before each of $n calls of a first start, the second one starts" test "$status" = 0 -a "$n" -ge 5 || {
		files
		cat "$LAB_DIR/note"
	}
	no_fault
}

# --- files that cannot be read ---

# refuses_file TEXT WORDS [HINT]
refuses_file() {
	local before
	printf '%s' "$1" >"$KEPT"
	before=$(md5sum <"$KEPT")
	! lab_in balancer timeout 60 "$REAL_LBD" --config "$LAB_DIR/lbd.json" >"$LAB_DIR/out" 2>&1 || return
	cat "$LAB_DIR/out"
	grep -qF "$2" "$LAB_DIR/out" && grep -q "hint: $KEPT was left as it is: ${3:-repair it, or put a copy in its place: .*; or stop forwarding by \"lbd --detach\", move it away}" "$LAB_DIR/out" &&
		[ "$before" = "$(md5sum <"$KEPT")" ] && [ "$(plane)" = "$PLANE" ]
}

test_unreadable() {
	local good
	remember
	good=$(cat "$KEPT")
	lab_stop_lbd
	check "a file that is cut off stops the start, and stays, and so does the data plane" \
		refuses_file "${good:0:200}" "cannot read $KEPT: line "
	check "so does an empty one" refuses_file "" "cannot read $KEPT: line 1"
	check "so does one of a newer lbd" refuses_file '{"format": 5, "vips": []}' "this lbd reads formats 1 to 4, not 5" \
		"start the newer lbd that wrote it"
	check "so does one with a fault in it" \
		refuses_file '{"format": 1, "document": {"vips": [{}]}}' "(at document.vips[0].address)"
	printf '%s' "$good" >"$KEPT"
	start_lbd
	check "mended, it is read" test "$(in_force)" = "$BEFORE"
}

# --- large documents, with a journal ---

journal() {
	find "$STATE" -name 'service.journal.*' -printf '%f\n'
}

set_weight() {
	lbctl backend set many "${LAB_BACKEND4[1]}" --weight "$1"
}

# refuses_line HOW REASON RULE…
refuses_line() {
	local how=$1 reason=$2
	shift 2
	remember
	fault "$@"
	check "journal, $how: a change is refused" exits 1 set_weight 12
	check "journal, $how: with the file and the reason" \
		grep -qF "lbctl: cannot write $STATE/$(journal): $reason" "$LAB_DIR/out"
	check "journal, $how: it has struck" struck
	no_fault
	check "journal, $how: nothing is different" nothing_changed
	check "journal, $how: the same change is made when the disk works again" exits 0 set_weight 12
	check "journal, $how: and is on disk" test "$(on_disk)" = "$(in_force)"
	set_weight 10 >"$LAB_DIR/out" 2>&1
	set_weight 11 >"$LAB_DIR/out" 2>&1
}

line_11() {
	lbctl config apply "$LAB_DIR/large.json" >"$LAB_DIR/out" 2>&1
	set_weight 11
}

test_journal() {
	local whole one eleven twelve lines=$STATE/service.journal
	large 10 >"$LAB_DIR/large.json"
	one=$(in_force)
	lbctl config apply "$LAB_DIR/large.json" >"$LAB_DIR/out" 2>&1
	whole=$(stat -c %i "$KEPT")
	check "a change of a large document" exits 0 set_weight 11
	check "is added to a journal, and the file stays" test "$whole" = "$(stat -c %i "$KEPT")" -a -s "$STATE/$(journal)"
	check "is on disk" test "$(on_disk)" = "$(in_force)"
	refuses_line "it cannot be opened" "Permission denied" "open $lines EACCES 0 9"
	refuses_line "no room" "No space left on device" "write $lines ENOSPC 0 9"
	refuses_line "no room half-way" "No space left on device" "write $lines short 0 1" "write $lines ENOSPC 1 9"
	refuses_line "fdatasync fails" "Input/output error" "fdatasync $lines EIO 0 1"
	eleven=$(in_force)
	set_weight 12 >"$LAB_DIR/out" 2>&1
	twelve=$(in_force)
	at_every_call "$eleven" "$twelve" line_11 lbctl backend set many "${LAB_BACKEND4[1]}" --weight 12 >"$LAB_DIR/note" 2>&1
	check "killed before each of $CALLS calls of a line: old or new, and what was acknowledged" test $? = 0 ||
		cat "$LAB_DIR/note"
	check "that were few" test "$CALLS" -ge 5 -a "$CALLS" -le 12
	at_every_call "$eleven" "$one" line_11 lbctl config apply --force "$LAB_DIR/one.json" \
		>"$LAB_DIR/note" 2>&1
	check "killed before each of $CALLS calls of the way from a large document to a small one" test $? = 0 ||
		cat "$LAB_DIR/note"
	stops
}

# An lbd that ends leaves the whole document, whatever call is its last.
stops() {
	local n before
	for ((n = 0; n < 30; n++)); do
		line_11 >"$LAB_DIR/note" 2>&1
		before=$(in_force)
		fault "any $STATE kill $n 1"
		kill -TERM "$LAB_LBD"
		wait_for 5 lab_ended "$LAB_LBD"
		wait "$LAB_LBD" 2>/dev/null
		struck >"$LAB_DIR/note" || break
		no_fault
		start_lbd
		[ "$(in_force) $(on_disk)" = "$before $before" ] || break
	done
	no_fault
	check "killed before each of $n calls of an end, all is there" test "$n" -ge 8 -a "$n" -lt 30
	check "an lbd that has ended leaves a file that one from before reads" \
		test "$(jq .format "$KEPT") $(journal | wc -l)" = "3 0"
	start_lbd
	check "and so does the next one" test "$(in_force)" = "$before"
	lbctl config apply --force "$LAB_DIR/one.json" >"$LAB_DIR/out" 2>&1
}

# A start without the document must not end what is forwarded.
test_lost() {
	remember
	lab_stop_lbd
	mv "$KEPT" "$LAB_DIR/away"
	check "without service.json a start is refused while the data plane has VIPs" refuses_lost
	check "it stays away, and the data plane as it was" test "$(files)" = "hash_seed lock" -a "$(plane)" = "$PLANE"
	jq '{format: 1, document}' "$LAB_DIR/away" >"$KEPT"
	start_lbd
	check "put back, it is read" test "$(in_force)" = "$BEFORE"
	rm "$KEPT"
	check "a change of a running lbd writes it again" lbctl backend set web "${LAB_BACKEND4[1]}" --weight 11
	check "as a whole" test "$(on_disk)" = "$(in_force)"
	lbctl config apply "$LAB_DIR/one.json" >"$LAB_DIR/out" 2>&1
}

refuses_lost() {
	! lab_in balancer timeout 60 "$REAL_LBD" --config "$LAB_DIR/lbd.json" >"$LAB_DIR/out" 2>&1 || return
	cat "$LAB_DIR/out"
	grep -qF "lbd: $KEPT is missing, but the pinned data plane forwards for 3 VIPs, one of them 192.0.2." \
		"$LAB_DIR/out" && grep -qF 'hint: put a copy of it back: {"format": 1, "document": …}' "$LAB_DIR/out"
}

NOTE=$(mktemp)
at_exit rm -f "$NOTE"
set_up >"$NOTE" 2>&1
check "lbd runs with two backends, and a library that can make calls fail" test $? = 0 || { cat "$NOTE"; finish; }
stream
check "a stream of packets flows" test $? = 0
test_faults
test_stuck
test_disk
test_unreadable
test_lost
test_kill_while_saving
test_journal
check "no packet was lost in all of this" nothing_lost
lab_end "$STREAM"
test_kill_while_starting
lab_stop_lbd
umount "$STATE"
unwrap_lbd
check "the lab goes away as a whole" lab_down
finish
