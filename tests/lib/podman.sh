# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by tests that build images: podman with a store of its own, over a Debian of this machine's own archive.
#
#   pod ARGS…               podman; with runc, since crun takes no machine with both versions of control groups
#   podman_builder FILE     a podman for make and others, that builds without a network namespace
#   podman_room FOLDER      makes FOLDER one that can have a store of podman's; not within check
#   debian_image RELEASE    makes $(debian_name RELEASE), unless it is there
#
# Layers are kept in $IMAGE_CACHE (/var/cache/lbd-test/image unless set), so that the next build takes packages from there,
# unless that is on an overlay.
PODMAN_CACHE=${IMAGE_CACHE:-/var/cache/lbd-test/image}
PODMAN=(podman --root "$PODMAN_CACHE/root" --runroot "$PODMAN_CACHE/run" --storage-driver overlay --runtime runc --cgroup-manager cgroupfs)

pod() {
	"${PODMAN[@]}" "$@"
}

podman_builder() {
	cat >"$1" <<-END
		#!/bin/bash
		verb=\$1
		shift
		exec ${PODMAN[*]} "\$verb" --isolation chroot --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 "\$@"
	END
	chmod +x "$1"
}

# podman's overlay driver takes no overlay under it, which is what the root of a container often is: then memory.
podman_room() {
	mkdir -p "$1" || return
	[ "$(stat -f -c %T "$1")" != overlayfs ] || { mount -t tmpfs store "$1" && at_exit umount --recursive --lazy "$1"; }
}

debian_name() {
	echo "localhost/debian:$1"
}

debian_image() {
	local root
	! pod image exists "$(debian_name "$1")" || return 0
	root=$(tests/debian/root.sh "$1" "${DEBIAN_CACHE:-/var/cache/lbd-test/debian}") &&
		tar -c -C "$root" . | pod import - "$(debian_name "$1")"
}
