/* SPDX-License-Identifier: MIT
 * user_mm.c - areas of a process and the system calls that change them; see user_mm.h.
 *
 * Areas are a doubly linked list in ascending order, in slots of 64 bytes: the first ones behind the
 * mm_struct, more in pages taken when needed. All calls hold the mmap_lock.
 */
#include "models/os/user_mm_priv.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/prng.h"
#include "models/os/kfn.h"
#include "models/os/page_alloc.h"

#include <string.h>

#define PAGE_MASK (KM_PAGE_BYTES - 1)
#define MMAP_MIN_ADDR 0x10000u
#define STACK_START_BYTES (132u << 10) /* execve leaves 128 KiB below the arguments' page */
#define STACK_BYTES_IN_MM 128u         /* tail of the mm page: kernel stack of the fault path */
#define MIN_GAP (128ull << 20)
#define RND_STACK_MASK 0x7ffu /* pages: 8 MiB */
#define RND_BRK_BYTES 0x02000000u

static const struct km_fn fn_brk = {{"__do_sys_brk", 0xc124b7a0, 720}, 210, 20, 24};
static const struct km_fn fn_mmap = {{"do_mmap", 0xc124e280, 1504}, 640, 60, 72};
static const struct km_fn fn_munmap = {{"__do_munmap", 0xc124da60, 1104}, 420, 40, 48};
static const struct km_fn fn_mprotect = {{"do_mprotect_pkey", 0xc1251c10, 1312}, 360, 36, 40};
static const struct km_fn fn_mremap = {{"__do_sys_mremap", 0xc1252b80, 2304}, 520, 48, 56};
static const struct km_site find_site = {"find_vma", 0xc124a9d0, 176};

/* ---- commit accounting ------------------------------------------------------------------------ */

static uint64_t free_pages_now(const struct km_os *os, const uint8_t *window)
{
    uint64_t n = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (os->zone[z].start_pfn < os->zone[z].end_pfn)
            n += km_peek32(window, os->zone[z].va + KM_ZONE_NR_FREE_PAGES);
    return n;
}

bool km_user_sys_init(struct km_user_sys *sys, struct km_os *os, struct km_cpu *cpu)
{
    uint64_t free_kbytes = free_pages_now(os, cpu->window) * (KM_PAGE_BYTES / 1024);

    memset(sys, 0, sizeof(*sys));
    sys->os = os;
    sys->overcommit_ratio = 50;
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (os->zone[z].start_pfn < os->zone[z].end_pfn)
            sys->ram_pages += km_peek32(cpu->window, os->zone[z].va + KM_ZONE_MANAGED);
    sys->admin_reserve_kbytes = km_min_u64(free_kbytes / 32, 8u << 10);
    sys->user_reserve_kbytes = km_min_u64(free_kbytes / 32, 128u << 10);
    sys->zero_pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL | KM_GFP_ZERO, 0);
    if (sys->zero_pfn == KM_PFN_NONE)
        return false;
    memset(cpu->window + km_pfn_to_va(os, sys->zero_pfn), 0, KM_PAGE_BYTES);
    return true;
}

void km_user_sys_exit(struct km_user_sys *sys, struct km_cpu *cpu)
{
    KM_BUG_ON(sys->committed_pages);
    km_free_pages(sys->os, cpu, sys->zero_pfn, 0);
    sys->zero_pfn = KM_PFN_NONE;
}

uint64_t km_user_commit_limit(const struct km_user_sys *sys)
{
    uint64_t pages = sys->overcommit_kbytes ? sys->overcommit_kbytes / 4
                                            : sys->ram_pages * sys->overcommit_ratio / 100;

    return pages + sys->swap_pages;
}

static bool enough_memory(const struct km_user_mm *mm, struct km_cpu *cpu, uint64_t pages)
{
    const struct km_user_sys *sys = mm->sys;
    uint64_t allowed = km_user_commit_limit(sys);

    if (sys->overcommit == 1)
        return true;
    if (sys->overcommit == 0)
        return pages <= sys->ram_pages + sys->swap_pages;
    uint64_t reserve = mm->p.root ? 0 : sys->admin_reserve_kbytes / 4;

    reserve += km_min_u64(km_ld32(cpu, mm->mm_va + KM_MM_TOTAL_VM) / 32, sys->user_reserve_kbytes / 4);
    return sys->committed_pages + pages + reserve < allowed;
}

static bool charge(struct km_user_mm *mm, struct km_cpu *cpu, uint64_t pages)
{
    if (!enough_memory(mm, cpu, pages)) {
        mm->stats.refused_overcommit++;
        return false;
    }
    mm->sys->committed_pages += pages;
    return true;
}

static bool within_limits(struct km_user_mm *mm, struct km_cpu *cpu, uint64_t pages, unsigned flags)
{
    uint64_t vm = km_ld32(cpu, mm->mm_va + KM_MM_TOTAL_VM) + pages;
    uint64_t data = km_ld32(cpu, mm->mm_va + KM_MM_DATA_VM) + pages;
    bool is_data = flags & KM_PROT_WRITE && !(flags & KM_AREA_STACK);

    if (vm > mm->p.rlimit_as >> KM_PAGE_SHIFT ||
        (is_data && data > mm->p.rlimit_data >> KM_PAGE_SHIFT)) {
        mm->stats.refused_limit++;
        return false;
    }
    return true;
}

