#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# validate-cost.sh [MEMREF_DIR] - compares what a call of the model's allocator functions costs (instructions, loads,
# stores, lines) with recorded calls of the real ones (MEMREF_DIR or $KMEMSIM_MEMREF: a folder with memref.txt.gz) and
# writes the table into docs/model-cost.md. PRESET chooses the build (default release).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

if [ "${1-}" = -h ] || [ "${1-}" = --help ]; then
    sed -n '3,5s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
fi
[ $# -le 1 ] || die "scripts/validate-cost.sh takes at most one folder (see --help)"
memref=${1:-${KMEMSIM_MEMREF-}}
preset=${PRESET:-release}
if [ -z "$memref" ] || [ ! -e "$memref/memref.txt.gz" ]; then
    echo "skipped: no recorded references (${memref:-name a folder or set KMEMSIM_MEMREF}: memref.txt.gz)"
    exit 0
fi
memref=$(realpath "$memref")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install_missing
build "$preset"
say "replaying traces/pae-512m-forkexec in mode objects on a counting port"
(cd "$root" && "build/$preset/bin/bench_cost" traces/pae-512m-forkexec) >"$work/model"
gzip -dc "$memref/memref.txt.gz" | grep '^E ' >"$work/real"

awk -f "$root/scripts/lib/cost_table.awk" "$work/model" "$work/real" >"$work/table"
cat "$work/table"

# How the calls are distributed: share of calls that need at most so many instructions besides stores.
functions="alloc_pages free_pages kmalloc kmem_cache_alloc kmem_cache_free kfree"
awk -v emit=1 -f "$root/scripts/lib/cost_table.awk" "$work/model" "$work/real" | sort -k1,1 -k2,2 -k3,3n >"$work/calls"
for f in $functions; do
    for side in real model; do
        awk -v f="$f" -v side="$side" '$1 == f && $2 == side { v[++n] = $3 }
            END { print v[1], 0; for (i = 1; i <= n; i++) if (v[i] != v[i + 1]) print v[i], i / n; print "\n" }' "$work/calls"
    done
done >"$work/cdf"
gnuplot -c "$root/scripts/plot/cost_cdf.gp" "$work/cdf" "$root/docs/cost-distribution.svg" "$root/scripts/plot" "$functions"

doc=$root/docs/model-cost.md
awk -v table="$work/table" '
/<!-- cost:end -->/ { inside = 0 }
!inside { print }
/<!-- cost:begin -->/ { inside = 1; while ((getline line < table) > 0) print line }' "$doc" >"$work/doc"
cat "$work/doc" >"$doc"
say "wrote $doc (bold: within 15 %) and docs/cost-distribution.svg"
