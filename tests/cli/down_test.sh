#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What does lbctl say while lbd does not run: are packets still balanced, and is a document right?
#
# LBD and LBCTL name the binaries. Forwarding needs root, documents do not.
# shellcheck disable=SC2317,SC2016 # functions are called by name, through check; some scripts are for another shell
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

own_lbd down

# --- documents ---

offline() {
	"$LBCTL" config check --offline "$@"
}

# wrong MESSAGE JQ-FILTER: the sound document, edited, is refused by lbctl alone with that message and place; WRONG keeps
# the documents for the lbd that follows.
WRONG=()
wrong() {
	jq "$2" "$DIR/sound.json" >"$DIR/wrong.${#WRONG[@]}.json"
	check "offline: $1" exits 1 offline "$DIR/wrong.${#WRONG[@]}.json"
	check_equal "offline: $1, told with its place" "lbctl: $1" "$(head -n 1 "$DIR/out")"
	WRONG+=("$(cat "$DIR/out")")
}

test_offline() {
	cat >"$DIR/sound.json" <<-'END'
		{"vips": [{"name": "web", "address": "192.0.2.10:443/tcp", "table_size": 1021, "backends": [
		    {"address": "10.0.0.2", "weight": 10}, {"address": "10.0.0.3"}], "health": {"type": "tcp"}},
		  {"address": "192.0.2.10:53/udp", "table_size": 251, "backends": [{"address": "10.0.0.2"}]}]}
	END
	check "offline: a sound document exits 0" exits 0 offline "$DIR/sound.json"
	check_equal "offline: it says what was checked, and what not" "no error found: 2 VIPs, 3 backends
only the document was checked: not the limits of lbd.json, and not what applying it would change" "$(cat "$DIR/out")"
	check_equal "offline: as JSON" '{"offline":true,"vips":2,"backends":3}' \
		"$(offline --json - <"$DIR/sound.json" | jq -c .)"
	check "offline: JSON of an error exits 1, too" exits 1 offline --json - <<<'{"vips": [{}]}'
	check_equal "offline: with its path" '"vips[0].address"' "$(jq .error.data.path "$DIR/out")"
	check "offline: what is no JSON is refused" exits 1 offline - <<<'{"vips": ['
	check "without --offline lbd is needed" exits 3 "$LBCTL" --socket "$DIR/none.sock" config check "$DIR/sound.json"
	check "and the hint says how it goes without" grep -q "hint: --offline checks the document alone" "$DIR/out"
	wrong 'unknown field "nmae" (at vips[0].nmae)' '.vips[0].nmae = "x"'
	wrong 'same name as vips[0] (at vips[1].name)' '.vips[1].name = "web"'
	wrong 'weight must be 0 to 10000, not 10001 (at vips[0].backends[1].weight)' '.vips[0].backends[1].weight = 10001'
	wrong 'interval_ms must be 100 to 3600000, not 5 (at vips[0].health.interval_ms)' '.vips[0].health.interval_ms = 5'
	wrong 'table_size must be a prime, not 1000 (at vips[0].table_size)' '.vips[0].table_size = 1000'
	wrong 'same address as vips[0] (at vips[1].address)' '.vips[1].address = "192.0.2.10:443/tcp"'
	wrong 'backend 192.0.2.10 has the address of a VIP (at vips[1].backends[2])' \
		'.vips[0].backends += [{"address": "192.0.2.10"}]'
	wrong 'VIP 192.0.2.10:53/udp cannot have fragments by 3-tuple beside VIP 192.0.2.10:0/udp: without ports they could be for either (at vips[1].fragments)' \
		'.vips[1].fragments = "3-tuple" | .vips += [{"address": "192.0.2.10:0/udp", "table_size": 251}]'
	wrong 'the ports of VIP 192.0.2.10:700-990/udp and of VIP 192.0.2.10:600-800/udp overlap, and neither range is within the other (at vips[3].address)' \
		'.vips += (["600-800", "700-990"] | map({address: "192.0.2.10:\(.)/udp", table_size: 251}))'
	wrong 'the addresses of VIP 192.0.2.10:1000-1001/udp belong to 65 VIPs of one protocol that are prefixes or have a range of ports, the limit is 64 (at vips[2].address)' \
		'.vips += [range(65) | {address: "192.0.2.10:1000-\(1001 + .)/udp", table_size: 251}]'
	wrong 'this would make 4097 pools, the limit is 4096 (at pools)' '.pools = [range(4097) | {name: "p\(.)", table_size: 251}]'
}

