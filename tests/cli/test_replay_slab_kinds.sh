#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Mode objects with each slab allocator: what if the traced machine had had SLAB or SLOB? Runs end with sound lists (the
# replay checks the layer itself), give the same results twice and with time on, and differ where the allocators do.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
config=$tmp/objects.yaml
cat >"$config" <<END
extends: [machine/generic-2cpu.yaml, os/linux-6.1.yaml]
machine: {cpus: auto, ram: auto, paging: auto}
workload: {type: replay, trace: $root/traces/pae-512m-forkexec, limit: 40000}
replay: {mode: objects, pacing: back-to-back}
timing: off
report: {plots: false, html: false}
END

number() { grep -o "\"$2\": *[0-9.]*" "$1/summary.json" | head -n 1 | grep -o '[0-9.]*$'; }

expect 0 list allocators
for kind in slab slob slub; do
    grep -q "^ *$kind " "$tmp/out" || complain "list allocators does not name $kind"
done

for kind in slab slob; do
    expect 0 run "$config" --out "$tmp/$kind" --quiet --set os.slab=$kind
    expect 0 run "$config" --out "$tmp/$kind-2" --quiet --set os.slab=$kind
    cmp -s "$tmp/$kind/truth.csv" "$tmp/$kind-2/truth.csv" || complain "$kind: two runs differ"
    [ "$(number "$tmp/$kind" slab_pages_model)" -gt 0 ] || complain "$kind asked for no page"
    expect 0 run "$config" --out "$tmp/$kind-t" --quiet --set os.slab=$kind --set timing=full --set workload.limit=6000
    expect 0 run "$config" --out "$tmp/$kind-u" --quiet --set os.slab=$kind --set workload.limit=6000
    [ "$(number "$tmp/$kind-t" slab_pages_model)" = "$(number "$tmp/$kind-u" slab_pages_model)" ] ||
        complain "$kind: timing changes the pages asked for"
done
cmp -s "$tmp/slab/truth.csv" "$tmp/slob/truth.csv" && complain 'SLAB and SLOB take the same pages'

# SLAB: size classes from 32 bytes on, tunables in slabinfo; SLOB has no slabinfo.
info=$tmp/slab/proc/slabinfo
grep -q '^kmalloc-32 ' "$info" || complain 'no kmalloc-32 under SLAB'
grep -q '^kmalloc-16 ' "$info" && complain 'kmalloc-16 under SLAB'
grep '^kmalloc-64 ' "$info" | grep -q 'tunables  120   60    8' || complain 'no tunables of kmalloc-64'
[ -e "$tmp/slob/proc/slabinfo" ] && complain 'slabinfo under SLOB'

# What was live at the start is live under every allocator, and on another number of CPUs.
live() { awk -v c="$2" '$1 == c {print $2}' "$1/proc/slabinfo"; }
expect 0 run "$config" --out "$tmp/slub" --quiet --set os.slab=slub
expect 0 run "$config" --out "$tmp/slub-4" --quiet --set os.slab=slub --set machine.cpus=4
for cache in dentry inode_cache kernfs_node_cache radix_tree_node; do
    want=$(live "$tmp/slub" $cache)
    for run in slab slub-4; do
        have=$(live "$tmp/$run" $cache)
        [ $((have * 100)) -ge $((want * 95)) ] && [ $((have * 95)) -le $((want * 100)) ] ||
            complain "$run: $have objects of $cache, not $want"
    done
done
done_checking
