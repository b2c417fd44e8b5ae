/* SPDX-License-Identifier: MIT
 * memblock.c - the boot-time memory map and allocator (Linux 6.1, mm/memblock.c).
 *
 * Theory:
 *  1. Each array is a sorted list of disjoint ranges. Adding fills only the gaps between existing
 * ranges, then equal neighbours that touch are merged; so existing flags and nodes win.
 *
 *        existing      [  A  )      [  B  )
 *        add        [                         )
 *        inserted   [1 )       [ 2  )     [ 3 )     then everything equal merges to one range
 *
 *  2. Removing, marking and assigning a node first split regions at both borders ("isolate"), then
 * treat whole regions.
 *  3. Free memory is memory minus reserved: walk memory regions and the gaps between reserved
 * regions with two indices, advancing the one that ends first.
 *  4. An allocation is a search over the free ranges from the top (default) or from the bottom,
 * followed by a reservation of what was found. Page 0 is never handed out, so 0 can mean failure.
 *  5. A full array doubles: the new one is found like any allocation, page-aligned, reserved
 * itself, and reached through the linear map. The static array is never given back, later ones are.
 *
 * Guest layout (words; a physical address has one or two): head { bottom_up, current_limit, memory,
 *   reserved }, array head { count, capacity, total_size, regions, name }, region { base, size,
 * flags
 *   [, nid] }, as in an i386 build.
 * Quirks kept:  an empty array has count 1 and a region of size 0; trimming leaves total_size as it
 * was; a cap does not merge the nomap regions it split. Invariants:  see km_memblock_check().
 * Units:       bytes of physical address.
 * References:  Linux 6.1 Documentation/core-api/boot-time-mm.rst.
 */
#include "models/os/memblock.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

/* ---- guest layout ---- */

static uint32_t paddr_bytes(const struct km_memblock *mb)
{
    return mb->p.paddr_64 ? 8 : 4;
}

/* Array head: count, capacity, total_size, regions, name. */
static uint32_t array_head_bytes(const struct km_memblock *mb)
{
    return 16 + paddr_bytes(mb);
}

static km_vaddr array_va(const struct km_memblock *mb, enum km_memblock_kind kind)
{
    km_vaddr memory_va = mb->p.static_va + 4 + paddr_bytes(mb);

    return kind == KM_MEMBLOCK_MEMORY ? memory_va : memory_va + array_head_bytes(mb);
}

static km_vaddr count_va(const struct km_memblock *mb, enum km_memblock_kind kind)
{
    return array_va(mb, kind);
}

static km_vaddr capacity_va(const struct km_memblock *mb, enum km_memblock_kind kind)
{
    return array_va(mb, kind) + 4;
}

static km_vaddr total_va(const struct km_memblock *mb, enum km_memblock_kind kind)
{
    return array_va(mb, kind) + 8;
}

static km_vaddr regions_va(const struct km_memblock *mb, enum km_memblock_kind kind)
{
    return array_va(mb, kind) + 8 + paddr_bytes(mb);
}

static uint32_t region_bytes(bool paddr_64, unsigned nodes)
{
    return (paddr_64 ? 16 : 8) + 4 + (nodes > 1 ? 4 : 0);
}

static uint32_t head_bytes(bool paddr_64)
{
    uint32_t paddr = paddr_64 ? 8 : 4;

    return 4 + paddr + 2 * (16 + paddr);
}

uint32_t km_memblock_static_bytes(bool paddr_64, unsigned nodes)
{
    return head_bytes(paddr_64) + 2 * KM_MEMBLOCK_REGIONS * region_bytes(paddr_64, nodes);
}

static km_vaddr static_array_va(const struct km_memblock *mb, enum km_memblock_kind kind)
{
    km_vaddr va = mb->p.static_va + head_bytes(mb->p.paddr_64);

    return kind == KM_MEMBLOCK_MEMORY ? va : va + KM_MEMBLOCK_REGIONS * mb->region_bytes;
}

/* ---- guest accesses ---- */

static km_paddr ld_paddr(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr va)
{
    km_paddr low = km_ld32(cpu, va);

    return mb->p.paddr_64 ? low | (km_paddr)km_ld32(cpu, va + 4) << 32 : low;
}

static void st_paddr(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr va, km_paddr v)
{
    km_st32(cpu, va, (uint32_t)v);
    if (mb->p.paddr_64)
        km_st32(cpu, va + 4, (uint32_t)(v >> 32));
}

static uint32_t ld_count(const struct km_memblock *mb, struct km_cpu *cpu,
                         enum km_memblock_kind kind)
{
    return km_ld32(cpu, count_va(mb, kind));
}

static void add_total(const struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                      km_paddr delta)
{
    km_vaddr va = total_va(mb, kind);

    st_paddr(mb, cpu, va, ld_paddr(mb, cpu, va) + delta);
}

static km_vaddr region_va(const struct km_memblock *mb, struct km_cpu *cpu,
                          enum km_memblock_kind kind, uint32_t index)
{
    return km_ld32(cpu, regions_va(mb, kind)) + index * mb->region_bytes;
}

static km_vaddr flags_va(const struct km_memblock *mb, km_vaddr region)
{
    return region + 2 * paddr_bytes(mb);
}

static km_paddr ld_base(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr region)
{
    return ld_paddr(mb, cpu, region);
}

static km_paddr ld_size(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr region)
{
    return ld_paddr(mb, cpu, region + paddr_bytes(mb));
}

