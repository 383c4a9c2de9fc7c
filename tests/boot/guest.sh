#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the package work on a booted Debian, under systemd? Run inside the VM by lbd-test.service, at the end of each of
# two boots; boot.sh made /job, early.sh the network around the VM.
#
# Connections to a VIP go on from the first start to the last step before the reboot: what must not break them is
# seen not to. A step is a function; `first_boot` and `second_boot` list them. A new one needs a line there.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd /job || exit
# shellcheck source=tests/lib/check.sh
. /job/check.sh
export LC_ALL=C HOME=/root

KEPT=/var/lib/lbd-test # over the reboot
CONFIG=/etc/lbd/lbd.json
CHECKS=/usr/local/lib/lbd-checks
FLOWS=20
declare -A HELD # processes of connections that go on, by name
PATIENCE=60 # seconds; emulated machines are slow
mkdir -p "$KEPT"

# --- systemd ---

property() {
	systemctl show --property "$1" --value "${2:-lbd.service}"
}

is() {
	[ "$(property "$1")" = "$2" ] || ! property "$1"
}

# said WORDS [TIMES]: in the journal of this boot, since `hush` was last called
said() {
	local count
	count=$(journal | grep -cF "$1")
	[ "$count" = "${2:-$count}" ] && [ "$count" -gt 0 ] || ! journal
}

journal() {
	journalctl --unit lbd --unit lbd-tier --boot --output cat --no-pager --after-cursor "$CURSOR"
}

hush() {
	CURSOR=$(journalctl --boot --lines 1 --show-cursor --output cat --no-pager | sed -n 's/^-- cursor: //p')
}

# Another process than PID, which is ready.
restarted() {
	is ActiveState active && is SubState running && [ "$(property MainPID)" != "$1" ]
}

not() {
	! "$@"
}

# --- the balancer ---

config() {
	mkdir -p "$CHECKS"
	cp /bin/true "$CHECKS/fine"
	jq -n --arg checks "$CHECKS" '{interfaces: ["lb0", "bond0"], exec_checks: {folder: $checks, user: "nobody"},
		http: {listen: "127.0.0.1:9110"}, otlp: {endpoint: "http://127.0.0.1:9110", interval_s: 20},
		limits: {vips: 64, members: 64, slots: 16384, flows: 4096}}' >"$CONFIG"
}

vips() {
	lbctl vip add 192.0.2.10:80/tcp --name web --table-size 1021 &&
		lbctl vip add 192.0.2.10:81/udp --name echo --table-size 1021 &&
		lbctl vip add 192.0.2.20:80/tcp --name bonded --table-size 1021 || return
	for vip in web echo bonded; do
		lbctl backend add $vip 10.9.0.11 && lbctl backend add $vip 10.9.0.12 || return
	done
}

in_place() {
	[ "$(lbctl --json status | jq '.vips | length')" = 3 ] || ! lbctl
}

lists_vips() {
	[ "$(lbctl --json vip list | jq '.vips | length')" = 3 ] || ! lbctl vip list
}

# --- traffic ---

servers() {
	for n in 1 2; do
		ip netns exec b$n ./hold_tool serve b$n 80 >/dev/null 2>&1 &
		ip netns exec b$n ./serve_tool b$n 81 >/dev/null 2>&1 &
	done
	wait_for "$PATIENCE" listening
}

listening() {
	[ "$(for n in 1 2; do ip netns exec b$n ss -Htln; done | grep -cE ':(80|81) ')" = 4 ]
}

# hold NAME COUNT ADDRESS: connections that go on, reported in /run/NAME
hold() {
	ip netns exec client ./hold_tool hold --count "$2" --interval-ms 500 "$3" 80 >"/run/$1" 2>&1 &
	HELD[$1]=$!
	wait_for "$PATIENCE" reports "${HELD[$1]}" && wait_for "$PATIENCE" report "$1" ".open == $2"
}

# Before it handles SIGUSR1 that would end it.
reports() {
	local caught
	caught=$(awk '$1 == "SigCgt:" { print $2 }' "/proc/$1/status")
	((0x$caught & 1 << ($(kill -l USR1) - 1)))
}

# report NAME FILTER: a new report of NAME's connections has that
report() {
	local before
	before=$(wc -l <"/run/$1")
	kill -USR1 "${HELD[$1]}" && wait_for 10 longer "$1" "$before" && tail -n 1 "/run/$1" | jq -e "$2" || ! cat "/run/$1"
}