static void count_vm(struct km_user_mm *mm, struct km_cpu *cpu, unsigned flags, int64_t pages)
{
    km_mm_add(mm, cpu, KM_MM_TOTAL_VM, (int32_t)pages);
    if (flags & KM_PROT_WRITE && !(flags & KM_AREA_STACK))
        km_mm_add(mm, cpu, KM_MM_DATA_VM, (int32_t)pages);
    if (flags & KM_AREA_ACCOUNT && pages < 0)
        mm->sys->committed_pages -= (uint64_t)-pages;
    uint32_t vm = km_peek32(cpu->window, mm->mm_va + KM_MM_TOTAL_VM);

    if (vm > mm->stats.peak_vm_pages)
        mm->stats.peak_vm_pages = vm;
}

/* ---- areas ------------------------------------------------------------------------------------ */

static uint32_t get(struct km_cpu *cpu, km_vaddr area, unsigned field)
{
    return km_ld32(cpu, area + field);
}

static uint64_t pages_of(struct km_cpu *cpu, km_vaddr area)
{
    return (get(cpu, area, KM_AREA_END) - get(cpu, area, KM_AREA_START)) >> KM_PAGE_SHIFT;
}

static void slots_add(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr from, km_vaddr end)
{
    for (km_vaddr at = end - KM_AREA_BYTES; at >= from; at -= KM_AREA_BYTES) {
        km_st32(cpu, at + KM_AREA_NEXT, km_ld32(cpu, mm->mm_va + KM_MM_FREE));
        km_st32(cpu, mm->mm_va + KM_MM_FREE, at);
    }
}

static km_vaddr slot_take(struct km_user_mm *mm, struct km_cpu *cpu)
{
    km_vaddr at = km_ld32(cpu, mm->mm_va + KM_MM_FREE);

    if (!at) {
        km_pfn pfn = km_alloc_pages(mm->sys->os, cpu, KM_GFP_KERNEL, 0);

        if (pfn == KM_PFN_NONE)
            return 0;
        at = km_pfn_to_va(mm->sys->os, pfn);
        km_st32(cpu, at, km_ld32(cpu, mm->mm_va + KM_MM_POOLS));
        km_st32(cpu, mm->mm_va + KM_MM_POOLS, at);
        slots_add(mm, cpu, at + KM_AREA_BYTES, at + KM_PAGE_BYTES);
        at = km_ld32(cpu, mm->mm_va + KM_MM_FREE);
    }
    km_st32(cpu, mm->mm_va + KM_MM_FREE, get(cpu, at, KM_AREA_NEXT));
    return at;
}

static void link_after(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, km_vaddr prev)
{
    km_vaddr next = km_ld32(cpu, prev ? prev + KM_AREA_NEXT : mm->mm_va + KM_MM_FIRST);

    km_st32(cpu, area + KM_AREA_NEXT, next);
    km_st32(cpu, area + KM_AREA_PREV, prev);
    km_st32(cpu, prev ? prev + KM_AREA_NEXT : mm->mm_va + KM_MM_FIRST, area);
    km_st32(cpu, next ? next + KM_AREA_PREV : mm->mm_va + KM_MM_LAST, area);
    km_mm_add(mm, cpu, KM_MM_MAP_COUNT, 1);
}

static void unlink_area(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area)
{
    km_vaddr next = get(cpu, area, KM_AREA_NEXT), prev = get(cpu, area, KM_AREA_PREV);

    km_st32(cpu, prev ? prev + KM_AREA_NEXT : mm->mm_va + KM_MM_FIRST, next);
    km_st32(cpu, next ? next + KM_AREA_PREV : mm->mm_va + KM_MM_LAST, prev);
    if (km_ld32(cpu, mm->mm_va + KM_MM_HIT) == area)
        km_st32(cpu, mm->mm_va + KM_MM_HIT, 0);
    km_mm_add(mm, cpu, KM_MM_MAP_COUNT, -1);
    km_st32(cpu, area + KM_AREA_NEXT, km_ld32(cpu, mm->mm_va + KM_MM_FREE));
    km_st32(cpu, mm->mm_va + KM_MM_FREE, area);
}

km_vaddr km_user_find(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr at = km_ld32(cpu, mm->mm_va + KM_MM_HIT);

    km_exec(cpu, &find_site, 24);
    if (at && get(cpu, at, KM_AREA_START) <= va && va < get(cpu, at, KM_AREA_END))
        return at;
    for (at = km_ld32(cpu, mm->mm_va + KM_MM_FIRST); at; at = get(cpu, at, KM_AREA_NEXT))
        if (get(cpu, at, KM_AREA_END) > va)
            break;
    if (at)
        km_st32(cpu, mm->mm_va + KM_MM_HIT, at);
    return at;
}

static km_vaddr prev_of(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area)
{
    return area ? get(cpu, area, KM_AREA_PREV) : km_ld32(cpu, mm->mm_va + KM_MM_LAST);
}

/* Lowest address that belongs to an area: a stack keeps its guard gap free. */
static uint64_t start_with_gap(struct km_cpu *cpu, km_vaddr area)
{
    uint64_t start = get(cpu, area, KM_AREA_START), gap = KM_STACK_GUARD_PAGES * KM_PAGE_BYTES;

    if (!(get(cpu, area, KM_AREA_FLAGS) & KM_AREA_STACK))
        return start;
    return start > gap ? start - gap : 0;
}

