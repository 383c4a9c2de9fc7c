#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How does a command run on another kernel?
#
#   run.sh [-t SECONDS] [-m MEGABYTES] [-c CPUS] [-i] KERNEL LOGS COMMAND ARGS…
#
# Boots the kernel unpacked in the folder KERNEL (see kernel.sh) in qemu, as software emulation,
# over a read-only view of this machine's files, and runs the command there as root in the current
# folder. What it writes goes to memory and is gone with the VM; its output is passed on. LOGS, a
# folder, gets the files console, output and report (see guest.sh). With -i the VM has one CPU, and
# its clocks count instructions: one is a nanosecond, whatever this machine is doing.
#
# Exits with the command's status; 124: time limit; 125: the VM ended without a status.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
seconds=480
megabytes=2048
cpus=2
clock=(-accel "tcg,thread=multi")
while getopts t:m:c:i option; do
	case $option in
	t) seconds=$OPTARG ;;
	m) megabytes=$OPTARG ;;
	c) cpus=$OPTARG ;;
	i) clock=(-accel "tcg,thread=single" -icount "shift=0,sleep=off") cpus=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -lt 3 ]; then
	sed -n '5p' "$0" >&2
	exit 2
fi
kernel=$(cd "$1" && pwd)
release=$(basename "$kernel")
mkdir -p "$2"
logs=$(cd "$2" && pwd)
shift 2

VIRTIOFSD=/usr/lib/qemu/virtiofsd # Debian 12: part of qemu-system-common
work=
pids=()

fail() {
	echo "run.sh: $1" >&2
	exit 125
}

# shellcheck disable=SC2317 # called by a trap
clean_up() {
	local pid
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
	wait "${pids[@]}" 2>/dev/null || :
	cp "$work"/log/* "$logs/" || :
	rm -rf "$work"
}

need() {
	local program
	[ "$(id -u)" = 0 ] || fail "needs root, to share this machine's files with the VM"
	for program in qemu-system-x86_64 "$VIRTIOFSD" /bin/busybox cpio modprobe xz zstd; do
		command -v "$program" >/dev/null || fail "$program is missing"
	done
}

# The few modules that stand between the kernel and its root, decompressed: busybox cannot.
pack_modules() {
	local file name
	mkdir "$1"
	for file in virtio_pci virtio_console virtiofs overlay; do
		modprobe -d "$kernel" -S "$release" --show-depends "$file"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		name=$(basename "$file")
		case $name in
		*.xz) name=${name%.xz} && xz -dc "$file" > "$1/$name" ;;
		*.zst) name=${name%.zst} && zstd -qdc "$file" > "$1/$name" ;;
		*) cp "$file" "$1/" ;;
		esac
		echo "$name"
	done > "$1/order"
}

make_initramfs() {
	local root=$work/initramfs
	mkdir -p "$root"/{bin,dev,proc,machine,memory,root}
	cp /bin/busybox "$root/bin/"
	cp "$here/init.sh" "$root/init"
	cp "$here/guest.sh" "$root/"
	chmod +x "$root/init"
	pack_modules "$root/modules"
	{
		printf 'VM_MODULES=%q\n' "$kernel/lib/modules"
		printf 'VM_FOLDER=%q\n' "$PWD"
		printf 'VM_COMMAND=('
		printf '%q ' "$@"
		printf ')\n'
	} > "$root/job"
	(cd "$root" && find . | cpio -o -H newc --quiet) > "$work/initrd"
}

# It holds one descriptor for each file the VM knows of, and ends with the VM.
share_files() {
	local tries=0
	ulimit -Sn "$(ulimit -Hn)"
	"$VIRTIOFSD" --socket-path="$work/files" --rlimit-nofile=0 -o source=/ -o cache=always \
		-o sandbox=chroot > "$work/virtiofsd.log" 2>&1 &
	pids+=($!)
	until [ -S "$work/files" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 200 ] || ! kill -0 "${pids[-1]}" 2>/dev/null; then
			cat "$work/virtiofsd.log" >&2
			fail "virtiofsd does not start"
		fi
		read -rt 0.05 <> <(:) || :
	done
}

# cx16 and la57 off: with them Debian's 6.12 panics early under qemu 7.2's emulation.
# virtiofs reads and writes the VM's memory, which therefore has to be shared.
start_vm() {
	timeout --kill-after=10 "$seconds" qemu-system-x86_64 \
		-M q35 "${clock[@]}" -cpu max,cx16=off,la57=off \
		-smp "$cpus" -m "$megabytes" \
		-object "memory-backend-memfd,id=memory,size=${megabytes}M,share=on" \
		-numa node,memdev=memory -nodefaults -display none -monitor none -no-reboot \
		-kernel "$kernel/boot/vmlinuz-$release" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check" \
		-serial "file:$work/log/console" -device virtio-rng-pci -device virtio-serial-pci \
		-chardev "file,id=output,path=$work/log/output" \
		-device virtserialport,chardev=output,name=output \
		-chardev "file,id=report,path=$work/log/report" \
		-device virtserialport,chardev=report,name=report \
		-chardev "socket,id=files,path=$work/files" \
		-device vhost-user-fs-pci,chardev=files,tag=machine \
		< /dev/null > "$work/qemu.log" 2>&1 &
	pids+=($!)
}

need
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
work=$(mktemp -d)
mkdir "$work/log"
touch "$work"/log/{console,output,report}
make_initramfs "$@"
share_files
start_vm
vm=${pids[-1]}
# In the background, since a signal is heeded during "wait" only.
tail -n +1 -s 0.2 -f --pid="$vm" "$work/log/output" &
pids+=($!)
wait "${pids[-1]}" || :
ended=0
wait "$vm" || ended=$?

status=$(sed -n 's/^exit \([0-9]*\)$/\1/p' "$work/log/report")
[ -z "$status" ] || exit "$status"
cat "$work/qemu.log" >&2
if [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
	echo "run.sh: the VM was not done in $seconds s" >&2
	exit 124
fi
fail "the VM ended without a status; see $logs/console"
