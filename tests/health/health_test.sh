#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do health checks see what is the matter with a real server, in time, and say it in plain words?
#
# Direct checks run in two namespaces of this script's own, tunnel checks in the lab. HEALTH_TOOL names the tool under
# test, WRAP a program to run it under, SLOWER by how much that makes it slower. Besides the lab's packages
# it needs nginx-light and dnsmasq-base; both run in the foreground with configurations of their own.
# shellcheck disable=SC2317 # functions are called by way of check and wait_for

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/check.sh
. "$HERE/../lib/check.sh"
# shellcheck source=tests/lib/lab.sh
. "$HERE/../lib/lab.sh"

TOOL=${HEALTH_TOOL:-$O/tests/lib/health_tool}
SLOWER=${SLOWER:-1}
PREFIX=hc$$
DIR=$(mktemp -d)
chmod 755 "$DIR" # commands are run by nobody
at_exit rm -rf "$DIR"
CHECKS=$DIR/checks
mkdir "$CHECKS"
# shellcheck disable=SC2016 # the command expands it
printf '#!/bin/sh\nexec /bin/sh -c "$1"\n' >"$CHECKS/run"
chmod 755 "$CHECKS" "$CHECKS/run"
EVENTS=$DIR/events
TOOL_PID=
VIP=192.0.2.10:80/tcp
SERVER=10.90.0.2

if [ "$(id -u)" != 0 ]; then
	skip "health checks see what is the matter" "root"
	finish
fi
for program in nginx dnsmasq; do
	PATH=$PATH:/usr/sbin command -v "$program" >/dev/null && continue
	skip "health checks of real servers" "$program"
	finish
done
[ -x "$TOOL" ] || { echo "health_test.sh: no $TOOL: make tests" >&2; exit 1; }

# --- processes and namespaces of our own ---

end() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

# Time itself, where it is what the test is about: how much happens in it.
let_pass() { read -rt "$1" <> <(:) || :; }

# in_net NAMESPACE command…; background runs it without waiting, and PID is its process.
in_net() {
	local node=$1
	shift
	nsenter --net="/run/netns/$PREFIX$node" -- "$@"
}
background() {
	local node=$1
	shift
	nsenter --net="/run/netns/$PREFIX$node" -- "$@" >>"$DIR/log" 2>&1 &
	PID=$!
	at_exit end "$PID"
}

# The server's node has all of 10.91.0.0/16, answers nothing in 10.92.0.0/16, and refuses the rest.
net_make() {
	local node
	for node in checker server; do
		ip netns add "$PREFIX$node" && at_exit ip netns del "$PREFIX$node" || return
		ip -n "$PREFIX$node" link set lo up
	done
	ip link add e0 netns "${PREFIX}checker" type veth peer name e1 netns "${PREFIX}server" || return
	ip -n "${PREFIX}checker" -batch - <<-EOF2 && ip -n "${PREFIX}server" -batch - <<-EOF3
		link set e0 up
		address add 10.90.0.1/24 dev e0
		address add fd90::1/64 dev e0 nodad
		route add 10.91.0.0/16 via $SERVER
		route add 10.92.0.0/16 via $SERVER
	EOF2
		link set e1 up
		address add $SERVER/24 dev e1
		address add fd90::2/64 dev e1 nodad
		route add local 10.91.0.0/16 dev lo
		route add blackhole 10.92.0.0/16
	EOF3
}

# --- the tool ---

# targets_add NAME BACKEND CHECK [OTHER-FIELDS]: one more for the next tool_start.
targets_add() {
	jq -nc --arg name "$1" --arg backend "$2" --arg vip "$VIP" --argjson check "$3" --argjson more "${4:-{\}}" \
		'{$name, $vip, $backend, $check} + $more' >>"$DIR/list"
}