/* New area in a free range; joins neighbours of the same kind. False: no memory for it. */
static bool insert(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr start, km_vaddr end, unsigned flags)
{
    km_vaddr next = km_user_find(mm, cpu, start), prev = prev_of(mm, cpu, next);
    bool joins = !(flags & KM_AREA_STACK);
    bool left = joins && prev && get(cpu, prev, KM_AREA_END) == start &&
                get(cpu, prev, KM_AREA_FLAGS) == flags;
    bool right = joins && next && get(cpu, next, KM_AREA_START) == end &&
                 get(cpu, next, KM_AREA_FLAGS) == flags;

    if (left && right) {
        km_st32(cpu, prev + KM_AREA_END, get(cpu, next, KM_AREA_END));
        unlink_area(mm, cpu, next);
    } else if (left) {
        km_st32(cpu, prev + KM_AREA_END, end);
    } else if (right) {
        km_st32(cpu, next + KM_AREA_START, start);
    } else {
        km_vaddr area = slot_take(mm, cpu);

        if (!area)
            return false;
        km_st32(cpu, area + KM_AREA_START, start);
        km_st32(cpu, area + KM_AREA_END, end);
        km_st32(cpu, area + KM_AREA_FLAGS, flags);
        link_after(mm, cpu, area, prev);
    }
    count_vm(mm, cpu, flags, (end - start) >> KM_PAGE_SHIFT);
    return true;
}

/* Cuts the area at va, which lies inside; false: no memory or too many areas. */
static bool split(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, km_vaddr va)
{
    km_vaddr upper;

    if (km_ld32(cpu, mm->mm_va + KM_MM_MAP_COUNT) >= KM_MAX_MAP_COUNT || !(upper = slot_take(mm, cpu)))
        return false;
    km_st32(cpu, upper + KM_AREA_START, va);
    km_st32(cpu, upper + KM_AREA_END, get(cpu, area, KM_AREA_END));
    km_st32(cpu, upper + KM_AREA_FLAGS, get(cpu, area, KM_AREA_FLAGS));
    km_st32(cpu, area + KM_AREA_END, va);
    link_after(mm, cpu, upper, area);
    return true;
}

/* No area crosses va afterwards. */
static bool split_at(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr area = km_user_find(mm, cpu, va);

    return !area || get(cpu, area, KM_AREA_START) >= va || split(mm, cpu, area, va);
}

/* Joins the area with its successor if nothing separates them. */
static void join(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area)
{
    km_vaddr next = get(cpu, area, KM_AREA_NEXT);

    if (!next || get(cpu, next, KM_AREA_START) != get(cpu, area, KM_AREA_END) ||
        get(cpu, next, KM_AREA_FLAGS) != get(cpu, area, KM_AREA_FLAGS))
        return;
    km_st32(cpu, area + KM_AREA_END, get(cpu, next, KM_AREA_END));
    unlink_area(mm, cpu, next);
}

/* ---- layout of a new process ------------------------------------------------------------------ */

static void layout(struct km_user_mm *mm)
{
    struct km_prng prng = {mm->p.seed};
    uint64_t rnd = mm->p.randomize ? (km_prng_next(&prng) & 0xff) << KM_PAGE_SHIFT : 0;
    uint64_t gap = mm->p.rlimit_stack, pad = KM_STACK_GUARD_PAGES * KM_PAGE_BYTES;
    uint32_t stack_rnd = mm->p.randomize ? (uint32_t)km_prng_next(&prng) & RND_STACK_MASK : 0;
    uint32_t brk_rnd = mm->p.randomize ? km_prng_below(&prng, RND_BRK_BYTES >> KM_PAGE_SHIFT) : 0;

    mm->stack_top = KM_TASK_SIZE - (stack_rnd << KM_PAGE_SHIFT);
    mm->start_brk = (km_vaddr)km_align_up(mm->p.end_bss, KM_PAGE_BYTES) + (brk_rnd << KM_PAGE_SHIFT);
    mm->bottom_up = mm->p.rlimit_stack == KM_RLIM_INFINITY;
    if (mm->bottom_up) {
        mm->mmap_base = (km_vaddr)km_align_up(KM_TASK_SIZE / 3 + rnd, KM_PAGE_BYTES);
        return;
    }
    if (mm->p.randomize)
        pad += (RND_STACK_MASK << KM_PAGE_SHIFT) + 0ull;
    gap = km_min_u64(gap, KM_TASK_SIZE) + pad;
    gap = km_max_u64(gap, MIN_GAP);
    gap = km_min_u64(gap, KM_TASK_SIZE / 6 * 5ull);
    mm->mmap_base = (km_vaddr)km_align_up(KM_TASK_SIZE - gap - rnd, KM_PAGE_BYTES);
}

