#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# traces/MANIFEST.yaml names every shipped capture file with its checksum, and nothing else.
# Also proves that the comparison notices a changed, a missing and an unlisted file.
set -u
source_dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# "PATH: SHA256" lines of the manifest in sha256sum's format.
listed() {
    sed -nE 's/^ +([^ :]+): ([0-9a-f]{64})$/\2  \1/p' "$1/MANIFEST.yaml" | sort -k 2
}

# Everything under a traces folder except the papers.
actual() {
    (cd "$1" && find . -type f ! -name MANIFEST.yaml ! -name '*.md' -printf '%P\0' | sort -z | xargs -0 sha256sum) |
        sort -k 2
}

differs() {
    ! diff <(listed "$1") <(actual "$1") >"$work/diff"
}

expect_difference() {
    differs "$work/traces" && return
    echo "not noticed: $1"
    bad=1
}

[ "$(listed "$source_dir/traces" | wc -l)" -gt 50 ] || { echo "the manifest lists almost nothing"; bad=1; }
if differs "$source_dir/traces"; then
    echo "MANIFEST.yaml (<) and the files of traces/ (>) differ:"
    cat "$work/diff"
    bad=1
fi
# Every capture says where it comes from.
for key in kernel workload captured sha256; do
    [ "$(grep -c "^  - path:" "$source_dir/traces/MANIFEST.yaml")" = \
        "$(grep -c "^    $key:" "$source_dir/traces/MANIFEST.yaml")" ] || { echo "a capture lacks $key"; bad=1; }
done

cp -r "$source_dir/traces" "$work/traces"
echo >>"$work/traces/excerpts/record.txt.gz"
expect_difference 'a changed file'
cp "$source_dir/traces/excerpts/record.txt.gz" "$work/traces/excerpts/"
rm "$work/traces/excerpts/record-v6.dat.gz"
expect_difference 'a missing file'
cp "$source_dir/traces/excerpts/record-v6.dat.gz" "$work/traces/excerpts/"
differs "$work/traces" && { echo 'the copy differs'; bad=1; }
echo >"$work/traces/excerpts/new"
expect_difference 'an unlisted file'
exit $bad
