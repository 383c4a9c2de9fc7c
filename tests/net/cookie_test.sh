#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a backend make connections of ACKs that bring a balancer's cookie, and of no others?
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/syn.sh
. tests/lib/syn.sh

laboratory() {
	syn_lab secret || return
	# Of what it does not know the client's own stack would say so.
	lab_in client nft -f - <<-EOF2
		table inet quiet { chain out { type filter hook output priority 0; tcp flags & rst == rst drop; }; }
	EOF2
}

# said FAMILY SECRET CASE…: what the client saw, without the cases
said() {
	local vip=LAB_VIP$1 source=LAB_CLIENT$1
	lab_in client tests/net/cookie_client.py "${LAB_BACKEND4[1]}" "${!source}" "${!vip}" "$2" "${@:3}" | cut -d' ' -f2- | paste -sd' '
}

counted() {
	syn_backend show | awk -v name="$1" '$1 == name { print $2 }'
}

# What the kernel knows of the connection from a port.
known() {
	lab_in b1 ss -Htino state established "sport = 8080 and dport = $1"
}

made() {
	local family
	for family in 4 6; do
		check_equal "IPv$family: cookies make connections, with timestamps and without" "made made" \
			"$(said "$family" "$SYN_FIRST" "2${family}01:t" "2${family}02:")"
		known "2${family}01" >"$LAB_DIR/known"
		check "IPv$family: what the client offered holds" grep -Eq ' ts sack .*wscale:7,10 ' "$LAB_DIR/known"
		check "IPv$family: and its MSS" grep -Eq " mss:$((family == 4 ? 1448 : 1428)) " "$LAB_DIR/known"
		check_equal "IPv$family: a wrong cookie, an old one and one by another secret make none" "reset reset reset" \
			"$(said "$family" "$SYN_FIRST" "2${family}04:tw" "2${family}05:o") $(said "$family" "$SYN_SECOND" "2${family}06:t")"
	done
	check_equal "four were made, and counted" "4 0" "$(counted made) $(counted refused)"
}

# Of the same addresses and ports.
old_ones() {
	local family
	for family in 4 6; do
		check_equal "IPv$family: a later number, or timestamp, takes the place of one in TIME_WAIT" "closed closed made" \
			"$(said "$family" "$SYN_FIRST" "3${family}01:tc" "3${family}01:tch" "3${family}01:th")"
		check_equal "IPv$family: an earlier one does not" "closed no" \
			"$(said "$family" "$SYN_FIRST" "3${family}02:c" "3${family}02:l" | sed 's/ made$/ MADE/; s/ [a-z].*/ no/')"
		check_equal "IPv$family: a half-open one gives way" "made made" \
			"$(said "$family" "$SYN_FIRST" "3${family}03:s" "3${family}04:ts")"
	done
	check_equal "these were counted" "4 4" "$(counted replaced_time_wait) $(counted replaced_syn_recv)"
}

rotation() {
	syn_secrets secret "$SYN_SECOND" "$SYN_FIRST"
	check_equal "a secret that the backend has not read makes none" reset "$(said 4 "$SYN_SECOND" 4001:t)"
	check "lbd-backend secret" syn_backend secret
	check_equal "then both make connections" "made made" "$(said 4 "$SYN_SECOND" 4002:t) $(said 4 "$SYN_FIRST" 4003:t)"
	syn_secrets secret "$SYN_SECOND"
	check "lbd-backend secret, again" syn_backend secret
	check_equal "the old one makes none any more" "made reset" "$(said 4 "$SYN_SECOND" 4004:t) $(said 4 "$SYN_FIRST" 4005:t)"
	syn_secrets secret "$SYN_FIRST"
	syn_backend secret
}

# refused WHAT SAID [HINT]: for a secret, or settings, that `up` or `secret` must not take
refused() {
	check_equal "$1" "lbd-backend: $2" "$(syn_backend "${3:-secret}" 2>&1 | head -n 1)"
}

refusals() {
	chmod 640 "$LAB_DIR/secret"
	refused "a file that others may read is refused" "$LAB_DIR/secret is not a file that its owner alone may read"
	chmod 600 "$LAB_DIR/secret"
	syn_secrets secret 0011
	refused "so is a short secret" "$LAB_DIR/secret does not have one or two lines of exactly 32 hex digits, not all of them 0"
	syn_secrets secret 00000000000000000000000000000000
	refused "and one of zeros" "$LAB_DIR/secret does not have one or two lines of exactly 32 hex digits, not all of them 0"
	syn_secrets secret "$SYN_FIRST" "$SYN_SECOND" "$SYN_FIRST"
	refused "and three of them" "$LAB_DIR/secret does not have one or two lines of exactly 32 hex digits, not all of them 0"
	syn_secrets secret "$SYN_FIRST"
	syn_settings secret '{"decapsulation": "kernel"}'
	refused "the kernel's own devices are refused with it" \
		"$LAB_DIR/backend.json: connections are made from cookies only where decapsulation is program (at guard_secret)" up
	syn_settings secret
}

# without SETTING CASE: with that setting at 0 no cookie makes a connection, and check says so.
without() {
	lab_sysctl b1 "ipv4/$1=0"
	check_equal "$1=0: no connection" reset "$(said 4 "$SYN_FIRST" "$2")"
	check_equal "$1=0: check says so" "ipv4/$1 is 0, and connections made from cookies need it" "$(syn_backend check | head -n 1)"
	lab_sysctl b1 "ipv4/$1=1"
}

settings_needed() {
	without tcp_syncookies 5001:t
	without tcp_timestamps 5002:t
	without tcp_sack 5003:t
	without tcp_window_scaling 5004:t
	check_equal "with all of them there are connections again" made "$(said 4 "$SYN_FIRST" 5005:t)"
	lab_in b1 tc filter del dev b0 ingress
	check_equal "without the program there is none" reset "$(said 4 "$SYN_FIRST" 5006:t)"
	check "and check says so" grep -qx "b0 has no program that makes connections from cookies" <(syn_backend check)
}

step "a lab with a plain host" laboratory || finish
if ! syn_kernel; then
	check_equal "up says what the kernel lacks" \
		"lbd-backend: the kernel does not take the program that makes connections from cookies: " \
		"$(syn_backend up 2>&1 | head -n 1 | sed 's/\(cookies: \).*/\1/')"
	check "and what helps" grep -q "needs Linux 6.9 or later" <(syn_backend up 2>&1)
	lab_down
	finish
fi
step "lbd-backend up" syn_backend up || finish
step "a server" syn_serve || finish
check_equal "check finds nothing wrong" "nothing is wrong here" "$(syn_backend check)"
made
old_ones
rotation
refusals
settings_needed
check "down" syn_backend down
check_equal "no filter is left" "" "$(lab_in b1 tc filter show dev b0 ingress)"
check "nothing remains of the lab" lab_down
finish
