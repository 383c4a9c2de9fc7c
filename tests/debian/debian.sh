#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a clean clone work on a bare Debian? What "make test-debian13" and "make test-debian12" run, as root.
#
#   debian.sh RELEASE CACHE MAKE-ARGUMENTS…      e.g. debian.sh trixie /var/cache/lbd-test/debian demo
#   debian.sh -e RELEASE CACHE TARGET…           each target in a clone and a Debian of its own, one after the other
#
# Clones what is committed, and runs make there in a copy of the release that is gone afterwards: like a user who has
# installed git and make, and nothing else. On this machine's kernel, and with the bare Debians that are kept in CACHE.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u

each=
[ "$1" != -e ] || { each=1 && shift; }
release=$1
cache=$2
shift 2
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL

work=$(mktemp -d)
at_exit rm -rf --one-file-system "$work"

# Whoever owns the tree; git wants to be told. With its history, from which tests make older versions.
clone() {
	rm -rf --one-file-system "$work/lbd" && git config --file "$work/gitconfig" safe.directory '*' &&
		GIT_CONFIG_GLOBAL=$work/gitconfig git clone -q "file://$PWD" "$work/lbd"
}

makes() {
	local began=$SECONDS status
	check "the tree can be cloned" clone || return
	(cd "$work/lbd" && "$OLDPWD/tests/debian/in.sh" -b "$work/lbd" -b "$cache" "$root" make -j"$(nproc)" "$@") 2>&1
	status=$?
	echo "--- on a bare $release: took $((SECONDS - began)) s"
	check "on a bare $release: make $*" test "$status" = 0
}

root=$(tests/debian/root.sh "$release" "$cache") || exit
if [ -n "$each" ]; then
	for target in "$@"; do
		makes "$target"
	done
else
	makes "$@"
fi
finish