longer() {
	[ "$(wc -l <"/run/$1")" -gt "$2" ]
}

unbroken() {
	report web ".open == $FLOWS and .resets == 0 and .wrong == 0 and .failures == 0"
}

# Each connection has had an answer since, for there are so many more of them.
goes_on() {
	local exchanges
	unbroken || return
	exchanges=$(tail -n 1 /run/web | jq .exchanges)
	wait_for "$PATIENCE" report web ".exchanges > $exchanges + 3 * $FLOWS" && unbroken
}

udp() {
	ip netns exec client ./connect_tool --udp --count 20 --parallel 5 --timeout-ms 5000 192.0.2.10 81
}

# flows DOING: connections are whole, and new packets are forwarded
flows() {
	check "$1: established connections go on" goes_on
	check "$1: new flows are forwarded" udp
}

# --- steps of the first boot ---

version() {
	dpkg-query --show --showformat '${db:Status-Status} ${Version}' lbd
}

test_install() {
	check "the package before installs" dpkg --install before.deb
	check_equal "dpkg has it as installed" "installed $(<before.version)" "$(version)"
	check_equal "nothing is started before it is configured" inactive "$(property ActiveState)"
	check "lbctl is in everybody's PATH" test -x /usr/bin/lbctl
}

test_bad_configuration() {
	hush
	check "lbd with a bad lbd.json does not start" not systemctl start lbd
	check "after one attempt it has failed" is ActiveState failed
	check "with lbd's own exit status" is ExecMainStatus 1
	check "and no restart" is NRestarts 0
	check "the journal says once what is wrong" said "$CONFIG: interfaces is empty (at interfaces)" 1
}

metrics() {
	exec 3<>/dev/tcp/127.0.0.1/9110 && printf 'GET /metrics HTTP/1.1\r\n\r\n' >&3 &&
		grep '^lbd_interface_attached{interface="lb0",mode="[a-z]*"} 1$' <&3
}

# To lbd itself, which takes no metrics: so all of the way is gone, and the answer is known.
PUSHED="metrics are not pushed to http://127.0.0.1:9110/v1/metrics: status 405"
pushed() {
	lbctl --json status | jq -e '.otlp.error == "status 405: 405 Method Not Allowed" and .otlp.refused > 0' || ! lbctl
}
doctor_finds() {
	lbctl doctor >/run/doctor
	[ $? = 4 ] && grep '^otlp: metrics do not get to http://127.0.0.1:9110/v1/metrics' /run/doctor || ! cat /run/doctor
}

test_start() {
	local file
	config
	hush
	check "lbd starts" systemctl enable --now lbd
	check "systemd has it as ready" is ActiveState active
	check "it notifies: its status is told" test -n "$(property StatusText)"
	check "VIPs and backends can be added" vips
	check "metrics can be read" metrics
	check "metrics are pushed by curl in the unit's sandbox" wait_for "$PATIENCE" pushed
	check "the journal says what the collector answers" said "$PUSHED" 1
	check "lbctl doctor finds it" doctor_finds
	check "the program is on the interface" grep -q xdp <(ip link show lb0)
	check "its data plane is pinned" test -e /sys/fs/bpf/lbd/slots
	check "with no more privileges than needed, by systemd's rating" \
		systemd-analyze security --threshold=30 --no-pager lbd
	for file in /proc/sys/net/ipv4/ip_forward /sys/class/net/lb0/tx_queue_len; do
		check "$file is read-only to it" read_only $file
	done
	check "the kernel keeps the backends' neighbours for it" wait_for "$PATIENCE" neighbours
	servers
	hold web $FLOWS 192.0.2.10
	check "connections to the VIP are made" test $? = 0
	flows "with lbd"
	check "each backend has some" report web '.seen | length == 2'
}

read_only() {
	grep -F "Read-only file system" <(nsenter --target "$(property MainPID)" --mount \
		sh -c "cat $1 >/run/value; cat /run/value >$1" 2>&1) ||
		! grep -E ' /(sys|proc)[ /]' "/proc/$(property MainPID)/mountinfo"
}

neighbours() {
	[ "$(ip neigh show dev lb0 | grep -c 'proto 76')" = 2 ]
}

