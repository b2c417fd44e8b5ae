/* SPDX-License-Identifier: MIT
 * isa.c - see isa.h.
 */
#include "models/dma/isa.h"

#include "models/base/bits.h"

void km_isa_init(struct km_isa *b)
{
    *b = (struct km_isa){.refresh_due = KM_ISA_REFRESH_PERIOD_HALVES};
}

/* Refreshes that were due before `at` and have not been made take the bus first. */
static void refresh_until(struct km_isa *b, uint64_t at)
{
    while (b->refresh_due <= at) {
        uint64_t begin = km_max_u64(b->refresh_due, b->free);

        b->refreshes++;
        b->late_refreshes += begin >= b->refresh_due + KM_ISA_REFRESH_PERIOD_HALVES;
        b->free = begin + KM_ISA_REFRESH_HALVES;
        b->busy_halves += KM_ISA_REFRESH_HALVES;
        b->refresh_due += KM_ISA_REFRESH_PERIOD_HALVES;
    }
}

/* When a request made at `at` is granted. */
static uint64_t grant(struct km_isa *b, uint64_t at)
{
    uint64_t begin = km_max_u64(at, b->free);

    refresh_until(b, begin);
    return km_max_u64(begin, b->free);
}

uint64_t km_isa_acquire(struct km_isa *b, uint64_t at)
{
    uint64_t begin = grant(b, at) + KM_ISA_ACQUIRE_HALVES;

    b->busy_halves += KM_ISA_ACQUIRE_HALVES;
    b->free = begin;
    return begin;
}

uint64_t km_isa_transfer(struct km_isa *b, uint64_t begin)
{
    b->transfers++;
    b->busy_halves += KM_ISA_TRANSFER_HALVES;
    b->free = begin + KM_ISA_TRANSFER_HALVES;
    return b->free;
}

void km_isa_release(struct km_isa *b, uint64_t at)
{
    b->busy_halves += KM_ISA_RELEASE_HALVES;
    b->free = at + KM_ISA_RELEASE_HALVES;
}

uint64_t km_isa_io(struct km_isa *b, uint64_t at)
{
    uint64_t begin = grant(b, at);

    b->io_cycles++;
    b->busy_halves += KM_ISA_IO_HALVES;
    b->free = begin + KM_ISA_IO_HALVES;
    return b->free;
}
