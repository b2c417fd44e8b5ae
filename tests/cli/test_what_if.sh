#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A capture on another machine than the traced one: half and double RAM, the other paging, fewer and more CPUs. Every
# request is served, no free is lost, results repeat; modes that follow the trace's own frames refuse.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
capture=$root/traces/pae-512m-forkexec

number() { grep -o "\"$2\": *[0-9.]*" "$1/summary.json" | head -n 1 | grep -o '[0-9.]*$'; }
replay() { # NAME OPTION...
    local name=$1
    shift
    expect 0 run "$root/configs/replay.yaml" --trace "$capture" --out "$tmp/$name" --quiet --set report.plots=false \
        --set report.html=false --set timing=off --set workload.limit=20000 "${@/#/--set=}"
}
present() { awk -v z="$2" '$0 ~ "zone +" z "$" {on = 1} on && $1 == "present" {print $2; exit}' "$1/proc/zoneinfo"; }

replay same replay.mode=pages
grep -q carried_over "$tmp/same/summary.json" && complain 'the traced machine itself was carried over'
for mode in pages objects; do
    replay $mode-half replay.mode=$mode machine.ram=256MiB
    replay $mode-double replay.mode=$mode machine.ram=1GiB
    replay $mode-2level replay.mode=$mode machine.paging=2level
    replay $mode-1cpu replay.mode=$mode machine.cpus=1
    replay $mode-4cpu replay.mode=$mode machine.cpus=4
    for run in half double 2level 1cpu 4cpu; do
        dir=$tmp/$mode-$run
        grep -q carried_over "$dir/summary.json" || complain "$mode-$run: not carried over"
        [ "$(number "$dir" out_of_range)" = 0 ] || complain "$mode-$run: events were left out"
        [ "$(number "$dir" dropped_pages)" = 0 ] || complain "$mode-$run: pages were dropped"
        grep -q alloc_failure "$dir/events.csv" && complain "$mode-$run: an allocation failed"
    done
done
for run in half double 2level 1cpu 4cpu; do
    [ "$(number "$tmp/pages-$run" free_of_unknown)" = 0 ] || complain "$run: a free was lost"
done
[ "$(number "$tmp/pages-half" moved_pages)" -gt 100 ] || complain 'half the memory and nothing moved'
[ "$(number "$tmp/pages-double" moved_pages)" = 0 ] || complain 'pages moved although their frames are there'

# Zones follow from the machine: 512 MiB are low memory, 1 GiB has HighMem from 2 frames below 880 MiB (PAE) on.
[ "$(present "$tmp/same" HighMem)" = 0 ] || complain 'high memory in 512 MiB'
[ "$(present "$tmp/pages-double" Normal)" = $((0x36ffe - 4096)) ] || complain 'Normal does not end at the PAE border'
[ "$(present "$tmp/pages-double" HighMem)" -gt 30000 ] || complain 'no high memory in 1 GiB'
[ "$(present "$tmp/pages-half" Normal)" = $((0xffda - 4096)) ] || complain 'Normal is not 256 MiB without ACPI and DMA'
grep -q '1ffd9fff' "$tmp/same/proc/iomem" || complain 'end of RAM of the traced machine'
grep -q '0ffd9fff' "$tmp/pages-half/proc/iomem" || complain 'end of RAM of half the machine'

# Below 512 MiB huge pages are off and do not raise min_free_kbytes.
lowest() { awk '/zone +Normal$/ {on = 1} on && $1 == "min" {print $2; exit}' "$1/proc/zoneinfo"; }
[ "$(lowest "$tmp/pages-half")" -lt 685 ] || complain 'marks of half the machine are raised for huge pages'
[ "$(lowest "$tmp/pages-2level")" -lt 700 ] || complain 'marks of 512 MiB are raised for huge pages'
[ "$(lowest "$tmp/pages-double")" -gt 5000 ] || complain 'marks of 1 GiB are not raised for huge pages'

replay again replay.mode=objects machine.ram=256MiB
for file in buddyinfo.csv fragmentation.csv events.csv proc/buddyinfo proc/slabinfo; do
    cmp -s "$tmp/again/$file" "$tmp/objects-half/$file" || complain "two runs differ in $file"
done
replay timed-1cpu replay.mode=objects machine.cpus=1 timing=full workload.limit=8000
replay untimed-1cpu replay.mode=objects machine.cpus=1 workload.limit=8000
cmp -s "$tmp/timed-1cpu/proc/slabinfo" "$tmp/untimed-1cpu/proc/slabinfo" || complain 'timing changes one CPU'"'"'s slabs'

for mode in oracle buddy; do
    expect 2 run "$root/configs/replay.yaml" --trace "$capture" --out "$tmp/no" --quiet --set replay.mode=$mode --set machine.ram=1GiB
    in_err "replay.mode: $mode replays the traced machine's page frames"
done
expect 2 run "$root/configs/replay.yaml" --trace "$capture" --out "$tmp/no" --quiet --set replay.mode=pages \
    --set machine.ram=1GiB --set replay.resync=true
in_err 'replay.resync: page frames'
expect 2 run "$root/configs/replay.yaml" --trace "$capture" --out "$tmp/no" --quiet --set replay.mode=pages --set machine.ram=20MiB
in_err 'machine.ram'
done_checking
