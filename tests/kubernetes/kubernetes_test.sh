#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Are the manifests of examples/07-kubernetes valid, and what is in them? What "make test-kubernetes" runs.
#
#   O=BUILD     a build (build)
#
# Schemas and types come from npm. There is no cluster here: what the kubelet does is not tried.
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

O=$(realpath "${O:-build}")
MANIFEST=$PWD/examples/07-kubernetes/lbd.yaml
VERSIONS=(kubernetes-models@5.1.0 @kubernetes-models/prometheus-operator@6.0.0 js-yaml@5.5.0 typescript@5.6.3)
DIR=$(mktemp -d)
LOOP=
at_exit rm -rf "$DIR"
cp tests/kubernetes/*.mjs "$DIR"

install() {
	npm install --prefix "$DIR" --no-audit --no-fund --no-package-lock "${VERSIONS[@]}"
}

valid() {
	(cd "$DIR" && node validate.mjs "$1")
}

# wrong EXPRESSION TEXT: a manifest changed by sed is refused, with that in the message
wrong() {
	sed "$1" "$MANIFEST" >"$DIR/wrong.yaml"
	! cmp "$MANIFEST" "$DIR/wrong.yaml" && ! valid "$DIR/wrong.yaml" >"$DIR/out" 2>&1 || return
	cat "$DIR/out"
	grep -qF "$2" "$DIR/out"
}

# part JQ: of the manifest's objects, an array
part() {
	(cd "$DIR" && node -e '
		const { loadAll } = require("js-yaml");
		console.log(JSON.stringify(loadAll(require("fs").readFileSync(process.argv[1], "utf8"))))' "$MANIFEST") | jq -r "$1"
}

config() {
	part '.[] | select(.kind == "ConfigMap").data["lbd.json"]' >"$DIR/lbd.json" &&
		"$O/lbd/lbd" --check --config "$DIR/lbd.json"
}

services() {
	part '.[] | select(.kind == "ConfigMap").data["services.json"]' >"$DIR/services.json" &&
		/usr/bin/python3 -B tests/cli/schema_tool.py valid docs/lbd.schema.json "$DIR/services.json"
}

image_is_this_version() {
	local version
	version=$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
	[ "$(part '.[] | select(.kind == "DaemonSet").spec.template.spec.containers[].image' | sort -u)" = "lbd:$version" ]
}

# The loop of the container reload, faster and with a folder of ours, and an lbctl that says that it was called.
start_loop() {
	part '.[] | select(.kind == "DaemonSet").spec.template.spec.containers[] | select(.name == "reload").command[2]' |
		sed "s,/etc/lbd/,$DIR/,; s,/etc/lbd/,$DIR/,g; s,sleep 5,sleep 0.1," >"$DIR/loop"
	mkdir "$DIR/bin" && printf '#!/bin/sh\necho "$@" >>%s/calls\n' "$DIR" >"$DIR/bin/lbctl" && chmod +x "$DIR/bin/lbctl"
	PATH=$DIR/bin:$PATH sh "$DIR/loop" &
	LOOP=$!
}

calls() {
	[ "$(cat "$DIR/calls" 2>/dev/null)" = "$1" ]
}

loop_reloads() {
	sleep 0.5 && calls "" && echo >>"$DIR/services.json" && wait_for 10 calls "config reload" && sleep 0.5 &&
		calls "config reload"
}

loop_ends() {
	kill "$LOOP" && wait_for 2 gone
}

gone() {
	! kill -0 "$LOOP" 2>/dev/null
}

check "schemas and types are installed" install || finish
check "each object is valid" valid "$MANIFEST"
check "a wrong value is refused" wrong 's/maxSurge: 0/maxSurge: [0]/' maxSurge
check "a misspelt field is refused" wrong 's/hostNetwork: true/hostNetworking: true/' hostNetworking
check "so is one of the PodMonitor" wrong 's/podMetricsEndpoints/podMetricEndpoints/' podMetricEndpoints
check "lbd.json is valid" config
check "the service document is valid" services
check "the image has the version of this tree" image_is_this_version
start_loop
check "a changed file is applied, once" loop_reloads
check "the loop ends on SIGTERM at once" loop_ends
finish
