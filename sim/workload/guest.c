/* SPDX-License-Identifier: MIT
 * guest.c - see guest.h.
 * References: kernel-behaviour A3 (lowmem limit, MAXMEM).
 */
#include "sim/workload/guest.h"

#include "models/base/bits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 686-pae with 32 CPUs: HighMem starts 8 KiB below 880 MiB; 686: below 876 MiB (kernel-behaviour A3). */
#define MAXMEM_PFN_PAE 0x36ffeu
#define MAXMEM_PFN_2LEVEL 0x36bfeu

static int add_ram(struct km_machine_facts *f, uint64_t start, uint64_t end)
{
    uint64_t first = (start + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT, last = end >> KM_PAGE_SHIFT;

    if (first == 0)
        first = 1; /* page 0 is never RAM for the kernel (A2.2) */
    if (last > UINT32_MAX)
        last = UINT32_MAX; /* still too much for any machine: check_ram says so */
    if (first >= last || f->nr_ram == KM_BUNDLE_MAX_E820)
        return 0;
    f->ram[f->nr_ram].start = (km_pfn)first;
    f->ram[f->nr_ram++].end = (km_pfn)last;
    return 1;
}

static int ram_from_text(struct km_machine_facts *f, const char *text, struct km_err *err)
{
    while (*text) {
        char *end;
        uint64_t start = strtoull(text, &end, 0), stop;

        if (end == text || *end != '-')
            return km_fail(err, KM_E_USAGE, NULL, 0, 0, "os.e820: expected START-END at \"%s\"", text);
        text = end + 1;
        stop = strtoull(text, &end, 0);
        if (end == text || (*end && *end != ','))
            return km_fail(err, KM_E_USAGE, NULL, 0, 0, "os.e820: expected START-END at \"%s\"", text);
        if (!add_ram(f, start, stop))
            return km_fail(err, KM_E_USAGE, NULL, 0, 0, "os.e820: empty range or too many ranges");
        text = *end ? end + 1 : end;
    }
    return KM_OK;
}

/* The capture's memory map with other memory in it: the last range below 4 GiB grows or shrinks, ranges
 * beyond its end go. From 3.5 GiB on a 440FX moves what is above 3 GiB to 4 GiB. */
static void ram_from_map(struct km_machine_facts *f, const struct km_bundle *b, uint64_t bytes)
{
    const uint64_t four_gib = 1ull << 32;
    uint64_t low_end = 0, high = 0;

    for (unsigned i = 0; i < b->nr_e820; i++) {
        if (b->e820[i].usable && b->e820[i].start < four_gib)
            low_end = b->e820[i].end;
        else if (b->e820[i].usable)
            high += b->e820[i].end - b->e820[i].start;
    }
    uint64_t traced_low = km_align_up(low_end, 64u << 20), tables = traced_low - low_end; /* ACPI's, at the top */
    uint64_t low = bytes >= 0xe0000000u ? 0xc0000000u : bytes;

    if (bytes == traced_low + high)
        low = traced_low;
    for (unsigned i = 0; i < b->nr_e820; i++) {
        const struct km_e820 *e = &b->e820[i];
        uint64_t end = e->end == low_end ? low - tables : e->end;

        if (e->usable && e->start < four_gib)
            add_ram(f, e->start, end < low - tables ? end : low - tables);
    }
    if (bytes > low)
        add_ram(f, four_gib, four_gib + (bytes - low));
}

/* Two-level page tables reach 4 GiB. */
static void drop_unreachable(struct km_machine_facts *f)
{
    if (!f->pae && f->nr_ram > 1 && f->ram[f->nr_ram - 1].start >= 1u << 20)
        f->nr_ram--;
}

/* Low memory without the ISA hole, as every PC has it. */
static void ram_from_size(struct km_machine_facts *f, uint64_t bytes)
{
    add_ram(f, KM_PAGE_BYTES, 0x9f000);
    add_ram(f, 0x100000, bytes);
}

static unsigned bundle_pageblock_order(const struct km_bundle *b)
{
    if (b->start.pageblock_order)
        return b->start.pageblock_order;
    return b->end.pageblock_order ? b->end.pageblock_order : b->early.pageblock_order;
}

static int check_ram(const struct km_machine_facts *f, struct km_err *err)
{
    uint64_t limit = f->pae ? 1ull << 36 : 1ull << 32;

    if (!f->nr_ram || f->max_pfn < 1024)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "the size of RAM is not known: the trace has no memory map; set machine.ram");
    if ((uint64_t)f->max_pfn << KM_PAGE_SHIFT > limit)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "%u MiB of RAM do not fit %s paging (at most %llu GiB)",
                       f->max_pfn >> 8, f->pae ? "PAE" : "two-level", (unsigned long long)(limit >> 30));
    for (unsigned i = 1; i < f->nr_ram; i++)
        if (f->ram[i].start < f->ram[i - 1].end)
            return km_fail(err, KM_E_USAGE, NULL, 0, 0, "RAM ranges overlap or are not ascending");
    return KM_OK;
}

