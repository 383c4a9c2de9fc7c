#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How does what follows a tier become a Debian package of its own, so that an lbd without one needs no libcurl?
#
#   deb.sh ROOT OUT     ROOT: what `make install-tier DESTDIR=ROOT PREFIX=/usr` made; it is changed
#
# The same sources and the same tools give the same package, as by lbd/package/deb.sh, whose settings hold here too.
set -eu
shopt -s inherit_errexit

root=$(realpath "$1")
out=$(realpath "$2")
cd "$(dirname "$0")/../../.."
version=${DEB_VERSION:-$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)}
maintainer=${MAINTAINER:-lbd maintainers <lbd@packages.invalid>}
architecture=$(dpkg-architecture ${CROSS:+-t "${CROSS%-}"} -q DEB_HOST_ARCH 2>/dev/null)
export DEB_HOST_ARCH=$architecture
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y lbd/api/version.h)}"
export SOURCE_DATE_EPOCH LC_ALL=C
umask 022

# dpkg-shlibdeps wants to stand in a source package.
depends() {
	local source
	source=$(mktemp -d)
	mkdir "$source/debian"
	printf 'Source: lbd\n\nPackage: lbd-tier\nArchitecture: any\n' >"$source/debian/control"
	(cd "$source" && dpkg-shlibdeps -O "$root"/usr/sbin/lbd-tier) | sed -n 's/^shlibs:Depends=//p'
	rm -r "$source"
}

doc=$root/usr/share/doc/lbd-tier
"${CROSS:-}strip" --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/sbin/lbd-tier"
gzip -9n "$root"/usr/share/man/man*/*
install -d -m 755 "$doc" "$root/DEBIAN"
sed -e 's/^$/./; s/^/ /' LICENSE >"$root/license"
sed -e "/^@LICENSE@/{r $root/license" -e 'd}' lbd/package/copyright >"$doc/copyright"
rm "$root/license"
sed "s/^lbd /lbd-tier /; s/@VERSION@/$version/; s/@MAINTAINER@/$maintainer/; s/@DATE@/$(date -uRd "@$SOURCE_DATE_EPOCH")/" \
	lbd/package/changelog | gzip -9n >"$doc/changelog.gz"
needs=$(depends)
[ -n "$needs" ]
size=$(find "$root" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/; s/@MAINTAINER@/$maintainer/; s/@DEPENDS@/$needs/" \
	lbctl/tier/package/control >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
install -m 755 lbctl/tier/package/postinst lbctl/tier/package/prerm "$root/DEBIAN/"
find "$root" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$root" "$out/lbd-tier_${version}_$architecture.deb" >/dev/null
