#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How much stack do the functions of a BPF program use, each by itself and with the deepest of what it calls?
#
#	stack.sh SOURCE
#
# Prints FUNCTION BYTES BYTES_WITH_CALLS for each, by $CLANG or clang. The former is as clang tells it; the latter is
# as kernels count that round each function's up to 32 bytes, 6.1 among them. They refuse a program with more than 512.
set -eu

source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CLANG:-clang}" -target bpf -O2 -g -mcpu=v3 -fstack-usage -I"/usr/include/$(gcc -print-multiarch)" -S "$source" -o "$work/program.s"
awk '
	function deepest(name, below, called, number, i) {
		below = 0
		number = split(calls[name], called)
		for (i = 1; i <= number; i++)
			if (deepest(called[i]) > below)
				below = deepest(called[i])
		return below + int(((bytes[name] > 0 ? bytes[name] : 1) + 31) / 32) * 32
	}
	FILENAME ~ /\.su$/ { sub(/.*:/, "", $1); bytes[$1] = $2; order[++functions] = $1; next }
	/^[^ \t]+:/ { label = $1; sub(/:.*/, "", label); if (label in bytes) name = label }
	$1 == "call" && $2 in bytes { calls[name] = calls[name] " " $2 }
	END {
		for (i = 1; i <= functions; i++)
			print order[i], bytes[order[i]], deepest(order[i])
	}' "$work/program.su" "$work/program.s"
