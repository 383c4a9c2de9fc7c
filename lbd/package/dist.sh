#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How do sources and tested BPF programs become a release?
#
#   dist.sh BUILD OUT.tar.xz     BUILD: has the compiled programs and their skeleton headers
#
# OUT has what git tracks, as it is in the work tree, and the compiled programs in prebuilt/. The same sources and the
# same tools give the same bytes.
set -eu
shopt -s inherit_errexit

build=$(realpath "$1")
out=$(realpath "$2")
name=$(basename "$out" .tar.xz)
cd "$(dirname "$0")/../.."

tracked() {
	git -c safe.directory="$PWD" "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: "${SOURCE_DATE_EPOCH:=$(tracked log -1 --format=%ct)}"
mkdir -p "$work/$name/prebuilt/bpf"
tracked ls-files -z | tar -c --null --files-from=- | tar -x -C "$work/$name"
cp "$build"/bpf/{decap,explain,lb,reqsk,second,trace,tunnel}.bpf.o "$build"/bpf/{decap,explain,lb,reqsk,second,trace,tunnel}.skel.h "$work/$name/prebuilt/bpf"
LC_ALL=C tar -c -C "$work" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=a+rX,u+w,go-w,a-s \
	--mtime="@$SOURCE_DATE_EPOCH" "$name" | xz -9 -T1 >"$out.tmp"
mv "$out.tmp" "$out"
