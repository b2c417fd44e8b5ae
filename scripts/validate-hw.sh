#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# validate-hw.sh - compares the machine with references that were not written here and puts the tables into
# docs/model-machine.md (between the hw marks).
#
#   scripts/validate-hw.sh
#
# $KMEMSIM_DRAM_REF   a folder with gen_traces.py (makes seq.trc, rand.trc, mix.trc), results.csv (figures of other
#                     simulators) and ddr3_check.py (judge of command traces): the DRAM controller against Ramulator 2.1
# $KMEMSIM_CACHE_REF  a folder with sort6000.lackey.gz: hit and miss counts against those of Dinero IV
# What is not there is named and left out, and the documents stay as they are then. Always run: the machine presets
# against the published measurements in scripts/lib/hw_machines.csv, a line that CPUs hand round, and SystemC against
# the plain C stepper.
# Builds the release preset if build/release/bin/kmemsim is not there; KMEMSIM=PATH takes another binary.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/runs.sh
. "$root/scripts/lib/runs.sh"
if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '3,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi
use_kmemsim

out=$root/results/validate-hw
rm -rf "$out"
mkdir -p "$out"
cd "$root"

dram_row() { # refresh trace mode
    local mlp=unlimited pace=0 refresh=true
    case $3 in
    mlp*) mlp=${3#mlp} ;;
    pace*) pace=${3#pace} ;;
    esac
    [ "$1" = ref ] || refresh=false
    "$kmemsim" run configs/dram.yaml --trace "$out/traces/$2.trc" --set "workload.mlp=$mlp" --set "workload.pace=$pace" \
        --set "machine.dram.refresh=$refresh" --set report.html=false --out "$out/dram/$1-$2-$3" --quiet >/dev/null
}

if [ -n "${KMEMSIM_DRAM_REF:-}" ] && [ -f "$KMEMSIM_DRAM_REF/results.csv" ]; then
    say "DRAM controller against Ramulator 2.1"
    mkdir -p "$out/traces" "$out/dram"
    (cd "$out/traces" && python3 "$KMEMSIM_DRAM_REF/gen_traces.py")
    grep ',Ramulator2.1,' "$KMEMSIM_DRAM_REF/results.csv" >"$out/ramulator.csv"
    while IFS=, read -r refresh trace mode _; do
        dram_row "$refresh" "$trace" "$mode"
    done <"$out/ramulator.csv"
    for trace in seq mix; do
        "$kmemsim" run configs/dram.yaml --trace "$out/traces/$trace.trc" --set workload.limit=200000 \
            --set report.dram_commands=true --set report.html=false --out "$out/commands-$trace" --quiet >/dev/null
        gzip -dc "$out/commands-$trace/dram_commands.csv.gz" >"$out/$trace.ch0"
        python3 "$KMEMSIM_DRAM_REF/ddr3_check.py" "$out/$trace.ch0" >"$out/check-$trace.txt"
        rm -f "$out/$trace.ch0"
    done
    rm -rf "$out/traces"
else
    say "no DRAM reference (KMEMSIM_DRAM_REF): left out"
fi

if [ -n "${KMEMSIM_CACHE_REF:-}" ] && [ -f "$KMEMSIM_CACHE_REF/sort6000.lackey.gz" ]; then
    say "cache counts against Dinero IV"
    while IFS=, read -r id _ _ _ _ _ sets; do
        [ "$id" != id ] || continue
        arguments=()
        for set in $sets; do arguments+=(--set "$set"); done
        "$kmemsim" run configs/memref.yaml --trace "$KMEMSIM_CACHE_REF/sort6000.lackey.gz" "${arguments[@]}" \
            --set report.html=false --set report.plots=false --out "$out/cache-$id" --quiet >/dev/null
    done <scripts/lib/hw_caches.csv
else
    say "no cache reference (KMEMSIM_CACHE_REF): left out"
fi

say "machine presets against published measurements"
while IFS=, read -r machine _; do
    case $machine in machine | '#'*) continue ;; esac
    "$kmemsim" bench lat-mem-rd --machine "$machine" --set machine.cpus=1 --set machine.paging=2level --set machine.ram=128MiB \
        --set workload.chase_strides=64B,256B,4KiB --set report.html=false --set report.plots=false \
        --out "$out/machine-$machine" --quiet >/dev/null
done <scripts/lib/hw_machines.csv
while IFS=, read -r machine _ _ _ _ _ _ _ _ _ _ _ hit _; do
    case $machine in machine | '#'*) continue ;; esac
    [ -n "$hit" ] || continue
    "$kmemsim" bench lat-mem-rd --machine "$machine" --set machine.cpus=1 --set machine.paging=2level --set machine.ram=128MiB \
        --set workload.chase_strides=128B --set workload.chase_order=linear --set report.html=false --set report.plots=false \
        --out "$out/linear-$machine" --quiet >/dev/null
done <scripts/lib/hw_machines.csv

say "a line that moves between CPUs"
"$kmemsim" bench contended --set report.html=false --set report.plots=false --out "$out/contended" --quiet >/dev/null

say "allocator calls on a Pentium 4"
"$kmemsim" bench slab-test --set report.html=false --set report.plots=false --out "$out/slab-test" --quiet >/dev/null

say "the two engines"
same_cycles() { # name command...
    local name=$1 engine
    shift
    for engine in systemc stepper; do
        "$kmemsim" "$@" --engine "$engine" --set report.html=false --set report.plots=false --out "$out/$engine-$name" --quiet \
            >/dev/null
    done
}
same_cycles lat-mem-rd bench lat-mem-rd --set workload.chase_max=4MiB
same_cycles slab-test bench slab-test --set workload.micro_count=2000
same_cycles contended bench contended
same_cycles replay run configs/quickstart.yaml

python3 scripts/lib/hw_table.py "$out" scripts/lib docs/model-machine.md
