#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the Debian package work where it is meant to run: on a booted Debian, under systemd? What "make test-boot" runs,
# as root.
#
#   boot.sh BUILD [RELEASE…]        bookworm (kernel 6.1) and trixie (6.12) unless given
#
# Each release is booted in a VM of its own, as software emulation, all at the same time: one takes a CPU and 1 GB. The
# VMs have no network but what early.sh makes in them. Disks are kept in $BOOT_CACHE (/var/cache/lbd-test/boot unless
# set) and never written to; logs of the last run are in BUILD/boot.
#
# Packages go in: lbd.deb, what "make deb" makes; before.deb, the same sources under a lower version; abi.deb, the same
# sources with another LB_ABI_VERSION; and with each of them lbd-backend, as lbd.backend.deb, and lbd-tier.
#
# shellcheck disable=SC2317 # functions are called by name, through step
set -u

build=$(cd "${1:?BUILD is missing}" && pwd) || exit
shift
[ $# -gt 0 ] || set -- bookworm trixie
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

SECONDS_MOST=2400
CACHE=${BOOT_CACHE:-/var/cache/lbd-test/boot}
LOGS=$build/boot
OTHER_ABI=99
work=$(mktemp -d)
declare -A vms # by release
at_exit rm -rf "$work"
at_exit stop_vms
unset MAKEFLAGS MFLAGS MAKELEVEL

stop_vms() {
	[ ${#vms[@]} = 0 ] || { kill "${vms[@]}" && wait "${vms[@]}"; }
}

# package NAME FOLDER BUILD [VERSION]: NAME.deb, NAME.backend.deb and NAME.tier.deb of the sources in FOLDER
package() {
	DEB_VERSION=${4:-} make -s -C "$2" O="$work/$3" run-deb && mv "$work/$3"/lbd_*.deb "$work/job/$1.deb" &&
		mv "$work/$3"/lbd-backend_*.deb "$work/job/$1.backend.deb" && mv "$work/$3"/lbd-tier_*.deb "$work/job/$1.tier.deb" &&
		dpkg-deb -f "$work/job/$1.deb" Version >"$work/job/$1.version"
}

other_abi() {
	local tree=$work/tree
	mkdir "$tree"
	cp -r Makefile LICENSE README.md CHANGELOG.md bpf docs lbctl lbd tests "$tree" &&
		sed -i "s/^#define LB_ABI_VERSION .*/#define LB_ABI_VERSION $OTHER_ABI/" "$tree/bpf/abi.h" &&
		package abi "$tree" build-abi "$(<"$work/job/lbd.version")+abi"
}

packages() {
	mkdir "$work/job"
	# What is built already need not be built again for another version.
	mkdir "$work/build" && cp -rp "$build"/{bpf,lbd,lbctl,lib,tests} "$work/build/" || return
	package lbd . build && package before . build "$(<"$work/job/lbd.version")~before" && other_abi
}

make_job() {
	packages || return
	cp tests/boot/{early,guest}.sh tests/lib/check.sh "$build"/tests/lib/{pass.bpf.o,hold_tool,serve_tool,connect_tool} \
		"$work/job" || return
	truncate -s 64M "$work/job.disk" && mke2fs -q -t ext4 -d "$work/job" "$work/job.disk"
}

# cx16 and la57 off: with them Debian's 6.12 panics early under qemu 7.2's emulation. The HPET tells the time, since
# TSC and APIC timer are calibrated at boot, wrongly where this machine is busy: clocks were seen to run 50 times too fast.
start() {
	local release=$1 image
	mkdir -p "$LOGS/$release"
	: >"$LOGS/$release/output"
	image=$(tests/boot/image.sh "$release" "$CACHE") || return
	timeout --kill-after=10 $SECONDS_MOST qemu-system-x86_64 \
		-M q35 -accel tcg,thread=multi -cpu max,cx16=off,la57=off -smp 1 -m 1024 \
		-nodefaults -display none -monitor none -nic none -kernel "$image/vmlinuz" -initrd "$image/initrd" \
		-append "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off \
			tsc=unstable clocksource=hpet nolapic_timer systemd.default_timeout_start_sec=300" \
		-drive "file=$image/disk,format=raw,if=virtio,snapshot=on,cache=unsafe" \
		-drive "file=$work/job.disk,format=raw,if=virtio,readonly=on" \
		-serial "file:$LOGS/$release/console" -device virtio-rng-pci -device virtio-serial-pci \
		-chardev "file,id=output,path=$LOGS/$release/output" \
		-device virtserialport,chardev=output,name=output </dev/null >"$LOGS/$release/qemu" 2>&1 &
	vms[$release]=$!
}

# A VM that ended before its closing line counts as one failure.
end() {
	local release=$1 log=$LOGS/$1 closing
	[ -n "${vms[$release]:-}" ] && wait "${vms[$release]}"
	unset "vms[$release]"
	echo "=== $release"
	cat "$log/output"
	closing=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log/output" | tail -n 1)
	if [ -n "$closing" ]; then
		PASSED=$((PASSED + ${closing%% *}))
		closing=${closing#*, }
		FAILED=$((FAILED + ${closing%% *}))
	else
		FAILED=$((FAILED + 1))
		echo "FAIL  $release: not all steps were done in $SECONDS_MOST s; $log/console ends so:"
		tail -n 20 "$log/console" "$log/qemu" | tr -d '\r' | sed 's/^/      | /'
	fi
}

step "packages are made" make_job || finish
for release; do
	start "$release"
done
for release; do
	end "$release"
done
finish
