#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run, workload.type dma: determinism over quanta, rates, bouncing, losses, hazards, settings that cannot be.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
config=$2/configs/dma.yaml

dma() { # OUT, options
    local out=$tmp/$1
    shift
    expect 0 run "$config" --quiet --out "$out" --set report.plots=false --set report.html=false \
        --set dma.duration=6ms "$@"
    no_err
}
value() { # OUT DEVICE MEMBER: a number of summary.json
    sed -n '/^  "dma": {/,/^  }/p' "$tmp/$1/summary.json" | sed -n "/^    \"$2\": {/,/^    }/p" |
        sed -n "s/^ *\"$3\": \([0-9.]*\),\{0,1\}$/\1/p"
}
between() { # OUT DEVICE MEMBER LOW HIGH
    local got
    got=$(value "$1" "$2" "$3")
    awk -v v="$got" -v a="$4" -v b="$5" 'BEGIN { exit !(v != "" && v >= a && v <= b) }' ||
        complain "$1: $2 $3 is $got, not $4 to $5"
}
event() { grep -qE "$2" "$tmp/$1/events.csv" || complain "$1: no event like $2"; }
only() { # a device: the options that turn the others off
    local d
    for d in floppy sound nic disk; do [ "$d" = "$1" ] || printf -- '--set dma.%s.on=false ' "$d"; done
}

# Every byte of the results is the same whatever the quantum.
for q in 0 77 1000000000; do
    dma "q$q" --set machine.quantum_cycles=$q --set dma.disk.mask=24 --set dma.nic.snooped=false
    rm "$tmp/q$q/config.resolved.yaml"
    sed -i -E '/"[a-z_]*(wall_s|events_per_s|refs_per_s|rss_bytes)": [0-9]/d' "$tmp/q$q/summary.json"
    diff -r "$tmp/q0" "$tmp/q$q" >/dev/null || complain "quantum $q changes results"
done
between q0 disk bounced 40 100
between q0 disk mapping_failures 0 0
between q0 nic data_mismatches 0 0
between q0 nic frames 40 50
between q0 nic snoop_hits 0 0
event q0 ',bounce,"disk: 0x[0-9a-f]+ at 0x[0-9a-f]{6}, 4096 bytes"'

# The wires are 1 us a unit, the bus is slower: what it moves is its rate. 0.84 MB/s and 1.6 to 1.7 MB/s.
# shellcheck disable=SC2046
dma isa8 $(only floppy) --set dma.floppy.unit_time=1us --set dma.floppy.block=4KiB
between isa8 floppy busy_rate_bytes_per_s 798000 882000
between isa8 floppy overruns 100 100000
event isa8 ',dma_overrun,"floppy: '
# shellcheck disable=SC2046
dma isa16 $(only sound) --set dma.sound.unit_time=1us
between isa16 sound busy_rate_bytes_per_s 1600000 1740000
event isa16 ',dma_underrun,"sound: '

# One page can stand in for one page; without anything the buffers come from ZONE_DMA.
dma isa --set dma.bounce=isa --set dma.disk.mask=24
between isa disk bounced 40 100
dma none --set dma.bounce=none --set dma.disk.mask=24
between none disk bounced 0 0
between none floppy mapping_failures 0 0

# The network card's buffers arrive intact also through a bounce buffer.
dma nic24 --set dma.nic.mask=24
between nic24 nic bounced 40 100
between nic24 nic data_mismatches 0 0
# A disk whose medium is faster than the bus runs empty.
dma fast --set dma.disk.byte_time=5ns
between fast disk underruns 10 1000
event fast ',dma_underrun,"disk: '
# A receiver whose driver does not keep up misses frames.
dma slow --set dma.nic.ring=1 --set dma.nic.gap=0ps
between slow nic missed 1 1000

dma report --set report.html=true
grep -q 'Devices' "$tmp/report/report.html" || complain 'report.html lacks the devices'

rule() { # MESSAGE, YAML under dma:
    printf 'extends: %s\nworkload: {type: dma}\ntiming: %s\ndma:\n%s\n' "$config" "${3:-full}" "$2" >"$tmp/c.yaml"
    expect 2 run "$tmp/c.yaml" --out "$tmp/never"
    grep -qE "^kmemsim: $tmp/c.yaml:[0-9]+:[0-9]+: .*$1" "$tmp/err" || complain "not said: $1"
}
rule 'a mask of 23 bits is below' '  nic: {mask: 23}'
rule 'a mask of 33 bits is beyond the 32' '  disk: {mask: 33}'
rule 'the FIFO must hold at least two bursts' '  nic: {fifo: 32B}'
rule 'a burst must be a power of two' '  nic: {burst: 24B}'
rule 'the threshold must lie' '  disk: {threshold: 1KiB}'
rule 'a block of 8192 bytes is too large' '  bounce: isa
  sound: {block: 8KiB}'
rule 'needs timing: full' '  duration: 1ms' off
rule 'no device is on' '  floppy: {on: false}
  sound: {on: false}
  nic: {on: false}
  disk: {on: false}'
done_checking
