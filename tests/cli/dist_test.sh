#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a release need neither clang nor bpftool, and has its package the BPF programs that the packet tests loaded?
#
#   O=BUILD     a build (build)
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath "${O:-build}")
if [ "$(basename "$O")" = san ]; then
	skip "the release" "a sanitized build is not released"
	finish
fi
if [ "$(id -u)" != 0 ]; then
	skip "the release" "root"
	finish
fi
if [ ! -e .git ]; then
	skip "the release" "a git work tree"
	finish
fi
if [ -z "${LB_DIST_TEST:-}" ]; then # tools are hidden in a mount namespace of its own
	LB_DIST_TEST=1 exec unshare --mount --propagation private "$0"
fi
unset MAKEFLAGS MFLAGS MAKELEVEL
export -n O # for no other make than this tree's
NAME=lbd-$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
BUILD=${O#"$PWD"/} # as in the dependency files
DIR=$(mktemp -d)
at_exit rm -rf --one-file-system "$DIR"

# The same sources in another folder, and another repository, compiled again.
made_elsewhere() {
	mkdir "$DIR/other" && tar -x -C "$DIR/other" --strip-components=1 -f "$DIR/$NAME.tar.xz" || return
	cd "$DIR/other" && rm -r prebuilt && git init -q && git add -A || return
	SOURCE_DATE_EPOCH=$(stat -c %Y Makefile) make -s dist && cmp "$DIR/$NAME.tar.xz" "build/$NAME.tar.xz"
}

hide() {
	local tool path
	for tool; do
		for path in $(type -ap "$tool") "/usr/sbin/$tool" "/usr/local/sbin/$tool"; do
			[ ! -x "$path" ] || mount --bind /dev/null "$path" || return
		done
		! "$tool" --version || return
	done
}

# has FILE OBJECT: the object's bytes, in one piece
has() {
	python3 -B tests/lib/has.py "$1" "$2"
}

in_package() {
	dpkg-deb --fsys-tarfile "$DIR/$NAME"/build/lbd_*.deb | tar -x -C "$DIR/package"
}

before=$(sha256sum "$O"/bpf/*.bpf.o)
check "make dist makes a release" make -s O="$BUILD" dist || finish
check_equal "it compiles no program again" "$before" "$(sha256sum "$O"/bpf/*.bpf.o)"
mv "$O/$NAME.tar.xz" "$DIR"
check "made elsewhere, it is the same byte for byte" made_elsewhere
tar -x -C "$DIR" -f "$DIR/$NAME.tar.xz"
check "clang, llvm-strip and bpftool can be hidden" hide clang llvm-strip bpftool || finish
check "make builds it without them" make -s -j2 -C "$DIR/$NAME" || finish
check "make deb makes its package without them" make -s -C "$DIR/$NAME" run-deb || finish
mkdir "$DIR/package"
check "the package can be unpacked" in_package
check "it has the decap.bpf.o that the packet tests load" \
	cmp "$DIR/package/usr/lib/lbd/decap.bpf.o" "$O/bpf/decap.bpf.o"
check "its lbd has the balancer that the packet tests load" has "$DIR/package/usr/sbin/lbd" "$O/bpf/lb.bpf.o"
check "which is in the packet tests" has "$O/tests/packet/packet_test" "$O/bpf/lb.bpf.o"
check "its lbd has the program of tunnel checks too" has "$DIR/package/usr/sbin/lbd" "$O/bpf/tunnel.bpf.o"
check "and the one that explains" has "$DIR/package/usr/sbin/lbd" "$O/bpf/explain.bpf.o"
finish
