#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How does the system of root.sh start in the VM of vm.sh? First process of its initramfs.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs dev /dev
modprobe -a virtio_pci virtio_console virtio_rng
mount -t tmpfs run /run
mkdir /run/vm
mv /job /run/vm/
exec /bin/bash /guest.sh