# What the sandbox of the unit could forbid: filters at interfaces, and programs that lbd runs.
test_health() {
	check "checks can be configured" both_checks
	check "checks through the tunnel succeed in the unit's sandbox" wait_for "$PATIENCE" healthy web
	check "their filter is at the interface" grep -q bpf <(tc filter show dev lb0 egress)
	check "checks that run a program succeed there" wait_for "$PATIENCE" healthy echo
	check "the sandbox keeps lbd from nothing that it warns of" nothing_denied
}

both_checks() {
	lbctl vip set web --health tcp --health-source tunnel --health-interval 2s --health-timeout 2s &&
		lbctl vip set echo --health exec --health-command fine --health-interval 2s --health-timeout 2s
}

healthy() {
	lbctl --json backend list "$1" | jq -e '[.. | objects | select(has("health")) | .health.state] ==
		["healthy", "healthy"]' || ! lbctl backend list "$1"
}

nothing_denied() {
	lbctl --json status | jq -e '[.warnings[] | select(test("not permitted|denied|[Rr]ead-only|not learned|exec"))] == []' ||
		! lbctl
}

test_kill() {
	local pid restarts
	pid=$(property MainPID) restarts=$(property NRestarts)
	kill -KILL "$pid"
	check "kill -9: systemd restarts it" wait_for "$PATIENCE" restarted "$pid"
	check "once" is NRestarts $((restarts + 1))
	check "it has the VIPs" lists_vips
	flows "kill -9"
}

test_watchdog() {
	local pid
	pid=$(property MainPID)
	hush
	kill -STOP "$pid"
	flows "while lbd hangs"
	check "the watchdog has it restarted" wait_for $((PATIENCE * 2)) restarted "$pid"
	check "the journal says that it was the watchdog" said "Failed with result 'watchdog'" 1
	flows "watchdog"
}

test_reload() {
	local pid
	pid=$(property MainPID)
	hush
	check "without a services file there is no reload, and systemctl says so" not systemctl reload lbd
	check "the journal says why" said "lbd.json has no services file"
	kill -HUP "$pid"
	check "SIGHUP is told to have no effect" wait_for "$PATIENCE" said "SIGHUP is ignored"
	check "the same process runs on" is MainPID "$pid"
}

test_bad_restart() {
	hush
	echo '{' >"$CONFIG"
	check "a restart with a bad lbd.json fails" not systemctl restart lbd
	check "after one attempt" is ActiveState failed
	check "the journal says once what is wrong" said "$CONFIG:" 1
	flows "without lbd"
	config
	check "mended, it starts" systemctl start lbd
	check "and takes over what is there" said "taken over as they were"
}

test_upgrade() {
	local pid
	pid=$(property MainPID)
	hush
	check "an upgrade installs" dpkg --install lbd.deb
	check_equal "dpkg has it as installed" "installed $(<lbd.version)" "$(version)"
	check "the new lbd runs" restarted "$pid"
	check "it takes over what is there" said "3 VIPs in place, taken over as they were"
	check "it has the VIPs" lists_vips
	flows "upgrade"
}

test_other_abi() {
	local pid output
	pid=$(property MainPID)
	output=$(dpkg --install abi.deb 2>&1)
	check_equal "an upgrade to another ABI: dpkg ends well" "0 installed $(<abi.version)" "$? $(version)"
	check "dpkg says that the new one does not manage the data plane" grep -qF \
		"lbd: NOT UPGRADED: this version cannot take over the data plane" <(echo "$output")
	check "why" grep -q "the data plane pinned at /sys/fs/bpf/lbd has ABI [0-9]*, this lbd has 99" <(echo "$output")
	check "and the command to go on with" grep -qF "systemctl start lbd-reset-flows" <(echo "$output")
	check "the lbd from before still runs" is MainPID "$pid"
	check "and answers" lists_vips
	flows "another ABI"
	hush
	kill -KILL "$pid"
	check "should it end, the new one refuses to start" wait_for "$PATIENCE" is ActiveState failed
	check "and says what to do" said "systemctl start lbd-reset-flows"
	flows "no lbd for the data plane"
	check "that command starts it" systemctl start lbd-reset-flows
	check "lbd is active" is ActiveState active
	check "it is the new one" jq -e '.abi == 99' <(lbctl --json version)
	check "it has the VIPs" lists_vips
	check "the next start keeps flows again" test ! -e /run/lbd-reset-flows
	flows "with the new ABI"
}

