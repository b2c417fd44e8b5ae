/* SPDX-License-Identifier: MIT
 * mapped.c - see mapped.h.
 *
 *   kernel memory of its own:  0      1 MiB   bss | mem_map | free: vm_struct, vmap_area     32 MiB
 *
 * References: kernel-behaviour A3 (vmalloc range), F1 (search, lazy purge).
 */
#include "sim/workload/mapped.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/x86_paging.h"
#include "models/os/boot.h"
#include "models/os/pcp.h"
#include "models/os/slub.h"
#include "models/os/vmalloc.h"
#include "sim/report/proc_text.h"
#include "sim/workload/u32map.h"

#include <stdlib.h>
#include <string.h>

#define OWN_PAGES (32u << (20 - KM_PAGE_SHIFT))
#define BSS_PFN 0x1000u
#define HOLE_BYTES (8u << 20)     /* between low memory and the first area */
#define END_PAE 0xfeffe000u       /* PKMAP_BASE less two pages, 32 CPUs */
#define END_TWO_LEVEL 0xfebfe000u
#define MAX_OPEN 64u
#define MAX_MODULE_AREAS 8u

struct open_request { /* vmalloc_range without its vmalloc_range_ret */
    int32_t pid;
    km_vaddr va; /* what the model gave; 0: nothing */
};

struct area_note { /* what the descriptor in guest memory has no room for; its caller word is index + 1 */
    char caller[96];
    bool vpages;
};

struct km_mapped {
    struct km_guest own;
    struct km_slab_layer slab;
    struct km_vmalloc v;
    struct km_u32map model_of; /* traced address -> the model's */
    struct area_note *note;    /* owned */
    unsigned nr_notes;
    struct open_request open[MAX_OPEN];
    unsigned nr_open;
    km_vaddr module_area[MAX_MODULE_AREAS]; /* not yet protected */
    unsigned nr_module_areas;
    uint32_t file_copy;     /* traced address of the last area that is no module memory */
    bool initialised;       /* the file copy is gone: the module's init function runs */
    uint32_t last_freed[KM_MAX_CPUS]; /* vfree was here; vm_area_remove repeats it */
    bool known;             /* a start state or events */
    uint64_t areas_start, events, agree, failed, unknown_frees;
};

static void no_flush(void *ctx, struct km_cpu *cpu, km_vaddr start, km_vaddr end)
{
    (void)ctx, (void)cpu, (void)start, (void)end;
}

static km_vaddr range_start(const struct km_machine_facts *f)
{
    uint64_t low = f->max_low_pfn > OWN_PAGES ? f->max_low_pfn : OWN_PAGES;

    return (km_vaddr)(f->page_offset + (low << KM_PAGE_SHIFT) + HOLE_BYTES);
}

static km_vaddr range_end(const struct km_machine_facts *f)
{
    return f->pae ? END_PAE : END_TWO_LEVEL;
}

/* A small kernel memory with all that a slab layer needs. */
static int boot(struct km_mapped *m, const struct km_replay *r, struct km_err *err)
{
    struct km_machine_facts facts = {.cpus = r->guest.os.p.cpus,
                                     .pae = r->guest.facts.pae,
                                     .max_pfn = OWN_PAGES,
                                     .max_low_pfn = OWN_PAGES,
                                     .nr_ram = 1,
                                     .ram = {{0x100, OWN_PAGES}},
                                     .pageblock_order = r->guest.facts.pageblock_order,
                                     .page_offset = r->guest.facts.page_offset};
    const km_pfn mem_map = BSS_PFN + (KM_OS_STATIC_BYTES >> KM_PAGE_SHIFT);
    struct km_cpu *cpu = &m->own.cpu[0];
    int rc = km_guest_open(&m->own, &facts, err);

    if (rc < 0)
        return rc;
    km_guest_build(&m->own, r->cfg, (km_paddr)BSS_PFN << KM_PAGE_SHIFT, (km_paddr)mem_map << KM_PAGE_SHIFT);
    km_paddr map_bytes = km_align_up(km_boot_mem_map_bytes(&m->own.os), KM_PAGE_BYTES);
    const struct km_pfn_range spare = {.start = mem_map + (km_pfn)(map_bytes >> KM_PAGE_SHIFT), .end = OWN_PAGES};
    struct km_slab_params slab = {.ops = &km_slub_ops, .src = km_page_src_buddy(&m->own.os), .merge = true};
    struct km_vmalloc_params params = {
        .slab = &m->slab, .start = range_start(&r->guest.facts), .end = range_end(&r->guest.facts)};

    km_boot_free(&m->own.os, cpu, &spare, 1);
    km_zone_setup_watermarks(&m->own.os, cpu);
    km_pcp_setup(&m->own.os, cpu, facts.cpus);
    if (!km_slab_init(&m->slab, &m->own.os, cpu, &slab) || !km_vmalloc_init(&m->v, &m->own.os, cpu, &params))
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no room for the descriptors of mapped areas");
    m->v.vmap.flush_tlb = no_flush;
    return KM_OK;
}

