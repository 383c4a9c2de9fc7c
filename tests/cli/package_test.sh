#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the Debian package hold what it should, and come, change and go as Debian's do? Installed into a view of this
# machine whose changes are kept in memory and vanish with the test.
#
#   O=BUILD     a build (build)

# shellcheck disable=SC2317 # functions are called through check

cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh
# shellcheck source=tests/lib/machine.sh
. tests/lib/machine.sh

O=$(realpath "${O:-build}")
if [ "$(basename "$O")" = san ]; then
	skip "the package" "a sanitized build is not packaged"
	finish
fi
if [ "$(id -u)" != 0 ]; then
	skip "the package" "root"
	finish
fi
if [ -z "$LB_PACKAGE_TEST" ]; then
	LB_PACKAGE_TEST=1 exec unshare --mount --propagation private "$0"
fi
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL
VERSION=$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
DEB=$O/lbd_${VERSION}_$(dpkg --print-architecture).deb
# Everything below DIR is in memory and in this namespace: it goes by being unmounted. Nothing is ever removed
# from it recursively at the end, when file systems of the machine might be mounted in it.
DIR=$(mktemp -d)
at_exit rmdir "$DIR"
mount -t tmpfs tmpfs "$DIR" || exit 1
at_exit umount --recursive --lazy "$DIR"
PINS=/sys/fs/bpf/lbpackage$$
BUILD=${O#"$PWD"/} # as in the dependency files

# --- the package ---

check "make deb makes a package" make -s O="$BUILD" deb || finish
SYMBOLS=$O/lbd-dbgsym_${DEB##*/lbd_}
BACKEND=$O/lbd-backend_${DEB##*/lbd_}

TIER=$O/lbd-tier_${DEB##*/lbd_}
check_equal "lbd-tier is a package of its own, with these files" "-rw-r--r-- ./usr/lib/systemd/system/lbd-tier.service
-rwxr-xr-x ./usr/sbin/lbd-tier
-rw-r--r-- ./usr/share/doc/lbd-tier/changelog.gz
-rw-r--r-- ./usr/share/doc/lbd-tier/copyright
-rw-r--r-- ./usr/share/man/man5/tier.json.5.gz
-rw-r--r-- ./usr/share/man/man8/lbd-tier.8.gz" \
	"$(dpkg-deb --contents "$TIER" | awk '$1 ~ /^-/ { print $1, $6 }' | sort -k 2)"
# shellcheck disable=SC2016 # expands in eval
check "which alone needs libcurl, and the lbd of its version" eval \
	'dpkg-deb --field "$TIER" Depends | grep -E "libcurl.*lbd \(= $VERSION\)" && ! dpkg-deb --field "$DEB" Depends | grep libcurl'
if command -v lintian >/dev/null; then
	check_equal "lintian finds nothing wrong with it" "" "$(lintian --allow-root "$TIER" 2>&1)"
else
	skip "lintian finds nothing wrong with it" "lintian"
fi

check_equal "it holds these files, all root's, with these modes" "-rw-r----- ./etc/lbd/lbd.json
-rwxr-xr-x ./usr/bin/lbctl
-rw-r--r-- ./usr/lib/lbd/decap.bpf.o
-rwxr-xr-x ./usr/lib/lbd/lbd-simulate
-rw-r--r-- ./usr/lib/systemd/system/lbd-reset-flows.service
-rw-r--r-- ./usr/lib/systemd/system/lbd.service
-rwxr-xr-x ./usr/sbin/lbd
-rw-r--r-- ./usr/share/bash-completion/completions/lbctl
-rw-r--r-- ./usr/share/doc/lbd/CHANGELOG.md
-rw-r--r-- ./usr/share/doc/lbd/README.md
-rw-r--r-- ./usr/share/doc/lbd/benchmark-flows.svg
-rw-r--r-- ./usr/share/doc/lbd/benchmark-live.svg
-rw-r--r-- ./usr/share/doc/lbd/benchmark-vips.svg
-rw-r--r-- ./usr/share/doc/lbd/benchmark.md
-rw-r--r-- ./usr/share/doc/lbd/changelog.gz
-rw-r--r-- ./usr/share/doc/lbd/copyright
-rw-r--r-- ./usr/share/doc/lbd/deploy.md
-rw-r--r-- ./usr/share/doc/lbd/design.md
-rw-r--r-- ./usr/share/doc/lbd/lbd.cdx.json
-rw-r--r-- ./usr/share/doc/lbd/protocol.md
-rw-r--r-- ./usr/share/lintian/overrides/lbd
-rw-r--r-- ./usr/share/man/man5/lbd.json.5.gz
-rw-r--r-- ./usr/share/man/man8/lbctl.8.gz
-rw-r--r-- ./usr/share/man/man8/lbd.8.gz" \
	"$(dpkg-deb -c "$DEB" | awk '$1 !~ /^d/ && $2 == "root/root" { print $1, $6 }' | sort -k2)"
check_equal "its folders are open to everybody" "drwxr-xr-x" \
	"$(dpkg-deb -c "$DEB" | awk '$1 ~ /^d/ { print $1 }' | sort -u)"
check_equal "its version is lbd's" "$VERSION" "$(dpkg-deb -f "$DEB" Version)"
check_equal "it needs these libraries and passwd" \
	"libbpf libc6 libcap-ng libevent-core libjansson libmnl passwd zlib" \
	"$(dpkg-deb -f "$DEB" Depends | tr ',' '\n' | sed -E 's/^ *([a-z-]+[a-z](6$|6 )?)[-0-9.a-z]*.*/\1/' |
		sort -u | xargs)"

if command -v lintian >/dev/null; then
	check_equal "lintian finds nothing wrong with it" "" "$(lintian --allow-root "$DEB" "$SYMBOLS" 2>&1)"
else
	skip "lintian finds nothing wrong with it" "lintian"
fi
MAINTAINER="Some Body <some@body.invalid>" DEB_VERSION=0.0.9 make -s O="$BUILD" DEBS="$DIR/other" run-deb >"$DIR/log"
check_equal "its version and its maintainer can be given" "0.0.9 Some Body <some@body.invalid>" \
	"$(dpkg-deb -f "$DIR"/other/lbd_*.deb Version Maintainer | sed 's/^[^:]*: //' | xargs)"

# --- what the compiler and the linker were asked for ---

dpkg-deb -x "$DEB" "$DIR/files"

# hardened PROGRAM: names what is missing
hardened() {
	local dynamic symbols
	dynamic=$(readelf --wide --headers --dynamic "$1")
	symbols=$(readelf --wide --dyn-syms "$1")
	grep -qE 'Type: +DYN' <<<"$dynamic" || { echo "no PIE"; return 1; }
	grep -q GNU_RELRO <<<"$dynamic" || { echo "no RELRO"; return 1; }
	grep -qE 'FLAGS_1.*\bNOW\b' <<<"$dynamic" || { echo "no BIND_NOW"; return 1; }
	grep -q __stack_chk_fail <<<"$symbols" || { echo "no stack protector"; return 1; }
	grep -qE '__[a-z]+_chk(@| |$)' <<<"$symbols" || { echo "no FORTIFY_SOURCE"; return 1; }
	! grep -qE 'GNU_STACK .* RWE' <<<"$dynamic" || { echo "an executable stack"; return 1; }
}

for program in bin/lbctl sbin/lbd; do
	check "$program has PIE, RELRO, BIND_NOW, stack protector and FORTIFY_SOURCE" \
		hardened "$DIR/files/usr/$program"
done

# --- debug symbols, bill of materials ---

# symbols PROGRAM: a debugger that is told of the folder finds them by the build id
symbols() {
	gdb --batch --nx -iex "set debug-file-directory $DIR/symbols/usr/lib/debug" -ex 'info line main' \
		"$DIR/files/usr/$1" | tee /dev/stderr | grep -q '^Line [0-9]* of "lb'
}
# libraries PROGRAM: what the loader loads is in the bill of materials, with the version that is installed
libraries() {
	local path owner versions=0
	while read -r path; do
		owner=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "/usr$path") || return
		dpkg-query -W -f "\${Package} \${Version}\n" "${owner%%: *}" |
			grep -Fx -f <(jq -r '.components[] | .name + " " + .version' "$BOM") || return
		versions=$((versions + 1))
	done < <(ldd "$DIR/files/usr/$1" | grep -oE '/[^ ]+')
	[ "$versions" -gt 2 ]
}
hashes() {
	(cd "$DIR/files" && jq -r '.metadata.component.components[] | select(.name | startswith("usr/")) |
		.hashes[0].content + "  " + .name' "$BOM" | sha256sum --check --strict)
}

dpkg-deb -x "$SYMBOLS" "$DIR/symbols"
BOM=$DIR/files/usr/share/doc/lbd/lbd.cdx.json
for program in bin/lbctl sbin/lbd lib/lbd/lbd-simulate; do
	check "gdb finds the symbols of $program" symbols $program
	check "the libraries of $program are in the bill of materials" libraries $program
done
check "so are the hashes of what is installed" hashes
check_equal "the programs in lbd, too" "$(cd "$O" && sha256sum bpf/{explain,lb,trace,tunnel}.bpf.o | sort)" \
	"$(jq -r '.metadata.component.components[] | select(.name | startswith("bpf/")) | .hashes[0].content + "  " + .name' "$BOM" | sort)"
check "what is linked statically is named" jq -e '[.components[].properties[] | select(.name == "lbd:static").value] |
	index("Scrt1.o") and index("crtbeginS.o")' "$BOM"

# --- a machine to install it on ---

if ! machine "$DIR"; then
	skip "installing it" "an overlay file system"
	finish
fi
cp "$DEB" "$M/lbd.deb"

# As if systemd ran there: what would be asked of it is written down.
for tool in systemctl deb-systemd-invoke; do
	printf '#!/bin/sh\necho "%s $*" >>/asked\n' $tool >"$M/usr/local/bin/$tool"
	chmod 755 "$M/usr/local/bin/$tool"
done

not() {
	! "$@"
}

# In a network of its own, too: its scripts may detach programs.
on_it() {
	unshare --net "${ON_MACHINE[@]}" "$@"
}
# In the network $ID, which lasts.
ID=lbpackage$$
# exec_in_net: in the place of this shell
exec_in_net() {
	exec nsenter --net="/run/netns/$ID" "${ON_MACHINE[@]}" "$@"
}
in_net() {
	(exec_in_net "$@")
}
asked() {
	cat "$M/asked" 2>/dev/null
	rm -f "$M/asked"
}

on_it dpkg -i /lbd.deb >"$DIR/log" 2>&1
check_equal "it installs" "installed" "$(on_it dpkg-query -W -f "\${db:Status-Status}" lbd)" ||
	cat "$DIR/log"
check_equal "a new installation starts nothing" "systemctl daemon-reload" "$(asked)"
check_equal "a new installation says what to do" \
	"lbd: name the interfaces in /etc/lbd/lbd.json, then: systemctl enable --now lbd" \
	"$(grep '^lbd:' "$DIR/log")"
check "it makes the group lbd" on_it getent group lbd
check "what is installed is what the package says" on_it dpkg -V lbd
check_equal "lbd.json as it comes is refused, for it names no interface" \
	"lbd: /etc/lbd/lbd.json: interfaces is empty (at interfaces)" \
	"$(on_it lbd --check 2>&1 | head -1)"
check_equal "the installed lbd runs" "lbd $VERSION" "$(on_it lbd --version)"
check_equal "the installed lbctl runs" "lbctl $VERSION" "$(on_it lbctl version 2>/dev/null | head -1)"
for page in 8/lbd.8 5/lbd.json.5 8/lbctl.8; do
	if command -v man >/dev/null; then
		check "man shows $(basename "$page")" grep -q '^SEE ALSO' \
			<(on_it man -P cat -l "/usr/share/man/man$page.gz" 2>&1)
	else
		skip "man shows $(basename "$page")" "man"
	fi
done
check "bash completes lbctl" on_it bash -c '. /usr/share/bash-completion/completions/lbctl && complete -p lbctl'

echo '{"interfaces": ["nowhere0"]}' >"$M/etc/lbd/lbd.json"
check "with an interface lbd.json is valid" on_it lbd --check
on_it dpkg -i /lbd.deb >"$DIR/log" 2>&1 </dev/null
check_equal "an upgrade restarts lbd and stops nothing" \
	"systemctl daemon-reload
deb-systemd-invoke restart lbd.service" "$(asked)"
check_equal "an upgrade leaves lbd.json alone" '{"interfaces": ["nowhere0"]}' "$(cat "$M/etc/lbd/lbd.json")"

echo '{' >"$M/etc/lbd/lbd.json"
on_it dpkg -i /lbd.deb >"$DIR/log" 2>&1 </dev/null
check_equal "an upgrade with a broken lbd.json restarts nothing" "systemctl daemon-reload" "$(asked)"
check_equal "and says so" "lbd: lbd was not restarted, since lbd.json is not valid: lbd --check" \
	"$(grep '^lbd:' "$DIR/log")"

# --- a data plane that is in place ---

# Of its start, nothing but the data plane is needed.
make_data_plane() {
	ip netns add "$ID" && at_exit ip netns del "$ID" || return
	ip -n "$ID" link add v0 type veth peer name v1 || return
	ip -n "$ID" link set v0 up
	ip -n "$ID" link set v1 up
	echo '{"interfaces": ["v0"], "limits": {"slots": 1000, "flows": 64}}' >"$M/etc/lbd/lbd.json"
	exec_in_net lbd >"$DIR/log" 2>&1 &
	DAEMON=$!
	at_exit kill "$DAEMON"
	wait_for 20 in_net lbctl version
}
end_daemon() {
	kill "$DAEMON"
	wait "$DAEMON"
}
attached() {
	ip -n "$ID" link show v0 | grep -q xdp
}
write_abi() {
	bpftool map update pinned "$M/sys/fs/bpf/lbd/abi" key 0 0 0 0 value hex "$@"
}

step "lbd runs, with its data plane where it is by default" make_data_plane || cat "$DIR/log"
in_net dpkg -i /lbd.deb >"$DIR/log" 2>&1 </dev/null
check_equal "an upgrade that fits restarts it" "systemctl daemon-reload
deb-systemd-invoke restart lbd.service" "$(asked)"
check_equal "and has nothing to say" "" "$(grep '^lbd:' "$DIR/log")"
mapfile -t abi < <(bpftool -j map lookup pinned "$M/sys/fs/bpf/lbd/abi" key 0 0 0 0 | jq -r '.value[] | ltrimstr("0x")')
write_abi 4d "${abi[@]:1}"
in_net dpkg -i /lbd.deb >"$DIR/log" 2>&1 </dev/null
check_equal "an upgrade to another ABI leaves the lbd that runs alone" "systemctl daemon-reload
systemctl is-active --quiet lbd.service" "$(asked)"
check_equal "and says that it does, why, and how to go on" \
	"lbd: the data plane pinned at /sys/fs/bpf/lbd has ABI 77, this lbd has $((16#${abi[0]}))
lbd: NOT UPGRADED: this version cannot take over the data plane, which goes on forwarding as it is.
lbd: The lbd that was running keeps running, and manages it, until it is restarted.
lbd: To change to this version now, unless service.json is what it refuses: systemctl start lbd-reset-flows
lbd: Recorded flows are lost by that: connections in slots that have just changed may break." \
	"$(grep '^lbd:' "$DIR/log")"
write_abi "${abi[@]}"
check "a removal while lbd cannot be stopped goes on" in_net /var/lib/dpkg/info/lbd.prerm remove >"$DIR/log" 2>&1
check_equal "and says what is left" "lbd: another lbd has its data plane at /sys/fs/bpf/lbd (at pin_dir)
lbd: The data plane could not be taken away: ip link set dev INTERFACE xdp off
lbd: a data plane is still pinned in /sys/fs/bpf/lbd; unless another lbd has it: rm -r /sys/fs/bpf/lbd" \
	"$(in_net /var/lib/dpkg/info/lbd.prerm remove 2>&1 | grep '^lbd:')"
check "the program is still attached" attached
end_daemon
asked >"$DIR/log"

# --- the unit ---

UNIT=$M/usr/lib/systemd/system/lbd.service
if command -v systemd-analyze >/dev/null; then
	check_equal "systemd finds nothing wrong with the units" "" \
		"$(on_it systemd-analyze verify lbd.service lbd-reset-flows.service 2>&1 | grep -i lbd)"
	check "systemd-analyze rates its exposure at most 3.0" \
		on_it systemd-analyze security --offline=true --threshold=30 --no-pager lbd.service
else
	skip "systemd finds nothing wrong with the units" "systemd-analyze"
fi

# As the unit starts it: user 0 and its capabilities, in a network of its own.
confined() {
	local bounds
	bounds=$(sed -n 's/^CapabilityBoundingSet=CAP_//p' "$UNIT" | sed 's/ CAP_/,+/g')
	printf '{"interfaces": ["v0"], "state_dir": "%s/state", "pin_dir": "%s", "control": {"path": "%s/sock"},
		"limits": {"slots": 1000, "flows": 64}}' "$DIR" "$PINS" "$DIR" >"$DIR/lbd.json"
	# shellcheck disable=SC2016
	exec unshare --net sh -c 'ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up &&
		exec setpriv --bounding-set "$@"' - "-all,+${bounds,,}" --no-new-privs "${TRACE[@]}" \
		"$M/usr/sbin/lbd" --config "$DIR/lbd.json"
}
# The system calls that the unit allows.
allowed() {
	local name
	for name in "$@"; do
		if [[ $name = @* ]]; then
			# shellcheck disable=SC2046
			allowed $(systemd-analyze syscall-filter "$name" | sed -n 's/^    \([@a-z_0-9-]*\)$/\1/p')
		else
			echo "$name"
		fi
	done
}
TRACE=()
! command -v strace >/dev/null || TRACE=(strace -f -qq -o "$DIR/trace")
confined >"$DIR/log" 2>&1 &
DAEMON=$!
at_exit rm -rf --one-file-system "$PINS"
at_exit kill "$DAEMON"
check "lbd starts with the capabilities that the unit leaves it" \
	wait_for 10 "$M/usr/bin/lbctl" --socket "$DIR/sock" version || cat "$DIR/log"
read -r TRACED <"/proc/$DAEMON/task/$DAEMON/children" # strace's child
kill "${TRACED:-$DAEMON}"
wait "$DAEMON"
if [ -n "${TRACE[*]}" ] && command -v systemd-analyze >/dev/null; then
	# shellcheck disable=SC2046
	check_equal "lbd makes no system call that the unit forbids" "" "$(comm -23 \
		<(sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$DIR/trace" | sort -u) \
		<(allowed $(sed -n 's/^SystemCallFilter=//p' "$UNIT") | sort -u))"