static void st_size(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr region,
                    km_paddr size)
{
    st_paddr(mb, cpu, region + paddr_bytes(mb), size);
}

static bool has_nid(const struct km_memblock *mb)
{
    return mb->p.nodes > 1;
}

static uint32_t ld_nid(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr region)
{
    return has_nid(mb) ? km_ld32(cpu, flags_va(mb, region) + 4) : 0;
}

static struct km_memblock_region ld_region(const struct km_memblock *mb, struct km_cpu *cpu,
                                           enum km_memblock_kind kind, uint32_t index)
{
    km_vaddr va = region_va(mb, cpu, kind, index);

    return (struct km_memblock_region){
        .base = ld_base(mb, cpu, va),
        .size = ld_size(mb, cpu, va),
        .flags = km_ld32(cpu, flags_va(mb, va)),
        .nid = ld_nid(mb, cpu, va),
    };
}

static void st_region(const struct km_memblock *mb, struct km_cpu *cpu, km_vaddr va,
                      const struct km_memblock_region *r)
{
    st_paddr(mb, cpu, va, r->base);
    st_size(mb, cpu, va, r->size);
    km_st32(cpu, flags_va(mb, va), r->flags);
    if (has_nid(mb))
        km_st32(cpu, flags_va(mb, va) + 4, r->nid);
}

static void move_words_up(struct km_cpu *cpu, km_vaddr dst, km_vaddr src, uint32_t bytes)
{
    for (uint32_t left = bytes; left; left -= 4)
        km_st32(cpu, dst + left - 4, km_ld32(cpu, src + left - 4));
}

static void move_words_down(struct km_cpu *cpu, km_vaddr dst, km_vaddr src, uint32_t bytes)
{
    for (uint32_t done = 0; done < bytes; done += 4)
        km_st32(cpu, dst + done, km_ld32(cpu, src + done));
}

/* ---- arrays ---- */

/* Size of [base, base + size) as far as physical addresses reach. */
static km_paddr clip_size(const struct km_memblock *mb, km_paddr base, km_paddr size)
{
    return base >= mb->addr_max ? 0 : km_min_u64(size, mb->addr_max - base);
}

static void make_empty(const struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind)
{
    const struct km_memblock_region none = {.nid = mb->p.nodes};

    km_st32(cpu, count_va(mb, kind), 1);
    st_region(mb, cpu, region_va(mb, cpu, kind, 0), &none);
}

static bool is_empty(const struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind)
{
    return ld_size(mb, cpu, region_va(mb, cpu, kind, 0)) == 0;
}

static void init_array(const struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind)
{
    km_st32(cpu, capacity_va(mb, kind), KM_MEMBLOCK_REGIONS);
    st_paddr(mb, cpu, total_va(mb, kind), 0);
    km_st32(cpu, regions_va(mb, kind), static_array_va(mb, kind));
    make_empty(mb, cpu, kind);
}

void km_memblock_init(struct km_memblock *mb, struct km_cpu *cpu,
                      const struct km_memblock_params *p)
{
    KM_BUG_ON(p->nodes == 0 || (p->static_va & 3) || !km_is_pow2(p->line_bytes));
    memset(mb, 0, sizeof(*mb));
    mb->p = *p;
    mb->addr_max = p->paddr_64 ? UINT64_MAX : UINT32_MAX;
    mb->region_bytes = region_bytes(p->paddr_64, p->nodes);
    init_array(mb, cpu, KM_MEMBLOCK_MEMORY);
    init_array(mb, cpu, KM_MEMBLOCK_RESERVED);
    km_memblock_set_bottom_up(mb, cpu, false);
    km_memblock_set_current_limit(mb, cpu, mb->addr_max);
}

/* Opens a gap at `index` and fills it; there is room. */
static void insert_region(const struct km_memblock *mb, struct km_cpu *cpu,
                          enum km_memblock_kind kind, uint32_t index,
                          const struct km_memblock_region *r)
{
    uint32_t count = ld_count(mb, cpu, kind);
    km_vaddr va = region_va(mb, cpu, kind, index);

    KM_BUG_ON(count >= km_ld32(cpu, capacity_va(mb, kind)));
    move_words_up(cpu, va + mb->region_bytes, va, (count - index) * mb->region_bytes);
    st_region(mb, cpu, va, r);
    km_st32(cpu, count_va(mb, kind), count + 1);
    add_total(mb, cpu, kind, r->size);
}

/* Closes the gap left by one of several regions; total_size is the caller's business. */
static void take_out(const struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                     uint32_t index)
{
    uint32_t count = ld_count(mb, cpu, kind);
    km_vaddr va = region_va(mb, cpu, kind, index);

    move_words_down(cpu, va, va + mb->region_bytes, (count - index - 1) * mb->region_bytes);
    km_st32(cpu, count_va(mb, kind), count - 1);
}

static void delete_region(const struct km_memblock *mb, struct km_cpu *cpu,
                          enum km_memblock_kind kind, uint32_t index)
{
    add_total(mb, cpu, kind, -ld_size(mb, cpu, region_va(mb, cpu, kind, index)));
    if (ld_count(mb, cpu, kind) == 1)
        make_empty(mb, cpu, kind);
    else
        take_out(mb, cpu, kind, index);
}

static bool can_merge(const struct km_memblock_region *a, const struct km_memblock_region *b)
{
    return a->base + a->size == b->base && a->flags == b->flags && a->nid == b->nid;
}

