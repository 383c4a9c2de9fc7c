#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which is the newest of Debian's cloud kernels of a series, and where are its files?
#
#   kernel.sh SERIES CACHE     e.g. kernel.sh 6.1 build/vm
#
# Prints a folder CACHE/RELEASE with boot/vmlinuz-RELEASE and lib/modules/RELEASE, downloaded and
# unpacked there when it is not yet. Nothing is installed: the running kernel and its boot loader
# are not touched. "apt-get update" runs when apt knows no such kernel or cannot get those it knows.
set -eu

series=$1
cache=$2
tmp=

fail() {
	echo "kernel.sh: $1" >&2
	exit 1
}

# Releases that apt offers, newest first. A package exists as signed, unsigned, or both.
offered() {
	apt-cache search -n "^linux-image-${series//./\\.}\\..*-cloud-amd64(-unsigned)?\$" |
		sed -E 's/^linux-image-([^ ]*-cloud-amd64).*/\1/' | sort -ruV
}

# Releases that were unpacked earlier, newest first: enough to work without a network.
cached() {
	local file
	for file in "$cache/$series".*/ready; do
		[ ! -e "$file" ] || basename "$(dirname "$file")"
	done | sort -rV
}

# The package is unpacked beside its final place and renamed, so that an interrupted download is
# never taken for a kernel.
fetch() {
	local release=$1 package
	tmp=$(mktemp -d "$cache/.fetch.XXXXXX")
	for package in "linux-image-$release" "linux-image-$release-unsigned"; do
		(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$package") >&2 &&
			break
	done
	dpkg-deb -x "$tmp"/*.deb "$tmp/files" 2>/dev/null || return 1
	[ -e "$tmp/files/lib" ] || ln -s usr/lib "$tmp/files/lib"
	depmod -b "$tmp/files" "$release" || return 1
	touch "$tmp/files/ready"
	mv -T "$tmp/files" "$cache/$release" 2>/dev/null || [ -e "$cache/$release/ready" ]
}

# The lists of a mirror may name a package that it no longer has: then the next older one will do.
newest_offered() {
	local release tries=0
	for release in $(offered); do
		if [ ! -e "$cache/$release/ready" ]; then
			[ "$tries" -lt 3 ] || return 1
			tries=$((tries + 1))
			echo "getting linux-image-$release" >&2
			fetch "$release" || {
				rm -rf "$tmp"
				continue
			}
		fi
		echo "$cache/$release"
		return 0
	done
	return 1
}

newest_cached() {
	local release
	release=$(cached | head -n 1)
	[ -n "$release" ] || return 1
	echo "kernel.sh: nothing newer can be downloaded, using $release" >&2
	echo "$cache/$release"
}

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP

newest_offered && exit
echo "kernel.sh: asking apt for a kernel of the series $series" >&2
apt-get -qq update >&2 || :
newest_offered || newest_cached ||
	fail "apt offers no linux-image-$series.*-cloud-amd64 that can be downloaded"
