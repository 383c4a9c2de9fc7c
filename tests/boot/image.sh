#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where is the disk of a Debian release that boots with systemd?
#
#   image.sh RELEASE CACHE [PACKAGE…]     e.g. image.sh trixie /var/cache/lbd-test/boot
#
# Prints a folder CACHE/RELEASE, or CACHE/RELEASE.PACKAGE… with more packages, with the files disk (ext4, no
# partitions), vmlinuz and initrd. They are made when they are missing or were made by another version of this script:
# debootstrap from the archive that this machine's apt uses, which takes some minutes. Remove the folder to get newer
# packages. As root.
set -eu

release=$1
cache=$2
shift 2
name=$(IFS=. && echo "$release${*:+.$*}")
recipe=$(sha256sum "$0" | cut -c 1-16)

# Systemd, a kernel, what lbd depends on, and what the tests in the VM call.
packages=(systemd-sysv udev dbus kmod linux-image-cloud-amd64 initramfs-tools zstd init-system-helpers iproute2 ethtool
	procps passwd jq curl bird2 libbpf1 libelf1 zlib1g libjansson4 libmnl0 libcap-ng0
	libevent-core-2.1-7 "$@")

# Nobody waits for these in a VM that lives for some minutes.
masked=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
	getty@tty1.service serial-getty@ttyS0.service systemd-pstore.service kmod-static-nodes.service)

fail() {
	echo "image.sh: $1" >&2
	exit 1
}

archive() {
	# shellcheck disable=SC2016 # filled in by apt-get
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1
}

# Debian 12 on: an archive's packages are trusted by this machine's keys.
bootstrap() {
	local url
	url=$(archive)
	[ -n "$url" ] || { apt-get -qq update && url=$(archive); }
	[ -n "$url" ] || fail "apt has no source of Debian's packages"
	debootstrap --variant=minbase "$release" "$root" "$url"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing is to start in here
	chmod 755 "$root/usr/sbin/policy-rc.d"
	printf 'path-exclude=/usr/share/%s/*\n' doc man locale >"$root/etc/dpkg/dpkg.cfg.d/small"
}

# In a mount namespace of its own, so that nothing of this machine can be left mounted in there.
in_root() {
	# shellcheck disable=SC2016 # expanded in there
	unshare --mount --propagation private bash -c '
		mount -t proc proc "$0/proc" && mount -t sysfs -o ro sysfs "$0/sys" && mount -t tmpfs tmpfs "$0/tmp" || exit
		exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"' \
		"$root" "$@"
}

install_packages() {
	in_root apt-get -qy --no-install-recommends install "${packages[@]}"
	in_root apt-get clean
	rm -r "$root"/var/lib/apt/lists/* "$root/usr/sbin/policy-rc.d"
}

# `lbd-test.service` runs what the job disk brings, at the end of each boot; `lbd-test-early.service` before the
# network and so before lbd.
configure() {
	local unit
	echo lbd-test >"$root/etc/hostname"
	echo '127.0.0.1 localhost lbd-test' >"$root/etc/hosts"
	echo '/dev/vda / ext4 defaults 0 0' >"$root/etc/fstab"
	tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
	rm -f "$root/etc/resolv.conf"
	for unit in "${masked[@]}"; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	mkdir -p "$root/job" "$root/etc/systemd/system/"{multi-user,sysinit}.target.wants
	cat >"$root/etc/systemd/system/lbd-test-early.service" <<-END
		[Unit]
		Before=network-pre.target
		Wants=network-pre.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/mount -o ro /dev/vdb /job
		ExecStart=/bin/bash /job/early.sh
	END
	cat >"$root/etc/systemd/system/lbd-test.service" <<-END
		[Unit]
		Requires=lbd-test-early.service
		After=lbd-test-early.service multi-user.target
		[Service]
		Type=oneshot
		ExecStart=/bin/bash /job/guest.sh
		StandardOutput=file:/dev/virtio-ports/output
		StandardError=inherit
		TimeoutStartSec=infinity
	END
	for unit in lbd-test-early lbd-test; do
		ln -s "../$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
	done
}

make_disk() {
	mkdir "$made"
	cp "$root"/boot/vmlinuz-* "$made/vmlinuz"
	cp "$root"/boot/initrd.img-* "$made/initrd"
	rm -r "${root:?}"/boot/*
	truncate -s 2G "$made/disk"
	mke2fs -q -t ext4 -O ^metadata_csum -E lazy_itable_init=0 -d "$root" "$made/disk"
	echo "$recipe" >"$made/recipe"
}

for program in debootstrap mke2fs apt-get; do
	command -v "$program" >/dev/null || fail "$program is missing"
done
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/$name.lock"
flock 9
if [ "$(cat "$cache/$name/recipe" 2>/dev/null)" != "$recipe" ]; then
	work=$(mktemp -d "$cache/.make.XXXXXX")
	root=$work/root
	made=$work/made
	trap 'rm -rf --one-file-system "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	chmod 755 "$work"
	{ bootstrap && install_packages && configure && make_disk; } >"$cache/$name.log" 2>&1 9>&- || {
		tail -n 20 "$cache/$name.log" >&2
		fail "no disk of $name was made; all of the log is in $cache/$name.log"
	}
	rm -rf "${cache:?}/$name"
	mv -T "$made" "$cache/$name"
fi
echo "$cache/$name"
