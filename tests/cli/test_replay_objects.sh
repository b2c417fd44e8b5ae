#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Mode objects on a shipped capture: agreement with the traced slab layer, the same results twice, with and without
# time, and slabinfo in /proc form.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
bundle=$root/traces/pae-512m-forkexec
config=$tmp/objects.yaml
cat >"$config" <<END
extends: [machine/generic-2cpu.yaml, os/linux-6.1.yaml]
machine: {cpus: auto, ram: auto, paging: auto}
workload: {type: replay, trace: $bundle}
replay: {mode: objects, pacing: back-to-back}
timing: off
report: {plots: false, html: false}
END

# Number of a member of summary.json that appears once.
number() {
    grep -o "\"$2\": *[0-9.]*" "$1/summary.json" | head -n 1 | grep -o '[0-9.]*$'
}

between() { # what, value, low, high
    awk -v v="${2:-none}" -v l="$3" -v h="$4" 'BEGIN { exit !(v + 0 == v && v >= l && v <= h) }' ||
        complain "$1 is ${2:-missing}, not $3 to $4"
}

expect 0 run "$config" --out "$tmp/a" --quiet
expect 0 run "$config" --out "$tmp/b" --quiet
cmp -s "$tmp/a/truth.csv" "$tmp/b/truth.csv" || complain 'two runs differ in truth.csv'
cmp -s "$tmp/a/proc/slabinfo" "$tmp/b/proc/slabinfo" || complain 'two runs differ in slabinfo'

# The capture has 58 new slabs of 141 pages; every cache in use is compared at each SLABINFO sample.
[ "$(number "$tmp/a" slab_pages_traced)" = 141 ] || complain 'traced slab pages were not recognised'
between slab_pages_model "$(number "$tmp/a" slab_pages_model)" 130 152
[ "$(number "$tmp/a" slab_blocks_traced)" = 58 ] || complain 'traced slabs were not recognised'
between slabs_total_rel_error "$(number "$tmp/a" slabs_total_rel_error)" 0 0.005
between slabs_median_rel_error "$(number "$tmp/a" slabs_median_rel_error)" 0 0.01
between objects_median_rel_error "$(number "$tmp/a" objects_median_rel_error)" 0 0.01
between skill "$(number "$tmp/a" Normal)" 0.6 1

head -n 1 "$tmp/a/proc/slabinfo" | grep -qx 'slabinfo - version: 2.1' || complain 'slabinfo has no version line'
[ "$(wc -l <"$tmp/a/proc/slabinfo")" -ge 147 ] || complain 'slabinfo has too few caches'
# Cache by cache at the end: nearly all as the traced kernel had them.
join <(awk 'NR > 2 { print $1, $15 }' "$tmp/a/proc/slabinfo" | sort) \
    <(awk 'NR > 2 { print $1, $15 }' "$bundle/end/slabinfo" | sort) |
    awk '{ n++; d = $2 - $3; if (d < 0) d = -d; if (d > 2 && d > $3 / 20) { bad++ } }
         END { exit n < 140 || bad > 5 }' || complain 'slabs at the end are far from the traced ones'

# One CPU after the other, the machine's timing decides nothing: the same slabs and free lists.
expect 0 run "$config" --out "$tmp/t" --quiet --set timing=full --set workload.limit=20000
expect 0 run "$config" --out "$tmp/u" --quiet --set workload.limit=20000
[ "$(number "$tmp/t" slab_pages_model)" = "$(number "$tmp/u" slab_pages_model)" ] ||
    complain 'timing changes the slabs asked for'

# How far CPUs run ahead of each other decides nothing either.
for quantum in 0 1000000; do
    expect 0 run "$config" --out "$tmp/q$quantum" --quiet --set timing=full --set workload.limit=4000 \
        --set replay.pacing=timestamps --set machine.quantum_cycles=$quantum
done
for file in truth.csv latency.csv proc/slabinfo; do
    cmp -s "$tmp/q0/$file" "$tmp/q1000000/$file" || complain "the run-ahead quantum changes $file"
done
done_checking
