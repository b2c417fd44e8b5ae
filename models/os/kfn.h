/* SPDX-License-Identifier: MIT
 * kfn.h - a function of the simulated kernel: its code, the instructions of a call, its stack
 * traffic.
 *
 * `insns` is charged at entry for the path without the rep-stos of zeroing; `spills` stack words
 * are written at entry and `reloads` read at the end (saved registers, return addresses, locals and
 * per-CPU constants, which stay in the same few lines). Numbers come from instruction-level records
 * of Debian's 6.1.0-50-686-pae kernel and its symbol table (addresses, sizes): spills and reloads
 * are the recorded stores and loads of a call minus those the model makes itself.
 */
#ifndef KM_OS_KFN_H
#define KM_OS_KFN_H

#include "models/cpu/cpu.h"

struct km_fn {
    struct km_site site;
    uint32_t insns;
    uint32_t spills;  /* words stored */
    uint32_t reloads; /* words loaded */
};

static inline void km_fn_enter(struct km_cpu *cpu, km_vaddr stack_va, const struct km_fn *fn)
{
    if (KM_LIKELY(!cpu->ops))
        return;
    km_exec(cpu, &fn->site, fn->insns);
    km_touch(cpu, stack_va - 4 * fn->spills, 4 * fn->spills, KM_REF_STORE);
}

static inline void km_fn_leave(struct km_cpu *cpu, km_vaddr stack_va, const struct km_fn *fn)
{
    if (KM_LIKELY(!cpu->ops))
        return;
    km_touch(cpu, stack_va - 4 * fn->reloads, 4 * fn->reloads, KM_REF_LOAD);
}

#endif
