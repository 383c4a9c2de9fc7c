#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The status page as a C array, and the policy by which a browser runs the page's own script and style and nothing else.
#
#   page.sh PAGE.html >page.h
set -eu -o pipefail
page=$1

# What stands between the tags, which have lines of their own.
between() {
	printf '\n'
	sed -n "/^<$1>\$/,/^<\/$1>\$/{/^<\/\?$1>\$/d;p}" "$page"
}

digest() {
	local hex
	hex=$(between "$1" | sha256sum | cut -c 1-64)
	# shellcheck disable=SC2001 # bash 5.1 has no & for it
	printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")" | base64
}

cat <<EOF2
/* Made by lbd/monitor/page.sh. */
#define PAGE_POLICY \\
	"default-src 'none'; script-src 'sha256-$(digest script)'; style-src 'sha256-$(digest style)'; " \\
	"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
static const char page[] = {
EOF2
od -An -v -tu1 "$page" | sed 's/  *\([0-9][0-9]*\)/\1,/g'
echo '};'
