#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run and signals: the run ends at the next event, everything is written, nothing pretends to be complete.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
bundle=$tmp/b
config=$root/configs/replay.yaml
cp -r "$root/traces/pae-512m-forkexec" "$bundle"
chmod -R u+w "$bundle"

# The shipped trace 4 times over: long enough for a signal to meet the replay on any machine.
for _ in 1 2 3 4; do cat "$root/traces/pae-512m-forkexec/trace.txt.gz"; done >"$bundle/trace.txt.gz"

# interrupted SIGNAL TIMING: sends it when the replay has begun to write samples.
interrupted() {
    local signal=$1 timing=$2 code=0 pid waited=0
    last="kmemsim run, timing $timing, SIG$signal"
    rm -rf "$tmp/run"
    env --default-signal="$signal" "$kmemsim" run "$config" --trace "$bundle" --out "$tmp/run" --set "timing=$timing" \
        --set replay.mode=oracle --set report.plots=false --set report.html=false >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    until [ -s "$tmp/run/buddyinfo.csv.part" ] || [ -s "$tmp/run/buddyinfo.csv" ] || [ $waited = 600 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
    kill "-$signal" "$pid"
    wait "$pid" || code=$?
    [ "$code" = 1 ] || complain "exit code $code, not 1"
    in_err 'kmemsim: interrupted ('
    in_err "the results in $tmp/run end there (\"complete\": false)"
    [ "$(wc -l <"$tmp/err")" = 1 ] || complain 'more than one message'
    no_out
    grep -q '"complete": false' "$tmp/run/summary.json" || complain 'summary.json does not say so'
    [ -s "$tmp/run/buddyinfo.csv" ] || complain 'no buddyinfo.csv'
    [ -z "$(find "$tmp/run" -name '*.part')" ] || complain 'a .part file is left behind'
}

interrupted INT off
interrupted TERM off
interrupted HUP full
# What an interrupted run wrote can be read like any other.
expect 0 plot "$tmp/run"
done_checking