static void merge_regions(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind)
{
    uint32_t index = 0;

    if (kind == KM_MEMBLOCK_MEMORY)
        mb->memory_split = false;
    while (index + 1 < ld_count(mb, cpu, kind)) {
        struct km_memblock_region left = ld_region(mb, cpu, kind, index);
        struct km_memblock_region right = ld_region(mb, cpu, kind, index + 1);

        if (!can_merge(&left, &right)) {
            index++;
            continue;
        }
        st_size(mb, cpu, region_va(mb, cpu, kind, index), left.size + right.size);
        take_out(mb, cpu, kind, index + 1);
    }
}

static void *linear_host(const struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                         km_paddr size)
{
    km_paddr room = (1ull << 32) - mb->p.page_offset;

    KM_BUG_ON(base > room || size > room - base);
    return cpu->window + (km_vaddr)(mb->p.page_offset + base);
}

static void zero_phys(const struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                      km_paddr size)
{
    void *host = linear_host(mb, cpu, base, size);

    km_touch(cpu, (km_vaddr)(mb->p.page_offset + base), (uint32_t)size, KM_REF_STORE);
    memset(host, 0, (size_t)size);
}

static uint32_t search_flags(const struct km_memblock *mb)
{
    return mb->has_mirror ? KM_MEMBLOCK_MIRROR : KM_MEMBLOCK_NONE;
}

/* Any node; mirrored memory first if there is some. */
static km_paddr find_any(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size, km_paddr align,
                         km_paddr start, km_paddr end)
{
    uint32_t flags = search_flags(mb);
    km_paddr found =
        km_memblock_find(mb, cpu, size, align, start, end, KM_MEMBLOCK_ANY_NODE, flags);

    if (found || !flags)
        return found;
    return km_memblock_find(mb, cpu, size, align, start, end, KM_MEMBLOCK_ANY_NODE,
                            KM_MEMBLOCK_NONE);
}

/* Where the doubled array can go: not into the range [base, base + size) that is about to be
 * reserved. */
static km_paddr find_array_room(struct km_memblock *mb, struct km_cpu *cpu,
                                enum km_memblock_kind kind, km_paddr bytes, km_paddr base,
                                km_paddr size)
{
    km_paddr limit = km_memblock_current_limit(mb, cpu);
    km_paddr found;

    if (kind != KM_MEMBLOCK_RESERVED)
        base = size = 0;
    found = find_any(mb, cpu, bytes, KM_PAGE_BYTES, base + size, limit);
    if (found || !size)
        return found;
    return find_any(mb, cpu, bytes, KM_PAGE_BYTES, 0, km_min_u64(base, limit));
}

/* Moves an array to one of twice the capacity; [base, size) is what the caller is working on. */
static int double_array(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                        km_paddr base, km_paddr size)
{
    uint32_t capacity = km_ld32(cpu, capacity_va(mb, kind));
    uint32_t old_bytes = capacity * mb->region_bytes;
    km_vaddr old_va = km_ld32(cpu, regions_va(mb, kind));
    km_paddr new_bytes = km_align_up(2ull * old_bytes, KM_PAGE_BYTES);
    km_paddr new_pa;
    km_vaddr new_va;

    if (!mb->can_resize)
        return KM_MEMBLOCK_FULL;
    new_pa = find_array_room(mb, cpu, kind, new_bytes, base, size);
    if (!new_pa)
        return KM_MEMBLOCK_FULL;
    zero_phys(mb, cpu, new_pa + old_bytes, old_bytes);
    new_va = (km_vaddr)(mb->p.page_offset + new_pa);
    move_words_down(cpu, new_va, old_va, old_bytes);
    km_st32(cpu, regions_va(mb, kind), new_va);
    km_st32(cpu, capacity_va(mb, kind), 2 * capacity);
    if (old_va != static_array_va(mb, kind))
        km_memblock_phys_free(mb, cpu, old_va - mb->p.page_offset,
                              km_align_up(old_bytes, KM_PAGE_BYTES));
    KM_BUG_ON(km_memblock_reserve(mb, cpu, new_pa, new_bytes));
    return 0;
}

static int make_room(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                     uint32_t extra, km_paddr base, km_paddr size)
{
    while (ld_count(mb, cpu, kind) + extra > km_ld32(cpu, capacity_va(mb, kind)))
        if (double_array(mb, cpu, kind, base, size))
            return KM_MEMBLOCK_FULL;
    return 0;
}

/* ---- adding ---- */

/* Gaps of `add` between existing regions: counted, or also filled. */
static uint32_t fill_gaps(const struct km_memblock *mb, struct km_cpu *cpu,
                          enum km_memblock_kind kind, const struct km_memblock_region *add,
                          bool insert)
{
    struct km_memblock_region gap = *add;
    km_paddr end = add->base + add->size;
    uint32_t gaps = 0, index = 0;

    for (; index < ld_count(mb, cpu, kind); index++) {
        km_vaddr va = region_va(mb, cpu, kind, index);
        km_paddr region_base = ld_base(mb, cpu, va);
        km_paddr region_end = region_base + ld_size(mb, cpu, va);

        if (region_base >= end)
            break;
        if (region_end <= gap.base)
            continue;
        if (region_base > gap.base) {
            gap.size = region_base - gap.base;
            gaps++;
            if (insert)
                insert_region(mb, cpu, kind, index++, &gap);
        }
        gap.base = km_min_u64(region_end, end);
    }
    if (gap.base < end) {
        gap.size = end - gap.base;
        gaps++;
        if (insert)
            insert_region(mb, cpu, kind, index, &gap);
    }
    return gaps;
}

