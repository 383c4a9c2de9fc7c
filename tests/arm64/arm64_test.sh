#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd build for arm64, and do its unit tests pass there? What "make test-arm64" runs, as root.
#
#   arm64_test.sh CACHE     where bare Debians are kept; packages for arm64 come into a layer beside them
#
# Debian's cross compiler makes the package of what is committed here; qemu runs arm64 programs on this machine's kernel.
# Packets go through an arm64 kernel in kernel_test.sh. The memory order is this machine's: bpf/abi.h has what was reviewed.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cache=$1
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL

# shellcheck source=tests/arm64/cross.sh
. tests/arm64/cross.sh

UNKNOWN='^announce_routes_test$' # asks for routing rules, which qemu-user does not translate
TOO_LONG='^(promise|service)_test$' # minutes each, emulated

unit_tests() {
	local test tests=()
	for test in "$work"/lbd/tests/unit/*_test.c; do
		tests+=("build/tests/unit/$(basename "$test" .c)")
	done
	build "${tests[@]}"
}

emulated() {
	inside timeout 300 qemu-aarch64-static "build/tests/unit/$1"
}

# package_is_arm64 NAME: so it says, and each program that it has is
package_is_arm64() {
	local deb program
	deb=$(echo "$work/lbd/build/$1"_*_arm64.deb)
	[ "$(dpkg-deb -f "$deb" Architecture)" = arm64 ] && dpkg-deb -x "$deb" "$work/lbd/files" || return
	for program in "$work"/lbd/files/usr/{sbin,bin}/*; do
		readelf -h "$program" | grep -q 'Machine:.*AArch64' || return
	done
}

# Of the package's programs, and of nothing of this machine's own.
bill_is_arm64() {
	jq -e 'all(.components[]; .purl | test("arch=arm64|-arm64-cross@")) and (.components | length > 8)' "$work/lbd/files/usr/share/doc/lbd/lbd.cdx.json"
}

starts() {
	inside qemu-aarch64-static "files/usr/$1" "$2"
}

# lbd-tier has nothing to say without its file.
asks_for_file() {
	! starts sbin/lbd-tier follow >"$work/said" 2>&1 && grep -q 'cannot read /etc/lbd/tier.json' "$work/said"
}

cross_begin "$cache"
check "make deb makes packages" build run-deb || finish
for name in lbd lbd-backend lbd-tier; do
	check "$name is for arm64" package_is_arm64 $name
done
check "the bill of materials, too" bill_is_arm64
check "lbd starts" starts sbin/lbd --version
check "lbctl starts" starts bin/lbctl help
check "so does lbd-tier" asks_for_file
check "and lbd-backend" starts sbin/lbd-backend --version
check "the unit tests are built" unit_tests || finish
for test in "$work"/lbd/tests/unit/*_test.c; do
	name=$(basename "$test" .c)
	if [[ $name =~ $TOO_LONG ]]; then
		skip "unit/$name" "an arm64 processor; emulated it takes too long"
	elif [[ $name =~ $UNKNOWN ]]; then
		skip "unit/$name" "an arm64 kernel; qemu-user does not translate routing rules"
	else
		check "unit/$name" emulated "$name"
	fi
done
finish
