#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where is Debian's arm64 kernel, with what the tests in its VM call?
#
#   root.sh RELEASE CACHE     e.g. root.sh bookworm /var/cache/lbd-test/debian
#
# Prints a folder CACHE/RELEASE.arm64-vm with vmlinuz and root.cpio, made when it is missing or was made by another version of
# this script. Packages are unpacked and none of their scripts runs, so that nothing is emulated before the VM. As root.
set -eu

release=$1
cache=$2
made=$cache/$release.arm64-vm
recipe=$(sha256sum "$0" | cut -c 1-16)
packages=(linux-image-cloud-arm64 busybox-static iproute2 ethtool iputils-ping curl jq procps kmod libbpf1 libelf1 libjansson4
	libevent-core-2.1-7 libmnl0 libcap-ng0 libcmocka0 zlib1g)

fail() {
	echo "root.sh: $1" >&2
	exit 1
}

archive() {
	# shellcheck disable=SC2016 # filled in by apt-get
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1
}

unpack() {
	local url deb
	url=$(archive)
	[ -n "$url" ] || { apt-get -qq update && url=$(archive); }
	[ -n "$url" ] || return
	debootstrap --foreign --arch=arm64 --variant=minbase --include="$(IFS=, && echo "${packages[*]}")" "$release" "$root" "$url" ||
		return
	for deb in "$root"/var/cache/apt/archives/*.deb; do
		dpkg-deb --extract "$deb" "$root" || return
	done
}

# What scripts of packages would have made; and nothing that nobody reads there.
complete() {
	cp "$root"/usr/share/base-passwd/passwd.master "$root/etc/passwd" &&
		cp "$root"/usr/share/base-passwd/group.master "$root/etc/group" && ln -sf mawk "$root/usr/bin/awk" &&
		depmod --basedir "$root" "$(ls "$root/lib/modules")" && echo '127.0.0.1 localhost' >"$root/etc/hosts" || return
	mv "$root"/boot/vmlinuz-* "$work/made/vmlinuz" &&
		rm -rf "${root:?}"/{boot,debootstrap,var/cache/apt,var/lib/apt} "$root"/usr/share/{doc,man,locale,i18n,info,zoneinfo,lintian}
}

pack() {
	(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc >"$work/made/root.cpio") && echo "$recipe" >"$work/made/recipe"
}

[ "$(id -u)" = 0 ] || fail "needs root"
mkdir -p "$cache"
exec 9>"$made.lock"
flock 9
if [ "$(cat "$made/recipe" 2>/dev/null)" != "$recipe" ]; then
	work=$(mktemp -d "$cache/.arm64.XXXXXX")
	root=$work/root
	trap 'rm -rf --one-file-system "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$work/made"
	{ unpack && complete && pack; } >"$made.log" 2>&1 9>&- || {
		tail -n 20 "$made.log" >&2
		fail "no root was made; all of the log is in $made.log"
	}
	rm -rf "$made"
	mv -T "$work/made" "$made"
fi
echo "$made"