static int add_range(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                     struct km_memblock_region add)
{
    uint32_t count = ld_count(mb, cpu, kind);

    add.size = clip_size(mb, add.base, add.size);
    if (!add.size)
        return 0;
    if (is_empty(mb, cpu, kind)) {
        if (kind == KM_MEMBLOCK_MEMORY)
            mb->trim_excess = 0;
        st_region(mb, cpu, region_va(mb, cpu, kind, 0), &add);
        st_paddr(mb, cpu, total_va(mb, kind), add.size);
        return 0;
    }
    /* At most one gap before each region and one behind: count only if that might not fit. */
    if (count * 2 + 1 >= km_ld32(cpu, capacity_va(mb, kind))) {
        uint32_t gaps = fill_gaps(mb, cpu, kind, &add, false);

        if (make_room(mb, cpu, kind, gaps, add.base, add.size))
            return KM_MEMBLOCK_FULL;
    }
    if (fill_gaps(mb, cpu, kind, &add, true))
        merge_regions(mb, cpu, kind);
    return 0;
}

int km_memblock_add(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size)
{
    return km_memblock_add_node(mb, cpu, base, size, mb->p.nodes, KM_MEMBLOCK_NONE);
}

int km_memblock_add_node(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                         uint32_t nid, uint32_t flags)
{
    return add_range(mb, cpu, KM_MEMBLOCK_MEMORY,
                     (struct km_memblock_region){base, size, flags, has_nid(mb) ? nid : 0});
}

int km_memblock_reserve(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size)
{
    return add_range(
        mb, cpu, KM_MEMBLOCK_RESERVED,
        (struct km_memblock_region){base, size, KM_MEMBLOCK_NONE, has_nid(mb) ? mb->p.nodes : 0});
}

/* ---- removing and marking ---- */

struct index_range {
    uint32_t first, end;
};

/* Splits one region in two at `at`, which lies inside it. */
static void split_region(const struct km_memblock *mb, struct km_cpu *cpu,
                         enum km_memblock_kind kind, uint32_t index, km_paddr at)
{
    struct km_memblock_region low = ld_region(mb, cpu, kind, index);
    struct km_memblock_region high = low;

    high.base = at;
    high.size = low.base + low.size - at;
    low.size = at - low.base;
    st_size(mb, cpu, region_va(mb, cpu, kind, index), low.size);
    add_total(mb, cpu, kind, -high.size); /* insert_region adds it again */
    insert_region(mb, cpu, kind, index + 1, &high);
}

/* Splits at both borders; *out are then the regions inside [base, base + size). */
static int isolate_range(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                         km_paddr base, km_paddr size, struct index_range *out)
{
    km_paddr end;

    *out = (struct index_range){0, 0};
    size = clip_size(mb, base, size);
    if (!size)
        return 0;
    end = base + size;
    if (make_room(mb, cpu, kind, 2, base, size)) /* two splits add two regions */
        return KM_MEMBLOCK_FULL;
    for (uint32_t index = 0; index < ld_count(mb, cpu, kind); index++) {
        km_vaddr va = region_va(mb, cpu, kind, index);
        km_paddr region_base = ld_base(mb, cpu, va);
        km_paddr region_end = region_base + ld_size(mb, cpu, va);

        if (region_base >= end)
            break;
        if (region_end <= base)
            continue;
        if (region_base < base) {
            split_region(mb, cpu, kind, index, base);
            continue;
        }
        if (region_end > end)
            split_region(mb, cpu, kind, index, end);
        if (out->end == 0)
            out->first = index;
        out->end = index + 1;
    }
    return 0;
}

static int remove_range(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                        km_paddr base, km_paddr size)
{
    struct index_range in;

    if (isolate_range(mb, cpu, kind, base, size, &in))
        return KM_MEMBLOCK_FULL;
    for (uint32_t index = in.end; index > in.first; index--)
        delete_region(mb, cpu, kind, index - 1);
    return 0;
}

int km_memblock_remove(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size)
{
    return remove_range(mb, cpu, KM_MEMBLOCK_MEMORY, base, size);
}

int km_memblock_phys_free(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size)
{
    return remove_range(mb, cpu, KM_MEMBLOCK_RESERVED, base, size);
}

static int change_flags(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                        uint32_t clear, uint32_t set)
{
    struct index_range in;

    if (isolate_range(mb, cpu, KM_MEMBLOCK_MEMORY, base, size, &in))
        return KM_MEMBLOCK_FULL;
    for (uint32_t index = in.first; index < in.end; index++) {
        km_vaddr va = flags_va(mb, region_va(mb, cpu, KM_MEMBLOCK_MEMORY, index));

        km_st32(cpu, va, (km_ld32(cpu, va) & ~clear) | set);
    }
    merge_regions(mb, cpu, KM_MEMBLOCK_MEMORY);
    return 0;
}

int km_memblock_mark(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                     uint32_t flag)
{
    if (flag & KM_MEMBLOCK_MIRROR)
        mb->has_mirror = true;
    return change_flags(mb, cpu, base, size, 0, flag);
}

int km_memblock_clear(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                      uint32_t flag)
{
    return change_flags(mb, cpu, base, size, flag, 0);
}