else
	skip "lbd makes no system call that the unit forbids" "strace, systemd-analyze"
fi

# --- going away ---

mkdir -p "$M/var/lib/lbd"
echo '{}' >"$M/var/lib/lbd/service.json"
echo '{' >"$M/etc/lbd/lbd.json"
mkdir "$M/sys/fs/bpf/another"
bpftool map create "$M/sys/fs/bpf/another/abi" type array key 4 value 4 entries 1 name abi
bpftool map create "$M/sys/fs/bpf/another/slots" type array key 4 value 4 entries 1 name slots
in_net dpkg -r lbd >"$DIR/log" 2>&1
check_equal "removal stops lbd" "deb-systemd-invoke stop lbd.service
systemctl daemon-reload" "$(asked)"
check "removal with a broken lbd.json detaches the program" not attached
check "and removes its pins" test ! -e "$M/sys/fs/bpf/lbd"
check_equal "it says where it looked, and what else is pinned" \
	"lbd: lbd.json is not valid, so the data plane is looked for where it is by default, in /sys/fs/bpf/lbd
lbd: a data plane is still pinned in /sys/fs/bpf/another; unless another lbd has it: rm -r /sys/fs/bpf/another" \
	"$(grep '^lbd:' "$DIR/log")"
check "removal keeps the state" test -e "$M/var/lib/lbd/service.json"
check "removal keeps lbd.json" test -e "$M/etc/lbd/lbd.json"
on_it dpkg -P lbd >"$DIR/log" 2>&1
check_equal "purging removes state and configuration" "" \
	"$(ls -d "$M/var/lib/lbd" "$M/etc/lbd" "$M/usr/lib/lbd" 2>/dev/null)"
