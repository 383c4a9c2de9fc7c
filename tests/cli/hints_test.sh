#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do hints that name a command, an option or a value work when followed? Under lbd --simulate, and of lbd.json and tier.json
# by --check, so without rights.
#
#   O=FOLDER     the build whose lbd, lbd-simulate and lbctl count (build)
# shellcheck disable=SC2317 # functions are called by name, through check
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath -e "${O:-build}") || exit 1
DIR=$(mktemp -d)
at_exit rm -rf "$DIR"
cd "$DIR" || exit 1
echo '{"interfaces": ["eth0"], "limits": {"vips": 20}}' >lbd.json
cat >service.json <<'END'
{"pools": [{"name": "unchecked"}, {"name": "checked", "health": {"type": "tcp"}}, {"name": "unused"}],
 "vips": [{"name": "own", "address": "192.0.2.1:80/tcp", "backends": [{"address": "10.0.0.1"}]},
          {"name": "one", "address": "192.0.2.2:80/tcp", "pool": "unchecked"},
          {"name": "wide", "address": "192.0.2.2:0/tcp", "pool": "unchecked"},
          {"name": "user", "address": "192.0.2.3:80/tcp", "pool": "checked"},
          {"name": "open", "address": "192.0.2.4:0/tcp"}]}
END
lb() { "$O/lbctl/lbctl" --socket ./lbd.sock "$@"; }
begin() {
	"$O/lbd/lbd" --simulate --config lbd.json --services service.json --socket ./lbd.sock >log 2>&1 &
	at_exit kill $!
	wait_for 20 lb version || { cat log && return 1; }
}
# refused WORDS…: with the hint on standard output
refused() {
	! lb "$@" >said 2>&1 && cat said
}

# What is refused | what its hint says | what follows it, in this order
rows() {
	cat <<'END'
pool add own|lbctl vip set own --name NAME|vip set own --name other;pool add own
pool set unchecked --health tcp|with --health-port N beside --health|pool set unchecked --health tcp --health-port 80
vip add 192.0.2.6:81/tcp --pool checked|else by lbctl pool set checked --health-port N first|pool set checked --health-port 80;vip add 192.0.2.6:81/tcp --pool checked
vip set open --health-port 80|a new one has a type: tcp, http|vip set open --health tcp --health-port 80
vip set user --health-port 80|set it there, for all that use it|pool set checked --health-port 80
vip add 198.51.100.1/24:80/tcp|did you mean 198.51.100.0/24?|vip add 198.51.100.0/24:80/tcp
vip add 192.0.2.7:20-10/tcp|did you mean 10-20?|vip add 192.0.2.7:10-20/tcp
vip add 192.0.2.8|192.0.2.8:443/tcp|vip add 192.0.2.8:443/tcp
backend probe unused 10.0.0.3|lbctl vip add ADDRESS:PORT/PROTO --pool unused|vip add 192.0.2.9:80/tcp --pool unused
vip del othre|did you mean "other"?|vip del other --force
pool del checked|lbctl vip set VIP --pool POOL|vip set user --pool unused --force;vip del 192.0.2.6:81/tcp --force;pool del checked
END
}
follows() {
	local command words
	while IFS= read -r command; do
		read -ra words <<<"$command"
		lb "${words[@]}" || return
	done < <(tr ';' '\n' <<<"$1")
}

step "a simulation begins" begin || finish
while IFS='|' read -r command hint next; do
	read -ra words <<<"$command"
	check "refused, with what to do: $command" grep -qF -- "$hint" <(refused "${words[@]}")
	check "which works: $next" follows "$next"
done < <(rows)

# --- lbd.json and tier.json, which keep lbd and lbd-tier from starting ---

