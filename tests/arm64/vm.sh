#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How does a command run on Debian's arm64 kernel?
#
#   vm.sh [-t SECONDS] SYSTEM TREE LOGS COMMAND ARGS…
#
# Boots the kernel in the folder SYSTEM (see root.sh) in qemu, as software emulation, with that system and the folder
# TREE, as /lbd, in memory, and runs the command there as root. What it writes is gone with the VM; its output is passed on.
# LOGS, a folder, gets the files console, output and report: ../vm/guest.sh is what runs in the VM.
#
# Exits with the command's status; 124: time limit; 125: the VM ended without a status.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
seconds=2400
[ "$1" != -t ] || { seconds=$2 && shift 2; }
system=$(cd "$1" && pwd)
tree=$(cd "$2" && pwd)
mkdir -p "$3"
logs=$(cd "$3" && pwd)
shift 3
work=$(mktemp -d)
vm=

# shellcheck disable=SC2317 # called by a trap
clean_up() {
	[ -z "$vm" ] || { kill "$vm" && wait "$vm"; } 2>/dev/null || :
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# The kernel takes several archives, one after the other.
make_initrd() {
	mkdir -p "$work/root/lbd"
	cp "$here/init.sh" "$work/root/init"
	cp "$here/../vm/guest.sh" "$work/root/"
	cp -r "$tree/." "$work/root/lbd"
	{
		printf 'VM_MODULES=/lib/modules VM_FOLDER=/lbd\nVM_COMMAND=('
		printf '%q ' "$@"
		printf ')\n'
	} >"$work/root/job"
	(cd "$work/root" && find . | cpio --quiet -o -H newc >"$work/tree.cpio")
	cat "$system/root.cpio" "$work/tree.cpio" >"$work/initrd"
}

start_vm() {
	: >"$logs/output"
	: >"$logs/report"
	timeout --kill-after=10 "$seconds" qemu-system-aarch64 -M virt -cpu neoverse-n1 -accel tcg,thread=multi -smp 2 -m 3072 \
		-nodefaults -display none -monitor none -no-reboot -nic none \
		-kernel "$system/vmlinuz" -initrd "$work/initrd" -append "console=ttyAMA0 quiet panic=-1 mitigations=off" \
		-serial "file:$logs/console" -device virtio-rng-pci -device virtio-serial-pci \
		-chardev "file,id=output,path=$logs/output" -device virtserialport,chardev=output,name=output \
		-chardev "file,id=report,path=$logs/report" -device virtserialport,chardev=report,name=report \
		</dev/null >"$work/qemu.log" 2>&1 &
	vm=$!
}

make_initrd "$@"
start_vm
# In the background, since a signal is heeded during "wait" only.
tail -n +1 -s 0.2 -f --pid="$vm" "$logs/output" &
wait $! || :
ended=0
wait "$vm" || ended=$?
vm=
status=$(sed -n 's/^exit \([0-9]*\)$/\1/p' "$logs/report")
[ -z "$status" ] || exit "$status"
cat "$work/qemu.log" >&2
tail -n 20 "$logs/console" | tr -d '\r' >&2
[ "$ended" != 124 ] || exit 124
exit 125
