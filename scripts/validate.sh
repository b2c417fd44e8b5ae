#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# validate.sh - replays every capture in every mode and makes the table of scores in docs/model-allocators.md.
#
#   scripts/validate.sh [CAPTURE...]
#
# CAPTURE is a capture folder, or a folder of such. Without one: the captures shipped in traces/ and, if it is
# set and there, every capture under $KMEMSIM_CAPTURES. Captures that are missing are named and left out.
# Builds the release preset if build/release/bin/kmemsim is not there; KMEMSIM=PATH takes another binary.
# Writes results/validate/results.csv and table.md and the lines between the table marks of
# docs/model-allocators.md; these stay as they are if they have a capture that was not replayed now.
# The same captures give the same files.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/runs.sh
. "$root/scripts/lib/runs.sh"
if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '3,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi
use_kmemsim

if [ $# -gt 0 ]; then
    for path in "$@"; do add "$path"; done
else
    add "$root/traces"
    add "$root/traces/excerpts"
    [ -z "${KMEMSIM_CAPTURES:-}" ] || add "$KMEMSIM_CAPTURES"
fi
[ ${#captures[@]} -gt 0 ] || die "no captures"

out=$root/results/validate
rm -rf "$out"
mkdir -p "$out"
cd "$root"

# Name of a run and the options that make it.
runs=(oracle buddy pages pages-blind objects)
options_of() {
    case $1 in
    pages-blind) echo --set replay.mode=pages --set replay.lookahead=false ;;
    *) echo --set "replay.mode=$1" ;;
    esac
}

declare -A seen=()
for capture in "${captures[@]}"; do
    name=$(basename "$capture")
    # A shipped copy and its original have the same name and the same trace.
    [ -z "${seen[$name]:-}" ] || continue
    seen[$name]=1
    mkdir -p "$out/$name" # also when every run fails: the table says so
    for run in "${runs[@]}"; do
        say "$name, $run"
        # shellcheck disable=SC2046
        "$kmemsim" run configs/replay.yaml --trace "$capture" $(options_of "$run") --set report.plots=false \
            --set report.html=false --out "$out/$name/$run" --force --quiet >"$out/$name.$run.log" 2>&1 ||
            say "$name, $run: failed: $(head -n 1 "$out/$name.$run.log")"
        [ -s "$out/$name.$run.log" ] || rm -f "$out/$name.$run.log"
    done
done
python3 "$root/scripts/lib/validate_table.py" "$out" "$root/docs/model-allocators.md"
