#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do the results of health checks decide who takes new flows, in time, and do established ones stay? With lbd, real
# servers and real connections.
#
#	health_lbd_test.sh [RUN…]	detection, established_stay, reset_moves, all_unhealthy, flapping, added, watched,
#					killed, tunnel, every_kind; all if none is named
#
# Needs root and a build, and besides the lab's packages nginx-light and dnsmasq-base for what is checked of them.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh

INTERVAL_MS=200
FALL=3
ROUNDS=5
HELD=60
HOLD_PORT=7
SERVERS=()

if [ "$(id -u)" != 0 ]; then
	skip "health decides who takes new flows" "root"
	finish
fi

# --- the lab ---

start_lbd() {
	lab_start_lbd "{}"
}

# Checks ask port 80, what is checked is another matter: so a backend can be ill and its connections live.
serve() {
	lab_background "b$1" "$O/tests/lib/serve_tool" "b$1" 80
	SERVERS[$1]=$LAB_PID
	wait_for 5 lab_answers "b$1" 80
}

dies() {
	kill -KILL "${SERVERS[$1]}"
	wait "${SERVERS[$1]}" 2>/dev/null
	:
}

listens() { lab_in "$1" ss -Hltn "sport = :$HOLD_PORT" | grep -q .; }

up() {
	local number
	lab_up one-armed 3 || return
	# Tunnel checks reach backends that decapsulate by XDP, which does not know of checksums still to be filled in.
	lab_in balancer ethtool -K l0 tx off >/dev/null
	for number in 1 2 3; do
		serve "$number" || return
		lab_background "b$number" "$O/tests/lib/hold_tool" serve "b$number" "$HOLD_PORT"
		wait_for 5 listens "b$number" || return
	done
	start_lbd || return
	watch
	add_vips || return
	lab_ready && wait_for 5 state_is web 1 healthy && wait_for 5 state_is web 2 healthy &&
		wait_for 5 state_is web 3 healthy && wait_for 5 state_is held 3 healthy
}

add_vips() {
	local vip number
	lbctl vip add "$LAB_VIP4:80/tcp" --name web --transition 30s --health http \
		--health-interval "${INTERVAL_MS}ms" --health-fall "$FALL" &&
		lbctl vip add "$LAB_VIP4:$HOLD_PORT/tcp" --name held --transition 30s --health tcp --health-port 80 \
			--health-interval "${INTERVAL_MS}ms" --health-fall "$FALL" || return
	for vip in web held; do
		for number in 1 2 3; do
			lbctl backend add "$vip" "${LAB_BACKEND4[$number]}" || return
		done
	done
}

# --- what lbd says ---

watch() {
	lab_background balancer "$LBCTL" --socket "$LAB_DIR/lbd.sock" watch --json >>"$LAB_DIR/events" 2>/dev/null
}

# backend VIP NUMBER FILTER: of its BACKEND-STATE.
backend() {
	lbctl --json backend list "$1" | jq -r --arg address "${LAB_BACKEND4[$2]}" \
		".vips[0].backends[] | select(.address == \$address) | $3"
}
state_is() { [ "$(backend "$1" "$2" .health.state)" = "$3" ]; }
has_slots() { backend "$1" "$2" .share.slots | jq -e '. > 0'; }
has_no_slots() { ! has_slots "$1" "$2"; }

# told VIP NUMBER STATE: how often.
told() {
	jq -n --arg vip "$1" --arg address "${LAB_BACKEND4[$2]}" --arg state "$3" '[inputs | select(.event == "health" and
		.vip == $vip and .backend == $address and .state == $state)] | length' "$LAB_DIR/events"
}

now_ms() { date +%s%3N; }

# Time itself, where it is what the test is about.
let_pass() { read -rt "$1" <> <(:) || :; }

# --- new flows ---

flows_start() {
	lab_background client tests/lib/new_flows.py "$LAB_VIP4" 80 2 >"$LAB_DIR/flows" 2>&1
	FLOWS=$LAB_PID
}
flows_stop() { lab_end "$FLOWS"; }

