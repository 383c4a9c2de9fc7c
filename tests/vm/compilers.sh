#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do the kernels take the BPF programs, whatever compiler has made them? What "make test-compilers" runs, as root.
#
#   compilers.sh BUILD COMPILER…      clang-16: this machine's; trixie/clang-19: that of a Debian release
#
# Builds lbd and the packet tests with each, in BUILD/compilers, and has compiled.sh load and run them on this kernel,
# and on those of $KERNELS (6.1 6.12) in one VM for each. With PACKETS=0 those in VMs load them only, in a quarter of
# the time. The compiler of another release is kept in $DEBIAN_CACHE, in a layer over that release's bare root
# (tests/debian/in.sh).
#
# shellcheck disable=SC2317 # functions are called by name, through check
set -u

build=$(cd "${1:?BUILD is missing}" && pwd) || exit
shift
cache=$(realpath -m "${DEBIAN_CACHE:?}")
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
unset MAKEFLAGS MFLAGS MAKELEVEL O

folder=$build/compilers
base=${build#"$PWD"/} relative=${folder#"$PWD"/} # as in the dependency files
loads=() packets=()

# Objects without a BPF program in them are the same for every compiler: from BUILD, as if compiled in their new place.
start_from_build() {
	local to=$folder/$label
	[ ! -e "$to/lbd" ] || return 0
	mkdir -p "$to" && cp -a "$build"/{lbd,lbctl,tests} "$to" &&
		find "$to" -type f \( ! -name '*.[od]' -o -name '*.bpf.*' \) -delete &&
		grep -rl --include='*.d' 'skel\.h' "$to" | sed 's/d$/o/' | xargs rm &&
		find "$to" -name '*.d' -exec sed -Ei "s,(^| )$base/,\1$relative/$label/,g" {} +
}

make_programs() {
	make -s -j"$(nproc)" O="$relative/$label" CLANG="$clang" "$@"
}

# in_release COMMAND…: with the release's compiler, on this tree, at the same place.
in_release() {
	local layer=$cache/$release.$clang root
	root=$(tests/debian/root.sh "$release" "$cache") || return
	if [ ! -e "$layer/ready" ]; then
		tests/debian/in.sh -k "$layer" "$root" sh -c "apt-get -q update && apt-get -qy --no-install-recommends \\
			install $clang llvm gcc libc6-dev linux-libc-dev libbpf-dev" && touch "$layer/ready" || return
	fi
	tests/debian/in.sh -k "$layer" -b "$PWD" "$root" env CLANG="$clang" "$@"
}

# What is made in there is newer than its sources, and used here as it is: CLANG=false would fail.
build_there() {
	in_release make -s -j"$(nproc)" O="$relative/$label" CLANG="$clang" bpf-objects &&
		find "$relative/$label" -name '*.bpf.d' -delete &&
		clang=false make_programs compiled
}

build_with() {
	local release=${1%/*} clang=${1#*/} label=${1/\//-}
	check "$1 has a build to start from" start_from_build || return
	if [ "$release" = "$1" ]; then
		check "$1 is here" command -v "$clang" && check "$1 builds" make_programs compiled &&
			CLANG=$clang check "$1 keeps to the stack" tests/packet/stack_test.sh
	else
		check "$1 builds" build_there &&
			check "$1 keeps to the stack" in_release tests/packet/stack_test.sh
	fi || return
	check "$1's balancer is in its lbd" python3 -B tests/lib/has.py "$folder/$label"/{lbd/lbd,bpf/lb.bpf.o} || return
	loads+=("$label/load")
	packets+=("$label/packets")
}

# kernels_take WHAT "RUNS" SERIES…
kernels_take() {
	local status=0
	VM_CACHE=${VM_CACHE:-$build/vm} tests/vm/kernels.sh -s tests/vm/compiled.sh -r "$2" -t 1800 "$folder" "${@:3}" || status=$?
	check "$1" test "$status" = 0
}

for compiler; do
	build_with "$compiler"
done
[ ${#loads[@]} -gt 0 ] || finish
read -ra kernels <<<"${KERNELS-6.1 6.12}"
everything="${loads[*]} ${packets[*]}"
if [ "${PACKETS:-1}" = 1 ]; then
	kernels_take "every kernel takes what every compiler has made" "$everything" running "${kernels[@]}"
else
	kernels_take "this kernel takes what every compiler has made" "$everything" running
	kernels_take "every kernel loads what every compiler has made" "${loads[*]}" "${kernels[@]}"
fi
finish