# tool_start NAMESPACE: with the targets added since the last one.
tool_start() {
	jq -s . "$DIR/list" >"$DIR/targets"
	rm -f "$DIR/list"
	: >"$EVENTS"
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$1" -- $WRAP "$TOOL" "${TOOL_OPTIONS[@]}" "$DIR/targets" >"$EVENTS" 2>"$DIR/errors" &
	TOOL_PID=$!
	wait_for 20 event '.event == "started"' || check "the tool starts" cat "$DIR/errors"
}
tool_end() { [ -z "$TOOL_PID" ] || kill "$TOOL_PID"; }
at_exit tool_end

# Also says whether it ended well: sanitizers and valgrind tell by the exit status.
tool_stop() {
	local status
	kill "$TOOL_PID"
	wait "$TOOL_PID"
	status=$?
	TOOL_PID=
	[ "$status" = 0 ] || cat "$DIR/errors"
	check "the tool ends well ($1)" test "$status" = 0
}

event() { jq -ne "[inputs | select($1)] | length > 0" "$EVENTS"; }
count() { jq -n "[inputs | select($1)] | length" "$EVENTS"; }
status() { jq -nr --arg name "$1" 'last(inputs | select(.event == "change" and .name == $name)) | .status' "$EVENTS"; }
status_is() { [ "$(status "$1")" = "$2" ]; }
changes() { count ".event == \"change\" and .name == \"$1\""; }

