#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check-determinism.sh - builds kmemsim with -O0 and with -O3 in a temporary folder, runs both on the shipped capture and
# compares every file they write. Takes a few minutes, so scripts/test.sh leaves it out; run it before a release.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

if [ $# != 0 ]; then
    [ "$1" = -h ] || [ "$1" = --help ] || die "scripts/check-determinism.sh takes no arguments (see --help)"
    sed -n '3,4s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
fi

install_missing
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for level in O0 O3; do
    say "building with -$level"
    logged "$work/$level.log" cmake -S "$root" -B "$work/$level" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        "-DCMAKE_C_FLAGS_DEBUG=-$level" "-DCMAKE_CXX_FLAGS_DEBUG=-$level"
    logged "$work/$level.log" cmake --build "$work/$level" --target kmemsim
done

failed=0
# same LABEL CONFIG SET...: one run with each build
same() {
    local label=$1 config=$2 level set sets=()
    shift 2
    for set; do sets+=(--set "$set"); done
    for level in O0 O3; do
        rm -rf "$work/run-$level"
        "$work/$level/bin/kmemsim" run "$root/configs/$config" --trace "$root/traces/pae-512m-forkexec" \
            --out "$work/run-$level" --quiet --set report.plots=false "${sets[@]}"
        # what depends on the host comes last in summary.json
        sed -i '/^  "nondeterministic": /,$d' "$work/run-$level/summary.json"
    done
    if diff -r "$work/run-O0" "$work/run-O3" >"$work/diff"; then
        printf '%-40s identical, %d files\n' "$label" "$(find "$work/run-O0" -type f | wc -l)"
    else
        printf '%-40s DIFFERENT\n' "$label"
        head -20 "$work/diff"
        failed=1
    fi
}

say "comparing runs"
for mode in oracle buddy pages objects; do
    same "$mode, functional" replay.yaml replay.mode=$mode
    same "$mode, timed, 2 CPUs" quickstart.yaml replay.mode=$mode workload.limit=60000
    same "$mode, timed, back to back" quickstart.yaml replay.mode=$mode replay.pacing=back-to-back workload.limit=30000
done
[ "$failed" = 0 ] && say "both builds write the same bytes"
exit $failed