int km_guest_facts(struct km_machine_facts *f, const struct km_config *cfg, const struct km_bundle *bundle,
                   const struct km_trace_extent *seen, struct km_err *err)
{
    static const km_vaddr offsets[] = {0xc0000000u, 0x80000000u, 0x40000000u};
    const struct km_zone_facts *high = bundle ? km_bundle_zone(bundle, "HighMem") : NULL;

    memset(f, 0, sizeof(*f));
    f->page_offset = offsets[cfg->machine.split];
    if (cfg->machine.cpus)
        f->cpus = cfg->machine.cpus;
    else if (bundle && bundle->cpus)
        f->cpus = bundle->cpus;
    else
        f->cpus = seen && seen->cpus ? seen->cpus : 1;
    if (f->cpus > KM_MAX_CPUS)
        return km_fail(err, KM_E_INPUT, NULL, 0, 0, "the trace comes from %u CPUs, at most %u are simulated",
                       f->cpus, KM_MAX_CPUS);
    f->pae = cfg->machine.paging == KM_PAGING_PAE ||
             (cfg->machine.paging == KM_PAGING_AUTO && (!bundle || bundle->pae));
    /* The capture's zone border and pageblocks hold for kernels built like the traced one. */
    bool own_layout = bundle && f->pae == bundle->pae && cfg->machine.split == KM_SPLIT_3G1G;
    if (cfg->os.e820[0] && strcmp(cfg->os.e820, "auto")) {
        int rc = ram_from_text(f, cfg->os.e820, err);

        if (rc < 0)
            return rc;
    } else if (cfg->machine.ram_bytes && bundle && bundle->nr_e820) {
        ram_from_map(f, bundle, cfg->machine.ram_bytes);
        drop_unreachable(f);
    } else if (cfg->machine.ram_bytes) {
        ram_from_size(f, cfg->machine.ram_bytes);
    } else if (bundle && bundle->nr_e820) {
        for (unsigned i = 0; i < bundle->nr_e820; i++)
            if (bundle->e820[i].usable)
                add_ram(f, bundle->e820[i].start, bundle->e820[i].end);
    } else if (seen && seen->highest_pfn) { /* the smallest machine, in steps of 64 MiB, that has these frames */
        ram_from_size(f, km_align_up(((uint64_t)seen->highest_pfn + 1) << KM_PAGE_SHIFT, 64u << 20));
    }
    f->max_pfn = f->nr_ram ? f->ram[f->nr_ram - 1].end : 0;
    f->max_low_pfn = (f->pae ? MAXMEM_PFN_PAE : MAXMEM_PFN_2LEVEL) + ((0xc0000000u - f->page_offset) >> KM_PAGE_SHIFT);
    if (cfg->os.lowmem_limit_bytes)
        f->max_low_pfn = (km_pfn)(cfg->os.lowmem_limit_bytes >> KM_PAGE_SHIFT);
    else if (own_layout && high && high->present && high->start_pfn)
        f->max_low_pfn = (km_pfn)high->start_pfn;
    if (f->max_low_pfn > f->max_pfn)
        f->max_low_pfn = f->max_pfn;
    f->pageblock_order = cfg->os.pageblock_order ? cfg->os.pageblock_order
                         : own_layout && bundle_pageblock_order(bundle) ? bundle_pageblock_order(bundle)
                                                                    : (f->pae ? 9u : 10u);
    return check_ram(f, err);
}

int km_guest_traced_facts(struct km_machine_facts *f, const struct km_config *cfg, const struct km_bundle *bundle,
                          const struct km_trace_extent *seen, struct km_err *err)
{
    struct km_config traced = *cfg; /* strings stay the caller's */

    if (bundle && bundle->nr_e820) {
        traced.machine.ram_bytes = 0;
        traced.os.e820[0] = 0;
        traced.machine.paging = KM_PAGING_AUTO;
        traced.machine.split = KM_SPLIT_3G1G;
        traced.os.lowmem_limit_bytes = 0;
        traced.os.pageblock_order = 0;
    }
    if ((bundle && bundle->cpus) || (seen && seen->cpus))
        traced.machine.cpus = 0;
    return km_guest_facts(f, &traced, bundle, seen, err);
}

