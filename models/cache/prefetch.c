/* SPDX-License-Identifier: MIT
 * prefetch.c - see prefetch.h.
 */
#include "models/cache/prefetch.h"

#include "models/base/bits.h"

#include <string.h>

void km_prefetch_init(struct km_prefetch *p, enum km_prefetch_kind kind, uint32_t degree,
                      uint32_t line_bytes)
{
    memset(p, 0, sizeof(*p));
    p->kind = kind;
    p->degree = kind == KM_PREFETCH_ADJACENT ? 1 : degree;
    p->page_lines = KM_PAGE_BYTES / line_bytes;
    for (unsigned i = 0; i < KM_PREFETCH_PAGES; i++)
        p->page[i].page = UINT64_MAX;
}

/* The entry of a page; the one used longest ago makes room. */
static struct km_prefetch_page *page_of(struct km_prefetch *p, uint64_t line, bool *fresh)
{
    uint64_t page = line / p->page_lines;
    struct km_prefetch_page *oldest = &p->page[0];

    *fresh = false;
    for (unsigned i = 0; i < KM_PREFETCH_PAGES; i++) {
        if (p->page[i].page == page)
            return &p->page[i];
        if (p->page[i].age < oldest->age)
            oldest = &p->page[i];
    }
    *oldest = (struct km_prefetch_page){.page = page, .last = line};
    *fresh = true;
    return oldest;
}

/* Distance to prefetch at, learnt from this reference; 0: nothing to go by. */
static int64_t learn(struct km_prefetch *p, uint64_t line)
{
    bool fresh;
    struct km_prefetch_page *e = page_of(p, line, &fresh);
    int64_t distance = (int64_t)(line - e->last);

    e->age = ++p->clock;
    if (fresh || !distance)
        return 0;
    e->repeats = distance == e->distance ? e->repeats + 1 : 0;
    e->distance = distance;
    e->last = line;
    if (p->kind == KM_PREFETCH_STREAM)
        return distance == 1 || distance == -1 ? distance : 0;
    return e->repeats ? distance : 0;
}

unsigned km_prefetch_observe(struct km_prefetch *p, uint64_t line, bool memory, uint64_t *out)
{
    int64_t distance = 1;
    unsigned nr = 0;

    p->misses += memory;
    if (p->kind == KM_PREFETCH_NONE)
        return 0;
    if (p->kind == KM_PREFETCH_ADJACENT)
        distance = line & 1 ? -1 : 1;
    else if (p->kind != KM_PREFETCH_NEXT)
        distance = learn(p, line);
    for (uint32_t k = 1; distance && k <= p->degree; k++) {
        uint64_t next = line + (uint64_t)distance * k;

        if (next / p->page_lines != line / p->page_lines)
            break;
        out[nr++] = next;
    }
    return nr;
}

void km_prefetch_issue(struct km_prefetch *p, uint64_t line)
{
    p->issued++;
    p->remembered[line % KM_PREFETCH_MEMORY] = line + 1;
}

bool km_prefetch_use(struct km_prefetch *p, uint64_t line)
{
    uint64_t *at = &p->remembered[line % KM_PREFETCH_MEMORY];

    if (*at != line + 1)
        return false;
    *at = 0;
    p->useful++;
    return true;
}
