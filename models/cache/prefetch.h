/* SPDX-License-Identifier: MIT
 * prefetch.h - which lines a hardware prefetcher asks for, and whether they were of use.
 *
 * Models:      next-line, adjacent-line (the other half of an aligned pair), stream (the second
 *              miss in a row in one direction starts it) and stride (the same distance twice). All
 *              watch the line numbers of references that missed the first level, per 4 KiB page,
 *              and never leave the page.
 * Not modelled: the program counter as a key (references carry none), throttling.
 * Time:        none; the caller decides when the lines are fetched.
 * Counters:    issued; useful: a reference came for the line while it was remembered; late: it was
 *              still on its way then. Accuracy is useful / issued, coverage useful / (useful +
 *              misses).
 */
#ifndef KM_CACHE_PREFETCH_H
#define KM_CACHE_PREFETCH_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_prefetch_kind {
    KM_PREFETCH_NONE,
    KM_PREFETCH_ADJACENT,
    KM_PREFETCH_NEXT,
    KM_PREFETCH_STREAM,
    KM_PREFETCH_STRIDE
};

#define KM_PREFETCH_PAGES 16u
#define KM_PREFETCH_DEGREE 8u
#define KM_PREFETCH_MEMORY 1024u /* lines remembered to tell useful ones */

struct km_prefetch_page {
    uint64_t page, last;
    int64_t distance;
    uint32_t repeats; /* times the distance came again */
    uint32_t age;     /* of the last use, in references */
};

struct km_prefetch {
    enum km_prefetch_kind kind;
    uint32_t degree;     /* lines per trigger: next, stream, stride */
    unsigned page_lines; /* lines per 4 KiB page */
    uint32_t clock;
    struct km_prefetch_page page[KM_PREFETCH_PAGES];
    uint64_t remembered[KM_PREFETCH_MEMORY]; /* line + 1, 0: none */
    uint64_t issued, useful, late, misses;
};

void km_prefetch_init(struct km_prefetch *p, enum km_prefetch_kind kind, uint32_t degree,
                      uint32_t line_bytes);
/* A reference missed the first level. `memory`: it went to memory. Writes the lines to fetch, at
 * most KM_PREFETCH_DEGREE, and returns their number. */
unsigned km_prefetch_observe(struct km_prefetch *p, uint64_t line, bool memory, uint64_t *out);
/* The line is being fetched. */
void km_prefetch_issue(struct km_prefetch *p, uint64_t line);
/* A reference found the line beyond the first level; true if a prefetch had brought it. */
bool km_prefetch_use(struct km_prefetch *p, uint64_t line);

#ifdef __cplusplus
}
#endif
#endif
