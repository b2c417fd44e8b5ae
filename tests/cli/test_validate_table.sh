#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The table of scores: made from summaries, put between the marks, never losing captures, the same twice.
source_dir=$2
# shellcheck source=tests/cli/lib_check.sh
. "$source_dir/tests/cli/lib_check.sh"
command -v python3 >/dev/null || { echo 'python3 is not installed: skipped'; exit 0; }

table() {
    local want=$1 got=0
    last="validate_table.py"
    python3 "$source_dir/scripts/lib/validate_table.py" "$tmp/runs" "$tmp/doc.md" >"$tmp/out" 2>"$tmp/err" || got=$?
    [ "$got" = "$want" ] || complain "exit code $got, not $want"
}
in_doc() { grep -qF -- "$1" "$tmp/doc.md" || complain "not in the document: $1"; }

printf 'before\n<!-- table: begin -->\nold\n<!-- table: end -->\nafter\n' >"$tmp/doc.md"
mkdir -p "$tmp/runs/boot-head"
table 1
in_err 'no run finished'

cd "$source_dir" || exit 1
expect 0 run configs/replay.yaml --trace traces/excerpts/boot-head --set replay.mode=buddy --set report.plots=false \
    --out "$tmp/runs/boot-head/buddy" --quiet
table 0
in_doc before
in_doc after
in_doc '| boot-head | failed | no samples (0 of 0) | failed |'
in_doc '100.00 % of 986'
grep -q '^old$' "$tmp/doc.md" && complain 'the old table is still there'
head -1 "$tmp/runs/results.csv" | grep -q '^capture,run,zone,skill,' || complain 'columns of results.csv'
grep -q '^boot-head,buddy,,,0,0,1.0,986,986,' "$tmp/runs/results.csv" || complain 'row of results.csv'
cp "$tmp/doc.md" "$tmp/first.md"
table 0
cmp -s "$tmp/doc.md" "$tmp/first.md" || complain 'the second table differs'

sed -i 's/^| boot-head .*986.*/&\n| other-capture | 1 |/' "$tmp/doc.md"
cp "$tmp/doc.md" "$tmp/first.md"
table 0
in_err 'its table also has other-capture'
cmp -s "$tmp/doc.md" "$tmp/first.md" || complain 'a capture that was not replayed got lost'
done_checking
