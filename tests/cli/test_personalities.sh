#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What if the captured machine had run an older kernel? The quickstart replay under each kernel of configs/os, with and
# without time: runs end with sound lists, twice the same, and /proc speaks as that kernel does.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2

types() { grep '^Number of blocks type' "$tmp/$1/proc/pagetypeinfo" | tr -s ' ' | sed 's/ $//'; }

for kernel in linux-2.6 linux-4.10 linux-6.1; do
    for mode in pages objects; do
        cat >"$tmp/$kernel.yaml" <<END
extends: [quickstart.yaml, os/$kernel.yaml]
workload: {trace: $root/traces/pae-512m-forkexec, limit: 8000}
replay: {mode: $mode}
timing: off
report: {plots: false, html: false}
END
        expect 0 run "$tmp/$kernel.yaml" --out "$tmp/$kernel-$mode" --quiet
        grep -q "\"personality\": \"$kernel\"" "$tmp/$kernel-$mode/summary.json" || complain "$kernel is not in summary.json"
    done
    expect 0 run "$tmp/$kernel.yaml" --out "$tmp/$kernel-timed" --quiet --set timing=full --set workload.limit=1500
done
expect 0 run "$tmp/linux-2.6.yaml" --out "$tmp/again" --quiet
diff -rq -x summary.json "$tmp/linux-2.6-objects" "$tmp/again" >"$tmp/out" || complain 'two runs differ'

[ "$(types linux-2.6-pages)" = 'Number of blocks type Unmovable Reclaimable Movable Reserve Isolate' ] ||
    complain 'pagetypeinfo of 2.6 has other types'
for kernel in linux-4.10 linux-6.1; do
    [ "$(types $kernel-pages)" = 'Number of blocks type Unmovable Movable Reclaimable HighAtomic Isolate' ] ||
        complain "pagetypeinfo of $kernel has other types"
done
cmp -s "$tmp/linux-2.6-pages/truth.csv" "$tmp/linux-6.1-pages/truth.csv" && complain '2.6 and 6.1 take the same pages'
grep -q '^size-64 ' "$tmp/linux-2.6-objects/proc/slabinfo" || complain 'SLAB of 2.6 has no size-64'
grep -q '^kmalloc-1024 ' "$tmp/linux-4.10-objects/proc/slabinfo" || complain 'SLUB of 4.10 has no kmalloc-1024'
done_checking
