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

# One line per call: ROW insns loads stores lines64, then what is left of insns without the stores.
calls() {
    awk '
    BEGIN {
        row["__alloc_pages"] = row["__folio_alloc"] = "alloc_pages"
        row["__free_pages"] = row["free_unref_page"] = "free_pages"
        row["__kmalloc"] = row["kmalloc_trace"] = row["__kmalloc_node_track_caller"] = "kmalloc"
        row["kmem_cache_alloc_lru"] = row["kmem_cache_alloc_node"] = "kmem_cache_alloc"
        split("alloc_pages free_pages kmalloc kmem_cache_alloc kmem_cache_free kfree kfree_null", own, " ")
        for (i in own) row[own[i]] = own[i]
    }
    / irq=0$/ && $3 in row {
        for (i = 4; i <= 7; i++) { split($i, a, "="); v[i] = a[2] }
        name = row[$3]
        if (name == "kfree" && v[4] <= 20) name = "kfree_null" # returns at once
        print name, v[4], v[5], v[6], v[7], v[4] - v[6]
    }' "$1"
}

# ROW COLUMN count mean median, for every row and column
summary() {
    local c
    for c in 2 3 4 5 6; do
        sort -k1,1 -k"$c,$c"n "$1" | awk -v c="$c" '
        function flush() { if (n) printf "%s %d %d %.1f %d\n", name, c, n, sum / n, v[int((n + 1) / 2)] }
        $1 != name { flush(); name = $1; n = sum = 0 }
        { v[++n] = $c; sum += $c }
        END { flush() }'
    done
}

calls "$work/model" >"$work/model.calls"
calls "$work/real" >"$work/real.calls"
summary "$work/model.calls" >"$work/model.sum"
summary "$work/real.calls" >"$work/real.sum"
awk '
BEGIN {
    split("x instructions loads stores lines64 insns-stores", title, " ")
    n = split("alloc_pages free_pages kmalloc kmem_cache_alloc kmem_cache_free kfree kfree_null", order, " ")
    print "| function | per call | real calls | real mean | model mean | ratio | real median | model median | ratio |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|"
}
function ratio(m, r) { return r ? sprintf(m / r < 0.85 || m / r > 1.15 ? "%.2f" : "**%.2f**", m / r) : "-" }
FNR == NR { mean[$1, $2] = $4; med[$1, $2] = $5; next }
{ cnt[$1] = $3; rmean[$1, $2] = $4; rmed[$1, $2] = $5 }
END {
    for (i = 1; i <= n; i++)
        for (c = 2; c <= 6; c++) {
            f = order[i]
            printf "| %s | %s | %d | %.1f | %.1f | %s | %d | %d | %s |\n", f, title[c], cnt[f], rmean[f, c], mean[f, c],
                ratio(mean[f, c], rmean[f, c]), rmed[f, c], med[f, c], ratio(med[f, c], rmed[f, c])
        }
}' "$work/model.sum" "$work/real.sum" >"$work/table"

# Objects of one size on the fast path: calls with the same number of zeroed bytes, weighted as the real ones.
awk '
BEGIN {
    base["kmem_cache_alloc"] = 17 # stores of the fast path besides zeroing
    base["kmalloc"] = 25
    split("x instructions loads stores lines64", title, " ")
    print "\n| function, like sizes | per call | real calls covered | real mean | model mean | ratio |"
    print "|---|---|---:|---:|---:|---:|"
}
!($1 in base) { next }
{ key = $1 " " int(($4 - base[$1]) / 4) }
FNR == NR { n[key]++; for (c = 2; c <= 5; c++) sum[key, c] += $c; next }
{ all[$1]++ }
key in n { used[$1]++; for (c = 2; c <= 5; c++) { real[$1, c] += $c; model[$1, c] += sum[key, c] / n[key] } }
END {
    k = split("kmalloc kmem_cache_alloc", order, " ")
    for (i = 1; i <= k; i++)
        for (c = 2; c <= 5; c++) {
            f = order[i]
            if (!used[f]) continue
            q = model[f, c] / real[f, c]
            printf "| %s | %s | %.1f %% | %.1f | %.1f | %s |\n", f, title[c], 100 * used[f] / all[f],
                real[f, c] / used[f], model[f, c] / used[f], sprintf(q < 0.85 || q > 1.15 ? "%.2f" : "**%.2f**", q)
        }
}' "$work/model.calls" "$work/real.calls" >>"$work/table"
cat "$work/table"

doc=$root/docs/model-cost.md
awk -v table="$work/table" '
/<!-- cost:end -->/ { inside = 0 }
!inside { print }
/<!-- cost:begin -->/ { inside = 1; while ((getline line < table) > 0) print line }' "$doc" >"$work/doc"
cat "$work/doc" >"$doc"
say "wrote $doc (bold: within 15 %)"
