#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do the documents that are made from the tables of fields say what lbd says?
#
#   O=FOLDER     the build whose docs/fields, lbd and lbctl count (build)
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

O=$(realpath -e "${O:-build}") || exit 1
FIELDS=$O/docs/fields
TOOL=tests/cli/schema_tool.py
folder=$(mktemp -d)
at_exit rm -rf "$folder"

# --- they are up to date ---
for page in docs/protocol.md tests/fuzz/lbd.dict; do
	"$FIELDS" page <"$page" >"$folder/page"
	check_equal "$page has the fields there are (make docs)" "" "$(diff "$page" "$folder/page" | head -20)"
done
check_equal "docs/lbd.schema.json has the fields there are (make docs)" "" \
	"$("$FIELDS" schema | diff docs/lbd.schema.json - | head -20)"

# --- they say since when a field is there ---

# The tables of 0.1.0, whose last commit this is; the names of all objects.
OLD=c22f0bea3de8c90c143d4179dc70bbec722c55fa
if git cat-file -e $OLD 2>/dev/null; then
	check_equal "fields of no version are those of 0.1.0" \
		"$(git grep -ohE '\{"[a-z_0-9]+", LB_JSON_' $OLD -- lbd/api/{model_json,health}.c lbd/config.c | cut -d'"' -f2 | sort -u)" \
		"$(sed -n '/came_with/,$p' docs/since.h | grep -oP '(?<=[ "])[a-z_0-9.]+(?= )' | sed 's/.*\.//' | sort -u)"
else
	skip "fields of no version are those of 0.1.0" "the history of this tree"
fi
check_equal "each of the others names one, or its object does" "" "$(comm -23 \
	<("$FIELDS" new | grep -vE '^(pool|quic) ' | sed 's/.*[ .]//' | sort -u) \
	<(grep -B10 '(since' docs/lbd.schema.json | grep -oE '"[a-z_0-9]+": \{' | cut -d'"' -f2 | sort -u))"

# --- the schema and lbd agree ---
if ! python3 -c 'import jsonschema' 2>/dev/null; then
	skip "docs/lbd.schema.json and lbd agree on documents" "python3-jsonschema"
	finish
fi

# Documents that lbd takes, as they were written and as they are exported.
for document in tests/fuzz/corpus/document/*; do
	name=$(basename "$document")
	"$FIELDS" export <"$document" >"$folder/exported_$name" 2>/dev/null || {
		rm "$folder/exported_$name"
		continue
	}
	cp "$document" "$folder/written_$name"
done
check "documents were taken and exported" test "$(find "$folder" -name 'exported_*' | wc -l)" -ge 10
check "what lbd takes is right by the schema" python3 -B $TOOL valid docs/lbd.schema.json "$folder"/written_*
check "what lbd exports is right by the schema" python3 -B $TOOL valid docs/lbd.schema.json "$folder"/exported_*

# Examples: of lbd.json(5), and those that the demos run with.
sed -n '/^\.SH EXAMPLES/,/^\.SH FILES/p' docs/man/lbd.json.5 |
	awk '/^\.RS/ { inside = 1; next } /^\.RE/ { inside = 0; print "---" } inside' |
	csplit -sz -f "$folder/example" - '/^---$/' '{*}'
sed -i '/^---$/d' "$folder"/example*
find "$folder" -name 'example*' -size 0 -delete
check "the examples of lbd.json(5), and those of the demos, are right by the schema" \
	python3 -B $TOOL valid docs/lbd.schema.json "$folder"/example* examples/*/lbd.json

# shellcheck disable=SC2317 # called through check
lbd_refuses() {
	local file wrong=0
	for file in "$folder"/service*.json; do
		"$O/lbctl/lbctl" config check --offline "$file" >/dev/null 2>&1 && echo "$file" && wrong=1
	done
	for file in "$folder"/config*.json; do
		"$O/lbd/lbd" --check --config "$file" >/dev/null 2>&1 && echo "$file" && wrong=1
	done
	return "$wrong"
}
check "each kind of bad value is refused by the schema" python3 -B $TOOL bad docs/lbd.schema.json "$folder"
check "lbd refuses the same documents" lbd_refuses
finish
