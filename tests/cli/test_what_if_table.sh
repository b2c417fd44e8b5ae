#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The what-if table: made from summaries, put between the marks, never losing captures; a failed run is named.
source_dir=$2
# shellcheck source=tests/cli/lib_check.sh
. "$source_dir/tests/cli/lib_check.sh"
command -v python3 >/dev/null || { echo 'python3 is not installed: skipped'; exit 0; }

table() {
    local want=$1 got=0
    last="what_if_table.py"
    python3 "$source_dir/scripts/lib/what_if_table.py" "$tmp/runs" "$tmp/doc.md" >"$tmp/out" 2>"$tmp/err" || got=$?
    [ "$got" = "$want" ] || complain "exit code $got, not $want"
}
in_doc() { grep -qF -- "$1" "$tmp/doc.md" || complain "not in the document: $1"; }

printf 'before\n<!-- table: begin -->\nold\n<!-- table: end -->\nafter\n' >"$tmp/doc.md"
mkdir -p "$tmp/runs/forkexec"
table 1
in_err 'no run finished'

cd "$source_dir" || exit 1
run() {
    local name=$1
    shift
    expect 0 run configs/replay.yaml --trace traces/pae-512m-forkexec --set replay.mode=objects --set report.plots=false \
        --set report.html=false --set workload.limit=6000 --out "$tmp/runs/forkexec/$name" --quiet "$@"
}
run as-traced
run slob --set os.slab=slob
run timed-slub --set timing=full --set replay.pacing=back-to-back
table 0
in_doc before
in_doc after
in_doc '| forkexec | as-traced | 0 | 0 | Normal '
in_doc '| forkexec | slob | '
in_doc '| forkexec | half-ram | failed |'
in_doc '| slub | '
grep -q '^old$' "$tmp/doc.md" && complain 'the old table is still there'
cp "$tmp/doc.md" "$tmp/doc.1"
table 0
cmp -s "$tmp/doc.1" "$tmp/doc.md" || complain 'the second table differs'
mv "$tmp/runs/forkexec" "$tmp/runs/other"
table 0
in_err 'not replayed now: forkexec'
cmp -s "$tmp/doc.1" "$tmp/doc.md" || complain 'a capture was lost'

# What the runs say of memory and cost.
runs=$tmp/runs/other
grep -q '"pages_start": [1-9]' "$runs/slob/summary.json" || complain 'no pages in slabs at the start'
head -n 1 "$runs/as-traced/slabs.csv" | grep -q '^cache,object_size,slot_size,live_objects,slots,slabs,pages,unused_pct$' ||
    complain 'columns of slabs.csv'
grep -q '^kmalloc-64,64,64,[1-9]' "$runs/as-traced/slabs.csv" || complain 'no kmalloc-64 in slabs.csv'
awk -F, 'NR > 1 && $7 * 4096 < $4 * $2 {exit 1}' "$runs/as-traced/slabs.csv" || complain 'objects larger than their pages'
awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "cycles") c = i} NR > 1 && $c > 0 {n++} END {exit !n}' \
    "$runs/timed-slub/callsites.csv" || complain 'no call site cost a cycle'
awk -F, '$2 == "Normal" && $NF != "" && $NF > 0 {n++} END {exit !n}' "$runs/as-traced/fragmentation.csv" ||
    complain 'no mixed pageblock was counted'
done_checking