/* ---- start state ---------------------------------------------------------------------------------------------- */

/* On another machine an area keeps its distance from the nearer end of the range. */
static km_vaddr place(const struct km_replay *r, const struct km_vm_area_facts *a)
{
    if (!r->elsewhere)
        return a->start;
    struct km_machine_facts traced = r->guest.facts;

    traced.max_low_pfn = r->traced_os.p.max_low_pfn;
    traced.page_offset = r->traced_os.p.page_offset;
    traced.pae = !r->bundle || r->bundle->pae;
    uint64_t from_start = (uint64_t)a->start - range_start(&traced), to_end = (uint64_t)range_end(&traced) - a->start;

    return from_start < to_end ? (km_vaddr)(range_start(&r->guest.facts) + from_start)
                               : (km_vaddr)(range_end(&r->guest.facts) - to_end);
}

static bool adopt(struct km_mapped *m, km_vaddr at, const struct km_vm_area_facts *a)
{
    struct km_cpu *cpu = &m->own.cpu[0];

    if (a->kind == KM_VM_FACTS_AREA) {
        struct area_note *note = &m->note[m->nr_notes++];

        memcpy(note->caller, a->caller, sizeof(note->caller));
        note->vpages = a->vpages;
        return km_vmalloc_adopt(&m->v, cpu, at, a->bytes, a->flags, m->nr_notes) &&
               km_vmalloc_refer(&m->v, cpu, at, a->pages, a->phys);
    }
    km_vaddr area = km_vmap_claim(&m->v.vmap, cpu, at, a->bytes);

    if (area) /* a descriptor's place without one: vm_map_ram */
        km_st32(cpu, area + KM_VA_VM, 0);
    if (area && a->kind == KM_VM_FACTS_LAZY)
        km_vmap_free_lazy(&m->v.vmap, cpu, area);
    return area != 0;
}

static int start_state(struct km_mapped *m, const struct km_replay *r, struct km_err *err)
{
    const struct km_bundle *b = r->bundle;

    if (!b || !b->vm_areas_known)
        return KM_OK;
    m->known = true;
    m->note = calloc(b->nr_vm_areas + 1, sizeof(*m->note));
    if (!m->note)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    for (unsigned i = 0; i < b->nr_vm_areas; i++) {
        const struct km_vm_area_facts *a = &b->vm_area[i];
        km_vaddr at = place(r, a);

        if (!adopt(m, at, a)) {
            km_warn("%s/vmallocinfo: the area at 0x%08x does not fit the simulated kernel's range", b->start.dir,
                    a->start);
            continue;
        }
        if (!km_u32map_put(&m->model_of, a->start, at))
            return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
        m->areas_start++;
    }
    return KM_OK;
}

int km_mapped_open(struct km_replay *r, struct km_err *err)
{
    if (r->bundle && r->bundle->kernel_64bit)
        return KM_OK;
    r->mapped = calloc(1, sizeof(*r->mapped));
    if (!r->mapped)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    r->mapped->own.window.memfd = -1;
    int rc = boot(r->mapped, r, err);

    return rc < 0 ? rc : start_state(r->mapped, r, err);
}

/* ---- events --------------------------------------------------------------------------------------------------- */

/* Before anything but one more request for module memory. */
static void module_is_ready(struct km_mapped *m, struct km_cpu *cpu)
{
    for (unsigned i = 0; i < m->nr_module_areas; i++)
        km_vmalloc_protect(&m->v, cpu, m->module_area[i]);
    m->nr_module_areas = 0;
    if (m->initialised)
        km_vm_unmap_aliases(&m->v, cpu);
    m->initialised = false;
}

static bool is_module_memory(const struct km_event *ev)
{
    return ev->probe.b == KM_PAGE_BYTES && !(ev->probe.gfp & KM_GFP_ZERO);
}