int km_memblock_set_node(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                         km_paddr base, km_paddr size, uint32_t nid)
{
    struct index_range in;

    if (!has_nid(mb))
        return 0;
    if (isolate_range(mb, cpu, kind, base, size, &in))
        return KM_MEMBLOCK_FULL;
    for (uint32_t index = in.first; index < in.end; index++)
        km_st32(cpu, flags_va(mb, region_va(mb, cpu, kind, index)) + 4, nid);
    merge_regions(mb, cpu, kind);
    return 0;
}

void km_memblock_trim_memory(struct km_memblock *mb, struct km_cpu *cpu, km_paddr align)
{
    uint32_t index = 0;

    KM_BUG_ON(!km_is_pow2(align));
    while (index < ld_count(mb, cpu, KM_MEMBLOCK_MEMORY) &&
           !is_empty(mb, cpu, KM_MEMBLOCK_MEMORY)) {
        km_vaddr va = region_va(mb, cpu, KM_MEMBLOCK_MEMORY, index);
        km_paddr base = ld_base(mb, cpu, va), size = ld_size(mb, cpu, va);
        km_paddr start = (base + align - 1) & ~(align - 1);
        km_paddr end = (base + size) & ~(align - 1);

        if (start < base || start >= end) { /* the first: rounded up past the last address */
            delete_region(mb, cpu, KM_MEMBLOCK_MEMORY, index);
            continue;
        }
        st_paddr(mb, cpu, va, start);
        st_size(mb, cpu, va, end - start);
        mb->trim_excess += size - (end - start);
        index++;
    }
}

void km_memblock_set_total_size(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                                km_paddr total)
{
    km_vaddr va = total_va(mb, kind);

    if (kind == KM_MEMBLOCK_MEMORY)
        mb->trim_excess += total - ld_paddr(mb, cpu, va);
    st_paddr(mb, cpu, va, total);
}

/* Address below which `limit` bytes of memory lie; addr_max if there is less. */
static km_paddr limit_to_addr(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit)
{
    struct km_memblock_region r;

    for (uint32_t index = 0; km_memblock_get(mb, cpu, KM_MEMBLOCK_MEMORY, index, &r); index++) {
        if (limit <= r.size)
            return r.base + limit;
        limit -= r.size;
    }
    return mb->addr_max;
}

void km_memblock_enforce_memory_limit(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit)
{
    km_paddr end = limit_to_addr(mb, cpu, limit);

    if (!limit || end == mb->addr_max)
        return;
    remove_range(mb, cpu, KM_MEMBLOCK_MEMORY, end, mb->addr_max);
    remove_range(mb, cpu, KM_MEMBLOCK_RESERVED, end, mb->addr_max);
}

void km_memblock_mem_limit_remove_map(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit)
{
    km_paddr end = limit_to_addr(mb, cpu, limit);

    if (limit && end != mb->addr_max)
        km_memblock_cap_memory_range(mb, cpu, 0, end);
}

static void delete_mapped(struct km_memblock *mb, struct km_cpu *cpu, uint32_t first, uint32_t end)
{
    for (uint32_t index = end; index > first; index--) {
        km_vaddr va = region_va(mb, cpu, KM_MEMBLOCK_MEMORY, index - 1);

        if (!(km_ld32(cpu, flags_va(mb, va)) & KM_MEMBLOCK_NOMAP))
            delete_region(mb, cpu, KM_MEMBLOCK_MEMORY, index - 1);
    }
}

void km_memblock_cap_memory_range(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                                  km_paddr size)
{
    struct index_range in;

    size = clip_size(mb, base, size);
    if (!size || isolate_range(mb, cpu, KM_MEMBLOCK_MEMORY, base, size, &in))
        return;
    mb->memory_split = true;
    delete_mapped(mb, cpu, in.end, ld_count(mb, cpu, KM_MEMBLOCK_MEMORY));
    delete_mapped(mb, cpu, 0, in.first);
    remove_range(mb, cpu, KM_MEMBLOCK_RESERVED, 0, base);
    remove_range(mb, cpu, KM_MEMBLOCK_RESERVED, base + size, mb->addr_max);
}

/* ---- iteration ---- */

static bool passed_over(const struct km_memblock *mb, const struct km_memblock_region *r,
                        uint32_t nid, uint32_t flags)
{
    if (nid != KM_MEMBLOCK_ANY_NODE && nid != r->nid)
        return true;
    if (mb->p.movable_node && (r->flags & KM_MEMBLOCK_HOTPLUG) && !(flags & KM_MEMBLOCK_HOTPLUG))
        return true;
    if ((flags & KM_MEMBLOCK_MIRROR) && !(r->flags & KM_MEMBLOCK_MIRROR))
        return true;
    if ((r->flags & KM_MEMBLOCK_NOMAP) && !(flags & KM_MEMBLOCK_NOMAP))
        return true;
    return (r->flags & KM_MEMBLOCK_DRIVER_MANAGED) && !(flags & KM_MEMBLOCK_DRIVER_MANAGED);
}

/* Gap number `gap` of the reserved array: in front of region `gap`, the last one behind all
 * regions. */
static void ld_gap(const struct km_memblock *mb, struct km_cpu *cpu, uint32_t gap, uint32_t count,
                   km_paddr *start, km_paddr *end)
{
    *start = 0;
    *end = mb->addr_max;
    if (gap > 0) {
        km_vaddr before = region_va(mb, cpu, KM_MEMBLOCK_RESERVED, gap - 1);

        *start = ld_base(mb, cpu, before) + ld_size(mb, cpu, before);
    }
    if (gap < count)
        *end = ld_base(mb, cpu, region_va(mb, cpu, KM_MEMBLOCK_RESERVED, gap));
}

