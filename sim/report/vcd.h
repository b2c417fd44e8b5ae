/* SPDX-License-Identifier: MIT
 * vcd.h - waveforms in the Value Change Dump format (IEEE 1364-2005, clause 18), as GTKWave reads.
 *
 * Changes may arrive in any order of time (parts of the machine run ahead of each other and look
 * back); they are kept in memory and sorted when the file is written. The number kept is limited:
 * a waveform of more is of no use to anybody, and the run goes on without it.
 */
#ifndef KM_REPORT_VCD_H
#define KM_REPORT_VCD_H

#include "models/base/types.h"

#include <stdio.h>

struct km_vcd;

/* max_changes: later ones are dropped and counted. NULL: no memory. */
struct km_vcd *km_vcd_new(uint64_t max_changes);
/* A signal of 1..64 bits; scope "a.b" is module b in module a. Characters other than letters, digits and
 * underscores become underscores. */
unsigned km_vcd_signal(struct km_vcd *v, const char *scope, const char *name, unsigned bits);
void km_vcd_change(struct km_vcd *v, unsigned signal, uint64_t ps, uint64_t value);
uint64_t km_vcd_dropped(const struct km_vcd *v);
bool km_vcd_no_memory(const struct km_vcd *v);
/* Sorts and writes everything. */
void km_vcd_write(struct km_vcd *v, FILE *f);
void km_vcd_free(struct km_vcd *v);

#endif
