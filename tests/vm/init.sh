#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# How does a VM without a disk get a root file system? First process of the initramfs.
#
# The machine's own / arrives through virtiofs, read-only; an overlay in memory takes every write.
# run.sh puts into the initramfs: busybox, the modules of /modules in load order, guest.sh and job.
PATH=/bin
/bin/busybox --install -s /bin

give_up() {
	echo "init: $1"
	poweroff -f
}

mount -t devtmpfs dev /dev
mount -t proc proc /proc
while read -r module; do
	insmod "/modules/$module" || echo "init: $module does not load"
done < /modules/order

mount -t virtiofs -o ro machine /machine || give_up "the machine's files do not mount"
mount -t tmpfs -o size=75% memory /memory
mkdir /memory/changes /memory/work
mount -t overlay -o lowerdir=/machine,upperdir=/memory/changes,workdir=/memory/work root /root ||
	give_up "the overlay does not mount"

# Run-time files of the machine (sockets, namespaces) mean nothing in here.
mount -t tmpfs run /root/run
mkdir /root/run/vm
cp /guest.sh /job /root/run/vm/
umount /proc
mount --move /dev /root/dev
exec switch_root /root /bin/bash /run/vm/guest.sh
