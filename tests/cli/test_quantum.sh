#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A real capture on two timed CPUs: machine.quantum_cycles must not change a byte of any result.
kmemsim=$1
source_dir=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
for mode in pages objects; do
    for quantum in 0 100 1000000000; do
        "$kmemsim" run "$source_dir/configs/quickstart.yaml" --quiet --out "$tmp/$mode-$quantum" \
            --trace "$source_dir/traces/pae-512m-forkexec" --set workload.limit=6000 --set replay.mode=$mode \
            --set replay.pacing=back-to-back --set machine.cpus=2 --set machine.quantum_cycles=$quantum \
            --set report.plots=false --set report.html=false || exit 1
        # What may differ: the option itself, and wall-clock members of the summary.
        rm "$tmp/$mode-$quantum/config.resolved.yaml"
        sed -i -E '/"[a-z_]*(wall_s|_per_s|rss_bytes)": [0-9]/d' "$tmp/$mode-$quantum/summary.json"
        diff -r "$tmp/$mode-0" "$tmp/$mode-$quantum" || { echo "$mode: quantum $quantum differs"; bad=1; }
    done
    grep -q '"refs": [1-9]' "$tmp/$mode-0/summary.json" || { echo "$mode: no timed references"; bad=1; }
done
exit $bad
