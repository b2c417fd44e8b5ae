/* SPDX-License-Identifier: MIT
 * proc_vmalloc.c - the layout of /proc/vmallocinfo, Linux 6.1.
 *
 * One line per area in address order: range, size with guard page, caller, then only what applies:
 * pages, physical address (16 digits with PAE, 8 without), what made it. Areas without descriptor
 * (vm_map_ram) and areas waiting for the TLB flush have a fixed word instead.
 */
#include "sim/report/proc_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void put_area(FILE *f, const struct km_proc_vm *a, bool pae)
{
    static const struct {
        uint32_t flag;
        const char *word;
    } made_by[] = {{0x1, " ioremap"},
                   {0x2, " vmalloc"},
                   {0x4, " vmap"},
                   {0x8, " user"},
                   {0x10, " dma-coherent"}};

    if (a->caller)
        fprintf(f, " %s", a->caller);
    if (a->pages)
        fprintf(f, " pages=%" PRIu32, a->pages);
    if (a->phys)
        fprintf(f, " phys=0x%0*" PRIx64, pae ? 16 : 8, a->phys);
    for (unsigned i = 0; i < KM_ARRAY_LEN(made_by); i++)
        if (a->flags & made_by[i].flag)
            fputs(made_by[i].word, f);
    if (a->vpages)
        fputs(" vpages", f);
    fputc('\n', f);
}

char *km_proc_vmallocinfo(const struct km_proc_vm *areas, unsigned nr_areas, bool pae)
{
    char *data = NULL;
    size_t size;
    FILE *f = open_memstream(&data, &size);

    if (!f)
        return NULL;
    for (unsigned i = 0; i < nr_areas; i++) {
        const struct km_proc_vm *a = &areas[i];

        fprintf(f, "0x%08" PRIx32 "-0x%08" PRIx32 " %7" PRIu32, a->start, a->start + a->bytes,
                a->bytes);
        if (a->kind == KM_PROC_VM_AREA)
            put_area(f, a, pae);
        else
            fputs(a->kind == KM_PROC_VM_LAZY ? " unpurged vm_area\n" : " vm_map_ram\n", f);
    }
    bool bad = ferror(f);

    if (fclose(f) || bad) {
        free(data);
        return NULL;
    }
    return data;
}
