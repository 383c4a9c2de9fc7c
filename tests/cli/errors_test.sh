#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does bad input get a clear error and change nothing? A real lbd, asked over its socket and through lbctl.
#
# The rows stand in golden/errors_*.txt: "# promise", "> what is sent", "< what must come back". UPDATE=1 writes
# the answers anew; read the difference before keeping it. LBD and LBCTL name the binaries.

# shellcheck disable=SC2317 # rows() calls functions by name

cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

LBD=$(realpath -e "${LBD:-build/lbd/lbd}") || exit 1
LBCTL=$(realpath -e "${LBCTL:-build/lbctl/lbctl}") || exit 1
GOLDEN=$PWD/tests/cli/golden
CLIENTS=$PWD/tests/cli/errors_clients.py
NETNS=lberr$$
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
SOCKET=$DIR/lbd.sock
PINS=/sys/fs/bpf/$NETNS

# --- golden rows ---

# rows FILE ANSWER: for each row, ANSWER gets what is sent and prints what came back.
rows() {
	local file=$GOLDEN/$1 answer=$2 name='' request expected actual line
	[ -z "$UPDATE" ] || exec 9>"$DIR/new"
	while IFS= read -r line; do
		case $line in
		'> '*)
			request=${line#> }
			actual=$($answer "$request")
			[ -z "$UPDATE" ] || printf '# %s\n> %s\n< %s\n\n' "$name" "$request" "$actual" >&9
			;;
		'< '*)
			expected=${line#< }
			[ -n "$UPDATE" ] || check_equal "$name" "$expected" "$actual"
			;;
		'# '*) name=${line#\# } ;;
		esac
	done <"$file"
	[ -z "$UPDATE" ] || cp "$DIR/new" "$file"
}

# Several lines as one, so that a row stays a row.
one_line() {
	sed ':a;N;$!ba;s/\n *\(hint:\)\?/ | \1/g'
}

# --- config files: no privileges needed ---

check_config() {
	local output
	printf '%b' "$1" >"$DIR/lbd.json"
	output=$(cd "$DIR" && "$LBD" --check --config lbd.json 2>&1)
	echo "exit $?: $output" | one_line
}

rows errors_config.txt check_config

# start_lbd NAME CONFIG: takes the place of the subshell it must be called in, so that $! is lbd's.
start_lbd() {
	printf '%s' "$2" >"$DIR/$1.json"
	exec nsenter --net="/run/netns/$NETNS" "$LBD" --config "$DIR/$1.json"
}

end() {
	kill "$1"
	wait "$1"
}

# What a start that must fail says, without what differs from run to run.
failed_start() {
	local output
	output=$(start_lbd second "$1" 2>&1)
	echo "exit $?: $output" | one_line |
		sed -e "s,$DIR,DIR,g" -e 's/number [0-9]*/number N/; s/id [0-9]*"/id N"/' -e 's/.*\(exit 1: lbd: \)/\1/'
}

substitute() {
	failed_start "$(sed "s,DIR,$DIR,g; s,PINS,$PINS,g" <<<"$1")"
}

# --- requests ---

ask() {
	printf '%s\n' "$1" | socat -t 20 - "UNIX-CONNECT:$SOCKET"
}

export_document() {
	ask '{"jsonrpc":"2.0","id":1,"method":"config.export"}'
	cat "$DIR/state/service.json"
}

# "METHOD PARAMS", or a whole line. When it changed something, that is shown beside the reply.
request() {
	local line=$1 word=${1%% *}
	if [[ $word =~ ^[a-z]+(\.[a-z]+)?$ && $line == *' '* ]]; then
		line="{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$word\",\"params\":${line#* }}"
	fi
	ask "$line"
	[ "$(export_document)" = "$BEFORE" ] || echo "AND CHANGED SOMETHING"
}

lbctl_line() {
	local output
	# shellcheck disable=SC2086 # words of a command line
	output=$("$LBCTL" --socket "$SOCKET" $1 2>&1)
	echo "exit $?: $output" | one_line
	[ "$(export_document)" = "$BEFORE" ] || echo "AND CHANGED SOMETHING"
}

client() {
	/usr/bin/python3 "$CLIENTS" "$SOCKET" "$1"
}

if [ "$(id -u)" != 0 ]; then
	skip "errors of a running lbd" "root"
	finish
fi

# --- a running lbd with small limits, full ---

ip netns add "$NETNS" || exit 1
at_exit ip netns del "$NETNS"
ip -n "$NETNS" link set lo up
for veth in e0 f0; do
	ip -n "$NETNS" link add $veth mtu 1600 type veth peer name ${veth}p mtu 1600
	ip -n "$NETNS" link set $veth up
	ip -n "$NETNS" link set ${veth}p up
done
ip -n "$NETNS" address add 10.0.0.1/24 dev e0

start_lbd first '{"interfaces": ["e0"], "control": {"path": "'"$SOCKET"'", "group": ""},
	"state_dir": "'"$DIR"'/state", "hash_seed": "000102030405060708090a0b0c0d0e0f", "pin_dir": "'"$PINS"'",
	"limits": {"vips": 2, "members": 3, "slots": 600, "flows": 64}}' 2>"$DIR/log" &
LBD_PID=$!
at_exit "$LBD" --config "$DIR/first.json" --detach
at_exit end $LBD_PID

check "lbd starts" wait_for 20 ask '{"jsonrpc":"2.0","id":1,"method":"version"}' || {
	cat "$DIR/log"
	finish
}
check "the document that fills the limits is taken" "$LBCTL" --socket "$SOCKET" config apply - <<-END
	{"vips": [
	  {"name": "web", "address": "192.0.2.10:443/tcp", "table_size": 251,
	   "backends": [{"address": "10.0.0.2", "weight": 10}, {"address": "10.0.0.3"}]},
	  {"name": "dns", "address": "[2001:db8::10]:53/udp", "table_size": 257,
	   "backends": [{"address": "10.0.0.2"}]}]}
END
BEFORE=$(export_document)
check "config.check takes \"dry_run\": false" ask \
	'{"jsonrpc":"2.0","id":1,"method":"config.check","params":{"dry_run":false,"force":true,"document":{"vips":[]}}}'
check_equal "and changes nothing all the same" "$BEFORE" "$(export_document)"

# These take 30 s; everything else goes on meanwhile, so it also shows that others are served.
client half_a_line >"$DIR/half_a_line" 2>&1 &
HALF_PID=$!
client never_reads >"$DIR/never_reads" 2>&1 &
DEAF_PID=$!

rows errors_socket.txt request
rows errors_lbctl.txt lbctl_line
rows errors_clients.txt client
rows errors_start.txt substitute

wait $HALF_PID $DEAF_PID
check_equal "half a line, then silence, is closed" "closed after 30 s" "$(cat "$DIR/half_a_line")"
check_equal "a client that never reads is closed" "closed after 30 s" "$(cat "$DIR/never_reads")"
check_equal "after all of this nothing has changed" "$BEFORE" "$(export_document)"

kill $LBD_PID
wait $LBD_PID
check_equal "lbd ends in good order" 0 $?
check_equal "and leaves no socket behind" "" "$(ls "$SOCKET" 2>/dev/null)"
check "--detach takes away what lbd leaves" "$LBD" --config "$DIR/first.json" --detach
check "and no pin remains" test ! -e "$PINS"
finish
