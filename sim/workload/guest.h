/* SPDX-License-Identifier: MIT
 * guest.h - a simulated kernel in its memory, built from what a capture says about the machine.
 *
 * Holds the window (guest RAM), null CPU ports and the allocators' state. A replay has one; looking ahead in
 * the trace uses a second one that applies the trace literally.
 */
#ifndef KM_WORKLOAD_GUEST_H
#define KM_WORKLOAD_GUEST_H

#include "models/os/boot.h"
#include "sim/base/window.h"
#include "sim/config/config.h"
#include "sim/trace/bundle.h"

#define KM_GUEST_MAX_RANGES 2048
#define KM_GUEST_TABLE_PAGES 24u /* behind the static area: page tables of the linear map */
#define KM_GUEST_IMAGE_BYTES (KM_OS_STATIC_BYTES + KM_GUEST_TABLE_PAGES * KM_PAGE_BYTES)

/* Facts a replay needs before anything is built; gathered from configuration and bundle. */
struct km_machine_facts {
    unsigned cpus;
    bool pae;
    km_pfn max_pfn, max_low_pfn;
    unsigned nr_ram;
    struct km_pfn_range ram[KM_BUNDLE_MAX_E820];
    unsigned pageblock_order;
    km_vaddr page_offset;
};

struct km_guest {
    struct km_window window;
    struct km_os os;
    struct km_cpu cpu[KM_MAX_CPUS]; /* null ports */
    struct km_machine_facts facts;
};

/* What the events of a trace name: with no bundle to ask, the machine has at least this. */
struct km_trace_extent {
    km_pfn highest_pfn; /* 0: none named */
    unsigned cpus;      /* 0: not known */
};

/* Fills facts; what neither configuration nor bundle tells is derived (MAXMEM rule, PAE from version) or,
 * for RAM and CPUs, the least that holds what was seen in the trace (may be NULL). */
int km_guest_facts(struct km_machine_facts *facts, const struct km_config *cfg, const struct km_bundle *bundle,
                   const struct km_trace_extent *seen, struct km_err *err);
/* The machine the trace was recorded on, whatever the configuration asks for; what the trace does not tell is
 * the configuration's. */
int km_guest_traced_facts(struct km_machine_facts *facts, const struct km_config *cfg, const struct km_bundle *bundle,
                          const struct km_trace_extent *seen, struct km_err *err);
/* The same frames, zones and pageblocks. */
bool km_machine_memory_equal(const struct km_machine_facts *a, const struct km_machine_facts *b);
/* Memory and CPU ports only. */
int km_guest_open(struct km_guest *g, const struct km_machine_facts *facts, struct km_err *err);
/* Zones and mem_map with nothing free yet; static_pa and mem_map_pa lie in frames that are never free. */
void km_guest_build(struct km_guest *g, const struct km_config *cfg, km_paddr static_pa, km_paddr mem_map_pa);
/* A second guest in the same state (page contents outside the kernel's structures are not copied). */
int km_guest_clone(struct km_guest *out, const struct km_guest *from, struct km_err *err);
/* Marks a used block as compound, or (order 0) its first page as an ordinary one. */
void km_guest_note_compound(struct km_guest *g, km_pfn pfn, unsigned order);
void km_guest_release(struct km_guest *g);

#endif
