#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# config dump: loads again to the same bytes, from any working directory; config reference covers every key.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
source_dir=$2

for config in "$source_dir"/configs/*.yaml "$source_dir"/configs/machine/*.yaml; do
    expect 0 config dump "$config" --set seed=7
    no_err
    in_out 'seed: 7 '
    cp "$tmp/out" "$tmp/one.yaml"
    expect 0 config dump "$tmp/one.yaml"
    cmp -s "$tmp/out" "$tmp/one.yaml" || complain "dump of $config does not load to itself"
done

cd / || exit 1
expect 0 config dump "$source_dir/configs/quickstart.yaml"
in_out 'name: "quickstart"'
in_out '# from machine/generic-2cpu.yaml:'
in_out '# from dram/ddr2-533.yaml:'

expect 0 config dump
cp "$tmp/out" "$tmp/defaults.yaml"
expect 0 config reference
no_err
sed -n 's/^ *\([a-z0-9_]*\): .* # from default$/\1/p' "$tmp/defaults.yaml" | sort -u >"$tmp/keys"
[ "$(wc -l <"$tmp/keys")" -gt 60 ] || complain 'hardly any keys in the dump'
while read -r key; do
    grep -q "[.\`]$key\`" "$tmp/out" || complain "the reference does not name $key"
done <"$tmp/keys"

cmp -s "$tmp/out" "$source_dir/docs/config-reference.md" ||
    complain 'docs/config-reference.md is old: kmemsim config reference >docs/config-reference.md'

# The folder of presets can be put elsewhere.
mkdir -p "$tmp/presets/dram"
printf 'machine: {dram: {ncl: 9}}\n' >"$tmp/presets/dram/mine.yaml"
printf 'machine: {dram: {preset: mine}}\n' >"$tmp/c.yaml"
expect 2 config check "$tmp/c.yaml"
export KMEMSIM_CONFIGS=$tmp/presets
expect 0 config dump "$tmp/c.yaml"
in_out 'ncl: 9 '
done_checking