test_bond() {
	local port
	check "a bond has native XDP" jq -e '[.interfaces[] | select(.name == "bond0").xdp_mode] == ["native"]' \
		<(lbctl --json status)
	hold bonded 5 192.0.2.20
	check "connections come through the bond" test $? = 0
	port=$(active_port)
	check "the program is on the active port" test "$(seen_by_program "$port")" -gt 0
	ip link set "$port" down
	check "the other port becomes the active one" wait_for "$PATIENCE" other_port "$port"
	check "connections go on through it" wait_for "$PATIENCE" report bonded ".open == 5 and .resets == 0" &&
		bond_goes_on
	check "the program is on that one, too" test "$(seen_by_program "$(active_port)")" -gt 0
	kill "${HELD[bonded]}"
	ip link set "$port" up
}

active_port() {
	cat /sys/class/net/bond0/bonding/active_slave
}

other_port() {
	[ "$(active_port)" != "$1" ]
}

# Packets that the driver of a port ran the program for.
seen_by_program() {
	ethtool -S "$1" | awk '/rx_queue_[0-9]+_xdp_packets/ { sum += $2 } END { print sum + 0 }'
}

bond_goes_on() {
	local exchanges
	exchanges=$(tail -n 1 /run/bonded | jq .exchanges)
	check "and are answered" wait_for "$PATIENCE" report bonded ".exchanges > $exchanges + 15 and .resets == 0"
}

test_stop() {
	check "lbd stops" systemctl stop lbd
	check "for good" is ActiveState inactive
	flows "after stop"
	check "it starts again" systemctl start lbd
	flows "after stop and start"
	check "all that time no connection broke" unbroken
}

# What is there when BIRD starts, which announces VIPs.
prepare_reboot() {
	mkdir -p /etc/systemd/system/bird.service.d
	cat >/etc/systemd/system/bird.service.d/test.conf <<-'END'
		[Service]
		ExecStartPre=+/bin/sh -c 'lbctl --json vip list >/run/at-bird; ip link show lb0 >>/run/at-bird'
	END
	printf 'router id 10.9.0.1;\nprotocol device {}\nprotocol static { ipv4; route 192.0.2.10/32 blackhole; }\n' \
		>/etc/bird/bird.conf
	systemctl daemon-reload
	systemctl enable bird 2>/dev/null
}

# --- steps of the second boot ---

started_us() {
	property ExecMainStartTimestampMonotonic "$1"
}

test_rebooted() {
	check "lbd has started with the machine" is ActiveState active
	check "all VIPs are in place" lists_vips
	check "BIRD runs" test "$(property ActiveState bird.service)" = active
	check "BIRD was started after lbd was ready" \
		test "$(started_us bird.service)" -ge "$(property ActiveEnterTimestampMonotonic)"
	check "the VIPs were in place before that" jq -e -n 'input | .vips | length == 3' /run/at-bird
	check "and the program was on the interface" grep -q xdp /run/at-bird
	servers
	hold web $FLOWS 192.0.2.10
	check "connections to the VIP are made" test $? = 0
	flows "after the reboot"
}

gone() {
	! ip link show | grep xdp && [ ! -e /sys/fs/bpf/lbd ]
}

# There is no etcd in the VM: the unit starts all the same, and says so once.
test_tier() {
	hush
	check "lbd-tier of the same version installs" dpkg --install "$1"
	check "without tier.json nothing is started" test "$(property ActiveState lbd-tier.service)" = inactive
	echo '{"tier": "edge", "endpoints": ["http://127.0.0.1:2379"]}' >/etc/lbd/tier.json
	check "lbd-tier starts" systemctl start lbd-tier
	check "the journal says that etcd does not answer" wait_for "$PATIENCE" said \
		"etcd does not answer at http://127.0.0.1:2379"
	check "it runs on, in its sandbox" test "$(property SubState lbd-tier.service) $(property NRestarts lbd-tier.service)" = "running 0"
	check "as another user than root, in the group lbd" of_group "$(property MainPID lbd-tier.service)"
	check "with few privileges, by systemd's rating" systemd-analyze security --threshold=20 --no-pager lbd-tier
	check "it can be removed" dpkg --remove lbd-tier
	rm /etc/lbd/tier.json
	check "it has ended" not pgrep -x lbd-tier
	check "lbd has not" is ActiveState active
}

