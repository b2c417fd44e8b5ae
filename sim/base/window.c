/* SPDX-License-Identifier: MIT
 * window.c - see window.h.
 */
#define _GNU_SOURCE
#include "sim/base/window.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW_BYTES (1ull << 32)

int km_window_create(struct km_window *w, uint64_t ram_bytes, uint64_t lowmem_bytes,
                     km_vaddr page_offset, struct km_err *err)
{
    memset(w, 0, sizeof(*w));
    w->memfd = -1;
    w->ram_bytes = ram_bytes;
    w->lowmem_bytes = lowmem_bytes;
    w->page_offset = page_offset;

    /* Twice the size, then trim to the aligned half. */
    uint8_t *raw = mmap(NULL, 2 * WINDOW_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "cannot reserve 8 GiB of address space: %s",
                       strerror(errno));
    uint8_t *base = (uint8_t *)(((uintptr_t)raw + WINDOW_BYTES - 1) & ~(uintptr_t)(WINDOW_BYTES - 1));

    if (base > raw)
        munmap(raw, (size_t)(base - raw));
    munmap(base + WINDOW_BYTES, (size_t)(raw + WINDOW_BYTES - base));
    w->base = base;

    w->memfd = memfd_create("kmemsim-guest-ram", MFD_CLOEXEC);
    if (w->memfd < 0 || ftruncate(w->memfd, (off_t)ram_bytes) < 0)
        goto fail;
    w->phys = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, w->memfd, 0);
    if (w->phys == MAP_FAILED) {
        w->phys = NULL;
        goto fail;
    }
    if (mmap(base + page_offset, lowmem_bytes, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED | MAP_NORESERVE, w->memfd, 0) == MAP_FAILED)
        goto fail;
    return KM_OK;

fail:
    km_fail(err, KM_E_NOMEM, NULL, 0, 0, "cannot create %llu MiB of guest memory: %s",
            (unsigned long long)(ram_bytes >> 20), strerror(errno));
    km_window_release(w);
    return KM_E_NOMEM;
}

int km_window_map(struct km_window *w, km_vaddr va, km_pfn pfn, uint32_t pages, struct km_err *err)
{
    if (mmap(w->base + va, (size_t)pages << KM_PAGE_SHIFT, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED | MAP_NORESERVE, w->memfd,
             (off_t)pfn << KM_PAGE_SHIFT) == MAP_FAILED)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "cannot map guest page frame %u: %s", pfn,
                       strerror(errno));
    return KM_OK;
}

int km_window_unmap(struct km_window *w, km_vaddr va, uint32_t pages, struct km_err *err)
{
    if (mmap(w->base + va, (size_t)pages << KM_PAGE_SHIFT, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "cannot unmap guest address %#x: %s", va,
                       strerror(errno));
    return KM_OK;
}

void km_window_release(struct km_window *w)
{
    if (w->phys)
        munmap(w->phys, w->ram_bytes);
    if (w->base)
        munmap(w->base, WINDOW_BYTES);
    if (w->memfd >= 0)
        close(w->memfd);
    memset(w, 0, sizeof(*w));
    w->memfd = -1;
}
