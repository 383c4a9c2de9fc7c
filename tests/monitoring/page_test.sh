#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is the status page right in a real browser, with a dead backend, one that drains, and traffic?
#
#   page_test.sh [PICTURE.png]    keeps what it looks like on a desk
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/monitoring/npm.sh
. tests/monitoring/npm.sh
# shellcheck source=examples/monitoring/lab.sh
. examples/monitoring/lab.sh

URL=http://127.0.0.1:9110
AXE=

start() {
	monitoring_up '{}' && lbctl vip add "[$LAB_VIP6]:443/tcp" --name shop --health tcp --health-interval 200ms &&
		lbctl backend add shop "${LAB_BACKEND6[1]}" && lbctl backend add shop "${LAB_BACKEND6[2]}" &&
		lab_serve 443 b1 b2 && lbctl pool add common --table-size 1021 && lbctl vip add "$LAB_VIP4:1001/tcp" --pool common &&
		lbctl vip add "$LAB_VIP4:1002/tcp" --pool common && lbctl backend add common "${LAB_BACKEND4[1]}" && lab_end "$B3_PID" && lbctl backend drain web "${LAB_BACKEND4[2]}" &&
		wait_for 10 eval "lbctl --json vip show web | jq -e 'any(.backends[]; .health.state == \"unhealthy\")'" &&
		mkdir "$LAB_DIR/pictures"
}

browse() {
	timeout 250 tests/monitoring/page_tool.py "$LAB_ID-balancer" "$URL"/ "$LAB_DIR/pictures" "$AXE" "${LAB_BACKEND4[3]}" unhealthy refused \
		drain "2 of 2 backends serve" "1 of 3 backends serve" "Recent events" native "Backends of pool common: see VIP $LAB_VIP4:1001/tcp"
}

header() {
	lab_in balancer curl -sI --max-time 5 "$URL"/ | grep -i "^$1:"
}

# The policy allows the page's own script and style by their digests, and nothing else of the kind.
strict() {
	header content-security-policy && ! header content-security-policy | grep -E 'unsafe|\*|https?:' &&
		header x-content-type-options | grep nosniff && header x-frame-options | grep DENY
}

nothing_from_elsewhere() {
	! lab_in balancer curl -s --max-time 5 "$URL"/ | grep -oE '(src|href)="[^"]+"|url\([^)]*\)|https?://[^ "]*' |
		grep -vE '^href="data:,"$|^http://www.w3.org/2000/svg$'
}

same_as_status() {
	diff <(lab_in balancer curl -s --max-time 5 "$URL"/status.json | jq -S '.vips[] | [.name, .address, .backend_count]') \
		<(lbctl --json vip list | jq -S '.vips[] | [.name, .address, (.backends | length)]')
}

pool_once() {
	lab_in balancer curl -s --max-time 5 "$URL"/status.json |
		jq -e '[.vips[] | select(.pool == "common")] | length == 2 and (map(select(.backends)) | length == 1) and
			all(.backend_count == 1 and .serving == 1)'
}

NOTE=$(mktemp)
at_exit rm -f "$NOTE"
start >"$NOTE" 2>&1
check "lbd runs with a dead backend, one that drains, and traffic" test $? = 0 || { cat "$NOTE"; finish; }
check "status.json has the VIPs and backends of lbctl" same_as_status
check "backends of a pool are told of once" pool_once
check "the policy for browsers is strict" strict
check "the page names nothing of another place" nothing_from_elsewhere
AXE=$NPM/node_modules/axe-core/axe.min.js
[ -s "$AXE" ] || install_npm || skip "the page by the rules of axe-core" "npm, and its registry"
if command -v chromium >/dev/null; then
	check "a browser shows it on a desk, in the dark and on a phone" browse
	[ $# = 0 ] || cp "$LAB_DIR/pictures/light.png" "$1"
	[ -z "${PICTURES:-}" ] || cp "$LAB_DIR"/pictures/* "$PICTURES"
else
	skip "the page in a browser" chromium
fi
check "the lab goes away as a whole" lab_down
finish
