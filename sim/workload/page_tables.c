/* SPDX-License-Identifier: MIT
 * page_tables.c - the page tables the simulated CPUs start with, in frames of the kernel image.
 */
#include "sim/workload/replay.h"

#include "models/os/pgtable.h"

struct frames {
    km_pfn next, end;
};

static km_pfn next_frame(void *ctx)
{
    struct frames *f = ctx;

    return f->next < f->end ? f->next++ : KM_PFN_NONE;
}

int km_replay_page_tables(struct km_replay *r, km_paddr *cr3, struct km_err *err)
{
    struct km_guest *g = &r->guest;
    struct frames frames = {.next = km_va_to_pfn(&g->os, g->os.static_end_va)};
    struct km_pgtable pt;

    frames.end = frames.next + KM_GUEST_TABLE_PAGES;
    if (!km_pgtable_build(&pt, &g->cpu[0], g->facts.pae, g->facts.page_offset, g->window.lowmem_bytes, next_frame,
                          &frames))
        return km_fail(err, KM_E_INPUT, NULL, 0, 0, "no room for the kernel's page tables");
    *cr3 = km_pgtable_cr3(&pt);
    return KM_OK;
}