# File|a filter that breaks it|what the hint says|a filter that follows it
faults() {
	cat <<'END'
lbd|.interfaces = []|such as ["eth0"]|.interfaces = ["eth0"]
lbd|.interface = ["eth1"]|did you mean "interfaces"?|del(.interface)
lbd|.xdp_mode = "nativ"|did you mean "native"?|.xdp_mode = "native"
lbd|.state_dir = "state"|begin it with a /|.state_dir = "/state"
lbd|.pin_dir = "/sys/fs/bpf"|such as /sys/fs/bpf/lbd|.pin_dir = "/sys/fs/bpf/lbd"
lbd|.encap = {"source4": "10.0.0.0/4"}|use /8 or longer|.encap.source4 = "10.0.0.0/8"
lbd|.exec_checks = {"folder": "/checks", "user": "root"}|such as nobody|.exec_checks.user = "nobody"
lbd|.http = {"listen": "9110"}|write it like 127.0.0.1:9110|.http.listen = "127.0.0.1:9110"
lbd|.http = {"listen": "127.0.0.1:9110", "names": ["lb1.example:80"]}|write it like lb1.example|.http.names = ["lb1.example"]
lbd|.otlp = {"endpoint": "collector.example:4318"}|write it like https://collector.example:4318|.otlp.endpoint = "https://collector.example:4318"
lbd|.otlp = {"endpoint": "https://u:p@collector.example"}|name a headers_file|.otlp = {"endpoint": "https://collector.example", "headers_file": "/headers"}
lbd|.announce = {"table": 254}|such as 76|.announce.table = 76
lbd|.hash_seed = "12"|openssl rand -hex 16|.hash_seed = $seed
tier|.socket = "lbd.sock"|begin it with a /|.socket = "/lbd.sock"
tier|.node = "lb/1"|a letter, then letters, digits|.node = "lb.1"
tier|.endpoints = ["etcd1:2379"]|write it like https://etcd1.example:2379|.endpoints = ["https://etcd1.example:2379"]
tier|.endpoints = ["https://u:p@etcd1:2379"]|user and password_file have their own keys|.endpoints = ["https://etcd1:2379"] \| .user = "u" \| .password_file = $password
tier|.user = "u" \| .password_file = $open|let others than its owner and group not read it|.password_file = $password
tier|.user = "u" \| .password_file = $empty|write the password in its first line|.password_file = $password
tier|.canry = true|did you mean "canary"?|del(.canry) \| .canary = true
END
}
declare -A SOUND=([lbd]='{"interfaces": ["eth0"]}'
	[tier]='{"tier": "edge", "endpoints": ["http://127.0.0.1:2379"], "node": "lb1"}')
edit() { # FILE FILTER
	jq --arg seed "$(openssl rand -hex 16)" --arg password "$DIR/password" --arg open "$DIR/open" --arg empty "$DIR/empty" \
		"$2" "$1" >edited.json && mv edited.json "$1"
}
starts() {
	case $1 in
	lbd) "$O/lbd/lbd" --config file.json --check ;;
	tier) "$O/lbctl/lbd-tier" follow --config file.json --check ;;
	esac
}
hinted() { # WHICH FILTER
	echo "${SOUND[$1]}" >file.json && edit file.json "$2" && ! starts "$1" >said 2>&1 && cat said
}
mended() { # WHICH FILTER
	edit file.json "$2" && starts "$1"
}
umask 077
echo secret >password
: >empty
echo secret >open
chmod 644 open
for which in lbd tier; do
	rm -f file.json
	check "what there is not is no configuration: $which" grep -qE '^  hint: .*(write|--config)' <(starts $which 2>&1)
	echo "${SOUND[$which]}" >file.json
	check "this is one: $which" starts $which
done
while IFS=$'\t' read -r which broken hint mended; do
	check "$which.json, $broken: said, with what to do" grep -qF -- "$hint" <(hinted "$which" "$broken")
	check "which works: $mended" mended "$which" "$mended"
done < <(faults | sed 's/\([^\]\)|/\1\t/g; s/\\|/|/g')

# A prefix that is proposed must be one that a VIP can have.
for prefix in 10.0.0.1/7 '[2001:db8::1]/15'; do
	check_equal "no prefix is proposed that a VIP cannot have: $prefix" \
		"lbctl: bits beyond the length are set in \"$(tr -d '[]' <<<"$prefix")\" (at vip.address)" "$(refused vip add "$prefix:80/tcp")"
done
finish
