/* SPDX-License-Identifier: MIT
 * page_map.c - see page_map.h.
 */
#include "sim/workload/page_map.h"

#include "sim/base/err.h"

#include <stdlib.h>
#include <string.h>

int km_page_map_init(struct km_page_map *m, km_pfn nr_frames)
{
    m->model = malloc((size_t)nr_frames * sizeof(*m->model));
    if (!m->model)
        return KM_E_NOMEM;
    m->traced = NULL;
    m->nr_model = 0;
    m->nr_frames = nr_frames;
    memset(m->model, 0xff, (size_t)nr_frames * sizeof(*m->model)); /* KM_PFN_NONE */
    return KM_OK;
}

int km_page_map_follow(struct km_page_map *m, km_pfn nr_model)
{
    m->traced = malloc((size_t)nr_model * sizeof(*m->traced));
    if (!m->traced)
        return KM_E_NOMEM;
    m->nr_model = nr_model;
    memset(m->traced, 0xff, (size_t)nr_model * sizeof(*m->traced));
    for (km_pfn traced = 0; traced < m->nr_frames; traced++)
        if (m->model[traced] < nr_model)
            m->traced[m->model[traced]] = traced;
    return KM_OK;
}

void km_page_map_release(struct km_page_map *m)
{
    free(m->model);
    free(m->traced);
    m->model = m->traced = NULL;
    m->nr_frames = m->nr_model = 0;
}

void km_page_map_set(struct km_page_map *m, km_pfn traced, km_pfn model, unsigned order)
{
    for (km_pfn i = 0; i < 1u << order && traced + i < m->nr_frames; i++) {
        m->model[traced + i] = model + i;
        if (model + i < m->nr_model)
            m->traced[model + i] = traced + i;
    }
}

km_pfn km_page_map_block(const struct km_page_map *m, km_pfn traced, unsigned order)
{
    km_pfn first = km_page_map_get(m, traced);

    if (first == KM_PFN_NONE || (first & ((1u << order) - 1)))
        return KM_PFN_NONE;
    for (km_pfn i = 1; i < 1u << order; i++)
        if (km_page_map_get(m, traced + i) != first + i)
            return KM_PFN_NONE;
    return first;
}

void km_page_map_clear(struct km_page_map *m, km_pfn traced, unsigned order)
{
    for (km_pfn i = 0; i < 1u << order && traced + i < m->nr_frames; i++)
        m->model[traced + i] = KM_PFN_NONE;
}
