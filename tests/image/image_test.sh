#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does lbd work as a container: from the Dockerfile, with three capabilities, a read-only root and nothing else? What
# "make test-image" runs, as root.
#
#   O=BUILD     a build (build)
#
# `make image` runs with podman over a Debian of this machine's own archive. The container joins the network of a lab's
# balancer in place of the host's.
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=tests/lib/podman.sh
. tests/lib/podman.sh

RELEASE=${RELEASE:-trixie}
BASE=$(debian_name "$RELEASE")
IMAGE=localhost/lbd-test:$RELEASE
NAME=lbd-test-$$
COUNT=500

image() {
	podman_builder "$LAB_DIR/podman" && make image IMAGE_TOOL="$LAB_DIR/podman" IMAGE="$IMAGE" DEBIAN="$BASE"
}

# contained OPTION…: a container as docs/deploy.md starts it, but with the lab's network, and no limits above one's own
contained() {
	pod run --network "ns:/run/netns/$LAB_ID-balancer" --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
		--read-only --read-only-tmpfs=false --cap-drop all --cap-add NET_ADMIN --cap-add PERFMON \
		-v /sys/fs/bpf:/sys/fs/bpf -v "$LAB_DIR/etc:/etc/lbd:ro" -v "$LAB_DIR/state:/var/lib/lbd" \
		-v "$LAB_DIR/run:/run/lbd" "$@"
}

start() {
	contained --detach --name "$NAME" --cap-add BPF --security-opt seccomp=unconfined "$IMAGE"
}

configuration() {
	mkdir "$LAB_DIR"/{etc,run,state} &&
		jq -n --arg pins "/sys/fs/bpf/$LAB_ID" '{interfaces: ["l0"], pin_dir: $pins,
			limits: {vips: 16, members: 64, slots: 1048576}}' >"$LAB_DIR/etc/lbd.json"
}

# lb ARGS…: the container's lbctl
lb() {
	pod exec "$NAME" lbctl "$@"
}

answers() {
	lb version
}

vip_is_added() {
	local address
	lb vip add "$LAB_VIP4:80/tcp" --name web || return
	for address in "${LAB_BACKEND4[@]}"; do
		lb backend add web "$address" || return
	done
}

all_answer() {
	lab_in client "$O/tests/lib/connect_tool" --count "$COUNT" --parallel 20 "$LAB_VIP4" 80 |
		tee /dev/stderr | jq -e --argjson count "$COUNT" '.connections == $count and .failures == 0 and (.seen | length) == 2'
}

process() {
	pod inspect --format '{{.State.Pid}}' "$NAME"
}

# The bounding, permitted and effective sets, as names.
capabilities() {
	local set
	for set in CapBnd CapPrm CapEff; do
		capsh --decode="$(sed -n "s/^$set:\t//p" "/proc/$(process)/status")" | sed "s/.*=/$set /"
	done
}

only_three() {
	local held
	held=$(capabilities)
	echo "$held"
	[ "$(grep -c '^Cap... cap_net_admin,cap_perfmon,cap_bpf$' <<<"$held")" = 3 ]
}

one_process() {
	[ "$(pod top "$NAME" pid | tail -n +2 | wc -l)" = 1 ]
}

root_is_read_only() {
	! pod exec "$NAME" touch /x && ! pod exec "$NAME" touch /etc/lbd/x
}

no_compiler() {
	! pod exec "$NAME" sh -c 'command -v cc || command -v gcc || command -v clang'
}

logs_on_stderr() {
	pod logs "$NAME" 2>&1 >/dev/null | grep -F 'lbd'
}

is_healthy() {
	pod healthcheck run "$NAME"
}

# SIGSTOP: the loop does not answer any more.
hung_is_unhealthy() {
	local pid status
	pid=$(process)
	kill -STOP "$pid"
	timeout 30 "${PODMAN[@]}" healthcheck run "$NAME"
	status=$?
	kill -CONT "$pid"
	[ "$status" != 0 ]
}

stops_in_time() {
	local began=$SECONDS
	pod stop --time 10 "$NAME" && [ $((SECONDS - began)) -lt 9 ]
}

ended_well() {
	[ "$(pod inspect --format '{{.State.ExitCode}}' "$NAME")" = 0 ]
}

# Another container, of the same image, takes over the tables and what is on disk.
again() {
	pod rm "$NAME" && start && wait_for 20 answers && lb --json vip list | jq -e '.vips | length == 1'
}

detached() {
	pod rm --force --time 5 "$NAME" &&
		contained --rm --cap-add BPF --security-opt seccomp=unconfined "$IMAGE" --config /etc/lbd/lbd.json --detach && [ ! -e "/sys/fs/bpf/$LAB_ID" ]
}

# Without its capabilities it says which one is missing.
says_what_is_missing() {
	! contained --rm "$IMAGE" 2>"$LAB_DIR/missing" || return
	cat "$LAB_DIR/missing"
	grep -F CAP_BPF "$LAB_DIR/missing"
}

says_seccomp() {
	! contained --rm --cap-add BPF --security-opt seccomp="$LAB_DIR/profile.json" "$IMAGE" 2>"$LAB_DIR/refused" || return
	cat "$LAB_DIR/refused"
	grep -F 'the bpf system call is refused' "$LAB_DIR/refused" && grep -F seccomp "$LAB_DIR/refused"
}

no_bpf_profile() {
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}' \
		>"$LAB_DIR/profile.json"
}

# megabytes IMAGE
megabytes() {
	pod image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f", $1 / 1e6 }'
}

# documented MEGABYTES: docs/deploy.md says so, give or take 2
documented() {
	local said
	said=$(sed -nE 's/.*The image has ([0-9]+) MB more than its base.*/\1/p' docs/deploy.md)
	echo "docs/deploy.md says ${said:-nothing}"
	[ "$1" -le $((said + 2)) ] && [ "$1" -ge $((said - 2)) ]
}

lab_up one-armed 2 && lab_serve 80 && configuration || exit
podman_room "$PODMAN_CACHE" || exit
at_exit rm -rf "/sys/fs/bpf/$LAB_ID"
at_exit pod rm --force --time 5 --ignore "$NAME"

check "a bare Debian $RELEASE becomes the base" debian_image "$RELEASE" || finish
check "make image builds the image" image || finish
image_mb=$(megabytes "$IMAGE") base_mb=$(megabytes "$BASE")
check "it has $image_mb MB, its base $base_mb, as docs/deploy.md says" documented $((image_mb - base_mb))
check "without CAP_BPF it ends and says so" says_what_is_missing
no_bpf_profile
check "where the seccomp profile refuses bpf, it ends and says so" says_seccomp
check "it starts with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON" start
check "lbctl in it answers" wait_for 30 answers || { pod logs "$NAME" 2>&1 | tail -n 20; finish; }
check "it holds these three capabilities and no other" only_three
check "it is one process" one_process
check "its root is read-only" root_is_read_only
check "it has no compiler" no_compiler
check "its log is on stderr" logs_on_stderr
check "a VIP with two backends is added" vip_is_added
check "new connections reach both backends" wait_for 10 all_answer
check "it is healthy" is_healthy
check "an lbd that does not answer is unhealthy" hung_is_unhealthy
check "SIGTERM ends it in time" stops_in_time
check "its exit status is 0" ended_well
check "packets go on without it" all_answer
check "another container takes over what is there" again
check "packets go on with that one" all_answer
check "--detach takes the program and its pins away" detached
finish
