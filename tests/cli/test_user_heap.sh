#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run, workload.type user-heap: the shipped record, determinism, misuse in a record, bad input.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2

has() { # FILE MEMBER VALUE
    grep -qE "\"$2\": $3,?\$" "$1" || complain "$1: \"$2\" is not $3 but $(grep -E "\"$2\":" "$1" | tr -s '\n ' ' ')"
}

heap() { # OUT, options: a run without plots
    local out=$1
    shift
    expect 0 run "$root/configs/user-heap.yaml" --out "$out" --set report.plots=false --set report.html=false "$@"
    no_err
}

cd "$root" || exit 1
heap "$tmp/a"
heap "$tmp/b"
for f in user-heap.json user-heap.csv latency.csv buddyinfo.csv; do
    cmp -s "$tmp/a/$f" "$tmp/b/$f" || complain "$f differs between two runs"
done
heap "$tmp/off" --set timing=off
cmp -s "$tmp/a/user-heap.json" "$tmp/off/user-heap.json" || complain 'time changed what the heap did'
json=$tmp/a/user-heap.json
for member in double_free invalid_pointer corruption end_live_bytes frames_left_after_exit oom segv; do
    has "$json" $member 0
done
has "$json" from_mmap 1
has "$json" mmap_threshold_end 303096
has "$json" trim_threshold_end 606192
grep -qE '^malloc,0,3846,' "$tmp/a/latency.csv" || complain 'latency.csv lacks malloc'
[ "$(head -1 "$tmp/a/user-heap.csv")" = calls,time_ns,live_bytes,heap_bytes,mapped_bytes,rss_pages,table_pages ] ||
    complain 'columns of user-heap.csv'
[ "$(wc -l <"$tmp/a/user-heap.csv")" -gt 400 ] || complain 'user-heap.csv is too short'
heap "$tmp/two" --set timing=off --set machine.paging=2level
has "$tmp/two/user-heap.json" table_pages 4

# A buggy program: the second free and a free of a pointer nobody allocated.
printf '= Start\n@ p:[0x1] + 0x1000 0x20\n@ p:[0x1] - 0x1000\n@ p:[0x1] - 0x1000\n@ p:[0x1] - 0x2000\n= End\n' \
    >"$tmp/bug.mtrace"
heap "$tmp/bug" --trace "$tmp/bug.mtrace"
has "$tmp/bug/user-heap.json" double_free 1
has "$tmp/bug/summary.json" free_of_unknown 1
grep -q 'heap_misuse.*double free detected in tcache 2.*line 4' "$tmp/bug/events.csv" || complain 'events.csv lacks the double free'

# A program that wants more than there is dies, and everything is given back.
for i in $(seq 1 400); do printf '@ p:[0x1] + 0x%x 0x100000\n' $((i * 16777216)); done >"$tmp/big.mtrace"
heap "$tmp/big" --trace "$tmp/big.mtrace" --set machine.ram=64MiB --set timing=off
has "$tmp/big/user-heap.json" oom 1
has "$tmp/big/user-heap.json" frames_left_after_exit 0
grep -q oom_kill "$tmp/big/events.csv" || complain 'events.csv lacks the kill'

bad() { # MESSAGE, options
    local message=$1
    shift
    expect "$1" run "$root/configs/user-heap.yaml" --out "$tmp/bad" "${@:2}"
    in_err "$message"
}
echo '@ p:[0x1] + 0x10' >"$tmp/bad.mtrace"
bad 'not an mtrace' 1 --trace "$tmp/bad.mtrace"
printf '= Start\n@ p:[0x1] + 0x10 0x10\nrubbish\n' >"$tmp/late.mtrace"
bad 'late.mtrace:3: not an mtrace record: rubbish' 1 --trace "$tmp/late.mtrace"
printf "= Start\n= End\n" >"$tmp/none.mtrace"
bad "no heap calls" 1 --trace "$tmp/none.mtrace"
bad 'not an mtrace' 1 --trace "$root/traces/excerpts/record.txt.gz"
bad 'machine.split: user-heap needs 3g1g' 2 --set machine.split=2g2g
bad 'at least 32MiB' 2 --set machine.ram=16MiB
done_checking
