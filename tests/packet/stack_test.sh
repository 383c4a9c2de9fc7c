#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do kernels that are more particular about it than the running one take our programs' stack?
# shellcheck disable=SC2317 # functions are called by name, through check
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

LIMIT=512 # of the verifier, down any chain of calls

fits() {
	tests/packet/stack.sh "$1" | awk -v limit="$LIMIT" '
		$3 > deepest { deepest = $3 }
		{ print }
		END { exit !deepest || deepest > limit }'
}

for program in bpf/*.bpf.c; do
	check "$program uses no more than $LIMIT bytes of stack down any chain of calls" fits "$program"
done
finish