bool km_user_mm_init(struct km_user_mm *mm, struct km_user_sys *sys, struct km_cpu *cpu,
                     const struct km_user_params *p)
{
    km_pfn pfn;

    memset(mm, 0, sizeof(*mm));
    mm->sys = sys;
    mm->p = *p;
    layout(mm);
    pfn = km_alloc_pages(sys->os, cpu, KM_GFP_KERNEL, 0);
    if (pfn == KM_PFN_NONE)
        return false;
    mm->mm_va = km_pfn_to_va(sys->os, pfn);
    km_touch(cpu, mm->mm_va, KM_MM_AREAS, KM_REF_STORE);
    memset(cpu->window + mm->mm_va, 0, KM_PAGE_BYTES);
    slots_add(mm, cpu, mm->mm_va + KM_MM_AREAS, mm->mm_va + KM_PAGE_BYTES - STACK_BYTES_IN_MM);
    km_st32(cpu, mm->mm_va + KM_MM_BRK, mm->start_brk);
    if (!km_user_tables_init(mm, cpu)) {
        km_free_pages(sys->os, cpu, pfn, 0);
        return false;
    }
    const unsigned flags = KM_PROT_READ | KM_PROT_WRITE | KM_AREA_STACK | KM_AREA_ACCOUNT;

    if (!charge(mm, cpu, STACK_START_BYTES >> KM_PAGE_SHIFT) ||
        !insert(mm, cpu, mm->stack_top - STACK_START_BYTES, mm->stack_top, flags)) {
        km_user_mm_exit(mm, cpu);
        return false;
    }
    return true;
}

void km_user_mm_exit(struct km_user_mm *mm, struct km_cpu *cpu)
{
    struct km_gather g;
    km_vaddr area, pool;

    km_gather_init(&g, mm);
    for (area = km_ld32(cpu, mm->mm_va + KM_MM_FIRST); area; area = get(cpu, area, KM_AREA_NEXT))
        km_user_zap(mm, cpu, &g, get(cpu, area, KM_AREA_START), get(cpu, area, KM_AREA_END));
    km_user_free_tables(mm, cpu, &g, 0, KM_TASK_SIZE, 0, KM_TASK_SIZE);
    km_gather_finish(&g, cpu);
    while ((area = km_ld32(cpu, mm->mm_va + KM_MM_FIRST))) {
        count_vm(mm, cpu, get(cpu, area, KM_AREA_FLAGS), -(int64_t)pages_of(cpu, area));
        unlink_area(mm, cpu, area);
    }
    km_user_tables_exit(mm, cpu);
    while ((pool = km_ld32(cpu, mm->mm_va + KM_MM_POOLS))) {
        km_st32(cpu, mm->mm_va + KM_MM_POOLS, km_ld32(cpu, pool));
        km_free_pages(mm->sys->os, cpu, km_va_to_pfn(mm->sys->os, pool), 0);
    }
    km_free_pages(mm->sys->os, cpu, km_va_to_pfn(mm->sys->os, mm->mm_va), 0);
    mm->mm_va = 0;
}

km_paddr km_user_mm_cr3(const struct km_user_mm *mm)
{
    return (km_paddr)mm->root << KM_PAGE_SHIFT;
}

/* ---- unmapping -------------------------------------------------------------------------------- */

/* Removes [start, end), page aligned, whole areas after splitting. */
static bool remove_range(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr start, km_vaddr end)
{
    struct km_gather g;
    km_vaddr area = km_user_find(mm, cpu, start), next;

    if (!area || get(cpu, area, KM_AREA_START) >= end)
        return true;
    if (!split_at(mm, cpu, start) || !split_at(mm, cpu, end))
        return false;
    area = km_user_find(mm, cpu, start);
    km_vaddr prev = prev_of(mm, cpu, area);
    uint64_t floor = prev ? get(cpu, prev, KM_AREA_END) : 0, ceiling = KM_TASK_SIZE;

    km_gather_init(&g, mm);
    for (next = area; next && get(cpu, next, KM_AREA_START) < end; next = get(cpu, next, KM_AREA_NEXT))
        km_user_zap(mm, cpu, &g, get(cpu, next, KM_AREA_START), get(cpu, next, KM_AREA_END));
    if (next)
        ceiling = get(cpu, next, KM_AREA_START);
    km_user_free_tables(mm, cpu, &g, start, end, floor, ceiling);
    km_gather_finish(&g, cpu);
    while (area && area != next) {
        km_vaddr after = get(cpu, area, KM_AREA_NEXT);

        count_vm(mm, cpu, get(cpu, area, KM_AREA_FLAGS), -(int64_t)pages_of(cpu, area));
        unlink_area(mm, cpu, area);
        area = after;
    }
    return true;
}

static bool good_range(km_vaddr addr, uint64_t len)
{
    return !(addr & PAGE_MASK) && len && addr <= KM_TASK_SIZE && len <= KM_TASK_SIZE - addr;
}

static void enter(struct km_user_mm *mm, struct km_cpu *cpu, const struct km_fn *fn)
{
    km_fn_enter(cpu, mm->mm_va + KM_PAGE_BYTES, fn);
    km_lock(cpu, mm->mm_va + KM_MM_LOCK);
}

static km_vaddr leave(struct km_user_mm *mm, struct km_cpu *cpu, const struct km_fn *fn, km_vaddr result)
{
    km_unlock(cpu, mm->mm_va + KM_MM_LOCK);
    km_fn_leave(cpu, mm->mm_va + KM_PAGE_BYTES, fn);
    return result;
}

