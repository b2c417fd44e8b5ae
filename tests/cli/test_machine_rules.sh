#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Impossible machines are refused before anything runs: one case per rule, with file:line and the rule.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
c=$tmp/c.yaml

rule() { # YAML under machine:, line that is named, text of the message
    printf 'machine:\n%s\n' "$1" >"$c"
    expect 2 config check "$c"
    no_out
    grep -qE "^kmemsim: $c:$2:[0-9]+: .*$3" "$tmp/err" || complain "not at line $2: $3"
    expect 2 run "$c" --out "$tmp/out-dir"
    [ ! -e "$tmp/out-dir/summary.json" ] || complain 'something ran'
}

accepted() {
    printf 'machine:\n%s\n' "$1" >"$c"
    expect 0 config check "$c"
    no_err
}

# --- caches
rule '  l2: {line: 8192}' 2 'machine.l2.line: .*out of range'
rule '  l1d: {line: 48}' 2 'machine.l1d.line: .*power of two'
rule '  l1d: {size: 33KiB, ways: 8, line: 64}' 2 'impossible geometry: .*sets'
rule '  l1d: {size: 24KiB, ways: 6, replacement: plru}' 2 'plru needs a power of two'
rule '  l1d: {line: 32}' 2 'differs from machine.l1d.line'
rule '  l2:
    sector: 96' 3 'machine.l2.sector: .*power of two'
rule '  l2:
    sector: 32B' 3 'a sector of 32 bytes is not one, two, four or eight lines of 64'
rule '  l2: {sector: 1024}' 2 'a sector of 1024 bytes is not'
rule '  l1d:
    sector: 128' 3 'sectors are modelled in l2 and l3 only'
rule '  l1d: {inclusion: inclusive}' 2 'a first-level cache has no levels before it'
rule '  l1d: {size: 64KiB}
  l2: {size: 64KiB, inclusion: inclusive}' 3 'an inclusive level must hold at least what the levels before it hold'
rule '  l1d: {write: through}
  l2: {inclusion: exclusive}' 3 'an exclusive level needs a write-back, write-allocate l1d before it'
rule '  l2:
    inclusion: exclusive
    write: through' 4 'an exclusive level must be write-back and allocate'
rule '  cpus: 2
  l2: {shared: true, inclusion: inclusive}' 3 'a cache that several CPUs share stands on the memory side'
rule '  l2: {inclusion: partly}' 2 "machine.l2.inclusion: unknown value 'partly'"
rule '  coherence: dragon' 2 "machine.coherence: unknown value 'dragon'"
rule '  lock: none' 2 "machine.lock: unknown value 'none'"
rule '  l3: {size: 4MiB}
  l2: {size: none}' 2 'needs a machine.l2 in front of it'
rule '  cpus: 9' 2 'machine.cpus: 9 is out of range'
rule '  dtlb: {entries_4k: 48, ways_4k: 4}' 2 'impossible geometry: 48 entries in 4 ways'
rule '  dtlb: {entries_4k: none, entries_large: 8}' 2 'entries_large need entries_4k'

# --- memory types and paging
rule '  mtrr: 0xa0000-0xb0001=uc' 2 'a range does not start and end at multiples of 4 KiB'
rule '  mtrr: 0xb0000-0xa0000=uc' 2 'a range is empty'
rule '  mtrr: 0x0-0x2000=wc,0x1000-0x3000=wb' 2 'two ranges overlap whose types have no order'
rule '  mtrr: video' 2 'expected START-END=TYPE'
rule '  wc_buffers: 17' 2 'machine.wc_buffers: 17 is out of range'
rule '  pde_cache: 65' 2 'machine.pde_cache: 65 is out of range'

# --- buffers and prefetchers
rule '  store_buffer: 65' 2 'machine.store_buffer: 65 is out of range'
rule '  fill_buffers: 0' 2 'machine.fill_buffers: 0 is out of range'
rule '  prefetch: oracle' 2 "machine.prefetch: unknown value 'oracle'"
rule '  prefetch_degree: 9' 2 'machine.prefetch_degree: 9 is out of range'
rule '  l2: {size: none}
  prefetch: stream' 3 'a prefetcher needs a machine.l2'
rule '  ipi_handler_cycles: 0' 2 'machine.ipi_handler_cycles: 0 is out of range'

accepted '  mtrr: 0xa0000-0xc0000=uc,0xe0000000-0xf0000000=wc
  pde_cache: 16'
accepted '  l2: {sector: 128, inclusion: inclusive}'
accepted '  l1d: {replacement: srrip}
  l2: {inclusion: exclusive, replacement: nru}
  coherence: moesi
  lock: bus'
done_checking
