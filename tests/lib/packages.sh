#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Are these Debian packages installed? Those that are not, get installed.
#
#   packages.sh NAME…
#
# Asks only dpkg when all are there, which takes a blink. Upgrades nothing that is not in the way,
# installs nothing that is merely recommended, and asks no questions.
set -u
[ $# -gt 0 ] || exit 0

if ! command -v dpkg-query >/dev/null; then
	echo "packages.sh: no dpkg here, so it is up to you that these are installed: $*" >&2
	exit 0
fi
mapfile -t missing < <(comm -23 <(printf '%s\n' "$@" | sort -u) \
	<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p' | sort -u))
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "packages.sh: packages are missing and only root can install them; run this with sudo, or" >&2
	echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "  APT     ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
ours=
trap 'rm -f "$log" $ours' EXIT
# Services that a package brings are not to be started: tests start what they need by themselves.
if [ ! -e "$policy" ]; then
	ours=$policy
	printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy"
fi
if ! { apt-get -q update && apt-get -qy --no-install-recommends install "${missing[@]}"; } \
	> "$log" 2>&1 < /dev/null; then
	tail -n 30 "$log" >&2
	echo "packages.sh: apt-get could not install ${missing[*]}" >&2
	exit 1
fi
