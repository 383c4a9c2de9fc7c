#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# May a script of lbctl commands run twice, and does it learn from exit codes what happened? With an lbd that simulates.
#
#   O=FOLDER     the build whose lbd, lbd-simulate and lbctl count (build)
# shellcheck disable=SC2317 # functions are called by name, through check
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath -e "${O:-build}") || exit 1
MAN=$PWD/docs/man/lbctl.8
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
cd "$DIR" || exit 1
echo '{"interfaces": ["eth0"]}' >lbd.json
"$O/lbd/lbd" --config lbd.json --simulate --socket ./lbd.sock >log 2>&1 &
PID=$!
at_exit kill "$PID"

lb() { "$O/lbctl/lbctl" --socket ./lbd.sock "$@" 2>&1 | grep -v 'this lbd simulates'; return "${PIPESTATUS[0]}"; }
# says CODE TEXT WORDS…: it exits so, and prints that among others
says() {
	local code=$1 text=$2 status
	shift 2
	lb "$@" >said
	status=$?
	cat said
	[ "$status" = "$code" ] && grep -qF -- "$text" said
}
changed() { lb --json "$@" | jq .changed; }
document() { lb config export; }

check "lbd simulates" wait_for 10 lb version || finish

# --- what is there already ---
recipe() {
	lb pool add p --table-size 251 --health http --health-interval 2s --if-missing &&
		lb backend add p 10.0.0.2 --weight 10 --if-missing && lb backend add p 10.0.0.3 --if-missing &&
		lb vip add 192.0.2.1:80/tcp --name web --pool p --hash source --if-missing &&
		lb vip add "[2001:db8::1]:80/tcp" --if-missing && lb vip add 192.0.2.2:443/udp --table maglev --quic default --if-missing &&
		lb backend add 192.0.2.2:443/udp 10.0.0.4 --quic-id auto --if-missing
}
check "a script adds what is missing" recipe
before=$(document)
check "it does so twice" recipe
check_equal "and the second time changes nothing" "$before" "$(document)"
check "a VIP is there already, however its address is spelt" says 0 "is there already" vip add "[2001:db8::0:1]:80/tcp" --if-missing
check "a pool is there already" says 0 "p is there already" pool add p --if-missing
check "a backend is there already" says 0 "10.0.0.2 is there already" backend add web 10.0.0.2 --if-missing
check_equal "as JSON, nothing has changed" "false" "$(changed backend add p 10.0.0.2 --weight 10 --if-missing)"
check "a dry run says the same" says 0 "p is there already" pool add p --if-missing --dry-run
check "without the option it is an error as ever" says 1 "has backend 10.0.0.2 already" backend add p 10.0.0.2

# --- but otherwise ---
check "another weight is an error that names it" says 1 "its weight is 10, not 5 (at backend.weight)" backend add p 10.0.0.2 --weight 5 --if-missing
check "in a dry run, too" says 1 "its weight is 10, not 5" backend add p 10.0.0.2 --weight 5 --if-missing --dry-run
check "the hint says how to go on" says 1 "leave it out to accept what is there, or change it by set" backend add p 10.0.0.2 --weight 5 --if-missing
check "so is a default where another value is" says 1 "its weight is 10, not 1 " backend add p 10.0.0.2 --weight 1 --if-missing
check "and a value where the default is" says 1 "its priority is the default, not 3" backend add p 10.0.0.2 --priority 3 --if-missing
check "another name of a VIP" says 1 '(at vip.name)' vip add 192.0.2.1:80/tcp --name other --if-missing
check "a pool of its own" says 1 '(at vip.table)' vip add 192.0.2.1:80/tcp --table maglev --if-missing
check "the first field that differs is named" says 1 '(at vip.name)' vip add 192.0.2.1:80/tcp --hash 5-tuple --name other --if-missing
check "of a health check, the field within" says 1 "its interval_ms is 2000, not 3000 (at pool.health.interval_ms)" \
	pool add p --health http --health-interval 3s --if-missing
