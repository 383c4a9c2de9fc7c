# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A machine to install packages on: a view of this one, whose changes are kept in memory. To be sourced by a test in a
# mount namespace of its own.
#
#   machine FOLDER     in that folder, which is a tmpfs: M is its root. Without lbd; with a BPF file system of its own,
#                      devices that are nobody else's, and as if systemd ran there. Fails where there is no overlayfs
#   "${ON_MACHINE[@]}" ARGS…     a command on it, in the network of the caller
#
# It goes by the folder being unmounted; nothing is to be removed from it recursively.

machine() {
	M=$1/machine
	# shellcheck disable=SC2034 # for who sources this
	ON_MACHINE=(chroot "$M" env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
	mkdir "$1"/{upper,work,machine} &&
		mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$M" || return
	mount -t proc proc "$M/proc"
	mount -t tmpfs tmpfs "$M/dev"
	mknod -m 666 "$M/dev/null" c 1 3
	mknod -m 666 "$M/dev/urandom" c 1 9
	ln -s /proc/self/fd "$M/dev/fd"
	chroot "$M" dpkg -P lbd-dbgsym lbd >/dev/null 2>&1
	chroot "$M" groupdel lbd >/dev/null 2>&1
	rm -rf "$M/etc/lbd" "$M/var/lib/lbd" "$M/usr/sbin/policy-rc.d"
	mkdir -p "$M/sys/fs/bpf" "$M/run/systemd/system" "$M/usr/local/bin" && mount -t bpf bpf "$M/sys/fs/bpf"
}
