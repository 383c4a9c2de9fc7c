#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the role of examples/05-ansible do what it says, and nothing the second time? What "make test-ansible" runs, as root.
#
#   ansible_test.sh BUILD
#
# Over ssh, on a Debian that is booted in a VM (software emulation), with the network of tests/boot/early.sh in it: 13 where
# this one is, whose packages need its libraries, else 12. Its disk is kept in $BOOT_CACHE
# (/var/cache/lbd-test/boot unless set) and never written to.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
build=$(cd "${1:?BUILD is missing}" && pwd) || exit
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL

CACHE=${BOOT_CACHE:-/var/cache/lbd-test/boot}
RELEASE=bookworm
! grep -q '^VERSION_CODENAME=trixie' /etc/os-release || RELEASE=trixie
FLOWS=20
PATIENCE=120 # emulated machines are slow
DIR=$(mktemp -d)
VM=
PORT=
at_exit rm -rf "$DIR"
at_exit stop_vm

stop_vm() {
	[ -z "$VM" ] || { kill "$VM" && wait "$VM"; }
}

job() {
	mkdir "$DIR/job" && make -s O="$build" DEBS="$DIR" run-deb >/dev/null && ssh-keygen -q -t ed25519 -N '' -f "$DIR/key" &&
		cp "$DIR/key.pub" "$DIR/job/authorized_keys" && cp tests/ansible/guest.sh tests/boot/early.sh \
		"$build"/tests/lib/{pass.bpf.o,hold_tool} "$DIR/job" && truncate -s 16M "$DIR/disk" && mke2fs -q -t ext4 -d "$DIR/job" "$DIR/disk"
}

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# CPU and clocks as in tests/boot/boot.sh.
boot() {
	local image
	image=$(tests/boot/image.sh "$RELEASE" "$CACHE" python3-apt openssh-server) && PORT=$(free_port) || return
	: >"$DIR/output"
	timeout --kill-after=10 4800 qemu-system-x86_64 \
		-M q35 -accel tcg,thread=multi -cpu max,cx16=off,la57=off -smp 1 -m 1024 \
		-nodefaults -display none -monitor none -kernel "$image/vmlinuz" -initrd "$image/initrd" \
		-nic "user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:$PORT-:22" \
		-append "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off \
			tsc=unstable clocksource=hpet nolapic_timer systemd.default_timeout_start_sec=300" \
		-drive "file=$image/disk,format=raw,if=virtio,snapshot=on,cache=unsafe" \
		-drive "file=$DIR/disk,format=raw,if=virtio,readonly=on" \
		-serial "file:$DIR/console" -device virtio-rng-pci -device virtio-serial-pci \
		-chardev "file,id=output,path=$DIR/output" \
		-device virtserialport,chardev=output,name=output </dev/null >"$DIR/qemu" 2>&1 &
	VM=$!
	wait_for 300 grep -q '^ready' "$DIR/output" && wait_for 60 guest true || ! tail -n 20 "$DIR/console" "$DIR/qemu"
}

SSH=(-i "$DIR/key" -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$DIR/known" -o LogLevel=ERROR)
guest() {
	ssh "${SSH[@]}" -o BatchMode=yes -p "$PORT" root@127.0.0.1 "$@"
}

# --- the role ---

inventory() {
	: >"$DIR/ansible.cfg" # none of this machine
	printf 'vm ansible_host=127.0.0.1 ansible_port=%s ansible_user=root ansible_ssh_private_key_file=%s ansible_python_interpreter=/usr/bin/python3\n' \
		"$PORT" "$DIR/key" >"$DIR/hosts"
	jq -n --arg deb "$(echo "$DIR"/lbd_*.deb)" '{lbd_package: $deb,
		lbd_config: {interfaces: ["lb0"], limits: {vips: 64, members: 64, slots: 16384, flows: 4096}},
		lbd_services: {vips: [{name: "web", address: "192.0.2.10:80/tcp", table_size: 1021,
			backends: [{address: "10.9.0.11"}, {address: "10.9.0.12"}]}]}}' >"$DIR/vars.json"
}

# vars JQ: what site.yml says is something else from now on
vars() {
	jq "$1" "$DIR/vars.json" >"$DIR/vars.new" && mv "$DIR/vars.new" "$DIR/vars.json"
}

