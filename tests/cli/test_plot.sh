#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim plot: redraws a finished run from its files alone; says what is wrong with a damaged one.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
# shellcheck source=tests/cli/lib_run.sh
. "$(dirname "$0")/lib_run.sh"

run="$tmp/a run's \"folder\""
make_run "$run" 2
expect 0 plot "$run"
no_out
grep -q '&lt;made&gt;' "$run/report.html" || complain 'report.html does not escape the name'
grep -q 'order 1, &lt;b&gt;' "$run/report.html" || complain 'the event is not in report.html'
if command -v gnuplot >/dev/null; then
    no_err
    for plot in buddyinfo buddyinfo_vs_real latency_cdf; do
        tail -c 10 "$run/plots/$plot.svg" | grep -q '</svg>' || complain "$plot.svg is missing or cut"
    done
    [ "$(grep -c '<svg' "$run/report.html")" = 3 ] || complain 'not all plots are in report.html'
fi
[ ! -e "$run/plots/fragmentation.svg" ] || complain 'a plot without data was drawn'
cp "$run/report.html" "$tmp/first.html"
expect 0 plot "$run"
cmp -s "$run/report.html" "$tmp/first.html" || complain 'the second page differs from the first'

# Without gnuplot: one warning, a page without pictures.
mkdir "$tmp/bin"
PATH="$tmp/bin" expect 0 plot "$run"
in_err 'gnuplot is not installed'
[ "$(grep -c warning "$tmp/err")" = 1 ] || complain 'more than one warning'
[ ! -e "$run/plots/buddyinfo.svg" ] || complain 'the old picture is still there'

mkdir "$tmp/foreign"
echo '{}' >"$tmp/foreign/summary.json"
expect 1 plot "$tmp/foreign"
in_err 'foreign/summary.json:1:1: is no summary of a run (it has no "schema")'
echo '{"schema": 99}' >"$tmp/foreign/summary.json"
expect 1 plot "$tmp/foreign"
in_err 'was written by another version of kmemsim (schema 99'
expect 1 compare "$run" "$tmp/foreign"
in_err 'schema 99'
expect 1 plot "$tmp/nothing"
in_err 'no folder of a finished run'
sed -i '3s/1000000000/1e9/' "$run/truth.csv"
expect 1 plot "$run"
in_err "truth.csv:3: '1e9' in column 'time_ns' is no whole number"
rm "$run/truth.csv"
ln -s /dev/full "$run/report.html.part"
expect 1 plot "$run"
in_err 'No space left on device'
expect 2 plot
expect 2 plot "$run" "$run"

done_checking
