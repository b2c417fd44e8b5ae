#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench.sh [BUNDLE] - builds the release preset and prints how fast this machine reads and replays a capture (default:
# the shipped one), best of three rounds on one core. Peers and what the figures mean: docs/performance.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

if [ "${1-}" = -h ] || [ "${1-}" = --help ]; then
    sed -n '3,4s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
fi
[ $# -le 1 ] || die "scripts/bench.sh takes at most one bundle (see --help)"
bundle=$(realpath "${1:-$root/traces/pae-512m-forkexec}")
[ -d "$bundle" ] || die "$bundle is not a folder"
rounds=3

install_missing
build release
bin=$root/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

row() { printf '%-58s %9s %s\n' "$1" "$2" "$3"; }
millions() { awk -v v="$1" 'BEGIN {printf "%.2f", v / 1e6}'; }
best() { awk 'BEGIN {b = 0} $1 > b {b = $1} END {print b}'; }

# reading LABEL FILE
reading() {
    row "$1" "$("$bin/bench_trace" "$2" $rounds | sed -n 's/.*, \([0-9.]*\) M events\/s$/\1/p')" "M events/s"
}

# replaying KEY SET...: best rate of rates.KEY over the rounds
replaying() {
    local key=$1 i set sets=()
    shift
    for set; do sets+=(--set "$set"); done
    for ((i = 0; i < rounds; i++)); do
        taskset -c 0 "$bin/kmemsim" run "$root/configs/$config" --trace "$work/b" --out "$work/run" --force --quiet \
            --set report.plots=false --set report.html=false "${sets[@]}" >/dev/null
        sed -n "/^  \"rates\"/,\$s/^ *\"$key\": \([0-9.e+]*\),*$/\1/p" "$work/run/summary.json"
    done | best
}

say "reading $(basename "$bundle") alone"
cp -r "$bundle" "$work/b"
chmod -R u+w "$work/b"
if ls "$work/b"/trace.txt* >/dev/null 2>&1; then
    reading 'text, gzipped' "$(ls "$work/b"/trace.txt*)"
    [ -e "$work/b/trace.txt" ] || gzip -d "$work/b/trace.txt.gz"
    reading 'text' "$work/b/trace.txt"
fi
if [ -e "$work/b/trace.dat.gz" ]; then
    gzip -d "$work/b/trace.dat.gz"
fi
[ ! -e "$work/b/trace.dat" ] || reading 'trace.dat (decoded in a child process)' "$work/b/trace.dat"

say "functional replay (configs/replay.yaml)"
config=replay.yaml
for mode in oracle buddy pages objects; do
    row "$mode: the replay pass, with reading, samples, report" \
        "$(millions "$(replaying replay_events_per_s replay.mode=$mode)")" "M events/s"
    row "$mode: with the passes that look ahead" \
        "$(millions "$(replaying events_per_s replay.mode=$mode)")" "M events/s"
done

say "timed replay, mode pages (configs/quickstart.yaml)"
config=quickstart.yaml
row "trace events" "$(millions "$(replaying replay_events_per_s)")" "M events/s"
row "memory references" "$(millions "$(replaying replay_refs_per_s)")" "M references/s"
say "timed replay, mode objects"
row "trace events" "$(millions "$(replaying replay_events_per_s replay.mode=objects)")" "M events/s"
row "memory references" "$(millions "$(replaying replay_refs_per_s replay.mode=objects)")" "M references/s"

say "the timed CPU port alone: references of an allocator's kind (machine p3-xeon-700x2)"
taskset -c 0 "$bin/bench_machine" 10
