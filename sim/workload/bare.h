/* SPDX-License-Identifier: MIT
 * bare.h - a guest without a trace: a kernel that has just booted, with all its memory free.
 */
#ifndef KM_WORKLOAD_BARE_H
#define KM_WORKLOAD_BARE_H

#include "models/os/pgtable.h"
#include "sim/workload/guest.h"

/* Zones, mem_map, free lists, watermarks and per-CPU lists of an opened guest: everything is free but the first
 * MiB, the kernel's image and mem_map. `who` stands in the message if there is too little memory. */
int km_bare_boot(struct km_guest *g, const struct km_config *cfg, const char *who, struct km_err *err);
/* The linear map, in pages set aside behind the kernel's static area. */
int km_bare_page_tables(struct km_guest *g, struct km_pgtable *pt, struct km_err *err);

#endif
