#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is in the package that was not written here? A software bill of materials, CycloneDX 1.5 as JSON, on stdout.
#
#   sbom.sh ROOT BUILD ARCHITECTURE VERSION AUTHOR     ROOT: the installed files; BUILD: has the link maps of its programs
#
# Made from what was linked: shared libraries that the programs name, and those that these name; static parts by the
# linker's map. Each is looked up in dpkg's database: what no package owns was made here, or this fails.
set -eu
shopt -s inherit_errexit

root=$(realpath "$1")
build=$(realpath "$2")
cd "$(dirname "$0")/../.."
architecture=$3
version=$4
author=$5
export LC_ALL=C
programs=(usr/bin/lbctl usr/sbin/lbd usr/lib/lbd/lbd-simulate)
multiarch=$(dpkg-architecture -a "$architecture" -q DEB_HOST_MULTIARCH 2>/dev/null)

fail() {
	echo "sbom.sh: $1" >&2
	exit 1
}

# Before and after /lib became /usr/lib, the database has the one or the other.
owner() {
	local path=${1#/usr}
	{ dpkg-query -S "$path" || dpkg-query -S "/usr$path"; } 2>/dev/null | head -n 1 | sed 's/: .*//'
}

# owner_of FILE: PACKAGE:ARCHITECTURE
owner_of() {
	local name
	name=$(owner "$1")
	[ -n "$name" ] || fail "no package owns $1"
	echo "$name"
}

needed() {
	readelf --dynamic --wide "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
}

library() {
	local folder
	for folder in "/lib/$multiarch" "/usr/lib/$multiarch" /lib; do # the last has arm64's loader
		[ ! -e "$folder/$1" ] || { echo "$folder/$1" && return; }
	done
	fail "there is no $1 for $architecture"
}

declare -A seen # libraries, by name

# linked REF FILE: lines of "REF shared PACKAGE LIBRARY", those of the libraries' own needs too
linked() {
	local name names path package
	names=$(needed "$2")
	for name in $names; do
		path=$(library "$name")
		package=$(owner_of "$path")
		printf '%s\tshared\t%s\t%s\n' "$1" "$package" "$name"
		if [ -z "${seen[$name]:-}" ]; then
			seen[$name]=1
			linked "$package" "$path"
		fi
	done
}

# What the linker took from outside of this tree: start files, and members of archives.
static_parts() {
	local path package
	sed -nE 's/^LOAD (.*\.o)$/\1/p; /^Archive member/,/^Discarded|^Memory Config/s/^([^ (]*\.a)\(.*/\1/p' "$2" |
		sort -u | while read -r path; do
		path=$(realpath "$path")
		[[ $path != "$build"/* && $path != "$PWD"/* ]] || continue
		package=$(owner_of "$path")
		printf '%s\tstatic\t%s\t%s\n' "$1" "$package" "${path##*/}"
	done
}

facts() {
	local program
	for program in "${programs[@]}"; do
		linked "$program" "$root/$program"
		static_parts "$program" "$build/$(map_of "$program")"
	done
}

map_of() {
	case $1 in
	*/lbctl) echo lbctl/lbctl.map ;;
	*) echo "lbd/${1##*/}.map" ;;
	esac
}

# PACKAGE and what the database says of it
versions() {
	cut -f 3 "$1" | sort -u | while read -r name; do
		dpkg-query -W -f "$name\t\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\t\${Maintainer}\n" "$name"
	done
}

hashes() {
	(cd "$root" && sha256sum "${programs[@]}" usr/lib/lbd/decap.bpf.o)
	(cd "$build" && sha256sum bpf/{lb,explain,trace,tunnel}.bpf.o)
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
facts >"$work/facts"
versions "$work/facts" >"$work/versions"
hashes >"$work/hashes"
# shellcheck source=/dev/null
distribution=$(. /etc/os-release && echo "$ID $VERSION_ID")

# shellcheck disable=SC2016 # of jq
jq -n --arg version "$version" --arg architecture "$architecture" --arg author "$author" --arg distribution "$distribution" \
	--arg time "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
	--rawfile facts "$work/facts" --rawfile versions "$work/versions" --rawfile hashes "$work/hashes" '
	def rows: split("\n") | map(select(. != "") | split("\t"));
	($distribution | split(" ")) as [$vendor, $release] |
	def purl($name; $version; $architecture):
		"pkg:deb/\($vendor)/\($name | @uri)@\($version | @uri)?arch=\($architecture)&distro=\($vendor)-\($release)";
	def mine: "lbd/" + .;
	($facts | rows) as $facts |
	($versions | rows | map({key: .[0], value: .[1:]}) | from_entries) as $packages |
	def reference: $packages[.] as [$name, $version, $architecture] |
		if $name then purl($name; $version; $architecture) else mine end;
	{
		"$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
		bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
		metadata: {
			timestamp: $time, authors: [{name: $author}],
			component: {
				type: "application", "bom-ref": "lbd", name: "lbd", $version,
				licenses: [{license: {id: "BSD-2-Clause"}}],
				properties: [{name: "lbd:architecture", value: $architecture}],
				components: ($hashes | split("\n") | map(select(. != "") | split("  ") | {
					type: "file", "bom-ref": (.[1] | mine), name: .[1], hashes: [{alg: "SHA-256", content: .[0]}]}))
			}
		},
		components: ($facts | group_by(.[2]) | map($packages[.[0][2]] as [$name, $version, $arch, $source, $source_version, $publisher] | {
			type: "library", "bom-ref": (.[0][2] | reference), $publisher, $name, $version, purl: (.[0][2] | reference),
			properties: ([{name: "lbd:source", value: "\($source) \($source_version)"}] +
				(map({name: "lbd:\(.[1])", value: .[3]}) | unique))})),
		dependencies: ($facts | group_by(.[0]) | map(.[0][0] as $ref | {
			ref: ($ref | reference), dependsOn: (map(.[2] | reference) | unique - [$ref | reference])}))
	}'
