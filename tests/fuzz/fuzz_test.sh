#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does each fuzzer pass its corpus, and a fixed number of inputs made from it? The same ones in every run; `make
# fuzz` goes further.
#
#   O=BUILD     where the fuzzers are (build)

cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

O=$(realpath "${O:-build}")
FOLDER=$(mktemp -d)
at_exit rm -rf "$FOLDER"
# What each does in about 5 s.
declare -A RUNS=([parser]=1000000 [icmp]=1000000 [http]=150000 [request]=60000 [document]=100000 [state]=8000 [config]=150000
	[scrape]=150000)

# shellcheck disable=SC2317 # called through check
fuzz() {
	"$O/tests/fuzz/$1_fuzz" -runs="${RUNS[$1]:-10000}" -seed=1 -timeout=10 -max_len=4096 \
		-dict=tests/fuzz/lbd.dict -artifact_prefix="$FOLDER/$1-" "$FOLDER/corpus-$1"
}

# A crash's input goes with the machine's temporary files, so it is shown.
show_found() {
	local input
	for input in "$FOLDER/$1"-*; do
		[ -e "$input" ] && echo "      | put this into tests/fuzz/corpus/$1: $(base64 -w 0 "$input")"
	done
}

for fuzzer in tests/fuzz/*_fuzz.c; do
	name=$(basename "$fuzzer" _fuzz.c)
	check "$name: the corpus passes" "$O/tests/fuzz/${name}_replay" "tests/fuzz/corpus/$name"
	if [ ! -x "$O/tests/fuzz/${name}_fuzz" ]; then
		skip "$name: ${RUNS[$name]:-10000} inputs made from it pass" "clang's libFuzzer"
	elif ! cp -r "tests/fuzz/corpus/$name" "$FOLDER/corpus-$name" ||
		! check "$name: ${RUNS[$name]:-10000} inputs made from it pass" fuzz "$name"; then
		show_found "$name"
	fi
done
finish
