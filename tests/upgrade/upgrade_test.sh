#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What becomes of traffic when the package of the last release is replaced by this one's, and back? What
# "make test-upgrade" runs, as root.
#
#   O=BUILD     a build (build)
#
# The balancer of a lab is a view of this machine, with packages installed by dpkg; service_manager.sh is in the place of
# systemd. Connections live on from the first step to the last; a table of another ABI cannot be taken over, and there
# the packages must say so, and break no connection until somebody agrees.
#
# shellcheck disable=SC2317 # functions are called by name, through check and step
set -u
cd "$(dirname "$0")/../.." || exit
if [ -z "${LB_UPGRADE_TEST:-}" ]; then # mounts of its own
	LB_UPGRADE_TEST=1 exec unshare --mount --propagation private "$0"
fi
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/machine.sh
. tests/lib/machine.sh
O=$(realpath "${O:-build}")
export -n O # for no other make than this tree's
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/held.sh
. tests/lib/held.sh
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL

# 0.1.0 has no tag: the last commit before the first change that CHANGELOG.md lists under 0.2.0.
RELEASED=c22f0bea3de8c90c143d4179dc70bbec722c55fa
RELEASED_VERSION=0.1.0
VERSION=$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
COUNT=60
BOTH='["b1","b2"]'
ALL='["b1","b2","b3"]'
DIR=$(mktemp -d)
at_exit rmdir "$DIR"
mount -t tmpfs tmpfs "$DIR" || exit 1
at_exit umount --recursive --lazy "$DIR"

# --- packages ---

# package NAME VERSION: of this tree
package() {
	DEB_VERSION=$2 make -s -j"$(nproc)" O="$DIR/build" run-deb >/dev/null && mv "$DIR"/build/lbd_*.deb "$DIR/$1.deb"
}

# Programs of 0.1.0 that clang 19 makes, Debian 13's, do not load: whoever runs it there has the package of Debian 12.
made_of_released() {
	local root
	if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
		make -s -j"$(nproc)" -C "$DIR/sources" run-deb
	else
		root=$(tests/debian/root.sh bookworm "${DEBIAN_CACHE:-/var/cache/lbd-test/debian}") &&
			tests/debian/in.sh -b "$DIR/sources" "$root" make -s -j"$(nproc)" -C "$DIR/sources" deb
	fi
}

released() {
	mkdir "$DIR/sources"
	if ! git -c safe.directory="$PWD" archive "$RELEASED" | tar -x -C "$DIR/sources"; then
		echo "this repository has no commit $RELEASED: git fetch --unshallow"
		return 1
	fi
	made_of_released >/dev/null && mv "$DIR"/sources/build/lbd_*.deb "$DIR/released.deb" &&
		[ "$(dpkg-deb -f "$DIR/released.deb" Version)" = "$RELEASED_VERSION" ]
}

# The same build under two versions.
this_and_next() {
	mkdir "$DIR/build" && cp -rp "$O"/{bpf,lbd,lbctl,lib} "$DIR/build" && package this "$VERSION" && package next "$VERSION+1"
}

# --- the balancer ---

on_balancer() {
	lab_in balancer "${ON_MACHINE[@]}" "$@"
}

lb() {
	on_balancer lbctl "$@"
}