# is NAME healthy|unhealthy [ERROR]: comes to that, with that error.
is() {
	local actual
	wait_for $((5 * SLOWER)) status_is "$1" "$2"
	actual=$(jq -nr --arg name "$1" 'last(inputs | select(.event == "change" and .name == $name)) |
		.status + (if .status == "unhealthy" then " " + .error else "" end)' "$EVENTS")
	check_equal "$1: $2${3:+ ($3)}" "$2${3:+ $3}" "$actual"
}

# --- every kind of check, every way of being unhealthy ---

nginx_up() {
	mkdir -p "$DIR/nginx"
	cat >"$DIR/nginx.conf" <<-EOF2
		daemon off; master_process off; pid $DIR/nginx/pid; error_log stderr crit;
		events { worker_connections 512; }
		http {
			access_log off; default_type text/plain;
			client_body_temp_path $DIR/nginx; proxy_temp_path $DIR/nginx; fastcgi_temp_path $DIR/nginx;
			uwsgi_temp_path $DIR/nginx; scgi_temp_path $DIR/nginx;
			server {
				listen 80; listen [::]:80;
				location = /healthz { return 200 "all is well\n"; }
				location = /busy { return 503; }
				location = /moved { return 302 /healthz; }
			}
			server {
				listen 80; server_name named.example;
				location = /host { return 204; }
			}
		}
	EOF2
	background server nginx -p "$DIR/nginx" -c "$DIR/nginx.conf"
	wait_for 5 in_net server curl -sf "http://$SERVER/healthz"
}

# dnsmasq is asked for the address of health.test.
dns_up() {
	background server dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --user=root --port=53 --no-resolv \
		--no-hosts --address=/health.test/192.0.2.77
	background server "$HERE/../lib/health_server.py" 8000 8001
	wait_for 5 in_net server curl -sf -m 1 "http://$SERVER:8000/chunked"
}
DNS_QUERY=hex:123401000001000000000000066865616c746804746573740000010001

# add NAME CHECK-WITHOUT-TIMES [BACKEND]
add() {
	targets_add "$1" "${3:-$SERVER}" \
		"$(jq -nc "{interval_ms: $((150 * SLOWER)), rise: 2, fall: 2} + $2")"
}
http() { add "$1" "{type: \"http\", port: 8000, path: \"$2\"} + ${3:-{\}}"; }
command_target() { add "$1" "{type: \"exec\", command: [\"run\", $(jq -n --arg text "$2" '$text')]}"; }

every_kind() {
	local ms=$((150 * SLOWER))
	add tcp '{type: "tcp"}'
	add tcp6 '{type: "tcp"}' fd90::2
	add tcp-refused '{type: "tcp", port: 81}'
	add tcp-silent '{type: "tcp"}' 10.92.0.1
	add tcp-unreachable '{type: "tcp"}' 10.99.0.1
	add http '{type: "http", path: "/healthz", status: "200", body: "all is well"}'
	add http6 '{type: "http", path: "/healthz"}' fd90::2
	add http-head '{type: "http", path: "/healthz", method: "HEAD"}'
	add http-host '{type: "http", path: "/host", host: "named.example", status: "204"}'
	add http-moved '{type: "http", path: "/moved"}'
	add http-not-moved '{type: "http", path: "/moved", status: "200-299"}'
	add http-busy '{type: "http", path: "/busy", status: "200"}'
	add http-absent '{type: "http", path: "/absent"}'
	add http-body '{type: "http", path: "/healthz", body: "all is lost"}'
	add http-refused '{type: "http", port: 81}'
	http http-silent /silent
	http http-drip /drip '{body: "ok"}'
	http http-slow /slow
	http http-closed /closed
	http http-cut-header /cut-header
	http http-cut-body /cut-body '{body: "ok"}'
	http http-chunked /chunked '{body: "it is ok"}'
	http http-garbage /garbage
	http http-endless /endless
	add udp "{type: \"udp\", port: 53, payload: \"$DNS_QUERY\", expect: \"hex:c000024d\"}"
	add udp-any "{type: \"udp\", port: 53, payload: \"$DNS_QUERY\"}"
	add udp-other "{type: \"udp\", port: 53, payload: \"$DNS_QUERY\", expect: \"hex:c000024e\"}"
	add udp-wrong '{type: "udp", port: 8001, payload: "PING", expect: "PONG"}'
	add udp-silent '{type: "udp", port: 8001, payload: "hush"}'
	add udp-refused '{type: "udp", port: 82, payload: "PING"}'
	tool_start "${PREFIX}checker"

	for name in tcp tcp6 http http6 http-head http-host http-moved http-drip http-chunked udp udp-any; do
		is "$name" healthy
	done
	is tcp-refused unhealthy "connection refused"
	is tcp-silent unhealthy "no answer within $ms ms"
	kill -USR1 "$TOOL_PID"
	check "a backend that this node has no route to is not judged" wait_for 5 event '.event == "view" and
		.name == "tcp-unreachable" and .status == "unknown" and
		.error == "not checked: this balancer has no route to 10.99.0.1: network is unreachable"'
	is http-not-moved unhealthy "HTTP status 302, expected 200-299"
	is http-busy unhealthy "HTTP status 503, expected 200"
	is http-absent unhealthy "HTTP status 404, expected 200-399"
	is http-body unhealthy 'body does not contain "all is lost"'
	is http-refused unhealthy "connection refused"
	is http-silent unhealthy "no HTTP response within $ms ms"
	is http-slow unhealthy "no complete HTTP response within $ms ms"
	is http-closed unhealthy "connection closed without a response"
	is http-cut-header unhealthy "connection closed in the middle of the header"
	is http-cut-body unhealthy "connection closed in the middle of the body"
	is http-garbage unhealthy 'not an HTTP/1 response: "???? no HTTP at all"'
	is http-endless unhealthy "HTTP header is longer than 16 KiB"
	is udp-other unhealthy "$(jq -nr 'first(inputs | select(.name == "udp-other")) | .error' "$EVENTS")"
	check "a DNS reply without what is expected is named so" event \
		'.name == "udp-other" and (.error | startswith("reply of 45 bytes does not contain what is expected"))'
	is udp-wrong unhealthy 'reply of 6 bytes does not contain what is expected: "wrong?"'
	is udp-silent unhealthy "no answer within $ms ms"
	is udp-refused unhealthy "port unreachable: nothing listens on UDP port 82"
	check_equal "a healthy backend is told of once" 1 "$(changes tcp)"
	tool_stop "every kind"
}

commands() {
	local ms=$((150 * SLOWER))
	case $WRAP in
	*valgrind*)
		skip "commands" "valgrind knows no pidfd_open"
		return
		;;
	esac
	TOOL_OPTIONS=(-x "$CHECKS")
	install -m 666 /dev/null "$DIR/environment"
	mkdir -p "$CHECKS/below"
	install -m 644 /dev/null "$CHECKS/plain"
	install -m 777 /dev/null "$CHECKS/others"
	install -m 755 -o nobody /dev/null "$CHECKS/nobodys"
	ln -sf /bin/true "$CHECKS/link"
	command_target exec 'exit 0'
	add exec-by-path "{type: \"exec\", command: [\"$CHECKS/run\", \"exit 0\"]}"
	# shellcheck disable=SC2016 # the command expands it
	command_target exec-rights 'grep -h "^\(Uid\|Gid\|Groups\|Cap[EPIA].*\|NoNewPrivs\):" /proc/self/status |
		tr "\t\n" "  " | tr -s "0 " >&2; exit 1'
	command_target exec-colours 'printf "\033[31mred\007\302\233 bad" >&2; exit 1'
	command_target exec-environment "env | sort >$DIR/environment; pwd >>$DIR/environment"
	command_target exec-fails 'echo out of order; echo because >&2; echo more >&2; exit 3'
	command_target exec-says 'echo CRITICAL - 5 sessions; exit 2'
	command_target exec-floods 'head -c 1000000 /dev/zero; exit 1'
	# shellcheck disable=SC2016 # the command expands it
	command_target exec-files 'echo $(ls /proc/self/fd); cat; exit 1'
	command_target exec-killed 'kill -KILL $$'
	# shellcheck disable=SC2016
	command_target exec-session '[ "$(cut -d" " -f6 /proc/$$/stat)" = $$ ]'
	command_target exec-hangs "sleep 3600.$$ & sleep 3600.$$"
	command_target exec-leaves "sleep 3600.$$ & exit 0"
	for name in missing plain others nobodys link below ..; do
		add "exec-$name" "{type: \"exec\", command: [\"$name\"]}"
	done
	add exec-elsewhere '{type: "exec", command: ["/bin/true"]}'
	add exec-up "{type: \"exec\", command: [\"$CHECKS/../environment\"]}"
	tool_start "${PREFIX}checker"

	for name in exec exec-by-path exec-environment exec-leaves exec-session; do
		is "$name" healthy
	done
	is exec-fails unhealthy "exit status 3: because"
	is exec-says unhealthy "exit status 2: CRITICAL - 5 sessions"
	check "a command's flood of output does not stop it" wait_for 5 event '.name == "exec-floods" and
		(.error | startswith("exit status 1"))'
	is exec-files unhealthy "exit status 1: 0 1 2 3" # 3: the folder that ls reads
	is exec-killed unhealthy "killed by signal 9 (Killed)"
	is exec-hangs unhealthy "no end of the command within $ms ms"
	is exec-rights unhealthy "exit status 1: Uid: $NOBODY Gid: $NOGROUP Groups: CapInh: 0 CapPrm: 0 CapEff: 0 CapAmb: 0 NoNewPrivs: 1 "
	is exec-colours unhealthy "exit status 1: ?[31mred??? bad"
	kill -USR1 "$TOOL_PID"
	not_run missing "exec checks cannot use $CHECKS/missing: No such file or directory"
	not_run plain "exec checks cannot use $CHECKS/plain: not everybody may execute it"
	not_run others "exec checks cannot use $CHECKS/others: others than root may write to it"
	not_run nobodys "exec checks cannot use $CHECKS/nobodys: it does not belong to root"
	not_run link "exec checks cannot use $CHECKS/link: it is a symbolic link"
	not_run below "exec checks cannot use $CHECKS/below: it is not a regular file"
	not_run .. ".. is not a file in $CHECKS"
	not_run elsewhere "/bin/true is not a file in $CHECKS"
	not_run up "$CHECKS/../environment is not a file in $CHECKS"
	printf '%s\n' "LBD_BACKEND=$SERVER" LBD_PORT=80 "LBD_TIMEOUT_MS=$ms" "LBD_VIP=$VIP" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin PWD=/ / >"$DIR/environment.expected"
	# The command runs again and again, and writes in pieces.
	check "a command's environment is what it is said to be" \
		wait_for 5 diff -u "$DIR/environment.expected" "$DIR/environment"
	tool_stop "commands"
	check "commands and what they started end with it" wait_for 2 no_commands
	in_other_surroundings
	TOOL_OPTIONS=()
	folder_of_others
	command_target exec-off 'exit 0'
	tool_start "${PREFIX}checker"
	kill -USR1 "$TOOL_PID"
	not_run off "exec checks are off"
	tool_stop "without exec checks"
}
NOBODY=$(id -u nobody | sed 's/.*/&\t&\t&\t&/' | tr '\t' ' ')
NOGROUP=$(id -g nobody | sed 's/.*/&\t&\t&\t&/' | tr '\t' ' ')