km_vaddr km_user_munmap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len)
{
    enter(mm, cpu, &fn_munmap);
    mm->stats.munmap_calls++;
    len = km_align_up(len, KM_PAGE_BYTES);
    if (!good_range(addr, len))
        return leave(mm, cpu, &fn_munmap, km_user_errno(KM_EINVAL));
    bool ok = remove_range(mm, cpu, addr, (km_vaddr)(addr + len));

    return leave(mm, cpu, &fn_munmap, ok ? 0 : km_user_errno(KM_ENOMEM));
}

km_vaddr km_user_madvise_dontneed(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len)
{
    struct km_gather g;
    uint64_t end;

    len = km_align_up(len, KM_PAGE_BYTES);
    if (!good_range(addr, len))
        return km_user_errno(KM_EINVAL);
    end = addr + len;
    km_lock(cpu, mm->mm_va + KM_MM_LOCK);
    km_gather_init(&g, mm);
    for (km_vaddr a = km_user_find(mm, cpu, addr); a && get(cpu, a, KM_AREA_START) < end;
         a = get(cpu, a, KM_AREA_NEXT))
        km_user_zap(mm, cpu, &g, (km_vaddr)km_max_u64(addr, get(cpu, a, KM_AREA_START)),
                    km_min_u64(end, get(cpu, a, KM_AREA_END)));
    km_gather_finish(&g, cpu);
    km_unlock(cpu, mm->mm_va + KM_MM_LOCK);
    return 0;
}

/* ---- mmap ------------------------------------------------------------------------------------- */

/* Highest hole of len bytes that ends at or below `top`; 0: none. */
static km_vaddr hole_below(struct km_user_mm *mm, struct km_cpu *cpu, uint64_t top, uint64_t len)
{
    for (km_vaddr a = km_ld32(cpu, mm->mm_va + KM_MM_LAST);; a = get(cpu, a, KM_AREA_PREV)) {
        uint64_t end = a ? get(cpu, a, KM_AREA_END) : 0;

        if (top >= km_max_u64(end, MMAP_MIN_ADDR) + len)
            return (km_vaddr)(top - len);
        if (!a)
            return 0;
        top = km_min_u64(top, start_with_gap(cpu, a));
    }
}

static km_vaddr hole_above(struct km_user_mm *mm, struct km_cpu *cpu, uint64_t from, uint64_t len)
{
    for (km_vaddr a = km_ld32(cpu, mm->mm_va + KM_MM_FIRST);; a = get(cpu, a, KM_AREA_NEXT)) {
        uint64_t limit = a ? start_with_gap(cpu, a) : KM_TASK_SIZE;

        if (limit >= from && limit - from >= len)
            return (km_vaddr)from;
        if (!a)
            return 0;
        from = km_max_u64(from, get(cpu, a, KM_AREA_END));
    }
}

static bool range_is_free(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len)
{
    km_vaddr a = km_user_find(mm, cpu, addr);

    return !a || addr + len <= start_with_gap(cpu, a);
}

static km_vaddr find_room(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr hint, uint64_t len)
{
    km_vaddr at;

    hint = (km_vaddr)km_align_up(hint & ~PAGE_MASK, KM_PAGE_BYTES);
    if (hint >= MMAP_MIN_ADDR && hint + len <= KM_TASK_SIZE && range_is_free(mm, cpu, hint, len))
        return hint;
    if (!mm->bottom_up) {
        at = hole_below(mm, cpu, mm->mmap_base, len);
        if (at)
            return at;
        return hole_above(mm, cpu, km_align_up(KM_TASK_SIZE / 3, KM_PAGE_BYTES), len);
    }
    return hole_above(mm, cpu, mm->mmap_base, len);
}

/* Is memory of these flags counted in committed_pages? */
static bool accountable(const struct km_user_mm *mm, unsigned flags)
{
    if (flags & KM_AREA_NORESERVE && mm->sys->overcommit != 2)
        return false;
    return flags & KM_PROT_WRITE;
}

static km_vaddr do_mmap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len,
                        unsigned prot, unsigned map)
{
    unsigned flags = (prot & KM_AREA_PROT) | (map & KM_MAP_NORESERVE ? KM_AREA_NORESERVE : 0) |
                     (map & KM_MAP_GROWSDOWN ? KM_AREA_STACK : 0);
    bool fixed = map & (KM_MAP_FIXED | KM_MAP_FIXED_NOREPLACE);
    uint64_t pages = len >> KM_PAGE_SHIFT;

    if (mm->sys->overcommit == 2)
        flags &= ~(unsigned)KM_AREA_NORESERVE;
    if (km_ld32(cpu, mm->mm_va + KM_MM_MAP_COUNT) > KM_MAX_MAP_COUNT)
        return km_user_errno(KM_ENOMEM);
    if (fixed && (addr & PAGE_MASK || addr < MMAP_MIN_ADDR || addr + len > KM_TASK_SIZE))
        return km_user_errno(addr & PAGE_MASK ? KM_EINVAL : KM_ENOMEM);
    if (map & KM_MAP_FIXED_NOREPLACE && !range_is_free(mm, cpu, addr, len))
        return km_user_errno(KM_EEXIST);
    if (!fixed && !(addr = find_room(mm, cpu, addr, len))) {
        mm->stats.refused_room++;
        return km_user_errno(KM_ENOMEM);
    }
    if (!within_limits(mm, cpu, pages, flags))
        return km_user_errno(KM_ENOMEM);
    if (fixed && !remove_range(mm, cpu, addr, (km_vaddr)(addr + len)))
        return km_user_errno(KM_ENOMEM);
    if (accountable(mm, flags)) {
        if (!charge(mm, cpu, pages))
            return km_user_errno(KM_ENOMEM);
        flags |= KM_AREA_ACCOUNT;
    }
    if (!insert(mm, cpu, addr, (km_vaddr)(addr + len), flags)) {
        mm->sys->committed_pages -= flags & KM_AREA_ACCOUNT ? pages : 0;
        return km_user_errno(KM_ENOMEM);
    }
    return addr;
}

