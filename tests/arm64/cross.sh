# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by tests of lbd for arm64, after check.sh: Debian's cross compiler, for what is committed here.
#
#   cross_begin CACHE       a clone in $work/lbd, the compiler and its libraries in a layer beside CACHE's bare Debians; or
#                           the end
#   inside COMMAND ARGS…    in a Debian with those packages, in the clone
#   build TARGET…           by make there
RELEASE=bookworm
CROSS=aarch64-linux-gnu-
PACKAGES=(iproute2 clang llvm bpftool gcc libc6-dev pkg-config dpkg-dev jq gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)
for library in libbpf libelf zlib1g libjansson libevent libmnl libcap-ng libcurl4-openssl libcmocka; do
	PACKAGES+=("$library-dev:arm64")
done

clone() {
	git config --file "$work/gitconfig" safe.directory '*' &&
		GIT_CONFIG_GLOBAL=$work/gitconfig git clone -q --depth 1 "file://$PWD" "$work/lbd"
}

inside() {
	(cd "$work/lbd" && "$OLDPWD/tests/debian/in.sh" -k "$cache/$RELEASE.arm64" -b "$work/lbd" "$root" "$@")
}

packages() {
	inside sh -c 'dpkg --add-architecture arm64 && apt-get -q update && apt-get -qy --no-install-recommends install "$@"' - "${PACKAGES[@]}"
}

build() {
	inside make -s -j"$(nproc)" CROSS="$CROSS" "$@"
}

cross_begin() {
	cache=$1
	work=$(mktemp -d)
	at_exit rm -rf --one-file-system "$work"
	root=$(tests/debian/root.sh $RELEASE "$cache") || exit
	check "the tree can be cloned" clone || finish
	check "the cross compiler and libraries for arm64 are there" packages || finish
}
