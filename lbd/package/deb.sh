#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How do installed files become a Debian package?
#
#   deb.sh ROOT OUT.deb     ROOT: what `make install DESTDIR=ROOT PREFIX=/usr` made; it is changed
#
# The same sources and the same tools give the same package, byte for byte: nothing in it tells when, where or by
# whom it was made. MAINTAINER="NAME <ADDRESS>" names who answers for it; DEB_VERSION overrides the version.
set -eu
shopt -s inherit_errexit

root=$(realpath "$1")
out=$(realpath "$2")
cd "$(dirname "$0")/../.."
version=${DEB_VERSION:-$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)}
# A name under .invalid belongs to nobody, by RFC 2606.
maintainer=${MAINTAINER:-lbd maintainers <lbd@packages.invalid>}
architecture=$(dpkg --print-architecture)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y lbd/api/version.h)}"
export SOURCE_DATE_EPOCH LC_ALL=C
umask 022

finish_files() {
	local doc=$root/usr/share/doc/lbd
	strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root"/usr/{bin,sbin}/* "$root"/usr/lib/lbd/lbd-simulate
	gzip -9n "$root"/usr/share/man/man*/*
	install -d -m 755 "$doc"
	install -m 644 README.md CHANGELOG.md docs/deploy.md docs/design.md docs/protocol.md docs/benchmark.md docs/benchmark-*.svg "$doc"
	sed -e 's/^$/./; s/^/ /' LICENSE >"$root/license"
	sed -e "/^@LICENSE@/{r $root/license" -e 'd}' lbd/package/copyright >"$doc/copyright"
	rm "$root/license"
	sed "s/@VERSION@/$version/; s/@MAINTAINER@/$maintainer/; s/@DATE@/$(date -uRd "@$SOURCE_DATE_EPOCH")/" \
		lbd/package/changelog | gzip -9n >"$doc/changelog.gz"
	install -D -m 644 lbd/package/lintian-overrides "$root/usr/share/lintian/overrides/lbd"
}

# dpkg-shlibdeps wants to stand in a source package.
depends() {
	local source
	source=$(mktemp -d)
	mkdir "$source/debian"
	printf 'Source: lbd\n\nPackage: lbd\nArchitecture: any\n' >"$source/debian/control"
	(cd "$source" && dpkg-shlibdeps -O "$root"/usr/{bin,sbin}/*) | sed -n 's/^shlibs:Depends=//p'
	rm -r "$source"
}

control_files() {
	local size needs
	size=$(find "$root" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
	install -d -m 755 "$root/DEBIAN" # by which dpkg-shlibdeps knows a package
	needs=$(depends)
	[ -n "$needs" ]
	sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/; s/@DEPENDS@/$needs/
		s/@MAINTAINER@/$maintainer/" \
		lbd/package/control >"$root/DEBIAN/control"
	echo /etc/lbd/lbd.json >"$root/DEBIAN/conffiles"
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
	install -m 755 lbd/package/postinst lbd/package/prerm lbd/package/postrm "$root/DEBIAN/"
}

finish_files
control_files
dpkg-deb --root-owner-group -Zxz --build "$root" "$out" >/dev/null