# How long after $1 (ms) the last new flow began that nobody took, before $2.
last_lost_after() {
	awk -v from="$1" -v to="$2" '$1 ~ /^[0-9]+$/ && $1 >= from && $1 < to && $1 > last { last = $1 }
		END { print last ? last - from : 0 }' "$LAB_DIR/flows"
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# The machine may be busy at one time or another, but not every time: hence the median.
detection() {
	local round began bound=$((FALL * INTERVAL_MS + 50)) took=()
	flows_start
	for ((round = 0; round < ROUNDS; round++)); do
		let_pass "0.$((RANDOM % 2 + 1))$((RANDOM % 10))"
		began=$(now_ms)
		dies 2
		wait_for 5 has_no_slots web 2
		let_pass 0.1
		took+=("$(last_lost_after "$began" "$(now_ms)")")
		serve 2
		wait_for 5 has_slots web 2
	done
	flows_stop
	check "a backend that dies gets no new flow after fall x interval + 50 ms (${took[*]} of $bound ms)" \
		test "$(median "${took[@]}")" -le "$bound"
	check "it gets some until then, or nothing was measured" test "$(median "${took[@]}")" -gt 0
	check_equal "each of its deaths is told of once" "$ROUNDS" "$(told web 2 unhealthy)"
	check "nobody else's flows are lost" flows_are_refused_only
}
flows_are_refused_only() { ! grep -vE 'ECONNREFUSED|^taken' "$LAB_DIR/flows"; }

# --- established connections ---

hold() {
	lab_background client "$O/tests/lib/hold_tool" hold --count "$HELD" --interval-ms 200 \
		"$LAB_VIP4" "$HOLD_PORT" >"$LAB_DIR/hold" 2>&1
	HOLDER=$LAB_PID
	lab_reports "$HOLDER"
	wait_for 10 held ".opened == $HELD"
}

# held FILTER: of the state that hold_tool reports now.
held() {
	local lines
	lines=$(wc -l <"$LAB_DIR/hold")
	kill -USR1 "$HOLDER" && wait_for 5 has_more_lines "$LAB_DIR/hold" "$lines" || return
	tail -n 1 "$LAB_DIR/hold"
	tail -n 1 "$LAB_DIR/hold" | jq -e "$1" >/dev/null
}
has_more_lines() { [ "$(wc -l <"$1")" -gt "$2" ]; }
all_stay() { held ".open == $HELD and .resets == 0 and .stalls == 0 and .wrong == 0 and .failures == 0"; }
on_b2() { held true | jq '.seen.b2 // 0'; }
exchanged() { held ".exchanges > $1"; }

established_stay() {
	local before exchanges
	wait_for 5 has_slots held 2
	hold
	check_equal "$HELD connections are there" 0 $? || return
	before=$(on_b2)
	check "some of them on b2 ($before)" test "$before" -gt 0
	dies 2
	wait_for 5 has_no_slots held 2
	exchanges=$(held true | jq "(.exchanges + 3 * $HELD)")
	wait_for 5 exchanged "$exchanges"
	check "with keep the connections of an unhealthy backend go on" all_stay
	check "it is out all the same, and says why" said_why
	serve 2
	wait_for 5 has_slots held 2
	wait_for 5 exchanged $((exchanges + 3 * HELD))
	check "when it is healthy again none has moved" all_stay
	check_equal "neither there nor elsewhere" "$before" "$(on_b2)"
}
said_why() {
	lbctl backend list held | grep -E "^ +${LAB_BACKEND4[2]} .*; unhealthy since .*: connection refused$" &&
		lbctl vip show held | grep -x "  backends    3, 1 unhealthy" && status_is 4
}
status_is() {
	lbctl status >/dev/null
	[ $? = "$1" ]
}

reset_moves() {
	local before
	before=$(on_b2)
	dies 2
	wait_for 5 has_no_slots held 2
	check "a change that ends flows is refused without --force" \
		eval '! lbctl vip set held --on-unhealthy reset'
	check "with it, it says so" ends_flows
	check "with reset those of an unhealthy backend end at once ($before)" \
		wait_for 3 held ".resets == $before and .open == $((HELD - before))"
	check_equal "and once it is made it ends nothing more" 0 \
		"$(lbctl --json vip set held --transition 29s | jq '.vips[0].at_risk | length')"
	check "and no others" held ".stalls == 0 and .wrong == 0 and .failures == 0"
	serve 2
	wait_for 5 has_slots held 2
	lab_end "$HOLDER"
	lbctl vip set held --on-unhealthy keep >/dev/null
}

ends_flows() {
	lbctl vip set held --on-unhealthy reset --force | grep -E "at risk: backend ${LAB_BACKEND4[2]}: .* on_unhealthy is reset$"
}

# --- when all are unhealthy ---

every_one() {
	local number
	for number in 1 2 3; do
		"$1" held "$number" || return
	done
}

all_unhealthy() {
	local number
	for number in 1 2 3; do
		dies "$number"
	done
	wait_for 5 every_one is_unhealthy
	check "when all are unhealthy all are used" wait_for 2 every_one has_slots
	check "and there is a warning" warned "all of them are used"
	hold
	check_equal "new connections reach them" 0 $?
	lbctl vip set held --when-all-unhealthy drop >/dev/null
	check "with drop none takes new flows" wait_for 2 every_one has_no_slots
	check "and the warning says so" warned "none of them takes new flows"
	check "so a new connection is not answered" nobody_answers
	check "and those that are there go on" all_stay
	for number in 1 2 3; do
		serve "$number"
	done
	wait_for 5 every_one has_slots
	check "when they are healthy again they take new flows" \
		lab_in client "$O/tests/lib/connect_tool" --count 20 "$LAB_VIP4" 80
	check "and none of the others has moved" all_stay
	lbctl vip set held --when-all-unhealthy use_all >/dev/null
	lab_end "$HOLDER"
}
is_unhealthy() { state_is "$1" "$2" unhealthy; }
warned() { lbctl status | grep -F "every backend of VIP held is unhealthy: $1"; }
nobody_answers() { ! lab_in client "$O/tests/lib/connect_tool" --timeout-ms 300 "$LAB_VIP4" "$HOLD_PORT"; }

# --- flapping ---

flapping() {
	lab_background b3 tests/lib/health_server.py 8000 8001
	wait_for 5 lab_in b3 curl -sf -m 1 http://127.0.0.1:8000/chunked
	lbctl vip add "$LAB_VIP4:8000/tcp" --name flap --health http --health-path /flap --health-interval 200ms \
		--health-fall 3 --health-rise 3 >/dev/null
	lbctl backend add flap "${LAB_BACKEND4[3]}" >/dev/null
	wait_for 5 is_known flap 3
	let_pass 2 # some ten turns
	check_equal "a backend that fails every other check is told of once" 1 \
		$(($(told flap 3 healthy) + $(told flap 3 unhealthy)))
	lbctl vip del flap >/dev/null
}
is_known() { ! state_is "$1" "$2" unknown; }

# --- lbd killed ---

# b2 takes flows as well as ever, but its checks are not answered: so the first result is late. No backend of the VIP "all"
# is healthy, so all are used.
killed() {
	local digest packets
	unanswered 2
	nobody_healthy
	check_equal "a VIP whose backends are all unhealthy comes to rest" 0 $?
	wait_for 5 has_no_slots web 2
	let_pass 0.1
	flows_start
	let_pass 0.3
	digest=$(digest) packets=$(backend web 2 .packets)
	lab_kill_lbd
	start_lbd
	check_equal "an lbd that starts has the table of the one that was killed" "$digest" "$(digest)"
	wait_for 5 state_is web 2 unhealthy
	wait_for 5 state_is web 1 healthy
	wait_for 5 state_is all 3 unhealthy
	check_equal "and does not change it by its first results" "$digest" "$(digest)"
	check_equal "an unhealthy backend gets no flow while lbd is killed and starts" "$packets" "$(backend web 2 .packets)"
	check "nobody's slots move where all are unhealthy" all_settled
	let_pass 0.2
	flows_stop
	check_equal "the healthy ones take them all" "not taken 0" \
		"$(sed -n 's/^taken [1-9][0-9]*, //p' "$LAB_DIR/flows")"
	lbctl vip del all --force >/dev/null
	watch
	answered 2
	wait_for 5 has_slots web 2
}
digest() { lbctl --json vip show web | jq -r .digest; }

# Answers of a backend to the balancer itself are lost, those to clients are not.
unanswered() { lab_ip "b$1" route add blackhole "$LAB_BALANCER4"; }
answered() { lab_ip "b$1" route del blackhole "$LAB_BALANCER4"; }

nobody_healthy() {
	lbctl vip add "$LAB_VIP4:84/tcp" --name all --transition 1 --health tcp --health-interval 300ms >/dev/null
	for number in 1 2 3; do
		lbctl backend add all "${LAB_BACKEND4[$number]}" >/dev/null
	done
	wait_for 20 all_settled
}
all_settled() { lbctl --json vip show all | jq -e '.slots.settled == .table_size'; }
lab_kill_lbd() {
	kill -KILL "$LAB_LBD"
	wait "$LAB_LBD" 2>/dev/null
	LAB_LBD=
}

# --- through the tunnel ---

filters() { lab_in balancer tc filter show dev "$1" egress | grep -c handle; }
has_filters() { [ "$(filters "$1")" = "$2" ]; }

tunnel() {
	local number
	lbctl vip set web --health-source tunnel >/dev/null
	check_equal "with a tunnel check its program stands at the interface" 1 "$(filters l0)"
	check "backends that take traffic are healthy" tunnel_finds_all_healthy
	lab_ip balancer link add later type veth peer name later1
	check "at one that appears later as well" wait_for 2 has_filters later 1
	lab_ip balancer link del later
	lab_ip b1 address del "$LAB_VIP4/32" dev lo
	check "a backend without the VIP is unhealthy to a tunnel check" wait_for 5 state_is web 1 unhealthy
	check "not to a direct one" state_is held 1 healthy
	lab_ip b1 address add "$LAB_VIP4/32" dev lo
	check "and healthy when it has it" wait_for 5 state_is web 1 healthy
	lbctl vip set web --health-source direct >/dev/null
	check_equal "without tunnel checks the program is taken away" 0 "$(filters l0)"
	lbctl vip set web --health-source tunnel >/dev/null
	lab_stop_lbd
	check_equal "it stays while lbd is stopped" 1 "$(filters l0)"
	start_lbd
	check_equal "the next one takes its place" 1 "$(filters l0)"
	check "and goes on" tunnel_finds_all_healthy
	lab_stop_lbd
	lab_in balancer "$LBD" --config "$LAB_DIR/lbd.json" --detach
	check_equal "and goes with --detach" 0 "$(filters l0)"
	for number in 1 2 3; do
		lab_ip balancer neigh flush to "${LAB_BACKEND4[$number]}"
	done
	start_lbd
	lab_ready
	check_equal "an lbd that starts puts it back" 1 "$(filters l0)"
	check "and no backend fails for not being known yet" none_has_failed
	lbctl vip set web --health-source direct >/dev/null
	watch
}
none_has_failed() {
	tunnel_finds_all_healthy && lbctl --json backend list web | jq -e 'all(.vips[0].backends[]; .health.error == null)'
}
tunnel_finds_all_healthy() {
	wait_for 5 state_is web 1 healthy && wait_for 5 state_is web 2 healthy && wait_for 5 state_is web 3 healthy
}

# --- real servers, and every kind ---

nginx_up() {
	mkdir -p "$LAB_DIR/nginx"
	cat >"$LAB_DIR/nginx.conf" <<-EOF2
		daemon off; master_process off; pid $LAB_DIR/nginx/pid; error_log stderr crit;
		events { worker_connections 64; }
		http {
			access_log off; default_type text/plain;
			client_body_temp_path $LAB_DIR/nginx; proxy_temp_path $LAB_DIR/nginx;
			fastcgi_temp_path $LAB_DIR/nginx; uwsgi_temp_path $LAB_DIR/nginx; scgi_temp_path $LAB_DIR/nginx;
			server {
				listen 8080;
				location = /healthz { return 200 "all is well\n"; }
				location = /busy { return 503; }
			}
		}
	EOF2
	lab_background b1 nginx -p "$LAB_DIR/nginx" -c "$LAB_DIR/nginx.conf" 2>"$LAB_DIR/nginx.log"
	wait_for 5 lab_in b1 curl -sf http://127.0.0.1:8080/healthz
}

dnsmasq_up() {
	lab_background b1 dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --user=root --port=53 --no-resolv \
		--no-hosts --address=/health.test/192.0.2.77 2>"$LAB_DIR/dnsmasq.log"
	wait_for 5 lab_in b1 grep -q ":0035 " /proc/net/udp
}
DNS_QUERY=hex:123401000001000000000000066865616c746804746573740000010001

# kind NAME VIP healthy|unhealthy ERROR OPTION…: what a check of b1 comes to. One that is to succeed has time, also
# where commands start slowly.
kind() {
	local name=$1 vip=$2 state=$3 error=$4 interval=200ms
	shift 4
	[ "$state" = unhealthy ] || interval=1s
	lbctl vip add "$LAB_VIP4:$vip" --name "$name" --health-interval "$interval" "$@" >/dev/null &&
		lbctl backend add "$name" "${LAB_BACKEND4[1]}" >/dev/null || return
	wait_for 5 state_is "$name" 1 "$state"
	check_equal "$name: $state${error:+ ($error)}" "$state $error" \
		"$(backend "$name" 1 '.health | .state + " " + (.error // "")')"
	lbctl vip del "$name" >/dev/null
}

every_kind() {
	kind tcp 81/tcp healthy "" --health tcp --health-port 80
	kind tcp-refused 81/tcp unhealthy "connection refused" --health tcp
	commands
	if PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
		nginx_up
		kind nginx 8080/tcp healthy "" --health http --health-path /healthz --health-status 200 \
			--health-body "all is well"
		kind nginx-busy 8080/tcp unhealthy "HTTP status 503, expected 200-399" --health http --health-path /busy
	else
		skip "nginx is checked" nginx-light
	fi
	if PATH=$PATH:/usr/sbin command -v dnsmasq >/dev/null; then
		dnsmasq_up
		kind dnsmasq 53/udp healthy "" --health udp --health-payload "$DNS_QUERY" --health-expect hex:c000024d
	else
		skip "dnsmasq is checked" dnsmasq-base
	fi
}

# --- commands ---

# What lbd may do is none of a command's business.
commands() {
	check "exec checks are refused unless lbd.json allows them" refused "exec checks are off" "exec_checks in lbd.json" /bin/true
	lab_stop_lbd
	lab_command succeed <<<'#!/bin/sh'
	lab_command fail <<<'#!/bin/sh
		exit 1'
	# shellcheck disable=SC2016 # the command expands it
	lab_command rights <<<'#!/bin/sh
		while read -r name value _; do
			case $name in
			Uid:) uid=$value ;;
			CapEff: | CapPrm: | CapAmb: | NoNewPrivs:) sets="$sets $value" ;;
			esac
		done </proc/self/status
		shadow=hidden
		[ ! -r /etc/shadow ] || shadow=readable
		echo "$uid $shadow$sets"
		exit 1'
	lab_command hang <<<"#!/bin/sh
		sleep 3600.$$ & sleep 3600.$$"
	start_lbd
	kind exec 81/tcp healthy "" --health exec --health-command succeed
	kind exec-by-path 81/tcp healthy "" --health exec --health-command "$LAB_DIR/checks/succeed"
	kind exec-fails 81/tcp unhealthy "exit status 1" --health exec --health-command "fail x"
	kind exec-rights 81/tcp unhealthy "exit status 1: $(id -u nobody) hidden 0000000000000000 0000000000000000 0000000000000000 1" \
		--health exec --health-command rights
	kind exec-in-time 81/tcp unhealthy "no end of the command within 200 ms" --health exec --health-command hang
	check "commands of another user are ended" wait_for 2 none_hangs
	check "a file elsewhere is refused" refused "/bin/true is not a file in $LAB_DIR/checks" "that folder only" /bin/true
	check "so is a way out of the folder" refused "is not a file in" "that folder only" "$LAB_DIR/checks/../lbd.json"
	check "so is a file that is not there" refused "No such file or directory" "must be root's" missing
	commands_gone
}