balancer() {
	machine "$DIR" || return
	install -m 755 tests/upgrade/service_manager.sh "$M/usr/local/bin/systemctl"
	install -m 755 tests/upgrade/service_manager.sh "$M/usr/local/bin/deb-systemd-invoke"
	mkdir -p "$M/run/lbd" "$M/etc/lbd" && cp "$DIR"/*.deb "$M" &&
		echo '{"interfaces": ["l0"], "limits": {"slots": 16384, "flows": 4096}}' >"$M/etc/lbd/lbd.json"
}

lab() {
	lab_up one-armed 3 && serve_held 7 && lab_serve 80 && balancer
}

end_balancer() {
	on_balancer systemctl stop lbd.service
	on_balancer lbd --detach
}

# installs NAME: dpkg ends well, and lbd has that version; what was said is in $DIR/said
installs() {
	on_balancer dpkg --force-confold -i "/$1.deb" >"$DIR/said" 2>&1 </dev/null || { cat "$DIR/said" && return 1; }
	[ "$(on_balancer dpkg-query -W -f "\${db:Status-Status} \${Version}" lbd)" = "installed $(dpkg-deb -f "$DIR/$1.deb" Version)" ]
}

says() {
	grep -F "$1" "$DIR/said" || ! cat "$DIR/said"
}

# runs VERSION: of the lbd that answers, whatever is installed
runs() {
	lb --json version | tee /dev/stderr | jq -e --arg version "$1" '.version == $version'
}

pid() {
	cat "$M/run/lbd.pid"
}

# One for connections that live on, one for new ones.
services() {
	local vip
	lb vip add "$LAB_VIP4:7/tcp" --name held --table-size 1021 &&
		lb vip add "$LAB_VIP4:80/tcp" --name web --table-size 1021 || return
	for vip in held web; do
		lb backend add "$vip" "${LAB_BACKEND4[1]}" && lb backend add "$vip" "${LAB_BACKEND4[2]}" || return
	done
}

# serves BACKENDS: soon, new connections reach exactly those
serves() {
	wait_for 20 answered "$1"
}

answered() {
	lab_in client "$O/tests/lib/connect_tool" --count 200 --parallel 10 --timeout-ms 1000 "$LAB_VIP4" 80 |
		tee /dev/stderr | jq -e --argjson backends "$1" '.failures == 0 and (.seen | keys) == $backends'
}

third_backend() {
	lb backend add held "${LAB_BACKEND4[3]}" && lb backend add web "${LAB_BACKEND4[3]}"
}

drained() {
	lb backend drain held "${LAB_BACKEND4[2]}" && lb backend drain web "${LAB_BACKEND4[2]}"
}

recorded() {
	lb --json status | jq .flow_table.recorded
}

on_record() {
	[ "$(recorded)" -gt 0 ] || ! recorded
}

has_services() {
	lb --json backend list | tee /dev/stderr |
		jq -e '[.vips[] | .name, (.backends | length)] == ["held", 3, "web", 3]'
}

breaks_at_most() {
	holds "$1" true && wait_for 10 holds "$1" ".exchanges > $(($(tail -n 1 "$LAB_DIR/$1.held" | jq .exchanges) + 4 * COUNT))"
	holds "$1" ".opened - .open <= $2"
}

kept() {
	lb config export | jq 'del(.digest)' >"$M/kept.json" && [ -s "$M/kept.json" ]
}

# As docs/deploy.md says.
way_back() {
	mv "$M/var/lib/lbd/service.json" "$M/var/lib/lbd/service.json.newer" && on_balancer lbd --detach &&
		on_balancer systemctl start lbd.service
}

not() {
	! "$@"
}

check "the package of $RELEASED_VERSION is made, of Debian 12" released || finish
check "packages of $VERSION and $VERSION+1 are made" this_and_next || finish
step "a lab with a balancer" lab || finish
at_exit end_balancer
check "$RELEASED_VERSION installs" installs released
step "it starts" on_balancer systemctl start lbd.service || { cat "$M/lbd.log"; finish; }
check "VIP and backends are added" services
check "connections reach both backends" serves "$BOTH"
step "connections that live on" hold held $COUNT 7
check "are answered" goes_on held "$BOTH"
check "a third backend takes slots over" third_backend
check "connections whose slots move get records" wait_for 10 on_record
pid=$(pid)

check "$VERSION installs over it, in place of another ABI" installs this
check "dpkg says that the data plane is not taken over" says \
	"lbd: NOT UPGRADED: this version cannot take over the data plane, which goes on forwarding as it is."
check "why" grep -E "data plane pinned at /sys/fs/bpf/lbd has ABI [0-9]+, this lbd has [0-9]+" "$DIR/said"
check "and what to do" says "systemctl start lbd-reset-flows"
check "the lbd from before runs on" test "$(pid)" = "$pid"
check "and answers the new lbctl" runs "$RELEASED_VERSION"
check "no connection has broken" goes_on held "$BOTH"
at_risk=$(lb --json backend list held | jq '[.vips[0].backends[].recorded_flows] | add')
check "$at_risk of $COUNT connections are on record" test "$at_risk" -gt 0 -a "$at_risk" -lt "$COUNT"
kill -KILL "$pid"
check "without it, the new one does not start" not on_balancer systemctl start lbd.service
check "no connection breaks by that" goes_on held "$BOTH"
check "new ones reach all backends" answered "$ALL"
step "with consent it starts" on_balancer systemctl start lbd-reset-flows
check "it is the new one" runs "$VERSION"
check "with both VIPs and their backends" has_services
check "new connections reach all backends" serves "$ALL"
check "no other connections break than those on record" breaks_at_most held "$at_risk"
lab_end "$HOLDER"

step "other connections that live on" hold same $COUNT 7
check "a backend is drained" drained
check "connections whose slots move get records" wait_for 10 on_record
for step in "next:$VERSION+1" "this:$VERSION"; do
	pid=$(pid)
	check "${step#*:} installs, of the same ABI" installs "${step%:*}"
	check "dpkg has nothing to say" not grep '^lbd:' "$DIR/said"
	check "lbd was replaced" not test "$(pid)" = "$pid"
	check "the new one answers" runs "$VERSION"
	check "it has taken over VIPs and tables" grep "2 VIPs in place, taken over as they were" <(tail -n 3 "$M/lbd.log")
	check "and records" on_record
	check "no connection has broken" goes_on same "$ALL"
done

check "the document can be kept for the way back" kept
check "$RELEASED_VERSION installs over $VERSION" installs released
check "its lbd does not start" not on_balancer systemctl start lbd.service
check "it says that the data plane is not its own" grep -E "ABI [0-9]+, this lbd has 2$" <(tail -n 3 "$M/lbd.log")
check "no connection breaks by that" goes_on same "$ALL"
step "without that state, and with consent it starts" way_back
check "it is the one of before" runs "$RELEASED_VERSION"
check "the document applies to it" lb config apply /kept.json
check "new connections reach both backends that serve" serves '["b1","b3"]'
finish
