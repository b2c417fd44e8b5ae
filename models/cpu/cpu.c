/* SPDX-License-Identifier: MIT
 * cpu.c - spinlocks of the CPU port and the null port.
 *
 * Models:      a test-and-test-and-set lock: LOCKed CAS, then plain loads until the word reads 0.
 *              (Linux 6.1 uses queued spinlocks; uncontended they are the same single LOCKed RMW.)
 * Invariants:  a lock word holds 0 or 1 + the holder's CPU id; only the holder unlocks.
 */
#include "models/cpu/cpu.h"

#include "models/base/bug.h"

#include <string.h>

void km_cpu_init_null(struct km_cpu *cpu, unsigned id, uint8_t *window)
{
    memset(cpu, 0, sizeof(*cpu));
    cpu->id = id;
    cpu->window = window;
    cpu->line_shift = 5;
    for (unsigned i = 0; i < KM_HOT_LINES; i++)
        cpu->hot[i].vline = UINT32_MAX;
}

bool km_trylock(struct km_cpu *cpu, km_vaddr lock_va)
{
    return km_rmw32(cpu, lock_va, KM_RMW_CAS, 0, cpu->id + 1) == 0;
}

void km_lock(struct km_cpu *cpu, km_vaddr lock_va)
{
    while (!km_trylock(cpu, lock_va)) {
        /* With the null port nothing else can run: a held lock would never be released. */
        KM_BUG_ON(!cpu->ops);
        do
            cpu->ops->relax(cpu);
        while (km_ld32(cpu, lock_va));
    }
}

void km_unlock(struct km_cpu *cpu, km_vaddr lock_va)
{
    KM_BUG_ON(km_peek32(cpu->window, lock_va) != cpu->id + 1);
    km_st32(cpu, lock_va, 0);
}
