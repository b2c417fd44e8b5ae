#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# hw_table.py RESULTS LIB DOCUMENT - the tables of scripts/validate-hw.sh from what its runs left in RESULTS.
"""Every row says what was measured elsewhere, what kmemsim gives and how far they are apart."""
import csv
import json
import os
import re
import sys

BEGIN, END = "<!-- hw: begin -->", "<!-- hw: end -->"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows]) + "\n"


def summary(*parts):
    with open(os.path.join(*parts, "summary.json"), encoding="utf-8") as f:
        return json.load(f)


def percent(got, want):
    return f"{100 * (got / want - 1):+.2f} %"


def dram(results):
    path = os.path.join(results, "ramulator.csv")
    if not os.path.exists(path):
        return None
    names = {"seq": "sequential", "rand": "random", "mix": "70 % reads", "max": "saturated"}
    rows = []
    with open(path, encoding="utf-8") as f:
        for r in csv.reader(f):
            d = summary(results, "dram", "-".join(r[:3]))["dram"]
            end, latency = int(r[6]), float(r[7])
            mode = names.get(r[2]) or re.sub(r"pace(\d+)", r"every \1 clocks", re.sub(r"mlp(\d+)", r"\1 in flight", r[2]))
            rows.append([f"{names[r[1]]}, {mode}", "no" if r[0] == "noref" else "yes", f"{end}; {latency:.3f}",
                         f"{d['end_cycle']}; {d['read_latency_mean']:.3f}", percent(d["end_cycle"], end),
                         percent(d["read_latency_mean"], latency)])
    text = ("**Ramulator 2.1**, 1 000 000 requests each, DDR3-1600K, 32 + 32 entries and 8 active, FR-FCFS, open page, "
            "drain at 80 / 20 percent or while no read waits (end clock; mean read latency):\n\n")
    text += table(["trace, mode", "refresh", "Ramulator", "kmemsim", "end", "latency"], rows)
    for trace in ("seq", "mix"):
        with open(os.path.join(results, f"check-{trace}.txt"), encoding="utf-8") as f:
            check = f.read()
        counts = [int(n) for n in re.findall(r"violations (\d+)", check)]
        other = re.findall(r"^  !! .*$", check, re.M)
        text += (f"\nThe command trace of {names[trace]} requests (200 000, saturated, refresh), judged by an independent "
                 f"checker of {len(counts)} rules: {sum(counts) + len(other)} violations.\n")
    return text


def caches(results, lib):
    rows = []
    with open(os.path.join(lib, "hw_caches.csv"), encoding="utf-8") as f:
        for r in csv.DictReader(f):
            folder = os.path.join(results, "cache-" + r["id"])
            if not os.path.exists(folder):
                return None
            c = summary(folder)["cache"]
            last = c["l2" if r["l2_misses"] else "l1d"]
            got = [c["l1i"]["read_misses"], c["l1d"]["read_misses"], c["l1d"]["write_misses"],
                   c["l2"]["read_misses"] + c["l2"]["write_misses"], last["writebacks"]]
            want = [r[k] for k in ("i_misses", "read_misses", "write_misses", "l2_misses", "written_back")]
            same = all(not w or g == int(w) for g, w in zip(got, want))
            rows.append([r["id"]] + [f"{g} / {w}" if w else "–" for g, w in zip(got, want)] + ["yes" if same else "NO"])
    return ("**Dinero IV**, 9 987 179 lackey records of `sort` (kmemsim / Dinero); A, B, G 32 + 32 KiB 8-way LRU, B with an L2 of "
            "256 KiB, G with references split at lines; C 8 KiB direct-mapped; D as A, FIFO; E 16 KiB 4-way, write-through without "
            "allocation; F 4 KiB unified, fully associative (reads with fetches):\n\n" +
            table(["geometry", "I misses", "D read misses", "D write misses", "L2 misses", "lines written back", "identical"], rows))


def curve(results, machine, kind="machine-"):
    with open(os.path.join(results, kind + machine, "lat_mem_rd.csv"), encoding="utf-8") as f:
        return {(int(r["size_bytes"]) >> 10, int(r["stride_bytes"])): float(r["latency_ns"])
                for r in csv.DictReader(f)}


def against(got, want):
    return f"{got:.1f} / {want:g}" + ("" if abs(got - want) < 0.05 else f" ({100 * (got / want - 1):+.1f} %)")


