#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How do installed files become Debian packages?
#
#   deb.sh ROOT BUILD OUT     ROOT: what `make install DESTDIR=ROOT PREFIX=/usr` made of BUILD, ROOT.backend what
#                             `make install-backend` made, ROOT.tier what `make install-tier` made; they are changed
#
# Into the folder OUT come lbd_VERSION_ARCHITECTURE.deb, lbd-dbgsym_VERSION_ARCHITECTURE.deb with the debug symbols, where
# gdb finds them, and the bill of materials that the first has, lbd_VERSION_ARCHITECTURE.cdx.json; in packages of their own
# lbd-backend, what backends have, and lbd-tier, so that an lbd without a tier needs no libcurl.
#
# The same sources and the same tools give the same packages, byte for byte: nothing in them tells when, where or by
# whom they were made. MAINTAINER="NAME <ADDRESS>" names who answers for them; DEB_VERSION overrides the version.
set -eu
shopt -s inherit_errexit

root=$(realpath "$1")
build=$(realpath "$2")
out=$(realpath "$3")
cd "$(dirname "$0")/../.."
version=${DEB_VERSION:-$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)}
# A name under .invalid belongs to nobody, by RFC 2606.
maintainer=${MAINTAINER:-lbd maintainers <lbd@packages.invalid>}
architecture=$(dpkg-architecture ${CROSS:+-t "${CROSS%-}"} -q DEB_HOST_ARCH 2>/dev/null)
export DEB_HOST_ARCH=$architecture
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y lbd/api/version.h)}"
export SOURCE_DATE_EPOCH LC_ALL=C
umask 022
programs=(usr/bin/lbctl usr/sbin/lbd usr/lib/lbd/lbd-simulate)
symbols=$root.dbgsym
ids=() # by which debuggers know what belongs together

strip_program() {
	"${CROSS:-}strip" --strip-unneeded --remove-section=.comment --remove-section=.note "$1"
}

# Debug symbols go into a file of their own, named after the build id.
split_symbols() {
	local program id file
	for program in "${programs[@]}"; do
		id=$(readelf --notes "$root/$program" | sed -n 's/.*Build ID: //p')
		file=$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
		ids+=("$id")
		install -d -m 755 "${file%/*}"
		"${CROSS:-}objcopy" --only-keep-debug --compress-debug-sections "$root/$program" "$file"
		chmod 644 "$file"
		strip_program "$root/$program"
		"${CROSS:-}objcopy" --add-gnu-debuglink="$file" "$root/$program"
	done
}

# legal_files FOLDER NAME: what every package has to say of itself
legal_files() {
	local doc=$1/usr/share/doc/$2
	gzip -9n "$1"/usr/share/man/man*/*
	install -d -m 755 "$doc"
	sed -e 's/^$/./; s/^/ /' LICENSE >"$1/license"
	sed -e "/^@LICENSE@/{r $1/license" -e 'd}' lbd/package/copyright >"$doc/copyright"
	rm "$1/license"
	sed "s/^lbd /$2 /; s/@VERSION@/$version/; s/@MAINTAINER@/$maintainer/; s/@DATE@/$(date -uRd "@$SOURCE_DATE_EPOCH")/" \
		lbd/package/changelog | gzip -9n >"$doc/changelog.gz"
}

finish_files() {
	local doc=$root/usr/share/doc/lbd
	split_symbols
	legal_files "$root" lbd
	install -m 644 README.md CHANGELOG.md docs/deploy.md docs/design.md docs/protocol.md docs/benchmark.md docs/benchmark-*.svg "$doc"
	install -D -m 644 lbd/package/lintian-overrides "$root/usr/share/lintian/overrides/lbd"
	lbd/package/sbom.sh "$root" "$build" "$architecture" "$version" "$maintainer" >"$doc/lbd.cdx.json"
	install -m 644 "$doc/lbd.cdx.json" "$out/lbd_${version}_$architecture.cdx.json"
}

# depends PROGRAM…: dpkg-shlibdeps wants to stand in a source package.
depends() {
	local source
	source=$(mktemp -d)
	mkdir "$source/debian"
	printf 'Source: lbd\n\nPackage: lbd\nArchitecture: any\n' >"$source/debian/control"
	(cd "$source" && dpkg-shlibdeps -O "$@") | sed -n 's/^shlibs:Depends=//p'
	rm -r "$source"
}

# kib FOLDER
kib() {
	find "$1" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }'
}

# control_file FOLDER TEMPLATE [SED]: with what is known only now
control_file() {
	sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/; s/@MAINTAINER@/$maintainer/; ${3:-}" \
		"$2" >"$1/DEBIAN/control"
	(cd "$1" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$1/DEBIAN/md5sums"
}

control_files() {
	local size needs
	size=$(kib "$root")
	install -d -m 755 "$root/DEBIAN" # by which dpkg-shlibdeps knows a package
	needs=$(depends "$root"/usr/{bin,sbin}/*)
	[ -n "$needs" ]
	control_file "$root" lbd/package/control "s/@DEPENDS@/$needs/"
	echo /etc/lbd/lbd.json >"$root/DEBIAN/conffiles"
	install -m 755 lbd/package/postinst lbd/package/prerm lbd/package/postrm "$root/DEBIAN/"
}

# part PART FOLDER: lbd-PART, a package of one program, of which no symbols are kept; FOLDER has what such packages have
part() {
	local part=$root.$1 name=lbd-$1 folder=$2 size needs
	strip_program "$part/usr/sbin/$name"
	legal_files "$part" "$name"
	size=$(kib "$part")
	install -d -m 755 "$part/DEBIAN"
	needs=$(depends "$part"/usr/sbin/*)
	[ -n "$needs" ]
	control_file "$part" "$folder/control" "s/@DEPENDS@/$needs/"
	[ ! -d "$part/etc" ] || (cd "$part" && find etc -type f -printf '/%p\n' | sort) >"$part/DEBIAN/conffiles"
	find "$folder" \( -name 'post*' -o -name 'pre*' \) -exec install -m 755 -t "$part/DEBIAN" {} +
	package "$part" "$name"
}

# Of the same name, form and place as those that Debian's own tools make.
symbol_files() {
	local size
	install -d -m 755 "$symbols/DEBIAN" "$symbols/usr/share/doc"
	ln -s lbd "$symbols/usr/share/doc/lbd-dbgsym"
	size=$(kib "$symbols")
	control_file "$symbols" lbd/package/control-dbgsym "s/@IDS@/${ids[*]}/"
}

# package FOLDER NAME: dpkg-deb takes the times of files that are older than SOURCE_DATE_EPOCH
package() {
	find "$1" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$1" "$out/$2_${version}_$architecture.deb" >/dev/null
}

rm -rf "$symbols"
mkdir -p "$out"
finish_files
control_files
symbol_files
package "$root" lbd
package "$symbols" lbd-dbgsym
part backend lbd/backend/package
part tier lbctl/tier/package
