#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What does the VM of ansible_test.sh do? Run inside it by lbd-test.service: lets that in by ssh, and nobody else.
set -eu
export LC_ALL=C HOME=/root

# The one interface with a driver of virtio, whose other side is qemu.
device() {
	basename "$(ls -d /sys/bus/virtio/drivers/virtio_net/virtio*/net/*)"
}

mkdir -p /root/.ssh
chmod 700 /root/.ssh
cp /job/authorized_keys /root/.ssh/
ip address add 10.0.2.15/24 dev "$(device)"
ip link set "$(device)" up
for n in 1 2; do
	ip netns exec b$n /job/hold_tool serve b$n 80 >/dev/null 2>&1 &
done
systemctl start ssh
echo "ready on $(uname -r), $(cut -d' ' -f1 /proc/uptime) s after its boot"
wait