# refused MESSAGE HINT COMMAND
refused() {
	! lbctl vip add "$LAB_VIP4:81/tcp" --health exec --health-command "$3" 2>"$LAB_DIR/refusal" || return
	cat "$LAB_DIR/refusal"
	grep -qF "$1" "$LAB_DIR/refusal" && grep -qF "$2" "$LAB_DIR/refusal"
}
none_hangs() { ! pgrep -f "sleep 3600[.]$$\$"; }

# A check that was allowed once is a fault of the balancer after that, and no hindrance.
commands_gone() {
	lbctl vip add "$LAB_VIP4:81/tcp" --name once --health exec --health-command succeed --health-interval 200ms >/dev/null
	lbctl backend add once "${LAB_BACKEND4[1]}" >/dev/null
	wait_for 5 state_is once 1 healthy
	confine_lbd
	check "an lbd that cannot become another user says so" wait_for 5 status_warns \
		"VIP once, which keep the state that they had: not checked: cannot run $LAB_DIR/checks/succeed as user nobody: Operation not permitted"
	lab_stop_lbd
	mv "$LAB_DIR/checks" "$LAB_DIR/away"
	start_lbd
	check_equal "lbd starts with a check that is not allowed any more" 0 $?
	check "and warns of it" wait_for 5 status_warns "not checked: exec checks are off"
	check "other changes are made all the same" lbctl vip set once --transition 40s
	lbctl vip del once >/dev/null
}
status_warns() { lbctl --json status | jq -re '.warnings[]' | grep -F "$1"; }