forgotten() {
	kill -USR1 "$TOOL_PID"
	event '.event == "view" and .status == "unknown" and
		.error == "not checked: the exit status of the command is not known: No child processes"'
}

# in_other_surroundings: limits that lbd may not raise; SIGCHLD ignored, so that the kernel forgets exit statuses.
in_other_surroundings() {
	local wrap=$WRAP
	command_target exec-limited 'exit 0'
	WRAP="setpriv --bounding-set=-sys_resource prlimit --nofile=128:128 --core=0:0 $wrap"
	tool_start "${PREFIX}checker"
	is exec-limited healthy
	tool_stop "low limits"
	command_target exec-forgotten 'exit 1'
	WRAP="env --ignore-signal=CHLD $wrap"
	tool_start "${PREFIX}checker"
	check "a command whose exit status is lost says nothing of the backend" wait_for 5 forgotten
	tool_stop "SIGCHLD ignored"
	WRAP=$wrap
}

# not_run NAME WHY: the check exec-NAME is a fault of this node.
not_run() {
	check "exec-$1: $2" wait_for 5 event ".event == \"view\" and .name == \"exec-$1\" and .status == \"unknown\" and
		.error == $(jq -n --arg why "not checked: $2" '$why')"
}

folder_of_others() {
	chmod 777 "$CHECKS"
	TOOL_OPTIONS=(-x "$CHECKS")
	command_target exec-folder 'exit 0'
	tool_start "${PREFIX}checker"
	kill -USR1 "$TOOL_PID"
	not_run folder "exec checks cannot use $CHECKS: others than root may write in it"
	tool_stop "a folder that others may write in"
	chmod 755 "$CHECKS"
	TOOL_OPTIONS=()
}
no_commands() { ! pgrep -f "sleep 3600[.]$$\$"; }

