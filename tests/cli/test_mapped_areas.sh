#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Replays give the kernel's mapped areas the addresses a real kernel gave them, and write /proc/vmallocinfo in its
# format. Data: the real start state of traces/pae-512m-forkexec; 246 requests of a machine that loads modules.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
data=$root/tests/data/vmalloc-pae-512m-modules.txt

replay() { # name, trace, mode
    expect 0 run "$root/configs/replay.yaml" --trace "$2" --set replay.mode="$3" --set report.plots=false \
        --set report.html=false --out "$tmp/$1" --quiet
}

value() { # run, key below "vmalloc": {agree, events} or the counts
    grep -A11 '"vmalloc": {' "$tmp/$1/summary.json" | grep -m1 -o "\"$2\": *[0-9]*" | grep -o '[0-9]*$'
}

is() { # run, key, expected
    [ "$(value "$1" "$2")" = "$3" ] || complain "$1: $2 is \"$(value "$1" "$2")\", not $3"
}

# The requests of the data as a capture: probes as a kernel writes them, and the areas there were at the beginning.
mkdir -p "$tmp/modules/start"
cp "$root"/traces/pae-512m-forkexec/start/{buddyinfo,zoneinfo,cpuinfo,version,iomem} "$tmp/modules/start"
while read -r word start bytes _; do
    [ "$word" = busy ] && printf '0x%08x-0x%08x %7d load_module+0xae0/0x1d20 pages=%d vmalloc\n' \
        "0x$start" $((0x$start + bytes)) "$bytes" $((bytes / 4096 - 1))
done <"$data" >"$tmp/modules/start/vmallocinfo"
awk 'function put(event, text) { printf "        modprobe-292   [000] %12.6f: %s: %s\n", ++n / 1000, event, text }
     BEGIN { print "cpus=2"
             put("mm_page_alloc", "page=0x5000 pfn=0x5000 order=0 migratetype=0 gfp_flags=GFP_KERNEL") }
     $1 == "alloc" { put("vmalloc_range", "(c128f660) size=" $2 " align=" $3 " start=0xe07da000 end=0xfeffe000 gfp=0xcc0")
                     put("vmalloc_range_ret", "(c128f660 <- c1061d0c) ptr=0x" $4) }
     $1 == "remove" { put("vfree", "(c128f340) ptr=0x" $2); put("vm_area_remove", "(c128ef60) ptr=0x" $2) }' \
    "$data" >"$tmp/modules/trace.txt"
for mode in pages objects; do
    replay "modules-$mode" "$tmp/modules" "$mode"
    is "modules-$mode" agree 246
    is "modules-$mode" events 246
    is "modules-$mode" areas_start 36
    is "modules-$mode" frees 236
    is "modules-$mode" unknown_frees 0
    cmp -s "$tmp/modules/start/vmallocinfo" "$tmp/modules-$mode/proc/start/vmallocinfo" ||
        complain "modules-$mode: proc/start/vmallocinfo differs from what was read"
    awk '/^end/ { printf "0x%s %d\n", $2, $3 }' "$data" >"$tmp/want"
    sed 's/-0x[0-9a-f]*//' "$tmp/modules-$mode/proc/vmallocinfo" | awk '!/unpurged/ { print $1, $2 }' >"$tmp/got"
    cmp -s "$tmp/want" "$tmp/got" || complain "modules-$mode: the areas at the end differ from the real ones"
done

# Frees and returns nobody asked for, absurd sizes, a failed request: counted, survived.
mkdir -p "$tmp/events"
awk 'function put(event, text) { printf "        modprobe-292   [000] %12.6f: %s: %s\n", ++n / 1000, event, text }
     BEGIN { put("mm_page_alloc", "page=0x5000 pfn=0x5000 order=0 migratetype=0 gfp_flags=GFP_KERNEL")
             put("vfree", "(c128f340) ptr=0xe0900000")
             put("vfree", "(c128f340) ptr=0x0")
             put("vmalloc_range_ret", "(c128f660 <- c1061d0c) ptr=0xe0801000")
             put("vmalloc_range", "(c128f660) size=4294967295 align=3 start=0xe07da000 end=0xfeffe000 gfp=0xcc0")
             put("vmalloc_range_ret", "(c128f660 <- c1061d0c) ptr=0xe0803000")
             put("vmalloc_range", "(c128f660) size=8192 align=1 start=0xe07da000 end=0xfeffe000 gfp=0xcc0")
             put("vmalloc_range_ret", "(c128f660 <- c1061d0c) ptr=0x0")
             put("vm_area", "(c128ee00) size=12288 flags=0x1") }' >"$tmp/events/trace.txt"
replay odd "$tmp/events/trace.txt" pages
is odd events 1
is odd agree 0
is odd unknown_frees 1
is odd failed 1
[ "$(grep -c ioremap "$tmp/odd/proc/vmallocinfo")" = 1 ] || complain "odd: the ioremap area is not in vmallocinfo"
[ "$(grep -vc 'ioremap\|unpurged' "$tmp/odd/proc/vmallocinfo")" = 0 ] || complain "odd: a failed request left an area"

# Addresses hidden from the reader, and those of a 64-bit kernel, say nothing; words of other kernels are passed over.
cp -r "$tmp/modules" "$tmp/hidden"
printf '%s\n' '0x(ptrval)-0x(ptrval)    8192 n_tty_open+0x16/0x90 pages=1 vmalloc' \
    '0x00000000-0x00000000    8192 n_tty_open+0x16/0x90 pages=1 vmalloc' \
    '0xffffc90000000000-0xffffc90000002000    8192 n_tty_open+0x16/0x90 pages=1 vmalloc N0=1' \
    '0xe0800000-0xe0802000    8192 n_tty_open+0x16/0x90 pages=1 vmalloc N0=1' >"$tmp/hidden/start/vmallocinfo"
replay hidden-run "$tmp/hidden" pages
is hidden-run areas_start 1
grep -qx '0xe0800000-0xe0802000    8192 n_tty_open+0x16/0x90 pages=1 vmalloc' "$tmp/hidden-run/proc/start/vmallocinfo" ||
    complain 'hidden-run: the one area with a known address is not in proc/start/vmallocinfo'

# A damaged start state is named with file and line.
sed '3s/.*/0xe07e0000-0xe07e2000 4096 vmalloc/' "$tmp/modules/start/vmallocinfo" >"$tmp/v" &&
    mv "$tmp/v" "$tmp/modules/start/vmallocinfo"
expect 1 run "$root/configs/replay.yaml" --trace "$tmp/modules" --out "$tmp/bad" --quiet
in_err 'vmallocinfo:3'

done_checking
