/* SPDX-License-Identifier: MIT
 * objects.h - mode `objects`: traced slab and kmalloc calls drive the simulated slab layer.
 *
 * The slab layer asks the page allocator for its slabs itself, so page events that the traced
 * kernel's own slab layer made (new slabs, released slabs, kmalloc above 8 KiB) must be recognised
 * and left out. Both that and the slabs that exist at the start need to know what comes later, so
 * the trace is read twice:
 *   1. km_objects_scan_event for every event from the start on,
 *   2. km_objects_start: slab layer, caches, slabs of the start state,
 *   3. km_objects_event for the same events again, with the same indexes.
 * Memory: one bit per event, plus what is live at a time.
 * References: kernel-behaviour H4 to H7, E6; start-state notes.
 */
#ifndef KM_WORKLOAD_OBJECTS_H
#define KM_WORKLOAD_OBJECTS_H

#include "models/os/slab_layer.h"
#include "sim/report/report.h"
#include "sim/trace/bundle.h"
#include "sim/trace/trace.h"

struct km_objects;

enum km_objects_result {
    KM_OBJ_PASS, /* not ours: a page event of somebody else, or anything else */
    KM_OBJ_APPLIED,
    KM_OBJ_DROPPED_PAGE_EVENT, /* the slab layer does this itself                           */
    KM_OBJ_SKIPPED_FAILED,     /* the traced kernel got nothing                             */
    KM_OBJ_SKIPPED_UNKNOWN,    /* free of an object nobody saw allocated                    */
    KM_OBJ_SKIPPED_INTERNAL,   /* an object of the slab layer itself (memcg vectors)        */
    KM_OBJ_SKIPPED_NO_MEMORY,  /* the model could not serve it                              */
    KM_OBJ_NR,
};

struct km_objects_params {
    const struct km_bundle *bundle; /* NULL: a plain trace */
    km_vaddr page_offset;           /* of the traced machine */
    km_pfn max_low_pfn;
    unsigned cpus; /* of the traced machine */
    bool boot;     /* the trace begins at boot: end/ has the caches, start/ nothing */
    const struct km_slab_ops *slab; /* the allocator to run */
    struct km_slab_lines lines;
    bool note_sites; /* remember who allocated each object, for km_objects_owner */
};

struct km_objects_stats {
    uint64_t result[KM_OBJ_NR];
    uint64_t implicit_frees;          /* allocation of an address still live        */
    uint64_t bulk_allocs, bulk_frees; /* objects, through the probes                */
    uint64_t traced_slab_blocks, traced_slab_pages, traced_slab_blocks_freed;
    uint64_t model_slab_blocks, model_slab_pages, model_slab_blocks_freed;
    uint64_t large_dropped; /* page events of kmalloc above 8 KiB         */
    uint64_t start_slabs_seen, start_slabs_filled, start_objects_live, start_objects_free;
    uint64_t caches_by_size; /* allocation sites whose cache was guessed by object size */
    uint64_t samples;        /* SLABINFO lines compared                    */
    uint64_t sim_slabs, real_slabs, sim_objs, real_objs; /* sums over the compared lines */
    double slabs_median_rel_error, objects_median_rel_error;
    double slabs_total_rel_error; /* sum |sim - real| / sum real, caches in use */
};

/* Will the page event with this number be left out? Known after the scan. */
bool km_objects_drops(const struct km_objects *o, uint64_t index);
int km_objects_create(struct km_objects **out, const struct km_objects_params *p,
                      struct km_err *err);
/* Strings of events are looked up in `trace`; call before each of the two passes. */
void km_objects_set_trace(struct km_objects *o, const struct km_trace *trace);
void km_objects_scan_event(struct km_objects *o, const struct km_event *ev, uint64_t index);
/* A SLABINFO line of the trace from shortly before the start: newer than the bundle's file. */
void km_objects_start_sample(struct km_objects *o, const char *rest);
/* A SLABINFO line during the scan. If no line came before the start, the first one of a cache,
 * minus the slabs created in the trace so far, says how many there were then. */
void km_objects_scan_sample(struct km_objects *o, const char *rest, uint64_t index);
/* Boot captures: frames [pfn] the kernel took before tracing began; slabs of then lie in some of
 * them. The array stays the caller's. Before km_objects_start. */
void km_objects_set_spare(struct km_objects *o, const uint8_t *spare);
/* On another machine than the traced one: where a block of traced frames went, KM_PFN_NONE if it is none
 * there. Not called: the same frames. Before km_objects_start. */
void km_objects_set_where(struct km_objects *o,
                          km_pfn (*where)(void *ctx, km_pfn traced, unsigned order), void *ctx);
/* Brings the slab layer up on os. Traced frames it adopts are reported through claimed(). */
int km_objects_start(struct km_objects *o, struct km_os *os, struct km_cpu *cpu,
                     void (*claimed)(void *ctx, km_pfn pfn, unsigned order), void *ctx,
                     struct km_err *err);
enum km_objects_result km_objects_event(struct km_objects *o, struct km_cpu *cpu,
                                        const struct km_event *ev, uint64_t index);
/* A SLABINFO sample line (text after the keyword). */
void km_objects_sample(struct km_objects *o, const uint8_t *window, const char *rest);
void km_objects_get_stats(const struct km_objects *o, struct km_objects_stats *out);
void km_objects_summary(struct km_objects *o, struct km_run_summary *sum);
struct km_slab_layer *km_objects_layer(struct km_objects *o);
/* What of the slab layer lies at va and in the line_bytes from there; false: nothing. */
bool km_objects_owner(const struct km_objects *o, const uint8_t *window, km_vaddr va,
                      uint32_t line_bytes, struct km_line_owner *out);
void km_objects_destroy(struct km_objects *o);

#endif