check_equal "purging leaves nothing to dpkg" "" "$(on_it dpkg-query -W lbd 2>/dev/null)"

# --- the package of backends ---

check_equal "it holds these files, all root's, with these modes" "-rw-r--r-- ./etc/lbd-backend/backend.json
-rw-r--r-- ./usr/lib/systemd/system/lbd-backend.service
-rwxr-xr-x ./usr/sbin/lbd-backend
-rw-r--r-- ./usr/share/doc/lbd-backend/changelog.gz
-rw-r--r-- ./usr/share/doc/lbd-backend/copyright
-rw-r--r-- ./usr/share/man/man8/lbd-backend.8.gz" \
	"$(dpkg-deb -c "$BACKEND" | awk '$1 !~ /^d/ && $2 == "root/root" { print $1, $6 }' | sort -k2)"
if command -v lintian >/dev/null; then
	check_equal "lintian finds nothing wrong with it" "" "$(lintian --allow-root "$BACKEND" 2>&1)"
else
	skip "lintian finds nothing wrong with it" "lintian"
fi
dpkg-deb -x "$BACKEND" "$DIR/files"
check "it has PIE, RELRO, BIND_NOW, stack protector and FORTIFY_SOURCE" hardened "$DIR/files/usr/sbin/lbd-backend"
cp "$BACKEND" "$M/lbd-backend.deb"
in_net dpkg -i /lbd-backend.deb >"$DIR/log" 2>&1
check_equal "it installs without lbd, and starts nothing" "systemctl daemon-reload" "$(asked)"
check_equal "it says what to do" \
	"lbd-backend: fill in /etc/lbd-backend/backend.json, then: systemctl enable --now lbd-backend" \
	"$(grep '^lbd-backend:' "$DIR/log")"
