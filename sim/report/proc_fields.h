/* SPDX-License-Identifier: MIT
 * proc_fields.h - which lines /proc/meminfo, vmstat and zoneinfo of Linux 6.1 (686) have, and in which order.
 *
 * A caller takes a table, sets the lines it knows by name and leaves the others at 0.
 */
#ifndef KM_REPORT_PROC_FIELDS_H
#define KM_REPORT_PROC_FIELDS_H

#include "sim/report/proc_text.h"

#define KM_PROC_VMSTAT_LINES 155u
#define KM_PROC_ZONE_LINES 11u /* the first lines of vmstat are the counters of a zone ... */
#define KM_PROC_NODE_LINES 41u /* ... the next ones those of a node */
#define KM_PROC_MEMINFO_LINES 57u

/* All lines in order, values 0. */
void km_proc_vmstat_lines(struct km_proc_counter out[KM_PROC_VMSTAT_LINES]);
/* DirectMap2M under PAE, else DirectMap4M. */
void km_proc_meminfo_lines(struct km_proc_meminfo_row out[KM_PROC_MEMINFO_LINES], bool pae);

/* False: there is no such line. */
bool km_proc_set_counter(struct km_proc_counter *lines, unsigned nr, const char *name, uint64_t value);
bool km_proc_set_meminfo(struct km_proc_meminfo_row *lines, unsigned nr, const char *name, uint64_t value);

#endif