of_group() {
	grep -E '^(Uid|Groups):' "/proc/$1/status"
	awk -v group="$(getent group lbd | cut -d: -f3)" '$1 == "Uid:" && $3 == 0 { exit 1 }
		$1 == "Groups:" { for (i = 2; i <= NF; i++) found = found || $i == group } END { exit !found }' "/proc/$1/status"
}

test_remove() {
	local output
	echo '{' >"$CONFIG"
	output=$(dpkg --remove lbd 2>&1)
	check "with a broken lbd.json it can be removed" test $? = 0
	check "it says where it looked for the data plane" \
		grep -qF "lbd: lbd.json is not valid, so the data plane is looked for where it is by default" \
		<(echo "$output")
	check "no program is attached, and nothing is pinned" gone
	check "no process is left" not pgrep -x lbd
	check "the state is kept" test -e /var/lib/lbd/service.json
}

test_purge() {
	check "it can be purged" dpkg --purge lbd
	check_equal "no file of it is left" "" "$(ls -d /var/lib/lbd /etc/lbd /usr/lib/lbd /run/lbd 2>/dev/null)"
	check "systemd knows no such unit" not systemctl cat lbd.service
}

# What lbd-backend changes of a host, and takes back.
backend_state() {
	ip -o link show lb0 | grep -o 'xdp.*'
	tc filter show dev lb0 ingress
	ip -o address show dev lo
	sysctl net.ipv4.conf.{all,lb0}.{arp_ignore,arp_announce,rp_filter}
}

test_backend() {
	local before
	check "lbd-backend installs without lbd" dpkg --install "$1"
	check "nothing is started before it is configured" test "$(property ActiveState lbd-backend.service)" = inactive
	jq -n '{interfaces: ["lb0"], vips: ["192.0.2.30"], balancers: ["10.9.0.11"], backends: ["10.9.0.0/24"]}' \
		>/etc/lbd-backend/backend.json
	before=$(backend_state)
	check "its unit starts" systemctl start lbd-backend
	check "a program is at the interface" grep -q xdp <(ip link show lb0)
	check "one for lists of backends, too" grep -q bpf <(tc filter show dev lb0 ingress)
	check "the VIP is an address of the host" grep -qF 192.0.2.30 <(ip -o address show dev lo)
	check "lbd-backend check finds nothing wrong" lbd-backend check
	check "a restart works" systemctl restart lbd-backend
	check "again nothing is wrong" lbd-backend check
	check "it stops" systemctl stop lbd-backend
	check_equal "and has taken all away" "$before" "$(backend_state)"
	check "it starts again" systemctl start lbd-backend
	check "it can be removed and purged" dpkg --purge lbd-backend
	check_equal "and has taken all away, too" "$before" "$(backend_state)"
	check_equal "no file of it is left" "" "$(ls -d /etc/lbd-backend /run/lbd-backend /usr/sbin/lbd-backend 2>/dev/null)"
}

# --- both boots ---

first_boot() {
	test_install
	test_bad_configuration
	test_start
	test_health
	test_kill
	test_watchdog
	test_reload
	test_bad_restart
	test_upgrade
	test_other_abi
	test_bond
	test_stop
	prepare_reboot
}

second_boot() {
	test_rebooted
	test_tier abi.tier.deb
	test_remove
	test_purge
	test_backend lbd.backend.deb
}

show_failure() {
	[ "$FAILED" = 0 ] || journalctl --boot --unit lbd --unit lbd-tier --unit lbd-backend --unit bird --no-pager --output short-monotonic | tail -n 100
}

echo "--- $(uname -r), $(cut -d' ' -f1 /proc/uptime) s after its boot"
if [ ! -e "$KEPT/counts" ]; then
	first_boot
	echo "PASSED=$PASSED FAILED=$FAILED" >"$KEPT/counts"
	show_failure
	echo "--- reboot, $(cut -d' ' -f1 /proc/uptime) s after its boot"
	sync
	systemctl --no-block reboot
	exit
fi
# shellcheck source=/dev/null
. "$KEPT/counts"
second_boot
show_failure
echo "--- done, $(cut -d' ' -f1 /proc/uptime) s after its boot"
echo "$PASSED passed, $FAILED failed"
sync
systemctl --no-block poweroff
