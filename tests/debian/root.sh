#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where is the root folder of a bare Debian release?
#
#   root.sh RELEASE CACHE     e.g. root.sh trixie /var/cache/lbd-test/debian
#
# Prints CACHE/RELEASE, made by debootstrap from the archive that this machine's apt uses when it is not there yet.
# Nothing ever runs in it but by in.sh, which keeps changes elsewhere. Remove it to get newer packages. As root.
set -eu

release=$1
cache=$2
root=$cache/$release
tmp=

fail() {
	echo "root.sh: $1" >&2
	exit 1
}

archive() {
	# shellcheck disable=SC2016 # filled in by apt-get
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1
}

# Made beside its final place and renamed, so that half a Debian is never taken for one.
make_root() {
	local url
	url=$(archive)
	[ -n "$url" ] || { apt-get -qq update >&2 && url=$(archive); }
	[ -n "$url" ] || fail "apt has no source of Debian's packages"
	echo "making a bare Debian $release" >&2
	tmp=$(mktemp -d "$cache/.root.XXXXXX")
	chmod 755 "$tmp"
	debootstrap --variant=minbase --include=git,make,ca-certificates "$release" "$tmp" "$url" >"$tmp.log" 2>&1 || {
		tail -n 20 "$tmp.log" >&2
		fail "debootstrap has failed"
	}
	mv -T "$tmp" "$root"
}

clean_up() {
	[ -z "$tmp" ] || rm -rf --one-file-system "$tmp" "$tmp.log"
}

[ "$(id -u)" = 0 ] || fail "needs root"
mkdir -p "$cache"
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
[ -d "$root" ] || make_root
echo "$root"