# --- in time ---

server_up() {
	background server "$O/tests/lib/serve_tool" one 7000
	SERVER_PID=$PID
	wait_for 5 in_net server curl -sf "http://$SERVER:7000/"
}

# Kills the server at some moment within an interval; prints how long it took to be told.
time_to_detect() {
	local killed
	let_pass "0.$((RANDOM % 3 + 1))$((RANDOM % 10))"
	killed=$(date +%s%3N)
	kill -KILL "$SERVER_PID"
	wait "$SERVER_PID" 2>/dev/null
	wait_for 5 status_is one unhealthy
	TOOK_MS=$(($(jq -n 'last(inputs | select(.name == "one")) | .at_ms' "$EVENTS") - killed))
}

detection() {
	local middle took=() bound=$((3 * 200 * SLOWER + 50 * SLOWER))
	server_up
	targets_add one "$SERVER" "{\"type\":\"http\",\"port\":7000,\"interval_ms\":$((200 * SLOWER)),\"fall\":3,\"rise\":3}"
	tool_start "${PREFIX}checker"
	is one healthy
	for _ in 1 2 3 4 5; do
		time_to_detect
		took+=("$TOOK_MS")
		server_up
		up=$(date +%s%3N)
		wait_for 5 status_is one healthy
	done
	up=$(($(jq -n 'last(inputs | select(.name == "one")) | .at_ms' "$EVENTS") - up))
	# The machine may be busy at one time or another, but not every time.
	middle=$(printf '%s\n' "${took[@]}" | sort -n | sed -n 3p)
	check "a killed server is unhealthy within fall x interval + 50 ms (${took[*]} of $bound ms)" \
		test "$middle" -le "$bound"
	check "recovery takes rise successes ($up ms after it is up again)" test "$up" -ge $((2 * 150 * SLOWER))
	check_equal "each death and each recovery is told of once" 11 "$(changes one)"
	end "$SERVER_PID"
	tool_stop "in time"
}