def machines(results, lib):
    rows = []
    with open(os.path.join(lib, "hw_machines.csv"), encoding="utf-8") as f:
        for r in csv.DictReader(line for line in f if not line.startswith("#")):
            c, ghz = curve(results, r["machine"]), float(r["mhz"]) / 1000
            row = [r["machine"]]
            for level in ("l1", "l2", "l3"):
                want = r[level + "_cycles"]
                row.append(against(c[(int(r[level + "_kib"]), 64)] * ghz, float(want)) if want else "–")
            row.append(against(c[(16384, 256)], float(r["memory_ns"])))
            if r["hit_ns"]:
                hit, want = curve(results, r["machine"], "linear-")[(16384, 128)], float(r["hit_ns"])
                row += [against(hit, want), against(c[(16384, 256)] - hit, float(r["memory_ns"]) - want)]
            else:
                row += ["–", "–"]
            if r["tlb_cycles"]:
                base = tuple(int(n) for n in r["tlb_base"].split("@"))
                step = (c[(int(r["tlb_kib"]), 4096)] - c[base]) * ghz
                row.append(against(step, float(r["tlb_cycles"])))
            else:
                row.append("–")
            rows.append(row + [r["source"]])
    return ("**Real machines** (kmemsim / measured), `kmemsim bench lat-mem-rd`, 4 KiB pages, random order: cycles of "
            "load-to-use per level, nanoseconds of a random read of 16 MiB, of one in ascending order (stride 128) and the "
            "difference, cycles a TLB miss adds (sources give whole cycles):\n\n" +
            table(["preset", "L1", "L2", "L3", "memory, ns", "row hits, ns", "row miss − hit, ns",
                   "TLB miss", "source"], rows))


def contended(results):
    measured = [("atomic-inc", "atomic increment", 113.2), ("cmpxchg-blind", "CMPXCHG", 170.4),
                ("cmpxchg", "read, then CMPXCHG", 360.9)]
    with open(os.path.join(results, "contended", "contended.csv"), encoding="utf-8") as f:
        got = {r["operation"]: float(r["ns"]) for r in csv.DictReader(f) if r["owner"] == "other"}
    return ("**A line dirty in another CPU's cache**, p3-xeon-700x4, `kmemsim bench contended`, nanoseconds (kmemsim / MCK):\n\n" +
            table(["operation", "ns"], [[name, against(got[key], want)] for key, name, want in measured]))


def slab(results, lib):
    with open(os.path.join(results, "slab-test", "slab_test.csv"), encoding="utf-8") as f:
        got = {r["size_bytes"]: r for r in csv.DictReader(f)}
    with open(os.path.join(lib, "hw_slab.csv"), encoding="utf-8") as f:
        rows = [[r["size"]] + [against(float(got[r["size"]][k + "_cycles"]), float(r[k])) for k in ("alloc", "free", "pair")]
                for r in csv.DictReader(line for line in f if not line.startswith("#"))]
    return ("**SLUB on a Pentium 4**, p4-northwood, `kmemsim bench slab-test`, cycles per call (kmemsim / M. Desnoyers, linux-mm, "
            "30 Oct 2007; there kmalloc of 4096 goes to the page allocator):\n\n" + table(["size", "kmalloc", "kfree", "pair"], rows))


def engines(results):
    rows = []
    for name in ("lat-mem-rd", "slab-test", "contended", "replay"):
        runs = [summary(results, f"{engine}-{name}") for engine in ("systemc", "stepper")]
        cycles = [r["sim_cycles"] for r in runs]
        same = all(runs[0].get(k) == runs[1].get(k) for k in ("sim_cycles", "refs", "cache", "bus", "dram", "tlb"))
        rows.append([name, str(cycles[0]), str(cycles[1]), "yes" if same else "NO"])
    return ("**Engines**: cycles under SystemC and under the plain C stepper, and whether these, references and all counters of "
            "caches, bus, DRAM and TLBs are identical:\n\n" + table(["workload", "SystemC", "stepper", "identical"], rows))


def put_into(document, text):
    with open(document, encoding="utf-8") as f:
        old = f.read()
    begin, end = old.find(BEGIN), old.find(END)
    if begin < 0 or end < begin:
        sys.exit(f"{document}: no table marks")
    with open(document, "w", encoding="utf-8") as f:
        f.write(old[:begin + len(BEGIN)] + "\n" + text + old[end:])
    print(document)


def main():
    results, lib, document = sys.argv[1:4]
    parts = [caches(results, lib), dram(results), machines(results, lib),
             contended(results), slab(results, lib), engines(results)]
    text = "\n".join(p for p in parts if p)
    with open(os.path.join(results, "table.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(f"{results}/table.md")
    if None in parts:
        print(f"{document} stays as it is: a reference was not there", file=sys.stderr)
        return
    put_into(document, text)


main()