/* The address of a new area, 0: none. */
static km_vaddr get_area(struct km_mapped *m, struct km_cpu *cpu, uint64_t bytes, uint64_t align, uint32_t flags)
{
    if (!bytes || bytes > UINT32_MAX - KM_PAGE_BYTES || !align || align > UINT32_MAX || (align & (align - 1)))
        return 0;
    km_vaddr vm = km_vm_area_get(&m->v, cpu, (uint32_t)bytes, (uint32_t)align, m->v.p.start, m->v.p.end,
                                 KM_GFP_KERNEL, flags, 0);

    return vm ? km_ld32(cpu, vm + KM_VMS_ADDR) : 0;
}

static void on_request(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_mapped *m = r->mapped;
    uint64_t bytes = ev->probe.a;

    if (!is_module_memory(ev))
        module_is_ready(m, cpu);
    km_vaddr va = get_area(m, cpu, bytes, ev->probe.b, KM_VM_ALLOC);

    if (va)
        km_vmalloc_refer(&m->v, cpu, va, (uint32_t)((bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT), 0);
    if (va && is_module_memory(ev) && m->nr_module_areas < MAX_MODULE_AREAS)
        m->module_area[m->nr_module_areas++] = va;
    if (!is_module_memory(ev))
        m->file_copy = 0; /* known when it returns */
    if (m->nr_open == MAX_OPEN) /* returns were lost */
        memmove(m->open, m->open + 1, --m->nr_open * sizeof(m->open[0]));
    m->open[m->nr_open++] = (struct open_request){.pid = ev->pid, .va = va};
}

static void drop_area(struct km_mapped *m, struct km_cpu *cpu, km_vaddr va)
{
    for (unsigned i = 0; i < m->nr_module_areas; i++)
        if (m->module_area[i] == va)
            m->module_area[i] = m->module_area[--m->nr_module_areas];
    km_vfree(&m->v, cpu, va, false);
}

/* The traced kernel has an area where the model still has one: its removal was not seen. */
static void forget_stale(struct km_mapped *m, struct km_cpu *cpu, uint32_t traced)
{
    uint32_t stale;

    if (km_u32map_take(&m->model_of, traced, &stale))
        drop_area(m, cpu, stale);
}

static void on_return(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_mapped *m = r->mapped;
    unsigned i = m->nr_open;
    uint32_t traced = (uint32_t)ev->probe.a;

    while (i && m->open[i - 1].pid != ev->pid)
        i--;
    if (!i)
        return; /* begun before the trace */
    km_vaddr va = m->open[i - 1].va;

    memmove(&m->open[i - 1], &m->open[i], (m->nr_open - i) * sizeof(m->open[0]));
    m->nr_open--;
    if (!traced) {
        if (va)
            drop_area(m, cpu, va);
        return;
    }
    m->events++;
    m->agree += va == traced;
    m->failed += !va;
    bool module = false;

    for (unsigned j = 0; j < m->nr_module_areas; j++)
        module |= m->module_area[j] == va;
    if (!module)
        m->file_copy = traced;
    forget_stale(m, cpu, traced);
    if (va)
        km_u32map_put(&m->model_of, traced, va);
}

/* vmap and ioremap: size and flags are known, not what they map. */
static void on_vm_area(struct km_mapped *m, struct km_cpu *cpu, const struct km_event *ev)
{
    uint32_t flags = (uint32_t)ev->probe.b, pages = (uint32_t)(ev->probe.a >> KM_PAGE_SHIFT);
    unsigned shift = km_order_of(pages ? pages : 1) + KM_PAGE_SHIFT, limit = km_large_shift(m->own.facts.pae);

    module_is_ready(m, cpu);
    km_vaddr va = get_area(m, cpu, ev->probe.a, flags & KM_VM_IOREMAP ? 1u << (shift < limit ? shift : limit) : 1,
                           flags);

    m->failed += !va;
    if (va) {
        forget_stale(m, cpu, va);
        km_u32map_put(&m->model_of, va, va);
    }
}

static void on_free(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_mapped *m = r->mapped;
    uint32_t traced = (uint32_t)ev->probe.a, va;
    bool removal = ev->type == KM_EV_VM_AREA_REMOVE;

    if (!traced)
        return;
    if (removal && m->last_freed[cpu->id] == traced) {
        m->last_freed[cpu->id] = 0;
        return;
    }
    if (!removal && (ev->context & (KM_EV_HARDIRQ | KM_EV_SOFTIRQ | KM_EV_NMI)))
        return; /* put off by the kernel: vm_area_remove follows when it happens */
    module_is_ready(m, cpu);
    m->last_freed[cpu->id] = removal ? 0 : traced;
    if (!km_u32map_take(&m->model_of, traced, &va)) {
        m->unknown_frees++;
        return;
    }
    drop_area(m, cpu, va);
    m->initialised = traced == m->file_copy;
}

bool km_mapped_event(struct km_replay *r, const struct km_event *ev)
{
    struct km_mapped *m = r->mapped;

    if (!m)
        return false;
    struct km_cpu *cpu = &m->own.cpu[ev->cpu % m->own.os.p.cpus];

    switch (ev->type) {
    case KM_EV_VMALLOC_RANGE:
        on_request(r, cpu, ev);
        break;
    case KM_EV_VMALLOC_RANGE_RET:
        on_return(r, cpu, ev);
        break;
    case KM_EV_VM_AREA:
        on_vm_area(m, cpu, ev);
        break;
    case KM_EV_VFREE:
    case KM_EV_VM_AREA_REMOVE:
        on_free(r, cpu, ev);
        break;
    default:
        return false;
    }
    if (m->v.drain_wanted)
        km_vmalloc_work(&m->v, cpu);
    m->known = true;
    return true;
}

/* ---- results -------------------------------------------------------------------------------------------------- */

static struct km_proc_vm line_of(const struct km_mapped *m, const struct km_vm_info *i)
{
    static const enum km_proc_vm_kind kind[] = {[KM_VM_KIND_AREA] = KM_PROC_VM_AREA,
                                                [KM_VM_KIND_MAP_RAM] = KM_PROC_VM_MAP_RAM,
                                                [KM_VM_KIND_LAZY] = KM_PROC_VM_LAZY};
    const struct area_note *note = i->caller ? &m->note[i->caller - 1] : NULL;

    return (struct km_proc_vm){.kind = kind[i->kind],
                               .start = i->start,
                               .bytes = i->bytes,
                               .caller = note && note->caller[0] ? note->caller : NULL,
                               .pages = i->pages,
                               .phys = i->phys,
                               .flags = i->flags,
                               .vpages = note && note->vpages};
}

char *km_mapped_vmallocinfo(const struct km_replay *r)
{
    const struct km_mapped *m = r->mapped;

    if (!m || !m->known)
        return NULL;
    unsigned nr = km_vmalloc_info(&m->v, m->own.window.base, NULL, 0);
    struct km_vm_info *info = calloc(nr + 1, sizeof(*info));
    struct km_proc_vm *line = calloc(nr + 1, sizeof(*line));
    char *text = NULL;

    if (info && line) {
        km_vmalloc_info(&m->v, m->own.window.base, info, nr);
        for (unsigned i = 0; i < nr; i++)
            line[i] = line_of(m, &info[i]);
        text = km_proc_vmallocinfo(line, nr, r->guest.facts.pae);
    }
    free(info);
    free(line);
    return text;
}

void km_mapped_finish(struct km_replay *r)
{
    struct km_mapped *m = r->mapped;

    if (!m || !m->known)
        return;
    const char *why = km_vmalloc_check(&m->v, m->own.window.base);

    if (why)
        km_bug(__FILE__, __LINE__, why);
    r->sum.vmalloc.valid = true;
    r->sum.vmalloc.events = r->elsewhere ? 0 : m->events;
    r->sum.vmalloc.agree = r->elsewhere ? 0 : m->agree;
    r->sum.vmalloc.areas_start = m->areas_start;
    r->sum.vmalloc.allocs = m->events;
    r->sum.vmalloc.frees = m->v.stats.frees;
    r->sum.vmalloc.failed = m->failed;
    r->sum.vmalloc.unknown_frees = m->unknown_frees;
    r->sum.vmalloc.purges = m->v.vmap.stats.purges;
    r->sum.vmalloc.purged_pages = m->v.vmap.stats.purged_pages;
    r->sum.vmalloc.pages = m->v.stats.pages;
    r->sum.vmalloc.peak_pages = m->v.stats.peak_pages;
}

void km_mapped_close(struct km_replay *r)
{
    struct km_mapped *m = r->mapped;

    if (!m)
        return;
    km_u32map_release(&m->model_of);
    km_guest_release(&m->own);
    free(m->note);
    free(m);
    r->mapped = NULL;
}