km_vaddr km_user_mmap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len,
                      unsigned prot, unsigned flags)
{
    km_vaddr result;

    enter(mm, cpu, &fn_mmap);
    mm->stats.mmap_calls++;
    len = km_align_up(len, KM_PAGE_BYTES);
    if (!len)
        return leave(mm, cpu, &fn_mmap, km_user_errno(KM_EINVAL));
    if (len > KM_TASK_SIZE) {
        mm->stats.refused_room++;
        return leave(mm, cpu, &fn_mmap, km_user_errno(KM_ENOMEM));
    }
    result = leave(mm, cpu, &fn_mmap, do_mmap(mm, cpu, addr, len, prot, flags));
    if (!km_user_failed(result) && flags & KM_MAP_POPULATE)
        km_user_access(mm, cpu, result, (uint32_t)len, prot & KM_PROT_WRITE);
    return result;
}

/* ---- brk -------------------------------------------------------------------------------------- */

static bool brk_room(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr from, km_vaddr to)
{
    km_vaddr next = km_user_find(mm, cpu, from);

    if (next && (uint64_t)to + KM_PAGE_BYTES > start_with_gap(cpu, next)) {
        mm->stats.refused_room++;
        return false;
    }
    return true;
}

static bool brk_grow(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr from, km_vaddr to)
{
    const unsigned flags = KM_PROT_READ | KM_PROT_WRITE | KM_AREA_ACCOUNT;
    uint64_t pages = (to - from) >> KM_PAGE_SHIFT;

    if (!brk_room(mm, cpu, from, to) || !within_limits(mm, cpu, pages, flags))
        return false;
    if (km_ld32(cpu, mm->mm_va + KM_MM_MAP_COUNT) > KM_MAX_MAP_COUNT || !charge(mm, cpu, pages))
        return false;
    if (insert(mm, cpu, from, to, flags))
        return true;
    mm->sys->committed_pages -= pages;
    return false;
}

km_vaddr km_user_brk(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr)
{
    enter(mm, cpu, &fn_brk);
    mm->stats.brk_calls++;
    km_vaddr old = km_ld32(cpu, mm->mm_va + KM_MM_BRK);
    uint64_t from = km_align_up(old, KM_PAGE_BYTES), to = km_align_up(addr, KM_PAGE_BYTES);

    if (addr < mm->start_brk || to > KM_TASK_SIZE)
        return leave(mm, cpu, &fn_brk, old);
    if (addr - mm->start_brk > mm->p.rlimit_data) {
        mm->stats.refused_limit++;
        return leave(mm, cpu, &fn_brk, old);
    }
    bool ok = true;

    if (to < from)
        ok = remove_range(mm, cpu, (km_vaddr)to, (km_vaddr)from);
    else if (to > from)
        ok = brk_grow(mm, cpu, (km_vaddr)from, (km_vaddr)to);
    if (ok)
        km_st32(cpu, mm->mm_va + KM_MM_BRK, addr);
    return leave(mm, cpu, &fn_brk, ok ? addr : old);
}

km_vaddr km_user_sbrk(struct km_user_mm *mm, struct km_cpu *cpu, int32_t increment)
{
    km_vaddr old = km_ld32(cpu, mm->mm_va + KM_MM_BRK), want = old + (uint32_t)increment;

    if (!increment)
        return old;
    if ((increment > 0) != (want > old) || km_user_brk(mm, cpu, want) != want)
        return km_user_errno(KM_ENOMEM);
    return old;
}

/* ---- mprotect, mremap, stack ------------------------------------------------------------------ */

static bool covered(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t end)
{
    uint64_t at = addr;

    for (km_vaddr a = km_user_find(mm, cpu, addr); a && at < end; a = get(cpu, a, KM_AREA_NEXT)) {
        if (get(cpu, a, KM_AREA_START) > at)
            return false;
        at = get(cpu, a, KM_AREA_END);
    }
    return at >= end;
}

/* One whole area gets new permissions; private memory that becomes writable is charged. */
static bool protect_area(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, unsigned prot)
{
    unsigned old = get(cpu, area, KM_AREA_FLAGS), now = (old & ~(unsigned)KM_AREA_PROT) | prot;
    uint64_t pages = pages_of(cpu, area);

    if (now == old)
        return true;
    if (!(old & KM_AREA_ACCOUNT) && accountable(mm, now)) {
        if (!charge(mm, cpu, pages))
            return false;
        now |= KM_AREA_ACCOUNT;
    }
    if ((old ^ now) & KM_PROT_WRITE && !(now & KM_AREA_STACK))
        km_mm_add(mm, cpu, KM_MM_DATA_VM, now & KM_PROT_WRITE ? (int32_t)pages : -(int32_t)pages);
    km_st32(cpu, area + KM_AREA_FLAGS, now);
    km_user_protect(mm, cpu, get(cpu, area, KM_AREA_START), get(cpu, area, KM_AREA_END), prot);
    return true;
}

