#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""what_if_table.py RESULTS DOCUMENT - from RESULTS/CAPTURE/RUN/summary.json to the tables of docs/what-if.md.

Called by scripts/what-if.sh. Replaces the lines between the table marks of DOCUMENT, unless that would drop a
capture that is in the table now. All figures are read from summary.json.
"""
import json
import os
import re
import sys

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
RUNS = ["as-traced", "half-ram", "double-ram", "2level", "pae", "one-cpu", "slab", "slob"]
TIMED = ["timed-slub", "timed-slab", "timed-slob"]


def load(results):
    """{capture: {run: summary}}; a run that failed is not in it."""
    data = {}
    for capture in sorted(os.listdir(results)):
        folder = os.path.join(results, capture)
        if not os.path.isdir(folder):
            continue
        data[capture] = {}
        for run in RUNS + TIMED:
            path = os.path.join(folder, run, "summary.json")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    data[capture][run] = json.load(f)
    return data


def zones(summary):
    """Zones that something happens in, as (name, fragmentation)."""
    return [(name, z) for name, z in summary["fragmentation"].items()
            if name != "DMA" or z["free_pages_min"] != z["free_pages_start"]]


def per_zone(summary, value):
    return "<br>".join("%s %s" % (name, value(z)) for name, z in zones(summary))


def memory_row(capture, run, s):
    slabs, carried = s["slabs"], s.get("carried_over", {})
    return [capture, run,
            "%d" % carried.get("moved_pages", 0), "%d" % carried.get("dropped_pages", 0),
            per_zone(s, lambda z: "%d / %.0f / %d" % (z["free_pages_min"], z["free_pages_mean"], z["free_pages_end"])),
            per_zone(s, lambda z: "%d / %d" % (z["largest_free_order_min"], z["largest_free_order_end"])),
            per_zone(s, lambda z: "%.3f" % z["unusable_index_mean_o1_o10"][8]),
            "%d / %.0f / %d" % (slabs["pages_start"], slabs["pages_mean"], slabs["pages_end"]),
            "%.1f %%" % slabs["unused_pct_end"],
            "%d / %d" % (slabs["blocks_requested"], slabs["pages_requested"]),
            "%d" % s["notable"].get("extfrag_model", 0), "%d" % s["notable"].get("alloc_failure", 0),
            "%d" % s["events_skipped"]["free_of_unknown"]]


def mean(s, api):
    return "%.0f" % s["latency"][api]["mean"] if api in s["latency"] else "–"


def timed_row(run, s):
    sharing, cache = s["false_sharing"], s["cache"]
    return [run.removeprefix("timed-"), "%d" % s["sim_cycles"], "%d" % s["refs"]] + \
        [mean(s, api) for api in ("kmalloc", "kfree", "kmem_cache_alloc", "kmem_cache_free", "page_alloc")] + \
        ["%d" % cache["l1d"]["read_misses"], "%d" % cache["l2"]["read_misses"], "%d" % sharing["hitm"],
         "%d" % sharing["cycles_lost"], "%d" % sharing["cycles_lost_false_sharing"]]


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(r) + " |" for r in rows]


def make(data):
    rows, timed, lines = [], [], []
    for capture, runs in data.items():
        for run in RUNS:
            if run in runs:
                rows.append(memory_row(capture, run, runs[run]))
            elif run not in ("pae", "2level"):
                rows.append([capture, run, "failed"] + [""] * 10)
        timed += [(capture, run, runs[run]) for run in TIMED if run in runs]
    lines += ["**Memory** (mode `objects`, not timed; pages; zone DMA is left out where nothing happens in it)", ""]
    lines += table(["capture", "run", "pages moved", "dropped", "free: min / mean / end", "largest free order: min / end",
                    "unusable index of order 9, mean", "pages in slabs: start / mean / end", "unused in them at the end",
                    "slab requests: blocks / pages", "fallbacks", "failed allocations", "frees of unknown"], rows)
    for capture in dict.fromkeys(c for c, _, _ in timed):
        lines += ["", "**Cost** (%s, first 40000 events back to back, machine of configs/replay.yaml; cycles)" % capture, ""]
        lines += table(["allocator", "total", "references", "kmalloc", "kfree", "kmem_cache_alloc", "kmem_cache_free",
                        "page_alloc", "L1D read misses", "L2 read misses", "HITM", "cycles lost to shared lines",
                        "of that, false sharing"],
                       [timed_row(run, s) for c, run, s in timed if c == capture])
    return lines


def main():
    results, document = sys.argv[1:3]
    data = load(results)
    if not any(data.values()):
        sys.exit("error: no run finished")
    with open(document, encoding="utf-8") as f:
        text = f.read()
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        sys.exit("error: %s has no table marks" % document)
    lost = set(re.findall(r"^\| ([\w.-]+) \| as-traced ", text[begin:end], re.M)) - set(data)
    if lost:
        print("%s stays as it is: it has captures that were not replayed now: %s" % (document, ", ".join(sorted(lost))),
              file=sys.stderr)
        return
    with open(document, "w", encoding="utf-8") as f:
        f.write(text[:begin] + BEGIN + "\n" + "\n".join(make(data)) + "\n" + text[end:])


main()