/* Cursor: memory index in the low word, gap number in the high word, both the next to look at. */
static uint64_t make_cursor(uint32_t mem, uint32_t gap)
{
    return (uint64_t)gap << 32 | mem;
}

bool km_memblock_next_free(struct km_memblock *mb, struct km_cpu *cpu, uint64_t *cursor,
                           uint32_t nid, uint32_t flags, km_paddr *start, km_paddr *end)
{
    uint32_t mem = (uint32_t)*cursor, gap = (uint32_t)(*cursor >> 32);
    uint32_t mems = ld_count(mb, cpu, KM_MEMBLOCK_MEMORY);
    uint32_t reserved = ld_count(mb, cpu, KM_MEMBLOCK_RESERVED);

    for (; mem < mems; mem++) {
        struct km_memblock_region r = ld_region(mb, cpu, KM_MEMBLOCK_MEMORY, mem);
        km_paddr mem_end = r.base + r.size;

        if (passed_over(mb, &r, nid, flags))
            continue;
        while (gap <= reserved) {
            km_paddr gap_start, gap_end;

            ld_gap(mb, cpu, gap, reserved, &gap_start, &gap_end);
            if (gap_start >= mem_end)
                break;
            *start = km_max_u64(r.base, gap_start);
            *end = km_min_u64(mem_end, gap_end);
            if (mem_end > gap_end) {
                gap++; /* the gap ends first: look at the same memory again */
                if (*start < *end) {
                    *cursor = make_cursor(mem, gap);
                    return true;
                }
                continue;
            }
            if (*start < *end) {
                *cursor = make_cursor(mem + 1, gap);
                return true;
            }
            break;
        }
    }
    *cursor = make_cursor(mems, reserved + 1);
    return false;
}

bool km_memblock_prev_free(struct km_memblock *mb, struct km_cpu *cpu, uint64_t *cursor,
                           uint32_t nid, uint32_t flags, km_paddr *start, km_paddr *end)
{
    uint32_t reserved = ld_count(mb, cpu, KM_MEMBLOCK_RESERVED);
    uint32_t mem = (uint32_t)*cursor, gap = (uint32_t)(*cursor >> 32); /* one beyond the next */

    if (*cursor == KM_MEMBLOCK_LAST) {
        mem = ld_count(mb, cpu, KM_MEMBLOCK_MEMORY);
        gap = reserved + 1;
    }
    for (; mem > 0; mem--) {
        struct km_memblock_region r = ld_region(mb, cpu, KM_MEMBLOCK_MEMORY, mem - 1);
        km_paddr mem_end = r.base + r.size;

        if (passed_over(mb, &r, nid, flags))
            continue;
        while (gap > 0) {
            km_paddr gap_start, gap_end;
            bool gap_first;

            ld_gap(mb, cpu, gap - 1, reserved, &gap_start, &gap_end);
            if (gap_end <= r.base)
                break;
            *start = km_max_u64(r.base, gap_start);
            *end = km_min_u64(mem_end, gap_end);
            gap_first = gap_start > r.base; /* going down, the gap ends first */
            if (gap_first)
                gap--;
            if (*start < *end) {
                *cursor = make_cursor(gap_first ? mem : mem - 1, gap);
                return true;
            }
            if (!gap_first)
                break;
        }
    }
    *cursor = make_cursor(0, 0);
    return false;
}

static km_pfn pfn_of(km_paddr addr)
{
    return (km_pfn)km_min_u64(addr >> KM_PAGE_SHIFT, KM_PFN_NONE);
}

static km_pfn pfn_up(km_paddr addr)
{
    return pfn_of(addr) + ((addr & (KM_PAGE_BYTES - 1)) && pfn_of(addr) != KM_PFN_NONE);
}

bool km_memblock_next_free_pfn(struct km_memblock *mb, struct km_cpu *cpu, uint64_t *cursor,
                               km_pfn *start, km_pfn *end)
{
    km_paddr first, last;

    while (km_memblock_next_free(mb, cpu, cursor, KM_MEMBLOCK_ANY_NODE, KM_MEMBLOCK_NONE, &first,
                                 &last)) {
        *start = pfn_up(first);
        *end = pfn_of(last);
        if (*start < *end)
            return true;
    }
    return false;
}

bool km_memblock_next_mem_pfn(struct km_memblock *mb, struct km_cpu *cpu, uint32_t *index,
                              uint32_t nid, km_pfn *start, km_pfn *end)
{
    struct km_memblock_region r;

    while (km_memblock_get(mb, cpu, KM_MEMBLOCK_MEMORY, (*index)++, &r)) {
        *start = pfn_up(r.base);
        *end = pfn_of(r.base + r.size);
        if (*start < *end && (nid == KM_MEMBLOCK_ANY_NODE || nid == r.nid))
            return true;
    }
    return false;
}

bool km_memblock_get(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                     uint32_t index, struct km_memblock_region *out)
{
    if (index >= ld_count(mb, cpu, kind))
        return false;
    *out = ld_region(mb, cpu, kind, index);
    return out->size != 0;
}

/* ---- allocation ---- */

