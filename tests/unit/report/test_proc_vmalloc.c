/* SPDX-License-Identifier: MIT
 * test_proc_vmalloc.c - vmallocinfo files of running kernels come back byte for byte from their
 * fields, and the simulated kernel's own areas print as the kernel would.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/ioremap.h"
#include "models/os/vmap_block.h"
#include "sim/report/proc_text.h"

static char *read_all(const char *machine)
{
    char path[512];
    char *text = calloc(1, 65536);

    snprintf(path, sizeof(path), "%s/tests/unit/report/proc/%s/vmallocinfo", KM_SOURCE_DIR,
             machine);
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

/* Cuts one line into its fields. */
static struct km_proc_vm parse(char *line)
{
    struct km_proc_vm a = {.kind = KM_PROC_VM_AREA};
    unsigned start, end, bytes;
    int used;

    assert_int_equal(sscanf(line, "0x%x-0x%x %u %n", &start, &end, &bytes, &used), 3);
    assert_int_equal(end - start, bytes);
    a.start = start;
    a.bytes = bytes;
    for (char *w = strtok(line + used, " "); w; w = strtok(NULL, " ")) {
        unsigned long long phys;

        if (sscanf(w, "pages=%u", &a.pages) == 1)
            continue;
        if (sscanf(w, "phys=%llx", &phys) == 1)
            a.phys = phys;
        else if (!strcmp(w, "ioremap"))
            a.flags |= KM_VM_IOREMAP;
        else if (!strcmp(w, "vmalloc"))
            a.flags |= KM_VM_ALLOC;
        else if (!a.caller)
            a.caller = w;
        else
            fail_msg("unknown word %s", w);
    }
    return a;
}

static void round_trip(const char *machine, bool pae, unsigned want_lines)
{
    struct km_proc_vm area[64];
    char *text = read_all(machine), *copy = strdup(text);
    unsigned n = 0;

    for (char *line = copy, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        assert_true(n < 64);
        area[n++] = parse(line);
    }
    char *again = km_proc_vmallocinfo(area, n, pae);

    assert_int_equal(n, want_lines);
    assert_string_equal(again, text);
    free(again);
    free(copy);
    free(text);
}

static void real_files_come_back(void **state)
{
    (void)state;
    round_trip("pae-512m-modules", true, 46);
    round_trip("nonpae-2g-boot", false, 36);
}

static void the_models_areas(void **state)
{
    (void)state;
    static const struct km_pfn_range ram[] = {{1, 0x9f}, {0x100, GUEST_MAX_PFN}};
    struct vmem *m = vmem_open();
    struct km_cpu *cpu = &m->g.cpu[0];
    struct km_vm_info info[16];
    struct km_proc_vm area[16] = {0};
    struct km_io io;
    km_pfn pfn = km_alloc_pages(&m->g.os, cpu, KM_GFP_KERNEL, 0);

    km_io_init(&io, &m->v, ram, 2);
    km_vaddr gone = km_vmalloc(&m->v, cpu, 4096, 0);

    km_vmalloc(&m->v, cpu, 12000, 0);
    km_vmalloc_user(&m->v, cpu, 1100 * 4096, 0);
    km_ioremap(&io, cpu, 0xfed00000u, 1024, 0);
    km_vmap(&m->v, cpu, &pfn, 1, 0);
    km_vm_map_ram(&m->v, cpu, &pfn, 1);
    km_vfree(&m->v, cpu, gone, false);
    unsigned n = km_vmalloc_info(&m->v, m->w.base, info, 16);

    for (unsigned i = 0; i < n; i++)
        area[i] = (struct km_proc_vm){.kind = (enum km_proc_vm_kind)info[i].kind,
                                      .start = info[i].start,
                                      .bytes = info[i].bytes,
                                      .pages = info[i].pages,
                                      .phys = info[i].phys,
                                      .flags = info[i].flags,
                                      .vpages = info[i].vpages};
    char *text = km_proc_vmallocinfo(area, n, true);

    assert_string_equal(text, "0xc3800000-0xc3804000   16384 pages=3 vmalloc\n"
                              "0xc3804000-0xc3c51000 4509696 pages=1100 vmalloc user vpages\n"
                              "0xc3c51000-0xc3c54000   12288 pages=2 vmalloc\n"
                              "0xc3c54000-0xc3c56000    8192 phys=0x00000000fed00000 ioremap\n"
                              "0xc3c56000-0xc3c58000    8192 vmap\n"
                              "0xc3c80000-0xc3cc0000  262144 vm_map_ram\n"
                              "0xc37fe000-0xc3800000    8192 unpurged vm_area\n");
    free(text);
    vmem_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_files_come_back),
        cmocka_unit_test(the_models_areas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
