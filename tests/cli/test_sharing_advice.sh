#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kinds of sharing add up, and the advice of report.sharing_advice is what a run with that layout counts.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2

run() { # name, options
    local name=$1
    shift
    "$1" run "$root/configs/replay.yaml" --trace "$root/traces/pae-512m-forkexec" --quiet --out "$tmp/$name" \
        --set replay.mode=objects --set timing=full --set replay.pacing=back-to-back --set workload.limit=15000 \
        --set report.plots=false "${@:2}" >"$tmp/$name.log" 2>&1 || complain "$name: $(cat "$tmp/$name.log")"
}

run advice "$1" --set report.sharing_advice=4
python3 - "$tmp/advice" <<'PY' || complain "false_sharing.csv and summary.json do not add up"
import csv, json, sys
sums = json.load(open(sys.argv[1] + "/summary.json"))["false_sharing"]
rows = list(csv.DictReader(open(sys.argv[1] + "/false_sharing.csv")))
assert rows and sums["hitm"] > 0
for key, column in (("hitm_true", "hitm_true"), ("hitm_false", "hitm_false"), ("invalidations", "invalidations"),
                    ("cycles_lost", "cycles_lost"), ("cycles_lost_false_sharing", "cycles_false")):
    assert sums[key] == sum(int(r[column]) for r in rows), key
for r in rows:
    assert int(r["hitm_true"]) + int(r["hitm_false"]) <= int(r["hitm_local"]) + int(r["hitm_remote"]), r
    assert int(r["cycles_true"]) + int(r["cycles_false"]) <= int(r["cycles_lost"]), r
    taken = sum(int(t.split(":")[1]) for t in r["hitm_cpus"].split())
    assert taken == int(r["hitm_local"]) + int(r["hitm_remote"]), r
    if r["object_va"]:
        assert int(r["objects_in_line"]) >= 1 and int(r["object_va"], 16) % 4 == 0, r
assert any(r["call_site"] for r in rows)
PY
[ -e "$tmp/advice/sharing_advice" ] && complain "the folder of the replays is left over"
grep -q 'What aligning slab caches would save' "$tmp/advice/report.html" || complain "report.html lacks the advice"
IFS=, read -r cache remedy _ after _ < <(grep -m1 -E ',(hwcache_align|pad_to_line),' "$tmp/advice/sharing_advice.csv")
run same "$1" --set "os.$remedy=$cache"
got=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["false_sharing"]["caches"].get(sys.argv[2], {}).get("hitm", 0))' \
    "$tmp/same/summary.json" "$cache")
[ "$got" = "$after" ] || complain "$cache with $remedy: the advice says $after HITM, a run counts $got"
done_checking
