#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bad configurations: exit code 2, one message per problem with file:line:col, nothing on standard output.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
c=$tmp/c.yaml

refused() { # YAML, message...
    printf '%s\n' "$1" >"$c"
    shift
    expect 2 config check "$c"
    no_out
    for message; do
        in_err "kmemsim: $c$message"
    done
    [ "$(wc -l <"$tmp/err")" = $# ] || complain "not $# messages"
}

refused 'machine: {cpu: 2}' ":1:11: machine.cpu: unknown key, did you mean 'cpus'?"
refused 'sed: 1
timming: off
os: {slab: slubb}' ":1:1: sed: unknown key, did you mean 'seed'?" \
    ":2:1: timming: unknown key, did you mean 'timing'?" \
    ":3:12: os.slab: unknown value 'slubb', did you mean 'slub'? (allowed slab, slob, slub)"
refused 'seed: 1
seed: 1' ':2:1: seed: written twice, first in line 1'
refused 'machine: {l1d: {size: 48KiB, ways: 8, line: 64}}' \
    ':1:45: machine.l1d: impossible geometry: 49152 bytes / (8 ways * 64 bytes) makes 96 sets'
refused 'machine: {ram: 8GiB, paging: 2level, dram: {ranks: 2}}' \
    ':1:30: machine: ram of 8589934592 bytes is larger than paging: 2level can address'
refused 'machine: {cpus: 0}' ':1:17: machine.cpus: 0 is out of range (allowed 1..8, or auto)'
refused 'machine: {dram: {preset: ddr5}}' \
    ":1:26: machine.dram.preset: unknown preset 'ddr5' (allowed ddr-400, ddr2-533,"
refused 'machine:
  dram:
    preset: ddr2-800
    nras: 4' ':4:11: machine.dram: nras (4) is shorter than nrcd (5): a row would close before it can be read'
refused 'extends: nothing.yaml' ":1:10: extends: no such file 'nothing.yaml'"
refused 'a: [1' ':2:1: not valid YAML'
refused '- 1' ":1:1: a configuration consists of 'key: value' lines"

expect 2 config check "$tmp/missing.yaml"
in_err "kmemsim: $tmp/missing.yaml: cannot open configuration: No such file or directory"
expect 2 config check "$tmp"
in_err "kmemsim: $tmp: cannot read configuration: Is a directory"
head -c 3000 /dev/urandom >"$c"
expect 2 config check "$c"
no_out
head -c 2000000 /dev/zero | tr '\0' 'a' >"$c"
expect 2 config check "$c"
in_err 'not a configuration'

: >"$c"
expect 0 config check "$c"
no_out
no_err
expect 2 config check "$c" --set machine.cpus=0
in_err 'kmemsim: --set:1:14: machine.cpus: 0 is out of range (allowed 1..8, or auto)'
expect 2 config check "$c" --set seed=1 --set sed=2
in_err "kmemsim: --set:2:1: sed: unknown key, did you mean 'seed'?"
done_checking
