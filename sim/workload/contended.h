/* SPDX-License-Identifier: MIT
 * contended.h - what an operation on a word costs when another CPU owns its line: workload.type contended.
 *
 * The CPUs use one word in turn, far enough apart in time that none waits for another (every HAND_OVER_NS): each finds the
 * line dirty in the cache of the one before. For comparison CPU 0 does the same alone. Operations:
 *
 * load            the word is read; the CPU before wrote it
 * store           the word is written
 * atomic-inc      LOCKed increment
 * cmpxchg-blind   LOCKed compare-and-swap whose expected value was not read from the line before
 * cmpxchg         the word is read, then compared and swapped: the copy has to become the only one
 *
 * contended.csv: operation,owner,count,cycles,ns; owner: self or other; means of `micro_count` operations.
 * Not measured: CPUs that collide, lock words that several spin on.
 * Reference:      P. McKenney, "Instruction/Pipeline Costs on a 4-CPU 700MHz i386 P-III".
 */
#ifndef KM_WORKLOAD_CONTENDED_H
#define KM_WORKLOAD_CONTENDED_H

#include "models/os/os.h"
#include "sim/base/err.h"
#include "sim/base/program.h"
#include "sim/config/config.h"
#include "sim/report/report.h"

struct km_contended;

/* The caller frees *out. */
int km_contended_create(struct km_contended **out, struct km_os *os, struct km_cpu *cpu, const struct km_config *cfg,
                        struct km_report *report, struct km_err *err);
struct km_program km_contended_program(struct km_contended *c);
uint64_t km_contended_operations(const struct km_contended *c);
int km_contended_write(const struct km_contended *c, const char *dir, struct km_err *err);

#endif