static km_vaddr do_mprotect(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, km_vaddr end,
                            unsigned prot)
{
    if (!covered(mm, cpu, addr, end) || !split_at(mm, cpu, addr) || !split_at(mm, cpu, end))
        return km_user_errno(KM_ENOMEM);
    km_vaddr a = km_user_find(mm, cpu, addr);

    for (; a && get(cpu, a, KM_AREA_START) < end; a = get(cpu, a, KM_AREA_NEXT))
        if (!protect_area(mm, cpu, a, prot & KM_AREA_PROT))
            return km_user_errno(KM_ENOMEM);
    a = km_user_find(mm, cpu, addr);
    while (a && get(cpu, a, KM_AREA_START) < end) {
        uint32_t before = get(cpu, a, KM_AREA_END);

        join(mm, cpu, a);
        if (get(cpu, a, KM_AREA_END) == before)
            a = get(cpu, a, KM_AREA_NEXT);
    }
    a = prev_of(mm, cpu, km_user_find(mm, cpu, addr));
    if (a)
        join(mm, cpu, a);
    return 0;
}

km_vaddr km_user_mprotect(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len,
                          unsigned prot)
{
    enter(mm, cpu, &fn_mprotect);
    mm->stats.mprotect_calls++;
    len = km_align_up(len, KM_PAGE_BYTES);
    if (addr & PAGE_MASK)
        return leave(mm, cpu, &fn_mprotect, km_user_errno(KM_EINVAL));
    if (!len)
        return leave(mm, cpu, &fn_mprotect, 0);
    if (!good_range(addr, len))
        return leave(mm, cpu, &fn_mprotect, km_user_errno(KM_ENOMEM));
    return leave(mm, cpu, &fn_mprotect, do_mprotect(mm, cpu, addr, (km_vaddr)(addr + len), prot));
}

static bool grow_in_place(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, uint64_t end, uint64_t add)
{
    unsigned flags = get(cpu, area, KM_AREA_FLAGS);

    if (get(cpu, area, KM_AREA_END) != end || end + add > KM_TASK_SIZE ||
        !range_is_free(mm, cpu, (km_vaddr)end, add) ||
        !within_limits(mm, cpu, add >> KM_PAGE_SHIFT, flags))
        return false;
    if (flags & KM_AREA_ACCOUNT && !charge(mm, cpu, add >> KM_PAGE_SHIFT))
        return false;
    km_st32(cpu, area + KM_AREA_END, (km_vaddr)(end + add));
    count_vm(mm, cpu, flags, (int64_t)(add >> KM_PAGE_SHIFT));
    join(mm, cpu, area);
    return true;
}

static km_vaddr move_area(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, km_vaddr addr,
                          uint64_t old_len, uint64_t new_len)
{
    unsigned flags = get(cpu, area, KM_AREA_FLAGS);
    unsigned map = flags & KM_AREA_NORESERVE ? KM_MAP_NORESERVE : 0;
    km_vaddr to = do_mmap(mm, cpu, 0, new_len, flags & KM_AREA_PROT, map);

    if (km_user_failed(to))
        return to;
    if (!km_user_move(mm, cpu, addr, to, old_len)) { /* back where they were: those tables exist */
        km_user_move(mm, cpu, to, addr, old_len);
        remove_range(mm, cpu, to, (km_vaddr)(to + new_len));
        return km_user_errno(KM_ENOMEM);
    }
    if (!remove_range(mm, cpu, addr, (km_vaddr)(addr + old_len)))
        return km_user_errno(KM_ENOMEM);
    return to;
}

static km_vaddr do_mremap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t old_len,
                          uint64_t new_len, bool may_move)
{
    km_vaddr area = km_user_find(mm, cpu, addr);

    if (!good_range(addr, old_len) || !new_len || new_len > KM_TASK_SIZE)
        return km_user_errno(KM_EINVAL);
    if (!area || get(cpu, area, KM_AREA_START) > addr || addr + old_len > get(cpu, area, KM_AREA_END))
        return km_user_errno(KM_EFAULT);
    if (new_len <= old_len) {
        if (new_len < old_len &&
            !remove_range(mm, cpu, (km_vaddr)(addr + new_len), (km_vaddr)(addr + old_len)))
            return km_user_errno(KM_ENOMEM);
        return addr;
    }
    if (grow_in_place(mm, cpu, area, addr + old_len, new_len - old_len))
        return addr;
    if (!may_move)
        return km_user_errno(KM_ENOMEM);
    return move_area(mm, cpu, area, addr, old_len, new_len);
}

km_vaddr km_user_mremap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t old_len,
                        uint64_t new_len, bool may_move)
{
    enter(mm, cpu, &fn_mremap);
    mm->stats.mremap_calls++;
    old_len = km_align_up(old_len, KM_PAGE_BYTES);
    new_len = km_align_up(new_len, KM_PAGE_BYTES);
    return leave(mm, cpu, &fn_mremap, do_mremap(mm, cpu, addr, old_len, new_len, may_move));
}

