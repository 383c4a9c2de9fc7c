#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do lbd(8), lbd.json(5) and tier.json(5) tell of every option and key there is, and of no other?
#
#   LBD=PATH     the lbd whose --help counts (build/lbd/lbd)
#   O=FOLDER     the build whose docs/fields counts (build)

cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

O=$(realpath -e "${O:-build}") || exit 1
LBD=$(realpath -e "${LBD:-build/lbd/lbd}") || exit 1
VERSION=$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)

# One a line, as --help shows them.
options_of_program() {
	"$LBD" --help | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

# Those that are explained in OPTIONS, each at the head of a paragraph.
options_of_page() {
	sed -n '/^\.SH OPTIONS/,/^\.SH PRIV/{/^\.TP/{n;p}}' docs/man/lbd.8 | sed 's/\\-/-/g' |
		grep -oE -- '--[a-z][a-z-]*' | sort -u
}

# With type and default, … where there is no single one.
keys_of_program() {
	"$O/docs/fields" keys | sort
}

keys_of_page() {
	sed -nE 's/^\\fB([a-z_0-9.]+)\\fR (\(.*\))$/\1 \2/p' docs/man/lbd.json.5 | sort
}

names() {
	sed 's/ .*//'
}

# Each followed by a line of ---.
examples_of_page() {
	sed -n '/^\.SH EXAMPLES/,/^\.SH FILES/p' docs/man/lbd.json.5 |
		awk '/^\.RS/ { inside = 1; next } /^\.RE/ { inside = 0; print "---" } inside'
}

check_equal "lbd(8) explains the options that lbd --help shows" \
	"$(options_of_program)" "$(options_of_page)"
check_equal "lbd.json(5) explains the keys that lbd reads" "$(keys_of_program | names)" "$(keys_of_page | names)"
check_equal "lbd.json(5) gives each key its type, and its default or that it is required" \
	"$(keys_of_page | names)" "$(keys_of_page | grep -E ' \([a-z ]+; .*\)$' | names)"
check_equal "its types and defaults are lbd's" "" "$(comm -23 <(keys_of_program | grep -v …) <(keys_of_page))"

tier_keys_of_page() {
	sed -nE 's/^\\fB([a-z_0-9.]+)\\fR (\(.*\))$/\1 \2/p' docs/man/tier.json.5 | sort
}

check_equal "tier.json(5) explains the keys that lbd-tier reads" "$("$O/docs/fields" tier | sort | names)" "$(tier_keys_of_page | names)"
check_equal "its types and defaults are those of lbd-tier" "" "$(comm -23 <("$O/docs/fields" tier | grep -v … | sort) <(tier_keys_of_page))"

folder=$(mktemp -d)
at_exit rm -rf "$folder"
examples_of_page | csplit -sz -f "$folder/example" - '/^---$/' '{*}'
for example in "$folder"/example*; do
	sed -i '/^---$/d' "$example"
	[ -s "$example" ] || continue
	check "the example $(head -c 30 "$example" | tr '\n\t' '  ')… is valid" \
		"$LBD" --check --config "$example"
done

# --- lbd-backend ---

check_equal "lbd-backend(8) explains the options that it has" "$("$O/lbd/lbd-backend" --help | grep -oE -- '--[a-z]+' | sort -u)" \
	"$(sed -n '/^\.SH OPTIONS/,/^\.SH CONF/{/^\.TP/{n;p}}' docs/man/lbd-backend.8 | sed 's/\\-/-/g' | grep -oE -- '--[a-z]+' | sort -u)"
check_equal "and its verbs" "$("$O/lbd/lbd-backend" --help | sed -nE 's/^  ([a-z]+) .*/\1/p' | sort)" \
	"$(sed -n '/^\.SH VERBS/,/^\.SH OPT/{/^\.TP/{n;s/^\.B //p}}' docs/man/lbd-backend.8 | sort)"
check_equal "and the keys of its file" "$(sed -nE 's/^\t\{"([a-z]+)", &.*/\1/p' lbd/backend/config.c | sort)" \
	"$(sed -nE 's/^\\fB([a-z]+)\\fR \((array|string).*/\1/p' docs/man/lbd-backend.8 | sort)"

for page in lbd.8 lbd.json.5 lbctl.8 lbd-backend.8; do
	check_equal "$page is of this version" "lbd $VERSION" \
		"$(sed -n 's/^\.TH .*"lb[a-z]* \(.*\)" .*/lbd \1/p' docs/man/$page)"
	if command -v groff >/dev/null; then
		check_equal "$page formats without a warning" "" \
			"$(groff -man -ww -z -Tutf8 docs/man/$page 2>&1)"
	else
		skip "$page formats without a warning" "groff"
	fi
done
finish