# As in a container: user 0 with what lbd needs, and not CAP_SETPCAP, so that it cannot give up what user 0 is.
confine_lbd() {
	lab_stop_lbd
	printf '#!/bin/sh\nexec setpriv --bounding-set=-all,+bpf,+net_admin,+perfmon "%s" "$@"\n' "$LBD" >"$LAB_DIR/confined"
	chmod +x "$LAB_DIR/confined"
	LBD=$LAB_DIR/confined start_lbd
	check_equal "an lbd starts that is user 0, but confined" 0 $?
}

# --- adding a backend ---

# One that comes to others that are healthy takes nothing before it is.
added() {
	lbctl vip add "$LAB_VIP4:82/tcp" --name late --health tcp --health-port 83 --health-interval 300ms >/dev/null
	lab_background b1 "$O/tests/lib/serve_tool" b1 83
	wait_for 5 lab_answers b1 83
	lab_background b3 "$O/tests/lib/serve_tool" b3 83
	wait_for 5 lab_answers b3 83
	lbctl backend add late "${LAB_BACKEND4[1]}" >/dev/null
	wait_for 5 state_is late 1 healthy
	unanswered 3
	lbctl backend add late "${LAB_BACKEND4[3]}" >"$LAB_DIR/reply"
	check "the reply to adding a backend to healthy ones says that it waits for its first result" grep -E \
		"^  backend ${LAB_BACKEND4[3]} gets no new flows until its (first health check succeeds|next hop is resolved)" \
		"$LAB_DIR/reply"
	check "it takes no flow before" has_no_slots late 3
	wait_for 5 state_is late 3 unhealthy
	check "nor after a bad one" has_no_slots late 3
	answered 3
	check "but when it is healthy" wait_for 5 has_slots late 3
	lbctl vip set late --health none >/dev/null
	check_equal "without a check nothing is said of health" null "$(backend late 3 .health)"
	unanswered 3
	check_equal "a check that is new to a VIP changes nothing before its first results" \
		"vip late: changed, no slot moved" \
		"$(lbctl vip set late --health tcp --health-port 83 --health-interval 300ms)"
	check "but by them" wait_for 5 has_no_slots late 3
	wait_for 5 state_is web 3 unhealthy
	answered 3
	lbctl vip del late --force >/dev/null
	wait_for 5 state_is web 3 healthy
}

watching() {
	lbctl vip set held --transition $((30 + RANDOM % 10))
	[ -s "$LAB_DIR/text" ]
}

watched() {
	lbctl config export >"$LAB_DIR/export"
	check "what was exported differs in nothing" lbctl config diff "$LAB_DIR/export"
	lab_background balancer "$LBCTL" --socket "$LAB_DIR/lbd.sock" watch >"$LAB_DIR/text" 2>/dev/null
	wait_for 5 watching
	dies 3
	check "watch tells of a backend that becomes unhealthy, and why" \
		watch_tells "unhealthy: connection refused"
	serve 3
	check "and of one that becomes healthy" watch_tells healthy
}
watch_tells() {
	wait_for 5 grep -E " health vip web backend ${LAB_BACKEND4[3]} $1$" "$LAB_DIR/text" && return
	cat "$LAB_DIR/text"
	return 1
}


hurry
up >/dev/null
check_equal "the lab comes up, and every backend is healthy" 0 $? || finish
check "then status is content" status_is 0
[ $# -gt 0 ] || set -- detection established_stay reset_moves all_unhealthy flapping added watched killed tunnel every_kind
for run; do
	"$run"
done
check "nothing remains" lab_down
finish
