#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A capture of a machine that had room enough, on machines that have less and less: kswapd is enough, direct reclaim
# has to help, somebody is killed. Memory stays above the MIN mark where reclaim is enough, compaction moves pages,
# results repeat, also on timed CPUs whatever the quantum.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2

replay() { # NAME OPTION...
    local name=$1
    shift
    expect 0 run "$root/configs/replay.yaml" --trace "$root/traces/pae-512m-forkexec" --out "$tmp/$name" --quiet \
        --set report.plots=false --set report.html=false "${@/#/--set=}"
}
vm() { awk -v n="$2" '$1 == n {print $2}' "$tmp/$1/proc/vmstat"; }
happened() { grep -c ",$2," "$tmp/$1/events.csv"; }
zone() { awk -v n="$2" '/zone +Normal$/ {on = 1} on && ($1 == n || $2 == n) {print $NF; exit}' "$tmp/$1/proc/zoneinfo"; }
check() { [ "$2" "$3" "$4" ] || complain "$1: $2 $3 $4 does not hold"; }

for ram in 512 144 136 128; do
    replay $ram replay.mode=pages timing=off workload.limit=40000 machine.ram=${ram}MiB
done
check 'as traced: nothing is reclaimed' "$(happened 512 kswapd_wake_model)" -eq 0
grep -q '"compaction": {}' "$tmp/512/summary.json" || complain 'counters of compaction where the traced kernel compacts'

check 'kswapd woke' "$(happened 144 kswapd_wake_model)" -gt 0
check 'kswapd slept again' "$(happened 144 kswapd_sleep_model)" -gt 0
check 'kswapd reclaimed' "$(vm 144 pgsteal_kswapd)" -gt 100
check 'kswapd was enough' "$(vm 144 pgsteal_direct)" -eq 0
check 'kswapd served all' "$(happened 144 alloc_failure)" -eq 0
check 'kswapd keeps memory above MIN' "$(zone 144 free)" -gt "$(zone 144 min)"
check 'kcompactd moved pages' "$(vm 144 pgmigrate_success)" -gt 100
check 'moves are told' "$(happened 144 compaction_model)" -gt 0

check 'direct reclaim' "$(happened 136 direct_reclaim_model)" -gt 0
check 'direct reclaim took pages' "$(vm 136 pgsteal_direct)" -gt 32
check 'reclaim keeps memory above MIN' "$(zone 136 free)" -gt "$(zone 136 min)"
check 'nobody had to be killed' "$(happened 136 oom_model)" -eq 0

check 'somebody was killed' "$(happened 128 oom_model)" -gt 0
check 'kills are counted' "$(vm 128 oom_kill)" -eq "$(happened 128 oom_model)"
grep 'oom_model' "$tmp/128/events.csv" | grep -q '(1)' && complain 'init was killed'

replay again replay.mode=pages timing=off workload.limit=40000 machine.ram=136MiB
for file in buddyinfo.csv fragmentation.csv events.csv proc/buddyinfo proc/vmstat; do
    cmp -s "$tmp/again/$file" "$tmp/136/$file" || complain "two runs differ in $file"
done

for quantum in 0 1000000000; do
    replay q$quantum replay.mode=objects timing=full workload.limit=4000 machine.ram=128MiB machine.cpus=2 \
        replay.pacing=back-to-back machine.quantum_cycles=$quantum
done
check 'timed: direct reclaim or kswapd took pages' "$(($(vm q0 pgsteal_kswapd) + $(vm q0 pgsteal_direct)))" -gt 0
for file in buddyinfo.csv events.csv proc/buddyinfo proc/vmstat proc/slabinfo hw.csv latency.csv; do
    [ -e "$tmp/q0/$file" ] || continue
    cmp -s "$tmp/q0/$file" "$tmp/q1000000000/$file" || complain "the quantum changes $file"
done
done_checking
