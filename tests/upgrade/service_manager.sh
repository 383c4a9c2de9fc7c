#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What do the package's scripts find in the place of systemd? Installed by upgrade_test.sh as systemctl and as
# deb-systemd-invoke: it starts and stops lbd as its units say, and no more. tests/boot has the real one.
pid() {
	local found
	read -r found </run/lbd.pid && kill -0 "$found" && echo "$found"
} 2>/dev/null

# As TimeoutStartSec and TimeoutStopSec.
until_ok() {
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		! "$@" >/dev/null 2>&1 || return 0
		read -rt 0.05 <> <(:)
	done
	return 1
}

ended() {
	! pid
}

stop() {
	local running
	running=$(pid) || return 0
	kill "$running"
	until_ok ended
}

decided() {
	lbctl version || ended
}

# start OPTION…: as the unit does with LBD_OPTIONS
start() {
	setsid lbd --config /etc/lbd/lbd.json "$@" </dev/null >>/lbd.log 2>&1 &
	echo $! >/run/lbd.pid
	until_ok decided && pid >/dev/null
}

case "$*" in
daemon-reload) ;;
'stop lbd.service') stop ;;
'start lbd.service' | 'restart lbd.service') stop && start ;;
'start lbd-reset-flows') stop && start --reset-flows ;;
'is-active --quiet lbd.service') pid >/dev/null ;;
*)
	echo "service_manager.sh does not know: $*" >&2
	exit 1
	;;
esac