# --- forwarding ---

# Where /etc/lbd/lbd.json is that of the test's own lbd.
in_its_place() {
	nsenter --net="/run/netns/$ID" unshare -m sh -c 'mount --bind "$0" /etc && exec "$@"' "$DIR/etc" "$@"
}

asks() {
	in_its_place "$LBCTL" --socket "$DIR/lbd.sock" "$@"
}

set_up() {
	make_node "$DIR/state" 4m || return
	mkdir -p "$DIR/etc/lbd"
	cp /etc/passwd /etc/group "$DIR/etc"
	cat >"$DIR/etc/lbd/lbd.json" <<-END
		{"interfaces": ["e0"], "state_dir": "$DIR/state", "pin_dir": "$PINS",
		 "control": {"path": "$DIR/lbd.sock", "group": "daemon"},
		 "limits": {"vips": 100, "members": 64, "slots": 32768, "flows": 64}}
	END
	ln -s etc/lbd/lbd.json "$DIR/lbd.json"
	at_exit "$LBD" --config "$DIR/lbd.json" --detach
	at_exit stop_lbd
	start_lbd
}

test_same_errors() {
	local i
	for i in "${!WRONG[@]}"; do
		lb config check "$DIR/wrong.$i.json" >"$DIR/out" 2>&1
		check_equal "a running lbd says the same: ${WRONG[i]%%$'\n'*}" "${WRONG[i]}" "$(cat "$DIR/out")"
	done
}

test_forwarding() {
	local said="lbctl: lbd does not answer at $DIR/lbd.sock: No such file or directory"
	stop_lbd TERM
	check "lbd stopped: lbctl exits 3" exits 3 asks status
	check_equal "lbd stopped: it says that forwarding goes on, and where" \
		"$said; the data plane is still attached to e0 and goes on forwarding" "$(head -n 1 "$DIR/out")"
	check "lbd stopped: as JSON, exit 3" exits 3 asks --json vip list
	check_equal "lbd stopped: as JSON" '[6,{"state":"attached","interfaces":["e0"]}]' \
		"$(jq -c '[.error.code, .forwarding]' "$DIR/out")"
	check "who may not look is told so" exits 3 asks_as_nobody
	check "in words" grep -qF "; whether it still forwards packets cannot be told: " "$DIR/out"
	check "another socket is another lbd's" exits 3 in_its_place "$LBCTL" --socket "$DIR/other.sock" status
	check_equal "of which nothing is said" "${said/lbd.sock/other.sock}" "$(head -n 1 "$DIR/out")"
	"$LBD" --config "$DIR/lbd.json" --detach
	check "detached: lbctl exits 3" exits 3 asks status
	check_equal "detached: it says that nothing is balanced" \
		"$said; nothing is pinned in $PINS: packets are not balanced" "$(head -n 1 "$DIR/out")"
	check "without a BPF file system it cannot tell" exits 3 in_its_place unshare -m sh -c \
		'mount -t tmpfs none /sys/fs/bpf && exec "$@"' - "$LBCTL" --socket "$DIR/lbd.sock" status
	check "and says why" grep -qF "cannot be told: /sys/fs/bpf: no BPF file system is mounted there" "$DIR/out"
}

asks_as_nobody() {
	cp "$LBCTL" "$DIR/lbctl" # where any user may run it
	in_its_place setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/lbctl" --socket "$DIR/lbd.sock" status
}

test_offline
if [ "$(id -u)" != 0 ]; then
	skip "what lbctl says of forwarding" "root"
	finish
fi
step "an lbd runs" set_up
test_same_errors
test_forwarding
finish