static km_paddr find_bottom_up(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                               km_paddr align, km_paddr min, km_paddr max, uint32_t nid,
                               uint32_t flags)
{
    uint64_t cursor = 0;
    km_paddr start, end;

    while (km_memblock_next_free(mb, cpu, &cursor, nid, flags, &start, &end)) {
        km_paddr found;

        start = km_min_u64(km_max_u64(start, min), max);
        end = km_min_u64(km_max_u64(end, min), max);
        found = (start + align - 1) & ~(align - 1);
        if (found >= start && found < end && end - found >= size)
            return found;
    }
    return 0;
}

static km_paddr find_top_down(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                              km_paddr align, km_paddr min, km_paddr max, uint32_t nid,
                              uint32_t flags)
{
    uint64_t cursor = KM_MEMBLOCK_LAST;
    km_paddr start, end;

    while (km_memblock_prev_free(mb, cpu, &cursor, nid, flags, &start, &end)) {
        km_paddr found;

        start = km_min_u64(km_max_u64(start, min), max);
        end = km_min_u64(km_max_u64(end, min), max);
        if (end < size)
            continue;
        found = (end - size) & ~(align - 1);
        if (found >= start)
            return found;
    }
    return 0;
}

km_paddr km_memblock_find(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size, km_paddr align,
                          km_paddr start, km_paddr end, uint32_t nid, uint32_t flags)
{
    KM_BUG_ON(!km_is_pow2(align));
    if (end == KM_MEMBLOCK_ACCESSIBLE)
        end = km_memblock_current_limit(mb, cpu);
    start = km_max_u64(start, KM_PAGE_BYTES); /* page 0 is never handed out */
    end = km_max_u64(start, end);
    return km_memblock_bottom_up(mb, cpu)
               ? find_bottom_up(mb, cpu, size, align, start, end, nid, flags)
               : find_top_down(mb, cpu, size, align, start, end, nid, flags);
}

static km_paddr find_and_reserve(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                 km_paddr align, km_paddr start, km_paddr end, uint32_t nid,
                                 uint32_t flags)
{
    km_paddr found = km_memblock_find(mb, cpu, size, align, start, end, nid, flags);

    return found && !km_memblock_reserve(mb, cpu, found, size) ? found : 0;
}

km_paddr km_memblock_alloc_range_nid(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                     km_paddr align, km_paddr start, km_paddr end, uint32_t nid,
                                     bool exact)
{
    uint32_t flags = search_flags(mb);

    if (nid == mb->p.nodes)
        nid = KM_MEMBLOCK_ANY_NODE;
    if (!align)
        align = mb->p.line_bytes;
    for (;;) {
        km_paddr found = find_and_reserve(mb, cpu, size, align, start, end, nid, flags);

        if (!found && nid != KM_MEMBLOCK_ANY_NODE && !exact)
            found = find_and_reserve(mb, cpu, size, align, start, end, KM_MEMBLOCK_ANY_NODE, flags);
        if (found || !(flags & KM_MEMBLOCK_MIRROR))
            return found;
        flags &= ~(uint32_t)KM_MEMBLOCK_MIRROR; /* no mirrored memory left: take any */
    }
}

km_paddr km_memblock_phys_alloc_range(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                      km_paddr align, km_paddr start, km_paddr end)
{
    return km_memblock_alloc_range_nid(mb, cpu, size, align, start, end, KM_MEMBLOCK_ANY_NODE,
                                       false);
}

static km_paddr alloc_limited(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                              km_paddr align, km_paddr min, km_paddr max, uint32_t nid, bool exact)
{
    km_paddr found;

    max = km_min_u64(max, km_memblock_current_limit(mb, cpu));
    found = km_memblock_alloc_range_nid(mb, cpu, size, align, min, max, nid, exact);
    if (!found && min)
        found = km_memblock_alloc_range_nid(mb, cpu, size, align, 0, max, nid, exact);
    return found;
}

km_paddr km_memblock_alloc_try_nid_raw(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                       km_paddr align, km_paddr min, km_paddr max, uint32_t nid)
{
    return alloc_limited(mb, cpu, size, align, min, max, nid, false);
}

km_paddr km_memblock_alloc_exact_nid_raw(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                         km_paddr align, km_paddr min, km_paddr max, uint32_t nid)
{
    return alloc_limited(mb, cpu, size, align, min, max, nid, true);
}

km_paddr km_memblock_alloc_try_nid(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                   km_paddr align, km_paddr min, km_paddr max, uint32_t nid)
{
    km_paddr found = alloc_limited(mb, cpu, size, align, min, max, nid, false);

    if (found)
        zero_phys(mb, cpu, found, size);
    return found;
}

km_paddr km_memblock_alloc(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                           km_paddr align)
{
    return km_memblock_alloc_try_nid(mb, cpu, size, align, 0, KM_MEMBLOCK_ACCESSIBLE,
                                     KM_MEMBLOCK_ANY_NODE);
}

/* ---- settings and queries ---- */

void km_memblock_set_bottom_up(struct km_memblock *mb, struct km_cpu *cpu, bool on)
{
    km_st32(cpu, mb->p.static_va, on);
}

bool km_memblock_bottom_up(struct km_memblock *mb, struct km_cpu *cpu)
{
    return km_ld32(cpu, mb->p.static_va) != 0;
}

void km_memblock_set_current_limit(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit)
{
    st_paddr(mb, cpu, mb->p.static_va + 4, km_min_u64(limit, mb->addr_max));
}

