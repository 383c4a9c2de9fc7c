#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does examples/06-compose run as its README says? Run by compose_test.sh in mount, network and process namespaces of its own.
#
#   lab.sh FOLDER      FOLDER: where containers are kept; its subfolder compose has podman-compose. Images are those of
#                      tests/lib/podman.sh
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/podman.sh
. tests/lib/podman.sh
DIR=$1
PROJECT=$PWD/examples/06-compose

# The host of the containers: networks, pins and what podman keeps of running ones are gone with these namespaces.
host() {
	ip link set lo up && mount -t tmpfs run /run && mkdir -p /run/lock /var/lib/cni && mount -t tmpfs cni /var/lib/cni &&
		mount -t bpf bpf /sys/fs/bpf && mkdir "$DIR/bin" || return
	cat >"$DIR/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
		[network]
		network_config_dir = "$DIR/networks"
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "none"
	END
	# Of level error are the timers of health checks, where no systemd runs.
	cat >"$DIR/bin/podman" <<-END
		#!/bin/bash
		exec /usr/bin/podman --root $DIR/containers --runroot /run/store --storage-driver overlay \
			--storage-opt additionalimagestore=$PODMAN_CACHE/root --log-level fatal "\$@"
	END
	chmod +x "$DIR/bin/podman"
}

compose() {
	PYTHONPATH=$DIR/compose timeout 300 /usr/bin/python3 -B -m podman_compose -f "$PROJECT/compose.yaml" "$@"
}

lb() {
	compose exec -T balancer lbctl "$@"
}

up() {
	compose up -d --no-build && podman ps && [ "$(podman ps -q | wc -l)" = 6 ]
}

# states STATE…: those of b1 to b3
states() {
	lb --json backend list web | jq -c '[.vips[0].backends[].health.state]' | tee /dev/stderr |
		grep -qxF "$(jq -nc '$ARGS.positional' --args "$@")"
}

# answer NAMES COUNT: so many requests are answered, by all of these backends and no other
answer() {
	local seen
	seen=$(compose exec -T client curl -sS --max-time 5 -H 'Connection: close' "http://192.0.2.10/?[1-$2]") || return
	xargs <<<"$seen"
	[ "$(sort -u <<<"$seen" | xargs)" = "$1" ] && [ "$(wc -l <<<"$seen")" = "$2" ]
}

# uploads BYTES: in segments that fit into packets, once the client has heard that these are encapsulated
uploads() {
	[ "$(compose exec -T client sh -c "head -c $1 /dev/zero | curl -sS --max-time 20 -o /dev/null -w '%{http_code} %{size_upload}' \
		--data-binary @- http://192.0.2.10/" | tee /dev/stderr)" = "200 $1" ]
}

down() {
	compose down -v -t 1 && [ -z "$(podman ps -aq)" ] && [ -z "$(podman network ls -q --filter label=io.podman.compose.project)" ]
}

podman_room "$DIR/containers" || exit
check "a host without containers" host || exit
PATH=$DIR/bin:$PATH
export CONTAINERS_CONF=$DIR/containers.conf
at_exit compose down -v -t 0
check "compose up starts six containers" up || finish
check "all backends are healthy" wait_for 20 states healthy healthy healthy || { lb backend list; compose logs 2>&1 | tail -n 60; finish; }
check "the client gets answers of all three" answer "b1 b2 b3" 40
check "an upload arrives" uploads 500000
check "lbd-backend finds nothing wrong at one" compose exec -T b1 lbd-backend check
check "a backend is stopped" compose stop -t 1 b3
check "lbd sees that" wait_for 20 states healthy healthy unhealthy
check "the others answer" answer "b1 b2" 40
check "it is started" compose start b3
check "lbd sees that, too" wait_for 20 states healthy healthy healthy
check "the balancer is stopped" compose stop -t 10 balancer
check "all answer without it" answer "b1 b2 b3" 40
check "it is started again" compose start balancer
check "it has its VIP and its backends" wait_for 20 states healthy healthy healthy
check "all answer with it" answer "b1 b2 b3" 40
check "compose down takes all away" down
finish