# play [OPTION…]: with its counts in COUNTS, as "changed=1 failed=0"
play() {
	local status
	ANSIBLE_CONFIG=$DIR/ansible.cfg ANSIBLE_HOME=$DIR/ansible ANSIBLE_LOCAL_TEMP=$DIR/ansible ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 ANSIBLE_TIMEOUT=$PATIENCE \
		ANSIBLE_SSH_ARGS="-o ControlMaster=auto -o ControlPersist=60 -o ControlPath=$DIR/control ${SSH[*]:2}" \
		ansible-playbook -i "$DIR/hosts" -e "@$DIR/vars.json" "$@" examples/05-ansible/site.yml >"$DIR/play" 2>&1 </dev/null
	status=$?
	COUNTS=$(sed -nE 's/^vm .*(changed=[0-9]+).*(failed=[0-9]+).*/\1 \2/p' "$DIR/play")
	cat "$DIR/play"
	return "$status"
}

# plays CHANGED [OPTION…]: it ends well and has changed so many things
plays() {
	play "${@:2}" && echo "$COUNTS, expected $1" && [ "$COUNTS" = "changed=$1 failed=0" ]
}

handled() {
	grep -F "RUNNING HANDLER [lbd : $1]" "$DIR/play"
}

not() {
	! "$@"
}

# --- the host ---

main_pid() {
	guest systemctl show --property MainPID --value lbd
}

weight_is() {
	guest lbctl --json backend list web >"$DIR/there" && jq -e --argjson weight "$1" '.vips[0].backends[0].weight == $weight' "$DIR/there"
}

rate_is() {
	guest cat /etc/lbd/lbd.json >"$DIR/there" && jq -e --argjson rate "$1" '.answer_rate == $rate' "$DIR/there"
}

in_place() {
	guest systemctl is-active lbd && guest systemctl is-enabled lbd &&
		guest lbctl --json vip list | jq -e '[.vips[].name] == ["web"]' && guest "ip link show lb0 | grep -q xdp"
}

connections() {
	guest "systemd-run --quiet --unit held -p StandardOutput=file:/run/held \
		ip netns exec client /job/hold_tool hold --count $FLOWS --interval-ms 500 192.0.2.10 80" &&
		wait_for "$PATIENCE" unbroken
}

# A new report of the connections, each of which has had an answer since.
report() {
	# shellcheck disable=SC2016 # expanded there
	guest 'n=$(wc -l </run/held); kill -USR1 $(pgrep -f "^/job/hold_tool hold"); for i in $(seq 50); do
		[ $(wc -l </run/held) -gt $n ] && break; sleep 0.1; done; tail -n 1 /run/held'
}

unbroken() {
	local before after
	before=$(report | jq .exchanges) && sleep 3 && after=$(report) && echo "$after" &&
		jq -e --argjson count "$FLOWS" --argjson before "$before" \
			'.open == $count and .resets == 0 and .wrong == 0 and .failures == 0 and .exchanges > $before + $count' <<<"$after"
}

by_hand() {
	guest lbctl backend set web 10.9.0.11 --weight 7
}

check "the package and its host's disk are made" job || finish
step "a Debian $RELEASE boots" boot || finish
inventory
step "a host becomes a balancer" play || { tail -n 30 "$DIR/console"; finish; }
echo "      $COUNTS"
check "lbd runs, at boot as well, with its VIP and its program" in_place
check "the document needed no reload" not handled "Reload lbd"
check "connections are made through it" connections
pid=$(main_pid)
check "the second run changes nothing" plays 0
check "nor would another, by --check" plays 0 --check
check_equal "the same process runs" "$pid" "$(main_pid)"

vars '.lbd_services.vips[0].backends[0].weight = 3'
check "a new weight changes the file and what is in force" plays 3
check "by a reload" handled "Reload lbd"
check "not by a restart" not handled "Restart lbd"
check "the weight is there" weight_is 3
check_equal "in the same process" "$pid" "$(main_pid)"

check "somebody changes it by lbctl" by_hand
check "the next run says so, and takes it back" plays 2
check "the weight is there again" weight_is 3

vars '.lbd_config.answer_rate = 500'
check "a new lbd.json changes the file" plays 2
check "lbd is restarted" handled "Restart lbd"
check "by which another process runs" test "$(main_pid)" != "$pid"
check "with the new file" rate_is 500
check "and the same VIP" in_place
check "all that time no connection broke" unbroken
finish