check_equal "its file as it comes is refused" \
	"lbd-backend: /etc/lbd-backend/backend.json: interfaces is empty (at interfaces)" "$(in_net lbd-backend up 2>&1 | head -n 1)"
if command -v systemd-analyze >/dev/null; then
	check_equal "systemd finds nothing wrong with its unit" "" "$(on_it systemd-analyze verify lbd-backend.service 2>&1 | grep -i lbd)"
else
	skip "systemd finds nothing wrong with its unit" "systemd-analyze"
fi
echo '{"interfaces": ["v0"], "vips": ["192.0.2.10"], "balancers": ["10.0.0.2"], "backends": ["10.0.0.0/24"]}' \
	>"$M/etc/lbd-backend/backend.json"
# With no more capabilities than its unit leaves it.
bounds=$(sed -n 's/^CapabilityBoundingSet=CAP_//p' "$M/usr/lib/systemd/system/lbd-backend.service" | sed 's/ CAP_/,+/g')
check "the host becomes a backend" in_net setpriv --bounding-set "-all,+${bounds,,}" --no-new-privs lbd-backend up
check "its interface has the program" attached
check_equal "nothing is wrong with it" "nothing is wrong here" "$(in_net lbd-backend check)"
in_net dpkg -i /lbd-backend.deb >"$DIR/log" 2>&1 </dev/null
check "an upgrade leaves that in place" attached
check_equal "and says so" "lbd-backend: the programs of the version before stay attached until: systemctl restart lbd-backend" \
	"$(grep '^lbd-backend:' "$DIR/log")"
