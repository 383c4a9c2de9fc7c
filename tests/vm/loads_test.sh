#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does this kernel take the programs of a build as lbd and iproute2 load them? With the settings of lbd.json in their
# read-only data the verifier walks other paths than through the object by itself.
#
#   O=BUILD     a build (build)
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lbd.sh
. tests/lib/lbd.sh

O=$(realpath "${O:-build}")
own_lbd loads

# config NAME SETTINGS
config() {
	jq -n --arg dir "$DIR" --arg pins "$PINS" --argjson settings "$2" '{interfaces: ["e0"],
		state_dir: "\($dir)/state", pin_dir: $pins, control: {path: "\($dir)/lbd.sock"}} + $settings' >"$DIR/$1.json"
}

# The verifier says at the end what it does not like.
start_shortly() {
	start_lbd >"$DIR/out" || {
		tail -n 15 "$DIR/out"
		return 1
	}
}

# starts PROMISE SETTINGS: a new lbd, with a program of its own
starts() {
	config lbd "$2" && : >"$DIR/log"
	step "$1" start_shortly
}

ends() {
	stop_lbd TERM
	"$LBD" --config "$DIR/lbd.json" --detach
}

tunnel_stands() {
	nsenter --net="/run/netns/$ID" tc filter show dev e0 egress | grep -q direct-action
}

step "a node is made" make_node "$DIR/state" 8m || finish
at_exit ends

starts "lbd loads the balancer that answers nothing, and has small tables" \
	'{"answer_rate": 0, "limits": {"vips": 1, "members": 8, "slots": 1024, "flows": 64}}'
ends
starts "lbd loads the balancer as it comes" '{}'
check "lbd loads the program of tunnel checks" lb vip add 192.0.2.10:80/tcp --name web --health tcp --health-source tunnel
check "a backend is added" lb backend add web 10.0.0.2
check "it stands at the interface" wait_for 10 tunnel_stands
check "iproute2 attaches the program of backends" \
	ip -n "$ID" -force link set dev p0 xdpdrv obj "$O/bpf/decap.bpf.o" sec xdp.frags
finish
