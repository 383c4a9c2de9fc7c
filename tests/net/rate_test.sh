#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rates of VIPs with a real lbd: a flood is cut to what its rate allows, and others have their share meanwhile.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

ATTACKER=203.0.113.50
start_lbd() { lab_start_lbd '{"http": {"listen": "127.0.0.1:9110"}}'; }
start() {
	lab_up two-armed 2 && lab_serve 80 && lab_serve 81 && start_lbd || return
	for port in 80 81; do
		lbctl vip add "$LAB_VIP4:$port/tcp" --name "web$port" || return
		for i in 1 2; do lbctl backend add "web$port" "${LAB_BACKEND4[i]}" || return; done
	done
	lab_ready && wait_for 10 none_waits
}
none_waits() { lbctl --json backend list | jq -e 'all(.vips[].backends[]; .state != "waiting")'; }
again() {
	kill -9 "$LAB_LBD"
	wait "$LAB_LBD" 2>/dev/null
	start_lbd && wait_for 10 none_waits
}
says() { # WORDS COMMAND...: its output has the words
	local words=$1
	shift
	grep -qF -- "$words" <<<"$("$@" 2>&1)"
}
fails() { ! "$@"; }
get() { lab_in client curl -s --max-time 3 "http://$LAB_VIP4:$1/" >/dev/null; }
served() { # PORT: twenty times
	for _ in {1..20}; do get "$1" || return; done
}

# flood [WORDS]: packets of $ATTACKER to web80, 20,000 a second; until flood_ends.
flood() {
	lab_background router "$O/tests/lib/flood_tool" --object "$O/tests/lib/flood.bpf.o" --interface rl \
		--dmac "$(lab_ip balancer -json link show l0 | jq -r '.[0].address')" --rate 20000 --seconds 120 "$@" \
		"$LAB_VIP4" 80 >"$LAB_DIR/flood"
	FLOOD=$LAB_PID
}
flood_ends() { lab_end "$FLOOD"; }
forwarded() { lbctl --json vip show web80 | jq .packets; }
exceeded() { lbctl --json vip show web80 | jq ".rates[$1].exceeded"; } # RULE
exceeds() { (($(exceeded "$1") > ${2:-0})); }
dropped() { lbctl --json stats | jq '[.verdicts[] | select(.name == "drop_rate").count][0] // 0'; }

# is_cut RATE: what is forwarded in three seconds is the rate, and no more than a tenth off. The clients' packets are
# among it, but they are few. The bucket is empty by then.
is_cut() {
	local began ended before after took allowed passed
	began=$(date +%s%N) before=$(forwarded)
	sleep 3
	ended=$(date +%s%N) after=$(forwarded)
	took=$(((ended - began) / 1000000)) passed=$((after - before)) allowed=$(($1 * took / 1000))
	((passed * 10 <= allowed * 11 && passed * 10 >= allowed * 9)) && return
	echo "$passed packets in $took ms, where $allowed are allowed"
	return 1
}
is_not_cut() {
	local before
	before=$(forwarded)
	sleep 1
	(($(forwarded) - before > 10000)) && return
	echo "$(($(forwarded) - before)) packets"
	return 1
}
# A flood that has gone on for a bucket's time. On a busy machine it stands still now and then, and less comes in.
cuts() { # RATE
	wait_for 10 exceeds 0 && { is_cut "$1" || is_cut "$1" || is_cut "$1"; }
}
metric() { # MODE RATE: its value
	lab_in balancer curl -s http://127.0.0.1:9110/metrics |
		sed -nE "s|^lbd_vip_rate_exceeded_total\\{vip=\"web80\",rate=\"$2\",mode=\"$1\"\\} ||p"
}
metric_counts() { # MODE RATE RULE
	local before value after
	before=$(exceeded "$3") value=$(metric "$1" "$2") after=$(exceeded "$3")
	((before <= value && value <= after && value > 0)) || { echo "$before $value $after"; return 1; }
}
monitored() {
	local before
	before=$(dropped)
	wait_for 10 exceeds 0 1000 && is_not_cut && [ "$(dropped)" = "$before" ]
}

step "two backends serve two VIPs" start
check "a word that is none is said to be one" says 'did you mean "source"?' lbctl vip set web80 --rate soruce=1000pps
check "bits are no unit" says "8M bits are 1MBps" lbctl vip set web80 --rate source=1Mbps
check "IPv4 has no /48" says "has no sources by /48" lbctl vip set web80 --rate source/48=1000pps
check "nor has a zero" says "1 to 100M" lbctl vip set web80 --rate source=0pps
flood --ack --from "$ATTACKER"
step "without a rate a flood is forwarded" wait_for 10 is_not_cut

check "a rate only counts at first" lbctl vip set web80 --rate source=1000pps,monitor
check "vip show names it" says "rates       source=1000pps,monitor;" lbctl vip show web80
step "what it would drop is counted and forwarded" monitored
check "metrics count it" metric_counts monitor source=1000pps,monitor 0
step "explain names it" wait_for 10 says "exceeds source=1000pps,monitor" lbctl explain "$ATTACKER:2000" web80
check "and says that the packet is forwarded" says "redirect" lbctl explain "$ATTACKER:2000" web80

check "it is put in force" lbctl vip set web80 --rate source=1000pps
step "the flood is cut to it" cuts 1000
step "explain says so" wait_for 10 says "drop_rate" lbctl explain "$ATTACKER:2000" web80
step "and why" wait_for 10 says "exceeds source=1000pps" lbctl explain "$ATTACKER:2000" web80
check "but not of another source" fails says "exceeds" lbctl explain 203.0.113.51:2000 web80
check "metrics count what is dropped" metric_counts enforce source=1000pps 0
check "another source is served" served 80
check "and so is another VIP" served 81
step "lbd starts again" again
step "the flood is cut as before" cuts 1000
check "bytes are cut, too" lbctl vip set web80 --rate "source=5000pps source=100kBps"
step "to 2,500 packets of 40 bytes" eval 'wait_for 10 exceeds 1 && is_cut 2500'
flood_ends

check "SYNs have a rate" lbctl vip set web80 --rate source/24=500sps
flood --syn --from "$ATTACKER"
step "a flood of SYNs is cut to it" cuts 500
check "another source is served" served 80
flood_ends
flood --ack --from "$ATTACKER"
step "packets that are no SYNs are not" wait_for 10 is_not_cut
flood_ends

check "a VIP as a whole has a rate" lbctl vip set web80 --rate vip=2kpps
flood --ack
step "a flood of many sources is cut to it" cuts 2000
check "another VIP is served" served 81
flood_ends

flood --ack --from "$ATTACKER"
check "rates go" lbctl vip set web80 --rate none
step "then nothing is cut" wait_for 10 is_not_cut
flood_ends
check "vip show names none" fails says "rates" lbctl vip show web80
finish
