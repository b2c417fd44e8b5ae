#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""validate_table.py RESULTS DOCUMENT - from RESULTS/CAPTURE/RUN/summary.json to results.csv and a markdown table.

Called by scripts/validate.sh. Replaces the lines between the table marks of DOCUMENT. Nothing here computes a
score: all of them are read from summary.json, rounded towards "worse" so that only an exact 1 prints as 1.
"""
import csv
import json
import math
import os
import re
import sys

RUNS = ["oracle", "buddy", "pages", "pages-blind", "objects"]
INFERRED = ["silent_pages_inferred", "early_allocations_inferred", "missed_frees_inferred",
            "isolated_pages_inferred"]
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
FIELDS = ["capture", "run", "zone", "skill", "samples", "samples_exact", "agreement", "agree", "events",
          "silent_pages_inferred", "early_allocations_inferred", "missed_frees_inferred",
          "isolated_pages_inferred", "start_state", "slab_samples", "slab_caches",
          "slabs_total_rel_error", "slabs_median_rel_error", "objects_median_rel_error", "slab_pages_traced",
          "slab_pages_model", "slab_requests_traced", "slab_requests_model", "slab_order_gfp_mismatch",
          "slab_cache_difference",
          "first_divergence_ns", "first_divergence_event", "first_divergence"]


def load(results):
    """{capture: {run: summary}}; a run that failed is not in it."""
    data = {}
    for capture in sorted(os.listdir(results)):
        folder = os.path.join(results, capture)
        if not os.path.isdir(folder):
            continue
        data[capture] = {}
        for run in RUNS:
            path = os.path.join(folder, run, "summary.json")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    data[capture][run] = json.load(f)
    return data


def agreement(truth):
    """The score of a mode: blocks in mode buddy, page frames in pages and objects."""
    for kind in ("buddy", "pfn"):
        if truth[kind + "_events"]:
            return truth[kind + "_agreement"], truth[kind + "_agree"], truth[kind + "_events"]
    return None, None, None


def rows(data):
    for capture, runs in data.items():
        for run, summary in runs.items():
            truth = summary["truth"]
            share, agree, events = agreement(truth)
            event = re.match(r"event (\d+)", truth["first_divergence"])
            common = {
                "capture": capture, "run": run, "agreement": share, "agree": agree, "events": events,
                **{key: truth[key] for key in INFERRED},
                "start_state": truth["start_state"],
                "first_divergence_ns": truth["first_divergence_ns"],
                "first_divergence_event": event.group(1) if event else "",
                "first_divergence": truth["first_divergence"],
            }
            if truth["objects"]["samples"]:
                common.update({"slab_samples": truth["objects"]["samples"], "slab_caches": truth["objects"]["caches"]})
                for key in FIELDS[FIELDS.index("slabs_total_rel_error"):FIELDS.index("slab_requests_traced")]:
                    common[key] = truth["objects"][key]
                slabs = truth["slab_pages"]
                common.update({"slab_requests_traced": slabs["traced"], "slab_requests_model": slabs["model"],
                               "slab_order_gfp_mismatch": slabs["order_gfp_mismatch"],
                               "slab_cache_difference": slabs["cache_difference"]})
            zones = truth["zones"] or {"": {"skill": None, "samples": 0, "samples_exact": 0}}
            for zone, z in zones.items():
                yield dict(common, zone=zone, skill=z["skill"], samples=z["samples"], samples_exact=z["samples_exact"])


def down(value, digits):
    """Rounded down, so that 0.99996 does not look exact."""
    scale = 10 ** digits
    return f"{math.floor(value * scale + 1e-9) / scale:.{digits}f}"


def skill_cell(summary):
    if summary is None:
        return "failed"
    cells = []
    for zone, z in summary["truth"]["zones"].items():
        if z["stay_put_error_blocks"] == 0 and z["skill"] == 1:
            continue  # a zone nobody touched
        cells.append(f"{zone} " + ("–" if z["skill"] is None else down(z["skill"], 3)))
    return ", ".join(cells) if cells else ("unchanged" if summary["truth"]["zones"] else "no samples")


def share_cell(summary):
    if summary is None:
        return "failed"
    share, agree, events = agreement(summary["truth"])
    return "–" if share is None else f"{down(100 * share, 2)} % of {events}"


def exact_cell(summary):
    if summary is None:
        return "failed"
    zones = summary["truth"]["zones"].values()
    return f"{sum(z['samples_exact'] for z in zones)} of {sum(z['samples'] for z in zones)}"


def first_cell(summary):
    if summary is None:
        return "failed"
    match = re.match(r"event (\d+) \(", summary["truth"]["first_divergence"])
    return match.group(1) if match else "none"


def table(head, lines):
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return text + ["| " + " | ".join(line) + " |" for line in lines]


def request_cells(summary):
    """What the slab layers asked the page allocator for; the difference adds up |model - traced| per cache."""
    if summary is None:
        return ["failed"] * 4
    slabs = summary["truth"]["slab_pages"]
    return [f"{slabs['model']} / {slabs['traced']}",
            "–" if slabs["ratio"] is None else f"{100 * (slabs['ratio'] - 1):+.2f} %",
            str(slabs["cache_difference"]), str(slabs["order_gfp_mismatch"])]


def markdown(data):
    text = ["**Free lists: skill per zone** (exact samples in brackets; zones that never change are left out)", ""]
    text += table(["capture", *RUNS],
                  [[capture] + [f"{skill_cell(s)} ({exact_cell(s)})" if s else "failed"
                                for s in (runs.get(r) for r in RUNS)] for capture, runs in data.items()])
    text += ["", "**The very block or frame** (`buddy`: blocks carved from the free lists; the others: page frames), "
             "and the trace event of the first difference", ""]
    text += table(["capture", *[f"{r} {c}" for r in RUNS[1:] for c in ("agreement", "first")]],
                  [[capture] + [cell(runs.get(r)) for r in RUNS[1:] for cell in (share_cell, first_cell)]
                   for capture, runs in data.items()])
    text += ["", "**What looking ahead inferred** (mode `pages`) **and mode `objects` against SLABINFO**", ""]
    lines = []
    for capture, runs in data.items():
        pages, objects = runs.get("pages"), runs.get("objects")
        line = [capture]
        if pages:
            truth = pages["truth"]
            line += [truth["start_state"], *[str(truth[key]) for key in INFERRED]]
        else:
            line += ["failed"] * 5
        o = objects["truth"]["objects"] if objects else None
        if o and o["samples"]:
            line += [str(o["samples"]), f"{100 * o['slabs_total_rel_error']:.2f} %",
                     f"{100 * o['slabs_median_rel_error']:.2f} % / {100 * o['objects_median_rel_error']:.2f} %",
                     f"{o['slab_pages_model']} / {o['slab_pages_traced']}"]
        else:
            line += ["–"] * 3 + [f"{o['slab_pages_model']} / {o['slab_pages_traced']}" if o else "failed"]
        lines.append(line)
    text += table(["capture", "start state", "silent pages", "early allocations", "missed frees", "isolated pages",
                   "SLABINFO lines",
                   "error of slabs", "median error, slabs / objects", "slab pages model / traced"], lines)
    text += ["", "**Requests for slabs** (mode `objects`): those of the model against the traced ones", ""]
    text += table(["capture", "model / traced", "difference", "sum over caches of the difference",
                   "pairs of other order or flags"],
                  [[capture, *request_cells(runs.get("objects"))] for capture, runs in data.items()])
    return "\n".join(text) + "\n"


def captures_in(text):
    """First cells of the table rows."""
    return set(re.findall(r"^\| ([\w.-]+) \|", text, re.M)) - {"capture"}


def put_into(document, text):
    with open(document, encoding="utf-8") as f:
        old = f.read()
    begin, end = old.find(BEGIN), old.find(END)
    if begin < 0 or end < begin:
        sys.exit(f"{document}: no table marks")
    missing = sorted(captures_in(old[begin:end]) - captures_in(text))
    if missing:
        print(f"{document} stays as it is: its table also has {', '.join(missing)}", file=sys.stderr)
        return
    with open(document, "w", encoding="utf-8") as f:
        f.write(old[:begin + len(BEGIN)] + "\n" + text + old[end:])
    print(document)


def main():
    results, document = sys.argv[1:3]
    data = load(results)
    if not any(data.values()):
        sys.exit("no run finished")
    with open(os.path.join(results, "results.csv"), "w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows(data))
    text = markdown(data)
    with open(os.path.join(results, "table.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(f"{results}/results.csv\n{results}/table.md")
    put_into(document, text)


main()
