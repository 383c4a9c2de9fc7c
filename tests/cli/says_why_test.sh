#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is each sentence of the README and of deploy.md, that something says why or that doctor finds it, the promise of a check?
#
# Only that such checks are there: what they see is theirs.
# shellcheck disable=SC2317 # functions are called by name, through check
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

# Page|sentence, in which blanks and ends of lines are one blank. Below it the checks: test|name
claims() {
	cat <<'END'
README.md|**Each packet has one named verdict**; `lbctl explain` says which one a packet would have, and why,
	net/traffic_test.sh|every packet has one verdict
	net/explain_test.sh|new connections go where explain says
	net/explain_test.sh|a backend that cannot be reached is said to be
	net/spill_test.sh|explain says that a backend is in reserve
README.md|**Errors say what is wrong and where**, and many what to do;
	cli/config_test.sh|it says where and why
	cli/config_test.sh|and what to do
README.md|each start checks the machine, and `lbctl doctor` looks for problems.
	cli/machine_test.sh|a machine as it should be has no warning
	net/doctor_test.sh|a backend without a route
docs/deploy.md|lbctl node show # each route, and why it is not announced
	cli/lbctl_test.sh|node show tells each route and why; drain and undrain reply so
	net/announce_test.sh|a VIP that asks for healthy backends has a route while there are enough, within a second
docs/deploy.md|lbctl doctor # problems, each with what fixes it
	net/doctor_test.sh|a neighbour that does not answer
docs/deploy.md|lbctl status # warnings; next hops that are unresolved, and why
	net/neighbour_test.sh|a neighbour whose answers are lost is told as unresolved
docs/deploy.md|lbctl backend list web # per backend: health, since when, and why
	cli/lbctl_test.sh|where there is a health check, backends show their health, since when, and why
	net/health_lbd_test.sh|it is out all the same, and says why
docs/deploy.md|lbctl explain 198.51.100.7:40001 web # which way would this packet take, and why?
	net/explain_test.sh|a backend that cannot be reached is said to be
docs/deploy.md|lbctl top # rates: the fastest VIPs and backends, and why packets are dropped
	cli/lbctl_test.sh|stats shows rates between two replies, and top the fastest first with a bar, once without a terminal
docs/deploy.md|`lbctl doctor` makes such probes by itself where a backend is silent through the tunnel, or a VIP has no packets.
	net/doctor_test.sh|a backend that lacks the VIP's address
	net/doctor_test.sh|a backend whose rp_filter drops what came through the tunnel
	net/doctor_test.sh|a VIP that is not routed here
docs/deploy.md|ssh lb2 lbctl --json status | lbctl doctor --compare -
	net/doctor_test.sh|another hash seed is found
	net/doctor_test.sh|another document is found
docs/deploy.md|lbctl trace --verdict drop # what is dropped, whose it is, and why
	net/trace_test.sh|a packet that is dropped says why
docs/deploy.md|backends, health and why, shares, rates,
	monitoring/page_test.sh|a browser shows it on a desk, in the dark and on a phone
docs/deploy.md|`lbctl doctor` finds what fails, and `/metrics` counts messages
	net/otlp_test.sh|doctor finds it
docs/deploy.md|`lbctl vip show`, `backend list` and `lbctl watch` say which group is used, and why.
	cli/lbctl_test.sh|groups of backends that are used or in reserve are shown, and options of them sent
	net/spill_test.sh|half of the group is down: the spare one helps
docs/deploy.md|What cannot be read changes nothing, and the log says why.
	net/syn_guard_test.sh|the secret is changed while clients connect
docs/deploy.md|Both times `lbctl status` and `lbctl doctor` name file and reason,
	net/quic_test.sh|a file that is wrong when it is read again is told
docs/deploy.md|changes nothing, and `lbctl status` says why
	cli/reload_test.sh|status says that the file is not in force
END
}

flat() { tr -s ' \n' ' ' <"$1"; }
stands() { flat "$1" | grep -qF -- "$2"; }
# As a check, a step or golden output, or as a row of a table.
has_check() { NAME=$2 awk '/^[ \t]*#/ { next } index($0, "\"" ENVIRON["NAME"] "\"") || index($0, ": " ENVIRON["NAME"] "\"") ||
	index($0, ENVIRON["NAME"] "|") == 1 { found = 1 } END { exit !found }' "tests/$1"; }
# What says why, or is doctor's, and stands in no claim. That a page says why is not lbd's saying.
unclaimed() {
	local page=$1 text sentence
	text=$(grep -v 'how it works and why' "$page" | tr -s ' \n' ' ')
	while IFS= read -r sentence; do
		text=${text//"$sentence"/}
	done < <(claims | sed -n "s,^$page|,,p")
	grep -oE '.{0,60}(\bwhy\b|lbctl doctor).{0,40}' <<<"$text" | grep -v 'says how it works and why'
}

while IFS='|' read -r where what; do
	case $where in
	$'\t'*) check "  ${where#$'\t'}: $what" has_check "${where#$'\t'}" "$what" ;;
	*) check "$where: $what" stands "$where" "$what" ;;
	esac
done < <(claims)
for page in README.md docs/deploy.md; do
	check_equal "$page claims nothing else of that kind" "" "$(unclaimed "$page")"
done
finish
