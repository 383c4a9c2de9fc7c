#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs each fuzzer for a while, beginning with its corpus, as many at a time as there are CPUs.
#
#   run.sh BUILD SECONDS     what breaks a promise is kept in BUILD/fuzz/found, beside what each run said
set -u

build=$(realpath "$1")
seconds=$2
cd "$(dirname "$0")" || exit
found=$build/fuzz/found
mkdir -p "$found"

# fuzz NAME: new inputs that reach new code stay in the build, and are where the next run begins.
fuzz() {
	local name=$1 grown=$build/fuzz/corpus/$1
	mkdir -p "$grown"
	if "$build/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
		-max_len=8192 -dict=lbd.dict -artifact_prefix="$found/$name-" "$grown" "corpus/$name" \
		>"$found/$name.log" 2>&1; then
		echo "ok    $name: $(sed -n 's/^Done //p' "$found/$name.log")"
	else
		echo "FAIL  $name: see $found/$name.log"
		tail -n 40 "$found/$name.log" | sed 's/^/      | /'
	fi
}
export build seconds found
export -f fuzz

names=(corpus/*)
output=$(printf '%s\n' "${names[@]#corpus/}" | xargs -P "$(nproc)" -I NAME bash -c 'fuzz NAME' | tee /dev/stderr)
passed=$(grep -c '^ok ' <<<"$output")
echo "fuzzers: $passed passed, $((${#names[@]} - passed)) failed"
[ "$passed" = "${#names[@]}" ]