bool km_machine_memory_equal(const struct km_machine_facts *a, const struct km_machine_facts *b)
{
    if (a->pae != b->pae || a->max_low_pfn != b->max_low_pfn || a->nr_ram != b->nr_ram ||
        a->pageblock_order != b->pageblock_order || a->page_offset != b->page_offset)
        return false;
    for (unsigned i = 0; i < a->nr_ram; i++)
        if (a->ram[i].start != b->ram[i].start || a->ram[i].end != b->ram[i].end)
            return false;
    return true;
}

int km_guest_open(struct km_guest *g, const struct km_machine_facts *facts, struct km_err *err)
{
    memset(g, 0, sizeof(*g));
    g->facts = *facts;
    int rc = km_window_create(&g->window, (uint64_t)facts->max_pfn << KM_PAGE_SHIFT,
                              (uint64_t)facts->max_low_pfn << KM_PAGE_SHIFT, facts->page_offset, err);
    if (rc < 0)
        return rc;
    for (unsigned c = 0; c < KM_MAX_CPUS; c++)
        km_cpu_init_null(&g->cpu[c], c, g->window.base);
    return KM_OK;
}

void km_guest_build(struct km_guest *g, const struct km_config *cfg, km_paddr static_pa, km_paddr mem_map_pa)
{
    static const struct km_personality *const personality[] = {[KM_LINUX_2_6] = &km_personality_linux_2_6,
                                                               [KM_LINUX_4_10] = &km_personality_linux_4_10,
                                                               [KM_LINUX_6_1] = &km_personality_linux_6_1};
    const struct km_personality *pers = personality[cfg->os.personality];
    const struct km_machine_facts *facts = &g->facts;
    struct km_os_params params = {
        .personality = pers,
        .cpus = facts->cpus,
        .page_offset = facts->page_offset,
        .max_pfn = facts->max_pfn,
        .max_low_pfn = facts->max_low_pfn,
        .pageblock_order = facts->pageblock_order,
        .struct_page_bytes = cfg->os.struct_page_bytes,
        .thp = cfg->os.thp != KM_OFF,
        .init_on_alloc = cfg->os.init_on_alloc,
        .freelist_random = cfg->os.freelist_random,
        .min_free_kbytes = cfg->os.min_free_kbytes,
        /* a kernel without the setting ignores it */
        .watermark_scale_factor = pers->watermark_scale_factor ? cfg->os.watermark_scale_factor : 0,
        .watermark_boost_factor = pers->watermark_boost_factor ? cfg->os.watermark_boost_factor : 0,
        .seed = cfg->seed,
        .static_pa = static_pa,
    };

    km_boot_zones(&g->os, &g->cpu[0], &params, facts->ram, facts->nr_ram);
    km_boot_mem_map(&g->os, &g->cpu[0], mem_map_pa, facts->ram, facts->nr_ram);
}

int km_guest_clone(struct km_guest *out, const struct km_guest *from, struct km_err *err)
{
    int rc = km_guest_open(out, &from->facts, err);

    if (rc < 0)
        return rc;
    const km_vaddr image = from->os.static_end_va - KM_OS_STATIC_BYTES;

    out->os = from->os;
    memcpy(out->window.base + image, from->window.base + image, KM_OS_STATIC_BYTES);
    memcpy(out->window.base + from->os.mem_map_va, from->window.base + from->os.mem_map_va,
           km_boot_mem_map_bytes(&from->os));
    return KM_OK;
}

void km_guest_note_compound(struct km_guest *g, km_pfn pfn, unsigned order)
{
    uint32_t *flags = (uint32_t *)(g->window.base + km_page_va(&g->os, pfn) + KM_PAGE_FLAGS);

    *flags &= ~(uint32_t)KM_PG_HEAD;
    if (!order)
        return;
    *flags |= KM_PG_HEAD;
    g->window.base[km_page_va(&g->os, pfn + 1) + KM_PAGE_COMPOUND_ORDER] = (uint8_t)order;
}

void km_guest_release(struct km_guest *g)
{
    km_window_release(&g->window);
}
