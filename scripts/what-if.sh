#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# what-if.sh - replays captures on other machines and slab allocators, and makes the table in docs/what-if.md.
#
#   scripts/what-if.sh [CAPTURE...]
#
# CAPTURE is a capture folder, or a folder of such. Without one: the shipped pae-512m-forkexec and, if it is set
# and there, every capture under $KMEMSIM_CAPTURES.
# Runs, mode objects: as traced; half and double RAM; the other paging; one CPU; SLAB; SLOB. The shipped capture
# also runs with timing (its first 40000 events, back to back) under each slab allocator.
# Builds the release preset if build/release/bin/kmemsim is not there; KMEMSIM=PATH takes another binary.
# Leaves every run in results/what-if/CAPTURE/RUN/ and the comparison of a capture's runs in
# results/what-if/CAPTURE/compare.html; replaces the lines between the table marks of docs/what-if.md unless that
# would lose captures. The same captures give the same table.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/runs.sh
. "$root/scripts/lib/runs.sh"
if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '3,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi
use_kmemsim

if [ $# -gt 0 ]; then
    for path in "$@"; do add "$path"; done
else
    add "$root/traces/pae-512m-forkexec"
    [ -z "${KMEMSIM_CAPTURES:-}" ] || add "$KMEMSIM_CAPTURES"
fi
[ ${#captures[@]} -gt 0 ] || die "no captures"

out=$root/results/what-if
rm -rf "$out"
mkdir -p "$out"
cd "$root"

# one CAPTURE NAME RUN OPTION...
one() {
    local capture=$1 name=$2 run=$3
    shift 3
    say "$name, $run"
    "$kmemsim" run configs/replay.yaml --trace "$capture" --set replay.mode=objects "${@/#/--set=}" \
        --set report.plots=false --set report.html=false --out "$out/$name/$run" --force --quiet \
        >"$out/$name.$run.log" 2>&1 || say "$name, $run: failed: $(head -n 1 "$out/$name.$run.log")"
    [ -s "$out/$name.$run.log" ] || rm -f "$out/$name.$run.log"
}
# RAM of a finished run in MiB, in steps of 64; and its page tables.
ram_mib() { python3 -c 'import json,sys; print((json.load(open(sys.argv[1]))["setup"]["ram_bytes"] + (63 << 20) >> 26) * 64)' "$1/summary.json"; }
pae() { grep -q 'version.*-pae' "$1/start/version" "$1/end/version" 2>/dev/null; }

declare -A seen=()
for capture in "${captures[@]}"; do
    name=$(basename "$capture")
    [ -z "${seen[$name]:-}" ] || continue # a shipped copy and its original have the same name
    seen[$name]=1
    one "$capture" "$name" as-traced
    [ -f "$out/$name/as-traced/summary.json" ] || continue
    mib=$(ram_mib "$out/$name/as-traced")
    one "$capture" "$name" half-ram "machine.ram=$((mib / 2))MiB"
    one "$capture" "$name" double-ram "machine.ram=$((mib * 2))MiB"
    if pae "$capture"; then other=2level; else other=pae; fi
    one "$capture" "$name" "$other" "machine.paging=$other"
    one "$capture" "$name" one-cpu machine.cpus=1
    one "$capture" "$name" slab os.slab=slab
    one "$capture" "$name" slob os.slab=slob
    if [ "$capture" = "$root/traces/pae-512m-forkexec" ]; then
        for kind in slub slab slob; do
            one "$capture" "$name" "timed-$kind" "os.slab=$kind" timing=full workload.limit=40000 replay.pacing=back-to-back
        done
    fi
    (cd "$out/$name" && "$kmemsim" compare as-traced half-ram double-ram "$other" slab slob >compare.txt 2>&1) ||
        say "$name: the runs could not be compared"
done
python3 "$root/scripts/lib/what_if_table.py" "$out" "$root/docs/what-if.md"
