#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do the pages lead where they say, and name files and make targets that exist?
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

PAGES=(README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs/*.md examples/*/README.md)
SOURCES=$(find bpf lbd lbctl tests examples docs -type f)

# Anchors of a page, as forges make them of its headings.
anchors() {
	sed -nE 's/^#+ (.*)/\L\1/p' "$1" | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# Of each link within the tree: the page, the target.
links() {
	local page
	for page in "${PAGES[@]}"; do
		grep -oE '\]\([^)]+\)' "$page" | grep -v '://' | sed -E "s,^\]\((.*)\)$,$page \1,"
	done
}

dead_links() {
	local page target file
	while read -r page target; do
		file=$(dirname "$page")/${target%%#*}
		case $target in '#'*) file=$page ;; esac
		[ -e "$file" ] || { echo "$page: $target" && continue; }
		case $target in
		*'#'*) anchors "$file" | grep -qxF -- "${target#*#}" || echo "$page: $target" ;;
		esac
	done < <(links)
}

# named_files FILE…: those of C, headers and scripts that these files name, with the folder if it is named
named_files() {
	grep -ohE '[a-z0-9_./-]*[a-z0-9_]+\.(c|h|sh|py)\b' "$@" | grep -vE '^(/|\.|linux/|sys/)' | sort -u
}

missing_files() {
	local name
	named_files "$@" | while read -r name; do
		grep -qE "(^|/)${name//./\\.}$" <<<"$SOURCES" || echo "$name"
	done
}

# Whatever stands in backquotes and begins as a path of this tree.
missing_paths() {
	local path
	# shellcheck disable=SC2016 # backquotes as such
	grep -ohE '`(bpf|lbd|lbctl|tests|examples|docs|\.ci)/[^` ]+`' "${PAGES[@]}" | tr -d '`' | sort -u | while read -r path; do
		[ -e "$path" ] || [ -e "$path.c" ] || echo "$path"
	done
}

# Comments name files too; other lines include what the build makes.
comments() {
	# shellcheck disable=SC2046 # no name has a blank
	sed -nE '/\/\*/,/\*\//p' $(grep -E '^(bpf|lbd|lbctl)/.*\.[ch]$' <<<"$SOURCES") | grep -v '#include'
}

missing_targets() {
	local target
	grep -ohE '(`|^    )(sudo )?make [a-z][a-z0-9-]*' "${PAGES[@]}" | sed 's/.*make //' | sort -u | while read -r target; do
		grep -qE "^(.* )?$target( .*)?:" Makefile || echo "make $target"
	done
}

# Tables and what is shown as it is typed cannot be wrapped.
long_lines() {
	LC_ALL=C.UTF-8 grep -nE '^.{101,}$' docs/*.md | grep -vE '^[^:]*:[0-9]*:(\||    )'
}

# As pages, manifests and manual pages name it: images, a reply, titles.
named_versions() {
	{
		grep -ohE 'lbd:[0-9]+(\.[0-9]+){2}' "${PAGES[@]}" examples/*/*.yaml | cut -d: -f2
		sed -nE 's/.*"version":"([0-9.]+)".*/\1/p' docs/protocol.md
		sed -nE 's/^\.TH .* "(lbd|lbctl) ([0-9.]+)".*/\2/p' docs/man/*
		sed -nE '0,/^## /s/^## ([0-9.]+).*/\1/p' CHANGELOG.md
	} | sort -u
}

# What is shown as it is typed comes first, then what one will see of it.
late_to_show() {
	local page
	for page in examples/*/README.md; do
		awk '/^#/ { next } /^You will see/ { found = 1; exit } NF && !/^    / { exit } END { exit !found }' "$page" || echo "$page"
	done
}

named_abis() {
	grep -ohE '"abi": ?[0-9]+' "${PAGES[@]}" | grep -oE '[0-9]+$' | sort -u
}

check "the README has 120 lines at most" test "$(wc -l <README.md)" -le 120
check_equal "every link between the pages leads somewhere" "" "$(dead_links)"
check_equal "the files that the pages name exist" "" "$(missing_files "${PAGES[@]}" docs/man/*)"
check_equal "so do other paths in backquotes" "" "$(missing_paths)"
check_equal "so do those that comments name" "" "$(missing_files <(comments))"
check_equal "the make targets that the pages name exist" "" "$(missing_targets)"
check_equal "the pages have lines of 100 columns at most" "" "$(long_lines)"
check_equal "the README of each example begins with what one will see" "" "$(late_to_show)"
check_equal "the version that is named everywhere is this one" \
	"$(sed -n 's/^#define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)" "$(named_versions)"
check_equal "so is that of the data plane" \
	"$(sed -nE 's/^#define LB_ABI_VERSION ([0-9]+).*/\1/p' bpf/abi.h)" "$(named_abis)"
finish