bool km_user_expand_stack(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, km_vaddr va)
{
    km_vaddr start = get(cpu, area, KM_AREA_START), to = va & ~PAGE_MASK;
    unsigned flags = get(cpu, area, KM_AREA_FLAGS);
    km_vaddr prev = get(cpu, area, KM_AREA_PREV);
    uint64_t pages = (start - to) >> KM_PAGE_SHIFT;

    if (!(flags & KM_AREA_STACK) || to < MMAP_MIN_ADDR)
        return false;
    if (prev && get(cpu, prev, KM_AREA_FLAGS) & KM_AREA_PROT &&
        to - get(cpu, prev, KM_AREA_END) < KM_STACK_GUARD_PAGES * KM_PAGE_BYTES)
        return false;
    if (get(cpu, area, KM_AREA_END) - to > mm->p.rlimit_stack || !within_limits(mm, cpu, pages, flags))
        return false;
    if (flags & KM_AREA_ACCOUNT && !charge(mm, cpu, pages))
        return false;
    km_st32(cpu, area + KM_AREA_START, to);
    count_vm(mm, cpu, flags, (int64_t)pages);
    mm->stats.faults_stack++;
    return true;
}

/* ---- looking at it ---------------------------------------------------------------------------- */

uint64_t km_user_vm_pages(const struct km_user_mm *mm, const uint8_t *window)
{
    return km_peek32(window, mm->mm_va + KM_MM_TOTAL_VM);
}

uint64_t km_user_rss_pages(const struct km_user_mm *mm, const uint8_t *window)
{
    return km_peek32(window, mm->mm_va + KM_MM_RSS);
}

km_vaddr km_user_brk_now(const struct km_user_mm *mm, const uint8_t *window)
{
    return km_peek32(window, mm->mm_va + KM_MM_BRK);
}

bool km_user_area(const struct km_user_mm *mm, const uint8_t *window, unsigned i, struct km_user_area *out)
{
    km_vaddr at = km_peek32(window, mm->mm_va + KM_MM_FIRST);

    while (at && i--)
        at = km_peek32(window, at + KM_AREA_NEXT);
    if (!at)
        return false;
    unsigned flags = km_peek32(window, at + KM_AREA_FLAGS);

    *out = (struct km_user_area){.start = km_peek32(window, at + KM_AREA_START),
                                 .end = km_peek32(window, at + KM_AREA_END),
                                 .prot = flags & KM_AREA_PROT,
                                 .stack = flags & KM_AREA_STACK};
    return true;
}

struct seen {
    uint64_t frames, areas, vm, data;
};

static const char *check_area(const struct km_user_mm *mm, const uint8_t *window, km_vaddr at, uint64_t after,
                              struct seen *s)
{
    uint64_t start = km_peek32(window, at + KM_AREA_START), end = km_peek32(window, at + KM_AREA_END);
    unsigned flags = km_peek32(window, at + KM_AREA_FLAGS);

    if ((start | end) & PAGE_MASK || start >= end || end > KM_TASK_SIZE)
        return "an area is empty, unaligned or outside user space";
    if (start < after)
        return "areas overlap or are not ascending";
    s->areas++;
    s->vm += (end - start) >> KM_PAGE_SHIFT;
    s->data += flags & KM_PROT_WRITE && !(flags & KM_AREA_STACK) ? (end - start) >> KM_PAGE_SHIFT : 0;
    for (uint64_t va = start; va < end; va += KM_PAGE_BYTES) {
        bool writable;
        km_pfn pfn = km_user_frame(mm, window, (km_vaddr)va, &writable);

        if (pfn == KM_PFN_NONE)
            continue;
        if (writable && (pfn == mm->sys->zero_pfn || !(flags & KM_PROT_WRITE)))
            return "a page is writable that must not be";
        if (pfn == mm->sys->zero_pfn)
            continue;
        s->frames++;
        if (km_pfn_zone(mm->sys->os, pfn) == KM_NR_ZONES ||
            km_peek32(window, km_page_va(mm->sys->os, pfn) + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY)
            return "a mapped page is free";
    }
    return NULL;
}

const char *km_user_mm_check(const struct km_user_mm *mm, const uint8_t *window)
{
    struct seen s = {0};
    uint64_t after = 0;
    km_vaddr prev = 0;

    for (km_vaddr at = km_peek32(window, mm->mm_va + KM_MM_FIRST); at;
         prev = at, at = km_peek32(window, at + KM_AREA_NEXT)) {
        const char *wrong = check_area(mm, window, at, after, &s);

        if (wrong)
            return wrong;
        if (km_peek32(window, at + KM_AREA_PREV) != prev)
            return "the list of areas is not linked both ways";
        after = km_peek32(window, at + KM_AREA_END);
    }
    if (km_peek32(window, mm->mm_va + KM_MM_LAST) != prev)
        return "the last area is not the last";
    if (s.areas != km_peek32(window, mm->mm_va + KM_MM_MAP_COUNT))
        return "map_count is wrong";
    if (s.vm != km_user_vm_pages(mm, window) || s.data != km_peek32(window, mm->mm_va + KM_MM_DATA_VM))
        return "total_vm or data_vm is wrong";
    if (s.frames != km_user_rss_pages(mm, window))
        return "rss is not the number of pages mapped";
    return NULL;
}
