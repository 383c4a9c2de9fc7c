# shellcheck shell=bash
# Sourced by what runs inside a VM: runs with a name, a result and a time.
#
#   run NAME CLOSING command args…     passes when the command exits 0 and a line matches CLOSING
#   loads BUILD PREFIX                 lbd and iproute2 load what they load, and libbpf what the tests load
#
# Of a run that passes its closing lines are shown, else all that it printed but the tests that passed. The
# report ($VM_REPORT) gets "run NAME pass|fail SECONDS".

report=${VM_REPORT:-/dev/null}
output=$(mktemp)
programs=$(mktemp)
trap 'rm -f "$output" "$programs"' EXIT

# A runner that found nothing to run has shown nothing; hence CLOSING.
run() {
	local name=$1 closing=$2 result=fail began=$SECONDS
	shift 2
	echo "--- $name on $(uname -r)"
	if "$@" > "$output" 2>&1 && grep -qE "$closing" "$output"; then
		result=pass
		grep -E "$closing|test\(s\) run|SKIPPED|^skip " "$output"
	else
		grep -vE '^\[( RUN     |       OK) ]' "$output"
	fi
	echo "run $name $result $((SECONDS - began))" >> "$report"
	[ "$result" = pass ]
}

# load_programs BUILD PREFIX FILE.bpf.o…: the balancer of a build, and the programs of the files; the report gets
# "program PREFIXNAME VERIFIED XLATED JITED" for each.
load_programs() {
	local build=$1 prefix=$2 line
	shift 2
	timeout 600 "$build/tests/vm/program_tool" "$@" > "$programs" || return 1
	while read -r line; do
		echo "program $prefix$line" >> "$report"
		echo "$line" | awk '{ print $1 ": processed " $2 " insns, xlated " $3 \
			" bytes, jited " $4 " bytes" }'
	done < "$programs"
}

loads() {
	load_programs "$1" "$2" "$1"/bpf/{decap,second,tunnel}.bpf.o && "$1/tests/vm/program_tool" "$1"/tests/*/*.bpf.o &&
		O=$1 timeout 600 tests/vm/loads_test.sh
}
