#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim compare: a table of what differs, a page with plots; refuses what is no finished run.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
# shellcheck source=tests/cli/lib_run.sh
. "$(dirname "$0")/lib_run.sh"

make_run "$tmp/one" 2
make_run "$tmp/two" 4
expect 0 compare "$tmp/one" "$tmp/two" -o "$tmp/compare.html"
in_out '* truth.skill.Normal'
in_out '0.92'
in_out '0.94'
in_out '  events '
grep -q wall_s "$tmp/out" && complain 'a value that depends on the host is compared'
grep -q '<script' "$tmp/compare.html" && complain 'the page is not plain'
tail -n 1 "$tmp/compare.html" | grep -q '</html>' || complain 'compare.html is missing or cut'
if command -v gnuplot >/dev/null; then
    [ "$(grep -c '<svg' "$tmp/compare.html")" = 2 ] || complain 'plots are missing in compare.html'
fi

expect 0 compare "$tmp/one" "$tmp/one" "$tmp/one" -o "$tmp/same.html"
grep -q '^\*  *[a-z]' "$tmp/out" && complain 'a run differs from itself'
in_out 'values are the same in all runs'

expect 1 compare "$tmp/one" "$tmp/three" -o "$tmp/x.html"
in_err 'three: is no folder of a finished run'
[ ! -e "$tmp/x.html" ] || complain 'a page without a comparison'
expect 2 compare "$tmp/one"
expect 1 compare "$tmp/one" "$tmp/two" -o "$tmp/no/such/folder.html"
in_err 'cannot write'

# what is no regular file is written, not replaced
mkfifo "$tmp/pipe"
timeout 60 cat "$tmp/pipe" >"$tmp/piped.html" &
expect 0 compare "$tmp/one" "$tmp/two" -o "$tmp/pipe"
wait
[ -p "$tmp/pipe" ] || complain 'a pipe was replaced by a file'
cmp -s "$tmp/piped.html" "$tmp/compare.html" || complain 'the page that came through a pipe differs'

done_checking
