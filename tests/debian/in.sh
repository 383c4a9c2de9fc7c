#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How does a command run in a root folder of root.sh without changing it?
#
#   in.sh [-k LAYER] [-b FOLDER]… ROOT COMMAND ARGS…
#
# Over the root lies a layer that takes every change: in memory, and gone with the command; with -k LAYER that folder,
# which is kept. Each FOLDER of -b is the machine's own, at the same path. Packages that apt downloads are kept beside
# the root, and used again. The command is in process, mount, IPC and network namespaces of its own, but for the
# network itself; they end with it, and with them its processes and mounts. NODE_EXTRA_CA_CERTS, certificates that npm
# needs where the network has its own, is passed on.
set -eu

if [ "${1:-}" != --inside ]; then
	exec unshare --mount --propagation private --pid --kill-child --fork "$0" --inside "$@"
fi
shift

layer=
folders=()
while getopts k:b: option; do
	case $option in
	k) layer=$(realpath -m "$OPTARG") ;;
	b) folders+=("$(realpath "$OPTARG")") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
root=$(realpath "$1")
shift
packages=$(dirname "$root")/packages.$(basename "$root")
here=$PWD

# A place for mounts that exists only in this namespace, so that nothing is left where it was.
memory=/mnt
mount -t tmpfs -o size=80% memory "$memory"
mkdir "$memory"/{root,changes,work}
if [ -n "$layer" ]; then
	mkdir -p "$layer"/{changes,work} # one file system, as overlayfs wants them
	changes=$layer/changes work=$layer/work
else
	changes=$memory/changes work=$memory/work
fi
inside=$memory/root
mount -t overlay -o "lowerdir=$root,upperdir=$changes,workdir=$work" overlay "$inside"

# Devices and run-time files of its own, never the machine's.
mount -t proc proc "$inside/proc"
mount -t sysfs sys "$inside/sys"
mount -t bpf bpf "$inside/sys/fs/bpf"
[ ! -d "$inside/sys/fs/cgroup" ] || mount --rbind /sys/fs/cgroup "$inside/sys/fs/cgroup"
mount -t tmpfs dev "$inside/dev"
mkdir "$inside"/dev/{pts,shm,net}
mount -t devpts -o newinstance,ptmxmode=0666 pts "$inside/dev/pts"
mount -t tmpfs shm "$inside/dev/shm"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "$inside/dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 "$inside/dev/tty" c 5 0
mknod -m 666 "$inside/dev/net/tun" c 10 200
ln -s pts/ptmx "$inside/dev/ptmx"
ln -s /proc/self/fd "$inside/dev/fd"
for number in 0 1 2; do
	ln -s "/proc/self/fd/$number" "$inside/dev/$(echo stdin stdout stderr | cut -d ' ' -f $((number + 1)))"
done
mount -t tmpfs run "$inside/run"
mkdir -p "$inside/run/lock" "$packages/partial"
exec {lock}>"$packages/lock.in" # apt does not wait for another one's lock
! flock -n "$lock" || mount --bind "$packages" "$inside/var/cache/apt/archives"
cat /etc/resolv.conf >"$inside/etc/resolv.conf"
cat /etc/hosts >"$inside/etc/hosts"
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
	cat "$NODE_EXTRA_CA_CERTS" >"$inside/etc/ssl/network.crt"
fi
for folder in "${folders[@]}"; do
	mkdir -p "$inside$folder"
	mount --bind "$folder" "$inside$folder"
done

# The root of the namespace, too, and not of processes alone: what enters the namespace by its number lands there, as
# runc does to run a command in a container. What is left of its processes ends with the namespace.
cd "$inside"
pivot_root . mnt
umount --lazy /mnt
# shellcheck disable=SC2016 # for the inner shell
/usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
	TERM=dumb LANG=C.UTF-8 ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/etc/ssl/network.crt} sh -c 'cd "$1" 2>/dev/null || cd /; shift; exec "$@"' - "$here" "$@" </dev/null
