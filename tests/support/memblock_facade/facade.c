/* SPDX-License-Identifier: MIT
 * facade.c - the kernel's memblock calls, answered by models/os/memblock.
 *
 * The tests read and reset the fields of a global `memblock` directly, the model keeps its arrays
 * in guest memory. So every call loads the global into a fresh model, lets the model work, and
 * stores the result back. Zeroing is done here: the memory is the host's, not a guest's.
 */
#include <linux/memblock.h>

#include "models/os/memblock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATIC_VA 64u /* any address in the window but 0 */

static struct memblock_region memory_regions[KM_MEMBLOCK_REGIONS];
static struct memblock_region reserved_regions[KM_MEMBLOCK_REGIONS];
static uint32_t
    window[4096]; /* head and two static arrays, 64-bit addresses with node ids: 6 KiB */

struct memblock memblock = {
    .current_limit = MEMBLOCK_ALLOC_ANYWHERE,
    .memory = {.cnt = 1, .max = KM_MEMBLOCK_REGIONS, .regions = memory_regions, .name = "memory"},
    .reserved = {.cnt = 1,
                 .max = KM_MEMBLOCK_REGIONS,
                 .regions = reserved_regions,
                 .name = "reserved"},
};

void km_bug(const char *file, int line, const char *what); /* models/base/bug.h */
void km_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: bug: %s\n", file, line, what);
    abort();
}

struct session {
    struct km_memblock mb;
    struct km_cpu cpu;
};

/* An abort must not lose the results before it. */
__attribute__((constructor)) static void unbuffered(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
}

static uint32_t nid_of(const struct memblock_region *r)
{
#ifdef CONFIG_NUMA
    return (uint32_t)r->nid;
#else
    (void)r;
    return 0;
#endif
}

static void load_array(struct session *s, enum km_memblock_kind kind,
                       const struct memblock_type *from)
{
    for (unsigned long i = 0; i < from->cnt; i++) {
        const struct memblock_region *r = &from->regions[i];

        if (!r->size)
            continue;
        if (kind == KM_MEMBLOCK_MEMORY)
            km_memblock_add_node(&s->mb, &s->cpu, r->base, r->size, nid_of(r), r->flags);
        else
            km_memblock_reserve(&s->mb, &s->cpu, r->base, r->size);
        if (kind == KM_MEMBLOCK_RESERVED && nid_of(r) < MAX_NUMNODES)
            km_memblock_set_node(&s->mb, &s->cpu, kind, r->base, r->size, nid_of(r));
    }
    km_memblock_set_total_size(&s->mb, &s->cpu, kind, from->total_size);
}

static void load(struct session *s)
{
    const struct km_memblock_params p = {
        .static_va = STATIC_VA,
        .paddr_64 = sizeof(phys_addr_t) == 8,
        .nodes = MAX_NUMNODES,
        .line_bytes = SMP_CACHE_BYTES,
        .movable_node = movable_node_enabled,
    };

    km_cpu_init_null(&s->cpu, 0, (uint8_t *)window);
    km_memblock_init(&s->mb, &s->cpu, &p);
    load_array(s, KM_MEMBLOCK_MEMORY, &memblock.memory);
    load_array(s, KM_MEMBLOCK_RESERVED, &memblock.reserved);
    km_memblock_set_bottom_up(&s->mb, &s->cpu, memblock.bottom_up);
    km_memblock_set_current_limit(&s->mb, &s->cpu, memblock.current_limit);
}

static void store_array(struct session *s, enum km_memblock_kind kind, struct memblock_type *to,
                        km_paddr total)
{
    struct km_memblock_region r;
    uint32_t n = 0;

    while (km_memblock_get(&s->mb, &s->cpu, kind, n, &r)) {
        to->regions[n].base = (phys_addr_t)r.base;
        to->regions[n].size = (phys_addr_t)r.size;
        to->regions[n].flags = (enum memblock_flags)r.flags;
#ifdef CONFIG_NUMA
        to->regions[n].nid = (int)r.nid;
#endif
        n++;
    }
    if (!n)
        memset(&to->regions[n++], 0, sizeof(to->regions[0]));
    to->cnt = n;
    to->total_size = (phys_addr_t)total;
}

static void store(struct session *s)
{
    const char *broken = km_memblock_check(&s->mb, (const uint8_t *)window);

    if (broken) {
        fprintf(stderr, "memblock invariant broken: %s\n", broken);
        abort();
    }
    store_array(s, KM_MEMBLOCK_MEMORY, &memblock.memory,
                km_memblock_phys_mem_size(&s->mb, &s->cpu));
    store_array(s, KM_MEMBLOCK_RESERVED, &memblock.reserved,
                km_memblock_reserved_size(&s->mb, &s->cpu));
}

int memblock_add_node(phys_addr_t base, phys_addr_t size, int nid, enum memblock_flags flags)
{
    struct session s;

    load(&s);
    int rc = km_memblock_add_node(&s.mb, &s.cpu, base, size, (uint32_t)nid, flags);

    store(&s);
    return rc;
}

typedef int range_fn(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size);

static int on_range(range_fn *fn, phys_addr_t base, phys_addr_t size)
{
    struct session s;

    load(&s);
    int rc = fn(&s.mb, &s.cpu, base, size);

    store(&s);
    return rc;
}

int memblock_add(phys_addr_t base, phys_addr_t size)
{
    return on_range(km_memblock_add, base, size);
}

int memblock_remove(phys_addr_t base, phys_addr_t size)
{
    return on_range(km_memblock_remove, base, size);
}

int memblock_reserve(phys_addr_t base, phys_addr_t size)
{
    return on_range(km_memblock_reserve, base, size);
}

void memblock_free(void *ptr, size_t size)
{
    if (ptr)
        on_range(km_memblock_phys_free, (phys_addr_t)(uintptr_t)ptr, size);
}

void memblock_trim_memory(phys_addr_t align)
{
    struct session s;

    load(&s);
    km_memblock_trim_memory(&s.mb, &s.cpu, align);
    store(&s);
}

void *memblock_alloc_try_nid_raw(phys_addr_t size, phys_addr_t align, phys_addr_t min_addr,
                                 phys_addr_t max_addr, int nid)
{
    struct session s;

    load(&s);
    km_paddr found = km_memblock_alloc_try_nid_raw(
        &s.mb, &s.cpu, size, align, min_addr,
        max_addr == MEMBLOCK_ALLOC_ANYWHERE ? KM_MEMBLOCK_ANYWHERE : max_addr, (uint32_t)nid);

    store(&s);
    return (void *)(uintptr_t)found;
}

void *memblock_alloc_try_nid(phys_addr_t size, phys_addr_t align, phys_addr_t min_addr,
                             phys_addr_t max_addr, int nid)
{
    void *found = memblock_alloc_try_nid_raw(size, align, min_addr, max_addr, nid);

    if (found)
        memset(found, 0, (size_t)size);
    return found;
}

phys_addr_t memblock_start_of_DRAM(void)
{
    struct session s;

    load(&s);
    return (phys_addr_t)km_memblock_start_of_dram(&s.mb, &s.cpu);
}

phys_addr_t memblock_end_of_DRAM(void)
{
    struct session s;

    load(&s);
    return (phys_addr_t)km_memblock_end_of_dram(&s.mb, &s.cpu);
}
