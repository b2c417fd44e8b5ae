#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run: options, results folder, the resolved configuration, exit codes.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
bundle=$root/traces/pae-512m-forkexec
config=$tmp/my.yaml
cat >"$config" <<END
extends: [machine/generic-2cpu.yaml, os/linux-6.1.yaml]
machine: {cpus: auto}
workload: {type: replay, limit: 4000}
replay: {mode: oracle}
timing: off
report: {plots: false, html: false}
END

expect 2 run
in_err 'which CONFIG.yaml?'
expect 2 run "$config" extra
in_err "what is 'extra'?"
expect 2 run "$config" --bogus
in_err "unknown option '--bogus'"
expect 2 run "$config" --out
in_err "option '--out' needs a value"
expect 2 run "$config"
in_err "kmemsim: $config: workload.trace is not set"
expect 2 run "$tmp/missing.yaml"
in_err 'cannot open configuration'
expect 2 run "$config" --trace "$bundle" --set machine.cpus=0
in_err '--set:2:14: machine.cpus: 0 is out of range'
expect 1 run "$config" --trace "$tmp/missing" --out "$tmp/out0"
in_err "$tmp/missing"
no_out

expect 2 run "$config" --trace "$bundle" --set name=../x
in_err "--set:2:6: name: '../x' cannot be the name of a results folder"
expect 2 run "$config" --trace "$bundle" --set seed=99999999999999999999999
in_err 'seed: 99999999999999999999999 is too large a number'
expect 2 run "$config" --trace "$bundle" --set extends=x.yaml
in_err 'unknown key here: extends belongs into a configuration file'

# Nothing a user had is replaced, nothing half is left.
mkdir "$tmp/mine"
echo precious >"$tmp/mine/events.csv"
expect 2 run "$config" --trace "$bundle" --out "$tmp/mine" --force
in_err 'holds files but no results of a run'
grep -q precious "$tmp/mine/events.csv" || complain 'a foreign file was replaced'
expect 1 run "$config" --trace "$bundle" --out "$tmp/few" --set workload.limit=1
in_err 'no events to replay among the first workload.limit ones'
find "$tmp/few" -name '*.part' | grep -q . && complain 'a half file was left'

# The default results folder is named after the configuration.
cd "$tmp" || exit 1
expect 0 run my.yaml --trace "$bundle"
in_out 'results/my'
no_err
[ -s results/my/summary.json ] || complain 'no results/my/summary.json'
grep -q '"complete": true' results/my/summary.json || complain 'not complete'

# A results folder that is in use is refused, unless --force.
expect 2 run my.yaml --trace "$bundle"
in_err 'results/my'
in_err '--force'
no_out
expect 0 run my.yaml --trace "$bundle" --force --quiet
no_out
no_err

# Overrides beat the file; the resolved configuration gives the same results.
expect 0 run my.yaml --trace "$bundle" --set report.period=20ms --out "$tmp/one"
grep -q '^  period: 20ms .*# from --set$' one/config.resolved.yaml || complain 'override not noted'
expect 0 run one/config.resolved.yaml --out "$tmp/two"
for file in one/*; do
    name=${file#one/}
    [ "$name" = summary.json ] && continue # holds wall time and memory
    diff -rq "one/$name" "two/$name" >/dev/null || complain "$name differs when config.resolved.yaml is run"
done

# Somewhere that cannot be written.
printf x >"$tmp/file"
expect 1 run my.yaml --trace "$bundle" --out "$tmp/file/dir"
in_err "$tmp/file"
done_checking
