#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How large are the programs on this kernel, and how much stack do their functions use? As root.
#
#   program_size.sh BUILD
#
# The verifier allows 1,000,000 instructions to be looked at, and 512 bytes of stack from a program down to
# the last function it calls (see tests/packet/stack.sh).
set -eu

build=$(cd "${1:?BUILD is missing}" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%-22s %14s %13s %12s\n' program verified_insns xlated_bytes jited_bytes
"$build/tests/vm/program_tool" "$build"/bpf/{decap,second,tunnel}.bpf.o > "$work/sizes"
while read -r name verified xlated jited; do
	printf '%-22s %14s %13s %12s\n' "$name" "$verified" "$xlated" "$jited"
done < "$work/sizes"

printf '\n%-22s %14s %13s\n' function stack_bytes with_calls
for source in bpf/*.bpf.c; do
	tests/packet/stack.sh "$source" > "$work/stack"
	while read -r name bytes deepest; do
		printf '%-22s %14s %13s\n' "$name" "$bytes" "$deepest"
	done < "$work/stack"
done