km_paddr km_memblock_current_limit(struct km_memblock *mb, struct km_cpu *cpu)
{
    return ld_paddr(mb, cpu, mb->p.static_va + 4);
}

void km_memblock_allow_resize(struct km_memblock *mb)
{
    mb->can_resize = true;
}

/* Index of the region that holds addr (binary search); UINT32_MAX if none does. */
static uint32_t search(const struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                       km_paddr addr)
{
    uint32_t low = 0, high = ld_count(mb, cpu, kind);

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        km_vaddr va = region_va(mb, cpu, kind, middle);
        km_paddr base = ld_base(mb, cpu, va);

        if (addr < base)
            high = middle;
        else if (addr - base >= ld_size(mb, cpu, va))
            low = middle + 1;
        else
            return middle;
    }
    return UINT32_MAX;
}

bool km_memblock_is_memory(struct km_memblock *mb, struct km_cpu *cpu, km_paddr addr)
{
    return search(mb, cpu, KM_MEMBLOCK_MEMORY, addr) != UINT32_MAX;
}

bool km_memblock_is_reserved(struct km_memblock *mb, struct km_cpu *cpu, km_paddr addr)
{
    return search(mb, cpu, KM_MEMBLOCK_RESERVED, addr) != UINT32_MAX;
}

bool km_memblock_is_region_memory(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                                  km_paddr size)
{
    uint32_t index = search(mb, cpu, KM_MEMBLOCK_MEMORY, base);
    km_vaddr va;

    if (index == UINT32_MAX)
        return false;
    va = region_va(mb, cpu, KM_MEMBLOCK_MEMORY, index);
    return ld_base(mb, cpu, va) + ld_size(mb, cpu, va) >= base + clip_size(mb, base, size);
}

bool km_memblock_is_region_reserved(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                                    km_paddr size)
{
    struct km_memblock_region r;
    km_paddr end = base + clip_size(mb, base, size);

    for (uint32_t index = 0; km_memblock_get(mb, cpu, KM_MEMBLOCK_RESERVED, index, &r); index++)
        if (r.base < end && base < r.base + r.size)
            return true;
    return false;
}

km_paddr km_memblock_phys_mem_size(struct km_memblock *mb, struct km_cpu *cpu)
{
    return ld_paddr(mb, cpu, total_va(mb, KM_MEMBLOCK_MEMORY));
}

km_paddr km_memblock_reserved_size(struct km_memblock *mb, struct km_cpu *cpu)
{
    return ld_paddr(mb, cpu, total_va(mb, KM_MEMBLOCK_RESERVED));
}

km_paddr km_memblock_start_of_dram(struct km_memblock *mb, struct km_cpu *cpu)
{
    return ld_base(mb, cpu, region_va(mb, cpu, KM_MEMBLOCK_MEMORY, 0));
}

km_paddr km_memblock_end_of_dram(struct km_memblock *mb, struct km_cpu *cpu)
{
    uint32_t last = ld_count(mb, cpu, KM_MEMBLOCK_MEMORY) - 1;
    km_vaddr va = region_va(mb, cpu, KM_MEMBLOCK_MEMORY, last);

    return ld_base(mb, cpu, va) + ld_size(mb, cpu, va);
}

/* ---- invariants ---- */

static const char *check_region(const struct km_memblock *mb, const struct km_memblock_region *r,
                                const struct km_memblock_region *before, bool may_touch)
{
    if (!r->size)
        return "a region of size 0 in an array that is not empty";
    if (r->size > mb->addr_max - r->base)
        return "a region reaches beyond the last physical address";
    if (!before)
        return NULL;
    if (r->base < before->base + before->size)
        return "regions overlap or are not sorted";
    if (can_merge(before, r) && !may_touch)
        return "equal neighbours are not merged";
    return NULL;
}

static const char *check_array(const struct km_memblock *mb, struct km_cpu *peek,
                               enum km_memblock_kind kind)
{
    uint32_t count = ld_count(mb, peek, kind);
    bool may_touch = kind == KM_MEMBLOCK_MEMORY && mb->memory_split;
    km_paddr excess = kind == KM_MEMBLOCK_MEMORY ? mb->trim_excess : 0;
    struct km_memblock_region before, r;
    km_paddr sum = 0;

    if (count == 0 || count > km_ld32(peek, capacity_va(mb, kind)))
        return "count is 0 or beyond the capacity";
    for (uint32_t index = 0; index < count; index++, before = r) {
        const char *broken;

        r = ld_region(mb, peek, kind, index);
        if (count == 1 && !r.size) {
            if (r.base || r.flags)
                return "the region of an empty array is not clear";
            break;
        }
        broken = check_region(mb, &r, index ? &before : NULL, may_touch);
        if (broken)
            return broken;
        if (kind == KM_MEMBLOCK_RESERVED && r.flags)
            return "a reserved region has flags";
        sum += r.size;
    }
    return sum + excess == ld_paddr(mb, peek, total_va(mb, kind)) ? NULL : "total_size is wrong";
}

const char *km_memblock_check(const struct km_memblock *mb, const uint8_t *window)
{
    struct km_cpu peek; /* null port: reads without time or counters */
    const char *broken;

    km_cpu_init_null(&peek, 0, (uint8_t *)(uintptr_t)window);
    broken = check_array(mb, &peek, KM_MEMBLOCK_MEMORY);
    return broken ? broken : check_array(mb, &peek, KM_MEMBLOCK_RESERVED);
}
