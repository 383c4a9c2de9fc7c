# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by tests of backends that make connections from cookies.
#
#   syn_secrets FILE SECRET…     $LAB_DIR/FILE has these secrets
#   syn_settings FILE [MORE]     lbd-backend's settings, with the secrets of that file
#   syn_lab FILE                 a lab with one backend that is a plain host so far, and these settings
#   syn_backend COMMAND…         lbd-backend there
#   syn_serve                    an echo server there, which hangs up first when it is sent "c"
#   syn_kernel                   whether the kernel here makes connections from cookies
#   syn_needs WHAT               ends the script, and WHAT is skipped, without that or without root

# shellcheck disable=SC2034 # for who sources it
SYN_FIRST=00112233445566778899aabbccddeeff
# shellcheck disable=SC2034
SYN_SECOND=ffeeddccbbaa99887766554433221100

syn_secrets() {
	(umask 077 && printf '%s\n' "${@:2}" >"$LAB_DIR/$1")
}

syn_settings() {
	jq -n --arg secret "$LAB_DIR/$1" --arg vip4 "$LAB_VIP4" --arg vip6 "$LAB_VIP6" --argjson more "${2:-{\}}" '
		{interfaces: ["b0"], vips: [$vip4, $vip6], balancers: ["10.0.0.0/24", "198.51.100.0/24"], guard_secret: $secret} + $more' \
		>"$LAB_DIR/backend.json"
}

syn_lab() {
	lab_up one-armed 1 && syn_settings "$1" && syn_secrets "$1" "$SYN_FIRST" || return
	lab_batch b1 <<-EOF
		link set dev b0 xdpdrv off
		address del $LAB_VIP4/32 dev lo
		address del $LAB_VIP6/128 dev lo
	EOF
	lab_in router ethtool -K rb1 tx off tso off gso off gro off >/dev/null
}

syn_backend() {
	lab_in b1 "$O/lbd/lbd-backend" "$@" --config "$LAB_DIR/backend.json" --state "$LAB_DIR/undo"
}

syn_serve() {
	lab_background b1 python3 -c '
import socket, threading
def talk(peer):
    with peer:
        while (data := peer.recv(100)) and data != b"c":
            peer.send(data)
listener = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
while True:
    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()'
	wait_for 5 syn_listens
}

syn_listens() {
	lab_in b1 ss -Hltn "sport = 8080" | grep -q .
}

syn_kernel() {
	grep -q 'bpf_sk_assign_tcp_reqsk$' /proc/kallsyms
}

syn_needs() {
	if [ "$(id -u)" != 0 ]; then
		skip "$1" "root"
		finish
	fi
	if ! syn_kernel; then
		skip "$1" "a backend of Linux 6.9"
		finish
	fi
}
