#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim bench: tables, folders, options, errors; waveform and DRAM commands of a run.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
source=$2

expect 0 bench lat-mem-rd --machine p3-xeon-700x2 --set workload.chase_max=64KiB --set report.plots=false \
    --set report.vcd=true --set report.dram_commands=true --set report.vcd_changes=200000 --out "$tmp/lat" --quiet
no_err
in_out size_bytes
head -1 "$tmp/lat/lat_mem_rd.csv" | grep -qx 'size_bytes,stride_bytes,latency_ns' || complain 'no lat_mem_rd.csv'
# 3 cycles of 700 MHz in the first-level cache, 9 in the second
grep -qx '8192,64,4.286' "$tmp/lat/lat_mem_rd.csv" || complain 'L1 is not 3 cycles'
grep -q '"complete": true' "$tmp/lat/summary.json" || complain 'not complete'
grep -q '^\$timescale 1ps \$end' "$tmp/lat/waves.vcd" || complain 'no waveform'
grep -q ' snoop_result \$end' "$tmp/lat/waves.vcd" || complain 'no bus in the waveform'
# in each DRAM channel's trace time goes on, columns follow activates of the same row
gzip -dc "$tmp/lat/dram_commands.csv.gz" | awk -F, '
    NR == 1 { if ($0 != "clock,command,channel,rank,bank,row,column") bad = 1; next }
    $1 <= last && NR > 2 { bad = 1 }
    { last = $1; key = $4 "." $5; n++ }
    $2 == "ACT" { if (key in open) bad = 1; open[key] = $6 }
    $2 == "RD" || $2 == "WR" { if (!(key in open) || open[key] != $6) bad = 1 }
    $2 == "PREpb" { delete open[key] }
    $2 == "PREab" { for (k in open) if (index(k, $4 ".") == 1) delete open[k] }
    END { exit bad || n < 100 }' || complain 'the DRAM commands make no sense'

expect 0 bench lat-mem-rd --machine p3-xeon-700x2 --set workload.chase_max=64KiB --set report.plots=false \
    --out "$tmp/again" --quiet
cmp -s "$tmp/lat/lat_mem_rd.csv" "$tmp/again/lat_mem_rd.csv" || complain 'watching changed the result'

expect 0 bench slab-test --set workload.micro_count=300 --set report.plots=false --set report.html=false \
    --out "$tmp/slab" --quiet
in_out alloc_cycles
[ "$(wc -l <"$tmp/slab/slab_test.csv")" = 11 ] || complain 'not ten sizes'
awk -F, 'NR > 1 && ($3 <= 0 || $4 <= 0 || $5 <= 0) { exit 1 }' "$tmp/slab/slab_test.csv" || complain 'no cycles'
expect 0 bench page-bench --set workload.micro_count=200 --set timing=off --set report.plots=false \
    --out "$tmp/pages" --quiet
[ "$(wc -l <"$tmp/pages/page_bench.csv")" = 12 ] || complain 'not eleven orders'

# A line that goes round costs more than an owned one; the same cycles without SystemC.
for engine in systemc stepper; do
    expect 0 bench contended --engine "$engine" --set workload.micro_count=40 --set report.plots=false --out "$tmp/line-$engine" --quiet
    in_out cmpxchg-blind
done
cmp -s "$tmp/line-systemc/contended.csv" "$tmp/line-stepper/contended.csv" || complain 'engines differ'
# owned: 21 cycles of 700 MHz, 34 more for CMPXCHG
grep -qx 'atomic-inc,self,40,21.0,30.0' "$tmp/line-stepper/contended.csv" || complain 'an owned increment is not 21 cycles'
grep -qx 'cmpxchg-blind,self,40,55.0,78.6' "$tmp/line-stepper/contended.csv" || complain 'an owned CMPXCHG is not 55 cycles'
# within 10 percent of what was measured
awk -F, 'BEGIN { want["atomic-inc"] = 113.2; want["cmpxchg-blind"] = 170.4; want["cmpxchg"] = 360.9 }
    $2 == "other" && $1 in want { n++; if ($5 < .9 * want[$1] || $5 > 1.1 * want[$1]) bad = 1 }
    END { exit bad || n != 3 }' "$tmp/line-systemc/contended.csv" || complain 'contended lines are off'
expect 2 bench contended --set machine.cpus=1 --out "$tmp/one"
in_err 'machine.cpus: contended needs at least two'
expect 2 bench contended --set timing=off --out "$tmp/off"
in_err 'contended needs timing: full'
expect 2 bench contended --engine verilog
in_err "unknown engine 'verilog' (known: systemc, stepper)"

expect 2 bench
in_err 'which benchmark?'
expect 2 bench lat-mem
in_err "unknown benchmark 'lat-mem', did you mean 'lat-mem-rd'?"
expect 2 bench slab-test page-bench
in_err 'one benchmark at a time'
expect 2 bench slab-test --machine nothing --out "$tmp/x"
in_err "no such file 'machine/nothing.yaml'"
expect 2 bench slab-test --machine ../etc
in_err 'is not the name of a machine'
expect 2 bench lat-mem-rd --set workload.chase_strides=5B --out "$tmp/x"
in_err 'workload.chase_strides'
expect 2 bench slab-test --out "$tmp/slab"
expect 0 bench --help
in_out lat-mem-rd
in_out slab-test

# The trace of row hits: 16 reads of each row in turn, in eight banks. One read at a time: eight closed banks (26
# clocks), then conflicts (37), 15 hits of 15 clocks each; a request is offered one clock after the one before ended.
rows=$source/tests/data/dram-row-hits.trc.gz
n=$(gzip -dc "$rows" | wc -l)
expect 0 run "$source/configs/dram.yaml" --trace "$rows" --set workload.mlp=1 --set machine.dram.refresh=false \
    --set report.html=false --out "$tmp/rows" --quiet
groups=$((n / 16))
sum=$((8 * 26 + (groups - 8) * 37 + groups * 15 * 15))
grep -q "\"end_cycle\": $((sum + n - 1))," "$tmp/rows/summary.json" || complain "end is not $((sum + n - 1))"
grep -q "\"row_hits\": $((n - groups))," "$tmp/rows/summary.json" || complain "not $((n - groups)) row hits"
# Saturated, the data bus never rests between the first activate and the last burst of four clocks.
expect 0 run "$source/configs/dram.yaml" --trace "$rows" --set machine.dram.refresh=false --set report.html=false \
    --out "$tmp/rows2" --quiet
grep -q "\"end_cycle\": $((22 + 4 * n))," "$tmp/rows2/summary.json" || complain "end is not $((22 + 4 * n))"
done_checking