damped() {
	targets_add flapping "$SERVER" \
		'{"type":"http","port":8000,"path":"/flap","interval_ms":100,"rise":3,"fall":3}'
	targets_add known "$SERVER" '{"type":"tcp","interval_ms":100}' '{"start":"healthy","since_wall_ms":1000}'
	targets_add believed "$SERVER" '{"type":"tcp","port":81,"interval_ms":200,"fall":3}' '{"start":"healthy"}'
	targets_add wrongly "$SERVER" '{"type":"tcp","interval_ms":100,"rise":3}' '{"start":"unhealthy"}'
	tool_start "${PREFIX}checker"
	is wrongly healthy
	is believed unhealthy "connection refused"
	let_pass 1.5 # some fifteen turns
	kill -USR1 "$TOOL_PID"
	wait_for 5 event '.event == "cpu"'
	check_equal "a backend that fails every other check keeps its state" 1 "$(changes flapping)"
	check "what is known at the start holds, with its age" event \
		'.event == "view" and .name == "known" and .status == "healthy" and .since_wall_ms == 1000'
	check_equal "and is not told again" 0 "$(changes known)"
	check "to be held for healthy at the start takes fall failures to lose" event '.name == "believed" and
		.event == "change" and .at_ms >= '"$(jq -n 'first(inputs | select(.event == "started")).at_ms + 199' "$EVENTS")"
	tool_stop "damped"
}

# The loop is kept busy for 200 ms again and again: up to four times what a check may take.
stalled() {
	TOOL_OPTIONS=(-s)
	targets_add busy 10.91.1.0 "{\"type\":\"http\",\"path\":\"/healthz\",\"interval_ms\":$((100 * SLOWER)),
		\"timeout_ms\":$((50 * SLOWER)),\"fall\":1}" '{"count":200}'
	tool_start "${PREFIX}checker"
	is busy199 healthy
	let_pass 3
	check_equal "a stall of the loop makes no backend unhealthy" 0 "$(count '.status == "unhealthy"')"
	tool_stop "stalled"
	TOOL_OPTIONS=()
}

# --- many ---

most_in_100_ms() {
	jq -n '[inputs | select(.event == "change") | .at_ms / 100 | floor] | group_by(.) | map(length) | max' "$EVENTS"
}
cpu_show() {
	local before
	before=$(count '.event == "cpu"')
	kill -USR1 "$TOOL_PID"
	wait_for 5 cpu_more_than "$before"
}
cpu_more_than() { [ "$(count '.event == "cpu"')" -gt "$1" ]; }