check "another kind of check" says 1 '(at pool.health.type)' pool add p --health tcp --if-missing
check "no check cannot be asked for" says 2 '--health none does not go with --if-missing' pool add p --health none --if-missing
check "connection ids of QUIC" says 1 "its quic differs (at vip.quic)" vip add 192.0.2.2:443/udp --quic cr=1,sid=4 --if-missing
check "a name that another VIP has is taken" says 1 'name "web" is taken' vip add 192.0.2.9:80/tcp --name web --if-missing
check "a pool that is not there is not made" says 1 'no pool or VIP "q"' backend add q 10.0.0.2 --if-missing
check_equal "none of this changed anything" "$before" "$(document)"

# --- what is gone already ---
check "a pool that is used stays" says 1 "is used by" pool del p --if-present
check "a backend is removed" says 0 "10.0.0.3" backend del p 10.0.0.3 --if-present --force
check "and once more" says 0 "10.0.0.3 is not there" backend del p 10.0.0.3 --if-present
check_equal "as JSON, nothing has changed" "false" "$(changed backend del p 10.0.0.3 --if-present)"
check "what is no address is an error" says 1 "at address" backend del p 10.0.0.300 --if-present
check "a VIP, twice" eval 'lb vip del web --if-present --force && says 0 "web is not there" vip del web --if-present'
check "a pool, twice" eval 'lb pool del p --if-present --force && says 0 "p is not there" pool del p --if-present --dry-run'
check "a backend of a pool that is gone" says 0 "10.0.0.2 is not there" backend del p 10.0.0.2 --if-present
check "without the option it is an error as ever" says 1 'no VIP "web"' vip del web
check "an option of removing is none of adding" says 2 '--if-present' vip add 192.0.2.7:80/tcp --if-present

# --- exit codes ---
codes_of_page() { sed -n '/^\.SH EXIT STATUS/,/^\.SH FILES/s/^\\fB\([0-9]\)\\fR$/\1/p' "$MAN"; }
differing() { sed -n '/^\\fB4\\fR$/{n;s/\\-/-/g;p}' "$MAN"; }
exits() {
	local code=$1
	shift
	lb "$@" >/dev/null
	[ $? = "$code" ]
}
check_equal "the manual page has these exit codes" "0 1 2 3 4" "$(codes_of_page | xargs)"
check "0: done" exits 0 vip list
check "1: refused" exits 1 vip show nobody
check "2: the command line is wrong" exits 2 vip shwo
check "3: nobody listens" exits 3 --socket ./nobody.sock vip list
check "4: config diff, it differs" exits 4 config diff <(echo '{"vips": []}')
lb vip add 192.0.2.3:80/tcp --name ill --health tcp >/dev/null
lb backend add ill 10.0.0.9 >/dev/null
lb simulate fail 10.0.0.9 >/dev/null
check "4: status, a backend is unhealthy" wait_for 30 exits 4 status
check "4: backend drain --wait, not in time" exits 4 backend drain ill 10.0.0.9 --wait 1s
# Commands whose help speaks of it are those of the table, and status.
says_four() {
	local words
	"$O/lbctl/lbctl" help | sed -nE 's/^  ([a-z]+( [a-z]+)?) .*/\1/p' | while read -r words; do
		# shellcheck disable=SC2086 # words
		! "$O/lbctl/lbctl" help $words 2>/dev/null | tr '\n' ' ' | grep -qE '[Ee]xits +(0[^.]*)?4|or exits 4' || echo "$words"
	done
}
named() { differing | sed 's/ --wait//g' | tr ';' '\n' | sed -nE 's/^ *([^:]+):.*/\1/p' | sed 's/ and /\n/'; }
check_equal "what the table says of 4 are the commands whose help says so, and status" \
	"$(says_four | sort - <(echo status))" "$(named | sort)"
finish
