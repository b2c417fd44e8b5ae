#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The /proc files of a run as scripts read them: awk sums over buddyinfo, zoneinfo, meminfo, vmstat, pagetypeinfo and
# slabinfo agree with each other, and every line of a running 6.1 kernel is there, in its order.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
cat >"$tmp/c.yaml" <<END
extends: [quickstart.yaml]
workload: {trace: $root/traces/pae-512m-forkexec, limit: 20000}
replay: {mode: objects}
timing: off
report: {plots: false, html: false}
END
expect 0 run "$tmp/c.yaml" --out "$tmp/run" --quiet
real=$root/tests/unit/report/proc/pae-1g-boot

same() { # WHAT A B
    [ "$2" = "$3" ] && [ -n "$2" ] || complain "$1: $2 and $3"
}

for when in proc proc/start; do
    proc=$tmp/run/$when
    [ -d "$proc" ] || continue
    for file in meminfo vmstat; do
        cut -d' ' -f1 "$real/$file" | sed 's/:.*//' >"$tmp/want"
        cut -d' ' -f1 "$proc/$file" | sed 's/:.*//' >"$tmp/got"
        diff "$tmp/want" "$tmp/got" >"$tmp/out" || complain "$when/$file has other lines than a running kernel's"
    done
    # the words of zoneinfo's lines, up to the second zone with pages
    for f in "$real/zoneinfo" "$proc/zoneinfo"; do
        awk '/zone +Normal/ {exit} {gsub(/[0-9]+/, "N"); $1 = $1; print}' "$f" >"$tmp/$(basename "$(dirname "$f")").words"
    done
    diff "$tmp/pae-1g-boot.words" "$tmp/$(basename "$proc").words" >"$tmp/out" || complain "$when/zoneinfo has other lines"

    free=$(awk '$1 == "nr_free_pages" {print $2}' "$proc/vmstat")
    same 'buddyinfo and vmstat' "$(awk '{for (i = 5; i <= NF; i++) s += $i * 2 ^ (i - 5)} END {print s}' "$proc/buddyinfo")" "$free"
    same 'meminfo and vmstat' "$(awk '/^MemFree:/ {print $2 / 4}' "$proc/meminfo")" "$free"
    same 'zoneinfo and vmstat' "$(awk '$1 == "nr_free_pages" {s += $2} END {print s}' "$proc/zoneinfo")" "$free"
    same 'pagetypeinfo and vmstat' \
        "$(awk '/, type / {for (i = 7; i <= NF; i++) s += $i * 2 ^ (i - 7)} END {print s}' "$proc/pagetypeinfo")" "$free"
    same 'High and Low' "$(awk '/^(HighTotal|LowTotal):/ {s += $2} END {print s}' "$proc/meminfo")" \
        "$(awk '/^MemTotal:/ {print $2}' "$proc/meminfo")"
done

# as slabtop sums it: slabs times pages per slab
proc=$tmp/run/proc
pages=$(awk 'NR > 2 {s += $15 * $6} END {print s}' "$proc/slabinfo")
same 'slabinfo and vmstat' "$pages" "$(awk '/^nr_slab_/ {s += $2} END {print s}' "$proc/vmstat")"
same 'slabinfo and meminfo' "$((pages * 4))" "$(awk '/^Slab:/ {print $2}' "$proc/meminfo")"
awk 'NR > 2 && ($2 > $3 || NF != 16 || $3 != $15 * $5) {print; bad = 1} END {exit bad}' "$proc/slabinfo" >"$tmp/out" ||
    complain 'slabinfo has impossible lines'
awk '{for (i = 5; i <= NF; i++) if ($i !~ /^-?[0-9]+\.[0-9][0-9][0-9]$/ || $i > 1) exit 1}' "$proc/extfrag_index" ||
    complain 'extfrag_index is not what scripts expect'
awk '{for (i = 5; i <= NF; i++) if ($i !~ /^[01]\.[0-9][0-9][0-9]$/) exit 1}' "$proc/unusable_index" ||
    complain 'unusable_index is not what scripts expect'
grep -q ' : System RAM$' "$proc/iomem" || complain 'iomem has no System RAM'
done_checking
