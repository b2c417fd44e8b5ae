#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run gives the same bytes whenever the same thing is simulated: the same run twice, any run-ahead quantum,
# checks on or off; and the allocators decide the same with the clock on or off.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
trace=$root/traces/pae-512m-forkexec
few=workload.limit=25000 # events of a timed run

replay() { # NAME SET...: results in $tmp/NAME
    local out=$tmp/$1 sets=()
    shift
    for set; do sets+=(--set "$set"); done
    expect 0 run "$root/configs/replay.yaml" --trace "$trace" --out "$out" --set report.plots=false "${sets[@]}"
}

# The files of a run without what depends on the host or says how it was run.
strip() {
    sed -i '/^  "nondeterministic": /,$d' "$tmp/$1/summary.json"
    sed -i -E '/^ +(quantum_cycles|check_events): /d' "$tmp/$1/config.resolved.yaml"
}

same_files() { # A B: every file
    strip "$1"
    strip "$2"
    last="runs $1 and $2"
    diff -rq "$tmp/$1" "$tmp/$2" >"$tmp/out" || complain 'files differ'
    [ -s "$tmp/$1/summary.json" ] || complain 'nothing to compare'
}

# A B: what the allocators did, whatever it cost
same_decisions() {
    last="decisions of $1 and $2"
    : >"$tmp/out"
    for file in buddyinfo.csv truth.csv fragmentation.csv events.csv proc; do
        diff -rq "$tmp/$1/$file" "$tmp/$2/$file" >>"$tmp/out" || complain "$file differs"
    done
    for run in "$1" "$2"; do
        sed 's/,[^,]*$//' "$tmp/$run/callsites.csv" >"$tmp/$run.callsites" # all but the cycles
        sed -n '/^  "truth": /,/^  },/p' "$tmp/$run/summary.json" >"$tmp/$run.truth"
        [ -s "$tmp/$run.truth" ] || complain 'no scores'
    done
    diff "$tmp/$1.callsites" "$tmp/$2.callsites" >"$tmp/out" || complain 'callsites.csv differs'
    diff "$tmp/$1.truth" "$tmp/$2.truth" >"$tmp/out" || complain 'scores differ'
}

replay once
replay again
replay checked replay.check_events=100
same_files once again
same_files once checked

# Two CPUs on the clock: how far one may run ahead of the other must not show.
# Back to back they are both busy all the time.
for pacing in timestamps back-to-back; do
    replay $pacing-0 timing=full $few replay.pacing=$pacing machine.quantum_cycles=0
    replay $pacing-max timing=full $few replay.pacing=$pacing machine.quantum_cycles=1000000000
    same_files $pacing-0 $pacing-max
    grep -q '"sim_cycles": [1-9]' "$tmp/$pacing-0/summary.json" || complain 'no time passed'
done

# One CPU, one event after the other: the clock changes what things cost, not what happens.
# All events of both CPUs of the capture go to the one.
mkdir "$tmp/one-cpu"
cp -r "$trace/start" "$trace/end" "$tmp/one-cpu"
gzip -dc "$trace/trace.txt.gz" | head -25000 | sed 's/ \[001\] / [000] /' >"$tmp/one-cpu/trace.txt"
trace=$tmp/one-cpu
for mode in buddy pages objects; do
    replay "$mode-off" replay.mode=$mode machine.cpus=1 replay.pacing=back-to-back $few
    replay "$mode-full" replay.mode=$mode machine.cpus=1 replay.pacing=back-to-back $few timing=full
    same_decisions "$mode-off" "$mode-full"
    grep -q '"refs": [1-9]' "$tmp/$mode-full/summary.json" || complain 'nothing was simulated on the clock'
done
done_checking
