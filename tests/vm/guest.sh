#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What does a VM do between its root file system and its end? First process after init.sh.
#
# Makes the mounts a command may expect, runs the command of /run/vm/job and powers off. The command
# has its output on the port "output" of the VM, and may write lines to the file $VM_REPORT; these,
# and a last line "exit STATUS", go to the port "report".
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LANG=C.UTF-8 VM_REPORT=/run/vm/report

make_mounts() {
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mkdir -p /dev/pts /dev/shm /run/netns /run/lock
	mount -t devpts pts /dev/pts
	mount -t tmpfs shm /dev/shm
	mount -t bpf bpf /sys/fs/bpf
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t tracefs tracing /sys/kernel/tracing
	ln -sfn /proc/self/fd /dev/fd # bash opens <(command) through it
	ln -sfn /proc/self/fd/0 /dev/stdin
	ln -sfn /proc/self/fd/1 /dev/stdout
	ln -sfn /proc/self/fd/2 /dev/stderr
}

port() {
	local entry
	for entry in /sys/class/virtio-ports/*; do
		if [ "$(cat "$entry/name")" = "$1" ]; then
			echo "/dev/${entry##*/}"
		fi
	done
}

# A port can be open only once, so a command that opens /dev/stderr again would fail if its output
# were the port itself: there is a pipe between. A process left behind may hold it; hence the limit.
run_job() {
	local job copier status=0
	mkfifo /run/vm/output
	cat /run/vm/output > "$(port output)" &
	copier=$!
	"${VM_COMMAND[@]}" > /run/vm/output 2>&1 < /dev/null &
	job=$!
	wait "$job" || status=$?
	timeout 2 tail -s 0.1 -f --pid="$copier" /dev/null
	return "$status"
}

make_mounts
ip link set lo up
# shellcheck source=/dev/null
. /run/vm/job
mkdir -p /lib/modules
mount --bind "$VM_MODULES" /lib/modules
cd "$VM_FOLDER" || :

: > "$VM_REPORT"
run_job
status=$?
[ "$status" = 0 ] || dmesg | tail -n 20 > /dev/console
{
	cat "$VM_REPORT"
	echo "exit $status"
} > "$(port report)"
busybox poweroff -f