asked >"$DIR/log"
in_net dpkg -P lbd-backend >"$DIR/log" 2>&1
check_equal "removal stops the unit" "deb-systemd-invoke stop lbd-backend.service
systemctl daemon-reload" "$(asked)"
check "and takes the program away" not attached
check "and the address" not grep -F 192.0.2.10 <(ip -n "$ID" address show lo)
check_equal "purging removes the configuration, and its folder in /run" "" "$(ls -d "$M/etc/lbd-backend" "$M/run/lbd-backend" 2>/dev/null)"

# --- without a package ---

staged=$DIR/staged
check "make install installs below DESTDIR and PREFIX" \
	make -s O="$BUILD" DESTDIR="$staged" PREFIX=/opt/lb install
check_equal "its unit starts the lbd that it installed" "/opt/lb/sbin/lbd --config /etc/lbd/lbd.json \$LBD_OPTIONS" \
	"$(sed -n 's/^ExecStart=//p' "$staged/opt/lb/lib/systemd/system/lbd.service")"
echo '{"interfaces": ["eth7"]}' >"$staged/etc/lbd/lbd.json"
make -s O="$BUILD" DESTDIR="$staged" PREFIX=/opt/lb install >"$DIR/log" 2>&1
check_equal "make install leaves an lbd.json alone" '{"interfaces": ["eth7"]}' \
	"$(cat "$staged/etc/lbd/lbd.json")"
finish
