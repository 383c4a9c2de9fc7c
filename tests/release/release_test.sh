#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Are the packages of a release the same wherever, whenever and by whomever they are made, and is its bill of materials
# valid? What "make test-release" runs, as root.
#
#   O=BUILD     a build (build), whose BPF programs go into the release
#
# Built three times: in this tree's copy; in another folder by another user, in another year, time zone and language, and
# with another umask; and from the archive of "make dist", which needs no clang.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath "${O:-build}")
LIBRARIES=(@cyclonedx/cyclonedx-library@10.3.0 ajv@8.20.0 ajv-formats@3.0.1 ajv-formats-draft2019@1.6.1)
VERSION=$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
ARCHITECTURE=$(dpkg --print-architecture)
NAMES=("lbd_${VERSION}_$ARCHITECTURE.deb" "lbd-dbgsym_${VERSION}_$ARCHITECTURE.deb" "lbd_${VERSION}_$ARCHITECTURE.cdx.json"
	"lbd-backend_${VERSION}_$ARCHITECTURE.deb" "lbd-tier_${VERSION}_$ARCHITECTURE.deb")
BOM=${NAMES[2]}
COLUMN=4 # of the table in docs/deploy.md: Debian 12, then 13
! grep -q '^VERSION_CODENAME=trixie' /etc/os-release || COLUMN=5
SOMEBODY=12345
unset MAKEFLAGS MFLAGS MAKELEVEL
export -n O
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
chmod 755 "$DIR"
: "${SOURCE_DATE_EPOCH:=$(git -c safe.directory="$PWD" log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

archive() {
	make -s O="${O#"$PWD"/}" dist && mv "$O/lbd-$VERSION.tar.xz" "$DIR"
}

# tree FOLDER: the archive, unpacked there
tree() {
	mkdir -p "$1" && tar -x -C "$1" --strip-components=1 -f "$DIR/lbd-$VERSION.tar.xz"
}

here() {
	tree "$DIR/here" && rm -r "$DIR/here/prebuilt" && make -s -j"$(nproc)" -C "$DIR/here" run-deb >/dev/null
}

elsewhere() {
	local home=$DIR/some/other/folder
	tree "$home" && rm -r "$home/prebuilt" && mkdir "$DIR/out" && chown -R "$SOMEBODY:$SOMEBODY" "$DIR/some" "$DIR/out" &&
		(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nonexistent USER=somebody faketime -f +400d \
			setpriv --reuid="$SOMEBODY" --regid="$SOMEBODY" --clear-groups \
			make -s -j"$(nproc)" -C "$home" O="$DIR/out" run-deb >/dev/null)
}

from_archive() {
	tree "$DIR/archive" && make -s -j"$(nproc)" -C "$DIR/archive" run-deb >/dev/null
}

# same FOLDER: as of `here`
same() {
	local name
	for name in "${NAMES[@]}"; do
		cmp "$DIR/here/build/$name" "$1/$name" || return
	done
}

install() {
	cp tests/release/validate.mjs "$DIR" &&
		npm install --prefix "$DIR" --no-audit --no-fund --no-package-lock "${LIBRARIES[@]}"
}

valid() {
	(cd "$DIR" && node validate.mjs "$1")
}

# wrong JQ TEXT: a bill that is changed so is refused, with that in the message
wrong() {
	jq "$1" "$DIR/here/build/$BOM" >"$DIR/wrong.json" && ! valid "$DIR/wrong.json" >"$DIR/fault" 2>&1 || return
	cat "$DIR/fault"
	grep -qF "$2" "$DIR/fault"
}

# Whatever is depended on is described.
whole() {
	jq -e '[.metadata.component.components[], .components[] | ."bom-ref"] as $known |
		[.dependencies[] | .ref, .dependsOn[]] | unique - $known == []' "$DIR/here/build/$BOM"
}

# kib FILE: of `here`
kib() {
	echo $(($(stat -c %s "$DIR/here/build/$1") / 1024))
}

# documented PACKAGE KIB: docs/deploy.md says so of this Debian, within a tenth
documented() {
	local said
	said=$(awk -F ' *[|] *' -v package="\`$1\`" -v column="$COLUMN" '$2 == package { print $column }' docs/deploy.md | tr -dc 0-9)
	echo "docs/deploy.md says ${said:-nothing}"
	[ $(($2 * 10)) -le $((said * 11)) ] && [ $(($2 * 10)) -ge $((said * 9)) ]
}

check "make dist makes an archive" archive || finish
check "make deb makes packages of its sources" here || finish
check "another user makes some elsewhere, 400 days later" elsewhere &&
	check "they are the same, byte for byte" same "$DIR/out"
check "packages are made from the archive" from_archive &&
	check "they are the same, too" same "$DIR/archive/build"
check "the validator is installed" install || finish
check "the bill of materials is valid CycloneDX" valid "$DIR/here/build/$BOM"
check "a wrong type of a component is refused" wrong '.components[0].type = "libary"' /components/0/type
check "a misspelt field is refused" wrong '.components[0].purll = "x"' purll
check "it describes whatever it says is needed" whole
for name in "${NAMES[@]}"; do
	[[ $name == *.deb ]] || continue
	kib=$(kib "$name")
	check "${name%%_*} has $kib KiB, as docs/deploy.md says" documented "${name%%_*}" "$kib"
done
finish
