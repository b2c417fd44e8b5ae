/* SPDX-License-Identifier: MIT
 * mapped.h - the kernel's mapped areas (vmalloc space) in a replay of mode pages or objects.
 *
 * Does:        start/vmallocinfo is the state the trace begins in; the vmalloc_range, vfree, vm_area and
 *              vm_area_remove probes of the trace drive models/os/vmalloc, which chooses the addresses. They are
 *              compared with the traced ones; /proc/vmallocinfo shows the model's areas.
 * Page frames: the areas only refer to pages. The traced page events and bulk requests give and take these, as they do
 *              without this file, so nothing here changes what the page allocator or the slab layer sees. For the
 *              same reason the areas' descriptors live in a kernel memory of their own, and are not timed.
 * Assumed:     changing the protection of module memory is not traced. A request of page alignment without __GFP_ZERO
 *              is module memory; lazy ranges are flushed when its areas are filled (before the next event that is not
 *              such a request), and after the copy of the module's file was freed (its init function has run).
 *              The address of a vm_area request is not traced: the model's is taken for it.
 * Not done:    page-table entries of the areas (the traced bulk pages are not known by frame), vm_map_ram.
 */
#ifndef KM_WORKLOAD_MAPPED_H
#define KM_WORKLOAD_MAPPED_H

#include "sim/workload/replay.h"

/* Does nothing (r->mapped stays NULL) if the traced kernel is not of 32 bits. */
int km_mapped_open(struct km_replay *r, struct km_err *err);
/* True: the event belongs here. */
bool km_mapped_event(struct km_replay *r, const struct km_event *ev);
/* Text of /proc/vmallocinfo, to be freed; NULL if nothing is known about the areas. */
char *km_mapped_vmallocinfo(const struct km_replay *r);
/* Counts for the summary; stops the program if the areas are not sound (a bug of ours). */
void km_mapped_finish(struct km_replay *r);
void km_mapped_close(struct km_replay *r);

#endif
