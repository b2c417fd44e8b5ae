/* SPDX-License-Identifier: MIT
 * test_vmalloc_capture.c - the addresses a real kernel returned from vmalloc are the model's
 * addresses.
 *
 * Data:   tests/data/vmalloc-pae-512m-modules.txt: 246 requests and 236 removals of a Linux 6.1
 * machine that loads and unloads modules, and its /proc/vmallocinfo before and after. Rules:
 * changing the protection of module memory flushes lazy ranges; the data does not record when. The
 * kernel does it twice per module: when its areas are filled (here: before the next event that is
 * not another module area), and when its init function has returned, which is after the copy of the
 * file it was loaded from was freed (here: before the event that follows this removal).
 */
#include "tests/unit/os/vmem_fixture.h"

#define DATA KM_SOURCE_DIR "/tests/data/vmalloc-pae-512m-modules.txt"

enum { MAX_PENDING = 8, MAX_AREAS = 256 };

struct replay {
    struct vmem *m;
    km_vaddr pending[MAX_PENDING]; /* module areas not yet protected */
    km_vaddr file_copy;
    bool initialised; /* the file copy is gone: the module's init function runs */
    unsigned nr_pending, requests, identical, removals;
    struct km_vm_info area[MAX_AREAS];
    unsigned nr_area, nr_end;
};

static void protect_pending(struct replay *r)
{
    for (unsigned i = 0; i < r->nr_pending; i++)
        km_vmalloc_protect(&r->m->v, &r->m->g.cpu[0], r->pending[i]);
    r->nr_pending = 0;
    if (r->initialised)
        km_vm_unmap_aliases(&r->m->v, &r->m->g.cpu[0]);
    r->initialised = false;
}

static void request(struct replay *r, const char *line)
{
    struct km_vmalloc *v = &r->m->v;
    unsigned bytes, align, want;
    char kind[16];

    assert_int_equal(sscanf(line, "alloc %u %u %x %15s", &bytes, &align, &want, kind), 4);
    bool module = !strcmp(kind, "module");

    if (!module)
        protect_pending(r);
    km_vaddr got = km_vmalloc_range(v, &r->m->g.cpu[0], bytes, align, v->p.start, v->p.end,
                                    KM_GFP_KERNEL, 0, 0);

    r->requests++;
    r->identical += got == want;
    if (got != want) { /* go on from where the real kernel was */
        print_message("request %u: %u bytes at 0x%x, the kernel 0x%x\n", r->requests, bytes, got,
                      want);
        km_vfree(v, &r->m->g.cpu[0], got, false);
        km_vmap_purge(&v->vmap, &r->m->g.cpu[0], 1, 0);
        assert_true(km_vmalloc_adopt(v, &r->m->g.cpu[0], want, ((bytes + 4095) & ~4095u) + 4096,
                                     KM_VM_ALLOC, 0));
    }
    if (!module)
        r->file_copy = want;
    if (module && r->nr_pending < MAX_PENDING)
        r->pending[r->nr_pending++] = want;
}

static void step(struct replay *r, const char *line)
{
    struct km_vmalloc *v = &r->m->v;
    struct km_cpu *cpu = &r->m->g.cpu[0];
    unsigned a, b;

    if (sscanf(line, "busy %x %u", &a, &b) == 2) {
        assert_true(km_vmalloc_adopt(v, cpu, a, b, KM_VM_ALLOC, 0));
    } else if (sscanf(line, "remove %x", &a) == 1) {
        protect_pending(r);
        assert_int_equal(km_vfree(v, cpu, a, false), KM_VFREE_OK);
        r->removals++;
        r->initialised = a == r->file_copy;
    } else if (!strncmp(line, "alloc", 5)) {
        request(r, line);
    } else if (sscanf(line, "end %x %u", &a, &b) == 2) {
        if (!r->nr_area)
            r->nr_area = km_vmalloc_info(v, r->m->w.base, r->area, MAX_AREAS);
        assert_true(r->nr_end < r->nr_area);
        assert_int_equal(r->area[r->nr_end].kind, KM_VM_KIND_AREA);
        assert_int_equal(r->area[r->nr_end].start, a);
        assert_int_equal(r->area[r->nr_end].bytes, b);
        r->nr_end++;
    }
}

static void replays_module_loading(void **state)
{
    (void)state;
    struct replay r = {0};
    unsigned start = 0, end = 0;
    char line[256];
    FILE *f = fopen(DATA, "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "range %x %x", &start, &end) == 2)
            r.m = vmem_open_at(start, end, false);
        else if (line[0] != '#' && r.m)
            step(&r, line);
    }
    fclose(f);
    vmem_check(r.m);
    print_message("%u of %u addresses identical, %u removals\n", r.identical, r.requests,
                  r.removals);
    assert_int_equal(r.requests, 246);
    assert_int_equal(r.removals, 236);
    assert_int_equal(r.identical, r.requests);
    assert_int_equal(r.nr_end, 46);
    vmem_close(r.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replays_module_loading)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
