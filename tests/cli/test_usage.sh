#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Help, version, wrong usage: text and exit codes.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"

expect 0 --help
in_out 'usage:'
in_out 'kmemsim config check|dump|reference'
in_out 'kmemsim list machines|dram|'
no_err
expect 0 --version
in_out 'kmemsim 0.'
no_err
"$kmemsim" --help | sed -n 's/^  kmemsim \([a-z]*\) .*/\1/p' >"$tmp/commands"
while read -r command; do
    expect 0 "$command" --help
    in_out "usage: kmemsim $command"
    no_err
done <"$tmp/commands"

expect 2
no_out
in_err 'usage:'
expect 2 confgi
no_out
in_err "kmemsim: unknown command 'confgi', did you mean 'config'?"
expect 2 xyzzy
in_err "kmemsim: unknown command 'xyzzy' (see kmemsim --help)"
expect 2 --bogus
in_err "kmemsim: unknown option '--bogus'"
expect 2 config
in_err 'kmemsim: config: say what: check, dump or reference (see kmemsim config --help)'
expect 2 config frobnicate
in_err "unknown 'frobnicate'"
expect 2 config check
in_err 'check needs a CONFIG.yaml'
expect 2 config check --frob
in_err "unknown option '--frob'"
expect 2 config check -x
in_err "unknown option '-x'"
expect 2 config check a.yaml --set
in_err "option '--set' needs a value"
expect 2 config check a.yaml b.yaml
in_err "what is 'b.yaml'?"

for kind in machines dram allocators replacements workloads trace-formats plots; do
    expect 0 list "$kind"
    no_err
done
expect 0 list machines
in_out 'p3-xeon-700x2'
in_out 'p4-northwood'
in_out 'atom-n270'
in_out 'generic-2cpu'
expect 0 list dram
in_out 'ddr3-1600k'
expect 0 list replacements
in_out 'plru'
expect 0 list workloads
in_out 'replay'
expect 2 list
in_err 'say what to list'
expect 2 list machine
in_err "unknown 'machine', did you mean 'machines'?"

expect 2 plot
in_err 'which results folder?'
expect 2 plot --frob
in_err "unknown option '--frob'"
expect 1 plot "$tmp/nothing"
in_err "$tmp/nothing"
expect 2 compare "$tmp"
in_err 'needs at least two results folders'
expect 1 compare "$tmp/a" "$tmp/b"
in_err "$tmp/a"

# A results stream that cannot be written is an error, not silence.
if [ -e /dev/full ]; then
    last='kmemsim config reference >/dev/full'
    code=0
    "$kmemsim" config reference >/dev/full 2>"$tmp/err" || code=$?
    [ "$code" = 1 ] || complain "exit code $code, not 1"
    in_err 'cannot write to standard output: No space left on device'
fi
done_checking