many() {
	local percent fds opened took
	targets_add backend 10.91.0.1 '{"type":"tcp","interval_ms":1000}' '{"count":2000}'
	tool_start "${PREFIX}checker"
	wait_for $((5 * SLOWER)) all_told
	check_equal "2,000 backends are found healthy" 2000 "$(count '.status == "healthy"')"
	check "their checks do not start in one tick ($(most_in_100_ms) in the busiest 100 ms)" \
		test "$(most_in_100_ms)" -le $((400 * SLOWER * SLOWER))
	cpu_show
	took=$(date +%s%3N) opened=$(connections)
	let_pass 4
	opened=$(($(connections) - opened)) took=$(($(date +%s%3N) - took))
	fds=$(find "/proc/$TOOL_PID/fd" | wc -l)
	cpu_show
	percent=$(jq -n '[inputs | select(.event == "cpu")] | (.[-1].cpu_ms - .[0].cpu_ms) * 1000 /
		(.[-1].at_ms - .[0].at_ms) | floor / 10' "$EVENTS")
	echo "      2,000 backends checked every second: $percent % of a CPU, $fds descriptors open"
	check "2,000 backends take less than 25 % of a CPU ($percent %)" \
		jq -ne "$percent < 25 * $SLOWER"
	check "every backend is checked every second at least ($opened checks in $took ms)" \
		test "$opened" -ge $((2 * (took - 50)))
	check_equal "none of them is lost on the way" 0 "$(count '.status == "unhealthy" and .event == "change"')"
	check_equal "no TIME_WAIT piles up" "0 0" "$(time_wait checker dst) $(time_wait server src)"
	tool_stop "many"
}
# shellcheck disable=SC2016 # for awk
connections() { in_net checker awk '/^Tcp:/ { opened = $6 } END { print opened }' /proc/net/snmp; }
all_told() { [ "$(wc -l <"$EVENTS")" -ge 2001 ]; }
time_wait() { in_net "$1" ss -Htan state time-wait "$2" 10.91.0.0/16 | wc -l; }

# Watches come and go in every phase of a check; the sanitizers look on.
churn() {
	local names=0
	TOOL_OPTIONS=(-c -x "$CHECKS")
	add tcp '{type: "tcp"}'
	add silent '{type: "tcp"}' 10.92.0.1
	http http-silent /silent
	http http-drip /drip '{body: "ok"}'
	add udp "{type: \"udp\", port: 53, payload: \"$DNS_QUERY\"}"
	if [[ $WRAP != *valgrind* ]]; then
		command_target exec 'exit 0'
		command_target exec-hangs "sleep 3600.$$"
		add exec-missing '{type: "exec", command: ["/nonexistent/check"]}'
	fi
	tool_start "${PREFIX}checker"
	let_pass 1.5
	names=$(jq -n '[inputs | select(.event == "change") | .name] | unique | length' "$EVENTS")
	check "watches that come and go are checked ($names of them)" test "$names" -ge 3
	tool_stop "churn"
	check "and leave no command behind" wait_for 2 no_commands
	TOOL_OPTIONS=()
}

# --- through the tunnel ---

tunnel_targets() {
	local kind name
	for kind in tcp http; do
		for name in 4:b1:${LAB_BACKEND4[1]} 4:b2:${LAB_BACKEND6[2]} 6:b1:${LAB_BACKEND4[1]} 6:b2:${LAB_BACKEND6[2]}; do
			VIP=192.0.2.10:80/tcp
			[ "${name%%:*}" = 4 ] || VIP=[$LAB_VIP6]:80/tcp
			backend=${name#*:}
			targets_add "$kind-$name" "${backend#*:}" \
				"{\"type\":\"$kind\",\"source\":\"tunnel\",\"interval_ms\":200}"
		done
	done
	VIP=192.0.2.10:80/tcp
	targets_add udp "${LAB_BACKEND4[1]}" '{"type":"udp","payload":"x","expect":"b1","source":"tunnel","interval_ms":200}'
	targets_add direct-b1 "${LAB_BACKEND4[1]}" '{"type":"http","interval_ms":200}'
	targets_add direct-b2 "${LAB_BACKEND6[2]}" '{"type":"http","interval_ms":200}'
	targets_add nobody "${LAB_BACKEND4[1]}" '{"type":"tcp","source":"tunnel","interval_ms":200}' '{"member":999}'
}

# tunnel_up [ENCAP]
tunnel_up() {
	lab_up one-armed 2 && lab_serve 80 && lab_start_lbd "{}" || return
	# The backends decapsulate by XDP, which does not know of checksums still to be filled in.
	lab_in balancer ethtool -K l0 tx off >/dev/null
	for vip in 192.0.2.10:80/tcp "[$LAB_VIP6]:80/tcp"; do
		lbctl vip add "$vip" --encap "${1:-ipip}" &&
			lbctl backend add "$vip" "${LAB_BACKEND4[1]}" &&
			lbctl backend add "$vip" "${LAB_BACKEND6[2]}" || return
	done >/dev/null
	lab_ready
}

# tunnel_is b1|b2 healthy|unhealthy [SELECTION]: of its tunnel checks.
tunnel_is() {
	local name error=
	[ "$2" = healthy ] || error="no answer within 200 ms"
	for name in $(jq -r '.[].name' "$DIR/targets" | grep -E "^(tcp|http)-${3:-.}:$1:"); do
		is "$name" "$2" "$error"
	done
}

filters() { lab_in balancer tc filter show dev l0 egress | sed -n 's/.*pref \([0-9]*\) .*handle.*/\1/p' | xargs; }

tunnel() {
	tunnel_up
	check_equal "the lab comes up" 0 $? || return
	lab_in balancer tc qdisc add dev l0 clsact
	lab_in balancer tc filter add dev l0 egress prio 7 bpf bytecode '1,6 0 0 0,' # matches nothing
	tunnel_targets
	TOOL_OPTIONS=(-p "/sys/fs/bpf/$LAB_ID" -i l0)
	tool_start "$LAB_ID-balancer"
	check_equal "the filter stands beside the operator's" "7 19522" "$(filters)"
	tunnel_is b1 healthy
	tunnel_is b2 healthy
	is udp healthy
	is direct-b1 healthy
	is nobody unhealthy "no answer within 200 ms"
	check "packets without the mark are left alone" lab_in balancer ping -c1 -W2 10.0.0.1

	lab_ip b1 address del "$LAB_VIP4/32" dev lo
	tunnel_is b1 unhealthy 4
	is udp unhealthy "no answer within 200 ms"
	check "a backend without the VIP on lo still passes direct checks" status_is direct-b1 healthy
	lab_ip b1 address add "$LAB_VIP4/32" dev lo
	tunnel_is b1 healthy 4

	lab_ip b1 link set dev b0 xdpdrv off
	lab_ip b2 link set dev b0 xdpdrv off
	tunnel_is b1 unhealthy
	tunnel_is b2 unhealthy
	check "a backend that does not decapsulate still passes direct checks (IPv4)" status_is direct-b1 healthy
	check "a backend that does not decapsulate still passes direct checks (IPv6)" status_is direct-b2 healthy
	lab_decap "${LAB_BACKEND4[1]}" "${LAB_BACKEND6[1]}" | lab_batch b1
	tunnel_is b1 healthy
	tool_stop "tunnel"
	check_equal "detaching takes ours away, and no other" "7" "$(filters)"
	TOOL_OPTIONS=()
	lab_down
}

# The same by GUE: over IPv4 to b1, over IPv6 to b2.
tunnel_gue() {
	tunnel_up gue
	check_equal "the lab comes up with GUE" 0 $? || return
	tunnel_targets
	TOOL_OPTIONS=(-p "/sys/fs/bpf/$LAB_ID" -i l0)
	tool_start "$LAB_ID-balancer"
	tunnel_is b1 healthy
	tunnel_is b2 healthy
	is udp healthy
	lab_ip b1 link set dev b0 xdpdrv off
	tunnel_is b1 unhealthy
	tool_stop "tunnel with GUE"
	TOOL_OPTIONS=()
	lab_down
}

hurry
# Outside of check, which runs its command in a subshell: these register what at_exit undoes.
net_make
check_equal "two namespaces are there" 0 $? || finish
nginx_up
check_equal "nginx answers" 0 $? || finish
dns_up
check_equal "dnsmasq and the bad server answer" 0 $? || finish
every_kind
commands
detection
damped
stalled
many
churn
tunnel
tunnel_gue
finish
