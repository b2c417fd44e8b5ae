/* SPDX-License-Identifier: MIT
 * page_fn.h - functions of the page allocator: kfn.h on the kernel's own call stack.
 *
 * Without a stack (a kernel that was not booted by boot.c) only the instructions are charged.
 */
#ifndef KM_OS_PAGE_FN_H
#define KM_OS_PAGE_FN_H

#include "models/os/kfn.h"
#include "models/os/os.h"

/* Reads a word of each of the first `lines` lines of scattered kernel data; none without them. */
static inline void km_read_globals(const struct km_os *os, struct km_cpu *cpu, unsigned lines)
{
    for (unsigned i = 0; os->globals_va && i < lines; i++)
        km_ref(cpu, os->globals_va + 64 * i, 4, KM_REF_LOAD);
}

/* depth: words of the callers' frames above this one. */
static inline void km_page_fn_enter(const struct km_os *os, struct km_cpu *cpu, const struct km_fn *fn,
                                    uint32_t depth)
{
    km_vaddr stack = os->stack_va[cpu->id];

    if (stack)
        km_fn_enter(cpu, stack - 4 * depth, fn);
    else
        km_exec(cpu, &fn->site, fn->insns);
}

static inline void km_page_fn_leave(const struct km_os *os, struct km_cpu *cpu, const struct km_fn *fn,
                                    uint32_t depth)
{
    km_vaddr stack = os->stack_va[cpu->id];

    if (stack)
        km_fn_leave(cpu, stack - 4 * depth, fn);
}

#endif
