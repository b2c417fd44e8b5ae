/* SPDX-License-Identifier: MIT
 * page_map.h - which model page frame stands for which traced one.
 *
 * The model need not pick the page frame the traced kernel picked; every later free names the traced one.
 * One entry per traced frame: the model's frame, or KM_PFN_NONE while it is not allocated.
 */
#ifndef KM_WORKLOAD_PAGE_MAP_H
#define KM_WORKLOAD_PAGE_MAP_H

#include "models/base/types.h"

struct km_page_map {
    km_pfn nr_frames;
    km_pfn *model; /* owned; indexed by traced frame */
    km_pfn nr_model;
    km_pfn *traced; /* owned; indexed by model frame: the last one it stood for; NULL unless followed */
};

int km_page_map_init(struct km_page_map *m, km_pfn nr_frames);
/* From now on the way back is known too. */
int km_page_map_follow(struct km_page_map *m, km_pfn nr_model);
void km_page_map_release(struct km_page_map *m);
void km_page_map_set(struct km_page_map *m, km_pfn traced, km_pfn model, unsigned order);
/* Model frame of the block [traced, traced + 2^order) if it is one aligned block there, else KM_PFN_NONE. */
km_pfn km_page_map_block(const struct km_page_map *m, km_pfn traced, unsigned order);
void km_page_map_clear(struct km_page_map *m, km_pfn traced, unsigned order);

static inline km_pfn km_page_map_get(const struct km_page_map *m, km_pfn traced)
{
    return traced < m->nr_frames ? m->model[traced] : KM_PFN_NONE;
}
/* Traced frame a model frame stands for now; KM_PFN_NONE: none. */
static inline km_pfn km_page_map_traced(const struct km_page_map *m, km_pfn model)
{
    if (model >= m->nr_model || km_page_map_get(m, m->traced[model]) != model)
        return KM_PFN_NONE;
    return m->traced[model];
}

#endif
